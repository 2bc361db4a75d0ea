/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_onetime_record: the codec gives back what it was given and believes nothing else; when a
 * class answers, what is noted of it, and how two records of it become one.
 */
#include "config.h"

#include "cache/onetime_record.h"

#include "check.h"

#include <stdio.h>
#include <time.h>

#include "cache/codec.h"
#include "cache/record.h"

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)

enum { NOW = 2000000000 };

static const struct rb_lifetimes LIFETIMES = {
    .valid_ttl_s = 31 * DAY,
    .valid_refresh_s = 7 * DAY,
    .invalid_ttl_s = 3 * DAY,
    .invalid_refresh_s = 3 * HOUR,
    .unknown_ttl_s = 1800,
    .domain_ttl_s = 5 * DAY,
};

/* Not of the sample: else the tests below that want an answer fail. */
static const char ORDINARY[] = "l-bounces+u0=example.com@l.example";

static bool same(const struct onetime_record *a, const struct onetime_record *b)
{
    return a->valids == b->valids && a->valid_s == b->valid_s && a->invalid_s == b->invalid_s;
}

/* --- Codec ---------------------------------------------------------------- */

static const struct onetime_record samples[] = {
    {0},
    {.valids = 1, .valid_s = NOW},
    {.valids = 0, .invalid_s = NOW},
    {.valids = 127, .valid_s = NOW, .invalid_s = NOW - 1},
    {.valids = 128, .valid_s = 1, .invalid_s = 1},
    {.valids = ONETIME_VALIDS_MAX, .valid_s = CODEC_STAMP_MAX, .invalid_s = CODEC_STAMP_MAX},
};

static void what_is_encoded_is_decoded(void **state)
{
    uint8_t octets[ONETIME_RECORD_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct onetime_record again;
        const size_t len = onetime_record_encode(&samples[i], octets, sizeof octets);
        assert_in_range(len, 1, sizeof octets);
        assert_true(onetime_record_decode(octets, len, &again));
        assert_true(same(&samples[i], &again));
    }
}

static void what_does_not_fit_is_not_encoded(void **state)
{
    uint8_t octets[ONETIME_RECORD_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        const size_t len = onetime_record_encode(&samples[i], octets, sizeof octets);
        for (size_t size = 0; size < len; size++)
            assert_int_equal(onetime_record_encode(&samples[i], octets, size), 0);
    }
}

static void what_is_out_of_range_is_not_encoded(void **state)
{
    static const struct onetime_record wrong[] = {
        {.valids = ONETIME_VALIDS_MAX + 1},
        {.valids = UINT32_MAX},
        {.valid_s = -1},
        {.invalid_s = -1},
        {.valid_s = CODEC_STAMP_MAX + 1},
        {.invalid_s = INT64_MAX},
    };
    uint8_t octets[64];

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(onetime_record_encode(&wrong[i], octets, sizeof octets), 0);
}

static void a_changed_octet_makes_it_none(void **state)
{
    uint8_t octets[ONETIME_RECORD_SIZE_MAX];
    struct onetime_record record;
    const size_t len = onetime_record_encode(&samples[3], octets, sizeof octets);

    (void)state;
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            octets[i] ^= (uint8_t)(1U << bit);
            record = samples[5];
            assert_false(onetime_record_decode(octets, len, &record));
            assert_true(same(&record, &samples[0]));
            octets[i] ^= (uint8_t)(1U << bit);
        }
}

static void a_cut_or_longer_record_is_none(void **state)
{
    uint8_t octets[ONETIME_RECORD_SIZE_MAX + 1] = {0};
    struct onetime_record record;
    const size_t len = onetime_record_encode(&samples[3], octets, sizeof octets);

    (void)state;
    for (size_t cut = 0; cut < len; cut++)
        assert_false(onetime_record_decode(octets, cut, &record));
    octets[len] = 0;
    assert_false(onetime_record_decode(octets, len + 1, &record));
    assert_false(onetime_record_decode(NULL, 0, &record));
    assert_false(onetime_record_decode(NULL, 40, &record));
}

/* Under a right checksum. */
static bool decodes(char kind, uint64_t valids, uint64_t valid_s, uint64_t invalid_s,
                    const char *more)
{
    uint8_t octets[128];
    struct codec_sink sink;
    struct onetime_record record;

    codec_open_sink(&sink, octets, sizeof octets, kind);
    codec_put_varint(&sink, valids);
    codec_put_varint(&sink, valid_s);
    codec_put_varint(&sink, invalid_s);
    codec_put_octets(&sink, more, strlen(more));
    return onetime_record_decode(octets, codec_put_end(&sink), &record);
}

static void a_forged_record_is_none(void **state)
{
    (void)state;
    assert_true(decodes('f', 5, NOW, 0, ""));
    assert_false(decodes('f', 5, NOW, 0, "x"));
    assert_false(decodes('G', 5, NOW, 0, ""));
    assert_false(decodes('F', 5, NOW, 0, "")); /* an earlier layout's */
    assert_false(decodes('a', 5, NOW, 0, ""));
    assert_false(decodes('f', ONETIME_VALIDS_MAX + 1, NOW, 0, ""));
    assert_false(decodes('f', UINT64_MAX, NOW, 0, ""));
    assert_false(decodes('f', 5, CODEC_STAMP_MAX + 1, 0, ""));
    assert_false(decodes('f', 5, NOW, UINT64_MAX, ""));
}

static void no_record_of_another_kind_is_of_a_class(void **state)
{
    uint8_t octets[RECORD_SIZE_MAX];
    struct onetime_record onetime;
    struct domain_record domain = {.dead = {FACT_NO, NOW}};
    struct host_record host = {.failures = 1};
    size_t len = domain_record_encode(&domain, octets, sizeof octets);

    (void)state;
    assert_false(onetime_record_decode(octets, len, &onetime));
    len = host_record_encode(&host, octets, sizeof octets);
    assert_false(onetime_record_decode(octets, len, &onetime));
    len = onetime_record_encode(&samples[3], octets, sizeof octets);
    assert_false(domain_record_decode(octets, len, &domain));
    assert_false(host_record_decode(octets, len, &host));
}

static void the_codecs_text_and_limits_hold(void **state)
{
    uint8_t octets[64];
    char text[8] = "ab", small[4] = "";
    struct codec_sink sink;
    struct codec_source source;
    size_t len;

    (void)state;
    codec_open_sink(&sink, octets, sizeof octets, 'x');
    codec_put_text(&sink, "cdef", 5);
    len = codec_put_end(&sink);
    assert_true(codec_open_source(&source, octets, len, 'x'));
    codec_get_text(&source, text, sizeof text, 2);
    assert_true(codec_is_done(&source));
    assert_string_equal(text, "abcdef");
    assert_true(codec_open_source(&source, octets, len, 'x'));
    codec_get_text(&source, small, sizeof small, 0);
    assert_false(codec_is_done(&source));
    assert_string_equal(small, "");

    codec_open_sink(&sink, octets, sizeof octets, 'x');
    codec_put_text(&sink, "a\nb", 4);
    assert_int_equal(codec_put_end(&sink), 0);
    codec_open_sink(&sink, octets, sizeof octets, 'x');
    codec_put_text(&sink, "abcd", 4);
    assert_int_equal(codec_put_end(&sink), 0);
}

/* --- Noting --------------------------------------------------------------- */

static void a_valid_counts_and_an_invalid_sets_back(void **state)
{
    struct onetime_record record = {0};

    (void)state;
    onetime_record_note(&record, RB_VERDICT_VALID, NOW);
    onetime_record_note(&record, RB_VERDICT_VALID, NOW + 1);
    assert_true(same(&record, &(struct onetime_record){.valids = 2, .valid_s = NOW + 1}));
    onetime_record_note(&record, RB_VERDICT_UNKNOWN, NOW + 2);
    assert_true(same(&record, &(struct onetime_record){.valids = 2, .valid_s = NOW + 1}));
    onetime_record_note(&record, RB_VERDICT_INVALID, NOW + 3);
    assert_true(same(&record, &(struct onetime_record){.valid_s = NOW + 1, .invalid_s = NOW + 3}));
    onetime_record_note(&record, RB_VERDICT_VALID, NOW + 4);
    assert_true(same(&record, &(struct onetime_record){1, NOW + 4, NOW + 3}));
}

static void the_count_stops_at_its_ceiling(void **state)
{
    struct onetime_record record = {.valids = ONETIME_VALIDS_MAX - 1};
    uint8_t octets[ONETIME_RECORD_SIZE_MAX];

    (void)state;
    for (int i = 0; i < 3; i++)
        onetime_record_note(&record, RB_VERDICT_VALID, NOW);
    assert_int_equal(record.valids, ONETIME_VALIDS_MAX);
    assert_int_not_equal(onetime_record_encode(&record, octets, sizeof octets), 0);
}

static void an_impossible_clock_leaves_no_trace(void **state)
{
    static const int64_t clocks[] = {0, -1, INT64_MIN, CODEC_STAMP_MAX + 1, INT64_MAX};
    struct onetime_record record = samples[3];

    (void)state;
    for (size_t i = 0; i < COUNT(clocks); i++) {
        onetime_record_note(&record, RB_VERDICT_VALID, clocks[i]);
        onetime_record_note(&record, RB_VERDICT_INVALID, clocks[i]);
        assert_true(same(&record, &samples[3]));
    }
}

/* --- Answering ------------------------------------------------------------ */

struct answer {
    const char *what;
    enum onetime_kind kind;
    struct onetime_record record;
    bool answers;
};

static const struct answer answers[] = {
    {"BATV: nothing known", ONETIME_BATV, {0}, false},
    {"BATV: one valid", ONETIME_BATV, {1, NOW - 1, 0}, true},
    {"BATV: one valid, this second", ONETIME_BATV, {1, NOW, 0}, true},
    {"BATV: the last second", ONETIME_BATV, {1, NOW - 7 * DAY + 1, 0}, true},
    {"BATV: too old", ONETIME_BATV, {1, NOW - 7 * DAY, 0}, false},
    {"BATV: the future", ONETIME_BATV, {1, NOW + DAY, 0}, true},
    {"SRS: one valid", ONETIME_SRS, {1, NOW - 1, 0}, true},
    {"SRS: too old", ONETIME_SRS, {900, NOW - 8 * DAY, 0}, false},
    {"VERP: nothing known", ONETIME_VERP, {0}, false},
    {"VERP: not enough", ONETIME_VERP, {ONETIME_ENOUGH - 1, NOW - 1, 0}, false},
    {"VERP: enough", ONETIME_VERP, {ONETIME_ENOUGH, NOW - 1, 0}, true},
    {"VERP: enough, the last second", ONETIME_VERP, {ONETIME_ENOUGH, NOW - 7 * DAY + 1, 0}, true},
    {"VERP: enough, too old", ONETIME_VERP, {ONETIME_ENOUGH, NOW - 7 * DAY, 0}, false},
    {"VERP: enough, but one invalid", ONETIME_VERP, {ONETIME_ENOUGH, NOW, NOW - HOUR}, false},
    {"VERP: invalid to the last second", ONETIME_VERP, {9, NOW, NOW - 5 * DAY + 1}, false},
    {"VERP: invalid long ago", ONETIME_VERP, {ONETIME_ENOUGH, NOW, NOW - 5 * DAY}, true},
    {"VERP: invalid in the future", ONETIME_VERP, {ONETIME_ENOUGH, NOW, NOW + DAY}, false},
    {"none", ONETIME_NONE, {ONETIME_ENOUGH, NOW, 0}, false},
};

static void a_class_answers_when_enough_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++)
        if (onetime_record_answers(&answers[i].record, answers[i].kind, ORDINARY, &LIFETIMES,
                                   NOW) != answers[i].answers)
            fail_msg("%s", answers[i].what);
}

static void strange_clocks_and_lifetimes_end_in_no_answer(void **state)
{
    const struct onetime_record record = {ONETIME_ENOUGH, 1, 0};
    const struct rb_lifetimes none = {0};

    (void)state;
    assert_false(onetime_record_answers(&record, ONETIME_BATV, ORDINARY, &LIFETIMES, INT64_MAX));
    assert_false(onetime_record_answers(&record, ONETIME_BATV, ORDINARY, &none, 1));
    assert_true(onetime_record_answers(&record, ONETIME_BATV, ORDINARY, &LIFETIMES, INT64_MIN));
}

/* How many of `count` recipients are answered for from the class. */
static unsigned answered(enum onetime_kind kind, unsigned count)
{
    const struct onetime_record record = {ONETIME_ENOUGH, NOW, 0};
    unsigned sum = 0;

    for (unsigned i = 0; i < count; i++) {
        char key[RB_ADDRESS_MAX + 1];
        (void)snprintf(key, sizeof key, "l-bounces+u%u=example.com@l.example", i);
        sum += onetime_record_answers(&record, kind, key, &LIFETIMES, NOW);
    }
    return sum;
}

static void one_in_ten_of_a_believed_list_is_asked_about(void **state)
{
    (void)state;
    assert_in_range(answered(ONETIME_VERP, 10000), 8800, 9200);
    assert_int_equal(answered(ONETIME_BATV, 1000), 1000);
    assert_int_equal(answered(ONETIME_SRS, 1000), 1000);
}

static void the_sample_is_the_same_each_time(void **state)
{
    (void)state;
    assert_int_equal(answered(ONETIME_VERP, 500), answered(ONETIME_VERP, 500));
}

static void a_list_that_goes_bad_is_asked_about_until_it_is_good_again(void **state)
{
    struct onetime_record record = {ONETIME_VALIDS_MAX, NOW, 0};
    int64_t now_s = NOW + 1;

    (void)state;
    assert_true(onetime_record_answers(&record, ONETIME_VERP, ORDINARY, &LIFETIMES, now_s));
    onetime_record_note(&record, RB_VERDICT_INVALID, now_s);
    now_s += 5 * DAY;
    for (unsigned i = 0; i < ONETIME_ENOUGH; i++) {
        assert_false(onetime_record_answers(&record, ONETIME_VERP, ORDINARY, &LIFETIMES, now_s));
        onetime_record_note(&record, RB_VERDICT_VALID, now_s);
    }
    assert_true(onetime_record_answers(&record, ONETIME_VERP, ORDINARY, &LIFETIMES, now_s));
}

/* --- Merging -------------------------------------------------------------- */

struct merge {
    struct onetime_record one, two, merged;
};

static const struct merge merges[] = {
    {{0}, {0}, {0}},
    {{0}, {3, NOW, 0}, {3, NOW, 0}},
    {{4, NOW, 0}, {4, NOW + 1, 0}, {4, NOW + 1, 0}}, /* both counted the same three: not eight */
    {{4, NOW + 9, 0}, {6, NOW, 0}, {6, NOW + 9, 0}},
    {{900, NOW + 9, 0}, {0, NOW, NOW + 1}, {0, NOW + 9, NOW + 1}},
    {{2, NOW + 9, NOW}, {7, NOW + 5, NOW - 1}, {2, NOW + 9, NOW}},
    {{2, NOW + 9, NOW}, {1, NOW + 5, NOW}, {2, NOW + 9, NOW}},
};

static void merging_does_not_depend_on_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(merges); i++) {
        struct onetime_record one = merges[i].one, two = merges[i].two;
        onetime_record_merge(&one, &merges[i].two);
        onetime_record_merge(&two, &merges[i].one);
        assert_true(same(&one, &merges[i].merged));
        assert_true(same(&two, &merges[i].merged));
        onetime_record_merge(&one, &merges[i].two);
        assert_true(same(&one, &merges[i].merged));
    }
}

static struct onetime_record random_record(unsigned *seed)
{
    return (struct onetime_record){
        .valids = (unsigned)rand_r(seed) % 4,
        .valid_s = rand_r(seed) % 4,
        .invalid_s = rand_r(seed) % 4,
    };
}

static void three_merge_to_the_same_in_any_order(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("# seed %u\n", seed);
    for (int i = 0; i < 5000; i++) {
        const struct onetime_record a = random_record(&seed), b = random_record(&seed);
        struct onetime_record c = random_record(&seed), left = a, right = b;
        onetime_record_merge(&left, &b);
        onetime_record_merge(&left, &c);
        onetime_record_merge(&c, &right);
        onetime_record_merge(&c, &a);
        assert_true(same(&left, &c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(what_does_not_fit_is_not_encoded),
        cmocka_unit_test(what_is_out_of_range_is_not_encoded),
        cmocka_unit_test(a_changed_octet_makes_it_none),
        cmocka_unit_test(a_cut_or_longer_record_is_none),
        cmocka_unit_test(a_forged_record_is_none),
        cmocka_unit_test(no_record_of_another_kind_is_of_a_class),
        cmocka_unit_test(the_codecs_text_and_limits_hold),
        cmocka_unit_test(a_valid_counts_and_an_invalid_sets_back),
        cmocka_unit_test(the_count_stops_at_its_ceiling),
        cmocka_unit_test(an_impossible_clock_leaves_no_trace),
        cmocka_unit_test(a_class_answers_when_enough_is_known),
        cmocka_unit_test(strange_clocks_and_lifetimes_end_in_no_answer),
        cmocka_unit_test(one_in_ten_of_a_believed_list_is_asked_about),
        cmocka_unit_test(the_sample_is_the_same_each_time),
        cmocka_unit_test(a_list_that_goes_bad_is_asked_about_until_it_is_good_again),
        cmocka_unit_test(merging_does_not_depend_on_the_order),
        cmocka_unit_test(three_merge_to_the_same_in_any_order),
    };

    return cmocka_run_group_tests_name("onetime_record", tests, NULL, NULL);
}
