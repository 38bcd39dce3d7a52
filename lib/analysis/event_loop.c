/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/event_loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"

enum { PLACES_TOLD = 5 };

struct reading {
    struct sonde_event_loop *loop;
    uint32_t *frames; /* by their place in the record: those of the loop */
    size_t frame_count;
};

static double number(const cJSON *object, const char *name)
{
    double value = sonde_json_number_or(object, name, 0);
    return isfinite(value) && value > 0 ? value : 0;
}

static int32_t integer(const cJSON *object, const char *name)
{
    int64_t value = sonde_json_integer_or(object, name, 0);
    return value > 0 && value <= INT32_MAX ? (int32_t)value : 0;
}

static void read_whole(const cJSON *json, struct sonde_event_loop *loop)
{
    const cJSON *delay = cJSON_GetObjectItemCaseSensitive(json, "delay");
    const cJSON *second;
    loop->milliseconds = number(json, "milliseconds");
    loop->utilization = fmin(number(json, "utilization"), 1);
    loop->threshold_ms = number(json, "stallThresholdMilliseconds");
    loop->mean_ms = number(delay, "delayMeanMilliseconds");
    loop->p50_ms = number(delay, "delayP50Milliseconds");
    loop->p99_ms = number(delay, "delayP99Milliseconds");
    loop->max_ms = number(delay, "delayMaxMilliseconds");
    cJSON_ArrayForEach(second, cJSON_GetObjectItemCaseSensitive(json, "seconds"))
    {
        double utilization = fmin(number(second, "utilization"), 1);
        loop->seconds++;
        if (utilization > loop->busiest_utilization) {
            loop->busiest_utilization = utilization;
            loop->busiest_start_ms = number(second, "startMilliseconds");
        }
    }
}

/* ---- places ---- */

static const struct sonde_frame *frame_at(const struct reading *reading, const cJSON *index)
{
    bool good = cJSON_IsNumber(index) && index->valuedouble >= 0 &&
                index->valuedouble < (double)reading->frame_count;
    return good ? &reading->loop->frames.frames[reading->frames[(size_t)index->valuedouble]] : NULL;
}

static const struct sonde_frame *choose_frame(const struct reading *reading, const cJSON *stack)
{
    const struct sonde_frame *chosen = NULL;
    const cJSON *index;
    bool app = false;
    cJSON_ArrayForEach(index, stack)
    {
        const struct sonde_frame *frame = frame_at(reading, index);
        bool this_app = frame && frame->category == SONDE_CATEGORY_APP;
        if (frame && (this_app || !app)) {
            chosen = frame;
            app = app || this_app;
        }
    }
    return chosen;
}

static int find_place(struct sonde_event_loop *loop, const struct sonde_frame *frame)
{
    if (!frame) {
        return SONDE_EVENT_LOOP_NO_PLACE;
    }
    const struct sonde_position *at = sonde_frame_position(frame);
    struct sonde_event_loop_place place = {
        .function = frame->source_function.length ? frame->source_function : frame->function,
        .file = at->file,
        .line = at->line,
        .column = at->column,
    };
    for (size_t i = 0; i < loop->place_count; i++) {
        const struct sonde_event_loop_place *other = &loop->places[i];
        if (other->line == place.line && other->column == place.column &&
            sonde_str_equal(other->file, place.file) &&
            sonde_str_equal(other->function, place.function)) {
            return (int)i;
        }
    }
    if (loop->place_count == SONDE_EVENT_LOOP_PLACES_MAX) {
        return SONDE_EVENT_LOOP_NO_PLACE;
    }
    loop->places[loop->place_count] = place;
    return (int)loop->place_count++;
}

/* ---- stalls ---- */

static void keep_longest(struct sonde_event_loop *loop, const struct sonde_event_loop_stall *stall)
{
    size_t at = loop->stall_count;
    while (at > 0 && loop->stalls[at - 1].milliseconds < stall->milliseconds) {
        at--;
    }
    if (at == SONDE_EVENT_LOOP_STALLS_MAX) {
        return;
    }
    loop->stall_count += loop->stall_count < SONDE_EVENT_LOOP_STALLS_MAX;
    memmove(&loop->stalls[at + 1], &loop->stalls[at],
            (loop->stall_count - at - 1) * sizeof(*loop->stalls));
    loop->stalls[at] = *stall;
}

static void add_stall(struct reading *reading, const cJSON *row)
{
    struct sonde_event_loop *loop = reading->loop;
    struct sonde_event_loop_stall stall = {
        .start_ms = number(row, "startMilliseconds"),
        .milliseconds = number(row, "milliseconds"),
        .samples = sonde_json_integer_or(row, "samples", 0),
        .share = fmin(number(row, "share"), 1),
    };
    stall.place =
        find_place(loop, choose_frame(reading, cJSON_GetObjectItemCaseSensitive(row, "stack")));
    loop->stalls_seen++;
    loop->stalled_ms += stall.milliseconds;
    if (stall.samples <= 0) {
        loop->unsampled++;
        loop->unsampled_ms += stall.milliseconds;
    }
    if (stall.place >= 0) {
        struct sonde_event_loop_place *place = &loop->places[stall.place];
        place->stalls++;
        place->total_ms += stall.milliseconds;
        place->longest_ms = fmax(place->longest_ms, stall.milliseconds);
    }
    keep_longest(loop, &stall);
}

/* Most time first; the stalls go on pointing at their places. */
static void sort_places(struct sonde_event_loop *loop)
{
    for (size_t i = 1; i < loop->place_count; i++) {
        for (size_t j = i; j > 0 && loop->places[j - 1].total_ms < loop->places[j].total_ms; j--) {
            struct sonde_event_loop_place place = loop->places[j];
            loop->places[j] = loop->places[j - 1];
            loop->places[j - 1] = place;
            for (size_t s = 0; s < loop->stall_count; s++) {
                int *at = &loop->stalls[s].place;
                *at = *at == (int)j ? (int)j - 1 : *at == (int)j - 1 ? (int)j : *at;
            }
        }
    }
}

static int read_frames(const cJSON *json, struct reading *reading, struct sonde_err *err)
{
    const cJSON *frames = cJSON_GetObjectItemCaseSensitive(json, "frames");
    const cJSON *row;
    size_t count = (size_t)cJSON_GetArraySize(frames);
    int r = sonde_profile_init(&reading->loop->frames, err);
    if (r == 0 && count > SONDE_EVENT_LOOP_FRAMES_MAX) {
        r = sonde_fail(err, SONDE_ELIMIT, 0, "an event loop's record with %zu frames", count);
    }
    if (r < 0) {
        return r;
    }
    reading->frames = calloc(count + 1, sizeof(*reading->frames));
    if (!reading->frames) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    cJSON_ArrayForEach(row, frames)
    {
        r = r < 0 ? r
                  : sonde_profile_frame(&reading->loop->frames,
                                        sonde_str(sonde_json_string_or(row, "function", "")),
                                        sonde_str(sonde_json_string_or(row, "url", "")),
                                        integer(row, "line"), integer(row, "column"),
                                        &reading->frames[reading->frame_count++], err);
    }
    return r;
}

static void read_stalls(const cJSON *json, struct reading *reading)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(json, "stalls"))
    {
        add_stall(reading, row);
    }
    int64_t omitted = sonde_json_integer_or(json, "stallsOmitted", 0);
    reading->loop->stalls_seen += omitted > 0 ? (size_t)omitted : 0;
    sort_places(reading->loop);
}

/* ---- findings ---- */

static struct sonde_finding *add_finding(struct sonde_event_loop *loop, const char *kind,
                                         int severity, double confidence)
{
    struct sonde_finding *finding = &loop->findings[loop->finding_count++];
    *finding = (struct sonde_finding){
        .tool = "event-loop", .kind = kind, .severity = severity, .confidence = confidence};
    return finding;
}

static void add_evidence(struct sonde_finding *finding, const char *name, double value,
                         const char *unit)
{
    finding->evidence[finding->evidence_count++] = (struct sonde_evidence){name, value, unit};
}

static void find_stalls(struct sonde_event_loop *loop)
{
    enum { SEVERITY_LONG = 80, SEVERITY_PERCEIVED = 65, SEVERITY_SHORT = 45 };
    for (size_t i = 0; i < loop->place_count && i < PLACES_TOLD; i++) {
        const struct sonde_event_loop_place *place = &loop->places[i];
        struct sonde_str name = sonde_profile_cut(place->function);
        int severity = place->longest_ms >= 1000  ? SEVERITY_LONG
                       : place->longest_ms >= 200 ? SEVERITY_PERCEIVED
                                                  : SEVERITY_SHORT;
        struct sonde_finding *finding = add_finding(loop, "loop-stall", severity, 0.9);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "the event loop stood still %zu time%s, %.0f ms in all and %.0f ms at once, "
                       "in %.*s",
                       place->stalls, place->stalls == 1 ? "" : "s", place->total_ms,
                       place->longest_ms,
                       name.length ? (int)(name.length < 200 ? name.length : 200) : 11,
                       name.length ? name.data : "(anonymous)");
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "Nothing else is answered meanwhile. Do less of it at once, cut it into "
                       "pieces that let the loop come round, or move it into a worker thread.");
        add_evidence(finding, "stalls", (double)place->stalls, "count");
        add_evidence(finding, "stalled", place->total_ms, "ms");
        add_evidence(finding, "longest", place->longest_ms, "ms");
        add_evidence(finding, "stallThreshold", loop->threshold_ms, "ms");
        finding->function = place->function;
        finding->file = place->file;
        finding->line = place->line;
        finding->column = place->column;
    }
}

static void find_rest(struct sonde_event_loop *loop)
{
    if (loop->utilization > 0.9) {
        struct sonde_finding *finding = add_finding(loop, "loop-saturated", 60, 0.9);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "the event loop was busy for %.0f %% of the time", 100 * loop->utilization);
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "It has no time left: requests wait for each other. See where the time goes "
                       "with a CPU profile, or add processes.");
        add_evidence(finding, "utilization", loop->utilization, "share");
        add_evidence(finding, "delayP99", loop->p99_ms, "ms");
    }
    if (loop->unsampled) {
        struct sonde_finding *finding = add_finding(loop, "not-running", 50, 0.6);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "in %zu stall%s, %.0f ms in all, the process was not running",
                       loop->unsampled, loop->unsampled == 1 ? "" : "s", loop->unsampled_ms);
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "No sample could be taken: look at the CPU limit (throttling) and at what "
                       "else runs on the machine.");
        add_evidence(finding, "stalls", (double)loop->unsampled, "count");
        add_evidence(finding, "stalled", loop->unsampled_ms, "ms");
    }
    if (loop->finding_count == 0) {
        struct sonde_finding *finding = add_finding(loop, "loop-healthy", 0, 0.9);
        (void)snprintf(finding->title, sizeof(finding->title),
                       "the event loop came round in time: no stall of %.0f ms, delay p99 %.1f ms",
                       loop->threshold_ms, loop->p99_ms);
        (void)snprintf(finding->advice, sizeof(finding->advice),
                       "If requests are slow all the same, they wait for something else.");
        add_evidence(finding, "delayP99", loop->p99_ms, "ms");
        add_evidence(finding, "utilization", loop->utilization, "share");
    }
}

static void sort_findings(struct sonde_event_loop *loop)
{
    for (size_t i = 1; i < loop->finding_count; i++) {
        for (size_t j = i; j > 0 && loop->findings[j - 1].severity < loop->findings[j].severity;
             j--) {
            struct sonde_finding finding = loop->findings[j];
            loop->findings[j] = loop->findings[j - 1];
            loop->findings[j - 1] = finding;
        }
    }
}

int sonde_event_loop_analyze(struct sonde_str text, const struct sonde_event_loop_mapper *mapper,
                             struct sonde_event_loop *ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    struct reading reading = {.loop = ret};
    *ret = (struct sonde_event_loop){0};
    int r = sonde_json_parse_up_to(text, SONDE_EVENT_LOOP_BYTES_MAX, &json, err);
    if (r == 0 && !cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "delay"))) {
        r = sonde_fail(err, SONDE_EPARSE, 0, "no record of an event loop: delay is missing");
    }
    r = r < 0 ? r : read_frames(json, &reading, err);
    r = r < 0 || !mapper ? r : mapper->map(mapper->context, &ret->frames, err);
    if (r == 0) {
        read_whole(json, ret);
        read_stalls(json, &reading);
        find_stalls(ret);
        find_rest(ret);
        sort_findings(ret);
    }
    free(reading.frames);
    return r;
}

void sonde_event_loop_fini(struct sonde_event_loop *loop)
{
    sonde_profile_fini(&loop->frames);
}
