/* SPDX-License-Identifier: Apache-2.0 */
#include "results/asked.h"

#include <string.h>

#include "spec/spec.h"

int sonde_results_asked_read(const char *text, cJSON **ret, struct sonde_err *err)
{
    struct sonde_spec_documents documents = {0};
    SONDE_BUF_AUTO printed = SONDE_BUF(SONDE_JSON_DOCUMENT_MAX);
    int r = sonde_spec_parse("document", sonde_str(text), &documents, NULL);
    if (r == 0 && documents.count == 1) {
        sonde_spec_print_json(&documents.items[0], &printed);
    }
    bool read = printed.length && printed.code == 0;
    r = sonde_json_parse(read ? sonde_buf_view(&printed) : sonde_str(text), ret, err);
    sonde_spec_documents_fini(&documents);
    return r;
}

static bool is_equal(const cJSON *a, const cJSON *b)
{
    return a && b ? cJSON_Compare(a, b, true) : a == b;
}

static bool is_equal_in(const cJSON *a, const cJSON *b, const char *name)
{
    return is_equal(cJSON_GetObjectItemCaseSensitive(a, name),
                    cJSON_GetObjectItemCaseSensitive(b, name));
}

static const cJSON *find_capture(const cJSON *spec, const char *name)
{
    const cJSON *capture;
    cJSON_ArrayForEach(capture, cJSON_GetObjectItemCaseSensitive(spec, "captures"))
    {
        if (strcmp(sonde_json_string_or(capture, "name", ""), name) == 0) {
            return capture;
        }
    }
    return NULL;
}

/* How long they went on does not matter. */
static bool have_equal_captures(const cJSON *before, const cJSON *after)
{
    static const char *const members[] = {"type", "samplingIntervalMicroseconds"};
    const cJSON *capture;
    cJSON_ArrayForEach(capture, cJSON_GetObjectItemCaseSensitive(after, "captures"))
    {
        const cJSON *other = find_capture(before, sonde_json_string_or(capture, "name", ""));
        for (size_t i = 0; i < SONDE_LENGTH(members) && other; i++) {
            if (!is_equal_in(capture, other, members[i])) {
                return false;
            }
        }
    }
    return true;
}

/* The thresholds of a search say which rate it finds; others are judged, and change nothing. */
static bool have_equal_thresholds(const cJSON *before, const cJSON *after)
{
    return !cJSON_GetObjectItemCaseSensitive(after, "search") ||
           is_equal_in(before, after, "thresholds");
}

const char *sonde_results_asked_differs(const cJSON *before, const cJSON *after)
{
    static const struct {
        const char *name, *path;
    } members[] = {
        {"target", "spec.target"},
        {"scenario", "spec.scenario"},
        {"http", "spec.http"},
        {"arrival", "spec.arrival"},
        {"search", "spec.search"},
        {"connections", "spec.connections"},
        {"maxConnections", "spec.maxConnections"},
        {"warmUpSeconds", "spec.warmUpSeconds"},
        {"parallelism", "spec.parallelism"},
        {"profile", "spec.profile"},
    };
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(before, "spec");
    const cJSON *b = cJSON_GetObjectItemCaseSensitive(after, "spec");
    if (!cJSON_IsObject(a) || !cJSON_IsObject(b)) {
        return NULL;
    }
    for (size_t i = 0; i < SONDE_LENGTH(members); i++) {
        if (!is_equal_in(a, b, members[i].name)) {
            return members[i].path;
        }
    }
    return !have_equal_thresholds(a, b) ? "spec.thresholds"
           : !have_equal_captures(a, b) ? "spec.captures"
                                        : NULL;
}
