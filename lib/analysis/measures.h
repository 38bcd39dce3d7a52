/* SPDX-License-Identifier: Apache-2.0 */
/* Two captures that are a handful of numbers each → what changed between them. Pure. */
#ifndef SONDE_ANALYSIS_MEASURES_H
#define SONDE_ANALYSIS_MEASURES_H

#include <stdbool.h>

#include "analysis/compare.h"
#include "analysis/diagnostics.h"
#include "analysis/event_loop.h"
#include "analysis/timeline.h"

enum { SONDE_MEASURES_MAX = 64, SONDE_MEASURE_NAME_MAX = 48 };

enum sonde_measure_unit {
    SONDE_MEASURE_MILLISECONDS,
    SONDE_MEASURE_BYTES,
    SONDE_MEASURE_SHARE, /* 0–1 */
    SONDE_MEASURE_COUNT,
    SONDE_MEASURE_PER_SECOND,
};

struct sonde_measure {
    char name[SONDE_MEASURE_NAME_MAX]; /* "delay p99" */
    enum sonde_measure_unit unit;
    double values[SONDE_SIDES];
    bool there[SONDE_SIDES];
};

/* All zero at first. */
struct sonde_measures {
    struct sonde_measure items[SONDE_MEASURES_MAX];
    size_t count;
};

/* What the measures are of; all borrowed. */
struct sonde_measures_side {
    const char *uid, *name, *capture;
};

/* Sets a measure of one side; those of one name are one row. Beyond the maximum, and what is no
 * number, is left out. */
void sonde_measures_set(struct sonde_measures *measures, int side, const char *name,
                        enum sonde_measure_unit unit, double value);

/* What an event loop, a diagnostic report and allocations by time are compared by. */
void sonde_measures_of_loop(struct sonde_measures *measures, int side,
                            const struct sonde_event_loop *loop);
void sonde_measures_of_report(struct sonde_measures *measures, int side,
                              const struct sonde_diagnostics *report);

void sonde_measures_of_timeline(struct sonde_measures *measures, int side,
                                const struct sonde_timeline *timeline);

/* A table, at most 100 columns wide; members of a JSON object, each after a comma. */
void sonde_measures_table(const struct sonde_measures *measures, struct sonde_buf *buf);
void sonde_measures_members(const struct sonde_measures *measures, struct sonde_buf *buf);
/* The same with whose they are: text, and one object, described in docs/compare.md. */
void sonde_measures_text(const struct sonde_measures *measures,
                         const struct sonde_measures_side sides[SONDE_SIDES],
                         struct sonde_buf *buf);
void sonde_measures_json(const struct sonde_measures *measures,
                         const struct sonde_measures_side sides[SONDE_SIDES],
                         struct sonde_buf *buf);

#endif
