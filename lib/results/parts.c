/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a report that are no profiles: each artifact of its own. */
#include "results/parts.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/cell.h"
#include "analysis/diagnostics.h"
#include "analysis/timeline.h"
#include "load/duration.h"
#include "load/report.h"
#include "results/compare.h"
#include "results/event_loop.h"
#include "results/load_test.h"
#include "results/measured.h"
#include "results/snapshots.h"

struct loading {
    struct sonde_db *db;
    const struct sonde_results_parts_wanted *wanted;
    struct sonde_results_parts *parts;
    size_t left; /* bytes of texts */
};

/* Fills text, json and findings of a part. */
typedef int (*print_part)(struct loading *loading, const struct sonde_artifact *artifact,
                          struct sonde_results_part *part, struct sonde_err *err);

static int print_event_loop(struct loading *loading, const struct sonde_artifact *artifact,
                            struct sonde_results_part *part, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_EVENT_LOOP_BYTES_MAX);
    int r = sonde_artifact_text(loading->db, artifact, &text, err);
    SONDE_FREE struct sonde_event_loop *loop = calloc(1, sizeof(*loop));
    if (r < 0 || !loop) {
        return r < 0 ? r : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    r = sonde_results_event_loop(loading->db, artifact, sonde_buf_view(&text), loop, err);
    if (r == 0) {
        part->findings = loop->finding_count;
        r = sonde_results_top_offer_finding(&part->top, &loop->findings[0], err);
        sonde_event_loop_text(loop, loading->wanted->directory, &part->text);
        sonde_event_loop_json(loop, &part->json);
    }
    sonde_event_loop_fini(loop);
    return r;
}

static int print_diagnostics(struct loading *loading, const struct sonde_artifact *artifact,
                             struct sonde_results_part *part, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_DIAGNOSTICS_BYTES_MAX);
    struct sonde_diagnostics diagnostics;
    int r = sonde_artifact_text(loading->db, artifact, &text, err);
    r = r < 0 ? r : sonde_diagnostics_read(sonde_buf_view(&text), &diagnostics, err);
    if (r == 0) {
        sonde_diagnostics_text(&diagnostics, &part->text);
        sonde_diagnostics_json(&diagnostics, &part->json);
    }
    return r;
}

static int print_timeline(struct loading *loading, const struct sonde_artifact *artifact,
                          struct sonde_results_part *part, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_TIMELINE_BYTES_MAX);
    struct sonde_timeline timeline;
    int r = sonde_artifact_text(loading->db, artifact, &text, err);
    r = r < 0 ? r : sonde_timeline_analyze(sonde_buf_view(&text), &timeline, err);
    if (r == 0) {
        part->findings = timeline.finding_count;
        sonde_timeline_text(&timeline, &part->text);
        sonde_timeline_json(&timeline, &part->json);
    }
    return r;
}

/* ---- load tests ---- */

/* "99 % within 836 µs, 500 answers a second", or what is wrong. */
static int name_load(const struct sonde_load_result *result, struct sonde_results_part *part,
                     struct sonde_err *err)
{
    enum { NOTHING_WRONG = 0, BROKEN = 90 };
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_RESULTS_TOP_MAX * 2);
    char p99[SONDE_LOAD_DURATION_SIZE];
    const struct sonde_load_tally *t = &result->tally;
    bool passes = sonde_load_result_passes(result);
    bool valid = result->validity.valid;
    double seconds = (double)result->duration_ns / 1e9;
    sonde_buf_text(&text, !valid ? "invalid, " : passes ? "" : "broken, ");
    sonde_buf_printf(&text, "99 %% within %s, %.0f answers a second",
                     sonde_load_duration(sonde_histogram_quantile(&t->response, 0.99), p99),
                     seconds > 0 ? (double)t->answered / seconds : 0);
    part->findings = !valid || !passes;
    return sonde_results_top_offer(&part->top, part->findings ? BROKEN : NOTHING_WRONG, &text, err);
}

static int print_load(struct loading *loading, const struct sonde_artifact *artifact,
                      struct sonde_results_part *part, struct sonde_err *err)
{
    SONDE_FREE struct sonde_load_result *result = calloc(1, sizeof(*result));
    if (!result) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_results_load_test(loading->db, artifact, result, err);
    r = r < 0 ? r : sonde_load_report_text(result, &part->text, err);
    r = r < 0 ? r : sonde_load_report_json(result, &part->json, err);
    r = r < 0 ? r : name_load(result, part, err);
    sonde_load_result_fini(result);
    return r;
}

/* ---- heaps ---- */

/* "62% Map": of what most is kept. Its path is for those alone who may see the heap. */
static int name_top(const struct sonde_heap_analysis *a, struct sonde_results_part *part,
                    struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_RESULTS_TOP_MAX * 2);
    if (a->biggest_count == 0) {
        return 0;
    }
    sonde_buf_printf(&text, "%.0f%% ",
                     100 * (double)a->biggest[0].retained / (double)a->heap->total_size);
    sonde_buf_str(&text, sonde_heap_class_name(a->heap, a->biggest[0].node));
    return sonde_results_top_offer(&part->top, a->finding_count ? a->findings[0].severity : 0,
                                   &text, err);
}

/* The snapshot of the run before that it is compared with: the one of its name, or the only one.
 * 0 without one. */
static int find_earlier(struct loading *loading, const char *name,
                        struct sonde_results_snapshot *ret, bool *ret_found, struct sonde_err *err)
{
    const char *before = loading->wanted->before;
    int r = SONDE_ENOTFOUND;
    if (before) {
        r = sonde_results_snapshot_find(loading->db, before, name, ret, err);
        r = r == SONDE_ENOTFOUND ? sonde_results_snapshot_find(loading->db, before, NULL, ret, err)
                                 : r;
    }
    *ret_found = r == 0;
    return r == SONDE_ENOTFOUND || r == SONDE_EINVALID ? 0 : r;
}

static int print_heap(struct loading *loading, const struct sonde_artifact *artifact,
                      struct sonde_results_part *part, struct sonde_err *err)
{
    struct sonde_results_snapshot snapshot = {.bytes = artifact->bytes};
    struct sonde_results_snapshot earlier;
    struct sonde_results_heap heap = {0};
    (void)snprintf(snapshot.name, sizeof(snapshot.name), "%s", artifact->name);
    memcpy(snapshot.sha256, artifact->sha256, sizeof(snapshot.sha256));
    int r = find_earlier(loading, part->name, &earlier, &part->is_compared, err);
    r = r < 0 ? r
              : sonde_results_heap_open(loading->db, &snapshot, part->is_compared ? &earlier : NULL,
                                        loading->wanted->heap_bytes_max, &heap, &part->refused);
    if (r == 0) {
        part->findings = heap.analysis.finding_count;
        sonde_heap_report_text(&heap.analysis, &part->text);
        sonde_heap_report_json(&heap.analysis, &part->json);
        r = name_top(&heap.analysis, part, err);
    } else if (r == SONDE_ELIMIT) {
        sonde_buf_printf(&part->text, "not analysed: %s\n", part->refused.message);
        sonde_buf_text(&part->json, ",\"problem\":");
        sonde_buf_json_string(&part->json, sonde_str(part->refused.message));
        r = 0;
    } else if (err && part->refused.code) {
        *err = part->refused;
    }
    sonde_results_heap_fini(&heap);
    return r;
}

static const struct {
    const char *type;
    print_part print;
} kinds[] = {
    {SONDE_ARTIFACT_EVENT_LOOP, print_event_loop}, {SONDE_ARTIFACT_REPORT, print_diagnostics},
    {SONDE_ARTIFACT_HEAP_SNAPSHOT, print_heap},    {SONDE_ARTIFACT_TIMELINE, print_timeline},
    {SONDE_ARTIFACT_LOAD_RESULT, print_load},
};

/* What changed since the run before, where that has the same: the part of this name, or its only
 * one. */
static int add_measures(struct loading *loading, const struct sonde_artifact *artifact,
                        struct sonde_results_part *part, struct sonde_err *err)
{
    const char *before = loading->wanted->before;
    struct sonde_results_measured found;
    if (!before || !sonde_results_is_measured(part->type)) {
        return 0;
    }
    SONDE_FREE struct sonde_measures *measures = calloc(1, sizeof(*measures));
    if (!measures) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_results_measure(loading->db, before, part->name, part->type, SONDE_BEFORE,
                                  measures, &found, err);
    if (r == SONDE_ENOTFOUND) {
        r = sonde_results_measure(loading->db, before, NULL, part->type, SONDE_BEFORE, measures,
                                  &found, err);
    }
    if (r == SONDE_ENOTFOUND || r == SONDE_EINVALID) {
        return 0;
    }
    r = r < 0 ? r
              : sonde_results_measure(loading->db, artifact->run_uid, part->name, part->type,
                                      SONDE_AFTER, measures, &found, err);
    if (r == 0) {
        part->is_compared = true;
        sonde_buf_text(&part->text, "\nbeside the run before\n");
        sonde_measures_table(measures, &part->text);
        sonde_measures_members(measures, &part->json);
    }
    return r;
}

/* The same of a load test: the member "comparison", as `sonde compare` prints it. */
static int add_load(struct loading *loading, const struct sonde_artifact *artifact,
                    struct sonde_results_part *part, struct sonde_err *err)
{
    const char *before = loading->wanted->before;
    if (!before || strcmp(part->type, SONDE_ARTIFACT_LOAD_RESULT) != 0) {
        return 0;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(loading->left);
    struct sonde_results_pair pair = {{before, artifact->run_uid}, {part->name, part->name}};
    int r = sonde_results_compare_load(loading->db, &pair, true, &text, err);
    if (r == SONDE_ENOTFOUND) {
        sonde_buf_clear(&text);
        pair.captures[SONDE_BEFORE] = NULL;
        r = sonde_results_compare_load(loading->db, &pair, true, &text, err);
    }
    if (r == SONDE_ENOTFOUND || r == SONDE_EINVALID) {
        return 0;
    }
    if (r == 0) {
        part->is_compared = true;
        sonde_buf_text(&part->json, ",\"comparison\":");
        sonde_buf_str(&part->json, sonde_str_trim(sonde_buf_view(&text)));
    }
    return r;
}

static int load_part(struct loading *loading, const struct sonde_artifact *artifact, size_t kind,
                     struct sonde_err *err)
{
    struct sonde_results_parts *parts = loading->parts;
    struct sonde_results_part *part = &parts->items[parts->count++];
    part->type = kinds[kind].type;
    part->top = SONDE_RESULTS_TOP;
    part->text = SONDE_BUF(loading->left);
    part->json = SONDE_BUF(loading->left);
    sonde_results_part_name(artifact->name, part->name, sizeof(part->name));
    int r = kinds[kind].print(loading, artifact, part, err);
    r = r < 0 ? r : add_measures(loading, artifact, part, err);
    r = r < 0 ? r : add_load(loading, artifact, part, err);
    r = r < 0 ? r : sonde_buf_check(&part->text, "a part of the report", err);
    r = r < 0 ? r : sonde_buf_check(&part->json, "a part of the report", err);
    if (r < 0) {
        return sonde_err_wrap(err, r, "%s", artifact->name);
    }
    size_t used = part->text.length + part->json.length;
    loading->left -= used < loading->left ? used : loading->left;
    parts->view[parts->count - 1] = (struct sonde_report_part){
        .name = part->name,
        .type = part->type,
        .text = sonde_buf_view(&part->text),
        .json = sonde_buf_view(&part->json),
    };
    return 0;
}

static int load(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct loading *loading = context;
    if (!sonde_results_is_named(artifact, loading->wanted->capture) ||
        loading->parts->count == SONDE_RESULTS_PARTS_MAX) {
        return 0;
    }
    for (size_t i = 0; i < SONDE_LENGTH(kinds); i++) {
        if (strcmp(kinds[i].type, artifact->type) == 0) {
            return load_part(loading, artifact, i, err);
        }
    }
    return 0;
}

int sonde_results_parts(struct sonde_db *db, const char *uid,
                        const struct sonde_results_parts_wanted *wanted,
                        struct sonde_results_parts *ret, struct sonde_err *err)
{
    struct loading loading = {db, wanted, ret, SONDE_RESULTS_PARTS_BYTES_MAX};
    ret->count = 0;
    return sonde_db_artifacts(db, uid, load, &loading, err);
}

void sonde_results_parts_fini(struct sonde_results_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        sonde_buf_fini(&parts->items[i].text);
        sonde_buf_fini(&parts->items[i].json);
    }
    parts->count = 0;
}
