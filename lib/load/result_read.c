/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "codec/json.h"
#include "histogram/wire.h"
#include "load/result.h"
#include "load/result_fields.h"
#include "load/stage.h"

#define RESULT(name_, member_) {name_, offsetof(struct sonde_load_result, member_)}
const struct sonde_load_result_histogram sonde_load_result_histograms[] = {
    RESULT("response", tally.response), RESULT("service", tally.service),
    RESULT("sendLag", tally.send_lag),  RESULT("requestsPerSecond", requests),
    RESULT("bytesPerSecond", bytes),    {0},
};

/* A span of a hundred years, behind a time until the year 2150: their sum is a time, too. */
static const int64_t longest_s = INT64_C(100) * 365 * 86400;
static const int64_t last_us = INT64_C(5680281600) * 1000 * 1000;

/* NULL where it is absent. */
static int read_text(struct sonde_load_result *result, const cJSON *object, const char *name,
                     const char **ret, struct sonde_err *err)
{
    const char *text;
    *ret = NULL;
    if (!cJSON_GetObjectItemCaseSensitive(object, name)) {
        return 0;
    }
    int r = sonde_json_string(object, name, &text, err);
    if (r < 0) {
        return r;
    }
    if (strlen(text) > SONDE_LOAD_RESULT_TEXT_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "JSON: \"%s\" has more than %d bytes", name,
                          SONDE_LOAD_RESULT_TEXT_MAX);
    }
    *ret = sonde_arena_copy(&result->arena, sonde_str(text)).data;
    return *ret ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

/* ---- what was asked for ---- */

/* A number from 0 that may be absent. */
static int read_optional(const cJSON *object, const char *name, int64_t most, int64_t *ret,
                         struct sonde_err *err)
{
    *ret = SONDE_SPEC_ABSENT;
    return cJSON_GetObjectItemCaseSensitive(object, name)
               ? sonde_load_read_number(object, name, 0, most, ret, err)
               : 0;
}

/* A number that a version before it was there has not. */
static int read_newer(const cJSON *object, const char *name, int64_t most, int64_t otherwise,
                      int64_t *ret, struct sonde_err *err)
{
    int r = read_optional(object, name, most, ret, err);
    *ret = *ret == SONDE_SPEC_ABSENT ? otherwise : *ret;
    return r;
}

struct list {
    const cJSON *first;
    size_t count;
    void *room; /* for all of them, in the result's arena; NULL for none */
};

/* One that is not there is empty, as in a version before there was any. */
static int read_list(struct sonde_load_result *result, const cJSON *object, const char *name,
                     size_t most, size_t item_size, struct list *ret, struct sonde_err *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, name);
    int r = list ? sonde_json_array(object, name, &list, err) : 0;
    *ret = (struct list){0};
    if (r < 0 || !list || !list->child) {
        return r;
    }
    size_t count = (size_t)cJSON_GetArraySize(list);
    if (count > most) {
        return sonde_load_out_of_bounds(name, err);
    }
    *ret = (struct list){list->child, count, sonde_arena_alloc(&result->arena, count * item_size)};
    return ret->room ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

static int read_stages(struct sonde_load_result *result, const cJSON *asked, struct sonde_err *err)
{
    struct list list;
    size_t read = 0;
    int r = read_list(result, asked, "stages", SONDE_ARRIVALS_STAGES_MAX,
                      sizeof(struct sonde_stage), &list, err);
    struct sonde_stage *stages = list.room;
    for (const cJSON *item = list.first; item && r == 0; item = item->next) {
        struct sonde_stage *stage = &stages[read++];
        r = sonde_load_read_number(item, "durationSeconds", 0, longest_s, &stage->duration_seconds,
                                   err);
        r = r < 0 ? r : sonde_load_read_number(item, "rate", 0, INT64_MAX, &stage->rate, err);
        stage->ramp = sonde_json_true(item, "ramp");
    }
    result->asked.arrival.stages.items = stages;
    result->asked.arrival.stages.count = read;
    return r;
}

static int read_asked(struct sonde_load_result *result, const cJSON *document,
                      struct sonde_err *err)
{
    struct sonde_load_asked *asked = &result->asked;
    struct sonde_arrival *arrival = &asked->arrival;
    const struct {
        const char *name;
        int64_t most;
        unsigned *ret;
    } numbers[] = {
        {"threads", SONDE_LOAD_THREADS_MAX, &asked->threads},
        {"connections", SONDE_LOAD_CONNECTIONS_MAX, &asked->connections},
        {"connectionsMax", SONDE_LOAD_CONNECTIONS_MAX, &asked->connections_max},
        {"pipelining", SONDE_LOAD_PIPELINING_MAX, &asked->pipelining},
    };
    const cJSON *from;
    int r = sonde_json_object(document, "asked", &from, err);
    r = r < 0 ? r : read_text(result, from, "title", &asked->title, err);
    r = r < 0 ? r : read_text(result, from, "url", &asked->url, err);
    r = r < 0 ? r : read_text(result, from, "socketPath", &asked->socket_path, err);
    for (size_t i = 0; i < SONDE_LENGTH(numbers) && r == 0; i++) {
        int64_t value = 0;
        r = sonde_load_read_number(from, numbers[i].name, 1, numbers[i].most, &value, err);
        *numbers[i].ret = (unsigned)value;
    }
    r = r < 0 ? r
              : sonde_load_read_count(from, "requestsPerConnection",
                                      &asked->requests_per_connection, err);
    r = r < 0 ? r
              : sonde_load_read_number(from, "timeoutNanoseconds", 0, INT64_MAX, &asked->timeout_ns,
                                       err);
    r = r < 0 ? r : read_optional(from, "rate", INT64_MAX, &arrival->rate, err);
    r = r < 0 ? r
              : read_optional(from, "durationSeconds", longest_s, &arrival->duration_seconds, err);
    r = r < 0 ? r : read_optional(from, "amount", INT64_MAX, &arrival->amount, err);
    r = r < 0 ? r : read_newer(from, "warmUpSeconds", longest_s, 0, &asked->warm_up_seconds, err);
    r = r < 0 ? r
              : read_newer(from, "sampleNanoseconds", INT64_MAX, SONDE_SECOND, &asked->sample_ns,
                           err);
    r = r < 0 ? r : read_stages(result, from, err);
    if (r < 0) {
        return r;
    }
    const char *distribution = sonde_json_string_or(from, "distribution", "");
    arrival->distribution =
        strcmp(distribution, "Poisson") == 0 ? SONDE_ARRIVAL_POISSON : SONDE_ARRIVAL_CONSTANT;
    const char *seed = sonde_json_string_or(from, "seed", "0");
    if (!asked->url) {
        return sonde_fail(err, SONDE_EPARSE, 0, "JSON: \"url\" is not a string");
    }
    return sonde_parse_hex64(sonde_str(seed), &asked->seed) < 0
               ? sonde_fail(err, SONDE_EPARSE, 0, "JSON: \"seed\" is not a hexadecimal number")
               : 0;
}

static int read_interval(struct sonde_load_result *result, const cJSON *from,
                         struct sonde_histogram *response, struct sonde_err *err)
{
    struct sonde_load_interval one = {0};
    size_t count = result->intervals.count;
    int64_t begin_ns = sonde_load_intervals_begin(&result->intervals, count);
    sonde_histogram_clear(response);
    int r = sonde_load_read_number(from, "end", begin_ns, INT64_MAX, &one.end_ns, err);
    r = r < 0 ? r : sonde_load_read_fields(from, sonde_load_interval_fields, &one, err);
    r = r < 0 ? r : sonde_load_read_histogram(from, "intervals", response, err);
    one.minimum_us = response->minimum;
    one.maximum_us = response->maximum;
    one.clipped = response->clipped;
    return r < 0 ? r : sonde_load_intervals_push(&result->intervals, &one, response, err);
}

static int read_intervals(struct sonde_load_result *result, const cJSON *document,
                          struct sonde_err *err)
{
    struct sonde_load_intervals *all = &result->intervals;
    struct sonde_histogram response = {0};
    const cJSON *list;
    int64_t factor = 1;
    int64_t in_last = 1;
    int r = sonde_json_array(document, "intervals", &list, err);
    r = r < 0 ? r : sonde_load_read_number(document, "factor", 1, 1 << 30, &factor, err);
    r = r < 0 ? r : sonde_load_read_number(document, "inLast", 0, factor, &in_last, err);
    if (r == 0 &&
        (cJSON_GetArraySize(list) > SONDE_LOAD_INTERVALS_MAX || (factor & (factor - 1)) != 0)) {
        r = sonde_load_out_of_bounds("intervals", err);
    }
    r = r < 0 ? r : sonde_histogram_init(&response, &all->scratch.layout, err);
    for (const cJSON *item = r < 0 ? NULL : list->child; item && r == 0; item = item->next) {
        r = read_interval(result, item, &response, err);
    }
    sonde_histogram_fini(&response);
    if (r == 0 && all->factor == 1) { /* else they were too large, and have been merged */
        all->factor = (unsigned)factor;
        all->in_last = (unsigned)in_last;
    }
    return r;
}

static int read_tally(const cJSON *object, struct sonde_load_tally *ret, struct sonde_err *err)
{
    int r = sonde_load_read_counts(ret, object, err);
    return r < 0 ? r : sonde_load_read_histograms(sonde_load_tally_histograms, ret, object, err);
}

static int read_part(const cJSON *from, struct sonde_load_label *label,
                     struct sonde_load_tally *ret, struct sonde_err *err)
{
    const char *text;
    bool name = cJSON_GetObjectItemCaseSensitive(from, "name") != NULL;
    label->kind = name ? SONDE_LOAD_OF_NAME : SONDE_LOAD_OF_ADDRESS;
    int r = sonde_json_string(from, name ? "name" : "address", &text, err);
    if (r == 0) {
        (void)snprintf(label->text, sizeof(label->text), "%s", text);
    }
    return r < 0 ? r : read_tally(from, ret, err);
}

static int read_parts(struct sonde_load_result *result, const cJSON *document,
                      struct sonde_err *err)
{
    struct list list;
    int r = read_list(result, document, "parts", SONDE_LOAD_LABELS_MAX,
                      sizeof(struct sonde_load_label), &list, err);
    if (r < 0 || list.count == 0) {
        return r;
    }
    struct sonde_load_label *labels = list.room;
    r = sonde_load_tally_divide(&result->tally, labels, list.count, err);
    size_t at = 0;
    for (const cJSON *item = list.first; item && r == 0; item = item->next, at++) {
        r = read_part(item, &labels[at], &result->tally.parts[at], err);
    }
    return r;
}

static int read_warm_up(struct sonde_load_result *result, const cJSON *document,
                        struct sonde_err *err)
{
    const cJSON *from;
    if (result->asked.warm_up_seconds == 0) {
        return 0;
    }
    int r = sonde_json_object(document, "warmUp", &from, err);
    return r < 0 ? r : read_tally(from, &result->warm_up, err);
}

/* ---- what its seconds say ---- */

static int read_bounds(const cJSON *from, struct sonde_load_bounds *ret, struct sonde_err *err)
{
    const cJSON *low = cJSON_IsArray(from) ? from->child : NULL;
    const cJSON *high = low ? low->next : NULL;
    *ret = (struct sonde_load_bounds){0};
    if (!from || cJSON_IsNull(from)) {
        return 0;
    }
    /* Up to what a histogram may have seen. */
    static const double most = 1e15;
    if (!low || !high || !cJSON_IsNumber(low) || !cJSON_IsNumber(high) || low->valuedouble < 0 ||
        high->valuedouble < low->valuedouble || high->valuedouble > most) {
        return sonde_load_out_of_bounds("confidence", err);
    }
    *ret = (struct sonde_load_bounds){true, (int64_t)low->valuedouble, (int64_t)high->valuedouble};
    return 0;
}

static int read_confidence(struct sonde_load_result *result, const cJSON *from,
                           struct sonde_err *err)
{
    const char *method = sonde_json_string_or(from, "method", "");
    int r = 0;
    for (int i = 0; i < SONDE_LOAD_CONFIDENCE_METHODS; i++) {
        if (strcmp(method,
                   sonde_load_confidence_method_name((enum sonde_load_confidence_method)i)) == 0) {
            result->confidence.method = (enum sonde_load_confidence_method)i;
        }
    }
    for (size_t i = 0; i < SONDE_LOAD_CONFIDENCE_QUANTILES && r == 0; i++) {
        const char *name = sonde_load_confidence_quantiles[i].name;
        r = read_bounds(cJSON_GetObjectItemCaseSensitive(from, name), &result->confidence.bounds[i],
                        err);
    }
    return r;
}

static int read_steadiness(const cJSON *from, struct sonde_load_steady_verdict *ret,
                           struct sonde_err *err)
{
    const char *state = sonde_json_string_or(from, "state", "");
    const char *signal = sonde_json_string_or(from, "signal", "");
    int64_t since = 0;
    if (strcmp(state, sonde_load_steadiness_name(SONDE_LOAD_STEADY)) == 0) {
        int r = sonde_load_read_number(from, "sinceSeconds", 0, UINT32_MAX, &since, err);
        *ret = (struct sonde_load_steady_verdict){.state = SONDE_LOAD_STEADY,
                                                  .since_seconds = (unsigned)since};
        return r;
    }
    for (int i = 0; i < SONDE_LOAD_STEADY_SIGNALS; i++) {
        enum sonde_load_steady_signal own = (enum sonde_load_steady_signal)i;
        if (strcmp(signal, sonde_load_steady_signal_name(own)) == 0) {
            *ret = (struct sonde_load_steady_verdict){.state = SONDE_LOAD_UNSTEADY, .signal = own};
        }
    }
    return 0;
}

/* A version before these were told has what follows from the number of requests. */
static int read_course(struct sonde_load_result *result, const cJSON *document,
                       struct sonde_err *err)
{
    static const struct sonde_load_intervals none = {0};
    const cJSON *confidence = cJSON_GetObjectItemCaseSensitive(document, "confidence");
    const cJSON *steadiness = cJSON_GetObjectItemCaseSensitive(document, "steadiness");
    int r = confidence ? read_confidence(result, confidence, err)
                       : sonde_load_confidence_of(&result->tally.response, &none, 0,
                                                  &result->confidence, err);
    return r < 0 ? r : read_steadiness(steadiness, &result->steadiness, err);
}

/* ---- what is to be thought of it ---- */

static int read_verdict(struct sonde_load_result *result, const cJSON *from,
                        struct sonde_load_verdict *ret, struct sonde_err *err)
{
    int r = read_text(result, from, "text", &ret->text, err);
    if (r < 0 || !ret->text) {
        return r < 0 ? r : sonde_fail(err, SONDE_EPARSE, 0, "JSON: \"text\" is not a string");
    }
    ret->statistic = sonde_json_number_or(from, "value", NAN);
    ret->statistic = isfinite(ret->statistic) ? ret->statistic : NAN;
    ret->keeps = sonde_json_true(from, "holds");
    /* One of a newer version is told as it stands. */
    if (sonde_threshold_parse(sonde_str(ret->text), &ret->threshold, NULL) < 0) {
        ret->threshold = (struct sonde_threshold){0};
    }
    return 0;
}

static int read_verdicts(struct sonde_load_result *result, const cJSON *document,
                         struct sonde_err *err)
{
    const cJSON *thresholds;
    const cJSON *validity;
    struct list list;
    const char *reason = NULL;
    int r = sonde_json_object(document, "validity", &validity, err);
    r = r < 0 ? r : sonde_json_string(validity, "reason", &reason, err);
    r = r < 0 ? r : sonde_json_array(document, "thresholds", &thresholds, err);
    r = r < 0 ? r
              : read_list(result, document, "thresholds", SONDE_LOAD_VERDICTS_MAX,
                          sizeof(*result->verdicts), &list, err);
    if (r < 0) {
        return r;
    }
    result->validity.valid = sonde_json_true(validity, "valid");
    (void)snprintf(result->validity.reason, sizeof(result->validity.reason), "%s", reason);
    result->verdicts = list.room;
    for (const cJSON *item = list.first; item && r == 0; item = item->next) {
        r = read_verdict(result, item, &result->verdicts[result->verdict_count++], err);
    }
    return r;
}

/* ---- the search for a rate ---- */

static int read_trial(const cJSON *from, struct sonde_load_trial *ret, struct sonde_err *err)
{
    int r = sonde_load_read_number(from, "rate", 1, SONDE_LOAD_RATE_MAX, &ret->rate, err);
    r = r < 0 ? r : sonde_load_read_number(from, "seconds", 1, UINT32_MAX, &ret->seconds, err);
    ret->keeps = sonde_json_true(from, "keeps");
    ret->valid = sonde_json_true(from, "valid");
    ret->achieved = sonde_json_number_or(from, "achieved", 0);
    return r;
}

/* What follows from the trials follows again. A test without a search has none. */
static int read_search(struct sonde_load_result *result, const cJSON *document,
                       struct sonde_err *err)
{
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(document, "search");
    const cJSON *list;
    struct sonde_rate_search plan = {0};
    if (!from || cJSON_IsNull(from)) {
        return 0;
    }
    int r =
        sonde_load_read_number(from, "startRate", 1, SONDE_LOAD_RATE_MAX, &plan.start_rate, err);
    r = r < 0
            ? r
            : sonde_load_read_number(from, "maxRate", 1, SONDE_LOAD_RATE_MAX, &plan.max_rate, err);
    r = r < 0
            ? r
            : sonde_load_read_number(from, "trialSeconds", 1, UINT32_MAX, &plan.trial_seconds, err);
    r = r < 0
            ? r
            : sonde_load_read_number(from, "precisionPercent", 1, 99, &plan.precision_percent, err);
    r = r < 0 ? r : sonde_json_array(from, "trials", &list, err);
    if (r < 0) {
        return r;
    }
    if (cJSON_GetArraySize(list) > SONDE_LOAD_SEARCH_TRIALS_MAX) {
        return sonde_load_out_of_bounds("trials", err);
    }
    struct sonde_load_search *search = sonde_arena_alloc(&result->arena, sizeof(*search));
    if (!search) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sonde_load_search_init(search, &plan);
    for (const cJSON *item = list->child; item && r == 0; item = item->next) {
        struct sonde_load_trial trial = {0};
        r = read_trial(item, &trial, err);
        sonde_load_search_take(search, &trial);
    }
    result->search = search;
    return r;
}

/* ---- profiles ---- */

static int read_profile(struct sonde_load_result *result, const cJSON *from,
                        struct sonde_load_profiled *ret, struct sonde_err *err)
{
    const struct {
        const char *name;
        const char **ret;
    } texts[] = {
        {"type", &ret->type},   {"run", &ret->run},         {"title", &ret->title},
        {"where", &ret->where}, {"failure", &ret->failure},
    };
    int r = sonde_load_read_number(from, "fromNanoseconds", 0, INT64_MAX, &ret->from_ns, err);
    r = r < 0 ? r : sonde_load_read_number(from, "toNanoseconds", 0, INT64_MAX, &ret->to_ns, err);
    for (size_t i = 0; i < SONDE_LENGTH(texts) && r == 0; i++) {
        r = read_text(result, from, texts[i].name, texts[i].ret, err);
    }
    ret->p50_with_us = sonde_json_integer_or(from, "p50With", 0);
    ret->p50_without_us = sonde_json_integer_or(from, "p50Without", 0);
    ret->p99_with_us = sonde_json_integer_or(from, "p99With", 0);
    ret->p99_without_us = sonde_json_integer_or(from, "p99Without", 0);
    return r == 0 && (!ret->type || (!ret->run && !ret->failure))
               ? sonde_fail(err, SONDE_EPARSE, 0, "JSON: a profile without type, run or failure")
               : r;
}

static int read_profiles(struct sonde_load_result *result, const cJSON *document,
                         struct sonde_err *err)
{
    struct list list;
    int r = read_list(result, document, "profiles", SONDE_LOAD_PROFILED_MAX,
                      sizeof(*result->profiles), &list, err);
    result->profiles = list.room;
    for (const cJSON *item = list.first; item && r == 0; item = item->next) {
        r = read_profile(result, item, &result->profiles[result->profile_count++], err);
    }
    return r;
}

/* ---- all of it ---- */

static int check_type(const cJSON *document, struct sonde_err *err)
{
    int64_t version = 0;
    if (strcmp(sonde_json_string_or(document, "type", ""), SONDE_LOAD_RESULT_TYPE) != 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "not the result of a load test");
    }
    int r = sonde_load_read_number(document, "version", 1, INT64_MAX, &version, err);
    if (r == 0 && version > SONDE_LOAD_RESULT_VERSION) {
        return sonde_fail(err, SONDE_EVERSION, 0,
                          "the load test was kept by a newer version of Sonde: use that one");
    }
    return r;
}

static int read_times(struct sonde_load_result *result, const cJSON *document,
                      struct sonde_err *err)
{
    const struct {
        const char *name;
        int64_t *ret;
    } spans[] = {
        {"durationNanoseconds", &result->duration_ns},
        {"cpuNanoseconds", &result->cpu_ns},
        {"throttledNanoseconds", &result->throttled_ns},
        {"sampledNanoseconds", &result->sampled_ns},
    };
    int64_t start_us = 0;
    int r = sonde_load_read_number(document, "startMicroseconds", 0, last_us, &start_us, err);
    result->start_ns = start_us * 1000;
    for (size_t i = 0; i < SONDE_LENGTH(spans) && r == 0; i++) {
        r = sonde_load_read_number(document, spans[i].name, 0, longest_s * SONDE_SECOND,
                                   spans[i].ret, err);
    }
    result->stopped = sonde_json_true(document, "stopped");
    return r < 0 ? r : sonde_load_read_count(document, "samples", &result->samples, err);
}

int sonde_load_result_read(struct sonde_str text, struct sonde_load_result *ret,
                           struct sonde_err *err)
{
    SONDE_JSON_AUTO *document = NULL;
    int r = sonde_load_result_init(ret, err);
    r = r < 0 ? r : sonde_json_parse_up_to(text, SONDE_LOAD_RESULT_MAX, &document, err);
    r = r < 0 ? r : check_type(document, err);
    r = r < 0 ? r : read_times(ret, document, err);
    r = r < 0 ? r : read_asked(ret, document, err);
    r = r < 0 ? r : sonde_load_read_counts(&ret->tally, document, err);
    r = r < 0 ? r : read_parts(ret, document, err);
    r = r < 0 ? r : read_warm_up(ret, document, err);
    r = r < 0 ? r : read_verdicts(ret, document, err);
    r = r < 0 ? r : read_search(ret, document, err);
    r = r < 0 ? r : read_profiles(ret, document, err);
    r = r < 0 ? r : sonde_load_read_histograms(sonde_load_result_histograms, ret, document, err);
    r = r < 0 ? r : read_course(ret, document, err);
    return r < 0 ? r : read_intervals(ret, document, err);
}
