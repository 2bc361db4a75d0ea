/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callout: one destination, some addresses -> what its mail hosts say of each, and what was learned
 * on the way. Finds the mail hosts (RFC 5321 5.1), calls them in order, one session at a time, and
 * asks in each session for as many addresses as its owner hands over. Knows no cache and no queue:
 * the owner's hooks do that.
 *
 * Thread rule: one callout belongs to one thread; hooks are called from it, with no lock held.
 */
#ifndef RB_CALLOUT_CALLOUT_H
#define RB_CALLOUT_CALLOUT_H

#include "mail/address.h"
#include "dns/dns.h"
#include "options/options.h"
#include "base/stall.h"
#include "cache/record.h"
#include "extension/verbs.h"
#include "ringback.h"

#include <sys/socket.h>

enum {
    CALLOUT_HOST_MAX = 45 + 1 + 5, /* octets of what hooks know a host by: "address#port" */
    /* Addresses asked for in one callout, and so in one session: other destinations wait for the
     * worker, and hosts count (manners.c). */
    CALLOUT_SESSION_QUESTIONS_MAX = 10,
};

/*
 * One address to ask for, or one verb to say. The owner's; the callout writes only what stands
 * behind `asked_ms`.
 */
struct callout_item {
    struct callout_item *next;       /* the owner's queue, later the callout's list */
    char address[ADDRESS_TEXT_SIZE]; /* as in a command */
    bool needs_utf8;
    uint64_t message_size; /* of the message that is to come; 0: not known */
    /*
     * A line that is said instead, outside any transaction (extension/verbs.h), and never two in a
     * session: nothing is asked of the address then. The first host with which a session can be
     * opened answers it, also by not knowing the verb. NULL: the address is asked for. Both texts
     * are the owner's, and live as long as the item is the callout's.
     */
    const char *verb;
    const char *only_mx; /* the verb is said only to the mail host of this name; NULL: to any */
    sa_family_t family;  /* of a verb: addresses of this family are called first; AF_UNSPEC: any */
    /* A verb follows in a moment: the session is kept open for that (idle_timeout_ms). */
    bool then_client;
    struct rb_transcript *transcript; /* NULL: none */
    int64_t asked_ms;                 /* monotonic */
    struct address_record best;       /* the most telling non-answer so far, if has_best */
    bool has_best;
    bool turned_away;     /* 421 was answered to it and taken for one session too many: once only */
    bool greeted;         /* some host that was called for it said 220 in time */
    enum verbs_word word; /* of the verb's reply */
};

/* Whether a mail host may be called now. */
enum callout_permission {
    CALLOUT_CALL,
    CALLOUT_HELD_BACK, /* it failed too often (breaker): the next host is called */
    CALLOUT_FULL,      /* as many sessions with it as there may be: what is left is handed back */
    CALLOUT_PAUSED,    /* it was too much for it a moment ago: what is left is not asked for now */
    CALLOUT_OVER_RATE, /* it was called as often as may be: nor is what is left asked for now */
};

/* Who finds out whether the domain accepts everything. */
enum callout_probe {
    CALLOUT_PROBE,        /* this callout does */
    CALLOUT_PROBE_PARKED, /* another one is about to: the item is the owner's again */
    CALLOUT_PROBE_KNOWN,  /* another one has */
};

struct callout_hooks {
    /* Another address for this destination; NULL: there is none now. The item is the callout's
     * until `answer`, `put_back` or CALLOUT_PROBE_PARKED. */
    struct callout_item *(*next)(void *arg);
    /*
     * `next` had none: is it worth while to keep a session with the host open for another? Then
     * `wait_for_more` waits for that one; NULL: it is not worth while any longer.
     */
    bool (*may_keep_open)(void *arg, const char *ip);
    struct callout_item *(*wait_for_more)(void *arg, const char *ip);
    /*
     * The item's final answer: exactly once for each item. Of a verb that was replied to: without a
     * reason, with the code and reply at RB_STAGE_VERB, whatever those are; else why it was not
     * said, or what came in the place of its reply.
     */
    void (*answer)(void *arg, struct callout_item *item, const struct address_record *record);
    /*
     * May this IP address of the mail host of that name be called now? Where it may, `left` follows
     * when nothing more is to be asked there; is_last: nor anywhere else, so that the callout is
     * about to end. The address of a relay that the admin named has its port behind it,
     * "192.0.2.1#24", here and in `called`: several may share one; "" for a path.
     */
    enum callout_permission (*may_call)(void *arg, const char *mx, const char *ip);
    void (*left)(void *arg, const char *ip, bool is_last);
    /*
     * The host has sent away, as one too many, the session that was to begin. True: others of ours
     * are open with it, or (may_lag) it may still count one that has just ended; there will be no
     * more of them for a while, and what is left is to be handed back. False: it is a failure. May
     * wait for a moment.
     */
    bool (*turned_away)(void *arg, const char *ip, bool may_lag);
    /* The host said that our pace is too much: it is not to be called for a while. */
    void (*too_much)(void *arg, const char *ip);
    /*
     * Takes an item back, to be asked about when the host has room. False: it has waited too long;
     * it is to be answered.
     */
    bool (*put_back)(void *arg, struct callout_item *item);
    /*
     * An item was accepted, and nobody in this callout knows what that is worth: who is to probe?
     * After CALLOUT_PROBE, and only then, end_probe follows; after CALLOUT_PROBE_KNOWN *catch_all
     * is known. A parked item comes back by end_probe of the callout that probes, and is answered
     * there.
     */
    enum callout_probe (*begin_probe)(void *arg, struct callout_item *item,
                                      const struct address_record *accepted,
                                      struct fact *catch_all);
    /*
     * The probe is over; FACT_UNKNOWN: without a clear answer. What was parked: a list, each with
     * its host's answer in `best`.
     */
    struct callout_item *(*end_probe)(void *arg, const struct fact *catch_all);
    /*
     * How a connection to this IP address went, told once for each, when it has ended or is kept
     * open for the first time: reason, stage and code of what went wrong, or RB_REASON_ACCEPTED
     * where the host spoke with us as a mail host should, whatever it said of addresses.
     */
    void (*called)(void *arg, const char *ip, const struct address_record *how);
    /* Something was learned of the domain: the facts of `news` that have a stamp. */
    void (*learned)(void *arg, const struct domain_record *news);
    void *arg;
};

struct callout {
    const struct options *options;
    const struct dns *dns;
    const struct rb_clock *clock;
    const struct rb_network *own; /* this machine's addresses */
    size_t own_count;
    void *tls_context;
    int cancel_fd;              /* readable: all callouts end at once */
    struct stall_call *stall;   /* told of every wait for a reply; NULL: nobody watches */
    const uint8_t *probe_key;   /* 32 octets: keys the local part of catch-all probes */
    const char *domain;         /* canonical */
    const char *relay;          /* relay.h; NULL: the domain's mail hosts */
    struct domain_record facts; /* what is known of the domain */
    struct callout_hooks hooks;
};

/*
 * Calls until hooks.next has no more, or no mail host is left: then all that hooks.next yields is
 * answered so too. Blocks for as long as hosts let it, total_timeout for each session at most.
 */
void callout_run(const struct callout *callout);

#endif
