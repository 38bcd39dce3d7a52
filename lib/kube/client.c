/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/client.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "http/client.h"
#include "kube/backoff.h"
#include "kube/credentials.h"

enum { LEASES_PER_SECOND = 5, LEASES_BURST = 10, BODY_MAX = 4 << 20, EXPIRY_MARGIN_S = 10 };

/* What a plugin's thread reads may outlive the client. */
struct shared {
    struct sonde_kube_config config;
    unsigned references; /* of the loop's thread */
};

/* Connections that requests share. HTTP/2 has one for all, so that a peer that takes requests but
 * answers none (a balancer whose server is gone) would take all that follow too: after a request
 * without an answer, new ones go over new connections. */
struct channel {
    struct channel *next;
    struct sonde_http_client *http;
    unsigned requests; /* under way */
};

struct sonde_kube {
    struct sonde_loop *loop;
    struct channel *channel;     /* of new requests; behind it those that are left */
    struct sonde_timer *sweeper; /* frees these, outside their callbacks */
    struct shared *shared;
    struct sonde_kube_options options;
    struct sonde_kube_bucket buckets[SONDE_KUBE_LANES];
    struct sonde_kube_credentials credentials;
    bool have_credentials;
    unsigned generation;   /* of the credentials */
    int64_t read_at;       /* monotonic */
    struct plugin *plugin; /* running */
    struct sonde_kube_request *requests;
    uint64_t random;
};

/* A plugin that is being run on a thread of the pool. */
struct plugin {
    struct sonde_kube *kube; /* NULL: the client is gone */
    struct shared *shared;
    struct sonde_kube_credentials credentials;
    struct sonde_err err;
};

struct sonde_kube_request {
    struct sonde_kube_request *next, **at;
    struct sonde_kube *kube;
    struct sonde_kube_request_options options;
    struct sonde_buf url, body, token;
    struct sonde_timer *timer;       /* waits for its turn */
    struct sonde_http_request *http; /* under way … */
    struct channel *channel;         /* … over this; NULL: not */
    bool waits_for_credentials;
    bool has_waited;     /* they were made for it: it is sent with them, even when they end soon */
    bool renewed;        /* the credentials, after a 401 */
    unsigned generation; /* of the credentials it was sent with */
    unsigned tries;
    int64_t started;
    struct sonde_kube_backoff backoff;
};

static void request_start(struct sonde_kube_request *request);

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "Kubernetes client: out of memory");
}

/* ---- connections ---- */

static int new_channel(struct sonde_kube *kube, struct sonde_err *err)
{
    struct channel *channel = calloc(1, sizeof(*channel));
    if (!channel) {
        return no_memory(err);
    }
    int code = sonde_http_client_new(kube->loop, &channel->http, err);
    if (code < 0) {
        free(channel);
        return code;
    }
    channel->next = kube->channel;
    kube->channel = channel;
    return 0;
}

static void free_channel(struct channel *channel)
{
    sonde_http_client_free(channel->http);
    free(channel);
}

static void sweep(void *context)
{
    struct sonde_kube *kube = context;
    struct channel **at = &kube->channel->next;
    while (*at) {
        struct channel *channel = *at;
        if (channel->requests == 0) {
            *at = channel->next;
            free_channel(channel);
        } else {
            at = &channel->next;
        }
    }
}

/* The request does not use its channel any more. */
static void leave_channel(struct sonde_kube_request *request)
{
    struct channel *channel = SONDE_TAKE(request->channel);
    if (channel && --channel->requests == 0 && channel != request->kube->channel) {
        sonde_timer_start(request->kube->sweeper, 0, 0);
    }
}

/* ---- the end of a request ---- */

static void wipe(struct sonde_buf *buf)
{
    if (buf->data) {
        explicit_bzero(buf->data, buf->capacity);
    }
    sonde_buf_fini(buf);
}

static void free_request(struct sonde_kube_request *request)
{
    *request->at = request->next;
    if (request->next) {
        request->next->at = request->at;
    }
    if (request->http) {
        sonde_http_cancel(request->http);
    }
    leave_channel(request);
    sonde_timer_free(request->timer);
    sonde_buf_fini(&request->url);
    wipe(&request->body); /* of a sidecar's patch: it has a token */
    wipe(&request->token);
    free(request);
}

void sonde_kube_cancel(struct sonde_kube_request *request)
{
    free_request(request);
}

static void finish(struct sonde_kube_request *request, const struct sonde_kube_response *response,
                   const struct sonde_err *err)
{
    static const struct sonde_kube_response nothing = {0};
    struct sonde_kube_request_options options = request->options;
    free_request(request);
    options.done(options.context, response ? response : &nothing, err);
}

/* ---- credentials ---- */

static void release_shared(struct shared *shared)
{
    if (--shared->references == 0) {
        sonde_kube_config_fini(&shared->config);
        free(shared);
    }
}

static void use_credentials(struct sonde_kube *kube, struct sonde_kube_credentials *fresh)
{
    sonde_kube_credentials_fini(&kube->credentials);
    kube->credentials = *fresh;
    sonde_kube_credentials_init(fresh);
    kube->have_credentials = true;
    kube->generation++;
    kube->read_at = sonde_clock_monotonic();
}

/* Those that waited go on, or end with the error. Callbacks may change the list: it is begun anew
 * after each. */
static void resume_waiting(struct sonde_kube *kube, const struct sonde_err *err)
{
    struct sonde_kube_request *request = kube->requests;
    while (request) {
        if (!request->waits_for_credentials) {
            request = request->next;
            continue;
        }
        request->waits_for_credentials = false;
        if (err) {
            finish(request, NULL, err);
        } else {
            request->has_waited = true;
            sonde_timer_start(request->timer, 0, 0);
        }
        request = kube->requests;
    }
}

static void plugin_work(void *context)
{
    struct plugin *plugin = context;
    (void)!sonde_kube_exec_run(&plugin->shared->config, SONDE_KUBE_EXEC_SECONDS * SONDE_SECOND,
                               &plugin->credentials, &plugin->err); /* err says it */
}

static void free_plugin(struct plugin *plugin)
{
    sonde_kube_credentials_fini(&plugin->credentials);
    release_shared(plugin->shared);
    free(plugin);
}

static void plugin_done(void *context)
{
    struct plugin *plugin = context;
    struct sonde_kube *kube = plugin->kube;
    struct sonde_err err = plugin->err;
    if (kube) {
        kube->plugin = NULL;
        if (err.code == 0) {
            use_credentials(kube, &plugin->credentials);
        }
    }
    free_plugin(plugin);
    if (kube) {
        resume_waiting(kube, err.code ? &err : NULL);
    }
}

static int run_plugin(struct sonde_kube *kube, struct sonde_kube_credentials *from_files,
                      struct sonde_err *err)
{
    struct plugin *plugin = calloc(1, sizeof(*plugin));
    if (!plugin) {
        return no_memory(err);
    }
    plugin->kube = kube;
    plugin->shared = kube->shared;
    plugin->shared->references++;
    plugin->credentials = *from_files;
    sonde_kube_credentials_init(from_files);
    int code = sonde_loop_work(kube->loop, plugin_work, plugin_done, plugin, err);
    if (code < 0) {
        free_plugin(plugin);
        return code;
    }
    kube->plugin = plugin;
    return 0;
}

static bool are_stale(const struct sonde_kube *kube)
{
    int64_t now = sonde_clock_monotonic();
    if (!kube->have_credentials) {
        return true;
    }
    if (kube->shared->config.exec) {
        return sonde_clock_realtime() + EXPIRY_MARGIN_S * SONDE_SECOND >= kube->credentials.expires;
    }
    return now - kube->read_at >= SONDE_KUBE_REREAD_SECONDS * SONDE_SECOND;
}

/* 0: the credentials can be used; 1: they are being made; negative: they cannot be had. */
static int get_credentials(struct sonde_kube *kube, struct sonde_err *err)
{
    if (kube->plugin) {
        return 1;
    }
    if (!are_stale(kube)) {
        return 0;
    }
    struct sonde_kube_credentials fresh;
    sonde_kube_credentials_init(&fresh);
    int code = sonde_kube_credentials_read(&kube->shared->config, &fresh, err);
    if (code == 0 && kube->shared->config.exec) {
        code = run_plugin(kube, &fresh, err);
        code = code ? code : 1;
    } else if (code == 0) {
        use_credentials(kube, &fresh);
    } else if (kube->have_credentials) {
        /* A file that is being replaced: what was read last is used a while longer. */
        kube->read_at += SONDE_SECOND;
        code = 0;
    }
    sonde_kube_credentials_fini(&fresh);
    return code;
}

/* ---- answers ---- */

static void start_later(struct sonde_kube_request *request, int64_t delay_ns)
{
    int64_t turn = sonde_kube_bucket_take(&request->kube->buckets[request->options.lane],
                                          sonde_clock_monotonic());
    sonde_timer_start(request->timer, delay_ns > turn ? delay_ns : turn, 0);
}

static bool is_get(const struct sonde_kube_request *request)
{
    return !request->options.method || strcmp(request->options.method, "GET") == 0;
}

/* Begins it again when that makes sense. */
static bool try_again(struct sonde_kube_request *request, int status, int64_t retry_after_ns,
                      int code)
{
    struct sonde_kube *kube = request->kube;
    /* The authority may have been replaced, as the token may: its file is read again. */
    bool distrusted = status == 0 && code == SONDE_EDENIED;
    if ((status == 401 || distrusted) && !request->renewed) {
        request->renewed = true;
        if (kube->generation == request->generation) {
            kube->have_credentials = false;
        }
        start_later(request, 0);
        return true;
    }
    if (request->options.once || request->options.chunk || request->tries >= SONDE_KUBE_TRIES) {
        return false;
    }
    bool told = (status == 429 || status == 503) && retry_after_ns > 0 &&
                retry_after_ns <= SONDE_KUBE_RETRY_WAIT_SECONDS * SONDE_SECOND;
    bool broken = status == 0 && code == SONDE_ENETWORK && is_get(request);
    if (!told && !broken) {
        return false;
    }
    int64_t delay =
        sonde_kube_backoff_next(&request->backoff, sonde_clock_monotonic(), &kube->random);
    start_later(request, told ? retry_after_ns : delay);
    return true;
}

static void answer(struct sonde_kube_request *request, const struct sonde_http_response *http)
{
    struct sonde_err err = {0};
    SONDE_JSON_AUTO *object = NULL;
    struct sonde_kube_response response = {
        .status = http->status, .body = http->body, .http = http};
    if (http->status < 200 || http->status > 299) {
        struct sonde_str retry_after = sonde_http_header(http, "Retry-After");
        int code = sonde_kube_status_fail_text(http->status, http->body, retry_after,
                                               &response.failure, &err);
        if (!try_again(request, http->status, response.failure.retry_after_ns, code)) {
            finish(request, &response, &err);
        }
        return;
    }
    if (!request->options.chunk && !request->options.raw && http->body.length) {
        size_t maximum = request->options.body_max;
        if (sonde_json_parse_up_to(http->body, maximum, &object, &err) < 0) {
            (void)sonde_err_wrap(&err, err.code, "the API server's answer");
        }
        response.object = object;
    }
    finish(request, &response, &err);
}

static const char *verb_of(const struct sonde_kube_request_options *options)
{
    static const char *const verbs[][2] = {
        {"POST", "create"}, {"PUT", "update"}, {"PATCH", "patch"}, {"DELETE", "delete"}};
    for (size_t i = 0; options->method && !options->verb && i < SONDE_LENGTH(verbs); i++) {
        if (strcmp(options->method, verbs[i][0]) == 0) {
            return verbs[i][1];
        }
    }
    return options->verb ? options->verb : "get";
}

static void http_done(void *context, const struct sonde_http_response *http,
                      const struct sonde_err *err)
{
    struct sonde_kube_request *request = context;
    struct sonde_kube *kube = request->kube;
    request->http = NULL;
    if (err->code == SONDE_ETIMEOUT && request->channel == kube->channel) {
        (void)!new_channel(kube, NULL); /* without memory for it the old one goes on */
    }
    leave_channel(request);
    if (kube->options.observed) {
        kube->options.observed(kube->options.context, verb_of(&request->options), http->status,
                               sonde_clock_monotonic() - request->started);
    }
    if (err->code == 0) {
        answer(request, http);
    } else if (!try_again(request, 0, 0, err->code)) {
        finish(request, NULL, err);
    }
}

static int take_chunk(void *context, const char *data, size_t length, struct sonde_err *err)
{
    const struct sonde_kube_request *request = context;
    return request->options.chunk(request->options.context, data, length, err);
}

/* ---- sending ---- */

static int send_now(struct sonde_kube_request *request, struct sonde_err *err)
{
    struct sonde_kube *kube = request->kube;
    const struct sonde_kube_config *config = &kube->shared->config;
    const struct sonde_kube_credentials *credentials = &kube->credentials;
    const struct sonde_kube_request_options *o = &request->options;
    SONDE_BUF_AUTO authorization = SONDE_BUF(SONDE_KUBE_TOKEN_MAX + 16);
    SONDE_BUF_AUTO forwarded = SONDE_BUF(SONDE_KUBE_TOKEN_MAX + 16);
    struct sonde_http_header headers[5] = {{"Accept", o->raw ? "*/*" : "application/json"},
                                           {"User-Agent", "sonde/" SONDE_VERSION}};
    size_t count = 2;
    if (request->body.length) {
        const char *type = o->content_type ? o->content_type : "application/json";
        headers[count++] = (struct sonde_http_header){"Content-Type", type};
    }
    if (credentials->token.length) {
        sonde_buf_printf(&authorization, "Bearer %s", credentials->token.data);
        int code = sonde_buf_check(&authorization, "the token", err);
        if (code < 0) {
            return code;
        }
        headers[count++] = (struct sonde_http_header){"Authorization", authorization.data};
    }
    struct sonde_str shown = request->token.length ? sonde_buf_view(&request->token)
                                                   : sonde_buf_view(&credentials->token);
    if (o->token_header && shown.length) {
        sonde_buf_printf(&forwarded, "Bearer %.*s", SONDE_STR_ARG(shown));
        int code = sonde_buf_check(&forwarded, "the token", err);
        if (code < 0) {
            return code;
        }
        headers[count++] = (struct sonde_http_header){o->token_header, forwarded.data};
    }
    const struct sonde_http_tls tls = {.ca = sonde_buf_view(&credentials->ca),
                                       .certificate = sonde_buf_view(&credentials->certificate),
                                       .key = sonde_buf_view(&credentials->key),
                                       .server_name = config->tls_server_name,
                                       .insecure = config->insecure};
    const struct sonde_http_options options = {
        .url = request->url.data,
        .timeout_ns = o->timeout_ns,
        .body_max = o->body_max,
        .context = request,
        .done = http_done,
        .method = o->method,
        .headers = headers,
        .header_count = count,
        .body = request->body.length ? sonde_buf_view(&request->body) : (struct sonde_str){0},
        .tls = &tls,
        .multiplexed = true,
        .proxy = config->proxy_url,
        .connect_timeout_ns = SONDE_KUBE_CONNECT_SECONDS * SONDE_SECOND,
        .compressed = o->compressed,
        .idle_ns = o->idle_ns,
        .chunk = o->chunk ? take_chunk : NULL,
    };
    request->generation = kube->generation;
    request->started = sonde_clock_monotonic();
    request->tries++;
    int code = sonde_http_send(kube->channel->http, &options, &request->http, err);
    if (code == 0) {
        request->channel = kube->channel;
        request->channel->requests++;
    }
    return code;
}

static void request_start(struct sonde_kube_request *request)
{
    struct sonde_err err = {0};
    int code = request->has_waited && request->kube->have_credentials
                   ? 0
                   : get_credentials(request->kube, &err);
    request->has_waited = false;
    if (code > 0) {
        request->waits_for_credentials = true;
        return;
    }
    code = code ? code : send_now(request, &err);
    if (code < 0) {
        finish(request, NULL, &err);
    }
}

static void turn_came(void *context)
{
    request_start(context);
}

static int fill_request(struct sonde_kube_request *request,
                        const struct sonde_kube_request_options *options, struct sonde_err *err)
{
    struct sonde_kube *kube = request->kube;
    request->options = *options;
    request->options.path = request->options.body = (struct sonde_str){0};
    if (!options->timeout_ns) {
        request->options.timeout_ns = SONDE_KUBE_REQUEST_SECONDS * SONDE_SECOND;
    }
    if (!options->body_max) {
        request->options.body_max = SONDE_KUBE_OBJECT_MAX;
    }
    request->backoff = (struct sonde_kube_backoff){
        .first_ns = SONDE_SECOND / 10, .maximum_ns = 5 * SONDE_SECOND, .jitter = 1};
    request->url = SONDE_BUF(SONDE_KUBE_URL_MAX + SONDE_KUBE_PATH_MAX);
    request->body = SONDE_BUF(BODY_MAX);
    request->token = SONDE_BUF(SONDE_KUBE_TOKEN_MAX);
    sonde_buf_text(&request->url, kube->shared->config.server);
    sonde_buf_str(&request->url, options->path);
    sonde_buf_str(&request->body, options->body);
    int code = sonde_buf_check(&request->url, "the URL of a Kubernetes request", err);
    sonde_buf_str(&request->token, options->token);
    code = code ? code : sonde_buf_check(&request->body, "the body of a Kubernetes request", err);
    code = code ? code : sonde_buf_check(&request->token, "the token", err);
    return code ? code : sonde_timer_new(kube->loop, turn_came, request, &request->timer, err);
}

int sonde_kube_send(struct sonde_kube *kube, const struct sonde_kube_request_options *options,
                    struct sonde_kube_request **ret, struct sonde_err *err)
{
    struct sonde_kube_request *request = calloc(1, sizeof(*request));
    if (!request) {
        return no_memory(err);
    }
    request->kube = kube;
    request->next = kube->requests;
    request->at = &kube->requests;
    if (request->next) {
        request->next->at = &request->next;
    }
    kube->requests = request;
    int code = fill_request(request, options, err);
    if (code < 0) {
        free_request(request);
        return code;
    }
    start_later(request, 0);
    if (ret) {
        *ret = request;
    }
    return 0;
}

/* ---- the client ---- */

int sonde_kube_new(struct sonde_loop *loop, struct sonde_kube_config *config,
                   const struct sonde_kube_options *options, struct sonde_kube **ret,
                   struct sonde_err *err)
{
    struct sonde_kube *kube = calloc(1, sizeof(*kube));
    struct shared *shared = calloc(1, sizeof(*shared));
    if (!kube || !shared) {
        free(kube);
        free(shared);
        return no_memory(err);
    }
    kube->loop = loop;
    kube->shared = shared;
    shared->references = 1;
    kube->options = options ? *options : (struct sonde_kube_options){0};
    sonde_kube_credentials_init(&kube->credentials);
    int code = new_channel(kube, err);
    code = code ? code : sonde_timer_new(loop, sweep, kube, &kube->sweeper, err);
    if (code < 0) {
        sonde_kube_free(kube);
        return code;
    }
    int64_t now = sonde_clock_monotonic();
    double rate = kube->options.requests_per_second > 0 ? kube->options.requests_per_second : 20;
    double burst = kube->options.burst >= 1 ? kube->options.burst : 40;
    sonde_kube_bucket_init(&kube->buckets[SONDE_KUBE_BULK], rate, burst, now);
    sonde_kube_bucket_init(&kube->buckets[SONDE_KUBE_LEASES], LEASES_PER_SECOND, LEASES_BURST, now);
    sonde_random_bytes(&kube->random, sizeof(kube->random));
    shared->config = *config;
    *config = (struct sonde_kube_config){0};
    *ret = kube;
    return 0;
}

void sonde_kube_free(struct sonde_kube *kube)
{
    if (!kube) {
        return;
    }
    while (kube->requests) {
        free_request(kube->requests);
    }
    if (kube->plugin) {
        kube->plugin->kube = NULL; /* it frees itself when its thread is done */
    }
    while (kube->channel) {
        struct channel *channel = kube->channel;
        kube->channel = channel->next;
        free_channel(channel);
    }
    sonde_timer_free(kube->sweeper);
    sonde_kube_credentials_fini(&kube->credentials);
    release_shared(kube->shared);
    free(kube);
}

bool sonde_kube_has_token(const struct sonde_kube *kube)
{
    return kube->credentials.token.length > 0;
}

const char *sonde_kube_namespace(const struct sonde_kube *kube)
{
    return kube->shared->config.namespace;
}
