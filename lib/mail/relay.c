/* SPDX-License-Identifier: BSD-2-Clause */
/* relay: see the header. It must not resolve or connect. */
#include "config.h"

#include "mail/relay.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { LMTP_PORT = 24, HASH_OCTETS = 16 };

static const char MX[] = "mx:", HOST[] = "host:";

/* Takes a prefix off a text that begins with it. */
static bool take_prefix(const char **text, size_t *len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);

    if (*len < prefix_len || memcmp(*text, prefix, prefix_len) != 0)
        return false;
    *text += prefix_len;
    *len -= prefix_len;
    return true;
}

static bool read_path(const char *text, size_t len, struct relay_target *target)
{
    if (len == 0 || text[0] != '/')
        return false;
    for (size_t i = 0; i < len; i++) /* a comma would end the target in its list */
        if (text[i] == ',' || (unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    target->lmtp = true;
    return text_copy_part(target->path, sizeof target->path, text, len);
}

static bool read_port(const char *text, size_t len, uint16_t *port)
{
    unsigned number;

    if (!text_number(text, len, UINT16_MAX, &number) || number == 0)
        return false;
    *port = (uint16_t)number;
    return true;
}

/*
 * Moves *text to the host, and returns its length, 0 for none. *skip: octets of the old *text up to
 * where a colon and a port would follow.
 */
static size_t find_host(const char **text, size_t len, size_t *skip)
{
    const char *end;

    if (len > 0 && **text == '[') {
        end = memchr(*text, ']', len);
        if (end == NULL)
            return 0;
        *skip = (size_t)(end - *text) + 1;
        (*text)++;
        return *skip - 2;
    }
    end = memchr(*text, ':', len);
    *skip = end != NULL ? (size_t)(end - *text) : len;
    return *skip;
}

static bool read_host(const char *text, size_t len, struct relay_target *target)
{
    const char *host = text;
    size_t skip = 0, host_octets = find_host(&host, len, &skip);

    if (host_octets == 0 || !text_copy_part(target->host, sizeof target->host, host, host_octets))
        return false;
    for (size_t i = 0; i < host_octets; i++)
        if (host[i] <= ' ' || host[i] > '~' || strchr("#/,\"<>()@[]\\", host[i]) != NULL)
            return false;
    target->port = target->lmtp ? LMTP_PORT : 0;
    return skip == len ||
           (text[skip] == ':' && read_port(text + skip + 1, len - skip - 1, &target->port));
}

bool relay_target_read(const char *text, size_t len, struct relay_target *target)
{
    *target = (struct relay_target){0};
    if (memchr(text, '\0', len) != NULL)
        return false;
    if (take_prefix(&text, &len, "unix:"))
        return read_path(text, len, target);
    if (take_prefix(&text, &len, "lmtp:")) {
        if (take_prefix(&text, &len, "unix:"))
            return read_path(text, len, target);
        target->lmtp = true;
    } else {
        (void)take_prefix(&text, &len, "smtp:");
    }
    return read_host(text, len, target);
}

bool relay_next(const char **at, struct relay_target *target)
{
    while (**at != '\0') {
        const char *text = *at;
        size_t len = strcspn(text, ",");

        *at = text[len] == ',' ? text + len + 1 : text + len;
        if (relay_target_read(text, len, target))
            return true;
    }
    return false;
}

bool relay_is_mx(const char *list)
{
    return list != NULL && strcmp(list, MX) == 0;
}

bool relay_is_own(const char *list)
{
    return list[0] != '\0' && !relay_is_mx(list) && !relay_is_host(list);
}

bool relay_is_host(const char *text)
{
    const size_t prefix_len = sizeof HOST - 1;

    if (strncmp(text, HOST, prefix_len) != 0)
        return false;
    text += prefix_len;
    text += strspn(text, "0123456789");
    return strchr(":,", *text) == NULL; /* a port would end there, or with the text */
}

bool relay_host_read(const char *text, struct relay_target *target)
{
    *target = (struct relay_target){0};
    if (!relay_is_host(text))
        return false;
    text += sizeof HOST - 1;
    return read_host(text, strlen(text), target);
}

bool relay_host_write(const char *host, uint16_t port, char text[RELAY_HOST_MAX + 1])
{
    const bool has_colon = strchr(host, ':') != NULL; /* IPv6 */
    char behind[sizeof ":65535"] = "";
    struct relay_target target;
    int len;

    if (port != 0)
        (void)snprintf(behind, sizeof behind, ":%u", port);
    len = snprintf(text, RELAY_HOST_MAX + 1, "%s%s%s%s%s", HOST, has_colon ? "[" : "", host,
                   has_colon ? "]" : "", behind);
    text_lower(text);
    if (len > 0 && len <= RELAY_HOST_MAX && relay_host_read(text, &target))
        return true;
    text[0] = '\0';
    return false;
}

bool relay_is_good(const char *list)
{
    struct relay_target target;
    unsigned count = 0;

    if (relay_is_mx(list))
        return true;
    if (list[0] == '\0' || strlen(list) > RELAY_MAX)
        return false;
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");

        if (++count > RELAY_TARGETS_MAX || !relay_target_read(at, len, &target))
            return false;
        at += len;
        if (*at == '\0')
            return true;
    }
}

void relay_name(const char *list, char name[RELAY_NAME_MAX + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    name[0] = '\0';
    if (list == NULL || list[0] == '\0' ||
        (strlen(list) <= RELAY_NAME_MAX && strchr(list, ' ') == NULL &&
         text_copy(name, RELAY_NAME_MAX + 1, list)))
        return;
    SHA256((const unsigned char *)list, strlen(list), digest);
    name[0] = '#';
    for (size_t i = 0; i < HASH_OCTETS; i++)
        (void)snprintf(name + 1 + 2 * i, 3, "%02x", digest[i]);
}

bool relay_is_name(const char *text)
{
    if (text[0] != '#')
        return relay_is_good(text) && strlen(text) <= RELAY_NAME_MAX && strchr(text, ' ') == NULL;
    return strlen(text) == 1 + 2 * (size_t)HASH_OCTETS &&
           strspn(text + 1, "0123456789abcdef") == 2 * (size_t)HASH_OCTETS;
}
