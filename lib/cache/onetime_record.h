/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * onetime_record: what the cache keeps of a one-time sender class (mail/onetime.h), and when that
 * answers for an address of the class. Pure. A class only ever answers `valid`: an `invalid` is
 * never shared, it only ends the trust in a list.
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
        10, /* of so many senders of a believed list, one is asked about all the same */
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
 * (ONETIME_RECORD_SIZE_MAX always does) or a field is out of range. Decode: false when the octets
 * are no record of a class; *record is then zeroed.
 */
size_t onetime_record_encode(const struct onetime_record *record, uint8_t *out, size_t size);
bool onetime_record_decode(const uint8_t *in, size_t len, struct onetime_record *record);

/*
 * Takes note of what a mail host said, at now_s, of an address of the class. An answer that came
 * from this record or from the cache must not be noted: the record would then lengthen its own
 * life. `valid` adds to the count, `invalid` sets it to 0, `unknown` changes nothing. `invalid` is
 * to be noted for ONETIME_VERP alone: of BATV and SRS it tells of one tag, not of the mailbox.
 */
void onetime_record_note(struct onetime_record *record, enum rb_verdict verdict, int64_t now_s);

/*
 * Whether the class answers `valid` for the address of that canonical key. BATV and SRS: when
 * valid_s is younger than valid_refresh_s. VERP: when besides valids is ONETIME_ENOUGH at least,
 * invalid_s is older than domain_ttl_s, and the address is not of the sample. Whether it is of the
 * sample follows from address_key alone, so that every process, and every attempt of a client,
 * finds the same. A stamp in the future counts as of now.
 */
bool onetime_record_answers(const struct onetime_record *record, enum onetime_kind kind,
                            const char *address_key, const struct rb_lifetimes *lifetimes,
                            int64_t now_s);

/*
 * Of two records of one class, made by two processes: takes the newer stamps, and of `valids` the
 * one that stands with the newer invalid_s, since the other may count senders from before it. Where
 * invalid_s is the same, takes the greater `valids`, and not their sum, since both processes may
 * have counted the same sender. Hence `valids` may miss senders but counts none twice, in whatever
 * order and however often records are merged.
 */
void onetime_record_merge(struct onetime_record *into, const struct onetime_record *news);

#endif
