/* SPDX-License-Identifier: Apache-2.0 */
#include "results/regression.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "load/compare.h"
#include "load/regression_load.h"
#include "results/asked.h"
#include "results/load_test.h"
#include "results/reader.h"
#include "results/regression_functions.h"
#include "spec/reason.h"

/* ---- which runs ---- */

struct past_run {
    char uid[SONDE_UUID_SIZE];
    char name[SONDE_DB_NAME_MAX + 1];
    const char *differs; /* what it was asked for otherwise, by the documents; NULL: nothing */
    bool undocumented;   /* … one of which says nothing */
};

struct past {
    const cJSON *document; /* of the run that is judged */
    bool pinned;           /* the first one is, and must do */
    struct past_run runs[SONDE_REGRESSION_HISTORY_MAX];
    size_t count;
    char why[128]; /* what the newest that cannot be compared was asked for otherwise */
};

/* Of a run, what others are found by. */
struct self {
    char name[SONDE_DB_NAME_MAX + 1], namespace[SONDE_DB_NAME_MAX + 1];
    char schedule[SONDE_DB_NAME_MAX + 1], kind[64];
    int64_t created_ns;
    enum sonde_run_state state;
    cJSON *document; /* NULL: not asked for */
};

static int copy_self(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct self *self = context;
    (void)err;
    const char *series = sonde_run_series(run);
    (void)snprintf(self->name, sizeof(self->name), "%s", series ? series : run->name);
    (void)snprintf(self->namespace, sizeof(self->namespace), "%s", run->namespace);
    (void)snprintf(self->schedule, sizeof(self->schedule), "%s", series ? "" : run->schedule);
    (void)snprintf(self->kind, sizeof(self->kind), "%s", run->kind);
    self->created_ns = run->created_ns;
    self->state = run->state;
    return 0;
}

static int copy_self_and_document(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct self *self = context;
    int r = copy_self(context, run, err);
    return r < 0 ? r : sonde_results_asked_read(run->spec, &self->document, err);
}

static bool is_documented(const cJSON *document)
{
    return cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(document, "spec"));
}

static int add_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct past *past = context;
    SONDE_JSON_AUTO *document = NULL;
    if (past->count == SONDE_REGRESSION_HISTORY_MAX) {
        return 0;
    }
    int r = sonde_results_asked_read(run->spec, &document, err);
    struct past_run *added = &past->runs[past->count];
    *added = (struct past_run){
        .differs = sonde_results_asked_differs(document, past->document),
        .undocumented = !is_documented(document) || !is_documented(past->document),
    };
    memcpy(added->uid, run->uid, sizeof(added->uid));
    (void)snprintf(added->name, sizeof(added->name), "%s", run->name);
    past->count += r == 0;
    return r;
}

struct pin {
    char uid[SONDE_UUID_SIZE];
    bool found;
};

static int copy_uid(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct pin *pin = context;
    (void)err;
    memcpy(pin->uid, run->uid, sizeof(pin->uid));
    pin->found = true;
    return 0;
}

/* The last one of that name or series that succeeded before; a uid, of which any state will do when
 * it is given in full. SONDE_ENOTFOUND. */
static int find_pinned(struct sonde_db *db, const char *uid, const struct self *self,
                       const char *text, char ret[SONDE_UUID_SIZE], struct sonde_err *err)
{
    const struct sonde_runs_good wanted = {.namespace = self->namespace,
                                           .kind = self->kind,
                                           .name = text,
                                           .before_ns = self->created_ns,
                                           .except_uid = uid};
    struct pin pin = {.found = false};
    struct self other = {.state = SONDE_RUN_FAILED};
    int r = sonde_db_runs_good(db, &wanted, 1, copy_uid, &pin, err);
    if (r == 0 && !pin.found) {
        const char *namespace = self->namespace[0] ? self->namespace : NULL;
        r = sonde_db_run_resolve(db, text, namespace, pin.uid, err);
        r = r < 0 ? r : sonde_db_run_get(db, pin.uid, copy_self, &other, err);
        pin.found = r == 0 && strcmp(pin.uid, uid) != 0 && strcmp(other.kind, self->kind) == 0 &&
                    (other.state == SONDE_RUN_SUCCEEDED || strcmp(pin.uid, text) == 0);
    }
    if ((r == 0 && !pin.found) || r == SONDE_ENOTFOUND) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0,
                          "no run called %.100s has succeeded before this one", text);
    }
    memcpy(ret, pin.uid, SONDE_UUID_SIZE);
    return r;
}

static int find_past(struct sonde_db *db, const char *uid, const struct self *self,
                     const struct sonde_results_baseline *baseline, struct past *ret,
                     char ret_pinned[SONDE_UUID_SIZE], struct sonde_err *err)
{
    struct self like = *self;
    int r = 0;
    ret->document = self->document;
    ret->pinned = baseline->strategy == SONDE_BASELINE_PINNED;
    if (ret->pinned) {
        r = find_pinned(db, uid, self, baseline->run, ret_pinned, err);
        r = r < 0 ? r : sonde_db_run_get(db, ret_pinned, copy_self, &like, err);
        r = r < 0 ? r : sonde_db_run_get(db, ret_pinned, add_run, ret, err);
    }
    const struct sonde_runs_good wanted = {.namespace = like.namespace,
                                           .kind = self->kind,
                                           .schedule = like.schedule,
                                           .name = like.schedule[0] ? NULL : like.name,
                                           .since_ns = baseline->since_ns,
                                           .before_ns = self->created_ns,
                                           .except_uid = ret_pinned[0] ? ret_pinned : uid};
    return r < 0 ? r
                 : sonde_db_runs_good(db, &wanted, (int)sonde_results_nights(baseline), add_run,
                                      ret, err);
}

size_t sonde_results_nights(const struct sonde_results_baseline *baseline)
{
    return baseline->runs > SONDE_RESULTS_NIGHTS ? baseline->runs : SONDE_RESULTS_NIGHTS;
}

/* The name of the first one that is compared with. */
static void note_name(struct sonde_regression *regression, const char *name)
{
    if (!regression->with[0]) {
        (void)snprintf(regression->with, sizeof(regression->with), "%s", name);
    }
}

static void note_why(struct past *past, const char *why)
{
    if (!past->why[0]) {
        (void)snprintf(past->why, sizeof(past->why), "%s", why);
    }
}

/* ---- what a run has ---- */

enum { CAPTURES_MAX = 8 };

struct found {
    bool load;
    char captures[CAPTURES_MAX][SONDE_DB_ARTIFACT_NAME_MAX + 1]; /* of CPU profiles */
    size_t count;
};

static int look(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct found *found = context;
    (void)err;
    found->load = found->load || strcmp(artifact->type, SONDE_ARTIFACT_LOAD_RESULT) == 0;
    bool time = sonde_results_units(artifact->type) & (1U << SONDE_PROFILE_NANOSECONDS);
    bool known = !time || !sonde_results_is_profile(artifact->type) || found->count == CAPTURES_MAX;
    for (size_t i = 0; i < found->count && !known; i++) {
        known = strcmp(found->captures[i], artifact->capture) == 0;
    }
    if (!known) {
        (void)snprintf(found->captures[found->count++], sizeof(found->captures[0]), "%s",
                       artifact->capture);
    }
    return 0;
}

/* ---- profiles ---- */

/* Captures of a run beside those of one name of the others. */
static int add_captures(struct sonde_db *db, const char *uid, const struct found *found,
                        const struct sonde_regression_other *others, size_t count,
                        struct sonde_regression *ret, struct sonde_err *ret_why,
                        struct sonde_err *err)
{
    int r = 0;
    for (size_t i = 0; i < found->count && r == 0; i++) {
        char prefix[64] = "";
        if (found->count > 1) {
            (void)snprintf(prefix, sizeof(prefix), "%.60s: ", found->captures[i]);
        }
        r = sonde_regression_functions(db, uid, found->captures[i], prefix, others, count, ret,
                                       ret_why, err);
    }
    return r;
}

static int compare_profiles(struct sonde_db *db, const char *uid, const struct found *found,
                            struct past *past, struct sonde_regression *ret, struct sonde_err *err)
{
    struct sonde_regression_other others[SONDE_REGRESSION_HISTORY_MAX];
    const char *names[SONDE_REGRESSION_HISTORY_MAX];
    struct sonde_err why = {0};
    size_t count = 0;
    for (size_t i = 0; i < past->count; i++) {
        const struct past_run *run = &past->runs[i];
        if (run->differs) {
            note_why(past, run->differs);
        } else {
            names[count] = run->name;
            others[count] = (struct sonde_regression_other){run->uid, count};
            count++;
        }
    }
    int r = add_captures(db, uid, found, others, count, ret, &why, err);
    ret->runs = count;
    for (size_t i = 0; i < count && r == 0; i++) {
        if (sonde_regression_has_run(ret, i)) {
            note_name(ret, names[i]);
        }
    }
    if (r == 0 && count && ret->count == 0 && !why.code) {
        sonde_regression_refuse(ret, "not compared: no function takes 1 %% of the busy time");
        return 1;
    }
    if (r == 0 && past->pinned && count && !sonde_regression_has_run(ret, 0)) {
        sonde_regression_refuse(ret, "not compared with %.400s", why.message);
        return 1;
    }
    sonde_regression_close_up(ret);
    return r;
}

/* ---- load tests ---- */

/* Profiles that were taken of what was loaded, of one kind. */
struct profiled {
    const char *type;
    char uids[SONDE_REGRESSION_HISTORY_MAX][SONDE_UUID_SIZE];
    struct sonde_regression_other others[SONDE_REGRESSION_HISTORY_MAX];
    size_t count;
};

/* NULL: there is none. */
static const struct sonde_load_profiled *find_profile(const struct sonde_load_result *result,
                                                      const char *type)
{
    for (size_t i = 0; i < result->profile_count; i++) {
        const struct sonde_load_profiled *one = &result->profiles[i];
        if (one->run && !one->failure && (!type || (one->type && strcmp(one->type, type) == 0))) {
            return one;
        }
    }
    return NULL;
}

static void add_profiled(const struct sonde_load_result *result, size_t at,
                         struct profiled *profiled)
{
    const struct sonde_load_profiled *one =
        profiled->type ? find_profile(result, profiled->type) : NULL;
    if (one) {
        char *uid = profiled->uids[profiled->count];
        (void)snprintf(uid, SONDE_UUID_SIZE, "%s", one->run);
        profiled->others[profiled->count++] = (struct sonde_regression_other){uid, at};
    }
}

/* What the result says was asked for otherwise; NULL: nothing. */
static const char *differs_in(const struct past_run *run, const struct sonde_load_result *now,
                              const struct sonde_load_result *other)
{
    return run->differs ? run->differs
           : run->undocumented && !sonde_load_is_same_path(&now->asked, &other->asked)
               ? "the path"
               : sonde_load_differs(now, other);
}

static void refuse_pinned(const struct past_run *run, const struct sonde_load_result *now,
                          const struct sonde_load_result *other, struct sonde_regression *ret)
{
    char asked[2][SONDE_LOAD_COMPARE_ASKED_MAX];
    const char *differs = differs_in(run, now, other);
    if (!differs) {
        sonde_regression_refuse(ret, "not compared with %.100s, which cannot be believed",
                                run->name);
    } else if (!now->search && !sonde_load_is_same(&now->asked, &other->asked)) {
        sonde_regression_refuse(ret,
                                "not compared with %.100s: that was asked for another load (%s; "
                                "this one: %s)",
                                run->name, sonde_load_asked_said(&other->asked, asked[0]),
                                sonde_load_asked_said(&now->asked, asked[1]));
    } else {
        sonde_regression_refuse(ret,
                                "not compared with %.100s: that was asked for something else (%s)",
                                run->name, differs);
    }
}

/* 1: the pinned one will not do, and *ret says why. */
static int add_load(struct sonde_db *db, struct past *past, size_t at,
                    const struct sonde_load_result *now, struct sonde_regression *ret,
                    struct profiled *profiled, struct sonde_err *err)
{
    const struct past_run *run = &past->runs[at];
    bool needed = past->pinned && at == 0;
    struct sonde_load_result other;
    struct sonde_err why = {0};
    int r = sonde_results_load_test_find(db, run->uid, NULL, NULL, &other, &why);
    const char *differs = r == 0 ? differs_in(run, now, &other) : NULL;
    if (r == 0 && differs) {
        note_why(past, differs);
    }
    if (r == 0 && !differs && sonde_regression_load_add(ret, now, &other)) {
        note_name(ret, run->name);
        add_profiled(&other, ret->runs - 1, profiled);
    } else if (r == 0 && needed) {
        refuse_pinned(run, now, &other, ret);
        r = 1;
    }
    sonde_load_result_fini(&other);
    if (r < 0 && !sonde_regression_is_missing(r)) {
        return sonde_fail(err, r, 0, "%.400s", why.message);
    }
    if (r < 0 && needed) {
        sonde_regression_refuse(ret, "not compared with %.100s: %.400s", run->name, why.message);
        return 1;
    }
    return r < 0 ? 0 : r;
}

/* The functions of the profile that was taken under load, beside those of the nights before. One
 * that is gone, or cannot be read, is no reason not to compare the load. */
static int add_functions(struct sonde_db *db, const struct sonde_load_result *now,
                         const struct profiled *profiled, struct sonde_regression *ret,
                         struct sonde_err *err)
{
    const struct sonde_load_profiled *own = profiled->count ? find_profile(now, NULL) : NULL;
    struct found found = {.count = 0};
    struct sonde_err why = {0};
    if (!own) {
        return 0;
    }
    int r = sonde_db_artifacts(db, own->run, look, &found, err);
    r = r < 0
            ? r
            : add_captures(db, own->run, &found, profiled->others, profiled->count, ret, &why, err);
    return sonde_regression_is_missing(r) ? 0 : r;
}

static int compare_loads(struct sonde_db *db, const char *uid, struct past *past,
                         struct sonde_regression *ret, struct sonde_err *err)
{
    struct sonde_load_result now;
    struct profiled *profiled = calloc(1, sizeof(*profiled));
    if (!profiled) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_results_load_test_find(db, uid, NULL, NULL, &now, err);
    if (r == 0) {
        const struct sonde_load_profiled *own = find_profile(&now, NULL);
        profiled->type = own ? own->type : NULL;
        r = sonde_regression_load_begin(ret, &now, err);
    }
    const char *doubt = r == 0 ? sonde_regression_load_doubt(&now) : NULL;
    if (doubt) {
        sonde_regression_refuse(ret, "not compared: %s", doubt);
        r = 1;
    }
    for (size_t i = 0; i < past->count && r == 0; i++) {
        r = add_load(db, past, i, &now, ret, profiled, err);
    }
    r = r ? r : add_functions(db, &now, profiled, ret, err);
    sonde_load_result_fini(&now);
    free(profiled);
    return r;
}

/* ---- both ---- */

static void finish(const struct sonde_results_baseline *baseline, const struct past *past,
                   struct sonde_regression *ret)
{
    size_t wanted = baseline->runs ? baseline->runs : 1;
    ret->reference = wanted < ret->runs ? wanted : ret->runs;
    if (ret->runs == 0 && past->why[0]) {
        sonde_regression_refuse(ret,
                                "not compared: those that succeeded before were asked for "
                                "something else (%s)",
                                past->why);
        return;
    }
    if (ret->runs == 0) {
        sonde_regression_refuse(ret, past->count ? "not compared: those that succeeded before "
                                                   "cannot be believed, or cannot be read"
                                                 : "no run like this one has succeeded before it: "
                                                   "there is nothing to compare with yet");
        return;
    }
    if (ret->reference > 1) {
        char last[SONDE_REGRESSION_WITH_MAX];
        memcpy(last, ret->with, sizeof(last));
        (void)snprintf(ret->with, sizeof(ret->with), "the median of %zu runs up to %.300s",
                       ret->reference, last);
    }
    sonde_regression_judge(ret);
}

static int compare(struct sonde_db *db, const char *uid, struct past *past,
                   const struct sonde_results_baseline *baseline, struct sonde_regression *ret,
                   struct sonde_err *err)
{
    struct found found = {.count = 0};
    int r = sonde_db_artifacts(db, uid, look, &found, err);
    if (r < 0) {
        return r;
    }
    if (!found.load && found.count == 0) {
        sonde_regression_refuse(ret, "only load tests and CPU profiles are compared with a "
                                     "baseline: the run has neither");
        return 0;
    }
    if (past->pinned && past->runs[0].differs) {
        sonde_regression_refuse(ret,
                                "not compared with %.100s: that was asked for something else (%s)",
                                past->runs[0].name, past->runs[0].differs);
        return 0;
    }
    r = found.load ? compare_loads(db, uid, past, ret, err)
                   : compare_profiles(db, uid, &found, past, ret, err);
    if (r == 0) {
        finish(baseline, past, ret);
    }
    return r < 0 ? r : 0;
}

/* As sonde_results_regression; gives the pinned run, too. */
static int regression_of(struct sonde_db *db, const char *uid,
                         const struct sonde_results_baseline *baseline, struct self *self,
                         struct sonde_regression *ret, char ret_pinned[SONDE_UUID_SIZE],
                         struct sonde_err *err)
{
    struct past *past = calloc(1, sizeof(*past));
    struct sonde_err why = {0};
    if (!past) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_db_run_get(db, uid, copy_self_and_document, self, err);
    if (r == 0) {
        r = find_past(db, uid, self, baseline, past, ret_pinned, &why);
        if (r == SONDE_ENOTFOUND || r == SONDE_ECONFLICT) {
            sonde_regression_refuse(ret, "%.400s", why.message);
            r = 1;
        } else if (r < 0) {
            r = sonde_fail(err, r, 0, "%.400s", why.message);
        }
    }
    r = r ? r : compare(db, uid, past, baseline, ret, err);
    free(past);
    return r < 0 ? r : 0;
}

int sonde_results_regression(struct sonde_db *db, const char *uid,
                             const struct sonde_results_baseline *baseline,
                             struct sonde_regression *ret, struct sonde_err *err)
{
    struct self self = {.document = NULL};
    char pinned[SONDE_UUID_SIZE] = "";
    *ret = (struct sonde_regression){0};
    int r = regression_of(db, uid, baseline, &self, ret, pinned, err);
    cJSON_Delete(self.document);
    return r;
}

/* ---- kept ---- */

struct kept {
    struct sonde_buf status;
    const struct sonde_regression *regression;
    size_t nights;
};

static int print_status(struct kept *kept, const cJSON *status, struct sonde_err *err)
{
    char *printed = cJSON_PrintUnformatted(status);
    if (!printed) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sonde_buf_text(&kept->status, printed);
    cJSON_free(printed);
    return sonde_buf_check(&kept->status, "the run's status", err);
}

/* The run's status with the comparison, and how many nights the next one is compared with, as more
 * members. */
static int write_status(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct kept *kept = context;
    SONDE_JSON_AUTO *status = NULL;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_DB_DOCUMENT_MAX / 2);
    int r = sonde_json_parse(sonde_str(run->status), &status, err);
    sonde_regression_json(kept->regression, &text);
    r = r < 0 ? r : sonde_buf_check(&text, "the comparison", err);
    if (r < 0) {
        return r;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(status, "regression");
    cJSON_DeleteItemFromObjectCaseSensitive(status, SONDE_STATUS_NIGHTS);
    return cJSON_AddRawToObject(status, "regression", text.data) &&
                   cJSON_AddNumberToObject(status, SONDE_STATUS_NIGHTS, (double)kept->nights)
               ? print_status(kept, status, err)
               : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

static int keep(struct sonde_db *db, const char *uid, size_t nights,
                const struct sonde_regression *regression, struct sonde_err *err)
{
    struct kept kept = {
        .status = SONDE_BUF(SONDE_DB_DOCUMENT_MAX), .regression = regression, .nights = nights};
    struct sonde_run run = {.state = regression->worse ? SONDE_RUN_FAILED : SONDE_RUN_SUCCEEDED,
                            .reason = regression->worse ? SONDE_REASON_REGRESSION
                                                        : SONDE_REASON_COMPLETED,
                            .message = regression->worse ? regression->message : ""};
    (void)snprintf(run.uid, sizeof(run.uid), "%s", uid);
    int r = sonde_db_run_get(db, uid, write_status, &kept, err);
    run.status = kept.status.data;
    r = r < 0 ? r : sonde_db_run_judge(db, &run, err);
    sonde_buf_fini(&kept.status);
    return r;
}

struct marked {
    struct kept kept;
    struct sonde_buf reason, message;
};

static int write_pinned(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct marked *marked = context;
    SONDE_JSON_AUTO *status = NULL;
    sonde_buf_text(&marked->reason, run->reason);
    sonde_buf_text(&marked->message, run->message);
    int r = sonde_json_parse(sonde_str(run->status), &status, err);
    if (r < 0) {
        return r;
    }
    int64_t now_s = sonde_clock_realtime() / SONDE_SECOND;
    cJSON_DeleteItemFromObjectCaseSensitive(status, SONDE_STATUS_PINNED);
    return cJSON_AddNumberToObject(status, SONDE_STATUS_PINNED, (double)now_s)
               ? print_status(&marked->kept, status, err)
               : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

/* So that it is not deleted for its age. One that has not succeeded is not kept for that. */
static int mark_pinned(struct sonde_db *db, const char *uid, struct sonde_err *err)
{
    struct marked marked = {.kept.status = SONDE_BUF(SONDE_DB_DOCUMENT_MAX),
                            .reason = SONDE_BUF(SONDE_DB_DOCUMENT_MAX),
                            .message = SONDE_BUF(SONDE_DB_DOCUMENT_MAX)};
    struct sonde_run run = {.state = SONDE_RUN_SUCCEEDED};
    (void)snprintf(run.uid, sizeof(run.uid), "%s", uid);
    int r = sonde_db_run_get(db, uid, write_pinned, &marked, err);
    r = r < 0 ? r : sonde_buf_check(&marked.reason, "the pinned run's reason", err);
    r = r < 0 ? r : sonde_buf_check(&marked.message, "the pinned run's message", err);
    run.status = marked.kept.status.data;
    run.reason = marked.reason.data ? marked.reason.data : "";
    run.message = marked.message.data ? marked.message.data : "";
    r = r < 0 ? r : sonde_db_run_judge(db, &run, err);
    sonde_buf_fini(&marked.kept.status);
    sonde_buf_fini(&marked.reason);
    sonde_buf_fini(&marked.message);
    return r == SONDE_ECONFLICT || r == SONDE_ENOTFOUND ? 0 : r;
}

int sonde_results_regress(struct sonde_db *db, const char *uid,
                          const struct sonde_results_baseline *baseline,
                          struct sonde_regression *ret, struct sonde_err *err)
{
    struct self self = {.state = SONDE_RUN_FAILED};
    char pinned[SONDE_UUID_SIZE] = "";
    struct sonde_err why = {0};
    *ret = (struct sonde_regression){0};
    int r = sonde_db_run_get(db, uid, copy_self, &self, err);
    if (r < 0 || self.state != SONDE_RUN_SUCCEEDED) {
        return r;
    }
    r = regression_of(db, uid, baseline, &self, ret, pinned, &why);
    cJSON_Delete(self.document);
    if (r < 0) {
        sonde_regression_fini(ret);
        sonde_regression_refuse(ret, "not compared: %.400s", why.message);
    }
    int kept = keep(db, uid, sonde_results_nights(baseline), ret, err);
    kept = kept < 0 || !pinned[0] || !self.schedule[0] ? kept : mark_pinned(db, pinned, err);
    return r < 0 ? sonde_fail(err, r, 0, "%.400s", why.message) : kept;
}
