/* SPDX-License-Identifier: Apache-2.0 */
#include "load/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

struct sonde_load_pattern {
    pcre2_code *code;
};

struct sonde_load_matcher {
    pcre2_match_context *limits;
    pcre2_match_data *data; /* of the match and its first group */
};

/* Our own, so that the fault tests can make them fail. */
static void *allocate(size_t size, void *context)
{
    (void)context;
    return malloc(size);
}

static void release(void *memory, void *context)
{
    (void)context;
    free(memory);
}

static int compile(struct sonde_str text, struct sonde_load_pattern *pattern, struct sonde_err *err)
{
    int why = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE at = 0;
    pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    if (context) {
        pattern->code = pcre2_compile((PCRE2_SPTR)(text.data ? text.data : ""), text.length,
                                      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                                      &why, &at, context);
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    if (pattern->code) {
        return 0;
    }
    /* PCRE2 has a number for "failed to get memory" in each of its parts. */
    if (!context || why == PCRE2_ERROR_NOMEMORY || why == PCRE2_ERROR_HEAP_FAILED) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a regular expression");
    }
    char words[160] = "";
    (void)pcre2_get_error_message(why, (PCRE2_UCHAR *)words, sizeof(words));
    return sonde_fail(err, SONDE_EINVALID, 0,
                      "\"%.*s\" is no regular expression: %s, at character %zu",
                      SONDE_STR_ARG(text), words, at + 1);
}

int sonde_load_pattern_new(struct sonde_str text, struct sonde_load_pattern **ret,
                           struct sonde_err *err)
{
    if (text.length > SONDE_LOAD_PATTERN_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0,
                          "a regular expression of %zu bytes; at most %d are taken", text.length,
                          SONDE_LOAD_PATTERN_MAX);
    }
    struct sonde_load_pattern *pattern = calloc(1, sizeof(*pattern));
    if (!pattern) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a regular expression");
    }
    int r = compile(text, pattern, err);
    if (r < 0) {
        sonde_load_pattern_free(pattern);
        return r;
    }
    *ret = pattern;
    return 0;
}

void sonde_load_pattern_free(struct sonde_load_pattern *pattern)
{
    if (pattern) {
        pcre2_code_free(pattern->code);
        free(pattern);
    }
}

struct sonde_load_matcher *sonde_load_matcher_new(void)
{
    struct sonde_load_matcher *matcher = calloc(1, sizeof(*matcher));
    pcre2_general_context *memory = pcre2_general_context_create(allocate, release, NULL);
    if (matcher && memory) {
        matcher->limits = pcre2_match_context_create(memory);
        matcher->data = pcre2_match_data_create(2, memory);
    }
    pcre2_general_context_free(memory);
    if (!matcher || !matcher->limits || !matcher->data) {
        sonde_load_matcher_free(matcher);
        return NULL;
    }
    (void)pcre2_set_match_limit(matcher->limits, SONDE_LOAD_PATTERN_STEPS_MAX);
    (void)pcre2_set_heap_limit(matcher->limits, SONDE_LOAD_PATTERN_KIBIBYTES_MAX);
    return matcher;
}

void sonde_load_matcher_free(struct sonde_load_matcher *matcher)
{
    if (matcher) {
        pcre2_match_context_free(matcher->limits);
        pcre2_match_data_free(matcher->data);
        free(matcher);
    }
}

int sonde_load_pattern_find(const struct sonde_load_pattern *pattern,
                            struct sonde_load_matcher *matcher, struct sonde_str text,
                            struct sonde_str *ret, struct sonde_err *err)
{
    const char *data = text.data ? text.data : "";
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)data, text.length, 0, 0, matcher->data,
                            matcher->limits);
    if (found == PCRE2_ERROR_NOMATCH || found == PCRE2_ERROR_PARTIAL) {
        return SONDE_ENOTFOUND;
    }
    if (found == PCRE2_ERROR_NOMEMORY) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "no memory for a match");
    }
    if (found < 0) {
        return sonde_fail(err, SONDE_ELIMIT, 0,
                          "a regular expression costs too much on a text of %zu bytes",
                          text.length);
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(matcher->data);
    /* 0: there are more groups than are kept. With \K a match may begin behind its end. */
    const PCRE2_SIZE *own = (found == 0 || found > 1) && ends[2] != PCRE2_UNSET ? ends + 2 : ends;
    size_t length = own[1] > own[0] ? own[1] - own[0] : 0;
    *ret = (struct sonde_str){data + own[0], length};
    return 0;
}
