/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored beside a capture so that it can be read later: its source maps, the texts of the
 * application's scripts that have none and of sources that maps do not carry,
 * {"sources":[{"url","text"}]}, and a document that says which map belongs to which script, which
 * version a package has, for coverage, which counts in offsets, how long the lines of scripts are,
 * in UTF-16 units, and for CPU profiles when worker threads waited (sonde_wait_recorder_print):
 * {"maps":[{"url","artifact"}],"packages":[{"directory","version"}],"lines":[{"url","lengths"}],
 * "waits":[{"process","startMicroseconds","stretches"}]}.
 */
#ifndef SONDE_INSPECTOR_CONTEXT_H
#define SONDE_INSPECTOR_CONTEXT_H

#include "inspector/source_files.h"

/* What of it is wanted: maps and versions, with the texts too, with the lengths of lines too. */
enum sonde_context_kind { SONDE_CONTEXT_PLACES, SONDE_CONTEXT_TEXTS, SONDE_CONTEXT_OFFSETS };

enum {
    SONDE_CONTEXT_MAX = 4 << 20,                            /* bytes of the document */
    SONDE_CONTEXT_WAITS_MAX = SONDE_CONTEXT_MAX / 4 - 4096, /* bytes of `waits` */
    SONDE_CONTEXT_NAME_MAX = 300,                           /* bytes of an artifact's name */
    /* Bytes of JSON of a script's text, and of all of a capture's; what is beyond is left out. */
    SONDE_CONTEXT_SOURCE_MAX = 1 << 20,
    SONDE_CONTEXT_SOURCES_MAX = 16 << 20,
};

/* Takes one artifact; type: of spec/artifact.h. A negative code ends the writing with it. */
typedef int (*sonde_context_function)(void *context, const char *name, const char *type,
                                      struct sonde_str text, struct sonde_err *err);

/* Reads what the scripts of the profile refer to below root (see sonde_source_files_read), and
 * calls `put` for each map (PREFIX.source-map.N), for texts (PREFIX.sources.N) and at last for the
 * document (PREFIX.context).
 * waits: what sonde_visit_print_waits gave of all processes, with commas between. */
int sonde_context_write(int root, const struct sonde_profile *profile, enum sonde_context_kind kind,
                        struct sonde_str waits, const char *prefix, sonde_context_function put,
                        void *context, struct sonde_err *err) SONDE_MUST_CHECK;
/* Which kind an artifact of that type (of spec/artifact.h) needs. */
enum sonde_context_kind sonde_context_kind_of(const char *type);

#endif
