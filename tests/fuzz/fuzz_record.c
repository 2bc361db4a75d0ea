/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The codec of cache records, merging and lifetimes. Two kinds of input:
 *
 *   octets  a record without its checksum, first octet over 127: is given the right checksum
 *   text    "A|reason|stage|stamp|code|port|wait|tried|from known|enhanced|reply|mx|ip|tls|from|
 *           rule|denied"
 *           "D|state|stamp|state|stamp|state|stamp|reason", "H|reason|failures|trips|held|stamp",
 *           "R|reason|tries|first|due|wait|owner|host":
 *           the fields of a record. It is encoded, and then decoded with each of its octets changed
 *           in turn under a right checksum, so that the corpus is text and records are tried anew
 *           in every layout.
 *
 * What decodes must encode, and decode to the same.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "cache/codec.h"
#include "cache/record.h"
#include "cache/retry_record.h"
#include "cache/verb_record.h"
#include "base/text.h"

const char fuzz_name[] = "record";

enum { CHECKSUM_SIZE = 4, OTHER_CASE = 0x20, FIELDS_MAX = 17, FIELD_SIZE = 1024 };

static const int64_t YEAR_S = INT64_C(31536000);

/* --- What must hold ------------------------------------------------------- */

static bool same_address(const struct address_record *a, const struct address_record *b)
{
    return a->reason == b->reason && a->stage == b->stage && a->stamp_s == b->stamp_s &&
           a->tried_s == b->tried_s && a->denied_s == b->denied_s && a->code == b->code &&
           a->wait_s == b->wait_s && a->port == b->port &&
           a->mail_from_known == b->mail_from_known && strcmp(a->enhanced, b->enhanced) == 0 &&
           strcmp(a->reply, b->reply) == 0 && strcmp(a->mx, b->mx) == 0 &&
           strcmp(a->ip, b->ip) == 0 && strcmp(a->tls, b->tls) == 0 &&
           strcmp(a->mail_from, b->mail_from) == 0 && strcmp(a->rule, b->rule) == 0;
}

static bool same_fact(const struct fact *a, const struct fact *b)
{
    return a->state == b->state && a->stamp_s == b->stamp_s;
}

static bool same_domain(const struct domain_record *a, const struct domain_record *b)
{
    return same_fact(&a->catch_all, &b->catch_all) && same_fact(&a->dead, &b->dead) &&
           same_fact(&a->null_sender_refused, &b->null_sender_refused) &&
           a->dead_reason == b->dead_reason;
}

static bool same_host(const struct host_record *a, const struct host_record *b)
{
    return a->failures == b->failures && a->trips == b->trips && a->reason == b->reason &&
           a->held_until_s == b->held_until_s && a->stamp_s == b->stamp_s;
}

static bool same_retry(const struct retry_record *a, const struct retry_record *b)
{
    return a->reason == b->reason && a->tries == b->tries && a->first_s == b->first_s &&
           a->due_s == b->due_s && a->wait_s == b->wait_s && a->owner == b->owner &&
           strcmp(a->host, b->host) == 0;
}

/* As time goes by a record only gets older, and never has a negative time left. */
static void check_ageing(const struct address_record *record, const struct rb_lifetimes *lifetimes)
{
    static const int64_t steps[] = {
        -1, 0, 1, 299, 301, 86400, 2 * INT64_C(31536000), INT64_C(1) << 50};
    enum freshness before = RECORD_FRESH;
    int64_t left_before_s = INT64_MAX;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int64_t left_s = -1;
        enum freshness now =
            address_record_freshness(record, lifetimes, record->stamp_s + steps[i], &left_s);

        HOLDS(left_s >= 0 && left_s <= left_before_s);
        HOLDS((now == RECORD_EXPIRED) == (left_s == 0));
        HOLDS(before != RECORD_EXPIRED || now == RECORD_EXPIRED);
        if (record->tried_s == 0)
            HOLDS(now <= before);
        before = now;
        left_before_s = left_s;
    }
    HOLDS(before == RECORD_EXPIRED);
}

/* Merges with one of another time; the order must not matter, and no verdict may be lost. */
static void check_merging(const struct address_record *record, enum rb_reason reason,
                          int64_t later_s, const struct rb_lifetimes *lifetimes)
{
    struct address_record other = {.reason = reason, .stamp_s = record->stamp_s + later_s};
    struct address_record one = *record, two = other, again;

    address_record_merge(&one, &other, lifetimes);
    address_record_merge(&two, record, lifetimes);
    HOLDS(same_address(&one, &two));
    again = one;
    address_record_merge(&again, &one, lifetimes);
    HOLDS(same_address(&one, &again));
    if (rb_reason_verdict(record->reason) != RB_VERDICT_UNKNOWN &&
        address_record_freshness(record, lifetimes, other.stamp_s, NULL) != RECORD_EXPIRED)
        HOLDS(rb_reason_verdict(one.reason) != RB_VERDICT_UNKNOWN);
    HOLDS(one.stamp_s == record->stamp_s || one.stamp_s == other.stamp_s);
}

/* What is left of a live valid once a host has said, after_s later, that it does not exist. */
static struct address_record denied(const struct address_record *record, int64_t after_s,
                                    const struct rb_lifetimes *lifetimes)
{
    struct address_record denial = {.reason = RB_REASON_NO_SUCH_USER,
                                    .stamp_s = record->stamp_s + after_s};
    struct address_record left = *record;

    address_record_merge(&left, &denial, lifetimes);
    return left;
}

/* One denial only leaves its trace; it takes a second, RECORD_DENIAL_GAP_S later. */
static void check_denials(const struct address_record *record, const struct rb_lifetimes *lifetimes)
{
    static const int64_t first_s = 60, second_s = 60 + RECORD_DENIAL_GAP_S;
    struct address_record once, early, late, again;

    if (rb_reason_verdict(record->reason) != RB_VERDICT_VALID || record->denied_s != 0 ||
        address_record_freshness(record, lifetimes, record->stamp_s + second_s, NULL) ==
            RECORD_EXPIRED)
        return;
    once = denied(record, first_s, lifetimes);
    HOLDS(once.reason == record->reason && once.stamp_s == record->stamp_s);
    HOLDS(once.denied_s == record->stamp_s + first_s && once.tried_s >= once.denied_s);
    early = denied(&once, second_s - 1, lifetimes);
    HOLDS(early.reason == record->reason && early.denied_s == once.denied_s);
    late = denied(&once, second_s, lifetimes);
    HOLDS(late.reason == RB_REASON_NO_SUCH_USER && late.denied_s == once.denied_s);
    again = late;
    address_record_merge(&again, record, lifetimes); /* as one that was committed meanwhile */
    HOLDS(same_address(&again, &late));
}

static void check_address(const struct address_record *record)
{
    uint8_t octets[RECORD_SIZE_MAX];
    struct address_record again;
    struct rb_options options;
    size_t len = address_record_encode(record, octets, sizeof octets);

    HOLDS(len > 0 && address_record_decode(octets, len, &again) && same_address(record, &again));
    HOLDS(address_record_encode(record, octets, len - 1) == 0);
    rb_options_init(&options);
    check_ageing(record, &options.lifetimes);
    check_merging(record, RB_REASON_TEMPFAIL, 60, &options.lifetimes);
    check_merging(record, RB_REASON_TEMPFAIL, YEAR_S, &options.lifetimes);
    check_merging(record, RB_REASON_NO_SUCH_USER, 60, &options.lifetimes);
    check_merging(record, RB_REASON_ACCEPTED, -60, &options.lifetimes);
    check_merging(record, RB_REASON_UNREACHABLE, -60, &options.lifetimes);
    check_denials(record, &options.lifetimes);
}

static void check_domain(const struct domain_record *record)
{
    uint8_t octets[RECORD_SIZE_MAX];
    struct domain_record again, one = *record, two;
    struct domain_record other = {
        .dead = {.state = FACT_YES, .stamp_s = record->dead.stamp_s + 1},
        .dead_reason = RB_REASON_NULL_MX,
    };
    size_t len = domain_record_encode(record, octets, sizeof octets);

    HOLDS(len > 0 && domain_record_decode(octets, len, &again) && same_domain(record, &again));
    HOLDS(domain_record_encode(record, octets, len - 1) == 0);
    domain_record_merge(&one, &other);
    HOLDS(same_fact(&one.catch_all, &record->catch_all) && same_fact(&one.dead, &other.dead));
    two = one;
    domain_record_merge(&two, record);
    HOLDS(same_domain(&one, &two));
    (void)fact_is_live(&record->catch_all, YEAR_S, 0);
}

static void check_host(const struct host_record *record)
{
    uint8_t octets[RECORD_SIZE_MAX];
    struct host_record again;
    size_t len = host_record_encode(record, octets, sizeof octets);

    HOLDS(len > 0 && host_record_decode(octets, len, &again) && same_host(record, &again));
    HOLDS(host_record_encode(record, octets, len - 1) == 0);
}

/* Whatever stands in it, the schedule moves on, and ends. */
static void check_retry(const struct retry_record *record)
{
    static const struct rb_greylist rules = {
        .retry = true, .first_s = 360, .max_s = 21600, .give_up_s = 86400};
    struct address_record said = {.reason = RB_REASON_TEMPFAIL, .stamp_s = record->first_s};
    uint8_t octets[RECORD_SIZE_MAX];
    struct retry_record again;
    size_t len = retry_record_encode(record, octets, sizeof octets);

    HOLDS(len > 0 && len <= RETRY_RECORD_SIZE_MAX);
    HOLDS(retry_record_decode(octets, len, &again) && same_retry(record, &again));
    HOLDS(retry_record_encode(record, octets, len - 1) == 0);
    again.tries = 0;
    for (unsigned n = 1; retry_record_defer(&again, &said, &rules); n++) {
        HOLDS(again.due_s > said.stamp_s && again.tries == n && n < 20);
        HOLDS(!retry_record_is_due(&again, again.owner, said.stamp_s));
        HOLDS(retry_record_is_due(&again, again.owner, again.due_s));
        said.stamp_s = again.due_s;
    }
}

static void check_verb(const struct verb_record *record)
{
    uint8_t octets[RECORD_SIZE_MAX];
    struct verb_record again;
    size_t len = verb_record_encode(record, octets, sizeof octets);

    HOLDS(len > 0 && len <= VERB_RECORD_SIZE_MAX && verb_record_decode(octets, len, &again));
    HOLDS(verb_record_encode(record, octets, len - 1) == 0);
    for (unsigned verb = 1; verb <= VERB_RECORD_VERBS; verb++) {
        const int64_t stamp_s = again.verbs[verb - 1].stamp_s;

        HOLDS(verb_fact_until_s(&again.verbs[verb - 1], stamp_s) <= stamp_s + VERB_RECORD_NO_MAX_S);
        (void)verb_record_note(&again, verb, false, stamp_s);
        HOLDS(verb_record_encode(&again, octets, sizeof octets) > 0);
    }
    (void)verb_record_is_expired(record, 0);
    (void)verb_record_is_expired(record, INT64_MAX);
}

/* --- Octets --------------------------------------------------------------- */

/* At most one decoder takes a record for its own. */
static void check_octets(const uint8_t *octets, size_t len)
{
    static const struct address_record no_address;
    struct address_record address;
    struct domain_record domain;
    struct host_record host;
    struct retry_record retry;
    struct verb_record verb;
    bool is_address = address_record_decode(octets, len, &address);
    bool is_domain = domain_record_decode(octets, len, &domain);
    bool is_host = host_record_decode(octets, len, &host);
    bool is_retry = retry_record_decode(octets, len, &retry);
    bool is_verb = verb_record_decode(octets, len, &verb);

    HOLDS(is_address + is_domain + is_host + is_retry + is_verb <= 1);
    if (is_address)
        check_address(&address);
    else
        HOLDS(same_address(&address, &no_address));
    if (is_domain)
        check_domain(&domain);
    if (is_host)
        check_host(&host);
    if (is_retry)
        check_retry(&retry);
    if (is_verb)
        check_verb(&verb);
}

/*
 * Under a right checksum, which a fuzzer cannot guess: as it stands, and with the first octet's
 * letter in the other case, for one of the two is no record.
 */
static void check_body(const uint8_t *body, size_t len)
{
    uint8_t octets[RECORD_SIZE_MAX + 1];

    if (len + CHECKSUM_SIZE > sizeof octets)
        len = sizeof octets - CHECKSUM_SIZE;
    memcpy(octets, body, len);
    for (unsigned kind = 0; kind < 2 && len > 0; kind++) {
        const uint32_t sum = codec_checksum(octets, len);
        for (size_t i = 0; i < CHECKSUM_SIZE; i++)
            octets[len + i] = (uint8_t)(sum >> (8 * i));
        check_octets(octets, len + CHECKSUM_SIZE);
        octets[0] ^= OTHER_CASE;
    }
}

/* A good record with each octet changed, and cut off behind each. */
static void check_neighbours(uint8_t *octets, size_t len)
{
    len -= CHECKSUM_SIZE;
    for (size_t i = 0; i < len; i++) {
        octets[i] ^= (uint8_t)(1U << (i % 8));
        check_body(octets, len);
        octets[i] ^= (uint8_t)(1U << (i % 8));
        check_body(octets, i);
    }
}

/* --- Text ----------------------------------------------------------------- */

struct fields {
    char text[FIELDS_MAX][FIELD_SIZE];
};

static void split_fields(const uint8_t *data, size_t size, struct fields *fields)
{
    size_t n = 0, len = 0;

    memset(fields, 0, sizeof *fields);
    for (size_t i = 0; i < size && n < FIELDS_MAX && data[i] != '\n'; i++) {
        if (data[i] == '|') {
            n++;
            len = 0;
        } else if (len < FIELD_SIZE - 1) {
            fields->text[n][len++] = (char)data[i];
        }
    }
}

static int64_t number(const struct fields *fields, size_t n)
{
    return strtoll(fields->text[n], NULL, 10);
}

static enum rb_reason reason_of(const struct fields *fields, size_t n)
{
    return rb_reason_from_name(fields->text[n]);
}

static size_t encode_address(const struct fields *fields, uint8_t *octets, size_t size)
{
    struct address_record record = {
        .reason = reason_of(fields, 1),
        .stage = (enum rb_stage)(number(fields, 2) & 0xff),
        .stamp_s = number(fields, 3),
        .code = (int)(number(fields, 4) % 1000),
        .port = (uint16_t)(number(fields, 5) & 0xffff),
        .wait_s = (int)(number(fields, 6) & INT32_MAX),
        .tried_s = number(fields, 7),
        .mail_from_known = fields->text[8][0] == 'y',
        .denied_s = number(fields, 16),
    };

    (void)text_copy(record.enhanced, sizeof record.enhanced, fields->text[9]);
    (void)text_copy(record.reply, sizeof record.reply, fields->text[10]);
    (void)text_copy(record.mx, sizeof record.mx, fields->text[11]);
    (void)text_copy(record.ip, sizeof record.ip, fields->text[12]);
    (void)text_copy(record.tls, sizeof record.tls, fields->text[13]);
    (void)text_copy(record.mail_from, sizeof record.mail_from, fields->text[14]);
    (void)text_copy(record.rule, sizeof record.rule, fields->text[15]);
    size = address_record_encode(&record, octets, size);
    if (size > 0)
        check_address(&record);
    return size;
}

static struct fact fact_of(const struct fields *fields, size_t n)
{
    struct fact fact = {.state = (enum fact_state)(number(fields, n) & 3),
                        .stamp_s = number(fields, n + 1)};

    if (fact.state == FACT_UNKNOWN)
        fact.stamp_s = 0; /* what is not known has no stamp */
    return fact;
}

static size_t encode_domain(const struct fields *fields, uint8_t *octets, size_t size)
{
    struct domain_record record = {
        .catch_all = fact_of(fields, 1),
        .null_sender_refused = fact_of(fields, 3),
        .dead = fact_of(fields, 5),
        .dead_reason = reason_of(fields, 7),
    };

    size = domain_record_encode(&record, octets, size);
    if (size > 0)
        check_domain(&record);
    return size;
}

static size_t encode_host(const struct fields *fields, uint8_t *octets, size_t size)
{
    struct host_record record = {
        .reason = reason_of(fields, 1),
        .failures = (unsigned)number(fields, 2),
        .trips = (unsigned)number(fields, 3),
        .held_until_s = number(fields, 4),
        .stamp_s = number(fields, 5),
    };

    size = host_record_encode(&record, octets, size);
    if (size > 0)
        check_host(&record);
    return size;
}

static size_t encode_retry(const struct fields *fields, uint8_t *octets, size_t size)
{
    struct retry_record record = {
        .reason = reason_of(fields, 1),
        .tries = (unsigned)number(fields, 2),
        .first_s = number(fields, 3),
        .due_s = number(fields, 4),
        .wait_s = number(fields, 5),
        .owner = (uint64_t)number(fields, 6),
    };

    (void)text_copy(record.host, sizeof record.host, fields->text[7]);
    size = retry_record_encode(&record, octets, size);
    if (size > 0)
        check_retry(&record);
    return size;
}

static void try_text(const uint8_t *data, size_t size)
{
    static struct fields fields;
    uint8_t octets[RECORD_SIZE_MAX];
    size_t len = 0;

    split_fields(data, size, &fields);
    if (data[0] == 'A')
        len = encode_address(&fields, octets, sizeof octets);
    else if (data[0] == 'D')
        len = encode_domain(&fields, octets, sizeof octets);
    else if (data[0] == 'H')
        len = encode_host(&fields, octets, sizeof octets);
    else if (data[0] == 'R')
        len = encode_retry(&fields, octets, sizeof octets);
    if (len == 0)
        return; /* something was out of range */
    check_octets(octets, len);
    check_neighbours(octets, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_octets(data, size);
    if (size > 0 && (data[0] & 0x80) != 0)
        check_body(data, size);
    else if (size > 0)
        try_text(data, size);
    return 0;
}
