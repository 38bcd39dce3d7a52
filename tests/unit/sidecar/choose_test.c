/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sidecar/sidecar.h"
#include "spec/reason.h"

struct made_up {
    pid_t pid, parent;
    uint64_t start_time;
    const char *script;
    const char *command;
};

static struct sonde_process_list make_list(const struct made_up *processes, size_t count)
{
    struct sonde_process_list list = {.count = count, .capacity = count};
    list.items = calloc(count ? count : 1, sizeof(*list.items));
    assert_non_null(list.items);
    for (size_t i = 0; i < count; i++) {
        struct sonde_process *p = &list.items[i];
        *p = (struct sonde_process){.pid = processes[i].pid,
                                    .parent = processes[i].parent,
                                    .inner_pid = processes[i].pid,
                                    .start_time = processes[i].start_time,
                                    .is_node = true,
                                    .readable = true,
                                    .name = "node"};
        (void)snprintf(p->script, sizeof(p->script), "%s", processes[i].script);
        (void)snprintf(p->command, sizeof(p->command), "node %s",
                       processes[i].command ? processes[i].command : processes[i].script);
    }
    return list;
}

static const struct made_up three[] = {
    {30, 1, 300, "/app/worker.js", NULL},
    {10, 1, 200, "/app/server.js", NULL},
    {20, 1, 100, "/app/metrics.js", NULL},
};

/* The chosen pids, "20 10"; on a refusal the reason. */
static void choose(const struct made_up *processes, size_t count,
                   const struct sonde_profile_target *target, char ret[SONDE_ERR_MESSAGE_MAX])
{
    struct sonde_err err;
    struct sonde_process_list list = make_list(processes, count);
    ret[0] = '\0';
    if (choose_processes(&list, target, &err) < 0) {
        (void)snprintf(ret, SONDE_ERR_MESSAGE_MAX, "%s", err.reason);
    } else {
        for (size_t i = 0; i < list.count; i++) {
            size_t length = strlen(ret);
            (void)snprintf(ret + length, SONDE_ERR_MESSAGE_MAX - length, i ? " %d" : "%d",
                           (int)list.items[i].pid);
        }
    }
    sonde_process_list_fini(&list);
}

static void takes_what_the_document_says(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        const char *match;
        int64_t index; /* SONDE_SPEC_ABSENT: none */
        int children;  /* enum sonde_child_processes */
        const char *expected;
    } cases[] = {
        {0, NULL, SONDE_SPEC_ABSENT, SONDE_CHILDREN_IGNORE, "TargetNotFound"},
        {1, NULL, SONDE_SPEC_ABSENT, SONDE_CHILDREN_IGNORE, "30"},
        {3, NULL, SONDE_SPEC_ABSENT, SONDE_CHILDREN_IGNORE, "TargetAmbiguous"},
        {3, NULL, SONDE_SPEC_ABSENT, SONDE_CHILDREN_INCLUDE, "20 10 30"},
        {3, NULL, 0, SONDE_CHILDREN_IGNORE, "20"},
        {3, NULL, 2, SONDE_CHILDREN_IGNORE, "30"},
        {3, NULL, 2, SONDE_CHILDREN_INCLUDE, "30"},
        {3, NULL, 3, SONDE_CHILDREN_IGNORE, "TargetNotFound"},
        {3, "server.js", SONDE_SPEC_ABSENT, SONDE_CHILDREN_IGNORE, "10"},
        {3, "server.js", 1, SONDE_CHILDREN_IGNORE, "TargetNotFound"},
        {3, "/app", SONDE_SPEC_ABSENT, SONDE_CHILDREN_IGNORE, "TargetAmbiguous"},
        {3, "/app", 1, SONDE_CHILDREN_IGNORE, "10"},
        {3, "no-such", SONDE_SPEC_ABSENT, SONDE_CHILDREN_INCLUDE, "TargetNotFound"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        char chosen[SONDE_ERR_MESSAGE_MAX];
        const struct sonde_process_choice choice = {.match = cases[i].match,
                                                    .index = cases[i].index};
        const struct sonde_profile_target target = {.process = &choice,
                                                    .child_processes = cases[i].children};
        choose(three, cases[i].count, &target, chosen);
        assert_string_equal(chosen, cases[i].expected);
    }
}

static void a_choice_may_be_absent(void **state)
{
    (void)state;
    char chosen[SONDE_ERR_MESSAGE_MAX];
    const struct sonde_profile_target target = {.child_processes = SONDE_CHILDREN_IGNORE};
    choose(three, 1, &target, chosen);
    assert_string_equal(chosen, "30");
    choose(three, 3, &target, chosen);
    assert_string_equal(chosen, SONDE_REASON_TARGET_AMBIGUOUS);
}

static void as_old_goes_by_number(void **state)
{
    (void)state;
    static const struct made_up twins[] = {{9, 1, 5, "/b.js", NULL}, {7, 1, 5, "/a.js", NULL}};
    char chosen[SONDE_ERR_MESSAGE_MAX];
    const struct sonde_profile_target target = {.child_processes = SONDE_CHILDREN_INCLUDE};
    choose(twins, 2, &target, chosen);
    assert_string_equal(chosen, "7 9");
}

static void a_runner_gives_way(void **state)
{
    (void)state;
    static const struct made_up npm[] = {
        {10, 1, 100, "/usr/lib/node_modules/npm/bin/npm-cli.js", NULL},
        {11, 10, 101, "/app/server.js", NULL},
    };
    char chosen[SONDE_ERR_MESSAGE_MAX];
    const struct sonde_profile_target target = {.child_processes = SONDE_CHILDREN_IGNORE};
    choose(npm, 2, &target, chosen);
    assert_string_equal(chosen, "11");
}

static void candidates_are_listed_within_the_message(void **state)
{
    (void)state;
    struct sonde_err err;
    const struct sonde_profile_target target = {.child_processes = SONDE_CHILDREN_IGNORE};
    struct sonde_process_list list = make_list(three, 3);
    assert_int_equal(choose_processes(&list, &target, &err), SONDE_EINVALID);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(strstr(err.message, three[i].script));
    }
    sonde_process_list_fini(&list);

    char script[SONDE_PROCESS_TEXT_MAX];
    memset(script, 'x', sizeof(script));
    script[sizeof(script) - 1] = '\0';
    struct made_up many[200];
    for (size_t i = 0; i < SONDE_LENGTH(many); i++) {
        many[i] = (struct made_up){(pid_t)i + 2, 1, i, script, NULL};
    }
    list = make_list(many, SONDE_LENGTH(many));
    assert_int_equal(choose_processes(&list, &target, &err), SONDE_EINVALID);
    assert_true(strlen(err.message) < SONDE_ERR_MESSAGE_MAX);
    assert_non_null(strstr(err.message, "200 processes"));
    sonde_process_list_fini(&list);
}

static void so_many_are_visited_at_most(void **state)
{
    (void)state;
    struct made_up many[SIDECAR_PROCESSES_MAX + 9];
    for (size_t i = 0; i < SONDE_LENGTH(many); i++) {
        many[i] = (struct made_up){(pid_t)(1000 - i), 1, 1000 - i, "/app/worker.js", NULL};
    }
    const struct sonde_profile_target target = {.child_processes = SONDE_CHILDREN_INCLUDE};
    struct sonde_process_list list = make_list(many, SONDE_LENGTH(many));
    assert_int_equal(choose_processes(&list, &target, NULL), 0);
    assert_int_equal(list.count, SIDECAR_PROCESSES_MAX);
    assert_int_equal(list.items[0].pid, 1000 - (SONDE_LENGTH(many) - 1)); /* the oldest */
    sonde_process_list_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_the_document_says),
        cmocka_unit_test(a_choice_may_be_absent),
        cmocka_unit_test(as_old_goes_by_number),
        cmocka_unit_test(a_runner_gives_way),
        cmocka_unit_test(candidates_are_listed_within_the_message),
        cmocka_unit_test(so_many_are_visited_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
