/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: what the milter thinks of one SMTP session: who is exempt, which policy applies, what
 * was found out, what is to be done. Knows no libmilter: `filter` feeds it from a real session,
 * `ringback explain` from its command line, and both get the same decisions.
 *
 * Thread rule: one thread at a time for one session (not always the same one).
 */
#ifndef RB_SESSION_H
#define RB_SESSION_H

#include "conf.h"
#include "policy.h"
#include "ringback.h"

#include <sys/socket.h>

enum {
    SESSION_DECISIONS_MAX =
        32, /* policies of one message that are remembered; further ones share the last place */
    SESSION_REPLY_MAX = 480, /* octets of a reply's text: with its codes below SMTP's 512 */
    SESSION_TEXT_MAX =
        400, /* octets kept of what a client called itself or its sender, for showing */
    SESSION_ID_MAX = 32,
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

/* What was decided for the recipients of one message that fall under one policy. */
struct decision {
    const struct policy *policy; /* lives as long as the session's configuration */
    enum exemption exemption;
    enum rb_verdict verdict;
    enum rb_reason reason;
    enum action wanted; /* what the policy says */
    enum action action; /* what is done: the same, but accept in a dry run */
    unsigned recipients;
    char recipient[SESSION_TEXT_MAX + 1]; /* the first of them, printable */
    bool logged;
};

/* What verifying needs from outside; const, shared by all sessions. */
struct session_world {
    struct rb_verifier *verifier;
    void (*before_wait)(void); /* called just before a wait that may be long; NULL: nothing to do */
};

struct session {
    const struct session_world *world;
    struct config
        *config; /* held from start to end: a reload changes nothing for a session under way */

    /* the connection */
    struct sockaddr_storage client;
    bool client_known;
    bool local_submission;
    char client_text[46]; /* "" where not known */
    char helo[SESSION_TEXT_MAX + 1];

    /* the message */
    bool authenticated;
    bool null_sender;
    char *sender; /* as the client gave it, brackets and all, without ESMTP arguments; malloc'ed */
    char sender_key[RB_ADDRESS_MAX + 1];    /* canonical; "" for the null sender or a bad address */
    char sender_text[SESSION_TEXT_MAX + 1]; /* printable, without brackets */
    char id[SESSION_ID_MAX + 1];
    bool answered;
    struct rb_answer answer;
    int64_t waited_ms;
    struct decision decisions[SESSION_DECISIONS_MAX];
    size_t decision_count;
};

/* Takes a reference to config. address: NULL where the MTA does not know it. */
void session_init(struct session *session, const struct session_world *world, struct config *config,
                  const struct sockaddr *address);
void session_fini(struct session *session);

void session_helo(struct session *session, const char *helo);

/* Whether the whole connection is exempt: nothing need be looked at any more. */
enum exemption session_connection_exempt(const struct session *session);

/* MAIL: a new message; forgets the one before. argument: as typed. RB_ERR_NOMEM. */
enum rb_error session_mail(struct session *session, const char *argument, bool authenticated);

/* Forgets the message. */
void session_reset(struct session *session);

/*
 * RCPT: what to do about this recipient. The first that needs it waits for the verdict, at most the
 * configured time. The decision is the session's, until session_reset.
 */
struct decision *session_rcpt(struct session *session, const char *argument);

/* Which exemption holds for this message and recipient, but for the policy's; in the order in which
 * they are tried. */
enum exemption session_exempt(const struct session *session, const char *recipient_key);

/* The sender as policies see it: canonical, "" for the null sender alone. A bad address is shown as
 * it came, lest it pass for the null sender. */
const char *session_policy_sender(const struct session *session);

/* The decision that speaks for the message as a whole: the harshest among what was let in. NULL:
 * none yet. */
const struct decision *session_message_decision(const struct session *session);

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
