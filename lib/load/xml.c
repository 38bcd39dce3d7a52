/* SPDX-License-Identifier: Apache-2.0 */
#include "load/xml.h"

#include <string.h>

#include "analysis/cell.h"

void sonde_xml_text(const char *text, struct sonde_buf *buf)
{
    static const char not_a_character[] = "\xef\xbf"; /* … be or bf: U+FFFE, U+FFFF */
    static const struct {
        char c;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    SONDE_BUF_AUTO clean = SONDE_BUF(buf->maximum);
    struct sonde_str rest = sonde_str(text);
    while (rest.length) {
        sonde_cell_clean(&clean, sonde_str_split(&rest, '\n'));
        sonde_buf_text(&clean, rest.length ? "\n" : "");
    }
    for (size_t i = 0; i < clean.length; i++) {
        const char *at = clean.data + i;
        const char *instead = NULL;
        for (size_t k = 0; k < SONDE_LENGTH(entities); k++) {
            instead = *at == entities[k].c ? entities[k].entity : instead;
        }
        if (strncmp(at, not_a_character, 2) == 0 && (unsigned char)at[2] >= 0xbe) {
            instead = "?";
            i += 2;
        }
        if (instead) {
            sonde_buf_text(buf, instead);
        } else {
            sonde_buf_char(buf, *at);
        }
    }
    buf->code = buf->code ? buf->code : clean.code;
}

void sonde_xml_attribute(const char *name, const char *text, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, " %s=\"", name);
    sonde_xml_text(text, buf);
    sonde_buf_char(buf, '"');
}
