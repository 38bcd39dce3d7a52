/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void sonde_log_write(const struct sonde_log *log, enum sonde_log_level level, const char *message,
                     const struct sonde_log_field *fields, size_t count)
{
    if (level < log->level) {
        return;
    }
    char time_text[SONDE_TIME_SIZE];
    sonde_time_format(sonde_clock_realtime(), time_text);
    SONDE_BUF_AUTO line = SONDE_BUF(SONDE_LOG_LINE_MAX);
    sonde_buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"component\":\"%s\",\"message\":",
                     time_text, level_names[level], log->component);
    sonde_buf_json_string(&line, sonde_str(message));
    for (size_t i = 0; i < count; i++) {
        sonde_buf_char(&line, ',');
        sonde_buf_json_string(&line, sonde_str(fields[i].name));
        sonde_buf_char(&line, ':');
        if (fields[i].text.data) {
            sonde_buf_json_string(&line, fields[i].text);
        } else {
            sonde_buf_printf(&line, "%lld", (long long)fields[i].number);
        }
    }
    sonde_buf_text(&line, "}\n");
    if (line.code) {
        static const char notice[] =
            "{\"level\":\"warn\",\"message\":\"a log line was too long\"}\n";
        int ignored = sonde_write_all(log->fd, notice, sizeof(notice) - 1, "log", NULL);
        (void)ignored;
        return;
    }
    int ignored = sonde_write_all(log->fd, line.data, line.length, "log", NULL);
    (void)ignored;
}
