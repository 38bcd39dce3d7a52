/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "codec/json.h"
#include "kube/cache.h"
#include "kube/watch.h"

/* What a stream gave, as text: "A pod-1 7;" for each event or item. */
struct seen {
    struct sonde_buf text;
    int refuse_at; /* the nth event is refused; 0: none */
    int count;
    int skipped;
};

static const char *name_of(const cJSON *object)
{
    return sonde_json_string_or(cJSON_GetObjectItemCaseSensitive(object, "metadata"), "name", "-");
}

static int see_event(void *context, const struct sonde_kube_watch_event *event,
                     struct sonde_err *err)
{
    struct seen *seen = context;
    sonde_buf_printf(&seen->text, "%c %s %s;", "AMDBE"[event->type], name_of(event->object),
                     event -> resource_version);
    return ++seen->count == seen->refuse_at ? sonde_fail(err, SONDE_ECANCELLED, 0, "enough") : 0;
}

static int see_item(void *context, const cJSON *object, struct sonde_err *err)
{
    struct seen *seen = context;
    sonde_buf_printf(&seen->text, "%s;", name_of(object));
    return ++seen->count == seen->refuse_at ? sonde_fail(err, SONDE_ECANCELLED, 0, "enough") : 0;
}

static void see_skip(void *context, const struct sonde_err *err)
{
    struct seen *seen = context;
    assert_int_equal(err->code, SONDE_ELIMIT);
    seen->skipped++;
}

#define OBJECT(name, version)                                                                      \
    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version         \
    "\",\"annotations\":{\"text\":\"a \\n \\\" }{\\u00e9 é\"}}}"
#define LINE(type, name, version) "{\"type\":\"" type "\",\"object\":" OBJECT(name, version) "}\n"

static const char stream[] = LINE("ADDED", "a", "9007199254740993")
    LINE("MODIFIED", "a", "9007199254740995") "\n\r\n" LINE("MODIFIED", "a", "9007199254740995")
        LINE("DELETED", "b", "9223372036854775808")
            LINE("BOOKMARK", "-",
                 "12x") "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n";
static const char seen_in_stream[] = "A a 9007199254740993;M a 9007199254740995;"
                                     "M a 9007199254740995;D b 9223372036854775808;B - 12x;E - ;";

static int feed_watch(const char *data, size_t length, size_t cut, struct seen *seen,
                      struct sonde_err *err)
{
    struct sonde_kube_watch watch;
    sonde_buf_clear(&seen->text);
    seen->count = seen->skipped = 0;
    sonde_kube_watch_init(&watch, see_event, seen);
    watch.skipped = see_skip;
    int code = sonde_kube_watch_feed(&watch, data, cut, err);
    code = code ? code : sonde_kube_watch_feed(&watch, data + cut, length - cut, err);
    code = code ? code : sonde_kube_watch_finish(&watch, err);
    sonde_kube_watch_fini(&watch);
    return code;
}

static void a_watch_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    for (size_t cut = 0; cut < sizeof(stream); cut++) {
        assert_int_equal(feed_watch(stream, sizeof(stream) - 1, cut, &seen, NULL), 0);
        assert_string_equal(seen.text.data, seen_in_stream);
    }
    struct sonde_kube_watch watch;
    sonde_buf_clear(&seen.text);
    sonde_kube_watch_init(&watch, see_event, &seen);
    for (size_t i = 0; i + 1 < sizeof(stream); i++) {
        assert_int_equal(sonde_kube_watch_feed(&watch, stream + i, 1, NULL), 0);
    }
    assert_int_equal(sonde_kube_watch_finish(&watch, NULL), 0);
    assert_string_equal(seen.text.data, seen_in_stream);
    sonde_kube_watch_fini(&watch);
    sonde_buf_fini(&seen.text);
}

static void a_watch_that_ends_within_a_line_is_a_broken_connection(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    for (size_t length = 0; length < sizeof(stream); length++) {
        bool whole = length == 0 || stream[length - 1] == '\n' || stream[length - 1] == '\r';
        int code = feed_watch(stream, length, length / 2, &seen, NULL);
        assert_int_equal(code, whole ? 0 : SONDE_ENETWORK);
    }
    sonde_buf_fini(&seen.text);
}

static void hostile_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int code;
    } cases[] = {
        {"{\n", SONDE_EPARSE},
        {"garbage\n", SONDE_EPARSE},
        {"[]\n", SONDE_EPROTOCOL},
        {"\"x\"\n", SONDE_EPROTOCOL},
        {"{\"type\":\"OTHER\",\"object\":" OBJECT("a", "1") "}\n", SONDE_EPROTOCOL},
        {"{\"type\":1,\"object\":" OBJECT("a", "1") "}\n", SONDE_EPROTOCOL},
        {"{\"object\":" OBJECT("a", "1") "}\n", SONDE_EPROTOCOL},
        {"{\"type\":\"ADDED\"}\n", SONDE_EPROTOCOL},
        {"{\"type\":\"ADDED\",\"object\":null}\n", SONDE_EPROTOCOL},
        {"{\"type\":\"ADDED\",\"object\":{}}\n", SONDE_EPROTOCOL},
        {LINE("ADDED", "a", ""), SONDE_EPROTOCOL},
        {LINE("ADDED", "a", "1 2"), SONDE_EPROTOCOL},
        {LINE("ADDED", "a", "\\u0000"), SONDE_EPROTOCOL},
        {LINE("ADDED", "a",
              "0123456789012345678901234567890123456789012345678901234567890123456789"),
         SONDE_EPROTOCOL},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":7}}}\n",
         SONDE_EPROTOCOL},
        {"{\"type\":\"ADDED\",\"object\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", SONDE_ENETWORK},
    };
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_err err = {0};
        int code = feed_watch(cases[i].line, strlen(cases[i].line), 1, &seen, &err);
        if (code != cases[i].code) {
            fail_msg("case %zu: %d %s", i, code, err.message);
        }
        assert_int_equal(seen.count, 0);
    }
    sonde_buf_fini(&seen.text);
}

static void a_failure_stays(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16), .refuse_at = 2};
    struct sonde_kube_watch watch;
    sonde_kube_watch_init(&watch, see_event, &seen);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sonde_kube_watch_feed(&watch, stream, sizeof(stream) - 1, NULL),
                         SONDE_ECANCELLED);
    }
    assert_int_equal(sonde_kube_watch_finish(&watch, NULL), SONDE_ECANCELLED);
    assert_int_equal(seen.count, 2);
    sonde_kube_watch_fini(&watch);
    sonde_buf_fini(&seen.text);
}

/* {"a":WHAT}: too long, of too many values, too deep. */
static void put_hostile(int way, struct sonde_buf *buf)
{
    sonde_buf_text(buf, "{\"type\":\"ADDED\",\"a\":[");
    if (way == 0) {
        sonde_buf_char(buf, '"');
        for (int i = 0; i < SONDE_KUBE_OBJECT_MAX / 6; i++) {
            sonde_buf_text(buf, "\\u003c");
        }
        sonde_buf_text(buf, "\"]");
    } else if (way == 1) {
        for (int i = 0; i < 467000; i++) {
            sonde_buf_text(buf, "\"a\",");
        }
        sonde_buf_text(buf, "0]");
    } else {
        sonde_buf_repeat(buf, '[', SONDE_JSON_DOCUMENT_DEPTH);
        sonde_buf_repeat(buf, ']', SONDE_JSON_DOCUMENT_DEPTH + 1);
    }
    sonde_buf_char(buf, '}');
}

enum { WAYS = 3, LARGE = 4 * SONDE_KUBE_OBJECT_MAX };

static void an_event_that_is_too_large_is_left_out(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    for (int way = 0; way < WAYS; way++) {
        SONDE_BUF_AUTO all = SONDE_BUF(LARGE);
        sonde_buf_text(&all, LINE("ADDED", "a", "1"));
        put_hostile(way, &all);
        sonde_buf_text(&all, "\n" LINE("ADDED", "b", "2"));
        assert_int_equal(feed_watch(all.data, all.length, all.length / 2, &seen, NULL), 0);
        assert_string_equal(seen.text.data, "A a 1;A b 2;");
        assert_int_equal(seen.skipped, 1);
        size_t cut = all.length - sizeof(LINE("ADDED", "b", "2")); /* no line end */
        assert_int_equal(feed_watch(all.data, cut, cut - 1, &seen, NULL), SONDE_ENETWORK);
        assert_string_equal(seen.text.data, "A a 1;");
    }
    sonde_buf_fini(&seen.text);
}

/* ---- lists ---- */

static const char page[] =
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
    "\"9007199254740993\",\"continue\":\"eyJ2\\u003d\",\"remainingItemCount\":3,\"x\":{"
    "\"continue\":"
    "\"no\",\"items\":[1]}},\"other\":{\"items\":[{\"metadata\":{\"name\":\"no\"}}]},\"items\":["
    "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\",\"continue\":\"no\"},\"items\":[{}]},"
    "\n"
    "{\"spec\":[[{}],\"]\"],\"metadata\":{\"name\":\"b\"}} ] , \"more\":[]}";

static int feed_list(const char *data, size_t length, size_t cut, struct seen *seen,
                     struct sonde_kube_list *list, struct sonde_err *err)
{
    sonde_buf_clear(&seen->text);
    seen->count = seen->skipped = 0;
    sonde_kube_list_init(list, see_item, seen);
    list->skipped = see_skip;
    int code = sonde_kube_list_feed(list, data, cut, err);
    code = code ? code : sonde_kube_list_feed(list, data + cut, length - cut, err);
    code = code ? code : sonde_kube_list_finish(list, err);
    sonde_kube_list_fini(list);
    return code;
}

static void a_list_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    struct sonde_kube_list list;
    for (size_t cut = 0; cut < sizeof(page); cut++) {
        assert_int_equal(feed_list(page, sizeof(page) - 1, cut, &seen, &list, NULL), 0);
        assert_string_equal(seen.text.data, "a;b;");
        assert_string_equal(list.resource_version, "9007199254740993");
        assert_string_equal(list.continue_token, "eyJ2=");
        assert_int_equal(list.count, 2);
    }
    for (size_t length = 0; length + 1 < sizeof(page); length++) {
        assert_int_equal(feed_list(page, length, length / 3, &seen, &list, NULL), SONDE_EPARSE);
    }
    sonde_buf_fini(&seen.text);
}

static void empty_lists_are_lists(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"metadata\":{\"resourceVersion\":\"1\",\"continue\":\"\"},\"items\":[]}",
        "{\"items\":null,\"metadata\":{\"resourceVersion\":\"1\"}}",
    };
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    struct sonde_kube_list list;
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        assert_int_equal(feed_list(texts[i], strlen(texts[i]), 5, &seen, &list, NULL), 0);
        assert_int_equal(list.count, 0);
        assert_string_equal(list.continue_token, "");
    }
    sonde_buf_fini(&seen.text);
}

static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"[]", SONDE_EPROTOCOL},
        {"7", SONDE_EPROTOCOL},
        {"{}", SONDE_EPROTOCOL},
        {"{\"items\":[]}", SONDE_EPROTOCOL},
        {"{\"metadata\":{\"resourceVersion\":\"1\"}}", SONDE_EPROTOCOL},
        {"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":{}}", SONDE_EPROTOCOL},
        {"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[1]}", SONDE_EPROTOCOL},
        {"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[\"x\"]}", SONDE_EPROTOCOL},
        {"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[[]]}", SONDE_EPROTOCOL},
        {"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[],\"items\":[]}", SONDE_EPROTOCOL},
        {"{\"metadata\":{\"resourceVersion\":\"a b\"},\"items\":[]}", SONDE_EPROTOCOL},
        {"{\"items\":[{]}", SONDE_EPARSE},
    };
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    struct sonde_kube_list list;
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        int code = feed_list(cases[i].text, strlen(cases[i].text), 1, &seen, &list, NULL);
        if (code != cases[i].code) {
            fail_msg("case %zu: %d", i, code);
        }
    }
    SONDE_BUF_AUTO large = SONDE_BUF(8 << 20);
    sonde_buf_text(&large, "{\"metadata\":{\"continue\":\"");
    sonde_buf_repeat(&large, 'x', SONDE_KUBE_CONTINUE_SIZE);
    sonde_buf_text(&large, "\"}}");
    assert_int_equal(feed_list(large.data, large.length, 1, &seen, &list, NULL), SONDE_ELIMIT);
    seen.refuse_at = 1;
    assert_int_equal(feed_list(page, sizeof(page) - 1, 9, &seen, &list, NULL), SONDE_ECANCELLED);
    assert_int_equal(seen.count, 1);
    sonde_buf_fini(&seen.text);
}

static void an_item_that_is_too_large_is_left_out(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    struct sonde_kube_list list;
    for (int way = 0; way < WAYS; way++) {
        SONDE_BUF_AUTO all = SONDE_BUF(LARGE);
        sonde_buf_text(
            &all, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[" OBJECT("a", "1") ",");
        put_hostile(way, &all);
        sonde_buf_text(&all, "," OBJECT("b", "2") "]}");
        assert_int_equal(feed_list(all.data, all.length, all.length / 2, &seen, &list, NULL), 0);
        assert_string_equal(seen.text.data, "a;b;");
        assert_int_equal(seen.skipped, 1);
        assert_int_equal(list.count, 3);
    }
    sonde_buf_fini(&seen.text);
}

/* ---- recorded streams ---- */

/* What tests/cluster/record.js has recorded of a real API server. */
static struct sonde_buf recorded(const char *name)
{
    char path[128];
    struct sonde_buf text = SONDE_BUF(1 << 16);
    (void)snprintf(path, sizeof(path), "tests/fuzz/corpus/kube_watch/recorded-%s", name);
    assert_int_equal(sonde_read_file(AT_FDCWD, path, &text, NULL), 0);
    return text;
}

static const char *const recorded_watches[] = {"watch-pod", "watch-run"};
enum { CUTS = 300, DAMAGES = 1000, SEED = 20261129 };

static void a_recorded_life_goes_from_added_to_deleted(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    for (size_t i = 0; i < SONDE_LENGTH(recorded_watches); i++) {
        SONDE_BUF_AUTO text = recorded(recorded_watches[i]);
        SONDE_BUF_AUTO whole = SONDE_BUF(1 << 16);
        assert_int_equal(feed_watch(text.data, text.length, 0, &seen, NULL), 0);
        sonde_buf_str(&whole, sonde_buf_view(&seen.text));
        assert_true(whole.data[0] == 'B'); /* sendInitialEvents: all that there was */
        const char *added = strstr(whole.data, "A ");
        assert_non_null(added);
        assert_non_null(strstr(added, "M "));
        assert_non_null(strstr(added, "D "));
        assert_true(seen.count > 8);
        unsigned seed = SEED + (unsigned)i;
        for (int cut = 0; cut < CUTS; cut++) {
            size_t at = (size_t)rand_r(&seed) % text.length;
            assert_int_equal(feed_watch(text.data, text.length, at, &seen, NULL), 0);
            assert_string_equal(seen.text.data, whole.data);
            int code = feed_watch(text.data, at, at / 2, &seen, NULL);
            assert_int_equal(code, at == 0 || text.data[at - 1] == '\n' ? 0 : SONDE_ENETWORK);
            assert_memory_equal(seen.text.length ? seen.text.data : "", whole.data,
                                seen.text.length);
        }
    }
    sonde_buf_fini(&seen.text);
}

static void what_is_damaged_hides_nothing_before_it(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    unsigned seed = SEED;
    SONDE_BUF_AUTO text = recorded("watch-run");
    SONDE_BUF_AUTO before = SONDE_BUF(1 << 16);
    for (int i = 0; i < DAMAGES; i++) {
        size_t at = (size_t)rand_r(&seed) % text.length;
        char was = text.data[at];
        const char *line = at ? memrchr(text.data, '\n', at) : NULL;
        size_t good = line ? (size_t)(line - text.data) + 1 : 0;
        assert_int_equal(feed_watch(text.data, good, good / 3, &seen, NULL), 0);
        sonde_buf_clear(&before);
        sonde_buf_str(&before, sonde_buf_view(&seen.text));
        text.data[at] = (char)rand_r(&seed);
        int code = feed_watch(text.data, text.length, at, &seen, NULL);
        text.data[at] = was;
        bool told = code == 0 || code == SONDE_EPARSE || code == SONDE_EPROTOCOL;
        if (!told || seen.text.length < before.length ||
            memcmp(seen.text.data ? seen.text.data : "", before.data ? before.data : "",
                   before.length) != 0) {
            fail_msg("byte %zu of seed %d: %d", at, SEED, code);
        }
    }
    sonde_buf_fini(&seen.text);
}

static int keep_nothing(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    (void)object;
    (void)err;
    *ret = NULL;
    return 0;
}

static void count_change(void *context, const struct sonde_kube_object *before,
                         const struct sonde_kube_object *after)
{
    (void)before;
    (void)after;
    ++*(int *)context;
}

static int to_cache(void *context, const struct sonde_kube_watch_event *event,
                    struct sonde_err *err)
{
    struct sonde_kube_cache *cache = context;
    return event->type == SONDE_KUBE_BOOKMARK  ? 0
           : event->type == SONDE_KUBE_DELETED ? sonde_kube_cache_delete(cache, event->object, err)
                                               : sonde_kube_cache_put(cache, event->object, err);
}

/* How often the cache changes; with each line so many times. */
static int changes(struct sonde_str text, int times)
{
    int count = 0;
    const struct sonde_kube_cache_options options = {
        .context = &count, .keep = keep_nothing, .changed = count_change, .maximum = 10};
    struct sonde_kube_cache *cache = NULL;
    struct sonde_kube_watch watch;
    assert_int_equal(sonde_kube_cache_new(&options, &cache, NULL), 0);
    sonde_kube_watch_init(&watch, to_cache, cache);
    while (text.length) {
        struct sonde_str line = sonde_str_split(&text, '\n');
        for (int i = 0; i < times; i++) {
            assert_int_equal(sonde_kube_watch_feed(&watch, line.data, line.length, NULL), 0);
            assert_int_equal(sonde_kube_watch_feed(&watch, "\n", 1, NULL), 0);
        }
    }
    assert_int_equal(sonde_kube_cache_count(cache), 0); /* it was deleted */
    sonde_kube_watch_fini(&watch);
    sonde_kube_cache_free(cache);
    return count;
}

static void what_comes_twice_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < SONDE_LENGTH(recorded_watches); i++) {
        SONDE_BUF_AUTO text = recorded(recorded_watches[i]);
        int once = changes(sonde_buf_view(&text), 1);
        assert_true(once > 5);
        assert_int_equal(changes(sonde_buf_view(&text), 2), once);
    }
}

static void a_recorded_version_may_be_too_old(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    SONDE_BUF_AUTO text = recorded("watch-too-old");
    assert_int_equal(feed_watch(text.data, text.length, 7, &seen, NULL), 0);
    assert_string_equal(seen.text.data, "E - ;");
    sonde_buf_fini(&seen.text);
}

static void recorded_pages_are_one_list(void **state)
{
    (void)state;
    struct seen seen = {.text = SONDE_BUF(1 << 16)};
    struct sonde_kube_list list;
    SONDE_BUF_AUTO first = recorded("list-first-page");
    SONDE_BUF_AUTO last = recorded("list-last-page");
    SONDE_BUF_AUTO empty = recorded("list-empty");
    SONDE_BUF_AUTO refused = recorded("list-refused");
    for (size_t cut = 0; cut <= first.length; cut++) {
        assert_int_equal(feed_list(first.data, first.length, cut, &seen, &list, NULL), 0);
        assert_string_equal(seen.text.data, "a;b;");
        assert_true(strlen(list.continue_token) > 10);
    }
    for (size_t length = 0; length < last.length - 1; length++) { /* the last byte ends a line */
        assert_int_equal(feed_list(last.data, length, length / 2, &seen, &list, NULL),
                         SONDE_EPARSE);
    }
    assert_int_equal(feed_list(last.data, last.length, 1, &seen, &list, NULL), 0);
    assert_string_equal(seen.text.data, "c;default;");
    assert_string_equal(list.continue_token, "");
    assert_int_equal(feed_list(empty.data, empty.length, 1, &seen, &list, NULL), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(feed_list(refused.data, refused.length, 1, &seen, &list, NULL),
                     SONDE_EPROTOCOL);
    sonde_buf_fini(&seen.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_may_be_cut_anywhere),
        cmocka_unit_test(a_watch_that_ends_within_a_line_is_a_broken_connection),
        cmocka_unit_test(hostile_lines_are_refused),
        cmocka_unit_test(a_failure_stays),
        cmocka_unit_test(an_event_that_is_too_large_is_left_out),
        cmocka_unit_test(a_list_may_be_cut_anywhere),
        cmocka_unit_test(empty_lists_are_lists),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(an_item_that_is_too_large_is_left_out),
        cmocka_unit_test(a_recorded_life_goes_from_added_to_deleted),
        cmocka_unit_test(what_is_damaged_hides_nothing_before_it),
        cmocka_unit_test(what_comes_twice_changes_nothing),
        cmocka_unit_test(a_recorded_version_may_be_too_old),
        cmocka_unit_test(recorded_pages_are_one_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
