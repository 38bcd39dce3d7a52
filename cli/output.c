/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const struct output *output, struct sonde_err *err)
{
    int code = errno == ENOSPC ? SONDE_ENOSPACE : SONDE_EIO;
    return sonde_fail(err, code, errno, "write %s", output->name);
}

int output_open(const char *file, struct output *ret, struct sonde_err *err)
{
    *ret = OUTPUT_NONE;
    ret->name = file ? file : "standard output";
    if (!file) {
        ret->fd = STDOUT_FILENO;
        return 0;
    }
    struct stat status;
    bool exists = stat(file, &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) {
        ret->fd = open(file, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return ret->fd < 0 ? failed(ret, err) : 0;
    }
    /* Of a symbolic link the file behind it. */
    if (!exists || !realpath(file, ret->path)) {
        (void)snprintf(ret->path, sizeof(ret->path), "%s", file);
    }
    int length = snprintf(ret->temporary, sizeof(ret->temporary), "%s.XXXXXX", ret->path);
    if (length >= (int)sizeof(ret->temporary)) {
        ret->temporary[0] = '\0';
        errno = ENAMETOOLONG;
        return failed(ret, err);
    }
    ret->fd = mkostemp(ret->temporary, O_CLOEXEC);
    if (ret->fd < 0) {
        ret->temporary[0] = '\0';
        return failed(ret, err);
    }
    if (exists && fchmod(ret->fd, status.st_mode & 07777) < 0) {
        return failed(ret, err);
    }
    return 0;
}

int output_commit(struct output *output, struct sonde_err *err)
{
    if (!output->temporary[0]) {
        return 0;
    }
    if (rename(output->temporary, output->path) < 0) {
        return failed(output, err);
    }
    output->temporary[0] = '\0';
    return 0;
}

void output_fini(struct output *output)
{
    if (output->temporary[0]) {
        (void)unlink(output->temporary);
    }
    if (output->fd >= 0 && output->fd != STDOUT_FILENO) {
        (void)close(output->fd);
    }
    *output = OUTPUT_NONE;
}
