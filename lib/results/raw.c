/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "results/matches.h"
#include "results/results.h"

struct search {
    struct sonde_db *db;
    const char *wanted;
    struct sonde_results_matches matches;
    /* With the one that is meant. */
    int (*use)(const struct search *search, const struct sonde_artifact *artifact,
               struct sonde_err *err);
    sonde_bytes_callback callback;
    void *context;
    struct sonde_results_kept *kept;
};

static bool matches(const struct search *search, const struct sonde_artifact *artifact)
{
    return !sonde_artifact_is_aside(artifact->type) &&
           (!search->wanted || strcmp(search->wanted, artifact->capture) == 0 ||
            strcmp(search->wanted, artifact->name) == 0);
}

static int note(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    (void)err;
    struct search *search = context;
    if (matches(search, artifact)) {
        (void)sonde_results_match(&search->matches, artifact->name);
    }
    return 0;
}

static int hand_out(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    const struct search *search = context;
    return matches(search, artifact) ? search->use(search, artifact, err) : 0;
}

static int find_one(const struct search *like, const char *uid, const char *name,
                    struct sonde_err *err)
{
    struct search search = *like;
    search.wanted = name;
    int r = sonde_db_artifacts(search.db, uid, note, &search, err);
    r = r < 0 ? r : sonde_results_matches_check(&search.matches, "capture", name, err);
    return r < 0 ? r : sonde_db_artifacts(search.db, uid, hand_out, &search, err);
}

static int read_it(const struct search *search, const struct sonde_artifact *artifact,
                   struct sonde_err *err)
{
    return sonde_artifact_read(search->db, artifact, search->callback, search->context, err);
}

int sonde_results_raw(struct sonde_db *db, const char *uid, const char *name,
                      sonde_bytes_callback callback, void *context, struct sonde_err *err)
{
    const struct search search = {
        .db = db, .use = read_it, .callback = callback, .context = context};
    return find_one(&search, uid, name, err);
}

int sonde_results_open(struct sonde_db *db, const struct sonde_artifact *artifact,
                       struct sonde_results_kept *ret, struct sonde_err *err)
{
    ret->bytes = artifact->bytes;
    memcpy(ret->sha256, artifact->sha256, sizeof(ret->sha256));
    return sonde_artifact_open(db, artifact, &ret->fd, err);
}

static int open_it(const struct search *search, const struct sonde_artifact *artifact,
                   struct sonde_err *err)
{
    return sonde_results_open(search->db, artifact, search->kept, err);
}

int sonde_results_raw_open(struct sonde_db *db, const char *uid, const char *name,
                           struct sonde_results_kept *ret, struct sonde_err *err)
{
    const struct search search = {.db = db, .use = open_it, .kept = ret};
    ret->fd = -1;
    int r = find_one(&search, uid, name, err);
    if (r < 0) {
        sonde_closep(&ret->fd);
        ret->fd = -1;
    }
    return r;
}
