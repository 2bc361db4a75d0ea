/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf: an SPF check and the look-ups that it needs. What RFC 7208 makes of them is spf_check's.
 *
 * Any thread, many at once; of one `answers` one at a time.
 */
#ifndef RB_SPF_CHECK_H
#define RB_SPF_CHECK_H

#include "base/clock.h"
#include "spf/evaluate.h"

/* RFC 7208 4.6.4: for how long name servers are asked for one check. Then it is TEMPERROR. */
enum { SPF_TIME_MS = 20000 };

enum spf_step {
    SPF_DONE,      /* *answer is the result */
    SPF_ASKS,      /* *next must be asked for */
    SPF_NO_MEMORY, /* which says nothing of the domain */
};

/*
 * As far as one comes without asking anybody: spf_evaluate, with what dns has kept of late added to
 * the answers.
 */
enum spf_step spf_recall(const struct dns *dns, const struct spf_question *question,
                         struct spf_answers *answers, struct spf_answer *answer,
                         struct spf_lookup *next);

/* Asks for all that is needed, by `until`, which ends in TEMPERROR. For those who can wait. */
void spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
               struct spf_answer *answer);

/* What a check comes to that cannot be finished: TEMPERROR. fault: static. */
void spf_give_up(struct spf_answer *answer, const char *fault);

#endif
