/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a time zone: stretches follow each other without a gap, and what a schedule fires at
 * comes later than what it was asked for. */
#include <stdlib.h>

#include "schedule/firing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void walk(const struct sonde_zone *zone, int64_t at)
{
    enum { STEPS = 20 };
    for (int i = 0; i < STEPS; i++) {
        struct sonde_zone_stretch stretch = sonde_zone_stretch_at(zone, at);
        must(stretch.begin <= at && at < stretch.end);
        if (stretch.end == INT64_MAX) {
            return;
        }
        at = stretch.end;
        must(sonde_zone_stretch_at(zone, at).begin == at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {-(INT64_C(1) << 33), -1, 0, 1790000000, INT64_C(1) << 33};
    static const char *const schedules[] = {"30 2 * * *", "*/7 * * * *", "0 0 29 2 *"};
    struct sonde_zone zone;
    struct sonde_err err = {0};
    if (sonde_zone_parse((struct sonde_str){(const char *)data, size}, &zone, &err) < 0) {
        must(err.message[0] != '\0');
        sonde_zone_fini(&zone);
        return 0;
    }
    for (size_t i = 0; i < SONDE_LENGTH(times); i++) {
        walk(&zone, times[i]);
        for (size_t j = 0; j < SONDE_LENGTH(schedules); j++) {
            struct sonde_cron cron;
            must(sonde_cron_parse(sonde_str(schedules[j]), &cron, NULL) == 0);
            int64_t first = sonde_firing_after(&cron, &zone, times[i]);
            must(first > times[i]);
            must(first == INT64_MAX || sonde_firing_after(&cron, &zone, first) > first);
        }
    }
    sonde_zone_fini(&zone);
    return 0;
}
