/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a report that are no profiles: each artifact of its own. */
#include "results/parts.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/diagnostics.h"
#include "analysis/event_loop.h"

enum { PART_BYTES_MAX = 1 << 20, ARTIFACT_BYTES_MAX = SONDE_EVENT_LOOP_BYTES_MAX };

struct loading {
    struct sonde_db *db;
    const char *wanted; /* the capture, or NULL */
    const char *directory;
    struct sonde_results_parts *parts;
};

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "an artifact", err);
}

/* "loop.w1.0" → "loop.w1" */
static void name_part(const char *artifact, char *ret, size_t size)
{
    const char *dot = strrchr(artifact, '.');
    (void)snprintf(ret, size, "%.*s", dot ? (int)(dot - artifact) : (int)strlen(artifact),
                   artifact);
}

static int print_event_loop(struct sonde_str text, const char *directory,
                            struct sonde_results_part *part, struct sonde_err *err)
{
    struct sonde_event_loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    int r = sonde_event_loop_analyze(text, loop, err);
    if (r == 0) {
        part->findings = loop->finding_count;
        sonde_event_loop_text(loop, directory, &part->text);
        sonde_event_loop_json(loop, &part->json);
    }
    sonde_event_loop_fini(loop);
    free(loop);
    return r;
}

static int print_diagnostics(struct sonde_str text, struct sonde_results_part *part,
                             struct sonde_err *err)
{
    struct sonde_diagnostics diagnostics;
    int r = sonde_diagnostics_read(text, &diagnostics, err);
    if (r == 0) {
        sonde_diagnostics_text(&diagnostics, &part->text);
        sonde_diagnostics_json(&diagnostics, &part->json);
    }
    return r;
}

static int load(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct loading *loading = context;
    struct sonde_results_parts *parts = loading->parts;
    bool is_loop = strcmp(artifact->type, SONDE_ARTIFACT_EVENT_LOOP) == 0;
    bool is_report = strcmp(artifact->type, SONDE_ARTIFACT_REPORT) == 0;
    if ((!is_loop && !is_report) ||
        (loading->wanted && strcmp(loading->wanted, artifact->capture) != 0) ||
        parts->count == SONDE_RESULTS_PARTS_MAX) {
        return 0;
    }
    struct sonde_results_part *part = &parts->items[parts->count++];
    part->text = SONDE_BUF(PART_BYTES_MAX);
    part->json = SONDE_BUF(PART_BYTES_MAX);
    name_part(artifact->name, part->name, sizeof(part->name));
    SONDE_BUF_AUTO text = SONDE_BUF(ARTIFACT_BYTES_MAX);
    int r = sonde_artifact_read(loading->db, artifact, append, &text, err);
    if (r == 0) {
        r = is_loop ? print_event_loop(sonde_buf_view(&text), loading->directory, part, err)
                    : print_diagnostics(sonde_buf_view(&text), part, err);
    }
    if (r < 0) {
        return sonde_err_wrap(err, r, "%s", artifact->name);
    }
    r = sonde_buf_check(&part->text, "a part of the report", err);
    r = r < 0 ? r : sonde_buf_check(&part->json, "a part of the report", err);
    parts->view[parts->count - 1] = (struct sonde_report_part){
        .name = part->name,
        .type = is_loop ? SONDE_ARTIFACT_EVENT_LOOP : SONDE_ARTIFACT_REPORT,
        .text = sonde_buf_view(&part->text),
        .json = sonde_buf_view(&part->json),
    };
    return r;
}

int sonde_results_parts(struct sonde_db *db, const char *uid, const char *capture,
                        const char *directory, struct sonde_results_parts *ret,
                        struct sonde_err *err)
{
    struct loading loading = {db, capture, directory, ret};
    ret->count = 0;
    return sonde_db_artifacts(db, uid, load, &loading, err);
}

void sonde_results_parts_fini(struct sonde_results_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        sonde_buf_fini(&parts->items[i].text);
        sonde_buf_fini(&parts->items[i].json);
    }
    parts->count = 0;
}
