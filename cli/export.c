/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "cli/output.h"
#include "cli/store.h"
#include "results/results.h"

const struct sonde_option cli_export_options[] = {
    {"capture", SONDE_OPTION_STRING, offsetof(struct cli_settings, capture), .argument = "NAME",
     .help = "which; may be left out when the run has one"},
    {"format", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, format),
     .choices = sonde_results_formats, .argument = "FORMAT", .help = SONDE_RESULTS_FORMATS_SAID},
    {"file", SONDE_OPTION_STRING, offsetof(struct cli_settings, file), .argument = "FILE",
     .help = "write there instead of standard output", .letter = 'o'},
    {0},
};

static int write_piece(void *context, const void *data, size_t length, struct sonde_err *err)
{
    const struct output *output = context;
    return sonde_write_all(output->fd, data, length, output->name, err);
}

static int export_run(struct sonde_db *db, const struct cli_call *call, struct sonde_err *err)
{
    char uid[SONDE_UUID_SIZE];
    struct output file;
    int r = sonde_db_run_resolve(db, call->arguments.positional[0], NULL, uid, err);
    if (r < 0) {
        return r;
    }
    r = output_open(call->settings.file, &file, err);
    if (r == 0) {
        struct sonde_output output = SONDE_OUTPUT(write_piece, &file);
        r = sonde_results_export(db, uid, call->settings.capture,
                                 (enum sonde_results_format)call->settings.format, &output, err);
        sonde_output_fini(&output);
    }
    r = r < 0 ? r : output_commit(&file, err);
    output_fini(&file);
    return r;
}

int cli_export(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    if (call->settings.format < 0) {
        (void)sonde_fail(&err, SONDE_EINVALID, 0, "give --format " SONDE_RESULTS_FORMATS_SAID);
        return cli_say_error(&err);
    }
    int r = store_open(&call->settings, &db, &err);
    r = r < 0 ? r : export_run(db, call, &err);
    sonde_db_close(db);
    return r < 0 ? cli_say_error(&err) : SONDE_EXIT_DONE;
}
