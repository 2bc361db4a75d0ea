/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: the bounded cursors that cache records are written and read with. Pure. A record is one
 * octet that says what it is and which checksum it has, a body, and the checksum. Little-endian;
 * "varint": seven bits an octet, low ones first; "text": varint length, octets.
 *
 * The first octet is a letter with the top bit set: a capital one with the first checksum, octet by
 * octet, which is still read; a small one with today's, eight octets at a time, which is written.
 *
 * A cursor's error is sticky: what follows it does nothing, and is looked at once, at the end.
 * Records are read for every mail and written once, so the short ways of reading are inline.
 */
#ifndef RB_CACHE_CODEC_H
#define RB_CACHE_CODEC_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { CODEC_SIZE_MAX = 2048 }; /* of a record */

/* In seconds since 1970: far beyond any real clock, far from overflow. */
#define CODEC_STAMP_MAX (INT64_C(1) << 40)

struct codec_sink {
    uint8_t *start, *at, *end;
    bool failed;
};

struct codec_source {
    const uint8_t *at, *end;
    bool failed;
    bool fixed; /* of today's: numbers have the size that codec_get_number is told */
};

/* Begins a record of that kind, a capital letter, in out, which must outlive the sink. */
void codec_open_sink(struct codec_sink *sink, uint8_t *out, size_t size, char kind);

/* What does not fit, or could not be read again, fails the sink. */
void codec_put_octets(struct codec_sink *sink, const void *octets, size_t len);
void codec_put_octet(struct codec_sink *sink, unsigned value);
void codec_put_varint(struct codec_sink *sink, uint64_t value);
void codec_put_stamp(struct codec_sink *sink, int64_t stamp_s); /* 0 to CODEC_STAMP_MAX */

/* In just so many octets, at most 8: sooner read than a varint, for what is in every record. */
void codec_put_number(struct codec_sink *sink, uint64_t value, unsigned size);

/* size: of the array that holds text. Control characters would only be refused when decoding. */
void codec_put_text(struct codec_sink *sink, const char *text, size_t size);

/* Adds the checksum. Returns the length of it all, 0 when something did not fit. */
size_t codec_put_end(struct codec_sink *sink);

/* The checksum of a record's octets before it, by the first of them. */
uint32_t codec_checksum(const uint8_t *octets, size_t len);

/*
 * False when the octets are no record of that kind, or the checksum is wrong. What remains for the
 * source is the body, within in, which must outlive it.
 */
bool codec_open_source(struct codec_source *source, const uint8_t *in, size_t len, char kind);

/* codec_get_number near the end, or in a record with the first checksum: there it is a varint. */
uint64_t codec_get_rare_number(struct codec_source *source, unsigned size, uint64_t max);

/* codec_get_varint of any length. */
uint64_t codec_get_long_varint(struct codec_source *source, uint64_t max);

/* 0, and the source has failed, where nothing is left or the number is over max. */
static inline uint64_t codec_get_varint(struct codec_source *source, uint64_t max)
{
    if (source->at < source->end && *source->at < 0x80 && *source->at <= max && !source->failed)
        return *source->at++;
    return codec_get_long_varint(source, max);
}

static inline unsigned codec_get_octet(struct codec_source *source)
{
    if (!source->failed && source->at < source->end)
        return *source->at++;
    source->failed = true;
    return 0;
}

int64_t codec_get_stamp(struct codec_source *source);

static inline uint64_t codec_get_number(struct codec_source *source, unsigned size, uint64_t max)
{
    uint64_t word;
    if (!source->fixed || source->failed || source->end - source->at < (ptrdiff_t)sizeof word)
        return codec_get_rare_number(source, size, max);
    memcpy(&word, source->at, sizeof word);
    word = le64toh(word) & (UINT64_MAX >> (64 - 8 * size));
    source->at += size;
    source->failed = word > max;
    return word <= max ? word : 0;
}

/*
 * Appends to text, an array of size octets that already holds `used` of them, and ends it with a
 * NUL; what is behind that in the array stays as it is. Returns the length of text.
 */
size_t codec_get_long_text(struct codec_source *source, char *text, size_t size, size_t used);

static inline size_t codec_get_text(struct codec_source *source, char *text, size_t size,
                                    size_t used)
{
    if (source->failed || source->at >= source->end || *source->at != 0)
        return codec_get_long_text(source, text, size, used);
    source->at++; /* many are empty */
    text[used] = '\0';
    return used;
}

/* True when all was read and nothing failed. */
bool codec_is_done(const struct codec_source *source);

#endif
