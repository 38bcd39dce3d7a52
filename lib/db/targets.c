/* SPDX-License-Identifier: Apache-2.0 */
#include "db/targets.h"

#include <string.h>

#include "db/db_internal.h"

static const char *const phase_names[] = {
    [SONDE_TARGET_EXPECTED] = "Expected",   [SONDE_TARGET_CONNECTED] = "Connected",
    [SONDE_TARGET_CAPTURING] = "Capturing", [SONDE_TARGET_DONE] = "Done",
    [SONDE_TARGET_LOST] = "Lost",
};

const char *sonde_target_phase_name(enum sonde_target_phase phase)
{
    return (size_t)phase < SONDE_LENGTH(phase_names) ? phase_names[phase] : "Unknown";
}

static int check_open(struct sonde_db *db, const struct sonde_target *target, const char *sha256,
                      int64_t *ret_known, struct sonde_err *err)
{
    const char *const keys[] = {target->run_uid, target->name, sha256};
    int64_t state = 0;
    int64_t phase = 0;
    int64_t tokens = 0;
    int r = db_find_number(db, "SELECT state FROM runs WHERE uid = ?", keys, 1, -1, &state, err);
    r = r < 0 ? r
              : db_find_number(db, "SELECT phase FROM targets WHERE run = ? AND name = ?", keys, 2,
                               -1, &phase, err);
    r = r < 0 ? r
              : db_find_number(db, "SELECT count(*) FROM tokens WHERE run = ? AND target = ?", keys,
                               2, 0, &tokens, err);
    r = r < 0
            ? r
            : db_find_number(db, "SELECT 1 FROM tokens WHERE run = ? AND target = ? AND sha256 = ?",
                             keys, 3, 0, ret_known, err);
    if (r < 0) {
        return r;
    }
    if (state < 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "there is no run %s", target->run_uid);
    }
    if (state >= SONDE_RUN_SUCCEEDED || phase == SONDE_TARGET_DONE) {
        return sonde_fail(err, SONDE_ECONFLICT, 0, "%s of run %s has ended",
                          phase == SONDE_TARGET_DONE ? target->name : "the whole", target->run_uid);
    }
    if (tokens >= SONDE_TARGET_TOKENS_MAX && !*ret_known) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "%s of run %s has %d tokens already", target->name,
                          target->run_uid, SONDE_TARGET_TOKENS_MAX);
    }
    return 0;
}

static int write_row(struct sonde_db *db, const char *sql, const char *const texts[], int count,
                     int64_t number, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    for (int i = 0; i < count; i++) {
        db_text(statement, i + 1, texts[i]);
    }
    (void)sqlite3_bind_int64(statement, count + 1, number);
    return db_step(db, statement, err);
}

static int add_token(struct sonde_db *db, const struct sonde_target *target, const char *sha256,
                     int64_t expires, struct sonde_err *err)
{
    const char *const texts[] = {target->run_uid, target->name, sha256};
    int64_t known = 0;
    int r = check_open(db, target, sha256, &known, err);
    if (r < 0 || known) {
        return r;
    }
    r = write_row(db, "INSERT OR IGNORE INTO targets (run, name, phase, result) VALUES (?,?,?,'')",
                  texts, 2, SONDE_TARGET_EXPECTED, err);
    return r < 0 ? r
                 : write_row(db,
                             "INSERT INTO tokens (run, target, sha256, expires, instance, spent)"
                             " VALUES (?,?,?,?,'',0)",
                             texts, 3, expires, err);
}

int sonde_db_token_add(struct sonde_db *db, const struct sonde_target *target, const char *sha256,
                       int64_t expires, struct sonde_err *err)
{
    if (strlen(target->name) > SONDE_TARGET_NAME_MAX || !target->name[0] ||
        strlen(sha256) != SONDE_SHA256_TEXT - 1) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "a target needs a name of 1 to %d bytes, and a token's SHA-256",
                          SONDE_TARGET_NAME_MAX);
    }
    int r = db_begin(db, err);
    return r < 0 ? r : db_end(db, add_token(db, target, sha256, expires, err), err);
}

static int bind_instance(struct sonde_db *db, const char *sha256, const char *instance,
                         struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, "UPDATE tokens SET instance = ? WHERE sha256 = ? AND instance = ''",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, instance);
    db_text(statement, 2, sha256);
    return db_step(db, statement, err);
}

int sonde_db_token_use(struct sonde_db *db, const struct sonde_target *target, const char *sha256,
                       const char *instance, int64_t now, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    if (!instance[0] || strlen(instance) > SONDE_INSTANCE_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "an instance has 1 to %d characters",
                          SONDE_INSTANCE_MAX);
    }
    int r = db_prepare(db,
                       "SELECT expires, instance, spent,"
                       " instr(char(10) || refused, char(10) || ?4 || char(10)) FROM tokens"
                       " WHERE run = ?1 AND target = ?2 AND sha256 = ?3",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, target->run_uid);
    db_text(statement, 2, target->name);
    db_text(statement, 3, sha256);
    db_text(statement, 4, instance);
    r = db_step(db, statement, err);
    if (r < 0) {
        return r;
    }
    if (r == 0) {
        return sonde_fail_reason(err, SONDE_EDENIED, "TokenUnknown",
                                 "the token is not one of %s in run %s", target->name,
                                 target->run_uid);
    }
    const char *bound = db_column(statement, 1);
    if (sqlite3_column_int(statement, 2)) {
        return sonde_fail_reason(err, SONDE_EDENIED, "TokenSpent", "the token was used to its end");
    }
    if (sqlite3_column_int64(statement, 0) <= now) {
        return sonde_fail_reason(err, SONDE_EDENIED, "TokenExpired", "the token has expired");
    }
    if (bound[0] && strcmp(bound, instance) != 0) {
        return sonde_fail_reason(err, SONDE_EDENIED, "TokenUsed",
                                 "the token is in use by another process");
    }
    if (sqlite3_column_int(statement, 3)) {
        return sonde_fail_reason(err, SONDE_EDENIED, "TokenUsed",
                                 "this process was given up: another one takes its place");
    }
    return bound[0] ? 0 : bind_instance(db, sha256, instance, err);
}

int sonde_db_token_release(struct sonde_db *db, const struct sonde_target *target, bool refuse,
                           struct sonde_err *err)
{
    /* Of those that are refused the last 31 or more. */
    static const char sql[] =
        "UPDATE tokens SET instance = '', refused = CASE ?3 WHEN 0 THEN refused"
        " ELSE substr(refused || instance || char(10), -2048) END"
        " WHERE run = ?1 AND target = ?2 AND instance != ''";
    const char *const keys[] = {target->run_uid, target->name};
    return write_row(db, sql, keys, 2, refuse, err);
}

static int reach(struct sonde_db *db, const struct sonde_target *target, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db,
                       "UPDATE targets SET phase = ?3, result = ?4"
                       " WHERE run = ?1 AND name = ?2 AND phase < ?3",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, target->run_uid);
    db_text(statement, 2, target->name);
    (void)sqlite3_bind_int(statement, 3, (int)target->phase);
    db_text(statement, 4, target->result);
    r = db_step(db, statement, err);
    if (r < 0) {
        return r;
    }
    const char *const keys[] = {target->run_uid, target->name};
    if (sqlite3_changes(db->sqlite) == 0) {
        int64_t there = 0;
        r = db_find_number(db, "SELECT 1 FROM targets WHERE run = ? AND name = ?", keys, 2, 0,
                           &there, err);
        return r < 0   ? r
               : there ? 1
                       : sonde_fail(err, SONDE_ENOTFOUND, 0, "run %s has no target %s",
                                    target->run_uid, target->name);
    }
    return target->phase < SONDE_TARGET_DONE
               ? 0
               : write_row(db, "UPDATE tokens SET spent = ?3 WHERE run = ?1 AND target = ?2", keys,
                           2, 1, err);
}

int sonde_db_target_reach(struct sonde_db *db, const struct sonde_target *target,
                          struct sonde_err *err)
{
    if (target->result && strlen(target->result) > SONDE_TARGET_RESULT_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a result of more than %d bytes",
                          SONDE_TARGET_RESULT_MAX);
    }
    int r = db_begin(db, err);
    if (r < 0) {
        return r;
    }
    int reached = reach(db, target, err);
    r = db_end(db, reached < 0 ? reached : 0, err);
    return r < 0 ? r : reached;
}

#define SELECT                                                                                     \
    "SELECT run, targets.name, phase, result, namespace, runs.name FROM targets"                   \
    " JOIN runs ON uid = run WHERE "

/* Returns how many were called back with. */
static int each_target(struct sonde_db *db, const char *sql, const char *const texts[], int count,
                       sonde_target_callback callback, void *context, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    for (int i = 0; i < count; i++) {
        db_text(statement, i + 1, texts[i]);
    }
    int seen = 0;
    while ((r = db_step(db, statement, err)) == 1) {
        struct sonde_target target = {
            .run_uid = db_column(statement, 0),
            .name = db_column(statement, 1),
            .phase = (enum sonde_target_phase)sqlite3_column_int(statement, 2),
            .result = db_column(statement, 3),
            .namespace = db_column(statement, 4),
            .run_name = db_column(statement, 5),
        };
        r = db_columns_check(db, err);
        r = r < 0 ? r : callback(context, &target, err);
        seen++;
        if (r != 0) {
            return r < 0 ? r : seen;
        }
    }
    return r < 0 ? r : seen;
}

int sonde_db_targets(struct sonde_db *db, const char *run_uid, sonde_target_callback callback,
                     void *context, struct sonde_err *err)
{
    int r = each_target(db, SELECT "run = ? ORDER BY targets.name", &run_uid, 1, callback, context,
                        err);
    return r < 0 ? r : 0;
}

int sonde_db_targets_live(struct sonde_db *db, const char *after, sonde_target_callback callback,
                          void *context, struct sonde_err *err)
{
    int r = each_target(db, SELECT "state < 2 AND run > ? ORDER BY run, targets.name", &after, 1,
                        callback, context, err);
    return r < 0 ? r : 0;
}

int sonde_db_target_get(struct sonde_db *db, const char *run_uid, const char *name,
                        sonde_target_callback callback, void *context, struct sonde_err *err)
{
    const char *const texts[] = {run_uid, name};
    int r =
        each_target(db, SELECT "run = ? AND targets.name = ?", texts, 2, callback, context, err);
    if (r == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "run %s has no target %s", run_uid, name);
    }
    return r < 0 ? r : 0;
}

int sonde_db_run_cancel(struct sonde_db *db, const char *uid, struct sonde_err *err)
{
    const char *const texts[] = {uid};
    int r = write_row(db, "UPDATE runs SET cancelled = ?2 WHERE uid = ?1", texts, 1, 1, err);
    if (r == 0 && sqlite3_changes(db->sqlite) == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "there is no run %s", uid);
    }
    return r;
}
