/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verb_record: the codec of what is known of a host's verbs, and how long that counts. Must not read
 * a clock or a store. What is decoded may be damaged or made by an enemy.
 *
 * Layout, in the terms of codec.h: 'v'+0x80 unreachable:stamp count, and for each of so many verbs
 * state stamp noes:varint; checksum:4. A new layout gets a new first octet; an older program then
 * takes the record for none.
 */
#include "config.h"

#include "cache/verb_record.h"

#include "cache/codec.h"

#include <assert.h>

static const char KIND_VERB = 'v';

enum { REFRESH_S = 86400 };

/* Whether all its fields are what note makes. */
static bool is_sound(const struct verb_fact *fact)
{
    switch (fact->state) {
    case VERB_NOT_KNOWN:
        return fact->stamp_s == 0 && fact->noes == 0;
    case VERB_YES:
        return fact->stamp_s > 0 && fact->noes == 0;
    case VERB_NO:
        return fact->stamp_s > 0 && fact->noes > 0 && fact->noes <= VERB_RECORD_NOES_MAX;
    }
    return false;
}

size_t verb_record_encode(const struct verb_record *record, uint8_t *out, size_t size)
{
    struct codec_sink sink;

    codec_open_sink(&sink, out, size, KIND_VERB);
    codec_put_stamp(&sink, record->unreachable_s);
    codec_put_octet(&sink, VERB_RECORD_VERBS);
    for (unsigned i = 0; i < VERB_RECORD_VERBS; i++) {
        const struct verb_fact *fact = &record->verbs[i];

        if (!is_sound(fact))
            return 0;
        codec_put_octet(&sink, fact->state);
        codec_put_stamp(&sink, fact->stamp_s);
        codec_put_varint(&sink, fact->noes);
    }
    return codec_put_end(&sink);
}

/* False: it is none. */
static bool get_fact(struct codec_source *source, struct verb_fact *fact)
{
    fact->state = (enum verb_state)codec_get_octet(source);
    fact->stamp_s = codec_get_stamp(source);
    fact->noes = (unsigned)codec_get_varint(source, VERB_RECORD_NOES_MAX);
    return is_sound(fact);
}

bool verb_record_decode(const uint8_t *in, size_t len, struct verb_record *record)
{
    struct codec_source source;
    bool is_good;

    *record = (struct verb_record){0};
    if (!codec_open_source(&source, in, len, KIND_VERB))
        return false;
    record->unreachable_s = codec_get_stamp(&source);
    is_good = codec_get_octet(&source) == VERB_RECORD_VERBS;
    for (unsigned i = 0; i < VERB_RECORD_VERBS && is_good; i++)
        is_good = get_fact(&source, &record->verbs[i]);
    if (is_good && codec_is_done(&source))
        return true;
    *record = (struct verb_record){0};
    return false;
}

/* A clock that cannot be right leaves no trace: its stamp could be neither kept nor compared. */
static bool is_moment(int64_t now_s)
{
    return now_s > 0 && now_s <= CODEC_STAMP_MAX;
}

static bool note_yes(struct verb_fact *fact, int64_t now_s)
{
    if (fact->state == VERB_YES && fact->stamp_s <= now_s && now_s - fact->stamp_s < REFRESH_S)
        return false;
    *fact = (struct verb_fact){.state = VERB_YES, .stamp_s = now_s};
    return true;
}

static bool note_no(struct verb_fact *fact, int64_t now_s)
{
    const unsigned noes = fact->state == VERB_NO ? fact->noes : 0;

    if (fact->state == VERB_NO && verb_fact_until_s(fact, now_s) > now_s)
        return false;
    *fact = (struct verb_fact){
        .state = VERB_NO, .stamp_s = now_s, .noes = noes < VERB_RECORD_NOES_MAX ? noes + 1 : noes};
    return true;
}

bool verb_record_note(struct verb_record *record, unsigned verb, bool knows, int64_t now_s)
{
    const bool was_unreachable = record->unreachable_s != 0;
    struct verb_fact *fact;

    assert(verb >= 1 && verb <= VERB_RECORD_VERBS);
    if (!is_moment(now_s))
        return false;
    fact = &record->verbs[verb - 1];
    record->unreachable_s = 0;
    return (knows ? note_yes(fact, now_s) : note_no(fact, now_s)) || was_unreachable;
}

bool verb_record_note_unreachable(struct verb_record *record, int64_t now_s)
{
    if (!is_moment(now_s))
        return false;
    record->unreachable_s = now_s;
    return true;
}

static int64_t lifetime_s(const struct verb_fact *fact)
{
    int64_t ttl_s = VERB_RECORD_NO_FIRST_S;

    if (fact->state == VERB_YES)
        return VERB_RECORD_YES_S;
    for (unsigned i = 1; i < fact->noes; i++)
        ttl_s *= 2;
    return ttl_s < VERB_RECORD_NO_MAX_S ? ttl_s : VERB_RECORD_NO_MAX_S;
}

/* 0 where that is over, or has not begun. */
static int64_t until_s(int64_t stamp_s, int64_t ttl_s, int64_t now_s)
{
    return stamp_s != 0 && stamp_s <= now_s && now_s - stamp_s < ttl_s ? stamp_s + ttl_s : 0;
}

int64_t verb_fact_until_s(const struct verb_fact *fact, int64_t now_s)
{
    return fact->state == VERB_NOT_KNOWN ? 0 : until_s(fact->stamp_s, lifetime_s(fact), now_s);
}

int64_t verb_record_unreachable_until_s(const struct verb_record *record, int64_t now_s)
{
    return until_s(record->unreachable_s, VERB_RECORD_UNREACHABLE_S, now_s);
}

int64_t verb_record_stamp_s(const struct verb_record *record)
{
    int64_t newest_s = record->unreachable_s;

    for (unsigned i = 0; i < VERB_RECORD_VERBS; i++)
        if (record->verbs[i].stamp_s > newest_s)
            newest_s = record->verbs[i].stamp_s;
    return newest_s;
}

/* How often it was a no is remembered for as long again. */
bool verb_record_is_expired(const struct verb_record *record, int64_t now_s)
{
    bool is_over = verb_record_unreachable_until_s(record, now_s) == 0;

    for (unsigned i = 0; i < VERB_RECORD_VERBS; i++) {
        const struct verb_fact *fact = &record->verbs[i];
        const int64_t kept_s = lifetime_s(fact) + VERB_RECORD_NO_MAX_S;

        if (fact->state == VERB_NO ? now_s - fact->stamp_s < kept_s
                                   : verb_fact_until_s(fact, now_s) != 0)
            is_over = false;
    }
    return is_over;
}
