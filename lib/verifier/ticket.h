/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ticket: a caller's claim on the answer to one question: it has it from the start, or waits for a
 * question under way. rb_wait and its kin.
 *
 * Owns: the answer. Lock: one for each ticket, with a condition; the caller's `done` is called
 * without it. A ticket that has its answer from the start, and no `done`, takes no lock at all.
 * Thread rule: ticket_ functions are for rb_ask, before it gives the ticket away.
 */
#ifndef RB_VERIFIER_TICKET_H
#define RB_VERIFIER_TICKET_H

#include "options/snapshot.h"
#include "ringback.h"
#include "verifier/inflight.h"

#include <pthread.h>

struct rb_ticket {
    struct waiter waiter; /* first: ticket_of; its references are the ticket's */
    struct rb_verifier *verifier;
    struct snapshot *snapshot; /* of when it was asked; a reference */
    char address[RB_ADDRESS_MAX + 1];
    char domain[RB_DOMAIN_MAX + 1];
    int64_t asked_ms;
    void (*done)(void *arg, struct rb_ticket *ticket); /* NULL: nobody is called */
    void *done_arg;
    bool waits; /* for a question; else the answer is there, and what follows needs no lock: */
    bool is_of_client; /* of rb_ask_client: `domain` is the host that is asked */
    bool falls_back;   /* `record` is what is known, which counts as long as the world gives none */

    pthread_mutex_t lock;
    pthread_cond_t told;
    bool accepted; /* by its host: `record`, until it is answered */
    bool answered; /* `record` is the answer */
    bool stopped;  /* there will be none */
    bool is_left;  /* rb_ticket_free was called */
    bool is_calling;
    pthread_t caller; /* is_calling: the thread that calls `done` */
    struct address_record record;
    enum rb_client_result result; /* is_of_client */
    bool cached;
    int64_t answered_ms; /* 0: not yet */
    struct rb_transcript *transcript;
    char relay[]; /* that was asked; "": none */
};

/* The caller's, with one reference; takes the snapshot's, where there is memory. NULL: there is
 * none. */
struct rb_ticket *ticket_new(struct rb_verifier *verifier, struct snapshot *snapshot,
                             const struct rb_question *asked);

/* One reference less. */
void ticket_put(struct rb_ticket *ticket);

/* The ticket waits for a question that nobody else has yet. */
void ticket_wait_for(struct rb_ticket *ticket, struct question *question);

/* Calls `done` for a ticket that does not wait. */
void ticket_is_ready(struct rb_ticket *ticket);

#endif
