/* SPDX-License-Identifier: Apache-2.0 */
/* A LoadTest's own part of an object, and of its status. */
#include "controller/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "spec/reason.h"

struct load *load_of(struct object *object)
{
    return (struct load *)(void *)object;
}

const struct load *load_from(const struct object *object)
{
    return (const struct load *)(const void *)object;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- its life ---- */

int load_read(struct object *object, struct sonde_err *err)
{
    struct load *load = load_of(object);
    (void)err;
    load->spec = object->documents.items[0].load_test;
    load->start_since = sonde_clock_realtime();
    object->deadline_seconds = load->spec->active_deadline_seconds;
    for (size_t i = 0; i < LOAD_RUNNERS_MAX; i++) {
        load->runners[i].load = load;
    }
    load_job_name(object->name, object->uid, load->job);
    load_profile_name(object->name, object->uid, load->profile);
    if (load->spec->target->service) {
        (void)snprintf(object->target_word, sizeof(object->target_word), "Service/%s",
                       load->spec->target->service->name);
    } else {
        (void)snprintf(object->target_word, sizeof(object->target_word), "%.300s",
                       load->spec->target->url);
    }
    return 0;
}

void load_fini(struct object *object)
{
    struct load *load = load_of(object);
    if (load->tokens) {
        explicit_bzero(load->tokens, LOAD_RUNNERS_MAX * sizeof(*load->tokens));
    }
    free(load->tokens);
    cJSON_Delete(load->service);
    cJSON_Delete(load->addresses);
    cJSON_Delete(load->outside);
}

/* ---- figures ---- */

void load_write_latency(int64_t us, char ret[LOAD_FIGURE_SIZE])
{
    if (us < 1000) {
        (void)snprintf(ret, LOAD_FIGURE_SIZE, "%lldus", (long long)us);
    } else if (us < 100000) {
        (void)snprintf(ret, LOAD_FIGURE_SIZE, "%.1fms", (double)us / 1e3);
    } else if (us < 10000000) {
        (void)snprintf(ret, LOAD_FIGURE_SIZE, "%.0fms", (double)us / 1e3);
    } else {
        (void)snprintf(ret, LOAD_FIGURE_SIZE, "%.1fs", (double)us / 1e6);
    }
}

/* What is more than nothing never looks like it. */
void load_write_share(double share, char ret[LOAD_FIGURE_SIZE])
{
    double percent = 100 * share;
    if (percent > 0 && percent < 0.01) {
        (void)snprintf(ret, LOAD_FIGURE_SIZE, "<0.01%%");
    } else {
        (void)snprintf(ret, LOAD_FIGURE_SIZE, percent == 0 ? "%.0f%%" : "%.2f%%", percent);
    }
}

void load_write_rate(double rate, char ret[LOAD_FIGURE_SIZE])
{
    (void)snprintf(ret, LOAD_FIGURE_SIZE, rate < 1000 ? "%.1f" : "%.0f", rate);
}

/* ---- what the store tells ---- */

static enum load_phase phase_of(const char *word)
{
    return strcmp(word, "Waiting") == 0   ? LOAD_PHASE_WAITING
           : strcmp(word, "Running") == 0 ? LOAD_PHASE_RUNNING
           : strcmp(word, "Over") == 0    ? LOAD_PHASE_OVER
                                          : LOAD_UNKNOWN;
}

static int64_t count_of(const cJSON *told, const char *name)
{
    int64_t count = sonde_json_integer_or(told, name, 0);
    return count > 0 ? count : 0;
}

void load_take_figures(struct load_live *live, const cJSON *told)
{
    if (!count_of(told, "requests")) {
        return;
    }
    double rate = sonde_json_number_or(told, "rate", 0);
    double share = sonde_json_number_or(told, "errorRate", 0);
    live->requests = count_of(told, "requests");
    load_write_rate(rate >= 0 && rate < 1e12 ? rate : 0, live->rate);
    load_write_share(share >= 0 && share <= 1 ? share : 0, live->error_rate);
    load_write_latency(count_of(told, "p50"), live->p50);
    load_write_latency(count_of(told, "p99"), live->p99);
}

bool load_take_live(struct load_live *live, const cJSON *told)
{
    struct load_live before = *live;
    enum load_phase phase = phase_of(sonde_json_string_or(told, "phase", ""));
    const struct sonde_reason *reason =
        sonde_reason_find(sonde_json_string_or(told, "reason", NULL));
    live->phase = phase > live->phase ? phase : live->phase;
    live->ready = count_of(told, "ready");
    live->active = count_of(told, "active");
    live->lost = count_of(told, "lost");
    live->profile_due = live->profile_due || sonde_json_true(told, "profileDue");
    live->stopped = live->stopped || sonde_json_true(told, "stopped");
    (void)snprintf(live->reason, sizeof(live->reason), "%s", reason ? reason->word : "");
    (void)snprintf(live->message, sizeof(live->message), "%s",
                   sonde_json_string_or(told, "message", ""));
    load_take_figures(live, told);
    return live->phase != before.phase || live->lost != before.lost ||
           live->stopped != before.stopped || live->profile_due != before.profile_due;
}

/* ---- the status ---- */

static void put_thresholds(cJSON *status, const cJSON *thresholds)
{
    enum { THRESHOLDS_MAX = 64 };
    const cJSON *one;
    char held[48];
    int count = 0;
    int holding = 0;
    cJSON *list = cJSON_GetArraySize(thresholds) ? status_add_array(status, "thresholds") : NULL;
    cJSON_ArrayForEach(one, thresholds)
    {
        if (!list || count++ == THRESHOLDS_MAX) {
            break;
        }
        const cJSON *value = member(one, "value");
        char text[LOAD_FIGURE_SIZE] = "";
        cJSON *item = status_add_item(list);
        if (cJSON_IsNumber(value)) {
            (void)snprintf(text, sizeof(text), "%.6g", value->valuedouble);
        }
        status_put_text(item, "threshold", sonde_json_string_or(one, "threshold", ""));
        status_put_text(item, "value", text);
        status_put_boolean(item, "holds", sonde_json_true(one, "holds"));
        holding += sonde_json_true(one, "holds");
    }
    if (list) {
        (void)snprintf(held, sizeof(held), "%d/%d", holding, count);
        status_put_text(status, "thresholdsHeld", held);
    }
}

static void put_results(cJSON *status, const cJSON *results)
{
    if (!cJSON_IsObject(results)) {
        return;
    }
    status_put_number(status, "startSkewMicroseconds", count_of(results, "startSkewMicroseconds"));
    status_put_number(status, "highestRate", count_of(results, "highestRate"));
    status_put_text(status, "validity", sonde_json_true(results, "valid") ? "Valid" : "Invalid");
    status_put_text(status, "artifact", sonde_json_string_or(results, "artifact", ""));
    put_thresholds(status, member(results, "thresholds"));
}

static void put_live(cJSON *status, const struct load *load)
{
    const struct load_live *live = &load->live;
    char runners[48];
    if (load->job_recorded) {
        (void)snprintf(runners, sizeof(runners), "%lld/%lld", (long long)live->ready,
                       (long long)(load->spec ? load->spec->parallelism : 0));
        status_put_text(status, "runners", runners);
        status_put_count(status, "readyRunners", live->ready);
        status_put_count(status, "activeRunners", live->active);
        status_put_count(status, "lostRunners", live->lost);
        status_put_text(status, "job", load->job);
    }
    status_put_number(status, "requests", live->requests);
    status_put_text(status, "rate", live->rate);
    status_put_text(status, "errorRate", live->error_rate);
    status_put_text(status, "p50", live->p50);
    status_put_text(status, "p99", live->p99);
}

void load_put(cJSON *status, const struct object *object)
{
    const struct load *load = load_from(object);
    status_put_text(status, "target", object->target_word);
    put_live(status, load);
    put_results(status, member(object->results, "load"));
    if (load->profile_made) {
        cJSON *list = status_add_array(status, "profileRunRefs");
        cJSON *name = cJSON_CreateString(load->profile);
        status_must(name && cJSON_AddItemToArray(list, name));
    }
}

int load_take(struct object *object, const cJSON *status, struct sonde_err *err)
{
    struct load *load = load_of(object);
    struct load_live *live = &load->live;
    (void)err;
    live->ready = count_of(status, "readyRunners");
    live->active = count_of(status, "activeRunners");
    live->lost = count_of(status, "lostRunners");
    live->requests = count_of(status, "requests");
    status_take_text(status, "rate", live->rate, sizeof(live->rate));
    status_take_text(status, "errorRate", live->error_rate, sizeof(live->error_rate));
    status_take_text(status, "p50", live->p50, sizeof(live->p50));
    status_take_text(status, "p99", live->p99, sizeof(live->p99));
    load->job_recorded = sonde_json_string_or(status, "job", "")[0];
    load->profile_made = cJSON_GetArraySize(member(status, "profileRunRefs")) > 0;
    /* What was accepted is gone on with: whether the Job is there is seen. */
    object->phase =
        object->conditions[LOAD_ACCEPTED].status == 'T' ? OBJECT_WORKING : OBJECT_BEGINNING;
    return 0;
}

/* ---- the ProfileRun ---- */

/* A copy of a member, or without memory false. */
static bool copy_member(cJSON *to, const cJSON *from, const char *name)
{
    const cJSON *value = member(from, name);
    cJSON *copy = value ? cJSON_Duplicate(value, true) : NULL;
    if (copy && !cJSON_AddItemToObject(to, name, copy)) {
        cJSON_Delete(copy);
        copy = NULL;
    }
    return !value || copy;
}

static bool put_profile_target(cJSON *spec, const cJSON *profile, const cJSON *selector)
{
    if (member(profile, "target")) {
        return copy_member(spec, profile, "target");
    }
    cJSON *target = cJSON_AddObjectToObject(spec, "target");
    cJSON *labels = cJSON_AddObjectToObject(target, "selector");
    cJSON *copy = cJSON_Duplicate(selector, true);
    if (!labels || !copy || !cJSON_AddItemToObject(labels, "matchLabels", copy)) {
        cJSON_Delete(copy);
        return false;
    }
    return true;
}

/* The kept cJSON tree of the spec, printed; the caller frees it with cJSON_free. */
static char *print_profile_spec(const struct load *load, const cJSON *selector)
{
    SONDE_JSON_AUTO *document = NULL;
    SONDE_JSON_AUTO *spec = cJSON_CreateObject();
    if (!spec || sonde_json_parse(sonde_str(load->object.document), &document, NULL) < 0) {
        return NULL;
    }
    const cJSON *profile = member(member(document, "spec"), "profile");
    bool whole = put_profile_target(spec, profile, selector) &&
                 copy_member(spec, profile, "podSelection") &&
                 copy_member(spec, profile, "captures");
    return whole ? cJSON_PrintUnformatted(spec) : NULL;
}

int load_profile_print(const struct load *load, const cJSON *selector, struct sonde_buf *ret,
                       struct sonde_err *err)
{
    const struct object *object = &load->object;
    char *spec = print_profile_spec(load, selector);
    if (!spec) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a ProfileRun");
    }
    sonde_buf_text(ret, "{\"apiVersion\":\"" SONDE_SPEC_API_VERSION
                        "\",\"kind\":\"ProfileRun\",\"metadata\":{\"name\":");
    sonde_buf_json_string(ret, sonde_str(load->profile));
    sonde_buf_text(ret, ",\"namespace\":");
    sonde_buf_json_string(ret, sonde_str(object->namespace));
    sonde_buf_text(ret, ",\"labels\":{\"" LOAD_JOB_LABEL "\":");
    sonde_buf_json_string(ret, sonde_str(object->uid));
    sonde_buf_text(ret, "},\"annotations\":{\"sonde.dev/requester\":");
    sonde_buf_json_string(ret, sonde_str(object->requester));
    sonde_buf_text(ret, "},\"ownerReferences\":[{\"apiVersion\":\"" SONDE_SPEC_API_VERSION
                        "\",\"kind\":\"LoadTest\",\"controller\":true,\"name\":");
    sonde_buf_json_string(ret, sonde_str(object->name));
    sonde_buf_text(ret, ",\"uid\":");
    sonde_buf_json_string(ret, sonde_str(object->uid));
    sonde_buf_text(ret, "}]},\"spec\":");
    sonde_buf_text(ret, spec);
    sonde_buf_char(ret, '}');
    cJSON_free(spec);
    return sonde_buf_check(ret, "a ProfileRun", err);
}
