/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peek: what would become of a question if it were asked now; see rb_peek. The way of api.c and
 * submit.c over the same rooms, without a step of it being made. Must not change anything, nor call
 * anybody but name servers.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "mail/relay.h"
#include "verifier/submit.h"
#include "base/sized.h"
#include "base/text.h"

/* One question on its way. */
struct peek {
    struct rb_verifier *verifier;
    const struct snapshot *snapshot;
    const struct rb_question *question;
    deadline until;
    struct address address;
    char text[RB_ADDRESS_MAX + 1]; /* canonical; "": it is no address */
    enum rb_voucher voucher;
    struct rb_prospect *prospect;
    struct rb_answer *answer;
};

static void answer(const struct peek *peek, const struct address_record *record, bool cached)
{
    struct rb_answer *made = peek->answer;
    const char *relay = peek->question->relay != NULL ? peek->question->relay : "";

    memory_fill_answer(&peek->verifier->memory, peek->snapshot->options, relay, peek->text, record,
                       made);
    made->cached = cached;
    if (peek->text[0] != '\0')
        (void)text_copy(made->domain, sizeof made->domain, peek->address.domain);
}

/* Why the gate turns the client back; RB_REASON_NONE: it does not. What the cache knows waits for
 * no name server. */
static enum rb_reason ask_gate(struct peek *peek, enum memory_answer known)
{
    const struct spf_question asked = {
        .client = peek->question->client,
        .helo = peek->question->helo,
        .local = peek->address.local,
        .domain = peek->address.domain,
    };
    struct spf_vouching vouching;
    struct gate_ruling ruling;

    if (!gate_is_for(peek->snapshot->options, peek->question))
        return RB_REASON_NONE;
    ruling = gate_peek(peek->verifier, peek->snapshot, &asked, known == CACHE_MISS, peek->until,
                       &vouching);
    if (ruling.word == GATE_ASKS)
        return RB_REASON_NONE;
    peek->voucher = vouching.voucher;
    peek->prospect->why_nobody = vouching.why_nobody;
    memcpy(peek->prospect->voucher_host, vouching.host, sizeof vouching.host);
    return ruling.reason;
}

/*
 * Nothing answers it: is it being asked, may it be, and if not, why? known: what counts then; NULL:
 * nothing is known.
 */
static void look_at_limits(const struct peek *peek, const char *key,
                           const struct address_record *known)
{
    struct rb_verifier *verifier = peek->verifier;
    const char *relay = peek->question->relay != NULL ? peek->question->relay : "";
    char client[RATES_CLIENT_KEY_SIZE];
    struct address_record why;
    bool forbidden;

    rates_client_key(peek->question->client, client, sizeof client);
    peek->prospect->is_asked = !peek->question->no_cache &&
                               inflight_has(&verifier->inflight, key, peek->question->message_size);
    forbidden =
        !peek->prospect->is_asked && submit_forbids(verifier, peek->snapshot->options,
                                                    peek->address.domain, relay, client, &why);
    peek->prospect->would_call = !peek->prospect->is_asked && !forbidden;
    if (forbidden)
        answer(peek, known != NULL ? known : &why, known != NULL);
}

static enum rb_error peek_at_address(struct peek *peek)
{
    const struct rb_question *question = peek->question;
    char key[CACHE_KEY_MAX + 1];
    struct address_record record = {.reason = RB_REASON_NONE};
    enum memory_answer known = CACHE_MISS;
    enum rb_reason held_back = RB_REASON_NONE;
    enum rb_error error = cache_address_key(question->relay, peek->text, key);
    bool by_fact;

    if (error != RB_OK)
        return error;
    if (!question->no_cache)
        known = memory_find(&peek->verifier->memory, peek->snapshot->options, key,
                            peek->address.domain, question->relay, &record, &by_fact);
    if (question->only_cache && known == CACHE_MISS)
        verifier_moment(peek->verifier, RB_REASON_TIMEOUT, "not_in_cache", &record);
    if (question->only_cache) {
        answer(peek, &record, known != CACHE_MISS);
        return RB_OK;
    }
    if (known != CACHE_FRESH || rb_reason_verdict(record.reason) != RB_VERDICT_INVALID)
        held_back = ask_gate(peek, known);
    if (held_back != RB_REASON_NONE) {
        verifier_moment(peek->verifier, held_back, rb_reason_name(held_back), &record);
        answer(peek, &record, false);
    } else if (known == CACHE_MISS) {
        look_at_limits(peek, key, NULL);
    } else if (question->message_size != 0 && !memory_answers_size(&record)) {
        look_at_limits(peek, key, &record);
    } else {
        answer(peek, &record, true);
        peek->prospect->would_refresh = known == CACHE_STALE;
    }
    return RB_OK;
}

static enum rb_error peek_at_text(struct peek *peek)
{
    const struct rb_question *question = peek->question;
    enum address_fault fault = address_parse(question->address, question->address_len,
                                             peek->snapshot->options->o.smtputf8, &peek->address);
    struct address_record record;

    if (fault == ADDRESS_NOMEM)
        return RB_ERR_NOMEM;
    if (fault == ADDRESS_OK)
        return address_key(&peek->address, peek->text, sizeof peek->text) == RB_OK
                   ? peek_at_address(peek)
                   : RB_ERR_TOO_LONG;
    submit_about_nobody(peek->verifier, fault, &record);
    answer(peek, &record, false);
    return RB_OK;
}

enum rb_error rb_peek(struct rb_verifier *verifier, const struct rb_question *question,
                      int64_t until_ms, struct rb_prospect *prospect, struct rb_answer *answer)
{
    struct rb_prospect found = {.size = sizeof found};
    struct rb_answer heard = {.size = sizeof heard, .age_s = -1, .expires_s = -1};
    struct rb_question full = {.size = sizeof full};
    struct peek peek = {.verifier = verifier,
                        .question = &full,
                        .until = until_ms,
                        .prospect = &found,
                        .answer = &heard};
    struct snapshot *snapshot;
    enum rb_error error;

    if (!sized_read(&full, sizeof full, question, SIZED_QUESTION) || full.address == NULL ||
        (full.relay != NULL && !relay_is_good(full.relay)) ||
        (unsigned)full.voucher >= RB_VOUCHER_MAX)
        return RB_ERR_ARGUMENT;
    peek.voucher = full.voucher;
    full.no_cache = full.no_cache || full.transcript;
    full.message_size = full.relay != NULL ? full.message_size : 0;
    snapshot = snapshots_get(&verifier->snapshots);
    peek.snapshot = snapshot;
    error = peek_at_text(&peek);
    heard.voucher = peek.voucher;
    snapshot_put(snapshot);
    if (!sized_write(prospect, SIZED_PROSPECT, &found, sizeof found) ||
        !sized_write(answer, SIZED_ANSWER, &heard, sizeof heard))
        return RB_ERR_ARGUMENT;
    return error;
}
