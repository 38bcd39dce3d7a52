/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sink.h"

#include <stdlib.h>

#include "spec/reason.h"

/* An artifact whose commit waits. */
struct waiting {
    struct sonde_artifact_writer *writer;
    char *tail; /* what of it is not written yet; may be NULL */
    size_t tail_length;
    bool broken; /* a block of it could not be written: `write_err` */
};

struct sink {
    struct sink_options options;
    struct sonde_artifact_writer *writer; /* the one being received */
    char *filling;                        /* a block of it; NULL: none yet */
    size_t filled;
    uint64_t bytes; /* of all artifacts */

    /* The block that a worker compresses and writes. */
    bool writing;
    struct sonde_artifact_writer *of; /* which artifact; NULL: it is not wanted any more */
    struct sonde_artifact_writer *doomed;
    char *block;
    size_t block_length;
    int written;
    struct sonde_err write_err;
    bool was_full;

    struct waiting waiting[SINK_WAITING_MAX]; /* a ring; the first is under way */
    pid_t pid;                                /* of sink_of_process */
    size_t first, count;
    bool committing;
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

static int begin(void *context, const struct sonde_capture_artifact *asked, struct sonde_err *err)
{
    struct sink *sink = context;
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    char pid[16] = "";
    char worker[16] = "";
    char process[40];
    if (sink->pid) {
        (void)snprintf(pid, sizeof(pid), "%d", (int)sink->pid);
    }
    if (asked->worker) {
        (void)snprintf(worker, sizeof(worker), pid[0] ? "-w%u" : "w%u", asked->worker);
    }
    (void)snprintf(process, sizeof(process), "%s%s", pid, worker);
    (void)snprintf(name, sizeof(name), pid[0] ? "%s.%s" : "%s%s", pid, asked->name);
    struct sonde_artifact artifact = {
        .run_uid = sink->options.run_uid,
        .name = name,
        .capture = asked->capture,
        .process = process,
        .type = asked->type->name,
        .media_type = asked->type->media_type,
        .data_class = asked->type->data_class,
    };
    sink->filled = 0;
    return of_the_store(sonde_artifact_begin(sink->options.db, &artifact, &sink->writer, err), err);
}

/* ---- blocks ---- */

static bool is_full(void *context)
{
    struct sink *sink = context;
    bool full = sink->writing && SINK_BLOCK_SIZE - sink->filled < SINK_ROOM_MIN;
    sink->was_full = sink->was_full || full;
    return full;
}

static void write_block(void *context)
{
    struct sink *sink = context;
    sink->written = of_the_store(
        sonde_artifact_write(sink->of, sink->block, sink->block_length, &sink->write_err),
        &sink->write_err);
}

static void block_written(void *context);

/* Hands the block over to a worker. */
static void start_block(struct sink *sink)
{
    char *other = sink->block;
    sink->block = sink->filling;
    sink->block_length = sink->filled;
    sink->filling = other;
    sink->filled = 0;
    sink->of = sink->writer;
    sink->writing = true;
    if (sonde_loop_work(sink->options.loop, write_block, block_written, sink, NULL) < 0) {
        write_block(sink); /* no memory to do it elsewhere */
        sink->writing = false;
    }
}

static void start_commit(struct sink *sink);

static void say_idle(struct sink *sink)
{
    if (!sink_busy(sink)) {
        sink->options.idle(sink->options.context);
    }
}

/* An artifact that waits for its commit, or is not wanted any more, learns of it now. */
static void settle_block(struct sink *sink)
{
    struct sonde_artifact_writer *of = SONDE_TAKE(sink->of);
    struct waiting *last =
        &sink->waiting[(sink->first + sink->count + SINK_WAITING_MAX - 1) % SINK_WAITING_MAX];
    bool waits = sink->count && last->writer == of;
    if (waits) {
        last->broken = sink->written < 0;
    }
    sink->written = waits || sink->doomed ? 0 : sink->written;
    sonde_artifact_abort(SONDE_TAKE(sink->doomed));
}

static void block_written(void *context)
{
    struct sink *sink = context;
    sink->writing = false;
    settle_block(sink);
    if (sink->writer && sink->filled >= SINK_BLOCK_MIN && sink->written == 0) {
        start_block(sink);
    }
    start_commit(sink);
    if (sink->was_full && !is_full(sink)) {
        sink->was_full = false;
        sink->options.resume(sink->options.context);
    }
    say_idle(sink);
}

static int make_block(struct sink *sink, struct sonde_err *err)
{
    if (!sink->filling) {
        sink->filling = malloc(SINK_BLOCK_SIZE);
        sink->filled = 0;
    }
    return sink->filling ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

/* What went wrong with a block that was handed over shows with the next one. */
static int check_written(struct sink *sink, struct sonde_err *err)
{
    if (!sink->writing && sink->written < 0) {
        *err = sink->write_err;
        sink->written = 0;
        return err->code;
    }
    return 0;
}

static int write_data(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sink *sink = context;
    int r = check_written(sink, err);
    sink->bytes += length;
    if (r == 0 && sink->options.max_bytes && sink->bytes > (uint64_t)sink->options.max_bytes) {
        return sonde_fail_reason(err, SONDE_ELIMIT, SONDE_REASON_UPLOAD_REJECTED,
                                 "the run's artifacts are larger than spec.maxBytes, %lld",
                                 (long long)sink->options.max_bytes);
    }
    while (r == 0 && length) {
        r = make_block(sink, err);
        size_t room = SINK_BLOCK_SIZE - sink->filled;
        size_t piece = length < room ? length : room;
        if (r == 0 && room == 0) { /* not asked whether it is full */
            r = of_the_store(sonde_fail(err, SONDE_ELIMIT, 0, "more came than could be written"),
                             err);
        } else if (r == 0) {
            memcpy(sink->filling + sink->filled, data, piece);
            sink->filled += piece;
            data += piece;
            length -= piece;
        }
        if (r == 0 && sink->filled >= SINK_BLOCK_MIN && !sink->writing) {
            start_block(sink);
        }
    }
    return r;
}

static void abort_writer(void *context)
{
    struct sink *sink = context;
    sink->filled = 0;
    if (sink->writing && sink->writer && sink->of == sink->writer) {
        sink->doomed = SONDE_TAKE(sink->writer); /* a worker has it */
    } else {
        sonde_artifact_abort(SONDE_TAKE(sink->writer));
    }
    if (!sink->writing) {
        sink->written = 0;
    }
}

/* ---- commits ---- */

static void commit_first(void *context)
{
    struct sink *sink = context;
    struct waiting *waiting = &sink->waiting[sink->first];
    struct sonde_artifact_writer *writer = SONDE_TAKE(waiting->writer);
    SONDE_FREE char *tail = SONDE_TAKE(waiting->tail);
    int r = 0;
    if (waiting->broken && !sink->failed) {
        sink->err = sink->write_err;
        r = sink->err.code;
    } else if (tail && !sink->failed) {
        r = sonde_artifact_write(writer, tail, waiting->tail_length, &sink->err);
    }
    if (r < 0 || sink->failed) {
        sonde_artifact_abort(writer);
    } else {
        r = sonde_artifact_commit(writer, &sink->err);
    }
    sink->committed = of_the_store(r, &sink->err);
}

static void end_commit(struct sink *sink)
{
    sink->committing = false;
    sink->first = (sink->first + 1) % SINK_WAITING_MAX;
    sink->count--;
    if (sink->committed < 0) {
        sink->failed = true;
        sink->options.failed(sink->options.context, &sink->err);
    }
}

static void first_committed(void *context)
{
    struct sink *sink = context;
    end_commit(sink);
    start_commit(sink);
    say_idle(sink);
}

/* The first that waits, unless a block of it is still being written. */
static void start_commit(struct sink *sink)
{
    while (sink->count && !sink->committing &&
           !(sink->writing && sink->of == sink->waiting[sink->first].writer)) {
        sink->committing = true;
        if (sonde_loop_work(sink->options.loop, commit_first, first_committed, sink, NULL) == 0) {
            return;
        }
        commit_first(sink); /* no memory to do it elsewhere */
        end_commit(sink);
    }
}

static int commit(void *context, struct sonde_err *err)
{
    struct sink *sink = context;
    int r = check_written(sink, err);
    if (r == 0 && sink->count == SINK_WAITING_MAX) {
        r = sonde_fail_reason(err, SONDE_ETIMEOUT, SONDE_REASON_STORE_FAILED,
                              "the store has not kept the last %d artifacts yet: its disk is too "
                              "slow",
                              SINK_WAITING_MAX);
    }
    bool own = sink->writing && sink->of == sink->writer;
    if (r == 0 && !own && sink->filled) {
        r = of_the_store(sonde_artifact_write(sink->writer, sink->filling, sink->filled, err), err);
        sink->filled = 0;
    }
    if (r < 0) {
        abort_writer(sink);
        return r;
    }
    struct waiting *waiting = &sink->waiting[(sink->first + sink->count) % SINK_WAITING_MAX];
    *waiting = (struct waiting){.writer = SONDE_TAKE(sink->writer)};
    if (sink->filled) {
        waiting->tail = SONDE_TAKE(sink->filling);
        waiting->tail_length = sink->filled;
        sink->filled = 0;
    }
    sink->count++;
    start_commit(sink);
    return 0;
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
        free(sink->filling);
        free(sink->block);
        free(sink);
    }
}

struct sonde_artifact_sink sink_of_visit(struct sink *sink)
{
    return (struct sonde_artifact_sink){sink, begin, write_data, commit, abort_writer, is_full};
}

void sink_of_process(struct sink *sink, pid_t pid)
{
    sink->pid = pid;
}

bool sink_busy(const struct sink *sink)
{
    return sink->count > 0 || sink->writing;
}
