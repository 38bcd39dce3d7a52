/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/json.h"
#include "kube/informer.h"
#include "server.h"

static const struct sonde_kube_resource pods = {"", "v1", "pods", "Pod"};
static struct server server;

/* An informer of pods, and what it told. */
struct seen {
    struct session session;
    struct sonde_kube_informer *informer;
    unsigned added, changed, deleted, synced, failed, skipped;
    struct sonde_err err;
};

static int keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    (void)err;
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(object, "spec");
    *ret = strdup(sonde_json_string_or(spec, "nodeName", ""));
    return *ret ? 0 : SONDE_ENOMEM;
}

static void release(void *context, void *kept)
{
    (void)context;
    free(kept);
}

static void changed(void *context, const struct sonde_kube_object *before,
                    const struct sonde_kube_object *after)
{
    struct seen *seen = context;
    seen->added += !before;
    seen->deleted += !after;
    seen->changed += before && after;
}

static void synced(void *context)
{
    struct seen *seen = context;
    seen->synced++;
}

static void failed(void *context, const struct sonde_err *err)
{
    struct seen *seen = context;
    seen->failed++;
    seen->err = *err;
}

static void skipped(void *context, const struct sonde_err *err)
{
    struct seen *seen = context;
    seen->skipped++;
    seen->err = *err;
}

static void begin_with(struct seen *seen, int64_t silence_ns)
{
    *seen = (struct seen){.informer = NULL};
    session_begin(&seen->session, &server, "{token: t}", ", certificate-authority: ca.pem", NULL);
    const struct sonde_kube_informer_options options = {
        .resource = &pods,
        .namespace = "shop",
        .label_selector = "app=web",
        .cache = {.context = seen,
                  .keep = keep,
                  .release = release,
                  .changed = changed,
                  .maximum = 10000},
        .context = seen,
        .synced = synced,
        .failed = failed,
        .skipped = skipped,
        .seed = 1,
        .silence_ns = silence_ns,
    };
    (void)session_asked(&seen->session);
    assert_int_equal(sonde_kube_informer_new(seen->session.loop, seen->session.kube, &options,
                                             &seen->informer, NULL),
                     0);
}

static void begin(struct seen *seen)
{
    begin_with(seen, 0);
}

static void end(struct seen *seen)
{
    sonde_kube_informer_free(seen->informer);
    session_end(&seen->session);
}

/* ---- conditions ---- */

static const struct sonde_kube_object *pod(const struct seen *seen, const char *key)
{
    return sonde_kube_cache_get(sonde_kube_informer_cache(seen->informer), sonde_str(key));
}

static bool is_synced(void *context)
{
    const struct seen *seen = context;
    return seen->synced > 0 && sonde_kube_informer_reflector(seen->informer)->watches > 0;
}

static bool has_failed(void *context)
{
    const struct seen *seen = context;
    return seen->failed > 0;
}

static bool has_late(void *context)
{
    const struct seen *seen = context;
    return pod(seen, "shop/late") != NULL;
}

static bool has_skipped_late(void *context)
{
    const struct seen *seen = context;
    return seen->skipped > 3;
}

static bool has_no_late(void *context)
{
    const struct seen *seen = context;
    return pod(seen, "shop/late") == NULL;
}

static bool is_on_node_2(void *context)
{
    const struct seen *seen = context;
    const struct sonde_kube_object *object = pod(seen, "shop/late");
    return object && strcmp(object->kept, "node-2") == 0;
}

static bool at_bookmark(void *context)
{
    const struct seen *seen = context;
    char version[16];
    /* The server counts up with each change: the pod's was the one before. */
    const struct sonde_kube_object *object = pod(seen, "shop/late");
    uint64_t number = 0;
    (void)!sonde_parse_u64(sonde_str(object->resource_version), 0, UINT64_MAX, &number);
    (void)snprintf(version, sizeof(version), "%llu", (unsigned long long)number + 1);
    return strcmp(sonde_kube_informer_reflector(seen->informer)->version, version) == 0;
}

static void wait_for(struct seen *seen, bool (*until)(void *context))
{
    session_run(&seen->session, until, seen);
}

static int count(const char *text, const char *part)
{
    int found = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        found++;
    }
    return found;
}

/* Puts or removes the pod "late" and sees it come and go, so that the watch is known to work. */
static void see_it_work(struct seen *seen)
{
    session_control(&seen->session, "{\"do\":\"put\",\"name\":\"late\"}");
    wait_for(seen, has_late);
    session_control(&seen->session, "{\"do\":\"remove\",\"name\":\"late\"}");
    wait_for(seen, has_no_late);
}

/* ---- tests ---- */

static void lists_in_pages_and_watches(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    session_control(&seen.session, "{\"do\":\"fill\",\"count\":1201}");
    wait_for(&seen, is_synced);
    assert_int_equal(seen.added, 1201);
    assert_int_equal(sonde_kube_cache_count(sonde_kube_informer_cache(seen.informer)), 1201);
    assert_true(sonde_kube_informer_synced(seen.informer));
    session_control(&seen.session, "{\"do\":\"put\",\"name\":\"late\"}");
    wait_for(&seen, has_late);
    session_control(&seen.session, "{\"do\":\"put\",\"name\":\"late\",\"node\":\"node-2\"}");
    wait_for(&seen, is_on_node_2);
    session_control(&seen.session, "{\"do\":\"bookmark\"}");
    wait_for(&seen, at_bookmark);
    session_control(&seen.session, "{\"do\":\"remove\",\"name\":\"late\"}");
    wait_for(&seen, has_no_late);
    assert_int_equal(seen.changed, 1);
    assert_int_equal(seen.deleted, 1);
    assert_int_equal(seen.failed, 0);
    assert_int_equal(seen.synced, 1);
    const char *asked = session_asked(&seen.session);
    assert_int_equal(count(asked, "GET "), 4); /* three pages and a watch */
    assert_non_null(strstr(asked, "GET /api/v1/namespaces/shop/pods?labelSelector=app%3Dweb&limit="
                                  "500&resourceVersion=0&resourceVersionMatch=NotOlderThan\""));
    assert_int_equal(count(asked, "continue=500\""), 1);
    assert_int_equal(count(asked, "watch=true&allowWatchBookmarks=true&resourceVersion="), 1);
    end(&seen);
}

/* More objects than the cache may have hide none of those that it has. */
static void what_is_too_many_is_left_out(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    session_control(&seen.session, "{\"do\":\"fill\",\"count\":10003}");
    wait_for(&seen, is_synced);
    assert_int_equal(seen.added, 10000);
    assert_int_equal(seen.skipped, 3);
    assert_int_equal(seen.err.code, SONDE_ELIMIT);
    assert_int_equal(sonde_kube_informer_skipped(seen.informer), 3);
    session_control(&seen.session, "{\"do\":\"put\",\"name\":\"late\"}");
    wait_for(&seen, has_skipped_late);
    assert_int_equal(seen.failed, 0);
    assert_int_equal(seen.added, 10000);
    assert_int_equal(sonde_kube_informer_reflector(seen.informer)->watches, 1);
    end(&seen);
}

static void goes_on_after_an_end(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    wait_for(&seen, is_synced);
    see_it_work(&seen);
    (void)session_asked(&seen.session);
    session_control(&seen.session, "{\"do\":\"end\",\"how\":\"normal\"}");
    see_it_work(&seen);
    const char *asked = session_asked(&seen.session);
    assert_int_equal(count(asked, "watch=true"), 1);
    assert_int_equal(count(asked, "GET "), 1); /* no list */
    assert_int_equal(seen.failed, 0);
    end(&seen);
}

static void goes_on_after_a_cut(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    wait_for(&seen, is_synced);
    see_it_work(&seen);
    (void)session_asked(&seen.session);
    session_control(&seen.session, "{\"do\":\"end\",\"how\":\"cut\"}");
    wait_for(&seen, has_failed);
    assert_true(seen.err.code == SONDE_ENETWORK || seen.err.code == SONDE_EPROTOCOL);
    see_it_work(&seen);
    const char *asked = session_asked(&seen.session);
    assert_int_equal(count(asked, "watch=true"), 1);
    assert_true(sonde_kube_informer_synced(seen.informer));
    end(&seen);
}

static void lists_again_what_expired(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    wait_for(&seen, is_synced);
    see_it_work(&seen);
    (void)session_asked(&seen.session);
    /* What happened while it did not watch is found by the list: a pod is gone, another new. */
    session_control(&seen.session, "{\"do\":\"end\",\"how\":\"expired\"}");
    session_control(&seen.session, "{\"do\":\"remove\",\"name\":\"pod-7\"}");
    session_control(&seen.session, "{\"do\":\"put\",\"name\":\"late\"}");
    session_control(&seen.session, "{\"do\":\"compact\"}");
    wait_for(&seen, has_late);
    assert_null(pod(&seen, "shop/pod-7"));
    assert_int_equal(seen.err.code, SONDE_EGONE);
    assert_int_equal(seen.synced, 1);
    session_control(&seen.session, "{\"do\":\"remove\",\"name\":\"late\"}");
    wait_for(&seen, has_no_late);
    end(&seen);
}

static void a_watch_that_is_gone_is_listed(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    wait_for(&seen, is_synced);
    see_it_work(&seen);
    (void)session_asked(&seen.session);
    session_control(&seen.session, "{\"do\":\"fault\",\"match\":\"watch=true\",\"status\":410,"
                                   "\"body\":{\"reason\":\"Expired\"}}");
    session_control(&seen.session, "{\"do\":\"end\",\"how\":\"normal\"}");
    wait_for(&seen, has_failed);
    assert_int_equal(seen.err.code, SONDE_EGONE);
    see_it_work(&seen);
    const char *asked = session_asked(&seen.session);
    assert_int_equal(count(asked, "NotOlderThan"), 1);
    assert_int_equal(count(asked, "watch=true"), 2);
    end(&seen);
}

static void waits_as_it_is_told(void **state)
{
    (void)state;
    struct seen seen;
    begin(&seen);
    wait_for(&seen, is_synced);
    see_it_work(&seen);
    session_control(&seen.session, "{\"do\":\"fault\",\"match\":\"watch=true\",\"status\":429,"
                                   "\"headers\":{\"Retry-After\":\"2\"},\"body\":{}}");
    (void)session_asked(&seen.session);
    int64_t start = sonde_clock_monotonic();
    session_control(&seen.session, "{\"do\":\"end\",\"how\":\"normal\"}");
    wait_for(&seen, has_failed);
    assert_int_equal(seen.err.code, SONDE_EBUSY);
    see_it_work(&seen);
    assert_true(sonde_clock_monotonic() - start >= 2 * SONDE_SECOND);
    const char *asked = session_asked(&seen.session);
    assert_int_equal(count(asked, "watch=true"), 2);
    assert_int_equal(count(asked, "NotOlderThan"), 0); /* the watch again, no list */
    end(&seen);
}

static bool watches_again(void *context)
{
    const struct seen *seen = context;
    return sonde_kube_informer_reflector(seen->informer)->watches > 1;
}

/* Its peer may be gone without a word: a balancer, a node. */
static void a_silent_watch_is_begun_again(void **state)
{
    (void)state;
    struct seen seen;
    begin_with(&seen, SONDE_SECOND);
    wait_for(&seen, is_synced);
    int64_t start = sonde_clock_monotonic();
    wait_for(&seen, has_failed);
    assert_int_equal(seen.err.code, SONDE_ETIMEOUT);
    assert_true(sonde_clock_monotonic() - start >= 900 * SONDE_MILLISECOND);
    wait_for(&seen, watches_again);
    assert_int_equal(sonde_kube_informer_reflector(seen.informer)->lists, 1);
    see_it_work(&seen);
    end(&seen);
}

static void may_end_at_any_time(void **state)
{
    (void)state;
    for (int polls = 0; polls < 40; polls++) {
        struct seen seen;
        begin(&seen);
        for (int i = 0; i < polls; i++) {
            sonde_loop_poll(seen.session.loop);
        }
        end(&seen);
    }
}

static int begin_all(void **state)
{
    (void)state;
    server_begin(&server, "server");
    server_put(&server, "valid", "t", 0600);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    server_end(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_in_pages_and_watches),
        cmocka_unit_test(goes_on_after_an_end),
        cmocka_unit_test(goes_on_after_a_cut),
        cmocka_unit_test(lists_again_what_expired),
        cmocka_unit_test(a_watch_that_is_gone_is_listed),
        cmocka_unit_test(waits_as_it_is_told),
        cmocka_unit_test(a_silent_watch_is_begun_again),
        cmocka_unit_test(may_end_at_any_time),
        cmocka_unit_test(what_is_too_many_is_left_out), /* and they stay there */
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
