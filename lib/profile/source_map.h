/* SPDX-License-Identifier: Apache-2.0 */
/* Source maps (ECMA-426): regular and index maps, looked up by generated position. Pure. */
#ifndef SONDE_PROFILE_SOURCE_MAP_H
#define SONDE_PROFILE_SOURCE_MAP_H

#include "profile/profile.h"

enum {
    SONDE_SOURCE_MAP_BYTES_MAX = 24 << 20,
    SONDE_SOURCE_MAP_SEGMENTS_MAX = 1 << 21,
    SONDE_SOURCE_MAP_NAMES_MAX = 1 << 20, /* sources, or names */
};

struct sonde_source_map;

struct sonde_mapping {
    struct sonde_str source; /* as the map has it, behind its sourceRoot; a view */
    int32_t line, column;    /* 1-based */
    struct sonde_str name;   /* the original identifier, often empty; a view */
    int32_t segment_line;    /* where the mapping begins in the generated script, 1-based … */
    int32_t segment_column;  /* … and on that line */
    uint32_t source_number;  /* among the map's, from 0 */
};

/* The caller frees it. SONDE_EPARSE, SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_source_map_parse(struct sonde_str text, struct sonde_source_map **ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_source_map_free(struct sonde_source_map *map);

/* The mapping of the last segment at or before the generated position (1-based) on its line; with
 * column 0, of the line's first segment. */
bool sonde_source_map_find(const struct sonde_source_map *map, int32_t line, int32_t column,
                           struct sonde_mapping *ret);

/* The mappings in the order of the generated script, from 0 on; those without a source are passed
 * over. false: there is no further one. Begin with *at 0. */
bool sonde_source_map_next(const struct sonde_source_map *map, size_t *at,
                           struct sonde_mapping *ret);

/* How many sources it names. */
size_t sonde_source_map_sources(const struct sonde_source_map *map);

/* Appends the name of a mapping's source as the source positions have it: "../src/a.ts" of the
 * script "file:///app/dist/a.js" is "file:///app/src/a.ts". */
void sonde_source_map_file(struct sonde_str url, struct sonde_str source, struct sonde_buf *buf);

/* The URL in the last "//# sourceMappingURL=" (or the older "//@") of a script, or of its tail;
 * empty when none. */
struct sonde_str sonde_source_map_url(struct sonde_str script);

/* The text of a map in a "data:…;base64,…" URL, appended to ret. SONDE_EINVALID for other URLs. */
int sonde_source_map_inline(struct sonde_str url, struct sonde_buf *ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;

/* Takes a source, with its number as mappings have it, and its text; data NULL: the map does not
 * carry it. A negative code (with err filled) ends the walk. */
typedef int (*sonde_source_text_callback)(void *context, size_t number, struct sonde_str file,
                                          struct sonde_str text, struct sonde_err *err);

/* Passes on the sources of a map, with their texts as far as it carries them (sourcesContent), each
 * with the file name that sonde_profile_apply_source_map gives to frames of the script `url`.
 * SONDE_EPARSE, SONDE_ELIMIT, SONDE_ENOMEM, or the callback's code. */
int sonde_source_map_texts(struct sonde_str text, struct sonde_str url,
                           sonde_source_text_callback callback, void *context,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* Sets the source positions of all frames and lines of the script `url`. The engine's positions
 * stay, so a map that comes later, or a better one, can be applied at any time. V8 places a
 * function where its parameters begin: the identifier that ends just there, or before an "=", is
 * its name; another one is not (at that very place it is the first parameter's). */
int sonde_profile_apply_source_map(struct sonde_profile *profile, struct sonde_str url,
                                   const struct sonde_source_map *map,
                                   struct sonde_err *err) SONDE_MUST_CHECK;

#endif
