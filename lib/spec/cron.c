/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/cron.h"

#include "base/memory.h"

enum { FIELDS = 5, WEEKDAY = 4 };

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct cron_field {
    const char *name;
    uint64_t minimum, maximum;
    const char *const *names; /* of minimum, minimum + 1, … */
    size_t name_count;
} fields[FIELDS] = {
    {"the minute", 0, 59, NULL, 0},
    {"the hour", 0, 23, NULL, 0},
    {"the day of the month", 1, 31, NULL, 0},
    {"the month", 1, 12, month_names, SONDE_LENGTH(month_names)},
    /* 7 is Sunday as well. */
    {"the day of the week", 0, 7, weekday_names, SONDE_LENGTH(weekday_names)},
};

static const struct {
    const char *name;
    const char *meaning;
} macros[] = {
    {"@yearly", "0 0 1 1 *"},  {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},  {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@nightly", "0 0 * * *"}, {"@hourly", "0 * * * *"},
};

static bool is_name(struct sonde_str text, const char *name)
{
    if (text.length != strlen(name)) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if ((text.data[i] | 0x20) != name[i]) {
            return false;
        }
    }
    return true;
}

static int parse_value(const struct cron_field *field, struct sonde_str text, uint64_t *ret,
                       struct sonde_err *err)
{
    for (size_t i = 0; i < field->name_count; i++) {
        if (is_name(text, field->names[i])) {
            *ret = field->minimum + i;
            return 0;
        }
    }
    if (sonde_parse_u64(text, field->minimum, field->maximum, ret) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s must be %llu to %llu%s, is \"%.*s\"",
                          field->name, (unsigned long long)field->minimum,
                          (unsigned long long)field->maximum, field->names ? " or a name" : "",
                          SONDE_STR_ARG(text));
    }
    return 0;
}

/* In a mask: some entry of the field leaves it open, by a star without a step. As in parser.go of
 * robfig/cron 3.0.1, which Kubernetes uses for CronJobs. */
#define UNRESTRICTED (UINT64_C(1) << 63)

/* A list's entry: "*", "5", "1-5", each with "/STEP"; "5/10" is 5 to the end by tens. */
static int parse_entry(const struct cron_field *field, struct sonde_str text, uint64_t *mask,
                       struct sonde_err *err)
{
    uint64_t first = field->minimum;
    uint64_t last = field->maximum;
    uint64_t step = 1;
    struct sonde_str step_text = text;
    struct sonde_str range = sonde_str_split(&step_text, '/');
    if (step_text.data && sonde_parse_u64(step_text, 1, field->maximum, &step) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "the step of %s must be 1 to %llu, is \"%.*s\"",
                          field->name, (unsigned long long)field->maximum,
                          SONDE_STR_ARG(step_text));
    }
    bool weekday = field == &fields[WEEKDAY];
    if (sonde_str_is(range, "*") || sonde_str_is(range, "?")) {
        last = weekday ? 6 : last;
        *mask |= step == 1 ? UNRESTRICTED : 0;
    } else {
        struct sonde_str last_text = range;
        struct sonde_str first_text = sonde_str_split(&last_text, '-');
        int code = parse_value(field, first_text, &first, err);
        if (code == 0 && last_text.data) {
            code = parse_value(field, last_text, &last, err);
        } else if (!step_text.data) {
            last = first;
        } else if (weekday) { /* one day with a step goes to Saturday; 7 is 0 */
            first = first == 7 ? 0 : first;
            last = 6;
        }
        if (code < 0) {
            return code;
        }
    }
    if (first > last) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%s has a range that ends before it begins: %.*s",
                          field->name, SONDE_STR_ARG(range));
    }
    for (uint64_t value = first; value <= last; value += step) {
        *mask |= UINT64_C(1) << value;
    }
    return 0;
}

static int parse_field(const struct cron_field *field, struct sonde_str text, uint64_t *ret,
                       struct sonde_err *err)
{
    *ret = 0;
    struct sonde_str rest = text;
    do {
        int code = parse_entry(field, sonde_str_split(&rest, ','), ret, err);
        if (code < 0) {
            return code;
        }
    } while (rest.data);
    return 0;
}

/* The fields between single or several spaces: exactly five. */
static int split_fields(struct sonde_str text, struct sonde_str ret[FIELDS], struct sonde_err *err)
{
    size_t count = 0;
    struct sonde_str rest = text;
    while (rest.data) {
        struct sonde_str part = sonde_str_split(&rest, ' ');
        if (part.length == 0) {
            continue;
        }
        if (count < FIELDS) {
            ret[count] = part;
        }
        count++;
    }
    if (count != FIELDS || text.data[0] == ' ' || text.data[text.length - 1] == ' ') {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "must have five fields (minute hour day month weekday), has %zu", count);
    }
    return 0;
}

static int expand_macro(struct sonde_str *text, struct sonde_err *err)
{
    if (!sonde_str_starts(*text, "@")) {
        return 0;
    }
    for (size_t i = 0; i < SONDE_LENGTH(macros); i++) {
        if (sonde_str_is(*text, macros[i].name)) {
            *text = sonde_str(macros[i].meaning);
            return 0;
        }
    }
    return sonde_fail(err, SONDE_EINVALID, 0,
                      "must be one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, "
                      "@nightly and @hourly, or five fields");
}

int sonde_cron_parse(struct sonde_str text, struct sonde_cron *ret, struct sonde_err *err)
{
    if (text.length == 0 || text.length > SONDE_CRON_LENGTH_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "must have 1 to %d characters",
                          SONDE_CRON_LENGTH_MAX);
    }
    struct sonde_str texts[FIELDS] = {0};
    uint64_t masks[FIELDS] = {0};
    int code = expand_macro(&text, err);
    code = code ? code : split_fields(text, texts, err);
    for (size_t i = 0; code == 0 && i < FIELDS; i++) {
        code = parse_field(&fields[i], texts[i], &masks[i], err);
    }
    if (code < 0) {
        return code;
    }
    uint64_t weekdays = masks[WEEKDAY];
    *ret = (struct sonde_cron){
        .minutes = masks[0] & ~UNRESTRICTED,
        .hours = (uint32_t)masks[1],
        .days = (uint32_t)masks[2],
        .months = (uint16_t)masks[3],
        .weekdays = (uint8_t)((weekdays | weekdays >> 7) & 0x7f),
        .days_restricted = !(masks[2] & UNRESTRICTED),
        .weekdays_restricted = !(masks[WEEKDAY] & UNRESTRICTED),
    };
    return 0;
}
