/* SPDX-License-Identifier: Apache-2.0 */
#include "load/coordination_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "load/result_fields.h"
#include "load/tally_json.h"

static const int64_t longest_us = INT64_C(400) * 86400 * 1000 * 1000;
enum { ROUNDS_MAX = 1000, THREADS_MAX = SONDE_LOAD_THREADS_MAX };

static int read_unsigned(const cJSON *object, const char *name, int64_t most, unsigned *ret,
                         struct sonde_err *err)
{
    int64_t value = 0;
    int r = sonde_load_read_number(object, name, 0, most, &value, err);
    *ret = (unsigned)value;
    return r;
}

/* ---- ready ---- */

static int read_label(const cJSON *from, struct sonde_load_label *ret, struct sonde_err *err)
{
    const char *kind = NULL;
    const char *text = NULL;
    int r = sonde_json_string(from, "kind", &kind, err);
    r = r < 0 ? r : sonde_json_string(from, "text", &text, err);
    if (r < 0) {
        return r;
    }
    bool name = strcmp(kind, "name") == 0;
    if ((!name && strcmp(kind, "address") != 0) || strlen(text) >= SONDE_LOAD_LABEL_SIZE) {
        return sonde_load_out_of_bounds("labels", err);
    }
    *ret = (struct sonde_load_label){.kind = name ? SONDE_LOAD_OF_NAME : SONDE_LOAD_OF_ADDRESS};
    (void)snprintf(ret->text, sizeof(ret->text), "%s", text);
    return 0;
}

int sonde_load_ready_read(const cJSON *object,
                          struct sonde_load_label labels[static SONDE_LOAD_LABELS_MAX],
                          struct sonde_load_ready *ret, struct sonde_err *err)
{
    const cJSON *list = NULL;
    *ret = (struct sonde_load_ready){.labels = labels,
                                     .pod = sonde_json_string_or(object, "pod", ""),
                                     .node = sonde_json_string_or(object, "node", "")};
    int r = read_unsigned(object, "round", ROUNDS_MAX, &ret->round, err);
    r = r < 0 ? r
              : sonde_load_read_number(object, "offset", -longest_us * 100, longest_us * 100,
                                       &ret->offset_us, err);
    r = r < 0 ? r
              : sonde_load_read_number(object, "uncertainty", 0, longest_us, &ret->uncertainty_us,
                                       err);
    r = r < 0 ? r : sonde_json_array(object, "labels", &list, err);
    if (r == 0 && cJSON_GetArraySize(list) > SONDE_LOAD_LABELS_MAX) {
        return sonde_load_out_of_bounds("labels", err);
    }
    for (const cJSON *item = r < 0 ? NULL : list->child; item && r == 0; item = item->next) {
        r = read_label(item, &labels[ret->label_count++], err);
    }
    return r;
}

/* ---- interval ---- */

int sonde_load_sent_read(const cJSON *object, size_t labels, struct sonde_load_tally *scratch,
                         struct sonde_buf *tally, struct sonde_load_sent *ret,
                         struct sonde_err *err)
{
    const cJSON *own = NULL;
    int64_t sequence = 0;
    *ret = (struct sonde_load_sent){.warm_up = sonde_json_true(object, "warmUp")};
    int r = read_unsigned(object, "round", ROUNDS_MAX, &ret->round, err);
    r = r < 0 ? r : sonde_load_read_number(object, "sequence", 0, UINT32_MAX, &sequence, err);
    r = r < 0 ? r : sonde_load_read_number(object, "end", 0, longest_us, &ret->end_us, err);
    if (r == 0 && cJSON_GetObjectItemCaseSensitive(object, "started")) {
        /* Nobody begins before the start, but clocks differ. */
        r = sonde_load_read_number(object, "started", -longest_us, longest_us, &ret->started_us,
                                   err);
    }
    ret->started_us = ret->started_us > 0 ? ret->started_us : 0;
    ret->sequence = (uint64_t)sequence;
    r = r < 0 ? r : sonde_json_object(object, "tally", &own, err);
    r = r < 0 ? r : sonde_load_tally_pack(own, labels, scratch, tally, err);
    ret->tally = sonde_buf_view(tally);
    return r;
}

/* ---- done ---- */

int sonde_load_done_read(const cJSON *object, struct sonde_load_done *ret, struct sonde_err *err)
{
    *ret = (struct sonde_load_done){.stopped = sonde_json_true(object, "stopped"),
                                    .invalid = sonde_json_string_or(object, "invalid", "")};
    const struct {
        const char *name;
        uint64_t *ret;
    } counts[] = {{"intervals", &ret->intervals}, {"sent", &ret->sent},
                  {"answered", &ret->answered},   {"failed", &ret->failed},
                  {"censored", &ret->censored},   {"unsent", &ret->unsent}};
    const struct {
        const char *name;
        int64_t *ret;
    } times[] = {{"durationMicroseconds", &ret->duration_us},
                 {"cpuMicroseconds", &ret->cpu_us},
                 {"throttledMicroseconds", &ret->throttled_us}};
    int r = read_unsigned(object, "round", ROUNDS_MAX, &ret->round, err);
    r = r < 0 ? r : read_unsigned(object, "threads", THREADS_MAX, &ret->threads, err);
    r = r < 0 ? r
              : read_unsigned(object, "connections", SONDE_LOAD_CONNECTIONS_MAX, &ret->connections,
                              err);
    for (size_t i = 0; i < SONDE_LENGTH(counts) && r == 0; i++) {
        r = sonde_load_read_count(object, counts[i].name, counts[i].ret, err);
    }
    for (size_t i = 0; i < SONDE_LENGTH(times) && r == 0; i++) {
        /* The CPU is that of up to so many threads. */
        r = sonde_load_read_number(object, times[i].name, 0, longest_us * THREADS_MAX, times[i].ret,
                                   err);
    }
    return r;
}

/* ---- answers ---- */

static void put_text(const char *name, const char *text, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, ",\"%s\":", name);
    sonde_buf_json_string(buf, sonde_str(text));
}

/* When it has one. */
static void put_reason(const char *reason, const char *message, struct sonde_buf *buf)
{
    if (reason[0]) {
        put_text("reason", reason, buf);
        put_text("message", message, buf);
    }
}

void sonde_load_answer_write(const struct sonde_load_answer_ready *answer, struct sonde_buf *buf)
{
    if (answer->kind == SONDE_LOAD_WAIT) {
        sonde_buf_text(buf, "{\"wait\":true}\n");
        return;
    }
    if (answer->kind == SONDE_LOAD_OVER) {
        sonde_buf_text(buf, "{\"over\":true");
        put_reason(answer->reason, answer->message, buf);
        sonde_buf_text(buf, "}\n");
        return;
    }
    sonde_buf_printf(buf, "{\"round\":%u,\"start\":%lld,\"warmUpSeconds\":%lld,\"seed\":%llu",
                     answer->round, (long long)answer->start_us, (long long)answer->warm_up_seconds,
                     (unsigned long long)answer->seed);
    if (answer->is_search) {
        sonde_buf_printf(buf, ",\"rate\":%lld,\"seconds\":%lld", (long long)answer->rate,
                         (long long)answer->seconds);
    }
    if (answer->from_us) {
        sonde_buf_printf(buf, ",\"from\":%lld,\"sent\":%llu", (long long)answer->from_us,
                         (unsigned long long)answer->sent);
    }
    sonde_buf_text(buf, "}\n");
}

/* Without its last brace. */
static void put_state(const struct sonde_load_state *state, struct sonde_buf *buf)
{
    sonde_buf_printf(buf,
                     "{\"phase\":\"%s\",\"round\":%u,\"runners\":%u,\"ready\":%u,\"active\":%u,"
                     "\"lost\":%u,\"requests\":%llu,\"rate\":%.15g,\"errorRate\":%.15g,"
                     "\"p50\":%lld,\"p99\":%lld,\"profileDue\":%s,\"stopped\":%s",
                     sonde_load_phase_name(state->phase), state->round, state->runners,
                     state->ready, state->active, state->lost, (unsigned long long)state->requests,
                     state->rate, state->error_rate, (long long)state->p50_us,
                     (long long)state->p99_us, state->profile_due ? "true" : "false",
                     state->stopped ? "true" : "false");
    put_reason(state->reason, state->message, buf);
}

void sonde_load_state_write(const struct sonde_load_state *state, struct sonde_buf *buf)
{
    put_state(state, buf);
    sonde_buf_printf(buf, ",\"seconds\":%lld}", (long long)state->seconds);
}

void sonde_load_verdicts_write(const struct sonde_load_verdict *verdicts, size_t count,
                               struct sonde_buf *buf)
{
    sonde_buf_text(buf, "\"thresholds\":[");
    for (size_t i = 0; i < count; i++) {
        sonde_buf_text(buf, i ? ",{\"threshold\":" : "{\"threshold\":");
        sonde_buf_json_string(buf, sonde_str(verdicts[i].text));
        if (isfinite(verdicts[i].statistic)) {
            sonde_buf_printf(buf, ",\"value\":%.15g", verdicts[i].statistic);
        } else {
            sonde_buf_text(buf, ",\"value\":null");
        }
        sonde_buf_printf(buf, ",\"holds\":%s}", verdicts[i].keeps ? "true" : "false");
    }
    sonde_buf_char(buf, ']');
}

static void put_shown(const struct sonde_load_shown *own, struct sonde_buf *buf)
{
    sonde_buf_printf(buf,
                     "{\"round\":%u,\"second\":%lld,\"sent\":%llu,\"answered\":%llu,"
                     "\"failed\":%llu,\"rate\":%llu,\"p50\":%lld,\"p99\":%lld}",
                     own->round, (long long)own->second, (unsigned long long)own->sent,
                     (unsigned long long)own->answered, (unsigned long long)own->failed,
                     (unsigned long long)own->answered, (long long)own->p50_us,
                     (long long)own->p99_us);
}

void sonde_load_live_write(const struct sonde_load_coordination *c, uint64_t since,
                           struct sonde_buf *buf)
{
    struct sonde_load_state state;
    size_t verdict_count = 0;
    uint64_t count = sonde_load_coordination_shown(c);
    uint64_t oldest = count > SONDE_LOAD_SHOWN_SECONDS ? count - SONDE_LOAD_SHOWN_SECONDS : 0;
    const struct sonde_load_verdict *verdicts = sonde_load_coordination_verdicts(c, &verdict_count);
    sonde_load_coordination_state(c, &state);
    put_state(&state, buf);
    sonde_buf_char(buf, ',');
    sonde_load_verdicts_write(verdicts, verdict_count, buf);
    sonde_buf_text(buf, ",\"seconds\":[");
    since = since > oldest ? since : oldest;
    for (uint64_t i = since; i < count; i++) {
        sonde_buf_text(buf, i > since ? "," : "");
        put_shown(sonde_load_coordination_second(c, i), buf);
    }
    sonde_buf_printf(buf, "],\"next\":%llu}\n", (unsigned long long)count);
}
