/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record: the versioned codec of what the cache keeps. Pure: no store, no clock, no memory of its
 * own. What is decoded may be damaged or made by an enemy; it is believed only when its checksum is
 * right and every field is in range. RFC 3463 (enhanced codes), RFC 5321 4.2 (replies).
 *
 * Layout, in the terms of codec.h:
 *
 *   address  'a'+0x80 reason stage flags:2 stamp:6 code:2 [port:varint] [wait:varint]
 *            [tried:varint] [denied:varint] enhanced:text reply:text mx:text [ip] [tls:text]
 *            mail_from:text rule:text checksum:4
 *   domain   'd'+0x80 states catch_all:varint null_sender:varint dead:varint dead_reason checksum:4
 *   host     'h'+0x80 reason failures:varint trips:varint held_until:varint stamp:varint checksum:4
 *
 * A new layout gets a new first octet; an older program then takes the record for none.
 */
#include "config.h"

#include "cache/record.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cache/codec.h"
#include "base/text.h"

enum {
    KIND_ADDRESS = 'a',
    KIND_DOMAIN = 'd',
    KIND_HOST = 'h',
    CODE_MAX = 999,
    SMTP_PORT = 25,
    PREFIX_SIZE = 3 + 1 + RB_ENHANCED_MAX + 1 + 1,
    SHORT_SIZE = 2, /* octets of flags and of a code */
    STAMP_SIZE = 6, /* holds CODEC_STAMP_MAX */
    IP_V4_SIZE = 4,
    IP_V6_SIZE = 16,
    FACT_BITS = 2, /* of a fact's state in a domain record's octet of states */
};

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
    FLAG_NONE = 1 << 9, /* was an earlier layout's; a record that has it is none */
    FLAG_DENIED = 1 << 10,
    FLAGS_MAX = (1 << 11) - 1,
};

static const char TLS_12[] = "TLSv1.2";
static const char TLS_13[] = "TLSv1.3";

static bool is_reason(unsigned number)
{
    return number != RB_REASON_NONE && number < RB_REASON_MAX &&
           rb_reason_name((enum rb_reason)number)[0] != '?';
}

/*
 * What most replies begin with, and what the record knows already: "550 5.1.1 ". Returns its
 * length.
 */
static size_t reply_prefix(int code, const char enhanced[RB_ENHANCED_MAX + 1],
                           char prefix[PREFIX_SIZE])
{
    const int len =
        snprintf(prefix, PREFIX_SIZE, "%d %s%s", code, enhanced, enhanced[0] != '\0' ? " " : "");
    return len > 0 && len < PREFIX_SIZE ? (size_t)len : 0;
}

/* The address in binary, where that gives back the very same text. Returns the flags that say so.
 */
static unsigned pack_ip(const char *ip, uint8_t packed[IP_V6_SIZE])
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
           record->stamp_s >= 0 && record->stamp_s <= CODEC_STAMP_MAX;
}

static void put_address_texts(struct codec_sink *sink, const struct address_record *record,
                              unsigned flags, const uint8_t packed_ip[IP_V6_SIZE],
                              size_t prefix_len)
{
    codec_put_text(sink, record->enhanced, sizeof record->enhanced);
    codec_put_text(sink, record->reply + prefix_len, sizeof record->reply - prefix_len);
    codec_put_text(sink, record->mx, sizeof record->mx);
    switch (flags & (FLAG_IP_V4 | FLAG_IP_V6)) {
    case FLAG_IP_V4:
        codec_put_octets(sink, packed_ip, IP_V4_SIZE);
        break;
    case FLAG_IP_V6:
        codec_put_octets(sink, packed_ip, IP_V6_SIZE);
        break;
    case FLAG_IP_V4 | FLAG_IP_V6:
        codec_put_text(sink, record->ip, sizeof record->ip);
        break;
    default:
        break;
    }
    if ((flags & FLAG_TLS_12) != 0 && (flags & FLAG_TLS_13) != 0)
        codec_put_text(sink, record->tls, sizeof record->tls);
    codec_put_text(sink, record->mail_from, sizeof record->mail_from);
    codec_put_text(sink, record->rule, sizeof record->rule);
}

size_t address_record_encode(const struct address_record *record, uint8_t *out, size_t size)
{
    if (!texts_end(record) || !numbers_fit(record))
        return 0;

    uint8_t packed_ip[IP_V6_SIZE];
    char prefix[PREFIX_SIZE];
    size_t prefix_len = reply_prefix(record->code, record->enhanced, prefix);
    if (strncmp(record->reply, prefix, prefix_len) != 0)
        prefix_len = 0;

    unsigned flags = pack_ip(record->ip, packed_ip) | tls_flags(record->tls);
    flags |= record->mail_from_known ? FLAG_MAIL_FROM_KNOWN : 0U;
    flags |= record->wait_s != 0 ? FLAG_WAIT : 0U;
    flags |= record->port != SMTP_PORT ? FLAG_OTHER_PORT : 0U;
    flags |= prefix_len != 0 ? FLAG_REPLY_PREFIX : 0U;
    flags |= record->tried_s != 0 ? FLAG_TRIED : 0U;
    flags |= record->denied_s != 0 ? FLAG_DENIED : 0U;

    struct codec_sink sink;
    codec_open_sink(&sink, out, size, KIND_ADDRESS);
    codec_put_octet(&sink, record->reason);
    codec_put_octet(&sink, record->stage);
    codec_put_number(&sink, flags, SHORT_SIZE);
    codec_put_number(&sink, (uint64_t)record->stamp_s, STAMP_SIZE);
    codec_put_number(&sink, (uint64_t)record->code, SHORT_SIZE);
    if ((flags & FLAG_OTHER_PORT) != 0)
        codec_put_varint(&sink, record->port);
    if ((flags & FLAG_WAIT) != 0)
        codec_put_varint(&sink, (uint64_t)record->wait_s);
    if ((flags & FLAG_TRIED) != 0)
        codec_put_stamp(&sink, record->tried_s);
    if ((flags & FLAG_DENIED) != 0)
        codec_put_stamp(&sink, record->denied_s);
    put_address_texts(&sink, record, flags, packed_ip, prefix_len);
    return codec_put_end(&sink);
}

static void get_packed_ip(struct codec_source *source, int family, char *ip, size_t size)
{
    const size_t len = family == AF_INET ? IP_V4_SIZE : IP_V6_SIZE;
    if (source->failed || (size_t)(source->end - source->at) < len) {
        source->failed = true;
        return;
    }
    if (inet_ntop(family, source->at, ip, (socklen_t)size) == NULL)
        source->failed = true;
    source->at += len;
}

static void get_ip(struct codec_source *source, unsigned flags, char *ip, size_t size)
{
    switch (flags & (FLAG_IP_V4 | FLAG_IP_V6)) {
    case FLAG_IP_V4:
        get_packed_ip(source, AF_INET, ip, size);
        break;
    case FLAG_IP_V6:
        get_packed_ip(source, AF_INET6, ip, size);
        break;
    case FLAG_IP_V4 | FLAG_IP_V6:
        codec_get_text(source, ip, size, 0);
        break;
    default:
        ip[0] = '\0';
        break;
    }
}

static void get_tls(struct codec_source *source, unsigned flags, char *tls, size_t size)
{
    if ((flags & FLAG_TLS_12) != 0 && (flags & FLAG_TLS_13) != 0)
        codec_get_text(source, tls, size, 0);
    else if ((flags & (FLAG_TLS_12 | FLAG_TLS_13)) != 0)
        memcpy(tls, (flags & FLAG_TLS_12) != 0 ? TLS_12 : TLS_13, sizeof TLS_12);
    else
        tls[0] = '\0';
}

static void get_address_numbers(struct codec_source *source, unsigned flags,
                                struct address_record *record)
{
    record->stamp_s = (int64_t)codec_get_number(source, STAMP_SIZE, (uint64_t)CODEC_STAMP_MAX);
    record->code = (int)codec_get_number(source, SHORT_SIZE, CODE_MAX);
    record->port = SMTP_PORT;
    if ((flags & FLAG_OTHER_PORT) != 0)
        record->port = (uint16_t)codec_get_varint(source, UINT16_MAX);
    record->wait_s = 0;
    if ((flags & FLAG_WAIT) != 0)
        record->wait_s = (int)codec_get_varint(source, INT32_MAX);
    record->tried_s = (flags & FLAG_TRIED) != 0 ? codec_get_stamp(source) : 0;
    record->denied_s = (flags & FLAG_DENIED) != 0 ? codec_get_stamp(source) : 0;
}

static void get_address_texts(struct codec_source *source, unsigned flags,
                              struct address_record *record)
{
    size_t prefix_len = 0;
    codec_get_text(source, record->enhanced, sizeof record->enhanced, 0);
    if ((flags & FLAG_REPLY_PREFIX) != 0)
        prefix_len = reply_prefix(record->code, record->enhanced, record->reply);
    codec_get_text(source, record->reply, sizeof record->reply, prefix_len);
    codec_get_text(source, record->mx, sizeof record->mx, 0);
    get_ip(source, flags, record->ip, sizeof record->ip);
    get_tls(source, flags, record->tls, sizeof record->tls);
    codec_get_text(source, record->mail_from, sizeof record->mail_from, 0);
    codec_get_text(source, record->rule, sizeof record->rule, 0);
}

/* Every field is set one by one: to zero all of a record first, which is large, would take as long
 * as to read it. */
static bool get_address(struct codec_source *source, struct address_record *record)
{
    const unsigned reason = codec_get_octet(source);
    const unsigned stage = codec_get_octet(source);
    const unsigned flags = (unsigned)codec_get_number(source, SHORT_SIZE, FLAGS_MAX);
    record->reason = (enum rb_reason)reason;
    record->stage = (enum rb_stage)stage;
    record->mail_from_known = (flags & FLAG_MAIL_FROM_KNOWN) != 0;
    get_address_numbers(source, flags, record);
    get_address_texts(source, flags, record);
    return codec_is_done(source) && is_reason(reason) && stage < RB_STAGE_MAX &&
           (flags & FLAG_NONE) == 0;
}

bool address_record_decode(const uint8_t *in, size_t len, struct address_record *record)
{
    struct codec_source source;
    if (codec_open_source(&source, in, len, KIND_ADDRESS) && get_address(&source, record))
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

    struct codec_sink sink;
    codec_open_sink(&sink, out, size, KIND_DOMAIN);
    codec_put_octet(&sink, states);
    for (unsigned i = 0; i < 3; i++)
        codec_put_stamp(&sink, facts[i]->stamp_s);
    codec_put_octet(&sink, record->dead_reason);
    return codec_put_end(&sink);
}

bool domain_record_decode(const uint8_t *in, size_t len, struct domain_record *record)
{
    struct codec_source source;
    *record = (struct domain_record){0};
    if (!codec_open_source(&source, in, len, KIND_DOMAIN))
        return false;

    struct fact *facts[] = {&record->catch_all, &record->null_sender_refused, &record->dead};
    const unsigned states = codec_get_octet(&source);
    bool good = states >> (FACT_BITS * 3) == 0;
    for (unsigned i = 0; i < 3; i++) {
        const unsigned state = (states >> (FACT_BITS * i)) & ((1U << FACT_BITS) - 1);
        good = good && is_fact_state(state);
        facts[i]->state = (enum fact_state)state;
        facts[i]->stamp_s = codec_get_stamp(&source);
        if (state == FACT_UNKNOWN)
            facts[i]->stamp_s = 0; /* nothing is known, since never */
    }
    const unsigned reason = codec_get_octet(&source);
    record->dead_reason = (enum rb_reason)reason;

    if (good && codec_is_done(&source) && (reason == RB_REASON_NONE || is_reason(reason)))
        return true;
    *record = (struct domain_record){0};
    return false;
}

size_t host_record_encode(const struct host_record *record, uint8_t *out, size_t size)
{
    if (record->reason != RB_REASON_NONE && !is_reason(record->reason))
        return 0;
    struct codec_sink sink;
    codec_open_sink(&sink, out, size, KIND_HOST);
    codec_put_octet(&sink, record->reason);
    codec_put_varint(&sink, record->failures);
    codec_put_varint(&sink, record->trips);
    codec_put_stamp(&sink, record->held_until_s);
    codec_put_stamp(&sink, record->stamp_s);
    return codec_put_end(&sink);
}

bool host_record_decode(const uint8_t *in, size_t len, struct host_record *record)
{
    struct codec_source source;
    *record = (struct host_record){0};
    if (!codec_open_source(&source, in, len, KIND_HOST))
        return false;

    const unsigned reason = codec_get_octet(&source);
    record->reason = (enum rb_reason)reason;
    record->failures = (unsigned)codec_get_varint(&source, UINT32_MAX);
    record->trips = (unsigned)codec_get_varint(&source, UINT32_MAX);
    record->held_until_s = codec_get_stamp(&source);
    record->stamp_s = codec_get_stamp(&source);

    if (codec_is_done(&source) && (reason == RB_REASON_NONE || is_reason(reason)))
        return true;
    *record = (struct host_record){0};
    return false;
}
