/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dialogue: one SMTP session of a callout as a state machine over buffers (RFC 5321, 2920
 * PIPELINING, 3207 STARTTLS, 6531 SMTPUTF8, 1870 SIZE). Pure: no sockets, no clock, no memory of its
 * own. Its owner moves octets and watches time; transport is one owner, the unit tests are another.
 *
 *     banner -> EHLO (-> HELO) -> [STARTTLS -> handshake -> EHLO] -> ready
 *     ready  -> [RSET] MAIL RCPT [DATA] -> answered -> ready … [RSET] -> ready … QUIT -> over
 *     ready  -> [MAIL] a verb beyond SMTP -> answered -> ready
 *
 * Rules kept here: nothing is said before the banner; the null sender first, the fallback sender
 * once where it is refused; one RCPT a transaction; an answer once given stands, whatever the host
 * does later; octets that arrive unasked end the session; 421 ends it at any stage, every other
 * refusal leaves room for QUIT (RFC 5321 3.1); no message is ever sent: at 354 the session is over.
 *
 * Thread rule: one thread at a time.
 */
#ifndef RB_SMTP_DIALOGUE_H
#define RB_SMTP_DIALOGUE_H

#include "mail/address.h"
#include "smtp/classify.h"
#include "smtp/reply.h"
#include "ringback.h"

enum {
    DIALOGUE_OUT_MAX =
        1024,               /* octets of commands not sent yet: RSET, MAIL, RCPT at their longest */
    DIALOGUE_QUEUE_MAX = 4, /* replies awaited at once: of RSET, MAIL, RCPT and QUIT */
    DIALOGUE_VERB_MAX = 510, /* octets of a verb's line, without CR LF (RFC 5321 4.5.3.1.4) */
};

/* What the machine waits for. */
enum dialogue_need {
    DIALOGUE_NEED_PEER,     /* octets to or from the host */
    DIALOGUE_NEED_TLS,      /* a TLS handshake, then dialogue_tls_started */
    DIALOGUE_NEED_QUESTION, /* dialogue_ask or dialogue_quit; `answer` has that to the last one */
    DIALOGUE_OVER,          /* QUIT if dialogue_can_quit, then close; `answer` says how it ended */
};

/* One transaction. All texts are the caller's and must live until the answer is there. */
struct dialogue_question {
    const char *address;            /* as address_format writes it */
    const char *mail_from;          /* "": the null sender */
    const char *fallback_mail_from; /* asked once when mail_from is refused; NULL: none */
    bool needs_utf8;                /* the address can only be asked where SMTPUTF8 is offered */
    bool data;                      /* after a 2yz to RCPT try DATA as well */
    uint64_t message_size; /* octets of the message that is to come, for hosts that know SIZE (RFC
                              1870); 0: not known */
};

/* What came of a transaction or a verb, or of the session before there was one. */
struct dialogue_answer {
    /* RB_REASON_NONE: nothing yet, or (with a code) the reply to a verb, which is not judged. */
    enum rb_reason reason;
    enum rb_stage stage;
    enum classify_subject subject; /* whom the reply speaks of */
    const char *rule;              /* static */
    int wait_s;
    int code; /* 0: no reply decided it */
    char enhanced[RB_ENHANCED_MAX + 1];
    char reply[RB_REPLY_MAX + 1];
    const char *mail_from; /* the sender that the answer was given to; NULL: none was asked with */
    bool null_sender_refused; /* mail_from was refused, whatever came of the fallback */
};

struct dialogue {
    /* Set at the start. */
    const char *helo_name;
    bool use_tls;
    bool lmtp; /* RFC 2033: LHLO, and no HELO behind it; to be set right after dialogue_init */
    const char
        *source_ip; /* our address as text, which replies may quote; the caller's; "": unknown */

    /* Where the session stands. */
    enum dialogue_need need;
    enum rb_stage queue[DIALOGUE_QUEUE_MAX]; /* replies awaited, in order */
    unsigned queued;
    unsigned replies;      /* complete replies so far: time-outs count from the last one */
    unsigned transactions; /* begun so far, with the fallback sender too: as many RSETs at most */
    unsigned refusals;     /* replies of 4yz and 5yz so far, to whatever was said */
    bool greeted;          /* the host said 220 */
    bool tls, pipelining, starttls, utf8, size;
    uint64_t size_max; /* octets of the largest message that the host takes; 0: it did not say */
    bool transaction_open; /* the next transaction must begin with RSET */
    bool was_reset;        /* RSET was said, and no MAIL was taken since */
    bool mail_refused;     /* of the question asked now, or of one before */
    bool rcpt_waits;       /* RCPT is not said before MAIL has been answered */
    bool may_quit;         /* need is DIALOGUE_OVER, but QUIT may be said */
    bool quitting;

    /* The transaction. */
    struct dialogue_question question;
    const char *verb; /* said, or to be said behind MAIL, in its stead; NULL: none */
    bool asking, fallback_used, skip_rcpt, helo_tried;
    struct dialogue_answer answer;

    /* Buffers. */
    struct reply_parser parser; /* the last reply stands in it until more octets come */
    char out[DIALOGUE_OUT_MAX];
    size_t out_len;
};

/* A new session; helo_name is the caller's. The host speaks first. */
void dialogue_init(struct dialogue *dialogue, const char *helo_name, bool use_tls);

/* Octets from the host, everything in `out` having been sent: what arrives earlier was not asked
 * for. */
void dialogue_feed(struct dialogue *dialogue, const char *octets, size_t len);

/* The first `len` octets of dialogue->out were sent. */
void dialogue_sent(struct dialogue *dialogue, size_t len);

/* The handshake succeeded; EHLO is said again (RFC 3207 4.2). */
void dialogue_tls_started(struct dialogue *dialogue);

/*
 * The session ended from outside: lost, silent too long, unreachable. Where no answer has been
 * given yet, this is it. `rule` is static.
 */
void dialogue_fail(struct dialogue *dialogue, enum rb_reason reason, const char *rule);

/*
 * The session is broken off by us, whatever reply is still awaited. As dialogue_fail, but that QUIT
 * may be said.
 */
void dialogue_break_off(struct dialogue *dialogue, enum rb_reason reason, const char *rule);

/* Asks. Only when dialogue->need is DIALOGUE_NEED_QUESTION. */
void dialogue_ask(struct dialogue *dialogue, const struct dialogue_question *question);

/*
 * Says a line of a verb beyond SMTP, before the first transaction or in one, and awaits its reply,
 * which is not judged: whatever it says but 421, the session goes on. dialogue->parser.reply has it
 * whole until the host is heard again. A line that is empty, too long or not of printable ASCII is
 * not said: RB_REASON_INTERNAL_ERROR. Only when dialogue->need is DIALOGUE_NEED_QUESTION; the line
 * is the caller's and must live until the answer is there.
 */
void dialogue_ask_verb(struct dialogue *dialogue, const char *line);

/*
 * Ends the transaction that may be open, so that the session can be left alone for a while (RFC
 * 5321 4.1.1.5). Only when dialogue->need is DIALOGUE_NEED_QUESTION; it is so again when that is
 * done.
 */
void dialogue_reset(struct dialogue *dialogue);

/*
 * Whether QUIT can be said: the host has neither ended the session nor lost us, and waits for a
 * command or owes replies to those it has.
 */
bool dialogue_can_quit(const struct dialogue *dialogue);

/*
 * Says QUIT; without PIPELINING, once the replies that are owed have come. Only when
 * dialogue_can_quit.
 */
void dialogue_quit(struct dialogue *dialogue);

/* The stage of the reply awaited now, for remarks. */
enum rb_stage dialogue_stage(const struct dialogue *dialogue);

#endif
