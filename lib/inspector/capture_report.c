/* SPDX-License-Identifier: Apache-2.0 */
/* Node.js's diagnostic report. What it says of the environment and of addresses is taken out in the
 * target, before it leaves it. */
#include <string.h>

#include "inspector/report_js.h"
#include "inspector/visit.h"
#include "spec/reason.h"

static sonde_cdp_path value = {"result", "result", "value"};

static int reported(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    if ((failure || !thread->arrived) && !thread->visit->err.code) {
        const cJSON *details = cJSON_GetObjectItemCaseSensitive(result, "exceptionDetails");
        const cJSON *thrown = cJSON_GetObjectItemCaseSensitive(details, "exception");
        return sonde_fail_reason(
            err, SONDE_EPROTOCOL, SONDE_REASON_PROTOCOL_VIOLATED,
            "process %d gave no diagnostic report: %.300s", thread->visit->options.pid,
            failure ? failure : sonde_json_string_or(thrown, "description", "no reason"));
    }
    capture_done(thread);
    return 0;
}

static int extended(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    const cJSON *gone = NULL;
    int r = visit_value(context, result, failure, &gone, err);
    if (r == 0) {
        visit_call_streamed(context, "report()", &value, reported);
    }
    return r;
}

static void begin(struct visit_thread *thread)
{
    capture_extend(thread, report_js, extended);
}

const struct capture_type capture_report = {
    .begin = begin,
    .main_only = true, /* its report has a part on each worker */
    .stream_begin = capture_artifact_of_answer,
    .stream_data = capture_artifact_piece,
    .stream_end = capture_artifact_end,
};
