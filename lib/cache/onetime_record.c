/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * onetime_record: the codec of a one-time sender class's record, and when it is believed. Must not
 * read a clock or a store. What is decoded may be damaged or made by an enemy.
 *
 * Layout, in the terms of codec.h: 'f'+0x80 valids:varint valid:varint invalid:varint checksum:4. A
 * new layout gets a new first octet; an older program then takes the record for none.
 */
#include "config.h"

#include "cache/onetime_record.h"

#include "cache/codec.h"

static const char KIND_ONETIME = 'f';

static bool is_stamp(int64_t stamp_s)
{
    return stamp_s >= 0 && stamp_s <= CODEC_STAMP_MAX;
}

size_t onetime_record_encode(const struct onetime_record *record, uint8_t *out, size_t size)
{
    struct codec_sink sink;
    if (record->valids > ONETIME_VALIDS_MAX)
        return 0;
    codec_open_sink(&sink, out, size, KIND_ONETIME);
    codec_put_varint(&sink, record->valids);
    codec_put_stamp(&sink, record->valid_s);
    codec_put_stamp(&sink, record->invalid_s);
    return codec_put_end(&sink);
}

bool onetime_record_decode(const uint8_t *in, size_t len, struct onetime_record *record)
{
    struct codec_source source;
    *record = (struct onetime_record){0};
    if (!codec_open_source(&source, in, len, KIND_ONETIME))
        return false;
    record->valids = (unsigned)codec_get_varint(&source, ONETIME_VALIDS_MAX);
    record->valid_s = codec_get_stamp(&source);
    record->invalid_s = codec_get_stamp(&source);
    if (codec_is_done(&source))
        return true;
    *record = (struct onetime_record){0};
    return false;
}

/* A clock that cannot be right leaves no trace: its stamp could be neither kept nor compared. */
void onetime_record_note(struct onetime_record *record, enum rb_verdict verdict, int64_t now_s)
{
    if (now_s == 0 || !is_stamp(now_s))
        return;
    if (verdict == RB_VERDICT_VALID) {
        record->valid_s = now_s;
        if (record->valids < ONETIME_VALIDS_MAX)
            record->valids++;
    } else if (verdict == RB_VERDICT_INVALID) {
        record->invalid_s = now_s;
        record->valids = 0;
    }
}

static bool is_younger(int64_t stamp_s, int64_t ttl_s, int64_t now_s)
{
    if (stamp_s == 0 || ttl_s <= 0)
        return false;
    return stamp_s >= now_s || (uint64_t)now_s - (uint64_t)stamp_s < (uint64_t)ttl_s;
}

/*
 * FNV-1a and a last stirring, for its low bits alone are poor. Without a secret: who avoids the
 * sample gains what he had before, a list that others found good.
 */
static bool is_of_sample(const char *address_key)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *c = address_key; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    return hash % ONETIME_SAMPLE == 0;
}

bool onetime_record_answers(const struct onetime_record *record, enum onetime_kind kind,
                            const char *address_key, const struct rb_lifetimes *lifetimes,
                            int64_t now_s)
{
    if (!is_younger(record->valid_s, lifetimes->valid_refresh_s, now_s))
        return false;
    switch (kind) {
    case ONETIME_BATV:
    case ONETIME_SRS:
        return true;
    case ONETIME_VERP:
        return record->valids >= ONETIME_ENOUGH &&
               !is_younger(record->invalid_s, lifetimes->domain_ttl_s, now_s) &&
               !is_of_sample(address_key);
    default:
        return false;
    }
}

static int64_t newer(int64_t a_s, int64_t b_s)
{
    return a_s > b_s ? a_s : b_s;
}

void onetime_record_merge(struct onetime_record *into, const struct onetime_record *news)
{
    if (news->invalid_s > into->invalid_s ||
        (news->invalid_s == into->invalid_s && news->valids > into->valids))
        into->valids = news->valids;
    into->valid_s = newer(into->valid_s, news->valid_s);
    into->invalid_s = newer(into->invalid_s, news->invalid_s);
}
