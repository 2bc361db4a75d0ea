/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailbox: the address lists of From, Reply-To and Sender (RFC 5322 3.4 and 3.6.2, the obsolete
 * forms of 4.4 included, with the UTF-8 of RFC 6532). Pure. Any thread. Input is hostile.
 */
#ifndef RB_MAIL_MAILBOX_H
#define RB_MAIL_MAILBOX_H

#include "mail/address.h"

/*
 * The first mailbox of a field's value: exactly len octets, as they came, folded or not, which may
 * hold NUL. What has no "@" and no brackets is passed over: an empty element, the name of a group,
 * a piece of a display name that has a comma. False, and *address is zeroed: there is no mailbox,
 * or what comes first cannot be read without guessing, as a piece of a name with an "@" ("Sales @
 * Acme, Inc. <...>"), or is no address that can be asked about.
 * Reads each octet a few times at most, whatever they are.
 */
bool mailbox_first(const char *value, size_t len, struct address *address);

/*
 * The same where everybody reads it, and no other: outside comments and quoted strings there is no
 * comma, colon, semicolon, square bracket, backslash or control character. *address is of no use
 * where it is false.
 */
bool mailbox_only(const char *value, size_t len, struct address *address);

#endif
