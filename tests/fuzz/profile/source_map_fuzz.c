/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a source map, as a script whose comment is looked for, and as an inline URL; what
 * parses is applied to a profile. */
#include <stdlib.h>

#include "profile/source_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void apply(const struct sonde_source_map *map)
{
    struct sonde_profile profile;
    must(sonde_profile_init(&profile, NULL) == 0);
    for (int32_t i = 0; i < 40; i++) {
        uint32_t frame;
        int32_t line = i / 8 + 1;
        must(sonde_profile_frame(&profile, SONDE_STR("f"), SONDE_STR("file:///app/dist/a.js"), line,
                                 i % 8 * 3, &frame, NULL) == 0);
        must(sonde_profile_add_ticks(&profile, frame, line + i % 3, 1, NULL) == 0);
    }
    must(sonde_profile_apply_source_map(&profile, SONDE_STR("file:///app/dist/a.js"), map, NULL) ==
         0);
    for (size_t i = 0; i < profile.frame_count; i++) {
        const struct sonde_frame *frame = &profile.frames[i];
        must(frame->source.file.length == 0 || frame->source.line > 0);
        must(frame->generated.file.length == 0 ||
             sonde_str_is(frame->generated.file, "file:///app/dist/a.js"));
    }
    sonde_profile_fini(&profile);
}

struct texts {
    size_t bytes, sources; /* sources: of the map, if it is one */
};

static int take_text(void *context, size_t number, struct sonde_str file, struct sonde_str text,
                     struct sonde_err *err)
{
    (void)err;
    struct texts *texts = context;
    must(file.length > 0 && (text.data || text.length == 0));
    must(number < texts->sources);
    texts->bytes += text.length;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sonde_str text = {(const char *)data, size};
    struct sonde_str url = sonde_source_map_url(text);
    must(url.length <= size);
    SONDE_BUF_AUTO decoded = SONDE_BUF(1 << 20);
    if (sonde_source_map_inline(url.length ? url : text, &decoded, NULL) == 0) {
        text = sonde_buf_view(&decoded);
    }
    struct sonde_source_map *map;
    struct sonde_err err = {0};
    struct texts texts = {.sources = SIZE_MAX};
    if (sonde_source_map_parse(text, &map, &err) == 0) {
        struct sonde_mapping mapping;
        for (int32_t line = -1; line < 6; line++) {
            for (int32_t column = -1; column < 30; column++) {
                if (sonde_source_map_find(map, line, column, &mapping)) {
                    must(mapping.line > 0 && mapping.column > 0 && mapping.source.data);
                }
            }
        }
        apply(map);
        texts.sources = sonde_source_map_sources(map);
        sonde_source_map_free(map);
    } else {
        must(err.message[0]);
    }
    if (sonde_source_map_texts(text, SONDE_STR("file:///app/dist/a.js"), take_text, &texts, NULL) ==
        0) {
        must(texts.bytes <= text.length);
    }
    return 0;
}
