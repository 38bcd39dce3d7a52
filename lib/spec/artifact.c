/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/artifact.h"

#include <string.h>

#include "base/str.h"
#include "spec/reason.h"

static const char json[] = "application/json";

static const struct sonde_artifact_type types[] = {
    {SONDE_ARTIFACT_CPU_PROFILE, json, SONDE_DATA_PROFILE, false},
    {SONDE_ARTIFACT_HEAP_PROFILE, json, SONDE_DATA_PROFILE, false},
    {SONDE_ARTIFACT_TIMELINE, json, SONDE_DATA_PROFILE, false}, /* sizes alone */
    {SONDE_ARTIFACT_COVERAGE, json, SONDE_DATA_PROFILE, false},
    {SONDE_ARTIFACT_EVENT_LOOP, json, SONDE_DATA_PROFILE, false},
    {SONDE_ARTIFACT_REPORT, json, SONDE_DATA_TRACE, false},
    {SONDE_ARTIFACT_LOAD_RESULT, json, SONDE_DATA_PROFILE, false},
    {SONDE_ARTIFACT_HEAP_SNAPSHOT, json, SONDE_DATA_HEAP, false},
    {SONDE_ARTIFACT_SOURCE_MAP, json, SONDE_DATA_PROFILE, true},
    {SONDE_ARTIFACT_SOURCES, json, SONDE_DATA_PROFILE, true},
    {SONDE_ARTIFACT_CONTEXT, json, SONDE_DATA_PROFILE, true},
};

static const char *const of_captures[] = {
    [SONDE_CAPTURE_CPU_PROFILE] = SONDE_ARTIFACT_CPU_PROFILE,
    [SONDE_CAPTURE_ALLOCATION_SAMPLING] = SONDE_ARTIFACT_HEAP_PROFILE,
    [SONDE_CAPTURE_ALLOCATION_TIMELINE] = SONDE_ARTIFACT_TIMELINE,
    [SONDE_CAPTURE_COVERAGE] = SONDE_ARTIFACT_COVERAGE,
    [SONDE_CAPTURE_EVENT_LOOP] = SONDE_ARTIFACT_EVENT_LOOP,
    [SONDE_CAPTURE_REPORT] = SONDE_ARTIFACT_REPORT,
    [SONDE_CAPTURE_HEAP_SNAPSHOT] = SONDE_ARTIFACT_HEAP_SNAPSHOT,
};

const struct sonde_artifact_type *sonde_artifact_type_find(const char *name)
{
    for (size_t i = 0; name && i < SONDE_LENGTH(types); i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

bool sonde_artifact_is_aside(const char *type)
{
    const struct sonde_artifact_type *row = sonde_artifact_type_find(type);
    return row && row->aside;
}

const struct sonde_artifact_type *sonde_capture_artifact(enum sonde_capture_type type)
{
    return sonde_artifact_type_find((size_t)type < SONDE_LENGTH(of_captures) ? of_captures[type]
                                                                             : NULL);
}

int sonde_captures_check(const struct sonde_capture *captures, size_t count, struct sonde_err *err)
{
    for (size_t i = 0; i < count; i++) {
        int type = captures[i].type;
        if (!sonde_capture_artifact((enum sonde_capture_type)type)) {
            return sonde_fail_reason(err, SONDE_EINVALID, SONDE_REASON_UNSUPPORTED,
                                     "spec.captures[%zu].type: this version does not capture %s", i,
                                     sonde_capture_types[type]);
        }
    }
    return 0;
}
