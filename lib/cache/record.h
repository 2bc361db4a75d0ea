/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record: what the cache keeps of addresses, domains and hosts: the versioned codec (record.c); how
 * long a record answers, and which of two stays (record_life.c). Pure. Decoding takes hostile
 * input: a damaged, truncated or unknown record reads as "none".
 */
#ifndef RB_CACHE_RECORD_H
#define RB_CACHE_RECORD_H

#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORD_SIZE_MAX = 2048,
    RECORD_DENIAL_GAP_S = 3600, /* between the two denials that a live valid takes */
};

/* What a mail host said of one address. Stamps are wall-clock seconds since 1970. */
struct address_record {
    enum rb_reason reason;
    enum rb_stage stage;
    int64_t stamp_s;
    int64_t tried_s; /* when it was last asked about again in vain; 0: not since stamp_s */
    /*
     * When a mail host first said that the mailbox does not exist: of a valid, since stamp_s; of an
     * invalid, before stamp_s. 0: none did.
     */
    int64_t denied_s;
    int code;
    int wait_s;
    uint16_t port;
    bool mail_from_known;
    char enhanced[RB_ENHANCED_MAX + 1];
    char reply[RB_REPLY_MAX + 1];
    char mx[RB_DOMAIN_MAX + 1];
    char ip[46];
    char tls[16];
    char mail_from[RB_ADDRESS_MAX + 1];
    char rule[RB_RULE_MAX + 1];
    enum rb_limit limit; /* of this moment: never stored */
};

enum fact_state { FACT_UNKNOWN = 0, FACT_NO, FACT_YES };

/* One thing known of a domain, and since when. stamp_s 0: not known. */
struct fact {
    enum fact_state state;
    int64_t stamp_s;
};

/* What is known of a domain: how to call, never a verdict about one address. Each fact has its own
 * stamp. */
struct domain_record {
    struct fact catch_all;           /* accepts a local part that nobody has */
    struct fact null_sender_refused; /* the fallback sender must be used */
    struct fact dead;                /* nothing can be delivered there; dead_reason says why */
    enum rb_reason dead_reason;      /* no_domain, no_mail_host, null_mx, bogus_mx or unreachable */
};

/* What is known of a mail host's IP address. */
struct host_record {
    unsigned failures;     /* in a row */
    unsigned trips;        /* how often it was held back since it last answered */
    int64_t held_until_s;  /* 0: not held back */
    int64_t stamp_s;       /* of the last change */
    enum rb_reason reason; /* of the last failure */
};

/*
 * Encode: return the number of octets written to out, 0 when size does not suffice (RECORD_SIZE_MAX
 * always does). Decode: false when the octets are no record of that kind; *record is then zeroed.
 */
size_t address_record_encode(const struct address_record *record, uint8_t *out, size_t size);
bool address_record_decode(const uint8_t *in, size_t len, struct address_record *record);
size_t domain_record_encode(const struct domain_record *record, uint8_t *out, size_t size);
bool domain_record_decode(const uint8_t *in, size_t len, struct domain_record *record);
size_t host_record_encode(const struct host_record *record, uint8_t *out, size_t size);
bool host_record_decode(const uint8_t *in, size_t len, struct host_record *record);

/* A record of nothing but a reason, the rule (any text; cut) that led to it, and a stamp. */
void address_record_set(struct address_record *record, enum rb_reason reason, const char *rule,
                        int64_t stamp_s);

/* Makes it an answer that a limit gives, for now: sets its reason, its rule and its limit. */
void address_record_limit(struct address_record *record, enum rb_limit limit);

/*
 * False for what says something of us, of the client or of this moment, and not of the address: no
 * knowledge to keep.
 */
bool address_record_is_kept(enum rb_reason reason);

/* Whether a record answers at once, and how long it will. Computed at reading, from today's
 * lifetimes. */
enum freshness { RECORD_EXPIRED, RECORD_STALE, RECORD_FRESH };

/*
 * stale: still answers, but should be asked again behind the caller's back. *expires_s (may be
 * NULL) is the number of seconds left. A stamp in the future counts as of now. One that was asked
 * again in vain is not stale before an unknown would be asked again: a host that is down is not
 * asked for every mail. A valid that was denied is stale once the gap is over, for it is then to be
 * asked a second time.
 */
enum freshness address_record_freshness(const struct address_record *record,
                                        const struct rb_lifetimes *lifetimes, int64_t now_s,
                                        int64_t *expires_s);

/* True when the fact is known and younger than ttl_s. */
bool fact_is_live(const struct fact *fact, int64_t ttl_s, int64_t now_s);

/*
 * Merging, for the store's one writer. Address: a live valid or invalid is never replaced by an
 * unknown, a live valid by an invalid only when two were said RECORD_DENIAL_GAP_S apart (one may be
 * a slip of the host's: a directory that is down, a move under way); everything else is replaced by
 * the newer. Domain: fact by fact, the newer stamp wins. All pure.
 */
void address_record_merge(struct address_record *into, const struct address_record *news,
                          const struct rb_lifetimes *lifetimes);
void domain_record_merge(struct domain_record *into, const struct domain_record *news);

#endif
