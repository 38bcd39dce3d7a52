/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "load/scenario_build.h"

int builder_no_memory(const struct builder *b)
{
    return sonde_fail(b->err, SONDE_ENOMEM, 0, "no memory for a scenario");
}

void *builder_allocate(struct builder *b, size_t count, size_t size)
{
    return sonde_arena_alloc(&b->ret->arena, count * size + 1);
}

const char *builder_copy(struct builder *b, const char *text)
{
    return sonde_arena_copy(&b->ret->arena, sonde_str(text)).data;
}

const struct sonde_load_file *builder_find_file(const struct sonde_load_surroundings *around,
                                                const char *name, const char *key)
{
    for (size_t i = 0; i < around->file_count; i++) {
        if (strcmp(around->files[i].name, name) == 0 && strcmp(around->files[i].key, key) == 0) {
            return &around->files[i];
        }
    }
    return NULL;
}

/* The column of a file, which is read when all are known. */
static int plan_column(struct builder *b, const struct sonde_variable *spec,
                       struct sonde_load_variable *variable)
{
    const struct sonde_data_source *from = spec->from;
    const struct sonde_load_file *file = builder_find_file(b->around, from->name, from->key);
    const char *column = from->column ? from->column : spec->key;
    if (!file) {
        return sonde_fail(b->err, SONDE_ENOTFOUND, 0, "the variable %s: there is no file %s of %s",
                          spec->key, from->key, from->name);
    }
    size_t at = 0;
    while (at < b->ret->table_count && b->tables[at].file != file) {
        at++;
    }
    if (at == SONDE_LOAD_TABLES_MAX) {
        return sonde_fail(b->err, SONDE_ELIMIT, 0, "more than %d files of values",
                          SONDE_LOAD_TABLES_MAX);
    }
    struct table_plan *table = &b->tables[at];
    if (at == b->ret->table_count) {
        table->columns = builder_allocate(b, SONDE_LOAD_TABLE_COLUMNS_MAX, sizeof(*table->columns));
        if (!table->columns) {
            return builder_no_memory(b);
        }
        table->file = file;
        b->ret->table_count++;
    }
    size_t i = 0;
    while (i < table->count && strcmp(table->columns[i], column) != 0) {
        i++;
    }
    if (i == SONDE_LOAD_TABLE_COLUMNS_MAX) {
        return sonde_fail(b->err, SONDE_ELIMIT, 0, "%s: more than %d columns are used", from->key,
                          SONDE_LOAD_TABLE_COLUMNS_MAX);
    }
    table->columns[i] = column;
    table->count += i == table->count;
    variable->kind = SONDE_LOAD_TABLE;
    variable->table = (unsigned)at;
    variable->column = (unsigned)i;
    return 0;
}

static int plan_list(struct builder *b, const struct sonde_variable *spec,
                     struct sonde_load_variable *variable)
{
    struct sonde_str *values = builder_allocate(b, spec->values.count, sizeof(*values));
    for (size_t i = 0; values && i < spec->values.count; i++) {
        values[i] = sonde_arena_copy(&b->ret->arena, sonde_str(spec->values.items[i]));
        if (!values[i].data) {
            values = NULL;
        }
    }
    variable->kind = SONDE_LOAD_LIST;
    variable->values = values;
    return values ? 0 : builder_no_memory(b);
}

static struct sonde_load_variable *new_variable(struct builder *b, const char *name, int step)
{
    struct sonde_load_scenario *s = b->ret;
    const char *own = builder_copy(b, name);
    if (!own) {
        (void)builder_no_memory(b);
        return NULL;
    }
    if (s->variable_count == SONDE_LOAD_VARIABLES_MAX) {
        (void)sonde_fail(b->err, SONDE_ELIMIT, 0, "more than %d variables",
                         SONDE_LOAD_VARIABLES_MAX);
        return NULL;
    }
    struct sonde_load_variable *variable = &s->variables[s->variable_count++];
    *variable = (struct sonde_load_variable){.name = own, .step = step};
    return variable;
}

/* How its rows are drawn: as those of a variable of the same file, if there is one. */
static void plan_drawing(struct builder *b, struct sonde_load_variable *variable, bool in_turn,
                         uint64_t count)
{
    struct sonde_load_scenario *s = b->ret;
    int table = variable->kind == SONDE_LOAD_TABLE ? (int)variable->table : -1;
    for (size_t i = 0; i < s->drawing_count && table >= 0; i++) {
        const struct sonde_load_drawing *own = &s->drawings[i];
        if (own->table == table && own->step == variable->step && own->in_turn == in_turn) {
            variable->draw = (unsigned)i;
            return;
        }
    }
    variable->draw = (unsigned)s->drawing_count;
    s->drawings[s->drawing_count++] =
        (struct sonde_load_drawing){count, in_turn, variable->step, table};
}

static int plan_variable(struct builder *b, const struct sonde_variable *spec, int step)
{
    struct sonde_load_variable *variable = new_variable(b, spec->key, step);
    uint64_t count = spec->values.count;
    if (!variable) {
        return b->err ? b->err->code : SONDE_ENOMEM;
    }
    int r = 0;
    if (spec->range.count) {
        variable->kind = SONDE_LOAD_RANGE;
        variable->first = spec->range.items[0];
        variable->place = (unsigned)b->ret->range_count++;
        count = (uint64_t)(spec->range.items[1] - spec->range.items[0]) + 1;
    } else if (spec->from) {
        r = plan_column(b, spec, variable);
        count = 1; /* until it is read */
    } else {
        r = plan_list(b, spec, variable);
    }
    if (r == 0) {
        plan_drawing(b, variable, spec->order == SONDE_DATA_SEQUENTIAL, count);
    }
    return r;
}

struct sonde_load_variable *builder_find_set(struct sonde_load_scenario *s, const char *name)
{
    for (size_t i = 0; i < s->variable_count; i++) {
        if (s->variables[i].kind == SONDE_LOAD_SET && strcmp(s->variables[i].name, name) == 0) {
            return &s->variables[i];
        }
    }
    return NULL;
}

static int plan_set(struct builder *b, const char *name)
{
    struct sonde_load_scenario *s = b->ret;
    for (size_t i = 0; b->spec && i < b->spec->data.count; i++) {
        if (strcmp(b->spec->data.items[i].key, name) == 0) {
            return sonde_fail(b->err, SONDE_EINVALID, 0,
                              "extract sets %s, which data of the scenario sets already: take "
                              "another name",
                              name);
        }
    }
    if (builder_find_set(s, name)) {
        return 0;
    }
    struct sonde_load_variable *variable = new_variable(b, name, SONDE_LOAD_ALL_STEPS);
    if (!variable) {
        return b->err ? b->err->code : SONDE_ENOMEM;
    }
    variable->kind = SONDE_LOAD_SET;
    variable->place = (unsigned)s->set_count++;
    return 0;
}

static int read_tables(struct builder *b)
{
    struct sonde_load_scenario *s = b->ret;
    int r = 0;
    for (size_t i = 0; i < s->table_count && r == 0; i++) {
        const struct table_plan *plan = &b->tables[i];
        const struct sonde_load_file *file = plan->file;
        r = file ? sonde_load_table_read(file->key, file->text, plan->columns, plan->count,
                                         &s->tables[i], b->err)
                 : 0;
    }
    for (size_t i = 0; i < s->drawing_count && r == 0; i++) {
        struct sonde_load_drawing *own = &s->drawings[i];
        own->count = own->table < 0 ? own->count : s->tables[own->table].rows;
    }
    return r;
}

int builder_plan_variables(struct builder *b)
{
    struct sonde_load_scenario *s = b->ret;
    size_t most = 1 + (b->spec ? b->spec->data.count : 0);
    for (size_t i = 0; b->spec && i < b->spec->requests.count; i++) {
        most += b->spec->requests.items[i].data.count + b->spec->requests.items[i].extract.count;
    }
    most = most < SONDE_LOAD_VARIABLES_MAX ? most : SONDE_LOAD_VARIABLES_MAX;
    s->variables = builder_allocate(b, most, sizeof(*s->variables));
    s->drawings = builder_allocate(b, most, sizeof(*s->drawings));
    if (!s->variables || !s->drawings) {
        return builder_no_memory(b);
    }
    int r = 0;
    for (size_t i = 0; b->spec && i < b->spec->requests.count && r == 0; i++) {
        const struct sonde_request *request = &b->spec->requests.items[i];
        for (size_t j = 0; j < request->data.count && r == 0; j++) {
            r = plan_variable(b, &request->data.items[j], (int)i);
        }
    }
    for (size_t i = 0; b->spec && i < b->spec->data.count && r == 0; i++) {
        r = plan_variable(b, &b->spec->data.items[i], SONDE_LOAD_ALL_STEPS);
    }
    for (size_t i = 0; b->spec && i < b->spec->requests.count && r == 0; i++) {
        const struct sonde_request *request = &b->spec->requests.items[i];
        for (size_t j = 0; j < request->extract.count && r == 0; j++) {
            r = plan_set(b, request->extract.items[j].name);
        }
    }
    if (r == 0 && s->cookies) {
        r = plan_set(b, SCENARIO_COOKIE);
        s->cookie = (unsigned)(s->variable_count - 1);
    }
    return r < 0 ? r : read_tables(b);
}
