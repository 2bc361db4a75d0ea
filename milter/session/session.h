/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: what the milter thinks of one SMTP session: who is exempt, which policy applies, what
 * was found out, what is to be done. Knows no libmilter: `filter` feeds it from a real session,
 * `ringback explain` from its command line, and both get the same decisions.
 *
 * Thread rule: one thread at a time for one session (not always the same one).
 */
#ifndef RB_MILTER_SESSION_H
#define RB_MILTER_SESSION_H

#include "config/configuration.h"
#include "config/policy.h"
#include "ringback.h"

#include <sys/socket.h>

enum {
    SESSION_REPLY_MAX = 480, /* octets of a reply's text: with its codes below SMTP's 512 */
    SESSION_TEXT_MAX =
        400, /* octets kept of what a client called itself or its sender, for showing */
    SESSION_ID_MAX = 32,
    SESSION_SENDER_MAX = RB_ADDRESS_MAX + 2, /* an address and its brackets: few are longer */
    SESSION_TICK_MS = 2500,                  /* how often the MTA hears that we are still at it */
    SESSION_CORRESPONDENTS_MAX =
        65536, /* octets of one message's recipients that are noted; those behind are not */
};

/* Why nothing is verified: the names appear in logs, headers and metrics. */
enum exemption {
    EXEMPT_NOT = 0,
    EXEMPT_LOCAL_SUBMISSION, /* not by SMTP at all */
    EXEMPT_TRUSTED_NETWORKS,
    EXEMPT_AUTHENTICATED,
    EXEMPT_NULL_SENDER,
    EXEMPT_OWN_CALLOUT_SENDER, /* to our own callout sender: two verifying sites must not call each
                                  other for ever */
    EXEMPT_POLICY,             /* the policy does not verify senders */
    EXEMPT_MAX,
};

/* "trusted_networks"; "" for EXEMPT_NOT. Static. */
const char *exemption_name(enum exemption exemption);

/* Whom a decision is about. */
enum decision_of { OF_SENDER = 0, OF_RECIPIENT };

/*
 * What was decided: about the sender, for the recipients of one message that fall under one policy;
 * or about one recipient.
 */
struct decision {
    struct decision *next; /* about the sender: under another policy; NULL: the last */
    enum decision_of of;
    bool pending; /* let in for now: decide_at, or nothing that may come turns it away */
    bool put_off; /* of a recipient: it must go into another message */
    bool barred;  /* of a recipient: the client has guessed too often to be answered */
    const struct policy *policy; /* lives as long as the session's configuration */
    enum exemption exemption;
    enum rb_verdict verdict;
    enum rb_reason reason;
    enum action wanted; /* what the policy says */
    enum action action; /* what is done: the same, but accept in a dry run, and where the MTA does
                           not do it */
    unsigned recipients;
    char recipient[SESSION_TEXT_MAX + 1]; /* the first of them, printable */
    bool logged;
};

/* What verifying needs from outside; const, shared by all sessions. */
struct session_world {
    struct rb_verifier *verifier;
    void (*pause)(unsigned ms); /* keeps a client waiting; NULL: nobody is */
    void (*before_wait)(void); /* called just before a wait that may be long; NULL: nothing to do */
    /* A user of ours has written to this address: rb_note_correspondent; NULL: nothing is noted. */
    void (*note_correspondent)(struct rb_verifier *verifier, const char *address, size_t len);
    /*
     * Answers a question instead of the verifier, for who only wants to know what would be done:
     * nothing is counted, logged or held against the client then. NULL: the verifier is asked.
     */
    void (*answer)(void *arg, const struct rb_question *question, enum decision_of of,
                   struct rb_answer *answer);
    void *answer_arg;
};

struct session {
    const struct session_world *world;
    struct config
        *config; /* held from start to end: a reload changes nothing for a session under way */
    bool mta_tags, mta_quarantines; /* it adds header fields, holds messages: true at first */

    /* the connection */
    struct sockaddr_storage client;
    bool client_known;
    bool local_submission;
    char client_text[46]; /* "" where not known */
    char helo[SESSION_TEXT_MAX + 1];

    /* the message */
    bool authenticated;
    bool null_sender;
    char *sender; /* as the client gave it, brackets and all, without ESMTP arguments; NULL: none */
    char sender_room[SESSION_SENDER_MAX + 1]; /* where it is, or malloc'ed where it does not fit */
    char sender_key[RB_ADDRESS_MAX + 1];    /* canonical; "" for the null sender or a bad address */
    char sender_text[SESSION_TEXT_MAX + 1]; /* printable, without brackets */
    char id[SESSION_ID_MAX + 1];
    bool asked;
    int64_t asked_ms;         /* monotonic */
    struct rb_ticket *ticket; /* NULL: the answer is there, or nothing was asked */
    struct rb_answer answer;
    int64_t waited_ms;
    struct decision *decisions; /* about the sender, in the order of recipients; NULL: none */
    struct decision first;      /* nearly always the only one, and many sessions wait */
    bool marked;          /* something is to be done with the message for a recipient's sake: */
    struct decision mark; /* the harshest decision about one of those that were let in */
    char
        *correspondents; /* to be noted when the message is let in: each ends with NUL; malloc'ed */
    size_t correspondents_len, correspondents_room;

    /* the recipient of the last RCPT */
    struct {
        int64_t began_ms; /* monotonic */
        bool decided;     /* it was verified */
        struct decision decision;
        struct rb_answer answer;
    } rcpt;
};

/* An IP address as that of an SMTP client; false: it is none. */
bool session_client_from_text(const char *text, struct sockaddr_storage *client);

/* Takes a reference to config. address: NULL where the MTA does not know it. */
void session_init(struct session *session, const struct session_world *world, struct config *config,
                  const struct sockaddr *address);
void session_fini(struct session *session);

void session_helo(struct session *session, const char *helo);

/* Whether the whole connection is exempt: nothing need be looked at any more. */
enum exemption session_connection_exempt(const struct session *session);

/* MAIL: a new message; forgets the one before. argument: as typed. RB_ERR_NOMEM. */
enum rb_error session_mail(struct session *session, const char *argument, bool authenticated);

/* The message has come whole and is let in: notes whom our own user has written to. */
void session_let_in(struct session *session);

/* Forgets the message. */
void session_reset(struct session *session);

/*
 * RCPT: what to do about this recipient: the decision about the recipient, where it is verified and
 * that turns it away, or the one about the sender; session->rcpt tells whether the recipient was
 * verified. The first that needs it waits for the verdict, at most the configured time. The
 * decision is the session's, until session_reset; one about a recipient until the next RCPT.
 */
struct decision *session_rcpt(struct session *session, const char *argument);

/*
 * Whether what is to be done about the message is still to be found out: with decide_at data and
 * eom, and where a host has accepted the sender and the rest turns nothing away.
 */
bool session_is_pending(const struct session *session);

/*
 * Waits for the answer until max_wait_ms have passed since it was asked for, and settles what was
 * pending. tick, if not NULL, is called every SESSION_TICK_MS. Returns the decision that refuses
 * the message; NULL: it is let in.
 */
const struct decision *session_collect(struct session *session, unsigned max_wait_ms,
                                       void (*tick)(void *arg), void *arg);

/* An address as it came, without its brackets, for people. */
void session_show_address(char *text, size_t size, const char *argument, size_t len);

/* The client's address; NULL where it is not known. */
const struct sockaddr *session_client(const struct session *session);

/* Notes what is to be done; a dry run does nothing of it, nor does an MTA what it does not know. */
void session_settle(const struct session *session, struct decision *decision, enum action wanted);

/* What a decision rests on. */
const struct rb_answer *session_answer(const struct session *session,
                                       const struct decision *decision);

/* Which exemption holds for this message and recipient, but for the policy's; in the order in which
 * they are tried. */
enum exemption session_exempt(const struct session *session, const char *recipient_key);

/* The sender as policies see it: canonical, "" for the null sender alone. A bad address is shown as
 * it came, lest it pass for the null sender. */
const char *session_policy_sender(const struct session *session);

/* The decision about the sender that speaks for the message as a whole: the harshest among what
 * was let in. NULL: none yet. */
const struct decision *session_message_decision(const struct session *session);

/* The decision that says what is done with the message as a whole: that one, or a harsher one about
 * a recipient who was let in. NULL: none yet. */
const struct decision *session_fate(const struct session *session);

/* How a decision is told to the client. */
struct smtp_reply {
    char code[4], enhanced[8];
    char text[SESSION_REPLY_MAX + 1]; /* printable ASCII, one line, '%' single */
};

/* Only for ACTION_REJECT and ACTION_TEMPFAIL. */
void session_reply(const struct session *session, const struct decision *decision,
                   enum action action, struct smtp_reply *reply);

/* One line for the log. queue_id: NULL or "" where not known. */
void session_log(const struct session *session, struct decision *decision, const char *queue_id);

/*
 * The address in what a MAIL or RCPT argument holds: length of the part with the brackets (or up to
 * the first blank outside quotes), ESMTP arguments left out. For octets that `strlen` counts.
 */
size_t session_argument_len(const char *argument);

#endif
