/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "codec/json.h"
#include "heap/redact.h"

#define HEAD(nodes, edges)                                                                         \
    "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","            \
    "\"edge_count\",\"detachedness\"],\"node_types\":[[\"hidden\",\"array\",\"string\","           \
    "\"object\",\"code\",\"closure\",\"regexp\",\"number\",\"native\",\"synthetic\","              \
    "\"concatenated string\",\"sliced string\",\"symbol\",\"bigint\",\"object shape\"],"           \
    "\"string\",\"number\",\"number\",\"number\",\"number\"],\"edge_fields\":[\"type\","           \
    "\"name_or_index\",\"to_node\"],\"edge_types\":[[\"context\",\"element\",\"property\","        \
    "\"internal\",\"hidden\",\"shortcut\",\"weak\"],\"string_or_number\",\"node\"],"               \
    "\"trace_function_info_fields\":[\"function_id\",\"name\",\"script_name\",\"script_id\","      \
    "\"line\",\"column\"],\"trace_node_fields\":[\"id\",\"function_info_index\",\"count\","        \
    "\"size\",\"children\"],\"sample_fields\":[\"timestamp_us\",\"last_assigned_id\"],"            \
    "\"location_fields\":[\"object_index\",\"script_id\",\"line\",\"column\"]},"                   \
    "\"node_count\":" nodes ",\"edge_count\":" edges ",\"trace_function_count\":0},\n"

enum {
    HIDDEN = 0,
    STRING = 2,
    OBJECT = 3,
    CODE = 4,
    CLOSURE = 5,
    REGEXP = 6,
    NUMBER = 7,
    NATIVE = 8,
    SYNTHETIC = 9,
    SYMBOL = 12,
};
enum { ELEMENT = 1, PROPERTY = 2, HIDDEN_EDGE = 4 };

static struct sonde_words words;

static int setup(void **state)
{
    (void)state;
    static const char *const known[] = {"Patient", "medicalRecord",    "kState",
                                        "visit",   "file:///app/a.js", "größe"};
    sonde_words_init(&words, SONDE_WORDS_MAX);
    int r = sonde_words_add_builtins(&words, NULL);
    for (size_t i = 0; i < SONDE_LENGTH(known) && r == 0; i++) {
        r = sonde_words_add(&words, sonde_str(known[i]), NULL);
    }
    return r;
}

static int teardown(void **state)
{
    (void)state;
    sonde_words_fini(&words);
    return 0;
}

static int collect(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sonde_buf *out = context;
    sonde_buf_append(out, data, length);
    return sonde_buf_check(out, "the output", err);
}

/* Feeds the text in pieces, of which the first may have another length; each is memory of its own,
 * so that a read beyond it is found. */
static int redact_behind(struct sonde_str text, size_t first, size_t piece, bool numbers,
                         struct sonde_buf *out, struct sonde_heap_redacted *counts,
                         struct sonde_err *err)
{
    struct sonde_heap_redact_options options = {&words, numbers, collect, out};
    struct sonde_heap_redactor *redactor = NULL;
    assert_int_equal(sonde_heap_redactor_new(&options, &redactor, err), 0);
    int r = 0;
    for (size_t at = 0, length; at < text.length && r == 0; at += length) {
        length = at == 0 ? first : piece;
        length = text.length - at < length ? text.length - at : length;
        char *copy = malloc(length);
        memcpy(copy, text.data + at, length);
        r = sonde_heap_redact(redactor, copy, length, err);
        free(copy);
    }
    r = r < 0 ? r : sonde_heap_redact_finish(redactor, counts, err);
    sonde_heap_redactor_free(redactor);
    return r;
}

static int redact(struct sonde_str text, size_t piece, bool numbers, struct sonde_buf *out,
                  struct sonde_heap_redacted *counts, struct sonde_err *err)
{
    return redact_behind(text, piece, piece, numbers, out, counts, err);
}

static cJSON *redacted(const char *text, bool numbers)
{
    struct sonde_buf out = SONDE_BUF(1 << 20);
    struct sonde_err err = {0};
    if (redact(sonde_str(text), 4096, numbers, &out, NULL, &err) < 0) {
        fail_msg("%s", err.message);
    }
    cJSON *json = cJSON_Parse(out.data);
    assert_non_null(json);
    sonde_buf_fini(&out);
    return json;
}

static int number_at(const cJSON *json, const char *section, int index)
{
    return (int)cJSON_GetNumberValue(cJSON_GetArrayItem(cJSON_GetObjectItem(json, section), index));
}

/* The text that a node's or an edge's second field names. */
static const char *text_of(const cJSON *json, const char *section, int fields, int record)
{
    return cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "strings"),
                                                   number_at(json, section, record * fields + 1)));
}

static bool is_redacted(const char *text, int units)
{
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "string:%d:", units);
    size_t length = strlen(expected);
    return strncmp(text, expected, length) == 0 &&
           strspn(text + length, "0123456789abcdef") == 16 && strlen(text) == length + 16;
}

static const char small[] = HEAD(
    "6",
    "8") "\"nodes\":[9,1,1,0,2,0\n,3,2,3,16,5,0\n,2,3,5,24,0,0\n,2,4,7,24,0,0\n,2,5,9,24,0,0\n"
         ",4,6,11,8,1,0\n],\n"
         "\"edges\":[1,1,6\n,3,7,12\n,2,4,18\n,2,3,24\n,0,8,24\n,2,5,24\n,4,77,24\n,3,9,12\n],\n"
         "\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n"
         "\"locations\":[6,31,0,12\n],\n"
         "\"strings\":[\"<dummy>\",\n\"(GC roots)\",\n\"Patient\",\n\"smith@example.org\",\n"
         "\"medicalRecord\",\n\"gr\\u00F6\\u00DFe\",\n\"file:///app/"
         "a.js\",\n\"elements\",\n\"jones\",\n"
         "\"9 / part of key (Patient @3) -> value (smith @5) pair in WeakMap (table @7)\"]}";

static void names_of_code_stay_and_data_goes(void **state)
{
    (void)state;
    cJSON *json = redacted(small, false);
    assert_string_equal(text_of(json, "nodes", 6, 0), "(GC roots)");
    assert_string_equal(text_of(json, "nodes", 6, 1), "Patient");
    assert_true(is_redacted(text_of(json, "nodes", 6, 2), 17));
    /* The same text is a value here, and a property's name below. */
    assert_true(is_redacted(text_of(json, "nodes", 6, 3), 13));
    assert_true(is_redacted(text_of(json, "nodes", 6, 4), 5));
    assert_string_equal(text_of(json, "nodes", 6, 5), "file:///app/a.js");
    assert_int_equal(number_at(json, "edges", 1), 1); /* an element's index */
    assert_string_equal(text_of(json, "edges", 3, 1), "elements");
    assert_string_equal(text_of(json, "edges", 3, 2), "medicalRecord");
    assert_true(is_redacted(text_of(json, "edges", 3, 3), 17)); /* a key that is data */
    assert_true(is_redacted(text_of(json, "edges", 3, 4), 5));
    assert_string_equal(text_of(json, "edges", 3, 5), "größe");
    assert_int_equal(number_at(json, "edges", 6 * 3 + 1), 77);
    assert_string_equal(text_of(json, "edges", 3, 7), "part of a pair in WeakMap");
    /* What is alike stays alike. */
    assert_string_equal(text_of(json, "nodes", 6, 2), text_of(json, "edges", 3, 3));
    cJSON_Delete(json);
}

static void a_string_is_there_as_what_it_is_used(void **state)
{
    (void)state;
    static const struct {
        int index;
        const char *name; /* NULL: redacted */
        bool value;
    } strings[] = {
        {0, "", false},         {1, "(GC roots)", false},   {2, "Patient", false},
        {3, NULL, true},        {4, "medicalRecord", true}, {5, "größe", true},
        {7, "elements", false}, {8, NULL, false},
    };
    cJSON *json = redacted(small, false);
    const cJSON *all = cJSON_GetObjectItem(json, "strings");
    for (size_t i = 0; i < SONDE_LENGTH(strings); i++) {
        const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(all, 2 * strings[i].index));
        const char *value = cJSON_GetStringValue(cJSON_GetArrayItem(all, 2 * strings[i].index + 1));
        assert_true(strings[i].name ? strcmp(name, strings[i].name) == 0
                                    : strncmp(name, "string:", 7) == 0);
        assert_int_equal(strncmp(value, "string:", 7) == 0, strings[i].value);
        assert_int_equal(value[0] == '\0', !strings[i].value);
    }
    cJSON_Delete(json);
}

static void runs_cannot_be_compared(void **state)
{
    (void)state;
    cJSON *first = redacted(small, false);
    cJSON *second = redacted(small, false);
    assert_string_not_equal(text_of(first, "nodes", 6, 2), text_of(second, "nodes", 6, 2));
    cJSON_Delete(first);
    cJSON_Delete(second);
}

/* A snapshot of one node and one edge that have these names. */
static void write_pair(struct sonde_buf *text, int node, const char *node_name, int edge,
                       const char *edge_name)
{
    sonde_buf_clear(text);
    sonde_buf_printf(text,
                     HEAD("1", "1") "\"nodes\":[%d,0,1,0,1,0\n],\n\"edges\":[%d,1,0\n],\n"
                                    "\"trace_function_infos\":[],\n\"trace_tree\":[],\n"
                                    "\"samples\":[],\n\"locations\":[],\n\"strings\":[",
                     node, edge);
    sonde_buf_json_string(text, sonde_str(node_name));
    sonde_buf_char(text, ',');
    sonde_buf_json_string(text, sonde_str(edge_name));
    sonde_buf_text(text, "]}");
}

static void long_names_are_hashed_as_a_whole(void **state)
{
    (void)state;
    /* Around the length of what is kept of a name, and alike but for the last character. */
    struct sonde_buf text = SONDE_BUF(1 << 16);
    char first[1024];
    char second[1024];
    for (int length = SONDE_WORD_MAX - 2; length < SONDE_WORD_MAX + 4; length++) {
        memset(first, 'x', (size_t)length);
        first[length] = '\0';
        memcpy(second, first, sizeof(second));
        second[length - 1] = 'y';
        write_pair(&text, STRING, first, PROPERTY, second);
        cJSON *json = redacted(text.data, false);
        assert_true(is_redacted(text_of(json, "nodes", 6, 0), length));
        assert_true(is_redacted(text_of(json, "edges", 3, 0), length));
        assert_string_not_equal(text_of(json, "nodes", 6, 0), text_of(json, "edges", 3, 0));
        cJSON_Delete(json);
        write_pair(&text, STRING, first, PROPERTY, first);
        json = redacted(text.data, false);
        assert_string_equal(text_of(json, "nodes", 6, 0), text_of(json, "edges", 3, 0));
        cJSON_Delete(json);
    }
    sonde_buf_fini(&text);
}

static void composed_names_are_known_by_their_words(void **state)
{
    (void)state;
    static const struct {
        int node;
        const char *name;
        bool kept;
    } cases[] = {
        {OBJECT, "get medicalRecord", true},
        {OBJECT, "get secret", false},
        {CLOSURE, "bound get visit", true},
        {CLOSURE, "bound bound smith", false},
        {OBJECT, "[Symbol.iterator]", true},
        {OBJECT, "[secret]", false},
        {OBJECT, "<symbol kState>", true},
        {OBJECT, "<symbol smith>", false},
        {OBJECT, "<symbol>", true},
        {OBJECT, "global / file:///app/a.js", true},
        {OBJECT, "global (global*) / smith", false},
        {OBJECT, "Patient (prototype) / ", true},
        {OBJECT, "smith (prototype) / ", false},
        {OBJECT, "system / Context", true},
        {OBJECT, "system / Context / visit", true},
        {OBJECT, "system / Context / smith", false},
        {OBJECT, "system / Smith", false},
        {HIDDEN, "system / SomethingNew", true},
        {HIDDEN, "system / Map (SomethingNew)", true},
        {HIDDEN, "system / Map (a smith)", false},
        {HIDDEN, "system / NativeContext / file:///app/a.js", true},
        {HIDDEN, "system / NativeContext / file:///app/smith.js", false},
        {NATIVE, "Node / std::basic_string", true},
        {NATIVE, "Node / smith@example.org", false},
        {CODE, "(ArrayMap builtin code)", true},
        {CODE, "(BASELINE code)", true},
        {CODE, "(smith@example.org code)", false},
        {CODE, "(code for visit)", true},
        {CODE, "(code for smith)", false},
        {OBJECT, "(ArrayMap builtin code)", false},
        {SYNTHETIC, "(GC roots)", true},
        {SYNTHETIC, "(smith)", false},
        {NUMBER, "heap number", true},
        {NUMBER, "1234567890", false},
        {HIDDEN, "1234567", true}, /* a place in a table */
        {HIDDEN, "12 / WeakMapGet", true},
        {HIDDEN, "12 / a smith", false},
        {NUMBER, "12.5", false},
        {SYMBOL, "symbol", true},
        {OBJECT, "1234567890", false},
        {OBJECT, "", true},
        {REGEXP, "visit", false},
    };
    struct sonde_buf text = SONDE_BUF(1 << 16);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        write_pair(&text, cases[i].node, cases[i].name, PROPERTY, "visit");
        cJSON *json = redacted(text.data, false);
        const char *said = text_of(json, "nodes", 6, 0);
        if ((strcmp(said, cases[i].name) == 0) != cases[i].kept) {
            fail_msg("%s became %s", cases[i].name, said);
        }
        assert_string_equal(text_of(json, "edges", 3, 0), "visit");
        cJSON_Delete(json);
    }
    sonde_buf_fini(&text);
}

static void numbers_are_shown_when_they_were_asked_for(void **state)
{
    (void)state;
    struct sonde_buf text = SONDE_BUF(1 << 16);
    static const char *const numbers[] = {"12.5", "-3e+21", "NaN", "-Infinity"}; /* two are words */
    for (size_t i = 0; i < SONDE_LENGTH(numbers); i++) {
        write_pair(&text, NUMBER, numbers[i], PROPERTY, "visit");
        cJSON *json = redacted(text.data, true);
        assert_string_equal(text_of(json, "nodes", 6, 0), numbers[i]);
        cJSON_Delete(json);
        json = redacted(text.data, false);
        assert_true(i >= 2 || is_redacted(text_of(json, "nodes", 6, 0), (int)strlen(numbers[i])));
        cJSON_Delete(json);
    }
    write_pair(&text, NUMBER, "twelve", PROPERTY, "visit");
    cJSON *json = redacted(text.data, true);
    assert_true(is_redacted(text_of(json, "nodes", 6, 0), 6));
    cJSON_Delete(json);
    sonde_buf_fini(&text);
}

static void strings_that_read_like_numbers_stay_hidden(void **state)
{
    (void)state;
    /* A string of the heap, and the value of a number, as the engine makes it up. */
    static const char text[] =
        HEAD("3", "0") "\"nodes\":[2,0,1,32,1,0\n,2,1,3,0,0,0\n,2,0,5,0,0,0\n],\n\"edges\":[],\n"
                       "\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n"
                       "\"locations\":[],\n\"strings\":[\"4155551234\",\"2.5\"]}";
    cJSON *json = redacted(text, true);
    assert_true(is_redacted(text_of(json, "nodes", 6, 0), 10));
    assert_string_equal(text_of(json, "nodes", 6, 1), "2.5");
    cJSON_Delete(json);
    json = redacted(text, false);
    assert_true(is_redacted(text_of(json, "nodes", 6, 1), 3));
    cJSON_Delete(json);
}

static void sparse_indices_are_data(void **state)
{
    (void)state;
    static const char elements[] =
        HEAD("1", "8") "\"nodes\":[3,0,1,0,8,0\n],\n"
                       "\"edges\":[1,5,0\n,1,1023,0\n,1,1024,0\n,1,1087,0\n,1,123456789,0\n"
                       ",2,0,0\n,1,987654321,0\n,1,987654322,0\n],\n"
                       "\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n"
                       "\"locations\":[],\n\"strings\":[\"visit\"]}";
    static const int expected[] = {5, 1023, 1024, 1087, 1088, 0, 0, 1};
    cJSON *json = redacted(elements, false);
    cJSON *shown = redacted(elements, true);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(number_at(json, "edges", 3 * i + 1), expected[i]);
    }
    assert_int_equal(number_at(shown, "edges", 3 * 4 + 1), 123456789);
    assert_int_equal(number_at(shown, "edges", 3 * 6 + 1), 987654321);
    cJSON_Delete(json);
    cJSON_Delete(shown);
}

/* ---- random snapshots, as the engine lays them out ---- */

static void write_random(struct sonde_buf *text, uint64_t *seed, unsigned nodes_max)
{
    static const uint64_t sizes[] = {10, 100, 1000, 100000, 12345678, 123456789};
    unsigned nodes = (unsigned)(1 + sonde_random_next(seed) % nodes_max);
    unsigned edges = (unsigned)(sonde_random_next(seed) % (3 * (uint64_t)nodes_max));
    unsigned strings = (unsigned)(5 + sonde_random_next(seed) % (15 * (uint64_t)nodes_max));
    char counts[2][16];
    (void)snprintf(counts[0], sizeof(counts[0]), "%u", nodes);
    (void)snprintf(counts[1], sizeof(counts[1]), "%u", edges);
    sonde_buf_clear(text);
    sonde_buf_printf(text, HEAD("%s", "%s") "\"nodes\":[", counts[0], counts[1]);
    for (unsigned i = 0; i < nodes; i++) {
        sonde_buf_printf(text, "%s%u,%u,%llu,%llu,%u,0\n", i ? "," : "",
                         (unsigned)(sonde_random_next(seed) % 15),
                         (unsigned)(sonde_random_next(seed) % strings),
                         (unsigned long long)(sonde_random_next(seed) % sizes[i % 6]),
                         (unsigned long long)(sonde_random_next(seed) % sizes[i % 5]), i % 7);
    }
    sonde_buf_text(text, "],\n\"edges\":[");
    for (unsigned i = 0; i < edges; i++) {
        unsigned type = (unsigned)(sonde_random_next(seed) % 7);
        uint64_t range = type == ELEMENT || type == HIDDEN_EDGE ? sizes[i % 6] : strings;
        sonde_buf_printf(text, "%s%u,%llu,%u\n", i ? "," : "", type,
                         (unsigned long long)(sonde_random_next(seed) % range), i % nodes * 6);
    }
    sonde_buf_text(text, "],\n\"trace_function_infos\":[0,1,2,0,0,0\n],\n\"trace_tree\":"
                         "[1,0,0,0,[2,0,1,16,[]]],\n\"samples\":[],\n\"locations\":[");
    for (unsigned i = 0; i < edges; i++) {
        sonde_buf_printf(text, "%s%u,%u,%llu,%u\n", i ? "," : "", i * 6, i % 97,
                         (unsigned long long)(sonde_random_next(seed) % sizes[i % 6]), i % 13);
    }
    sonde_buf_text(text, "],\n\"strings\":[\"<dummy>\"");
    for (unsigned i = 1; i < strings; i++) {
        static const char *const texts[] = {
            "Patient",    "smith \\\"\\u00e9\\n", "visit", "x",
            "get kState", "\\ud83d\\ude00",       "12",    "a text that is longer than one look",
            "größer und "};
        sonde_buf_printf(text, ",\n\"%s%u\"", texts[sonde_random_next(seed) % 9], i % 3);
    }
    sonde_buf_text(text, "]}");
}

static void mask_hashes(struct sonde_buf *text)
{
    char *at = text->data;
    while ((at = strstr(at, "string:"))) {
        char *colon = strchr(at + 7, ':');
        if (colon && strspn(colon + 1, "0123456789abcdef") >= 16) {
            memset(colon + 1, 'x', 16);
        }
        at += 7;
    }
}

static void check_against_original(const char *before, const char *after)
{
    cJSON *a = cJSON_Parse(before);
    cJSON *b = cJSON_Parse(after);
    assert_true(a && b);
    static const struct {
        const char *name;
        int fields;
    } sections[] = {{"nodes", 6}, {"edges", 3}, {"trace_function_infos", 6}, {"locations", 4}};
    for (size_t s = 0; s < SONDE_LENGTH(sections); s++) {
        const cJSON *x = cJSON_GetObjectItem(a, sections[s].name)->child;
        const cJSON *y = cJSON_GetObjectItem(b, sections[s].name)->child;
        int type = 0;
        for (int i = 0; x && y; i++, x = x->next, y = y->next) {
            int field = i % sections[s].fields;
            type = field == 0 ? x->valueint : type;
            bool value = s == 0 && (type == STRING || type == REGEXP);
            bool string = s == 3   ? false
                          : s == 2 ? field == 1 || field == 2
                          : s == 1 ? field == 1 && type != ELEMENT && type != HIDDEN_EDGE
                                   : field == 1;
            if (s == 1 && field == 1 && type == ELEMENT) {
                assert_true(y->valueint <= x->valueint);
            } else if (x->valueint * (string ? 2 : 1) + (string && value) != y->valueint) {
                fail_msg("%s %d: %d became %d", sections[s].name, i, x->valueint, y->valueint);
            }
        }
        assert_true(!x && !y);
    }
    assert_int_equal(2 * cJSON_GetArraySize(cJSON_GetObjectItem(a, "strings")),
                     cJSON_GetArraySize(cJSON_GetObjectItem(b, "strings")));
    cJSON_Delete(a);
    cJSON_Delete(b);
}

static void any_pieces_give_the_same(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    struct sonde_buf text = SONDE_BUF(1 << 20);
    struct sonde_buf whole = SONDE_BUF(1 << 20);
    struct sonde_buf pieces = SONDE_BUF(1 << 20);
    for (int round = 0; round < 40; round++) {
        struct sonde_err err = {0};
        struct sonde_heap_redacted counts;
        write_random(&text, &seed, 200);
        sonde_buf_clear(&whole);
        if (redact(sonde_buf_view(&text), text.length, false, &whole, &counts, &err) < 0) {
            fail_msg("%s", err.message);
        }
        check_against_original(text.data, whole.data);
        mask_hashes(&whole);
        static const size_t sizes[] = {1, 333, 1021, 4096};
        for (size_t i = 0; i < SONDE_LENGTH(sizes); i++) {
            sonde_buf_clear(&pieces);
            assert_int_equal(redact(sonde_buf_view(&text), sizes[i], false, &pieces, &counts, &err),
                             0);
            mask_hashes(&pieces);
            assert_string_equal(pieces.data, whole.data);
        }
    }
    sonde_buf_fini(&text);
    sonde_buf_fini(&whole);
    sonde_buf_fini(&pieces);
}

static void any_cut_gives_the_same(void **state)
{
    (void)state;
    enum { ROUNDS = 4, NODES_MAX = 12 };
    uint64_t seed = (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)seed);
    struct sonde_buf text = SONDE_BUF(1 << 20);
    struct sonde_buf whole = SONDE_BUF(1 << 20);
    struct sonde_buf pieces = SONDE_BUF(1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        struct sonde_err err = {0};
        struct sonde_heap_redacted counts;
        struct sonde_heap_redacted again;
        write_random(&text, &seed, NODES_MAX);
        sonde_buf_clear(&whole);
        assert_int_equal(
            redact(sonde_buf_view(&text), text.length, round % 2, &whole, &counts, &err), 0);
        mask_hashes(&whole);
        for (size_t cut = 1; cut < text.length; cut++) {
            sonde_buf_clear(&pieces);
            assert_int_equal(redact_behind(sonde_buf_view(&text), cut, text.length, round % 2,
                                           &pieces, &again, &err),
                             0);
            mask_hashes(&pieces);
            assert_string_equal(pieces.data, whole.data);
            assert_memory_equal(&again, &counts, sizeof(counts));
        }
    }
    sonde_buf_fini(&text);
    sonde_buf_fini(&whole);
    sonde_buf_fini(&pieces);
}

/* Numbers that the engine does not write, anywhere in the middle of those it does. */
static void odd_numbers_are_taken_alike(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "3,1,007,0,1,0\n,",
        "3,01,7,0,1,0\n,",
        "03,1,7,0,1,0\n,",
        "3,1,7,0,1,00\n,",
        "3,1,7,0,1,0,",
        "3,1,7,0,1,0\r\n,",
        " 3,1,7,0,1,0\n,",
        "3,1 ,7,0,1,0\n,",
        "3,1,7,0,1,0\n\n,",
        "3,1,7,0,1,0\n, ",
        "3,,7,0,1,0\n,",
        "3,1,7,0,1,\n,",
        "3,1,7,0,1,0\n",
        "3,1,7,0,1,0\n,,",
        "3,1,7,0,1\n,",
        "3,1,7,0,1,0,0\n,",
        "15,1,7,0,1,0\n,",
        "99,1,7,0,1,0\n,",
        "300,1,7,0,1,0\n,",
        "3,1,7,0,1,0\n5,",
        "3,1,7,0,1,0\n5",
        "3,1,-7,0,1,0\n,",
        "3,1,7.5,0,1,0\n,",
        "3,1,7,0,1,0\n],",
        "3,1,7,\x80,1,0\n,",
        "3,1,123456789012345,0,1,0\n,",
        "3,1,1234567890123456,0,1,0\n,",
        "3,12345678,7,0,1,0\n,",
        "3,1234567,7,0,1,0\n,",
        "3,1,123456789012345,123456789012345,123456789012345,123456789012345\n,",
    };
    enum { NODES = 12 };
    struct sonde_buf text = SONDE_BUF(1 << 20);
    struct sonde_buf whole = SONDE_BUF(1 << 20);
    struct sonde_buf bytes = SONDE_BUF(1 << 20);
    for (size_t i = 0; i < SONDE_LENGTH(odd) * NODES; i++) {
        sonde_buf_clear(&text);
        sonde_buf_clear(&whole);
        sonde_buf_clear(&bytes);
        sonde_buf_text(&text, HEAD("13", "0") "\"nodes\":[");
        for (size_t node = 0; node < NODES; node++) {
            sonde_buf_text(&text, node == i % NODES ? odd[i / NODES] : "");
            sonde_buf_printf(&text, "3,%zu,7,0,1,0\n%s", node, node < NODES - 1 ? "," : "");
        }
        sonde_buf_text(&text, "],\n\"edges\":[],\n\"trace_function_infos\":[],\n"
                              "\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[],\n"
                              "\"strings\":[\"visit\"]}");
        int r = redact(sonde_buf_view(&text), text.length, false, &whole, NULL, NULL);
        if (redact(sonde_buf_view(&text), 1, false, &bytes, NULL, NULL) != r) {
            fail_msg("%s in the middle: %d", odd[i / NODES], r);
        }
        if (r == 0) {
            mask_hashes(&whole);
            mask_hashes(&bytes);
            assert_string_equal(whole.data, bytes.data);
        }
    }
    sonde_buf_fini(&text);
    sonde_buf_fini(&whole);
    sonde_buf_fini(&bytes);
}

/* ---- what is refused ---- */

static void every_beginning_is_incomplete(void **state)
{
    (void)state;
    struct sonde_buf out = SONDE_BUF(1 << 20);
    for (size_t length = 0; length < sizeof(small) - 1; length++) {
        sonde_buf_clear(&out);
        assert_int_equal(redact((struct sonde_str){small, length}, 100, false, &out, NULL, NULL),
                         SONDE_EPARSE);
    }
    sonde_buf_fini(&out);
}

/* The small snapshot with a part of it replaced. */
static void refuse(const char *part, const char *other)
{
    struct sonde_buf text = SONDE_BUF(1 << 20);
    struct sonde_buf out = SONDE_BUF(1 << 20);
    struct sonde_err err = {0};
    const char *at = strstr(small, part);
    assert_non_null(at);
    sonde_buf_append(&text, small, (size_t)(at - small));
    sonde_buf_text(&text, other);
    sonde_buf_text(&text, at + strlen(part));
    for (size_t piece = 1; piece < 10000; piece += 4999) {
        sonde_buf_clear(&out);
        if (redact(sonde_buf_view(&text), piece, false, &out, NULL, &err) != SONDE_EPARSE) {
            fail_msg("%s instead of %s passed", other, part);
        }
        assert_true(sonde_str_starts(sonde_str(err.message), "heap snapshot: "));
    }
    sonde_buf_fini(&text);
    sonde_buf_fini(&out);
}

static void other_shapes_are_refused(void **state)
{
    (void)state;
    refuse("\"samples\":[]", "\"notes\":[\"smith\"]");
    refuse("\"samples\":[]", "\"samples\":[\"smith\"]");
    refuse("\"samples\":[]", "\"strings\":[]");
    refuse("\"samples\":[]", "\"samples\":{}");
    refuse("\"samples\":[],\n\"locations\"", "\"locations\":[],\n\"samples\"");
    refuse("\"trace_tree\":[]", "\"trace_tree\":[[1]");
    refuse("\"samples\":[]", "\"samples\":[1,[2]]");
    refuse("\"samples\":[]", "\"samples\":[1,,2]");
    refuse("\"samples\":[]", "\"samples\":[1 2]");
    refuse("\"samples\":[]", "\"samples\":[1,]");
    refuse("\"samples\":[]", "\"samples\":[-1]");
    refuse("\"samples\":[]", "\"samples\":[1.5]");
    refuse("\"samples\":[]", "\"samples\":[1234567890123456]");
    refuse("\"samples\":[]", "\"a-name-that-is-much-longer-than-any-section-has\":[]");
    refuse("9,1,1,0,2,0", "9,1,1,0,2");
    refuse("9,1,1,0,2,0", "15,1,1,0,2,0");
    refuse("[1,1,6\n", "[7,1,6\n");
    refuse("\"node_count\":6", "\"node_count\":5");
    refuse("\"edge_count\":8", "\"edge_count\":9");
    refuse("\"node_count\":6", "\"node_count\":\"6\"");
    refuse("\"node_count\":6", "\"title\":\"smith\",\"node_count\":6");
    refuse("\"name_or_index\"", "\"index_or_name\"");
    refuse("[\"type\",\"name\",\"id\"", "[\"type\",\"id\",\"name\"");
    refuse("\"weak\"]", "\"strange\"]");
    refuse("{\"snapshot\":", "{\"comment\":\"smith\",\"snapshot\":");
    refuse("\"Patient\",", "\"Patient\"");
    refuse("\"Patient\",", "\"Pat\nient\",");
    refuse("\"Patient\",", "\"Pat\\xient\",");
    refuse("\"Patient\",", "\"Pat\\u12ient\",");
    refuse("\"Patient\",", "17,");
    refuse("(table @7)\"]}", "(table @7)\",]}");
    refuse("(table @7)\"]}", "(table @7)\"]}}");
}

static void types_that_are_not_known_are_values(void **state)
{
    (void)state;
    struct sonde_buf text = SONDE_BUF(1 << 20);
    const char *at = strstr(small, "\"synthetic\"");
    sonde_buf_append(&text, small, (size_t)(at - small));
    sonde_buf_text(&text, "\"invented\"");
    sonde_buf_text(&text, at + strlen("\"synthetic\""));
    cJSON *json = redacted(text.data, false);
    assert_true(is_redacted(text_of(json, "nodes", 6, 0), 10));
    cJSON_Delete(json);
    sonde_buf_fini(&text);
}

static int full(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)context;
    (void)data;
    (void)length;
    return sonde_fail(err, SONDE_ENOSPACE, 0, "the disk is full");
}

static void the_outputs_failure_ends_it(void **state)
{
    (void)state;
    struct sonde_heap_redact_options options = {&words, false, full, NULL};
    struct sonde_heap_redactor *redactor = NULL;
    struct sonde_err err = {0};
    assert_int_equal(sonde_heap_redactor_new(&options, &redactor, NULL), 0);
    assert_int_equal(sonde_heap_redact(redactor, small, sizeof(small) - 1, &err), 0);
    assert_int_equal(sonde_heap_redact_finish(redactor, NULL, &err), SONDE_ENOSPACE);
    sonde_heap_redactor_free(redactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_code_stay_and_data_goes),
        cmocka_unit_test(a_string_is_there_as_what_it_is_used),
        cmocka_unit_test(runs_cannot_be_compared),
        cmocka_unit_test(long_names_are_hashed_as_a_whole),
        cmocka_unit_test(composed_names_are_known_by_their_words),
        cmocka_unit_test(numbers_are_shown_when_they_were_asked_for),
        cmocka_unit_test(strings_that_read_like_numbers_stay_hidden),
        cmocka_unit_test(sparse_indices_are_data),
        cmocka_unit_test(any_pieces_give_the_same),
        cmocka_unit_test(any_cut_gives_the_same),
        cmocka_unit_test(odd_numbers_are_taken_alike),
        cmocka_unit_test(every_beginning_is_incomplete),
        cmocka_unit_test(other_shapes_are_refused),
        cmocka_unit_test(types_that_are_not_known_are_values),
        cmocka_unit_test(the_outputs_failure_ends_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
