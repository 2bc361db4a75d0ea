/* SPDX-License-Identifier: BSD-2-Clause */
/* probe: asks for a local part that nobody has; see probe.h. */
#include "config.h"

#include "callout/probe.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

/* A month: long enough for every greylist, short enough that the probe address is no fixture of
 * spam lists. */
enum { PERIOD_S = 30 * 86400 };

void probe_local_part(const uint8_t key[32], const char *domain, int64_t now_s, char local[17])
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 of them */
    char text[RB_DOMAIN_MAX + 32];
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    unsigned len = 0;

    (void)snprintf(text, sizeof text, "%lld:%s", (long long)(now_s / PERIOD_S), domain);
    (void)HMAC(EVP_sha256(), key, 32, (const unsigned char *)text, strlen(text), digest, &len);
    for (size_t i = 0; i < 16; i++)
        local[i] = alphabet[digest[i] % 32];
    local[0] = alphabet[digest[0] % 24]; /* begins with a letter */
    local[16] = '\0';
}

/* Whether it is known if the domain accepts everything. */
static bool is_known(const struct attempt *attempt)
{
    return attempt_knows(attempt, &attempt->facts.catch_all, FACT_NO) ||
           attempt_knows(attempt, &attempt->facts.catch_all, FACT_YES);
}

/* Does the domain accept a local part that nobody has? Only 2yz means yes; nothing clear means not
 * known. */
static void ask_for_nobody(struct channel *channel, deadline until)
{
    struct attempt *attempt = channel->attempt;
    const struct callout *callout = attempt->callout;
    char local[17], address[sizeof local + 1 + RB_DOMAIN_MAX];
    struct dialogue_question question;
    enum rb_reason reason;

    attempt->probed = true;
    probe_local_part(callout->probe_key, callout->domain, clock_wall_s(callout->clock), local);
    (void)snprintf(address, sizeof address, "%s@%s", local, callout->domain);
    question = attempt_question(attempt, address);
    /*
     * Whatever our sender is: a host that verifies senders lets the null sender pass, and would
     * call back about any other.
     */
    if (!attempt->ask_with_fallback &&
        !attempt_knows(attempt, &attempt->facts.null_sender_refused, FACT_YES))
        question.mail_from = "";
    channel_ask(channel, &question, until);
    reason = channel->dialogue.answer.reason;
    if (reason == RB_REASON_ACCEPTED || reason == RB_REASON_CATCH_ALL)
        attempt_learn_catch_all(attempt, true);
    else if (rb_reason_verdict(reason) == RB_VERDICT_INVALID)
        attempt_learn_catch_all(attempt, false);
}

void probe_answer(const struct attempt *attempt, struct callout_item *item,
                  struct address_record *accepted)
{
    if (attempt_knows(attempt, &attempt->facts.catch_all, FACT_YES)) {
        accepted->reason = RB_REASON_CATCH_ALL;
        (void)text_copy(accepted->rule, sizeof accepted->rule, "accepts_every_local_part");
    }
    attempt_answer(attempt, item, accepted);
}

/* Finds out for all that wait for it. */
static void find_out(struct channel *channel, deadline until)
{
    const struct fact not_known = {.state = FACT_UNKNOWN};
    struct attempt *attempt = channel->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;
    struct callout_item *parked, *next;

    ask_for_nobody(channel, until);
    parked =
        hooks->end_probe(hooks->arg, is_known(attempt) ? &attempt->facts.catch_all : &not_known);
    for (; parked != NULL; parked = next) {
        next = parked->next;
        probe_answer(attempt, parked, &parked->best);
    }
}

bool probe_settles(struct channel *channel, struct callout_item *item,
                   const struct address_record *accepted, deadline until)
{
    struct attempt *attempt = channel->attempt;
    const struct callout_hooks *hooks = &attempt->callout->hooks;

    if (is_known(attempt) || attempt->probed || !channel_can_ask(channel))
        return true;
    switch (hooks->begin_probe(hooks->arg, item, accepted, &attempt->facts.catch_all)) {
    case CALLOUT_PROBE_PARKED:
        return false;
    case CALLOUT_PROBE:
        find_out(channel, until);
        return true;
    default:
        return true;
    }
}
