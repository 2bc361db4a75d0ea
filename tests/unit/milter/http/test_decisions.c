/* SPDX-License-Identifier: BSD-2-Clause */
/* test_decisions: which of the last decisions are shown, by what somebody looks for. */
#include "config.h"

#include "http/decisions.h"

#include "check.h"

static const struct history_decision met = {
    .kind = HISTORY_INVALID,
    .address = "Alice@Example.org",
    .other = "bob@here.example",
    .client = "192.0.2.7",
    .helo = "mail.example.net",
};

static bool is_wanted(const char *address, const char *key, const char *client, const char *verdict)
{
    const struct decisions_filter filter = {
        .address = address, .key = key, .client = client, .verdict = verdict};

    return decisions_is_wanted(&filter, &met);
}

static void who_looks_for_nothing_sees_all(void **state)
{
    (void)state;
    assert_true(is_wanted("", NULL, "", ""));
}

static void a_part_of_either_address_will_do(void **state)
{
    (void)state;
    assert_true(is_wanted("alice", NULL, "", ""));
    assert_true(is_wanted("@EXAMPLE.org", NULL, "", ""));
    assert_true(is_wanted("bob@here.example", NULL, "", ""));
    assert_false(is_wanted("bobby", NULL, "", ""));
    assert_false(is_wanted("Alice@Example.org ", NULL, "", ""));
}

static void a_whole_address_is_no_part_of_another(void **state)
{
    (void)state;
    assert_true(is_wanted("", "Alice@example.org", "", ""));
    assert_true(is_wanted("", "bob@here.example", "", ""));
    assert_false(is_wanted("", "lice@example.org", "", ""));
    assert_false(is_wanted("", "ob@here.example", "", ""));
    assert_false(is_wanted("", "alice@example.or", "", ""));
}

static void a_client_is_found_by_address_or_name(void **state)
{
    (void)state;
    assert_true(is_wanted("", NULL, "192.0.2.7", ""));
    assert_true(is_wanted("", NULL, "MAIL.example", ""));
    assert_false(is_wanted("", NULL, "192.0.2.77", ""));
}

static void a_verdict_is_looked_for_whole(void **state)
{
    (void)state;
    assert_true(is_wanted("", NULL, "", "invalid"));
    assert_false(is_wanted("", NULL, "", "valid"));
    assert_false(is_wanted("", NULL, "", "inval"));
}

static void all_that_is_looked_for_must_fit(void **state)
{
    (void)state;
    assert_true(is_wanted("alice", "Alice@example.org", "192.0.2", "invalid"));
    assert_false(is_wanted("alice", "Alice@example.org", "192.0.2", "unknown"));
    assert_false(is_wanted("bobby", "Alice@example.org", "192.0.2", "invalid"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_looks_for_nothing_sees_all),
        cmocka_unit_test(a_part_of_either_address_will_do),
        cmocka_unit_test(a_whole_address_is_no_part_of_another),
        cmocka_unit_test(a_client_is_found_by_address_or_name),
        cmocka_unit_test(a_verdict_is_looked_for_whole),
        cmocka_unit_test(all_that_is_looked_for_must_fit),
    };

    return cmocka_run_group_tests_name("decisions", tests, NULL, NULL);
}
