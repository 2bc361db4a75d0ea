/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run: one run of a callout over a destination: what is still to be asked, what was said so far,
 * what was learned. Shared by callout (which hosts) and visit (one session); nobody else includes
 * it. One thread.
 */
#ifndef RB_CALLOUT_ATTEMPT_H
#define RB_CALLOUT_ATTEMPT_H

#include "callout/callout.h"
#include "base/clock.h"

#include <netinet/in.h>

enum { RUN_HOSTS_MAX = 32 }; /* as many as options' max_hosts allows */

/* An IP address with its port; of IPv4 the v4-mapped one. */
struct run_host {
    struct in6_addr ip;
    in_port_t port;
};

/* One run over a destination. */
struct run {
    const struct callout *callout;
    struct callout_item *todo;  /* taken, not yet answered */
    struct callout_item *later; /* not answered by this host: for the next one */
    struct domain_record facts; /* as known at the start, and as learned */
    bool probed;                /* asked for the probe address: not again in this run */
    bool ask_with_fallback;     /* the null sender was refused and the connection lost over it */
    bool again;                 /* a session that served was lost: the host is called once more */
    bool stirred;     /* some host took a connection and did something with it, if only close it */
    const char *host; /* what hooks know the host called now by */
    bool lmtp;        /* what the host called now speaks */
    bool full;        /* a host had no room for another session: what is left is for later */
    bool paused;      /* a host is left alone for a while: what is left is not asked for now */
    bool reached;     /* some host got as far as being asked */
    deadline until;
    unsigned taken; /* items */
    unsigned tried, held, bogus, own, no_route, dns_failed, other_version;
    struct run_host met[RUN_HOSTS_MAX]; /* not to be called again under another name */
    unsigned met_count;
};

/* A record of this moment, without a reply. rule is static. */
struct address_record run_record(const struct run *run, enum rb_reason reason, enum rb_stage stage,
                                 const char *rule);

/* Whether the run must end here, for the sake of others that wait. */
bool run_gives_way(const struct run *run);

/*
 * A non-answer: kept for the item, or for all that is to be asked, if it tells more than the one
 * before.
 */
void run_consider(struct callout_item *item, const struct address_record *record);
void run_consider_all(struct run *run, const struct address_record *record);

/* Whether some host has said more of the item than that no mail host can be reached there. */
bool run_was_told(const struct callout_item *item);

/*
 * The host where asking begins would have none of it now: the item's non-answer, unless it was told
 * one before.
 */
void run_limit(struct callout_item *item, const struct address_record *record);

/* The owner's hooks: an item's final answer; another item, NULL when there is none. */
void run_answer(const struct run *run, struct callout_item *item,
                const struct address_record *record);
struct callout_item *run_take(const struct run *run);

/* Puts an item at the head of a list. */
void run_put_by(struct callout_item **list, struct callout_item *item);

/* What was learned of the domain: for the rest of this run, and for the owner. */
void run_learn_catch_all(struct run *run, bool accepts_everything);
void run_learn_null_sender(struct run *run);
void run_learn_dead(struct run *run, enum rb_reason why);
void run_learn_alive(struct run *run);

/* Whether a fact is known, live, and says so. */
bool run_knows(const struct run *run, const struct fact *fact, enum fact_state state);

#endif
