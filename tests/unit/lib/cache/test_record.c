/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_record: the codec gives back what it was given and believes nothing else; lifetimes and
 * merging.
 */
#include "config.h"

#include "cache/record.h"

#include "check.h"

#include <stdio.h>
#include <time.h>

#include "cache/codec.h"

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)

enum { NOW = 2000000000 };

static const struct rb_lifetimes LIFETIMES = {
    .valid_ttl_s = 31 * DAY,
    .valid_refresh_s = 7 * DAY,
    .invalid_ttl_s = 3 * DAY,
    .invalid_refresh_s = 3 * HOUR,
    .unknown_ttl_s = 1800,
    .domain_ttl_s = 7 * DAY,
};

static struct address_record sample_address(void)
{
    return (struct address_record){
        .reason = RB_REASON_NO_SUCH_USER,
        .stage = RB_STAGE_RCPT,
        .stamp_s = NOW,
        .code = 550,
        .port = 25,
        .mail_from_known = true,
        .enhanced = "5.1.1",
        .reply = "550 5.1.1 <u@example.org>: User unknown here",
        .mx = "mx1.example.org",
        .ip = "192.0.2.25",
        .tls = "TLSv1.3",
        .rule = "no_such_user",
    };
}

static struct domain_record sample_domain(void)
{
    return (struct domain_record){
        .catch_all = {FACT_NO, NOW},
        .null_sender_refused = {FACT_YES, NOW - 5},
        .dead = {FACT_YES, NOW - 10},
        .dead_reason = RB_REASON_NULL_MX,
    };
}

static struct host_record sample_host(void)
{
    return (struct host_record){
        .failures = 300,
        .trips = 2,
        .held_until_s = NOW + 900,
        .stamp_s = NOW,
        .reason = RB_REASON_UNREACHABLE,
    };
}

static void assert_address_equal(const struct address_record *a, const struct address_record *b)
{
    assert_int_equal(a->reason, b->reason);
    assert_int_equal(a->stage, b->stage);
    assert_int_equal(a->stamp_s, b->stamp_s);
    assert_int_equal(a->code, b->code);
    assert_int_equal(a->wait_s, b->wait_s);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->mail_from_known, b->mail_from_known);
    assert_string_equal(a->enhanced, b->enhanced);
    assert_string_equal(a->reply, b->reply);
    assert_string_equal(a->mx, b->mx);
    assert_string_equal(a->ip, b->ip);
    assert_string_equal(a->tls, b->tls);
    assert_string_equal(a->mail_from, b->mail_from);
    assert_string_equal(a->rule, b->rule);
}

static void assert_address_survives(const struct address_record *record)
{
    uint8_t out[RECORD_SIZE_MAX];
    struct address_record back;
    const size_t len = address_record_encode(record, out, sizeof out);
    assert_int_not_equal(len, 0);
    assert_true(address_record_decode(out, len, &back));
    assert_address_equal(record, &back);
}

static void address_survives_the_codec(void **state)
{
    (void)state;
    const struct address_record record = sample_address();
    assert_address_survives(&record);
}

static void every_kind_of_ip_survives(void **state)
{
    (void)state;
    static const char *const ips[] = {"",    "192.0.2.1", "2001:db8::1",  "::ffff:192.0.2.1",
                                      "::1", "?",         "2001:DB8::01", "0.0.0.0"};
    for (size_t i = 0; i < COUNT(ips); i++) {
        struct address_record record = sample_address();
        (void)snprintf(record.ip, sizeof record.ip, "%s", ips[i]);
        assert_address_survives(&record);
    }
}

static void every_kind_of_tls_survives(void **state)
{
    (void)state;
    static const char *const versions[] = {"", "TLSv1", "TLSv1.2", "TLSv1.3", "TLSv1.4-draft12"};
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct address_record record = sample_address();
        (void)snprintf(record.tls, sizeof record.tls, "%s", versions[i]);
        assert_address_survives(&record);
    }
}

static void every_kind_of_reply_survives(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *enhanced, *reply;
    } cases[] = {
        {250, "", "250 Ok"},
        {250, "", "250"},
        {250, "2.1.5", "250 2.1.5 Ok"},
        {250, "2.1.5", "250 2.1.5"},
        {550, "5.1.1", "550 No 5.1.1"},
        {550, "5.1.1", "550-5.1.1 two 550 5.1.1 lines"},
        {0, "", ""},
        {0, "", "0 "},
        {999, "5.123.123", "999 5.123.123 x"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address_record record = sample_address();
        record.code = cases[i].code;
        (void)snprintf(record.enhanced, sizeof record.enhanced, "%s", cases[i].enhanced);
        (void)snprintf(record.reply, sizeof record.reply, "%s", cases[i].reply);
        assert_address_survives(&record);
    }
}

static void numbers_at_their_limits_survive(void **state)
{
    (void)state;
    struct address_record record = sample_address();
    record.port = 65535;
    record.wait_s = 2147483647;
    record.code = 999;
    record.stamp_s = 0;
    assert_address_survives(&record);
    record.port = 0;
    record.mail_from_known = false;
    record.stamp_s = INT64_C(1) << 40;
    assert_address_survives(&record);
}

static struct address_record longest_address(void)
{
    struct address_record record = {.reason = RB_REASON_REJECTED, .stage = RB_STAGE_QUIT};
    record.stamp_s = INT64_C(1) << 40;
    record.code = 999;
    record.wait_s = 2147483647;
    record.port = 65535;
    memset(record.enhanced, '5', sizeof record.enhanced - 1);
    memset(record.reply, 'r', sizeof record.reply - 1);
    memset(record.mx, 'm', sizeof record.mx - 1);
    memset(record.ip, 'i', sizeof record.ip - 1);
    memset(record.tls, 't', sizeof record.tls - 1);
    memset(record.mail_from, 'f', sizeof record.mail_from - 1);
    memset(record.rule, 'u', sizeof record.rule - 1);
    return record;
}

static void longest_record_fits(void **state)
{
    (void)state;
    const struct address_record record = longest_address();
    assert_address_survives(&record);
}

static void too_little_room_writes_nothing_beyond_it(void **state)
{
    (void)state;
    uint8_t out[RECORD_SIZE_MAX + 1];
    const struct address_record record = sample_address();
    const size_t whole = address_record_encode(&record, out, RECORD_SIZE_MAX);
    for (size_t size = 0; size < whole; size++) {
        memset(out, 0xee, sizeof out);
        assert_int_equal(address_record_encode(&record, out, size), 0);
        assert_int_equal(out[size], 0xee);
    }
    assert_int_equal(address_record_encode(&record, out, whole), whole);
}

static void common_record_is_small(void **state)
{
    (void)state;
    uint8_t out[RECORD_SIZE_MAX];
    const struct address_record record = sample_address();
    const size_t len = address_record_encode(&record, out, sizeof out);
    print_message("# a record with a reply of %zu octets takes %zu\n", strlen(record.reply), len);
    assert_in_range(len, 1, 100);
}

static void what_cannot_be_told_is_not_encoded(void **state)
{
    (void)state;
    uint8_t out[RECORD_SIZE_MAX];
    struct address_record good = sample_address();
    struct address_record bad[9];
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good;
    bad[0].reason = RB_REASON_NONE;
    bad[1].reason = (enum rb_reason)5;
    bad[2].stage = RB_STAGE_MAX;
    bad[3].code = 1000;
    bad[4].code = -1;
    bad[5].wait_s = -1;
    bad[6].stamp_s = -1;
    memset(bad[7].mx, 'x', sizeof bad[7].mx);
    bad[8].reply[10] = '\r';
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(address_record_encode(&bad[i], out, sizeof out), 0);
}

static void domain_survives_the_codec(void **state)
{
    (void)state;
    uint8_t out[RECORD_SIZE_MAX];
    struct domain_record back;
    const struct domain_record cases[] = {
        sample_domain(), {.catch_all = {FACT_YES, NOW}}, {.dead_reason = RB_REASON_NONE}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const size_t len = domain_record_encode(&cases[i], out, sizeof out);
        assert_true(domain_record_decode(out, len, &back));
        assert_int_equal(back.catch_all.state, cases[i].catch_all.state);
        assert_int_equal(back.catch_all.stamp_s, cases[i].catch_all.stamp_s);
        assert_int_equal(back.null_sender_refused.state, cases[i].null_sender_refused.state);
        assert_int_equal(back.null_sender_refused.stamp_s, cases[i].null_sender_refused.stamp_s);
        assert_int_equal(back.dead.state, cases[i].dead.state);
        assert_int_equal(back.dead.stamp_s, cases[i].dead.stamp_s);
        assert_int_equal(back.dead_reason, cases[i].dead_reason);
    }
}

static void host_survives_the_codec(void **state)
{
    (void)state;
    uint8_t out[RECORD_SIZE_MAX];
    struct host_record back;
    const struct host_record record = sample_host();
    const size_t len = host_record_encode(&record, out, sizeof out);
    assert_true(host_record_decode(out, len, &back));
    assert_int_equal(back.failures, record.failures);
    assert_int_equal(back.trips, record.trips);
    assert_int_equal(back.held_until_s, record.held_until_s);
    assert_int_equal(back.stamp_s, record.stamp_s);
    assert_int_equal(back.reason, record.reason);
}

/* One valid record of each kind, to be damaged. */
struct encoded {
    size_t len;
    uint8_t octets[RECORD_SIZE_MAX];
};

static void encode_all(struct encoded all[3])
{
    const struct address_record address = sample_address();
    const struct domain_record domain = sample_domain();
    const struct host_record host = sample_host();
    all[0].len = address_record_encode(&address, all[0].octets, RECORD_SIZE_MAX);
    all[1].len = domain_record_encode(&domain, all[1].octets, RECORD_SIZE_MAX);
    all[2].len = host_record_encode(&host, all[2].octets, RECORD_SIZE_MAX);
}

/* How many of the three decoders take it. Each must leave zeroes when it does not. */
static unsigned taken_by(const uint8_t *octets, size_t len)
{
    static const struct address_record no_address;
    static const struct domain_record no_domain;
    static const struct host_record no_host;
    struct address_record address;
    struct domain_record domain;
    struct host_record host;
    unsigned taken = 0;
    memset(&address, 1, sizeof address);
    memset(&domain, 1, sizeof domain);
    memset(&host, 1, sizeof host);
    if (address_record_decode(octets, len, &address))
        taken++;
    else
        assert_address_equal(&address, &no_address);
    if (domain_record_decode(octets, len, &domain))
        taken++;
    else
        assert_int_equal(domain.dead_reason, no_domain.dead_reason);
    if (host_record_decode(octets, len, &host))
        taken++;
    else
        assert_int_equal(host.failures, no_host.failures);
    return taken;
}

static void record_of_one_kind_is_none_of_another(void **state)
{
    (void)state;
    struct encoded all[3];
    encode_all(all);
    for (size_t i = 0; i < COUNT(all); i++)
        assert_int_equal(taken_by(all[i].octets, all[i].len), 1);
}

static void cut_record_is_none(void **state)
{
    (void)state;
    struct encoded all[3];
    encode_all(all);
    for (size_t i = 0; i < COUNT(all); i++) {
        for (size_t len = 0; len < all[i].len; len++)
            assert_int_equal(taken_by(all[i].octets, len), 0);
    }
    assert_int_equal(taken_by(NULL, 0), 0);
}

static void lengthened_record_is_none(void **state)
{
    (void)state;
    struct encoded all[3];
    encode_all(all);
    for (size_t i = 0; i < COUNT(all); i++) {
        all[i].octets[all[i].len] = 0;
        assert_int_equal(taken_by(all[i].octets, all[i].len + 1), 0);
    }
}

static void any_changed_octet_shows(void **state)
{
    (void)state;
    struct encoded all[3];
    encode_all(all);
    for (size_t i = 0; i < COUNT(all); i++) {
        for (size_t at = 0; at < all[i].len; at++) {
            for (unsigned change = 1; change < 256; change++) {
                all[i].octets[at] ^= (uint8_t)change;
                assert_int_equal(taken_by(all[i].octets, all[i].len), 0);
                all[i].octets[at] ^= (uint8_t)change;
            }
        }
    }
}

/* The checksum is no secret: whoever can write to the store can make a right one. */
static void seal(uint8_t *octets, size_t len)
{
    const uint32_t sum = codec_checksum(octets, len - 4);
    for (unsigned i = 0; i < 4; i++)
        octets[len - 4 + i] = (uint8_t)(sum >> (8 * i));
}

/* A field that is not written any more would be taken for the one behind it. */
static void a_record_with_a_field_of_an_earlier_layout_is_none(void **state)
{
    (void)state;
    struct codec_sink sink;
    struct address_record record;
    uint8_t old[RECORD_SIZE_MAX];
    for (unsigned flags = 0; flags <= 1 << 9; flags += 1 << 9) {
        codec_open_sink(&sink, old, sizeof old, 'a');
        codec_put_octet(&sink, RB_REASON_GREYLISTED);
        codec_put_octet(&sink, RB_STAGE_RCPT);
        codec_put_number(&sink, flags | 1 << 2, 2);
        codec_put_number(&sink, 2000000000, 6);
        codec_put_number(&sink, 450, 2);
        codec_put_varint(&sink, 26);
        for (const char *const *text =
                 (const char *const[]){"4.2.0", "later", "mx", "", "grey", NULL};
             *text != NULL; text++)
            codec_put_text(&sink, *text, strlen(*text) + 1);
        assert_int_equal(address_record_decode(old, codec_put_end(&sink), &record), flags == 0);
    }
}

/* Their first octets were capital letters; under whatever checksum. */
static void a_record_of_an_earlier_layout_is_none(void **state)
{
    (void)state;
    struct encoded all[3];
    encode_all(all);
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_int_equal(taken_by(all[i].octets, all[i].len), 1);
        all[i].octets[0] &= (uint8_t)~0x20U;
        assert_int_equal(taken_by(all[i].octets, all[i].len), 0);
        seal(all[i].octets, all[i].len);
        assert_int_equal(taken_by(all[i].octets, all[i].len), 0);
    }
    static const uint8_t old[] = {0xc4, 0x02, 0x80, 0xa8, 0xd6, 0xb9, 0x07,
                                  0x00, 0x00, 0x00, 0x15, 0x09, 0x61, 0x97};
    assert_int_equal(taken_by(old, sizeof old), 0);
}

static void assert_texts_end(const struct address_record *record)
{
    assert_non_null(memchr(record->enhanced, '\0', sizeof record->enhanced));
    assert_non_null(memchr(record->reply, '\0', sizeof record->reply));
    assert_non_null(memchr(record->mx, '\0', sizeof record->mx));
    assert_non_null(memchr(record->ip, '\0', sizeof record->ip));
    assert_non_null(memchr(record->tls, '\0', sizeof record->tls));
    assert_non_null(memchr(record->mail_from, '\0', sizeof record->mail_from));
    assert_non_null(memchr(record->rule, '\0', sizeof record->rule));
}

static void forged_record_decodes_to_sound_values_or_not_at_all(void **state)
{
    (void)state;
    const unsigned seed = (unsigned)time(NULL);
    print_message("# seed %u\n", seed);
    srandom(seed);
    for (unsigned round = 0; round < 20000; round++) {
        struct encoded all[3];
        encode_all(all);
        struct encoded *forged = &all[round % 3];
        for (unsigned i = 0; i <= round % 5; i++)
            forged->octets[(size_t)random() % forged->len] = (uint8_t)random();
        seal(forged->octets, forged->len);
        struct address_record record;
        (void)taken_by(forged->octets, forged->len);
        if (address_record_decode(forged->octets, forged->len, &record)) {
            assert_string_not_equal(rb_reason_name(record.reason), "?");
            assert_in_range(record.stage, 0, RB_STAGE_MAX - 1);
            assert_texts_end(&record);
        }
    }
}

static void forged_control_characters_are_refused(void **state)
{
    (void)state;
    struct encoded all[3];
    encode_all(all);
    uint8_t *at = memchr(all[0].octets, '<', all[0].len);
    assert_non_null(at);
    static const uint8_t evil[] = {'\r', '\n', '\0', 0x1b};
    for (size_t i = 0; i < COUNT(evil); i++) {
        *at = evil[i];
        seal(all[0].octets, all[0].len);
        assert_int_equal(taken_by(all[0].octets, all[0].len), 0);
    }
    *at = '<';
    seal(all[0].octets, all[0].len);
    assert_int_equal(taken_by(all[0].octets, all[0].len), 1);
}

static void lifetimes_are_as_the_reason_says(void **state)
{
    (void)state;
    static const struct {
        enum rb_reason reason;
        int wait_s;
        int64_t age_s;
        enum freshness freshness;
        int64_t expires_s;
    } cases[] = {
        {RB_REASON_ACCEPTED, 0, 0, RECORD_FRESH, 31 * DAY},
        {RB_REASON_ACCEPTED, 0, 7 * DAY - 1, RECORD_FRESH, 24 * DAY + 1},
        {RB_REASON_ACCEPTED, 0, 7 * DAY, RECORD_STALE, 24 * DAY},
        {RB_REASON_MAILBOX_FULL, 0, 31 * DAY - 1, RECORD_STALE, 1},
        {RB_REASON_ACCEPTED, 0, 31 * DAY, RECORD_EXPIRED, 0},
        {RB_REASON_NO_SUCH_USER, 0, 3 * HOUR - 1, RECORD_FRESH, 3 * DAY - 3 * HOUR + 1},
        {RB_REASON_NO_SUCH_USER, 0, 3 * HOUR, RECORD_STALE, 3 * DAY - 3 * HOUR},
        {RB_REASON_NULL_MX, 0, 3 * DAY, RECORD_EXPIRED, 0},
        {RB_REASON_BLOCKED, 0, 1799, RECORD_FRESH, 1},
        {RB_REASON_BLOCKED, 0, 1800, RECORD_EXPIRED, 0},
        {RB_REASON_DNS_FAILURE, 0, 299, RECORD_FRESH, 1},
        {RB_REASON_DNS_FAILURE, 0, 300, RECORD_EXPIRED, 0},
        {RB_REASON_CATCH_ALL, 0, 1800, RECORD_FRESH, 7 * DAY - 1800},
        {RB_REASON_CATCH_ALL, 0, 7 * DAY, RECORD_EXPIRED, 0},
        {RB_REASON_GREYLISTED, 0, 299, RECORD_FRESH, 1},
        {RB_REASON_GREYLISTED, 0, 300, RECORD_EXPIRED, 0},
        {RB_REASON_GREYLISTED, 60, 299, RECORD_FRESH, 1},
        {RB_REASON_GREYLISTED, 600, 599, RECORD_FRESH, 1},
        {RB_REASON_GREYLISTED, 600, 600, RECORD_EXPIRED, 0},
        {RB_REASON_TEMPFAIL, 999999, 1799, RECORD_FRESH, 1},
        {RB_REASON_TEMPFAIL, 999999, 1800, RECORD_EXPIRED, 0},
        {RB_REASON_ACCEPTED, 0, -1000, RECORD_FRESH, 31 * DAY},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t expires_s = -1;
        struct address_record record = sample_address();
        record.reason = cases[i].reason;
        record.wait_s = cases[i].wait_s;
        record.stamp_s = NOW - cases[i].age_s;
        assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW, &expires_s),
                         cases[i].freshness);
        assert_int_equal(expires_s, cases[i].expires_s);
        assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW, NULL),
                         cases[i].freshness);
    }
}

static void new_lifetimes_time_old_records_anew(void **state)
{
    (void)state;
    struct address_record record = sample_address();
    struct rb_lifetimes shorter = LIFETIMES;
    shorter.invalid_ttl_s = 60;
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + 60, NULL), RECORD_FRESH);
    assert_int_equal(address_record_freshness(&record, &shorter, NOW + 60, NULL), RECORD_EXPIRED);
}

static void stamps_beyond_all_clocks_do_no_harm(void **state)
{
    (void)state;
    struct address_record record = sample_address();
    record.stamp_s = INT64_MAX;
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, INT64_MIN, NULL), RECORD_FRESH);
    record.stamp_s = INT64_MIN;
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, INT64_MAX, NULL),
                     RECORD_EXPIRED);
}

static void fact_lives_for_its_ttl(void **state)
{
    (void)state;
    static const struct {
        struct fact fact;
        bool live;
    } cases[] = {
        {{FACT_YES, NOW}, true},        {{FACT_NO, NOW - 99}, true},
        {{FACT_YES, NOW - 100}, false}, {{FACT_YES, NOW + 1000}, true},
        {{FACT_UNKNOWN, NOW}, false},   {{FACT_YES, 0}, false},
        {{FACT_YES, INT64_MIN}, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(fact_is_live(&cases[i].fact, 100, NOW), cases[i].live);
}

static void merging_addresses_keeps_what_is_worth_more(void **state)
{
    (void)state;
    static const struct {
        enum rb_reason older;
        enum rb_reason newer;
        int64_t apart_s;
        enum rb_reason wins;
    } cases[] = {
        {RB_REASON_ACCEPTED, RB_REASON_TEMPFAIL, 10, RB_REASON_ACCEPTED},
        {RB_REASON_NO_SUCH_USER, RB_REASON_UNREACHABLE, 10, RB_REASON_NO_SUCH_USER},
        {RB_REASON_ACCEPTED, RB_REASON_CATCH_ALL, 10, RB_REASON_ACCEPTED},
        {RB_REASON_ACCEPTED, RB_REASON_TEMPFAIL, 31 * DAY, RB_REASON_TEMPFAIL},
        {RB_REASON_ACCEPTED, RB_REASON_NO_SUCH_USER, 10, RB_REASON_ACCEPTED},
        {RB_REASON_ACCEPTED, RB_REASON_NO_SUCH_USER, 8 * DAY, RB_REASON_ACCEPTED},
        {RB_REASON_ACCEPTED, RB_REASON_NO_SUCH_USER, 31 * DAY, RB_REASON_NO_SUCH_USER},
        {RB_REASON_NO_SUCH_USER, RB_REASON_DISABLED, 10, RB_REASON_DISABLED},
        {RB_REASON_NO_SUCH_USER, RB_REASON_ACCEPTED, 10, RB_REASON_ACCEPTED},
        {RB_REASON_TEMPFAIL, RB_REASON_ACCEPTED, 10, RB_REASON_ACCEPTED},
        {RB_REASON_TEMPFAIL, RB_REASON_BLOCKED, 10, RB_REASON_BLOCKED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address_record older = sample_address();
        struct address_record newer = sample_address();
        older.reason = cases[i].older;
        newer.reason = cases[i].newer;
        newer.stamp_s = older.stamp_s + cases[i].apart_s;
        struct address_record in_order = older;
        struct address_record out_of_order = newer;
        address_record_merge(&in_order, &newer, &LIFETIMES);
        address_record_merge(&out_of_order, &older, &LIFETIMES);
        assert_int_equal(in_order.reason, cases[i].wins);
        assert_int_equal(out_of_order.reason, cases[i].wins);
    }
}

static void merging_a_record_with_itself_changes_nothing(void **state)
{
    (void)state;
    struct address_record record = sample_address();
    const struct address_record same = record;
    address_record_merge(&record, &same, &LIFETIMES);
    assert_address_equal(&record, &same);
}

static void kept_record_keeps_its_stamp(void **state)
{
    (void)state;
    struct address_record record = sample_address();
    struct address_record news = sample_address();
    news.reason = RB_REASON_TEMPFAIL;
    news.stamp_s = NOW + 100;
    address_record_merge(&record, &news, &LIFETIMES);
    assert_int_equal(record.stamp_s, NOW);
}

static void asking_again_in_vain_is_remembered_and_not_repeated_at_once(void **state)
{
    (void)state;
    struct address_record record = sample_address(), decoded;
    const struct address_record news = {.reason = RB_REASON_TEMPFAIL, .stamp_s = NOW + 4 * HOUR};
    uint8_t octets[RECORD_SIZE_MAX];

    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + 4 * HOUR, NULL),
                     RECORD_STALE);
    address_record_merge(&record, &news, &LIFETIMES);
    assert_int_equal(record.reason, RB_REASON_NO_SUCH_USER);
    assert_int_equal(record.tried_s, NOW + 4 * HOUR);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + 4 * HOUR + 1, NULL),
                     RECORD_FRESH);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + 4 * HOUR + 1800, NULL),
                     RECORD_STALE);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + 3 * DAY, NULL),
                     RECORD_EXPIRED);
    const size_t len = address_record_encode(&record, octets, sizeof octets);
    assert_true(len > 0 && address_record_decode(octets, len, &decoded));
    assert_int_equal(decoded.tried_s, NOW + 4 * HOUR);
}

static struct address_record said_at(enum rb_reason reason, int64_t stamp_s)
{
    struct address_record record = sample_address();

    record.reason = reason;
    record.stamp_s = stamp_s;
    return record;
}

/* Merges three records in each order in which they may come; each must come to the same reason. */
static void assert_any_order(const struct address_record said[3], enum rb_reason reason)
{
    static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

    for (size_t i = 0; i < COUNT(orders); i++) {
        struct address_record record = said[orders[i][0]];

        address_record_merge(&record, &said[orders[i][1]], &LIFETIMES);
        address_record_merge(&record, &said[orders[i][2]], &LIFETIMES);
        if (record.reason != reason)
            fail_msg("order %zu: %s", i, rb_reason_name(record.reason));
    }
}

static void one_denial_does_not_replace_a_live_valid_but_is_remembered(void **state)
{
    struct address_record record = said_at(RB_REASON_ACCEPTED, NOW), decoded;
    const struct address_record denial = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY);
    uint8_t octets[RECORD_SIZE_MAX];

    (void)state;
    address_record_merge(&record, &denial, &LIFETIMES);
    assert_int_equal(record.reason, RB_REASON_ACCEPTED);
    assert_int_equal(record.stamp_s, NOW);
    assert_int_equal(record.denied_s, NOW + DAY);
    const size_t len = address_record_encode(&record, octets, sizeof octets);
    assert_true(len > 0 && address_record_decode(octets, len, &decoded));
    assert_int_equal(decoded.denied_s, NOW + DAY);
}

static void a_denied_valid_is_asked_again_an_hour_later(void **state)
{
    struct address_record record = said_at(RB_REASON_ACCEPTED, NOW);
    const struct address_record denial = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY);

    (void)state;
    address_record_merge(&record, &denial, &LIFETIMES);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + DAY + HOUR - 1, NULL),
                     RECORD_FRESH);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + DAY + HOUR, NULL),
                     RECORD_STALE);
    const struct address_record vain = said_at(RB_REASON_TEMPFAIL, NOW + DAY + HOUR);
    address_record_merge(&record, &vain, &LIFETIMES);
    assert_int_equal(record.denied_s, NOW + DAY);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + DAY + HOUR + 1, NULL),
                     RECORD_FRESH);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + DAY + HOUR + 1800, NULL),
                     RECORD_STALE);
}

static void two_denials_an_hour_apart_replace_a_live_valid(void **state)
{
    const struct address_record said[] = {
        said_at(RB_REASON_ACCEPTED, NOW),
        said_at(RB_REASON_NO_SUCH_USER, NOW + DAY),
        said_at(RB_REASON_NO_SUCH_USER, NOW + DAY + HOUR),
    };

    (void)state;
    assert_any_order(said, RB_REASON_NO_SUCH_USER);
}

static void two_denials_within_the_hour_count_as_one(void **state)
{
    const struct address_record said[] = {
        said_at(RB_REASON_ACCEPTED, NOW),
        said_at(RB_REASON_NO_SUCH_USER, NOW + DAY),
        said_at(RB_REASON_DISABLED, NOW + DAY + HOUR - 1),
    };

    (void)state;
    assert_any_order(said, RB_REASON_ACCEPTED);
}

static void a_new_valid_forgets_an_earlier_denial(void **state)
{
    struct address_record record = said_at(RB_REASON_ACCEPTED, NOW);
    const struct address_record said[] = {
        said_at(RB_REASON_NO_SUCH_USER, NOW + DAY),
        said_at(RB_REASON_ACCEPTED, NOW + DAY + HOUR),
        said_at(RB_REASON_NO_SUCH_USER, NOW + DAY + 2 * HOUR),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(said); i++)
        address_record_merge(&record, &said[i], &LIFETIMES);
    assert_int_equal(record.reason, RB_REASON_ACCEPTED);
    assert_int_equal(record.denied_s, NOW + DAY + 2 * HOUR);
}

/* As in the queue of writes, where they meet before they come to the store. */
static void denials_that_were_merged_with_each_other_count_from_the_valid_on(void **state)
{
    static const struct {
        int64_t valid_s;
        enum rb_reason reason;
    } table[] = {
        {NOW, RB_REASON_NO_SUCH_USER},
        {NOW + DAY, RB_REASON_NO_SUCH_USER},
        {NOW + DAY + 1, RB_REASON_ACCEPTED}, /* the first is forgotten */
    };
    const struct address_record first = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY);
    const struct address_record between = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY + HOUR / 2);
    const struct address_record last = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY + HOUR);

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct address_record record = said_at(RB_REASON_ACCEPTED, table[i].valid_s);
        struct address_record denials = first;

        address_record_merge(&denials, &between, &LIFETIMES);
        address_record_merge(&denials, &last, &LIFETIMES);
        address_record_merge(&record, &denials, &LIFETIMES);
        assert_int_equal(record.reason, table[i].reason);
    }
}

/*
 * As when a valid is committed while it is replaced in the queue: what has replaced it meets it
 * again.
 */
static void denials_that_have_replaced_a_valid_do_so_again(void **state)
{
    const struct address_record valid = said_at(RB_REASON_ACCEPTED, NOW);
    const struct address_record first = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY);
    const struct address_record second = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY + HOUR);
    struct address_record queued = valid, stored = valid;

    (void)state;
    address_record_merge(&queued, &first, &LIFETIMES);
    address_record_merge(&queued, &second, &LIFETIMES);
    address_record_merge(&stored, &queued, &LIFETIMES);
    assert_int_equal(stored.reason, RB_REASON_NO_SUCH_USER);
    assert_int_equal(stored.stamp_s, NOW + DAY + HOUR);
}

static void an_invalid_is_as_fresh_as_its_last_denial(void **state)
{
    struct address_record record = said_at(RB_REASON_NO_SUCH_USER, NOW);
    const struct address_record again = said_at(RB_REASON_NO_SUCH_USER, NOW + DAY);

    (void)state;
    address_record_merge(&record, &again, &LIFETIMES);
    assert_int_equal(record.denied_s, NOW);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + DAY + 3 * HOUR - 1, NULL),
                     RECORD_FRESH);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + DAY + 3 * HOUR, NULL),
                     RECORD_STALE);
}

static void facts_are_merged_one_by_one(void **state)
{
    (void)state;
    struct domain_record record = {
        .catch_all = {FACT_YES, NOW},
        .dead = {FACT_YES, NOW - 50},
        .dead_reason = RB_REASON_UNREACHABLE,
    };
    const struct domain_record news = {
        .catch_all = {FACT_NO, NOW - 1},
        .null_sender_refused = {FACT_YES, NOW},
        .dead = {FACT_NO, NOW},
    };
    domain_record_merge(&record, &news);
    assert_int_equal(record.catch_all.state, FACT_YES);
    assert_int_equal(record.catch_all.stamp_s, NOW);
    assert_int_equal(record.null_sender_refused.state, FACT_YES);
    assert_int_equal(record.dead.state, FACT_NO);
    assert_int_equal(record.dead_reason, RB_REASON_NONE);
}

static void what_is_not_known_wipes_out_nothing(void **state)
{
    (void)state;
    struct domain_record record = sample_domain();
    const struct domain_record news = {.catch_all = {FACT_UNKNOWN, NOW + 10}};
    domain_record_merge(&record, &news);
    assert_int_equal(record.catch_all.state, FACT_NO);
    assert_int_equal(record.null_sender_refused.state, FACT_YES);
    assert_int_equal(record.dead_reason, RB_REASON_NULL_MX);
}

static void an_answer_of_a_limit_has_its_reason_and_its_rule_and_is_not_kept(void **state)
{
    (void)state;
    for (int i = RB_LIMIT_NONE + 1; i < RB_LIMIT_MAX; i++) {
        const enum rb_limit limit = (enum rb_limit)i;
        struct address_record record = {.reason = RB_REASON_TEMPFAIL, .rule = "greylisted"};

        address_record_limit(&record, limit);
        assert_int_equal(record.limit, limit);
        assert_int_equal(record.reason,
                         limit == RB_LIMIT_QUEUE_FULL ? RB_REASON_BUSY : RB_REASON_LIMITED);
        assert_string_equal(record.rule, rb_limit_name(limit));
        assert_false(address_record_is_kept(record.reason));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_survives_the_codec),
        cmocka_unit_test(every_kind_of_ip_survives),
        cmocka_unit_test(every_kind_of_tls_survives),
        cmocka_unit_test(every_kind_of_reply_survives),
        cmocka_unit_test(numbers_at_their_limits_survive),
        cmocka_unit_test(longest_record_fits),
        cmocka_unit_test(too_little_room_writes_nothing_beyond_it),
        cmocka_unit_test(common_record_is_small),
        cmocka_unit_test(what_cannot_be_told_is_not_encoded),
        cmocka_unit_test(domain_survives_the_codec),
        cmocka_unit_test(host_survives_the_codec),
        cmocka_unit_test(record_of_one_kind_is_none_of_another),
        cmocka_unit_test(cut_record_is_none),
        cmocka_unit_test(lengthened_record_is_none),
        cmocka_unit_test(any_changed_octet_shows),
        cmocka_unit_test(a_record_with_a_field_of_an_earlier_layout_is_none),
        cmocka_unit_test(a_record_of_an_earlier_layout_is_none),
        cmocka_unit_test(forged_record_decodes_to_sound_values_or_not_at_all),
        cmocka_unit_test(forged_control_characters_are_refused),
        cmocka_unit_test(lifetimes_are_as_the_reason_says),
        cmocka_unit_test(new_lifetimes_time_old_records_anew),
        cmocka_unit_test(stamps_beyond_all_clocks_do_no_harm),
        cmocka_unit_test(fact_lives_for_its_ttl),
        cmocka_unit_test(merging_addresses_keeps_what_is_worth_more),
        cmocka_unit_test(merging_a_record_with_itself_changes_nothing),
        cmocka_unit_test(kept_record_keeps_its_stamp),
        cmocka_unit_test(asking_again_in_vain_is_remembered_and_not_repeated_at_once),
        cmocka_unit_test(one_denial_does_not_replace_a_live_valid_but_is_remembered),
        cmocka_unit_test(a_denied_valid_is_asked_again_an_hour_later),
        cmocka_unit_test(two_denials_an_hour_apart_replace_a_live_valid),
        cmocka_unit_test(two_denials_within_the_hour_count_as_one),
        cmocka_unit_test(denials_that_were_merged_with_each_other_count_from_the_valid_on),
        cmocka_unit_test(denials_that_have_replaced_a_valid_do_so_again),
        cmocka_unit_test(an_invalid_is_as_fresh_as_its_last_denial),
        cmocka_unit_test(a_new_valid_forgets_an_earlier_denial),
        cmocka_unit_test(facts_are_merged_one_by_one),
        cmocka_unit_test(what_is_not_known_wipes_out_nothing),
        cmocka_unit_test(an_answer_of_a_limit_has_its_reason_and_its_rule_and_is_not_kept),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
