/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "cli/cli.h"
#include "cli/keep.h"
#include "cli/load_profile.h"
#include "cli/store.h"
#include "inspector/cgroup.h"
#include "load/awake.h"
#include "load/proxy.h"
#include "load/summary.h"

#define AT(member) offsetof(struct cli_settings, load.member)

enum {
    FILE_MAX_BYTES = 64 << 20,
    ASK_MAX_BYTES = 8 << 10,
    DEFAULT_CONNECTIONS = 10,
    DEFAULT_SECONDS = 10,
    DEFAULT_MOST = 1000, /* connections of an open model */
};
#define DAY_NS (INT64_C(24) * 3600 * SONDE_SECOND)

/* In the order of enum sonde_http_version. */
static const char *const versions[] = {"1", "2", "negotiate", NULL};

const struct sonde_option cli_load_options[] = {
    {"connections", SONDE_OPTION_NUMBER, AT(connections), 1, SONDE_LOAD_CONNECTIONS_MAX,
     .argument = "N", .help = "that send at the same time (default: 10)", .letter = 'c'},
    {"max-connections", SONDE_OPTION_NUMBER, AT(connections_max), 1, SONDE_LOAD_CONNECTIONS_MAX,
     .argument = "N", .help = "with a rate: opened while all are busy (default: 1000)"},
    {"pipelining", SONDE_OPTION_NUMBER, AT(pipelining), 1, SONDE_LOAD_PIPELINING_MAX,
     .argument = "N", .help = "requests in flight on a connection (default: 1)", .letter = 'p'},
    {"duration", SONDE_OPTION_DURATION, AT(duration_ns), SONDE_SECOND, 30 * DAY_NS,
     .argument = "TIME", .help = "how long (default: 10s)", .letter = 'd'},
    {"amount", SONDE_OPTION_NUMBER, AT(amount), 1, INT64_MAX, .argument = "N",
     .help = "how many requests, however long that takes", .letter = 'a'},
    {"maxOverallRequests", SONDE_OPTION_NUMBER, AT(requests_most), 1, INT64_MAX, .argument = "N",
     .help = "how many requests at most, within the duration", .letter = 'O'},
    {"overallRate", SONDE_OPTION_NUMBER, AT(rate), 1, 10000000, .argument = "N",
     .help = "requests a second of all connections, sent when they are due", .letter = 'R'},
    {"connectionRate", SONDE_OPTION_NUMBER, AT(connection_rate), 1, 10000000, .argument = "N",
     .help = "the same of each connection", .letter = 'r'},
    {"poisson", SONDE_OPTION_FLAG, AT(poisson),
     .help = "with a rate: as independent people send, not at equal distances"},
    {"reconnectRate", SONDE_OPTION_NUMBER, AT(requests_per_connection), 1, INT64_MAX,
     .argument = "N", .help = "a connection is closed after so many requests", .letter = 'D'},
    {"timeout", SONDE_OPTION_DURATION, AT(timeout_ns), SONDE_MILLISECOND, DAY_NS,
     .argument = "TIME", .help = "of an answer (default: 10s)", .letter = 't'},
    {"workers", SONDE_OPTION_NUMBER, AT(threads), 1, SONDE_LOAD_THREADS_MAX, .argument = "N",
     .help = "threads that send (default: 1)", .letter = 'w'},
    {"method", SONDE_OPTION_STRING, AT(method), .argument = "NAME", .help = "(default: GET)",
     .letter = 'm'},
    {"headers", SONDE_OPTION_STRINGS, AT(headers), .argument = "NAME=VALUE",
     .help = "a header field; may be given several times", .letter = 'H'},
    {"body", SONDE_OPTION_STRING, AT(body), .argument = "TEXT", .help = "of the request",
     .letter = 'b'},
    {"input", SONDE_OPTION_STRING, AT(input), .argument = "FILE",
     .help = "whose content is the body", .letter = 'i'},
    {"idReplacement", SONDE_OPTION_FLAG, AT(ids),
     .help = "[<id>] in path, headers and body is another text each time", .letter = 'I'},
    {"http", SONDE_OPTION_CHOICE, AT(http), .choices = versions, .argument = "VERSION",
     .help = "1, 2, or negotiate: what TLS agrees on (default: 1)"},
    {"socketPath", SONDE_OPTION_STRING, AT(socket_path), .argument = "PATH",
     .help = "of a Unix socket that is connected to", .letter = 'S'},
    {"proxy", SONDE_OPTION_STRING, AT(proxy), .argument = "URL",
     .help = "that connects us: http://[USER:PASSWORD@]HOST[:PORT]"},
    {"servername", SONDE_OPTION_STRING, AT(server_name), .argument = "NAME",
     .help = "that TLS asks for and checks (default: the URL's)", .letter = 's'},
    {"ca", SONDE_OPTION_STRING, AT(authority), .argument = "FILE",
     .help = "authorities that are trusted (PEM; default: the system's)"},
    {"cert", SONDE_OPTION_STRING, AT(certificate), .argument = "FILE",
     .help = "our own certificate (PEM)"},
    {"key", SONDE_OPTION_STRING, AT(key), .argument = "FILE", .help = "… and its key"},
    {"insecure", SONDE_OPTION_FLAG, AT(insecure), .help = "do not check the server's certificate"},
    {"threshold", SONDE_OPTION_STRINGS, AT(thresholds), .argument = "TEXT",
     .help = "that must hold, such as \"http_req_duration: p(99)<250\"; several times"},
    {"abort-on-fail", SONDE_OPTION_FLAG, AT(abort_on_fail), .help = "end when a threshold breaks"},
    {"delay-abort", SONDE_OPTION_DURATION, AT(delay_abort_ns), SONDE_SECOND, DAY_NS,
     .argument = "TIME", .help = "… but not before (default: 10s)"},
    {"profile", SONDE_OPTION_STRING, AT(profile), .argument = "TYPE",
     .help = "profile the server meanwhile: cpu, heap … as sonde profile --type has it"},
    {"profile-duration", SONDE_OPTION_DURATION, AT(profile_ns), SONDE_SECOND,
     INT64_C(3600) * SONDE_SECOND, .argument = "TIME", .help = "… for so long (default: 10s)"},
    {"profile-delay", SONDE_OPTION_DURATION, AT(profile_delay_ns), SONDE_MILLISECOND, DAY_NS,
     .argument = "TIME", .help = "… from then on (default: 3s)"},
    {"pid", SONDE_OPTION_NUMBER, offsetof(struct cli_settings, pid), 1, 1 << 22, .argument = "N",
     .help = "… the process with this number (default: the one that listens on the URL's port)"},
    {"match", SONDE_OPTION_STRING, offsetof(struct cli_settings, match), .argument = "PATTERN",
     .help = "… the process with this name, script, directory or port"},
    {"title", SONDE_OPTION_STRING, AT(title), .argument = "TEXT", .help = "stands in the results",
     .letter = 'T'},
    {"forever", SONDE_OPTION_FLAG, AT(forever), .help = "until it is interrupted", .letter = 'f'},
    {"name", SONDE_OPTION_STRING, offsetof(struct cli_settings, name), .argument = "NAME",
     .help = "of the run that the results are kept as (default: load)"},
    {"no-store", SONDE_OPTION_FLAG, AT(no_store), .help = "do not keep the results"},
    {"json", SONDE_OPTION_FLAG, AT(json), .help = "the same as --output json", .letter = 'j'},
    {"no-progress", SONDE_OPTION_FLAG, AT(quiet), .help = "say nothing meanwhile", .letter = 'n'},
    {0},
};

struct work {
    const struct cli_load_settings *settings;
    struct sonde_load_url url;
    struct sonde_load_addresses addresses;
    struct sonde_arena arena;
    struct sonde_load_request request;
    struct sonde_buf body, authority, certificate, key; /* files */
    struct sonde_buf ask_proxy;
    struct sonde_load_origin origin;
    struct sonde_load_plan plan;
    struct sonde_load_result result;
    struct sonde_load_outcome outcome;
    struct keep keep;
    struct sonde_load_verdict verdicts[SONDE_OPTION_STRINGS_MAX];
    bool terminal; /* progress goes to one */
    struct load_profile profile;
    struct sonde_err kept; /* why a second could not be kept */
};

/* ---- what was asked for ---- */

static int64_t or_else(int64_t given, int64_t otherwise)
{
    return given ? given : otherwise;
}

/* "Name: value" or "Name=value", whichever sign comes first. */
static int split_header(const char *text, struct sonde_arena *arena, struct sonde_pair *ret,
                        struct sonde_err *err)
{
    size_t length = strcspn(text, ":=");
    if (length == 0 || !text[length]) {
        return sonde_fail(err, SONDE_EINVALID, 0, "--headers %s: give NAME=VALUE", text);
    }
    struct sonde_str name = sonde_arena_copy(arena, (struct sonde_str){text, length});
    struct sonde_str value = sonde_arena_copy(arena, sonde_str_trim(sonde_str(text + length + 1)));
    *ret = (struct sonde_pair){name.data, value.data};
    return name.data && value.data ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

static int make_request(struct work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    struct sonde_pair fields[SONDE_OPTION_STRINGS_MAX];
    const struct sonde_load_places places = {.ids = s->ids};
    struct sonde_load_ask ask = {.method = s->method ? s->method : "GET",
                                 .path = w->url.path,
                                 .fields = fields,
                                 .field_count = s->headers.count,
                                 .body = sonde_str(s->body)};
    int r = 0;
    for (size_t i = 0; i < s->headers.count && r == 0; i++) {
        r = split_header(s->headers.items[i], &w->arena, &fields[i], err);
    }
    if (r == 0 && s->input) {
        r = sonde_read_input(s->input, &w->body, err);
        ask.body = w->body.data ? sonde_buf_view(&w->body) : SONDE_STR("");
    }
    return r < 0 ? r : sonde_load_request_make(&ask, &w->url, &places, &w->arena, &w->request, err);
}

static int read_tls(struct work *w, struct sonde_load_tls_options *ret, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    const struct {
        const char *file;
        struct sonde_buf *text;
    } files[] = {
        {s->authority, &w->authority}, {s->certificate, &w->certificate}, {s->key, &w->key}};
    int r = 0;
    for (size_t i = 0; i < SONDE_LENGTH(files) && r == 0; i++) {
        r = files[i].file ? sonde_read_input(files[i].file, files[i].text, err) : 0;
    }
    *ret = (struct sonde_load_tls_options){
        .enabled = w->url.tls,
        .skip_verify = s->insecure,
        .server_name = s->server_name ? s->server_name : w->url.host,
        .authorities = sonde_buf_view(&w->authority),
        .certificate = sonde_buf_view(&w->certificate),
        .key = sonde_buf_view(s->key ? &w->key : &w->certificate),
    };
    return r;
}

static struct sonde_arrival arrival_of(const struct cli_load_settings *s)
{
    int64_t connections = or_else(s->connections, DEFAULT_CONNECTIONS);
    int64_t rate = s->rate ? s->rate : s->connection_rate * connections;
    int64_t amount = s->amount ? s->amount : s->requests_most;
    bool endless = s->forever || s->amount;
    int64_t seconds = or_else(s->duration_ns, DEFAULT_SECONDS * SONDE_SECOND) / SONDE_SECOND;
    return (struct sonde_arrival){
        .distribution = s->poisson ? SONDE_ARRIVAL_POISSON : SONDE_ARRIVAL_CONSTANT,
        .rate = or_else(rate, SONDE_SPEC_ABSENT),
        .duration_seconds = endless ? SONDE_SPEC_ABSENT : seconds,
        .amount = or_else(amount, SONDE_SPEC_ABSENT),
    };
}

static int read_thresholds(struct work *w, struct sonde_err *err)
{
    const struct sonde_option_strings *texts = &w->settings->thresholds;
    int r = 0;
    for (size_t i = 0; i < texts->count && r == 0; i++) {
        w->verdicts[i].text = texts->items[i];
        r = sonde_threshold_parse(sonde_str(texts->items[i]), &w->verdicts[i].threshold, err);
    }
    return r;
}

/* Those that are connected to: the proxy's, if there is one, which asks for the others itself. */
static int find_addresses(struct work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    struct sonde_load_url proxy;
    if (s->socket_path) {
        return sonde_load_unix_address(s->socket_path, &w->addresses, err);
    }
    if (!s->proxy) {
        return sonde_load_resolve(w->url.host, w->url.port, &w->addresses, err);
    }
    int r = sonde_load_proxy_ask(sonde_str(s->proxy), &w->url, &proxy, &w->ask_proxy, err);
    w->origin.connect = sonde_buf_view(&w->ask_proxy);
    return r < 0 ? r : sonde_load_resolve(proxy.host, proxy.port, &w->addresses, err);
}

static int make_plan(struct work *w, struct sonde_err *err)
{
    const struct cli_load_settings *s = w->settings;
    int64_t connections = or_else(s->connections, DEFAULT_CONNECTIONS);
    int64_t most = or_else(s->connections_max, DEFAULT_MOST);
    w->origin = (struct sonde_load_origin){
        .addresses = &w->addresses, .requests = &w->request, .request_count = 1};
    w->plan = (struct sonde_load_plan){
        .origins = &w->origin,
        .origin_count = 1,
        .version = (enum sonde_http_version)s->http,
        .threads = (unsigned)or_else(s->threads, 1),
        .connections = (unsigned)connections,
        .connections_max = (unsigned)(most > connections ? most : connections),
        .pipelining = (unsigned)or_else(s->pipelining, 1),
        .requests_per_connection = (uint64_t)s->requests_per_connection,
        .timeout_ns = or_else(s->timeout_ns, 10 * SONDE_SECOND),
        .drain_ns = SONDE_SECOND,
        .arrival = arrival_of(s),
    };
    w->plan.waits_awake = sonde_awake_is_affordable(w->plan.threads, sysconf(_SC_NPROCESSORS_ONLN),
                                                    sonde_cpu_limit("/proc", getpid()));
    sonde_random_bytes(&w->plan.seed, sizeof(w->plan.seed));
    int r = make_request(w, err);
    r = r < 0 ? r : read_tls(w, &w->origin.tls, err);
    r = r < 0 ? r : read_thresholds(w, err);
    if (r < 0) {
        return r;
    }
    return find_addresses(w, err);
}

/* ---- how it goes ---- */

static atomic_bool interrupted;

/* The second one ends the program as it usually does. */
static void interrupt(int number)
{
    atomic_store(&interrupted, true);
    (void)signal(number, SIG_DFL);
}

static bool judge(struct work *w, int64_t end_ns)
{
    return sonde_load_judge(w->verdicts, w->settings->thresholds.count, &w->outcome.tally,
                            (double)end_ns / 1e9);
}

static void show(void *context, int64_t end_ns, const struct sonde_load_tally *second)
{
    struct work *w = context;
    if (w->kept.code == 0 && sonde_load_result_add(&w->result, end_ns, second, &w->kept) < 0) {
        atomic_store(&interrupted, true);
    }
    int64_t delay_ns = or_else(w->settings->delay_abort_ns, 10 * SONDE_SECOND);
    if (w->settings->abort_on_fail && end_ns >= delay_ns && !judge(w, end_ns)) {
        atomic_store(&interrupted, true);
    }
    load_profile_tend(&w->profile, end_ns, w->plan.arrival.duration_seconds);
    if (w->settings->quiet || !w->terminal) {
        return;
    }
    (void)fprintf(stderr,
                  "\r\033[K%4.0f s  %llu/s  p50 %.3g ms  p99 %.3g ms  %llu failed, %llu connects "
                  "failed",
                  (double)end_ns / 1e9, (unsigned long long)second->answered,
                  (double)sonde_histogram_quantile(&second->response, 0.5) / 1e3,
                  (double)sonde_histogram_quantile(&second->response, 0.99) / 1e3,
                  (unsigned long long)second->failed, (unsigned long long)second->connect_failures);
}

static const char own_group[] = "/proc/self/cgroup";
static const char groups[] = "/sys/fs/cgroup";

static int run(struct work *w, struct sonde_err *err)
{
    const struct sonde_load_watcher watcher = {w, show, &interrupted};
    w->terminal = isatty(STDERR_FILENO);
    (void)signal(SIGINT, interrupt);
    (void)signal(SIGTERM, interrupt);
    int64_t before = sonde_load_throttled(own_group, groups);
    int r = sonde_load_run(&w->plan, &watcher, &w->outcome, err);
    w->result.throttled_ns = sonde_load_throttled(own_group, groups) - before;
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
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
static void conclude(const struct cli_call *call, struct work *w)
{
    struct sonde_load_result *result = &w->result;
    result->asked.title = w->settings->title;
    result->asked.url = call->arguments.positional[0];
    result->asked.socket_path = w->settings->socket_path;
    result->verdicts = w->verdicts;
    result->verdict_count = w->settings->thresholds.count;
    sonde_load_validate(&w->plan, &w->outcome, result->throttled_ns, &result->validity);
    (void)judge(w, w->outcome.duration_ns);
    sonde_load_result_end(result, &w->plan, &w->outcome);
    load_profile_end(&w->profile, result);
}

static int print(struct cli_call *call, struct work *w)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    bool json = w->settings->json || call->settings.output == CLI_OUTPUT_JSON;
    (json ? sonde_load_summary_json : sonde_load_summary_text)(&w->result, &text);
    int code = cli_write_output(&call->settings, &text);
    return code                                    ? code
           : !sonde_load_result_passes(&w->result) ? SONDE_EXIT_THRESHOLD
           : w->result.tally.answered              ? SONDE_EXIT_DONE
                                                   : SONDE_EXIT_FAILED;
}

static void finish(struct work *w)
{
    sonde_load_outcome_fini(&w->outcome);
    sonde_load_result_fini(&w->result);
    sonde_arena_fini(&w->arena);
    sonde_buf_fini(&w->body);
    sonde_buf_fini(&w->ask_proxy);
    sonde_buf_fini(&w->authority);
    sonde_buf_fini(&w->certificate);
    sonde_buf_fini(&w->key);
}

int cli_load(struct cli_call *call)
{
    struct sonde_err err;
    struct work work = {.settings = &call->settings.load,
                        .profile = LOAD_PROFILE_NONE,
                        .arena = SONDE_ARENA(2 * FILE_MAX_BYTES),
                        .body = SONDE_BUF(FILE_MAX_BYTES),
                        .ask_proxy = SONDE_BUF(ASK_MAX_BYTES),
                        .authority = SONDE_BUF(FILE_MAX_BYTES),
                        .certificate = SONDE_BUF(FILE_MAX_BYTES),
                        .key = SONDE_BUF(FILE_MAX_BYTES)};
    struct sonde_str url = sonde_str(call->arguments.positional[0]);
    int r = sonde_load_url_parse(url, &work.url, &err);
    r = r < 0 ? r : sonde_load_result_init(&work.result, &err);
    r = r < 0 || !call->settings.name ? r : store_check_name(call->settings.name, &err);
    r = r < 0 ? r : make_plan(&work, &err);
    r = r < 0 ? r : load_profile_plan(&work.profile, &call->settings, work.url.port, &err);
    if (r == 0) {
        keep_begin(&call->settings, call->arguments.positional[0], &work.keep);
        r = run(&work, &err);
    }
    if (r == 0) {
        conclude(call, &work);
    }
    int code = r < 0 ? cli_say_error(&err) : print(call, &work);
    keep_end(&work.keep, r < 0 ? NULL : &work.result, &err);
    finish(&work);
    return code;
}
