/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "sidecar/sidecar.h"
#include "spec/reason.h"

enum { PROCESSES_BYTES_MAX = 48 << 10, SHORT_BYTES_MAX = 2048, SHORT_MESSAGE_MAX = 400 };

void result_init(struct result *result)
{
    *result = (struct result){.state = "Succeeded",
                              .reason = SONDE_REASON_COMPLETED,
                              .processes = SONDE_BUF(PROCESSES_BYTES_MAX),
                              .short_processes = SONDE_BUF(SHORT_BYTES_MAX)};
}

void result_fini(struct result *result)
{
    sonde_buf_fini(&result->processes);
    sonde_buf_fini(&result->short_processes);
}

/* Adds an object whole or not at all. */
static void add(struct sonde_buf *list, const struct sonde_buf *object)
{
    if (object->code == 0 && list->length + object->length + 1 < list->maximum) {
        sonde_buf_text(list, list->length ? "," : "");
        sonde_buf_str(list, sonde_buf_view(object));
    }
}

void result_add(struct result *result, const struct sonde_visit_result *visit)
{
    SONDE_BUF_AUTO whole = SONDE_BUF(8192);
    SONDE_BUF_AUTO small = SONDE_BUF(512);
    double pause_ms = fmax(fmax(visit->start_stall_ms, visit->stop_stall_ms),
                           sonde_visit_stall_quantile(visit, 1));
    sonde_buf_char(&whole, '{');
    sonde_visit_print(visit, &whole);
    sonde_buf_char(&whole, '}');
    sonde_buf_printf(&small, "{\"pid\":%d,\"nodeVersion\":", (int)visit->pid);
    sonde_buf_json_string(&small, sonde_str(visit->node_version));
    sonde_buf_printf(&small, ",\"inspectorOpenMilliseconds\":%.0f,\"pauseMilliseconds\":%.0f}",
                     1e3 * visit->inspector_open_s, pause_ms);
    add(&result->processes, &whole);
    add(&result->short_processes, &small);
    result->artifacts += visit->artifacts;
    result->bytes += visit->bytes;
}

static void print(const struct result *result, size_t message_max,
                  const struct sonde_buf *processes, struct sonde_buf *buf)
{
    struct sonde_str message = {result->message, strnlen(result->message, message_max)};
    while (message.length && !sonde_utf8_valid(message)) {
        message.length--; /* not cut inside a character */
    }
    sonde_buf_printf(buf, "{\"state\":\"%s\",\"reason\":\"%s\",\"message\":", result->state,
                     result->reason);
    sonde_buf_json_string(buf, message);
    sonde_buf_text(buf, ",\"processes\":[");
    sonde_buf_str(buf, sonde_buf_view(processes));
    sonde_buf_printf(buf, "],\"artifacts\":%zu,\"bytes\":%llu}", result->artifacts,
                     (unsigned long long)result->bytes);
}

void result_print(const struct result *result, struct sonde_buf *buf)
{
    print(result, sizeof(result->message), &result->processes, buf);
}

void result_print_short(const struct result *result, struct sonde_buf *buf)
{
    /* 400 bytes are at most 2400 in JSON, beside 2048 of processes: less is tried when it is more.
     */
    for (size_t most = SHORT_MESSAGE_MAX;; most /= 2) {
        sonde_buf_clear(buf);
        print(result, most, &result->short_processes, buf);
        if ((buf->code == 0 && buf->length <= SONDE_UPLINK_MESSAGE_MAX) || most == 0) {
            return;
        }
    }
}
