/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "codec/compress.h"
#include "codec/protobuf.h"
#include "profile/formats.h"
#include "profile/pprof.h"
#include "profile/pprof_fields.h"
#include "profile_helpers.h"

static int read_pprof(struct sonde_profile *profile, struct sonde_str text, size_t step,
                      struct sonde_err *err)
{
    return READ_WITH(pprof, text, step, err, profile);
}

/* ---- files by hand ---- */

/* Strings are added in order; each message is built in `inner`. */
struct file {
    struct sonde_buf text, inner, nested;
    uint64_t strings;
};

static void put_string(struct file *f, const char *text)
{
    sonde_protobuf_bytes(&f->text, PROFILE_STRING, sonde_str(text));
}

static void put_type(struct file *f, uint32_t field, uint64_t type, uint64_t unit)
{
    sonde_buf_clear(&f->inner);
    sonde_protobuf_uint(&f->inner, TYPE_TYPE, type);
    sonde_protobuf_uint(&f->inner, TYPE_UNIT, unit);
    sonde_protobuf_bytes(&f->text, field, sonde_buf_view(&f->inner));
}

static void put_function(struct file *f, uint64_t id, uint64_t name, uint64_t path, uint64_t start)
{
    sonde_buf_clear(&f->inner);
    sonde_protobuf_uint(&f->inner, FUNCTION_ID, id);
    sonde_protobuf_uint(&f->inner, FUNCTION_NAME, name);
    sonde_protobuf_uint(&f->inner, FUNCTION_FILE, path);
    sonde_protobuf_uint(&f->inner, FUNCTION_START_LINE, start);
    sonde_protobuf_bytes(&f->text, PROFILE_FUNCTION, sonde_buf_view(&f->inner));
}

/* Pairs of function and line, innermost first; 0 ends them. */
static void put_location(struct file *f, uint64_t id, const uint64_t *lines)
{
    sonde_buf_clear(&f->inner);
    sonde_protobuf_uint(&f->inner, LOCATION_ID, id);
    for (; *lines; lines += 2) {
        sonde_buf_clear(&f->nested);
        sonde_protobuf_uint(&f->nested, LINE_FUNCTION, lines[0]);
        sonde_protobuf_uint(&f->nested, LINE_LINE, lines[1]);
        sonde_protobuf_bytes(&f->inner, LOCATION_LINE, sonde_buf_view(&f->nested));
    }
    sonde_protobuf_bytes(&f->text, PROFILE_LOCATION, sonde_buf_view(&f->inner));
}

static void put_sample(struct file *f, const uint64_t *stack, size_t depth, const uint64_t *values,
                       size_t count, bool packed)
{
    sonde_buf_clear(&f->inner);
    if (packed) {
        sonde_protobuf_packed(&f->inner, SAMPLE_LOCATION, stack, depth);
        sonde_protobuf_packed(&f->inner, SAMPLE_VALUE, values, count);
    }
    for (size_t i = 0; !packed && i < depth; i++) {
        sonde_protobuf_uint(&f->inner, SAMPLE_LOCATION, stack[i]);
    }
    for (size_t i = 0; !packed && i < count; i++) {
        sonde_protobuf_uint(&f->inner, SAMPLE_VALUE, values[i]);
    }
    sonde_protobuf_bytes(&f->text, PROFILE_SAMPLE, sonde_buf_view(&f->inner));
}

static void begin(struct file *f)
{
    *f = (struct file){SONDE_BUF(WRITTEN_MAX), SONDE_BUF(WRITTEN_MAX), SONDE_BUF(1 << 12), 0};
}

static void end(struct file *f)
{
    assert_int_equal(f->text.code, 0);
    sonde_buf_fini(&f->text);
    sonde_buf_fini(&f->inner);
    sonde_buf_fini(&f->nested);
}

/* As Go writes a heap: four values, names at the end, ids that are no indexes, an inlined frame. */
static void write_go_heap(struct file *f, const char *default_type)
{
    const char *const strings[] = {"",        "alloc_objects", "count",       "alloc_space",
                                   "bytes",   "inuse_objects", "inuse_space", "main.walk",
                                   "walk.go", "main.copy",     default_type};
    begin(f);
    put_type(f, PROFILE_SAMPLE_TYPE, 1, 2);
    put_type(f, PROFILE_SAMPLE_TYPE, 3, 4);
    put_type(f, PROFILE_SAMPLE_TYPE, 5, 2);
    put_type(f, PROFILE_SAMPLE_TYPE, 6, 4);
    put_sample(f, (const uint64_t[]){900, 70}, 2, (const uint64_t[]){10, 1000, 4, 400}, 4, true);
    put_sample(f, (const uint64_t[]){70}, 1, (const uint64_t[]){1, 50, 1, 50}, 4, false);
    put_location(f, 70, (const uint64_t[]){5, 12, 0});
    put_location(f, 900, (const uint64_t[]){6, 33, 5, 14, 0});
    put_function(f, 6, 9, 8, 30);
    put_function(f, 5, 7, 8, 10);
    for (size_t i = 0; i < SONDE_LENGTH(strings); i++) {
        put_string(f, strings[i]);
    }
    sonde_protobuf_uint(&f->text, PROFILE_DEFAULT_TYPE, default_type[0] ? 10 : 0);
}

static void a_heap_of_go_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *default_type;
        bool collected;
        int64_t total, inner;
        unsigned samples;
    } rows[] = {{"", false, 450, 400, 5},
                {"inuse_space", false, 450, 400, 5},
                {"alloc_space", true, 1050, 1000, 11}};
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct file f;
        struct sonde_profile profile;
        struct sonde_err err = {0};
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        write_go_heap(&f, rows[i].default_type);
        if (read_pprof(&profile, sonde_buf_view(&f.text), i + 1, &err) != 0) {
            fail_msg("%s", err.message);
        }
        assert_int_equal(profile.unit, SONDE_PROFILE_BYTES);
        assert_int_equal(profile.collected, rows[i].collected);
        assert_true(profile.counts_objects);
        assert_int_equal(profile.total, rows[i].total);
        assert_int_equal(profile.total_samples, rows[i].samples);
        assert_int_equal(node_at(&profile, "main.walk;main.walk;main.copy")->self, rows[i].inner);
        assert_int_equal(node_at(&profile, "main.walk")->self, 50);
        assert_int_equal(frame_named(&profile, "main.copy")->generated.line, 30);
        /* the lines of innermost frames */
        assert_int_equal(profile.line_count, 2);
        assert_int_equal(profile.lines[0].line, 33);
        assert_int_equal(profile.lines[1].line, 12);
        sonde_profile_fini(&profile);
        end(&f);
    }
}

/* Values that a tool calls by other names and units. */
static void types_and_units_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *types[4]; /* two types with their units */
        const char *period[2];
        uint64_t period_value;
        int unit; /* −1: refused */
        int64_t total;
        uint64_t samples;
        bool objects;
    } rows[] = {
        {{"sample", "count", "wall", "nanoseconds"}, {0}, 0, SONDE_PROFILE_NANOSECONDS, 7, 3, 0},
        {{"objects", "count", "space", "bytes"}, {0}, 0, SONDE_PROFILE_BYTES, 7, 3, 1},
        {{"cpu", "microseconds", "x", "y"}, {0}, 0, SONDE_PROFILE_NANOSECONDS, 3000, 1, 0},
        {{"delay", "milliseconds", "n", "count"}, {0}, 0, SONDE_PROFILE_NANOSECONDS, 3000000, 7, 0},
        {{"n", "count", "m", "kilobytes"}, {0}, 0, SONDE_PROFILE_BYTES, 7168, 3, 0},
        {{"samples", "count", "x", "y"},
         {"cpu", "nanoseconds"},
         10000,
         SONDE_PROFILE_NANOSECONDS,
         30000,
         3,
         0},
        {{"samples", "count", "x", "y"}, {0}, 0, -1, 0, 0, 0},
        {{"goroutine", "count", "x", "y"}, {"goroutine", "count"}, 1, -1, 0, 0, 0},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct file f;
        struct sonde_profile profile;
        struct sonde_err err = {0};
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        begin(&f);
        put_string(&f, "");
        for (size_t k = 0; k < 4; k++) {
            put_string(&f, rows[i].types[k]);
        }
        put_string(&f, rows[i].period[0] ? rows[i].period[0] : "");
        put_string(&f, rows[i].period[1] ? rows[i].period[1] : "");
        put_string(&f, "f");
        put_type(&f, PROFILE_SAMPLE_TYPE, 1, 2);
        put_type(&f, PROFILE_SAMPLE_TYPE, 3, 4);
        put_type(&f, PROFILE_PERIOD_TYPE, 5, 6);
        sonde_protobuf_uint(&f.text, PROFILE_PERIOD, rows[i].period_value);
        put_function(&f, 1, 7, 0, 0);
        put_location(&f, 1, (const uint64_t[]){1, 1, 0});
        put_sample(&f, (const uint64_t[]){1}, 1, (const uint64_t[]){3, 7}, 2, true);
        int r = read_pprof(&profile, sonde_buf_view(&f.text), 0, &err);
        if (rows[i].unit < 0) {
            assert_int_equal(r, SONDE_EINVALID);
            assert_non_null(strstr(err.message, rows[i].types[0]));
        } else {
            if (r != 0 || profile.total != rows[i].total ||
                profile.total_samples != rows[i].samples) {
                fail_msg("row %zu: %d %s, %lld of %llu", i, r, err.message,
                         (long long)profile.total, (unsigned long long)profile.total_samples);
            }
            assert_int_equal(profile.unit, rows[i].unit);
            assert_int_equal(profile.counts_objects, rows[i].objects);
        }
        sonde_profile_fini(&profile);
        end(&f);
    }
}

#define BYTES(literal) literal, sizeof(literal) - 1
/* Samples of cpu in nanoseconds. */
#define HEAD                                                                                       \
    "\x0a\x04\x08\x01\x10\x02\x32\x00\x32\x03"                                                     \
    "cpu\x32\x0bnanoseconds"

static void hostile_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        int code;
        const char *says;
    } rows[] = {
        {BYTES(""), SONDE_EPARSE, "empty"},
        {BYTES("x"), SONDE_EPARSE, ""},
        {BYTES("\x1f\x8b"), SONDE_EPARSE, ""},
        {BYTES("\x1f\x8bgarbage"), SONDE_EPARSE, ""},
        {BYTES("\x0a\xff\xff\xff\xff\x0f"), SONDE_EPARSE, "cut"},
        {BYTES("\x32\x01\x61"), SONDE_EPARSE, "what its values are"},
        /* a sample of two values where one is announced */
        {BYTES(HEAD "\x12\x04\x12\x02\x01\x01"), SONDE_EPARSE, "values"},
        /* at an unknown location */
        {BYTES(HEAD "\x12\x06\x0a\x01\x07\x12\x01\x01"), SONDE_EPARSE, "location"},
        /* a number cut in the middle of a packed field */
        {BYTES(HEAD "\x12\x03\x12\x01\x80"), SONDE_EPARSE, "packed"},
        /* −1 */
        {BYTES(HEAD "\x12\x0c\x12\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), SONDE_EPARSE,
         "negative"},
        /* two functions of one id */
        {BYTES(HEAD "\x2a\x02\x08\x01\x2a\x02\x08\x01"), SONDE_EPARSE, "the id 1"},
        /* a line of an unknown function */
        {BYTES(HEAD "\x22\x06\x08\x01\x22\x02\x08\x09"), SONDE_EPARSE, "unknown function"},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_profile profile;
        struct sonde_err err = {0};
        struct sonde_str text = {rows[i].bytes, rows[i].length};
        assert_int_equal(sonde_profile_init(&profile, NULL), 0);
        int r = read_pprof(&profile, text, 1, &err);
        if (r != rows[i].code || !strstr(err.message, rows[i].says)) {
            fail_msg("row %zu gave %d: %s", i, r, err.message);
        }
        sonde_profile_fini(&profile);
    }
}

/* A small file that unpacks to more than is allowed. */
static void a_bomb_is_a_limit(void **state)
{
    (void)state;
    static char zeros[1 << 20];
    struct sonde_stream *stream;
    SONDE_BUF_AUTO packed = SONDE_BUF(WRITTEN_MAX);
    struct sonde_profile profile;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(sonde_compressor_new(SONDE_GZIP, write_to_buf, &packed, &stream, NULL), 0);
    for (size_t i = 0; i < SONDE_PPROF_BYTES_MAX / sizeof(zeros) + 1; i++) {
        assert_int_equal(sonde_stream_feed(stream, zeros, sizeof(zeros), NULL), 0);
    }
    assert_int_equal(sonde_stream_finish(stream, NULL), 0);
    sonde_stream_free(stream);
    assert_true(packed.length < 1 << 20);
    assert_int_equal(read_pprof(&profile, sonde_buf_view(&packed), 0, NULL), SONDE_ELIMIT);
    sonde_profile_fini(&profile);
}

/* Entries of two bytes each that the tables have many times as many for: as large as each table may
 * be, together they are not. */
static void tables_share_the_memory_of_a_file(void **state)
{
    (void)state;
    static const char string[] = "\x32";
    static const char location[] = "\x22";
    struct sonde_profile profile;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PPROF_BYTES_MAX);
    sonde_buf_append(&text, HEAD, sizeof(HEAD) - 1);
    for (size_t i = 0; i < SONDE_PPROF_STRINGS_MAX - 8; i++) {
        sonde_buf_append(&text, string, sizeof(string)); /* with its length, 0 */
    }
    for (size_t i = 0; i < SONDE_PPROF_ITEMS_MAX - 8; i++) {
        sonde_buf_append(&text, location, sizeof(location));
    }
    assert_int_equal(text.code, 0);
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    assert_int_equal(read_pprof(&profile, sonde_buf_view(&text), 0, &err), SONDE_ELIMIT);
    assert_non_null(strstr(err.message, "too many locations"));
    sonde_profile_fini(&profile);
}

/* ---- what we write ---- */

static void add_row(struct sonde_profile *profile, uint32_t parent, const char *function,
                    const char *url, int64_t amount, uint64_t samples, uint32_t *ret)
{
    uint32_t frame;
    int32_t line = url[0] ? 10 : 0;
    assert_int_equal(
        sonde_profile_frame(profile, sonde_str(function), sonde_str(url), line, 0, &frame, NULL),
        0);
    assert_int_equal(sonde_profile_node(profile, parent, frame, ret, NULL), 0);
    assert_int_equal(sonde_profile_add_amount(profile, *ret, amount, samples, NULL), 0);
}

static void make(struct sonde_profile *profile, enum sonde_profile_unit unit)
{
    uint32_t a;
    uint32_t b;
    uint32_t c;
    assert_int_equal(sonde_profile_init(profile, NULL), 0);
    assert_int_equal(sonde_profile_set_unit(profile, unit, NULL), 0);
    add_row(profile, 0, "loadVisits", "file:///app/visits.js", 1 << 20, 2, &a);
    add_row(profile, a, "parse", "", 3 << 20, 6, &b);
    add_row(profile, b, "loadVisits", "file:///app/visits.js", 0, 0, &c);
    add_row(profile, 0, unit == SONDE_PROFILE_BYTES ? "render" : "(idle)", "", 1 << 19, 1, &c);
    profile->end_us = ((9 << 19) + 999) / 1000;
    profile->windows = 1;
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct sonde_profile profile;
        struct sonde_profile again;
        struct sonde_err err = {0};
        make(&profile, i ? SONDE_PROFILE_BYTES : SONDE_PROFILE_NANOSECONDS);
        profile.counts_objects = i == 2;
        profile.collected = i == 3;
        SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
        struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
        assert_int_equal(sonde_pprof_write(&profile, 5, &output, &err), 0);
        assert_int_equal(sonde_profile_init(&again, NULL), 0);
        if (read_pprof(&again, sonde_buf_view(&written), 3, &err) != 0) {
            fail_msg("%s", err.message);
        }
        assert_int_equal(again.unit, profile.unit);
        assert_int_equal(again.collected, profile.collected);
        assert_int_equal(again.counts_objects, profile.counts_objects);
        assert_false(again.busy_only);
        assert_int_equal(node_at(&again, "loadVisits;parse")->self, 3 << 20);
        assert_int_equal(node_at(&again, "loadVisits;parse")->samples, 6);
        assert_int_equal(frame_named(&again, "loadVisits")->generated.line, 10);
        if (i) {
            assert_int_equal(again.total, profile.total);
            assert_int_equal(node_at(&again, "render")->self, 1 << 19);
        } else {
            /* Idle time is not written, but the duration is: the rest of it. */
            int64_t idle = profile.end_us * 1000 - (4 << 20);
            assert_int_equal(node_at(&again, "(idle)")->self, idle);
        }
        sonde_output_fini(&output);
        sonde_profile_fini(&profile);
        sonde_profile_fini(&again);
    }
}

static void say(const char *command, struct sonde_buf *ret)
{
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(sonde_read_all(fileno(pipe), ret, "pprof", NULL), 0);
    if (pclose(pipe) != 0) {
        fail_msg("%s: %s", command, ret->data);
    }
}

#define TEMPORARY "/tmp/sonde-pprof-XXXXXX"

/* Into a new file, whose name replaces that template. */
static void write_file(const struct sonde_profile *profile, char *name)
{
    SONDE_BUF_AUTO written = SONDE_BUF(WRITTEN_MAX);
    struct sonde_output output = SONDE_OUTPUT(write_to_buf, &written);
    assert_int_equal(sonde_pprof_write(profile, 0, &output, NULL), 0);
    SONDE_CLOSE int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, written.data, written.length, "pprof", NULL), 0);
    sonde_output_fini(&output);
}

/* The judge is pprof itself, where Go is installed. */
static void go_tool_pprof_reads_a_heap(void **state)
{
    (void)state;
    if (system("command -v go >/dev/null 2>&1") != 0) {
        print_message("no go here: not asked\n");
        skip();
    }
    static const struct {
        bool collected, objects;
        const char *says[6];
    } rows[] = {
        {false,
         true,
         {"Type: inuse_space", "4608kB total", "3072kB 66.67% 66.67%",
          "1024kB 22.22% 88.89%     4096kB", "Type: inuse_objects", "of 9 total"}},
        {true, true, {"Type: alloc_space", "Type: alloc_objects"}},
        {false, false, {"Type: inuse_space", "Type: samples"}},
    };
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        struct sonde_profile profile;
        make(&profile, SONDE_PROFILE_BYTES);
        profile.collected = rows[i].collected;
        profile.counts_objects = rows[i].objects;
        char name[] = TEMPORARY;
        write_file(&profile, name);
        SONDE_BUF_AUTO said = SONDE_BUF(1 << 20);
        char command[400];
        (void)snprintf(command, sizeof(command),
                       "go tool pprof -top %s 2>&1 && go tool pprof -top -sample_index=0 %s 2>&1",
                       name, name);
        say(command, &said);
        (void)unlink(name);
        for (size_t k = 0; k < SONDE_LENGTH(rows[i].says) && rows[i].says[k]; k++) {
            if (!strstr(said.data, rows[i].says[k])) {
                fail_msg("pprof lacks '%s':\n%s", rows[i].says[k], said.data);
            }
        }
        sonde_profile_fini(&profile);
    }
}

/* A profile that pprof itself has written anew, merged with itself. */
static void what_go_tool_pprof_writes_is_read(void **state)
{
    (void)state;
    if (system("command -v go >/dev/null 2>&1") != 0) {
        print_message("no go here: not asked\n");
        skip();
    }
    struct sonde_profile profile;
    struct sonde_profile again;
    struct sonde_err err = {0};
    make(&profile, SONDE_PROFILE_BYTES);
    profile.counts_objects = true;
    char name[] = TEMPORARY;
    write_file(&profile, name);
    SONDE_BUF_AUTO said = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO merged = SONDE_BUF(1 << 20);
    char command[400];
    (void)snprintf(command, sizeof(command), "go tool pprof -proto -output=%s.merged %s %s 2>&1",
                   name, name, name);
    say(command, &said);
    (void)snprintf(command, sizeof(command), "cat %s.merged && rm -f %s.merged %s", name, name,
                   name);
    say(command, &merged);
    assert_int_equal(sonde_profile_init(&again, NULL), 0);
    if (read_pprof(&again, sonde_buf_view(&merged), 0, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(again.total, 2 * profile.total);
    assert_int_equal(node_at(&again, "loadVisits;parse")->self, 6 << 20);
    assert_int_equal(node_at(&again, "loadVisits;parse")->samples, 12);
    sonde_profile_fini(&profile);
    sonde_profile_fini(&again);
}

static void deep_stacks_are_read(void **state)
{
    (void)state;
    enum { DEPTH = 5000 };
    static uint64_t stack[DEPTH];
    struct file f;
    struct sonde_profile profile;
    struct sonde_err err = {0};
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    begin(&f);
    static const char *const strings[] = {"", "cpu", "nanoseconds", "walk"};
    for (size_t i = 0; i < SONDE_LENGTH(strings); i++) {
        put_string(&f, strings[i]);
    }
    put_type(&f, PROFILE_SAMPLE_TYPE, 1, 2);
    put_function(&f, 1, 3, 0, 0);
    put_location(&f, 1, (const uint64_t[]){1, 1, 0});
    for (size_t i = 0; i < DEPTH; i++) {
        stack[i] = 1;
    }
    put_sample(&f, stack, DEPTH, (const uint64_t[]){1000}, 1, true);
    if (read_pprof(&profile, sonde_buf_view(&f.text), 0, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(profile.node_count, DEPTH + 1);
    assert_int_equal(profile.nodes[DEPTH].self, 1000);
    assert_true(profile.busy_only);
    sonde_profile_fini(&profile);
    end(&f);
}

/* Both names of the collector are one function; a function of yours of that name is none. */
static void the_collector_is_known_by_its_other_name(void **state)
{
    (void)state;
    struct file f;
    struct sonde_profile profile;
    assert_int_equal(sonde_profile_init(&profile, NULL), 0);
    begin(&f);
    static const char *const strings[] = {"", "wall", "nanoseconds", "Garbage Collection", "/a.js"};
    for (size_t i = 0; i < SONDE_LENGTH(strings); i++) {
        put_string(&f, strings[i]);
    }
    put_type(&f, PROFILE_SAMPLE_TYPE, 1, 2);
    put_function(&f, 1, 3, 0, 0);
    put_function(&f, 2, 3, 4, 5);
    put_location(&f, 1, (const uint64_t[]){1, 0, 0});
    put_location(&f, 2, (const uint64_t[]){2, 5, 0});
    put_sample(&f, (const uint64_t[]){1}, 1, (const uint64_t[]){4000}, 1, true);
    put_sample(&f, (const uint64_t[]){2}, 1, (const uint64_t[]){5000}, 1, true);
    assert_int_equal(read_pprof(&profile, sonde_buf_view(&f.text), 0, NULL), 0);
    assert_int_equal(node_at(&profile, "(garbage collector)")->self, 4000);
    assert_int_equal(frame_named(&profile, "(garbage collector)")->category, SONDE_CATEGORY_V8);
    assert_int_equal(node_at(&profile, "Garbage Collection")->self, 5000);
    sonde_profile_fini(&profile);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_of_go_is_read),
        cmocka_unit_test(types_and_units_are_understood),
        cmocka_unit_test(hostile_files_are_refused),
        cmocka_unit_test(a_bomb_is_a_limit),
        cmocka_unit_test(tables_share_the_memory_of_a_file),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(go_tool_pprof_reads_a_heap),
        cmocka_unit_test(what_go_tool_pprof_writes_is_read),
        cmocka_unit_test(deep_stacks_are_read),
        cmocka_unit_test(the_collector_is_known_by_its_other_name),
    };
    return cmocka_run_group_tests_name("pprof", tests, NULL, NULL);
}
