/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/cache.h"

#include <stdlib.h>

#include "base/buf.h"
#include "codec/json.h"
#include "kube/path.h"
#include "kube/watch.h"

struct sonde_kube_cache {
    struct sonde_kube_cache_options options;
    size_t index_count;
    struct sonde_kube_table by_key;
    struct sonde_kube_table by_index[SONDE_KUBE_INDEXES_MAX];
    uint64_t generation;
};

/* The metadata that every object has. Borrowed. */
struct identity {
    const char *namespace, *name, *uid;
    char version[SONDE_KUBE_VERSION_SIZE];
};

int sonde_kube_cache_new(const struct sonde_kube_cache_options *options,
                         struct sonde_kube_cache **ret, struct sonde_err *err)
{
    struct sonde_kube_cache *cache = calloc(1, sizeof(*cache));
    if (!cache) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "Kubernetes cache: out of memory");
    }
    cache->options = *options;
    while (cache->index_count < SONDE_KUBE_INDEXES_MAX && options->indexes[cache->index_count]) {
        cache->index_count++;
    }
    *ret = cache;
    return 0;
}

static void free_object(const struct sonde_kube_cache *cache, struct sonde_kube_object *object)
{
    if (object && object->kept && cache->options.release) {
        cache->options.release(cache->options.context, object->kept);
    }
    free(object);
}

void sonde_kube_cache_free(struct sonde_kube_cache *cache)
{
    if (!cache) {
        return;
    }
    for (size_t i = 0; i < cache->by_key.capacity; i++) {
        for (struct sonde_kube_link *link = cache->by_key.buckets[i], *next; link; link = next) {
            next = link->next;
            free_object(cache, SONDE_KUBE_OWNER(link, struct sonde_kube_object, by_key));
        }
    }
    sonde_kube_table_fini(&cache->by_key);
    for (size_t i = 0; i < cache->index_count; i++) {
        sonde_kube_table_fini(&cache->by_index[i]);
    }
    free(cache);
}

/* Names of kinds that are no DNS names (RBAC's) may stand here: they are never made into paths. */
static int identify(const cJSON *object, struct identity *ret, struct sonde_err *err)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    ret->namespace = sonde_json_string_or(metadata, "namespace", "");
    ret->name = sonde_json_string_or(metadata, "name", "");
    ret->uid = sonde_json_string_or(metadata, "uid", "");
    size_t uid = strlen(ret->uid);
    size_t name = strlen(ret->name);
    if (strlen(ret->namespace) > SONDE_KUBE_LABEL_MAX || name == 0 || name > SONDE_KUBE_NAME_MAX ||
        uid == 0 || uid > SONDE_KUBE_UID_MAX || strchr(ret->name, '/')) {
        return sonde_fail(err, SONDE_EPROTOCOL, 0,
                          "Kubernetes: an object without usable metadata: \"%.80s\"", ret->name);
    }
    return sonde_kube_version_of(object, ret->version, err);
}

static struct sonde_str make_key(const struct identity *identity, char ret[SONDE_KUBE_KEY_MAX + 1])
{
    int length = snprintf(ret, SONDE_KUBE_KEY_MAX + 1, "%s%s%s", identity->namespace,
                          identity->namespace[0] ? "/" : "", identity->name);
    return (struct sonde_str){ret, (size_t)length};
}

static struct sonde_kube_object *find(const struct sonde_kube_cache *cache, struct sonde_str key)
{
    struct sonde_kube_link *link = sonde_kube_table_first(&cache->by_key, key);
    for (; link; link = sonde_kube_table_next(link)) {
        struct sonde_kube_object *object = SONDE_KUBE_OWNER(link, struct sonde_kube_object, by_key);
        if (sonde_str_is(key, object->key)) {
            return object;
        }
    }
    return NULL;
}

static char *store(char **at, const char *text, size_t length)
{
    char *here = *at;
    memcpy(here, text, length);
    here[length] = '\0';
    *at += length + 1;
    return here;
}

/* The struct, its links and its texts in one block. */
static struct sonde_kube_object *new_object(const struct sonde_kube_cache *cache,
                                            const struct identity *identity)
{
    char key[SONDE_KUBE_KEY_MAX + 1];
    size_t key_length = make_key(identity, key).length;
    size_t uid_length = strlen(identity->uid);
    size_t version_length = strlen(identity->version);
    size_t head =
        sizeof(struct sonde_kube_object) + cache->index_count * sizeof(struct sonde_kube_link);
    struct sonde_kube_object *object =
        calloc(1, head + key_length + uid_length + version_length + 3);
    if (!object) {
        return NULL;
    }
    char *at = (char *)object + head;
    object->key = store(&at, key, key_length);
    object->name = object->key + (key_length - strlen(identity->name));
    object->uid = store(&at, identity->uid, uid_length);
    object->resource_version = store(&at, identity->version, version_length);
    return object;
}

static int reserve(struct sonde_kube_cache *cache, struct sonde_err *err)
{
    int code = sonde_kube_table_reserve(&cache->by_key);
    for (size_t i = 0; i < cache->index_count && code == 0; i++) {
        code = sonde_kube_table_reserve(&cache->by_index[i]);
    }
    return code == 0 ? 0 : sonde_fail(err, code, 0, "Kubernetes cache: out of memory");
}

static void link_object(struct sonde_kube_cache *cache, struct sonde_kube_object *object)
{
    sonde_kube_table_insert(&cache->by_key, &object->by_key, sonde_str(object->key));
    for (size_t i = 0; i < cache->index_count; i++) {
        struct sonde_str key = cache->options.indexes[i](object);
        if (key.length) {
            sonde_kube_table_insert(&cache->by_index[i], &object->by_index[i], key);
        }
    }
}

static void unlink_object(struct sonde_kube_cache *cache, struct sonde_kube_object *object)
{
    sonde_kube_table_remove(&cache->by_key, &object->by_key);
    for (size_t i = 0; i < cache->index_count; i++) {
        sonde_kube_table_remove(&cache->by_index[i], &object->by_index[i]);
    }
}

static void tell(const struct sonde_kube_cache *cache, const struct sonde_kube_object *before,
                 const struct sonde_kube_object *after)
{
    if (cache->options.changed && (before || after)) {
        cache->options.changed(cache->options.context, before, after);
    }
}

static void drop(struct sonde_kube_cache *cache, struct sonde_kube_object *object)
{
    if (object) {
        unlink_object(cache, object);
        tell(cache, object, NULL);
        free_object(cache, object);
    }
}

static void swap(struct sonde_kube_cache *cache, struct sonde_kube_object *old,
                 struct sonde_kube_object *fresh)
{
    if (old && strcmp(old->uid, fresh->uid) != 0) {
        drop(cache, old);
        old = NULL;
    }
    if (old) {
        unlink_object(cache, old);
    }
    link_object(cache, fresh);
    tell(cache, old, fresh);
    free_object(cache, old);
}

int sonde_kube_cache_put(struct sonde_kube_cache *cache, const cJSON *json, struct sonde_err *err)
{
    struct identity identity;
    char text[SONDE_KUBE_KEY_MAX + 1];
    int code = identify(json, &identity, err);
    if (code < 0) {
        return code;
    }
    struct sonde_kube_object *old = find(cache, make_key(&identity, text));
    if (old && strcmp(old->uid, identity.uid) == 0 &&
        strcmp(old->resource_version, identity.version) == 0) {
        old->generation = cache->generation;
        return 0;
    }
    void *kept = NULL;
    code = cache->options.keep(cache->options.context, json, &kept, err);
    if (code != 0) {
        if (code > 0) {
            drop(cache, old);
        }
        return code < 0 ? code : 0;
    }
    struct sonde_kube_object *fresh = new_object(cache, &identity);
    if (fresh) {
        fresh->kept = kept;
        fresh->generation = cache->generation;
    } else if (kept && cache->options.release) {
        cache->options.release(cache->options.context, kept);
    }
    code = !fresh ? sonde_fail(err, SONDE_ENOMEM, 0, "Kubernetes cache: out of memory")
           : !old && cache->by_key.count >= cache->options.maximum
               ? sonde_fail(err, SONDE_ELIMIT, 0, "Kubernetes cache: more than %zu objects",
                            cache->options.maximum)
               : reserve(cache, err);
    if (code < 0) {
        free_object(cache, fresh);
        return code;
    }
    swap(cache, old, fresh);
    return 0;
}

int sonde_kube_cache_delete(struct sonde_kube_cache *cache, const cJSON *json,
                            struct sonde_err *err)
{
    struct identity identity;
    char text[SONDE_KUBE_KEY_MAX + 1];
    int code = identify(json, &identity, err);
    if (code < 0) {
        return code;
    }
    struct sonde_kube_object *old = find(cache, make_key(&identity, text));
    if (old && strcmp(old->uid, identity.uid) == 0) {
        drop(cache, old);
    }
    return 0;
}

void sonde_kube_cache_begin_list(struct sonde_kube_cache *cache)
{
    cache->generation++;
}

void sonde_kube_cache_end_list(struct sonde_kube_cache *cache)
{
    for (size_t i = 0; i < cache->by_key.capacity; i++) {
        for (struct sonde_kube_link *link = cache->by_key.buckets[i], *next; link; link = next) {
            next = link->next;
            struct sonde_kube_object *object =
                SONDE_KUBE_OWNER(link, struct sonde_kube_object, by_key);
            if (object->generation != cache->generation) {
                drop(cache, object);
            }
        }
    }
}

const struct sonde_kube_object *sonde_kube_cache_get(const struct sonde_kube_cache *cache,
                                                     struct sonde_str key)
{
    return find(cache, key);
}

/* The object of this link or of one behind it that has the key itself, not only its hash. */
static const struct sonde_kube_object *with_key(const struct sonde_kube_cache *cache, size_t index,
                                                struct sonde_kube_link *link, struct sonde_str key)
{
    for (; link; link = sonde_kube_table_next(link)) {
        const struct sonde_kube_object *object =
            SONDE_KUBE_OWNER(link - index, struct sonde_kube_object, by_index);
        if (sonde_str_equal(cache->options.indexes[index](object), key)) {
            return object;
        }
    }
    return NULL;
}

const struct sonde_kube_object *sonde_kube_cache_first(const struct sonde_kube_cache *cache,
                                                       size_t index, struct sonde_str key)
{
    if (index >= cache->index_count) {
        return NULL;
    }
    return with_key(cache, index, sonde_kube_table_first(&cache->by_index[index], key), key);
}

const struct sonde_kube_object *sonde_kube_cache_next(const struct sonde_kube_cache *cache,
                                                      size_t index,
                                                      const struct sonde_kube_object *object)
{
    struct sonde_str key = cache->options.indexes[index](object);
    return with_key(cache, index, sonde_kube_table_next(&object->by_index[index]), key);
}

void sonde_kube_cache_each(const struct sonde_kube_cache *cache,
                           void (*callback)(void *context, const struct sonde_kube_object *object),
                           void *context)
{
    for (size_t i = 0; i < cache->by_key.capacity; i++) {
        for (struct sonde_kube_link *link = cache->by_key.buckets[i]; link; link = link->next) {
            callback(context, SONDE_KUBE_OWNER(link, struct sonde_kube_object, by_key));
        }
    }
}

size_t sonde_kube_cache_count(const struct sonde_kube_cache *cache)
{
    return cache->by_key.count;
}
