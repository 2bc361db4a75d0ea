/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * headers: the header fields a message carries away from us (X-Ringback, X-Ringback-Warning,
 * Authentication-Results, RFC 8601), and finding those that a stranger forged. Pure: moves nothing
 * in a message itself.
 */
#ifndef RB_MILTER_MTA_HEADERS_H
#define RB_MILTER_MTA_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "session/envelope.h"

#define HEADER_RINGBACK "X-Ringback"
#define HEADER_WARNING "X-Ringback-Warning"
#define HEADER_RESULTS "Authentication-Results"

enum {
    HEADER_VALUE_MAX = 950,    /* octets: with its name below the 998 of RFC 5322 2.1.1 */
    HEADERS_FORGED_MAX = 1000, /* fields to remove from one message; no honest message has one, and
                                  for each the MTA reads the whole message from its start */
};

/* The fields of one message that must be removed. Zeroed: none seen. */
struct header_census {
    unsigned ringback, warning; /* how many fields of that name: all of them go */
    unsigned results;           /* Authentication-Results seen */
    unsigned *forged; /* which of them (1 for the first) bear our authserv-id; malloc'ed */
    size_t forged_count, forged_room;
    bool overflow; /* there were more than HEADERS_FORGED_MAX: the message must not get in */
};

/* Takes note of one field, in the message's order. authserv_id: "" for none. */
void headers_see(struct header_census *census, const char *name, const char *value,
                 const char *authserv_id);

/* Empties it. */
void headers_fini(struct header_census *census);

/* True when the value's authserv-id (RFC 8601 2.2, comments and quoting minded) is this one,
 * whatever its case. */
bool headers_has_authserv_id(const char *value, const char *authserv_id);

/*
 * "VERDICT; reason=…; sender=<…>; mx=…; cached=…; action=…; id=…". Always fits. decision: about the
 * sender; fate: what is done with the message (decide_fate), perhaps for the sake of a
 * recipient or of a header sender.
 */
void headers_ringback(const struct session *session, const struct decision *decision,
                      const struct decision *fate, char value[HEADER_VALUE_MAX + 1]);

/* Why the message is tagged or quarantined, for people and filters. Names no recipient: others of
 * the message may read it. */
void headers_warning(const struct session *session, const struct decision *fate,
                     char value[HEADER_VALUE_MAX + 1]);

/* False: nothing was verified, or the sender cannot be written in such a field; no field then. */
bool headers_results(const struct session *session, const struct decision *decision,
                     char value[HEADER_VALUE_MAX + 1]);

#endif
