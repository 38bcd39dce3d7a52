/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/cell.h"

#include "profile/profile.h"

void sonde_cell_clean(struct sonde_buf *buf, struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        /* A byte that begins no character may be a control for a terminal of eight bits. C1
         * controls are U+0080 to U+009F: 0xc2 0x80…0x9f. */
        size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        bool whole = length <= text.length - i &&
                     sonde_utf8_valid((struct sonde_str){text.data + i, length});
        bool control =
            c < 0x20 || c == 0x7f || (whole && c == 0xc2 && (unsigned char)text.data[i + 1] < 0xa0);
        if (control || !whole) {
            sonde_buf_char(buf, '?');
        } else {
            sonde_buf_append(buf, text.data + i, length);
        }
        i += whole ? length - 1 : 0;
    }
}

void sonde_cell_put(struct sonde_buf *buf, struct sonde_str text, size_t width, bool keep_end)
{
    SONDE_BUF_AUTO clean = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    sonde_cell_clean(&clean, text);
    struct sonde_str view = sonde_buf_view(&clean);
    size_t characters = 0;
    for (size_t i = 0; i < view.length; i++) {
        characters += ((unsigned char)view.data[i] & 0xc0) != 0x80;
    }
    size_t drop = characters > width ? characters - width + 1 : 0;
    if (drop && keep_end) {
        sonde_buf_text(buf, "…");
    }
    size_t at = 0;
    for (size_t i = 0; i < view.length; i++) {
        at += ((unsigned char)view.data[i] & 0xc0) != 0x80;
        bool shown = keep_end ? at > drop : at <= characters - drop;
        if (shown) {
            sonde_buf_char(buf, view.data[i]);
        }
    }
    if (drop && !keep_end) {
        sonde_buf_text(buf, "…");
    }
    size_t used = drop ? width : characters;
    sonde_buf_repeat(buf, ' ', used < width ? width - used : 0);
    buf->code = buf->code ? buf->code : clean.code;
}

void sonde_cell_trim(struct sonde_buf *buf)
{
    while (buf->length && buf->data[buf->length - 1] == ' ') {
        buf->data[--buf->length] = '\0';
    }
}

void sonde_cell_end_line(struct sonde_buf *buf)
{
    sonde_cell_trim(buf);
    sonde_buf_char(buf, '\n');
}
