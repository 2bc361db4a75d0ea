/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netguard: one table of networks that no mail can go to, and the arithmetic of networks (RFC 6890,
 * RFC 8190, RFC 4291, IANA's special-purpose address registries). It must not resolve names or
 * connect.
 *
 * All addresses are handled as 16 octets, IPv4 as v4-mapped IPv6.
 */
#include "config.h"

#include "mail/netguard.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum {
    IP_LEN = 16,
    V4_LEN = 4,
    V4_MAPPED_BITS = 96,    /* an IPv4 prefix of n bits has n + 96 */
    NETWORK_TEXT_SIZE = 64, /* more than INET6_ADDRSTRLEN and "/128" */
    BITS_DIGITS_MAX = 3,
    WHOLE = 0, /* see struct special */
};

struct ip {
    uint8_t octets[IP_LEN];
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
#define V4BITS(bits) (V4_MAPPED_BITS + (bits))

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

static struct ip ip_from_v4(const uint8_t v4[V4_LEN])
{
    struct ip ip = V4(0, 0, 0, 0);

    memcpy(ip.octets + IP_LEN - V4_LEN, v4, V4_LEN);
    return ip;
}

/* False when the family is neither of the two. */
static bool ip_from_sockaddr(const struct sockaddr *address, struct ip *ip)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        *ip = ip_from_v4((const uint8_t *)&v4.sin_addr);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        memcpy(ip->octets, &v6.sin6_addr, IP_LEN);
        return true;
    }
    return false;
}

/* True when the first so many bits are the same. */
static bool has_prefix(const uint8_t ip[IP_LEN], const uint8_t prefix[IP_LEN], unsigned bits)
{
    const unsigned whole = bits / 8;
    const unsigned rest = bits % 8;

    if (memcmp(ip, prefix, whole) != 0)
        return false;
    return rest == 0 || ((ip[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static bool is_v4(const struct ip *ip)
{
    static const struct ip mapped = V4(0, 0, 0, 0);

    return has_prefix(ip->octets, mapped.octets, V4_MAPPED_BITS);
}

static bool network_has(const struct rb_network *network, const struct ip *ip)
{
    /* So that "::/0" in a list of IPv6 networks does not quietly take in all of IPv4. */
    if (network->bits > IP_LEN * 8 || (network->bits < V4_MAPPED_BITS && is_v4(ip)))
        return false;
    return has_prefix(ip->octets, network->addr, network->bits);
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

    while (!has_prefix(ip->octets, row->first.octets, row->bits))
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

bool network_contains(const struct rb_network *network, const struct sockaddr *address)
{
    return networks_contain(network, 1, address);
}

bool networks_contain(const struct rb_network *networks, size_t count,
                      const struct sockaddr *address)
{
    struct ip ip;

    return ip_from_sockaddr(address, &ip) && any_network_has(networks, count, &ip);
}

/* "0" to most, in decimal, without signs, spaces and leading zeros. */
static bool parse_bits(const char *text, unsigned most, unsigned *bits)
{
    const size_t len = strlen(text);
    unsigned value = 0;

    if (len == 0 || len > BITS_DIGITS_MAX || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *bits = value;
    return value <= most;
}

static bool has_host_bits(const uint8_t ip[IP_LEN], unsigned bits)
{
    for (unsigned bit = bits; bit < IP_LEN * 8; bit++) {
        if (ip[bit / 8] & (0x80U >> (bit % 8)))
            return true;
    }
    return false;
}

/* "192.0.2.1" or "2001:db8::1"; *bits_max is how many bits its own notation counts. */
static bool parse_ip(const char *text, struct ip *ip, unsigned *bits_max)
{
    uint8_t v4[V4_LEN];

    if (inet_pton(AF_INET, text, v4) == 1) {
        *ip = ip_from_v4(v4);
        *bits_max = V4_LEN * 8;
        return true;
    }
    *bits_max = IP_LEN * 8;
    return inet_pton(AF_INET6, text, ip->octets) == 1;
}

enum rb_error rb_network_parse(const char *text, struct rb_network *network)
{
    char copy[NETWORK_TEXT_SIZE];
    struct ip ip;
    unsigned bits = 0;
    unsigned bits_max = 0;

    if (text == NULL || !text_copy(copy, sizeof(copy), text))
        return RB_ERR_ARGUMENT;
    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (!parse_ip(copy, &ip, &bits_max))
        return RB_ERR_ARGUMENT;
    if (slash == NULL)
        bits = bits_max;
    else if (!parse_bits(slash + 1, bits_max, &bits))
        return RB_ERR_ARGUMENT;
    bits += IP_LEN * 8 - bits_max;
    if (has_host_bits(ip.octets, bits))
        return RB_ERR_ARGUMENT;
    memcpy(network->addr, ip.octets, IP_LEN);
    network->bits = (uint8_t)bits;
    return RB_OK;
}

/* An interface's address, when it is one that a stranger could name as a mail host of his. */
static bool is_nameable(const struct ifaddrs *interface, struct ip *ip)
{
    return interface->ifa_addr != NULL && ip_from_sockaddr(interface->ifa_addr, ip) &&
           strcmp(kind_of(ip), "loopback") != 0;
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
        memcpy((*own)[*count].addr, ip.octets, IP_LEN);
        (*own)[(*count)++].bits = IP_LEN * 8;
    }
out:
    freeifaddrs(all);
    return error;
}
