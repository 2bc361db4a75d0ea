/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate: before anybody is called for a sender, it is found out who vouches for the client
 * (spf/vouch.h); by that and the position of the gate (rb_options.spf_gate) the question is let
 * through or held back. The look-ups that takes are made by sched's threads; questions wait for
 * them here, and are submitted when they are let through.
 *
 * Owns: the checks under way and the questions that wait for them. Lock: one, its own, over those;
 * nothing else is called under it. What checks came to lately (spf/memo.h) has a lock of its own.
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
    struct memo *memo;    /* what checks came to lately */
    pthread_mutex_t lock; /* covers: */
    struct checks checks;
    bool stopping;
};

enum gate_word {
    GATE_OPEN,
    GATE_CLOSED, /* nobody is called for this client */
    GATE_ASKS,   /* not known without asking DNS */
    GATE_NO_MEMORY,
    GATE_NO_WORKER, /* nobody would come for the look-up */
};

/* What comes of a question at the gate. */
struct gate_ruling {
    enum gate_word word;
    enum rb_reason reason;   /* closed: RB_REASON_SPF_FAIL, _SPF_SOFTFAIL or _NOT_VOUCHED */
    enum rb_voucher voucher; /* open: who vouches for the client */
};

/* RB_ERR_NOMEM: gate_fini ends it all the same. */
enum rb_error gate_init(struct gate *gate, const struct rb_clock *clock);

/* Nothing may wait. A zeroed one is fine. */
void gate_fini(struct gate *gate);

/*
 * Whether a question must pass the gate before anybody is called: not what one of ours has handed
 * on, nor what has no IP address, nor what the caller vouches for.
 */
bool gate_is_for(const struct options *options, const struct rb_question *question);

/*
 * What comes of that at a position, which holds back what those before it do, too (enum rb_gate).
 * Pure.
 */
struct gate_ruling gate_rule(enum rb_gate position, const struct spf_vouching *vouching);

/*
 * What comes of who sends for whom, as far as that is known without asking anybody; guesses are the
 * gate's to ask for. GATE_ASKS: *check is the caller's, for gate_wait; else it is NULL.
 */
struct gate_ruling gate_ask(struct rb_verifier *verifier, const struct snapshot *snapshot,
                            const struct spf_question *question, struct check **check);

/*
 * What would come of it. Where that is not known, DNS is asked until then, if the caller waits;
 * else it is GATE_ASKS. Nothing is noted. *vouching: who vouches, or why nobody does.
 */
struct gate_ruling gate_peek(struct rb_verifier *verifier, const struct snapshot *snapshot,
                             const struct spf_question *question, bool waits, deadline until,
                             struct spf_vouching *vouching);

/* Counts a question that is held back, and sets its answer. */
void gate_turn_back(struct rb_verifier *verifier, enum rb_reason reason,
                    struct address_record *record);

/*
 * Begins to find out, or joins an equal check; takes the check, and the question, which is not
 * under way yet. It is submitted then, or answered with why it is held back; where nothing can
 * wait, it is answered at once. NULL: it is only for those who come later.
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
