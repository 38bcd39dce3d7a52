/* SPDX-License-Identifier: Apache-2.0 */
/* What a run in the store has to show: its profiles with source maps applied, its report, its
 * exports, and the one line that says the most. */
#ifndef SONDE_RESULTS_RESULTS_H
#define SONDE_RESULTS_RESULTS_H

#include "db/db.h"
#include "profile/coverage.h"
#include "profile/output.h"
#include "profile/profile.h"
#include "spec/artifact.h"

enum {
    SONDE_RESULTS_CAPTURES_MAX = 16,     /* of a run */
    SONDE_RESULTS_PROCESSES_MAX = 1024,  /* of a run */
    SONDE_RESULTS_CONTEXT_MAX = 4 << 20, /* bytes of a context */
    SONDE_RESULTS_TOP_MAX = 256,         /* bytes of the line */
};

/* Reads the windows of a profile (NULL: the run's only one, SONDE_EINVALID when it has several)
 * of all processes into one profile, and applies the source maps and package versions that were
 * stored with it. ret_capture gets the capture's name. SONDE_ENOTFOUND when there is none. The
 * caller calls sonde_profile_fini in any case. */
int sonde_results_profile(struct sonde_db *db, const char *uid, const char *capture,
                          struct sonde_profile *ret, struct sonde_buf *ret_capture,
                          struct sonde_err *err) SONDE_MUST_CHECK;

/* Reads the coverage of that name of all processes, of at most bytes_max of memory. SONDE_ENOTFOUND
 * when there is none. The caller calls sonde_coverage_fini in any case. */
int sonde_results_coverage(struct sonde_db *db, const char *uid, const char *capture,
                           size_t bytes_max, struct sonde_coverage *ret,
                           struct sonde_err *err) SONDE_MUST_CHECK;

enum sonde_results_report_format {
    SONDE_RESULTS_TEXT,
    SONDE_RESULTS_JSON, /* one object */
    SONDE_RESULTS_HTML, /* one file that needs nothing else: web/README.md */
};
/* Their names in that order, and a NULL. */
extern const char *const sonde_results_report_formats[];
const char *sonde_results_report_media_type(enum sonde_results_report_format format);

/* Whether an artifact is meant by a name that a request has: of its capture, or of its part of a
 * report ("4711.heap"); NULL: all are. */
bool sonde_results_is_named(const struct sonde_artifact *artifact, const char *name);

/* What is asked for. */
struct sonde_results_request {
    const char *capture; /* NULL: all of a report; of a comparison all for a page, else the only one
                            of each run. Where one run of a comparison has no such capture, its only
                            one of the same kind is meant */
    enum sonde_results_report_format format;
    uint64_t heap_bytes_max; /* of memory, that the analysis of a heap snapshot may take */
};

/* Appends the report of a run, or of one of its captures. */
int sonde_results_report(struct sonde_db *db, const char *uid,
                         const struct sonde_results_request *request, struct sonde_buf *buf,
                         struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends the comparison of two runs, by their uids: of one capture as text or as one JSON object.
 * HTML: a page like that of a report for the run `after`, which shows first what changed since the
 * run `before`, in captures of one name (or in the one that is named). */
int sonde_results_compare(struct sonde_db *db, const char *before, const char *after,
                          const struct sonde_results_request *request, struct sonde_buf *buf,
                          struct sonde_err *err) SONDE_MUST_CHECK;

enum sonde_results_format {
    SONDE_RESULTS_CPUPROFILE,
    SONDE_RESULTS_HEAPPROFILE,
    SONDE_RESULTS_PPROF,
    SONDE_RESULTS_FOLDED,
    SONDE_RESULTS_SPEEDSCOPE,
    SONDE_RESULTS_COVERAGE,
    SONDE_RESULTS_RAW, /* an artifact as it was captured: sonde_results_raw */
    /* Of load tests: load/export.h. */
    SONDE_RESULTS_AUTOCANNON,
    SONDE_RESULTS_CSV,
    SONDE_RESULTS_HLOG,
    SONDE_RESULTS_JUNIT,
    SONDE_RESULTS_K6,
    SONDE_RESULTS_PROMETHEUS,
};
/* Their names in that order, and a NULL. */
extern const char *const sonde_results_formats[];
/* Those names for a message: "cpuprofile, pprof … or speedscope". */
#define SONDE_RESULTS_LOAD_FORMATS_SAID "autocannon, csv, hlog, junit, k6 or prometheus"
#define SONDE_RESULTS_FORMATS_SAID                                                                 \
    "cpuprofile, heapprofile, pprof, folded, speedscope, coverage or raw; of a load "              \
    "test " SONDE_RESULTS_LOAD_FORMATS_SAID
/* "application/json" … of a format. */
const char *sonde_results_media_type(enum sonde_results_format format);

/* Writes a capture (NULL: the run's only one) in a format. SONDE_EINVALID, with those that do, when
 * the format does not fit what was captured; SONDE_ENOTFOUND. */
int sonde_results_export(struct sonde_db *db, const char *uid, const char *capture,
                         enum sonde_results_format format, struct sonde_output *output,
                         struct sonde_err *err) SONDE_MUST_CHECK;

/* Hands out an artifact as it was captured: that of the capture of this name, or the one that has
 * this name itself; NULL: the run's only one. Source maps are not meant. SONDE_EINVALID with the
 * names when there are several, SONDE_ENOTFOUND when there is none. */
int sonde_results_raw(struct sonde_db *db, const char *uid, const char *name,
                      sonde_bytes_callback callback, void *context,
                      struct sonde_err *err) SONDE_MUST_CHECK;

/* An artifact as it is kept: see sonde_artifact_open. */
struct sonde_results_kept {
    int fd;                         /* the caller closes it */
    int64_t bytes;                  /* of its content, unfolded */
    char sha256[SONDE_SHA256_TEXT]; /* of the same */
};

int sonde_results_open(struct sonde_db *db, const struct sonde_artifact *artifact,
                       struct sonde_results_kept *ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* The one that sonde_results_raw would hand out. */
int sonde_results_raw_open(struct sonde_db *db, const char *uid, const char *name,
                           struct sonde_results_kept *ret, struct sonde_err *err) SONDE_MUST_CHECK;

struct sonde_results_summary {
    /* "38% loadVisits patients.js:41": the worst finding of all captures; "": nothing was found */
    char top[SONDE_RESULTS_TOP_MAX];
    /* Where that is a function of a profile, the next two, of a twentieth and more: "12% hash
     * login.js:7, 8% json app.js:3"; "": there are none */
    char others[SONDE_RESULTS_TOP_MAX];
    int64_t findings;
    int64_t bytes; /* of all artifacts */
};

/* The worst finding of all captures: of a profile said by the function that answers for most, of a
 * heap by what keeps most memory; and the sums. SONDE_ELIMIT for a heap whose analysis would take
 * more than heap_bytes_max of memory. */
int sonde_results_summary(struct sonde_db *db, const char *uid, uint64_t heap_bytes_max,
                          struct sonde_results_summary *ret,
                          struct sonde_err *err) SONDE_MUST_CHECK;

#endif
