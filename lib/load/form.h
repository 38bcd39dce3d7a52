/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of forms: multipart/form-data (RFC 7578) and application/x-www-form-urlencoded (the URL
 * Standard, 5). Pure: files are read by the caller. */
#ifndef SONDE_LOAD_FORM_H
#define SONDE_LOAD_FORM_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_LOAD_FORM_PARTS_MAX = 256,
    SONDE_LOAD_FORM_NAME_MAX = 1024, /* bytes of a name, of a file's name, of a media type */
    SONDE_LOAD_BOUNDARY_SIZE = 40,   /* bytes of a boundary with its NUL */
};

struct sonde_load_form_part {
    const char *name;
    const char *path;         /* of the file whose content is the value; NULL: it is given */
    struct sonde_str value;   /* set by the caller for a file */
    const char *filename;     /* NULL: a field, no file */
    const char *content_type; /* NULL: by the file's name; of a field none */
};

struct sonde_load_form {
    struct sonde_load_form_part parts[SONDE_LOAD_FORM_PARTS_MAX];
    size_t count;
};

/* Reads autocannon's -F: {"NAME": {"type": "text", "value": "…"}, "NAME": {"type": "file", "path":
 * "…", "options": {"filename", "filepath", "contentType"}}}. The arena keeps the texts.
 * SONDE_EINVALID with the field, SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_form_parse(struct sonde_str json, struct sonde_arena *arena,
                          struct sonde_load_form *ret, struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends the body, and says the boundary, which stands in none of the values: the media type is
 * "multipart/form-data; boundary=…". SONDE_EINVALID for a name that breaks lines where it may not;
 * the buffer's errors. */
int sonde_load_form_print(const struct sonde_load_form *form,
                          char ret_boundary[SONDE_LOAD_BOUNDARY_SIZE], struct sonde_buf *buf,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends "name=value", behind an & when the buffer is not empty. */
void sonde_load_form_encode(struct sonde_str name, struct sonde_str value, struct sonde_buf *buf);

#endif
