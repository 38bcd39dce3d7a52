/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kube/elector.h"
#include "server.h"

static struct server server;

struct replica {
    struct session session;
    struct sonde_kube_elector *elector;
    unsigned started, stopped;
    bool released;
    int64_t transitions;
};

static void started(void *context, int64_t transitions)
{
    struct replica *r = context;
    r->started++;
    r->transitions = transitions;
}

static void stopped(void *context, bool released)
{
    struct replica *r = context;
    r->stopped++;
    r->released = released;
}

static bool has_started(void *context)
{
    const struct replica *r = context;
    return r->started > 0;
}

static bool has_stopped(void *context)
{
    const struct replica *r = context;
    return r->stopped > 0;
}

/* Times of a tenth, so that nobody waits for seconds. */
static void begin(struct replica *r, const char *identity)
{
    *r = (struct replica){.elector = NULL};
    session_begin(&r->session, &server, "{token: t}", ", certificate-authority: ca.pem", NULL);
    const struct sonde_kube_elector_options options = {
        .lease = {.namespace = "sonde-system",
                  .name = "leader",
                  .identity = identity,
                  .duration_ns = SONDE_SECOND,
                  .renew_deadline_ns = SONDE_SECOND * 7 / 10,
                  .retry_ns = SONDE_SECOND / 5,
                  .seed = 1},
        .context = r,
        .started = started,
        .stopped = stopped,
    };
    assert_int_equal(
        sonde_kube_elector_new(r->session.loop, r->session.kube, &options, &r->elector, NULL), 0);
}

static void end(struct replica *r)
{
    sonde_kube_elector_free(r->elector);
    session_end(&r->session);
}

static void one_leads_and_hands_over(void **state)
{
    (void)state;
    struct replica a;
    struct replica b;
    begin(&a, "a");
    session_run(&a.session, has_started, &a);
    assert_true(sonde_kube_elector_leads(a.elector));
    assert_int_equal(a.transitions, 0);
    begin(&b, "b");
    for (int i = 0; i < 20; i++) {
        sonde_loop_poll(b.session.loop);
    }
    assert_int_equal(b.started, 0);
    sonde_kube_elector_release(a.elector);
    session_run(&a.session, has_stopped, &a);
    assert_true(a.released);
    assert_false(sonde_kube_elector_leads(a.elector));
    session_run(&b.session, has_started, &b);
    assert_int_equal(b.transitions, 1);
    end(&a);
    end(&b); /* without a release: its lease ends by itself */
    begin(&a, "c");
    session_run(&a.session, has_started, &a);
    assert_int_equal(a.transitions, 2);
    end(&a);
}

static void a_leader_whose_renewals_are_refused_stops(void **state)
{
    (void)state;
    struct replica a;
    begin(&a, "d");
    session_run(&a.session, has_started, &a);
    for (int i = 0; i < 20; i++) {
        session_control(&a.session, "{\"do\":\"fault\",\"match\":\"(PUT|GET) .*leases\","
                                    "\"status\":500,\"body\":\"no\"}");
    }
    session_run(&a.session, has_stopped, &a);
    assert_false(a.released);
    assert_int_equal(a.started, 1);
    assert_int_equal(a.stopped, 1);
    end(&a);
}

static void needs_names(void **state)
{
    (void)state;
    struct replica a;
    struct sonde_kube_elector *other = NULL;
    begin(&a, "e");
    const struct sonde_kube_elector_options options = {
        .lease = {.namespace = "n", .name = "../x", .identity = "i"}};
    assert_int_equal(sonde_kube_elector_new(a.session.loop, a.session.kube, &options, &other, NULL),
                     SONDE_EINVALID);
    end(&a);
}

/* ---- events ---- */

struct writes {
    struct session session;
    int posts, patches, wanted;
};

static void observe(void *context, const char *verb, int status, int64_t duration_ns)
{
    (void)duration_ns;
    struct writes *w = context;
    w->posts += strcmp(verb, "create") == 0 && status == 200;
    w->patches += strcmp(verb, "patch") == 0 && status == 200;
}

static bool are_written(void *context)
{
    const struct writes *w = context;
    return w->posts + w->patches == w->wanted;
}

static void events_are_written(void **state)
{
    (void)state;
    struct sonde_kube_recorder *recorder = NULL;
    struct writes w = {.wanted = 1};
    const struct sonde_kube_options options = {.context = &w, .observed = observe};
    session_begin(&w.session, &server, "{token: t}", ", certificate-authority: ca.pem", &options);
    assert_int_equal(sonde_kube_recorder_new(w.session.loop, w.session.kube, "sonde.dev/controller",
                                             "pod-0", 10, &recorder, NULL),
                     0);
    const struct sonde_kube_event event = {"v1", "Pod", "shop", "a", "u", true, "R", "A", "note"};
    assert_int_equal(sonde_kube_recorder_record(recorder, &event, NULL), 0);
    session_run(&w.session, are_written, &w);
    assert_int_equal(sonde_kube_recorder_record(recorder, &event, NULL), 0);
    w.wanted = 2;
    session_run(&w.session, are_written, &w);
    assert_int_equal(w.posts, 1);
    assert_int_equal(w.patches, 1);
    const char *asked = session_asked(&w.session);
    assert_non_null(strstr(asked, "POST /apis/events.k8s.io/v1/namespaces/shop/events "
                                  "application/json {\\\"apiVersion\\\":\\\"events.k8s.io/v1"));
    assert_non_null(strstr(asked, "application/merge-patch+json {\\\"series\\\":{\\\"count\\\":2"));
    assert_int_equal(sonde_kube_recorder_dropped(recorder), 0);
    sonde_kube_recorder_free(recorder);
    session_end(&w.session);
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
        cmocka_unit_test(one_leads_and_hands_over),
        cmocka_unit_test(a_leader_whose_renewals_are_refused_stops),
        cmocka_unit_test(needs_names),
        cmocka_unit_test(events_are_written),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
