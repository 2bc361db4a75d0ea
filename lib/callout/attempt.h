/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attempt: one callout's attempt at its destination: what is still to be asked, what was said so
 * far, what was learned, and what is answered in the end. Shared by the files of this room; nobody
 * else includes it. Calls no host. One thread, that of the callout.
 */
#ifndef RB_CALLOUT_ATTEMPT_H
#define RB_CALLOUT_ATTEMPT_H

#include "base/clock.h"
#include "base/ip.h"
#include "callout/callout.h"
#include "smtp/dialogue.h"

enum { ATTEMPT_HOSTS_MAX = 32 }; /* as many as options' max_hosts allows */

struct attempt_host {
    struct ip ip;
    in_port_t port;
};

struct attempt {
    const struct callout *callout;
    struct callout_item *todo;  /* taken from the owner, not yet answered */
    struct callout_item *later; /* not answered by the host called now: for the next one */
    unsigned taken;             /* items so far */
    struct domain_record facts; /* as known at the start, and as learned since */
    deadline until;             /* for the host called now: connecting, and its first question */

    /* The host called now. */
    const char *host; /* what hooks know it by */
    bool lmtp;        /* what it speaks */
    bool reconnect;   /* it answered, and the session is over: it is called once more */

    /* What is known of the hosts called before, and of this one. */
    bool probed;            /* the probe address was asked for: not again */
    bool ask_with_fallback; /* the null sender was refused and the connection lost over it */
    bool host_reacted;      /* one took a connection and did something with it, if only close it */
    bool reached;           /* one got as far as being asked */
    bool full;              /* one had no room for another session: what is left is for later */
    bool paused;            /* one is left alone for a while: what is left is not asked for now */
    bool over_rate;         /* and that is by a rate of ours */
    bool dns_failed;        /* not every host, or address of one, was found */
    bool held_back;         /* one was not called because of the breaker */
    bool passed_over;       /* one was not called, for all that was left is for another */
    bool own;               /* one is this machine */
    bool other_version;     /* a host has addresses, of the IP version that is not to be used */
    unsigned bogus;         /* addresses that netguard forbids */
    unsigned tried;         /* addresses called */
    unsigned no_route;      /* of those called, the ones that this machine has no way to */
    struct attempt_host met[ATTEMPT_HOSTS_MAX]; /* not to be called again under another name */
    unsigned met_count;
};

/* --- Whether it goes on --------------------------------------------------- */

/* Whether the time for the host called now is up. */
bool attempt_is_late(const struct attempt *attempt);

/* Whether all callouts are to end at once: cancel_fd is readable. */
bool attempt_is_cancelled(const struct attempt *attempt);

/* Whether the attempt must end, so that its worker is free for others. */
bool attempt_must_yield(const struct attempt *attempt);

/* The host called now is given a whole total_timeout from this moment. */
void attempt_renew_time(struct attempt *attempt);

/* --- Items ---------------------------------------------------------------- */

/*
 * Another item from the owner; NULL: there is none now, or a host that is preferred over the one
 * called now was passed over, and may have to be asked first.
 */
struct callout_item *attempt_take(struct attempt *attempt);

/* An item's final answer. The item is the owner's again. */
void attempt_answer(const struct attempt *attempt, struct callout_item *item,
                    const struct address_record *record);

/* Whether an item may be asked of the mail host of that name; whether any that is to be asked may. */
bool attempt_is_for(const struct callout_item *item, const char *mx);
bool attempt_has_for(const struct attempt *attempt, const char *mx);

/* The mail host of that name has said 220: noted in what is to be asked of it. */
void attempt_note_greeting(const struct attempt *attempt, const char *mx);

/* Puts an item at the head of a list. */
void attempt_push(struct callout_item **list, struct callout_item *item);

/* A record of this moment, without a reply. rule is static. */
void attempt_record(const struct attempt *attempt, enum rb_reason reason, enum rb_stage stage,
                    const char *rule, struct address_record *record);

/* A non-answer: kept for the item if it tells more than the one that it has. */
void attempt_consider(struct callout_item *item, const struct address_record *record);

/* The same, for all that is to be asked. */
void attempt_consider_all(struct attempt *attempt, const struct address_record *record);

/*
 * The host would have none of it now (RB_REASON_LIMITED): kept for the item, unless some host has
 * replied about it, or limited it, before.
 */
void attempt_limit(struct callout_item *item, const struct address_record *record);

/* What is to be asked of the host for an address; the sender is the one that the domain takes. */
struct dialogue_question attempt_question(const struct attempt *attempt, const char *address);

/* --- Facts ---------------------------------------------------------------- */

/* Whether a fact is known, live, and says so. */
bool attempt_knows(const struct attempt *attempt, const struct fact *fact, enum fact_state state);

/* What was learned of the domain: noted for the rest of this attempt, and told the owner. */
void attempt_learn_catch_all(struct attempt *attempt, bool accepts_everything);
void attempt_learn_null_sender(struct attempt *attempt); /* it refuses it */
void attempt_learn_alive(struct attempt *attempt);       /* news only if it was dead */

/* --- The end -------------------------------------------------------------- */

/*
 * No host is called any more: whatever is left is answered, put back or handed on. `outcome` is
 * what the look-up of the mail hosts came to.
 */
void attempt_finish(struct attempt *attempt, enum dns_outcome outcome);

#endif
