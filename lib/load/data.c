/* SPDX-License-Identifier: Apache-2.0 */
#include "load/data.h"

#include <stdlib.h>

#include "base/random.h"
#include "codec/json_scan.h"

enum { NOT_WANTED = -1 };

/* A file that is being read. */
struct reading {
    const char *name;
    struct sonde_str text;
    size_t at, line_at; /* the next byte; the first of its line */
    size_t line;        /* from 1 */
    const char *const *columns;
    struct sonde_load_table *table;
    struct sonde_err *err;
};

static int refuse(struct reading *r, int code, size_t at, const char *what)
{
    return sonde_fail(r->err, code, 0, "%s:%zu:%zu: %s", r->name, r->line, at - r->line_at + 1,
                      what);
}

/* Room for a row whose cells are empty. */
static int add_row(struct reading *r)
{
    struct sonde_load_table *t = r->table;
    if (t->rows == SONDE_LOAD_TABLE_ROWS_MAX) {
        return sonde_fail(r->err, SONDE_ELIMIT, 0, "%s:%zu: more than %d rows", r->name, r->line,
                          SONDE_LOAD_TABLE_ROWS_MAX);
    }
    size_t wanted = (t->rows + 1) * t->columns;
    if (sonde_array_grow(&t->cells, &t->capacity, wanted, sizeof(*t->cells), SIZE_MAX / 64) < 0) {
        return sonde_fail(r->err, SONDE_ENOMEM, 0, "%s: no memory for its rows", r->name);
    }
    for (size_t i = 0; i < t->columns; i++) {
        t->cells[t->rows * t->columns + i] = (struct sonde_load_cell){0};
    }
    t->rows++;
    return 0;
}

/* What was appended to the texts since `from` is a cell of the last row. */
static void set_cell(struct sonde_load_table *t, int column, size_t from)
{
    t->cells[(t->rows - 1) * t->columns + (size_t)column] =
        (struct sonde_load_cell){(uint32_t)from, (uint32_t)(t->texts.length - from)};
}

/* ---- CSV ---- */

enum field_end { ENDS_FIELD, ENDS_LINE };

static void next_line(struct reading *r)
{
    r->line++;
    r->line_at = r->at;
}

/* Passes a line end: LF or CRLF. False: there is none here. */
static bool take_line_end(struct reading *r)
{
    const char *at = r->text.data + r->at;
    size_t left = r->text.length - r->at;
    size_t length = left > 0 && at[0] == '\n'                    ? 1
                    : left > 1 && at[0] == '\r' && at[1] == '\n' ? 2
                                                                 : 0;
    r->at += length;
    return length > 0;
}

/* Behind a quote, to the one that ends the field. */
static int read_quoted(struct reading *r, struct sonde_buf *ret)
{
    size_t begin = r->at;
    size_t line = r->line;
    size_t line_at = r->line_at;
    while (r->at < r->text.length) {
        char c = r->text.data[r->at++];
        if (c == '"' && (r->at == r->text.length || r->text.data[r->at] != '"')) {
            return 0;
        }
        r->at += c == '"';
        sonde_buf_char(ret, c);
        if (c == '\n') {
            next_line(r);
        }
    }
    r->line = line;
    r->line_at = line_at;
    return refuse(r, SONDE_EINVALID, begin - 1, "a quoted field without its end");
}

/* Appends one field, and says what ended it. */
static int read_field(struct reading *r, struct sonde_buf *ret, enum field_end *ret_end)
{
    bool quoted = r->at < r->text.length && r->text.data[r->at] == '"';
    if (quoted) {
        r->at++;
        int code = read_quoted(r, ret);
        if (code < 0) {
            return code;
        }
    }
    while (r->at < r->text.length) {
        char c = r->text.data[r->at];
        if (c == ',') {
            r->at++;
            *ret_end = ENDS_FIELD;
            return 0;
        }
        if (take_line_end(r)) {
            break;
        }
        if (quoted || c == '"') {
            return refuse(r, SONDE_EINVALID, r->at,
                          quoted ? "text behind a quoted field: a comma or the line's end must "
                                   "follow, and a quote inside is written twice"
                                 : "a quote inside a field that does not begin with one");
        }
        sonde_buf_char(ret, c);
        r->at++;
    }
    *ret_end = ENDS_LINE;
    return 0;
}

static bool at_blank_line(struct reading *r)
{
    bool blank = take_line_end(r);
    if (blank) {
        next_line(r);
    }
    return blank;
}

/* Which of the columns that are wanted each field of the line of names is. */
static int read_names(struct reading *r, int places[SONDE_LOAD_TABLE_COLUMNS_MAX],
                      size_t *ret_count)
{
    SONDE_BUF_AUTO name = SONDE_BUF(SONDE_LOAD_TABLE_ROW_MAX);
    size_t count = 0;
    for (enum field_end end = ENDS_FIELD; end == ENDS_FIELD; count++) {
        size_t at = r->at;
        sonde_buf_clear(&name);
        if (count == SONDE_LOAD_TABLE_COLUMNS_MAX) {
            return refuse(r, SONDE_ELIMIT, at, "more than 256 columns");
        }
        int code = read_field(r, &name, &end);
        code = code < 0 ? code : sonde_buf_check(&name, r->name, r->err);
        if (code < 0) {
            return code;
        }
        places[count] = NOT_WANTED;
        for (size_t i = 0; i < r->table->columns; i++) {
            if (sonde_str_is(sonde_str_trim(sonde_buf_view(&name)), r->columns[i])) {
                places[count] = (int)i;
            }
        }
    }
    *ret_count = count;
    for (size_t i = 0; i < r->table->columns; i++) {
        size_t times = 0;
        for (size_t j = 0; j < count; j++) {
            times += places[j] == (int)i;
        }
        if (times != 1) {
            return sonde_fail(r->err, SONDE_EINVALID, 0, "%s:%zu: %s column \"%s\" in it", r->name,
                              r->line, times ? "there is more than one" : "there is no",
                              r->columns[i]);
        }
    }
    next_line(r);
    return 0;
}

static int read_row(struct reading *r, const int *places, size_t count,
                    struct sonde_buf *not_wanted)
{
    struct sonde_buf *texts = &r->table->texts;
    size_t begin = r->at;
    size_t fields = 0;
    int code = add_row(r);
    for (enum field_end end = ENDS_FIELD; code == 0 && end == ENDS_FIELD; fields++) {
        int place = fields < count ? places[fields] : NOT_WANTED;
        size_t from = texts->length;
        sonde_buf_clear(not_wanted);
        code = read_field(r, place == NOT_WANTED ? not_wanted : texts, &end);
        if (code == 0 && place != NOT_WANTED) {
            set_cell(r->table, place, from);
        }
    }
    if (code == 0 && fields != count) {
        return sonde_fail(r->err, SONDE_EINVALID, 0,
                          "%s:%zu: %zu fields, where the line of names has %zu", r->name, r->line,
                          fields, count);
    }
    if (code == 0 && r->at - begin > SONDE_LOAD_TABLE_ROW_MAX) {
        return sonde_fail(r->err, SONDE_ELIMIT, 0,
                          "%s:%zu: a row of %zu bytes; at most %d are read", r->name, r->line,
                          r->at - begin, SONDE_LOAD_TABLE_ROW_MAX);
    }
    next_line(r);
    return code < 0 ? code : sonde_buf_check(texts, r->name, r->err);
}

static int read_csv(struct reading *r)
{
    int places[SONDE_LOAD_TABLE_COLUMNS_MAX];
    size_t count = 0;
    SONDE_BUF_AUTO not_wanted = SONDE_BUF(SONDE_LOAD_TABLE_ROW_MAX);
    int code = read_names(r, places, &count);
    while (code == 0 && r->at < r->text.length) {
        code = at_blank_line(r) ? 0 : read_row(r, places, count, &not_wanted);
    }
    return code;
}

/* ---- JSON lines ---- */

struct json_row {
    struct reading *reading;
    int column; /* of the value that is due */
    size_t from;
    size_t found;
};

static int take_raw(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct json_row *row = context;
    (void)err;
    sonde_buf_append(&row->reading->table->texts, data, length);
    return 0;
}

static int find_column(const struct reading *r, struct sonde_str name)
{
    for (size_t i = 0; i < r->table->columns; i++) {
        if (sonde_str_is(name, r->columns[i])) {
            return (int)i;
        }
    }
    return NOT_WANTED;
}

static int take_value(struct json_row *row, struct sonde_json_scanner *scanner,
                      const struct sonde_json_token *token, struct sonde_err *err)
{
    struct sonde_load_table *table = row->reading->table;
    switch (token->event) {
    case SONDE_JSON_OBJECT_BEGIN:
    case SONDE_JSON_ARRAY_BEGIN:
        row->from = table->texts.length;
        sonde_json_scan_raw(scanner, take_raw, row);
        return 0; /* its end comes */
    case SONDE_JSON_OBJECT_END:
    case SONDE_JSON_ARRAY_END:
        break;
    case SONDE_JSON_NULL:
        return sonde_fail(err, SONDE_EINVALID, 0, "\"%s\" is null",
                          row->reading->columns[row->column]);
    case SONDE_JSON_TRUE:
    case SONDE_JSON_FALSE:
        row->from = table->texts.length;
        sonde_buf_text(&table->texts, token->event == SONDE_JSON_TRUE ? "true" : "false");
        break;
    default:
        row->from = table->texts.length;
        sonde_buf_str(&table->texts, token->text);
    }
    set_cell(table, row->column, row->from);
    row->found++;
    row->column = NOT_WANTED;
    return 0;
}

static int on_json(void *context, struct sonde_json_scanner *scanner,
                   const struct sonde_json_token *token, struct sonde_err *err)
{
    struct json_row *row = context;
    if (token->depth == 0) {
        bool object =
            token->event == SONDE_JSON_OBJECT_BEGIN || token->event == SONDE_JSON_OBJECT_END;
        return object ? 0 : sonde_fail(err, SONDE_EINVALID, 0, "each line must be an object");
    }
    if (token->depth == 1 && token->event == SONDE_JSON_KEY) {
        row->column = find_column(row->reading, token->text);
        return 0;
    }
    return token->depth == 1 && row->column != NOT_WANTED ? take_value(row, scanner, token, err)
                                                          : 0;
}

static int check_row(struct reading *r)
{
    const struct sonde_load_table *t = r->table;
    for (size_t i = 0; i < t->columns; i++) {
        const struct sonde_load_cell *cell = &t->cells[(t->rows - 1) * t->columns + i];
        if (cell->at == UINT32_MAX) {
            return sonde_fail(r->err, SONDE_EINVALID, 0, "%s:%zu: there is no \"%s\" in it",
                              r->name, r->line, r->columns[i]);
        }
    }
    return 0;
}

static int read_object(struct reading *r, struct sonde_str line)
{
    static const struct sonde_json_limits limits = {SONDE_LOAD_TABLE_DEPTH_MAX,
                                                    SONDE_LOAD_TABLE_ROW_MAX, 0};
    struct sonde_load_table *t = r->table;
    struct json_row row = {.reading = r, .column = NOT_WANTED};
    struct sonde_json_scanner scanner;
    if (line.length > SONDE_LOAD_TABLE_ROW_MAX) {
        return sonde_fail(r->err, SONDE_ELIMIT, 0,
                          "%s:%zu: a row of %zu bytes; at most %d are read", r->name, r->line,
                          line.length, SONDE_LOAD_TABLE_ROW_MAX);
    }
    int code = add_row(r);
    if (code < 0) {
        return code;
    }
    for (size_t i = 0; i < t->columns; i++) {
        t->cells[(t->rows - 1) * t->columns + i].at = UINT32_MAX; /* not there yet */
    }
    sonde_json_scanner_init(&scanner, limits, on_json, &row);
    code = sonde_json_scan(&scanner, line.data, line.length, r->err);
    code = code < 0 ? code : sonde_json_scan_finish(&scanner, r->err);
    sonde_json_scanner_fini(&scanner);
    if (code < 0) {
        code = code == SONDE_EPARSE ? SONDE_EINVALID : code;
        if (r->err) {
            r->err->code = code;
        }
        return sonde_err_wrap(r->err, code, "%s:%zu", r->name, r->line);
    }
    code = check_row(r);
    return code < 0 ? code : sonde_buf_check(&t->texts, r->name, r->err);
}

static int read_lines(struct reading *r)
{
    struct sonde_str rest = {r->text.data + r->at, r->text.length - r->at};
    int code = 0;
    for (; code == 0 && rest.length; r->line++) {
        struct sonde_str line = sonde_str_trim(sonde_str_split(&rest, '\n'));
        code = line.length ? read_object(r, line) : 0;
    }
    return code;
}

/* ---- both ---- */

int sonde_load_table_read(const char *name, struct sonde_str text, const char *const *columns,
                          size_t column_count, struct sonde_load_table *ret, struct sonde_err *err)
{
    *ret = (struct sonde_load_table){.texts = SONDE_BUF(SONDE_LOAD_TABLE_BYTES_MAX),
                                     .columns = column_count};
    struct reading r = {
        .name = name, .text = text, .line = 1, .columns = columns, .table = ret, .err = err};
    if (text.length > SONDE_LOAD_TABLE_BYTES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "%s: %zu bytes; at most %d are read", name,
                          text.length, SONDE_LOAD_TABLE_BYTES_MAX);
    }
    if (column_count == 0 || column_count > SONDE_LOAD_TABLE_COLUMNS_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s: %zu columns cannot be taken", name,
                          column_count);
    }
    if (sonde_str_starts(text, "\xef\xbb\xbf")) {
        r.at = r.line_at = 3; /* the byte order mark of some spreadsheets */
    }
    while (r.at < text.length && at_blank_line(&r)) {
    }
    bool lines = r.at < text.length && text.data[r.at] == '{';
    int code = lines ? read_lines(&r) : read_csv(&r);
    return code < 0 || ret->rows ? code
                                 : sonde_fail(err, SONDE_EINVALID, 0, "%s: there is no row", name);
}

void sonde_load_table_fini(struct sonde_load_table *table)
{
    if (table) {
        sonde_buf_fini(&table->texts);
        free(SONDE_TAKE(table->cells));
        table->rows = table->capacity = 0;
    }
}

/* ---- which row ---- */

void sonde_load_draw_init(struct sonde_load_draw *draw, uint64_t count, bool in_turn, uint64_t part,
                          uint64_t parts, uint64_t seed)
{
    *draw = (struct sonde_load_draw){.count = count,
                                     .in_turn = in_turn,
                                     .part = part % count,
                                     .parts = parts,
                                     .next = part % count,
                                     .random = seed};
}

uint64_t sonde_load_draw_next(struct sonde_load_draw *draw)
{
    if (!draw->in_turn) {
        /* The upper half of the product: as good as uniform, as counts are far below 2^64. */
        __extension__ typedef unsigned __int128 wide;
        return (uint64_t)((wide)sonde_random_next(&draw->random) * draw->count >> 64);
    }
    uint64_t row = draw->next;
    draw->next = draw->count - row > draw->parts ? row + draw->parts : draw->part;
    return row;
}
