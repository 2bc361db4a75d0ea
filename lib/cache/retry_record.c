/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * retry_record: see the header. Must not read a clock or a store.
 *
 * Layout, in the terms of codec.h: 'r'+0x80 reason tries:varint first:6 due:6 wait:varint owner:8
 * host:text checksum:4. A new layout gets a new first octet; an older program then takes the record
 * for none.
 */
#include "config.h"

#include "cache/retry_record.h"

#include "cache/codec.h"
#include "base/text.h"

static const char KIND_RETRY = 'r';

enum { STAMP_SIZE = 6, OWNER_SIZE = 8 };

bool retry_applies(enum rb_reason reason)
{
    return reason == RB_REASON_GREYLISTED || reason == RB_REASON_TEMPFAIL;
}

static bool is_stamp(int64_t stamp_s)
{
    return stamp_s > 0 && stamp_s <= CODEC_STAMP_MAX;
}

size_t retry_record_encode(const struct retry_record *record, uint8_t *out, size_t size)
{
    struct codec_sink sink;
    if (!retry_applies(record->reason) || record->tries > RETRY_TRIES_MAX ||
        !is_stamp(record->first_s) || !is_stamp(record->due_s))
        return 0;
    codec_open_sink(&sink, out, size, KIND_RETRY);
    codec_put_octet(&sink, record->reason);
    codec_put_varint(&sink, record->tries);
    codec_put_number(&sink, (uint64_t)record->first_s, STAMP_SIZE);
    codec_put_number(&sink, (uint64_t)record->due_s, STAMP_SIZE);
    codec_put_stamp(&sink, record->wait_s);
    codec_put_number(&sink, record->owner, OWNER_SIZE);
    codec_put_text(&sink, record->host, sizeof record->host);
    return codec_put_end(&sink);
}

bool retry_record_decode(const uint8_t *in, size_t len, struct retry_record *record)
{
    struct codec_source source;
    *record = (struct retry_record){0};
    if (!codec_open_source(&source, in, len, KIND_RETRY))
        return false;
    record->reason = (enum rb_reason)codec_get_octet(&source);
    record->tries = (unsigned)codec_get_varint(&source, RETRY_TRIES_MAX);
    record->first_s = (int64_t)codec_get_number(&source, STAMP_SIZE, (uint64_t)CODEC_STAMP_MAX);
    record->due_s = (int64_t)codec_get_number(&source, STAMP_SIZE, (uint64_t)CODEC_STAMP_MAX);
    record->wait_s = codec_get_stamp(&source);
    record->owner = codec_get_number(&source, OWNER_SIZE, UINT64_MAX);
    codec_get_text(&source, record->host, sizeof record->host, 0);
    if (codec_is_done(&source) && retry_applies(record->reason) && is_stamp(record->first_s) &&
        is_stamp(record->due_s))
        return true;
    *record = (struct retry_record){0};
    return false;
}

/* From one try to the next. */
static int64_t interval_s(const struct retry_record *record, const struct rb_greylist *rules)
{
    int64_t length_s = record->wait_s > 0 ? record->wait_s : rules->first_s;
    for (unsigned i = 0; i < record->tries && length_s < rules->max_s; i++)
        length_s *= 2;
    if (length_s <= rules->max_s)
        return length_s;
    return rules->max_s > record->wait_s ? rules->max_s : record->wait_s;
}

bool retry_record_postpone(struct retry_record *record, int64_t due_s,
                           const struct rb_greylist *rules)
{
    record->due_s = due_s;
    return due_s - record->first_s <= rules->give_up_s;
}

bool retry_record_defer(struct retry_record *record, const struct address_record *said,
                        const struct rb_greylist *rules)
{
    if (record->first_s == 0)
        record->first_s = said->stamp_s;
    else if (record->tries < RETRY_TRIES_MAX)
        record->tries++;
    record->reason = said->reason;
    record->wait_s = said->wait_s > 0 ? said->wait_s : 0;
    (void)text_copy(record->host, sizeof record->host, said->ip);
    return retry_record_postpone(record, said->stamp_s + interval_s(record, rules) + RETRY_GRACE_S,
                                 rules);
}

bool retry_record_is_due(const struct retry_record *record, uint64_t owner, int64_t now_s)
{
    const bool is_ours = record->owner == owner || record->owner == 0;
    return record->due_s <= now_s - (is_ours ? 0 : RETRY_TAKEOVER_S);
}
