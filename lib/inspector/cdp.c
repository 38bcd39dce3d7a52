/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/cdp.h"

#include <stdarg.h>
#include <stdlib.h>

#include "spec/reason.h"

static int violated(struct sonde_err *err, const char *format, ...) SONDE_PRINTF(2, 3);

static int violated(struct sonde_err *err, const char *format, ...)
{
    char text[SONDE_ERR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                             "the inspector's answer is not its protocol: %s", text);
}

void sonde_cdp_init(struct sonde_cdp *cdp, const struct sonde_cdp_callbacks *callbacks)
{
    *cdp = (struct sonde_cdp){
        .callbacks = *callbacks,
        .held = SONDE_BUF(SONDE_CDP_HELD_MAX),
    };
}

void sonde_cdp_fini(struct sonde_cdp *cdp)
{
    if (cdp->in_message) {
        sonde_json_scanner_fini(&cdp->scanner);
        cdp->in_message = false;
    }
    sonde_buf_fini(&cdp->held);
}

static struct sonde_cdp_pending *find_pending(struct sonde_cdp *cdp, int64_t id)
{
    for (size_t i = 0; i < SONDE_CDP_PENDING_MAX; i++) {
        if (id > 0 && cdp->pending[i].id == id) {
            return &cdp->pending[i];
        }
    }
    return NULL;
}

int sonde_cdp_command(struct sonde_cdp *cdp, const char *method, const char *params, int64_t now_ns,
                      sonde_cdp_answer answer, struct sonde_buf *buf, struct sonde_err *err)
{
    struct sonde_cdp_pending *slot = NULL;
    for (size_t i = 0; i < SONDE_CDP_PENDING_MAX; i++) {
        if (cdp->pending[i].id == 0) {
            slot = &cdp->pending[i];
        }
    }
    if (!slot) {
        return sonde_fail(err, SONDE_EBUSY, 0, "%d commands wait for the inspector's answer",
                          SONDE_CDP_PENDING_MAX);
    }
    sonde_buf_clear(buf);
    sonde_buf_printf(buf, "{\"id\":%lld,\"method\":\"%s\",\"params\":", (long long)cdp->last_id + 1,
                     method);
    sonde_buf_text(buf, params);
    sonde_buf_char(buf, '}');
    int r = sonde_buf_check(buf, "a command for the inspector", err);
    if (r < 0) {
        return r;
    }
    *slot = (struct sonde_cdp_pending){++cdp->last_id, now_ns, answer, NULL};
    return 0;
}

void sonde_cdp_stream_answer(struct sonde_cdp *cdp, sonde_cdp_path *path)
{
    struct sonde_cdp_pending *slot = find_pending(cdp, cdp->last_id);
    if (slot) {
        slot->stream = path;
    }
}

int64_t sonde_cdp_waiting_since(const struct sonde_cdp *cdp)
{
    int64_t oldest = 0;
    for (size_t i = 0; i < SONDE_CDP_PENDING_MAX; i++) {
        const struct sonde_cdp_pending *p = &cdp->pending[i];
        if (p->id && (oldest == 0 || p->sent_ns < oldest)) {
            oldest = p->sent_ns;
        }
    }
    return oldest;
}

static void keep_name(char ret[SONDE_CDP_NAME_MAX], struct sonde_str text)
{
    size_t length = text.length < SONDE_CDP_NAME_MAX ? text.length : SONDE_CDP_NAME_MAX - 1;
    memcpy(ret, text.data ? text.data : "", length);
    ret[length] = '\0';
}

static int stream_piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sonde_cdp *cdp = context;
    return cdp->callbacks.stream_data(cdp->callbacks.context, data, length, err);
}

/* Whether the value at this depth is the one that the path leads to. */
static bool is_at(const struct sonde_cdp *cdp, unsigned depth, sonde_cdp_path *path)
{
    for (unsigned i = 0; i < depth; i++) {
        if (!(*path)[i] || strcmp((*path)[i], cdp->keys[i]) != 0) {
            return false;
        }
    }
    return !(*path)[depth];
}

/* Whether the value at this depth is to be streamed, and as what. */
static bool is_streamed(struct sonde_cdp *cdp, unsigned depth, bool text,
                        enum sonde_cdp_stream *ret)
{
    static const struct {
        const char *method;
        sonde_cdp_path path;
        bool text;
        enum sonde_cdp_stream stream;
    } events[] = {
        {"Profiler.consoleProfileFinished", {"params", "profile"}, false, SONDE_CDP_STREAM_PROFILE},
        {"HeapProfiler.addHeapSnapshotChunk", {"params", "chunk"}, true, SONDE_CDP_STREAM_CHUNK},
        {"NodeWorker.receivedMessageFromWorker",
         {"params", "message"},
         true,
         SONDE_CDP_STREAM_WORKER},
    };
    struct sonde_cdp_pending *slot = find_pending(cdp, cdp->id);
    if (slot && slot->stream && is_at(cdp, depth, slot->stream)) {
        *ret = SONDE_CDP_STREAM_ANSWER;
        return true;
    }
    for (size_t i = 0; i < SONDE_LENGTH(events); i++) {
        if (events[i].text == text && is_at(cdp, depth, &events[i].path) &&
            strcmp(cdp->method, events[i].method) == 0) {
            *ret = events[i].stream;
            return true;
        }
    }
    return false;
}

static int begin_stream(struct sonde_cdp *cdp, enum sonde_cdp_stream stream, struct sonde_err *err)
{
    if (cdp->streamed || (stream != SONDE_CDP_STREAM_ANSWER && cdp->has_id)) {
        return violated(err, "two values in one message");
    }
    cdp->streamed = true;
    cdp->stream = stream;
    return cdp->callbacks.stream_begin(cdp->callbacks.context, stream, err);
}

/* A container begins: its bytes are handed on when they are to be streamed. */
static int begin_value(struct sonde_cdp *cdp, struct sonde_json_scanner *scanner, unsigned depth,
                       struct sonde_err *err)
{
    enum sonde_cdp_stream stream;
    if (!is_streamed(cdp, depth, false, &stream)) {
        return 0;
    }
    sonde_json_scan_raw(scanner, stream_piece, cdp);
    return begin_stream(cdp, stream, err);
}

static int text_piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sonde_cdp *cdp = context;
    int r = 0;
    if (cdp->text_pending) {
        cdp->text_pending = false;
        r = begin_stream(cdp, cdp->text_stream, err);
    }
    return r < 0 ? r : stream_piece(cdp, data, length, err);
}

/* A key was read: its value, when it is a string, may be too long to be held. */
static void expect_text(struct sonde_cdp *cdp, struct sonde_json_scanner *scanner, unsigned depth)
{
    cdp->text_pending = is_streamed(cdp, depth, true, &cdp->text_stream);
    if (cdp->text_pending) {
        sonde_json_scan_text(scanner, text_piece, cdp, cdp->text, sizeof(cdp->text));
    }
}

static void read_value(struct sonde_cdp *cdp, const struct sonde_json_token *token)
{
    static sonde_cdp_path method = {"method"}, id = {"id"}, title = {"params", "title"},
                          worker = {"params", "sessionId"};
    if (token->event == SONDE_JSON_STRING && is_at(cdp, token->depth, &method)) {
        keep_name(cdp->method, token->text);
    } else if (token->event == SONDE_JSON_STRING && is_at(cdp, token->depth, &title)) {
        keep_name(cdp->title, token->text);
    } else if (token->event == SONDE_JSON_STRING && is_at(cdp, token->depth, &worker)) {
        keep_name(cdp->worker, token->text);
    } else if (token->event == SONDE_JSON_NUMBER && is_at(cdp, token->depth, &id)) {
        cdp->id = token->is_integer ? token->integer : 0;
    }
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    struct sonde_cdp *cdp = context;
    bool begins = token->event == SONDE_JSON_OBJECT_BEGIN || token->event == SONDE_JSON_ARRAY_BEGIN;
    if (token->depth == 0) {
        return token->event == SONDE_JSON_OBJECT_BEGIN || token->event == SONDE_JSON_OBJECT_END
                   ? 0
                   : violated(err, "a message is not an object");
    }
    if (token->depth > SONDE_CDP_KEYS_MAX) {
        return 0;
    }
    if (token->event == SONDE_JSON_KEY) {
        keep_name(cdp->keys[token->depth - 1], token->text);
        cdp->has_id = cdp->has_id || (token->depth == 1 && strcmp(cdp->keys[0], "id") == 0);
        expect_text(cdp, scanner, token->depth);
        return 0;
    }
    if (token->event == SONDE_JSON_STRING && cdp->text_pending) {
        return text_piece(cdp, "", 0, err); /* an empty one is streamed, too */
    }
    cdp->text_pending = false;
    if (begins && token->depth < SONDE_CDP_KEYS_MAX) {
        cdp->keys[token->depth][0] = '\0';
    }
    if (begins) {
        return begin_value(cdp, scanner, token->depth, err);
    }
    read_value(cdp, token);
    return 0;
}

static void begin_message(struct sonde_cdp *cdp)
{
    struct sonde_json_limits limits = {.depth = SONDE_CDP_STREAM_DEPTH_MAX,
                                       .string = SONDE_CDP_HELD_MAX};
    sonde_json_scanner_init(&cdp->scanner, limits, on_token, cdp);
    sonde_buf_clear(&cdp->held);
    cdp->in_message = true;
    cdp->streamed = false;
    cdp->too_large = false;
    cdp->text_pending = false;
    cdp->has_id = false;
    cdp->id = 0;
    cdp->keys[0][0] = cdp->method[0] = cdp->title[0] = cdp->worker[0] = '\0';
}

static int dispatch_answer(struct sonde_cdp *cdp, const cJSON *message, struct sonde_err *err)
{
    struct sonde_cdp_pending *slot = find_pending(cdp, sonde_json_integer_or(message, "id", -1));
    if (!slot) {
        return violated(err, "an answer to a command that was not sent");
    }
    sonde_cdp_answer answer = slot->answer;
    *slot = (struct sonde_cdp_pending){0};
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(message, "result");
    const cJSON *failure = cJSON_GetObjectItemCaseSensitive(message, "error");
    if (cJSON_IsObject(result) == cJSON_IsObject(failure)) {
        return violated(err, "an answer has neither a result nor an error");
    }
    return answer(cdp->callbacks.context, result,
                  failure ? sonde_json_string_or(failure, "message", "no reason given") : NULL,
                  err);
}

static int dispatch(struct sonde_cdp *cdp, struct sonde_err *err)
{
    SONDE_JSON_AUTO *message = NULL;
    int r = sonde_json_parse(sonde_buf_view(&cdp->held), &message, err);
    if (r < 0) {
        return r == SONDE_ENOMEM ? r : violated(err, "%s", "malformed JSON");
    }
    if (cdp->has_id) {
        return dispatch_answer(cdp, message, err);
    }
    const char *method = sonde_json_string_or(message, "method", NULL);
    if (!method) {
        return violated(err, "a message without id and method");
    }
    return cdp->callbacks.event(cdp->callbacks.context, method,
                                cJSON_GetObjectItemCaseSensitive(message, "params"), err);
}

/* The rest of the message was not held: an event has only its title, an answer is an empty one. */
static int end_stream(struct sonde_cdp *cdp, struct sonde_err *err)
{
    static const cJSON empty = {.type = cJSON_Object};
    struct sonde_cdp_pending *slot = find_pending(cdp, cdp->id);
    bool answers = cdp->stream == SONDE_CDP_STREAM_ANSWER;
    if (answers ? !slot : cdp->has_id) {
        return violated(err, "a profile that is an answer, or an answer with two ids");
    }
    int r = cdp->callbacks.stream_end(cdp->callbacks.context, cdp->title, err);
    if (r < 0 || !answers) {
        return r;
    }
    sonde_cdp_answer answer = slot->answer;
    *slot = (struct sonde_cdp_pending){0};
    return answer(cdp->callbacks.context, &empty, NULL, err);
}

static int end_message(struct sonde_cdp *cdp, struct sonde_err *err)
{
    int r = sonde_json_scan_finish(&cdp->scanner, err);
    sonde_json_scanner_fini(&cdp->scanner);
    cdp->in_message = false;
    if (r < 0) {
        return violated(err, "%s", "malformed JSON");
    }
    if (cdp->streamed) {
        return end_stream(cdp, err);
    }
    if (cdp->too_large) {
        return cdp->has_id ? violated(err, "an answer of more than %d bytes", SONDE_CDP_HELD_MAX)
                           : 0; /* an event that nobody asked for */
    }
    return dispatch(cdp, err);
}

int sonde_cdp_feed(struct sonde_cdp *cdp, const char *data, size_t length, bool first, bool last,
                   struct sonde_err *err)
{
    if (first == cdp->in_message) {
        return violated(err, "pieces of messages out of order");
    }
    if (first) {
        begin_message(cdp);
    }
    struct sonde_err cause = {0};
    int r = sonde_json_scan(&cdp->scanner, data, length, &cause);
    if (r == SONDE_EPARSE || (r == SONDE_ELIMIT && !cause.reason)) {
        return violated(err, "%.200s", cause.message);
    }
    if (r < 0) {
        if (err) {
            *err = cause;
        }
        return r;
    }
    if (!cdp->streamed && !cdp->too_large) {
        sonde_buf_append(&cdp->held, data, length);
        if (cdp->held.code == SONDE_ENOMEM) {
            return sonde_buf_check(&cdp->held, "an inspector message", err);
        }
        cdp->too_large = cdp->held.code == SONDE_ELIMIT;
    }
    return last ? end_message(cdp, err) : 0;
}
