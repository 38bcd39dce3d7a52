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

static bool is_own(const struct sonde_coverage *c, uint32_t function)
{
    return script_of(c, function)->category == SONDE_CATEGORY_APP &&
           script_of(c, function)->url.length > 0;
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
        a->blocks[a->block_count++] =
            (struct sonde_coverage_block){function, segment->start, segment->end};
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

/* ---- findings ---- */

static struct sonde_finding *add(struct sonde_coverage_analysis *a, const char *kind, int severity,
                                 uint32_t function)
{
    const struct sonde_coverage *c = a->coverage;
    const struct sonde_coverage_function *of = &c->functions[function];
    struct sonde_finding *finding = &a->findings[a->finding_count++];
    *finding = (struct sonde_finding){
        .tool = "coverage",
        .kind = kind,
        .severity = severity,
        .confidence = 1,
        .function = of->name.length ? of->name : SONDE_STR("(anonymous)"),
        .file = script_of(c, function)->url,
        .line = sonde_coverage_line(c, of->script, of->start),
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
    if (r < 0) {
        sonde_coverage_analysis_fini(a);
        return r;
    }
    find(a);
    return 0;
}

void sonde_coverage_analysis_fini(struct sonde_coverage_analysis *analysis)
{
    if (analysis) {
        free(analysis->hottest);
        free(analysis->never);
        free(analysis->blocks);
        *analysis = (struct sonde_coverage_analysis){0};
    }
}
