/* SPDX-License-Identifier: Apache-2.0 */
#include "results/waits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "profile/cpuprofile.h"
#include "results/results.h"

enum { KEY_MAX = 1024 }; /* bytes */

struct reading {
    struct sonde_db *db;
    const char *capture;
    struct sonde_results_waits *waits;
};

/* ---- threads ---- */

/* "w3", "4711-w3" */
static bool is_worker(struct sonde_str thread)
{
    uint64_t number;
    struct sonde_str last = thread;
    for (size_t i = 0; i < thread.length; i++) {
        if (thread.data[i] == '-') {
            last = (struct sonde_str){thread.data + i + 1, thread.length - i - 1};
        }
    }
    return last.length > 1 && last.data[0] == 'w' &&
           sonde_parse_u64((struct sonde_str){last.data + 1, last.length - 1}, 1, UINT32_MAX,
                           &number) == 0;
}

/* Of a thread of the process that the artifact is of: "POD/PID", without a slash of no pod. Empty:
 * the names are longer than any. */
static struct sonde_str make_key(char key[KEY_MAX], const struct sonde_artifact *artifact,
                                 const char *thread)
{
    const char *slash = strrchr(artifact->process, '/');
    int pod = slash ? (int)(slash - artifact->process) + 1 : 0;
    int length =
        snprintf(key, KEY_MAX, "%s %.*s%s", artifact->capture, pod, artifact->process, thread);
    return length > 0 && length < KEY_MAX ? sonde_str(key) : (struct sonde_str){0};
}

/* ---- stretches ---- */

/* False: it is none, or no time. */
static bool read_stretch(struct sonde_str text, struct sonde_wait_stretch *ret)
{
    uint64_t length_us;
    uint64_t ran_us;
    uint64_t waited_us;
    if (text.length == 0 || (text.data[0] != 'w' && text.data[0] != 'p')) {
        return false;
    }
    bool whole = text.data[0] == 'w';
    text = (struct sonde_str){text.data + 1, text.length - 1};
    struct sonde_str length = sonde_str_split(&text, ' ');
    struct sonde_str ran = sonde_str_split(&text, ' ');
    if (sonde_parse_u64(length, 1, SONDE_CPUPROFILE_TIME_MAX, &length_us) < 0 ||
        sonde_parse_u64(ran, 0, length_us, &ran_us) < 0 ||
        sonde_parse_u64(text, 0, length_us - ran_us, &waited_us) < 0) {
        return false;
    }
    *ret =
        (struct sonde_wait_stretch){(int64_t)length_us, (int64_t)ran_us, (int64_t)waited_us, whole};
    return true;
}

static size_t count_of(struct sonde_str text)
{
    size_t count = 0;
    while (text.length) {
        (void)sonde_str_split(&text, ',');
        count++;
    }
    return count;
}

/* 1: it is read; 0: something of it is no time, or there is no room. */
static int read_stretches(struct sonde_str text, int64_t start_us, struct sonde_arena *arena,
                          struct sonde_waits *ret, struct sonde_err *err)
{
    size_t count = count_of(text);
    size_t bytes = count * sizeof(*ret->stretches);
    int64_t end_us = start_us;
    if (count == 0 || count > SONDE_RESULTS_WAITS_STRETCHES_MAX ||
        bytes > arena->maximum - arena->used) {
        return 0;
    }
    struct sonde_wait_stretch *stretches = sonde_arena_alloc(arena, bytes);
    if (!stretches) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_stretch(sonde_str_split(&text, ','), &stretches[i]) ||
            stretches[i].length_us > SONDE_CPUPROFILE_TIME_MAX - end_us) {
            return 0;
        }
        end_us += stretches[i].length_us;
    }
    *ret = (struct sonde_waits){start_us, stretches, count};
    return 1;
}

/* What is malformed, or there is no room for, is left out: its samples count as they are. */
static int read_thread(struct reading *reading, const struct sonde_artifact *artifact,
                       const cJSON *entry, struct sonde_err *err)
{
    struct sonde_results_waits *waits = reading->waits;
    char text_of_key[KEY_MAX];
    const char *thread = sonde_json_string_or(entry, "process", "");
    const char *text = sonde_json_string_or(entry, "stretches", "");
    int64_t start_us = sonde_json_integer_or(entry, "startMicroseconds", -1);
    struct sonde_str key = make_key(text_of_key, artifact, thread);
    struct sonde_waits found;
    struct sonde_map_slot *slot;
    bool added = false;
    if (!is_worker(sonde_str(thread)) || start_us < 0 || start_us > SONDE_CPUPROFILE_TIME_MAX ||
        !key.length) {
        return 0;
    }
    int r = read_stretches(sonde_str(text), start_us, &waits->arena, &found, err);
    if (r <= 0) {
        return r;
    }
    r = sonde_array_grow(&waits->items, &waits->capacity, waits->count + 1, sizeof(*waits->items),
                         SONDE_RESULTS_WAITS_THREADS_MAX);
    r = r < 0 ? r : sonde_map_keep(&waits->threads, key, &waits->arena, NULL, &slot, &added);
    if (r == 0 && added) {
        slot->value = waits->count;
        waits->items[waits->count++] = found;
    }
    return r == SONDE_ENOMEM ? sonde_fail(err, r, 0, "out of memory") : 0;
}

/* ---- contexts ---- */

static int read_context(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct reading *reading = context;
    const cJSON *entry;
    if (strcmp(artifact->type, SONDE_ARTIFACT_CONTEXT) != 0 ||
        (reading->capture && strcmp(artifact->capture, reading->capture) != 0)) {
        return 0;
    }
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_RESULTS_CONTEXT_MAX);
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_artifact_text(reading->db, artifact, &text, err);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&text), &json, err);
    const cJSON *list = r < 0 ? NULL : cJSON_GetObjectItemCaseSensitive(json, "waits");
    cJSON_ArrayForEach(entry, list)
    {
        r = r < 0 ? r : read_thread(reading, artifact, entry, err);
    }
    return r;
}

int sonde_results_waits_read(struct sonde_db *db, const char *uid, const char *capture,
                             struct sonde_results_waits *ret, struct sonde_err *err)
{
    struct reading reading = {db, capture, ret};
    return sonde_db_artifacts(db, uid, read_context, &reading, err);
}

const struct sonde_waits *sonde_results_waits_find(const struct sonde_results_waits *waits,
                                                   const struct sonde_artifact *artifact)
{
    char text[KEY_MAX];
    const char *slash = strrchr(artifact->process, '/');
    struct sonde_str key = make_key(text, artifact, slash ? slash + 1 : artifact->process);
    const uint64_t *index = key.length ? sonde_map_find(&waits->threads, key) : NULL;
    return index ? &waits->items[*index] : NULL;
}

void sonde_results_waits_fini(struct sonde_results_waits *waits)
{
    sonde_map_fini(&waits->threads);
    sonde_arena_fini(&waits->arena);
    free(waits->items);
    *waits = (struct sonde_results_waits){0};
}
