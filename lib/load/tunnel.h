/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a connection through a proxy (CONNECT: RFC 9110, 9.3.6). For lib/load alone. */
#ifndef SONDE_LOAD_TUNNEL_H
#define SONDE_LOAD_TUNNEL_H

#include "load/response.h"
#include "load/transport.h"

enum { TUNNEL_BUFFER_SIZE = SONDE_RESPONSE_HEAD_MAX + 1 };

/* Writes what the proxy is asked to a socket that was just connected. False: it did not take it. */
bool tunnel_ask(struct sonde_response *response, int fd, struct sonde_str ask);

/* Takes what has come of the proxy's answer, and nothing of what is behind it, which is the
 * server's. buffer: of TUNNEL_BUFFER_SIZE bytes. ended: the proxy has closed. Failed: *ret. */
enum transport_step tunnel_take(struct sonde_response *response, int fd, char *buffer, bool ended,
                                enum sonde_load_error *ret);

#endif
