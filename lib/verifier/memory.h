/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory: what is known without asking anybody, and what is learned for the next time: answers,
 * correspondents, facts of domains, failures of hosts, which verbs they know, one-time senders of
 * one class. Knows nothing of questions under way. Must not call anybody.
 *
 * Owns: the cache. Lock: `records`, over the reading and writing back of host, one-time and verb
 * records; no other lock of the verifier is held or taken under it.
 * Thread rule: every function may be called from any thread, but open and close.
 */
#ifndef RB_VERIFIER_MEMORY_H
#define RB_VERIFIER_MEMORY_H

#include "cache/cache.h"
#include "extension/verbs.h"
#include "options/options.h"
#include "ringback.h"

#include <pthread.h>

struct memory {
    const struct rb_clock *clock;
    struct cache *cache; /* NULL: nothing is kept. Has locks of its own */
    pthread_mutex_t records;
};

enum memory_answer { CACHE_MISS, CACHE_STALE, CACHE_FRESH };

/*
 * Opens the store of the options (as options_copy made them), if they name one; errors and detail
 * as cache_open. Whatever it returns, memory_close ends it.
 */
enum rb_error memory_open(struct memory *memory, const struct rb_options *o, char *detail,
                          size_t detail_size);
void memory_close(struct memory *memory);

/*
 * Whether the cache, then the domain's facts and the address's one-time class, answer for an
 * address. relay: NULL for none. *by_fact: it was facts or class.
 */
enum memory_answer memory_find(struct memory *memory, const struct options *options,
                               const char *key, const char *domain, const char *relay,
                               struct address_record *record, bool *by_fact);

/*
 * Whether what is known answers a question with a message's size: not where mail is taken for the
 * address, for the mailbox may be full by now, or the message too large.
 */
bool memory_answers_size(const struct address_record *known);

/* What is known of the domain, or of the relay; zeroed where nothing is. relay: NULL for none. */
void memory_facts(struct memory *memory, const char *relay, const char *domain,
                  struct domain_record *facts);

/* How long a dead domain stays dead, in seconds. Pure. */
int64_t memory_dead_ttl_s(const struct rb_lifetimes *lifetimes, enum rb_reason why);

/* Whether the facts alone answer for every address of their domain. */
bool memory_settles(const struct memory *memory, const struct options *options,
                    const struct domain_record *facts, struct address_record *record);

/*
 * Whether the answer is about the mailbox: such answers tell what the domain is being used for, and
 * what holds for other one-time senders of its class.
 */
bool memory_is_of_mailbox(const struct address_record *record);

/*
 * The world said this of an address (key: cache_address_key; relay: "" for none). False: it is not
 * kept, nor is anything else noted.
 */
bool memory_note_answer(struct memory *memory, const char *key, const char *relay,
                        const struct address_record *record);

/* A user of ours writes to this address. What is no address is ignored. */
void memory_note_correspondent(struct memory *memory, const char *address, size_t len);

/* Facts of the domain, or of the relay, that a callout found out. relay: NULL for none. */
void memory_learned(struct memory *memory, const char *relay, const char *domain,
                    const struct domain_record *news);

/*
 * Until when the host is held back, wall clock; 0: it may be called. *on_trial: for the first time
 * after it was held back.
 */
int64_t memory_host_held_until_s(struct memory *memory, const char *ip, bool *on_trial);

/*
 * A session with the host has ended, for that reason. failed: the breaker counts it (breaker.h).
 * is_ours: a mail store of our own, which is left alone for a short while only: it may be back at
 * any moment.
 */
void memory_host_called(struct memory *memory, const struct rb_options *o, const char *ip,
                        enum rb_reason reason, bool failed, bool is_ours);

enum memory_verb { MEMORY_VERB_ASK, MEMORY_VERB_NO, MEMORY_VERB_UNREACHABLE };

/*
 * Whether a host (cache/keys.h: verbs) may be asked a verb: not one that was heard of late not to
 * know it, nor one that could not be reached a moment ago.
 */
enum memory_verb memory_verb(struct memory *memory, const char *key, enum verbs_verb verb);

/* It was asked, and knows the verb or does not; it could not be reached. */
void memory_note_verb(struct memory *memory, const char *key, enum verbs_verb verb, bool knows);
void memory_note_verb_unreachable(struct memory *memory, const char *key);

/*
 * What a record says, as an answer: all but domain, cached and elapsed_ms. relay: "" for none;
 * address: canonical, or "".
 */
void memory_fill_answer(const struct memory *memory, const struct options *options,
                        const char *relay, const char *address, const struct address_record *record,
                        struct rb_answer *answer);

#endif
