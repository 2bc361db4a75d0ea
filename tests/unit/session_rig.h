/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_rig: a session of the milter and the world around it: a name server, a mail host of the
 * senders' domains, a mail store of our own, and a verifier over them. The clock is the system's.
 * Whatever cannot be done ends the test. One thread.
 */
#ifndef RB_SESSION_RIG_H
#define RB_SESSION_RIG_H

#include "fake_dns.h"
#include "fake_host.h"
#include "session/session.h"

#define SESSION_RIG_STORE "127.0.0.2"
#define SESSION_RIG_CLIENT "198.51.100.7"

/* What is to be found in the world. All pointers must outlive the rig. */
struct session_rig_world {
    const struct fake_dns_row *zone;
    size_t zone_count;
    const struct fake_host_options *host;  /* at 127.0.0.1, on the port of callouts */
    const struct fake_host_options *store; /* at SESSION_RIG_STORE */
};

struct session_rig {
    char folder[64], cache[80], cache_name[96], config[80];
    struct fake_dns *dns;
    struct fake_host *host, *store;
    struct rb_network loopback;
    struct rb_options options; /* sensible ones; change what you like before the first session */
    struct rb_verifier *verifier;
    struct session_world world;
    struct session session;
    bool begun;
};

/* The milter's callbacks find the rig's configuration and world by service_config and
 * service_world. */

/* What the world's hooks were called for, since the rig was set up. */
extern struct session_rig_calls {
    unsigned pauses, paused_ms, waits;
} session_rig_calls;

/* For the set-up of a test: *state becomes the rig. Returns 0, or -1 where it cannot be had. */
int session_rig_set_up(void **state, const struct session_rig_world *world);

/* For the tear-down: closes, ends and removes everything. Returns 0. */
int session_rig_tear_down(void **state);

/* An address that lives until the next call. */
const struct sockaddr *session_rig_client(const char *ip);

/*
 * A session of that client takes the place of the one before, and is at a message of
 * good@example.org. It alone holds the configuration, in whose text each "@PORT" becomes the
 * store's port.
 */
void session_rig_begin_from(struct session_rig *rig, const struct sockaddr *from, const char *text);

/* The same, of SESSION_RIG_CLIENT. */
void session_rig_begin(struct session_rig *rig, const char *text);

/* The verifier's options become the rig's; after the first session. */
void session_rig_reload(struct session_rig *rig);

/* A verifier whose gate is closed unless somebody vouches, and what it was asked. */
struct session_rig_gate {
    enum rb_reason closed, open; /* what is told then */
    unsigned asked[RB_VOUCHER_MAX];
};

/*
 * As session_rig_begin, but that the gate answers about senders, with the rule "spf_fail" where it
 * is closed, and the reply "550 5.1.1 it said" where it is open. It must outlive the session.
 */
void session_rig_begin_behind_gate(struct session_rig *rig, struct session_rig_gate *gate,
                                   const char *text);

/* Another message of the session. */
void session_rig_mail(struct session_rig *rig, const char *argument);

/* Another store takes the place of the one there was. */
void session_rig_start_store(struct session_rig *rig, const struct fake_host_options *options);

/*
 * Waits until no callout is under way, for one that is ending would answer the next question too, and
 * what was learned is written.
 */
void session_rig_await_idle(const struct session_rig *rig);

/* How many decisions there are about the sender of a message. */
size_t session_rig_decisions(const struct session *session);

/* What the client is told about a decision. */
void session_rig_is_told(const struct session_rig *rig, const struct decision *decision,
                         const char *code, const char *enhanced, const char *text);

#endif
