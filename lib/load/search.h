/* SPDX-License-Identifier: Apache-2.0 */
/* The highest rate at which a service keeps its thresholds: which trial comes next, and what all of
 * them say. Pure.
 *
 * The rate is doubled until thresholds break, and then halved in between until it is known as well
 * as asked for. One trial proves little, so the rules of MLRsearch (RFC 9971) say when a rate is
 * decided:
 * - A trial that breaks a threshold stands for one that loses too much. So does one that is not
 *   valid: load that was not offered counts as lost ("Measurer").
 * - Of a rate, three trials of full length at most are wanted (the goal's duration sum); up to half
 *   of their time may break (its exceed ratio, 0.5). As soon as the trials that are still missing
 *   cannot change it, the rate is a lower bound, which keeps, or an upper one, which does not:
 *   after two that agree. Until then it is undecided.
 * - Doubling is done by short trials. They may make an upper bound, never a lower one; bad ones are
 *   balanced by as many good ones (appendix A).
 * - The upper bound that counts is the lowest one, the lower bound the highest below it: what was
 *   kept above a rate that was not is not believed.
 * - The result is regular when there are both, as near as asked for; else it says what is missing.
 * - What is reached at the lower bound is its conditional throughput (appendix B).
 * Of one goal only: there are no thresholds for several. */
#ifndef SONDE_LOAD_SEARCH_H
#define SONDE_LOAD_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/kinds.h"

enum {
    SONDE_LOAD_SEARCH_TRIALS_MAX = 120,
    SONDE_LOAD_SEARCH_LENGTHS_MAX = 40,  /* of the time: so many trials of full length */
    SONDE_LOAD_SEARCH_SHORT_SECONDS = 5, /* a short one is a third of a full one, at least this */
};

struct sonde_load_trial {
    int64_t rate;    /* requests a second, that were asked for */
    int64_t seconds; /* its length; 0 is not taken */
    bool keeps;      /* all thresholds */
    bool valid;      /* the load was what was asked for */
    double achieved; /* answers a second */
};

/* What a rate must do to be a bound: RFC 9971, "Search Goal". */
struct sonde_load_goal {
    double final_seconds; /* shorter trials are short */
    double sum_seconds;   /* of the trials that are wanted */
    double exceed;        /* how much of that may break, 0 to less than 1 */
};

enum sonde_load_bound { SONDE_LOAD_UNDECIDED, SONDE_LOAD_LOWER, SONDE_LOAD_UPPER };

/* By all trials of that rate: RFC 9971, appendix A. */
enum sonde_load_bound sonde_load_bound_of(const struct sonde_load_goal *goal,
                                          const struct sonde_load_trial *trials, size_t count,
                                          int64_t rate);
/* The answers a second that are reached in as much of the wanted time as must not break: appendix
 * B. 0 while there were too few trials of full length. */
double sonde_load_throughput_of(const struct sonde_load_goal *goal,
                                const struct sonde_load_trial *trials, size_t count, int64_t rate);

struct sonde_load_search {
    struct sonde_rate_search plan;
    struct sonde_load_goal goal;
    struct sonde_load_trial trials[SONDE_LOAD_SEARCH_TRIALS_MAX];
    size_t count;
};

enum sonde_load_search_end {
    SONDE_LOAD_SEARCH_GOES_ON,
    SONDE_LOAD_SEARCH_FOUND,     /* both bounds, as near as asked for */
    SONDE_LOAD_SEARCH_MAX_KEPT,  /* there is no upper bound: the highest rate keeps */
    SONDE_LOAD_SEARCH_GENERATOR, /* the upper bound is where trials were not valid */
    SONDE_LOAD_SEARCH_NONE_KEPT, /* there is no lower bound: the first rate does not keep */
    SONDE_LOAD_SEARCH_SPENT,     /* all trials, or all the time */
    SONDE_LOAD_SEARCH_ENDS,
};

struct sonde_load_search_result {
    enum sonde_load_search_end end;
    int64_t lower, upper; /* the bounds; 0: there is none */
    double throughput;    /* answers a second at the lower one */
};

/* plan: its rates and seconds are positive, its precision 1 to 99. */
void sonde_load_search_init(struct sonde_load_search *search, const struct sonde_rate_search *plan);
/* The rate and the seconds of the next trial. False: it is over. */
bool sonde_load_search_next(const struct sonde_load_search *search, int64_t *ret_rate,
                            int64_t *ret_seconds);
/* Takes what came of it: of that rate and length, or shorter when it was ended. */
void sonde_load_search_take(struct sonde_load_search *search, const struct sonde_load_trial *trial);
/* What is known until now. */
struct sonde_load_search_result sonde_load_search_result(const struct sonde_load_search *search);

/* "found" …, and what it means, for a person. */
const char *sonde_load_search_end_name(enum sonde_load_search_end end);
const char *sonde_load_search_end_text(enum sonde_load_search_end end);

#endif
