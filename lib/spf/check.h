/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check: an SPF check and the look-ups that it needs. What RFC 7208 makes of them is
 * spf_evaluate's.
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
    SPF_DONE,      /* *result is what it came to */
    SPF_ASKS,      /* *next must be asked for */
    SPF_NO_MEMORY, /* which says nothing of the domain */
};

/* Goes as far as one comes without asking anybody: adds to the answers what dns has kept of
 * late. */
enum spf_step spf_check_recall(const struct dns *dns, const struct spf_question *question,
                               struct spf_answers *answers, struct spf_result *result,
                               struct spf_lookup *next);

/*
 * Asks for all that is needed, and waits for it until `until`: what is not had by then is
 * TEMPERROR.
 */
void spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
               struct spf_result *result);

/* Sets what a check comes to that cannot be finished: TEMPERROR, by this fault, which is static. */
void spf_check_give_up(struct spf_result *result, const char *fault);

#endif
