/* SPDX-License-Identifier: Apache-2.0 */
#include "load/document.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

enum { PATH_MAX_BYTES = 4096 };

void sonde_load_document_url(const struct sonde_spec_document *document, struct sonde_buf *url)
{
    const struct sonde_load_target *target = document->load_test->target;
    const struct sonde_service_target *service = target->service;
    if (!service) {
        sonde_buf_text(url, target->url);
        return;
    }
    sonde_buf_printf(url, "%s://%s.%s.svc:%lld/",
                     service->scheme == SONDE_SCHEME_HTTPS ? "https" : "http", service->name,
                     document->metadata.namespace, (long long)service->port);
}

/* ---- files of a scenario ---- */

struct files {
    const struct sonde_load_maps *maps;
    struct sonde_load_file items[SONDE_LOAD_FILES_MAX];
    struct sonde_buf texts[SONDE_LOAD_FILES_MAX]; /* what is in them */
    size_t count;
};

/* The one that stands for a ConfigMap's key. */
static int add_file(struct files *files, const char *name, const char *key, struct sonde_err *err)
{
    const struct sonde_load_maps *maps = files->maps;
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].key, key) == 0 && strcmp(files->items[i].name, name) == 0) {
            return 0;
        }
    }
    if (files->count == SONDE_LOAD_FILES_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a scenario with more than %d files",
                          SONDE_LOAD_FILES_MAX);
    }
    char path[PATH_MAX_BYTES];
    int printed = snprintf(path, sizeof(path), "%.*s%s%s%s", SONDE_STR_ARG(maps->directory),
                           maps->by_name ? name : "", maps->by_name ? "/" : "", key);
    if (printed < 0 || (size_t)printed >= sizeof(path)) {
        return sonde_fail(err, SONDE_EINVALID, 0, "the path of %s is too long", key);
    }
    struct sonde_buf *text = &files->texts[files->count];
    *text = SONDE_BUF(SONDE_LOAD_FILE_BYTES_MAX);
    int r = sonde_read_file(AT_FDCWD, path, text, err);
    files->items[files->count++] = (struct sonde_load_file){name, key, sonde_buf_view(text)};
    return r;
}

static int add_variables(struct files *files, const struct sonde_variable *items, size_t count,
                         struct sonde_err *err)
{
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        const struct sonde_data_source *from = items[i].from;
        r = from ? add_file(files, from->name, from->key, err) : 0;
    }
    return r;
}

static int add_files(struct files *files, const struct sonde_scenario *spec, struct sonde_err *err)
{
    const struct sonde_scenario_source *source = spec->config_map_ref;
    int r = source ? add_file(files, source->name, source->key, err) : 0;
    r = r < 0 ? r : add_variables(files, spec->data.items, spec->data.count, err);
    for (size_t i = 0; i < spec->requests.count && r == 0; i++) {
        const struct sonde_request *request = &spec->requests.items[i];
        r = add_variables(files, request->data.items, request->data.count, err);
    }
    return r;
}

int sonde_load_scenario_of(const struct sonde_scenario *spec, const struct sonde_load_maps *maps,
                           const struct sonde_load_surroundings *around,
                           struct sonde_load_scenario *ret, struct sonde_err *err)
{
    struct sonde_load_surroundings whole = *around;
    struct files files = {.maps = maps};
    *ret = (struct sonde_load_scenario){0};
    int r = add_files(&files, spec, err);
    whole.files = files.items;
    whole.file_count = files.count;
    r = r < 0 ? r : sonde_load_scenario_from_spec(spec, &whole, ret, err);
    for (size_t i = 0; i < files.count; i++) {
        sonde_buf_fini(&files.texts[i]);
    }
    return r;
}
