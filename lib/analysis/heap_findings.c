/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "analysis/allocations.h"
#include "analysis/heap.h"

static const double RETAINER_SHARE = 0.05; /* of the heap, from which on something is a finding */
static const double CLASS_SHARE = 0.3;
static const double LARGE_SHARE = 0.05;
static const double DUPLICATE_SHARE = 0.01;
static const double BUFFER_SHARE = 0.3;
enum {
    RETAINERS_SAID = 3,
    SUSPECTS_SAID = 5,
    CLASS_OBJECTS_MIN = 1000,
    CLASS_ROWS = 50,        /* by retained size, that are looked at */
    RETAINED_MIN = 1 << 20, /* bytes; an empty process has 5 MB in all */
    LARGE_MIN = 1 << 20,
    DUPLICATE_MIN = 256 << 10,
    SUSPECT_MIN = 16 << 10,
    PATH_SHOWN = 300,
    NAME_SHOWN = 80,
    PREVIEW_SHOWN = 40,
    SEVERITY_MAX = 100,
};

static double share_of(const struct sonde_heap_analysis *a, uint64_t bytes)
{
    return a->heap->total_size ? (double)bytes / (double)a->heap->total_size : 0;
}

static struct sonde_finding *add(struct sonde_heap_analysis *a, const char *kind, double severity,
                                 double confidence)
{
    if (a->finding_count == SONDE_FINDINGS_MAX) {
        return NULL;
    }
    struct sonde_finding *finding = &a->findings[a->finding_count++];
    *finding = (struct sonde_finding){
        .tool = "heap",
        .kind = kind,
        .severity = severity > (double)SEVERITY_MAX ? SEVERITY_MAX : (int)severity,
        .confidence = confidence,
    };
    return finding;
}

static void evidence(struct sonde_finding *finding, const char *name, double value,
                     const char *unit)
{
    if (finding->evidence_count < SONDE_EVIDENCE_MAX) {
        finding->evidence[finding->evidence_count++] = (struct sonde_evidence){name, value, unit};
    }
}

/* At most `maximum` bytes of a text, not in the middle of a character; of a path its end. */
static struct sonde_str cut(struct sonde_str text, size_t maximum, bool end)
{
    if (text.length <= maximum) {
        return text;
    }
    size_t at = end ? text.length - maximum : maximum;
    while (at < text.length && at && ((unsigned char)text.data[at] & 0xc0) == 0x80) {
        at += end ? 1 : (size_t)-1;
    }
    return end ? (struct sonde_str){text.data + at, text.length - at}
               : (struct sonde_str){text.data, at};
}

static struct sonde_str class_name(const struct sonde_heap_analysis *a, uint32_t node)
{
    return cut(sonde_heap_class_name(a->heap, node), NAME_SHOWN, false);
}

static void find_retainers(struct sonde_heap_analysis *a)
{
    for (size_t i = 0; i < a->biggest_count && i < RETAINERS_SAID; i++) {
        const struct sonde_heap_gathering *one = &a->biggest[i];
        double share = share_of(a, one->retained);
        if (share < RETAINER_SHARE || one->retained < RETAINED_MIN) {
            return;
        }
        struct sonde_finding *finding = add(a, "big-retainer", 20 + 80 * share, 0.8);
        if (!finding) {
            return;
        }
        char bytes[SONDE_BYTES_SIZE];
        struct sonde_str path = cut(sonde_str(one->path), PATH_SHOWN, true);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "one %.*s keeps %s alive, %.0f %% of the heap: %s%.*s",
                       SONDE_STR_ARG(class_name(a, one->node)),
                       sonde_bytes_say((int64_t)one->retained, bytes), share * 100,
                       path.length < strlen(one->path) ? "…" : "", SONDE_STR_ARG(path));
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "If it grows with time, bound it by count or age, or delete what is done; a "
                       "second snapshot, later, tells whether it does.");
        evidence(finding, "retained", (double)one->retained, "bytes");
        evidence(finding, "heapShare", share, "share");
        evidence(finding, "dominated", one->children, "count");
    }
}

static void find_classes(struct sonde_heap_analysis *a)
{
    for (uint32_t i = 0; i < a->classes.count && i < CLASS_ROWS; i++) {
        const struct sonde_heap_class *class = &a->classes.rows[i];
        double share = share_of(a, class->retained);
        if (class->count < CLASS_OBJECTS_MIN || share < CLASS_SHARE ||
            class->retained < RETAINED_MIN || sonde_str_is(class->name, "Function") ||
            sonde_str_starts(class->name, "(") || sonde_str_starts(class->name, "system / ")) {
            continue;
        }
        struct sonde_finding *finding = add(a, "many-objects", 10 + 60 * share, 0.7);
        if (!finding) {
            return;
        }
        char bytes[SONDE_BYTES_SIZE];
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%u objects of the class %.*s keep %s alive, %.0f %% of the heap",
                       class->count, SONDE_STR_ARG(cut(class->name, NAME_SHOWN, false)),
                       sonde_bytes_say((int64_t)class->retained, bytes), share * 100);
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "Keep fewer of them, or less in each: fields that hold the same text or are "
                       "never read are the first to go.");
        evidence(finding, "count", class->count, "count");
        evidence(finding, "shallow", (double)class->shallow, "bytes");
        evidence(finding, "retained", (double)class->retained, "bytes");
        evidence(finding, "heapShare", share, "share");
        return;
    }
}

static void find_large(struct sonde_heap_analysis *a)
{
    uint64_t size = sonde_heap_size(a->heap, a->largest);
    double share = share_of(a, size);
    enum sonde_heap_node_type type = sonde_heap_type(a->heap, a->largest);
    bool one_piece =
        type == SONDE_HEAP_STRING || type == SONDE_HEAP_NATIVE || type == SONDE_HEAP_ARRAY;
    if (!one_piece || size < LARGE_MIN || share < LARGE_SHARE) {
        return;
    }
    struct sonde_finding *finding = add(a, "large-object", 15 + 70 * share, 0.8);
    if (!finding) {
        return;
    }
    char bytes[SONDE_BYTES_SIZE];
    (void)snprintf(finding->title, sizeof(finding->title),
                   "a single %.*s takes %s, %.0f %% of the heap",
                   SONDE_STR_ARG(class_name(a, a->largest)), sonde_bytes_say((int64_t)size, bytes),
                   share * 100);
    (void)snprintf(
        finding->advice, sizeof(finding->advice),
        "Work on it in pieces (a stream, a page of rows) in place of the whole at once.");
    evidence(finding, "shallow", (double)size, "bytes");
    evidence(finding, "heapShare", share, "share");
}

static void find_buffers(struct sonde_heap_analysis *a)
{
    for (uint32_t i = 0; i < a->classes.count; i++) {
        const struct sonde_heap_class *class = &a->classes.rows[i];
        double share = share_of(a, class->shallow);
        if (!sonde_str_is(class->name, "system / JSArrayBufferData") || share < BUFFER_SHARE) {
            continue;
        }
        struct sonde_finding *finding = add(a, "buffers", 10 + 60 * share, 0.7);
        if (!finding) {
            return;
        }
        char bytes[SONDE_BYTES_SIZE];
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%u buffer%s %s outside of V8's heap, %.0f %% of all", class->count,
                       class->count == 1 ? " holds" : "s hold",
                       sonde_bytes_say((int64_t)class->shallow, bytes), share * 100);
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "A small slice keeps the whole buffer alive that it was cut from: copy what "
                       "is kept (Buffer.from), and let bodies stream.");
        evidence(finding, "count", class->count, "count");
        evidence(finding, "shallow", (double)class->shallow, "bytes");
        evidence(finding, "heapShare", share, "share");
        return;
    }
}

static void find_duplicates(struct sonde_heap_analysis *a)
{
    uint64_t wasted = 0;
    for (size_t i = 0; i < a->heap->duplicate_count; i++) {
        wasted += a->heap->duplicates[i].wasted;
    }
    double share = share_of(a, wasted);
    if (wasted < DUPLICATE_MIN || share < DUPLICATE_SHARE) {
        return;
    }
    struct sonde_finding *finding = add(a, "duplicate-strings", 10 + 80 * share, 0.7);
    if (!finding) {
        return;
    }
    const struct sonde_heap_duplicate *first = &a->heap->duplicates[0];
    char bytes[SONDE_BYTES_SIZE];
    char most[SONDE_BYTES_SIZE];
    (void)snprintf(
        finding->title, sizeof(finding->title),
        "strings that are there more than once waste %s, %.0f %% of the heap; the most, "
        "%s, %u times \"%.*s\"",
        sonde_bytes_say((int64_t)wasted, bytes), share * 100,
        sonde_bytes_say((int64_t)first->wasted, most), first->count,
        SONDE_STR_ARG(cut(sonde_heap_node_name(a->heap, first->node), PREVIEW_SHOWN, false)));
    (void)snprintf(finding->advice, sizeof(finding->advice),
                   "Texts that come from a database or a parser are a copy each time: keep one of "
                   "each in a Map and store that, or a number for it.");
    evidence(finding, "wasted", (double)wasted, "bytes");
    evidence(finding, "heapShare", share, "share");
    evidence(finding, "mostCopies", first->count, "count");
}

static void find_detached(struct sonde_heap_analysis *a)
{
    struct sonde_finding *finding = a->detached_count ? add(a, "detached-nodes", 30, 0.8) : NULL;
    if (finding) {
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%u node%s in no document any more, but still referenced", a->detached_count,
                       a->detached_count == 1 ? " is" : "s are");
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "Drop the references to elements that were removed: listeners, caches and "
                       "variables of closures hold them.");
        evidence(finding, "count", a->detached_count, "count");
        evidence(finding, "shallow", (double)a->detached_size, "bytes");
    }
}

static void find_growth(struct sonde_heap_analysis *a)
{
    for (uint32_t i = 0; a->growth && i < a->growth->suspect_count && i < SUSPECTS_SAID; i++) {
        const struct sonde_heap_growth_row *row = &a->growth->rows[a->growth->suspects[i]];
        uint64_t grown = (uint64_t)row->retained_delta;
        double share = share_of(a, grown);
        double alike = row->sampled ? (double)row->alike / row->sampled : 0;
        struct sonde_finding *finding = grown < SUSPECT_MIN ? NULL
                                                            : add(a, SONDE_HEAP_GROWING_CLASS,
                                                                  40 + 60 * share, 0.4 + alike / 2);
        if (!finding) {
            return;
        }
        char bytes[SONDE_BYTES_SIZE];
        struct sonde_str path = cut(sonde_str(a->suspect_paths[i]), PATH_SHOWN, true);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "%.*s grew by %u objects to %u, and keeps %s more alive; a typical %sone: "
                       "%s%.*s",
                       SONDE_STR_ARG(cut(row->name, NAME_SHOWN, false)), row->after - row->before,
                       row->after, sonde_bytes_say((int64_t)grown, bytes),
                       a->growth->numbered_anew ? "" : "new ",
                       path.length < strlen(a->suspect_paths[i]) ? "…" : "", SONDE_STR_ARG(path));
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "If there was as much to do at both times, this is a leak: see who adds to "
                       "what the path names, and when that is taken out again.");
        evidence(finding, "added", row->added, "count");
        evidence(finding, "freed", row->freed, "count");
        evidence(finding, "shallowGrowth", (double)row->size_delta, "bytes");
        evidence(finding, "retainedGrowth", (double)grown, "bytes");
        evidence(finding, "heldAlike", alike, "share");
    }
}

static void say_healthy(struct sonde_heap_analysis *a)
{
    struct sonde_finding *finding = add(a, "healthy", 0, 0.6);
    if (finding) {
        char bytes[SONDE_BYTES_SIZE];
        (void)snprintf(
            finding->title, sizeof(finding->title),
            "nothing stands out in %s: no object of yours keeps %.0f %% of it and 1 MB alive",
            sonde_bytes_say((int64_t)a->heap->total_size, bytes), RETAINER_SHARE * 100);
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "To find out whether memory grows, compare with a second snapshot, later.");
        evidence(finding, "total", (double)a->heap->total_size, "bytes");
    }
}

static int compare_findings(const void *a, const void *b)
{
    return ((const struct sonde_finding *)b)->severity -
           ((const struct sonde_finding *)a)->severity;
}

void sonde_heap_find(struct sonde_heap_analysis *analysis)
{
    find_growth(analysis);
    find_retainers(analysis);
    find_classes(analysis);
    find_large(analysis);
    find_buffers(analysis);
    find_duplicates(analysis);
    find_detached(analysis);
    if (analysis->finding_count == 0) {
        say_healthy(analysis);
    }
    qsort(analysis->findings, analysis->finding_count, sizeof(*analysis->findings),
          compare_findings);
}
