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
#include "codec/json.h"
#include "codec/protobuf.h"
#include "profile/formats.h"
#include "profile_helpers.h"

struct example {
    struct sonde_profile profile;
    struct sonde_buf written;
    struct sonde_output output;
};

/* handler (5 ms) → loadVisits (20 ms) → parse (2 ms), and 3 ms idle. */
static int make_example(void **state)
{
    static const struct {
        const char *function, *url;
        int line;
        int parent; /* row, −1: the root */
    } rows[] = {
        {"handler;x", "file:///app/index.js", 10, -1},
        {"loadVisits", "file:///app/visits.js", 41, 0},
        {"", "file:///app/node_modules/x/\x01.js", 3, 1},
        {"(idle)", "", 0, -1},
    };
    static const struct {
        int row;
        int64_t duration_us;
    } samples[] = {{0, 5000}, {1, 12000}, {2, 2000}, {1, 8000}, {3, 3000}};
    struct example *e = calloc(1, sizeof(*e));
    assert_non_null(e);
    assert_int_equal(sonde_profile_init(&e->profile, NULL), 0);
    uint32_t nodes[SONDE_LENGTH(rows)];
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        uint32_t frame;
        uint32_t parent = rows[i].parent < 0 ? 0 : nodes[rows[i].parent];
        assert_int_equal(sonde_profile_frame(&e->profile, sonde_str(rows[i].function),
                                             sonde_str(rows[i].url), rows[i].line,
                                             rows[i].line ? 7 : 0, &frame, NULL),
                         0);
        assert_int_equal(sonde_profile_node(&e->profile, parent, frame, &nodes[i], NULL), 0);
    }
    for (size_t i = 0; i < SONDE_LENGTH(samples); i++) {
        assert_int_equal(sonde_profile_add_sample(&e->profile, nodes[samples[i].row],
                                                  samples[i].duration_us, NULL),
                         0);
    }
    e->profile.end_us = 30000;
    e->written = SONDE_BUF(WRITTEN_MAX);
    e->output = SONDE_OUTPUT(write_to_buf, &e->written);
    *state = e;
    return 0;
}

static int free_example(void **state)
{
    struct example *e = *state;
    sonde_output_fini(&e->output);
    sonde_buf_fini(&e->written);
    sonde_profile_fini(&e->profile);
    free(e);
    return 0;
}

static void folded_stacks_are_lines_of_microseconds(void **state)
{
    struct example *e = *state;
    assert_int_equal(sonde_folded_write(&e->profile, &e->output, NULL), 0);
    assert_string_equal(e->written.data,
                        "handler:x file:///app/index.js:10 5000\n"
                        "handler:x file:///app/index.js:10;loadVisits file:///app/visits.js:41"
                        " 20000\n"
                        "handler:x file:///app/index.js:10;loadVisits file:///app/visits.js:41;"
                        "(anonymous) file:///app/node_modules/x/?.js:3 2000\n"
                        "(idle) 3000\n");
}

static const char *frame_name(const cJSON *json, const cJSON *index)
{
    const cJSON *shared = cJSON_GetObjectItem(json, "shared");
    const cJSON *frame =
        cJSON_GetArrayItem(cJSON_GetObjectItem(shared, "frames"), (int)index->valuedouble);
    return sonde_json_string_or(frame, "name", "?");
}

static void speedscope_keeps_the_order_of_time(void **state)
{
    struct example *e = *state;
    assert_int_equal(sonde_speedscope_write(&e->profile, "a \"name\"", &e->output, NULL), 0);
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&e->written), &json, NULL), 0);
    assert_string_equal(sonde_json_string_or(json, "$schema", ""),
                        "https://www.speedscope.app/file-format-schema.json");
    const cJSON *profile = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "profiles"), 0);
    assert_string_equal(sonde_json_string_or(profile, "type", ""), "sampled");
    assert_string_equal(sonde_json_string_or(profile, "unit", ""), "microseconds");
    assert_string_equal(sonde_json_string_or(profile, "name", ""), "a \"name\"");
    assert_int_equal(sonde_json_integer_or(profile, "startValue", -1), 0);
    assert_int_equal(sonde_json_integer_or(profile, "endValue", -1), 30000);
    const cJSON *samples = cJSON_GetObjectItem(profile, "samples");
    const cJSON *weights = cJSON_GetObjectItem(profile, "weights");
    assert_int_equal(cJSON_GetArraySize(samples), 5);
    assert_int_equal(cJSON_GetArraySize(weights), 5);
    static const double expected[] = {5000, 12000, 2000, 8000, 3000};
    for (int i = 0; i < 5; i++) {
        assert_true(cJSON_GetArrayItem(weights, i)->valuedouble == expected[i]);
    }
    const cJSON *deepest = cJSON_GetArrayItem(samples, 2);
    assert_int_equal(cJSON_GetArraySize(deepest), 3);
    assert_string_equal(frame_name(json, cJSON_GetArrayItem(deepest, 0)), "handler;x");
    assert_string_equal(frame_name(json, cJSON_GetArrayItem(deepest, 2)), "(anonymous)");
}

static void speedscope_is_told_of_no_order(void **state)
{
    struct example *e = *state;
    e->profile.unordered = true;
    assert_int_equal(sonde_speedscope_write(&e->profile, "run", &e->output, NULL), 0);
    SONDE_JSON_AUTO *json = NULL;
    assert_int_equal(sonde_json_parse(sonde_buf_view(&e->written), &json, NULL), 0);
    assert_string_equal(sonde_json_string_or(json, "name", ""), "run");
    const cJSON *profile = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "profiles"), 0);
    assert_string_equal(sonde_json_string_or(profile, "name", ""), "not in order of time");
}

/* ---- pprof ---- */

enum { STRINGS = 64, FUNCTIONS = 16 };

/* What is read back of a profile.proto. */
struct pprof {
    struct sonde_str strings[STRINGS];
    size_t string_count;
    uint64_t function_name[FUNCTIONS]; /* by id */
    uint64_t function_file[FUNCTIONS];
    uint64_t location_function[FUNCTIONS];
    uint64_t location_line[FUNCTIONS];
    struct sonde_str samples[FUNCTIONS];
    size_t sample_count;
    struct sonde_str types[4];
    size_t type_count;
    uint64_t duration, time, period;
};

static uint64_t number_of(struct sonde_str message, uint32_t wanted)
{
    struct sonde_protobuf_field field;
    uint64_t value = 0;
    while (sonde_protobuf_next(&message, &field, NULL) == 1) {
        value = field.number == wanted ? field.value : value;
    }
    return value;
}

static struct sonde_str bytes_of(struct sonde_str message, uint32_t wanted)
{
    struct sonde_protobuf_field field;
    struct sonde_str value = {0};
    while (sonde_protobuf_next(&message, &field, NULL) == 1) {
        value = field.number == wanted ? field.bytes : value;
    }
    return value;
}

static size_t unpack(struct sonde_str packed, uint64_t *ret, size_t maximum)
{
    size_t count = 0;
    for (size_t i = 0; i < packed.length; count++) {
        unsigned shift = 0;
        assert_true(count < maximum);
        ret[count] = 0;
        do {
            ret[count] |= (uint64_t)(packed.data[i] & 0x7f) << shift;
            shift += 7;
        } while (packed.data[i++] & 0x80);
    }
    return count;
}

static void read_pprof(struct sonde_str text, struct pprof *ret)
{
    struct sonde_protobuf_field field;
    *ret = (struct pprof){0};
    int r;
    while ((r = sonde_protobuf_next(&text, &field, NULL)) == 1) {
        uint64_t id = field.type == SONDE_PROTOBUF_BYTES ? number_of(field.bytes, 1) : 0;
        switch (field.number) {
        case 1:
            ret->types[ret->type_count++] = field.bytes;
            break;
        case 2:
            ret->samples[ret->sample_count++] = field.bytes;
            break;
        case 4:
            assert_true(id > 0 && id < FUNCTIONS);
            ret->location_function[id] = number_of(bytes_of(field.bytes, 4), 1);
            ret->location_line[id] = number_of(bytes_of(field.bytes, 4), 2);
            break;
        case 5:
            assert_true(id > 0 && id < FUNCTIONS);
            ret->function_name[id] = number_of(field.bytes, 2);
            ret->function_file[id] = number_of(field.bytes, 4);
            break;
        case 6:
            assert_true(ret->string_count < STRINGS);
            ret->strings[ret->string_count++] = field.bytes;
            break;
        case 9:
            ret->time = field.value;
            break;
        case 10:
            ret->duration = field.value;
            break;
        case 12:
            ret->period = field.value;
            break;
        default:
            break;
        }
    }
    assert_int_equal(r, 0);
}

static void unzip(const struct sonde_buf *from, struct sonde_buf *ret)
{
    struct sonde_stream *stream;
    assert_int_equal(
        sonde_decompressor_new(SONDE_GZIP, WRITTEN_MAX, write_to_buf, ret, &stream, NULL), 0);
    assert_int_equal(sonde_stream_feed(stream, from->data, from->length, NULL), 0);
    assert_int_equal(sonde_stream_finish(stream, NULL), 0);
    sonde_stream_free(stream);
}

static void assert_string(const struct pprof *pprof, uint64_t index, const char *text)
{
    assert_true(index < pprof->string_count);
    assert_true(sonde_str_is(pprof->strings[index], text));
}

static void pprof_has_samples_and_nanoseconds(void **state)
{
    struct example *e = *state;
    assert_int_equal(sonde_pprof_write(&e->profile, 1700000000000000000, &e->output, NULL), 0);
    SONDE_BUF_AUTO text = SONDE_BUF(WRITTEN_MAX);
    unzip(&e->written, &text);
    struct pprof pprof;
    read_pprof(sonde_buf_view(&text), &pprof);
    assert_true(pprof.string_count > 0 && pprof.strings[0].length == 0);
    assert_int_equal(pprof.type_count, 2);
    assert_string(&pprof, number_of(pprof.types[0], 1), "samples");
    assert_string(&pprof, number_of(pprof.types[0], 2), "count");
    assert_string(&pprof, number_of(pprof.types[1], 1), "cpu");
    assert_string(&pprof, number_of(pprof.types[1], 2), "nanoseconds");
    assert_int_equal(pprof.time, 1700000000000000000);
    assert_int_equal(pprof.duration, 30000000);
    assert_int_equal(pprof.period, 6000000);

    uint64_t totals[2] = {0}; /* without the idle one, but of the whole duration */
    for (size_t i = 0; i < pprof.sample_count; i++) {
        uint64_t locations[8];
        uint64_t values[2];
        size_t depth = unpack(bytes_of(pprof.samples[i], 1), locations, 8);
        assert_int_equal(unpack(bytes_of(pprof.samples[i], 2), values, 2), 2);
        totals[0] += values[0];
        totals[1] += values[1];
        if (depth == 3) { /* leaf first */
            uint64_t leaf = pprof.location_function[locations[0]];
            uint64_t outer = pprof.location_function[locations[2]];
            assert_string(&pprof, pprof.function_name[leaf], "(anonymous)");
            assert_string(&pprof, pprof.function_name[outer], "handler;x");
            assert_string(&pprof, pprof.function_file[outer], "file:///app/index.js");
            assert_int_equal(pprof.location_line[locations[2]], 10);
            assert_int_equal(values[1], 2000000);
        }
    }
    assert_int_equal(totals[0], 4);
    assert_int_equal(totals[1], 27000000);
}

/* The judge is pprof itself, where Go is installed. */
static void go_tool_pprof_reads_it(void **state)
{
    struct example *e = *state;
    if (system("command -v go >/dev/null 2>&1") != 0) {
        print_message("no go here: not asked\n");
        skip();
    }
    assert_int_equal(sonde_pprof_write(&e->profile, 0, &e->output, NULL), 0);
    char name[] = "/tmp/sonde-pprof-XXXXXX";
    SONDE_CLOSE int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(sonde_write_all(fd, e->written.data, e->written.length, "pprof", NULL), 0);
    char command[160];
    (void)snprintf(command, sizeof(command), "go tool pprof -top -unit=ms %s 2>&1", name);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    SONDE_BUF_AUTO said = SONDE_BUF(1 << 20);
    assert_int_equal(sonde_read_all(fileno(pipe), &said, "pprof", NULL), 0);
    int code = pclose(pipe);
    (void)unlink(name);
    static const char *const expected[] = {
        "Type: cpu",
        "Showing nodes accounting for 27ms, 100% of 27ms total",
        "20ms 74.07% 74.07%       22ms 81.48%  loadVisits",
        "5ms 18.52% 92.59%       27ms   100%  handler;x",
        "2ms  7.41%   100%        2ms  7.41%  (anonymous)",
    };
    for (size_t i = 0; i < SONDE_LENGTH(expected); i++) {
        if (code != 0 || !strstr(said.data, expected[i])) {
            fail_msg("pprof ended with %d and lacks '%s':\n%s", code, expected[i], said.data);
        }
    }
    assert_null(strstr(said.data, "(idle)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folded_stacks_are_lines_of_microseconds, make_example,
                                        free_example),
        cmocka_unit_test_setup_teardown(speedscope_keeps_the_order_of_time, make_example,
                                        free_example),
        cmocka_unit_test_setup_teardown(speedscope_is_told_of_no_order, make_example, free_example),
        cmocka_unit_test_setup_teardown(pprof_has_samples_and_nanoseconds, make_example,
                                        free_example),
        cmocka_unit_test_setup_teardown(go_tool_pprof_reads_it, make_example, free_example),
    };
    return cmocka_run_group_tests_name("profile_formats", tests, NULL, NULL);
}
