/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clients: whether a client is the host that it claims to be (rb_ask_client): what is known of that
 * host answers; else the gate is asked, and a question is put to the host, the way of all questions
 * (submit.h). What comes back is remembered, and where the host cannot be reached the next one is
 * asked. Owns nothing and has no lock: it works over the verifier's rooms.
 *
 * Thread rule: any thread, with no lock held.
 */
#ifndef RB_VERIFIER_CLIENTS_H
#define RB_VERIFIER_CLIENTS_H

#include "verifier/inflight.h"

/*
 * Whether what became known since its question was put answers it (it may have waited for long):
 * then all who wait are told, and the question is gone. The question has a claim, and no callout has
 * begun with it.
 */
bool clients_settle(struct rb_verifier *verifier, struct question *question);

/*
 * The callout's answer to a question that has a claim: it is remembered; then the next target is
 * asked, or all who wait are told. The question is gone.
 */
void clients_finish(struct rb_verifier *verifier, struct question *question,
                    const struct address_record *record);

#endif
