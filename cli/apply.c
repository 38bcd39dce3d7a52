/* SPDX-License-Identifier: Apache-2.0 */
/* `run` and `profile` in a cluster: documents are applied, and followed until they have ended. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "cli/cluster.h"
#include "cli/document.h"
#include "codec/json.h"
#include "spec/reason.h"
#include "spec/spec.h"

enum { CONDITIONS = 5, WORD_SIZE = 64, TOP_SIZE = 300 };

static const char *const condition_names[CONDITIONS] = {"Accepted", "Attached", "ArtifactsStored",
                                                        "Analyzed", "Succeeded"};

/* One run that is followed. */
struct following {
    struct cluster *cluster;
    const char *name, *uid;
    char seen[CONDITIONS][WORD_SIZE]; /* "True Completed": what was said last */
    bool ended, succeeded, gone, interrupted;
    char reason[WORD_SIZE];
    char message[SONDE_ERR_MESSAGE_MAX];
};

/* ---- what is seen ---- */

/* Only what is looked at stays of the object. */
static int keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    struct following *f = context;
    (void)err;
    *ret = NULL;
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(object, "status");
    const cJSON *condition;
    if (strcmp(sonde_json_string_or(metadata, "uid", ""), f->uid) != 0) {
        return 1;
    }
    cJSON_ArrayForEach(condition, cJSON_GetObjectItemCaseSensitive(status, "conditions"))
    {
        const char *type = sonde_json_string_or(condition, "type", "");
        const char *truth = sonde_json_string_or(condition, "status", "");
        const char *reason = sonde_json_string_or(condition, "reason", "");
        const char *message = sonde_json_string_or(condition, "message", "");
        for (size_t i = 0; i < CONDITIONS; i++) {
            char word[WORD_SIZE];
            (void)snprintf(word, sizeof(word), "%s %s", truth, reason);
            if (strcmp(type, condition_names[i]) != 0 || strcmp(word, f->seen[i]) == 0) {
                continue;
            }
            (void)snprintf(f->seen[i], WORD_SIZE, "%s", word);
            if (strcmp(truth, "Unknown") != 0 && i < CONDITIONS - 1) {
                (void)fprintf(stderr, "%s: %s %s%s%s%s\n", f->name, type, word,
                              message[0] ? " (" : "", message, message[0] ? ")" : "");
            }
        }
        if (strcmp(type, "Succeeded") == 0 && strcmp(truth, "Unknown") != 0) {
            f->ended = true;
            f->succeeded = strcmp(truth, "True") == 0;
            (void)snprintf(f->reason, sizeof(f->reason), "%s", reason);
            (void)snprintf(f->message, sizeof(f->message), "%s", message);
        }
    }
    return 0;
}

static void changed(void *context, const struct sonde_kube_object *before,
                    const struct sonde_kube_object *after)
{
    struct following *f = context;
    f->gone = before && !after;
    if (f->ended || f->gone) {
        sonde_loop_stop(f->cluster->loop);
    }
}

static void on_signal(void *context, int number, bool by_kernel)
{
    struct following *f = context;
    (void)number;
    (void)by_kernel;
    f->interrupted = true;
    sonde_loop_stop(f->cluster->loop);
}

static int follow(struct following *f, const char *namespace, struct sonde_err *err)
{
    char selector[SONDE_KUBE_NAME_MAX + 32];
    struct sonde_kube_informer *informer = NULL;
    struct sonde_signal *term = NULL;
    struct sonde_signal *interrupt = NULL;
    struct sonde_loop *loop = f->cluster->loop;
    (void)snprintf(selector, sizeof(selector), "metadata.name=%s", f->name);
    struct sonde_kube_informer_options options = {
        .resource = &cluster_profile_runs,
        .namespace = namespace,
        .field_selector = selector,
        .cache = {.context = f, .keep = keep, .changed = changed, .maximum = 16},
    };
    sonde_random_bytes(&options.seed, sizeof(options.seed));
    int r = sonde_signal_new(loop, SIGTERM, on_signal, f, &term, err);
    r = r < 0 ? r : sonde_signal_new(loop, SIGINT, on_signal, f, &interrupt, err);
    r = r < 0 ? r : sonde_kube_informer_new(loop, f->cluster->kube, &options, &informer, err);
    while (r == 0 && !f->ended && !f->gone && !f->interrupted) {
        sonde_loop_run(loop);
    }
    sonde_kube_informer_free(informer);
    sonde_signal_free(term);
    sonde_signal_free(interrupt);
    return r;
}

/* ---- the report ---- */

static int say_end(struct following *f, const char *namespace)
{
    struct sonde_err err = {.code = SONDE_EIO};
    if (f->interrupted) {
        (void)fprintf(stderr,
                      "sonde: %s goes on in the cluster. To end it: kubectl -n %s patch profilerun "
                      "%s --type merge -p '{\"spec\":{\"cancel\":true}}'\n",
                      f->name, namespace, f->name);
        return SONDE_EXIT_FAILED;
    }
    if (f->gone) {
        (void)sonde_fail(&err, SONDE_EGONE, 0, "%s was deleted", f->name);
        return cli_say_error(&err);
    }
    if (!f->succeeded) {
        const struct sonde_reason *reason = sonde_reason_find(f->reason);
        (void)sonde_fail(&err, SONDE_EIO, 0, "%s: %s%.400s", f->name, reason ? "" : f->reason,
                         f->message);
        err.reason = reason ? reason->word : NULL;
        (void)cli_say_error(&err);
        return SONDE_EXIT_FAILED;
    }
    return SONDE_EXIT_DONE;
}

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

static int create(struct cluster *cluster, const char *namespace,
                  const struct sonde_spec_document *document, char uid[64], struct sonde_err *err)
{
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_KUBE_OBJECT_MAX);
    SONDE_JSON_AUTO *object = NULL;
    struct sonde_spec_document placed = *document;
    const struct sonde_kube_target target = {&cluster_profile_runs, namespace, NULL, NULL, NULL};
    placed.metadata.namespace = namespace;
    sonde_spec_print_json(&placed, &body);
    int r = sonde_buf_check(&body, "the document", err);
    r = r < 0 ? r : cluster_ask(cluster, "POST", &target, sonde_buf_view(&body), &answer, err);
    if (r == SONDE_EEXISTS) {
        return sonde_fail(
            err, r, 0,
            "there is a ProfileRun %s in %s already: choose another name, or delete it "
            "(kubectl sonde delete %s)",
            document->metadata.name, namespace, document->metadata.name);
    }
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&answer), &object, err);
    if (r == 0) {
        const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
        (void)snprintf(uid, 64, "%s", sonde_json_string_or(metadata, "uid", ""));
        (void)fprintf(stderr, "profilerun/%s created in %s\n", document->metadata.name, namespace);
    }
    return r;
}

static int carry_out(struct cluster *cluster, const struct cli_settings *settings,
                     const struct sonde_spec_document *document, struct sonde_buf *out)
{
    struct sonde_err err;
    char uid[64];
    const char *namespace = namespace_of(cluster, settings, document);
    if (create(cluster, namespace, document, uid, &err) < 0) {
        return cli_say_error(&err);
    }
    if (settings->no_wait) {
        return SONDE_EXIT_DONE;
    }
    struct following following = {.cluster = cluster, .name = document->metadata.name, .uid = uid};
    if (follow(&following, namespace, &err) < 0) {
        return cli_say_error(&err);
    }
    int code = say_end(&following, namespace);
    bool json = settings->output == CLI_OUTPUT_JSON;
    if (following.ended && put_report(cluster, uid, namespace, json, out, &err) < 0) {
        /* A run that failed before anything was touched has none. */
        bool none = !following.succeeded && err.code == SONDE_ENOTFOUND;
        return none ? code : cli_say_error(&err);
    }
    return code;
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

static int check_kinds(const struct sonde_spec_documents *documents, struct sonde_err *err)
{
    for (size_t i = 0; i < documents->count; i++) {
        if (documents->items[i].kind != &sonde_kind_profile_run) {
            return sonde_fail_reason(
                err, SONDE_EINVALID, SONDE_REASON_UNSUPPORTED,
                "line %d: kind: this version runs ProfileRun in a cluster, not "
                "%s: use kubectl apply",
                documents->items[i].line, documents->items[i].kind->name);
        }
    }
    return 0;
}

static int carry_out_all(const struct cli_settings *settings,
                         const struct sonde_spec_documents *documents)
{
    struct sonde_err err;
    struct cluster cluster = {0};
    struct cli_settings to_stdout = {0};
    SONDE_BUF_AUTO out = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int code = SONDE_EXIT_DONE;
    if (check_kinds(documents, &err) < 0) {
        return cli_say_error(&err);
    }
    if (settings->dry_run) {
        return print_documents(documents);
    }
    int r = cluster_open(settings, &cluster, &err);
    if (r == 0 && !cluster.namespace[0]) {
        r = sonde_fail(&err, SONDE_EINVALID, 0, "a run is made in one namespace: leave out -A");
    }
    bool json = settings->output == CLI_OUTPUT_JSON;
    sonde_buf_text(&out, json ? "{\"runs\":[" : "");
    for (size_t i = 0; r == 0 && i < documents->count; i++) {
        SONDE_BUF_AUTO report = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
        int one = carry_out(&cluster, settings, &documents->items[i], &report);
        code = one ? one : code;
        sonde_buf_text(&out, json && report.length && out.data[out.length - 1] != '[' ? "," : "");
        sonde_buf_str(&out, sonde_buf_view(&report));
    }
    sonde_buf_text(&out, json ? "]}\n" : "");
    cluster_close(&cluster);
    if (r < 0) {
        return cli_say_error(&err);
    }
    int written = out.length && !settings->no_wait ? cli_write_output(&to_stdout, &out) : 0;
    return written ? written : code;
}

int cluster_run(struct cli_call *call)
{
    struct sonde_spec_documents documents = {0};
    if (call->settings.pid || call->settings.match || call->arguments.command) {
        struct sonde_err err;
        (void)sonde_fail(&err, SONDE_EINVALID, 0,
                         "--pid, --match and -- COMMAND name processes of this machine: in a "
                         "cluster spec.target does");
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
