/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/config.h"

#include "codec/base64.h"
#include "codec/yaml.h"
#include "kube/config_internal.h"
#include "kube/path.h"

struct reader {
    const struct sonde_kube_source *sources;
    struct sonde_documents *documents; /* one for each source */
    size_t count;
    struct sonde_kube_config *config;
    const struct sonde_kube_source *source; /* of what is read now */
    struct sonde_err *err;
};

/* A field: which member of the configuration it sets. */
struct field {
    const char *name;
    size_t offset;
    enum {
        FIELD_TEXT,
        FIELD_FILE,
        FIELD_BOOLEAN,
        FIELD_PEM_FILE,
        FIELD_PEM_DATA,
        FIELD_REFUSED
    } kind;
    const char *remedy; /* of a refused one */
};

#define AT(member) offsetof(struct sonde_kube_config, member)

/* k8s.io/client-go, tools/clientcmd/api/v1: Cluster, AuthInfo, Context. */
static const struct field cluster_fields[] = {
    {"server", AT(server), FIELD_TEXT, NULL},
    {"tls-server-name", AT(tls_server_name), FIELD_TEXT, NULL},
    {"proxy-url", AT(proxy_url), FIELD_TEXT, NULL},
    {"insecure-skip-tls-verify", AT(insecure), FIELD_BOOLEAN, NULL},
    {"certificate-authority", AT(ca), FIELD_PEM_FILE, NULL},
    {"certificate-authority-data", AT(ca), FIELD_PEM_DATA, NULL},
};
static const struct field user_fields[] = {
    {"client-certificate", AT(certificate), FIELD_PEM_FILE, NULL},
    {"client-certificate-data", AT(certificate), FIELD_PEM_DATA, NULL},
    {"client-key", AT(key), FIELD_PEM_FILE, NULL},
    {"client-key-data", AT(key), FIELD_PEM_DATA, NULL},
    {"token", AT(token), FIELD_TEXT, NULL},
    {"tokenFile", AT(token_file), FIELD_FILE, NULL},
    {"username", 0, FIELD_REFUSED, "use a token or a client certificate"},
    {"password", 0, FIELD_REFUSED, "use a token or a client certificate"},
    {"auth-provider", 0, FIELD_REFUSED, "use an exec plugin instead"},
    {"as", 0, FIELD_REFUSED, "use that user's own credentials"},
    {"as-uid", 0, FIELD_REFUSED, "use that user's own credentials"},
    {"as-groups", 0, FIELD_REFUSED, "use that user's own credentials"},
    {"as-user-extra", 0, FIELD_REFUSED, "use that user's own credentials"},
};
static const struct field context_fields[] = {
    {"namespace", AT(namespace), FIELD_TEXT, NULL},
};

static int no_memory(struct sonde_err *err)
{
    return sonde_fail(err, SONDE_ENOMEM, 0, "kubeconfig: out of memory");
}

static int wrong(const struct reader *r, const struct sonde_node *node, const char *what)
{
    return sonde_fail(r->err, SONDE_EINVALID, 0, "%s:%d:%d: %s", r->source->name, node->line,
                      node->column, what);
}

const char *kube_config_copy(struct sonde_arena *arena, struct sonde_str text)
{
    return sonde_arena_copy(arena, text).data;
}

int kube_config_check_url(struct sonde_str url, bool is_proxy, struct sonde_err *err)
{
    bool known = sonde_str_starts(url, "https://") || sonde_str_starts(url, "http://") ||
                 (is_proxy && sonde_str_starts(url, "socks5://"));
    size_t scheme =
        known ? (size_t)((const char *)memchr(url.data, '/', url.length) - url.data) + 2 : 0;
    bool plain = known && url.length > scheme && url.length <= SONDE_KUBE_URL_MAX &&
                 url.data[scheme] != '/' && url.data[scheme] != ':';
    for (size_t i = 0; i < url.length && plain; i++) {
        /* A proxy's address may carry user:password@. */
        plain = url.data[i] > ' ' && url.data[i] < 127 && !strchr("?#\\\"<>", url.data[i]) &&
                (is_proxy || url.data[i] != '@');
    }
    if (!plain) {
        return sonde_fail(err, SONDE_EINVALID, 0, "not an address as https://host:6443%s",
                          is_proxy ? " (also http:// and socks5://)" : "");
    }
    return 0;
}

/* The text of a scalar in the arena; NULL for an empty one or none. */
static int text_of(const struct reader *r, const struct sonde_node *node, const char **ret)
{
    if (!node || node->type == SONDE_NODE_NULL ||
        (node->type == SONDE_NODE_STRING && !node->text.length)) {
        *ret = NULL;
        return 0;
    }
    if (node->type == SONDE_NODE_LIST || node->type == SONDE_NODE_MAP) {
        return wrong(r, node, "this must be text");
    }
    for (size_t i = 0; i < node->text.length; i++) {
        char c = node->text.data[i];
        if ((unsigned char)c < ' ' && c != '\t' && c != '\r' && c != '\n') {
            return wrong(r, node, "control characters in a text");
        }
    }
    *ret = kube_config_copy(&r->config->arena, node->text);
    return *ret ? 0 : no_memory(r->err);
}

/* A file name as it stands, or below the directory of its kubeconfig. */
static int resolve(const struct reader *r, const char *file, const char **ret)
{
    if (!file || file[0] == '/' || !r->source->directory || !r->source->directory[0]) {
        *ret = file;
        return 0;
    }
    SONDE_BUF_AUTO path = SONDE_BUF(2 * SONDE_KUBE_URL_MAX + 4096);
    sonde_buf_text(&path, r->source->directory);
    sonde_buf_char(&path, '/');
    sonde_buf_text(&path, file);
    int code = sonde_buf_check(&path, "the path of a file in a kubeconfig", r->err);
    if (code < 0) {
        return code;
    }
    *ret = kube_config_copy(&r->config->arena, sonde_buf_view(&path));
    return *ret ? 0 : no_memory(r->err);
}

static int decode_pem(const struct reader *r, const struct sonde_node *node, const char *text,
                      struct sonde_str *ret)
{
    SONDE_BUF_AUTO compact = SONDE_BUF(SONDE_KUBE_PEM_MAX * 2);
    SONDE_BUF_AUTO bytes = SONDE_BUF(SONDE_KUBE_PEM_MAX);
    for (const char *c = text; *c; c++) {
        if (!strchr(" \t\r\n", *c)) {
            sonde_buf_char(&compact, *c); /* Go's decoder skips line ends too */
        }
    }
    int code = sonde_buf_check(&compact, "a certificate or key in a kubeconfig", r->err);
    code = code ? code : sonde_base64_decode(sonde_buf_view(&compact), &bytes, r->err);
    if (code == SONDE_EPARSE) {
        return wrong(r, node, "not base64");
    }
    if (code < 0) {
        return code;
    }
    if (bytes.length == 0 || memchr(bytes.data, '\0', bytes.length)) {
        return wrong(r, node, "no PEM text in this base64");
    }
    *ret = sonde_arena_copy(&r->config->arena, sonde_buf_view(&bytes));
    return ret->data ? 0 : no_memory(r->err);
}

static int read_field(const struct reader *r, const struct field *field,
                      const struct sonde_node *node)
{
    void *at = (char *)r->config + field->offset;
    if (field->kind == FIELD_BOOLEAN) {
        if (node->type != SONDE_NODE_BOOLEAN) {
            return wrong(r, node, "this must be true or false");
        }
        *(bool *)at = node->boolean;
        return 0;
    }
    if (field->kind == FIELD_REFUSED) {
        bool empty = node->type == SONDE_NODE_NULL || (node->text.length == 0 && node->count == 0);
        char text[160];
        (void)snprintf(text, sizeof(text), "%s is not supported: %s", field->name, field->remedy);
        return empty ? 0 : wrong(r, node, text);
    }
    const char *text;
    int code = text_of(r, node, &text);
    if (code < 0 || !text) {
        return code;
    }
    struct sonde_kube_pem *pem = at;
    switch (field->kind) {
    case FIELD_PEM_DATA:
        return decode_pem(r, node, text, &pem->data);
    case FIELD_PEM_FILE:
        return resolve(r, text, &pem->file);
    case FIELD_FILE:
        return resolve(r, text, at);
    default:
        *(const char **)at = text;
        return 0;
    }
}

static int read_fields(const struct reader *r, const struct sonde_node *map,
                       const struct field *fields, size_t count)
{
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        const struct sonde_node *node = sonde_node_find(map, fields[i].name);
        if (node && node->type != SONDE_NODE_NULL) {
            code = read_field(r, &fields[i], node);
        }
    }
    return code;
}

/* ---- exec plugins ---- */

static int new_words(const struct reader *r, const struct sonde_node *list, size_t extra,
                     const char ***ret)
{
    if (list && list->type != SONDE_NODE_LIST && list->type != SONDE_NODE_NULL) {
        return wrong(r, list, "this must be a list");
    }
    size_t count = list ? list->count : 0;
    if (count > SONDE_KUBE_EXEC_WORDS_MAX) {
        return sonde_fail(r->err, SONDE_ELIMIT, 0,
                          "%s: an exec plugin with %zu entries: at most %d", r->source->name, count,
                          SONDE_KUBE_EXEC_WORDS_MAX);
    }
    *ret = sonde_arena_alloc(&r->config->arena, (count + extra + 1) * sizeof(**ret));
    return *ret ? 0 : no_memory(r->err);
}

static int read_arguments(const struct reader *r, const struct sonde_node *exec,
                          struct sonde_kube_exec *ret)
{
    const struct sonde_node *list = sonde_node_find(exec, "args");
    const struct sonde_node *command = sonde_node_find(exec, "command");
    const char **words = NULL;
    int code = new_words(r, list, 1, &words);
    code = code ? code : text_of(r, command, &words[0]);
    if (code < 0) {
        return code;
    }
    if (!words[0]) {
        return wrong(r, exec, "an exec plugin without a command");
    }
    /* A path is relative to the kubeconfig; a bare name is looked up in PATH. */
    code = strchr(words[0], '/') ? resolve(r, words[0], &words[0]) : 0;
    size_t i = 1;
    for (const struct sonde_node *n = list ? list->first : NULL; n && code == 0; n = n->next) {
        code = text_of(r, n, &words[i]);
        words[i] = words[i] ? words[i] : "";
        i++;
    }
    ret->arguments = words;
    return code;
}

static int read_variable(const struct reader *r, const struct sonde_node *entry, const char **ret)
{
    const char *name = NULL;
    const char *value = NULL;
    int code = text_of(r, sonde_node_find(entry, "name"), &name);
    code = code ? code : text_of(r, sonde_node_find(entry, "value"), &value);
    if (code < 0) {
        return code;
    }
    if (!name || strchr(name, '=')) {
        return wrong(r, entry, "a variable needs a name without '='");
    }
    SONDE_BUF_AUTO text = SONDE_BUF(128 << 10);
    sonde_buf_text(&text, name);
    sonde_buf_char(&text, '=');
    sonde_buf_text(&text, value ? value : "");
    code = sonde_buf_check(&text, "a variable of an exec plugin", r->err);
    if (code < 0) {
        return code;
    }
    *ret = kube_config_copy(&r->config->arena, sonde_buf_view(&text));
    return *ret ? 0 : no_memory(r->err);
}

static int read_environment(const struct reader *r, const struct sonde_node *exec,
                            struct sonde_kube_exec *ret)
{
    const struct sonde_node *list = sonde_node_find(exec, "env");
    const char **words = NULL;
    int code = new_words(r, list, 0, &words);
    size_t i = 0;
    for (const struct sonde_node *n = list && code == 0 ? list->first : NULL; n && code == 0;
         n = n->next) {
        code = read_variable(r, n, &words[i++]);
    }
    ret->environment = words;
    return code;
}

static int read_exec(const struct reader *r, const struct sonde_node *user)
{
    const struct sonde_node *node = sonde_node_find(user, "exec");
    if (!node || node->type == SONDE_NODE_NULL) {
        return 0;
    }
    if (node->type != SONDE_NODE_MAP) {
        return wrong(r, node, "exec must be a map of fields");
    }
    struct sonde_kube_exec *exec = sonde_arena_alloc(&r->config->arena, sizeof(*exec));
    if (!exec) {
        return no_memory(r->err);
    }
    const struct sonde_node *info = sonde_node_find(node, "provideClusterInfo");
    exec->provide_cluster_info = info && info->type == SONDE_NODE_BOOLEAN && info->boolean;
    int code = text_of(r, sonde_node_find(node, "apiVersion"), &exec->api_version);
    code = code ? code : text_of(r, sonde_node_find(node, "installHint"), &exec->install_hint);
    code = code ? code : read_arguments(r, node, exec);
    code = code ? code : read_environment(r, node, exec);
    if (code < 0) {
        return code;
    }
    const char *version = exec->api_version ? exec->api_version : "";
    if (strcmp(version, "client.authentication.k8s.io/v1") != 0 &&
        strcmp(version, "client.authentication.k8s.io/v1beta1") != 0) {
        return wrong(r, node, "exec.apiVersion must be client.authentication.k8s.io/v1 or v1beta1");
    }
    r->config->exec = exec;
    return 0;
}

/* ---- merging ---- */

/* The entry `name` of the list `list` in the first source that has it, and its part `part`. */
static const struct sonde_node *find_named(struct reader *r, const char *list, const char *part,
                                           struct sonde_str name)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct sonde_node *root = r->documents[i].count ? r->documents[i].items[0] : NULL;
        const struct sonde_node *entries = sonde_node_find(root, list);
        for (const struct sonde_node *n = entries ? entries->first : NULL; n; n = n->next) {
            const struct sonde_node *named = sonde_node_find(n, "name");
            const struct sonde_node *found = sonde_node_find(n, part);
            if (named && sonde_str_equal(named->text, name) && found) {
                r->source = &r->sources[i];
                return found;
            }
        }
    }
    return NULL;
}

static int choose_context(struct reader *r, const char *wanted, struct sonde_str *ret)
{
    *ret = sonde_str(wanted);
    for (size_t i = 0; i < r->count && ret->length == 0; i++) {
        const struct sonde_node *root = r->documents[i].count ? r->documents[i].items[0] : NULL;
        const struct sonde_node *node = sonde_node_find(root, "current-context");
        *ret = node ? node->text : *ret;
    }
    if (ret->length == 0) {
        return sonde_fail(r->err, SONDE_ENOTFOUND, 0,
                          "no kubeconfig names a current-context: name a context, or choose one "
                          "with kubectl config use-context");
    }
    return 0;
}

static int find_part(struct reader *r, const struct sonde_node *context, const char *kind,
                     const char *list, const struct sonde_node **ret)
{
    const struct sonde_node *name = sonde_node_find(context, kind);
    *ret = name && name->text.length ? find_named(r, list, kind, name->text) : NULL;
    if (!*ret) {
        return sonde_fail(r->err, SONDE_ENOTFOUND, 0,
                          "the context \"%.100s\" has no %s that a kubeconfig describes",
                          r->config->context, kind);
    }
    return 0;
}

static int check_cluster(const struct reader *r, const struct sonde_node *cluster)
{
    struct sonde_kube_config *c = r->config;
    struct sonde_err why;
    if (!c->server) {
        return wrong(r, cluster, "a cluster without a server");
    }
    struct sonde_str server = sonde_str(c->server);
    while (sonde_str_ends(server, "/")) {
        server.length--;
    }
    c->server = kube_config_copy(&c->arena, server);
    if (!c->server) {
        return no_memory(r->err);
    }
    if (kube_config_check_url(server, false, &why) < 0 ||
        (c->proxy_url && kube_config_check_url(sonde_str(c->proxy_url), true, &why) < 0)) {
        return wrong(r, cluster, why.message);
    }
    if (c->tls_server_name && !sonde_kube_is_name(sonde_str(c->tls_server_name))) {
        return wrong(r, cluster, "tls-server-name must be a DNS name");
    }
    if (c->insecure && (c->ca.file || c->ca.data.length)) {
        return wrong(r, cluster,
                     "a certificate authority and insecure-skip-tls-verify exclude "
                     "each other");
    }
    return 0;
}

/* Data counts more than a file. */
static void settle(struct sonde_kube_pem *pem)
{
    pem->file = pem->data.length ? NULL : pem->file;
}

static int check_user(const struct reader *r, const struct sonde_node *user)
{
    struct sonde_kube_config *c = r->config;
    bool certificate = c->certificate.file || c->certificate.data.length;
    bool key = c->key.file || c->key.data.length;
    if (certificate != key) {
        return wrong(r, user, "a client certificate and a client key need each other");
    }
    if (c->token && strpbrk(c->token, " \t\r\n")) {
        return wrong(r, user, "a token has no spaces or line ends");
    }
    return 0;
}

static int resolve_context(struct reader *r, const char *wanted)
{
    struct sonde_str name;
    int code = choose_context(r, wanted, &name);
    if (code < 0) {
        return code;
    }
    const struct sonde_node *context = find_named(r, "contexts", "context", name);
    if (!context) {
        return sonde_fail(r->err, SONDE_ENOTFOUND, 0, "no kubeconfig has a context \"%.*s\"",
                          (int)(name.length < 100 ? name.length : 100), name.data);
    }
    r->config->context = kube_config_copy(&r->config->arena, name);
    if (!r->config->context) {
        return no_memory(r->err);
    }
    code = read_fields(r, context, context_fields, SONDE_LENGTH(context_fields));
    r->config->namespace = r->config->namespace ? r->config->namespace : "default";
    if (code == 0 && !sonde_kube_is_label(sonde_str(r->config->namespace))) {
        code = wrong(r, context, "its namespace is no name of a namespace");
    }
    const struct sonde_node *cluster = NULL;
    code = code ? code : find_part(r, context, "cluster", "clusters", &cluster);
    code = code ? code : read_fields(r, cluster, cluster_fields, SONDE_LENGTH(cluster_fields));
    code = code ? code : check_cluster(r, cluster);
    const struct sonde_node *user = NULL;
    code = code ? code : find_part(r, context, "user", "users", &user);
    code = code ? code : read_fields(r, user, user_fields, SONDE_LENGTH(user_fields));
    code = code ? code : read_exec(r, user);
    code = code ? code : check_user(r, user);
    settle(&r->config->ca);
    settle(&r->config->certificate);
    settle(&r->config->key);
    return code;
}

static int check_document(const struct reader *r, const struct sonde_documents *documents)
{
    if (documents->count == 0) {
        return 0; /* an empty file is an empty configuration */
    }
    const struct sonde_node *root = documents->items[0];
    const struct sonde_node *kind = sonde_node_find(root, "kind");
    if (root->type != SONDE_NODE_MAP || documents->count > 1 ||
        (kind && kind->text.length && !sonde_str_is(kind->text, "Config"))) {
        return wrong(r, root, "a kubeconfig is one document of kind Config");
    }
    return 0;
}

int sonde_kube_config_parse(const struct sonde_kube_source *sources, size_t count,
                            const char *context, struct sonde_kube_config *ret,
                            struct sonde_err *err)
{
    struct sonde_kube_config config = {.arena = SONDE_ARENA(SONDE_KUBE_CONFIG_MEMORY_MAX)};
    if (count > SONDE_KUBE_CONFIG_FILES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "%zu kubeconfig files: at most %d are read", count,
                          SONDE_KUBE_CONFIG_FILES_MAX);
    }
    SONDE_FREE struct sonde_documents *documents = calloc(count + 1, sizeof(*documents));
    if (!documents) {
        return no_memory(err);
    }
    struct reader r = {sources, documents, count, &config, sources, err};
    int code = 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        r.source = &sources[i];
        code = sonde_yaml_parse(sources[i].name, sources[i].text, &documents[i], err);
        code = code ? code : check_document(&r, &documents[i]);
    }
    code = code ? code : resolve_context(&r, context);
    for (size_t i = 0; i < count; i++) {
        sonde_documents_fini(&documents[i]);
    }
    if (code < 0) {
        sonde_kube_config_fini(&config);
        return code;
    }
    *ret = config;
    return 0;
}

void sonde_kube_config_fini(struct sonde_kube_config *config)
{
    if (config) {
        sonde_arena_fini(&config->arena);
        *config = (struct sonde_kube_config){0};
    }
}
