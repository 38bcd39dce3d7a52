/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "load/export.h"
#include "profile/cpuprofile.h"
#include "profile/formats.h"
#include "profile/heapprofile.h"
#include "results/load_test.h"
#include "results/reader.h"
#include "results/results.h"

const char *const sonde_results_formats[] = {
    [SONDE_RESULTS_CPUPROFILE] = "cpuprofile",
    [SONDE_RESULTS_HEAPPROFILE] = "heapprofile",
    [SONDE_RESULTS_PPROF] = "pprof",
    [SONDE_RESULTS_FOLDED] = "folded",
    [SONDE_RESULTS_SPEEDSCOPE] = "speedscope",
    [SONDE_RESULTS_COVERAGE] = "coverage",
    [SONDE_RESULTS_RAW] = "raw",
    [SONDE_RESULTS_AUTOCANNON] = "autocannon",
    [SONDE_RESULTS_CSV] = "csv",
    [SONDE_RESULTS_HLOG] = "hlog",
    [SONDE_RESULTS_JUNIT] = "junit",
    [SONDE_RESULTS_K6] = "k6",
    [SONDE_RESULTS_PROMETHEUS] = "prometheus",
    NULL,
};

const char *sonde_results_media_type(enum sonde_results_format format)
{
    static const char *const types[] = {
        [SONDE_RESULTS_CPUPROFILE] = "application/json",
        [SONDE_RESULTS_HEAPPROFILE] = "application/json",
        [SONDE_RESULTS_PPROF] = "application/octet-stream",
        [SONDE_RESULTS_FOLDED] = "text/plain; charset=utf-8",
        [SONDE_RESULTS_SPEEDSCOPE] = "application/json",
        [SONDE_RESULTS_COVERAGE] = "application/json",
        [SONDE_RESULTS_RAW] = "application/octet-stream",
        [SONDE_RESULTS_AUTOCANNON] = "application/json",
        [SONDE_RESULTS_CSV] = "text/csv; charset=utf-8",
        [SONDE_RESULTS_HLOG] = "text/plain; charset=utf-8",
        [SONDE_RESULTS_JUNIT] = "application/xml",
        [SONDE_RESULTS_K6] = "application/json",
        [SONDE_RESULTS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
    };
    return types[format];
}

static bool is_of_load_tests(enum sonde_results_format format)
{
    return format > SONDE_RESULTS_RAW;
}

static int run_time(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    (void)err;
    *(int64_t *)context = run->created_ns;
    return 0;
}

/* What is captured has formats of its own beside those that hold any profile. */
static int check_format(const struct sonde_profile *profile, const char *capture,
                        enum sonde_results_format format, struct sonde_err *err)
{
    bool bytes = profile->unit == SONDE_PROFILE_BYTES;
    if (format == SONDE_RESULTS_COVERAGE || is_of_load_tests(format) ||
        format == (bytes ? SONDE_RESULTS_CPUPROFILE : SONDE_RESULTS_HEAPPROFILE)) {
        return sonde_fail(
            err, SONDE_EINVALID, 0,
            "the capture %.64s is a profile of %s: give --format %s, pprof, folded or "
            "speedscope",
            capture, bytes ? "allocations" : "CPU time",
            sonde_results_formats[bytes ? SONDE_RESULTS_HEAPPROFILE : SONDE_RESULTS_CPUPROFILE]);
    }
    return 0;
}

static int write_profile(struct sonde_db *db, const char *uid, const struct sonde_profile *profile,
                         const char *capture, enum sonde_results_format format,
                         struct sonde_output *output, struct sonde_err *err)
{
    int64_t time_ns = 0;
    int r = check_format(profile, capture, format, err);
    r = r < 0 ? r : sonde_db_run_get(db, uid, run_time, &time_ns, err);
    if (r < 0) {
        return r;
    }
    switch (format) {
    case SONDE_RESULTS_CPUPROFILE:
        return sonde_cpuprofile_write(profile, output, err);
    case SONDE_RESULTS_HEAPPROFILE:
        return sonde_heapprofile_write(profile, output, err);
    case SONDE_RESULTS_PPROF:
        return sonde_pprof_write(profile, time_ns, output, err);
    case SONDE_RESULTS_FOLDED:
        return sonde_folded_write(profile, output, err);
    case SONDE_RESULTS_SPEEDSCOPE:
        return sonde_speedscope_write(profile, capture, output, err);
    default:
        break;
    }
    return SONDE_EINTERNAL;
}

static int export_profile(struct sonde_db *db, const char *uid, const char *capture,
                          enum sonde_results_format format, struct sonde_output *output,
                          struct sonde_err *err)
{
    struct sonde_profile profile = {0};
    SONDE_BUF_AUTO name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    int r = sonde_results_profile(db, uid, capture, &profile, &name, err);
    r = r < 0 ? r : write_profile(db, uid, &profile, name.data, format, output, err);
    sonde_profile_fini(&profile);
    return r;
}

static int export_coverage(struct sonde_db *db, const char *uid, const char *capture,
                           enum sonde_results_format format, struct sonde_output *output,
                           struct sonde_err *err)
{
    if (format != SONDE_RESULTS_COVERAGE) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the capture %.64s is coverage: give --format coverage", capture);
    }
    struct sonde_coverage coverage;
    int r = sonde_results_coverage(db, uid, capture, SONDE_COVERAGE_BYTES_MAX, &coverage, err);
    r = r < 0 ? r : sonde_coverage_write(&coverage, output, err);
    sonde_coverage_fini(&coverage);
    return r;
}

static int export_load_test(struct sonde_db *db, const char *uid, const char *capture,
                            enum sonde_results_format format, struct sonde_output *output,
                            struct sonde_err *err)
{
    static sonde_load_export *const exports[] = {
        [SONDE_RESULTS_AUTOCANNON] = sonde_load_export_autocannon,
        [SONDE_RESULTS_CSV] = sonde_load_export_csv,
        [SONDE_RESULTS_HLOG] = sonde_load_export_hlog,
        [SONDE_RESULTS_JUNIT] = sonde_load_export_junit,
        [SONDE_RESULTS_K6] = sonde_load_export_k6,
        [SONDE_RESULTS_PROMETHEUS] = sonde_load_export_prometheus,
    };
    if (!is_of_load_tests(format)) {
        return sonde_fail(
            err, SONDE_EINVALID, 0,
            "what the run has is a load test: give --format " SONDE_RESULTS_LOAD_FORMATS_SAID);
    }
    struct sonde_load_result result;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_EXPORT_MAX);
    int r = sonde_results_load_test_find(db, uid, capture, NULL, &result, err);
    r = r < 0 ? r : exports[format](&result, &text, err);
    r = r < 0 ? r : output->write(output->context, text.data, text.length, err);
    sonde_load_result_fini(&result);
    return r;
}

/* The capture that is meant, when it is coverage or a load test. */
struct choice {
    const char *wanted;
    struct sonde_buf coverage; /* its name */
    bool others;               /* there are profiles too */
    bool load_test;
};

static void fini_choice(struct choice *choice)
{
    sonde_buf_fini(&choice->coverage);
}

static int look_at(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct choice *choice = context;
    choice->load_test =
        choice->load_test || (strcmp(artifact->type, SONDE_ARTIFACT_LOAD_RESULT) == 0 &&
                              sonde_results_is_named(artifact, choice->wanted));
    if (choice->wanted && strcmp(choice->wanted, artifact->capture) != 0) {
        return 0;
    }
    if (strcmp(artifact->type, SONDE_ARTIFACT_COVERAGE) == 0) {
        bool other = choice->coverage.length &&
                     !sonde_str_is(sonde_buf_view(&choice->coverage), artifact->capture);
        choice->others = choice->others || other;
        sonde_buf_clear(&choice->coverage);
        sonde_buf_text(&choice->coverage, artifact->capture);
        return sonde_buf_check(&choice->coverage, "a capture's name", err);
    }
    choice->others = choice->others || sonde_results_is_profile(artifact->type);
    return 0;
}

int sonde_results_export(struct sonde_db *db, const char *uid, const char *capture,
                         enum sonde_results_format format, struct sonde_output *output,
                         struct sonde_err *err)
{
    if (format == SONDE_RESULTS_RAW) {
        return sonde_results_raw(db, uid, capture, output->write, output->context, err);
    }
    SONDE_CLEANUP(fini_choice)
    struct choice choice = {.wanted = capture, .coverage = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX)};
    int r = sonde_db_artifacts(db, uid, look_at, &choice, err);
    bool only = choice.load_test && !choice.others && choice.coverage.length == 0;
    if (r == 0 && (only || (choice.load_test && is_of_load_tests(format)))) {
        return export_load_test(db, uid, capture, format, output, err);
    }
    if (r < 0 || choice.coverage.length == 0) {
        return r < 0 ? r : export_profile(db, uid, capture, format, output, err);
    }
    if (choice.others) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the run has several captures, among them %s: give --capture NAME",
                          choice.coverage.data);
    }
    return export_coverage(db, uid, choice.coverage.data, format, output, err);
}
