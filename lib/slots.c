/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slots: see slots.h. A slot that was freed belongs to the destination that is let out for it
 * (`due`) until that has taken it or has run without: newcomers do not overtake. An entry lives as
 * long as something runs, waits or is due.
 */
#include "config.h"

#include "slots.h"

#include "text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    char ip[46];
    unsigned running;            /* sessions */
    unsigned due;                /* destinations let out for it */
    struct destination *waiting; /* set aside, the longest first */
    UT_hash_handle hh;
};

static struct slot *find(const struct slots *slots, const char *ip)
{
    struct slot *slot;

    HASH_FIND_STR(slots->table, ip, slot);
    return slot;
}

static struct slot *find_or_add(struct slots *slots, const char *ip)
{
    struct slot *slot = find(slots, ip);

    if (slot != NULL)
        return slot;
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

static void drop_if_idle(struct slots *slots, struct slot *slot)
{
    if (slot->running > 0 || slot->due > 0 || slot->waiting != NULL)
        return;
    HASH_DEL(slots->table, slot);
    free(slot);
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

static bool wake_next(struct slots *slots, struct queue *queue, struct slot *slot,
                      unsigned sessions_max)
{
    struct destination *next = slot->waiting;

    if (next == NULL || slot->running + slot->due >= sessions_max)
        return false;
    let_out(queue, next);
    if (next->due != NULL) {
        struct slot *other = next->due;

        clear_due(next);
        drop_if_idle(slots, other);
    }
    next->due = slot;
    slot->due++;
    return true;
}

enum slots_entry slots_enter(struct slots *slots, struct queue *queue,
                             struct destination *destination, const char *ip, unsigned sessions_max,
                             bool on_trial)
{
    struct slot *slot = find_or_add(slots, ip);

    if (slot == NULL || (on_trial && slot->running > 0))
        return SLOTS_REFUSED;
    if (destination->due == slot)
        clear_due(destination);
    if (slot->running + slot->due >= sessions_max) {
        set_aside(queue, slot, destination);
        return SLOTS_FULL;
    }
    slot->running++;
    return SLOTS_TAKEN;
}

bool slots_leave(struct slots *slots, struct queue *queue, const char *ip, unsigned sessions_max)
{
    struct slot *slot = find(slots, ip);
    bool woken;

    assert(slot != NULL && slot->running > 0);
    slot->running--;
    woken = wake_next(slots, queue, slot, sessions_max);
    drop_if_idle(slots, slot);
    return woken;
}

bool slots_settle(struct slots *slots, struct queue *queue, struct destination *destination,
                  unsigned sessions_max)
{
    struct slot *due = destination->due, *wanted = destination->wanted;
    bool woken = false;

    if (destination->first == NULL && wanted != NULL) {
        let_out(queue, destination);
        drop_if_idle(slots, wanted);
    }
    if (due != NULL) {
        clear_due(destination);
        woken = wake_next(slots, queue, due, sessions_max);
        drop_if_idle(slots, due);
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
