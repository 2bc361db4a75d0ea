/* SPDX-License-Identifier: BSD-2-Clause */
/* guard: see guard.h. */
#include "config.h"

#include "http/guard.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "mail/netguard.h"

enum { HOST_MAX = 255 };

static bool is_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if (!char_is_letter(*c) && !char_is_digit(*c) && !char_is_in(*c, "-._"))
            return false;
    return name[0] != '\0';
}

static bool is_port(const char *text)
{
    const size_t len = strlen(text);
    unsigned port;

    return len == 0 || text_number(text, len, 65535, &port);
}

/* "host:port", "[v6]:port": the host alone, without brackets. False: it is no such thing. */
static bool split(const char *text, char host[HOST_MAX + 1], bool *is_bracketed)
{
    const char *end;

    *is_bracketed = text[0] == '[';
    text += *is_bracketed;
    end = text + strcspn(text, *is_bracketed ? "]" : ":");
    if (!text_copy_part(host, HOST_MAX + 1, text, (size_t)(end - text)))
        return false;
    if (*is_bracketed && *end++ != ']')
        return false;
    return *end == '\0' || (*end == ':' && is_port(end + 1));
}

static bool is_our_address(const struct sockaddr_storage *address, const struct guard_names *names)
{
    const struct sockaddr *any = (const struct sockaddr *)address;
    struct ip ip;

    return ip_from_sockaddr(any, &ip) &&
           (ip_is_loopback(&ip) || ip_is_same(&ip, names->local) ||
            netguard_is_in_any(names->allowed->items, names->allowed->count, any));
}

/* Without regard to case and to a dot at the end. */
static bool is_same_name(const char *name, size_t len, const char *other)
{
    return other[0] != '\0' && strlen(other) == len && strncasecmp(name, other, len) == 0;
}

static bool is_our_name(const char *name, const struct guard_names *names)
{
    static const char below[] = ".localhost";
    const size_t len = strlen(name) - (name[strlen(name) - 1] == '.');

    return is_same_name(name, len, "localhost") || is_same_name(name, len, names->hostname) ||
           is_same_name(name, len, names->machine) ||
           (len >= sizeof below &&
            strncasecmp(name + len - (sizeof below - 1), below, sizeof below - 1) == 0);
}

enum guard_verdict guard_judge(const char *text, const struct guard_names *names)
{
    struct sockaddr_storage address;
    char host[HOST_MAX + 1];
    bool is_bracketed, is_ours;

    if (!split(text, host, &is_bracketed))
        return GUARD_WRONG;
    if (ip_sockaddr_parse(host, &address)) {
        if (is_bracketed != (address.ss_family == AF_INET6))
            return GUARD_WRONG;
        is_ours = names->local == NULL || is_our_address(&address, names);
    } else {
        if (is_bracketed || !is_name(host))
            return GUARD_WRONG;
        is_ours = names->local == NULL || is_our_name(host, names);
    }
    return is_ours ? GUARD_OURS : GUARD_FOREIGN;
}
