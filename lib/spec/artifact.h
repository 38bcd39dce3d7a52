/* SPDX-License-Identifier: Apache-2.0 */
/* The types of artifacts, as sidecars name them to the store and as the store keeps them: what
 * their bytes are, and who may see them. */
#ifndef SONDE_SPEC_ARTIFACT_H
#define SONDE_SPEC_ARTIFACT_H

#include <stdbool.h>

#include "spec/kinds.h"

#define SONDE_ARTIFACT_CPU_PROFILE "CPUProfile"
#define SONDE_ARTIFACT_HEAP_PROFILE "HeapProfile"    /* V8's .heapprofile */
#define SONDE_ARTIFACT_HEAP_SNAPSHOT "HeapSnapshot"  /* V8's .heapsnapshot */
#define SONDE_ARTIFACT_TIMELINE "AllocationTimeline" /* sizes by time: JSON */
#define SONDE_ARTIFACT_COVERAGE "Coverage"           /* V8's, as NODE_V8_COVERAGE writes it */
#define SONDE_ARTIFACT_EVENT_LOOP "EventLoop"        /* delay, utilisation, stalls: JSON */
#define SONDE_ARTIFACT_REPORT "Report"               /* Node.js's diagnostic report */
#define SONDE_ARTIFACT_LOAD_RESULT "LoadResult"      /* of a load test: load/result.h */
/* Only of imports. */
#define SONDE_ARTIFACT_PPROF "Pprof"
#define SONDE_ARTIFACT_FOLDED_TIME "FoldedTime"   /* stacks with microseconds, */
#define SONDE_ARTIFACT_FOLDED_BYTES "FoldedBytes" /* and with bytes */
#define SONDE_ARTIFACT_SOURCE_MAP "SourceMap"
#define SONDE_ARTIFACT_SOURCES "Sources" /* texts that no source map carries: JSON */
#define SONDE_ARTIFACT_CONTEXT "Context" /* which map and version belongs to what: JSON */

/* What an artifact tells of the target: names and counts; what it did; what it holds in memory. */
enum sonde_data_class {
    SONDE_DATA_PROFILE,
    SONDE_DATA_TRACE,
    SONDE_DATA_HEAP,
    SONDE_DATA_CLASSES,
};

struct sonde_artifact_type {
    const char *name;
    const char *media_type;
    enum sonde_data_class data_class;
    bool aside; /* no capture itself: what is kept beside one, to read it by */
};

/* The row of a type's name, or NULL. */
const struct sonde_artifact_type *sonde_artifact_type_find(const char *name);
bool sonde_artifact_is_aside(const char *type);

/* What a capture of this type gives, or NULL when this version cannot carry it out. */
const struct sonde_artifact_type *sonde_capture_artifact(enum sonde_capture_type type);

/* SONDE_EINVALID with reason Unsupported when a capture of the list cannot be carried out. */
int sonde_captures_check(const struct sonde_capture *captures, size_t count,
                         struct sonde_err *err) SONDE_MUST_CHECK;

#endif
