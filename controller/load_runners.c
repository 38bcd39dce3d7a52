/* SPDX-License-Identifier: Apache-2.0 */
/* The runners of a load test: the store learns of the test and of a token for each, a Job is made
 * with the tokens, and what happens to its pods is told to the store. Each step can be repeated:
 * the Job's name is derived from the test, and what is there already is seen. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "controller/load.h"
#include "spec/reason.h"

#define STORE_PATIENCE 6                   /* tries, 12 s in all */
#define AGAIN_NS (200 * SONDE_MILLISECOND) /* twice as long each time … */
#define AGAIN_MAX_NS (60 * SONDE_SECOND)   /* … and at most this long */
#define FULL_MAX_NS (4 * SONDE_SECOND)     /* at a store that has no room */
#define GONE_NS (5 * SONDE_SECOND)
#define TELL_NS (10 * SONDE_SECOND)

enum {
    DELETE_TRIES = 12, /* 4 minutes in all */
    TOKEN_GRACE_SECONDS = 60,
    JOB_GRACE_SECONDS = 120, /* behind the test's own deadline: the Job is the last resort */
};

static const struct sonde_kube_resource job_resource = {"batch", "v1", "jobs", "Job"};

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void end(struct load *load, const char *reason, const char *message)
{
    object_end_with(&load->object, reason, message);
    object_wake(&load->object, 0);
}

/* ---- again, later ---- */

/* What wakes the test meanwhile does not make it sooner. */
static void again(struct load *load, int64_t most_ns)
{
    int exponent = load->job_failures < 9 ? load->job_failures : 9;
    int64_t delay = AGAIN_NS << exponent;
    delay = delay < most_ns ? delay : most_ns;
    load->job_failures++;
    load->job_at = sonde_clock_monotonic() + delay;
    object_wake(&load->object, delay);
}

static bool may_ask(const struct load *load)
{
    int64_t left = load->job_at - sonde_clock_monotonic();
    if (left > 0) {
        object_wake(&load->object, left);
    }
    return left <= 0;
}

void load_set_trouble(struct load *load, const char *reason, const char *message)
{
    load->news = load->news || strcmp(reason, load->trouble_reason) != 0;
    (void)snprintf(load->trouble_reason, sizeof(load->trouble_reason), "%s", reason);
    (void)snprintf(load->trouble_message, sizeof(load->trouble_message), "%s", message);
}

/* ---- tokens ---- */

static bool make_tokens(struct load *load)
{
    unsigned char secret[32];
    if (load->tokens) {
        return true;
    }
    load->tokens = calloc(LOAD_RUNNERS_MAX, sizeof(*load->tokens));
    for (int64_t i = 0; load->tokens && i < load->spec->parallelism; i++) {
        sonde_random_bytes(secret, sizeof(secret));
        sonde_hexadecimal(secret, sizeof(secret), load->tokens[i]);
    }
    explicit_bzero(secret, sizeof(secret));
    return load->tokens;
}

/* The Job has them, and nobody else needs them. */
static void forget_tokens(struct load *load)
{
    if (load->tokens) {
        explicit_bzero(load->tokens, LOAD_RUNNERS_MAX * sizeof(*load->tokens));
        free(load->tokens);
        load->tokens = NULL;
    }
}

/* ---- the registration ---- */

/* That the store has no room may pass, as a gate opens; its other refusals stay. */
static void not_registered(struct load *load, int status, const struct sonde_err *err)
{
    char message[OBJECT_MESSAGE_SIZE];
    bool refused = status >= 400 && status < 500 && status != 429;
    load->store_full = status == 429 || status == 503;
    SONDE_LOG(&load->object.controller->log, SONDE_LOG_WARN, "the store did not take a load test",
              SONDE_FIELD_STR("run", sonde_str(load->object.key)),
              SONDE_FIELD_INT("status", status), SONDE_FIELD_STR("error", sonde_str(err->message)));
    if (load->store_full) {
        (void)snprintf(message, sizeof(message), "it waits for the store: %s", err->message);
        load_set_trouble(load, LOAD_STORE_BUSY, message);
        load->store_failures = 0;
        again(load, FULL_MAX_NS);
    } else if (refused || ++load->store_failures > STORE_PATIENCE) {
        end(load, status ? SONDE_REASON_STORE_FAILED : SONDE_REASON_STORE_UNREACHABLE,
            err->message);
    } else {
        again(load, AGAIN_MAX_NS);
    }
}

static void registered(void *context, const struct store_answer *answer,
                       const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    load->registering = object->busy = false;
    if (err->code == 0) {
        load->registered = true;
        load->store_full = false;
        load->store_failures = load->job_failures = 0;
        load->start_since = sonde_clock_realtime();
        load_set_trouble(load, "", "");
        object_wake(object, 0);
    } else {
        not_registered(load, answer->status, err);
    }
    object_end_hold(object);
}

static void put_targets(const struct load *load, struct sonde_buf *body)
{
    int64_t expires = object_deadline(&load->object) + TOKEN_GRACE_SECONDS;
    for (int64_t i = 0; i < load->spec->parallelism; i++) {
        char digest[SONDE_DIGEST_SIZE];
        sonde_sha256(sonde_str(load->tokens[i]), digest);
        sonde_buf_printf(body,
                         "%s{\"target\":\"runner-%lld\",\"tokenSha256\":\"%s\",\"expires\":%lld}",
                         i ? "," : "", (long long)i, digest, (long long)expires);
    }
    sonde_buf_char(body, ']');
}

/* With endpoints: Pods each of them is loaded, and told apart. */
static void put_addresses(const struct load *load, struct sonde_buf *body)
{
    const struct sonde_service_target *service = load->spec->target->service;
    if (service && service->endpoints == SONDE_ENDPOINTS_PODS) {
        char *text = cJSON_PrintUnformatted(load->addresses);
        sonde_buf_text(body, ",\"addresses\":");
        sonde_buf_text(body, text ? text : "null");
        cJSON_free(text);
    }
}

static void send_registration(struct load *load)
{
    struct object *object = &load->object;
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_SPEC_FILE_MAX + (64 << 10));
    if (!make_tokens(load)) {
        object_retry(object);
        return;
    }
    object_registration(object, &body);
    put_targets(load, &body);
    put_addresses(load, &body);
    sonde_buf_char(&body, '}');
    load->registering = object_post(object, "runs", &body, 10 * SONDE_SECOND, registered);
}

/* ---- the Job ---- */

static void take_job(struct load *load, const cJSON *job)
{
    struct object *object = &load->object;
    const cJSON *owner = cJSON_GetArrayItem(member(member(job, "metadata"), "ownerReferences"), 0);
    if (strcmp(sonde_json_string_or(owner, "uid", ""), object->uid) != 0) {
        end(load, SONDE_REASON_RUNNERS_NOT_READY, "a Job of that name belongs to somebody else");
        return;
    }
    bool made = !load->job_recorded;
    load->job_known = load->job_recorded = load->news = true;
    (void)snprintf(load->job_uid, sizeof(load->job_uid), "%s",
                   sonde_json_string_or(member(job, "metadata"), "uid", ""));
    load->start_since = sonde_clock_realtime();
    load->job_failures = 0;
    load->registered = true;
    forget_tokens(load);
    if (made) {
        object_event(object, false, "RunnersCreated", "Start", load->job);
    }
}

/* Whoever waits sees why, until the runners should have been ready. */
static void job_failed(struct load *load, const char *what, const struct sonde_err *err)
{
    char message[OBJECT_MESSAGE_SIZE];
    (void)snprintf(message, sizeof(message), "the Job of the runners could not be %s: %s", what,
                   err->message);
    SONDE_LOG(&load->object.controller->log, SONDE_LOG_WARN, message,
              SONDE_FIELD_STR("run", sonde_str(load->object.key)));
    load_set_trouble(load, SONDE_REASON_RUNNERS_NOT_READY, message);
    again(load, AGAIN_MAX_NS);
}

static void job_read(void *context, const struct sonde_kube_response *response,
                     const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    object->busy = false;
    if (err->code == 0) {
        take_job(load, response->object);
        object_wake(object, 0);
    } else if (err->code == SONDE_ENOTFOUND && load->job_recorded) {
        end(load, SONDE_REASON_RUNNER_LOST, "the Job of the runners was deleted");
    } else if (err->code == SONDE_ENOTFOUND) {
        load->job_absent = true;
        object_wake(object, 0);
    } else {
        job_failed(load, "read", err);
    }
    object_end_hold(object);
}

/* What is refused for good ends the test; a refusal that may pass is asked again. */
static void job_created(void *context, const struct sonde_kube_response *response,
                        const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    object->busy = false;
    if (err->code == 0) {
        take_job(load, response->object);
        object_wake(object, 0);
    } else if (err->code == SONDE_EEXISTS) {
        load->job_absent = false; /* it is read */
        object_wake(object, 0);
    } else {
        job_failed(load, "made", err);
        if (err->code == SONDE_EDENIED || err->code == SONDE_EINVALID) {
            end(load, SONDE_REASON_RUNNERS_NOT_READY, load->trouble_message);
        }
    }
    object_end_hold(object);
}

/* A request about the Job, or, without a name, the collection. */
static void ask_for_job(struct load *load, const char *method, const char *name,
                        struct sonde_str body,
                        void (*done)(void *context, const struct sonde_kube_response *response,
                                     const struct sonde_err *err))
{
    (void)object_ask(&load->object,
                     &(struct object_request){
                         .target = {&job_resource, load->object.namespace, name, NULL, NULL},
                         .method = method,
                         .body = body,
                         .done = done});
}

static void create_job(struct load *load)
{
    struct object *object = &load->object;
    const struct controller *controller = object->controller;
    struct sonde_err err;
    char deadline[32];
    SONDE_BUF_AUTO tokens = SONDE_BUF(LOAD_RUNNERS_MAX * LOAD_TOKEN_SIZE);
    SONDE_BUF_AUTO body = SONDE_BUF(LOAD_JOB_MAX);
    int64_t left = object_deadline(object) - sonde_clock_realtime() / SONDE_SECOND;
    for (int64_t i = 0; i < load->spec->parallelism; i++) {
        sonde_buf_printf(&tokens, "%s%s", i ? "," : "", load->tokens[i]);
    }
    (void)snprintf(deadline, sizeof(deadline), "%lld", (long long)object_deadline(object));
    struct sonde_str authority = certificates_authority(controller->certificates);
    const struct sonde_pair environment[] = {
        {"SONDE_STORE", controller->settings->store},
        {"SONDE_STORE_CA", authority.data},
        {"SONDE_RUN_UID", object->uid},
        {"SONDE_TOKENS", tokens.data},
        {"SONDE_DEADLINE", deadline},
    };
    int r = sonde_buf_check(&tokens, "the tokens", &err);
    r = r < 0 ? r
              : load_job_print(&(struct load_job){.name = load->job,
                                                  .namespace = object->namespace,
                                                  .test = object->name,
                                                  .uid = object->uid,
                                                  .requester = object->requester,
                                                  .image = controller->settings->sidecar_image,
                                                  .spec = load->spec,
                                                  .selector = load_selector(load->service),
                                                  .deadline_seconds =
                                                      (left > 0 ? left : 1) + JOB_GRACE_SECONDS,
                                                  .environment = environment,
                                                  .environment_count = SONDE_LENGTH(environment)},
                               &body, &err);
    if (r == SONDE_ENOMEM) {
        object_retry(object);
    } else if (r < 0) {
        end(load, SONDE_REASON_INVALID_SPEC, err.message);
    } else {
        ask_for_job(load, "POST", NULL, sonde_buf_view(&body), job_created);
    }
    if (body.data) {
        explicit_bzero(body.data, body.length);
    }
    if (tokens.data) {
        explicit_bzero(tokens.data, tokens.length);
    }
}

bool load_start_runners(struct load *load)
{
    struct object *object = &load->object;
    if (load->job_known) {
        return true;
    }
    if (object->busy || !may_ask(load)) {
        return false;
    }
    if (!load->job_absent) {
        ask_for_job(load, "GET", load->job, (struct sonde_str){0}, job_read);
    } else if (object->ending_reason[0] || !load_look(load)) {
        return false;
    } else if (!load->registered || !load->tokens) {
        send_registration(load); /* whoever led before has taken its tokens along */
    } else {
        create_job(load);
    }
    return false;
}

/* ---- the pods ---- */

struct found {
    const struct sonde_kube_object *newest[LOAD_RUNNERS_MAX];
    /* Of those that are lost, or leave, and whose loss the store was not told of. */
    const struct sonde_kube_object *first[LOAD_RUNNERS_MAX];
};

static const struct load_pod *kept(const struct sonde_kube_object *object)
{
    return object->kept;
}

/* A label alone can be put on any pod. */
static bool is_ours(const struct load *load, const struct sonde_kube_object *pod)
{
    return object_is_beside(&load->object, pod) && strcmp(kept(pod)->job, load->job_uid) == 0;
}

static struct loss loss_of(const struct sonde_kube_object *pod)
{
    struct loss loss = {.created_ns = kept(pod)->created_ns};
    (void)snprintf(loss.uid, sizeof(loss.uid), "%s", pod->uid);
    return loss;
}

static bool is_after(const struct sonde_kube_object *pod, const struct loss *loss)
{
    return kept(pod)->created_ns != loss->created_ns ? kept(pod)->created_ns > loss->created_ns
                                                     : strcmp(pod->uid, loss->uid) > 0;
}

static bool is_ending(const struct load_pod *pod)
{
    return pod->state == LOAD_POD_LOST || (pod->state != LOAD_POD_DONE && pod->leaving_ns);
}

static void look_at_pod(const struct load *load, const struct sonde_kube_object *pod,
                        struct found *found)
{
    int64_t i = kept(pod)->index;
    if (!found->newest[i] || kept(pod)->created_ns > kept(found->newest[i])->created_ns) {
        found->newest[i] = pod;
    }
    if (is_ending(kept(pod)) && is_after(pod, &load->runners[i].told)) {
        struct loss loss = loss_of(pod);
        if (!found->first[i] || is_after(found->first[i], &loss)) {
            found->first[i] = pod;
        }
    }
}

static void find_pods(const struct load *load, struct found *ret)
{
    const struct sonde_kube_cache *cache =
        sonde_kube_informer_cache(load->object.controller->runner_pods);
    *ret = (struct found){0};
    for (const struct sonde_kube_object *pod =
             sonde_kube_cache_first(cache, 0, sonde_str(load->object.uid));
         pod; pod = sonde_kube_cache_next(cache, 0, pod)) {
        if (is_ours(load, pod)) {
            look_at_pod(load, pod, ret);
        }
    }
}

static void told(void *context, const struct store_answer *answer, const struct sonde_err *err)
{
    struct runner *runner = context;
    struct load *load = runner->load;
    struct object *object = &load->object;
    runner->busy = false;
    if (err->code == 0 || answer->status == 409) {
        /* A conflict is an answer, too: it had said its last word, or the test is over. */
        runner->told = runner->telling;
        object_wake(object, 0);
    } else if (answer->status == 404) {
        load->registered = false;
        end(load, SONDE_REASON_STORE_FAILED,
            "the store does not know the test any more: it was deleted there, or lost");
    } else {
        SONDE_LOG(&object->controller->log, SONDE_LOG_WARN, "the store was not told of a loss",
                  SONDE_FIELD_STR("run", sonde_str(object->key)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        runner->tell_at = sonde_clock_monotonic() + SONDE_SECOND;
        object_wake(object, SONDE_SECOND);
    }
    object_end_hold(object);
}

static void tell_loss(struct runner *runner, const struct sonde_kube_object *pod,
                      const char *reason, const char *message)
{
    struct load *load = runner->load;
    struct object *object = &load->object;
    struct sonde_err err;
    char path[96];
    char whole[OBJECT_MESSAGE_SIZE];
    SONDE_BUF_AUTO body = SONDE_BUF(16384);
    int64_t left = runner->tell_at - sonde_clock_monotonic();
    if (left > 0) {
        object_wake(object, left);
    }
    if (runner->busy || left > 0) {
        return;
    }
    (void)snprintf(whole, sizeof(whole), "pod %s%s%s: %s", pod->name,
                   kept(pod)->node[0] ? " on " : "", kept(pod)->node, message);
    if (strcmp(runner->telling.uid, pod->uid) != 0) {
        object_event(object, true, reason, "Run", whole);
        object->controller->metrics.runners_lost++;
    }
    runner->telling = loss_of(pod);
    (void)snprintf(path, sizeof(path), "runs/%s/runners/%lld/lost", object->uid,
                   (long long)kept(pod)->index);
    sonde_buf_printf(&body, "{\"reason\":\"%s\",\"pod\":", reason);
    sonde_buf_json_string(&body, sonde_str(pod->name));
    sonde_buf_text(&body, ",\"message\":");
    sonde_buf_json_string(&body, sonde_str(whole));
    sonde_buf_char(&body, '}');
    runner->busy = true;
    object_hold(object);
    if (store_post(object->controller->store, path, sonde_buf_view(&body), TELL_NS, told, runner,
                   &err) < 0) {
        runner->busy = false;
        object_retry(object);
        object_end_hold(object);
    }
}

/* A pod that is deleted on a node that does not answer never ends, and is gone all the same. */
static bool is_gone(const struct load *load, const struct load_pod *pod)
{
    if (!pod->leaving_ns) {
        return false;
    }
    int64_t left = pod->leaving_ns + GONE_NS - sonde_clock_realtime();
    if (left > 0) {
        object_wake(&load->object, left);
    }
    return left <= 0;
}

/* What is said of the first pod that waits for a cause, and of how many. */
static void note_trouble(struct load *load, const struct sonde_kube_object *first, size_t count)
{
    char message[OBJECT_MESSAGE_SIZE] = "";
    if (first) {
        (void)snprintf(message, sizeof(message), "%zu of %lld runners wait: %s: %.700s", count,
                       (long long)load->spec->parallelism, first->name, kept(first)->message);
    }
    load_set_trouble(load, first ? kept(first)->reason : "", message);
}

/* One after the other: the store hears of the pods of a runner as they were. Who comes to a test in
 * mid-way tells all of them: the store counts none twice. */
static void follow_losses(struct load *load, const struct sonde_kube_object *pod)
{
    struct runner *runner = &load->runners[kept(pod)->index];
    if (kept(pod)->state == LOAD_POD_LOST) {
        tell_loss(runner, pod, kept(pod)->reason, kept(pod)->message);
    } else if (is_gone(load, kept(pod))) {
        tell_loss(runner, pod, SONDE_REASON_RUNNER_LOST,
                  "it was deleted, and its node has not said that it ended");
    }
}

void load_follow_pods(struct load *load)
{
    const struct sonde_kube_object *waiting = NULL;
    size_t count = 0;
    struct found found;
    find_pods(load, &found);
    for (int64_t i = 0; i < load->spec->parallelism; i++) {
        const struct sonde_kube_object *pod = found.newest[i];
        if (found.first[i]) {
            follow_losses(load, found.first[i]);
        }
        if (pod && kept(pod)->state == LOAD_POD_WAITING && kept(pod)->reason) {
            waiting = waiting ? waiting : pod;
            count++;
        }
    }
    note_trouble(load, waiting, count);
}

/* ---- what is waited for ---- */

/* A pod that has a node and does not start: its kubelet waits for an image, or for a volume, and of
 * the latter only an Event tells. */
static void say_pod(const struct load *load, const struct sonde_kube_object *pod,
                    char ret[OBJECT_MESSAGE_SIZE])
{
    SONDE_BUF_AUTO needs = SONDE_BUF(16 << 10);
    load_job_needs(load->spec, &needs);
    (void)snprintf(ret, OBJECT_MESSAGE_SIZE,
                   "pod %s on %s has not started (see: kubectl -n %s describe pod %s)%s%.400s",
                   pod->name, kept(pod)->node, load->object.namespace, pod->name,
                   needs.length ? "; it needs " : "", needs.length ? needs.data : "");
}

void load_say_wait(const struct load *load, char ret[OBJECT_MESSAGE_SIZE])
{
    const struct sonde_kube_object *waiting = NULL;
    size_t made = 0;
    struct found found;
    find_pods(load, &found);
    for (int64_t i = 0; i < load->spec->parallelism; i++) {
        const struct sonde_kube_object *pod = found.newest[i];
        made += pod != NULL;
        if (!waiting && pod && kept(pod)->state == LOAD_POD_WAITING && kept(pod)->node[0]) {
            waiting = pod;
        }
    }
    if (!load->job_known) {
        (void)snprintf(ret, OBJECT_MESSAGE_SIZE, "their Job is not made yet");
    } else if (waiting) {
        say_pod(load, waiting, ret);
    } else if (made < (size_t)load->spec->parallelism) {
        (void)snprintf(ret, OBJECT_MESSAGE_SIZE,
                       "%zu of %lld pods were made (see: kubectl -n %s describe job %s, which also "
                       "says when a quota, a limit, Pod Security or a webhook refuses them)",
                       made, (long long)load->spec->parallelism, load->object.namespace, load->job);
    } else {
        (void)snprintf(ret, OBJECT_MESSAGE_SIZE,
                       "their pods were made (see: kubectl -n %s logs job/%s)",
                       load->object.namespace, load->job);
    }
}

/* ---- the end ---- */

static void job_deleted(void *context, const struct sonde_kube_response *response,
                        const struct sonde_err *err)
{
    struct load *load = context;
    struct object *object = &load->object;
    (void)response;
    object->busy = false;
    if (err->code && err->code != SONDE_ENOTFOUND) {
        SONDE_LOG(&object->controller->log, SONDE_LOG_WARN, "a Job could not be deleted",
                  SONDE_FIELD_STR("run", sonde_str(object->key)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        again(load, AGAIN_MAX_NS);
        load->job_doomed = load->job_failures < DELETE_TRIES;
    } else {
        load->job_doomed = false;
    }
    object_wake(object, 0);
    object_end_hold(object);
}

/* A pod that waits would begin when all is over, and one that is lost be replaced; those that end
 * by themselves keep their logs. */
void load_end_job(struct load *load)
{
    struct found found;
    bool goes_on = load->object.ending_reason[0] && !load->live.phase;
    if (!load->job_known || load->object.gone) {
        return;
    }
    find_pods(load, &found);
    for (int64_t i = 0; i < load->spec->parallelism; i++) {
        const struct sonde_kube_object *pod = found.newest[i];
        goes_on =
            goes_on || !pod || kept(pod)->state == LOAD_POD_WAITING || kept(pod)->lingers ||
            (kept(pod)->state == LOAD_POD_RUNNING && load->object.ending_reason[0]) ||
            (kept(pod)->state == LOAD_POD_LOST && load->spec->on_runner_loss == SONDE_LOSS_REPLACE);
    }
    load->job_doomed = goes_on;
    load->job_failures = 0;
    load->job_at = 0;
}

bool load_leave_job(struct load *load)
{
    if (load->job_doomed && !load->object.busy && may_ask(load)) {
        ask_for_job(load, "DELETE", load->job,
                    SONDE_STR("{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                              "\"propagationPolicy\":\"Background\"}"),
                    job_deleted);
    }
    return !load->job_doomed;
}
