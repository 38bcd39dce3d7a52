/* SPDX-License-Identifier: Apache-2.0 */
#include "load/safety.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static bool ends_with(const char *host, const char *end)
{
    size_t length = strlen(host);
    size_t tail = strlen(end);
    return length > tail && strcasecmp(host + length - tail, end) == 0;
}

bool sonde_load_host_is_local(const char *host)
{
    bool four = strspn(host, "0123456789.") == strlen(host);
    return strcasecmp(host, "localhost") == 0 || ends_with(host, ".localhost") ||
           (four && strncmp(host, "127.", 4) == 0) || strcmp(host, "::1") == 0;
}

/* Resolvers take "134744072" and "0x08080808" for addresses: inet_aton(3). */
bool sonde_load_host_is_near(const char *host)
{
    bool label = !strpbrk(host, ".:") && isalpha((unsigned char)host[0]);
    return label || sonde_load_host_is_local(host) || ends_with(host, ".svc") ||
           ends_with(host, ".svc.cluster.local");
}

/* "*.example.com" stands for one label before the rest. */
static bool is_allowed(const struct sonde_load_safety *safety, const char *host)
{
    bool allowed = false;
    for (size_t i = 0; i < safety->allowed_hosts.count && !allowed; i++) {
        const char *pattern = safety->allowed_hosts.items[i];
        const char *rest = pattern[0] == '*' && pattern[1] == '.' ? strchr(host, '.') : NULL;
        allowed = strcasecmp(pattern, host) == 0 ||
                  (rest && rest != host && strcasecmp(pattern + 1, rest) == 0);
    }
    return allowed;
}

int64_t sonde_load_highest_rate(const struct sonde_arrival *arrival)
{
    int64_t highest = arrival->rate;
    for (size_t i = 0; i < arrival->stages.count; i++) {
        int64_t rate = arrival->stages.items[i].rate;
        highest = rate > highest ? rate : highest;
    }
    return highest;
}

int sonde_load_safety_check(const struct sonde_load_safety *safety, const char *host,
                            const struct sonde_arrival *arrival, struct sonde_err *err)
{
    if (!safety || safety->max_rate == SONDE_SPEC_ABSENT || sonde_load_host_is_near(host) ||
        is_allowed(safety, host)) {
        return 0;
    }
    int64_t rate = sonde_load_highest_rate(arrival);
    if (rate == SONDE_SPEC_ABSENT) {
        return sonde_fail(err, SONDE_EDENIED, 0,
                          "%.100s: at most %lld requests a second are allowed, and without a rate "
                          "nobody knows how many there will be: give one, or allow the host",
                          host, (long long)safety->max_rate);
    }
    if (rate > safety->max_rate) {
        return sonde_fail(err, SONDE_EDENIED, 0,
                          "%.100s: %lld requests a second are more than the %lld that are allowed: "
                          "lower the rate, or allow the host",
                          host, (long long)rate, (long long)safety->max_rate);
    }
    return 0;
}
