/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostslots: see hostslots.h. A slot that was freed is reserved for the destination that is
 * unblocked for it, until that has taken it or its callout has ended: newcomers do not overtake. A
 * host is listed as long as something runs, is blocked or has a slot reserved, and is then
 * remembered, with those that were idle before it, as long as there is room.
 */
#include "config.h"

#include "sched/hostslots.h"

#include "base/text.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

struct mail_host {
    char ip[CALLOUT_HOST_MAX + 1];
    unsigned running;            /* sessions */
    unsigned turned_away;        /* of these, those that the host did not want, and will leave */
    unsigned reserved;           /* slots, each for a destination that was unblocked for it */
    struct destination *blocked; /* on it, the longest first */
    unsigned lags;    /* how often on end a session that had just ended seemed to count with it */
    unsigned allowed; /* sessions, as the host has it */
    /* Monotonic; 0: never. */
    int64_t allowed_until_ms; /* `allowed` counts */
    int64_t paused_until_ms;  /* it is left alone */
    int64_t ended_ms;         /* a session that it had let in ended */
    int64_t answered_ms;      /* it answered about an address */
    bool is_idle;
    struct mail_host *prev, *next; /* of those that are idle */
    UT_hash_handle hh;
};

static struct mail_host *find(const struct hostslots *hostslots, const char *ip)
{
    struct mail_host *host;

    HASH_FIND_STR(hostslots->table, ip, host);
    return host;
}

static void set_idle(struct hostslots *hostslots, struct mail_host *host, bool is_idle)
{
    if (is_idle && !host->is_idle) {
        DL_APPEND(hostslots->idle, host);
        hostslots->idle_count++;
    } else if (!is_idle && host->is_idle) {
        DL_DELETE(hostslots->idle, host);
        hostslots->idle_count--;
    }
    host->is_idle = is_idle;
}

static void forget_longest_idle(struct hostslots *hostslots)
{
    struct mail_host *host = hostslots->idle;

    set_idle(hostslots, host, false);
    HASH_DEL(hostslots->table, host);
    free(host);
}

static struct mail_host *find_or_add(struct hostslots *hostslots, const char *ip)
{
    struct mail_host *host = find(hostslots, ip);

    if (host != NULL)
        return host;
    while (hostslots->idle_count >= HOSTSLOTS_IDLE_MAX)
        forget_longest_idle(hostslots);
    host = calloc(1, sizeof *host);
    if (host == NULL)
        return NULL;
    if (!text_copy(host->ip, sizeof host->ip, ip)) {
        free(host);
        return NULL;
    }
    HASH_ADD_STR(hostslots->table, ip, host);
    if (host->hh.tbl == NULL) {
        free(host);
        return NULL;
    }
    return host;
}

/* Where nothing goes on with the host any more it is only remembered. */
static void note_if_idle(struct hostslots *hostslots, struct mail_host *host)
{
    if (host->running == 0 && host->reserved == 0 && host->blocked == NULL)
        set_idle(hostslots, host, true);
}

/*
 * How many sessions may run: as many as we allow, and no more than the host does. A mail store of
 * our own needs no sparing: it may have as many as come, until it says otherwise itself.
 */
static unsigned sessions_max(const struct hostslots *hostslots, const struct mail_host *host,
                             const struct destination *destination, int64_t now_ms)
{
    const unsigned max = relay_is_own(destination->relay) ? UINT_MAX : hostslots->sessions_max;

    return now_ms < host->allowed_until_ms && host->allowed < max ? host->allowed : max;
}

static void give_up_reserved(struct destination *destination)
{
    if (destination->reserved != NULL)
        destination->reserved->reserved--;
    destination->reserved = NULL;
}

static void block(struct destinations *destinations, struct mail_host *host,
                  struct destination *destination)
{
    if (destination->blocked_on != NULL)
        return; /* another session of it was blocked before */
    DL_APPEND2(host->blocked, destination, blocked_prev, blocked_next);
    destination->blocked_on = host;
    destinations_update(destinations, destination);
}

static void unblock(struct destinations *destinations, struct destination *destination)
{
    DL_DELETE2(destination->blocked_on->blocked, destination, blocked_prev, blocked_next);
    destination->blocked_on = NULL;
    destinations_update(destinations, destination);
}

/*
 * Unblocks the destination that has been blocked for longest, and reserves a slot for it. Where it
 * has one of another host reserved already, it keeps that one until its callout has ended.
 */
static void unblock_next(struct destinations *destinations, struct mail_host *host)
{
    struct destination *next = host->blocked;

    unblock(destinations, next);
    if (next->reserved != NULL)
        return;
    next->reserved = host;
    host->reserved++;
}

/*
 * Unblocks as many as there is room for; `like`: whose limit counts. A host that is paused has room
 * for nobody: all are unblocked to find that out. True: some were.
 */
static bool unblock_some(const struct hostslots *hostslots, struct destinations *destinations,
                         struct mail_host *host, const struct destination *like, int64_t now_ms)
{
    const unsigned max =
        now_ms < host->paused_until_ms ? UINT_MAX : sessions_max(hostslots, host, like, now_ms);
    bool any = false;

    while (host->blocked != NULL && host->running + host->reserved < max) {
        unblock_next(destinations, host);
        any = true;
    }
    return any;
}

enum callout_permission hostslots_enter(struct hostslots *hostslots,
                                        struct destinations *destinations,
                                        struct destination *destination, const char *ip,
                                        bool on_trial, int64_t now_ms)
{
    struct mail_host *host = find_or_add(hostslots, ip);

    if (host == NULL || (on_trial && host->running > 0))
        return CALLOUT_HELD_BACK;
    if (destination->reserved == host)
        give_up_reserved(destination);
    if (now_ms < host->paused_until_ms) {
        note_if_idle(hostslots, host);
        return CALLOUT_PAUSED;
    }
    set_idle(hostslots, host, false);
    if (host->running + host->reserved >= sessions_max(hostslots, host, destination, now_ms)) {
        block(destinations, host, destination);
        return CALLOUT_FULL;
    }
    host->running++;
    return CALLOUT_CALL;
}

bool hostslots_leave(struct hostslots *hostslots, struct destinations *destinations,
                     const struct destination *destination, const char *ip,
                     const struct sched_contact *contact, int64_t now_ms)
{
    struct mail_host *host = find(hostslots, ip);
    bool any;

    assert(host != NULL && host->running > 0);
    host->running--;
    if (contact->turned_away)
        host->turned_away--;
    if (contact->let_in) {
        host->ended_ms = now_ms;
        host->lags = 0;
    }
    any = unblock_some(hostslots, destinations, host, destination, now_ms);
    note_if_idle(hostslots, host);
    return any;
}

enum sched_excess hostslots_turned_away(struct hostslots *hostslots,
                                        struct destinations *destinations,
                                        struct destination *destination, const char *ip,
                                        bool may_lag, struct sched_contact *contact, int64_t now_ms)
{
    struct mail_host *host = find(hostslots, ip);
    unsigned others;
    bool just_ended;

    assert(host != NULL && host->running > host->turned_away && !contact->turned_away);
    others = host->running - host->turned_away - 1;
    just_ended =
        contact->let_in || (host->ended_ms != 0 && now_ms - host->ended_ms < HOSTSLOTS_LAG_MS);
    if (others == 0 && (!may_lag || !just_ended || host->lags == HOSTSLOTS_LAGS_MAX))
        return SCHED_ALONE;
    if (others == 0)
        host->lags++;
    host->allowed = others > 0 ? others : 1;
    host->allowed_until_ms = now_ms + HOSTSLOTS_ALLOWED_MS;
    host->turned_away++;
    contact->turned_away = true;
    if (others == 0)
        return SCHED_LAGS;
    block(destinations, host, destination);
    return SCHED_OTHERS;
}

void hostslots_pause(struct hostslots *hostslots, const char *ip, int64_t now_ms)
{
    struct mail_host *host = find(hostslots, ip);

    assert(host != NULL && host->running > 0);
    host->paused_until_ms = now_ms + HOSTSLOTS_PAUSE_MS;
}

void hostslots_note_answer(struct hostslots *hostslots, const char *ip, int64_t now_ms)
{
    struct mail_host *host = find(hostslots, ip);

    if (host != NULL)
        host->answered_ms = now_ms;
}

bool hostslots_has_answered(const struct hostslots *hostslots, const char *ip, int64_t now_ms)
{
    const struct mail_host *host = find(hostslots, ip);

    return host != NULL && host->answered_ms != 0 &&
           now_ms - host->answered_ms < HOSTSLOTS_ANSWERED_MS;
}

bool hostslots_end_callout(struct hostslots *hostslots, struct destinations *destinations,
                           struct destination *destination, int64_t now_ms)
{
    struct mail_host *reserved = destination->reserved, *blocked_on = destination->blocked_on;
    bool any = false;

    if (destination->first == NULL && blocked_on != NULL) {
        unblock(destinations, destination);
        note_if_idle(hostslots, blocked_on);
    }
    if (reserved != NULL) {
        give_up_reserved(destination);
        any = unblock_some(hostslots, destinations, reserved, destination, now_ms);
        note_if_idle(hostslots, reserved);
    }
    return any;
}

bool hostslots_has_blocked(const struct hostslots *hostslots, const char *ip)
{
    const struct mail_host *host = find(hostslots, ip);

    return host != NULL && host->blocked != NULL;
}

unsigned hostslots_running(const struct hostslots *hostslots, const char *ip)
{
    const struct mail_host *host = find(hostslots, ip);

    return host != NULL ? host->running : 0;
}

void hostslots_free(struct hostslots *hostslots)
{
    struct mail_host *host, *next;

    HASH_ITER(hh, hostslots->table, host, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL unlinked the one that was freed */
        HASH_DEL(hostslots->table, host);
        free(host);
    }
    *hostslots = (struct hostslots){.table = NULL};
}
