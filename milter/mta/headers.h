/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * headers: the header fields a message carries away from us (X-Ringback, X-Ringback-Warning,
 * Callback-Warning, Authentication-Results, RFC 8601), and finding those that a stranger forged.
 * Pure: moves nothing in a message itself.
 */
#ifndef RB_MILTER_MTA_HEADERS_H
#define RB_MILTER_MTA_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "session/envelope.h"

#define HEADER_RINGBACK "X-Ringback"
#define HEADER_WARNING "X-Ringback-Warning"
#define HEADER_CALLBACK "Callback-Warning"
#define HEADER_RESULTS "Authentication-Results"

enum {
    HEADER_VALUE_MAX = 950,    /* octets: with its name below the 998 of RFC 5322 2.1.1 */
    HEADERS_FORGED_MAX = 1000, /* fields to remove from one message; no honest message has one, and
                                  for each the MTA reads the whole message from its start */
};

/* Fields of one name, of which some are forged. Zeroed: none seen. */
struct header_forged {
    unsigned seen;
    unsigned *which; /* of them (1 for the first); malloc'ed */
    size_t count, room;
};

/* The fields of one message that must be removed. Zeroed: none seen. */
struct header_census {
    unsigned ringback, warning;    /* how many fields of that name: all of them go */
    struct header_forged results;  /* Authentication-Results with our authserv-id */
    struct header_forged callback; /* Callback-Warning about a host that we warn of, or ours */
    bool overflow; /* there were more than HEADERS_FORGED_MAX: the message must not get in */
};

/* Whose names only we may write in such fields; "": nobody's. */
struct header_names {
    const char *authserv_id; /* in Authentication-Results */
    const char *hostname;    /* in Callback-Warning; NULL: that is not looked at */
    const char *claimed;     /* likewise, the host that the client claims to be */
};

/* Takes note of one field, in the message's order. */
void headers_see(struct header_census *census, const char *name, const char *value,
                 const struct header_names *names);

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

/* "HOST: why nothing shows that the client is that host"; session->claim is decided. */
void headers_callback(const struct session *session, char value[HEADER_VALUE_MAX + 1]);

/*
 * The results of all that was verified, in one field. False: nothing was, or the sender cannot be
 * written in such a field; no field then.
 */
bool headers_results(const struct session *session, const struct decision *decision,
                     char value[HEADER_VALUE_MAX + 1]);

#endif
