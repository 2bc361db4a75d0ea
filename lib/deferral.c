/* SPDX-License-Identifier: BSD-2-Clause */
/* deferral: see deferral.h. */
#include "config.h"

#include "deferral.h"

bool deferral_applies(enum rb_reason reason)
{
    return reason == RB_REASON_GREYLISTED || reason == RB_REASON_TEMPFAIL;
}

void deferral_note(struct address_record *record, const struct address_record *before)
{
    if (!deferral_applies(record->reason))
        return;
    record->deferred_s = record->stamp_s;
    record->retries = 0;
    if (before == NULL || !deferral_applies(before->reason) || before->deferred_s == 0)
        return;
    record->deferred_s = before->deferred_s;
    record->retries =
        before->retries < RECORD_RETRIES_MAX ? before->retries + 1 : RECORD_RETRIES_MAX;
}

int64_t deferral_due_s(const struct address_record *record, const struct rb_greylist *rules)
{
    int64_t interval_s = record->wait_s > 0 ? record->wait_s : rules->first_s;
    int64_t due_s;

    if (!rules->retry || !deferral_applies(record->reason) || record->deferred_s == 0)
        return -1;
    for (unsigned i = 0; i < record->retries && interval_s < rules->max_s; i++)
        interval_s *= 2;
    if (interval_s > rules->max_s)
        interval_s = rules->max_s > record->wait_s ? rules->max_s : record->wait_s;
    due_s = record->stamp_s + interval_s + DEFERRAL_GRACE_S;
    return due_s - record->deferred_s > rules->give_up_s ? -1 : due_s;
}
