/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for Prometheus (its text format 0.0.4), and whether the controller is well. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "controller/controller.h"
#include "spec/reason.h"

/* As many as HISTOGRAM_BOUNDS. */
static const struct {
    const char *text; /* in seconds */
    int64_t ns;
} bounds[] = {
    {"0.00001", 10 * SONDE_SECOND / 1000000},
    {"0.0001", SONDE_SECOND / 10000},
    {"0.001", SONDE_MILLISECOND},
    {"0.0025", 5 * SONDE_MILLISECOND / 2},
    {"0.005", 5 * SONDE_MILLISECOND},
    {"0.01", 10 * SONDE_MILLISECOND},
    {"0.025", 25 * SONDE_MILLISECOND},
    {"0.1", 100 * SONDE_MILLISECOND},
    {"0.25", 250 * SONDE_MILLISECOND},
    {"1", SONDE_SECOND},
    {"5", 5 * SONDE_SECOND},
    {"30", 30 * SONDE_SECOND},
};
_Static_assert(SONDE_LENGTH(bounds) == HISTOGRAM_BOUNDS, "a bucket for each bound");

/* Anybody in the cluster may ask; who does are Prometheus and the kubelet. */
enum { CONNECTIONS_MAX = 16, CONNECTIONS_PER_ADDRESS = 4 };

struct metrics_server {
    struct controller *controller;
    struct sonde_server *server;
};

void metrics_api_call(struct controller_metrics *metrics, const char *verb, int status)
{
    for (size_t i = 0; i < API_CALLS_MAX; i++) {
        bool fresh = !metrics->api_calls[i].verb;
        if (fresh || (metrics->api_calls[i].status == status &&
                      strcmp(metrics->api_calls[i].verb, verb) == 0)) {
            metrics->api_calls[i].verb = verb;
            metrics->api_calls[i].status = status;
            metrics->api_calls[i].count++;
            return;
        }
    }
    metrics->api_calls_other++;
}

void metrics_took(struct histogram *histogram, int64_t duration_ns)
{
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BOUNDS && duration_ns > bounds[bucket].ns) {
        bucket++;
    }
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_ns += (uint64_t)duration_ns;
}

void metrics_ended(struct controller_metrics *metrics, const char *reason)
{
    const struct sonde_reason *known = sonde_reason_find(reason);
    for (size_t i = 0; known && i < REASONS_MAX; i++) {
        if (!metrics->ended[i].reason || metrics->ended[i].reason == known->word) {
            metrics->ended[i].reason = known->word;
            metrics->ended[i].count++;
            return;
        }
    }
    metrics->ended_other++;
}

static void put_head(struct sonde_buf *text, const char *name, const char *type, const char *help)
{
    sonde_buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_number(struct sonde_buf *text, const char *name, const char *type, const char *help,
                       double value)
{
    put_head(text, name, type, help);
    sonde_buf_printf(text, "%s %.17g\n", name, value);
}

static void put_histogram(struct sonde_buf *text, const char *name, const char *help,
                          const struct histogram *histogram)
{
    uint64_t count = 0;
    put_head(text, name, "histogram", help);
    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += histogram->buckets[i];
        sonde_buf_printf(text, "%s_bucket{le=\"%s\"} %llu\n", name, bounds[i].text,
                         (unsigned long long)count);
    }
    sonde_buf_printf(text, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.17g\n%s_count %llu\n", name,
                     (unsigned long long)histogram->count, name, (double)histogram->sum_ns / 1e9,
                     name, (unsigned long long)histogram->count);
}

static void put_api_calls(const struct controller_metrics *metrics, struct sonde_buf *text)
{
    put_head(text, "sonde_api_requests_total", "counter",
             "Requests to the API server, by verb and code.");
    for (size_t i = 0; i < API_CALLS_MAX && metrics->api_calls[i].verb; i++) {
        char code[16] = "none";
        if (metrics->api_calls[i].status) {
            (void)snprintf(code, sizeof(code), "%d", metrics->api_calls[i].status);
        }
        sonde_buf_printf(text, "sonde_api_requests_total{verb=\"%s\",code=\"%s\"} %llu\n",
                         metrics->api_calls[i].verb, code,
                         (unsigned long long)metrics->api_calls[i].count);
    }
    if (metrics->api_calls_other) {
        sonde_buf_printf(text, "sonde_api_requests_total{verb=\"other\",code=\"other\"} %llu\n",
                         (unsigned long long)metrics->api_calls_other);
    }
}

static void put_ended(const struct controller_metrics *metrics, struct sonde_buf *text)
{
    put_head(text, "sonde_runs_ended_total", "counter", "Runs that have ended, by reason.");
    for (size_t i = 0; i < REASONS_MAX && metrics->ended[i].reason; i++) {
        sonde_buf_printf(text, "sonde_runs_ended_total{reason=\"%s\"} %llu\n",
                         metrics->ended[i].reason, (unsigned long long)metrics->ended[i].count);
    }
    if (metrics->ended_other) {
        sonde_buf_printf(text, "sonde_runs_ended_total{reason=\"Other\"} %llu\n",
                         (unsigned long long)metrics->ended_other);
    }
}

static void put_watches(const struct controller *controller, struct sonde_buf *text)
{
    struct {
        const char *kind;
        struct sonde_kube_informer *informer;
    } informers[KIND_COUNT + 2] = {{"pods", controller->pods},
                                   {"runnerpods", controller->runner_pods}};
    for (int i = 0; i < KIND_COUNT; i++) {
        informers[i + 2].kind = kind_resource((enum kind)i)->plural;
        informers[i + 2].informer = controller->watched[i].informer;
    }
    put_head(text, "sonde_watches_total", "counter", "Watches begun, by kind.");
    for (size_t i = 0; i < SONDE_LENGTH(informers); i++) {
        sonde_buf_printf(
            text, "sonde_watches_total{kind=\"%s\"} %llu\n", informers[i].kind,
            (unsigned long long)sonde_kube_informer_reflector(informers[i].informer)->watches);
    }
    put_head(text, "sonde_lists_total", "counter", "Lists begun, by kind.");
    for (size_t i = 0; i < SONDE_LENGTH(informers); i++) {
        sonde_buf_printf(
            text, "sonde_lists_total{kind=\"%s\"} %llu\n", informers[i].kind,
            (unsigned long long)sonde_kube_informer_reflector(informers[i].informer)->lists);
    }
    put_head(text, "sonde_objects_skipped_total", "counter",
             "Objects that were left out of the cache, by kind.");
    for (size_t i = 0; i < SONDE_LENGTH(informers); i++) {
        sonde_buf_printf(text, "sonde_objects_skipped_total{kind=\"%s\"} %llu\n", informers[i].kind,
                         (unsigned long long)sonde_kube_informer_skipped(informers[i].informer));
    }
    put_head(text, "sonde_objects", "gauge", "Objects in the cache, by kind.");
    for (size_t i = 0; i < SONDE_LENGTH(informers); i++) {
        sonde_buf_printf(text, "sonde_objects{kind=\"%s\"} %zu\n", informers[i].kind,
                         sonde_kube_cache_count(sonde_kube_informer_cache(informers[i].informer)));
    }
}

/* Bytes of memory that are resident; 0 when that cannot be told. */
static int64_t resident_bytes(void)
{
    SONDE_BUF_AUTO text = SONDE_BUF(8192);
    if (sonde_read_file(AT_FDCWD, "/proc/self/status", &text, NULL) < 0) {
        return 0;
    }
    const char *line = strstr(text.data, "VmRSS:");
    struct sonde_str rest = line ? sonde_str_trim(sonde_str(line + 6)) : (struct sonde_str){0};
    int64_t kib = 0;
    return sonde_parse_i64(sonde_str_split(&rest, ' '), 0, INT64_MAX / 1024, &kib) == 0 ? kib * 1024
                                                                                        : 0;
}

static void answer_metrics(void *context, struct sonde_exchange *exchange)
{
    const struct controller *controller = ((struct metrics_server *)context)->controller;
    const struct controller_metrics *metrics = &controller->metrics;
    SONDE_BUF_AUTO text = SONDE_BUF(256 << 10);
    struct sonde_kube_queue_numbers queue =
        sonde_kube_queue_numbers(controller->queue, sonde_clock_monotonic());
    size_t active = 0;
    for (const struct object *object = controller->active; object; object = object->next) {
        active++;
    }
    const struct {
        const char *name, *type, *help;
        double value;
    } numbers[] = {
        {"sonde_leader", "gauge", "Whether this replica leads.", controller->leads},
        {"sonde_runs_active", "gauge", "Runs under way.", (double)active},
        {"sonde_queue_ready", "gauge", "Keys that wait for work.", (double)queue.ready},
        {"sonde_queue_delayed", "gauge", "Keys that are to be worked on later.",
         (double)queue.delayed},
        {"sonde_queue_adds_total", "counter", "Keys added.", (double)queue.adds},
        {"sonde_queue_retries_total", "counter", "Keys added again after a failure.",
         (double)queue.retries},
        {"sonde_queue_wait_seconds_max", "gauge", "The longest wait so far.",
         (double)metrics->queue_wait_max_ns / 1e9},
        {"sonde_reconciles_total", "counter", "Reconciliations.", (double)metrics->reconciles},
        {"sonde_reconcile_errors_total", "counter", "Reconciliations that went wrong.",
         (double)metrics->reconcile_errors},
        {"sonde_attaches_total", "counter", "Sidecars put into pods.", (double)metrics->attaches},
        {"sonde_runners_lost_total", "counter", "Runners of load tests that ended too early.",
         (double)metrics->runners_lost},
        {"sonde_reviews_total", "counter", "Questions of the API server who makes a run.",
         (double)metrics->reviews},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", (double)resident_bytes()},
    };
    for (size_t i = 0; i < SONDE_LENGTH(numbers); i++) {
        put_number(&text, numbers[i].name, numbers[i].type, numbers[i].help, numbers[i].value);
    }
    put_histogram(&text, "sonde_queue_wait_seconds", "How long keys waited.", &metrics->queue_wait);
    put_histogram(&text, "sonde_reconcile_seconds", "How long reconciliations took.",
                  &metrics->reconcile);
    put_api_calls(metrics, &text);
    put_ended(metrics, &text);
    put_watches(controller, &text);
    sonde_exchange_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                          sonde_buf_view(&text));
}

static void answer_health(void *context, struct sonde_exchange *exchange)
{
    (void)context;
    sonde_exchange_answer(exchange, 200, "text/plain", SONDE_STR("ok\n"));
}

static void answer_ready(void *context, struct sonde_exchange *exchange)
{
    const struct controller *controller = ((struct metrics_server *)context)->controller;
    if (controller_synced(controller) && !controller->stopping &&
        (!controller->webhook || webhook_serves(controller->webhook))) {
        sonde_exchange_answer(exchange, 200, "text/plain", SONDE_STR("ok\n"));
    } else {
        sonde_exchange_fail(exchange, 503, "NotReady",
                            "the caches are not filled yet, or the webhook has no certificate",
                            NULL);
    }
}

static const struct sonde_route routes[] = {
    {"GET", "/metrics", .end = answer_metrics},
    {"GET", "/healthz", .end = answer_health},
    {"GET", "/readyz", .end = answer_ready},
    {0},
};

int metrics_new(struct controller *controller, struct metrics_server **ret, struct sonde_err *err)
{
    struct metrics_server *server = calloc(1, sizeof(*server));
    char address[SONDE_SERVER_ADDRESS_SIZE];
    if (!server) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    server->controller = controller;
    struct sonde_server_options options = {.loop = controller->loop,
                                           .address = address,
                                           .connections_max = CONNECTIONS_MAX,
                                           .connections_per_address = CONNECTIONS_PER_ADDRESS,
                                           .routes = routes,
                                           .context = server};
    int r = sonde_server_address(controller->settings->listen, address, &options.port, err);
    r = r < 0 ? r : sonde_server_new(&options, &server->server, err);
    if (r < 0) {
        free(server);
        return r;
    }
    SONDE_LOG(&controller->log, SONDE_LOG_INFO, "listening",
              SONDE_FIELD_STR("address", sonde_str(options.address)),
              SONDE_FIELD_INT("port", sonde_server_port(server->server)),
              SONDE_FIELD_STR("version", sonde_str(SONDE_VERSION)));
    *ret = server;
    return 0;
}

void metrics_free(struct metrics_server *server)
{
    if (server) {
        sonde_server_free(server->server);
        free(server);
    }
}
