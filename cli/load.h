/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `sonde load`: autocannon's, and ours. */
#ifndef SONDE_CLI_LOAD_H
#define SONDE_CLI_LOAD_H

#include "base/options.h"

enum { CLI_LOAD_URLS_MAX = 32 };

struct cli_load_settings {
    int64_t connections, connections_max, pipelining, threads;
    int64_t duration_ns, timeout_ns; /* 0: not given */
    int64_t amount, requests_most;   /* 0: not given */
    int64_t rate, connection_rate, requests_per_connection;
    int64_t bailout, requests_of_each, rate_most; /* 0: not given */
    bool poisson, forever, ids, insecure;
    bool json, quiet, silent, brief, latency, debug;
    bool on_port, warming_up;
    bool good_times;   /* those of answers with another status than 2xx do not count */
    bool send_times;   /* latency from when a request was written, not from when it was due */
    bool accepted;     /* autocannon's, which change nothing here */
    int64_t sample_ms; /* 0: not given */
    const char *method, *title, *body, *input, *socket_path, *server_name;
    const char *proxy, *form, *expect_body, *scenario, *har, *openapi; /* the last: files */
    bool receive;
    const char *certificate, *key; /* files */
    struct sonde_option_strings authorities, headers, thresholds, stages, allowed_hosts;
    struct sonde_option_words warm_up;
    int http; /* enum sonde_http_version */
    bool abort_on_fail, no_store, per_address;
    int64_t delay_abort_ns; /* 0: not given */
    int64_t warm_up_ns;     /* 0: none */
    const char *search;     /* FROM:TO; NULL: no search */
    int64_t precision;      /* 0: not given */
    const char *profile;    /* a word of `sonde profile --type`; NULL: none is taken */
    int64_t profile_ns, profile_delay_ns; /* 0: not given */
    bool autocannon;                      /* called by that name: its conventions hold */
};

#endif
