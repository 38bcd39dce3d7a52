/* SPDX-License-Identifier: Apache-2.0 */
#include "db/loads.h"

#include "db/db_internal.h"
#include "db/targets.h"

static void bind_bytes(sqlite3_stmt *statement, int index, struct sonde_str bytes)
{
    /* Borrowed, and never NULL: that would be another type of value. */
    (void)sqlite3_bind_blob64(statement, index, bytes.length ? bytes.data : "", bytes.length,
                              SQLITE_STATIC);
}

static struct sonde_str column_bytes(sqlite3_stmt *statement, int index)
{
    const void *data = sqlite3_column_blob(statement, index);
    return (struct sonde_str){data, data ? (size_t)sqlite3_column_bytes(statement, index) : 0};
}

int sonde_db_load_create(struct sonde_db *db, const char *uid, const struct sonde_load_row *row,
                         struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int64_t state = 0;
    int r = db_find_number(db, "SELECT state FROM runs WHERE uid = ?", &uid, 1, -1, &state, err);
    if (r == 0 && state < 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "there is no run %s", uid);
    }
    if (r == 0 && state >= SONDE_RUN_SUCCEEDED) {
        return sonde_fail(err, SONDE_ECONFLICT, 0, "run %s has ended", uid);
    }
    r = r < 0 ? r
              : db_prepare(db,
                           "INSERT OR IGNORE INTO loads (run, addresses, seed, begun, state)"
                           " VALUES (?,?,?,?,?)",
                           &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    db_text(statement, 2, row->addresses);
    (void)sqlite3_bind_int64(statement, 3, row->seed);
    (void)sqlite3_bind_int64(statement, 4, row->begun_us);
    bind_bytes(statement, 5, row->state);
    return db_step(db, statement, err);
}

int sonde_db_load_get(struct sonde_db *db, const char *uid, sonde_load_callback callback,
                      void *context, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, "SELECT addresses, seed, begun, state FROM loads WHERE run = ?",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    r = db_step(db, statement, err);
    if (r <= 0) {
        return r < 0 ? r : sonde_fail(err, SONDE_ENOTFOUND, 0, "run %s is no load test", uid);
    }
    const struct sonde_load_row row = {.addresses = db_column(statement, 0),
                                       .seed = sqlite3_column_int64(statement, 1),
                                       .begun_us = sqlite3_column_int64(statement, 2),
                                       .state = column_bytes(statement, 3)};
    r = db_columns_check(db, err);
    return r < 0 ? r : callback(context, &row, err);
}

int sonde_db_loads(struct sonde_db *db, sonde_load_run_callback callback, void *context,
                   struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db,
                       "SELECT run FROM loads JOIN runs ON uid = run WHERE runs.state < ?"
                       " ORDER BY created, run",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    (void)sqlite3_bind_int(statement, 1, SONDE_RUN_SUCCEEDED);
    while ((r = db_step(db, statement, err)) == 1) {
        r = callback(context, db_column(statement, 0), err);
        if (r < 0) {
            return r;
        }
    }
    return r;
}

static int release(struct sonde_db *db, const struct sonde_load_event *event, struct sonde_err *err)
{
    const struct sonde_target target = {.run_uid = event->uid, .name = event->released};
    return event->released ? sonde_db_token_release(db, &target, event->refused, err) : 0;
}

/* What is deleted meanwhile is no reason to refuse what is said of others. */
static int add_events(struct sonde_db *db, struct sonde_load_event *events, size_t count,
                      struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r =
        db_prepare(db,
                   "INSERT INTO load_events (run, kind, runner, time, body)"
                   " SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM loads WHERE run = ?1)",
                   &statement, err);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct sonde_load_event *event = &events[i];
        (void)sqlite3_reset(statement);
        db_text(statement, 1, event->uid);
        (void)sqlite3_bind_int(statement, 2, event->kind);
        (void)sqlite3_bind_int64(statement, 3, event->runner);
        (void)sqlite3_bind_int64(statement, 4, event->time_us);
        bind_bytes(statement, 5, event->body);
        r = db_step(db, statement, err);
        event->gone = r == 0 && sqlite3_changes(db->sqlite) == 0;
        r = r < 0 || event->gone ? r : release(db, event, err);
    }
    return r;
}

int sonde_db_load_add(struct sonde_db *db, struct sonde_load_event *events, size_t count,
                      struct sonde_err *err)
{
    int r = db_begin(db, err);
    return r < 0 ? r : db_end(db, add_events(db, events, count, err), err);
}

int sonde_db_load_events(struct sonde_db *db, const char *uid, sonde_load_event_callback callback,
                         void *context, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db,
                       "SELECT kind, runner, time, body FROM load_events WHERE run = ?"
                       " ORDER BY id",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    while ((r = db_step(db, statement, err)) == 1) {
        const struct sonde_load_event event = {
            .uid = uid,
            .kind = sqlite3_column_int(statement, 0),
            .runner = (unsigned)sqlite3_column_int64(statement, 1),
            .time_us = sqlite3_column_int64(statement, 2),
            .body = column_bytes(statement, 3),
        };
        r = db_columns_check(db, err);
        r = r < 0 ? r : callback(context, &event, err);
        if (r < 0) {
            return r;
        }
    }
    return r;
}

static int run_on(struct sonde_db *db, const char *sql, const char *uid, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, sql, &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    return db_step(db, statement, err);
}

static int save(struct sonde_db *db, const char *uid, struct sonde_str state, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, "UPDATE loads SET state = ?2 WHERE run = ?1", &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    bind_bytes(statement, 2, state);
    r = db_step(db, statement, err);
    if (r == 0 && sqlite3_changes(db->sqlite) == 0) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "run %s is no load test", uid);
    }
    return r < 0 ? r : run_on(db, "DELETE FROM load_events WHERE run = ?", uid, err);
}

int sonde_db_load_save(struct sonde_db *db, const char *uid, struct sonde_str state,
                       struct sonde_err *err)
{
    if (state.length > SONDE_DB_LOAD_STATE_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "the state of a load test of more than %d bytes",
                          SONDE_DB_LOAD_STATE_MAX);
    }
    int r = db_begin(db, err);
    return r < 0 ? r : db_end(db, save(db, uid, state, err), err);
}

static int remove_load(struct sonde_db *db, const char *uid, struct sonde_err *err)
{
    int r = run_on(db, "DELETE FROM load_events WHERE run = ?", uid, err);
    return r < 0 ? r : run_on(db, "DELETE FROM loads WHERE run = ?", uid, err);
}

static int end_load(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    int r = db_begin(db, err);
    if (r < 0) {
        return r;
    }
    int updated = db_update_run(db, run, err);
    r = updated == SONDE_ECONFLICT ? 0 : updated;
    r = db_end(db, r < 0 ? r : remove_load(db, run->uid, err), err);
    return r < 0 ? r : updated;
}

int sonde_db_load_end(struct sonde_db *db, const struct sonde_run *run, struct sonde_err *err)
{
    int r = end_load(db, run, err);
    return db_use_reserve(db, r, RESERVE_FOR_DELETE) ? end_load(db, run, err) : r;
}
