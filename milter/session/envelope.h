/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * envelope: what an SMTP client has said of itself and of one message, what was found out about it
 * and decided: the data that session, decide and recipient work on. Calls none of them.
 *
 * Thread rule: one thread at a time for one session (not always the same one).
 */
#ifndef RB_MILTER_SESSION_ENVELOPE_H
#define RB_MILTER_SESSION_ENVELOPE_H

#include <sys/socket.h>

#include "config/configuration.h"
#include "config/policy.h"
#include "ringback.h"
#include "session/guessers.h"

enum {
    SESSION_TEXT_MAX = 400, /* octets shown of what a client called itself, or its sender */
    SESSION_ID_MAX = 32,
    SESSION_SENDER_MAX = RB_ADDRESS_MAX + 2, /* an address and its brackets: few are longer */
    SESSION_TICK_MS = 2500,                  /* how often the MTA hears that we are still at it */
    SESSION_CORRESPONDENTS_MAX = 65536,      /* octets of one message's recipients that are noted */
};

/* Why a sender is not verified: the names appear in logs, headers and metrics. */
enum exemption {
    EXEMPT_NOT = 0,
    EXEMPT_LOCAL_SUBMISSION, /* not by SMTP at all */
    EXEMPT_TRUSTED_NETWORKS,
    EXEMPT_AUTHENTICATED,
    EXEMPT_NULL_SENDER,
    EXEMPT_OWN_CALLOUT_SENDER, /* to it: two sites must not verify each other's for ever */
    EXEMPT_POLICY,             /* the policy does not verify senders */
    EXEMPT_MAX,
};

/* "trusted_networks"; "" for EXEMPT_NOT. Static. */
const char *exemption_name(enum exemption exemption);

/* Whom a decision is about: the envelope's sender, a recipient, a header sender, or the client. */
enum decision_of { OF_SENDER = 0, OF_RECIPIENT, OF_HEADER, OF_CLIENT };

/* A question about an address, and what was heard: inquiry.h. */
struct inquiry {
    bool asked;
    enum decision_of of;      /* whom it is about */
    int64_t asked_ms;         /* monotonic */
    struct rb_ticket *ticket; /* NULL: the answer is there, or nothing was asked */
    struct rb_answer answer;
    int64_t waited_ms;
};

/*
 * What was decided: about the sender, for the recipients of one message that fall under one policy;
 * or about one recipient; or about a header sender or the client, for all recipients.
 */
struct decision {
    struct decision *next; /* about the sender: under another policy; NULL: the last */
    enum decision_of of;
    enum originator_field field; /* of a header sender: the first that names it */
    bool pending; /* let in for now: decide_at is later, or no verdict that may come refuses it */
    bool put_off; /* of a recipient: it must go into another message */
    bool barred;  /* of a recipient: the client has guessed too often to be answered */
    const struct policy *policy; /* lives as long as the session's configuration */
    enum exemption exemption;
    struct inquiry *inquiry; /* of the sender: what it rests on; NULL: the plain one, if any */
    enum rb_verdict verdict;
    enum rb_reason reason;
    enum action wanted; /* what the policy says */
    enum action action; /* what is done: the same, but accept in a dry run, and where the MTA does
                           not do it */
    unsigned recipients;
    char recipient[SESSION_TEXT_MAX + 1]; /* the first of them, printable */
    bool logged;
};

/* What filters before ours have said in a message's header; see vouch.h. */
struct vouch_results {
    bool is_over;                   /* the message's own fields have begun */
    bool is_injected;               /* they may hold words of a stranger's */
    unsigned fields;                /* looked at */
    unsigned ids_seen;              /* a bit for each of trusted_authserv_ids, in its order */
    struct text_list signers;       /* domains vouched for by DKIM, and */
    struct text_list authors;       /* by DMARC, whatever From says */
    bool has_author;                /* the message has a field From */
    char author[RB_DOMAIN_MAX + 1]; /* its domain; "": it is not one plain mailbox */
};

struct session;

/*
 * Who is told what sessions do: to count it, to log it, to keep it. Const, shared by all sessions;
 * all members are called from any session's thread, none is NULL.
 */
struct session_observer {
    void (*decided)(enum rb_reason reason, enum action action); /* of whomever */
    void (*skipped)(enum exemption exemption);                  /* a sender was not verified */
    void (*vouched)(enum rb_voucher voucher); /* who did for the client of a decided sender */
    void (*guessed)(enum guesser guesser);    /* it guesses recipients, and was treated so */
    void (*waited)(int64_t waited_ms);        /* a client waited so long for one answer */
    /* An address could not be verified, and that is a fault of ours. */
    void (*failed)(const struct session *session, enum decision_of of, const char *why);
    /* A user of ours has written to this address, of len octets. */
    void (*note_correspondent)(struct rb_verifier *verifier, const char *address, size_t len);
};

/* A header sender: the first mailbox of an originator field of the message (RFC 5322 3.6.2). */
struct originator {
    bool seen;                     /* the field was there; another of its name does not count */
    char key[RB_ADDRESS_MAX + 1];  /* canonical; "" where the field has no mailbox */
    char text[RB_ADDRESS_MAX + 1]; /* as a question has it */
    struct inquiry inquiry;        /* not asked where the envelope sender's answer is it */
    bool decided;                  /* true of one field where several have the same address */
    struct decision decision;
};

/* What was heard of the host that the client claims to be, and is decided by it: claim.h. */
struct claim {
    struct rb_client_answer answer; /* without a transcript */
    int64_t waited_ms;              /* for this message */
    bool decided;
    struct decision decision;
};

/* What sessions need from outside; const, shared by all sessions. */
struct session_world {
    struct rb_verifier *verifier;
    const struct session_observer *observer; /* NULL: nobody */
    void (*pause)(unsigned ms);              /* keeps a client waiting; NULL: nobody is */
    void (*before_wait)(void); /* called just before a wait that may be long; NULL: nothing to do */
    /*
     * Answers a question instead of the verifier, for who only wants to know what would be done:
     * nothing is held against the client then. NULL: the verifier is asked.
     */
    void (*answer)(void *arg, const struct rb_question *question, enum decision_of of,
                   struct rb_answer *answer);
    /* The same for a question about a client. Both may be NULL by themselves. */
    void (*answer_client)(void *arg, const struct rb_client_question *question,
                          struct rb_client_answer *answer);
    void *answer_arg;
};

struct session {
    const struct session_world *world;
    struct config *config; /* a reference: a reload changes nothing for a session under way */
    bool mta_tags, mta_quarantines; /* the MTA adds header fields, holds messages */

    /* the connection */
    struct sockaddr_storage client;
    bool client_known;
    bool local_submission;
    char client_text[46]; /* "" where not known */
    char helo[SESSION_TEXT_MAX + 1];
    struct claim *claim; /* of whoever asks about clients; NULL: nobody does */

    /* the message */
    bool claim_follows; /* the client will be asked about, where the message is let in so far */
    bool authenticated;
    bool null_sender;
    uint64_t message_size; /* octets, by MAIL's SIZE= (RFC 1870); 0: the client gave none */
    char *sender; /* as the client gave it, brackets and all, without ESMTP arguments; NULL: none */
    char sender_room[SESSION_SENDER_MAX + 1]; /* sender points here, or to malloc'ed room */
    char sender_key[RB_ADDRESS_MAX + 1];    /* canonical; "" for the null sender or a bad address */
    char sender_text[SESSION_TEXT_MAX + 1]; /* printable, without brackets */
    char id[SESSION_ID_MAX + 1];
    /*
     * Its sender is asked about once for all recipients; but where the gate may hold the question
     * back, and somebody vouches for the client by what we know, once more.
     */
    struct inquiry plain, vouched;
    struct decision *decisions; /* about the sender, in the order of recipients; NULL: none */
    struct decision first;      /* room of the first of them, nearly always the only one */
    bool marked;          /* a recipient who was let in wants something done with the message: */
    struct decision mark; /* the harshest decision about such a recipient */
    struct vouch_results results;
    struct originator *originators; /* ORIGINATORS of them, malloc'ed; NULL: none was noted */
    char *correspondents; /* noted when the message is let in; each ends with NUL; malloc'ed */
    size_t correspondents_len, correspondents_room;

    /* When RCPT, DATA or the message's end came, whichever the MTA waits for; monotonic. */
    int64_t event_began_ms;

    /* the recipient of the last RCPT */
    struct {
        bool decided; /* it was verified */
        struct decision decision;
        struct rb_answer answer;
    } rcpt;
};

/* The client's address; NULL where it is not known. */
const struct sockaddr *envelope_client(const struct session *session);

/* What a decision rests on. */
const struct rb_answer *envelope_answer(const struct session *session,
                                        const struct decision *decision);

/* How long the client waited for it. */
int64_t envelope_waited_ms(const struct session *session, const struct decision *decision);

/* Whom it is about, for people: the address, which may be UTF-8. */
const char *envelope_address(const struct session *session, const struct decision *decision);

/* "sender", "recipient", or the name of the header field: "Reply-To". Static. */
const char *envelope_role(const struct decision *decision);

/* An address as it came, of len octets, without its brackets and printable, for people. */
void envelope_show_address(char *text, size_t size, const char *argument, size_t len);

#endif
