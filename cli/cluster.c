/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster.h"

#include <string.h>

#include "base/clock.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "db/db.h"
#include "kube/credentials.h"
#include "spec/reason.h"

#define STORE_TIMEOUT_NS (120 * SONDE_SECOND)
#define STREAM_TIMEOUT_NS (24 * 3600 * SONDE_SECOND)
#define TOKEN_HEADER "Sonde-Authorization"

enum { TOKEN_SECONDS = 600 };

struct sonde_kube_resource cluster_resource(const struct sonde_kind *kind)
{
    return (struct sonde_kube_resource){SONDE_SPEC_GROUP, SONDE_SPEC_VERSION, kind->plural,
                                        kind->name};
}

const struct sonde_kind *cluster_kind(const char *name)
{
    size_t count;
    const struct sonde_kind *const *kinds = sonde_kinds(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

int cluster_open(const struct cli_settings *settings, struct cluster *ret, struct sonde_err *err)
{
    struct sonde_kube_config config;
    *ret = (struct cluster){.token = SONDE_BUF(SONDE_KUBE_TOKEN_MAX)};
    int r = sonde_kube_config_load(settings->kubeconfig, settings->context, &config, err);
    r = r < 0 ? r : sonde_loop_new(&ret->loop, err);
    if (r < 0) {
        return r;
    }
    r = sonde_kube_new(ret->loop, &config, NULL, &ret->kube, err);
    if (r < 0) {
        sonde_kube_config_fini(&config);
        return r;
    }
    ret->system_namespace =
        settings->system_namespace ? settings->system_namespace : "sonde-system";
    ret->namespace = settings->all_namespaces ? ""
                     : settings->namespace    ? settings->namespace
                                              : sonde_kube_namespace(ret->kube);
    return 0;
}

void cluster_close(struct cluster *cluster)
{
    sonde_kube_free(cluster->kube);
    sonde_loop_free(cluster->loop);
    if (cluster->token.data) {
        explicit_bzero(cluster->token.data, cluster->token.capacity);
    }
    sonde_buf_fini(&cluster->token);
}

/* ---- one request ---- */

struct asking {
    struct sonde_loop *loop;
    struct sonde_buf *body; /* NULL: not kept */
    /* Of an answer in pieces: who takes them, what has come, and what was to come. */
    int (*take)(void *context, const char *data, size_t length, struct sonde_err *err);
    void *take_context;
    uint64_t bytes;
    struct sonde_sha256 *digest;
    char told_bytes[24], told_sha256[SONDE_DIGEST_SIZE]; /* "": nobody said it */
    int status;
    char refusal[SONDE_ERR_MESSAGE_MAX]; /* the store's own words */
    struct sonde_err err;
    bool done;
};

/* {"code", "message"} of the store, or nothing. */
static void read_refusal(struct asking *asking, struct sonde_str body)
{
    SONDE_JSON_AUTO *json = NULL;
    if (sonde_json_parse(body, &json, NULL) == 0 && sonde_json_string_or(json, "code", NULL)) {
        (void)snprintf(asking->refusal, sizeof(asking->refusal), "%s",
                       sonde_json_string_or(json, "message", ""));
    }
}

static void keep_header(const struct sonde_kube_response *response, const char *name, char *ret,
                        size_t size)
{
    struct sonde_str value = sonde_http_header(response->http, name);
    (void)snprintf(ret, size, "%.*s", SONDE_STR_ARG(value));
}

static void answered(void *context, const struct sonde_kube_response *response,
                     const struct sonde_err *err)
{
    struct asking *asking = context;
    asking->status = response->status;
    asking->err = *err;
    asking->done = true;
    if (err->code) {
        read_refusal(asking, response->body);
    } else if (asking->body) {
        sonde_buf_str(asking->body, response->body);
    } else if (asking->take) {
        keep_header(response, "Sonde-Bytes", asking->told_bytes, sizeof(asking->told_bytes));
        keep_header(response, "Sonde-Sha256", asking->told_sha256, sizeof(asking->told_sha256));
    }
    sonde_loop_stop(asking->loop);
}

static int wait_for_answer(struct cluster *cluster, struct asking *asking,
                           struct sonde_kube_request *request, struct sonde_err *err)
{
    while (!asking->done) {
        if (cluster->stop && *cluster->stop) {
            sonde_kube_cancel(request);
            return sonde_fail(err, SONDE_ECANCELLED, 0, "nobody waits for the answer any more");
        }
        sonde_loop_run(cluster->loop);
    }
    *err = asking->err;
    return asking->err.code;
}

static int wait_for(struct cluster *cluster, struct asking *asking,
                    const struct sonde_kube_request_options *options, struct sonde_err *err)
{
    struct sonde_kube_request *request = NULL;
    int r = sonde_kube_send(cluster->kube, options, &request, err);
    return r < 0 ? r : wait_for_answer(cluster, asking, request, err);
}

int cluster_ask(struct cluster *cluster, const char *method, const struct sonde_kube_target *target,
                struct sonde_str body, struct sonde_buf *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    struct asking asking = {.loop = cluster->loop, .body = ret};
    int r = sonde_kube_path(target, &path, err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a request", err);
    struct sonde_kube_request_options options = {.method = method,
                                                 .path = sonde_buf_view(&path),
                                                 .body = body,
                                                 .context = &asking,
                                                 .done = answered};
    r = r < 0 ? r : wait_for(cluster, &asking, &options, err);
    return r < 0 || !ret ? r : sonde_buf_check(ret, "the answer", err);
}

int cluster_apply(struct cluster *cluster, const struct sonde_kube_target *target,
                  struct sonde_str body, struct sonde_buf *ret, struct sonde_err *err)
{
    struct asking asking = {.loop = cluster->loop, .body = ret};
    struct sonde_kube_request_options options = {.context = &asking, .done = answered};
    struct sonde_kube_request *request = NULL;
    int r = sonde_kube_apply(cluster->kube, target, "kubectl-sonde", body, &options, &request, err);
    r = r < 0 ? r : wait_for_answer(cluster, &asking, request, err);
    return r < 0 ? r : sonde_buf_check(ret, "the answer", err);
}

/* ---- the store ---- */

/* Kubeconfigs with a client certificate have no token that the store could check: whoever may, gets
 * one of the service account sonde-reader (TokenRequest, authentication.k8s.io/v1). */
static int get_token(struct cluster *cluster, struct sonde_err *err)
{
    static const struct sonde_kube_resource accounts = {"", "v1", "serviceaccounts",
                                                        "ServiceAccount"};
    static const struct sonde_kube_resource namespaces = {"", "v1", "namespaces", "Namespace"};
    char body[160];
    SONDE_BUF_AUTO answer = SONDE_BUF(256 << 10);
    SONDE_JSON_AUTO *json = NULL;
    if (cluster->has_token) {
        return 0;
    }
    cluster->has_token = true;
    /* Credentials are read with the first request. */
    struct sonde_err ignored;
    const struct sonde_kube_target any = {&namespaces, NULL, cluster->system_namespace, NULL, NULL};
    if (cluster_ask(cluster, "GET", &any, (struct sonde_str){0}, NULL, &ignored) < 0 &&
        ignored.code != SONDE_EDENIED && ignored.code != SONDE_ENOTFOUND) {
        *err = ignored;
        return ignored.code;
    }
    if (sonde_kube_has_token(cluster->kube)) {
        return 0;
    }
    (void)snprintf(body, sizeof(body),
                   "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\","
                   "\"spec\":{\"expirationSeconds\":%d}}",
                   TOKEN_SECONDS);
    const struct sonde_kube_target reader = {&accounts, cluster->system_namespace, "sonde-reader",
                                             "token", NULL};
    int r = cluster_ask(cluster, "POST", &reader, sonde_str(body), &answer, err);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&answer), &json, err);
    if (r < 0) {
        return sonde_err_wrap(err, r,
                              "your kubeconfig has no token, and none of the service account "
                              "sonde-reader could be had");
    }
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(json, "status");
    sonde_buf_text(&cluster->token, sonde_json_string_or(status, "token", ""));
    explicit_bzero(answer.data, answer.length);
    return sonde_buf_check(&cluster->token, "the token", err);
}

static int store_path(const struct cluster *cluster, const char *path, const char *const query[],
                      struct sonde_buf *ret, struct sonde_err *err)
{
    static const struct sonde_kube_resource services = {"", "v1", "services", "Service"};
    SONDE_BUF_AUTO tail = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    sonde_buf_printf(&tail, "api/v1/%s", path);
    int r = sonde_buf_check(&tail, "the path of a request", err);
    const struct sonde_kube_target target = {&services, cluster->system_namespace,
                                             "https:sonde-store:8443", "proxy", tail.data};
    r = r < 0 ? r : sonde_kube_path(&target, ret, err);
    for (size_t i = 0; r == 0 && query && query[i]; i += 2) {
        sonde_kube_query(ret, query[i], sonde_str(query[i + 1]));
    }
    return r < 0 ? r : sonde_buf_check(ret, "the path of a request", err);
}

/* The path's builder encodes each segment, so only what would be another segment is refused. */
int cluster_check_name(const char *what, const char *name, struct sonde_err *err)
{
    if (!name[0] || strlen(name) > SONDE_DB_ARTIFACT_NAME_MAX || strchr(name, '/') ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "\"%.100s\" is no name of a %s", name, what);
    }
    return 0;
}

/* What the proxy says when nobody is behind it. */
static int explain(const struct asking *asking, const struct cluster *cluster, const char *method,
                   const char *path, struct sonde_err *err)
{
    if (asking->refusal[0]) {
        int code = asking->status == 404                            ? SONDE_ENOTFOUND
                   : asking->status == 400                          ? SONDE_EINVALID
                   : asking->status == 401 || asking->status == 403 ? SONDE_EDENIED
                                                                    : SONDE_EBUSY;
        return sonde_fail(err, code, 0, "the store: %.400s", asking->refusal);
    }
    if (asking->status == 403) {
        const char *verb = method && strcmp(method, "POST") == 0 ? "create" : "get";
        return sonde_fail(err, SONDE_EDENIED, 0,
                          "%.300s: you need the right to `%s` services/proxy of sonde-store in %s",
                          asking->err.message, verb, cluster->system_namespace);
    }
    if (asking->status == 404 || asking->status >= 500) {
        return sonde_fail_reason(err, SONDE_EBUSY, SONDE_REASON_STORE_UNREACHABLE,
                                 "the store in namespace %s does not answer (%s: %.200s)",
                                 cluster->system_namespace, path, asking->err.message);
    }
    return err->code;
}

static int ask_store(struct cluster *cluster, const char *path, const char *const query[],
                     struct sonde_kube_request_options *options, struct asking *asking,
                     struct sonde_err *err)
{
    SONDE_BUF_AUTO url = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int r = get_token(cluster, err);
    r = r < 0 ? r : store_path(cluster, path, query, &url, err);
    if (r < 0) {
        return r;
    }
    options->path = sonde_buf_view(&url);
    options->raw = true;
    options->token_header = TOKEN_HEADER;
    options->token = sonde_buf_view(&cluster->token);
    options->context = asking;
    options->done = answered;
    asking->loop = cluster->loop;
    r = wait_for(cluster, asking, options, err);
    return r < 0 ? explain(asking, cluster, options->method, path, err) : 0;
}

static int ask_store_for(struct cluster *cluster, const char *method, const char *path,
                         const char *const query[], struct sonde_str body, struct sonde_buf *ret,
                         struct sonde_err *err)
{
    struct asking asking = {.body = ret};
    struct sonde_kube_request_options options = {.method = method,
                                                 .body = body,
                                                 .timeout_ns = STORE_TIMEOUT_NS,
                                                 .body_max = SONDE_CLI_OUTPUT_MAX};
    int r = ask_store(cluster, path, query, &options, &asking, err);
    return r < 0 ? r : sonde_buf_check(ret, "the store's answer", err);
}

int cluster_ask_store(struct cluster *cluster, const char *method, const char *path,
                      const char *const query[], struct sonde_buf *ret, struct sonde_err *err)
{
    return ask_store_for(cluster, method, path, query, (struct sonde_str){0}, ret, err);
}

int cluster_post_store(struct cluster *cluster, const char *path, const char *const query[],
                       struct sonde_str body, struct sonde_buf *ret, struct sonde_err *err)
{
    return ask_store_for(cluster, "POST", path, query, body, ret, err);
}

static int pass_on(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct asking *asking = context;
    asking->bytes += length;
    sonde_sha256_add(asking->digest, data, length);
    return asking->take(asking->take_context, data, length, err);
}

/* Not everything that is cut is noticed by who unfolds it. */
static int check_whole(const struct asking *asking, struct sonde_err *err)
{
    uint64_t told = 0;
    char sha256[SONDE_DIGEST_SIZE];
    if (!asking->told_bytes[0] && !asking->told_sha256[0]) {
        return 0; /* it is made for this answer, and its end is known from that */
    }
    if (!asking->told_bytes[0] || !asking->told_sha256[0]) {
        return sonde_fail(err, SONDE_EPROTOCOL, 0,
                          "the store: of Sonde-Bytes and Sonde-Sha256 only one came: whether the "
                          "answer is whole cannot be told");
    }
    bool all = sonde_parse_u64(sonde_str(asking->told_bytes), 0, UINT64_MAX, &told) == 0 &&
               asking->bytes == told;
    sonde_sha256_end(asking->digest, sha256);
    return all && strcmp(sha256, asking->told_sha256) == 0
               ? 0
               : sonde_fail(err, SONDE_EIO, 0,
                            "the store: %llu bytes came, of %s%s: it was cut on its way, or is "
                            "damaged there: ask again, and if that changes nothing, delete the "
                            "run, and look at the store's disk",
                            (unsigned long long)asking->bytes, asking->told_bytes,
                            all ? ", with another SHA-256" : "");
}

int cluster_stream_store(struct cluster *cluster, const char *path, const char *const query[],
                         int (*take)(void *context, const char *data, size_t length,
                                     struct sonde_err *err),
                         void *context, struct sonde_err *err)
{
    struct asking asking = {.take = take, .take_context = context};
    struct sonde_kube_request_options options = {.timeout_ns = STREAM_TIMEOUT_NS,
                                                 .idle_ns = STORE_TIMEOUT_NS,
                                                 .compressed = true,
                                                 .chunk = pass_on};
    int r = sonde_sha256_new(&asking.digest, err);
    r = r < 0 ? r : ask_store(cluster, path, query, &options, &asking, err);
    r = r < 0 ? r : check_whole(&asking, err);
    sonde_sha256_free(asking.digest);
    return r;
}
