/* SPDX-License-Identifier: Apache-2.0 */
#include "load/cookies.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- dates: RFC 6265, 5.1.1 ---- */

struct date {
    bool has_time, has_day, has_month, has_year;
    int hour, minute, second, day, month, year;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_delimiter(char c)
{
    unsigned char u = (unsigned char)c;
    return u == 0x09 || (u >= 0x20 && u <= 0x2f) || (u >= 0x3b && u <= 0x40) ||
           (u >= 0x5b && u <= 0x60) || (u >= 0x7b && u <= 0x7e);
}

/* From `least` to `most` digits at *at, which moves behind them; no digit may follow. */
static bool take_number(struct sonde_str text, size_t *at, size_t least, size_t most, int *ret)
{
    size_t begin = *at;
    int number = 0;
    while (*at < text.length && is_digit(text.data[*at]) && *at - begin < most) {
        number = number * 10 + (text.data[(*at)++] - '0');
    }
    *ret = number;
    return *at - begin >= least && (*at == text.length || !is_digit(text.data[*at]));
}

static bool take_time(struct sonde_str text, struct date *date)
{
    int parts[3];
    size_t at = 0;
    for (size_t i = 0; i < SONDE_LENGTH(parts); i++) {
        if (i && (at == text.length || text.data[at] != ':')) {
            return false;
        }
        at += i > 0;
        if (!take_number(text, &at, 1, 2, &parts[i])) {
            return false;
        }
    }
    date->hour = parts[0];
    date->minute = parts[1];
    date->second = parts[2];
    return true;
}

static bool take_month(struct sonde_str text, int *ret)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; text.length >= 3 && i < 12; i++) {
        if (strncasecmp(text.data, names + 3 * (size_t)i, 3) == 0) {
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

/* The first that a part can be, of those that are still missing. */
static void take_part(struct sonde_str text, struct date *date)
{
    size_t at = 0;
    if (!date->has_time && take_time(text, date)) {
        date->has_time = true;
    } else if (!date->has_day && take_number(text, &at, 1, 2, &date->day)) {
        date->has_day = true;
    } else if (!date->has_month && take_month(text, &date->month)) {
        date->has_month = true;
    } else if (!date->has_year) {
        at = 0;
        date->has_year = take_number(text, &at, 2, 4, &date->year);
    }
}

int sonde_cookie_date(struct sonde_str text, int64_t *ret)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct date d = {0};
    for (size_t i = 0; i < text.length;) {
        size_t begin = i;
        while (i < text.length && !is_delimiter(text.data[i])) {
            i++;
        }
        if (i > begin) {
            take_part((struct sonde_str){text.data + begin, i - begin}, &d);
        }
        i += i < text.length;
    }
    if (!d.has_time || !d.has_day || !d.has_month || !d.has_year) {
        return SONDE_EPARSE;
    }
    d.year += d.year >= 70 && d.year <= 99 ? 1900 : d.year <= 69 ? 2000 : 0;
    bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;
    if (d.year < 1601 || d.day < 1 || d.day > days[d.month - 1] ||
        (d.month == 2 && d.day == 29 && !leap) || d.hour > 23 || d.minute > 59 || d.second > 59) {
        return SONDE_EPARSE;
    }
    struct tm parts = {.tm_year = d.year - 1900,
                       .tm_mon = d.month - 1,
                       .tm_mday = d.day,
                       .tm_hour = d.hour,
                       .tm_min = d.minute,
                       .tm_sec = d.second};
    *ret = (int64_t)timegm(&parts);
    return 0;
}

/* ---- the jar ---- */

static void remove_at(struct sonde_cookie_jar *jar, size_t at)
{
    free(jar->items[at].memory);
    jar->count--;
    memmove(&jar->items[at], &jar->items[at + 1], (jar->count - at) * sizeof(*jar->items));
}

void sonde_cookies_clear(struct sonde_cookie_jar *jar)
{
    for (size_t i = 0; i < jar->count; i++) {
        free(jar->items[i].memory);
    }
    jar->count = 0;
}

void sonde_cookies_fini(struct sonde_cookie_jar *jar)
{
    sonde_cookies_clear(jar);
    free(SONDE_TAKE(jar->items));
    jar->capacity = 0;
}

static bool is_address(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    return inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1;
}

/* 5.1.3; the domain is in small letters. */
static bool domain_matches(const char *host, struct sonde_str domain)
{
    struct sonde_str text = sonde_str(host);
    if (text.length == domain.length) {
        return strncasecmp(host, domain.data, domain.length) == 0;
    }
    const char *end = host + text.length - domain.length;
    return text.length > domain.length && strncasecmp(end, domain.data, domain.length) == 0 &&
           end[-1] == '.' && !is_address(host);
}

static struct sonde_str without_query(struct sonde_str path)
{
    struct sonde_str rest = path;
    return sonde_str_split(&rest, '?');
}

/* 5.1.4 */
static struct sonde_str default_path(struct sonde_str path)
{
    struct sonde_str own = without_query(path);
    while (own.length > 1 && own.data[own.length - 1] != '/') {
        own.length--;
    }
    own.length -= own.length > 1;
    return own.length && own.data[0] == '/' ? own : SONDE_STR("/");
}

static bool path_matches(struct sonde_str asked, struct sonde_str own)
{
    struct sonde_str path = without_query(asked);
    if (path.length < own.length || memcmp(path.data, own.data, own.length) != 0) {
        return false;
    }
    return path.length == own.length || own.data[own.length - 1] == '/' ||
           path.data[own.length] == '/';
}

/* What a Set-Cookie field says. */
struct said {
    struct sonde_str name, value, domain, path;
    int64_t expires;
    bool has_age, secure;
};

static int64_t expiry_of_age(struct sonde_str value, int64_t now, int64_t otherwise)
{
    bool negative = value.length && value.data[0] == '-';
    struct sonde_str digits = {value.data + negative, value.length - negative};
    uint64_t age;
    int r = sonde_parse_u64(digits, 0, INT32_MAX, &age);
    if (r == SONDE_EPARSE) {
        return otherwise;
    }
    return negative || (r == 0 && age == 0) ? INT64_MIN
           : r < 0                          ? INT64_MAX - 1
                                            : now + (int64_t)age;
}

static bool is_word(struct sonde_str text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

static void take_attribute(struct sonde_str text, int64_t now, struct said *ret)
{
    struct sonde_str value = text;
    struct sonde_str name = sonde_str_trim(sonde_str_split(&value, '='));
    value = sonde_str_trim(value);
    int64_t date;
    if (is_word(name, "max-age")) {
        int64_t expires = expiry_of_age(value, now, INT64_MAX);
        ret->has_age = ret->has_age || expires != INT64_MAX;
        ret->expires = expires == INT64_MAX ? ret->expires : expires;
    } else if (is_word(name, "expires") && !ret->has_age && sonde_cookie_date(value, &date) == 0) {
        ret->expires = date;
    } else if (is_word(name, "domain") && value.length) {
        size_t dot = value.data[0] == '.';
        ret->domain = (struct sonde_str){value.data + dot, value.length - dot};
    } else if (is_word(name, "path")) {
        bool whole = value.length && value.data[0] == '/';
        ret->path = whole ? value : (struct sonde_str){0};
    } else if (is_word(name, "secure")) {
        ret->secure = true;
    }
}

static bool has_control(struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/* 5.2. False: it is no cookie. */
static bool parse(struct sonde_str field, int64_t now, struct said *ret)
{
    struct sonde_str rest = field;
    struct sonde_str value = sonde_str_split(&rest, ';');
    *ret = (struct said){.expires = INT64_MAX};
    if (has_control(field) || !memchr(value.data ? value.data : "", '=', value.length)) {
        return false;
    }
    ret->name = sonde_str_trim(sonde_str_split(&value, '='));
    ret->value = sonde_str_trim(value);
    while (rest.data) {
        take_attribute(sonde_str_split(&rest, ';'), now, ret);
    }
    return ret->name.length && ret->name.length + ret->value.length <= SONDE_COOKIE_MAX &&
           ret->domain.length <= SONDE_COOKIE_SCOPE && ret->path.length <= SONDE_COOKIE_SCOPE;
}

static char *put(char *at, struct sonde_str text, struct sonde_str *ret)
{
    if (text.length) {
        memcpy(at, text.data, text.length);
    }
    *ret = (struct sonde_str){at, text.length};
    return at + text.length;
}

static int keep(struct sonde_cookie_jar *jar, const struct said *said, bool host_only,
                uint64_t number, struct sonde_err *err)
{
    size_t size =
        said->name.length + said->value.length + said->domain.length + said->path.length + 1;
    char *memory = malloc(size);
    if (!memory || sonde_array_grow(&jar->items, &jar->capacity, jar->count + 1,
                                    sizeof(*jar->items), SONDE_COOKIES_MAX) < 0) {
        free(memory);
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a cookie");
    }
    struct sonde_cookie *cookie = &jar->items[jar->count++];
    *cookie = (struct sonde_cookie){.memory = memory,
                                    .expires = said->expires,
                                    .number = number,
                                    .host_only = host_only,
                                    .secure = said->secure};
    char *at = put(memory, said->name, &cookie->name);
    at = put(at, said->value, &cookie->value);
    char *domain = at;
    at = put(at, said->domain, &cookie->domain);
    (void)put(at, said->path, &cookie->path);
    for (char *c = domain; c < at; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    }
    return 0;
}

static void remove_oldest(struct sonde_cookie_jar *jar)
{
    size_t oldest = 0;
    for (size_t i = 1; i < jar->count; i++) {
        oldest = jar->items[i].number < jar->items[oldest].number ? i : oldest;
    }
    remove_at(jar, oldest);
}

static bool is_same(const struct sonde_cookie *cookie, const struct said *said)
{
    return sonde_str_equal(cookie->name, said->name) && sonde_str_equal(cookie->path, said->path) &&
           cookie->domain.length == said->domain.length &&
           strncasecmp(cookie->domain.data, said->domain.data, said->domain.length) == 0;
}

int sonde_cookies_set(struct sonde_cookie_jar *jar, const struct sonde_cookie_place *place,
                      struct sonde_str field, int64_t now, struct sonde_err *err)
{
    struct said said;
    if (!parse(field, now, &said)) {
        return 0;
    }
    struct sonde_str host = sonde_str(place->host);
    bool own = said.domain.length == 0 || is_word(said.domain, place->host);
    bool host_only = said.domain.length == 0 || (own && is_address(place->host));
    if (!own && (!domain_matches(place->host, said.domain) ||
                 !memchr(said.domain.data, '.', said.domain.length))) {
        return 0;
    }
    said.domain = own ? host : said.domain;
    said.path = said.path.data ? said.path : default_path(place->path);
    if (said.path.length > SONDE_COOKIE_SCOPE) {
        return 0;
    }
    uint64_t number = ++jar->created;
    for (size_t i = 0; i < jar->count; i++) {
        const struct sonde_cookie *old = &jar->items[i];
        if (is_same(old, &said)) {
            number = old->number;
            remove_at(jar, i);
            break;
        }
    }
    if (said.expires <= now) {
        return 0;
    }
    if (jar->count == SONDE_COOKIES_MAX) {
        remove_oldest(jar);
    }
    return keep(jar, &said, host_only, number, err);
}

static bool goes_to(const struct sonde_cookie *cookie, const struct sonde_cookie_place *place,
                    int64_t now)
{
    bool host = cookie->host_only ? cookie->domain.length == strlen(place->host) &&
                                        domain_matches(place->host, cookie->domain)
                                  : domain_matches(place->host, cookie->domain);
    return host && path_matches(place->path, cookie->path) && (!cookie->secure || place->tls) &&
           cookie->expires > now;
}

/* Longer paths stand first, then those that were created first. */
static bool stands_before(const struct sonde_cookie *a, const struct sonde_cookie *b)
{
    return a->path.length != b->path.length ? a->path.length > b->path.length
                                            : a->number < b->number;
}

void sonde_cookies_print(const struct sonde_cookie_jar *jar, const struct sonde_cookie_place *place,
                         int64_t now, struct sonde_buf *buf)
{
    const struct sonde_cookie *chosen[SONDE_COOKIES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < jar->count; i++) {
        if (!goes_to(&jar->items[i], place, now)) {
            continue;
        }
        size_t at = count++;
        for (; at && stands_before(&jar->items[i], chosen[at - 1]); at--) {
            chosen[at] = chosen[at - 1];
        }
        chosen[at] = &jar->items[i];
    }
    for (size_t i = 0; i < count; i++) {
        sonde_buf_text(buf, i ? "; " : "");
        sonde_buf_str(buf, chosen[i]->name);
        sonde_buf_char(buf, '=');
        sonde_buf_str(buf, chosen[i]->value);
    }
}
