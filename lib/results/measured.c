/* SPDX-License-Identifier: Apache-2.0 */
#include "results/measured.h"

#include <stdlib.h>
#include <string.h>

#include "results/compare.h"
#include "results/matches.h"
#include "results/snapshots.h"

static int measure_loop(struct sonde_str text, int side, struct sonde_measures *measures,
                        struct sonde_err *err)
{
    SONDE_FREE struct sonde_event_loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_event_loop_analyze(text, NULL, loop, err);
    if (r == 0) {
        sonde_measures_of_loop(measures, side, loop);
    }
    sonde_event_loop_fini(loop);
    return r;
}

static int measure_report(struct sonde_str text, int side, struct sonde_measures *measures,
                          struct sonde_err *err)
{
    struct sonde_diagnostics report;
    int r = sonde_diagnostics_read(text, &report, err);
    if (r == 0) {
        sonde_measures_of_report(measures, side, &report);
    }
    return r;
}

static int measure_timeline(struct sonde_str text, int side, struct sonde_measures *measures,
                            struct sonde_err *err)
{
    struct sonde_timeline timeline;
    int r = sonde_timeline_analyze(text, &timeline, err);
    if (r == 0) {
        sonde_measures_of_timeline(measures, side, &timeline);
    }
    return r;
}

static const struct kind {
    const char *type;
    size_t bytes_max;
    int (*measure)(struct sonde_str text, int side, struct sonde_measures *measures,
                   struct sonde_err *err);
} kinds[] = {
    {SONDE_ARTIFACT_EVENT_LOOP, SONDE_EVENT_LOOP_BYTES_MAX, measure_loop},
    {SONDE_ARTIFACT_REPORT, SONDE_DIAGNOSTICS_BYTES_MAX, measure_report},
    {SONDE_ARTIFACT_TIMELINE, SONDE_TIMELINE_BYTES_MAX, measure_timeline},
};

static const struct kind *find_kind(const char *type)
{
    for (size_t i = 0; i < SONDE_LENGTH(kinds); i++) {
        if (strcmp(kinds[i].type, type) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool sonde_results_is_measured(const char *type)
{
    return find_kind(type) != NULL;
}

struct search {
    struct sonde_db *db;
    const char *wanted, *type;
    struct sonde_results_matches matches;
    struct sonde_buf text;
    const struct kind *kind;
    struct sonde_results_measured *ret;
};

static int look(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct search *search = context;
    const struct kind *kind = find_kind(artifact->type);
    struct sonde_results_measured found;
    sonde_results_part_name(artifact->name, found.name, sizeof(found.name));
    bool meant = search->type ? strcmp(search->type, artifact->type) == 0 &&
                                    (!search->wanted || strcmp(search->wanted, found.name) == 0)
                              : sonde_results_is_named(artifact, search->wanted);
    if (!kind || !meant) {
        return 0;
    }
    found.type = kind->type;
    if (!sonde_results_match(&search->matches, found.name)) {
        return 0;
    }
    *search->ret = found;
    search->kind = kind;
    search->text = SONDE_BUF(kind->bytes_max);
    return sonde_artifact_text(search->db, artifact, &search->text, err);
}

int sonde_results_measure(struct sonde_db *db, const char *uid, const char *wanted,
                          const char *type, int side, struct sonde_measures *measures,
                          struct sonde_results_measured *ret, struct sonde_err *err)
{
    struct search search = {.db = db, .wanted = wanted, .type = type, .ret = ret};
    int r = sonde_db_artifacts(db, uid, look, &search, err);
    r = r < 0 ? r : sonde_results_matches_check(&search.matches, "such capture", wanted, err);
    r = r < 0 ? r : search.kind->measure(sonde_buf_view(&search.text), side, measures, err);
    sonde_buf_fini(&search.text);
    return r;
}

/* ---- two runs ---- */

struct side {
    char name[SONDE_DB_NAME_MAX + 1];
    struct sonde_results_measured measured;
};

int sonde_results_compare_measures(struct sonde_db *db, const struct sonde_results_pair *pair,
                                   bool json, struct sonde_buf *buf, struct sonde_err *err)
{
    struct side sides[SONDE_SIDES] = {0};
    struct sonde_measures_side told[SONDE_SIDES];
    SONDE_FREE struct sonde_measures *measures = calloc(1, sizeof(*measures));
    if (!measures) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    for (int i = 0; i < SONDE_SIDES; i++) {
        struct side *side = &sides[i];
        const char *uid = pair->uids[i];
        int r = sonde_results_run_name(db, uid, side->name, err);
        r = r < 0 ? r
                  : sonde_results_measure(db, uid, pair->captures[i], NULL, i, measures,
                                          &side->measured, err);
        if (r < 0) {
            return sonde_err_wrap(err, r, "%.64s", side->name[0] ? side->name : uid);
        }
        told[i] = (struct sonde_measures_side){uid, side->name, side->measured.name};
    }
    if (strcmp(sides[SONDE_BEFORE].measured.type, sides[SONDE_AFTER].measured.type) != 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%s is of type %s and %s of type %s: give --capture NAME, one that both "
                          "have",
                          sides[SONDE_BEFORE].measured.name, sides[SONDE_BEFORE].measured.type,
                          sides[SONDE_AFTER].measured.name, sides[SONDE_AFTER].measured.type);
    }
    (json ? sonde_measures_json : sonde_measures_text)(measures, told, buf);
    return sonde_buf_check(buf, "the comparison", err);
}
