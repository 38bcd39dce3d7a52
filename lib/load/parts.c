/* SPDX-License-Identifier: Apache-2.0 */
#include "load/parts.h"

#include <string.h>

#include "analysis/cell.h"
#include "load/duration.h"

enum { WIDTH = 10, NAMES_MAX = 40 }; /* columns of a cell; of a name, beyond which it moves them */

static void pad(size_t columns, size_t width, struct sonde_buf *buf)
{
    sonde_buf_repeat(buf, ' ', columns <= width ? width - columns : 1);
}

static void put_row(const char *name, size_t width, const struct sonde_load_tally *t,
                    struct sonde_buf *buf)
{
    static const double shares[] = {0.5, 0.9, 0.99, 1};
    const uint64_t counts[] = {t->answered, t->wrong, t->failed};
    sonde_cell_clean(buf, sonde_str(name));
    pad(sonde_utf16_length(sonde_str(name)), width, buf);
    for (size_t i = 0; i < SONDE_LENGTH(counts); i++) {
        sonde_buf_printf(buf, "%10llu", (unsigned long long)counts[i]);
    }
    for (size_t i = 0; i < SONDE_LENGTH(shares); i++) {
        sonde_load_put_quantile(&t->response, shares[i], WIDTH, buf);
    }
    sonde_buf_char(buf, '\n');
}

static void put_table(const struct sonde_load_tally *tally, enum sonde_load_label_kind kind,
                      const char *title, struct sonde_buf *buf)
{
    size_t width = strlen(title);
    size_t rows = 0;
    for (size_t i = 0; i < tally->part_count; i++) {
        size_t columns = sonde_utf16_length(sonde_str(tally->labels[i].text));
        bool shown = tally->labels[i].kind == kind;
        width = shown && columns > width && columns <= NAMES_MAX ? columns : width;
        rows += shown;
    }
    if (rows == 0) {
        return;
    }
    sonde_buf_printf(buf, "\n%s", title);
    pad(strlen(title), width, buf);
    sonde_buf_printf(buf, "%10s%10s%10s%10s%10s%10s%10s\n", "answered", "wrong", "failed", "50 %",
                     "90 %", "99 %", "longest");
    bool starred = false;
    for (size_t i = 0; i < tally->part_count; i++) {
        if (tally->labels[i].kind == kind) {
            const struct sonde_histogram *h = &tally->parts[i].response;
            put_row(tally->labels[i].text, width, &tally->parts[i], buf);
            starred = starred || (h->total && sonde_histogram_is_scarce(h, 0.99));
        }
    }
    sonde_buf_text(buf, starred ? SONDE_LOAD_STAR : "");
}

void sonde_load_parts_text(const struct sonde_load_tally *tally, struct sonde_buf *buf)
{
    put_table(tally, SONDE_LOAD_OF_NAME, "request", buf);
    put_table(tally, SONDE_LOAD_OF_ADDRESS, "address", buf);
}

static void put_json_times(const char *name, const struct sonde_histogram *h, struct sonde_buf *buf)
{
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99_9", 0.999}};
    sonde_buf_printf(buf, ",\"%s\":{\"mean\":%.15g,\"min\":%lld,\"max\":%lld", name,
                     sonde_histogram_mean(h), h->total ? (long long)h->minimum : 0,
                     (long long)h->maximum);
    for (size_t i = 0; i < SONDE_LENGTH(rows); i++) {
        sonde_buf_printf(buf, ",\"%s\":%lld", rows[i].name,
                         (long long)sonde_histogram_quantile(h, rows[i].share));
    }
    sonde_buf_printf(buf, ",\"totalCount\":%llu}", (unsigned long long)h->total);
}

void sonde_load_parts_json(const struct sonde_load_tally *tally, struct sonde_buf *buf)
{
    sonde_buf_char(buf, '[');
    for (size_t i = 0; i < tally->part_count; i++) {
        const struct sonde_load_label *label = &tally->labels[i];
        const struct sonde_load_tally *t = &tally->parts[i];
        sonde_buf_printf(buf, "%s{\"%s\":", i ? "," : "",
                         label->kind == SONDE_LOAD_OF_NAME ? "name" : "address");
        sonde_buf_json_string(buf, sonde_str(label->text));
        sonde_buf_printf(buf,
                         ",\"sent\":%llu,\"answered\":%llu,\"wrong\":%llu,\"mismatches\":%llu,"
                         "\"restarts\":%llu,\"failed\":%llu,\"censored\":%llu",
                         (unsigned long long)t->sent, (unsigned long long)t->answered,
                         (unsigned long long)t->wrong, (unsigned long long)t->mismatches,
                         (unsigned long long)t->restarts, (unsigned long long)t->failed,
                         (unsigned long long)t->censored);
        put_json_times("responseMicroseconds", &t->response, buf);
        put_json_times("serviceMicroseconds", &t->service, buf);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_char(buf, ']');
}
