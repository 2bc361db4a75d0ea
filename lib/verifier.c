/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verifier: the public face: questions in, verdicts out. A question goes through the cache and the
 * domain's facts, joins an equal one under way, or becomes a flight of its own; its ticket waits
 * for that. See verifier.h for the locks.
 */
#include "config.h"

#include "verifier.h"

#include "address.h"
#include "setup.h"
#include "text.h"
#include "transcript.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { CLOSE_WAIT_MS = 3000 };

struct rb_ticket {
    struct rb_verifier *verifier;
    struct flight *flight; /* NULL: the answer was there at once: */
    struct address_record record;
    bool cached;
    char address[RB_ADDRESS_MAX + 1];
    char domain[RB_DOMAIN_MAX + 1];
    int64_t asked_ms, answered_ms; /* answered: 0 where there is no answer yet */
};

/* --- Opening and closing -------------------------------------------------- */

/*
 * The key of catch-all probes: the same after a restart, or greylists would never come to know
 * them, and not to be guessed by the hosts that are probed.
 */
static void make_probe_key(const char *helo_name, uint8_t key[32])
{
    char text[64 + RB_DOMAIN_MAX + 32] = "ringback probe ";
    size_t len = strlen(text);
    int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text + len, 64) : 0;

    if (fd >= 0)
        close(fd);
    if (n > 0)
        len += (size_t)n;
    len += (size_t)snprintf(text + len, sizeof text - len, " %s", helo_name);
    SHA256((const unsigned char *)text, len, key);
}

static enum rb_error open_cache(struct rb_verifier *verifier, const struct rb_options *o,
                                char *detail, size_t detail_size)
{
    const struct cache_settings settings = {
        .store = o->store,
        .max_bytes = o->store_max_bytes,
        .lifetimes = o->lifetimes,
        .clock = verifier->clock,
        .owner_fix = o->store_owner_fix,
    };

    if (o->store == NULL || o->store[0] == '\0')
        return RB_OK;
    return cache_open(&settings, &verifier->cache, detail, detail_size);
}

static void init_locks(struct rb_verifier *verifier)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&verifier->lock, NULL);
    pthread_mutex_init(&verifier->hosts, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&verifier->work, &attributes);
    pthread_cond_init(&verifier->idle_cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void destroy(struct rb_verifier *verifier)
{
    retries_stop(verifier->retries);
    cache_close(verifier->cache);
    queue_free(&verifier->queue);
    setup_free(verifier->setup);
    transport_tls_context_free(verifier->tls_context);
    if (verifier->cancel_fd >= 0)
        close(verifier->cancel_fd);
    pthread_cond_destroy(&verifier->work);
    pthread_cond_destroy(&verifier->idle_cond);
    pthread_mutex_destroy(&verifier->hosts);
    pthread_mutex_destroy(&verifier->lock);
    free(verifier);
}

static enum rb_error open_parts(struct rb_verifier *verifier, const struct rb_options *options,
                                char *detail, size_t detail_size)
{
    enum rb_error error = setup_new(options, &verifier->setup, detail, detail_size);
    const struct rb_options *o;

    if (error != RB_OK)
        return error;
    o = &verifier->setup->options->o;
    verifier->clock = o->clock;
    verifier->workers_max = o->max_workers;
    make_probe_key(o->helo_name, verifier->probe_key);
    verifier->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    verifier->tls_context = transport_tls_context();
    if (verifier->cancel_fd < 0 || verifier->tls_context == NULL)
        return RB_ERR_SYSTEM;
    error = open_cache(verifier, o, detail, detail_size);
    if (error == RB_OK && verifier->cache != NULL && o->greylist.retry)
        error = retries_start(verifier, &verifier->retries);
    return error;
}

enum rb_error rb_verifier_open(const struct rb_options *options, struct rb_verifier **verifier,
                               char *detail, size_t detail_size)
{
    struct rb_verifier *made = calloc(1, sizeof *made);
    enum rb_error error;
    int saved;

    *verifier = NULL;
    if (detail != NULL && detail_size > 0)
        detail[0] = '\0';
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->cancel_fd = -1;
    init_locks(made);
    error = open_parts(made, options, detail, detail_size);
    if (error == RB_OK) {
        *verifier = made;
        return RB_OK;
    }
    saved = errno;
    destroy(made);
    errno = saved;
    return error;
}

enum rb_error rb_verifier_set_options(struct rb_verifier *verifier,
                                      const struct rb_options *options)
{
    struct setup *fresh, *old;
    enum rb_error error = setup_new(options, &fresh, NULL, 0);

    if (error != RB_OK)
        return error;
    pthread_mutex_lock(&verifier->lock);
    old = verifier->setup;
    verifier->setup = fresh;
    pthread_mutex_unlock(&verifier->lock);
    setup_put(verifier, old);
    if (verifier->cache != NULL)
        cache_set_lifetimes(verifier->cache, &options->lifetimes);
    return RB_OK;
}

/* An answer about this moment only: nothing was asked, or nothing heard. */
static struct address_record moment(const struct rb_verifier *verifier, enum rb_reason reason,
                                    const char *rule)
{
    struct address_record record = {.reason = reason, .stamp_s = clock_wall_s(verifier->clock)};

    (void)text_printable(record.rule, sizeof record.rule, rule, strlen(rule));
    return record;
}

static struct callout_item *drain_one(struct rb_verifier *verifier)
{
    struct callout_item *item;

    pthread_mutex_lock(&verifier->lock);
    item = queue_drain(&verifier->queue);
    pthread_mutex_unlock(&verifier->lock);
    return item;
}

void rb_verifier_stop(struct rb_verifier *verifier)
{
    const struct address_record record = moment(verifier, RB_REASON_TIMEOUT, "shutting_down");
    struct callout_item *item;
    struct waiter *waiter;

    pthread_mutex_lock(&verifier->lock);
    verifier->stopping = true;
    pthread_cond_broadcast(&verifier->work);
    /* Not by the table of flights: those that may not be joined are not in it. */
    for (waiter = verifier->waiters; waiter != NULL; waiter = waiter->next)
        pthread_cond_broadcast(&waiter->flight->landing);
    pthread_mutex_unlock(&verifier->lock);
    (void)!eventfd_write(verifier->cancel_fd, 1);
    while ((item = drain_one(verifier)) != NULL)
        workers_land(verifier, flight_of(item), &record);
}

void rb_verifier_close(struct rb_verifier *verifier)
{
    bool ended;

    if (verifier == NULL)
        return;
    rb_verifier_stop(verifier);
    pthread_mutex_lock(&verifier->lock);
    ended = workers_join(verifier, CLOSE_WAIT_MS);
    pthread_mutex_unlock(&verifier->lock);
    if (ended)
        destroy(verifier);
    else if (verifier->cache != NULL)
        cache_flush(
            verifier->cache); /* a worker hangs in a name server: what it holds cannot be freed */
}

/* --- Asking --------------------------------------------------------------- */

static void answer_at_once(struct rb_ticket *ticket, const struct address_record *record,
                           bool cached)
{
    ticket->record = *record;
    ticket->cached = cached;
}

/* Puts a flight on its way. Under the lock; on failure it lands at once. */
static void launch(struct rb_verifier *verifier, struct flight *flight)
{
    const char *rule = NULL;
    enum rb_reason reason = RB_REASON_BUSY;

    if (verifier->stopping) {
        reason = RB_REASON_TIMEOUT;
        rule = "shutting_down";
    } else if (verifier->queue.pending >= verifier->setup->options->o.max_pending) {
        rule = "queue_full";
    } else if (workers_submit(verifier, flight) != RB_OK) {
        reason = RB_REASON_INTERNAL_ERROR;
        rule = "no_worker";
    }
    if (rule != NULL) {
        struct address_record record = moment(verifier, reason, rule);

        if (reason == RB_REASON_BUSY)
            atomic_fetch_add(&verifier->counters.busy, 1);
        flight_land(&verifier->flights, flight, &record, clock_monotonic_ms(verifier->clock));
        flight_put(flight);
    }
}

/*
 * Between the look into the cache and the listing of the flight another flight may have landed: its
 * answer is in the cache by now, for it is put there before the flight is taken off the list.
 */
static void launch_or_land(struct rb_verifier *verifier, const struct options *options,
                           struct flight *flight)
{
    const char *relay = flight->relay[0] != '\0' ? flight->relay : NULL;
    struct address_record record;

    if (!flight->no_cache &&
        known_find(verifier, options, flight->key, flight->domain, relay, &record) == KNOWN_FRESH) {
        flight->from_cache = true;
        workers_land(verifier, flight, &record);
        return;
    }
    pthread_mutex_lock(&verifier->lock);
    launch(verifier, flight);
    pthread_mutex_unlock(&verifier->lock);
}

static struct flight *new_flight(struct rb_verifier *verifier, const struct rb_question *question,
                                 const struct address *address, const char *key)
{
    struct flight *flight = flight_new(key, address->domain, question->relay);

    if (flight == NULL)
        return NULL;
    flight->no_cache = question->no_cache || question->transcript;
    flight->started_ms = clock_monotonic_ms(verifier->clock);
    flight->item.asked_ms = flight->started_ms;
    flight->item.needs_utf8 = address->needs_utf8;
    if (question->transcript)
        flight->item.transcript = transcript_new();
    if (address_format(address, flight->item.address, sizeof flight->item.address) != RB_OK ||
        (question->transcript && flight->item.transcript == NULL)) {
        flight_put(flight);
        return NULL;
    }
    return flight;
}

/* Joins the flight of an equal question, or starts one. The caller's hold is on the result; NULL:
 * no memory. */
static struct flight *board(struct rb_verifier *verifier, const struct options *options,
                            const struct rb_question *question, const struct address *address,
                            const char *key)
{
    struct flight *fresh = new_flight(verifier, question, address, key), *flight = NULL;

    if (fresh == NULL)
        return NULL;
    pthread_mutex_lock(&verifier->lock);
    if (!fresh->no_cache)
        flight = flights_find(&verifier->flights, key);
    if (flight == NULL) {
        flight = fresh;
        if (!fresh->no_cache)
            (void)flights_list(&verifier->flights, fresh);
    }
    flight->holders++;
    if (flight != fresh)
        flight_put(fresh);
    pthread_mutex_unlock(&verifier->lock);
    if (flight == fresh)
        launch_or_land(verifier, options, flight);
    else
        atomic_fetch_add(&verifier->counters.coalesced, 1);
    return flight;
}

static struct flight *flight_again(struct rb_verifier *verifier, const char *key)
{
    char relay[CACHE_KEY_MAX + 1];
    struct rb_question question = {.no_cache = true};
    struct flight *flight = NULL;
    struct address address;
    const char *text;

    if (cache_split_address_key(key, relay, &text) && address_from_key(text, &address)) {
        question.relay = relay[0] != '\0' ? relay : NULL;
        flight = new_flight(verifier, &question, &address, key);
    }
    if (flight != NULL)
        flight->retry = true;
    return flight;
}

void verifier_ask_again(struct rb_verifier *verifier, const char *key)
{
    struct flight *flight = flight_again(verifier, key);
    bool postponed = false;

    if (flight == NULL)
        return; /* no key of ours, or no memory: the record stays in the cache for the next start */
    pthread_mutex_lock(&verifier->lock);
    if (flights_find(&verifier->flights, key) != NULL) {
        flight_put(flight); /* somebody asks already */
    } else if (verifier->queue.pending >= verifier->setup->options->o.max_pending / 2) {
        flight_put(flight); /* those who wait come first */
        postponed = true;
    } else {
        (void)flights_list(&verifier->flights, flight);
        launch(verifier, flight);
    }
    pthread_mutex_unlock(&verifier->lock);
    if (postponed)
        retries_postpone(verifier->retries, key);
}

static void count_lookup(struct rb_verifier *verifier, enum known known)
{
    struct counters *counters = &verifier->counters;

    atomic_fetch_add(known == KNOWN_FRESH   ? &counters->cache_hit
                     : known == KNOWN_STALE ? &counters->cache_stale
                                            : &counters->cache_miss,
                     1);
}

static void leave(struct rb_verifier *verifier, struct flight *flight)
{
    if (flight == NULL)
        return;
    pthread_mutex_lock(&verifier->lock);
    flight_put(flight);
    pthread_mutex_unlock(&verifier->lock);
}

/* A question with an address that can be asked for. */
static enum rb_error ask(struct rb_ticket *ticket, const struct options *options,
                         const struct rb_question *question, const struct address *address)
{
    struct rb_verifier *verifier = ticket->verifier;
    enum known known = KNOWN_NOT;
    char key[CACHE_KEY_MAX + 1];
    enum rb_error error = cache_address_key(question->relay, ticket->address, key);

    if (error != RB_OK)
        return error;
    if (!question->no_cache && !question->transcript) {
        known =
            known_find(verifier, options, key, address->domain, question->relay, &ticket->record);
        count_lookup(verifier, known);
    }
    if (known != KNOWN_NOT) {
        ticket->cached = true;
        if (known == KNOWN_STALE && !question->only_cache)
            leave(verifier, board(verifier, options, question, address, key));
        return RB_OK;
    }
    if (question->only_cache) {
        struct address_record record = moment(verifier, RB_REASON_TIMEOUT, "not_in_cache");

        answer_at_once(ticket, &record, false);
        return RB_OK;
    }
    ticket->flight = board(verifier, options, question, address, key);
    return ticket->flight != NULL ? RB_OK : RB_ERR_NOMEM;
}

static enum rb_error ask_text(struct rb_ticket *ticket, const struct options *options,
                              const struct rb_question *question)
{
    struct address address;
    enum address_fault fault =
        address_parse(question->address, question->address_len, options->o.smtputf8, &address);
    struct address_record record;

    if (fault == ADDRESS_OK) {
        (void)text_copy(ticket->domain, sizeof ticket->domain, address.domain);
        (void)!address_key(&address, ticket->address, sizeof ticket->address);
        return ask(ticket, options, question, &address);
    }
    if (fault == ADDRESS_NOMEM)
        return RB_ERR_NOMEM;
    record = fault == ADDRESS_NULL
                 ? moment(ticket->verifier, RB_REASON_EXEMPT, "null_sender")
                 : moment(ticket->verifier, RB_REASON_BAD_ADDRESS, address_fault_text(fault));
    answer_at_once(ticket, &record, false);
    return RB_OK;
}

static bool relay_is_good(const char *relay)
{
    char host[RB_DOMAIN_MAX + 1];
    uint16_t port = 0;

    return relay == NULL ||
           (strlen(relay) <= CALLOUT_RELAY_MAX && callout_split_relay(relay, host, &port));
}

enum rb_error rb_ask(struct rb_verifier *verifier, const struct rb_question *question,
                     struct rb_ticket **ticket)
{
    struct rb_ticket *made;
    struct setup *setup;
    enum rb_error error;

    *ticket = NULL;
    if (question->address == NULL || !relay_is_good(question->relay))
        return RB_ERR_ARGUMENT;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->verifier = verifier;
    made->asked_ms = clock_monotonic_ms(verifier->clock);
    atomic_fetch_add(&verifier->counters.questions, 1);
    setup = setup_get(verifier);
    error = ask_text(made, setup->options, question);
    setup_put(verifier, setup);
    if (made->flight == NULL)
        made->answered_ms = clock_monotonic_ms(verifier->clock);
    if (error == RB_OK)
        *ticket = made;
    else
        free(made);
    return error;
}

/* --- Waiting -------------------------------------------------------------- */

static void fill_answer(const struct rb_ticket *ticket, const struct address_record *record,
                        bool cached, const struct options *options, struct rb_answer *answer)
{
    struct rb_verifier *verifier = ticket->verifier;
    int64_t until_ms =
        ticket->answered_ms != 0 ? ticket->answered_ms : clock_monotonic_ms(verifier->clock);
    int64_t now_s = clock_wall_s(verifier->clock), left_s = -1;

    *answer = (struct rb_answer){
        .verdict = rb_reason_verdict(record->reason),
        .reason = record->reason,
        .cached = cached,
        .age_s = now_s > record->stamp_s ? now_s - record->stamp_s : 0,
        .expires_s = -1,
        .port = record->port,
        .stage = record->stage,
        .code = record->code,
        .mail_from_known = record->mail_from_known,
        .wait_s = record->wait_s,
        .elapsed_ms = until_ms - ticket->asked_ms,
    };
    if (verifier->cache != NULL && ticket->address[0] != '\0' &&
        address_record_is_kept(record->reason) &&
        address_record_freshness(record, &options->o.lifetimes, now_s, &left_s) != RECORD_EXPIRED)
        answer->expires_s = left_s;
    memcpy(answer->address, ticket->address, sizeof answer->address);
    memcpy(answer->domain, ticket->domain, sizeof answer->domain);
    memcpy(answer->rule, record->rule, sizeof answer->rule);
    memcpy(answer->mx, record->mx, sizeof answer->mx);
    memcpy(answer->ip, record->ip, sizeof answer->ip);
    memcpy(answer->tls, record->tls, sizeof answer->tls);
    memcpy(answer->enhanced, record->enhanced, sizeof answer->enhanced);
    memcpy(answer->reply, record->reply, sizeof answer->reply);
    memcpy(answer->mail_from, record->mail_from, sizeof answer->mail_from);
}

/* Until the flight lands, the time is up or the verifier stops. Under the lock. */
static void wait_for_landing(struct rb_verifier *verifier, struct flight *flight, int64_t wait_ms)
{
    struct waiter waiter = {.flight = flight};
    struct timespec until;
    int error = 0;

    if (wait_ms <= 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    DL_APPEND(verifier->waiters, &waiter);
    while (!flight->landed && !verifier->stopping && error == 0)
        error = pthread_cond_timedwait(&flight->landing, &verifier->lock, &until);
    DL_DELETE(verifier->waiters, &waiter);
}

/* What the flight says now, or that it says nothing yet. The transcript goes with the answer. */
static void collect(struct rb_ticket *ticket, int64_t max_wait_ms, struct address_record *record,
                    bool *cached, struct rb_transcript **transcript)
{
    struct rb_verifier *verifier = ticket->verifier;
    struct flight *flight = ticket->flight;
    int64_t waited_ms;

    pthread_mutex_lock(&verifier->lock);
    waited_ms = clock_monotonic_ms(verifier->clock) - flight->started_ms;
    wait_for_landing(verifier, flight, max_wait_ms - waited_ms);
    if (flight->landed) {
        *record = flight->record;
        *cached = flight->from_cache;
        ticket->answered_ms = flight->landed_ms;
        if (flight->item.transcript != NULL && !flight->listed) {
            *transcript = flight->item.transcript;
            flight->item.transcript = NULL;
        }
    }
    pthread_mutex_unlock(&verifier->lock);
}

void rb_wait(struct rb_ticket *ticket, unsigned max_wait_ms, struct rb_answer *answer)
{
    struct rb_verifier *verifier = ticket->verifier;
    struct address_record record = moment(verifier, RB_REASON_TIMEOUT, "still_asking");
    struct rb_transcript *transcript = NULL;
    struct setup *setup;
    bool cached = ticket->cached;

    if (ticket->flight != NULL)
        collect(ticket, max_wait_ms, &record, &cached, &transcript);
    else
        record = ticket->record;
    setup = setup_get(verifier);
    fill_answer(ticket, &record, cached, setup->options, answer);
    setup_put(verifier, setup);
    answer->transcript = transcript;
}

bool rb_ready(struct rb_ticket *ticket)
{
    bool landed;

    if (ticket->flight == NULL)
        return true;
    pthread_mutex_lock(&ticket->verifier->lock);
    landed = ticket->flight->landed;
    pthread_mutex_unlock(&ticket->verifier->lock);
    return landed;
}

void rb_ticket_free(struct rb_ticket *ticket)
{
    if (ticket == NULL)
        return;
    leave(ticket->verifier, ticket->flight);
    free(ticket);
}

enum rb_error rb_verify(struct rb_verifier *verifier, const struct rb_question *question,
                        unsigned max_wait_ms, struct rb_answer *answer)
{
    struct rb_ticket *ticket;
    enum rb_error error = rb_ask(verifier, question, &ticket);

    if (error != RB_OK)
        return error;
    rb_wait(ticket, max_wait_ms, answer);
    rb_ticket_free(ticket);
    return RB_OK;
}

/* --- Looking in ----------------------------------------------------------- */

void rb_verifier_stats(struct rb_verifier *verifier, struct rb_stats *stats)
{
    const struct counters *counters = &verifier->counters;
    struct cache_stats cache = {0};

    *stats = (struct rb_stats){
        .questions = atomic_load(&counters->questions),
        .cache_hit = atomic_load(&counters->cache_hit),
        .cache_stale = atomic_load(&counters->cache_stale),
        .cache_miss = atomic_load(&counters->cache_miss),
        .coalesced = atomic_load(&counters->coalesced),
        .settled_by_fact = atomic_load(&counters->settled_by_fact),
        .sessions = atomic_load(&counters->sessions),
        .busy = atomic_load(&counters->busy),
    };
    for (int i = 0; i < RB_REASON_MAX; i++)
        stats->callouts[i] = atomic_load(&counters->callouts[i]);
    if (verifier->cache != NULL && cache_get_stats(verifier->cache, &cache) == RB_OK) {
        stats->cache_entries = cache.addresses;
        stats->cache_bytes = cache.bytes;
        stats->dropped_writes = cache.dropped;
    }
    stats->retries_scheduled = retries_count(verifier->retries);
    pthread_mutex_lock(&verifier->lock);
    stats->running = verifier->queue.running;
    stats->pending = verifier->queue.pending;
    pthread_mutex_unlock(&verifier->lock);
}
