/* SPDX-License-Identifier: Apache-2.0 */
#include "load/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cell.h"
#include "base/clock.h"
#include "load/xml.h"

static const char *const kind_words[] = {
    [SONDE_CHECK_RUN] = "Run",
    [SONDE_CHECK_THRESHOLD] = "ThresholdBroken",
    [SONDE_CHECK_REGRESSION] = "Regression",
    [SONDE_CHECK_BUDGET] = "BudgetExceeded",
};
static const char *const groups[] = {
    [SONDE_CHECK_RUN] = "run",
    [SONDE_CHECK_THRESHOLD] = "threshold",
    [SONDE_CHECK_REGRESSION] = "baseline",
    [SONDE_CHECK_BUDGET] = "budget",
};
static const char *const state_words[] = {
    [SONDE_CHECK_PASSED] = "passed",
    [SONDE_CHECK_FAILED] = "failed",
    [SONDE_CHECK_SKIPPED] = "skipped",
};

const char *sonde_check_kind_word(enum sonde_check_kind kind)
{
    return kind_words[kind];
}

void sonde_checks_init(struct sonde_checks *checks)
{
    *checks = (struct sonde_checks){.name = "",
                                    .uid = "",
                                    .target = "",
                                    .report = "",
                                    .arena = SONDE_ARENA(SONDE_CHECKS_BYTES_MAX)};
}

void sonde_checks_fini(struct sonde_checks *checks)
{
    free(checks->items);
    sonde_arena_fini(&checks->arena);
    *checks = (struct sonde_checks){0};
}

const char *sonde_checks_keep(struct sonde_checks *checks, const char *text)
{
    return sonde_arena_copy(&checks->arena, sonde_str(text)).data;
}

int sonde_checks_add(struct sonde_checks *checks, enum sonde_check_kind kind,
                     enum sonde_check_state state, const char *name, struct sonde_err *err,
                     const char *format, ...)
{
    char message[SONDE_CHECK_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    int r = sonde_array_grow(&checks->items, &checks->capacity, checks->count + 1,
                             sizeof(*checks->items), SONDE_CHECKS_MAX);
    struct sonde_check added = {kind, state, sonde_checks_keep(checks, name),
                                sonde_checks_keep(checks, message)};
    if (r == SONDE_ELIMIT) {
        return sonde_fail(err, r, 0, "more than %d checks", SONDE_CHECKS_MAX);
    }
    if (r < 0 || !added.name || !added.message) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the checks: out of memory");
    }
    checks->items[checks->count++] = added;
    return 0;
}

size_t sonde_checks_count(const struct sonde_checks *checks, enum sonde_check_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < checks->count; i++) {
        count += checks->items[i].state == state;
    }
    return count;
}

enum sonde_check_kind sonde_checks_verdict(const struct sonde_checks *checks)
{
    enum sonde_check_kind verdict = SONDE_CHECK_KINDS;
    for (size_t i = 0; i < checks->count; i++) {
        const struct sonde_check *check = &checks->items[i];
        if (check->state == SONDE_CHECK_FAILED && check->kind < verdict) {
            verdict = check->kind;
        }
    }
    return verdict;
}

/* ---- text and JSON ---- */

void sonde_checks_text(const struct sonde_checks *checks, struct sonde_buf *buf)
{
    for (size_t i = 0; i < checks->count; i++) {
        const struct sonde_check *check = &checks->items[i];
        if (check->state == SONDE_CHECK_PASSED) {
            continue;
        }
        sonde_buf_printf(buf, "%-8s", state_words[check->state]);
        sonde_cell_clean(buf, sonde_str(groups[check->kind]));
        sonde_buf_text(buf, ": ");
        sonde_cell_clean(buf, sonde_str(check->name));
        sonde_buf_text(buf, check->message[0] ? ": " : "");
        sonde_cell_clean(buf, sonde_str(check->message));
        sonde_buf_char(buf, '\n');
    }
    sonde_buf_printf(buf, "%zu checks: %zu passed, %zu failed, %zu skipped\n", checks->count,
                     sonde_checks_count(checks, SONDE_CHECK_PASSED),
                     sonde_checks_count(checks, SONDE_CHECK_FAILED),
                     sonde_checks_count(checks, SONDE_CHECK_SKIPPED));
}

static void put_member(const char *name, const char *text, struct sonde_buf *buf)
{
    sonde_buf_printf(buf, "\"%s\":", name);
    sonde_buf_json_string(buf, sonde_str(text));
}

void sonde_checks_json(const struct sonde_checks *checks, struct sonde_buf *buf)
{
    sonde_buf_char(buf, '{');
    put_member("name", checks->name, buf);
    sonde_buf_char(buf, ',');
    put_member("uid", checks->uid, buf);
    enum sonde_check_kind verdict = sonde_checks_verdict(checks);
    sonde_buf_char(buf, ',');
    put_member("verdict", verdict < SONDE_CHECK_KINDS ? kind_words[verdict] : "Passed", buf);
    sonde_buf_text(buf, ",\"checks\":[");
    for (size_t i = 0; i < checks->count; i++) {
        const struct sonde_check *check = &checks->items[i];
        sonde_buf_text(buf, i ? ",{" : "{");
        put_member("kind", groups[check->kind], buf);
        sonde_buf_char(buf, ',');
        put_member("name", check->name, buf);
        sonde_buf_char(buf, ',');
        put_member("state", state_words[check->state], buf);
        sonde_buf_char(buf, ',');
        put_member("message", check->message, buf);
        sonde_buf_char(buf, '}');
    }
    sonde_buf_text(buf, "]}\n");
}

/* ---- JUnit ---- */

static void put_case(const struct sonde_checks *checks, const struct sonde_check *check,
                     struct sonde_buf *buf)
{
    sonde_buf_text(buf, "    <testcase");
    SONDE_BUF_AUTO class = SONDE_BUF(SONDE_CHECK_TEXT_MAX);
    sonde_buf_printf(&class, "%s.%s", checks->name, groups[check->kind]);
    sonde_xml_attribute("classname", class.data ? class.data : "", buf);
    sonde_xml_attribute("name", check->name, buf);
    sonde_buf_printf(buf, " time=\"%.3f\">", checks->seconds);
    if (check->state == SONDE_CHECK_FAILED) {
        sonde_buf_text(buf, "<failure");
        sonde_xml_attribute("type", kind_words[check->kind], buf);
        sonde_xml_attribute("message", check->message, buf);
        sonde_buf_text(buf, "/>");
    } else if (check->state == SONDE_CHECK_SKIPPED) {
        sonde_buf_text(buf, "<skipped");
        sonde_xml_attribute("message", check->message, buf);
        sonde_buf_text(buf, "/>");
    }
    sonde_buf_text(buf, "</testcase>\n");
    buf->code = buf->code ? buf->code : class.code;
}

void sonde_checks_junit(const struct sonde_checks *checks, struct sonde_buf *buf)
{
    char time[SONDE_TIME_SIZE];
    sonde_time_format(checks->start_ns, time);
    sonde_buf_text(buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite");
    sonde_xml_attribute("name", checks->name, buf);
    sonde_buf_printf(buf,
                     " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"%.3f\"",
                     checks->count, sonde_checks_count(checks, SONDE_CHECK_FAILED),
                     sonde_checks_count(checks, SONDE_CHECK_SKIPPED), checks->seconds);
    sonde_xml_attribute("timestamp", time, buf);
    sonde_buf_text(buf, ">\n    <properties>\n      <property name=\"target\"");
    sonde_xml_attribute("value", checks->target, buf);
    sonde_buf_text(buf, "/>\n    </properties>\n");
    for (size_t i = 0; i < checks->count; i++) {
        put_case(checks, &checks->items[i], buf);
    }
    sonde_buf_text(buf, "    <system-out>");
    sonde_xml_text(checks->report, buf);
    sonde_buf_text(buf, "</system-out>\n  </testsuite>\n</testsuites>\n");
}

/* ---- Markdown ---- */

/* As it stands, in a cell of a table: what Markdown or HTML would read is escaped. Who is
 * mentioned, and which issue, GitHub looks for in what has been rendered: what stands behind @ and
 * # must not be of the same text. */
static void put_plain(const char *text, struct sonde_buf *buf)
{
    static const char special[] = "\\`*_{}[]<>()#+-!|~&@:";
    static const char linking[] = "@#";
    SONDE_BUF_AUTO clean = SONDE_BUF(buf->maximum);
    sonde_cell_clean(&clean, sonde_str(text));
    for (size_t i = 0; i < clean.length; i++) {
        if (strchr(special, clean.data[i])) {
            sonde_buf_char(buf, '\\');
        }
        sonde_buf_char(buf, clean.data[i]);
        sonde_buf_text(buf, strchr(linking, clean.data[i]) ? "<!-- -->" : "");
    }
    buf->code = buf->code ? buf->code : clean.code;
}

static void put_row(const struct sonde_check *check, struct sonde_buf *buf)
{
    static const char *const marks[] = {
        [SONDE_CHECK_PASSED] = "✅", [SONDE_CHECK_FAILED] = "❌", [SONDE_CHECK_SKIPPED] = "⚪"};
    sonde_buf_printf(buf, "| %s | %s | ", marks[check->state], groups[check->kind]);
    put_plain(check->name, buf);
    sonde_buf_text(buf, " | ");
    put_plain(check->message, buf);
    sonde_buf_text(buf, " |\n");
}

/* A fence that the text does not have. */
static void put_code(const char *text, struct sonde_buf *buf)
{
    size_t longest = 2;
    size_t length = 0;
    for (const char *at = text; *at; at++) {
        length = *at == '`' ? length + 1 : 0;
        longest = length > longest ? length : longest;
    }
    sonde_buf_repeat(buf, '`', longest + 1);
    sonde_buf_char(buf, '\n');
    struct sonde_str rest = sonde_str(text);
    while (rest.length) {
        sonde_cell_clean(buf, sonde_str_split(&rest, '\n'));
        sonde_buf_char(buf, '\n');
    }
    sonde_buf_repeat(buf, '`', longest + 1);
    sonde_buf_char(buf, '\n');
}

void sonde_checks_markdown(const struct sonde_checks *checks, struct sonde_buf *buf)
{
    enum sonde_check_kind verdict = sonde_checks_verdict(checks);
    bool failed = verdict < SONDE_CHECK_KINDS;
    sonde_buf_printf(buf, "### %s ", failed ? "❌" : "✅");
    put_plain(checks->name, buf);
    sonde_buf_printf(buf, ": %s\n\n", failed ? kind_words[verdict] : "passed");
    put_plain(checks->target, buf);
    sonde_buf_printf(buf, ", %.1f s: %zu checks passed, %zu failed, %zu skipped\n\n",
                     checks->seconds, sonde_checks_count(checks, SONDE_CHECK_PASSED),
                     sonde_checks_count(checks, SONDE_CHECK_FAILED),
                     sonde_checks_count(checks, SONDE_CHECK_SKIPPED));
    sonde_buf_text(buf, "| | | check | |\n|---|---|---|---|\n");
    static const enum sonde_check_state order[] = {SONDE_CHECK_FAILED, SONDE_CHECK_SKIPPED,
                                                   SONDE_CHECK_PASSED};
    for (size_t k = 0; k < SONDE_LENGTH(order); k++) {
        for (size_t i = 0; i < checks->count; i++) {
            if (checks->items[i].state == order[k]) {
                put_row(&checks->items[i], buf);
            }
        }
    }
    if (checks->report[0]) {
        sonde_buf_text(buf, "\n<details><summary>Report</summary>\n\n");
        put_code(checks->report, buf);
        sonde_buf_text(buf, "\n</details>\n");
    }
}
