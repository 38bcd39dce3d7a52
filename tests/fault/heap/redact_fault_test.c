/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "fail.h"
#include "heap/identifiers.h"
#include "heap/redact.h"

static const char source[] = "class Patient { visit() { return this.medicalRecord } }";

static int count(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)data;
    (void)err;
    *(size_t *)context += length;
    return 0;
}

static int find_words(struct sonde_words *words)
{
    struct sonde_identifiers identifiers;
    int r = sonde_words_add_builtins(words, NULL);
    sonde_identifiers_init(&identifiers, words, false);
    r = r < 0 ? r : sonde_identifiers_feed(&identifiers, source, sizeof(source) - 1, NULL);
    return r < 0 ? r : sonde_identifiers_finish(&identifiers, NULL);
}

static int redact_text(const struct sonde_words *words, struct sonde_str text)
{
    size_t written = 0;
    struct sonde_heap_redact_options options = {words, false, count, &written};
    struct sonde_heap_redactor *redactor = NULL;
    int r = sonde_heap_redactor_new(&options, &redactor, NULL);
    r = r < 0 ? r : sonde_heap_redact(redactor, text.data, text.length, NULL);
    r = r < 0 ? r : sonde_heap_redact_finish(redactor, NULL, NULL);
    sonde_heap_redactor_free(redactor);
    return r < 0 || written > text.length ? r : -1;
}

static int redact_a_snapshot(void *context)
{
    const struct sonde_buf *text = context;
    struct sonde_words words;
    sonde_words_init(&words, SONDE_WORDS_MAX);
    int r = find_words(&words);
    r = r < 0 ? r : redact_text(&words, sonde_buf_view(text));
    sonde_words_fini(&words);
    return r;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct sonde_buf text = SONDE_BUF(1 << 20);
    assert_int_equal(
        sonde_read_file(AT_FDCWD, "tests/fuzz/corpus/heap_redact/records", &text, NULL), 0);
    fail_each_allocation(redact_a_snapshot, &text);
    sonde_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
