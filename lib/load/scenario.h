/* SPDX-License-Identifier: Apache-2.0 */
/* What a load test asks for: requests, in which order, with which values, and what their answers
 * must be. Made once, then shared by all threads. Pure: files are read by the caller. */
#ifndef SONDE_LOAD_SCENARIO_H
#define SONDE_LOAD_SCENARIO_H

#include "load/data.h"
#include "load/extract.h"
#include "load/import.h"
#include "spec/kinds.h"

enum {
    SONDE_LOAD_STEPS_MAX = SONDE_LOAD_DRAFTS_MAX,
    SONDE_LOAD_NAMES_MAX = 256, /* different ones of requests */
    SONDE_LOAD_TABLES_MAX = 64,
    SONDE_LOAD_SCENARIO_BYTES_MAX = 256 << 20,
    SONDE_LOAD_ALL_STEPS = -1,
};

enum sonde_load_order {
    SONDE_LOAD_IN_TURN, /* of each thread */
    SONDE_LOAD_WEIGHTED,
    SONDE_LOAD_SEQUENCE, /* of each connection: one pass after the other */
};

enum sonde_load_variable_kind {
    SONDE_LOAD_RANGE,
    SONDE_LOAD_LIST,
    SONDE_LOAD_TABLE,
    SONDE_LOAD_SET, /* from answers, or by the session itself */
};

struct sonde_load_variable {
    const char *name;
    enum sonde_load_variable_kind kind;
    int step;                       /* that it belongs to, or SONDE_LOAD_ALL_STEPS */
    bool one_line;                  /* it stands in a header: its value must not break the line */
    unsigned draw;                  /* which one says its row */
    unsigned place;                 /* RANGE: of its digits; SET: of its text in a session */
    int64_t first;                  /* RANGE */
    const struct sonde_str *values; /* LIST */
    unsigned table, column;         /* TABLE */
};

/* How rows are drawn; variables of the same file, step and order have one row. */
struct sonde_load_drawing {
    uint64_t count;
    bool in_turn;
    int step;
    int table; /* −1: of one variable */
};

/* Places in a list of the scenario. */
struct sonde_load_places_list {
    unsigned *items;
    size_t count;
};

struct sonde_load_step {
    const char *name;
    unsigned tally; /* its name's place in the names */
    uint32_t weight;
    bool expects; /* an answer that is not as expected is a mismatch, too */
    struct sonde_load_look look;
    int64_t think_ns;                               /* the pause after its answer */
    struct sonde_load_places_list draws, variables; /* of its own */
    struct sonde_load_places_list needs;            /* variables that answers must have set */
};

struct sonde_load_scenario {
    struct sonde_arena arena;
    struct sonde_load_import import; /* of HAR and OpenAPI; its skips are for people */
    struct sonde_load_step *steps;
    struct sonde_load_request *requests; /* one of each step */
    size_t step_count;
    enum sonde_load_order order;
    struct sonde_load_variable *variables;
    size_t variable_count, range_count, set_count;
    struct sonde_load_drawing *drawings;
    size_t drawing_count;
    struct sonde_load_places_list draws, variables_of_all; /* that belong to all steps */
    struct sonde_load_table tables[SONDE_LOAD_TABLES_MAX];
    size_t table_count;
    const char **names; /* different ones of the steps */
    size_t name_count;
    struct sonde_load_pattern **patterns;
    size_t pattern_count;
    bool cookies;    /* each session keeps them */
    unsigned cookie; /* … and this variable is the field that is sent */
    bool sessions;   /* each connection has values of its own; else a thread has */
    bool looks;      /* at fields or bodies of some answers */
    bool thinks;
    uint32_t *cut, *alias; /* WEIGHTED: Vose's tables (1991), for draws below `weights` */
    uint64_t weights;      /* the sum */
    char host[SONDE_LOAD_HOST_MAX + 1];
    bool tls;
};

/* A file that a document refers to. */
struct sonde_load_file {
    const char *name, *key; /* of the ConfigMap */
    struct sonde_str text;
};

/* What comes from elsewhere than the requests. */
struct sonde_load_surroundings {
    const struct sonde_load_url *url;
    const struct sonde_pair *headers; /* of each request that has no such of its own */
    size_t header_count;
    bool ids; /* whether [<id>] is a place */
    const struct sonde_load_file *files;
    size_t file_count;
};

/* Each makes a scenario of its own; all texts are copied. The caller calls
 * sonde_load_scenario_fini in any case. SONDE_EINVALID with the request and what is wrong,
 * SONDE_ENOTFOUND with a file that is not among the given, SONDE_ELIMIT, SONDE_ENOMEM. */
int sonde_load_scenario_from_spec(const struct sonde_scenario *spec,
                                  const struct sonde_load_surroundings *surroundings,
                                  struct sonde_load_scenario *ret,
                                  struct sonde_err *err) SONDE_MUST_CHECK;
/* Of a HAR or OpenAPI file, in turn. `name` begins the messages. */
int sonde_load_scenario_from_file(enum sonde_scenario_format format, const char *name,
                                  struct sonde_str text,
                                  const struct sonde_load_surroundings *surroundings,
                                  struct sonde_load_scenario *ret,
                                  struct sonde_err *err) SONDE_MUST_CHECK;
/* Of one request. look: NULL, or what its answer must be. */
int sonde_load_scenario_from_ask(const struct sonde_load_ask *ask,
                                 const struct sonde_load_look *look,
                                 const struct sonde_load_surroundings *surroundings,
                                 struct sonde_load_scenario *ret,
                                 struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_scenario_fini(struct sonde_load_scenario *scenario);

#endif
