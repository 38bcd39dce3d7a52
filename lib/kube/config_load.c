/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/yaml.h"
#include "kube/config_internal.h"
#include "kube/path.h"

enum { FILE_NAME_MAX = 4096 };

/* The files of one load. */
struct files {
    struct sonde_buf names[SONDE_KUBE_CONFIG_FILES_MAX];
    struct sonde_buf directories[SONDE_KUBE_CONFIG_FILES_MAX];
    struct sonde_buf texts[SONDE_KUBE_CONFIG_FILES_MAX];
    size_t count;
};

static void files_free(struct files **files)
{
    for (size_t i = 0; *files && i < (*files)->count; i++) {
        sonde_buf_fini(&(*files)->names[i]);
        sonde_buf_fini(&(*files)->directories[i]);
        sonde_buf_fini(&(*files)->texts[i]);
    }
    free(*files);
}

/* The directory of an absolute or relative path, absolute. */
static int directory_of(struct sonde_str path, struct sonde_buf *ret, struct sonde_err *err)
{
    if (path.length == 0 || path.data[0] != '/') {
        char *room = sonde_buf_reserve(ret, FILE_NAME_MAX);
        if (room && !getcwd(room, FILE_NAME_MAX)) {
            return sonde_fail(err, SONDE_EIO, errno, "the current directory");
        }
        ret->length = room ? strlen(room) : 0;
        sonde_buf_char(ret, '/');
    }
    const char *slash = path.length ? memrchr(path.data, '/', path.length) : NULL;
    sonde_buf_append(ret, path.data, slash ? (size_t)(slash - path.data) : 0);
    return sonde_buf_check(ret, "the directory of a kubeconfig", err);
}

static int add_file(struct files *files, struct sonde_str path, bool optional,
                    struct sonde_err *err)
{
    if (files->count == SONDE_KUBE_CONFIG_FILES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "KUBECONFIG names more than %d files",
                          SONDE_KUBE_CONFIG_FILES_MAX);
    }
    size_t i = files->count++;
    files->names[i] = SONDE_BUF(FILE_NAME_MAX);
    files->directories[i] = SONDE_BUF((size_t)2 * FILE_NAME_MAX);
    files->texts[i] = SONDE_BUF(SONDE_YAML_BYTES_MAX);
    sonde_buf_str(&files->names[i], path);
    int code = sonde_buf_check(&files->names[i], "the name of a kubeconfig", err);
    if (code < 0) {
        return code;
    }
    if (optional && access(files->names[i].data, F_OK) < 0 && errno == ENOENT) {
        sonde_buf_fini(&files->names[i]);
        files->count--;
        return 0;
    }
    code = directory_of(path, &files->directories[i], err);
    code = code ? code : sonde_read_input(files->names[i].data, &files->texts[i], err);
    return code < 0 ? sonde_err_wrap(err, code, "kubeconfig") : 0;
}

static int parse_files(const struct files *files, const char *context,
                       struct sonde_kube_config *ret, struct sonde_err *err)
{
    struct sonde_kube_source sources[SONDE_KUBE_CONFIG_FILES_MAX];
    for (size_t i = 0; i < files->count; i++) {
        sources[i] = (struct sonde_kube_source){files->names[i].data, files->directories[i].data,
                                                sonde_buf_view(&files->texts[i])};
    }
    return sonde_kube_config_parse(sources, files->count, context, ret, err);
}

static int add_list(struct files *files, const char *list, struct sonde_err *err)
{
    int code = 0;
    for (struct sonde_str rest = sonde_str(list); rest.data && code == 0;) {
        struct sonde_str path = sonde_str_split(&rest, ':');
        code = path.length ? add_file(files, path, true, err) : 0;
    }
    return code;
}

static int add_home(struct files *files, struct sonde_err *err)
{
    const char *home = getenv("HOME");
    SONDE_BUF_AUTO path = SONDE_BUF(FILE_NAME_MAX);
    if (!home || !home[0]) {
        return 0;
    }
    sonde_buf_text(&path, home);
    sonde_buf_text(&path, "/.kube/config");
    int code = sonde_buf_check(&path, "the path of a kubeconfig", err);
    return code < 0 ? code : add_file(files, sonde_buf_view(&path), true, err);
}

int sonde_kube_config_load(const char *path, const char *context, struct sonde_kube_config *ret,
                           struct sonde_err *err)
{
    SONDE_CLEANUP(files_free) struct files *files = calloc(1, sizeof(*files));
    const char *list = getenv("KUBECONFIG");
    if (!files) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "kubeconfig: out of memory");
    }
    int code = path                ? add_file(files, sonde_str(path), false, err)
               : (list && list[0]) ? add_list(files, list, err)
                                   : add_home(files, err);
    if (code < 0) {
        return code;
    }
    if (files->count) {
        return parse_files(files, context, ret, err);
    }
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host && host[0] && port && port[0]) {
        return sonde_kube_config_in_cluster(host, port, SONDE_KUBE_SERVICE_ACCOUNT, ret, err);
    }
    return sonde_fail(err, SONDE_ENOTFOUND, 0,
                      "no kubeconfig: name one, set KUBECONFIG, or write ~/.kube/config");
}

/* The path of a file in `directory`, which must be readable. */
static int mounted(struct sonde_kube_config *config, const char *directory, const char *name,
                   const char **ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO path = SONDE_BUF(FILE_NAME_MAX);
    sonde_buf_printf(&path, "%s/%s", directory, name);
    int code = sonde_buf_check(&path, "the path of the service account", err);
    if (code < 0) {
        return code;
    }
    if (access(path.data, R_OK) < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "the pod's service account: %s", path.data);
    }
    *ret = kube_config_copy(&config->arena, sonde_buf_view(&path));
    return *ret ? 0 : sonde_fail(err, SONDE_ENOMEM, 0, "service account: out of memory");
}

static int fill_in_cluster(struct sonde_kube_config *config, const char *host, const char *port,
                           const char *directory, struct sonde_err *err)
{
    uint64_t number;
    SONDE_BUF_AUTO url = SONDE_BUF(SONDE_KUBE_URL_MAX);
    bool brackets = strchr(host, ':') && host[0] != '[';
    if (sonde_parse_u64(sonde_str(port), 1, UINT16_MAX, &number) < 0) {
        return sonde_fail(err, SONDE_EINVALID, 0, "KUBERNETES_SERVICE_PORT is no port: %.40s",
                          port);
    }
    sonde_buf_printf(&url, "https://%s%s%s:%llu", brackets ? "[" : "", host, brackets ? "]" : "",
                     (unsigned long long)number);
    int code = sonde_buf_check(&url, "the address of the API server", err);
    code = code ? code : kube_config_check_url(sonde_buf_view(&url), false, err);
    code = code ? code : mounted(config, directory, "token", &config->token_file, err);
    code = code ? code : mounted(config, directory, "ca.crt", &config->ca.file, err);
    if (code < 0) {
        return code;
    }
    const char *path;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_KUBE_LABEL_MAX + 2);
    if (mounted(config, directory, "namespace", &path, NULL) == 0 &&
        sonde_read_file(AT_FDCWD, path, &text, NULL) == 0 &&
        sonde_kube_is_label(sonde_str_trim(sonde_buf_view(&text)))) {
        config->namespace = kube_config_copy(&config->arena, sonde_str_trim(sonde_buf_view(&text)));
    } else {
        config->namespace = "default";
    }
    config->context = "";
    config->server = kube_config_copy(&config->arena, sonde_buf_view(&url));
    return config->server && config->namespace
               ? 0
               : sonde_fail(err, SONDE_ENOMEM, 0, "service account: out of memory");
}

int sonde_kube_config_in_cluster(const char *host, const char *port, const char *directory,
                                 struct sonde_kube_config *ret, struct sonde_err *err)
{
    struct sonde_kube_config config = {.arena = SONDE_ARENA(SONDE_KUBE_CONFIG_MEMORY_MAX)};
    int code = fill_in_cluster(&config, host, port, directory, err);
    if (code < 0) {
        sonde_kube_config_fini(&config);
        return code;
    }
    *ret = config;
    return 0;
}
