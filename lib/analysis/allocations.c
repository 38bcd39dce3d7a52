/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/allocations.h"

#include <stdio.h>
#include <stdlib.h>

/* Thresholds. A function is worth a word from a twentieth of the bytes on; a package, and Node.js
 * itself, from 15 %, as with CPU time. What is less than 1 MB in all is nothing to look for. */
#define HOT_SHARE 0.05
#define OTHERS_SHARE 0.15
enum {
    LITTLE_BYTES = 1000000,
    HOT_MAX = 5,
    SAMPLES_MIN = 100,
    NOTHING_SEVERITY = 50,
    SEVERITY_MAX = 80,
};

const char *sonde_bytes_say(int64_t bytes, char ret[SONDE_BYTES_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < SONDE_LENGTH(units)) {
        value /= 1000;
        unit++;
    }
    int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    (void)snprintf(ret, SONDE_BYTES_SIZE, "%.*f %s", digits, value, units[unit]);
    return ret;
}

struct work {
    const struct sonde_profile *profile;
    struct sonde_allocation_analysis *analysis;
    double confidence;
};

/* What the bytes are: all that was allocated, or what is left of it. */
static const char *what(const struct sonde_profile *profile)
{
    return profile->collected ? "of what was allocated"
                              : "of what was allocated and is still in use";
}

static struct sonde_finding *add(struct work *w, const char *kind, int severity, double confidence)
{
    struct sonde_finding *finding = &w->analysis->findings[w->analysis->finding_count++];
    *finding = (struct sonde_finding){
        .tool = "allocations",
        .kind = kind,
        .severity = severity < SEVERITY_MAX ? severity : SEVERITY_MAX,
        .confidence = confidence,
    };
    return finding;
}

static void evidence(struct sonde_finding *finding, const char *name, double value,
                     const char *unit)
{
    finding->evidence[finding->evidence_count++] = (struct sonde_evidence){name, value, unit};
}

static void place(struct sonde_finding *finding, const struct sonde_profile *profile,
                  uint32_t frame)
{
    const struct sonde_position *at = sonde_frame_position(&profile->frames[frame]);
    finding->function = sonde_frame_name(&profile->frames[frame]);
    finding->file = at->file;
    finding->line = at->line;
    finding->column = at->column;
}

static void advise(const struct work *w, struct sonde_finding *finding)
{
    (void)snprintf(finding->advice, sizeof(finding->advice), "%s",
                   w->profile->collected
                       ? "Make fewer or smaller objects here: the garbage collector works in "
                         "proportion to them."
                       : "Something holds it: a cache, a queue, or a leak. Compare with a later "
                         "capture; a heap snapshot shows what holds it.");
}

/* ---- findings ---- */

static void find_hot(struct work *w)
{
    const struct sonde_function_table *table = &w->analysis->table;
    const struct sonde_profile *profile = w->profile;
    for (size_t i = 0; i < table->function_count && i < HOT_MAX; i++) {
        const struct sonde_function *function = &table->functions[table->by_blame[i]];
        double share = sonde_share(function->blamed, table->whole);
        if (share < HOT_SHARE) {
            return;
        }
        struct sonde_finding *finding =
            add(w, "hot-allocation", (int)((profile->collected ? 60 : 80) * share), w->confidence);
        bool own = function->callee == function->frame;
        struct sonde_str callee = sonde_frame_name(&profile->frames[function->callee]);
        char bytes[SONDE_BYTES_SIZE];
        char part[SONDE_PART_SIZE];
        place(finding, profile, function->frame);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%.0f %% %s (%s) comes from %.*s%s%s%s%.*s", 100 * share, what(profile),
                       sonde_bytes_say(function->blamed, bytes),
                       SONDE_STR_ARG(sonde_name_shorten(finding->function)), own ? "" : ", ",
                       own ? "" : sonde_part_say(function->callee_part, function->blamed, part),
                       own ? "" : " of it in ",
                       SONDE_STR_ARG(own ? SONDE_STR("") : sonde_name_shorten(callee)));
        advise(w, finding);
        evidence(finding, "share", share, "share");
        evidence(finding, "selfShare", sonde_share(function->self, table->whole), "share");
        evidence(finding, "bytes", (double)function->blamed, "bytes");
    }
}

static void find_packages(struct work *w)
{
    const struct sonde_function_table *table = &w->analysis->table;
    for (size_t i = 0; i < table->package_count && i < HOT_MAX; i++) {
        const struct sonde_package *package = &table->packages[i];
        double share = sonde_share(package->orphan, table->whole);
        if (share < OTHERS_SHARE) {
            continue;
        }
        struct sonde_finding *finding =
            add(w, "hot-package", (int)((w->profile->collected ? 40 : 60) * share), w->confidence);
        char bytes[SONDE_BYTES_SIZE];
        place(finding, w->profile, package->frame);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%.0f %% %s (%s) comes from callbacks of the package %.*s%s%.*s",
                       100 * share, what(w->profile), sonde_bytes_say(package->orphan, bytes),
                       SONDE_STR_ARG(sonde_name_shorten(package->name)),
                       package->version.length ? "@" : "",
                       SONDE_STR_ARG(sonde_name_shorten(package->version)));
        advise(w, finding);
        evidence(finding, "share", share, "share");
        evidence(finding, "bytes", (double)package->orphan, "bytes");
    }
}

/* What no function of the app and of no package answers for. */
static void find_runtime(struct work *w)
{
    const struct sonde_function_table *table = &w->analysis->table;
    const struct sonde_function *largest = NULL;
    int64_t sum = 0;
    for (size_t i = 0; i < table->function_count; i++) {
        const struct sonde_function *function = &table->functions[i];
        enum sonde_category category = w->profile->frames[function->frame].category;
        if (category == SONDE_CATEGORY_DEPENDENCY || category == SONDE_CATEGORY_SONDE) {
            continue;
        }
        sum += function->orphan;
        largest = largest && largest->orphan >= function->orphan ? largest : function;
    }
    double share = sonde_share(sum, table->whole);
    if (!largest || share < OTHERS_SHARE) {
        return;
    }
    struct sonde_finding *finding = add(w, "hot-runtime", (int)(30 * share), w->confidence);
    struct sonde_str name = sonde_frame_name(&w->profile->frames[largest->frame]);
    bool root = w->profile->frames[largest->frame].category == SONDE_CATEGORY_ROOT;
    char bytes[SONDE_BYTES_SIZE];
    char part[SONDE_PART_SIZE];
    place(finding, w->profile, largest->frame);
    (void)snprintf(finding->title, sizeof(finding->title),
                   "%.0f %% %s (%s) is Node.js's and V8's own, called by no function of yours: %s "
                   "of it in %.*s",
                   100 * share, what(w->profile), sonde_bytes_say(sum, bytes),
                   sonde_part_say(largest->orphan, sum, part),
                   SONDE_STR_ARG(root ? SONDE_STR("V8 itself") : sonde_name_shorten(name)));
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "This is what connections, timers, streams, modules and compiled code cost: "
                   "have fewer of them.");
    evidence(finding, "share", share, "share");
    evidence(finding, "bytes", (double)sum, "bytes");
}

static void say_little(struct work *w)
{
    const struct sonde_function_table *table = &w->analysis->table;
    struct sonde_finding *finding = add(w, "healthy", 0, w->confidence);
    char bytes[SONDE_BYTES_SIZE];
    (void)snprintf(finding->title, sizeof(finding->title),
                   w->profile->collected ? "little was allocated: %s"
                                         : "little is left of what was allocated: %s",
                   sonde_bytes_say(table->whole, bytes));
    (void)snprintf(finding->advice, sizeof(finding->advice), "%s",
                   w->profile->collected
                       ? "Capture under load."
                       : "Nothing was held while this was captured; for what is allocated "
                         "and collected again, set includeCollected.");
    evidence(finding, "bytes", (double)table->whole, "bytes");
}

static void say_spread(struct work *w)
{
    const struct sonde_function_table *table = &w->analysis->table;
    struct sonde_finding *finding = add(w, "healthy", 0, w->confidence);
    char bytes[SONDE_BYTES_SIZE];
    (void)snprintf(finding->title, sizeof(finding->title),
                   "nothing stands out: no function of yours answers for more than %.0f %% %s (%s)",
                   100 * HOT_SHARE, what(w->profile), sonde_bytes_say(table->whole, bytes));
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "The bytes are spread widely; compare with a run from a better day.");
    evidence(finding, "bytes", (double)table->whole, "bytes");
}

static void say_nothing_measured(struct work *w)
{
    struct sonde_finding *finding = add(w, "nothing-measured", NOTHING_SEVERITY, 1);
    (void)snprintf(finding->title, sizeof(finding->title),
                   "nothing was measured: no allocation was sampled");
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "Capture for longer and under load, or with a smaller samplingIntervalBytes.");
    evidence(finding, "samples", (double)w->profile->total_samples, "count");
}

static int compare_findings(const void *a, const void *b)
{
    return ((const struct sonde_finding *)b)->severity -
           ((const struct sonde_finding *)a)->severity;
}

static void find(struct work *w)
{
    struct sonde_allocation_analysis *a = w->analysis;
    if (a->table.whole == 0) {
        say_nothing_measured(w);
        return;
    }
    if (a->table.whole < LITTLE_BYTES) {
        say_little(w);
        return;
    }
    find_hot(w);
    find_packages(w);
    find_runtime(w);
    if (a->finding_count == 0) {
        say_spread(w);
    }
    qsort(a->findings, a->finding_count, sizeof(*a->findings), compare_findings);
}

int sonde_allocations_analyze(const struct sonde_profile *profile,
                              struct sonde_allocation_analysis *ret, struct sonde_err *err)
{
    *ret = (struct sonde_allocation_analysis){0};
    int r = sonde_function_table_init(profile, &ret->table, err);
    if (r == 0) {
        find(&(struct work){profile, ret, profile->total_samples < SAMPLES_MIN ? 0.5 : 0.9});
    }
    return r;
}

void sonde_allocation_analysis_fini(struct sonde_allocation_analysis *analysis)
{
    if (analysis) {
        sonde_function_table_fini(&analysis->table);
        *analysis = (struct sonde_allocation_analysis){0};
    }
}
