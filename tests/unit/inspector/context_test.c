/* SPDX-License-Identifier: Apache-2.0 */
/* Which scripts artifacts name, and what is kept of them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "codec/json.h"
#include "inspector/context.h"
#include "inspector/script_urls.h"
#include "spec/artifact.h"

static void feed(struct sonde_script_urls *urls, const char *text, size_t step)
{
    size_t length = strlen(text);
    sonde_script_urls_begin(urls);
    for (size_t at = 0; at < length; at += step) {
        sonde_script_urls_feed(urls, text + at, length - at < step ? length - at : step);
    }
}

/* "a b c": the files that are known, without the root. */
static void assert_scripts(const struct sonde_script_urls *urls, const char *expected)
{
    SONDE_BUF_AUTO text = SONDE_BUF(4096);
    sonde_buf_text(&text, "");
    for (size_t i = 1; i < urls->scripts.frame_count; i++) {
        sonde_buf_text(&text, i > 1 ? " " : "");
        sonde_buf_str(&text, urls->scripts.frames[i].generated.file);
    }
    assert_string_equal(text.data, expected);
}

static void scripts_are_found_in_every_kind_of_artifact(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"url\",\"url\":\"\"}},"
        "{\"id\":2,\"callFrame\":{\"url\":\"file:///app/a.js\",\"functionName\":\"f\"}}]}",
        "{\"head\":{\"callFrame\":{\"url\":\"\"},\"children\":[{\"callFrame\":{\"url\":"
        "\"file:///app/a.js\"}},{\"callFrame\":{\"url\":\"file:///app/b.js\"}}]}}",
        "{\"result\":[{\"scriptId\":\"1\",\"url\":\"file:///app/b.js\",\"functions\":[]}]}",
        "{\"frames\":[{\"function\":\"url\",\"url\":\"file:///app/c.js\",\"line\":1}]}",
    };
    for (size_t step = 1; step < 30; step++) {
        struct sonde_script_urls urls;
        assert_int_equal(sonde_script_urls_init(&urls, NULL), 0);
        for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
            feed(&urls, texts[i], step);
        }
        assert_scripts(&urls, "file:///app/a.js file:///app/b.js file:///app/c.js");
        sonde_script_urls_fini(&urls);
    }
    assert_true(sonde_script_urls_wanted(SONDE_ARTIFACT_COVERAGE));
    assert_false(sonde_script_urls_wanted(SONDE_ARTIFACT_HEAP_SNAPSHOT));
}

/* What is no JSON any more ends an artifact, and not the next one. */
static void a_broken_artifact_is_passed_over(void **state)
{
    (void)state;
    struct sonde_script_urls urls;
    assert_int_equal(sonde_script_urls_init(&urls, NULL), 0);
    feed(&urls, "{\"url\":\"/a.js\",}{\"url\":\"/b.js\"}", 5);
    assert_false(urls.reading);
    feed(&urls, "{\"url\":\"/c.js\"", 99); /* cut */
    feed(&urls, "{\"url\":\"/d.js\"}", 99);
    assert_scripts(&urls, "/a.js /c.js /d.js");
    sonde_script_urls_fini(&urls);
}

/* However many a target names: what is beyond the memory for them is left out. */
static void hostile_numbers_of_scripts_are_bounded(void **state)
{
    (void)state;
    struct sonde_script_urls urls;
    SONDE_BUF_AUTO text = SONDE_BUF(32 << 20);
    assert_int_equal(sonde_script_urls_init(&urls, NULL), 0);
    sonde_buf_text(&text, "[");
    for (unsigned i = 0; i < 200000; i++) {
        sonde_buf_printf(&text, "%s{\"url\":\"file:///app/%u.js\"}", i ? "," : "", i);
    }
    sonde_buf_text(&text, "]");
    feed(&urls, text.data, 1 << 16);
    assert_false(urls.reading);
    assert_true(urls.scripts.frame_count > 1000);
    assert_true(urls.scripts.budget.used <= SONDE_SCRIPT_URLS_BYTES_MAX);
    sonde_script_urls_fini(&urls);
}

/* ---- what is kept ---- */

struct kept {
    struct sonde_buf document, map, sources;
    unsigned batches;
};

static int put(void *context, const char *name, const char *type, struct sonde_str text,
               struct sonde_err *err)
{
    struct kept *kept = context;
    bool map = strcmp(type, SONDE_ARTIFACT_SOURCE_MAP) == 0;
    bool sources = strcmp(type, SONDE_ARTIFACT_SOURCES) == 0;
    char batch[32];
    (void)err;
    (void)snprintf(batch, sizeof(batch), "x.sources.%u", kept->batches);
    assert_string_equal(name, map ? "x.source-map.0" : sources ? batch : "x.context");
    sonde_buf_str(map ? &kept->map : sources ? &kept->sources : &kept->document, text);
    kept->batches += sources;
    return 0;
}

static void forget(struct kept *kept)
{
    sonde_buf_fini(&kept->document);
    sonde_buf_fini(&kept->map);
    sonde_buf_fini(&kept->sources);
}

static void write_file(int root, const char *name, struct sonde_str text)
{
    SONDE_CLOSE int fd = openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, text.data, text.length, name, NULL), 0);
}

struct file {
    const char *name, *text; /* name NULL: the end */
};

/* The context of the scripts in the list of URLs, which are where these files are. */
static void keep(const struct file *files, const char *scripts, enum sonde_context_kind kind,
                 struct kept *ret)
{
    char directory[] = "/tmp/sonde-context-XXXXXX";
    struct sonde_script_urls urls;
    assert_non_null(mkdtemp(directory));
    SONDE_CLOSE int root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(root >= 0);
    for (const struct file *file = files; file->name; file++) {
        write_file(root, file->name, sonde_str(file->text));
    }
    *ret = (struct kept){SONDE_BUF(1 << 16), SONDE_BUF(1 << 16), SONDE_BUF(1 << 16), 0};
    assert_int_equal(sonde_script_urls_init(&urls, NULL), 0);
    feed(&urls, scripts, 99);
    assert_int_equal(sonde_context_write(root, &urls.scripts, kind,
                                         SONDE_STR("{\"process\":\"w1\"}"), "x", put, ret, NULL),
                     0);
    sonde_script_urls_fini(&urls);
    for (const struct file *file = files; file->name; file++) {
        assert_int_equal(unlinkat(root, file->name, 0), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

/* V8 counts UTF-16 units: of U+1F600 two, of ä one; the mark at the beginning is no text. */
static const struct file plain_files[] = {
    {"a.js", "\xef\xbb\xbf\xc3\xa4\n\xf0\x9f\x98\x80x\r\n\n//# sourceMappingURL=a.map"},
    {"a.map", "{\"version\":3}"},
    {"b.js", "\xef\xbb\xbfg(\"\");\n//# sourceMappingURL=none.map"},
    {0},
};
static const char plain_scripts[] =
    "[{\"url\":\"file:///a.js\"},{\"url\":\"file:///missing.js\"},{\"url\":\"file:///b.js\"}]";

static void maps_texts_and_lines_of_scripts_are_kept(void **state)
{
    (void)state;
    struct kept kept;
    assert_int_equal(sonde_context_kind_of(SONDE_ARTIFACT_COVERAGE), SONDE_CONTEXT_OFFSETS);
    assert_int_equal(sonde_context_kind_of(SONDE_ARTIFACT_CPU_PROFILE), SONDE_CONTEXT_TEXTS);
    assert_int_equal(sonde_context_kind_of(SONDE_ARTIFACT_EVENT_LOOP), SONDE_CONTEXT_PLACES);
    keep(plain_files, plain_scripts, SONDE_CONTEXT_OFFSETS, &kept);
    assert_string_equal(kept.map.data, plain_files[1].text);
    assert_string_equal(
        kept.document.data,
        "{\"maps\":[{\"url\":\"file:///a.js\",\"artifact\":\"x.source-map.0\"}],"
        "\"packages\":[],\"lines\":[{\"url\":\"file:///a.js\",\"lengths\":[1,4,0,"
        "26]},{\"url\":\"file:///b.js\",\"lengths\":[6,29]}],\"waits\":[{\"process\":\"w1\"}]}");
    forget(&kept);
    keep(plain_files, plain_scripts, SONDE_CONTEXT_TEXTS, &kept);
    assert_non_null(strstr(kept.document.data, "\"lines\":[]"));
    assert_string_equal(kept.sources.data,
                        "{\"sources\":[{\"url\":\"file:///b.js\",\"text\":\"g(\\\"\\\");\\n"
                        "//# sourceMappingURL=none.map\"}]}");
    forget(&kept);
    keep(plain_files, plain_scripts, SONDE_CONTEXT_PLACES, &kept);
    assert_int_equal(kept.batches, 0);
    assert_non_null(strstr(kept.document.data, "\"lines\":[]"));
    forget(&kept);
}

/* tsc's maps carry none. What a map names must be a source of the application. */
static void sources_that_a_map_does_not_carry_are_kept(void **state)
{
    (void)state;
    static const struct file files[] = {
        {"a.js", "//# sourceMappingURL=a.map"},
        {"a.map",
         "{\"version\":3,\"names\":[],\"mappings\":\"\",\"sources\":[\"a.ts\",\"passwd\",\"b.ts\","
         "\"/node_modules/x/d.ts\",\"../../e.ts\",\"none.ts\",\"a.ts\"],\"sourcesContent\":"
         "[null,null,\"carried\"]}"},
        {"a.ts", "h();"},
        {"b.ts", "not this"},
        {"e.ts", "e"},
        {"passwd", "root"},
        {0},
    };
    struct kept kept;
    keep(files, "[{\"url\":\"file:///a.js\"}]", SONDE_CONTEXT_TEXTS, &kept);
    assert_string_equal(kept.sources.data,
                        "{\"sources\":[{\"url\":\"file:///a.ts\",\"text\":\"h();\"}]}");
    forget(&kept);
    keep(files, "[{\"url\":\"file:///a.js\"}]", SONDE_CONTEXT_PLACES, &kept);
    assert_int_equal(kept.batches, 0);
    forget(&kept);
}

/* Of a few, and a large one that is left out, and more than are kept. */
static void texts_come_in_batches(void **state)
{
    (void)state;
    enum { FILES = 20, TEXT = 1000 << 10, LARGE = 7 };
    char directory[] = "/tmp/sonde-context-XXXXXX";
    struct sonde_script_urls urls;
    struct kept kept = {SONDE_BUF(1 << 16), SONDE_BUF(1 << 16), SONDE_BUF(32 << 20), 0};
    SONDE_BUF_AUTO names = SONDE_BUF(1 << 12);
    SONDE_FREE char *text = malloc(TEXT + (64 << 10));
    assert_non_null(text);
    assert_non_null(mkdtemp(directory));
    SONDE_CLOSE int root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memset(text, 'x', TEXT + (64 << 10));
    for (int i = 0; i < FILES; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%d.js", i);
        write_file(root, name,
                   (struct sonde_str){text, i == LARGE ? TEXT + (64 << 10)
                                            : i == 0   ? 100
                                            : i == 1   ? 1
                                                       : TEXT});
        sonde_buf_printf(&names, "%s{\"url\":\"file:///%s\"}", i ? "," : "[", name);
    }
    sonde_buf_char(&names, ']');
    assert_int_equal(sonde_script_urls_init(&urls, NULL), 0);
    feed(&urls, names.data, names.length);
    assert_int_equal(sonde_context_write(root, &urls.scripts, SONDE_CONTEXT_TEXTS,
                                         (struct sonde_str){0}, "x", put, &kept, NULL),
                     0);
    sonde_script_urls_fini(&urls);
    for (int i = 0; i < FILES; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%d.js", i);
        assert_int_equal(unlinkat(root, name, 0), 0);
    }
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(kept.batches, 1 + 16); /* two small ones in one */
    assert_true(kept.sources.length < SONDE_CONTEXT_SOURCES_MAX + 1024);
    assert_non_null(strstr(kept.sources.data, "\"file:///1.js\",\"text\":\"x\"}]}"));
    assert_null(strstr(kept.sources.data, "/7.js"));
    forget(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_are_found_in_every_kind_of_artifact),
        cmocka_unit_test(a_broken_artifact_is_passed_over),
        cmocka_unit_test(hostile_numbers_of_scripts_are_bounded),
        cmocka_unit_test(maps_texts_and_lines_of_scripts_are_kept),
        cmocka_unit_test(sources_that_a_map_does_not_carry_are_kept),
        cmocka_unit_test(texts_come_in_batches),
    };
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
