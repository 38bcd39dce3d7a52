/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a heap snapshot, whole and by bytes: both end alike, what was taken is JSON, and a
 * word that no code has is nowhere behind the head. */
#include <stdlib.h>
#include <string.h>

#include "codec/json_scan.h"
#include "heap/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static int collect(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)err;
    sonde_buf_append(context, data, length);
    return 0;
}

static int redact(const struct sonde_words *words, struct sonde_str text, size_t piece,
                  struct sonde_buf *out)
{
    struct sonde_heap_redact_options options = {words, false, collect, out};
    struct sonde_heap_redactor *redactor = NULL;
    struct sonde_err err = {0};
    must(sonde_heap_redactor_new(&options, &redactor, &err) == 0);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0; at += piece) {
        size_t length = text.length - at < piece ? text.length - at : piece;
        r = sonde_heap_redact(redactor, text.data + at, length, &err);
    }
    r = r < 0 ? r : sonde_heap_redact_finish(redactor, NULL, &err);
    must(r == 0 || err.message[0]);
    sonde_heap_redactor_free(redactor);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sonde_words words;
    struct sonde_str text = {(const char *)data, size};
    struct sonde_buf whole = SONDE_BUF(64 << 20);
    struct sonde_buf bytes = SONDE_BUF(64 << 20);
    if (!words.maximum) {
        sonde_words_init(&words, SONDE_WORDS_MAX);
        must(sonde_words_add_builtins(&words, NULL) == 0);
        must(sonde_words_add(&words, SONDE_STR("visit"), NULL) == 0);
    }
    int r = redact(&words, text, size ? size : 1, &whole);
    must(redact(&words, text, 1, &bytes) == r);
    if (r == 0) {
        struct sonde_json_limits limits = {.depth = SONDE_JSON_DEPTH_MAX, .string = 1 << 20};
        must(whole.code || whole.length == bytes.length);
        must(whole.code || sonde_json_check(sonde_buf_view(&whole), limits, NULL) == 0 ||
             !sonde_utf8_valid(text));
    }
    const char *nodes = whole.data ? strstr(whole.data, "\"nodes\":[") : NULL;
    must(!nodes || !strstr(nodes, "smith"));
    sonde_buf_fini(&whole);
    sonde_buf_fini(&bytes);
    return 0;
}
