/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: descriptors and timers of one thread, over epoll. It knows nothing of mail.
 */
#ifndef SMTPD_LOOP_H
#define SMTPD_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/* A descriptor and what to call when it is ready. Lives inside its owner, as the first member. */
struct watch {
    int fd;
    uint32_t events;
    void (*ready)(struct watch *w, uint32_t events);
    void (*release)(struct watch *w); /* frees the owner, once no event can name it any more */
    struct watch *next_dropped;
};

/* Lives inside its owner; zeroed before its first use. */
struct timer {
    int64_t due_us;
    size_t slot; /* place in the heap from 1; 0: not armed */
    void (*fire)(struct timer *t);
};

/* NULL: no descriptor or no memory; errno is set. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* false: the kernel refused; errno is set. fd, ready and release are set by the caller. */
bool loop_add(struct loop *loop, struct watch *w, uint32_t events);
void loop_want(struct loop *loop, struct watch *w, uint32_t events);

/* Closes fd; release is called after the events at hand. A second call does nothing. */
void loop_drop(struct loop *loop, struct watch *w);

/* Fires once, never before that many milliseconds have passed. false: no memory. */
bool loop_arm(struct loop *loop, struct timer *t, int64_t after_ms);
void loop_disarm(struct loop *loop, struct timer *t);

/* Microseconds of the monotonic clock. */
int64_t loop_now_us(void);

/* Returns once loop_stop was called. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
