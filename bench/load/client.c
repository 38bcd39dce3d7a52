/* SPDX-License-Identifier: Apache-2.0 */
/* load_client FILE COMMAND [ARGUMENT…]: runs it, with as many open files as may be, and writes what
 * it used to the file: seconds of user and of system time, of the clock, and KiB at its largest. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int count, char **arguments)
{
    if (count < 3) {
        (void)fputs("usage: load_client FILE COMMAND [ARGUMENT…]\n", stderr);
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    int64_t begin_ns = sonde_clock_monotonic();
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execvp(arguments[2], arguments + 2);
        perror(arguments[2]);
        _exit(127);
    }
    int status = 0;
    struct rusage used;
    pid_t ended;
    do {
        ended = wait4(child, &status, 0, &used);
    } while (ended < 0 && errno == EINTR);
    double all = (double)(sonde_clock_monotonic() - begin_ns) / 1e9;
    FILE *file = ended < 0 ? NULL : fopen(arguments[1], "we");
    if (!file) {
        perror("load_client");
        return 1;
    }
    (void)fprintf(file, "%.6f %.6f %.6f %ld\n", seconds(used.ru_utime), seconds(used.ru_stime), all,
                  used.ru_maxrss);
    (void)fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
