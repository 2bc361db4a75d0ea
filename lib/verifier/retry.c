/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retry: the schedule in memory, claiming what is due, and the thread; see retry.h. Intervals and
 * whose turn it is are retry_record's. Must not judge replies.
 *
 * What is due is claimed in the cache before it is asked, and what is put off is claimed likewise:
 * so two daemons of one name never act on the same retry. Without a claim only that is written
 * which an answer of the world's says.
 *
 * Locks: switching, for starting and stopping alone; then lock. Under it writes are queued in the
 * cache, which takes a lock of its own and never waits for the disk. No hook runs under either.
 */
#include "config.h"

#include "verifier/retry.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "limits/breaker.h"
#include "options/options.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)

enum { BATCHES_MAX = RETRY_MAX / CACHE_CLAIMS_MAX + 1 }; /* then others get their turn */

/* How many of a domain are on the schedule. */
struct domain {
    size_t count;
    int64_t next_s; /* when the next of its retries that is put off may come */
    UT_hash_handle hh;
    char name[];
};

/* One address on the schedule. */
struct entry {
    struct retry_record record;
    struct domain *domain;
    uint64_t seen; /* by the scan of that number, or written since */
    UT_hash_handle hh;
    char key[];
};

/* A share of the global rate; microseconds of the monotonic clock. */
struct share {
    int64_t interval_us; /* from one retry to the next; 0: no limit */
    int64_t span_us;     /* what may be asked at once is saved up for so long */
    int64_t spent_us;    /* up to when the share is spent */
    int64_t promised_us; /* up to when those that were put off for it have their turns */
};

struct retry {
    struct cache *cache;
    const struct rb_clock *clock;
    struct retry_hooks hooks;
    pthread_mutex_t switching;
    pthread_t thread; /* [switching] while on */

    pthread_mutex_t lock;
    pthread_cond_t changed;        /* something was scheduled, or the end has come */
    pthread_cond_t looked;         /* a look is over */
    bool on, stopping, looking;    /* [lock] */
    struct entry *table;           /* [lock] by key */
    struct domain *domains;        /* [lock] by name */
    struct rb_greylist rules;      /* [lock] */
    struct rb_lifetimes lifetimes; /* [lock] */
    struct rb_rate global_rate;    /* [lock] that share was made of */
    struct share share;            /* [lock] */
    uint64_t owner;                /* [lock] who we are to a greylist */
    uint64_t scan;                 /* [lock] its number */
    int64_t scanned_s;             /* [lock] when it began */
    uint64_t losses;               /* [lock] cache_losses as of the last scan */
};

/* What is done about retries that are due, some at a time. */
struct batch {
    int64_t now_s;
    uint64_t owner;
    size_t count;
    struct retry_claim claims[CACHE_CLAIMS_MAX];
    bool asks[CACHE_CLAIMS_MAX]; /* else it is put off */
};

/* --- The schedule; under the lock ------------------------------------------ */

static struct entry *find(const struct retry *retry, const char *key)
{
    struct entry *entry;

    HASH_FIND_STR(retry->table, key, entry);
    return entry;
}

static struct domain *find_domain(const struct retry *retry, const char *name)
{
    struct domain *domain;

    HASH_FIND_STR(retry->domains, name, domain);
    return domain;
}

/* A literal has no "@", and without any all is one domain. */
static const char *domain_of(const char *key)
{
    const char *at = strrchr(key, '@');

    return at != NULL ? at + 1 : "";
}

static void leave_domain(struct retry *retry, struct domain *domain)
{
    if (--domain->count > 0)
        return;
    HASH_DEL(retry->domains, domain);
    free(domain);
}

static void forget(struct retry *retry, struct entry *entry)
{
    leave_domain(retry, entry->domain);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL has unlinked the one that was freed */
    HASH_DEL(retry->table, entry);
    free(entry);
}

/* Here and in the cache. */
static void end(struct retry *retry, struct entry *entry)
{
    (void)cache_drop_retry(retry->cache, entry->key);
    forget(retry, entry);
}

static void write_down(struct retry *retry, struct entry *entry)
{
    entry->seen = retry->scan;
    (void)cache_put_retry(retry->cache, entry->key, &entry->record);
}

static struct domain *join_domain(struct retry *retry, const char *name)
{
    struct domain *domain = find_domain(retry, name);
    size_t len = strlen(name);

    if (domain == NULL) {
        domain = calloc(1, sizeof *domain + len + 1);
        if (domain == NULL)
            return NULL;
        memcpy(domain->name, name, len);
        HASH_ADD_KEYPTR(hh, retry->domains, domain->name, len, domain);
        if (domain->hh.tbl == NULL) {
            free(domain);
            return NULL;
        }
    }
    domain->count++;
    return domain;
}

/* NULL: no memory; the client's own coming back must do. */
static struct entry *add(struct retry *retry, const char *key)
{
    size_t len = strlen(key);
    struct entry *entry = calloc(1, sizeof *entry + len + 1);

    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, len);
    entry->domain = join_domain(retry, domain_of(key));
    if (entry->domain != NULL)
        HASH_ADD_KEYPTR(hh, retry->table, entry->key, len, entry);
    if (entry->domain != NULL && entry->hh.tbl != NULL)
        return entry;
    if (entry->domain != NULL)
        leave_domain(retry, entry->domain);
    free(entry);
    return NULL;
}

static const struct domain *largest_domain(const struct retry *retry)
{
    const struct domain *domain, *largest = retry->domains;

    for (domain = retry->domains; domain != NULL; domain = domain->hh.next)
        if (domain->count > largest->count)
            largest = domain;
    return largest;
}

/* The one that has longest to wait goes. False: the newcomer's domain would then have as many. */
static bool make_place(struct retry *retry, const char *key)
{
    const struct domain *own = find_domain(retry, domain_of(key));
    const struct domain *largest = largest_domain(retry);
    struct entry *entry, *last = NULL;

    if (largest == NULL || largest->count <= (own != NULL ? own->count : 0) + 1)
        return false;
    for (entry = retry->table; entry != NULL; entry = entry->hh.next)
        if (entry->domain == largest && (last == NULL || entry->record.due_s > last->record.due_s))
            last = entry;
    end(retry, last);
    return true;
}

static struct entry *add_or_replace(struct retry *retry, const char *key)
{
    if (HASH_COUNT(retry->table) >= RETRY_MAX && !make_place(retry, key))
        return NULL;
    return add(retry, key);
}

static void go_on(struct retry *retry, const char *key, const struct address_record *said)
{
    struct entry *entry = find(retry, key);
    struct retry_record record = {0};

    if (entry != NULL)
        record = entry->record;
    record.owner = retry->owner;
    if (!retry_record_defer(&record, said, &retry->rules)) {
        if (entry != NULL)
            end(retry, entry);
        return;
    }
    if (entry == NULL)
        entry = add_or_replace(retry, key);
    if (entry == NULL)
        return;
    entry->record = record;
    write_down(retry, entry);
    pthread_cond_signal(&retry->changed);
}

/*
 * One a second of a domain, a while from now: where one was refused, the next ones of it would be
 * too.
 */
static int64_t next_turn(struct domain *domain, int64_t now_s)
{
    int64_t turn_s = now_s + RETRY_POSTPONE_S;

    if (turn_s < domain->next_s)
        turn_s = domain->next_s;
    domain->next_s = turn_s + 1;
    return turn_s;
}

/* --- The share of the global rate; under the lock --------------------------- */

static struct share make_share(const struct rb_rate *global_rate)
{
    struct share share = {.span_us = global_rate->period_s * US_PER_S};

    if (global_rate->count > 0)
        share.interval_us = share.span_us * RETRY_SHARE / global_rate->count;
    if (share.span_us < share.interval_us)
        share.span_us = share.interval_us; /* one now and then, however low the rate */
    return share;
}

static bool share_take(struct share *share, int64_t now_us)
{
    int64_t from_us = share->spent_us > now_us ? share->spent_us : now_us;

    if (from_us + share->interval_us > now_us + share->span_us)
        return false;
    share->spent_us = from_us + share->interval_us;
    return true;
}

static void share_give_back(struct share *share)
{
    share->spent_us -= share->interval_us;
}

/* Those that must wait come one after the other, as the share lets them. */
static int64_t share_turn_s(struct share *share, int64_t now_us, int64_t now_s)
{
    int64_t from_us = share->promised_us > now_us ? share->promised_us : now_us;

    share->promised_us = from_us + share->interval_us;
    return now_s + 1 + (share->promised_us - now_us) / US_PER_S;
}

/* --- The table of the cache ------------------------------------------------- */

static bool take_in(const struct cache_entry *found, void *arg)
{
    struct retry *retry = arg;
    struct entry *entry;

    pthread_mutex_lock(&retry->lock);
    entry = find(retry, found->key);
    if (entry == NULL && HASH_COUNT(retry->table) < RETRY_MAX)
        entry = add(retry, found->key);
    if (entry != NULL && entry->seen != retry->scan) { /* else it was written a moment ago */
        entry->record = *found->retry_record;
        entry->seen = retry->scan;
    }
    pthread_mutex_unlock(&retry->lock);
    return true;
}

/*
 * What is in memory alone: somebody else has found the answer, or deleted it. Where writes were
 * lost, or the store is a new one, it is put there again. Under the lock.
 */
static void settle_unseen(struct retry *retry, bool lost)
{
    struct entry *entry, *next;

    HASH_ITER(hh, retry->table, entry, next)
    {
        if (entry->seen == retry->scan)
            continue;
        if (lost)
            write_down(retry, entry);
        else
            forget(retry, entry);
    }
}

static bool scan_is_due(struct retry *retry, int64_t now_s)
{
    int64_t since_s;
    bool is_due;

    pthread_mutex_lock(&retry->lock);
    since_s = now_s - retry->scanned_s;
    is_due = retry->on && (since_s >= RETRY_SCAN_S || since_s < 0);
    pthread_mutex_unlock(&retry->lock);
    return is_due;
}

static void scan(struct retry *retry, int64_t now_s)
{
    enum rb_error error;
    uint64_t losses;

    pthread_mutex_lock(&retry->lock);
    retry->scanned_s = now_s;
    retry->scan++;
    pthread_mutex_unlock(&retry->lock);
    cache_flush(retry->cache); /* a walk does not see what is queued */
    losses = cache_losses(retry->cache);
    error = cache_walk(retry->cache, CACHE_RETRY, take_in, retry);
    pthread_mutex_lock(&retry->lock);
    if (error == RB_OK) {
        settle_unseen(retry, losses != retry->losses);
        retry->losses = losses;
    }
    pthread_mutex_unlock(&retry->lock);
}

/* --- What is due ------------------------------------------------------------ */

/* A claim for each of the first that are due. What is past its time is given up. */
static void take_due(struct retry *retry, struct batch *batch)
{
    struct entry *entry, *next;

    batch->count = 0;
    pthread_mutex_lock(&retry->lock);
    batch->owner = retry->owner;
    HASH_ITER(hh, retry->table, entry, next)
    {
        if (!retry->on || retry->stopping || batch->count == CACHE_CLAIMS_MAX)
            break;
        if (!retry_record_is_due(&entry->record, retry->owner, batch->now_s))
            continue;
        if (batch->now_s - entry->record.first_s > retry->rules.give_up_s) {
            end(retry, entry);
            continue;
        }
        batch->claims[batch->count].record = entry->record;
        memcpy(batch->claims[batch->count++].key, entry->key, strlen(entry->key) + 1);
    }
    pthread_mutex_unlock(&retry->lock);
}

/* Whether it is known by now, from whomever, that the address exists or does not. */
static bool is_answered(struct retry *retry, const char *key, int64_t now_s)
{
    struct rb_lifetimes lifetimes;
    struct address_record known;

    if (cache_get_address(retry->cache, key, &known) != RB_OK ||
        rb_reason_verdict(known.reason) == RB_VERDICT_UNKNOWN)
        return false;
    pthread_mutex_lock(&retry->lock);
    lifetimes = retry->lifetimes;
    pthread_mutex_unlock(&retry->lock);
    return address_record_freshness(&known, &lifetimes, now_s, NULL) != RECORD_EXPIRED;
}

/* Until when the mail host that said "later" is left alone; 0: it may be called. */
static int64_t held_until_s(struct retry *retry, const char *host, int64_t now_s)
{
    struct host_record record;

    if (host[0] == '\0' || cache_get_host(retry->cache, host, &record) != RB_OK ||
        !breaker_holds_back(&record, now_s))
        return 0;
    return record.held_until_s;
}

static void end_if_there(struct retry *retry, const char *key)
{
    struct entry *entry;

    pthread_mutex_lock(&retry->lock);
    entry = find(retry, key);
    if (entry != NULL)
        end(retry, entry);
    pthread_mutex_unlock(&retry->lock);
}

/* Now, or else when. */
static bool may_ask(struct retry *retry, struct retry_claim *claim, int64_t now_s)
{
    const int64_t now_us = clock_monotonic_ms(retry->clock) * 1000;
    const int64_t held_s = held_until_s(retry, claim->record.host, now_s);
    bool may;

    if (held_s > 0) {
        claim->until_s = held_s;
        return false;
    }
    pthread_mutex_lock(&retry->lock);
    may = share_take(&retry->share, now_us);
    claim->until_s = may ? now_s + RETRY_LEASE_S : share_turn_s(&retry->share, now_us, now_s);
    pthread_mutex_unlock(&retry->lock);
    return may;
}

/* What needs no asking any more is ended; of the rest, what is asked now, and what is put off. */
static void sift(struct retry *retry, struct batch *batch)
{
    size_t kept = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct retry_claim *claim = &batch->claims[i];

        if (is_answered(retry, claim->key, batch->now_s)) {
            end_if_there(retry, claim->key);
            continue;
        }
        batch->asks[kept] = may_ask(retry, claim, batch->now_s);
        if (kept != i)
            batch->claims[kept] = *claim;
        kept++;
    }
    batch->count = kept;
}

/* What came of a claim. True: it is ours to ask. Under the lock. */
static bool settle_claim(struct retry *retry, const struct retry_claim *claim, bool asks,
                         bool failed, int64_t now_s)
{
    struct entry *entry = find(retry, claim->key);

    if (asks && !claim->taken)
        share_give_back(&retry->share);
    if (entry == NULL)
        return false;
    if (claim->found && !failed)
        entry->record = claim->record;
    else if (failed || cache_losses(retry->cache) != retry->losses)
        entry->record.due_s = now_s + RETRY_POSTPONE_S; /* the store's trouble: see scan */
    else
        forget(retry, entry); /* another has found the answer */
    if (!claim->taken)
        return false;
    if (!asks && !retry_record_postpone(&entry->record, claim->until_s, &retry->rules))
        end(retry, entry);
    return asks;
}

static void claim(struct retry *retry, struct batch *batch)
{
    enum rb_error error;

    cache_flush(retry->cache); /* what still waits for the writer cannot be claimed */
    error =
        cache_claim_retries(retry->cache, batch->claims, batch->count, batch->owner, batch->now_s);
    pthread_mutex_lock(&retry->lock);
    for (size_t i = 0; i < batch->count; i++)
        batch->asks[i] =
            settle_claim(retry, &batch->claims[i], batch->asks[i], error != RB_OK, batch->now_s);
    pthread_mutex_unlock(&retry->lock);
}

static void ask(struct retry *retry, const char *key)
{
    if (retry->hooks.ask_again(retry->hooks.arg, key))
        return;
    pthread_mutex_lock(&retry->lock);
    share_give_back(&retry->share);
    pthread_mutex_unlock(&retry->lock);
    retry_postpone(retry, key, 0);
}

static void begin_look(struct retry *retry)
{
    pthread_mutex_lock(&retry->lock);
    while (retry->looking)
        pthread_cond_wait(&retry->looked, &retry->lock);
    retry->looking = true;
    pthread_mutex_unlock(&retry->lock);
}

static void end_look(struct retry *retry)
{
    pthread_mutex_lock(&retry->lock);
    retry->looking = false;
    pthread_cond_signal(&retry->looked);
    pthread_mutex_unlock(&retry->lock);
}

void retry_look(struct retry *retry)
{
    struct batch batch;

    begin_look(retry);
    batch.now_s = clock_wall_s(retry->clock);
    if (scan_is_due(retry, batch.now_s))
        scan(retry, batch.now_s);
    /* Whatever was due is not any more after that: it is asked, put off, ended or gone. */
    for (unsigned n = 0; n < BATCHES_MAX; n++) {
        take_due(retry, &batch);
        if (batch.count == 0)
            break;
        sift(retry, &batch);
        claim(retry, &batch);
        for (size_t i = 0; i < batch.count; i++)
            if (batch.asks[i])
                ask(retry, batch.claims[i].key);
    }
    end_look(retry);
}

/* --- From outside ----------------------------------------------------------- */

void retry_note(struct retry *retry, const char *key, const struct address_record *said)
{
    struct entry *entry;
    bool goes_on;

    if (retry == NULL)
        return;
    goes_on = retry_applies(said->reason) && !is_answered(retry, key, said->stamp_s);
    pthread_mutex_lock(&retry->lock);
    entry = find(retry, key);
    if (retry->on && goes_on)
        go_on(retry, key, said);
    else if (entry != NULL)
        end(retry, entry);
    pthread_mutex_unlock(&retry->lock);
}

void retry_postpone(struct retry *retry, const char *key, int64_t until_s)
{
    struct entry *entry;
    int64_t now_s;

    if (retry == NULL)
        return;
    now_s = clock_wall_s(retry->clock);
    pthread_mutex_lock(&retry->lock);
    entry = find(retry, key);
    if (entry != NULL) {
        if (until_s <= now_s)
            until_s = next_turn(entry->domain, now_s);
        if (retry_record_postpone(&entry->record, until_s, &retry->rules))
            write_down(retry, entry);
        else
            end(retry, entry);
    }
    pthread_mutex_unlock(&retry->lock);
}

size_t retry_count(struct retry *retry)
{
    size_t count;

    if (retry == NULL)
        return 0;
    pthread_mutex_lock(&retry->lock);
    count = HASH_COUNT(retry->table);
    pthread_mutex_unlock(&retry->lock);
    return count;
}

size_t retry_list(struct retry *retry, struct retry_entry *list, size_t size)
{
    const struct entry *entry;
    size_t count = 0;

    if (retry == NULL)
        return 0;
    pthread_mutex_lock(&retry->lock);
    for (entry = retry->table; entry != NULL && count < size; entry = entry->hh.next) {
        list[count] = (struct retry_entry){.record = entry->record,
                                           .is_ours = entry->record.owner == retry->owner};
        (void)text_copy(list[count].key, sizeof list[count].key, entry->key);
        count++;
    }
    pthread_mutex_unlock(&retry->lock);
    return count;
}

/* --- The thread ------------------------------------------------------------- */

/* The clock is a hook: it need not go as the system's does, so it is looked at now and then. */
static void wait_for_change(struct retry *retry)
{
    const long wait_ms = retry->table != NULL ? RETRY_TICK_MS : RETRY_REST_MS;
    const struct timespec until = clock_timespec_in_ms(wait_ms);

    (void)pthread_cond_timedwait(&retry->changed, &retry->lock, &until);
}

static void *retry_thread(void *arg)
{
    struct retry *retry = arg;

    pthread_mutex_lock(&retry->lock);
    while (!retry->stopping) {
        pthread_mutex_unlock(&retry->lock);
        retry_look(retry);
        pthread_mutex_lock(&retry->lock);
        if (!retry->stopping)
            wait_for_change(retry);
    }
    pthread_mutex_unlock(&retry->lock);
    return NULL;
}

/* Signals are the program's business. */
static int start_thread(struct retry *retry)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&retry->thread, NULL, retry_thread, retry);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* --- On and off ------------------------------------------------------------- */

static void switch_to(struct retry *retry, bool on)
{
    struct entry *entry, *next;

    pthread_mutex_lock(&retry->lock);
    retry->on = on;
    retry->stopping = false;
    retry->losses = cache_losses(retry->cache);
    HASH_ITER(hh, retry->table, entry, next)
    forget(retry, entry);
    pthread_mutex_unlock(&retry->lock);
}

static enum rb_error start(struct retry *retry)
{
    switch_to(retry, true);
    scan(retry, clock_wall_s(retry->clock));
    if (start_thread(retry) == 0)
        return RB_OK;
    switch_to(retry, false);
    return RB_ERR_SYSTEM;
}

static void stop(struct retry *retry)
{
    pthread_mutex_lock(&retry->lock);
    retry->stopping = true;
    pthread_cond_signal(&retry->changed);
    pthread_mutex_unlock(&retry->lock);
    pthread_join(retry->thread, NULL);
    switch_to(retry, false);
}

/*
 * Who we are to a greylist: the same after a restart. fallback_mail_from is the sender where the
 * null sender is refused.
 */
static uint64_t owner_of(const struct rb_options *o)
{
    char text[RB_DOMAIN_MAX + 2 * RB_ADDRESS_MAX + OPTIONS_BIND_MAX * INET6_ADDRSTRLEN + 16];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t owner = 0;
    size_t len = (size_t)snprintf(text, sizeof text, "%s %s %s", o->helo_name, o->mail_from,
                                  o->fallback_mail_from);

    for (size_t i = 0; i < o->bind_count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " %s", o->bind[i]);
    SHA256((const unsigned char *)text, len, digest);
    for (size_t i = 0; i < sizeof owner; i++)
        owner = owner << 8 | digest[i];
    return owner != 0 ? owner : 1; /* 0 is nobody */
}

static void take_options(struct retry *retry, const struct rb_options *o)
{
    const uint64_t owner = owner_of(o);

    pthread_mutex_lock(&retry->lock);
    if (o->global_rate.count != retry->global_rate.count ||
        o->global_rate.period_s != retry->global_rate.period_s)
        retry->share = make_share(&o->global_rate);
    retry->global_rate = o->global_rate;
    retry->rules = o->greylist;
    retry->lifetimes = o->lifetimes;
    retry->owner = owner;
    pthread_mutex_unlock(&retry->lock);
}

enum rb_error retry_configure(struct retry *retry, const struct rb_options *options)
{
    enum rb_error error = RB_OK;

    if (retry == NULL)
        return RB_OK;
    pthread_mutex_lock(&retry->switching);
    if (options->greylist.retry && !retry->on) { /* written under both locks */
        take_options(retry, options);
        error = start(retry);
    } else {
        take_options(retry, options);
        if (!options->greylist.retry && retry->on)
            stop(retry);
    }
    pthread_mutex_unlock(&retry->switching);
    return error;
}

enum rb_error retry_open(struct cache *cache, const struct rb_clock *clock,
                         const struct retry_hooks *hooks, struct retry **retry)
{
    struct retry *made = calloc(1, sizeof *made);

    *retry = made;
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->cache = cache;
    made->clock = clock;
    made->hooks = *hooks;
    pthread_mutex_init(&made->switching, NULL);
    pthread_mutex_init(&made->lock, NULL);
    clock_init_cond(&made->changed);
    pthread_cond_init(&made->looked, NULL);
    return RB_OK;
}

void retry_close(struct retry *retry)
{
    if (retry == NULL)
        return;
    if (retry->on)
        stop(retry);
    pthread_cond_destroy(&retry->changed);
    pthread_cond_destroy(&retry->looked);
    pthread_mutex_destroy(&retry->lock);
    pthread_mutex_destroy(&retry->switching);
    free(retry);
}
