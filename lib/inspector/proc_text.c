/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/proc_text.h"

#include <stddef.h>

/* The text behind "Name:" up to the end of its line, trimmed. */
static bool line_of(struct sonde_str text, const char *name, struct sonde_str *ret)
{
    while (text.length) {
        struct sonde_str line = sonde_str_split(&text, '\n');
        if (sonde_str_starts(line, name)) {
            size_t skip = strlen(name);
            *ret = sonde_str_trim((struct sonde_str){line.data + skip, line.length - skip});
            return true;
        }
    }
    return false;
}

/* Takes the next word, separated by spaces and tabs. */
static struct sonde_str word(struct sonde_str *rest)
{
    size_t start = 0;
    while (start < rest->length && (rest->data[start] == ' ' || rest->data[start] == '\t')) {
        start++;
    }
    size_t end = start;
    while (end < rest->length && rest->data[end] != ' ' && rest->data[end] != '\t') {
        end++;
    }
    struct sonde_str found = {rest->data + start, end - start};
    rest->data += end;
    rest->length -= end;
    return found;
}

static bool number(struct sonde_str text, uint64_t max, uint64_t *ret)
{
    return sonde_parse_u64(text, 0, max, ret) == 0;
}

int sonde_proc_status_parse(struct sonde_str text, struct sonde_proc_status *ret,
                            struct sonde_err *err)
{
    struct sonde_str line;
    struct sonde_proc_status status = {0};
    uint64_t value;
    if (!line_of(text, "Uid:", &line) || (word(&line), !number(word(&line), UINT32_MAX, &value))) {
        return sonde_fail(err, SONDE_EPARSE, 0, "/proc status: no Uid");
    }
    status.uid = (uid_t)value;
    if (!line_of(text, "PPid:", &line) || !number(line, INT32_MAX, &value)) {
        return sonde_fail(err, SONDE_EPARSE, 0, "/proc status: no PPid");
    }
    status.parent = (pid_t)value;
    if (!line_of(text, "SigCgt:", &line) || sonde_parse_hex64(line, &status.caught_signals) < 0) {
        return sonde_fail(err, SONDE_EPARSE, 0, "/proc status: no SigCgt");
    }
    if (line_of(text, "NSpid:", &line)) {
        while (line.length && number(word(&line), INT32_MAX, &value)) {
            status.inner_pid = (pid_t)value;
            status.namespaces++;
        }
    }
    *ret = status;
    return 0;
}

int sonde_proc_start_time(struct sonde_str text, uint64_t *ret, struct sonde_err *err)
{
    enum { FIELD_BEHIND_NAME = 20 }; /* field 22, the state behind the name being field 3 */
    const char *end = text.length ? memrchr(text.data, ')', text.length) : NULL;
    if (end) {
        struct sonde_str rest = {end + 1, (size_t)(text.data + text.length - end) - 1};
        for (int i = 1; i < FIELD_BEHIND_NAME; i++) {
            (void)word(&rest);
        }
        if (number(word(&rest), UINT64_MAX, ret)) {
            return 0;
        }
    }
    return sonde_fail(err, SONDE_EPARSE, 0, "/proc stat: no start time");
}

/* "0100007F:240D" or 32 digits for IPv6; addresses stand in the machine's byte order. */
static bool address(struct sonde_str text, struct sonde_proc_socket *ret)
{
    struct sonde_str ip = sonde_str_split(&text, ':');
    uint64_t port;
    if (sonde_parse_hex64(text, &port) < 0 || port > UINT16_MAX) {
        return false;
    }
    ret->port = (uint16_t)port;
    if (ip.length == 8) {
        ret->loopback = sonde_str_ends(ip, "7F");
        return true;
    }
    ret->loopback = sonde_str_is(ip, "00000000000000000000000001000000") ||
                    (sonde_str_starts(ip, "0000000000000000FFFF0000") && sonde_str_ends(ip, "7F"));
    return ip.length == 32;
}

int sonde_proc_socket_next(struct sonde_str *rest, struct sonde_proc_socket *ret)
{
    while (rest->length) {
        struct sonde_str line = sonde_str_split(rest, '\n');
        struct sonde_proc_socket found = {0};
        uint64_t state;
        (void)word(&line); /* its number */
        bool good = address(word(&line), &found);
        (void)word(&line); /* the remote address */
        good = good && sonde_parse_hex64(word(&line), &state) == 0;
        for (int i = 0; i < 5; i++) { /* queues, timer, retransmits, uid, timeout */
            (void)word(&line);
        }
        if (good && number(word(&line), UINT64_MAX, &found.inode)) {
            found.state = (unsigned)state;
            *ret = found;
            return 1;
        }
    }
    return 0;
}

bool sonde_proc_socket_inode(struct sonde_str link, uint64_t *ret)
{
    if (!sonde_str_starts(link, "socket:[") || !sonde_str_ends(link, "]")) {
        return false;
    }
    return number((struct sonde_str){link.data + 8, link.length - 9}, UINT64_MAX, ret);
}

/* Options of Node.js whose value is the next argument. */
static bool takes_value(struct sonde_str option)
{
    static const char *const names[] = {"-r",
                                        "--require",
                                        "--import",
                                        "--loader",
                                        "--experimental-loader",
                                        "-C",
                                        "--conditions",
                                        "--env-file",
                                        "--title",
                                        "--icu-data-dir",
                                        "--openssl-config",
                                        "--redirect-warnings"};
    for (size_t i = 0; i < SONDE_LENGTH(names); i++) {
        if (sonde_str_is(option, names[i])) {
            return true;
        }
    }
    return false;
}

struct sonde_str sonde_proc_node_script(struct sonde_str cmdline)
{
    (void)sonde_str_split(&cmdline, '\0');
    while (cmdline.length) {
        struct sonde_str argument = sonde_str_split(&cmdline, '\0');
        if (sonde_str_is(argument, "-e") || sonde_str_is(argument, "--eval") ||
            sonde_str_is(argument, "-p") || sonde_str_is(argument, "--print")) {
            break;
        }
        if (takes_value(argument)) {
            (void)sonde_str_split(&cmdline, '\0');
        } else if (argument.length && argument.data[0] != '-') {
            return argument;
        }
    }
    return (struct sonde_str){0};
}

int sonde_proc_inspect_option(struct sonde_str arguments, char separator)
{
    int found = -1;
    while (arguments.length) {
        struct sonde_str value = sonde_str_split(&arguments, separator);
        struct sonde_str name = sonde_str_split(&value, '=');
        if (sonde_str_is(name, "--")) {
            break;
        }
        if (!sonde_str_starts(name, "--inspect") && !sonde_str_is(name, "--debug-port")) {
            continue;
        }
        /* "9230", "host:9230" or "[::1]:9230" */
        const char *colon = value.length ? memrchr(value.data, ':', value.length) : NULL;
        if (colon) {
            size_t skip = (size_t)(colon - value.data) + 1;
            value = (struct sonde_str){value.data + skip, value.length - skip};
        }
        uint64_t port;
        if (number(value, UINT16_MAX, &port)) {
            found = (int)port;
        }
    }
    return found;
}

uint16_t sonde_proc_inspect_port(struct sonde_str arguments, char separator)
{
    int port = sonde_proc_inspect_option(arguments, separator);
    return port > 0 ? (uint16_t)port : 0;
}

struct sonde_str sonde_proc_variable(struct sonde_str environ_text, const char *name)
{
    while (environ_text.length) {
        struct sonde_str value = sonde_str_split(&environ_text, '\0');
        if (sonde_str_is(sonde_str_split(&value, '='), name)) {
            return value;
        }
    }
    return (struct sonde_str){0};
}
