/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/file.h"
#include "db_helpers.h"

struct fixture {
    char directory[PATH_SIZE];
    struct sonde_db *db;
    struct sonde_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    REQUIRE(f != NULL);
    make_directory(f->directory);
    f->db = open_store(f->directory);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    sonde_db_close(f->db);
    remove_directory(f->directory);
    free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    sonde_db_close(f->db);
    f->db = open_store(f->directory);
}

/* Copies what a callback is given. */
struct seen {
    struct sonde_run run;
    char texts[8][256];
    int count;
    char uids[8][SONDE_UUID_SIZE];
};

static int see(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    struct seen *seen = context;
    const char *const texts[] = {run->name,   run->namespace, run->kind,    run->spec,
                                 run->status, run->reason,    run->message, run->schedule};
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        assert_non_null(texts[i]);
        (void)snprintf(seen->texts[i], sizeof(seen->texts[i]), "%s", texts[i]);
    }
    seen->run = *run;
    if ((size_t)seen->count < SONDE_LENGTH(seen->uids)) {
        memcpy(seen->uids[seen->count], run->uid, SONDE_UUID_SIZE);
    }
    seen->count++;
    return 0;
}

static void a_run_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    assert_int_equal(add_run(f->db, uid, "slow-patients", 1234567890123456789, &f->err), 0);
    struct seen seen = {0};
    assert_int_equal(sonde_db_run_get(f->db, uid, see, &seen, &f->err), 0);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.run.uid, uid);
    static const char *const first[] = {
        "slow-patients", "clinic", "ProfileRun", "{\"a\":1}", "{}", "", ""};
    for (size_t i = 0; i < SONDE_LENGTH(first); i++) {
        assert_string_equal(seen.texts[i], first[i]);
    }
    assert_int_equal(seen.run.state, SONDE_RUN_RUNNING);
    assert_true(seen.run.created_ns == 1234567890123456789);
    assert_true(seen.run.completed_ns == 0);

    assert_int_equal(end_run(f->db, uid, SONDE_RUN_SUCCEEDED, &f->err), 0);
    reopen(f);
    assert_int_equal(sonde_db_run_get(f->db, uid, see, &seen, &f->err), 0);
    assert_int_equal(seen.run.state, SONDE_RUN_SUCCEEDED);
    assert_string_equal(seen.texts[3], "{\"a\":1}");
    assert_string_equal(seen.texts[4], "{\"b\":2}");
    assert_string_equal(seen.texts[5], "Because");
    assert_string_equal(seen.texts[6], "it ended");
    assert_true(seen.run.completed_ns == 77);
}

static void a_uid_is_used_once(void **state)
{
    struct fixture *f = *state;
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    assert_int_equal(add_run(f->db, uid, "first", 1, &f->err), 0);
    assert_int_equal(add_run(f->db, uid, "second", 2, &f->err), SONDE_EEXISTS);
    struct seen seen = {0};
    assert_int_equal(sonde_db_run_get(f->db, uid, see, &seen, &f->err), 0);
    assert_string_equal(seen.texts[0], "first");
}

static void a_run_that_ended_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    static const enum sonde_run_state ends[] = {SONDE_RUN_SUCCEEDED, SONDE_RUN_FAILED,
                                                SONDE_RUN_CANCELLED};
    for (unsigned i = 0; i < SONDE_LENGTH(ends); i++) {
        char uid[SONDE_UUID_SIZE];
        make_uid(i, uid);
        assert_int_equal(add_run(f->db, uid, "run", i, &f->err), 0);
        assert_int_equal(end_run(f->db, uid, ends[i], &f->err), 0);
        assert_int_equal(end_run(f->db, uid, SONDE_RUN_RUNNING, &f->err), SONDE_ECONFLICT);
        assert_int_equal(end_run(f->db, uid, SONDE_RUN_FAILED, &f->err), SONDE_ECONFLICT);
        struct seen seen = {0};
        assert_int_equal(sonde_db_run_get(f->db, uid, see, &seen, &f->err), 0);
        assert_int_equal(seen.run.state, ends[i]);
    }
    assert_int_equal(end_run(f->db, "there is none", SONDE_RUN_FAILED, &f->err), SONDE_ECONFLICT);
}

static void one_that_succeeded_may_be_found_worse(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    struct sonde_run run = {.state = SONDE_RUN_FAILED,
                            .reason = "Regression",
                            .message = "slower",
                            .status = "{\"c\":3}"};
    make_uid(1, run.uid);
    assert_int_equal(add_run(f->db, run.uid, "run", 1, &f->err), 0);
    assert_int_equal(sonde_db_run_judge(f->db, &run, &f->err), SONDE_ECONFLICT);
    assert_int_equal(end_run(f->db, run.uid, SONDE_RUN_SUCCEEDED, &f->err), 0);
    assert_int_equal(sonde_db_run_judge(f->db, &run, &f->err), 0);
    assert_int_equal(sonde_db_run_get(f->db, run.uid, see, &seen, &f->err), 0);
    assert_int_equal(seen.run.state, SONDE_RUN_FAILED);
    assert_string_equal(seen.texts[4], "{\"c\":3}");
    assert_string_equal(seen.texts[5], "Regression");
    assert_string_equal(seen.texts[6], "slower");
    assert_true(seen.run.completed_ns == 77);
    run.state = SONDE_RUN_SUCCEEDED;
    assert_int_equal(sonde_db_run_judge(f->db, &run, &f->err), SONDE_ECONFLICT);
}

static void bounds_are_kept(void **state)
{
    struct fixture *f = *state;
    char name[SONDE_DB_NAME_MAX + 2];
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(add_run(f->db, uid, name, 1, &f->err), SONDE_EINVALID);
    name[sizeof(name) - 2] = '\0';
    assert_int_equal(add_run(f->db, uid, name, 1, &f->err), 0);

    char *big = malloc(SONDE_DB_DOCUMENT_MAX + 2);
    assert_non_null(big);
    memset(big, ' ', SONDE_DB_DOCUMENT_MAX + 1);
    big[SONDE_DB_DOCUMENT_MAX + 1] = '\0';
    struct sonde_run run = {
        .name = "big", .namespace = "", .kind = "", .spec = big, .status = "{}"};
    make_uid(2, run.uid);
    assert_int_equal(sonde_db_run_create(f->db, &run, &f->err), SONDE_ELIMIT);
    run.spec = "{}";
    run.status = big;
    assert_int_equal(sonde_db_run_create(f->db, &run, &f->err), SONDE_ELIMIT);
    big[SONDE_DB_DOCUMENT_MAX] = '\0';
    assert_int_equal(sonde_db_run_create(f->db, &run, &f->err), 0);
    free(big);
}

static void lists_are_newest_first_and_limited(void **state)
{
    struct fixture *f = *state;
    char uids[4][SONDE_UUID_SIZE];
    static const int64_t created[] = {30, 10, 40, 20};
    static const unsigned order[] = {2, 0, 3, 1};
    for (unsigned i = 0; i < 4; i++) {
        make_uid(i, uids[i]);
        assert_int_equal(add_run(f->db, uids[i], "run", created[i], &f->err), 0);
    }
    for (int limit = 1; limit <= 5; limit++) {
        struct seen seen = {0};
        assert_int_equal(sonde_db_runs(f->db, NULL, limit, see, &seen, &f->err), 0);
        assert_int_equal(seen.count, limit < 4 ? limit : 4);
        for (int i = 0; i < seen.count; i++) {
            assert_string_equal(seen.uids[i], uids[order[i]]);
        }
    }
}

/* A run that ended so, of a schedule. */
static void add_scheduled(struct fixture *f, unsigned number, const char *schedule,
                          const char *kind, enum sonde_run_state state)
{
    char name[32];
    struct sonde_run run = {.name = name,
                            .namespace = "clinic",
                            .kind = kind,
                            .spec = "{}",
                            .schedule = schedule,
                            .state = SONDE_RUN_RUNNING,
                            .created_ns = number};
    (void)snprintf(name, sizeof(name), "nightly-%u", number % 2);
    make_uid(number, run.uid);
    assert_int_equal(sonde_db_run_create(f->db, &run, &f->err), 0);
    assert_int_equal(end_run(f->db, run.uid, state, &f->err), 0);
}

/* Not one that failed, that is of another kind, schedule or time, or is itself. */
static void good_runs_of_a_schedule_are_found(void **state)
{
    struct fixture *f = *state;
    char uids[10][SONDE_UUID_SIZE];
    static const unsigned order[] = {6, 2, 1};
    for (unsigned i = 1; i < SONDE_LENGTH(uids); i++) {
        make_uid(i, uids[i]);
        add_scheduled(f, i, i == 3 ? "weekly" : "nightly", i == 4 ? "ProfileRun" : "LoadTest",
                      i == 5 ? SONDE_RUN_FAILED : SONDE_RUN_SUCCEEDED);
    }
    struct sonde_runs_good wanted = {.namespace = "clinic",
                                     .kind = "LoadTest",
                                     .schedule = "nightly",
                                     .before_ns = 8,
                                     .except_uid = uids[7]};
    for (int limit = 1; limit <= 4; limit++) {
        struct seen seen = {0};
        assert_int_equal(sonde_db_runs_good(f->db, &wanted, limit, see, &seen, &f->err), 0);
        assert_int_equal(seen.count, limit < 3 ? limit : 3);
        for (int i = 0; i < seen.count; i++) {
            assert_string_equal(seen.uids[i], uids[order[i]]);
        }
        assert_string_equal(seen.texts[7], "nightly");
    }
    struct seen seen = {0};
    wanted.name = "nightly-1";
    assert_int_equal(sonde_db_runs_good(f->db, &wanted, 9, see, &seen, &f->err), 0);
    assert_int_equal(seen.count, 1);
    wanted.schedule = "";
    assert_int_equal(sonde_db_runs_good(f->db, &wanted, 9, see, &seen, &f->err), 0);
    assert_int_equal(seen.count, 1);
    wanted.schedule = NULL; /* whoever made it */
    assert_int_equal(sonde_db_runs_good(f->db, &wanted, 9, see, &seen, &f->err), 0);
    assert_int_equal(seen.count, 3);
    wanted.name = NULL;
    wanted.since_ns = 3;
    struct seen since = {0};
    assert_int_equal(sonde_db_runs_good(f->db, &wanted, 9, see, &since, &f->err), 0);
    assert_int_equal(since.count, 2); /* also that of another schedule */
    assert_string_equal(since.uids[1], uids[3]);
}

/* Runs that are alike have the name of their series, or are called so themselves. */
static void runs_of_a_series_are_found(void **state)
{
    struct fixture *f = *state;
    char uid[SONDE_UUID_SIZE];
    char found[SONDE_UUID_SIZE];
    add_scheduled(f, 1, "", "LoadTest", SONDE_RUN_SUCCEEDED); /* called nightly-1 */
    add_scheduled(f, 2, "series/nightly-1", "LoadTest", SONDE_RUN_SUCCEEDED);
    add_scheduled(f, 3, "series/nightly-2", "LoadTest", SONDE_RUN_SUCCEEDED);
    add_scheduled(f, 4, "nightly-1", "LoadTest", SONDE_RUN_SUCCEEDED);
    struct sonde_runs_good wanted = {.namespace = "clinic",
                                     .kind = "LoadTest",
                                     .schedule = "",
                                     .name = "nightly-1",
                                     .before_ns = 9};
    struct seen seen = {0};
    assert_int_equal(sonde_db_runs_good(f->db, &wanted, 9, see, &seen, &f->err), 0);
    assert_int_equal(seen.count, 2);
    make_uid(2, uid);
    assert_string_equal(seen.uids[0], uid);
    make_uid(3, uid);
    assert_int_equal(sonde_db_run_resolve(f->db, "nightly-2", "clinic", found, &f->err), 0);
    assert_string_equal(found, uid);
    /* Of those and what is called so itself the newest is meant. */
    add_scheduled(f, 6, "series/nightly-1", "LoadTest", SONDE_RUN_SUCCEEDED);
    make_uid(6, uid);
    assert_int_equal(sonde_db_run_resolve(f->db, "nightly-1", "clinic", found, &f->err), 0);
    assert_string_equal(found, uid);
    const struct sonde_run run = {.schedule = "series/nightly-2"};
    assert_string_equal(sonde_run_series(&run), "nightly-2");
    assert_null(sonde_run_series(&(struct sonde_run){.schedule = "nightly"}));
}

static int refuse(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)run;
    ++*(int *)context;
    return sonde_fail(err, SONDE_ECANCELLED, 0, "enough");
}

static void a_callback_ends_a_list(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 3; i++) {
        char uid[SONDE_UUID_SIZE];
        make_uid(i, uid);
        assert_int_equal(add_run(f->db, uid, "run", i, &f->err), 0);
    }
    int count = 0;
    assert_int_equal(sonde_db_runs(f->db, NULL, 10, refuse, &count, &f->err), SONDE_ECANCELLED);
    assert_int_equal(count, 1);
    assert_string_equal(f->err.message, "enough");
}

static void what_a_person_types_is_resolved(void **state)
{
    struct fixture *f = *state;
    char uids[5][SONDE_UUID_SIZE];
    char found[SONDE_UUID_SIZE] = "";
    assert_int_equal(sonde_db_run_resolve(f->db, "last", NULL, found, &f->err), SONDE_ENOTFOUND);
    for (unsigned i = 0; i < 5; i++) {
        make_uid(i, uids[i]); /* 0 and 4 begin with the same four characters */
        assert_int_equal(add_run(f->db, uids[i], i % 2 ? "odd" : "even", 100 + i, &f->err), 0);
    }
    const struct {
        const char *text;
        int code;
        unsigned run;
    } cases[] = {
        {"last", 0, 4},
        {"even", 0, 4},
        {"odd", 0, 3},
        {"a0b1", 0, 1},
        {"a0b00004", 0, 4},
        {uids[2], 0, 2},
        {"a0b0", SONDE_ECONFLICT, 0},
        {"a0b", SONDE_ENOTFOUND, 0},
        {"A0B1", SONDE_ENOTFOUND, 0},
        {"", SONDE_ENOTFOUND, 0},
        {"%", SONDE_ENOTFOUND, 0},
        {"____", SONDE_ENOTFOUND, 0},
        {"' OR 1=1", SONDE_ENOTFOUND, 0},
        {"eve", SONDE_ENOTFOUND, 0},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        (void)snprintf(found, sizeof(found), "unchanged");
        int r = sonde_db_run_resolve(f->db, cases[i].text, NULL, found, &f->err);
        if (r != cases[i].code) {
            fail_msg("%s: %d", cases[i].text, r);
        }
        if (r == 0) {
            assert_string_equal(found, uids[cases[i].run]);
        }
    }
    char name[SONDE_UUID_SIZE];
    make_uid(9, name);
    assert_int_equal(add_run(f->db, name, "a0b1", 1, &f->err), 0);
    assert_int_equal(sonde_db_run_resolve(f->db, "a0b1", NULL, found, &f->err), 0);
    assert_string_equal(found, name); /* a name counts more than a prefix */
}

/* Two runs, of which the second ends; the process dies with the store open. */
static void create_and_end(void *context)
{
    struct sonde_err err = {0};
    const char *directory = context;
    struct sonde_db *db = open_store(directory);
    char uid[SONDE_UUID_SIZE];
    for (unsigned i = 0; i < 2; i++) {
        make_uid(i, uid);
        REQUIRE_DONE(add_run(db, uid, "run", i, &err), &err);
    }
    make_uid(1, uid);
    REQUIRE_DONE(end_run(db, uid, SONDE_RUN_SUCCEEDED, &err), &err);
    _exit(0);
}

static enum sonde_run_state state_of(struct fixture *f, struct sonde_db *db, unsigned number,
                                     struct seen *seen)
{
    char uid[SONDE_UUID_SIZE];
    make_uid(number, uid);
    assert_int_equal(sonde_db_run_get(db, uid, see, seen, &f->err), 0);
    return seen->run.state;
}

static void a_run_whose_process_died_is_interrupted(void **state)
{
    struct fixture *f = *state;
    char uid[SONDE_UUID_SIZE];
    struct seen seen = {0};
    assert_int_equal(in_child(create_and_end, f->directory), 0);
    for (int round = 0; round < 2; round++) { /* then what the process has left is swept away */
        assert_int_equal(state_of(f, f->db, 0, &seen), SONDE_RUN_FAILED);
        assert_string_equal(seen.texts[5], "Interrupted");
        assert_int_equal(state_of(f, f->db, 1, &seen), SONDE_RUN_SUCCEEDED);
        assert_string_equal(seen.texts[5], "Because");
        reopen(f);
    }
    make_uid(2, uid);
    assert_int_equal(add_run(f->db, uid, "ours", 9, &f->err), 0);
    struct sonde_db *second = open_store(f->directory);
    assert_int_equal(state_of(f, f->db, 2, &seen), SONDE_RUN_RUNNING);
    assert_int_equal(state_of(f, second, 2, &seen), SONDE_RUN_RUNNING);
    reopen(f);
    assert_int_equal(state_of(f, second, 2, &seen), SONDE_RUN_FAILED);
    sonde_db_close(second);
}

enum { NO_NAMESPACE = 77, OURS = 7 };

/* From another container a run that goes on is not called dead; one that died there is, here. */
static void read_elsewhere(void *context)
{
    const char *directory = context;
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) {
        _exit(NO_NAMESPACE);
    }
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct sonde_err err = {0};
        struct seen seen = {0};
        char uid[SONDE_UUID_SIZE];
        make_uid(OURS, uid);
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("proc", "/proc", "proc", 0, NULL) < 0) {
            _exit(NO_NAMESPACE);
        }
        struct sonde_db *db = open_store(directory);
        REQUIRE_DONE(sonde_db_run_get(db, uid, see, &seen, &err), &err);
        REQUIRE(seen.run.state == SONDE_RUN_RUNNING);
        sonde_db_close(db);
        create_and_end(context);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    _exit(WEXITSTATUS(status));
}

static void runs_of_another_container_live_and_die(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    char uid[SONDE_UUID_SIZE];
    make_uid(OURS, uid);
    assert_int_equal(add_run(f->db, uid, "ours", 9, &f->err), 0);
    int code = in_child(read_elsewhere, f->directory);
    if (code == NO_NAMESPACE) {
        print_message("SKIPPED: no pid namespace of our own here\n");
        skip();
    }
    assert_int_equal(code, 0);
    assert_int_equal(state_of(f, f->db, OURS, &seen), SONDE_RUN_RUNNING);
    assert_int_equal(state_of(f, f->db, 0, &seen), SONDE_RUN_FAILED);
    assert_string_equal(seen.texts[5], "Interrupted");
}

static void what_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    assert_int_equal(sonde_db_run_get(f->db, "nobody", see, &seen, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(sonde_db_run_delete(f->db, "nobody", &f->err), SONDE_ENOTFOUND);
    assert_int_equal(seen.count, 0);
}

/* ---- files that are not a store of this version ---- */

static void database_path(const struct fixture *f, char ret[2 * PATH_SIZE])
{
    (void)snprintf(ret, (size_t)2 * PATH_SIZE, "%s/runs.db", f->directory);
}

static void in_sqlite(const struct fixture *f, const char *sql)
{
    char path[2 * PATH_SIZE];
    sqlite3 *sqlite = NULL;
    database_path(f, path);
    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

/* Opening gives the code, the message has the word, and no handle comes back. */
static void refuses(struct fixture *f, int code, const char *word)
{
    struct sonde_db *db = NULL;
    struct sonde_err err = {0};
    int r = sonde_db_open(f->directory, &db, &err);
    if (r != code || !strstr(err.message, word)) {
        fail_msg("%d: %s", r, err.message);
    }
    assert_null(db);
}

static void a_newer_store_is_refused(void **state)
{
    struct fixture *f = *state;
    sonde_db_close(SONDE_TAKE(f->db));
    in_sqlite(f, "PRAGMA user_version = 1000");
    refuses(f, SONDE_EVERSION, "newer version");
}

/* Version 1, with a run that has ended and one whose owner cannot be known any more. */
static void an_old_store_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    char uid[SONDE_UUID_SIZE];
    struct seen seen = {0};
    SONDE_BUF_AUTO read = SONDE_BUF(100);
    make_uid(3, uid);
    assert_int_equal(add_run(f->db, uid, "run", 3, &f->err), 0);
    assert_int_equal(add_artifact(f->db, uid, "cpu.0", "content", 7, &f->err), 0);
    sonde_db_close(SONDE_TAKE(f->db));
    in_sqlite(f, "DROP TABLE load_events; DROP TABLE loads; DROP TABLE tokens; DROP TABLE targets; "
                 "DROP INDEX runs_schedule;"
                 "ALTER TABLE runs DROP COLUMN schedule;"
                 "ALTER TABLE artifacts DROP COLUMN process;"
                 "ALTER TABLE artifacts DROP COLUMN stored;"
                 "ALTER TABLE runs DROP COLUMN requester;"
                 "ALTER TABLE runs DROP COLUMN cancelled;"
                 "ALTER TABLE runs DROP COLUMN owner;"
                 "ALTER TABLE runs ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;"
                 "ALTER TABLE runs ADD COLUMN owner_start INTEGER NOT NULL DEFAULT 0;"
                 "INSERT INTO runs SELECT 'a0b00000-0000-4000-8000-000000000000', 'old', namespace,"
                 " kind, spec, status, 2, 'Because', message, created, completed, 1, 1 FROM runs;"
                 "PRAGMA user_version = 1");
    for (int round = 0; round < 2; round++) {
        reopen(f);
        assert_int_equal(state_of(f, f->db, 0, &seen), SONDE_RUN_SUCCEEDED);
        assert_string_equal(seen.texts[0], "old");
        assert_string_equal(seen.texts[5], "Because");
        assert_int_equal(state_of(f, f->db, 3, &seen), SONDE_RUN_FAILED);
        assert_string_equal(seen.texts[5], "Interrupted");
        assert_int_equal(read_artifact(f->db, uid, "cpu.0", &read, &f->err), 0);
        assert_string_equal(read.data, "content");
    }
    int64_t bytes = 0;
    assert_int_equal(end_run(f->db, uid, SONDE_RUN_FAILED, &f->err), 0);
    assert_int_equal(sonde_db_ended_bytes(f->db, &bytes, &f->err), 0);
    assert_int_equal(bytes, 7); /* nobody knows what it takes compressed */
    make_uid(5, uid);
    assert_int_equal(add_run(f->db, uid, "new", 5, &f->err), 0);
    assert_int_equal(state_of(f, f->db, 5, &seen), SONDE_RUN_RUNNING);
}

static void replace_database(const struct fixture *f, const void *data, size_t length)
{
    char path[2 * PATH_SIZE];
    database_path(f, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, data, length, path, NULL), 0);
    assert_int_equal(close(fd), 0);
}

static void a_file_of_something_else_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    sonde_db_close(SONDE_TAKE(f->db));
    memset(text, 'x', sizeof(text));
    replace_database(f, text, sizeof(text));
    refuses(f, SONDE_EINVALID, "not a store");
    replace_database(f, "short", 5);
    refuses(f, SONDE_EINVALID, "not a store");
}

static void a_database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[2 * PATH_SIZE];
    database_path(f, path);
    sonde_db_close(SONDE_TAKE(f->db));
    assert_int_equal(unlink(path), 0);
    in_sqlite(f, "CREATE TABLE theirs (a)");
    SONDE_BUF_AUTO before = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO after = SONDE_BUF(1 << 20);
    assert_int_equal(sonde_read_file(AT_FDCWD, path, &before, NULL), 0);
    refuses(f, SONDE_EINVALID, "another program");
    assert_int_equal(sonde_read_file(AT_FDCWD, path, &after, NULL), 0);
    assert_true(sonde_str_equal(sonde_buf_view(&before), sonde_buf_view(&after)));
    in_sqlite(f, "PRAGMA application_id = 5");
    refuses(f, SONDE_EINVALID, "another program");
}

static void a_damaged_store_is_said_to_be(void **state)
{
    struct fixture *f = *state;
    char path[2 * PATH_SIZE];
    char uid[SONDE_UUID_SIZE];
    database_path(f, path);
    make_uid(1, uid);
    assert_int_equal(add_run(f->db, uid, "run", 1, &f->err), 0);
    sonde_db_close(SONDE_TAKE(f->db));
    SONDE_BUF_AUTO file = SONDE_BUF(1 << 20);
    assert_int_equal(sonde_read_file(AT_FDCWD, path, &file, NULL), 0);
    assert_true(file.length > 4096);
    memset(file.data + 4096, 0xff, file.length - 4096); /* the header's page stays */
    replace_database(f, file.data, file.length);
    struct sonde_db *db = NULL;
    struct seen seen = {0};
    int r = sonde_db_open(f->directory, &db, &f->err);
    r = r < 0 ? r : sonde_db_runs(db, NULL, 10, see, &seen, &f->err);
    assert_int_equal(r, SONDE_EPARSE);
    assert_non_null(strstr(f->err.message, "damaged"));
    sonde_db_close(db);
}

static void directories_that_cannot_be_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sonde_db *db = NULL;
    char path[2 * PATH_SIZE];
    assert_int_equal(sonde_db_open("", &db, &f->err), SONDE_EINVALID);
    database_path(f, path); /* a file where a directory should be */
    assert_true(sonde_db_open(path, &db, &f->err) < 0);
    assert_true(sonde_db_open("/proc/1/sonde", &db, &f->err) < 0);
    assert_null(db);
    sonde_db_close(NULL);
}

static void only_its_user_can_read_a_store(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"runs.db", "runs.db-wal", "blobs", "incoming"};
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    mode_t before = umask(0);
    assert_int_equal(add_run(f->db, uid, "run", 1, &f->err), 0);
    (void)umask(before);
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        char path[2 * PATH_SIZE];
        struct stat status;
        (void)snprintf(path, sizeof(path), "%s/%s", f->directory, names[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 077, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_is_read_as_it_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_uid_is_used_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_that_ended_stays_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_succeeded_may_be_found_worse, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_newest_first_and_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(good_runs_of_a_schedule_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_of_a_series_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_ends_a_list, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_person_types_is_resolved, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_whose_process_died_is_interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_of_another_container_live_and_die, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_store_is_brought_up_to_date, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_store_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_of_something_else_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_database_of_another_program_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_store_is_said_to_be, setup, teardown),
        cmocka_unit_test_setup_teardown(directories_that_cannot_be_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(only_its_user_can_read_a_store, setup, teardown),
    };
    return cmocka_run_group_tests_name("db_runs", tests, NULL, NULL);
}
