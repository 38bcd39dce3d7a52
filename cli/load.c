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
#include "cli/check.h"
#include "cli/cli.h"
#include "cli/load_test.h"
#include "cli/load_work.h"
#include "cli/store.h"
#include "load/plan.h"
#include "load/summary.h"

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

bool load_was_interrupted(void)
{
    return atomic_load(&signalled) > 0;
}

static bool judge(struct load_work *w, int64_t end_ns)
{
    return sonde_load_judge(w->verdicts, w->verdict_count, &w->outcome.tally, (double)end_ns / 1e9);
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
static void check_going(struct load_work *w, int64_t end_ns)
{
    const struct cli_load_settings *s = w->settings;
    const struct sonde_load_test *test = w->test;
    if (test->abort_on_fail.count && end_ns >= test->delay_abort_seconds * SONDE_SECOND) {
        (void)judge(w, end_ns);
        if (sonde_load_aborts(w->verdicts, w->verdict_count, &w->outcome.tally)) {
            atomic_store(&stopping, true);
        }
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
        sonde_clock_monotonic() - w->begun_ns >= deadline_s * SONDE_SECOND) {
        w->overdue = !atomic_exchange(&stopping, true) || w->overdue;
    }
    uint64_t errors = errors_of(all) + all->mismatches;
    if (s->bailout && errors >= (uint64_t)s->bailout && !atomic_exchange(&stopping, true)) {
        (void)fprintf(stderr, "sonde: ended after %llu errors (--bailout %lld)\n",
                      (unsigned long long)errors, (long long)s->bailout);
    }
}

static void say_live(const struct load_work *w)
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
    struct load_work *w = context;
    w->throttled_ns = sonde_load_throttled(own_group, groups);
    if (w->terminal && !w->settings->quiet && !w->settings->silent) {
        (void)fprintf(stderr, "\r\033[Kwarm-up %.0f s  %llu/s", (double)end_ns / 1e9,
                      (unsigned long long)second->answered);
    }
}

static void show(void *context, int64_t end_ns, const struct sonde_load_tally *second)
{
    struct load_work *w = context;
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

static int run(struct load_work *w, struct sonde_err *err)
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

/* Of a search, too, whose last trial may not be the one that is told. */
static void refuse_overdue(struct load_work *w)
{
    struct sonde_load_validity *validity = &w->result.validity;
    if (w->overdue) {
        validity->valid = false;
        (void)snprintf(validity->reason, sizeof(validity->reason),
                       "it was not over after %lld s (activeDeadlineSeconds)",
                       (long long)w->test->active_deadline_seconds);
    }
}

/* What is to be thought of it. */
static int conclude(struct load_work *w, struct sonde_err *err)
{
    struct sonde_load_result *result = &w->result;
    result->asked.title = w->settings->title;
    result->asked.url = w->url.data;
    result->asked.socket_path = w->settings->socket_path;
    result->verdicts = w->verdicts;
    result->verdict_count = w->verdict_count;
    sonde_load_validate(&w->plan, &w->outcome, result->throttled_ns, &result->validity);
    refuse_overdue(w);
    (void)judge(w, w->outcome.duration_ns);
    int r = sonde_load_result_end(result, &w->plan, &w->outcome, err);
    load_profile_end(&w->profile, result);
    return r < 0 ? r : sonde_load_result_weigh(result, err);
}

static int begin_result(struct load_work *w, struct sonde_err *err)
{
    int r = sonde_load_result_init(&w->result, err);
    if (w->settings->sample_ms) {
        w->result.asked.sample_ns = w->settings->sample_ms * SONDE_MILLISECOND;
    }
    return r;
}

/* ---- a search: many tests ---- */

/* One trial, whose result is the work's. All is over when somebody has interrupted us, or the time
 * for all trials is. */
static int try_rate(struct load_work *w, int64_t rate, int64_t seconds, bool *ret_over,
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
    sonde_load_verdicts_renew(w->verdicts, w->verdict_count);
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
    atomic_store(&stopping, false); /* a threshold ends a trial, not the search */
    *ret_over = load_was_interrupted() || w->overdue;
    return r;
}

static void take_trial(struct load_work *w, int64_t rate, int64_t seconds)
{
    /* Timeouts alone may hold a threshold of times. */
    bool keeps = w->result.tally.answered > 0;
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
static int search(struct load_work *w, struct sonde_err *err)
{
    struct sonde_load_result best = {0};
    struct sonde_load_verdict verdicts[LOAD_VERDICTS_MAX];
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
    /* Else the last trial was another one, and its result is still there. */
    if (r == 0 && best_rate && best_rate == sonde_load_search_result(&w->search).lower) {
        sonde_load_result_fini(&w->result);
        w->result = best;
        memcpy(w->verdicts, verdicts, sizeof(verdicts));
    } else {
        sonde_load_result_fini(&best);
    }
    refuse_overdue(w);
    w->result.search = &w->search;
    return r;
}

/* As autocannon does it, for a person to stderr. */
static int write_out(const struct cli_call *call, const struct load_work *w)
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

/* Somebody has ended it before its time: it is no measurement that others could be held against.
 * One that has no other end is over then, and autocannon's callers know no other code than 0. */
static bool was_cancelled(const struct load_work *w)
{
    const struct cli_load_settings *s = w->settings;
    return load_was_interrupted() && (w->outcome.stopped || w->test->search) && !s->forever &&
           !s->autocannon;
}

static int print(const struct cli_call *call, const struct load_work *w)
{
    int code = write_out(call, w);
    code = code == SONDE_EXIT_DONE && was_cancelled(w) ? SONDE_EXIT_FAILED : code;
    /* A run is well when it succeeded; a command, when it was answered. */
    bool well = w->order->document ? w->result.validity.valid
                                   : w->result.tally.answered || w->result.tally.received ||
                                         w->settings->autocannon;
    return code                                    ? code
           : !sonde_load_result_passes(&w->result) ? SONDE_EXIT_THRESHOLD
           : well                                  ? SONDE_EXIT_DONE
                                                   : SONDE_EXIT_FAILED;
}

/* ---- all of it ---- */

static bool any_tls(const struct load_work *w)
{
    bool any = false;
    for (size_t i = 0; i < w->plan.origin_count; i++) {
        any = any || w->origins[i].tls.enabled;
    }
    return any;
}

static int carry_out(const struct cli_settings *settings, struct load_work *w,
                     struct sonde_err *err)
{
    int r = begin_result(w, err);
    r = r < 0 ? r : load_work_plan(w, err);
    if (r == 0 && w->settings->autocannon && any_tls(w)) {
        (void)fputs("sonde: under the name autocannon the server's certificate is not checked; "
                    "sonde load checks it\n",
                    stderr);
    }
    uint16_t port = w->places ? w->places[0].target.url.port : 0;
    r = r < 0 ? r : load_profile_plan(&w->profile, settings, w->order, port, &w->arena, err);
    if (r == 0) {
        r = keep_begin(settings, w->url.data, w->order->document, &w->keep, err);
    }
    if (r == 0) {
        w->begun_ns = sonde_clock_monotonic();
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
                   struct load_test *test, struct load_work *ret, struct sonde_err *err)
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

/* What is not kept cannot be held against anything. */
static int check_is_kept(const struct cli_call *call, struct sonde_err *err)
{
    return check_is_wanted(&call->settings) && call->settings.load.no_store
               ? sonde_fail(err, SONDE_EINVALID, 0,
                            "--baseline and --budget need the results: leave out --no-store")
               : 0;
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
    struct load_work warm = load_work_new(&warm_settings.load, &warm_order, typed, &server);
    struct load_work work = load_work_new(s, order, typed, &server);
    atomic_store(&stopping, load_was_interrupted());
    (void)signal(SIGINT, interrupt);
    (void)signal(SIGTERM, interrupt);
    struct check check;
    int r = check_begin(&call->settings, &check, &err);
    r = r < 0 || !call->settings.name ? r : store_check_name(call->settings.name, &err);
    r = r < 0 ? r : check_is_kept(call, &err);
    r = r < 0 ? r : keep_open(&call->settings, &work.keep, &err);
    r = r < 0 ? r : start_server(call, &server, &err);
    if (r == 0 && s->warm_up.given) {
        r = warm_up(call, &warm_settings, &warm_test, &warm, &err);
        work.warm_up = &warm.result;
    }
    r = r < 0 ? r : carry_out(&call->settings, &work, &err);
    int code = r < 0 ? cli_say_error(&err) : print(call, &work);
    bool kept = work.keep.db != NULL;
    keep_end(&work.keep, r < 0 ? NULL : &work.result, was_cancelled(&work), &err);
    if (r == 0 && kept) {
        code = check_run(&check, work.keep.run.uid, code);
    }
    check_fini(&check);
    end_server(&server, r == 0);
    load_work_fini(&work);
    load_work_fini(&warm);
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
