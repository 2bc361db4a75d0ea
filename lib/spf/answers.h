/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answers: what DNS has said so far to one SPF check: of each answer no more than RFC 7208 has
 * a use for. The look-ups are made by spf_check, or by whoever evaluates step by step.
 *
 * Thread rule: the owner's; one thread at a time.
 */
#ifndef RB_SPF_ANSWERS_H
#define RB_SPF_ANSWERS_H

#include "base/span.h"
#include "dns/records.h"

enum {
    SPF_HOSTS_MAX = 10,    /* RFC 7208 4.6.4: hosts of one MX, pointers of one client */
    SPF_ANSWERS_MAX = 160, /* of one check; the limits of RFC 7208 4.6.4 let it ask for fewer */
};

struct spf_lookup {
    int type;                     /* ns_t_txt, ns_t_a, ns_t_aaaa, ns_t_mx or ns_t_ptr */
    char name[RB_DOMAIN_MAX + 1]; /* in lower case */
};

struct spf_answer; /* opaque */

/* Zeroed: none. */
struct spf_answers {
    struct spf_answer *first;
    unsigned count;
};

/*
 * Notes what was said to a look-up: of TXT two SPF records at most, of MX and PTR one more than
 * SPF_HOSTS_MAX, of addresses all. The list stays the caller's. False: no memory, or too many.
 */
bool spf_answers_add(struct spf_answers *answers, const struct spf_lookup *lookup,
                     enum dns_outcome outcome, const struct dns_record_list *list)
    __attribute__((warn_unused_result));

/* Frees all answers and empties the list. A zeroed list is fine. */
void spf_answers_free(struct spf_answers *answers);

/* What was said to that look-up; NULL where it has not been made. */
const struct spf_answer *spf_answers_find(const struct spf_answers *answers, int type,
                                          const char *name);

/* Whether one of them is that DNS failed. */
bool spf_answers_have_failure(const struct spf_answers *answers);

enum dns_outcome spf_answer_outcome(const struct spf_answer *answer);

/* Records that were noted. */
unsigned spf_answer_count(const struct spf_answer *answer);

/* There were more records than dns has room for: what is not here may still exist. */
bool spf_answer_is_cut(const struct spf_answer *answer);

/*
 * The records in turn; *at: 0 at first. A text, a name, or the octets of a struct ip. False: there
 * are no more.
 */
bool spf_answer_next(const struct spf_answer *answer, size_t *at, struct span *record);

#endif
