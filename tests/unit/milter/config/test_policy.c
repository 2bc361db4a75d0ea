/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policies: what patterns match, which policy a transaction falls under, and what is done about
 * each verdict. Most of it over configurations that are built by hand: reading them is
 * test_load's.
 */
#include "config.h"

#include "config/policy.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* --- Helpers --- */

static void add_pattern(struct pattern_list *list, enum pattern_kind kind, const char *pattern)
{
    char key[PATTERN_KEY_SIZE];
    const char *wrong = pattern_key(kind, pattern, key);

    if (wrong != NULL)
        fail_msg("\"%s\" %s", pattern, wrong);
    assert_true(text_list_add(&list->text, pattern));
    assert_true(pattern_list_add(list, key));
    pattern_list_sort(list);
}

static void add_network(struct network_list *list, const char *text)
{
    struct rb_network network;

    assert_int_equal(rb_network_parse(text, &network), RB_OK);
    assert_true(text_list_add(&list->text, text));
    assert_true(network_list_add(list, &network));
}

static const struct sockaddr *client_at(const char *text, struct sockaddr_storage *storage)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;

    memset(storage, 0, sizeof(*storage));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        storage->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        storage->ss_family = AF_INET6;
    else
        fail_msg("%s is no address", text);
    return (const struct sockaddr *)storage;
}

static void policy_fini(struct policy *policy)
{
    network_list_fini(&policy->client);
    pattern_list_fini(&policy->sender);
    pattern_list_fini(&policy->recipient);
    pattern_list_fini(&policy->helo);
}

static const struct transaction ordinary = {
    .helo = "client.example.net",
    .sender = "user@example.org",
    .recipient = "me@example.com",
};

/* --- Patterns --- */

struct pattern_case {
    const char *pattern, *subject;
    bool matches;
};

static void check_patterns(enum pattern_kind kind, const struct pattern_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pattern_list list = {.count = 0};
        bool matches;

        add_pattern(&list, kind, cases[i].pattern);
        matches = kind == PATTERN_HOST ? pattern_list_has_host(&list, cases[i].subject)
                                       : pattern_list_has_address(&list, cases[i].subject);
        if (matches != cases[i].matches)
            fail_msg("%s %s %s", cases[i].pattern, matches ? "matches" : "does not match",
                     cases[i].subject);
        pattern_list_fini(&list);
    }
}

static void domain_matches_itself_alone(void **state)
{
    static const struct pattern_case cases[] = {
        {"example.org", "user@example.org", true},
        {"example.org", "user@sub.example.org", false},
        {"example.org", "user@badexample.org", false},
        {"example.org", "user@example.org.example.net", false},
        {"example.org", "example.org@example.net", false},
        {"example.org", "", false},
    };

    (void)state;
    check_patterns(PATTERN_ADDRESS, cases, COUNT(cases));
}

static void dot_domain_matches_subdomains_alone(void **state)
{
    static const struct pattern_case cases[] = {
        {".example.org", "user@sub.example.org", true},
        {".example.org", "user@a.b.c.example.org", true},
        {".example.org", "user@example.org", false},
        {".example.org", "user@badexample.org", false},
        {".org", "user@example.org", true},
    };

    (void)state;
    check_patterns(PATTERN_ADDRESS, cases, COUNT(cases));
}

static void mailbox_matches_one_address(void **state)
{
    static const struct pattern_case cases[] = {
        {"user@example.org", "user@example.org", true},
        {"user@example.org", "user2@example.org", false},
        {"user@example.org", "user@example.net", false},
        {"user@", "user@anything.example", true},
        {"user@", "user2@anything.example", false},
        {"user@[192.0.2.1]", "user@[192.0.2.1]", true},
        {"[192.0.2.1]", "user@[192.0.2.1]", true},
        {"[IPv6:2001:db8::1]", "user@[IPv6:2001:db8::1]", true},
        {"\"a b\"@example.org", "a b@example.org", true},
        {"\"a@b\"@example.org", "a@b@example.org", true},
        {"\"a@b\"@", "a@b@example.org", true},
        {"example.org", "a@b@example.org", true},
    };

    (void)state;
    check_patterns(PATTERN_ADDRESS, cases, COUNT(cases));
}

static void case_does_not_matter(void **state)
{
    static const struct pattern_case cases[] = {
        {"USER@Example.ORG", "user@example.org", true},
        {"user@example.org", "USER@example.org", true},
        {"User@", "uSER@example.org", true},
        {"Example.Org", "user@example.org", true},
        {".EXAMPLE.org", "user@a.example.org", true},
    };

    (void)state;
    check_patterns(PATTERN_ADDRESS, cases, COUNT(cases));
}

static void international_domains_match_their_a_labels(void **state)
{
    static const struct pattern_case cases[] = {
        {"b\xc3\xbc"
         "cher.example",
         "user@xn--bcher-kva.example", true},
        {"xn--bcher-kva.example", "user@xn--bcher-kva.example", true},
        {".B\xc3\x9c"
         "CHER.example",
         "user@a.xn--bcher-kva.example", true},
        {"j\xc3\xb6rg@example.org", "j\xc3\xb6rg@example.org", true},
    };

    (void)state;
    check_patterns(PATTERN_ADDRESS, cases, COUNT(cases));
}

static void star_matches_all_and_brackets_the_null_sender(void **state)
{
    static const struct pattern_case cases[] = {
        {"*", "user@example.org", true},   {"*", "", true},      {"<>", "", true},
        {"<>", "user@example.org", false}, {"user@", "", false},
    };

    (void)state;
    check_patterns(PATTERN_ADDRESS, cases, COUNT(cases));
}

static void host_patterns_match_what_clients_say(void **state)
{
    static const struct pattern_case cases[] = {
        {"mx.example.org", "MX.example.org.", true},
        {"mx.example.org", "mx2.example.org", false},
        {".example.org", "mx.example.org", true},
        {".example.org", "example.org", false},
        {"[192.0.2.1]", "[192.0.2.1]", true},
        {"localhost", "LOCALHOST", true},
        {"my_pc", "MY_PC", true},
        {".lan", "my_pc.lan", true},
        {"*", "", true},
        {"*", "any\x01thing", true},
        {"example.org", "", false},
        {"example.org", "two words", false},
        {"example.org", "\x80\xff", false},
    };

    (void)state;
    check_patterns(PATTERN_HOST, cases, COUNT(cases));
}

static void malformed_patterns_are_refused(void **state)
{
    static const char *const addresses[] = {"",
                                            ".",
                                            "..",
                                            "@",
                                            "@example.org",
                                            "*@example.org",
                                            "a*@b",
                                            "*.example.org",
                                            "a b",
                                            "a b@c",
                                            "<a@b>",
                                            "a@b@c",
                                            "a@b c",
                                            "[1.2.3]",
                                            ".[192.0.2.1]",
                                            "a..b",
                                            "x@.example.org"};
    static const char *const hosts[] = {"",   ".",      "a b",       "user@example.org",
                                        "<>", "[1.2.3", ".[1.2.3.4]"};
    char key[PATTERN_KEY_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        const char *wrong = pattern_key(PATTERN_ADDRESS, addresses[i], key);

        if (wrong == NULL)
            fail_msg("\"%s\" became \"%s\"", addresses[i], key);
        assert_true(wrong != NULL && strstr(wrong, "would be right") != NULL);
    }
    for (size_t i = 0; i < COUNT(hosts); i++)
        assert_non_null(pattern_key(PATTERN_HOST, hosts[i], key));
}

static void longest_addresses_fit_and_longer_ones_match_nothing(void **state)
{
    struct pattern_list list = {.count = 0};
    char address[1024], label[64] = "";

    (void)state;
    memset(label, 'a', 63);
    assert_int_equal(
        snprintf(address, sizeof(address), "%064d@%s.%s.%.61s", 0, label, label, label),
        RB_ADDRESS_MAX);
    add_pattern(&list, PATTERN_ADDRESS, address);
    assert_true(pattern_list_has_address(&list, address));
    memset(address, 'x', sizeof(address) - 1);
    address[sizeof(address) - 1] = '\0';
    address[500] = '@';
    assert_false(pattern_list_has_address(&list, address));
    assert_false(pattern_list_has_host(&list, address));
    pattern_list_fini(&list);
}

static void long_lists_find_first_middle_and_last(void **state)
{
    enum { ENTRIES = 20000 };
    struct pattern_list list = {.count = 0};
    char text[64], key[PATTERN_KEY_SIZE];

    (void)state;
    for (int i = ENTRIES - 1; i >= 0; i--) {
        snprintf(text, sizeof(text), "d%05d.example", i);
        assert_null(pattern_key(PATTERN_ADDRESS, text, key));
        assert_true(pattern_list_add(&list, key));
    }
    pattern_list_sort(&list);
    assert_true(pattern_list_has_address(&list, "a@d00000.example"));
    assert_true(pattern_list_has_address(&list, "a@d10000.example"));
    assert_true(pattern_list_has_address(&list, "a@d19999.example"));
    assert_false(pattern_list_has_address(&list, "a@d20000.example"));
    pattern_list_fini(&list);
}

/* --- Criteria --- */

static void policy_without_criteria_matches_everything(void **state)
{
    const struct policy policy = {.name = (char *)"all"};
    const struct transaction nothing = {.client = NULL};

    (void)state;
    assert_true(policy_matches_all(&policy));
    assert_null(policy_mismatch(&policy, &ordinary));
    assert_null(policy_mismatch(&policy, &nothing));
}

static void client_is_looked_up_in_networks(void **state)
{
    static const struct {
        const char *client;
        bool matches;
    } cases[] = {
        {"192.0.2.77", true},   {"192.0.3.1", false},       {"2001:db8::9", true},
        {"2001:db9::9", false}, {"::ffff:192.0.2.1", true},
    };
    struct policy policy = {.name = (char *)"p"};

    (void)state;
    add_network(&policy.client, "192.0.2.0/24");
    add_network(&policy.client, "2001:db8::/32");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sockaddr_storage storage;
        struct transaction transaction = ordinary;

        transaction.client = client_at(cases[i].client, &storage);
        assert_int_equal(policy_mismatch(&policy, &transaction) == NULL, cases[i].matches);
    }
    policy_fini(&policy);
}

static void unknown_client_is_in_no_network(void **state)
{
    struct policy policy = {.name = (char *)"p"};

    (void)state;
    add_network(&policy.client, "0.0.0.0/0");
    add_network(&policy.client, "::/0");
    assert_string_equal(policy_mismatch(&policy, &ordinary), "client");
    policy_fini(&policy);
}

static void written_but_empty_list_matches_nobody(void **state)
{
    struct policy policy = {.name = (char *)"p"};

    (void)state;
    assert_true(text_list_add(&policy.sender.text, "file:/etc/ringback/nobody"));
    assert_false(policy_matches_all(&policy));
    assert_string_equal(policy_mismatch(&policy, &ordinary), "sender");
    policy_fini(&policy);
}

static void authenticated_is_any_unless_it_is_said(void **state)
{
    static const struct {
        enum policy_authenticated wanted;
        bool authenticated, matches;
    } cases[] = {
        {AUTHENTICATED_ANY, false, true},  {AUTHENTICATED_ANY, true, true},
        {AUTHENTICATED_NO, false, true},   {AUTHENTICATED_NO, true, false},
        {AUTHENTICATED_YES, false, false}, {AUTHENTICATED_YES, true, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct policy policy = {.authenticated = cases[i].wanted};
        struct transaction transaction = ordinary;

        transaction.authenticated = cases[i].authenticated;
        assert_int_equal(policy_mismatch(&policy, &transaction) == NULL, cases[i].matches);
    }
}

static void first_criterion_not_met_is_named(void **state)
{
    struct policy policy = {.name = (char *)"p", .authenticated = AUTHENTICATED_YES};
    struct sockaddr_storage storage;
    struct transaction t = {.sender = "a@b.example"};

    (void)state;
    add_network(&policy.client, "192.0.2.0/24");
    add_pattern(&policy.sender, PATTERN_ADDRESS, "example.org");
    add_pattern(&policy.recipient, PATTERN_ADDRESS, "me@");
    add_pattern(&policy.helo, PATTERN_HOST, ".example.net");
    assert_string_equal(policy_mismatch(&policy, &t), "client");
    t.client = client_at("192.0.2.1", &storage);
    assert_string_equal(policy_mismatch(&policy, &t), "sender");
    t.sender = "user@example.org";
    assert_string_equal(policy_mismatch(&policy, &t), "recipient");
    t.recipient = "me@example.com";
    assert_string_equal(policy_mismatch(&policy, &t), "helo");
    t.helo = "client.example.net";
    assert_string_equal(policy_mismatch(&policy, &t), "authenticated");
    t.authenticated = true;
    assert_null(policy_mismatch(&policy, &t));
    policy_fini(&policy);
}

static void unknown_recipient_is_met_by_star_alone(void **state)
{
    struct policy policy = {.name = (char *)"p"};
    struct transaction transaction = ordinary;

    (void)state;
    add_pattern(&policy.recipient, PATTERN_ADDRESS, "<>");
    transaction.recipient = "";
    assert_string_equal(policy_mismatch(&policy, &transaction), "recipient");
    transaction.recipient = NULL;
    assert_string_equal(policy_mismatch(&policy, &transaction), "recipient");
    add_pattern(&policy.recipient, PATTERN_ADDRESS, "*");
    assert_null(policy_mismatch(&policy, &transaction));
    policy_fini(&policy);
}

static void first_match_wins_and_default_stands_behind(void **state)
{
    struct policy policies[] = {
        {.name = (char *)"a"}, {.name = (char *)"b"}, {.name = (char *)"c"}};
    const struct policy fallback = {.name = (char *)"default"};
    struct transaction transaction = ordinary;

    (void)state;
    add_pattern(&policies[0].sender, PATTERN_ADDRESS, "example.net");
    add_pattern(&policies[1].sender, PATTERN_ADDRESS, "example.org");
    add_pattern(&policies[2].sender, PATTERN_ADDRESS, "user@");
    assert_string_equal(policy_match(policies, COUNT(policies), &fallback, &transaction)->name,
                        "b");
    transaction.sender = "user@example.com";
    assert_string_equal(policy_match(policies, COUNT(policies), &fallback, &transaction)->name,
                        "c");
    transaction.sender = "";
    assert_string_equal(policy_match(policies, COUNT(policies), &fallback, &transaction)->name,
                        "default");
    for (size_t i = 0; i < COUNT(policies); i++)
        policy_fini(&policies[i]);
}

/* --- Actions --- */

static const struct policy distinct = {
    .on_invalid = ACTION_REJECT,
    .on_unknown = ACTION_TEMPFAIL,
    .on_greylisted = ACTION_TAG,
    .on_spf_fail = ACTION_QUARANTINE,
    .on_spf_softfail = ACTION_ACCEPT,
    .on_not_vouched = ACTION_REJECT,
};

static void every_reason_gets_the_action_of_its_verdict(void **state)
{
    (void)state;
    for (int i = RB_REASON_NONE; i < RB_REASON_MAX; i++) {
        enum rb_reason reason = (enum rb_reason)i;

        assert_int_equal(policy_action(&distinct, RB_VERDICT_VALID, reason), ACTION_ACCEPT);
        assert_int_equal(policy_action(&distinct, RB_VERDICT_INVALID, reason), ACTION_REJECT);
        if (reason == RB_REASON_GREYLISTED || reason == RB_REASON_SPF_FAIL ||
            reason == RB_REASON_SPF_SOFTFAIL || reason == RB_REASON_NOT_VOUCHED ||
            reason == RB_REASON_EXEMPT)
            continue;
        assert_int_equal(policy_action(&distinct, RB_VERDICT_UNKNOWN, reason), ACTION_TEMPFAIL);
    }
}

static void greylisted_and_what_the_gate_says_have_actions_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(policy_action(&distinct, RB_VERDICT_UNKNOWN, RB_REASON_GREYLISTED),
                     ACTION_TAG);
    assert_int_equal(policy_action(&distinct, RB_VERDICT_UNKNOWN, RB_REASON_SPF_FAIL),
                     ACTION_QUARANTINE);
    assert_int_equal(policy_action(&distinct, RB_VERDICT_UNKNOWN, RB_REASON_SPF_SOFTFAIL),
                     ACTION_ACCEPT);
    assert_int_equal(policy_action(&distinct, RB_VERDICT_UNKNOWN, RB_REASON_NOT_VOUCHED),
                     ACTION_REJECT);
}

/* Each differs from a policy that accepts all in one thing. */
static void whatever_a_policy_may_say_makes_it_another(void **state)
{
    static const struct policy mild = {.verify = VERIFY_SENDER};
    static const struct {
        struct policy policy;
        bool may_refuse;
    } cases[] = {
        {{.verify = VERIFY_NONE}, false},
        {{.verify = VERIFY_SENDER, .on_invalid = ACTION_REJECT}, true},
        {{.verify = VERIFY_SENDER, .on_unknown = ACTION_TEMPFAIL}, true},
        {{.verify = VERIFY_SENDER, .on_greylisted = ACTION_TEMPFAIL}, true},
        {{.verify = VERIFY_SENDER, .on_spf_fail = ACTION_REJECT}, true},
        {{.verify = VERIFY_SENDER, .on_spf_softfail = ACTION_REJECT}, true},
        {{.verify = VERIFY_SENDER, .on_not_vouched = ACTION_TEMPFAIL}, true},
        {{.verify = VERIFY_SENDER, .on_not_vouched = ACTION_QUARANTINE}, false},
        {{.verify = VERIFY_SENDER, .vouched = true}, false},
    };

    (void)state;
    assert_true(policy_acts_alike(&mild, &(struct policy){.verify = VERIFY_SENDER}));
    assert_false(policy_may_refuse(&mild));
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(policy_acts_alike(&mild, &cases[i].policy));
        assert_false(policy_acts_alike(&cases[i].policy, &mild));
        assert_true(policy_acts_alike(&cases[i].policy, &cases[i].policy));
        assert_int_equal(policy_may_refuse(&cases[i].policy), cases[i].may_refuse);
    }
}

static void exempt_is_accepted_whatever_the_policy(void **state)
{
    const struct policy harsh = {.on_unknown = ACTION_REJECT};

    (void)state;
    assert_int_equal(policy_action(&harsh, RB_VERDICT_UNKNOWN, RB_REASON_EXEMPT), ACTION_ACCEPT);
}

static void policies_act_alike_on_headers_that_refuse_for_the_same_fields(void **state)
{
    const struct policy tags = {.on_header_invalid = ACTION_TAG},
                        rejects = {.on_header_invalid = ACTION_REJECT},
                        defers = {.on_header_invalid = ACTION_TEMPFAIL},
                        vouched = {.on_header_invalid = ACTION_REJECT, .vouched = true};
    const unsigned from = 1U << ORIGINATOR_FROM, sender = 1U << ORIGINATOR_SENDER;

    (void)state;
    assert_true(policy_headers_act_alike(&tags, from, &tags, 0));
    assert_true(policy_headers_act_alike(&tags, from, &tags, sender));
    assert_true(policy_headers_act_alike(&rejects, from, &rejects, from));
    assert_true(policy_headers_act_alike(&rejects, 0, &tags, from));
    assert_true(policy_headers_act_alike(&rejects, 0, &defers, 0));
    assert_false(policy_headers_act_alike(&rejects, from, &tags, from));
    assert_false(policy_headers_act_alike(&tags, 0, &rejects, from));
    assert_false(policy_headers_act_alike(&rejects, from, &rejects, from | sender));
    assert_false(policy_headers_act_alike(&rejects, from, &defers, from));
    assert_false(policy_headers_act_alike(&rejects, from, &vouched, from));
}

static void senders_are_verified_by_sender_and_both(void **state)
{
    static const bool expected[] = {[VERIFY_NONE] = false,
                                    [VERIFY_SENDER] = true,
                                    [VERIFY_RECIPIENT] = false,
                                    [VERIFY_BOTH] = true};

    (void)state;
    for (size_t i = 0; i < COUNT(expected); i++) {
        const struct policy policy = {.verify = (enum policy_verify)i};

        assert_int_equal(policy_verifies_sender(&policy), expected[i]);
    }
}

static void names_are_those_of_the_configuration(void **state)
{
    (void)state;
    assert_string_equal(action_name(ACTION_ACCEPT), "accept");
    assert_string_equal(action_name(ACTION_TAG), "tag");
    assert_string_equal(action_name(ACTION_QUARANTINE), "quarantine");
    assert_string_equal(action_name(ACTION_TEMPFAIL), "tempfail");
    assert_string_equal(action_name(ACTION_REJECT), "reject");
    assert_string_equal(action_name((enum action)99), "?");
    assert_string_equal(policy_verify_name(VERIFY_BOTH), "both");
    assert_string_equal(policy_verify_name((enum policy_verify)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domain_matches_itself_alone),
        cmocka_unit_test(dot_domain_matches_subdomains_alone),
        cmocka_unit_test(mailbox_matches_one_address),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(international_domains_match_their_a_labels),
        cmocka_unit_test(star_matches_all_and_brackets_the_null_sender),
        cmocka_unit_test(host_patterns_match_what_clients_say),
        cmocka_unit_test(malformed_patterns_are_refused),
        cmocka_unit_test(longest_addresses_fit_and_longer_ones_match_nothing),
        cmocka_unit_test(long_lists_find_first_middle_and_last),
        cmocka_unit_test(policy_without_criteria_matches_everything),
        cmocka_unit_test(client_is_looked_up_in_networks),
        cmocka_unit_test(unknown_client_is_in_no_network),
        cmocka_unit_test(written_but_empty_list_matches_nobody),
        cmocka_unit_test(authenticated_is_any_unless_it_is_said),
        cmocka_unit_test(first_criterion_not_met_is_named),
        cmocka_unit_test(unknown_recipient_is_met_by_star_alone),
        cmocka_unit_test(first_match_wins_and_default_stands_behind),
        cmocka_unit_test(every_reason_gets_the_action_of_its_verdict),
        cmocka_unit_test(greylisted_and_what_the_gate_says_have_actions_of_their_own),
        cmocka_unit_test(whatever_a_policy_may_say_makes_it_another),
        cmocka_unit_test(exempt_is_accepted_whatever_the_policy),
        cmocka_unit_test(policies_act_alike_on_headers_that_refuse_for_the_same_fields),
        cmocka_unit_test(senders_are_verified_by_sender_and_both),
        cmocka_unit_test(names_are_those_of_the_configuration),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
