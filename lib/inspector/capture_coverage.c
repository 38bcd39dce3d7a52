/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions and blocks ran, and how often: V8's precise coverage, from its start on. */
#include <string.h>

#include "inspector/visit.h"
#include "spec/reason.h"

static sonde_cdp_path scripts = {"result", "result"};

/* Who takes the counts sets them to 0, and who stops counting stops it for all. */
static int asked_before(void *context, const cJSON *result, const char *failure,
                        struct sonde_err *err)
{
    struct visit_thread *thread = context;
    const cJSON *value = NULL;
    char params[128];
    int r = visit_value(thread, result, failure, &value, err);
    if (r < 0) {
        return r;
    }
    if (sonde_json_true(value, "taken")) {
        return sonde_fail_reason(err, SONDE_EBUSY, SONDE_REASON_INSPECTOR_BUSY,
                                 "process %d counts its coverage already (NODE_V8_COVERAGE)",
                                 thread->visit->options.pid);
    }
    /* Calls of functions are counted only without the optimizing compiler, which costs ten times
     * and more: without blocks it is told whether a function ran. */
    const char *blocks = capture_request(thread)->blocks ? "true" : "false";
    (void)snprintf(params, sizeof(params), "{\"callCount\":%s,\"detailed\":%s}", blocks, blocks);
    capture_mark(thread, "coverage");
    visit_command(thread, "Profiler.enable", "{}", visit_must_succeed);
    visit_command(thread, "Profiler.startPreciseCoverage", params, visit_must_succeed);
    capture_guard(thread, "coverage", capture_guarded_start);
    return 0;
}

static void begin(struct visit_thread *thread)
{
    capture_guard(thread, "coverage", asked_before);
}

/* ---- the counts, as NODE_V8_COVERAGE writes them ---- */

static int coverage_begin(struct visit_thread *thread, enum sonde_cdp_stream stream,
                          struct sonde_err *err)
{
    if (stream != SONDE_CDP_STREAM_ANSWER) {
        return 0; /* a profile of the application's own */
    }
    int r = capture_artifact_begin(thread, 0, err);
    return r < 0 ? r : capture_artifact_write(thread, "{\"result\":", strlen("{\"result\":"), err);
}

static int coverage_end(struct visit_thread *thread, const char *title, struct sonde_err *err)
{
    int r = capture_artifact_piece(thread, "}", 1, err);
    return r < 0 ? r : capture_artifact_end(thread, title, err);
}

static void ended(struct visit_thread *thread)
{
    capture_ending(thread);
    capture_mark(thread, "coverage");
    visit_command_streamed(thread, "Profiler.takePreciseCoverage", "{}", &scripts,
                           capture_must_arrive);
    visit_command(thread, "Profiler.stopPreciseCoverage", "{}", visit_must_succeed);
    visit_command(thread, "Profiler.disable", "{}", visit_must_succeed);
    capture_guard(thread, "", capture_guarded_stop);
}

const struct capture_type capture_coverage = {
    .begin = begin,
    .ended = ended,
    .stream_begin = coverage_begin,
    .stream_data = capture_artifact_piece,
    .stream_end = coverage_end,
};
