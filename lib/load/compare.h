/* SPDX-License-Identifier: Apache-2.0 */
/* Two load tests → what changed from one to the other, and how sure that is. Pure. */
#ifndef SONDE_LOAD_COMPARE_H
#define SONDE_LOAD_COMPARE_H

#include "analysis/compare.h"
#include "load/result.h"

enum {
    SONDE_LOAD_COMPARE_ASKED_MAX = 160, /* bytes of what was asked for, said */
    SONDE_LOAD_COMPARE_BATCHES_MIN = 5, /* of a test, for an interval of its rate */
};

/* One of the two; all borrowed. */
struct sonde_load_side {
    const char *uid, *name, *capture; /* for the report */
    const struct sonde_load_result *result;
};

struct sonde_load_change {
    double values[SONDE_SIDES];
    /* What encloses after − before in 95 of 100 such comparisons. */
    bool told; /* there is enough for it */
    double low, high;
    double ratio_low, ratio_high; /* of after ÷ before; NAN: not known */
};

struct sonde_load_comparison {
    struct sonde_load_side sides[SONDE_SIDES];
    /* Of sonde_load_confidence_quantiles, in µs: by the block bootstrap, when both tests have
     * enough seconds, and ten requests beyond. */
    struct sonde_load_change quantiles[SONDE_LOAD_CONFIDENCE_QUANTILES];
    /* Answers a second: by means of batches of seconds that are as long as neighbours have to do
     * with each other (Law, Simulation Modeling and Analysis, 5th edition, 2015, 9.5.3), and
     * Welch's t. */
    struct sonde_load_change rate;
    struct sonde_load_change failed; /* share of the requests; no interval */
    bool differs;                    /* they were not asked for the same */
};

/* Compares two results. SONDE_ENOMEM, SONDE_EINTERNAL. */
int sonde_load_compare(const struct sonde_load_side *before, const struct sonde_load_side *after,
                       struct sonde_load_comparison *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Whether the interval holds no 0: the change is no chance. */
bool sonde_load_change_is_sure(const struct sonde_load_change *change);

/* Whether it has a rate of its own, however long the answers take. */
bool sonde_load_is_open(const struct sonde_load_asked *asked);
/* Whether latencies of both can be laid beside each other. How long they went on, and where to,
 * does not matter. */
bool sonde_load_is_same(const struct sonde_load_asked *a, const struct sonde_load_asked *b);
/* What was asked of one otherwise than of the other, so that one cannot be the baseline of the
 * other: "the timeout" …; NULL: nothing that the results have. Of searches the plan counts: the
 * rate is what came of it. */
const char *sonde_load_differs(const struct sonde_load_result *a,
                               const struct sonde_load_result *b);
/* Whether both went to the same path, on whichever host. */
bool sonde_load_is_same_path(const struct sonde_load_asked *a, const struct sonde_load_asked *b);

/* "open: 400 requests a second" …. Returns ret. */
const char *sonde_load_asked_said(const struct sonde_load_asked *asked,
                                  char ret[SONDE_LOAD_COMPARE_ASKED_MAX]);

/* Append a text of some lines; one JSON object and a line feed, as docs/load-results.md describes
 * it. The buffer's errors. */
void sonde_load_comparison_text(const struct sonde_load_comparison *comparison,
                                struct sonde_buf *buf);
void sonde_load_comparison_json(const struct sonde_load_comparison *comparison,
                                struct sonde_buf *buf);

#endif
