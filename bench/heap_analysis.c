/* SPDX-License-Identifier: Apache-2.0 */
/* heap_analysis [--text] [EARLIER] FILE: a heap snapshot's report, as JSON or as text. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "analysis/heap.h"

enum { PIECE = 1 << 18, REPORT_MAX = 64 << 20 };

static int feed_file(struct sonde_heap_reader *reader, int fd, const char *path,
                     struct sonde_err *err)
{
    static char piece[PIECE];
    for (;;) {
        ssize_t length = read(fd, piece, sizeof(piece));
        if (length < 0 && errno != EINTR) {
            return sonde_fail(err, SONDE_EIO, errno, "%s", path);
        }
        if (length == 0) {
            return sonde_heap_finish(reader, err);
        }
        int code = length > 0 ? sonde_heap_feed(reader, piece, (size_t)length, err) : 0;
        if (code < 0) {
            return code;
        }
    }
}

static int read_snapshot(const char *path, struct sonde_heap *heap, struct sonde_err *err)
{
    SONDE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "%s", path);
    }
    struct sonde_heap_reader *reader;
    int code = sonde_heap_reader_new(heap, &reader, err);
    if (code < 0) {
        return code;
    }
    code = feed_file(reader, fd, path, err);
    sonde_heap_reader_free(reader);
    return code;
}

static int take_earlier(const char *path, struct sonde_heap_census *census, struct sonde_err *err)
{
    struct sonde_heap heap = {0};
    struct sonde_heap_analysis analysis;
    int code = read_snapshot(path, &heap, err);
    code = code ? code : sonde_heap_analyze(&heap, &analysis, err);
    if (code == 0) {
        code = sonde_heap_census_take(&heap, &analysis.classes, census, err);
        code = code ? code : sonde_heap_census_keep_classes(census, &analysis.classes, err);
        sonde_heap_analysis_fini(&analysis);
    }
    sonde_heap_fini(&heap);
    return code;
}

static int put_report(const struct sonde_heap_analysis *analysis, bool text, struct sonde_err *err)
{
    SONDE_BUF_AUTO report = SONDE_BUF(REPORT_MAX);
    if (text) {
        sonde_heap_report_text(analysis, &report);
    } else {
        sonde_buf_text(&report, "{\"type\":\"HeapSnapshot\"");
        sonde_heap_report_json(analysis, &report);
        sonde_buf_text(&report, "}\n");
    }
    int code = sonde_buf_check(&report, "the report", err);
    if (code == 0 && fwrite(report.data, 1, report.length, stdout) != report.length) {
        code = sonde_fail(err, SONDE_EIO, errno, "standard output");
    }
    return code;
}

static int compare(const struct sonde_heap_census *before, struct sonde_heap_analysis *analysis,
                   bool text, struct sonde_err *err)
{
    struct sonde_heap_census after;
    int code = sonde_heap_census_take(analysis->heap, &analysis->classes, &after, err);
    if (code < 0) {
        return code;
    }
    struct sonde_heap_growth growth = {0};
    code = sonde_heap_compare(before, &after, analysis->heap, &analysis->classes, &analysis->paths,
                              &growth, err);
    code = code ? code : sonde_heap_analysis_add_growth(analysis, &growth, err);
    code = code ? code : put_report(analysis, text, err);
    sonde_heap_growth_fini(&growth);
    sonde_heap_census_fini(&after);
    return code;
}

int main(int argc, char **argv)
{
    bool text = argc > 1 && strcmp(argv[1], "--text") == 0;
    int first = text ? 2 : 1;
    if (argc - first < 1 || argc - first > 2) {
        (void)fprintf(stderr, "usage: heap_analysis [--text] [EARLIER] FILE\n");
        return 2;
    }
    bool two = argc - first == 2;
    struct sonde_err err = {0};
    struct sonde_heap heap = {0};
    struct sonde_heap_census before = {0};
    struct sonde_heap_analysis analysis;
    int code = two ? take_earlier(argv[first], &before, &err) : 0;
    code = code ? code : read_snapshot(argv[argc - 1], &heap, &err);
    code = code ? code : sonde_heap_analyze(&heap, &analysis, &err);
    if (code == 0) {
        code = two ? compare(&before, &analysis, text, &err) : put_report(&analysis, text, &err);
        sonde_heap_analysis_fini(&analysis);
    }
    sonde_heap_fini(&heap);
    sonde_heap_census_fini(&before);
    if (code < 0) {
        (void)fprintf(stderr, "heap_analysis: %s\n", err.message);
    }
    return code < 0;
}
