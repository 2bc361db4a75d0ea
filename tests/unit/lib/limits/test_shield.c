/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shield: which crowds of addresses raise a domain's shield, how long it is up, and what a
 * table that is full forgets.
 */
#include "config.h"

#include "limits/shield.h"

#include <stdio.h>
#include <time.h>

#include "check.h"
#include "dice.h"

enum { START_S = 2000000000, MANY = 100 * 1000 };

#define VALID RB_VERDICT_VALID
#define INVALID RB_VERDICT_INVALID
#define UNKNOWN RB_VERDICT_UNKNOWN

/* 10 addresses in 100 s: 1000 s of peace. */
static const struct rb_shield_options usual = {.addresses = 10, .window_s = 100, .hold_s = 1000};

static struct shield_table *table(size_t domains_max)
{
    struct shield_table *shield = shield_new(domains_max);

    assert_non_null(shield);
    return shield;
}

static bool note_number(struct shield_table *shield, const char *domain, unsigned number,
                        enum rb_verdict verdict, int64_t now_s)
{
    char key[16 + RB_DOMAIN_MAX + 2];

    (void)snprintf(key, sizeof key, "u%u@%s", number, domain);
    return shield_note(shield, domain, key, verdict, &usual, now_s);
}

/* `count` new addresses at once. True when the last of them raised the shield, no earlier one. */
static bool note_many(struct shield_table *shield, const char *domain, unsigned count,
                      enum rb_verdict verdict, int64_t now_s)
{
    static unsigned fresh = 1000000;
    bool raised = false;

    for (unsigned i = 0; i < count; i++) {
        assert_false(raised);
        raised = note_number(shield, domain, fresh++, verdict, now_s);
    }
    return raised;
}

static bool up(const struct shield_table *shield, const char *domain, int64_t now_s)
{
    return shield_is_up(shield, domain, now_s, NULL);
}

static void raise_now(struct shield_table *shield, const char *domain, int64_t now_s)
{
    assert_true(note_many(shield, domain, usual.addresses, INVALID, now_s));
}

static const char *name_number(unsigned number)
{
    static char name[32];

    (void)snprintf(name, sizeof name, "d%u.example", number);
    return name;
}

static void a_table_of_nothing_is_none(void **state)
{
    (void)state;
    assert_null(shield_new(0));
    shield_free(NULL);
}

static void a_domain_never_heard_of_has_no_shield(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);
    int64_t until_s = -7;

    assert_false(shield_is_up(shield, "d.example", START_S, &until_s));
    assert_int_equal(until_s, -7);
    assert_int_equal(shield_list_up(shield, START_S, NULL, 0), 0);
    shield_free(shield);
}

static void enough_invalid_addresses_raise_it_and_not_one_fewer(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);
    int64_t until_s = 0;

    assert_false(note_many(shield, "d.example", usual.addresses - 1, INVALID, START_S));
    assert_false(up(shield, "d.example", START_S));
    assert_true(note_many(shield, "d.example", 1, INVALID, START_S + 5));
    assert_true(shield_is_up(shield, "d.example", START_S + 5, &until_s));
    assert_int_equal(until_s, START_S + 5 + usual.hold_s);
    assert_false(up(shield, "other.example", START_S + 5));
    shield_free(shield);
}

static void it_ends_by_itself(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    raise_now(shield, "d.example", START_S);
    assert_true(up(shield, "d.example", START_S + usual.hold_s - 1));
    assert_false(up(shield, "d.example", START_S + usual.hold_s));
    assert_false(up(shield, "d.example", START_S + 10 * usual.hold_s));
    shield_free(shield);
}

/* Ten addresses of each row; whether the shield is up after them. */
static void the_verdicts_decide_whether_a_crowd_is_forged(void **state)
{
    (void)state;
    static const struct {
        unsigned valid, invalid, unknown;
        bool raised;
    } rows[] = {
        {0, 10, 0, true}, {10, 0, 0, false}, {0, 0, 10, false}, {5, 5, 0, true},
        {6, 4, 0, false}, {1, 1, 8, false},  {0, 1, 9, false},  {0, 3, 7, true},
        {3, 3, 4, true},  {1, 0, 9, false},  {2, 1, 7, false},  {0, 9, 0, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shield_table *shield = table(8);
        /* Valid ones first, so that no part of the crowd looks worse than the whole. */
        (void)note_many(shield, "d.example", rows[i].valid, VALID, START_S);
        (void)note_many(shield, "d.example", rows[i].unknown, UNKNOWN, START_S);
        (void)note_many(shield, "d.example", rows[i].invalid, INVALID, START_S);
        assert_int_equal(up(shield, "d.example", START_S), rows[i].raised);
        shield_free(shield);
    }
}

static void unknown_ones_alone_never_raise_it(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    for (unsigned i = 0; i < MANY; i++)
        assert_false(note_number(shield, "d.example", i, UNKNOWN, START_S + i / 1000));
    assert_false(up(shield, "d.example", START_S + MANY / 1000));
    shield_free(shield);
}

static void a_domain_that_sends_mail_is_never_shielded(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    /* Two in three exist: every ten of them in a row have more valid than invalid ones. */
    for (unsigned i = 0; i < MANY; i++)
        assert_false(
            note_number(shield, "d.example", i, i % 3 == 2 ? INVALID : VALID, START_S + i / 1000));
    shield_free(shield);
}

static void the_same_address_counts_once(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    for (unsigned i = 0; i < 1000; i++)
        assert_false(note_number(shield, "d.example", i % 9, INVALID, START_S));
    assert_true(note_number(shield, "d.example", 9, INVALID, START_S));
    shield_free(shield);
}

static void an_address_asked_again_tells_its_verdict(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    assert_false(note_many(shield, "d.example", 4, VALID, START_S));
    for (unsigned i = 0; i < 6; i++)
        assert_false(note_number(shield, "d.example", i, UNKNOWN, START_S));
    for (unsigned i = 0; i < 3; i++)
        assert_false(note_number(shield, "d.example", i, INVALID, START_S + 50));
    assert_true(note_number(shield, "d.example", 3, INVALID, START_S + 50));
    shield_free(shield);
}

static void a_verdict_is_not_lost_to_an_unknown(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    for (unsigned i = 0; i < 3; i++) {
        assert_false(note_number(shield, "d.example", i, INVALID, START_S));
        assert_false(note_number(shield, "d.example", i, UNKNOWN, START_S));
    }
    assert_false(note_many(shield, "d.example", 6, UNKNOWN, START_S));
    assert_true(note_many(shield, "d.example", 1, UNKNOWN, START_S));
    shield_free(shield);
}

static void the_window_slides(void **state)
{
    (void)state;
    /* Ten addresses, `gap_s` apart: the window holds all of them or it does not. */
    static const struct {
        int64_t gap_s;
        bool raised;
    } rows[] = {{0, true}, {1, true}, {10, true}, {11, true}, {12, false}, {100, false}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shield_table *shield = table(8);
        bool raised = false;
        for (unsigned k = 0; k < 10; k++)
            raised |= note_number(shield, "d.example", k, INVALID, START_S + k * rows[i].gap_s);
        assert_int_equal(raised, rows[i].raised);
        shield_free(shield);
    }
}

static void an_address_leaves_the_window_to_the_second(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    assert_false(note_many(shield, "a.example", 1, INVALID, START_S));
    assert_false(note_many(shield, "a.example", 8, INVALID, START_S + 50));
    assert_true(note_many(shield, "a.example", 1, INVALID, START_S + 99));
    assert_false(note_many(shield, "b.example", 1, INVALID, START_S));
    assert_false(note_many(shield, "b.example", 8, INVALID, START_S + 50));
    assert_false(note_many(shield, "b.example", 1, INVALID, START_S + 100));
    assert_true(note_many(shield, "b.example", 1, INVALID, START_S + 100));
    shield_free(shield);
}

static void old_valid_ones_make_way_for_new_invalid_ones(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    assert_false(note_many(shield, "d.example", 1000, VALID, START_S));
    assert_false(note_many(shield, "d.example", 4, INVALID, START_S));
    assert_true(note_many(shield, "d.example", 1, INVALID, START_S));
    shield_free(shield);
}

static void while_it_is_up_nothing_is_counted(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);
    int64_t until_s = 0;

    raise_now(shield, "d.example", START_S);
    assert_false(note_many(shield, "d.example", 500, INVALID, START_S + usual.hold_s - 1));
    assert_true(shield_is_up(shield, "d.example", START_S + usual.hold_s - 1, &until_s));
    assert_int_equal(until_s, START_S + usual.hold_s);
    assert_false(note_many(shield, "d.example", 9, INVALID, START_S + usual.hold_s));
    assert_true(note_many(shield, "d.example", 1, INVALID, START_S + usual.hold_s));
    shield_free(shield);
}

static void raised_again_soon_it_lasts_twice_as_long_up_to_a_day(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);
    int64_t now_s = START_S, until_s = 0, length_s = usual.hold_s;

    for (int i = 0; i < 20; i++) {
        raise_now(shield, "d.example", now_s);
        assert_true(shield_is_up(shield, "d.example", now_s, &until_s));
        assert_int_equal(until_s - now_s, length_s);
        now_s = until_s + length_s; /* the last moment that is soon */
        length_s = 2 * length_s < SHIELD_HOLD_MAX_S ? 2 * length_s : SHIELD_HOLD_MAX_S;
    }
    assert_int_equal(length_s, SHIELD_HOLD_MAX_S);
    shield_free(shield);
}

static void after_a_calm_it_begins_anew(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);
    int64_t until_s = 0;

    raise_now(shield, "d.example", START_S);
    raise_now(shield, "d.example", START_S + 1000);
    assert_true(shield_is_up(shield, "d.example", START_S + 1000, &until_s));
    assert_int_equal(until_s, START_S + 3000);
    raise_now(shield, "d.example", START_S + 5001);
    assert_true(shield_is_up(shield, "d.example", START_S + 5001, &until_s));
    assert_int_equal(until_s, START_S + 6001);
    shield_free(shield);
}

static void a_shield_is_forgotten_after_its_length_and_the_window(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    raise_now(shield, "d.example", START_S);
    /* To look at, a domain must be in the way of a new one: each row tries one. */
    assert_false(note_many(shield, "a.example", 1, VALID, START_S + 2099));
    assert_int_equal(shield_count(shield), 2);
    assert_false(note_many(shield, "b.example", 1, VALID, START_S + 2100));
    assert_int_equal(shield_count(shield), 2); /* a, b */
    shield_free(shield);
}

static void a_count_is_forgotten_after_the_window(void **state)
{
    (void)state;
    struct shield_table *shield = table(1000);

    for (unsigned i = 0; i < 100; i++)
        assert_false(note_many(shield, name_number(i), 1, VALID, START_S));
    assert_int_equal(shield_count(shield), 100);
    for (unsigned i = 100; i < 200; i++)
        assert_false(note_many(shield, name_number(i), 1, VALID, START_S + 100));
    assert_int_equal(shield_count(shield), 100);
    shield_free(shield);
}

static void settings_that_are_off_note_nothing(void **state)
{
    (void)state;
    static const struct rb_shield_options off[] = {
        {.addresses = 0, .window_s = 100, .hold_s = 1000},
        {.addresses = 10, .window_s = 0, .hold_s = 1000},
        {.addresses = 10, .window_s = -1, .hold_s = 1000},
        {.addresses = 10, .window_s = 100, .hold_s = 0},
        {.addresses = 10, .window_s = INT64_MIN, .hold_s = INT64_MIN},
    };
    struct shield_table *shield = table(8);

    for (size_t i = 0; i < COUNT(off); i++) {
        assert_false(shield_note(shield, "d.example", "u@d.example", INVALID, &off[i], START_S));
        assert_int_equal(shield_count(shield), 0);
    }
    shield_free(shield);
}

static void one_address_may_be_enough(void **state)
{
    (void)state;
    static const struct rb_shield_options strict = {.addresses = 1, .window_s = 1, .hold_s = 1};
    struct shield_table *shield = table(8);

    assert_false(shield_note(shield, "d.example", "a@d.example", VALID, &strict, START_S));
    assert_false(shield_note(shield, "d.example", "b@d.example", UNKNOWN, &strict, START_S));
    assert_true(shield_note(shield, "d.example", "c@d.example", INVALID, &strict, START_S));
    assert_true(up(shield, "d.example", START_S));
    assert_false(up(shield, "d.example", START_S + 1));
    shield_free(shield);
}

static void settings_out_of_range_are_cut_to_the_ceilings(void **state)
{
    (void)state;
    static const struct rb_shield_options huge = {
        .addresses = UINT32_MAX, .window_s = INT64_MAX, .hold_s = INT64_MAX};
    struct shield_table *shield = table(8);
    int64_t until_s = 0;
    char key[32];
    unsigned noted = 0;

    for (bool raised = false; !raised; noted++) {
        assert_true(noted < SHIELD_ADDRESSES_MAX);
        (void)snprintf(key, sizeof key, "u%u@d.example", noted);
        raised = shield_note(shield, "d.example", key, INVALID, &huge, START_S);
    }
    /* A collision of hashes may cost one or two, not more. */
    assert_true(noted >= SHIELD_ADDRESSES_MAX - 2);
    assert_true(shield_is_up(shield, "d.example", START_S, &until_s));
    assert_int_equal(until_s - START_S, SHIELD_HOLD_MAX_S);
    shield_free(shield);
}

static void other_settings_hold_for_what_was_counted_before(void **state)
{
    (void)state;
    static const struct rb_shield_options fewer = {.addresses = 5, .window_s = 100, .hold_s = 50};
    static const struct rb_shield_options shorter = {.addresses = 5, .window_s = 10, .hold_s = 50};
    struct shield_table *shield = table(8);

    assert_false(note_many(shield, "a.example", 9, INVALID, START_S));
    assert_false(note_many(shield, "b.example", 9, INVALID, START_S));
    assert_true(shield_note(shield, "a.example", "x@a.example", INVALID, &fewer, START_S + 20));
    assert_false(shield_note(shield, "b.example", "x@b.example", INVALID, &shorter, START_S + 20));
    shield_free(shield);
}

static void a_domain_that_is_too_long_is_not_noted(void **state)
{
    (void)state;
    char name[RB_DOMAIN_MAX + 2];
    struct shield_table *shield = table(8);

    memset(name, 'd', sizeof name);
    name[RB_DOMAIN_MAX + 1] = '\0';
    for (unsigned i = 0; i < 100; i++)
        assert_false(note_number(shield, name, i, INVALID, START_S));
    assert_false(up(shield, name, START_S));
    assert_int_equal(shield_count(shield), 0);
    name[RB_DOMAIN_MAX] = '\0';
    assert_false(note_number(shield, name, 1, INVALID, START_S));
    assert_int_equal(shield_count(shield), 1);
    shield_free(shield);
}

static void a_clock_set_back_lengthens_a_shield_by_an_hour_at_most(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);

    raise_now(shield, "d.example", START_S);
    assert_true(up(shield, "d.example", START_S - 1));
    assert_true(up(shield, "d.example", START_S - SHIELD_SLIP_MAX_S));
    assert_false(up(shield, "d.example", START_S - SHIELD_SLIP_MAX_S - 1));
    assert_false(up(shield, "d.example", 1));
    assert_int_equal(shield_list_up(shield, 1, NULL, 0), 0);
    shield_free(shield);
}

static void after_a_clock_was_set_back_far_everything_begins_anew(void **state)
{
    (void)state;
    struct shield_table *shield = table(8);
    int64_t until_s = 0;

    raise_now(shield, "a.example", START_S);
    assert_false(note_many(shield, "b.example", 9, INVALID, START_S));
    assert_false(note_many(shield, "b.example", 1, INVALID, START_S - 100000));
    raise_now(shield, "a.example", START_S - 100000);
    assert_true(shield_is_up(shield, "a.example", START_S - 100000, &until_s));
    assert_int_equal(until_s, START_S - 100000 + usual.hold_s);
    shield_free(shield);
}

static void a_full_table_forgets_the_domain_least_recently_noted(void **state)
{
    (void)state;
    struct shield_table *shield = table(3);

    assert_false(note_many(shield, "a.example", 8, INVALID, START_S));
    assert_false(note_many(shield, "b.example", 9, INVALID, START_S));
    assert_false(note_many(shield, "c.example", 9, INVALID, START_S));
    assert_false(note_many(shield, "a.example", 1, UNKNOWN, START_S));
    assert_int_equal(shield_count(shield), 3);
    assert_false(note_many(shield, "d.example", 1, INVALID, START_S));
    assert_int_equal(shield_count(shield), 3);
    assert_true(note_many(shield, "a.example", 1, UNKNOWN, START_S)); /* still had its nine */
    assert_true(note_many(shield, "c.example", 1, INVALID, START_S));
    assert_false(note_many(shield, "b.example", 9, INVALID, START_S)); /* had been forgotten */
    shield_free(shield);
}

static void a_shield_that_is_up_outlasts_a_flood_of_domains(void **state)
{
    (void)state;
    struct shield_table *shield = table(100);

    raise_now(shield, "a.example", START_S);
    raise_now(shield, "b.example", START_S);
    for (unsigned i = 0; i < MANY; i++) {
        assert_false(note_number(shield, name_number(i), 1, INVALID, START_S + i / 1000));
        assert_true(shield_count(shield) <= 100);
    }
    assert_true(up(shield, "a.example", START_S + MANY / 1000));
    assert_true(up(shield, "b.example", START_S + MANY / 1000));
    assert_int_equal(shield_list_up(shield, START_S + MANY / 1000, NULL, 0), 2);
    shield_free(shield);
}

static void where_all_are_up_the_first_to_end_goes(void **state)
{
    (void)state;
    struct shield_table *shield = table(3);

    raise_now(shield, "b.example", START_S + 2);
    raise_now(shield, "a.example", START_S + 1);
    raise_now(shield, "c.example", START_S + 3);
    assert_false(note_many(shield, "d.example", 1, INVALID, START_S + 4));
    assert_int_equal(shield_count(shield), 3);
    assert_false(up(shield, "a.example", START_S + 4));
    assert_true(up(shield, "b.example", START_S + 4));
    assert_true(up(shield, "c.example", START_S + 4));
    /* The next takes the place of d, which is not up. */
    assert_false(note_many(shield, "e.example", 1, INVALID, START_S + 4));
    assert_true(up(shield, "b.example", START_S + 4));
    assert_true(up(shield, "c.example", START_S + 4));
    shield_free(shield);
}

static void one_that_has_ended_goes_before_those_that_are_up(void **state)
{
    (void)state;
    enum { UPS = 50 };
    struct shield_table *shield = table(UPS + 1);

    for (unsigned i = 0; i < UPS / 2; i++)
        raise_now(shield, name_number(i), START_S + 500);
    raise_now(shield, "ended.example", START_S);
    for (unsigned i = UPS / 2; i < UPS; i++)
        raise_now(shield, name_number(i), START_S + 500);
    assert_false(note_many(shield, "new.example", 1, INVALID, START_S + usual.hold_s));
    assert_int_equal(shield_list_up(shield, START_S + usual.hold_s, NULL, 0), UPS);
    assert_int_equal(shield_count(shield), UPS + 1);
    shield_free(shield);
}

static void one_domain_is_enough_for_a_table(void **state)
{
    (void)state;
    struct shield_table *shield = table(1);

    for (unsigned i = 0; i < 100; i++) {
        raise_now(shield, name_number(i), START_S);
        assert_int_equal(shield_count(shield), 1);
        assert_true(up(shield, name_number(i), START_S));
    }
    shield_free(shield);
}

static void those_that_are_up_are_listed(void **state)
{
    (void)state;
    struct shield_up list[2];
    struct shield_table *shield = table(8);

    assert_false(note_many(shield, "calm.example", 3, INVALID, START_S));
    raise_now(shield, "a.example", START_S);
    assert_int_equal(shield_list_up(shield, START_S, list, COUNT(list)), 1);
    assert_string_equal(list[0].domain, "a.example");
    assert_int_equal(list[0].until_s, START_S + usual.hold_s);
    raise_now(shield, "b.example", START_S + 10);
    raise_now(shield, "c.example", START_S + 20);
    assert_int_equal(shield_list_up(shield, START_S + 20, list, COUNT(list)), 3);
    assert_int_equal(shield_list_up(shield, START_S + 20, NULL, 0), 3);
    assert_int_equal(shield_list_up(shield, START_S + 1015, list, COUNT(list)), 1);
    assert_string_equal(list[0].domain, "c.example");
    assert_int_equal(shield_list_up(shield, START_S + 1020, list, COUNT(list)), 0);
    shield_free(shield);
}

enum { NOTES = 20000 };

/* A naive account of a single domain: every address, and when it was first asked about. */
struct account {
    struct {
        unsigned number;
        enum rb_verdict verdict;
        int64_t stamp_s;
    } seen[NOTES];
    size_t first, end; /* what counts of it */
    int64_t until_s, length_s;
};

static void account_sees(struct account *account, unsigned number, enum rb_verdict verdict,
                         int64_t now_s)
{
    size_t at = account->first;

    while (at < account->end && account->seen[at].number != number)
        at++;
    if (at == account->end) {
        account->seen[at].number = number;
        account->seen[at].verdict = verdict;
        account->seen[at].stamp_s = now_s;
        account->end++;
    } else if (verdict != UNKNOWN) {
        account->seen[at].verdict = verdict;
    }
    if (account->end - account->first > usual.addresses)
        account->first++;
}

static bool account_is_of_a_crowd(const struct account *account)
{
    size_t known = 0, invalid = 0;

    for (size_t at = account->first; at < account->end; at++) {
        known += account->seen[at].verdict != UNKNOWN;
        invalid += account->seen[at].verdict == INVALID;
    }
    return account->end - account->first == usual.addresses && 2 * invalid >= known &&
           4 * invalid >= usual.addresses;
}

static bool account_note(struct account *account, unsigned number, enum rb_verdict verdict,
                         int64_t now_s)
{
    if (now_s < account->until_s)
        return false;
    while (account->first < account->end &&
           now_s - account->seen[account->first].stamp_s >= usual.window_s)
        account->first++;
    account_sees(account, number, verdict, now_s);
    if (!account_is_of_a_crowd(account))
        return false;
    if (account->length_s > 0 && now_s - account->until_s <= account->length_s)
        account->length_s *= 2;
    else
        account->length_s = usual.hold_s;
    if (account->length_s > SHIELD_HOLD_MAX_S)
        account->length_s = SHIELD_HOLD_MAX_S;
    account->until_s = now_s + account->length_s;
    account->first = account->end;
    return true;
}

static void random_use_agrees_with_a_naive_account(void **state)
{
    (void)state;
    static struct account account;
    struct shield_table *shield = table(8);
    uint64_t random = dice_seed();
    unsigned raised = 0;
    int64_t now_s = START_S;

    for (int i = 0; i < NOTES; i++) {
        const unsigned number = (unsigned)(dice_throw(&random) % 40);
        const enum rb_verdict verdict = (enum rb_verdict)(dice_throw(&random) % 3);
        /* Mostly a few seconds, at times long enough for a shield to end or be forgotten. */
        const bool pause = dice_throw(&random) % 100 == 0;
        now_s += (int64_t)(dice_throw(&random) % (pause ? 5000 : 16));
        const bool expected = account_note(&account, number, verdict, now_s);
        assert_int_equal(note_number(shield, "d.example", number, verdict, now_s), expected);
        assert_int_equal(up(shield, "d.example", now_s), now_s < account.until_s);
        raised += expected;
    }
    assert_true(raised > 0);
    shield_free(shield);
}

static void random_use_of_many_domains_keeps_to_the_table(void **state)
{
    (void)state;
    uint64_t random = dice_seed();

    for (size_t domains_max = 1; domains_max <= 64; domains_max *= 2) {
        struct shield_table *shield = table(domains_max);
        int64_t now_s = START_S;
        for (int i = 0; i < 50000; i++) {
            /* Few domains get most, so that some are raised; at times the clock is set back. */
            const unsigned domain = (unsigned)(dice_throw(&random) % (i % 2 ? 100 : 3));
            now_s += dice_throw(&random) % 1000 == 0 ? -4000 : (int64_t)(dice_throw(&random) % 4);
            (void)note_number(shield, name_number(domain), (unsigned)(dice_throw(&random) % 5000),
                              (enum rb_verdict)(dice_throw(&random) % 3), now_s);
            assert_true(shield_count(shield) <= domains_max);
            assert_true(shield_list_up(shield, now_s, NULL, 0) <= shield_count(shield));
        }
        shield_free(shield);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_of_nothing_is_none),
        cmocka_unit_test(a_domain_never_heard_of_has_no_shield),
        cmocka_unit_test(enough_invalid_addresses_raise_it_and_not_one_fewer),
        cmocka_unit_test(it_ends_by_itself),
        cmocka_unit_test(the_verdicts_decide_whether_a_crowd_is_forged),
        cmocka_unit_test(unknown_ones_alone_never_raise_it),
        cmocka_unit_test(a_domain_that_sends_mail_is_never_shielded),
        cmocka_unit_test(the_same_address_counts_once),
        cmocka_unit_test(an_address_asked_again_tells_its_verdict),
        cmocka_unit_test(a_verdict_is_not_lost_to_an_unknown),
        cmocka_unit_test(the_window_slides),
        cmocka_unit_test(an_address_leaves_the_window_to_the_second),
        cmocka_unit_test(old_valid_ones_make_way_for_new_invalid_ones),
        cmocka_unit_test(while_it_is_up_nothing_is_counted),
        cmocka_unit_test(raised_again_soon_it_lasts_twice_as_long_up_to_a_day),
        cmocka_unit_test(after_a_calm_it_begins_anew),
        cmocka_unit_test(a_shield_is_forgotten_after_its_length_and_the_window),
        cmocka_unit_test(a_count_is_forgotten_after_the_window),
        cmocka_unit_test(settings_that_are_off_note_nothing),
        cmocka_unit_test(one_address_may_be_enough),
        cmocka_unit_test(settings_out_of_range_are_cut_to_the_ceilings),
        cmocka_unit_test(other_settings_hold_for_what_was_counted_before),
        cmocka_unit_test(a_domain_that_is_too_long_is_not_noted),
        cmocka_unit_test(a_clock_set_back_lengthens_a_shield_by_an_hour_at_most),
        cmocka_unit_test(after_a_clock_was_set_back_far_everything_begins_anew),
        cmocka_unit_test(a_full_table_forgets_the_domain_least_recently_noted),
        cmocka_unit_test(a_shield_that_is_up_outlasts_a_flood_of_domains),
        cmocka_unit_test(where_all_are_up_the_first_to_end_goes),
        cmocka_unit_test(one_that_has_ended_goes_before_those_that_are_up),
        cmocka_unit_test(one_domain_is_enough_for_a_table),
        cmocka_unit_test(those_that_are_up_are_listed),
        cmocka_unit_test(random_use_agrees_with_a_naive_account),
        cmocka_unit_test(random_use_of_many_domains_keeps_to_the_table),
    };

    return cmocka_run_group_tests_name("shield", tests, NULL, NULL);
}
