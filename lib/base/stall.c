/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stall: which callouts are stalled; see stall.h. The stamps are relaxed atomics: nothing else is
 * read by them, and one that is read a moment late makes a callout stalled a moment late.
 */
#include "config.h"

#include "base/stall.h"

#include "base/clock.h"
#include "base/hash.h"

#include <stddef.h>

static const int64_t not_waiting = INT64_MAX;

void stall_enter(struct stall_list *list, struct stall_call *call, int64_t now_ms)
{
    atomic_init(&call->since_ms, not_waiting);
    atomic_init(&call->must_yield, false);
    call->started_ms = now_ms;
    DL_APPEND(list->calls, call);
}

void stall_leave(struct stall_list *list, struct stall_call *call)
{
    DL_DELETE(list->calls, call);
}

void stall_begin_wait(struct stall_call *call, int64_t now_ms)
{
    if (call == NULL)
        return;
    atomic_store_explicit(&call->since_ms, now_ms, memory_order_relaxed);
}

void stall_end_wait(struct stall_call *call)
{
    if (call != NULL)
        atomic_store_explicit(&call->since_ms, not_waiting, memory_order_relaxed);
}

bool stall_must_yield(const struct stall_call *call)
{
    return call != NULL && atomic_load_explicit(&call->must_yield, memory_order_relaxed);
}

/* When the callout will have waited too long, if no reply comes; INT64_MAX: it waits for none. */
static int64_t stalled_at(const struct stall_call *call)
{
    const int64_t since_ms = atomic_load_explicit(&call->since_ms, memory_order_relaxed);

    return since_ms == not_waiting ? not_waiting : since_ms + STALL_AFTER_MS + 1;
}

struct stall_view stall_look(const struct stall_list *list, unsigned exempt_max, int64_t now_ms)
{
    struct stall_view view = {.next_ms = INT64_MAX};
    int64_t may_yield_ms = INT64_MAX;
    const struct stall_call *call = NULL;

    DL_FOREACH(list->calls, call)
    {
        const int64_t at_ms = stalled_at(call), old_ms = call->started_ms + STALL_YIELD_AFTER_MS;

        if (at_ms > now_ms) {
            view.next_ms = deadline_min(view.next_ms, at_ms);
            continue;
        }
        if (view.stalled < exempt_max)
            view.stalled++;
        else
            view.excess++;
        if (old_ms > now_ms)
            may_yield_ms = deadline_min(may_yield_ms, old_ms);
    }
    if (view.excess > 0)
        view.next_ms = deadline_min(view.next_ms, may_yield_ms);
    return view;
}

unsigned stall_make_yield(const struct stall_list *list, unsigned wanted, int64_t now_ms)
{
    unsigned count = 0;
    struct stall_call *call = NULL;

    DL_FOREACH(list->calls, call)
    {
        if (stall_must_yield(call))
            count++;
    }
    DL_FOREACH(list->calls, call)
    {
        if (count >= wanted || now_ms - call->started_ms < STALL_YIELD_AFTER_MS)
            break; /* those behind it began later still */
        if (stall_must_yield(call) || stalled_at(call) > now_ms)
            continue;
        atomic_store_explicit(&call->must_yield, true, memory_order_relaxed);
        count++;
    }
    return count;
}
