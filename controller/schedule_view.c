/* SPDX-License-Identifier: Apache-2.0 */
/* A schedule's object: as it is cached, and as it is read for one look at it. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "controller/schedule.h"
#include "kube/time.h"
#include "kube/watch.h"
#include "spec/reason.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- the cache ---- */

static void put_member(struct sonde_buf *text, const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);
    char *printed = item ? cJSON_PrintUnformatted(item) : NULL;
    if (printed) {
        sonde_buf_printf(text, ",\"%s\":", name);
        sonde_buf_text(text, printed);
    } else if (item) {
        text->code = SONDE_ENOMEM;
    }
    cJSON_free(printed);
}

/* Of the annotations only ours: what others write there may be the whole object once more. */
static void put_metadata(struct sonde_buf *text, const cJSON *metadata)
{
    static const char *const names[] = {
        "name", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp"};
    static const char *const annotations[] = {SCHEDULE_REQUESTER, SCHEDULE_REQUESTER_GROUPS};
    const char *separator = "";
    sonde_buf_text(text, ",\"metadata\":{\"annotations\":{");
    for (size_t i = 0; i < SONDE_LENGTH(annotations); i++) {
        const char *value =
            sonde_json_string_or(member(metadata, "annotations"), annotations[i], "");
        if (value[0]) {
            sonde_buf_printf(text, "%s\"%s\":", separator, annotations[i]);
            sonde_buf_json_string(text, sonde_str(value));
            separator = ",";
        }
    }
    sonde_buf_char(text, '}');
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        put_member(text, metadata, names[i]);
    }
    sonde_buf_char(text, '}');
}

int schedule_object_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    struct schedule_object *kept = calloc(1, sizeof(*kept));
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_KUBE_OBJECT_MAX);
    sonde_buf_text(&text, "{\"apiVersion\":");
    sonde_buf_json_string(
        &text, sonde_str(sonde_json_string_or(object, "apiVersion", SONDE_SPEC_API_VERSION)));
    put_member(&text, object, "kind");
    put_metadata(&text, member(object, "metadata"));
    put_member(&text, object, "spec");
    put_member(&text, object, "status");
    sonde_buf_char(&text, '}');
    int r = sonde_buf_check(&text, "a schedule", err);
    if (r == 0 && kept) {
        kept->text = strdup(text.data);
    }
    if (r < 0 || !kept || !kept->text) {
        free(kept);
        return r < 0 ? r : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a schedule");
    }
    *ret = kept;
    return 0;
}

void schedule_object_release(void *context, void *kept)
{
    (void)context;
    free(((struct schedule_object *)kept)->text);
    free(kept);
}

/* ---- a look at it ---- */

static void say(struct schedule_view *view, const char *reason, const char *message)
{
    (void)snprintf(view->reason, sizeof(view->reason), "%s", reason);
    (void)snprintf(view->message, sizeof(view->message), "%s", message);
}

static void read_metadata(struct schedule_view *view, int64_t now_s)
{
    const cJSON *metadata = member(view->json, "metadata");
    const cJSON *annotations = member(metadata, "annotations");
    const char *created = sonde_json_string_or(metadata, "creationTimestamp", "");
    int64_t created_ns = 0;
    view->requester = sonde_json_string_or(annotations, SCHEDULE_REQUESTER, "");
    view->groups = sonde_json_string_or(annotations, SCHEDULE_REQUESTER_GROUPS, "");
    view->generation = sonde_json_integer_or(metadata, "generation", 0);
    view->deleted = member(metadata, "deletionTimestamp") != NULL;
    view->created_s = sonde_kube_time_parse(sonde_str(created), &created_ns) == 0
                          ? created_ns / SONDE_SECOND
                          : now_s;
}

/* 0 with view->document, or with the reason why there is none. */
static int read_document(struct schedule_view *view, const char *text, struct sonde_err *err)
{
    struct sonde_err invalid = {0};
    int r = sonde_spec_parse("the schedule", sonde_str(text), &view->documents, &invalid);
    if (r == SONDE_ENOMEM) {
        return sonde_fail(err, r, 0, "out of memory for a schedule");
    }
    const struct sonde_spec_document *document = r == 0 ? &view->documents.items[0] : NULL;
    if (document && document->kind == &sonde_kind_profile_schedule) {
        view->spec = &document->profile_schedule->common;
        view->template = member(member(view->json, "spec"), "runTemplate");
    } else if (document && document->kind == &sonde_kind_load_test_schedule) {
        view->spec = &document->load_test_schedule->common;
        view->template = member(member(view->json, "spec"), "testTemplate");
    } else {
        say(view, SONDE_REASON_INVALID_SPEC, document ? "it is no schedule" : invalid.message);
        return 0;
    }
    view->document = document;
    return sonde_cron_parse(sonde_str(view->spec->schedule), &view->cron, err);
}

static int read_zone(struct schedule_view *view, int64_t now_s, struct sonde_err *err)
{
    struct sonde_err unknown;
    int r = sonde_zone_read(view->spec->time_zone, &view->zone, &unknown);
    if (r == SONDE_ENOMEM) {
        return sonde_fail(err, r, 0, "out of memory for a time zone");
    }
    if (r < 0) {
        say(view, SONDE_REASON_TIME_ZONE_UNKNOWN, unknown.message);
    } else if (sonde_firing_after(&view->cron, &view->zone, now_s) == INT64_MAX) {
        say(view, SONDE_REASON_NEVER_FIRES, "no time of the next years fits spec.schedule");
    } else if (!view->requester[0]) {
        say(view, SONDE_REASON_REQUESTER_UNKNOWN,
            "it is not recorded who made the schedule (annotation " SCHEDULE_REQUESTER
            "), so that nobody's right can be checked");
    } else if (view->spec->suspend) {
        say(view, SONDE_REASON_SUSPENDED, "spec.suspend is set");
    }
    return 0;
}

int schedule_view_read(const char *text, int64_t now_s, struct schedule_view *ret,
                       struct sonde_err *err)
{
    *ret = (struct schedule_view){.requester = "", .groups = ""};
    int r = sonde_json_parse(sonde_str(text), &ret->json, err);
    if (r < 0) {
        return r;
    }
    read_metadata(ret, now_s);
    r = read_document(ret, text, err);
    return r < 0 || !ret->document ? r : read_zone(ret, now_s, err);
}

void schedule_view_fini(struct schedule_view *view)
{
    cJSON_Delete(view->json);
    sonde_spec_documents_fini(&view->documents);
    sonde_zone_fini(&view->zone);
    *view = (struct schedule_view){0};
}

int64_t schedule_last_s(int64_t fired_s, int64_t missed_s, int64_t now_s, int64_t *restart_s)
{
    int64_t last_s = fired_s > missed_s ? fired_s : missed_s;
    if (last_s <= now_s + SCHEDULE_BACK_S) {
        *restart_s = INT64_MIN;
        return last_s;
    }
    if (*restart_s == INT64_MIN || *restart_s > now_s + SCHEDULE_BACK_S) {
        *restart_s = now_s;
    }
    return *restart_s;
}
