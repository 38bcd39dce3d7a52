/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "kube/client.h"

int sonde_kube_apply(struct sonde_kube *kube, const struct sonde_kube_target *target,
                     const char *manager, struct sonde_str body,
                     struct sonde_kube_request_options *options, struct sonde_kube_request **ret,
                     struct sonde_err *err)
{
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int code = sonde_kube_path(target, &path, err);
    if (code < 0) {
        return code;
    }
    sonde_kube_query(&path, "fieldManager", sonde_str(manager));
    sonde_kube_query(&path, "force", SONDE_STR("true"));
    code = sonde_buf_check(&path, "the path of a Kubernetes request", err);
    if (code < 0) {
        return code;
    }
    options->method = "PATCH";
    options->content_type = SONDE_KUBE_APPLY;
    options->path = sonde_buf_view(&path);
    options->body = body;
    code = sonde_kube_send(kube, options, ret, err);
    options->path = options->body = (struct sonde_str){0};
    return code;
}

static bool lists_are_equal(const cJSON *a, const cJSON *b)
{
    return cJSON_Compare(a, b, cJSON_True);
}

bool sonde_kube_covers(const cJSON *current, const cJSON *wanted)
{
    if (!cJSON_IsObject(wanted) || !cJSON_IsObject(current)) {
        return current && wanted && lists_are_equal(current, wanted);
    }
    const cJSON *member;
    cJSON_ArrayForEach(member, wanted)
    {
        const cJSON *there = cJSON_GetObjectItemCaseSensitive(current, member->string);
        if (!sonde_kube_covers(there, member)) { /* as deep as a document may be */
            return false;
        }
    }
    return true;
}

static void put_text(struct sonde_buf *body, const char *name, const char *text)
{
    if (text && text[0]) {
        sonde_buf_printf(body, ",\"%s\":", name);
        sonde_buf_json_string(body, sonde_str(text));
    }
}

int sonde_kube_apply_status(struct sonde_kube *kube, const struct sonde_kube_target *target,
                            const struct sonde_kube_precondition *precondition, const char *manager,
                            const cJSON *current, const cJSON *wanted,
                            struct sonde_kube_request_options *options,
                            struct sonde_kube_request **ret, struct sonde_err *err)
{
    if (sonde_kube_covers(current, wanted)) {
        return 1;
    }
    const struct sonde_kube_resource *resource = target->resource;
    struct sonde_kube_target status = *target;
    status.subresource = "status";
    SONDE_BUF_AUTO body = SONDE_BUF(SONDE_KUBE_OBJECT_MAX);
    char *text = cJSON_PrintUnformatted(wanted);
    if (!text) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "a status: out of memory");
    }
    bool core = !resource->group || !resource->group[0];
    sonde_buf_printf(&body, "{\"apiVersion\":\"%s%s%s\",\"kind\":\"%s\",\"metadata\":{\"name\":",
                     core ? "" : resource->group, core ? "" : "/", resource->version,
                     resource->kind);
    sonde_buf_json_string(&body, sonde_str(target->name));
    put_text(&body, "namespace", target->namespace);
    put_text(&body, "uid", precondition->uid);
    put_text(&body, "resourceVersion", precondition->resource_version);
    sonde_buf_text(&body, "},\"status\":");
    sonde_buf_text(&body, text);
    sonde_buf_char(&body, '}');
    cJSON_free(text);
    int code = sonde_buf_check(&body, "a status", err);
    return code
               ? code
               : sonde_kube_apply(kube, &status, manager, sonde_buf_view(&body), options, ret, err);
}
