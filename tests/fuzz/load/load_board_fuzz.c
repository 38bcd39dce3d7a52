/* SPDX-License-Identifier: Apache-2.0 */
/* Anything as what the store says of a test: what is drawn of it has no control characters, and no
 * line is longer than the terminal. */
#include <stdlib.h>

#include "load/board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 40, LINES = 20 };

static void check(const struct sonde_buf *text, unsigned lines)
{
    unsigned columns = 0;
    unsigned counted = 0;
    for (size_t i = 0; i < text->length; i++) {
        unsigned char c = (unsigned char)text->data[i];
        columns = c == '\n' ? 0 : columns + ((c & 0xc0) != 0x80);
        counted += c == '\n';
        if (columns > COLUMNS || (c < 0x20 && c != '\n') || c == 0x7f) {
            abort();
        }
    }
    if (counted != lines || lines >= LINES) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_load_board *board = calloc(1, sizeof(*board));
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_BOARD_MAX);
    unsigned lines = 0;
    struct sonde_str answer = {(const char *)data, size};
    for (int i = 0; board && i < 2; i++) {
        if (sonde_load_board_take(board, answer, NULL) == 0) {
            sonde_buf_clear(&text);
            sonde_load_board_draw(board, "clinic/nightly", COLUMNS, LINES, &text, &lines);
            check(&text, lines);
        }
    }
    free(board);
    return 0;
}
