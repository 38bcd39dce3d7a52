/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/node.h"

const struct sonde_node *sonde_node_find(const struct sonde_node *node, const char *key)
{
    if (!node || node->type != SONDE_NODE_MAP) {
        return NULL;
    }
    for (const struct sonde_node *entry = node->first; entry; entry = entry->next) {
        if (sonde_str_is(entry->key, key)) {
            return entry;
        }
    }
    return NULL;
}

const char *sonde_node_type_name(enum sonde_node_type type)
{
    static const char *const names[] = {
        [SONDE_NODE_NULL] = "nothing",
        [SONDE_NODE_BOOLEAN] = "true or false",
        [SONDE_NODE_INTEGER] = "a whole number",
        [SONDE_NODE_NUMBER] = "a number",
        [SONDE_NODE_STRING] = "text",
        [SONDE_NODE_LIST] = "a list",
        [SONDE_NODE_MAP] = "a map of fields",
    };
    return names[type];
}

/* With a point or an exponent, so that it is read back as a number that is not whole. */
static void print_number(double number, struct sonde_buf *buf)
{
    enum { DIGITS_SURE = 15, DIGITS_MOST = 17 }; /* kept by a double, and that tell all apart */
    char text[32];
    double again = 0;
    for (int digits = DIGITS_SURE; digits <= DIGITS_MOST; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (sonde_parse_double(sonde_str(text), &again) == 0 && again == number) {
            break;
        }
    }
    sonde_buf_text(buf, text);
    sonde_buf_text(buf, strpbrk(text, ".e") ? "" : ".0");
}

static void print_scalar(const struct sonde_node *node, struct sonde_buf *buf)
{
    switch (node->type) {
    case SONDE_NODE_BOOLEAN:
        sonde_buf_text(buf, node->boolean ? "true" : "false");
        break;
    case SONDE_NODE_INTEGER:
        sonde_buf_printf(buf, "%lld", (long long)node->integer);
        break;
    case SONDE_NODE_NUMBER:
        print_number(node->number, buf);
        break;
    case SONDE_NODE_STRING:
        sonde_buf_json_string(buf, node->text);
        break;
    default:
        sonde_buf_text(buf, "null");
    }
}

void sonde_node_print_json(const struct sonde_node *node, struct sonde_buf *buf)
{
    if (node->type != SONDE_NODE_LIST && node->type != SONDE_NODE_MAP) {
        print_scalar(node, buf);
        return;
    }
    bool map = node->type == SONDE_NODE_MAP;
    sonde_buf_char(buf, map ? '{' : '[');
    for (const struct sonde_node *entry = node->first; entry; entry = entry->next) {
        if (entry != node->first) {
            sonde_buf_char(buf, ',');
        }
        if (map) {
            sonde_buf_json_string(buf, entry->key);
            sonde_buf_char(buf, ':');
        }
        sonde_node_print_json(entry, buf); /* as deep as a document may be */
    }
    sonde_buf_char(buf, map ? '}' : ']');
}
