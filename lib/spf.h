/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf: may this client send for this domain, by the domain's own word (RFC 7208: check_host of the
 * "MAIL FROM" identity)? Finds out; what follows from it is the caller's business. Records, names
 * and addresses are hostile input.
 */
#ifndef RB_SPF_H
#define RB_SPF_H

#include "deadline.h"
#include "ringback.h"

#include <stdbool.h>
#include <sys/socket.h>

struct dns;

/* RFC 7208 2.6 */
enum spf_outcome {
    SPF_OUTCOME_NONE,
    SPF_OUTCOME_PASS,
    SPF_OUTCOME_NEUTRAL,
    SPF_OUTCOME_SOFTFAIL,
    SPF_OUTCOME_FAIL,
    SPF_OUTCOME_TEMPERROR,
    SPF_OUTCOME_PERMERROR,
};

enum {
    SPF_VOID_LOOKUPS_MAX = 2, /* RFC 7208 4.6.4: look-ups that find nothing */
    SPF_NAMES_MAX = 10,       /* RFC 7208 4.6.4: hosts of one MX, pointers of one client */
};

/* The text is the caller's; NULL is the same as "". */
struct spf_question {
    const struct sockaddr *client; /* v4-mapped is the same as v4 */
    const char *helo;
    const char *local;  /* unquoted */
    const char *domain; /* canonical: lower case, A-labels; an address literal has no SPF */
};

struct spf_answer {
    enum spf_outcome outcome;
    bool by_sender; /* the local part was looked at: this is not so of the whole domain */
    bool by_helo;   /* the HELO name was looked at: this is not so of every session */
};

/*
 * Asks at most 1 + 10 * 11 questions, all of them within `until` (which the last may overrun by a
 * second, see dns.h); explanations are not fetched. SPF_OUTCOME_FAIL is only ever a record's own
 * clear word: whatever could not be found out (no answer, a name that cannot be asked for, no
 * memory) is TEMPERROR, whatever breaks the rules or their limits PERMERROR. NONE without a
 * question where the client is neither AF_INET nor AF_INET6 or the domain no host name. A client on
 * the loopback passes. Any thread, many at once.
 */
void spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
               struct spf_answer *answer);

/* "none", "pass"... as RFC 7208 2.6 has them; "?" for a number out of range. Static. */
const char *spf_outcome_name(enum spf_outcome outcome);

#endif
