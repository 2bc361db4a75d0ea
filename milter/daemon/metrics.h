/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics: what the daemon has done since it started, counted. Any thread, no locks. The numbers
 * are the process's, as there is one daemon in it.
 */
#ifndef RB_MILTER_DAEMON_METRICS_H
#define RB_MILTER_DAEMON_METRICS_H

#include <stdint.h>

#include "base/histogram.h"
#include "extension/verbs.h"
#include "session/envelope.h"

void metrics_decided(enum rb_reason reason, enum action action);
void metrics_skipped(enum exemption exemption);
void metrics_vouched(enum rb_voucher voucher);
void metrics_guessed(enum guesser guesser);
/* A client was asked about, and this was found. */
void metrics_client(enum rb_client_result result);
void metrics_waited(int64_t waited_ms);
void metrics_answered(enum verbs_word word); /* a client that asked whether we talk to it, */
void metrics_answer_limited(void);           /* that among them which asked too often */
void metrics_session_began(void);
void metrics_session_ended(void);

/* Each value is right by itself; two values may be of different moments. */
uint64_t metrics_decisions(enum rb_reason reason, enum action action);
uint64_t metrics_skips(enum exemption exemption);
uint64_t metrics_vouchers(enum rb_voucher voucher);
uint64_t metrics_guesses(enum guesser guesser);
uint64_t metrics_clients(enum rb_client_result result);
uint64_t metrics_answers(enum verbs_word word);
uint64_t metrics_answers_limited(void);
uint64_t metrics_sessions_open(void);
uint64_t metrics_sessions_total(void);

/* When the last session began, seconds since 1970; 0: there was none. */
int64_t metrics_session_last_s(void);

/* How long clients waited, in milliseconds. */
void metrics_waits(struct histogram_view *found);

#endif
