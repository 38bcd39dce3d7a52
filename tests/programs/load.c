/* SPDX-License-Identifier: Apache-2.0 */
/* The load engine without the command around it: load URL [NAME=NUMBER …], with the names of
 * `settings` below, and [authority=FILE] [certificate=FILE] [key=FILE] of PEM and [proxy=URL].
 * Prints what came of it as one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file.h"
#include "load/engine.h"
#include "load/proxy.h"

enum { BODY_MAX = 4 << 20 };

struct settings {
    int64_t connections, most, pipelining, threads, seconds, amount, rate, poisson, timeout_ms,
        per_connection, drain_ms, skip_verify, ids, version, body, head, listens, warm_up;
};

static const struct {
    const char *name;
    size_t offset;
} names[] = {
    {"connections", offsetof(struct settings, connections)},
    {"most", offsetof(struct settings, most)},
    {"pipelining", offsetof(struct settings, pipelining)},
    {"threads", offsetof(struct settings, threads)},
    {"seconds", offsetof(struct settings, seconds)},
    {"amount", offsetof(struct settings, amount)},
    {"rate", offsetof(struct settings, rate)},
    {"poisson", offsetof(struct settings, poisson)},
    {"timeout", offsetof(struct settings, timeout_ms)},
    {"perConnection", offsetof(struct settings, per_connection)},
    {"drain", offsetof(struct settings, drain_ms)},
    {"ids", offsetof(struct settings, ids)},
    {"version", offsetof(struct settings, version)}, /* enum sonde_http_version */
    {"body", offsetof(struct settings, body)},       /* bytes of the request's */
    {"head", offsetof(struct settings, head)},
    {"listens", offsetof(struct settings, listens)},
    {"warmUp", offsetof(struct settings, warm_up)},
    {"skipVerify", offsetof(struct settings, skip_verify)},
};

static bool read_setting(const char *word, struct settings *ret)
{
    struct sonde_str value = sonde_str(word);
    struct sonde_str name = sonde_str_split(&value, '=');
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        int64_t *to = (int64_t *)(void *)((char *)ret + names[i].offset);
        if (sonde_str_is(name, names[i].name)) {
            return sonde_parse_i64(value, 0, INT64_MAX, to) == 0;
        }
    }
    return false;
}

static void print_histogram(const char *name, const struct sonde_histogram *histogram)
{
    printf(",\"%s\":{\"count\":%llu,\"mean\":%.3f,\"p50\":%lld,\"p90\":%lld,\"p99\":%lld,"
           "\"max\":%lld}",
           name, (unsigned long long)histogram->total, sonde_histogram_mean(histogram),
           (long long)sonde_histogram_quantile(histogram, 0.5),
           (long long)sonde_histogram_quantile(histogram, 0.9),
           (long long)sonde_histogram_quantile(histogram, 0.99), (long long)histogram->maximum);
}

static void print_outcome(const struct sonde_load_outcome *outcome)
{
    const struct sonde_load_tally *t = &outcome->tally;
    printf(
        "{\"sent\":%llu,\"answered\":%llu,\"failed\":%llu,\"censored\":%llu,\"unsent\":%llu,"
        "\"late\":%llu,\"received\":%llu,\"connects\":%llu,\"connectFailures\":%llu,\"bad\":%llu,"
        "\"bytesRead\":%llu,"
        "\"bytesWritten\":%llu,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"errors\":{",
        (unsigned long long)t->sent, (unsigned long long)t->answered, (unsigned long long)t->failed,
        (unsigned long long)t->censored, (unsigned long long)t->unsent, (unsigned long long)t->late,
        (unsigned long long)t->received, (unsigned long long)t->connects,
        (unsigned long long)t->connect_failures, (unsigned long long)t->wrong,
        (unsigned long long)t->bytes_read, (unsigned long long)t->bytes_written,
        (double)outcome->duration_ns / 1e9, (double)outcome->cpu_ns / 1e9);
    for (int i = 0; i < SONDE_LOAD_ERRORS; i++) {
        printf("%s\"%s\":%llu", i ? "," : "", sonde_load_error_name((enum sonde_load_error)i),
               (unsigned long long)t->errors[i]);
    }
    struct rusage used = {0};
    (void)getrusage(RUSAGE_SELF, &used);
    printf("},\"residentBytes\":%lld", (long long)used.ru_maxrss * 1024);
    print_histogram("response", &t->response);
    print_histogram("service", &t->service);
    print_histogram("sendLag", &t->send_lag);
    printf("}\n");
}

/* What a file is for, and what is in it. */
static const struct {
    const char *name;
    size_t offset;
} files[] = {
    {"authority=", offsetof(struct sonde_load_tls_options, authorities)},
    {"certificate=", offsetof(struct sonde_load_tls_options, certificate)},
    {"key=", offsetof(struct sonde_load_tls_options, key)},
};

static bool read_pem(const char *word, struct sonde_buf *texts, struct sonde_load_tls_options *ret)
{
    for (size_t i = 0; i < SONDE_LENGTH(files); i++) {
        struct sonde_str *to = (struct sonde_str *)(void *)((char *)ret + files[i].offset);
        if (sonde_str_starts(sonde_str(word), files[i].name)) {
            texts[i] = SONDE_BUF(1 << 20);
            bool read = sonde_read_input(word + strlen(files[i].name), &texts[i], NULL) == 0;
            *to = sonde_buf_view(&texts[i]);
            return read;
        }
    }
    return false;
}

static const char *method_of(const struct settings *s)
{
    return s->body ? "POST" : s->head ? "HEAD" : "GET";
}

static bool read_proxy(const char *word, const char **ret)
{
    static const char name[] = "proxy=";
    bool is_one = sonde_str_starts(sonde_str(word), name);
    *ret = is_one ? word + strlen(name) : *ret;
    return is_one;
}

static char *make_body(int64_t size)
{
    char *body = size && size <= BODY_MAX ? malloc((size_t)size) : NULL;
    for (int64_t i = 0; body && i < size; i++) {
        body[i] = (char)('a' + i % 26);
    }
    return body;
}

/* The addresses that are connected to: the proxy's, if there is one. */
static int find_addresses(const char *proxy, const struct sonde_load_url *url,
                          struct sonde_buf *ask, struct sonde_load_addresses *ret,
                          struct sonde_err *err)
{
    struct sonde_load_url other;
    int r = proxy ? sonde_load_proxy_ask(sonde_str(proxy), url, &other, ask, err) : 0;
    const struct sonde_load_url *to = proxy ? &other : url;
    return r < 0 ? r : sonde_load_resolve(to->host, to->port, ret, err);
}

static void free_texts(char *body, struct sonde_buf *texts)
{
    free(body);
    for (size_t i = 0; i < SONDE_LENGTH(files); i++) {
        sonde_buf_fini(&texts[i]);
    }
}

int main(int argc, char **argv)
{
    const char *proxy = NULL;
    SONDE_BUF_AUTO ask_proxy = SONDE_BUF(64 << 10);
    struct sonde_buf texts[SONDE_LENGTH(files)] = {0};
    struct settings s = {.connections = 10,
                         .pipelining = 1,
                         .threads = 1,
                         .timeout_ms = 10000,
                         .drain_ms = 1000,
                         .seconds = SONDE_SPEC_ABSENT,
                         .amount = SONDE_SPEC_ABSENT,
                         .rate = SONDE_SPEC_ABSENT};
    struct sonde_load_url url;
    struct sonde_load_tls_options tls = {0};
    struct sonde_load_addresses addresses;
    struct sonde_load_outcome outcome;
    struct sonde_err err;
    struct sonde_arena arena = SONDE_ARENA(16 << 20);
    struct sonde_load_request request;
    const struct sonde_pair fields[] = {{"X-Id", "[<id>]"}};
    for (int i = 2; i < argc; i++) {
        if (!read_proxy(argv[i], &proxy) && !read_pem(argv[i], texts, &tls) &&
            !read_setting(argv[i], &s)) {
            (void)fprintf(stderr, "%s is no setting\n", argv[i]);
            return 2;
        }
    }
    if (argc < 2 || sonde_load_url_parse(sonde_str(argv[1]), &url, &err) < 0 ||
        find_addresses(proxy, &url, &ask_proxy, &addresses, &err) < 0) {
        (void)fprintf(stderr, "%s\n", argc < 2 ? "no URL" : err.message);
        return 2;
    }
    char *body = make_body(s.body);
    const struct sonde_load_places places = {.ids = true};
    const struct sonde_load_ask ask = {.method = method_of(&s),
                                       .body = {body, (size_t)s.body},
                                       .path = url.path,
                                       .fields = fields,
                                       .field_count = s.ids ? 1 : 0};
    if (sonde_load_request_make(&ask, &url, &places, &arena, &request, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    tls.enabled = url.tls;
    tls.server_name = url.host;
    tls.skip_verify = s.skip_verify;
    const struct sonde_load_origin origin = {.addresses = &addresses,
                                             .connect = sonde_buf_view(&ask_proxy),
                                             .tls = tls,
                                             .websocket = url.websocket,
                                             .listens = s.listens,
                                             .requests = &request,
                                             .request_count = 1};
    const struct sonde_load_plan plan = {
        .origins = &origin,
        .origin_count = 1,
        .version = (enum sonde_http_version)s.version,
        .threads = (unsigned)s.threads,
        .connections = (unsigned)s.connections,
        .connections_max = (unsigned)(s.most ? s.most : s.connections),
        .pipelining = (unsigned)s.pipelining,
        .requests_per_connection = (uint64_t)s.per_connection,
        .timeout_ns = s.timeout_ms * SONDE_MILLISECOND,
        .drain_ns = s.drain_ms * SONDE_MILLISECOND,
        .arrival = {.distribution = s.poisson ? SONDE_ARRIVAL_POISSON : SONDE_ARRIVAL_CONSTANT,
                    .rate = s.rate,
                    .duration_seconds = s.seconds,
                    .amount = s.amount},
        .warm_up_seconds = s.warm_up,
        .seed = 1,
    };
    if (sonde_load_run(&plan, NULL, &outcome, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    print_outcome(&outcome);
    sonde_load_outcome_fini(&outcome);
    sonde_arena_fini(&arena);
    free_texts(body, texts);
    return EXIT_SUCCESS;
}
