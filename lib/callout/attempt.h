/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attempt: one attempt of a callout over a destination: what is still to be asked, what was said so far,
 * what was learned. Shared by callout (which hosts) and session (one session); nobody else includes
 * it. One thread.
 */
#ifndef RB_CALLOUT_ATTEMPT_H
#define RB_CALLOUT_ATTEMPT_H

#include "callout/callout.h"
#include "base/clock.h"

#include <netinet/in.h>

enum { ATTEMPT_HOSTS_MAX = 32 }; /* as many as options' max_hosts allows */

/* An IP address with its port; of IPv4 the v4-mapped one. */
struct attempt_host {
    struct in6_addr ip;
    in_port_t port;
};

/* One attempt at a destination. */
struct attempt {
    const struct callout *callout;
    struct callout_item *todo;  /* taken, not yet answered */
    struct callout_item *later; /* not answered by this host: for the next one */
    struct domain_record facts; /* as known at the start, and as learned */
    bool probed;                /* asked for the probe address: not again in this attempt */
    bool ask_with_fallback;     /* the null sender was refused and the connection lost over it */
    bool reconnect;             /* a session with answers was lost: the host is called once more */
    bool host_reacted; /* some host took a connection and did something with it, if only close it */
    const char *host;  /* what hooks know the host called now by */
    bool lmtp;         /* what the host called now speaks */
    bool full;         /* a host had no room for another session: what is left is for later */
    bool paused;       /* a host is left alone for a while: what is left is not asked for now */
    bool reached;      /* some host got as far as being asked */
    deadline until;
    unsigned taken; /* items */
    unsigned tried, held_back, bogus, own, no_route, dns_failed, other_version;
    struct attempt_host met[ATTEMPT_HOSTS_MAX]; /* not to be called again under another name */
    unsigned met_count;
};

/* A record of this moment, without a reply. rule is static. */
struct address_record attempt_record(const struct attempt *attempt, enum rb_reason reason,
                                     enum rb_stage stage, const char *rule);

/* Whether the attempt must end here, for the sake of others that wait. */
bool attempt_must_yield(const struct attempt *attempt);

/*
 * A non-answer: kept for the item, or for all that is to be asked, if it tells more than the one
 * before.
 */
void attempt_consider(struct callout_item *item, const struct address_record *record);
void attempt_consider_all(struct attempt *attempt, const struct address_record *record);

/* Whether some host has said more of the item than that no mail host can be reached there. */
bool attempt_was_told(const struct callout_item *item);

/*
 * The host where asking begins would have none of it now: the item's non-answer, unless it was told
 * one before.
 */
void attempt_limit(struct callout_item *item, const struct address_record *record);

/* The owner's hooks: an item's final answer; another item, NULL when there is none. */
void attempt_answer(const struct attempt *attempt, struct callout_item *item,
                    const struct address_record *record);
struct callout_item *attempt_take(const struct attempt *attempt);

/* Puts an item at the head of a list. */
void attempt_put_by(struct callout_item **list, struct callout_item *item);

/* What was learned of the domain: for the rest of this attempt, and for the owner. */
void attempt_learn_catch_all(struct attempt *attempt, bool accepts_everything);
void attempt_learn_null_sender(struct attempt *attempt);
void attempt_learn_dead(struct attempt *attempt, enum rb_reason why);
void attempt_learn_alive(struct attempt *attempt);

/* Whether a fact is known, live, and says so. */
bool attempt_knows(const struct attempt *attempt, const struct fact *fact, enum fact_state state);

#endif
