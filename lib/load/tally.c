/* SPDX-License-Identifier: Apache-2.0 */
#include "load/tally.h"

#include <stdlib.h>

#include "base/clock.h"

static const int64_t longest_us = INT64_C(3600) * 1000 * 1000;
enum { DIGITS = 3 };

static const struct {
    const char *name, *cause;
} errors[SONDE_LOAD_ERRORS] = {
    [SONDE_LOAD_REFUSED] = {"refused", "nobody listens on that port"},
    [SONDE_LOAD_UNREACHABLE] = {"unreachable", "no connection could be made to that address"},
    [SONDE_LOAD_PROXY] = {"proxy", "the proxy did not connect us"},
    [SONDE_LOAD_TLS] = {"tls", "no TLS session: does that port speak https?"},
    [SONDE_LOAD_TLS_EXPIRED] = {"tlsExpired", "the certificate is over, or not valid yet"},
    [SONDE_LOAD_TLS_AUTHORITY] = {"tlsAuthority",
                                  "the certificate is of no authority that is trusted: --ca"},
    [SONDE_LOAD_TLS_NAME] = {"tlsName", "the certificate is for another name: --servername"},
    [SONDE_LOAD_TLS_CLIENT] = {"tlsClient", "the server wants another certificate of ours: --cert"},
    [SONDE_LOAD_TLS_ALPN] = {"tlsAlpn", "no version of HTTP that both sides speak: --http"},
    [SONDE_LOAD_UPGRADE] = {"upgrade", "the server speaks no WebSocket there"},
    [SONDE_LOAD_RESET] = {"reset", "the connection was closed before the answer's end"},
    [SONDE_LOAD_TIMEOUT] = {"timeout", "no answer in time: --timeout"},
    [SONDE_LOAD_PROTOCOL] = {"protocol", "what came was no answer of the protocol asked for"},
    [SONDE_LOAD_RESOURCES] = {"resources", "no sockets, ports or memory of our own: ulimit -n"},
};

const char *sonde_load_error_name(enum sonde_load_error error)
{
    return (size_t)error < SONDE_LENGTH(errors) ? errors[error].name : "unknown";
}

const char *sonde_load_error_cause(enum sonde_load_error error)
{
    return (size_t)error < SONDE_LENGTH(errors) ? errors[error].cause : "unknown";
}

int sonde_load_layout(struct sonde_histogram_layout *ret, struct sonde_err *err)
{
    return sonde_histogram_layout(1, longest_us, DIGITS, ret, err);
}

int sonde_load_tally_init(struct sonde_load_tally *tally, struct sonde_err *err)
{
    struct sonde_histogram_layout layout;
    *tally = (struct sonde_load_tally){0};
    int r = sonde_load_layout(&layout, err);
    r = r < 0 ? r : sonde_histogram_init(&tally->response, &layout, err);
    r = r < 0 ? r : sonde_histogram_init(&tally->service, &layout, err);
    return r < 0 ? r : sonde_histogram_init(&tally->send_lag, &layout, err);
}

int sonde_load_tally_divide(struct sonde_load_tally *tally, const struct sonde_load_label *labels,
                            size_t count, struct sonde_err *err)
{
    tally->labels = labels;
    tally->parts = count ? calloc(count, sizeof(*tally->parts)) : NULL;
    if (count && !tally->parts) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for the figures of %zu parts", count);
    }
    int r = 0;
    for (; tally->part_count < count && r == 0; tally->part_count++) {
        r = sonde_load_tally_init(&tally->parts[tally->part_count], err);
    }
    return r;
}

void sonde_load_tally_fini(struct sonde_load_tally *tally)
{
    for (size_t i = 0; i < tally->part_count; i++) {
        sonde_load_tally_fini(&tally->parts[i]);
    }
    free(tally->parts);
    tally->parts = NULL;
    tally->part_count = 0;
    sonde_histogram_fini(&tally->response);
    sonde_histogram_fini(&tally->service);
    sonde_histogram_fini(&tally->send_lag);
}

void sonde_load_tally_clear(struct sonde_load_tally *tally)
{
    struct sonde_load_tally empty = {.response = tally->response,
                                     .service = tally->service,
                                     .send_lag = tally->send_lag,
                                     .labels = tally->labels,
                                     .parts = tally->parts,
                                     .part_count = tally->part_count};
    sonde_histogram_clear(&empty.response);
    sonde_histogram_clear(&empty.service);
    sonde_histogram_clear(&empty.send_lag);
    *tally = empty;
    for (size_t i = 0; i < tally->part_count; i++) {
        sonde_load_tally_clear(&tally->parts[i]);
    }
}

void sonde_load_tally_add(struct sonde_load_tally *tally, const struct sonde_load_tally *from)
{
    /* All have one layout. */
    (void)!sonde_histogram_add(&tally->response, &from->response, NULL);
    (void)!sonde_histogram_add(&tally->service, &from->service, NULL);
    (void)!sonde_histogram_add(&tally->send_lag, &from->send_lag, NULL);
    tally->sent += from->sent;
    tally->answered += from->answered;
    tally->failed += from->failed;
    tally->censored += from->censored;
    tally->unsent += from->unsent;
    tally->late += from->late;
    tally->received += from->received;
    tally->wrong += from->wrong;
    tally->mismatches += from->mismatches;
    tally->restarts += from->restarts;
    tally->connects += from->connects;
    tally->connect_failures += from->connect_failures;
    tally->bytes_read += from->bytes_read;
    tally->bytes_written += from->bytes_written;
    for (size_t i = 0; i < SONDE_LOAD_ERRORS; i++) {
        tally->errors[i] += from->errors[i];
    }
    for (size_t i = 0; i <= SONDE_LOAD_STATUS_MAX; i++) {
        tally->statuses[i] += from->statuses[i];
    }
    for (size_t i = 0; i < tally->part_count && i < from->part_count; i++) {
        sonde_load_tally_add(&tally->parts[i], &from->parts[i]);
    }
}

static int64_t microseconds(int64_t from_ns, int64_t to_ns)
{
    return (to_ns - from_ns) / SONDE_MICROSECOND;
}

void sonde_load_tally_sent(struct sonde_load_tally *tally, const struct sonde_load_times *times)
{
    tally->sent++;
    sonde_histogram_record(&tally->send_lag, microseconds(times->intended_ns, times->sent_ns));
}

void sonde_load_tally_untimed(struct sonde_load_tally *tally, int status, bool right)
{
    tally->answered++;
    tally->statuses[status] += status > 0;
    tally->wrong += !right;
}

static void record_time(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                        int64_t now_ns)
{
    sonde_histogram_record(&tally->response, microseconds(times->intended_ns, now_ns));
    sonde_histogram_record(&tally->service, microseconds(times->sent_ns, now_ns));
}

void sonde_load_tally_judged(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                             int64_t now_ns, int status, bool right)
{
    sonde_load_tally_untimed(tally, status, right);
    record_time(tally, times, now_ns);
}

void sonde_load_tally_answered(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                               int64_t now_ns, int status)
{
    sonde_load_tally_judged(tally, times, now_ns, status,
                            status == 0 || (status >= 200 && status <= 399));
}

void sonde_load_tally_failed(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                             int64_t now_ns, enum sonde_load_error error)
{
    tally->failed++;
    tally->errors[error]++;
    if (error == SONDE_LOAD_TIMEOUT) {
        record_time(tally, times, now_ns);
    }
}

void sonde_load_tally_censored(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                               int64_t now_ns)
{
    tally->censored++;
    record_time(tally, times, now_ns);
}

void sonde_load_tally_unsent(struct sonde_load_tally *tally, int64_t intended_ns, int64_t now_ns)
{
    tally->unsent++;
    sonde_histogram_record(&tally->response, microseconds(intended_ns, now_ns));
    sonde_histogram_record(&tally->send_lag, microseconds(intended_ns, now_ns));
}

size_t sonde_load_label_find(const struct sonde_load_label *labels, size_t count,
                             enum sonde_load_label_kind kind, struct sonde_str text)
{
    size_t at = 0;
    while (at < count && (labels[at].kind != kind || !sonde_str_is(text, labels[at].text))) {
        at++;
    }
    return at;
}
