/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/compare.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "results/compare.h"
#include "results/load.h"
#include "results/measured.h"
#include "results/reader.h"
#include "results/snapshots.h"

enum { WINDOWS_MAX = 1 << 16 };

static int copy_row(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct sonde_results_head *head = context;
    SONDE_JSON_AUTO *status = NULL;
    int r = sonde_json_parse(sonde_str(run->status), &status, err);
    (void)snprintf(head->name, sizeof(head->name), "%s", run->name);
    sonde_buf_text(&head->directory, sonde_json_string_or(status, "directory", ""));
    return r < 0 ? r : sonde_buf_check(&head->directory, "a directory's name", err);
}

int sonde_results_head(struct sonde_db *db, const char *uid, struct sonde_results_head *ret,
                       struct sonde_err *err)
{
    ret->name[0] = '\0';
    ret->directory = SONDE_BUF(SONDE_PROFILE_NAME_MAX);
    return sonde_db_run_get(db, uid, copy_row, ret, err);
}

/* A run's capture, its windows kept apart. */
struct sonde_results_side {
    char uid[SONDE_UUID_SIZE];
    struct sonde_results_head head;
    struct sonde_buf capture;
    struct sonde_profile profile;
    int64_t *seen; /* by node: what it had after the window before */
    size_t seen_count, seen_capacity;
    struct sonde_compare_part *parts;
    size_t part_count, part_capacity;
    struct sonde_compare_window *windows;
    size_t window_count, window_capacity;
    bool too_many; /* then they are not kept apart */
};

void sonde_results_side_free(struct sonde_results_side *side)
{
    if (side) {
        sonde_buf_fini(&side->head.directory);
        sonde_buf_fini(&side->capture);
        sonde_profile_fini(&side->profile);
        free(side->seen);
        free(side->parts);
        free(side->windows);
        free(side);
    }
}

static int grow(void *array, size_t *capacity, size_t wanted, size_t element, size_t maximum,
                struct sonde_results_side *side, struct sonde_err *err)
{
    int r = sonde_array_grow(array, capacity, wanted, element, maximum);
    side->too_many = side->too_many || r == SONDE_ELIMIT;
    return r == SONDE_ENOMEM ? sonde_fail(err, r, 0, "out of memory") : 0;
}

/* What each node has more than after the window before. */
static int add_window(void *context, const struct sonde_profile *profile, struct sonde_err *err)
{
    struct sonde_results_side *side = context;
    size_t first = side->part_count;
    int r = sonde_array_grow(&side->seen, &side->seen_capacity, profile->node_count,
                             sizeof(*side->seen), SONDE_PROFILE_NODES_MAX);
    if (r < 0) {
        return sonde_fail(err, r, 0, "out of memory");
    }
    for (; side->seen_count < profile->node_count; side->seen_count++) {
        side->seen[side->seen_count] = 0;
    }
    for (uint32_t i = 0; i < profile->node_count && !side->too_many; i++) {
        int64_t more = profile->nodes[i].self - side->seen[i];
        if (more == 0) {
            continue;
        }
        r = grow(&side->parts, &side->part_capacity, side->part_count + 1, sizeof(*side->parts),
                 SONDE_COMPARE_PARTS_MAX, side, err);
        if (r < 0) {
            return r;
        }
        if (!side->too_many) {
            side->parts[side->part_count++] = (struct sonde_compare_part){i, more};
            side->seen[i] += more;
        }
    }
    r = grow(&side->windows, &side->window_capacity, side->window_count + 1, sizeof(*side->windows),
             WINDOWS_MAX, side, err);
    if (r == 0 && !side->too_many && side->part_count > first) {
        side->windows[side->window_count++] =
            (struct sonde_compare_window){first, side->part_count - first};
    }
    return r;
}

int sonde_results_side_new(struct sonde_db *db, const char *uid, const char *capture,
                           struct sonde_results_side **ret, struct sonde_err *err)
{
    struct sonde_results_side *side = calloc(1, sizeof(*side));
    if (!side) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    struct sonde_results_watch watch = {side, add_window};
    (void)snprintf(side->uid, sizeof(side->uid), "%s", uid);
    side->capture = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    int r = sonde_results_head(db, uid, &side->head, err);
    r = r < 0 ? r
              : sonde_results_load(db, uid, capture, SONDE_PROFILE_BYTES_MAX / 4, &watch,
                                   &side->profile, &side->capture, err);
    if (r < 0) {
        (void)sonde_err_wrap(err, r, "%.64s", side->head.name[0] ? side->head.name : uid);
        sonde_results_side_free(side);
        return r;
    }
    *ret = side;
    return 0;
}

static struct sonde_compare_side describe(const struct sonde_results_side *side)
{
    return (struct sonde_compare_side){
        .uid = side->uid,
        .name = side->head.name,
        .capture = side->capture.data,
        .directory = side->head.directory.data ? side->head.directory.data : "",
        .profile = &side->profile,
        .parts = side->parts,
        .windows = side->windows,
        .window_count = side->too_many ? 0 : side->window_count,
    };
}

int sonde_results_with_sides(const struct sonde_results_side *before,
                             const struct sonde_results_side *after,
                             sonde_results_profiles_callback callback, void *context,
                             struct sonde_err *err)
{
    const struct sonde_compare_side told[SONDE_SIDES] = {describe(before), describe(after)};
    struct sonde_comparison comparison;
    int r = sonde_compare(&told[SONDE_BEFORE], &told[SONDE_AFTER], &comparison, err);
    if (r == 0) {
        r = callback(context, &comparison, err);
        sonde_comparison_fini(&comparison);
    }
    return r;
}

struct printing {
    bool json;
    struct sonde_buf *buf;
};

static int print_comparison(void *context, const struct sonde_comparison *comparison,
                            struct sonde_err *err)
{
    const struct printing *printing = context;
    (printing->json ? sonde_comparison_json : sonde_comparison_text)(comparison, printing->buf);
    return sonde_buf_check(printing->buf, "the comparison", err);
}

int sonde_results_compare_profiles(struct sonde_db *db, const struct sonde_results_pair *pair,
                                   bool json, struct sonde_buf *buf, struct sonde_err *err)
{
    struct sonde_results_side *sides[SONDE_SIDES] = {NULL};
    struct printing printing = {json, buf};
    int r = 0;
    for (int i = 0; i < SONDE_SIDES && r == 0; i++) {
        r = sonde_results_side_new(db, pair->uids[i], pair->captures[i], &sides[i], err);
    }
    r = r < 0 ? r
              : sonde_results_with_sides(sides[SONDE_BEFORE], sides[SONDE_AFTER], print_comparison,
                                         &printing, err);
    sonde_results_side_free(sides[SONDE_BEFORE]);
    sonde_results_side_free(sides[SONDE_AFTER]);
    return r;
}

/* ---- which captures ---- */

/* What an artifact can be compared with: a bit for each kind; 0: with nothing. */
static unsigned kinds_of(const char *type)
{
    enum { OTHERS = 8 }; /* behind the bits of profiles' units */
    static const char *const others[] = {
        SONDE_ARTIFACT_HEAP_SNAPSHOT, SONDE_ARTIFACT_COVERAGE, SONDE_ARTIFACT_EVENT_LOOP,
        SONDE_ARTIFACT_REPORT,        SONDE_ARTIFACT_TIMELINE, SONDE_ARTIFACT_LOAD_RESULT,
    };
    for (unsigned i = 0; i < SONDE_LENGTH(others); i++) {
        if (strcmp(others[i], type) == 0) {
            return 1U << (OTHERS + i);
        }
    }
    return sonde_results_units(type);
}

struct choice {
    const char *wanted;
    unsigned wanted_kinds; /* of the run that has it; 0: look for that name */
    unsigned kinds;        /* of what was found */
    size_t count;          /* of different names */
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
};

static int choose(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    (void)err;
    struct choice *choice = context;
    unsigned kinds = kinds_of(artifact->type);
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    if (choice->wanted_kinds ? !(kinds & choice->wanted_kinds)
                             : !kinds || !sonde_results_is_named(artifact, choice->wanted)) {
        return 0;
    }
    choice->kinds |= kinds;
    sonde_results_part_name(artifact->name, name, sizeof(name));
    if (sonde_results_units(artifact->type) ||
        strcmp(artifact->type, SONDE_ARTIFACT_COVERAGE) == 0) {
        (void)snprintf(name, sizeof(name), "%s", artifact->capture);
    }
    choice->count += strcmp(choice->name, name) != 0;
    memcpy(choice->name, name, sizeof(name));
    return 0;
}

/* A run that has nothing of the name is compared by its only capture of the same kind. */
static int choose_captures(struct sonde_db *db, struct sonde_results_pair *pair,
                           struct choice choices[SONDE_SIDES], struct sonde_err *err)
{
    int r = 0;
    for (int i = 0; i < SONDE_SIDES && r == 0; i++) {
        choices[i] = (struct choice){.wanted = pair->captures[i]};
        r = sonde_db_artifacts(db, pair->uids[i], choose, &choices[i], err);
    }
    for (int i = 0; i < SONDE_SIDES && r == 0; i++) {
        unsigned kinds = choices[1 - i].kinds;
        if (choices[i].kinds == 0 && kinds) {
            struct choice *choice = &choices[i];
            *choice = (struct choice){.wanted_kinds = kinds};
            r = sonde_db_artifacts(db, pair->uids[i], choose, choice, err);
            pair->captures[i] = choice->count == 1 ? choice->name : pair->captures[i];
            break;
        }
    }
    return r;
}

/* ---- which of the ways ---- */

/* What the runs have that is meant. */
struct kinds {
    const char *capture; /* NULL: any */
    bool profile, snapshot, coverage, measured, load;
};

static int look_at(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    (void)err;
    struct kinds *kinds = context;
    const char *type = artifact->type;
    if (sonde_results_is_named(artifact, kinds->capture)) {
        kinds->profile = kinds->profile || sonde_results_is_profile(type);
        kinds->snapshot = kinds->snapshot || strcmp(type, SONDE_ARTIFACT_HEAP_SNAPSHOT) == 0;
        kinds->coverage = kinds->coverage || strcmp(type, SONDE_ARTIFACT_COVERAGE) == 0;
        kinds->measured = kinds->measured || sonde_results_is_measured(type);
        kinds->load = kinds->load || strcmp(type, SONDE_ARTIFACT_LOAD_RESULT) == 0;
    }
    return 0;
}

int sonde_results_compare_pair(struct sonde_db *db, const struct sonde_results_pair *pair,
                               uint64_t heap_bytes_max, bool json, struct sonde_buf *buf,
                               struct sonde_err *err)
{
    struct kinds kinds = {.capture = pair->captures[SONDE_BEFORE]};
    int r = sonde_db_artifacts(db, pair->uids[SONDE_BEFORE], look_at, &kinds, err);
    bool coverage = kinds.coverage && !kinds.profile;
    kinds.capture = pair->captures[SONDE_AFTER];
    r = r < 0 ? r : sonde_db_artifacts(db, pair->uids[SONDE_AFTER], look_at, &kinds, err);
    if (r < 0) {
        return r;
    }
    if (kinds.profile && kinds.snapshot) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the runs have profiles and heap snapshots, which cannot be compared "
                          "with one another: give --capture NAME, one that both have");
    }
    if (kinds.snapshot) {
        return sonde_results_compare_heaps(db, pair, heap_bytes_max, json, buf, err);
    }
    if (kinds.load && !kinds.profile && !kinds.coverage && !kinds.measured) {
        return sonde_results_compare_load(db, pair, json, buf, err);
    }
    bool measures = kinds.measured && !kinds.profile && !kinds.coverage;
    return (coverage   ? sonde_results_compare_coverage
            : measures ? sonde_results_compare_measures
                       : sonde_results_compare_profiles)(db, pair, json, buf, err);
}

int sonde_results_compare(struct sonde_db *db, const char *before, const char *after,
                          const struct sonde_results_request *request, struct sonde_buf *buf,
                          struct sonde_err *err)
{
    struct sonde_results_pair pair = {{before, after}, {request->capture, request->capture}};
    struct choice choices[SONDE_SIDES];
    int r = request->capture ? choose_captures(db, &pair, choices, err) : 0;
    if (r < 0) {
        return r;
    }
    return request->format == SONDE_RESULTS_HTML
               ? sonde_results_comparison_page(db, &pair, request->heap_bytes_max, buf, err)
               : sonde_results_compare_pair(db, &pair, request->heap_bytes_max,
                                            request->format == SONDE_RESULTS_JSON, buf, err);
}
