/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of a cluster: their targets and the tokens by which these send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "db/targets.h"
#include "db_helpers.h"
#include "spec/reason.h"

#define UID "11111111-2222-4333-8444-555555555555"
#define OTHER "21111111-2222-4333-8444-555555555555"

struct fixture {
    struct sonde_db *db;
    char directory[PATH_SIZE];
    struct sonde_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    make_directory(f->directory);
    f->db = open_store(f->directory);
    *state = f;
    return 0;
}

static int tear_down(void **state)
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

static const char token_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char token_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static const struct sonde_target pod = {.run_uid = UID, .name = "patients-0"};

static void create(struct fixture *f, const char *uid, const char *name, const char *namespace)
{
    struct sonde_run run = {.name = name,
                            .namespace = namespace,
                            .kind = "ProfileRun",
                            .spec = "{}",
                            .state = SONDE_RUN_RUNNING,
                            .created_ns = 1,
                            .requester = "nurse",
                            .remote = true};
    (void)snprintf(run.uid, sizeof(run.uid), "%s", uid);
    assert_int_equal(sonde_db_run_create(f->db, &run, &f->err), 0);
}

static int see_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    struct sonde_run *seen = context;
    *seen = *run;
    assert_string_equal(run->requester, "nurse");
    return 0;
}

static void a_remote_run_has_no_owner(void **state)
{
    struct fixture *f = *state;
    struct sonde_run seen;
    create(f, UID, "slow", "clinic");
    reopen(f);
    assert_int_equal(sonde_db_run_get(f->db, UID, see_run, &seen, &f->err), 0);
    assert_int_equal(seen.state, SONDE_RUN_RUNNING);
    assert_true(seen.remote);
    assert_false(seen.cancelled);
    assert_int_equal(sonde_db_run_cancel(f->db, UID, &f->err), 0);
    assert_int_equal(sonde_db_run_cancel(f->db, OTHER, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(sonde_db_run_get(f->db, UID, see_run, &seen, &f->err), 0);
    assert_true(seen.cancelled);
}

static void names_are_looked_up_in_their_namespace(void **state)
{
    struct fixture *f = *state;
    char uid[SONDE_UUID_SIZE];
    struct sonde_run seen;
    create(f, UID, "slow", "clinic");
    create(f, OTHER, "slow", "billing");
    assert_int_equal(sonde_db_run_resolve(f->db, "slow", "clinic", uid, &f->err), 0);
    assert_string_equal(uid, UID);
    assert_int_equal(sonde_db_run_resolve(f->db, "last", "billing", uid, &f->err), 0);
    assert_string_equal(uid, OTHER);
    assert_int_equal(sonde_db_run_resolve(f->db, OTHER, "clinic", uid, &f->err), SONDE_ENOTFOUND);
    assert_int_equal(sonde_db_run_resolve(f->db, "2111", NULL, uid, &f->err), 0);
    assert_string_equal(uid, OTHER);
    assert_int_equal(sonde_db_runs(f->db, "billing", 10, see_run, &seen, &f->err), 0);
    assert_string_equal(seen.uid, OTHER);
}

static void denied(struct fixture *f, const struct sonde_target *target, const char *sha256,
                   const char *instance, int64_t now, const char *reason)
{
    f->err = (struct sonde_err){0};
    int r = sonde_db_token_use(f->db, target, sha256, instance, now, &f->err);
    if (r != SONDE_EDENIED || !f->err.reason || strcmp(f->err.reason, reason) != 0) {
        fail_msg("%d, %s instead of %s", r, f->err.reason ? f->err.reason : "no reason", reason);
    }
}

static void a_token_is_for_one_target_and_one_instance(void **state)
{
    struct fixture *f = *state;
    const struct sonde_target second = {.run_uid = UID, .name = "patients-1"};
    const struct sonde_target elsewhere = {.run_uid = OTHER, .name = "patients-0"};
    create(f, UID, "slow", "clinic");
    create(f, OTHER, "slow", "billing");
    assert_int_equal(sonde_db_token_add(f->db, &pod, token_a, 1000, &f->err), 0);
    assert_int_equal(sonde_db_token_add(f->db, &pod, token_a, 1000, &f->err), 0); /* again */
    assert_int_equal(sonde_db_token_add(f->db, &second, token_b, 1000, &f->err), 0);
    denied(f, &pod, token_b, "i1", 10, "TokenUnknown");
    denied(f, &elsewhere, token_a, "i1", 10, "TokenUnknown");
    denied(f, &pod, token_a, "i1", 1000, "TokenExpired");
    assert_int_equal(sonde_db_token_use(f->db, &pod, token_a, "i1", 10, &f->err), 0);
    reopen(f);
    assert_int_equal(sonde_db_token_use(f->db, &pod, token_a, "i1", 999, &f->err), 0);
    denied(f, &pod, token_a, "i2", 10, "TokenUsed");
    /* Another process is to take its place: whichever comes first. */
    assert_int_equal(sonde_db_token_release(f->db, &pod, false, &f->err), 0);
    assert_int_equal(sonde_db_token_use(f->db, &pod, token_a, "i2", 10, &f->err), 0);
    denied(f, &pod, token_a, "i1", 10, "TokenUsed");
    /* Any but the one before, for good. */
    for (int next = '3'; next <= '9'; next++) {
        const char instance[] = {'i', (char)next, '\0'};
        const char before[] = {'i', (char)(next - 1), '\0'};
        assert_int_equal(sonde_db_token_release(f->db, &pod, true, &f->err), 0);
        assert_int_equal(sonde_db_token_release(f->db, &pod, true, &f->err), 0); /* again */
        denied(f, &pod, token_a, before, 10, "TokenUsed");
        assert_int_equal(sonde_db_token_use(f->db, &pod, token_a, instance, 10, &f->err), 0);
    }
    assert_int_equal(sonde_db_token_release(f->db, &pod, true, &f->err), 0);
    reopen(f);
    denied(f, &pod, token_a, "i2", 10, "TokenUsed");
    denied(f, &pod, token_a, "i9", 10, "TokenUsed");
    assert_int_equal(sonde_db_token_use(f->db, &pod, token_a, "i1", 10, &f->err), 0);
    assert_int_equal(sonde_db_token_use(f->db, &pod, token_a, "", 10, &f->err), SONDE_EINVALID);
    const struct sonde_target done = {.run_uid = UID,
                                      .name = "patients-0",
                                      .phase = SONDE_TARGET_DONE,
                                      .result = "{\"bytes\":1}"};
    assert_int_equal(sonde_db_target_reach(f->db, &done, &f->err), 0);
    denied(f, &pod, token_a, "i1", 10, "TokenSpent");
    assert_int_equal(sonde_db_token_add(f->db, &pod, token_b, 1000, &f->err), SONDE_ECONFLICT);
    assert_int_equal(sonde_db_token_use(f->db, &second, token_b, "i3", 10, &f->err), 0);
}

static void tokens_are_bounded(void **state)
{
    struct fixture *f = *state;
    char sha256[SONDE_SHA256_TEXT];
    memcpy(sha256, token_a, sizeof(sha256));
    create(f, UID, "slow", "clinic");
    for (int i = 0; i < SONDE_TARGET_TOKENS_MAX; i++) {
        sha256[0] = (char)('0' + i);
        assert_int_equal(sonde_db_token_add(f->db, &pod, sha256, 1000, &f->err), 0);
    }
    assert_int_equal(sonde_db_token_add(f->db, &pod, token_a, 1000, &f->err), SONDE_ELIMIT);
    assert_int_equal(sonde_db_token_add(f->db, &pod, sha256, 1000, &f->err), 0);
    assert_int_equal(sonde_db_token_add(f->db, &pod, "short", 1000, &f->err), SONDE_EINVALID);
    const struct sonde_target nowhere = {.run_uid = OTHER, .name = "patients-0"};
    assert_int_equal(sonde_db_token_add(f->db, &nowhere, token_a, 1000, &f->err), SONDE_ENOTFOUND);
}

struct listed {
    int count;
    struct sonde_target last;
    char result[64];
    char run[64]; /* of the last one, with its own name */
    int stop_at;  /* 0: never */
};

static int see_target(void *context, const struct sonde_target *target, struct sonde_err *err)
{
    (void)err;
    struct listed *listed = context;
    listed->count++;
    listed->last = *target;
    (void)snprintf(listed->result, sizeof(listed->result), "%s", target->result);
    (void)snprintf(listed->run, sizeof(listed->run), "%s/%s %s", target->namespace,
                   target->run_name, target->name);
    return listed->count == listed->stop_at;
}

static void a_target_goes_forward_only(void **state)
{
    struct fixture *f = *state;
    struct listed listed = {0};
    struct sonde_target target = pod;
    create(f, UID, "slow", "clinic");
    assert_int_equal(
        sonde_db_target_reach(
            f->db, &(struct sonde_target){.run_uid = UID, .name = "none", .phase = 1}, &f->err),
        SONDE_ENOTFOUND);
    assert_int_equal(sonde_db_token_add(f->db, &pod, token_a, 1000, &f->err), 0);
    static const struct {
        enum sonde_target_phase phase;
        int code;
    } steps[] = {{SONDE_TARGET_CONNECTED, 0},
                 {SONDE_TARGET_CONNECTED, 1},
                 {SONDE_TARGET_DONE, 0},
                 {SONDE_TARGET_CAPTURING, 1},
                 {SONDE_TARGET_DONE, 1}};
    for (size_t i = 0; i < SONDE_LENGTH(steps); i++) {
        target.phase = steps[i].phase;
        target.result = i == 2 ? "{\"first\":true}" : "{}";
        assert_int_equal(sonde_db_target_reach(f->db, &target, &f->err), steps[i].code);
    }
    assert_int_equal(sonde_db_targets(f->db, UID, see_target, &listed, &f->err), 0);
    assert_int_equal(listed.count, 1);
    assert_int_equal(listed.last.phase, SONDE_TARGET_DONE);
    assert_string_equal(listed.result, "{\"first\":true}");
    assert_int_equal(sonde_db_targets_live(f->db, "", see_target, &listed, &f->err), 0);
    assert_int_equal(listed.count, 2);
    assert_int_equal(sonde_db_run_delete(f->db, UID, &f->err), 0);
    assert_int_equal(sonde_db_targets_live(f->db, "", see_target, &listed, &f->err), 0);
    assert_int_equal(listed.count, 2);
    denied(f, &pod, token_a, "i1", 10, "TokenUnknown");
}

static void targets_of_runs_that_go_on_are_listed_from_any_run_on(void **state)
{
    struct fixture *f = *state;
    const struct sonde_target later = {.run_uid = OTHER, .name = "patients-1"};
    create(f, UID, "slow", "clinic");
    create(f, OTHER, "fast", "billing");
    assert_int_equal(sonde_db_token_add(f->db, &pod, token_a, 1000, &f->err), 0);
    assert_int_equal(sonde_db_token_add(f->db, &later, token_b, 1000, &f->err), 0);
    static const struct {
        const char *after;
        int stop_at, count;
        const char *last;
    } rows[] = {{"", 0, 2, "billing/fast patients-1"},
                {"", 1, 1, "clinic/slow patients-0"},
                {UID, 0, 1, "billing/fast patients-1"},
                {OTHER, 0, 0, ""}};
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct listed listed = {.stop_at = rows[i].stop_at};
        assert_int_equal(sonde_db_targets_live(f->db, rows[i].after, see_target, &listed, &f->err),
                         0);
        assert_int_equal(listed.count, rows[i].count);
        assert_string_equal(listed.run, rows[i].last);
    }
    struct listed one = {0};
    assert_int_equal(sonde_db_target_get(f->db, OTHER, "patients-1", see_target, &one, &f->err), 0);
    assert_string_equal(one.run, "billing/fast patients-1");
    assert_int_equal(sonde_db_target_get(f->db, OTHER, "patients-0", see_target, &one, &f->err),
                     SONDE_ENOTFOUND);
    assert_int_equal(end_run(f->db, OTHER, SONDE_RUN_FAILED, &f->err), 0);
    struct listed left = {0};
    assert_int_equal(sonde_db_targets_live(f->db, "", see_target, &left, &f->err), 0);
    assert_int_equal(left.count, 1);
}

static void what_was_written_is_compared_before_the_commit(void **state)
{
    struct fixture *f = *state;
    struct sonde_artifact artifact = {.run_uid = UID,
                                      .name = "patients-0.7.cpu.0",
                                      .capture = "cpu",
                                      .type = "CPUProfile",
                                      .media_type = "application/json",
                                      .process = "patients-0/7"};
    struct sonde_artifact sealed;
    struct sonde_artifact_writer *writer = NULL;
    create(f, UID, "slow", "clinic");
    assert_int_equal(sonde_artifact_begin(f->db, &artifact, &writer, &f->err), 0);
    assert_int_equal(sonde_artifact_write(writer, "abc", 3, &f->err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sonde_artifact_seal(writer, &sealed, &f->err), 0);
        assert_int_equal(sealed.bytes, 3);
        assert_string_equal(sealed.sha256,
                            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_string_equal(sealed.process, "patients-0/7");
    }
    assert_int_equal(sonde_artifact_commit(writer, &f->err), 0);
    SONDE_BUF_AUTO read = SONDE_BUF(100);
    assert_int_equal(read_artifact(f->db, UID, artifact.name, &read, &f->err), 0);
    assert_string_equal(read.data, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_remote_run_has_no_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_looked_up_in_their_namespace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_is_for_one_target_and_one_instance, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tokens_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_target_goes_forward_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(targets_of_runs_that_go_on_are_listed_from_any_run_on,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_written_is_compared_before_the_commit, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
