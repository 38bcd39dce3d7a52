/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/base64.h"
#include "codec/compress.h"
#include "codec/protobuf.h"

static void protobuf_fields_come_back(void **state)
{
    (void)state;
    SONDE_BUF_AUTO buf = SONDE_BUF(1000);
    const uint64_t packed[] = {0, 1, 300, UINT64_MAX};
    sonde_protobuf_uint(&buf, 1, 150);
    sonde_protobuf_uint(&buf, 2, 0);
    sonde_protobuf_bytes(&buf, 3, SONDE_STR("text"));
    sonde_protobuf_packed(&buf, 4, packed, 4);
    assert_memory_equal(buf.data, "\x08\x96\x01", 3); /* the example of the encoding page */
    struct sonde_str rest = sonde_buf_view(&buf);
    struct sonde_protobuf_field field;
    assert_int_equal(sonde_protobuf_next(&rest, &field, NULL), 1);
    assert_int_equal(field.number, 1);
    assert_int_equal(field.value, 150);
    assert_int_equal(sonde_protobuf_next(&rest, &field, NULL), 1);
    assert_int_equal(field.number, 3);
    assert_true(sonde_str_is(field.bytes, "text"));
    assert_int_equal(sonde_protobuf_next(&rest, &field, NULL), 1);
    assert_int_equal(field.number, 4);
    assert_int_equal(field.bytes.length, 1 + 1 + 2 + 10);
    assert_int_equal(sonde_protobuf_next(&rest, &field, NULL), 0);
}

static void hostile_protobuf_is_refused(void **state)
{
    (void)state;
    static const struct sonde_str cases[] = {
        SONDE_STR("\x08"),                                         /* a value is missing */
        SONDE_STR("\x1a\x05xx"),                                   /* cut */
        SONDE_STR("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* an absurd length */
        SONDE_STR("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* more than 64 bits */
        SONDE_STR("\x0b"),                                         /* a group */
        SONDE_STR("\x00\x01"),                                     /* field 0 */
        SONDE_STR("\x09\x01\x02"),                                 /* a short fixed64 */
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_str rest = cases[i];
        struct sonde_protobuf_field field;
        assert_int_equal(sonde_protobuf_next(&rest, &field, NULL), SONDE_EPARSE);
    }
}

static void base64_follows_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } cases[] = {
        {"", ""},          {"Zg==", "f"},          {"Zm8=", "fo"},
        {"Zm9v", "foo"},   {"Zm9vYmFy", "foobar"}, {"Zm8", "fo"},
        {"Pz8_", "?\?\?"}, {"Pz8/", "?\?\?"},      {"Z", NULL},
        {"Zm9=", NULL},    {"Zm9v====", NULL},     {"Zm 9v", NULL},
        {"Zh==", NULL},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        SONDE_BUF_AUTO out = SONDE_BUF(100);
        int r = sonde_base64_decode(sonde_str(cases[i].text), &out, NULL);
        assert_int_equal(r, cases[i].bytes ? 0 : SONDE_EPARSE);
        if (cases[i].bytes) {
            assert_true(sonde_str_is(sonde_buf_view(&out), cases[i].bytes));
        }
    }
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "output", err);
}

static void feed_in_pieces(struct sonde_stream *stream, struct sonde_str text, uint64_t *seed)
{
    while (text.length) {
        size_t length = (size_t)(sonde_random_next(seed) % 5000 + 1);
        length = length < text.length ? length : text.length;
        assert_int_equal(sonde_stream_feed(stream, text.data, length, NULL), 0);
        text.data += length;
        text.length -= length;
    }
    assert_int_equal(sonde_stream_finish(stream, NULL), 0);
}

static void assert_round_trip(enum sonde_compression kind, size_t length, bool whole,
                              uint64_t *seed)
{
    SONDE_BUF_AUTO plain = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO packed = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO again = SONDE_BUF(1 << 20);
    for (size_t i = 0; i < length; i++) {
        sonde_buf_char(&plain, (char)(sonde_random_next(seed) % 5));
    }
    struct sonde_stream *stream = NULL;
    assert_int_equal(sonde_compressor_new(kind, append, &packed, &stream, NULL), 0);
    feed_in_pieces(stream, sonde_buf_view(&plain), seed);
    sonde_stream_free(stream);
    assert_int_equal(sonde_decompressor_new(kind, 1 << 20, append, &again, &stream, NULL), 0);
    if (whole) {
        assert_int_equal(sonde_stream_feed(stream, packed.data, packed.length, NULL), 0);
        assert_int_equal(sonde_stream_finish(stream, NULL), 0);
    } else {
        feed_in_pieces(stream, sonde_buf_view(&packed), seed);
    }
    sonde_stream_free(stream);
    assert_true(sonde_str_equal(sonde_buf_view(&plain), sonde_buf_view(&again)));
}

static void compression_round_trips(void **state)
{
    (void)state;
    uint64_t seed = 0;
    sonde_random_bytes(&seed, sizeof(seed));
    print_message("seed %llu\n", (unsigned long long)seed);
    for (enum sonde_compression kind = SONDE_GZIP; kind <= SONDE_ZSTD; kind++) {
        for (size_t length = 0; length < 300000; length = length * 3 + 1) {
            assert_round_trip(kind, length, false, &seed);
        }
    }
}

/* What ends just where a piece of the output does is whole, too. */
static void compression_round_trips_at_every_edge(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (enum sonde_compression kind = SONDE_GZIP; kind <= SONDE_ZSTD; kind++) {
        for (size_t edge = 1 << 12; edge <= 1 << 18; edge *= 2) {
            for (size_t length = edge - 1; length <= edge + 1; length++) {
                assert_round_trip(kind, length, true, &seed);
                assert_round_trip(kind, length, false, &seed);
            }
        }
    }
}

static void bombs_cuts_and_damage_are_refused(void **state)
{
    (void)state;
    for (enum sonde_compression kind = SONDE_GZIP; kind <= SONDE_ZSTD; kind++) {
        SONDE_BUF_AUTO plain = SONDE_BUF(1 << 20);
        SONDE_BUF_AUTO packed = SONDE_BUF(1 << 20);
        SONDE_BUF_AUTO again = SONDE_BUF(1 << 20);
        sonde_buf_repeat(&plain, 'x', 500000);
        struct sonde_stream *stream = NULL;
        assert_int_equal(sonde_compressor_new(kind, append, &packed, &stream, NULL), 0);
        assert_int_equal(sonde_stream_feed(stream, plain.data, plain.length, NULL), 0);
        assert_int_equal(sonde_stream_finish(stream, NULL), 0);
        sonde_stream_free(stream);

        assert_int_equal(sonde_decompressor_new(kind, 100000, append, &again, &stream, NULL), 0);
        assert_int_equal(sonde_stream_feed(stream, packed.data, packed.length, NULL), SONDE_ELIMIT);
        sonde_stream_free(stream);

        assert_int_equal(sonde_decompressor_new(kind, 1 << 20, append, &again, &stream, NULL), 0);
        int r = sonde_stream_feed(stream, packed.data, packed.length - 6, NULL);
        assert_int_equal(r ? r : sonde_stream_finish(stream, NULL), SONDE_EPARSE);
        sonde_stream_free(stream);

        packed.data[packed.length / 2] ^= 0x55;
        packed.data[packed.length - 2] ^= 0x55;
        sonde_buf_clear(&again);
        assert_int_equal(sonde_decompressor_new(kind, 1 << 20, append, &again, &stream, NULL), 0);
        r = sonde_stream_feed(stream, packed.data, packed.length, NULL);
        assert_int_equal(r ? r : sonde_stream_finish(stream, NULL), SONDE_EPARSE);
        sonde_stream_free(stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protobuf_fields_come_back),
        cmocka_unit_test(hostile_protobuf_is_refused),
        cmocka_unit_test(base64_follows_rfc_4648),
        cmocka_unit_test(compression_round_trips),
        cmocka_unit_test(compression_round_trips_at_every_edge),
        cmocka_unit_test(bombs_cuts_and_damage_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
