/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * onetime_record: what the cache keeps of a one-time sender class (mail/onetime.h), and when that
 * answers for an address of the class. Pure. A class only ever answers `valid`: an `invalid` is never shared, it only ends the trust in a
 * list.
 */
#ifndef RB_CACHE_ONETIME_RECORD_H
#define RB_CACHE_ONETIME_RECORD_H

#include "ringback.h"

#include "mail/onetime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ONETIME_ENOUGH = 5, /* valid ones before a list is believed */
    ONETIME_SAMPLE =
        10, /* of so many addresses of a believed list, one is asked about all the same */
    ONETIME_VALIDS_MAX = 1000, /* counted so far and no further */
    ONETIME_RECORD_SIZE_MAX = 1 + 2 + 6 + 6 + 4,
};

/* Stamps are wall-clock seconds since 1970; 0: none. */
struct onetime_record {
    unsigned valids; /* since the last invalid one, at most ONETIME_VALIDS_MAX */
    int64_t valid_s;
    int64_t invalid_s;
};

/*
 * Encode: returns the number of octets written to out, 0 when size does not suffice
 * (ONETIME_RECORD_SIZE_MAX always does) or a field is out of range. Decode: false when the octets are
 * no record of a class; *record is then zeroed.
 */
size_t onetime_record_encode(const struct onetime_record *record, uint8_t *out, size_t size);
bool onetime_record_decode(const uint8_t *in, size_t len, struct onetime_record *record);

/*
 * Takes note of what a mail host said, now, of an address of the class. Not of what the class itself
 * or the cache answered: that would lengthen a life by itself. A `valid` counts, an `invalid` sets
 * the count back, an `unknown` changes nothing. An `invalid` is for ONETIME_VERP alone: of BATV and
 * SRS it says something of one tag only, and is not to be noted.
 */
void onetime_record_note(struct onetime_record *record, enum rb_verdict verdict, int64_t now_s);

/*
 * Whether the class answers `valid` for the address of that canonical key. BATV and SRS: when a
 * valid one is younger than valid_refresh_s. VERP: when so is the last valid one, there were
 * ONETIME_ENOUGH since the last invalid one, which is older than domain_ttl_s, and the address is not
 * of the sample. Which addresses are follows from the key alone: every process and every attempt
 * of a client finds the same. A stamp in the future counts as of now.
 */
bool onetime_record_answers(const struct onetime_record *record, enum onetime_kind kind,
                            const char *address_key, const struct rb_lifetimes *lifetimes,
                            int64_t now_s);

/*
 * Of two records of one class, made by two processes: the newer stamps; the count of the one with
 * the newer `invalid`, since the other's may have been before it; the greater count where neither
 * is newer, and not the sum, since both may have counted the same. So it counts too few at times
 * and never too many, whichever comes first and however often. To count exactly, note within the
 * write transaction that read the record.
 */
void onetime_record_merge(struct onetime_record *into, const struct onetime_record *news);

#endif
