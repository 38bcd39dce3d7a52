/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store.h"
#include "results/results.h"

const struct sonde_option cli_compare_options[] = {
    CLI_REPORT_FORMAT_OPTION,
    {"capture", SONDE_OPTION_STRING, offsetof(struct cli_settings, capture), .argument = "NAME",
     .help = "of both runs, or of one where the other has just one of its kind; may be left out "
             "when each has one"},
    {"file", SONDE_OPTION_STRING, offsetof(struct cli_settings, file), .argument = "FILE",
     .help = "write there instead of standard output", .letter = 'o'},
    {0},
};

int cli_compare(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    char before[SONDE_UUID_SIZE];
    char after[SONDE_UUID_SIZE];
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    int format = call->settings.format >= 0 ? call->settings.format : call->settings.output;
    const struct sonde_results_request request = {
        .capture = call->settings.capture,
        .format = (enum sonde_results_report_format)format,
        .heap_bytes_max = store_heap_bytes(),
    };
    int r = store_open(&call->settings, &db, &err);
    r = r < 0 ? r : sonde_db_run_resolve(db, call->arguments.positional[0], NULL, before, &err);
    r = r < 0 ? r : sonde_db_run_resolve(db, call->arguments.positional[1], NULL, after, &err);
    r = r < 0 ? r : sonde_results_compare(db, before, after, &request, &text, &err);
    sonde_db_close(db);
    return r < 0 ? cli_say_error(&err) : cli_write_output(&call->settings, &text);
}
