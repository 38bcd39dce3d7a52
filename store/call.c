/* SPDX-License-Identifier: Apache-2.0 */
/* Requests from their first byte to their answer, and the table of what is answered. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "spec/budget.h"
#include "store/service.h"

#define API "/api/v1"

static void begin(void *context, struct sonde_exchange *exchange);
static void data(void *context, struct sonde_exchange *exchange, const char *bytes, size_t length);
static void end(void *context, struct sonde_exchange *exchange);
static void closed(void *context, struct sonde_exchange *exchange);
static void begin_upload(void *context, struct sonde_exchange *exchange);
static void take_upload(void *context, struct sonde_exchange *exchange, const char *bytes,
                        size_t length);
static void end_upload(void *context, struct sonde_exchange *exchange);

#define WORDS(bytes) .body_max = (bytes), .begin = begin, .data = data, .end = end, .closed = closed
#define NO_BODY .begin = begin, .end = end, .closed = closed

const struct sonde_route store_routes[] = {
    {"POST", API "/runs", WORDS(STORE_DOCUMENT_MAX)},
    {"POST", API "/runs/{run}/cancel", WORDS(STORE_WORDS_MAX)},
    {"POST", API "/runs/{run}/conclude", WORDS(STORE_WORDS_MAX)},
    {"GET", API "/changes", NO_BODY},
    {"POST", API "/runs/{run}/heartbeat", WORDS(STORE_WORDS_MAX)},
    {"PUT", API "/runs/{run}/artifacts/{name}", .body_max = SONDE_DB_ARTIFACT_MAX,
     .begin = begin_upload, .data = take_upload, .end = end_upload, .closed = closed},
    {"POST", API "/runs/{run}/artifacts/{name}/commit", WORDS(STORE_WORDS_MAX)},
    {"POST", API "/runs/{run}/done", WORDS(STORE_RESULT_MAX)},
    {"GET", API "/runs/{run}/runners/{runner}", NO_BODY},
    {"POST", API "/runs/{run}/runners/{runner}/clock", WORDS(STORE_WORDS_MAX)},
    {"POST", API "/runs/{run}/runners/{runner}/ready", WORDS(STORE_WORDS_MAX)},
    {"POST", API "/runs/{run}/runners/{runner}/interval", WORDS(STORE_INTERVAL_MAX)},
    {"GET", API "/runs/{run}/runners/{runner}/orders", NO_BODY},
    {"POST", API "/runs/{run}/runners/{runner}/done", WORDS(STORE_WORDS_MAX)},
    {"POST", API "/runs/{run}/runners/{runner}/lost", WORDS(STORE_WORDS_MAX)},
    {"GET", API "/runs/{run}/live", NO_BODY},
    {"GET", API "/runs", NO_BODY},
    {"GET", API "/runs/{run}", NO_BODY},
    {"GET", API "/runs/{run}/document", NO_BODY},
    {"GET", API "/runs/{run}/report", NO_BODY},
    {"GET", API "/runs/{run}/findings", NO_BODY},
    {"GET", API "/runs/{run}/check", NO_BODY},
    {"POST", API "/runs/{run}/check", WORDS(SONDE_BUDGET_BYTES_MAX)},
    {"GET", API "/compare", NO_BODY},
    {"GET", API "/runs/{run}/captures/{name}", NO_BODY},
    {"GET", API "/artifacts/{id}", NO_BODY},
    {"DELETE", API "/runs/{run}", NO_BODY},
    {"GET", "/metrics", NO_BODY},
    {"GET", "/healthz", NO_BODY},
    {"GET", "/readyz", NO_BODY},
    {0},
};

/* In the order of the routes. */
static const struct endpoint endpoints[] = {
    {CALLER_CONTROLLER, .label = "create", .answer = runs_create},
    {CALLER_CONTROLLER, .label = "cancel", .answer = runs_cancel},
    {CALLER_CONTROLLER, .label = "conclude", .answer = runs_conclude},
    {CALLER_CONTROLLER, .label = "changes", .answer = changes_answer},
    {CALLER_SIDECAR, .label = "heartbeat", .answer = sidecar_heartbeat},
    {CALLER_SIDECAR, .label = "upload", .answer = NULL},
    {CALLER_SIDECAR, .label = "commit", .answer = sidecar_commit},
    {CALLER_SIDECAR, .label = "done", .answer = sidecar_done},
    {CALLER_SIDECAR, .label = "runner", .answer = loads_runner},
    {CALLER_SIDECAR, .label = "clock", .answer = loads_clock},
    {CALLER_SIDECAR, .label = "ready", .answer = loads_ready},
    {CALLER_SIDECAR, .label = "interval", .answer = loads_interval},
    {CALLER_SIDECAR, .label = "orders", .answer = loads_orders},
    {CALLER_SIDECAR, .label = "runner-done", .answer = loads_done},
    {CALLER_CONTROLLER, .label = "runner-lost", .answer = loads_lost},
    {CALLER_PERSON, "get", "report", "live", loads_live},
    {CALLER_PERSON, "list", NULL, "list", people_list},
    {CALLER_PERSON, "get", "report", "run", people_run},
    {CALLER_PERSON, "get", NULL, "document", people_document},
    {CALLER_PERSON, "get", "report", "report", people_report},
    {CALLER_PERSON, "get", "report", "findings", people_findings},
    {CALLER_PERSON, "get", "report", "check", people_check},
    {CALLER_PERSON, "get", "report", "check", people_check},
    {CALLER_PERSON, "get", "report", "compare", people_compare},
    {CALLER_PERSON, "get", "artifacts", "export", people_export},
    {CALLER_PERSON, "get", "artifacts", "artifact", people_artifact},
    {CALLER_PERSON, "delete", NULL, "delete", people_delete},
    {CALLER_ANYONE, .label = "metrics", .answer = metrics_answer},
    {CALLER_ANYONE, .label = "healthz", .answer = health_answer},
    {CALLER_ANYONE, .label = "readyz", .answer = ready_answer},
};

_Static_assert(SONDE_LENGTH(endpoints) + 1 == SONDE_LENGTH(store_routes),
               "each route has its endpoint");

/* ---- answers ---- */

static void count(struct call *call)
{
    unsigned class = sonde_exchange_status(call->exchange) / 100;
    if (!call->counted && class < SONDE_LENGTH(call->service->metrics.answers)) {
        call->counted = true;
        call->service->metrics.answers[class]++;
    }
}

void call_answer_as(struct call *call, unsigned status, const char *media_type,
                    struct sonde_str body)
{
    if (call->exchange) {
        sonde_exchange_answer(call->exchange, status, media_type, body);
        count(call);
    }
}

void call_answer_stream(struct call *call, unsigned status, const char *media_type,
                        int64_t (*read)(void *context, char *data, size_t length), void *context)
{
    sonde_exchange_stream(call->exchange, status, media_type, read, context);
    count(call);
}

void call_answer(struct call *call, unsigned status, struct sonde_str json)
{
    call_answer_as(call, status, "application/json", json);
}

void call_fail(struct call *call, unsigned status, const char *code, const char *message)
{
    if (call->exchange) {
        if (status == 401) {
            sonde_exchange_add_header(call->exchange, "WWW-Authenticate", "Bearer");
        }
        sonde_exchange_fail(call->exchange, status, code, message, NULL);
        count(call);
    }
}

void call_fail_by(struct call *call, const struct sonde_err *err)
{
    static const struct {
        int code;
        unsigned status;
        const char *word;
    } table[] = {
        {SONDE_EINVALID, 400, "Invalid"},
        {SONDE_EPARSE, 400, "Malformed"},
        {SONDE_ENOTFOUND, 404, "NotFound"},
        {SONDE_EEXISTS, 409, "Exists"},
        {SONDE_ECONFLICT, 409, "Conflict"},
        {SONDE_EDENIED, 403, "Denied"},
        {SONDE_ELIMIT, 413, "TooLarge"},
        {SONDE_ENOSPACE, 507, "StoreFull"},
        {SONDE_EBUSY, 503, "Busy"},
        {SONDE_ENOMEM, 503, "OutOfMemory"},
        {SONDE_EVERSION, 501, "NewerVersion"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        if (table[i].code == err->code) {
            call_fail(call, table[i].status, err->reason ? err->reason : table[i].word,
                      err->message);
            return;
        }
    }
    SONDE_LOG(&call->service->log, SONDE_LOG_ERROR, "a request failed",
              SONDE_FIELD_STR("endpoint", sonde_str(call->endpoint->label)),
              SONDE_FIELD_STR("error", sonde_str(err->message)));
    call_fail(call, 500, "Internal", err->message);
}

void call_fail_by_kept(struct call *call, const struct sonde_err *err)
{
    if (!err->reason || strcmp(err->reason, SONDE_DB_UNREADABLE) != 0) {
        call_fail_by(call, err);
        return;
    }
    SONDE_LOG(&call->service->log, SONDE_LOG_ERROR, "what is kept cannot be read",
              SONDE_FIELD_STR("endpoint", sonde_str(call->endpoint->label)),
              SONDE_FIELD_STR("error", sonde_str(err->message)));
    call_fail(call, 500, SONDE_DB_UNREADABLE, err->message);
}

cJSON *call_json(struct call *call)
{
    struct sonde_err err;
    cJSON *json = NULL;
    int r = sonde_buf_check(&call->body, "the request", &err);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&call->body), &json, &err);
    if (r == 0 && !cJSON_IsObject(json)) {
        cJSON_Delete(SONDE_TAKE(json));
        r = sonde_fail(&err, SONDE_EPARSE, 0, "the request is no JSON object");
    }
    if (r < 0) {
        call_fail_by(call, &err);
    }
    return json;
}

bool call_resolve(struct call *call)
{
    struct sonde_err err;
    const char *run = sonde_exchange_parameter(call->exchange, "run");
    if (sonde_db_run_resolve(call->service->db, run, call->namespace[0] ? call->namespace : NULL,
                             call->uid, &err) < 0) {
        call_fail_by(call, &err);
        return false;
    }
    return true;
}

/* ---- life ---- */

void call_keep(struct call *call)
{
    call->waiting++;
}

static void free_call(struct call *call)
{
    sonde_buf_fini(&call->body);
    free(call);
}

void call_release(struct call *call)
{
    if (--call->waiting == 0 && !call->exchange) {
        free_call(call);
    }
}

static struct call *new_call(struct service *service, struct sonde_exchange *exchange)
{
    const struct sonde_route *route = sonde_exchange_route(exchange);
    struct call *call = calloc(1, sizeof(*call));
    if (!call) {
        sonde_exchange_fail(exchange, 503, "OutOfMemory", "the store is out of memory", NULL);
        return NULL;
    }
    call->service = service;
    call->exchange = exchange;
    call->endpoint = &endpoints[route - store_routes];
    /* An artifact is no body that is gathered. */
    call->body = SONDE_BUF(route->body_max <= STORE_INTERVAL_MAX ? (size_t)route->body_max : 0);
    sonde_exchange_set_state(exchange, call);
    return call;
}

static void begin(void *context, struct sonde_exchange *exchange)
{
    struct call *call = new_call(context, exchange);
    /* A token that nobody could have is refused before a body is read. */
    if (call && call->endpoint->caller != CALLER_ANYONE && caller_token(call).length == 0) {
        call_fail(call, 401, "Unauthenticated",
                  call->endpoint->caller == CALLER_SIDECAR
                      ? "give the run's token: Authorization: Bearer …"
                      : "give a token: Authorization: Bearer … (or Sonde-Authorization through the "
                        "API server)");
    }
}

static void data(void *context, struct sonde_exchange *exchange, const char *bytes, size_t length)
{
    (void)context;
    struct call *call = sonde_exchange_state(exchange);
    sonde_buf_append(&call->body, bytes, length);
}

static void end(void *context, struct sonde_exchange *exchange)
{
    (void)context;
    struct call *call = sonde_exchange_state(exchange);
    if (call->endpoint->caller == CALLER_ANYONE) {
        call->endpoint->answer(call);
    } else {
        callers_admit(call);
    }
}

static void closed(void *context, struct sonde_exchange *exchange)
{
    (void)context;
    struct call *call = sonde_exchange_state(exchange);
    if (!call) {
        return;
    }
    if (call->upload) {
        upload_closed(call);
    }
    download_closed(call);
    call->exchange = NULL;
    if (call->waiting == 0) {
        free_call(call);
    }
}

/* A sidecar's token is checked before its artifact is taken. */
static void begin_upload(void *context, struct sonde_exchange *exchange)
{
    struct call *call = new_call(context, exchange);
    if (call) {
        callers_admit(call);
    }
    if (call && !sonde_exchange_answered(exchange)) {
        upload_begin(call);
    }
}

static void take_upload(void *context, struct sonde_exchange *exchange, const char *bytes,
                        size_t length)
{
    (void)context;
    upload_data(sonde_exchange_state(exchange), bytes, length);
}

static void end_upload(void *context, struct sonde_exchange *exchange)
{
    (void)context;
    upload_end(sonde_exchange_state(exchange));
}
