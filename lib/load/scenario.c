/* SPDX-License-Identifier: Apache-2.0 */
#include "load/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "load/scenario_build.h"

/* ---- requests ---- */

static bool has_field(const struct sonde_pair *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(fields[i].key, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The request's own fields, and those of the scenario and of its surroundings that it lacks. */
static int collect_fields(struct builder *b, struct step_plan *plan)
{
    const struct sonde_load_ask own = plan->ask;
    size_t spec_count = b->spec ? b->spec->headers.count : 0;
    size_t most = own.field_count + spec_count + b->around->header_count + 1;
    struct sonde_pair *fields = builder_allocate(b, most, sizeof(*fields));
    size_t count = own.field_count;
    if (!fields) {
        return builder_no_memory(b);
    }
    for (size_t i = 0; i < count; i++) {
        fields[i] = own.fields[i];
    }
    for (size_t i = 0; i < spec_count; i++) {
        if (!has_field(fields, count, b->spec->headers.items[i].key)) {
            fields[count++] = b->spec->headers.items[i];
        }
    }
    for (size_t i = 0; i < b->around->header_count; i++) {
        if (!has_field(fields, count, b->around->headers[i].key)) {
            fields[count++] = b->around->headers[i];
        }
    }
    if (b->ret->cookies && !has_field(fields, count, "cookie")) {
        fields[count++] = (struct sonde_pair){"Cookie", "{{" SCENARIO_COOKIE "}}"};
    }
    plan->ask.fields = fields;
    plan->ask.field_count = count;
    return 0;
}

/* The variables that a request sees: its own, and others whose names it has not. */
static void choose_names(const struct sonde_load_scenario *s, int step, const char **names)
{
    for (size_t i = 0; i < s->variable_count; i++) {
        const struct sonde_load_variable *variable = &s->variables[i];
        bool seen = variable->step == step || variable->step == SONDE_LOAD_ALL_STEPS;
        names[i] = seen ? variable->name : NULL; /* the first of a name counts: its own */
    }
}

/* Notes the variables of a text in `used`. */
static void note_uses(const struct sonde_load_template *template, bool *used)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct sonde_load_part *part = &template->parts[i];
        if (part->kind == SONDE_LOAD_VARIABLE || part->kind == SONDE_LOAD_ENCODED) {
            used[part->variable] = true;
        }
    }
}

static int note_needs(struct builder *b, size_t at)
{
    struct sonde_load_scenario *s = b->ret;
    const struct sonde_load_request *request = &s->requests[at];
    struct sonde_load_step *step = &s->steps[at];
    bool used[SONDE_LOAD_VARIABLES_MAX] = {false};
    for (size_t i = 0; i < request->field_count; i++) {
        note_uses(&request->fields[i].value, used);
    }
    for (size_t i = 0; i < s->variable_count; i++) {
        s->variables[i].one_line = s->variables[i].one_line || used[i];
    }
    note_uses(&request->path, used);
    note_uses(&request->body, used);
    step->needs.items = builder_allocate(b, s->set_count, sizeof(*step->needs.items));
    if (!step->needs.items) {
        return builder_no_memory(b);
    }
    for (unsigned i = 0; i < s->variable_count; i++) {
        bool is_cookie = s->cookies && i == s->cookie;
        if (used[i] && s->variables[i].kind == SONDE_LOAD_SET && !is_cookie) {
            step->needs.items[step->needs.count++] = i;
        }
    }
    return 0;
}

static int make_request(struct builder *b, size_t at)
{
    struct sonde_load_scenario *s = b->ret;
    struct step_plan *plan = &b->plans[at];
    const char *names[SONDE_LOAD_VARIABLES_MAX];
    choose_names(s, (int)at, names);
    const struct sonde_load_places places = {
        .names = names, .count = s->variable_count, .ids = b->around->ids};
    struct sonde_load_request *request = &s->requests[at];
    int r = collect_fields(b, plan);
    r = r < 0 ? r
              : sonde_load_request_make(&plan->ask, b->around->url, &places, &s->arena, request,
                                        b->err);
    for (size_t i = 0; i < request->field_count && r == 0 && s->cookies; i++) {
        const struct sonde_load_template *value = &request->fields[i].value;
        request->fields[i].optional = value->count == 1 &&
                                      value->parts[0].kind == SONDE_LOAD_VARIABLE &&
                                      value->parts[0].variable == s->cookie;
    }
    return r < 0 ? r : note_needs(b, at);
}

/* ---- what answers must be ---- */

static int new_pattern(struct builder *b, const char *text, struct sonde_load_pattern **ret)
{
    struct sonde_load_scenario *s = b->ret;
    int r = sonde_load_pattern_new(sonde_str(text), ret, b->err);
    if (r == 0) {
        s->patterns[s->pattern_count++] = *ret;
    }
    return r;
}

/* No text stays none. */
static int copy_text(struct builder *b, struct sonde_str text, struct sonde_str *ret)
{
    *ret = text.data ? sonde_arena_copy(&b->ret->arena, text) : (struct sonde_str){0};
    return !text.data || ret->data ? 0 : builder_no_memory(b);
}

static int copy_pairs(struct builder *b, const struct sonde_pair *items, size_t count,
                      const struct sonde_pair **ret)
{
    struct sonde_pair *pairs = builder_allocate(b, count, sizeof(*pairs));
    for (size_t i = 0; pairs && i < count; i++) {
        pairs[i] =
            (struct sonde_pair){builder_copy(b, items[i].key), builder_copy(b, items[i].value)};
        if (!pairs[i].key || !pairs[i].value) {
            pairs = NULL;
        }
    }
    *ret = pairs;
    return pairs ? 0 : builder_no_memory(b);
}

static int make_expectation(struct builder *b, const struct sonde_expectation *spec,
                            struct sonde_load_look *look)
{
    struct sonde_load_pattern *pattern = NULL;
    look->status = spec->status == SONDE_SPEC_ABSENT ? 0 : (int)spec->status;
    look->header_count = spec->headers.count;
    int r = copy_pairs(b, spec->headers.items, spec->headers.count, &look->headers);
    r = r < 0 ? r : copy_text(b, sonde_str(spec->body_equals), &look->equals);
    r = r < 0 ? r : copy_text(b, sonde_str(spec->body_contains), &look->contains);
    r = r < 0 || !spec->body_matches ? r : new_pattern(b, spec->body_matches, &pattern);
    look->matches = pattern;
    return r;
}

static int make_extraction(struct builder *b, const struct sonde_extraction *spec,
                           struct sonde_load_extraction *ret)
{
    struct sonde_load_scenario *s = b->ret;
    ret->variable = (unsigned)(builder_find_set(s, spec->name) - s->variables);
    if (spec->pointer) {
        ret->source = SONDE_LOAD_POINTER;
        ret->pointer = builder_allocate(b, 1, sizeof(*ret->pointer));
        return ret->pointer ? sonde_load_pointer_parse(sonde_str(spec->pointer), &s->arena,
                                                       ret->pointer, b->err)
                            : builder_no_memory(b);
    }
    if (spec->regex) {
        ret->source = SONDE_LOAD_PATTERN;
        return new_pattern(b, spec->regex, &ret->pattern);
    }
    ret->source = spec->header ? SONDE_LOAD_HEADER : SONDE_LOAD_COOKIE;
    return copy_text(b, sonde_str(spec->header ? spec->header : spec->cookie), &ret->name);
}

static int make_look(struct builder *b, const struct sonde_request *spec,
                     struct sonde_load_step *step)
{
    struct sonde_load_look *look = &step->look;
    step->expects = spec->expect || spec->extract.count;
    look->extractions = builder_allocate(b, spec->extract.count, sizeof(*look->extractions));
    if (!look->extractions) {
        return builder_no_memory(b);
    }
    int r = spec->expect ? make_expectation(b, spec->expect, look) : 0;
    for (size_t i = 0; i < spec->extract.count && r == 0; i++) {
        r = make_extraction(b, &spec->extract.items[i], &look->extractions[i]);
        look->extraction_count++;
    }
    sonde_load_look_at(look);
    return r;
}

/* ---- steps ---- */

static int name_step(struct builder *b, struct sonde_load_step *step, const char *name)
{
    struct sonde_load_scenario *s = b->ret;
    size_t at = 0;
    while (at < s->name_count && strcmp(s->names[at], name) != 0) {
        at++;
    }
    /* Beyond the bound results do not tell them apart. */
    at = at == SONDE_LOAD_NAMES_MAX ? SONDE_LOAD_NAMES_MAX - 1 : at;
    const char *own = at == SONDE_LOAD_NAMES_MAX - 1 ? "others" : name;
    if (at == s->name_count) {
        own = builder_copy(b, own);
        if (!own) {
            return builder_no_memory(b);
        }
        s->names[s->name_count++] = own;
    }
    step->name = s->names[at];
    step->tally = (unsigned)at;
    return 0;
}

static int make_step(struct builder *b, size_t at)
{
    struct sonde_load_scenario *s = b->ret;
    struct sonde_load_step *step = &s->steps[at];
    const struct sonde_request *spec = b->plans[at].spec;
    step->weight = spec ? (uint32_t)spec->weight : 1;
    step->think_ns = spec ? spec->think_ms * SONDE_MILLISECOND : 0;
    int r = name_step(b, step, b->plans[at].name);
    r = r < 0 ? r : make_request(b, at);
    r = r < 0 || !spec ? r : make_look(b, spec, step);
    return r < 0 ? sonde_err_wrap(b->err, r, "the request %s", b->plans[at].name) : 0;
}

static int make_steps(struct builder *b)
{
    struct sonde_load_scenario *s = b->ret;
    size_t patterns = 1;
    for (size_t i = 0; b->spec && i < b->spec->requests.count; i++) {
        patterns += 1 + b->spec->requests.items[i].extract.count;
    }
    s->steps = builder_allocate(b, s->step_count, sizeof(*s->steps));
    s->requests = builder_allocate(b, s->step_count, sizeof(*s->requests));
    s->names = builder_allocate(b, SONDE_LOAD_NAMES_MAX, sizeof(*s->names));
    s->patterns = builder_allocate(b, patterns, sizeof(struct sonde_load_pattern *));
    if (!s->steps || !s->requests || !s->names || !s->patterns) {
        return builder_no_memory(b);
    }
    int r = 0;
    for (size_t i = 0; i < s->step_count && r == 0; i++) {
        r = make_step(b, i);
    }
    return r;
}

/* ---- what follows ---- */

static int list_of_step(struct builder *b, int step, struct sonde_load_places_list *draws,
                        struct sonde_load_places_list *variables)
{
    const struct sonde_load_scenario *s = b->ret;
    draws->items = builder_allocate(b, s->drawing_count, sizeof(*draws->items));
    variables->items = builder_allocate(b, s->variable_count, sizeof(*variables->items));
    if (!draws->items || !variables->items) {
        return builder_no_memory(b);
    }
    for (unsigned i = 0; i < s->drawing_count; i++) {
        if (s->drawings[i].step == step) {
            draws->items[draws->count++] = i;
        }
    }
    for (unsigned i = 0; i < s->variable_count; i++) {
        if (s->variables[i].step == step && s->variables[i].kind != SONDE_LOAD_SET) {
            variables->items[variables->count++] = i;
        }
    }
    return 0;
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

/* Values that stand in headers, as far as they are known. */
static int check_values(struct builder *b)
{
    const struct sonde_load_scenario *s = b->ret;
    for (size_t i = 0; i < s->variable_count; i++) {
        const struct sonde_load_variable *v = &s->variables[i];
        bool known = v->kind == SONDE_LOAD_LIST || v->kind == SONDE_LOAD_TABLE;
        uint64_t count = known && v->one_line ? s->drawings[v->draw].count : 0;
        for (uint64_t row = 0; row < count; row++) {
            struct sonde_str value =
                v->kind == SONDE_LOAD_LIST
                    ? v->values[row]
                    : sonde_load_table_at(&s->tables[v->table], row, v->column);
            if (breaks_line(value)) {
                return sonde_fail(b->err, SONDE_EINVALID, 0,
                                  "the variable %s stands in a header, and its value %llu has "
                                  "several lines",
                                  v->name, (unsigned long long)row + 1);
            }
        }
    }
    return 0;
}

static bool is_extracted_before(const struct sonde_load_scenario *s, size_t step, unsigned variable)
{
    for (size_t i = 0; i < step; i++) {
        for (size_t j = 0; j < s->steps[i].look.extraction_count; j++) {
            if (s->steps[i].look.extractions[j].variable == variable) {
                return true;
            }
        }
    }
    return false;
}

/* The first variable that a step needs and no answer has set; NULL: there is none. */
static const struct sonde_load_variable *find_unset(const struct sonde_load_scenario *s,
                                                    size_t step, const bool *set)
{
    const struct sonde_load_places_list *needs = &s->steps[step].needs;
    for (size_t i = 0; i < needs->count; i++) {
        if (!set[needs->items[i]]) {
            return &s->variables[needs->items[i]];
        }
    }
    return NULL;
}

/* Each request of a weighted scenario must be sent some time: those that need nothing are, then
 * those that need what these extract, and so on. */
static int check_reach(struct builder *b)
{
    const struct sonde_load_scenario *s = b->ret;
    bool set[SONDE_LOAD_VARIABLES_MAX] = {false};
    bool *sent = builder_allocate(b, s->step_count, sizeof(*sent));
    if (!sent) {
        return builder_no_memory(b);
    }
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < s->step_count; i++) {
            const struct sonde_load_look *look = &s->steps[i].look;
            if (sent[i] || find_unset(s, i, set)) {
                continue;
            }
            sent[i] = more = true;
            for (size_t j = 0; j < look->extraction_count; j++) {
                set[look->extractions[j].variable] = true;
            }
        }
    }
    for (size_t i = 0; i < s->step_count; i++) {
        if (!sent[i]) {
            return sonde_fail(b->err, SONDE_EINVALID, 0,
                              "the request %s would never be sent: it needs {{%s}}, which no "
                              "request extracts that can be sent before it",
                              s->steps[i].name, find_unset(s, i, set)->name);
        }
    }
    return 0;
}

/* Some request must be the first. */
static int check_needs(struct builder *b)
{
    const struct sonde_load_scenario *s = b->ret;
    bool any = false;
    for (size_t i = 0; i < s->step_count; i++) {
        const struct sonde_load_places_list *needs = &s->steps[i].needs;
        any = any || needs->count == 0;
        for (size_t j = 0; j < needs->count && s->order == SONDE_LOAD_SEQUENCE; j++) {
            if (!is_extracted_before(s, i, needs->items[j])) {
                return sonde_fail(b->err, SONDE_EINVALID, 0,
                                  "the request %s needs {{%s}}, which no request before it "
                                  "extracts: put the one that does first",
                                  s->steps[i].name, s->variables[needs->items[j]].name);
            }
        }
    }
    return any ? check_reach(b)
               : sonde_fail(b->err, SONDE_EINVALID, 0,
                            "each request needs a variable that another one extracts: none can be "
                            "the first");
}

/* Vose: "A linear algorithm for generating random numbers with a given distribution", 1991. Whole
 * numbers, so the shares are exact. */
static int make_alias(struct builder *b)
{
    struct sonde_load_scenario *s = b->ret;
    size_t n = s->step_count;
    uint64_t *left = builder_allocate(b, n, sizeof(*left));
    uint32_t *small = builder_allocate(b, n, sizeof(*small));
    uint32_t *large = builder_allocate(b, n, sizeof(*large));
    size_t smalls = 0;
    size_t larges = 0;
    s->cut = builder_allocate(b, n, sizeof(*s->cut));
    s->alias = builder_allocate(b, n, sizeof(*s->alias));
    if (!left || !small || !large || !s->cut || !s->alias) {
        return builder_no_memory(b);
    }
    s->weights = 0;
    for (size_t i = 0; i < n; i++) {
        s->weights += s->steps[i].weight;
    }
    for (uint32_t i = 0; i < n; i++) {
        left[i] = s->steps[i].weight * (uint64_t)n;
        if (left[i] < s->weights) {
            small[smalls++] = i;
        } else {
            large[larges++] = i;
        }
    }
    while (smalls && larges) {
        uint32_t less = small[--smalls];
        uint32_t more = large[larges - 1];
        s->cut[less] = (uint32_t)left[less];
        s->alias[less] = more;
        left[more] -= s->weights - left[less];
        if (left[more] < s->weights) {
            larges--;
            small[smalls++] = more;
        }
    }
    while (larges) {
        s->cut[large[--larges]] = (uint32_t)s->weights;
    }
    return 0;
}

static int finish(struct builder *b)
{
    struct sonde_load_scenario *s = b->ret;
    bool extracts = false;
    int r = list_of_step(b, SONDE_LOAD_ALL_STEPS, &s->draws, &s->variables_of_all);
    for (size_t i = 0; i < s->step_count && r == 0; i++) {
        struct sonde_load_step *step = &s->steps[i];
        extracts = extracts || step->look.extraction_count;
        s->looks = s->looks || step->look.fields || step->look.body;
        s->thinks = s->thinks || step->think_ns > 0;
        r = list_of_step(b, (int)i, &step->draws, &step->variables);
    }
    s->looks = s->looks || s->cookies;
    s->sessions = s->cookies || extracts || s->order == SONDE_LOAD_SEQUENCE;
    r = r < 0 ? r : check_values(b);
    r = r < 0 ? r : check_needs(b);
    return r < 0 || s->order != SONDE_LOAD_WEIGHTED ? r : make_alias(b);
}

/* ---- the three ways ---- */

static void begin(struct builder *b, const struct sonde_load_surroundings *around,
                  struct sonde_load_scenario *ret, struct sonde_err *err)
{
    *b = (struct builder){.around = around, .ret = ret, .err = err};
    *ret = (struct sonde_load_scenario){.arena = SONDE_ARENA(SONDE_LOAD_SCENARIO_BYTES_MAX),
                                        .tls = around->url->tls};
    sonde_load_import_init(&ret->import);
    (void)snprintf(ret->host, sizeof(ret->host), "%s", around->url->host);
}

static int build(struct builder *b)
{
    int r = builder_plan_variables(b);
    r = r < 0 ? r : make_steps(b);
    return r < 0 ? r : finish(b);
}

static int plan_drafts(struct builder *b)
{
    struct sonde_load_scenario *s = b->ret;
    s->step_count = s->import.count;
    b->plans = builder_allocate(b, s->step_count, sizeof(*b->plans));
    for (size_t i = 0; b->plans && i < s->step_count; i++) {
        const struct sonde_load_draft *draft = &s->import.drafts[i];
        b->plans[i] = (struct step_plan){draft->name, draft->ask, NULL};
    }
    return b->plans ? 0 : builder_no_memory(b);
}

static int import(struct builder *b, enum sonde_scenario_format format, const char *name,
                  struct sonde_str text)
{
    int r = format == SONDE_SCENARIO_HAR
                ? sonde_load_har_read(name, text, b->around->url, &b->ret->import, b->err)
                : sonde_load_openapi_read(name, text, b->around->url, &b->ret->import, b->err);
    return r < 0 ? r : plan_drafts(b);
}

/* The path of the URL stands before those of the requests. */
static int plan_requests(struct builder *b)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    struct sonde_load_scenario *s = b->ret;
    struct sonde_str rest = b->around->url->path;
    struct sonde_str base = sonde_str_split(&rest, '?');
    while (base.length && base.data[base.length - 1] == '/') {
        base.length--;
    }
    s->step_count = b->spec->requests.count;
    b->plans = builder_allocate(b, s->step_count, sizeof(*b->plans));
    if (!b->plans) {
        return builder_no_memory(b);
    }
    for (size_t i = 0; i < s->step_count; i++) {
        const struct sonde_request *spec = &b->spec->requests.items[i];
        SONDE_BUF_AUTO path = SONDE_BUF(2 * SONDE_LOAD_PATH_MAX);
        sonde_buf_str(&path, base);
        sonde_buf_text(&path, spec->path);
        int r = sonde_buf_check(&path, "a path", b->err);
        if (r < 0) {
            return r;
        }
        b->plans[i] = (struct step_plan){
            .name = spec->name,
            .ask = {.method = methods[spec->method],
                    .path = sonde_arena_copy(&s->arena, sonde_buf_view(&path)),
                    .fields = spec->headers.items,
                    .field_count = spec->headers.count,
                    .body = sonde_str(spec->body)},
            .spec = spec,
        };
        if (!b->plans[i].ask.path.data) {
            return builder_no_memory(b);
        }
    }
    return 0;
}

int sonde_load_scenario_from_spec(const struct sonde_scenario *spec,
                                  const struct sonde_load_surroundings *surroundings,
                                  struct sonde_load_scenario *ret, struct sonde_err *err)
{
    struct builder b;
    const struct sonde_scenario_source *source = spec->config_map_ref;
    begin(&b, surroundings, ret, err);
    b.spec = spec;
    ret->cookies = spec->cookies;
    ret->order = spec->order == SONDE_ORDER_SEQUENCE ? SONDE_LOAD_SEQUENCE : SONDE_LOAD_WEIGHTED;
    int r = 0;
    if (source) {
        const struct sonde_load_file *file =
            builder_find_file(surroundings, source->name, source->key);
        r = file ? import(&b, (enum sonde_scenario_format)source->format, source->key, file->text)
                 : sonde_fail(err, SONDE_ENOTFOUND, 0, "the scenario: there is no file %s of %s",
                              source->key, source->name);
    } else {
        r = plan_requests(&b);
    }
    return r < 0 ? r : build(&b);
}

int sonde_load_scenario_from_file(enum sonde_scenario_format format, const char *name,
                                  struct sonde_str text,
                                  const struct sonde_load_surroundings *surroundings,
                                  struct sonde_load_scenario *ret, struct sonde_err *err)
{
    struct builder b;
    begin(&b, surroundings, ret, err);
    int r = import(&b, format, name, text);
    return r < 0 ? r : build(&b);
}

int sonde_load_scenario_from_ask(const struct sonde_load_ask *ask,
                                 const struct sonde_load_look *look,
                                 const struct sonde_load_surroundings *surroundings,
                                 struct sonde_load_scenario *ret, struct sonde_err *err)
{
    struct builder b;
    begin(&b, surroundings, ret, err);
    b.plans = builder_allocate(&b, 1, sizeof(*b.plans));
    if (!b.plans) {
        return builder_no_memory(&b);
    }
    b.plans[0] = (struct step_plan){"request", *ask, NULL};
    ret->step_count = 1;
    int r = builder_plan_variables(&b);
    r = r < 0 ? r : make_steps(&b);
    if (r == 0 && look) {
        ret->steps[0].look = *look;
        ret->steps[0].expects = true;
        r = copy_pairs(&b, look->headers, look->header_count, &ret->steps[0].look.headers);
        r = r < 0 ? r : copy_text(&b, look->equals, &ret->steps[0].look.equals);
        r = r < 0 ? r : copy_text(&b, look->contains, &ret->steps[0].look.contains);
        sonde_load_look_at(&ret->steps[0].look);
    }
    r = r < 0 ? r : finish(&b);
    ret->name_count = 0; /* nobody gave it one */
    return r;
}

void sonde_load_scenario_fini(struct sonde_load_scenario *scenario)
{
    if (scenario) {
        for (size_t i = 0; i < scenario->pattern_count; i++) {
            sonde_load_pattern_free(scenario->patterns[i]);
        }
        for (size_t i = 0; i < scenario->table_count; i++) {
            sonde_load_table_fini(&scenario->tables[i]);
        }
        sonde_load_import_fini(&scenario->import);
        sonde_arena_fini(&scenario->arena);
        scenario->pattern_count = scenario->table_count = scenario->step_count = 0;
    }
}
