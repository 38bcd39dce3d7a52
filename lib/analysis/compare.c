/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/compare.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/report.h"

/* Names are those of two profiles, each once. */
enum { TEXTS_MAX = 2 * SONDE_PROFILE_BYTES_MAX, VALUES = 3 /* self, total, blamed */ };

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "the comparison: out of memory");
}

/* ---- statistics ---- */

double sonde_student_t(double freedom)
{
    enum { TABLED = 30 };
    static const double table[TABLED] = {
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
        2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
        2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    };
    if (freedom < TABLED + 1) {
        return table[freedom < 1 ? 0 : (size_t)freedom - 1];
    }
    /* Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5. */
    const double z = 1.959964;
    return z + (pow(z, 3) + z) / (4 * freedom) +
           (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * freedom * freedom);
}

/* Sums over the windows of a capture of what is measured, y, and of what it is a part of, x. */
struct sums {
    double y, yy, xy;
};

/* Of x itself, in each of a capture's n windows. */
struct base {
    size_t n;
    double x, xx;
};

/* The variance of the ratio Σy / Σx as the windows differ: W. G. Cochran, Sampling Techniques, 3rd
 * edition, 1977, chapter 6 (ratio estimators), without the correction for a finite population. */
static double ratio_variance(const struct sums *sums, const struct base *base)
{
    double n = (double)base->n;
    double mean = base->x / n;
    double ratio = base->x > 0 ? sums->y / base->x : 0;
    double squares = sums->yy - 2 * ratio * sums->xy + ratio * ratio * base->xx;
    return squares > 0 && mean > 0 ? squares / (n - 1) / (n * mean * mean) : 0;
}

/* Half of the 95 % interval of the difference of two ratios: B. L. Welch, "The Generalization of
 * 'Student's' Problem when Several Different Population Variances are Involved", Biometrika 34,
 * 1947. −1 when a capture has one window. */
static double margin_of(const struct sums sums[SONDE_SIDES], const struct base bases[SONDE_SIDES])
{
    double variance = 0;
    double weights = 0;
    for (int side = 0; side < SONDE_SIDES; side++) {
        if (bases[side].n < 2) {
            return -1;
        }
        double own = ratio_variance(&sums[side], &bases[side]);
        variance += own;
        weights += own * own / (double)(bases[side].n - 1);
    }
    return variance > 0 ? sonde_student_t(variance * variance / weights) * sqrt(variance) : 0;
}

/* The standard error of one side's ratio; −1 when it has one window. */
static double error_of(const struct sums *sums, const struct base *base)
{
    return base->n < 2 ? -1 : sqrt(ratio_variance(sums, base));
}

double sonde_compare_change(const struct sonde_compare_value *value)
{
    return value->amounts[SONDE_AFTER] - value->amounts[SONDE_BEFORE];
}

double sonde_compare_sure(const struct sonde_compare_value *value)
{
    double change = fabs(sonde_compare_change(value));
    if (value->margin < 0) {
        return change;
    }
    return change > value->margin ? change - value->margin : 0;
}

/* ---- one capture, by functions ---- */

/* A capture whose frames are functions by name and file. */
struct folded {
    struct sonde_profile profile;
    struct sonde_function_table table;
    uint32_t *nodes; /* of the capture's nodes: those of the profile */
    int32_t *lines;  /* by frame */
    uint32_t *rows;  /* by frame: the function's row in the comparison */
};

static void folded_fini(struct folded *folded)
{
    sonde_function_table_fini(&folded->table);
    sonde_profile_fini(&folded->profile);
    free(folded->nodes);
    free(folded->lines);
    free(folded->rows);
}

static int fold_frame(const struct sonde_compare_side *side, const struct sonde_frame *frame,
                      struct folded *ret, uint32_t *ret_frame, struct sonde_err *err)
{
    const struct sonde_position *at = sonde_frame_position(frame);
    SONDE_BUF_AUTO file = SONDE_BUF(4 * SONDE_PROFILE_NAME_MAX);
    sonde_report_place(side->directory, at->file, 0, &file);
    int r = sonde_buf_check(&file, "a file's name", err);
    size_t before = ret->profile.frame_count;
    r = r < 0 ? r
              : sonde_profile_frame(&ret->profile, sonde_frame_name(frame), sonde_buf_view(&file),
                                    0, 0, ret_frame, err);
    if (r < 0) {
        return r;
    }
    struct sonde_frame *own = &ret->profile.frames[*ret_frame];
    if (ret->profile.frame_count > before) {
        own->category = frame->category;
        r = sonde_profile_text(&ret->profile, frame->package, &own->package, err);
    }
    int32_t *line = &ret->lines[*ret_frame];
    *line = *line == 0 || (at->line > 0 && at->line < *line) ? at->line : *line;
    return r;
}

static int fold(const struct sonde_compare_side *side, struct folded *ret, struct sonde_err *err)
{
    const struct sonde_profile *profile = side->profile;
    SONDE_FREE uint32_t *frames = calloc(profile->frame_count, sizeof(*frames));
    ret->nodes = calloc(profile->node_count, sizeof(*ret->nodes));
    ret->lines = calloc(profile->frame_count + 1, sizeof(*ret->lines));
    ret->rows = calloc(profile->frame_count + 1, sizeof(*ret->rows));
    if (!frames || !ret->nodes || !ret->lines || !ret->rows) {
        return no_memory(err);
    }
    int r = sonde_profile_init(&ret->profile, err);
    ret->profile.unit = profile->unit;
    for (size_t i = 0; i < profile->frame_count && r == 0; i++) {
        r = fold_frame(side, &profile->frames[i], ret, &frames[i], err);
    }
    for (size_t i = 0; i < profile->node_count && r == 0; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        if (i > 0) { /* the root is the root */
            r = sonde_profile_node(&ret->profile, ret->nodes[node->parent], frames[node->frame],
                                   &ret->nodes[i], err);
        }
        r = r < 0 ? r
                  : sonde_profile_add_amount(&ret->profile, ret->nodes[i], node->self,
                                             node->samples, err);
    }
    return r < 0 ? r : sonde_function_table_init(&ret->profile, &ret->table, err);
}

/* ---- both, row by row ---- */

struct work {
    struct sonde_comparison *comparison;
    struct sonde_map texts, index; /* of names; of rows by the addresses of function and file */
    struct folded folded[SONDE_SIDES];
    struct base durations[SONDE_SIDES]; /* x: all of a window, … */
    struct base wholes[SONDE_SIDES];    /* … and without idling */
    struct sums busy[SONDE_SIDES];
    /* By row and value: sums over the windows, with the one and the other x. */
    struct sums (*amounts)[VALUES][SONDE_SIDES];
    struct sums (*shares)[VALUES][SONDE_SIDES];
};

/* Equal texts have one address. */
static int intern(struct work *w, struct sonde_str text, struct sonde_str *ret)
{
    struct sonde_map_slot *slot;
    bool fresh;
    int r = sonde_map_keep(&w->texts, text, &w->comparison->text, NULL, &slot, &fresh);
    *ret = r < 0 ? SONDE_STR("") : slot->key;
    return r;
}

static int add_row(struct work *w, int side, uint32_t frame, struct sonde_err *err)
{
    struct sonde_comparison *c = w->comparison;
    const struct sonde_frame *from = &w->folded[side].profile.frames[frame];
    struct sonde_compare_function added = {.category = from->category};
    struct sonde_map_slot *slot = NULL;
    bool fresh = false;
    if (intern(w, from->function, &added.name) < 0 ||
        intern(w, from->generated.file, &added.file) < 0 ||
        intern(w, from->package, &added.package) < 0) {
        return no_memory(err);
    }
    const char *const key[] = {added.name.data, added.file.data};
    if (sonde_map_keep(&w->index, (struct sonde_str){(const char *)key, sizeof(key)}, &c->text,
                       NULL, &slot, &fresh) < 0) {
        return no_memory(err);
    }
    if (fresh) {
        slot->value = c->count;
        if (sonde_array_grow(&c->functions, &c->capacity, c->count + 1, sizeof(*c->functions),
                             2 * (size_t)SONDE_PROFILE_FRAMES_MAX) < 0) {
            return no_memory(err);
        }
        c->functions[c->count++] = added;
    }
    struct sonde_compare_function *row = &c->functions[slot->value];
    w->folded[side].rows[frame] = (uint32_t)slot->value;
    row->lines[side] = w->folded[side].lines[frame];
    return 0;
}

static int join(struct work *w, struct sonde_err *err)
{
    int r = 0;
    for (int side = 0; side < SONDE_SIDES; side++) {
        for (uint32_t i = 0; i < w->folded[side].profile.frame_count && r == 0; i++) {
            r = add_row(w, side, i, err);
        }
    }
    sonde_map_fini(&w->index);
    sonde_map_fini(&w->texts);
    return r;
}

/* What a function has of each of the values. */
static void values_of(const struct sonde_function *function, double ret[VALUES])
{
    ret[0] = (double)function->self;
    ret[1] = (double)function->total;
    ret[2] = (double)function->blamed;
}

static struct sonde_compare_value *value_of(struct sonde_compare_function *row, int value)
{
    return value == 0 ? &row->self : value == 1 ? &row->total : &row->blamed;
}

static void sum_windows_base(struct base *base, double x)
{
    base->n++;
    base->x += x;
    base->xx += x * x;
}

static void add_to_sums(struct sums *sums, double y, double x)
{
    sums->y += y;
    sums->yy += y * y;
    sums->xy += x * y;
}

static void add_window(struct work *w, int side, const struct sonde_function_table *table)
{
    double all = (double)table->whole;
    double busy = all - (double)table->categories[SONDE_CATEGORY_IDLE];
    sum_windows_base(&w->durations[side], all);
    sum_windows_base(&w->wholes[side], busy);
    add_to_sums(&w->busy[side], busy, all);
    for (size_t i = 0; i < table->function_count; i++) {
        double values[VALUES];
        uint32_t row = w->folded[side].rows[table->functions[i].frame];
        values_of(&table->functions[i], values);
        for (int value = 0; value < VALUES; value++) {
            add_to_sums(&w->amounts[row][value][side], values[value], all);
            add_to_sums(&w->shares[row][value][side], values[value], busy);
        }
    }
}

/* Each window is the same tree with amounts of its own. */
static int add_windows(struct work *w, int side, struct sonde_err *err)
{
    const struct sonde_compare_side *from = &w->comparison->sides[side];
    struct sonde_profile window = w->folded[side].profile;
    SONDE_FREE struct sonde_profile_node *nodes = calloc(window.node_count, sizeof(*nodes));
    if (!nodes) {
        return no_memory(err);
    }
    int r = 0;
    for (size_t i = 0; i < from->window_count && r == 0; i++) {
        memcpy(nodes, w->folded[side].profile.nodes, window.node_count * sizeof(*nodes));
        for (size_t k = 0; k < window.node_count; k++) {
            nodes[k].self = 0;
        }
        for (size_t k = 0; k < from->windows[i].count; k++) {
            const struct sonde_compare_part *part = &from->parts[from->windows[i].first + k];
            nodes[w->folded[side].nodes[part->node]].self += part->amount;
        }
        struct sonde_function_table table;
        window.nodes = nodes;
        r = sonde_function_table_init(&window, &table, err);
        if (r == 0) {
            add_window(w, side, &table);
            sonde_function_table_fini(&table);
        }
    }
    return r;
}

static int measure_windows(struct work *w, struct sonde_err *err)
{
    size_t rows = w->comparison->count;
    w->amounts = calloc(rows, sizeof(*w->amounts));
    w->shares = calloc(rows, sizeof(*w->shares));
    if (!w->amounts || !w->shares) {
        return no_memory(err);
    }
    int r = 0;
    for (int side = 0; side < SONDE_SIDES && r == 0; side++) {
        r = add_windows(w, side, err);
    }
    return r;
}

/* What an amount of nanoseconds or bytes is in a comparison. */
static double scale_of(const struct sonde_comparison *c, int side)
{
    if (c->unit == SONDE_PROFILE_BYTES) {
        return 1;
    }
    return c->wholes[side].duration_s > 0 ? 1e-6 / c->wholes[side].duration_s : 0;
}

static void set_values(struct work *w, int side)
{
    struct sonde_comparison *c = w->comparison;
    const struct sonde_function_table *table = &w->folded[side].table;
    double scale = scale_of(c, side);
    double whole = (double)c->wholes[side].amount;
    for (size_t i = 0; i < table->function_count; i++) {
        struct sonde_compare_function *row =
            &c->functions[w->folded[side].rows[table->functions[i].frame]];
        double values[VALUES];
        values_of(&table->functions[i], values);
        row->there[side] = table->functions[i].total > 0;
        for (int value = 0; value < VALUES; value++) {
            value_of(row, value)->amounts[side] = values[value] * scale;
            value_of(row, value)->shares[side] = whole > 0 ? values[value] / whole : 0;
        }
    }
}

/* Only time has windows. A ratio to the captured time is turned into milliseconds per second. */
static void set_margins(struct work *w)
{
    struct sonde_comparison *c = w->comparison;
    bool time = c->unit == SONDE_PROFILE_NANOSECONDS;
    for (size_t i = 0; i < c->count; i++) {
        for (int value = 0; value < VALUES; value++) {
            struct sonde_compare_value *to = value_of(&c->functions[i], value);
            double margin = time ? margin_of(w->amounts[i][value], w->durations) : -1;
            to->margin = margin < 0 ? -1 : margin * 1e3;
            to->share_margin = time ? margin_of(w->shares[i][value], w->wholes) : -1;
            for (int side = 0; side < SONDE_SIDES; side++) {
                to->share_errors[side] =
                    time ? error_of(&w->shares[i][value][side], &w->wholes[side]) : -1;
            }
        }
    }
    c->busy.margin = c->busy.share_margin = time ? margin_of(w->busy, w->durations) : -1;
}

static void set_wholes(struct work *w)
{
    struct sonde_comparison *c = w->comparison;
    bool time = c->unit == SONDE_PROFILE_NANOSECONDS;
    c->busy_known = time;
    for (int side = 0; side < SONDE_SIDES; side++) {
        const struct sonde_function_table *table = &w->folded[side].table;
        int64_t busy = table->whole - table->categories[SONDE_CATEGORY_IDLE];
        c->wholes[side] = (struct sonde_compare_whole){time ? (double)table->whole / 1e9 : 0, busy};
        c->busy.shares[side] = time ? sonde_share(busy, table->whole) : 0;
        c->busy.amounts[side] = c->busy.shares[side];
        c->busy_known = c->busy_known && !c->sides[side].profile->busy_only;
    }
}

/* ---- order ---- */

static int compare_values(const struct sonde_compare_value *left,
                          const struct sonde_compare_value *right)
{
    double a = sonde_compare_sure(left);
    double b = sonde_compare_sure(right);
    if (a == b) {
        a = fabs(sonde_compare_change(left));
        b = fabs(sonde_compare_change(right));
    }
    return (a < b) - (a > b);
}

static int compare_names(const struct sonde_compare_function *left,
                         const struct sonde_compare_function *right)
{
    int order = sonde_str_compare(left->file, right->file);
    return order ? order : sonde_str_compare(left->name, right->name);
}

static int by_self(const void *a, const void *b)
{
    const struct sonde_compare_function *left = a;
    const struct sonde_compare_function *right = b;
    int order = compare_values(&left->self, &right->self);
    return order ? order : compare_names(left, right);
}

static int by_total(const void *a, const void *b, void *context)
{
    const struct sonde_compare_function *left = context;
    const struct sonde_compare_function *right = left + *(const uint32_t *)b;
    left += *(const uint32_t *)a;
    int order = compare_values(&left->total, &right->total);
    return order ? order : compare_names(left, right);
}

static int by_blame(const void *a, const void *b, void *context)
{
    const struct sonde_compare_function *left = context;
    const struct sonde_compare_function *right = left + *(const uint32_t *)b;
    left += *(const uint32_t *)a;
    int order = compare_values(&left->blamed, &right->blamed);
    return order ? order : compare_names(left, right);
}

static int sort(struct sonde_comparison *c, struct sonde_err *err)
{
    c->by_blame = calloc(c->count, sizeof(*c->by_blame));
    c->by_total = calloc(c->count, sizeof(*c->by_total));
    if (!c->by_blame || !c->by_total) {
        return no_memory(err);
    }
    qsort(c->functions, c->count, sizeof(*c->functions), by_self);
    for (uint32_t i = 0; i < c->count; i++) {
        c->by_blame[i] = c->by_total[i] = i;
    }
    qsort_r(c->by_blame, c->count, sizeof(*c->by_blame), by_blame, c->functions);
    qsort_r(c->by_total, c->count, sizeof(*c->by_total), by_total, c->functions);
    return 0;
}

int sonde_compare(const struct sonde_compare_side *before, const struct sonde_compare_side *after,
                  struct sonde_comparison *ret, struct sonde_err *err)
{
    struct work w = {.comparison = ret,
                     .texts = SONDE_MAP(6 * (size_t)SONDE_PROFILE_FRAMES_MAX),
                     .index = SONDE_MAP(2 * (size_t)SONDE_PROFILE_FRAMES_MAX)};
    *ret = (struct sonde_comparison){
        .sides = {*before, *after},
        .unit = before->profile->unit,
        .text = SONDE_ARENA(TEXTS_MAX),
    };
    int r = 0;
    if (before->profile->unit != after->profile->unit) {
        r = sonde_fail(err, SONDE_EINVALID, 0,
                       "one capture is of CPU time and the other of allocations: give --capture "
                       "NAME");
    }
    r = r < 0 ? r : fold(before, &w.folded[SONDE_BEFORE], err);
    r = r < 0 ? r : fold(after, &w.folded[SONDE_AFTER], err);
    r = r < 0 ? r : join(&w, err);
    r = r < 0 ? r : measure_windows(&w, err);
    if (r == 0) {
        set_wholes(&w);
        set_values(&w, SONDE_BEFORE);
        set_values(&w, SONDE_AFTER);
        set_margins(&w);
        r = sort(ret, err);
    }
    folded_fini(&w.folded[SONDE_BEFORE]);
    folded_fini(&w.folded[SONDE_AFTER]);
    free(w.amounts);
    free(w.shares);
    if (r < 0) {
        sonde_comparison_fini(ret);
    }
    return r;
}

void sonde_comparison_fini(struct sonde_comparison *comparison)
{
    if (comparison) {
        free(comparison->functions);
        free(comparison->by_blame);
        free(comparison->by_total);
        sonde_arena_fini(&comparison->text);
        *comparison = (struct sonde_comparison){0};
    }
}
