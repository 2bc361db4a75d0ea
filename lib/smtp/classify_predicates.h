/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_predicates: what the predicates of a clause say of the mailbox, in SAYS_…. Pure. */
#ifndef RB_SMTP_CLASSIFY_PREDICATES_H
#define RB_SMTP_CLASSIFY_PREDICATES_H

#include "smtp/classify_grammar.h"

/* "recipient: …", "<u@d>: …": what the clause before has announced. */
struct clause_label {
    enum term term; /* what the next clause speaks of; TERM_NONE: it was not said */
    bool asked;     /* the address asked about */
};

/* What the predicate at i says, if the item at i is one; else 0. The clause is resolved. */
int predicates_weigh(const struct clause_label *label, const struct clause *clause, size_t i);

/* "quota exceeded", "not enough space in the mailbox", "too many messages in the mailbox". */
int predicates_weigh_space(const struct clause *clause);

#endif
