/* SPDX-License-Identifier: Apache-2.0 */
/* Errors are values: a negative code as the result, details in a struct that the
 * caller owns and passes last (NULL allowed). Nothing needs to be released. */
#ifndef SONDE_BASE_ERR_H
#define SONDE_BASE_ERR_H

#include "base/memory.h"

enum {
    SONDE_ERR_MESSAGE_MAX = 512, /* bytes, with the final NUL; longer text is cut */
};

/* What went wrong. Every code has a class (below) that says what to do next. */
enum sonde_code {
    SONDE_OK = 0,
    SONDE_ENOMEM = -1,      /* an allocation failed */
    SONDE_ELIMIT = -2,      /* a named maximum would be exceeded */
    SONDE_EPARSE = -3,      /* bytes from outside are malformed */
    SONDE_EINVALID = -4,    /* a document or argument of a person is wrong */
    SONDE_ENOTFOUND = -5,   /* no such thing */
    SONDE_EEXISTS = -6,     /* such a thing is already there */
    SONDE_ECONFLICT = -7,   /* it changed meanwhile: read again, then retry */
    SONDE_EGONE = -8,       /* the position asked for is no longer kept: list again */
    SONDE_EBUSY = -9,       /* somebody else uses it now */
    SONDE_EDENIED = -10,    /* not allowed */
    SONDE_EIO = -11,        /* a file or device failed */
    SONDE_ENOSPACE = -12,   /* disk or quota full */
    SONDE_ENETWORK = -13,   /* a connection failed or ended early */
    SONDE_ETIMEOUT = -14,   /* no answer in time */
    SONDE_ECANCELLED = -15, /* the person or a signal asked to stop */
    SONDE_EVERSION = -16,   /* made by a newer version */
    SONDE_EPROTOCOL = -17,  /* the peer broke the protocol */
    SONDE_EINTERNAL = -18,  /* a broken invariant of ours */
    SONDE_CODE_LAST = -18,
};

/* What a caller does about it. */
enum sonde_err_class {
    SONDE_CLASS_NONE,
    SONDE_CLASS_RETRY_NOW,
    SONDE_CLASS_RETRY_LATER, /* with back-off */
    SONDE_CLASS_CONFLICT,
    SONDE_CLASS_GONE,
    SONDE_CLASS_PERMANENT,
    SONDE_CLASS_FATAL,
};

struct sonde_err {
    int code;           /* enum sonde_code */
    int sys;            /* errno of the cause, or 0 */
    const char *reason; /* a CamelCase word of spec/reason.h, static, or NULL */
    char message[SONDE_ERR_MESSAGE_MAX];
};

/* Records code, sys and message in err (when not NULL) and returns code, so that
 * one return statement is the whole error path. With sys ≠ 0 its text is
 * appended (": No space left on device"), and SONDE_EIO becomes ENOSPACE, DENIED,
 * NOTFOUND … where the errno says so. Clears err->reason. */
int sonde_fail(struct sonde_err *err, int code, int sys, const char *format, ...)
    SONDE_PRINTF(4, 5);

/* As sonde_fail, with one of the reasons of spec/reason.h. */
int sonde_fail_reason(struct sonde_err *err, int code, const char *reason, const char *format, ...)
    SONDE_PRINTF(4, 5);

/* clang-tidy sees one file at a time: this says to it that a failure is never 0. */
#ifdef __clang_analyzer__
#define sonde_fail(err, code, ...) ((sonde_fail)(err, code, __VA_ARGS__), (code))
#endif

/* Prefixes "text: " to the message that is in err; code and reason stay. Returns err->code,
 * or `code` when err is NULL. */
int sonde_err_wrap(struct sonde_err *err, int code, const char *format, ...) SONDE_PRINTF(3, 4);

/* Makes err empty again. */
void sonde_err_clear(struct sonde_err *err);

/* The class of a code; a positive or unknown code is SONDE_CLASS_FATAL. */
enum sonde_err_class sonde_err_class(int code);

#endif
