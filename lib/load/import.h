/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are made from a file of another format, and what of it could not be used. Pure. */
#ifndef SONDE_LOAD_IMPORT_H
#define SONDE_LOAD_IMPORT_H

#include "load/request.h"

enum {
    SONDE_LOAD_DRAFTS_MAX = 1000,
    SONDE_LOAD_SKIPS_MAX = 100,        /* kept; the others are counted */
    SONDE_LOAD_IMPORT_MAX = 128 << 20, /* bytes of all texts */
    SONDE_LOAD_NAME_MAX = 63,          /* of a request's name */
};

struct sonde_load_draft {
    const char *name; /* of letters, digits, -, _ and . */
    struct sonde_load_ask ask;
};

struct sonde_load_skip {
    const char *what, *why; /* "POST /patients", "its body has no example" */
};

struct sonde_load_import {
    struct sonde_arena arena; /* of all texts */
    struct sonde_load_draft *drafts;
    size_t count, capacity;
    struct sonde_load_skip skips[SONDE_LOAD_SKIPS_MAX];
    size_t skip_count, skip_total;
};

void sonde_load_import_init(struct sonde_load_import *import);
void sonde_load_import_fini(struct sonde_load_import *import);

/* Adds a request whose texts are the arena's. SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_import_add(struct sonde_load_import *import, const char *name,
                          const struct sonde_load_ask *ask, struct sonde_err *err) SONDE_MUST_CHECK;
/* Notes what is left out; copies the texts. SONDE_ENOMEM. */
int sonde_load_import_skip(struct sonde_load_import *import, const char *what, const char *why,
                           struct sonde_err *err) SONDE_MUST_CHECK;
/* A name that results can have: "get-patients-7" of "GET /patients/7?x=y". NULL: out of memory. */
const char *sonde_load_import_name(struct sonde_load_import *import, const char *method,
                                   struct sonde_str path);

/* ---- HAR 1.2 (the archive format of browsers) ---- */

enum { SONDE_LOAD_HAR_MAX = 64 << 20 }; /* bytes of a file */

/* Adds a request for each entry that goes to the URL's origin, in their order. Those of other
 * origins are skipped; fields that belong to a connection are left out. `import` is
 * initialized. SONDE_EINVALID when it is no HAR, or no entry goes there; SONDE_ELIMIT,
 * SONDE_ENOMEM. */
int sonde_load_har_read(const char *name, struct sonde_str text, const struct sonde_load_url *url,
                        struct sonde_load_import *import, struct sonde_err *err) SONDE_MUST_CHECK;

/* ---- OpenAPI 3.0 and 3.1, in JSON or YAML ---- */

enum {
    SONDE_LOAD_OPENAPI_MAX = 4 << 20,     /* bytes of a file */
    SONDE_LOAD_OPENAPI_VALUES = 100000,   /* in it */
    SONDE_LOAD_REFS_MAX = 16,             /* references that lead to one another */
    SONDE_LOAD_SCHEMA_DEPTH_MAX = 16,     /* of a body that is built from schemas */
    SONDE_LOAD_SCHEMA_VALUES_MAX = 10000, /* … in it */
};

/* Adds a request for each operation whose parameters and body have examples, or defaults or lists
 * of values that stand for them; the others are skipped. Paths stand behind the URL's path, or when
 * that is only /, behind the first server's. `import` is initialized. SONDE_EINVALID when it is no
 * OpenAPI 3, or there is no such operation; SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_openapi_read(const char *name, struct sonde_str text,
                            const struct sonde_load_url *url, struct sonde_load_import *import,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
