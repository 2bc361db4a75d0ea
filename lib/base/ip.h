/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip: IP addresses as octets, as text and as socket addresses, so that both families are handled by
 * one piece of code: IPv4 stands as v4-mapped IPv6 (RFC 4291 2.5.5.2). Pure. Any thread.
 */
#ifndef RB_BASE_IP_H
#define RB_BASE_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    IP_V4_LEN = 4, /* octets */
    IP_LEN = 16,
    IP_BITS = 8 * IP_LEN,
    IP_V4_MAPPED_BITS = 96, /* an IPv4 prefix of n bits has n + 96 in struct ip */
};

struct ip {
    uint8_t octets[IP_LEN];
};

/* v4: IP_V4_LEN octets, in network order. */
struct ip ip_from_v4(const void *v4);

/* v4-mapped is the same as v4. False for NULL, and when it is neither AF_INET nor AF_INET6. */
bool ip_from_sockaddr(const struct sockaddr *address, struct ip *ip);

bool ip_is_v4(const struct ip *ip);

/* 127.0.0.0/8 (RFC 1122 3.2.1.3) or ::1 (RFC 4291 2.5.3). */
bool ip_is_loopback(const struct ip *ip);

/* The octets of an address that is IPv4; IP_V4_LEN of them, within it. */
const uint8_t *ip_v4(const struct ip *ip);

/* Whether the first so many bits are the same; bits: at most IP_BITS. */
bool ip_has_prefix(const struct ip *ip, const struct ip *prefix, unsigned bits);

bool ip_is_same(const struct ip *a, const struct ip *b);

/* "192.0.2.1" or "2001:db8::1" (RFC 5952). */
void ip_text(const struct ip *ip, char text[INET6_ADDRSTRLEN]);

/* As a socket address of port 0: AF_INET where it is IPv4. */
struct sockaddr_storage ip_to_sockaddr(const struct ip *ip);

/* "192.0.2.1" or "2001:db8::1". False, and *address is zeroed: it is neither. Port 0. */
bool ip_sockaddr_parse(const char *text, struct sockaddr_storage *address);

/* For AF_INET and AF_INET6 alone: the size of that family's structure; the port in host order. */
socklen_t ip_sockaddr_size(const struct sockaddr_storage *address);
uint16_t ip_sockaddr_port(const struct sockaddr_storage *address);
void ip_sockaddr_set_port(struct sockaddr_storage *address, uint16_t port);

/* The same address and port; v4-mapped is the same as v4. */
bool ip_sockaddr_is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
