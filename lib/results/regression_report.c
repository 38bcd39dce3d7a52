/* SPDX-License-Identifier: Apache-2.0 */
#include "results/regression_report.h"

#include "analysis/cell.h"

static void put_text(const char *text, struct sonde_buf *buf)
{
    sonde_cell_clean(buf, sonde_str(text));
}

int sonde_results_regression_report(const cJSON *status, struct sonde_buf *text,
                                    struct sonde_buf *json, struct sonde_err *err)
{
    const cJSON *kept = cJSON_GetObjectItemCaseSensitive(status, "regression");
    const cJSON *measure;
    if (!cJSON_IsObject(kept)) {
        return 0;
    }
    char *printed = cJSON_PrintUnformatted(kept);
    if (!printed) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sonde_buf_text(json, printed);
    cJSON_free(printed);
    const char *with = sonde_json_string_or(kept, "with", "");
    bool compared = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(kept, "compared"));
    sonde_buf_text(text, compared ? "compared with " : "");
    put_text(compared ? with : sonde_json_string_or(kept, "message", ""), text);
    sonde_buf_text(text, compared ? ":\n" : "\n");
    cJSON_ArrayForEach(measure, cJSON_GetObjectItemCaseSensitive(kept, "measures"))
    {
        sonde_buf_text(text, "  ");
        put_text(sonde_json_string_or(measure, "text", ""), text);
        sonde_buf_text(text, ": ");
        put_text(sonde_json_string_or(measure, "verdict", ""), text);
        sonde_buf_char(text, '\n');
    }
    int r = sonde_buf_check(json, "the comparison", err);
    return r < 0 ? r : sonde_buf_check(text, "the comparison", err);
}
