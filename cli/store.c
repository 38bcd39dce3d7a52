/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspector/cgroup.h"
#include "inspector/script_urls.h"

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

uint64_t store_heap_bytes(void)
{
    struct sonde_memory_free memory;
    sonde_memory_free("/proc", getpid(), &memory);
    return memory.bytes;
}

bool store_is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

int store_check_name(const char *name, struct sonde_err *err)
{
    size_t length = strlen(name);
    bool good = length > 0 && length <= STORE_NAME_MAX && name[0] != '-' &&
                name[length - 1] != '-' && strcmp(name, "last") != 0;
    for (size_t i = 0; i < length && good; i++) {
        good = store_is_name_character(name[i]);
    }
    return good ? 0
                : sonde_fail(err, SONDE_EINVALID, 0,
                             "\"%.100s\" is no name of a run: up to %d lower-case letters, digits "
                             "and hyphens",
                             name, STORE_NAME_MAX);
}

/* ---- keeping what a capture refers to ---- */

struct keeping {
    struct sonde_db *db;
    const char *uid;
    const char *capture;
};

int store_keep_artifact(struct sonde_db *db, const struct sonde_artifact *artifact,
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

static int keep(void *context, const char *name, const char *type, struct sonde_str text,
                struct sonde_err *err)
{
    const struct keeping *keeping = context;
    struct sonde_artifact artifact = {.run_uid = keeping->uid,
                                      .name = name,
                                      .capture = keeping->capture,
                                      .type = type,
                                      .media_type = "application/json"};
    return store_keep_artifact(keeping->db, &artifact, text, err);
}

struct looking {
    struct sonde_db *db;
    const char *capture;
    bool found;
    enum sonde_context_kind kind;
    struct sonde_script_urls urls;
};

static int look_at_piece(void *context, const void *data, size_t length, struct sonde_err *err)
{
    (void)err;
    sonde_script_urls_feed(context, data, length);
    return 0;
}

static int look_at(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct looking *looking = context;
    if (strcmp(artifact->capture, looking->capture) != 0 ||
        !sonde_script_urls_wanted(artifact->type)) {
        return 0;
    }
    looking->found = true;
    looking->kind = sonde_context_kind_of(artifact->type);
    sonde_script_urls_begin(&looking->urls);
    return sonde_artifact_read(looking->db, artifact, look_at_piece, &looking->urls, err);
}

int store_keep_sources(struct sonde_db *db, const char *uid, const char *capture, int root,
                       const struct sonde_profile *profile, enum sonde_context_kind kind,
                       struct sonde_str waits, struct sonde_err *err)
{
    struct keeping keeping = {db, uid, capture};
    return sonde_context_write(root, profile, kind, waits, capture, keep, &keeping, err);
}

int store_find_sources(struct sonde_db *db, const char *uid, const char *capture, int root,
                       struct sonde_str waits, struct sonde_err *err)
{
    struct looking looking = {.db = db, .capture = capture};
    int r = sonde_script_urls_init(&looking.urls, err);
    r = r < 0 ? r : sonde_db_artifacts(db, uid, look_at, &looking, err);
    if (r == 0 && looking.found) {
        r = store_keep_sources(db, uid, capture, root, &looking.urls.scripts, looking.kind, waits,
                               err);
    }
    sonde_script_urls_fini(&looking.urls);
    return r;
}
