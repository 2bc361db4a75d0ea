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
    WORD_SIZE = 8,
    BLOCK_SIZE = 2 * WORD_SIZE,
    MARK = 0x80, /* what a first octet has over its letter */
};

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15) /* odd: multiplying loses nothing */

static uint64_t load_word(const uint8_t *octets)
{
    uint64_t word;
    memcpy(&word, octets, sizeof word);
    return le64toh(word);
}

/* Can be undone, so that two sums that differ go on to differ. */
static uint64_t mix(uint64_t sum, uint64_t word)
{
    const uint64_t product = (sum ^ word) * MULTIPLIER;
    return product << 29 | product >> 35;
}

/*
 * Two sums side by side, of even and of odd words, for each must wait for its own multiplication.
 * The last block ends both, though octets of it may have been taken already: that is cheaper than
 * to take what is left over octet by octet.
 */
uint32_t codec_checksum(const uint8_t *octets, size_t len)
{
    const uint8_t *end = octets + len;
    uint64_t even = len;
    uint64_t odd = ~even;
    if (len < BLOCK_SIZE) {
        for (; octets < end; octets++)
            even = mix(even, *octets);
        return (uint32_t)(even ^ even >> 32);
    }
    for (; end - octets >= BLOCK_SIZE; octets += BLOCK_SIZE) {
        even = mix(even, load_word(octets));
        odd = mix(odd, load_word(octets + WORD_SIZE));
    }
    even = mix(even, load_word(end - BLOCK_SIZE));
    odd = mix(odd, load_word(end - WORD_SIZE));
    even = mix(even, odd);
    return (uint32_t)(even ^ even >> 32);
}

void codec_open_sink(struct codec_sink *sink, uint8_t *out, size_t size, char kind)
{
    sink->start = out;
    sink->at = out;
    sink->end = out + size;
    sink->failed = false;
    codec_put_octet(sink, MARK | (unsigned)kind);
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
        in[0] != (MARK | (unsigned)kind))
        return false;
    const size_t body = len - CHECKSUM_SIZE;
    uint32_t sum = 0;
    for (unsigned i = 0; i < CHECKSUM_SIZE; i++)
        sum |= (uint32_t)in[body + i] << (8 * i);
    if (sum != codec_checksum(in, body))
        return false;
    *source = (struct codec_source){.at = in + 1, .end = in + body};
    return true;
}

unsigned codec_get_octet(struct codec_source *source)
{
    if (!source->failed && source->at < source->end)
        return *source->at++;
    source->failed = true;
    return 0;
}

uint64_t codec_get_number(struct codec_source *source, unsigned size, uint64_t max)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)codec_get_octet(source) << (8 * i);
    if (value > max)
        source->failed = true;
    return source->failed ? 0 : value;
}

uint64_t codec_get_varint(struct codec_source *source, uint64_t max)
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

size_t codec_get_text(struct codec_source *source, char *text, size_t size, size_t used)
{
    const size_t len = (size_t)codec_get_varint(source, size - used - 1);
    char *to = text + used;
    *to = '\0';
    if (source->failed || len > (size_t)(source->end - source->at) ||
        !text_is_clean((const char *)source->at, len)) {
        source->failed = true;
        return used;
    }
    memcpy(to, source->at, len);
    to[len] = '\0';
    source->at += len;
    return used + len;
}

bool codec_is_done(const struct codec_source *source)
{
    return !source->failed && source->at == source->end;
}
