/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * submit: a question that nothing answers yet joins an equal one under way, or is handed to sched,
 * if the limits allow it. Owns nothing and has no lock: it works over the verifier's rooms.
 *
 * Thread rule: any thread, with no lock held.
 */
#ifndef RB_VERIFIER_SUBMIT_H
#define RB_VERIFIER_SUBMIT_H

#include "mail/address.h"
#include "options/options.h"
#include "ringback.h"
#include "verifier/inflight.h"

/*
 * A question that is not under way yet, the caller's. Of the rb_question, relay, client, no_cache
 * and transcript count; key: cache_address_key. NULL: no memory.
 */
struct question *submit_prepare(const struct rb_verifier *verifier, const struct rb_question *asked,
                                const struct address *address, const char *key);

/* Puts a question under way; it may be answered, and gone, before this returns. */
void submit_question(struct rb_verifier *verifier, const struct options *options,
                     struct question *question);

/* What is said of an address that cannot be asked about: neither ADDRESS_OK nor ADDRESS_NOMEM. */
void submit_about_nobody(const struct rb_verifier *verifier, enum address_fault fault,
                         struct address_record *record);

/*
 * Whether a question may not be asked of the world now; *why is its answer then. relay and client
 * (rates_client_key): "" for none. Changes and counts nothing.
 */
bool submit_forbids(struct rb_verifier *verifier, const struct options *options, const char *domain,
                    const char *relay, const char *client, struct address_record *why);

/*
 * Asks about an address again, whatever the cache says, with nobody waiting: the hook of retry.
 * arg: the verifier; key: cache_address_key. False: not now, for the queue is half full, or a limit
 * forbids it.
 */
bool submit_again(void *arg, const char *key);

#endif
