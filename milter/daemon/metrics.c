/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics: the daemon's counters; see metrics.h. */
#include "config.h"

#include "daemon/metrics.h"

#include <stdatomic.h>
#include <time.h>

static atomic_ullong decisions[RB_REASON_MAX][ACTION_REJECT + 1];
static atomic_ullong skips[EXEMPT_MAX];
static atomic_ullong vouchers[RB_VOUCHER_MAX];
static atomic_ullong guesses[GUESSER_BARRED + 1];
static atomic_ullong clients[RB_CLIENT_MAX];
static atomic_ullong answers[VERBS_UNKNOWN + 1], answers_limited;
static atomic_ullong sessions_open, sessions_total;
static _Atomic int64_t session_last_s;

/* Postfix waits 30 s for a filter. */
static const int64_t BOUNDS_MS[] = {1,    5,    10,   50,    100,   250,   500, 1000,
                                    2500, 5000, 7500, 10000, 20000, 30000, -1};
static struct histogram waits = {.bounds = BOUNDS_MS};

void metrics_decided(enum rb_reason reason, enum action action)
{
    if ((unsigned)reason < RB_REASON_MAX && (unsigned)action <= ACTION_REJECT)
        atomic_fetch_add(&decisions[reason][action], 1);
}

void metrics_skipped(enum exemption exemption)
{
    if ((unsigned)exemption < EXEMPT_MAX)
        atomic_fetch_add(&skips[exemption], 1);
}

void metrics_vouched(enum rb_voucher voucher)
{
    if ((unsigned)voucher < RB_VOUCHER_MAX)
        atomic_fetch_add(&vouchers[voucher], 1);
}

void metrics_guessed(enum guesser guesser)
{
    if ((unsigned)guesser <= GUESSER_BARRED)
        atomic_fetch_add(&guesses[guesser], 1);
}

void metrics_client(enum rb_client_result result)
{
    if ((unsigned)result < RB_CLIENT_MAX)
        atomic_fetch_add(&clients[result], 1);
}

void metrics_waited(int64_t waited_ms)
{
    histogram_note(&waits, waited_ms);
}

void metrics_answered(enum verbs_word word)
{
    if ((unsigned)word <= VERBS_UNKNOWN)
        atomic_fetch_add(&answers[word], 1);
}

void metrics_answer_limited(void)
{
    atomic_fetch_add(&answers_limited, 1);
}

void metrics_session_began(void)
{
    atomic_fetch_add(&sessions_open, 1);
    atomic_fetch_add(&sessions_total, 1);
    atomic_store(&session_last_s, (int64_t)time(NULL));
}

void metrics_session_ended(void)
{
    atomic_fetch_sub(&sessions_open, 1);
}

uint64_t metrics_decisions(enum rb_reason reason, enum action action)
{
    return atomic_load(&decisions[reason][action]);
}

uint64_t metrics_skips(enum exemption exemption)
{
    return atomic_load(&skips[exemption]);
}

uint64_t metrics_vouchers(enum rb_voucher voucher)
{
    return atomic_load(&vouchers[voucher]);
}

uint64_t metrics_guesses(enum guesser guesser)
{
    return atomic_load(&guesses[guesser]);
}

uint64_t metrics_clients(enum rb_client_result result)
{
    return atomic_load(&clients[result]);
}

uint64_t metrics_answers(enum verbs_word word)
{
    return atomic_load(&answers[word]);
}

uint64_t metrics_answers_limited(void)
{
    return atomic_load(&answers_limited);
}

uint64_t metrics_sessions_open(void)
{
    return atomic_load(&sessions_open);
}

uint64_t metrics_sessions_total(void)
{
    return atomic_load(&sessions_total);
}

int64_t metrics_session_last_s(void)
{
    return atomic_load(&session_last_s);
}

void metrics_waits(struct histogram_view *found)
{
    histogram_look(&waits, found);
}
