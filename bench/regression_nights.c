/* SPDX-License-Identifier: Apache-2.0 */
/* How often a quiet night is called a regression, and a slower one is found.
 *
 * regression_nights SEED        of nights that are made up, by how much they differ
 * regression_nights FILE RUNS   of load tests that were made, each compared with the good ones
 * before it: FILE has lines of a percentage (0: good) and the path of a result, oldest first; RUNS
 * are the reference (1: the last good one)
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "load/regression_load.h"

/* ---- made up ---- */

enum { NIGHTS = 2000, QUANTILES = 4 };

static double uniform(uint64_t *seed)
{
    return ((double)(sonde_random_next(seed) >> 11) + 0.5) / 9007199254740992.0;
}

/* Box and Muller, 1958. */
static double normal(uint64_t *seed)
{
    double radius = sqrt(-2 * log(uniform(seed)));
    return radius * cos(2 * M_PI * uniform(seed));
}

/* Student's t with 4 degrees of freedom, of variance 1: nights of which some are far off. */
static double heavy(uint64_t *seed)
{
    double value = normal(seed);
    double squares = 0;
    for (int i = 0; i < 4; i++) {
        double one = normal(seed);
        squares += one * one;
    }
    return value / sqrt(squares / 4) / M_SQRT2;
}

struct world {
    double deviation; /* of the p50 from night to night */
    bool heavy;
    size_t runs, reference;
};

/* Half of the variance of a night is that of all its quantiles. */
static void night(const struct world *w, double slower, uint64_t *seed,
                  struct sonde_regression_value values[QUANTILES])
{
    static const double wider[QUANTILES] = {1, 1.5, 3, 6};
    double common = w->heavy ? heavy(seed) : normal(seed);
    for (int i = 0; i < QUANTILES; i++) {
        double own = w->heavy ? heavy(seed) : normal(seed);
        double off = w->deviation * wider[i] * (common + own) / M_SQRT2;
        values[i] = (struct sonde_regression_value){true, 1e4 * (i + 1) * (1 + slower) * exp(off),
                                                    w->deviation * wider[i] / 2};
    }
}

static bool is_found(const struct world *w, double slower, uint64_t *seed)
{
    static const char *const names[QUANTILES] = {"p50", "p90", "p99", "p99.9"};
    static const double usual[QUANTILES] = {0.02, 0.03, 0.06, 0.12};
    struct sonde_regression r = {.runs = w->runs, .reference = w->reference};
    struct sonde_regression_value values[QUANTILES];
    for (int i = 0; i < QUANTILES; i++) {
        struct sonde_regression_measure *added =
            sonde_regression_add(&r, names[i], SONDE_REGRESSION_TIME);
        if (!added) {
            exit(1);
        }
        added->usual = usual[i];
    }
    for (size_t k = 0; k <= w->runs; k++) {
        night(w, k == w->runs ? slower : 0, seed, values);
        for (int i = 0; i < QUANTILES; i++) {
            *(k == w->runs ? &r.measures[i].now : &r.measures[i].history[k]) = values[i];
        }
    }
    sonde_regression_judge(&r);
    bool worse = r.worse;
    sonde_regression_fini(&r);
    return worse;
}

static int simulate(uint64_t seed)
{
    static const double deviations[] = {0.01, 0.02, 0.03, 0.05};
    static const double slowers[] = {0, 0.05, 0.10, 0.20, 0.50};
    static const size_t runs[][2] = {{1, 1}, {7, 1}, {7, 7}, {20, 20}};
    (void)printf("seed %" PRIu64 ", %d nights each\n", seed, NIGHTS);
    (void)printf("p50 varies by  runs  reference    none     5 %%    10 %%    20 %%    50 %%\n");
    for (int tails = 0; tails < 2; tails++) {
        for (size_t d = 0; d < SONDE_LENGTH(deviations); d++) {
            for (size_t n = 0; n < SONDE_LENGTH(runs); n++) {
                const struct world w = {deviations[d], tails == 1, runs[n][0], runs[n][1]};
                (void)printf("%8.0f %% %s%6zu%11zu", 100 * w.deviation, w.heavy ? "t4" : "  ",
                             w.runs, w.reference);
                for (size_t s = 0; s < SONDE_LENGTH(slowers); s++) {
                    int found = 0;
                    for (int i = 0; i < NIGHTS; i++) {
                        found += is_found(&w, slowers[s], &seed);
                    }
                    (void)printf("%6.1f %%", 100.0 * found / (double)NIGHTS);
                }
                (void)printf("\n");
            }
        }
    }
    return 0;
}

/* ---- that were made ---- */

enum { RESULTS_MAX = 1000, PATH_SIZE = 4096, WORLD_MAX = 4 };

struct made {
    int percent;
    struct sonde_load_result *result;
};

static int read_result(const char *path, struct sonde_load_result *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    int r = sonde_read_input(path, &text, err);
    return r < 0 ? r : sonde_load_result_read(sonde_buf_view(&text), ret, err);
}

static size_t read_all(const char *list, struct made *ret)
{
    FILE *file = fopen(list, "re");
    size_t count = 0;
    char path[PATH_SIZE];
    char word[16];
    struct sonde_err err;
    while (file && count < RESULTS_MAX && fscanf(file, "%15s %4095s", word, path) == 2) {
        struct sonde_load_result *result = calloc(1, sizeof(*result));
        int64_t percent = 0;
        if (!result || sonde_parse_i64(sonde_str(word), 0, 1000, &percent) < 0 ||
            read_result(path, result, &err) < 0) {
            (void)fprintf(stderr, "%s: %s\n", path, err.message);
            exit(1);
        }
        result->validity.valid = true; /* a machine that others use says otherwise each time */
        ret[count++] = (struct made){(int)percent, result};
    }
    if (file) {
        (void)fclose(file);
    }
    return count;
}

/* Against the good ones before it, newest first. */
static bool is_worse(const struct made *all, size_t at, size_t reference, bool *ret_judged)
{
    enum { HISTORY = 20 };
    struct sonde_regression r = {.reference = reference};
    struct sonde_err err;
    (void)snprintf(r.with, sizeof(r.with), "those before");
    if (sonde_regression_load_begin(&r, all[at].result, &err) < 0) {
        exit(1);
    }
    for (size_t i = at; i-- > 0 && r.runs < HISTORY;) {
        if (all[i].percent == 0) {
            (void)sonde_regression_load_add(&r, all[at].result, all[i].result);
        }
    }
    *ret_judged = r.runs >= reference && r.runs >= 7;
    if (*ret_judged) {
        sonde_regression_judge(&r);
        (void)printf("%3zu  %2d %%  %s\n", at + 1, all[at].percent, r.message);
    }
    bool worse = r.worse;
    sonde_regression_fini(&r);
    return worse;
}

static int judge(const char *list, size_t reference)
{
    static const int percents[] = {0, 5, 10, 50};
    static struct made all[RESULTS_MAX];
    size_t count = read_all(list, all);
    int judged[SONDE_LENGTH(percents)] = {0};
    int found[SONDE_LENGTH(percents)] = {0};
    for (size_t i = 0; i < count; i++) {
        bool is_judged;
        bool worse = is_worse(all, i, reference, &is_judged);
        for (size_t k = 0; k < SONDE_LENGTH(percents) && is_judged; k++) {
            judged[k] += all[i].percent == percents[k];
            found[k] += all[i].percent == percents[k] && worse;
        }
    }
    for (size_t k = 0; k < SONDE_LENGTH(percents); k++) {
        (void)printf("slower by %2d %%: %d of %d called a regression\n", percents[k], found[k],
                     judged[k]);
    }
    for (size_t i = 0; i < count; i++) {
        sonde_load_result_fini(all[i].result);
        free(all[i].result);
    }
    return 0;
}

int main(int count, char **arguments)
{
    uint64_t number = 0;
    const char *last = count > 1 ? arguments[count - 1] : "";
    if (count < 2 || count > 3 || sonde_parse_u64(sonde_str(last), 1, UINT64_MAX, &number) < 0) {
        (void)fputs("usage: regression_nights SEED, or regression_nights FILE RUNS\n", stderr);
        return 2;
    }
    return count == 2 ? simulate(number) : judge(arguments[1], (size_t)number);
}
