/* SPDX-License-Identifier: Apache-2.0 */
/* The names that the scripts in a target give to things, asked of its debugger: of all that are
 * loaded from files or come with Node.js. What a program makes of texts at run time (eval, new
 * Function, vm without a path) is not asked for: those texts may be data. */
#ifndef SONDE_INSPECTOR_SCRIPT_WORDS_H
#define SONDE_INSPECTOR_SCRIPT_WORDS_H

#include "heap/words.h"
#include "inspector/visit.h"

enum {
    SONDE_SCRIPTS_MAX = 60000, /* in one thread; the names of more are not known */
    SONDE_SCRIPTS_ASKED = 8,   /* sources asked for at a time */
};

struct script_words;

typedef int (*script_words_done)(struct visit_thread *thread, struct sonde_err *err);

/* Begins, with the words that are the same everywhere. `done` is called when all was read, or when
 * the visit is ending; what it returns goes to the inspector's session. The caller frees it. */
int script_words_new(struct visit_thread *thread, struct sonde_words *words, script_words_done done,
                     struct script_words **ret, struct sonde_err *err) SONDE_MUST_CHECK;
void script_words_free(struct script_words *reader);

/* To be called with the thread's events and streams while it is under way. */
int script_words_event(struct script_words *reader, const char *method, const cJSON *params,
                       struct sonde_err *err) SONDE_MUST_CHECK;
int script_words_begin(struct script_words *reader, struct sonde_err *err) SONDE_MUST_CHECK;
int script_words_data(struct script_words *reader, const char *data, size_t length,
                      struct sonde_err *err) SONDE_MUST_CHECK;

#endif
