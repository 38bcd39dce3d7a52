/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde check`: a run that is kept, against its thresholds, a baseline and a budget. */
#include "cli/check.h"

#include <stdio.h>

#include "base/file.h"
#include "cli/store.h"
#include "results/checks.h"
#include "results/regression.h"

enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_JUNIT, FORMAT_MARKDOWN };

const char *const check_formats[] = {"text", "json", "junit", "markdown", NULL};

const struct sonde_option cli_check_options[] = {
    CLI_CHECK_OPTIONS,
    {"format", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, format), .choices = check_formats,
     .argument = "text|json|junit|markdown",
     .help = "for a person, a program, a CI server, a comment (default: as --output)"},
    {"file", SONDE_OPTION_STRING, offsetof(struct cli_settings, file), .argument = "FILE",
     .help = "write there instead of standard output", .letter = 'o'},
    {0},
};

bool check_is_wanted(const struct cli_settings *settings)
{
    return settings->baseline || settings->budget;
}

int check_begin(const struct cli_settings *settings, struct check *ret, struct sonde_err *err)
{
    *ret = (struct check){.settings = settings, .text = SONDE_BUF(SONDE_CLI_DOCUMENT_MAX)};
    if (settings->baseline_runs && !settings->baseline) {
        return sonde_fail(err, SONDE_EINVALID, 0, "--baseline-runs needs --baseline");
    }
    if (settings->baseline && !settings->baseline[0]) {
        return sonde_fail(err, SONDE_EINVALID, 0, "--baseline is empty: give the name of a run");
    }
    if (!settings->budget) {
        return 0;
    }
    int r = sonde_read_input(settings->budget, &ret->text, err);
    return r < 0 ? r
                 : sonde_spec_parse_budget(settings->budget, sonde_buf_view(&ret->text),
                                           &ret->documents, &ret->budget, err);
}

void check_fini(struct check *check)
{
    sonde_buf_fini(&check->text);
    sonde_spec_documents_fini(&check->documents);
}

static int compare(struct sonde_db *db, const char *uid, const struct cli_settings *settings,
                   bool keep, struct sonde_regression *ret, struct sonde_err *err)
{
    const struct sonde_results_baseline baseline = {.strategy = SONDE_BASELINE_PINNED,
                                                    .runs = (size_t)settings->baseline_runs,
                                                    .run = settings->baseline};
    return (keep ? sonde_results_regress : sonde_results_regression)(db, uid, &baseline, ret, err);
}

static int check_it(const struct check *check, struct sonde_db *db, const char *uid, bool keep,
                    bool report, struct sonde_checks *ret, struct sonde_err *err)
{
    struct sonde_regression regression = {0};
    const struct cli_settings *settings = check->settings;
    int r = settings->baseline ? compare(db, uid, settings, keep, &regression, err) : 0;
    bool known = regression.message[0] != '\0';
    const struct sonde_results_checks_wanted wanted = {.budget = check->budget,
                                                       .regression = known ? &regression : NULL,
                                                       .report = report,
                                                       .heap_bytes_max = store_heap_bytes()};
    r = r < 0 ? r : sonde_results_checks(db, uid, &wanted, ret, err);
    sonde_regression_fini(&regression);
    return r;
}

int check_exit_code(enum sonde_check_kind verdict)
{
    static const int codes[] = {
        [SONDE_CHECK_RUN] = SONDE_EXIT_FAILED,
        [SONDE_CHECK_THRESHOLD] = SONDE_EXIT_THRESHOLD,
        [SONDE_CHECK_REGRESSION] = SONDE_EXIT_REGRESSION,
        [SONDE_CHECK_BUDGET] = SONDE_EXIT_BUDGET,
        [SONDE_CHECK_KINDS] = SONDE_EXIT_DONE,
    };
    return codes[verdict];
}

int check_run(const struct check *check, const char *uid, int code)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    struct sonde_checks checks;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    if (!check_is_wanted(check->settings)) {
        return code;
    }
    sonde_checks_init(&checks);
    int r = store_open(check->settings, &db, &err);
    r = r < 0 ? r : check_it(check, db, uid, true, false, &checks, &err);
    sonde_db_close(db);
    int own = r < 0 ? cli_say_error(&err) : check_exit_code(sonde_checks_verdict(&checks));
    if (r == 0) {
        sonde_checks_text(&checks, &text);
        (void)fputs(text.data ? text.data : "", stderr);
    }
    sonde_checks_fini(&checks);
    return code ? code : own;
}

static int print(const struct cli_call *call, const struct sonde_checks *checks)
{
    static void (*const prints[])(const struct sonde_checks *, struct sonde_buf *) = {
        [FORMAT_TEXT] = sonde_checks_text,
        [FORMAT_JSON] = sonde_checks_json,
        [FORMAT_JUNIT] = sonde_checks_junit,
        [FORMAT_MARKDOWN] = sonde_checks_markdown,
    };
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int format = call->settings.format >= 0 ? call->settings.format : call->settings.output;
    prints[format](checks, &text);
    int written = cli_write_output(&call->settings, &text);
    return written ? written : check_exit_code(sonde_checks_verdict(checks));
}

int cli_check(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    struct check check;
    struct sonde_checks checks;
    char uid[SONDE_UUID_SIZE];
    bool report = call->settings.format >= FORMAT_JUNIT;
    sonde_checks_init(&checks);
    int r = check_begin(&call->settings, &check, &err);
    r = r < 0 ? r : store_open(&call->settings, &db, &err);
    r = r < 0 ? r : sonde_db_run_resolve(db, call->arguments.positional[0], NULL, uid, &err);
    r = r < 0 ? r : check_it(&check, db, uid, false, report, &checks, &err);
    sonde_db_close(db);
    int code = r < 0 ? cli_say_error(&err) : print(call, &checks);
    sonde_checks_fini(&checks);
    check_fini(&check);
    return code;
}
