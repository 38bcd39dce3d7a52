/* SPDX-License-Identifier: Apache-2.0 */
/* The names that a JavaScript source gives to things: its identifiers, private names, quoted keys
 * of object literals ('content-type':), quoted accesses (row['visit-id']) and the descriptions of
 * its symbols. What stands in comments, regular expressions, templates and other strings is none.
 *
 * It is a tokenizer and no parser: where only a parser could tell a division from a regular
 * expression it may be wrong until the end of that line. Then a few words more or fewer are found;
 * all of them are of the source, and none of what the program has read. */
#ifndef SONDE_HEAP_IDENTIFIERS_H
#define SONDE_HEAP_IDENTIFIERS_H

#include "heap/words.h"

enum {
    SONDE_IDENTIFIER_MAX = 128, /* bytes of a name; longer ones are left out */
    SONDE_NESTING_MAX = 512,    /* brackets that are open at once; deeper ones are only counted */
};

struct sonde_identifiers {
    struct sonde_words *words;
    bool all_strings;
    uint8_t state;
    bool escaped;     /* the next byte of a string, template or expression stands for itself */
    bool broken;      /* the name under way is too long, or has an escape */
    char quote;       /* of the string under way */
    char raw;         /* the byte before */
    char before;      /* what stands before, see identifiers.c */
    char opener;      /* what stood before the string */
    bool symbol_word; /* the last word was Symbol, or its `for` */
    bool symbol_call; /* … and a bracket opens behind it */
    bool
        condition_word; /* the last word was if, for or while: behind its brackets a statement is */
    size_t name_length, key_length; /* key: a string that may turn out to be one */
    size_t depth, beyond;           /* of the open brackets; those beyond the maximum */
    char name[SONDE_IDENTIFIER_MAX];
    char key[SONDE_IDENTIFIER_MAX];
    uint8_t nesting[SONDE_NESTING_MAX];
};

/* Borrows words. Once for each source. `all_strings`: what stands in any string counts too, as fits
 * a source that comes with Node.js itself. */
void sonde_identifiers_init(struct sonde_identifiers *identifiers, struct sonde_words *words,
                            bool all_strings);
/* The next bytes of the source, in UTF-8. SONDE_ENOMEM. */
int sonde_identifiers_feed(struct sonde_identifiers *identifiers, const char *data, size_t length,
                           struct sonde_err *err) SONDE_MUST_CHECK;
int sonde_identifiers_finish(struct sonde_identifiers *identifiers,
                             struct sonde_err *err) SONDE_MUST_CHECK;

#endif
