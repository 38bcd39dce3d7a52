/* SPDX-License-Identifier: Apache-2.0 */
#include "load/response.h"

#include <string.h>
#include <strings.h>

static int refuse(struct sonde_err *err, const char *what)
{
    return sonde_fail(err, SONDE_EPARSE, 0, "not a response of HTTP/1: %s", what);
}

/* ---- characters ---- */

/* tchar of RFC 9110, 5.6.2. */
static bool is_token(unsigned char c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c && strchr(others, c));
}

typedef unsigned char vector __attribute__((vector_size(16)));

/* Whether there is a control character other than a tab. Sixteen bytes at a time: most of what is
 * looked at are values of fields. */
static bool has_control(const char *data, size_t length)
{
    const vector space = (vector){} + ' ';
    const vector tab = (vector){} + '\t';
    const vector delete = (vector){} + 0x7f;
    vector found = {0};
    size_t i = 0;
    for (; i + sizeof(vector) <= length; i += sizeof(vector)) {
        vector bytes;
        memcpy(&bytes, data + i, sizeof(bytes));
        found |= (vector)((bytes < space) & (bytes != tab)) | (vector)(bytes == delete);
    }
    bool any = false;
    for (size_t k = 0; k < sizeof(vector); k++) {
        any |= found[k];
    }
    for (; i < length; i++) {
        unsigned char c = (unsigned char)data[i];
        any |= (c < ' ' && c != '\t') || c == 0x7f;
    }
    return any;
}

static struct sonde_str trim_blank(struct sonde_str text)
{
    while (text.length && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = (struct sonde_str){text.data + 1, text.length - 1};
    }
    while (text.length &&
           (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t')) {
        text.length--;
    }
    return text;
}

static bool is_word(struct sonde_str text, const char *word)
{
    return strlen(word) == text.length && strncasecmp(text.data, word, text.length) == 0;
}

/* ---- the head ---- */

struct head {
    bool minor_0;     /* HTTP/1.0 */
    bool close, keep; /* what Connection names */
    bool has_length, has_coding, chunked;
    uint64_t length;
};

static const char version[] = "HTTP/1.";

static int read_status(struct sonde_response *r, struct sonde_str line, struct head *head,
                       struct sonde_err *err)
{
    enum { MINOR = sizeof(version) - 1, STATUS = MINOR + 2, SHORTEST = STATUS + 3 };
    if (line.length < SHORTEST || memcmp(line.data, version, MINOR) != 0 ||
        (line.data[MINOR] != '0' && line.data[MINOR] != '1') || line.data[MINOR + 1] != ' ') {
        return refuse(err, "it does not begin with HTTP/1.0 or HTTP/1.1");
    }
    r->status = 0;
    for (size_t i = STATUS; i < SHORTEST; i++) {
        if (line.data[i] < '0' || line.data[i] > '9') {
            return refuse(err, "the status is no number of three digits");
        }
        r->status = 10 * r->status + (line.data[i] - '0');
    }
    if (r->status < 100 || (line.length > SHORTEST && line.data[SHORTEST] != ' ')) {
        return refuse(err, "the status is no number from 100 to 999");
    }
    head->minor_0 = line.data[MINOR] == '0';
    return memchr(line.data, '\r', line.length)
               ? refuse(err, "a carriage return within the status line")
               : 0;
}

static int read_length(struct sonde_str value, struct head *head, struct sonde_err *err)
{
    if (head->has_length || head->has_coding) {
        return refuse(err, head->has_length ? "two fields Content-Length"
                                            : "both Transfer-Encoding and Content-Length");
    }
    head->has_length = true;
    return sonde_parse_u64(value, 0, INT64_MAX, &head->length) < 0
               ? refuse(err, "Content-Length is no number")
               : 0;
}

static int read_coding(struct sonde_str value, struct head *head, struct sonde_err *err)
{
    if (head->has_length) {
        return refuse(err, "both Transfer-Encoding and Content-Length");
    }
    if (head->chunked) {
        return refuse(err, "chunked is not the last coding");
    }
    head->has_coding = true;
    while (value.data) {
        struct sonde_str coding = trim_blank(sonde_str_split(&value, ','));
        if (head->chunked) {
            return refuse(err, "chunked is not the last coding");
        }
        head->chunked = is_word(coding, "chunked");
    }
    return 0;
}

static void read_connection(struct sonde_str value, struct head *head)
{
    while (value.data) {
        struct sonde_str option = trim_blank(sonde_str_split(&value, ','));
        head->close |= is_word(option, "close");
        head->keep |= is_word(option, "keep-alive");
    }
}

static int split_field(struct sonde_str line, struct sonde_str *ret_name,
                       struct sonde_str *ret_value, struct sonde_err *err)
{
    size_t length = 0;
    while (length < line.length && is_token((unsigned char)line.data[length])) {
        length++;
    }
    if (length == 0 || length == line.length || line.data[length] != ':') {
        return refuse(err, "a field without a name, or with space around it");
    }
    *ret_name = (struct sonde_str){line.data, length};
    *ret_value = trim_blank((struct sonde_str){line.data + length + 1, line.length - length - 1});
    return has_control(line.data + length, line.length - length)
               ? refuse(err, "a control character in a field")
               : 0;
}

/* The fields that frame the message. Most have another length or another first letter. */
static int read_field(struct sonde_str name, struct sonde_str value, struct head *head,
                      struct sonde_err *err)
{
    switch (name.data[0] | 0x20) {
    case 'c':
        if (is_word(name, "content-length")) {
            return read_length(value, head, err);
        }
        if (is_word(name, "connection")) {
            read_connection(value, head);
        }
        return 0;
    case 't':
        return is_word(name, "transfer-encoding") ? read_coding(value, head, err) : 0;
    default:
        return 0;
    }
}

/* The next line, without its end, out of what is known to have one. */
static int next_line(struct sonde_str *rest, struct sonde_str *ret, struct sonde_err *err)
{
    *ret = sonde_str_split(rest, '\n');
    if (ret->length == 0 || ret->data[ret->length - 1] != '\r') {
        return refuse(err, "a line without a carriage return");
    }
    ret->length--;
    return 0;
}

static int pass_field(const struct sonde_response *r, struct sonde_str name, struct sonde_str value,
                      struct sonde_err *err)
{
    const struct sonde_response_observer *observer = r->observer;
    return observer && observer->field ? observer->field(observer->context, name, value, err) : 0;
}

static bool is_interim(const struct sonde_response *r)
{
    return r->status < 200 && r->status != 101;
}

static int read_fields(struct sonde_response *r, struct sonde_str rest, struct head *head,
                       struct sonde_err *err)
{
    for (;;) {
        struct sonde_str line;
        struct sonde_str name;
        struct sonde_str value;
        int code = next_line(&rest, &line, err);
        if (code < 0 || line.length == 0) {
            return code;
        }
        code = split_field(line, &name, &value, err);
        code = code < 0 ? code : read_field(name, value, head, err);
        code = code < 0 || is_interim(r) ? code : pass_field(r, name, value, err);
        if (code < 0) {
            return code;
        }
    }
}

/* RFC 9112, 6.3, and whether the connection lives on, 9.3. */
static void frame(struct sonde_response *r, const struct head *head)
{
    bool tunnel = r->kind == SONDE_REQUEST_CONNECT && r->status / 100 == 2;
    bool bare = r->kind == SONDE_REQUEST_HEAD || r->status == 204 || r->status == 304;
    r->upgraded = r->status == 101 || tunnel;
    r->left = head->length;
    if (r->upgraded || bare) {
        r->state = SONDE_RESPONSE_COMPLETE;
    } else if (head->chunked) {
        r->state = SONDE_RESPONSE_CHUNK_SIZE;
    } else if (head->has_length) {
        r->state = head->length ? SONDE_RESPONSE_LENGTH : SONDE_RESPONSE_COMPLETE;
    } else {
        r->state = SONDE_RESPONSE_TO_CLOSE;
    }
    r->keep_alive = r->state != SONDE_RESPONSE_TO_CLOSE && !r->upgraded && !head->close &&
                    (!head->minor_0 || head->keep);
}

/* Some servers send one too many behind a body. */
static size_t count_line_ends(const char *data, size_t length)
{
    size_t count = 0;
    while (count < length && (data[count] == '\r' || data[count] == '\n')) {
        count++;
    }
    return count;
}

/* The length of what ends with an empty line; 0: it has not come yet. */
static size_t find_head(struct sonde_response *r, const char *data, size_t length)
{
    size_t at = r->scanned > 3 ? r->scanned - 3 : 0;
    const char *end = memmem(data + at, length - at, "\r\n\r\n", 4);
    if (end) {
        return (size_t)(end - data) + 4;
    }
    r->scanned = length;
    return 0;
}

/* A line that no carriage return ends: the end of such a head would not be found. */
static bool has_bare_line(const char *data, size_t from, size_t length)
{
    const char *end = memchr(data + from, '\n', length - from);
    while (end && end > data && end[-1] == '\r') {
        end++;
        end = memchr(end, '\n', length - (size_t)(end - data));
    }
    return end != NULL;
}

static struct sonde_response_memo *memo_of(const struct sonde_response *r)
{
    return r->observer && r->observer->field ? NULL : r->memo;
}

/* The length of a head that is the one remembered; 0: it is not. */
static size_t recall(struct sonde_response *r, const char *data, size_t length)
{
    const struct sonde_response_memo *memo = memo_of(r);
    if (!memo || memo->length == 0 || memo->length > length || memo->kind != r->kind ||
        memcmp(memo->head, data, memo->length) != 0) {
        return 0;
    }
    r->state = memo->state;
    r->status = memo->status;
    r->keep_alive = memo->keep_alive;
    r->upgraded = memo->upgraded;
    r->left = memo->left;
    r->scanned = 0;
    return memo->length;
}

static void remember(const struct sonde_response *r, const char *data, size_t size)
{
    struct sonde_response_memo *memo = memo_of(r);
    if (!memo || size > sizeof(memo->head)) {
        return;
    }
    memo->length = size;
    memo->kind = r->kind;
    memo->state = r->state;
    memo->status = r->status;
    memo->keep_alive = r->keep_alive;
    memo->upgraded = r->upgraded;
    memo->left = r->left;
    memcpy(memo->head, data, size);
}

static int take_head(struct sonde_response *r, const char *data, size_t length, size_t *ret_used,
                     struct sonde_err *err)
{
    struct head head = {0};
    struct sonde_str line;
    *ret_used = recall(r, data, length);
    *ret_used = *ret_used ? *ret_used : count_line_ends(data, length);
    if (*ret_used) {
        return 0;
    }
    size_t known = length < sizeof(version) - 1 ? length : sizeof(version) - 1;
    if (memcmp(data, version, known) != 0) {
        return refuse(err, "it does not begin with HTTP/1.0 or HTTP/1.1");
    }
    size_t before = r->scanned;
    size_t size = find_head(r, data, length);
    size_t seen = size ? size : length;
    size_t bounded = seen < SONDE_RESPONSE_HEAD_MAX ? seen : SONDE_RESPONSE_HEAD_MAX;
    if (bounded > before && has_bare_line(data, before, bounded)) {
        return refuse(err, "a line without a carriage return");
    }
    if (seen > SONDE_RESPONSE_HEAD_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "the head of a response is longer than %d bytes",
                          SONDE_RESPONSE_HEAD_MAX);
    }
    if (size == 0) {
        return 0;
    }
    struct sonde_str rest = {data, size};
    int code = next_line(&rest, &line, err);
    code = code < 0 ? code : read_status(r, line, &head, err);
    code = code < 0 ? code : read_fields(r, rest, &head, err);
    if (code < 0) {
        return code;
    }
    *ret_used = size;
    r->scanned = 0;
    if (is_interim(r)) {
        r->interim++;
        return r->interim <= SONDE_RESPONSE_INTERIM_MAX
                   ? 0
                   : sonde_fail(err, SONDE_ELIMIT, 0, "more than %d responses 1xx before one",
                                SONDE_RESPONSE_INTERIM_MAX);
    }
    frame(r, &head);
    remember(r, data, size);
    return 0;
}

/* ---- the body ---- */

static int pass_body(struct sonde_response *r, const char *data, size_t length,
                     struct sonde_err *err)
{
    const struct sonde_response_observer *observer = r->observer;
    r->body += length;
    return observer && observer->body && length
               ? observer->body(observer->context, data, length, err)
               : 0;
}

static int take_known(struct sonde_response *r, const char *data, size_t length, size_t *ret_used,
                      struct sonde_err *err)
{
    *ret_used = length < r->left ? length : (size_t)r->left;
    r->left -= *ret_used;
    if (r->left == 0) {
        r->state =
            r->state == SONDE_RESPONSE_LENGTH ? SONDE_RESPONSE_COMPLETE : SONDE_RESPONSE_CHUNK_END;
    }
    return pass_body(r, data, *ret_used, err);
}

/* A line with its end, once it is there: 1; 0: not yet. */
static int find_line(struct sonde_response *r, const char *data, size_t length,
                     struct sonde_str *ret, size_t *ret_used, struct sonde_err *err)
{
    const char *end = memchr(data + r->scanned, '\n', length - r->scanned);
    size_t size = end ? (size_t)(end - data) + 1 : 0;
    *ret_used = 0;
    if ((size ? size : length) > SONDE_RESPONSE_LINE_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "a line of a chunked body has more than %d bytes",
                          SONDE_RESPONSE_LINE_MAX);
    }
    r->scanned = end ? 0 : length;
    if (!end) {
        return 0;
    }
    *ret_used = size;
    *ret = (struct sonde_str){data, size - 1};
    if (ret->length == 0 || ret->data[ret->length - 1] != '\r') {
        return refuse(err, "a line without a carriage return");
    }
    ret->length--;
    return 1;
}

/* Behind a chunk's size: tokens, and strings in quotes (RFC 9112, 7.1.1). */
static bool are_extensions(struct sonde_str text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool escapes = quoted && c == '\\' && i + 1 < text.length;
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && !is_token(c) && !strchr(";= \t", c)) {
            return false;
        }
        i += escapes;
    }
    return !quoted && !has_control(text.data, text.length);
}

static int take_chunk_size(struct sonde_response *r, const char *data, size_t length,
                           size_t *ret_used, struct sonde_err *err)
{
    struct sonde_str line;
    int code = find_line(r, data, length, &line, ret_used, err);
    if (code <= 0) {
        return code;
    }
    struct sonde_str rest = line;
    struct sonde_str digits = sonde_str_split(&rest, ';');
    if (rest.data) {
        digits = trim_blank(digits); /* "bad" whitespace may stand before an extension */
    }
    if (digits.length == 0 || digits.length > 16 || digits.data != line.data ||
        sonde_parse_hex64(digits, &r->left) < 0 || r->left > INT64_MAX) {
        return refuse(err, "the size of a chunk is no hexadecimal number");
    }
    if (rest.data && !are_extensions(rest)) {
        return refuse(err, "malformed extensions of a chunk");
    }
    r->state = r->left ? SONDE_RESPONSE_CHUNK : SONDE_RESPONSE_TRAILERS;
    r->trailers = 0;
    return 0;
}

static int take_chunk_end(struct sonde_response *r, const char *data, size_t length,
                          size_t *ret_used, struct sonde_err *err)
{
    static const char end[] = {'\r', '\n'};
    size_t known = length < sizeof(end) ? length : sizeof(end);
    *ret_used = 0;
    if (memcmp(data, end, known) != 0) {
        return refuse(err, "a chunk is longer than its size");
    }
    r->scanned = known < sizeof(end) ? known : 0;
    if (known == sizeof(end)) {
        *ret_used = sizeof(end);
        r->state = SONDE_RESPONSE_CHUNK_SIZE;
    }
    return 0;
}

static int take_trailer(struct sonde_response *r, const char *data, size_t length, size_t *ret_used,
                        struct sonde_err *err)
{
    struct sonde_str line;
    struct sonde_str name;
    struct sonde_str value;
    int code = find_line(r, data, length, &line, ret_used, err);
    if (code <= 0) {
        return code;
    }
    r->trailers += *ret_used;
    if (r->trailers > SONDE_RESPONSE_LINE_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0, "trailers of more than %d bytes",
                          SONDE_RESPONSE_LINE_MAX);
    }
    if (line.length == 0) {
        r->state = SONDE_RESPONSE_COMPLETE;
        return 0;
    }
    code = split_field(line, &name, &value, err);
    return code < 0 ? code : pass_field(r, name, value, err);
}

static int take_rest(struct sonde_response *r, const char *data, size_t length, size_t *ret_used,
                     struct sonde_err *err)
{
    *ret_used = length;
    return pass_body(r, data, length, err);
}

/* ---- all of it ---- */

void sonde_response_begin(struct sonde_response *response, enum sonde_request_kind kind,
                          const struct sonde_response_observer *observer)
{
    *response = (struct sonde_response){.kind = kind, .observer = observer};
}

int sonde_response_feed(struct sonde_response *response, const char *data, size_t length,
                        size_t *ret_used, struct sonde_err *err)
{
    static int (*const takes[])(struct sonde_response *, const char *, size_t, size_t *,
                                struct sonde_err *) = {
        [SONDE_RESPONSE_HEAD] = take_head,
        [SONDE_RESPONSE_LENGTH] = take_known,
        [SONDE_RESPONSE_CHUNK_SIZE] = take_chunk_size,
        [SONDE_RESPONSE_CHUNK] = take_known,
        [SONDE_RESPONSE_CHUNK_END] = take_chunk_end,
        [SONDE_RESPONSE_TRAILERS] = take_trailer,
        [SONDE_RESPONSE_TO_CLOSE] = take_rest,
    };
    *ret_used = 0;
    while (*ret_used < length && response->state != SONDE_RESPONSE_COMPLETE) {
        size_t used;
        int code =
            takes[response->state](response, data + *ret_used, length - *ret_used, &used, err);
        if (code < 0) {
            return code;
        }
        *ret_used += used;
        response->wire += used;
        if (used == 0) {
            break; /* more is needed */
        }
    }
    return 0;
}

int sonde_response_closed(struct sonde_response *response, struct sonde_err *err)
{
    if (response->state == SONDE_RESPONSE_TO_CLOSE) {
        response->state = SONDE_RESPONSE_COMPLETE;
    }
    return response->state == SONDE_RESPONSE_COMPLETE
               ? 0
               : sonde_fail(err, SONDE_EPROTOCOL, 0,
                            sonde_response_begun(response)
                                ? "the connection was closed in the middle of a response"
                                : "the connection was closed before a response");
}
