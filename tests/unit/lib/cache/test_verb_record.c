/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_verb_record: the codec gives back what it was given and believes nothing else; for how long
 * a yes, a no and an unreachable host count.
 */
#include "config.h"

#include "cache/verb_record.h"

#include "check.h"

#include "cache/codec.h"
#include "cache/record.h"

#define DAY INT64_C(86400)

enum { NOW = 2000000000, AYTTM = 1, HOSTKEY = 3 };

static bool same(const struct verb_record *a, const struct verb_record *b)
{
    for (unsigned i = 0; i < VERB_RECORD_VERBS; i++)
        if (a->verbs[i].state != b->verbs[i].state || a->verbs[i].stamp_s != b->verbs[i].stamp_s ||
            a->verbs[i].noes != b->verbs[i].noes)
            return false;
    return a->unreachable_s == b->unreachable_s;
}

/* --- Codec ---------------------------------------------------------------- */

static const struct verb_record samples[] = {
    {.unreachable_s = 0},
    {.unreachable_s = NOW},
    {.verbs = {{VERB_YES, NOW, 0}}},
    {.verbs = {{VERB_NO, NOW, 1}, {VERB_YES, 1, 0}}, .unreachable_s = 1},
    {.verbs = {{VERB_NO, CODEC_STAMP_MAX, VERB_RECORD_NOES_MAX},
               {VERB_NO, CODEC_STAMP_MAX, VERB_RECORD_NOES_MAX},
               {VERB_NO, CODEC_STAMP_MAX, VERB_RECORD_NOES_MAX}},
     .unreachable_s = CODEC_STAMP_MAX},
};

static void what_is_encoded_is_decoded(void **state)
{
    uint8_t octets[VERB_RECORD_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct verb_record again;
        const size_t len = verb_record_encode(&samples[i], octets, sizeof octets);

        assert_in_range(len, 1, sizeof octets);
        assert_true(verb_record_decode(octets, len, &again));
        assert_true(same(&samples[i], &again));
        for (size_t size = 0; size < len; size++)
            assert_int_equal(verb_record_encode(&samples[i], octets, size), 0);
    }
}

static void what_cannot_be_is_not_encoded(void **state)
{
    static const struct verb_record wrong[] = {
        {.unreachable_s = -1},
        {.unreachable_s = CODEC_STAMP_MAX + 1},
        {.verbs = {{VERB_NOT_KNOWN, NOW, 0}}},
        {.verbs = {{VERB_NOT_KNOWN, 0, 1}}},
        {.verbs = {{VERB_YES, 0, 0}}},
        {.verbs = {{VERB_YES, NOW, 1}}},
        {.verbs = {{VERB_YES, CODEC_STAMP_MAX + 1, 0}}},
        {.verbs = {{VERB_NO, NOW, 0}}},
        {.verbs = {{VERB_NO, NOW, VERB_RECORD_NOES_MAX + 1}}},
        {.verbs = {{VERB_NO, -NOW, 1}}},
        {.verbs = {{(enum verb_state)3, NOW, 0}}},
    };
    uint8_t octets[64];

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(verb_record_encode(&wrong[i], octets, sizeof octets), 0);
}

static void a_changed_octet_makes_it_none(void **state)
{
    uint8_t octets[VERB_RECORD_SIZE_MAX + 1];
    struct verb_record record;
    const size_t len = verb_record_encode(&samples[3], octets, sizeof octets);

    (void)state;
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            octets[i] ^= (uint8_t)(1U << bit);
            record = samples[4];
            assert_false(verb_record_decode(octets, len, &record));
            assert_true(same(&record, &samples[0]));
            octets[i] ^= (uint8_t)(1U << bit);
        }
    for (size_t cut = 0; cut < len; cut++)
        assert_false(verb_record_decode(octets, cut, &record));
    octets[len] = 0;
    assert_false(verb_record_decode(octets, len + 1, &record));
    assert_false(verb_record_decode(NULL, 0, &record));
}

/* Under a right checksum. */
static bool decodes(char kind, unsigned count, unsigned state, uint64_t stamp_s, uint64_t noes)
{
    uint8_t octets[128];
    struct codec_sink sink;
    struct verb_record record;

    codec_open_sink(&sink, octets, sizeof octets, kind);
    codec_put_varint(&sink, 0);
    codec_put_octet(&sink, count);
    for (unsigned i = 0; i < count; i++) {
        codec_put_octet(&sink, state);
        codec_put_varint(&sink, stamp_s);
        codec_put_varint(&sink, noes);
    }
    return verb_record_decode(octets, codec_put_end(&sink), &record);
}

static void a_forged_record_is_none(void **state)
{
    (void)state;
    assert_true(decodes('v', VERB_RECORD_VERBS, VERB_NO, NOW, 2));
    assert_false(decodes('f', VERB_RECORD_VERBS, VERB_NO, NOW, 2));
    assert_false(decodes('v', VERB_RECORD_VERBS - 1, VERB_NO, NOW, 2));
    assert_false(decodes('v', VERB_RECORD_VERBS + 1, VERB_NO, NOW, 2));
    assert_false(decodes('v', VERB_RECORD_VERBS, 3, NOW, 0));
    assert_false(decodes('v', VERB_RECORD_VERBS, VERB_NO, NOW, 0));
    assert_false(decodes('v', VERB_RECORD_VERBS, VERB_NO, NOW, VERB_RECORD_NOES_MAX + 1));
    assert_false(decodes('v', VERB_RECORD_VERBS, VERB_YES, NOW, 1));
    assert_false(decodes('v', VERB_RECORD_VERBS, VERB_YES, UINT64_MAX, 0));
    assert_false(decodes('v', VERB_RECORD_VERBS, VERB_NOT_KNOWN, NOW, 0));
}

/* --- What counts ----------------------------------------------------------- */

static void a_no_counts_twice_as_long_each_time_it_is_said_again(void **state)
{
    static const int days[] = {1, 2, 4, 8, 16, 30, 30, 30};
    struct verb_record record = {.unreachable_s = 0};
    const struct verb_fact *fact = &record.verbs[AYTTM - 1];
    int64_t now_s = NOW;

    (void)state;
    for (size_t i = 0; i < COUNT(days); i++) {
        const int64_t until_s = now_s + days[i] * DAY;

        assert_true(verb_record_note(&record, AYTTM, false, now_s));
        assert_int_equal(verb_fact_until_s(fact, now_s), until_s);
        assert_false(verb_record_note(&record, AYTTM, false, until_s - 1)); /* said at once */
        assert_int_equal(verb_fact_until_s(fact, until_s - 1), until_s);
        assert_int_equal(verb_fact_until_s(fact, until_s), 0);
        now_s = until_s;
    }
    assert_true(verb_record_note(&record, AYTTM, true, now_s));
    assert_true(verb_record_note(&record, AYTTM, false, now_s + 1));
    assert_int_equal(verb_fact_until_s(fact, now_s + 1), now_s + 1 + DAY);
    assert_int_equal(record.verbs[HOSTKEY - 1].state, VERB_NOT_KNOWN);
}

static void a_yes_is_written_down_once_a_day_and_counts_for_seven(void **state)
{
    struct verb_record record = {.unreachable_s = 0};
    const struct verb_fact *fact = &record.verbs[HOSTKEY - 1];

    (void)state;
    assert_true(verb_record_note(&record, HOSTKEY, true, NOW));
    assert_false(verb_record_note(&record, HOSTKEY, true, NOW + DAY - 1));
    assert_true(verb_record_note(&record, HOSTKEY, true, NOW + DAY));
    assert_int_equal(verb_fact_until_s(fact, NOW + DAY), NOW + 8 * DAY);
    assert_int_equal(verb_fact_until_s(fact, NOW + 8 * DAY), 0);
}

static void who_answers_can_be_reached(void **state)
{
    struct verb_record record = {.unreachable_s = 0};

    (void)state;
    assert_int_equal(verb_record_unreachable_until_s(&record, NOW), 0);
    assert_true(verb_record_note(&record, AYTTM, true, NOW));
    assert_true(verb_record_note_unreachable(&record, NOW));
    assert_int_equal(verb_record_unreachable_until_s(&record, NOW + 599), NOW + 600);
    assert_int_equal(verb_record_unreachable_until_s(&record, NOW + 600), 0);
    assert_int_equal(record.verbs[AYTTM - 1].state, VERB_YES);
    assert_true(verb_record_note(&record, AYTTM, true, NOW + 1));
    assert_int_equal(verb_record_unreachable_until_s(&record, NOW + 1), 0);
}

static void a_moment_that_cannot_be_counts_for_nothing(void **state)
{
    struct verb_record record = samples[4]; /* far in the future */

    (void)state;
    assert_int_equal(verb_fact_until_s(&record.verbs[0], NOW), 0);
    assert_int_equal(verb_record_unreachable_until_s(&record, NOW), 0);
    assert_true(verb_record_note(&record, AYTTM, false, NOW)); /* and gives way */
    assert_int_equal(record.verbs[0].stamp_s, NOW);
    assert_false(verb_record_note(&record, AYTTM, true, 0));
    assert_false(verb_record_note(&record, AYTTM, true, -1));
    assert_false(verb_record_note_unreachable(&record, CODEC_STAMP_MAX + 1));
}

static void how_often_it_was_no_outlives_the_no(void **state)
{
    struct verb_record record = {.unreachable_s = 0};

    (void)state;
    assert_true(verb_record_is_expired(&record, NOW));
    (void)verb_record_note_unreachable(&record, NOW);
    assert_int_equal(verb_record_stamp_s(&record), NOW);
    assert_false(verb_record_is_expired(&record, NOW + 599));
    assert_true(verb_record_is_expired(&record, NOW + 600));
    (void)verb_record_note(&record, AYTTM, true, NOW);
    assert_false(verb_record_is_expired(&record, NOW + 7 * DAY - 1));
    assert_true(verb_record_is_expired(&record, NOW + 7 * DAY));
    (void)verb_record_note(&record, AYTTM, false, NOW);
    assert_false(verb_record_is_expired(&record, NOW + 31 * DAY - 1));
    assert_true(verb_record_is_expired(&record, NOW + 31 * DAY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(what_cannot_be_is_not_encoded),
        cmocka_unit_test(a_changed_octet_makes_it_none),
        cmocka_unit_test(a_forged_record_is_none),
        cmocka_unit_test(a_no_counts_twice_as_long_each_time_it_is_said_again),
        cmocka_unit_test(a_yes_is_written_down_once_a_day_and_counts_for_seven),
        cmocka_unit_test(who_answers_can_be_reached),
        cmocka_unit_test(a_moment_that_cannot_be_counts_for_nothing),
        cmocka_unit_test(how_often_it_was_no_outlives_the_no),
    };

    return cmocka_run_group_tests_name("verb_record", tests, NULL, NULL);
}
