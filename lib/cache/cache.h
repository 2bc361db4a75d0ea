/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache: what was learned, shared by every process on the host. Typed records over a byte store
 * (store.h).
 *
 * Writes are queued, seen at once by cache_get_* of this process, and committed in batches by one
 * writer thread. Mail never fails for the cache's sake: a write that cannot be made is dropped and
 * counted, a record that cannot be read is a miss. Growth is bounded (store's max_bytes): expired
 * records are swept in slices, then the oldest go.
 *
 * Thread rule: every function may be called from any thread, but open and close.
 */
#ifndef RB_CACHE_H
#define RB_CACHE_H

#include "ringback.h"

#include "cache/keys.h"
#include "cache/onetime_record.h"
#include "cache/record.h"
#include "cache/retry_record.h"
#include "cache/verb_record.h"

enum {
    CACHE_QUEUE_MAX = 65536,  /* writes that wait for the writer; more are dropped and counted */
    CACHE_SWEEP_SLICE = 1000, /* records looked at in one sweep slice */
    CACHE_CLAIMS_MAX = 32,    /* retries claimed in one transaction */
};

struct cache_settings {
    const char *store; /* "lmdb:/path"; copied */
    uint64_t max_bytes;
    struct rb_lifetimes lifetimes;
    const struct rb_clock *clock; /* must outlive the cache */
    bool owner_fix;               /* see rb_options */
    bool read_only;               /* no writer thread; puts fail with RB_ERR_STORE */
    struct rb_observer observer;  /* of RB_EVENT_STORE... and RB_EVENT_WRITES... */
};

struct cache;

/*
 * RB_ERR_ARGUMENT: not a store name we know; RB_ERR_STORE: cannot be opened, and detail (if not
 * NULL) says why in words:
 * "/var/lib/ringback/cache: Permission denied".
 * On RB_OK detail is "", or says that what was found there was damaged, and where it was moved
 * aside to.
 */
enum rb_error cache_open(const struct cache_settings *settings, struct cache **cache, char *detail,
                         size_t detail_size) __attribute__((warn_unused_result));

/* Commits what is queued, ends the writer. NULL is fine. */
void cache_close(struct cache *cache);

/* Lifetimes of today; take effect at once, for old records too. */
void cache_set_lifetimes(struct cache *cache, const struct rb_lifetimes *lifetimes);

/* Waits until everything queued so far is committed (or dropped). */
void cache_flush(struct cache *cache);

/*
 * Flushes and looks after the store (cache_check). Whether all that was put since the cache was
 * opened is in the store that its name leads to.
 */
bool cache_has_kept_all(struct cache *cache);

/*
 * Looks after the store, and tells the observer what there is to tell: whether it is still the one
 * that its name leads to (else it is opened anew), whether writes are lost. The writer's thread
 * does so every ten seconds; this, at once.
 */
void cache_check(struct cache *cache);

/* How it is with the store, by the last look at it. */
struct cache_state {
    bool is_lost;      /* it is not what its name leads to, and cannot be opened anew */
    bool loses_writes; /* it did within the last minute */
};

/* Never waits for the disk. Any thread. */
void cache_get_state(struct cache *cache, struct cache_state *state);

/* RB_OK, RB_ERR_NOT_FOUND, RB_ERR_STORE. What is found may be expired: ask
 * address_record_freshness. */
enum rb_error cache_get_address(struct cache *cache, const char *key,
                                struct address_record *record);
enum rb_error cache_get_domain(struct cache *cache, const char *domain,
                               struct domain_record *record);
enum rb_error cache_get_host(struct cache *cache, const char *ip, struct host_record *record);
enum rb_error cache_get_onetime(struct cache *cache, const char *key,
                                struct onetime_record *record);
enum rb_error cache_get_retry(struct cache *cache, const char *key, struct retry_record *record);
enum rb_error cache_get_verb(struct cache *cache, const char *key, struct verb_record *record);

/* Queue a write; merged with what is there (record.h) but for host, retry and verb records,
 * which replace. Never blocks on the disk. A retry's key is that of its address record. */
enum rb_error cache_put_address(struct cache *cache, const char *key,
                                const struct address_record *record);
enum rb_error cache_put_domain(struct cache *cache, const char *domain,
                               const struct domain_record *record);
enum rb_error cache_put_host(struct cache *cache, const char *ip, const struct host_record *record);
enum rb_error cache_put_onetime(struct cache *cache, const char *key,
                                const struct onetime_record *record);
enum rb_error cache_put_retry(struct cache *cache, const char *key,
                              const struct retry_record *record);
enum rb_error cache_put_verb(struct cache *cache, const char *key,
                             const struct verb_record *record);

/* Queues the removal of a retry. */
enum rb_error cache_drop_retry(struct cache *cache, const char *key);

/* A retry that is due, and what came of the claim. */
struct retry_claim {
    char key[CACHE_KEY_MAX + 1];
    int64_t until_s;            /* when it is due again, once it is taken */
    bool found;                 /* whether there is such a retry at all: */
    bool taken;                 /* it was due for the owner, and is his now */
    struct retry_record record; /* found: as it stands after */
};

/*
 * Takes, in one transaction, those of the retries (CACHE_CLAIMS_MAX at most) that are due for the
 * owner at now_s. Of several processes, and of several threads, one gets each. Committed before it
 * returns; on failure none is taken.
 */
enum rb_error cache_claim_retries(struct cache *cache, struct retry_claim *claims, size_t count,
                                  uint64_t owner, int64_t now_s);

/*
 * Grows whenever something that was put may have been lost, for want of room or of a store: who
 * keeps a copy puts it again.
 */
uint64_t cache_losses(struct cache *cache);

/* Which kind of record. The numbers are part of the stored format. */
enum cache_table {
    CACHE_ADDRESS = 1,
    CACHE_DOMAIN = 2,
    CACHE_HOST = 3,
    CACHE_ONETIME = 4,
    CACHE_RETRY = 5,
    CACHE_VERB = 6,
    CACHE_TABLE_LAST = CACHE_VERB,
};

/* All tables, in the order of their numbers. */
extern const enum cache_table cache_tables[];
extern const size_t cache_table_count;

/* Removes one record, committed before it returns. RB_ERR_NOT_FOUND when there was none. */
enum rb_error cache_delete(struct cache *cache, enum cache_table table, const char *key);

/* Removes all records of all kinds (expired_only: those that answer nothing any more); *removed
 * counts them. */
enum rb_error cache_purge(struct cache *cache, bool expired_only, uint64_t *removed);

/* One record as cache_walk shows it; exactly the member for its table is set. Valid only during the
 * call. */
struct cache_entry {
    enum cache_table table;
    const char *key;
    const char
        *relay; /* addresses, retries: the relay part of the key, "" for the world's answer */
    const char *address; /* addresses, retries: the address part of the key */
    const struct address_record *address_record;
    const struct domain_record *domain_record;
    const struct host_record *host_record;
    const struct onetime_record *onetime_record;
    const struct retry_record *retry_record;
    const struct verb_record *verb_record;
};

/*
 * Calls back for each readable record of a table, in key order, over committed data. Long walks
 * take short read transactions, so that writers are never held up. The callback returns false to
 * end the walk.
 */
enum rb_error cache_walk(struct cache *cache, enum cache_table table,
                         bool (*visit)(const struct cache_entry *entry, void *arg), void *arg);

/*
 * The same for the records of one address (canonical): what the world says of it, that a user of
 * ours writes to it, what each relay says. As fast where the table holds millions of others. The
 * table is one whose keys are those of address records.
 */
enum rb_error cache_walk_address(struct cache *cache, enum cache_table table, const char *address,
                                 bool (*visit)(const struct cache_entry *entry, void *arg),
                                 void *arg);

/* The same for what is known of one domain, by itself and by each relay. */
enum rb_error cache_walk_domain(struct cache *cache, const char *domain,
                                bool (*visit)(const struct cache_entry *entry, void *arg),
                                void *arg);

/* The same for one mail host (cache_host_key): of an IP address the relays at its ports too. */
enum rb_error cache_walk_host(struct cache *cache, const char *key,
                              bool (*visit)(const struct cache_entry *entry, void *arg), void *arg);

struct cache_stats {
    uint64_t addresses, domains, hosts, onetimes, retries, verbs; /* records */
    uint64_t bytes; /* used by live pages of the store */
    uint64_t max_bytes;
    uint64_t writes, dropped, damaged, evicted, swept; /* since opened, by this process */
};

enum rb_error cache_get_stats(struct cache *cache, struct cache_stats *stats);

#endif
