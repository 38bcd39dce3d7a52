/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller reads for load tests. The first byte chooses what the rest is: a runner's
 * pod, a list of EndpointSlices, a LoadTest's status, what the store tells, or a namespace's list
 * of hosts. */
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "controller/load.h"
#include "spec/reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void read_pod(const cJSON *json)
{
    void *kept = NULL;
    if (load_pod_keep(NULL, json, &kept, NULL) == 0) {
        const struct load_pod *pod = kept;
        must(pod->index >= 0 && pod->index < LOAD_RUNNERS_MAX);
        must(strlen(pod->message) <= LOAD_POD_TEXT_MAX && strlen(pod->test) < sizeof(pod->test));
        must(!pod->reason || sonde_reason_find(pod->reason));
        must(pod->state != LOAD_POD_LOST || pod->reason);
        load_pod_release(NULL, kept);
    }
}

static void read_slices(const cJSON *json)
{
    static const struct sonde_service_target target = {.port = 80,
                                                       .endpoints = SONDE_ENDPOINTS_PODS};
    struct sonde_err err = {0};
    cJSON *list = NULL;
    const cJSON *item;
    SONDE_JSON_AUTO *service =
        cJSON_Parse("{\"metadata\":{\"name\":\"web\"},\"spec\":{\"ports\":[{\"port\":80}]}}");
    int r = load_addresses(service, json, &target, &list, &err);
    must(r == 0 || (r == SONDE_ELIMIT && err.message[0]));
    must(cJSON_GetArraySize(list) <= LOAD_ADDRESSES_MAX);
    cJSON_ArrayForEach(item, list)
    {
        must(sonde_json_string_or(item, "address", "")[0]);
        must(sonde_json_string_or(item, "name", NULL));
    }
    cJSON_Delete(list);
    SONDE_JSON_AUTO *outside = cJSON_CreateArray();
    r = load_add_strangers(outside, json, &err);
    must(r == 0 || r == SONDE_ELIMIT);
    must(cJSON_GetArraySize(outside) <= LOAD_ADDRESSES_MAX);
    /* As a Service, it has pods or none, and leads outside or does not. */
    must(!load_selector(json) || cJSON_GetArraySize(load_selector(json)) > 0);
}

/* What is taken from a status and written is text, and taken again the same. */
static void read_status(const cJSON *json)
{
    static struct controller controller;
    static const struct object_way way = {
        .conditions = LOAD_CONDITIONS, .put = load_put, .take = load_take};
    static struct load load;
    static struct load again;
    load = again =
        (struct load){.object = {.way = &way, .controller = &controller}, .job = "peak-11111111"};
    must(object_take_status(&load.object, json, NULL) == 0);
    SONDE_JSON_AUTO *written = object_status(&load.object);
    must(written);
    char *printed = cJSON_PrintUnformatted(written);
    must(printed && sonde_utf8_valid(sonde_str(printed)));
    cJSON_free(printed);
    must(object_take_status(&again.object, written, NULL) == 0);
    must(again.live.requests == load.live.requests && again.object.phase == load.object.phase);
    must(again.job_recorded == load.job_recorded);
}

static void read_live(const cJSON *json)
{
    struct load_live live = {0};
    (void)load_take_live(&live, json);
    must(live.ready >= 0 && live.lost >= 0 && live.active >= 0 && live.requests >= 0);
    must(!live.reason[0] || sonde_reason_find(live.reason));
}

static void read_hosts(struct sonde_str text)
{
    char list[4096];
    (void)snprintf(list, sizeof(list), "%.*s", SONDE_STR_ARG(text));
    (void)load_host_named(list, "a.example.com");
    (void)load_host_named("*.example.com", list);
    must(!load_host_named("", list));
    for (size_t i = 0; i < 2; i++) {
        struct load_place place;
        if (load_lead_of(list, i ? "clinic" : NULL, &place) == LOAD_LEADS_TO_SERVICE) {
            must(sonde_kube_is_label(sonde_str(place.name)));
            must(sonde_kube_is_label(sonde_str(place.namespace)));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(const cJSON *json) = {read_pod, read_slices, read_status,
                                                         read_live};
    if (size < 1) {
        return 0;
    }
    struct sonde_str text = {(const char *)data + 1, size - 1};
    size_t choice = data[0] % (SONDE_LENGTH(readers) + 1);
    SONDE_JSON_AUTO *json = NULL;
    if (choice == SONDE_LENGTH(readers)) {
        read_hosts(text);
    } else if (sonde_json_parse(text, &json, NULL) == 0) {
        readers[choice](json);
    }
    return 0;
}
