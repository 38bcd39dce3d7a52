/* SPDX-License-Identifier: Apache-2.0 */
/* What a load test must keep: "METRIC[{TAG:VALUE}]: STATISTIC OPERATOR NUMBER", after k6's
 * thresholds, such as "http_req_duration{name:search}: p(99) < 250". Pure. */
#ifndef SONDE_SPEC_THRESHOLD_H
#define SONDE_SPEC_THRESHOLD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum { SONDE_THRESHOLD_LENGTH_MAX = 256 };

enum sonde_threshold_metric {
    SONDE_METRIC_DURATION,      /* http_req_duration: intended start → last byte, ms */
    SONDE_METRIC_SERVICE,       /* http_req_service: write → last byte, ms */
    SONDE_METRIC_SEND_LAG,      /* http_req_send_lag: write − intended, ms */
    SONDE_METRIC_FAILED,        /* http_req_failed: share of the requests, 0–1 */
    SONDE_METRIC_REQUESTS,      /* http_reqs: answered; count, or rate per second */
    SONDE_METRIC_DROPPED,       /* dropped_requests: due, never sent; count, or rate per second */
    SONDE_METRIC_DATA_RECEIVED, /* data_received: bytes; count, or rate per second */
    SONDE_METRIC_DATA_SENT,     /* data_sent: bytes; count, or rate per second */
};

enum sonde_threshold_statistic {
    SONDE_STATISTIC_AVERAGE,    /* avg */
    SONDE_STATISTIC_MINIMUM,    /* min */
    SONDE_STATISTIC_MAXIMUM,    /* max */
    SONDE_STATISTIC_MEDIAN,     /* med */
    SONDE_STATISTIC_COUNT,      /* count */
    SONDE_STATISTIC_RATE,       /* rate */
    SONDE_STATISTIC_PERCENTILE, /* p(N) */
};

enum sonde_threshold_operator {
    SONDE_OPERATOR_LESS_EQUAL,
    SONDE_OPERATOR_LESS,
    SONDE_OPERATOR_GREATER_EQUAL,
    SONDE_OPERATOR_GREATER,
    SONDE_OPERATOR_EQUAL,
    SONDE_OPERATOR_NOT_EQUAL,
};

/* The texts point into the text that was parsed. */
struct sonde_threshold {
    enum sonde_threshold_metric metric;
    struct sonde_str tag; /* "name"; data NULL when there is none */
    struct sonde_str tag_value;
    enum sonde_threshold_statistic statistic;
    double percentile; /* of p(N): above 0, at most 100 */
    enum sonde_threshold_operator comparison;
    double number;
};

/* SONDE_EINVALID with a message that says what is wrong with it. */
int sonde_threshold_parse(struct sonde_str text, struct sonde_threshold *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* Whether the value (in the metric's unit) keeps the threshold. */
bool sonde_threshold_holds(const struct sonde_threshold *threshold, double value);

#endif
