/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 §4 and §5). */
#ifndef SONDE_CODEC_BASE64_H
#define SONDE_CODEC_BASE64_H

#include "base/buf.h"

/* Appends the decoded bytes. Both alphabets and missing padding are accepted; any other byte,
 * or bits left over that are not zero, give SONDE_EPARSE. */
int sonde_base64_decode(struct sonde_str text, struct sonde_buf *ret,
                        struct sonde_err *err) SONDE_MUST_CHECK;

/* Appends the standard alphabet with padding. Errors are the buffer's. */
void sonde_base64_encode(struct sonde_str bytes, struct sonde_buf *ret);

#endif
