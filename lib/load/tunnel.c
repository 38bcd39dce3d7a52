/* SPDX-License-Identifier: Apache-2.0 */
#include "load/tunnel.h"

#include <errno.h>
#include <sys/socket.h>

/* No socket has less room at its beginning. */
bool tunnel_ask(struct sonde_response *response, int fd, struct sonde_str ask)
{
    sonde_response_begin(response, SONDE_REQUEST_CONNECT, NULL);
    return send(fd, ask.data, ask.length, MSG_NOSIGNAL) == (ssize_t)ask.length;
}

/* Takes what there is; *ret_used says of how many bytes. */
static enum transport_step take_some(struct sonde_response *response, int fd, char *buffer,
                                     size_t *ret_used, enum sonde_load_error *ret)
{
    ssize_t got = recv(fd, buffer, TUNNEL_BUFFER_SIZE, MSG_PEEK);
    *ret_used = 0;
    if (got < 0 && errno == EAGAIN) {
        return TRANSPORT_WAIT;
    }
    *ret = SONDE_LOAD_PROXY;
    if (got <= 0) {
        return TRANSPORT_FAILED;
    }
    if (sonde_response_feed(response, buffer, (size_t)got, ret_used, NULL) < 0) {
        *ret = SONDE_LOAD_PROTOCOL;
        return TRANSPORT_FAILED;
    }
    if (recv(fd, buffer, *ret_used, 0) != (ssize_t)*ret_used) {
        return TRANSPORT_FAILED;
    }
    bool tunnel = response->upgraded && response->status / 100 == 2;
    return tunnel                                   ? TRANSPORT_DONE
           : response->state == SONDE_RESPONSE_HEAD ? TRANSPORT_WAIT
                                                    : TRANSPORT_FAILED;
}

enum transport_step tunnel_take(struct sonde_response *response, int fd, char *buffer, bool ended,
                                enum sonde_load_error *ret)
{
    enum transport_step step;
    size_t used;
    do {
        step = take_some(response, fd, buffer, &used, ret);
    } while (step == TRANSPORT_WAIT && used);
    *ret = step == TRANSPORT_WAIT ? SONDE_LOAD_PROXY : *ret;
    return step == TRANSPORT_WAIT && ended ? TRANSPORT_FAILED : step;
}
