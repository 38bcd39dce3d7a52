/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/diagnostics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/cell.h"
#include "codec/json.h"

static double number(const cJSON *object, const char *name)
{
    double value = sonde_json_number_or(object, name, 0);
    return isfinite(value) && value > 0 ? value : 0;
}

static void add_handle(struct sonde_diagnostics *d, const char *kind)
{
    for (size_t i = 0; i < d->handle_count; i++) {
        if (strncmp(d->handles[i].kind, kind, sizeof(d->handles[i].kind) - 1) == 0) {
            d->handles[i].count++;
            return;
        }
    }
    if (d->handle_count < SONDE_DIAGNOSTICS_HANDLES_MAX) {
        (void)snprintf(d->handles[d->handle_count].kind, sizeof(d->handles[0].kind), "%s", kind);
        d->handles[d->handle_count++].count = 1;
    }
}

static void sort_handles(struct sonde_diagnostics *d)
{
    for (size_t i = 1; i < d->handle_count; i++) {
        for (size_t j = i; j > 0 && d->handles[j - 1].count < d->handles[j].count; j--) {
            __typeof__(d->handles[0]) handle = d->handles[j];
            d->handles[j] = d->handles[j - 1];
            d->handles[j - 1] = handle;
        }
    }
}

int sonde_diagnostics_read(struct sonde_str text, struct sonde_diagnostics *ret,
                           struct sonde_err *err)
{
    *ret = (struct sonde_diagnostics){0};
    SONDE_JSON_AUTO *json = NULL;
    const cJSON *handle;
    int r = sonde_json_parse_up_to(text, SONDE_DIAGNOSTICS_BYTES_MAX, &json, err);
    if (r < 0) {
        return r;
    }
    const cJSON *header = cJSON_GetObjectItemCaseSensitive(json, "header");
    const cJSON *heap = cJSON_GetObjectItemCaseSensitive(json, "javascriptHeap");
    const cJSON *usage = cJSON_GetObjectItemCaseSensitive(json, "resourceUsage");
    if (!cJSON_IsObject(header)) {
        return sonde_fail(err, SONDE_EPARSE, 0, "no diagnostic report: header is missing");
    }
    (void)snprintf(ret->node_version, sizeof(ret->node_version), "%s",
                   sonde_json_string_or(header, "nodejsVersion", ""));
    ret->heap_used = number(heap, "usedMemory");
    ret->heap_total = number(heap, "totalMemory");
    ret->heap_limit = number(heap, "memoryLimit");
    ret->heap_limit = ret->heap_limit > 0 ? ret->heap_limit : number(heap, "heapSizeLimit");
    ret->resident_max = number(usage, "maxRss");
    ret->cpu_percent = number(usage, "cpuConsumptionPercent");
    ret->workers = (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "workers"));
    cJSON_ArrayForEach(handle, cJSON_GetObjectItemCaseSensitive(json, "libuv"))
    {
        if (sonde_json_true(handle, "is_active")) {
            add_handle(ret, sonde_json_string_or(handle, "type", "?"));
        }
    }
    sort_handles(ret);
    return 0;
}

void sonde_diagnostics_text(const struct sonde_diagnostics *d, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "heap: %.1f MB used of %.1f MB", d->heap_used / 1e6, d->heap_total / 1e6);
    if (d->heap_limit > 0) {
        sonde_buf_printf(buf, ", limit %.0f MB", d->heap_limit / 1e6);
    }
    sonde_buf_printf(buf, "; at most %.0f MB resident; CPU %.1f %% since the start\n",
                     d->resident_max / 1e6, d->cpu_percent);
    sonde_buf_text(buf, "active handles:");
    for (size_t i = 0; i < d->handle_count; i++) {
        sonde_buf_printf(buf, "%s %zu ", i ? "," : "", d->handles[i].count);
        sonde_cell_clean(buf, sonde_str(d->handles[i].kind));
    }
    sonde_buf_text(buf, d->handle_count ? "\n" : " none\n");
    if (d->workers) {
        sonde_buf_printf(buf, "worker threads: %zu\n", d->workers);
    }
}

void sonde_diagnostics_json(const struct sonde_diagnostics *d, struct sonde_buf *buf)
{
    sonde_buf_text(buf, ",\"nodeVersion\":");
    sonde_buf_json_string(buf, sonde_str(d->node_version));
    sonde_buf_printf(buf,
                     ",\"heapUsedBytes\":%.0f,\"heapTotalBytes\":%.0f,\"heapLimitBytes\":%.0f,"
                     "\"residentMaxBytes\":%.0f,\"cpuPercent\":%.6g,\"workerThreads\":%zu,"
                     "\"activeHandles\":{",
                     d->heap_used, d->heap_total, d->heap_limit, d->resident_max, d->cpu_percent,
                     d->workers);
    for (size_t i = 0; i < d->handle_count; i++) {
        sonde_buf_text(buf, i ? "," : "");
        sonde_buf_json_string(buf, sonde_str(d->handles[i].kind));
        sonde_buf_printf(buf, ":%zu", d->handles[i].count);
    }
    sonde_buf_char(buf, '}');
}
