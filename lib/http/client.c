/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/clock.h"

/* A peer that vanished is noticed after about this long: probes when idle, and no
 * acknowledgement of what was sent. */
enum { PROBE_AFTER_S = 20, PROBE_EACH_S = 5, UNACKNOWLEDGED_MS = 30000 };

struct sonde_http_client {
    struct sonde_loop *loop;
    CURLM *multi;
    struct sonde_timer *timer;
    struct sonde_http_request *requests; /* under way */
    struct sonde_http_request *starting; /* to be given to curl, outside its callbacks */
    struct sonde_http_request *ended;    /* to be freed there */
    unsigned inside;                     /* calls of curl that are on the stack */
    bool doomed;                         /* one of the requests is */
};

struct sonde_http_request {
    struct sonde_http_request *next;
    struct sonde_http_client *client;
    CURL *easy;
    bool added;  /* to the multi handle */
    bool doomed; /* its socket could not be watched */
    void *context;
    void (*done)(void *context, const struct sonde_http_response *response,
                 const struct sonde_err *err);
    int (*chunk)(void *context, const char *data, size_t length, struct sonde_err *err);
    int (*upload)(void *context, char *data, size_t size, struct sonde_err *err);
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    struct sonde_buf head, body;
    struct sonde_err err; /* of chunk and upload */
};

/* One socket that curl watches. */
struct watch {
    uv_poll_t uv;
    struct sonde_http_client *client;
    curl_socket_t socket;
};

static void unlink_from(struct sonde_http_request **at, struct sonde_http_request *request)
{
    while (*at && *at != request) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = request->next;
    }
}

static void unlink_request(struct sonde_http_request *request)
{
    unlink_from(request->added ? &request->client->requests : &request->client->starting, request);
}

static void free_request(struct sonde_http_request *request)
{
    if (request->easy) {
        if (request->added) {
            request->client->inside++;
            (void)curl_multi_remove_handle(request->client->multi, request->easy);
            request->client->inside--;
        }
        curl_easy_cleanup(request->easy);
    }
    curl_slist_free_all(request->headers);
    curl_slist_free_all(request->connect_to);
    sonde_buf_fini(&request->head);
    sonde_buf_fini(&request->body);
    free(request);
}

static void explain(const struct sonde_http_request *request, CURLcode code, struct sonde_err *err)
{
    static const struct {
        CURLcode curl;
        int code;
    } table[] = {
        {CURLE_OPERATION_TIMEDOUT, SONDE_ETIMEOUT},
        {CURLE_OUT_OF_MEMORY, SONDE_ENOMEM},
        {CURLE_WEIRD_SERVER_REPLY, SONDE_EPROTOCOL},
        {CURLE_UNSUPPORTED_PROTOCOL, SONDE_EINVALID},
        {CURLE_URL_MALFORMAT, SONDE_EINVALID},
        {CURLE_FILESIZE_EXCEEDED, SONDE_ELIMIT},
        {CURLE_PEER_FAILED_VERIFICATION, SONDE_EDENIED},
        {CURLE_SSL_CERTPROBLEM, SONDE_EDENIED},
        {CURLE_SSL_CACERT_BADFILE, SONDE_EDENIED},
        {CURLE_HTTP2, SONDE_EPROTOCOL},
    };
    if (request->err.code) {
        *err = request->err;
        return;
    }
    if (sonde_buf_check(&request->body, "the HTTP answer", err) < 0 ||
        sonde_buf_check(&request->head, "the headers of an HTTP answer", err) < 0) {
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
    struct sonde_http_response response = {(int)status, sonde_buf_view(&request->body),
                                           sonde_buf_view(&request->head)};
    request->done(request->context, &response, &err);
    free_request(request);
}

/* What callbacks of curl's wanted, now that it is not on the stack any more. */
static void begin_requests(struct sonde_http_client *client)
{
    while (client->ended) {
        struct sonde_http_request *request = client->ended;
        client->ended = request->next;
        free_request(request);
    }
    while (client->starting) {
        struct sonde_http_request *request = client->starting;
        client->starting = request->next;
        request->added = true;
        request->next = client->requests;
        client->requests = request;
        client->inside++;
        CURLMcode code = curl_multi_add_handle(client->multi, request->easy);
        client->inside--;
        if (code != CURLM_OK) {
            request->err.code = sonde_fail(&request->err, SONDE_ENOMEM, 0, "HTTP: out of memory");
            finish(request, CURLE_OUT_OF_MEMORY);
        }
    }
}

static void end_doomed(struct sonde_http_client *client)
{
    struct sonde_http_request *request = client->doomed ? client->requests : NULL;
    while (request) {
        if (request->doomed) {
            finish(request, CURLE_OUT_OF_MEMORY);
            request = client->requests; /* the callback may have changed the list */
        } else {
            request = request->next;
        }
    }
    client->doomed = false;
}

static void collect(struct sonde_http_client *client)
{
    int left;
    CURLMsg *message;
    end_doomed(client);
    begin_requests(client);
    while ((message = curl_multi_info_read(client->multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            char *request = NULL;
            CURLcode code = message->data.result;
            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
            finish((struct sonde_http_request *)(void *)request, code);
        }
        begin_requests(client);
    }
}

static void act(struct sonde_http_client *client, curl_socket_t socket, int flags)
{
    int running;
    client->inside++;
    (void)curl_multi_socket_action(client->multi, socket, flags, &running);
    client->inside--;
    collect(client);
}

static void timer_fired(void *context)
{
    act(context, CURL_SOCKET_TIMEOUT, 0);
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
    act(client, watch->socket, flags);
}

static void free_watch(uv_handle_t *handle)
{
    free(handle);
}

/* A watch of the socket, known to curl from here on; NULL when there is none to be had. */
static struct watch *new_watch(struct sonde_http_client *client, curl_socket_t socket)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch) {
        return NULL;
    }
    watch->client = client;
    watch->socket = socket;
    if (uv_poll_init_socket(sonde_loop_uv(client->loop), &watch->uv, socket) < 0) {
        free(watch);
        return NULL;
    }
    (void)curl_multi_assign(client->multi, socket, watch);
    return watch;
}

/* Told of a failure, curl would give up all exchanges for good: only this one is ended. */
static void doom(struct sonde_http_client *client, CURL *easy)
{
    char *private = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct sonde_http_request *request = (struct sonde_http_request *)(void *)private;
    if (request) {
        (void)sonde_fail(&request->err, SONDE_ENOMEM, 0, "HTTP: a socket cannot be watched");
        request->doomed = true;
        client->doomed = true;
    }
}

static int set_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
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
    watch = watch ? watch : new_watch(client, socket);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!watch || uv_poll_start(&watch->uv, events, socket_ready) < 0) {
        doom(client, easy);
    }
    return 0;
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
    while (client->requests || client->starting) {
        sonde_http_cancel(client->requests ? client->requests : client->starting);
    }
    client->inside++;
    if (client->multi) {
        (void)curl_multi_cleanup(client->multi);
    }
    sonde_timer_free(client->timer);
    free(client);
}

static bool is_success(const struct sonde_http_request *request)
{
    long status = 0;
    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct sonde_http_request *request = context;
    size_t length = size * count;
    if (request->chunk && is_success(request)) {
        int code = request->chunk(request->context, data, length, &request->err);
        request->err.code = code < 0 ? code : 0;
        return code < 0 ? CURL_WRITEFUNC_ERROR : length;
    }
    sonde_buf_append(&request->body, data, length);
    return request->body.code ? CURL_WRITEFUNC_ERROR : length;
}

static size_t give_body(char *data, size_t size, size_t count, void *context)
{
    struct sonde_http_request *request = context;
    if (!request->upload) {
        return CURL_READFUNC_ABORT; /* cancelled */
    }
    int given = request->upload(request->context, data, size * count, &request->err);
    if (given == SONDE_HTTP_WAIT) {
        return CURL_READFUNC_PAUSE;
    }
    request->err.code = given < 0 ? given : 0;
    return given < 0 ? CURL_READFUNC_ABORT : (size_t)given;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct sonde_http_request *request = context;
    struct sonde_str line = {data, size * count};
    if (sonde_str_starts(line, "HTTP/")) {
        sonde_buf_clear(&request->head); /* what stood before was of a proxy or a 1xx */
    } else {
        sonde_buf_str(&request->head, line);
    }
    return request->head.code ? 0 : line.length;
}

static int prepare_socket(void *context, curl_socket_t socket, curlsocktype purpose)
{
    (void)context;
    (void)purpose;
    const int on = 1;
    const int after = PROBE_AFTER_S;
    const int each = PROBE_EACH_S;
    const int unacknowledged = UNACKNOWLEDGED_MS;
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof(after));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &each, sizeof(each));
    (void)setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged,
                     sizeof(unacknowledged));
    return CURL_SOCKOPT_OK;
}

/* Sets several options: the first failure is kept. */
#define SET(code, easy, option, value)                                                             \
    ((code) = (code) != CURLE_OK ? (code) : curl_easy_setopt((easy), (option), (value)))

static long to_milliseconds(int64_t ns)
{
    return ns <= 0 ? 0 : (long)((ns + SONDE_MILLISECOND - 1) / SONDE_MILLISECOND);
}

static CURLcode set_exchange(CURL *easy, const struct sonde_http_options *options,
                             struct sonde_http_request *request)
{
    CURLcode code = CURLE_OK;
    SET(code, easy, CURLOPT_URL, options->url);
    SET(code, easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(code, easy, CURLOPT_TIMEOUT_MS, to_milliseconds(options->timeout_ns));
    SET(code, easy, CURLOPT_CONNECTTIMEOUT_MS, to_milliseconds(options->connect_timeout_ns));
    SET(code, easy, CURLOPT_NOSIGNAL, 1L);
    SET(code, easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(code, easy, CURLOPT_HEADERFUNCTION, take_header);
    SET(code, easy, CURLOPT_HEADERDATA, request);
    SET(code, easy, CURLOPT_WRITEFUNCTION, take_body);
    SET(code, easy, CURLOPT_WRITEDATA, request);
    SET(code, easy, CURLOPT_PRIVATE, request);
    SET(code, easy, CURLOPT_BUFFERSIZE, 16384L);
    SET(code, easy, CURLOPT_SOCKOPTFUNCTION, prepare_socket);
    SET(code, easy, CURLOPT_SOCKOPTDATA, request->client);
    return code;
}

static CURLcode set_way(CURL *easy, const struct sonde_http_options *options)
{
    CURLcode code = CURLE_OK;
    SET(code, easy, CURLOPT_PIPEWAIT, options->multiplexed ? 1L : 0L);
    if (options->compressed) {
        SET(code, easy, CURLOPT_ACCEPT_ENCODING, ""); /* whatever libcurl can */
    }
    if (options->idle_ns) {
        SET(code, easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(code, easy, CURLOPT_LOW_SPEED_TIME,
            (long)((options->idle_ns + SONDE_SECOND - 1) / SONDE_SECOND));
    }
    if (options->proxy) {
        SET(code, easy, CURLOPT_PROXY, options->proxy);
        SET(code, easy, CURLOPT_NOPROXY, "");
    } else {
        SET(code, easy, CURLOPT_NOPROXY, "*");
    }
    return code;
}

static CURLcode set_body(CURL *easy, const struct sonde_http_options *options,
                         struct sonde_http_request *request)
{
    CURLcode code = CURLE_OK;
    if (options->upload) {
        SET(code, easy, CURLOPT_UPLOAD, 1L);
        SET(code, easy, CURLOPT_READFUNCTION, give_body);
        SET(code, easy, CURLOPT_READDATA, request);
    } else if (options->body.data) {
        SET(code, easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->body.length);
        SET(code, easy, CURLOPT_COPYPOSTFIELDS, options->body.data);
    }
    if (options->method && strcmp(options->method, "HEAD") == 0) {
        SET(code, easy, CURLOPT_NOBODY, 1L);
    } else if (options->method) {
        SET(code, easy, CURLOPT_CUSTOMREQUEST, options->method);
    }
    return code;
}

static CURLcode set_blob(CURL *easy, CURLoption option, struct sonde_str pem)
{
    struct curl_blob blob = {.len = pem.length, .flags = CURL_BLOB_COPY};
    memcpy(&blob.data, &pem.data, sizeof(blob.data)); /* curl's member is not const */
    return curl_easy_setopt(easy, option, &blob);
}

static CURLcode set_tls(CURL *easy, const struct sonde_http_tls *tls)
{
    CURLcode code = CURLE_OK;
    SET(code, easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(code, easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!tls) {
        return code;
    }
    if (tls->insecure) {
        SET(code, easy, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(code, easy, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (tls->ca.length) {
        /* Without this the machine's directory of certificates would be trusted as well. */
        SET(code, easy, CURLOPT_CAPATH, NULL);
        code = code ? code : set_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca);
    }
    if (tls->certificate.length) {
        SET(code, easy, CURLOPT_SSLCERTTYPE, "PEM");
        SET(code, easy, CURLOPT_SSLKEYTYPE, "PEM");
        code = code ? code : set_blob(easy, CURLOPT_SSLCERT_BLOB, tls->certificate);
        code = code ? code : set_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key);
    }
    return code;
}

static bool one_line(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' && *text != '\t') {
            return false;
        }
    }
    return true;
}

static int add_line(struct curl_slist **list, const struct sonde_buf *line, struct sonde_err *err)
{
    struct curl_slist *longer = line->code == 0 ? curl_slist_append(*list, line->data) : NULL;
    if (!longer) {
        return sonde_fail(err, line->code ? line->code : SONDE_ENOMEM, 0,
                          "HTTP: a header is too long, or out of memory");
    }
    *list = longer;
    return 0;
}

static int add_header(struct sonde_http_request *request, const char *name, const char *value,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO line = SONDE_BUF(SONDE_HTTP_HEAD_MAX);
    if (!one_line(name) || !one_line(value)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "HTTP: a header with a line end in it");
    }
    /* With a semicolon curl sends a header without a value. */
    sonde_buf_printf(&line, value[0] ? "%s: %s" : "%s;", name, value);
    return add_line(&request->headers, &line, err);
}

static int set_headers(struct sonde_http_request *request, const struct sonde_http_options *options,
                       struct sonde_err *err)
{
    if (options->header_count > SONDE_HTTP_HEADERS_MAX ||
        options->body.length > SONDE_HTTP_BODY_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "HTTP: too many headers or too large a body");
    }
    if (options->method &&
        strspn(options->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(options->method)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "HTTP: no method");
    }
    int code = 0;
    for (size_t i = 0; i < options->header_count && code == 0; i++) {
        code = add_header(request, options->headers[i].name, options->headers[i].value, err);
    }
    if ((options->body.data || options->upload) && code == 0) {
        code = add_line(&request->headers, &(struct sonde_buf){.data = (char[]){"Expect:"}},
                        err); /* no waiting */
    }
    return code;
}

/* SNI and the name in the certificate are of the URL's host. So the URL gets the wanted name,
 * the connection goes to where the URL pointed, and Host says that, as kubectl's does. */
static int rename_host(struct sonde_http_request *request, const struct sonde_http_options *options,
                       struct sonde_buf *url, struct sonde_err *err)
{
    struct sonde_str rest = sonde_str(options->url + strlen("https://"));
    struct sonde_str authority = {rest.data, strcspn(rest.data, "/?#")};
    const char *colon = memrchr(authority.data, ':', authority.length);
    bool has_port =
        colon && !memchr(colon, ']', (size_t)(authority.data + authority.length - colon));
    struct sonde_str host = {authority.data,
                             has_port ? (size_t)(colon - authority.data) : authority.length};
    struct sonde_str port = SONDE_STR("443");
    if (has_port) {
        port = (struct sonde_str){colon + 1, authority.length - host.length - 1};
    }
    SONDE_BUF_AUTO line = SONDE_BUF(SONDE_HTTP_HEAD_MAX);
    sonde_buf_printf(url, "https://%s:%.*s%s", options->tls->server_name, SONDE_STR_ARG(port),
                     authority.data + authority.length);
    sonde_buf_printf(&line, "%s:%.*s:%.*s:%.*s", options->tls->server_name, SONDE_STR_ARG(port),
                     SONDE_STR_ARG(host), SONDE_STR_ARG(port));
    int code = sonde_buf_check(url, "the URL", err);
    code = code ? code : add_line(&request->connect_to, &line, err);
    sonde_buf_clear(&line);
    sonde_buf_printf(&line, "Host: %.*s", SONDE_STR_ARG(authority));
    return code ? code : add_line(&request->headers, &line, err);
}

static int set_options(struct sonde_http_request *request, struct sonde_http_options *options,
                       struct sonde_err *err)
{
    CURL *easy = request->easy;
    bool secure = strncmp(options->url, "https://", 8) == 0;
    SONDE_BUF_AUTO url = SONDE_BUF(SONDE_HTTP_URL_MAX);
    if (strlen(options->url) > SONDE_HTTP_URL_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "HTTP: an URL of more than %d bytes",
                          SONDE_HTTP_URL_MAX);
    }
    int r = set_headers(request, options, err);
    if (r == 0 && secure && options->tls && options->tls->server_name) {
        r = rename_host(request, options, &url, err);
        options->url = url.data;
    }
    if (r < 0) {
        return r;
    }
    CURLcode code = set_exchange(easy, options, request);
    code = code != CURLE_OK ? code : set_way(easy, options);
    code = code ? code : set_body(easy, options, request);
    code = code || !secure ? code : set_tls(easy, options->tls);
    SET(code, easy, CURLOPT_HTTPHEADER, request->headers);
    SET(code, easy, CURLOPT_CONNECT_TO, request->connect_to);
    return code ? sonde_fail(err, code == CURLE_OUT_OF_MEMORY ? SONDE_ENOMEM : SONDE_EINVALID, 0,
                             "HTTP: %s", curl_easy_strerror(code))
                : 0;
}

int sonde_http_send(struct sonde_http_client *client, const struct sonde_http_options *options,
                    struct sonde_http_request **ret, struct sonde_err *err)
{
    struct sonde_http_request *request = calloc(1, sizeof(*request));
    if (!request) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "HTTP: out of memory");
    }
    struct sonde_http_options own = *options;
    request->client = client;
    request->context = options->context;
    request->done = options->done;
    request->chunk = options->chunk;
    request->upload = options->upload;
    request->body = SONDE_BUF(options->body_max);
    request->head = SONDE_BUF(SONDE_HTTP_HEAD_MAX);
    request->easy = curl_easy_init();
    int code = request->easy ? set_options(request, &own, err)
                             : sonde_fail(err, SONDE_ENOMEM, 0, "HTTP: out of memory");
    if (code == 0 && !client->inside) {
        client->inside++;
        request->added = curl_multi_add_handle(client->multi, request->easy) == CURLM_OK;
        client->inside--;
        code = request->added ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "HTTP: out of memory");
    }
    if (code < 0) {
        free_request(request);
        return code;
    }
    struct sonde_http_request **list = request->added ? &client->requests : &client->starting;
    request->next = *list;
    *list = request;
    *ret = request;
    return 0;
}

int sonde_http_get(struct sonde_http_client *client, const struct sonde_http_options *options,
                   struct sonde_http_request **ret, struct sonde_err *err)
{
    return sonde_http_send(client, options, ret, err);
}

void sonde_http_resume(struct sonde_http_request *request)
{
    struct sonde_http_client *client = request->client;
    if (request->added && !client->inside) {
        client->inside++;
        (void)curl_easy_pause(request->easy, CURLPAUSE_CONT);
        client->inside--;
        sonde_timer_start(client->timer, 0, 0); /* what that has changed is acted on soon */
    }
}

void sonde_http_cancel(struct sonde_http_request *request)
{
    struct sonde_http_client *client = request->client;
    unlink_request(request);
    if (client->inside && request->added) {
        request->chunk = NULL;
        request->upload = NULL;
        request->next = client->ended;
        client->ended = request;
    } else {
        free_request(request);
    }
}

struct sonde_str sonde_http_header(const struct sonde_http_response *response, const char *name)
{
    struct sonde_str rest = response->head;
    size_t length = strlen(name);
    while (rest.data && rest.length) {
        struct sonde_str line = sonde_str_split(&rest, '\n');
        if (line.length > length && line.data[length] == ':' &&
            strncasecmp(line.data, name, length) == 0) {
            return sonde_str_trim(
                (struct sonde_str){line.data + length + 1, line.length - length - 1});
        }
    }
    return (struct sonde_str){0};
}
