/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record: the versioned codec of what the cache keeps, and the rules of merging and of lifetimes.
 * Pure: no store, no clock, no memory of its own. What is decoded may be damaged or made by an
 * enemy; it is believed only when its checksum is right and every field is in range. RFC 3463
 * (enhanced codes), RFC 5321 4.2 (replies).
 *
 * Layout, version 1, little-endian. "varint": seven bits an octet, low ones first; "text": varint length, octets.
 *
 *   address  'A'+0x80 reason stage flags:varint stamp:varint code:varint [port:varint] [wait:varint] [tried:varint]
 *            [deferred:varint retries:varint] [denied:varint]
 *            enhanced:text reply:text mx:text [ip] [tls:text] mail_from:text rule:text checksum:4
 *   domain   'D'+0x80 states catch_all:varint null_sender:varint dead:varint dead_reason checksum:4
 *   host     'H'+0x80 reason failures:varint trips:varint held_until:varint stamp:varint checksum:4
 *
 * A new layout gets a new first octet; an older program then takes the record for none.
 */
#include "config.h"

#include "record.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

enum {
    MAGIC_ADDRESS = 0x80 | 'A',
    MAGIC_DOMAIN = 0x80 | 'D',
    MAGIC_HOST = 0x80 | 'H',
    CHECKSUM_SIZE = 4,
    VARINT_SIZE_MAX = 10,
    CODE_MAX = 999,
    SMTP_PORT = 25,
    FACT_BITS = 2, /* of a fact's state in a domain record's octet of states */
};

/* Far beyond any real clock, far from overflow. */
static const int64_t STAMP_MAX = INT64_C(1) << 40;

/* How long a 4yz reply is believed at most, unless it asked for more: a greylisted sender comes
 * back soon, and is then to be asked about again. A name server that fails is soon mended, too. */
static const int64_t TEMPORARY_TTL_S = 300;

enum address_flags {
    FLAG_MAIL_FROM_KNOWN = 1 << 0,
    FLAG_WAIT = 1 << 1,
    FLAG_OTHER_PORT = 1 << 2,   /* than 25 */
    FLAG_REPLY_PREFIX = 1 << 3, /* the reply begins with the code and the enhanced code: left out */
    FLAG_IP_V4 = 1 << 4,
    FLAG_IP_V6 = 1 << 5, /* with FLAG_IP_V4: neither, kept as text */
    FLAG_TLS_12 = 1 << 6,
    FLAG_TLS_13 = 1 << 7, /* with FLAG_TLS_12: neither, kept as text */
    FLAG_TRIED = 1 << 8,
    FLAG_DEFERRED = 1 << 9,
    FLAG_DENIED = 1 << 10,
    FLAGS_ALL = (1 << 11) - 1,
};

static const char TLS_12[] = "TLSv1.2";
static const char TLS_13[] = "TLSv1.3";

/* Bounded cursors with a sticky error: checked once, at the end. */
struct sink {
    uint8_t *start, *at, *end;
    bool failed;
};

struct source {
    const uint8_t *at, *end;
    bool failed;
};

static uint32_t checksum(const uint8_t *octets, size_t len)
{
    uint32_t sum = 2166136261U; /* FNV-1a: any one changed octet shows */
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ octets[i]) * 16777619U;
    return sum;
}

static void open_sink(struct sink *sink, uint8_t *out, size_t size)
{
    sink->start = out;
    sink->at = out;
    sink->end = out + size;
    sink->failed = false;
}

static void put_octets(struct sink *sink, const void *octets, size_t len)
{
    if (sink->failed || (size_t)(sink->end - sink->at) < len) {
        sink->failed = true;
        return;
    }
    if (len > 0)
        memcpy(sink->at, octets, len);
    sink->at += len;
}

static void put_octet(struct sink *sink, unsigned value)
{
    const uint8_t octet = (uint8_t)value;
    put_octets(sink, &octet, 1);
}

static void put_varint(struct sink *sink, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_octet(sink, 0x80 | (unsigned)(value & 0x7f));
    put_octet(sink, (unsigned)value);
}

static void put_stamp(struct sink *sink, int64_t stamp_s)
{
    if (stamp_s < 0 || stamp_s > STAMP_MAX) {
        sink->failed = true;
        return;
    }
    put_varint(sink, (uint64_t)stamp_s);
}

/* size: of the array that holds text. Control characters would only be refused when decoding. */
static void put_text(struct sink *sink, const char *text, size_t size)
{
    const size_t len = strnlen(text, size);
    if (len == size || !text_is_clean(text, len)) {
        sink->failed = true;
        return;
    }
    put_varint(sink, len);
    put_octets(sink, text, len);
}

/* Adds the checksum. Returns the length of it all, 0 when something did not fit. */
static size_t put_end(struct sink *sink)
{
    const uint32_t sum = checksum(sink->start, (size_t)(sink->at - sink->start));
    for (unsigned shift = 0; shift < 32; shift += 8)
        put_octet(sink, (sum >> shift) & 0xff);
    return sink->failed ? 0 : (size_t)(sink->at - sink->start);
}

static unsigned get_octet(struct source *source)
{
    if (source->failed || source->at == source->end) {
        source->failed = true;
        return 0;
    }
    return *source->at++;
}

static uint64_t get_varint(struct source *source, uint64_t max)
{
    uint64_t value = 0;
    unsigned octet = 0x80;
    for (unsigned i = 0; i < VARINT_SIZE_MAX && (octet & 0x80) != 0; i++) {
        octet = get_octet(source);
        const uint64_t bits = octet & 0x7f;
        if (i == VARINT_SIZE_MAX - 1 && bits > 1)
            source->failed = true;
        else
            value |= bits << (7 * i);
    }
    if ((octet & 0x80) != 0 || value > max)
        source->failed = true;
    return source->failed ? 0 : value;
}

static int64_t get_stamp(struct source *source)
{
    return (int64_t)get_varint(source, (uint64_t)STAMP_MAX);
}

/* Appends to text, an array of size octets that already holds `used` of them. */
static void get_text(struct source *source, char *text, size_t size, size_t used)
{
    const size_t len = (size_t)get_varint(source, size - used - 1);
    if (source->failed || (size_t)(source->end - source->at) < len ||
        !text_is_clean((const char *)source->at, len)) {
        source->failed = true;
        return;
    }
    memcpy(text + used, source->at, len);
    text[used + len] = '\0';
    source->at += len;
}

static bool is_reason(unsigned number)
{
    return number != RB_REASON_NONE && number < RB_REASON_MAX &&
           rb_reason_name((enum rb_reason)number)[0] != '?';
}

/* The first octet and the checksum; what remains for the source is the record's body. */
static bool open_source(struct source *source, const uint8_t *in, size_t len, unsigned magic)
{
    if (in == NULL || len < 1 + CHECKSUM_SIZE || len > RECORD_SIZE_MAX || in[0] != magic)
        return false;
    const size_t body = len - CHECKSUM_SIZE;
    uint32_t sum = 0;
    for (unsigned i = 0; i < CHECKSUM_SIZE; i++)
        sum |= (uint32_t)in[body + i] << (8 * i);
    if (sum != checksum(in, body))
        return false;
    *source = (struct source){.at = in + 1, .end = in + body};
    return true;
}

static bool is_done(const struct source *source)
{
    return !source->failed && source->at == source->end;
}

/* What most replies begin with, and what the record knows already: "550 5.1.1 ". */
static size_t reply_prefix(int code, const char *enhanced, char *prefix, size_t size)
{
    const int len =
        snprintf(prefix, size, "%d %s%s", code, enhanced, enhanced[0] != '\0' ? " " : "");
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

/* The address in binary, where that gives back the very same text. Returns the flags that say so.
 */
static unsigned pack_ip(const char *ip, uint8_t packed[16])
{
    char text[INET6_ADDRSTRLEN];
    if (ip[0] == '\0')
        return 0;
    if (inet_pton(AF_INET, ip, packed) == 1 &&
        inet_ntop(AF_INET, packed, text, sizeof text) != NULL && strcmp(text, ip) == 0)
        return FLAG_IP_V4;
    if (inet_pton(AF_INET6, ip, packed) == 1 &&
        inet_ntop(AF_INET6, packed, text, sizeof text) != NULL && strcmp(text, ip) == 0)
        return FLAG_IP_V6;
    return FLAG_IP_V4 | FLAG_IP_V6;
}

static unsigned tls_flags(const char *tls)
{
    if (tls[0] == '\0')
        return 0;
    if (strcmp(tls, TLS_12) == 0)
        return FLAG_TLS_12;
    return strcmp(tls, TLS_13) == 0 ? FLAG_TLS_13 : FLAG_TLS_12 | FLAG_TLS_13;
}

/* Every text ends within its array, so that the rest may use string functions. */
static bool texts_end(const struct address_record *r)
{
    return memchr(r->enhanced, '\0', sizeof r->enhanced) != NULL &&
           memchr(r->reply, '\0', sizeof r->reply) != NULL &&
           memchr(r->mx, '\0', sizeof r->mx) != NULL && memchr(r->ip, '\0', sizeof r->ip) != NULL &&
           memchr(r->tls, '\0', sizeof r->tls) != NULL &&
           memchr(r->mail_from, '\0', sizeof r->mail_from) != NULL &&
           memchr(r->rule, '\0', sizeof r->rule) != NULL;
}

static bool numbers_fit(const struct address_record *record)
{
    return is_reason(record->reason) && (unsigned)record->stage < RB_STAGE_MAX &&
           record->code >= 0 && record->code <= CODE_MAX && record->wait_s >= 0 &&
           record->retries <= RECORD_RETRIES_MAX;
}

static void put_address_texts(struct sink *sink, const struct address_record *record,
                              unsigned flags, const uint8_t packed_ip[16], size_t prefix_len)
{
    put_text(sink, record->enhanced, sizeof record->enhanced);
    put_text(sink, record->reply + prefix_len, sizeof record->reply - prefix_len);
    put_text(sink, record->mx, sizeof record->mx);
    switch (flags & (FLAG_IP_V4 | FLAG_IP_V6)) {
    case FLAG_IP_V4:
        put_octets(sink, packed_ip, 4);
        break;
    case FLAG_IP_V6:
        put_octets(sink, packed_ip, 16);
        break;
    case FLAG_IP_V4 | FLAG_IP_V6:
        put_text(sink, record->ip, sizeof record->ip);
        break;
    default:
        break;
    }
    if ((flags & FLAG_TLS_12) != 0 && (flags & FLAG_TLS_13) != 0)
        put_text(sink, record->tls, sizeof record->tls);
    put_text(sink, record->mail_from, sizeof record->mail_from);
    put_text(sink, record->rule, sizeof record->rule);
}

size_t address_record_encode(const struct address_record *record, uint8_t *out, size_t size)
{
    if (!texts_end(record) || !numbers_fit(record))
        return 0;

    uint8_t packed_ip[16];
    char prefix[RB_ENHANCED_MAX + 8];
    size_t prefix_len = reply_prefix(record->code, record->enhanced, prefix, sizeof prefix);
    if (strncmp(record->reply, prefix, prefix_len) != 0)
        prefix_len = 0;

    unsigned flags = pack_ip(record->ip, packed_ip) | tls_flags(record->tls);
    flags |= record->mail_from_known ? FLAG_MAIL_FROM_KNOWN : 0U;
    flags |= record->wait_s != 0 ? FLAG_WAIT : 0U;
    flags |= record->port != SMTP_PORT ? FLAG_OTHER_PORT : 0U;
    flags |= prefix_len != 0 ? FLAG_REPLY_PREFIX : 0U;
    flags |= record->tried_s != 0 ? FLAG_TRIED : 0U;
    flags |= record->deferred_s != 0 ? FLAG_DEFERRED : 0U;
    flags |= record->denied_s != 0 ? FLAG_DENIED : 0U;

    struct sink sink;
    open_sink(&sink, out, size);
    put_octet(&sink, MAGIC_ADDRESS);
    put_octet(&sink, record->reason);
    put_octet(&sink, record->stage);
    put_varint(&sink, flags);
    put_stamp(&sink, record->stamp_s);
    put_varint(&sink, (uint64_t)record->code);
    if ((flags & FLAG_OTHER_PORT) != 0)
        put_varint(&sink, record->port);
    if ((flags & FLAG_WAIT) != 0)
        put_varint(&sink, (uint64_t)record->wait_s);
    if ((flags & FLAG_TRIED) != 0)
        put_stamp(&sink, record->tried_s);
    if ((flags & FLAG_DEFERRED) != 0) {
        put_stamp(&sink, record->deferred_s);
        put_varint(&sink, record->retries);
    }
    if ((flags & FLAG_DENIED) != 0)
        put_stamp(&sink, record->denied_s);
    put_address_texts(&sink, record, flags, packed_ip, prefix_len);
    return put_end(&sink);
}

static void get_packed_ip(struct source *source, int family, char *ip, size_t size)
{
    const size_t len = family == AF_INET ? 4 : 16;
    if (source->failed || (size_t)(source->end - source->at) < len ||
        inet_ntop(family, source->at, ip, (socklen_t)size) == NULL) {
        source->failed = true;
        return;
    }
    source->at += len;
}

static void get_ip(struct source *source, unsigned flags, char *ip, size_t size)
{
    switch (flags & (FLAG_IP_V4 | FLAG_IP_V6)) {
    case FLAG_IP_V4:
        get_packed_ip(source, AF_INET, ip, size);
        break;
    case FLAG_IP_V6:
        get_packed_ip(source, AF_INET6, ip, size);
        break;
    case FLAG_IP_V4 | FLAG_IP_V6:
        get_text(source, ip, size, 0);
        break;
    default:
        break;
    }
}

static void get_tls(struct source *source, unsigned flags, char *tls, size_t size)
{
    if ((flags & FLAG_TLS_12) != 0 && (flags & FLAG_TLS_13) != 0)
        get_text(source, tls, size, 0);
    else if ((flags & (FLAG_TLS_12 | FLAG_TLS_13)) != 0)
        memcpy(tls, (flags & FLAG_TLS_12) != 0 ? TLS_12 : TLS_13, sizeof TLS_12);
}

bool address_record_decode(const uint8_t *in, size_t len, struct address_record *record)
{
    struct source source;
    *record = (struct address_record){0};
    if (!open_source(&source, in, len, MAGIC_ADDRESS))
        return false;

    const unsigned reason = get_octet(&source);
    const unsigned stage = get_octet(&source);
    const unsigned flags = (unsigned)get_varint(&source, FLAGS_ALL);
    record->reason = (enum rb_reason)reason;
    record->stage = (enum rb_stage)stage;
    record->stamp_s = get_stamp(&source);
    record->code = (int)get_varint(&source, CODE_MAX);
    record->port = SMTP_PORT;
    if ((flags & FLAG_OTHER_PORT) != 0)
        record->port = (uint16_t)get_varint(&source, UINT16_MAX);
    if ((flags & FLAG_WAIT) != 0)
        record->wait_s = (int)get_varint(&source, INT32_MAX);
    if ((flags & FLAG_TRIED) != 0)
        record->tried_s = get_stamp(&source);
    if ((flags & FLAG_DEFERRED) != 0) {
        record->deferred_s = get_stamp(&source);
        record->retries = (unsigned)get_varint(&source, RECORD_RETRIES_MAX);
    }
    if ((flags & FLAG_DENIED) != 0)
        record->denied_s = get_stamp(&source);
    record->mail_from_known = (flags & FLAG_MAIL_FROM_KNOWN) != 0;

    get_text(&source, record->enhanced, sizeof record->enhanced, 0);
    size_t prefix_len = 0;
    if ((flags & FLAG_REPLY_PREFIX) != 0)
        prefix_len =
            reply_prefix(record->code, record->enhanced, record->reply, sizeof record->reply);
    get_text(&source, record->reply, sizeof record->reply, prefix_len);
    get_text(&source, record->mx, sizeof record->mx, 0);
    get_ip(&source, flags, record->ip, sizeof record->ip);
    get_tls(&source, flags, record->tls, sizeof record->tls);
    get_text(&source, record->mail_from, sizeof record->mail_from, 0);
    get_text(&source, record->rule, sizeof record->rule, 0);

    if (is_done(&source) && is_reason(reason) && stage < RB_STAGE_MAX)
        return true;
    *record = (struct address_record){0};
    return false;
}

static bool is_fact_state(unsigned state)
{
    return state == FACT_UNKNOWN || state == FACT_NO || state == FACT_YES;
}

size_t domain_record_encode(const struct domain_record *record, uint8_t *out, size_t size)
{
    const struct fact *facts[] = {&record->catch_all, &record->null_sender_refused, &record->dead};
    unsigned states = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (!is_fact_state(facts[i]->state))
            return 0;
        states |= (unsigned)facts[i]->state << (FACT_BITS * i);
    }
    if (record->dead_reason != RB_REASON_NONE && !is_reason(record->dead_reason))
        return 0;

    struct sink sink;
    open_sink(&sink, out, size);
    put_octet(&sink, MAGIC_DOMAIN);
    put_octet(&sink, states);
    for (unsigned i = 0; i < 3; i++)
        put_stamp(&sink, facts[i]->stamp_s);
    put_octet(&sink, record->dead_reason);
    return put_end(&sink);
}

bool domain_record_decode(const uint8_t *in, size_t len, struct domain_record *record)
{
    struct source source;
    *record = (struct domain_record){0};
    if (!open_source(&source, in, len, MAGIC_DOMAIN))
        return false;

    struct fact *facts[] = {&record->catch_all, &record->null_sender_refused, &record->dead};
    const unsigned states = get_octet(&source);
    bool good = states >> (FACT_BITS * 3) == 0;
    for (unsigned i = 0; i < 3; i++) {
        const unsigned state = (states >> (FACT_BITS * i)) & ((1U << FACT_BITS) - 1);
        good = good && is_fact_state(state);
        facts[i]->state = (enum fact_state)state;
        facts[i]->stamp_s = get_stamp(&source);
        if (state == FACT_UNKNOWN)
            facts[i]->stamp_s = 0; /* nothing is known, since never */
    }
    const unsigned reason = get_octet(&source);
    record->dead_reason = (enum rb_reason)reason;

    if (good && is_done(&source) && (reason == RB_REASON_NONE || is_reason(reason)))
        return true;
    *record = (struct domain_record){0};
    return false;
}

size_t host_record_encode(const struct host_record *record, uint8_t *out, size_t size)
{
    if (record->reason != RB_REASON_NONE && !is_reason(record->reason))
        return 0;
    struct sink sink;
    open_sink(&sink, out, size);
    put_octet(&sink, MAGIC_HOST);
    put_octet(&sink, record->reason);
    put_varint(&sink, record->failures);
    put_varint(&sink, record->trips);
    put_stamp(&sink, record->held_until_s);
    put_stamp(&sink, record->stamp_s);
    return put_end(&sink);
}

bool host_record_decode(const uint8_t *in, size_t len, struct host_record *record)
{
    struct source source;
    *record = (struct host_record){0};
    if (!open_source(&source, in, len, MAGIC_HOST))
        return false;

    const unsigned reason = get_octet(&source);
    record->reason = (enum rb_reason)reason;
    record->failures = (unsigned)get_varint(&source, UINT32_MAX);
    record->trips = (unsigned)get_varint(&source, UINT32_MAX);
    record->held_until_s = get_stamp(&source);
    record->stamp_s = get_stamp(&source);

    if (is_done(&source) && (reason == RB_REASON_NONE || is_reason(reason)))
        return true;
    *record = (struct host_record){0};
    return false;
}

bool address_record_is_kept(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_NONE:
    case RB_REASON_CORRESPONDENT:
    case RB_REASON_TIMEOUT:
    case RB_REASON_LIMITED:
    case RB_REASON_BUSY:
    case RB_REASON_SPF_FAIL:
    case RB_REASON_EXEMPT:
    case RB_REASON_INTERNAL_ERROR:
        return false;
    default:
        return true;
    }
}

/* Never negative: a stamp in the future, left by a clock that was wrong, counts as of now. */
static int64_t age_of(int64_t stamp_s, int64_t now_s)
{
    if (stamp_s >= now_s)
        return 0;
    const uint64_t age = (uint64_t)now_s - (uint64_t)stamp_s;
    return age > INT64_MAX ? INT64_MAX : (int64_t)age;
}

/* The life of an unknown. It is never stale: while it lives nobody is asked, then the next question
 * asks. */
static int64_t unknown_ttl(const struct address_record *record,
                           const struct rb_lifetimes *lifetimes)
{
    switch (record->reason) {
    case RB_REASON_CATCH_ALL:
        /* What was learned is the domain's: asking again about the mailbox would tell nothing new.
         */
        return lifetimes->domain_ttl_s;
    case RB_REASON_GREYLISTED:
    case RB_REASON_TEMPFAIL: {
        const int64_t wanted = record->wait_s > TEMPORARY_TTL_S ? record->wait_s : TEMPORARY_TTL_S;
        return wanted < lifetimes->unknown_ttl_s ? wanted : lifetimes->unknown_ttl_s;
    }
    case RB_REASON_DNS_FAILURE:
        return TEMPORARY_TTL_S < lifetimes->unknown_ttl_s ? TEMPORARY_TTL_S
                                                          : lifetimes->unknown_ttl_s;
    default:
        return lifetimes->unknown_ttl_s;
    }
}

static bool was_tried(const struct address_record *record, const struct rb_lifetimes *lifetimes,
                      int64_t now_s)
{
    return record->tried_s != 0 && age_of(record->tried_s, now_s) < lifetimes->unknown_ttl_s;
}

enum freshness address_record_freshness(const struct address_record *record,
                                        const struct rb_lifetimes *lifetimes, int64_t now_s,
                                        int64_t *expires_s)
{
    int64_t ttl_s, refresh_s;
    switch (rb_reason_verdict(record->reason)) {
    case RB_VERDICT_VALID:
        ttl_s = lifetimes->valid_ttl_s;
        refresh_s = lifetimes->valid_refresh_s;
        if (record->reason ==
            RB_REASON_CORRESPONDENT) /* nobody is asked: when it is over, it is over */
            ttl_s = refresh_s = lifetimes->correspondent_ttl_s;
        break;
    case RB_VERDICT_INVALID:
        ttl_s = lifetimes->invalid_ttl_s;
        refresh_s = lifetimes->invalid_refresh_s;
        break;
    default:
        ttl_s = unknown_ttl(record, lifetimes);
        refresh_s = ttl_s;
        break;
    }

    const int64_t age_s = age_of(record->stamp_s, now_s);
    if (expires_s != NULL)
        *expires_s = age_s < ttl_s ? ttl_s - age_s : 0;
    if (age_s >= ttl_s)
        return RECORD_EXPIRED;
    if (was_tried(record, lifetimes, now_s))
        return RECORD_FRESH;
    if (record->denied_s != 0)
        return age_of(record->denied_s, now_s) < RECORD_DENIAL_GAP_S ? RECORD_FRESH : RECORD_STALE;
    return age_s < refresh_s ? RECORD_FRESH : RECORD_STALE;
}

bool fact_is_live(const struct fact *fact, int64_t ttl_s, int64_t now_s)
{
    return fact->state != FACT_UNKNOWN && fact->stamp_s != 0 &&
           age_of(fact->stamp_s, now_s) < ttl_s;
}

static bool is_live(const struct address_record *record, enum rb_verdict verdict,
                    const struct rb_lifetimes *lifetimes, int64_t now_s)
{
    return rb_reason_verdict(record->reason) == verdict &&
           address_record_freshness(record, lifetimes, now_s, NULL) != RECORD_EXPIRED;
}

/* Whether a denial, at denied_s, is the second that a valid which was denied before takes. */
static bool is_second_denial(const struct address_record *valid, int64_t denied_s)
{
    return valid->denied_s != 0 && (age_of(valid->denied_s, denied_s) >= RECORD_DENIAL_GAP_S ||
                                    age_of(denied_s, valid->denied_s) >= RECORD_DENIAL_GAP_S);
}

/* What a live record keeps of a newer one that does not replace it: that it was asked again, and whether it was denied. */
static void keep_trace(struct address_record *record, const struct address_record *newer)
{
    if (newer->stamp_s > record->tried_s)
        record->tried_s = newer->stamp_s;
    if (rb_reason_verdict(newer->reason) == RB_VERDICT_INVALID &&
        (record->denied_s == 0 || newer->stamp_s < record->denied_s))
        record->denied_s = newer->stamp_s;
}

/* Whether the older record outlives the newer one. */
static bool outlives(const struct address_record *older, const struct address_record *newer,
                     const struct rb_lifetimes *lifetimes)
{
    switch (rb_reason_verdict(newer->reason)) {
    case RB_VERDICT_UNKNOWN:
        return is_live(older, RB_VERDICT_VALID, lifetimes, newer->stamp_s) ||
               is_live(older, RB_VERDICT_INVALID, lifetimes, newer->stamp_s);
    case RB_VERDICT_INVALID:
        return is_live(older, RB_VERDICT_VALID, lifetimes, newer->stamp_s) &&
               !is_second_denial(older, newer->stamp_s);
    default:
        return false;
    }
}

/*
 * The same whichever of the two comes first, so that it does not matter in which order processes
 * and threads commit.
 */
void address_record_merge(struct address_record *into, const struct address_record *news,
                          const struct rb_lifetimes *lifetimes)
{
    const bool news_newer = news->stamp_s >= into->stamp_s;
    const struct address_record newer = news_newer ? *news : *into;
    const struct address_record older = news_newer ? *into : *news;
    const bool older_stays = outlives(&older, &newer, lifetimes);

    *into = older_stays ? older : newer;
    if (older_stays)
        keep_trace(into, &newer);
}

static bool is_newer(const struct fact *news, const struct fact *present)
{
    return news->state != FACT_UNKNOWN && news->stamp_s != 0 && news->stamp_s >= present->stamp_s;
}

void domain_record_merge(struct domain_record *into, const struct domain_record *news)
{
    if (is_newer(&news->catch_all, &into->catch_all))
        into->catch_all = news->catch_all;
    if (is_newer(&news->null_sender_refused, &into->null_sender_refused))
        into->null_sender_refused = news->null_sender_refused;
    if (is_newer(&news->dead, &into->dead)) {
        into->dead = news->dead;
        into->dead_reason = news->dead_reason;
    }
}
