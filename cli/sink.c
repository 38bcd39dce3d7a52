/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sink.h"

#include <stdlib.h>

#include "spec/reason.h"

struct sink {
    struct sink_options options;
    struct sonde_artifact_writer *writer;                    /* the one being written */
    struct sonde_artifact_writer *waiting[SINK_WAITING_MAX]; /* a ring; the first is under way */
    size_t first, count;
    int committed; /* how the one under way went … */
    struct sonde_err err;
    bool failed; /* … and whether one before it failed */
};

/* Errors of the store that say nothing of it by themselves. */
static int of_the_store(int code, struct sonde_err *err)
{
    if (code < 0 && !err->reason) {
        err->reason =
            err->code == SONDE_ENOSPACE ? SONDE_REASON_STORE_FULL : SONDE_REASON_STORE_FAILED;
    }
    return code;
}

static int begin(void *context, const char *capture, const char *name, struct sonde_err *err)
{
    struct sink *sink = context;
    struct sonde_artifact artifact = {
        .run_uid = sink->options.run_uid,
        .name = name,
        .capture = capture,
        .type = "CPUProfile",
        .media_type = "application/json",
        .data_class = SONDE_DATA_PROFILE,
    };
    return of_the_store(sonde_artifact_begin(sink->options.db, &artifact, &sink->writer, err), err);
}

static int write_data(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sink *sink = context;
    return of_the_store(sonde_artifact_write(sink->writer, data, length, err), err);
}

static void abort_writer(void *context)
{
    struct sink *sink = context;
    sonde_artifact_abort(SONDE_TAKE(sink->writer));
}

static void commit_first(void *context)
{
    struct sink *sink = context;
    struct sonde_artifact_writer *writer = SONDE_TAKE(sink->waiting[sink->first]);
    if (sink->failed) {
        sonde_artifact_abort(writer);
        sink->committed = 0;
        return;
    }
    sink->committed = of_the_store(sonde_artifact_commit(writer, &sink->err), &sink->err);
}

static void first_committed(void *context);

static int start_commit(struct sink *sink, struct sonde_err *err)
{
    return sonde_loop_work(sink->options.loop, commit_first, first_committed, sink, err);
}

static void first_committed(void *context)
{
    struct sink *sink = context;
    for (;;) {
        sink->first = (sink->first + 1) % SINK_WAITING_MAX;
        sink->count--;
        if (sink->committed < 0) {
            sink->failed = true;
            sink->options.failed(sink->options.context, &sink->err);
        }
        if (sink->count == 0) {
            sink->options.idle(sink->options.context);
            return;
        }
        if (start_commit(sink, NULL) == 0) {
            return;
        }
        commit_first(sink); /* no memory to do it elsewhere */
    }
}

static int commit(void *context, struct sonde_err *err)
{
    struct sink *sink = context;
    if (sink->count == SINK_WAITING_MAX) {
        abort_writer(sink);
        return sonde_fail_reason(
            err, SONDE_ETIMEOUT, SONDE_REASON_STORE_FAILED,
            "the store has not kept the last %d artifacts yet: its disk is too "
            "slow",
            SINK_WAITING_MAX);
    }
    sink->waiting[(sink->first + sink->count) % SINK_WAITING_MAX] = SONDE_TAKE(sink->writer);
    sink->count++;
    if (sink->count > 1) {
        return 0;
    }
    int r = start_commit(sink, err);
    if (r < 0) {
        sink->count = 0;
        sonde_artifact_abort(SONDE_TAKE(sink->waiting[sink->first]));
    }
    return r;
}

int sink_new(const struct sink_options *options, struct sink **ret, struct sonde_err *err)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    if (!sink) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sink->options = *options;
    *ret = sink;
    return 0;
}

void sink_free(struct sink *sink)
{
    if (sink) {
        abort_writer(sink);
        free(sink);
    }
}

struct sonde_artifact_sink sink_of_visit(struct sink *sink)
{
    return (struct sonde_artifact_sink){sink, begin, write_data, commit, abort_writer};
}

bool sink_busy(const struct sink *sink)
{
    return sink->count > 0;
}
