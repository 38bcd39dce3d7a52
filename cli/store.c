/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store.h"

#include <stdlib.h>

#include "codec/json.h"
#include "inspector/source_files.h"
#include "profile/cpuprofile.h"
#include "profile/source_map.h"

static const char context_type[] = "Context";
static const char map_type[] = "SourceMap";
static const char cpu_type[] = "CPUProfile";

enum { CONTEXT_MAX = 4 << 20 };

/* What is wrong with a store is no fault of the words that were typed. */
static int open_directory(const char *path, struct sonde_db **ret, struct sonde_err *err)
{
    int r = sonde_db_open(path, ret, err);
    if (r < 0 && (err->code == SONDE_EINVALID || err->code == SONDE_ENOTFOUND)) {
        err->code = SONDE_EIO;
    }
    return r;
}

int store_open(const struct cli_settings *settings, struct sonde_db **ret, struct sonde_err *err)
{
    if (settings->store) {
        return open_directory(settings->store, ret, err);
    }
    SONDE_BUF_AUTO path = SONDE_BUF(4096);
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    /* The XDG base directory specification ignores relative paths. */
    if (state && state[0] == '/') {
        sonde_buf_printf(&path, "%s/sonde", state);
    } else if (home && home[0] == '/') {
        sonde_buf_printf(&path, "%s/.local/state/sonde", home);
    } else {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "neither HOME nor XDG_STATE_HOME is set: give --store");
    }
    int r = sonde_buf_check(&path, "the store's path", err);
    return r < 0 ? r : open_directory(path.data, ret, err);
}

/* ---- loading ---- */

struct loading {
    struct sonde_db *db;
    struct sonde_profile *profile;
    struct sonde_profile_source source; /* a run is of one process */
    const char *wanted;                 /* the capture's name, or NULL */
    struct sonde_buf *found;            /* the capture's name */
    struct sonde_cpuprofile_reader *reader;
    struct sonde_buf context; /* the text of the context artifact */
    cJSON *json;
};

static int feed(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct loading *loading = context;
    return sonde_cpuprofile_feed(loading->reader, data, length, err);
}

static int load_window(struct loading *loading, const struct sonde_artifact *artifact,
                       struct sonde_err *err)
{
    int r = sonde_cpuprofile_reader_new(loading->profile, &loading->source, &loading->reader, err);
    r = r < 0 ? r : sonde_artifact_read(loading->db, artifact, feed, loading, err);
    r = r < 0 ? r : sonde_cpuprofile_finish(loading->reader, err);
    sonde_cpuprofile_reader_free(SONDE_TAKE(loading->reader));
    return r < 0 ? sonde_err_wrap(err, r, "%s", artifact->name) : 0;
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "an artifact", err);
}

static int load_artifact(void *context, const struct sonde_artifact *artifact,
                         struct sonde_err *err)
{
    struct loading *loading = context;
    /* What a capture refers to is stored behind its windows. */
    if (strcmp(artifact->type, context_type) == 0 &&
        sonde_str_is(sonde_buf_view(loading->found), artifact->capture)) {
        return sonde_artifact_read(loading->db, artifact, append, &loading->context, err);
    }
    if (strcmp(artifact->type, cpu_type) != 0 ||
        (loading->wanted && strcmp(loading->wanted, artifact->capture) != 0)) {
        return 0;
    }
    if (loading->found->length == 0) {
        sonde_buf_text(loading->found, artifact->capture);
    } else if (!sonde_str_is(sonde_buf_view(loading->found), artifact->capture)) {
        return sonde_fail(err, SONDE_EINVALID, 0,
                          "the run has several captures, among them %s and %s: give --capture NAME",
                          loading->found->data, artifact->capture);
    }
    return load_window(loading, artifact, err);
}

static int apply_map(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct loading *loading = context;
    if (strcmp(artifact->type, map_type) != 0) {
        return 0;
    }
    const cJSON *entry;
    const char *url = NULL;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(loading->json, "maps"))
    {
        if (strcmp(sonde_json_string_or(entry, "artifact", ""), artifact->name) == 0) {
            url = sonde_json_string_or(entry, "url", NULL);
        }
    }
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SOURCE_MAP_BYTES_MAX);
    struct sonde_source_map *map = NULL;
    if (!url) {
        return 0;
    }
    int r = sonde_artifact_read(loading->db, artifact, append, &text, err);
    if (r == 0 && sonde_source_map_parse(sonde_buf_view(&text), &map, NULL) == 0) {
        r = sonde_profile_apply_source_map(loading->profile, sonde_str(url), map, err);
    }
    sonde_source_map_free(map); /* a malformed map leaves the engine's positions */
    return r;
}

static int apply_versions(struct loading *loading, struct sonde_err *err)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(loading->json, "packages"))
    {
        struct sonde_str directory = sonde_str(sonde_json_string_or(entry, "directory", ""));
        struct sonde_str version = sonde_str(sonde_json_string_or(entry, "version", ""));
        struct sonde_profile *profile = loading->profile;
        int r = sonde_profile_text(profile, version, &version, err);
        for (size_t i = 0; i < profile->frame_count && r == 0; i++) {
            if (profile->frames[i].category == SONDE_CATEGORY_DEPENDENCY &&
                sonde_str_equal(sonde_package_directory(&profile->frames[i]), directory)) {
                profile->frames[i].version = version;
            }
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int store_load_profile(struct sonde_db *db, const char *uid, const char *capture,
                       struct sonde_profile *ret, struct sonde_buf *ret_capture,
                       struct sonde_err *err)
{
    struct loading loading = {.db = db,
                              .profile = ret,
                              .wanted = capture,
                              .found = ret_capture,
                              .context = SONDE_BUF(CONTEXT_MAX)};
    int r = sonde_profile_init(ret, err);
    r = r < 0 ? r : sonde_db_artifacts(db, uid, load_artifact, &loading, err);
    if (r == 0 && ret->windows == 0) {
        r = sonde_fail(err, SONDE_ENOTFOUND, 0,
                       capture ? "the run has no CPU profile called %s"
                               : "the run has no CPU profile%.0s",
                       capture ? capture : "");
    }
    if (r == 0 && loading.context.length) {
        r = sonde_json_parse(sonde_buf_view(&loading.context), &loading.json, err);
        r = r < 0 ? r : apply_versions(&loading, err);
        r = r < 0 ? r : sonde_db_artifacts(db, uid, apply_map, &loading, err);
        cJSON_Delete(loading.json);
    }
    sonde_buf_fini(&loading.context);
    return r;
}

/* ---- keeping what a profile refers to ---- */

struct keeping {
    struct sonde_db *db;
    const char *uid;
    const char *capture;
    unsigned maps;
    struct sonde_buf map_list, package_list; /* entries of JSON arrays */
};

static int keep_artifact(struct sonde_db *db, const struct sonde_artifact *artifact,
                         struct sonde_str text, struct sonde_err *err)
{
    struct sonde_artifact_writer *writer = NULL;
    int r = sonde_artifact_begin(db, artifact, &writer, err);
    if (r < 0) {
        return r;
    }
    r = sonde_artifact_write(writer, text.data, text.length, err);
    if (r < 0) {
        sonde_artifact_abort(writer);
        return r;
    }
    return sonde_artifact_commit(writer, err);
}

static int keep_map(void *context, struct sonde_str url, struct sonde_str text,
                    struct sonde_err *err)
{
    struct keeping *keeping = context;
    char name[SONDE_DB_ARTIFACT_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s.source-map.%u", keeping->capture, keeping->maps);
    struct sonde_artifact artifact = {.run_uid = keeping->uid,
                                      .name = name,
                                      .capture = keeping->capture,
                                      .type = map_type,
                                      .media_type = "application/json"};
    sonde_buf_text(&keeping->map_list, keeping->maps++ ? ",{\"url\":" : "{\"url\":");
    sonde_buf_json_string(&keeping->map_list, url);
    sonde_buf_printf(&keeping->map_list, ",\"artifact\":\"%s\"}", name);
    return keep_artifact(keeping->db, &artifact, text, err);
}

static int keep_package(void *context, struct sonde_str directory, const char *version,
                        struct sonde_err *err)
{
    (void)err;
    struct keeping *keeping = context;
    struct sonde_buf *list = &keeping->package_list;
    sonde_buf_text(list, list->length ? ",{\"directory\":" : "{\"directory\":");
    sonde_buf_json_string(list, directory);
    sonde_buf_text(list, ",\"version\":");
    sonde_buf_json_string(list, sonde_str(version));
    sonde_buf_char(list, '}');
    return 0;
}

int store_keep_sources(struct sonde_db *db, const char *uid, const char *capture, int root,
                       const struct sonde_profile *profile, struct sonde_err *err)
{
    struct keeping keeping = {.db = db,
                              .uid = uid,
                              .capture = capture,
                              .map_list = SONDE_BUF(CONTEXT_MAX / 4),
                              .package_list = SONDE_BUF(CONTEXT_MAX / 4)};
    struct sonde_source_files callbacks = {&keeping, keep_map, keep_package};
    SONDE_BUF_AUTO text = SONDE_BUF(CONTEXT_MAX);
    int r = sonde_source_files_read(root, profile, &callbacks, err);
    sonde_buf_text(&text, "{\"maps\":[");
    sonde_buf_str(&text, sonde_buf_view(&keeping.map_list));
    sonde_buf_text(&text, "],\"packages\":[");
    sonde_buf_str(&text, sonde_buf_view(&keeping.package_list));
    sonde_buf_text(&text, "]}");
    r = r < 0 ? r : sonde_buf_check(&keeping.map_list, "the list of source maps", err);
    r = r < 0 ? r : sonde_buf_check(&keeping.package_list, "the list of packages", err);
    r = r < 0 ? r : sonde_buf_check(&text, "the context", err);
    char name[SONDE_DB_ARTIFACT_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s.context", capture);
    struct sonde_artifact artifact = {.run_uid = uid,
                                      .name = name,
                                      .capture = capture,
                                      .type = context_type,
                                      .media_type = "application/json"};
    r = r < 0 ? r : keep_artifact(db, &artifact, sonde_buf_view(&text), err);
    sonde_buf_fini(&keeping.map_list);
    sonde_buf_fini(&keeping.package_list);
    return r;
}
