/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/identifiers.h"

enum state {
    CODE,
    WORD,
    NUMBER,
    STRING,
    TEMPLATE,
    TEMPLATE_DOLLAR, /* behind a $ in a template */
    SLASH,           /* behind a / in code */
    LINE_COMMENT,
    BLOCK_COMMENT,
    BLOCK_STAR, /* behind a * in a block comment */
    EXPRESSION, /* a regular one */
    EXPRESSION_CLASS,
};

/* What `before` is, when it is not a punctuator itself. */
#define NOTHING '\0'
#define VALUE 'v'   /* a / behind it divides */
#define KEYWORD 'k' /* a / behind it begins a regular expression */

enum nesting { BRACE, TEMPLATE_BRACE, BRACKETS, CONDITION_BRACKETS };

void sonde_identifiers_init(struct sonde_identifiers *identifiers, struct sonde_words *words,
                            bool all_strings)
{
    *identifiers = (struct sonde_identifiers){
        .words = words, .all_strings = all_strings, .state = CODE, .before = NOTHING};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A byte of a name. All beyond ASCII count: the few that are white space only make a name unknown.
 */
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* ---- names ---- */

static void keep_byte(struct sonde_identifiers *t, char c)
{
    if (t->name_length == sizeof(t->name)) {
        t->broken = true;
    } else {
        t->name[t->name_length++] = c;
    }
}

static bool is_one_of(struct sonde_str text, const char *const *list)
{
    while (*list && !sonde_str_is(text, *list)) {
        list++;
    }
    return *list != NULL;
}

static int end_word(struct sonde_identifiers *t, struct sonde_err *err)
{
    static const char *const operators[] = {"return", "typeof", "case",    "in",    "of",
                                            "delete", "void",   "new",     "throw", "instanceof",
                                            "do",     "else",   "yield",   "await", "default",
                                            "if",     "while",  "extends", NULL};
    static const char *const conditions[] = {"if", "while", "for", NULL};
    struct sonde_str word = {t->name, t->name_length};
    bool member = t->before == '.';
    bool broken = t->broken;
    t->before = !member && is_one_of(word, operators) ? KEYWORD : VALUE;
    t->condition_word = !member && is_one_of(word, conditions);
    t->symbol_word =
        sonde_str_is(word, "Symbol") || (member && t->symbol_word && sonde_str_is(word, "for"));
    t->name_length = 0;
    t->broken = false;
    t->state = CODE;
    return broken ? 0 : sonde_words_add(t->words, word, err);
}

/* Texts that look like names: no blanks, nothing that an address or a sentence would have. */
static bool looks_like_name(struct sonde_str text)
{
    bool letter = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        letter = letter || (is_word(c) && !is_digit(c));
        if (!is_word(c) && !strchr("-.:/#", c)) {
            return false;
        }
    }
    return letter;
}

static int end_string(struct sonde_identifiers *t, struct sonde_err *err)
{
    struct sonde_str text = {t->name, t->name_length};
    bool good = !t->broken && (t->all_strings || looks_like_name(text));
    int r = 0;
    if (good && (t->symbol_call || t->all_strings)) {
        r = sonde_words_add(t->words, text, err);
    } else if (good) {
        memcpy(t->key, t->name, t->name_length);
        t->key_length = t->name_length;
    }
    t->name_length = 0;
    t->broken = false;
    t->symbol_call = false;
    t->before = VALUE;
    t->state = CODE;
    return r;
}

/* What comes behind a string says whether it was a key. */
static int judge_key(struct sonde_identifiers *t, char next, struct sonde_err *err)
{
    bool in_literal = t->opener == '{' || t->opener == ',' || t->opener == ';' || t->opener == '}';
    bool key = (next == ':' && (t->opener == '{' || t->opener == ',')) ||
               (next == '(' && in_literal) || (next == ']' && t->opener == '[');
    struct sonde_str text = {t->key, t->key_length};
    t->key_length = 0;
    return key ? sonde_words_add(t->words, text, err) : 0;
}

/* ---- brackets ---- */

static void open_nesting(struct sonde_identifiers *t, enum nesting kind)
{
    if (t->depth == sizeof(t->nesting)) {
        t->beyond++;
    } else {
        t->nesting[t->depth++] = (uint8_t)kind;
    }
}

static void close_brackets(struct sonde_identifiers *t)
{
    t->before = VALUE;
    if (t->beyond) {
        t->beyond--;
    } else if (t->depth && t->nesting[t->depth - 1] >= BRACKETS) {
        t->before = t->nesting[--t->depth] == CONDITION_BRACKETS ? KEYWORD : VALUE;
    }
}

static void close_brace(struct sonde_identifiers *t)
{
    t->before = '}';
    if (t->beyond) {
        t->beyond--;
        return;
    }
    /* Brackets that were never closed were none. */
    while (t->depth && t->nesting[t->depth - 1] >= BRACKETS) {
        t->depth--;
    }
    if (t->depth) {
        t->depth--;
        t->state = t->nesting[t->depth] == TEMPLATE_BRACE ? TEMPLATE : CODE;
    }
}

/* ---- states ---- */

static void punctuate(struct sonde_identifiers *t, char c)
{
    switch (c) {
    case '{':
        open_nesting(t, BRACE);
        break;
    case '(':
        open_nesting(t, t->condition_word ? CONDITION_BRACKETS : BRACKETS);
        t->symbol_call = t->symbol_word;
        break;
    case ')':
        close_brackets(t);
        return;
    case ']':
        t->before = VALUE;
        return;
    case '}':
        close_brace(t);
        return;
    default:
        break;
    }
    bool doubled = (c == '+' || c == '-') && t->raw == c && t->before == c;
    t->before = doubled ? VALUE : c; /* i++ / 2 */
}

static int take_code(struct sonde_identifiers *t, char c, struct sonde_err *err)
{
    if (is_blank(c)) {
        return 0;
    }
    int r = t->key_length ? judge_key(t, c, err) : 0;
    bool begins_word = (is_word(c) && !is_digit(c)) || c == '#' || c == '\\';
    if (c != '"' && c != '\'') {
        t->symbol_call = false;
    }
    if (begins_word) {
        t->state = WORD;
        t->broken = c == '\\';
        keep_byte(t, c);
    } else if (is_digit(c)) {
        t->state = NUMBER;
    } else if (c == '"' || c == '\'') {
        t->state = STRING;
        t->quote = c;
        t->opener = t->before;
    } else if (c == '`') {
        t->state = TEMPLATE;
    } else if (c == '/') {
        t->state = SLASH;
    } else {
        punctuate(t, c);
    }
    if (!begins_word && c != '.' && c != '(') {
        t->symbol_word = false;
    }
    t->condition_word = t->condition_word && begins_word;
    return r;
}

static void take_string(struct sonde_identifiers *t, char c)
{
    if (t->escaped) {
        t->escaped = false;
    } else if (c == '\\') {
        t->escaped = true;
        t->broken = true;
    } else if (c == '\n') {
        t->state = CODE; /* it was none */
        t->name_length = 0;
        t->broken = false;
    } else {
        keep_byte(t, c);
    }
}

static void take_template(struct sonde_identifiers *t, char c)
{
    bool dollar = t->state == TEMPLATE_DOLLAR;
    t->state = TEMPLATE;
    if (t->escaped) {
        t->escaped = false;
    } else if (c == '\\') {
        t->escaped = true;
    } else if (c == '`') {
        t->state = CODE;
        t->before = VALUE;
    } else if (c == '$') {
        t->state = TEMPLATE_DOLLAR;
    } else if (c == '{' && dollar) {
        open_nesting(t, TEMPLATE_BRACE);
        t->state = CODE;
        t->before = '{';
    }
}

static void take_expression(struct sonde_identifiers *t, char c)
{
    if (t->escaped) {
        t->escaped = false;
    } else if (c == '\\') {
        t->escaped = true;
    } else if (c == '\n') {
        t->state = CODE; /* it was none */
    } else if (c == '[') {
        t->state = EXPRESSION_CLASS;
    } else if (c == ']') {
        t->state = EXPRESSION;
    } else if (c == '/' && t->state == EXPRESSION) {
        t->state = CODE;
        t->before = VALUE;
    }
}

/* Behind a slash: a comment, a regular expression or a division. Returns whether c was taken. */
static bool take_slash(struct sonde_identifiers *t, char c)
{
    if (c == '/' || c == '*') {
        t->state = c == '/' ? LINE_COMMENT : BLOCK_COMMENT;
        return true;
    }
    bool divides = t->before == VALUE;
    t->state = divides ? CODE : EXPRESSION;
    t->before = divides ? '/' : t->before;
    return false;
}

static void take_comment(struct sonde_identifiers *t, char c)
{
    if (t->state == LINE_COMMENT) {
        t->state = c == '\n' ? CODE : LINE_COMMENT;
    } else if (t->state == BLOCK_STAR && c == '/') {
        t->state = CODE;
    } else {
        t->state = c == '*' ? BLOCK_STAR : BLOCK_COMMENT;
    }
}

/* Takes one byte; *taken is false when it is to be looked at again. */
static int take(struct sonde_identifiers *t, char c, bool *taken, struct sonde_err *err)
{
    *taken = true;
    switch ((enum state)t->state) {
    case CODE:
        return take_code(t, c, err);
    case WORD:
        if (is_word(c) || c == '\\') {
            t->broken = t->broken || c == '\\';
            keep_byte(t, c);
            return 0;
        }
        *taken = false;
        return end_word(t, err);
    case NUMBER:
        if (!is_word(c) && c != '.') {
            *taken = false;
            t->state = CODE;
            t->before = VALUE;
        }
        return 0;
    case STRING:
        if (c == t->quote && !t->escaped) {
            return end_string(t, err);
        }
        take_string(t, c);
        return 0;
    case TEMPLATE:
    case TEMPLATE_DOLLAR:
        take_template(t, c);
        return 0;
    case SLASH:
        *taken = take_slash(t, c);
        return 0;
    case LINE_COMMENT:
    case BLOCK_COMMENT:
    case BLOCK_STAR:
        take_comment(t, c);
        return 0;
    case EXPRESSION:
    case EXPRESSION_CLASS:
        take_expression(t, c);
        return 0;
    }
    return 0;
}

int sonde_identifiers_feed(struct sonde_identifiers *identifiers, const char *data, size_t length,
                           struct sonde_err *err)
{
    int r = 0;
    for (size_t at = 0; at < length && r == 0;) {
        bool taken;
        r = take(identifiers, data[at], &taken, err);
        if (taken) {
            identifiers->raw = data[at++];
        }
    }
    return r;
}

int sonde_identifiers_finish(struct sonde_identifiers *identifiers, struct sonde_err *err)
{
    return identifiers->state == WORD ? end_word(identifiers, err) : 0;
}
