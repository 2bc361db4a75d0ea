/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vouch: who vouches that a client sends for a domain: the domain itself by SPF, or, where that
 * says neither yes nor no and the question asks for guesses, one of these:
 *
 *   mx    the domain publishes no SPF, and the client has the address of one of its MX or A hosts,
 *         or is in the same /24 (IPv6: /64)
 *   ptr   a name of the client's that its address has too (PTR and forward) is in the domain, or in
 *         that of its organisation
 *
 * Each guess is evaluated as if it were an SPF record that the domain had published, a check of its
 * own, so that the limits of RFC 7208 4.6.4 hold for it. What RFC 7208 makes of the domain's own
 * records is not changed by it. Pure, and step by step, as evaluate.
 */
#ifndef RB_SPF_VOUCH_H
#define RB_SPF_VOUCH_H

#include "ringback.h"
#include "spf/evaluate.h"

struct spf_vouching {
    struct spf_result said; /* the domain's own word; is_said: it is complete */
    bool is_said;
    enum rb_voucher voucher;      /* RB_VOUCHER_NOBODY, _SPF, _MX or _PTR */
    char host[RB_DOMAIN_MAX + 1]; /* mx: the domain's host; ptr: the client's name; spf: as `said`
                                     has it; else "" */
    const char *why_nobody;       /* static; NULL: somebody vouches */
    bool is_for_now;              /* DNS failed: what it comes to may soon be another */
};

/*
 * True: *vouching is what it comes to. False: *next must be looked up, as spf_evaluate has it; it
 * is the same list of answers.
 */
bool spf_vouch(const struct spf_question *question, const struct spf_answers *answers,
               struct spf_vouching *vouching, struct spf_lookup *next);

/*
 * Sets what it comes to where it cannot be finished: nobody vouches, and SPF is TEMPERROR unless it
 * is said already. fault: why; static.
 */
void spf_vouch_give_up(struct spf_vouching *vouching, const char *fault);

#endif
