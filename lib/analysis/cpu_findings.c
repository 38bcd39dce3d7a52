/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/cpu_findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Thresholds. A function is worth a word from a twentieth of the busy time on, the collector from a
 * tenth (Node.js services run at 1–5 %), a stall from 100 ms on: that long, every other request
 * waits. A process that idles more than nine tenths has nothing hot; one that is busy nine tenths
 * answers late whatever it does. */
#define HOT_SHARE 0.05
#define GC_SHARE 0.10
#define PACKAGE_SHARE 0.15 /* of time in a package that no function of the app answers for */
#define STALL_US INT64_C(100000)
#define BUSY_SHARE 0.10
#define SATURATED_SHARE 0.90
#define STALL_IDLE_SHARE 0.05 /* below, back-to-back callbacks look like one stall */
enum {
    HOT_MAX = 5,
    SAMPLES_MIN = 100,
    SATURATED_SEVERITY = 30,
    SEVERITY_MAX = 95,
    NAME_MAX_BYTES = 80
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
                  const struct sonde_cpu_function *function)
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
        return "The expression backtracks: make its alternatives exclusive, or bound the input.";
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

/* A name as a title has room for it, not cut inside a UTF-8 character. */
static struct sonde_str shorten(struct sonde_str name)
{
    if (name.length > NAME_MAX_BYTES) {
        name.length = NAME_MAX_BYTES;
        while (name.length && ((unsigned char)name.data[name.length] & 0xc0) == 0x80) {
            name.length--;
        }
    }
    return name;
}

static void say_hot(struct sonde_finding *finding, const struct sonde_profile *profile,
                    const struct sonde_cpu_function *function, double share)
{
    const struct sonde_frame *callee = &profile->frames[function->callee];
    struct sonde_str name = sonde_frame_name(callee);
    bool own = function->callee == function->frame;
    (void)snprintf(finding->title, sizeof(finding->title),
                   "%.0f %% of the busy time is spent in %.*s%s%.*s", share * 100,
                   SONDE_STR_ARG(shorten(finding->function)), own ? "" : ", most of it in ",
                   SONDE_STR_ARG(own ? SONDE_STR("") : shorten(name)));
    const char *advice = own ? NULL : advice_for(callee);
    if (!advice && callee->category == SONDE_CATEGORY_DEPENDENCY) {
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "Call the package %.*s less often, or with less data.",
                       SONDE_STR_ARG(shorten(callee->package)));
        return;
    }
    (void)snprintf(finding->advice, sizeof(finding->advice), "%s",
                   advice ? advice
                          : "Do this work less often, make it cheaper, or move it off the event "
                            "loop (a worker thread).");
}

static void find_hot(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    if (sonde_share(a->busy_ns, a->wall_ns) < BUSY_SHARE) {
        return;
    }
    for (size_t i = 0; i < a->function_count && i < HOT_MAX; i++) {
        const struct sonde_cpu_function *function = &a->functions[a->by_blame[i]];
        double share = sonde_share(function->blamed_ns, a->busy_ns);
        if (share < HOT_SHARE) {
            return;
        }
        double of_wall = sonde_share(function->blamed_ns, a->wall_ns);
        double confidence = profile->total_samples < SAMPLES_MIN ? 0.5 : 0.9;
        bool saturated = sonde_share(a->busy_ns, a->wall_ns) >= SATURATED_SHARE;
        int severity = (int)(50 * (share + of_wall)) + (saturated ? SATURATED_SEVERITY : 0);
        struct sonde_finding *finding =
            add(a, "hot-function", severity < SEVERITY_MAX ? severity : SEVERITY_MAX, confidence);
        place(finding, profile, function);
        say_hot(finding, profile, function, share);
        evidence(finding, "busyShare", share, "share");
        evidence(finding, "wallShare", of_wall, "share");
        evidence(finding, "selfShare", sonde_share(function->self_ns, a->busy_ns), "share");
        evidence(finding, "time", (double)function->blamed_ns / 1e6, "ms");
    }
}

/* A driver parses rows, a framework renders, in callbacks that come straight from the event loop:
 * no line of the app is on the stack, and yet the time is spent. */
static void find_packages(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    if (sonde_share(a->busy_ns, a->wall_ns) < BUSY_SHARE) {
        return;
    }
    for (size_t i = 0; i < a->package_count && i < HOT_MAX; i++) {
        const struct sonde_cpu_package *package = &a->packages[i];
        double share = sonde_share(package->orphan_ns, a->busy_ns);
        if (share < PACKAGE_SHARE) {
            continue;
        }
        double of_wall = sonde_share(package->orphan_ns, a->wall_ns);
        double confidence = profile->total_samples < SAMPLES_MIN ? 0.5 : 0.8;
        struct sonde_finding *finding =
            add(a, "hot-package", (int)(40 * (share + of_wall)), confidence);
        for (size_t k = 0; k < a->function_count; k++) {
            if (a->functions[k].frame == package->frame) {
                place(finding, profile, &a->functions[k]);
            }
        }
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%.0f %% of the busy time is spent in callbacks of the package %.*s%s%.*s",
                       share * 100, SONDE_STR_ARG(shorten(package->name)),
                       package->version.length ? "@" : "",
                       SONDE_STR_ARG(shorten(package->version)));
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "It works off what was asked of it: ask for less (rows, columns, messages) "
                       "or less often.");
        evidence(finding, "busyShare", share, "share");
        evidence(finding, "wallShare", of_wall, "share");
        evidence(finding, "time", (double)package->orphan_ns / 1e6, "ms");
    }
}

static void find_saturation(struct sonde_cpu_analysis *a)
{
    double busy = sonde_share(a->busy_ns, a->wall_ns);
    if (busy < SATURATED_SHARE) {
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

static void find_blocked(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    double idle = sonde_share(a->wall_ns - a->busy_ns, a->wall_ns);
    if (a->stall_count == 0 || a->stalls[0].length_us < STALL_US || idle < STALL_IDLE_SHARE) {
        return;
    }
    const struct sonde_cpu_stall *stall = &a->stalls[0];
    double ms = (double)stall->length_us / 1000;
    struct sonde_finding *finding =
        add(a, "blocked-event-loop", ms > 1000 ? 90 : (int)(30 + ms * 0.06), 0.7);
    const struct sonde_frame *frame = &profile->frames[stall->frame];
    const struct sonde_position *at = sonde_frame_position(frame);
    finding->function = sonde_frame_name(frame);
    finding->file = at->file;
    finding->line = at->line;
    finding->column = at->column;
    (void)snprintf(finding->title, sizeof(finding->title),
                   "the event loop was busy for %.0f ms without a pause, most of it in %.*s", ms,
                   SONDE_STR_ARG(shorten(finding->function)));
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "Every request waits meanwhile: split the work, or move it to a worker thread.");
    evidence(finding, "longestStall", ms, "ms");
}

static void say_healthy(const struct sonde_profile *profile, struct sonde_cpu_analysis *a)
{
    double busy = sonde_share(a->busy_ns, a->wall_ns);
    struct sonde_finding *finding =
        add(a, "healthy", 0, profile->total_samples < SAMPLES_MIN ? 0.3 : 0.8);
    (void)snprintf(
        finding->title, sizeof(finding->title),
        "nothing stands out: the CPU was busy for %.0f %% of the time, and no function of "
        "yours took more than %.0f %% of that",
        busy * 100, HOT_SHARE * 100);
    (void)snprintf(finding->advice, sizeof(finding->advice), "%s",
                   busy < BUSY_SHARE
                       ? "If requests are slow all the same, they wait for something: a "
                         "database, another service, a lock."
                       : "The time is spread widely; compare with a run from a better day.");
    evidence(finding, "busyShareOfWall", busy, "share");
    evidence(finding, "gcShare", sonde_share(a->gc_ns, a->busy_ns), "share");
}

static int compare_findings(const void *a, const void *b)
{
    return ((const struct sonde_finding *)b)->severity -
           ((const struct sonde_finding *)a)->severity;
}

void sonde_cpu_find(const struct sonde_profile *profile, struct sonde_cpu_analysis *analysis)
{
    find_hot(profile, analysis);
    find_packages(profile, analysis);
    find_saturation(analysis);
    find_collector(analysis);
    find_blocked(profile, analysis);
    if (analysis->finding_count == 0) {
        say_healthy(profile, analysis);
    }
    qsort(analysis->findings, analysis->finding_count, sizeof(*analysis->findings),
          compare_findings);
}
