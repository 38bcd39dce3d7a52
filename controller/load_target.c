/* SPDX-License-Identifier: Apache-2.0 */
/* What may be loaded, and where it is. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "codec/json.h"
#include "controller/load.h"
#include "load/safety.h"
#include "load/target.h"
#include "spec/reason.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text(const cJSON *object, const char *name)
{
    return sonde_json_string_or(object, name, "");
}

/* ---- hosts ---- */

/* "*.example.com" stands for one label before the rest, "*" for every host. */
static bool names(struct sonde_str pattern, const char *host)
{
    const char *rest = strchr(host, '.');
    if (sonde_str_is(pattern, "*")) {
        return true;
    }
    if (sonde_str_starts(pattern, "*.")) {
        host = rest && rest != host ? rest : "";
        pattern.data++;
        pattern.length--;
    }
    return strlen(host) == pattern.length && strncasecmp(host, pattern.data, pattern.length) == 0;
}

bool load_host_named(const char *list, const char *host)
{
    struct sonde_str rest = sonde_str(list);
    while (rest.length) {
        struct sonde_str pattern = sonde_str_trim(sonde_str_split(&rest, ','));
        if (pattern.length && names(pattern, host)) {
            return true;
        }
    }
    return false;
}

const struct sonde_arrival *load_arrival(const struct sonde_load_test *spec,
                                         struct sonde_arrival *trial)
{
    if (!spec->search) {
        return spec->arrival;
    }
    *trial = (struct sonde_arrival){.rate = spec->search->max_rate};
    return trial;
}

/* A limit that cannot be read lets nothing pass: else nobody would see that there is none. */
static int check_rate(const struct sonde_load_test *spec, const char *limit, const char *namespace,
                      struct sonde_err *err)
{
    enum { LIMIT_MAX = 999999999 };
    struct sonde_arrival trial;
    uint64_t most = 0;
    int64_t rate = sonde_load_highest_rate(load_arrival(spec, &trial));
    if (sonde_parse_u64(sonde_str_trim(sonde_str(limit)), 1, LIMIT_MAX, &most) < 0) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_RATE_NOT_ALLOWED,
                                 "the annotation sonde.dev/load-max-rate of namespace %s is no "
                                 "whole number from 1 to %d: \"%.100s\"",
                                 namespace, LIMIT_MAX, limit);
    }
    if (rate == SONDE_SPEC_ABSENT) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_RATE_NOT_ALLOWED,
                                 "namespace %s allows at most %llu requests a second "
                                 "(sonde.dev/load-max-rate), and without a rate nobody knows how "
                                 "many there will be",
                                 namespace, (unsigned long long)most);
    }
    if ((uint64_t)rate > most) {
        return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_RATE_NOT_ALLOWED,
                                 "%lld requests a second are more than the %llu that namespace %s "
                                 "allows (sonde.dev/load-max-rate)",
                                 (long long)rate, (unsigned long long)most, namespace);
    }
    return 0;
}

int load_permit(const struct sonde_load_test *spec, const cJSON *outside, const cJSON *annotations,
                const char *namespace, struct sonde_err *err)
{
    const char *list = text(annotations, "sonde.dev/load-hosts");
    const char *limit = sonde_json_string_or(annotations, "sonde.dev/load-max-rate", NULL);
    int r = limit ? check_rate(spec, limit, namespace, err) : 0;
    if (r < 0) {
        return r;
    }
    const cJSON *host;
    cJSON_ArrayForEach(host, outside)
    {
        if (!load_host_named(list, host->valuestring)) {
            return sonde_fail_reason(err, SONDE_EDENIED, SONDE_REASON_HOST_NOT_ALLOWED,
                                     "%.253s is outside of the cluster, and the annotation "
                                     "sonde.dev/load-hosts of namespace %s does not name it",
                                     host->valuestring, namespace);
        }
    }
    return 0;
}

/* ---- where a host leads ---- */

static struct sonde_str take_last_label(struct sonde_str *name)
{
    size_t at = name->length;
    while (at > 0 && name->data[at - 1] != '.') {
        at--;
    }
    struct sonde_str label = {name->data + at, name->length - at};
    name->length = at > 0 ? at - 1 : 0;
    return label;
}

static enum load_lead to_service(struct sonde_str name, struct sonde_str namespace,
                                 struct load_place *ret)
{
    if (!sonde_kube_is_label(name) || !sonde_kube_is_label(namespace)) {
        return LOAD_LEADS_OUT;
    }
    (void)snprintf(ret->namespace, sizeof(ret->namespace), "%.*s", SONDE_STR_ARG(namespace));
    (void)snprintf(ret->name, sizeof(ret->name), "%.*s", SONDE_STR_ARG(name));
    return LOAD_LEADS_TO_SERVICE;
}

enum load_lead load_lead_of(const char *host, const char *namespace, struct load_place *ret)
{
    static const char of_services[] = ".svc";
    static const char of_cluster[] = ".svc.cluster.local";
    char lower[SONDE_LOAD_HOST_MAX + 1];
    size_t length = 0;
    for (; host[length] && length < SONDE_LOAD_HOST_MAX; length++) {
        lower[length] = (char)tolower((unsigned char)host[length]);
    }
    length -= !namespace && length && lower[length - 1] == '.';
    lower[length] = '\0';
    struct sonde_str name = {lower, length};
    if (sonde_load_host_is_local(lower)) {
        return LOAD_LEADS_HERE;
    }
    if (namespace && sonde_load_host_is_near(lower) && !strchr(lower, '.')) {
        return to_service(name, sonde_str(namespace), ret);
    }
    if (sonde_str_ends(name, of_cluster)) {
        name.length -= strlen(of_cluster);
    } else if (namespace && sonde_str_ends(name, of_services)) {
        name.length -= strlen(of_services);
    } else {
        return LOAD_LEADS_OUT;
    }
    struct sonde_str space = take_last_label(&name);
    return to_service(take_last_label(&name), space, ret);
}

const char *load_alias(const cJSON *service)
{
    const cJSON *spec = member(service, "spec");
    return strcmp(text(spec, "type"), "ExternalName") == 0 ? text(spec, "externalName") : "";
}

int load_add_outside(cJSON *outside, const char *host, struct sonde_err *err)
{
    const cJSON *other;
    cJSON_ArrayForEach(other, outside)
    {
        if (strcmp(other->valuestring, host) == 0) {
            return 0;
        }
    }
    if (cJSON_GetArraySize(outside) == LOAD_ADDRESSES_MAX) {
        return sonde_fail_reason(err, SONDE_ELIMIT, SONDE_REASON_UNSUPPORTED,
                                 "more than %d addresses outside of the cluster are behind the "
                                 "Service",
                                 LOAD_ADDRESSES_MAX);
    }
    cJSON *item = cJSON_CreateString(host);
    if (!item || !cJSON_AddItemToArray(outside, item)) {
        cJSON_Delete(item);
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for hosts");
    }
    return 0;
}

int load_add_strangers(cJSON *outside, const cJSON *slices, struct sonde_err *err)
{
    int r = 0;
    const cJSON *slice;
    const cJSON *endpoint;
    const cJSON *address;
    cJSON_ArrayForEach(slice, member(slices, "items"))
    {
        cJSON_ArrayForEach(endpoint, member(slice, "endpoints"))
        {
            bool pod = strcmp(text(member(endpoint, "targetRef"), "kind"), "Pod") == 0;
            const cJSON *addresses = pod ? NULL : member(endpoint, "addresses");
            cJSON_ArrayForEach(address, addresses)
            {
                if (r == 0 && cJSON_IsString(address)) {
                    r = load_add_outside(outside, address->valuestring, err);
                }
            }
        }
    }
    return r;
}

/* ---- the pods behind a Service ---- */

const cJSON *load_selector(const cJSON *service)
{
    const cJSON *selector = member(member(service, "spec"), "selector");
    return cJSON_GetArraySize(selector) ? selector : NULL;
}

bool load_selects(const cJSON *selector, const struct pod *pod)
{
    const cJSON *label;
    bool all = selector != NULL;
    cJSON_ArrayForEach(label, selector)
    {
        const char *value = pod_label(pod, label->string);
        all = all && value && cJSON_IsString(label) && strcmp(value, label->valuestring) == 0;
    }
    return all;
}

/* The name of the Service's port, by which EndpointSlices know it; NULL: there is no such port. */
static const char *port_name(const cJSON *service, int64_t port)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, member(member(service, "spec"), "ports"))
    {
        if (sonde_json_integer_or(one, "port", 0) == port) {
            return text(one, "name");
        }
    }
    return NULL;
}

static int64_t slice_port(const cJSON *slice, const char *name)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, member(slice, "ports"))
    {
        if (strcmp(text(one, "name"), name) == 0) {
            return sonde_json_integer_or(one, "port", 0);
        }
    }
    return 0;
}

/* Unknown counts as ready (kubernetes.io, "EndpointSlices", conditions). */
static bool is_ready(const cJSON *endpoint)
{
    return !cJSON_IsFalse(member(member(endpoint, "conditions"), "ready"));
}

/* A pod stands in several slices while they are put in order anew. */
static bool is_listed(const cJSON *list, const char *address)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(text(item, "address"), address) == 0) {
            return true;
        }
    }
    return false;
}

/* Of a Service that is loaded by its own address it is enough to know that there are some. */
static int add_address(cJSON *list, const cJSON *endpoint, int64_t port, bool six, bool all,
                       struct sonde_err *err)
{
    char address[96];
    const cJSON *first = cJSON_GetArrayItem(member(endpoint, "addresses"), 0);
    const char *name = text(member(endpoint, "targetRef"), "name");
    if (!cJSON_IsString(first) || strlen(first->valuestring) > 64) {
        return 0;
    }
    (void)snprintf(address, sizeof(address), six ? "[%s]:%lld" : "%s:%lld", first->valuestring,
                   (long long)port);
    if (is_listed(list, address)) {
        return 0;
    }
    if (cJSON_GetArraySize(list) == LOAD_ADDRESSES_MAX) {
        return all ? sonde_fail(err, SONDE_ELIMIT, 0,
                                "more than %d pods are behind the Service: load its own address, "
                                "with endpoints: Service",
                                LOAD_ADDRESSES_MAX)
                   : 0;
    }
    cJSON *item = cJSON_CreateObject();
    bool made = cJSON_AddStringToObject(item, "address", address) &&
                cJSON_AddStringToObject(item, "name", name[0] ? name : first->valuestring) &&
                cJSON_AddItemToArray(list, item);
    if (!made) {
        cJSON_Delete(item);
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for addresses");
    }
    return 0;
}

/* Of a Service with two families of addresses each pod counts once. */
static bool is_family(const cJSON *service, const cJSON *slice)
{
    const cJSON *family = cJSON_GetArrayItem(member(member(service, "spec"), "ipFamilies"), 0);
    const char *type = text(slice, "addressType");
    return cJSON_IsString(family) ? strcmp(family->valuestring, type) == 0
                                  : strcmp(type, "FQDN") != 0;
}

int load_addresses(const cJSON *service, const cJSON *slices,
                   const struct sonde_service_target *target, cJSON **ret, struct sonde_err *err)
{
    SONDE_JSON_AUTO *list = cJSON_CreateArray();
    const char *name = port_name(service, target->port);
    const cJSON *slice;
    int r = list ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for addresses");
    if (r == 0 && !name) {
        r = sonde_fail_reason(err, SONDE_ENOTFOUND, SONDE_REASON_TARGET_NOT_FOUND,
                              "Service %s has no port %lld",
                              text(member(service, "metadata"), "name"), (long long)target->port);
    }
    cJSON_ArrayForEach(slice, member(slices, "items"))
    {
        int64_t number = r == 0 ? slice_port(slice, name) : 0;
        const cJSON *endpoint;
        if (number < 1 || number > 65535 || !is_family(service, slice)) {
            continue;
        }
        cJSON_ArrayForEach(endpoint, member(slice, "endpoints"))
        {
            if (r == 0 && is_ready(endpoint)) {
                r = add_address(list, endpoint, number,
                                strcmp(text(slice, "addressType"), "IPv6") == 0,
                                target->endpoints == SONDE_ENDPOINTS_PODS, err);
            }
        }
    }
    if (r == 0) {
        *ret = list;
        list = NULL;
    }
    return r;
}
