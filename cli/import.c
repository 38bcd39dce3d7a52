/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde import`: a file from another tool becomes a run of its own. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/store.h"
#include "heap/snapshot.h"
#include "results/reader.h"
#include "results/recognize.h"
#include "results/results.h"
#include "spec/artifact.h"
#include "spec/reason.h"

enum { CHUNK = 65536 };
enum unit { MICROSECONDS, BYTES };

static const char *const units[] = {[MICROSECONDS] = "microseconds", [BYTES] = "bytes", NULL};

const struct sonde_option cli_import_options[] = {
    {"name", SONDE_OPTION_STRING, offsetof(struct cli_settings, name), .argument = "NAME",
     .help = "of the run (default: the file's)"},
    {"unit", SONDE_OPTION_CHOICE, offsetof(struct cli_settings, format), .choices = units,
     .argument = "microseconds|bytes",
     .help = "what the numbers of folded stacks are (default: microseconds)"},
    {"sources", SONDE_OPTION_FLAG, offsetof(struct cli_settings, sources),
     .help = "take source maps, package versions and lines from the files of this machine"},
    {0},
};

struct import {
    struct sonde_db *db;
    const char *file;
    int fd;
    const struct sonde_import_format *format;
    const char *type;    /* of the artifact */
    const char *capture; /* its name */
    struct sonde_run run;
    char name[STORE_NAME_MAX + 1];
    struct sonde_profile profile;
    struct sonde_results_reader *reader;
    struct sonde_coverage coverage; /* instead of a profile */
    bool is_coverage, is_snapshot;
};

typedef int (*piece_function)(struct import *import, void *context, const char *data, size_t length,
                              struct sonde_err *err);

/* From the file's beginning to its end, or until the function returns something else than 0. */
static int for_each_piece(struct import *import, piece_function function, void *context,
                          struct sonde_err *err)
{
    char chunk[CHUNK];
    if (lseek(import->fd, 0, SEEK_SET) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s is no file that can be read twice",
                          import->file);
    }
    for (;;) {
        ssize_t length = read(import->fd, chunk, sizeof(chunk));
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length <= 0) {
            return length < 0 ? sonde_fail(err, SONDE_EIO, errno, "read %s", import->file) : 0;
        }
        int r = function(import, context, chunk, (size_t)length, err);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
}

static int recognize_piece(struct import *import, void *context, const char *data, size_t length,
                           struct sonde_err *err)
{
    (void)import;
    return sonde_recognizer_feed(context, data, length, err);
}

static int recognize(struct import *import, int unit, struct sonde_err *err)
{
    struct sonde_recognizer recognizer;
    sonde_recognizer_init(&recognizer);
    int r = for_each_piece(import, recognize_piece, &recognizer, err);
    r = r < 0 ? r : sonde_recognizer_finish(&recognizer, err);
    import->format = recognizer.found;
    sonde_recognizer_fini(&recognizer);
    if (r < 0) {
        return sonde_err_wrap(err, r, "%s", import->file);
    }
    import->type = import->format->artifact;
    import->capture = import->format->capture;
    if (strcmp(import->type, SONDE_ARTIFACT_FOLDED_TIME) == 0) {
        import->type = unit == BYTES ? SONDE_ARTIFACT_FOLDED_BYTES : import->type;
    } else if (unit >= 0) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%s: a %s file says its units itself: leave out --unit", import->file,
                          import->format->name);
    }
    return 0;
}

/* The file's name without directory and ending, as a name of a run may be. */
static void name_by_file(struct import *import)
{
    const char *slash = strrchr(import->file, '/');
    const char *from = slash ? slash + 1 : import->file;
    const char *dot = strchr(from + (*from == '.'), '.');
    size_t length = 0;
    for (; *from && from != dot && length < STORE_NAME_MAX; from++) {
        char c = *from >= 'A' && *from <= 'Z' ? (char)(*from - 'A' + 'a') : *from;
        c = store_is_name_character(c) ? c : '-';
        if (c != '-' || (length && import->name[length - 1] != '-')) {
            import->name[length++] = c;
        }
    }
    while (length && import->name[length - 1] == '-') {
        length--;
    }
    (void)snprintf(import->name + length, sizeof(import->name) - length, "%s",
                   length ? "" : "import");
    if (strcmp(import->name, "last") == 0) {
        (void)snprintf(import->name, sizeof(import->name), "import");
    }
}

static int set_name(struct import *import, const char *wanted, struct sonde_err *err)
{
    if (!wanted) {
        name_by_file(import);
        return 0;
    }
    int r = store_check_name(wanted, err);
    if (r < 0) {
        return r;
    }
    (void)snprintf(import->name, sizeof(import->name), "%s", wanted);
    return 0;
}

/* ---- reading ---- */

static int read_piece(struct import *import, void *context, const char *data, size_t length,
                      struct sonde_err *err)
{
    (void)context;
    return sonde_results_reader_feed(import->reader, data, length, err);
}

static int read_coverage_piece(struct import *import, void *context, const char *data,
                               size_t length, struct sonde_err *err)
{
    (void)import;
    return sonde_coverage_feed(context, data, length, err);
}

static int read_coverage(struct import *import, struct sonde_err *err)
{
    struct sonde_coverage_reader *reader = NULL;
    int r = sonde_coverage_reader_new(&import->coverage, &reader, err);
    r = r < 0 ? r : for_each_piece(import, read_coverage_piece, reader, err);
    r = r < 0 ? r : sonde_coverage_finish(reader, err);
    sonde_coverage_reader_free(reader);
    return r < 0 ? sonde_err_wrap(err, r, "%s", import->file) : 0;
}

/* What cannot be read is not stored. */
static int read_profile(struct import *import, struct sonde_err *err)
{
    struct sonde_profile_source source = {0};
    int r = sonde_profile_init(&import->profile, err);
    r = r < 0 ? r
              : sonde_results_reader_new(import->type, &import->profile, &source, &import->reader,
                                         err);
    r = r < 0 ? r : for_each_piece(import, read_piece, NULL, err);
    r = r < 0 ? r : sonde_results_reader_finish(import->reader, err);
    sonde_results_reader_free(SONDE_TAKE(import->reader));
    if (r == 0 && import->profile.unit == SONDE_PROFILE_BYTES) {
        import->capture = "heap";
    }
    return r < 0 ? sonde_err_wrap(err, r, "%s", import->file) : 0;
}

static int read_snapshot_piece(struct import *import, void *context, const char *data,
                               size_t length, struct sonde_err *err)
{
    (void)import;
    return sonde_heap_feed(context, data, length, err);
}

static int read_snapshot(struct import *import, struct sonde_err *err)
{
    struct sonde_heap heap = {0};
    struct sonde_heap_reader *reader = NULL;
    int r = sonde_heap_reader_new(&heap, &reader, err);
    if (r == 0) {
        sonde_heap_reader_bound(reader, store_heap_bytes(), false, 0);
    }
    r = r < 0 ? r : for_each_piece(import, read_snapshot_piece, reader, err);
    r = r < 0 ? r : sonde_heap_finish(reader, err);
    sonde_heap_reader_free(reader);
    sonde_heap_fini(&heap);
    return r < 0 ? sonde_err_wrap(err, r, "%s", import->file) : 0;
}

static int read_file(struct import *import, bool sources, struct sonde_err *err)
{
    import->is_coverage = strcmp(import->type, SONDE_ARTIFACT_COVERAGE) == 0;
    import->is_snapshot = strcmp(import->type, SONDE_ARTIFACT_HEAP_SNAPSHOT) == 0;
    if (import->is_snapshot && sources) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "%s: a heap snapshot has no lines of code: leave out --sources",
                          import->file);
    }
    return import->is_snapshot   ? read_snapshot(import, err)
           : import->is_coverage ? read_coverage(import, err)
                                 : read_profile(import, err);
}

/* ---- into the store ---- */

static int store_piece(struct import *import, void *context, const char *data, size_t length,
                       struct sonde_err *err)
{
    (void)import;
    return sonde_artifact_write(context, data, length, err);
}

static int store_file(struct import *import, struct sonde_err *err)
{
    SONDE_BUF_AUTO name = SONDE_BUF(SONDE_DB_ARTIFACT_NAME_MAX);
    struct sonde_artifact_writer *writer = NULL;
    sonde_buf_printf(&name, "%s.0", import->capture);
    struct sonde_artifact artifact = {
        .run_uid = import->run.uid,
        .name = name.data,
        .capture = import->capture,
        .type = import->type,
        .media_type = import->format->media_type,
        .data_class = import->is_snapshot ? SONDE_DATA_HEAP : SONDE_DATA_PROFILE,
    };
    int r = sonde_buf_check(&name, "a name", err);
    r = r < 0 ? r : sonde_artifact_begin(import->db, &artifact, &writer, err);
    r = r < 0 ? r : for_each_piece(import, store_piece, writer, err);
    if (r < 0) {
        sonde_artifact_abort(writer);
        return r;
    }
    return sonde_artifact_commit(writer, err);
}

/* The document says where it comes from; the status, what a report shows of it. */
static int create_run(struct import *import, struct sonde_buf *spec, struct sonde_err *err)
{
    sonde_buf_text(spec, "{\"import\":{\"file\":");
    sonde_buf_json_string(spec, sonde_str(import->file));
    sonde_buf_text(spec, ",\"format\":");
    sonde_buf_json_string(spec, sonde_str(import->format->name));
    sonde_buf_text(spec, "}}");
    int r = sonde_buf_check(spec, "the run's document", err);
    sonde_random_uuid(import->run.uid);
    import->run.name = import->name;
    import->run.namespace = "";
    import->run.kind = "ProfileRun";
    import->run.spec = spec->data;
    import->run.state = SONDE_RUN_RUNNING;
    import->run.created_ns = sonde_clock_realtime();
    return r < 0 ? r : sonde_db_run_create(import->db, &import->run, err);
}

static int complete_run(struct import *import, struct sonde_err *err)
{
    SONDE_BUF_AUTO target = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    SONDE_BUF_AUTO status = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    const char *slash = strrchr(import->file, '/');
    sonde_buf_printf(&target, "imported from %.500s", slash ? slash + 1 : import->file);
    sonde_buf_text(&status, "{\"target\":");
    sonde_buf_json_string(&status, sonde_buf_view(&target));
    sonde_buf_char(&status, '}');
    int r = sonde_buf_check(&target, "the run's status", err);
    r = r < 0 ? r : sonde_buf_check(&status, "the run's status", err);
    import->run.status = status.data;
    import->run.state = SONDE_RUN_SUCCEEDED;
    import->run.reason = SONDE_REASON_COMPLETED;
    import->run.message = "";
    import->run.completed_ns = sonde_clock_realtime();
    return r < 0 ? r : sonde_db_run_update(import->db, &import->run, err);
}

static int keep_sources(struct import *import, struct sonde_err *err)
{
    SONDE_CLOSE int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "open /");
    }
    return import->is_coverage ? store_find_sources(import->db, import->run.uid, import->capture,
                                                    root, (struct sonde_str){0}, err)
                               : store_keep_sources(import->db, import->run.uid, import->capture,
                                                    root, &import->profile, SONDE_CONTEXT_TEXTS,
                                                    (struct sonde_str){0}, err);
}

static int store_run(struct import *import, bool sources, struct sonde_err *err)
{
    SONDE_BUF_AUTO spec = SONDE_BUF(SONDE_DB_DOCUMENT_MAX);
    int r = create_run(import, &spec, err);
    if (r < 0) {
        return r;
    }
    r = store_file(import, err);
    r = r < 0 || !sources ? r : keep_sources(import, err);
    r = r < 0 ? r : complete_run(import, err);
    if (r < 0) {
        int removed = sonde_db_run_delete(import->db, import->run.uid, NULL);
        (void)removed; /* else it is read as Failed (Interrupted) */
    }
    return r;
}

static int say(const struct import *import, const struct cli_settings *settings)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    struct cli_settings to_stdout = *settings;
    to_stdout.file = NULL;
    sonde_buf_printf(&text,
                     settings->output == CLI_OUTPUT_JSON
                         ? "{\"uid\":\"%s\",\"name\":\"%s\",\"capture\":\"%s\",\"format\":\"%s\"}\n"
                         : "%.8s  imported as %s: %s, from a file of %s\n",
                     import->run.uid, import->name, import->capture, import->format->name);
    return cli_write_output(&to_stdout, &text);
}

int cli_import(struct cli_call *call)
{
    struct sonde_err err;
    struct import import = {.file = call->arguments.positional[0]};
    int r = set_name(&import, call->settings.name, &err);
    import.fd = open(import.file, O_RDONLY | O_CLOEXEC);
    if (r == 0 && import.fd < 0) {
        r = sonde_fail(&err, SONDE_EIO, errno, "open %s", import.file);
    }
    r = r < 0 ? r : recognize(&import, call->settings.format, &err);
    sonde_coverage_init(&import.coverage);
    r = r < 0 ? r : read_file(&import, call->settings.sources, &err);
    r = r < 0 ? r : store_open(&call->settings, &import.db, &err);
    r = r < 0 ? r : store_run(&import, call->settings.sources, &err);
    sonde_db_close(import.db);
    sonde_profile_fini(&import.profile);
    sonde_coverage_fini(&import.coverage);
    sonde_closep(&import.fd);
    return r < 0 ? cli_say_error(&err) : say(&import, &call->settings);
}
