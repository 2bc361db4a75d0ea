/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evaluate: may this client send for this domain, by the domain's own word (RFC 7208: check_host
 * of the "MAIL FROM" identity)? Evaluates what DNS has said so far, and says what to ask it next.
 * Finds out; what follows from it is vouch's business and the caller's. Records, names and addresses
 * are hostile input. Pure: knows no resolver and no clock.
 */
#ifndef RB_SPF_EVALUATE_H
#define RB_SPF_EVALUATE_H

#include "spf/answers.h"

enum {
    SPF_LOOKUPS_MAX = 10,     /* RFC 7208 4.6.4: terms of a check that ask DNS */
    SPF_VOID_LOOKUPS_MAX = 2, /* RFC 7208 4.6.4: of these, the ones that find nothing */
    SPF_TERM_TEXT_MAX = 127,  /* octets kept of a term */
};

enum spf_outcome { /* RFC 7208 2.6 */
                   SPF_OUTCOME_NONE,
                   SPF_OUTCOME_PASS,
                   SPF_OUTCOME_NEUTRAL,
                   SPF_OUTCOME_SOFTFAIL,
                   SPF_OUTCOME_FAIL,
                   SPF_OUTCOME_TEMPERROR,
                   SPF_OUTCOME_PERMERROR,
};

/* The text is the caller's; NULL is the same as "". */
struct spf_question {
    const struct sockaddr *client; /* v4-mapped is the same as v4 */
    const char *helo;
    const char *local;  /* unquoted; "": postmaster (4.3) */
    const char *domain; /* in A-labels; an address literal has no SPF */
    bool guesses; /* spf_vouch's: where the domain says neither yes nor no, others may vouch */
};

struct spf_result {
    enum spf_outcome outcome;
    bool by_sender; /* the local part was looked at: this is not so of the whole domain */
    bool by_helo;   /* the HELO name was looked at: this is not so of every session */
    /*
     * Whose record decided, or is at fault, or could not be had, and by which of its terms (""
     * where it was none), as printable ASCII. What is behind an include is told of the record that
     * was included.
     */
    char domain[RB_DOMAIN_MAX + 1];
    char term[SPF_TERM_TEXT_MAX + 1];
    /* Of a term that matched, by a host's address or the client's name: that host or name; else "" */
    char host[RB_DOMAIN_MAX + 1];
    const char *fault; /* of temperror and permerror: what is wrong; else NULL. Static */
};

/*
 * True: *result is what it comes to. False: *next must be looked up, and the answer to it, failures
 * too, be added to `answers`; then again. All look-ups of one check are different ones, and fewer
 * than SPF_ANSWERS_MAX; explanations are not fetched. NONE without a look-up where the client is
 * neither AF_INET nor AF_INET6 or the domain no host name of two labels.
 *
 * FAIL is only ever a record's own clear word: what could not be found out is TEMPERROR, what
 * breaks the rules or their limits PERMERROR. A name that DNS cannot be asked for does not exist.
 */
bool spf_evaluate(const struct spf_question *question, const struct spf_answers *answers,
                  struct spf_result *result, struct spf_lookup *next);

/*
 * The same with a record that the domain has not published, without includes and redirects, that
 * ends in "?all": no TXT record is looked up, and the limits of RFC 7208 4.6.4 hold as they would
 * for the domain's own.
 */
bool spf_evaluate_record(const struct spf_question *question, const char *record,
                         const struct spf_answers *answers, struct spf_result *result,
                         struct spf_lookup *next);

/* "none", "pass"... as RFC 7208 2.6 has them; "?" for a number out of range. Static. */
const char *spf_outcome_name(enum spf_outcome outcome);

#endif
