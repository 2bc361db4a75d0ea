/* SPDX-License-Identifier: BSD-2-Clause */
/* ip: see the header. It must not resolve names, nor judge what an address is good for. */
#include "config.h"

#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

static const struct ip v4_mapped = {{[10] = 0xff, [11] = 0xff}};

struct ip ip_from_v4(const void *v4)
{
    struct ip ip = v4_mapped;

    memcpy(ip.octets + IP_LEN - IP_V4_LEN, v4, IP_V4_LEN);
    return ip;
}

bool ip_from_sockaddr(const struct sockaddr *address, struct ip *ip)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return false;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        *ip = ip_from_v4(&v4.sin_addr);
    } else {
        memcpy(&v6, address, sizeof v6);
        memcpy(ip->octets, &v6.sin6_addr, IP_LEN);
    }
    return true;
}

bool ip_is_v4(const struct ip *ip)
{
    return ip_has_prefix(ip, &v4_mapped, IP_V4_MAPPED_BITS);
}

bool ip_is_loopback(const struct ip *ip)
{
    static const struct ip loopback6 = {{[IP_LEN - 1] = 1}};

    return ip_is_v4(ip) ? ip_v4(ip)[0] == 127 : ip_is_same(ip, &loopback6);
}

const uint8_t *ip_v4(const struct ip *ip)
{
    return ip->octets + IP_LEN - IP_V4_LEN;
}

bool ip_is_same(const struct ip *a, const struct ip *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void ip_text(const struct ip *ip, char text[INET6_ADDRSTRLEN])
{
    if (ip_is_v4(ip))
        (void)inet_ntop(AF_INET, ip_v4(ip), text, INET6_ADDRSTRLEN);
    else
        (void)inet_ntop(AF_INET6, ip->octets, text, INET6_ADDRSTRLEN);
}

bool ip_has_prefix(const struct ip *ip, const struct ip *prefix, unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(ip->octets, prefix->octets, whole) != 0)
        return false;
    return rest == 0 || (ip->octets[whole] ^ prefix->octets[whole]) >> (8 - rest) == 0;
}

struct sockaddr_storage ip_to_sockaddr(const struct ip *ip)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    memcpy(&v4.sin_addr, ip_v4(ip), sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, ip->octets, sizeof v6.sin6_addr);
    if (ip_is_v4(ip))
        memcpy(&address, &v4, sizeof v4);
    else
        memcpy(&address, &v6, sizeof v6);
    return address;
}

bool ip_sockaddr_parse(const char *text, struct sockaddr_storage *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    *address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(address, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(address, &v6, sizeof v6);
    return address->ss_family != AF_UNSPEC;
}

socklen_t ip_sockaddr_size(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

uint16_t ip_sockaddr_port(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

void ip_sockaddr_set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(port);
}

bool ip_sockaddr_is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    struct ip one, other;

    return ip_from_sockaddr((const struct sockaddr *)a, &one) &&
           ip_from_sockaddr((const struct sockaddr *)b, &other) && ip_is_same(&one, &other) &&
           ip_sockaddr_port(a) == ip_sockaddr_port(b);
}
