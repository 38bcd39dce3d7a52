/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a threshold; what is accepted is in its bounds, fits the pattern of the API server,
 * and is judged as its operator says. */
#include <math.h>
#include <regex.h>
#include <stdlib.h>

#include "spec/formats.h"
#include "spec/threshold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void must_match(struct sonde_str text)
{
    static regex_t regex;
    static bool compiled;
    char copy[SONDE_THRESHOLD_LENGTH_MAX + 1];
    if (!compiled) {
        must(regcomp(&regex, sonde_format_threshold.pattern, REG_EXTENDED | REG_NOSUB) == 0);
        compiled = true;
    }
    must(!memchr(text.data, '\0', text.length));
    (void)snprintf(copy, sizeof(copy), "%.*s", SONDE_STR_ARG(text));
    must(regexec(&regex, copy, 0, NULL, 0) == 0);
}

static void must_be_inside(struct sonde_str part, struct sonde_str whole)
{
    must(part.length > 0 && part.data >= whole.data &&
         part.data + part.length <= whole.data + whole.length);
}

static void check_parts(const struct sonde_threshold *threshold, struct sonde_str text)
{
    must(threshold->metric <= SONDE_METRIC_DATA_SENT);
    must(threshold->statistic <= SONDE_STATISTIC_PERCENTILE);
    must(threshold->comparison <= SONDE_OPERATOR_NOT_EQUAL);
    must(isfinite(threshold->number));
    if (threshold->statistic == SONDE_STATISTIC_PERCENTILE) {
        must(threshold->percentile > 0 && threshold->percentile <= 100);
    }
    must((threshold->tag.data == NULL) == (threshold->tag_value.data == NULL));
    if (threshold->tag.data) {
        must_be_inside(threshold->tag, text);
        must_be_inside(threshold->tag_value, text);
    }
}

static void check_judgement(const struct sonde_threshold *threshold)
{
    static const bool expected[][3] = {
        /* below, at and above the number */
        [SONDE_OPERATOR_LESS_EQUAL] = {true, true, false},
        [SONDE_OPERATOR_LESS] = {true, false, false},
        [SONDE_OPERATOR_GREATER_EQUAL] = {false, true, true},
        [SONDE_OPERATOR_GREATER] = {false, false, true},
        [SONDE_OPERATOR_EQUAL] = {false, true, false},
        [SONDE_OPERATOR_NOT_EQUAL] = {true, false, true},
    };
    const bool *want = expected[threshold->comparison];
    must(sonde_threshold_holds(threshold, -INFINITY) == want[0]);
    must(sonde_threshold_holds(threshold, threshold->number) == want[1]);
    must(sonde_threshold_holds(threshold, INFINITY) == want[2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_str text = {(const char *)data, size};
    struct sonde_threshold threshold;
    struct sonde_err err = {0};
    if (sonde_threshold_parse(text, &threshold, &err) < 0) {
        must(err.message[0] != '\0');
        must(!sonde_format_threshold.check(text));
        return 0;
    }
    must_match(text);
    check_parts(&threshold, text);
    check_judgement(&threshold);
    return 0;
}
