/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verb_record: what the cache keeps of a host that was asked something beyond SMTP
 * (extension/verbs.h): which verbs it knows, and whether it could be reached at all. Pure. A host
 * that does not know a verb takes it for an error of ours: it is asked again after a day, and less
 * and less often while it stays so.
 */
#ifndef RB_CACHE_VERB_RECORD_H
#define RB_CACHE_VERB_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VERB_RECORD_VERBS = 3,    /* AYTTM, SOURCE, HOSTKEY: by enum verbs_verb, less one */
    VERB_RECORD_NOES_MAX = 6, /* counted so far and no further: 30 days */
    VERB_RECORD_SIZE_MAX = 1 + 6 + 1 + VERB_RECORD_VERBS * (1 + 6 + 1) + 4,
};

enum {
    VERB_RECORD_YES_S = 7 * 86400,
    VERB_RECORD_NO_FIRST_S = 86400,    /* doubled with each further no, */
    VERB_RECORD_NO_MAX_S = 30 * 86400, /* up to this */
    VERB_RECORD_UNREACHABLE_S = 600,
};

enum verb_state { VERB_NOT_KNOWN = 0, VERB_YES, VERB_NO };

/* Stamps are wall-clock seconds since 1970; 0: none. */
struct verb_fact {
    enum verb_state state;
    int64_t stamp_s;
    unsigned noes; /* VERB_NO: in a row, at least 1 */
};

struct verb_record {
    struct verb_fact verbs[VERB_RECORD_VERBS];
    int64_t unreachable_s; /* when it could not be reached; 0: it was, since */
};

/*
 * Encode: returns the number of octets written to out, 0 when size does not suffice
 * (VERB_RECORD_SIZE_MAX always does) or a field is out of range. Decode: false when the octets are
 * no such record; *record is then zeroed.
 */
size_t verb_record_encode(const struct verb_record *record, uint8_t *out, size_t size);
bool verb_record_decode(const uint8_t *in, size_t len, struct verb_record *record);

/*
 * The host was asked and knows the verb, or does not; or it could not be reached. True: the record
 * has changed by it. That it knows a verb is written down once a day; a no that is told while the
 * last one counts lengthens nothing.
 */
bool verb_record_note(struct verb_record *record, unsigned verb, bool knows, int64_t now_s);
bool verb_record_note_unreachable(struct verb_record *record, int64_t now_s);

/* Until when a fact counts, wall clock; 0: it tells nothing. A stamp in the future does not count. */
int64_t verb_fact_until_s(const struct verb_fact *fact, int64_t now_s);

/* Until when the host counts as one that cannot be reached; 0: it does not. */
int64_t verb_record_unreachable_until_s(const struct verb_record *record, int64_t now_s);

/* The newest stamp, and whether nothing of it is worth keeping: not even how many noes there were. */
int64_t verb_record_stamp_s(const struct verb_record *record);
bool verb_record_is_expired(const struct verb_record *record, int64_t now_s);

#endif
