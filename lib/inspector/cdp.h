/* SPDX-License-Identifier: Apache-2.0 */
/* The Chrome DevTools Protocol as bytes in, bytes out: commands are written as text, and the
 * pieces of WebSocket messages become answers, events and streamed profiles. No I/O, no clock.
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
    SONDE_CDP_HELD_MAX = 256 << 10,    /* bytes of a message that is not a profile */
    SONDE_CDP_COMMAND_MAX = 64 << 10,  /* bytes of a command */
    SONDE_CDP_DEPTH_MAX = SONDE_JSON_DOCUMENT_DEPTH,
    SONDE_CDP_PENDING_MAX = 16, /* commands without an answer */
    SONDE_CDP_NAME_MAX = 128,   /* bytes of a method or profile title */
};

/* `result` is NULL when the command failed: then `failure` says why. Both are borrowed. A negative
 * code ends the session. */
typedef int (*sonde_cdp_answer)(void *context, const cJSON *result, const char *failure,
                                struct sonde_err *err);

struct sonde_cdp_callbacks {
    void *context;
    /* A finished profile arrives (Profiler.consoleProfileFinished): its JSON object in pieces, then
     * its title. A negative code ends the session. */
    int (*profile_begin)(void *context, struct sonde_err *err);
    int (*profile_data)(void *context, const char *data, size_t length, struct sonde_err *err);
    int (*profile_end)(void *context, const char *title, struct sonde_err *err);
    /* Any other event; params may be NULL. */
    int (*event)(void *context, const char *method, const cJSON *params, struct sonde_err *err);
};

struct sonde_cdp_pending {
    int64_t id; /* 0: free */
    int64_t sent_ns;
    sonde_cdp_answer answer;
};

struct sonde_cdp {
    struct sonde_cdp_callbacks callbacks;
    struct sonde_cdp_pending pending[SONDE_CDP_PENDING_MAX];
    int64_t last_id;
    struct sonde_json_scanner scanner;
    bool in_message;
    bool streamed;                /* this message carries a profile */
    bool in_params;               /* inside the value of "params" */
    bool too_large;               /* to be held: fine for an event, not for an answer */
    char key[SONDE_CDP_NAME_MAX]; /* the key just read, at depth 1 or 2 */
    char method[SONDE_CDP_NAME_MAX];
    char title[SONDE_CDP_NAME_MAX];
    bool has_id;
    struct sonde_buf held;
};

void sonde_cdp_init(struct sonde_cdp *cdp, const struct sonde_cdp_callbacks *callbacks);
void sonde_cdp_fini(struct sonde_cdp *cdp);

/* Writes the command to buf (cleared first) and remembers who waits for its answer, called with the
 * callbacks' context. `params` is a JSON object. SONDE_EBUSY when too many commands wait. */
int sonde_cdp_command(struct sonde_cdp *cdp, const char *method, const char *params, int64_t now_ns,
                      sonde_cdp_answer answer, struct sonde_buf *buf,
                      struct sonde_err *err) SONDE_MUST_CHECK;

/* Takes a piece of a message. SONDE_EPROTOCOL with reason ProtocolViolated for what no inspector
 * sends: malformed JSON, an unknown id, an answer that is too large, a profile without end. */
int sonde_cdp_feed(struct sonde_cdp *cdp, const char *data, size_t length, bool first, bool last,
                   struct sonde_err *err) SONDE_MUST_CHECK;

/* When the oldest command without an answer was sent, or 0. */
int64_t sonde_cdp_waiting_since(const struct sonde_cdp *cdp);

#endif
