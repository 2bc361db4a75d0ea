/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: what would be done with a transaction, and why, in words: by the same session, policy
 * and reply code as the real thing, with every step told. The daemon tells it with its own
 * configuration, limits and cache; `ringback explain` by itself where no daemon runs. Nothing is
 * counted or remembered, and no mail host is called: where that would happen, it is said, and
 * whoever explains may come again with the answer.
 */
#ifndef RB_MILTER_SESSION_EXPLAIN_H
#define RB_MILTER_SESSION_EXPLAIN_H

#include <jansson.h>

#include "config/configuration.h"
#include "ringback.h"

/*
 * The request, which is hostile:
 *
 *     {"client": "192.0.2.1", "helo": octets, "from": octets, "to": octets, "authenticated": bool,
 *      "answers": {"sender": answer, "recipient": answer}}
 *
 * with octets as of json_octets and answers as of json_answer; those that are not there were not
 * asked for yet. The result, the caller's (json_decref), NULL without memory:
 *
 *     {"ok": true, "text": lines}
 *     {"ok": true, "text": the first lines,
 *      "ask": {"of": "sender" or "recipient", "address": octets, "relay": text or null,
 *              "under_way": bool, "max_wait_ms": number}}
 *     {"ok": false, "message": what is wrong with the request}
 *
 * where "ask" is a question that would be asked of a mail host now; under_way: it is just being
 * asked. May wait for DNS as rb_peek does, for half of max_wait. Any thread.
 */
json_t *explain_object(struct rb_verifier *verifier, struct config *config, json_t *request);

#endif
