/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/json.h"
#include "codec/json_scan.h"

static const struct sonde_json_limits limits = {16, 1000, 0};

/* Writes every event down as text, so that two scans can be compared. */
struct record {
    struct sonde_buf events;
    struct sonde_buf raw;
    const char *raw_key; /* the value of this key is taken raw … */
    bool hand_over;      /* … or handed over, when it is an array … */
    bool text;           /* … or in pieces, when it is a string */
    char buffer[16];
    bool key_matches;
};

static int take_raw(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)err;
    struct record *record = context;
    sonde_buf_append(&record->raw, data, length);
    return 0;
}

/* Takes what stands in an array up to the first closing bracket. */
static int take_array(void *context, const char *data, size_t length, uint64_t offset,
                      size_t *ret_taken, bool *ret_done, struct sonde_err *err)
{
    struct record *record = context;
    const char *end = memchr(data, ']', length);
    size_t inside = end ? (size_t)(end - data) : length;
    sonde_buf_append(&record->raw, data, inside);
    *ret_done = end != NULL;
    *ret_taken = inside + *ret_done;
    const char *refused = memchr(data, '!', inside);
    return refused ? sonde_fail(err, SONDE_EPARSE, 0, "byte %zu is refused",
                                (size_t)offset + (size_t)(refused - data))
                   : 0;
}

static int write_down(void *context, struct sonde_json_scanner *scanner,
                      const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)err;
    static const char *const names[] = {"{", "}", "[", "]", "key", "str", "num", "T", "F", "N"};
    struct record *record = context;
    sonde_buf_printf(&record->events, "%u%s", token->depth, names[token->event]);
    if (token->text.data) {
        sonde_buf_printf(&record->events, "(%.*s)", SONDE_STR_ARG(token->text));
    }
    if (token->event == SONDE_JSON_NUMBER && token->is_integer) {
        sonde_buf_printf(&record->events, "=%lld", (long long)token->integer);
    }
    sonde_buf_char(&record->events, ' ');
    bool begins = token->event == SONDE_JSON_OBJECT_BEGIN || token->event == SONDE_JSON_ARRAY_BEGIN;
    if (token->event == SONDE_JSON_KEY && record->text &&
        sonde_str_is(token->text, record->raw_key)) {
        sonde_json_scan_text(scanner, take_raw, record, record->buffer, sizeof(record->buffer));
    }
    if (begins && record->key_matches && record->text) {
        record->key_matches = false;
    }
    if (begins && record->key_matches && record->hand_over) {
        sonde_json_scan_hand_over(scanner, take_array, record);
    } else if (begins && record->key_matches) {
        sonde_json_scan_raw(scanner, take_raw, record);
    }
    record->key_matches = record->raw_key && token->event == SONDE_JSON_KEY &&
                          sonde_str_is(token->text, record->raw_key);
    return 0;
}

/* Scans in pieces of at most `piece` bytes (0: random ones from *seed). */
static int scan(struct sonde_str text, size_t piece, uint64_t *seed, struct record *record,
                struct sonde_err *err)
{
    struct sonde_json_scanner scanner;
    sonde_json_scanner_init(&scanner, limits, write_down, record);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0;) {
        size_t length = piece ? piece : (size_t)(sonde_random_next(seed) % 7 + 1);
        length = length < text.length - at ? length : text.length - at;
        r = sonde_json_scan(&scanner, text.data + at, length, err);
        at += length;
    }
    r = r ? r : sonde_json_scan_finish(&scanner, err);
    sonde_json_scanner_fini(&scanner);
    return r;
}

static struct record new_record(const char *raw_key)
{
    return (struct record){
        .events = SONDE_BUF(100000), .raw = SONDE_BUF(100000), .raw_key = raw_key};
}

static void free_record(struct record *record)
{
    sonde_buf_fini(&record->events);
    sonde_buf_fini(&record->raw);
}

static const char sample[] =
    "{\"a\":[1,-20,3.5,1e3,true,false,null,\"x\\n\\u00e9\\ud83d\\ude00\\ud800z\"],"
    "\"p\":{\"q\":[{},[]],\"s\":\"}]\\\"\"},\"\xc3\xa9\":\"\",\"n\":12345678901234567890}";

static void events_are_the_same_in_any_split(void **state)
{
    (void)state;
    static const char expected[] =
        "0{ 1key(a) 1[ 2num(1)=1 2num(-20)=-20 2num(3.5) 2num(1e3) 2T 2F 2N "
        "2str(x\n\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdz) 1] 1key(p) 1{ 2key(q) 2[ 3{ 3} 3[ 3] 2] "
        "2key(s) 2str(}]\") 1} 1key(\xc3\xa9) 1str() 1key(n) 1num(12345678901234567890) 0} ";
    for (size_t piece = 1; piece <= sizeof(sample); piece++) {
        struct record record = new_record(NULL);
        struct sonde_err err = {0};
        assert_int_equal(scan(sonde_str(sample), piece, NULL, &record, &err), 0);
        assert_string_equal(record.events.data, expected);
        free_record(&record);
    }
}

static void an_array_can_be_handed_over(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[0],\"p\":[1, 2,{,3],\"b\":[4]}";
    static const char expected[] =
        "0{ 1key(a) 1[ 2num(0)=0 1] 1key(p) 1[ 1] 1key(b) 1[ 2num(4)=4 1] 0} ";
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        struct record record = new_record("p");
        record.hand_over = true;
        assert_int_equal(scan(sonde_str(text), piece, NULL, &record, NULL), 0);
        assert_string_equal(record.events.data, expected);
        assert_string_equal(record.raw.data, "1, 2,{,3");
        free_record(&record);
        record = new_record("p");
        record.hand_over = true;
        assert_int_equal(scan(SONDE_STR("{\"p\":[1,2"), piece, NULL, &record, NULL), SONDE_EPARSE);
        free_record(&record);
        record = new_record("p");
        record.hand_over = true;
        struct sonde_err err = {0};
        int code = scan(SONDE_STR("{\"p\":[1,!2],\"q\":1}"), piece, NULL, &record, &err);
        assert_int_equal(code, SONDE_EPARSE);
        assert_string_equal(err.message, "byte 8 is refused");
        free_record(&record);
    }
}

static void a_value_can_be_taken_raw(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= sizeof(sample); piece++) {
        struct record record = new_record("p");
        assert_int_equal(scan(sonde_str(sample), piece, NULL, &record, NULL), 0);
        assert_string_equal(record.raw.data, "{\"q\":[{},[]],\"s\":\"}]\\\"\"}");
        assert_non_null(strstr(record.events.data, "1key(p) 1{ 1} 1key(\xc3\xa9)"));
        free_record(&record);
    }
}

struct pieces {
    struct sonde_buf raw;
    char buffer[400];
};

static int take_piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)err;
    struct pieces *pieces = context;
    assert_in_range(length, 1, sizeof(pieces->buffer));
    sonde_buf_append(&pieces->raw, data, length);
    return 0;
}

static int take_key(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)err;
    struct pieces *pieces = context;
    if (token->event == SONDE_JSON_KEY) {
        sonde_json_scan_text(scanner, take_piece, pieces, pieces->buffer, sizeof(pieces->buffer));
    }
    return 0;
}

static void a_string_can_be_taken_in_pieces(void **state)
{
    (void)state;
    static const char text[] =
        "{\"x\":\"of the usual kind\",\"key\":\"no\\tends, \\u00e9\\ud83d\\ude00\\ud83d "
        "\xc3\xa9\\\\"
        "012345678\\n012345678901234567890123456789\\u0000\",\"y\":{\"key\":\"\"},\"z\":[\"a\"],"
        "\"key\":[\"b\"]}";
    static const char pieces[] = "no\tends, \xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd \xc3\xa9\\"
                                 "012345678\n012345678901234567890123456789";
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        struct record record = new_record("key");
        struct sonde_json_scanner scanner;
        record.text = true;
        sonde_json_scanner_init(&scanner, (struct sonde_json_limits){.depth = 16, .string = 20},
                                write_down, &record);
        for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
            size_t left = sizeof(text) - 1 - at;
            assert_int_equal(
                sonde_json_scan(&scanner, text + at, left < piece ? left : piece, NULL), 0);
        }
        assert_int_equal(sonde_json_scan_finish(&scanner, NULL), 0);
        assert_int_equal(record.raw.length, sizeof(pieces));
        assert_memory_equal(record.raw.data, pieces, sizeof(pieces)); /* with the last \0 */
        assert_string_equal(
            record.events.data,
            "0{ 1key(x) 1str(of the usual kind) 1key(key) 1str 1key(y) 1{ 2key(key) 2str "
            "1} 1key(z) 1[ 2str(a) 1] 1key(key) 1[ 2str(b) 1] 0} ");
        sonde_json_scanner_fini(&scanner);
        sonde_buf_fini(&record.events);
        sonde_buf_fini(&record.raw);
    }
}

/* A string of all that a string may hold, in bursts. */
static void write_random_string(struct sonde_buf *text, uint64_t *seed)
{
    static const char *const parts[] = {"\\n",      "\\\"",
                                        "\\\\",     "\\/",
                                        "\\u00e9",  "1",
                                        "2,3",      " ",
                                        "\xc3\xa9", "\xf0\x9f\x98\x80",
                                        "4",        "x",
                                        "\x7f",     "\\ud83d\\ude00",
                                        "]}"};
    sonde_buf_clear(text);
    sonde_buf_text(text, "{\"key\":\"");
    for (unsigned burst = 0; burst < 12; burst++) {
        const char *part = parts[sonde_random_next(seed) % SONDE_LENGTH(parts)];
        sonde_buf_repeat(text, '0', sonde_random_next(seed) % 70);
        for (uint64_t i = sonde_random_next(seed) % 40; i > 0; i--) {
            sonde_buf_text(text, part);
        }
    }
    sonde_buf_text(text, "\"}");
}

/* Long enough, and into a buffer that is large enough, for many bytes at a look. */
static void a_string_in_pieces_is_the_same(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    struct sonde_buf text = SONDE_BUF(1 << 20);
    for (int round = 0; round < 300; round++) {
        write_random_string(&text, &seed);
        cJSON *json = cJSON_Parse(text.data);
        assert_non_null(json);
        const char *expected = cJSON_GetObjectItem(json, "key")->valuestring;
        for (size_t piece = 63; piece < 5000; piece = piece * 2 + 3) {
            struct pieces pieces = {.raw = SONDE_BUF(1 << 20)};
            struct sonde_json_scanner scanner;
            sonde_json_scanner_init(&scanner, limits, take_key, &pieces);
            for (size_t at = 0; at < text.length; at += piece) {
                size_t left = text.length - at;
                size_t length = left < piece ? left : piece;
                char *copy = malloc(length); /* so that a read beyond it is found */
                memcpy(copy, text.data + at, length);
                assert_int_equal(sonde_json_scan(&scanner, copy, length, NULL), 0);
                free(copy);
            }
            assert_int_equal(sonde_json_scan_finish(&scanner, NULL), 0);
            sonde_json_scanner_fini(&scanner);
            sonde_buf_char(&pieces.raw, '\0');
            assert_string_equal(pieces.raw.data, expected);
            sonde_buf_fini(&pieces.raw);
        }
        cJSON_Delete(json);
    }
    sonde_buf_fini(&text);
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "[1 2]",
        "01",
        "1.",
        "-",
        "+1",
        "nul",
        "truee",
        "\"",
        "\"\x01\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\xff\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "[}",
        "{]",
        "1 1",
        "{}}",
        "[1,,2]",
        "{\"a\":1,}",
        "\xef\xbb\xbf{}",
        "\"\xe2\x82\"",
        "1e",
        "1e+",
        "--1",
        "1-1",
    };
    for (size_t i = 0; i < SONDE_LENGTH(wrong); i++) {
        for (size_t piece = 1; piece < 8; piece++) {
            struct record record = new_record(NULL);
            struct sonde_err err = {0};
            int r = scan(sonde_str(wrong[i]), piece, NULL, &record, &err);
            if (r != SONDE_EPARSE) {
                print_error("accepted: %s\n", wrong[i]);
            }
            assert_int_equal(r, SONDE_EPARSE);
            assert_true(sonde_str_starts(sonde_str(err.message), "JSON, byte "));
            free_record(&record);
        }
    }
}

static void bounds_hold(void **state)
{
    (void)state;
    char deep[40];
    memset(deep, '[', sizeof(deep));
    struct record record = new_record(NULL);
    struct sonde_err err;
    assert_int_equal(scan((struct sonde_str){deep, sizeof(deep)}, 3, NULL, &record, &err),
                     SONDE_ELIMIT);
    assert_string_equal(err.message, "JSON, byte 16: nested deeper than 16");

    char text[1200];
    memset(text, 'x', sizeof(text));
    text[0] = text[sizeof(text) - 1] = '"';
    for (size_t piece = 1; piece <= sizeof(text); piece += 399) {
        assert_int_equal(scan((struct sonde_str){text, sizeof(text)}, piece, NULL, &record, &err),
                         SONDE_ELIMIT);
    }
    memset(text, '1', sizeof(text));
    assert_int_equal(scan((struct sonde_str){text, 100}, 100, NULL, &record, &err), SONDE_ELIMIT);
    free_record(&record);
}

/* Deeper than what a scanner holds without allocating; objects and arrays by turns. */
static void deep_texts_are_scanned(void **state)
{
    (void)state;
    enum { DEPTH = 6000 };
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    for (int i = 0; i < DEPTH; i++) {
        sonde_buf_text(&text, i % 3 ? "[" : "{\"a\":");
    }
    sonde_buf_text(&text, "7");
    size_t inside = text.length;
    for (int i = DEPTH; i-- > 0;) {
        sonde_buf_text(&text, i % 3 ? "]" : "}");
    }
    struct sonde_json_scanner scanner;
    struct sonde_json_limits deep = {.depth = DEPTH, .string = 1000};
    sonde_json_scanner_init(&scanner, deep, NULL, NULL);
    assert_int_equal(sonde_json_scan(&scanner, text.data, text.length, NULL), 0);
    assert_int_equal(sonde_json_scan_finish(&scanner, NULL), 0);
    sonde_json_scanner_fini(&scanner);
    /* The bracket of another kind is seen at any depth. */
    static const size_t behind[] = {0, 1, 700, DEPTH - 1};
    for (size_t i = 0; i < SONDE_LENGTH(behind); i++) {
        char *bracket = &text.data[inside + behind[i]];
        char kept = *bracket;
        struct sonde_err err = {0};
        *bracket = kept == ']' ? '}' : ']';
        assert_int_equal(sonde_json_check(sonde_buf_view(&text), deep, &err), SONDE_EPARSE);
        assert_non_null(strstr(err.message, "closes nothing"));
        *bracket = kept;
    }
    deep.depth = DEPTH - 1;
    assert_int_equal(sonde_json_check(sonde_buf_view(&text), deep, NULL), SONDE_ELIMIT);
}

static void a_failed_scan_stays_failed(void **state)
{
    (void)state;
    struct sonde_json_scanner scanner;
    sonde_json_scanner_init(&scanner, limits, NULL, NULL);
    assert_int_equal(sonde_json_scan(&scanner, "]", 1, NULL), SONDE_EPARSE);
    assert_int_equal(sonde_json_scan(&scanner, "1", 1, NULL), SONDE_EPARSE);
    assert_int_equal(sonde_json_scan_finish(&scanner, NULL), SONDE_EPARSE);
    sonde_json_scanner_fini(&scanner);
}

static void random_documents_survive_printing_and_scanning(void **state)
{
    (void)state;
    uint64_t seed = 0;
    sonde_random_bytes(&seed, sizeof(seed));
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 500; round++) {
        SONDE_BUF_AUTO text = SONDE_BUF(100000);
        SONDE_BUF_AUTO plain = SONDE_BUF(100000);
        for (uint64_t n = sonde_random_next(&seed) % 60; n > 0; n--) {
            uint64_t c = sonde_random_next(&seed);
            sonde_buf_char(&plain, (char)(c % 3 ? c % 128 : 'a'));
        }
        sonde_buf_text(&text, "[");
        sonde_buf_json_string(&text, sonde_buf_view(&plain));
        sonde_buf_printf(&text, ",%lld]", (long long)(int64_t)sonde_random_next(&seed) / 3);
        struct record record = new_record(NULL);
        assert_int_equal(scan(sonde_buf_view(&text), 0, &seed, &record, NULL), 0);
        SONDE_JSON_AUTO *json = NULL;
        assert_int_equal(sonde_json_parse(sonde_buf_view(&text), &json, NULL), 0);
        const char *value = cJSON_GetArrayItem(json, 0)->valuestring;
        assert_int_equal(strncmp(value, plain.data ? plain.data : "", strlen(value)), 0);
        free_record(&record);
    }
}

static void getters_name_the_field(void **state)
{
    (void)state;
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(
        sonde_json_parse(SONDE_STR("{\"n\":1.5,\"i\":7,\"s\":\"x\",\"o\":{},\"t\":true,"
                                   "\"big\":9007199254740994}"),
                         &json, NULL),
        0);
    struct sonde_err err;
    int64_t number = 0;
    const char *text = NULL;
    const cJSON *object = NULL;
    assert_int_equal(sonde_json_integer(json, "i", &number, &err), 0);
    assert_int_equal(number, 7);
    assert_int_equal(sonde_json_integer(json, "n", &number, &err), SONDE_EPARSE);
    assert_string_equal(err.message, "JSON: \"n\" is not a whole number");
    assert_int_equal(sonde_json_integer(json, "big", &number, &err), SONDE_EPARSE);
    assert_int_equal(sonde_json_string(json, "s", &text, &err), 0);
    assert_int_equal(sonde_json_string(json, "missing", &text, &err), SONDE_EPARSE);
    assert_int_equal(sonde_json_object(json, "o", &object, &err), 0);
    assert_int_equal(sonde_json_array(json, "o", &object, &err), SONDE_EPARSE);
    assert_true(sonde_json_true(json, "t"));
    assert_int_equal(sonde_json_integer_or(json, "x", -1), -1);
}

/* [0,0,…] or {"":0,…} of so many values, and the list itself. */
static int parse_many(const char *item, size_t count, size_t maximum, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 20);
    SONDE_JSON_AUTO *json = NULL;
    bool object = strchr(item, ':') != NULL;
    for (size_t i = 0; i < count; i++) {
        sonde_buf_text(&text, i ? "," : object ? "{" : "[");
        sonde_buf_text(&text, item);
    }
    sonde_buf_char(&text, object ? '}' : ']');
    assert_true(text.length <= maximum);
    int r = sonde_json_parse_up_to(sonde_buf_view(&text), maximum, &json, err);
    assert_true((r == 0) == (json != NULL));
    assert_true(r < 0 || (size_t)cJSON_GetArraySize(json) == count);
    return r;
}

/* Two bytes each, they would make a tree fifty times as large as their text. */
static void values_are_counted(void **state)
{
    (void)state;
    static const char *const items[] = {"0", "[]", "{}", "\"\":0", "null", "\"a\"", "true"};
    const size_t maximum = 64 << 10;
    const size_t most = SONDE_JSON_VALUES_LEAST + maximum / SONDE_JSON_VALUE_BYTES;
    for (size_t i = 0; i < SONDE_LENGTH(items); i++) {
        struct sonde_err err;
        assert_int_equal(parse_many(items[i], most - 1, maximum, &err), 0);
        assert_int_equal(parse_many(items[i], most, maximum, &err), SONDE_ELIMIT);
        assert_non_null(strstr(err.message, "more than 2048 values"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_the_same_in_any_split),
        cmocka_unit_test(a_value_can_be_taken_raw),
        cmocka_unit_test(an_array_can_be_handed_over),
        cmocka_unit_test(a_string_can_be_taken_in_pieces),
        cmocka_unit_test(a_string_in_pieces_is_the_same),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(deep_texts_are_scanned),
        cmocka_unit_test(a_failed_scan_stays_failed),
        cmocka_unit_test(random_documents_survive_printing_and_scanning),
        cmocka_unit_test(getters_name_the_field),
        cmocka_unit_test(values_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
