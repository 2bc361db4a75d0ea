/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify: what a mail host's reply means for the address that was asked, and whom it speaks of.
 * One table: stage, code, enhanced code, text, and what we said -> reason, subject, wait. Pure.
 *
 * Only a 5yz reply to RCPT (or DATA) that speaks of this mailbox yields an invalid reason. 4yz
 * never does. Where in doubt: `rejected` for 5yz, `tempfail` for 4yz.
 */
#ifndef RB_SMTP_CLASSIFY_H
#define RB_SMTP_CLASSIFY_H

#include "smtp/reply.h"
#include "ringback.h"

enum { CLASSIFY_WAIT_MIN_S = 1, CLASSIFY_WAIT_MAX_S = 24 * 3600 };

/* What we said, which a reply may quote. All texts are the caller's; "" where there is none, or it
 * is not known. */
struct classify_question {
    const char *address;   /* the one asked about, as it stood in RCPT */
    const char *mail_from; /* our sender, as it stood in MAIL; "": the null sender, or none yet */
    const char *helo_name; /* our name, as it stood in EHLO */
    const char *source_ip; /* our address, as text; "" for LMTP by a socket file */
    bool sized;            /* MAIL told the size of a message (RFC 1870) */
};

/* Whom a reply speaks of: what counts against a host, what against us, what against one address. */
enum classify_subject {
    CLASSIFY_HOST,      /* the host: its trouble, its protocol; or nobody */
    CLASSIFY_MAILBOX,   /* this mailbox: it is there, it is not, it is full */
    CLASSIFY_RECIPIENT, /* this recipient or message, by a policy: nothing of the host or of us */
    CLASSIFY_SENDER,    /* the sender that we gave */
    CLASSIFY_US,        /* our address, our name, our reputation: what all of us would be told */
    CLASSIFY_SESSION,   /* a limit of this session: a new one may ask again */
    CLASSIFY_PACE,      /* our number or pace, now: the host is to be left alone for a while */
    CLASSIFY_SUBJECT_MAX,
};

struct judgement {
    enum rb_reason
        reason; /* RB_REASON_ACCEPTED for any 2yz; RB_REASON_NONE for a 3yz where one is expected */
    enum classify_subject subject;
    int wait_s;       /* what a 4yz asked for, within the bounds above; 0 where it did not say */
    const char *rule; /* static: the name of the table's row that decided */
};

/*
 * Judges a complete reply to what was said, at a stage (BANNER, EHLO, STARTTLS, MAIL, RCPT, DATA,
 * RSET, QUIT). A reply that cannot stand at that stage (3yz to RCPT, 503) is protocol_error.
 */
struct judgement classify(const struct classify_question *about, enum rb_stage stage,
                          const struct reply *reply);

/*
 * True when the reason is an answer about the mailbox itself, which no other mail host need be
 * asked for.
 */
bool classify_is_about_mailbox(enum rb_reason reason);

#endif
