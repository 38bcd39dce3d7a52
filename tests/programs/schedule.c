/* SPDX-License-Identifier: Apache-2.0 */
/* lib/schedule for other implementations. Lines of standard input, "ZONE FROM TO SCHEDULE": a line
 * with each time in seconds since 1970 at which it fires, after FROM and up to TO. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/firing.h"

enum { LINE_BYTES = 1024, ZONE_BYTES = 64 };

static void must(int code, const struct sonde_err *err)
{
    if (code < 0) {
        (void)fprintf(stderr, "%s\n", err->message);
        exit(EXIT_FAILURE);
    }
}

static int64_t next_number(struct sonde_str *rest, struct sonde_err *err)
{
    int64_t number = 0;
    struct sonde_str word = sonde_str_split(rest, ' ');
    int r = sonde_parse_i64(word, INT64_MIN, INT64_MAX, &number);
    must(r < 0 ? sonde_fail(err, r, 0, "%.*s is no number", SONDE_STR_ARG(word)) : 0, err);
    return number;
}

static void answer(struct sonde_str rest)
{
    struct sonde_err err;
    struct sonde_zone zone;
    struct sonde_cron cron;
    char name[ZONE_BYTES];
    struct sonde_str word = sonde_str_split(&rest, ' ');
    (void)snprintf(name, sizeof(name), "%.*s", SONDE_STR_ARG(word));
    int64_t at = next_number(&rest, &err);
    int64_t to = next_number(&rest, &err);
    must(sonde_cron_parse(rest, &cron, &err), &err);
    must(sonde_zone_read(name, &zone, &err), &err);
    const char *separator = "";
    while ((at = sonde_firing_after(&cron, &zone, at)) <= to) {
        printf("%s%lld", separator, (long long)at);
        separator = " ";
    }
    printf("\n");
    sonde_zone_fini(&zone);
}

int main(void)
{
    char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin)) {
        answer(sonde_str_trim(sonde_str(line)));
    }
    return 0;
}
