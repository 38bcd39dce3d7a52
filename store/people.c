/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask for. Their rights were checked in call->namespace; nothing of another one is
 * shown. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "profile/output.h"
#include "results/results.h"
#include "store/service.h"

void people_log(const struct call *call, const char *what)
{
    call->service->metrics.downloads++;
    SONDE_LOG(&call->service->log, SONDE_LOG_INFO, "download",
              SONDE_FIELD_STR("user", sonde_str(call->user)),
              SONDE_FIELD_STR("namespace", sonde_str(call->namespace)),
              SONDE_FIELD_STR("run", sonde_str(call->uid)),
              SONDE_FIELD_STR("what", sonde_str(what)),
              SONDE_FIELD_STR("endpoint", sonde_str(call->endpoint->label)));
}

/* ---- heaps ---- */

struct heap_search {
    const char *name; /* of a capture, a part of a report or an artifact; NULL: any */
    bool found;
};

static int look_for_heap(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct heap_search *search = context;
    bool meant =
        sonde_results_is_named(artifact, search->name) || strcmp(search->name, artifact->name) == 0;
    (void)err;
    search->found = search->found || (meant && artifact->data_class == SONDE_DATA_HEAP);
    return 0;
}

bool people_may_see(struct call *call, const char *uid, const char *name)
{
    struct sonde_err err;
    struct heap_search search = {.name = name};
    if (call->may_heap) {
        return true;
    }
    if (name && strlen(name) >= sizeof(call->heap_name)) {
        call_fail(call, 404, "NotFound", "no capture has so long a name");
        return false;
    }
    if (sonde_db_artifacts(call->service->db, uid, look_for_heap, &search, &err) < 0) {
        call_fail_by(call, &err);
        return false;
    }
    if (search.found) {
        callers_admit_heap(call);
        return false;
    }
    size_t at = call->heap_runs[0][0] ? 1 : 0;
    (void)snprintf(call->heap_runs[at], sizeof(call->heap_runs[at]), "%s", uid);
    (void)snprintf(call->heap_name, sizeof(call->heap_name), "%s", name ? name : "");
    return true;
}

bool people_may_still_see(struct call *call)
{
    struct heap_search search = {.name = call->heap_name[0] ? call->heap_name : NULL};
    for (size_t i = 0; i < SONDE_LENGTH(call->heap_runs) && !call->may_heap; i++) {
        if (call->heap_runs[i][0] && sonde_db_artifacts(call->service->db, call->heap_runs[i],
                                                        look_for_heap, &search, NULL) < 0) {
            return false;
        }
    }
    return !search.found;
}

/* A name in the query; NULL: all are meant. */
static const char *capture_of(const struct call *call)
{
    const char *capture = sonde_exchange_query(call->exchange, "capture");
    return capture && capture[0] ? capture : NULL;
}

/* ---- rows ---- */

void put_run(const struct sonde_run *run, struct sonde_buf *buf)
{
    char created[SONDE_TIME_SIZE] = "";
    char completed[SONDE_TIME_SIZE] = "";
    sonde_time_format(run->created_ns, created);
    if (run->completed_ns) {
        sonde_time_format(run->completed_ns, completed);
    }
    const char *series = sonde_run_series(run);
    const struct {
        const char *name;
        const char *value;
    } fields[] = {
        {"name", run->name},           {"namespace", run->namespace},
        {"kind", run->kind},           {"state", sonde_run_state_name(run->state)},
        {"reason", run->reason},       {"message", run->message},
        {"created", created},          {"completed", completed},
        {"requester", run->requester}, {"series", series ? series : ""},
    };
    sonde_buf_printf(buf, "{\"uid\":\"%s\"", run->uid);
    for (size_t i = 0; i < SONDE_LENGTH(fields); i++) {
        sonde_buf_printf(buf, ",\"%s\":", fields[i].name);
        sonde_buf_json_string(buf, sonde_str(fields[i].value));
    }
    sonde_buf_char(buf, '}');
}

static int put_artifact(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    const char *slash = strchr(artifact->process, '/');
    struct sonde_str target = {artifact->process, slash ? (size_t)(slash - artifact->process) : 0};
    sonde_buf_text(buf, buf->data[buf->length - 1] == '[' ? "{\"id\":\"" : ",{\"id\":\"");
    sonde_buf_printf(buf, "%s.", artifact->run_uid);
    sonde_buf_text(buf, artifact->name); /* letters, digits and - . _ */
    sonde_buf_text(buf, "\",\"capture\":");
    sonde_buf_json_string(buf, sonde_str(artifact->capture));
    sonde_buf_text(buf, ",\"type\":");
    sonde_buf_json_string(buf, sonde_str(artifact->type));
    sonde_buf_text(buf, ",\"target\":");
    sonde_buf_json_string(buf, target);
    sonde_buf_text(buf, ",\"mediaType\":");
    sonde_buf_json_string(buf, sonde_str(artifact->media_type));
    sonde_buf_printf(buf, ",\"bytes\":%lld,\"sha256\":\"%s\"}", (long long)artifact->bytes,
                     artifact->sha256);
    return sonde_buf_check(buf, "the artifacts", err);
}

int put_artifacts(struct sonde_db *db, const char *uid, struct sonde_buf *buf,
                  struct sonde_err *err)
{
    sonde_buf_char(buf, '[');
    int r = sonde_buf_check(buf, "the artifacts", err);
    r = r < 0 ? r : sonde_db_artifacts(db, uid, put_artifact, buf, err);
    sonde_buf_char(buf, ']');
    return r;
}

static int list_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    sonde_buf_text(buf, buf->data[buf->length - 1] == '[' ? "" : ",");
    put_run(run, buf);
    return sonde_buf_check(buf, "the list", err);
}

void people_list(struct call *call)
{
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(STORE_ANSWER_MAX);
    const char *wanted = sonde_exchange_query(call->exchange, "limit");
    int64_t limit = 100;
    if (wanted && sonde_parse_i64(sonde_str(wanted), 1, SONDE_DB_RUNS_LISTED_MAX, &limit) < 0) {
        call_fail(call, 400, "Invalid", "limit is a number from 1 to 1000");
        return;
    }
    sonde_buf_text(&text, "{\"runs\":[");
    int r = sonde_buf_check(&text, "the list", &err);
    r = r < 0 ? r
              : sonde_db_runs(call->service->db, call->namespace[0] ? call->namespace : NULL,
                              (int)limit, list_run, &text, &err);
    sonde_buf_text(&text, "]}\n");
    if (r < 0) {
        call_fail_by(call, &err);
    } else {
        call_answer(call, 200, sonde_buf_view(&text));
    }
}

static int put_one(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    put_run(run, buf);
    if (buf->length) {
        buf->length--; /* its brace: more follows */
    }
    return sonde_buf_check(buf, "the run", err);
}

static int put_target(void *context, const struct sonde_target *target, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    sonde_buf_text(buf, buf->data[buf->length - 1] == '[' ? "{\"target\":" : ",{\"target\":");
    sonde_buf_json_string(buf, sonde_str(target->name));
    sonde_buf_printf(buf, ",\"phase\":\"%s\"", sonde_target_phase_name(target->phase));
    if (target->result[0]) {
        sonde_buf_text(buf, ",\"result\":");
        sonde_buf_text(buf, target->result);
    }
    sonde_buf_char(buf, '}');
    return sonde_buf_check(buf, "the targets", err);
}

void people_run(struct call *call)
{
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(STORE_ANSWER_MAX);
    struct sonde_db *db = call->service->db;
    if (!call_resolve(call)) {
        return;
    }
    int r = sonde_db_run_get(db, call->uid, put_one, &text, &err);
    sonde_buf_text(&text, ",\"targets\":[");
    r = r < 0 ? r : sonde_buf_check(&text, "the run", &err);
    r = r < 0 ? r : sonde_db_targets(db, call->uid, put_target, &text, &err);
    sonde_buf_text(&text, "],\"artifacts\":");
    r = r < 0 ? r : put_artifacts(db, call->uid, &text, &err);
    sonde_buf_text(&text, "}\n");
    r = r < 0 ? r : sonde_buf_check(&text, "the run", &err);
    if (r < 0) {
        call_fail_by(call, &err);
    } else {
        call_answer(call, 200, sonde_buf_view(&text));
    }
}

static int put_document(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    sonde_buf_text(buf, run->spec);
    return sonde_buf_check(buf, "the document", err);
}

void people_document(struct call *call)
{
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    if (!call_resolve(call)) {
        return;
    }
    if (sonde_db_run_get(call->service->db, call->uid, put_document, &text, &err) < 0) {
        call_fail_by(call, &err);
    } else {
        call_answer(call, 200, sonde_buf_view(&text));
    }
}

/* ---- reports and exports ---- */

/* The argument is "NUMBER CAPTURE", without a name: all captures. */
static void report(struct sonde_db *db, const char *uid, const char *argument,
                   const struct job_bounds *bounds, struct job_result *ret)
{
    const struct sonde_results_request request = {
        .capture = argument[2] ? argument + 2 : NULL,
        .format = (enum sonde_results_report_format)(argument[0] - '0'),
        .heap_bytes_max = bounds->heap_bytes,
    };
    if (sonde_results_report(db, uid, &request, &ret->text, &ret->err) == 0) {
        ret->status = 200;
        ret->media_type = sonde_results_report_media_type(request.format);
    }
}

static void add_report(struct call *call, enum sonde_results_report_format format,
                       const char *capture)
{
    char argument[SONDE_DB_ARTIFACT_NAME_MAX + 16];
    (void)snprintf(argument, sizeof(argument), "%c %.300s", (char)('0' + format),
                   capture ? capture : "");
    jobs_add(call, report, argument);
}

/* The index of a name in a list that ends with NULL, or -1. */
static int index_of(const char *const *names, const char *name)
{
    for (int i = 0; name && names[i]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

void people_report(struct call *call)
{
    const char *wanted = sonde_exchange_query(call->exchange, "format");
    int format = index_of(sonde_results_report_formats, wanted ? wanted : "text");
    if (format < 0) {
        call_fail(call, 400, "Invalid", "format is text, json or html");
        return;
    }
    const char *capture = capture_of(call);
    if (call_resolve(call) && people_may_see(call, call->uid, capture)) {
        people_log(call, "report");
        add_report(call, (enum sonde_results_report_format)format, capture);
    }
}

void people_findings(struct call *call)
{
    if (call_resolve(call) && people_may_see(call, call->uid, NULL)) {
        people_log(call, "findings");
        add_report(call, SONDE_RESULTS_JSON, NULL);
    }
}

/* The argument is "NUMBER UID CAPTURE": the second run, and a name or nothing. */
static void compare(struct sonde_db *db, const char *uid, const char *argument,
                    const struct job_bounds *bounds, struct job_result *ret)
{
    const struct sonde_results_request request = {
        .capture = argument[2 + SONDE_UUID_SIZE] ? argument + 2 + SONDE_UUID_SIZE : NULL,
        .format = (enum sonde_results_report_format)(argument[0] - '0'),
        .heap_bytes_max = bounds->heap_bytes,
    };
    char after[SONDE_UUID_SIZE];
    (void)snprintf(after, sizeof(after), "%s", argument + 2);
    if (sonde_results_compare(db, uid, after, &request, &ret->text, &ret->err) == 0) {
        ret->status = 200;
        ret->media_type = sonde_results_report_media_type(request.format);
    }
}

/* Both runs are looked for in the namespace that the person's rights were checked in. */
void people_compare(struct call *call)
{
    struct sonde_err err;
    const char *wanted = sonde_exchange_query(call->exchange, "format");
    const char *capture = capture_of(call);
    const char *runs[] = {sonde_exchange_query(call->exchange, "before"),
                          sonde_exchange_query(call->exchange, "after")};
    const char *namespace = call->namespace[0] ? call->namespace : NULL;
    char after[SONDE_UUID_SIZE];
    int format = index_of(sonde_results_report_formats, wanted ? wanted : "text");
    if (format < 0) {
        call_fail(call, 400, "Invalid", "format is text, json or html");
        return;
    }
    if (!runs[0] || !runs[1]) {
        call_fail(call, 400, "Invalid", "name two runs: before and after");
        return;
    }
    if (sonde_db_run_resolve(call->service->db, runs[0], namespace, call->uid, &err) < 0 ||
        sonde_db_run_resolve(call->service->db, runs[1], namespace, after, &err) < 0) {
        call_fail_by(call, &err);
        return;
    }
    if (!people_may_see(call, call->uid, capture) || !people_may_see(call, after, capture)) {
        return;
    }
    char argument[SONDE_DB_ARTIFACT_NAME_MAX + SONDE_UUID_SIZE + 16];
    (void)snprintf(argument, sizeof(argument), "%c %s %.300s", (char)('0' + format), after,
                   capture ? capture : "");
    people_log(call, argument + 2);
    jobs_add(call, compare, argument);
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    sonde_buf_append(buf, data, length);
    int r = sonde_buf_check(buf, "the export", err);
    return r == SONDE_ELIMIT
               ? sonde_fail(err, r, 0,
                            "it has more than %d MiB: ask with Accept-Encoding: zstd, as kubectl "
                            "sonde export --format raw does",
                            STORE_ANSWER_MAX >> 20)
               : r;
}

/* The argument is "NUMBER CAPTURE". */
static void export(struct sonde_db *db, const char *uid, const char *argument,
                   const struct job_bounds *bounds, struct job_result *ret)
{
    (void)bounds;
    enum sonde_results_format format = (enum sonde_results_format)(argument[0] - '0');
    struct sonde_output output = SONDE_OUTPUT(append, &ret->text);
    int r = sonde_results_export(db, uid, argument + 2, format, &output, &ret->err);
    sonde_output_fini(&output);
    if (r == 0) {
        ret->status = 200;
        ret->media_type = sonde_results_media_type(format);
    }
}

void people_export(struct call *call)
{
    const char *wanted = sonde_exchange_query(call->exchange, "format");
    int format = index_of(sonde_results_formats, wanted);
    if (format < 0) {
        call_fail(call, 400, "Invalid", "format is " SONDE_RESULTS_FORMATS_SAID);
        return;
    }
    const char *name = sonde_exchange_parameter(call->exchange, "name");
    if (!call_resolve(call) || !people_may_see(call, call->uid, name)) {
        return;
    }
    people_log(call, name);
    if (format == SONDE_RESULTS_RAW && download_wanted(call)) {
        struct sonde_err err;
        struct sonde_results_kept kept;
        if (sonde_results_raw_open(call->service->db, call->uid, name, &kept, &err) < 0) {
            call_fail_by_kept(call, &err);
        } else {
            download_begin(call, &kept, sonde_results_media_type(SONDE_RESULTS_RAW));
        }
        return;
    }
    char argument[SONDE_DB_ARTIFACT_NAME_MAX + 16];
    (void)snprintf(argument, sizeof(argument), "%c %.300s", (char)('0' + format), name);
    jobs_add(call, export, argument);
}

/* ---- one artifact ---- */

#define ARTIFACT_MEDIA_TYPE "application/octet-stream"

struct search {
    struct sonde_db *db;
    const char *name;
    struct sonde_buf *text; /* where it is read to; NULL: it is opened */
    struct sonde_results_kept kept;
    bool found;
};

static int find_artifact(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct search *search = context;
    if (strcmp(artifact->name, search->name) != 0) {
        return 0;
    }
    search->found = true;
    return search->text ? sonde_artifact_read(search->db, artifact, append, search->text, err)
                        : sonde_results_open(search->db, artifact, &search->kept, err);
}

static int find(struct search *search, const char *uid, struct sonde_err *err)
{
    int r = sonde_db_artifacts(search->db, uid, find_artifact, search, err);
    if (r == 0 && !search->found) {
        r = sonde_fail(err, SONDE_ENOTFOUND, 0, "the run has no artifact %.200s", search->name);
    }
    return r;
}

static void artifact(struct sonde_db *db, const char *uid, const char *argument,
                     const struct job_bounds *bounds, struct job_result *ret)
{
    (void)bounds;
    struct search search = {.db = db, .name = argument, .text = &ret->text};
    if (find(&search, uid, &ret->err) == 0) {
        ret->status = 200;
        ret->media_type = ARTIFACT_MEDIA_TYPE;
    }
}

/* The id is "UID.NAME". */
void people_artifact(struct call *call)
{
    struct sonde_err err;
    const char *id = sonde_exchange_parameter(call->exchange, "id");
    char uid[SONDE_UUID_SIZE];
    if (strlen(id) <= SONDE_UUID_SIZE || id[SONDE_UUID_SIZE - 1] != '.') {
        call_fail(call, 404, "NotFound", "an artifact's id is its run's uid, a dot and its name");
        return;
    }
    (void)snprintf(uid, sizeof(uid), "%.*s", SONDE_UUID_SIZE - 1, id);
    if (sonde_db_run_resolve(call->service->db, uid, call->namespace[0] ? call->namespace : NULL,
                             call->uid, &err) < 0) {
        call_fail_by(call, &err);
        return;
    }
    const char *name = id + SONDE_UUID_SIZE;
    if (!people_may_see(call, call->uid, name)) {
        return;
    }
    people_log(call, name);
    if (!download_wanted(call)) {
        jobs_add(call, artifact, name);
        return;
    }
    struct search search = {.db = call->service->db, .name = name, .kept = {.fd = -1}};
    if (find(&search, call->uid, &err) < 0) {
        sonde_closep(&search.kept.fd);
        call_fail_by_kept(call, &err);
    } else {
        download_begin(call, &search.kept, ARTIFACT_MEDIA_TYPE);
    }
}

/* ---- deletion ---- */

void people_delete(struct call *call)
{
    struct sonde_err err;
    if (!call_resolve(call)) {
        return;
    }
    loads_flush(call->service->loads); /* what was said of it belongs to nothing afterwards */
    if (sonde_db_run_delete(call->service->db, call->uid, &err) < 0) {
        call_fail_by(call, &err);
        return;
    }
    silence_forget(call->service->silence, call->uid, NULL);
    loads_drop(call->service->loads, call->uid);
    call->service->metrics.removed++;
    SONDE_LOG(&call->service->log, SONDE_LOG_INFO, "run deleted",
              SONDE_FIELD_STR("user", sonde_str(call->user)),
              SONDE_FIELD_STR("run", sonde_str(call->uid)));
    char text[96];
    (void)snprintf(text, sizeof(text), "{\"deleted\":\"%s\"}\n", call->uid);
    call_answer(call, 200, sonde_str(text));
}
