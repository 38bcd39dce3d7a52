/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_work.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "cli/cli.h"
#include "inspector/cgroup.h"
#include "load/awake.h"
#include "load/plan.h"
#include "load/proxy.h"

enum {
    FILE_MAX_BYTES = 64 << 20,
    ASK_MAX_BYTES = 8 << 10,
};

struct load_work load_work_new(const struct cli_load_settings *settings,
                               const struct load_order *order, const struct sonde_arguments *typed,
                               const struct load_server *server)
{
    return (struct load_work){.order = order,
                              .test = order->test,
                              .settings = settings,
                              .typed = typed,
                              .server = server,
                              .profile = LOAD_PROFILE_NONE,
                              .arena = SONDE_ARENA(2 * FILE_MAX_BYTES),
                              .body = SONDE_BUF(FILE_MAX_BYTES),
                              .authority = SONDE_BUF(FILE_MAX_BYTES),
                              .certificate = SONDE_BUF(FILE_MAX_BYTES),
                              .key = SONDE_BUF(FILE_MAX_BYTES)};
}

void load_work_fini(struct load_work *w)
{
    sonde_load_outcome_fini(&w->outcome);
    sonde_load_result_fini(&w->result);
    for (size_t i = 0; w->places && i < w->plan.origin_count; i++) {
        load_requests_fini(&w->places[i].requests);
    }
    sonde_arena_fini(&w->arena);
    sonde_buf_fini(&w->body);
    sonde_buf_fini(&w->authority);
    sonde_buf_fini(&w->certificate);
    sonde_buf_fini(&w->key);
}

static int make_requests(struct load_work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    int r = s->input ? sonde_read_input(s->input, &w->body, err) : 0;
    for (size_t i = 0; i < w->plan.origin_count && r == 0; i++) {
        struct load_place *place = &w->places[i];
        r = load_requests_make(s, w->order, &place->target, &w->body, &w->arena, &place->requests,
                               err);
        load_requests_plan(&place->requests, &w->origins[i]);
    }
    return r;
}

/* What results tell apart. */
static int make_labels(struct load_work *w, struct sonde_err *err)
{
    int r = 0;
    w->plan.labels = w->labels;
    for (size_t i = 0; i < w->plan.origin_count && r == 0; i++) {
        r = sonde_load_label(&w->origins[i], w->settings->per_address, w->labels,
                             &w->plan.label_count, err);
    }
    return r;
}

static int read_tls(struct load_work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    int r = s->certificate ? sonde_read_input(s->certificate, &w->certificate, err) : 0;
    r = r < 0 || !s->key ? r : sonde_read_input(s->key, &w->key, err);
    for (size_t i = 0; i < s->authorities.count && r == 0; i++) {
        r = sonde_read_input(s->authorities.items[i], &w->authority, err);
        sonde_buf_char(&w->authority, '\n');
    }
    for (size_t i = 0; i < w->plan.origin_count; i++) {
        const struct sonde_load_url *url = &w->places[i].target.url;
        w->origins[i].tls = (struct sonde_load_tls_options){
            .enabled = url->tls,
            .skip_verify = s->insecure || s->autocannon,
            .server_name = s->server_name ? s->server_name : url->host,
            .authorities = sonde_buf_view(&w->authority),
            .certificate = sonde_buf_view(&w->certificate),
            .key = sonde_buf_view(s->key ? &w->key : &w->certificate),
        };
    }
    return r;
}

static int read_thresholds(struct load_work *w, struct sonde_err *err)
{
    int r = sonde_load_verdicts_of(w->test, SONDE_LENGTH(w->verdicts), w->verdicts,
                                   &w->verdict_count, err);
    for (size_t i = 0; i < w->verdict_count && r == 0; i++) {
        r = sonde_load_check_threshold(&w->verdicts[i], w->plan.labels, w->plan.label_count, err);
    }
    return r;
}

static int ask_proxy(struct load_work *w, size_t number, struct sonde_err *err)
{
    struct load_place *place = &w->places[number];
    struct sonde_load_url proxy;
    SONDE_BUF_AUTO ask = SONDE_BUF(ASK_MAX_BYTES);
    int r =
        sonde_load_proxy_ask(sonde_str(w->settings->proxy), &place->target.url, &proxy, &ask, err);
    if (r < 0) {
        return r;
    }
    w->origins[number].connect = sonde_arena_copy(&w->arena, sonde_buf_view(&ask));
    return w->origins[number].connect.data
               ? sonde_load_resolve(proxy.host, proxy.port, &place->addresses, err)
               : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

/* Those that are connected to: the proxy's, if there is one, which asks for the others itself. */
static int find_addresses(struct load_work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    int r = 0;
    for (size_t i = 0; i < w->plan.origin_count && r == 0; i++) {
        struct load_place *place = &w->places[i];
        r = s->socket_path ? sonde_load_unix_address(s->socket_path, &place->addresses, err)
            : s->proxy     ? ask_proxy(w, i, err)
                           : load_target_resolve(&place->target, w->server, &place->addresses, err);
    }
    return r;
}

/* The URLs that were typed, made whole. */
static int find_targets(struct load_work *w, struct sonde_err *err)
{
    enum { TEXT_MAX = CLI_LOAD_URLS_MAX * (SONDE_LOAD_PATH_MAX + 512) };
    size_t count = w->plan.origin_count;
    SONDE_BUF_AUTO all = SONDE_BUF(TEXT_MAX);
    w->places = sonde_arena_alloc(&w->arena, count * sizeof(*w->places));
    if (!w->places) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    memset(w->places, 0, count * sizeof(*w->places));
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        struct load_place *place = &w->places[i];
        r = load_target_find(w->typed->positional[i], getenv("PORT"), w->server, &w->arena,
                             &place->target, err);
        w->origins[i] = (struct sonde_load_origin){
            .host = w->settings->socket_path ? NULL : place->target.url.host,
            .addresses = &place->addresses,
            .websocket = place->target.url.websocket,
            .listens = w->settings->receive,
        };
        sonde_buf_printf(&all, "%s%s", i ? " " : "", r < 0 ? "" : place->target.text);
    }
    r = r < 0 ? r : sonde_buf_check(&all, "the URLs", err);
    if (r == 0) {
        w->url = sonde_arena_copy(&w->arena, sonde_buf_view(&all));
        r = w->url.data ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    return r;
}

/* What does not go together with a WebSocket, or without one. */
static int check_websocket(const struct cli_load_settings *s, const struct sonde_load_url *url,
                           struct sonde_err *err)
{
    bool sends = s->rate || s->connection_rate || s->stages.count || s->amount || s->requests_most;
    const char *what =
        !url->websocket       ? s->receive ? "--receive needs a URL of ws:// or wss://" : NULL
        : s->receive && sends ? "with --receive nothing is sent: it has no rate or amount"
        : s->form || s->scenario || s->har || s->openapi
            ? "a WebSocket sends the messages of -b or -i: leave files and forms out"
        : s->method               ? "the method of a WebSocket is GET: leave --method out"
        : s->http == SONDE_HTTP_2 ? "WebSockets over HTTP/2 are not known: leave --http out"
                                  : NULL;
    return what ? sonde_fail(err, SONDE_EINVALID, 0, "%s", what) : 0;
}

int load_work_plan(struct load_work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    w->plan = sonde_load_plan_of(w->test);
    w->plan.origins = w->origins;
    w->plan.origin_count = (size_t)w->typed->count;
    w->plan.threads = s->threads ? (unsigned)s->threads : 1;
    w->plan.requests_of_each = (uint64_t)s->requests_of_each;
    w->plan.good_times = s->good_times;
    w->plan.sample_ns = s->sample_ms * SONDE_MILLISECOND;
    w->plan.drain_ns = SONDE_SECOND;
    w->plan.waits_awake = sonde_awake_is_affordable(w->plan.threads, sysconf(_SC_NPROCESSORS_ONLN),
                                                    sonde_cpu_limit("/proc", getpid()));
    sonde_random_bytes(&w->plan.seed, sizeof(w->plan.seed));
    int r = find_targets(w, err);
    for (size_t i = 0; i < w->plan.origin_count && r == 0; i++) {
        r = check_websocket(s, &w->places[i].target.url, err);
    }
    r = r < 0 ? r : make_requests(w, err);
    r = r < 0 ? r : read_tls(w, err);
    r = r < 0 ? r : find_addresses(w, err);
    r = r < 0 ? r : make_labels(w, err);
    return r < 0 ? r : read_thresholds(w, err);
}
