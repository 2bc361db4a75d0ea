/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_clauses: what the clauses of a reply say, and of whom. Pure.
 *
 * A clause says that a mailbox is not there, closed or full only where a word for the recipient's
 * mailbox is its subject ("user unknown", "no such mailbox", "recipient u@d does not exist"): the
 * noun that the predicate belongs to, not any noun. A clause in which the sender or we are named
 * speaks of them; one in which a list, a policy or a limit is named says nothing of the mailbox,
 * nor does a sentence that hedges ("may", "might").
 */
#ifndef RB_SMTP_CLASSIFY_CLAUSES_H
#define RB_SMTP_CLASSIFY_CLAUSES_H

#include "smtp/classify_words.h"

/* What is said in a reply; bits. */
enum {
    SAYS_ABSENT = 1 << 0, /* the mailbox is not there */
    SAYS_CLOSED = 1 << 1, /* it is there no more */
    SAYS_FULL = 1 << 2,   /* it is there, and full */
    /* The next four count where SAYS_NO_MORE is said too. */
    SAYS_GENERIC = 1 << 3,       /* it is not there, in words that can mean other things */
    SAYS_UNAVAILABLE = 1 << 4,   /* "mailbox unavailable" */
    SAYS_NOT_AVAILABLE = 1 << 5, /* "mailbox not available" */
    SAYS_CLOSED_BARELY = 1 << 6, /* closed, and not what: "<u@d>: inactive" */
    SAYS_REFUSED = 1 << 7,       /* the recipient, or who is not said, was rejected */
    SAYS_NO_MORE = 1 << 8,       /* nothing that means anything else */
    SAYS_SENDER = 1 << 9,        /* something against our sender */
    SAYS_US = 1 << 10,           /* something against us */
    SAYS_TEMPORARY = 1 << 11,    /* that it will be otherwise */
    SAYS_OTHER = 1 << 12,        /* something of something else */
    SAYS_FOREIGN = 1 << 13,      /* a limit, a policy, or a domain or host that is not there */
    SAYS_TOO_MANY = 1 << 14,     /* too many recipients */
    SAYS_RECIPIENT = 1 << 15,    /* something against the recipient */
    SAYS_MAX = 1 << 16,
};

/* What the words say. */
int clauses_read(const struct words *words);

#endif
