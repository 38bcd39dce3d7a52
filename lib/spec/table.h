/* SPDX-License-Identifier: Apache-2.0 */
/* How a kind is described: one table of fields, from which the parser with its defaults and
 * bounds, the custom resource definition, the reference page and the canonical JSON come. */
#ifndef SONDE_SPEC_TABLE_H
#define SONDE_SPEC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* In a typed struct: an integer that was not given and has no default. */
#define SONDE_SPEC_ABSENT INT64_MIN
/* The same for an enum. */
enum { SONDE_SPEC_NO_CHOICE = -1 };

enum sonde_field_type {
    SONDE_FIELD_STRING,   /* const char *, NULL when absent */
    SONDE_FIELD_INTEGER,  /* int64_t */
    SONDE_FIELD_BOOLEAN,  /* bool */
    SONDE_FIELD_ENUM,     /* int: the index in choices */
    SONDE_FIELD_QUANTITY, /* const char *; written as text or as a whole number */
    SONDE_FIELD_TIME,     /* in status only: RFC 3339 */
    SONDE_FIELD_OBJECT,   /* pointer to a struct of object->size bytes, NULL when absent */
    SONDE_FIELD_OBJECTS,  /* SONDE_LIST of such structs */
    SONDE_FIELD_STRINGS,  /* SONDE_LIST of const char * */
    SONDE_FIELD_INTEGERS, /* SONDE_LIST of int64_t */
    SONDE_FIELD_PAIRS,    /* SONDE_LIST of struct sonde_pair: a map of texts */
    SONDE_FIELD_MAP,      /* SONDE_LIST of structs that begin with `const char *key` */
};

/* The members of a list in a typed struct; every list has this shape. */
#define SONDE_LIST(type)                                                                           \
    struct {                                                                                       \
        const type *items;                                                                         \
        size_t count;                                                                              \
    }

struct sonde_pair {
    const char *key;
    const char *value;
};

/* A syntax of texts. */
struct sonde_format {
    const char *words;   /* ends "must be …" */
    const char *pattern; /* for the API server and for editors: a regular expression (RE2, POSIX
                            and ECMAScript alike) that accepts all that `check` accepts */
    bool exact;          /* … and nothing else */
    bool (*check)(struct sonde_str text);
    /* Says in err what is wrong with a text that check refuses; NULL: `words` do. */
    int (*explain)(struct sonde_str text, struct sonde_err *err);
};

struct sonde_object;

struct sonde_field {
    const char *name;        /* NULL ends a table */
    const char *description; /* sentences */
    enum sonde_field_type type;
    bool required;
    bool present;         /* an object that is filled with its defaults when not given */
    bool mutable;         /* in a run's spec: may be changed later */
    bool set;             /* a list without equal entries */
    size_t offset;        /* in the struct of the object */
    const char *fallback; /* the default, as it is written; NULL: none */
    const char *derived;  /* says how sonde_object.derive sets what was not given */
    int64_t minimum;      /* of an integer, or of each in a list */
    int64_t maximum;
    size_t length_min; /* of a text, or of each in a list or map: characters */
    size_t length_max;
    size_t count_min; /* entries of a list or map */
    size_t count_max;
    const char *const *choices;        /* of an enum; NULL ends it */
    const struct sonde_format *format; /* of texts, and of a map's values */
    const struct sonde_format *key_format;
    const struct sonde_object *object;
    const char *list_key; /* the member that names an entry of a list */
    uint32_t only_for;    /* ≠ 0: allowed only when the discriminator's choice has its bit here */
};

/* A rule over an object. */
struct sonde_rule {
    const char *name;    /* CamelCase, for people to refer to */
    const char *message; /* "must …" */
    const char *field;   /* the member it is reported at; NULL: the object */
    const char *cel;     /* the same in CEL, for the API server; NULL: it cannot be said there */
    bool (*holds)(const void *object);
};

enum { SONDE_RULES_MAX = 6, SONDE_GROUPS_MAX = 2, SONDE_GROUP_SIZE_MAX = 5 };

struct sonde_object {
    size_t size; /* of its struct, bytes; 0: only described (status) */
    const struct sonde_field *fields;
    const char *discriminator; /* the enum field that only_for refers to */
    /* Exactly one member of each group must be given. */
    const char *groups[SONDE_GROUPS_MAX][SONDE_GROUP_SIZE_MAX];
    const struct sonde_rule *rules[SONDE_RULES_MAX];
    void (*derive)(void *object); /* sets the fields that are `derived` */
};

struct sonde_column {
    const char *name;
    const char *type;
    const char *path; /* JSONPath */
    int priority;     /* 0: always; 1: with -o wide */
};

struct sonde_condition {
    const char *type;
    const char *meaning; /* when it is True */
};

struct sonde_kind {
    const char *name; /* "ProfileRun" */
    const char *plural;
    const char *singular;
    const char *short_name;
    const char *title;   /* of the reference page, after the name */
    const char *meaning; /* a paragraph */
    const char *example; /* a minimal document */
    const char *notes;   /* Markdown for the end of the page, or NULL */
    size_t name_max;     /* characters of metadata.name */
    bool immutable;      /* the spec, except its mutable fields */
    const struct sonde_object *spec;
    const struct sonde_object *status;
    const struct sonde_column *columns;       /* name NULL ends them */
    const struct sonde_condition *conditions; /* type NULL ends them */
};

/* The field of that name, or NULL. */
const struct sonde_field *sonde_object_find(const struct sonde_object *object, const char *name);
/* Whether the field was given or has a default in this struct. */
bool sonde_field_is_set(const struct sonde_field *field, const void *object);
/* Whether the field may be given, as far as the discriminator goes. */
bool sonde_field_applies(const struct sonde_object *object, const struct sonde_field *field,
                         const void *data);

#endif
