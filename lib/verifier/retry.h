/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retry: asks again, behind everybody's back, about addresses whose mail host said "later", so that
 * the answer is there when the client comes back. The schedule is the cache's table of retries,
 * which outlives the process and is shared with other daemons; this keeps a copy of it in memory,
 * and a thread that acts on it. Knows nothing of how a question is asked: that is its owner's.
 *
 * Whoever met the deferral asks again, for greylists know callers by address, name and sender: a
 * retry belongs to those whose three are the same, and one of them claims it when it is due. One
 * that is overdue belongs to nobody any more, and whoever sees it takes it over.
 *
 * Thread rule: every function may be called from any thread, but open and close.
 */
#ifndef RB_VERIFIER_RETRY_H
#define RB_VERIFIER_RETRY_H

#include "cache/cache.h"
#include "cache/record.h"
#include "ringback.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RETRY_MAX = 10000, /* held at once */
    RETRY_SHARE = 10,  /* a tenth of global_rate at most is spent on retries */
    /*
     * A claim is good for so long: a callout is over by then, and if it is not known how it ended,
     * the retry is due again.
     */
    RETRY_LEASE_S = 900,
    RETRY_POSTPONE_S = 60, /* when the world could not be asked: queue full, a rate used up */
    RETRY_SCAN_S = 30,     /* how often the table is read for what others put there */
    RETRY_TICK_MS = 500,   /* how often the clock is looked at while something waits, */
    RETRY_REST_MS = 10000, /* and while nothing does */
};

/* What asks. Called from the thread of the retries, with no lock held. */
struct retry_hooks {
    /* Asks about an address (key: the cache's), with nobody waiting. False: it cannot now. */
    bool (*ask_again)(void *arg, const char *key);
    void *arg;
};

struct retry;

/* Nothing is scheduled until retry_configure says so. Cache and clock must outlive it. */
enum rb_error retry_open(struct cache *cache, const struct rb_clock *clock,
                         const struct retry_hooks *hooks, struct retry **retry)
    __attribute__((warn_unused_result));

/* Ends the thread. What was scheduled stands in the cache. NULL is fine. */
void retry_close(struct retry *retry);

/*
 * The options of today (canonical, options.h): takes up what the cache has and starts the thread,
 * or ends it and leaves the schedule in the cache, where that has changed. RB_ERR_SYSTEM: there is
 * no thread, and nothing has changed. NULL is fine.
 */
enum rb_error retry_configure(struct retry *retry, const struct rb_options *options)
    __attribute__((warn_unused_result));

/*
 * The world has said this of an address, and it is in the cache: puts it on the schedule, or goes
 * on with that, where it is a deferral and nothing is known of the address; else ends it.
 *
 * RETRY_MAX at most are held. One more takes the place of one of the domain that has most, unless
 * its own has as many: nobody can fill the schedule by himself. NULL is fine.
 */
void retry_note(struct retry *retry, const char *key, const struct address_record *said);

/*
 * A retry came to nothing through no fault of the host's: again at until_s, when its host is no
 * longer held back, or, where that is 0, a little later. NULL is fine.
 */
void retry_postpone(struct retry *retry, const char *key, int64_t until_s);

/*
 * Does what the clock asks for now: reads the table again, asks what is due. The thread does just
 * that, now and then; who comes while another looks waits for his turn.
 */
void retry_look(struct retry *retry);

/* On the schedule, other daemons' too. NULL: none. */
size_t retry_count(struct retry *retry);

/* One of these. */
struct retry_entry {
    char key[CACHE_KEY_MAX + 1];
    struct retry_record record;
    bool is_ours;
};

/* Copies up to `size` of them, in no order, and returns how many. NULL: none. */
size_t retry_list(struct retry *retry, struct retry_entry *list, size_t size);

#endif
