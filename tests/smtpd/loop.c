/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: see loop.h. Timers are a binary heap, ordered by when they are due. An owner that goes away
 * in the middle of a batch of events is only freed behind it, since a later event of the batch may
 * name it.
 */
#include "config.h"

#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_A_BATCH 256

struct loop {
    int epoll_fd;
    bool stopped;
    struct timer **heap; /* heap[0] is not used */
    size_t heap_len;
    size_t heap_cap;
    struct watch *dropped;
};

int64_t loop_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        free(loop);
        return NULL;
    }
    return loop;
}

static void release_dropped(struct loop *loop)
{
    while (loop->dropped != NULL) {
        struct watch *w = loop->dropped;
        loop->dropped = w->next_dropped;
        w->release(w);
    }
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    release_dropped(loop);
    (void)close(loop->epoll_fd);
    free(loop->heap);
    free(loop);
}

bool loop_add(struct loop *loop, struct watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    w->events = events;
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, w->fd, &event) == 0;
}

void loop_want(struct loop *loop, struct watch *w, uint32_t events)
{
    if (w->fd < 0 || w->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = w};
    w->events = events;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &event);
}

void loop_drop(struct loop *loop, struct watch *w)
{
    if (w->fd < 0)
        return;
    (void)close(w->fd);
    w->fd = -1;
    w->next_dropped = loop->dropped;
    loop->dropped = w;
}

static void put(struct loop *loop, size_t slot, struct timer *t)
{
    loop->heap[slot] = t;
    t->slot = slot;
}

static void sift_up(struct loop *loop, size_t slot, struct timer *t)
{
    while (slot > 1 && loop->heap[slot / 2]->due_us > t->due_us) {
        put(loop, slot, loop->heap[slot / 2]);
        slot /= 2;
    }
    put(loop, slot, t);
}

static void sift_down(struct loop *loop, size_t slot, struct timer *t)
{
    for (size_t child = slot * 2; child <= loop->heap_len; child = slot * 2) {
        if (child < loop->heap_len && loop->heap[child + 1]->due_us < loop->heap[child]->due_us)
            child++;
        if (loop->heap[child]->due_us >= t->due_us)
            break;
        put(loop, slot, loop->heap[child]);
        slot = child;
    }
    put(loop, slot, t);
}

void loop_disarm(struct loop *loop, struct timer *t)
{
    if (t->slot == 0)
        return;
    size_t slot = t->slot;
    t->slot = 0;
    struct timer *last = loop->heap[loop->heap_len--];
    if (last == t)
        return;
    if (slot > 1 && loop->heap[slot / 2]->due_us > last->due_us)
        sift_up(loop, slot, last);
    else
        sift_down(loop, slot, last);
}

bool loop_arm(struct loop *loop, struct timer *t, int64_t after_ms)
{
    loop_disarm(loop, t);
    if (loop->heap_len + 1 >= loop->heap_cap) {
        size_t cap = loop->heap_cap != 0 ? loop->heap_cap * 2 : 64;
        struct timer **heap = realloc(loop->heap, cap * sizeof(void *));
        if (heap == NULL)
            return false;
        loop->heap = heap;
        loop->heap_cap = cap;
    }
    t->due_us = loop_now_us() + after_ms * 1000;
    sift_up(loop, ++loop->heap_len, t);
    return true;
}

/* Only what is due now: a timer that a handler arms anew waits for the next round. */
static void fire_due(struct loop *loop)
{
    int64_t now_us = loop_now_us();
    while (loop->heap_len > 0 && loop->heap[1]->due_us <= now_us) {
        struct timer *t = loop->heap[1];
        loop_disarm(loop, t);
        t->fire(t);
    }
}

static int wait_ms(const struct loop *loop)
{
    if (loop->heap_len == 0)
        return -1;
    int64_t left_us = loop->heap[1]->due_us - loop_now_us();
    if (left_us <= 0)
        return 0;
    int64_t ms = (left_us + 999) / 1000;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

void loop_run(struct loop *loop)
{
    struct epoll_event events[EVENTS_A_BATCH];
    while (!loop->stopped) {
        int n = epoll_wait(loop->epoll_fd, events, EVENTS_A_BATCH, wait_ms(loop));
        if (n < 0 && errno != EINTR)
            return;
        for (int i = 0; i < n; i++) {
            struct watch *w = events[i].data.ptr;
            if (w->fd >= 0)
                w->ready(w, events[i].events);
        }
        fire_due(loop);
        release_dropped(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
