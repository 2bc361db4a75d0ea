/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay: who is asked, when that is not for a domain's MX records to say: mail stores that an admin
 * has named for the recipients of a domain, in their order, by SMTP or LMTP (RFC 2033); or one
 * stranger, by its name or address. Pure. Any thread.
 *
 *     list   = target *7("," target) / "mx:"
 *     one    = "host:" host [":" port]
 *     target = ["smtp:" / "lmtp:"] host [":" port] / "unix:" path
 *     host   = name / IPv4 address / "[" IPv6 address "]"
 *     path   = "/" and what follows, without commas and control characters
 *
 * A path is spoken to in LMTP. Where no port is given it is that of callouts, or 24 for LMTP. "mx:"
 * stands for the mail hosts of the domain that are preferred over ourselves: for a backup MX.
 *
 * "host:" is no list: neither an admin nor a caller of the library may name one (relay_is_good says
 * no). It is what the library itself calls a host that a client claims to be, so that it is asked
 * at its own addresses, without MX. It is a stranger's host, and spared as such. Its name is not of
 * digits alone: "host:25" is a target, the host "host".
 */
#ifndef RB_MAIL_RELAY_H
#define RB_MAIL_RELAY_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RELAY_TARGETS_MAX = 8,
    RELAY_PATH_MAX = 107, /* sockaddr_un */
    RELAY_MAX = 1023,     /* octets of a list */
    RELAY_NAME_MAX = 120, /* octets of what a list is called in keys */
};

struct relay_target {
    bool lmtp;
    char path[RELAY_PATH_MAX + 1]; /* "": host and port */
    char host[RB_DOMAIN_MAX + 1];  /* without brackets */
    uint16_t port;                 /* 0: that of callouts */
};

/* Reads one target from exactly len octets. False: it is none, and what *target holds is
 * undefined. */
bool relay_target_read(const char *text, size_t len, struct relay_target *target);

/*
 * Goes through a list: begin with *at = list; false at its end. Whatever is no target is passed
 * over; relay_is_good tells beforehand.
 */
bool relay_next(const char **at, struct relay_target *target);

/* Whether a text is a list of targets, or "mx:". */
bool relay_is_good(const char *list);

/* Whether it is "mx:". */
bool relay_is_mx(const char *list);

/* Whether it names mail stores of our own: it is neither "", nor "mx:", nor a stranger's host. */
bool relay_is_own(const char *list);

/* Whether it begins as a stranger's host ("host:") does; relay_host_read says whether it is one. */
bool relay_is_host(const char *text);

/* Reads "host:...". False: it is none, and what *target holds is undefined. */
bool relay_host_read(const char *text, struct relay_target *target);

enum { RELAY_HOST_MAX = RB_DOMAIN_MAX + 13 }; /* octets of "host:[", a host, "]:65535" */

/*
 * Writes "host:..." for a host's name, in lower case, or its address; port 0: that of callouts.
 * False: it can be none, and text is "".
 */
bool relay_host_write(const char *host, uint16_t port, char text[RELAY_HOST_MAX + 1]);

/*
 * What a list is called in keys: itself where it is short and has no blank, else "#" and a hash of
 * it; a name's name is itself. "" for NULL and "".
 */
void relay_name(const char *list, char name[RELAY_NAME_MAX + 1]);

/* Whether some list may be called so. */
bool relay_is_name(const char *text);

#endif
