/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/document.h"

#include <stdio.h>

#include "base/file.h"

int document_parse(const char *name, struct sonde_str text, struct sonde_spec_documents *ret)
{
    struct sonde_err err;
    if (sonde_spec_parse(name, text, ret, &err) == 0) {
        return SONDE_EXIT_DONE;
    }
    if (ret->problem_count <= 1) {
        return cli_say_error(&err);
    }
    for (size_t i = 0; i < ret->problem_count; i++) {
        (void)fprintf(stderr, "sonde: %s\n", ret->problems[i]);
    }
    return SONDE_EXIT_USAGE;
}

int document_read(const char *file, struct sonde_spec_documents *ret)
{
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_DOCUMENT_MAX);
    if (sonde_read_input(file, &text, &err) < 0) {
        *ret = (struct sonde_spec_documents){0};
        (void)cli_say_error(&err);
        return SONDE_EXIT_USAGE;
    }
    return document_parse(file, sonde_buf_view(&text), ret);
}

int document_check_single(const struct sonde_spec_documents *documents, struct sonde_err *err)
{
    return documents->count == 1
               ? 0
               : sonde_fail(err, SONDE_EINVALID, 0, "--name calls one document, and there are %zu",
                            documents->count);
}

int document_say_left(const struct sonde_spec_documents *documents, size_t begun, int code)
{
    if (begun == documents->count) {
        return code;
    }
    (void)fprintf(stderr, "sonde: %zu of %zu documents were not begun\n", documents->count - begun,
                  documents->count);
    return code ? code : SONDE_EXIT_FAILED;
}

const char *const document_types[] = {
    "cpu", "heap", "allocations", "snapshot", "timeline", "coverage", "eventloop", "report", NULL,
};

const char *const document_workers[] = {"main", "all", NULL};

void document_print_target(const struct cli_settings *settings, struct sonde_buf *buf)
{
    sonde_buf_text(buf, settings->workers ? ",\"workerThreads\":\"All\"" : "");
    sonde_buf_text(buf, settings->children ? ",\"childProcesses\":\"Include\"" : "");
}

/* In the order of the words; those without a duration take no time. */
static const struct {
    const char *type, *more;
    bool takes_time;
} captures[] = {
    {"CPUProfile", "", true},
    {"AllocationSampling", "", true},
    {"AllocationSampling", ",\"includeCollected\":true", true},
    {"HeapSnapshot", "", false},
    {"AllocationTimeline", "", true},
    {"Coverage", "", true},
    {"EventLoop", "", true},
    {"Report", "", false},
};
_Static_assert(SONDE_LENGTH(captures) + 1 == SONDE_LENGTH(document_types), "a row for each word");

void document_print_capture(const struct cli_settings *settings, int64_t seconds,
                            struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "{\"name\":\"%s\",\"type\":\"%s\"%s", document_types[settings->type],
                     captures[settings->type].type, captures[settings->type].more);
    if (captures[settings->type].takes_time) {
        sonde_buf_printf(buf, ",\"durationSeconds\":%lld", (long long)seconds);
    }
    sonde_buf_char(buf, '}');
}
