/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "kube/queue.h"

static struct sonde_kube_queue *new_queue(size_t maximum)
{
    struct sonde_kube_queue_options options = sonde_kube_queue_defaults(1);
    options.jitter = 0;
    options.maximum = maximum;
    struct sonde_kube_queue *queue = NULL;
    assert_int_equal(sonde_kube_queue_new(&options, 0, &queue, NULL), 0);
    return queue;
}

static void add(struct sonde_kube_queue *queue, const char *key, int64_t now)
{
    assert_int_equal(sonde_kube_queue_add(queue, sonde_str(key), now, NULL), 0);
}

static void expect(struct sonde_kube_queue *queue, int64_t now, const char *key)
{
    struct sonde_str taken;
    bool got = sonde_kube_queue_take(queue, now, &taken);
    assert_int_equal(got, key != NULL);
    if (key) {
        assert_true(sonde_str_is(taken, key));
    }
}

static void done(struct sonde_kube_queue *queue, const char *key, int64_t now)
{
    sonde_kube_queue_done(queue, sonde_str(key), now);
}

static void keys_come_once_and_in_order(void **state)
{
    (void)state;
    struct sonde_kube_queue *queue = new_queue(10);
    assert_int_equal(sonde_kube_queue_next(queue, 0), INT64_MAX);
    add(queue, "b", 0);
    add(queue, "a", 1);
    add(queue, "b", 2);
    add(queue, "", 3);
    assert_int_equal(sonde_kube_queue_next(queue, 7), 7);
    assert_int_equal(sonde_kube_queue_numbers(queue, 9).oldest_ns, 9);
    assert_int_equal(sonde_kube_queue_numbers(queue, 9).ready, 3);
    expect(queue, 4, "b");
    expect(queue, 4, "a");
    expect(queue, 4, "");
    expect(queue, 4, NULL);
    assert_int_equal(sonde_kube_queue_numbers(queue, 9).working, 3);
    assert_int_equal(sonde_kube_queue_numbers(queue, 9).adds, 3);
    sonde_kube_queue_free(queue);
    sonde_kube_queue_free(NULL);
}

static void one_worker_for_a_key(void **state)
{
    (void)state;
    struct sonde_kube_queue *queue = new_queue(10);
    add(queue, "a", 0);
    expect(queue, 0, "a");
    add(queue, "a", 1);
    add(queue, "a", 2);
    expect(queue, 3, NULL); /* somebody is at it */
    done(queue, "a", 4);
    expect(queue, 4, "a"); /* once more, for what came meanwhile */
    done(queue, "a", 5);
    expect(queue, 5, NULL);
    done(queue, "a", 5);
    done(queue, "other", 5);
    assert_int_equal(sonde_kube_queue_numbers(queue, 9).adds, 2);
    assert_int_equal(sonde_kube_queue_numbers(queue, 9).working, 0);
    sonde_kube_queue_free(queue);
}

static void the_earliest_delay_counts(void **state)
{
    (void)state;
    struct sonde_kube_queue *queue = new_queue(10);
    const struct sonde_str a = SONDE_STR("a");
    assert_int_equal(sonde_kube_queue_add_after(queue, a, 100, 0, NULL), 0);
    assert_int_equal(sonde_kube_queue_add_after(queue, a, 40, 0, NULL), 0);
    assert_int_equal(sonde_kube_queue_add_after(queue, a, 70, 0, NULL), 0);
    assert_int_equal(sonde_kube_queue_add_after(queue, SONDE_STR("b"), INT64_MAX, 5, NULL), 0);
    assert_int_equal(sonde_kube_queue_next(queue, 0), 40);
    expect(queue, 39, NULL);
    expect(queue, 40, "a");
    assert_int_equal(sonde_kube_queue_add_after(queue, a, 5, 40, NULL), 0);
    expect(queue, 50, NULL); /* due, but still worked on */
    done(queue, "a", 60);
    expect(queue, 60, "a");
    done(queue, "a", 60);
    expect(queue, 200, NULL);
    assert_int_equal(sonde_kube_queue_add_after(queue, a, -1, 200, NULL), 0);
    expect(queue, 200, "a");
    sonde_kube_queue_free(queue);
}

static void each_failure_waits_twice_as_long(void **state)
{
    (void)state;
    struct sonde_kube_queue *queue = new_queue(10);
    const struct sonde_str a = SONDE_STR("a");
    int64_t now = 1000;
    int64_t expected = 5 * SONDE_MILLISECOND;
    add(queue, "a", now);
    for (int i = 0; i < 30; i++) {
        expect(queue, now, "a");
        assert_int_equal(sonde_kube_queue_retry(queue, a, now, NULL), 0);
        done(queue, "a", now);
        assert_int_equal(sonde_kube_queue_next(queue, now), now + expected);
        now += expected;
        expected = expected > 500 * SONDE_SECOND ? 1000 * SONDE_SECOND : expected * 2;
    }
    assert_int_equal(expected, 1000 * SONDE_SECOND);
    expect(queue, now, "a");
    sonde_kube_queue_forget(queue, a);
    assert_int_equal(sonde_kube_queue_retry(queue, a, now, NULL), 0);
    done(queue, "a", now);
    assert_int_equal(sonde_kube_queue_next(queue, now), now + 5 * SONDE_MILLISECOND);
    sonde_kube_queue_free(queue);
}

static void retries_of_all_have_a_rate(void **state)
{
    (void)state;
    struct sonde_kube_queue *queue = new_queue(1000);
    for (int i = 0; i < 150; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(sonde_kube_queue_retry(queue, sonde_str(key), 0, NULL), 0);
    }
    struct sonde_str key;
    int at_once = 0;
    while (sonde_kube_queue_take(queue, 6 * SONDE_MILLISECOND, &key)) {
        at_once++;
    }
    assert_int_equal(at_once, 100);
    int later = 0;
    while (sonde_kube_queue_take(queue, SONDE_SECOND, &key)) {
        later++;
    }
    assert_in_range(later, 9, 11);
    assert_int_equal(sonde_kube_queue_numbers(queue, 0).retries, 150);
    sonde_kube_queue_free(queue);
}

static void has_bounds(void **state)
{
    (void)state;
    struct sonde_kube_queue *queue = new_queue(2);
    char key[SONDE_KUBE_QUEUE_KEY_MAX + 1];
    memset(key, 'k', sizeof(key));
    struct sonde_err err = {0};
    assert_int_equal(sonde_kube_queue_add(queue, (struct sonde_str){key, sizeof(key)}, 0, &err),
                     SONDE_ELIMIT);
    add(queue, "a", 0);
    add(queue, "b", 0);
    assert_int_equal(sonde_kube_queue_add(queue, SONDE_STR("c"), 0, &err), SONDE_ELIMIT);
    expect(queue, 0, "a");
    assert_int_equal(sonde_kube_queue_add(queue, SONDE_STR("c"), 0, &err), SONDE_ELIMIT);
    done(queue, "a", 0);
    add(queue, "c", 0); /* what is done is forgotten */
    sonde_kube_queue_free(queue);
}

/* ---- against a model ---- */

enum { KEYS = 12, STEPS = 40000 };

struct model {
    bool ready, working, again;
    int64_t due; /* 0: none */
};

static void model_ready(struct model *m)
{
    m->again |= m->working;
    m->ready |= !m->working;
}

static void step_model(struct model *model, int64_t now)
{
    for (int i = 0; i < KEYS; i++) {
        if (model[i].due && model[i].due <= now) {
            model[i].due = 0;
            model_ready(&model[i]);
        }
    }
}

static void take_as_model(struct sonde_kube_queue *queue, struct model *model, int64_t now)
{
    struct sonde_str key;
    bool any = false;
    step_model(model, now);
    for (int i = 0; i < KEYS; i++) {
        any |= model[i].ready;
    }
    assert_int_equal(sonde_kube_queue_take(queue, now, &key), any);
    if (any) {
        struct model *m = &model[key.data[0] - 'a'];
        assert_true(m->ready);
        assert_false(m->working);
        m->ready = false;
        m->working = true;
    }
}

static void does_as_a_model_does(void **state)
{
    (void)state;
    uint64_t random = 99;
    struct model model[KEYS] = {{0}};
    struct sonde_kube_queue *queue = new_queue(KEYS);
    int64_t now = 1;
    print_message("seed %llu\n", (unsigned long long)random);
    for (int i = 0; i < STEPS; i++) {
        int at = (int)(sonde_random_next(&random) % KEYS);
        const char key[] = {(char)('a' + at), '\0'};
        struct model *m = &model[at];
        int64_t delay = (int64_t)(sonde_random_next(&random) % 50) + 1;
        now += (int64_t)(sonde_random_next(&random) % 3);
        switch (sonde_random_next(&random) % 5) {
        case 0:
            step_model(model, now);
            add(queue, key, now);
            model_ready(m);
            break;
        case 1:
            step_model(model, now);
            take_as_model(queue, model, now); /* what is due is due before something is added */
            assert_int_equal(sonde_kube_queue_add_after(queue, sonde_str(key), delay, now, NULL),
                             0);
            m->due = m->due && m->due < now + delay ? m->due : now + delay;
            break;
        case 2:
            step_model(model, now);
            done(queue, key, now);
            if (m->working) {
                m->working = false;
                m->ready |= m->again;
                m->again = false;
            }
            break;
        default:
            take_as_model(queue, model, now);
        }
    }
    sonde_kube_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_once_and_in_order),
        cmocka_unit_test(one_worker_for_a_key),
        cmocka_unit_test(the_earliest_delay_counts),
        cmocka_unit_test(each_failure_waits_twice_as_long),
        cmocka_unit_test(retries_of_all_have_a_rate),
        cmocka_unit_test(has_bounds),
        cmocka_unit_test(does_as_a_model_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
