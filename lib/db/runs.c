/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "db/db_internal.h"
#include "spec/reason.h"
#include "spec/spec.h"

static const char *const state_names[] = {
    [SONDE_RUN_PENDING] = "Pending",     [SONDE_RUN_RUNNING] = "Running",
    [SONDE_RUN_SUCCEEDED] = "Succeeded", [SONDE_RUN_FAILED] = "Failed",
    [SONDE_RUN_CANCELLED] = "Cancelled",
};

const char *sonde_run_state_name(enum sonde_run_state state)
{
    return (size_t)state < SONDE_LENGTH(state_names) ? state_names[state] : "Unknown";
}

#define COLUMNS                                                                                    \
    "uid, name, namespace, kind, spec, status, state, reason, message, created, completed,"        \
    " owner, requester, schedule, cancelled"

/* The owner of runs that are carried out elsewhere: nobody here can tell whether it lives. */
#define REMOTE "-"

static int check_document(const char *text, const char *what, struct sonde_err *err)
{
    if (text && strlen(text) > SONDE_DB_DOCUMENT_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "%s of more than %d bytes", what,
                          SONDE_DB_DOCUMENT_MAX);
    }
    return 0;
}

int sonde_db_run_create(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    if (!run->name || strlen(run->name) > SONDE_DB_NAME_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "a run needs a name of at most %d bytes",
                          SONDE_DB_NAME_MAX);
    }
    int r = check_document(run->spec, "a run's spec", err);
    r = r < 0 ? r : check_document(run->status, "a run's status", err);
    r = r < 0 || run->remote || db->owner >= 0
            ? r
            : db_create_locked(db, DB_OWNER_PREFIX, db->owner_name, sizeof(db->owner_name),
                               &db->owner, err);
    r = r < 0 ? r
              : db_prepare(db,
                           "INSERT INTO runs (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)",
                           &statement, err);
    if (r < 0) {
        return r;
    }
    const char *const texts[] = {run->uid,  run->name, run->namespace,
                                 run->kind, run->spec, run->status ? run->status : "{}"};
    for (int i = 0; i < (int)SONDE_LENGTH(texts); i++) {
        db_text(statement, i + 1, texts[i]);
    }
    (void)sqlite3_bind_int(statement, 7, (int)run->state);
    db_text(statement, 8, run->reason);
    db_text(statement, 9, run->message);
    (void)sqlite3_bind_int64(statement, 10, run->created_ns);
    (void)sqlite3_bind_int64(statement, 11, run->completed_ns);
    db_text(statement, 12, run->remote ? REMOTE : db->owner_name);
    db_text(statement, 13, run->requester);
    db_text(statement, 14, run->schedule);
    return db_step(db, statement, err);
}

/* `sql` has these as ?1 to ?5, its uid as ?6 and SONDE_RUN_SUCCEEDED as ?7. */
static int set_run(struct sonde_db *db, const char *sql, const struct sonde_run *run,
                   const char *refusal, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = check_document(run->status, "a run's status", err);
    r = r < 0 ? r : db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    (void)sqlite3_bind_int(statement, 1, (int)run->state);
    db_text(statement, 2, run->reason);
    db_text(statement, 3, run->message);
    db_text(statement, 4, run->status ? run->status : "{}");
    (void)sqlite3_bind_int64(statement, 5, run->completed_ns);
    db_text(statement, 6, run->uid);
    (void)sqlite3_bind_int(statement, 7, SONDE_RUN_SUCCEEDED);
    r = db_step(db, statement, err);
    if (r == 0 && sqlite3_changes(db->sqlite) == 0) {
        return sonde_fail(err, SONDE_ECONFLICT, 0, "run %s %s", run->uid, refusal);
    }
    return r;
}

#define SET "UPDATE runs SET state = ?1, reason = ?2, message = ?3, status = ?4"

int db_update_run(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    return set_run(db, SET ", completed = ?5 WHERE uid = ?6 AND state < ?7", run,
                   "has ended, or was deleted", err);
}

int sonde_db_run_update(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    int r = db_update_run(db, run, err);
    return db_use_reserve(db, r, RESERVE_FOR_DELETE) ? db_update_run(db, run, err) : r;
}

int sonde_db_run_judge(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    return set_run(db, SET " WHERE uid = ?6 AND state = ?7", run, "has not succeeded", err);
}

const char *sonde_run_series(const struct sonde_run *run)
{
    bool is_one = sonde_str_starts(sonde_str(run->schedule), SONDE_SPEC_SERIES);
    return is_one ? run->schedule + strlen(SONDE_SPEC_SERIES) : NULL;
}

/* Also of another container: locks are seen by all that see the file. */
static bool owner_is_dead(struct sonde_db *db, const char *owner)
{
    SONDE_CLOSE int fd = openat(db->incoming, owner, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno == ENOENT : flock(fd, LOCK_SH | LOCK_NB) == 0;
}

static int each_run(struct sonde_db *db, sqlite3_stmt *statement, sonde_run_callback callback,
                    void *context, struct sonde_err *err)
{
    int r;
    int count = 0;
    while ((r = db_step(db, statement, err)) == 1) {
        struct sonde_run run = {
            .name = db_column(statement, 1),
            .namespace = db_column(statement, 2),
            .kind = db_column(statement, 3),
            .spec = db_column(statement, 4),
            .status = db_column(statement, 5),
            .state = (enum sonde_run_state)sqlite3_column_int(statement, 6),
            .reason = db_column(statement, 7),
            .message = db_column(statement, 8),
            .created_ns = sqlite3_column_int64(statement, 9),
            .completed_ns = sqlite3_column_int64(statement, 10),
            .remote = strcmp(db_column(statement, 11), REMOTE) == 0,
            .requester = db_column(statement, 12),
            .schedule = db_column(statement, 13),
            .cancelled = sqlite3_column_int(statement, 14) != 0,
        };
        (void)snprintf(run.uid, sizeof(run.uid), "%s", db_column(statement, 0));
        if (run.state < SONDE_RUN_SUCCEEDED && !run.remote &&
            owner_is_dead(db, db_column(statement, 11))) {
            run.state = SONDE_RUN_FAILED;
            run.reason = SONDE_REASON_INTERRUPTED;
            run.message = "the process that carried out the run ended before it was done";
        }
        count++;
        r = db_columns_check(db, err);
        r = r < 0 ? r : callback(context, &run, err);
        if (r < 0) {
            return r;
        }
    }
    return r < 0 ? r : count;
}

int sonde_db_runs(struct sonde_db *db, const char *namespace, int limit,
                  sonde_run_callback callback, void *context, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r =
        db_prepare(db,
                   namespace ? "SELECT " COLUMNS " FROM runs WHERE namespace = ?2"
                               " ORDER BY created DESC, uid LIMIT ?1"
                             : "SELECT " COLUMNS " FROM runs ORDER BY created DESC, uid LIMIT ?1",
                   &statement, err);
    if (r < 0) {
        return r;
    }
    if (namespace) {
        db_text(statement, 2, namespace);
    }
    (void)sqlite3_bind_int(statement, 1,
                           limit < SONDE_DB_RUNS_LISTED_MAX ? limit : SONDE_DB_RUNS_LISTED_MAX);
    r = each_run(db, statement, callback, context, err);
    return r < 0 ? r : 0;
}

#define GOOD_RUNS(made)                                                                            \
    "SELECT " COLUMNS " FROM runs WHERE namespace = ?1 AND " made " AND created < ?3"              \
    " AND kind = ?4 AND (?5 = '' OR name = ?5 OR schedule = ?10) AND uid != ?6 AND state = ?7"     \
    " AND created >= ?9 ORDER BY created DESC, uid LIMIT ?8"

int sonde_db_runs_good(struct sonde_db *db, const struct sonde_runs_good *wanted, int limit,
                       sonde_run_callback callback, void *context, struct sonde_err *err)
{
    char series[sizeof(SONDE_SPEC_SERIES) + SONDE_DB_NAME_MAX];
    const char *schedule = wanted->schedule ? wanted->schedule : "";
    DB_STATEMENT *statement = NULL;
    (void)snprintf(series, sizeof(series), "%s%s", wanted->name ? SONDE_SPEC_SERIES : "",
                   wanted->name ? wanted->name : schedule);
    int r =
        db_prepare(db, wanted->schedule ? GOOD_RUNS("schedule IN (?2, ?10)") : GOOD_RUNS("?2 = ''"),
                   &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, wanted->namespace);
    db_text(statement, 2, schedule);
    (void)sqlite3_bind_int64(statement, 9, wanted->since_ns);
    (void)sqlite3_bind_int64(statement, 3, wanted->before_ns);
    db_text(statement, 4, wanted->kind);
    db_text(statement, 5, wanted->name);
    db_text(statement, 6, wanted->except_uid);
    (void)sqlite3_bind_int(statement, 7, SONDE_RUN_SUCCEEDED);
    (void)sqlite3_bind_int(statement, 8,
                           limit < SONDE_DB_RUNS_LISTED_MAX ? limit : SONDE_DB_RUNS_LISTED_MAX);
    db_text(statement, 10, series);
    r = each_run(db, statement, callback, context, err);
    return r < 0 ? r : 0;
}

static int take_weight(struct sonde_db *db, sqlite3_stmt *statement, struct sonde_run_weight *ret,
                       struct sonde_err *err)
{
    (void)snprintf(ret->uid, sizeof(ret->uid), "%s", db_column(statement, 0));
    ret->completed_ns = sqlite3_column_int64(statement, 1);
    ret->bytes = sqlite3_column_int64(statement, 2);
    ret->data_class = (enum sonde_data_class)sqlite3_column_int(statement, 3);
    return db_columns_check(db, err);
}

#define STATUS_NUMBER(name)                                                                        \
    "COALESCE(json_extract(CASE WHEN json_valid(status) THEN status ELSE '{}' END, '$." name       \
    "'), 0)"
#define PINNED_S STATUS_NUMBER(SONDE_STATUS_PINNED)
#define NIGHTS STATUS_NUMBER(SONDE_STATUS_NIGHTS)

/* Whether fewer than so many runs like it are newer: 1 or 0. */
static int is_among_newest(struct sonde_db *db, const char *uid, int64_t nights,
                           struct sonde_err *err)
{
    static const char sql[] =
        "SELECT COUNT(*) FROM (SELECT 1 FROM runs JOIN runs AS newer"
        " ON newer.namespace = runs.namespace AND newer.schedule = runs.schedule"
        " AND newer.created > runs.created AND newer.kind = runs.kind AND newer.state = ?2"
        " WHERE runs.uid = ?1 LIMIT ?3)";
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    (void)sqlite3_bind_int(statement, 2, SONDE_RUN_SUCCEEDED);
    (void)sqlite3_bind_int64(statement, 3, nights);
    r = db_step(db, statement, err);
    return r == 1 ? sqlite3_column_int64(statement, 0) < nights : r;
}

/* Whether others are compared with the run: 1 or 0. A status that is no JSON says nothing. */
static int is_held(struct sonde_db *db, const struct sonde_run_weight *run, int64_t held_ns,
                   struct sonde_err *err)
{
    static const char sql[] =
        "SELECT " PINNED_S " * 1000000000 >= ?3, CASE WHEN schedule != '' AND"
        " (SELECT MAX(created) FROM runs AS other WHERE other.namespace = runs.namespace"
        " AND other.schedule = runs.schedule) >= ?3 THEN " NIGHTS " ELSE 0 END"
        " FROM runs WHERE uid = ?1 AND state = ?2";
    DB_STATEMENT *statement = NULL;
    if (run->data_class != SONDE_DATA_PROFILE) {
        return 0;
    }
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, run->uid);
    (void)sqlite3_bind_int(statement, 2, SONDE_RUN_SUCCEEDED);
    (void)sqlite3_bind_int64(statement, 3, held_ns);
    r = db_step(db, statement, err);
    if (r < 1 || sqlite3_column_int(statement, 0)) {
        return r;
    }
    int64_t nights = sqlite3_column_int64(statement, 1);
    return nights > 0 ? is_among_newest(db, run->uid, nights, err) : 0;
}

int sonde_db_ended(struct sonde_db *db, const int64_t before_ns[SONDE_DATA_CLASSES],
                   int64_t held_ns, struct sonde_run_weight *ret, size_t maximum, size_t *ret_count,
                   struct sonde_err *err)
{
    static const char sql[] =
        "SELECT runs.uid, completed, COALESCE(SUM(stored), 0), COALESCE(MAX(class), 0) AS highest"
        " FROM runs LEFT JOIN artifacts ON artifacts.run = runs.uid WHERE state >= ?1"
        " GROUP BY runs.uid HAVING completed < CASE highest WHEN 0 THEN ?2 WHEN 1 THEN ?3 ELSE ?4"
        " END ORDER BY completed, runs.uid";
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    (void)sqlite3_bind_int(statement, 1, SONDE_RUN_SUCCEEDED);
    for (int i = 0; i < SONDE_DATA_CLASSES; i++) {
        (void)sqlite3_bind_int64(statement, 2 + i, before_ns[i]);
    }
    *ret_count = 0;
    while (*ret_count < maximum && (r = db_step(db, statement, err)) == 1) {
        struct sonde_run_weight *run = &ret[*ret_count];
        r = take_weight(db, statement, run, err);
        r = r < 0 ? r : is_held(db, run, held_ns, err);
        if (r < 0) {
            return r;
        }
        *ret_count += r == 0;
    }
    return r < 0 ? r : 0;
}

int sonde_db_ended_bytes(struct sonde_db *db, int64_t *ret, struct sonde_err *err)
{
    static const char sql[] =
        "SELECT COALESCE(SUM(once), 0) FROM (SELECT MAX(stored) AS once FROM artifacts"
        " JOIN runs ON uid = run WHERE state >= ? GROUP BY sha256)";
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    (void)sqlite3_bind_int(statement, 1, SONDE_RUN_SUCCEEDED);
    r = db_step(db, statement, err);
    if (r == 1) {
        *ret = sqlite3_column_int64(statement, 0);
    }
    return r < 0 ? r : 0;
}

/* Steps on to the first that is not held; when all are, *ret stays the first of all. */
static int find_free(struct sonde_db *db, sqlite3_stmt *statement, int64_t held_ns,
                     struct sonde_run_weight *ret, struct sonde_err *err)
{
    struct sonde_run_weight run;
    int r = take_weight(db, statement, ret, err);
    r = r < 0 ? r : is_held(db, ret, held_ns, err);
    while (r == 1) {
        r = db_step(db, statement, err);
        if (r < 1) {
            return r; /* all are held */
        }
        r = take_weight(db, statement, &run, err);
        r = r < 0 ? r : is_held(db, &run, held_ns, err);
        *ret = r == 0 ? run : *ret;
    }
    return r;
}

int sonde_db_heaviest(struct sonde_db *db, int64_t held_ns, struct sonde_run_weight *ret,
                      struct sonde_err *err)
{
    static const char sql[] =
        "WITH weights AS (SELECT uid, namespace, completed, SUM(stored) AS bytes,"
        " MAX(class) AS highest FROM runs JOIN artifacts ON run = uid WHERE state >= ?"
        " GROUP BY uid)"
        " SELECT uid, completed, bytes, highest FROM weights WHERE namespace ="
        " (SELECT namespace FROM weights GROUP BY namespace"
        " ORDER BY SUM(bytes) DESC, namespace LIMIT 1) ORDER BY completed, uid";
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    (void)sqlite3_bind_int(statement, 1, SONDE_RUN_SUCCEEDED);
    r = db_step(db, statement, err);
    if (r == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "no run that has ended has artifacts");
    }
    return r < 0 ? r : find_free(db, statement, held_ns, ret, err);
}

int sonde_db_run_get(struct sonde_db *db, const char *uid, sonde_run_callback callback,
                     void *context, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, "SELECT " COLUMNS " FROM runs WHERE uid = ?", &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    r = each_run(db, statement, callback, context, err);
    if (r == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "there is no run %s", uid);
    }
    return r < 0 ? r : 0;
}

/* The first uid that `sql` finds for text (bound as ?1) in a namespace (?2; "": all), and whether
 * there is a second. */
static int find_uid(struct sonde_db *db, const char *sql, const char *text, const char *namespace,
                    char ret[SONDE_UUID_SIZE], bool *ret_several, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, text);
    db_text(statement, 2, namespace);
    r = db_step(db, statement, err);
    if (r == 1) {
        (void)snprintf(ret, SONDE_UUID_SIZE, "%s", db_column(statement, 0));
        r = db_columns_check(db, err);
        if (r < 0) {
            return r;
        }
        int second = db_step(db, statement, err);
        *ret_several = second == 1;
        return second < 0 ? second : 1;
    }
    return r;
}

#define WITHIN " AND (?2 = '' OR namespace = ?2)"

int sonde_db_run_resolve(struct sonde_db *db, const char *text, const char *namespace,
                         char ret[SONDE_UUID_SIZE], struct sonde_err *err)
{
    static const char last[] =
        "SELECT uid FROM runs WHERE ?1 != ''" WITHIN " ORDER BY created DESC, uid LIMIT 1";
    /* Each from its index alone: rows are long, and there may be many. */
    static const char named[] =
        "SELECT uid FROM (SELECT uid, created FROM runs WHERE name = ?1" WITHIN
        " UNION ALL SELECT uid, created FROM runs WHERE schedule = '" SONDE_SPEC_SERIES
        "' || ?1" WITHIN ") ORDER BY created DESC LIMIT 1";
    static const char begins[] =
        "SELECT uid FROM runs WHERE substr(uid, 1, length(?1)) = ?1" WITHIN " LIMIT 2";
    bool several = false;
    bool is_last = strcmp(text, "last") == 0;
    const char *in = namespace ? namespace : "";
    int r = find_uid(db, is_last ? last : named, text, in, ret, &several, err);
    several = several && r != 1; /* of those the newest is meant */
    if (r == 0 && strlen(text) >= SONDE_DB_PREFIX_MIN && !is_last) {
        r = find_uid(db, begins, text, in, ret, &several, err);
    }
    if (r == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0,
                          "no run is called %.100s, and no uid begins so (`sonde runs` lists them)",
                          text);
    }
    if (r == 1 && several) {
        return sonde_fail(err, SONDE_ECONFLICT, 0,
                          "several runs begin with %s: give more of the uid", text);
    }
    return r < 0 ? r : 0;
}

/* Within a write transaction. The blobs themselves go after its commit: the list says which. */
static int remove_run(struct sonde_db *db, const char *uid, struct blob_list *list,
                      struct sonde_err *err)
{
    int r = blob_list_add_run(db, list, uid, err); /* what was added since */
    DB_STATEMENT *removal = NULL;
    r = r < 0 ? r : db_prepare(db, "DELETE FROM runs WHERE uid = ?", &removal, err);
    if (r < 0) {
        return r;
    }
    db_text(removal, 1, uid);
    r = db_step(db, removal, err);
    if (r == 0 && sqlite3_changes(db->sqlite) == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "there is no run %s", uid);
    }
    return r;
}

/* Nobody waits while the list is written. */
static int delete_run(struct sonde_db *db, const char *uid, struct sonde_err *err)
{
    struct blob_list list;
    int r = blob_list_open(db, &list, err);
    if (r < 0) {
        return r;
    }
    r = blob_list_add_run(db, &list, uid, err);
    r = r < 0 ? r : db_begin(db, err);
    if (r == 0) {
        r = db_end(db, remove_run(db, uid, &list, err), err);
    }
    blob_list_close(&list);
    return r;
}

int sonde_db_run_delete(struct sonde_db *db, const char *uid, struct sonde_err *err)
{
    int r = delete_run(db, uid, err);
    r = db_use_reserve(db, r, 0) ? delete_run(db, uid, err) : r;
    blob_sweep(db);
    return r;
}
