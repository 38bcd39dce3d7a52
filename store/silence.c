/* SPDX-License-Identifier: Apache-2.0 */
/* Targets that fell silent: a node or a pod may be gone, and nobody else would tell for minutes. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/service.h"

enum { TARGETS_MAX = 4096 };
#define LOOK_NS (2 * SONDE_SECOND)

struct heard {
    char uid[SONDE_UUID_SIZE];
    char target[SONDE_TARGET_NAME_MAX + 1];
    int64_t last; /* monotonic */
    bool lost;    /* the controller was told */
};

struct silence {
    struct service *service;
    struct sonde_timer *timer;
    int64_t lost_after_ns;
    struct heard *items; /* of TARGETS_MAX; beyond, nobody is missed */
    size_t count;
};

static struct heard *find(struct silence *silence, const char *uid, const char *target)
{
    for (size_t i = 0; i < silence->count; i++) {
        if (strcmp(silence->items[i].uid, uid) == 0 &&
            strcmp(silence->items[i].target, target) == 0) {
            return &silence->items[i];
        }
    }
    return NULL;
}

void silence_heard(struct silence *silence, const char *uid, const char *target)
{
    struct heard *heard = find(silence, uid, target);
    if (!heard && silence->count < TARGETS_MAX) {
        heard = &silence->items[silence->count++];
        (void)snprintf(heard->uid, sizeof(heard->uid), "%s", uid);
        (void)snprintf(heard->target, sizeof(heard->target), "%s", target);
    }
    if (heard) {
        heard->last = sonde_clock_monotonic();
        heard->lost = false;
    }
}

void silence_forget(struct silence *silence, const char *uid, const char *target)
{
    for (size_t i = silence->count; i > 0; i--) {
        struct heard *heard = &silence->items[i - 1];
        if (strcmp(heard->uid, uid) == 0 && (!target || strcmp(heard->target, target) == 0)) {
            *heard = silence->items[--silence->count];
        }
    }
}

static void look(void *context)
{
    struct silence *silence = context;
    int64_t now = sonde_clock_monotonic();
    for (size_t i = 0; i < silence->count; i++) {
        struct heard *heard = &silence->items[i];
        if (!heard->lost && now - heard->last > silence->lost_after_ns) {
            heard->lost = true;
            changes_add(silence->service, heard->uid, heard->target, SONDE_TARGET_LOST);
            SONDE_LOG(&silence->service->log, SONDE_LOG_WARN, "a sidecar has fallen silent",
                      SONDE_FIELD_STR("run", sonde_str(heard->uid)),
                      SONDE_FIELD_STR("target", sonde_str(heard->target)));
        }
    }
}

/* Those that spoke before a restart get their time anew. */
static int take_up(void *context, const struct sonde_target *target, struct sonde_err *err)
{
    (void)err;
    if (target->phase == SONDE_TARGET_CONNECTED || target->phase == SONDE_TARGET_CAPTURING) {
        silence_heard(context, target->run_uid, target->name);
    }
    return 0;
}

int silence_new(struct service *service, int64_t lost_after_ns, struct silence **ret,
                struct sonde_err *err)
{
    struct silence *silence = calloc(1, sizeof(*silence));
    if (!silence) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    silence->service = service;
    silence->lost_after_ns = lost_after_ns;
    silence->items = calloc(TARGETS_MAX, sizeof(*silence->items));
    int r = silence->items ? sonde_timer_new(service->loop, look, silence, &silence->timer, err)
                           : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    r = r < 0 ? r : sonde_db_targets_live(service->db, "", take_up, silence, err);
    if (r < 0) {
        silence_free(silence);
        return r;
    }
    sonde_timer_start(silence->timer, LOOK_NS, LOOK_NS);
    *ret = silence;
    return 0;
}

void silence_free(struct silence *silence)
{
    if (silence) {
        sonde_timer_free(silence->timer);
        free(silence->items);
        free(silence);
    }
}
