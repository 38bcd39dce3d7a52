/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/runner.h"

static const char *variable_or(const char *name, const char *otherwise)
{
    const char *text = getenv(name);
    return text && *text ? text : otherwise;
}

static int read_number(struct settings *settings, struct sonde_err *err)
{
    const char *text = NULL;
    uint64_t number = 0;
    int r = sonde_uplink_variable("JOB_COMPLETION_INDEX", &text, err);
    if (r < 0) {
        return r;
    }
    if (sonde_parse_u64(sonde_str(text), 0, RUNNER_COUNT_MAX - 1, &number) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "JOB_COMPLETION_INDEX: give 0 to %d",
                          RUNNER_COUNT_MAX - 1);
    }
    settings->number = (unsigned)number;
    (void)snprintf(settings->target, sizeof(settings->target), "runner-%u", settings->number);
    settings->uplink.target = settings->target;
    return 0;
}

/* The other runners' tokens are none of our business. */
static int read_token(struct settings *settings, struct sonde_err *err)
{
    static char all[RUNNER_TOKENS_MAX];
    int r = sonde_uplink_secret("SONDE_TOKENS", all, sizeof(all), err);
    if (r < 0) {
        return r;
    }
    struct sonde_str rest = sonde_str(all);
    struct sonde_str own = sonde_str_split(&rest, ',');
    for (unsigned i = 0; i < settings->number; i++) {
        own = rest.data ? sonde_str_split(&rest, ',') : (struct sonde_str){0};
    }
    if (own.length && own.length < sizeof(settings->uplink.token)) {
        memcpy(settings->uplink.token, own.data, own.length);
    } else {
        r = sonde_fail(err, SONDE_EINVALID, 0, "SONDE_TOKENS has no token of runner %u",
                       settings->number);
    }
    explicit_bzero(all, sizeof(all));
    return r;
}

int settings_read(struct settings *ret, struct sonde_err *err)
{
    *ret = (struct settings){.pod = variable_or("POD_NAME", ""),
                             .node = variable_or("NODE_NAME", ""),
                             .files = variable_or("SONDE_FILES", "/run/sonde")};
    int r = sonde_uplink_read(&ret->uplink, err);
    r = r < 0 ? r : read_number(ret, err);
    return r < 0 ? r : read_token(ret, err);
}

void settings_fini(struct settings *settings)
{
    sonde_uplink_fini(&settings->uplink);
}
