/* SPDX-License-Identifier: Apache-2.0 */
/* Sampled allocations: which code made the objects that live, or all that were made. */
#include <string.h>

#include "inspector/visit.h"
#include "spec/reason.h"

static sonde_cdp_path profile = {"result", "profile"};

/* Two samplers of a thread cannot be told apart, and the first to stop would stop both. */
static int asked_before(void *context, const cJSON *result, const char *failure,
                        struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const struct sonde_capture_request *request = capture_request(thread);
    const char *collected = request->include_collected ? "true" : "false";
    char params[256];
    (void)failure;
    if (result) {
        return sonde_fail_reason(err, SONDE_EBUSY, SONDE_REASON_INSPECTOR_BUSY,
                                 "process %d already samples its allocations, for somebody else",
                                 thread->visit->options.pid);
    }
    (void)snprintf(params, sizeof(params),
                   "{\"samplingInterval\":%lld,\"includeObjectsCollectedByMajorGC\":%s,"
                   "\"includeObjectsCollectedByMinorGC\":%s}",
                   (long long)request->sampling_interval_bytes, collected, collected);
    capture_mark(thread, "sampling");
    visit_command(thread, "HeapProfiler.startSampling", params, visit_must_succeed);
    capture_guard(thread, "sampling", capture_guarded_start);
    return 0;
}

/* "v18.20.8" → 18 */
static int64_t line_of(const char *version)
{
    struct sonde_str rest = sonde_str(version[0] == 'v' ? version + 1 : version);
    int64_t line = 0;
    int r = sonde_parse_i64(sonde_str_split(&rest, '.'), 0, INT32_MAX, &line);
    return r < 0 ? INT32_MAX : line;
}

enum { FIRST_WITH_COLLECTED = 20 }; /* older engines have no such option, and ignore it */

static void begin(struct visit_thread *thread)
{
    const char *version = thread->visit->result.node_version;
    struct sonde_err err;
    if (capture_request(thread)->include_collected && line_of(version) < FIRST_WITH_COLLECTED) {
        (void)sonde_fail_reason(&err, SONDE_EINVALID, SONDE_REASON_UNSUPPORTED,
                                "%s: what was freed is counted by Node.js %d and later, and "
                                "process %d is %s",
                                capture_request(thread)->name, FIRST_WITH_COLLECTED,
                                thread->visit->options.pid, version);
        sonde_visit_fail(thread->visit, &err);
        return;
    }
    visit_command_streamed(thread, "HeapProfiler.getSamplingProfile", "{}", &profile, asked_before);
}

/* ---- the profile ---- */

static int profile_begin(struct visit_thread *thread, enum sonde_cdp_stream stream,
                         struct sonde_err *err)
{
    /* Before it has started, what comes is somebody else's. */
    return thread->begin_ns ? capture_artifact_of_answer(thread, stream, err) : 0;
}

static void ended(struct visit_thread *thread)
{
    capture_ending(thread);
    capture_mark(thread, "sampling");
    visit_command_streamed(thread, "HeapProfiler.stopSampling", "{}", &profile,
                           capture_must_arrive);
    capture_guard(thread, "", capture_guarded_stop);
}

const struct capture_type capture_sampling = {
    .begin = begin,
    .ended = ended,
    .stream_begin = profile_begin,
    .stream_data = capture_artifact_piece,
    .stream_end = capture_artifact_end,
};
