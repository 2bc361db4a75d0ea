/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address: an envelope address as RFC 5321 (4.1.2, 4.1.3, 4.5.3.1) and RFC 6531 (3.3)
 * have it: parsed, made canonical, written again. Pure: no DNS, no policy. Input is hostile.
 *
 * Canonical: domain in lower case and A-labels (libidn2, non-transitional UTS #46), no trailing
 * dot, local part unquoted and with its case kept, source route dropped, address literals
 * normalised.
 */
#ifndef RB_ADDRESS_H
#define RB_ADDRESS_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_LOCAL_MAX = 64 };

/* What is wrong with an address. The first two are not faults of it, and neither is the last. */
enum address_fault {
    ADDRESS_OK = 0,
    ADDRESS_NULL,            /* "<>" or "": the null sender */
    ADDRESS_EMPTY_LOCAL,     /* "@example.org" */
    ADDRESS_NO_DOMAIN,       /* "user" */
    ADDRESS_BAD_LOCAL,       /* a character or a dot where none may be */
    ADDRESS_BAD_QUOTE,       /* a quoted string that is not one */
    ADDRESS_BAD_DOMAIN,      /* not a host name */
    ADDRESS_BAD_IDN,         /* not a valid internationalised name */
    ADDRESS_BAD_LITERAL,     /* "[…]" with neither IPv4 nor IPv6: in it */
    ADDRESS_BAD_BRACKET,     /* "<" without ">" or something behind it */
    ADDRESS_BAD_ROUTE,       /* "@a,@b:" malformed */
    ADDRESS_LOCAL_TOO_LONG,  /* over 64 octets */
    ADDRESS_DOMAIN_TOO_LONG, /* over 255 octets, or a label over 63 */
    ADDRESS_8BIT,            /* an octet over 127 in the local part where SMTPUTF8 is off */
    ADDRESS_BAD_UTF8,
    ADDRESS_CONTROL, /* NUL, CR, LF or another control character, C1 ones in UTF-8 too */
    ADDRESS_NOMEM,   /* out of memory: says nothing about the address */
};

struct address {
    char local[ADDRESS_LOCAL_MAX + 1]; /* unquoted; never holds a control character */
    /* canonical; a literal is "[192.0.2.1]" or "[IPv6:2001:db8::1]" */
    char domain[RB_DOMAIN_MAX + 1];
    bool is_literal;
    bool needs_utf8; /* the local part has octets over 127 */
};

/*
 * Reads one mailbox from exactly len octets (which may hold NUL). Brackets and a source route are
 * optional. utf8: whether octets over 127 may stand in the local part (RFC 6531); in the domain a
 * U-label is always read. On anything but ADDRESS_OK *address is zeroed.
 *
 * Read beyond the grammar, since such domains exist and DNS can tell: an underscore in a label, one
 * dot behind the domain. Any ASCII label that begins "xn--" is left for DNS to judge. The 64 octets
 * are those of the unquoted local part. The empty quoted local part ("" in quotes) is a mailbox.
 */
enum address_fault address_parse(const char *text, size_t len, bool utf8, struct address *address);

/* A sentence part for people: "the local part is longer than 64 octets". Static. */
const char *address_fault_text(enum address_fault fault);

/*
 * Writes local@domain as it may stand in a command between < and >, the local part quoted where the
 * grammar wants it; "" for a zeroed address. RB_ERR_TOO_LONG, and text is "", when size does not
 * suffice (ADDRESS_TEXT_SIZE always does).
 */
enum rb_error address_format(const struct address *address, char *text, size_t size);

enum { ADDRESS_TEXT_SIZE = 2 * ADDRESS_LOCAL_MAX + 2 + 1 + RB_DOMAIN_MAX + 1 };

/*
 * Writes the canonical key: local part unquoted, "@", domain; one address, one key. "" for a zeroed
 * address. Fits RB_ADDRESS_MAX + 1; RB_ERR_TOO_LONG, and key is "", when size does not suffice.
 */
enum rb_error address_key(const struct address *address, char *key, size_t size);

/* The address that a canonical key stands for. False: no such key. */
bool address_from_key(const char *key, struct address *address);

/*
 * Canonical form of a domain alone: lower case, A-labels, no trailing dot. For configuration and
 * DNS answers; no address literals. On anything but ADDRESS_OK domain is "".
 */
enum address_fault address_domain(const char *text, size_t len, char domain[RB_DOMAIN_MAX + 1]);

#endif
