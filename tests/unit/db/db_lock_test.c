/* SPDX-License-Identifier: Apache-2.0 */
/* What happens while another process is in the middle of a write transaction: the test itself is
 * that process, through SQLite. */
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/file.h"
#include "db_helpers.h"

enum { WAIT_MAX_MS = 5000 };

static void run_sql(sqlite3 *sqlite, const char *sql)
{
    REQUIRE(sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static sqlite3 *begin_writing(const char *directory)
{
    char path[2 * PATH_SIZE];
    sqlite3 *sqlite = NULL;
    (void)snprintf(path, sizeof(path), "%s/runs.db", directory);
    REQUIRE(sqlite3_open(path, &sqlite) == SQLITE_OK);
    run_sql(sqlite, "BEGIN IMMEDIATE");
    return sqlite;
}

static void end_writing(sqlite3 *sqlite)
{
    run_sql(sqlite, "COMMIT");
    REQUIRE(sqlite3_close(sqlite) == SQLITE_OK);
}

/* Nor does it take away what it would have to wait for. */
static void reading_does_not_wait_for_a_writer(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    char directory[PATH_SIZE];
    char path[2 * PATH_SIZE];
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    make_directory(directory);
    struct sonde_db *db = open_store(directory);
    assert_int_equal(add_run(db, uid, "run", 1, &err), 0);
    assert_int_equal(add_artifact(db, uid, "cpu.0", "content", 7, &err), 0);
    sonde_db_close(db);
    for (int i = 0; i < 3; i++) { /* what writers that died have left */
        (void)snprintf(path, sizeof(path), "%s/incoming/%064d.%d", directory, i, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
    sqlite3 *writer = begin_writing(directory);
    int64_t begun = sonde_clock_monotonic();
    db = open_store(directory);
    SONDE_BUF_AUTO read = SONDE_BUF(100);
    assert_int_equal(read_artifact(db, uid, "cpu.0", &read, &err), 0);
    assert_string_equal(read.data, "content");
    sonde_db_close(db);
    assert_true(sonde_clock_monotonic() - begun < SONDE_DB_BUSY_TIMEOUT_MS / 2 * SONDE_MILLISECOND);
    assert_int_equal(count_files(directory, "incoming"), 3);
    end_writing(writer);
    db = open_store(directory);
    assert_int_equal(check_store(db, directory), 1);
    sonde_db_close(db);
    remove_directory(directory);
}

/* ---- another process that begins when the test has the lock ---- */

struct other {
    char directory[PATH_SIZE];
    pid_t child;
    int gate;
};

static void start_other(struct other *other, void (*function)(const char *directory))
{
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    char byte;
    int ends[2];
    make_uid(1, uid);
    make_directory(other->directory);
    struct sonde_db *db = open_store(other->directory);
    REQUIRE_DONE(add_run(db, uid, "run", 1, &err), &err);
    sonde_db_close(db);
    REQUIRE(pipe(ends) == 0);
    (void)fflush(NULL);
    other->child = fork();
    REQUIRE(other->child >= 0);
    if (other->child == 0) {
        (void)close(ends[1]);
        REQUIRE(read(ends[0], &byte, 1) == 0);
        function(other->directory);
        _exit(0);
    }
    (void)close(ends[0]);
    other->gate = ends[1];
}

static void end_other(struct other *other)
{
    int status = 0;
    assert_int_equal(waitpid(other->child, &status, 0), other->child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The first file that matches and has that many bytes, within a bounded time. */
static void wait_for_file(const char *directory, const char *pattern, off_t bytes,
                          char ret[2 * PATH_SIZE])
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, pattern);
    int64_t end = sonde_clock_monotonic() + WAIT_MAX_MS * SONDE_MILLISECOND;
    for (bool found = false; !found; (void)poll(NULL, 0, 1)) {
        glob_t matches;
        struct stat status;
        assert_true(sonde_clock_monotonic() < end);
        if (glob(path, 0, NULL, &matches) != 0) {
            continue;
        }
        found = stat(matches.gl_pathv[0], &status) == 0 && status.st_size >= bytes;
        (void)snprintf(ret, 2 * PATH_SIZE, "%s", matches.gl_pathv[0]);
        globfree(&matches);
    }
}

static void write_file(const char *path, const char *text)
{
    SONDE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, text, strlen(text), path, NULL), 0);
}

static void add_content(const char *directory)
{
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    struct sonde_db *db = open_store(directory);
    REQUIRE_DONE(add_artifact(db, uid, "cpu.0", "content", 7, &err), &err);
    sonde_db_close(db);
}

/* Between the blob and its row comes a deletion of the same content, and another blob perhaps. */
static void lose_blob(const char *other_content)
{
    struct other other;
    char blob[2 * PATH_SIZE];
    start_other(&other, add_content);
    sqlite3 *writer = begin_writing(other.directory);
    (void)close(other.gate);
    wait_for_file(other.directory, "blobs/*/*.zst", 1, blob); /* needs no lock */
    assert_int_equal(unlink(blob), 0);
    if (other_content) {
        write_file(blob, other_content);
    }
    end_writing(writer);
    end_other(&other);
    struct sonde_db *db = open_store(other.directory);
    assert_int_equal(check_store(db, other.directory), 1);
    sonde_db_close(db);
    remove_directory(other.directory);
}

static void a_blob_that_was_removed_before_its_row_is_put_back(void **state)
{
    (void)state;
    lose_blob(NULL);
}

static void a_blob_that_was_replaced_before_its_row_is_put_back(void **state)
{
    (void)state;
    lose_blob("damage");
}

static void delete_run(const char *directory)
{
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    struct sonde_db *db = open_store(directory);
    REQUIRE_DONE(sonde_db_run_delete(db, uid, &err), &err);
    sonde_db_close(db);
}

/* The blob of an artifact that is added between the list and the deletion goes too. */
static void a_run_that_grows_while_it_is_deleted_leaves_nothing(void **state)
{
    (void)state;
    struct other other;
    char path[2 * PATH_SIZE];
    char sql[1000];
    char uid[SONDE_UUID_SIZE];
    static const char blob[] = "ffff567890123456789012345678901234567890123456789012345678901234";
    make_uid(1, uid);
    start_other(&other, delete_run);
    add_content(other.directory);
    sqlite3 *writer = begin_writing(other.directory);
    (void)close(other.gate);
    wait_for_file(other.directory, "incoming/list.*", 65, path); /* needs no lock */
    (void)snprintf(path, sizeof(path), "%s/blobs/ff", other.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/blobs/ff/%s.zst", other.directory, blob);
    write_file(path, "content");
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO artifacts (run, name, capture, type, media_type, class, bytes,"
                   " sha256) VALUES ('%s', 'cpu.1', 'cpu', 'CPUProfile', '', 0, 7, '%s')",
                   uid, blob);
    run_sql(writer, sql);
    assert_int_equal(count_files(other.directory, "blobs"), 2);
    end_writing(writer);
    end_other(&other);
    struct sonde_db *db = open_store(other.directory);
    assert_int_equal(check_store(db, other.directory), 0);
    sonde_db_close(db);
    remove_directory(other.directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_does_not_wait_for_a_writer),
        cmocka_unit_test(a_blob_that_was_removed_before_its_row_is_put_back),
        cmocka_unit_test(a_blob_that_was_replaced_before_its_row_is_put_back),
        cmocka_unit_test(a_run_that_grows_while_it_is_deleted_leaves_nothing),
    };
    return cmocka_run_group_tests_name("db_lock", tests, NULL, NULL);
}
