/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/compress.h"
#include "db/db_internal.h"

/* A blob is written in incoming/, under a lock that says that its writer lives, and is linked to
 * blobs/ab/abcd….zst and made durable before the transaction that adds its row, so that nobody
 * waits for the disk meanwhile. Blobs are removed inside write transactions only: within its own
 * the writer sees whether its blob is still there, and puts it back. What a deletion is about to
 * leave without rows stands in a list in incoming/, which is looked through after its commit. */

struct sonde_artifact_writer {
    struct sonde_db *db;
    struct sonde_artifact artifact;
    char *texts[6];                                 /* owned copies of the artifact's texts */
    char name[SONDE_SHA256_TEXT + SONDE_UUID_SIZE]; /* in incoming/ */
    int fd;
    bool sealed; /* whole: the digest is known */
    bool left;   /* the file stays for a sweep: its name says which blob to look after */
    EVP_MD_CTX *digest;
    struct sonde_stream *zstd;
};

static int blob_path(const char *sha256, char *ret, size_t size)
{
    return snprintf(ret, size, "%.2s/%s.zst", sha256, sha256);
}

/* Within a write transaction: removes the blob's file when no artifact uses it. */
static int blob_release(struct sonde_db *db, const char *sha256, struct sonde_err *err)
{
    int64_t used = 0;
    int r = db_find_number(db, "SELECT 1 FROM artifacts WHERE sha256 = ? LIMIT 1", &sha256, 1, 0,
                           &used, err);
    if (r == 0 && !used) {
        char path[SONDE_SHA256_TEXT + 16];
        (void)blob_path(sha256, path, sizeof(path));
        if (unlinkat(db->blobs, path, 0) < 0 && errno != ENOENT) {
            return sonde_fail(err, SONDE_EIO, errno, "delete a blob of the store %s", db->path);
        }
    }
    return r;
}

/* In a transaction of its own. */
static int release_in_turn(struct sonde_db *db, const char *sha256)
{
    int r = db_begin(db, NULL);
    return r < 0 ? r : db_end(db, blob_release(db, sha256, NULL), NULL);
}

static int sync_directory(int fd, struct sonde_err *err)
{
    return fsync(fd) < 0 ? sonde_fail(err, SONDE_EIO, errno, "write the store's directory") : 0;
}

static void free_writer(struct sonde_artifact_writer *w)
{
    if (w->fd >= 0 && !w->left) {
        (void)unlinkat(w->db->incoming, w->name, 0);
    }
    sonde_closep(&w->fd);
    EVP_MD_CTX_free(w->digest);
    sonde_stream_free(w->zstd);
    for (size_t i = 0; i < SONDE_LENGTH(w->texts); i++) {
        free(w->texts[i]);
    }
    free(w);
}

static int to_file(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct sonde_artifact_writer *w = context;
    return sonde_write_all(w->fd, data, length, "the store's blob", err);
}

static int copy_texts(struct sonde_artifact_writer *w, const struct sonde_artifact *from)
{
    const char *const texts[] = {from->run_uid,    from->name,
                                 from->capture,    from->type,
                                 from->media_type, from->process ? from->process : ""};
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        w->texts[i] = strdup(texts[i]);
        if (!w->texts[i]) {
            return SONDE_ENOMEM;
        }
    }
    w->artifact = (struct sonde_artifact){.run_uid = w->texts[0],
                                          .name = w->texts[1],
                                          .capture = w->texts[2],
                                          .type = w->texts[3],
                                          .media_type = w->texts[4],
                                          .process = w->texts[5],
                                          .data_class = from->data_class};
    return 0;
}

/* A sweep of another process may find the file before it is locked, and remove it: then once more.
 */
int db_create_locked(struct sonde_db *db, const char *prefix, char *name, size_t size, int *ret,
                     struct sonde_err *err)
{
    for (;;) {
        struct stat status;
        char uuid[SONDE_UUID_SIZE];
        sonde_random_uuid(uuid);
        (void)snprintf(name, size, "%s%s", prefix, uuid);
        int fd = openat(db->incoming, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &status) < 0) {
            int r = sonde_fail(err, SONDE_EIO, errno, "create a file in the store %s", db->path);
            sonde_closep(&fd);
            return r;
        }
        if (status.st_nlink > 0) {
            *ret = fd;
            return 0;
        }
        (void)close(fd);
    }
}

int sonde_artifact_begin(struct sonde_db *db, const struct sonde_artifact *artifact,
                         struct sonde_artifact_writer **ret, struct sonde_err *err)
{
    if (strlen(artifact->name) > SONDE_DB_ARTIFACT_NAME_MAX) {
        return sonde_fail(err, SONDE_EINVALID, 0, "an artifact's name of more than %d bytes",
                          SONDE_DB_ARTIFACT_NAME_MAX);
    }
    struct sonde_artifact_writer *w = calloc(1, sizeof(*w));
    if (!w) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "the store: out of memory");
    }
    w->db = db;
    w->fd = -1;
    int r = db_create_locked(db, "", w->name, sizeof(w->name), &w->fd, err);
    w->digest = EVP_MD_CTX_new();
    if (r == 0 && (!w->digest || copy_texts(w, artifact) < 0 ||
                   EVP_DigestInit_ex(w->digest, EVP_sha256(), NULL) != 1)) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "the store: out of memory");
    }
    r = r < 0 ? r : sonde_compressor_new(SONDE_ZSTD, to_file, w, &w->zstd, err);
    if (r < 0) {
        free_writer(w);
        return r;
    }
    *ret = w;
    return 0;
}

int sonde_artifact_write(struct sonde_artifact_writer *w, const void *data, size_t length,
                         struct sonde_err *err)
{
    if ((int64_t)length > SONDE_DB_ARTIFACT_MAX - w->artifact.bytes) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "an artifact of more than %lld bytes",
                          (long long)SONDE_DB_ARTIFACT_MAX);
    }
    w->artifact.bytes += (int64_t)length;
    (void)EVP_DigestUpdate(w->digest, data, length);
    return sonde_stream_feed(w->zstd, data, length, err);
}

static void digest_text(EVP_MD_CTX *digest, char ret[SONDE_SHA256_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    (void)EVP_DigestFinal_ex(digest, bytes, &length);
    for (unsigned i = 0; i < 32 && i < length; i++) {
        (void)snprintf(ret + (size_t)i * 2, 3, "%02x", bytes[i]);
    }
}

static int insert_row(struct sonde_artifact_writer *w, int64_t stored, struct sonde_err *err)
{
    const struct sonde_artifact *a = &w->artifact;
    int64_t there = 0;
    int r =
        db_find_number(w->db, "SELECT 1 FROM runs WHERE uid = ?", &a->run_uid, 1, 0, &there, err);
    if (r == 0 && !there) {
        return sonde_fail(err, SONDE_ENOTFOUND, 0, "there is no run %s", a->run_uid);
    }
    DB_STATEMENT *statement = NULL;
    r = r < 0 ? r
              : db_prepare(w->db,
                           "INSERT INTO artifacts (run, name, capture, type, media_type,"
                           " process, class, bytes, sha256, stored) VALUES (?,?,?,?,?,?,?,?,?,?)",
                           &statement, err);
    if (r < 0) {
        return r;
    }
    for (int i = 0; i < (int)SONDE_LENGTH(w->texts); i++) {
        db_text(statement, i + 1, w->texts[i]);
    }
    (void)sqlite3_bind_int(statement, 7, (int)a->data_class);
    (void)sqlite3_bind_int64(statement, 8, a->bytes);
    db_text(statement, 9, a->sha256);
    (void)sqlite3_bind_int64(statement, 10, stored);
    return db_step(w->db, statement, err);
}

/* What is in place may be of another length than what it has replaced: compressed by another
 * version. */
static int set_stored(struct sonde_db *db, const char *sha256, int64_t stored,
                      struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db, "UPDATE artifacts SET stored = ?1 WHERE sha256 = ?2 AND stored != ?1",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    (void)sqlite3_bind_int64(statement, 1, stored);
    db_text(statement, 2, sha256);
    return db_step(db, statement, err);
}

/* In place of what is there under that name: the same content, or damage. */
static int replace_blob(struct sonde_artifact_writer *w, const char *path, struct sonde_err *err)
{
    char uuid[SONDE_UUID_SIZE];
    char link[SONDE_SHA256_TEXT + SONDE_UUID_SIZE];
    sonde_random_uuid(uuid);
    (void)snprintf(link, sizeof(link), "%.64s.%s", w->artifact.sha256, uuid);
    if (linkat(w->db->incoming, w->name, w->db->incoming, link, 0) < 0 ||
        renameat(w->db->incoming, link, w->db->blobs, path) < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "keep a blob in the store %s", w->db->path);
    }
    return 0;
}

/* Puts the file where blobs are. What another writer has made there may not be durable yet, should
 * it have died: both directories are synced in any case. */
static int place_blob(struct sonde_artifact_writer *w, struct sonde_err *err)
{
    char path[SONDE_SHA256_TEXT + 16];
    char folder[3];
    (void)blob_path(w->artifact.sha256, path, sizeof(path));
    (void)snprintf(folder, sizeof(folder), "%.2s", path);
    if (mkdirat(w->db->blobs, folder, 0700) < 0 && errno != EEXIST) {
        return sonde_fail(err, SONDE_EIO, errno, "create a directory in the store %s", w->db->path);
    }
    int r = 0;
    if (linkat(w->db->incoming, w->name, w->db->blobs, path, 0) < 0) {
        r = errno == EEXIST
                ? replace_blob(w, path, err)
                : sonde_fail(err, SONDE_EIO, errno, "keep a blob in the store %s", w->db->path);
    }
    r = r < 0 ? r : sync_directory(w->db->blobs, err);
    if (r < 0) {
        return r;
    }
    SONDE_CLOSE int directory = openat(w->db->blobs, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? sonde_fail(err, SONDE_EIO, errno, "open a directory of the store")
                         : sync_directory(directory, err);
}

/* Whether this file, whose content has that digest, is the blob; its length. */
static bool is_blob(const struct sonde_db *db, int fd, const char *sha256, int64_t *ret_length)
{
    char path[SONDE_SHA256_TEXT + 16];
    struct stat ours;
    struct stat there;
    (void)blob_path(sha256, path, sizeof(path));
    if (fstat(fd, &ours) < 0 || fstatat(db->blobs, path, &there, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    *ret_length = ours.st_size;
    return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* Within a write transaction: whether nobody has removed or replaced the blob. */
static bool is_placed(const struct sonde_artifact_writer *w)
{
    int64_t length;
    return is_blob(w->db, w->fd, w->artifact.sha256, &length);
}

/* Within a write transaction. What another writer has put in place may not be durable yet. */
static int add_row(struct sonde_artifact_writer *w, struct sonde_err *err)
{
    struct stat file;
    if (fstat(w->fd, &file) < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "look at a blob of the store %s", w->db->path);
    }
    int r = insert_row(w, file.st_size, err);
    r = r < 0 ? r : set_stored(w->db, w->artifact.sha256, file.st_size, err);
    return r < 0 || is_placed(w) ? r : place_blob(w, err);
}

/* From here on the name tells which blob to look after, should we not come to the end. */
static int name_content(struct sonde_artifact_writer *w, struct sonde_err *err)
{
    char name[sizeof(w->name)];
    (void)snprintf(name, sizeof(name), "%s.%.36s", w->artifact.sha256, w->name);
    if (renameat(w->db->incoming, w->name, w->db->incoming, name) < 0) {
        return sonde_fail(err, SONDE_EIO, errno, "keep a blob in the store %s", w->db->path);
    }
    memcpy(w->name, name, sizeof(name));
    return sync_directory(w->db->incoming, err);
}

static int seal(struct sonde_artifact_writer *w, struct sonde_err *err)
{
    if (w->sealed) {
        return 0;
    }
    int r = sonde_stream_finish(w->zstd, err);
    if (r == 0 && fsync(w->fd) < 0) {
        r = sonde_fail(err, SONDE_EIO, errno, "write a blob of the store %s", w->db->path);
    }
    if (r == 0) {
        digest_text(w->digest, w->artifact.sha256);
        w->sealed = true;
    }
    return r;
}

int sonde_artifact_seal(struct sonde_artifact_writer *writer, struct sonde_artifact *ret,
                        struct sonde_err *err)
{
    int r = seal(writer, err);
    if (r == 0) {
        *ret = writer->artifact;
    }
    return r;
}

/* In a transaction of its own: its writer may have put it in place, and not come to tell its
 * length.
 */
static int tell_length(struct sonde_db *db, int fd, const char *sha256)
{
    struct sonde_err err;
    int64_t length = 0;
    int r = db_begin(db, &err);
    if (r == 0) {
        r = is_blob(db, fd, sha256, &length) ? set_stored(db, sha256, length, &err) : 0;
        r = db_end(db, r, &err);
    }
    return r;
}

static int commit(struct sonde_artifact_writer *w, struct sonde_err *err)
{
    int r = seal(w, err);
    if (r < 0) {
        return r;
    }
    r = name_content(w, err);
    if (r < 0) {
        return r;
    }
    r = place_blob(w, err);
    r = r < 0 ? r : db_begin(w->db, err);
    if (r == 0) {
        r = db_end(w->db, add_row(w, err), err);
    }
    /* Without its row the blob is that of other artifacts or must go, now or with the next sweep.
     */
    w->left = r < 0 && (r == SONDE_EBUSY || tell_length(w->db, w->fd, w->artifact.sha256) < 0 ||
                        release_in_turn(w->db, w->artifact.sha256) < 0);
    return r;
}

int sonde_artifact_commit(struct sonde_artifact_writer *writer, struct sonde_err *err)
{
    int r = commit(writer, err);
    free_writer(writer);
    return r;
}

void sonde_artifact_abort(struct sonde_artifact_writer *writer)
{
    if (writer) {
        free_writer(writer);
    }
}

/* A list has the digests of blobs, each with a newline. */
static const char list_prefix[] = "list.";

int blob_list_open(struct sonde_db *db, struct blob_list *ret, struct sonde_err *err)
{
    char name[sizeof(list_prefix) + SONDE_UUID_SIZE];
    int fd = -1;
    int r = db_create_locked(db, list_prefix, name, sizeof(name), &fd, err);
    if (r == 0) {
        *ret = (struct blob_list){.fd = fd};
    }
    return r;
}

int blob_list_add_run(struct sonde_db *db, struct blob_list *list, const char *uid,
                      struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int64_t last = list->last;
    int r = db_prepare(db, "SELECT id, sha256 FROM artifacts WHERE run = ? AND id > ? ORDER BY id",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, uid);
    (void)sqlite3_bind_int64(statement, 2, list->last);
    while ((r = db_step(db, statement, err)) == 1) {
        char line[SONDE_SHA256_TEXT + 1];
        (void)snprintf(line, sizeof(line), "%.64s\n", db_column(statement, 1));
        last = sqlite3_column_int64(statement, 0);
        r = db_columns_check(db, err);
        r = r < 0 ? r : sonde_write_all(list->fd, line, strlen(line), "a list in the store", err);
        if (r < 0) {
            return r;
        }
    }
    if (r < 0 || last == list->last) {
        return r;
    }
    list->last = last;
    if (fsync(list->fd) < 0) {
        r = sonde_fail(err, SONDE_EIO, errno, "write a list in the store %s", db->path);
        return r;
    }
    r = sync_directory(db->incoming, err);
    return r;
}

void blob_list_close(struct blob_list *list)
{
    sonde_closep(&list->fd);
}

static bool is_digest(const char *text)
{
    return strspn(text, "0123456789abcdef") == SONDE_SHA256_TEXT - 1;
}

/* 1: `line` has all of its bytes, 0: the file ends before. */
static int read_line(int fd, char *line, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, line + length, size - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? SONDE_EIO : 0;
        }
        length += (size_t)got;
    }
    return 1;
}

/* A line that a crash has cut was never followed by a deletion. */
static int release_listed(struct sonde_db *db, int fd)
{
    char line[SONDE_SHA256_TEXT];
    int r;
    while ((r = read_line(fd, line, sizeof(line))) == 1) {
        line[sizeof(line) - 1] = '\0';
        r = is_digest(line) ? release_in_turn(db, line) : 0;
        if (r < 0) {
            return r;
        }
    }
    return r;
}

/* False when the store is busy: another process is at work, and no file will fare better. */
static bool sweep_file(struct sonde_db *db, const char *name)
{
    SONDE_CLOSE int file = openat(db->incoming, name, O_RDONLY | O_CLOEXEC);
    /* Whoever lives holds the lock. Shared, so that nobody takes a sweep for a sign of life. */
    if (file < 0 || flock(file, LOCK_SH | LOCK_NB) < 0) {
        return true;
    }
    int r = 0;
    if (is_digest(name)) {
        char sha256[SONDE_SHA256_TEXT];
        (void)snprintf(sha256, sizeof(sha256), "%.64s", name);
        r = tell_length(db, file, sha256);
        r = r < 0 ? r : release_in_turn(db, sha256);
    } else if (strncmp(name, list_prefix, sizeof(list_prefix) - 1) == 0) {
        r = release_listed(db, file);
    }
    if (r < 0) {
        return r != SONDE_EBUSY; /* the next open tries again */
    }
    (void)unlinkat(db->incoming, name, 0);
    return true;
}

void blob_sweep(struct sonde_db *db)
{
    int fd = openat(db->incoming, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        sonde_closep(&fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) && (entry->d_name[0] == '.' || sweep_file(db, entry->d_name))) {
    }
    (void)closedir(dir);
}

int sonde_db_artifacts(struct sonde_db *db, const char *run_uid, sonde_artifact_callback callback,
                       void *context, struct sonde_err *err)
{
    DB_STATEMENT *statement = NULL;
    int r = db_prepare(db,
                       "SELECT run, name, capture, type, media_type, class, bytes, sha256, process,"
                       /* Of old rows nobody knows: see the table's migrations. */
                       " CASE stored WHEN bytes THEN 0 ELSE stored END"
                       " FROM artifacts WHERE run = ? ORDER BY id",
                       &statement, err);
    if (r < 0) {
        return r;
    }
    db_text(statement, 1, run_uid);
    while ((r = db_step(db, statement, err)) == 1) {
        struct sonde_artifact artifact = {
            .run_uid = db_column(statement, 0),
            .name = db_column(statement, 1),
            .capture = db_column(statement, 2),
            .type = db_column(statement, 3),
            .media_type = db_column(statement, 4),
            .data_class = (enum sonde_data_class)sqlite3_column_int(statement, 5),
            .bytes = sqlite3_column_int64(statement, 6),
            .process = db_column(statement, 8),
            .stored = sqlite3_column_int64(statement, 9),
        };
        (void)snprintf(artifact.sha256, sizeof(artifact.sha256), "%s", db_column(statement, 7));
        r = db_columns_check(db, err);
        r = r < 0 ? r : callback(context, &artifact, err);
        if (r < 0) {
            return r;
        }
    }
    return r;
}

struct reading {
    EVP_MD_CTX *digest;
    int64_t bytes;
    sonde_bytes_callback callback;
    void *context;
    bool refused; /* the callback ended it */
};

static int pass_on(void *context, const void *data, size_t length, struct sonde_err *err)
{
    struct reading *reading = context;
    reading->bytes += (int64_t)length;
    (void)EVP_DigestUpdate(reading->digest, data, length);
    int r = reading->callback(reading->context, data, length, err);
    reading->refused = r < 0;
    return r;
}

static int read_blob(int fd, struct sonde_stream *stream, const char *name, struct sonde_err *err)
{
    char piece[16384];
    for (;;) {
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sonde_fail(err, SONDE_EIO, errno, "read artifact %s", name);
        }
        int r = got ? sonde_stream_feed(stream, piece, (size_t)got, err)
                    : sonde_stream_finish(stream, err);
        if (r < 0 || got == 0) {
            return r;
        }
    }
}

static int damaged(const struct sonde_db *db, const struct sonde_artifact *artifact,
                   struct sonde_err *err)
{
    return sonde_fail_reason(
        err, SONDE_EPARSE, SONDE_DB_UNREADABLE,
        "artifact %s is damaged in the store %s: delete the run, and look at the "
        "disk",
        artifact->name, db->path);
}

int sonde_artifact_open(struct sonde_db *db, const struct sonde_artifact *artifact, int *ret_fd,
                        struct sonde_err *err)
{
    char path[SONDE_SHA256_TEXT + 16];
    (void)blob_path(artifact->sha256, path, sizeof(path));
    int fd = openat(db->blobs, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT
                   ? sonde_fail_reason(err, SONDE_EPARSE, SONDE_DB_UNREADABLE,
                                       "artifact %s is not in the store %s any more: delete the "
                                       "run, and look at the disk",
                                       artifact->name, db->path)
                   : sonde_fail(err, SONDE_EIO, errno, "open artifact %s of the store %s",
                                artifact->name, db->path);
    }
    struct stat file;
    int r = 0;
    if (fstat(fd, &file) < 0) {
        r = sonde_fail(err, SONDE_EIO, errno, "look at artifact %s", artifact->name);
    } else if (file.st_size < artifact->stored) {
        r = damaged(db, artifact, err);
    }
    if (r < 0) {
        sonde_closep(&fd);
    } else {
        *ret_fd = fd;
    }
    return r;
}

int sonde_artifact_read(struct sonde_db *db, const struct sonde_artifact *artifact,
                        sonde_bytes_callback callback, void *context, struct sonde_err *err)
{
    SONDE_CLOSE int fd = -1;
    int opened = sonde_artifact_open(db, artifact, &fd, err);
    if (opened < 0) {
        return opened;
    }
    struct reading reading = {EVP_MD_CTX_new(), 0, callback, context, false};
    struct sonde_stream *stream = NULL;
    int r = 0;
    if (!reading.digest || EVP_DigestInit_ex(reading.digest, EVP_sha256(), NULL) != 1) {
        r = sonde_fail(err, SONDE_ENOMEM, 0, "the store: out of memory");
    }
    r = r < 0 ? r
              : sonde_decompressor_new(SONDE_ZSTD, (uint64_t)artifact->bytes, pass_on, &reading,
                                       &stream, err);
    r = r < 0 ? r : read_blob(fd, stream, artifact->name, err);
    bool is_damaged = !reading.refused && (r == SONDE_EPARSE || r == SONDE_ELIMIT);
    if (r == 0) {
        char sha256[SONDE_SHA256_TEXT] = "";
        digest_text(reading.digest, sha256);
        is_damaged = reading.bytes != artifact->bytes || strcmp(sha256, artifact->sha256) != 0;
    }
    if (is_damaged) {
        r = damaged(db, artifact, err);
    }
    sonde_stream_free(stream);
    EVP_MD_CTX_free(reading.digest);
    return r;
}

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "an artifact", err);
}

int sonde_artifact_text(struct sonde_db *db, const struct sonde_artifact *artifact,
                        struct sonde_buf *buf, struct sonde_err *err)
{
    return sonde_artifact_read(db, artifact, append, buf, err);
}
