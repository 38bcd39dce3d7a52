/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/find.h"

#include <string.h>

#include "codec/json.h"
#include "db/db.h"

enum { PATH_SIZE = 1024 };

void found_fini(struct found *found)
{
    cJSON_Delete(SONDE_TAKE(found->object));
    cJSON_Delete(SONDE_TAKE(found->row));
}

/* ---- objects ---- */

static bool is_called(const struct sonde_kind *kind, struct sonde_str word)
{
    return sonde_str_is(word, kind->singular) || sonde_str_is(word, kind->plural) ||
           sonde_str_is(word, kind->short_name) || sonde_str_is(word, kind->name);
}

/* Reads an object into ret->object. */
static int get_object(struct cluster *cluster, const struct sonde_kind *kind, const char *namespace,
                      const char *name, cJSON **ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_KUBE_OBJECT_MAX);
    const struct sonde_kube_resource resource = cluster_resource(kind);
    const struct sonde_kube_target target = {&resource, namespace, name, NULL, NULL};
    int r = cluster_ask(cluster, "GET", &target, (struct sonde_str){0}, &answer, err);
    return r < 0 ? r : sonde_json_parse(sonde_buf_view(&answer), ret, err);
}

static const char *uid_of(const cJSON *object)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    return sonde_json_string_or(metadata, "uid", "");
}

static void take_object(struct found *found, const struct sonde_kind *kind, const char *namespace,
                        const char *name, cJSON *object)
{
    found->kind = kind;
    found->object = object;
    (void)snprintf(found->namespace, sizeof(found->namespace), "%s", namespace);
    (void)snprintf(found->name, sizeof(found->name), "%s", name);
    (void)snprintf(found->uid, sizeof(found->uid), "%s", uid_of(object));
}

static int refuse_two(const struct found *found, const struct sonde_kind *other,
                      struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EINVALID, 0,
                      "%s has a %s and a %s of the name %s: say %s/%s or %s/%s", found->namespace,
                      found->kind->name, other->name, found->name, found->kind->singular,
                      found->name, other->singular, found->name);
}

/* Of those kinds that the word means; all when it is empty. A kind that we may not read is left
 * out, unless there is nothing else. */
static int find_named(struct cluster *cluster, const struct sonde_kind *const kinds[], size_t count,
                      struct sonde_str word, const char *name, struct found *ret,
                      struct sonde_err *err)
{
    struct sonde_err own = {0};
    struct sonde_err denied = {0};
    for (size_t i = 0; i < count; i++) {
        cJSON *object = NULL;
        if (word.length && !is_called(kinds[i], word)) {
            continue;
        }
        int r = get_object(cluster, kinds[i], cluster->namespace, name, &object, &own);
        if (r < 0 && r != SONDE_ENOTFOUND && r != SONDE_EDENIED) {
            *err = own;
            return r;
        }
        denied = r == SONDE_EDENIED ? own : denied;
        if (r == 0 && ret->object) {
            cJSON_Delete(object);
            return refuse_two(ret, kinds[i], err);
        }
        if (r == 0) {
            take_object(ret, kinds[i], cluster->namespace, name, object);
        }
    }
    if (!ret->object && denied.code) {
        *err = denied;
        return denied.code;
    }
    return ret->object ? 0
                       : sonde_fail(err, SONDE_ENOTFOUND, 0, "there is no %.200s in %s", name,
                                    cluster->namespace);
}

int find_object(struct cluster *cluster, const struct sonde_kind *const kinds[], size_t count,
                const char *text, struct found *ret, struct sonde_err *err)
{
    const char *slash = strchr(text, '/');
    const char *name = slash ? slash + 1 : text;
    struct sonde_str word = {text, slash ? (size_t)(slash - text) : 0};
    bool known = !slash;
    *ret = (struct found){0};
    for (size_t i = 0; i < count; i++) {
        known = known || is_called(kinds[i], word);
    }
    if (!known) {
        return sonde_fail(err, SONDE_EINVALID, 0, "%.100s: no kind that is meant here is called so",
                          text);
    }
    return sonde_kube_is_name(sonde_str(name))
               ? find_named(cluster, kinds, count, word, name, ret, err)
               : sonde_fail(err, SONDE_ENOTFOUND, 0, "\"%.100s\" is no name of an object", name);
}

/* ---- the store ---- */

static int read_row(struct found *ret, struct sonde_err *err)
{
    const char *kind = sonde_json_string_or(ret->row, "kind", "");
    const char *uid = sonde_json_string_or(ret->row, "uid", "");
    const char *name = sonde_json_string_or(ret->row, "name", "");
    const char *namespace = sonde_json_string_or(ret->row, "namespace", "");
    ret->kind = cluster_kind(kind);
    if (!ret->kind || !uid[0] || strlen(uid) >= sizeof(ret->uid) ||
        !sonde_kube_is_name(sonde_str(name)) || !sonde_kube_is_label(sonde_str(namespace))) {
        return sonde_fail(err, SONDE_EPROTOCOL, 0,
                          "the store has a run %.100s of the kind \"%.50s\", which cannot be one "
                          "of this cluster",
                          name, kind);
    }
    (void)snprintf(ret->uid, sizeof(ret->uid), "%s", uid);
    (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
    (void)snprintf(ret->namespace, sizeof(ret->namespace), "%s", namespace);
    return 0;
}

/* A later object of its name is another one. */
static int find_its_object(struct cluster *cluster, struct found *ret, struct sonde_err *err)
{
    cJSON *object = NULL;
    int r = get_object(cluster, ret->kind, ret->namespace, ret->name, &object, err);
    if (r == 0 && strcmp(uid_of(object), ret->uid) == 0) {
        ret->object = object;
        return 0;
    }
    cJSON_Delete(object);
    return r == SONDE_ENOTFOUND ? 0 : r;
}

static int find_in_store(struct cluster *cluster, const char *text, struct found *ret,
                         struct sonde_err *err)
{
    char path[PATH_SIZE];
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_CLI_OUTPUT_MAX);
    const char *const query[] = {"namespace", cluster->namespace, NULL};
    int r = cluster_check_name("run", text, err);
    if (r < 0) {
        return r;
    }
    (void)snprintf(path, sizeof(path), "runs/%s", text);
    r = cluster_ask_store(cluster, "GET", path, query, &answer, err);
    r = r < 0
            ? r
            : sonde_json_parse_up_to(sonde_buf_view(&answer), SONDE_CLI_OUTPUT_MAX, &ret->row, err);
    r = r < 0 ? r : read_row(ret, err);
    return r < 0 ? r : find_its_object(cluster, ret, err);
}

int find_run(struct cluster *cluster, const char *text, struct found *ret, struct sonde_err *err)
{
    static const struct sonde_kind *const kinds[] = {&sonde_kind_load_test,
                                                     &sonde_kind_profile_run};
    int r = find_object(cluster, kinds, SONDE_LENGTH(kinds), text, ret, err);
    return r == SONDE_ENOTFOUND || r == SONDE_EDENIED ? find_in_store(cluster, text, ret, err) : r;
}
