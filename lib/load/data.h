/* SPDX-License-Identifier: Apache-2.0 */
/* Values of variables: tables from CSV (RFC 4180) and from JSON lines, and which row is next. Pure.
 */
#ifndef SONDE_LOAD_DATA_H
#define SONDE_LOAD_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SONDE_LOAD_TABLE_BYTES_MAX = 64 << 20, /* of a file, and of what is kept of it */
    SONDE_LOAD_TABLE_ROWS_MAX = 1 << 20,
    SONDE_LOAD_TABLE_COLUMNS_MAX = 256,  /* of a CSV file */
    SONDE_LOAD_TABLE_ROW_MAX = 64 << 10, /* bytes of a row */
    SONDE_LOAD_TABLE_DEPTH_MAX = 32,     /* of a value in JSON lines */
};

struct sonde_load_cell {
    uint32_t at, length; /* in the texts */
};

/* The columns that were asked for, of all rows. */
struct sonde_load_table {
    struct sonde_buf texts;
    struct sonde_load_cell *cells; /* row by row */
    size_t columns, rows, capacity;
};

/* Takes columns out of a file, in the order of `columns` (≤ SONDE_LOAD_TABLE_COLUMNS_MAX names). A
 * text that begins with { is JSON lines: an object each, whose members are taken as their text, and
 * those that are objects or arrays as their JSON. Else it is CSV with a line of names. Blank lines
 * are left out. `name` begins each message: "users.csv:3:7: …". SONDE_EINVALID with what is wrong,
 * also without any row; SONDE_ELIMIT, SONDE_ENOMEM. The caller calls sonde_load_table_fini in any
 * case. */
int sonde_load_table_read(const char *name, struct sonde_str text, const char *const *columns,
                          size_t column_count, struct sonde_load_table *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;
void sonde_load_table_fini(struct sonde_load_table *table);

/* A view, as long as the table lives. */
static inline struct sonde_str sonde_load_table_at(const struct sonde_load_table *table, size_t row,
                                                   size_t column)
{
    struct sonde_load_cell cell = table->cells[row * table->columns + column];
    return (struct sonde_str){table->texts.data ? table->texts.data + cell.at : "", cell.length};
}

/* Rows in turn, or drawn. In turn each of `parts` has rows of its own, which it begins again when
 * they are used: no two of them take the same, as long as there are enough. */
struct sonde_load_draw {
    uint64_t count; /* of rows, ≥ 1 */
    bool in_turn;
    uint64_t part, parts;
    uint64_t next;   /* in turn */
    uint64_t random; /* else: the generator's state */
};

void sonde_load_draw_init(struct sonde_load_draw *draw, uint64_t count, bool in_turn, uint64_t part,
                          uint64_t parts, uint64_t seed);
/* From 0 to count − 1. */
uint64_t sonde_load_draw_next(struct sonde_load_draw *draw);

#endif
