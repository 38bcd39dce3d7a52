/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "spec/reason.h"

#define CONNECT_NS (6 * SONDE_SECOND)

/* ---- from the environment ---- */

int sonde_uplink_variable(const char *name, const char **ret, struct sonde_err *err)
{
    *ret = getenv(name);
    if (!*ret || !**ret) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%s is not set: this program is started by the controller", name);
    }
    return 0;
}

int sonde_uplink_secret(const char *name, char *ret, size_t size, struct sonde_err *err)
{
    char *secret = getenv(name);
    size_t length = secret ? strlen(secret) : 0;
    if (length == 0 || length >= size) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s is not set, or too long", name);
    }
    memcpy(ret, secret, length + 1);
    explicit_bzero(secret, length);
    return 0;
}

const char *sonde_uplink_message_path(void)
{
    const char *path = getenv("SONDE_TERMINATION_MESSAGE");
    return path ? path : "/dev/termination-log";
}

int sonde_uplink_read(struct sonde_uplink *ret, struct sonde_err *err)
{
    const char *deadline = NULL;
    unsigned char random[(SONDE_UPLINK_INSTANCE_SIZE - 1) / 2];
    *ret = (struct sonde_uplink){.message_path = sonde_uplink_message_path()};
    int r = sonde_uplink_variable("SONDE_STORE", &ret->store, err);
    r = r < 0 ? r : sonde_uplink_variable("SONDE_STORE_CA", &ret->authority, err);
    r = r < 0 ? r : sonde_uplink_variable("SONDE_RUN_UID", &ret->run_uid, err);
    r = r < 0 ? r : sonde_uplink_variable("SONDE_DEADLINE", &deadline, err);
    if (r == 0 &&
        sonde_parse_i64(sonde_str(deadline), 0, INT64_MAX / SONDE_SECOND, &ret->deadline) < 0) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "SONDE_DEADLINE is no time");
    }
    sonde_random_bytes(random, sizeof(random));
    sonde_hexadecimal(random, sizeof(random), ret->instance);
    return r;
}

void sonde_uplink_fini(struct sonde_uplink *uplink)
{
    explicit_bzero(uplink->token, sizeof(uplink->token));
}

/* ---- requests ---- */

int sonde_uplink_send(const struct sonde_uplink *uplink, struct sonde_http_client *client,
                      const struct sonde_uplink_request *request, struct sonde_http_request **ret,
                      struct sonde_err *err)
{
    enum { OURS = 4 };
    struct sonde_http_options options = request->http;
    char bearer[SONDE_UPLINK_TOKEN_SIZE + sizeof("Bearer ")];
    SONDE_BUF_AUTO url = SONDE_BUF(SONDE_HTTP_URL_MAX);
    struct sonde_http_header headers[OURS + SONDE_UPLINK_HEADERS_MAX] = {
        {"Authorization", bearer},
        {"Sonde-Target", uplink->target},
        {"Sonde-Instance", uplink->instance},
        {"Content-Type", request->media_type ? request->media_type : "application/json"},
    };
    const struct sonde_http_tls tls = {.ca = sonde_str(uplink->authority)};
    if (options.header_count > SONDE_UPLINK_HEADERS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %d headers", SONDE_UPLINK_HEADERS_MAX);
    }
    for (size_t i = 0; i < options.header_count; i++) {
        headers[OURS + i] = options.headers[i];
    }
    sonde_buf_printf(&url, "%s/api/v1/runs/%s%s%s", uplink->store, uplink->run_uid,
                     *request->path ? "/" : "", request->path);
    int r = sonde_buf_check(&url, "the store's address", err);
    if (r < 0) {
        return r;
    }
    (void)snprintf(bearer, sizeof(bearer), "Bearer %s", uplink->token);
    options.url = url.data;
    options.connect_timeout_ns = CONNECT_NS;
    options.body_max = options.body_max ? options.body_max : SONDE_UPLINK_ANSWER_MAX;
    options.headers = headers;
    options.header_count += OURS;
    options.tls = &tls;
    r = sonde_http_send(client, &options, ret, err);
    explicit_bzero(bearer, sizeof(bearer));
    return r;
}

int sonde_uplink_refusal(const struct sonde_http_response *response, const struct sonde_err *err,
                         struct sonde_err *ret)
{
    SONDE_JSON_AUTO *json = NULL;
    if (err->code) {
        *ret = *err;
        return SONDE_EBUSY;
    }
    if (response->status >= 200 && response->status < 300) {
        return 0;
    }
    const char *code = "?";
    const char *message = "";
    if (sonde_json_parse(response->body, &json, NULL) == 0) {
        code = sonde_json_string_or(json, "code", code);
        message = sonde_json_string_or(json, "message", message);
    }
    bool full = response->status == 507;
    bool again = response->status >= 500 && !full;
    return sonde_fail_reason(ret, again ? SONDE_EBUSY : SONDE_EDENIED,
                             full    ? SONDE_REASON_STORE_FULL
                             : again ? SONDE_REASON_STORE_UNREACHABLE
                                     : SONDE_REASON_UPLOAD_REJECTED,
                             "the store answers %d %s: %.300s", response->status, code, message);
}

/* ---- the message ---- */

int sonde_uplink_leave(const char *path, struct sonde_str text, struct sonde_err *err)
{
    SONDE_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return fd < 0 ? sonde_fail(err, SONDE_EIO, errno, "open %s", path)
                  : sonde_write_all(fd, text.data, text.length, path, err);
}
