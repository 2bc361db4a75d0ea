/* SPDX-License-Identifier: BSD-2-Clause */
/* test_relay: targets as admins write them, and what is none. */
#include "config.h"

#include "check.h"
#include "mail/relay.h"

#include <string.h>

static void targets_are_read_as_they_are_meant(void **state)
{
    static const struct {
        const char *text, *host, *path;
        unsigned port;
        bool lmtp;
    } cases[] = {
        {"mail.example.org", "mail.example.org", "", 0, false},
        {"mail.example.org:2525", "mail.example.org", "", 2525, false},
        {"smtp:mail.example.org", "mail.example.org", "", 0, false},
        {"smtp:mail.example.org:26", "mail.example.org", "", 26, false},
        {"192.0.2.1", "192.0.2.1", "", 0, false},
        {"192.0.2.1:65535", "192.0.2.1", "", 65535, false},
        {"[2001:db8::1]", "2001:db8::1", "", 0, false},
        {"[2001:db8::1]:26", "2001:db8::1", "", 26, false},
        {"lmtp:store", "store", "", 24, true},
        {"lmtp:store:2003", "store", "", 2003, true},
        {"lmtp:[::1]:24", "::1", "", 24, true},
        {"unix:/run/dovecot/lmtp", "", "/run/dovecot/lmtp", 0, true},
        {"lmtp:unix:/run/dovecot/lmtp", "", "/run/dovecot/lmtp", 0, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct relay_target target;

        if (!relay_target_read(cases[i].text, strlen(cases[i].text), &target))
            fail_msg("%s", cases[i].text);
        assert_string_equal(target.host, cases[i].host);
        assert_string_equal(target.path, cases[i].path);
        assert_int_equal(target.port, cases[i].port);
        assert_int_equal(target.lmtp, cases[i].lmtp);
        assert_true(relay_is_good(cases[i].text));
    }
}

static void what_is_no_target_is_refused(void **state)
{
    static const char *const texts[] = {
        "",     ":25", "host:",  "host:0",    "host:65536",   "host:x", "a b",   "a/b",
        "[::1", "[]",  "[::1]x", "unix:",     "unix:x",       "lmtp:",  "smtp:", "host:25:25",
        "a,",   ",a",  "a,,b",   "user@host", "host:0000025", "<a>",    "a\tb",  "host:-1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (relay_is_good(texts[i]))
            fail_msg("\"%s\" is taken", texts[i]);
}

static void long_ones_are_refused(void **state)
{
    char text[RELAY_MAX + 2];
    struct relay_target target;

    (void)state;
    memset(text, 'a', sizeof text);
    assert_true(relay_target_read(text, RB_DOMAIN_MAX, &target));
    assert_false(relay_target_read(text, RB_DOMAIN_MAX + 1, &target));
    memcpy(text, "unix:/", 6);
    assert_true(relay_target_read(text, 5 + RELAY_PATH_MAX, &target));
    assert_false(relay_target_read(text, 5 + RELAY_PATH_MAX + 1, &target));
    text[sizeof text - 1] = '\0';
    assert_false(relay_is_good(text));
}

static void a_path_that_would_break_its_list_is_no_target(void **state)
{
    static const char *const texts[] = {"unix:/a,b", "lmtp:unix:/a,b", "unix:/a\nb", "unix:/\x7f",
                                        "unix:/\x01"};
    struct relay_target target;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (relay_target_read(texts[i], strlen(texts[i]), &target))
            fail_msg("%zu is taken", i);
    assert_false(relay_target_read("a\0b", 3, &target));
    assert_true(relay_target_read("unix:/a b", 9, &target));
}

static void a_list_is_gone_through_in_its_order(void **state)
{
    static const char list[] = "a:26,lmtp:b,unix:/c";
    struct relay_target target;
    const char *at = list;

    (void)state;
    assert_true(relay_is_good(list));
    assert_true(relay_next(&at, &target));
    assert_string_equal(target.host, "a");
    assert_true(relay_next(&at, &target));
    assert_string_equal(target.host, "b");
    assert_true(target.lmtp);
    assert_true(relay_next(&at, &target));
    assert_string_equal(target.path, "/c");
    assert_false(relay_next(&at, &target));
}

static void a_list_has_eight_targets_at_most(void **state)
{
    (void)state;
    assert_true(relay_is_good("a,b,c,d,e,f,g,h"));
    assert_false(relay_is_good("a,b,c,d,e,f,g,h,i"));
}

static void the_preferred_mail_hosts_are_a_relay_too(void **state)
{
    (void)state;
    assert_true(relay_is_good("mx:"));
    assert_true(relay_is_mx("mx:"));
    assert_false(relay_is_mx("mx"));
    assert_false(relay_is_mx(NULL));
    assert_false(relay_is_own("mx:"));
    assert_false(relay_is_own(""));
    assert_true(relay_is_own("store.example"));
    assert_false(relay_is_good("mx:,a"));
}

static void a_strangers_host_is_no_admins_relay(void **state)
{
    static const struct {
        const char *text, *host;
        unsigned port;
    } cases[] = {
        {"host:mx.example.net", "mx.example.net", 0},
        {"host:mx.example.net:2525", "mx.example.net", 2525},
        {"host:192.0.2.1", "192.0.2.1", 0},
        {"host:192.0.2.1:26", "192.0.2.1", 26},
        {"host:[2001:db8::1]", "2001:db8::1", 0},
        {"host:[2001:db8::1]:26", "2001:db8::1", 26},
        {"host:3com.example", "3com.example", 0},
    };
    struct relay_target target;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(relay_is_host(cases[i].text));
        assert_true(relay_host_read(cases[i].text, &target));
        assert_string_equal(target.host, cases[i].host);
        assert_int_equal(target.port, cases[i].port);
        assert_string_equal(target.path, "");
        assert_false(target.lmtp);
        assert_false(relay_is_own(cases[i].text));
        assert_false(relay_is_good(cases[i].text));
        assert_false(relay_is_name(cases[i].text));
    }
}

/* An admin may have called a store so. */
static void a_store_of_the_name_host_is_still_one(void **state)
{
    static const char *const texts[] = {"host:25", "host", "smtp:host:25", "host:25,host:26"};
    struct relay_target target;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(relay_is_good(texts[i]));
        assert_true(relay_is_own(texts[i]));
        assert_false(relay_is_host(texts[i]));
        assert_false(relay_host_read(texts[i], &target));
    }
}

static void what_is_no_strangers_host_is_refused(void **state)
{
    static const char *const texts[] = {
        "",           "host:",        "host:25:25",  "host:a b",     "host:[::1",
        "host:a,b",   "host:a:0",     "host:a:x",    "host:unix:/a", "host:<a>",
        "host:[]",    "host:a:65536", "host:mx\r\n", "hosts:a.b.c",  "smtp:host:a.b",
        "HOST:a.b.c", "mx:",
    };
    struct relay_target target;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (relay_host_read(texts[i], &target))
            fail_msg("\"%s\" is taken", texts[i]);
}

static void a_strangers_host_is_written_as_it_is_read(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *text;
    } cases[] = {
        {"MX.Example.NET", 0, "host:mx.example.net"},
        {"mx.example.net", 25, "host:mx.example.net:25"},
        {"192.0.2.1", 65535, "host:192.0.2.1:65535"},
        {"2001:DB8::1", 0, "host:[2001:db8::1]"},
        {"2001:db8::1", 26, "host:[2001:db8::1]:26"},
        {"", 25, ""},
        {"25", 25, ""},
        {"a b", 0, ""},
        {"a,b", 0, ""},
        {"mx\nexample", 0, ""},
    };
    char text[RELAY_HOST_MAX + 1], host[RB_DOMAIN_MAX + 2];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(relay_host_write(cases[i].host, cases[i].port, text),
                         cases[i].text[0] != '\0');
        assert_string_equal(text, cases[i].text);
    }
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    assert_false(relay_host_write(host, 65535, text));
    host[RB_DOMAIN_MAX] = '\0';
    assert_true(relay_host_write(host, 65535, text));
}

static void a_name_is_short_without_blanks_and_one_for_each_list(void **state)
{
    char name[RELAY_NAME_MAX + 1], other[RELAY_NAME_MAX + 1], list[RELAY_MAX + 1];

    (void)state;
    relay_name("host:25", name);
    assert_string_equal(name, "host:25");
    relay_name(NULL, name);
    assert_string_equal(name, "");
    memset(list, 'x', sizeof list);
    list[300] = '\0';
    relay_name(list, name);
    assert_int_equal(name[0], '#');
    assert_int_equal(strlen(name), 33);
    list[299] = 'y';
    relay_name(list, other);
    assert_string_not_equal(name, other);
    relay_name("unix:/with blank", name);
    assert_null(strchr(name, ' '));
}

/* So that what was listed can be asked for. */
static void a_name_is_known_as_one_and_is_its_own(void **state)
{
    static const char *const others[] = {"",
                                         "#",
                                         "#0123",
                                         "#0123456789ABCDEF0123456789abcdef",
                                         "#0123456789abcdef0123456789abcdef0",
                                         "a b",
                                         "unix:/a b"};
    static const char *const lists[] = {"host:25", "mx:", "unix:/with blank", "[2001:db8::1]:25"};
    char name[RELAY_NAME_MAX + 1], again[RELAY_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        relay_name(lists[i], name);
        relay_name(name, again);
        assert_string_equal(name, again);
        assert_true(relay_is_name(name));
    }
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(relay_is_name(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_read_as_they_are_meant),
        cmocka_unit_test(what_is_no_target_is_refused),
        cmocka_unit_test(long_ones_are_refused),
        cmocka_unit_test(a_path_that_would_break_its_list_is_no_target),
        cmocka_unit_test(a_list_is_gone_through_in_its_order),
        cmocka_unit_test(a_list_has_eight_targets_at_most),
        cmocka_unit_test(the_preferred_mail_hosts_are_a_relay_too),
        cmocka_unit_test(a_strangers_host_is_no_admins_relay),
        cmocka_unit_test(a_store_of_the_name_host_is_still_one),
        cmocka_unit_test(what_is_no_strangers_host_is_refused),
        cmocka_unit_test(a_strangers_host_is_written_as_it_is_read),
        cmocka_unit_test(a_name_is_short_without_blanks_and_one_for_each_list),
        cmocka_unit_test(a_name_is_known_as_one_and_is_its_own),
    };

    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
