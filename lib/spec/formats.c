/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/formats.h"

#include <stdio.h>
#include <time.h>

#include "spec/cron.h"
#include "spec/threshold.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_alphanumeric(char c)
{
    return is_letter(c) || is_digit(c);
}

static bool is_lower_or_digit(char c)
{
    return is_lower(c) || is_digit(c);
}

static bool is_dns(char c)
{
    return is_lower_or_digit(c) || c == '-';
}

static bool is_label(char c)
{
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
}

static bool is_identifier(char c)
{
    return is_alphanumeric(c) || c == '_';
}

static bool is_visible(char c)
{
    return c >= '!' && c <= '~';
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

static bool is_not_control(char c)
{
    return (unsigned char)c >= ' ' && c != 0x7f;
}

static bool is_token(char c)
{
    return is_alphanumeric(c) || (c && strchr("!#$%&'*+.^_`|~-", c));
}

static bool is_authority(char c)
{
    return is_alphanumeric(c) || (c && strchr("[].:_-", c));
}

static bool is_host(char c)
{
    return is_alphanumeric(c) || (c && strchr("[].:*-", c));
}

static bool is_zone(char c)
{
    return is_alphanumeric(c) || c == '_' || c == '+' || c == '-';
}

static bool all(struct sonde_str text, bool (*is)(char))
{
    for (size_t i = 0; i < text.length; i++) {
        if (!is(text.data[i])) {
            return false;
        }
    }
    return true;
}

/* Not empty, of `inner` characters, with `outer` ones at both ends. */
static bool word(struct sonde_str text, bool (*outer)(char), bool (*inner)(char))
{
    return text.length && outer(text.data[0]) && outer(text.data[text.length - 1]) &&
           all(text, inner);
}

/* Whether each of the parts that the separator makes is right; one at least. */
static bool each_part(struct sonde_str text, char separator, bool (*is)(struct sonde_str))
{
    struct sonde_str rest = text;
    do {
        if (!is(sonde_str_split(&rest, separator))) {
            return false;
        }
    } while (rest.data);
    return true;
}

static bool is_dns_label(struct sonde_str text)
{
    return word(text, is_lower_or_digit, is_dns);
}

static bool is_dns_subdomain(struct sonde_str text)
{
    return each_part(text, '.', is_dns_label);
}

static bool is_name(struct sonde_str text)
{
    return word(text, is_alphanumeric, is_label);
}

static bool is_label_key(struct sonde_str text)
{
    enum { NAME_MAX_LENGTH = 63, PREFIX_MAX_LENGTH = 253 };
    struct sonde_str name = text;
    struct sonde_str prefix = sonde_str_split(&name, '/');
    if (!name.data) {
        name = prefix;
    } else if (prefix.length > PREFIX_MAX_LENGTH || !is_dns_subdomain(prefix)) {
        return false;
    }
    return name.length <= NAME_MAX_LENGTH && is_name(name);
}

static bool is_label_value(struct sonde_str text)
{
    return text.length == 0 || is_name(text);
}

static bool is_variable(struct sonde_str text)
{
    return text.length && !is_digit(text.data[0]) && all(text, is_identifier);
}

static bool is_data_key(struct sonde_str text)
{
    return text.length && all(text, is_label);
}

static bool is_url(struct sonde_str text)
{
    size_t scheme = sonde_str_starts(text, "http://") ? 7 : 8;
    if (scheme == 8 && !sonde_str_starts(text, "https://")) {
        return false;
    }
    struct sonde_str path = {text.data + scheme, text.length - scheme};
    struct sonde_str authority = sonde_str_split(&path, '/');
    return authority.length && all(authority, is_authority) && all(path, is_visible);
}

static bool is_path(struct sonde_str text)
{
    return text.length && text.data[0] == '/' && all(text, is_visible);
}

static bool is_header_name(struct sonde_str text)
{
    return text.length && all(text, is_token);
}

static bool is_header_value(struct sonde_str text)
{
    return all(text, is_printable);
}

static bool is_host_name(struct sonde_str text)
{
    return text.length && all(text, is_host);
}

static bool is_pointer(struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '~' &&
            (i + 1 == text.length || (text.data[i + 1] != '0' && text.data[i + 1] != '1'))) {
            return false;
        }
    }
    return text.length && text.data[0] == '/';
}

static size_t digits(struct sonde_str text, size_t at)
{
    size_t end = at;
    while (end < text.length && is_digit(text.data[end])) {
        end++;
    }
    return end - at;
}

static bool is_quantity(struct sonde_str text)
{
    static const char *const suffixes[] = {"",  "m",  "k",  "M",  "G",  "T",  "P",
                                           "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    size_t at = digits(text, 0);
    if (at == 0) {
        return false;
    }
    if (at < text.length && text.data[at] == '.') {
        size_t fraction = digits(text, at + 1);
        if (fraction == 0) {
            return false;
        }
        at += 1 + fraction;
    }
    struct sonde_str suffix = {text.data + at, text.length - at};
    for (size_t i = 0; i < SONDE_LENGTH(suffixes); i++) {
        if (sonde_str_is(suffix, suffixes[i])) {
            return true;
        }
    }
    return false;
}

static bool is_schedule(struct sonde_str text)
{
    struct sonde_cron cron;
    return sonde_cron_parse(text, &cron, NULL) == 0;
}

static int explain_schedule(struct sonde_str text, struct sonde_err *err)
{
    struct sonde_cron cron;
    return sonde_cron_parse(text, &cron, err);
}

static bool is_zone_part(struct sonde_str text)
{
    return text.length && all(text, is_zone);
}

static bool is_time_zone(struct sonde_str text)
{
    /* As for CronJobs: what "Local" means depends on the machine. */
    return text.length && is_letter(text.data[0]) && !sonde_str_is(text, "Local") &&
           each_part(text, '/', is_zone_part);
}

/* A day that there is: what is read must print the same. Nanoseconds since 1970 have no room for
 * the year 2300. */
static bool is_time(struct sonde_str text)
{
    static const time_t after = 7258118400; /* 2200-01-01 */
    static const char format[] = "%Y-%m-%dT%H:%M:%SZ";
    enum { LENGTH = 20 };
    char copy[LENGTH + 1];
    char again[LENGTH + 1];
    struct tm time = {0};
    if (text.length != LENGTH) {
        return false;
    }
    (void)snprintf(copy, sizeof(copy), "%.*s", SONDE_STR_ARG(text));
    const char *end = strptime(copy, format, &time);
    time_t seconds = end && *end == '\0' ? timegm(&time) : -1;
    return seconds >= 0 && seconds < after && gmtime_r(&seconds, &time) &&
           strftime(again, sizeof(again), format, &time) == LENGTH && strcmp(copy, again) == 0;
}

static bool is_threshold(struct sonde_str text)
{
    struct sonde_threshold threshold;
    return sonde_threshold_parse(text, &threshold, NULL) == 0;
}

static int explain_threshold(struct sonde_str text, struct sonde_err *err)
{
    struct sonde_threshold threshold;
    return sonde_threshold_parse(text, &threshold, err);
}

static bool is_one_line(struct sonde_str text)
{
    return all(text, is_not_control);
}

#define DNS_LABEL "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define NAME "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"

const struct sonde_format sonde_format_dns_label = {
    .words = "a name of lower-case letters, digits and -, with a letter or digit at both ends",
    .pattern = "^" DNS_LABEL "$",
    .exact = true,
    .check = is_dns_label,
};
const struct sonde_format sonde_format_dns_subdomain = {
    .words = "a name of lower-case letters, digits, - and ., with a letter or digit at both ends",
    .pattern = "^" DNS_LABEL "(\\." DNS_LABEL ")*$",
    .exact = true,
    .check = is_dns_subdomain,
};
const struct sonde_format sonde_format_label_key = {
    .words = "a label's key: [prefix/]name, such as app.kubernetes.io/name",
    .pattern = "^(" DNS_LABEL "(\\." DNS_LABEL ")*/)?" NAME "$",
    .check = is_label_key,
};
const struct sonde_format sonde_format_label_value = {
    .words = "a label's value: letters, digits, -, _ and ., with a letter or digit at both ends",
    .pattern = "^(" NAME ")?$",
    .exact = true,
    .check = is_label_value,
};
const struct sonde_format sonde_format_name = {
    .words = "a name of letters, digits, -, _ and ., with a letter or digit at both ends",
    .pattern = "^" NAME "$",
    .exact = true,
    .check = is_name,
};
const struct sonde_format sonde_format_identifier = {
    .words = "a name of letters, digits and _ that does not begin with a digit",
    .pattern = "^[A-Za-z_][A-Za-z0-9_]*$",
    .exact = true,
    .check = is_variable,
};
const struct sonde_format sonde_format_data_key = {
    .words = "a key of letters, digits, -, _ and .",
    .pattern = "^[-A-Za-z0-9_.]+$",
    .exact = true,
    .check = is_data_key,
};
const struct sonde_format sonde_format_url = {
    .words = "a URL that begins with http:// or https:// and names no user",
    .pattern = "^https?://([A-Za-z0-9.:_-]|\\[|\\])+(/[!-~]*)?$",
    .exact = true,
    .check = is_url,
};
const struct sonde_format sonde_format_path = {
    .words = "a path that begins with / and has no spaces",
    .pattern = "^/[!-~]*$",
    .exact = true,
    .check = is_path,
};
const struct sonde_format sonde_format_header_name = {
    .words = "a header's name",
    .pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    .exact = true,
    .check = is_header_name,
};
const struct sonde_format sonde_format_header_value = {
    .words = "one line of printable ASCII",
    .pattern = "^[ -~]*$",
    .exact = true,
    .check = is_header_value,
};
const struct sonde_format sonde_format_host = {
    .words = "a host's name or address, such as api.example.com or *.example.com",
    .pattern = "^([A-Za-z0-9.:*-]|\\[|\\])+$",
    .exact = true,
    .check = is_host_name,
};
const struct sonde_format sonde_format_pointer = {
    .words = "a JSON pointer, such as /items/0/id",
    .pattern = "^(/([^~/]|~[01])*)+$",
    .exact = true,
    .check = is_pointer,
};
const struct sonde_format sonde_format_quantity = {
    .words = "a quantity, such as 500m or 256Mi",
    .pattern = "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
    .exact = true,
    .check = is_quantity,
};
const struct sonde_format sonde_format_schedule = {
    .words = "a cron schedule: five fields, such as 30 2 * * 1-5, or @daily and the like",
    .pattern = "^(@(yearly|annually|monthly|weekly|daily|midnight|nightly|hourly)|"
               "[0-9A-Za-z*?/,-]+( +[0-9A-Za-z*?/,-]+){4})$",
    .check = is_schedule,
    .explain = explain_schedule,
};
const struct sonde_format sonde_format_time_zone = {
    .words = "a time zone's name, such as Europe/London or UTC",
    .pattern = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
    .check = is_time_zone,
};
const struct sonde_format sonde_format_time = {
    .words = "a time in UTC before the year 2200, such as 2026-12-01T00:00:00Z",
    .pattern = "^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    .check = is_time,
};
const struct sonde_format sonde_format_threshold = {
    .words = "a threshold, such as http_req_duration: p(99)<250 or http_req_failed: rate<0.001",
    .pattern = "^(http_req_(duration|service|send_lag|failed)|http_reqs|dropped_requests|"
               "data_(received|sent))([{][A-Za-z_][A-Za-z0-9_]*:[-A-Za-z0-9_.]+[}])? *: *"
               "(avg|min|max|med|count|rate|p[(][0-9]+(\\.[0-9]+)?[)]) *"
               "(<=|<|>=|>|===|==|!=) *-?[0-9]+(\\.[0-9]+)? *$",
    .check = is_threshold,
    .explain = explain_threshold,
};
const struct sonde_format sonde_format_one_line = {
    .words = "one line without control characters",
    .pattern = "^[^\001-\037]*$", /* ECMAScript has no name for all control characters */
    .check = is_one_line,
};

static const struct sonde_format *const formats[] = {
    &sonde_format_dns_label,   &sonde_format_dns_subdomain, &sonde_format_label_key,
    &sonde_format_label_value, &sonde_format_name,          &sonde_format_identifier,
    &sonde_format_data_key,    &sonde_format_url,           &sonde_format_path,
    &sonde_format_header_name, &sonde_format_header_value,  &sonde_format_host,
    &sonde_format_pointer,     &sonde_format_quantity,      &sonde_format_schedule,
    &sonde_format_time_zone,   &sonde_format_time,          &sonde_format_threshold,
    &sonde_format_one_line,
};

const struct sonde_format *const *sonde_formats(size_t *ret_count)
{
    *ret_count = SONDE_LENGTH(formats);
    return formats;
}
