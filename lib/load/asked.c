/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "load/compare.h"

bool sonde_load_is_open(const struct sonde_load_asked *asked)
{
    return asked->arrival.stages.count > 0 || asked->arrival.rate != SONDE_SPEC_ABSENT;
}

bool sonde_load_is_same(const struct sonde_load_asked *a, const struct sonde_load_asked *b)
{
    const struct sonde_arrival *x = &a->arrival;
    const struct sonde_arrival *y = &b->arrival;
    if (sonde_load_is_open(a) != sonde_load_is_open(b) || a->pipelining != b->pipelining ||
        x->stages.count != y->stages.count) {
        return false;
    }
    if (!sonde_load_is_open(a)) {
        return a->connections == b->connections;
    }
    bool same = x->distribution == y->distribution;
    for (size_t i = 0; i < x->stages.count; i++) {
        const struct sonde_stage *s = &x->stages.items[i];
        const struct sonde_stage *t = &y->stages.items[i];
        same = same && s->rate == t->rate && s->ramp == t->ramp &&
               s->duration_seconds == t->duration_seconds;
    }
    return same && (x->stages.count > 0 || x->rate == y->rate);
}

/* Thresholds say which rate a search finds. */
static bool is_same_search(const struct sonde_load_result *a, const struct sonde_load_result *b)
{
    const struct sonde_rate_search *x = &a->search->plan;
    const struct sonde_rate_search *y = &b->search->plan;
    bool same = x->start_rate == y->start_rate && x->max_rate == y->max_rate &&
                x->trial_seconds == y->trial_seconds &&
                x->precision_percent == y->precision_percent &&
                a->asked.arrival.distribution == b->asked.arrival.distribution &&
                a->asked.pipelining == b->asked.pipelining && a->verdict_count == b->verdict_count;
    for (size_t i = 0; i < a->verdict_count && same; i++) {
        same = strcmp(a->verdicts[i].text, b->verdicts[i].text) == 0;
    }
    return same;
}

const char *sonde_load_differs(const struct sonde_load_result *a, const struct sonde_load_result *b)
{
    const struct sonde_load_asked *x = &a->asked;
    const struct sonde_load_asked *y = &b->asked;
    if (!a->search != !b->search) {
        return "a rate, or the highest one";
    }
    if (a->search ? !is_same_search(a, b) : !sonde_load_is_same(x, y)) {
        return a->search ? "what is searched, and by which thresholds" : "the load";
    }
    const struct {
        const char *name;
        bool differs;
    } parts[] = {
        {"how long it goes on",
         !a->search && (x->arrival.duration_seconds != y->arrival.duration_seconds ||
                        x->arrival.amount != y->arrival.amount)},
        {"the timeout", x->timeout_ns != y->timeout_ns},
        {"the warm-up", x->warm_up_seconds != y->warm_up_seconds},
        {"the requests of a connection", x->requests_per_connection != y->requests_per_connection},
        {"the number of connections at most",
         sonde_load_is_open(x) && x->connections_max != y->connections_max},
    };
    for (size_t i = 0; i < SONDE_LENGTH(parts); i++) {
        if (parts[i].differs) {
            return parts[i].name;
        }
    }
    return NULL;
}

/* Behind the host: the same service may answer elsewhere. Empty, or one slash: the same. */
static struct sonde_str path_of(const char *url)
{
    const char *begin = strstr(url, "://");
    begin = begin ? begin + 3 : url;
    begin += strcspn(begin, "/?");
    return sonde_str(strcmp(begin, "/") == 0 ? "" : begin);
}

bool sonde_load_is_same_path(const struct sonde_load_asked *a, const struct sonde_load_asked *b)
{
    return sonde_str_equal(path_of(a->url), path_of(b->url));
}

const char *sonde_load_asked_said(const struct sonde_load_asked *asked,
                                  char ret[SONDE_LOAD_COMPARE_ASKED_MAX])
{
    const struct sonde_arrival *arrival = &asked->arrival;
    const char *random =
        arrival->distribution == SONDE_ARRIVAL_POISSON ? ", at random distances" : "";
    int64_t most = 0;
    for (size_t i = 0; i < arrival->stages.count; i++) {
        most = arrival->stages.items[i].rate > most ? arrival->stages.items[i].rate : most;
    }
    if (arrival->stages.count) {
        (void)snprintf(ret, SONDE_LOAD_COMPARE_ASKED_MAX,
                       "open: %zu stages, up to %lld requests a second%s", arrival->stages.count,
                       (long long)most, random);
    } else if (sonde_load_is_open(asked)) {
        (void)snprintf(ret, SONDE_LOAD_COMPARE_ASKED_MAX, "open: %lld requests a second%s",
                       (long long)arrival->rate, random);
    } else {
        (void)snprintf(ret, SONDE_LOAD_COMPARE_ASKED_MAX, "closed: %u connections",
                       asked->connections);
    }
    return ret;
}
