/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses the size of the pieces, the rest is the text. Whole or in pieces, the
 * answer is the same; what is taken raw is a slice of the input; what is accepted is also a
 * document that cJSON reads. */
#include <stdlib.h>

#include "codec/json.h"
#include "codec/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sonde_json_limits limits = {24, 4096, 0};

struct seen {
    uint64_t events;
    uint64_t hash;
    struct sonde_buf raw;
    bool want_raw;
};

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static int take_raw(void *context, const char *piece, size_t length, struct sonde_err *err)
{
    (void)err;
    struct seen *seen = context;
    sonde_buf_append(&seen->raw, piece, length);
    return 0;
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)err;
    struct seen *seen = context;
    seen->events++;
    seen->hash = seen->hash * 31 + (uint64_t)token->event * 7 + token->depth;
    for (size_t i = 0; i < token->text.length; i++) {
        seen->hash = seen->hash * 31 + (unsigned char)token->text.data[i];
    }
    if (token->event == SONDE_JSON_KEY || token->event == SONDE_JSON_STRING) {
        must(sonde_utf8_valid(token->text));
    }
    if (token->event == SONDE_JSON_OBJECT_BEGIN && token->depth == 2 && seen->want_raw &&
        seen->raw.length == 0) {
        sonde_json_scan_raw(scanner, take_raw, seen);
    }
    return 0;
}

static int scan(struct sonde_str text, size_t step, struct seen *seen)
{
    struct sonde_json_scanner scanner;
    struct sonde_err err = {0};
    sonde_json_scanner_init(&scanner, limits, on_token, seen);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0; at += step) {
        size_t left = text.length - at;
        r = sonde_json_scan(&scanner, text.data + at, left < step ? left : step, &err);
    }
    r = r < 0 ? r : sonde_json_scan_finish(&scanner, &err);
    must(r == 0 || err.message[0]);
    sonde_json_scanner_fini(&scanner);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct sonde_str text = {(const char *)data + 1, size - 1};
    struct seen whole = {.raw = SONDE_BUF(1 << 20), .want_raw = data[0] & 1};
    struct seen pieces = {.raw = SONDE_BUF(1 << 20), .want_raw = data[0] & 1};
    int first = scan(text, text.length + 1, &whole);
    int second = scan(text, data[0] / 2 + 1, &pieces);
    must(first == second);
    if (first == 0) {
        must(whole.events == pieces.events && whole.hash == pieces.hash);
        must(sonde_str_equal(sonde_buf_view(&whole.raw), sonde_buf_view(&pieces.raw)));
        must(sonde_str_contains(text, sonde_buf_view(&whole.raw)));
        SONDE_JSON_AUTO *json = NULL;
        int r = sonde_json_parse(text, &json, NULL);
        must(r == 0 || (r == SONDE_EPARSE && sonde_str_contains(text, SONDE_STR("\\u"))));
    }
    sonde_buf_fini(&whole.raw);
    sonde_buf_fini(&pieces.raw);
    return 0;
}
