/* SPDX-License-Identifier: Apache-2.0 */
#include "results/reader.h"

#include <stdlib.h>
#include <string.h>

#include "profile/cpuprofile.h"
#include "profile/folded.h"
#include "profile/heapprofile.h"
#include "profile/pprof.h"
#include "spec/artifact.h"

enum format { CPUPROFILE, HEAPPROFILE, PPROF, FOLDED_TIME, FOLDED_BYTES, FORMATS };

enum { TIME = 1U << SONDE_PROFILE_NANOSECONDS, BYTES = 1U << SONDE_PROFILE_BYTES };

static const struct {
    const char *type;
    unsigned units;
} formats[FORMATS] = {
    [CPUPROFILE] = {SONDE_ARTIFACT_CPU_PROFILE, TIME},
    [HEAPPROFILE] = {SONDE_ARTIFACT_HEAP_PROFILE, BYTES},
    [PPROF] = {SONDE_ARTIFACT_PPROF, TIME | BYTES},
    [FOLDED_TIME] = {SONDE_ARTIFACT_FOLDED_TIME, TIME},
    [FOLDED_BYTES] = {SONDE_ARTIFACT_FOLDED_BYTES, BYTES},
};

struct sonde_results_reader {
    enum format format;
    union {
        struct sonde_cpuprofile_reader *cpuprofile;
        struct sonde_heapprofile_reader *heapprofile;
        struct sonde_pprof_reader *pprof;
        struct sonde_folded_reader *folded;
    } of;
};

static enum format format_of(const char *type)
{
    enum format format = CPUPROFILE;
    while (format < FORMATS && strcmp(formats[format].type, type) != 0) {
        format++;
    }
    return format;
}

unsigned sonde_results_units(const char *type)
{
    enum format format = format_of(type);
    return format < FORMATS ? formats[format].units : 0;
}

bool sonde_results_is_profile(const char *type)
{
    return format_of(type) < FORMATS;
}

static int begin(struct sonde_results_reader *r, struct sonde_profile *profile,
                 struct sonde_profile_source *source, struct sonde_err *err)
{
    switch (r->format) {
    case CPUPROFILE:
        return sonde_cpuprofile_reader_new(profile, source, &r->of.cpuprofile, err);
    case HEAPPROFILE:
        return sonde_heapprofile_reader_new(profile, &r->of.heapprofile, err);
    case PPROF:
        return sonde_pprof_reader_new(profile, &r->of.pprof, err);
    case FOLDED_TIME:
        return sonde_folded_reader_new(profile, SONDE_PROFILE_NANOSECONDS, &r->of.folded, err);
    case FOLDED_BYTES:
        return sonde_folded_reader_new(profile, SONDE_PROFILE_BYTES, &r->of.folded, err);
    case FORMATS:
        break;
    }
    return sonde_fail(err, SONDE_EINTERNAL, 0, "an artifact that is no profile");
}

int sonde_results_reader_new(const char *type, struct sonde_profile *profile,
                             struct sonde_profile_source *source, struct sonde_results_reader **ret,
                             struct sonde_err *err)
{
    struct sonde_results_reader *r = calloc(1, sizeof(*r));
    if (!r) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    r->format = format_of(type);
    int code = begin(r, profile, source, err);
    if (code < 0) {
        free(r);
        return code;
    }
    *ret = r;
    return 0;
}

int sonde_results_reader_feed(struct sonde_results_reader *r, const void *data, size_t length,
                              struct sonde_err *err)
{
    switch (r->format) {
    case CPUPROFILE:
        return sonde_cpuprofile_feed(r->of.cpuprofile, data, length, err);
    case HEAPPROFILE:
        return sonde_heapprofile_feed(r->of.heapprofile, data, length, err);
    case PPROF:
        return sonde_pprof_feed(r->of.pprof, data, length, err);
    case FOLDED_TIME:
    case FOLDED_BYTES:
        return sonde_folded_feed(r->of.folded, data, length, err);
    case FORMATS:
        break;
    }
    return SONDE_EINTERNAL;
}

int sonde_results_reader_finish(struct sonde_results_reader *r, struct sonde_err *err)
{
    switch (r->format) {
    case CPUPROFILE:
        return sonde_cpuprofile_finish(r->of.cpuprofile, err);
    case HEAPPROFILE:
        return sonde_heapprofile_finish(r->of.heapprofile, err);
    case PPROF:
        return sonde_pprof_finish(r->of.pprof, err);
    case FOLDED_TIME:
    case FOLDED_BYTES:
        return sonde_folded_finish(r->of.folded, err);
    case FORMATS:
        break;
    }
    return SONDE_EINTERNAL;
}

void sonde_results_reader_free(struct sonde_results_reader *r)
{
    if (!r) {
        return;
    }
    switch (r->format) {
    case CPUPROFILE:
        sonde_cpuprofile_reader_free(r->of.cpuprofile);
        break;
    case HEAPPROFILE:
        sonde_heapprofile_reader_free(r->of.heapprofile);
        break;
    case PPROF:
        sonde_pprof_reader_free(r->of.pprof);
        break;
    case FOLDED_TIME:
    case FOLDED_BYTES:
        sonde_folded_reader_free(r->of.folded);
        break;
    case FORMATS:
        break;
    }
    free(r);
}
