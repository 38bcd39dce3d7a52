/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a load test keeps its thresholds. Pure. */
#ifndef SONDE_LOAD_JUDGE_H
#define SONDE_LOAD_JUDGE_H

#include "load/tally.h"
#include "spec/kinds.h"
#include "spec/threshold.h"

/* What a threshold is about, in its unit: of the tally, of so many seconds. NAN: nothing of it was
 * measured. A request has failed that has no answer, or a wrong one. */
double sonde_load_statistic(const struct sonde_threshold *threshold,
                            const struct sonde_load_tally *tally, double seconds);

/* Whether it holds, by that statistic. What was not measured keeps nothing. */
bool sonde_load_keeps(const struct sonde_threshold *threshold, double statistic);

/* Whether that is a lower bound: a percentile, median or maximum of times that lies among those of
 * requests without an answer (they timed out, or were not sent or answered by the end), which are
 * taken for the longest. Such a one cannot keep a threshold from above. */
bool sonde_load_is_bound(const struct sonde_threshold *threshold,
                         const struct sonde_load_tally *tally);

/* A threshold, as it was given, and what came of it. */
struct sonde_load_verdict {
    const char *text; /* borrowed, also by the threshold */
    struct sonde_threshold threshold;
    double statistic; /* NAN: nothing was measured */
    bool keeps;
    bool aborts; /* the test is to end when it does not hold */
    bool ended;  /* … and it has: it stays as it was then */
};

/* Of a test's thresholds and abortOnFail, each text once: *ret_count of them, `most` at most.
 * SONDE_EINVALID, SONDE_ELIMIT. */
int sonde_load_verdicts_of(const struct sonde_load_test *test, size_t most,
                           struct sonde_load_verdict *ret, size_t *ret_count,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* SONDE_EINVALID where it is about a part of the requests that there is none of, or of which it is
 * not told. */
int sonde_load_check_threshold(const struct sonde_load_verdict *verdict,
                               const struct sonde_load_label *labels, size_t count,
                               struct sonde_err *err) SONDE_MUST_CHECK;

/* Judges all of them, those with a tag by the part that it names: false when one does not hold.
 * What has ended the test does not hold, whatever came after it. */
bool sonde_load_judge(struct sonde_load_verdict *verdicts, size_t count,
                      const struct sonde_load_tally *tally, double seconds);

/* Whether the test is to end, by how they were judged; those that end it are marked. What nothing
 * was measured of yet is not broken, unless nothing could be sent at all. */
bool sonde_load_aborts(struct sonde_load_verdict *verdicts, size_t count,
                       const struct sonde_load_tally *tally);

/* Before they judge another trial: none has ended it. */
void sonde_load_verdicts_renew(struct sonde_load_verdict *verdicts, size_t count);

#endif
