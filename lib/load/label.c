/* SPDX-License-Identifier: Apache-2.0 */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "load/engine.h"

/* "10.0.0.7:8080", "[fd00::7]:8080", or the path of a Unix socket. */
static void print_address(const struct sonde_load_address *address, char ret[SONDE_LOAD_LABEL_SIZE])
{
    char host[SONDE_LOAD_LABEL_SIZE] = "?";
    char port[8] = "?";
    if (address->at.ss_family == AF_UNIX) {
        const struct sockaddr_un *at = (const struct sockaddr_un *)&address->at;
        (void)snprintf(ret, SONDE_LOAD_LABEL_SIZE, "%.*s", SONDE_LOAD_LABEL_SIZE - 1, at->sun_path);
        return;
    }
    (void)getnameinfo((const struct sockaddr *)&address->at, address->length, host, sizeof(host),
                      port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    bool brackets = address->at.ss_family == AF_INET6;
    (void)snprintf(ret, SONDE_LOAD_LABEL_SIZE, brackets ? "[%.53s]:%.5s" : "%.53s:%.5s", host,
                   port);
}

int sonde_load_label(struct sonde_load_origin *origin, bool addresses,
                     struct sonde_load_label *labels, size_t *count, struct sonde_err *err)
{
    size_t names = origin->scenario ? origin->scenario->name_count : 0;
    size_t places = addresses ? origin->addresses->count : 0;
    if (*count + names + places > SONDE_LOAD_LABELS_MAX) {
        return sonde_fail(err, SONDE_ELIMIT, 0,
                          "more than %d names of requests and addresses: results cannot tell them "
                          "apart",
                          SONDE_LOAD_LABELS_MAX);
    }
    origin->first_name = names ? (unsigned)*count + 1 : 0;
    for (size_t i = 0; i < names; i++) {
        struct sonde_load_label *label = &labels[(*count)++];
        label->kind = SONDE_LOAD_OF_NAME;
        (void)snprintf(label->text, sizeof(label->text), "%s", origin->scenario->names[i]);
    }
    origin->first_address = places ? (unsigned)*count + 1 : 0;
    for (size_t i = 0; i < places; i++) {
        struct sonde_load_label *label = &labels[(*count)++];
        label->kind = SONDE_LOAD_OF_ADDRESS;
        const struct sonde_load_address *address = &origin->addresses->items[i];
        if (address->name) {
            size_t length = strlen(address->name);
            size_t over = length < sizeof(label->text) ? 0 : length + 1 - sizeof(label->text);
            /* The end of a pod's name tells it from others. */
            (void)snprintf(label->text, sizeof(label->text), "%s", address->name + over);
        } else {
            print_address(address, label->text);
        }
    }
    return 0;
}
