/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "spec/reason.h"

/* ---- what is seen ---- */

static void say(const struct following *f, const char *line)
{
    if (f->say) {
        f->say(f->context, line);
    } else {
        (void)fprintf(stderr, "%s\n", line);
    }
}

static void take_end(struct following *f, bool succeeded, const char *reason, const char *message)
{
    f->ended = true;
    f->succeeded = succeeded;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", reason);
    (void)snprintf(f->message, sizeof(f->message), "%s", message);
}

/* Of the conditions that the kind has; the last one is the end, which is said by who asked. */
static void take_condition(struct following *f, const cJSON *condition)
{
    const struct sonde_condition *known = f->kind->conditions;
    const char *type = sonde_json_string_or(condition, "type", "");
    const char *truth = sonde_json_string_or(condition, "status", "");
    const char *reason = sonde_json_string_or(condition, "reason", "");
    const char *message = sonde_json_string_or(condition, "message", "");
    char word[FOLLOW_WORD_SIZE];
    char line[SONDE_ERR_MESSAGE_MAX];
    bool is_known = strcmp(truth, "Unknown") != 0;
    (void)snprintf(word, sizeof(word), "%s %s", truth, reason);
    if (strcmp(type, "Succeeded") == 0) {
        if (is_known) {
            take_end(f, strcmp(truth, "True") == 0, reason, message);
        }
        return;
    }
    for (size_t i = 0; i < FOLLOW_CONDITIONS_MAX && known[i].type; i++) {
        if (strcmp(type, known[i].type) != 0 || strcmp(word, f->seen[i]) == 0) {
            continue;
        }
        (void)snprintf(f->seen[i], FOLLOW_WORD_SIZE, "%s", word);
        if (is_known) {
            (void)snprintf(line, sizeof(line), "%s: %s %s%s%s%s", f->name, type, word,
                           message[0] ? " (" : "", message, message[0] ? ")" : "");
            say(f, line);
        }
    }
}

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
    f->found = true;
    f->silent = false;
    cJSON_ArrayForEach(condition, cJSON_GetObjectItemCaseSensitive(status, "conditions"))
    {
        take_condition(f, condition);
    }
    return 0;
}

static void check_over(struct following *f)
{
    if (f->ended || f->gone || f->interrupted || f->timed_out || f->failure.code) {
        f->over = true;
        sonde_loop_stop(f->cluster->loop);
    }
}

static void changed(void *context, const struct sonde_kube_object *before,
                    const struct sonde_kube_object *after)
{
    struct following *f = context;
    f->gone = before && !after;
    check_over(f);
}

/* Once for each time that it is away. */
static void say_away(struct following *f, const struct sonde_err *err)
{
    char line[SONDE_ERR_MESSAGE_MAX];
    if (!f->silent) {
        (void)snprintf(line, sizeof(line),
                       "%s: the API server does not answer (%.400s): asked again until it does",
                       f->name, err->message);
        say(f, line);
        f->silent = true;
    }
}

static bool may_come_back(int code)
{
    return code == SONDE_ENETWORK || code == SONDE_EBUSY || code == SONDE_ETIMEOUT;
}

static void look_for(struct following *f);

static void looked(void *context, const struct sonde_kube_response *response,
                   const struct sonde_err *err)
{
    struct following *f = context;
    struct sonde_err ignored;
    void *nothing;
    f->request = NULL;
    if (f->found || f->over) {
        return; /* the watch was faster */
    }
    if (err->code == 0) {
        f->gone = keep(f, response->object, &nothing, &ignored) != 0;
    } else if (err->code == SONDE_ENOTFOUND) {
        f->gone = true;
    } else if (may_come_back(err->code)) {
        say_away(f, err);
        look_for(f);
    } else {
        f->failure = *err;
    }
    check_over(f);
}

/* By its name, which is answered by what is there now, and not by what a list remembers. */
static void look_for(struct following *f)
{
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    const struct sonde_kube_target target = {&f->resource, f->namespace, f->name, NULL, NULL};
    int r = sonde_kube_path(&target, &path, &f->failure);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a request", &f->failure);
    const struct sonde_kube_request_options options = {
        .path = sonde_buf_view(&path), .context = f, .done = looked};
    if (r == 0 && sonde_kube_send(f->cluster->kube, &options, &f->request, &f->failure) == 0) {
        f->failure = (struct sonde_err){0};
    }
}

/* A list may be older than what we have just made; or it was deleted before we began. */
static void synced(void *context)
{
    struct following *f = context;
    f->silent = false;
    if (!f->found && !f->gone) {
        look_for(f);
    }
    check_over(f);
}

/* What else fails is tried again. That a version is gone is no failure, but asked for anew. */
static void failed(void *context, const struct sonde_err *err)
{
    struct following *f = context;
    if (err->code == SONDE_EDENIED) {
        f->failure = *err;
        check_over(f);
    } else if (err->code != SONDE_EGONE) {
        say_away(f, err);
    }
}

static void on_timeout(void *context)
{
    struct following *f = context;
    f->timed_out = true;
    check_over(f);
}

static void on_signal(void *context, int number, bool by_kernel)
{
    struct following *f = context;
    (void)number;
    (void)by_kernel;
    f->interrupted = true;
    check_over(f);
}

int follow_begin(struct following *f, struct sonde_err *err)
{
    char selector[SONDE_KUBE_NAME_MAX + 32];
    struct sonde_loop *loop = f->cluster->loop;
    (void)snprintf(selector, sizeof(selector), "metadata.name=%s", f->name);
    f->resource = cluster_resource(f->kind);
    f->cluster->stop = &f->over;
    struct sonde_kube_informer_options options = {
        .resource = &f->resource,
        .namespace = f->namespace,
        .field_selector = selector,
        .cache = {.context = f, .keep = keep, .changed = changed, .maximum = 16},
        .context = f,
        .synced = synced,
        .failed = failed,
    };
    sonde_random_bytes(&options.seed, sizeof(options.seed));
    int r = sonde_signal_new(loop, SIGTERM, on_signal, f, &f->signals[0], err);
    r = r < 0 ? r : sonde_signal_new(loop, SIGINT, on_signal, f, &f->signals[1], err);
    r = r < 0 ? r : sonde_timer_new(loop, on_timeout, f, &f->timer, err);
    if (r == 0 && f->timeout_ns) {
        sonde_timer_start(f->timer, f->timeout_ns, 0);
    }
    return r < 0 ? r : sonde_kube_informer_new(loop, f->cluster->kube, &options, &f->informer, err);
}

void follow_end(struct following *f)
{
    if (f->request) {
        sonde_kube_cancel(SONDE_TAKE(f->request));
    }
    sonde_kube_informer_free(SONDE_TAKE(f->informer));
    sonde_timer_free(SONDE_TAKE(f->timer));
    for (size_t i = 0; i < SONDE_LENGTH(f->signals); i++) {
        sonde_signal_free(SONDE_TAKE(f->signals[i]));
    }
    f->cluster->stop = NULL;
}

int follow(struct following *f, struct sonde_err *err)
{
    int r = follow_begin(f, err);
    while (r == 0 && !f->over) {
        sonde_loop_run(f->cluster->loop);
    }
    follow_end(f);
    if (r == 0 && f->failure.code) {
        *err = f->failure;
        r = err->code;
    }
    return r;
}

/* ---- how it ended ---- */

/* As `sonde load` ends: what a build is to fail for is told apart from what went wrong. */
static int exit_code_of(const char *reason)
{
    return strcmp(reason, SONDE_REASON_THRESHOLD_BROKEN) == 0 ? SONDE_EXIT_THRESHOLD
           : strcmp(reason, SONDE_REASON_REGRESSION) == 0     ? SONDE_EXIT_REGRESSION
                                                              : SONDE_EXIT_FAILED;
}

bool follow_was_left(const struct following *f)
{
    return !f->ended && (f->interrupted || f->timed_out);
}

int follow_say_end(const struct following *f)
{
    struct sonde_err err = {.code = SONDE_EIO};
    if (follow_was_left(f)) {
        (void)fprintf(stderr,
                      "sonde: %s%s goes on in the cluster. To end it: kubectl -n %s patch %s %s "
                      "--type merge -p '{\"spec\":{\"cancel\":true}}'\n",
                      f->timed_out ? "it took longer than --timeout: " : "", f->name, f->namespace,
                      f->kind->singular, f->name);
        return SONDE_EXIT_FAILED;
    }
    if (f->gone && !f->ended) { /* one that has ended may go at once */
        (void)sonde_fail(&err, SONDE_EGONE, 0, "%s was deleted", f->name);
        return cli_say_error(&err);
    }
    if (!f->succeeded) {
        const struct sonde_reason *reason = sonde_reason_find(f->reason);
        (void)sonde_fail(&err, SONDE_EIO, 0, "%s: %s%s%.400s", f->name, reason ? "" : f->reason,
                         reason ? "" : " ", f->message);
        err.reason = reason ? reason->word : NULL;
        (void)cli_say_error(&err);
        return exit_code_of(f->reason);
    }
    return SONDE_EXIT_DONE;
}
