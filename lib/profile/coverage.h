/* SPDX-License-Identifier: Apache-2.0 */
/* V8's precise coverage: which functions and blocks ran, and how often. Read in pieces and written,
 * as NODE_V8_COVERAGE has it; the result of Profiler.takePreciseCoverage is the same. Pure. */
#ifndef SONDE_PROFILE_COVERAGE_H
#define SONDE_PROFILE_COVERAGE_H

#include "profile/output.h"
#include "profile/profile.h"
#include "profile/source_map.h"

enum {
    SONDE_COVERAGE_BYTES_MAX = 64 << 20, /* of memory, all in all; with what a file takes while it
                                            is read less than 128 MiB */
    SONDE_COVERAGE_TEXT_MAX = 8 << 20,   /* bytes of all names */
    SONDE_COVERAGE_SCRIPTS_MAX = 1 << 15,
    SONDE_COVERAGE_FUNCTIONS_MAX = 1 << 18,
    SONDE_COVERAGE_SEGMENTS_MAX = 1 << 20,
    SONDE_COVERAGE_LINES_MAX = 1 << 20,  /* of all scripts */
    SONDE_COVERAGE_STRING_MAX = 8 << 20, /* bytes of one string in a file: a map holds sources */
};
#define SONDE_COVERAGE_COUNT_MAX (UINT64_C(1) << 53)

struct sonde_coverage_script {
    struct sonde_str url;
    enum sonde_category category;
    struct sonde_str package;
    uint32_t first_line, line_count; /* where its lines begin; none: unknown */
    uint32_t end;                    /* of the function that ends last */
};

/* A stretch of a function without a change in how often it ran, in UTF-16 units of the script. */
struct sonde_coverage_segment {
    uint32_t start, end;
    uint64_t count;
};

struct sonde_coverage_function {
    struct sonde_str name;
    uint32_t script;
    uint32_t start, end;
    uint64_t count; /* calls */
    uint32_t first_segment, segment_count;
};

/* What a source map says of a function. */
struct sonde_coverage_source {
    struct sonde_position at; /* file empty: nothing */
    struct sonde_str name;    /* empty: as the engine names it */
    enum sonde_category category;
};

/* The lines of the source that a stretch lies on, through a source map; 0: unknown. */
struct sonde_coverage_place {
    int32_t line, last_line;
};

struct sonde_coverage {
    struct sonde_arena text;
    struct sonde_map texts, script_index, function_index;
    struct sonde_coverage_script *scripts;
    size_t script_count, script_capacity;
    struct sonde_coverage_function *functions;
    size_t function_count, function_capacity;
    struct sonde_coverage_segment *segments;
    size_t segment_count, segment_capacity;
    uint32_t *lines; /* offsets at which lines begin */
    size_t line_count, line_capacity;
    struct sonde_budget budget;
    unsigned files; /* added */
    /* By function and by segment; NULL: no source map was applied. */
    struct sonde_coverage_source *sources;
    struct sonde_coverage_place *places;
};

/* An empty one, of SONDE_COVERAGE_BYTES_MAX of memory: its budget may be made smaller. What adds to
 * it ends with SONDE_ELIMIT when there is no room. */
void sonde_coverage_init(struct sonde_coverage *coverage);
void sonde_coverage_fini(struct sonde_coverage *coverage);

struct sonde_coverage_reader;

/* Adds a file to the coverage: counts of the same function of the same script add up. Lengths of
 * lines are taken from the file's source-map-cache, where Node.js writes those of scripts with a
 * source map. The caller frees the reader. */
int sonde_coverage_reader_new(struct sonde_coverage *coverage, struct sonde_coverage_reader **ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;
/* SONDE_EPARSE for what is no coverage, SONDE_ELIMIT, SONDE_ENOMEM. After a failure the coverage is
 * of no use. */
int sonde_coverage_feed(struct sonde_coverage_reader *reader, const char *data, size_t length,
                        struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_coverage_finish(struct sonde_coverage_reader *reader,
                          struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_coverage_reader_free(struct sonde_coverage_reader *reader);

/* Says where the lines of a script begin, by their lengths in UTF-16 units without their line
 * feeds. Nothing happens when that is known, when the coverage has no such script or no room for
 * them, or when a function of it ends behind the last one: another text ran than theirs. */
int sonde_coverage_add_lengths(struct sonde_coverage *coverage, struct sonde_str url,
                               const uint32_t *lengths, size_t count,
                               struct sonde_err *err) SONDE_MUST_CHECK;
/* The line, from 1, of an offset; 0: unknown. */
int32_t sonde_coverage_line(const struct sonde_coverage *coverage, uint32_t script,
                            uint32_t offset);

/* Sets the source positions of all functions and segments of the script `url`, when its lines are
 * known. All files have been added before. SONDE_ENOMEM, SONDE_ELIMIT. */
int sonde_coverage_apply_source_map(struct sonde_coverage *coverage, struct sonde_str url,
                                    const struct sonde_source_map *map,
                                    struct sonde_err *err) SONDE_MUST_CHECK;

/* What a person sees of a function: the source's name and place where there is one, else the
 * engine's. The name of an anonymous one is "(anonymous)"; columns are unknown. */
struct sonde_str sonde_coverage_name(const struct sonde_coverage *coverage, uint32_t function);
struct sonde_position sonde_coverage_position(const struct sonde_coverage *coverage,
                                              uint32_t function);
enum sonde_category sonde_coverage_category(const struct sonde_coverage *coverage,
                                            uint32_t function);
/* The lines of a segment of the function in the file of its position. */
struct sonde_coverage_place sonde_coverage_place(const struct sonde_coverage *coverage,
                                                 uint32_t function, uint32_t segment);
/* Whether it is the code of a whole script that did not run: it did before the counting began. */
bool sonde_coverage_ran_before(const struct sonde_coverage *coverage, uint32_t function);

/* A stretch of a script and the innermost function that it belongs to. */
struct sonde_coverage_stretch {
    uint32_t start, end;
    uint64_t count;
    uint32_t function;
};

/* Walks the functions of each script: first[script] and next[function] are indexes plus 1, 0 ends.
 * Both are as long as their tables. */
void sonde_coverage_link(const struct sonde_coverage *coverage, uint32_t *first, uint32_t *next);

/* The script's stretches in order, without those of code that ran before, in one array that the
 * caller frees. `first` is that of the script and `next` as above. SONDE_ENOMEM. */
int sonde_coverage_stretches(const struct sonde_coverage *coverage, uint32_t first,
                             const uint32_t *next, struct sonde_coverage_stretch **ret,
                             size_t *ret_count, struct sonde_err *err) SONDE_MUST_CHECK;

/* How often a line of a source ran: its least and its most busy code. */
struct sonde_coverage_mark {
    bool has_code;
    uint64_t least, most;
};

/* Code that ran `count` times is on the line. */
void sonde_coverage_mark(struct sonde_coverage_mark *mark, uint64_t count);

/* Marks the lines of a script's own text, as many as it has line feeds and one; what is blank or
 * only a comment has no code. */
void sonde_coverage_mark_text(const struct sonde_coverage_stretch *stretches, size_t stretch_count,
                              struct sonde_str text, struct sonde_coverage_mark *marks);

/* Code of a stretch on a line of a source of a map, by the source's number. */
struct sonde_coverage_mapped {
    uint32_t source;
    int32_t line;
    uint64_t count;
};

/* What the map of a script places of the script's stretches on lines, in the order of the script.
 * false: there is no more. Begin with *at 0. */
bool sonde_coverage_next_mapped(const struct sonde_coverage *coverage, uint32_t script,
                                const struct sonde_source_map *map,
                                const struct sonde_coverage_stretch *stretches,
                                size_t stretch_count, size_t *at,
                                struct sonde_coverage_mapped *ret);

/* Writes it all as one file: blocks are the stretches that differ from their function, and the
 * lines stand in the source-map-cache. */
int sonde_coverage_write(const struct sonde_coverage *coverage, struct sonde_output *output,
                         struct sonde_err *err) SONDE_MUST_CHECK;

#endif
