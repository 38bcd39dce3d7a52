/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/cpu.h"

#include <stdlib.h>

#include "analysis/cpu_findings.h"

enum { NONE = 0xffffffff };

double sonde_share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

struct work {
    const struct sonde_profile *profile;
    struct sonde_cpu_analysis *analysis;
    struct sonde_cpu_function *by_frame; /* indexed by frame until sorted */
    int64_t *subtree_ns;                 /* by node */
    uint32_t *blamed;                    /* by node: the app frame above or at it, or NONE */
    uint32_t *entered;                   /* by node: what that app frame called to get there */
};

static enum sonde_category category(const struct work *w, uint32_t node)
{
    return w->profile->frames[w->profile->nodes[node].frame].category;
}

/* Adds each node's subtree to its function's total where that does not stand further up already:
 * one walk through the tree that counts which functions are on the path. */
static int sum_totals(struct work *w, struct sonde_err *err)
{
    const struct sonde_profile *profile = w->profile;
    SONDE_FREE uint32_t *first = calloc(profile->node_count, sizeof(*first));
    SONDE_FREE uint32_t *next = calloc(profile->node_count, sizeof(*next));
    SONDE_FREE uint32_t *on_path = calloc(profile->frame_count, sizeof(*on_path));
    if (!first || !next || !on_path) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    for (size_t i = profile->node_count; i-- > 1;) {
        uint32_t parent = profile->nodes[i].parent;
        next[i] = first[parent];
        first[parent] = (uint32_t)i;
    }
    uint32_t node = 0;
    for (bool down = true;;) {
        uint32_t frame = profile->nodes[node].frame;
        if (down && on_path[frame]++ == 0) {
            w->by_frame[frame].total_ns += w->subtree_ns[node];
        }
        if (down && first[node]) {
            node = first[node];
            continue;
        }
        on_path[frame]--;
        if (node == 0) {
            return 0;
        }
        down = next[node] != 0;
        node = down ? next[node] : profile->nodes[node].parent;
    }
}

static void sum_nodes(struct work *w)
{
    const struct sonde_profile *profile = w->profile;
    for (size_t i = profile->node_count; i-- > 0;) {
        w->subtree_ns[i] += profile->nodes[i].self_ns;
        if (i > 0) {
            w->subtree_ns[profile->nodes[i].parent] += w->subtree_ns[i];
        }
    }
    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        enum sonde_category kind = category(w, i);
        w->by_frame[node->frame].self_ns += node->self_ns;
        w->analysis->categories_ns[kind] += node->self_ns;
        w->analysis->wall_ns += node->self_ns;
        if (sonde_str_is(profile->frames[node->frame].function, "(garbage collector)")) {
            w->analysis->gc_ns += node->self_ns;
        }
        w->blamed[i] = kind == SONDE_CATEGORY_APP ? node->frame
                       : i == 0                   ? NONE
                                                  : w->blamed[node->parent];
        bool below_app = i && category(w, node->parent) != SONDE_CATEGORY_APP;
        w->entered[i] =
            kind == SONDE_CATEGORY_APP || !below_app ? node->frame : w->entered[node->parent];
        struct sonde_cpu_function *own = &w->by_frame[node->frame];
        int64_t *answered =
            w->blamed[i] == NONE ? &own->orphan_ns : &w->by_frame[w->blamed[i]].blamed_ns;
        *answered += node->self_ns;
    }
    w->analysis->busy_ns = w->analysis->wall_ns - w->analysis->categories_ns[SONDE_CATEGORY_IDLE];
}

/* Time that an app function answers for, spent in or below another one; or ticks of a line. */
struct pair {
    uint32_t key, other;
    int64_t amount;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *left = a;
    const struct pair *right = b;
    if (left->key != right->key) {
        return left->key < right->key ? -1 : 1;
    }
    return (left->other > right->other) - (left->other < right->other);
}

/* Adds up equal pairs, and leaves in each run of one key the largest sum first; returns how many
 * keys. */
static size_t largest_of_each(struct pair *pairs, size_t count)
{
    size_t keys = 0;
    if (count) {
        qsort(pairs, count, sizeof(*pairs), compare_pairs);
    }
    for (size_t i = 0; i < count;) {
        struct pair sum = pairs[i++];
        while (i < count && pairs[i].key == sum.key && pairs[i].other == sum.other) {
            sum.amount += pairs[i++].amount;
        }
        bool fresh = keys == 0 || pairs[keys - 1].key != sum.key;
        if (fresh) {
            pairs[keys++] = sum;
        } else if (sum.amount > pairs[keys - 1].amount) {
            pairs[keys - 1] = sum;
        }
    }
    return keys;
}

static int find_relations(struct work *w, struct sonde_err *err)
{
    const struct sonde_profile *profile = w->profile;
    SONDE_FREE struct pair *callees = calloc(profile->node_count, sizeof(*callees));
    SONDE_FREE struct pair *callers = calloc(profile->node_count, sizeof(*callers));
    if (!callees || !callers) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    size_t count = 0;
    for (size_t i = 0; i < profile->node_count; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        if (w->blamed[i] != NONE && node->self_ns) {
            callees[count] = (struct pair){w->blamed[i], w->entered[i], node->self_ns};
            callers[count++] = (struct pair){node->frame, w->blamed[i], node->self_ns};
        }
    }
    size_t keys = largest_of_each(callees, count);
    for (size_t i = 0; i < keys; i++) {
        w->by_frame[callees[i].key].callee = callees[i].other;
        w->by_frame[callees[i].key].callee_ns = callees[i].amount;
    }
    keys = largest_of_each(callers, count);
    for (size_t i = 0; i < keys; i++) {
        w->by_frame[callers[i].key].caller = callers[i].other;
        w->by_frame[callers[i].key].caller_ns = callers[i].amount;
    }
    return 0;
}

/* Several generated lines may be one line of the source; those that the map does not know are none
 * of its lines. */
static int find_hot_lines(struct work *w, struct sonde_err *err)
{
    const struct sonde_profile *profile = w->profile;
    SONDE_FREE struct pair *lines = calloc(profile->line_count + 1, sizeof(*lines));
    SONDE_FREE int64_t *ticks = calloc(profile->frame_count, sizeof(*ticks));
    if (!lines || !ticks) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    size_t count = 0;
    for (size_t i = 0; i < profile->line_count; i++) {
        const struct sonde_profile_line *at = &profile->lines[i];
        bool mapped = profile->frames[at->frame].source.file.length > 0;
        int32_t line = mapped ? at->source_line : at->line;
        ticks[at->frame] += at->ticks;
        if (line > 0) {
            lines[count++] = (struct pair){at->frame, (uint32_t)line, at->ticks};
        }
    }
    size_t keys = largest_of_each(lines, count);
    for (size_t i = 0; i < keys; i++) {
        struct sonde_cpu_function *function = &w->by_frame[lines[i].key];
        function->hot_line = (int32_t)lines[i].other;
        function->hot_share = sonde_share(lines[i].amount, ticks[lines[i].key]);
    }
    return 0;
}

/* ---- packages ---- */

static int add_package(struct sonde_cpu_analysis *a, struct sonde_map *index,
                       const struct sonde_frame *frame, const struct sonde_cpu_function *function,
                       struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    bool fresh;
    int r = sonde_map_insert(index, frame->package, &slot, &fresh);
    if (r == SONDE_ELIMIT) {
        return 0; /* what is beyond the thousands does not make the list */
    }
    if (r == 0 && fresh) {
        slot->value = a->package_count;
        r = sonde_array_grow(&a->packages, &a->package_capacity, a->package_count + 1,
                             sizeof(*a->packages), SONDE_CPU_PACKAGES_MAX);
        if (r == 0) {
            a->packages[a->package_count++] =
                (struct sonde_cpu_package){.name = frame->package, .frame = function->frame};
        }
    }
    if (r < 0) {
        return sonde_fail(err, r, 0, "the analysis: out of memory");
    }
    struct sonde_cpu_package *package = &a->packages[slot->value];
    package->self_ns += function->self_ns;
    package->orphan_ns += function->orphan_ns;
    if (function->orphan_ns > a->functions[package->frame].orphan_ns) {
        package->frame = function->frame;
    }
    if (frame->version.length) {
        package->version = frame->version;
    }
    return 0;
}

static int compare_packages(const void *a, const void *b)
{
    const struct sonde_cpu_package *left = a;
    const struct sonde_cpu_package *right = b;
    if (left->self_ns != right->self_ns) {
        return left->self_ns > right->self_ns ? -1 : 1;
    }
    return sonde_str_compare(left->name, right->name);
}

static int find_packages(struct work *w, struct sonde_err *err)
{
    struct sonde_map index = SONDE_MAP(SONDE_CPU_PACKAGES_MAX);
    int r = 0;
    for (size_t i = 0; i < w->profile->frame_count && r == 0; i++) {
        if (w->profile->frames[i].package.length && w->by_frame[i].self_ns) {
            r = add_package(w->analysis, &index, &w->profile->frames[i], &w->by_frame[i], err);
        }
    }
    sonde_map_fini(&index);
    if (w->analysis->package_count) {
        qsort(w->analysis->packages, w->analysis->package_count, sizeof(*w->analysis->packages),
              compare_packages);
    }
    return r;
}

/* ---- stalls ---- */

static void keep_stall(struct sonde_cpu_analysis *a, const struct sonde_cpu_stall *stall)
{
    size_t at = a->stall_count;
    while (at > 0 && a->stalls[at - 1].length_us < stall->length_us) {
        at--;
    }
    if (at == SONDE_CPU_STALLS_MAX) {
        return;
    }
    size_t last =
        a->stall_count < SONDE_CPU_STALLS_MAX ? a->stall_count++ : SONDE_CPU_STALLS_MAX - 1;
    for (; last > at; last--) {
        a->stalls[last] = a->stalls[last - 1];
    }
    a->stalls[at] = *stall;
}

/* Finds the frame to blame for the most of samples [from, to): per_frame is all zero before and
 * after. */
static void dominant(const struct work *w, size_t from, size_t to, int64_t *per_frame,
                     struct sonde_cpu_stall *stall)
{
    const struct sonde_profile *profile = w->profile;
    uint32_t best = 0;
    for (size_t i = from; i < to; i++) {
        uint32_t node = profile->samples[i].node;
        uint32_t frame = w->blamed[node] == NONE ? profile->nodes[node].frame : w->blamed[node];
        per_frame[frame] += profile->samples[i].duration_us;
        if (per_frame[frame] >= per_frame[best]) {
            best = frame;
        }
    }
    stall->frame = best;
    stall->frame_us = per_frame[best];
    for (size_t i = from; i < to; i++) {
        uint32_t node = profile->samples[i].node;
        per_frame[profile->nodes[node].frame] = 0;
        if (w->blamed[node] != NONE) {
            per_frame[w->blamed[node]] = 0;
        }
    }
}

static void find_stalls(struct work *w, int64_t *per_frame)
{
    const struct sonde_profile *profile = w->profile;
    int64_t time = 0;
    struct sonde_cpu_stall stall = {0};
    size_t from = 0;
    for (size_t i = 0; i <= profile->sample_count && !profile->unordered; i++) {
        bool idle = i == profile->sample_count ||
                    category(w, profile->samples[i].node) == SONDE_CATEGORY_IDLE;
        if (idle && stall.length_us > 0) {
            struct sonde_cpu_analysis *a = w->analysis;
            if (a->stall_count < SONDE_CPU_STALLS_MAX ||
                a->stalls[a->stall_count - 1].length_us < stall.length_us) {
                stall.samples = i - from;
                dominant(w, from, i, per_frame, &stall);
                keep_stall(a, &stall);
            }
        }
        if (i == profile->sample_count) {
            return;
        }
        if (idle) {
            from = i + 1;
            stall = (struct sonde_cpu_stall){.start_us = time + profile->samples[i].duration_us};
        } else {
            stall.length_us += profile->samples[i].duration_us;
        }
        time += profile->samples[i].duration_us;
    }
}

/* ---- order ---- */

static int compare_self(const void *a, const void *b)
{
    const struct sonde_cpu_function *left = a;
    const struct sonde_cpu_function *right = b;
    if (left->self_ns != right->self_ns) {
        return left->self_ns > right->self_ns ? -1 : 1;
    }
    return (left->frame > right->frame) - (left->frame < right->frame);
}

static int compare_value(int64_t left, int64_t right, uint32_t a, uint32_t b)
{
    if (left != right) {
        return left > right ? -1 : 1;
    }
    return (a > b) - (a < b);
}

static int compare_total(const void *a, const void *b, void *context)
{
    const struct sonde_cpu_function *functions = context;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return compare_value(functions[left].total_ns, functions[right].total_ns, left, right);
}

static int compare_blame(const void *a, const void *b, void *context)
{
    const struct sonde_cpu_function *functions = context;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return compare_value(functions[left].blamed_ns, functions[right].blamed_ns, left, right);
}

static void sort_functions(struct sonde_cpu_analysis *a)
{
    qsort(a->functions, a->function_count, sizeof(*a->functions), compare_self);
    for (uint32_t i = 0; i < a->function_count; i++) {
        a->by_total[i] = a->by_blame[i] = i;
    }
    qsort_r(a->by_total, a->function_count, sizeof(*a->by_total), compare_total, a->functions);
    qsort_r(a->by_blame, a->function_count, sizeof(*a->by_blame), compare_blame, a->functions);
}

int sonde_cpu_analyze(const struct sonde_profile *profile, struct sonde_cpu_analysis *ret,
                      struct sonde_err *err)
{
    struct sonde_cpu_analysis *a = ret;
    size_t frames = profile->frame_count;
    *a = (struct sonde_cpu_analysis){.function_count = frames};
    a->functions = calloc(frames, sizeof(*a->functions));
    a->by_total = calloc(frames, sizeof(*a->by_total));
    a->by_blame = calloc(frames, sizeof(*a->by_blame));
    SONDE_FREE int64_t *subtree = calloc(profile->node_count, sizeof(*subtree));
    SONDE_FREE uint32_t *blamed = calloc(profile->node_count, sizeof(*blamed));
    SONDE_FREE uint32_t *entered = calloc(profile->node_count, sizeof(*entered));
    SONDE_FREE int64_t *per_frame = calloc(frames, sizeof(*per_frame));
    struct work w = {profile, a, a->functions, subtree, blamed, entered};
    int r = 0;
    if (!a->functions || !a->by_total || !a->by_blame || !subtree || !blamed || !entered ||
        !per_frame) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    for (uint32_t i = 0; r == 0 && i < frames; i++) {
        a->functions[i].frame = i;
        a->functions[i].callee = i;
        a->functions[i].caller = i;
    }
    if (r == 0) {
        sum_nodes(&w);
        find_stalls(&w, per_frame);
        r = sum_totals(&w, err);
    }
    r = r < 0 ? r : find_hot_lines(&w, err);
    r = r < 0 ? r : find_relations(&w, err);
    r = r < 0 ? r : find_packages(&w, err);
    if (r < 0) {
        sonde_cpu_analysis_fini(a);
        return r;
    }
    sort_functions(a);
    sonde_cpu_find(profile, a);
    return 0;
}

void sonde_cpu_analysis_fini(struct sonde_cpu_analysis *analysis)
{
    if (analysis) {
        free(analysis->functions);
        free(analysis->by_total);
        free(analysis->by_blame);
        free(analysis->packages);
        *analysis = (struct sonde_cpu_analysis){0};
    }
}
