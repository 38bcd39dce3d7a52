/* SPDX-License-Identifier: Apache-2.0 */
#include "load/stage.h"

#include "base/clock.h"

static const int64_t day_ns = INT64_C(24) * 3600 * SONDE_SECOND;

int sonde_load_stage_parse(struct sonde_str text, struct sonde_stage *ret, struct sonde_err *err)
{
    struct sonde_str rest = text;
    struct sonde_str length = sonde_str_split(&rest, ':');
    struct sonde_str rate = sonde_str_split(&rest, ':');
    int64_t length_ns = 0;
    int64_t number = 0;
    bool ramp = sonde_str_is(rest, "ramp");
    if (sonde_parse_duration(length, day_ns, &length_ns) < 0 || length_ns < SONDE_SECOND ||
        length_ns % SONDE_SECOND) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the stage \"%.*s\" has no length in whole seconds, up to a day: give "
                          "TIME:RATE or TIME:RATE:ramp, such as 30s:500",
                          SONDE_STR_ARG(text));
    }
    if (sonde_parse_i64(rate, 0, SONDE_LOAD_RATE_MAX, &number) < 0 || (rest.length && !ramp)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the stage \"%.*s\" has no rate in whole requests a second, up to %d: "
                          "give TIME:RATE or TIME:RATE:ramp, such as 30s:500",
                          SONDE_STR_ARG(text), SONDE_LOAD_RATE_MAX);
    }
    *ret = (struct sonde_stage){
        .duration_seconds = length_ns / SONDE_SECOND, .rate = number, .ramp = ramp};
    return 0;
}
