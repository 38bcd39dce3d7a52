/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store.h"
#include "results/results.h"

_Static_assert((int)CLI_OUTPUT_TEXT == (int)SONDE_RESULTS_TEXT &&
                   (int)CLI_OUTPUT_JSON == (int)SONDE_RESULTS_JSON,
               "--output names the first formats");

const struct sonde_option cli_report_options[] = {
    CLI_REPORT_FORMAT_OPTION,
    {"capture", SONDE_OPTION_STRING, offsetof(struct cli_settings, capture), .argument = "NAME",
     .help = "only this one (default: all of the run)"},
    {"file", SONDE_OPTION_STRING, offsetof(struct cli_settings, file), .argument = "FILE",
     .help = "write there instead of standard output", .letter = 'o'},
    {0},
};

int cli_report(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    char uid[SONDE_UUID_SIZE];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int format = call->settings.format >= 0 ? call->settings.format : call->settings.output;
    const struct sonde_results_request request = {
        .capture = call->settings.capture,
        .format = (enum sonde_results_report_format)format,
        .heap_bytes_max = store_heap_bytes(),
    };
    int r = store_open(&call->settings, &db, &err);
    r = r < 0 ? r : sonde_db_run_resolve(db, call->arguments.positional[0], NULL, uid, &err);
    r = r < 0 ? r : sonde_results_report(db, uid, &request, &text, &err);
    sonde_db_close(db);
    return r < 0 ? cli_say_error(&err) : cli_write_output(&call->settings, &text);
}
