/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of files have in common. */
#ifndef SONDE_PROFILE_READING_H
#define SONDE_PROFILE_READING_H

#include "codec/json_scan.h"
#include "profile/profile.h"

/* "cpuprofile: too many nodes", or what is to be said of SONDE_ENOMEM. Returns the code. */
int sonde_read_no_room(const char *format, int code, const char *what, struct sonde_err *err);

/* A number as a whole one: older tools write fractions of a microsecond. 0 beyond ±9e15. */
int64_t sonde_read_whole(const struct sonde_json_token *token);
/* One from 0 to INT32_MAX − 1; else −1. */
int32_t sonde_read_small(const struct sonde_json_token *token);

/* V8's {"functionName", "url", "lineNumber", "columnNumber"} while its members are read. */
struct sonde_call_frame {
    struct sonde_buf function, url;
    int32_t line, column; /* from 0; −1: none */
    enum {
        SONDE_CALL_FRAME_NOTHING,
        SONDE_CALL_FRAME_FUNCTION,
        SONDE_CALL_FRAME_URL,
        SONDE_CALL_FRAME_LINE,
        SONDE_CALL_FRAME_COLUMN
    } member; /* the one at hand */
};

void sonde_call_frame_init(struct sonde_call_frame *frame);
void sonde_call_frame_fini(struct sonde_call_frame *frame);
/* Forgets the one before. */
void sonde_call_frame_begin(struct sonde_call_frame *frame);
/* Takes a key, string or number of the object itself; others are passed over. SONDE_ENOMEM. */
int sonde_call_frame_take(struct sonde_call_frame *frame, const struct sonde_json_token *token,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* The frame of the profile that it is: sonde_profile_frame. */
int sonde_call_frame_end(const struct sonde_call_frame *frame, struct sonde_profile *profile,
                         uint32_t *ret, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
