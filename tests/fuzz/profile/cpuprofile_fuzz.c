/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as one or two windows of one process or of two (a NUL byte parts them) that waited,
 * read in pieces, analyzed, reported and written; what is written must read back with the same
 * time. */
#include <stdlib.h>

#include "analysis/report.h"
#include "profile/cpuprofile.h"
#include "profile/formats.h"
#include "profile/waits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static int read_window(struct sonde_profile *profile, struct sonde_profile_source *source,
                       struct sonde_str text, size_t step)
{
    struct sonde_err err = {0};
    struct sonde_cpuprofile_reader *reader;
    must(sonde_cpuprofile_reader_new(profile, source, &reader, &err) == 0);
    int r = 0;
    for (size_t at = 0; at < text.length && r == 0; at += step) {
        size_t left = text.length - at;
        r = sonde_cpuprofile_feed(reader, text.data + at, left < step ? left : step, &err);
    }
    r = r < 0 ? r : sonde_cpuprofile_finish(reader, &err);
    must(r == 0 || err.message[0]);
    sonde_cpuprofile_reader_free(reader);
    return r;
}

static int collect(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    sonde_buf_append(buf, data, length);
    return sonde_buf_check(buf, "what was written", err);
}

static void check_sums(const struct sonde_profile *profile)
{
    int64_t time = 0;
    int64_t line = 0;
    for (uint32_t i = 0; i < profile->node_count; i++) {
        must(i == 0 || profile->nodes[i].parent < i);
        time += profile->nodes[i].self;
    }
    for (size_t i = 0; i < profile->sample_count; i++) {
        must(profile->samples[i].node < profile->node_count);
        line += (int64_t)profile->samples[i].duration_us * 1000;
    }
    must(time == profile->total && line == time && time >= 0);
}

static void write_and_read_back(const struct sonde_profile *profile)
{
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    struct sonde_output output = SONDE_OUTPUT(collect, &text);
    must(sonde_cpuprofile_write(profile, &output, NULL) == 0);
    struct sonde_profile again;
    must(sonde_profile_init(&again, NULL) == 0);
    struct sonde_profile_source source = {0};
    must(read_window(&again, &source, sonde_buf_view(&text), text.length) == 0);
    check_sums(&again);
    bool fits = profile->total / 1000 <= SONDE_CPUPROFILE_TIME_MAX;
    must(again.total == profile->total || !fits);
    must(again.unordered == (profile->unordered && profile->total_samples > 0));
    sonde_profile_fini(&again);
    must(sonde_folded_write(profile, &output, NULL) == 0);
    must(sonde_speedscope_write(profile, "x", &output, NULL) == 0);
    must(sonde_pprof_write(profile, 1, &output, NULL) == 0);
    sonde_output_fini(&output);
}

static void analyze(const struct sonde_profile *profile)
{
    struct sonde_cpu_analysis analysis;
    must(sonde_cpu_analyze(profile, &analysis, NULL) == 0);
    must(analysis.wall_ns == profile->total);
    struct sonde_report_capture capture = {
        .name = "cpu", .duration_s = 30, .profile = profile, .analysis = &analysis};
    struct sonde_report report = {
        .name = "x",
        .uid = "0",
        .state = "Succeeded",
        .reason = "",
        .message = "",
        .created = "",
        .target = "",
        .node_version = "",
        .directory = "/app",
        .captures = &capture,
        .capture_count = 1,
    };
    SONDE_BUF_AUTO text = SONDE_BUF(64 << 20);
    sonde_report_text(&report, &text);
    sonde_report_json(&report, &text);
    must(text.code == 0);
    sonde_cpu_analysis_fini(&analysis);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_profile profile;
    struct sonde_wait_stretch stretches[] = {
        {7, 2, 5, true}, {1, 0, 1, false}, {90000, 9000, 70000, true}};
    stretches[0].length_us += size ? data[0] : 0;
    struct sonde_waits waits = {(int64_t)(size % 4096), stretches, SONDE_LENGTH(stretches)};
    struct sonde_profile_source sources[2] = {{.waits = size % 2 ? &waits : NULL},
                                              {.waits = &waits}};
    struct sonde_str rest = {(const char *)data, size};
    size_t step = size ? 1 + data[size / 2] : 1;
    must(sonde_profile_init(&profile, NULL) == 0);
    int r = 0;
    for (int window = 0; window < 2 && rest.data && r == 0; window++) {
        struct sonde_profile_source *source = &sources[step % 2 ? window : 0];
        r = read_window(&profile, source, sonde_str_split(&rest, '\0'), step);
    }
    check_sums(&profile);
    if (profile.windows) {
        write_and_read_back(&profile);
        analyze(&profile);
    }
    sonde_profile_fini(&profile);
    return 0;
}
