/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 16384 };

int sonde_write_all(int fd, const void *data, size_t length, const char *what,
                    struct sonde_err *err)
{
    const char *at = data;
    while (length) {
        ssize_t wrote = write(fd, at, length);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return sonde_fail(err, SONDE_EIO, errno, "write %s", what);
        }
        at += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

int sonde_read_all(int fd, struct sonde_buf *buf, const char *what, struct sonde_err *err)
{
    for (;;) {
        size_t left = buf->maximum - buf->length;
        char step[READ_STEP];
        ssize_t got = read(fd, step, sizeof(step));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sonde_fail(err, SONDE_EIO, errno, "read %s", what);
        }
        if (got == 0) {
            return sonde_buf_check(buf, what, err);
        }
        if ((size_t)got > left) {
            return sonde_fail(err, SONDE_ELIMIT, 0, "%s is larger than %zu bytes", what,
                              buf->maximum);
        }
        sonde_buf_append(buf, step, (size_t)got);
        int r = sonde_buf_check(buf, what, err);
        if (r < 0) {
            return r;
        }
    }
}

int sonde_read_file(int dirfd, const char *path, struct sonde_buf *buf, struct sonde_err *err)
{
    struct stat status;
    SONDE_CLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "open %s", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s is no regular file", path);
    }
    return sonde_read_all(fd, buf, path, err);
}

int sonde_read_input(const char *path, struct sonde_buf *buf, struct sonde_err *err)
{
    SONDE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "open %s", path);
    }
    return sonde_read_all(fd, buf, path, err);
}

int sonde_make_directories(const char *path, struct sonde_err *err)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(part)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "directory name of %zu bytes: give 1 to %d",
                          length, PATH_MAX - 1);
    }
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST) {
            return sonde_fail(err, SONDE_EIO, errno, "create directory %s", part);
        }
        part[i] = path[i];
    }
    return 0;
}

void sonde_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}
