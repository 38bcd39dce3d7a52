/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a watch and as a list: whole and byte by byte give the same objects and the same
 * end, and go through a cache without harm. */
#include <stdlib.h>

#include "kube/cache.h"
#include "kube/watch.h"

enum { INPUT_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

struct seen {
    struct sonde_kube_cache *cache;
    uint64_t sum; /* of what came, in order */
};

static int keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    (void)object;
    (void)err;
    *ret = NULL;
    return 0;
}

static void note(struct seen *seen, const char *text)
{
    for (; *text; text++) {
        seen->sum = seen->sum * 31 + (unsigned char)*text;
    }
    seen->sum = seen->sum * 31 + 7;
}

static int take_event(void *context, const struct sonde_kube_watch_event *event,
                      struct sonde_err *err)
{
    struct seen *seen = context;
    must(cJSON_IsObject(event->object));
    must((event->resource_version[0] != '\0') == (event->type != SONDE_KUBE_ERROR));
    note(seen, event->resource_version);
    if (event->type == SONDE_KUBE_ERROR) {
        struct sonde_kube_status status;
        return sonde_kube_status_fail(0, event->object, (struct sonde_str){0}, &status, err);
    }
    (void)!(event->type == SONDE_KUBE_DELETED
                ? sonde_kube_cache_delete(seen->cache, event->object, NULL)
                : sonde_kube_cache_put(seen->cache, event->object, NULL));
    return 0;
}

static int take_item(void *context, const cJSON *object, struct sonde_err *err)
{
    (void)err;
    struct seen *seen = context;
    must(cJSON_IsObject(object));
    note(seen, "item");
    (void)!sonde_kube_cache_put(seen->cache, object, NULL);
    return 0;
}

static struct sonde_kube_cache *new_cache(void)
{
    const struct sonde_kube_cache_options options = {.keep = keep, .maximum = 100};
    struct sonde_kube_cache *cache = NULL;
    must(sonde_kube_cache_new(&options, &cache, NULL) == 0);
    return cache;
}

static int run_watch(const char *data, size_t size, size_t piece, uint64_t *ret_sum)
{
    struct seen seen = {.cache = new_cache()};
    struct sonde_kube_watch watch;
    int r = 0;
    sonde_kube_watch_init(&watch, take_event, &seen);
    for (size_t at = 0; at < size && r == 0; at += piece) {
        r = sonde_kube_watch_feed(&watch, data + at, piece < size - at ? piece : size - at, NULL);
    }
    r = r ? r : sonde_kube_watch_finish(&watch, NULL);
    sonde_kube_watch_fini(&watch);
    sonde_kube_cache_free(seen.cache);
    *ret_sum = seen.sum;
    return r;
}

static int run_list(const char *data, size_t size, size_t piece, uint64_t *ret_sum)
{
    struct seen seen = {.cache = new_cache()};
    struct sonde_kube_list list;
    int r = 0;
    sonde_kube_cache_begin_list(seen.cache);
    sonde_kube_list_init(&list, take_item, &seen);
    for (size_t at = 0; at < size && r == 0; at += piece) {
        r = sonde_kube_list_feed(&list, data + at, piece < size - at ? piece : size - at, NULL);
    }
    r = r ? r : sonde_kube_list_finish(&list, NULL);
    must(r < 0 || list.resource_version[0]);
    note(&seen, list.continue_token);
    sonde_kube_list_fini(&list);
    sonde_kube_cache_end_list(seen.cache);
    sonde_kube_cache_free(seen.cache);
    *ret_sum = seen.sum;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole;
    uint64_t cut;
    const char *text = (const char *)data;
    if (size > INPUT_MAX) {
        return 0;
    }
    size_t all = size ? size : 1;
    int r = run_watch(text, size, all, &whole);
    must(run_watch(text, size, 1, &cut) == r && cut == whole);
    r = run_list(text, size, all, &whole);
    must(run_list(text, size, 1, &cut) == r && cut == whole);
    return 0;
}
