/* SPDX-License-Identifier: Apache-2.0 */
/* What a load test comes to, for a person and for programs: autocannon's JSON field for field, and
 * what it has not. Pure. */
#ifndef SONDE_LOAD_SUMMARY_H
#define SONDE_LOAD_SUMMARY_H

#include "load/engine.h"
#include "load/judge.h"
#include "load/validity.h"

struct sonde_load_summary {
    const char *title; /* NULL: none */
    const char *url;
    const char *socket_path; /* NULL: none */
    const struct sonde_load_plan *plan;
    const struct sonde_load_outcome *outcome; /* once it is over */
    struct sonde_load_validity validity;
    const struct sonde_load_verdict *verdicts;
    size_t verdict_count;
    struct sonde_histogram requests, bytes; /* of each second: answers, and bytes read */
    uint64_t samples;
    int64_t sampled_ns; /* the end of the last one */
};

/* SONDE_ENOMEM. The caller fills the rest, and calls sonde_load_summary_fini in any case. */
int sonde_load_summary_init(struct sonde_load_summary *summary,
                            struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_summary_fini(struct sonde_load_summary *summary);
/* Takes an interval of the test. One that is cut by the end counts only when it is the first. */
void sonde_load_summary_add(struct sonde_load_summary *summary, int64_t end_ns,
                            const struct sonde_load_tally *interval);

/* Append a text of some lines, and one JSON object on a line. The buffer's errors. */
void sonde_load_summary_text(const struct sonde_load_summary *summary, struct sonde_buf *buf);
void sonde_load_summary_json(const struct sonde_load_summary *summary, struct sonde_buf *buf);

#endif
