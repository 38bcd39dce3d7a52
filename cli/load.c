/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "cli/cli.h"
#include "cli/keep.h"
#include "cli/load_profile.h"
#include "cli/load_requests.h"
#include "cli/load_run.h"
#include "cli/load_server.h"
#include "cli/load_target.h"
#include "cli/load_test.h"
#include "cli/store.h"
#include "inspector/cgroup.h"
#include "load/awake.h"
#include "load/live.h"
#include "load/plan.h"
#include "load/proxy.h"
#include "load/summary.h"

enum {
    FILE_MAX_BYTES = 64 << 20,
    ASK_MAX_BYTES = 8 << 10,
    VERDICTS_MAX = 2 * SONDE_OPTION_STRINGS_MAX,
};

/* A URL, and what it takes to load it. */
struct place {
    struct load_target target;
    struct sonde_load_addresses addresses;
    struct load_requests requests;
};

struct work {
    const struct load_order *order;
    const struct sonde_load_test *test;       /* the order's */
    const struct cli_load_settings *settings; /* what no LoadTest has */
    const struct sonde_arguments *typed;      /* URLs, or what stands for them */
    const struct load_server *server;
    struct place *places; /* of each; in the arena */
    struct sonde_load_origin origins[CLI_LOAD_URLS_MAX];
    struct sonde_str url; /* all of them, with spaces between */
    struct sonde_arena arena;
    struct sonde_buf body, authority, certificate, key; /* files */
    struct sonde_load_label labels[SONDE_LOAD_LABELS_MAX];
    struct sonde_load_plan plan;
    struct sonde_load_result result;
    struct sonde_load_search search;
    const struct sonde_load_result *warm_up; /* of the test before it, or NULL */
    struct sonde_load_outcome outcome;
    struct keep keep;
    struct sonde_load_live live;
    struct sonde_load_verdict verdicts[VERDICTS_MAX];
    bool aborts[VERDICTS_MAX]; /* the test is to end for it */
    size_t verdict_count;
    uint64_t sent;        /* so far … */
    int64_t sent_ns;      /* … and when that was last more than before */
    bool terminal;        /* progress goes to one */
    bool overdue;         /* it was ended for that */
    int64_t throttled_ns; /* by the time that the warm-up was over */
    struct load_profile profile;
    struct sonde_err kept; /* why a second could not be kept */
};

/* ---- what was asked for ---- */

static int make_requests(struct work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    int r = s->input ? sonde_read_input(s->input, &w->body, err) : 0;
    for (size_t i = 0; i < w->plan.origin_count && r == 0; i++) {
        struct place *place = &w->places[i];
        r = load_requests_make(s, w->order, &place->target, &w->body, &w->arena, &place->requests,
                               err);
        load_requests_plan(&place->requests, &w->origins[i]);
    }
    return r;
}

/* What results tell apart. */
static int make_labels(struct work *w, struct sonde_err *err)
{
    int r = 0;
    w->plan.labels = w->labels;
    for (size_t i = 0; i < w->plan.origin_count && r == 0; i++) {
        r = sonde_load_label(&w->origins[i], w->settings->per_address, w->labels,
                             &w->plan.label_count, err);
    }
    return r;
}

static int read_tls(struct work *w, struct sonde_err *err)
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

static int read_threshold(struct work *w, const char *text, bool aborts, struct sonde_err *err)
{
    struct sonde_load_verdict *verdict = w->verdicts;
    while (verdict < w->verdicts + w->verdict_count && strcmp(verdict->text, text) != 0) {
        verdict++;
    }
    size_t number = (size_t)(verdict - w->verdicts);
    w->aborts[number] = w->aborts[number] || aborts;
    if (number < w->verdict_count) {
        return 0;
    }
    if (number == SONDE_LENGTH(w->verdicts)) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %zu thresholds", number);
    }
    w->verdict_count++;
    verdict->text = text;
    int r = sonde_threshold_parse(sonde_str(text), &verdict->threshold, err);
    return r < 0 ? r
                 : sonde_load_check_threshold(verdict, w->plan.labels, w->plan.label_count, err);
}

static int read_thresholds(struct work *w, struct sonde_err *err)
{
    const struct sonde_load_test *test = w->test;
    int r = 0;
    for (size_t i = 0; i < test->thresholds.count && r == 0; i++) {
        r = read_threshold(w, test->thresholds.items[i], false, err);
    }
    for (size_t i = 0; i < test->abort_on_fail.count && r == 0; i++) {
        r = read_threshold(w, test->abort_on_fail.items[i], true, err);
    }
    return r;
}

static int ask_proxy(struct work *w, size_t number, struct sonde_err *err)
{
    struct place *place = &w->places[number];
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
static int find_addresses(struct work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    int r = 0;
    for (size_t i = 0; i < w->plan.origin_count && r == 0; i++) {
        struct place *place = &w->places[i];
        r = s->socket_path ? sonde_load_unix_address(s->socket_path, &place->addresses, err)
            : s->proxy     ? ask_proxy(w, i, err)
                           : load_target_resolve(&place->target, w->server, &place->addresses, err);
    }
    return r;
}

/* The URLs that were typed, made whole. */
static int find_targets(struct work *w, struct sonde_err *err)
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
        struct place *place = &w->places[i];
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

static int make_plan(struct work *w, struct sonde_err *err)
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

/* ---- how it goes ---- */

static atomic_bool stopping;
static atomic_int signalled;
static _Atomic pid_t group; /* of the server that we have started, or 0 */

/* The first one ends the test, the second one the program, and with it the server. */
static void interrupt(int number)
{
    enum { EXIT_BY_SIGNAL = 128 };
    atomic_store(&stopping, true);
    if (atomic_fetch_add(&signalled, 1) > 0) {
        pid_t ours = atomic_load(&group);
        if (ours > 0) {
            (void)kill(-ours, SIGKILL);
        }
        _exit(EXIT_BY_SIGNAL + number);
    }
}

static bool judge(struct work *w, int64_t end_ns)
{
    return sonde_load_judge(w->verdicts, w->verdict_count, &w->outcome.tally, (double)end_ns / 1e9);
}

/* One that the test is to end for. */
static bool any_ends(struct work *w, int64_t end_ns)
{
    bool any = false;
    (void)judge(w, end_ns);
    for (size_t i = 0; i < w->verdict_count; i++) {
        any = any || (w->aborts[i] && !w->verdicts[i].keeps);
    }
    return any;
}

static uint64_t errors_of(const struct sonde_load_tally *tally)
{
    uint64_t sum = 0;
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        sum += tally->errors[i];
    }
    return sum;
}

static void say_errors(int64_t end_ns, const struct sonde_load_tally *second)
{
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        if (second->errors[i]) {
            (void)fprintf(stderr, "%.0f s: %llu %s\n", (double)end_ns / 1e9,
                          (unsigned long long)second->errors[i],
                          sonde_load_error_name((enum sonde_load_error)i));
        }
    }
}

/* An amount, however long it takes. */
static bool is_endless(const struct sonde_arrival *arrival)
{
    return arrival->amount != SONDE_SPEC_ABSENT && sonde_load_plan_seconds(arrival) == 0;
}

/* Ends a test that has gone wrong. */
static void check_going(struct work *w, int64_t end_ns)
{
    const struct cli_load_settings *s = w->settings;
    const struct sonde_load_test *test = w->test;
    if (test->abort_on_fail.count && end_ns >= test->delay_abort_seconds * SONDE_SECOND &&
        any_ends(w, end_ns)) {
        atomic_store(&stopping, true);
    }
    const struct sonde_load_tally *all = &w->outcome.tally;
    w->sent_ns = all->sent > w->sent ? end_ns : w->sent_ns;
    w->sent = all->sent;
    if (is_endless(&w->plan.arrival) && all->connect_failures &&
        end_ns - w->sent_ns >= w->plan.timeout_ns && !atomic_exchange(&stopping, true)) {
        (void)fprintf(stderr, "sonde: ended, since nobody could be connected to for %.0f s\n",
                      (double)(end_ns - w->sent_ns) / 1e9);
    }
    int64_t deadline_s = test->active_deadline_seconds;
    if (deadline_s != SONDE_SPEC_ABSENT &&
        end_ns >= (deadline_s - test->warm_up_seconds) * SONDE_SECOND) {
        w->overdue = !atomic_exchange(&stopping, true) || w->overdue;
    }
    uint64_t errors = errors_of(all) + all->mismatches;
    if (s->bailout && errors >= (uint64_t)s->bailout && !atomic_exchange(&stopping, true)) {
        (void)fprintf(stderr, "sonde: ended after %llu errors (--bailout %lld)\n",
                      (unsigned long long)errors, (long long)s->bailout);
    }
}

static void say_live(const struct work *w)
{
    enum { LINE_MAX_BYTES = 1024, COLUMNS = 80 };
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    SONDE_BUF_AUTO line = SONDE_BUF(LINE_MAX_BYTES);
    sonde_buf_text(&line, w->settings->warming_up ? "warm-up  " : "");
    sonde_load_live_line(&w->live, (known ? size.ws_col : COLUMNS) - (unsigned)line.length, &line);
    if (line.code == 0) {
        (void)fprintf(stderr, "\r\033[K%s", line.data);
    }
}

static const char own_group[] = "/proc/self/cgroup";
static const char groups[] = "/sys/fs/cgroup";

static void show_warm_up(void *context, int64_t end_ns, const struct sonde_load_tally *second)
{
    struct work *w = context;
    w->throttled_ns = sonde_load_throttled(own_group, groups);
    if (w->terminal && !w->settings->quiet && !w->settings->silent) {
        (void)fprintf(stderr, "\r\033[Kwarm-up %.0f s  %llu/s", (double)end_ns / 1e9,
                      (unsigned long long)second->answered);
    }
}

static void show(void *context, int64_t end_ns, const struct sonde_load_tally *second)
{
    struct work *w = context;
    if (w->kept.code == 0 && sonde_load_result_add(&w->result, end_ns, second, &w->kept) < 0) {
        atomic_store(&stopping, true);
    }
    check_going(w, end_ns);
    if (w->settings->debug) {
        say_errors(end_ns, second);
    }
    load_profile_tend(&w->profile, end_ns, sonde_load_plan_seconds(&w->plan.arrival),
                      &w->result.intervals);
    if (w->settings->quiet || w->settings->silent || !w->terminal) {
        return;
    }
    sonde_load_live_add(&w->live, end_ns, second);
    say_live(w);
}

static int run(struct work *w, struct sonde_err *err)
{
    const struct sonde_load_watcher watcher = {
        .context = w, .interval = show, .stop = &stopping, .warm_up = show_warm_up};
    const struct sonde_arrival *arrival = &w->plan.arrival;
    w->terminal = isatty(STDERR_FILENO);
    w->live.amount = arrival->amount == SONDE_SPEC_ABSENT ? 0 : (uint64_t)arrival->amount;
    w->live.length_ns = sonde_load_plan_seconds(arrival) * SONDE_SECOND;
    w->throttled_ns = sonde_load_throttled(own_group, groups);
    int r = sonde_load_run(&w->plan, &watcher, &w->outcome, err);
    w->result.throttled_ns = sonde_load_throttled(own_group, groups) - w->throttled_ns;
    if (w->terminal && !w->settings->quiet) {
        (void)fputs("\r\033[K", stderr);
    }
    if (r == 0 && w->kept.code) {
        *err = w->kept;
        r = err->code;
    }
    return r;
}

/* What is to be thought of it. */
static int conclude(struct work *w, struct sonde_err *err)
{
    struct sonde_load_result *result = &w->result;
    result->asked.title = w->settings->title;
    result->asked.url = w->url.data;
    result->asked.socket_path = w->settings->socket_path;
    result->verdicts = w->verdicts;
    result->verdict_count = w->verdict_count;
    sonde_load_validate(&w->plan, &w->outcome, result->throttled_ns, &result->validity);
    if (w->overdue) {
        result->validity.valid = false;
        (void)snprintf(result->validity.reason, sizeof(result->validity.reason),
                       "it was not over after %lld s (activeDeadlineSeconds)",
                       (long long)w->test->active_deadline_seconds);
    }
    (void)judge(w, w->outcome.duration_ns);
    int r = sonde_load_result_end(result, &w->plan, &w->outcome, err);
    load_profile_end(&w->profile, result);
    return r < 0 ? r : sonde_load_result_weigh(result, err);
}

static int begin_result(struct work *w, struct sonde_err *err)
{
    int r = sonde_load_result_init(&w->result, err);
    if (w->settings->sample_ms) {
        w->result.asked.sample_ns = w->settings->sample_ms * SONDE_MILLISECOND;
    }
    return r;
}

/* ---- a search: many tests ---- */

/* One trial, whose result is the work's. It is over when somebody has interrupted us. */
static int try_rate(struct work *w, int64_t rate, int64_t seconds, bool *ret_over,
                    struct sonde_err *err)
{
    sonde_load_result_fini(&w->result);
    sonde_load_outcome_fini(&w->outcome);
    w->outcome = (struct sonde_load_outcome){0};
    w->plan.arrival.rate = rate;
    w->plan.arrival.duration_seconds = seconds;
    w->sent = 0;
    w->sent_ns = 0;
    w->live = (struct sonde_load_live){0};
    if (w->search.count) {
        w->plan.warm_up_seconds = 1; /* for what the last one has left behind */
    }
    if (w->terminal && !w->settings->quiet && !w->settings->silent) {
        (void)fprintf(stderr, "trial %zu: %lld a second for %lld s\n", w->search.count + 1,
                      (long long)rate, (long long)seconds);
    }
    int r = begin_result(w, err);
    r = r < 0 ? r : run(w, err);
    r = r < 0 ? r : conclude(w, err);
    *ret_over = atomic_load(&signalled) > 0;
    atomic_store(&stopping, *ret_over); /* a threshold ends a trial, not the search */
    return r;
}

static void take_trial(struct work *w, int64_t rate, int64_t seconds)
{
    bool keeps = true;
    for (size_t i = 0; i < w->result.verdict_count; i++) {
        keeps = keeps && w->verdicts[i].keeps;
    }
    double time_s = (double)w->result.duration_ns / 1e9;
    const struct sonde_load_trial trial = {
        .rate = rate,
        .seconds = seconds, /* also of one that a broken threshold has ended */
        .keeps = keeps,
        .valid = w->result.validity.valid || w->result.tally.answered == 0,
        .achieved = time_s > 0 ? (double)w->result.tally.answered / time_s : 0,
    };
    sonde_load_search_take(&w->search, &trial);
}

/* The result is that of a trial at the rate that was found, or of the last one. */
static int search(struct work *w, struct sonde_err *err)
{
    struct sonde_load_result best = {0};
    struct sonde_load_verdict verdicts[VERDICTS_MAX];
    int64_t best_rate = 0;
    int64_t rate;
    int64_t seconds;
    bool over = false;
    int r = 0;
    sonde_load_search_init(&w->search, w->test->search);
    while (r == 0 && !over && sonde_load_search_next(&w->search, &rate, &seconds)) {
        r = try_rate(w, rate, seconds, &over, err);
        if (r == 0 && !over) {
            take_trial(w, rate, seconds);
        }
        if (r == 0 && !over && sonde_load_search_result(&w->search).lower == rate &&
            sonde_load_result_passes(&w->result)) {
            sonde_load_result_fini(&best);
            best = w->result;
            w->result = (struct sonde_load_result){0};
            memcpy(verdicts, w->verdicts, sizeof(verdicts));
            best_rate = rate;
        }
    }
    if (r == 0 && best_rate && best_rate == sonde_load_search_result(&w->search).lower) {
        sonde_load_result_fini(&w->result);
        w->result = best;
        memcpy(w->verdicts, verdicts, sizeof(verdicts));
    } else if (w->result.asked.url || best_rate == 0) {
        sonde_load_result_fini(&best);
    } else {
        w->result = best;
        memcpy(w->verdicts, verdicts, sizeof(verdicts));
    }
    w->result.search = &w->search;
    return r;
}

/* As autocannon does it, for a person to stderr. */
static int write_out(const struct cli_call *call, const struct work *w)
{
    const struct cli_load_settings *s = w->settings;
    bool json = s->json || call->settings.output == CLI_OUTPUT_JSON;
    const struct sonde_load_view view = {.service_latency = s->send_times,
                                         .brief = s->brief,
                                         .percentiles = s->latency,
                                         .warm_up = w->warm_up};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    if (s->silent && !json) {
        return SONDE_EXIT_DONE;
    }
    (json ? sonde_load_summary_view_json : sonde_load_summary_view_text)(&w->result, &view, &text);
    if (json || !s->autocannon) {
        return cli_write_output(&call->settings, &text);
    }
    struct sonde_err err;
    int r = sonde_buf_check(&text, "the output", &err);
    r = r < 0 ? r : sonde_write_all(STDERR_FILENO, text.data, text.length, "standard error", &err);
    return r < 0 ? SONDE_EXIT_FAILED : SONDE_EXIT_DONE;
}

static int print(const struct cli_call *call, const struct work *w)
{
    int code = write_out(call, w);
    bool none = w->test->search && sonde_load_search_result(&w->search).lower == 0;
    /* A run is well when it succeeded; a command, when it was answered. */
    bool well = w->order->document ? w->result.validity.valid
                                   : w->result.tally.answered || w->result.tally.received ||
                                         w->settings->autocannon;
    return code                                            ? code
           : none || !sonde_load_result_passes(&w->result) ? SONDE_EXIT_THRESHOLD
           : well                                          ? SONDE_EXIT_DONE
                                                           : SONDE_EXIT_FAILED;
}

/* ---- all of it ---- */

static struct work new_work(const struct cli_load_settings *settings,
                            const struct load_order *order, const struct sonde_arguments *typed,
                            const struct load_server *server)
{
    return (struct work){.order = order,
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

static void finish(struct work *w)
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

static bool any_tls(const struct work *w)
{
    bool any = false;
    for (size_t i = 0; i < w->plan.origin_count; i++) {
        any = any || w->origins[i].tls.enabled;
    }
    return any;
}

static int carry_out(const struct cli_settings *settings, struct work *w, struct sonde_err *err)
{
    int r = begin_result(w, err);
    r = r < 0 ? r : make_plan(w, err);
    if (r == 0 && w->settings->autocannon && any_tls(w)) {
        (void)fputs("sonde: under the name autocannon the server's certificate is not checked; "
                    "sonde load checks it\n",
                    stderr);
    }
    uint16_t port = w->places ? w->places[0].target.url.port : 0;
    r = r < 0 ? r : load_profile_plan(&w->profile, settings, w->order, port, &w->arena, err);
    if (r == 0) {
        keep_begin(settings, w->url.data, &w->keep);
        r = w->test->search ? search(w, err) : run(w, err);
    }
    return r < 0 || w->test->search ? r : conclude(w, err);
}

/* The test's options, with those of the brackets in their place. */
static int read_warm_up(const struct cli_call *call, struct cli_settings *ret,
                        struct sonde_err *err)
{
    const struct sonde_option *const tables[] = {cli_load_options};
    const struct sonde_option_words *words = &call->settings.load.warm_up;
    struct sonde_arguments arguments = {0};
    *ret = call->settings;
    ret->load.warm_up = (struct sonde_option_words){0};
    ret->load.thresholds.count = 0;
    ret->load.no_store = true;
    ret->load.warming_up = true;
    ret->load.profile = NULL;
    ret->load.search = NULL;
    ret->load.precision = 0;
    ret->load.stages.count = 0;
    ret->load.warm_up_ns = 0;
    int r = sonde_options_parse(tables, 1, words->count, words->items, ret, &arguments, err);
    if (r == 0 && (arguments.count || arguments.command || ret->load.warm_up.given ||
                   ret->load.thresholds.count || ret->load.forever)) {
        r = sonde_fail(err, SONDE_EINVALID, 0,
                       "--warmup takes options of its own alone, such as -c and -d, in its "
                       "brackets; no URL, threshold or warm-up, and it must end");
    }
    free(arguments.positional);
    return r;
}

/* The order is that of options. */
static int warm_up(const struct cli_call *call, struct cli_settings *settings,
                   struct load_test *test, struct work *ret, struct sonde_err *err)
{
    int r = read_warm_up(call, settings, err);
    r = r < 0 ? r : load_test_of_options(&settings->load, test, err);
    r = r < 0 ? r : carry_out(settings, ret, err);
    if (r == 0 && ret->outcome.stopped) {
        r = sonde_fail(err, SONDE_ECANCELLED, 0, "ended in the warm-up: nothing was measured");
    }
    return r;
}

static int start_server(const struct cli_call *call, struct load_server *server,
                        struct sonde_err *err)
{
    char **command = call->arguments.command;
    if (!command) {
        return call->settings.load.on_port
                   ? sonde_fail(err, SONDE_EINVALID, 0,
                                "--on-port needs a command: sonde load --on-port / -- node app.js")
                   : 0;
    }
    int r = load_server_start(command, &stopping, server, err);
    atomic_store(&group, server->pid);
    return r;
}

static void end_server(struct load_server *server, bool tested)
{
    if (tested && load_server_has_ended(server)) {
        (void)fprintf(stderr, "sonde: %s ended before the test did\n", server->name);
    }
    load_server_end(server);
    atomic_store(&group, 0);
}

bool load_was_interrupted(void)
{
    return atomic_load(&signalled) > 0;
}

int load_run(struct cli_call *call, const struct load_order *order)
{
    struct sonde_err err;
    const struct cli_load_settings *s = &call->settings.load;
    const struct sonde_arguments *typed = &call->arguments;
    struct load_server server = LOAD_SERVER_NONE;
    struct cli_settings warm_settings = call->settings;
    struct load_test warm_test;
    const struct load_order warm_order = {.test = &warm_test.test};
    struct work warm = new_work(&warm_settings.load, &warm_order, typed, &server);
    struct work work = new_work(s, order, typed, &server);
    atomic_store(&stopping, load_was_interrupted());
    (void)signal(SIGINT, interrupt);
    (void)signal(SIGTERM, interrupt);
    int r = call->settings.name ? store_check_name(call->settings.name, &err) : 0;
    r = r < 0 ? r : start_server(call, &server, &err);
    if (r == 0 && s->warm_up.given) {
        r = warm_up(call, &warm_settings, &warm_test, &warm, &err);
        work.warm_up = &warm.result;
    }
    r = r < 0 ? r : carry_out(&call->settings, &work, &err);
    int code = r < 0 ? cli_say_error(&err) : print(call, &work);
    keep_end(&work.keep, r < 0 ? NULL : &work.result, &err);
    end_server(&server, r == 0);
    finish(&work);
    finish(&warm);
    return code;
}

int cli_load(struct cli_call *call)
{
    struct sonde_err err;
    struct load_test test;
    const struct load_order order = {.test = &test.test};
    return load_test_of_options(&call->settings.load, &test, &err) < 0 ? cli_say_error(&err)
                                                                       : load_run(call, &order);
}
