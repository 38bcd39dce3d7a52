/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/threshold.h"

#include "base/buf.h"
#include "base/options.h"

enum { TREND = 1, SHARE = 2, COUNTER = 4 };

static const char *const metric_names[] = {
    [SONDE_METRIC_DURATION] = "http_req_duration",  [SONDE_METRIC_SERVICE] = "http_req_service",
    [SONDE_METRIC_SEND_LAG] = "http_req_send_lag",  [SONDE_METRIC_FAILED] = "http_req_failed",
    [SONDE_METRIC_REQUESTS] = "http_reqs",          [SONDE_METRIC_DROPPED] = "dropped_requests",
    [SONDE_METRIC_DATA_RECEIVED] = "data_received", [SONDE_METRIC_DATA_SENT] = "data_sent",
};

static const unsigned metric_kinds[] = {
    [SONDE_METRIC_DURATION] = TREND,        [SONDE_METRIC_SERVICE] = TREND,
    [SONDE_METRIC_SEND_LAG] = TREND,        [SONDE_METRIC_FAILED] = SHARE,
    [SONDE_METRIC_REQUESTS] = COUNTER,      [SONDE_METRIC_DROPPED] = COUNTER,
    [SONDE_METRIC_DATA_RECEIVED] = COUNTER, [SONDE_METRIC_DATA_SENT] = COUNTER,
};

static const struct {
    const char *name;
    unsigned kinds; /* of metrics that have it */
} statistics[] = {
    [SONDE_STATISTIC_AVERAGE] = {"avg", TREND},
    [SONDE_STATISTIC_MINIMUM] = {"min", TREND},
    [SONDE_STATISTIC_MAXIMUM] = {"max", TREND},
    [SONDE_STATISTIC_MEDIAN] = {"med", TREND},
    [SONDE_STATISTIC_COUNT] = {"count", COUNTER},
    [SONDE_STATISTIC_RATE] = {"rate", SHARE | COUNTER},
    [SONDE_STATISTIC_PERCENTILE] = {"p(N)", TREND},
};

/* The longer first. */
static const struct {
    const char *text;
    enum sonde_threshold_operator meaning;
} operators[] = {
    {"===", SONDE_OPERATOR_EQUAL},    {"==", SONDE_OPERATOR_EQUAL},
    {"!=", SONDE_OPERATOR_NOT_EQUAL}, {"<=", SONDE_OPERATOR_LESS_EQUAL},
    {"<", SONDE_OPERATOR_LESS},       {">=", SONDE_OPERATOR_GREATER_EQUAL},
    {">", SONDE_OPERATOR_GREATER},
};

static struct sonde_str without_spaces(struct sonde_str text)
{
    while (text.length && text.data[0] == ' ') {
        text.data++;
        text.length--;
    }
    while (text.length && text.data[text.length - 1] == ' ') {
        text.length--;
    }
    return text;
}

static bool is_tag(struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9' && i > 0) && c != '_') {
            return false;
        }
    }
    return text.length > 0;
}

static bool is_tag_value(struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.') {
            return false;
        }
    }
    return text.length > 0;
}

static int parse_metric(struct sonde_str text, enum sonde_threshold_metric *ret,
                        struct sonde_err *err)
{
    for (size_t i = 0; i < SONDE_LENGTH(metric_names); i++) {
        if (sonde_str_is(text, metric_names[i])) {
            *ret = (enum sonde_threshold_metric)i;
            return 0;
        }
    }
    const char *near = sonde_suggest(text, metric_names, SONDE_LENGTH(metric_names));
    return sonde_fail(err, SONDE_EINVALID, 0, "there is no metric \"%.*s\"%s%s%s",
                      SONDE_STR_ARG(text), near ? ": did you mean " : "", near ? near : "",
                      near ? "?" : "");
}

/* "{tag:value}" at the start of *rest is taken off, if it is there. */
static int parse_tag(struct sonde_str *rest, struct sonde_threshold *threshold,
                     struct sonde_err *err)
{
    if (!sonde_str_starts(*rest, "{")) {
        return 0;
    }
    struct sonde_str after = {rest->data + 1, rest->length - 1};
    struct sonde_str value = sonde_str_split(&after, '}');
    struct sonde_str tag = sonde_str_split(&value, ':');
    if (!after.data || !is_tag(tag) || !is_tag_value(value)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "what stands in braces must be TAG:VALUE, such as {name:search}");
    }
    threshold->tag = tag;
    threshold->tag_value = value;
    *rest = after;
    return 0;
}

static int parse_percentile(struct sonde_str text, double *ret, struct sonde_err *err)
{
    struct sonde_str number = {text.data + 2, text.length - 3};
    struct sonde_str plain = number;
    while (plain.length &&
           ((plain.data[0] >= '0' && plain.data[0] <= '9') || plain.data[0] == '.')) {
        plain.data++;
        plain.length--;
    }
    if (plain.length || sonde_parse_double(number, ret) < 0 || *ret <= 0 || *ret > 100) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "a percentile must be above 0 and at most 100, is \"%.*s\"",
                          SONDE_STR_ARG(number));
    }
    return 0;
}

static int parse_statistic(struct sonde_str text, struct sonde_threshold *threshold,
                           struct sonde_err *err)
{
    size_t i = 0;
    if (sonde_str_starts(text, "p(") && sonde_str_ends(text, ")")) {
        i = SONDE_STATISTIC_PERCENTILE;
        int code = parse_percentile(text, &threshold->percentile, err);
        if (code < 0) {
            return code;
        }
    }
    while (i < SONDE_STATISTIC_PERCENTILE && !sonde_str_is(text, statistics[i].name)) {
        i++;
    }
    if (i == SONDE_STATISTIC_PERCENTILE && threshold->percentile <= 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "\"%.*s\" is none of avg, min, max, med, p(N), count and rate",
                          SONDE_STR_ARG(text));
    }
    if (!(statistics[i].kinds & metric_kinds[threshold->metric])) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s has no %s: %s",
                          metric_names[threshold->metric], statistics[i].name,
                          metric_kinds[threshold->metric] == TREND
                              ? "it has avg, min, max, med and p(N)"
                              : (metric_kinds[threshold->metric] == SHARE
                                     ? "it has rate"
                                     : "it has count and rate"));
    }
    threshold->statistic = (enum sonde_threshold_statistic)i;
    return 0;
}

/* "STATISTIC OPERATOR NUMBER" */
static int parse_condition(struct sonde_str text, struct sonde_threshold *threshold,
                           struct sonde_err *err)
{
    size_t at = 0;
    while (at < text.length && !strchr("<>=!", text.data[at])) {
        at++;
    }
    struct sonde_str rest = {text.data + at, text.length - at};
    const char *operator= NULL;
    for (size_t i = 0; !operator&& i<SONDE_LENGTH(operators); i++) {
        if (sonde_str_starts(rest, operators[i].text)) {
            operator= operators[i].text;
            threshold->comparison = operators[i].meaning;
        }
    }
    if (!operator) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "a comparison is missing: METRIC: STATISTIC OPERATOR NUMBER, such as "
                          "http_req_duration: p(99)<250");
    }
    struct sonde_str number = without_spaces(
        (struct sonde_str){rest.data + strlen(operator), rest.length - strlen(operator)});
    int code = parse_statistic(without_spaces((struct sonde_str){text.data, at}), threshold, err);
    if (code < 0) {
        return code;
    }
    if (memchr(number.data, 'e', number.length) || memchr(number.data, 'E', number.length) ||
        sonde_parse_double(number, &threshold->number) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "\"%.*s\" is not a plain number",
                          SONDE_STR_ARG(number));
    }
    return 0;
}

int sonde_threshold_parse(struct sonde_str text, struct sonde_threshold *ret, struct sonde_err *err)
{
    if (text.length == 0 || text.length > SONDE_THRESHOLD_LENGTH_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "must have 1 to %d characters",
                          SONDE_THRESHOLD_LENGTH_MAX);
    }
    size_t at = 0;
    while (at < text.length &&
           (text.data[at] == '_' || (text.data[at] >= 'a' && text.data[at] <= 'z'))) {
        at++;
    }
    struct sonde_threshold threshold = {0};
    struct sonde_str rest = {text.data + at, text.length - at};
    int code = parse_metric((struct sonde_str){text.data, at}, &threshold.metric, err);
    code = code ? code : parse_tag(&rest, &threshold, err);
    if (code < 0) {
        return code;
    }
    rest = without_spaces(rest);
    if (!sonde_str_starts(rest, ":")) {
        return sonde_fail(err, SONDE_EINVALID, 0, "a colon must stand behind the metric: %s: …",
                          metric_names[threshold.metric]);
    }
    code = parse_condition((struct sonde_str){rest.data + 1, rest.length - 1}, &threshold, err);
    if (code < 0) {
        return code;
    }
    *ret = threshold;
    return 0;
}

bool sonde_threshold_holds(const struct sonde_threshold *threshold, double value)
{
    switch (threshold->comparison) {
    case SONDE_OPERATOR_LESS_EQUAL:
        return value <= threshold->number;
    case SONDE_OPERATOR_LESS:
        return value < threshold->number;
    case SONDE_OPERATOR_GREATER_EQUAL:
        return value >= threshold->number;
    case SONDE_OPERATOR_GREATER:
        return value > threshold->number;
    case SONDE_OPERATOR_EQUAL:
        return value >= threshold->number && value <= threshold->number;
    case SONDE_OPERATOR_NOT_EQUAL:
        return value < threshold->number || value > threshold->number;
    }
    return false;
}
