/* SPDX-License-Identifier: Apache-2.0 */
/* Is a run worse than those before it, and in what? Pure.
 *
 * Two nights of one service differ by more than the seconds of either tell: a neighbour on the
 * machine, or where a process happens to lie in memory, is the same from a test's beginning to its
 * end. So what counts is how runs that succeeded differ among themselves. Of a few of them that is
 * hardly known; it is drawn towards what is usual, as a moderated variance is (Smyth, 2004, "Linear
 * models and empirical Bayes methods", section 4: a scaled inverse chi-squared prior), which is
 * worth SONDE_REGRESSION_PRIOR runs. Where the seconds of a run (its bootstrap interval, or the
 * windows of a profile) say that it is less sure than that, they count beside.
 *
 * A change is worse when it is no chance (Student's t, one-sided) and at least as large as what
 * matters. Many quantiles and functions are many tests: all of them together are wrong in
 * SONDE_REGRESSION_FALSE_ALARMS of the quiet nights at most (Holm, 1979). */
#ifndef SONDE_LOAD_REGRESSION_H
#define SONDE_LOAD_REGRESSION_H

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_REGRESSION_HISTORY_MAX = 50,   /* runs that one is compared with */
    SONDE_REGRESSION_MEASURES_MAX = 128, /* of a run */
    SONDE_REGRESSION_NAME_MAX = 200,     /* bytes of a measure's name */
    SONDE_REGRESSION_WITH_MAX = 400,     /* bytes of what it is compared with */
    SONDE_REGRESSION_MESSAGE_MAX = 900,  /* bytes of the verdict, said */
    SONDE_REGRESSION_PRIOR = 6,
};
#define SONDE_REGRESSION_FALSE_ALARMS 0.01
#define SONDE_REGRESSION_CONFIDENCE 0.95 /* of the intervals that are told */

enum sonde_regression_unit {
    SONDE_REGRESSION_TIME,   /* µs: what counts is after ÷ before */
    SONDE_REGRESSION_RATE,   /* answers a second: the same, and less is worse */
    SONDE_REGRESSION_FAILED, /* share of the requests, 0–1: after − before counts */
    SONDE_REGRESSION_BUSY,   /* share of the busy time, 0–1: the same */
    SONDE_REGRESSION_UNITS,
};
/* "microseconds" …: as JSON has it. */
const char *sonde_regression_unit_name(enum sonde_regression_unit unit);

/* What was measured of a run. */
struct sonde_regression_value {
    bool there;
    double value;
    double error; /* standard error, as far as the run itself tells: of time and rate as a share of
                     the value; 0: it does not */
};

struct sonde_regression_measure {
    char name[SONDE_REGRESSION_NAME_MAX]; /* "p99", or a function and its place */
    enum sonde_regression_unit unit;
    double usual; /* by how much good runs usually differ: standard deviation, of time and rate as
                     a share */
    double least; /* the smallest change that matters, likewise */
    struct sonde_regression_value now;
    struct sonde_regression_value history[SONDE_REGRESSION_HISTORY_MAX];
    /* What sonde_regression_judge finds. Of time and rate, change, low and high are after ÷ before
     * − 1. */
    bool told; /* the others are known */
    double before;
    double change, low, high;
    double chance; /* that a run which is no worse differs so much, 0–1 */
    bool worse, better;
};

struct sonde_regression {
    struct sonde_regression_measure *measures;
    size_t count, capacity;
    size_t runs;      /* of the history: those a run is compared with stand first … */
    size_t reference; /* … so many, whose median counts */
    char with[SONDE_REGRESSION_WITH_MAX];
    bool compared; /* else the message says why not */
    bool worse;
    char message[SONDE_REGRESSION_MESSAGE_MAX];
};

/* Adds a measure and returns it; NULL beyond the maximum, or without memory. It stays where it is
 * until the next one is added. */
struct sonde_regression_measure *sonde_regression_add(struct sonde_regression *regression,
                                                      const char *name,
                                                      enum sonde_regression_unit unit);
void sonde_regression_fini(struct sonde_regression *regression);

/* Whether anything is there of that run of the history. */
bool sonde_regression_has_run(const struct sonde_regression *regression, size_t run);
/* Leaves the runs out of the history of which nothing is there. */
void sonde_regression_close_up(struct sonde_regression *regression);
/* Judges all measures by the first `runs` of their histories, and says in `message` what is worse,
 * by how much, than what `with` names. */
void sonde_regression_judge(struct sonde_regression *regression);
/* That there is nothing to compare with, or that it cannot be compared. */
void sonde_regression_refuse(struct sonde_regression *regression, const char *format, ...)
    SONDE_PRINTF(2, 3);

/* "p99 is 18 % [12, 25] slower than nightly-29384: 41.2 ms → 48.6 ms": of a measure that is told;
 * `with` NULL: without "than …". The buffer's errors. */
void sonde_regression_say(const struct sonde_regression_measure *measure, const char *with,
                          struct sonde_buf *buf);
/* Appends some lines; one JSON object, described in docs/regression.md. The buffer's errors. */
void sonde_regression_text(const struct sonde_regression *regression, struct sonde_buf *buf);
void sonde_regression_json(const struct sonde_regression *regression, struct sonde_buf *buf);

/* The standard error of a share of the busy time, as far as a profile of so many samples of it
 * tells (0: not known) and its windows do: `measured` is what their variance says (negative:
 * unknown). Of a few windows that is itself hardly known; samples are at least a binomial sample
 * then. */
double sonde_regression_share_error(double measured, size_t windows, double share, double samples);

/* The chance that Student's t, of so many degrees of freedom (at least 1), is above t: Abramowitz
 * and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4. */
double sonde_student_beyond(double t, unsigned degrees);

#endif
