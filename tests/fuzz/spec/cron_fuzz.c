/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a schedule; what is accepted fires at some time, fits the pattern of the API server,
 * and means the same with each field written out as a list. */
#include <regex.h>
#include <stdlib.h>

#include "base/buf.h"
#include "spec/cron.h"
#include "spec/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 5, TEXT_MAX = 2 * SONDE_CRON_LENGTH_MAX };

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void must_match(struct sonde_str text)
{
    static regex_t regex;
    static bool compiled;
    char copy[SONDE_CRON_LENGTH_MAX + 1];
    if (!compiled) {
        must(regcomp(&regex, sonde_format_schedule.pattern, REG_EXTENDED | REG_NOSUB) == 0);
        compiled = true;
    }
    must(!memchr(text.data, '\0', text.length));
    (void)snprintf(copy, sizeof(copy), "%.*s", SONDE_STR_ARG(text));
    must(regexec(&regex, copy, 0, NULL, 0) == 0);
}

static void masks_of(const struct sonde_cron *cron, uint64_t ret[FIELDS])
{
    ret[0] = cron->minutes;
    ret[1] = cron->hours;
    ret[2] = cron->days;
    ret[3] = cron->months;
    ret[4] = cron->weekdays;
}

/* "* * 1,5 * *" for one field of a schedule. */
static void write_out(uint64_t mask, size_t field, struct sonde_buf *buf)
{
    for (size_t i = 0; i < FIELDS; i++) {
        sonde_buf_text(buf, i ? " " : "");
        if (i != field) {
            sonde_buf_char(buf, '*');
            continue;
        }
        const char *comma = "";
        for (unsigned value = 0; value < 64; value++) {
            if (mask >> value & 1) {
                sonde_buf_printf(buf, "%s%u", comma, value);
                comma = ",";
            }
        }
    }
}

static void written_out_is_the_same(const struct sonde_cron *cron)
{
    uint64_t masks[FIELDS];
    masks_of(cron, masks);
    for (size_t i = 0; i < FIELDS; i++) {
        SONDE_BUF_AUTO text = SONDE_BUF(TEXT_MAX);
        write_out(masks[i], i, &text);
        must(text.code == 0);
        struct sonde_cron again;
        uint64_t others[FIELDS];
        must(sonde_cron_parse(sonde_buf_view(&text), &again, NULL) == 0);
        masks_of(&again, others);
        must(others[i] == masks[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_str text = {(const char *)data, size};
    struct sonde_cron cron;
    struct sonde_err err = {0};
    if (sonde_cron_parse(text, &cron, &err) < 0) {
        must(err.message[0] != '\0');
        must(!sonde_format_schedule.check(text));
        return 0;
    }
    must_match(text);
    written_out_is_the_same(&cron); /* also: no mask is empty or beyond its bounds */
    return 0;
}
