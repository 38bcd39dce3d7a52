/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 in pieces is what it is as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "load/text.h"
#include "seed.h"

static bool in_pieces(struct sonde_str text, size_t size)
{
    struct sonde_load_text state = {0};
    for (size_t at = 0; at < text.length; at += size) {
        size_t left = text.length - at;
        struct sonde_str piece = {text.data + at, left < size ? left : size};
        if (!sonde_load_text_feed(&state, piece)) {
            return false;
        }
    }
    return state.left == 0;
}

static void assert_same(struct sonde_str text)
{
    bool whole = sonde_utf8_valid(text);
    for (size_t size = 1; size <= 5; size++) {
        if (in_pieces(text, size) != whole) {
            fail_msg("%.*s in pieces of %zu is not the same", SONDE_STR_ARG(text), size);
        }
    }
}

/* Those that matter: the bounds of what may stand where. */
static const unsigned char bytes[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                      0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                      0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};

static void all_of_four_bytes(void **state)
{
    enum { COUNT = SONDE_LENGTH(bytes), LENGTH = 4 };
    char text[LENGTH];
    (void)state;
    for (size_t i = 0; i < (size_t)COUNT * COUNT * COUNT * COUNT; i++) {
        size_t number = i;
        for (size_t k = 0; k < LENGTH; k++) {
            text[k] = (char)bytes[number % COUNT];
            number /= COUNT;
        }
        assert_same((struct sonde_str){text, LENGTH});
    }
}

static void long_ones(void **state)
{
    uint64_t seed = test_seed();
    char text[64];
    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t length = sonde_random_next(&seed) % sizeof(text);
        for (size_t k = 0; k < length; k++) {
            text[k] = (char)bytes[sonde_random_next(&seed) % SONDE_LENGTH(bytes)];
        }
        assert_same((struct sonde_str){text, length});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_four_bytes),
        cmocka_unit_test(long_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
