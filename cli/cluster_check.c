/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster_check.h"

#include <stdio.h>
#include <string.h>

#include "codec/json.h"

enum { PATH_SIZE = 1024 };

/* Where it is looked for, and what it is held against. */
struct asked {
    struct cluster *cluster;
    const char *namespace, *run;
    const struct check *check;
};

int cluster_check_begin(const struct cli_settings *settings, struct check *ret,
                        struct sonde_err *err)
{
    const char *baseline = settings->baseline;
    int r = check_begin(settings, ret, err);
    r = r < 0 || !baseline ? r : cluster_check_name("run", baseline, err);
    if (r == 0 && baseline && (strlen(baseline) > SONDE_DB_NAME_MAX || strchr(baseline, '\n'))) {
        r = sonde_fail(err, SONDE_EINVALID, 0, "--baseline \"%.100s\": no run is called so",
                       baseline);
    }
    if (r == 0 && ret->text.length > SONDE_BUDGET_BYTES_MAX) {
        r = sonde_fail(err, SONDE_EINVALID, 0,
                       "%s: it has %zu bytes, and a cluster takes %d: leave out its comments",
                       settings->budget, ret->text.length, SONDE_BUDGET_BYTES_MAX);
    }
    return r;
}

static int ask(const struct asked *asked, const char *format, struct sonde_buf *ret,
               struct sonde_err *err)
{
    char path[PATH_SIZE];
    char runs[24] = "";
    const struct check *check = asked->check;
    const struct cli_settings *settings = check->settings;
    (void)snprintf(path, sizeof(path), "runs/%s/check", asked->run);
    (void)snprintf(runs, sizeof(runs), "%lld", (long long)settings->baseline_runs);
    const char *const query[] = {
        "namespace",        asked->namespace, "baseline",
        settings->baseline, "runs",           settings->baseline_runs ? runs : NULL,
        "format",           format,           NULL};
    return check->budget ? cluster_post_store(asked->cluster, path, query,
                                              sonde_buf_view(&check->text), ret, err)
                         : cluster_ask_store(asked->cluster, "GET", path, query, ret, err);
}

/* The verdict stands in the JSON alone. */
static int read_verdict(const struct sonde_buf *answer, enum sonde_check_kind *ret,
                        struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    int r = sonde_json_parse_up_to(sonde_buf_view(answer), SONDE_CLI_OUTPUT_MAX, &json, err);
    if (r < 0) {
        return r;
    }
    const char *word = sonde_json_string_or(json, "verdict", "");
    for (int kind = 0; kind < SONDE_CHECK_KINDS; kind++) {
        if (strcmp(word, sonde_check_kind_word((enum sonde_check_kind)kind)) == 0) {
            *ret = (enum sonde_check_kind)kind;
            return 0;
        }
    }
    *ret = SONDE_CHECK_KINDS;
    return strcmp(word, "Passed") == 0
               ? 0
               : sonde_fail(err, SONDE_EPROTOCOL, 0, "the store: there is no verdict \"%.50s\"",
                            word);
}

/* Both from what is kept, which does not change any more. */
static int ask_both(const struct asked *asked, const char *format, struct sonde_buf *ret,
                    enum sonde_check_kind *ret_verdict, struct sonde_err *err)
{
    SONDE_BUF_AUTO json = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int r = ask(asked, "json", &json, err);
    r = r < 0 ? r : read_verdict(&json, ret_verdict, err);
    if (r == 0 && strcmp(format, "json") == 0) {
        sonde_buf_str(ret, sonde_buf_view(&json));
        return sonde_buf_check(ret, "the checks", err);
    }
    return r < 0 ? r : ask(asked, format, ret, err);
}

int cluster_check_run(struct cluster *cluster, const struct check *check, const char *namespace,
                      const char *uid)
{
    struct sonde_err err;
    enum sonde_check_kind verdict = SONDE_CHECK_KINDS;
    const struct asked asked = {cluster, namespace, uid, check};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    if (!check_is_wanted(check->settings)) {
        return SONDE_EXIT_DONE;
    }
    if (ask_both(&asked, "text", &text, &verdict, &err) < 0) {
        return cli_say_error(&err);
    }
    (void)fputs(text.data ? text.data : "", stderr);
    return check_exit_code(verdict);
}

int cluster_check(struct cli_call *call)
{
    struct sonde_err err;
    struct check check;
    struct cluster cluster = {0};
    enum sonde_check_kind verdict = SONDE_CHECK_KINDS;
    const struct cli_settings *settings = &call->settings;
    const char *run = call->arguments.positional[0];
    int format = settings->format >= 0 ? settings->format : settings->output;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int r = cluster_check_begin(settings, &check, &err);
    r = r < 0 ? r : cluster_check_name("run", run, &err);
    r = r < 0 ? r : cluster_open(settings, &cluster, &err);
    if (r == 0) {
        const struct asked asked = {&cluster, cluster.namespace[0] ? cluster.namespace : NULL, run,
                                    &check};
        r = ask_both(&asked, check_formats[format], &text, &verdict, &err);
    }
    cluster_close(&cluster);
    check_fini(&check);
    if (r < 0) {
        return cli_say_error(&err);
    }
    int written = cli_write_output(settings, &text);
    return written ? written : check_exit_code(verdict);
}
