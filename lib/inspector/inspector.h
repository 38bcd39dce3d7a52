/* SPDX-License-Identifier: Apache-2.0 */
/* One visit to a running Node.js process: attach, capture, leave. The process is not signalled
 * before it was checked, what was put in is taken out again (and where that failed, it is said),
 * and what the visit cost is measured.
 *
 * In the target works probe/deadman.js. When our beats stop (we were killed or stopped) it ends the
 * profiles within SONDE_BEAT_TTL_NS and closes the inspector once our connection is gone. */
#ifndef SONDE_INSPECTOR_INSPECTOR_H
#define SONDE_INSPECTOR_INSPECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"
#include "spec/artifact.h"
#include "spec/kinds.h"

#define SONDE_ATTACH_TIMEOUT_NS (15 * SONDE_SECOND) /* signal → inspector open */
/* Signal → probe installed, in a process that was blocked: only to close what it opens late. */
#define SONDE_OPENING_TIMEOUT_NS (60 * SONDE_SECOND)
/* Command → answer; beyond: InspectorLost. Patience costs nothing, and hanging up on an answer that
 * is under way can end the target: see visit_leave. */
#define SONDE_ANSWER_TIMEOUT_NS (30 * SONDE_SECOND)
#define SONDE_BEAT_INTERVAL_NS (1 * SONDE_SECOND)
#define SONDE_PROBE_TICK_NS (SONDE_SECOND / 2) /* in the target: how often silence is counted */
#define SONDE_BEAT_TTL_NS (5 * SONDE_SECOND)   /* in the target: silence → removal */
#define SONDE_SINK_STALL_NS (5 * SONDE_SECOND) /* a sink may be full for so long */
/* Our hanging up → port closed, without the time that the target was ready and had no CPU; with it,
 * SONDE_OPENING_TIMEOUT_NS. */
#define SONDE_CLOSE_TIMEOUT_NS (8 * SONDE_SECOND)

enum {
    SONDE_STALLS_MAX = 4096, /* rotations whose stall is kept */
    SONDE_WORKERS_MAX = 32,  /* worker threads that are captured */
};

/* What to capture. A CPU profile is taken in windows that overlap by a moment, so that none is lost
 * between them. */
struct sonde_capture_request {
    const char *name; /* of artifacts: NAME.0, NAME.1 … */
    enum sonde_capture_type type;
    int64_t duration_ns; /* 0 of types that take no time */
    /* Those that the type has, as the document says; durations as above. */
    int64_t window_ns;
    int64_t sampling_interval_us;
    int64_t sampling_interval_bytes;
    bool include_collected;
    int64_t resolution_ms, stall_threshold_ms;
    bool blocks; /* coverage: of blocks, else of functions */
    /* Of a heap snapshot: whether strings are redacted and numbers shown, and what it may cost. */
    bool redact;
    bool numeric_values;
    int64_t max_pause_ns;
    const char *pause_limit;  /* what allows no more: "safety.maxPauseSeconds" */
    int64_t headroom_percent; /* of the used heap, to be free below the memory limit */
};

/* What the captures of a document are for a visit, of each process the same: fills ret and returns
 * their number. Names are borrowed from the document. */
size_t sonde_capture_requests(const struct sonde_profile_run *spec,
                              struct sonde_capture_request ret[SONDE_CAPTURES_MAX]);

struct sonde_capture_artifact {
    const char *capture; /* the capture's name */
    const char *name;    /* unique in the visit: "cpu.0" */
    const struct sonde_artifact_type *type;
    unsigned worker; /* the number of the worker thread that it is of; 0: the main thread */
};

/* Where artifacts go, one at a time: begin, write…, then commit or abort. A negative code ends
 * the visit (the target is left clean). None may block for long: beats wait meanwhile. A commit
 * that ends later tells its failure by sonde_visit_fail. */
struct sonde_artifact_sink {
    void *context;
    int (*begin)(void *context, const struct sonde_capture_artifact *artifact,
                 struct sonde_err *err);
    int (*write)(void *context, const char *data, size_t length, struct sonde_err *err);
    int (*commit)(void *context, struct sonde_err *err);
    void (*abort)(void *context);
    /* Whether it has no room now: then nothing is read until sonde_visit_resume, for at most
     * SONDE_SINK_STALL_NS; the target keeps in its memory what it has to say. NULL: never. */
    bool (*full)(void *context);
};

/* What a heap snapshot was expected to cost at most, and was. */
struct sonde_snapshot_result {
    bool measured;
    uint64_t heap_bytes;
    uint64_t predicted_nodes, predicted_bytes;
    double predicted_pause_s, pause_s;
    uint64_t nodes, edges, strings; /* 0: not redacted, so not counted */
    uint64_t words, redacted;       /* known names; names that were redacted */
};

struct sonde_loop_delay {
    bool measured;
    double mean_ms, p50_ms, p99_ms, max_ms;
    double utilization; /* share 0–1 of the time the loop was not idle */
};

/* What happened, and what it cost the target. */
struct sonde_visit_result {
    pid_t pid;
    char node_version[32]; /* "v22.23.3" */
    char directory[1024];  /* the target's working directory */
    bool was_open;         /* the inspector was open before: used, and left open */
    bool closed;           /* seen closed at the end */
    bool target_exited;
    double attach_ms;          /* signal (or start, when it was open) → first answer */
    double inspector_open_s;   /* signal → seen closed */
    double start_stall_ms;     /* event loop at a standstill: first profile started … */
    double stop_stall_ms;      /* … last profile ended … */
    float *rotation_stalls_ms; /* … and at each rotation; owned by the visit */
    size_t rotations;
    struct sonde_loop_delay loop;
    struct sonde_snapshot_result snapshot; /* the one that took longest */
    int64_t captured_ns;                   /* of all captures */
    size_t workers;                        /* threads captured beside the main one */
    size_t workers_lost;                   /* threads that were to be, and did not answer */
    size_t artifacts;                      /* given to the sink's commit */
    uint64_t bytes;                        /* of them */
};

struct sonde_visit_progress {
    const char *phase;   /* "attaching", "capturing", "leaving" */
    const char *capture; /* "" outside captures */
    int64_t left_ns;
    uint64_t bytes; /* received so far */
};

struct sonde_visit;

struct sonde_visit_options {
    struct sonde_loop *loop;
    pid_t pid;
    uint64_t start_time; /* of the process that was chosen, or 0: guards against a reused pid */
    const struct sonde_capture_request *captures; /* copied; names are borrowed until done */
    size_t capture_count;
    bool all_threads; /* worker threads, too */
    struct sonde_artifact_sink sink;
    int64_t deadline_ns; /* for the whole visit, 0: none; then DeadlineExceeded */
    void *context;
    void (*progress)(void *context, const struct sonde_visit_progress *progress); /* may be NULL */
    /* Called exactly once, when nothing of ours is left in the target, or all was tried. err->code
     * is 0 when everything was captured; artifacts that were committed stay in any case. */
    void (*done)(void *context, const struct sonde_visit_result *result,
                 const struct sonde_err *err);
};

/* Starts a visit; everything else is told through `done`. The caller frees it, after `done`. */
int sonde_visit_new(const struct sonde_visit_options *options, struct sonde_visit **ret,
                    struct sonde_err *err) SONDE_MUST_CHECK;
/* Ends it early with reason Cancelled: what was captured so far is kept, the target left clean. */
void sonde_visit_cancel(struct sonde_visit *visit);
/* Ends it early with this error; the target is left clean. Without effect after `done`. */
void sonde_visit_fail(struct sonde_visit *visit, const struct sonde_err *err);
/* A sink that was full has room again. */
void sonde_visit_resume(struct sonde_visit *visit);
void sonde_visit_free(struct sonde_visit *visit);

/* Appends when the worker threads waited while the capture of that name ran, for
 * sonde_context_write: what does not fit into the buffer is left out. `pid` stands before the
 * workers' names ("4711-w3"), 0: nothing does ("w3"). SONDE_ENOMEM. After `done`. */
int sonde_visit_print_waits(const struct sonde_visit *visit, const char *capture, pid_t pid,
                            struct sonde_buf *buf, struct sonde_err *err) SONDE_MUST_CHECK;

/* The p-quantile (share 0–1) of the rotation stalls in ms; 0 when there was none. */
double sonde_visit_stall_quantile(const struct sonde_visit_result *result, double p);

/* Appends the members of a JSON object that tell of a visit, without the braces: pid, nodeVersion,
 * directory, cost and eventLoop where they were measured, inspectorWasOpen, inspectorClosed. */
void sonde_visit_print(const struct sonde_visit_result *result, struct sonde_buf *buf);

#endif
