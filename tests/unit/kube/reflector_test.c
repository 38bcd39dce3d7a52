/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kube/reflector.h"

static struct sonde_kube_list page_of(const char *version, const char *token)
{
    struct sonde_kube_list page = {.has_items = true};
    (void)snprintf(page.resource_version, sizeof(page.resource_version), "%s", version);
    (void)snprintf(page.continue_token, sizeof(page.continue_token), "%s", token);
    return page;
}

static bool page(struct sonde_kube_reflector *r, int64_t now, const char *version,
                 const char *token)
{
    struct sonde_kube_list list = page_of(version, token);
    return sonde_kube_reflector_page(r, now, &list);
}

/* A reflector that watches from version "100" since time 0, listed at time 0. */
static void watching(struct sonde_kube_reflector *r)
{
    sonde_kube_reflector_init(r, 7);
    assert_int_equal(sonde_kube_reflector_step(r, 0).action, SONDE_KUBE_LIST);
    assert_true(page(r, 0, "100", ""));
    assert_int_equal(sonde_kube_reflector_step(r, 0).action, SONDE_KUBE_WATCH);
}

static void lists_in_pages_then_watches(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    sonde_kube_reflector_init(&r, 1);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, 5);
    assert_int_equal(step.action, SONDE_KUBE_LIST);
    assert_true(step.first_page);
    assert_string_equal(step.resource_version, "0");
    assert_null(step.continue_token);
    assert_int_equal(step.limit, SONDE_KUBE_PAGE);
    step = sonde_kube_reflector_step(&r, 6);
    assert_int_equal(step.action, SONDE_KUBE_WAIT); /* it is under way */
    assert_int_equal(step.at, INT64_MAX);
    assert_false(page(&r, 7, "40", "next"));
    assert_false(r.synced);
    step = sonde_kube_reflector_step(&r, 7);
    assert_int_equal(step.action, SONDE_KUBE_LIST);
    assert_false(step.first_page);
    assert_string_equal(step.continue_token, "next");
    assert_null(step.resource_version);
    assert_true(page(&r, 8, "40", ""));
    assert_true(r.synced);
    step = sonde_kube_reflector_step(&r, 8);
    assert_int_equal(step.action, SONDE_KUBE_WATCH);
    assert_string_equal(step.resource_version, "40");
    assert_in_range(step.timeout_seconds, 300, 600);
    assert_int_equal(r.lists, 1);
    assert_int_equal(r.watches, 1);
}

static void a_watch_goes_on_where_it_ended(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    watching(&r);
    sonde_kube_reflector_event(&r, "101");
    sonde_kube_reflector_event(&r, "250"); /* a bookmark */
    sonde_kube_reflector_ended(&r, 400 * SONDE_SECOND, 0, NULL);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, 400 * SONDE_SECOND);
    assert_int_equal(step.action, SONDE_KUBE_WATCH);
    assert_string_equal(step.resource_version, "250");
}

static void timeouts_are_random(void **state)
{
    (void)state;
    unsigned least = UINT32_MAX;
    unsigned most = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sonde_kube_reflector r;
        sonde_kube_reflector_init(&r, seed);
        (void)sonde_kube_reflector_step(&r, 0);
        (void)page(&r, 0, "1", "");
        unsigned seconds = sonde_kube_reflector_step(&r, 0).timeout_seconds;
        assert_in_range(seconds, 300, 600);
        least = seconds < least ? seconds : least;
        most = seconds > most ? seconds : most;
    }
    assert_in_range(least, 300, 320);
    assert_in_range(most, 580, 600);
}

static void a_watch_that_ends_at_once_is_a_failure(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    watching(&r);
    sonde_kube_reflector_ended(&r, 1000, 0, NULL);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, 1000);
    assert_int_equal(step.action, SONDE_KUBE_WAIT);
    assert_in_range(step.at - 1000, 800 * SONDE_MILLISECOND, 1600 * SONDE_MILLISECOND);
    assert_int_equal(sonde_kube_reflector_step(&r, step.at - 1).action, SONDE_KUBE_WAIT);
    assert_int_equal(sonde_kube_reflector_step(&r, step.at).action, SONDE_KUBE_WATCH);
}

static void failures_wait_longer_and_longer(void **state)
{
    (void)state;
    static const int64_t base_ms[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
    struct sonde_kube_reflector r;
    int64_t now = 0;
    watching(&r);
    for (size_t i = 0; i < SONDE_LENGTH(base_ms); i++) {
        sonde_kube_reflector_ended(&r, now, SONDE_ENETWORK, NULL);
        int64_t at = sonde_kube_reflector_step(&r, now).at;
        assert_in_range(at - now, base_ms[i] * SONDE_MILLISECOND,
                        2 * base_ms[i] * SONDE_MILLISECOND);
        now = at;
        struct sonde_kube_step step = sonde_kube_reflector_step(&r, now);
        assert_int_equal(step.action, SONDE_KUBE_WATCH);
        assert_string_equal(step.resource_version, "100");
    }
    now += 121 * SONDE_SECOND; /* two quiet minutes */
    sonde_kube_reflector_ended(&r, now, SONDE_ENETWORK, NULL);
    assert_in_range(sonde_kube_reflector_step(&r, now).at - now, 800 * SONDE_MILLISECOND,
                    1600 * SONDE_MILLISECOND);
}

static void a_dead_peer_after_events_is_replaced_at_once(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    watching(&r);
    sonde_kube_reflector_event(&r, "120");
    sonde_kube_reflector_ended(&r, 200 * SONDE_SECOND, SONDE_ETIMEOUT, NULL);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, 200 * SONDE_SECOND);
    assert_int_equal(step.action, SONDE_KUBE_WATCH);
    assert_string_equal(step.resource_version, "120");
}

static void retry_after_is_honoured(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    const struct sonde_kube_status busy = {.http = 429, .retry_after_ns = 17 * SONDE_SECOND};
    watching(&r);
    sonde_kube_reflector_ended(&r, 0, SONDE_EBUSY, &busy);
    assert_int_equal(sonde_kube_reflector_step(&r, 0).at, 17 * SONDE_SECOND);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, 17 * SONDE_SECOND);
    assert_int_equal(step.action, SONDE_KUBE_WATCH); /* no new list */
}

static void what_is_gone_is_listed_anew(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    int64_t now = 300 * SONDE_SECOND;
    watching(&r);
    sonde_kube_reflector_event(&r, "150");
    sonde_kube_reflector_ended(&r, now, SONDE_EGONE, NULL);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, now);
    assert_int_equal(step.action, SONDE_KUBE_LIST);
    assert_true(step.first_page);
    assert_string_equal(step.resource_version, "150");
    assert_int_equal(step.limit, 0); /* a limit would mean exactly that version */
    sonde_kube_reflector_ended(&r, now, SONDE_EGONE, NULL); /* that is too old too */
    step = sonde_kube_reflector_step(&r, now);
    assert_int_equal(step.action, SONDE_KUBE_LIST);
    assert_null(step.resource_version);
    assert_int_equal(step.limit, SONDE_KUBE_PAGE);
    sonde_kube_reflector_ended(&r, now, SONDE_EGONE, NULL); /* and again: not in a circle */
    step = sonde_kube_reflector_step(&r, now);
    assert_int_equal(step.action, SONDE_KUBE_WAIT);
    step = sonde_kube_reflector_step(&r, step.at);
    assert_null(step.resource_version);
    assert_true(page(&r, now, "300", ""));
    step = sonde_kube_reflector_step(&r, now);
    assert_int_equal(step.action, SONDE_KUBE_WATCH);
    assert_string_equal(step.resource_version, "300");
    sonde_kube_reflector_ended(&r, now, SONDE_EGONE, NULL); /* just listed: not in a circle */
    step = sonde_kube_reflector_step(&r, now);
    assert_int_equal(step.action, SONDE_KUBE_WAIT);
    step = sonde_kube_reflector_step(&r, step.at);
    assert_int_equal(step.action, SONDE_KUBE_LIST);
    assert_string_equal(step.resource_version, "300");
}

static void a_version_of_the_future_is_forgotten(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    const struct sonde_kube_status future = {.http = 504, .cause = "ResourceVersionTooLarge"};
    watching(&r);
    sonde_kube_reflector_ended(&r, 0, SONDE_EDENIED, NULL);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, 10 * SONDE_SECOND);
    assert_int_equal(step.action, SONDE_KUBE_LIST); /* what was not accepted begins anew */
    assert_string_equal(step.resource_version, "100");
    sonde_kube_reflector_ended(&r, 10 * SONDE_SECOND, SONDE_ETIMEOUT, &future);
    step = sonde_kube_reflector_step(&r, 10 * SONDE_SECOND);
    assert_int_equal(step.action, SONDE_KUBE_LIST);
    assert_null(step.resource_version);
}

static void pages_that_expire_are_replaced_by_one_piece(void **state)
{
    (void)state;
    struct sonde_kube_reflector r;
    sonde_kube_reflector_init(&r, 3);
    (void)sonde_kube_reflector_step(&r, 0);
    assert_false(page(&r, 0, "9", "token"));
    (void)sonde_kube_reflector_step(&r, 0);
    sonde_kube_reflector_ended(&r, 0, SONDE_EGONE, NULL);
    struct sonde_kube_step step = sonde_kube_reflector_step(&r, 0);
    assert_int_equal(step.action, SONDE_KUBE_LIST);
    assert_true(step.first_page);
    assert_null(step.continue_token);
    assert_null(step.resource_version);
    assert_int_equal(step.limit, 0);
    assert_true(page(&r, 0, "12", ""));
    assert_string_equal(sonde_kube_reflector_step(&r, 0).resource_version, "12");
}

static void a_list_that_fails_begins_anew_later(void **state)
{
    (void)state;
    static const int codes[] = {SONDE_ENETWORK, SONDE_EDENIED, SONDE_EBUSY, SONDE_EPARSE,
                                SONDE_ENOMEM};
    for (size_t i = 0; i < SONDE_LENGTH(codes); i++) {
        struct sonde_kube_reflector r;
        sonde_kube_reflector_init(&r, 3);
        (void)sonde_kube_reflector_step(&r, 0);
        assert_false(page(&r, 0, "9", "token"));
        (void)sonde_kube_reflector_step(&r, 0);
        sonde_kube_reflector_ended(&r, 0, codes[i], NULL);
        struct sonde_kube_step step = sonde_kube_reflector_step(&r, 0);
        assert_int_equal(step.action, SONDE_KUBE_WAIT);
        assert_in_range(step.at, 800 * SONDE_MILLISECOND, 1600 * SONDE_MILLISECOND);
        step = sonde_kube_reflector_step(&r, step.at);
        assert_true(step.first_page);
        assert_string_equal(step.resource_version, "0");
    }
}

static void a_bucket_gives_a_burst_and_then_a_rate(void **state)
{
    (void)state;
    struct sonde_kube_bucket bucket;
    sonde_kube_bucket_init(&bucket, 10, 3, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sonde_kube_bucket_take(&bucket, 0), 0);
    }
    assert_in_range(sonde_kube_bucket_take(&bucket, 0), 99999000, 100001000);
    assert_in_range(sonde_kube_bucket_take(&bucket, 0), 199999000, 200001000);
    assert_in_range(sonde_kube_bucket_take(&bucket, SONDE_SECOND / 5), 99999000, 100001000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sonde_kube_bucket_take(&bucket, 100 * SONDE_SECOND), 0);
    }
    assert_true(sonde_kube_bucket_take(&bucket, 100 * SONDE_SECOND) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_in_pages_then_watches),
        cmocka_unit_test(a_watch_goes_on_where_it_ended),
        cmocka_unit_test(timeouts_are_random),
        cmocka_unit_test(a_watch_that_ends_at_once_is_a_failure),
        cmocka_unit_test(failures_wait_longer_and_longer),
        cmocka_unit_test(a_dead_peer_after_events_is_replaced_at_once),
        cmocka_unit_test(retry_after_is_honoured),
        cmocka_unit_test(what_is_gone_is_listed_anew),
        cmocka_unit_test(a_version_of_the_future_is_forgotten),
        cmocka_unit_test(pages_that_expire_are_replaced_by_one_piece),
        cmocka_unit_test(a_list_that_fails_begins_anew_later),
        cmocka_unit_test(a_bucket_gives_a_burst_and_then_a_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
