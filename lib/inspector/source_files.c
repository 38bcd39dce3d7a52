/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/source_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "codec/json.h"
#include "profile/source_map.h"

enum { NAMES_MAX = 1 << 20 }; /* bytes of all names of sources */

/* What cannot be read is passed over, but for want of memory. */
static int pass_over(int code, struct sonde_err *err)
{
    return code == SONDE_ENOMEM ? sonde_fail(err, code, 0, "out of memory") : 0;
}

/* Opens a regular file below root; absolute links and ".." stay inside. */
static int open_inside(int root, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
    struct stat status;
    if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* Reads the last bytes of a file, as many as buf may hold: SONDE_ELIMIT when these are not all. */
static int read_tail(int root, const char *path, struct sonde_buf *buf)
{
    SONDE_CLOSE int fd = open_inside(root, path);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return SONDE_ENOTFOUND;
    }
    bool cut = status.st_size > (off_t)buf->maximum;
    if (cut) {
        (void)lseek(fd, status.st_size - (off_t)buf->maximum, SEEK_SET);
    }
    int r = sonde_read_all(fd, buf, path, NULL);
    return r == 0 && cut ? SONDE_ELIMIT : r;
}

static int read_map_file(int root, struct sonde_str script, struct sonde_str reference,
                         struct sonde_buf *ret)
{
    SONDE_BUF_AUTO path = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    if (reference.length && reference.data[0] != '/' &&
        !sonde_str_contains(reference, SONDE_STR("://"))) {
        const char *slash = memrchr(script.data, '/', script.length);
        sonde_buf_append(&path, script.data, slash ? (size_t)(slash - script.data) + 1 : 0);
    }
    SONDE_BUF_AUTO whole = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    sonde_buf_str(&path, reference);
    int r = path.code ? path.code : sonde_url_path(sonde_buf_view(&path), &whole, NULL);
    return r < 0 ? r : read_tail(root, whole.data, ret);
}

struct reading {
    int root;
    const struct sonde_source_files *callbacks;
    struct sonde_map seen, sources; /* scripts and packages, which are the profile's; others */
    struct sonde_arena names;       /* of those */
    struct sonde_str script;        /* the one at hand: its URL */
};

/* 1: it is. What is too much is taken for seen. */
static int is_new(struct sonde_map *seen, struct sonde_str key, struct sonde_arena *names,
                  struct sonde_err *err)
{
    struct sonde_map_slot *slot;
    bool fresh;
    int r = sonde_map_keep(seen, key, names, NULL, &slot, &fresh);
    return r < 0 ? pass_over(r, err) : fresh;
}

/* ---- sources of maps ---- */

/* A map may name any file: what is no source stays where it is. */
static bool is_source(struct sonde_str file)
{
    static const char *const endings[] = {".ts",  ".tsx", ".mts", ".cts",    ".js",    ".jsx",
                                          ".mjs", ".cjs", ".vue", ".svelte", ".coffee"};
    struct sonde_str package;
    bool found = false;
    for (size_t i = 0; i < SONDE_LENGTH(endings) && !found; i++) {
        found = sonde_str_ends(file, endings[i]);
    }
    return found && sonde_category_of(SONDE_STR(""), file, &package) == SONDE_CATEGORY_APP;
}

static int take_source(void *context, size_t number, struct sonde_str file, struct sonde_str text,
                       struct sonde_err *err)
{
    struct reading *reading = context;
    SONDE_BUF_AUTO path = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    SONDE_BUF_AUTO read = SONDE_BUF(SONDE_SOURCE_FILE_MAX);
    (void)number;
    if (text.data || !is_source(file)) {
        return 0;
    }
    int r = is_new(&reading->sources, file, &reading->names, err);
    if (r <= 0) {
        return r;
    }
    r = sonde_url_path(file, &path, NULL);
    r = r < 0 ? r : read_tail(reading->root, path.data, &read);
    const struct sonde_source_files *callbacks = reading->callbacks;
    return r < 0 ? pass_over(r, err)
                 : callbacks->source(callbacks->context, file, sonde_buf_view(&read), err);
}

static int take_map(struct reading *reading, struct sonde_str text, struct sonde_err *err)
{
    struct sonde_err why = {0};
    const struct sonde_source_files *callbacks = reading->callbacks;
    int r = callbacks->map(callbacks->context, reading->script, text, err);
    if (r < 0 || text.length > SONDE_MAP_SOURCES_MAX) {
        return r;
    }
    r = sonde_source_map_texts(text, reading->script, take_source, reading, &why);
    if (r == SONDE_EPARSE || r == SONDE_ELIMIT) {
        return 0; /* who reads it will see */
    }
    if (r < 0 && err) {
        *err = why;
    }
    return r;
}

/* ---- scripts ---- */

/* 1: it has a map. `path`: of the script, `text`: its end. */
static int script_map(struct reading *reading, struct sonde_str path, struct sonde_str text,
                      struct sonde_err *err)
{
    SONDE_BUF_AUTO map = SONDE_BUF(SONDE_SOURCE_MAP_BYTES_MAX);
    struct sonde_str reference = sonde_source_map_url(text);
    if (reference.length == 0) {
        return 0;
    }
    int r = sonde_str_starts(reference, "data:")
                ? sonde_source_map_inline(reference, &map, NULL)
                : read_map_file(reading->root, path, reference, &map);
    if (r < 0 || map.length == 0) {
        return pass_over(r, err);
    }
    r = take_map(reading, sonde_buf_view(&map), err);
    return r < 0 ? r : 1;
}

static int visit_script(struct reading *reading, struct sonde_err *err)
{
    SONDE_BUF_AUTO path = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_SCRIPT_TAIL_MAX);
    const struct sonde_source_files *callbacks = reading->callbacks;
    int read = sonde_url_path(reading->script, &path, NULL);
    read = read < 0 ? read : read_tail(reading->root, path.data, &text);
    if (path.code || (read < 0 && read != SONDE_ELIMIT)) {
        return pass_over(read, err);
    }
    struct sonde_str whole = sonde_buf_view(&text);
    int r = script_map(reading, sonde_buf_view(&path), whole, err);
    if (r < 0 || read < 0) {
        return r < 0 ? r : 0;
    }
    if (sonde_str_starts(whole, "\xef\xbb\xbf")) {
        whole = (struct sonde_str){whole.data + 3, whole.length - 3};
    }
    return callbacks->script(callbacks->context, reading->script, whole, r == 1, err);
}

/* ---- packages ---- */

static int package_version(const struct reading *reading, struct sonde_str directory,
                           struct sonde_err *err)
{
    SONDE_BUF_AUTO path = SONDE_BUF(2 * SONDE_PROFILE_NAME_MAX);
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_PACKAGE_JSON_MAX);
    SONDE_JSON_AUTO *json = NULL;
    const struct sonde_source_files *callbacks = reading->callbacks;
    int r = sonde_url_path(directory, &path, NULL);
    sonde_buf_text(&path, "/package.json");
    r = r < 0 || !path.code ? r : path.code;
    r = r < 0 ? r : read_tail(reading->root, path.data, &text);
    r = r < 0 ? r : sonde_json_parse(sonde_buf_view(&text), &json, NULL);
    if (r < 0) {
        return pass_over(r, err);
    }
    const char *version = sonde_json_string_or(json, "version", NULL);
    return version ? callbacks->package(callbacks->context, directory, version, err) : 0;
}

static int visit_frame(struct reading *reading, const struct sonde_frame *frame,
                       struct sonde_err *err)
{
    bool app = frame->category == SONDE_CATEGORY_APP;
    struct sonde_str key = app ? frame->generated.file : sonde_package_directory(frame);
    int r = key.length ? is_new(&reading->seen, key, NULL, err) : 0;
    if (r <= 0) {
        return r;
    }
    reading->script = key;
    return app ? visit_script(reading, err) : package_version(reading, key, err);
}

int sonde_source_files_read(int root, const struct sonde_profile *profile,
                            const struct sonde_source_files *callbacks, struct sonde_err *err)
{
    struct reading reading = {.root = root,
                              .callbacks = callbacks,
                              .seen = SONDE_MAP(SONDE_SCRIPTS_MAX + SONDE_PACKAGES_MAX),
                              .sources = SONDE_MAP(SONDE_SOURCE_FILES_MAX),
                              .names = SONDE_ARENA(NAMES_MAX)};
    int r = 0;
    for (size_t i = 0; i < profile->frame_count && r == 0; i++) {
        r = visit_frame(&reading, &profile->frames[i], err);
    }
    sonde_map_fini(&reading.seen);
    sonde_map_fini(&reading.sources);
    sonde_arena_fini(&reading.names);
    return r;
}
