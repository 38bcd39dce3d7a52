/* SPDX-License-Identifier: Apache-2.0 */
/* A heap snapshot: what it may cost is told before, the words of the program are learnt, then its
 * chunks go through the redactor to the sink. The target stands still meanwhile and cannot be
 * interrupted: what is not wanted any more is still received, and thrown away. */
#include <stdlib.h>
#include <string.h>

#include "heap/redact.h"
#include "inspector/cgroup.h"
#include "inspector/script_words.h"
#include "inspector/snapshot_risk.h"
#include "inspector/visit.h"
#include "spec/reason.h"

/* Nothing was heard for so long: three times what it may take, and a little more for a machine that
 * is busy otherwise. */
enum { PATIENCE_FACTOR = 3 };
#define PATIENCE_MIN_NS (30 * SONDE_SECOND)

struct snapshot {
    struct sonde_words words;
    struct script_words *scripts;
    struct sonde_heap_redactor *redactor; /* NULL: as it is */
    struct sonde_snapshot_cost cost;
    struct sonde_snapshot_result result;
    bool taking;
    bool discarding;
    int64_t begin_ns;     /* asked for */
    struct sonde_err err; /* why it is discarded; code 0: it was to end */
};

static struct snapshot *state_of(struct visit_thread *thread)
{
    return thread->state;
}

/* From here on nothing of it is kept. */
static void discard(struct visit_thread *thread, const struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    if (!snapshot->discarding) {
        snapshot->discarding = true;
        snapshot->err = *err;
        capture_artifact_abort(thread);
    }
}

/* ---- chunks on their way to the sink ---- */

static int write_out(void *context, const char *data, size_t length, struct sonde_err *err)
{
    return capture_artifact_write(context, data, length, err);
}

static int stream_begin(struct visit_thread *thread, enum sonde_cdp_stream stream,
                        struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    if (snapshot && snapshot->scripts && stream == SONDE_CDP_STREAM_ANSWER) {
        return script_words_begin(snapshot->scripts, err);
    }
    if (!snapshot || stream != SONDE_CDP_STREAM_CHUNK || !snapshot->taking) {
        return sonde_fail_reason(err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                 "the inspector of process %d sent what nobody asked for",
                                 thread->visit->options.pid);
    }
    return 0;
}

static int stream_data(struct visit_thread *thread, const char *data, size_t length,
                       struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    struct sonde_err failure = {0};
    if (snapshot->scripts) {
        return script_words_data(snapshot->scripts, data, length, err);
    }
    if (snapshot->discarding) {
        return 0;
    }
    int r = snapshot->redactor ? sonde_heap_redact(snapshot->redactor, data, length, &failure)
                               : write_out(thread, data, length, &failure);
    if (r < 0) {
        discard(thread, &failure);
    }
    return 0;
}

static int stream_end(struct visit_thread *thread, const char *title, struct sonde_err *err)
{
    (void)thread;
    (void)title;
    (void)err;
    return 0;
}

static int on_event(struct visit_thread *thread, const char *method, const cJSON *params,
                    struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    return snapshot && snapshot->scripts
               ? script_words_event(snapshot->scripts, method, params, err)
               : 0;
}

/* ---- its end ---- */

/* What people are told of is the snapshot that took longest. */
static void tell_result(struct visit_thread *thread)
{
    const struct sonde_snapshot_result *own = &state_of(thread)->result;
    struct sonde_snapshot_result *longest = &thread->visit->result.snapshot;
    if (!longest->measured || own->pause_s > longest->pause_s) {
        *longest = *own;
    }
}

static int keep(struct visit_thread *thread, struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    struct sonde_snapshot_result *result = &snapshot->result;
    struct sonde_heap_redacted counts = {0};
    int r = snapshot->redactor ? sonde_heap_redact_finish(snapshot->redactor, &counts, err) : 0;
    result->nodes = counts.nodes;
    result->edges = counts.edges;
    result->strings = counts.strings;
    result->redacted = counts.redacted;
    return r < 0 ? r : capture_artifact_commit(thread, err);
}

static int taken(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    struct snapshot *snapshot = state_of(thread);
    struct sonde_err why = {0};
    int64_t pause_ns = sonde_clock_monotonic() - snapshot->begin_ns;
    (void)err;
    snapshot->result.pause_s = (double)pause_ns / 1e9;
    thread->patience_ns = 0;
    if (thread == &thread->visit->main) {
        thread->visit->stood_still_ns = sonde_clock_monotonic();
    }
    snapshot->taking = false;
    capture_stopped(thread, (double)pause_ns / 1e6);
    if (!snapshot->discarding && visit_must_succeed(thread, result, failure, &why) < 0) {
        discard(thread, &why);
    } else if (!snapshot->discarding && keep(thread, &why) < 0) {
        discard(thread, &why);
    }
    tell_result(thread);
    if (snapshot->err.code == SONDE_EPARSE) {
        why = snapshot->err;
        (void)sonde_fail_reason(&snapshot->err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                                "%.400s: it cannot be redacted", why.message);
    }
    if (snapshot->err.code) {
        sonde_visit_fail(thread->visit, &snapshot->err);
    } else {
        capture_done(thread);
    }
    return 0;
}

/* ---- its beginning ---- */

/* What we say to a worker the main thread passes on, which is about to stand still. Where it gets
 * no CPU for longer than that, the workers' probes are taken out meanwhile, and they are missing.
 */
static void keep_workers_waiting(struct sonde_visit *v)
{
    for (size_t i = 1; i < v->thread_count; i++) {
        if (v->threads[i]->installed) {
            visit_beat(v->threads[i], v->main.patience_ns);
        }
    }
}

static int take(struct visit_thread *thread, struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    struct sonde_visit *v = thread->visit;
    const struct sonde_capture_request *request = capture_request(thread);
    struct sonde_heap_redact_options options = {&snapshot->words, request->numeric_values,
                                                write_out, thread};
    int r = request->redact ? sonde_heap_redactor_new(&options, &snapshot->redactor, err) : 0;
    r = r < 0 ? r : capture_artifact_begin(thread, 0, err);
    if (r < 0) {
        return r;
    }
    snapshot->taking = true;
    snapshot->begin_ns = thread->begin_ns = sonde_clock_monotonic();
    v->cpu_wait_ns = sonde_threads_cpu_wait("/proc", v->options.pid);
    thread->patience_ns = PATIENCE_MIN_NS + PATIENCE_FACTOR * snapshot->cost.pause_ns;
    if (thread == &v->main) {
        keep_workers_waiting(v);
    }
    v->capture_end_ns = thread->begin_ns + snapshot->cost.pause_ns;
    visit_progress(v);
    visit_command(thread, "HeapProfiler.takeHeapSnapshot",
                  request->numeric_values
                      ? "{\"reportProgress\":false,\"captureNumericValue\":true}"
                      : "{\"reportProgress\":false}",
                  taken);
    return 0;
}

/* A failure here leaves the target in order, and says why. */
static int begin_taking(struct visit_thread *thread, struct sonde_err *err)
{
    struct sonde_err why = {0};
    (void)err;
    if (thread->visit->ending) {
        capture_done(thread);
    } else if (take(thread, &why) < 0) {
        sonde_visit_fail(thread->visit, &why);
    }
    return 0;
}

static int words_known(struct visit_thread *thread, struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    snapshot->result.words = snapshot->words.count;
    script_words_free(SONDE_TAKE(snapshot->scripts));
    return begin_taking(thread, err);
}

static int check_cost(struct visit_thread *thread, uint64_t used, struct sonde_err *err)
{
    struct snapshot *snapshot = state_of(thread);
    struct sonde_visit *v = thread->visit;
    const struct sonde_capture_request *request = capture_request(thread);
    struct sonde_memory_free memory;
    uint64_t major = 0; /* "v22.23.3" */
    struct sonde_str version = sonde_str(v->result.node_version);
    (void)sonde_str_split(&version, 'v');
    if (sonde_parse_u64(sonde_str_split(&version, '.'), 0, INT32_MAX, &major) < 0) {
        major = 0;
    }
    sonde_memory_free("/proc", v->options.pid, &memory);
    snapshot->cost =
        sonde_snapshot_predict(used, (int)major, sonde_cpu_limit("/proc", v->options.pid));
    snapshot->result = (struct sonde_snapshot_result){
        .measured = true,
        .heap_bytes = used,
        .predicted_nodes = snapshot->cost.nodes,
        .predicted_bytes = snapshot->cost.memory,
        .predicted_pause_s = (double)snapshot->cost.pause_ns / 1e9,
    };
    tell_result(thread);
    struct sonde_snapshot_limits limits = {
        .free = memory.bytes,
        .free_of = memory.of,
        .headroom = request->headroom_percent,
        .pause_ns = request->max_pause_ns,
        .pause_limit = request->pause_limit,
    };
    return sonde_snapshot_check(&snapshot->cost, &limits, err);
}

static int heap_known(void *context, const cJSON *result, const char *failure,
                      struct sonde_err *err)
{
    struct visit_thread *thread = context;
    struct snapshot *snapshot = state_of(thread);
    const cJSON *value = NULL;
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    struct sonde_err why = {0};
    double used = sonde_json_number_or(value, "usedBytes", -1);
    if (used < 0 || used > 1e15) {
        r = sonde_fail_reason(&why, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
                              "process %d does not say how large its heap is",
                              thread->visit->options.pid);
    }
    r = r < 0 ? r : check_cost(thread, (uint64_t)used, &why);
    if (r == 0 && !thread->visit->ending && capture_request(thread)->redact) {
        r = script_words_new(thread, &snapshot->words, words_known, &snapshot->scripts, &why);
    } else if (r == 0) {
        r = begin_taking(thread, &why);
    }
    if (r < 0) {
        sonde_visit_fail(thread->visit, &why);
    }
    return 0;
}

/* One thread after the other: a snapshot comes in many messages, and its memory is needed once. */
static void measure(struct visit_thread *thread)
{
    if (thread->visit->ending) {
        capture_done(thread);
    } else {
        visit_call(thread, "heap()", heap_known);
    }
}

static void begin(struct visit_thread *thread)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    struct sonde_err err;
    if (!snapshot) {
        (void)sonde_fail(&err, SONDE_ENOMEM, 0, "out of memory");
        sonde_visit_fail(thread->visit, &err);
        return;
    }
    sonde_words_init(&snapshot->words, SONDE_WORDS_MAX);
    thread->state = snapshot;
    capture_in_turn(thread, measure);
}

/* It is to end while it is being taken. */
static void stop(struct visit_thread *thread)
{
    struct snapshot *snapshot = state_of(thread);
    static const struct sonde_err none = {0};
    if (snapshot && snapshot->taking) {
        discard(thread, &none);
    }
}

static void stalled(struct visit_thread *thread, const struct sonde_err *err)
{
    discard(thread, err);
}

static void fini(struct visit_thread *thread)
{
    struct snapshot *snapshot = SONDE_TAKE(thread->state);
    if (snapshot) {
        script_words_free(snapshot->scripts);
        sonde_heap_redactor_free(snapshot->redactor);
        sonde_words_fini(&snapshot->words);
        free(snapshot);
    }
}

const struct capture_type capture_snapshot = {
    .begin = begin,
    .stop = stop,
    .stream_begin = stream_begin,
    .stream_data = stream_data,
    .stream_end = stream_end,
    .stalled = stalled,
    .event = on_event,
    .fini = fini,
};
