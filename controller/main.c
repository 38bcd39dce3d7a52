/* SPDX-License-Identifier: Apache-2.0 */
/* sonde-controller: watches what people ask for and carries it out. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/options.h"
#include "base/random.h"
#include "controller/controller.h"
#include "controller/load_job.h"
#include "controller/load_pods.h"
#include "controller/schedule.h"

#define AT(field) offsetof(struct controller_settings, field)
#define STOP_NS (5 * SONDE_SECOND)
#define RETRY_FIRST_NS (200 * SONDE_MILLISECOND) /* twice as long each time … */
#define RETRY_MAX_NS (60 * SONDE_SECOND)         /* … and at most this long */

enum { RUNS_MAX = 20000, EVENTS_MAX = 2000 };

/* Each run costs about ten requests: a hundred at once must not wait for our own rate. The API
 * server's priority and fairness protects it from us. */
static const double requests_per_second = 200;
static const double request_burst = 400;

static const struct sonde_option options[] = {
    {"sidecar-image", SONDE_OPTION_STRING, AT(sidecar_image), .argument = "NAME",
     .help = "the image that is put into pods, by digest if possible"},
    {"store", SONDE_OPTION_STRING, AT(store), .argument = "URL",
     .help = "the store as sidecars reach it: https://sonde-store.sonde-system.svc:8443"},
    {"store-address", SONDE_OPTION_STRING, AT(store_address), .argument = "URL",
     .help = "the store as the controller reaches it, when that is elsewhere"},
    {"store-token-file", SONDE_OPTION_STRING, AT(store_token_file), .argument = "FILE",
     .help = "our token for the store (default: /var/run/secrets/sonde/token)"},
    {"store-ca-file", SONDE_OPTION_STRING, AT(store_ca_file), .argument = "FILE",
     .help = "whom sidecars trust (PEM; default: the Secret sonde-store-tls, made when missing)"},
    {"namespace", SONDE_OPTION_STRING, AT(namespace), .argument = "NAME",
     .help = "watch this one only (default: all)"},
    {"system-namespace", SONDE_OPTION_STRING, AT(system_namespace), .argument = "NAME",
     .help = "where Sonde itself runs (default: sonde-system)"},
    {"listen", SONDE_OPTION_STRING, AT(listen), .argument = "ADDRESS:PORT",
     .help = "for /metrics, /healthz and /readyz (default: 0.0.0.0:8080)"},
    {"webhook", SONDE_OPTION_STRING, AT(webhook), .argument = "ADDRESS:PORT",
     .help = "answer the API server there, which asks who makes a run (default: not at all)"},
    {"kubeconfig", SONDE_OPTION_STRING, AT(kubeconfig), .argument = "FILE",
     .help = "run outside of the cluster (default: as kubectl finds it, else as in a pod)"},
    {"context", SONDE_OPTION_STRING, AT(context), .argument = "NAME", .help = "of the kubeconfig"},
    {"no-election", SONDE_OPTION_FLAG, AT(no_election),
     .help = "lead at once: there is no other replica"},
    {"version", SONDE_OPTION_FLAG, AT(version), .help = "say which version this is"},
    {"help", SONDE_OPTION_FLAG, AT(help), .help = "say this", .letter = 'h'},
    {0},
};

struct program {
    struct controller_settings settings;
    struct controller controller;
    struct sonde_signal *term, *interrupt;
    struct sonde_timer *stop_timer;
    char identity[SONDE_KUBE_IDENTITY_SIZE];
    bool lost; /* the lead: the program must end */
};

static int say(const struct sonde_err *err)
{
    (void)fprintf(stderr, "sonde-controller: %s\n", err->message);
    return err->code == SONDE_EINVALID ? 2 : 1;
}

/* ---- the kinds ---- */

static const struct kind_work {
    const struct sonde_kube_resource *resource;
    size_t maximum; /* objects */
    int (*keep)(void *context, const cJSON *object, void **ret_kept, struct sonde_err *err);
    void (*release)(void *context, void *kept);
    struct sonde_str (*index)(const struct sonde_kube_object *object);
    void (*reconcile)(struct controller *controller, const char *key);
} kinds[KIND_COUNT] = {
    [KIND_LOAD_TEST] = {&load_test_resource, RUNS_MAX, object_keep, object_release, owned_key,
                        load_reconcile},
    [KIND_PROFILE_RUN] = {&profile_run_resource, RUNS_MAX, object_keep, object_release, owned_key,
                          run_reconcile},
    [KIND_LOAD_TEST_SCHEDULE] = {&load_test_schedule_resource, SCHEDULES_MAX, schedule_object_keep,
                                 schedule_object_release, NULL, load_test_schedule_reconcile},
    [KIND_PROFILE_SCHEDULE] = {&profile_schedule_resource, SCHEDULES_MAX, schedule_object_keep,
                               schedule_object_release, NULL, profile_schedule_reconcile},
};

const struct sonde_kube_resource *kind_resource(enum kind kind)
{
    return kinds[kind].resource;
}

const struct sonde_kube_cache *controller_cache(const struct controller *controller, enum kind kind)
{
    return sonde_kube_informer_cache(controller->watched[kind].informer);
}

bool controller_synced(const struct controller *controller)
{
    bool all = sonde_kube_informer_synced(controller->pods) &&
               sonde_kube_informer_synced(controller->runner_pods);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        all = all && sonde_kube_informer_synced(controller->watched[i].informer);
    }
    return all;
}

/* ---- the queue ---- */

/* "ProfileRun:namespace/name" */
static struct sonde_str queue_key(enum kind kind, const char *key,
                                  char ret[SONDE_KUBE_QUEUE_KEY_MAX + 1])
{
    (void)snprintf(ret, SONDE_KUBE_QUEUE_KEY_MAX + 1, "%s:%s", kinds[kind].resource->kind, key);
    return sonde_str(ret);
}

static void schedule(struct controller *controller)
{
    int64_t now = sonde_clock_monotonic();
    int64_t next = sonde_kube_queue_next(controller->queue, now);
    if (next == INT64_MAX || !controller->leads) {
        sonde_timer_stop(controller->pump_timer);
    } else {
        sonde_timer_start(controller->pump_timer, next > now ? next - now : 0, 0);
    }
}

static void queued(struct controller *controller, const char *key, int code,
                   const struct sonde_err *err)
{
    if (code < 0) {
        SONDE_LOG(&controller->log, SONDE_LOG_ERROR, "a key could not be queued",
                  SONDE_FIELD_STR("key", sonde_str(key)),
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
    }
    schedule(controller);
}

void controller_wake(struct controller *controller, enum kind kind, const char *key,
                     int64_t delay_ns)
{
    struct sonde_err err;
    char buffer[SONDE_KUBE_QUEUE_KEY_MAX + 1];
    struct sonde_str whole = queue_key(kind, key, buffer);
    int64_t now = sonde_clock_monotonic();
    int r = delay_ns > 0 ? sonde_kube_queue_add_after(controller->queue, whole, delay_ns, now, &err)
                         : sonde_kube_queue_add(controller->queue, whole, now, &err);
    queued(controller, key, r, &err);
}

void controller_retry(struct controller *controller, enum kind kind, const char *key)
{
    struct sonde_err err;
    char buffer[SONDE_KUBE_QUEUE_KEY_MAX + 1];
    int r = sonde_kube_queue_retry(controller->queue, queue_key(kind, key, buffer),
                                   sonde_clock_monotonic(), &err);
    controller->metrics.reconcile_errors++;
    queued(controller, key, r, &err);
}

void controller_succeeded(struct controller *controller, enum kind kind, const char *key)
{
    char buffer[SONDE_KUBE_QUEUE_KEY_MAX + 1];
    sonde_kube_queue_forget(controller->queue, queue_key(kind, key, buffer));
}

static bool may_work(const struct controller *controller)
{
    return controller->leads && controller_synced(controller) &&
           (!controller->elector || sonde_kube_elector_leads(controller->elector));
}

static void work_on(struct controller *controller, struct sonde_str key, int64_t waited)
{
    struct controller_metrics *metrics = &controller->metrics;
    char copy[SONDE_KUBE_QUEUE_KEY_MAX + 1];
    int64_t begin = sonde_clock_monotonic();
    (void)snprintf(copy, sizeof(copy), "%.*s", SONDE_STR_ARG(key));
    struct sonde_str rest = sonde_str(copy);
    struct sonde_str word = sonde_str_split(&rest, ':');
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (sonde_str_equal(word, sonde_str(kinds[i].resource->kind))) {
            kinds[i].reconcile(controller, rest.data);
        }
    }
    int64_t end = sonde_clock_monotonic();
    sonde_kube_queue_done(controller->queue, sonde_str(copy), end);
    metrics->reconciles++;
    metrics_took(&metrics->reconcile, end - begin);
    metrics_took(&metrics->queue_wait, waited);
    if ((uint64_t)waited > metrics->queue_wait_max_ns) {
        metrics->queue_wait_max_ns = (uint64_t)waited;
    }
}

static void pump(void *context)
{
    struct controller *controller = context;
    enum { AT_A_TIME = 64 };
    if (!may_work(controller)) {
        sonde_timer_start(controller->pump_timer, SONDE_SECOND / 10, 0);
        return;
    }
    for (int i = 0; i < AT_A_TIME; i++) {
        struct sonde_str key;
        int64_t now = sonde_clock_monotonic();
        int64_t waited = sonde_kube_queue_numbers(controller->queue, now).oldest_ns;
        if (!sonde_kube_queue_take(controller->queue, now, &key)) {
            break;
        }
        work_on(controller, key, waited);
    }
    schedule(controller);
}

/* ---- what changes ---- */

/* Whoever made it wants to know that it is there, is over, or is gone. */
static void wake_owner(struct controller *controller, const struct sonde_kube_object *object)
{
    char key[OBJECT_KEY_SIZE];
    const struct owned *owned = owned_of(object);
    for (int i = 0; owned && i < KIND_COUNT; i++) {
        if (strcmp(owned->kind, kinds[i].resource->kind) == 0) {
            (void)snprintf(key, sizeof(key), "%.*s%s", (int)(object->name - object->key),
                           object->key, owned->name);
            controller_wake(controller, (enum kind)i, key, 0);
        }
    }
}

static bool is_over(const struct sonde_kube_object *object)
{
    const struct owned *owned = owned_of(object);
    return owned && owned->completed_ns;
}

static void object_changed(void *context, const struct sonde_kube_object *before,
                           const struct sonde_kube_object *after)
{
    const struct watched *watched = context;
    controller_wake(watched->controller, watched->kind, after ? after->key : before->key, 0);
    if (kinds[watched->kind].index && (!before || !after || is_over(before) != is_over(after))) {
        wake_owner(watched->controller, after ? after : before);
    }
}

static void pod_changed(void *context, const struct sonde_kube_object *before,
                        const struct sonde_kube_object *after)
{
    struct controller *controller = context;
    const struct sonde_kube_object *pod = after ? after : before;
    for (struct object *object = controller->active; object; object = object->next) {
        if (object_is_beside(object, pod) && object->way->concerns(object, pod)) {
            object_wake(object, 0);
        }
    }
}

static void runner_pod_changed(void *context, const struct sonde_kube_object *before,
                               const struct sonde_kube_object *after)
{
    struct controller *controller = context;
    const struct sonde_kube_object *pod = after ? after : before;
    const struct load_pod *kept = pod->kept;
    const struct object *object = object_find_uid(controller, kept->test);
    if (object && object_is_beside(object, pod)) {
        object_wake(object, 0);
    }
}

static void watch_failed(void *context, const struct sonde_err *err)
{
    struct controller *controller = context;
    SONDE_LOG(&controller->log, SONDE_LOG_WARN, "a watch is begun again",
              SONDE_FIELD_STR("error", sonde_str(err->message)));
}

static void object_skipped(void *context, const struct sonde_err *err)
{
    struct controller *controller = context;
    SONDE_LOG(&controller->log, SONDE_LOG_WARN, "an object is left out",
              SONDE_FIELD_STR("error", sonde_str(err->message)));
}

static void synced(void *context)
{
    struct controller *controller = context;
    SONDE_LOG(&controller->log, SONDE_LOG_INFO, "a cache is filled",
              SONDE_FIELD_INT(
                  "pods", sonde_kube_informer_synced(controller->pods)
                              ? sonde_kube_cache_count(sonde_kube_informer_cache(controller->pods))
                              : 0));
    schedule(controller);
}

static uint64_t seed(void)
{
    uint64_t value;
    sonde_random_bytes(&value, sizeof(value));
    return value;
}

static int start_watch(struct controller *controller, enum kind kind, struct sonde_err *err)
{
    struct watched *watched = &controller->watched[kind];
    const struct kind_work *work = &kinds[kind];
    *watched = (struct watched){.controller = controller, .kind = kind};
    struct sonde_kube_informer_options objects = {
        .resource = work->resource,
        .namespace = controller->settings->namespace,
        .cache = {.context = watched,
                  .keep = work->keep,
                  .release = work->release,
                  .changed = object_changed,
                  .indexes = {work->index},
                  .maximum = work->maximum},
        .context = controller,
        .synced = synced,
        .failed = watch_failed,
        .skipped = object_skipped,
        .seed = seed(),
    };
    return sonde_kube_informer_new(controller->loop, controller->kube, &objects, &watched->informer,
                                   err);
}

/* Pods of load tests are told apart by their label; how they ended must be seen, too. */
static int start_runner_pods(struct controller *controller, struct sonde_err *err)
{
    struct sonde_kube_informer_options runners = {
        .resource = &pod_resource,
        .namespace = controller->settings->namespace,
        .label_selector = LOAD_JOB_LABEL,
        .cache = {.context = controller,
                  .keep = load_pod_keep,
                  .release = load_pod_release,
                  .changed = runner_pod_changed,
                  .indexes = {load_pod_key},
                  .maximum = LOAD_PODS_MAX},
        .context = controller,
        .synced = synced,
        .failed = watch_failed,
        .skipped = object_skipped,
        .seed = seed(),
    };
    return sonde_kube_informer_new(controller->loop, controller->kube, &runners,
                                   &controller->runner_pods, err);
}

static int start_informers(struct controller *controller, struct sonde_err *err)
{
    struct sonde_kube_informer_options pods = {
        .resource = &pod_resource,
        .namespace = controller->settings->namespace,
        .field_selector = "status.phase!=Succeeded,status.phase!=Failed",
        .cache = {.context = controller,
                  .keep = pod_keep,
                  .release = pod_release,
                  .changed = pod_changed,
                  .maximum = PODS_MAX},
        .context = controller,
        .synced = synced,
        .failed = watch_failed,
        .skipped = object_skipped,
        .seed = seed(),
    };
    int r =
        sonde_kube_informer_new(controller->loop, controller->kube, &pods, &controller->pods, err);
    r = r < 0 ? r : start_runner_pods(controller, err);
    for (int i = 0; i < KIND_COUNT && r == 0; i++) {
        r = start_watch(controller, (enum kind)i, err);
    }
    return r;
}

/* ---- the lead ---- */

static void lead(void *context, int64_t transitions)
{
    struct program *program = context;
    struct controller *controller = &program->controller;
    controller->leads = true;
    SONDE_LOG(&controller->log, SONDE_LOG_INFO, "leading",
              SONDE_FIELD_INT("transitions", transitions));
    certificates_lead(controller->certificates);
    store_follow(controller->store);
    schedule(controller);
}

/* What a former leader has under way must not go on: the program ends, and begins anew. */
static void lead_ended(void *context, bool released)
{
    struct program *program = context;
    program->controller.leads = false;
    program->lost = !released;
    if (!released) {
        SONDE_LOG(&program->controller.log, SONDE_LOG_ERROR, "the lead was lost",
                  SONDE_FIELD_STR("identity", sonde_str(program->identity)));
    }
    sonde_loop_stop(program->controller.loop);
}

static int start_election(struct program *program, struct sonde_err *err)
{
    struct controller *controller = &program->controller;
    char uuid[SONDE_UUID_SIZE];
    char host[128] = "";
    const char *pod = getenv("POD_NAME");
    if (program->settings.no_election) {
        lead(program, 0);
        return 0;
    }
    (void)gethostname(host, sizeof(host) - 1);
    sonde_random_uuid(uuid);
    (void)snprintf(program->identity, sizeof(program->identity), "%.120s_%s",
                   pod && pod[0] ? pod : host, uuid);
    struct sonde_kube_elector_options elector = {
        .lease = {.namespace = program->settings.system_namespace,
                  .name = CONTROLLER_NAME,
                  .identity = program->identity,
                  .seed = seed()},
        .context = program,
        .started = lead,
        .stopped = lead_ended,
    };
    return sonde_kube_elector_new(controller->loop, controller->kube, &elector,
                                  &controller->elector, err);
}

static void give_up(void *context)
{
    sonde_loop_stop(((struct program *)context)->controller.loop);
}

static void on_signal(void *context, int number, bool by_kernel)
{
    struct program *program = context;
    struct controller *controller = &program->controller;
    (void)by_kernel;
    SONDE_LOG(&controller->log, SONDE_LOG_INFO, "stopping", SONDE_FIELD_INT("signal", number));
    if (controller->stopping || !controller->elector) {
        give_up(program);
        return;
    }
    controller->stopping = true;
    sonde_timer_start(program->stop_timer, STOP_NS, 0);
    sonde_kube_elector_release(controller->elector);
}

/* ---- the beginning ---- */

static void observed(void *context, const char *verb, int status, int64_t duration_ns)
{
    struct controller *controller = context;
    (void)duration_ns;
    metrics_api_call(&controller->metrics, verb, status);
}

static int join_cluster(struct controller *controller, struct sonde_err *err)
{
    struct sonde_kube_config config;
    struct sonde_kube_options kube = {.requests_per_second = requests_per_second,
                                      .burst = request_burst,
                                      .context = controller,
                                      .observed = observed};
    int r = sonde_kube_config_load(controller->settings->kubeconfig, controller->settings->context,
                                   &config, err);
    if (r < 0) {
        return r;
    }
    r = sonde_kube_new(controller->loop, &config, &kube, &controller->kube, err);
    if (r < 0) {
        sonde_kube_config_fini(&config);
    }
    return r;
}

static int check(const struct controller_settings *settings, struct sonde_err *err)
{
    if (!settings->sidecar_image || !settings->store) {
        return sonde_fail(err, SONDE_EINVALID, 0, "give --sidecar-image and --store (see --help)");
    }
    if (strncmp(settings->store, "https://", 8) != 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--store %.100s: profiles are sent over TLS only: give https://…",
                          settings->store);
    }
    return 0;
}

static int start(struct program *program, struct sonde_err *err)
{
    struct controller *controller = &program->controller;
    struct sonde_kube_queue_options queue = sonde_kube_queue_defaults(seed());
    queue.first_retry_ns = RETRY_FIRST_NS;
    queue.maximum_retry_ns = RETRY_MAX_NS;
    const char *pod = getenv("POD_NAME");
    controller->settings = &program->settings;
    controller->log = (struct sonde_log){STDERR_FILENO, SONDE_LOG_INFO, CONTROLLER_NAME};
    int r = check(&program->settings, err);
    r = r < 0 ? r : sonde_loop_new(&controller->loop, err);
    r = r < 0
            ? r
            : sonde_signal_new(controller->loop, SIGTERM, on_signal, program, &program->term, err);
    r = r < 0 ? r
              : sonde_signal_new(controller->loop, SIGINT, on_signal, program, &program->interrupt,
                                 err);
    r = r < 0 ? r : sonde_timer_new(controller->loop, give_up, program, &program->stop_timer, err);
    r = r < 0 ? r
              : sonde_timer_new(controller->loop, pump, controller, &controller->pump_timer, err);
    r = r < 0 ? r : sonde_kube_queue_new(&queue, sonde_clock_monotonic(), &controller->queue, err);
    r = r < 0 ? r : join_cluster(controller, err);
    r = r < 0 ? r
              : sonde_kube_recorder_new(controller->loop, controller->kube, "sonde.dev/controller",
                                        pod && pod[0] ? pod : CONTROLLER_NAME, EVENTS_MAX,
                                        &controller->recorder, err);
    r = r < 0 || !program->settings.webhook ? r
                                            : webhook_new(controller, &controller->webhook, err);
    r = r < 0 ? r : certificates_new(controller, &controller->certificates, err);
    r = r < 0 ? r : store_client_new(controller, &controller->store, err);
    r = r < 0 ? r : start_informers(controller, err);
    r = r < 0 ? r : clock_watch_new(controller, &controller->clock, err);
    r = r < 0 ? r : metrics_new(controller, &controller->server, err);
    return r < 0 ? r : start_election(program, err);
}

static void finish(struct program *program)
{
    struct controller *controller = &program->controller;
    metrics_free(controller->server);
    webhook_free(controller->webhook);
    sonde_kube_elector_free(controller->elector);
    sonde_kube_recorder_free(controller->recorder);
    store_client_free(controller->store);
    sonde_kube_informer_free(controller->pods);
    sonde_kube_informer_free(controller->runner_pods);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        sonde_kube_informer_free(controller->watched[i].informer);
    }
    sonde_kube_free(controller->kube);
    while (controller->active) {
        controller->active->pending = 0; /* nothing calls back any more */
        object_drop(controller->active);
    }
    clock_watch_free(controller->clock);
    schedules_drop(controller);
    certificates_free(controller->certificates);
    sonde_kube_queue_free(controller->queue);
    sonde_timer_free(controller->pump_timer);
    sonde_timer_free(program->stop_timer);
    sonde_signal_free(program->term);
    sonde_signal_free(program->interrupt);
    sonde_loop_free(controller->loop);
}

static void print_help(void)
{
    SONDE_BUF_AUTO text = SONDE_BUF(8192);
    sonde_options_help(options, &text);
    (void)printf("usage: sonde-controller --sidecar-image NAME --store URL …\n\n"
                 "watches ProfileRuns and carries them out\n\noptions:\n%s",
                 text.data ? text.data : "");
}

int main(int argc, char **argv)
{
    struct program program = {
        .settings = {.system_namespace = "sonde-system",
                     .store_token_file = "/var/run/secrets/sonde/token",
                     .listen = "0.0.0.0:8080"},
    };
    struct sonde_err err;
    struct sonde_arguments arguments = {0};
    const struct sonde_option *const tables[] = {options};
    (void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
    (void)mallopt(M_ARENA_MAX, 2);
    (void)signal(SIGPIPE, SIG_IGN);
    int r = sonde_options_parse(tables, 1, argc - 1, argv + 1, &program.settings, &arguments, &err);
    if (r == 0 && arguments.count > 0) {
        r = sonde_fail(&err, SONDE_EINVALID, 0, "%.100s: only options are taken (see --help)",
                       arguments.positional[0]);
    }
    free(arguments.positional);
    if (r < 0) {
        return say(&err);
    }
    if (program.settings.help || program.settings.version) {
        if (program.settings.help) {
            print_help();
        } else {
            (void)printf("sonde-controller %s\n", SONDE_VERSION);
        }
        return 0;
    }
    r = start(&program, &err);
    if (r == 0) {
        sonde_loop_run(program.controller.loop);
    }
    finish(&program);
    return r < 0 ? say(&err) : program.lost;
}
