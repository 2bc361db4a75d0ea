/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netguard: see the header. One table of networks that no mail can go to (RFC 6890, RFC 8190, RFC
 * 4291, IANA's special-purpose address registries), and networks. It must not resolve names or
 * connect.
 */
#include "config.h"

#include "mail/netguard.h"

#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/text.h"

enum {
    NETWORK_TEXT_SIZE = 64, /* more than INET6_ADDRSTRLEN and "/128" */
    WHOLE = 0,              /* see struct special */
};

struct special {
    struct ip first;
    uint8_t bits;
    uint8_t v4_at;    /* where the IPv4 address stands that decides; else WHOLE */
    const char *kind; /* "": the network as such may be called */
};

/* clang-format off */
#define V4(a, b, c, d) {{[10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d)}}
/* The first four groups: no network here has a group other than zero behind them. */
#define V6(a, b, c, d) \
    {{(a) >> 8, (a) & 0xff, (b) >> 8, (b) & 0xff, (c) >> 8, (c) & 0xff, (d) >> 8, (d) & 0xff}}
#define LOOPBACK6 {{[15] = 1}}
#define V4BITS(bits) (IP_V4_MAPPED_BITS + (bits))

/* The first row that matches decides: a network stands before those that hold it. */
static const struct special specials[] = {
    /* IPv4 */
    {V4(0, 0, 0, 0),          V4BITS(8),  WHOLE, "unspecified"},    /* RFC 791 3.2 */
    {V4(10, 0, 0, 0),         V4BITS(8),  WHOLE, "private"},        /* RFC 1918 */
    {V4(100, 64, 0, 0),       V4BITS(10), WHOLE, "shared"},         /* RFC 6598: CGN */
    {V4(127, 0, 0, 0),        V4BITS(8),  WHOLE, "loopback"},       /* RFC 1122 3.2.1.3 */
    {V4(169, 254, 0, 0),      V4BITS(16), WHOLE, "link-local"},     /* RFC 3927 */
    {V4(172, 16, 0, 0),       V4BITS(12), WHOLE, "private"},        /* RFC 1918 */
    {V4(192, 0, 0, 0),        V4BITS(24), WHOLE, "protocol"},       /* RFC 6890 2.1 */
    {V4(192, 0, 2, 0),        V4BITS(24), WHOLE, "documentation"},  /* RFC 5737: TEST-NET-1 */
    {V4(192, 88, 99, 0),      V4BITS(24), WHOLE, "6to4 relay"},     /* RFC 7526 */
    {V4(192, 168, 0, 0),      V4BITS(16), WHOLE, "private"},        /* RFC 1918 */
    {V4(198, 18, 0, 0),       V4BITS(15), WHOLE, "benchmarking"},   /* RFC 2544 */
    {V4(198, 51, 100, 0),     V4BITS(24), WHOLE, "documentation"},  /* RFC 5737: TEST-NET-2 */
    {V4(203, 0, 113, 0),      V4BITS(24), WHOLE, "documentation"},  /* RFC 5737: TEST-NET-3 */
    {V4(224, 0, 0, 0),        V4BITS(4),  WHOLE, "multicast"},      /* RFC 5771 */
    {V4(255, 255, 255, 255),  V4BITS(32), WHOLE, "broadcast"},      /* RFC 919 7 */
    {V4(240, 0, 0, 0),        V4BITS(4),  WHOLE, "reserved"},       /* RFC 1112 4 */
    {V4(0, 0, 0, 0),          V4BITS(0),  WHOLE, ""},               /* all other IPv4 */

    /* IPv6 */
    {V6(0, 0, 0, 0),          128,        WHOLE, "unspecified"},    /* RFC 4291 2.5.2 */
    {LOOPBACK6,               128,        WHOLE, "loopback"},       /* RFC 4291 2.5.3 */
    {V6(0, 0, 0, 0),          96,         WHOLE, "v4-compatible"},  /* RFC 4291 2.5.5.1: obsolete */
    {V6(0x64, 0xff9b, 0, 0),  96,         12,    ""},               /* RFC 6052: NAT64 */
    {V6(0x64, 0xff9b, 1, 0),  48,         WHOLE, "private"},        /* RFC 8215: local NAT64 */
    {V6(0x100, 0, 0, 0),      64,         WHOLE, "discard-only"},   /* RFC 6666 */
    {V6(0x100, 0, 0, 1),      64,         WHOLE, "dummy"},          /* RFC 9780 */
    {V6(0x2001, 0, 0, 0),     32,         WHOLE, "teredo"},         /* RFC 4380 */
    {V6(0x2001, 0, 0, 0),     23,         WHOLE, "protocol"},       /* RFC 2928 */
    {V6(0x2001, 0xdb8, 0, 0), 32,         WHOLE, "documentation"},  /* RFC 3849 */
    {V6(0x2002, 0, 0, 0),     16,         2,     ""},               /* RFC 3056: 6to4 */
    {V6(0x3fff, 0, 0, 0),     20,         WHOLE, "documentation"},  /* RFC 9637 */
    {V6(0x5f00, 0, 0, 0),     16,         WHOLE, "routing"},        /* RFC 9602: SRv6 */
    {V6(0xfc00, 0, 0, 0),     7,          WHOLE, "private"},        /* RFC 4193: unique local */
    {V6(0xfe80, 0, 0, 0),     10,         WHOLE, "link-local"},     /* RFC 4291 2.5.6 */
    {V6(0xfec0, 0, 0, 0),     10,         WHOLE, "site-local"},     /* RFC 3879: obsolete */
    {V6(0xff00, 0, 0, 0),     8,          WHOLE, "multicast"},      /* RFC 4291 2.7 */
    {V6(0x2000, 0, 0, 0),     3,          WHOLE, ""},               /* RFC 4291 2.5.4: global */
    {V6(0, 0, 0, 0),          0,          WHOLE, "reserved"},       /* RFC 4291 2.4: all the rest */
};
/* clang-format on */

static bool network_has(const struct rb_network *network, const struct ip *ip)
{
    struct ip prefix;

    /* So that "::/0" in a list of IPv6 networks does not quietly take in all of IPv4. */
    if (network->bits > IP_BITS || (network->bits < IP_V4_MAPPED_BITS && ip_is_v4(ip)))
        return false;
    memcpy(prefix.octets, network->addr, sizeof prefix.octets);
    return ip_has_prefix(ip, &prefix, network->bits);
}

static bool any_network_has(const struct rb_network *networks, size_t count, const struct ip *ip)
{
    for (size_t i = 0; i < count; i++) {
        if (network_has(&networks[i], ip))
            return true;
    }
    return false;
}

/* Never NULL: the last row holds everything. */
static const struct special *find_special(const struct ip *ip)
{
    const struct special *row = specials;

    while (!ip_has_prefix(ip, &row->first, row->bits))
        row++;
    return row;
}

/* The IPv4 address within, when there is one. */
static bool embedded_v4(const struct ip *ip, struct ip *within)
{
    const struct special *row = find_special(ip);

    if (row->v4_at == WHOLE)
        return false;
    *within = ip_from_v4(ip->octets + row->v4_at);
    return true;
}

static const char *kind_of(const struct ip *ip)
{
    struct ip within;

    return find_special(embedded_v4(ip, &within) ? &within : ip)->kind;
}

const char *netguard_kind(const struct sockaddr *address)
{
    struct ip ip;

    return ip_from_sockaddr(address, &ip) ? kind_of(&ip) : "not an IP address";
}

static bool is_own(const struct netguard *guard, const struct ip *ip)
{
    struct ip within;

    return any_network_has(guard->own, guard->own_count, ip) ||
           (embedded_v4(ip, &within) && any_network_has(guard->own, guard->own_count, &within));
}

enum netguard_class netguard_judge(const struct netguard *guard, const struct sockaddr *address)
{
    struct ip ip;

    if (!ip_from_sockaddr(address, &ip))
        return NETGUARD_BOGUS;
    if (any_network_has(guard->allowed, guard->allowed_count, &ip))
        return NETGUARD_CALLABLE;
    /* Before the table: our own address may be a private one, which is no fault of the sender's. */
    if (is_own(guard, &ip))
        return NETGUARD_OWN;
    return kind_of(&ip)[0] == '\0' ? NETGUARD_CALLABLE : NETGUARD_BOGUS;
}

bool netguard_is_in_any(const struct rb_network *networks, size_t count,
                        const struct sockaddr *address)
{
    struct ip ip;

    return ip_from_sockaddr(address, &ip) && any_network_has(networks, count, &ip);
}

static bool has_host_bits(const struct ip *ip, unsigned bits)
{
    for (unsigned bit = bits; bit < IP_BITS; bit++)
        if (ip->octets[bit / 8] & (0x80U >> bit % 8))
            return true;
    return false;
}

/* "24": without leading zeros. */
static bool parse_bits(const char *text, unsigned most, unsigned *bits)
{
    return (text[0] != '0' || text[1] == '\0') && text_number(text, strlen(text), most, bits);
}

enum rb_error rb_network_parse(const char *text, struct rb_network *network)
{
    char copy[NETWORK_TEXT_SIZE];
    struct sockaddr_storage address;
    struct ip ip;

    if (text == NULL || !text_copy(copy, sizeof copy, text))
        return RB_ERR_ARGUMENT;
    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (!ip_sockaddr_parse(copy, &address) || !ip_from_sockaddr((struct sockaddr *)&address, &ip))
        return RB_ERR_ARGUMENT;
    /* What its own notation counts: "::ffff:192.0.2.0/120" has 128 bits, "192.0.2.0/24" has 32. */
    const unsigned bits_max = address.ss_family == AF_INET ? IP_V4_LEN * 8 : IP_BITS;
    unsigned bits = bits_max;
    if (slash != NULL && !parse_bits(slash + 1, bits_max, &bits))
        return RB_ERR_ARGUMENT;
    bits += IP_BITS - bits_max;
    if (has_host_bits(&ip, bits))
        return RB_ERR_ARGUMENT;
    memcpy(network->addr, ip.octets, sizeof network->addr);
    network->bits = (uint8_t)bits;
    return RB_OK;
}

/* An interface's address, when it is one that a stranger could name as a mail host of his. */
static bool is_nameable(const struct ifaddrs *interface, struct ip *ip)
{
    return interface->ifa_addr != NULL && ip_from_sockaddr(interface->ifa_addr, ip) &&
           !ip_is_loopback(ip);
}

enum rb_error netguard_own_addresses(struct rb_network **own, size_t *count)
{
    enum rb_error error = RB_OK;
    struct ifaddrs *all = NULL;
    struct ip ip;
    size_t room = 0;

    *own = NULL;
    *count = 0;
    if (getifaddrs(&all) != 0)
        return RB_ERR_SYSTEM;
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next)
        room += is_nameable(at, &ip);
    if (room == 0)
        goto out;
    *own = calloc(room, sizeof(**own));
    if (*own == NULL) {
        error = RB_ERR_NOMEM;
        goto out;
    }
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        if (!is_nameable(at, &ip))
            continue;
        memcpy((*own)[*count].addr, ip.octets, sizeof ip.octets);
        (*own)[(*count)++].bits = IP_BITS;
    }
out:
    freeifaddrs(all);
    return error;
}
