/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workers: the threads that call. Each takes a ready destination, runs one callout over what waits
 * for it, and lets go. Started as needed up to the ceiling, with small stacks. Part of the
 * verifier; see verifier.h for the locks.
 */
#include "config.h"

#include "verifier.h"

#include "task.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKER_STACK_SIZE = 512 * 1024, /* only what is touched is ever resident */
    WORKER_IDLE_MS = 30000,         /* an idle worker ends after this */
};

/* --- The work ------------------------------------------------------------- */

/* Waits for something to do. False: the worker is not needed any more. Under the lock. */
static bool wait_for_work(struct rb_verifier *verifier)
{
    struct timespec until;
    int error;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WORKER_IDLE_MS / 1000;
    verifier->idle++;
    error = pthread_cond_timedwait(&verifier->work, &verifier->lock, &until);
    verifier->idle--;
    /* A question may have come just as the time was up: it counted on this worker. */
    return error == 0 || verifier->queue.ready != NULL;
}

static void work_once(struct rb_verifier *verifier, struct destination *destination)
{
    struct setup *setup = verifier->setup;

    setup->users++;
    pthread_mutex_unlock(&verifier->lock);
    task_run(verifier, destination, setup);
    setup_put(verifier, setup);
    pthread_mutex_lock(&verifier->lock);
    (void)slots_settle(&verifier->slots, &verifier->queue, destination,
                       verifier->setup->options->o.per_host_sessions);
    queue_release(&verifier->queue, destination, verifier->setup->options->o.per_domain_sessions);
}

static bool start_worker(struct rb_verifier *verifier);

/* Workers that were started or woken count as idle until they run: compare with what is ready. */
void workers_call(struct rb_verifier *verifier)
{
    if (verifier->queue.ready_count > verifier->idle && verifier->workers < verifier->workers_max)
        (void)!start_worker(verifier);
    if (verifier->queue.ready_count > 0)
        pthread_cond_signal(&verifier->work);
}

static void *worker(void *arg)
{
    struct rb_verifier *verifier = arg;
    bool needed = true;

    pthread_mutex_lock(&verifier->lock);
    verifier->idle--;
    while (needed && !verifier->stopping) {
        struct destination *destination =
            queue_next(&verifier->queue, verifier->setup->options->o.per_domain_sessions);

        if (destination != NULL) {
            workers_call(verifier); /* it may be worth another session, which nobody else sees */
            work_once(verifier, destination);
        } else {
            needed = wait_for_work(verifier);
        }
    }
    verifier->workers--;
    pthread_cond_broadcast(&verifier->idle_cond);
    pthread_mutex_unlock(&verifier->lock);
    return NULL;
}

/* Signals are the program's business: none is delivered to a worker, and SIGPIPE ends nobody. */
static bool start_worker(struct rb_verifier *verifier)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int error;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, WORKER_STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, worker, verifier);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return false;
    verifier->workers++;
    verifier->idle++; /* until it runs */
    return true;
}

enum rb_error workers_submit(struct rb_verifier *verifier, struct flight *flight)
{
    unsigned sessions_max = verifier->setup->options->o.per_domain_sessions;
    enum rb_error error;

    /* An item that nobody comes for would wait for ever. */
    if (verifier->workers == 0 && !start_worker(verifier))
        return RB_ERR_NOMEM;
    error =
        queue_push(&verifier->queue, flight->relay, flight->domain, &flight->item, sessions_max);
    if (error != RB_OK)
        return error;
    workers_call(verifier);
    return RB_OK;
}

bool workers_join(struct rb_verifier *verifier, unsigned timeout_ms)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    pthread_cond_broadcast(&verifier->work);
    while (verifier->workers > 0 && error == 0)
        error = pthread_cond_timedwait(&verifier->idle_cond, &verifier->lock, &until);
    return verifier->workers == 0;
}
