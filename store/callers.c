/* SPDX-License-Identifier: Apache-2.0 */
/* Who is calling, and whether they may: run tokens of sidecars, and Kubernetes tokens by
 * TokenReview and SubjectAccessReview, whose answers are kept for seconds. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "store/service.h"

enum {
    KEPT_MAX = 512,          /* answers */
    TOKEN_MAX = 16 << 10,    /* bytes of a token */
    IDENTITY_MAX = 64 << 10, /* bytes of what a TokenReview says about a person */
    REVIEW_MAX = 256 << 10,
};
#define KEEP_NS (10 * SONDE_SECOND)

/* An answer of the API server: who has a token, or whether somebody may. */
struct kept {
    char key[256]; /* the token's digest, and what was asked */
    int64_t until; /* monotonic */
    bool yes;
    char user[STORE_USER_MAX];
    char *identity; /* of a TokenReview: JSON of user, uid, groups and extra for the next review */
};

struct callers {
    struct service *service;
    struct review *reviews; /* under way */
    struct kept kept[KEPT_MAX];
    size_t next; /* the oldest is given up first */
};

/* A review that is under way. */
struct review {
    struct review *next, **at;
    struct call *call;
    char key[sizeof(((struct kept *)NULL)->key)];
    bool access; /* a SubjectAccessReview; else a TokenReview */
};

int callers_new(struct service *service, struct callers **ret, struct sonde_err *err)
{
    struct callers *callers = calloc(1, sizeof(*callers));
    if (!callers) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    callers->service = service;
    *ret = callers;
    return 0;
}

static void free_review(struct review *review)
{
    struct call *call = review->call;
    *review->at = review->next;
    if (review->next) {
        review->next->at = review->at;
    }
    free(review);
    call_release(call);
}

void callers_free(struct callers *callers)
{
    while (callers && callers->reviews) {
        free_review(callers->reviews);
    }
    for (size_t i = 0; callers && i < KEPT_MAX; i++) {
        free(callers->kept[i].identity);
    }
    free(callers);
}

struct sonde_str caller_token(const struct call *call)
{
    static const char *const names[] = {"Sonde-Authorization", "Authorization"};
    /* Whoever may read a pod sees its sidecar's token. It must not be of use through the API
     * server, which everybody reaches. */
    size_t first = call->endpoint->caller == CALLER_SIDECAR ? 1 : 0;
    for (size_t i = first; i < SONDE_LENGTH(names); i++) {
        const char *value = sonde_exchange_header(call->exchange, names[i]);
        if (value && strncasecmp(value, "Bearer ", 7) == 0 && strlen(value) <= TOKEN_MAX) {
            return sonde_str_trim(sonde_str(value + 7));
        }
    }
    return (struct sonde_str){0};
}

/* Takes as long for any token of that length. */
static bool is_token(struct sonde_str token, const struct sonde_buf *secret)
{
    return secret->length > 0 && token.length == secret->length &&
           CRYPTO_memcmp(token.data, secret->data, token.length) == 0;
}

/* ---- what is kept ---- */

static struct kept *find(struct callers *callers, const char *key)
{
    int64_t now = sonde_clock_monotonic();
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (callers->kept[i].until > now && strcmp(callers->kept[i].key, key) == 0) {
            return &callers->kept[i];
        }
    }
    return NULL;
}

static struct kept *keep(struct callers *callers, const char *key, bool yes)
{
    struct kept *kept = &callers->kept[callers->next];
    callers->next = (callers->next + 1) % KEPT_MAX;
    free(kept->identity);
    *kept = (struct kept){.until = sonde_clock_monotonic() + KEEP_NS, .yes = yes};
    (void)snprintf(kept->key, sizeof(kept->key), "%s", key);
    return kept;
}

/* ---- reviews ---- */

static void admit_person(struct call *call, const struct kept *who);
static void admit_known(struct call *call, const struct kept *who);

/* user, uid, groups and extra as a SubjectAccessReview wants them. */
static char *identity_of(const cJSON *user)
{
    SONDE_JSON_AUTO *spec = cJSON_CreateObject();
    static const char *const names[][2] = {
        {"username", "user"}, {"uid", "uid"}, {"groups", "groups"}, {"extra", "extra"}};
    for (size_t i = 0; spec && i < SONDE_LENGTH(names); i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(user, names[i][0]);
        cJSON *copy = value ? cJSON_Duplicate(value, true) : NULL;
        if (copy && !cJSON_AddItemToObject(spec, names[i][1], copy)) {
            cJSON_Delete(copy);
        }
    }
    char *text = spec ? cJSON_PrintUnformatted(spec) : NULL;
    if (text && strlen(text) > IDENTITY_MAX) {
        cJSON_free(SONDE_TAKE(text));
    }
    return text;
}

static void token_reviewed(struct review *review, const cJSON *status)
{
    struct call *call = review->call;
    const cJSON *user = cJSON_GetObjectItemCaseSensitive(status, "user");
    const char *name = sonde_json_string_or(user, "username", "");
    bool yes = sonde_json_true(status, "authenticated") && name[0] && strlen(name) < STORE_USER_MAX;
    struct kept *kept = keep(call->service->callers, review->key, yes);
    if (yes) {
        (void)snprintf(kept->user, sizeof(kept->user), "%s", name);
        kept->identity = identity_of(user);
        kept->yes = kept->identity != NULL;
    }
    admit_known(call, kept);
}

static const char *subresource_of(const struct call *call)
{
    const char *own = call->endpoint->subresource;
    return call->wants_heap ? "heap" : own ? own : "";
}

static void grant(struct call *call)
{
    call->may_heap = call->wants_heap;
    call->endpoint->answer(call);
}

static void refuse_access(struct call *call)
{
    char message[STORE_USER_MAX + 512];
    const struct endpoint *endpoint = call->endpoint;
    const char *subresource = subresource_of(call);
    call->service->metrics.denied++;
    (void)snprintf(message, sizeof(message),
                   "%s may not %s profileruns%s%s of sonde.dev in %s%s: ask for a role that has "
                   "it%s",
                   call->user, endpoint->verb, subresource[0] ? "/" : "", subresource,
                   call->namespace[0] ? "namespace " : "all namespaces", call->namespace,
                   call->wants_heap ? ", or for the run's other captures, each by its name" : "");
    SONDE_LOG(&call->service->log, SONDE_LOG_WARN, "refused",
              SONDE_FIELD_STR("user", sonde_str(call->user)),
              SONDE_FIELD_STR("endpoint", sonde_str(endpoint->label)),
              SONDE_FIELD_STR("namespace", sonde_str(call->namespace)));
    call_fail(call, 403, "Denied", message);
}

static void access_reviewed(struct review *review, const cJSON *status)
{
    struct call *call = review->call;
    bool yes = sonde_json_true(status, "allowed") && !sonde_json_true(status, "denied");
    (void)keep(call->service->callers, review->key, yes);
    if (yes) {
        grant(call);
    } else {
        refuse_access(call);
    }
}

static void reviewed(void *context, const struct sonde_kube_response *response,
                     const struct sonde_err *err)
{
    struct review *review = context;
    struct call *call = review->call;
    call->service->metrics.reviews++;
    if (call->exchange) {
        const cJSON *status = cJSON_GetObjectItemCaseSensitive(response->object, "status");
        if (err->code) {
            SONDE_LOG(&call->service->log, SONDE_LOG_ERROR, "the API server did not review",
                      SONDE_FIELD_STR("error", sonde_str(err->message)));
            call_fail(call, 503, "ReviewFailed",
                      "the store could not ask the API server who you are: try again");
        } else if (review->access) {
            access_reviewed(review, status);
        } else {
            token_reviewed(review, status);
        }
    }
    free_review(review);
}

static void ask(struct call *call, const char *key, bool access, struct sonde_str path,
                const struct sonde_buf *body)
{
    struct sonde_err err;
    struct review *review = calloc(1, sizeof(*review));
    int r = review ? sonde_buf_check(body, "a review", &err) : SONDE_ENOMEM;
    if (r == 0) {
        review->call = call;
        review->access = access;
        (void)snprintf(review->key, sizeof(review->key), "%s", key);
        struct sonde_kube_request_options options = {.method = "POST",
                                                     .path = path,
                                                     .body = sonde_buf_view(body),
                                                     .timeout_ns = 10 * SONDE_SECOND,
                                                     .body_max = REVIEW_MAX,
                                                     .context = review,
                                                     .done = reviewed};
        r = sonde_kube_send(call->service->kube, &options, NULL, &err);
    }
    if (r < 0) {
        free(review);
        call_fail(call, 503, "Busy", "the store cannot ask the API server now: try again");
        return;
    }
    struct callers *callers = call->service->callers;
    review->next = callers->reviews;
    review->at = &callers->reviews;
    if (review->next) {
        review->next->at = &review->next;
    }
    callers->reviews = review;
    call_keep(call);
}

/* The controller shows a token that is good for stores only; people show the one that they have for
 * the API server. */
static void ask_token(struct call *call, struct sonde_str token, const char *key)
{
    SONDE_BUF_AUTO body = SONDE_BUF(2 * TOKEN_MAX);
    sonde_buf_text(&body, "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
                          "\"spec\":{\"token\":");
    sonde_buf_json_string(&body, token);
    sonde_buf_text(&body, call->endpoint->caller == CALLER_CONTROLLER
                              ? ",\"audiences\":[\"" STORE_AUDIENCE "\"]}}"
                              : "}}");
    ask(call, key, false, SONDE_STR("/apis/authentication.k8s.io/v1/tokenreviews"), &body);
    if (body.data) {
        OPENSSL_cleanse(body.data, body.length);
    }
}

static void ask_access(struct call *call, const struct kept *who, const char *key)
{
    SONDE_BUF_AUTO body = SONDE_BUF(2 * IDENTITY_MAX);
    const char *subresource = subresource_of(call);
    sonde_buf_text(&body, "{\"apiVersion\":\"authorization.k8s.io/v1\","
                          "\"kind\":\"SubjectAccessReview\",\"spec\":");
    sonde_buf_append(&body, who->identity, strlen(who->identity) - 1); /* without its brace */
    sonde_buf_text(&body, ",\"resourceAttributes\":{\"group\":\"sonde.dev\",\"version\":"
                          "\"v1alpha1\",\"resource\":\"profileruns\",\"verb\":");
    sonde_buf_json_string(&body, sonde_str(call->endpoint->verb));
    sonde_buf_text(&body, ",\"namespace\":");
    sonde_buf_json_string(&body, sonde_str(call->namespace));
    if (subresource[0]) {
        sonde_buf_text(&body, ",\"subresource\":");
        sonde_buf_json_string(&body, sonde_str(subresource));
    }
    sonde_buf_text(&body, "}}}");
    ask(call, key, true, SONDE_STR("/apis/authorization.k8s.io/v1/subjectaccessreviews"), &body);
}

/* ---- admission ---- */

static void admit_person(struct call *call, const struct kept *who)
{
    char key[sizeof(who->key)];
    (void)snprintf(key, sizeof(key), "%.65s %s/%s %.63s", who->key, call->endpoint->verb,
                   subresource_of(call), call->namespace);
    const struct kept *answer = find(call->service->callers, key);
    if (!answer) {
        ask_access(call, who, key);
    } else if (answer->yes) {
        grant(call);
    } else {
        refuse_access(call);
    }
}

static void admit_known(struct call *call, const struct kept *who)
{
    if (!who->yes) {
        call->service->metrics.denied++;
        call_fail(call, 401, "Unauthenticated",
                  "the API server does not know this token: it may have expired");
        return;
    }
    (void)snprintf(call->user, sizeof(call->user), "%s", who->user);
    if (call->endpoint->caller == CALLER_PERSON) {
        admit_person(call, who);
    } else if (call->service->controller_user &&
               strcmp(who->user, call->service->controller_user) == 0) {
        call->endpoint->answer(call);
    } else {
        call->service->metrics.denied++;
        call_fail(call, 403, "Denied", "only the controller may do this");
    }
}

static void admit_by_kubernetes(struct call *call, struct sonde_str token)
{
    char digest[SONDE_SHA256_TEXT + 2];
    sonde_sha256(token, digest);
    /* What is known of a token for one audience says nothing of another. */
    size_t length = strlen(digest);
    digest[length] = call->endpoint->caller == CALLER_CONTROLLER ? 'c' : 'p';
    digest[length + 1] = '\0';
    const struct kept *who = find(call->service->callers, digest);
    if (who) {
        admit_known(call, who);
    } else if (call->service->kube) {
        ask_token(call, token, digest);
    } else {
        call_fail(call, 401, "Unauthenticated", "this store does not know the token");
    }
}

static bool copy_text(const char *text, char *ret, size_t size)
{
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(ret, text, length + 1);
    return true;
}

static void admit_sidecar(struct call *call, struct sonde_str token)
{
    struct sonde_err err;
    char digest[SONDE_SHA256_TEXT];
    const char *instance = sonde_exchange_header(call->exchange, "Sonde-Instance");
    sonde_sha256(token, digest);
    if (!copy_text(sonde_exchange_parameter(call->exchange, "run"), call->uid, sizeof(call->uid)) ||
        !copy_text(sonde_exchange_header(call->exchange, "Sonde-Target"), call->target,
                   sizeof(call->target)) ||
        !instance) {
        call_fail(call, 400, "Invalid", "give the run's uid, Sonde-Target and Sonde-Instance");
        return;
    }
    struct sonde_target target = {.run_uid = call->uid, .name = call->target};
    if (sonde_db_token_use(call->service->db, &target, digest, instance,
                           sonde_clock_realtime() / SONDE_SECOND, &err) < 0) {
        call->service->metrics.denied++;
        if (err.reason && strcmp(err.reason, "TokenUnknown") == 0) {
            call_fail(call, 401, err.reason, err.message);
        } else {
            call_fail_by(call, &err);
        }
        return;
    }
    silence_heard(call->service->silence, call->uid, call->target);
    if (call->endpoint->answer) {
        call->endpoint->answer(call);
    }
}

/* The namespace that a person's rights are checked in: that of the query, or of the artifact's
 * run. */
static bool find_namespace(struct call *call)
{
    const char *given = sonde_exchange_query(call->exchange, "namespace");
    if (given && !copy_text(given, call->namespace, sizeof(call->namespace))) {
        call_fail(call, 400, "Invalid", "the namespace is none");
        return false;
    }
    return true;
}

void callers_admit(struct call *call)
{
    struct sonde_str token = caller_token(call);
    struct service *service = call->service;
    if (token.length == 0) {
        call_fail(call, 401, "Unauthenticated", "give a token: Authorization: Bearer …");
        return;
    }
    switch (call->endpoint->caller) {
    case CALLER_SIDECAR:
        admit_sidecar(call, token);
        return;
    case CALLER_CONTROLLER:
        if (is_token(token, &service->controller_token)) {
            call->endpoint->answer(call);
            return;
        }
        break;
    case CALLER_PERSON:
        if (!find_namespace(call)) {
            return;
        }
        if (is_token(token, &service->person_token)) {
            (void)snprintf(call->user, sizeof(call->user), "%s", "(the holder of the token)");
            grant(call);
            return;
        }
        break;
    case CALLER_ANYONE:
        call->endpoint->answer(call);
        return;
    }
    admit_by_kubernetes(call, token);
}

void callers_admit_heap(struct call *call)
{
    call->wants_heap = true;
    callers_admit(call);
}
