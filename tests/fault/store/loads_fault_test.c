/* SPDX-License-Identifier: Apache-2.0 */
/* A load test in memory is forgotten when there was no memory for what was said of it, and read
 * anew from the disk: then it must know all that it knew before. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/json.h"
#include "fail.h"
#include "store/loads.h"
#include "unit/db/db_helpers.h"

#define UID "11111111-2222-4333-8444-555555555555"
#define DOCUMENT                                                                                   \
    "{\"apiVersion\":\"sonde.dev/v1alpha1\",\"kind\":\"LoadTest\",\"metadata\":{\"name\":\"a\","   \
    "\"namespace\":\"b\"},\"spec\":{\"target\":{\"service\":{\"name\":\"c\",\"port\":80}},"        \
    "\"scenario\":{\"requests\":[{\"name\":\"one\",\"path\":\"/\"}]},\"parallelism\":2,"           \
    "\"arrival\":{\"rate\":100,\"durationSeconds\":60}}}"

/* ---- nobody is answered here ---- */

void call_answer(struct call *call, unsigned status, struct sonde_str json)
{
    (void)call;
    (void)status;
    (void)json;
}

void call_fail(struct call *call, unsigned status, const char *code, const char *message)
{
    (void)call;
    (void)status;
    (void)code;
    (void)message;
}

void call_fail_by(struct call *call, const struct sonde_err *err)
{
    (void)call;
    (void)err;
}

void call_keep(struct call *call)
{
    (void)call;
}

void call_release(struct call *call)
{
    (void)call;
}

cJSON *call_json(struct call *call)
{
    (void)call;
    return NULL;
}

bool call_resolve(struct call *call)
{
    (void)call;
    return false;
}

void changes_add(struct service *service, const char *uid, const char *target,
                 enum sonde_target_phase phase)
{
    (void)service;
    (void)uid;
    (void)target;
    (void)phase;
}

void silence_forget(struct silence *silence, const char *uid, const char *target)
{
    (void)silence;
    (void)uid;
    (void)target;
}

/* ---- what is said ---- */

struct fixture {
    char directory[PATH_SIZE];
    cJSON *ready;
    int log;
};

/* By SQLite itself, whose memory is not ours: as it was before the first of these runs. */
static void begin_anew(const struct fixture *f)
{
    run_sql_in(f->directory,
               "PRAGMA foreign_keys = ON; DELETE FROM runs;"
               "INSERT INTO runs (uid, name, namespace, kind, spec, status, state, reason, message,"
               " created, completed, owner, requester, schedule, cancelled) VALUES ('" UID "', 'a',"
               " 'b', 'LoadTest', '" DOCUMENT "', '{}', 1, '', '', 1, 0, '-', '', '', 0)");
}

/* Said again when there was no memory, as a runner does. */
static int say_ready(struct loads *loads, const cJSON *body, unsigned runner, struct sonde_err *err)
{
    int r = SONDE_ENOMEM;
    for (int i = 0; i < 2 && r == SONDE_ENOMEM; i++) {
        struct load_effect effect;
        const struct load_said said = {.kind = LOAD_EVENT_READY, .runner = runner, .body = body};
        struct load_test *test = load_find(loads, UID, err);
        r = test ? load_say(loads, test, &said, &effect, err) : err->code;
    }
    return r;
}

static enum sonde_load_phase phase_of(const struct load_kept *kept)
{
    struct sonde_load_state state;
    sonde_load_coordination_state(kept->coordination, &state);
    return state.phase;
}

static int be_ready(struct service *service, const cJSON *body, struct sonde_err *err)
{
    struct load_kept *kept = NULL;
    int r = loads_create(service->loads, UID, "[]", err);
    r = r < 0 ? r : say_ready(service->loads, body, 0, err);
    r = r < 0 ? r : say_ready(service->loads, body, 1, err);
    if (r < 0) {
        return r;
    }
    assert_int_equal(phase_of(service->loads->first->kept), SONDE_LOAD_RUNNING);
    loads_flush(service->loads);
    r = load_kept_open(service->db, UID, &kept, err);
    if (r == 0) {
        assert_int_equal(phase_of(kept), SONDE_LOAD_RUNNING);
        load_kept_free(kept);
    }
    return r;
}

static int two_runners_are_ready(void *context)
{
    const struct fixture *f = context;
    struct sonde_err err = {0};
    struct service service = {.log = {f->log, SONDE_LOG_ERROR, "store"}, .directory = f->directory};
    begin_anew(f);
    int r = sonde_loop_new(&service.loop, &err);
    r = r < 0 ? r : sonde_db_open(f->directory, &service.db, &err);
    r = r < 0 ? r : loads_new(&service, &service.loads, &err);
    r = r < 0 ? r : be_ready(&service, f->ready, &err);
    loads_free(service.loads);
    sonde_db_close(service.db);
    sonde_loop_free(service.loop);
    return r;
}

static void what_was_said_is_known_after_a_lack_of_memory(void **state)
{
    (void)state;
    struct fixture f = {.log = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    make_directory(f.directory);
    sonde_db_close(open_store(f.directory));
    cJSON_InitHooks(&(cJSON_Hooks){malloc, free});
    assert_int_equal(
        sonde_json_parse(SONDE_STR("{\"round\":0,\"offset\":0,\"uncertainty\":200,\"labels\":[],"
                                   "\"pod\":\"p\",\"node\":\"n\"}"),
                         &f.ready, NULL),
        0);
    fail_each_allocation(two_runners_are_ready, &f);
    cJSON_Delete(f.ready);
    cJSON_InitHooks(NULL);
    remove_directory(f.directory);
    (void)close(f.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_is_known_after_a_lack_of_memory)};
    return cmocka_run_group_tests_name("store_loads_fault", tests, NULL, NULL);
}
