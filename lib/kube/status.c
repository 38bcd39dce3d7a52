/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/status.h"

#include "base/clock.h"
#include "codec/json.h"

static const struct {
    const char *reason;
    int code;
} reasons[] = {
    {"Unauthorized", SONDE_EDENIED},
    {"Forbidden", SONDE_EDENIED},
    {"NotFound", SONDE_ENOTFOUND},
    {"AlreadyExists", SONDE_EEXISTS},
    {"Conflict", SONDE_ECONFLICT},
    {"Gone", SONDE_EGONE},
    {"Expired", SONDE_EGONE},
    {"Invalid", SONDE_EINVALID},
    {"BadRequest", SONDE_EINVALID},
    {"MethodNotAllowed", SONDE_EINVALID},
    {"NotAcceptable", SONDE_EINVALID},
    {"UnsupportedMediaType", SONDE_EINVALID},
    {"RequestEntityTooLarge", SONDE_ELIMIT},
    {"ServerTimeout", SONDE_EBUSY},
    {"Timeout", SONDE_ETIMEOUT},
    {"TooManyRequests", SONDE_EBUSY},
    {"InternalError", SONDE_EBUSY},
    {"ServiceUnavailable", SONDE_EBUSY},
    {"StoreReadError", SONDE_EBUSY},
};

static const struct {
    int http;
    int code;
} numbers[] = {
    {401, SONDE_EDENIED},  {403, SONDE_EDENIED},   {404, SONDE_ENOTFOUND},
    {408, SONDE_ETIMEOUT}, {409, SONDE_ECONFLICT}, {410, SONDE_EGONE},
    {413, SONDE_ELIMIT},   {429, SONDE_EBUSY},     {504, SONDE_ETIMEOUT},
};

static int code_of(int http, const char *reason)
{
    for (size_t i = 0; i < SONDE_LENGTH(reasons); i++) {
        if (strcmp(reasons[i].reason, reason) == 0) {
            return reasons[i].code;
        }
    }
    for (size_t i = 0; i < SONDE_LENGTH(numbers); i++) {
        if (numbers[i].http == http) {
            return numbers[i].code;
        }
    }
    return http >= 400 && http < 500   ? SONDE_EINVALID
           : http >= 500 && http < 600 ? SONDE_EBUSY
                                       : SONDE_EPROTOCOL;
}

static void copy_word(char ret[SONDE_KUBE_REASON_SIZE], const cJSON *object, const char *name)
{
    (void)snprintf(ret, SONDE_KUBE_REASON_SIZE, "%s", sonde_json_string_or(object, name, ""));
}

int64_t sonde_kube_retry_after(struct sonde_str header)
{
    uint64_t seconds;
    int r = sonde_parse_u64(sonde_str_trim(header), 0, SONDE_KUBE_RETRY_AFTER_MAX_S, &seconds);
    return r == 0              ? (int64_t)seconds * SONDE_SECOND
           : r == SONDE_ELIMIT ? SONDE_KUBE_RETRY_AFTER_MAX_S * SONDE_SECOND
                               : 0;
}

static int64_t seconds_of(const cJSON *details)
{
    int64_t seconds = sonde_json_integer_or(details, "retryAfterSeconds", 0);
    seconds = seconds < 0 ? 0 : seconds;
    seconds = seconds > SONDE_KUBE_RETRY_AFTER_MAX_S ? SONDE_KUBE_RETRY_AFTER_MAX_S : seconds;
    return seconds * SONDE_SECOND;
}

/* The server's words on one line, without bytes that a terminal would act on. */
static void print_safe(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 127) {
            *text = ' ';
        }
    }
}

int sonde_kube_status_fail(int http, const cJSON *object, struct sonde_str retry_after,
                           struct sonde_kube_status *ret, struct sonde_err *err)
{
    const cJSON *details = cJSON_GetObjectItemCaseSensitive(object, "details");
    const cJSON *causes = cJSON_GetObjectItemCaseSensitive(details, "causes");
    int64_t code = sonde_json_integer_or(object, "code", 0);
    *ret = (struct sonde_kube_status){.http = http};
    if (http == 0 && code >= 100 && code <= 599) {
        ret->http = (int)code;
    }
    copy_word(ret->reason, object, "reason");
    copy_word(ret->cause, cJSON_IsArray(causes) ? cJSON_GetArrayItem(causes, 0) : NULL, "reason");
    ret->names_object = sonde_json_string_or(details, "name", "")[0] != '\0';
    ret->retry_after_ns = sonde_kube_retry_after(retry_after);
    if (ret->retry_after_ns == 0) {
        ret->retry_after_ns = seconds_of(details);
    }
    char message[SONDE_ERR_MESSAGE_MAX];
    (void)snprintf(message, sizeof(message), "%s", sonde_json_string_or(object, "message", ""));
    print_safe(message);
    print_safe(ret->reason);
    print_safe(ret->cause);
    return sonde_fail(err, code_of(ret->http, ret->reason), 0,
                      "the Kubernetes API server answered %d%s%s%s%.400s", ret->http,
                      ret->reason[0] ? " " : "", ret->reason, message[0] ? ": " : "", message);
}

int sonde_kube_status_fail_text(int http, struct sonde_str body, struct sonde_str retry_after,
                                struct sonde_kube_status *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *object = NULL;
    if (sonde_json_parse_up_to(body, SONDE_KUBE_STATUS_MAX, &object, NULL) == 0) {
        return sonde_kube_status_fail(http, object, retry_after, ret, err);
    }
    int code = sonde_kube_status_fail(http, NULL, retry_after, ret, err);
    if (err && body.length) {
        char text[160];
        (void)snprintf(text, sizeof(text), "%.*s", (int)(body.length < 150 ? body.length : 150),
                       body.data);
        print_safe(text);
        size_t used = strlen(err->message);
        (void)snprintf(err->message + used, sizeof(err->message) - used, ": %s", text);
    }
    return code;
}
