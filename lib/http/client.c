/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"

struct sonde_http_client {
    struct sonde_loop *loop;
    CURLM *multi;
    struct sonde_timer *timer;
    struct sonde_http_request *requests; /* under way */
};

struct sonde_http_request {
    struct sonde_http_request *next;
    struct sonde_http_client *client;
    CURL *easy;
    struct sonde_http_options options; /* the URL is not kept */
    struct sonde_buf body;
};

/* One socket that curl watches. */
struct watch {
    uv_poll_t uv;
    struct sonde_http_client *client;
    curl_socket_t socket;
};

static void unlink_request(struct sonde_http_request *request)
{
    struct sonde_http_request **at = &request->client->requests;
    while (*at != request) {
        at = &(*at)->next;
    }
    *at = request->next;
}

static void free_request(struct sonde_http_request *request)
{
    if (request->easy) {
        (void)curl_multi_remove_handle(request->client->multi, request->easy);
        curl_easy_cleanup(request->easy);
    }
    sonde_buf_fini(&request->body);
    free(request);
}

static void explain(const struct sonde_http_request *request, CURLcode code, struct sonde_err *err)
{
    static const struct {
        CURLcode curl;
        int code;
    } table[] = {
        {CURLE_OPERATION_TIMEDOUT, SONDE_ETIMEOUT},  {CURLE_OUT_OF_MEMORY, SONDE_ENOMEM},
        {CURLE_WEIRD_SERVER_REPLY, SONDE_EPROTOCOL}, {CURLE_UNSUPPORTED_PROTOCOL, SONDE_EINVALID},
        {CURLE_URL_MALFORMAT, SONDE_EINVALID},       {CURLE_FILESIZE_EXCEEDED, SONDE_ELIMIT},
    };
    if (sonde_buf_check(&request->body, "the HTTP answer", err) < 0) {
        return;
    }
    int mapped = SONDE_ENETWORK;
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        mapped = table[i].curl == code ? table[i].code : mapped;
    }
    (void)sonde_fail(err, mapped, 0, "HTTP: %s", curl_easy_strerror(code));
}

static void finish(struct sonde_http_request *request, CURLcode code)
{
    struct sonde_err err = {0};
    long status = 0;
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    } else {
        explain(request, code, &err);
    }
    unlink_request(request);
    struct sonde_http_response response = {(int)status, sonde_buf_view(&request->body)};
    request->options.done(request->options.context, &response, &err);
    free_request(request);
}

static void collect(struct sonde_http_client *client)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            char *request = NULL;
            CURLcode code = message->data.result;
            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
            finish((struct sonde_http_request *)(void *)request, code);
        }
    }
}

static void timer_fired(void *context)
{
    struct sonde_http_client *client = context;
    int running;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(client);
}

static int set_timer(CURLM *multi, long milliseconds, void *context)
{
    (void)multi;
    struct sonde_http_client *client = context;
    if (milliseconds < 0) {
        sonde_timer_stop(client->timer);
    } else {
        sonde_timer_start(client->timer, milliseconds * SONDE_MILLISECOND, 0);
    }
    return 0;
}

static void socket_ready(uv_poll_t *uv, int status, int events)
{
    struct watch *watch = (struct watch *)uv;
    struct sonde_http_client *client = watch->client;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    int running;
    (void)curl_multi_socket_action(client->multi, watch->socket, flags, &running);
    collect(client);
}

static void free_watch(uv_handle_t *handle)
{
    free(handle);
}

static int set_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
    (void)easy;
    struct sonde_http_client *client = context;
    struct watch *watch = known;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            (void)uv_poll_stop(&watch->uv);
            uv_close((uv_handle_t *)&watch->uv, free_watch);
            (void)curl_multi_assign(client->multi, socket, NULL);
        }
        return 0;
    }
    if (!watch) {
        watch = calloc(1, sizeof(*watch));
        if (!watch) {
            return -1;
        }
        watch->client = client;
        watch->socket = socket;
        if (uv_poll_init_socket(sonde_loop_uv(client->loop), &watch->uv, socket) < 0) {
            free(watch);
            return -1;
        }
        (void)curl_multi_assign(client->multi, socket, watch);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->uv, events, socket_ready) < 0 ? -1 : 0;
}

int sonde_http_client_new(struct sonde_loop *loop, struct sonde_http_client **ret,
                          struct sonde_err *err)
{
    struct sonde_http_client *client = calloc(1, sizeof(*client));
    if (client && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        client->loop = loop;
        client->multi = curl_multi_init();
    }
    if (!client || !client->multi ||
        sonde_timer_new(loop, timer_fired, client, &client->timer, err)) {
        sonde_http_client_free(client);
        return sonde_fail(err, SONDE_ENOMEM, 0, "HTTP: out of memory");
    }
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    (void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    *ret = client;
    return 0;
}

void sonde_http_client_free(struct sonde_http_client *client)
{
    if (!client) {
        return;
    }
    while (client->requests) {
        sonde_http_cancel(client->requests);
    }
    if (client->multi) {
        (void)curl_multi_cleanup(client->multi);
    }
    sonde_timer_free(client->timer);
    free(client);
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct sonde_http_request *request = context;
    sonde_buf_append(&request->body, data, size * count);
    return request->body.code ? 0 : size * count;
}

static int set_options(CURL *easy, const struct sonde_http_options *options,
                       struct sonde_http_request *request)
{
    long timeout_ms = (long)(options->timeout_ns / SONDE_MILLISECOND);
    bool wrong = curl_easy_setopt(easy, CURLOPT_URL, options->url) != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_PRIVATE, request) != CURLE_OK ||
                 curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 16384L) != CURLE_OK;
    return wrong ? SONDE_ENOMEM : 0;
}

int sonde_http_get(struct sonde_http_client *client, const struct sonde_http_options *options,
                   struct sonde_http_request **ret, struct sonde_err *err)
{
    struct sonde_http_request *request = calloc(1, sizeof(*request));
    if (!request) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "HTTP: out of memory");
    }
    request->client = client;
    request->options = *options;
    request->options.url = NULL;
    request->body = SONDE_BUF(options->body_max);
    request->easy = curl_easy_init();
    if (!request->easy || set_options(request->easy, options, request) < 0 ||
        curl_multi_add_handle(client->multi, request->easy) != CURLM_OK) {
        free_request(request);
        return sonde_fail(err, SONDE_ENOMEM, 0, "HTTP: cannot start the request");
    }
    request->next = client->requests;
    client->requests = request;
    *ret = request;
    return 0;
}

void sonde_http_cancel(struct sonde_http_request *request)
{
    unlink_request(request);
    free_request(request);
}
