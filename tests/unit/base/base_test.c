/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "base/siphash.h"
#include "base/str.h"
#include "base/window.h"

static void a_window_tells_which_bytes_are_what(void **state)
{
    (void)state;
    char bytes[SONDE_WINDOW + 1];
    uint64_t seed = 7;
    for (int round = 0; round < 1000; round++) {
        const char *data = bytes + round % 2; /* aligned or not */
        uint64_t digits = 0;
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (char)(sonde_random_next(&seed) % (round % 4 ? 64 : 256));
        }
        for (unsigned i = 0; i < SONDE_WINDOW; i++) {
            digits |= (uint64_t)(data[i] >= '0' && data[i] <= '9') << i;
        }
        uint64_t found = SONDE_WINDOW_WHERE(data, part, (part - '0') < 10);
        assert_true(found == digits);
    }
    assert_true(sonde_window_below(0) == 0);
    assert_true(sonde_window_below(63) == UINT64_MAX >> 1);
    assert_int_equal(sonde_window_first(UINT64_C(5) << 61), 61);
    assert_int_equal(sonde_window_behind(UINT64_C(5) << 61), 64);
    assert_int_equal(sonde_window_behind(1), 1);
}

static void errors_carry_code_class_and_text(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    assert_int_equal(sonde_fail(&err, SONDE_EIO, ENOSPC, "write %s", "blob"), SONDE_ENOSPACE);
    assert_string_equal(err.message, "write blob: No space left on device");
    assert_int_equal(err.sys, ENOSPC);
    assert_int_equal(sonde_err_class(err.code), SONDE_CLASS_RETRY_LATER);

    assert_int_equal(sonde_err_wrap(&err, SONDE_EIO, "store %s", "/s"), SONDE_ENOSPACE);
    assert_string_equal(err.message, "store /s: write blob: No space left on device");

    assert_int_equal(sonde_fail_reason(&err, SONDE_EBUSY, "InspectorBusy", "port taken"),
                     SONDE_EBUSY);
    assert_string_equal(err.reason, "InspectorBusy");
    assert_int_equal(sonde_fail(NULL, SONDE_EPARSE, 0, "nobody listens"), SONDE_EPARSE);
    assert_int_equal(sonde_err_class(1), SONDE_CLASS_FATAL);
    assert_int_equal(sonde_err_class(-1000), SONDE_CLASS_FATAL);
}

static void a_long_message_is_cut_not_overrun(void **state)
{
    (void)state;
    struct sonde_err err = {0};
    char text[4 * SONDE_ERR_MESSAGE_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)sonde_fail(&err, SONDE_EIO, EIO, "%s", text);
    assert_int_equal(strlen(err.message), SONDE_ERR_MESSAGE_MAX - 1);
    (void)sonde_err_wrap(&err, SONDE_EIO, "%s", text);
    assert_int_equal(strlen(err.message), SONDE_ERR_MESSAGE_MAX - 1);
}

static void integers_are_parsed_whole_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", SONDE_ELIMIT, 0},
        {"99999999999999999999999", SONDE_ELIMIT, 0},
        {"", SONDE_EPARSE, 0},
        {" 1", SONDE_EPARSE, 0},
        {"1 ", SONDE_EPARSE, 0},
        {"+1", SONDE_EPARSE, 0},
        {"-1", SONDE_EPARSE, 0},
        {"0x1", SONDE_EPARSE, 0},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        uint64_t value = 77;
        assert_int_equal(sonde_parse_u64(sonde_str(cases[i].text), 0, UINT64_MAX, &value),
                         cases[i].code);
        assert_int_equal(value, cases[i].code ? 77 : cases[i].value);
    }
    int64_t value;
    assert_int_equal(
        sonde_parse_i64(SONDE_STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &value), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(
        sonde_parse_i64(SONDE_STR("9223372036854775808"), INT64_MIN, INT64_MAX, &value),
        SONDE_ELIMIT);
    assert_int_equal(sonde_parse_i64(SONDE_STR("-5"), 0, 9, &value), SONDE_ELIMIT);
    uint64_t mask;
    assert_int_equal(sonde_parse_hex64(SONDE_STR("0000000000004602"), &mask), 0);
    assert_true(mask & 0x200);
    assert_int_equal(sonde_parse_hex64(SONDE_STR("10000000000000000"), &mask), SONDE_ELIMIT);
    assert_int_equal(sonde_parse_hex64(SONDE_STR("12g"), &mask), SONDE_EPARSE);
}

static void numbers_follow_the_json_grammar(void **state)
{
    (void)state;
    double value;
    assert_int_equal(sonde_parse_double(SONDE_STR("-12.5e-1"), &value), 0);
    assert_true(value == -1.25);
    static const char *const refused[] = {"",   "-",   "01",  "1.",  ".5",
                                          "1e", "nan", "inf", "0x1", "1 "};
    for (size_t i = 0; i < SONDE_LENGTH(refused); i++) {
        assert_int_equal(sonde_parse_double(sonde_str(refused[i]), &value), SONDE_EPARSE);
    }
    assert_int_equal(sonde_parse_double(SONDE_STR("1\0002"), &value), SONDE_EPARSE);
    assert_int_equal(sonde_parse_double(SONDE_STR("1e999"), &value), SONDE_ELIMIT);
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        int64_t ns;
    } cases[] = {
        {"10s", 0, 10 * SONDE_SECOND},
        {"30", 0, 30 * SONDE_SECOND},
        {"1m30s", 0, 90 * SONDE_SECOND},
        {"250ms", 0, 250 * SONDE_MILLISECOND},
        {"2h", 0, 7200 * SONDE_SECOND},
        {"", SONDE_EPARSE, 0},
        {"s", SONDE_EPARSE, 0},
        {"1m30", SONDE_EPARSE, 0},
        {"10w", SONDE_EPARSE, 0},
        {"9999999999h", SONDE_ELIMIT, 0},
        {"101h", SONDE_ELIMIT, 0},
        {"10d", SONDE_ELIMIT, 0},
        {"1 day", 0, 86400 * SONDE_SECOND},
        {"1 minute 30 secs", 0, 90 * SONDE_SECOND},
        {"2hours", 0, 7200 * SONDE_SECOND},
        {"3 mins", 0, 180 * SONDE_SECOND},
        {"1 month", SONDE_EPARSE, 0},
        {"10 ", 0, 10 * SONDE_SECOND},
        {" 10", SONDE_EPARSE, 0},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        int64_t ns = -1;
        assert_int_equal(
            sonde_parse_duration(sonde_str(cases[i].text), 100 * 3600 * SONDE_SECOND, &ns),
            cases[i].code);
        assert_true(ns == (cases[i].code ? -1 : cases[i].ns));
    }
}

static void text_pieces(void **state)
{
    (void)state;
    struct sonde_str rest = SONDE_STR("a,,b");
    assert_true(sonde_str_is(sonde_str_split(&rest, ','), "a"));
    assert_true(sonde_str_is(sonde_str_split(&rest, ','), ""));
    assert_true(sonde_str_is(sonde_str_split(&rest, ','), "b"));
    assert_null(rest.data);
    assert_true(sonde_str_is(sonde_str_trim(SONDE_STR(" \t x y\r\n")), "x y"));
    assert_true(sonde_str_compare(SONDE_STR("ab"), SONDE_STR("abc")) < 0);
    assert_true(sonde_str_contains(SONDE_STR("abc"), SONDE_STR("bc")));
    assert_false(sonde_str_contains(SONDE_STR("abc"), SONDE_STR("cb")));
    assert_int_equal(sonde_str_distance(SONDE_STR("kitten"), SONDE_STR("sitting")), 3);
    assert_int_equal(sonde_str_distance(SONDE_STR(""), SONDE_STR("abc")), 3);
}

static void utf8_is_rfc_3629(void **state)
{
    (void)state;
    static const struct {
        struct sonde_str text;
        bool valid;
    } cases[] = {
        {SONDE_STR("plain"), true},
        {SONDE_STR("\xc3\xa9"), true},
        {SONDE_STR("\xf0\x9f\x98\x80"), true},
        {SONDE_STR("\xc0\xaf"), false},
        {SONDE_STR("\xed\xa0\x80"), false},
        {SONDE_STR("\xf4\x90\x80\x80"), false},
        {SONDE_STR("\xe2\x82"), false},
        {SONDE_STR("\x80"), false},
        {SONDE_STR("\xe0\x80\x80"), false},
        {SONDE_STR("\xf5\x80\x80\x80"), false},
    };
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        assert_int_equal(sonde_utf8_valid(cases[i].text), cases[i].valid);
    }
}

static void buffers_never_exceed_their_maximum(void **state)
{
    (void)state;
    SONDE_BUF_AUTO buf = SONDE_BUF(10);
    sonde_buf_text(&buf, "12345");
    sonde_buf_text(&buf, "123456");
    assert_int_equal(buf.code, SONDE_ELIMIT);
    sonde_buf_text(&buf, "1");
    assert_string_equal(buf.data, "12345");
    struct sonde_err err;
    assert_int_equal(sonde_buf_check(&buf, "the report", &err), SONDE_ELIMIT);
    assert_string_equal(err.message, "the report is larger than 10 bytes");

    sonde_buf_clear(&buf);
    sonde_buf_u64(&buf, UINT64_C(1234567890));
    assert_int_equal(buf.code, 0);
    assert_string_equal(buf.data, "1234567890");
    sonde_buf_consume(&buf, 4);
    assert_string_equal(buf.data, "567890");
    sonde_buf_consume(&buf, 100);
    assert_int_equal(buf.length, 0);
}

static void long_formats_are_whole(void **state)
{
    (void)state;
    SONDE_BUF_AUTO buf = SONDE_BUF(1000);
    sonde_buf_printf(&buf, "%0600d", 7);
    assert_int_equal(buf.length, 600);
    assert_int_equal(buf.data[599], '7');
}

static void json_strings_are_always_valid(void **state)
{
    (void)state;
    SONDE_BUF_AUTO buf = SONDE_BUF(1000);
    sonde_buf_json_string(&buf, SONDE_STR("a\"\\\n\x01\xc3\xa9\xff\xed\xa0\x80z"));
    assert_string_equal(buf.data, "\"a\\\"\\\\\\n\\u0001\xc3\xa9"
                                  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

static void the_map_agrees_with_a_naive_model(void **state)
{
    (void)state;
    enum { KEYS = 500, ROUNDS = 20000 };
    uint64_t seed = 0;
    sonde_random_bytes(&seed, sizeof(seed));
    print_message("seed %llu\n", (unsigned long long)seed);
    char keys[KEYS][16];
    uint64_t model[KEYS] = {0};
    bool present[KEYS] = {false};
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "key%d", i * 7919);
    }
    struct sonde_map map = SONDE_MAP(KEYS - 10);
    size_t count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t k = (size_t)(sonde_random_next(&seed) % KEYS);
        if (sonde_random_next(&seed) % 2) {
            struct sonde_map_slot *slot;
            bool fresh;
            int r = sonde_map_insert(&map, sonde_str(keys[k]), &slot, &fresh);
            if (!present[k] && count == KEYS - 10) {
                assert_int_equal(r, SONDE_ELIMIT);
                continue;
            }
            assert_int_equal(r, 0);
            assert_int_equal(fresh, !present[k]);
            count += fresh ? 1 : 0;
            present[k] = true;
            slot->value = model[k] = (uint64_t)round;
        }
        const uint64_t *value = sonde_map_find(&map, sonde_str(keys[k]));
        assert_int_equal(value != NULL, present[k]);
        assert_true(!value || *value == model[k]);
        assert_int_equal(map.count, count);
    }
    sonde_map_fini(&map);
}

static void a_map_keeps_keys_within_its_bounds(void **state)
{
    (void)state;
    struct sonde_map map = SONDE_MAP(100);
    struct sonde_arena arena = SONDE_ARENA(64);
    struct sonde_budget budget = {.maximum = 4096};
    struct sonde_map_slot *slot;
    bool fresh;
    char text[] = "one";
    assert_int_equal(sonde_map_keep(&map, sonde_str(text), &arena, &budget, &slot, &fresh), 0);
    assert_true(fresh);
    slot->value = 7;
    text[0] = 'x'; /* it is a copy */
    size_t used = budget.used;
    assert_true(used >= map.capacity * sizeof(*map.slots) + 3);
    assert_int_equal(sonde_map_keep(&map, SONDE_STR("one"), &arena, &budget, &slot, &fresh), 0);
    assert_false(fresh);
    assert_int_equal(slot->value, 7);
    assert_int_equal(budget.used, used);
    /* What is there costs nothing. */
    budget.maximum = used + 3;
    assert_int_equal(sonde_map_keep(&map, SONDE_STR("one"), &arena, &budget, &slot, &fresh), 0);
    assert_int_equal(sonde_map_keep(&map, SONDE_STR("two"), &arena, &budget, &slot, &fresh),
                     SONDE_ELIMIT);
    assert_null(sonde_map_find(&map, SONDE_STR("two")));
    assert_int_equal(sonde_map_keep(&map, SONDE_STR("two"), &arena, NULL, &slot, &fresh), 0);
    assert_int_equal(budget.used, used);
    static const char long_key[] = "more bytes than there is room for in the arena that was given";
    assert_int_equal(sonde_map_keep(&map, sonde_str(long_key), &arena, NULL, &slot, &fresh),
                     SONDE_ELIMIT);
    assert_null(sonde_map_find(&map, sonde_str(long_key)));
    assert_int_equal(sonde_map_keep(&map, sonde_str(long_key), NULL, &budget, &slot, &fresh), 0);
    assert_ptr_equal(slot->key.data, long_key);
    assert_int_equal(budget.used, used);
    sonde_map_fini(&map);
    sonde_arena_fini(&arena);
}

static void arenas_are_bounded_and_aligned(void **state)
{
    (void)state;
    struct sonde_arena arena = SONDE_ARENA(100000);
    for (size_t i = 0; i < 100; i++) {
        unsigned char *piece = sonde_arena_alloc(&arena, i * 17 % 300 + 1);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
        assert_int_equal(piece[0], 0);
        memset(piece, 0xff, i * 17 % 300 + 1);
    }
    assert_null(sonde_arena_alloc(&arena, 100000));
    assert_true(sonde_str_is(sonde_arena_copy(&arena, SONDE_STR("copy")), "copy"));
    sonde_arena_fini(&arena);
    assert_int_equal(arena.used, 0);
}

static void growing_arrays_stop_at_their_maximum(void **state)
{
    (void)state;
    SONDE_FREE int *numbers = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(sonde_array_grow(&numbers, &capacity, i + 1, sizeof(*numbers), 100), 0);
        numbers[i] = (int)i;
    }
    assert_int_equal(numbers[99], 99);
    assert_int_equal(capacity, 100);
    assert_int_equal(sonde_array_grow(&numbers, &capacity, 101, sizeof(*numbers), 100),
                     SONDE_ELIMIT);
}

static void arrays_share_a_budget(void **state)
{
    (void)state;
    SONDE_FREE int *numbers = NULL;
    SONDE_FREE char *text = NULL;
    size_t capacity = 0;
    size_t room = 0;
    struct sonde_budget budget = {.maximum = 100};
    assert_int_equal(
        sonde_array_grow_within(&budget, &numbers, &capacity, 20, sizeof(*numbers), 1000), 0);
    assert_int_equal(capacity, 20);
    assert_int_equal(budget.used, 80);
    assert_int_equal(sonde_array_grow_within(&budget, &text, &room, 21, 1, 1000), SONDE_ELIMIT);
    assert_int_equal(sonde_array_grow_within(&budget, &text, &room, 12, 1, 10), SONDE_ELIMIT);
    assert_int_equal(sonde_array_grow_within(&budget, &text, &room, 12, 1, 1000), 0);
    assert_int_equal(sonde_array_grow_within(&budget, &text, &room, 13, 1, 1000), 0); /* 20 */
    assert_int_equal(budget.used, 100);
    assert_false(sonde_budget_take(&budget, 1));
    budget.used -= 80;
    assert_true(sonde_budget_take(&budget, 80));
}

static void time_is_written_in_utc(void **state)
{
    (void)state;
    char text[SONDE_TIME_SIZE];
    sonde_time_format(INT64_C(1767225599123456789), text);
    assert_string_equal(text, "2025-12-31T23:59:59.123Z");
    sonde_time_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    int64_t before = sonde_clock_monotonic();
    assert_true(sonde_clock_monotonic() >= before);
}

static void uuids_are_version_4_and_differ(void **state)
{
    (void)state;
    char a[SONDE_UUID_SIZE];
    char b[SONDE_UUID_SIZE];
    sonde_random_uuid(a);
    sonde_random_uuid(b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
}

static void files_are_read_within_a_bound(void **state)
{
    (void)state;
    SONDE_BUF_AUTO small = SONDE_BUF(16);
    struct sonde_err err;
    assert_int_equal(sonde_read_file(AT_FDCWD, "/proc/self/status", &small, &err), SONDE_ELIMIT);
    assert_string_equal(err.message, "/proc/self/status is larger than 16 bytes");
    SONDE_BUF_AUTO large = SONDE_BUF(65536);
    assert_int_equal(sonde_read_file(AT_FDCWD, "/proc/self/status", &large, &err), 0);
    assert_non_null(strstr(large.data, "SigCgt:"));
    assert_int_equal(sonde_read_file(AT_FDCWD, "/proc/self/no-such-file", &large, &err),
                     SONDE_ENOTFOUND);
}

static void only_what_a_person_names_may_be_waited_for(void **state)
{
    (void)state;
    char directory[] = "/tmp/sonde-base-XXXXXX";
    char fifo[64];
    SONDE_BUF_AUTO text = SONDE_BUF(65536);
    struct sonde_err err;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    (void)alarm(20); /* the kernel's open waits for a writer for ever */
    assert_int_equal(sonde_read_file(AT_FDCWD, fifo, &text, &err), SONDE_EINVALID);
    assert_non_null(strstr(err.message, "fifo is no regular file"));
    assert_int_equal(sonde_read_file(AT_FDCWD, directory, &text, &err), SONDE_EINVALID);
    assert_int_equal(sonde_read_file(AT_FDCWD, "/dev/null", &text, &err), SONDE_EINVALID);
    assert_int_equal(sonde_read_input("/dev/null", &text, &err), 0);
    int ends[2];
    char pipe[64];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)snprintf(pipe, sizeof(pipe), "/proc/self/fd/%d", ends[0]); /* as of a shell's <(…) */
    assert_int_equal(sonde_write_all(ends[1], "piped", 5, "a pipe", &err), 0);
    (void)close(ends[1]);
    assert_int_equal(sonde_read_file(AT_FDCWD, pipe, &text, &err), SONDE_EINVALID);
    assert_int_equal(sonde_read_input(pipe, &text, &err), 0);
    assert_string_equal(text.data, "piped");
    (void)close(ends[0]);
    (void)alarm(0);
    assert_int_equal(unlink(fifo), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void log_lines_are_json(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct sonde_log log = {.fd = ends[1], .level = SONDE_LOG_INFO, .component = "test"};
    SONDE_LOG(&log, SONDE_LOG_DEBUG, "hidden", SONDE_FIELD_INT("n", 1));
    SONDE_LOG(&log, SONDE_LOG_WARN, "it \"broke\"", SONDE_FIELD_STR("who", SONDE_STR("a\nb")),
              SONDE_FIELD_INT("count", -3));
    (void)close(ends[1]);
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    assert_int_equal(sonde_read_all(ends[0], &text, "pipe", NULL), 0);
    (void)close(ends[0]);
    assert_null(strstr(text.data, "hidden"));
    assert_non_null(strstr(text.data, "\"level\":\"warn\",\"component\":\"test\",\"message\":"
                                      "\"it \\\"broke\\\"\",\"who\":\"a\\nb\",\"count\":-3}\n"));
}

/* From the reference implementation (vectors_sip64): the key 00 … 0f, the bytes 00 01 02 … */
static void siphash_is_the_published_one(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        uint64_t hash;
    } vectors[] = {{0, 0x726fdb47dd0e0e31},
                   {1, 0x74f839c593dc67fd},
                   {7, 0xab0200f58b01d137},
                   {8, 0x93f5f5799a932462},
                   {15, 0xa129ca6149be45e5}};
    uint64_t key[2];
    char bytes[16];
    for (int i = 0; i < 16; i++) {
        bytes[i] = (char)i;
    }
    memcpy(key, bytes, sizeof(key));
    for (size_t i = 0; i < SONDE_LENGTH(vectors); i++) {
        for (size_t cut = 0; cut <= vectors[i].length; cut++) {
            struct sonde_siphash hash;
            sonde_siphash_init(&hash, key);
            sonde_siphash_add(&hash, bytes, cut);
            sonde_siphash_add(&hash, bytes + cut, vectors[i].length - cut);
            assert_true(sonde_siphash_end(&hash) == vectors[i].hash);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_carry_code_class_and_text),
        cmocka_unit_test(a_long_message_is_cut_not_overrun),
        cmocka_unit_test(integers_are_parsed_whole_or_refused),
        cmocka_unit_test(numbers_follow_the_json_grammar),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(text_pieces),
        cmocka_unit_test(utf8_is_rfc_3629),
        cmocka_unit_test(buffers_never_exceed_their_maximum),
        cmocka_unit_test(long_formats_are_whole),
        cmocka_unit_test(json_strings_are_always_valid),
        cmocka_unit_test(the_map_agrees_with_a_naive_model),
        cmocka_unit_test(a_map_keeps_keys_within_its_bounds),
        cmocka_unit_test(arenas_are_bounded_and_aligned),
        cmocka_unit_test(growing_arrays_stop_at_their_maximum),
        cmocka_unit_test(arrays_share_a_budget),
        cmocka_unit_test(time_is_written_in_utc),
        cmocka_unit_test(uuids_are_version_4_and_differ),
        cmocka_unit_test(files_are_read_within_a_bound),
        cmocka_unit_test(only_what_a_person_names_may_be_waited_for),
        cmocka_unit_test(log_lines_are_json),
        cmocka_unit_test(siphash_is_the_published_one),
        cmocka_unit_test(a_window_tells_which_bytes_are_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
