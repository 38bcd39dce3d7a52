/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/functions.h"

#include <stdio.h>
#include <stdlib.h>

enum { NONE = SONDE_FRAME_NONE };

double sonde_share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

struct work {
    const struct sonde_profile *profile;
    struct sonde_function_table *table;
    struct sonde_function *by_frame; /* the table's, indexed by frame until sorted */
    int64_t *subtree;                /* by node */
    uint32_t *answering;             /* the table's */
    uint32_t *entered;               /* by node: what that app frame called to get there */
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
    SONDE_FREE uint32_t *on_path = calloc(profile->frame_count, sizeof(*on_path));
    SONDE_CLEANUP(sonde_children_fini) struct sonde_children children = {0};
    if (!on_path) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    int r = sonde_children_link(profile, &children, err);
    if (r < 0) {
        return r;
    }
    uint32_t node = 0;
    for (bool down = true;;) {
        uint32_t frame = profile->nodes[node].frame;
        if (down && on_path[frame]++ == 0) {
            w->by_frame[frame].total += w->subtree[node];
        }
        if (down && children.first[node]) {
            node = children.first[node];
            continue;
        }
        on_path[frame]--;
        if (node == 0) {
            return 0;
        }
        down = children.next[node] != 0;
        node = down ? children.next[node] : profile->nodes[node].parent;
    }
}

static void sum_nodes(struct work *w)
{
    const struct sonde_profile *profile = w->profile;
    for (size_t i = profile->node_count; i-- > 0;) {
        w->subtree[i] += profile->nodes[i].self;
        if (i > 0) {
            w->subtree[profile->nodes[i].parent] += w->subtree[i];
        }
    }
    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        enum sonde_category kind = category(w, i);
        w->by_frame[node->frame].self += node->self;
        w->by_frame[node->frame].samples += node->samples;
        w->table->categories[kind] += node->self;
        w->table->whole += node->self;
        bool nobody = i == 0 || kind == SONDE_CATEGORY_SONDE;
        w->answering[i] = kind == SONDE_CATEGORY_APP ? node->frame
                          : nobody                   ? NONE
                                                     : w->answering[node->parent];
        bool below_app = i && category(w, node->parent) != SONDE_CATEGORY_APP;
        w->entered[i] =
            kind == SONDE_CATEGORY_APP || !below_app ? node->frame : w->entered[node->parent];
        struct sonde_function *own = &w->by_frame[node->frame];
        int64_t *answered =
            w->answering[i] == NONE ? &own->orphan : &w->by_frame[w->answering[i]].blamed;
        *answered += node->self;
    }
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
        if (w->answering[i] != NONE && node->self) {
            callees[count] = (struct pair){w->answering[i], w->entered[i], node->self};
            callers[count++] = (struct pair){node->frame, w->answering[i], node->self};
        }
    }
    size_t keys = largest_of_each(callees, count);
    for (size_t i = 0; i < keys; i++) {
        w->by_frame[callees[i].key].callee = callees[i].other;
        w->by_frame[callees[i].key].callee_part = callees[i].amount;
    }
    keys = largest_of_each(callers, count);
    for (size_t i = 0; i < keys; i++) {
        w->by_frame[callers[i].key].caller = callers[i].other;
        w->by_frame[callers[i].key].caller_part = callers[i].amount;
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
        struct sonde_function *function = &w->by_frame[lines[i].key];
        function->hot_line = (int32_t)lines[i].other;
        function->hot_share = sonde_share(lines[i].amount, ticks[lines[i].key]);
    }
    return 0;
}

/* ---- packages ---- */

static int add_package(struct sonde_function_table *a, struct sonde_map *index,
                       const struct sonde_frame *frame, const struct sonde_function *function,
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
                             sizeof(*a->packages), SONDE_PACKAGES_MAX);
        if (r == 0) {
            a->packages[a->package_count++] =
                (struct sonde_package){.name = frame->package, .frame = function->frame};
        }
    }
    if (r < 0) {
        return sonde_fail(err, r, 0, "the analysis: out of memory");
    }
    struct sonde_package *package = &a->packages[slot->value];
    package->self += function->self;
    package->orphan += function->orphan;
    if (function->orphan > a->functions[package->frame].orphan) {
        package->frame = function->frame;
    }
    if (frame->version.length) {
        package->version = frame->version;
    }
    return 0;
}

static int compare_packages(const void *a, const void *b)
{
    const struct sonde_package *left = a;
    const struct sonde_package *right = b;
    if (left->self != right->self) {
        return left->self > right->self ? -1 : 1;
    }
    return sonde_str_compare(left->name, right->name);
}

static int find_packages(struct work *w, struct sonde_err *err)
{
    struct sonde_map index = SONDE_MAP(SONDE_PACKAGES_MAX);
    int r = 0;
    for (size_t i = 0; i < w->profile->frame_count && r == 0; i++) {
        if (w->profile->frames[i].package.length && w->by_frame[i].self) {
            r = add_package(w->table, &index, &w->profile->frames[i], &w->by_frame[i], err);
        }
    }
    sonde_map_fini(&index);
    if (w->table->package_count) {
        qsort(w->table->packages, w->table->package_count, sizeof(*w->table->packages),
              compare_packages);
    }
    return r;
}

/* ---- order ---- */

static int compare_self(const void *a, const void *b)
{
    const struct sonde_function *left = a;
    const struct sonde_function *right = b;
    if (left->self != right->self) {
        return left->self > right->self ? -1 : 1;
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
    const struct sonde_function *functions = context;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return compare_value(functions[left].total, functions[right].total, left, right);
}

static int compare_blame(const void *a, const void *b, void *context)
{
    const struct sonde_function *functions = context;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return compare_value(functions[left].blamed, functions[right].blamed, left, right);
}

static void sort_functions(struct sonde_function_table *a)
{
    qsort(a->functions, a->function_count, sizeof(*a->functions), compare_self);
    for (uint32_t i = 0; i < a->function_count; i++) {
        a->by_total[i] = a->by_blame[i] = i;
    }
    qsort_r(a->by_total, a->function_count, sizeof(*a->by_total), compare_total, a->functions);
    qsort_r(a->by_blame, a->function_count, sizeof(*a->by_blame), compare_blame, a->functions);
}

int sonde_function_table_init(const struct sonde_profile *profile, struct sonde_function_table *ret,
                              struct sonde_err *err)
{
    struct sonde_function_table *a = ret;
    size_t frames = profile->frame_count;
    *a = (struct sonde_function_table){.function_count = frames};
    a->functions = calloc(frames, sizeof(*a->functions));
    a->by_total = calloc(frames, sizeof(*a->by_total));
    a->by_blame = calloc(frames, sizeof(*a->by_blame));
    a->answering = calloc(profile->node_count, sizeof(*a->answering));
    SONDE_FREE int64_t *subtree = calloc(profile->node_count, sizeof(*subtree));
    SONDE_FREE uint32_t *entered = calloc(profile->node_count, sizeof(*entered));
    struct work w = {profile, a, a->functions, subtree, a->answering, entered};
    int r = 0;
    if (!a->functions || !a->by_total || !a->by_blame || !a->answering || !subtree || !entered) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    for (uint32_t i = 0; r == 0 && i < frames; i++) {
        a->functions[i].frame = i;
        a->functions[i].callee = i;
        a->functions[i].caller = i;
    }
    if (r == 0) {
        sum_nodes(&w);
        r = sum_totals(&w, err);
    }
    r = r < 0 ? r : find_hot_lines(&w, err);
    r = r < 0 ? r : find_relations(&w, err);
    r = r < 0 ? r : find_packages(&w, err);
    if (r < 0) {
        sonde_function_table_fini(a);
        return r;
    }
    sort_functions(a);
    return 0;
}

void sonde_function_table_fini(struct sonde_function_table *table)
{
    if (table) {
        free(table->functions);
        free(table->by_total);
        free(table->by_blame);
        free(table->answering);
        free(table->packages);
        *table = (struct sonde_function_table){0};
    }
}

/* ---- words ---- */

struct sonde_str sonde_name_shorten(struct sonde_str name)
{
    enum { NAME_MAX_BYTES = 80 };
    if (name.length > NAME_MAX_BYTES) {
        name.length = NAME_MAX_BYTES;
        while (name.length && ((unsigned char)name.data[name.length] & 0xc0) == 0x80) {
            name.length--;
        }
    }
    return name;
}

const char *sonde_part_say(int64_t part, int64_t whole, char ret[SONDE_PART_SIZE])
{
    if (part > whole - part) {
        return "most";
    }
    (void)snprintf(ret, SONDE_PART_SIZE, "%.0f %%", 100 * sonde_share(part, whole));
    return ret;
}
