/* SPDX-License-Identifier: Apache-2.0 */
/* `rerun` and `run-now`: new runs of a spec that is in the cluster already. */
#include <string.h>

#include "cli/apply.h"
#include "cli/document.h"
#include "cli/find.h"
#include "codec/json.h"

#define SCHEDULE_LABEL "sonde.dev/schedule"
#define RUN_NOW_ANNOTATION "sonde.dev/run-now"
#define RERUN_ANNOTATION "sonde.dev/rerun-of"

enum { PATH_SIZE = 128 };

const struct sonde_option cluster_run_now_options[] = {
    {"name", SONDE_OPTION_STRING, offsetof(struct cli_settings, name), .argument = "NAME",
     .help = "of the run (default: SCHEDULE-now- and five letters)"},
    {"force", SONDE_OPTION_FLAG, offsetof(struct cli_settings, force),
     .help = "also while a run of the schedule goes on that allows no second one"},
    {0},
};

/* A run that is to be made. */
struct made {
    struct found found;
    struct sonde_spec_documents documents; /* what it is made of */
    struct sonde_spec_document document;
    union { /* its spec */
        struct sonde_load_test load_test;
        struct sonde_profile_run profile_run;
    };
    struct sonde_pair *labels, *annotations;
    char name[FIND_NAME_SIZE];
};

static void made_fini(struct made *made)
{
    sonde_spec_documents_fini(&made->documents);
    found_fini(&made->found);
}

/* Copies the pairs, but for those of ours, and adds `more`. */
static int copy_pairs(struct made *made, const struct sonde_pair *pairs, size_t count,
                      const struct sonde_pair *more, struct sonde_pair **ret, size_t *ret_count,
                      struct sonde_err *err)
{
    struct sonde_pair *all = sonde_arena_alloc(&made->documents.arena, (count + 1) * sizeof(*all));
    size_t kept = 0;
    if (!all) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a document");
    }
    for (size_t i = 0; i < count; i++) {
        if (!sonde_str_starts(sonde_str(pairs[i].key), SONDE_SPEC_GROUP "/")) {
            all[kept++] = pairs[i];
        }
    }
    all[kept++] = *more;
    *ret = all;
    *ret_count = kept;
    return 0;
}

/* Reads the object, or another document of the run. */
static int parse(struct made *made, struct sonde_str text, struct sonde_err *err)
{
    int r = sonde_spec_parse(made->found.name, text, &made->documents, err);
    if (r == 0 &&
        (made->documents.count != 1 || made->documents.items[0].kind != made->found.kind)) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "%s: what is kept of it is no %s", made->found.name,
                       made->found.kind->name);
    }
    return r < 0 ? sonde_err_wrap(err, r, "it cannot be made again by this version") : 0;
}

static int parse_object(struct made *made, struct sonde_err *err)
{
    char *text = cJSON_PrintUnformatted(made->found.object);
    int r = text ? parse(made, sonde_str(text), err)
                 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for an object");
    cJSON_free(text);
    return r;
}

/* A name of the person's, or a new one. */
static int name_it(struct made *made, const char *wanted, const char *base,
                   const struct sonde_kind *kind, struct sonde_err *err)
{
    if (!wanted) {
        apply_name(base, kind->name_max, made->name);
        return 0;
    }
    (void)snprintf(made->name, sizeof(made->name), "%s", wanted);
    return apply_check_name(kind, wanted, err);
}

static int carry_out(struct applying *applying, struct made *made, const struct apply_order *order)
{
    if (applying->settings->dry_run) {
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SPEC_FILE_MAX);
        const struct cli_settings to_stdout = {0};
        sonde_spec_print_json(&made->document, &text);
        sonde_buf_char(&text, '\n');
        return cli_write_output(&to_stdout, &text);
    }
    return apply_one(applying, order);
}

/* ---- rerun ---- */

static int read_kept(struct cluster *cluster, struct made *made, struct sonde_err *err)
{
    char path[PATH_SIZE];
    const char *const query[] = {"namespace", made->found.namespace, NULL};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SPEC_FILE_MAX);
    (void)snprintf(path, sizeof(path), "runs/%.63s/document", made->found.uid);
    int r = cluster_ask_store(cluster, "GET", path, query, &text, err);
    return r < 0 ? r : parse(made, sonde_buf_view(&text), err);
}

/* One that was cancelled or paused is to begin when it is made again. */
static void copy_spec(struct made *made)
{
    const struct sonde_spec_document *old = &made->documents.items[0];
    made->document = *old;
    if (old->kind == &sonde_kind_load_test) {
        made->load_test = *old->load_test;
        made->load_test.paused = made->load_test.cancel = false;
        made->document.load_test = &made->load_test;
    } else {
        made->profile_run = *old->profile_run;
        made->profile_run.cancel = false;
        made->document.profile_run = &made->profile_run;
    }
}

/* The name of its series, which the store knows of one whose object is gone, or that the first of
 * them had, so that names do not grow. */
static const char *first_name(const struct made *made)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(made->found.object, "metadata");
    const cJSON *annotations = cJSON_GetObjectItemCaseSensitive(metadata, "annotations");
    const cJSON *labels = cJSON_GetObjectItemCaseSensitive(metadata, "labels");
    const char *first = sonde_json_string_or(made->found.row, "series", "");
    first = sonde_json_string_or(annotations, RERUN_ANNOTATION, first);
    first = sonde_json_string_or(labels, SONDE_SPEC_SERIES_LABEL, first);
    return sonde_kube_is_name(sonde_str(first)) ? first : made->found.name;
}

static int make_again(struct cluster *cluster, const struct cli_settings *settings,
                      struct made *made, struct sonde_err *err)
{
    int r = made->found.object ? parse_object(made, err) : read_kept(cluster, made, err);
    if (r < 0) {
        return r;
    }
    copy_spec(made);
    struct sonde_metadata *metadata = &made->document.metadata;
    const struct sonde_pair origin = {RERUN_ANNOTATION, first_name(made)};
    const struct sonde_pair series = {SONDE_SPEC_SERIES_LABEL, origin.value};
    r = name_it(made, settings->name, origin.value, made->found.kind, err);
    r = r < 0 ? r
              : copy_pairs(made, metadata->labels.items, metadata->labels.count, &series,
                           &made->labels, &metadata->labels.count, err);
    r = r < 0 ? r
              : copy_pairs(made, NULL, 0, &origin, &made->annotations, &metadata->annotations.count,
                           err);
    metadata->labels.items = made->labels;
    metadata->annotations.items = made->annotations;
    metadata->name = made->name;
    metadata->namespace = made->found.namespace;
    return r;
}

int cluster_rerun(struct cli_call *call)
{
    struct sonde_err err;
    struct applying applying = {.settings = &call->settings};
    struct made made = {0};
    int r = apply_check(call, &err);
    r = r < 0 ? r : apply_open(&call->settings, &applying, &err);
    r = r < 0 ? r : find_run(&applying.cluster, call->arguments.positional[0], &made.found, &err);
    r = r < 0 ? r : make_again(&applying.cluster, &call->settings, &made, &err);
    const struct apply_order order = {.document = &made.document,
                                      .namespace = made.found.namespace};
    int code = r < 0 ? cli_say_error(&err) : carry_out(&applying, &made, &order);
    made_fini(&made);
    apply_close(&applying);
    return code;
}

/* ---- run-now ---- */

static bool is_over(const cJSON *object)
{
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(object, "status");
    const cJSON *condition;
    bool over = false;
    cJSON_ArrayForEach(condition, cJSON_GetObjectItemCaseSensitive(status, "conditions"))
    {
        const char *truth = sonde_json_string_or(condition, "status", "");
        over = over || (strcmp(sonde_json_string_or(condition, "type", ""), "Succeeded") == 0 &&
                        strcmp(truth, "Unknown") != 0);
    }
    return over;
}

/* Forbid and Replace both mean: no two at once; whom to end is the person's to say. Those that run
 * are named in the schedule's status, which may be a moment old. */
static int check_alone(struct cluster *cluster, const struct made *made,
                       const struct sonde_kind *kind, struct sonde_err *err)
{
    enum { ACTIVE_MAX = 64 };
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(made->found.object, "status");
    const cJSON *active = cJSON_GetObjectItemCaseSensitive(status, "active");
    const cJSON *name;
    int count = 0;
    int r = 0;
    cJSON_ArrayForEach(name, active)
    {
        struct found run = {0};
        const char *text = cJSON_IsString(name) ? name->valuestring : "";
        if (count++ == ACTIVE_MAX) {
            break;
        }
        r = find_object(cluster, &kind, 1, text, &run, err);
        bool over = r == SONDE_ENOTFOUND || (r == 0 && is_over(run.object));
        found_fini(&run);
        if (!over) {
            return r < 0 ? r
                         : sonde_fail(err, SONDE_EBUSY, 0,
                                      "%s of %s is not over, and its concurrencyPolicy is not "
                                      "Allow: wait for it (kubectl sonde watch %s), or give "
                                      "--force",
                                      text, made->found.name, text);
        }
    }
    return 0;
}

/* What both templates have, as the tables read them. */
static const struct sonde_template_metadata *take_template(struct made *made)
{
    const struct sonde_spec_document *schedule = &made->documents.items[0];
    made->document = (struct sonde_spec_document){.line = schedule->line};
    if (schedule->kind == &sonde_kind_load_test_schedule) {
        made->document.kind = &sonde_kind_load_test;
        made->document.load_test = schedule->load_test_schedule->test_template->spec;
        return schedule->load_test_schedule->test_template->metadata;
    }
    made->document.kind = &sonde_kind_profile_run;
    made->document.profile_run = schedule->profile_schedule->run_template->spec;
    return schedule->profile_schedule->run_template->metadata;
}

static int make_now(const struct cli_settings *settings, struct made *made, struct sonde_err *err)
{
    static const struct sonde_template_metadata nothing;
    char base[FIND_NAME_SIZE + sizeof("-now")];
    const struct sonde_pair label = {SCHEDULE_LABEL, made->found.name};
    const struct sonde_pair annotation = {RUN_NOW_ANNOTATION, "true"};
    struct sonde_metadata *metadata = &made->document.metadata;
    const struct sonde_template_metadata *template = take_template(made);
    template = template ? template : &nothing;
    (void)snprintf(base, sizeof(base), "%s-now", made->found.name);
    int r = name_it(made, settings->name, base, made->document.kind, err);
    r = r < 0 ? r
              : copy_pairs(made, template->labels.items, template->labels.count, &label,
                           &made->labels, &metadata->labels.count, err);
    r = r < 0 ? r
              : copy_pairs(made, template->annotations.items, template->annotations.count,
                           &annotation, &made->annotations, &metadata->annotations.count, err);
    metadata->labels.items = made->labels;
    metadata->annotations.items = made->annotations;
    metadata->name = made->name;
    metadata->namespace = made->found.namespace;
    return r;
}

int cluster_run_now(struct cli_call *call)
{
    static const struct sonde_kind *const kinds[] = {&sonde_kind_load_test_schedule,
                                                     &sonde_kind_profile_schedule};
    struct sonde_err err;
    struct applying applying;
    struct made made = {0};
    int r = apply_open(&call->settings, &applying, &err);
    r = r < 0 ? r
              : find_object(&applying.cluster, kinds, SONDE_LENGTH(kinds),
                            call->arguments.positional[0], &made.found, &err);
    r = r < 0 ? r : parse_object(&made, &err);
    r = r < 0 ? r : make_now(&call->settings, &made, &err);
    if (r == 0 && !call->settings.force) {
        const struct sonde_schedule *schedule = made.documents.items[0].spec;
        bool alone = schedule->concurrency_policy != SONDE_CONCURRENCY_ALLOW;
        r = alone ? check_alone(&applying.cluster, &made, made.document.kind, &err) : 0;
    }
    const struct apply_order order = {.document = &made.document,
                                      .namespace = made.found.namespace,
                                      .owner = made.found.kind,
                                      .owner_name = made.found.name,
                                      .owner_uid = made.found.uid};
    int code = r < 0 ? cli_say_error(&err) : carry_out(&applying, &made, &order);
    made_fini(&made);
    apply_close(&applying);
    return code;
}
