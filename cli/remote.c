/* SPDX-License-Identifier: Apache-2.0 */
/* runs, report, export and delete in a cluster: what the store there has. */
#include <string.h>

#include "base/file.h"
#include "cli/cluster.h"
#include "cli/output.h"
#include "codec/json.h"
#include "results/results.h"
#include "spec/artifact.h"

enum { PATH_SIZE = 1024 };

static const char *in_namespace(const struct cluster *cluster)
{
    return cluster->namespace[0] ? cluster->namespace : NULL;
}

static int finish(struct cluster *cluster, int r, const struct sonde_err *err)
{
    cluster_close(cluster);
    return r < 0 ? cli_say_error(err) : SONDE_EXIT_DONE;
}

/* ---- runs ---- */

enum { COLUMNS = 7 };
static const char *const columns[COLUMNS] = {"uid",   "namespace", "name",   "kind",
                                             "state", "reason",    "created"};
static const char *const headings[COLUMNS] = {"UID",   "NAMESPACE", "NAME",   "KIND",
                                              "STATE", "REASON",    "CREATED"};

static void put_row(struct sonde_buf *text, bool all, const char *const cells[COLUMNS])
{
    sonde_buf_printf(text,
                     all ? "%-10.8s %-20s %-24s %-10s %-10s %-20s %s\n"
                         : "%-10.8s %.0s%-24s %-10s %-10s %-20s %s\n",
                     cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]);
}

static int put_rows(const struct sonde_buf *answer, bool all, struct sonde_buf *text,
                    struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    const cJSON *run;
    bool any = false;
    int r = sonde_json_parse_up_to(sonde_buf_view(answer), SONDE_CLI_OUTPUT_MAX, &json, err);
    if (r < 0) {
        return r;
    }
    cJSON_ArrayForEach(run, cJSON_GetObjectItemCaseSensitive(json, "runs"))
    {
        if (!any) {
            put_row(text, all, headings);
        }
        any = true;
        const char *cells[COLUMNS];
        for (size_t i = 0; i < COLUMNS; i++) {
            cells[i] = sonde_json_string_or(run, columns[i], "");
        }
        put_row(text, all, cells);
    }
    sonde_buf_text(text, any ? "" : "no runs yet\n");
    return sonde_buf_check(text, "the list", err);
}

int cluster_runs(struct cli_call *call)
{
    struct sonde_err err;
    struct cluster cluster;
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    bool json = call->settings.output == CLI_OUTPUT_JSON;
    int r = cluster_open(&call->settings, &cluster, &err);
    if (r == 0) {
        const char *const query[] = {"namespace", in_namespace(&cluster), "limit", "1000", NULL};
        r = cluster_ask_store(&cluster, "GET", "runs", query, &answer, &err);
    }
    r = r < 0 || json ? r : put_rows(&answer, call->settings.all_namespaces, &text, &err);
    cluster_close(&cluster);
    return r < 0 ? cli_say_error(&err) : cli_write_output(&call->settings, json ? &answer : &text);
}

/* ---- report ---- */

int cluster_report(struct cli_call *call)
{
    struct sonde_err err;
    struct cluster cluster;
    char path[PATH_SIZE];
    const char *run = call->arguments.positional[0];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int format = call->settings.format >= 0 ? call->settings.format : call->settings.output;
    int r = cluster_open(&call->settings, &cluster, &err);
    r = r < 0 ? r : cluster_check_name("run", run, &err);
    if (r == 0) {
        const char *const query[] = {"namespace", in_namespace(&cluster),
                                     "capture",   call->settings.capture,
                                     "format",    sonde_results_report_formats[format],
                                     NULL};
        (void)snprintf(path, sizeof(path), "runs/%s/report", run);
        r = cluster_ask_store(&cluster, "GET", path, query, &text, &err);
    }
    cluster_close(&cluster);
    return r < 0 ? cli_say_error(&err) : cli_write_output(&call->settings, &text);
}

int cluster_compare(struct cli_call *call)
{
    struct sonde_err err;
    struct cluster cluster;
    const char *before = call->arguments.positional[0];
    const char *after = call->arguments.positional[1];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int format = call->settings.format >= 0 ? call->settings.format : call->settings.output;
    int r = cluster_open(&call->settings, &cluster, &err);
    r = r < 0 ? r : cluster_check_name("run", before, &err);
    r = r < 0 ? r : cluster_check_name("run", after, &err);
    if (r == 0) {
        const char *const query[] = {"namespace", in_namespace(&cluster),
                                     "before",    before,
                                     "after",     after,
                                     "capture",   call->settings.capture,
                                     "format",    sonde_results_report_formats[format],
                                     NULL};
        r = cluster_ask_store(&cluster, "GET", "compare", query, &text, &err);
    }
    cluster_close(&cluster);
    return r < 0 ? cli_say_error(&err) : cli_write_output(&call->settings, &text);
}

/* ---- export ---- */

/* The run's only capture. */
static int find_capture(struct cluster *cluster, const char *run, char *ret, size_t size,
                        struct sonde_err *err)
{
    char path[PATH_SIZE];
    const char *const query[] = {"namespace", in_namespace(cluster), NULL};
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    SONDE_JSON_AUTO *json = NULL;
    const cJSON *artifact;
    ret[0] = '\0';
    (void)snprintf(path, sizeof(path), "runs/%s", run);
    int r = cluster_ask_store(cluster, "GET", path, query, &answer, err);
    r = r < 0 ? r
              : sonde_json_parse_up_to(sonde_buf_view(&answer), SONDE_CLI_OUTPUT_MAX, &json, err);
    cJSON_ArrayForEach(artifact, cJSON_GetObjectItemCaseSensitive(json, "artifacts"))
    {
        const char *name = sonde_json_string_or(artifact, "capture", "");
        const char *type = sonde_json_string_or(artifact, "type", "");
        if (sonde_artifact_is_aside(type)) {
            continue;
        }
        if (ret[0] && strcmp(ret, name) != 0) {
            return sonde_fail(err, SONDE_EINVALID, 0,
                              "the run has several captures, among them %s and %.63s: give "
                              "--capture NAME",
                              ret, name);
        }
        (void)snprintf(ret, size, "%s", name);
    }
    return r == 0 && !ret[0]
               ? sonde_fail(err, SONDE_ENOTFOUND, 0, "the run %.200s has no capture", run)
               : r;
}

static int write_piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    const struct output *file = context;
    return sonde_write_all(file->fd, data, length, file->name, err);
}

static int write_export(struct cluster *cluster, const char *run, const char *capture,
                        const struct cli_settings *settings, struct sonde_err *err)
{
    char path[PATH_SIZE];
    struct output file;
    const char *const query[] = {"namespace", in_namespace(cluster), "format",
                                 sonde_results_formats[settings->format], NULL};
    (void)snprintf(path, sizeof(path), "runs/%s/captures/%s", run, capture);
    int r = output_open(settings->file, &file, err);
    r = r < 0 ? r : cluster_stream_store(cluster, path, query, write_piece, &file, err);
    r = r < 0 ? r : output_commit(&file, err);
    output_fini(&file);
    return r;
}

int cluster_export(struct cli_call *call)
{
    struct sonde_err err;
    struct cluster cluster;
    char only[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    const char *capture = call->settings.capture ? call->settings.capture : "";
    const char *run = call->arguments.positional[0];
    int r = cluster_open(&call->settings, &cluster, &err);
    r = r < 0 ? r : cluster_check_name("run", run, &err);
    if (r == 0 && call->settings.format < 0) {
        r = sonde_fail(&err, SONDE_EINVALID, 0, "give --format " SONDE_RESULTS_FORMATS_SAID);
    }
    if (r == 0 && capture[0]) {
        r = cluster_check_name("capture", capture, &err);
    } else if (r == 0) {
        r = find_capture(&cluster, run, only, sizeof(only), &err);
        capture = only;
    }
    r = r < 0 ? r : write_export(&cluster, run, capture, &call->settings, &err);
    return finish(&cluster, r, &err);
}

/* ---- delete ---- */

/* The object may be gone already, or be another one of the name. */
static int delete_object(struct cluster *cluster, const cJSON *run, struct sonde_err *err)
{
    char body[200];
    const struct sonde_kind *kind = cluster_kind(sonde_json_string_or(run, "kind", ""));
    const struct sonde_kube_resource resource =
        cluster_resource(kind ? kind : &sonde_kind_profile_run);
    struct sonde_kube_target target = {&resource, sonde_json_string_or(run, "namespace", ""),
                                       sonde_json_string_or(run, "name", ""), NULL, NULL};
    (void)snprintf(body, sizeof(body),
                   "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":"
                   "\"%.36s\"}}",
                   sonde_json_string_or(run, "uid", ""));
    int r = cluster_ask(cluster, "DELETE", &target, sonde_str(body), NULL, err);
    return r == SONDE_ENOTFOUND || r == SONDE_ECONFLICT ? 0 : r;
}

int cluster_delete(struct cli_call *call)
{
    struct sonde_err err;
    struct cluster cluster;
    char path[PATH_SIZE];
    SONDE_JSON_AUTO *run = NULL;
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    const char *name = call->arguments.positional[0];
    const char *uid = "";
    int r = cluster_open(&call->settings, &cluster, &err);
    r = r < 0 ? r : cluster_check_name("run", name, &err);
    if (r == 0) {
        const char *const query[] = {"namespace", in_namespace(&cluster), NULL};
        (void)snprintf(path, sizeof(path), "runs/%s", name);
        r = cluster_ask_store(&cluster, "GET", path, query, &answer, &err);
        r = r < 0
                ? r
                : sonde_json_parse_up_to(sonde_buf_view(&answer), SONDE_CLI_OUTPUT_MAX, &run, &err);
        uid = sonde_json_string_or(run, "uid", "");
        (void)snprintf(path, sizeof(path), "runs/%.36s", uid);
        sonde_buf_clear(&answer);
        r = r < 0 ? r : cluster_ask_store(&cluster, "DELETE", path, query, &answer, &err);
        r = r < 0 ? r : delete_object(&cluster, run, &err);
    }
    if (r == 0) {
        bool json = call->settings.output == CLI_OUTPUT_JSON;
        (void)printf(json ? "{\"deleted\":\"%s\"}\n" : "deleted %s\n", uid);
    }
    return finish(&cluster, r, &err);
}
