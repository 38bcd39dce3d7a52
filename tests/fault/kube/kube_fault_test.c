/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/json.h"
#include "fail.h"
#include "kube/cache.h"
#include "kube/credentials.h"
#include "kube/elector.h"
#include "kube/informer.h"
#include "kube/queue.h"
#include "kube/watch.h"

static int read_config(void *context)
{
    (void)context;
    static const char text[] =
        "current-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
        "clusters: [{name: x, cluster: {server: 'https://h/', certificate-authority-data: "
        "LS0tLS1CRUdJTg==}}]\n"
        "users:\n- name: x\n  user:\n    client-certificate: c\n    client-key: k\n"
        "    token: t\n    exec: {apiVersion: client.authentication.k8s.io/v1, command: ./c, "
        "args: [a, b], env: [{name: A, value: b}]}\n";
    const struct sonde_kube_source source = {"f", "/d", {text, sizeof(text) - 1}};
    struct sonde_kube_config config;
    int r = sonde_kube_config_parse(&source, 1, NULL, &config, NULL);
    if (r == 0) {
        SONDE_BUF_AUTO info = SONDE_BUF(10000);
        sonde_kube_exec_info(&config, config.ca.data, &info);
        r = sonde_buf_check(&info, "info", NULL);
        sonde_kube_config_fini(&config);
    }
    return r;
}

static int load_config(void *context)
{
    struct sonde_kube_config config;
    struct sonde_err err = {0};
    (void)context;
    int r = sonde_kube_config_load("/dev/null", NULL, &config, &err);
    return r == SONDE_ENOTFOUND ? 0 : r; /* an empty file names no context */
}

static int take_credentials(void *context)
{
    (void)context;
    struct sonde_kube_credentials credentials;
    const struct sonde_kube_config config = {
        .token = "a-token", .ca = {NULL, SONDE_STR("ca")}, .key = {NULL, SONDE_STR("key")}};
    sonde_kube_credentials_init(&credentials);
    int r = sonde_kube_credentials_read(&config, &credentials, NULL);
    sonde_kube_credentials_fini(&credentials);
    return r;
}

/* ---- streams through a cache ---- */

static int keep(void *context, const cJSON *object, void **ret, struct sonde_err *err)
{
    (void)context;
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    *ret = strdup(sonde_json_string_or(metadata, "name", ""));
    return *ret ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
}

static void release(void *context, void *kept)
{
    (void)context;
    free(kept);
}

static struct sonde_str kept_of(const struct sonde_kube_object *object)
{
    return sonde_str(object->kept);
}

static int take_item(void *context, const cJSON *object, struct sonde_err *err)
{
    return sonde_kube_cache_put(context, object, err);
}

static int take_event(void *context, const struct sonde_kube_watch_event *event,
                      struct sonde_err *err)
{
    return event->type == SONDE_KUBE_DELETED ? sonde_kube_cache_delete(context, event->object, err)
                                             : sonde_kube_cache_put(context, event->object, err);
}

static int feed_list(struct sonde_kube_cache *cache)
{
    struct sonde_kube_list list;
    char item[200];
    sonde_kube_list_init(&list, take_item, cache);
    static const char head[] = "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[";
    int r = sonde_kube_list_feed(&list, head, sizeof(head) - 1, NULL);
    for (int i = 0; i < 40 && r == 0; i++) {
        int length = snprintf(item, sizeof(item),
                              "%s{\"metadata\":{\"namespace\":\"n\",\"name\":\"p%d\",\"uid\":"
                              "\"u%d\",\"resourceVersion\":\"%d\"}}",
                              i ? "," : "", i, i, i + 1);
        r = sonde_kube_list_feed(&list, item, (size_t)length / 2, NULL);
        r = r ? r
              : sonde_kube_list_feed(&list, item + length / 2, (size_t)(length - length / 2), NULL);
    }
    r = r ? r : sonde_kube_list_feed(&list, "]}", 2, NULL);
    r = r ? r : sonde_kube_list_finish(&list, NULL);
    sonde_kube_list_fini(&list);
    return r;
}

static int feed_watch(struct sonde_kube_cache *cache)
{
    static const char lines[] =
        "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"namespace\":\"n\",\"name\":\"p1\","
        "\"uid\":\"u1\",\"resourceVersion\":\"77\"}}}\n"
        "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"namespace\":\"n\",\"name\":\"p2\","
        "\"uid\":\"u2\",\"resourceVersion\":\"78\"}}}\n";
    struct sonde_kube_watch watch;
    sonde_kube_watch_init(&watch, take_event, cache);
    int r = sonde_kube_watch_feed(&watch, lines, 100, NULL);
    r = r ? r : sonde_kube_watch_feed(&watch, lines + 100, sizeof(lines) - 101, NULL);
    r = r ? r : sonde_kube_watch_finish(&watch, NULL);
    sonde_kube_watch_fini(&watch);
    return r;
}

static int fill_cache(void *context)
{
    (void)context;
    struct sonde_kube_cache *cache = NULL;
    const struct sonde_kube_cache_options options = {
        .keep = keep, .release = release, .indexes = {kept_of}, .maximum = 100};
    int r = sonde_kube_cache_new(&options, &cache, NULL);
    if (r == 0) {
        sonde_kube_cache_begin_list(cache);
        r = feed_list(cache);
        sonde_kube_cache_end_list(cache);
        r = r ? r : feed_watch(cache);
    }
    sonde_kube_cache_free(cache);
    return r;
}

/* ---- queue, lease, events ---- */

static int fill_queue(void *context)
{
    (void)context;
    struct sonde_kube_queue *queue = NULL;
    const struct sonde_kube_queue_options options = sonde_kube_queue_defaults(1);
    int r = sonde_kube_queue_new(&options, 0, &queue, NULL);
    for (int i = 0; i < 40 && r == 0; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        r = i % 2 ? sonde_kube_queue_add(queue, sonde_str(key), 0, NULL)
                  : sonde_kube_queue_retry(queue, sonde_str(key), 0, NULL);
    }
    struct sonde_str key;
    while (r == 0 && sonde_kube_queue_take(queue, 10 * SONDE_SECOND, &key)) {
        char copy[16];
        (void)snprintf(copy, sizeof(copy), "%.*s", SONDE_STR_ARG(key));
        sonde_kube_queue_done(queue, key, 0);
        sonde_kube_queue_forget(queue, sonde_str(copy));
    }
    sonde_kube_queue_free(queue);
    return r;
}

static int tell_events(void *context)
{
    (void)context;
    struct sonde_kube_events *events = NULL;
    struct sonde_kube_event event = {"v1", "Pod", "n", "a", "u", false, "R", "A", "note"};
    struct sonde_kube_event_write write;
    int r = sonde_kube_events_new("c", "i", 10, &events, NULL);
    r = r ? r : sonde_kube_events_record(events, &event, 0, SONDE_SECOND, NULL);
    event.warning = true;
    r = r ? r : sonde_kube_events_record(events, &event, 0, SONDE_SECOND, NULL);
    r = r ? r : sonde_kube_events_record(events, &event, 0, SONDE_SECOND, NULL);
    while (r == 0 && sonde_kube_events_take(events, 0, &write)) {
        sonde_kube_events_written(events, 0, 0);
    }
    sonde_kube_events_free(events);
    return r;
}

static int print_lease(void *context)
{
    (void)context;
    const struct sonde_kube_lease_options options = {
        .namespace = "n", .name = "l", .identity = "i"};
    struct sonde_kube_lease lease;
    SONDE_BUF_AUTO body = SONDE_BUF(10000);
    sonde_kube_lease_init(&lease, &options);
    sonde_kube_lease_print(&lease, SONDE_SECOND, &body);
    return sonde_buf_check(&body, "lease", NULL);
}

/* ---- the shell: everything up to the connection, which nobody answers ---- */

static const struct sonde_kube_resource pods = {"", "v1", "pods", "Pod"};

static int make_config(struct sonde_kube_config *ret)
{
    static const char text[] =
        "current-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
        "clusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: x, user: {token: t}}]\n";
    const struct sonde_kube_source source = {"f", "/d", {text, sizeof(text) - 1}};
    return sonde_kube_config_parse(&source, 1, NULL, ret, NULL);
}

struct ends {
    int count, code;
};

static void ended(void *context, const struct sonde_kube_response *response,
                  const struct sonde_err *err)
{
    (void)response;
    struct ends *ends = context;
    ends->count++;
    ends->code = err->code;
}

static int send_request(struct sonde_loop *loop, struct sonde_kube *kube)
{
    struct ends ends = {0, 0};
    const struct sonde_kube_request_options options = {.method = "POST",
                                                       .path = SONDE_STR("/api/v1/x"),
                                                       .body = SONDE_STR("{}"),
                                                       .context = &ends,
                                                       .done = ended};
    int r = sonde_kube_send(kube, &options, NULL, NULL);
    while (r == 0 && ends.count == 0) {
        sonde_loop_poll(loop);
    }
    return r ? r : ends.code == SONDE_ENETWORK ? 0 : ends.code;
}

static int watch_pods(struct sonde_loop *loop, struct sonde_kube *kube)
{
    struct sonde_kube_informer *informer = NULL;
    const struct sonde_kube_informer_options options = {
        .resource = &pods, .label_selector = "a=b", .cache = {.keep = keep, .maximum = 10}};
    int r = sonde_kube_informer_new(loop, kube, &options, &informer, NULL);
    for (int i = 0; i < 5 && r == 0; i++) {
        sonde_loop_poll(loop);
    }
    sonde_kube_informer_free(informer);
    return r;
}

static void lead(void *context, int64_t transitions)
{
    (void)context;
    (void)transitions;
}

static void stop(void *context, bool released)
{
    (void)context;
    (void)released;
}

static int lead_and_record(struct sonde_loop *loop, struct sonde_kube *kube)
{
    struct sonde_kube_elector *elector = NULL;
    struct sonde_kube_recorder *recorder = NULL;
    const struct sonde_kube_elector_options options = {
        .lease = {.namespace = "n", .name = "l", .identity = "i"},
        .started = lead,
        .stopped = stop};
    const struct sonde_kube_event event = {"v1", "Pod", "n", "a", "u", false, "R", "A", "note"};
    int r = sonde_kube_elector_new(loop, kube, &options, &elector, NULL);
    r = r ? r : sonde_kube_recorder_new(loop, kube, "c", "i", 10, &recorder, NULL);
    r = r ? r : sonde_kube_recorder_record(recorder, &event, NULL);
    for (int i = 0; i < 5 && r == 0; i++) {
        sonde_loop_poll(loop);
    }
    sonde_kube_recorder_free(recorder);
    sonde_kube_elector_free(elector);
    return r;
}

static int use_client(void *context)
{
    (void)context;
    struct sonde_kube_config config = {0};
    struct sonde_loop *loop = NULL;
    struct sonde_kube *kube = NULL;
    int r = make_config(&config);
    r = r ? r : sonde_loop_new(&loop, NULL);
    r = r ? r : sonde_kube_new(loop, &config, NULL, &kube, NULL);
    r = r ? r : send_request(loop, kube);
    r = r ? r : watch_pods(loop, kube);
    r = r ? r : lead_and_record(loop, kube);
    sonde_kube_free(kube);
    sonde_loop_free(loop);
    sonde_kube_config_fini(&config);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static int (*const scenarios[])(void *context) = {
        read_config, load_config, take_credentials, fill_cache,
        fill_queue,  tell_events, print_lease,      use_client,
    };
    for (size_t i = 0; i < SONDE_LENGTH(scenarios); i++) {
        fail_each_allocation(scenarios[i], NULL);
    }
}

static void reads_may_fail(void **state)
{
    (void)state;
    struct sonde_kube_config config;
    struct sonde_err err = {0};
    fail_arm(FAIL_READ, 1, false, 5);
    assert_int_equal(sonde_kube_config_load("/dev/null", NULL, &config, &err), SONDE_EIO);
    assert_non_null(strstr(err.message, "kubeconfig"));
    fail_arm(FAIL_READ, 0, false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(reads_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
