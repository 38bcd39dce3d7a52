/* SPDX-License-Identifier: Apache-2.0 */
/* Which names may be read: those whose words are all known. */
#include "heap/redact_internal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct sonde_str cut(struct sonde_str text, size_t begin, size_t end)
{
    return (struct sonde_str){text.data + begin, text.length - begin - end};
}

/* "Map", "std::basic_string", "DeoptimizationEntry_Lazy" */
static bool is_engine_word(struct sonde_str text)
{
    if (!text.data || text.length == 0 || !is_letter(text.data[0])) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '_' && c != ':') {
            return false;
        }
    }
    return true;
}

static bool word_known(const struct sonde_heap_redactor *r, struct sonde_str text)
{
    return text.length == 0 || sonde_words_has(r->options.words, text);
}

/* Takes the prefix off that stands there, if any. */
static bool strip(struct sonde_str *text, const char *prefix)
{
    bool there = sonde_str_starts(*text, prefix);
    if (there) {
        *text = cut(*text, strlen(prefix), 0);
    }
    return there;
}

/* Where a part stands, or the length. */
static size_t find(struct sonde_str text, const char *part)
{
    const char *at = text.data ? memmem(text.data, text.length, part, strlen(part)) : NULL;
    return at ? (size_t)(at - text.data) : text.length;
}

/* "name", "get name", "#name", "[Symbol.iterator]", "<symbol name>" */
static bool name_known(const struct sonde_heap_redactor *r, struct sonde_str text)
{
    static const char *const prefixes[] = {"get ", "set ", "bound ", "async ", "static "};
    enum { PREFIXES_MAX = 4 }; /* bound bound f */
    if (word_known(r, text)) {
        return true;
    }
    for (size_t i = 0, count = 0; i < SONDE_LENGTH(prefixes) && count < PREFIXES_MAX; i++) {
        if (strip(&text, prefixes[i])) {
            i = (size_t)-1;
            count++;
        }
    }
    if (sonde_str_starts(text, "<symbol ") && sonde_str_ends(text, ">")) {
        text = cut(text, strlen("<symbol "), 1);
    } else if (sonde_str_starts(text, "[") && sonde_str_ends(text, "]")) {
        text = cut(text, 1, 1);
    } else if (sonde_str_is(text, "<symbol>")) {
        return true;
    }
    (void)strip(&text, "Symbol.");
    return word_known(r, text);
}

/* "global / file:///app/a.js", "Object (prototype) / " */
static bool tagged_known(const struct sonde_heap_redactor *r, struct sonde_str text)
{
    static const char *const tags[] = {" (global)", " (global*)", " (prototype)",
                                       " (internal cache)"};
    size_t at = find(text, " / ");
    if (at == text.length) {
        return false;
    }
    struct sonde_str name = cut(text, 0, text.length - at);
    struct sonde_str behind = cut(text, at + 3, 0);
    for (size_t i = 0; i < SONDE_LENGTH(tags); i++) {
        if (sonde_str_ends(name, tags[i])) {
            name = cut(name, 0, strlen(tags[i]));
            break;
        }
    }
    if (sonde_str_is(name, "system") && strip(&behind, "Context")) {
        return behind.length == 0 || (strip(&behind, " / ") && name_known(r, behind));
    }
    return name_known(r, name) && word_known(r, behind);
}

/* "(ArrayMap builtin)", "(BASELINE code)", "(code for name)" */
static bool is_code_kind(const struct sonde_heap_redactor *r, struct sonde_str text)
{
    static const char *const owned[] = {"code for ", "instruction stream for ",
                                        "shared function info for ", "bytecode for "};
    static const char *const kinds[] = {" builtin)", " builtin code)", " builtin handle)",
                                        " code)",    " deopt data)",   " instruction stream)"};
    if (!strip(&text, "(")) {
        return false;
    }
    for (size_t i = 0; i < SONDE_LENGTH(owned); i++) {
        if (sonde_str_ends(text, ")") && strip(&text, owned[i])) {
            return name_known(r, cut(text, 0, 1));
        }
    }
    for (size_t i = 0; i < SONDE_LENGTH(kinds); i++) {
        if (sonde_str_ends(text, kinds[i]) && is_engine_word(cut(text, 0, strlen(kinds[i])))) {
            return true;
        }
    }
    return false;
}

/* "system / Map", "system / Map (ConsString)", "Node / Environment",
 * "system / NativeContext / file:///app/a.js"; and of code. */
static bool is_engine_form(const struct sonde_heap_redactor *r, struct sonde_str text)
{
    if (strip(&text, "system / ") || strip(&text, "Node / ")) {
        size_t space = find(text, " ");
        struct sonde_str first = cut(text, 0, text.length - space);
        struct sonde_str rest = cut(text, space, 0);
        bool good = rest.length == 0 || (strip(&rest, " / ") && word_known(r, rest));
        if (!good && strip(&rest, " (") && sonde_str_ends(rest, ")")) {
            good = is_engine_word(cut(rest, 0, 1));
        }
        return good && is_engine_word(first);
    }
    return is_code_kind(r, text);
}

/* "12 / WeakMapConstructor", "script_info", and what has the form of the engine's names. */
static bool engine_known(const struct sonde_heap_redactor *r, struct sonde_str text)
{
    static const char *const suffixes[] = {"_string",   "_map",      "_symbol",      "_function",
                                           "_fun",      "_accessor", "_protector",   "_prototype",
                                           "_template", "_iterator", "_constructor", "_table",
                                           "_info",     "_cache",    "_str"};
    enum { DIGITS_MAX = 7 }; /* of the place in a table */
    size_t digits = 0;
    while (digits < text.length && is_digit(text.data[digits])) {
        digits++;
    }
    bool numbered = digits > 0;
    text = cut(text, digits, 0);
    if (numbered) {
        return digits <= DIGITS_MAX &&
               (text.length == 0 || (strip(&text, " / ") && is_engine_word(text)));
    }
    for (size_t i = 0; i < SONDE_LENGTH(suffixes); i++) {
        if (sonde_str_ends(text, suffixes[i]) && is_engine_word(text)) {
            return true;
        }
    }
    return is_engine_form(r, text);
}

/* -12.5e+30, NaN, Infinity */
static bool is_number(struct sonde_str text)
{
    double number;
    (void)strip(&text, "-");
    return sonde_str_is(text, "NaN") || sonde_str_is(text, "Infinity") ||
           sonde_parse_double(text, &number) == 0;
}

bool redact_is_pair(struct sonde_str text)
{
    static const char mark[] = " pair in WeakMap (table @";
    return find(text, mark) < text.length;
}

bool redact_name_known(const struct sonde_heap_redactor *r, struct sonde_str text, enum use use)
{
    bool engine = use == USE_ENGINE;
    if (text.length > SONDE_WORD_MAX) {
        return false;
    }
    /* Most of the names that only the engine gives are places in arrays. */
    if (engine && text.length && is_digit(text.data[0]) && engine_known(r, text)) {
        return true;
    }
    if (name_known(r, text) || tagged_known(r, text)) {
        return true;
    }
    if (use == USE_CODE) {
        return is_engine_form(r, text);
    }
    return engine && (engine_known(r, text) || (r->options.numbers && is_number(text)));
}
