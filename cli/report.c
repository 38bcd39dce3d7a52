/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include <stdlib.h>

#include "analysis/report.h"
#include "base/clock.h"
#include "codec/json.h"
#include "inspector/inspector.h"

const struct sonde_option cli_report_options[] = {
    {"format", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, format), .choices = cli_outputs,
     .argument = "text|json", .help = "for a person, or for a program (default: as --output)"},
    {"capture", SONDE_OPTION_STRING, offsetof(struct cli_settings, capture), .argument = "NAME",
     .help = "only this one (default: all of the run)"},
    {"file", SONDE_OPTION_STRING, offsetof(struct cli_settings, file), .argument = "FILE",
     .help = "write there instead of standard output", .letter = 'o'},
    {0},
};

/* A run's row, copied: the database's own texts go with the next step. */
struct row {
    struct sonde_run run;
    char *texts[4]; /* name, reason, message, status */
};

static int copy_row(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct row *row = context;
    const char *const from[] = {run->name, run->reason, run->message, run->status};
    row->run = *run;
    for (size_t i = 0; i < SONDE_LENGTH(from); i++) {
        row->texts[i] = strdup(from[i]);
        if (!row->texts[i]) {
            return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
        }
    }
    return 0;
}

static void free_row(struct row *row)
{
    for (size_t i = 0; i < SONDE_LENGTH(row->texts); i++) {
        free(row->texts[i]);
    }
}

static void read_status(const cJSON *status, struct sonde_report *report)
{
    const cJSON *cost = cJSON_GetObjectItemCaseSensitive(status, "cost");
    const cJSON *loop = cJSON_GetObjectItemCaseSensitive(status, "eventLoop");
    report->target = sonde_json_string_or(status, "target", "");
    report->node_version = sonde_json_string_or(status, "nodeVersion", "");
    report->directory = sonde_json_string_or(status, "directory", "");
    report->cost = (struct sonde_report_cost){
        .measured = cJSON_IsObject(cost),
        .attach_ms = sonde_json_number_or(cost, "attachMilliseconds", 0),
        .inspector_open_s = sonde_json_number_or(cost, "inspectorOpenSeconds", 0),
        .start_stall_ms = sonde_json_number_or(cost, "startStallMilliseconds", 0),
        .stop_stall_ms = sonde_json_number_or(cost, "stopStallMilliseconds", 0),
        .rotations = sonde_json_integer_or(cost, "rotations", 0),
        .rotation_p50_ms = sonde_json_number_or(cost, "rotationStallP50Milliseconds", 0),
        .rotation_p99_ms = sonde_json_number_or(cost, "rotationStallP99Milliseconds", 0),
        .rotation_max_ms = sonde_json_number_or(cost, "rotationStallMaxMilliseconds", 0),
        .bytes = sonde_json_integer_or(cost, "bytes", 0),
    };
    report->loop = (struct sonde_report_loop){
        .measured = cJSON_IsObject(loop),
        .mean_ms = sonde_json_number_or(loop, "delayMeanMilliseconds", 0),
        .p50_ms = sonde_json_number_or(loop, "delayP50Milliseconds", 0),
        .p99_ms = sonde_json_number_or(loop, "delayP99Milliseconds", 0),
        .max_ms = sonde_json_number_or(loop, "delayMaxMilliseconds", 0),
        .utilization = sonde_json_number_or(loop, "utilization", 0),
    };
}

/* The captures of a report with what belongs to each. */
struct loaded {
    struct sonde_buf names[SONDE_CAPTURES_MAX];
    struct sonde_profile profiles[SONDE_CAPTURES_MAX];
    struct sonde_cpu_analysis analyses[SONDE_CAPTURES_MAX];
    struct sonde_report_capture captures[SONDE_CAPTURES_MAX];
    size_t count;
};

static void free_loaded(struct loaded *loaded)
{
    for (size_t i = 0; loaded && i < loaded->count; i++) {
        sonde_buf_fini(&loaded->names[i]);
        sonde_cpu_analysis_fini(&loaded->analyses[i]);
        sonde_profile_fini(&loaded->profiles[i]);
    }
    free(loaded);
}

static int add_name(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct loaded *loaded = context;
    if (strcmp(artifact->type, "CPUProfile") != 0) {
        return 0;
    }
    for (size_t i = 0; i < loaded->count; i++) {
        if (sonde_str_is(sonde_buf_view(&loaded->names[i]), artifact->capture)) {
            return 0;
        }
    }
    if (loaded->count == SONDE_CAPTURES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "more than %d captures", SONDE_CAPTURES_MAX);
    }
    struct sonde_buf *name = &loaded->names[loaded->count++];
    *name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    sonde_buf_text(name, artifact->capture);
    return sonde_buf_check(name, "a capture's name", err);
}

static int load_capture(struct sonde_db *db, const char *uid, struct loaded *loaded, size_t i,
                        struct sonde_err *err)
{
    struct sonde_profile *profile = &loaded->profiles[i];
    SONDE_BUF_AUTO found = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    int r = store_load_profile(db, uid, loaded->names[i].data, profile, &found, err);
    r = r < 0 ? r : sonde_cpu_analyze(profile, &loaded->analyses[i], err);
    loaded->captures[i] = (struct sonde_report_capture){
        .name = loaded->names[i].data,
        .duration_s = (double)(profile->end_us - profile->start_us) / 1e6,
        .profile = profile,
        .analysis = &loaded->analyses[i],
    };
    return r;
}

/* All captures of the run, or the one that was asked for. */
static int load_captures(struct sonde_db *db, const char *uid, const char *wanted,
                         struct loaded *loaded, struct sonde_err *err)
{
    struct sonde_artifact only = {.capture = wanted, .type = "CPUProfile"};
    int r =
        wanted ? add_name(loaded, &only, err) : sonde_db_artifacts(db, uid, add_name, loaded, err);
    for (size_t i = 0; i < loaded->count && r == 0; i++) {
        r = load_capture(db, uid, loaded, i, err);
    }
    return r;
}

static int print_row(struct sonde_db *db, const struct row *row, const char *capture, bool json,
                     struct sonde_buf *buf, struct sonde_err *err)
{
    SONDE_JSON_AUTO *status = NULL;
    char created[SONDE_TIME_SIZE];
    int r = sonde_json_parse(sonde_str(row->texts[3]), &status, err);
    if (r < 0) {
        return r;
    }
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    if (!loaded) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sonde_time_format(row->run.created_ns, created);
    struct sonde_report report = {
        .name = row->texts[0],
        .uid = row->run.uid,
        .state = sonde_run_state_name(row->run.state),
        .reason = row->texts[1],
        .message = row->texts[2],
        .created = created,
    };
    read_status(status, &report);
    r = load_captures(db, row->run.uid, capture, loaded, err);
    if (r == 0) {
        report.captures = loaded->captures;
        report.capture_count = loaded->count;
        (json ? sonde_report_json : sonde_report_text)(&report, buf);
        r = sonde_buf_check(buf, "the report", err);
    }
    free_loaded(loaded);
    return r;
}

static int print_run(struct sonde_db *db, const char *uid, const char *capture, bool json,
                     struct sonde_buf *buf, struct sonde_err *err)
{
    struct row row = {0};
    int r = sonde_db_run_get(db, uid, copy_row, &row, err);
    r = r < 0 ? r : print_row(db, &row, capture, json, buf, err);
    free_row(&row);
    return r;
}

int report_print(struct sonde_db *db, const char *uid, bool json, struct sonde_buf *buf,
                 struct sonde_err *err)
{
    return print_run(db, uid, NULL, json, buf, err);
}

int cli_report(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    char uid[SONDE_UUID_SIZE];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int format = call->settings.format >= 0 ? call->settings.format : call->settings.output;
    int r = store_open(&call->settings, &db, &err);
    r = r < 0 ? r : sonde_db_run_resolve(db, call->arguments.positional[0], uid, &err);
    r = r < 0 ? r
              : print_run(db, uid, call->settings.capture, format == CLI_OUTPUT_JSON, &text, &err);
    sonde_db_close(db);
    return r < 0 ? cli_say_error(&err) : cli_write_output(&call->settings, &text);
}
