/* SPDX-License-Identifier: Apache-2.0 */
#include "inspector/proc_text.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

int sonde_proc_stat_parse(struct sonde_str text, struct sonde_proc_stat *ret, struct sonde_err *err)
{
    enum { STATE = 3, USER = 14, SYSTEM = 15, START = 22 };
    struct sonde_proc_stat stat = {0};
    bool whole = true;
    const char *end = text.length ? memrchr(text.data, ')', text.length) : NULL;
    struct sonde_str rest = {0};
    if (end) {
        rest = (struct sonde_str){end + 1, (size_t)(text.data + text.length - end) - 1};
    }
    for (int field = STATE; field <= START; field++) {
        struct sonde_str value = word(&rest);
        uint64_t ticks = 0;
        if (field == STATE) {
            whole = value.length == 1;
            stat.state = whole ? value.data[0] : '?';
        } else if (field == USER || field == SYSTEM) {
            whole = whole && number(value, UINT64_MAX / 2, &ticks);
            stat.cpu_ticks += ticks;
        } else if (field == START) {
            whole = whole && number(value, UINT64_MAX, &stat.start_time);
        }
    }
    if (!whole) {
        return sonde_fail(err, SONDE_EPARSE, 0, "/proc stat: no state, times or start");
    }
    *ret = stat;
    return 0;
}

int sonde_proc_schedstat_parse(struct sonde_str text, int64_t *ret_ran_ns, int64_t *ret_wait_ns,
                               struct sonde_err *err)
{
    uint64_t run = 0;
    uint64_t wait = 0;
    if (!number(word(&text), INT64_MAX, &run) || !number(word(&text), INT64_MAX, &wait)) {
        return sonde_fail(err, SONDE_EPARSE, 0, "/proc schedstat: no time to wait");
    }
    *ret_ran_ns = (int64_t)run;
    *ret_wait_ns = (int64_t)wait;
    return 0;
}

/* The bytes of an address of 8 or 32 digits: words of 32 bits in the machine's byte order. */
static bool address_bytes(struct sonde_str digits, uint8_t ret[16])
{
    for (size_t i = 0; i * 8 < digits.length; i++) {
        uint64_t value;
        if (sonde_parse_hex64((struct sonde_str){digits.data + i * 8, 8}, &value) < 0) {
            return false;
        }
        uint32_t part = (uint32_t)value;
        memcpy(ret + i * 4, &part, sizeof(part));
    }
    return true;
}

/* Where a wildcard is reached is the loopback address of its family. */
static void keep_host(int family, const uint8_t *bytes, struct sonde_proc_socket *ret)
{
    static const uint8_t none[16];
    size_t length = family == AF_INET ? 4 : 16;
    if (memcmp(bytes, none, length) == 0) {
        (void)snprintf(ret->host, sizeof(ret->host), family == AF_INET ? "127.0.0.1" : "::1");
    } else {
        (void)inet_ntop(family, bytes, ret->host, sizeof(ret->host));
    }
}

/* "0100007F:240D" or 32 digits for IPv6. */
static bool address(struct sonde_str text, struct sonde_proc_socket *ret)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    struct sonde_str ip = sonde_str_split(&text, ':');
    uint64_t port;
    uint8_t bytes[16] = {0};
    if (sonde_parse_hex64(text, &port) < 0 || port > UINT16_MAX ||
        (ip.length != 8 && ip.length != 32) || !address_bytes(ip, bytes)) {
        return false;
    }
    ret->port = (uint16_t)port;
    const uint8_t *four = ip.length == 8                               ? bytes
                          : memcmp(bytes, mapped, sizeof(mapped)) == 0 ? bytes + 12
                                                                       : NULL;
    ret->loopback = four ? four[0] == 127 : memcmp(bytes, loopback, sizeof(loopback)) == 0;
    keep_host(four ? AF_INET : AF_INET6, four ? four : bytes, ret);
    return true;
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

static bool is_code(struct sonde_str option)
{
    static const char *const names[] = {"-e", "--eval", "-p", "--print", "-pe"};
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
        if (is_code(argument)) {
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

/* Node.js takes '_' for '-' in names of options. */
static bool is_option(struct sonde_str name, const char *option)
{
    size_t length = strlen(option);
    for (size_t i = 2; i < length && i < name.length; i++) {
        if (name.data[i] != option[i] && !(name.data[i] == '_' && option[i] == '-')) {
            return false;
        }
    }
    return name.length == length && sonde_str_starts(name, "--");
}

enum inspect_option { NO_INSPECT, MAY_HAVE_VALUE, NEEDS_VALUE };

static enum inspect_option inspect_option(struct sonde_str name)
{
    static const struct {
        const char *name;
        enum inspect_option kind;
    } table[] = {{"--inspect", MAY_HAVE_VALUE},      {"--inspect-brk", MAY_HAVE_VALUE},
                 {"--inspect-wait", MAY_HAVE_VALUE}, {"--inspect-brk-node", MAY_HAVE_VALUE},
                 {"--inspect-port", NEEDS_VALUE},    {"--debug-port", NEEDS_VALUE}};
    for (size_t i = 0; i < SONDE_LENGTH(table); i++) {
        if (is_option(name, table[i].name)) {
            return table[i].kind;
        }
    }
    return NO_INSPECT;
}

/* "9230", "host", "host:9230" or "[::1]:9230" */
static void keep_host_port(struct sonde_str value, struct sonde_inspect_options *options)
{
    uint64_t port;
    bool bracketed = sonde_str_starts(value, "[");
    const char *colon = value.length ? memrchr(value.data, ':', value.length) : NULL;
    if (bracketed && sonde_str_ends(value, "]")) {
        colon = NULL;
    }
    struct sonde_str host = value;
    struct sonde_str digits = value;
    if (colon) {
        host.length = (size_t)(colon - value.data);
        digits = (struct sonde_str){colon + 1, value.length - host.length - 1};
    }
    bool good = number(digits, UINT16_MAX, &port);
    if (good) {
        options->port_given = true;
        options->port = (uint16_t)port;
    }
    if (!colon && (good || value.length == 0 || number(digits, UINT64_MAX, &port))) {
        return;
    }
    if (bracketed && sonde_str_ends(host, "]")) {
        host = (struct sonde_str){host.data + 1, host.length - 2};
    }
    if (host.length) {
        options->host = host;
    }
}

void sonde_proc_inspect_options(struct sonde_str arguments, char separator,
                                struct sonde_inspect_options *options)
{
    bool command_line = separator == '\0';
    if (command_line) {
        (void)sonde_str_split(&arguments, separator);
    }
    while (arguments.length) {
        struct sonde_str value = sonde_str_split(&arguments, separator);
        struct sonde_str whole = value;
        struct sonde_str name = sonde_str_split(&value, '=');
        enum inspect_option kind = inspect_option(name);
        if (sonde_str_is(name, "--") || (command_line && whole.length && whole.data[0] != '-')) {
            return; /* the script; what follows is its own */
        }
        if (kind != NO_INSPECT) {
            bool next = kind == NEEDS_VALUE && !value.data;
            keep_host_port(next ? sonde_str_split(&arguments, separator) : value, options);
        } else if (takes_value(whole) || is_code(whole)) {
            (void)sonde_str_split(&arguments, separator);
        }
    }
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
