/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/base64.h"

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int sonde_base64_decode(struct sonde_str text, struct sonde_buf *ret, struct sonde_err *err)
{
    size_t padding = 0;
    while (padding < 2 && text.length && text.data[text.length - 1] == '=') {
        text.length--;
        padding++;
    }
    if (padding && (text.length + padding) % 4 != 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "base64: wrong padding");
    }
    char *out = sonde_buf_reserve(ret, text.length / 4 * 3 + 3);
    if (!out) {
        return sonde_buf_check(ret, "decoded base64", err);
    }
    unsigned bits = 0;
    unsigned held = 0;
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int digit = digit_of(text.data[i]);
        if (digit < 0) {
            return sonde_fail(err, SONDE_EPARSE, 0, "base64: byte %zu is not of its alphabet", i);
        }
        bits = bits << 6 | (unsigned)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[length++] = (char)(bits >> held & 0xff);
            bits &= (1U << held) - 1;
        }
    }
    if (held >= 6 || bits != 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "base64: it ends in the middle of a byte");
    }
    ret->length += length;
    ret->data[ret->length] = '\0';
    return 0;
}

void sonde_base64_encode(struct sonde_str bytes, struct sonde_buf *ret)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t count = bytes.length - i < 3 ? bytes.length - i : 3;
        unsigned group = 0;
        for (size_t b = 0; b < 3; b++) {
            group = group << 8 | (b < count ? (unsigned char)bytes.data[i + b] : 0U);
        }
        for (size_t d = 0; d < 4; d++) {
            char digit = alphabet[group >> (18 - 6 * d) & 63];
            sonde_buf_char(ret, d <= count ? digit : '=');
        }
    }
}
