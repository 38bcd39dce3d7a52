/* SPDX-License-Identifier: Apache-2.0 */
/* `watch`: how a run in a cluster gets on, until it has ended. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/apply.h"
#include "cli/find.h"
#include "cli/follow.h"
#include "codec/json.h"
#include "load/board.h"
#include "spec/reason.h"

#define PAUSE_NS SONDE_SECOND
enum { PATH_SIZE = 128, WAIT_SECONDS = 10, COLUMNS = 80, LINES = 24 };
static const char phase_running[] = "Running";

struct watching {
    struct cluster *cluster;
    struct following following;
    struct sonde_load_board *board;
    struct sonde_buf title; /* "NAMESPACE/NAME" */
    int64_t timeout_ns;
    bool json, terminal;
    unsigned drawn; /* lines of the board that stand on the terminal */
    uint64_t said;  /* of the board's seconds */
    bool silent;    /* the store does not answer: it was said */
    bool paused;    /* until the timer */
};

/* ---- what is shown ---- */

static void clear(struct watching *w)
{
    if (w->drawn) {
        (void)printf("\033[%uA\r\033[J", w->drawn);
        w->drawn = 0;
    }
}

static void draw(struct watching *w)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    unsigned lines = 0;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_BOARD_MAX);
    sonde_load_board_draw(w->board, w->title.data, known ? size.ws_col : COLUMNS,
                          known ? size.ws_row : LINES, &text, &lines);
    if (text.code == 0) {
        clear(w);
        (void)fputs(text.data, stdout);
        (void)fflush(stdout);
        w->drawn = lines;
    }
}

/* Those that are new, each in a line. */
static void print_seconds(struct watching *w)
{
    const struct sonde_load_board *board = w->board;
    SONDE_BUF_AUTO text = SONDE_BUF(SONDE_LOAD_BOARD_MAX);
    uint64_t news = board->count - w->said;
    uint64_t from =
        board->count - (news < SONDE_LOAD_BOARD_SECONDS ? news : SONDE_LOAD_BOARD_SECONDS);
    for (uint64_t i = from; i < board->count; i++) {
        sonde_load_board_line(board, sonde_load_board_at(board, i), &text);
    }
    if (text.length) {
        (void)fputs(text.data, stdout);
        (void)fflush(stdout);
    }
}

/* What becomes of its conditions stands above the board. */
static void say_line(void *context, const char *line)
{
    struct watching *w = context;
    clear(w);
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s\n", line);
    if (w->terminal && w->board->phase[0]) {
        draw(w);
    }
}

static void show(struct watching *w, const struct sonde_buf *answer)
{
    if (w->json) {
        struct sonde_str line = sonde_str_trim(sonde_buf_view(answer));
        (void)printf("%.*s\n", SONDE_STR_ARG(line));
        (void)fflush(stdout);
    } else if (w->terminal) {
        draw(w);
    } else {
        print_seconds(w);
    }
    w->said = w->board->count;
}

/* ---- what the store says ---- */

static int ask(struct watching *w, struct sonde_buf *answer, struct sonde_err *err)
{
    char path[PATH_SIZE];
    char since[24];
    char wait[24];
    const struct following *f = &w->following;
    /* The store answers as soon as there is a second; that one more runner is ready is no such. */
    bool running = strcmp(w->board->phase, phase_running) == 0;
    (void)snprintf(path, sizeof(path), "runs/%.63s/live", f->uid);
    (void)snprintf(since, sizeof(since), "%lld", (long long)w->board->next);
    (void)snprintf(wait, sizeof(wait), "%d", running ? WAIT_SECONDS : 1);
    const char *const query[] = {"namespace", f->namespace, "since", since, "wait", wait, NULL};
    return cluster_ask_store(w->cluster, "GET", path, query, answer, err);
}

static void end_pause(void *context)
{
    struct watching *w = context;
    w->paused = false;
    sonde_loop_stop(w->cluster->loop);
}

static void pause_until(struct watching *w, struct sonde_timer *timer, int64_t until_ns)
{
    int64_t left_ns = until_ns - sonde_clock_monotonic();
    w->paused = left_ns > 0;
    if (w->paused) {
        sonde_timer_start(timer, left_ns, 0);
    }
    while (w->paused && !w->following.over) {
        sonde_loop_run(w->cluster->loop);
    }
    sonde_timer_stop(timer);
}

/* Whether an answer that did not come may yet. A test that has not begun, or no longer is under
 * way, has nothing to be told; a store that is away comes back. */
static bool may_come(struct watching *w, const struct sonde_err *err)
{
    char line[SONDE_ERR_MESSAGE_MAX];
    bool away =
        err->code == SONDE_EBUSY || err->code == SONDE_ENETWORK || err->code == SONDE_ETIMEOUT;
    if (err->code == SONDE_ENOTFOUND || err->code == SONDE_ECANCELLED) {
        return true;
    }
    if (!w->silent) {
        (void)snprintf(line, sizeof(line), "%.400s%s", err->message,
                       away ? ": asked again each second" : ": only its conditions are shown");
        say_line(w, line);
        w->silent = true;
    }
    return away;
}

/* One answer. False: there will be none. */
static bool look(struct watching *w, struct sonde_err *err)
{
    SONDE_BUF_AUTO answer = SONDE_BUF(SONDE_LOAD_BOARD_ANSWER_MAX);
    int r = ask(w, &answer, err);
    r = r < 0 ? r : sonde_load_board_take(w->board, sonde_buf_view(&answer), err);
    if (r < 0) {
        return may_come(w, err);
    }
    w->silent = false;
    show(w, &answer);
    return true;
}

static int watch_load(struct watching *w, struct sonde_err *err)
{
    struct sonde_timer *timer = NULL;
    struct following *f = &w->following;
    bool told = true;
    int r = sonde_timer_new(w->cluster->loop, end_pause, w, &timer, err);
    r = r < 0 ? r : follow_begin(f, err);
    while (r == 0 && !f->over) {
        int64_t asked_ns = sonde_clock_monotonic();
        uint64_t before = w->said;
        told = told && look(w, err);
        if (!told && !f->over) {
            sonde_loop_run(w->cluster->loop);
        } else if (w->said == before) {
            pause_until(w, timer, asked_ns + PAUSE_NS);
        }
    }
    follow_end(f);
    sonde_timer_free(timer);
    if (r == 0 && f->failure.code) {
        *err = f->failure;
        r = err->code;
    }
    return r;
}

/* ---- all of it ---- */

/* A run whose object is gone is over; the store knows how it ended. */
static void take_row(struct following *f, const cJSON *row)
{
    const char *state = sonde_json_string_or(row, "state", "");
    f->over = true;
    f->ended = strcmp(state, "Pending") != 0 && strcmp(state, "Running") != 0;
    f->gone = !f->ended;
    f->succeeded = strcmp(state, "Succeeded") == 0;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", sonde_json_string_or(row, "reason", ""));
    (void)snprintf(f->message, sizeof(f->message), "%s", sonde_json_string_or(row, "message", ""));
}

static int say_end(const struct watching *w)
{
    const struct following *f = &w->following;
    if (f->ended && f->succeeded && !w->json) {
        (void)printf("%s succeeded; kubectl sonde report %s -n %s says what was found\n", f->name,
                     f->name, f->namespace);
    }
    (void)fflush(stdout);
    return follow_say_end(f);
}

static int watch(struct watching *w, const struct found *found, struct sonde_err *err)
{
    struct following *f = &w->following;
    w->board = calloc(1, sizeof(*w->board));
    sonde_buf_printf(&w->title, "%s/%s", found->namespace, found->name);
    int r = w->board ? sonde_buf_check(&w->title, "a name", err)
                     : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory for a test");
    *f = (struct following){.cluster = w->cluster,
                            .kind = found->kind,
                            .namespace = found->namespace,
                            .name = found->name,
                            .uid = found->uid,
                            .timeout_ns = w->timeout_ns,
                            .say = say_line,
                            .context = w};
    if (r == 0 && found->object) {
        r = found->kind == &sonde_kind_load_test ? watch_load(w, err) : follow(f, err);
    } else if (r == 0) {
        take_row(f, found->row);
    }
    free(SONDE_TAKE(w->board));
    sonde_buf_fini(&w->title);
    return r;
}

int cluster_watch(struct cli_call *call)
{
    struct sonde_err err;
    struct applying applying;
    struct found found = {0};
    struct watching watching = {.cluster = &applying.cluster,
                                .timeout_ns = call->settings.timeout_ns,
                                .title = SONDE_BUF(1024),
                                .json = call->settings.output == CLI_OUTPUT_JSON};
    watching.terminal = !watching.json && isatty(STDOUT_FILENO) == 1;
    int r = apply_open(&call->settings, &applying, &err);
    r = r < 0 ? r : find_run(&applying.cluster, call->arguments.positional[0], &found, &err);
    r = r < 0 ? r : watch(&watching, &found, &err);
    int code = r < 0 ? cli_say_error(&err) : say_end(&watching);
    found_fini(&found);
    apply_close(&applying);
    return code;
}
