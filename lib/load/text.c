/* SPDX-License-Identifier: Apache-2.0 */
#include "load/text.h"

static bool begin_character(struct sonde_load_text *t, unsigned char first)
{
    static const struct {
        unsigned char from, to, left, low, high;
    } rows[] = {
        {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
        {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
        {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        if (first >= rows[i].from && first <= rows[i].to) {
            *t = (struct sonde_load_text){rows[i].left, rows[i].low, rows[i].high};
            return true;
        }
    }
    return false;
}

bool sonde_load_text_feed(struct sonde_load_text *text, struct sonde_str piece)
{
    struct sonde_load_text *t = text;
    for (size_t i = 0; i < piece.length; i++) {
        unsigned char byte = (unsigned char)piece.data[i];
        if (t->left) {
            if (byte < t->low || byte > t->high) {
                return false;
            }
            *t = (struct sonde_load_text){(unsigned char)(t->left - 1), 0x80, 0xbf};
        } else if (byte >= 0x80 && !begin_character(t, byte)) {
            return false;
        }
    }
    return true;
}
