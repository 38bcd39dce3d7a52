/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/coverage.h"

#include <stdio.h>
#include <stdlib.h>

#include "analysis/functions.h"

static const struct sonde_coverage_script *script_of(const struct sonde_coverage *c,
                                                     uint32_t function)
{
    return &c->scripts[c->functions[function].script];
}

/* Code that ran before the counting began says nothing: it is no function of the application. */
static bool is_own(const struct sonde_coverage *c, uint32_t function)
{
    return sonde_coverage_category(c, function) == SONDE_CATEGORY_APP &&
           script_of(c, function)->url.length > 0 && !sonde_coverage_ran_before(c, function);
}

static uint32_t length_of(const struct sonde_coverage *c, uint32_t function)
{
    return c->functions[function].end - c->functions[function].start;
}

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b, uint32_t left, uint32_t right)
{
    if (a != b) {
        return a > b ? -1 : 1;
    }
    return (left > right) - (left < right);
}

static int by_count(const void *a, const void *b, void *context)
{
    const struct sonde_coverage *c = context;
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return compare_numbers(c->functions[left].count, c->functions[right].count, left, right);
}

static int by_length(const void *a, const void *b, void *context)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return compare_numbers(length_of(context, left), length_of(context, right), left, right);
}

static int compare_blocks(const void *a, const void *b)
{
    const struct sonde_coverage_block *left = a;
    const struct sonde_coverage_block *right = b;
    int order = compare_numbers(left->end - left->start, right->end - right->start, left->function,
                                right->function);
    return order ? order : (left->start > right->start) - (left->start < right->start);
}

/* ---- lists ---- */

static int add_blocks(struct sonde_coverage_analysis *a, uint32_t function, struct sonde_err *err)
{
    const struct sonde_coverage_function *of = &a->coverage->functions[function];
    for (uint32_t i = 0; i < of->segment_count; i++) {
        const struct sonde_coverage_segment *segment =
            &a->coverage->segments[of->first_segment + i];
        if (segment->count > 0) {
            continue;
        }
        int r = sonde_array_grow(&a->blocks, &a->block_capacity, a->block_count + 1,
                                 sizeof(*a->blocks), SONDE_COVERAGE_SEGMENTS_MAX);
        if (r < 0) {
            return sonde_fail(err, r, 0, "the analysis: out of memory");
        }
        a->blocks[a->block_count++] = (struct sonde_coverage_block){
            function, segment->start, segment->end,
            sonde_coverage_place(a->coverage, function, of->first_segment + i)};
    }
    return 0;
}

static int sort(struct sonde_coverage_analysis *a, struct sonde_err *err)
{
    const struct sonde_coverage *c = a->coverage;
    int r = 0;
    for (uint32_t i = 0; i < c->function_count && r == 0; i++) {
        if (!is_own(c, i)) {
            continue;
        }
        a->functions++;
        if (c->functions[i].count > 0) {
            a->called++;
            a->hottest[a->hottest_count++] = i;
            r = add_blocks(a, i, err);
        } else {
            a->never[a->never_count++] = i;
        }
    }
    for (size_t i = 0; i < c->script_count; i++) {
        a->scripts += c->scripts[i].category == SONDE_CATEGORY_APP && c->scripts[i].url.length > 0;
    }
    /* qsort_r takes what it hands on without const. */
    union {
        const struct sonde_coverage *from;
        void *to;
    } context = {c};
    qsort_r(a->hottest, a->hottest_count, sizeof(*a->hottest), by_count, context.to);
    qsort_r(a->never, a->never_count, sizeof(*a->never), by_length, context.to);
    if (a->block_count) {
        qsort(a->blocks, a->block_count, sizeof(*a->blocks), compare_blocks);
    }
    return r;
}

/* ---- files ---- */

double sonde_coverage_share(uint64_t executed, uint64_t characters)
{
    return characters ? (double)executed / (double)characters : 1;
}

static int compare_files(const void *a, const void *b)
{
    const struct sonde_coverage_file *left = a;
    const struct sonde_coverage_file *right = b;
    uint64_t left_missed = left->characters - left->executed;
    uint64_t right_missed = right->characters - right->executed;
    if (left_missed != right_missed) {
        return left_missed > right_missed ? -1 : 1;
    }
    return sonde_str_compare(left->file, right->file);
}

static int find_file(struct sonde_coverage_analysis *a, struct sonde_map *index, uint32_t function,
                     struct sonde_coverage_file **ret, struct sonde_err *err)
{
    struct sonde_map_slot *slot = NULL;
    bool fresh = false;
    struct sonde_str name = sonde_coverage_position(a->coverage, function).file;
    int r = sonde_array_grow(&a->files, &a->file_capacity, a->file_count + 1, sizeof(*a->files),
                             SONDE_COVERAGE_FUNCTIONS_MAX + 1);
    r = r < 0 ? r : sonde_map_insert(index, name, &slot, &fresh);
    if (r < 0) {
        return sonde_fail(err, r, 0, "the analysis: out of memory");
    }
    if (fresh) {
        slot->value = a->file_count;
        a->files[a->file_count++] = (struct sonde_coverage_file){.file = name};
    }
    *ret = &a->files[slot->value];
    return 0;
}

static int add_function(struct sonde_coverage_analysis *a, struct sonde_map *index,
                        uint32_t function, struct sonde_err *err)
{
    struct sonde_coverage_file *file;
    int r = find_file(a, index, function, &file, err);
    if (r == 0) {
        file->functions++;
        file->called += a->coverage->functions[function].count > 0;
    }
    return r;
}

static int add_stretch(struct sonde_coverage_analysis *a, struct sonde_map *index,
                       const struct sonde_coverage_stretch *stretch, struct sonde_err *err)
{
    struct sonde_coverage_file *file;
    uint64_t length = stretch->end - stretch->start;
    uint64_t executed = stretch->count > 0 ? length : 0;
    int r = find_file(a, index, stretch->function, &file, err);
    if (r == 0) {
        file->characters += length;
        file->executed += executed;
        a->characters += length;
        a->executed += executed;
    }
    return r;
}

static int add_script(struct sonde_coverage_analysis *a, struct sonde_map *index, uint32_t first,
                      const uint32_t *next, struct sonde_err *err)
{
    struct sonde_coverage_stretch *stretches = NULL;
    size_t count = 0;
    int r = sonde_coverage_stretches(a->coverage, first, next, &stretches, &count, err);
    for (size_t i = 0; i < count && r == 0; i++) {
        if (is_own(a->coverage, stretches[i].function)) {
            r = add_stretch(a, index, &stretches[i], err);
        }
    }
    for (uint32_t k = first; k && r == 0; k = next[k - 1]) {
        if (is_own(a->coverage, k - 1)) {
            r = add_function(a, index, k - 1, err);
        }
    }
    free(stretches);
    return r;
}

static int add_files(struct sonde_coverage_analysis *a, struct sonde_err *err)
{
    const struct sonde_coverage *c = a->coverage;
    struct sonde_map index = SONDE_MAP(SONDE_COVERAGE_FUNCTIONS_MAX);
    SONDE_FREE uint32_t *first = calloc(c->script_count + 1, sizeof(*first));
    SONDE_FREE uint32_t *next = calloc(c->function_count + 1, sizeof(*next));
    if (!first || !next) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    int r = 0;
    sonde_coverage_link(c, first, next);
    for (size_t i = 0; i < c->script_count && r == 0; i++) {
        r = add_script(a, &index, first[i], next, err);
    }
    sonde_map_fini(&index);
    if (a->file_count) {
        qsort(a->files, a->file_count, sizeof(*a->files), compare_files);
    }
    return r;
}

/* ---- findings ---- */

static struct sonde_finding *add(struct sonde_coverage_analysis *a, const char *kind, int severity,
                                 uint32_t function)
{
    const struct sonde_coverage *c = a->coverage;
    struct sonde_position at = sonde_coverage_position(c, function);
    struct sonde_finding *finding = &a->findings[a->finding_count++];
    *finding = (struct sonde_finding){
        .tool = "coverage",
        .kind = kind,
        .severity = severity,
        .confidence = 1,
        .function = sonde_coverage_name(c, function),
        .file = at.file,
        .line = at.line,
    };
    return finding;
}

static void evidence(struct sonde_finding *finding, const char *name, double value)
{
    finding->evidence[finding->evidence_count++] = (struct sonde_evidence){name, value, "count"};
}

static void find(struct sonde_coverage_analysis *a)
{
    enum { NEVER_SEVERITY = 10, MOST_SEVERITY = 5 };
    const struct sonde_coverage *c = a->coverage;
    if (a->never_count) {
        struct sonde_finding *finding = add(a, "never-called", NEVER_SEVERITY, a->never[0]);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%zu of %u functions of yours were never called, the longest of them %.*s",
                       a->never_count, a->functions,
                       SONDE_STR_ARG(sonde_name_shorten(finding->function)));
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "What the load does not reach is not measured either; what nothing reaches "
                       "can go.");
        evidence(finding, "neverCalled", (double)a->never_count);
        evidence(finding, "functions", a->functions);
    }
    if (a->hottest_count) {
        struct sonde_finding *finding = add(a, "most-called", MOST_SEVERITY, a->hottest[0]);
        uint64_t calls = c->functions[a->hottest[0]].count;
        (void)snprintf(finding->title, sizeof(finding->title), "%.*s was called %llu times",
                       SONDE_STR_ARG(sonde_name_shorten(finding->function)),
                       (unsigned long long)calls);
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "Counts say how often, not how long: a CPU profile says that.");
        evidence(finding, "calls", (double)calls);
    }
    if (a->finding_count == 0) {
        struct sonde_finding *finding = &a->findings[a->finding_count++];
        *finding = (struct sonde_finding){
            .tool = "coverage", .kind = "nothing-measured", .severity = 50, .confidence = 1};
        (void)snprintf(finding->title, sizeof(finding->title),
                       "nothing was measured: no function of yours is known");
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "Capture while the service does its work.");
        evidence(finding, "functions", 0);
    }
}

int sonde_coverage_analyze(const struct sonde_coverage *coverage,
                           struct sonde_coverage_analysis *ret, struct sonde_err *err)
{
    struct sonde_coverage_analysis *a = ret;
    *a = (struct sonde_coverage_analysis){.coverage = coverage};
    a->hottest = calloc(coverage->function_count + 1, sizeof(*a->hottest));
    a->never = calloc(coverage->function_count + 1, sizeof(*a->never));
    int r = 0;
    if (!a->hottest || !a->never) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "the analysis: out of memory");
    }
    r = r < 0 ? r : sort(a, err);
    r = r < 0 ? r : add_files(a, err);
    if (r < 0) {
        sonde_coverage_analysis_fini(a);
        return r;
    }
    find(a);
    return 0;
}

void sonde_coverage_analysis_settle(struct sonde_coverage_analysis *analysis)
{
    free(SONDE_TAKE(analysis->blocks));
    free(SONDE_TAKE(analysis->files));
    analysis->block_count = analysis->block_capacity = 0;
    analysis->file_count = analysis->file_capacity = 0;
}

void sonde_coverage_analysis_fini(struct sonde_coverage_analysis *analysis)
{
    if (analysis) {
        free(analysis->hottest);
        free(analysis->never);
        free(analysis->blocks);
        free(analysis->files);
        *analysis = (struct sonde_coverage_analysis){0};
    }
}
