/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: writes and reads the parts of cache records; see codec.h. Must not know what a record
 * means. What is read may be damaged or made by an enemy.
 */
#include "config.h"

#include "cache/codec.h"

#include <endian.h>
#include <string.h>

#include "base/text.h"

enum {
    CHECKSUM_SIZE = 4,
    VARINT_SIZE_MAX = 10,
    WORD_SIZE = 8,
    BLOCK_SIZE = 2 * WORD_SIZE,
    MARK = 0x80,  /* what a first octet has over its letter */
    SMALL = 0x20, /* what a small letter has over its capital */
};

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15) /* odd: multiplying loses nothing */

static uint32_t first_checksum(const uint8_t *octets, size_t len)
{
    uint32_t sum = 2166136261U; /* FNV-1a: any one changed octet shows */
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ octets[i]) * 16777619U;
    return sum;
}

static uint64_t load_word(const uint8_t *octets)
{
    uint64_t word;
    memcpy(&word, octets, sizeof word);
    return le64toh(word);
}

/* Can be undone, so that no difference between two sums is lost on the way. */
static uint64_t stir(uint64_t sum, uint64_t word)
{
    const uint64_t product = (sum ^ word) * MULTIPLIER;
    return product << 29 | product >> 35;
}

/*
 * Two sums side by side, for each must wait for its multiplication before the next. What is left
 * over at the end is taken together with octets before it, once more: cheaper than octet by octet.
 */
static uint32_t word_checksum(const uint8_t *octets, size_t len)
{
    const uint8_t *end = octets + len;
    uint64_t even = len;
    uint64_t odd = ~even;
    if (len < BLOCK_SIZE) {
        for (; octets < end; octets++)
            even = stir(even, *octets);
        return (uint32_t)(even ^ even >> 32);
    }
    for (; end - octets >= BLOCK_SIZE; octets += BLOCK_SIZE) {
        even = stir(even, load_word(octets));
        odd = stir(odd, load_word(octets + WORD_SIZE));
    }
    even = stir(even, load_word(end - BLOCK_SIZE));
    odd = stir(odd, load_word(end - WORD_SIZE));
    even = stir(even, odd);
    return (uint32_t)(even ^ even >> 32);
}

uint32_t codec_checksum(const uint8_t *octets, size_t len)
{
    return len > 0 && (octets[0] & SMALL) != 0 ? word_checksum(octets, len)
                                               : first_checksum(octets, len);
}

void codec_open_sink(struct codec_sink *sink, uint8_t *out, size_t size, char kind)
{
    sink->start = out;
    sink->at = out;
    sink->end = out + size;
    sink->failed = false;
    codec_put_octet(sink, MARK | SMALL | (unsigned)kind);
}

void codec_put_octets(struct codec_sink *sink, const void *octets, size_t len)
{
    if (sink->failed || (size_t)(sink->end - sink->at) < len) {
        sink->failed = true;
        return;
    }
    if (len > 0)
        memcpy(sink->at, octets, len);
    sink->at += len;
}

void codec_put_octet(struct codec_sink *sink, unsigned value)
{
    const uint8_t octet = (uint8_t)value;
    codec_put_octets(sink, &octet, 1);
}

void codec_put_varint(struct codec_sink *sink, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        codec_put_octet(sink, 0x80 | (unsigned)(value & 0x7f));
    codec_put_octet(sink, (unsigned)value);
}

void codec_put_stamp(struct codec_sink *sink, int64_t stamp_s)
{
    if (stamp_s < 0 || stamp_s > CODEC_STAMP_MAX) {
        sink->failed = true;
        return;
    }
    codec_put_varint(sink, (uint64_t)stamp_s);
}

void codec_put_number(struct codec_sink *sink, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        codec_put_octet(sink, (unsigned)(value >> (8 * i)) & 0xff);
}

void codec_put_text(struct codec_sink *sink, const char *text, size_t size)
{
    const size_t len = strnlen(text, size);
    if (len == size || !text_is_clean(text, len)) {
        sink->failed = true;
        return;
    }
    codec_put_varint(sink, len);
    codec_put_octets(sink, text, len);
}

size_t codec_put_end(struct codec_sink *sink)
{
    const uint32_t sum = codec_checksum(sink->start, (size_t)(sink->at - sink->start));
    for (unsigned shift = 0; shift < 32; shift += 8)
        codec_put_octet(sink, (sum >> shift) & 0xff);
    return sink->failed ? 0 : (size_t)(sink->at - sink->start);
}

bool codec_open_source(struct codec_source *source, const uint8_t *in, size_t len, char kind)
{
    if (in == NULL || len < 1 + CHECKSUM_SIZE || len > CODEC_SIZE_MAX ||
        (in[0] & ~(unsigned)SMALL) != (MARK | (unsigned)kind))
        return false;
    const size_t body = len - CHECKSUM_SIZE;
    uint32_t sum = 0;
    for (unsigned i = 0; i < CHECKSUM_SIZE; i++)
        sum |= (uint32_t)in[body + i] << (8 * i);
    if (sum != codec_checksum(in, body))
        return false;
    *source = (struct codec_source){.at = in + 1, .end = in + body, .fixed = (in[0] & SMALL) != 0};
    return true;
}

uint64_t codec_get_rare_number(struct codec_source *source, unsigned size, uint64_t max)
{
    uint64_t value = 0;
    if (!source->fixed)
        return codec_get_varint(source, max);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)codec_get_octet(source) << (8 * i);
    if (value > max)
        source->failed = true;
    return source->failed ? 0 : value;
}

uint64_t codec_get_long_varint(struct codec_source *source, uint64_t max)
{
    const uint8_t *at = source->at;
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at < source->end && !source->failed; shift += 7) {
        const uint64_t bits = *at & 0x7f;
        if (shift == 63 && bits > 1)
            break;
        value |= bits << shift;
        if ((*at++ & 0x80) != 0)
            continue;
        if (value > max)
            break;
        source->at = at;
        return value;
    }
    source->failed = true;
    return 0;
}

int64_t codec_get_stamp(struct codec_source *source)
{
    return (int64_t)codec_get_varint(source, (uint64_t)CODEC_STAMP_MAX);
}

static uint64_t copy_word(char *to, const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    memcpy(to, &word, sizeof word);
    return text_controls_in(word);
}

/* The first len octets of a word, spaces after them: as clean as they are. */
static uint64_t only_first(const uint8_t *octets, size_t len)
{
    const uint64_t kept = (UINT64_C(1) << (8 * len)) - 1;
    return (load_word(octets) & kept) | (UINT64_C(0x2020202020202020) & ~kept);
}

/* Copies and looks at what it copies in one go. False: there is a control character. */
static bool copy_clean(char *to, const uint8_t *from, size_t len)
{
    uint64_t found = 0;
    for (size_t at = 0; at < len - WORD_SIZE; at += WORD_SIZE)
        found |= copy_word(to + at, from + at);
    found |= copy_word(to + len - WORD_SIZE, from + len - WORD_SIZE); /* overlaps the one before */
    return found == 0;
}

/* The same for less than a word, where a whole one may be read and written. */
static bool copy_short(char *to, const uint8_t *from, size_t len)
{
    memcpy(to, from, WORD_SIZE);
    return text_controls_in(only_first(from, len)) == 0;
}

/* The same without such room, which is rare. */
static bool copy_bare(char *to, const uint8_t *from, size_t len)
{
    memcpy(to, from, len);
    return text_is_clean(to, len);
}

size_t codec_get_long_text(struct codec_source *source, char *text, size_t size, size_t used)
{
    const size_t len = (size_t)codec_get_varint(source, size - used - 1);
    const size_t left = (size_t)(source->end - source->at);
    char *to = text + used;
    bool clean = false;
    if (!source->failed && len <= left) {
        const bool roomy = left >= WORD_SIZE && size - used >= WORD_SIZE;
        clean = len >= WORD_SIZE ? copy_clean(to, source->at, len)
                : roomy          ? copy_short(to, source->at, len)
                                 : copy_bare(to, source->at, len);
    }
    if (!clean) {
        source->failed = true;
        *to = '\0';
        return used;
    }
    to[len] = '\0';
    source->at += len;
    return used + len;
}

bool codec_is_done(const struct codec_source *source)
{
    return !source->failed && source->at == source->end;
}
