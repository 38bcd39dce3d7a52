/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/credentials.h"

#include <fcntl.h>

#include "base/file.h"
#include "codec/json.h"
#include "kube/time.h"

void sonde_kube_credentials_init(struct sonde_kube_credentials *credentials)
{
    *credentials = (struct sonde_kube_credentials){
        .ca = SONDE_BUF(SONDE_KUBE_PEM_MAX),
        .certificate = SONDE_BUF(SONDE_KUBE_PEM_MAX),
        .key = SONDE_BUF(SONDE_KUBE_PEM_MAX),
        .token = SONDE_BUF(SONDE_KUBE_TOKEN_MAX),
        .expires = INT64_MAX,
    };
}

static void wipe(struct sonde_buf *buf)
{
    if (buf->data) {
        explicit_bzero(buf->data, buf->capacity);
    }
    sonde_buf_fini(buf);
}

void sonde_kube_credentials_fini(struct sonde_kube_credentials *credentials)
{
    sonde_buf_fini(&credentials->ca);
    sonde_buf_fini(&credentials->certificate);
    wipe(&credentials->key);
    wipe(&credentials->token);
}

static int read_pem(const struct sonde_kube_pem *pem, struct sonde_buf *ret, const char *what,
                    struct sonde_err *err)
{
    int code = 0;
    sonde_buf_clear(ret);
    if (pem->file) {
        code = sonde_read_file(AT_FDCWD, pem->file, ret, err);
    } else {
        sonde_buf_str(ret, pem->data);
        code = sonde_buf_check(ret, what, err);
    }
    return code < 0 ? sonde_err_wrap(err, code, "%s", what) : 0;
}

/* As it goes into a header: printable and without spaces. */
static int set_token(struct sonde_buf *ret, struct sonde_str text, struct sonde_err *err)
{
    text = sonde_str_trim(text);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 127) {
            return sonde_fail(err, SONDE_EINVALID, 0, "a token with spaces or line ends in it");
        }
    }
    sonde_buf_clear(ret);
    sonde_buf_str(ret, text);
    return sonde_buf_check(ret, "a token", err);
}

static int read_token(const struct sonde_kube_config *config, struct sonde_buf *ret,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_KUBE_TOKEN_MAX);
    int code = 0;
    if (config->token_file) {
        code = sonde_read_file(AT_FDCWD, config->token_file, &text, err);
        if (code == 0) {
            return set_token(ret, sonde_buf_view(&text), err);
        }
    }
    if (config->token) {
        return set_token(ret, sonde_str(config->token), err);
    }
    return code < 0 ? sonde_err_wrap(err, code, "the token") : 0;
}

int sonde_kube_credentials_read(const struct sonde_kube_config *config,
                                struct sonde_kube_credentials *ret, struct sonde_err *err)
{
    int code = read_pem(&config->ca, &ret->ca, "the certificate authority", err);
    code = code ? code
                : read_pem(&config->certificate, &ret->certificate, "the client certificate", err);
    code = code ? code : read_pem(&config->key, &ret->key, "the client key", err);
    return code ? code : read_token(config, &ret->token, err);
}

static int take_pem(const cJSON *status, const char *name, struct sonde_buf *ret,
                    struct sonde_err *err)
{
    const char *text = sonde_json_string_or(status, name, "");
    sonde_buf_clear(ret);
    sonde_buf_text(ret, text);
    return sonde_buf_check(ret, name, err);
}

int sonde_kube_exec_answer(struct sonde_str text, const char *api_version,
                           struct sonde_kube_credentials *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    int code = sonde_json_parse_up_to(text, SONDE_KUBE_EXEC_OUTPUT_MAX, &json, err);
    if (code < 0) {
        return sonde_err_wrap(err, code, "what the credential plugin printed");
    }
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(json, "status");
    const char *token = sonde_json_string_or(status, "token", "");
    const char *certificate = sonde_json_string_or(status, "clientCertificateData", "");
    const char *key = sonde_json_string_or(status, "clientKeyData", "");
    const char *expires = sonde_json_string_or(status, "expirationTimestamp", "");
    int64_t end = INT64_MAX;
    bool right = strcmp(sonde_json_string_or(json, "kind", ""), "ExecCredential") == 0 &&
                 strcmp(sonde_json_string_or(json, "apiVersion", ""), api_version) == 0;
    if (!right || (!token[0] && !certificate[0]) || !certificate[0] != !key[0] ||
        (expires[0] && sonde_kube_time_parse(sonde_str(expires), &end) < 0)) {
        return sonde_fail(err, SONDE_EPROTOCOL, 0,
                          "the credential plugin printed no ExecCredential of %s with a token, or "
                          "with a certificate and its key",
                          api_version);
    }
    code = take_pem(status, "clientCertificateData", &ret->certificate, err);
    code = code ? code : take_pem(status, "clientKeyData", &ret->key, err);
    code = code ? code : set_token(&ret->token, sonde_str(token), err);
    ret->expires = end;
    return code;
}

static void print_base64(struct sonde_buf *buf, struct sonde_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.length; i += 3) {
        unsigned value = 0;
        for (size_t j = 0; j < 3; j++) {
            value = value << 8 | (i + j < bytes.length ? (unsigned char)bytes.data[i + j] : 0U);
        }
        for (size_t j = 0; j < 4; j++) {
            bool there = i + j <= bytes.length; /* n bytes are n + 1 digits */
            sonde_buf_char(buf, there ? digits[value >> (18 - 6 * j) & 63] : '=');
        }
    }
}

void sonde_kube_exec_info(const struct sonde_kube_config *config, struct sonde_str ca,
                          struct sonde_buf *buf)
{
    sonde_buf_text(buf, "{\"kind\":\"ExecCredential\",\"apiVersion\":");
    sonde_buf_json_string(buf, sonde_str(config->exec->api_version));
    sonde_buf_text(buf, ",\"spec\":{\"interactive\":false");
    if (config->exec->provide_cluster_info) {
        sonde_buf_text(buf, ",\"cluster\":{\"server\":");
        sonde_buf_json_string(buf, sonde_str(config->server));
        if (config->tls_server_name) {
            sonde_buf_text(buf, ",\"tls-server-name\":");
            sonde_buf_json_string(buf, sonde_str(config->tls_server_name));
        }
        if (config->proxy_url) {
            sonde_buf_text(buf, ",\"proxy-url\":");
            sonde_buf_json_string(buf, sonde_str(config->proxy_url));
        }
        if (config->insecure) {
            sonde_buf_text(buf, ",\"insecure-skip-tls-verify\":true");
        }
        if (ca.length) {
            sonde_buf_text(buf, ",\"certificate-authority-data\":\"");
            print_base64(buf, ca);
            sonde_buf_char(buf, '"');
        }
        sonde_buf_char(buf, '}');
    }
    sonde_buf_text(buf, "}}");
}
