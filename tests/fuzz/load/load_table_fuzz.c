/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as CSV or JSON lines: each cell of each row can be read, and printed as CSV they are the
 * same again. */
#include <stdlib.h>
#include <string.h>

#include "load/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const columns[] = {"a", "b"};
enum { PRINTED_MAX = 16 << 20 };

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void print(const struct sonde_load_table *table, struct sonde_buf *buf)
{
    sonde_buf_text(buf, "b,a\n");
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t column = 2; column > 0; column--) {
            struct sonde_str cell = sonde_load_table_at(table, row, column - 1);
            sonde_buf_char(buf, '"');
            for (size_t i = 0; i < cell.length; i++) {
                sonde_buf_text(buf, cell.data[i] == '"' ? "\"" : "");
                sonde_buf_char(buf, cell.data[i]);
            }
            sonde_buf_text(buf, column > 1 ? "\"," : "\"\n");
        }
    }
}

static void must_be_alike(const struct sonde_load_table *a, const struct sonde_load_table *b)
{
    must(a->rows == b->rows);
    for (size_t i = 0; i < 2 * a->rows; i++) {
        struct sonde_str x = sonde_load_table_at(a, i / 2, i % 2);
        struct sonde_str y = sonde_load_table_at(b, i / 2, i % 2);
        must(x.length == y.length && (x.length == 0 || memcmp(x.data, y.data, x.length) == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_load_table table;
    struct sonde_load_table again;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(PRINTED_MAX);
    struct sonde_str given = {(const char *)data, size};
    if (sonde_load_table_read("t", given, columns, 2, &table, &err) < 0) {
        must(err.message[0] != '\0');
    } else {
        must(table.rows > 0);
        print(&table, &text);
        int r = sonde_load_table_read("t", sonde_buf_view(&text), columns, 2, &again, &err);
        must(r == 0 || r == SONDE_ELIMIT); /* quotes make a row longer */
        if (r == 0) {
            must_be_alike(&table, &again);
        }
        sonde_load_table_fini(&again);
    }
    sonde_load_table_fini(&table);
    return 0;
}
