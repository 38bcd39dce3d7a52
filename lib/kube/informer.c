/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/informer.h"

#include <stdlib.h>

#include "base/clock.h"

struct sonde_kube_informer {
    struct sonde_kube_informer_options options; /* the texts are not kept */
    struct sonde_kube *kube;
    struct sonde_kube_cache *cache;
    struct sonde_kube_reflector reflector;
    struct sonde_timer *timer;
    struct sonde_kube_request *request; /* the list or watch under way */
    struct sonde_buf base;              /* path and selectors */
    bool listing;
    struct sonde_kube_list list;
    struct sonde_kube_watch watch;
    struct sonde_kube_status status; /* of an ERROR event */
    uint64_t skipped;
};

static void step(struct sonde_kube_informer *informer);

static void step_again(void *context)
{
    step(context);
}

/* ---- what comes ---- */

static void skip(void *context, const struct sonde_err *err)
{
    struct sonde_kube_informer *informer = context;
    informer->skipped++;
    if (informer->options.skipped) {
        informer->options.skipped(informer->options.context, err);
    }
}

/* One object that cannot be kept is no reason to do without the others. */
static int put(struct sonde_kube_informer *informer, const cJSON *object, struct sonde_err *err)
{
    struct sonde_err own;
    int code = sonde_kube_cache_put(informer->cache, object, &own);
    if (code == SONDE_ENOMEM) {
        return sonde_fail(err, code, 0, "%s", own.message);
    }
    if (code < 0) {
        skip(informer, &own);
    }
    return 0;
}

static int take_item(void *context, const cJSON *object, struct sonde_err *err)
{
    return put(context, object, err);
}

static int take_event(void *context, const struct sonde_kube_watch_event *event,
                      struct sonde_err *err)
{
    struct sonde_kube_informer *informer = context;
    int code = 0;
    switch (event->type) {
    case SONDE_KUBE_ADDED:
    case SONDE_KUBE_MODIFIED:
        code = put(informer, event->object, err);
        break;
    case SONDE_KUBE_DELETED:
        code = sonde_kube_cache_delete(informer->cache, event->object, err);
        break;
    case SONDE_KUBE_BOOKMARK:
        break;
    case SONDE_KUBE_ERROR:
        return sonde_kube_status_fail(0, event->object, (struct sonde_str){0}, &informer->status,
                                      err);
    }
    if (code == 0) {
        sonde_kube_reflector_event(&informer->reflector, event->resource_version);
    }
    return code;
}

static int take_bytes(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sonde_kube_informer *informer = context;
    return informer->listing ? sonde_kube_list_feed(&informer->list, data, length, err)
                             : sonde_kube_watch_feed(&informer->watch, data, length, err);
}

static void page_came(struct sonde_kube_informer *informer)
{
    bool first = !informer->reflector.synced;
    if (!sonde_kube_reflector_page(&informer->reflector, sonde_clock_monotonic(),
                                   &informer->list)) {
        return;
    }
    sonde_kube_cache_end_list(informer->cache);
    if (first && informer->options.synced) {
        informer->options.synced(informer->options.context);
    }
}

static void ended(struct sonde_kube_informer *informer, int code,
                  const struct sonde_kube_status *status, const struct sonde_err *err)
{
    sonde_kube_reflector_ended(&informer->reflector, sonde_clock_monotonic(), code, status);
    if (code < 0 && informer->options.failed) {
        informer->options.failed(informer->options.context, err);
    }
}

static void request_done(void *context, const struct sonde_kube_response *response,
                         const struct sonde_err *err)
{
    struct sonde_kube_informer *informer = context;
    struct sonde_err own = *err;
    int code = own.code;
    const struct sonde_kube_status *status = &response->failure;
    informer->request = NULL;
    if (code == 0) {
        code = informer->listing ? sonde_kube_list_finish(&informer->list, &own)
                                 : sonde_kube_watch_finish(&informer->watch, &own);
    } else if (informer->status.http || informer->status.reason[0]) {
        status = &informer->status;
    }
    if (code == 0 && informer->listing) {
        page_came(informer);
    } else {
        ended(informer, code, status, &own);
    }
    sonde_kube_list_fini(&informer->list);
    sonde_kube_watch_fini(&informer->watch);
    informer->list = (struct sonde_kube_list){0};
    informer->watch = (struct sonde_kube_watch){0};
    step(informer);
}

/* ---- what is asked ---- */

static void add_list_query(struct sonde_buf *path, const struct sonde_kube_step *next)
{
    if (next->limit) {
        sonde_kube_query_number(path, "limit", next->limit);
    }
    sonde_kube_query(path, "continue", sonde_str(next->continue_token));
    sonde_kube_query(path, "resourceVersion", sonde_str(next->resource_version));
    if (next->resource_version) {
        sonde_kube_query(path, "resourceVersionMatch", SONDE_STR("NotOlderThan"));
    }
}

static void add_watch_query(struct sonde_buf *path, const struct sonde_kube_step *next)
{
    sonde_kube_query(path, "watch", SONDE_STR("true"));
    sonde_kube_query(path, "allowWatchBookmarks", SONDE_STR("true"));
    sonde_kube_query(path, "resourceVersion", sonde_str(next->resource_version));
    sonde_kube_query_number(path, "timeoutSeconds", next->timeout_seconds);
}

static int begin(struct sonde_kube_informer *informer, const struct sonde_kube_step *next,
                 struct sonde_err *err)
{
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    sonde_buf_str(&path, sonde_buf_view(&informer->base));
    informer->listing = next->action == SONDE_KUBE_LIST;
    informer->status = (struct sonde_kube_status){0};
    struct sonde_kube_request_options options = {
        .once = true, .context = informer, .done = request_done, .chunk = take_bytes};
    options.verb = informer->listing ? "list" : "watch";
    if (informer->listing) {
        add_list_query(&path, next);
        options.timeout_ns = next->timeout_seconds * SONDE_SECOND;
        sonde_kube_list_init(&informer->list, take_item, informer);
        informer->list.skipped = skip;
    } else {
        add_watch_query(&path, next);
        options.timeout_ns =
            (next->timeout_seconds + SONDE_KUBE_WATCH_GRACE_SECONDS) * SONDE_SECOND;
        options.idle_ns = informer->options.silence_ns;
        sonde_kube_watch_init(&informer->watch, take_event, informer);
        informer->watch.skipped = skip;
    }
    options.path = sonde_buf_view(&path);
    int code = sonde_buf_check(&path, "the path of a list or watch", err);
    return code ? code : sonde_kube_send(informer->kube, &options, &informer->request, err);
}

static void step(struct sonde_kube_informer *informer)
{
    for (;;) {
        int64_t now = sonde_clock_monotonic();
        struct sonde_kube_step next = sonde_kube_reflector_step(&informer->reflector, now);
        if (next.action == SONDE_KUBE_WAIT) {
            if (next.at != INT64_MAX) {
                sonde_timer_start(informer->timer, next.at - now, 0);
            }
            return;
        }
        if (next.first_page) {
            sonde_kube_cache_begin_list(informer->cache);
        }
        struct sonde_err err;
        int code = begin(informer, &next, &err);
        if (code < 0) {
            ended(informer, code, NULL, &err);
        }
    }
}

static int make_base(struct sonde_kube_informer *informer,
                     const struct sonde_kube_informer_options *options, struct sonde_err *err)
{
    const struct sonde_kube_target target = {.resource = options->resource,
                                             .namespace = options->namespace};
    informer->base = SONDE_BUF(SONDE_KUBE_PATH_MAX / 2);
    int code = sonde_kube_path(&target, &informer->base, err);
    sonde_kube_query(&informer->base, "labelSelector", sonde_str(options->label_selector));
    sonde_kube_query(&informer->base, "fieldSelector", sonde_str(options->field_selector));
    return code ? code : sonde_buf_check(&informer->base, "the path of a watch", err);
}

int sonde_kube_informer_new(struct sonde_loop *loop, struct sonde_kube *kube,
                            const struct sonde_kube_informer_options *options,
                            struct sonde_kube_informer **ret, struct sonde_err *err)
{
    struct sonde_kube_informer *informer = calloc(1, sizeof(*informer));
    if (!informer) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "Kubernetes informer: out of memory");
    }
    informer->options = *options;
    informer->options.silence_ns =
        options->silence_ns ? options->silence_ns : SONDE_KUBE_SILENCE_SECONDS * SONDE_SECOND;
    informer->kube = kube;
    sonde_kube_reflector_init(&informer->reflector, options->seed);
    int code = make_base(informer, options, err);
    code = code ? code : sonde_kube_cache_new(&options->cache, &informer->cache, err);
    code = code ? code : sonde_timer_new(loop, step_again, informer, &informer->timer, err);
    if (code < 0) {
        sonde_kube_informer_free(informer);
        return code;
    }
    sonde_timer_start(informer->timer, 0, 0);
    *ret = informer;
    return 0;
}

void sonde_kube_informer_free(struct sonde_kube_informer *informer)
{
    if (!informer) {
        return;
    }
    if (informer->request) {
        sonde_kube_cancel(informer->request);
    }
    sonde_kube_list_fini(&informer->list);
    sonde_kube_watch_fini(&informer->watch);
    sonde_timer_free(informer->timer);
    sonde_kube_cache_free(informer->cache);
    sonde_buf_fini(&informer->base);
    free(informer);
}

bool sonde_kube_informer_synced(const struct sonde_kube_informer *informer)
{
    return informer->reflector.synced;
}

uint64_t sonde_kube_informer_skipped(const struct sonde_kube_informer *informer)
{
    return informer->skipped;
}

const struct sonde_kube_cache *sonde_kube_informer_cache(const struct sonde_kube_informer *informer)
{
    return informer->cache;
}

const struct sonde_kube_reflector *
sonde_kube_informer_reflector(const struct sonde_kube_informer *informer)
{
    return &informer->reflector;
}
