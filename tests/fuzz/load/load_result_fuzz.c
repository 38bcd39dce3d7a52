/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the result of a load test: what is read is written, reads back as the same, is
 * printed, exported and compared. */
#include <stdlib.h>
#include <string.h>

#include "codec/json_scan.h"
#include "load/compare.h"
#include "load/export.h"
#include "load/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PRINTED_MAX = 4 << 20 };

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void must_be_json(struct sonde_str text)
{
    const struct sonde_json_limits limits = {.depth = 32, .string = PRINTED_MAX};
    must(sonde_json_check(text, limits, NULL) == 0);
}

static void print(const struct sonde_load_result *result)
{
    SONDE_BUF_AUTO text = SONDE_BUF(PRINTED_MAX);
    SONDE_BUF_AUTO json = SONDE_BUF(PRINTED_MAX);
    must(sonde_load_report_text(result, &text, NULL) == 0);
    must(!memchr(text.data, '\x1b', text.length));
    sonde_buf_text(&json, "{\"a\":1");
    must(sonde_load_report_json(result, &json, NULL) == 0);
    sonde_buf_text(&json, "}");
    must_be_json(sonde_buf_view(&json));
}

static void export_all(const struct sonde_load_result *result)
{
    static const struct {
        sonde_load_export *export;
        bool json;
    } all[] = {{sonde_load_export_autocannon, true}, {sonde_load_export_k6, true},
               {sonde_load_export_csv, false},       {sonde_load_export_hlog, false},
               {sonde_load_export_junit, false},     {sonde_load_export_prometheus, false}};
    for (size_t i = 0; i < SONDE_LENGTH(all); i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_EXPORT_MAX);
        must(all[i].export(result, &text, NULL) == 0);
        must(text.length > 0 && text.data[text.length - 1] == '\n');
        must(!memchr(text.data, '\x1b', text.length));
        must(sonde_utf8_valid(sonde_buf_view(&text)));
        if (all[i].json) {
            must_be_json(sonde_buf_view(&text));
        }
    }
}

static void compare(const struct sonde_load_result *before, const struct sonde_load_result *after)
{
    enum { FEW = 64 }; /* intervals: with more it takes long */
    const struct sonde_load_side sides[] = {{"1", "a", "load", before}, {"2", "b", "load", after}};
    struct sonde_load_comparison comparison;
    SONDE_BUF_AUTO text = SONDE_BUF(PRINTED_MAX);
    SONDE_BUF_AUTO json = SONDE_BUF(PRINTED_MAX);
    if (before->intervals.count > FEW) {
        return;
    }
    must(sonde_load_compare(&sides[0], &sides[1], &comparison, NULL) == 0);
    sonde_load_comparison_text(&comparison, &text);
    sonde_load_comparison_json(&comparison, &json);
    must(text.code == 0 && json.code == 0);
    must(!memchr(text.data, '\x1b', text.length));
    must_be_json(sonde_buf_view(&json));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_load_result result;
    struct sonde_load_result again;
    struct sonde_err err = {0};
    SONDE_BUF_AUTO first = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    SONDE_BUF_AUTO second = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    if (sonde_load_result_read((struct sonde_str){(const char *)data, size}, &result, &err) < 0) {
        must(err.message[0] != '\0');
    } else {
        must(result.intervals.packed.length <= SONDE_LOAD_INTERVALS_BYTES_MAX);
        must(sonde_load_result_write(&result, &first, NULL) == 0);
        must_be_json(sonde_buf_view(&first));
        must(sonde_load_result_read(sonde_buf_view(&first), &again, NULL) == 0);
        must(sonde_load_result_write(&again, &second, NULL) == 0);
        must(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
        print(&again);
        export_all(&again);
        compare(&result, &again);
        sonde_load_result_fini(&again);
    }
    sonde_load_result_fini(&result);
    return 0;
}
