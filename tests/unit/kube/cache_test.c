/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "codec/json.h"
#include "kube/cache.h"

/* The compact form: the node's name. "out" is left out, "bad" is refused. */
static int keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    int *held = context;
    const cJSON *spec = cJSON_GetObjectItemCaseSensitive(object, "spec");
    const char *node = sonde_json_string_or(spec, "nodeName", "");
    if (strcmp(node, "out") == 0) {
        return 1;
    }
    if (strcmp(node, "bad") == 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "bad");
    }
    *ret = node[0] ? strdup(node) : NULL;
    *held += *ret != NULL;
    return 0;
}

static void release(void *context, void *kept)
{
    int *held = context;
    --*held;
    free(kept);
}

static struct sonde_str node_of(const struct sonde_kube_object *object)
{
    return sonde_str(object->kept);
}

static struct sonde_str uid_of(const struct sonde_kube_object *object)
{
    return sonde_str(object->uid);
}

/* ---- what is told ---- */

static struct sonde_buf told = {.maximum = 1 << 20};

static void changed(void *context, const struct sonde_kube_object *before,
                    const struct sonde_kube_object *after)
{
    (void)context;
    const struct sonde_kube_object *object = after ? after : before;
    sonde_buf_printf(&told, "%c%s@%s ",
                     before && after ? '~'
                     : after         ? '+'
                                     : '-',
                     object->key, object->resource_version);
}

static struct sonde_kube_cache *new_cache(int *held, size_t maximum)
{
    struct sonde_kube_cache *cache = NULL;
    struct sonde_kube_cache_options options = {.context = held,
                                               .keep = keep,
                                               .release = release,
                                               .changed = changed,
                                               .indexes = {node_of, uid_of},
                                               .maximum = maximum};
    assert_int_equal(sonde_kube_cache_new(&options, &cache, NULL), 0);
    sonde_buf_clear(&told);
    return cache;
}

static int put(struct sonde_kube_cache *cache, const char *text, bool gone, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = cJSON_Parse(text);
    assert_non_null(json);
    return gone ? sonde_kube_cache_delete(cache, json, err)
                : sonde_kube_cache_put(cache, json, err);
}

#define POD(name, uid, version, node)                                                              \
    "{\"metadata\":{\"namespace\":\"n\",\"name\":\"" name "\",\"uid\":\"" uid                      \
    "\",\"resourceVersion\":\"" version "\"},\"spec\":{\"nodeName\":\"" node "\"}}"

static void tells_each_change_once(void **state)
{
    (void)state;
    int held = 0;
    struct sonde_kube_cache *cache = new_cache(&held, 100);
    assert_int_equal(put(cache, POD("a", "1", "10", "x"), false, NULL), 0);
    assert_int_equal(put(cache, POD("a", "1", "10", "x"), false, NULL), 0); /* again */
    assert_int_equal(put(cache, POD("a", "1", "11", "y"), false, NULL), 0);
    assert_int_equal(put(cache, POD("a", "2", "12", "y"), false, NULL), 0); /* another a */
    assert_int_equal(put(cache, POD("a", "1", "11", "y"), true, NULL), 0);  /* the old one: no */
    assert_int_equal(put(cache, POD("b", "3", "13", ""), false, NULL), 0);
    assert_int_equal(put(cache, POD("b", "3", "14", "out"), false, NULL), 0);
    assert_int_equal(put(cache, POD("c", "4", "15", "out"), false, NULL), 0);
    assert_int_equal(put(cache, POD("a", "2", "16", "y"), true, NULL), 0);
    assert_int_equal(put(cache, POD("a", "2", "16", "y"), true, NULL), 0);
    assert_string_equal(told.data, "+n/a@10 ~n/a@11 -n/a@11 +n/a@12 +n/b@13 -n/b@13 -n/a@12 ");
    assert_int_equal(sonde_kube_cache_count(cache), 0);
    assert_int_equal(held, 0);
    sonde_kube_cache_free(cache);
}

static void a_list_replaces_what_was(void **state)
{
    (void)state;
    int held = 0;
    struct sonde_kube_cache *cache = new_cache(&held, 100);
    sonde_kube_cache_begin_list(cache);
    assert_int_equal(put(cache, POD("a", "1", "1", "x"), false, NULL), 0);
    assert_int_equal(put(cache, POD("b", "2", "2", "x"), false, NULL), 0);
    assert_int_equal(put(cache, POD("c", "3", "3", "x"), false, NULL), 0);
    sonde_kube_cache_end_list(cache);
    sonde_kube_cache_begin_list(cache);
    assert_int_equal(put(cache, POD("a", "1", "1", "x"), false, NULL), 0);
    sonde_kube_cache_begin_list(cache); /* broken off, and begun again */
    sonde_buf_clear(&told);
    assert_int_equal(put(cache, POD("b", "2", "2", "x"), false, NULL), 0);
    assert_int_equal(put(cache, POD("c", "3", "9", "x"), false, NULL), 0);
    sonde_kube_cache_end_list(cache);
    assert_string_equal(told.data, "~n/c@9 -n/a@1 ");
    assert_null(sonde_kube_cache_get(cache, SONDE_STR("n/a")));
    assert_string_equal(sonde_kube_cache_get(cache, SONDE_STR("n/c"))->name, "c");
    sonde_kube_cache_free(cache);
    assert_int_equal(held, 0);
}

static void refuses_without_harm(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {POD("a", "1", "2", "bad"), SONDE_EPARSE},
        {POD("", "1", "2", "x"), SONDE_EPROTOCOL},
        {POD("a", "", "2", "x"), SONDE_EPROTOCOL},
        {POD("a", "1", "", "x"), SONDE_EPROTOCOL},
        {POD("a/b", "1", "2", "x"), SONDE_EPROTOCOL},
        {POD("b", "2", "2", "x"), SONDE_ELIMIT},
        {"{}", SONDE_EPROTOCOL},
        {"{\"metadata\":[]}", SONDE_EPROTOCOL},
    };
    int held = 0;
    struct sonde_kube_cache *cache = new_cache(&held, 1);
    assert_int_equal(put(cache, POD("a", "1", "1", "x"), false, NULL), 0);
    for (size_t i = 0; i < SONDE_LENGTH(cases); i++) {
        struct sonde_err err = {0};
        assert_int_equal(put(cache, cases[i].text, false, &err), cases[i].code);
        assert_true(err.message[0]);
        assert_int_equal(sonde_kube_cache_count(cache), 1);
        assert_int_equal(held, 1);
    }
    assert_string_equal(told.data, "+n/a@1 ");
    sonde_kube_cache_free(cache);
    sonde_kube_cache_free(NULL);
}

/* ---- against a model ---- */

enum { MODEL_NAMES = 40, MODEL_NODES = 5, MODEL_STEPS = 20000 };

struct model {
    bool there;
    unsigned uid, version, node;
};

static size_t count_nodes(const struct sonde_kube_cache *cache, unsigned node)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "node-%u", node);
    size_t count = 0;
    const struct sonde_kube_object *object = sonde_kube_cache_first(cache, 0, sonde_str(text));
    for (; object; object = sonde_kube_cache_next(cache, 0, object)) {
        assert_string_equal(object->kept, text);
        count++;
    }
    return count;
}

static void compare(const struct sonde_kube_cache *cache, const struct model *model)
{
    size_t count = 0;
    size_t nodes[MODEL_NODES] = {0};
    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "n/pod-%u", i);
        const struct sonde_kube_object *object = sonde_kube_cache_get(cache, sonde_str(text));
        assert_int_equal(object != NULL, model[i].there);
        if (object) {
            (void)snprintf(text, sizeof(text), "%u", model[i].version);
            assert_string_equal(object->resource_version, text);
            (void)snprintf(text, sizeof(text), "%u-%u", i, model[i].uid);
            assert_ptr_equal(sonde_kube_cache_first(cache, 1, sonde_str(text)), object);
            nodes[model[i].node]++;
            count++;
        }
    }
    assert_int_equal(sonde_kube_cache_count(cache), count);
    for (unsigned i = 0; i < MODEL_NODES; i++) {
        assert_int_equal(count_nodes(cache, i), nodes[i]);
    }
}

static void does_as_a_model_does(void **state)
{
    (void)state;
    uint64_t random = 20261123;
    int held = 0;
    struct sonde_kube_cache *cache = new_cache(&held, 1000);
    struct model model[MODEL_NAMES] = {{0}};
    unsigned version = 0;
    print_message("seed %llu\n", (unsigned long long)random);
    for (int i = 0; i < MODEL_STEPS; i++) {
        unsigned at = (unsigned)(sonde_random_next(&random) % MODEL_NAMES);
        struct model *m = &model[at];
        uint64_t dice = sonde_random_next(&random) % 10;
        if (dice == 0 || !m->there) {
            m->uid++; /* recreated under the same name */
        }
        bool gone = dice >= 8 && m->there;
        m->node = (unsigned)(sonde_random_next(&random) % MODEL_NODES);
        m->version = ++version;
        m->there = !gone;
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "{\"metadata\":{\"namespace\":\"n\",\"name\":\"pod-%u\",\"uid\":\"%u-%u\","
                       "\"resourceVersion\":\"%u\"},\"spec\":{\"nodeName\":\"node-%u\"}}",
                       at, at, m->uid, m->version, m->node);
        assert_int_equal(put(cache, text, gone, NULL), 0);
        sonde_buf_clear(&told);
        if (i % 50 == 0) {
            compare(cache, model);
        }
    }
    sonde_kube_cache_free(cache);
    assert_int_equal(held, 0);
}

static void count_one(void *context, const struct sonde_kube_object *object)
{
    (void)object;
    ++*(size_t *)context;
}

static void ten_thousand_pods_are_small(void **state)
{
    (void)state;
    enum { PODS = 10000, BYTES_MAX = 8 << 20 };
    int held = 0;
    struct sonde_kube_cache *cache = new_cache(&held, PODS);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < PODS; i++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "{\"metadata\":{\"namespace\":\"namespace-%d\",\"name\":"
                       "\"deployment-name-5d4f8b7c9f-%05d\",\"uid\":"
                       "\"01234567-89ab-cdef-0123-0123456%05d\",\"resourceVersion\":\"%d\"},"
                       "\"spec\":{\"nodeName\":\"node-%d.example.internal\"}}",
                       i % 100, i, i, i + 1, i % 100);
        assert_int_equal(put(cache, text, false, NULL), 0);
        sonde_buf_clear(&told);
    }
    size_t used = mallinfo2().uordblks - before;
    print_message("%zu bytes\n", used);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_in_range(used, PODS, BYTES_MAX);
#endif
    size_t count = 0;
    sonde_kube_cache_each(cache, count_one, &count);
    assert_int_equal(count, PODS);
    sonde_kube_cache_free(cache);
    sonde_buf_fini(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_each_change_once),      cmocka_unit_test(a_list_replaces_what_was),
        cmocka_unit_test(refuses_without_harm),        cmocka_unit_test(does_as_a_model_does),
        cmocka_unit_test(ten_thousand_pods_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
