/* SPDX-License-Identifier: Apache-2.0 */
/* What came of requests: how long each took, by three histograms, and how many there were of each
 * kind. Of a thread, an interval, a test: they add up exactly. Pure. */
#ifndef SONDE_LOAD_TALLY_H
#define SONDE_LOAD_TALLY_H

#include "histogram/histogram.h"

/* Why a request, or the connection that it waited for, failed. */
enum sonde_load_error {
    SONDE_LOAD_REFUSED,       /* nobody listens */
    SONDE_LOAD_UNREACHABLE,   /* any other end of connecting */
    SONDE_LOAD_PROXY,         /* the proxy did not connect us */
    SONDE_LOAD_TLS,           /* no session, for any other reason than: */
    SONDE_LOAD_TLS_EXPIRED,   /* the server's certificate is over, or not yet good */
    SONDE_LOAD_TLS_AUTHORITY, /* … of no authority that we trust */
    SONDE_LOAD_TLS_NAME,      /* … of another name than we asked for */
    SONDE_LOAD_TLS_CLIENT,    /* the server wants a certificate of ours, or another one */
    SONDE_LOAD_TLS_ALPN,      /* no protocol that both speak */
    SONDE_LOAD_UPGRADE,       /* the server wants no WebSocket */
    SONDE_LOAD_RESET,         /* the connection broke, or was closed before the answer's end */
    SONDE_LOAD_TIMEOUT,       /* no answer in time */
    SONDE_LOAD_PROTOCOL,      /* the answer is no HTTP, or no WebSocket's */
    SONDE_LOAD_RESOURCES,     /* no sockets, ports or memory of our own */
    SONDE_LOAD_ERRORS,
};

enum {
    SONDE_LOAD_STATUS_MAX = 999,
    SONDE_LOAD_LABEL_SIZE = 64,  /* bytes of a label's text with its NUL */
    SONDE_LOAD_LABELS_MAX = 320, /* parts of a tally */
};
#define SONDE_LOAD_LATE_NS INT64_C(1000000)

/* What a part of the requests has in common: their name, or the address that they went to. */
enum sonde_load_label_kind { SONDE_LOAD_OF_NAME, SONDE_LOAD_OF_ADDRESS };
struct sonde_load_label {
    enum sonde_load_label_kind kind;
    char text[SONDE_LOAD_LABEL_SIZE];
};

struct sonde_load_tally {
    /* In µs, up to an hour, to three digits. Timeouts, and what was never answered or sent, are in
     * them by what they had waited: lower bounds. */
    struct sonde_histogram response; /* intended → last byte */
    struct sonde_histogram service;  /* written → last byte */
    struct sonde_histogram send_lag; /* intended → written */
    uint64_t sent; /* requests that were written: answered, failed or censored by the end */
    uint64_t answered, failed, censored;
    uint64_t unsent;     /* that were due, and were not written before the end */
    uint64_t late;       /* sent later than SONDE_LOAD_LATE_NS, and not for want of a connection */
    uint64_t received;   /* messages of a WebSocket that answer nothing */
    uint64_t wrong;      /* answers that are not as they should be: else, a status below 200 or
                            above 399 */
    uint64_t mismatches; /* … of these, where a scenario says how they should be */
    uint64_t restarts;   /* sequences that could not go on, and began anew */
    uint64_t connects, connect_failures;
    uint64_t errors[SONDE_LOAD_ERRORS]; /* of requests and of connects */
    uint64_t statuses[SONDE_LOAD_STATUS_MAX + 1];
    uint64_t bytes_read, bytes_written; /* on the wire, without TLS */
    /* Of the requests of each label, without what is of connections; a request can be in several,
     * and in none. */
    const struct sonde_load_label *labels; /* borrowed */
    struct sonde_load_tally *parts;
    size_t part_count;
};

/* "refused" … */
const char *sonde_load_error_name(enum sonde_load_error error);

/* What it means, and what may help, for a person: "nobody listens on that port" … */
const char *sonde_load_error_cause(enum sonde_load_error error);

/* That of its histograms. */
int sonde_load_layout(struct sonde_histogram_layout *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* SONDE_ENOMEM. The caller calls sonde_load_tally_fini in any case. */
int sonde_load_tally_init(struct sonde_load_tally *tally, struct sonde_err *err) SONDE_MUST_CHECK;
/* Makes parts of an empty one. SONDE_ENOMEM. */
int sonde_load_tally_divide(struct sonde_load_tally *tally, const struct sonde_load_label *labels,
                            size_t count, struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_tally_fini(struct sonde_load_tally *tally);
void sonde_load_tally_clear(struct sonde_load_tally *tally);
/* Parts are added when both have them. */
void sonde_load_tally_add(struct sonde_load_tally *tally, const struct sonde_load_tally *from);

/* When a request was meant to be written, and was. Monotonic ns. */
struct sonde_load_times {
    int64_t intended_ns, sent_ns;
};

void sonde_load_tally_sent(struct sonde_load_tally *tally, const struct sonde_load_times *times);
/* status: 0 for an answer that has none. */
void sonde_load_tally_answered(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                               int64_t now_ns, int status);
/* The same where the status alone does not say whether the answer is right. */
void sonde_load_tally_judged(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                             int64_t now_ns, int status, bool right);
/* … and how long it took is left out. */
void sonde_load_tally_untimed(struct sonde_load_tally *tally, int status, bool right);
void sonde_load_tally_failed(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                             int64_t now_ns, enum sonde_load_error error);
/* The test ended before its answer. */
void sonde_load_tally_censored(struct sonde_load_tally *tally, const struct sonde_load_times *times,
                               int64_t now_ns);
/* The test ended before it was written. */
void sonde_load_tally_unsent(struct sonde_load_tally *tally, int64_t intended_ns, int64_t now_ns);

/* The place of a label; count: there is none. */
size_t sonde_load_label_find(const struct sonde_load_label *labels, size_t count,
                             enum sonde_load_label_kind kind, struct sonde_str text);

#endif
