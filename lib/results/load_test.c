/* SPDX-License-Identifier: Apache-2.0 */
#include "results/load_test.h"

#include <string.h>

#include "results/matches.h"
#include "results/results.h"
#include "results/snapshots.h"

int sonde_results_load_test(struct sonde_db *db, const struct sonde_artifact *artifact,
                            struct sonde_load_result *ret, struct sonde_err *err)
{
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_RESULT_MAX);
    *ret = (struct sonde_load_result){0};
    int r = sonde_artifact_text(db, artifact, &text, err);
    return r < 0 ? r : sonde_load_result_read(sonde_buf_view(&text), ret, err);
}

struct search {
    struct sonde_db *db;
    const char *wanted;
    struct sonde_results_matches matches;
    char *name; /* or NULL */
    struct sonde_load_result *ret;
};

static int look(void *context, const struct sonde_artifact *artifact, struct sonde_err *err)
{
    struct search *search = context;
    char name[SONDE_DB_ARTIFACT_NAME_MAX + 1];
    if (strcmp(artifact->type, SONDE_ARTIFACT_LOAD_RESULT) != 0 ||
        !sonde_results_is_named(artifact, search->wanted)) {
        return 0;
    }
    sonde_results_part_name(artifact->name, name, sizeof(name));
    if (!sonde_results_match(&search->matches, name)) {
        return 0;
    }
    if (search->name) {
        memcpy(search->name, name, sizeof(name));
    }
    return sonde_results_load_test(search->db, artifact, search->ret, err);
}

int sonde_results_load_test_find(struct sonde_db *db, const char *uid, const char *name,
                                 char ret_name[SONDE_DB_ARTIFACT_NAME_MAX + 1],
                                 struct sonde_load_result *ret, struct sonde_err *err)
{
    struct search search = {.db = db, .wanted = name, .name = ret_name, .ret = ret};
    *ret = (struct sonde_load_result){0};
    int r = sonde_db_artifacts(db, uid, look, &search, err);
    return r < 0 ? r : sonde_results_matches_check(&search.matches, "load test", name, err);
}
