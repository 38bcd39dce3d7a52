/* SPDX-License-Identifier: Apache-2.0 */
#include "load/search.h"

#include <math.h>

static const double repetitions = 3; /* of a trial */
static const double exceed = 0.5;

/* ---- what is known of one rate ---- */

static bool is_good(const struct sonde_load_trial *trial)
{
    return trial->keeps && trial->valid;
}

enum sonde_load_bound sonde_load_bound_of(const struct sonde_load_goal *goal,
                                          const struct sonde_load_trial *trials, size_t count,
                                          int64_t rate)
{
    double sums[2][2] = {{0}}; /* of the seconds: [is full][is good] */
    for (size_t i = 0; i < count; i++) {
        if (trials[i].rate == rate) {
            double seconds = (double)trials[i].seconds;
            sums[seconds >= goal->final_seconds][is_good(&trials[i])] += seconds;
        }
    }
    double balanced = sums[0][1] * goal->exceed / (1 - goal->exceed);
    double bad = sums[1][0] + fmax(sums[0][0] - balanced, 0);
    double whole = fmax(bad + sums[1][1], goal->sum_seconds);
    double missing = whole - bad - sums[1][1];
    return bad > goal->exceed * whole              ? SONDE_LOAD_UPPER
           : bad + missing <= goal->exceed * whole ? SONDE_LOAD_LOWER
                                                   : SONDE_LOAD_UNDECIDED;
}

/* How long full trials of a rate took that reached at least (`strictly`: more than) so much. */
static double seconds_above(const struct sonde_load_goal *goal,
                            const struct sonde_load_trial *trials, size_t count, int64_t rate,
                            double achieved, bool strictly)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        bool above = strictly ? trials[i].achieved > achieved : trials[i].achieved >= achieved;
        bool full = (double)trials[i].seconds >= goal->final_seconds;
        sum += trials[i].rate == rate && full && above ? (double)trials[i].seconds : 0;
    }
    return sum;
}

double sonde_load_throughput_of(const struct sonde_load_goal *goal,
                                const struct sonde_load_trial *trials, size_t count, int64_t rate)
{
    double all = seconds_above(goal, trials, count, rate, 0, false);
    double wanted = (1 - goal->exceed) * fmax(all, goal->sum_seconds);
    double found = 0;
    for (size_t i = 0; i < count; i++) {
        double achieved = trials[i].achieved;
        bool full = (double)trials[i].seconds >= goal->final_seconds;
        bool last = seconds_above(goal, trials, count, rate, achieved, true) < wanted &&
                    seconds_above(goal, trials, count, rate, achieved, false) >= wanted;
        found = trials[i].rate == rate && full && last ? achieved : found;
    }
    return found;
}

/* ---- what is known of all ---- */

void sonde_load_search_init(struct sonde_load_search *search, const struct sonde_rate_search *plan)
{
    double length = (double)plan->trial_seconds;
    *search = (struct sonde_load_search){
        .plan = *plan,
        .goal = {length, repetitions * length, exceed},
    };
}

static enum sonde_load_bound bound_of(const struct sonde_load_search *s, int64_t rate)
{
    return sonde_load_bound_of(&s->goal, s->trials, s->count, rate);
}

/* Whether a trial of the rate was bad; `invalid`: only because it was not valid. */
static bool has_bad(const struct sonde_load_search *s, int64_t rate, bool invalid)
{
    bool found = false;
    for (size_t i = 0; i < s->count; i++) {
        const struct sonde_load_trial *own = &s->trials[i];
        found =
            found || (own->rate == rate && (invalid ? !own->valid && own->keeps : !is_good(own)));
    }
    return found;
}

struct standing {
    int64_t upper;    /* the lowest upper bound; INT64_MAX: none */
    int64_t lower;    /* the highest lower bound below it; 0: none */
    int64_t highest;  /* the highest rate below the upper bound without a bad trial, or a lower
                         bound; 0: none */
    int64_t doubtful; /* the lowest below it that had a bad trial and is not decided; 0: none */
};

static struct standing standing_of(const struct sonde_load_search *s)
{
    struct standing now = {.upper = INT64_MAX};
    for (size_t i = 0; i < s->count; i++) {
        int64_t rate = s->trials[i].rate;
        bool lower = rate < now.upper && bound_of(s, rate) == SONDE_LOAD_UPPER;
        now.upper = lower ? rate : now.upper;
    }
    for (size_t i = 0; i < s->count; i++) {
        int64_t rate = s->trials[i].rate;
        if (rate >= now.upper) {
            continue;
        }
        bool keeps = bound_of(s, rate) == SONDE_LOAD_LOWER;
        bool doubtful = !keeps && has_bad(s, rate, false);
        now.lower = keeps && rate > now.lower ? rate : now.lower;
        now.highest = !doubtful && rate > now.highest ? rate : now.highest;
        now.doubtful = doubtful && (rate < now.doubtful || now.doubtful == 0) ? rate : now.doubtful;
    }
    return now;
}

static bool is_spent(const struct sonde_load_search *s)
{
    int64_t seconds = 0;
    for (size_t i = 0; i < s->count; i++) {
        seconds += s->trials[i].seconds;
    }
    return s->count == SONDE_LOAD_SEARCH_TRIALS_MAX ||
           seconds >= SONDE_LOAD_SEARCH_LENGTHS_MAX * s->plan.trial_seconds;
}

static bool is_near(const struct sonde_load_search *s, const struct standing *now)
{
    double width = (double)now->upper * (double)s->plan.precision_percent / 100;
    return (double)(now->upper - now->highest) <= fmax(width, 1);
}

static int64_t short_of(const struct sonde_load_search *s)
{
    int64_t full = s->plan.trial_seconds;
    int64_t third = full / 3;
    int64_t least = full < SONDE_LOAD_SEARCH_SHORT_SECONDS ? full : SONDE_LOAD_SEARCH_SHORT_SECONDS;
    return third > least ? third : least;
}

/* The next rate; 0: it is over. */
static int64_t next_rate(const struct sonde_load_search *s, const struct standing *now)
{
    int64_t most = s->plan.max_rate;
    if (s->count == 0) {
        return s->plan.start_rate < most ? s->plan.start_rate : most;
    }
    if (is_spent(s)) {
        return 0;
    }
    if (now->doubtful) {
        return now->doubtful;
    }
    if (now->upper == INT64_MAX && now->highest < most) {
        return now->highest > most / 2 ? most : 2 * now->highest;
    }
    if (now->highest && now->upper != INT64_MAX && !is_near(s, now)) {
        return now->highest + (now->upper - now->highest) / 2;
    }
    return now->highest == now->lower ? 0 : now->highest;
}

bool sonde_load_search_next(const struct sonde_load_search *search, int64_t *ret_rate,
                            int64_t *ret_seconds)
{
    const struct sonde_load_search *s = search;
    struct standing now = standing_of(s);
    int64_t rate = next_rate(s, &now);
    bool doubles = now.upper == INT64_MAX && now.doubtful == 0 && rate > now.highest;
    *ret_rate = rate;
    *ret_seconds = doubles ? short_of(s) : s->plan.trial_seconds;
    return rate > 0;
}

void sonde_load_search_take(struct sonde_load_search *search, const struct sonde_load_trial *trial)
{
    if (search->count < SONDE_LOAD_SEARCH_TRIALS_MAX && trial->seconds > 0) {
        search->trials[search->count++] = *trial;
    }
}

static enum sonde_load_search_end end_of(const struct sonde_load_search *s,
                                         const struct standing *now)
{
    int64_t rate;
    int64_t seconds;
    bool bounded = now->upper != INT64_MAX;
    bool generator = bounded && has_bad(s, now->upper, true);
    if (sonde_load_search_next(s, &rate, &seconds)) {
        return SONDE_LOAD_SEARCH_GOES_ON;
    }
    if (bounded && now->highest == 0 && !now->doubtful) {
        return generator ? SONDE_LOAD_SEARCH_GENERATOR : SONDE_LOAD_SEARCH_NONE_KEPT;
    }
    if (now->lower != now->highest || now->doubtful || (bounded && !is_near(s, now)) ||
        now->lower == 0) {
        return SONDE_LOAD_SEARCH_SPENT;
    }
    return !bounded    ? SONDE_LOAD_SEARCH_MAX_KEPT
           : generator ? SONDE_LOAD_SEARCH_GENERATOR
                       : SONDE_LOAD_SEARCH_FOUND;
}

struct sonde_load_search_result sonde_load_search_result(const struct sonde_load_search *search)
{
    const struct sonde_load_search *s = search;
    struct standing now = standing_of(s);
    return (struct sonde_load_search_result){
        .end = end_of(s, &now),
        .lower = now.lower,
        .upper = now.upper != INT64_MAX ? now.upper : 0,
        .throughput = sonde_load_throughput_of(&s->goal, s->trials, s->count, now.lower),
    };
}

static const struct {
    const char *name, *text;
} ends[SONDE_LOAD_SEARCH_ENDS] = {
    [SONDE_LOAD_SEARCH_GOES_ON] = {"interrupted", "it was interrupted"},
    [SONDE_LOAD_SEARCH_FOUND] = {"found", "it is known as well as was asked for"},
    [SONDE_LOAD_SEARCH_MAX_KEPT] = {"maxKept",
                                    "the highest rate of the search keeps too: raise it"},
    [SONDE_LOAD_SEARCH_GENERATOR] =
        {"generator", "there the generator was too slow, which is no limit of the service"},
    [SONDE_LOAD_SEARCH_NONE_KEPT] = {"noneKept",
                                     "the first rate does not keep: begin with a lower one"},
    [SONDE_LOAD_SEARCH_SPENT] =
        {"spent", "the trials contradict each other, or ran out before it was known"},
};

const char *sonde_load_search_end_name(enum sonde_load_search_end end)
{
    return ends[end].name;
}

const char *sonde_load_search_end_text(enum sonde_load_search_end end)
{
    return ends[end].text;
}
