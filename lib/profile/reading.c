/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/reading.h"

int sonde_read_no_room(const char *format, int code, const char *what, struct sonde_err *err)
{
    return code == SONDE_ENOMEM ? sonde_fail(err, code, 0, "%s: out of memory", format)
                                : sonde_fail(err, code, 0, "%s: too many %s", format, what);
}

int64_t sonde_read_whole(const struct sonde_json_token *token)
{
    double value = 0;
    if (token->is_integer) {
        return token->integer;
    }
    return sonde_parse_double(token->text, &value) == 0 && value > -9e15 && value < 9e15
               ? (int64_t)value
               : 0;
}

int32_t sonde_read_small(const struct sonde_json_token *token)
{
    int64_t value = sonde_read_whole(token);
    return value < 0 || value >= INT32_MAX ? -1 : (int32_t)value;
}

/* ---- call frames ---- */

void sonde_call_frame_init(struct sonde_call_frame *frame)
{
    *frame = (struct sonde_call_frame){.function = SONDE_BUF(SONDE_PROFILE_NAME_MAX),
                                       .url = SONDE_BUF(SONDE_PROFILE_NAME_MAX)};
}

void sonde_call_frame_fini(struct sonde_call_frame *frame)
{
    sonde_buf_fini(&frame->function);
    sonde_buf_fini(&frame->url);
}

void sonde_call_frame_begin(struct sonde_call_frame *frame)
{
    frame->member = SONDE_CALL_FRAME_NOTHING;
    frame->line = frame->column = -1;
    sonde_buf_clear(&frame->function);
    sonde_buf_clear(&frame->url);
}

static void take_key(struct sonde_call_frame *frame, struct sonde_str key)
{
    static const char *const names[] = {
        [SONDE_CALL_FRAME_FUNCTION] = "functionName",
        [SONDE_CALL_FRAME_URL] = "url",
        [SONDE_CALL_FRAME_LINE] = "lineNumber",
        [SONDE_CALL_FRAME_COLUMN] = "columnNumber",
    };
    frame->member = SONDE_CALL_FRAME_NOTHING;
    for (unsigned i = SONDE_CALL_FRAME_FUNCTION; i < SONDE_LENGTH(names); i++) {
        if (sonde_str_is(key, names[i])) {
            frame->member = i;
        }
    }
}

static int take_string(struct sonde_call_frame *frame, struct sonde_str text, struct sonde_err *err)
{
    struct sonde_buf *buf = frame->member == SONDE_CALL_FRAME_URL        ? &frame->url
                            : frame->member == SONDE_CALL_FRAME_FUNCTION ? &frame->function
                                                                         : NULL;
    if (!buf) {
        return 0;
    }
    sonde_buf_clear(buf);
    sonde_buf_str(buf, sonde_profile_cut(text));
    return sonde_buf_check(buf, "a name", err);
}

int sonde_call_frame_take(struct sonde_call_frame *frame, const struct sonde_json_token *token,
                          struct sonde_err *err)
{
    if (token->event == SONDE_JSON_KEY) {
        take_key(frame, token->text);
    } else if (token->event == SONDE_JSON_STRING) {
        return take_string(frame, token->text, err);
    } else if (token->event == SONDE_JSON_NUMBER && frame->member == SONDE_CALL_FRAME_LINE) {
        frame->line = sonde_read_small(token);
    } else if (token->event == SONDE_JSON_NUMBER && frame->member == SONDE_CALL_FRAME_COLUMN) {
        frame->column = sonde_read_small(token);
    }
    return 0;
}

int sonde_call_frame_end(const struct sonde_call_frame *frame, struct sonde_profile *profile,
                         uint32_t *ret, struct sonde_err *err)
{
    /* V8 counts lines and columns from 0, and has -1 for none. */
    return sonde_profile_frame(profile, sonde_buf_view(&frame->function),
                               sonde_buf_view(&frame->url), frame->line + 1, frame->column + 1, ret,
                               err);
}
