/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
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
     .help = "write there instead of standard output (short: -o FILE)"},
    {0},
};

struct destination {
    int fd;
    const char *name;
};

static int write_piece(void *context, const void *data, size_t length, struct sonde_err *err)
{
    const struct destination *destination = context;
    return sonde_write_all(destination->fd, data, length, destination->name, err);
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

static int export_run(struct sonde_db *db, const struct cli_call *call, int fd,
                      struct sonde_err *err)
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
    if (r == 0) {
        const char *file = call->settings.file;
        struct destination destination = {fd, file ? file : "standard output"};
        struct sonde_output output = SONDE_OUTPUT(write_piece, &destination);
        r = write_profile(&profile, call->settings.format, name.data, time_ns, &output, err);
        sonde_output_fini(&output);
    }
    sonde_profile_fini(&profile);
    return r;
}

int cli_export(struct cli_call *call)
{
    struct sonde_err err;
    struct sonde_db *db = NULL;
    const char *file = call->settings.file;
    SONDE_CLOSE int opened = -1;
    if (call->settings.format < 0) {
        (void)sonde_fail(&err, SONDE_EINVALID, 0,
                         "give --format cpuprofile, pprof, folded or speedscope");
        return cli_say_error(&err);
    }
    int r = store_open(&call->settings, &db, &err);
    if (r == 0 && file) {
        opened = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        r = opened < 0 ? sonde_fail(&err, SONDE_EDENIED, errno, "open %s", file) : 0;
    }
    r = r < 0 ? r : export_run(db, call, file ? opened : STDOUT_FILENO, &err);
    if (r < 0 && file && opened >= 0) {
        (void)unlink(file); /* no half of a file */
    }
    sonde_db_close(db);
    return r < 0 ? cli_say_error(&err) : SONDE_EXIT_DONE;
}
