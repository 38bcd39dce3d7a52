/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "db/db_internal.h"
#include "spec/reason.h"

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
    " owner, owner_start, owner_place"

enum { PLACE_MAX = 128 };

/* The start time of a process in clock ticks since boot; 0 when there is none. With the pid it
 * says whether an owner still lives. */
static int64_t process_start(int64_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    if (sonde_read_file(AT_FDCWD, path, &text, NULL) < 0) {
        return 0;
    }
    const char *end = strrchr(text.data, ')');
    struct sonde_str rest = end ? sonde_str(end + 2) : (struct sonde_str){0};
    int64_t start = 0;
    for (int field = 3; field <= 22 && rest.data; field++) {
        struct sonde_str value = sonde_str_split(&rest, ' ');
        if (field == 22 && sonde_parse_i64(value, 0, INT64_MAX, &start) < 0) {
            return 0;
        }
    }
    return start;
}

/* "BOOT NAMESPACE": the boot's id, and the pid namespace; "" when it cannot be told. */
static void own_place(char ret[PLACE_MAX])
{
    char namespace[64];
    SONDE_BUF_AUTO boot = SONDE_BUF(64);
    ssize_t length = readlink("/proc/self/ns/pid", namespace, sizeof(namespace) - 1);
    ret[0] = '\0';
    if (length > 0 &&
        sonde_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, NULL) == 0) {
        struct sonde_str id = sonde_str_trim(sonde_buf_view(&boot));
        namespace[length] = '\0';
        (void)snprintf(ret, PLACE_MAX, "%.*s %s", SONDE_STR_ARG(id), namespace);
    }
}

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
    r = r < 0
            ? r
            : db_prepare(db, "INSERT INTO runs (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
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
    (void)sqlite3_bind_int64(statement, 12, getpid());
    (void)sqlite3_bind_int64(statement, 13, process_start(getpid()));
    char place[PLACE_MAX];
    own_place(place);
    db_text(statement, 14, place);
    return db_step(db, statement, err);
}

static int update_run(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = check_document(run->status, "a run's status", err);
    r = r < 0 ? r
              : db_prepare(db,
                           "UPDATE runs SET state = ?, reason = ?, message = ?, status = ?,"
                           " completed = ? WHERE uid = ? AND state < ?",
                           &statement, err);
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
        return sonde_fail(err, SONDE_ECONFLICT, 0, "run %s has ended, or was deleted", run->uid);
    }
    return r;
}

int sonde_db_run_update(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    int r = update_run(db, run, err);
    return db_use_reserve(db, r, RESERVE_FOR_DELETE) ? update_run(db, run, err) : r;
}

static bool owner_is_dead(sqlite3_stmt *statement, enum sonde_run_state state)
{
    if (state >= SONDE_RUN_SUCCEEDED) {
        return false;
    }
    char ours[PLACE_MAX];
    const char *theirs = db_column(statement, 13);
    own_place(ours);
    if (theirs[0] && ours[0] && strcmp(theirs, ours) != 0) {
        /* In another pid namespace of this boot its number says nothing here. */
        size_t boot = strcspn(ours, " ");
        return strncmp(theirs, ours, boot + 1) != 0;
    }
    int64_t start = process_start(sqlite3_column_int64(statement, 11));
    return start == 0 || start != sqlite3_column_int64(statement, 12);
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
        };
        (void)snprintf(run.uid, sizeof(run.uid), "%s", db_column(statement, 0));
        if (owner_is_dead(statement, run.state)) {
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

int sonde_db_runs(struct sonde_db *db, int limit, sonde_run_callback callback, void *context,
                  struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, "SELECT " COLUMNS " FROM runs ORDER BY created DESC, uid LIMIT ?",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    (void)sqlite3_bind_int(statement, 1,
                           limit < SONDE_DB_RUNS_LISTED_MAX ? limit : SONDE_DB_RUNS_LISTED_MAX);
    r = each_run(db, statement, callback, context, err);
    return r < 0 ? r : 0;
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

/* The first uid that `sql` finds for text (bound as ?1), and whether there is a second. */
static int find_uid(struct sonde_db *db, const char *sql, const char *text,
                    char ret[SONDE_UUID_SIZE], bool *ret_several, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    if (sqlite3_bind_parameter_count(statement)) {
        db_text(statement, 1, text);
    }
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

int sonde_db_run_resolve(struct sonde_db *db, const char *text, char ret[SONDE_UUID_SIZE],
                         struct sonde_err *err)
{
    static const char last[] = "SELECT uid FROM runs ORDER BY created DESC, uid LIMIT 1";
    static const char named[] =
        "SELECT uid FROM runs WHERE name = ?1 ORDER BY created DESC LIMIT 1";
    static const char begins[] =
        "SELECT uid FROM runs WHERE substr(uid, 1, length(?1)) = ?1 LIMIT 2";
    bool several = false;
    int r = strcmp(text, "last") == 0 ? find_uid(db, last, NULL, ret, &several, err)
                                      : find_uid(db, named, text, ret, &several, err);
    if (r == 0 && strlen(text) >= SONDE_DB_PREFIX_MIN && strcmp(text, "last") != 0) {
        r = find_uid(db, begins, text, ret, &several, err);
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
