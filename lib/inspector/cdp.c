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
    *slot = (struct sonde_cdp_pending){++cdp->last_id, now_ns, answer};
    return 0;
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

static int profile_piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sonde_cdp *cdp = context;
    return cdp->callbacks.profile_data(cdp->callbacks.context, data, length, err);
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    struct sonde_cdp *cdp = context;
    if (token->depth == 0 && token->event != SONDE_JSON_OBJECT_BEGIN &&
        token->event != SONDE_JSON_OBJECT_END) {
        return violated(err, "a message is not an object");
    }
    if (token->depth > 2 || token->depth == 0) {
        return 0;
    }
    if (token->event == SONDE_JSON_KEY) {
        keep_name(cdp->key, token->text);
        if (token->depth == 1) {
            cdp->in_params = strcmp(cdp->key, "params") == 0;
            cdp->has_id = cdp->has_id || strcmp(cdp->key, "id") == 0;
        }
        return 0;
    }
    if (token->depth == 1 && token->event == SONDE_JSON_STRING && strcmp(cdp->key, "method") == 0) {
        keep_name(cdp->method, token->text);
    }
    if (token->depth != 2 || !cdp->in_params) {
        return 0;
    }
    if (token->event == SONDE_JSON_STRING && strcmp(cdp->key, "title") == 0) {
        keep_name(cdp->title, token->text);
    }
    if (token->event == SONDE_JSON_OBJECT_BEGIN && strcmp(cdp->key, "profile") == 0 &&
        strcmp(cdp->method, "Profiler.consoleProfileFinished") == 0) {
        if (cdp->streamed || cdp->has_id) {
            return violated(err, "two profiles in one message");
        }
        cdp->streamed = true;
        sonde_json_scan_raw(scanner, profile_piece, cdp);
        return cdp->callbacks.profile_begin(cdp->callbacks.context, err);
    }
    return 0;
}

static void begin_message(struct sonde_cdp *cdp)
{
    struct sonde_json_limits limits = {SONDE_CDP_DEPTH_MAX, SONDE_CDP_HELD_MAX};
    sonde_json_scanner_init(&cdp->scanner, limits, on_token, cdp);
    sonde_buf_clear(&cdp->held);
    cdp->in_message = true;
    cdp->streamed = false;
    cdp->in_params = false;
    cdp->too_large = false;
    cdp->has_id = false;
    cdp->key[0] = cdp->method[0] = cdp->title[0] = '\0';
}

static int dispatch_answer(struct sonde_cdp *cdp, const cJSON *message, struct sonde_err *err)
{
    int64_t id = sonde_json_integer_or(message, "id", -1);
    for (size_t i = 0; i < SONDE_CDP_PENDING_MAX; i++) {
        struct sonde_cdp_pending *slot = &cdp->pending[i];
        if (id <= 0 || slot->id != id) {
            continue;
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
    return violated(err, "an answer to a command that was not sent");
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

static int end_message(struct sonde_cdp *cdp, struct sonde_err *err)
{
    int r = sonde_json_scan_finish(&cdp->scanner, err);
    sonde_json_scanner_fini(&cdp->scanner);
    cdp->in_message = false;
    if (r < 0) {
        return violated(err, "%s", "malformed JSON");
    }
    if (cdp->streamed) {
        return cdp->callbacks.profile_end(cdp->callbacks.context, cdp->title, err);
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
