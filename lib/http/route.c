/* SPDX-License-Identifier: Apache-2.0 */
#include "http/route.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int sonde_percent_decode(struct sonde_str text, char *ret, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '%') {
            bool whole = text.length - i > 2;
            int high = whole ? hex_digit(text.data[i + 1]) : -1;
            int low = whole ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return SONDE_EINVALID;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            return SONDE_EINVALID;
        }
        if (used + 1 >= size) {
            return SONDE_ELIMIT;
        }
        ret[used++] = c;
    }
    ret[used] = '\0';
    return 0;
}

static bool is_parameter(struct sonde_str segment)
{
    return segment.length > 2 && segment.data[0] == '{' && segment.data[segment.length - 1] == '}';
}

bool sonde_route_valid(const char *path)
{
    struct sonde_str rest = sonde_str(path);
    size_t count = 0;
    while (rest.data) {
        count += is_parameter(sonde_str_split(&rest, '/')) ? 1 : 0;
    }
    return path[0] == '/' && count <= SONDE_ROUTE_PARAMETERS_MAX;
}

/* 1: it matches; 0: it does not; or SONDE_EINVALID. */
static int match_path(const struct sonde_route *route, const char *path,
                      struct sonde_route_match *ret)
{
    struct sonde_str pattern = sonde_str(route->path);
    struct sonde_str rest = sonde_str(path);
    ret->route = route;
    ret->count = 0;
    while (pattern.data && rest.data) {
        struct sonde_str wanted = sonde_str_split(&pattern, '/');
        struct sonde_str segment = sonde_str_split(&rest, '/');
        if (!is_parameter(wanted)) {
            if (!sonde_str_equal(wanted, segment)) {
                return 0;
            }
            continue;
        }
        if (segment.length == 0) {
            return 0;
        }
        if (sonde_percent_decode(segment, ret->values[ret->count], sizeof(ret->values[0])) < 0) {
            return SONDE_EINVALID;
        }
        ret->names[ret->count++] = (struct sonde_str){wanted.data + 1, wanted.length - 2};
    }
    return !pattern.data && !rest.data;
}

int sonde_route_find(const struct sonde_route *routes, const char *method, const char *path,
                     struct sonde_route_match *ret)
{
    int code = SONDE_ENOTFOUND;
    const char *as = strcmp(method, "HEAD") == 0 ? "GET" : method;
    for (const struct sonde_route *route = routes; route->method; route++) {
        int r = match_path(route, path, ret);
        if (r < 0) {
            return r;
        }
        if (r == 1 && strcmp(route->method, as) == 0) {
            return 0;
        }
        code = r == 1 ? SONDE_EDENIED : code;
    }
    return code;
}
