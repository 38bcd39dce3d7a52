/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const enum sonde_err_class classes[] = {
    [-SONDE_OK] = SONDE_CLASS_NONE,
    [-SONDE_ENOMEM] = SONDE_CLASS_FATAL,
    [-SONDE_ELIMIT] = SONDE_CLASS_PERMANENT,
    [-SONDE_EPARSE] = SONDE_CLASS_PERMANENT,
    [-SONDE_EINVALID] = SONDE_CLASS_PERMANENT,
    [-SONDE_ENOTFOUND] = SONDE_CLASS_PERMANENT,
    [-SONDE_EEXISTS] = SONDE_CLASS_CONFLICT,
    [-SONDE_ECONFLICT] = SONDE_CLASS_CONFLICT,
    [-SONDE_EGONE] = SONDE_CLASS_GONE,
    [-SONDE_EBUSY] = SONDE_CLASS_RETRY_LATER,
    [-SONDE_EDENIED] = SONDE_CLASS_PERMANENT,
    [-SONDE_EIO] = SONDE_CLASS_FATAL,
    [-SONDE_ENOSPACE] = SONDE_CLASS_RETRY_LATER,
    [-SONDE_ENETWORK] = SONDE_CLASS_RETRY_LATER,
    [-SONDE_ETIMEOUT] = SONDE_CLASS_RETRY_LATER,
    [-SONDE_ECANCELLED] = SONDE_CLASS_PERMANENT,
    [-SONDE_EVERSION] = SONDE_CLASS_PERMANENT,
    [-SONDE_EPROTOCOL] = SONDE_CLASS_PERMANENT,
    [-SONDE_EINTERNAL] = SONDE_CLASS_FATAL,
};

_Static_assert(SONDE_LENGTH(classes) == -SONDE_CODE_LAST + 1, "every code has a row");

enum sonde_err_class sonde_err_class(int code)
{
    if (code > 0 || code < SONDE_CODE_LAST) {
        return SONDE_CLASS_FATAL;
    }
    return classes[-code];
}

static int refine(int code, int sys)
{
    if (code != SONDE_EIO) {
        return code;
    }
    switch (sys) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SONDE_ENOSPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return SONDE_EDENIED;
    case ENOENT:
    case ESRCH:
        return SONDE_ENOTFOUND;
    case EEXIST:
        return SONDE_EEXISTS;
    case ENOMEM:
        return SONDE_ENOMEM;
    default:
        return code;
    }
}

__attribute__((format(printf, 5, 0))) static int record(struct sonde_err *err, int code, int sys,
                                                        const char *reason, const char *format,
                                                        va_list arguments)
{
    code = refine(code, sys);
    if (!err) {
        return code;
    }
    /* The arguments may point into err->message itself: format aside first. */
    char text[SONDE_ERR_MESSAGE_MAX];
    int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length < 0) {
        text[0] = '\0';
        length = 0;
    }
    size_t used = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
    if (sys) {
        char buffer[128];
        (void)snprintf(text + used, sizeof(text) - used, ": %s",
                       strerror_r(sys, buffer, sizeof(buffer)));
    }
    err->code = code;
    err->sys = sys;
    err->reason = reason;
    memcpy(err->message, text, sizeof(text));
    return code;
}

int(sonde_fail)(struct sonde_err *err, int code, int sys, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    code = record(err, code, sys, NULL, format, arguments);
    va_end(arguments);
    return code;
}

int sonde_fail_reason(struct sonde_err *err, int code, const char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    code = record(err, code, 0, reason, format, arguments);
    va_end(arguments);
    return code;
}

int sonde_err_wrap(struct sonde_err *err, int code, const char *format, ...)
{
    if (!err) {
        return code;
    }
    char text[2 * SONDE_ERR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, SONDE_ERR_MESSAGE_MAX, format, arguments);
    va_end(arguments);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used >= SONDE_ERR_MESSAGE_MAX) {
        used = SONDE_ERR_MESSAGE_MAX - 1;
    }
    (void)snprintf(text + used, sizeof(text) - used, ": %s", err->message);
    text[sizeof(err->message) - 1] = '\0';
    memcpy(err->message, text, sizeof(err->message));
    return err->code ? err->code : code;
}

void sonde_err_clear(struct sonde_err *err)
{
    if (err) {
        *err = (struct sonde_err){0};
    }
}
