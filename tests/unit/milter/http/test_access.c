/* SPDX-License-Identifier: BSD-2-Clause */
/* test_access: from where clients are heard. */
#include "config.h"

#include "http/access.h"

#include "base/ip.h"
#include "check.h"

static struct rb_network items[2];
static const struct network_list allowed = {.items = items, .count = 2}, nobody;

static bool is_heard(const struct network_list *list, const char *from)
{
    struct sockaddr_storage peer;

    assert_true(ip_sockaddr_parse(from, &peer));
    return access_is_allowed(list, (const struct sockaddr *)&peer);
}

static void this_host_is_always_heard(void **state)
{
    static const char *const own[] = {"127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"};
    const struct sockaddr unix_peer = {.sa_family = AF_UNIX};

    (void)state;
    for (size_t i = 0; i < COUNT(own); i++) {
        assert_true(is_heard(&nobody, own[i]));
        assert_true(is_heard(&allowed, own[i]));
    }
    assert_true(access_is_allowed(&nobody, &unix_peer));
}

static void others_are_heard_from_networks_that_are_named(void **state)
{
    (void)state;
    assert_int_equal(rb_network_parse("192.0.2.0/24", &items[0]), RB_OK);
    assert_int_equal(rb_network_parse("2001:db8::/32", &items[1]), RB_OK);
    assert_true(is_heard(&allowed, "192.0.2.255"));
    assert_true(is_heard(&allowed, "::ffff:192.0.2.1"));
    assert_true(is_heard(&allowed, "2001:db8:1::1"));
    assert_false(is_heard(&allowed, "192.0.3.0"));
    assert_false(is_heard(&allowed, "2001:db9::1"));
    assert_false(is_heard(&nobody, "192.0.2.1"));
}

static void what_has_no_address_is_not_heard(void **state)
{
    const struct sockaddr unknown = {.sa_family = AF_UNSPEC};

    (void)state;
    assert_false(access_is_allowed(&allowed, &unknown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_host_is_always_heard),
        cmocka_unit_test(others_are_heard_from_networks_that_are_named),
        cmocka_unit_test(what_has_no_address_is_not_heard),
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
