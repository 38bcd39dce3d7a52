/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the data out of a V8 heap snapshot while it streams by: what strings say goes, while the
 * graph, its sizes, and the names that come from code stay.
 *
 * In a snapshot a text stands once, at the end, and is named by its index in the array of strings:
 * the name of a property and a value that reads the same share one. So each string becomes two.
 * strings[2i] is what it is as a name (of a class, function, property, variable): it stays when all
 * of its words are known to be of the program's code or the engine's, else it is redacted.
 * strings[2i + 1] is what it is as a value, and always redacted: "string:LENGTH:HASH", the length
 * in UTF-16 units (V8 cuts values at 1024), the hash keyed and alike for what is alike. What is
 * never used as the one or the other is empty there. All indices are doubled to fit.
 *
 * The indices of elements are data where they are the keys of a sparse array or of an object: one
 * that is far from its neighbour becomes the neighbour's next. Values of numbers are the engine's
 * to leave out, by asking it for none; asked for, they stay, and strings that read like one do not.
 *
 * Nothing is kept but three bits for each string. What the redactor does not know it refuses, or
 * redacts. */
#ifndef SONDE_HEAP_REDACT_H
#define SONDE_HEAP_REDACT_H

#include "heap/words.h"

enum {
    SONDE_HEAP_HEAD_MAX = 64 << 10,    /* bytes before the first node */
    SONDE_HEAP_FIELDS_MAX = 16,        /* of a node */
    SONDE_HEAP_TYPES_MAX = 32,         /* of nodes, and of edges */
    SONDE_HEAP_STRINGS_MAX = 32 << 20, /* strings whose use is known; those beyond are redacted */
    SONDE_HEAP_ELEMENT_NEAR = 1024,    /* an element's index up to here stays … */
    SONDE_HEAP_ELEMENT_GAP = 64,       /* … and one so close to the element before it */
};

struct sonde_heap_redactor;

typedef int (*sonde_heap_output)(void *context, const char *data, size_t length,
                                 struct sonde_err *err);

struct sonde_heap_redact_options {
    const struct sonde_words *words; /* that may be read; borrowed */
    bool numbers;                    /* values of numbers were asked for, and stay */
    sonde_heap_output output;        /* a negative code ends the redaction with it */
    void *context;
};

struct sonde_heap_redacted {
    uint64_t nodes, edges, strings;
    uint64_t names;    /* that stayed */
    uint64_t redacted; /* names that did not */
};

/* Each has a key of its own, which goes with it. */
int sonde_heap_redactor_new(const struct sonde_heap_redact_options *options,
                            struct sonde_heap_redactor **ret,
                            struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_heap_redactor_free(struct sonde_heap_redactor *redactor);
/* The next bytes of the snapshot. SONDE_EPARSE for what is none, or of a shape that is not known;
 * SONDE_ELIMIT, SONDE_ENOMEM, or what the output returned. After a failure all further calls fail.
 */
int sonde_heap_redact(struct sonde_heap_redactor *redactor, const char *data, size_t length,
                      struct sonde_err *err) SONDE_MUST_CHECK;
/* The end: SONDE_EPARSE when it is not complete. *ret may be NULL. */
int sonde_heap_redact_finish(struct sonde_heap_redactor *redactor, struct sonde_heap_redacted *ret,
                             struct sonde_err *err) SONDE_MUST_CHECK;

#endif
