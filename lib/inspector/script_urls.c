/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/script_urls.h"

#include <string.h>

#include "profile/heapprofile.h"
#include "spec/artifact.h"

enum { DEPTH_MAX = 2 * SONDE_HEAPPROFILE_STACK_MAX + 16, STRING_MAX = 1 << 20 };

bool sonde_script_urls_wanted(const char *type)
{
    static const char *const types[] = {SONDE_ARTIFACT_CPU_PROFILE, SONDE_ARTIFACT_HEAP_PROFILE,
                                        SONDE_ARTIFACT_COVERAGE, SONDE_ARTIFACT_EVENT_LOOP};
    for (size_t i = 0; i < SONDE_LENGTH(types); i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int on_token(void *context, struct sonde_json_scanner *scanner,
                    const struct sonde_json_token *token, struct sonde_err *err)
{
    (void)scanner;
    struct sonde_script_urls *urls = context;
    bool is_script = urls->is_script && token->event == SONDE_JSON_STRING && token->text.length;
    uint32_t frame;
    urls->is_script = token->event == SONDE_JSON_KEY && sonde_str_is(token->text, "url");
    return is_script
               ? sonde_profile_frame(&urls->scripts, SONDE_STR(""), token->text, 1, 1, &frame, err)
               : 0;
}

int sonde_script_urls_init(struct sonde_script_urls *urls, struct sonde_err *err)
{
    *urls = (struct sonde_script_urls){0};
    int r = sonde_profile_init(&urls->scripts, err);
    urls->scripts.budget.maximum = SONDE_SCRIPT_URLS_BYTES_MAX;
    return r;
}

void sonde_script_urls_fini(struct sonde_script_urls *urls)
{
    sonde_json_scanner_fini(&urls->scanner);
    sonde_profile_fini(&urls->scripts);
    *urls = (struct sonde_script_urls){0};
}

void sonde_script_urls_begin(struct sonde_script_urls *urls)
{
    struct sonde_json_limits limits = {.depth = DEPTH_MAX, .string = STRING_MAX};
    sonde_json_scanner_fini(&urls->scanner);
    sonde_json_scanner_init(&urls->scanner, limits, on_token, urls);
    urls->reading = true;
    urls->is_script = false;
}

void sonde_script_urls_feed(struct sonde_script_urls *urls, const char *data, size_t length)
{
    urls->reading = urls->reading && sonde_json_scan(&urls->scanner, data, length, NULL) == 0;
}
