/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "fail.h"
#include "inspector/cdp.h"
#include "inspector/context.h"
#include "inspector/inspector.h"
#include "inspector/process.h"
#include "inspector/stall_stack.h"
#include "inspector/waits.h"

static int read_self(void *context)
{
    (void)context;
    struct sonde_process process;
    return sonde_process_read("/proc", getpid(), &process, NULL);
}

static int piece(void *context, const char *data, size_t length, struct sonde_err *err)
{
    (void)data;
    (void)err;
    *(size_t *)context += length;
    return 0;
}

static int begin(void *context, enum sonde_cdp_stream stream, struct sonde_err *err)
{
    (void)context;
    (void)stream;
    (void)err;
    return 0;
}

static int end(void *context, const char *title, struct sonde_err *err)
{
    (void)context;
    (void)title;
    (void)err;
    return 0;
}

static int event(void *context, const char *method, const cJSON *params, struct sonde_err *err)
{
    (void)context;
    (void)method;
    (void)params;
    (void)err;
    return 0;
}

static int answer(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)context;
    (void)result;
    (void)failure;
    (void)err;
    return 0;
}

static int session(void *context)
{
    (void)context;
    static const char *const messages[] = {
        "{\"method\":\"Profiler.consoleProfileFinished\",\"params\":{\"profile\":{\"nodes\":[]},"
        "\"title\":\"t\"}}",
        "{\"method\":\"a.b\",\"params\":{}}",
    };
    size_t bytes = 0;
    struct sonde_cdp_callbacks callbacks = {&bytes, begin, piece, end, event};
    struct sonde_cdp cdp;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CDP_COMMAND_MAX);
    sonde_cdp_init(&cdp, &callbacks);
    int r = sonde_cdp_command(&cdp, "A.b", "{}", 1, answer, &text, NULL);
    for (size_t i = 0; i < SONDE_LENGTH(messages) && r == 0; i++) {
        size_t half = strlen(messages[i]) / 2;
        r = sonde_cdp_feed(&cdp, messages[i], half, true, false, NULL);
        r = r < 0 ? r
                  : sonde_cdp_feed(&cdp, messages[i] + half, strlen(messages[i]) - half, false,
                                   true, NULL);
    }
    sonde_cdp_fini(&cdp);
    return r;
}

static void ended(void *context, const struct sonde_visit_result *result,
                  const struct sonde_err *err)
{
    (void)result;
    *(int *)context = err->code;
}

/* A visit that is refused at once (we are not Node.js), from its beginning to its end. */
static int refused_visit(void *context)
{
    (void)context;
    struct sonde_loop *loop = NULL;
    struct sonde_visit *visit = NULL;
    int code = 1;
    struct sonde_capture_request request = {.name = "cpu",
                                            .type = SONDE_CAPTURE_CPU_PROFILE,
                                            .duration_ns = SONDE_SECOND,
                                            .window_ns = SONDE_SECOND,
                                            .sampling_interval_us = 1000};
    int r = sonde_loop_new(&loop, NULL);
    if (r < 0) {
        return r;
    }
    struct sonde_visit_options options = {.loop = loop,
                                          .pid = getpid(),
                                          .captures = &request,
                                          .capture_count = 1,
                                          .context = &code,
                                          .done = ended};
    r = sonde_visit_new(&options, &visit, NULL);
    if (r == 0) {
        sonde_loop_run(loop);
        r = code == SONDE_EINVALID ? 0 : code;
    }
    sonde_visit_free(visit);
    sonde_loop_free(loop);
    return r;
}

static int stall(void *context)
{
    (void)context;
    static const char text[] =
        "{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"(root)\",\"scriptId\":\"0\","
        "\"url\":"
        "\"\",\"lineNumber\":-1,\"columnNumber\":-1},\"children\":[2]},{\"id\":2,\"callFrame\":{"
        "\"functionName\":\"f\",\"scriptId\":\"1\",\"url\":\"file:///a.js\",\"lineNumber\":1,"
        "\"columnNumber\":1}}],\"startTime\":0,\"endTime\":1000,\"samples\":[2],\"timeDeltas\":[0]"
        "}";
    struct sonde_stall_windows windows;
    struct sonde_stall_stack stack;
    SONDE_BUF_AUTO frames = SONDE_BUF(4096);
    int r = sonde_stall_windows_init(&windows, NULL);
    r = r < 0 ? r : sonde_stall_window_begin(&windows, NULL);
    r = r < 0 ? r : sonde_stall_window_feed(&windows, text, sizeof(text) - 1, NULL);
    r = r < 0 ? r : sonde_stall_window_end(&windows, true, NULL);
    r = r < 0 ? r : sonde_stall_stack(&windows, 0, 1000, &stack, NULL);
    sonde_stall_print_frames(&windows, &frames);
    sonde_stall_windows_fini(&windows);
    return r < 0 ? r : sonde_buf_check(&frames, "the frames", NULL);
}

/* A script with a map whose source is kept. What is missing because of a failure is wrong. */
static int put_context(void *context, const char *name, const char *type, struct sonde_str text,
                       struct sonde_err *err)
{
    (void)name;
    (void)type;
    (void)err;
    *(size_t *)context += text.length;
    return 0;
}

struct directory {
    char path[32];
    size_t expected; /* bytes that are put, once known */
};

static int context(void *of)
{
    struct directory *directory = of;
    size_t length = 0;
    struct sonde_profile scripts;
    uint32_t frame;
    SONDE_CLOSE int root = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = sonde_profile_init(&scripts, NULL);
    r = r < 0 ? r
              : sonde_profile_frame(&scripts, SONDE_STR(""), SONDE_STR("file:///a.js"), 1, 1,
                                    &frame, NULL);
    r = r < 0 ? r
              : sonde_profile_frame(&scripts, SONDE_STR(""), SONDE_STR("file:///b.js"), 1, 1,
                                    &frame, NULL);
    r = r < 0 ? r
              : sonde_context_write(root, &scripts, SONDE_CONTEXT_OFFSETS, (struct sonde_str){0},
                                    "x", put_context, &length, NULL);
    directory->expected = directory->expected ? directory->expected : length;
    assert_true(r < 0 || length == directory->expected);
    sonde_profile_fini(&scripts);
    return r;
}

static void a_context_lacks_nothing_because_of_a_failure(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"a.js", "function f() {}\nf();\n//# sourceMappingURL=a.map"},
        {"a.map", "{\"version\":3,\"names\":[],\"mappings\":\"\",\"sources\":[\"a.ts\"]}"},
        {"a.ts", "f();"},
        {"b.js", "g();"},
    };
    struct directory directory = {.path = "/tmp/sonde-fault-XXXXXX"};
    assert_non_null(mkdtemp(directory.path));
    SONDE_CLOSE int root = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < SONDE_LENGTH(files); i++) {
        SONDE_CLOSE int fd = openat(root, files[i][0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(sonde_write_all(fd, files[i][1], strlen(files[i][1]), files[i][0], NULL),
                         0);
    }
    fail_each_allocation(context, &directory);
    for (size_t i = 0; i < SONDE_LENGTH(files); i++) {
        assert_int_equal(unlinkat(root, files[i][0], 0), 0);
    }
    assert_int_equal(rmdir(directory.path), 0);
}

static int record_waits(void *context)
{
    (void)context;
    struct sonde_wait_recorder recorder = {0};
    struct sonde_wait_reading reading = {.ran_ns = SONDE_SECOND};
    SONDE_BUF_AUTO text = SONDE_BUF(1 << 16);
    int r = 0;
    for (int i = 0; i < 100 && r == 0; i++) {
        reading.time_ns += SONDE_SECOND;
        reading.ran_ns += i % 4 ? 0 : SONDE_SECOND;
        r = sonde_wait_recorder_take(&recorder, &reading, NULL);
    }
    r = r < 0 ? r : sonde_wait_recorder_finish(&recorder, NULL);
    sonde_wait_recorder_print(&recorder, "w1", &text);
    sonde_wait_recorder_fini(&recorder);
    return r < 0 ? r : sonde_buf_check(&text, "when a thread waited", NULL);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_each_allocation(read_self, NULL);
    fail_each_allocation(session, NULL);
    fail_each_allocation(stall, NULL);
    fail_each_allocation(record_waits, NULL);
    fail_each_allocation(refused_visit, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_context_lacks_nothing_because_of_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
