/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's side of the store: what it says of runs, and the one long poll by which it
 * learns how far their targets are. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "codec/json.h"
#include "controller/controller.h"
#include "http/client.h"
#include "spec/reason.h"

enum {
    ANSWER_MAX = 8 << 20, /* a page has 512 KiB and the rest of a run; see sonde_json_parse_up_to */
    TOKEN_MAX = 64 << 10,
    CURSOR_MAX = 256,
    WAIT_SECONDS = 30,
    ORPHANS_MAX = 256,
};
#define FOLLOW_AGAIN_NS (1 * SONDE_SECOND)
#define ANEW_NS (SONDE_SECOND / 10)   /* of many objects that are taken up once */
#define ORPHAN_NS (45 * SONDE_SECOND) /* cancelled, then concluded */

struct exchange {
    struct exchange *next, **at;
    struct store_client *store;
    struct sonde_http_request *request;
    store_callback done;
    void *context;
};

/* A run that the store goes on with, and whose object is not in our cache. The cache may be behind:
 * only the API server can say that it is gone. */
struct orphan {
    struct orphan *next;
    enum kind kind;
    struct store_client *store;
    char uid[OBJECT_UID_SIZE];
    char namespace[SONDE_KUBE_LABEL_MAX + 1];
    char name[SONDE_KUBE_NAME_MAX + 1];
    struct sonde_kube_request *request; /* asks for its object */
    int64_t since;                      /* monotonic: it was cancelled; 0: it is not known */
    bool lives;
};

struct store_client {
    struct controller *controller;
    struct sonde_http_client *http;
    struct exchange *exchanges;
    struct sonde_timer *timer; /* of following */
    char cursor[CURSOR_MAX];
    char server_name[256];
    struct exchange *following; /* its request; NULL: none is under way */
    bool anew;                  /* all is about to be asked for */
    struct orphan *orphans;
    size_t orphan_count;
    struct sonde_timer *orphan_timer;
};

static void follow(void *context);
static void look_at_orphans(void *context);

/* The host of the address that sidecars use: the certificate's name. */
static void read_host(const char *url, char *ret, size_t size)
{
    const char *begin = strstr(url, "://");
    begin = begin ? begin + 3 : url;
    size_t length = strcspn(begin, ":/");
    (void)snprintf(ret, size, "%.*s", (int)length, begin);
}

int store_client_new(struct controller *controller, struct store_client **ret,
                     struct sonde_err *err)
{
    struct store_client *store = calloc(1, sizeof(*store));
    if (!store) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    store->controller = controller;
    read_host(controller->settings->store, store->server_name, sizeof(store->server_name));
    int r = sonde_http_client_new(controller->loop, &store->http, err);
    r = r < 0 ? r : sonde_timer_new(controller->loop, follow, store, &store->timer, err);
    r = r < 0
            ? r
            : sonde_timer_new(controller->loop, look_at_orphans, store, &store->orphan_timer, err);
    if (r < 0) {
        store_client_free(store);
        return r;
    }
    *ret = store;
    return 0;
}

void store_client_free(struct store_client *store)
{
    if (!store) {
        return;
    }
    sonde_http_client_free(store->http);
    while (store->exchanges) {
        struct exchange *exchange = store->exchanges;
        store->exchanges = exchange->next;
        free(exchange);
    }
    while (store->orphans) {
        struct orphan *orphan = store->orphans;
        store->orphans = orphan->next;
        if (orphan->request) {
            sonde_kube_cancel(orphan->request);
        }
        free(orphan);
    }
    sonde_timer_free(store->timer);
    sonde_timer_free(store->orphan_timer);
    free(store);
}

/* ---- one request ---- */

/* The store's own words for a refusal. */
static void read_refusal(const struct sonde_http_response *response, const cJSON *object,
                         struct sonde_err *err)
{
    int code = response->status == 404   ? SONDE_ENOTFOUND
               : response->status == 409 ? SONDE_ECONFLICT
               : response->status < 500  ? SONDE_EDENIED
                                         : SONDE_EBUSY;
    (void)sonde_fail(err, code, 0, "the store refused (%d %s): %.300s", response->status,
                     sonde_json_string_or(object, "code", "?"),
                     sonde_json_string_or(object, "message", "no message"));
}

static void take_out(const struct exchange *exchange)
{
    *exchange->at = exchange->next;
    if (exchange->next) {
        exchange->next->at = exchange->at;
    }
}

static void exchanged(void *context, const struct sonde_http_response *response,
                      const struct sonde_err *err)
{
    struct exchange *exchange = context;
    SONDE_JSON_AUTO *object = NULL;
    struct sonde_err problem = *err;
    if (err->code == 0) {
        int r = sonde_json_parse_up_to(response->body, ANSWER_MAX, &object, &problem);
        if (response->status < 200 || response->status > 299) {
            read_refusal(response, object, &problem);
        } else if (r == 0) {
            sonde_err_clear(&problem);
        }
    }
    struct store_answer answer = {.status = response->status, .object = object};
    take_out(exchange);
    exchange->done(exchange->context, &answer, &problem);
    free(exchange);
}

static int read_token(const struct store_client *store, struct sonde_buf *ret,
                      struct sonde_err *err)
{
    const char *path = store->controller->settings->store_token_file;
    sonde_buf_text(ret, "Bearer ");
    int r = sonde_read_file(AT_FDCWD, path, ret, err);
    if (r < 0) {
        return sonde_err_wrap(err, r, "the token for the store (--store-token-file)");
    }
    while (ret->length && ret->data[ret->length - 1] == '\n') {
        ret->data[--ret->length] = '\0';
    }
    return 0;
}

static int send(struct store_client *store, const char *method, const char *path,
                struct sonde_str body, int64_t timeout_ns, struct exchange *exchange,
                struct sonde_err *err)
{
    const struct controller_settings *settings = store->controller->settings;
    SONDE_BUF_AUTO token = SONDE_BUF(TOKEN_MAX);
    SONDE_BUF_AUTO url = SONDE_BUF(SONDE_HTTP_URL_MAX);
    int r = read_token(store, &token, err);
    sonde_buf_printf(&url, "%s/api/v1/%s",
                     settings->store_address ? settings->store_address : settings->store, path);
    r = r < 0 ? r : sonde_buf_check(&url, "the store's address", err);
    if (r < 0) {
        return r;
    }
    const struct sonde_http_header headers[] = {{"Authorization", token.data},
                                                {"Content-Type", "application/json"}};
    const struct sonde_http_tls tls = {.ca =
                                           certificates_authority(store->controller->certificates),
                                       .server_name = store->server_name};
    struct sonde_http_options options = {.url = url.data,
                                         .timeout_ns = timeout_ns,
                                         .connect_timeout_ns = 3 * SONDE_SECOND,
                                         .body_max = ANSWER_MAX,
                                         .context = exchange,
                                         .done = exchanged,
                                         .method = method,
                                         .headers = headers,
                                         .header_count = 2,
                                         .body = body,
                                         .tls = &tls};
    r = sonde_http_send(store->http, &options, &exchange->request, err);
    explicit_bzero(token.data, token.length);
    return r;
}

/* ret_exchange may be NULL. */
static int begin(struct store_client *store, const char *method, const char *path,
                 struct sonde_str body, int64_t timeout_ns, store_callback done, void *context,
                 struct exchange **ret_exchange, struct sonde_err *err)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    exchange->store = store;
    exchange->done = done;
    exchange->context = context;
    int r = send(store, method, path, body, timeout_ns, exchange, err);
    if (r < 0) {
        free(exchange);
        return r;
    }
    exchange->next = store->exchanges;
    exchange->at = &store->exchanges;
    if (exchange->next) {
        exchange->next->at = &exchange->next;
    }
    store->exchanges = exchange;
    if (ret_exchange) {
        *ret_exchange = exchange;
    }
    return 0;
}

int store_post(struct store_client *store, const char *path, struct sonde_str body,
               int64_t timeout_ns, store_callback done, void *context, struct sonde_err *err)
{
    return begin(store, "POST", path, body, timeout_ns, done, context, NULL, err);
}

/* ---- orphans ---- */

static void ignored(void *context, const struct store_answer *answer, const struct sonde_err *err)
{
    (void)context;
    (void)answer;
    (void)err;
}

static void tell(struct store_client *store, const char *uid, const char *what, const char *body)
{
    struct sonde_err err;
    char path[96];
    (void)snprintf(path, sizeof(path), "runs/%s/%s", uid, what);
    if (store_post(store, path, sonde_str(body), 30 * SONDE_SECOND, ignored, store, &err) < 0) {
        SONDE_LOG(&store->controller->log, SONDE_LOG_WARN, "the store could not be told",
                  SONDE_FIELD_STR("run", sonde_str(uid)),
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
    }
}

static void object_read(void *context, const struct sonde_kube_response *response,
                        const struct sonde_err *err)
{
    struct orphan *orphan = context;
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(response->object, "metadata");
    orphan->request = NULL;
    bool other = err->code == 0 &&
                 strcmp(sonde_json_string_or(metadata, "uid", orphan->uid), orphan->uid) != 0;
    if (err->code == SONDE_ENOTFOUND || other) {
        orphan->since = sonde_clock_monotonic();
        tell(orphan->store, orphan->uid, "cancel", "{}");
    } else {
        orphan->lives = err->code == 0; /* else it is asked for again */
    }
}

static void ask_for_object(struct orphan *orphan)
{
    struct sonde_err err;
    SONDE_BUF_AUTO path = SONDE_BUF(SONDE_KUBE_PATH_MAX);
    int r =
        sonde_kube_path(&(struct sonde_kube_target){kind_resource(orphan->kind), orphan->namespace,
                                                    orphan->name, NULL, NULL},
                        &path, &err);
    r = r < 0 ? r : sonde_buf_check(&path, "the path of a run", &err);
    struct sonde_kube_request_options options = {
        .path = sonde_buf_view(&path), .context = orphan, .done = object_read};
    if (r == 0) {
        r = sonde_kube_send(orphan->store->controller->kube, &options, &orphan->request, &err);
    }
    orphan->lives = r == SONDE_EINVALID; /* no such object can ever have been ours */
}

static void conclude_orphan(const struct orphan *orphan)
{
    char body[256];
    (void)snprintf(body, sizeof(body),
                   "{\"state\":\"Cancelled\",\"reason\":\"" SONDE_REASON_CANCELLED
                   "\",\"message\":\"the %s was deleted\"}",
                   kind_resource(orphan->kind)->kind);
    tell(orphan->store, orphan->uid, "conclude", body);
}

static void look_at_orphans(void *context)
{
    struct store_client *store = context;
    int64_t now = sonde_clock_monotonic();
    for (struct orphan **at = &store->orphans; *at;) {
        struct orphan *orphan = *at;
        bool over = orphan->since && now - orphan->since >= ORPHAN_NS;
        if (over) {
            conclude_orphan(orphan);
        }
        if (over || orphan->lives) {
            *at = orphan->next;
            free(orphan);
            store->orphan_count--;
            continue;
        }
        if (!orphan->since && !orphan->request) {
            ask_for_object(orphan);
        }
        at = &orphan->next;
    }
    if (!store->orphans) {
        sonde_timer_stop(store->orphan_timer);
    }
}

struct search {
    const char *uid;
    bool found;
};

static void compare_uid(void *context, const struct sonde_kube_object *object)
{
    struct search *search = context;
    search->found = search->found || strcmp(object->uid, search->uid) == 0;
}

/* A run that may have been deleted while nobody led. That of a namespace which we do not serve is
 * another controller's. */
static void suspect(struct store_client *store, const cJSON *change)
{
    const char *served = store->controller->settings->namespace;
    const char *uid = sonde_json_string_or(change, "uid", "");
    const char *namespace = sonde_json_string_or(change, "namespace", "");
    const char *name = sonde_json_string_or(change, "name", "");
    bool load = cJSON_GetObjectItemCaseSensitive(change, "load");
    enum kind kind = load ? KIND_LOAD_TEST : KIND_PROFILE_RUN;
    struct search search = {.uid = uid};
    sonde_kube_cache_each(controller_cache(store->controller, kind), compare_uid, &search);
    for (const struct orphan *orphan = store->orphans; orphan; orphan = orphan->next) {
        search.found = search.found || strcmp(orphan->uid, uid) == 0;
    }
    if (search.found || store->orphan_count == ORPHANS_MAX || strlen(uid) != OBJECT_UID_SIZE - 1 ||
        strlen(namespace) > SONDE_KUBE_LABEL_MAX || strlen(name) > SONDE_KUBE_NAME_MAX ||
        !name[0] || (served && strcmp(served, namespace) != 0)) {
        return;
    }
    struct orphan *orphan = calloc(1, sizeof(*orphan));
    if (!orphan) {
        return; /* the next leader finds it */
    }
    orphan->store = store;
    orphan->kind = kind;
    (void)snprintf(orphan->uid, sizeof(orphan->uid), "%s", uid);
    (void)snprintf(orphan->namespace, sizeof(orphan->namespace), "%s", namespace);
    (void)snprintf(orphan->name, sizeof(orphan->name), "%s", name);
    orphan->next = store->orphans;
    store->orphans = orphan;
    store->orphan_count++;
    sonde_timer_start(store->orphan_timer, 0, 5 * SONDE_SECOND);
}

/* ---- changes ---- */

/* It becomes a part of an address. Without one the store tells all anew. */
static bool take_cursor(struct store_client *store, const char *next)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    bool good = strlen(next) < sizeof(store->cursor) && next[strspn(next, plain)] == '\0';
    (void)snprintf(store->cursor, sizeof(store->cursor), "%s", good ? next : "");
    return store->cursor[0];
}

static void followed(void *context, const struct store_answer *answer, const struct sonde_err *err)
{
    struct store_client *store = context;
    struct controller *controller = store->controller;
    const cJSON *change;
    store->following = NULL;
    if (err->code) {
        SONDE_LOG(&controller->log, SONDE_LOG_WARN, "the store does not tell its changes",
                  SONDE_FIELD_STR("error", sonde_str(err->message)));
        sonde_timer_start(store->timer, FOLLOW_AGAIN_NS, 0);
        return;
    }
    bool all = sonde_json_true(answer->object, "all");
    cJSON_ArrayForEach(change, cJSON_GetObjectItemCaseSensitive(answer->object, "changes"))
    {
        const char *uid = sonde_json_string_or(change, "uid", "");
        struct object *object = object_find_uid(controller, uid);
        if (object) {
            object_wake(object, 0);
            object->way->changed(object, change);
        } else if (all) {
            suspect(store, change);
        }
    }
    if (take_cursor(store, sonde_json_string_or(answer->object, "next", ""))) {
        follow(store); /* of more pages the next one is there at once */
    } else {
        sonde_timer_start(store->timer, FOLLOW_AGAIN_NS, 0);
    }
}

static void follow(void *context)
{
    struct store_client *store = context;
    struct sonde_err err;
    char path[CURSOR_MAX + 64];
    store->anew = false;
    if (store->following || !store->controller->leads) {
        return;
    }
    /* Before the runs are known each one of the store's would look like an orphan. */
    if (certificates_authority(store->controller->certificates).length == 0 ||
        !controller_synced(store->controller)) {
        sonde_timer_start(store->timer, SONDE_SECOND / 5, 0);
        return;
    }
    (void)snprintf(path, sizeof(path), "changes?since=%s&wait=%d", store->cursor, WAIT_SECONDS);
    if (begin(store, "GET", path, (struct sonde_str){0}, (WAIT_SECONDS + 10) * SONDE_SECOND,
              followed, store, &store->following, &err) < 0) {
        SONDE_LOG(&store->controller->log, SONDE_LOG_WARN, "the store cannot be asked",
                  SONDE_FIELD_STR("error", sonde_str(err.message)));
        sonde_timer_start(store->timer, FOLLOW_AGAIN_NS, 0);
    }
}

void store_follow(struct store_client *store)
{
    sonde_timer_start(store->timer, 0, 0);
}

void store_follow_anew(struct store_client *store)
{
    if (store->anew) {
        return;
    }
    if (store->following) {
        sonde_http_cancel(store->following->request);
        take_out(store->following);
        free(SONDE_TAKE(store->following));
    }
    store->cursor[0] = '\0';
    store->anew = true;
    sonde_timer_start(store->timer, ANEW_NS, 0);
}
