/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check: an SPF check and the look-ups that it needs. What comes of them is spf_vouch's.
 *
 * Any thread, many at once; of one `answers` one at a time.
 */
#ifndef RB_SPF_CHECK_H
#define RB_SPF_CHECK_H

#include "base/clock.h"
#include "spf/vouch.h"

/*
 * RFC 7208 4.6.4: for how long name servers are asked for one check, guesses and all. Then it is
 * given up.
 */
enum { SPF_TIME_MS = 20000 };

enum spf_step {
    SPF_DONE,      /* *vouching is what it came to */
    SPF_ASKS,      /* *next must be asked for */
    SPF_NO_MEMORY, /* which says nothing of the domain */
};

/* Goes as far as one comes without asking anybody: adds to the answers what dns has kept of
 * late. */
enum spf_step spf_check_recall(const struct dns *dns, const struct spf_question *question,
                               struct spf_answers *answers, struct spf_vouching *vouching,
                               struct spf_lookup *next);

/*
 * Asks for all that is needed, and waits for it until `until`. What is not had by then
 * (SPF_ASKS), or for want of memory, is given up (spf_vouch_give_up).
 */
enum spf_step spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
                        struct spf_vouching *vouching);

#endif
