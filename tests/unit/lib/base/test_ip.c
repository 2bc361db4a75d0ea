/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ip: both families in one form and back, and where a prefix ends. */
#include "config.h"

#include "check.h"
#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

static struct ip ip_of(const char *text)
{
    struct sockaddr_storage address;
    struct ip ip;

    assert_true(ip_sockaddr_parse(text, &address));
    assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &ip));
    return ip;
}

static void text_becomes_a_socket_address_of_its_family(void **state)
{
    struct sockaddr_storage address;

    (void)state;
    assert_true(ip_sockaddr_parse("192.0.2.1", &address));
    assert_int_equal(address.ss_family, AF_INET);
    assert_int_equal(ip_sockaddr_size(&address), sizeof(struct sockaddr_in));
    assert_int_equal(ip_sockaddr_port(&address), 0);
    assert_true(ip_sockaddr_parse("2001:db8::1", &address));
    assert_int_equal(address.ss_family, AF_INET6);
    assert_int_equal(ip_sockaddr_size(&address), sizeof(struct sockaddr_in6));
    assert_true(ip_sockaddr_parse("::ffff:192.0.2.1", &address));
    assert_int_equal(address.ss_family, AF_INET6);
}

static void what_is_no_address_leaves_none(void **state)
{
    static const char *const texts[] = {"", "192.0.2", "192.0.2.1:25", "[::1]", "fe80::1%lo", "a"};
    static const struct sockaddr_storage zero;
    struct sockaddr_storage address;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        memset(&address, 0xff, sizeof address);
        assert_false(ip_sockaddr_parse(texts[i], &address));
        assert_memory_equal(&address, &zero, sizeof address);
    }
}

static void ports_are_set_and_read_in_host_order(void **state)
{
    struct sockaddr_storage address;

    (void)state;
    assert_true(ip_sockaddr_parse("192.0.2.1", &address));
    ip_sockaddr_set_port(&address, 2525);
    assert_int_equal(ip_sockaddr_port(&address), 2525);
    assert_int_equal(((struct sockaddr_in *)&address)->sin_port, htons(2525));
    assert_true(ip_sockaddr_parse("2001:db8::1", &address));
    ip_sockaddr_set_port(&address, 2525);
    assert_int_equal(ip_sockaddr_port(&address), 2525);
    assert_int_equal(((struct sockaddr_in6 *)&address)->sin6_port, htons(2525));
}

static void address_and_port_make_a_place(void **state)
{
    static const char *const texts[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "::1"};
    struct sockaddr_storage a, b;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
            assert_true(ip_sockaddr_parse(texts[i], &a));
            assert_true(ip_sockaddr_parse(texts[j], &b));
            assert_int_equal(ip_sockaddr_is_same(&a, &b), i == j);
            ip_sockaddr_set_port(&b, 25);
            assert_false(ip_sockaddr_is_same(&a, &b));
        }
}

static void v4_mapped_is_the_same_as_v4(void **state)
{
    const struct ip v4 = ip_of("192.0.2.1"), mapped = ip_of("::ffff:192.0.2.1");

    (void)state;
    assert_memory_equal(&v4, &mapped, sizeof v4);
    assert_true(ip_is_v4(&v4));
    assert_memory_equal(ip_v4(&v4), "\xc0\x00\x02\x01", IP_V4_LEN);
    assert_int_equal(ip_to_sockaddr(&mapped).ss_family, AF_INET);
}

static void other_ipv6_is_no_v4(void **state)
{
    static const char *const texts[] = {"::", "::1", "::192.0.2.1", "2001:db8::1",
                                        "64:ff9b::192.0.2.1"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct ip ip = ip_of(texts[i]);
        assert_false(ip_is_v4(&ip));
        assert_int_equal(ip_to_sockaddr(&ip).ss_family, AF_INET6);
    }
}

static void the_loopback_is_told_in_either_family(void **state)
{
    static const struct {
        const char *text;
        bool is_loopback;
    } rows[] = {{"127.0.0.1", true},
                {"127.255.255.255", true},
                {"128.0.0.1", false},
                {"126.255.255.255", false},
                {"::1", true},
                {"::2", false},
                {"::ffff:127.0.0.2", true},
                {"::127.0.0.1", false}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct ip ip = ip_of(rows[i].text);

        assert_int_equal(ip_is_loopback(&ip), rows[i].is_loopback);
    }
}

static void an_address_goes_to_a_socket_address_and_back(void **state)
{
    static const char *const texts[] = {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::1",
                                        "2001:db8::1"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct ip ip = ip_of(texts[i]);
        const struct sockaddr_storage address = ip_to_sockaddr(&ip);
        char text[INET6_ADDRSTRLEN];
        struct ip back;
        assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &back));
        assert_true(ip_is_same(&back, &ip));
        ip_text(&back, text);
        assert_string_equal(text, texts[i]);
    }
}

static void other_families_are_no_ip_addresses(void **state)
{
    const struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    struct ip ip;

    (void)state;
    assert_false(ip_from_sockaddr(NULL, &ip));
    assert_false(ip_from_sockaddr(&unix_socket, &ip));
}

/* Of two addresses that differ in one bit, all prefixes up to that bit are the same. */
static void a_prefix_ends_at_its_last_bit(void **state)
{
    const struct ip one = ip_of("2001:db8:5a5a:a5a5:5a5a:a5a5:5a5a:a5a5");

    (void)state;
    for (unsigned bit = 0; bit < IP_BITS; bit++) {
        struct ip other = one;
        other.octets[bit / 8] ^= (uint8_t)(0x80U >> bit % 8);
        for (unsigned bits = 0; bits <= IP_BITS; bits++)
            assert_int_equal(ip_has_prefix(&one, &other, bits), bits <= bit);
    }
    assert_true(ip_has_prefix(&one, &one, IP_BITS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_a_socket_address_of_its_family),
        cmocka_unit_test(what_is_no_address_leaves_none),
        cmocka_unit_test(ports_are_set_and_read_in_host_order),
        cmocka_unit_test(address_and_port_make_a_place),
        cmocka_unit_test(v4_mapped_is_the_same_as_v4),
        cmocka_unit_test(other_ipv6_is_no_v4),
        cmocka_unit_test(the_loopback_is_told_in_either_family),
        cmocka_unit_test(an_address_goes_to_a_socket_address_and_back),
        cmocka_unit_test(other_families_are_no_ip_addresses),
        cmocka_unit_test(a_prefix_ends_at_its_last_bit),
    };

    return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
