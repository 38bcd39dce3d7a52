/* SPDX-License-Identifier: Apache-2.0 */
/* Writes who makes a run, or changes a schedule, for clusters that do not serve
 * MutatingAdmissionPolicy: the API server asks here before it makes one of our kinds. Each replica
 * answers, with a certificate of its own that the authority in the Secret sonde-store-ca issued.
 * Whom the API server trusts is for an administrator to say: the right to change a
 * MutatingWebhookConfiguration is the right to read and change everything that is made in the
 * cluster, and no rule could limit ours. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "controller/admission.h"
#include "controller/controller.h"

#define DAY INT64_C(86400)
#define DAYS 90
#define BACKDATE_SECONDS 3600

enum {
    REVIEWS_BYTES_MAX = 4 << 20, /* of all reviews that are arriving */
    CONNECTIONS_MAX = 64,
    CONNECTIONS_PER_ADDRESS = 32, /* an API server keeps a few, and asks about many runs at once */
    NAME_SIZE = 300,
};

struct webhook {
    struct controller *controller;
    struct sonde_server *server; /* NULL: there is no authority yet */
    struct sonde_certificate own;
    char address[SONDE_SERVER_ADDRESS_SIZE];
    char account[NAME_SIZE]; /* ours, as the API server names it */
    uint16_t port;
    size_t arriving; /* bytes of reviews that are not answered */
};

/* ---- reviews ---- */

static void begin(void *context, struct sonde_exchange *exchange)
{
    struct sonde_buf *review = calloc(1, sizeof(*review));
    (void)context;
    if (!review) {
        sonde_exchange_fail(exchange, 503, "OutOfMemory", "out of memory", NULL);
        return;
    }
    *review = SONDE_BUF(ADMISSION_REVIEW_MAX);
    sonde_exchange_set_state(exchange, review);
}

static void take(void *context, struct sonde_exchange *exchange, const char *data, size_t length)
{
    struct webhook *webhook = context;
    struct sonde_buf *review = sonde_exchange_state(exchange);
    if (webhook->arriving + length > REVIEWS_BYTES_MAX) {
        sonde_exchange_fail(exchange, 503, "Busy", "too many reviews arrive: ask again", NULL);
        return;
    }
    size_t before = review->length;
    sonde_buf_append(review, data, length);
    webhook->arriving += review->length - before;
}

static void answer(void *context, struct sonde_exchange *exchange)
{
    struct webhook *webhook = context;
    struct sonde_buf *review = sonde_exchange_state(exchange);
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(ADMISSION_ANSWER_MAX);
    int r = sonde_buf_check(review, "a review", &err);
    r = r < 0 ? r : admission_answer(sonde_buf_view(review), webhook->account, &text, &err);
    if (r < 0) {
        sonde_exchange_fail(exchange, r == SONDE_ENOMEM ? 503 : 400, "Invalid", err.message, NULL);
        return;
    }
    webhook->controller->metrics.reviews++;
    sonde_exchange_answer(exchange, 200, "application/json", sonde_buf_view(&text));
}

static void closed(void *context, struct sonde_exchange *exchange)
{
    struct sonde_buf *review = sonde_exchange_state(exchange);
    if (review) {
        ((struct webhook *)context)->arriving -= review->length;
        sonde_buf_fini(review);
        free(review);
    }
}

static const struct sonde_route routes[] = {
    {"POST", "/requester", ADMISSION_REVIEW_MAX, begin, take, answer, closed},
    {0},
};

/* ---- the server ---- */

int webhook_new(struct controller *controller, struct webhook **ret, struct sonde_err *err)
{
    struct webhook *webhook = calloc(1, sizeof(*webhook));
    if (!webhook) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    webhook->controller = controller;
    webhook->own = SONDE_CERTIFICATE;
    (void)snprintf(webhook->account, sizeof(webhook->account),
                   "system:serviceaccount:%s:sonde-controller",
                   controller->settings->system_namespace);
    int r =
        sonde_server_address(controller->settings->webhook, webhook->address, &webhook->port, err);
    if (r < 0) {
        webhook_free(webhook);
        return r;
    }
    *ret = webhook;
    return 0;
}

void webhook_free(struct webhook *webhook)
{
    if (webhook) {
        sonde_server_free(webhook->server);
        sonde_certificate_fini(&webhook->own);
        free(webhook);
    }
}

bool webhook_serves(const struct webhook *webhook)
{
    return webhook->server;
}

static int serve(struct webhook *webhook, const struct sonde_certificate *own,
                 struct sonde_err *err)
{
    const struct controller *controller = webhook->controller;
    struct sonde_str certificate = sonde_buf_view(&own->certificate);
    struct sonde_str key = sonde_buf_view(&own->key);
    if (webhook->server) {
        return sonde_server_certificate(webhook->server, certificate, key, err);
    }
    const struct sonde_server_options options = {.loop = controller->loop,
                                                 .address = webhook->address,
                                                 .port = webhook->port,
                                                 .connections_max = CONNECTIONS_MAX,
                                                 .connections_per_address = CONNECTIONS_PER_ADDRESS,
                                                 .certificate = certificate,
                                                 .key = key,
                                                 .routes = routes,
                                                 .context = webhook};
    int r = sonde_server_new(&options, &webhook->server, err);
    if (r == 0) {
        SONDE_LOG(&controller->log, SONDE_LOG_INFO, "the webhook listens",
                  SONDE_FIELD_STR("address", sonde_str(webhook->address)),
                  SONDE_FIELD_INT("port", sonde_server_port(webhook->server)));
    }
    return r;
}

int webhook_trust(struct webhook *webhook, const struct sonde_certificate *authority,
                  struct sonde_err *err)
{
    char name[NAME_SIZE];
    const char *const names[] = {name};
    struct sonde_certificate own = SONDE_CERTIFICATE;
    int64_t now = sonde_clock_realtime() / SONDE_SECOND;
    (void)snprintf(name, sizeof(name), "sonde-controller.%s.svc",
                   webhook->controller->settings->system_namespace);
    if (webhook->server && !certificate_is_old(sonde_buf_view(&webhook->own.certificate)) &&
        sonde_certificate_fits(sonde_buf_view(&webhook->own.certificate),
                               sonde_buf_view(&authority->certificate), names, 1)) {
        return 0;
    }
    int r = sonde_certificate_issue(authority, names, 1, now - BACKDATE_SECONDS, now + DAYS * DAY,
                                    &own, err);
    r = r < 0 ? r : serve(webhook, &own, err);
    if (r < 0) {
        sonde_certificate_fini(&own);
        return r;
    }
    sonde_certificate_fini(&webhook->own);
    webhook->own = own;
    return 0;
}
