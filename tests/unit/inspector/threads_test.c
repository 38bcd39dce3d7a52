/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "inspector/threads.h"

enum { PID = 77, PATH_SIZE = 160 };

/* A /proc with one process. */
struct fixture {
    char proc[64];
    struct sonde_threads threads;
};

static void put(const struct fixture *f, int id, const char *name, const char *text)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%d/task/%d", f->proc, PID, id);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/%d/task/%d/%s", f->proc, PID, id, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void set_thread(const struct fixture *f, int id, char state, int ticks)
{
    char text[128];
    (void)snprintf(text, sizeof(text),
                   "%d (no de) %c 1 2 3 0 -1 4 9 0 0 0 %d 0 0 0 20 0 11 0 98 1\n", id, state,
                   ticks);
    put(f, id, "stat", text);
}

static void end_thread(const struct fixture *f, int id)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%d/task/%d/schedstat", f->proc, PID, id);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/%d/task/%d/status", f->proc, PID, id);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/%d/task/%d/stat", f->proc, PID, id);
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[PATH_SIZE];
    (void)snprintf(f->proc, sizeof(f->proc), "/tmp/sonde-threads-XXXXXX");
    if (!mkdtemp(f->proc)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/%d", f->proc, PID);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/%d/task", f->proc, PID);
    (void)mkdir(path, 0700);
    set_thread(f, PID, 'R', 5); /* the main one does not count */
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];
    for (int id = PID; id < PID + 8; id++) {
        (void)snprintf(path, sizeof(path), "%s/%d/task/%d/stat", f->proc, PID, id);
        if (access(path, F_OK) == 0) {
            end_thread(f, id);
        }
    }
    (void)snprintf(path, sizeof(path), "%s/%d/task", f->proc, PID);
    (void)rmdir(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
    (void)rmdir(f->proc);
    free(f);
    return 0;
}

static bool rest(struct fixture *f)
{
    return sonde_threads_rest(f->proc, PID, &f->threads);
}

static void all_asleep_is_rest(void **state)
{
    struct fixture *f = *state;
    set_thread(f, 78, 'S', 1);
    set_thread(f, 79, 'S', 0);
    assert_true(rest(f));
}

static void a_ready_thread_is_waited_for(void **state)
{
    struct fixture *f = *state;
    set_thread(f, 78, 'S', 1);
    set_thread(f, 79, 'R', 0);
    assert_false(rest(f));
    set_thread(f, 78, 'R', 1); /* it has slept already */
    assert_false(rest(f));
    set_thread(f, 79, 't', 0);
    assert_false(rest(f));
    set_thread(f, 79, 'S', 0);
    assert_true(rest(f));
}

static void a_busy_thread_is_past_it(void **state)
{
    struct fixture *f = *state;
    set_thread(f, 78, 'R', 100);
    assert_false(rest(f));
    set_thread(f, 78, 'R', 101);
    assert_false(rest(f));
    set_thread(f, 78, 'R', 102);
    assert_true(rest(f));
}

static void a_new_or_ended_thread_is_not(void **state)
{
    struct fixture *f = *state;
    set_thread(f, 78, 'R', 0);
    assert_false(rest(f));
    set_thread(f, 79, 'R', 0);
    end_thread(f, 78);
    assert_true(rest(f));
}

static void no_process_is_rest(void **state)
{
    struct fixture *f = *state;
    assert_true(sonde_threads_rest(f->proc, PID + 1, &f->threads));
}

static void waits_for_a_cpu_are_added_up(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sonde_threads_cpu_wait(f->proc, PID), 0); /* a kernel that does not count */
    put(f, PID, "schedstat", "111 2000000000 3\n");
    set_thread(f, 78, 'R', 1);
    put(f, 78, "schedstat", "9 30 1\n");
    set_thread(f, 79, 'S', 1);
    put(f, 79, "schedstat", "9 hostile\n");
    set_thread(f, 80, 'S', 1);
    put(f, 80, "schedstat", "9 9223372036854775807 1\n");
    assert_true(sonde_threads_cpu_wait(f->proc, PID) >= 2000000030);
    end_thread(f, 80);
    assert_int_equal(sonde_threads_cpu_wait(f->proc, PID), 2000000030);
    assert_int_equal(sonde_threads_cpu_wait(f->proc, PID + 1), 0);
}

static void set_status(const struct fixture *f, int id, const char *numbers)
{
    char text[160];
    set_thread(f, id, 'S', 1);
    (void)snprintf(text, sizeof(text), "Name:\tnode\nPPid:\t1\nUid:\t7\t7\t7\t7\n%s%s%s", numbers,
                   numbers[0] ? "\n" : "", "SigCgt:\t0\n");
    put(f, id, "status", text);
}

static void a_thread_is_found_by_its_inner_number(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sonde_thread_find(f->proc, PID, 5), 0);
    set_status(f, 78, "NSpid:\t78\t1");
    set_status(f, 79, "NSpid:\t79\t78");
    set_status(f, 80, "NSpid:\t80\t12");
    assert_int_equal(sonde_thread_find(f->proc, PID, 12), 80);
    assert_int_equal(sonde_thread_find(f->proc, PID, 78), 79); /* not the one numbered so here */
    assert_int_equal(sonde_thread_find(f->proc, PID, 80), 0);
    assert_int_equal(sonde_thread_find(f->proc, PID + 1, 12), 0);
    set_status(f, 80, "NSpid:\t80"); /* of our own namespace */
    assert_int_equal(sonde_thread_find(f->proc, PID, 80), 80);
    set_status(f, 80, ""); /* a kernel that does not say it */
    assert_int_equal(sonde_thread_find(f->proc, PID, 80), 0);
}

static void link_time(const struct fixture *f, const char *process, const char *target)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", f->proc, process);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/%s/ns", f->proc, process);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/%s/ns/time", f->proc, process);
    (void)unlink(path);
    if (target) {
        assert_int_equal(symlink(target, path), 0);
        return;
    }
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

static void a_clock_is_shared_within_a_namespace(void **state)
{
    struct fixture *f = *state;
    assert_true(sonde_clock_is_shared(f->proc, PID)); /* a kernel without such namespaces */
    link_time(f, "self", "time:[1]");
    assert_false(sonde_clock_is_shared(f->proc, PID));
    link_time(f, "77", "time:[1]");
    assert_true(sonde_clock_is_shared(f->proc, PID));
    link_time(f, "77", "time:[2]");
    assert_false(sonde_clock_is_shared(f->proc, PID));
    link_time(f, "77", NULL);
    link_time(f, "self", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_asleep_is_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ready_thread_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_busy_thread_is_past_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_or_ended_thread_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_process_is_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waits_for_a_cpu_are_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thread_is_found_by_its_inner_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_is_shared_within_a_namespace, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
