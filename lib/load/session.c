/* SPDX-License-Identifier: Apache-2.0 */
#include "load/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"

enum { TRIES = 64 }; /* of drawing a step that can be sent */

/* ---- players ---- */

int sonde_load_player_init(struct sonde_load_player *player,
                           const struct sonde_load_scenario *scenario, uint64_t part,
                           uint64_t parts, uint64_t seed, struct sonde_err *err)
{
    *player = (struct sonde_load_player){.scenario = scenario, .random = seed};
    player->draws = calloc(scenario->drawing_count + 1, sizeof(*player->draws));
    player->rows = calloc(scenario->drawing_count + 1, sizeof(*player->rows));
    player->matcher = scenario->pattern_count ? sonde_load_matcher_new() : NULL;
    if (!player->draws || !player->rows || (scenario->pattern_count && !player->matcher)) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a scenario");
    }
    for (size_t i = 0; i < scenario->drawing_count; i++) {
        const struct sonde_load_drawing *own = &scenario->drawings[i];
        sonde_load_draw_init(&player->draws[i], own->count, own->in_turn, part, parts,
                             sonde_random_next(&player->random));
    }
    return 0;
}

void sonde_load_player_fini(struct sonde_load_player *player)
{
    if (player) {
        free(SONDE_TAKE(player->draws));
        free(SONDE_TAKE(player->rows));
        sonde_load_matcher_free(SONDE_TAKE(player->matcher));
    }
}

/* ---- sessions ---- */

int sonde_load_session_init(struct sonde_load_session *session,
                            const struct sonde_load_scenario *scenario, struct sonde_err *err)
{
    *session = (struct sonde_load_session){.scenario = scenario,
                                           .path = SONDE_BUF(SONDE_LOAD_MESSAGE_MAX)};
    session->values = calloc(scenario->variable_count + 1, sizeof(*session->values));
    session->numbers = calloc(scenario->range_count + 1, sizeof(*session->numbers));
    session->texts = calloc(scenario->set_count + 1, sizeof(*session->texts));
    session->is_set = calloc(scenario->set_count + 1, sizeof(*session->is_set));
    if (!session->values || !session->numbers || !session->texts || !session->is_set) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a session");
    }
    for (size_t i = 0; i < scenario->set_count; i++) {
        session->texts[i] = SONDE_BUF(SONDE_LOAD_VALUE_MAX);
    }
    return 0;
}

void sonde_load_session_fini(struct sonde_load_session *session)
{
    if (session && session->scenario) {
        for (size_t i = 0; session->texts && i < session->scenario->set_count; i++) {
            sonde_buf_fini(&session->texts[i]);
        }
        free(SONDE_TAKE(session->values));
        free(SONDE_TAKE(session->numbers));
        free(SONDE_TAKE(session->texts));
        free(SONDE_TAKE(session->is_set));
        sonde_buf_fini(&session->path);
        sonde_cookies_fini(&session->jar);
    }
}

/* A new person comes. */
static void begin_pass(struct sonde_load_session *session)
{
    const struct sonde_load_scenario *s = session->scenario;
    for (size_t i = 0; i < s->set_count; i++) {
        sonde_buf_clear(&session->texts[i]);
        session->is_set[i] = false;
    }
    for (size_t i = 0; i < s->variable_count; i++) {
        if (s->variables[i].kind == SONDE_LOAD_SET) {
            session->values[i] = (struct sonde_str){0};
        }
    }
    sonde_cookies_clear(&session->jar);
}

/* ---- which step is next ---- */

static bool has_its_needs(const struct sonde_load_session *session, size_t step)
{
    const struct sonde_load_places_list *needs = &session->scenario->steps[step].needs;
    for (size_t i = 0; i < needs->count; i++) {
        if (!session->is_set[session->scenario->variables[needs->items[i]].place]) {
            return false;
        }
    }
    return true;
}

static uint64_t draw_below(struct sonde_load_player *player, uint64_t count)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)sonde_random_next(&player->random) * count >> 64);
}

static size_t draw_step(struct sonde_load_player *player)
{
    const struct sonde_load_scenario *s = player->scenario;
    size_t column = draw_below(player, s->step_count);
    return draw_below(player, s->weights) < s->cut[column] ? column : s->alias[column];
}

static size_t turn_step(struct sonde_load_player *player)
{
    size_t step = player->turn;
    player->turn = step + 1 == player->scenario->step_count ? 0 : step + 1;
    return step;
}

/* One whose variables answers have set. There is always one that needs none. */
static size_t choose_step(const struct sonde_load_session *session,
                          struct sonde_load_player *player)
{
    const struct sonde_load_scenario *s = session->scenario;
    bool drawn = s->order == SONDE_LOAD_WEIGHTED;
    size_t most = drawn ? TRIES : s->step_count;
    for (size_t i = 0; i < most; i++) {
        size_t step = drawn ? draw_step(player) : turn_step(player);
        if (has_its_needs(session, step)) {
            return step;
        }
    }
    size_t step = 0;
    while (!has_its_needs(session, step)) {
        step++;
    }
    return step;
}

/* ---- values ---- */

static struct sonde_str value_at(struct sonde_load_session *session,
                                 const struct sonde_load_variable *variable, uint64_t row)
{
    switch (variable->kind) {
    case SONDE_LOAD_RANGE: {
        char *digits = session->numbers[variable->place];
        int length =
            snprintf(digits, SONDE_LOAD_NUMBER_SIZE, "%" PRId64, variable->first + (int64_t)row);
        return (struct sonde_str){digits, (size_t)length};
    }
    case SONDE_LOAD_LIST:
        return variable->values[row];
    case SONDE_LOAD_TABLE:
        return sonde_load_table_at(&session->scenario->tables[variable->table], row,
                                   variable->column);
    case SONDE_LOAD_SET:
        break;
    }
    return (struct sonde_str){0};
}

static void draw_values(struct sonde_load_session *session, struct sonde_load_player *player,
                        const struct sonde_load_places_list *draws,
                        const struct sonde_load_places_list *variables)
{
    for (size_t i = 0; i < draws->count; i++) {
        unsigned at = draws->items[i];
        player->rows[at] = sonde_load_draw_next(&player->draws[at]);
    }
    for (size_t i = 0; i < variables->count; i++) {
        const struct sonde_load_variable *v = &session->scenario->variables[variables->items[i]];
        session->values[variables->items[i]] = value_at(session, v, player->rows[v->draw]);
    }
}

static struct sonde_cookie_place place_of(const struct sonde_load_session *session)
{
    return (struct sonde_cookie_place){.host = session->scenario->host,
                                       .path = sonde_buf_view(&session->path),
                                       .tls = session->scenario->tls};
}

static void write_cookies(struct sonde_load_session *session, size_t step, int64_t now)
{
    const struct sonde_load_scenario *s = session->scenario;
    struct sonde_buf *text = &session->texts[s->variables[s->cookie].place];
    sonde_buf_clear(&session->path);
    sonde_load_template_fill(&s->requests[step].path, session->values, "", &session->path);
    struct sonde_cookie_place place = place_of(session);
    sonde_buf_clear(text);
    sonde_cookies_print(&session->jar, &place, now, text);
    session->values[s->cookie] = sonde_buf_view(text);
}

size_t sonde_load_session_next(struct sonde_load_session *session, struct sonde_load_player *player,
                               int64_t now)
{
    const struct sonde_load_scenario *s = session->scenario;
    bool sequence = s->order == SONDE_LOAD_SEQUENCE;
    size_t step = sequence ? session->position : choose_step(session, player);
    if (sequence && step == 0) {
        begin_pass(session);
    }
    if (!sequence || step == 0) {
        draw_values(session, player, &s->draws, &s->variables_of_all);
    }
    draw_values(session, player, &s->steps[step].draws, &s->steps[step].variables);
    if (s->cookies) {
        write_cookies(session, step, now);
    }
    return step;
}

/* ---- answers ---- */

void sonde_load_session_field(struct sonde_load_session *session, struct sonde_str name,
                              struct sonde_str value, int64_t now)
{
    static const char set_cookie[] = "set-cookie";
    if (session->scenario->cookies && name.length == sizeof(set_cookie) - 1 &&
        strncasecmp(name.data, set_cookie, name.length) == 0) {
        struct sonde_cookie_place place = place_of(session);
        (void)!sonde_cookies_set(&session->jar, &place, value, now, NULL);
    }
}

static bool breaks_line(struct sonde_str text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0') {
            return true;
        }
    }
    return false;
}

/* False: the answer does not have it, or it cannot stand where it is used. */
static bool set_value(struct sonde_load_session *session, struct sonde_load_player *player,
                      const struct sonde_load_answer *answer, size_t extraction)
{
    const struct sonde_load_scenario *s = session->scenario;
    unsigned at = answer->look->extractions[extraction].variable;
    const struct sonde_load_variable *variable = &s->variables[at];
    struct sonde_buf *text = &session->texts[variable->place];
    sonde_buf_clear(text);
    int r = sonde_load_answer_value(answer, extraction, player->matcher, text, NULL);
    bool found = r == 0 && !(variable->one_line && breaks_line(sonde_buf_view(text)));
    if (!found) {
        sonde_buf_clear(text);
    }
    session->values[at] = found ? sonde_buf_view(text) : (struct sonde_str){0};
    session->is_set[variable->place] = found;
    return found;
}

unsigned sonde_load_session_take(struct sonde_load_session *session,
                                 struct sonde_load_player *player, size_t step,
                                 const struct sonde_load_answer *answer, int status)
{
    const struct sonde_load_scenario *s = session->scenario;
    const struct sonde_load_step *own = &s->steps[step];
    bool right = answer ? sonde_load_answer_is_right(answer, status, player->matcher)
                        : sonde_load_status_is_right(&own->look, status);
    bool set = true;
    for (size_t i = 0; answer && i < own->look.extraction_count; i++) {
        set = set_value(session, player, answer, i) && set;
    }
    unsigned ret = right && set ? 0 : SONDE_LOAD_WRONG;
    ret |= ret && own->expects ? SONDE_LOAD_MISMATCH : 0;
    if (s->order == SONDE_LOAD_SEQUENCE) {
        bool again = !set && s->step_count > 1;
        session->position = again || step + 1 == s->step_count ? 0 : step + 1;
        ret |= again ? SONDE_LOAD_AGAIN : 0;
    }
    return ret;
}

unsigned sonde_load_session_fail(struct sonde_load_session *session)
{
    unsigned again = session->position ? SONDE_LOAD_AGAIN : 0;
    session->position = 0;
    return again;
}
