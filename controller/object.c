/* SPDX-License-Identifier: Apache-2.0 */
/* An object in memory: made from what is cached of it, dropped when it is over. */
#include "controller/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "kube/time.h"

const struct sonde_kube_resource pod_resource = {"", "v1", "pods", "Pod"};
const struct sonde_kube_resource secret_resource = {"", "v1", "secrets", "Secret"};
const struct sonde_kube_resource load_test_resource = {SONDE_SPEC_GROUP, SONDE_SPEC_VERSION,
                                                       "loadtests", "LoadTest"};
const struct sonde_kube_resource profile_run_resource = {SONDE_SPEC_GROUP, SONDE_SPEC_VERSION,
                                                         "profileruns", "ProfileRun"};
const struct sonde_kube_resource profile_schedule_resource = {
    SONDE_SPEC_GROUP, SONDE_SPEC_VERSION, "profileschedules", "ProfileSchedule"};
const struct sonde_kube_resource load_test_schedule_resource = {
    SONDE_SPEC_GROUP, SONDE_SPEC_VERSION, "loadtestschedules", "LoadTestSchedule"};

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *object_word(const struct object *object)
{
    return object->way->resource->kind;
}

/* ---- the cache ---- */

int object_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    struct object_kept *kept = calloc(1, sizeof(*kept));
    const char *completed = sonde_json_string_or(member(object, "status"), "completionTime", "");
    if (!kept) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for an object");
    }
    int r = owned_new(object, &kept->owned, err);
    if (r < 0) {
        free(kept);
        return r;
    }
    kept->finished = sonde_kube_time_parse(sonde_str(completed), &kept->completed_ns) == 0;
    kept->ttl_ns =
        sonde_json_integer_or(member(object, "spec"), "ttlSecondsAfterFinished", 604800) *
        SONDE_SECOND;
    if (!kept->finished) {
        kept->text = cJSON_PrintUnformatted(object);
        if (!kept->text) {
            object_release(NULL, kept);
            return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for an object");
        }
    }
    *ret = kept;
    return 0;
}

void object_release(void *context, void *kept)
{
    (void)context;
    struct object_kept *object = kept;
    free(object->owned);
    cJSON_free(object->text);
    free(object);
}

/* ---- the list ---- */

struct object *object_find(struct controller *controller, enum kind kind, const char *key)
{
    for (struct object *object = controller->active; object; object = object->next) {
        if (object->way->kind == kind && strcmp(object->key, key) == 0) {
            return object;
        }
    }
    return NULL;
}

struct object *object_find_uid(struct controller *controller, const char *uid)
{
    for (struct object *object = controller->active; object; object = object->next) {
        if (strcmp(object->uid, uid) == 0) {
            return object;
        }
    }
    return NULL;
}

static void free_object(struct object *object)
{
    object->way->fini(object);
    sonde_spec_documents_fini(&object->documents);
    cJSON_Delete(object->applied);
    cJSON_Delete(object->results);
    free(object->document);
    free(object);
}

void object_hold(struct object *object)
{
    object->pending++;
}

void object_end_hold(struct object *object)
{
    if (--object->pending == 0 && object->phase == OBJECT_OVER) {
        free_object(object);
    }
}

void object_drop(struct object *object)
{
    struct object **at = &object->controller->active;
    while (*at && *at != object) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = object->next;
    }
    object->phase = OBJECT_OVER;
    if (object->pending == 0) {
        free_object(object);
    }
}

bool object_is_beside(const struct object *object, const struct sonde_kube_object *other)
{
    size_t length = strlen(object->namespace);
    return strncmp(other->key, object->namespace, length) == 0 && other->key[length] == '/';
}

/* ---- from what is cached ---- */

/* The spec with its defaults, and a metadata of only the names. */
static int print_document(struct object *object, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    struct sonde_spec_document document = object->documents.items[0];
    document.metadata = (struct sonde_metadata){.name = document.metadata.name,
                                                .namespace = document.metadata.namespace};
    sonde_spec_print_json(&document, &text);
    int r = sonde_buf_check(&text, "the document", err);
    if (r == 0) {
        object->document = strdup(text.data);
        r = object->document ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a document");
    }
    return r;
}

static int read_document(struct object *object, const char *text, struct sonde_err *ret_invalid,
                         struct sonde_err *err)
{
    const char *word = object_word(object);
    int r = sonde_spec_parse(word, sonde_str(text), &object->documents, ret_invalid);
    if (r == 0 && strcmp(object->documents.items[0].kind->name, word) == 0) {
        object->valid = true;
        r = print_document(object, err);
        return r < 0 ? r : object->way->read(object, err);
    }
    return r == SONDE_ENOMEM ? sonde_fail(err, r, 0, "out of memory for a document") : 0;
}

static void read_names(struct object *object, const struct sonde_kube_object *cached,
                       const cJSON *metadata)
{
    const char *created = sonde_json_string_or(metadata, "creationTimestamp", "");
    const char *slash = strchr(cached->key, '/');
    (void)snprintf(object->key, sizeof(object->key), "%s", cached->key);
    (void)snprintf(object->uid, sizeof(object->uid), "%s", cached->uid);
    (void)snprintf(object->version, sizeof(object->version), "%s", cached->resource_version);
    (void)snprintf(object->namespace, sizeof(object->namespace), "%.*s",
                   slash ? (int)(slash - cached->key) : 0, cached->key);
    object->name = strchr(object->key, '/') ? strchr(object->key, '/') + 1 : object->key;
    object->generation = sonde_json_integer_or(metadata, "generation", 0);
    if (sonde_kube_time_parse(sonde_str(created), &object->created) < 0) {
        object->created = sonde_clock_realtime();
    }
    (void)snprintf(
        object->requester, sizeof(object->requester), "%s",
        sonde_json_string_or(member(metadata, "annotations"), "sonde.dev/requester", ""));
}

/* Runs of a schedule, or of a series that somebody makes, are compared with those before them: the
 * store keeps which it was. */
static void read_schedule(struct object *object, const struct owned *owned, const cJSON *labels)
{
    static const char end[] = "Schedule";
    const char *series = sonde_json_string_or(labels, SONDE_SPEC_SERIES_LABEL, "");
    if (owned && sonde_str_ends(sonde_str(owned->kind), end)) {
        (void)snprintf(object->schedule, sizeof(object->schedule), "%s", owned->name);
    } else if (series[0]) {
        (void)snprintf(object->schedule, sizeof(object->schedule), SONDE_SPEC_SERIES "%s", series);
    }
}

static void read_switches(struct object *object, const cJSON *json)
{
    object->cancel = sonde_json_true(member(json, "spec"), "cancel");
    object->paused = sonde_json_true(member(json, "spec"), "paused");
}

int object_new(struct controller *controller, const struct object_way *way,
               const struct sonde_kube_object *cached, struct object **ret,
               struct sonde_err *ret_invalid, struct sonde_err *err)
{
    const struct object_kept *kept = cached->kept;
    SONDE_JSON_AUTO *json = NULL;
    struct object *object = calloc(1, way->size);
    if (!object) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for an object");
    }
    object->way = way;
    object->controller = controller;
    int r = sonde_json_parse(sonde_str(kept->text), &json, err);
    if (r == 0) {
        read_names(object, cached, member(json, "metadata"));
        read_schedule(object, kept->owned, member(member(json, "metadata"), "labels"));
        read_switches(object, json);
        r = read_document(object, kept->text, ret_invalid, err);
    }
    const cJSON *status = member(json, "status");
    if (r == 0 && cJSON_IsObject(status)) {
        object->applied = cJSON_Duplicate(status, true);
        r = object_take_status(object, status, err);
    }
    if (r < 0) {
        free_object(object);
        return r;
    }
    object->next = controller->active;
    controller->active = object;
    *ret = object;
    return 0;
}

void object_refresh(struct object *object, const struct sonde_kube_object *cached)
{
    const struct object_kept *kept = cached->kept;
    SONDE_JSON_AUTO *json = NULL;
    if (kept->text && sonde_json_parse(sonde_str(kept->text), &json, NULL) == 0) {
        read_switches(object, json);
        object->generation = sonde_json_integer_or(member(json, "metadata"), "generation", 0);
    }
}

/* ---- what is said of it ---- */

void object_set_condition(struct object *object, size_t type, char status, const char *reason,
                          const char *message)
{
    struct condition *condition = &object->conditions[type];
    if (condition->status != status) {
        condition->since = sonde_clock_realtime();
    }
    condition->status = status;
    (void)snprintf(condition->reason, sizeof(condition->reason), "%s", reason);
    (void)snprintf(condition->message, sizeof(condition->message), "%s", message);
}

void object_event(const struct object *object, bool warning, const char *reason, const char *action,
                  const char *note)
{
    struct sonde_kube_event event = {.api_version = SONDE_SPEC_API_VERSION,
                                     .kind = object_word(object),
                                     .namespace = object->namespace,
                                     .name = object->name,
                                     .uid = object->uid,
                                     .warning = warning,
                                     .reason = reason,
                                     .action = action,
                                     .note = note};
    struct sonde_err err;
    if (!object->gone &&
        sonde_kube_recorder_record(object->controller->recorder, &event, &err) < 0) {
        SONDE_LOG(&object->controller->log, SONDE_LOG_WARN, "an event was dropped",
                  SONDE_FIELD_STR("run", sonde_str(object->key)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
}
