/* SPDX-License-Identifier: Apache-2.0 */
/* The store's certificate: two Secrets in our own namespace, made when there are none and renewed
 * before they end. An authority of ours issues it, and its certificate is what sidecars trust. Who
 * brings a certificate of their own makes the Secret sonde-store-tls themselves: one that was not
 * issued by our authority is left alone. The same authority issues the webhook's certificate. */
#include "http/certificate.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "controller/controller.h"

#define AUTHORITY_SECRET "sonde-store-ca"
#define SERVER_SECRET "sonde-store-tls"
#define DAY INT64_C(86400)
#define AUTHORITY_DAYS 3650
#define SERVER_DAYS 90
#define BACKDATE_SECONDS 3600 /* for clocks that are behind */
#define LOOK_NS (600 * SONDE_SECOND)
#define SOON_NS (2 * SONDE_SECOND)

enum { NAMES_MAX = 4, NAME_SIZE = 300 };

struct certificates {
    struct controller *controller;
    struct sonde_timer *timer;
    struct sonde_buf authority; /* what is trusted: PEM, the issuer first, perhaps one more */
    struct sonde_certificate issuer, server;
    char names[NAMES_MAX][NAME_SIZE];
    const char *name_list[NAMES_MAX];
    bool busy;
    bool server_there;  /* the Secret exists */
    bool server_wanted; /* the store needs a certificate */
    bool lead;
};

static void look(void *context);

static void log_problem(struct certificates *c, const char *what, const struct sonde_err *err)
{
    SONDE_LOG(&c->controller->log, SONDE_LOG_WARN, what,
              SONDE_FIELD_STR("error", sonde_str(err->message)));
}

static void again(struct certificates *c, int64_t delay_ns)
{
    c->busy = false;
    sonde_timer_start(c->timer, delay_ns, 0);
}

int certificates_new(struct controller *controller, struct certificates **ret,
                     struct sonde_err *err)
{
    static const char *const formats[NAMES_MAX] = {
        "sonde-store.%s.svc", "sonde-store.%s.svc.cluster.local", "sonde-store.%s", "sonde-store"};
    const struct controller_settings *settings = controller->settings;
    struct certificates *c = calloc(1, sizeof(*c));
    if (!c) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    c->controller = controller;
    c->authority = SONDE_BUF(SONDE_CERTIFICATE_MAX);
    c->issuer = SONDE_CERTIFICATE;
    c->server = SONDE_CERTIFICATE;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        const char *space = strstr(formats[i], "%s");
        (void)snprintf(c->names[i], NAME_SIZE, "%.*s%s%s",
                       space ? (int)(space - formats[i]) : (int)strlen(formats[i]), formats[i],
                       space ? settings->system_namespace : "", space ? space + 2 : "");
        c->name_list[i] = c->names[i];
    }
    int r = sonde_timer_new(controller->loop, look, c, &c->timer, err);
    if (r == 0 && settings->store_ca_file) {
        r = sonde_read_file(AT_FDCWD, settings->store_ca_file, &c->authority, err);
    }
    if (r == 0 && (!settings->store_ca_file || controller->webhook)) {
        sonde_timer_start(c->timer, 0, 0);
    }
    if (r < 0) {
        certificates_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void certificates_free(struct certificates *c)
{
    if (c) {
        sonde_timer_free(c->timer);
        sonde_buf_fini(&c->authority);
        sonde_certificate_fini(&c->issuer);
        sonde_certificate_fini(&c->server);
        free(c);
    }
}

struct sonde_str certificates_authority(const struct certificates *c)
{
    return sonde_buf_view(&c->authority);
}

void certificates_lead(struct certificates *c)
{
    c->lead = true;
    if (!c->busy && (!c->controller->settings->store_ca_file || c->controller->webhook)) {
        sonde_timer_start(c->timer, 0, 0);
    }
}

/* ---- Secrets ---- */

/* Decodes an entry of a Secret into *ret; false when it is missing or no base64. */
static bool read_entry(const cJSON *secret, const char *name, struct sonde_buf *ret)
{
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(secret, "data");
    const char *text = sonde_json_string_or(data, name, "");
    sonde_buf_clear(ret);
    return text[0] && sonde_base64_decode(sonde_str(text), ret, NULL) == 0 && ret->length > 0;
}

static void put_entry(struct sonde_buf *body, const char *before, const char *name,
                      const struct sonde_buf *value)
{
    sonde_buf_printf(body, "%s\"%s\":\"", before, name);
    sonde_base64_encode(sonde_buf_view(value), body);
    sonde_buf_char(body, '"');
}

typedef void (*kube_callback)(void *context, const struct sonde_kube_response *response,
                              const struct sonde_err *err);

static void ask(struct certificates *c, const char *method, const char *name,
                const char *content_type, const struct sonde_buf *body, kube_callback done)
{
    struct sonde_err err;
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int r = sonde_kube_path(&(struct sonde_kube_target){&secret_resource,
                                                        c->controller->settings->system_namespace,
                                                        name, NULL, NULL},
                            &path, &err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a Secret", &err);
    r = r < 0 || !body ? r : sonde_buf_check(body, "a Secret", &err);
    struct sonde_kube_request_options options = {.method = method,
                                                 .path = sonde_buf_view(&path),
                                                 .content_type = content_type,
                                                 .body = body ? sonde_buf_view(body)
                                                              : (struct sonde_str){0},
                                                 .context = c,
                                                 .done = done};
    r = r < 0 ? r : sonde_kube_send(c->controller->kube, &options, NULL, &err);
    if (r < 0) {
        log_problem(c, "a Secret cannot be asked for", &err);
        again(c, SOON_NS);
    }
}

/* ---- the server's ---- */

static void server_written(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct certificates *c = context;
    (void)response;
    if (err->code) {
        if (err->code != SONDE_EEXISTS) {
            log_problem(c, "the store's certificate could not be written", err);
        }
        again(c, SOON_NS);
        return;
    }
    SONDE_LOG(&c->controller->log, SONDE_LOG_INFO, "the store has a new certificate",
              SONDE_FIELD_STR("secret", SONDE_STR(SERVER_SECRET)));
    again(c, 0);
}

/* The issuer, and the one that was trusted last: sidecars, the store and we read what is written at
 * different times, and until all have, the other one's certificates are met too. */
static void put_trusted(const struct certificates *c, struct sonde_buf *ret)
{
    static const char end[] = "-----END CERTIFICATE-----\n";
    struct sonde_str issuer = sonde_buf_view(&c->issuer.certificate);
    const char *first = c->authority.length ? c->authority.data : "";
    const char *behind = strstr(first, end);
    struct sonde_str before = {first, behind ? (size_t)(behind - first) + strlen(end) : 0};
    sonde_buf_str(ret, issuer);
    if (before.length && !sonde_str_equal(before, issuer)) {
        sonde_buf_str(ret, before);
    }
}

static void issue(struct certificates *c)
{
    struct sonde_err err;
    int64_t now = sonde_clock_realtime() / SONDE_SECOND;
    SONDE_BUF_AUTO body = SONDE_BUF(5 * SONDE_CERTIFICATE_MAX);
    SONDE_BUF_AUTO trusted = SONDE_BUF(2 * SONDE_CERTIFICATE_MAX);
    put_trusted(c, &trusted);
    sonde_certificate_fini(&c->server);
    c->server = SONDE_CERTIFICATE;
    if (sonde_certificate_issue(&c->issuer, c->name_list, NAMES_MAX, now - BACKDATE_SECONDS,
                                now + SERVER_DAYS * DAY, &c->server, &err) < 0) {
        log_problem(c, "the store's certificate could not be issued", &err);
        again(c, 60 * SONDE_SECOND);
        return;
    }
    sonde_buf_text(&body,
                   "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"kubernetes.io/tls\","
                   "\"metadata\":{\"name\":\"" SERVER_SECRET "\",\"labels\":{"
                   "\"app.kubernetes.io/managed-by\":\"sonde\"}},\"data\":{");
    put_entry(&body, "", "tls.crt", &c->server.certificate);
    put_entry(&body, ",", "tls.key", &c->server.key);
    put_entry(&body, ",", "ca.crt", &trusted);
    sonde_buf_text(&body, "}}");
    if (c->server_there) {
        ask(c, "PATCH", SERVER_SECRET, SONDE_KUBE_MERGE_PATCH, &body, server_written);
    } else {
        ask(c, "POST", NULL, NULL, &body, server_written);
    }
    explicit_bzero(body.data, body.length);
}

/* ---- the authority ---- */

/* c->issuer is what the Secret has. */
static void authority_known(struct certificates *c)
{
    struct sonde_err err;
    struct webhook *webhook = c->controller->webhook;
    if (c->server_wanted) {
        issue(c);
    } else if (webhook && webhook_trust(webhook, &c->issuer, &err) < 0) {
        log_problem(c, "the webhook cannot be served", &err);
        again(c, 60 * SONDE_SECOND);
    } else {
        again(c, LOOK_NS);
    }
}

static void authority_written(void *context, const struct sonde_kube_response *response,
                              const struct sonde_err *err)
{
    struct certificates *c = context;
    (void)response;
    if (err->code) {
        log_problem(c, "the authority of the store's certificate could not be written", err);
        again(c, SOON_NS);
        return;
    }
    authority_known(c);
}

static void make_authority(struct certificates *c, bool there)
{
    struct sonde_err err;
    int64_t now = sonde_clock_realtime() / SONDE_SECOND;
    SONDE_BUF_AUTO body = SONDE_BUF(4 * SONDE_CERTIFICATE_MAX);
    sonde_certificate_fini(&c->issuer);
    c->issuer = SONDE_CERTIFICATE;
    if (sonde_certificate_authority("Sonde store authority", now - BACKDATE_SECONDS,
                                    now + AUTHORITY_DAYS * DAY, &c->issuer, &err) < 0) {
        log_problem(c, "no authority could be made", &err);
        again(c, 60 * SONDE_SECOND);
        return;
    }
    sonde_buf_text(&body,
                   "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"type\":\"kubernetes.io/tls\","
                   "\"metadata\":{\"name\":\"" AUTHORITY_SECRET "\",\"labels\":{"
                   "\"app.kubernetes.io/managed-by\":\"sonde\"}},\"data\":{");
    put_entry(&body, "", "tls.crt", &c->issuer.certificate);
    put_entry(&body, ",", "tls.key", &c->issuer.key);
    sonde_buf_text(&body, "}}");
    if (there) {
        ask(c, "PATCH", AUTHORITY_SECRET, SONDE_KUBE_MERGE_PATCH, &body, authority_written);
    } else {
        ask(c, "POST", NULL, NULL, &body, authority_written);
    }
    explicit_bzero(body.data, body.length);
}

bool certificate_is_old(struct sonde_str pem)
{
    int64_t from = 0;
    int64_t until = 0;
    int64_t now = sonde_clock_realtime() / SONDE_SECOND;
    return sonde_certificate_times(pem, &from, &until, NULL) < 0 ||
           until - now < (until - from) / 3;
}

static void authority_read(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct certificates *c = context;
    if (err->code && err->code != SONDE_ENOTFOUND) {
        log_problem(c, "the authority of the store's certificate cannot be read", err);
        again(c, SOON_NS);
        return;
    }
    bool whole = err->code == 0 &&
                 read_entry(response->object, "tls.crt", &c->issuer.certificate) &&
                 read_entry(response->object, "tls.key", &c->issuer.key);
    if (whole && !certificate_is_old(sonde_buf_view(&c->issuer.certificate))) {
        authority_known(c);
    } else if (c->lead) {
        make_authority(c, err->code == 0);
    } else {
        again(c, SOON_NS);
    }
}

/* ---- looking ---- */

static void server_read(void *context, const struct sonde_kube_response *response,
                        const struct sonde_err *err)
{
    struct certificates *c = context;
    SONDE_BUF_AUTO authority = SONDE_BUF(SONDE_CERTIFICATE_MAX);
    if (err->code && err->code != SONDE_ENOTFOUND) {
        log_problem(c, "the store's certificate cannot be read", err);
        again(c, SOON_NS);
        return;
    }
    c->server_there = err->code == 0;
    bool trusted = c->server_there && read_entry(response->object, "ca.crt", &authority);
    bool whole = c->server_there && read_entry(response->object, "tls.crt", &c->server.certificate);
    if (trusted) {
        sonde_buf_clear(&c->authority);
        sonde_buf_str(&c->authority, sonde_buf_view(&authority));
    }
    struct sonde_str certificate = sonde_buf_view(&c->server.certificate);
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(response->object, "metadata");
    const cJSON *labels = cJSON_GetObjectItemCaseSensitive(metadata, "labels");
    bool ours =
        strcmp(sonde_json_string_or(labels, "app.kubernetes.io/managed-by", ""), "sonde") == 0;
    bool good =
        trusted && whole && !certificate_is_old(certificate) &&
        sonde_certificate_fits(certificate, sonde_buf_view(&authority), c->name_list, NAMES_MAX);
    c->server_wanted = !good && (!c->server_there || ours);
    if (c->server_wanted && !c->lead) {
        again(c, SOON_NS);
    } else if (c->server_wanted || c->controller->webhook) {
        ask(c, "GET", AUTHORITY_SECRET, NULL, NULL, authority_read);
    } else {
        again(c, LOOK_NS);
    }
}

static void look(void *context)
{
    struct certificates *c = context;
    if (c->busy) {
        return;
    }
    c->busy = true;
    if (c->controller->settings->store_ca_file) {
        ask(c, "GET", AUTHORITY_SECRET, NULL, NULL, authority_read); /* for the webhook */
    } else {
        ask(c, "GET", SERVER_SECRET, NULL, NULL, server_read);
    }
}
