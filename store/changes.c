/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller waits for: how far each target is. It asks once, and is answered when there
 * is news; one connection serves all runs. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "store/service.h"

/* A page ends with what makes it so large; of all targets, with the run. */
enum { CHANGES_MAX = 4096, POLLS_MAX = 16, PAGE_BYTES = 512 << 10 };

struct change {
    char uid[SONDE_UUID_SIZE];
    char target[SONDE_TARGET_NAME_MAX + 1]; /* "": how its load test gets on */
    enum sonde_target_phase phase;          /* the rest stands in the database */
};

struct poll {
    struct changes *changes;
    struct call *call;
    uint64_t since;
    struct sonde_timer *timer;
};

struct changes {
    struct service *service;
    char boot[9]; /* positions of another start mean nothing */
    struct change ring[CHANGES_MAX];
    uint64_t count; /* all that ever were: the next one's number */
    struct poll polls[POLLS_MAX];
};

int changes_new(struct service *service, struct changes **ret, struct sonde_err *err)
{
    struct changes *changes = calloc(1, sizeof(*changes));
    char uuid[SONDE_UUID_SIZE];
    if (!changes) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    sonde_random_uuid(uuid);
    (void)snprintf(changes->boot, sizeof(changes->boot), "%.8s", uuid);
    changes->service = service;
    *ret = changes;
    return 0;
}

void changes_free(struct changes *changes)
{
    for (size_t i = 0; changes && i < POLLS_MAX; i++) {
        sonde_timer_free(changes->polls[i].timer);
    }
    free(changes);
}

static int put_target(void *context, const struct sonde_target *target, struct sonde_err *err)
{
    struct sonde_buf *buf = context;
    const char *const texts[][2] = {{"uid", target->run_uid},
                                    {"namespace", target->namespace},
                                    {"name", target->run_name},
                                    {"target", target->name},
                                    {"phase", sonde_target_phase_name(target->phase)}};
    sonde_buf_text(buf, buf->data[buf->length - 1] == '[' ? "{" : ",{");
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        sonde_buf_printf(buf, "%s\"%s\":", i ? "," : "", texts[i][0]);
        sonde_buf_json_string(buf, sonde_str(texts[i][1]));
    }
    if (target->phase == SONDE_TARGET_DONE && target->result[0]) {
        sonde_buf_text(buf, ",\"result\":");
        sonde_buf_text(buf, target->result);
    }
    sonde_buf_char(buf, '}');
    return sonde_buf_check(buf, "the changes", err);
}

struct putting {
    struct sonde_buf *buf;
    enum sonde_target_phase phase;
};

/* As it was then: it may be further by now. */
static int put_earlier(void *context, const struct sonde_target *target, struct sonde_err *err)
{
    const struct putting *putting = context;
    struct sonde_target then = *target;
    then.phase = putting->phase;
    return put_target(putting->buf, &then, err);
}

struct putting_load {
    struct service *service;
    struct sonde_buf *buf;
};

/* How a load test gets on, by now. */
static int put_load(void *context, const struct sonde_run *run, struct sonde_err *err)
{
    const struct putting_load *putting = context;
    struct sonde_buf *buf = putting->buf;
    SONDE_BUF_AUTO load = SONDE_BUF(PAGE_BYTES);
    int r = loads_put_state(putting->service->loads, run->uid, &load, err);
    if (r < 0 || load.length == 0) {
        return r; /* it has ended meanwhile */
    }
    const char *const texts[][2] = {
        {"uid", run->uid}, {"namespace", run->namespace}, {"name", run->name}};
    sonde_buf_text(buf, buf->data[buf->length - 1] == '[' ? "{" : ",{");
    for (size_t i = 0; i < SONDE_LENGTH(texts); i++) {
        sonde_buf_printf(buf, "%s\"%s\":", i ? "," : "", texts[i][0]);
        sonde_buf_json_string(buf, sonde_str(texts[i][1]));
    }
    sonde_buf_str(buf, sonde_buf_view(&load));
    sonde_buf_char(buf, '}');
    return sonde_buf_check(buf, "the changes", err);
}

static int put_load_of(struct service *service, const char *uid, struct sonde_buf *buf,
                       struct sonde_err *err)
{
    struct putting_load putting = {service, buf};
    int r = sonde_db_run_get(service->db, uid, put_load, &putting, err);
    return r == SONDE_ENOTFOUND ? 0 : r;
}

/* A run that was deleted since has no news. */
static int put_change(struct service *service, const struct change *change, struct sonde_buf *buf,
                      struct sonde_err *err)
{
    struct putting putting = {buf, change->phase};
    if (!change->target[0]) {
        return put_load_of(service, change->uid, buf, err);
    }
    int r =
        sonde_db_target_get(service->db, change->uid, change->target, put_earlier, &putting, err);
    return r == SONDE_ENOTFOUND ? 0 : r;
}

static void answer(struct call *call, struct sonde_buf *text, int r, struct sonde_err *err)
{
    r = r < 0 ? r : sonde_buf_check(text, "the changes", err);
    if (r < 0) {
        call_fail_by(call, err);
    } else {
        call_answer(call, 200, sonde_buf_view(text));
    }
}

struct listing {
    struct sonde_buf *buf;
    char run[SONDE_UUID_SIZE]; /* of the last target */
    bool full;
};

static int list_target(void *context, const struct sonde_target *target, struct sonde_err *err)
{
    struct listing *listing = context;
    bool same = strcmp(listing->run, target->run_uid) == 0;
    if (listing->buf->length >= PAGE_BYTES && !same) {
        listing->full = true;
        return 1;
    }
    (void)snprintf(listing->run, sizeof(listing->run), "%s", target->run_uid);
    return put_target(listing->buf, target, err);
}

/* All that is not over yet: to one who has no position, or lost it. The changes since `since`, when
 * the first page was made, come after the last one. */
static void answer_all(struct changes *changes, struct call *call, uint64_t since,
                       const char *after)
{
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(STORE_ANSWER_MAX);
    struct listing listing = {.buf = &text};
    sonde_buf_text(&text, "{\"all\":true,\"changes\":[");
    int r = sonde_buf_check(&text, "the changes", &err);
    r = r < 0 ? r : sonde_db_targets_live(call->service->db, after, list_target, &listing, &err);
    /* At the end, as they are by now. */
    const struct loads *loads = call->service->loads;
    for (const char *uid = listing.full ? NULL : loads_next(loads, NULL); uid && r == 0;
         uid = loads_next(loads, uid)) {
        r = put_load_of(call->service, uid, &text, &err);
    }
    sonde_buf_printf(&text, "],\"next\":\"%s-%llu%s%s\"}\n", changes->boot,
                     (unsigned long long)since, listing.full ? "-" : "",
                     listing.full ? listing.run : "");
    answer(call, &text, r, &err);
}

static void answer_since(struct changes *changes, struct call *call, uint64_t since)
{
    struct sonde_err err;
    SONDE_BUF_AUTO text = SONDE_BUF(STORE_ANSWER_MAX);
    sonde_buf_text(&text, "{\"all\":false,\"changes\":[");
    int r = sonde_buf_check(&text, "the changes", &err);
    for (; since < changes->count && text.length < PAGE_BYTES && r == 0; since++) {
        r = put_change(call->service, &changes->ring[since % CHANGES_MAX], &text, &err);
    }
    sonde_buf_printf(&text, "],\"next\":\"%s-%llu\"}\n", changes->boot, (unsigned long long)since);
    answer(call, &text, r, &err);
}

static void end_poll(struct poll *poll)
{
    struct call *call = SONDE_TAKE(poll->call);
    sonde_timer_stop(poll->timer);
    if (call->exchange) {
        answer_since(poll->changes, call, poll->since);
    }
    call_release(call);
}

static void poll_waited(void *context)
{
    end_poll(context);
}

void changes_add(struct service *service, const char *uid, const char *target,
                 enum sonde_target_phase phase)
{
    struct changes *changes = service->changes;
    struct change *change = &changes->ring[changes->count % CHANGES_MAX];
    (void)snprintf(change->uid, sizeof(change->uid), "%s", uid);
    (void)snprintf(change->target, sizeof(change->target), "%s", target);
    change->phase = phase;
    changes->count++;
    for (size_t i = 0; i < POLLS_MAX; i++) {
        if (changes->polls[i].call) {
            end_poll(&changes->polls[i]);
        }
    }
}

void changes_end(struct changes *changes)
{
    for (size_t i = 0; i < POLLS_MAX; i++) {
        if (changes->polls[i].call) {
            end_poll(&changes->polls[i]);
        }
    }
}

/* "BOOT-NUMBER", or "BOOT-NUMBER-UID" within the pages of all targets; false when it is of another
 * start, or too long ago. */
static bool read_cursor(const struct changes *changes, const char *cursor, uint64_t *ret_since,
                        const char **ret_run)
{
    struct sonde_str rest = sonde_str(cursor);
    struct sonde_str boot = sonde_str_split(&rest, '-');
    struct sonde_str number = sonde_str_split(&rest, '-');
    *ret_run = rest.data; /* to the end of the text */
    return sonde_str_is(boot, changes->boot) && number.data &&
           sonde_parse_u64(number, 0, changes->count, ret_since) == 0 &&
           changes->count - *ret_since <= CHANGES_MAX;
}

static struct poll *free_poll(struct changes *changes)
{
    for (size_t i = 0; i < POLLS_MAX; i++) {
        struct poll *poll = &changes->polls[i];
        if (poll->call && !poll->call->exchange) {
            end_poll(poll); /* the peer has gone */
        }
        if (!poll->call) {
            poll->changes = changes;
            return poll;
        }
    }
    return NULL;
}

void changes_answer(struct call *call)
{
    struct sonde_err err;
    struct changes *changes = call->service->changes;
    const char *cursor = sonde_exchange_query(call->exchange, "since");
    const char *wait = sonde_exchange_query(call->exchange, "wait");
    int64_t seconds = 0;
    uint64_t since = 0;
    if (wait && sonde_parse_i64(sonde_str(wait), 0, STORE_WAIT_SECONDS_MAX, &seconds) < 0) {
        call_fail(call, 400, "Invalid", "wait is a number of seconds, at most 55");
        return;
    }
    const char *run = NULL;
    bool known = cursor && read_cursor(changes, cursor, &since, &run);
    if (!known || run) {
        answer_all(changes, call, known ? since : changes->count, known ? run : "");
        return;
    }
    if (since < changes->count || seconds == 0 || call->service->stopping) {
        answer_since(changes, call, since);
        return;
    }
    struct poll *poll = free_poll(changes);
    if (!poll || (!poll->timer && sonde_timer_new(call->service->loop, poll_waited, poll,
                                                  &poll->timer, &err) < 0)) {
        call_fail(call, 503, "Busy", "too many wait for changes");
        return;
    }
    poll->call = call;
    poll->since = since;
    call_keep(call);
    sonde_timer_start(poll->timer, seconds * SONDE_SECOND, 0);
}
