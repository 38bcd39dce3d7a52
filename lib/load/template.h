/* SPDX-License-Identifier: Apache-2.0 */
/* Text with places that are filled anew for each request: {{NAME}} with a variable's value, [<id>]
 * with what no other request has. Pure. */
#ifndef SONDE_LOAD_TEMPLATE_H
#define SONDE_LOAD_TEMPLATE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_LOAD_VARIABLES_MAX = 512,
    SONDE_LOAD_PARTS_MAX = 1024, /* of a template */
    SONDE_LOAD_ID_SIZE = 25,     /* bytes of an id with its NUL */
};

enum sonde_load_part_kind {
    SONDE_LOAD_TEXT,
    SONDE_LOAD_VARIABLE,
    SONDE_LOAD_ENCODED, /* a variable whose value is percent-encoded */
    SONDE_LOAD_ID,
};

struct sonde_load_part {
    enum sonde_load_part_kind kind;
    struct sonde_str text; /* SONDE_LOAD_TEXT: a view of what was parsed */
    unsigned variable;     /* of a variable: its place in the names */
};

struct sonde_load_template {
    struct sonde_load_part *parts;
    size_t count;
};

/* What is looked for in a text. */
struct sonde_load_places {
    const char *const *names; /* of the variables, up to SONDE_LOAD_VARIABLES_MAX; NULL: not in
                                 this text */
    size_t count;
    bool ids;     /* whether [<id>] is a place */
    bool encoded; /* values are percent-encoded but for what RFC 3986, 2.3 leaves unreserved: so
                     none ends a part of a path, or a query's, or the line */
};

/* Takes a text apart; the parts are the arena's, and the text must outlive them. SONDE_EINVALID for
 * a variable that there is not, SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_template_parse(struct sonde_str text, const struct sonde_load_places *places,
                              struct sonde_arena *arena, struct sonde_load_template *ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends a text, percent-encoded so. */
void sonde_load_percent_encode(struct sonde_str text, struct sonde_buf *buf);

/* Whether it is the same each time. */
bool sonde_load_template_is_constant(const struct sonde_load_template *template);

/* Appends it, filled. values: by the names' places. */
void sonde_load_template_fill(const struct sonde_load_template *template,
                              const struct sonde_str *values, const char *id,
                              struct sonde_buf *buf);

/* The id of a request, by what tells runs, threads and requests apart. */
void sonde_load_id(uint32_t run, uint32_t thread, uint64_t number, char ret[SONDE_LOAD_ID_SIZE]);

#endif
