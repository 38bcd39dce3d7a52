/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/cpu_findings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Thresholds. A function is worth a word from a twentieth of the busy time on, the collector from a
 * tenth (Node.js services run at 1–5 %), a stall from 100 ms on: that long, every other request
 * waits. A process that idles more than nine tenths has nothing hot; one that is busy nine tenths
 * answers late whatever it does. */
#define HOT_SHARE 0.05
#define GC_SHARE 0.10
#define PACKAGE_SHARE 0.15 /* of time in a package that no function of the app answers for */
#define RUNTIME_SHARE 0.15 /* of such time in Node.js, native code and (program) */
#define STALL_US INT64_C(100000)
#define BUSY_SHARE 0.10
#define SATURATED_SHARE 0.90
#define STALL_TIMES_CHANCE 2.0 /* as long as the longest stretch expected by chance */
#define STALL_IDLE_SHARE 0.05  /* below, back-to-back callbacks look like one stall */
enum {
    HOT_MAX = 5,
    SAMPLES_MIN = 100,
    SATURATED_SEVERITY = 30,
    NOTHING_SEVERITY = 50,
    SEVERITY_MAX = 95,
};

static struct sonde_finding *add(struct sonde_cpu_analysis *a, const char *kind, int severity,
                                 double confidence)
{
    struct sonde_finding *finding = &a->findings[a->finding_count++];
    *finding = (struct sonde_finding){
        .tool = "cpu", .kind = kind, .severity = severity, .confidence = confidence};
    return finding;
}

static void evidence(struct sonde_finding *finding, const char *name, double value,
                     const char *unit)
{
    finding->evidence[finding->evidence_count++] = (struct sonde_evidence){name, value, unit};
}

static void place(struct sonde_finding *finding, const struct sonde_profile *profile,
                  const struct sonde_function *function)
{
    const struct sonde_frame *frame = &profile->frames[function->frame];
    const struct sonde_position *at = sonde_frame_position(frame);
    /* The line that burns, where the function itself does; else where the function begins. */
    bool own = function->hot_line && function->callee == function->frame;
    finding->function = sonde_frame_name(frame);
    finding->file = at->file;
    finding->line = own ? function->hot_line : at->line;
    finding->column = own ? 0 : at->column;
}

/* What a callee's whole name tells about the work. */
static const struct {
    const char *name;
    const char *advice;
} known[] = {
    {"parse", "Parse less: ask for fewer fields, stream large bodies, or parse once and keep it."},
    {"stringify",
     "Send less: select the fields that are needed, page long lists, or cache the text."},
    {"pbkdf2Sync", "Use the asynchronous crypto.pbkdf2, which works on the thread pool."},
    {"scryptSync", "Use the asynchronous crypto.scrypt, which works on the thread pool."},
    {"randomBytes", "Use the asynchronous form, which works on the thread pool."},
    {"hashSync", "Use the asynchronous form, which does not hold the event loop."},
    {"gzipSync", "Use the asynchronous or streaming form of zlib."},
    {"readFileSync", "Read once at the start, or use fs.promises."},
};

static const char *advice_for(const struct sonde_frame *callee)
{
    struct sonde_str name = callee->function;
    if (sonde_str_starts(name, "RegExp: ")) {
        return "The expression may backtrack: make its alternatives exclusive, or bound the input.";
    }
    /* Any package may have a "parse"; the name of a blocking form is telling anywhere. */
    bool telling = callee->category != SONDE_CATEGORY_DEPENDENCY || sonde_str_ends(name, "Sync");
    for (size_t i = 0; i < SONDE_LENGTH(known) && telling; i++) {
        if (sonde_str_is(name, known[i].name)) {
            return known[i].advice;
        }
    }
    return NULL;
}

static void say_hot(struct sonde_finding *finding, const struct sonde_profile *profile,
                    const struct sonde_function *function, double share)
{
    const struct sonde_frame *callee = &profile->frames[function->callee];
    struct sonde_str name = sonde_frame_name(callee);
    bool own = function->callee == function->frame;
    bool most = !own && function->callee_part > function->blamed - function->callee_part;
    char part[SONDE_PART_SIZE];
    (void)snprintf(finding->title, sizeof(finding->title),
                   "%.0f %% of the busy time is spent in %.*s%s%s%s%.*s", share * 100,
                   SONDE_STR_ARG(sonde_name_shorten(finding->function)), own ? "" : ", ",
                   own ? "" : sonde_part_say(function->callee_part, function->blamed, part),
                   own ? "" : " of it in ",
                   SONDE_STR_ARG(own ? SONDE_STR("") : sonde_name_shorten(name)));
    const char *advice = most ? advice_for(callee) : NULL;
    if (most && !advice && callee->category == SONDE_CATEGORY_DEPENDENCY) {
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "Call the package %.*s less often, or with less data.",
                       SONDE_STR_ARG(sonde_name_shorten(callee->package)));
        return;
    }
    (void)snprintf(finding->advice, sizeof(finding->advice), "%s",
                   advice ? advice
                          : "Do this work less often, make it cheaper, or move it off the event "
                            "loop (a worker thread).");
}

/* Whether the process idled so little that requests wait for one another. */
static bool is_saturated(const struct sonde_profile *profile, const struct sonde_cpu_analysis *a)
{
    return !profile->busy_only && sonde_share(a->busy_ns, a->wall_ns) >= SATURATED_SHARE;
}

static void find_hot(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    if (sonde_share(a->busy_ns, a->wall_ns) < BUSY_SHARE) {
        return;
    }
    for (size_t i = 0; i < a->table.function_count && i < HOT_MAX; i++) {
        const struct sonde_function *function = &a->table.functions[a->table.by_blame[i]];
        double share = sonde_share(function->blamed, a->busy_ns);
        if (share < HOT_SHARE) {
            return;
        }
        double of_wall = sonde_share(function->blamed, a->wall_ns);
        double confidence = profile->total_samples < SAMPLES_MIN ? 0.5 : 0.9;
        int severity =
            (int)(50 * (share + of_wall)) + (is_saturated(profile, a) ? SATURATED_SEVERITY : 0);
        struct sonde_finding *finding =
            add(a, "hot-function", severity < SEVERITY_MAX ? severity : SEVERITY_MAX, confidence);
        place(finding, profile, function);
        say_hot(finding, profile, function, share);
        evidence(finding, "busyShare", share, "share");
        evidence(finding, "wallShare", of_wall, "share");
        evidence(finding, "selfShare", sonde_share(function->self, a->busy_ns), "share");
        evidence(finding, "time", (double)function->blamed / 1e6, "ms");
    }
}

/* A driver parses rows, a framework renders, in callbacks that come straight from the event loop:
 * no line of the app is on the stack, and yet the time is spent. */
static void find_packages(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    if (sonde_share(a->busy_ns, a->wall_ns) < BUSY_SHARE) {
        return;
    }
    for (size_t i = 0; i < a->table.package_count && i < HOT_MAX; i++) {
        const struct sonde_package *package = &a->table.packages[i];
        double share = sonde_share(package->orphan, a->busy_ns);
        if (share < PACKAGE_SHARE) {
            continue;
        }
        double of_wall = sonde_share(package->orphan, a->wall_ns);
        double confidence = profile->total_samples < SAMPLES_MIN ? 0.5 : 0.8;
        struct sonde_finding *finding =
            add(a, "hot-package", (int)(40 * (share + of_wall)), confidence);
        for (size_t k = 0; k < a->table.function_count; k++) {
            if (a->table.functions[k].frame == package->frame) {
                place(finding, profile, &a->table.functions[k]);
            }
        }
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%.0f %% of the busy time is spent in callbacks of the package %.*s%s%.*s",
                       share * 100, SONDE_STR_ARG(sonde_name_shorten(package->name)),
                       package->version.length ? "@" : "",
                       SONDE_STR_ARG(sonde_name_shorten(package->version)));
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "It works off what was asked of it: ask for less (rows, columns, messages) "
                       "or less often.");
        evidence(finding, "busyShare", share, "share");
        evidence(finding, "wallShare", of_wall, "share");
        evidence(finding, "time", (double)package->orphan / 1e6, "ms");
    }
}

/* What runs without any JavaScript of the app or of a package above it. */
static const struct {
    enum sonde_category category;
    const char *evidence, *place, *advice;
} runtime[] = {
    {SONDE_CATEGORY_V8, "programShare", "in (program)",
     "(program) is work without JavaScript: system calls, the event loop itself, compiling, "
     "add-ons. A profiler of native code, such as perf, tells them apart."},
    {SONDE_CATEGORY_NATIVE, "nativeShare", "in native code",
     "Built-in functions and add-ons work here for callbacks of Node.js or of packages: give them "
     "less data, or less often."},
    {SONDE_CATEGORY_NODE, "nodeShare", "in Node.js's own JavaScript",
     "This is what each request, timer and stream costs in Node.js itself: have fewer of them, or "
     "do more in each."},
    {SONDE_CATEGORY_WASM, "wasmShare", "in WebAssembly",
     "Give the module less work, or move it to a worker thread."},
};

/* Garbage collection has a finding of its own. */
static bool is_runtime(const struct sonde_frame *frame, enum sonde_category category)
{
    return frame->category == category && !sonde_str_is(frame->function, "(garbage collector)");
}

/* Sums the orphans of each part of the runtime; returns the part with the most. */
static size_t sum_runtime(const struct sonde_profile *profile, const struct sonde_cpu_analysis *a,
                          int64_t sums[SONDE_LENGTH(runtime)],
                          const struct sonde_function **ret_largest)
{
    size_t most = 0;
    for (size_t i = 0; i < SONDE_LENGTH(runtime); i++) {
        const struct sonde_function *largest = NULL;
        for (size_t k = 0; k < a->table.function_count; k++) {
            const struct sonde_function *function = &a->table.functions[k];
            if (is_runtime(&profile->frames[function->frame], runtime[i].category)) {
                sums[i] += function->orphan;
                largest = largest && largest->orphan >= function->orphan ? largest : function;
            }
        }
        if (i == 0 || sums[i] > sums[most]) {
            most = i;
            *ret_largest = largest;
        }
    }
    return most;
}

static void find_runtime(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    int64_t sums[SONDE_LENGTH(runtime)] = {0};
    const struct sonde_function *largest = NULL;
    size_t most = sum_runtime(profile, a, sums, &largest);
    int64_t sum = 0;
    for (size_t i = 0; i < SONDE_LENGTH(runtime); i++) {
        sum += sums[i];
    }
    double share = sonde_share(sum, a->busy_ns);
    double of_wall = sonde_share(sum, a->wall_ns);
    if (!largest || share < RUNTIME_SHARE || sonde_share(a->busy_ns, a->wall_ns) < BUSY_SHARE) {
        return;
    }
    struct sonde_finding *finding = add(a, "hot-runtime", (int)(30 * (share + of_wall)),
                                        profile->total_samples < SAMPLES_MIN ? 0.4 : 0.7);
    place(finding, profile, largest);
    char part[SONDE_PART_SIZE];
    (void)snprintf(finding->title, sizeof(finding->title),
                   "%.0f %% of the busy time is the runtime's, called by no function of yours: "
                   "%s of it %s",
                   share * 100, sonde_part_say(sums[most], sum, part), runtime[most].place);
    (void)snprintf(finding->advice, sizeof(finding->advice), "%s", runtime[most].advice);
    evidence(finding, "busyShare", share, "share");
    evidence(finding, "wallShare", of_wall, "share");
    for (size_t i = 0; i < SONDE_LENGTH(runtime); i++) {
        evidence(finding, runtime[i].evidence, sonde_share(sums[i], a->busy_ns), "share");
    }
    evidence(finding, "time", (double)sum / 1e6, "ms");
}

static void find_saturation(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    double busy = sonde_share(a->busy_ns, a->wall_ns);
    if (!is_saturated(profile, a)) {
        return;
    }
    struct sonde_finding *finding = add(a, "saturated-event-loop", SATURATED_SEVERITY, 0.9);
    (void)snprintf(finding->title, sizeof(finding->title),
                   "the event loop is saturated: busy for %.0f %% of the time", busy * 100);
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "Requests wait for one another: take work out of the functions named here, or "
                   "add replicas.");
    evidence(finding, "busyShareOfWall", busy, "share");
}

static void find_collector(struct sonde_cpu_analysis *a)
{
    double share = sonde_share(a->gc_ns, a->busy_ns);
    if (share < GC_SHARE || sonde_share(a->busy_ns, a->wall_ns) < BUSY_SHARE) {
        return;
    }
    struct sonde_finding *finding = add(a, "gc-pressure", (int)(100 * share), 0.8);
    (void)snprintf(finding->title, sizeof(finding->title),
                   "%.0f %% of the busy time is garbage collection", share * 100);
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "Allocate less on the hot path: an allocation profile names the places.");
    evidence(finding, "busyShare", share, "share");
    evidence(finding, "time", (double)a->gc_ns / 1e6, "ms");
}

/* How many samples are busy in a row by chance alone, when each is busy as often as all are: the
 * longest run of heads in n throws, about log(n (1 − p)) to the base 1/p (M. F. Schilling, "The
 * Longest Run of Heads", The College Mathematics Journal 21, 1990). */
static double longest_by_chance(const struct sonde_profile *profile)
{
    uint64_t idle = 0;
    for (size_t i = 0; i < profile->node_count; i++) {
        const struct sonde_profile_node *node = &profile->nodes[i];
        bool idles = profile->frames[node->frame].category == SONDE_CATEGORY_IDLE;
        idle += idles ? node->samples : 0;
    }
    double busy = 1 - (double)idle / (double)profile->total_samples;
    return idle ? log((double)idle) / -log(busy) : INFINITY;
}

static void find_blocked(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    double idle = sonde_share(a->wall_ns - a->busy_ns, a->wall_ns);
    double chance = longest_by_chance(profile);
    const struct sonde_cpu_stall *stall = NULL;
    for (size_t i = 0; i < a->stall_count && !stall && idle >= STALL_IDLE_SHARE; i++) {
        size_t samples = a->stalls[i].samples;
        /* What our own probe did is said with what the capture cost. */
        bool ours = profile->frames[a->stalls[i].frame].category == SONDE_CATEGORY_SONDE;
        bool long_enough = !ours && a->stalls[i].length_us >= STALL_US &&
                           samples >= SONDE_CPU_STALL_SAMPLES_MIN &&
                           (double)samples >= STALL_TIMES_CHANCE * chance;
        stall = long_enough ? &a->stalls[i] : NULL;
    }
    if (!stall) {
        return;
    }
    double ms = (double)stall->length_us / 1000;
    struct sonde_finding *finding =
        add(a, "blocked-event-loop", ms > 1000 ? 90 : (int)(30 + ms * 0.06), 0.7);
    const struct sonde_frame *frame = &profile->frames[stall->frame];
    const struct sonde_position *at = sonde_frame_position(frame);
    finding->function = sonde_frame_name(frame);
    finding->file = at->file;
    finding->line = at->line;
    finding->column = at->column;
    char part[SONDE_PART_SIZE];
    (void)snprintf(finding->title, sizeof(finding->title),
                   "the event loop was busy for %.0f ms without a pause, %s of it in %.*s", ms,
                   sonde_part_say(stall->frame_us, stall->length_us, part),
                   SONDE_STR_ARG(sonde_name_shorten(finding->function)));
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "Every request waits meanwhile: split the work, or move it to a worker thread.");
    evidence(finding, "longestStall", ms, "ms");
    evidence(finding, "samples", (double)stall->samples, "count");
    evidence(finding, "samplesByChance", chance, "count");
}

/* Hardly busy: nothing is hot, but where the little time went is said. */
static void say_idle(const struct sonde_profile *profile, const struct sonde_cpu_analysis *a,
                     struct sonde_finding *finding)
{
    double idle = 100 * sonde_share(a->wall_ns - a->busy_ns, a->wall_ns);
    const struct sonde_function *largest =
        a->table.function_count ? &a->table.functions[a->table.by_blame[0]] : NULL;
    int length = snprintf(finding->title, sizeof(finding->title),
                          "the CPU was idle for %.3g %% of the time", idle);
    if (largest && largest->blamed > 0) {
        double share = sonde_share(largest->blamed, a->busy_ns);
        place(finding, profile, largest);
        (void)snprintf(finding->title + length, sizeof(finding->title) - (size_t)length,
                       "; of the rest, %.0f %% was spent in %.*s", share * 100,
                       SONDE_STR_ARG(sonde_name_shorten(finding->function)));
        evidence(finding, "largestBusyShare", share, "share");
        evidence(finding, "largestTime", (double)largest->blamed / 1e6, "ms");
    }
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "If requests are slow all the same, they wait for something: a database, "
                   "another service, a lock.");
}

static void say_healthy(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    double busy = sonde_share(a->busy_ns, a->wall_ns);
    struct sonde_finding *finding =
        add(a, "healthy", 0, profile->total_samples < SAMPLES_MIN ? 0.3 : 0.8);
    if (!profile->busy_only) {
        evidence(finding, "busyShareOfWall", busy, "share");
    }
    evidence(finding, "gcShare", sonde_share(a->gc_ns, a->busy_ns), "share");
    if (busy < BUSY_SHARE) {
        say_idle(profile, a, finding);
        return;
    }
    char of[64] = "";
    if (!profile->busy_only) {
        (void)snprintf(of, sizeof(of), "the CPU was busy for %.0f %% of the time, and ",
                       busy * 100);
    }
    (void)snprintf(finding->title, sizeof(finding->title),
                   "nothing stands out: %sno function of yours took more than %.0f %% of %s", of,
                   HOT_SHARE * 100, profile->busy_only ? "the busy time" : "that");
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "The time is spread widely; compare with a run from a better day.");
}

static void say_nothing_measured(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    struct sonde_finding *finding = add(a, "nothing-measured", NOTHING_SEVERITY, 1);
    (void)snprintf(finding->title, sizeof(finding->title), "nothing was measured: the profile %s",
                   profile->total_samples ? "covers no time" : "has no samples");
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "Capture for longer, many times the sampling interval, and while the process "
                   "is not suspended.");
    evidence(finding, "samples", (double)profile->total_samples, "count");
}

static int compare_findings(const void *a, const void *b)
{
    return ((const struct sonde_finding *)b)->severity -
           ((const struct sonde_finding *)a)->severity;
}

void sonde_cpu_find(const struct sonde_profile *profile, struct sonde_cpu_analysis *analysis)
{
    if (profile->total_samples == 0 || analysis->wall_ns == 0) {
        say_nothing_measured(profile, analysis);
        return;
    }
    find_hot(profile, analysis);
    find_packages(profile, analysis);
    find_runtime(profile, analysis);
    find_saturation(profile, analysis);
    find_collector(analysis);
    find_blocked(profile, analysis);
    if (analysis->finding_count == 0) {
        say_healthy(profile, analysis);
    }
    qsort(analysis->findings, analysis->finding_count, sizeof(*analysis->findings),
          compare_findings);
}
