/* SPDX-License-Identifier: Apache-2.0 */
/* A run in memory: made from its object, dropped when it is over. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "kube/time.h"

const struct sonde_kube_resource pod_resource = {"", "v1", "pods", "Pod"};
const struct sonde_kube_resource secret_resource = {"", "v1", "secrets", "Secret"};
const struct sonde_kube_resource profile_run_resource = {SONDE_SPEC_GROUP, SONDE_SPEC_VERSION,
                                                         "profileruns", "ProfileRun"};

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- the cache ---- */

int run_object_keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    struct run_object *kept = calloc(1, sizeof(*kept));
    const char *completed = sonde_json_string_or(member(object, "status"), "completionTime", "");
    if (!kept) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a run");
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
            run_object_release(NULL, kept);
            return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a run");
        }
    }
    *ret = kept;
    return 0;
}

void run_object_release(void *context, void *kept)
{
    (void)context;
    struct run_object *object = kept;
    free(object->owned);
    cJSON_free(object->text);
    free(object);
}

/* ---- the list ---- */

struct run *run_find(struct controller *controller, const char *key)
{
    for (struct run *run = controller->active; run; run = run->next) {
        if (strcmp(run->key, key) == 0) {
            return run;
        }
    }
    return NULL;
}

struct run *run_find_uid(struct controller *controller, const char *uid)
{
    for (struct run *run = controller->active; run; run = run->next) {
        if (strcmp(run->uid, uid) == 0) {
            return run;
        }
    }
    return NULL;
}

int run_reserve_targets(struct run *run, size_t count, struct sonde_err *err)
{
    if (count > CHOOSE_TARGETS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a run of more than %d pods", CHOOSE_TARGETS_MAX);
    }
    run->targets = count ? calloc(count, sizeof(*run->targets)) : NULL;
    return count && !run->targets ? sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a run") : 0;
}

static void free_run(struct run *run)
{
    for (size_t i = 0; i < run->target_count; i++) {
        explicit_bzero(run->targets[i].token, sizeof(run->targets[i].token));
    }
    free(run->targets);
    sonde_spec_documents_fini(&run->documents);
    cJSON_Delete(run->applied);
    cJSON_Delete(run->results);
    free(run->document);
    free(run);
}

void run_hold(struct run *run)
{
    run->pending++;
}

void run_release(struct run *run)
{
    if (--run->pending == 0 && run->phase == RUN_OVER) {
        free_run(run);
    }
}

void run_drop(struct run *run)
{
    struct run **at = &run->controller->active;
    while (*at && *at != run) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = run->next;
    }
    run->phase = RUN_OVER;
    if (run->pending == 0) {
        free_run(run);
    }
}

/* ---- from its object ---- */

static void name_target(struct run *run)
{
    const struct sonde_profile_target *target = run->spec->target;
    if (target->workload_ref) {
        (void)snprintf(run->target_word, sizeof(run->target_word), "%s/%s",
                       sonde_workload_kinds[target->workload_ref->kind],
                       target->workload_ref->name);
    } else if (target->pod_name) {
        (void)snprintf(run->target_word, sizeof(run->target_word), "Pod/%s", target->pod_name);
    } else {
        (void)snprintf(run->target_word, sizeof(run->target_word), "Pods by label");
    }
}

/* The spec with its defaults, and a metadata of only the names: what store and sidecar get. */
static int print_document(struct run *run, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    struct sonde_spec_document document = run->documents.items[0];
    document.metadata = (struct sonde_metadata){.name = document.metadata.name,
                                                .namespace = document.metadata.namespace};
    sonde_spec_print_json(&document, &text);
    int r = sonde_buf_check(&text, "the run's document", err);
    if (r == 0) {
        run->document = strdup(text.data);
        r = run->document ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a run");
    }
    return r;
}

static int read_spec(struct run *run, const char *text, struct sonde_err *ret_invalid,
                     struct sonde_err *err)
{
    int r = sonde_spec_parse("ProfileRun", sonde_str(text), &run->documents, ret_invalid);
    if (r == 0 && run->documents.items[0].kind == &sonde_kind_profile_run) {
        run->spec = run->documents.items[0].profile_run;
        name_target(run);
        return print_document(run, err);
    }
    return r == SONDE_ENOMEM ? sonde_fail(err, r, 0, "out of memory for a run") : 0;
}

static void read_names(struct run *run, const struct sonde_kube_object *object,
                       const cJSON *metadata)
{
    const char *created = sonde_json_string_or(metadata, "creationTimestamp", "");
    const char *slash = strchr(object->key, '/');
    (void)snprintf(run->key, sizeof(run->key), "%s", object->key);
    (void)snprintf(run->uid, sizeof(run->uid), "%s", object->uid);
    (void)snprintf(run->version, sizeof(run->version), "%s", object->resource_version);
    (void)snprintf(run->namespace, sizeof(run->namespace), "%.*s",
                   slash ? (int)(slash - object->key) : 0, object->key);
    run->name = strchr(run->key, '/') ? strchr(run->key, '/') + 1 : run->key;
    run->generation = sonde_json_integer_or(metadata, "generation", 0);
    if (sonde_kube_time_parse(sonde_str(created), &run->created) < 0) {
        run->created = sonde_clock_realtime();
    }
    (void)snprintf(
        run->requester, sizeof(run->requester), "%s",
        sonde_json_string_or(member(metadata, "annotations"), "sonde.dev/requester", ""));
    attach_name(run->uid, false, run->sidecar);
}

int run_new(struct controller *controller, const struct sonde_kube_object *object, struct run **ret,
            struct sonde_err *ret_invalid, struct sonde_err *err)
{
    const struct run_object *kept = object->kept;
    SONDE_JSON_AUTO *json = NULL;
    struct run *run = calloc(1, sizeof(*run));
    if (!run) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a run");
    }
    run->controller = controller;
    int r = sonde_json_parse(sonde_str(kept->text), &json, err);
    if (r == 0) {
        read_names(run, object, member(json, "metadata"));
        r = read_spec(run, kept->text, ret_invalid, err);
    }
    if (r < 0) {
        free_run(run);
        return r;
    }
    const cJSON *status = member(json, "status");
    if (cJSON_IsObject(status)) {
        r = status_take(run, status, err);
        run->applied = cJSON_Duplicate(status, true);
    }
    if (r < 0) {
        free_run(run);
        return r;
    }
    run->phase = run->target_count ? RUN_WORKING : RUN_CHOOSING;
    run->cancel = sonde_json_true(member(json, "spec"), "cancel");
    run->next = controller->active;
    controller->active = run;
    *ret = run;
    return 0;
}

void run_refresh(struct run *run, const struct sonde_kube_object *object)
{
    const struct run_object *kept = object->kept;
    SONDE_JSON_AUTO *json = NULL;
    if (kept->text && sonde_json_parse(sonde_str(kept->text), &json, NULL) == 0) {
        run->cancel = sonde_json_true(member(json, "spec"), "cancel");
        run->generation = sonde_json_integer_or(member(json, "metadata"), "generation", 0);
    }
}

/* ---- what is said of it ---- */

void run_set_condition(struct run *run, enum condition_type type, char status, const char *reason,
                       const char *message)
{
    struct condition *condition = &run->conditions[type];
    if (condition->status != status) {
        condition->since = sonde_clock_realtime();
    }
    condition->status = status;
    (void)snprintf(condition->reason, sizeof(condition->reason), "%s", reason);
    (void)snprintf(condition->message, sizeof(condition->message), "%s", message);
}

void run_event(const struct run *run, bool warning, const char *reason, const char *action,
               const char *note)
{
    struct sonde_kube_event event = {.api_version = SONDE_SPEC_API_VERSION,
                                     .kind = "ProfileRun",
                                     .namespace = run->namespace,
                                     .name = run->name,
                                     .uid = run->uid,
                                     .warning = warning,
                                     .reason = reason,
                                     .action = action,
                                     .note = note};
    struct sonde_err err;
    if (!run->gone && sonde_kube_recorder_record(run->controller->recorder, &event, &err) < 0) {
        SONDE_LOG(&run->controller->log, SONDE_LOG_WARN, "an event was dropped",
                  SONDE_FIELD_STR("run", sonde_str(run->key)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
}
