/* SPDX-License-Identifier: BSD-2-Clause */
/* test_organisation: organisational domains by the list of public suffixes, and what is no name. */
#include "config.h"

#include "check.h"
#include "mail/organisation.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void a_name_is_its_organisations(void **state)
{
    static const struct {
        const char *name, *organisation;
    } cases[] = {
        {"example.org", "example.org"},
        {"mail.example.org", "example.org"},
        {"a.b.c.d.example.org", "example.org"},
        {"example.co.uk", "example.co.uk"},
        {"mx.example.co.uk", "example.co.uk"},
        /* A suffix of a hoster's, not of a registry's. */
        {"someone.github.io", "someone.github.io"},
        {"www.someone.github.io", "someone.github.io"},
        /* "*.ck" and its exception "!www.ck". */
        {"example.any.ck", "example.any.ck"},
        {"mail.example.any.ck", "example.any.ck"},
        {"www.ck", "www.ck"},
        {"mail.www.ck", "www.ck"},
        /* "*.kawasaki.jp" and "!city.kawasaki.jp". */
        {"a.b.example.kawasaki.jp", "b.example.kawasaki.jp"},
        {"mail.city.kawasaki.jp", "city.kawasaki.jp"},
        /* A top-level domain that is in no list is a suffix. */
        {"example.nosuchtld", "example.nosuchtld"},
        {"mail.example.nosuchtld", "example.nosuchtld"},
        {"mail.test.internal-lan", "test.internal-lan"},
        /* A-labels: the suffixes of China and of .cn. */
        {"mail.example.xn--fiqs8s", "example.xn--fiqs8s"},
        {"mail.example.xn--55qx5d.cn", "example.xn--55qx5d.cn"},
        {"mail.xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"mail.example.org.", "example.org"},
        {"MAIL.Example.CO.UK", "example.co.uk"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char organisation[RB_DOMAIN_MAX + 1];

        organisation_of(cases[i].name, organisation);
        if (strcmp(organisation, cases[i].organisation) != 0)
            fail_msg("%s: \"%s\"", cases[i].name, organisation);
    }
}

static void a_public_suffix_is_its_own(void **state)
{
    static const char *const names[] = {"org",       "co.uk",         "github.io",     "any.ck",
                                        "nosuchtld", "xn--55qx5d.cn", "x.kawasaki.jp", "localhost"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char organisation[RB_DOMAIN_MAX + 1], below[RB_DOMAIN_MAX + 1];

        organisation_of(names[i], organisation);
        assert_string_equal(organisation, names[i]);
        (void)snprintf(below, sizeof below, "example.%s", names[i]);
        assert_false(organisation_is_same(below, names[i]));
        assert_true(organisation_is_same(names[i], names[i]));
    }
}

static void what_is_no_name_has_none(void **state)
{
    static const char *const names[] = {
        "", ".", "..", ".org", "example..org", ".example.org", "example.org.."};
    char organisation[RB_DOMAIN_MAX + 1], longest[RB_DOMAIN_MAX + 3];

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        organisation_of(names[i], organisation);
        assert_string_equal(organisation, "");
        assert_false(organisation_is_same(names[i], names[i]));
    }
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    organisation_of(longest, organisation);
    assert_string_equal(organisation, "");
    longest[RB_DOMAIN_MAX] = '.'; /* of the longest name, behind its end */
    longest[RB_DOMAIN_MAX + 1] = '\0';
    organisation_of(longest, organisation);
    assert_int_equal(strlen(organisation), RB_DOMAIN_MAX);
}

static void odd_octets_are_names_too(void **state)
{
    char name[RB_DOMAIN_MAX + 1], organisation[RB_DOMAIN_MAX + 1];

    (void)state;
    for (int octet = 1; octet < 256; octet++) {
        if (octet == '.')
            continue;
        (void)snprintf(name, sizeof name, "a%c.%cb.org", octet, octet);
        organisation_of(name, organisation);
        if (strlen(organisation) != strlen("?b.org"))
            fail_msg("octet %d: \"%s\"", octet, organisation);
    }
    for (size_t i = 0; i + 1 < sizeof name; i++) /* as many labels as there can be */
        name[i] = i % 2 == 0 ? 'a' : '.';
    name[RB_DOMAIN_MAX - 1] = 'a';
    name[RB_DOMAIN_MAX] = '\0';
    organisation_of(name, organisation);
    assert_true(strlen(organisation) > 0);
}

static void names_of_one_organisation_are_the_same(void **state)
{
    static const struct {
        const char *one, *other;
        bool is_same;
    } cases[] = {
        {"mail.example.org", "example.org", true},
        {"mail.example.org", "lists.example.org.", true},
        {"EXAMPLE.org", "a.b.example.ORG", true},
        {"example.org", "example.com", false},
        {"notexample.org", "example.org", false},
        {"example.org.evil.example", "example.org", false},
        {"one.co.uk", "two.co.uk", false},
        {"one.github.io", "two.github.io", false},
        {"one.github.io", "github.io", false},
        {"", "", false},
        {"example.org", "", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (organisation_is_same(cases[i].one, cases[i].other) != cases[i].is_same)
            fail_msg("%s, %s", cases[i].one, cases[i].other);
        assert_int_equal(organisation_is_same(cases[i].other, cases[i].one), cases[i].is_same);
    }
}

static void *ask(void *arg)
{
    *(bool *)arg = organisation_is_same("a.example.co.uk", "b.example.co.uk") &&
                   !organisation_is_same("a.co.uk", "b.co.uk");
    return NULL;
}

static void many_threads_may_ask_first(void **state)
{
    pthread_t thread[8];
    bool is_right[COUNT(thread)];

    (void)state;
    for (size_t i = 0; i < COUNT(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask, &is_right[i]), 0);
    for (size_t i = 0; i < COUNT(thread); i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_true(is_right[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_may_ask_first), /* before the others have read the list */
        cmocka_unit_test(a_name_is_its_organisations),
        cmocka_unit_test(a_public_suffix_is_its_own),
        cmocka_unit_test(what_is_no_name_has_none),
        cmocka_unit_test(odd_octets_are_names_too),
        cmocka_unit_test(names_of_one_organisation_are_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
