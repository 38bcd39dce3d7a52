/* SPDX-License-Identifier: Apache-2.0 */
/* A proxy between us and a server, which is asked to connect us (RFC 9110, 9.3.6): what is written
 * to it. Pure. */
#ifndef SONDE_LOAD_PROXY_H
#define SONDE_LOAD_PROXY_H

#include "load/target.h"

/* Takes "[http://][user[:password]@]host[:port]" apart, user and password percent-encoded; without
 * a port it is that of the scheme. ret: where the proxy is; its path says nothing. ask: what is
 * written to it for a connection to the target, appended. SONDE_EINVALID with what is wrong, the
 * buffer's errors. Messages leave user and password out. */
int sonde_load_proxy_ask(struct sonde_str text, const struct sonde_load_url *target,
                         struct sonde_load_url *ret, struct sonde_buf *ask,
                         struct sonde_err *err) SONDE_MUST_CHECK;

#endif
