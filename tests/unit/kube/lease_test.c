/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "kube/lease.h"

#define REALTIME (INT64_C(1795472710) * SONDE_SECOND)

static void init(struct sonde_kube_lease *lease, const char *identity, uint64_t seed)
{
    const struct sonde_kube_lease_options options = {
        .namespace = "sonde-system", .name = "leader", .identity = identity, .seed = seed};
    sonde_kube_lease_init(lease, &options);
}

/* ---- an API server with one Lease ---- */

struct server {
    cJSON *lease; /* NULL: there is none */
    unsigned version;
    bool down;
};

static void store(struct server *server, cJSON *object)
{
    char version[16];
    (void)snprintf(version, sizeof(version), "%u", ++server->version);
    cJSON *metadata = cJSON_GetObjectItem(object, "metadata");
    cJSON_DeleteItemFromObject(metadata, "resourceVersion");
    cJSON_AddStringToObject(metadata, "resourceVersion", version);
    cJSON_Delete(server->lease);
    server->lease = object;
}

static int answer(struct server *server, enum sonde_kube_lease_action action, const char *body)
{
    if (server->down) {
        return SONDE_ENETWORK;
    }
    if (action == SONDE_KUBE_LEASE_GET) {
        return server->lease ? 0 : SONDE_ENOTFOUND;
    }
    cJSON *object = cJSON_Parse(body);
    assert_non_null(object);
    const cJSON *metadata = cJSON_GetObjectItem(object, "metadata");
    const char *version = sonde_json_string_or(metadata, "resourceVersion", "");
    char current[16];
    (void)snprintf(current, sizeof(current), "%u", server->version);
    int code = action == SONDE_KUBE_LEASE_CREATE ? (server->lease ? SONDE_EEXISTS : 0)
               : !server->lease                  ? SONDE_ENOTFOUND
               : strcmp(version, current) != 0   ? SONDE_ECONFLICT
                                                 : 0;
    if (code < 0) {
        cJSON_Delete(object);
        return code;
    }
    store(server, object);
    return 0;
}

/* Carries out what the lease wants until it waits; returns the last step. */
static struct sonde_kube_lease_step drive(struct sonde_kube_lease *lease, struct server *server,
                                          int64_t now)
{
    for (int i = 0; i < 10; i++) {
        struct sonde_kube_lease_step step = sonde_kube_lease_step(lease, now);
        if (step.action != SONDE_KUBE_LEASE_GET && step.action != SONDE_KUBE_LEASE_CREATE &&
            step.action != SONDE_KUBE_LEASE_UPDATE) {
            return step;
        }
        SONDE_BUF_AUTO body = SONDE_BUF(4096);
        sonde_kube_lease_print(lease, REALTIME + now, &body);
        int code = answer(server, step.action, body.data);
        if (code == 0) {
            code = sonde_kube_lease_answered(lease, now, server->lease, NULL);
            assert_int_equal(code, 0);
        } else {
            sonde_kube_lease_failed(lease, now, code);
        }
    }
    fail_msg("it goes in a circle");
    return (struct sonde_kube_lease_step){0};
}

static const cJSON *spec_of(const struct server *server)
{
    return cJSON_GetObjectItem(server->lease, "spec");
}

static void the_first_one_leads(void **state)
{
    (void)state;
    struct server server = {0};
    struct sonde_kube_lease a;
    struct sonde_kube_lease b;
    init(&a, "a", 1);
    init(&b, "b", 2);
    struct sonde_kube_lease_step step = drive(&a, &server, 0);
    assert_true(sonde_kube_lease_leads(&a, 0));
    assert_int_equal(step.action, SONDE_KUBE_LEASE_WAIT);
    assert_int_equal(step.at, 2 * SONDE_SECOND);
    assert_string_equal(sonde_json_string_or(spec_of(&server), "holderIdentity", ""), "a");
    assert_string_equal(sonde_json_string_or(spec_of(&server), "renewTime", ""),
                        "2026-11-23T22:25:10.000000Z");
    assert_int_equal(sonde_json_integer_or(spec_of(&server), "leaseDurationSeconds", 0), 15);
    assert_int_equal(sonde_json_integer_or(spec_of(&server), "leaseTransitions", -1), 0);
    step = drive(&b, &server, SONDE_SECOND);
    assert_false(sonde_kube_lease_leads(&b, SONDE_SECOND));
    assert_in_range(step.at, 3 * SONDE_SECOND, 3400 * SONDE_MILLISECOND);
    (void)drive(&a, &server, 2 * SONDE_SECOND); /* renewed, and the time of acquisition stays */
    assert_string_equal(sonde_json_string_or(spec_of(&server), "renewTime", ""),
                        "2026-11-23T22:25:12.000000Z");
    assert_string_equal(sonde_json_string_or(spec_of(&server), "acquireTime", ""),
                        "2026-11-23T22:25:10.000000Z");
    cJSON_Delete(server.lease);
}

static void a_silent_leader_is_replaced_by_our_own_clock(void **state)
{
    (void)state;
    struct server server = {0};
    struct sonde_kube_lease a;
    struct sonde_kube_lease b;
    init(&a, "a", 1);
    init(&b, "b", 2);
    (void)drive(&a, &server, 0);
    int64_t now = 5 * SONDE_SECOND; /* b sees the record for the first time: it counts from here */
    struct sonde_kube_lease_step step = drive(&b, &server, now);
    while (!sonde_kube_lease_leads(&b, now)) {
        assert_int_equal(step.action, SONDE_KUBE_LEASE_WAIT);
        now = step.at;
        assert_true(now < 30 * SONDE_SECOND);
        step = drive(&b, &server, now);
    }
    assert_in_range(now, 20 * SONDE_SECOND, 23 * SONDE_SECOND);
    assert_int_equal(sonde_json_integer_or(spec_of(&server), "leaseTransitions", -1), 1);
    assert_false(sonde_kube_lease_leads(&a, now));
    assert_int_equal(drive(&a, &server, now).action, SONDE_KUBE_LEASE_LOST);
    assert_int_equal(drive(&a, &server, now + 1).action, SONDE_KUBE_LEASE_LOST);
    cJSON_Delete(server.lease);
}

static void a_leader_cut_off_gives_up_before_others_take_over(void **state)
{
    (void)state;
    struct server server = {0};
    struct sonde_kube_lease a;
    init(&a, "a", 1);
    struct sonde_kube_lease_step step = drive(&a, &server, 0);
    server.down = true;
    int64_t now = 0;
    while (step.action == SONDE_KUBE_LEASE_WAIT) {
        assert_true(step.at > now);
        now = step.at;
        step = drive(&a, &server, now);
    }
    assert_int_equal(step.action, SONDE_KUBE_LEASE_LOST);
    assert_int_equal(now, 10 * SONDE_SECOND);
    assert_false(sonde_kube_lease_leads(&a, now));
    cJSON_Delete(server.lease);
}

static void a_request_without_an_answer_is_no_renewal(void **state)
{
    (void)state;
    struct server server = {0};
    struct sonde_kube_lease a;
    init(&a, "a", 1);
    (void)drive(&a, &server, 0);
    struct sonde_kube_lease_step step = sonde_kube_lease_step(&a, 2 * SONDE_SECOND);
    assert_int_equal(step.action, SONDE_KUBE_LEASE_UPDATE);
    step = sonde_kube_lease_step(&a, 3 * SONDE_SECOND); /* under way */
    assert_int_equal(step.action, SONDE_KUBE_LEASE_WAIT);
    assert_int_equal(step.at, 10 * SONDE_SECOND);
    assert_true(sonde_kube_lease_leads(&a, 10 * SONDE_SECOND - 1));
    assert_false(sonde_kube_lease_leads(&a, 10 * SONDE_SECOND));
    assert_int_equal(sonde_kube_lease_step(&a, 10 * SONDE_SECOND).action, SONDE_KUBE_LEASE_LOST);
    /* What comes too late changes nothing. */
    assert_int_equal(sonde_kube_lease_answered(&a, 11 * SONDE_SECOND, server.lease, NULL), 0);
    assert_false(sonde_kube_lease_leads(&a, 11 * SONDE_SECOND));
    assert_int_equal(sonde_kube_lease_step(&a, 11 * SONDE_SECOND).action, SONDE_KUBE_LEASE_LOST);
    cJSON_Delete(server.lease);
}

static void a_released_lease_is_taken_at_once(void **state)
{
    (void)state;
    struct server server = {0};
    struct sonde_kube_lease a;
    struct sonde_kube_lease b;
    init(&a, "a", 1);
    init(&b, "b", 2);
    (void)drive(&a, &server, 0);
    sonde_kube_lease_release(&a);
    assert_int_equal(drive(&a, &server, SONDE_SECOND).action, SONDE_KUBE_LEASE_ENDED);
    assert_false(sonde_kube_lease_leads(&a, SONDE_SECOND));
    assert_string_equal(sonde_json_string_or(spec_of(&server), "holderIdentity", "x"), "");
    assert_int_equal(sonde_json_integer_or(spec_of(&server), "leaseDurationSeconds", 0), 1);
    (void)drive(&b, &server, SONDE_SECOND);
    assert_true(sonde_kube_lease_leads(&b, SONDE_SECOND));
    sonde_kube_lease_release(&b);
    struct sonde_kube_lease c;
    init(&c, "c", 3);
    sonde_kube_lease_release(&c); /* it never led */
    assert_int_equal(drive(&c, &server, SONDE_SECOND).action, SONDE_KUBE_LEASE_ENDED);
    cJSON_Delete(server.lease);
}

static void a_release_waits_for_the_write_under_way(void **state)
{
    (void)state;
    struct server server = {0};
    struct sonde_kube_lease a;
    init(&a, "a", 1);
    (void)drive(&a, &server, 0);
    assert_int_equal(sonde_kube_lease_step(&a, 2 * SONDE_SECOND).action, SONDE_KUBE_LEASE_UPDATE);
    SONDE_BUF_AUTO body = SONDE_BUF(4096);
    sonde_kube_lease_print(&a, REALTIME, &body);
    sonde_kube_lease_release(&a);
    assert_int_equal(answer(&server, SONDE_KUBE_LEASE_UPDATE, body.data), 0);
    assert_int_equal(sonde_kube_lease_answered(&a, 2 * SONDE_SECOND, server.lease, NULL), 0);
    assert_string_equal(sonde_json_string_or(spec_of(&server), "holderIdentity", ""), "a");
    assert_int_equal(drive(&a, &server, 2 * SONDE_SECOND).action, SONDE_KUBE_LEASE_ENDED);
    assert_string_equal(sonde_json_string_or(spec_of(&server), "holderIdentity", "x"), "");
    cJSON_Delete(server.lease);
}

static void what_is_no_lease_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "{\"metadata\":{\"resourceVersion\":\"1\"}}",
                                        "{\"metadata\":{\"resourceVersion\":1},\"spec\":{}}",
                                        "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":[]}"};
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        struct sonde_kube_lease a;
        init(&a, "a", 1);
        assert_int_equal(sonde_kube_lease_step(&a, 0).action, SONDE_KUBE_LEASE_GET);
        SONDE_JSON_AUTO *json = cJSON_Parse(texts[i]);
        assert_int_equal(sonde_kube_lease_answered(&a, 0, json, NULL), SONDE_EPROTOCOL);
        sonde_kube_lease_failed(&a, 0, SONDE_EPROTOCOL);
        assert_int_equal(sonde_kube_lease_step(&a, 0).action, SONDE_KUBE_LEASE_WAIT);
    }
}

/* Three replicas, each cut off and back at random: at no time do two lead. */
static void never_two_at_a_time(void **state)
{
    (void)state;
    enum { REPLICAS = 3, STEPS = 4000 };
    static const char *const names[] = {"a", "b", "c"};
    uint64_t random = 4711;
    struct server server = {0};
    struct sonde_kube_lease leases[REPLICAS];
    struct sonde_kube_lease_step steps[REPLICAS] = {{0}};
    int changes = 0;
    int leader = -1;
    print_message("seed %llu\n", (unsigned long long)random);
    for (int i = 0; i < REPLICAS; i++) {
        init(&leases[i], names[i], (uint64_t)i + 1);
    }
    for (int s = 0; s < STEPS; s++) {
        int64_t now = (int64_t)s * 500 * SONDE_MILLISECOND;
        int leading = 0;
        for (int i = 0; i < REPLICAS; i++) {
            server.down = sonde_random_next(&random) % 8 < 3 + (uint64_t)(s / 100 % 5);
            steps[i] = drive(&leases[i], &server, now);
            if (steps[i].action == SONDE_KUBE_LEASE_LOST) {
                init(&leases[i], names[i], random); /* its program was started anew */
            }
        }
        for (int i = 0; i < REPLICAS; i++) {
            if (sonde_kube_lease_leads(&leases[i], now)) {
                leading++;
                changes += leader != i;
                leader = i;
            }
        }
        assert_true(leading <= 1);
    }
    assert_true(changes > 5);
    cJSON_Delete(server.lease);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_leads),
        cmocka_unit_test(a_silent_leader_is_replaced_by_our_own_clock),
        cmocka_unit_test(a_leader_cut_off_gives_up_before_others_take_over),
        cmocka_unit_test(a_request_without_an_answer_is_no_renewal),
        cmocka_unit_test(a_released_lease_is_taken_at_once),
        cmocka_unit_test(a_release_waits_for_the_write_under_way),
        cmocka_unit_test(what_is_no_lease_is_refused),
        cmocka_unit_test(never_two_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
