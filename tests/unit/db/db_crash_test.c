/* SPDX-License-Identifier: Apache-2.0 */
/* A process that uses the store is killed: before each of its system calls in turn, and at random
 * moments. What it was told is done must be there, whole, and nothing else. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "db_helpers.h"

enum { STEPS = 7, ROUNDS = 40, CALLS_MAX = 20000, WAIT_MAX_MS = 60 };

struct crash {
    char directory[PATH_SIZE];
    volatile int *done; /* shared with the child: steps that it was told are done */
    char *contents[2];
    char uids[2][SONDE_UUID_SIZE];
};

static int setup(void **state)
{
    struct crash *c = calloc(1, sizeof(*c));
    REQUIRE(c != NULL);
    void *page = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    c->done = page;
    for (unsigned i = 0; i < 2; i++) {
        size_t length = 0;
        c->contents[i] = make_content(3 + i, &length);
        make_uid(i, c->uids[i]);
    }
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct crash *c = *state;
    REQUIRE(munmap((void *)(uintptr_t)c->done, sizeof(int)) == 0);
    free(c->contents[0]);
    free(c->contents[1]);
    free(c);
    return 0;
}

static int add(const struct crash *c, struct sonde_db *db, int run, const char *name, int content,
               struct sonde_err *err)
{
    const char *text = c->contents[content];
    return add_artifact(db, c->uids[run], name, text, strlen(text), err);
}

static int take_step(const struct crash *c, struct sonde_db *db, int step, struct sonde_err *err)
{
    switch (step) {
    case 0:
        return add_run(db, c->uids[0], "first", 1, err);
    case 1:
        return add(c, db, 0, "one", 0, err);
    case 2:
        return add(c, db, 0, "two", 1, err);
    case 3:
        return add_run(db, c->uids[1], "second", 2, err);
    case 4:
        return add(c, db, 1, "one", 0, err);
    case 5:
        return end_run(db, c->uids[1], SONDE_RUN_SUCCEEDED, err);
    default:
        return sonde_db_run_delete(db, c->uids[0], err);
    }
}

static void take_all_steps(struct crash *c)
{
    struct sonde_err err = {0};
    struct sonde_db *db = open_store(c->directory);
    for (int step = 0; step < STEPS; step++) {
        REQUIRE_DONE(take_step(c, db, step, &err), &err);
        *c->done = step + 1;
    }
    sonde_db_close(db);
}

static int ignore_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(enum sonde_run_state *)context = run->state;
    return 0;
}

/* What exists after `done` steps for certain; a step more may have been taken. */
static void check_steps(struct crash *c)
{
    static const struct {
        int run;
        const char *name;
        int content;
        int since, until; /* steps */
    } artifacts[] = {{0, "one", 0, 2, 6}, {0, "two", 1, 3, 6}, {1, "one", 0, 5, STEPS}};
    struct sonde_err err = {0};
    struct sonde_db *db = open_store(c->directory);
    SONDE_BUF_AUTO read = SONDE_BUF(1 << 20);
    enum sonde_run_state state = SONDE_RUN_PENDING;
    int done = *c->done;
    (void)check_store(db, c->directory);
    for (size_t i = 0; i < SONDE_LENGTH(artifacts); i++) {
        int r = read_artifact(db, c->uids[artifacts[i].run], artifacts[i].name, &read, &err);
        if (r == 0) {
            assert_string_equal(read.data, c->contents[artifacts[i].content]);
            assert_true(done >= artifacts[i].since - 1);
        } else {
            assert_int_equal(r, SONDE_ENOTFOUND);
            assert_false(done >= artifacts[i].since && done < artifacts[i].until);
        }
    }
    int first = sonde_db_run_get(db, c->uids[0], ignore_run, &state, &err);
    assert_true(first == 0 || done == 0 || done >= STEPS - 1);
    assert_true(first == SONDE_ENOTFOUND || done < STEPS);
    if (sonde_db_run_get(db, c->uids[1], ignore_run, &state, &err) == 0 && done >= 6) {
        assert_int_equal(state, SONDE_RUN_SUCCEEDED);
    } else {
        assert_true(done < 6);
    }
    /* The store can be used as before. */
    char uid[SONDE_UUID_SIZE];
    make_uid(9, uid);
    assert_int_equal(add_run(db, uid, "afterwards", 3, &err), 0);
    assert_int_equal(add_artifact(db, uid, "one", "after", 5, &err), 0);
    (void)check_store(db, c->directory);
    sonde_db_close(db);
}

/* Kills the child before its system call number `limit`. False: it had no such call and ended. */
static bool kill_before_call(struct crash *c, long limit)
{
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        REQUIRE(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        (void)raise(SIGSTOP);
        take_all_steps(c);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL), 0);
    for (long stops = 0; stops < 2 * limit; stops++) { /* each call stops twice */
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSTOPPED(status)) {
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
            return false;
        }
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return true;
}

static void a_kill_before_any_system_call_loses_nothing(void **state)
{
    struct crash *c = *state;
    long call = 1;
    for (bool killed = true; killed; call++) {
        assert_true(call < CALLS_MAX);
        *c->done = 0;
        make_directory(c->directory);
        killed = kill_before_call(c, call);
        check_steps(c);
        remove_directory(c->directory);
    }
    print_message("%ld system calls\n", call - 2);
    assert_true(call > 100);
}

/* Goes round: run r has an artifact, r - 2 is deleted; says each round on the pipe. */
static void work_until_killed(const struct crash *c, int pipe_end)
{
    struct sonde_err err = {0};
    struct sonde_db *db = open_store(c->directory);
    for (unsigned round = 0;; round++) {
        char uid[SONDE_UUID_SIZE];
        size_t length = 0;
        char *content = make_content(round, &length);
        make_uid(round, uid);
        REQUIRE_DONE(add_run(db, uid, "run", round, &err), &err);
        REQUIRE_DONE(add_artifact(db, uid, "own", content, length, &err), &err);
        REQUIRE_DONE(add_artifact(db, uid, "shared", "shared", 6, &err), &err);
        free(content);
        REQUIRE(write(pipe_end, "+", 1) == 1);
        if (round >= 2) {
            make_uid(round - 2, uid);
            REQUIRE_DONE(sonde_db_run_delete(db, uid, &err), &err);
        }
    }
}

/* How many rounds the child was told are done when it was killed after about `delay_ms`. */
static unsigned kill_after(struct crash *c, int64_t delay_ms)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        work_until_killed(c, ends[1]);
        _exit(1);
    }
    (void)close(ends[1]);
    char told[1024];
    size_t rounds = 0;
    int64_t end = sonde_clock_monotonic() + delay_ms * SONDE_MILLISECOND;
    for (int64_t left = delay_ms; left >= 0 && rounds < sizeof(told);) {
        struct pollfd ready = {.fd = ends[0], .events = POLLIN};
        if (poll(&ready, 1, (int)left) == 1) {
            ssize_t got = read(ends[0], told, 1);
            assert_int_equal(got, 1); /* 0: the child failed */
            rounds++;
        }
        left = (end - sonde_clock_monotonic()) / SONDE_MILLISECOND;
        left = left == 0 ? -1 : left;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    ssize_t got = read(ends[0], told, sizeof(told)); /* told between the last look and the end */
    assert_true(got >= 0);
    (void)close(ends[0]);
    return (unsigned)rounds + (unsigned)got;
}

static void a_kill_at_any_moment_loses_nothing(void **state)
{
    struct crash *c = *state;
    uint64_t seed = 20260101;
    unsigned total = 0;
    SONDE_BUF_AUTO read = SONDE_BUF(1 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        make_directory(c->directory);
        unsigned rounds = kill_after(c, (int64_t)(sonde_random_next(&seed) % WAIT_MAX_MS));
        struct sonde_err err = {0};
        struct sonde_db *db = open_store(c->directory);
        (void)check_store(db, c->directory);
        /* Of what was told, only the run before the last may be deleted by now. */
        for (unsigned round = rounds > 2 ? rounds - 2 : 0; round < rounds; round++) {
            char uid[SONDE_UUID_SIZE];
            size_t length = 0;
            char *content = make_content(round, &length);
            make_uid(round, uid);
            assert_int_equal(read_artifact(db, uid, "own", &read, &err), 0);
            assert_string_equal(read.data, content);
            assert_int_equal(read_artifact(db, uid, "shared", &read, &err), 0);
            free(content);
        }
        sonde_db_close(db);
        remove_directory(c->directory);
        total += rounds;
    }
    print_message("%d kills, %u rounds told\n", ROUNDS, total);
    assert_true(total > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_kill_before_any_system_call_loses_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_kill_at_any_moment_loses_nothing, setup, teardown),
    };
    return cmocka_run_group_tests_name("db_crash", tests, NULL, NULL);
}
