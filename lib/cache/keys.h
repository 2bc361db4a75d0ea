/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys: the keys of the cache's records, put together and taken apart. Pure: no store, no clock. A
 * key is text without a NUL; its form is part of the stored format:
 *
 *   addresses, retries   "s" and the address: what the world says of it; "c" and the address: a
 *                        user of ours writes to it; "r", the relay's name, " " and the address:
 *                        what that relay says. No relay's name has a space in it, so the first one
 *                        ends it, whatever the local part holds.
 *   domains              the domain; with " " and a relay's name behind it: how that relay takes
 *                        the domain's recipients
 *   one-time senders     "b", "s" or "v" for BATV, SRS or VERP, and a class's key (mail/onetime.h)
 *   hosts                see cache_host_key
 *   verbs                a host by the name that it has, in lower case, or its address (IPv6 in
 *                        brackets), with ":" and its port behind it where that is another than
 *                        callouts'; "mx:" and a domain: of its mail hosts, any
 */
#ifndef RB_CACHE_KEYS_H
#define RB_CACHE_KEYS_H

#include "ringback.h"

#include "mail/onetime.h"
#include "mail/relay.h"

#include <stdbool.h>

enum { CACHE_KEY_MAX = 480 }; /* octets of a key; longer ones are refused (RB_ERR_TOO_LONG) */

/* What a relay's address keys begin with, and what ends the relay's name in any key. */
enum { KEYS_RELAY = 'r', KEYS_RELAY_END = ' ' };

/*
 * The key of what the world says of an address, or a relay (as relay_name has it; NULL or "": the
 * world), and of its retry. The address is canonical (address_key). RB_ERR_ARGUMENT: it is "".
 */
enum rb_error cache_address_key(const char *relay, const char *address,
                                char key[CACHE_KEY_MAX + 1]);

/* The key of the address record that says that a user of ours writes to this address. */
enum rb_error cache_correspondent_key(const char *address, char key[CACHE_KEY_MAX + 1]);

/* Whether an address record's key is of that kind. */
bool cache_is_correspondent_key(const char *key);

/*
 * Takes an address key of any of the three kinds apart: relay is "" where there is none, *address
 * points into key. False: no key of ours.
 */
bool cache_split_address_key(const char *key, char relay[CACHE_KEY_MAX + 1], const char **address);

/* The key of what is known of a domain, or of how a relay (NULL: none) takes its recipients. */
enum rb_error cache_facts_key(const char *relay, const char *domain, char key[CACHE_KEY_MAX + 1]);

/* Takes such a key apart; relay is "" where there is none. False: no key of ours. */
bool cache_split_facts_key(const char *key, char domain[RB_DOMAIN_MAX + 1],
                           char relay[RELAY_NAME_MAX + 1]);

/* The key of a one-time sender class. RB_ERR_ARGUMENT: the kind is ONETIME_NONE, or none at all. */
enum rb_error cache_onetime_key(enum onetime_kind kind, const char *class_key,
                                char key[CACHE_KEY_MAX + 1]);

/* Takes such a key apart: *class_key points into key. ONETIME_NONE, and NULL: no key of ours. */
enum onetime_kind cache_split_onetime_key(const char *key, const char **class_key);

/* Whether a verb record's key is of the host that has the domain's name, at any port, or of the
 * domain's mail hosts. */
bool cache_verb_key_is_of(const char *key, const char *domain);

/*
 * The key of what is known of a mail host: its IP address, of a relay's with "#" and its port
 * behind it, or "unix:" and a path; in whatever spelling the text has it. False: it is none of
 * these.
 */
bool cache_host_key(const char *text, char key[CACHE_KEY_MAX + 1]);

#endif
