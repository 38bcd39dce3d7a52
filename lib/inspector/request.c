/* SPDX-License-Identifier: Apache-2.0 */
/* From a document to what a visit is asked to capture: the one place where both are known. */
#include "inspector/inspector.h"

/* Seconds of a document in ns; 0: they are not of that type of capture. */
static int64_t nanoseconds(int64_t seconds)
{
    return seconds > 0 ? seconds * SONDE_SECOND : 0;
}

size_t sonde_capture_requests(const struct sonde_profile_run *spec,
                              struct sonde_capture_request ret[SONDE_CAPTURES_MAX])
{
    size_t count = 0;
    for (; count < spec->captures.count && count < SONDE_CAPTURES_MAX; count++) {
        const struct sonde_capture *capture = &spec->captures.items[count];
        ret[count] = (struct sonde_capture_request){
            .name = capture->name,
            .type = (enum sonde_capture_type)capture->type,
            .duration_ns = nanoseconds(capture->duration_seconds),
            .window_ns = nanoseconds(capture->window_seconds),
            .sampling_interval_us = capture->sampling_interval_us,
            .sampling_interval_bytes = capture->sampling_interval_bytes,
            .include_collected = capture->include_collected,
            .resolution_ms = capture->resolution_ms,
            .stall_threshold_ms = capture->stall_threshold_ms,
            .blocks = capture->coverage_detail == SONDE_COVERAGE_BLOCK,
            .redact = capture->redaction != SONDE_REDACTION_NONE,
            .numeric_values = capture->expose_numeric_values,
            .max_pause_ns = nanoseconds(spec->safety->max_pause_seconds),
            .pause_limit = "safety.maxPauseSeconds",
            .headroom_percent = spec->safety->heap_headroom_percent,
        };
    }
    return count;
}
