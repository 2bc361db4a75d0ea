/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: the bounded cursors that cache records are written and read with. Pure. A record is one
 * octet that says what it is, a body, and a checksum. Little-endian; "varint": seven bits an octet,
 * low ones first; "text": varint length, octets. The first octet is a small letter with the top bit
 * set; the capital ones were an older layout's, and are no records.
 *
 * A cursor's error is sticky: what follows it does nothing, and is looked at once, at the end.
 */
#ifndef RB_CACHE_CODEC_H
#define RB_CACHE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
};

/* Begins a record of that kind, a small letter, in out, which must outlive the sink. */
void codec_open_sink(struct codec_sink *sink, uint8_t *out, size_t size, char kind);

/* What does not fit, or could not be read again, fails the sink. */
void codec_put_octets(struct codec_sink *sink, const void *octets, size_t len);
void codec_put_octet(struct codec_sink *sink, unsigned value);
void codec_put_varint(struct codec_sink *sink, uint64_t value);
void codec_put_stamp(struct codec_sink *sink, int64_t stamp_s); /* 0 to CODEC_STAMP_MAX */

/* In just so many octets, at most 8. */
void codec_put_number(struct codec_sink *sink, uint64_t value, unsigned size);

/* size: of the array that holds text. Control characters would only be refused when decoding. */
void codec_put_text(struct codec_sink *sink, const char *text, size_t size);

/* Adds the checksum. Returns the length of it all, 0 when something did not fit. */
size_t codec_put_end(struct codec_sink *sink);

/* The checksum of a record's octets before it. */
uint32_t codec_checksum(const uint8_t *octets, size_t len);

/*
 * False when the octets are no record of that kind, or the checksum is wrong. What remains for the
 * source is the body, within in, which must outlive it.
 */
bool codec_open_source(struct codec_source *source, const uint8_t *in, size_t len, char kind);

/* Each: 0, and the source has failed, where too little is left or the number is over max. */
unsigned codec_get_octet(struct codec_source *source);
uint64_t codec_get_number(struct codec_source *source, unsigned size, uint64_t max);
uint64_t codec_get_varint(struct codec_source *source, uint64_t max);
int64_t codec_get_stamp(struct codec_source *source);

/*
 * Appends to text, an array of size octets that already holds `used` of them, and ends it with a
 * NUL. Returns the length of text. What is too long, or has control characters in it, fails the
 * source.
 */
size_t codec_get_text(struct codec_source *source, char *text, size_t size, size_t used);

/* True when all was read and nothing failed. */
bool codec_is_done(const struct codec_source *source);

#endif
