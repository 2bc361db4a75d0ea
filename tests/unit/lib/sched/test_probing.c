/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_probing: of several sessions with one destination one probes, and the others' accepted
 * addresses wait for it.
 */
#include "config.h"

#include "sched/probing.h"

#include "check.h"

enum { TTL_S = 100, NOW_S = 1000 };

static const struct address_record accepted = {.reason = RB_REASON_ACCEPTED, .code = 250};
static const struct fact no = {FACT_NO, NOW_S}, nothing = {FACT_UNKNOWN, 0};

static enum callout_probe begin(struct probing *probing, struct callout_item *item, int64_t now_s)
{
    struct fact catch_all = nothing;
    enum callout_probe turn = probing_begin(probing, item, &accepted, TTL_S, now_s, &catch_all);

    assert_int_equal(catch_all.state != FACT_UNKNOWN, turn == CALLOUT_PROBE_KNOWN);
    return turn;
}

static void one_probes_and_the_others_are_parked(void **state)
{
    (void)state;
    struct probing probing = {0};
    struct callout_item items[3] = {0}, *parked;
    bool seen[3] = {false};

    assert_int_equal(begin(&probing, &items[0], NOW_S), CALLOUT_PROBE);
    assert_int_equal(begin(&probing, &items[1], NOW_S), CALLOUT_PROBE_PARKED);
    assert_int_equal(begin(&probing, &items[2], NOW_S), CALLOUT_PROBE_PARKED);
    for (parked = probing_end(&probing, &no); parked != NULL; parked = parked->next) {
        assert_false(seen[parked - items]);
        seen[parked - items] = true;
        assert_int_equal(parked->best.reason, RB_REASON_ACCEPTED);
        assert_int_equal(parked->best.code, 250);
    }
    assert_false(seen[0]);
    assert_true(seen[1]);
    assert_true(seen[2]);
    assert_null(probing.parked);
}

static void what_was_found_out_is_known_to_those_who_come_later(void **state)
{
    (void)state;
    struct probing probing = {0};
    struct callout_item item = {0};
    struct fact catch_all = nothing;

    assert_int_equal(begin(&probing, &item, NOW_S), CALLOUT_PROBE);
    assert_null(probing_end(&probing, &no));
    assert_int_equal(
        probing_begin(&probing, &item, &accepted, TTL_S, NOW_S + TTL_S - 1, &catch_all),
        CALLOUT_PROBE_KNOWN);
    assert_int_equal(catch_all.state, FACT_NO);
    assert_int_equal(catch_all.stamp_s, NOW_S);
    assert_int_equal(begin(&probing, &item, NOW_S + TTL_S + 1), CALLOUT_PROBE);
}

static void a_probe_that_told_nothing_leaves_it_to_the_next(void **state)
{
    (void)state;
    struct probing probing = {0};
    struct callout_item items[2] = {0};

    assert_int_equal(begin(&probing, &items[0], NOW_S), CALLOUT_PROBE);
    assert_int_equal(begin(&probing, &items[1], NOW_S), CALLOUT_PROBE_PARKED);
    assert_ptr_equal(probing_end(&probing, &nothing), &items[1]);
    assert_int_equal(begin(&probing, &items[0], NOW_S), CALLOUT_PROBE);
    assert_null(probing_end(&probing, &nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_probes_and_the_others_are_parked),
        cmocka_unit_test(what_was_found_out_is_known_to_those_who_come_later),
        cmocka_unit_test(a_probe_that_told_nothing_leaves_it_to_the_next),
    };

    return cmocka_run_group_tests_name("probing", tests, NULL, NULL);
}
