/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a kind as the API server last told them, with only the fields that somebody
 * needs. No I/O. */
#ifndef SONDE_KUBE_CACHE_H
#define SONDE_KUBE_CACHE_H

#include <cjson/cJSON.h>

#include "base/err.h"
#include "kube/table.h"

enum {
    SONDE_KUBE_INDEXES_MAX = 4,
    SONDE_KUBE_KEY_MAX = 63 + 1 + 253, /* bytes of "namespace/name" */
    SONDE_KUBE_UID_MAX = 128,
};

/* One object. Replaced, never changed: a pointer is valid until the next change of the cache. */
struct sonde_kube_object {
    const char *key;  /* "namespace/name", or "name" of a kind of the whole cluster */
    const char *name; /* within key */
    const char *uid;  /* never "" */
    const char *resource_version;
    void *kept;          /* what `keep` made of it */
    uint64_t generation; /* of the list that had it last */
    struct sonde_kube_link by_key;
    struct sonde_kube_link by_index[]; /* as many as the cache has indexes */
};

struct sonde_kube_cache_options {
    void *context;
    /* Makes the compact form of an object: 0 with *ret_kept (may be NULL), 1 to leave the object
     * out, or a negative code with *err filled. The object is valid during the call only. */
    int (*keep)(void *context, const cJSON *object, void **ret_kept, struct sonde_err *err);
    void (*release)(void *context, void *kept); /* frees it; not called for NULL. May be NULL */
    /* `before` is NULL when it is new, `after` when it is gone. May be NULL. An object of the same
     * name with another uid is first gone and then new. Must not change the cache. */
    void (*changed)(void *context, const struct sonde_kube_object *before,
                    const struct sonde_kube_object *after);
    /* The key of an object in each index: borrowed from the object or its kept form, which must
     * then not change; empty: it is not in this index. A NULL ends the list. */
    struct sonde_str (*indexes[SONDE_KUBE_INDEXES_MAX])(const struct sonde_kube_object *object);
    size_t maximum; /* objects */
};

struct sonde_kube_cache;

/* The caller frees it; options are copied. SONDE_ENOMEM. */
int sonde_kube_cache_new(const struct sonde_kube_cache_options *options,
                         struct sonde_kube_cache **ret, struct sonde_err *err) SONDE_MUST_CHECK;
/* Releases all objects, without `changed`. NULL allowed. */
void sonde_kube_cache_free(struct sonde_kube_cache *cache);

/* Takes an object as it is now (ADDED, MODIFIED, an item of a list). One with the same uid and
 * resourceVersion changes nothing. SONDE_EPROTOCOL when metadata is missing or wrong,
 * SONDE_ELIMIT, SONDE_ENOMEM, or what `keep` returned; the cache is then as before. */
int sonde_kube_cache_put(struct sonde_kube_cache *cache, const cJSON *object,
                         struct sonde_err *err) SONDE_MUST_CHECK;
/* Takes the last state of an object that is gone (DELETED). Errors: SONDE_EPROTOCOL. */
int sonde_kube_cache_delete(struct sonde_kube_cache *cache, const cJSON *object,
                            struct sonde_err *err) SONDE_MUST_CHECK;

/* A list begins: what is not put until its end is then gone. */
void sonde_kube_cache_begin_list(struct sonde_kube_cache *cache);
void sonde_kube_cache_end_list(struct sonde_kube_cache *cache);

/* The object, or NULL. key: "namespace/name". */
const struct sonde_kube_object *sonde_kube_cache_get(const struct sonde_kube_cache *cache,
                                                     struct sonde_str key);
/* The first object of a key in an index (0…), and the next one; NULL: no more. */
const struct sonde_kube_object *sonde_kube_cache_first(const struct sonde_kube_cache *cache,
                                                       size_t index, struct sonde_str key);
const struct sonde_kube_object *sonde_kube_cache_next(const struct sonde_kube_cache *cache,
                                                      size_t index,
                                                      const struct sonde_kube_object *object);
/* Calls back for every object, in no order. The callback must not change the cache. */
void sonde_kube_cache_each(const struct sonde_kube_cache *cache,
                           void (*callback)(void *context, const struct sonde_kube_object *object),
                           void *context);
size_t sonde_kube_cache_count(const struct sonde_kube_cache *cache);

#endif
