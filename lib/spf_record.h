/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_record: an SPF record (RFC 7208) as strangers publish it, checked against the grammar and
 * boiled down to what is left to find out: macros expanded, "ip4" and "ip6" already held against
 * the client, modifiers but "redirect" left out. What comes out is short, plain ASCII and of the
 * simplest form, so that the library that evaluates it never sees a stranger's text. Pure.
 */
#ifndef RB_SPF_RECORD_H
#define RB_SPF_RECORD_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
    SPF_RECORD_MAX = 4096, /* octets of a record; RFC 7208 3.4 wants them below 450 */
    SPF_TERMS_MAX = 512,   /* directives and modifiers of a record */
    SPF_LOOKUPS_MAX = 10,  /* terms of a check that ask DNS: RFC 7208 4.6.4 */
    SPF_PLAIN_MAX = 4096,  /* octets of what is made of it */
};

/* What the macros stand for (RFC 7208 7.2). Hostile text; the pointers are the caller's. */
struct spf_macros {
    const struct sockaddr *client; /* AF_INET or AF_INET6 */
    const char *local;             /* l */
    const char *sender_domain;     /* o */
    const char *domain;            /* d: the domain whose record this is */
    const char *helo;              /* h */
    const char *client_name;       /* p; NULL where it has not been looked up yet */
};

struct spf_plain {
    /*
     * "v=spf1", then directives ("?include:a.example.org", "-a:b.example.org/24//64", "-all"), then
     * perhaps " redirect=…". A name that cannot be asked for in DNS is "a..a".
     */
    char text[SPF_PLAIN_MAX + 1];
    size_t directives;      /* redirect counts as one */
    bool by_sender;         /* the local part was looked at */
    bool by_helo;           /* the HELO name was looked at */
    bool needs_client_name; /* client_name was NULL and is wanted: make it again with one */
};

/* True when text is an SPF record at all, good or bad: "v=spf1" and a space or nothing (4.5). */
bool spf_record_is_one(const char *text, size_t len);

/*
 * False when the record is none by the grammar of RFC 7208 12, or longer than the ceilings above
 * (*plain then means nothing). One length of CIDR that is allowed is not taken: "/0" behind "a" or
 * "mx". Any thread.
 */
bool spf_record_read(const char *text, size_t len, const struct spf_macros *macros,
                     struct spf_plain *plain);

#endif
