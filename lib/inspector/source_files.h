/* SPDX-License-Identifier: Apache-2.0 */
/* What a profile refers to in the target's file system: source maps, and the versions of packages.
 * Read through the target's root directory, never through the target. */
#ifndef SONDE_INSPECTOR_SOURCE_FILES_H
#define SONDE_INSPECTOR_SOURCE_FILES_H

#include "base/err.h"
#include "profile/profile.h"

enum {
    SONDE_SCRIPTS_MAX = 512,          /* application scripts looked into */
    SONDE_SCRIPT_TAIL_MAX = 16 << 20, /* bytes read at the end of one: an inline map lies there */
    SONDE_MAP_SOURCES_MAX = 1 << 20,  /* bytes of a map whose sources are looked for */
    SONDE_SOURCE_FILE_MAX = 1 << 20,  /* bytes of such a source */
    SONDE_SOURCE_FILES_MAX = 4096,
    SONDE_PACKAGES_MAX = 1024,
    SONDE_PACKAGE_JSON_MAX = 1 << 20,
};

struct sonde_source_files {
    void *context;
    /* The text of the map of the script `url`. */
    int (*map)(void *context, struct sonde_str url, struct sonde_str text, struct sonde_err *err);
    /* The whole text of a source that a map names and does not carry, as
     * sonde_source_map_file names it. */
    int (*source)(void *context, struct sonde_str file, struct sonde_str text,
                  struct sonde_err *err);
    /* The whole text of the script, of at most SONDE_SCRIPT_TAIL_MAX bytes, without a byte order
     * mark, which Node.js leaves out, too; and whether it has a map. */
    int (*script)(void *context, struct sonde_str url, struct sonde_str text, bool mapped,
                  struct sonde_err *err);
    /* The version in `directory`/package.json; directory as the script's URL begins. */
    int (*package)(void *context, struct sonde_str directory, const char *version,
                   struct sonde_err *err);
};

/* Calls back for each application script of the profile, also with its map and what that refers to
 * (of the application, and by its name a source of JavaScript or what is made into it), and for
 * each package.
 * root: a directory descriptor (/proc/PID/root), which paths and links cannot leave. Files that are
 * missing or malformed are passed over; a callback's negative code ends the call with it. */
int sonde_source_files_read(int root, const struct sonde_profile *profile,
                            const struct sonde_source_files *callbacks,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
