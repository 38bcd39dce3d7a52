/* SPDX-License-Identifier: Apache-2.0 */
/* What a scenario is made with: shared by the files that make one. */
#ifndef SONDE_LOAD_SCENARIO_BUILD_H
#define SONDE_LOAD_SCENARIO_BUILD_H

#include "load/scenario.h"

/* The name of the variable that is the Cookie field: nobody can write it. */
#define SCENARIO_COOKIE "\x01"

/* A table before it is read. */
struct table_plan {
    const struct sonde_load_file *file;
    const char **columns;
    size_t count;
};

/* A request before it is made. */
struct step_plan {
    const char *name;
    struct sonde_load_ask ask;        /* with all its fields */
    const struct sonde_request *spec; /* NULL: of a file or of flags */
};

struct builder {
    const struct sonde_load_surroundings *around;
    struct sonde_load_scenario *ret;
    const struct sonde_scenario *spec; /* NULL: as above */
    struct step_plan *plans;
    struct table_plan tables[SONDE_LOAD_TABLES_MAX];
    struct sonde_err *err;
};

/* Says so, and returns SONDE_ENOMEM. */
int builder_no_memory(const struct builder *b);
/* In the scenario's arena, zeroed; NULL: no memory. */
void *builder_allocate(struct builder *b, size_t count, size_t size);

/* A text in the scenario's arena; NULL: no memory. */
const char *builder_copy(struct builder *b, const char *text);

/* NULL: it is not among those given. */
const struct sonde_load_file *builder_find_file(const struct sonde_load_surroundings *around,
                                                const char *name, const char *key);

/* All variables that there are, in an order in which what belongs to a request stands before the
 * others, and the rows of their files. SONDE_EINVALID, SONDE_ENOTFOUND, SONDE_ELIMIT or
 * SONDE_ENOMEM, said. */
int builder_plan_variables(struct builder *b);
/* The variable that `extract` sets; NULL: there is none. */
struct sonde_load_variable *builder_find_set(struct sonde_load_scenario *s, const char *name);

#endif
