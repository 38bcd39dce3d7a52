/* SPDX-License-Identifier: Apache-2.0 */
/* load_server [DELAY_US]: what is loaded. One thread that answers each request of HTTP/1.1 without
 * a body, pipelined ones too, with the same few bytes, so many microseconds after it has come. It
 * listens on a free port of 127.0.0.1, and prints it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/str.h"

enum {
    CONNECTIONS_MAX = 1 << 16, /* by their descriptors */
    LATER_MAX = 1 << 20,       /* answers that wait; a power of 2 */
    EVENTS = 256,
    READ_SIZE = 64 << 10,
    BLOCK = 64, /* answers of one write */
    BACKLOG = 4096,
    DELAY_MAX_US = 60 * 1000 * 1000,
};

/* What Node.js sends with a short text. */
static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: text/plain\r\n"
                             "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                             "Connection: keep-alive\r\n"
                             "Keep-Alive: timeout=5\r\n"
                             "Content-Length: 13\r\n"
                             "\r\n"
                             "Hello, world\n";
enum { ANSWER = sizeof(answer) - 1 };

struct connection {
    uint32_t number; /* of those that had this descriptor */
    uint32_t line;   /* bytes of the line so far: 0 and 1 are what an empty one has */
    size_t owed;     /* bytes of answers that are not sent */
};

/* Answers to one read, when they wait. */
struct later {
    int64_t due_ns;
    int fd;
    uint32_t number;
    size_t count;
};

static struct connection connections[CONNECTIONS_MAX];
static struct later later[LATER_MAX]; /* in the order of their times */
static size_t later_first, later_end; /* never wrapped */
static char block[BLOCK * ANSWER];
static int64_t delay_ns;
static int poll_fd;

static void send_owed(int fd)
{
    struct connection *c = &connections[fd];
    while (c->owed) {
        /* Blocks end where answers do. */
        size_t from = (sizeof(block) - c->owed % sizeof(block)) % sizeof(block);
        ssize_t sent = send(fd, block + from, sizeof(block) - from, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; /* the socket is full, or will be closed when it is read */
        }
        c->owed -= (size_t)sent;
    }
}

/* How many heads end in it: requests without a body. */
static size_t count_requests(struct connection *c, const char *data, size_t length)
{
    size_t count = 0;
    const char *end = data + length;
    while (data < end) {
        const char *feed = memchr(data, '\n', (size_t)(end - data));
        if (!feed) {
            c->line += (uint32_t)(end - data);
            break;
        }
        count += c->line + (size_t)(feed - data) <= 1;
        c->line = 0;
        data = feed + 1;
    }
    return count;
}

static void answer_them(int fd, size_t count)
{
    struct connection *c = &connections[fd];
    if (count == 0) {
        return;
    }
    if (delay_ns == 0) {
        c->owed += count * ANSWER;
        send_owed(fd);
    } else if (later_end - later_first < LATER_MAX) {
        later[later_end++ % LATER_MAX] =
            (struct later){sonde_clock_monotonic() + delay_ns, fd, c->number, count};
    }
}

static void answer_due(void)
{
    int64_t now_ns = sonde_clock_monotonic();
    while (later_first < later_end && later[later_first % LATER_MAX].due_ns <= now_ns) {
        const struct later *next = &later[later_first++ % LATER_MAX];
        if (connections[next->fd].number == next->number) {
            connections[next->fd].owed += next->count * ANSWER;
            send_owed(next->fd);
        }
    }
}

static void read_socket(int fd)
{
    static char data[READ_SIZE];
    struct connection *c = &connections[fd];
    for (ssize_t got = sizeof(data); got == sizeof(data);) {
        got = recv(fd, data, sizeof(data), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            c->number++;
            (void)close(fd);
            return;
        }
        answer_them(fd, got > 0 ? count_requests(c, data, (size_t)got) : 0);
    }
}

static void accept_all(int listener)
{
    const int on = 1;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
        if (fd >= CONNECTIONS_MAX || epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
            (void)close(fd);
            continue;
        }
        connections[fd] = (struct connection){.number = connections[fd].number + 1};
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}

static int serve(int listener)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        struct timespec wait = {60, 0};
        if (later_first < later_end) {
            int64_t left = later[later_first % LATER_MAX].due_ns - sonde_clock_monotonic();
            left = left < 0 ? 0 : left;
            wait = (struct timespec){left / SONDE_SECOND, left % SONDE_SECOND};
        }
        int count = epoll_pwait2(poll_fd, events, EVENTS, &wait, NULL);
        if (count < 0 && errno != EINTR) {
            perror("load_server: epoll_pwait2");
            return 1;
        }
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(listener);
                continue;
            }
            send_owed(fd);
            if (events[i].events & ~(uint32_t)EPOLLOUT) {
                read_socket(fd);
            }
        }
        answer_due();
    }
}

/* The descriptor of a socket that listens and is polled, or −1. */
static int listen_anywhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, length) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &length) < 0 ||
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        perror("load_server: listen");
        return -1;
    }
    (void)printf("%d\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    return fd;
}

int main(int count, char **arguments)
{
    uint64_t delay_us = 0;
    if (count > 1 && sonde_parse_u64(sonde_str(arguments[1]), 0, DELAY_MAX_US, &delay_us) < 0) {
        (void)fputs("usage: load_server [DELAY_US]\n", stderr);
        return 2;
    }
    delay_ns = (int64_t)delay_us * SONDE_MICROSECOND;
    struct rlimit files = {CONNECTIONS_MAX, CONNECTIONS_MAX};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    for (size_t i = 0; i < BLOCK; i++) {
        memcpy(block + i * ANSWER, answer, ANSWER);
    }
    int listener = listen_anywhere();
    return listener < 0 ? 1 : serve(listener);
}
