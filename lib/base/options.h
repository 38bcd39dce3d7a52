/* SPDX-License-Identifier: Apache-2.0 */
/* Command-line options from one table: parsing, bounds, suggestions and help. */
#ifndef SONDE_BASE_OPTIONS_H
#define SONDE_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum sonde_option_type {
    SONDE_OPTION_FLAG,     /* bool */
    SONDE_OPTION_STRING,   /* const char *, borrowed from argv */
    SONDE_OPTION_NUMBER,   /* int64_t, min…max */
    SONDE_OPTION_DURATION, /* int64_t nanoseconds, min…max in nanoseconds */
    SONDE_OPTION_CHOICE,   /* int: the index in choices */
    SONDE_OPTION_STRINGS,  /* struct sonde_option_strings: each time it is given, or "[ A B ]" */
    SONDE_OPTION_WORDS,    /* struct sonde_option_words: "[ WORD… ]", or nothing */
};

enum { SONDE_OPTION_STRINGS_MAX = 64 };

struct sonde_option_strings {
    const char *items[SONDE_OPTION_STRINGS_MAX]; /* borrowed from argv */
    size_t count;
};

/* Words between brackets, which may touch them: options of a part. */
struct sonde_option_words {
    char **items; /* into argv, which has lost the brackets */
    int count;
    bool given;
};

struct sonde_option {
    const char *name; /* without the dashes; NULL ends a table */
    enum sonde_option_type type;
    size_t offset; /* of the field in the target struct */
    int64_t min, max;
    const char *const *choices; /* NULL-terminated */
    const char *argument;       /* as shown in help: "DIR" */
    const char *help;           /* NULL: it is another name of one that has it */
    char letter;                /* a short form, "-o VALUE"; '\0': none */
};

struct sonde_arguments {
    const char **positional; /* borrowed pointers; the caller frees the array */
    int count;
    char **command; /* what stands behind "--", into argv; NULL when there is none */
    int command_count;
};

/* Reads argv[0…count) by the NULL-terminated tables (each may be NULL) into `target`.
 * "--name value", "--name=value", "-l value", "-lvalue" and flags in one word ("-ab") are accepted;
 * "-" alone is an argument.
 * SONDE_EINVALID with a suggestion for an unknown option, a missing or a wrong value; of one given
 * twice the last counts, but of SONDE_OPTION_STRINGS all do. */
int sonde_options_parse(const struct sonde_option *const tables[], size_t table_count, int count,
                        char **argv, void *target, struct sonde_arguments *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends one aligned line per option. */
void sonde_options_help(const struct sonde_option *table, struct sonde_buf *buf);

/* The nearest of `count` names within a third of its length, or NULL. */
const char *sonde_suggest(struct sonde_str word, const char *const *names, size_t count);

#endif
