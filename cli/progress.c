/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct progress progress_new(const char *name)
{
    return (struct progress){.name = name, .terminal = isatty(STDERR_FILENO) == 1};
}

void progress_show(struct progress *progress, const struct sonde_visit_progress *now)
{
    char phase[sizeof(progress->last)];
    (void)snprintf(phase, sizeof(phase), "%s%s%.40s", now->phase, now->capture[0] ? " " : "",
                   now->capture);
    if (progress->terminal) {
        (void)fprintf(stderr, "\r\033[K%s: %s", progress->name, phase);
        if (now->capture[0]) {
            (void)fprintf(stderr, ", %lld s left, %.1f MB",
                          (long long)((now->left_ns + SONDE_SECOND / 2) / SONDE_SECOND),
                          (double)now->bytes / 1e6);
        }
        (void)fflush(stderr);
        progress->line_open = true;
    } else if (strcmp(phase, progress->last) != 0) {
        (void)fprintf(stderr, "%s: %s\n", progress->name, phase);
    }
    memcpy(progress->last, phase, sizeof(phase));
}

void progress_end(struct progress *progress)
{
    if (progress->line_open) {
        (void)fputs("\r\033[K", stderr);
        progress->line_open = false;
    }
}
