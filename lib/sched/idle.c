/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rest: who rests, and who is woken first; see rest.h.
 */
#include "config.h"

#include "sched/idle.h"

#include "sched/destination.h"

#include <string.h>

static void wake(struct rest *rest, struct queue *queue, enum rest_end end)
{
    DL_DELETE(rest->destination->resting, rest);
    DL_DELETE2(queue->resting, rest, older, younger);
    queue->resting_count--;
    rest->end = end;
    pthread_cond_signal(&rest->woken);
}

void rest_begin(struct rest *rest, struct queue *queue, struct destination *destination,
                const char *host)
{
    pthread_condattr_t attributes;

    *rest = (struct rest){.end = REST_GOES_ON, .destination = destination, .host = host};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&rest->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    DL_PREPEND(destination->resting, rest);
    DL_APPEND2(queue->resting, rest, older, younger);
    queue->resting_count++;
    queue_reconsider(queue, destination);
}

void rest_finish(struct rest *rest, struct queue *queue)
{
    if (rest->end == REST_GOES_ON)
        wake(rest, queue, REST_SENT_HOME);
    pthread_cond_destroy(&rest->woken);
}

void rest_call(struct rest *rest, struct queue *queue)
{
    rest->destination->coming++;
    wake(rest, queue, REST_CALLED);
}

bool rest_send_home(struct queue *queue, const char *host)
{
    struct rest *rest = NULL;

    DL_FOREACH2(queue->resting, rest, younger)
    {
        if (host == NULL || strcmp(rest->host, host) == 0) {
            wake(rest, queue, REST_SENT_HOME);
            return true;
        }
    }
    return false;
}
