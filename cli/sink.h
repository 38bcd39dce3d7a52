/* SPDX-License-Identifier: Apache-2.0 */
/* From a visit into the embedded store. What waits for the disk or for other processes is done off
 * the loop, so that the target goes on hearing from us. */
#ifndef SONDE_CLI_SINK_H
#define SONDE_CLI_SINK_H

#include "db/db.h"
#include "inspector/inspector.h"

enum {
    SINK_WAITING_MAX = 64,       /* artifacts that wait for their commit; beyond: StoreFailed */
    SINK_BLOCK_SIZE = 768 << 10, /* bytes that wait to be compressed and written, twice */
    SINK_BLOCK_MIN = 128 << 10,  /* from so many on they are */
    SINK_ROOM_MIN = 640 << 10,   /* with less room it is full: one piece of the inspector's, of what
                                    the engine writes, is redacted up to eight times as long; what
                                    does not fit ends the run cleanly */
};

struct sink;

struct sink_options {
    struct sonde_loop *loop;
    struct sonde_db *db; /* until sink_free used by begin and by commits alone */
    const char *run_uid; /* borrowed */
    int64_t max_bytes;   /* of all artifacts of the run; 0: any */
    void *context;
    /* A commit failed: the first failure of all, told once. */
    void (*failed)(void *context, const struct sonde_err *err);
    /* The last commit that was waiting has ended. */
    void (*idle)(void *context);
    /* It was full, and has room again. */
    void (*resume)(void *context);
};

int sink_new(const struct sink_options *options, struct sink **ret,
             struct sonde_err *err) SONDE_MUST_CHECK;
/* Not while it is busy. */
void sink_free(struct sink *sink);
/* Which process what comes next is of, when there are several; 0: the only one. */
void sink_of_process(struct sink *sink, pid_t pid);
/* Its errors carry the reason StoreFull, StoreFailed, or UploadRejected beyond max_bytes. */
struct sonde_artifact_sink sink_of_visit(struct sink *sink);
/* Whether anything is under way. */
bool sink_busy(const struct sink *sink);

#endif
