/* SPDX-License-Identifier: Apache-2.0 */
/* The Chrome DevTools Protocol as bytes in, bytes out: commands are written as text, and the
 * pieces of WebSocket messages become answers, events and streamed values. No I/O, no clock.
 * https://chromedevtools.github.io/devtools-protocol/v8/ */
#ifndef SONDE_INSPECTOR_CDP_H
#define SONDE_INSPECTOR_CDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_scan.h"

enum {
    SONDE_CDP_MESSAGE_MAX = 512 << 20, /* bytes of any message, streamed ones too */
    SONDE_CDP_HELD_MAX = 256 << 10,    /* bytes of a message without a streamed value */
    SONDE_CDP_COMMAND_MAX = 64 << 10,  /* bytes of a command */
    SONDE_CDP_STREAM_DEPTH_MAX = 512,  /* nesting of a streamed value: two per frame of a stack */
    SONDE_CDP_PENDING_MAX = 256,       /* commands without an answer */
    SONDE_CDP_NAME_MAX = 128,          /* bytes of a method, key or profile title */
    SONDE_CDP_KEYS_MAX = 3,            /* keys of the path to a streamed value */
    SONDE_CDP_TEXT_PIECE = 16 << 10,   /* bytes of a piece of a streamed string */
};

/* A value that is too large to be held. */
enum sonde_cdp_stream {
    SONDE_CDP_STREAM_PROFILE, /* of Profiler.consoleProfileFinished */
    SONDE_CDP_STREAM_ANSWER,  /* what sonde_cdp_stream_answer asked for */
    SONDE_CDP_STREAM_CHUNK,   /* a string: of HeapProfiler.addHeapSnapshotChunk */
    SONDE_CDP_STREAM_WORKER,  /* a string: a message that NodeWorker.receivedMessageFromWorker
                                 brings; sonde_cdp.worker says whose */
};

/* The keys that lead to a value: {"result", "profile"}; NULL at the end. */
typedef const char *const sonde_cdp_path[SONDE_CDP_KEYS_MAX + 1];

/* `result` is NULL when the command failed: then `failure` says why. Both are borrowed. A negative
 * code ends the session. */
typedef int (*sonde_cdp_answer)(void *context, const cJSON *result, const char *failure,
                                struct sonde_err *err);

struct sonde_cdp_callbacks {
    void *context;
    /* A streamed value arrives: its JSON text in pieces (a string's without quotes and escapes, in
     * UTF-8), then, at the end of its message, the title of a profile ("" of other values). A
     * negative code ends the session. */
    int (*stream_begin)(void *context, enum sonde_cdp_stream stream, struct sonde_err *err);
    int (*stream_data)(void *context, const char *data, size_t length, struct sonde_err *err);
    int (*stream_end)(void *context, const char *title, struct sonde_err *err);
    /* Any other event; params may be NULL. */
    int (*event)(void *context, const char *method, const cJSON *params, struct sonde_err *err);
};

struct sonde_cdp_pending {
    int64_t id; /* 0: free */
    int64_t sent_ns;
    sonde_cdp_answer answer;
    sonde_cdp_path *stream; /* NULL: the answer is held */
};

struct sonde_cdp {
    struct sonde_cdp_callbacks callbacks;
    struct sonde_cdp_pending pending[SONDE_CDP_PENDING_MAX];
    int64_t last_id;
    struct sonde_json_scanner scanner;
    bool in_message;
    bool streamed;                     /* this message carries a streamed value … */
    enum sonde_cdp_stream stream;      /* … of this kind */
    bool text_pending;                 /* the next value, if it is a string, is to be streamed … */
    enum sonde_cdp_stream text_stream; /* … as this */
    bool too_large;                    /* to be held: fine for an event, not for an answer */
    char keys[SONDE_CDP_KEYS_MAX][SONDE_CDP_NAME_MAX]; /* just read, by depth; "" in an array */
    char method[SONDE_CDP_NAME_MAX];
    char title[SONDE_CDP_NAME_MAX];
    char worker[SONDE_CDP_NAME_MAX]; /* params.sessionId */
    bool has_id;
    int64_t id; /* 0: not read yet */
    struct sonde_buf held;
    char text[SONDE_CDP_TEXT_PIECE]; /* of a streamed string */
};

void sonde_cdp_init(struct sonde_cdp *cdp, const struct sonde_cdp_callbacks *callbacks);
void sonde_cdp_fini(struct sonde_cdp *cdp);

/* Writes the command to buf (cleared first) and remembers who waits for its answer, called with the
 * callbacks' context. `params` is a JSON object. SONDE_EBUSY when too many commands wait. */
int sonde_cdp_command(struct sonde_cdp *cdp, const char *method, const char *params, int64_t now_ns,
                      sonde_cdp_answer answer, struct sonde_buf *buf,
                      struct sonde_err *err) SONDE_MUST_CHECK;

/* The object, array or string at this path of the answer to the command just written is streamed,
 * when the answer comes; then its callback is called with an empty result. The path is borrowed. */
void sonde_cdp_stream_answer(struct sonde_cdp *cdp, sonde_cdp_path *path);

/* Takes a piece of a message. SONDE_EPROTOCOL with reason ProtocolViolated for what no inspector
 * sends: malformed JSON, an unknown id, an answer that is too large, a value without end. */
int sonde_cdp_feed(struct sonde_cdp *cdp, const char *data, size_t length, bool first, bool last,
                   struct sonde_err *err) SONDE_MUST_CHECK;

/* When the oldest command without an answer was sent, or 0. */
int64_t sonde_cdp_waiting_since(const struct sonde_cdp *cdp);

#endif
