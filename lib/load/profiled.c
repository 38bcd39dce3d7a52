/* SPDX-License-Identifier: Apache-2.0 */
#include "load/profiled.h"

#include "analysis/cell.h"
#include "base/clock.h"

static double seconds_of(int64_t ns)
{
    return (double)ns / (double)SONDE_SECOND;
}

void sonde_load_profiled_text(const struct sonde_load_profiled *profiles, size_t count,
                              struct sonde_buf *buf)
{
    enum { UID_SHOWN = 8 };
    for (size_t i = 0; i < count; i++) {
        const struct sonde_load_profiled *p = &profiles[i];
        sonde_cell_clean(buf, sonde_str(p->type));
        sonde_buf_printf(buf, " meanwhile, %.0f s to %.0f s: ", seconds_of(p->from_ns),
                         seconds_of(p->to_ns));
        if (p->failure) {
            sonde_buf_text(buf, "no profile: ");
            sonde_cell_clean(buf, sonde_str(p->failure));
        } else {
            sonde_cell_clean(buf, sonde_str(p->title ? p->title : "nothing stands out"));
            sonde_buf_text(buf, p->where ? ", " : "");
            sonde_cell_clean(buf, sonde_str(p->where));
            struct sonde_str run = sonde_str(p->run);
            run.length = run.length < UID_SHOWN ? run.length : UID_SHOWN;
            sonde_buf_text(buf, " (sonde report ");
            sonde_cell_clean(buf, run);
            sonde_buf_char(buf, ')');
        }
        sonde_buf_char(buf, '\n');
    }
}

static void put_text(const char *name, const char *text, struct sonde_buf *buf)
{
    if (text) {
        sonde_buf_printf(buf, ",\"%s\":", name);
        sonde_buf_json_string(buf, sonde_str(text));
    }
}

void sonde_load_profiled_json(const struct sonde_load_profiled *profiles, size_t count,
                              struct sonde_buf *buf)
{
    sonde_buf_char(buf, '[');
    for (size_t i = 0; i < count; i++) {
        const struct sonde_load_profiled *p = &profiles[i];
        sonde_buf_printf(buf, "%s{\"fromNanoseconds\":%lld,\"toNanoseconds\":%lld", i ? "," : "",
                         (long long)p->from_ns, (long long)p->to_ns);
        put_text("type", p->type, buf);
        put_text("run", p->run, buf);
        put_text("title", p->title, buf);
        put_text("where", p->where, buf);
        put_text("failure", p->failure, buf);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}
