/* SPDX-License-Identifier: Apache-2.0 */
/* Programs without a server have GnuTLS in them only because libcurl can do protocols that we do
 * not speak (RTMP, LDAP); https is OpenSSL's. As soon as it is loaded it makes itself ready, which
 * takes a MiB, unless the program says that it need not. */
#include <gnutls/gnutls.h>

#pragma GCC visibility push(default)
GNUTLS_SKIP_GLOBAL_INIT
#pragma GCC visibility pop
