/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/elector.h"

#include <stdlib.h>

#include "base/clock.h"

enum { LEASE_BODY_MAX = 8192 };

const struct sonde_kube_resource sonde_kube_lease_resource = {"coordination.k8s.io", "v1", "leases",
                                                              "Lease"};

struct sonde_kube_elector {
    struct sonde_kube_elector_options options;
    struct sonde_kube *kube;
    struct sonde_kube_lease lease;
    struct sonde_timer *timer;
    struct sonde_kube_request *request;
    bool told_started, told_stopped;
};

static void elector_step(struct sonde_kube_elector *elector);

static void lease_answered(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    struct sonde_kube_elector *elector = context;
    int64_t now = sonde_clock_monotonic();
    int code = err->code;
    elector->request = NULL;
    if (code == 0) {
        code = sonde_kube_lease_answered(&elector->lease, now, response->object, NULL);
    }
    if (code < 0) {
        sonde_kube_lease_failed(&elector->lease, now, code);
    }
    elector_step(elector);
}

static int send_lease(struct sonde_kube_elector *elector, enum sonde_kube_lease_action action,
                      struct sonde_err *err)
{
    const struct sonde_kube_lease_options *lease = &elector->lease.options;
    const struct sonde_kube_target target = {
        .resource = &sonde_kube_lease_resource,
        .namespace = lease->namespace,
        .name = action == SONDE_KUBE_LEASE_CREATE ? NULL : lease->name,
    };
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    SONDE_BUF_AUTO body = SONDE_BUF(LEASE_BODY_MAX);
    int code = sonde_kube_path(&target, &path, err);
    if (code == 0 && action != SONDE_KUBE_LEASE_GET) {
        sonde_kube_lease_print(&elector->lease, sonde_clock_realtime(), &body);
        code = sonde_buf_check(&body, "a Lease", err);
    }
    const struct sonde_kube_request_options options = {
        .method = action == SONDE_KUBE_LEASE_GET      ? "GET"
                  : action == SONDE_KUBE_LEASE_CREATE ? "POST"
                                                      : "PUT",
        .path = sonde_buf_view(&path),
        .body = sonde_buf_view(&body),
        .lane = SONDE_KUBE_LEASES,
        .timeout_ns = lease->retry_ns,
        .once = true,
        .context = elector,
        .done = lease_answered,
    };
    return code ? code : sonde_kube_send(elector->kube, &options, &elector->request, err);
}

/* Returns false when it was the last callback. */
static bool tell(struct sonde_kube_elector *elector, const struct sonde_kube_lease_step *step)
{
    if (!elector->told_started &&
        sonde_kube_lease_leads(&elector->lease, sonde_clock_monotonic())) {
        elector->told_started = true;
        elector->options.started(elector->options.context, elector->lease.transitions);
    }
    bool over = step->action == SONDE_KUBE_LEASE_LOST || step->action == SONDE_KUBE_LEASE_ENDED;
    if (over && !elector->told_stopped) {
        elector->told_stopped = true;
        elector->options.stopped(elector->options.context, step->action == SONDE_KUBE_LEASE_ENDED);
    }
    return !over;
}

static void elector_step(struct sonde_kube_elector *elector)
{
    for (;;) {
        int64_t now = sonde_clock_monotonic();
        struct sonde_kube_lease_step step = sonde_kube_lease_step(&elector->lease, now);
        if (!tell(elector, &step)) {
            sonde_timer_stop(elector->timer);
            return;
        }
        if (step.action == SONDE_KUBE_LEASE_WAIT) {
            if (step.at != INT64_MAX) {
                sonde_timer_start(elector->timer, step.at - now, 0);
            }
            return;
        }
        int code = send_lease(elector, step.action, NULL);
        if (code < 0) {
            sonde_kube_lease_failed(&elector->lease, now, code);
        }
    }
}

static void elector_woken(void *context)
{
    elector_step(context);
}

int sonde_kube_elector_new(struct sonde_loop *loop, struct sonde_kube *kube,
                           const struct sonde_kube_elector_options *options,
                           struct sonde_kube_elector **ret, struct sonde_err *err)
{
    const struct sonde_kube_lease_options *lease = &options->lease;
    if (!sonde_kube_is_label(sonde_str(lease->namespace)) ||
        !sonde_kube_is_name(sonde_str(lease->name)) || !lease->identity || !lease->identity[0] ||
        strlen(lease->identity) >= SONDE_KUBE_IDENTITY_SIZE) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "leader election: a namespace, a name and an identity are needed");
    }
    struct sonde_kube_elector *elector = calloc(1, sizeof(*elector));
    if (!elector) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "leader election: out of memory");
    }
    elector->options = *options;
    elector->kube = kube;
    sonde_kube_lease_init(&elector->lease, lease);
    int code = sonde_timer_new(loop, elector_woken, elector, &elector->timer, err);
    if (code < 0) {
        free(elector);
        return code;
    }
    sonde_timer_start(elector->timer, 0, 0);
    *ret = elector;
    return 0;
}

void sonde_kube_elector_free(struct sonde_kube_elector *elector)
{
    if (!elector) {
        return;
    }
    if (elector->request) {
        sonde_kube_cancel(elector->request);
    }
    sonde_timer_free(elector->timer);
    free(elector);
}

bool sonde_kube_elector_leads(const struct sonde_kube_elector *elector)
{
    return sonde_kube_lease_leads(&elector->lease, sonde_clock_monotonic());
}

void sonde_kube_elector_release(struct sonde_kube_elector *elector)
{
    sonde_kube_lease_release(&elector->lease);
    sonde_timer_start(elector->timer, 0, 0);
}

/* ---- events ---- */

struct sonde_kube_recorder {
    struct sonde_kube *kube;
    struct sonde_kube_events *events;
    struct sonde_timer *timer;
    struct sonde_kube_request *request;
};

static void recorder_wait(struct sonde_kube_recorder *recorder)
{
    int64_t now = sonde_clock_monotonic();
    int64_t next = sonde_kube_events_next(recorder->events, now);
    if (!recorder->request && next != INT64_MAX) {
        sonde_timer_start(recorder->timer, next - now, 0);
    }
}

static void event_answered(void *context, const struct sonde_kube_response *response,
                           const struct sonde_err *err)
{
    (void)response;
    struct sonde_kube_recorder *recorder = context;
    recorder->request = NULL;
    sonde_kube_events_written(recorder->events, sonde_clock_monotonic(), err->code);
    recorder_wait(recorder);
}

static int send_event(struct sonde_kube_recorder *recorder,
                      const struct sonde_kube_event_write *write)
{
    const struct sonde_kube_target target = {.resource = &sonde_kube_event_resource,
                                             .namespace = write->namespace,
                                             .name = write->create ? NULL : write->name};
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int code = sonde_kube_path(&target, &path, NULL);
    const struct sonde_kube_request_options options = {
        .method = write->create ? "POST" : "PATCH",
        .path = sonde_buf_view(&path),
        .content_type = write->create ? NULL : SONDE_KUBE_MERGE_PATCH,
        .body = write->body,
        .context = recorder,
        .done = event_answered,
    };
    return code ? code : sonde_kube_send(recorder->kube, &options, &recorder->request, NULL);
}

static void recorder_woken(void *context)
{
    struct sonde_kube_recorder *recorder = context;
    struct sonde_kube_event_write write;
    if (recorder->request) {
        return;
    }
    if (!sonde_kube_events_take(recorder->events, sonde_clock_monotonic(), &write)) {
        recorder_wait(recorder);
        return;
    }
    int code = send_event(recorder, &write);
    if (code < 0) {
        sonde_kube_events_written(recorder->events, sonde_clock_monotonic(),
                                  code == SONDE_ENOMEM ? SONDE_EBUSY : code);
        recorder_wait(recorder);
    }
}

int sonde_kube_recorder_new(struct sonde_loop *loop, struct sonde_kube *kube,
                            const char *controller, const char *instance, size_t maximum,
                            struct sonde_kube_recorder **ret, struct sonde_err *err)
{
    struct sonde_kube_recorder *recorder = calloc(1, sizeof(*recorder));
    if (!recorder) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "Kubernetes events: out of memory");
    }
    recorder->kube = kube;
    int code = sonde_kube_events_new(controller, instance, maximum, &recorder->events, err);
    code = code ? code : sonde_timer_new(loop, recorder_woken, recorder, &recorder->timer, err);
    if (code < 0) {
        sonde_kube_recorder_free(recorder);
        return code;
    }
    *ret = recorder;
    return 0;
}

void sonde_kube_recorder_free(struct sonde_kube_recorder *recorder)
{
    if (!recorder) {
        return;
    }
    if (recorder->request) {
        sonde_kube_cancel(recorder->request);
    }
    sonde_timer_free(recorder->timer);
    sonde_kube_events_free(recorder->events);
    free(recorder);
}

int sonde_kube_recorder_record(struct sonde_kube_recorder *recorder,
                               const struct sonde_kube_event *event, struct sonde_err *err)
{
    int code = sonde_kube_events_record(recorder->events, event, sonde_clock_monotonic(),
                                        sonde_clock_realtime(), err);
    if (code == 0) {
        recorder_wait(recorder);
    }
    return code;
}

uint64_t sonde_kube_recorder_dropped(const struct sonde_kube_recorder *recorder)
{
    return sonde_kube_events_dropped(recorder->events);
}
