/* SPDX-License-Identifier: Apache-2.0 */
/* What a file from elsewhere is, by its content. Pure. */
#ifndef SONDE_RESULTS_RECOGNIZE_H
#define SONDE_RESULTS_RECOGNIZE_H

#include <stdbool.h>

#include "codec/json_scan.h"

enum { SONDE_RECOGNIZE_HEAD_MAX = 4096 }; /* bytes that tell text from anything else */

/* A kind of file that can be told from others. */
struct sonde_import_format {
    const char *name;     /* "cpuprofile" */
    const char *artifact; /* the type that it is stored as */
    const char *capture;  /* what its capture is called: "cpu" */
    const char *media_type;
    const char *json_key; /* a key of its outermost object that no other has; NULL: no JSON */
};

struct sonde_recognizer {
    struct sonde_buf head;
    struct sonde_json_scanner scanner;
    bool is_json;
    const struct sonde_import_format *found; /* NULL: not yet */
};

void sonde_recognizer_init(struct sonde_recognizer *recognizer);
void sonde_recognizer_fini(struct sonde_recognizer *recognizer);

/* Takes the next bytes from the file's beginning on; 1 once recognizer->found is set, 0 when more
 * is needed. SONDE_EPARSE for what is JSON at first and then is not, SONDE_ENOMEM. */
int sonde_recognizer_feed(struct sonde_recognizer *recognizer, const char *data, size_t length,
                          struct sonde_err *err) SONDE_MUST_CHECK;
/* The file's end. SONDE_EINVALID, with the formats that there are, when it is none of them. */
int sonde_recognizer_finish(struct sonde_recognizer *recognizer,
                            struct sonde_err *err) SONDE_MUST_CHECK;

#endif
