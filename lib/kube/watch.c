/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/watch.h"

#include "codec/json.h"

/* An item without metadata.resourceVersion cannot be told from an older one. */
static int copy_version(struct sonde_str text, char ret[SONDE_KUBE_VERSION_SIZE],
                        struct sonde_err *err)
{
    bool plain = text.length > 0 && text.length < SONDE_KUBE_VERSION_SIZE;
    for (size_t i = 0; i < text.length && plain; i++) {
        plain = text.data[i] > ' ' && text.data[i] < 127;
    }
    if (!plain) {
        return sonde_fail(err, SONDE_EPROTOCOL, 0,
                          "Kubernetes: an object without a usable resourceVersion");
    }
    memcpy(ret, text.data, text.length);
    ret[text.length] = '\0';
    return 0;
}

int sonde_kube_version_of(const cJSON *object, char ret[SONDE_KUBE_VERSION_SIZE],
                          struct sonde_err *err)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    return copy_version(sonde_str(sonde_json_string_or(metadata, "resourceVersion", "")), ret, err);
}

/* Gives back the memory of an unusually large object. */
static void reuse(struct sonde_buf *buf)
{
    if (buf->capacity > SONDE_KUBE_KEPT_BUFFER) {
        size_t maximum = buf->maximum;
        sonde_buf_fini(buf);
        *buf = SONDE_BUF(maximum);
    } else {
        sonde_buf_clear(buf);
    }
}

/* An object beyond a limit is left out; everything else is an error of the stream. */
static int skip(sonde_kube_skip_callback skipped, void *context, const struct sonde_err *own,
                struct sonde_err *err)
{
    if (own->code != SONDE_ELIMIT) {
        if (err) {
            *err = *own;
        }
        return own->code;
    }
    if (skipped) {
        skipped(context, own);
    }
    return 0;
}

/* ---- watch ---- */

void sonde_kube_watch_init(struct sonde_kube_watch *watch, sonde_kube_watch_callback callback,
                           void *context)
{
    *watch = (struct sonde_kube_watch){
        .line = SONDE_BUF(SONDE_KUBE_OBJECT_MAX), .callback = callback, .context = context};
}

void sonde_kube_watch_fini(struct sonde_kube_watch *watch)
{
    sonde_buf_fini(&watch->line);
}

static int read_type(const cJSON *json, enum sonde_kube_event_type *ret, struct sonde_err *err)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
    const char *type = sonde_json_string_or(json, "type", "");
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (strcmp(names[i], type) == 0) {
            *ret = (enum sonde_kube_event_type)i;
            return 0;
        }
    }
    return sonde_fail(err, SONDE_EPROTOCOL, 0, "Kubernetes: no type of a watch event: \"%.40s\"",
                      type);
}

static int take_line(struct sonde_kube_watch *watch, struct sonde_err *err)
{
    struct sonde_str text = sonde_str_trim(sonde_buf_view(&watch->line));
    SONDE_JSON_AUTO *json = NULL;
    if (text.length == 0) {
        return 0;
    }
    struct sonde_err own;
    struct sonde_kube_watch_event event = {0};
    char version[SONDE_KUBE_VERSION_SIZE] = "";
    int code = sonde_json_parse_up_to(text, SONDE_KUBE_OBJECT_MAX, &json, &own);
    if (code < 0) {
        return skip(watch->skipped, watch->context, &own, err);
    }
    code = read_type(json, &event.type, err);
    if (code < 0) {
        return code;
    }
    event.object = cJSON_GetObjectItemCaseSensitive(json, "object");
    event.resource_version = version;
    if (!cJSON_IsObject(event.object)) {
        return sonde_fail(err, SONDE_EPROTOCOL, 0, "Kubernetes: a watch event without an object");
    }
    if (event.type != SONDE_KUBE_ERROR) {
        code = sonde_kube_version_of(event.object, version, err);
    }
    return code ? code : watch->callback(watch->context, &event, err);
}

static int take_piece(struct sonde_kube_watch *watch, const char *data, size_t length,
                      struct sonde_err *err)
{
    struct sonde_err own;
    if (watch->skips) {
        return 0;
    }
    sonde_buf_append(&watch->line, data, length);
    if (sonde_buf_check(&watch->line, "a line of a watch", &own) == 0) {
        return 0;
    }
    reuse(&watch->line);
    watch->skips = true;
    return skip(watch->skipped, watch->context, &own, err);
}

static int already_failed(int code, struct sonde_err *err)
{
    return sonde_fail(err, code, 0, "Kubernetes: this stream has failed before");
}

int sonde_kube_watch_feed(struct sonde_kube_watch *watch, const char *data, size_t length,
                          struct sonde_err *err)
{
    if (watch->failed) {
        return already_failed(watch->failed, err);
    }
    int code = 0;
    while (length && code == 0) {
        const char *end = memchr(data, '\n', length);
        size_t piece = end ? (size_t)(end - data) : length;
        code = take_piece(watch, data, piece, err);
        if (code == 0 && end) {
            code = take_line(watch, err);
            reuse(&watch->line);
            watch->skips = false;
            piece++;
        }
        data += piece;
        length -= piece;
    }
    watch->failed = code;
    return code;
}

int sonde_kube_watch_finish(struct sonde_kube_watch *watch, struct sonde_err *err)
{
    if (watch->failed) {
        return already_failed(watch->failed, err);
    }
    if (watch->skips || sonde_str_trim(sonde_buf_view(&watch->line)).length) {
        return sonde_fail(err, SONDE_ENETWORK, 0, "Kubernetes: a watch ended within a line");
    }
    return 0;
}

/* ---- list ---- */

static int take_item_bytes(void *context, const char *data, size_t length, struct sonde_err *err)
{
    struct sonde_kube_list *list = context;
    struct sonde_err own;
    if (list->skips) {
        return 0;
    }
    sonde_buf_append(&list->item, data, length);
    if (sonde_buf_check(&list->item, "an item of a list", &own) == 0) {
        return 0;
    }
    reuse(&list->item);
    list->skips = true;
    return skip(list->skipped, list->context, &own, err);
}

static int take_item(struct sonde_kube_list *list, struct sonde_err *err)
{
    SONDE_JSON_AUTO *json = NULL;
    struct sonde_err own;
    bool skipped = list->skips;
    list->skips = false;
    list->count++;
    if (skipped) {
        return 0;
    }
    int code =
        sonde_json_parse_up_to(sonde_buf_view(&list->item), SONDE_KUBE_OBJECT_MAX, &json, &own);
    reuse(&list->item);
    return code < 0 ? skip(list->skipped, list->context, &own, err)
                    : list->callback(list->context, json, err);
}

static void take_key(struct sonde_kube_list *list, const struct sonde_json_token *token)
{
    static const struct {
        const char *name;
        unsigned depth;
        int key;
    } keys[] = {
        {"metadata", 1, SONDE_KUBE_KEY_METADATA},
        {"items", 1, SONDE_KUBE_KEY_ITEMS},
        {"resourceVersion", 2, SONDE_KUBE_KEY_VERSION},
        {"continue", 2, SONDE_KUBE_KEY_CONTINUE},
    };
    list->key = SONDE_KUBE_KEY_OTHER;
    for (size_t i = 0; i < SONDE_LENGTH(keys); i++) {
        bool here = keys[i].depth == token->depth &&
                    (token->depth == 1 || list->place == SONDE_KUBE_IN_METADATA);
        if (here && sonde_str_is(token->text, keys[i].name)) {
            list->key = (unsigned)keys[i].key;
        }
    }
}

static int take_text(struct sonde_kube_list *list, struct sonde_str text, struct sonde_err *err)
{
    if (list->key == SONDE_KUBE_KEY_VERSION) {
        return text.length ? copy_version(text, list->resource_version, err) : 0;
    }
    if (list->key == SONDE_KUBE_KEY_CONTINUE) {
        if (text.length >= sizeof(list->continue_token) || memchr(text.data, '\0', text.length)) {
            return sonde_fail(err, SONDE_ELIMIT, 0,
                              "Kubernetes: a continue token of %zu bytes: at most %zu", text.length,
                              sizeof(list->continue_token) - 1);
        }
        memcpy(list->continue_token, text.data, text.length);
        list->continue_token[text.length] = '\0';
    }
    return 0;
}

static int not_a_list(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_EPROTOCOL, 0, "Kubernetes: the answer is no list");
}

static int begin_container(struct sonde_kube_list *list, const struct sonde_json_token *token,
                           struct sonde_err *err)
{
    bool object = token->event == SONDE_JSON_OBJECT_BEGIN;
    if (token->depth == 0) {
        return object ? 0 : not_a_list(err);
    }
    if (token->depth == 1 && list->key == SONDE_KUBE_KEY_ITEMS) {
        list->place = SONDE_KUBE_IN_ITEMS;
        bool twice = list->has_items;
        list->has_items = true;
        return object || twice ? not_a_list(err) : 0;
    }
    if (token->depth == 1 && list->key == SONDE_KUBE_KEY_METADATA && object) {
        list->place = SONDE_KUBE_IN_METADATA;
    } else if (token->depth == 2 && list->place == SONDE_KUBE_IN_ITEMS) {
        if (!object) {
            return not_a_list(err);
        }
        sonde_json_scan_raw(&list->scanner, take_item_bytes, list);
    }
    return 0;
}

static int end_container(struct sonde_kube_list *list, const struct sonde_json_token *token,
                         struct sonde_err *err)
{
    if (token->depth == 2 && list->place == SONDE_KUBE_IN_ITEMS) {
        return take_item(list, err);
    }
    if (token->depth == 1) {
        list->place = SONDE_KUBE_IN_NOTHING;
    }
    return 0;
}

static int take_token(void *context, struct sonde_json_scanner *scanner,
                      const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)scanner;
    struct sonde_kube_list *list = context;
    switch (token->event) {
    case SONDE_JSON_OBJECT_BEGIN:
    case SONDE_JSON_ARRAY_BEGIN:
        return begin_container(list, token, err);
    case SONDE_JSON_OBJECT_END:
    case SONDE_JSON_ARRAY_END:
        return end_container(list, token, err);
    case SONDE_JSON_KEY:
        take_key(list, token);
        return 0;
    case SONDE_JSON_STRING:
        return token->depth == 2 && list->place == SONDE_KUBE_IN_METADATA
                   ? take_text(list, token->text, err)
               : token->depth == 2 && list->place == SONDE_KUBE_IN_ITEMS ? not_a_list(err)
                                                                         : 0;
    case SONDE_JSON_NULL:
        /* Go writes an empty list of a nil slice so. */
        list->has_items |= token->depth == 1 && list->key == SONDE_KUBE_KEY_ITEMS;
        return 0;
    default:
        return token->depth == 2 && list->place == SONDE_KUBE_IN_ITEMS ? not_a_list(err) : 0;
    }
}

void sonde_kube_list_init(struct sonde_kube_list *list, sonde_kube_item_callback callback,
                          void *context)
{
    *list = (struct sonde_kube_list){
        .item = SONDE_BUF(SONDE_KUBE_OBJECT_MAX), .callback = callback, .context = context};
    struct sonde_json_limits limits = {.depth = SONDE_JSON_DEPTH_INLINE,
                                       .string = SONDE_KUBE_OBJECT_MAX};
    sonde_json_scanner_init(&list->scanner, limits, take_token, list);
}

void sonde_kube_list_fini(struct sonde_kube_list *list)
{
    sonde_json_scanner_fini(&list->scanner);
    sonde_buf_fini(&list->item);
}

int sonde_kube_list_feed(struct sonde_kube_list *list, const char *data, size_t length,
                         struct sonde_err *err)
{
    return sonde_json_scan(&list->scanner, data, length, err);
}

int sonde_kube_list_finish(struct sonde_kube_list *list, struct sonde_err *err)
{
    int code = sonde_json_scan_finish(&list->scanner, err);
    if (code < 0) {
        return code;
    }
    return list->has_items && list->resource_version[0] ? 0 : not_a_list(err);
}
