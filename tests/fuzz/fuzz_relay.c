/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relays: whatever is taken for a target is whole, and what is good as a list is the sum of its
 * targets and has a name that fits into keys. Input: a list; the targets are read from octets, the
 * list from what stands before the first NUL.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "mail/relay.h"

const char fuzz_name[] = "relay";

static bool has_any(const char *text, const char *octets)
{
    return strpbrk(text, octets) != NULL;
}

static void check_target(const char *text, size_t len)
{
    struct relay_target target;

    if (!relay_target_read(text, len, &target))
        return;
    HOLDS((target.host[0] == '\0') != (target.path[0] == '\0'));
    HOLDS(strlen(target.host) <= RB_DOMAIN_MAX && strlen(target.path) <= RELAY_PATH_MAX);
    HOLDS(!has_any(target.host, ", \r\n\t<>@[]\"\\/") && !has_any(target.path, ",\r\n\t"));
    if (target.path[0] != '\0')
        HOLDS(target.path[0] == '/' && target.lmtp && target.port == 0);
    else
        HOLDS(!target.lmtp || target.port != 0);
    HOLDS(memchr(text, ',', len) == NULL && memchr(text, '\0', len) == NULL);
}

static void check_name(const char *list)
{
    char name[RELAY_NAME_MAX + 1], again[RELAY_NAME_MAX + 1];

    relay_name(list, name);
    HOLDS(strlen(name) <= RELAY_NAME_MAX && strchr(name, ' ') == NULL);
    HOLDS((name[0] == '\0') == (list[0] == '\0'));
    relay_name(name, again);
    HOLDS(strcmp(name, again) == 0);
}

static void check_list(const char *list)
{
    struct relay_target target;
    unsigned commas = 0, targets = 0;
    const char *at = list;

    for (const char *c = list; *c != '\0'; c++)
        commas += *c == ',';
    while (relay_next(&at, &target))
        targets++;
    HOLDS(*at == '\0' && targets <= commas + 1);
    if (relay_is_good(list) && !relay_is_mx(list))
        HOLDS(targets == commas + 1 && targets <= RELAY_TARGETS_MAX && strlen(list) <= RELAY_MAX);
}

static void check_host(const char *text)
{
    char again[RELAY_HOST_MAX + 1];
    struct relay_target target;

    HOLDS(!relay_is_host(text) || (!relay_is_good(text) && !relay_is_own(text)));
    if (!relay_host_read(text, &target))
        return;
    HOLDS(relay_is_host(text) && target.host[0] != '\0' && target.path[0] == '\0');
    HOLDS(!target.lmtp && !has_any(target.host, ", \r\n\t<>@[]\"\\/"));
    HOLDS(relay_host_write(target.host, target.port, again) && relay_is_host(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char *list = malloc(size + 1);

    HOLDS(list != NULL);
    memcpy(list, data, size);
    list[size] = '\0';
    check_target(text, size);
    check_list(list);
    check_name(list);
    check_host(list);
    free(list);
    return 0;
}
