/* SPDX-License-Identifier: Apache-2.0 */
/* The one line that says the most of a run. Pure. */
#ifndef SONDE_RESULTS_TOP_H
#define SONDE_RESULTS_TOP_H

#include "analysis/finding.h"
#include "results/results.h"

struct sonde_results_top {
    int severity; /* of the finding; below 0: none yet */
    char text[SONDE_RESULTS_TOP_MAX];
};

#define SONDE_RESULTS_TOP ((struct sonde_results_top){.severity = -1})

/* Takes the place of one that is less severe, clean and cut between two characters. What has no
 * text says nothing. The text's code, or SONDE_ENOMEM. */
int sonde_results_top_offer(struct sonde_results_top *top, int severity,
                            const struct sonde_buf *text, struct sonde_err *err) SONDE_MUST_CHECK;

/* Offers a finding of an event loop or of coverage: "1.2 s stalled loadVisits patients.js:41". */
int sonde_results_top_offer_finding(struct sonde_results_top *top,
                                    const struct sonde_finding *finding,
                                    struct sonde_err *err) SONDE_MUST_CHECK;

/* "loadVisits patients.js:41": without directories, since a column has little room. */
void sonde_results_top_place(struct sonde_str function, struct sonde_str file, int32_t line,
                             struct sonde_buf *buf);

#endif
