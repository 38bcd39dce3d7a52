/* SPDX-License-Identifier: Apache-2.0 */
/* A record of an event loop, of allocations by time, or a diagnostic report, that may be anything:
 * what is read of it is told in JSON that can be read again. */
#include <stdlib.h>

#include "analysis/diagnostics.h"
#include "analysis/event_loop.h"
#include "analysis/timeline.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_json(const struct sonde_buf *members)
{
    SONDE_BUF_AUTO text = SONDE_BUF(4 << 20);
    SONDE_JSON_AUTO *json = NULL;
    sonde_buf_text(&text, "{\"a\":0");
    sonde_buf_str(&text, sonde_buf_view(members));
    sonde_buf_char(&text, '}');
    if (members->code == 0 && sonde_json_parse(sonde_buf_view(&text), &json, NULL) < 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sonde_event_loop loop;
    struct sonde_diagnostics diagnostics;
    struct sonde_str text = {(const char *)data, size};
    SONDE_BUF_AUTO lines = SONDE_BUF(1 << 20);
    SONDE_BUF_AUTO members = SONDE_BUF(1 << 20);
    if (sonde_event_loop_analyze(text, NULL, &loop, NULL) == 0) {
        if (loop.finding_count == 0) {
            abort();
        }
        sonde_event_loop_text(&loop, "/srv", &lines);
        sonde_event_loop_json(&loop, &members);
        must_be_json(&members);
    }
    sonde_event_loop_fini(&loop);
    sonde_buf_clear(&members);
    if (sonde_diagnostics_read(text, &diagnostics, NULL) == 0) {
        sonde_diagnostics_text(&diagnostics, &lines);
        sonde_diagnostics_json(&diagnostics, &members);
        must_be_json(&members);
    }
    sonde_buf_clear(&members);
    struct sonde_timeline timeline;
    if (sonde_timeline_analyze(text, &timeline, NULL) == 0) {
        sonde_timeline_text(&timeline, &lines);
        sonde_timeline_json(&timeline, &members);
        must_be_json(&members);
    }
    return 0;
}
