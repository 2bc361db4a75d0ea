/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_json: the JSON that scripts depend on: every key there, null where nothing is known, and
 * cache records that come back as what they were. What is read back may have been written by
 * anybody.
 */
#include "config.h"

#include "base/json.h"

#include "check.h"

#include <stdio.h>
#include <time.h>

#include "base/text.h"
#include "base/transcript.h"

enum { NOW = 2000000000, MUTATIONS = 20000 };

static const struct rb_lifetimes LIFETIMES = {
    .valid_ttl_s = 1000,
    .valid_refresh_s = 100,
    .invalid_ttl_s = 500,
    .invalid_refresh_s = 50,
    .unknown_ttl_s = 30,
    .domain_ttl_s = 700,
    .correspondent_ttl_s = 9000,
};

/* --- One verification ------------------------------------------------------ */

static const char *const answer_keys[] = {
    "address", "verdict",  "reason", "cached",    "age_s",      "expires_s",
    "domain",  "mx",       "ip",     "port",      "tls",        "stage",
    "code",    "enhanced", "reply",  "mail_from", "elapsed_ms", "rule",
};

static struct rb_answer full_answer(void)
{
    return (struct rb_answer){
        .address = "user@example.org",
        .verdict = RB_VERDICT_VALID,
        .reason = RB_REASON_ACCEPTED,
        .rule = "accepted",
        .cached = true,
        .age_s = 0,
        .expires_s = 2678400,
        .domain = "example.org",
        .mx = "mx1.example.org",
        .ip = "192.0.2.25",
        .port = 25,
        .tls = "TLSv1.3",
        .stage = RB_STAGE_RCPT,
        .code = 250,
        .enhanced = "2.1.5",
        .reply = "250 2.1.5 Ok",
        .mail_from_known = true,
        .elapsed_ms = 143,
    };
}

static struct rb_answer empty_answer(void)
{
    return (struct rb_answer){
        .reason = RB_REASON_TIMEOUT,
        .age_s = -1,
        .expires_s = -1,
    };
}

static void assert_same_json(json_t *object, const char *wanted)
{
    json_t *want = json_loads(wanted, JSON_DECODE_ANY, NULL);
    char *text = json_dumps(object, JSON_ENCODE_ANY | JSON_COMPACT);

    assert_non_null(want);
    if (!json_equal(object, want))
        fail_msg("%s\nis not\n%s", text, wanted);
    free(text);
    json_decref(want);
    json_decref(object);
}

static void an_answer_has_exactly_the_keys_of_the_contract(void **state)
{
    const struct rb_answer answers[] = {full_answer(), empty_answer()};

    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        json_t *object = json_answer(&answers[i], "x@example.org", false);

        assert_int_equal(json_object_size(object), COUNT(answer_keys));
        for (size_t k = 0; k < COUNT(answer_keys); k++)
            assert_non_null(json_object_get(object, answer_keys[k]));
        json_decref(object);
    }
}

static void an_answer_is_written_as_the_contract_has_it(void **state)
{
    const struct rb_answer answer = full_answer();

    (void)state;
    assert_same_json(
        json_answer(&answer, "<User@Example.ORG>", false),
        "{\"address\": \"user@example.org\", \"verdict\": \"valid\", \"reason\": \"accepted\","
        " \"cached\": true, \"age_s\": 0, \"expires_s\": 2678400, \"domain\": \"example.org\","
        " \"mx\": \"mx1.example.org\", \"ip\": \"192.0.2.25\", \"port\": 25, \"tls\": \"TLSv1.3\","
        " \"stage\": \"rcpt\", \"code\": 250, \"enhanced\": \"2.1.5\","
        " \"reply\": \"250 2.1.5 Ok\", \"mail_from\": \"\", \"elapsed_ms\": 143,"
        " \"rule\": \"accepted\"}");
}

static void what_is_not_known_is_null(void **state)
{
    const struct rb_answer answer = empty_answer();

    (void)state;
    assert_same_json(
        json_answer(&answer, "what was asked", false),
        "{\"address\": \"what was asked\", \"verdict\": \"unknown\", \"reason\": \"timeout\","
        " \"cached\": false, \"age_s\": null, \"expires_s\": null, \"domain\": null, \"mx\": null,"
        " \"ip\": null, \"port\": null, \"tls\": null, \"stage\": null, \"code\": null,"
        " \"enhanced\": null, \"reply\": null, \"mail_from\": null, \"elapsed_ms\": 0,"
        " \"rule\": null}");
}

static void an_answer_is_read_again_as_it_was(void **state)
{
    struct rb_answer answers[] = {full_answer(), empty_answer()}, again;

    (void)state;
    answers[1].age_s = 0; /* what is not known is not told from this */
    for (size_t i = 0; i < COUNT(answers); i++) {
        json_t *object = json_answer(&answers[i], "", false), *same;

        assert_true(json_read_answer(object, &again));
        again.expires_s = answers[i].expires_s; /* nobody wants to know */
        same = json_answer(&again, "", false);
        assert_true(json_equal(object, same));
        json_decref(object);
        json_decref(same);
    }
}

static void what_is_no_answer_is_refused(void **state)
{
    static const char *const wrong[] = {
        "7",
        "[]",
        "{}",
        "{\"reason\": \"good\"}",
        "{\"reason\": 7}",
        "{\"reason\": \"accepted\", \"port\": 65536}",
        "{\"reason\": \"accepted\", \"port\": \"25\"}",
        "{\"reason\": \"accepted\", \"code\": 600}",
        "{\"reason\": \"accepted\", \"age_s\": -1}",
        "{\"reason\": \"accepted\", \"reply\": \"a\\u0007b\"}",
        "{\"reason\": \"accepted\", \"mx\": []}",
    };
    struct rb_answer answer = {.size = 0};

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        json_t *object = json_loads(wrong[i], JSON_DECODE_ANY, NULL);

        assert_non_null(object);
        if (json_read_answer(object, &answer))
            fail_msg("taken: %s", wrong[i]);
        json_decref(object);
    }
}

static void octets_come_back_as_they_were(void **state)
{
    static const char *const wrong[] = {"7", "null", "\"\\u0100\"", "\"a\\u20acb\"",
                                        "\"\\ud83d\\ude00\""};
    char octets[256], *again;
    json_t *string;

    (void)state;
    for (int i = 0; i < 255; i++)
        octets[i] = (char)(i + 1);
    octets[255] = '\0';
    string = json_octets(octets);
    assert_int_equal(json_string_length(string), 127 + 2 * 128);
    again = json_read_octets(string);
    assert_string_equal(again, octets);
    free(again);
    json_decref(string);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        string = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
        assert_non_null(string);
        assert_null(json_read_octets(string));
        json_decref(string);
    }
}

static void the_null_sender_is_not_an_unknown_one(void **state)
{
    struct rb_answer answer = full_answer();
    json_t *object = json_answer(&answer, "", false);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(object, "mail_from")), "");
    json_decref(object);
    assert_true(text_copy(answer.mail_from, sizeof answer.mail_from, "postmaster@mx.example.net"));
    object = json_answer(&answer, "", false);
    assert_string_equal(json_string_value(json_object_get(object, "mail_from")),
                        "postmaster@mx.example.net");
    json_decref(object);
}

static void an_address_of_8_bit_octets_is_utf8_or_replaced(void **state)
{
    struct rb_answer answer = empty_answer();

    (void)state;
    assert_true(text_copy(answer.address, sizeof answer.address, "j\xc3\xb6rg@example.org"));
    json_t *object = json_answer(&answer, "", false);
    assert_string_equal(json_string_value(json_object_get(object, "address")),
                        "j\xc3\xb6rg@example.org");
    json_decref(object);
    answer.address[0] = '\0';
    object = json_answer(&answer, "j\xf6rg@\x80\xff", false);
    assert_string_equal(json_string_value(json_object_get(object, "address")), "j?rg@??");
    json_decref(object);
}

static void text_of_any_octets_becomes_json(void **state)
{
    (void)state;
    for (int octet = 1; octet < 256; octet++) {
        const char text[] = {'a', (char)octet, 'b', '\0'};
        json_t *string = json_text(text);
        char *dumped = json_dumps(string, JSON_ENCODE_ANY);
        json_t *again = json_loads(dumped, JSON_DECODE_ANY, NULL);

        assert_true(json_is_string(string));
        assert_true(json_equal(string, again));
        free(dumped);
        json_decref(again);
        json_decref(string);
    }
    assert_true(json_is_null(json_text("")));
}

static void a_transcript_is_there_when_asked_for(void **state)
{
    struct rb_answer answer = full_answer();

    (void)state;
    answer.transcript = transcript_new();
    transcript_add(answer.transcript, 0, '-', "mx1.example.org", "192.0.2.25", "connecting", 10);
    transcript_add(answer.transcript, 12, '<', "mx1.example.org", "192.0.2.25", "220 \xff\x01", 6);
    transcript_add(answer.transcript, 13, '>', NULL, NULL, "QUIT", 4);
    json_t *object = json_answer(&answer, "", true);
    assert_int_equal(json_object_size(object), COUNT(answer_keys) + 1);
    assert_same_json(json_incref(json_object_get(object, "transcript")),
                     "[{\"t_ms\": 0, \"mx\": \"mx1.example.org\", \"ip\": \"192.0.2.25\","
                     "  \"dir\": \"-\", \"text\": \"connecting\"},"
                     " {\"t_ms\": 12, \"mx\": \"mx1.example.org\", \"ip\": \"192.0.2.25\","
                     "  \"dir\": \"<\", \"text\": \"220 ??\"},"
                     " {\"t_ms\": 13, \"mx\": null, \"ip\": null, \"dir\": \">\","
                     "  \"text\": \"QUIT\"}]");
    json_decref(object);
    object = json_answer(&answer, "", false);
    assert_null(json_object_get(object, "transcript"));
    json_decref(object);
    rb_answer_fini(&answer);
}

static void a_transcript_that_was_not_kept_is_empty(void **state)
{
    const struct rb_answer answer = empty_answer();
    json_t *object = json_answer(&answer, "", true);

    (void)state;
    assert_true(json_is_array(json_object_get(object, "transcript")));
    assert_int_equal(json_array_size(json_object_get(object, "transcript")), 0);
    json_decref(object);
}

/* --- Cache records: out and in again --------------------------------------- */

static struct address_record full_record(void)
{
    return (struct address_record){
        .reason = RB_REASON_NO_SUCH_USER,
        .stage = RB_STAGE_RCPT,
        .stamp_s = NOW - 60,
        .code = 550,
        .wait_s = 300,
        .port = 2525,
        .mail_from_known = true,
        .enhanced = "5.1.1",
        .reply = "550 5.1.1 \"no\" \\ such user",
        .mx = "mx1.example.org",
        .ip = "2001:db8::25",
        .tls = "TLSv1.2",
        .mail_from = "postmaster@mx.example.net",
        .rule = "rcpt_x11",
    };
}

static json_t *address_json(const char *relay, const char *address,
                            const struct address_record *record, char key[CACHE_KEY_MAX + 1])
{
    const struct cache_entry entry = {
        .table = CACHE_ADDRESS,
        .key = key,
        .relay = relay,
        .address = address,
        .address_record = record,
    };

    assert_int_equal(cache_address_key(relay, address, key), RB_OK);
    return json_entry(&entry, &LIFETIMES, NOW);
}

/* Through text, as an export goes. */
static void read_back(json_t *object, struct json_record *record)
{
    char *text = json_dumps(object, 0);
    json_t *again = json_loads(text, 0, NULL);
    const char *why = NULL;

    assert_non_null(again);
    if (!json_read_entry(again, record, &why))
        fail_msg("%s\nwas refused: %s", text, why);
    assert_null(why);
    free(text);
    json_decref(again);
    json_decref(object);
}

static void assert_same_record(const struct address_record *a, const struct address_record *b)
{
    uint8_t one[RECORD_SIZE_MAX], other[RECORD_SIZE_MAX];
    size_t len = address_record_encode(a, one, sizeof one);

    assert_true(len > 0);
    assert_int_equal(address_record_encode(b, other, sizeof other), len);
    assert_memory_equal(one, other, len);
}

static void an_address_record_comes_back_as_it_was(void **state)
{
    const struct address_record records[] = {
        full_record(),
        {.reason = RB_REASON_ACCEPTED, .stamp_s = NOW, .mail_from_known = true},
        {.reason = RB_REASON_NO_DOMAIN, .stage = RB_STAGE_DNS, .stamp_s = 1, .rule = "nxdomain"},
    };
    const char *const relays[] = {"", "relay.example.net:2525"};
    struct json_record back;
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(records); i++) {
        for (size_t k = 0; k < COUNT(relays); k++) {
            read_back(address_json(relays[k], "User@example.org", &records[i], key), &back);
            assert_int_equal(back.table, CACHE_ADDRESS);
            assert_string_equal(back.key, key);
            assert_same_record(&back.address, &records[i]);
        }
    }
}

static void every_reason_and_stage_comes_back(void **state)
{
    struct address_record record = full_record();
    struct json_record back;
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    for (int reason = 1; reason < RB_REASON_MAX; reason++) {
        if (strcmp(rb_reason_name(reason), "?") == 0)
            continue;
        record.reason = reason;
        record.stage = reason % RB_STAGE_MAX;
        read_back(address_json("", "u@example.org", &record, key), &back);
        assert_int_equal(back.address.reason, reason);
        assert_int_equal(back.address.stage, record.stage);
    }
}

/* A key holds the local part unquoted: whatever it looks like, it must not become another's. */
static void odd_local_parts_come_back_as_their_own(void **state)
{
    static const char *const odd[] = {
        "\"user\"@example.org",    "@a.example:user@example.org", "a b@example.org",
        "a@b@example.org",         "<user@example.org",           "@example.org",
        "back\\slash@example.org", "j\xc3\xb6rg@example.org",     "user@[192.0.2.1]",
        "user@[IPv6:2001:db8::1]", "user@xn--bcher-kva.example",  ".dots..@example.org",
    };
    const struct address_record record = full_record();
    struct json_record back;
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        read_back(address_json("", odd[i], &record, key), &back);
        assert_string_equal(back.key, key);
    }
}

static void a_domain_written_otherwise_is_made_canonical(void **state)
{
    static const struct {
        const char *written, *key;
    } table[] = {
        {"User@EXAMPLE.Org.", "sUser@example.org"},
        {"u@b\xc3\xbc"
         "cher.example",
         "su@xn--bcher-kva.example"},
        {"u@[IPv6:2001:DB8:0::1]", "su@[IPv6:2001:db8::1]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        json_t *object = json_pack("{s:s, s:s, s:s}", "type", "address", "address",
                                   table[i].written, "reason", "accepted");
        struct json_record back;

        read_back(object, &back);
        assert_string_equal(back.key, table[i].key);
    }
}

static void age_and_what_is_left_are_told(void **state)
{
    static const struct {
        enum rb_reason reason;
        int64_t age_s;
        const char *freshness;
        int64_t expires_s;
    } table[] = {
        {RB_REASON_ACCEPTED, 0, "fresh", 1000},     {RB_REASON_ACCEPTED, 99, "fresh", 901},
        {RB_REASON_ACCEPTED, 100, "stale", 900},    {RB_REASON_ACCEPTED, 1000, "expired", 0},
        {RB_REASON_NO_SUCH_USER, 60, "stale", 440}, {RB_REASON_GREYLISTED, 10, "fresh", 20},
        {RB_REASON_GREYLISTED, 30, "expired", 0},
    };
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct address_record record = {.reason = table[i].reason,
                                              .stamp_s = NOW - table[i].age_s};
        json_t *object = address_json("", "u@example.org", &record, key);

        assert_string_equal(json_string_value(json_object_get(object, "freshness")),
                            table[i].freshness);
        assert_int_equal(json_integer_value(json_object_get(object, "age_s")), table[i].age_s);
        assert_int_equal(json_integer_value(json_object_get(object, "expires_s")),
                         table[i].expires_s);
        json_decref(object);
    }
}

static void an_address_record_has_exactly_its_keys(void **state)
{
    const struct address_record record = {.reason = RB_REASON_ACCEPTED, .stamp_s = NOW};
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    assert_same_json(
        address_json("", "u@example.org", &record, key),
        "{\"type\": \"address\", \"address\": \"u@example.org\", \"relay\": null,"
        " \"verdict\": \"valid\", \"reason\": \"accepted\", \"freshness\": \"fresh\","
        " \"stamp_s\": 2000000000, \"age_s\": 0, \"expires_s\": 1000, \"mx\": null, \"ip\": null,"
        " \"port\": null, \"tls\": null, \"stage\": null, \"code\": null, \"enhanced\": null,"
        " \"reply\": null, \"mail_from\": null, \"wait_s\": null, \"tried_s\": null, "
        "\"denied_s\": null, \"rule\": null}");
}

static json_t *domain_json(const char *domain, const struct domain_record *record)
{
    const struct cache_entry entry = {
        .table = CACHE_DOMAIN, .key = domain, .domain_record = record};

    return json_entry(&entry, &LIFETIMES, NOW);
}

static void assert_same_fact(const struct fact *a, const struct fact *b)
{
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->stamp_s, b->stamp_s);
}

static void a_domain_record_comes_back_as_it_was(void **state)
{
    static const enum rb_reason dead[] = {RB_REASON_NO_DOMAIN,   RB_REASON_NO_MAIL_HOST,
                                          RB_REASON_NULL_MX,     RB_REASON_BOGUS_MX,
                                          RB_REASON_UNREACHABLE, RB_REASON_NONE};
    static const char *const domains[] = {"example.org", "[192.0.2.1]", "_u.xn--bcher-kva.example"};
    struct json_record back;

    (void)state;
    for (size_t i = 0; i < COUNT(dead); i++) {
        const struct domain_record record = {
            .catch_all = {FACT_NO, NOW - 5},
            .null_sender_refused = {i % 2 == 0 ? FACT_YES : FACT_UNKNOWN, i % 2 == 0 ? 7 : 0},
            .dead = {dead[i] != RB_REASON_NONE ? FACT_YES : FACT_NO, NOW},
            .dead_reason = dead[i],
        };
        const char *domain = domains[i % COUNT(domains)];

        read_back(domain_json(domain, &record), &back);
        assert_int_equal(back.table, CACHE_DOMAIN);
        assert_string_equal(back.key, domain);
        assert_same_fact(&back.domain.catch_all, &record.catch_all);
        assert_same_fact(&back.domain.null_sender_refused, &record.null_sender_refused);
        assert_same_fact(&back.domain.dead, &record.dead);
        assert_int_equal(back.domain.dead_reason, dead[i]);
    }
}

static void facts_that_are_not_known_are_null(void **state)
{
    const struct domain_record record = {.dead = {FACT_NO, 5}};

    (void)state;
    assert_same_json(
        domain_json("example.org", &record),
        "{\"type\": \"domain\", \"domain\": \"example.org\", \"relay\": null, \"catch_all\": null,"
        " \"null_sender_refused\": null,"
        " \"dead\": {\"state\": \"no\", \"stamp_s\": 5}, \"dead_reason\": null}");
}

static void a_host_record_comes_back_as_it_was(void **state)
{
    static const char *const ips[] = {"192.0.2.25", "2001:db8::25"};
    const struct host_record record = {.failures = 7,
                                       .trips = 2,
                                       .held_until_s = NOW + 900,
                                       .stamp_s = NOW - 1,
                                       .reason = RB_REASON_BLOCKED};
    struct json_record back;

    (void)state;
    for (size_t i = 0; i < COUNT(ips); i++) {
        const struct cache_entry entry = {
            .table = CACHE_HOST, .key = ips[i], .host_record = &record};
        json_t *object = json_entry(&entry, &LIFETIMES, NOW);

        assert_int_equal(json_integer_value(json_object_get(object, "held_s")), 900);
        read_back(object, &back);
        assert_int_equal(back.table, CACHE_HOST);
        assert_string_equal(back.key, ips[i]);
        assert_int_equal(back.host.failures, 7);
        assert_int_equal(back.host.trips, 2);
        assert_int_equal(back.host.held_until_s, NOW + 900);
        assert_int_equal(back.host.stamp_s, NOW - 1);
        assert_int_equal(back.host.reason, RB_REASON_BLOCKED);
    }
}

static void a_host_that_answers_again_is_not_held(void **state)
{
    const struct host_record record = {.held_until_s = NOW - 1, .stamp_s = NOW - 1};
    const struct cache_entry entry = {
        .table = CACHE_HOST, .key = "192.0.2.1", .host_record = &record};

    (void)state;
    assert_same_json(json_entry(&entry, &LIFETIMES, NOW),
                     "{\"type\": \"host\", \"ip\": \"192.0.2.1\", \"failures\": 0, \"trips\": 0,"
                     " \"held_until_s\": 1999999999, \"held_s\": 0, \"stamp_s\": 1999999999,"
                     " \"reason\": null}");
}

static void a_correspondent_comes_back_as_one(void **state)
{
    static const char *const addresses[] = {"Friend@example.org", "a b@example.org",
                                            "j\xc3\xb6rg@example.org"};
    const struct address_record record = {
        .reason = RB_REASON_CORRESPONDENT, .stamp_s = NOW - 8999, .rule = "correspondent"};
    struct json_record back;
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        const struct cache_entry entry = {.table = CACHE_ADDRESS,
                                          .key = key,
                                          .relay = "",
                                          .address = addresses[i],
                                          .address_record = &record};

        assert_int_equal(cache_correspondent_key(addresses[i], key), RB_OK);
        json_t *object = json_entry(&entry, &LIFETIMES, NOW);
        assert_string_equal(json_string_value(json_object_get(object, "freshness")), "fresh");
        assert_int_equal(json_integer_value(json_object_get(object, "expires_s")), 1);
        read_back(object, &back);
        assert_int_equal(back.table, CACHE_ADDRESS);
        assert_true(cache_is_correspondent_key(back.key));
        assert_string_equal(back.key, key);
        assert_same_record(&back.address, &record);
    }
}

static json_t *onetime_json(enum onetime_kind kind, const char *onetime,
                            const struct onetime_record *record, char key[CACHE_KEY_MAX + 1])
{
    const struct cache_entry entry = {.table = CACHE_ONETIME, .key = key, .onetime_record = record};

    assert_int_equal(cache_onetime_key(kind, onetime, key), RB_OK);
    return json_entry(&entry, &LIFETIMES, NOW);
}

static void a_onetime_class_comes_back_as_it_was(void **state)
{
    static const struct {
        enum onetime_kind kind;
        const char *onetime;
        struct onetime_record record;
    } table[] = {
        {ONETIME_BATV, "prvs=\x1a=user@example.org", {.valids = 1, .valid_s = NOW}},
        {ONETIME_SRS, "SRS0=\x1a=\x1a=a.example=u@example.org", {.valids = 7, .valid_s = 1}},
        {ONETIME_VERP,
         "list+bounces-\x1a-\x1a=\x1a@example.org",
         {.valids = ONETIME_VALIDS_MAX, .valid_s = NOW - 1, .invalid_s = NOW - 2}},
        {ONETIME_VERP, "j\xc3\xb6rg+bounces-\x1a@example.org", {.invalid_s = NOW}},
        {ONETIME_BATV, "prvs=\x1a=a b@example.org", {0}},
    };
    struct json_record back;
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        read_back(onetime_json(table[i].kind, table[i].onetime, &table[i].record, key), &back);
        assert_int_equal(back.table, CACHE_ONETIME);
        assert_string_equal(back.key, key);
        assert_int_equal(back.onetime.valids, table[i].record.valids);
        assert_int_equal(back.onetime.valid_s, table[i].record.valid_s);
        assert_int_equal(back.onetime.invalid_s, table[i].record.invalid_s);
    }
}

static json_t *retry_json(const char *relay, const char *address, const struct retry_record *record,
                          char key[CACHE_KEY_MAX + 1])
{
    const struct cache_entry entry = {.table = CACHE_RETRY,
                                      .key = key,
                                      .relay = relay != NULL ? relay : "",
                                      .address = address,
                                      .retry_record = record};

    assert_int_equal(cache_address_key(relay, address, key), RB_OK);
    return json_entry(&entry, &LIFETIMES, NOW);
}

static void a_retry_comes_back_as_it_was_but_for_its_owner(void **state)
{
    static const struct {
        const char *relay, *address;
        struct retry_record record;
    } table[] = {
        {NULL,
         "u@example.org",
         {.reason = RB_REASON_GREYLISTED, .first_s = NOW - 60, .due_s = NOW + 300}},
        {NULL,
         "a b@[IPv6:2001:db8::1]",
         {.reason = RB_REASON_TEMPFAIL,
          .tries = RETRY_TRIES_MAX,
          .first_s = 1,
          .due_s = NOW,
          .wait_s = 7 * 86400,
          .owner = 77,
          .host = "2001:db8::25"}},
        {"mx.example.org:2525",
         "u@example.org",
         {.reason = RB_REASON_TEMPFAIL, .first_s = NOW, .due_s = NOW}},
    };
    struct json_record back;
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct retry_record *record = &table[i].record;

        read_back(retry_json(table[i].relay, table[i].address, record, key), &back);
        assert_int_equal(back.table, CACHE_RETRY);
        assert_string_equal(back.key, key);
        assert_int_equal(back.retry.reason, record->reason);
        assert_int_equal(back.retry.tries, record->tries);
        assert_int_equal(back.retry.first_s, record->first_s);
        assert_int_equal(back.retry.due_s, record->due_s);
        assert_int_equal(back.retry.wait_s, record->wait_s);
        assert_int_equal(back.retry.owner, 0);
        assert_string_equal(back.retry.host, record->host);
    }
}

static json_t *verb_json(const char *key, const struct verb_record *record)
{
    return json_entry(&(struct cache_entry){.table = CACHE_VERB, .key = key, .verb_record = record},
                      &LIFETIMES, NOW);
}

static void a_hosts_verbs_come_back_as_they_were(void **state)
{
    static const struct {
        const char *key;
        struct verb_record record;
    } table[] = {
        {"mx.example.org", {.unreachable_s = NOW}},
        {"mx:example.org", {.verbs = {{VERB_YES, NOW, 0}, {VERB_NO, 1, VERB_RECORD_NOES_MAX}}}},
        {"[2001:db8::1]:2525", {.verbs = {{VERB_NO, NOW - 1, 1}, {0}, {VERB_YES, 7, 0}}}},
    };
    struct json_record back;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct verb_record *record = &table[i].record;

        read_back(verb_json(table[i].key, record), &back);
        assert_int_equal(back.table, CACHE_VERB);
        assert_string_equal(back.key, table[i].key);
        assert_int_equal(back.verb.unreachable_s, record->unreachable_s);
        for (unsigned v = 0; v < VERB_RECORD_VERBS; v++) {
            assert_int_equal(back.verb.verbs[v].state, record->verbs[v].state);
            assert_int_equal(back.verb.verbs[v].stamp_s, record->verbs[v].stamp_s);
            assert_int_equal(back.verb.verbs[v].noes, record->verbs[v].noes);
        }
    }
}

static void a_hosts_verbs_have_exactly_their_keys(void **state)
{
    const struct verb_record record = {.verbs = {{VERB_NO, NOW - 86400, 2}}, .unreachable_s = 5};

    (void)state;
    assert_same_json(verb_json("mx.example.org", &record),
                     "{\"type\":\"verb\",\"host\":\"mx.example.org\",\"unreachable_s\":5,"
                     "\"ayttm\":{\"state\":\"no\",\"stamp_s\":1999913600,\"noes\":2,"
                     "\"left_s\":86400},\"source\":null,\"hostkey\":null}");
}

static void a_retry_has_exactly_its_keys(void **state)
{
    const struct retry_record record = {.reason = RB_REASON_TEMPFAIL,
                                        .tries = 2,
                                        .first_s = NOW - 1000,
                                        .due_s = NOW + 60,
                                        .owner = 7,
                                        .host = "192.0.2.25"};
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    assert_same_json(retry_json(NULL, "u@example.org", &record, key),
                     "{\"type\": \"retry\", \"address\": \"u@example.org\", \"relay\": null,"
                     " \"reason\": \"tempfail\", \"first_s\": 1999999000, \"tries\": 2,"
                     " \"due_s\": 2000000060, \"left_s\": 60, \"wait_s\": null,"
                     " \"ip\": \"192.0.2.25\"}");
}

static void a_onetime_class_has_exactly_its_keys(void **state)
{
    const struct onetime_record record = {.valids = 3, .valid_s = NOW - 1, .invalid_s = 7};
    char key[CACHE_KEY_MAX + 1];

    (void)state;
    assert_same_json(onetime_json(ONETIME_VERP, "list-return-\x1a@example.org", &record, key),
                     "{\"type\": \"fold\", \"kind\": \"verp\","
                     " \"fold\": \"list-return-\\u001a@example.org\", \"valids\": 3,"
                     " \"valid_s\": 1999999999, \"invalid_s\": 7}");
}

/* --- Hostile input --------------------------------------------------------- */

static void assert_refused(json_t *object, const char *reason, const char *what)
{
    struct json_record record;
    const char *why = NULL;

    if (json_read_entry(object, &record, &why))
        fail_msg("%s was taken", what);
    assert_non_null(why);
    if (strstr(why, reason) == NULL)
        fail_msg("%s was refused with \"%s\", not \"%s\"", what, why, reason);
    json_decref(object);
}

#define ADDRESS "\"type\":\"address\",\"address\":\"u@example.org\",\"reason\":\"accepted\""
#define DOMAIN "\"type\":\"domain\",\"domain\":\"example.org\""
#define HOST "\"type\":\"host\",\"ip\":\"192.0.2.1\""
#define ONETIME "\"type\":\"fold\",\"kind\":\"batv\",\"fold\":\"u@example.org\""
#define RETRY                                                                                      \
    "\"type\":\"retry\",\"address\":\"u@example.org\",\"reason\":\"tempfail\",\"first_s\":1,"      \
    "\"due_s\":2"
#define VERB "\"type\":\"verb\",\"host\":\"mx.example.org\""
#define FRIEND "\"type\":\"address\",\"reason\":\"correspondent\""

static void hostile_json_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *json, *why;
    } table[] = {
        {"null", "type"},
        {"[]", "type"},
        {"7", "type"},
        {"\"address\"", "type"},
        {"{}", "type"},
        {"{\"type\":null}", "type"},
        {"{\"type\":7}", "type"},
        {"{\"type\":\"addresses and more\"}", "type"},
        {"{\"type\":\"Address\"}", "type"},
        {"{\"type\":\"address\"}", "reason"},
        {"{\"type\":\"address\",\"reason\":\"accepted\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":null}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":[]}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"u\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"@\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"u@\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"u@a b\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"u@[\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"u@..\"}", "address"},
        {"{\"type\":\"address\",\"reason\":\"accepted\",\"address\":\"u\\r\\n@a.example\"}",
         "address"},
        {"{" ADDRESS ",\"relay\":7}", "address"},
        {"{" ADDRESS ",\"relay\":\"two words\"}", "relay"},
        {"{\"type\":\"address\",\"address\":\"u@example.org\"}", "reason"},
        {"{\"type\":\"address\",\"address\":\"u@example.org\",\"reason\":\"\"}", "reason"},
        {"{\"type\":\"address\",\"address\":\"u@example.org\",\"reason\":\"?\"}", "reason"},
        {"{\"type\":\"address\",\"address\":\"u@example.org\",\"reason\":\"fine\"}", "reason"},
        {"{" ADDRESS ",\"mx\":{}}", "text"},
        {"{" ADDRESS ",\"reply\":\"250 Ok\\r\\nX: y\"}", "text"},
        {"{" ADDRESS ",\"reply\":\"\\u0000\"}", "text"},
        {"{" ADDRESS ",\"tls\":\"a name that is far too long\"}", "text"},
        {"{" ADDRESS ",\"enhanced\":\"5.1234567890\"}", "text"},
        {"{" ADDRESS ",\"mail_from\":0}", "text"},
        {"{" ADDRESS ",\"stage\":[\"rcpt\"]}", "text"},
        {"{" ADDRESS ",\"stamp_s\":-1}", "number"},
        {"{" ADDRESS ",\"stamp_s\":9223372036854775807}", "number"},
        {"{" ADDRESS ",\"stamp_s\":1099511627777}", "number"},
        {"{" ADDRESS ",\"stamp_s\":1.5}", "number"},
        {"{" ADDRESS ",\"stamp_s\":\"7\"}", "number"},
        {"{" ADDRESS ",\"code\":600}", "number"},
        {"{" ADDRESS ",\"code\":true}", "number"},
        {"{" ADDRESS ",\"port\":65536}", "number"},
        {"{" ADDRESS ",\"wait_s\":1000000000}", "number"},
        {"{\"type\":\"domain\"}", "domain"},
        {"{\"type\":\"domain\",\"domain\":\"\"}", "domain"},
        {"{\"type\":\"domain\",\"domain\":\"a b\"}", "domain"},
        {"{\"type\":\"domain\",\"domain\":\"a@b.example\"}", "domain"},
        {"{\"type\":\"domain\",\"domain\":\"[\"}", "domain"},
        {"{\"type\":\"domain\",\"domain\":\"[127.0.0.1] and more\"}", "domain"},
        {"{\"type\":\"domain\",\"domain\":7}", "domain"},
        {"{" DOMAIN ",\"catch_all\":true}", "fact"},
        {"{" DOMAIN ",\"catch_all\":{}}", "fact"},
        {"{" DOMAIN ",\"catch_all\":{\"state\":\"perhaps\"}}", "fact"},
        {"{" DOMAIN ",\"catch_all\":{\"state\":\"unknown\",\"stamp_s\":1}}", "fact"},
        {"{" DOMAIN ",\"dead\":{\"state\":\"yes\",\"stamp_s\":-1}}", "fact"},
        {"{" DOMAIN ",\"dead\":{\"state\":7}}", "fact"},
        {"{" DOMAIN ",\"null_sender_refused\":[]}", "fact"},
        {"{" DOMAIN ",\"dead_reason\":\"accepted\"}", "dead_reason"},
        {"{" DOMAIN ",\"dead_reason\":\"no_such_user\"}", "dead_reason"},
        {"{" DOMAIN ",\"dead_reason\":\"fine\"}", "dead_reason"},
        {"{" DOMAIN ",\"dead_reason\":7}", "dead_reason"},
        {"{\"type\":\"host\"}", "ip"},
        {"{\"type\":\"host\",\"ip\":\"\"}", "ip"},
        {"{\"type\":\"host\",\"ip\":\"mx.example.org\"}", "ip"},
        {"{\"type\":\"host\",\"ip\":\"192.0.2.256\"}", "ip"},
        {"{\"type\":\"host\",\"ip\":7}", "ip"},
        {"{" HOST ",\"failures\":-1}", "number"},
        {"{" HOST ",\"failures\":4294967296}", "number"},
        {"{" HOST ",\"trips\":\"1\"}", "number"},
        {"{" HOST ",\"held_until_s\":9223372036854775807}", "number"},
        {"{" HOST ",\"stamp_s\":-1}", "number"},
        {"{" HOST ",\"reason\":{}}", "number"},
        {"{\"type\":\"fold\"}", "fold"},
        {"{\"type\":\"folds\"}", "type"},
        {"{\"type\":\"retry\"}", "reason"},
        {"{\"type\":\"retry\",\"reason\":\"accepted\"}", "reason"},
        {"{\"type\":\"retry\",\"reason\":\"tempfail\",\"ip\":7}", "text"},
        {"{\"type\":\"retry\",\"reason\":\"tempfail\",\"first_s\":1}", "number"},
        {"{\"type\":\"retry\",\"reason\":\"tempfail\",\"due_s\":1}", "number"},
        {"{" RETRY ",\"tries\":1001}", "number"},
        {"{" RETRY ",\"wait_s\":-1}", "number"},
        {"{\"type\":\"retry\",\"reason\":\"tempfail\",\"first_s\":1,\"due_s\":1}", "address"},
        {"{\"type\":\"fold\",\"kind\":\"batv\"}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":\"\"}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":null}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":7}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":[\"u@d\"]}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":\"u\\r\\n@d\"}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":\"u\\u0000@d\"}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":\"u\\u001b@d\"}", "fold"},
        {"{\"type\":\"fold\",\"kind\":\"batv\",\"fold\":\"u\\u007f@d\"}", "fold"},
        {"{\"type\":\"fold\",\"fold\":\"u@d\"}", "kind"},
        {"{\"type\":\"fold\",\"fold\":\"u@d\",\"kind\":\"\"}", "kind"},
        {"{\"type\":\"fold\",\"fold\":\"u@d\",\"kind\":\"none\"}", "kind"},
        {"{\"type\":\"fold\",\"fold\":\"u@d\",\"kind\":\"BATV\"}", "kind"},
        {"{\"type\":\"fold\",\"fold\":\"u@d\",\"kind\":7}", "fold"},
        {"{\"type\":\"verb\"}", "host"},
        {"{\"type\":\"verb\",\"host\":\"a\\u0001\"}", "host"},
        {"{" VERB ",\"unreachable_s\":-1}", "number"},
        {"{" VERB ",\"ayttm\":\"yes\"}", "moment"},
        {"{" VERB ",\"ayttm\":{\"state\":\"yes\"}}", "moment"},
        {"{" VERB ",\"ayttm\":{\"state\":\"yes\",\"stamp_s\":1,\"noes\":1}}", "neither"},
        {"{" VERB ",\"source\":{\"state\":\"no\",\"stamp_s\":1}}", "neither"},
        {"{" VERB ",\"source\":{\"state\":\"no\",\"stamp_s\":1,\"noes\":7}}", "moment"},
        {"{" VERB ",\"hostkey\":{\"state\":\"maybe\",\"stamp_s\":1,\"noes\":1}}", "neither"},
        {"{" ONETIME ",\"valids\":1001}", "number"},
        {"{" ONETIME ",\"valids\":-1}", "number"},
        {"{" ONETIME ",\"valids\":\"3\"}", "number"},
        {"{" ONETIME ",\"valid_s\":-1}", "number"},
        {"{" ONETIME ",\"valid_s\":9223372036854775807}", "number"},
        {"{" ONETIME ",\"invalid_s\":1.5}", "number"},
        {"{" FRIEND "}", "address"},
        {"{" FRIEND ",\"address\":\"u\"}", "address"},
        {"{" FRIEND ",\"address\":\"u@a b\"}", "address"},
        {"{" FRIEND ",\"address\":\"u\\r\\n@a.example\"}", "address"},
        {"{" FRIEND ",\"address\":\"u@example.org\",\"stamp_s\":-1}", "number"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        json_t *object = json_loads(table[i].json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

        assert_non_null(object);
        assert_refused(object, table[i].why, table[i].json);
    }
}

static void texts_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *type, *key;
        size_t max;
        const char *why;
    } table[] = {
        {"address", "address", 64 + 1 + 255, "address"},
        {"address", "relay", 255 + 15, "address"},
        {"address", "reply", RB_REPLY_MAX, "text"},
        {"address", "mx", RB_DOMAIN_MAX, "text"},
        {"address", "ip", 45, "text"},
        {"address", "rule", RB_RULE_MAX, "text"},
        {"address", "mail_from", RB_ADDRESS_MAX, "text"},
        {"domain", "domain", 255, "domain"},
        {"host", "ip", 45, "ip"},
        {"fold", "fold", CACHE_KEY_MAX - 1, "fold"},
        {"fold", "kind", 15, "fold"},
    };
    char text[1000];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        json_t *object = json_loads("{" ADDRESS "}", 0, NULL);

        memset(text, 'a', sizeof text);
        text[1] = '@';
        text[table[i].max + 1] = '\0';
        json_object_set_new(object, "type", json_string(table[i].type));
        json_object_set_new(object, table[i].key, json_string(text));
        assert_refused(object, table[i].why, table[i].key);
    }
}

static void what_is_longer_than_a_path_is_no_key(void **state)
{
    struct json_record record;
    const char *why;
    char text[RB_ADDRESS_MAX + 2];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_true(text_copy(text + RB_ADDRESS_MAX + 1 - 12, 13, "@example.org"));
    assert_refused(
        json_pack("{s:s, s:s, s:s}", "type", "address", "reason", "accepted", "address", text),
        "address", text);
    json_t *object =
        json_pack("{s:s, s:s, s:s}", "type", "address", "reason", "accepted", "address", text + 1);
    assert_true(json_read_entry(object, &record, &why));
    assert_string_equal(record.key + 1, text + 1);
    json_decref(object);
    /* nor one that becomes so in A-labels */
    (void)snprintf(text + RB_ADDRESS_MAX + 1 - 15, 16, "@\303\274.example.org");
    assert_refused(
        json_pack("{s:s, s:s, s:s}", "type", "address", "reason", "accepted", "address", text + 1),
        "address", text);
}

static json_t *random_value(unsigned *seed)
{
    static const char *const strings[] = {"",      "yes", "u@example.org", "[",    "\x01", "no",
                                          "::1",   "@",   "accepted",      "host", "?",    "\x7f",
                                          "domain"};

    switch (rand_r(seed) % 8) {
    case 0:
        return json_null();
    case 1:
        return json_true();
    case 2:
        return json_integer((json_int_t)rand_r(seed) * rand_r(seed));
    case 3:
        return json_integer(-rand_r(seed));
    case 4:
        return json_real(1e300 * rand_r(seed));
    case 5:
        return json_pack("[s]", "a");
    case 6:
        return json_pack("{s:s, s:i}", "state", strings[(size_t)rand_r(seed) % COUNT(strings)],
                         "stamp_s", rand_r(seed));
    default:
        return json_string(strings[(size_t)rand_r(seed) % COUNT(strings)]);
    }
}

static json_t *random_entry(unsigned *seed)
{
    static const char *const keys[] = {
        "type",         "address",     "relay", "reason", "stamp_s",       "mx",        "ip",
        "port",         "tls",         "stage", "code",   "enhanced",      "reply",     "rule",
        "mail_from",    "wait_s",      "dead",  "domain", "trips",         "catch_all", "failures",
        "held_until_s", "dead_reason", "kind",  "fold",   "valids",        "valid_s",   "invalid_s",
        "first_s",      "due_s",       "tries", "host",   "unreachable_s", "ayttm",     "hostkey",
    };
    static const char *const starts[] = {"{" ADDRESS "}",
                                         "{" DOMAIN "}",
                                         "{" HOST "}",
                                         "{" ONETIME "}",
                                         "{" RETRY "}",
                                         "{" VERB "}",
                                         "{" FRIEND ",\"address\":\"u@example.org\"}"};
    json_t *object = json_loads(starts[(size_t)rand_r(seed) % COUNT(starts)], 0, NULL);

    for (int n = rand_r(seed) % 4; n >= 0; n--) {
        const char *key = keys[(size_t)rand_r(seed) % COUNT(keys)];

        if (rand_r(seed) % 4 == 0)
            (void)json_object_del(object, key);
        else
            (void)json_object_set_new(object, key, random_value(seed));
    }
    return object;
}

/* Whatever is taken can be stored: the key fits, and the codec takes the record. */
static void assert_storable(const struct json_record *record)
{
    uint8_t octets[RECORD_SIZE_MAX];

    assert_in_range(strlen(record->key), 1, CACHE_KEY_MAX);
    if (record->table == CACHE_ADDRESS)
        assert_true(address_record_encode(&record->address, octets, sizeof octets) > 0);
    else if (record->table == CACHE_DOMAIN)
        assert_true(domain_record_encode(&record->domain, octets, sizeof octets) > 0);
    else if (record->table == CACHE_ONETIME)
        assert_true(onetime_record_encode(&record->onetime, octets, sizeof octets) > 0);
    else if (record->table == CACHE_VERB)
        assert_true(verb_record_encode(&record->verb, octets, sizeof octets) > 0);
    else if (record->table == CACHE_RETRY)
        assert_true(retry_record_encode(&record->retry, octets, sizeof octets) > 0);
    else
        assert_true(host_record_encode(&record->host, octets, sizeof octets) > 0);
}

static void random_json_is_taken_or_refused_with_a_reason(void **state)
{
    unsigned seed = (unsigned)time(NULL), taken = 0;

    (void)state;
    print_message("# seed %u\n", seed);
    for (int i = 0; i < MUTATIONS; i++) {
        json_t *object = random_entry(&seed);
        struct json_record record;
        const char *why = NULL;

        if (json_read_entry(object, &record, &why)) {
            assert_null(why);
            assert_storable(&record);
            taken++;
        } else {
            assert_non_null(why);
        }
        json_decref(object);
    }
    assert_in_range(taken, MUTATIONS / 100, MUTATIONS - MUTATIONS / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_exactly_the_keys_of_the_contract),
        cmocka_unit_test(an_answer_is_written_as_the_contract_has_it),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(an_answer_is_read_again_as_it_was),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(octets_come_back_as_they_were),
        cmocka_unit_test(the_null_sender_is_not_an_unknown_one),
        cmocka_unit_test(an_address_of_8_bit_octets_is_utf8_or_replaced),
        cmocka_unit_test(text_of_any_octets_becomes_json),
        cmocka_unit_test(a_transcript_is_there_when_asked_for),
        cmocka_unit_test(a_transcript_that_was_not_kept_is_empty),
        cmocka_unit_test(an_address_record_comes_back_as_it_was),
        cmocka_unit_test(every_reason_and_stage_comes_back),
        cmocka_unit_test(odd_local_parts_come_back_as_their_own),
        cmocka_unit_test(a_domain_written_otherwise_is_made_canonical),
        cmocka_unit_test(age_and_what_is_left_are_told),
        cmocka_unit_test(an_address_record_has_exactly_its_keys),
        cmocka_unit_test(a_domain_record_comes_back_as_it_was),
        cmocka_unit_test(facts_that_are_not_known_are_null),
        cmocka_unit_test(a_host_record_comes_back_as_it_was),
        cmocka_unit_test(a_host_that_answers_again_is_not_held),
        cmocka_unit_test(a_correspondent_comes_back_as_one),
        cmocka_unit_test(a_onetime_class_comes_back_as_it_was),
        cmocka_unit_test(a_onetime_class_has_exactly_its_keys),
        cmocka_unit_test(a_hosts_verbs_come_back_as_they_were),
        cmocka_unit_test(a_hosts_verbs_have_exactly_their_keys),
        cmocka_unit_test(a_retry_comes_back_as_it_was_but_for_its_owner),
        cmocka_unit_test(a_retry_has_exactly_its_keys),
        cmocka_unit_test(hostile_json_is_refused_with_a_reason),
        cmocka_unit_test(texts_that_do_not_fit_are_refused),
        cmocka_unit_test(what_is_longer_than_a_path_is_no_key),
        cmocka_unit_test(random_json_is_taken_or_refused_with_a_reason),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
