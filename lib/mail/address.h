/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address: an envelope address as RFC 5321 (4.1.2, 4.1.3, 4.5.3.1) and RFC 6531 (3.3) have it:
 * parsed, made canonical, written again. Pure: no DNS, no policy. Any thread. Input is hostile.
 *
 * Canonical: domain in lower case and A-labels (libidn2, non-transitional UTS #46), no trailing
 * dot, local part unquoted and with its case kept, source route dropped, address literals
 * normalised.
 */
#ifndef RB_MAIL_ADDRESS_H
#define RB_MAIL_ADDRESS_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_LOCAL_MAX = RB_ADDRESS_MAX - 2 /* "@" and a domain stand behind it */ };

/* What is wrong with an address. */
enum address_fault {
    ADDRESS_OK = 0,
    ADDRESS_NULL, /* "<>" or "": the null sender; no fault */

    /* It can be no mailbox at all. */
    ADDRESS_EMPTY_LOCAL,     /* "@example.org" */
    ADDRESS_NO_DOMAIN,       /* "user" */
    ADDRESS_BAD_QUOTE,       /* a quoted string without an end */
    ADDRESS_BAD_DOMAIN,      /* not a host name */
    ADDRESS_BAD_LITERAL,     /* "[…]" with neither IPv4 nor IPv6: in it */
    ADDRESS_TOO_LONG,        /* over RB_ADDRESS_MAX octets */
    ADDRESS_DOMAIN_TOO_LONG, /* over 255 octets, or a label over 63 */
    ADDRESS_CONTROL,         /* NUL, CR, LF or another control character, C1 ones in UTF-8 too */

    /* MTAs let it pass, each with a meaning of its own: it cannot be asked about. */
    ADDRESS_ODD_LOCAL,   /* a character where none may be without quotes */
    ADDRESS_BAD_BRACKET, /* "<" without ">" or something behind it */
    ADDRESS_BAD_IDN,     /* not a valid internationalised name */
    ADDRESS_BAD_UTF8,
    ADDRESS_8BIT,            /* an octet over 127 in the local part where SMTPUTF8 is off */
    ADDRESS_TOO_LONG_TO_ASK, /* over RB_ADDRESS_MAX octets once it is written for a mail host */

    ADDRESS_NOMEM, /* out of memory: says nothing about the address */
};

struct address {
    char local[ADDRESS_LOCAL_MAX + 1]; /* unquoted; never holds a control character */
    /* canonical; a literal is "[192.0.2.1]" or "[IPv6:2001:db8::1]" */
    char domain[RB_DOMAIN_MAX + 1];
    bool is_literal;
    bool needs_utf8; /* the local part has octets over 127 */
};

/*
 * Reads one mailbox from exactly len octets (which may hold NUL). Brackets, blanks within them and
 * a source route are optional. utf8: whether octets over 127 may stand in the local part (RFC
 * 6531); in the domain a U-label is always read. On anything but ADDRESS_OK *address is zeroed.
 *
 * Read beyond the grammar, since there are such mailboxes: dots at either end of a local part or
 * two in a row, local parts over 64 octets (RFC 5321 4.5.3.1 asks for no limits), quoted strings
 * between the dots; underscores in a domain, for DNS can tell; one dot behind the domain. Any ASCII
 * label that begins "xn--" is left for DNS to judge. What a source route says is not looked at. The
 * empty local part in quotes ("") is a mailbox.
 */
enum address_fault address_parse(const char *text, size_t len, bool utf8, struct address *address);

/* Whether what has this fault can be nobody's mailbox. */
bool address_is_no_mailbox(enum address_fault fault);

/* What is wrong, for people: "there is no domain"; RB_RULE_MAX octets at most. Static. */
const char *address_fault_text(enum address_fault fault);

/*
 * Writes local@domain as it may stand in a command between < and >, the local part quoted where the
 * grammar wants it; "" for a zeroed address. RB_ERR_TOO_LONG, and text is "", when size does not
 * suffice (ADDRESS_TEXT_SIZE does for what was parsed).
 */
enum rb_error address_format(const struct address *address, char *text, size_t size);

enum { ADDRESS_TEXT_SIZE = RB_ADDRESS_MAX + 1 };

/*
 * Writes the canonical key: local part unquoted, "@", domain; one address, one key. "" for a zeroed
 * address. Fits RB_ADDRESS_MAX + 1; RB_ERR_TOO_LONG, and key is "", when size does not suffice.
 */
enum rb_error address_key(const struct address *address, char *key, size_t size);

/* The address that a canonical key stands for. False: no such key, or too long to be asked
 * about. */
bool address_from_key(const char *key, struct address *address);

/*
 * Canonical form of a domain alone: lower case, A-labels, no trailing dot. For configuration and
 * DNS answers; no address literals. On anything but ADDRESS_OK domain is "".
 */
enum address_fault address_domain(const char *text, size_t len, char domain[RB_DOMAIN_MAX + 1]);

#endif
