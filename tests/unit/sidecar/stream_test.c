/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "sidecar/stream.h"

static void bytes_come_out_in_order(void **state)
{
    (void)state;
    enum { TOTAL = 8 << 20, PIECE = 300 << 10 };
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    char *all = malloc(TOTAL);
    char *out = malloc(TOTAL);
    assert_true(all && out);
    for (size_t i = 0; i < TOTAL; i++) {
        all[i] = (char)sonde_random_next(&seed);
    }
    struct stream stream;
    assert_int_equal(stream_init(&stream, NULL), 0);
    size_t in = 0;
    size_t taken = 0;
    while (taken < TOTAL) {
        size_t piece = sonde_random_next(&seed) % PIECE;
        piece = piece < TOTAL - in ? piece : TOTAL - in;
        if (!stream_full(&stream)) {
            assert_int_equal(stream_write(&stream, all + in, piece, NULL), 0);
            in += piece;
        }
        taken += stream_read(&stream, out + taken, sonde_random_next(&seed) % PIECE);
    }
    assert_memory_equal(all, out, TOTAL);
    assert_int_equal(stream.bytes, TOTAL);
    char expected[SONDE_DIGEST_SIZE];
    char said[SONDE_DIGEST_SIZE];
    sonde_sha256((struct sonde_str){all, TOTAL}, expected);
    stream_end(&stream, said);
    assert_string_equal(said, expected);
    assert_int_equal(stream_write(&stream, "x", 1, NULL), SONDE_ELIMIT);
    stream_fini(&stream);
    free(all);
    free(out);
}

static void it_is_bounded(void **state)
{
    (void)state;
    static char data[STREAM_SIZE];
    struct stream stream;
    assert_int_equal(stream_init(&stream, NULL), 0);
    assert_false(stream_full(&stream));
    assert_int_equal(stream_write(&stream, data, STREAM_SIZE - STREAM_ROOM_MIN + 1, NULL), 0);
    assert_true(stream_full(&stream));
    assert_int_equal(stream_write(&stream, data, STREAM_ROOM_MIN - 1, NULL), 0);
    assert_int_equal(stream_write(&stream, data, 1, NULL), SONDE_ELIMIT);
    assert_int_equal(stream_read(&stream, data, STREAM_SIZE), STREAM_SIZE);
    assert_int_equal(stream_read(&stream, data, 1), 0);
    assert_false(stream_full(&stream));
    stream_fini(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_in_order),
        cmocka_unit_test(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
