/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "spec/spec.h"

const struct sonde_option cli_spec_options[] = {
    {"directory", SONDE_OPTION_STRING, offsetof(struct cli_settings, directory), .argument = "DIR",
     .help = "write each file there instead of all to standard output"},
    {0},
};

static int write_file(void *context, const char *name, struct sonde_str text, struct sonde_err *err)
{
    const int *directory = context;
    SONDE_CLOSE int fd = openat(*directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "open %s", name);
    }
    return sonde_write_all(fd, text.data, text.length, name, err);
}

static int print_text(void *context, const char *name, struct sonde_str text, struct sonde_err *err)
{
    (void)context;
    (void)name;
    return sonde_write_all(STDOUT_FILENO, text.data, text.length, "standard output", err);
}

int cli_spec(struct cli_call *call)
{
    struct sonde_err err;
    const char *what = call->arguments.positional[0];
    const char *folder = call->settings.directory;
    bool crds = strcmp(what, "crds") == 0;
    if (!crds && strcmp(what, "reference") != 0) {
        (void)sonde_fail(&err, SONDE_EINVALID, 0, "sonde spec prints crds or reference, not %s",
                         what);
        return cli_say_error(&err);
    }
    SONDE_CLOSE int directory = -1;
    int r = 0;
    if (folder) {
        r = sonde_make_directories(folder, &err);
        directory = r < 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = r == 0 && directory < 0 ? sonde_fail(&err, SONDE_EIO, errno, "open %s", folder) : r;
    }
    r = r < 0 ? r
              : sonde_spec_files(crds ? SONDE_SPEC_CRDS : SONDE_SPEC_REFERENCE,
                                 folder ? write_file : print_text, &directory, &err);
    return r < 0 ? cli_say_error(&err) : SONDE_EXIT_DONE;
}
