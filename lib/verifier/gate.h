/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate: before anybody is called for a sender, its domain is asked by SPF whether it disowns the
 * client. The look-ups that takes are made by sched's threads; questions wait for them here, and
 * are submitted when they are let through.
 *
 * Owns: the checks under way and the questions that wait for them. Lock: one, its own, over those;
 * nothing else is called under it. What SPF said lately (spf/memo.h) has a lock of its own.
 * Thread rule: every function may be called from any thread, with no lock held, but init and fini.
 */
#ifndef RB_VERIFIER_GATE_H
#define RB_VERIFIER_GATE_H

#include "options/snapshot.h"
#include "ringback.h"
#include "sched/sched.h"
#include "base/memo.h"
#include "verifier/checks.h"

#include <pthread.h>

struct question;

struct gate {
    struct memo *memo;    /* what SPF said lately */
    pthread_mutex_t lock; /* covers: */
    struct checks checks;
    bool stopping;
};

enum gate_word {
    GATE_OPEN,
    GATE_CLOSED, /* the domain disowns the client */
    GATE_ASKS,   /* not known without asking DNS */
    GATE_NO_MEMORY,
    GATE_NO_WORKER, /* nobody would come for the look-up */
};

/* RB_ERR_NOMEM: gate_fini ends it all the same. */
enum rb_error gate_init(struct gate *gate, const struct rb_clock *clock);

/* Nothing may wait. A zeroed one is fine. */
void gate_fini(struct gate *gate);

/* Whether a question must pass the gate before anybody is called. */
bool gate_is_for(const struct options *options, const struct rb_question *question);

/*
 * What SPF says of who sends for whom, as far as that is known without asking anybody. GATE_ASKS:
 * *check is the caller's, for gate_wait; else it is NULL.
 */
enum gate_word gate_ask(struct rb_verifier *verifier, const struct snapshot *snapshot,
                        const struct spf_question *question, struct check **check);

/*
 * Begins to find out, or joins an equal check; takes the check, and the question, which is not
 * under way yet. It is submitted then, or answered with spf_fail; where nothing can wait, it is
 * answered at once. NULL: it is only for those who come later.
 */
void gate_wait(struct rb_verifier *verifier, const struct snapshot *snapshot, struct check *check,
               struct question *question);

/*
 * Makes a look-up, and goes on with what waited for it: the hook of sched. arg: the verifier; call:
 * who keeps this thread waiting.
 */
void gate_look_up(void *arg, struct sched_lookup *lookup, struct stall_call *call);

/* Questions that wait. Takes no lock. */
unsigned gate_waiting(const struct gate *gate);

/* The end: nothing waits any more; what waits is answered. */
void gate_stop(struct rb_verifier *verifier);

#endif
