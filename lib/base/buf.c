/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 64 };

void sonde_buf_fini(struct sonde_buf *buf)
{
    if (buf) {
        free(buf->data);
        *buf = SONDE_BUF(buf->maximum);
    }
}

void sonde_buf_clear(struct sonde_buf *buf)
{
    buf->length = 0;
    buf->code = 0;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

void sonde_buf_consume(struct sonde_buf *buf, size_t count)
{
    if (count >= buf->length) {
        count = buf->length;
    }
    if (count) {
        memmove(buf->data, buf->data + count, buf->length - count + 1);
        buf->length -= count;
    }
}

char *sonde_buf_reserve(struct sonde_buf *buf, size_t length)
{
    if (buf->code) {
        return NULL;
    }
    if (length > buf->maximum - buf->length) {
        buf->code = SONDE_ELIMIT;
        return NULL;
    }
    size_t wanted = buf->length + length + 1;
    if (wanted > buf->capacity) {
        size_t larger = buf->capacity < SMALLEST ? SMALLEST : buf->capacity * 2;
        if (larger > buf->maximum + 1) {
            larger = buf->maximum + 1;
        }
        if (larger < wanted) {
            larger = wanted;
        }
        char *data = realloc(buf->data, larger);
        if (!data) {
            buf->code = SONDE_ENOMEM;
            return NULL;
        }
        buf->data = data;
        buf->capacity = larger;
    }
    return buf->data + buf->length;
}

void sonde_buf_append(struct sonde_buf *buf, const void *data, size_t length)
{
    char *room = sonde_buf_reserve(buf, length);
    if (!room) {
        return;
    }
    if (length) {
        memcpy(room, data, length);
    }
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void sonde_buf_str(struct sonde_buf *buf, struct sonde_str text)
{
    sonde_buf_append(buf, text.data, text.length);
}

void sonde_buf_text(struct sonde_buf *buf, const char *text)
{
    sonde_buf_append(buf, text, strlen(text));
}

void sonde_buf_char(struct sonde_buf *buf, char c)
{
    sonde_buf_append(buf, &c, 1);
}

void sonde_buf_repeat(struct sonde_buf *buf, char c, size_t count)
{
    char *room = sonde_buf_reserve(buf, count);
    if (room) {
        memset(room, c, count);
        buf->length += count;
        buf->data[buf->length] = '\0';
    }
}

void sonde_buf_printf(struct sonde_buf *buf, const char *format, ...)
{
    char small[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof(small), format, arguments);
    va_end(arguments);
    if (length < 0) {
        buf->code = buf->code ? buf->code : SONDE_ELIMIT;
        return;
    }
    if ((size_t)length < sizeof(small)) {
        sonde_buf_append(buf, small, (size_t)length);
        return;
    }
    char *room = sonde_buf_reserve(buf, (size_t)length);
    if (room) {
        va_start(arguments, format);
        (void)vsnprintf(room, (size_t)length + 1, format, arguments);
        va_end(arguments);
        buf->length += (size_t)length;
    }
}

void sonde_buf_u64(struct sonde_buf *buf, uint64_t value)
{
    char text[20];
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    sonde_buf_append(buf, text + at, sizeof(text) - at);
}

static void json_escape(struct sonde_buf *buf, unsigned char c)
{
    static const char short_form[] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                      ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    if (c < sizeof(short_form) && short_form[c]) {
        const char pair[2] = {'\\', short_form[c]};
        sonde_buf_append(buf, pair, sizeof(pair));
    } else {
        sonde_buf_printf(buf, "\\u%04x", c);
    }
}

/* The bytes from `at` that need no escape and are well-formed UTF-8. */
static size_t plain_run(struct sonde_str text, size_t at)
{
    size_t end = at;
    while (end < text.length) {
        unsigned char c = (unsigned char)text.data[end];
        if (c < 0x20 || c == '"' || c == '\\') {
            break;
        }
        size_t width = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (c >= 0x80 && (width > text.length - end ||
                          !sonde_utf8_valid((struct sonde_str){text.data + end, width}))) {
            break;
        }
        end += width;
    }
    return end - at;
}

void sonde_buf_json_string(struct sonde_buf *buf, struct sonde_str text)
{
    sonde_buf_char(buf, '"');
    for (size_t i = 0; i < text.length;) {
        size_t run = plain_run(text, i);
        if (run) {
            sonde_buf_append(buf, text.data + i, run);
            i += run;
            continue;
        }
        unsigned char c = (unsigned char)text.data[i++];
        if (c >= 0x80) {
            sonde_buf_text(buf, "\xef\xbf\xbd");
        } else {
            json_escape(buf, c);
        }
    }
    sonde_buf_char(buf, '"');
}

int sonde_buf_check(const struct sonde_buf *buf, const char *what, struct sonde_err *err)
{
    if (buf->code == SONDE_ELIMIT) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "%s is larger than %zu bytes", what, buf->maximum);
    }
    if (buf->code) {
        return sonde_fail(err, buf->code, 0, "%s: out of memory", what);
    }
    return 0;
}
