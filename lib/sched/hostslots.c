/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots: see slots.h. A slot that was freed belongs to the destination that is let out for it
 * (`due`) until that has taken it or has run without: newcomers do not overtake. An entry lives as
 * long as something runs, waits or is due, and is then remembered, with those that were idle before
 * it, as long as there is room.
 */
#include "config.h"

#include "sched/hostslots.h"

#include "base/text.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    char ip[CALLOUT_HOST_MAX + 1];
    unsigned running;            /* sessions */
    unsigned sent_away;          /* of these, those that the host did not want, and will leave */
    unsigned due;                /* destinations let out for it */
    struct destination *waiting; /* set aside, the longest first */
    unsigned lags;               /* how often on end one that had just ended seemed to count */
    unsigned allowed;            /* sessions, as the host has it */
    /* Monotonic; 0: never. */
    int64_t allowed_until_ms;      /* `allowed` counts */
    int64_t paused_until_ms;       /* it is left alone */
    int64_t ended_ms, answered_ms; /* when a session that it had let in ended; when it answered */
    bool is_idle;
    struct slot *prev, *next; /* of those that are idle */
    UT_hash_handle hh;
};

static struct slot *find(const struct slots *slots, const char *ip)
{
    struct slot *slot;

    HASH_FIND_STR(slots->table, ip, slot);
    return slot;
}

static void set_idle(struct slots *slots, struct slot *slot, bool is_idle)
{
    if (is_idle && !slot->is_idle) {
        DL_APPEND(slots->idle, slot);
        slots->idle_count++;
    } else if (!is_idle && slot->is_idle) {
        DL_DELETE(slots->idle, slot);
        slots->idle_count--;
    }
    slot->is_idle = is_idle;
}

static void forget_longest_idle(struct slots *slots)
{
    struct slot *slot = slots->idle;

    set_idle(slots, slot, false);
    HASH_DEL(slots->table, slot);
    free(slot);
}

static struct slot *find_or_add(struct slots *slots, const char *ip)
{
    struct slot *slot = find(slots, ip);

    if (slot != NULL)
        return slot;
    while (slots->idle_count >= SLOTS_IDLE_MAX)
        forget_longest_idle(slots);
    slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return NULL;
    if (!text_copy(slot->ip, sizeof slot->ip, ip)) {
        free(slot);
        return NULL;
    }
    HASH_ADD_STR(slots->table, ip, slot);
    if (slot->hh.tbl == NULL) {
        free(slot);
        return NULL;
    }
    return slot;
}

/* Nothing may go on with it any more: it is remembered. */
static void note_if_idle(struct slots *slots, struct slot *slot)
{
    if (slot->running == 0 && slot->due == 0 && slot->waiting == NULL)
        set_idle(slots, slot, true);
}

/* How many sessions may run: as many as we allow, and no more than the host does. */
static unsigned sessions_of(const struct slot *slot, unsigned sessions_max, int64_t now_ms)
{
    return now_ms < slot->allowed_until_ms && slot->allowed < sessions_max ? slot->allowed
                                                                           : sessions_max;
}

/* The destination is not let out for a slot any more. */
static void clear_due(struct destination *destination)
{
    if (destination->due != NULL)
        destination->due->due--;
    destination->due = NULL;
}

static void set_aside(struct queue *queue, struct slot *slot, struct destination *destination)
{
    if (destination->wanted != NULL)
        return; /* another session of it waits already */
    DL_APPEND2(slot->waiting, destination, wait_prev, wait_next);
    destination->wanted = slot;
    queue_reconsider(queue, destination);
}

/* Takes the destination off the list it waits in. */
static void let_out(struct queue *queue, struct destination *destination)
{
    struct slot *slot = destination->wanted;

    DL_DELETE2(slot->waiting, destination, wait_prev, wait_next);
    destination->wanted = NULL;
    queue_reconsider(queue, destination);
}

/*
 * One that is let out for another slot already keeps that until its run is over: only then is
 * somebody woken who waits for it.
 */
static void wake(struct queue *queue, struct slot *slot, struct destination *next)
{
    let_out(queue, next);
    if (next->due != NULL)
        return;
    next->due = slot;
    slot->due++;
}

/* Wakes those for which there is room. A host that is left alone is for nobody: all find that out. */
static bool wake_next(struct queue *queue, struct slot *slot, unsigned sessions_max, int64_t now_ms)
{
    const unsigned max =
        now_ms < slot->paused_until_ms ? UINT_MAX : sessions_of(slot, sessions_max, now_ms);
    bool woken = false;

    while (slot->waiting != NULL && slot->running + slot->due < max) {
        wake(queue, slot, slot->waiting);
        woken = true;
    }
    return woken;
}

enum callout_leave slots_enter(struct slots *slots, struct queue *queue,
                               struct destination *destination, const char *ip,
                               unsigned sessions_max, bool on_trial, int64_t now_ms)
{
    struct slot *slot = find_or_add(slots, ip);

    if (slot == NULL || (on_trial && slot->running > 0))
        return CALLOUT_HELD_BACK;
    if (destination->due == slot)
        clear_due(destination);
    if (now_ms < slot->paused_until_ms) {
        note_if_idle(slots, slot);
        return CALLOUT_PAUSED;
    }
    set_idle(slots, slot, false);
    if (slot->running + slot->due >= sessions_of(slot, sessions_max, now_ms)) {
        set_aside(queue, slot, destination);
        return CALLOUT_FULL;
    }
    slot->running++;
    return CALLOUT_CALL;
}

bool slots_leave(struct slots *slots, struct queue *queue, const char *ip, unsigned sessions_max,
                 const struct sched_contact *contact, int64_t now_ms)
{
    struct slot *slot = find(slots, ip);
    bool woken;

    assert(slot != NULL && slot->running > 0);
    slot->running--;
    if (contact->sent_away)
        slot->sent_away--;
    if (contact->let_in) {
        slot->ended_ms = now_ms;
        slot->lags = 0;
    }
    woken = wake_next(queue, slot, sessions_max, now_ms);
    note_if_idle(slots, slot);
    return woken;
}

enum sched_excess slots_turned_away(struct slots *slots, struct queue *queue,
                                    struct destination *destination, const char *ip, bool may_lag,
                                    struct sched_contact *contact, int64_t now_ms)
{
    struct slot *slot = find(slots, ip);
    unsigned others;
    bool just_ended;

    assert(slot != NULL && slot->running > slot->sent_away && !contact->sent_away);
    others = slot->running - slot->sent_away - 1;
    just_ended = contact->let_in || (slot->ended_ms != 0 && now_ms - slot->ended_ms < SLOTS_LAG_MS);
    if (others == 0 && (!may_lag || !just_ended || slot->lags == SLOTS_LAGS_MAX))
        return SCHED_ALONE;
    if (others == 0)
        slot->lags++;
    slot->allowed = others > 0 ? others : 1;
    slot->allowed_until_ms = now_ms + SLOTS_ALLOWED_MS;
    slot->sent_away++;
    contact->sent_away = true;
    if (others == 0)
        return SCHED_LAGS;
    set_aside(queue, slot, destination);
    return SCHED_OTHERS;
}

void slots_pause(struct slots *slots, const char *ip, int64_t now_ms)
{
    struct slot *slot = find(slots, ip);

    assert(slot != NULL && slot->running > 0);
    slot->paused_until_ms = now_ms + SLOTS_PAUSE_MS;
}

void slots_note_answer(struct slots *slots, const char *ip, int64_t now_ms)
{
    struct slot *slot = find(slots, ip);

    if (slot != NULL)
        slot->answered_ms = now_ms;
}

bool slots_answered(const struct slots *slots, const char *ip, int64_t now_ms)
{
    const struct slot *slot = find(slots, ip);

    return slot != NULL && slot->answered_ms != 0 && now_ms - slot->answered_ms < SLOTS_ANSWERED_MS;
}

bool slots_settle(struct slots *slots, struct queue *queue, struct destination *destination,
                  unsigned sessions_max, int64_t now_ms)
{
    struct slot *due = destination->due, *wanted = destination->wanted;
    bool woken = false;

    if (destination->first == NULL && wanted != NULL) {
        let_out(queue, destination);
        note_if_idle(slots, wanted);
    }
    if (due != NULL) {
        clear_due(destination);
        woken = wake_next(queue, due, sessions_max, now_ms);
        note_if_idle(slots, due);
    }
    return woken;
}

bool slots_awaited(const struct slots *slots, const char *ip)
{
    const struct slot *slot = find(slots, ip);

    return slot != NULL && slot->waiting != NULL;
}

unsigned slots_running(const struct slots *slots, const char *ip)
{
    const struct slot *slot = find(slots, ip);

    return slot != NULL ? slot->running : 0;
}

void slots_free(struct slots *slots)
{
    struct slot *slot, *next;

    HASH_ITER(hh, slots->table, slot, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL has unlinked the one that was freed */
        HASH_DEL(slots->table, slot);
        free(slot);
    }
    *slots = (struct slots){0};
}
