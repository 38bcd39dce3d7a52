/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/events.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kube/backoff.h"
#include "kube/table.h"
#include "kube/time.h"

enum { SERIES_KEY_MAX = 2048, BODY_MAX = 16384, NAME_KEPT = 200 };

#define WINDOW (SONDE_KUBE_EVENT_WINDOW_SECONDS * SONDE_SECOND)
#define PATCH_INTERVAL (SONDE_KUBE_EVENT_PATCH_SECONDS * SONDE_SECOND)

const struct sonde_kube_resource sonde_kube_event_resource = {"events.k8s.io", "v1", "events",
                                                              "Event"};

struct series {
    struct sonde_kube_link link;
    struct series *next, **at; /* in the list of all, oldest first */
    char name[SONDE_KUBE_NAME_MAX + 1];
    char namespace[SONDE_KUBE_LABEL_MAX + 1];
    struct sonde_buf body; /* of the creation; freed once that is done */
    bool created;
    uint64_t count, written;
    int64_t seen, seen_realtime; /* the last event */
    int64_t not_before;          /* of the next write */
    unsigned tries;
    struct sonde_kube_backoff backoff;
    size_t key_length;
    char key[];
};

struct sonde_kube_events {
    char *controller, *instance;
    size_t maximum;
    struct sonde_kube_table table;
    struct series *first, **last;
    struct series *writing;
    struct sonde_buf patch;
    uint64_t writing_count; /* of the write under way */
    uint64_t dropped;
    uint64_t random;
    uint64_t names; /* given so far */
};

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "Kubernetes events: out of memory");
}

int sonde_kube_events_new(const char *controller, const char *instance, size_t maximum,
                          struct sonde_kube_events **ret, struct sonde_err *err)
{
    struct sonde_kube_events *events = calloc(1, sizeof(*events));
    if (!events) {
        return no_memory(err);
    }
    *events = (struct sonde_kube_events){.maximum = maximum, .patch = SONDE_BUF(BODY_MAX)};
    events->last = &events->first;
    events->controller = strdup(controller);
    events->instance = strdup(instance);
    if (!events->controller || !events->instance) {
        sonde_kube_events_free(events);
        return no_memory(err);
    }
    *ret = events;
    return 0;
}

static void free_series(struct sonde_kube_events *events, struct series *series)
{
    sonde_kube_table_remove(&events->table, &series->link);
    *series->at = series->next;
    if (series->next) {
        series->next->at = series->at;
    } else {
        events->last = series->at;
    }
    sonde_buf_fini(&series->body);
    free(series);
}

void sonde_kube_events_free(struct sonde_kube_events *events)
{
    if (!events) {
        return;
    }
    while (events->first) {
        free_series(events, events->first);
    }
    sonde_kube_table_fini(&events->table);
    sonde_buf_fini(&events->patch);
    free(events->controller);
    free(events->instance);
    free(events);
}

static int make_key(const struct sonde_kube_event *e, struct sonde_buf *key, struct sonde_err *err)
{
    const char *const parts[] = {
        e->warning ? "W" : "N", e->kind, e->namespace, e->name, e->uid, e->reason, e->action};
    for (size_t i = 0; i < SONDE_LENGTH(parts); i++) {
        sonde_buf_text(key, parts[i] ? parts[i] : "");
        sonde_buf_char(key, '\n');
    }
    return sonde_buf_check(key, "the key of an event", err);
}

static bool is_word(const char *text)
{
    return text && text[0] && strlen(text) <= SONDE_KUBE_EVENT_WORD_MAX;
}

static int check(const struct sonde_kube_event *e, struct sonde_err *err)
{
    bool good = is_word(e->reason) && is_word(e->action) && is_word(e->kind) && e->note &&
                e->name && sonde_kube_is_name(sonde_str(e->name)) &&
                (!e->namespace || !e->namespace[0] || sonde_kube_is_label(sonde_str(e->namespace)));
    if (!good) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "an event \"%.40s\" without a reason, an action or an object it regards",
                          e->reason ? e->reason : "");
    }
    return 0;
}

/* Cut between characters, not within one. */
static struct sonde_str cut_note(const char *note)
{
    struct sonde_str text = sonde_str(note);
    if (text.length > SONDE_KUBE_EVENT_NOTE_MAX) {
        text.length = SONDE_KUBE_EVENT_NOTE_MAX;
        while (text.length && ((unsigned char)text.data[text.length] & 0xc0) == 0x80) {
            text.length--;
        }
    }
    return text;
}

static void print_member(struct sonde_buf *buf, const char *name, struct sonde_str value)
{
    sonde_buf_printf(buf, ",\"%s\":", name);
    sonde_buf_json_string(buf, value);
}

static void print_event(const struct sonde_kube_events *events, struct series *series,
                        const struct sonde_kube_event *e, int64_t realtime)
{
    struct sonde_buf *buf = &series->body;
    char time[SONDE_KUBE_TIME_SIZE];
    sonde_kube_time_format(realtime, time);
    sonde_buf_text(buf, "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":"
                        "{\"name\":");
    sonde_buf_json_string(buf, sonde_str(series->name));
    print_member(buf, "namespace", sonde_str(series->namespace));
    sonde_buf_char(buf, '}');
    print_member(buf, "eventTime", sonde_str(time));
    print_member(buf, "reportingController", sonde_str(events->controller));
    print_member(buf, "reportingInstance", sonde_str(events->instance));
    print_member(buf, "type", e->warning ? SONDE_STR("Warning") : SONDE_STR("Normal"));
    print_member(buf, "reason", sonde_str(e->reason));
    print_member(buf, "action", sonde_str(e->action));
    print_member(buf, "note", cut_note(e->note));
    sonde_buf_text(buf, ",\"regarding\":{\"kind\":");
    sonde_buf_json_string(buf, sonde_str(e->kind));
    print_member(buf, "apiVersion", sonde_str(e->api_version));
    print_member(buf, "namespace", sonde_str(e->namespace));
    print_member(buf, "name", sonde_str(e->name));
    print_member(buf, "uid", sonde_str(e->uid));
    sonde_buf_text(buf, "}}");
}

static struct series *find(const struct sonde_kube_events *events, struct sonde_str key)
{
    struct sonde_kube_link *link = sonde_kube_table_first(&events->table, key);
    for (; link; link = sonde_kube_table_next(link)) {
        struct series *series = SONDE_KUBE_OWNER(link, struct series, link);
        if (sonde_str_equal(key, (struct sonde_str){series->key, series->key_length})) {
            return series;
        }
    }
    return NULL;
}

/* Over, and all that was counted is written. */
static bool is_over(const struct series *series, int64_t now)
{
    return series->created && series->written == series->count && now - series->seen >= WINDOW;
}

static void forget_old(struct sonde_kube_events *events, int64_t now)
{
    for (struct series *series = events->first, *next; series; series = next) {
        next = series->next;
        if (series != events->writing && is_over(series, now)) {
            free_series(events, series);
        }
    }
}

static int new_series(struct sonde_kube_events *events, const struct sonde_kube_event *e,
                      struct sonde_str key, int64_t now, int64_t realtime, struct sonde_err *err)
{
    struct series *series = calloc(1, sizeof(*series) + key.length);
    if (!series || sonde_kube_table_reserve(&events->table) < 0) {
        free(series);
        return no_memory(err);
    }
    series->key_length = key.length;
    memcpy(series->key, key.data, key.length);
    /* As kubectl's users know them: the object's name and a number that does not come again. */
    (void)snprintf(series->name, sizeof(series->name), "%.*s.%llx", NAME_KEPT, e->name,
                   (unsigned long long)realtime + events->names++);
    (void)snprintf(series->namespace, sizeof(series->namespace), "%s",
                   e->namespace && e->namespace[0] ? e->namespace : "default");
    series->body = SONDE_BUF(BODY_MAX);
    series->backoff = (struct sonde_kube_backoff){
        .first_ns = SONDE_SECOND, .maximum_ns = 30 * SONDE_SECOND, .jitter = 0.5};
    print_event(events, series, e, realtime);
    int code = sonde_buf_check(&series->body, "an event", err);
    if (code < 0) {
        sonde_buf_fini(&series->body);
        free(series);
        return code;
    }
    series->count = 1;
    series->seen = now;
    series->seen_realtime = realtime;
    series->not_before = now;
    series->at = events->last;
    *events->last = series;
    events->last = &series->next;
    sonde_kube_table_insert(&events->table, &series->link, key);
    return 0;
}

int sonde_kube_events_record(struct sonde_kube_events *events, const struct sonde_kube_event *event,
                             int64_t now, int64_t realtime, struct sonde_err *err)
{
    SONDE_BUF_AUTO key = SONDE_BUF(SERIES_KEY_MAX);
    int code = check(event, err);
    code = code ? code : make_key(event, &key, err);
    if (code < 0) {
        return code;
    }
    forget_old(events, now);
    struct series *series = find(events, sonde_buf_view(&key));
    if (series && now - series->seen < WINDOW) {
        series->count++;
        series->seen = now;
        series->seen_realtime = realtime;
        return 0;
    }
    if (events->table.count >= events->maximum) {
        events->dropped++;
        return sonde_fail(err, SONDE_ELIMIT, 0, "Kubernetes events: more than %zu series at a time",
                          events->maximum);
    }
    code = new_series(events, event, sonde_buf_view(&key), now, realtime, err);
    events->dropped += code < 0;
    return code;
}

/* When this one is to be written; INT64_MAX: not now. */
static int64_t due(const struct series *series)
{
    return !series->created || series->written < series->count ? series->not_before : INT64_MAX;
}

static bool print_patch(struct sonde_kube_events *events, const struct series *series)
{
    char time[SONDE_KUBE_TIME_SIZE];
    sonde_kube_time_format(series->seen_realtime, time);
    sonde_buf_clear(&events->patch);
    sonde_buf_printf(&events->patch, "{\"series\":{\"count\":%llu,\"lastObservedTime\":\"%s\"}}",
                     (unsigned long long)series->count, time);
    return events->patch.code == 0;
}

bool sonde_kube_events_take(struct sonde_kube_events *events, int64_t now,
                            struct sonde_kube_event_write *ret)
{
    if (events->writing) {
        return false;
    }
    struct series *series = events->first;
    while (series && due(series) > now) {
        series = series->next;
    }
    if (!series || (series->created && !print_patch(events, series))) {
        return false;
    }
    events->writing = series;
    events->writing_count = series->created ? series->count : 1;
    *ret = (struct sonde_kube_event_write){
        .create = !series->created,
        .namespace = series->namespace,
        .name = series->name,
        .body = sonde_buf_view(series->created ? &events->patch : &series->body),
    };
    return true;
}

static void succeeded(struct series *series, uint64_t count, int64_t now)
{
    /* The second event makes a series at once; after that it is written now and then. */
    series->not_before = series->created ? now + PATCH_INTERVAL : now;
    series->created = true;
    series->written = count;
    series->tries = 0;
    series->backoff.failures = 0;
    sonde_buf_fini(&series->body);
    series->body = SONDE_BUF(BODY_MAX);
}

void sonde_kube_events_written(struct sonde_kube_events *events, int64_t now, int code)
{
    struct series *series = SONDE_TAKE(events->writing);
    if (!series) {
        return;
    }
    enum sonde_err_class class = sonde_err_class(code);
    if (code == 0 || (code == SONDE_EEXISTS && !series->created)) {
        succeeded(series, events->writing_count, now);
    } else if (class == SONDE_CLASS_PERMANENT || class == SONDE_CLASS_GONE ||
               ++series->tries >= SONDE_KUBE_EVENT_TRIES) {
        /* Refused for good (a namespace that ends, an event that was kept long enough). */
        events->dropped += series->count - series->written;
        free_series(events, series);
    } else {
        series->not_before = now + sonde_kube_backoff_next(&series->backoff, now, &events->random);
    }
}

int64_t sonde_kube_events_next(const struct sonde_kube_events *events, int64_t now)
{
    int64_t next = INT64_MAX;
    for (const struct series *series = events->first; series && !events->writing;
         series = series->next) {
        next = due(series) < next ? due(series) : next;
    }
    return next < now ? now : next;
}

uint64_t sonde_kube_events_dropped(const struct sonde_kube_events *events)
{
    return events->dropped;
}
