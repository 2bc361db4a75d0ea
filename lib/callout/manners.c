/* SPDX-License-Identifier: BSD-2-Clause */
/* manners: what mail hosts count, and how they say that it is enough; see manners.h. */
#include "config.h"

#include "callout/manners.h"

#include <string.h>

/* What hosts count in a session. It is left before they lose patience; what is left goes on in
 * another. */
enum {
    /*
     * Exim drops a session at the eleventh command that brings no mail (smtp_accept_max_nonmail),
     * and each RSET but the first is one. No question is begun after ten transactions; the last one
     * may take two more, with the fallback sender and for the probe: that is eleven RSETs.
     */
    TRANSACTIONS_MAX = 10,
    /*
     * Postfix lets us wait for a second before each reply from the tenth refusal on, and hangs up
     * at the twentieth (smtpd_soft_error_limit, smtpd_hard_error_limit); Sendmail at the 25th.
     */
    REFUSALS_MAX = 9,
    /*
     * Courier lets each refusal of a session wait longer than the one before, from 8 s to over 30;
     * in a new one it begins anew. What is slower than this, and half as slow again as the quickest
     * so far, is no accident.
     */
    SLOW_REFUSAL_MS = 5000,
};

void manners_note_refusal(struct manners *manners, int64_t took_ms)
{
    const int64_t quickest_ms = manners->quickest_refusal_ms;

    if (quickest_ms > 0 && took_ms >= SLOW_REFUSAL_MS && 2 * took_ms >= 3 * quickest_ms)
        manners->session_exhausted = true;
    if (quickest_ms == 0 || took_ms < quickest_ms)
        manners->quickest_refusal_ms = took_ms > 0 ? took_ms : 1;
}

bool manners_is_exhausted(const struct manners *manners, const struct dialogue *dialogue)
{
    return manners->session_exhausted || dialogue->transactions >= TRANSACTIONS_MAX ||
           dialogue->refusals >= REFUSALS_MAX;
}

bool manners_is_about_us(const struct channel *channel, const struct address_record *record)
{
    return record->reason == RB_REASON_BLOCKED &&
           channel->dialogue.answer.subject != CLASSIFY_RECIPIENT;
}

/* 452 to RCPT: too many recipients, unless its enhanced code says otherwise. */
static bool is_too_many_recipients(const struct address_record *record)
{
    return record->code == 452 && record->stage == RB_STAGE_RCPT &&
           (record->enhanced[0] == '\0' || strcmp(record->enhanced, "4.5.3") == 0);
}

bool manners_ends_session(const struct manners *manners, const struct channel *channel,
                          const struct address_record *record)
{
    /* What it answered before it closed stands. */
    const bool lost = channel->status == WIRE_CLOSED && record->code == 0;

    if (manners->asked == 1)
        return false;
    if (channel->dialogue.answer.subject == CLASSIFY_SESSION || record->code == 421 || lost)
        return true;
    return manners->got_answer &&
           (manners_is_about_us(channel, record) || is_too_many_recipients(record));
}

bool manners_is_too_much(const struct channel *channel, const struct address_record *record)
{
    /* A greylist may speak of pace, but means time. */
    return record->code >= 400 && record->reason != RB_REASON_GREYLISTED &&
           channel->dialogue.answer.subject == CLASSIFY_PACE;
}

bool manners_is_one_too_many(const struct channel *channel)
{
    const struct dialogue_answer *answer = &channel->dialogue.answer;

    return answer->code == 421 || answer->subject == CLASSIFY_PACE ||
           channel->status == WIRE_CLOSED || channel->status == WIRE_REFUSED;
}
