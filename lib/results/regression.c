/* SPDX-License-Identifier: Apache-2.0 */
#include "results/regression.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "load/compare.h"
#include "load/regression_load.h"
#include "results/compare.h"
#include "results/load_test.h"
#include "results/reader.h"
#include "spec/reason.h"

/* ---- which runs ---- */

struct past_run {
    char uid[SONDE_UUID_SIZE];
    char name[SONDE_DB_NAME_MAX + 1];
};

struct past {
    struct past_run runs[SONDE_REGRESSION_HISTORY_MAX];
    size_t count;
};

/* Of a run, what others are found by. */
struct self {
    char name[SONDE_DB_NAME_MAX + 1], namespace[SONDE_DB_NAME_MAX + 1];
    char schedule[SONDE_DB_NAME_MAX + 1], kind[64];
    int64_t created_ns;
    enum sonde_run_state state;
};

static int copy_self(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct self *self = context;
    (void)err;
    (void)snprintf(self->name, sizeof(self->name), "%s", run->name);
    (void)snprintf(self->namespace, sizeof(self->namespace), "%s", run->namespace);
    (void)snprintf(self->schedule, sizeof(self->schedule), "%s", run->schedule);
    (void)snprintf(self->kind, sizeof(self->kind), "%s", run->kind);
    self->created_ns = run->created_ns;
    self->state = run->state;
    return 0;
}

static int add_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct past *past = context;
    (void)err;
    if (past->count < SONDE_REGRESSION_HISTORY_MAX) {
        struct past_run *added = &past->runs[past->count++];
        memcpy(added->uid, run->uid, sizeof(added->uid));
        (void)snprintf(added->name, sizeof(added->name), "%s", run->name);
    }
    return 0;
}

/* The last one of that name that succeeded before, or whatever else the text names. */
static int find_pinned(struct sonde_db *db, const char *uid, const struct self *self,
                       const char *text, char ret[SONDE_UUID_SIZE], struct sonde_err *err)
{
    const struct sonde_runs_good wanted = {.namespace = self->namespace,
                                           .kind = self->kind,
                                           .schedule = "",
                                           .name = text,
                                           .before_ns = self->created_ns,
                                           .except_uid = uid};
    struct past found = {.count = 0};
    int r = sonde_db_runs_good(db, &wanted, 1, add_run, &found, err);
    if (r == 0 && found.count) {
        memcpy(ret, found.runs[0].uid, SONDE_UUID_SIZE);
        return 0;
    }
    r = r < 0
            ? r
            : sonde_db_run_resolve(db, text, self->namespace[0] ? self->namespace : NULL, ret, err);
    return r == 0 && strcmp(ret, uid) == 0
               ? sonde_fail(err, SONDE_ENOTFOUND, 0,
                            "no run called %.100s has succeeded before this one", text)
               : r;
}

static int find_past(struct sonde_db *db, const char *uid, const struct self *self,
                     const struct sonde_results_baseline *baseline, struct past *ret,
                     struct sonde_err *err)
{
    struct self like = *self;
    char pinned[SONDE_UUID_SIZE] = "";
    int r = 0;
    if (baseline->strategy == SONDE_BASELINE_PINNED) {
        r = find_pinned(db, uid, self, baseline->run, pinned, err);
        r = r < 0 ? r : sonde_db_run_get(db, pinned, copy_self, &like, err);
        r = r < 0 ? r : sonde_db_run_get(db, pinned, add_run, ret, err);
    }
    const struct sonde_runs_good wanted = {.namespace = like.namespace,
                                           .kind = self->kind,
                                           .schedule = like.schedule,
                                           .name = like.schedule[0] ? NULL : like.name,
                                           .before_ns = self->created_ns,
                                           .except_uid = pinned[0] ? pinned : uid};
    size_t most = baseline->runs > SONDE_RESULTS_NIGHTS ? baseline->runs : SONDE_RESULTS_NIGHTS;
    return r < 0 ? r : sonde_db_runs_good(db, &wanted, (int)most, add_run, ret, err);
}

/* ---- load tests ---- */

/* What can be passed over in a history: it was deleted meanwhile, or is of a newer version. */
static bool is_missing(int code)
{
    return code == SONDE_ENOTFOUND || code == SONDE_EPARSE || code == SONDE_EVERSION ||
           code == SONDE_EINVALID;
}

/* The name of the first one that is compared with. */
static void note_name(struct sonde_regression *regression, const char *name)
{
    if (!regression->with[0]) {
        (void)snprintf(regression->with, sizeof(regression->with), "%s", name);
    }
}

static int add_loads(struct sonde_db *db, const struct past *past, bool pinned,
                     const struct sonde_load_result *now, struct sonde_regression *ret,
                     struct sonde_err *err)
{
    int r = sonde_regression_load_begin(ret, now, err);
    for (size_t i = 0; i < past->count && r == 0; i++) {
        struct sonde_load_result other;
        r = sonde_results_load_test_find(db, past->runs[i].uid, NULL, NULL, &other, err);
        if (r == 0 && sonde_regression_load_add(ret, now, &other)) {
            note_name(ret, past->runs[i].name);
        } else if (r == 0 && pinned && i == 0) {
            char asked[2][SONDE_LOAD_COMPARE_ASKED_MAX];
            bool same = sonde_load_is_same(&now->asked, &other.asked);
            sonde_regression_refuse(ret,
                                    same ? "not compared with %.100s, which cannot be believed"
                                         : "not compared with %.100s: that was asked for another "
                                           "load (%s; this one: %s)",
                                    past->runs[0].name,
                                    sonde_load_asked_said(&other.asked, asked[0]),
                                    sonde_load_asked_said(&now->asked, asked[1]));
            sonde_load_result_fini(&other);
            return 1;
        }
        sonde_load_result_fini(&other);
        r = is_missing(r) && !(pinned && i == 0) ? 0 : r;
    }
    return r;
}

/* ---- profiles ---- */

/* The smallest share of the busy time that a function is judged for. */
static const double least_share = 0.01;

struct profiles {
    struct sonde_regression *regression;
    bool begun;
};

static bool is_judged(enum sonde_category category)
{
    return category != SONDE_CATEGORY_IDLE && category != SONDE_CATEGORY_ROOT &&
           category != SONDE_CATEGORY_SONDE;
}

/* A function of the service answers for what it calls; others for themselves. */
static const struct sonde_compare_value *value_of(const struct sonde_compare_function *function)
{
    return function->category == SONDE_CATEGORY_APP ? &function->blamed : &function->self;
}

/* Lines are those of the run that is judged: the same in each comparison. */
static void name_of(const struct sonde_compare_function *function,
                    char ret[SONDE_REGRESSION_NAME_MAX])
{
    char line[16] = "";
    if (function->lines[SONDE_AFTER] > 0) {
        (void)snprintf(line, sizeof(line), ":%d", function->lines[SONDE_AFTER]);
    }
    struct sonde_str name = sonde_name_shorten(function->name);
    (void)snprintf(ret, SONDE_REGRESSION_NAME_MAX, "%.*s%s%.*s%s", SONDE_STR_ARG(name),
                   function->file.length ? " " : "", 90,
                   function->file.length ? function->file.data : "", line);
}

static struct sonde_regression_value side_of(const struct sonde_compare_value *value, int side)
{
    double error = value->share_errors[side];
    return (struct sonde_regression_value){true, value->shares[side], error > 0 ? error : 0};
}

static struct sonde_regression_measure *find(struct sonde_regression *regression, const char *name)
{
    for (size_t i = 0; i < regression->count; i++) {
        if (strcmp(regression->measures[i].name, name) == 0) {
            return &regression->measures[i];
        }
    }
    return NULL;
}

static int add_profile(void *context, const struct sonde_comparison *comparison,
                       struct sonde_err *err)
{
    struct profiles *profiles = context;
    struct sonde_regression *regression = profiles->regression;
    for (size_t i = 0; i < comparison->count; i++) {
        const struct sonde_compare_function *function = &comparison->functions[i];
        const struct sonde_compare_value *value = value_of(function);
        char name[SONDE_REGRESSION_NAME_MAX];
        if (!is_judged(function->category) || value->shares[SONDE_AFTER] < least_share) {
            continue;
        }
        name_of(function, name);
        struct sonde_regression_measure *m =
            profiles->begun ? find(regression, name)
                            : sonde_regression_add(regression, name, SONDE_REGRESSION_BUSY);
        if (!m && !profiles->begun && regression->count < SONDE_REGRESSION_MEASURES_MAX) {
            return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
        }
        if (m) { /* beyond the maximum there are only small ones */
            m->now = side_of(value, SONDE_AFTER);
            m->history[regression->runs] = side_of(value, SONDE_BEFORE);
        }
    }
    profiles->begun = true;
    regression->runs++;
    return 0;
}

static int add_profiles(struct sonde_db *db, const char *uid, const char *capture,
                        const struct past *past, bool pinned, struct sonde_regression *ret,
                        struct sonde_err *err)
{
    struct profiles profiles = {.regression = ret};
    int r = 0;
    for (size_t i = 0; i < past->count && r == 0; i++) {
        const struct sonde_results_pair pair = {{past->runs[i].uid, uid}, {capture, capture}};
        r = sonde_results_with_profiles(db, &pair, add_profile, &profiles, err);
        if (r == 0) {
            note_name(ret, past->runs[i].name);
        }
        r = is_missing(r) && !(pinned && i == 0) ? 0 : r;
    }
    return r;
}

/* ---- both ---- */

/* What the run has. */
struct found {
    bool load;
    char capture[SONDE_DB_ARTIFACT_NAME_MAX + 1]; /* the first CPU profile; "": none */
};

static int look(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct found *found = context;
    (void)err;
    found->load = found->load || strcmp(artifact->type, SONDE_ARTIFACT_LOAD_RESULT) == 0;
    bool time = sonde_results_units(artifact->type) & (1U << SONDE_PROFILE_NANOSECONDS);
    if (!found->capture[0] && time && sonde_results_is_profile(artifact->type)) {
        (void)snprintf(found->capture, sizeof(found->capture), "%s", artifact->capture);
    }
    return 0;
}

static void finish(const struct sonde_results_baseline *baseline, size_t found,
                   struct sonde_regression *ret)
{
    size_t wanted = baseline->runs ? baseline->runs : 1;
    ret->reference = wanted < ret->runs ? wanted : ret->runs;
    if (ret->runs == 0) {
        sonde_regression_refuse(ret, found ? "not compared: those that succeeded before were asked "
                                             "for another load, or cannot be read"
                                           : "no run like this one has succeeded before it: there "
                                             "is nothing to compare with yet");
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

static int compare(struct sonde_db *db, const char *uid, const struct past *past,
                   const struct sonde_results_baseline *baseline, struct sonde_regression *ret,
                   struct sonde_err *err)
{
    bool pinned = baseline->strategy == SONDE_BASELINE_PINNED;
    struct found found = {0};
    int r = sonde_db_artifacts(db, uid, look, &found, err);
    if (r == 0 && found.load) {
        struct sonde_load_result now;
        r = sonde_results_load_test_find(db, uid, NULL, NULL, &now, err);
        r = r < 0 ? r : add_loads(db, past, pinned, &now, ret, err);
        sonde_load_result_fini(&now);
    } else if (r == 0 && found.capture[0]) {
        r = add_profiles(db, uid, found.capture, past, pinned, ret, err);
    } else if (r == 0) {
        sonde_regression_refuse(ret, "only load tests and CPU profiles are compared with a "
                                     "baseline: the run has neither");
        return 0;
    }
    if (r == 0) {
        finish(baseline, past->count, ret);
    }
    return r < 0 ? r : 0;
}

int sonde_results_regression(struct sonde_db *db, const char *uid,
                             const struct sonde_results_baseline *baseline,
                             struct sonde_regression *ret, struct sonde_err *err)
{
    struct self self = {.created_ns = 0};
    *ret = (struct sonde_regression){0};
    struct past *past = calloc(1, sizeof(*past));
    if (!past) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_db_run_get(db, uid, copy_self, &self, err);
    r = r < 0 ? r : find_past(db, uid, &self, baseline, past, err);
    r = r < 0 ? r : compare(db, uid, past, baseline, ret, err);
    free(past);
    return r;
}

/* ---- kept ---- */

struct kept {
    bool succeeded;
    struct sonde_buf status;
    const struct sonde_regression *regression;
};

static int see_state(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(bool *)context = run->state == SONDE_RUN_SUCCEEDED;
    return 0;
}

/* The run's status with the comparison as one more member. */
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
    cJSON *raw = cJSON_AddRawToObject(status, "regression", text.data);
    char *printed = raw ? cJSON_PrintUnformatted(status) : NULL;
    if (!printed) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sonde_buf_text(&kept->status, printed);
    cJSON_free(printed);
    return sonde_buf_check(&kept->status, "the run's status", err);
}

static int keep(struct sonde_db *db, const char *uid, const struct sonde_regression *regression,
                struct sonde_err *err)
{
    struct kept kept = {.status = SONDE_BUF(SONDE_DB_DOCUMENT_MAX), .regression = regression};
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

int sonde_results_regress(struct sonde_db *db, const char *uid,
                          const struct sonde_results_baseline *baseline,
                          struct sonde_regression *ret, struct sonde_err *err)
{
    bool succeeded = false;
    *ret = (struct sonde_regression){0};
    int r = sonde_db_run_get(db, uid, see_state, &succeeded, err);
    if (r < 0 || !succeeded) {
        return r;
    }
    r = sonde_results_regression(db, uid, baseline, ret, err);
    return r < 0 ? r : keep(db, uid, ret, err);
}
