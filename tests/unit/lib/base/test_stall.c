/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stall: who is stalled, when the next one will be, and who must yield; no thread, and no time
 * but what is told.
 */
#include "config.h"

#include "check.h"
#include "base/stall.h"

enum { CALLS_MAX = 6, NEVER = -1 };

static const int64_t now = 1000000;

/*
 * How long ago a callout began, and its wait for a reply, in milliseconds; NEVER: it waits for
 * none.
 */
struct past {
    int began, waits;
};

struct fixture {
    struct stall_list list;
    struct stall_call call[CALLS_MAX];
};

static void enter_all(struct fixture *f, const struct past *past, size_t count)
{
    *f = (struct fixture){0};
    for (size_t i = 0; i < count; i++) {
        stall_enter(&f->list, &f->call[i], now - past[i].began);
        if (past[i].waits != NEVER)
            stall_begin_wait(&f->call[i], now - past[i].waits);
    }
}

static void who_waits_longer_than_a_second_is_stalled(void **state)
{
    static const struct {
        struct past past[CALLS_MAX];
        size_t count;
        unsigned exempt_max, stalled, excess;
        int64_t next_in; /* NEVER: nothing will change by itself */
    } rows[] = {
        {{{0}}, 0, 10, 0, 0, NEVER},
        {{{5000, NEVER}}, 1, 10, 0, 0, NEVER},
        {{{0, 0}}, 1, 10, 0, 0, 1001},
        {{{999, 999}}, 1, 10, 0, 0, 2},
        {{{1000, 1000}}, 1, 10, 0, 0, 1},
        {{{1001, 1001}}, 1, 10, 1, 0, NEVER},
        {{{60000, 500}}, 1, 10, 0, 0, 501}, /* slow, but each reply comes in time */
        {{{9000, 9000}, {8000, 300}, {7000, 700}, {6000, NEVER}}, 4, 10, 1, 0, 301},
        {{{9000, 9000}, {8000, 8000}, {7000, 7000}}, 3, 2, 2, 1, 1000},
        {{{9000, 9000}, {8000, 8000}, {900, 900}}, 3, 1, 1, 1, 101},
        {{{12000, 9000}, {11000, 8000}}, 2, 1, 1, 1, NEVER}, /* the first may yield at once */
        {{{9000, 9000}}, 1, 0, 0, 1, 1000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct stall_view view;

        enter_all(&f, rows[i].past, rows[i].count);
        view = stall_look(&f.list, rows[i].exempt_max, now);
        assert_int_equal(view.stalled, rows[i].stalled);
        assert_int_equal(view.excess, rows[i].excess);
        if (rows[i].next_in == NEVER)
            assert_int_equal(view.next_ms, INT64_MAX);
        else
            assert_int_equal(view.next_ms, now + rows[i].next_in);
    }
}

/* What a look foretells comes true then, and not before. */
static void the_next_look_is_neither_early_nor_late(void **state)
{
    static const struct past past[] = {{5000, 100}, {4000, 400}, {3000, 250}, {2000, 1900}};
    struct fixture f;
    unsigned stalled = 1;
    int64_t at = now;

    (void)state;
    enter_all(&f, past, COUNT(past));
    while (stalled <= COUNT(past)) {
        struct stall_view view = stall_look(&f.list, 10, at);

        assert_int_equal(view.stalled, stalled);
        if (view.next_ms == INT64_MAX)
            break;
        assert_int_equal(stall_look(&f.list, 10, view.next_ms - 1).stalled, stalled);
        at = view.next_ms;
        stalled++;
    }
    assert_int_equal(stalled, COUNT(past));
}

static void a_reply_ends_a_wait_and_the_next_one_is_another(void **state)
{
    static const struct past past[] = {{5000, 5000}};
    struct fixture f;

    (void)state;
    enter_all(&f, past, 1);
    assert_int_equal(stall_look(&f.list, 1, now).stalled, 1);
    stall_end_wait(&f.call[0]);
    assert_int_equal(stall_look(&f.list, 1, now).stalled, 0);
    stall_begin_wait(&f.call[0], now);
    assert_int_equal(stall_look(&f.list, 1, now + 1000).stalled, 0);
    assert_int_equal(stall_look(&f.list, 1, now + 1001).stalled, 1);
    stall_begin_wait(&f.call[0], now + 1001); /* the reply, and the wait for one behind it */
    assert_int_equal(stall_look(&f.list, 1, now + 1001).stalled, 0);
    stall_leave(&f.list, &f.call[0]);
    assert_int_equal(stall_look(&f.list, 1, now + 9000).stalled, 0);
}

static void the_oldest_that_waits_must_yield(void **state)
{
    static const struct {
        struct past past[CALLS_MAX];
        size_t count;
        unsigned wanted, told;
        bool must_yield[CALLS_MAX];
    } rows[] = {
        {{{0}}, 0, 3, 0, {false}},
        {{{9999, 9999}}, 1, 1, 0, {false}}, /* has not had its ten seconds */
        {{{10000, 10000}}, 1, 1, 1, {true}},
        {{{10000, 10000}}, 1, 0, 0, {false}},
        {{{90000, 900}}, 1, 1, 0, {false}}, /* its host answers */
        {{{90000, NEVER}}, 1, 1, 0, {false}},
        {{{90000, 900}, {80000, 1500}, {70000, 60000}}, 3, 1, 1, {false, true, false}},
        {{{90000, 900}, {80000, 1500}, {70000, 60000}}, 3, 2, 2, {false, true, true}},
        {{{90000, 900}, {80000, 1500}, {70000, 60000}}, 3, 9, 2, {false, true, true}},
        {{{80000, 80000}, {9000, 9000}}, 2, 2, 1, {true, false}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;

        enter_all(&f, rows[i].past, rows[i].count);
        assert_int_equal(stall_make_yield(&f.list, rows[i].wanted, now), rows[i].told);
        for (size_t j = 0; j < rows[i].count; j++)
            assert_int_equal(stall_must_yield(&f.call[j]), rows[i].must_yield[j]);
    }
}

static void those_that_were_told_count_until_they_have_gone(void **state)
{
    static const struct past past[] = {{90000, 90000}, {80000, 80000}, {70000, 70000}};
    struct fixture f;

    (void)state;
    enter_all(&f, past, COUNT(past));
    assert_int_equal(stall_make_yield(&f.list, 1, now), 1);
    assert_int_equal(stall_make_yield(&f.list, 1, now), 1);
    assert_false(stall_must_yield(&f.call[1]));
    assert_int_equal(stall_make_yield(&f.list, 2, now), 2);
    assert_true(stall_must_yield(&f.call[1]));
    stall_leave(&f.list, &f.call[0]);
    assert_int_equal(stall_make_yield(&f.list, 2, now), 2);
    assert_true(stall_must_yield(&f.call[2]));
}

static void nobody_need_watch(void **state)
{
    (void)state;
    stall_begin_wait(NULL, now);
    stall_end_wait(NULL);
    assert_false(stall_must_yield(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_longer_than_a_second_is_stalled),
        cmocka_unit_test(the_next_look_is_neither_early_nor_late),
        cmocka_unit_test(a_reply_ends_a_wait_and_the_next_one_is_another),
        cmocka_unit_test(the_oldest_that_waits_must_yield),
        cmocka_unit_test(those_that_were_told_count_until_they_have_gone),
        cmocka_unit_test(nobody_need_watch),
    };

    return cmocka_run_group_tests_name("stall", tests, NULL, NULL);
}
