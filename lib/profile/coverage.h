/* SPDX-License-Identifier: Apache-2.0 */
/* V8's precise coverage: which functions and blocks ran, and how often. Read in pieces and written,
 * as NODE_V8_COVERAGE has it; the result of Profiler.takePreciseCoverage is the same. Pure. */
#ifndef SONDE_PROFILE_COVERAGE_H
#define SONDE_PROFILE_COVERAGE_H

#include "profile/output.h"
#include "profile/profile.h"

/* All of it together is less than 128 MiB, with what a file takes while it is read. */
enum {
    SONDE_COVERAGE_TEXT_MAX = 8 << 20, /* bytes of all names */
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
    unsigned files; /* added */
};

/* The memory that it has taken. */
size_t sonde_coverage_bytes(const struct sonde_coverage *coverage);

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

/* Says where the lines of a script begin, by its text (UTF-8). */
int sonde_coverage_add_source(struct sonde_coverage *coverage, uint32_t script,
                              struct sonde_str source, struct sonde_err *err) SONDE_MUST_CHECK;
/* The line, from 1, of an offset; 0: unknown. */
int32_t sonde_coverage_line(const struct sonde_coverage *coverage, uint32_t script,
                            uint32_t offset);

/* Writes it all as one file: blocks are the stretches that differ from their function, and the
 * lines stand in the source-map-cache. */
int sonde_coverage_write(const struct sonde_coverage *coverage, struct sonde_output *output,
                         struct sonde_err *err) SONDE_MUST_CHECK;

#endif
