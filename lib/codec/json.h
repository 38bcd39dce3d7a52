/* SPDX-License-Identifier: Apache-2.0 */
/* Small JSON documents as cJSON trees, checked before cJSON's recursion sees them, with getters
 * whose errors name the field. */
#ifndef SONDE_CODEC_JSON_H
#define SONDE_CODEC_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
    SONDE_JSON_DOCUMENT_DEPTH = 32,
    SONDE_JSON_DOCUMENT_MAX = 4 << 20, /* bytes */
    /* A value is two bytes of a text and may be a hundred of a tree: this many are taken of any
     * text, and one more for so many bytes as it may have. */
    SONDE_JSON_VALUES_LEAST = 1024,
    SONDE_JSON_VALUE_BYTES = 64,
};

/* A local cJSON * that is deleted when the scope ends. */
#define SONDE_JSON_AUTO SONDE_CLEANUP(sonde_json_deletep) cJSON

void sonde_json_deletep(cJSON **json);

/* The caller owns the tree (cJSON_Delete). SONDE_EPARSE, SONDE_ELIMIT or SONDE_ENOMEM. */
int sonde_json_parse(struct sonde_str text, cJSON **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* The same for documents of up to `maximum` bytes instead of SONDE_JSON_DOCUMENT_MAX. No tree takes
 * more than a few times as much memory. */
int sonde_json_parse_up_to(struct sonde_str text, size_t maximum, cJSON **ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

/* The member `name` of an object, of the wanted type; SONDE_EPARSE with the name otherwise.
 * What they return is borrowed from the tree. */
int sonde_json_object(const cJSON *object, const char *name, const cJSON **ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_json_array(const cJSON *object, const char *name, const cJSON **ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_json_string(const cJSON *object, const char *name, const char **ret,
                      struct sonde_err *err) SONDE_MUST_CHECK;
/* A whole number within ±2^53, where a double is exact. */
int sonde_json_integer(const cJSON *object, const char *name, int64_t *ret,
                       struct sonde_err *err) SONDE_MUST_CHECK;

/* The same for members that may be absent or of another type: the fallback then. */
const char *sonde_json_string_or(const cJSON *object, const char *name, const char *fallback);
double sonde_json_number_or(const cJSON *object, const char *name, double fallback);
int64_t sonde_json_integer_or(const cJSON *object, const char *name, int64_t fallback);
bool sonde_json_true(const cJSON *object, const char *name);

#endif
