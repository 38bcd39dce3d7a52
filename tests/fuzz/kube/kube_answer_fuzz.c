/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses what the rest is: the body of a refusal, a plugin's credentials, a Lease
 * or a time. */
#include <stdlib.h>

#include "codec/json.h"
#include "kube/credentials.h"
#include "kube/lease.h"
#include "kube/status.h"
#include "kube/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void read_status(struct sonde_str text, int http)
{
    struct sonde_kube_status status;
    struct sonde_err err = {0};
    int code = sonde_kube_status_fail_text(http, text, text, &status, &err);
    must(code < 0 && code == err.code && err.message[0]);
    must(status.retry_after_ns >= 0 &&
         status.retry_after_ns <= SONDE_KUBE_RETRY_AFTER_MAX_S * SONDE_SECOND);
    for (const char *c = err.message; *c; c++) {
        must((unsigned char)*c >= ' ' && *c != 127);
    }
}

static void read_credentials(struct sonde_str text)
{
    struct sonde_kube_credentials credentials;
    sonde_kube_credentials_init(&credentials);
    if (sonde_kube_exec_answer(text, "client.authentication.k8s.io/v1", &credentials, NULL) == 0) {
        must(credentials.token.length || credentials.certificate.length);
        must(!credentials.token.length || !strpbrk(credentials.token.data, " \r\n\t"));
    }
    sonde_kube_credentials_fini(&credentials);
}

/* Whatever the Lease says, what we write is a Lease, and we wait no longer than an hour. */
static void read_lease(struct sonde_str text)
{
    const struct sonde_kube_lease_options options = {
        .namespace = "n", .name = "l", .identity = "me", .seed = 1};
    SONDE_JSON_AUTO *json = NULL;
    struct sonde_kube_lease lease;
    sonde_kube_lease_init(&lease, &options);
    if (sonde_json_parse(text, &json, NULL) < 0) {
        return;
    }
    int64_t now = 0;
    must(sonde_kube_lease_step(&lease, now).action == SONDE_KUBE_LEASE_GET);
    while (sonde_kube_lease_answered(&lease, now, json, NULL) == 0) {
        struct sonde_kube_lease_step step = sonde_kube_lease_step(&lease, now);
        if (step.action == SONDE_KUBE_LEASE_UPDATE) {
            SONDE_BUF_AUTO body = SONDE_BUF(1 << 16);
            SONDE_JSON_AUTO *written = NULL;
            sonde_kube_lease_print(&lease, SONDE_SECOND, &body);
            must(sonde_json_parse(sonde_buf_view(&body), &written, NULL) == 0);
            return;
        }
        must(step.action == SONDE_KUBE_LEASE_WAIT && step.at > now && step.at < INT64_MAX);
        now = step.at;
        must(now < 4000 * SONDE_SECOND);
        must(sonde_kube_lease_step(&lease, now).action == SONDE_KUBE_LEASE_GET);
    }
}

static void read_time(struct sonde_str text)
{
    int64_t ns;
    int64_t again;
    char printed[SONDE_KUBE_TIME_SIZE];
    if (sonde_kube_time_parse(text, &ns) == 0 && ns >= 0) {
        sonde_kube_time_format(ns, printed);
        if (printed[0] <= '2') {
            must(sonde_kube_time_parse(sonde_str(printed), &again) == 0 &&
                 again == ns / 1000 * 1000);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct sonde_str text = {(const char *)data + 2, size - 2};
    switch (data[0] % 4) {
    case 0:
        read_status(text, data[1] + 300);
        break;
    case 1:
        read_credentials(text);
        break;
    case 2:
        read_lease(text);
        break;
    default:
        read_time(text);
    }
    return 0;
}
