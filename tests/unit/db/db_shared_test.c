/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes on one store at once, and a store on a disk that is full. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
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

#include "base/file.h"
#include "db_helpers.h"

enum { WORKERS = 4, WORKER_ROUNDS = 12, SHARED_CONTENTS = 3 };

struct worker {
    char directory[PATH_SIZE];
    int gate; /* reading ends when all may begin */
};

/* Opens, adds a run with contents that all workers have, deletes every other run, closes. */
static void work(const struct worker *worker, unsigned number)
{
    struct sonde_err err = {0};
    char byte;
    REQUIRE(read(worker->gate, &byte, 1) == 0);
    for (unsigned round = 0; round < WORKER_ROUNDS; round++) {
        struct sonde_db *db = open_store(worker->directory);
        char uid[SONDE_UUID_SIZE];
        make_uid(number * 1000 + round, uid);
        REQUIRE_DONE(add_run(db, uid, "run", round, &err), &err);
        for (uint64_t i = 0; i < SHARED_CONTENTS; i++) {
            char name[16];
            size_t length = 0;
            char *content = make_content(20 + i, &length);
            (void)snprintf(name, sizeof(name), "cpu.%d", (int)i);
            REQUIRE_DONE(add_artifact(db, uid, name, content, length, &err), &err);
            free(content);
        }
        SONDE_BUF_AUTO read_back = SONDE_BUF(1 << 20);
        REQUIRE_DONE(read_artifact(db, uid, "cpu.1", &read_back, &err), &err);
        if (round % 2 == 0) {
            REQUIRE_DONE(sonde_db_run_delete(db, uid, &err), &err);
        }
        sonde_db_close(db);
    }
}

static void several_processes_use_a_new_store_at_once(void **state)
{
    (void)state;
    struct worker worker;
    int ends[2];
    pid_t children[WORKERS];
    assert_int_equal(pipe(ends), 0);
    make_directory(worker.directory);
    worker.gate = ends[0];
    (void)fflush(NULL);
    for (unsigned i = 0; i < WORKERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            (void)close(ends[1]);
            work(&worker, i);
            _exit(0);
        }
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    int failed = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    assert_int_equal(failed, 0);
    struct sonde_db *db = open_store(worker.directory);
    assert_int_equal(check_store(db, worker.directory),
                     WORKERS * (WORKER_ROUNDS / 2) * SHARED_CONTENTS);
    sonde_db_close(db);
    remove_directory(worker.directory);
}

/* ---- a full disk: a small file system of our own ---- */

enum { DISK_BYTES = 4 << 20, NO_MOUNT = 77 };

static void mount_disk(const char *directory)
{
    char options[32];
    (void)snprintf(options, sizeof(options), "size=%d", DISK_BYTES);
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
        _exit(NO_MOUNT);
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("disk", directory, "tmpfs", 0, options) < 0) {
        _exit(NO_MOUNT);
    }
}

/* What free_disk gives back at least, however little was left to fill. */
static void put_ballast(const char *directory)
{
    char path[2 * PATH_SIZE];
    enum { BALLAST_BYTES = 128 * 1024 };
    (void)snprintf(path, sizeof(path), "%s/ballast", directory);
    SONDE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(posix_fallocate(fd, 0, BALLAST_BYTES) == 0);
}

/* Fills the disk to its last byte. */
static void fill_disk(const char *directory)
{
    char path[2 * PATH_SIZE];
    static const char zeros[4096];
    (void)snprintf(path, sizeof(path), "%s/filler", directory);
    SONDE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    while (write(fd, zeros, sizeof(zeros)) > 0) {
    }
    REQUIRE(errno == ENOSPC);
}

static void free_disk(const char *directory)
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/filler", directory);
    REQUIRE(unlink(path) == 0);
    (void)snprintf(path, sizeof(path), "%s/ballast", directory);
    REQUIRE(unlink(path) == 0 || errno == ENOENT);
}

/* Random bytes do not compress: adds artifacts until the disk is full. */
static unsigned add_until_full(struct sonde_db *db, const char *uid)
{
    unsigned count = 0;
    for (;;) {
        struct sonde_err err = {0};
        char name[16];
        size_t length = 0;
        char *content = make_content(1 + 2 * (uint64_t)count, &length);
        (void)snprintf(name, sizeof(name), "cpu.%u", count);
        int r = add_artifact(db, uid, name, content, length, &err);
        free(content);
        if (r < 0) {
            REQUIRE(r == SONDE_ENOSPACE);
            REQUIRE(strstr(err.message, "full") || strstr(err.message, "space"));
            return count;
        }
        REQUIRE(++count < 1000);
    }
}

static void check_committed(struct sonde_db *db, const char *uid, unsigned count)
{
    struct sonde_err err = {0};
    SONDE_BUF_AUTO buf = SONDE_BUF(1 << 20);
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        size_t length = 0;
        char *content = make_content(1 + 2 * (uint64_t)i, &length);
        (void)snprintf(name, sizeof(name), "cpu.%u", i);
        REQUIRE_DONE(read_artifact(db, uid, name, &buf, &err), &err);
        REQUIRE(strcmp(buf.data, content) == 0);
        free(content);
    }
}

static void use_full_disk(void *context)
{
    const char *directory = context;
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    char other[SONDE_UUID_SIZE];
    make_uid(1, uid);
    make_uid(2, other);
    mount_disk(directory);
    put_ballast(directory);
    struct sonde_db *db = open_store(directory);
    REQUIRE_DONE(add_run(db, uid, "run", 1, &err), &err);
    unsigned count = add_until_full(db, uid);
    REQUIRE(count > 3);
    fill_disk(directory);
    REQUIRE(add_artifact(db, uid, "more", "more", 4, &err) == SONDE_ENOSPACE);
    check_committed(db, uid, count);
    sonde_db_close(db);
    db = open_store(directory); /* with a disk that is full */
    check_committed(db, uid, count);
    free_disk(directory);
    REQUIRE_DONE(add_run(db, other, "other", 2, &err), &err);
    REQUIRE_DONE(add_artifact(db, other, "small", "small", 5, &err), &err);
    check_committed(db, uid, count);
    REQUIRE(check_store(db, directory) == count + 1);
    REQUIRE_DONE(sonde_db_run_delete(db, uid, &err), &err);
    REQUIRE(check_store(db, directory) == 1);
    sonde_db_close(db);
    db = open_store(directory);
    REQUIRE(check_store(db, directory) == 1);
    sonde_db_close(db);
}

/* The last process has left before the disk fills: nothing of SQLite's is held open by then. */
static void open_on_full_disk(void *context)
{
    const char *directory = context;
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    mount_disk(directory);
    struct sonde_db *db = open_store(directory);
    REQUIRE_DONE(add_run(db, uid, "run", 1, &err), &err);
    unsigned count = add_until_full(db, uid);
    sonde_db_close(db);
    fill_disk(directory);
    db = open_store(directory);
    check_committed(db, uid, count);
    sonde_db_close(db);
    fill_disk(directory); /* what closing has given back */
    db = open_store(directory);
    REQUIRE_DONE(sonde_db_run_delete(db, uid, &err), &err);
    REQUIRE(check_store(db, directory) == 0);
    sonde_db_close(db);
}

static int see_state(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(enum sonde_run_state *)context = run->state;
    return 0;
}

/* A run ends on a full disk; somebody takes what that has freed; then the run is deleted. */
static void end_on_full_disk(void *context)
{
    const char *directory = context;
    struct sonde_err err = {0};
    enum sonde_run_state state = SONDE_RUN_PENDING;
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    mount_disk(directory);
    struct sonde_db *db = open_store(directory);
    REQUIRE_DONE(add_run(db, uid, "run", 1, &err), &err);
    (void)add_until_full(db, uid);
    fill_disk(directory);
    REQUIRE_DONE(end_run(db, uid, SONDE_RUN_FAILED, &err), &err);
    sonde_db_close(db);
    fill_disk(directory);
    db = open_store(directory);
    REQUIRE_DONE(sonde_db_run_get(db, uid, see_state, &state, &err), &err);
    REQUIRE(state == SONDE_RUN_FAILED);
    REQUIRE_DONE(sonde_db_run_delete(db, uid, &err), &err);
    REQUIRE(check_store(db, directory) == 0);
    sonde_db_close(db);
}

/* A store that was copied, or closed by another program, has no log and no index of it. */
static void open_copy_on_full_disk(void *context)
{
    const char *directory = context;
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    char path[2 * PATH_SIZE];
    make_uid(1, uid);
    mount_disk(directory);
    sonde_db_close(open_store(directory)); /* its tables are in the file from then on */
    struct sonde_db *db = open_store(directory);
    REQUIRE_DONE(add_run(db, uid, "run", 1, &err), &err);
    unsigned count = add_until_full(db, uid);
    sonde_db_close(db);
    (void)snprintf(path, sizeof(path), "%s/runs.db-shm", directory);
    REQUIRE(unlink(path) == 0);
    (void)snprintf(path, sizeof(path), "%s/runs.db-wal", directory);
    REQUIRE(unlink(path) == 0);
    fill_disk(directory);
    db = open_store(directory);
    check_committed(db, uid, count);
    fill_disk(directory);
    REQUIRE_DONE(sonde_db_run_delete(db, uid, &err), &err);
    REQUIRE(check_store(db, directory) == 0);
    sonde_db_close(db);
}

/* What a process left that died while it made the reserve, or that used it, is filled up. */
static void refill_reserve(void *context)
{
    const char *directory = context;
    char path[2 * PATH_SIZE];
    struct stat before;
    struct stat after;
    (void)snprintf(path, sizeof(path), "%s/reserve", directory);
    sonde_db_close(open_store(directory));
    REQUIRE(stat(path, &before) == 0);
    REQUIRE(truncate(path, 0) == 0);
    sonde_db_close(open_store(directory));
    REQUIRE(stat(path, &after) == 0);
    REQUIRE(before.st_size > 0 && after.st_size == before.st_size);
    REQUIRE(after.st_blocks >= after.st_size / 512);
}

static void remove_file(const char *directory, const char *name)
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    REQUIRE(unlink(path) == 0);
}

static void require_read_only(struct sonde_db *db, const char *uid)
{
    struct sonde_err err = {0};
    char other[SONDE_UUID_SIZE];
    make_uid(2, other);
    REQUIRE(add_run(db, other, "other", 2, &err) == SONDE_EDENIED);
    REQUIRE(add_artifact(db, uid, "more", "more", 4, &err) == SONDE_EDENIED);
    REQUIRE(end_run(db, uid, SONDE_RUN_FAILED, &err) == SONDE_EDENIED);
    REQUIRE(sonde_db_run_delete(db, uid, &err) == SONDE_EDENIED);
}

/* A process that has the store open, and adds an artifact for each byte. */
struct writer {
    pid_t child;
    int orders, answers;
};

static void write_on_orders(const char *directory, int orders, int answers)
{
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    char name[2] = "";
    make_uid(1, uid);
    struct sonde_db *db = open_store(directory);
    int r = add_run(db, uid, "run", 1, &err);
    REQUIRE(r == 0 || r == SONDE_EEXISTS);
    while (read(orders, name, 1) == 1) {
        REQUIRE_DONE(add_artifact(db, uid, name, name, 1, &err), &err);
        REQUIRE(write(answers, "+", 1) == 1);
    }
    sonde_db_close(db);
}

static struct writer start_writer(const char *directory)
{
    int orders[2];
    int answers[2];
    REQUIRE(pipe2(orders, O_CLOEXEC) == 0 && pipe2(answers, O_CLOEXEC) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        (void)close(orders[1]);
        (void)close(answers[0]);
        write_on_orders(directory, orders[0], answers[1]);
        _exit(0);
    }
    (void)close(orders[0]);
    (void)close(answers[1]);
    return (struct writer){child, orders[1], answers[0]};
}

static void let_write(const struct writer *writer, char name)
{
    char answer;
    REQUIRE(write(writer->orders, &name, 1) == 1);
    REQUIRE(read(writer->answers, &answer, 1) == 1);
}

static void end_writer(const struct writer *writer, bool killed)
{
    int status = 0;
    REQUIRE(!killed || kill(writer->child, SIGKILL) == 0);
    (void)close(writer->orders);
    REQUIRE(waitpid(writer->child, &status, 0) == writer->child);
    REQUIRE(killed ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(writer->answers);
}

/* Whether the run's writer lives can be seen without writing, too. */
static void require_state(struct sonde_db *db, enum sonde_run_state expected)
{
    struct sonde_err err = {0};
    enum sonde_run_state state = SONDE_RUN_PENDING;
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    REQUIRE_DONE(sonde_db_run_get(db, uid, see_state, &state, &err), &err);
    REQUIRE(state == expected);
}

static void read_alone(const char *view, size_t artifacts)
{
    char uid[SONDE_UUID_SIZE];
    make_uid(1, uid);
    struct sonde_db *db = open_store(view);
    REQUIRE(check_store(db, view) == artifacts);
    require_state(db, SONDE_RUN_FAILED);
    require_read_only(db, uid);
    REQUIRE(check_store(db, view) == artifacts);
    sonde_db_close(db);
}

/* Sees the store through a mount that is read-only. */
static void read_only(void *context)
{
    struct sonde_err err = {0};
    char store[2 * PATH_SIZE];
    char view[2 * PATH_SIZE];
    mount_disk(context);
    (void)snprintf(store, sizeof(store), "%s/store", (const char *)context);
    (void)snprintf(view, sizeof(view), "%s/view 50%% of#what?", (const char *)context);
    REQUIRE(mkdir(store, 0700) == 0 && mkdir(view, 0700) == 0);
    REQUIRE(mount(store, view, NULL, MS_BIND, NULL) == 0);
    REQUIRE(mount("none", view, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
    /* While another process writes. */
    struct writer writer = start_writer(store);
    let_write(&writer, '1');
    struct sonde_db *db = open_store(view);
    REQUIRE(check_store(db, view) == 1);
    let_write(&writer, '2');
    REQUIRE(check_store(db, view) == 2);
    require_state(db, SONDE_RUN_RUNNING);
    sonde_db_close(db);
    /* When it was killed, and its log is full. */
    end_writer(&writer, true);
    read_alone(view, 2);
    /* When it has closed the store. */
    writer = start_writer(store);
    let_write(&writer, '3');
    end_writer(&writer, false);
    read_alone(view, 3);
    /* A copy that has neither log nor index. */
    remove_file(store, "runs.db-shm");
    remove_file(store, "runs.db-wal");
    read_alone(view, 3);
    /* A log without its index is not passed over. */
    writer = start_writer(store);
    let_write(&writer, '4');
    end_writer(&writer, true);
    remove_file(store, "runs.db-shm");
    REQUIRE(sonde_db_open(view, &db, &err) == SONDE_EDENIED);
    db = open_store(store);
    REQUIRE(check_store(db, store) == 4);
    sonde_db_close(db);
}

/* The rows do not fit any more: a transaction fails in its middle, at each size of the rest. */
static void lack_space_for_rows(void *context)
{
    const char *directory = context;
    struct sonde_err err = {0};
    char uid[SONDE_UUID_SIZE];
    char path[2 * PATH_SIZE];
    make_uid(1, uid);
    mount_disk(directory);
    (void)snprintf(path, sizeof(path), "%s/filler", directory);
    struct sonde_db *db = open_store(directory);
    REQUIRE_DONE(add_run(db, uid, "run", 1, &err), &err);
    REQUIRE_DONE(add_artifact(db, uid, "kept", "kept", 4, &err), &err);
    unsigned refused = 0;
    unsigned added = 0;
    for (unsigned pages = 0; pages < 24; pages++) {
        struct stat status;
        fill_disk(directory);
        REQUIRE(stat(path, &status) == 0);
        REQUIRE(truncate(path, status.st_size - (off_t)pages * 4096) == 0);
        char name[16];
        (void)snprintf(name, sizeof(name), "cpu.%u", pages);
        int r = add_artifact(db, uid, name, name, strlen(name), &err);
        REQUIRE(r == 0 || r == SONDE_ENOSPACE);
        refused += r < 0;
        added += r == 0;
        REQUIRE(check_store(db, directory) == added + 1);
    }
    REQUIRE(refused > 0 && added > 0);
    free_disk(directory);
    sonde_db_close(db);
    db = open_store(directory);
    REQUIRE(check_store(db, directory) == added + 1);
    sonde_db_close(db);
}

static void on_small_disk(void (*function)(void *context))
{
    char directory[PATH_SIZE];
    make_directory(directory);
    int code = in_child(function, directory);
    remove_directory(directory);
    if (code == NO_MOUNT) {
        print_message("SKIPPED: a file system of our own cannot be mounted here\n");
        skip();
    }
    assert_int_equal(code, 0);
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    on_small_disk(use_full_disk);
}

static void a_store_on_a_full_disk_can_be_read_and_shrunk(void **state)
{
    (void)state;
    on_small_disk(open_on_full_disk);
}

static void a_run_ends_on_a_full_disk(void **state)
{
    (void)state;
    on_small_disk(end_on_full_disk);
}

static void a_copy_of_a_store_on_a_full_disk_can_be_read_and_shrunk(void **state)
{
    (void)state;
    on_small_disk(open_copy_on_full_disk);
}

static void the_reserve_is_filled_up_again(void **state)
{
    (void)state;
    char directory[PATH_SIZE];
    make_directory(directory);
    int code = in_child(refill_reserve, directory);
    remove_directory(directory);
    assert_int_equal(code, 0);
}

static void a_store_on_a_read_only_file_system_is_read(void **state)
{
    (void)state;
    on_small_disk(read_only);
}

static void a_disk_that_fills_in_a_transaction_loses_nothing(void **state)
{
    (void)state;
    on_small_disk(lack_space_for_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_processes_use_a_new_store_at_once),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(a_store_on_a_full_disk_can_be_read_and_shrunk),
        cmocka_unit_test(a_run_ends_on_a_full_disk),
        cmocka_unit_test(a_copy_of_a_store_on_a_full_disk_can_be_read_and_shrunk),
        cmocka_unit_test(the_reserve_is_filled_up_again),
        cmocka_unit_test(a_store_on_a_read_only_file_system_is_read),
        cmocka_unit_test(a_disk_that_fills_in_a_transaction_loses_nothing),
    };
    return cmocka_run_group_tests_name("db_shared", tests, NULL, NULL);
}
