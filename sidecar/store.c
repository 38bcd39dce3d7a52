/* SPDX-License-Identifier: Apache-2.0 */
/* The store's API as a sidecar uses it: beats, artifacts one after the other, the last word. What
 * goes wrong on the way is tried again; what the store refuses is not. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "sidecar/sidecar.h"
#include "sidecar/stream.h"
#include "spec/reason.h"

#define BEAT_NS (2 * SONDE_SECOND)
#define FIRST_NS (15 * SONDE_SECOND) /* to reach the store at all: a crowd takes its time */
#define DONE_NS (15 * SONDE_SECOND)
#define AGAIN_NS (300 * SONDE_MILLISECOND)
#define REQUEST_NS (20 * SONDE_SECOND)
#define BEAT_ANSWER_NS (8 * SONDE_SECOND)
#define STREAM_IDLE_NS (30 * SONDE_SECOND) /* the store takes nothing of what is streamed */

struct upload {
    struct upload *next;
    char name[SIDECAR_NAME_MAX], capture[64];
    const struct sonde_artifact_type *type;
    char process[SIDECAR_PROCESS_MAX];
    struct sonde_buf body;
    char sha256[SONDE_DIGEST_SIZE];
    /* In place of the body, when it is sent while it is captured: */
    bool streamed;
    bool paused; /* the request waits for more of it */
    struct stream stream;
    struct sonde_err broken;
};

enum step { STEP_NONE, STEP_PUT, STEP_COMMIT, STEP_DONE };

struct store {
    struct store_options options;
    struct sonde_http_client *http;
    struct sonde_timer *beat_timer, *retry_timer;
    struct sonde_http_request *beat, *request;
    char phase[32];
    struct upload *first, **last;
    struct upload *open; /* the last one, while it is being captured */
    size_t waiting_bytes;
    enum step step;          /* under way or to be tried again */
    int64_t failing_since;   /* of this step; 0: it has not failed */
    int64_t began, answered; /* monotonic; answered 0: never */
    struct sonde_buf result;
    bool connected, failed, told_cancel, done;
};

static void beat(void *context);
static void beaten(void *context, const struct sonde_http_response *response,
                   const struct sonde_err *err);
static void go_on(void *context);

int store_new(const struct store_options *options, struct store **ret, struct sonde_err *err)
{
    struct store *store = calloc(1, sizeof(*store));
    if (!store) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    store->options = *options;
    store->last = &store->first;
    store->result = SONDE_BUF(64 << 10);
    store->began = sonde_clock_monotonic();
    int r = sonde_http_client_new(options->loop, &store->http, err);
    r = r < 0 ? r : sonde_timer_new(options->loop, beat, store, &store->beat_timer, err);
    r = r < 0 ? r : sonde_timer_new(options->loop, go_on, store, &store->retry_timer, err);
    if (r < 0) {
        store_free(store);
        return r;
    }
    *ret = store;
    return 0;
}

static void free_upload(struct upload *upload)
{
    stream_fini(&upload->stream);
    sonde_buf_fini(&upload->body);
    free(upload);
}

void store_free(struct store *store)
{
    if (!store) {
        return;
    }
    sonde_http_client_free(store->http);
    sonde_timer_free(store->beat_timer);
    sonde_timer_free(store->retry_timer);
    while (store->first) {
        struct upload *upload = store->first;
        store->first = upload->next;
        free_upload(upload);
    }
    sonde_buf_fini(&store->result);
    free(store);
}

bool store_busy(const struct store *store)
{
    return !store->failed && (store->first || store->step != STEP_NONE);
}

bool store_connected(const struct store *store)
{
    return store->connected;
}

static void fail(struct store *store, const struct sonde_err *err)
{
    if (!store->failed) {
        store->failed = true;
        sonde_timer_stop(store->retry_timer);
        store->options.failed(store->options.context, err);
    }
}

/* ---- one request ---- */

typedef void (*answer_function)(void *context, const struct sonde_http_response *response,
                                const struct sonde_err *err);

/* What there is of a streamed artifact, to its request. */
static int give(void *context, char *data, size_t size, struct sonde_err *err)
{
    (void)err;
    struct store *store = context;
    struct upload *upload = store->first;
    bool was_full = stream_full(&upload->stream);
    size_t count = stream_read(&upload->stream, data, size);
    if (was_full && !stream_full(&upload->stream)) {
        store->options.resume(store->options.context);
    }
    upload->paused = count == 0 && !upload->stream.ended;
    return upload->paused ? SONDE_HTTP_WAIT : (int)count;
}

static int send(struct store *store, const char *method, const char *path, struct sonde_str body,
                const struct upload *upload, answer_function done, struct sonde_http_request **ret,
                struct sonde_err *err)
{
    struct sonde_http_header headers[SONDE_UPLINK_HEADERS_MAX];
    struct sonde_uplink_request request = {
        .path = path,
        .media_type = upload ? upload->type->media_type : NULL,
        .http = {.timeout_ns = done == beaten ? BEAT_ANSWER_NS : REQUEST_NS,
                 .context = store,
                 .done = done,
                 .method = method,
                 .headers = headers,
                 .body = body},
    };
    if (upload) {
        size_t count = 0;
        headers[count++] = (struct sonde_http_header){"Sonde-Capture", upload->capture};
        headers[count++] = (struct sonde_http_header){"Sonde-Type", upload->type->name};
        headers[count++] = (struct sonde_http_header){"Sonde-Process", upload->process};
        request.http.header_count = count;
    }
    if (upload && upload->streamed) {
        request.http.timeout_ns = 0;
        request.http.idle_ns = STREAM_IDLE_NS;
        request.http.upload = give;
    }
    return sonde_uplink_send(&store->options.settings->uplink, store->http, &request, ret, err);
}

static void unreachable(struct store *store, const struct sonde_err *last)
{
    struct sonde_err err;
    (void)sonde_fail_reason(&err, SONDE_ENETWORK, SONDE_REASON_STORE_UNREACHABLE,
                            "the store %.200s does not answer: %.250s",
                            store->options.settings->uplink.store, last->message);
    fail(store, &err);
}

static void answered(struct store *store)
{
    store->answered = sonde_clock_monotonic();
    if (!store->connected) {
        store->connected = true;
        store->options.idle(store->options.context);
    }
}

/* ---- beats ---- */

static void beaten(void *context, const struct sonde_http_response *response,
                   const struct sonde_err *err)
{
    struct store *store = context;
    struct sonde_err problem;
    int64_t now = sonde_clock_monotonic();
    store->beat = NULL;
    if (store->done) {
        return;
    }
    int r = sonde_uplink_refusal(response, err, &problem);
    if (r == 0) {
        SONDE_JSON_AUTO *json = NULL;
        if (sonde_json_parse(response->body, &json, NULL) == 0 && sonde_json_true(json, "cancel") &&
            !store->told_cancel) {
            store->told_cancel = true;
            store->options.cancelled(store->options.context);
        }
        answered(store);
        sonde_timer_start(store->beat_timer, BEAT_NS, 0);
    } else if (r != SONDE_EBUSY) {
        fail(store, &problem);
    } else if (store->connected ? now - store->answered > store->options.settings->patience_ns
                                : now - store->began > FIRST_NS) {
        unreachable(store, &problem);
    } else {
        sonde_timer_start(store->beat_timer, store->connected ? BEAT_NS : AGAIN_NS, 0);
    }
}

static void beat(void *context)
{
    struct store *store = context;
    struct sonde_err err;
    char body[64];
    if (store->beat || store->failed || store->done) {
        return;
    }
    (void)snprintf(body, sizeof(body), "{\"phase\":\"%s\"}", store->phase);
    if (send(store, "POST", "heartbeat", sonde_str(body), NULL, beaten, &store->beat, &err) < 0) {
        fail(store, &err);
    }
}

void store_beat(struct store *store, const char *phase)
{
    if (strcmp(store->phase, phase) != 0) {
        (void)snprintf(store->phase, sizeof(store->phase), "%s", phase);
        sonde_timer_start(store->beat_timer, 0, 0);
    }
}

/* ---- artifacts, and the last word ---- */

static void finish_step(struct store *store)
{
    store->failing_since = 0;
    if (store->step == STEP_PUT) {
        store->step = STEP_COMMIT;
    } else if (store->step == STEP_COMMIT && store->first) {
        struct upload *upload = store->first;
        store->first = upload->next;
        store->last = store->first ? store->last : &store->first;
        store->waiting_bytes -= upload->body.length;
        free_upload(upload);
        store->step = STEP_NONE;
    } else {
        store->step = STEP_NONE;
        sonde_buf_clear(&store->result);
    }
    go_on(store);
}

static void try_again(struct store *store, const struct sonde_err *err)
{
    int64_t now = sonde_clock_monotonic();
    int64_t patience = store->step == STEP_DONE ? DONE_NS : store->options.settings->patience_ns;
    store->failing_since = store->failing_since ? store->failing_since : now;
    if (now - store->failing_since > patience) {
        unreachable(store, err);
        return;
    }
    /* What the store had of it may be gone with its last process. */
    bool repeats = store->step == STEP_COMMIT && store->first && !store->first->streamed;
    store->step = repeats ? STEP_PUT : store->step;
    sonde_timer_start(store->retry_timer, AGAIN_NS, 0);
}

/* The request of a streamed artifact has ended without success, or before its time. */
static void break_stream(struct store *store, const struct sonde_err *err)
{
    struct upload *upload = store->first;
    store->step = STEP_NONE;
    upload->broken = *err;
    if (upload->stream.ended) {
        fail(store, err);
    } else {
        store->options.resume(store->options.context); /* and is told with the next bytes */
    }
}

static void stepped(void *context, const struct sonde_http_response *response,
                    const struct sonde_err *err)
{
    struct store *store = context;
    struct sonde_err problem;
    store->request = NULL;
    if (store->failed) {
        return;
    }
    int r = sonde_uplink_refusal(response, err, &problem);
    bool lost = store->step == STEP_COMMIT && (response->status == 404 || response->status == 409);
    bool streamed = store->first && store->first->streamed && store->step != STEP_DONE;
    if (r == 0 && streamed && !store->first->stream.ended) {
        r = sonde_fail_reason(&problem, SONDE_EPROTOCOL, SONDE_REASON_STORE_FAILED,
                              "the store has answered before all was sent");
    }
    if (r < 0 && streamed && (store->step == STEP_PUT || lost)) {
        if (r == SONDE_EBUSY && !problem.reason) {
            problem.reason = SONDE_REASON_STORE_UNREACHABLE;
        }
        break_stream(store, &problem);
        return;
    }
    if (r == 0) {
        answered(store);
        finish_step(store);
    } else if (r == SONDE_EBUSY || lost) {
        try_again(store, &problem);
    } else {
        fail(store, &problem);
    }
}

static int send_step(struct store *store, struct sonde_err *err)
{
    char path[SIDECAR_NAME_MAX + 64];
    char body[160];
    const struct upload *upload = store->first;
    if (!upload && store->step != STEP_DONE) {
        return 0; /* cannot be: only the last word has no artifact */
    }
    switch (store->step) {
    case STEP_PUT:
        (void)snprintf(path, sizeof(path), "artifacts/%s", upload->name);
        return send(store, "PUT", path, sonde_buf_view(&upload->body), upload, stepped,
                    &store->request, err);
    case STEP_COMMIT:
        (void)snprintf(path, sizeof(path), "artifacts/%s/commit", upload->name);
        (void)snprintf(
            body, sizeof(body), "{\"bytes\":%llu,\"sha256\":\"%s\"}",
            (unsigned long long)(upload->streamed ? upload->stream.bytes : upload->body.length),
            upload->sha256);
        return send(store, "POST", path, sonde_str(body), NULL, stepped, &store->request, err);
    case STEP_DONE:
        return send(store, "POST", "done", sonde_buf_view(&store->result), NULL, stepped,
                    &store->request, err);
    case STEP_NONE:
        break;
    }
    return 0;
}

static void go_on(void *context)
{
    struct store *store = context;
    struct sonde_err err;
    if (store->request || store->failed) {
        return;
    }
    const struct upload *first = store->first;
    if (store->step == STEP_NONE && first && first->streamed &&
        (first->broken.code || (first->stream.used == 0 && !first->stream.ended))) {
        return; /* it waits for what is captured */
    }
    if (store->step == STEP_NONE && first) {
        store->step = STEP_PUT;
    }
    if (store->step == STEP_NONE && store->result.length) {
        store->step = STEP_DONE;
    }
    if (store->step == STEP_NONE) {
        store->options.idle(store->options.context);
    } else if (send_step(store, &err) < 0) {
        fail(store, &err);
    }
}

static struct upload *new_upload(const char *name, const char *capture,
                                 const struct sonde_artifact_type *type, const char *process)
{
    struct upload *upload = calloc(1, sizeof(*upload));
    if (upload) {
        (void)snprintf(upload->name, sizeof(upload->name), "%s", name);
        (void)snprintf(upload->capture, sizeof(upload->capture), "%s", capture);
        upload->type = type;
        (void)snprintf(upload->process, sizeof(upload->process), "%s", process);
    }
    return upload;
}

static void queue(struct store *store, struct upload *upload)
{
    *store->last = upload;
    store->last = &upload->next;
}

int store_put(struct store *store, const char *name, const char *capture,
              const struct sonde_artifact_type *type, const char *process, struct sonde_buf *body,
              struct sonde_err *err)
{
    if (store->waiting_bytes + body->length > SIDECAR_WAITING_BYTES_MAX) {
        return sonde_fail_reason(err, SONDE_ELIMIT, SONDE_REASON_STORE_FAILED,
                                 "the store takes what is captured too slowly: %zu bytes wait",
                                 store->waiting_bytes);
    }
    struct upload *upload = new_upload(name, capture, type, process);
    if (!upload) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sonde_sha256(sonde_buf_view(body), upload->sha256);
    upload->body = *body;
    *body = SONDE_BUF(body->maximum);
    store->waiting_bytes += upload->body.length;
    queue(store, upload);
    go_on(store);
    return 0;
}

/* ---- an artifact that is sent while it is captured ---- */

int store_open(struct store *store, const char *name, const char *capture,
               const struct sonde_artifact_type *type, const char *process, struct sonde_err *err)
{
    struct upload *upload = new_upload(name, capture, type, process);
    int r = upload ? stream_init(&upload->stream, err)
                   : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    if (r < 0) {
        free(upload);
        return r;
    }
    upload->streamed = true;
    store->open = upload;
    queue(store, upload);
    return 0;
}

/* There is more of it, or its end: its request is begun, or goes on. */
static void push(struct store *store, struct upload *upload)
{
    if (upload->paused && store->request) {
        upload->paused = false;
        sonde_http_resume(store->request);
    } else if (!store->request) {
        go_on(store);
    }
}

int store_write(struct store *store, const char *data, size_t length, struct sonde_err *err)
{
    struct upload *upload = store->open;
    if (upload->broken.code) {
        *err = upload->broken;
        return err->code;
    }
    int r = stream_write(&upload->stream, data, length, err);
    if (r == 0) {
        push(store, upload);
    }
    return r;
}

bool store_full(const struct store *store)
{
    return store->open && !store->open->broken.code && stream_full(&store->open->stream);
}

int store_commit(struct store *store, struct sonde_err *err)
{
    struct upload *upload = store->open;
    if (upload->broken.code) {
        *err = upload->broken;
        store_abort(store);
        return err->code;
    }
    store->open = NULL;
    stream_end(&upload->stream, upload->sha256);
    push(store, upload);
    return 0;
}

void store_abort(struct store *store)
{
    struct upload *upload = SONDE_TAKE(store->open);
    struct upload **at = &store->first;
    if (!upload) {
        return;
    }
    if (store->first == upload && store->step == STEP_PUT) {
        store->step = STEP_NONE;
        if (store->request) {
            sonde_http_cancel(SONDE_TAKE(store->request));
        }
    }
    while (*at != upload) {
        at = &(*at)->next;
    }
    *at = NULL; /* it is the last one */
    store->last = at;
    free_upload(upload);
    go_on(store);
}

void store_done(struct store *store, struct sonde_str result)
{
    store->done = true;
    sonde_timer_stop(store->beat_timer);
    sonde_buf_str(&store->result, result);
    store->failing_since = 0;
    if (store->step == STEP_NONE) {
        go_on(store);
    }
}
