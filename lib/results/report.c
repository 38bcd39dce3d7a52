/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report.h"
#include "base/clock.h"
#include "codec/json.h"
#include "results/compare.h"
#include "results/covered_sources.h"
#include "results/load.h"
#include "results/page.h"
#include "results/parts.h"
#include "results/reader.h"
#include "results/regression_report.h"
#include "results/results.h"
#include "results/sources.h"
#include "results/top.h"

const char *const sonde_results_report_formats[] = {
    [SONDE_RESULTS_TEXT] = "text",
    [SONDE_RESULTS_JSON] = "json",
    [SONDE_RESULTS_HTML] = "html",
    NULL,
};

const char *sonde_results_report_media_type(enum sonde_results_report_format format)
{
    static const char *const types[] = {
        [SONDE_RESULTS_TEXT] = "text/plain; charset=utf-8",
        [SONDE_RESULTS_JSON] = "application/json",
        [SONDE_RESULTS_HTML] = "text/html; charset=utf-8",
    };
    return types[format];
}

/* A run's row, copied: the database's own texts go with the next step. */
struct row {
    struct sonde_run run;
    char *texts[4]; /* name, reason, message, status */
};

static int copy_row(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct row *row = context;
    const char *const from[] = {run->name, run->reason, run->message, run->status};
    row->run = *run;
    for (size_t i = 0; i < SONDE_LENGTH(from); i++) {
        row->texts[i] = strdup(from[i]);
        if (!row->texts[i]) {
            return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
        }
    }
    return 0;
}

static void free_row(struct row *row)
{
    for (size_t i = 0; i < SONDE_LENGTH(row->texts); i++) {
        free(row->texts[i]);
    }
}

static void read_status(const cJSON *status, struct sonde_report *report)
{
    const cJSON *cost = cJSON_GetObjectItemCaseSensitive(status, "cost");
    const cJSON *loop = cJSON_GetObjectItemCaseSensitive(status, "eventLoop");
    report->target = sonde_json_string_or(status, "target", "");
    report->node_version = sonde_json_string_or(status, "nodeVersion", "");
    report->directory = sonde_json_string_or(status, "directory", "");
    report->cost = (struct sonde_report_cost){
        .measured = cJSON_IsObject(cost),
        .attach_ms = sonde_json_number_or(cost, "attachMilliseconds", 0),
        .inspector_open_s = sonde_json_number_or(cost, "inspectorOpenSeconds", 0),
        .start_stall_ms = sonde_json_number_or(cost, "startStallMilliseconds", 0),
        .stop_stall_ms = sonde_json_number_or(cost, "stopStallMilliseconds", 0),
        .rotations = sonde_json_integer_or(cost, "rotations", 0),
        .rotation_p50_ms = sonde_json_number_or(cost, "rotationStallP50Milliseconds", 0),
        .rotation_p99_ms = sonde_json_number_or(cost, "rotationStallP99Milliseconds", 0),
        .rotation_max_ms = sonde_json_number_or(cost, "rotationStallMaxMilliseconds", 0),
        .bytes = sonde_json_integer_or(cost, "bytes", 0),
        .workers_lost = sonde_json_integer_or(cost, "workerThreadsLost", 0),
    };
    report->loop = (struct sonde_report_loop){
        .measured = cJSON_IsObject(loop),
        .mean_ms = sonde_json_number_or(loop, "delayMeanMilliseconds", 0),
        .p50_ms = sonde_json_number_or(loop, "delayP50Milliseconds", 0),
        .p99_ms = sonde_json_number_or(loop, "delayP99Milliseconds", 0),
        .max_ms = sonde_json_number_or(loop, "delayMaxMilliseconds", 0),
        .utilization = sonde_json_number_or(loop, "utilization", 0),
    };
}

/* The captures of a report with what belongs to each. */
struct loaded {
    const char *wanted; /* NULL: all */
    struct sonde_buf names[SONDE_RESULTS_CAPTURES_MAX];
    bool is_coverage[SONDE_RESULTS_CAPTURES_MAX];
    unsigned units[SONDE_RESULTS_CAPTURES_MAX]; /* that the profile may have: a bit for each */
    struct sonde_coverage coverages[SONDE_RESULTS_CAPTURES_MAX];
    struct sonde_coverage_analysis coverage_analyses[SONDE_RESULTS_CAPTURES_MAX];
    struct sonde_profile profiles[SONDE_RESULTS_CAPTURES_MAX];
    struct sonde_cpu_analysis analyses[SONDE_RESULTS_CAPTURES_MAX];
    struct sonde_allocation_analysis allocations[SONDE_RESULTS_CAPTURES_MAX];
    struct sonde_report_capture captures[SONDE_RESULTS_CAPTURES_MAX];
    size_t count;
    size_t left; /* bytes of memory for the captures to come */
    bool whole;  /* the profiles are shown, not only what was made of them */
};

static void free_capture(struct loaded *loaded, size_t i)
{
    sonde_cpu_analysis_fini(&loaded->analyses[i]);
    sonde_allocation_analysis_fini(&loaded->allocations[i]);
    sonde_profile_fini(&loaded->profiles[i]);
    sonde_coverage_analysis_fini(&loaded->coverage_analyses[i]);
    sonde_coverage_fini(&loaded->coverages[i]);
}

static void free_loaded(struct loaded *loaded)
{
    for (size_t i = 0; loaded && i < loaded->count; i++) {
        sonde_buf_fini(&loaded->names[i]);
        free_capture(loaded, i);
    }
    free(loaded);
}

static int add_name(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct loaded *loaded = context;
    bool coverage = strcmp(artifact->type, SONDE_ARTIFACT_COVERAGE) == 0;
    if ((!coverage && !sonde_results_is_profile(artifact->type)) ||
        (loaded->wanted && strcmp(loaded->wanted, artifact->capture) != 0)) {
        return 0;
    }
    for (size_t i = 0; i < loaded->count; i++) {
        if (sonde_str_is(sonde_buf_view(&loaded->names[i]), artifact->capture)) {
            return 0;
        }
    }
    if (loaded->count == SONDE_RESULTS_CAPTURES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %d captures",
                          SONDE_RESULTS_CAPTURES_MAX);
    }
    loaded->is_coverage[loaded->count] = coverage;
    loaded->units[loaded->count] = sonde_results_units(artifact->type);
    struct sonde_buf *name = &loaded->names[loaded->count++];
    *name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    sonde_buf_text(name, artifact->capture);
    return sonde_buf_check(name, "a capture's name", err);
}

static int load_coverage(struct sonde_db *db, const char *uid, struct loaded *loaded, size_t i,
                         struct sonde_err *err)
{
    struct sonde_coverage *coverage = &loaded->coverages[i];
    int r = sonde_results_coverage(db, uid, loaded->names[i].data, loaded->left, coverage, err);
    loaded->left -= coverage->budget.used;
    loaded->captures[i] = (struct sonde_report_capture){
        .name = loaded->names[i].data,
        .coverage = &loaded->coverage_analyses[i],
    };
    return r < 0 ? r : sonde_coverage_analyze(coverage, &loaded->coverage_analyses[i], err);
}

static int analyze(struct loaded *loaded, size_t i, struct sonde_err *err)
{
    const struct sonde_profile *profile = &loaded->profiles[i];
    if (profile->unit == SONDE_PROFILE_BYTES) {
        loaded->captures[i].allocations = &loaded->allocations[i];
        return sonde_allocations_analyze(profile, &loaded->allocations[i], err);
    }
    loaded->captures[i].analysis = &loaded->analyses[i];
    return sonde_cpu_analyze(profile, &loaded->analyses[i], err);
}

/* All captures together have as much memory as was left at the beginning. */
static int load_profile(struct sonde_db *db, const char *uid, struct loaded *loaded, size_t i,
                        struct sonde_err *err)
{
    struct sonde_profile *profile = &loaded->profiles[i];
    SONDE_BUF_AUTO found = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    int r = sonde_results_load(db, uid, loaded->names[i].data, loaded->left, NULL, profile, &found,
                               err);
    if (r < 0) {
        return r;
    }
    loaded->captures[i] = (struct sonde_report_capture){
        .name = loaded->names[i].data,
        .duration_s = (double)(profile->end_us - profile->start_us) / 1e6,
        .profile = profile,
    };
    r = analyze(loaded, i, err);
    if (!loaded->whole) {
        sonde_profile_settle(profile);
    }
    loaded->left -= profile->budget.used < loaded->left ? profile->budget.used : loaded->left;
    return r;
}

static int load_capture(struct sonde_db *db, const char *uid, struct loaded *loaded, size_t i,
                        struct sonde_err *err)
{
    return (loaded->is_coverage[i] ? load_coverage : load_profile)(db, uid, loaded, i, err);
}

/* All captures of the run, or the one that was asked for. */
static int find_captures(struct sonde_db *db, const char *uid, const char *wanted,
                         struct loaded *loaded, struct sonde_err *err)
{
    loaded->wanted = wanted;
    return sonde_db_artifacts(db, uid, add_name, loaded, err);
}

static int load_captures(struct sonde_db *db, const char *uid, const char *wanted,
                         struct loaded *loaded, struct sonde_err *err)
{
    int r = find_captures(db, uid, wanted, loaded, err);
    for (size_t i = 0; i < loaded->count && r == 0; i++) {
        struct sonde_err why = {0};
        r = load_capture(db, uid, loaded, i, &why);
        if (r == SONDE_ELIMIT && i > 0) {
            r = sonde_fail(err, r, 0, "%s, or give --capture %s", why.message,
                           loaded->names[i].data);
        } else if (r < 0 && err) {
            *err = why;
        }
    }
    return r;
}

/* The unit of a profile, without the rest. Only some artifacts have to be read for it. */
static int read_unit(struct sonde_db *db, const char *uid, struct loaded *loaded, size_t i,
                     struct sonde_err *err)
{
    struct sonde_profile *profile = &loaded->profiles[i];
    SONDE_BUF_AUTO found = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    profile->unit = loaded->units[i] == 1U << SONDE_PROFILE_BYTES ? SONDE_PROFILE_BYTES
                                                                  : SONDE_PROFILE_NANOSECONDS;
    if (loaded->units[i] == 1U << profile->unit) {
        return 0;
    }
    int r = sonde_results_load(db, uid, loaded->names[i].data, loaded->left, NULL, profile, &found,
                               err);
    enum sonde_profile_unit unit = profile->unit;
    sonde_profile_fini(profile);
    profile->unit = unit;
    return r;
}

/* What the captures are, and nothing of what they hold: enough to see which belong together. */
static int outline_captures(struct sonde_db *db, const char *uid, const char *wanted,
                            struct loaded *loaded, struct sonde_err *err)
{
    int r = find_captures(db, uid, wanted, loaded, err);
    for (size_t i = 0; i < loaded->count && r == 0; i++) {
        loaded->captures[i].name = loaded->names[i].data;
        if (loaded->is_coverage[i]) {
            loaded->captures[i].coverage = &loaded->coverage_analyses[i];
        } else {
            loaded->captures[i].profile = &loaded->profiles[i];
            r = read_unit(db, uid, loaded, i, err);
        }
    }
    return r;
}

/* A run's report with what it borrows. */
struct opened {
    struct row row;
    cJSON *status;
    char created[SONDE_TIME_SIZE];
    struct loaded *loaded;
    struct sonde_results_parts parts;
    struct sonde_buf regression, regression_json;
    struct sonde_report report;
};

static void close_report(struct opened *opened)
{
    free_loaded(opened->loaded);
    sonde_results_parts_fini(&opened->parts);
    sonde_buf_fini(&opened->regression);
    sonde_buf_fini(&opened->regression_json);
    cJSON_Delete(opened->status);
    free_row(&opened->row);
}

struct opening {
    const char *capture; /* NULL: all */
    uint64_t heap_bytes_max;
    size_t bytes_max; /* of memory, for the captures */
    bool whole;       /* a page shows the profiles */
    bool outline;     /* only what the captures are */
    bool without_parts;
    const char *before; /* the uid of a run that heaps are compared with, or NULL */
};

/* The parts come first: of what they take only texts are left. */
static int load_all(struct sonde_db *db, const char *uid, const struct opening *opening,
                    struct opened *ret, struct sonde_err *err)
{
    const char *capture = opening->capture;
    const struct sonde_results_parts_wanted wanted = {
        .capture = capture,
        .directory = ret->report.directory,
        .before = opening->before,
        .heap_bytes_max = opening->heap_bytes_max,
    };
    int r = opening->without_parts ? 0 : sonde_results_parts(db, uid, &wanted, &ret->parts, err);
    r = r < 0 ? r
              : (opening->outline ? outline_captures : load_captures)(db, uid, capture, ret->loaded,
                                                                      err);
    ret->report.captures = ret->loaded->captures;
    ret->report.capture_count = ret->loaded->count;
    ret->report.parts = ret->parts.view;
    ret->report.part_count = ret->parts.count;
    if (r == 0 && capture && !opening->without_parts &&
        ret->loaded->count + ret->parts.count == 0) {
        r = sonde_fail(err, SONDE_ENOTFOUND, 0, "the run has no report on a capture called %s",
                       capture);
    }
    return r;
}

/* The caller calls close_report in any case. */
static int open_report(struct sonde_db *db, const char *uid, const struct opening *opening,
                       struct opened *ret, struct sonde_err *err)
{
    *ret = (struct opened){0};
    int r = sonde_db_run_get(db, uid, copy_row, &ret->row, err);
    r = r < 0 ? r : sonde_json_parse(sonde_str(ret->row.texts[3]), &ret->status, err);
    if (r < 0) {
        return r;
    }
    ret->loaded = calloc(1, sizeof(*ret->loaded));
    if (!ret->loaded) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    ret->loaded->left = opening->bytes_max;
    ret->loaded->whole = opening->whole;
    sonde_time_format(ret->row.run.created_ns, ret->created);
    ret->report = (struct sonde_report){
        .name = ret->row.texts[0],
        .uid = ret->row.run.uid,
        .state = sonde_run_state_name(ret->row.run.state),
        .reason = ret->row.texts[1],
        .message = ret->row.texts[2],
        .created = ret->created,
    };
    read_status(ret->status, &ret->report);
    ret->regression = ret->regression_json = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    r = sonde_results_regression_report(ret->status, &ret->regression, &ret->regression_json, err);
    ret->report.regression = sonde_buf_view(&ret->regression);
    ret->report.regression_json = sonde_buf_view(&ret->regression_json);
    return r < 0 ? r : load_all(db, ret->row.run.uid, opening, ret, err);
}

/* What only a page shows of the captures of a report. */
struct page_extras {
    struct sonde_sources sources[SONDE_RESULTS_CAPTURES_MAX];
    struct sonde_page_capture captures[SONDE_RESULTS_CAPTURES_MAX];
    size_t count;
};

static void free_extras(struct page_extras *extras)
{
    for (size_t i = 0; i < extras->count; i++) {
        sonde_sources_fini(&extras->sources[i]);
    }
}

static int load_extras(struct sonde_db *db, const struct sonde_report *report,
                       struct page_extras *ret, struct sonde_err *err)
{
    int r = 0;
    for (size_t i = 0; i < report->capture_count && r == 0; i++) {
        const struct sonde_report_capture *capture = &report->captures[i];
        struct sonde_sources *sources = &ret->sources[ret->count++];
        *sources = SONDE_SOURCES;
        r = capture->profile
                ? sonde_sources_add(db, report->uid, capture->name, capture->profile, sources, err)
                : sonde_covered_sources_add(db, report->uid, capture->name,
                                            capture->coverage->coverage, sources, err);
        ret->captures[i] = (struct sonde_page_capture){sources->rows, sources->count};
    }
    return r;
}

/* before NULL: a page of one run. */
static int print_page(struct sonde_db *db, const struct sonde_report *before,
                      const struct sonde_report *report, const struct sonde_str *changes,
                      struct sonde_buf *buf, struct sonde_err *err)
{
    struct page_extras extras[2] = {0};
    const struct sonde_page page = {.report = report,
                                    .captures = extras[0].captures,
                                    .before = before,
                                    .before_captures = extras[1].captures,
                                    .changes = changes};
    int r = load_extras(db, report, &extras[0], err);
    r = r < 0 || !before ? r : load_extras(db, before, &extras[1], err);
    r = r < 0 ? r : sonde_page_write(&page, buf, err);
    free_extras(&extras[0]);
    free_extras(&extras[1]);
    return r;
}

static int print(struct sonde_db *db, const struct sonde_report *report,
                 enum sonde_results_report_format format, struct sonde_buf *buf,
                 struct sonde_err *err)
{
    switch (format) {
    case SONDE_RESULTS_TEXT:
        sonde_report_text(report, buf);
        break;
    case SONDE_RESULTS_JSON:
        sonde_report_json(report, buf);
        break;
    case SONDE_RESULTS_HTML:
        return print_page(db, NULL, report, NULL, buf, err);
    }
    return sonde_buf_check(buf, "the report", err);
}

int sonde_results_report(struct sonde_db *db, const char *uid,
                         const struct sonde_results_request *request, struct sonde_buf *buf,
                         struct sonde_err *err)
{
    struct opened opened;
    const struct opening opening = {.capture = request->capture,
                                    .heap_bytes_max = request->heap_bytes_max,
                                    .bytes_max = SONDE_PROFILE_BYTES_MAX,
                                    .whole = request->format == SONDE_RESULTS_HTML};
    int r = open_report(db, uid, &opening, &opened, err);
    r = r < 0 ? r : print(db, &opened.report, request->format, buf, err);
    close_report(&opened);
    return r;
}

/* ---- the page of a comparison ---- */

/* The comparison of each capture that has a partner, as JSON. */
static int compare_captures(struct sonde_db *db, const struct opened runs[SONDE_SIDES],
                            struct sonde_buf *texts, struct sonde_err *err)
{
    const struct sonde_report *before = &runs[SONDE_BEFORE].report;
    const struct sonde_report *after = &runs[SONDE_AFTER].report;
    int r = 0;
    for (size_t i = 0; i < after->capture_count && r == 0; i++) {
        size_t partner;
        texts[i] = SONDE_BUF(SONDE_PAGE_REPORT_MAX);
        if (sonde_page_partner(before, after, i, &partner)) {
            const struct sonde_results_pair pair = {
                {before->uid, after->uid},
                {before->captures[partner].name, after->captures[i].name}};
            r = (after->captures[i].profile
                     ? sonde_results_compare_profiles
                     : sonde_results_compare_coverage)(db, &pair, true, &texts[i], err);
        }
    }
    return r;
}

/* Before the page's own captures are loaded: a comparison holds those of both runs itself. */
static int compare_runs(struct sonde_db *db, const struct sonde_results_pair *pair,
                        struct sonde_buf *texts, struct sonde_err *err)
{
    struct opened runs[SONDE_SIDES] = {0};
    int r = 0;
    for (int i = 0; i < SONDE_SIDES && r == 0; i++) {
        const struct opening opening = {.capture = pair->captures[i],
                                        .bytes_max = SONDE_PROFILE_BYTES_MAX,
                                        .outline = true,
                                        .without_parts = true};
        r = open_report(db, pair->uids[i], &opening, &runs[i], err);
    }
    r = r < 0 ? r : compare_captures(db, runs, texts, err);
    close_report(&runs[SONDE_BEFORE]);
    close_report(&runs[SONDE_AFTER]);
    return r;
}

/* Whether the page has anything to compare. */
static bool any_change(const struct opened *after, const struct sonde_buf *texts)
{
    bool any = false;
    for (size_t i = 0; i < SONDE_RESULTS_CAPTURES_MAX; i++) {
        any = any || texts[i].length > 0;
    }
    for (size_t i = 0; i < after->parts.count; i++) {
        any = any || after->parts.items[i].is_compared;
    }
    return any;
}

int sonde_results_comparison_page(struct sonde_db *db, const struct sonde_results_pair *pair,
                                  uint64_t heap_bytes_max, struct sonde_buf *buf,
                                  struct sonde_err *err)
{
    struct opened runs[SONDE_SIDES] = {0};
    struct sonde_buf texts[SONDE_RESULTS_CAPTURES_MAX] = {0};
    struct sonde_str changes[SONDE_RESULTS_CAPTURES_MAX];
    struct opening opening = {.capture = pair->captures[SONDE_AFTER],
                              .heap_bytes_max = heap_bytes_max,
                              .bytes_max = SONDE_PROFILE_BYTES_MAX / 2,
                              .whole = true,
                              .before = pair->uids[SONDE_BEFORE]};
    int r = compare_runs(db, pair, texts, err);
    r = r < 0 ? r : open_report(db, pair->uids[SONDE_AFTER], &opening, &runs[SONDE_AFTER], err);
    opening.capture = pair->captures[SONDE_BEFORE];
    opening.without_parts = true;
    r = r < 0 ? r : open_report(db, pair->uids[SONDE_BEFORE], &opening, &runs[SONDE_BEFORE], err);
    if (r == 0 && !any_change(&runs[SONDE_AFTER], texts)) { /* says why */
        r = sonde_results_compare_pair(db, pair, heap_bytes_max, true, buf, err);
    }
    for (size_t i = 0; i < SONDE_RESULTS_CAPTURES_MAX; i++) {
        changes[i] = sonde_buf_view(&texts[i]);
    }
    r = r < 0 ? r
              : print_page(db, &runs[SONDE_BEFORE].report, &runs[SONDE_AFTER].report, changes, buf,
                           err);
    for (size_t i = 0; i < SONDE_RESULTS_CAPTURES_MAX; i++) {
        sonde_buf_fini(&texts[i]);
    }
    close_report(&runs[SONDE_BEFORE]);
    close_report(&runs[SONDE_AFTER]);
    return r;
}

/* ---- the summary ---- */

static int add_bytes(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct sonde_results_summary *summary = context;
    (void)err;
    summary->bytes += artifact->bytes;
    return 0;
}

/* The function of that rank in a profile, by what it answers for. False, and nothing appended:
 * there is none of at least that share. */
static bool put_function(const struct loaded *loaded, size_t i, size_t rank, double least,
                         struct sonde_buf *buf)
{
    const struct sonde_cpu_analysis *a = loaded->captures[i].analysis;
    const struct sonde_function_table *table = a ? &a->table : &loaded->allocations[i].table;
    if (rank >= table->function_count) {
        return false;
    }
    const struct sonde_function *function = &table->functions[table->by_blame[rank]];
    const struct sonde_frame *frame = &loaded->profiles[i].frames[function->frame];
    const struct sonde_position *position = sonde_frame_position(frame);
    double share = sonde_share(function->blamed, a ? a->busy_ns : table->whole);
    if (function->blamed <= 0 || share < least) {
        return false;
    }
    sonde_buf_printf(buf, "%s%.0f%% ", buf->length ? ", " : "", 100 * share);
    sonde_results_top_place(sonde_frame_name(frame), position->file,
                            function->hot_line ? function->hot_line : position->line, buf);
    return true;
}

/* Those after the most costly one. */
static int put_others(const struct loaded *loaded, size_t i, struct sonde_results_summary *ret,
                      struct sonde_err *err)
{
    enum { OTHERS = 2 };
    static const double least = 0.05;
    struct sonde_results_top others = SONDE_RESULTS_TOP;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROFILE_NAME_MAX * 6);
    for (size_t rank = 1; rank <= OTHERS; rank++) {
        (void)put_function(loaded, i, rank, least, &text);
    }
    int r = text.length ? sonde_results_top_offer(&others, 0, &text, err) : 0;
    memcpy(ret->others, others.text, sizeof(ret->others));
    return r;
}

/* The most costly function of a profile. */
static int offer_profile(const struct loaded *loaded, size_t i, struct sonde_results_top *top,
                         struct sonde_results_summary *ret, struct sonde_err *err)
{
    const struct sonde_cpu_analysis *a = loaded->captures[i].analysis;
    const struct sonde_finding *worst = a ? a->findings : loaded->allocations[i].findings;
    int before = top->severity;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PROFILE_NAME_MAX * 3);
    if (!put_function(loaded, i, 0, 0, &text)) {
        return 0;
    }
    int r = sonde_results_top_offer(top, worst->severity, &text, err);
    return r < 0 || top->severity == before ? r : put_others(loaded, i, ret, err);
}

static int offer_capture(const struct loaded *loaded, size_t i, struct sonde_results_top *top,
                         struct sonde_results_summary *ret, struct sonde_err *err)
{
    const struct sonde_coverage_analysis *coverage = &loaded->coverage_analyses[i];
    if (!loaded->is_coverage[i]) {
        return offer_profile(loaded, i, top, ret, err);
    }
    int before = top->severity;
    int r = coverage->finding_count
                ? sonde_results_top_offer_finding(top, &coverage->findings[0], err)
                : 0;
    ret->others[0] = top->severity == before ? ret->others[0] : '\0';
    return r;
}

/* Of what is no profile. */
static int add_parts(struct sonde_db *db, const char *uid, uint64_t heap_bytes_max,
                     struct sonde_results_summary *ret, struct sonde_results_top *top,
                     struct sonde_err *err)
{
    const struct sonde_results_parts_wanted wanted = {.directory = "",
                                                      .heap_bytes_max = heap_bytes_max};
    SONDE_FREE struct sonde_results_parts *parts = calloc(1, sizeof(*parts));
    if (!parts) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_results_parts(db, uid, &wanted, parts, err);
    for (size_t i = 0; i < parts->count && r == 0; i++) {
        const struct sonde_results_part *part = &parts->items[i];
        r = part->refused.code ? sonde_fail(err, part->refused.code, 0, "%s", part->refused.message)
                               : 0;
        ret->findings += (int64_t)part->findings;
        if (part->top.severity > top->severity) {
            *top = part->top;
            ret->others[0] = '\0';
        }
    }
    sonde_results_parts_fini(parts);
    return r;
}

int sonde_results_summary(struct sonde_db *db, const char *uid, uint64_t heap_bytes_max,
                          struct sonde_results_summary *ret, struct sonde_err *err)
{
    struct sonde_results_top top = SONDE_RESULTS_TOP;
    *ret = (struct sonde_results_summary){0};
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    if (!loaded) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_db_artifacts(db, uid, add_bytes, ret, err);
    r = r < 0 ? r : find_captures(db, uid, NULL, loaded, err);
    for (size_t i = 0; i < loaded->count && r == 0; i++) {
        loaded->left = SONDE_PROFILE_BYTES_MAX;
        r = load_capture(db, uid, loaded, i, err);
        r = r < 0 ? r : offer_capture(loaded, i, &top, ret, err);
        ret->findings +=
            (int64_t)(loaded->analyses[i].finding_count + loaded->allocations[i].finding_count +
                      loaded->coverage_analyses[i].finding_count);
        free_capture(loaded, i);
    }
    free_loaded(loaded);
    r = r < 0 ? r : add_parts(db, uid, heap_bytes_max, ret, &top, err);
    memcpy(ret->top, top.text, sizeof(ret->top));
    return r;
}
