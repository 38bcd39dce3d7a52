/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing whole pieces: short transfers and EINTR are handled here, once. */
#ifndef SONDE_BASE_FILE_H
#define SONDE_BASE_FILE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Writes all of data. SONDE_EIO, SONDE_ENOSPACE … with `what` named in the message. */
int sonde_write_all(int fd, const void *data, size_t length, const char *what,
                    struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends what the descriptor gives until its end to buf, whose maximum bounds it.
 * SONDE_ELIMIT when there is more. */
int sonde_read_all(int fd, struct sonde_buf *buf, const char *what,
                   struct sonde_err *err) SONDE_MUST_CHECK;

/* As sonde_read_all for a regular file (or /proc entry) relative to directory dirfd (AT_FDCWD).
 * Anything else is SONDE_EINVALID at once: nobody makes us wait with a FIFO in its place. */
int sonde_read_file(int dirfd, const char *path, struct sonde_buf *buf,
                    struct sonde_err *err) SONDE_MUST_CHECK;

/* The same for what a person names on a command line or in the environment: a pipe (of a shell's
 * <(…)) or a device, too, which is waited for. */
int sonde_read_input(const char *path, struct sonde_buf *buf,
                     struct sonde_err *err) SONDE_MUST_CHECK;

/* Lets the process have as many descriptors as it may: connections are as many as it is to serve,
 * not as a shell would want. */
void sonde_raise_files(void);

/* Creates the directory and its missing parents with mode 0700. */
int sonde_make_directories(const char *path, struct sonde_err *err) SONDE_MUST_CHECK;

#endif
