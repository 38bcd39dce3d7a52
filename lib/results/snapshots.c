/* SPDX-License-Identifier: Apache-2.0 */
#include "results/snapshots.h"

#include <stdio.h>
#include <string.h>

#include "results/matches.h"
#include "results/results.h"

void sonde_results_part_name(const char *artifact, char *ret, size_t size)
{
    const char *dot = strrchr(artifact, '.');
    (void)snprintf(ret, size, "%.*s", dot ? (int)(dot - artifact) : (int)strlen(artifact),
                   artifact);
}

bool sonde_results_is_named(const struct sonde_artifact *artifact, const char *name)
{
    char own[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    sonde_results_part_name(artifact->name, own, sizeof(own));
    return !name || strcmp(artifact->capture, name) == 0 || strcmp(own, name) == 0;
}

/* ---- which ---- */

struct search {
    const char *name;
    struct sonde_results_snapshot *found;
    struct sonde_results_matches matches;
};

static int consider(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    (void)err;
    struct search *search = context;
    struct sonde_results_snapshot *found = search->found;
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    if (strcmp(artifact->type, SONDE_ARTIFACT_HEAP_SNAPSHOT) != 0 ||
        !sonde_results_is_named(artifact, search->name)) {
        return 0;
    }
    sonde_results_part_name(artifact->name, name, sizeof(name));
    (void)sonde_results_match(&search->matches, name);
    (void)snprintf(found->name, sizeof(found->name), "%s", artifact->name);
    (void)snprintf(found->capture, sizeof(found->capture), "%s", artifact->capture);
    (void)snprintf(found->process, sizeof(found->process), "%s", artifact->process);
    memcpy(found->sha256, artifact->sha256, sizeof(found->sha256));
    found->bytes = artifact->bytes;
    return 0;
}

int sonde_results_snapshot_find(struct sonde_db *db, const char *uid, const char *name,
                                struct sonde_results_snapshot *ret, struct sonde_err *err)
{
    struct search search = {.name = name, .found = ret};
    int r = sonde_db_artifacts(db, uid, consider, &search, err);
    return r < 0 ? r : sonde_results_matches_check(&search.matches, "heap snapshot", name, err);
}

/* ---- what it tells ---- */

static int feed(void *context, const void *data, size_t length, struct sonde_err *err)
{
    return sonde_heap_feed(context, data, length, err);
}

/* `before`: it is compared with that, which is empty for the earlier one; else NULL. */
static int read_heap(struct sonde_db *db, const struct sonde_results_snapshot *snapshot,
                     uint64_t bytes_max, const struct sonde_heap_census *before,
                     struct sonde_heap *heap, struct sonde_err *err)
{
    struct sonde_artifact artifact = {.name = snapshot->name, .bytes = snapshot->bytes};
    struct sonde_heap_reader *reader = NULL;
    memcpy(artifact.sha256, snapshot->sha256, sizeof(artifact.sha256));
    int r = sonde_heap_reader_new(heap, &reader, err);
    if (r == 0) {
        sonde_heap_reader_bound(reader, bytes_max, before != NULL,
                                before ? before->class_count : 0);
    }
    r = r < 0 ? r : sonde_artifact_read(db, &artifact, feed, reader, err);
    r = r < 0 ? r : sonde_heap_finish(reader, err);
    sonde_heap_reader_free(reader);
    return r;
}

/* Of the earlier snapshot only its census is kept. */
static int take_earlier(struct sonde_db *db, const struct sonde_results_snapshot *earlier,
                        uint64_t bytes_max, struct sonde_results_heap *ret, struct sonde_err *err)
{
    struct sonde_heap heap = {0};
    struct sonde_heap_analysis analysis;
    int r = read_heap(db, earlier, bytes_max, &ret->before, &heap, err);
    r = r < 0 ? r : sonde_heap_analyze(&heap, &analysis, err);
    if (r == 0) {
        ret->nodes_before = heap.node_count;
        ret->bytes_before = heap.total_size;
        r = sonde_heap_census_take(&heap, &analysis.classes, &ret->before, err);
        r = r < 0 ? r : sonde_heap_census_keep_classes(&ret->before, &analysis.classes, err);
        sonde_heap_analysis_fini(&analysis);
    }
    sonde_heap_fini(&heap);
    return r < 0 ? sonde_err_wrap(err, r, "the earlier one") : 0;
}

static int compare(struct sonde_results_heap *h, struct sonde_err *err)
{
    struct sonde_heap_analysis *a = &h->analysis;
    int r = sonde_heap_census_take(&h->heap, &a->classes, &h->after, err);
    r = r < 0 ? r
              : sonde_heap_compare(&h->before, &h->after, &h->heap, &a->classes, &a->paths,
                                   &h->growth, err);
    return r < 0 ? r : sonde_heap_analysis_add_growth(a, &h->growth, err);
}

static int open_heap(struct sonde_db *db, const struct sonde_results_snapshot *snapshot,
                     const struct sonde_results_snapshot *earlier, uint64_t bytes_max,
                     struct sonde_results_heap *ret, struct sonde_err *err)
{
    int r = earlier ? take_earlier(db, earlier, bytes_max, ret, err) : 0;
    if (r < 0) {
        return r;
    }
    uint64_t kept = sonde_heap_census_memory(&ret->before);
    uint64_t left = bytes_max > kept ? bytes_max - kept : 0;
    r = read_heap(db, snapshot, left, earlier ? &ret->before : NULL, &ret->heap, err);
    r = r < 0 ? r : sonde_heap_analyze(&ret->heap, &ret->analysis, err);
    ret->is_analyzed = r == 0;
    return r < 0 || !earlier ? r : compare(ret, err);
}

int sonde_results_heap_open(struct sonde_db *db, const struct sonde_results_snapshot *snapshot,
                            const struct sonde_results_snapshot *earlier, uint64_t bytes_max,
                            struct sonde_results_heap *ret, struct sonde_err *err)
{
    *ret = (struct sonde_results_heap){0};
    struct sonde_err why = {0};
    int r = open_heap(db, snapshot, earlier, bytes_max, ret, &why);
    if (r == SONDE_ELIMIT) {
        return sonde_fail(
            err, r, 0,
            "%s: export it (--format raw) and import it where more memory is free, or "
            "give the store more (--heap-memory)",
            why.message);
    }
    if (r < 0 && err) {
        *err = why;
    }
    return r;
}

void sonde_results_heap_fini(struct sonde_results_heap *heap)
{
    if (heap->is_analyzed) {
        sonde_heap_analysis_fini(&heap->analysis);
    }
    sonde_heap_growth_fini(&heap->growth);
    sonde_heap_census_fini(&heap->before);
    sonde_heap_census_fini(&heap->after);
    sonde_heap_fini(&heap->heap);
    *heap = (struct sonde_results_heap){0};
}
