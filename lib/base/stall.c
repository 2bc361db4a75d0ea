/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patience: who is kept waiting; see patience.h. The stamps are relaxed atomics: they say when, and
 * nothing else is read by them; one that is read a moment late makes a callout held a moment late.
 */
#include "config.h"

#include "base/stall.h"

#include "base/hash.h"

#include <stddef.h>

static const int64_t not_waiting = INT64_MAX;

void patience_enter(struct patience *patience, struct patience_call *call, int64_t now_ms)
{
    atomic_init(&call->since_ms, not_waiting);
    atomic_init(&call->gives_way, false);
    call->started_ms = now_ms;
    call->noticed = false;
    DL_APPEND(patience->calls, call);
}

void patience_leave(struct patience *patience, struct patience_call *call)
{
    DL_DELETE(patience->calls, call);
}

void patience_begin(struct patience_call *call, int64_t now_ms)
{
    if (call == NULL)
        return;
    call->noticed = false;
    atomic_store_explicit(&call->since_ms, now_ms, memory_order_relaxed);
}

void patience_end(struct patience_call *call)
{
    if (call != NULL)
        atomic_store_explicit(&call->since_ms, not_waiting, memory_order_relaxed);
}

bool patience_gives_way(const struct patience_call *call)
{
    return call != NULL && atomic_load_explicit(&call->gives_way, memory_order_relaxed);
}

/* When the callout will have waited too long, if no reply comes; INT64_MAX: it waits for none. */
static int64_t held_at(const struct patience_call *call)
{
    const int64_t since_ms = atomic_load_explicit(&call->since_ms, memory_order_relaxed);

    return since_ms == not_waiting ? not_waiting : since_ms + PATIENCE_HELD_AFTER_MS + 1;
}

bool patience_runs_out(struct patience_call *call, int64_t now_ms)
{
    if (call == NULL || call->noticed || held_at(call) > now_ms)
        return false;
    call->noticed = true;
    return true;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct patience_view patience_look(const struct patience *patience, unsigned max_held,
                                   int64_t now_ms)
{
    struct patience_view view = {.next_ms = INT64_MAX};
    int64_t may_give_way_ms = INT64_MAX;
    const struct patience_call *call = NULL;

    DL_FOREACH(patience->calls, call)
    {
        const int64_t at_ms = held_at(call), old_ms = call->started_ms + PATIENCE_GIVE_WAY_AFTER_MS;

        if (at_ms > now_ms) {
            view.next_ms = earlier(view.next_ms, at_ms);
            continue;
        }
        if (view.held < max_held)
            view.held++;
        else
            view.excess++;
        if (old_ms > now_ms)
            may_give_way_ms = earlier(may_give_way_ms, old_ms);
    }
    if (view.excess > 0)
        view.next_ms = earlier(view.next_ms, may_give_way_ms);
    return view;
}

unsigned patience_give_way(const struct patience *patience, unsigned wanted, int64_t now_ms)
{
    unsigned count = 0;
    struct patience_call *call = NULL;

    DL_FOREACH(patience->calls, call)
    {
        if (patience_gives_way(call))
            count++;
    }
    DL_FOREACH(patience->calls, call)
    {
        if (count >= wanted || now_ms - call->started_ms < PATIENCE_GIVE_WAY_AFTER_MS)
            break; /* those behind it began later still */
        if (patience_gives_way(call) || held_at(call) > now_ms)
            continue;
        atomic_store_explicit(&call->gives_way, true, memory_order_relaxed);
        count++;
    }
    return count;
}
