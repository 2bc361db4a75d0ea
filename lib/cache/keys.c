/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys: see the header, which has the form of each key. No store, no clock.
 */
#include "config.h"

#include "cache/keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
    KIND_WORLD = 's',
    KIND_CORRESPONDENT = 'c',
    PORT_BEGIN = '#', /* in a host's key */
};

static const char ONETIME_KINDS[] = {
    [ONETIME_BATV] = 'b',
    [ONETIME_SRS] = 's',
    [ONETIME_VERP] = 'v',
};

/* Of a key that snprintf has written: len is what that returned. */
static enum rb_error check_length(int len, char key[CACHE_KEY_MAX + 1])
{
    if (len > 0 && len <= CACHE_KEY_MAX)
        return RB_OK;
    key[0] = '\0';
    return RB_ERR_TOO_LONG;
}

enum rb_error cache_address_key(const char *relay, const char *address, char key[CACHE_KEY_MAX + 1])
{
    char name[RELAY_NAME_MAX + 1];
    key[0] = '\0';
    if (address[0] == '\0')
        return RB_ERR_ARGUMENT;
    relay_name(relay, name);
    return check_length(name[0] != '\0'
                            ? snprintf(key, CACHE_KEY_MAX + 1, "%c%s%c%s", KEYS_RELAY, name,
                                       KEYS_RELAY_END, address)
                            : snprintf(key, CACHE_KEY_MAX + 1, "%c%s", KIND_WORLD, address),
                        key);
}

enum rb_error cache_correspondent_key(const char *address, char key[CACHE_KEY_MAX + 1])
{
    const enum rb_error error = cache_address_key(NULL, address, key);
    if (error == RB_OK)
        key[0] = KIND_CORRESPONDENT;
    return error;
}

bool cache_is_correspondent_key(const char *key)
{
    return key[0] == KIND_CORRESPONDENT;
}

bool cache_split_address_key(const char *key, char relay[CACHE_KEY_MAX + 1], const char **address)
{
    relay[0] = '\0';
    *address = key + 1;
    if (key[0] == KIND_WORLD || key[0] == KIND_CORRESPONDENT)
        return true;
    const char *end = strchr(key, KEYS_RELAY_END);
    if (key[0] != KEYS_RELAY || end == NULL)
        return false;
    *address = end + 1;
    return text_copy_part(relay, CACHE_KEY_MAX + 1, key + 1, (size_t)(end - key) - 1);
}

enum rb_error cache_facts_key(const char *relay, const char *domain, char key[CACHE_KEY_MAX + 1])
{
    char name[RELAY_NAME_MAX + 1];
    relay_name(relay, name);
    return check_length(
        name[0] != '\0' ? snprintf(key, CACHE_KEY_MAX + 1, "%s%c%s", domain, KEYS_RELAY_END, name)
                        : snprintf(key, CACHE_KEY_MAX + 1, "%s", domain),
        key);
}

bool cache_split_facts_key(const char *key, char domain[RB_DOMAIN_MAX + 1],
                           char relay[RELAY_NAME_MAX + 1])
{
    const char *end = strchr(key, KEYS_RELAY_END);
    const size_t len = end != NULL ? (size_t)(end - key) : strlen(key);
    relay[0] = '\0';
    if (len == 0 || !text_copy_part(domain, RB_DOMAIN_MAX + 1, key, len))
        return false;
    return end == NULL || text_copy(relay, RELAY_NAME_MAX + 1, end + 1);
}

enum rb_error cache_onetime_key(enum onetime_kind kind, const char *class_key,
                                char key[CACHE_KEY_MAX + 1])
{
    key[0] = '\0';
    if (kind == ONETIME_NONE || (unsigned)kind >= sizeof ONETIME_KINDS)
        return RB_ERR_ARGUMENT;
    if (class_key[0] == '\0')
        return RB_ERR_TOO_LONG;
    return check_length(snprintf(key, CACHE_KEY_MAX + 1, "%c%s", ONETIME_KINDS[kind], class_key),
                        key);
}

enum onetime_kind cache_split_onetime_key(const char *key, const char **class_key)
{
    *class_key = NULL;
    for (unsigned kind = ONETIME_BATV; kind < sizeof ONETIME_KINDS; kind++)
        if (key[0] == ONETIME_KINDS[kind]) {
            *class_key = key + 1;
            return (enum onetime_kind)kind;
        }
    return ONETIME_NONE;
}

static bool host_key_of_path(const char *text, char key[CACHE_KEY_MAX + 1])
{
    struct relay_target target;
    return relay_target_read(text, strlen(text), &target) && target.path[0] != '\0' &&
           snprintf(key, CACHE_KEY_MAX + 1, "unix:%s", target.path) > 0;
}

static bool is_port(const char *text)
{
    unsigned port;
    return text[0] != '0' && text_number(text, strlen(text), UINT16_MAX, &port);
}

bool cache_host_key(const char *text, char key[CACHE_KEY_MAX + 1])
{
    char ip[INET6_ADDRSTRLEN];
    unsigned char octets[sizeof(struct in6_addr)];
    const size_t len = strcspn(text, "#");
    const bool has_port = text[len] == PORT_BEGIN; /* of a relay's host */
    if (strncmp(text, "unix:", 5) == 0)
        return host_key_of_path(text, key);
    if ((has_port && !is_port(text + len + 1)) || !text_copy_part(ip, sizeof ip, text, len))
        return false;
    const int family = inet_pton(AF_INET, ip, octets) == 1    ? AF_INET
                       : inet_pton(AF_INET6, ip, octets) == 1 ? AF_INET6
                                                              : AF_UNSPEC;
    if (family == AF_UNSPEC || inet_ntop(family, octets, ip, sizeof ip) == NULL)
        return false;
    return snprintf(key, CACHE_KEY_MAX + 1, "%s%s", ip, text + len) > 0;
}

bool cache_verb_key_is_of(const char *key, const char *domain)
{
    static const char mx[] = "mx:";
    const size_t len = strlen(domain);
    if (strncmp(key, mx, sizeof mx - 1) == 0)
        return strcmp(key + sizeof mx - 1, domain) == 0;
    return strncmp(key, domain, len) == 0 && (key[len] == '\0' || key[len] == ':');
}
