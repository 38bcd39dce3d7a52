/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a load test as files of other tools. Pure. */
#ifndef SONDE_LOAD_EXPORT_H
#define SONDE_LOAD_EXPORT_H

#include "load/result.h"

enum { SONDE_LOAD_EXPORT_MAX = 32 << 20 }; /* bytes of any of them */

/* Each appends a whole file; the buffer's errors, SONDE_ENOMEM. */
typedef int sonde_load_export(const struct sonde_load_result *result, struct sonde_buf *buf,
                              struct sonde_err *err) SONDE_MUST_CHECK;

/* What autocannon prints with -j, as `sonde load -j` does. */
sonde_load_export sonde_load_export_autocannon;
/* A row of each interval with the names and units of the report's JSON, after a row of the names
 * (RFC 4180, but with line feeds). */
sonde_load_export sonde_load_export_csv;
/* HdrHistogram's log, in µs: the responses of each interval without a tag, and of the whole test
 * "service" and "send-lag". */
sonde_load_export sonde_load_export_hlog;
/* JUnit's XML, as CI servers read it: a case of whether the test can be believed, and one of each
 * threshold. One that holds in a test that cannot be believed is skipped. */
sonde_load_export sonde_load_export_junit;
/* What k6 writes with --summary-export: latencies in ms; of a threshold true when it is broken
 * (grafana/k6, internal/js/summary.js: oldJSONSummary). */
sonde_load_export sonde_load_export_k6;
/* Prometheus' text format 0.0.4 (prometheus.io, Exposition formats). */
sonde_load_export sonde_load_export_prometheus;

#endif
