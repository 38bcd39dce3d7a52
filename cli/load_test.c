/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/load_test.h"

#include "base/clock.h"
#include "load/arrivals.h"
#include "load/stage.h"

enum {
    DEFAULT_CONNECTIONS = 10,
    DEFAULT_MOST = 1000, /* connections of an open model */
    DEFAULT_SECONDS = 10,
    DEFAULT_TRIAL_SECONDS = 30,
    DEFAULT_PRECISION = 5,
    DEFAULT_TIMEOUT_MS = 10000,
    DEFAULT_DELAY_ABORT_SECONDS = 10,
};

static int64_t or_else(int64_t given, int64_t otherwise)
{
    return given ? given : otherwise;
}

static int64_t seconds_or(int64_t given_ns, int64_t otherwise)
{
    return given_ns ? given_ns / SONDE_SECOND : otherwise;
}

/* ---- what does not go together ---- */

static int check_search(const struct cli_load_settings *s, struct sonde_err *err)
{
    if (!s->search) {
        return s->precision ? sonde_fail(err, SONDE_EINVALID, 0, "--precision is of --search") : 0;
    }
    if (!s->thresholds.count) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--search needs a --threshold: what the rate has to keep");
    }
    if (s->rate || s->connection_rate || s->stages.count || s->amount || s->requests_most ||
        s->requests_of_each || s->forever || s->receive || s->profile) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--search takes rates and lengths of its own: leave out other rates, "
                          "amounts, stages, --forever, --receive and --profile");
    }
    return 0;
}

static int check_seconds(const struct cli_load_settings *s, struct sonde_err *err)
{
    const struct {
        const char *name;
        int64_t ns;
    } all[] = {{"warm-up", s->warm_up_ns},
               {"duration", s->duration_ns},
               {"delay-abort", s->delay_abort_ns}};
    for (size_t i = 0; i < SONDE_LENGTH(all); i++) {
        if (all[i].ns % SONDE_SECOND) {
            return sonde_fail(err, SONDE_EINVALID, 0, "--%s: give whole seconds", all[i].name);
        }
    }
    return 0;
}

static int check(const struct cli_load_settings *s, struct sonde_err *err)
{
    bool rated = s->rate || s->connection_rate;
    int r = check_seconds(s, err);
    r = r < 0 ? r : check_search(s, err);
    if (r < 0) {
        return r;
    }
    if (s->warm_up_ns && s->requests_of_each) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--warm-up would take the requests of each connection: leave out "
                          "--maxConnectionRequests");
    }
    if (s->stages.count &&
        (rated || s->duration_ns || s->amount || s->requests_most || s->forever)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--stage says itself how long, and how many requests a second: give it "
                          "without a rate, duration or amount");
    }
    if (s->socket_path && s->proxy) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--socketPath and --proxy say each what is connected to: give one");
    }
    if (s->send_times && !rated && !s->stages.count) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "--ignoreCoordinatedOmission needs a rate: give -R or -r, too");
    }
    return 0;
}

/* ---- when and how much ---- */

static int read_arrival(const struct cli_load_settings *s, struct load_test *ret,
                        struct sonde_err *err)
{
    int64_t rate = s->connection_rate ? s->connection_rate * ret->test.connections : s->rate;
    int64_t amount = s->amount ? s->amount : s->requests_most;
    bool endless = s->forever || s->amount || s->stages.count;
    int r = 0;
    ret->test.arrival = &ret->arrival;
    ret->arrival = (struct sonde_arrival){
        .distribution = s->poisson ? SONDE_ARRIVAL_POISSON : SONDE_ARRIVAL_CONSTANT,
        .rate = or_else(rate, SONDE_SPEC_ABSENT),
        .duration_seconds =
            endless ? SONDE_SPEC_ABSENT : seconds_or(s->duration_ns, DEFAULT_SECONDS),
        .amount = or_else(amount, SONDE_SPEC_ABSENT),
    };
    for (size_t i = 0; i < s->stages.count && r == 0; i++) {
        r = sonde_load_stage_parse(sonde_str(s->stages.items[i]), &ret->stages[i], err);
    }
    ret->arrival.stages.items = ret->stages;
    ret->arrival.stages.count = s->stages.count;
    return r;
}

static int read_search(const struct cli_load_settings *s, struct load_test *ret,
                       struct sonde_err *err)
{
    struct sonde_str to = sonde_str(s->search);
    struct sonde_str from = sonde_str_split(&to, ':');
    struct sonde_rate_search *search = &ret->search;
    ret->test.search = search;
    *search = (struct sonde_rate_search){
        .trial_seconds = seconds_or(s->duration_ns, DEFAULT_TRIAL_SECONDS),
        .precision_percent = or_else(s->precision, DEFAULT_PRECISION),
        .distribution = s->poisson ? SONDE_ARRIVAL_POISSON : SONDE_ARRIVAL_CONSTANT,
    };
    return sonde_parse_i64(from, 1, SONDE_LOAD_RATE_MAX, &search->start_rate) < 0 ||
                   sonde_parse_i64(to, search->start_rate + 1, SONDE_LOAD_RATE_MAX,
                                   &search->max_rate) < 0
               ? sonde_fail(err, SONDE_EINVALID, 0,
                            "--search %s: give two rates a second, such as 10:5000", s->search)
               : 0;
}

/* ---- all of it ---- */

static void read_thresholds(const struct cli_load_settings *s, struct sonde_load_test *test)
{
    test->thresholds.items = s->thresholds.items;
    test->thresholds.count = s->thresholds.count;
    test->delay_abort_seconds = seconds_or(s->delay_abort_ns, DEFAULT_DELAY_ABORT_SECONDS);
    if (s->abort_on_fail) {
        test->abort_on_fail.items = s->thresholds.items;
        test->abort_on_fail.count = s->thresholds.count;
    }
}

int load_test_of_options(const struct cli_load_settings *settings, struct load_test *ret,
                         struct sonde_err *err)
{
    const struct cli_load_settings *s = settings;
    int64_t connections = or_else(s->connections, DEFAULT_CONNECTIONS);
    int64_t most = s->requests_of_each ? connections : or_else(s->connections_max, DEFAULT_MOST);
    *ret = (struct load_test){
        .http = {.version = s->http,
                 .timeout_ms =
                     s->timeout_ns ? s->timeout_ns / SONDE_MILLISECOND : DEFAULT_TIMEOUT_MS,
                 .pipelining = or_else(s->pipelining, 1),
                 .requests_per_connection = or_else(s->requests_per_connection, SONDE_SPEC_ABSENT)},
        .safety = {.max_rate = s->rate_most},
    };
    ret->safety.allowed_hosts.items = s->allowed_hosts.items;
    ret->safety.allowed_hosts.count = s->allowed_hosts.count;
    ret->test = (struct sonde_load_test){
        .http = &ret->http,
        .connections = connections,
        .max_connections = most > connections ? most : connections,
        .warm_up_seconds = s->warm_up_ns / SONDE_SECOND,
        .safety = s->rate_most ? &ret->safety : NULL,
        .active_deadline_seconds = SONDE_SPEC_ABSENT,
    };
    read_thresholds(s, &ret->test);
    int r = check(s, err);
    r = r < 0 ? r : s->search ? read_search(s, ret, err) : read_arrival(s, ret, err);
    return r;
}
