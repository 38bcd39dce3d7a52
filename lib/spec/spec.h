/* SPDX-License-Identifier: Apache-2.0 */
/* Documents in, typed structs out; and what is printed from the tables of the kinds. Pure. */
#ifndef SONDE_SPEC_SPEC_H
#define SONDE_SPEC_SPEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "spec/kinds.h"

enum {
    SONDE_SPEC_DOCUMENTS_MAX = 64,      /* of one text, items of Lists included */
    SONDE_SPEC_PROBLEMS_MAX = 20,       /* said; the others are counted */
    SONDE_SPEC_PROBLEM_MAX = 1024,      /* bytes of one */
    SONDE_SPEC_ARENA_MAX = 32 << 20,    /* bytes of all documents */
    SONDE_SPEC_ANNOTATION_MAX = 262144, /* characters: what Kubernetes allows */
    SONDE_SPEC_KEY_MAX = 317, /* characters of a key in a map: what Kubernetes allows for labels */
};

/* The label of runs that are alike, under whatever names they are made. The store keeps its value
 * behind the word, where the schedule stands that has made a run: none is called so. */
#define SONDE_SPEC_SERIES_LABEL SONDE_SPEC_GROUP "/series"
#define SONDE_SPEC_SERIES "series/"

struct sonde_metadata {
    const char *name; /* or what generateName says it begins with: */
    bool generated;
    const char *namespace; /* "default" when not given */
    SONDE_LIST(struct sonde_pair) labels;
    SONDE_LIST(struct sonde_pair) annotations;
};

struct sonde_spec_document {
    const struct sonde_kind *kind;
    int line; /* where it begins */
    struct sonde_metadata metadata;
    union { /* the spec, by kind */
        const void *spec;
        const struct sonde_profile_run *profile_run;
        const struct sonde_profile_schedule *profile_schedule;
        const struct sonde_load_test *load_test;
        const struct sonde_load_test_schedule *load_test_schedule;
    };
};

struct sonde_spec_documents {
    struct sonde_arena arena; /* holds all of it */
    struct sonde_spec_document items[SONDE_SPEC_DOCUMENTS_MAX];
    size_t count;
    /* What is wrong: "run.yaml:7:5: spec.captures[0].name: is required". */
    const char *problems[SONDE_SPEC_PROBLEMS_MAX];
    size_t problem_count; /* entries of problems */
    size_t problem_total; /* with those that were not kept */
};

/* Reads every document of text (YAML or JSON), sets defaults and checks all that the tables ask
 * for. `name` stands before each message. Unknown fields, kinds and versions are errors;
 * `status` and what the API server keeps in metadata are ignored; a List stands for its items.
 * SONDE_EINVALID when anything is wrong: err holds the first problem (with reason InvalidSpec),
 * ret->problems up to 20 of them, document by document. SONDE_ELIMIT beyond a
 * bound; SONDE_ENOMEM. An empty text is an error too. The caller frees *ret in any case. */
int sonde_spec_parse(const char *name, struct sonde_str text, struct sonde_spec_documents *ret,
                     struct sonde_err *err) SONDE_MUST_CHECK;
/* The scenario of a text that has one LoadTest, or the fields of spec.scenario alone: *ret is of
 * `documents`, which the caller frees in any case. The errors of sonde_spec_parse. */
int sonde_spec_parse_scenario(const char *name, struct sonde_str text,
                              struct sonde_spec_documents *documents,
                              const struct sonde_scenario **ret,
                              struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_spec_documents_fini(struct sonde_spec_documents *documents);

/* Appends the document as one line of JSON, with all defaults: sonde_spec_parse reads it back
 * to the same. */
void sonde_spec_print_json(const struct sonde_spec_document *document, struct sonde_buf *buf);

/* Appends the CustomResourceDefinition of one kind, or of all (apiextensions.k8s.io/v1, YAML). */
void sonde_spec_print_crd(const struct sonde_kind *kind, struct sonde_buf *buf);
void sonde_spec_print_crds(struct sonde_buf *buf);

/* Appends the reference pages (Markdown), one after the other. */
void sonde_spec_print_reference(struct sonde_buf *buf);

enum sonde_spec_output { SONDE_SPEC_CRDS, SONDE_SPEC_REFERENCE };
enum { SONDE_SPEC_FILE_MAX = 1 << 20 }; /* bytes of one printed file */

/* Calls each(context, file name, text) for every file of the output, in order, until one returns
 * a negative code, which is then returned. The texts are borrowed for the call. */
typedef int sonde_spec_file_function(void *context, const char *name, struct sonde_str text,
                                     struct sonde_err *err);
int sonde_spec_files(enum sonde_spec_output output, sonde_spec_file_function *each, void *context,
                     struct sonde_err *err) SONDE_MUST_CHECK;

#endif
