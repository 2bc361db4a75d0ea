/* SPDX-License-Identifier: BSD-2-Clause */
/* test_guard: whom a Host field may name, and what it may look like. */
#include "config.h"

#include "http/guard.h"

#include "check.h"

static struct rb_network allowed_items[1];
static struct network_list allowed = {.items = allowed_items, .count = 1};

static struct ip ip_of(const char *text)
{
    struct sockaddr_storage address;
    struct ip ip;

    assert_true(ip_sockaddr_parse(text, &address));
    assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &ip));
    return ip;
}

static enum guard_verdict judge(const char *host)
{
    const struct ip local = ip_of("192.0.2.25");
    const struct guard_names names = {
        .hostname = "mx.our.example", .machine = "mx", .local = &local, .allowed = &allowed};

    assert_int_equal(rb_network_parse("198.51.100.0/24", &allowed_items[0]), RB_OK);
    return guard_judge(host, &names);
}

static void check(const char *const *hosts, enum guard_verdict wanted)
{
    for (; *hosts != NULL; hosts++)
        if (judge(*hosts) != wanted)
            fail_msg("\"%s\" is judged %d", *hosts, (int)judge(*hosts));
}

static void our_names_and_addresses_are_ours(void **state)
{
    static const char *const hosts[] = {"localhost",
                                        "LocalHost:1",
                                        "localhost.",
                                        "a.b.localhost",
                                        "a.localhost.:80",
                                        "mx",
                                        "MX:8895",
                                        "mx.our.example",
                                        "MX.Our.Example.",
                                        "mx.our.example.:",
                                        "127.0.0.1",
                                        "127.1.2.3:9",
                                        "[::1]",
                                        "[::1]:65535",
                                        "192.0.2.25",
                                        "192.0.2.25:80",
                                        "198.51.100.7",
                                        "[::ffff:192.0.2.25]",
                                        NULL};

    (void)state;
    check(hosts, GUARD_OURS);
}

static void anybody_elses_are_foreign(void **state)
{
    static const char *const hosts[] = {"evil.example",
                                        "mx.our.example.evil.example",
                                        "our.example",
                                        "xlocalhost",
                                        ".localhost",
                                        "localhost.evil.example",
                                        "localhost..",
                                        "192.0.2.26",
                                        "203.0.113.1:80",
                                        "[2001:db8::1]",
                                        "127.0.0.1.evil.example",
                                        "0x7f.1",
                                        "2130706433",
                                        "0",
                                        "127.1",
                                        NULL};

    (void)state;
    check(hosts, GUARD_FOREIGN);
}

static void what_is_no_host_is_wrong(void **state)
{
    static const char *const hosts[] = {"",
                                        ":",
                                        ":80",
                                        "[",
                                        "[]",
                                        "[::1",
                                        "::1",
                                        "[::1]x",
                                        "[127.0.0.1]",
                                        "[localhost]",
                                        "localhost:x",
                                        "localhost:-1",
                                        "localhost:65536",
                                        "localhost:8 0",
                                        "localhost:1:1",
                                        "a b",
                                        "a@localhost",
                                        "localhost/",
                                        "localhost?",
                                        "local\x01host",
                                        "\xC3\xA9.localhost",
                                        " localhost",
                                        "localhost ",
                                        "[::1%lo]",
                                        NULL};

    (void)state;
    check(hosts, GUARD_WRONG);
}

static void a_host_that_is_too_long_is_wrong(void **state)
{
    char host[300];

    (void)state;
    memset(host, 'a', sizeof host);
    host[255] = '\0';
    assert_int_equal(judge(host), GUARD_FOREIGN);
    host[255] = 'a';
    host[256] = '\0';
    assert_int_equal(judge(host), GUARD_WRONG);
}

static void an_empty_name_of_ours_is_no_name(void **state)
{
    const struct ip local = ip_of("192.0.2.25");
    const struct network_list nobody = {.count = 0};
    const struct guard_names names = {
        .hostname = "", .machine = "", .local = &local, .allowed = &nobody};

    (void)state;
    assert_int_equal(guard_judge(".", &names), GUARD_FOREIGN);
    assert_int_equal(guard_judge("198.51.100.7", &names), GUARD_FOREIGN);
    assert_int_equal(guard_judge("192.0.2.25", &names), GUARD_OURS);
}

static void by_a_unix_socket_every_host_is_ours(void **state)
{
    const struct guard_names names = {.hostname = "", .machine = "", .allowed = &allowed};

    (void)state;
    assert_int_equal(guard_judge("status.example.org", &names), GUARD_OURS);
    assert_int_equal(guard_judge("203.0.113.1:80", &names), GUARD_OURS);
    assert_int_equal(guard_judge("a b", &names), GUARD_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_names_and_addresses_are_ours),
        cmocka_unit_test(anybody_elses_are_foreign),
        cmocka_unit_test(what_is_no_host_is_wrong),
        cmocka_unit_test(a_host_that_is_too_long_is_wrong),
        cmocka_unit_test(an_empty_name_of_ours_is_no_name),
        cmocka_unit_test(by_a_unix_socket_every_host_is_ours),
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
