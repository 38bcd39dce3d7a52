/* SPDX-License-Identifier: Apache-2.0 */
/* `run` and `profile` in a cluster: documents are applied, and followed until they have ended. */
#include "cli/apply.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "cli/cluster_check.h"
#include "cli/document.h"
#include "cli/follow.h"
#include "codec/json.h"
#include "schedule/plan.h"
#include "spec/spec.h"

static int put_report(struct cluster *cluster, const char *uid, const char *namespace, bool json,
                      struct sonde_buf *text, struct sonde_err *err)
{
    char path[128];
    const char *const query[] = {"namespace", namespace, "format", json ? "json" : "text", NULL};
    (void)snprintf(path, sizeof(path), "runs/%s/report", uid);
    return cluster_ask_store(cluster, "GET", path, query, text, err);
}

/* ---- one document ---- */

static const char *namespace_of(const struct cluster *cluster, const struct cli_settings *settings,
                                const struct sonde_spec_document *document)
{
    bool named = strcmp(document->metadata.namespace, "default") != 0;
    return settings->namespace || !named ? cluster->namespace : document->metadata.namespace;
}

/* Behind "metadata":{ of a printed document. Without blockOwnerDeletion, which would ask for one
 * more right, as kubectl leaves it out of a Job that it makes of a CronJob. */
static void put_owner(const struct apply_order *order, const struct sonde_buf *text,
                      struct sonde_buf *ret)
{
    static const char member[] = "\"metadata\":{";
    const char *found = text->code || !order->owner ? NULL : strstr(text->data, member);
    size_t before = found ? (size_t)(found - text->data) + sizeof(member) - 1 : 0;
    sonde_buf_append(ret, text->data, before);
    if (found) {
        sonde_buf_printf(ret,
                         "\"ownerReferences\":[{\"apiVersion\":\"" SONDE_SPEC_API_VERSION
                         "\",\"kind\":\"%s\",\"name\":\"%s\",\"uid\":\"%s\","
                         "\"controller\":true}],",
                         order->owner->name, order->owner_name, order->owner_uid);
    }
    sonde_buf_append(ret, text->data ? text->data + before : NULL, text->length - before);
}

static int print_object(const struct apply_order *order, struct sonde_buf *ret,
                        struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    struct sonde_spec_document placed = *order->document;
    placed.metadata.namespace = order->namespace;
    sonde_spec_print_json(&placed, &text);
    int r = sonde_buf_check(&text, "the document", err);
    if (r < 0) {
        return r;
    }
    put_owner(order, &text, ret);
    return sonde_buf_check(ret, "the document", err);
}

/* The uid of the object in an answer. */
static int read_uid(const struct sonde_buf *answer, char uid[FOLLOW_UID_SIZE],
                    struct sonde_err *err)
{
    SONDE_JSON_AUTO *object = NULL;
    int r = sonde_json_parse(sonde_buf_view(answer), &object, err);
    if (r == 0) {
        const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
        (void)snprintf(uid, FOLLOW_UID_SIZE, "%s", sonde_json_string_or(metadata, "uid", ""));
    }
    return r;
}

static int create(struct cluster *cluster, const struct apply_order *order,
                  char uid[FOLLOW_UID_SIZE], struct sonde_err *err)
{
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_KUBE_OBJECT_MAX);
    const struct sonde_kind *kind = order->document->kind;
    const char *name = order->document->metadata.name;
    const struct sonde_kube_resource resource = cluster_resource(kind);
    const struct sonde_kube_target target = {&resource, order->namespace, NULL, NULL, NULL};
    int r = print_object(order, &body, err);
    r = r < 0 ? r : cluster_ask(cluster, "POST", &target, sonde_buf_view(&body), &answer, err);
    if (r == SONDE_EEXISTS) {
        return sonde_fail(err, r, 0,
                          "there is a %s %s in %s already: choose another name, make a new one of "
                          "it (kubectl sonde rerun %s), or delete it (kubectl sonde delete %s)",
                          kind->name, name, order->namespace, name, name);
    }
    r = r < 0 ? r : read_uid(&answer, uid, err);
    if (r == 0) {
        (void)fprintf(stderr, "%s/%s created in %s\n", kind->singular, name, order->namespace);
    }
    return r;
}

/* ---- a schedule ---- */

static bool is_schedule(const struct sonde_kind *kind)
{
    return kind == &sonde_kind_profile_schedule || kind == &sonde_kind_load_test_schedule;
}

/* When it fires next, jitter and all, by the zones of this machine, which may have none. */
static void say_next(const struct sonde_schedule *schedule, const char *uid)
{
    struct sonde_err err;
    struct sonde_cron cron;
    struct sonde_zone zone = {0};
    char next[SONDE_TIME_SIZE];
    if (schedule->suspend) {
        (void)fputs("; suspended: it does not fire\n", stderr);
        return;
    }
    int r = sonde_cron_parse(sonde_str(schedule->schedule), &cron, &err);
    r = r < 0 ? r : sonde_zone_read(schedule->time_zone, &zone, &err);
    if (r < 0) {
        (void)fprintf(stderr, "; when it fires next is in its status (%s)\n", err.message);
    } else {
        int64_t now_s = sonde_clock_realtime() / SONDE_SECOND;
        int64_t firing_s = sonde_firing_after(&cron, &zone, now_s);
        if (firing_s == INT64_MAX) {
            (void)fputs("; it never fires\n", stderr);
        } else {
            const struct sonde_schedule_state state = {.cron = &cron,
                                                       .zone = &zone,
                                                       .uid = sonde_str(uid),
                                                       .jitter_s = schedule->jitter_seconds};
            sonde_time_format(sonde_schedule_due(&state, firing_s) * SONDE_SECOND, next);
            (void)fprintf(stderr, "; it fires next at %.19sZ\n", next);
        }
    }
    sonde_zone_fini(&zone);
}

static int apply_schedule(struct cluster *cluster, const struct apply_order *order,
                          struct sonde_err *err)
{
    char uid[FOLLOW_UID_SIZE];
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_KUBE_OBJECT_MAX);
    const struct sonde_spec_document *document = order->document;
    const struct sonde_kube_resource resource = cluster_resource(document->kind);
    const struct sonde_kube_target target = {&resource, order->namespace, document->metadata.name,
                                             NULL, NULL};
    int r = print_object(order, &body, err);
    r = r < 0 ? r : cluster_apply(cluster, &target, sonde_buf_view(&body), &answer, err);
    r = r < 0 ? r : read_uid(&answer, uid, err);
    if (r == 0) {
        (void)fprintf(stderr, "%s/%s applied in %s", document->kind->singular,
                      document->metadata.name, order->namespace);
        say_next(document->spec, uid); /* the common fields stand first in both */
    }
    return r;
}

/* ---- all of one document ---- */

/* Until it has ended. Whether it was left before is in *ret_left. */
static int wait_for_end(struct applying *applying, const struct apply_order *order, const char *uid,
                        struct sonde_buf *out, bool *ret_left)
{
    struct sonde_err err;
    struct cluster *cluster = &applying->cluster;
    struct following following = {.cluster = cluster,
                                  .kind = order->document->kind,
                                  .namespace = order->namespace,
                                  .name = order->document->metadata.name,
                                  .uid = uid,
                                  .timeout_ns = applying->settings->timeout_ns};
    if (follow(&following, &err) < 0) {
        return cli_say_error(&err);
    }
    *ret_left = follow_was_left(&following);
    int code = follow_say_end(&following);
    code = code ? code : cluster_check_run(cluster, &applying->check, order->namespace, uid);
    bool json = applying->settings->output == CLI_OUTPUT_JSON;
    if (following.ended && put_report(cluster, uid, order->namespace, json, out, &err) < 0) {
        /* A run that failed before anything was touched has none. */
        bool none = !following.succeeded && err.code == SONDE_ENOTFOUND;
        return none ? code : cli_say_error(&err);
    }
    return code;
}

static int carry_out(struct applying *applying, const struct apply_order *order,
                     struct sonde_buf *out, bool *ret_left)
{
    struct sonde_err err;
    char uid[FOLLOW_UID_SIZE];
    bool schedule = is_schedule(order->document->kind);
    int r = schedule ? apply_schedule(&applying->cluster, order, &err)
                     : create(&applying->cluster, order, uid, &err);
    if (r < 0 || schedule || applying->settings->no_wait) {
        return r < 0 ? cli_say_error(&err) : SONDE_EXIT_DONE;
    }
    return wait_for_end(applying, order, uid, out, ret_left);
}

/* The reports of several: for a program, in one object. */
struct reports {
    struct sonde_buf text;
    bool json, any;
    bool always; /* also when there are none */
    bool left;   /* the last one goes on: nobody waits for it any more */
};

static struct reports reports_of(const struct cli_settings *settings)
{
    bool json = settings->output == CLI_OUTPUT_JSON;
    return (struct reports){.text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX),
                            .json = json,
                            .always = json && !settings->no_wait};
}

static int add_report(struct reports *reports, struct applying *applying,
                      const struct apply_order *order)
{
    SONDE_BUF_AUTO report = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int code = carry_out(applying, order, &report, &reports->left);
    sonde_buf_text(&reports->text, reports->json && reports->any && report.length ? "," : "");
    sonde_buf_str(&reports->text, sonde_buf_view(&report));
    reports->any = reports->any || report.length;
    return code;
}

static int write_reports(struct reports *reports)
{
    struct cli_settings to_stdout = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    if (!reports->any && !reports->always) {
        return SONDE_EXIT_DONE;
    }
    sonde_buf_text(&text, reports->json ? "{\"runs\":[" : "");
    sonde_buf_str(&text, sonde_buf_view(&reports->text));
    sonde_buf_text(&text, reports->json ? "]}\n" : "");
    return cli_write_output(&to_stdout, &text);
}

int apply_one(struct applying *applying, const struct apply_order *order)
{
    struct reports reports = reports_of(applying->settings);
    int code = add_report(&reports, applying, order);
    int written = write_reports(&reports);
    sonde_buf_fini(&reports.text);
    return written ? written : code;
}

void apply_name(const char *base, size_t maximum, char ret[SONDE_KUBE_NAME_MAX + 1])
{
    /* As Kubernetes: none that are taken for another, and no vowels, which make words. */
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    enum { LETTERS = 5 };
    unsigned char random[LETTERS];
    size_t length = strlen(base);
    size_t room = maximum - LETTERS - 1;
    length = length < room ? length : room;
    while (length > 0 && (base[length - 1] == '-' || base[length - 1] == '.')) {
        length--;
    }
    memcpy(ret, base, length);
    ret[length++] = '-';
    sonde_random_bytes(random, sizeof(random));
    for (size_t i = 0; i < LETTERS; i++) {
        ret[length++] = letters[random[i] % (sizeof(letters) - 1)];
    }
    ret[length] = '\0';
}

int apply_check_name(const struct sonde_kind *kind, const char *name, struct sonde_err *err)
{
    return sonde_kube_is_name(sonde_str(name)) && strlen(name) <= kind->name_max
               ? 0
               : sonde_fail(err, SONDE_EINVALID, 0,
                            "--name %.100s: must be at most %zu of a-z, 0-9, - and .", name,
                            kind->name_max);
}

/* ---- a series ---- */

/* What is made again and again gets a name of its own each time; the label says what it is one of,
 * so that the store finds those before it. */
static int put_in_series(struct sonde_arena *arena, struct sonde_spec_document *document,
                         const char *series, struct sonde_err *err)
{
    char name[SONDE_KUBE_NAME_MAX + 1];
    struct sonde_metadata *metadata = &document->metadata;
    size_t count = metadata->labels.count;
    struct sonde_pair *labels = sonde_arena_alloc(arena, (count + 1) * sizeof(*labels));
    apply_name(series, document->kind->name_max, name);
    metadata->name = sonde_arena_copy(arena, sonde_str(name)).data;
    if (!labels || !metadata->name) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a document");
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(metadata->labels.items[i].key, SONDE_SPEC_SERIES_LABEL) != 0) {
            labels[kept++] = metadata->labels.items[i];
        }
    }
    labels[kept++] = (struct sonde_pair){SONDE_SPEC_SERIES_LABEL, series};
    metadata->labels.items = labels;
    metadata->labels.count = kept;
    return 0;
}

/* By --name, or generateName. A schedule is one thing, with one name: that of its document. */
static int name_runs(struct sonde_spec_documents *documents, const char *name,
                     struct sonde_err *err)
{
    int r = name ? document_check_single(documents, err) : 0;
    for (size_t i = 0; r == 0 && i < documents->count; i++) {
        struct sonde_spec_document *document = &documents->items[i];
        r = name ? apply_check_name(document->kind, name, err) : 0;
        if (r == 0 && name && is_schedule(document->kind)) {
            r = sonde_fail(err, SONDE_EINVALID, 0,
                           "--name calls a run: %s %s has the name of its document",
                           document->kind->name, document->metadata.name);
        }
        if (r == 0 && !is_schedule(document->kind) && (name || document->metadata.generated)) {
            r = put_in_series(&documents->arena, document, name ? name : document->metadata.name,
                              err);
        }
    }
    return r;
}

static int print_documents(const struct sonde_spec_documents *documents)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    struct cli_settings to_stdout = {0};
    for (size_t i = 0; i < documents->count; i++) {
        sonde_spec_print_json(&documents->items[i], &text);
        sonde_buf_char(&text, '\n');
    }
    return cli_write_output(&to_stdout, &text);
}

int apply_open(const struct cli_settings *settings, struct applying *ret, struct sonde_err *err)
{
    *ret = (struct applying){.settings = settings};
    if (settings->wait && settings->no_wait) {
        return sonde_fail(err, SONDE_EINVALID, 0, "either --wait or --no-wait");
    }
    if (settings->no_wait && (check_is_wanted(settings) || settings->timeout_ns)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--baseline, --budget and --timeout are about what comes of the run: "
                          "leave out --no-wait");
    }
    int r = cluster_check_begin(settings, &ret->check, err);
    r = r < 0 ? r : cluster_open(settings, &ret->cluster, err);
    return r == 0 && !ret->cluster.namespace[0]
               ? sonde_fail(err, SONDE_EINVALID, 0, "a run is made in one namespace: leave out -A")
               : r;
}

void apply_close(struct applying *applying)
{
    check_fini(&applying->check);
    cluster_close(&applying->cluster);
}

/* Schedules alone make no run that could be held against anything now. */
static int check_any_run(const struct cli_settings *settings,
                         const struct sonde_spec_documents *documents, struct sonde_err *err)
{
    bool any = false;
    for (size_t i = 0; i < documents->count; i++) {
        any = any || !is_schedule(documents->items[i].kind);
    }
    return any || !check_is_wanted(settings)
               ? 0
               : sonde_fail(err, SONDE_EINVALID, 0,
                            "--baseline and --budget are about a run, and a schedule makes none "
                            "now: say its baseline in spec.baseline");
}

static int carry_out_all(const struct cli_settings *settings,
                         struct sonde_spec_documents *documents)
{
    struct sonde_err err;
    struct applying applying;
    struct reports reports = reports_of(settings);
    size_t begun = 0;
    int code = SONDE_EXIT_DONE;
    if (name_runs(documents, settings->name, &err) < 0 ||
        check_any_run(settings, documents, &err) < 0) {
        return cli_say_error(&err);
    }
    if (settings->dry_run) {
        return print_documents(documents);
    }
    int r = apply_open(settings, &applying, &err);
    for (; r == 0 && begun < documents->count && !reports.left; begun++) {
        const struct sonde_spec_document *document = &documents->items[begun];
        const struct apply_order order = {
            .document = document, .namespace = namespace_of(&applying.cluster, settings, document)};
        int one = add_report(&reports, &applying, &order);
        code = one ? one : code;
    }
    apply_close(&applying);
    code = r < 0 ? cli_say_error(&err) : document_say_left(documents, begun, code);
    int written = r < 0 ? SONDE_EXIT_DONE : write_reports(&reports);
    sonde_buf_fini(&reports.text);
    return written ? written : code;
}

int apply_check(const struct cli_call *call, struct sonde_err *err)
{
    return call->settings.pid || call->settings.match || call->arguments.command
               ? sonde_fail(err, SONDE_EINVALID, 0,
                            "--pid, --match and -- COMMAND name processes of this machine: in a "
                            "cluster spec.target does")
               : 0;
}

int cluster_run(struct cli_call *call)
{
    struct sonde_spec_documents documents = {0};
    struct sonde_err err;
    if (apply_check(call, &err) < 0) {
        return cli_say_error(&err);
    }
    int code = document_read(call->arguments.positional[0], &documents);
    code = code ? code : carry_out_all(&call->settings, &documents);
    sonde_spec_documents_fini(&documents);
    return code;
}

/* ---- profile WORKLOAD ---- */

/* The kind of "deployment/patients", as kubectl abbreviates it; a name alone is a Deployment. */
static const char *workload_kind(struct sonde_str word)
{
    static const char *const kinds[][2] = {
        {"deployment", "Deployment"},
        {"deployments", "Deployment"},
        {"deploy", "Deployment"},
        {"statefulset", "StatefulSet"},
        {"statefulsets", "StatefulSet"},
        {"sts", "StatefulSet"},
        {"daemonset", "DaemonSet"},
        {"daemonsets", "DaemonSet"},
        {"ds", "DaemonSet"},
        {"replicaset", "ReplicaSet"},
        {"rs", "ReplicaSet"},
        {"job", "Job"},
        {"pod", "Pod"},
        {"pods", "Pod"},
        {"po", "Pod"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(kinds); i++) {
        if (sonde_str_is(word, kinds[i][0])) {
            return kinds[i][1];
        }
    }
    return NULL;
}

static int write_document(const struct cli_call *call, struct sonde_buf *ret, struct sonde_err *err)
{
    struct sonde_str name = sonde_str(call->arguments.positional[0]);
    struct sonde_str word = SONDE_STR("deployment");
    unsigned char random[3];
    if (memchr(name.data, '/', name.length)) {
        word = sonde_str_split(&name, '/');
    }
    const char *kind = workload_kind(word);
    if (!kind || !sonde_kube_is_name(name)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%.200s is no workload: give deployment/NAME, statefulset/NAME, "
                          "daemonset/NAME or pod/NAME",
                          call->arguments.positional[0]);
    }
    int64_t seconds = call->settings.duration_ns ? call->settings.duration_ns / SONDE_SECOND : 30;
    sonde_random_bytes(random, sizeof(random));
    sonde_buf_printf(ret,
                     "{\"apiVersion\":\"" SONDE_SPEC_API_VERSION "\",\"kind\":\"ProfileRun\","
                     "\"metadata\":{\"name\":\"%.50s-%02x%02x%02x\"},\"spec\":{\"target\":{",
                     name.data, random[0], random[1], random[2]);
    if (strcmp(kind, "Pod") == 0) {
        sonde_buf_printf(ret, "\"podName\":\"%s\"", name.data);
    } else {
        sonde_buf_printf(ret, "\"workloadRef\":{\"kind\":\"%s\",\"name\":\"%s\"}", kind, name.data);
    }
    document_print_target(&call->settings, ret);
    sonde_buf_text(ret, "},\"captures\":[");
    document_print_capture(&call->settings, seconds > 0 ? seconds : 1, ret);
    sonde_buf_text(ret, "]}}");
    return sonde_buf_check(ret, "the document", err);
}

int cluster_profile(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_spec_documents documents = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(8192);
    int r = 0;
    if (call->arguments.count != 1 || call->arguments.command) {
        r = sonde_fail(&err, SONDE_EINVALID, 0,
                       "say which workload: kubectl sonde profile deployment/NAME");
    }
    r = r < 0 ? r : write_document(call, &text, &err);
    r = r < 0 ? r : sonde_spec_parse("the document", sonde_buf_view(&text), &documents, &err);
    int code = r < 0 ? cli_say_error(&err) : carry_out_all(&call->settings, &documents);
    sonde_spec_documents_fini(&documents);
    return code;
}
