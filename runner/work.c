/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "inspector/cgroup.h"
#include "load/awake.h"
#include "load/document.h"
#include "load/plan.h"
#include "load/safety.h"
#include "runner/runner.h"
#include "spec/reason.h"

enum {
    ARENA_MAX = 4 << 20,
    URL_MAX = 4096,
    PATH_SIZE = 4096,
    PEM_MAX = 1 << 20,
    HEADERS_MAX = 18, /* those of the Secrets, and the URL's */
};

/* ---- the document ---- */

static int read_document(const cJSON *answer, struct work *work, struct sonde_err *err)
{
    const cJSON *document = NULL;
    int64_t runners = 0;
    int r = sonde_json_object(answer, "document", &document, err);
    r = r < 0 ? r : sonde_json_integer(answer, "runners", &runners, err);
    if (r < 0) {
        return r;
    }
    if (runners < 1 || runners > RUNNER_COUNT_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "the store's runners: %lld", (long long)runners);
    }
    char *text = cJSON_PrintUnformatted(document);
    if (!text) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    r = sonde_spec_parse("the document", sonde_str(text), &work->documents, err);
    cJSON_free(text);
    if (r == 0 &&
        (work->documents.count != 1 || work->documents.items[0].kind != &sonde_kind_load_test)) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "the store's document is no LoadTest");
    }
    if (r == 0) {
        work->test = work->documents.items[0].load_test;
        work->plan = sonde_load_plan_of(work->test);
        work->plan.runners = (unsigned)runners;
    }
    return r;
}

/* ---- secrets ---- */

/* A text of the environment for as long as the work lives; there it is overwritten. */
static int take_secret(struct work *work, const char *name, const char **ret, struct sonde_err *err)
{
    const char *text = getenv(name);
    size_t size = (text ? strnlen(text, RUNNER_SECRET_MAX) : 0) + 1;
    char *own = sonde_arena_alloc(&work->arena, size);
    int r = own ? sonde_uplink_secret(name, own, size, err)
                : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    if (r == 0) {
        *ret = own;
    }
    return r;
}

/* A Secret's value as that of a header field. Files often end with a line feed, which is none of
 * it. No message tells what is in it. */
static int take_header(struct work *work, size_t index, const char *field, struct sonde_pair *ret,
                       struct sonde_err *err)
{
    char name[32];
    const char *value = NULL;
    (void)snprintf(name, sizeof(name), "SONDE_HEADER_%zu", index);
    int r = take_secret(work, name, &value, err);
    if (r < 0) {
        return r;
    }
    struct sonde_str text = sonde_str_trim(sonde_str(value));
    ((char *)(uintptr_t)text.data)[text.length] = '\0';
    bool wrong = strstr(text.data, "{{") != NULL; /* it would be a place to be filled */
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        wrong = wrong || (c < ' ' && c != '\t') || c == 0x7f;
    }
    if (wrong) {
        return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_INVALID_SPEC,
                                 "the Secret of the header %.100s has a line break, another "
                                 "control character or {{: it can be no header field",
                                 field);
    }
    *ret = (struct sonde_pair){field, text.data};
    return 0;
}

static int take_headers(struct work *work, struct sonde_pair *ret, size_t *ret_count,
                        struct sonde_err *err)
{
    static const char authorization[] = "Authorization";
    const struct sonde_scenario *scenario = work->test->scenario;
    bool given = work->site.authorization == NULL;
    size_t count = 0;
    int r = 0;
    for (size_t i = 0; i < scenario->headers_from.count && i + 1 < HEADERS_MAX && r == 0; i++) {
        const char *name = scenario->headers_from.items[i].name;
        given = given || strcasecmp(name, authorization) == 0;
        r = take_header(work, i, name, &ret[count++], err);
    }
    if (!given) {
        ret[count++] = (struct sonde_pair){authorization, work->site.authorization};
    }
    *ret_count = count;
    return r;
}

static int read_certificate(const struct settings *settings, const char *name,
                            struct sonde_buf *ret, struct sonde_err *err)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof(path), "%s/client/%s", settings->files, name);
    return length < 0 || (size_t)length >= sizeof(path)
               ? sonde_fail(err, SONDE_EINVALID, 0, "SONDE_FILES is too long")
               : sonde_read_file(AT_FDCWD, path, ret, err);
}

static int make_tls(const struct settings *settings, struct work *work, struct sonde_err *err)
{
    const struct sonde_load_tls *tls = work->test->http->tls;
    const char *authority = NULL;
    int r = 0;
    if (tls && tls->authority) {
        r = take_secret(work, "SONDE_AUTHORITY", &authority, err);
    }
    if (r == 0 && tls && tls->client_certificate) {
        r = read_certificate(settings, "tls.crt", &work->certificate, err);
        r = r < 0 ? r : read_certificate(settings, "tls.key", &work->key, err);
    }
    work->origin.tls = (struct sonde_load_tls_options){
        .enabled = work->site.url.tls,
        .skip_verify = tls && tls->skip_verify,
        .server_name = tls && tls->server_name ? tls->server_name : work->site.url.host,
        .authorities = authority ? sonde_str(authority) : (struct sonde_str){0},
        .certificate = sonde_buf_view(&work->certificate),
        .key = sonde_buf_view(&work->key),
    };
    return r;
}

/* ---- what is sent ---- */

static int make_scenario(const struct settings *settings, struct work *work, struct sonde_err *err)
{
    struct sonde_pair headers[HEADERS_MAX];
    char directory[PATH_SIZE];
    struct sonde_load_surroundings around = {.url = &work->site.url, .headers = headers};
    int length = snprintf(directory, sizeof(directory), "%s/maps/", settings->files);
    if (length < 0 || (size_t)length >= sizeof(directory)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "SONDE_FILES is too long");
    }
    const struct sonde_load_maps maps = {.directory = sonde_str(directory), .by_name = true};
    int r = take_headers(work, headers, &around.header_count, err);
    r = r < 0 ? r
              : sonde_load_scenario_of(work->test->scenario, &maps, &around, &work->scenario, err);
    work->origin.scenario = &work->scenario;
    return r;
}

/* ---- where to ---- */

static int parse_address(const char *text, struct sonde_load_address *ret)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool six = length > 2 && text[0] == '[' && text[length - 1] == ']';
    char host[INET6_ADDRSTRLEN];
    uint64_t port = 0;
    if (!colon || length - (six ? 2 : 0) >= sizeof(host) ||
        sonde_parse_u64(sonde_str(colon + 1), 1, UINT16_MAX, &port) < 0) {
        return SONDE_EINVALID;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)(length - (six ? 2 : 0)), text + six);
    *ret = (struct sonde_load_address){0};
    struct sockaddr_in6 at6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in at4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(six ? AF_INET6 : AF_INET, host,
                  six ? (void *)&at6.sin6_addr : (void *)&at4.sin_addr) != 1) {
        return SONDE_EINVALID;
    }
    ret->length = six ? sizeof(at6) : sizeof(at4);
    memcpy(&ret->at, six ? (const void *)&at6 : (const void *)&at4, ret->length);
    return 0;
}

int work_addresses(const cJSON *list, struct sonde_load_addresses *ret, struct sonde_err *err)
{
    const cJSON *item;
    *ret = (struct sonde_load_addresses){0};
    cJSON_ArrayForEach(item, list)
    {
        const char *text = sonde_json_string_or(item, "address", "?");
        if (ret->count == SONDE_LOAD_ADDRESSES_MAX) {
            return sonde_fail(err, SONDE_ELIMIT, 0, "more than %d pods: load their Service",
                              SONDE_LOAD_ADDRESSES_MAX);
        }
        if (parse_address(text, &ret->items[ret->count]) < 0) {
            return sonde_fail(err, SONDE_EINVALID, 0, "%.100s is no address with a port", text);
        }
        ret->items[ret->count++].name = sonde_json_string_or(item, "name", NULL);
    }
    return ret->count ? 0 : sonde_fail(err, SONDE_EINVALID, 0, "there is no pod to be loaded");
}

/* Names of pods, for as long as the work lives. */
static int keep_names(struct work *work, struct sonde_err *err)
{
    for (size_t i = 0; i < work->addresses.count; i++) {
        struct sonde_load_address *address = &work->addresses.items[i];
        const char *name = address->name;
        address->name = name ? sonde_arena_copy(&work->arena, sonde_str(name)).data : NULL;
        if (name && !address->name) {
            return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
        }
    }
    return 0;
}

static bool loads_pods(const struct work *work)
{
    const struct sonde_service_target *service = work->test->target->service;
    return service && service->endpoints == SONDE_ENDPOINTS_PODS;
}

int work_resolve(struct work *work, const cJSON *answer, struct sonde_err *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "addresses");
    if (!loads_pods(work)) {
        return sonde_load_site_resolve(work->site.url.host, work->site.url.port, &work->addresses,
                                       err);
    }
    int r = work_addresses(list, &work->addresses, err);
    return r < 0 ? r : keep_names(work, err);
}

int work_label(struct work *work, struct sonde_err *err)
{
    return sonde_load_label(&work->origin, loads_pods(work), work->labels, &work->plan.label_count,
                            err);
}

static int find_site(struct work *work, struct sonde_err *err)
{
    SONDE_BUF_AUTO url = SONDE_BUF(URL_MAX);
    sonde_load_document_url(&work->documents.items[0], &url);
    int r = sonde_buf_check(&url, "the URL", err);
    return r < 0 ? r : sonde_load_site_read(sonde_buf_view(&url), &work->arena, &work->site, err);
}

/* Before anything is sent; of a search, all of its trials. */
static int check_safety(const struct work *work, struct sonde_err *err)
{
    const struct sonde_rate_search *search = work->test->search;
    struct sonde_arrival arrival = work->plan.arrival;
    arrival.rate = search ? search->max_rate : arrival.rate;
    int r = sonde_load_safety_check(work->test->safety, work->site.url.host, &arrival, err);
    if (r == SONDE_EDENIED && err) {
        err->reason = SONDE_REASON_HOST_NOT_ALLOWED;
    }
    return r;
}

/* ---- all of it ---- */

/* As many as the CPU limit has room for; without one, one: a test grows by runners. */
static unsigned threads_of(double limit)
{
    double most = fmin(floor(limit), RUNNER_THREADS_MAX);
    return isinf(limit) || most < 1 ? 1 : (unsigned)most;
}

static void make_plan(const struct settings *settings, struct work *work)
{
    double limit = sonde_cpu_limit("/proc", getpid());
    work->plan.origins = &work->origin;
    work->plan.origin_count = 1;
    work->plan.labels = work->labels;
    work->plan.threads = threads_of(limit);
    work->plan.drain_ns = SONDE_SECOND;
    work->plan.runner = settings->number;
    work->plan.waits_awake =
        sonde_awake_is_affordable(work->plan.threads, sysconf(_SC_NPROCESSORS_ONLN), limit);
}

int work_make(const struct settings *settings, const cJSON *answer, struct work *ret,
              struct sonde_err *err)
{
    *ret = (struct work){.arena = SONDE_ARENA(ARENA_MAX),
                         .certificate = SONDE_BUF(PEM_MAX),
                         .key = SONDE_BUF(PEM_MAX)};
    int r = read_document(answer, ret, err);
    if (r < 0) {
        return r;
    }
    make_plan(settings, ret);
    r = settings->number < ret->plan.runners
            ? 0
            : sonde_fail(err, SONDE_EINVALID, 0, "there is no runner %u of %u", settings->number,
                         ret->plan.runners);
    r = r < 0 ? r : find_site(ret, err);
    r = r < 0 ? r : check_safety(ret, err);
    r = r < 0 ? r : make_scenario(settings, ret, err);
    ret->origin.addresses = &ret->addresses;
    ret->origin.host = ret->site.url.host;
    ret->origin.websocket = ret->site.url.websocket;
    return r < 0 ? r : make_tls(settings, ret, err);
}

void work_fini(struct work *work)
{
    sonde_load_scenario_fini(&work->scenario);
    sonde_spec_documents_fini(&work->documents);
    sonde_buf_fini(&work->certificate);
    sonde_buf_fini(&work->key);
    sonde_arena_fini(&work->arena);
}
