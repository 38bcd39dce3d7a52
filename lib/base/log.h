/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON object a line. For programs: library code never logs. */
#ifndef SONDE_BASE_LOG_H
#define SONDE_BASE_LOG_H

#include <stdint.h>

#include "base/str.h"

enum sonde_log_level { SONDE_LOG_DEBUG, SONDE_LOG_INFO, SONDE_LOG_WARN, SONDE_LOG_ERROR };

enum { SONDE_LOG_LINE_MAX = 4096 }; /* bytes; a longer line is replaced by a notice */

struct sonde_log {
    int fd;
    enum sonde_log_level level; /* lines below it are not written */
    const char *component;      /* "sonde", borrowed */
};

/* One field of a line; made by the SONDE_LOG_… macros. */
struct sonde_log_field {
    const char *name;
    struct sonde_str text; /* data NULL: the number counts */
    int64_t number;
};

#define SONDE_FIELD_STR(field_name, value) ((struct sonde_log_field){(field_name), (value), 0})
#define SONDE_FIELD_INT(field_name, value)                                                         \
    ((struct sonde_log_field){(field_name), {NULL, 0}, (int64_t)(value)})

/* Writes {"time","level","component","message",fields…} with one write(2). */
void sonde_log_write(const struct sonde_log *log, enum sonde_log_level level, const char *message,
                     const struct sonde_log_field *fields, size_t count);

#define SONDE_LOG(log, level, message, ...)                                                        \
    sonde_log_write((log), (level), (message), (struct sonde_log_field[]){__VA_ARGS__},            \
                    sizeof((struct sonde_log_field[]){__VA_ARGS__}) /                              \
                        sizeof(struct sonde_log_field))

#endif
