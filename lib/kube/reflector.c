/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reflector.h"

#include "base/clock.h"
#include "base/random.h"

/* A watch that ends at once without an event is a failure: it would be asked for in a circle. */
#define SHORT_WATCH SONDE_SECOND
/* A list whose version is gone this soon would be asked for in a circle too. */
#define LIST_AGAIN (30 * SONDE_SECOND)

void sonde_kube_reflector_init(struct sonde_kube_reflector *reflector, uint64_t seed)
{
    *reflector = (struct sonde_kube_reflector){
        .backoff = {.first_ns = 800 * SONDE_MILLISECOND,
                    .maximum_ns = 30 * SONDE_SECOND,
                    .jitter = 1.0,
                    .reset_after_ns = 120 * SONDE_SECOND},
        .random = seed,
    };
}

static struct sonde_kube_step list_step(struct sonde_kube_reflector *r)
{
    struct sonde_kube_step step = {.action = SONDE_KUBE_LIST,
                                   .timeout_seconds = SONDE_KUBE_LIST_SECONDS};
    r->state = SONDE_KUBE_LISTING;
    if (r->continue_token[0]) {
        /* The token has the version in it, and must come without one. */
        step.continue_token = r->continue_token;
        step.limit = SONDE_KUBE_PAGE;
        return step;
    }
    r->lists++;
    step.first_page = true;
    if (!r->stale_version) {
        step.resource_version = r->version[0] ? r->version : "0";
    }
    /* A limit with a version means exactly that version, which only etcd has. */
    bool exact = step.resource_version && strcmp(step.resource_version, "0") != 0;
    step.limit = exact || r->no_limit ? 0 : SONDE_KUBE_PAGE;
    return step;
}

static struct sonde_kube_step watch_step(struct sonde_kube_reflector *r, int64_t now)
{
    const uint64_t span = SONDE_KUBE_WATCH_SECONDS_MAX - SONDE_KUBE_WATCH_SECONDS_MIN + 1;
    r->state = SONDE_KUBE_WATCHING;
    r->started = now;
    r->events = 0;
    r->watches++;
    return (struct sonde_kube_step){
        .action = SONDE_KUBE_WATCH,
        .resource_version = r->version,
        .timeout_seconds =
            SONDE_KUBE_WATCH_SECONDS_MIN + (unsigned)(sonde_random_next(&r->random) % span),
    };
}

struct sonde_kube_step sonde_kube_reflector_step(struct sonde_kube_reflector *reflector,
                                                 int64_t now)
{
    bool under_way =
        reflector->state == SONDE_KUBE_LISTING || reflector->state == SONDE_KUBE_WATCHING;
    if (under_way || now < reflector->not_before) {
        return (struct sonde_kube_step){.action = SONDE_KUBE_WAIT,
                                        .at = under_way ? INT64_MAX : reflector->not_before};
    }
    return reflector->state == SONDE_KUBE_TO_LIST ? list_step(reflector)
                                                  : watch_step(reflector, now);
}

bool sonde_kube_reflector_page(struct sonde_kube_reflector *reflector, int64_t now,
                               const struct sonde_kube_list *page)
{
    struct sonde_kube_reflector *r = reflector;
    memcpy(r->page_version, page->resource_version, sizeof(r->page_version));
    memcpy(r->continue_token, page->continue_token, sizeof(r->continue_token));
    r->not_before = now;
    if (r->continue_token[0]) {
        r->state = SONDE_KUBE_TO_LIST;
        return false;
    }
    memcpy(r->version, r->page_version, sizeof(r->version));
    r->stale_version = false;
    r->no_limit = false;
    r->synced = true;
    r->listed = now;
    r->state = SONDE_KUBE_TO_WATCH;
    return true;
}

void sonde_kube_reflector_event(struct sonde_kube_reflector *reflector,
                                const char *resource_version)
{
    (void)snprintf(reflector->version, sizeof(reflector->version), "%s", resource_version);
    reflector->events++;
}

static void wait_longer(struct sonde_kube_reflector *r, int64_t now,
                        const struct sonde_kube_status *status)
{
    int64_t delay = sonde_kube_backoff_next(&r->backoff, now, &r->random);
    int64_t told = status ? status->retry_after_ns : 0;
    r->not_before = now + (told > delay ? told : delay);
}

static void list_failed(struct sonde_kube_reflector *r, int64_t now, int code,
                        const struct sonde_kube_status *status)
{
    bool too_large = status && strcmp(status->cause, "ResourceVersionTooLarge") == 0;
    bool gone = code == SONDE_EGONE || too_large;
    r->state = SONDE_KUBE_TO_LIST;
    if (gone && r->continue_token[0]) {
        /* The pages took too long: all anew, in one piece. */
        r->no_limit = true;
    }
    bool first = gone && !r->stale_version;
    r->stale_version |= gone;
    r->continue_token[0] = '\0';
    if (first) {
        r->not_before = now; /* another question, so at once */
    } else {
        wait_longer(r, now, status);
    }
}

static void watch_ended(struct sonde_kube_reflector *r, int64_t now, int code,
                        const struct sonde_kube_status *status)
{
    bool too_short = r->events == 0 && now - r->started < SHORT_WATCH;
    if (code == 0 && !too_short) {
        r->state = SONDE_KUBE_TO_WATCH;
        r->not_before = now;
        return;
    }
    if (code == SONDE_EGONE && now - r->listed > LIST_AGAIN) {
        r->state = SONDE_KUBE_TO_LIST;
        r->not_before = now;
        return;
    }
    /* An overloaded server or a broken connection lost nothing: the watch goes on from its
     * version. What the server did not accept begins anew. */
    bool resumes = code == 0 || code == SONDE_EBUSY || code == SONDE_ENETWORK ||
                   code == SONDE_ETIMEOUT || code == SONDE_ENOMEM;
    r->state = resumes ? SONDE_KUBE_TO_WATCH : SONDE_KUBE_TO_LIST;
    if (code == SONDE_ETIMEOUT && r->events) {
        r->not_before = now; /* it worked until its peer died */
    } else {
        wait_longer(r, now, status);
    }
}

void sonde_kube_reflector_ended(struct sonde_kube_reflector *reflector, int64_t now, int code,
                                const struct sonde_kube_status *status)
{
    if (reflector->state == SONDE_KUBE_LISTING) {
        list_failed(reflector, now, code, status);
    } else if (reflector->state == SONDE_KUBE_WATCHING) {
        watch_ended(reflector, now, code, status);
    }
}
