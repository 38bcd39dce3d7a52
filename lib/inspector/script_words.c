/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/script_words.h"

#include <stdlib.h>
#include <string.h>

#include "heap/identifiers.h"

struct script {
    uint32_t id;
    bool engines; /* comes with Node.js */
};

struct script_words {
    struct visit_thread *thread;
    struct sonde_words *words;
    script_words_done done;
    struct script *scripts;
    size_t count, capacity;
    size_t asked, answered; /* of them */
    bool reading;           /* the source of the first that is not answered comes */
    struct sonde_identifiers identifiers;
};

static int disabled(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)result;
    (void)failure;
    struct visit_thread *thread = context;
    return thread->scripts->done(thread, err);
}

static int answered(void *context, const cJSON *result, const char *failure, struct sonde_err *err);

static void ask(struct script_words *reader)
{
    static sonde_cdp_path source = {"result", "scriptSource"};
    struct visit_thread *thread = reader->thread;
    char params[64];
    bool ending = thread->visit->ending;
    while (!ending && reader->asked < reader->count &&
           reader->asked - reader->answered < SONDE_SCRIPTS_ASKED) {
        (void)snprintf(params, sizeof(params), "{\"scriptId\":\"%u\"}",
                       reader->scripts[reader->asked].id);
        reader->asked++;
        visit_command_streamed(thread, "Debugger.getScriptSource", params, &source, answered);
    }
    if (reader->answered == reader->asked) {
        visit_command(thread, "Debugger.disable", "{}", disabled);
    }
}

/* A script that is gone has no source: then its names are not known. */
static int answered(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    (void)result;
    (void)failure;
    struct script_words *reader = ((struct visit_thread *)context)->scripts;
    int r = reader->reading ? sonde_identifiers_finish(&reader->identifiers, err) : 0;
    reader->reading = false;
    reader->answered++;
    if (r == 0) {
        ask(reader);
    }
    return r;
}

static int enabled(void *context, const cJSON *result, const char *failure, struct sonde_err *err)
{
    struct visit_thread *thread = context;
    int r = visit_must_succeed(context, result, failure, err);
    if (r == 0) {
        ask(thread->scripts);
    }
    return r;
}

int script_words_new(struct visit_thread *thread, struct sonde_words *words, script_words_done done,
                     struct script_words **ret, struct sonde_err *err)
{
    struct script_words *reader = calloc(1, sizeof(*reader));
    int r = reader ? sonde_words_add_builtins(words, err)
                   : sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    if (r < 0) {
        free(reader);
        return r;
    }
    reader->thread = thread;
    reader->words = words;
    reader->done = done;
    thread->scripts = reader;
    *ret = reader;
    /* First of all: with a debugger a `debugger` statement would stop the program. */
    visit_command(thread, "Debugger.setSkipAllPauses", "{\"skip\":true}", visit_must_succeed);
    visit_command(thread, "Debugger.enable", "{}", enabled);
    return 0;
}

void script_words_free(struct script_words *reader)
{
    if (reader) {
        reader->thread->scripts = NULL;
        free(reader->scripts);
        free(reader);
    }
}

/* The path of a file's URL may be read, too: it is a key of require.cache. */
static int add_place(struct script_words *reader, const char *url, struct sonde_err *err)
{
    static const char file[] = "file://";
    int r = sonde_words_add(reader->words, sonde_str(url), err);
    if (r == 0 && strncmp(url, file, sizeof(file) - 1) == 0) {
        r = sonde_words_add(reader->words, sonde_str(url + sizeof(file) - 1), err);
    }
    return r;
}

int script_words_event(struct script_words *reader, const char *method, const cJSON *params,
                       struct sonde_err *err)
{
    uint64_t id;
    if (strcmp(method, "Debugger.scriptParsed") != 0) {
        return 0;
    }
    const char *url = sonde_json_string_or(params, "url", "");
    const char *language = sonde_json_string_or(params, "scriptLanguage", "JavaScript");
    bool engines = strncmp(url, "node:", strlen("node:")) == 0;
    bool file = url[0] == '/' || strncmp(url, "file:", strlen("file:")) == 0;
    if ((!engines && !file) || strcmp(language, "JavaScript") != 0 ||
        sonde_parse_u64(sonde_str(sonde_json_string_or(params, "scriptId", "")), 0, UINT32_MAX,
                        &id) < 0 ||
        reader->count == SONDE_SCRIPTS_MAX) {
        return 0;
    }
    if (sonde_array_grow(&reader->scripts, &reader->capacity, reader->count + 1,
                         sizeof(*reader->scripts), SONDE_SCRIPTS_MAX) < 0) {
        return sonde_fail(err, SONDE_ENOMEM, 0, "out of memory");
    }
    reader->scripts[reader->count++] = (struct script){(uint32_t)id, engines};
    return add_place(reader, url, err);
}

int script_words_begin(struct script_words *reader, struct sonde_err *err)
{
    (void)err;
    bool engines = reader->answered < reader->count && reader->scripts[reader->answered].engines;
    sonde_identifiers_init(&reader->identifiers, reader->words, engines);
    reader->reading = true;
    return 0;
}

int script_words_data(struct script_words *reader, const char *data, size_t length,
                      struct sonde_err *err)
{
    return sonde_identifiers_feed(&reader->identifiers, data, length, err);
}
