/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as two kubeconfigs, divided at the first zero byte. What is accepted can be used: an
 * address, a namespace, texts on one line. */
#include <stdlib.h>

#include "kube/config.h"
#include "kube/credentials.h"
#include "kube/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void use(const struct sonde_kube_config *config)
{
    struct sonde_str server = sonde_str(config->server);
    must(sonde_str_starts(server, "https://") || sonde_str_starts(server, "http://"));
    must(!strpbrk(config->server, " \r\n\t@?#"));
    must(sonde_kube_is_label(sonde_str(config->namespace)));
    must(!config->token || !strpbrk(config->token, " \r\n\t"));
    must(!config->ca.file || !config->ca.data.length);
    if (config->exec) {
        SONDE_BUF_AUTO info = SONDE_BUF(1 << 22);
        sonde_kube_exec_info(config, config->ca.data, &info);
        must(info.code == 0 && config->exec->arguments[0] && config->exec->environment);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *zero = size ? memchr(text, 0, size) : NULL;
    size_t first = zero ? (size_t)(zero - text) : size;
    const struct sonde_kube_source sources[] = {
        {"one", "/one", {text, first}},
        {"two", "/two", {zero ? zero + 1 : text, zero ? size - first - 1 : 0}},
    };
    struct sonde_kube_config config;
    struct sonde_err err = {0};
    int r = sonde_kube_config_parse(sources, 2, NULL, &config, &err);
    must(r == 0 ? config.server != NULL : err.message[0] != '\0');
    if (r == 0) {
        use(&config);
        sonde_kube_config_fini(&config);
    }
    return 0;
}
