/* SPDX-License-Identifier: Apache-2.0 */
#include "results/regression_functions.h"

#include <stdlib.h>
#include <string.h>

#include "results/compare.h"

enum { FILE_SHOWN = 90 }; /* bytes of the end of a path */

/* The smallest share of the busy time that a function is judged for. */
static const double least_share = 0.01;

bool sonde_regression_is_missing(int code)
{
    return code == SONDE_ENOTFOUND || code == SONDE_EPARSE || code == SONDE_EVERSION ||
           code == SONDE_EINVALID;
}

/* What a measure is of: its name is cut, and may be that of several. */
struct function {
    struct sonde_str name, file;
};

struct functions {
    struct sonde_regression *regression;
    const char *prefix;
    size_t at;                                            /* of the other run, in the history */
    size_t first;                                         /* of our measures */
    struct function items[SONDE_REGRESSION_MEASURES_MAX]; /* of these */
    bool begun;
    struct sonde_arena texts;
};

static bool is_judged(enum sonde_category category)
{
    return category != SONDE_CATEGORY_IDLE && category != SONDE_CATEGORY_ROOT &&
           category != SONDE_CATEGORY_SONDE;
}

/* A function of the service answers for what it calls; others for themselves. */
static const struct sonde_compare_value *value_of(const struct sonde_compare_function *function)
{
    return function->category == SONDE_CATEGORY_APP ? &function->blamed : &function->self;
}

/* The end of a path, which tells more than its beginning, from a character on. */
static struct sonde_str end_of(struct sonde_str file)
{
    struct sonde_str end = file;
    if (end.length > FILE_SHOWN) {
        end.data += end.length - FILE_SHOWN;
        end.length = FILE_SHOWN;
    }
    while (end.length && (end.data[0] & 0xc0) == 0x80) {
        end.data++;
        end.length--;
    }
    return end;
}

/* Lines are those of the run that is judged: the same in each comparison. */
static void name_of(const struct functions *functions,
                    const struct sonde_compare_function *function,
                    char ret[SONDE_REGRESSION_NAME_MAX])
{
    char line[16] = "";
    if (function->lines[SONDE_AFTER] > 0) {
        (void)snprintf(line, sizeof(line), ":%d", function->lines[SONDE_AFTER]);
    }
    struct sonde_str name = sonde_name_shorten(function->name);
    struct sonde_str file = end_of(function->file);
    (void)snprintf(ret, SONDE_REGRESSION_NAME_MAX, "%s%.*s%s%s%.*s%s", functions->prefix,
                   SONDE_STR_ARG(name), file.length ? " " : "",
                   file.length < function->file.length ? "…" : "", SONDE_STR_ARG(file), line);
}

static struct sonde_regression_value side_of(const struct sonde_comparison *comparison,
                                             const struct sonde_compare_value *value, int side)
{
    const struct sonde_compare_side *from = &comparison->sides[side];
    double busy = from->profile->total > 0
                      ? (double)comparison->wholes[side].amount / (double)from->profile->total
                      : 0;
    double share = value->shares[side];
    double error = sonde_regression_share_error(value->share_errors[side], from->window_count,
                                                share, busy * (double)from->profile->total_samples);
    return (struct sonde_regression_value){true, share, error};
}

static struct sonde_regression_measure *find(const struct functions *functions,
                                             const struct sonde_compare_function *wanted)
{
    struct sonde_regression *regression = functions->regression;
    for (size_t i = functions->first; i < regression->count; i++) {
        const struct function *own = &functions->items[i];
        if (sonde_str_equal(own->name, wanted->name) && sonde_str_equal(own->file, wanted->file)) {
            return &regression->measures[i];
        }
    }
    return NULL;
}

/* NULL beyond the maximum: there are only small ones. */
static int add(struct functions *functions, const struct sonde_compare_function *function,
               struct sonde_regression_measure **ret, struct sonde_err *err)
{
    struct sonde_regression *regression = functions->regression;
    char name[SONDE_REGRESSION_NAME_MAX];
    *ret = NULL;
    if (regression->count == SONDE_REGRESSION_MEASURES_MAX) {
        return 0;
    }
    struct function *own = &functions->items[regression->count];
    own->name = sonde_arena_copy(&functions->texts, function->name);
    own->file = sonde_arena_copy(&functions->texts, function->file);
    name_of(functions, function, name);
    *ret = own->name.data && own->file.data
               ? sonde_regression_add(regression, name, SONDE_REGRESSION_BUSY)
               : NULL;
    return *ret ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

static int add_profile(void *context, const struct sonde_comparison *comparison,
                       struct sonde_err *err)
{
    struct functions *functions = context;
    if (comparison->unit != SONDE_PROFILE_NANOSECONDS) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%.64s: that is a profile of allocations",
                          comparison->sides[SONDE_BEFORE].name);
    }
    for (size_t i = 0; i < comparison->count; i++) {
        const struct sonde_compare_function *function = &comparison->functions[i];
        const struct sonde_compare_value *value = value_of(function);
        if (!is_judged(function->category) || value->shares[SONDE_AFTER] < least_share) {
            continue;
        }
        struct sonde_regression_measure *m = NULL;
        int r = 0;
        if (functions->begun) {
            m = find(functions, function);
        } else {
            r = add(functions, function, &m, err);
        }
        if (r < 0) {
            return r;
        }
        if (m) {
            m->now = side_of(comparison, value, SONDE_AFTER);
            m->history[functions->at] = side_of(comparison, value, SONDE_BEFORE);
        }
    }
    functions->begun = true;
    return 0;
}

static int compare(struct sonde_db *db, const char *capture,
                   const struct sonde_regression_other *other, const struct sonde_results_side *now,
                   struct functions *functions, struct sonde_err *err)
{
    struct sonde_results_side *before = NULL;
    int r = sonde_results_side_new(db, other->uid, capture, &before, err);
    functions->at = other->at;
    r = r < 0 ? r : sonde_results_with_sides(before, now, add_profile, functions, err);
    sonde_results_side_free(before);
    return r;
}

int sonde_regression_functions(struct sonde_db *db, const char *uid, const char *capture,
                               const char *prefix, const struct sonde_regression_other *others,
                               size_t count, struct sonde_regression *regression,
                               struct sonde_err *ret_why, struct sonde_err *err)
{
    struct sonde_results_side *now = NULL;
    struct functions *functions = calloc(1, sizeof(*functions));
    if (!functions) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    functions->regression = regression;
    functions->prefix = prefix;
    functions->first = regression->count;
    functions->texts = SONDE_ARENA(SONDE_PROFILE_BYTES_MAX);
    int r = sonde_results_side_new(db, uid, capture, &now, err);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct sonde_err why = {0};
        r = compare(db, capture, &others[i], now, functions, &why);
        if (r < 0 && !sonde_regression_is_missing(r)) {
            if (err) {
                *err = why;
            }
        } else if (r < 0) {
            *ret_why = ret_why->code ? *ret_why : why;
            r = 0;
        }
    }
    sonde_results_side_free(now);
    sonde_arena_fini(&functions->texts);
    free(functions);
    return r;
}
