/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/output.h"
#include "cli/store.h"
#include "profile/cpuprofile.h"
#include "profile/formats.h"

enum export_format { FORMAT_CPUPROFILE, FORMAT_PPROF, FORMAT_FOLDED, FORMAT_SPEEDSCOPE };

static const char *const formats[] = {"cpuprofile", "pprof", "folded", "speedscope", NULL};

const struct sonde_option cli_export_options[] = {
    {"capture", SONDE_OPTION_STRING, offsetof(struct cli_settings, capture), .argument = "NAME",
     .help = "which; may be left out when the run has one"},
    {"format", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, format), .choices = formats,
     .argument = "FORMAT", .help = "cpuprofile, pprof, folded or speedscope"},
    {"file", SONDE_OPTION_STRING, offsetof(struct cli_settings, file), .argument = "FILE",
     .help = "write there instead of standard output", .letter = 'o'},
    {0},
};

static int write_piece(void *context, const void *data, size_t length, struct sonde_err *err)
{
    const struct output *output = context;
    return sonde_write_all(output->fd, data, length, output->name, err);
}

static int run_time(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(int64_t *)context = run->created_ns;
    return 0;
}

static int write_profile(const struct sonde_profile *profile, int format, const char *name,
                         int64_t time_ns, struct sonde_output *output, struct sonde_err *err)
{
    switch ((enum export_format)format) {
    case FORMAT_CPUPROFILE:
        return sonde_cpuprofile_write(profile, output, err);
    case FORMAT_PPROF:
        return sonde_pprof_write(profile, time_ns, output, err);
    case FORMAT_FOLDED:
        return sonde_folded_write(profile, output, err);
    case FORMAT_SPEEDSCOPE:
        return sonde_speedscope_write(profile, name, output, err);
    }
    return SONDE_EINTERNAL;
}

/* The file is opened when there is something to write. */
static int write_file(const struct cli_call *call, const struct sonde_profile *profile,
                      const char *name, int64_t time_ns, struct sonde_err *err)
{
    struct output file;
    int r = output_open(call->settings.file, &file, err);
    if (r == 0) {
        struct sonde_output output = SONDE_OUTPUT(write_piece, &file);
        r = write_profile(profile, call->settings.format, name, time_ns, &output, err);
        sonde_output_fini(&output);
    }
    r = r < 0 ? r : output_commit(&file, err);
    output_fini(&file);
    return r;
}

static int export_run(struct sonde_db *db, const struct cli_call *call, struct sonde_err *err)
{
    char uid[SONDE_UUID_SIZE];
    int64_t time_ns = 0;
    struct sonde_profile profile = {0};
    SONDE_BUF_AUTO name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    int r = sonde_db_run_resolve(db, call->arguments.positional[0], uid, err);
    r = r < 0 ? r : sonde_db_run_get(db, uid, run_time, &time_ns, err);
    if (r < 0) {
        return r;
    }
    r = store_load_profile(db, uid, call->settings.capture, &profile, &name, err);
    r = r < 0 ? r : write_file(call, &profile, name.data, time_ns, err);
    sonde_profile_fini(&profile);
    return r;
}

int cli_export(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    if (call->settings.format < 0) {
        (void)sonde_fail(&err, SONDE_EINVALID, 0,
                         "give --format cpuprofile, pprof, folded or speedscope");
        return cli_say_error(&err);
    }
    int r = store_open(&call->settings, &db, &err);
    r = r < 0 ? r : export_run(db, call, &err);
    sonde_db_close(db);
    return r < 0 ? cli_say_error(&err) : SONDE_EXIT_DONE;
}
