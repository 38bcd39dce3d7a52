/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations on the store and on a naive model of it: both must say the same. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "db_helpers.h"

enum { RUNS = 24, ARTIFACTS = 6, CONTENTS = 9, NAMES = 3, OPERATIONS = 1500, SEEDS = 3 };

static const char *const run_names[NAMES] = {"slow", "fast", "a0b0"};

struct model_run {
    bool exists;
    unsigned name;
    enum sonde_run_state state;
    int64_t created_ns;
    int contents[ARTIFACTS]; /* the number of the content, -1: none */
    unsigned order[ARTIFACTS];
    unsigned count;
    bool orphaned; /* its owner is gone */
};

struct model {
    char directory[PATH_SIZE];
    struct sonde_db *db;
    struct sonde_err err;
    uint64_t seed;
    int64_t clock;
    char *contents[CONTENTS];
    struct model_run runs[RUNS];
};

static unsigned draw(struct model *m, unsigned below)
{
    return (unsigned)(sonde_random_next(&m->seed) % below);
}

/* The newest existing run that begins so or is called so; RUNS: none. */
static unsigned newest(const struct model *m, const char *name)
{
    unsigned found = RUNS;
    for (unsigned i = 0; i < RUNS; i++) {
        const struct model_run *run = &m->runs[i];
        if (run->exists && (!name || strcmp(run_names[run->name], name) == 0) &&
            (found == RUNS || run->created_ns > m->runs[found].created_ns)) {
            found = i;
        }
    }
    return found;
}

static void create(struct model *m, unsigned i)
{
    struct model_run *run = &m->runs[i];
    char uid[SONDE_UUID_SIZE];
    make_uid(i, uid);
    unsigned name = draw(m, NAMES);
    int64_t created_ns = (++m->clock * 7919) % 100003; /* in no order, each once */
    int r = add_run(m->db, uid, run_names[name], created_ns, &m->err);
    assert_int_equal(r, run->exists ? SONDE_EEXISTS : 0);
    if (!run->exists) {
        *run = (struct model_run){true, name, SONDE_RUN_RUNNING, created_ns, {0}, {0}, 0, false};
        for (int a = 0; a < ARTIFACTS; a++) {
            run->contents[a] = -1;
        }
    }
}

static void update(struct model *m, unsigned i)
{
    struct model_run *run = &m->runs[i];
    char uid[SONDE_UUID_SIZE];
    make_uid(i, uid);
    enum sonde_run_state to =
        (enum sonde_run_state)(SONDE_RUN_RUNNING + (int)draw(m, SONDE_RUN_CANCELLED));
    bool open = run->exists && run->state < SONDE_RUN_SUCCEEDED;
    assert_int_equal(end_run(m->db, uid, to, &m->err), open ? 0 : SONDE_ECONFLICT);
    run->state = open ? to : run->state;
}

static void add(struct model *m, unsigned i)
{
    struct model_run *run = &m->runs[i];
    char uid[SONDE_UUID_SIZE];
    char name[16];
    make_uid(i, uid);
    unsigned artifact = draw(m, ARTIFACTS);
    unsigned content = draw(m, CONTENTS);
    const char *text = m->contents[content];
    (void)snprintf(name, sizeof(name), "cpu.%u", artifact);
    bool taken = run->exists && run->contents[artifact] >= 0;
    int r = add_artifact(m->db, uid, name, text, strlen(text), &m->err);
    assert_int_equal(r, !run->exists ? SONDE_ENOTFOUND : taken ? SONDE_EEXISTS : 0);
    if (r == 0) {
        run->contents[artifact] = (int)content;
        run->order[run->count++] = artifact;
    }
}

static void delete(struct model *m, unsigned i)
{
    char uid[SONDE_UUID_SIZE];
    make_uid(i, uid);
    int r = sonde_db_run_delete(m->db, uid, &m->err);
    assert_int_equal(r, m->runs[i].exists ? 0 : SONDE_ENOTFOUND);
    m->runs[i].exists = false;
}

static void resolve(struct model *m, unsigned i)
{
    char text[SONDE_UUID_SIZE];
    char found[SONDE_UUID_SIZE] = "";
    char uid[SONDE_UUID_SIZE];
    unsigned kind = draw(m, 3);
    make_uid(i, uid);
    unsigned expected = newest(m, kind == 0 ? NULL : run_names[i % NAMES]);
    int code = expected < RUNS ? 0 : SONDE_ENOTFOUND;
    (void)snprintf(text, sizeof(text), "%s", kind == 0 ? "last" : run_names[i % NAMES]);
    if (kind == 2) {
        (void)snprintf(text, sizeof(text), "%.8s", uid);
        expected = i;
        code = m->runs[i].exists ? 0 : SONDE_ENOTFOUND;
    } else if (code < 0 && kind == 1 && strcmp(text, "a0b0") == 0) {
        /* Nobody is called so: it is the beginning of every fourth uid. */
        unsigned count = 0;
        for (unsigned k = 0; k < RUNS; k += 4) {
            count += m->runs[k].exists;
            expected = m->runs[k].exists ? k : expected;
        }
        code = count == 0 ? SONDE_ENOTFOUND : count == 1 ? 0 : SONDE_ECONFLICT;
    }
    assert_int_equal(sonde_db_run_resolve(m->db, text, NULL, found, &m->err), code);
    if (code == 0) {
        make_uid(expected, uid);
        assert_string_equal(found, uid);
    }
}

/* The runs that have not ended by then have lost their owner. */
static void reopen(struct model *m, unsigned i)
{
    (void)i;
    for (unsigned k = 0; k < RUNS; k++) {
        m->runs[k].orphaned = true;
    }
    sonde_db_close(m->db);
    m->db = open_store(m->directory);
}

struct comparison {
    struct model *model;
    unsigned runs;
    int64_t created_ns; /* of the run before */
    unsigned artifact;
    const struct model_run *run;
    struct sonde_buf read;
};

static int append(void *context, const void *data, size_t length, struct sonde_err *err)
{
    sonde_buf_append(context, data, length);
    return sonde_buf_check(context, "the content", err);
}

static int compare_artifact(void *context, const struct sonde_artifact *artifact,
                            struct sonde_err *err)
{
    struct comparison *c = context;
    char name[16];
    assert_true(c->artifact < c->run->count);
    unsigned number = c->run->order[c->artifact++];
    (void)snprintf(name, sizeof(name), "cpu.%u", number);
    assert_string_equal(artifact->name, name);
    sonde_buf_clear(&c->read);
    sonde_buf_text(&c->read, "");
    assert_int_equal(sonde_artifact_read(c->model->db, artifact, append, &c->read, err), 0);
    assert_string_equal(c->read.data, c->model->contents[c->run->contents[number]]);
    return 0;
}

static int compare_run(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    struct comparison *c = context;
    uint64_t number = 0;
    struct sonde_str end = {run->uid + SONDE_UUID_SIZE - 1 - 12, 12};
    assert_int_equal(sonde_parse_hex64(end, &number), 0);
    assert_true(number < RUNS);
    c->run = &c->model->runs[number];
    assert_true(c->run->exists);
    assert_true(c->runs++ == 0 || run->created_ns < c->created_ns);
    c->created_ns = run->created_ns;
    assert_true(run->created_ns == c->run->created_ns);
    assert_string_equal(run->name, run_names[c->run->name]);
    bool interrupted = c->run->orphaned && c->run->state < SONDE_RUN_SUCCEEDED;
    assert_int_equal(run->state, interrupted ? SONDE_RUN_FAILED : c->run->state);
    c->artifact = 0;
    assert_int_equal(sonde_db_artifacts(c->model->db, run->uid, compare_artifact, c, err), 0);
    assert_int_equal(c->artifact, c->run->count);
    return 0;
}

static void compare(struct model *m, unsigned i)
{
    (void)i;
    struct comparison c = {.model = m, .read = SONDE_BUF(1 << 20)};
    unsigned expected = 0;
    for (unsigned k = 0; k < RUNS; k++) {
        expected += m->runs[k].exists;
    }
    assert_int_equal(sonde_db_runs(m->db, NULL, 1000, compare_run, &c, &m->err), 0);
    assert_int_equal(c.runs, expected);
    sonde_buf_fini(&c.read);
    (void)check_store(m->db, m->directory);
}

/* An operation and how often it is drawn. */
static const struct {
    void (*apply)(struct model *m, unsigned run);
    unsigned weight;
} operations[] = {{create, 20},  {update, 8}, {add, 45},   {delete, 8},
                  {resolve, 15}, {reopen, 2}, {compare, 2}};

static void apply_one(struct model *m)
{
    unsigned sum = 0;
    for (size_t i = 0; i < SONDE_LENGTH(operations); i++) {
        sum += operations[i].weight;
    }
    unsigned drawn = draw(m, sum);
    size_t i = 0;
    while (drawn >= operations[i].weight) {
        drawn -= operations[i++].weight;
    }
    operations[i].apply(m, draw(m, RUNS));
}

static void store_and_model_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %" PRIu64 "\n", seed);
        struct model *m = calloc(1, sizeof(*m));
        assert_non_null(m);
        m->seed = seed;
        make_directory(m->directory);
        m->db = open_store(m->directory);
        for (unsigned i = 0; i < CONTENTS; i++) {
            size_t length = 0;
            m->contents[i] = make_content(seed * 100 + i, &length);
        }
        for (int i = 0; i < OPERATIONS; i++) {
            apply_one(m);
        }
        compare(m, 0);
        sonde_db_close(m->db);
        for (unsigned i = 0; i < CONTENTS; i++) {
            free(m->contents[i]);
        }
        remove_directory(m->directory);
        free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(store_and_model_agree)};
    return cmocka_run_group_tests_name("db_model", tests, NULL, NULL);
}
