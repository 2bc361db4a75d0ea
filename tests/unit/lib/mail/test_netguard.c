/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests of netguard: the first and last address of each network that may not be called and its
 * neighbours that may, embedded addresses, the owner's exceptions, and reading networks.
 */
#include "config.h"

#include "check.h"
#include "mail/netguard.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

/* --- helpers -------------------------------------------------------------------------------------
 */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address address_of(const char *text)
{
    union address address = {.v6 = {.sin6_family = AF_INET6}};

    if (strchr(text, ':') != NULL) {
        assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
    } else {
        address.v4 = (struct sockaddr_in){.sin_family = AF_INET};
        assert_int_equal(inet_pton(AF_INET, text, &address.v4.sin_addr), 1);
    }
    return address;
}

static struct rb_network network_of(const char *text)
{
    struct rb_network network = {.bits = 0};

    assert_int_equal(rb_network_parse(text, &network), RB_OK);
    return network;
}

static bool contains(const char *network_text, const char *address_text)
{
    const struct rb_network network = network_of(network_text);
    const union address address = address_of(address_text);

    return netguard_is_in_any(&network, 1, &address.any);
}

static enum netguard_class judge(const struct netguard *guard, const char *text)
{
    const union address address = address_of(text);

    return netguard_judge(guard, &address.any);
}

static void assert_kind(const char *text, const char *kind)
{
    static const struct netguard guard = {.allowed_count = 0};
    const union address address = address_of(text);

    if (strcmp(netguard_kind(&address.any), kind) != 0)
        print_error("%s\n", text);
    assert_string_equal(netguard_kind(&address.any), kind);
    assert_int_equal(netguard_judge(&guard, &address.any),
                     kind[0] == '\0' ? NETGUARD_CALLABLE : NETGUARD_BOGUS);
}

/* --- the table -----------------------------------------------------------------------------------
 */

static void networks_that_no_mail_can_go_to_are_bogus_from_end_to_end(void **state)
{
    static const struct {
        const char *first, *last, *kind;
    } rows[] = {
        {"0.0.0.0", "0.255.255.255", "unspecified"},
        {"10.0.0.0", "10.255.255.255", "private"},
        {"100.64.0.0", "100.127.255.255", "shared"},
        {"127.0.0.0", "127.255.255.255", "loopback"},
        {"169.254.0.0", "169.254.255.255", "link-local"},
        {"172.16.0.0", "172.31.255.255", "private"},
        {"192.0.0.0", "192.0.0.255", "protocol"},
        {"192.0.2.0", "192.0.2.255", "documentation"},
        {"192.88.99.0", "192.88.99.255", "6to4 relay"},
        {"192.168.0.0", "192.168.255.255", "private"},
        {"198.18.0.0", "198.19.255.255", "benchmarking"},
        {"198.51.100.0", "198.51.100.255", "documentation"},
        {"203.0.113.0", "203.0.113.255", "documentation"},
        {"224.0.0.0", "239.255.255.255", "multicast"},
        {"240.0.0.0", "255.255.255.254", "reserved"},
        {"255.255.255.255", "255.255.255.255", "broadcast"},
        {"::", "::", "unspecified"},
        {"::1", "::1", "loopback"},
        {"::2", "::ffff:ffff", "v4-compatible"},
        {"::8.8.8.8", "::192.0.2.1", "v4-compatible"},
        {"::1:0:0", "::fffe:ffff:ffff", "reserved"},
        {"::ffff:0:0:0", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
        {"64:ff9b:0:0:0:1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "reserved"},
        {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "private"},
        {"64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
        {"100::", "100::ffff:ffff:ffff:ffff", "discard-only"},
        {"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "dummy"},
        {"100:0:0:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
        {"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "teredo"},
        {"2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol"},
        {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
        {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
        {"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
        {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "routing"},
        {"5f01::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
        {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
        {"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
        {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
        {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"},
        {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_kind(rows[i].first, rows[i].kind);
        assert_kind(rows[i].last, rows[i].kind);
    }
}

static void neighbours_of_bogus_networks_are_callable(void **state)
{
    static const char *const rows[] = {
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.1.255",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "8.8.8.8",
        "2000::",
        "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:200::",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2003::",
        "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff:1000::",
        "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2a00:1450:4001::1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_kind(rows[i], "");
}

static void embedded_ipv4_address_decides(void **state)
{
    static const struct {
        const char *text, *kind;
    } rows[] = {
        {"::ffff:10.0.0.1", "private"},
        {"::ffff:127.0.0.1", "loopback"},
        {"::ffff:0.0.0.0", "unspecified"},
        {"::ffff:255.255.255.255", "broadcast"},
        {"::ffff:8.8.8.8", ""},
        {"64:ff9b::10.0.0.1", "private"},
        {"64:ff9b::127.0.0.1", "loopback"},
        {"64:ff9b::169.254.169.254", "link-local"},
        {"64:ff9b::8.8.8.8", ""},
        {"2002:a00:1::", "private"},
        {"2002:7f00:1::1", "loopback"},
        {"2002:c0a8:101:ffff:ffff:ffff:ffff:ffff", "private"},
        {"2002:e000:1::", "multicast"},
        {"2002:808:808::1", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_kind(rows[i].text, rows[i].kind);
}

static void what_is_no_ip_address_is_bogus(void **state)
{
    const struct sockaddr local = {.sa_family = AF_UNIX};
    const struct rb_network all = network_of("::/0");
    const struct netguard guard = {.allowed = &all, .allowed_count = 1};
    (void)state;
    assert_int_equal(netguard_judge(&guard, &local), NETGUARD_BOGUS);
    assert_string_not_equal(netguard_kind(&local), "");
    assert_false(netguard_is_in_any(&all, 1, &local));
}

/* --- the owner's exceptions ----------------------------------------------------------------------
 */

static void allowed_network_is_an_exception_to_everything(void **state)
{
    const struct rb_network allowed[] = {network_of("10.1.0.0/16"), network_of("fd00::/8"),
                                         network_of("127.0.0.0/8")};
    const struct rb_network own[] = {network_of("10.1.0.1")};
    const struct netguard guard = {
        .allowed = allowed, .allowed_count = COUNT(allowed), .own = own, .own_count = COUNT(own)};
    (void)state;
    assert_int_equal(judge(&guard, "10.1.0.1"), NETGUARD_CALLABLE);
    assert_int_equal(judge(&guard, "10.1.255.255"), NETGUARD_CALLABLE);
    assert_int_equal(judge(&guard, "::ffff:10.1.2.3"), NETGUARD_CALLABLE);
    assert_int_equal(judge(&guard, "127.0.0.1"), NETGUARD_CALLABLE);
    assert_int_equal(judge(&guard, "fd12::1"), NETGUARD_CALLABLE);
    assert_int_equal(judge(&guard, "10.2.0.0"), NETGUARD_BOGUS);
    assert_int_equal(judge(&guard, "fc00::1"), NETGUARD_BOGUS);
}

static void allowing_an_ipv4_network_does_not_allow_it_embedded(void **state)
{
    const struct rb_network allowed[] = {network_of("10.0.0.0/8")};
    const struct netguard guard = {.allowed = allowed, .allowed_count = COUNT(allowed)};
    (void)state;
    assert_int_equal(judge(&guard, "64:ff9b::10.0.0.1"), NETGUARD_BOGUS);
    assert_int_equal(judge(&guard, "2002:a00:1::1"), NETGUARD_BOGUS);
}

static void own_addresses_are_told_from_bogus_ones(void **state)
{
    const struct rb_network own[] = {network_of("10.0.0.5"), network_of("8.8.4.4"),
                                     network_of("2a00::25")};
    const struct netguard guard = {.own = own, .own_count = COUNT(own)};
    (void)state;
    assert_int_equal(judge(&guard, "10.0.0.5"), NETGUARD_OWN);
    assert_int_equal(judge(&guard, "::ffff:10.0.0.5"), NETGUARD_OWN);
    assert_int_equal(judge(&guard, "8.8.4.4"), NETGUARD_OWN);
    assert_int_equal(judge(&guard, "2a00::25"), NETGUARD_OWN);
    assert_int_equal(judge(&guard, "10.0.0.6"), NETGUARD_BOGUS);
    assert_int_equal(judge(&guard, "8.8.4.5"), NETGUARD_CALLABLE);
    assert_int_equal(judge(&guard, "127.0.0.1"), NETGUARD_BOGUS);
}

static void own_address_is_found_when_embedded(void **state)
{
    const struct rb_network own[] = {network_of("8.8.4.4")};
    const struct netguard guard = {.own = own, .own_count = COUNT(own)};
    (void)state;
    assert_int_equal(judge(&guard, "64:ff9b::8.8.4.4"), NETGUARD_OWN);
    assert_int_equal(judge(&guard, "2002:808:404::1"), NETGUARD_OWN);
    assert_int_equal(judge(&guard, "64:ff9b::8.8.4.5"), NETGUARD_CALLABLE);
}

/* Loopback is bogus for everybody: "mx.example. A 127.0.0.1" is the sender's doing. */
static void own_addresses_of_this_machine_leave_out_loopback(void **state)
{
    struct rb_network *own = NULL;
    size_t count = 0;
    (void)state;
    assert_int_equal(netguard_own_addresses(&own, &count), RB_OK);
    assert_int_equal(own == NULL, count == 0);
    const struct netguard guard = {.own = own, .own_count = count};
    assert_int_equal(judge(&guard, "127.0.0.1"), NETGUARD_BOGUS);
    assert_int_equal(judge(&guard, "::1"), NETGUARD_BOGUS);
    for (size_t i = 0; own != NULL && i < count; i++)
        assert_int_equal(own[i].bits, 128);
    free(own);
}

static void own_addresses_of_this_machine_are_all_judged_own(void **state)
{
    struct rb_network *own = NULL;
    struct ifaddrs *all = NULL;
    size_t count = 0;
    size_t seen = 0;
    (void)state;
    assert_int_equal(netguard_own_addresses(&own, &count), RB_OK);
    assert_int_equal(getifaddrs(&all), 0);
    const struct netguard guard = {.own = own, .own_count = count};
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr == NULL ||
            (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
            continue;
        const bool loopback = strcmp(netguard_kind(at->ifa_addr), "loopback") == 0;
        assert_int_equal(netguard_judge(&guard, at->ifa_addr),
                         loopback ? NETGUARD_BOGUS : NETGUARD_OWN);
        seen += !loopback;
    }
    assert_int_equal(seen, count);
    freeifaddrs(all);
    free(own);
}

/* --- networks ------------------------------------------------------------------------------------
 */

static void networks_are_read(void **state)
{
    static const struct {
        const char *text, *first;
        uint8_t bits;
    } rows[] = {
        {"192.0.2.0/24", "::ffff:192.0.2.0", 120},
        {"192.0.2.1", "::ffff:192.0.2.1", 128},
        {"192.0.2.1/32", "::ffff:192.0.2.1", 128},
        {"192.0.2.128/25", "::ffff:192.0.2.128", 121},
        {"0.0.0.0/0", "::ffff:0.0.0.0", 96},
        {"128.0.0.0/1", "::ffff:128.0.0.0", 97},
        {"2001:db8::/32", "2001:db8::", 32},
        {"2001:DB8::1", "2001:db8::1", 128},
        {"2001:db8::1/128", "2001:db8::1", 128},
        {"::/0", "::", 0},
        {"::1", "::1", 128},
        {"::ffff:192.0.2.0/120", "::ffff:192.0.2.0", 120},
        {"fe80::/10", "fe80::", 10},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct rb_network network = network_of(rows[i].text);
        const union address first = address_of(rows[i].first);
        assert_memory_equal(network.addr, &first.v6.sin6_addr, sizeof(network.addr));
        assert_int_equal(network.bits, rows[i].bits);
    }
}

static void what_is_no_network_is_refused_and_nothing_is_written(void **state)
{
    static const char *const rows[] = {
        "",
        "/",
        "/24",
        "192.0.2.0/",
        "192.0.2.0/33",
        "192.0.2.0/-1",
        "192.0.2.0/+24",
        "192.0.2.0/ 24",
        "192.0.2.0/24 ",
        " 192.0.2.0/24",
        "192.0.2.0/024",
        "192.0.2.0/00",
        "192.0.2.0/2a",
        "192.0.2.0/24/24",
        "192.0.2.0/255.255.255.0",
        "192.0.2.0/4294967320",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1:25",
        "192.00.2.1",
        "[192.0.2.1]",
        "[2001:db8::1]",
        "[2001:db8::]/32",
        "2001:db8::/129",
        "2001:db8::/1000",
        "2001:db8::1%eth0",
        "2001:db8::1::",
        "example.org",
        "localhost",
        "10.0.0.0/8,192.0.2.0/24",
        "0000000000000000000000000000000000000000000000000000000000000000000000.0.0.0",
        /* host bits */
        "192.0.2.1/24",
        "192.0.2.1/31",
        "192.0.2.1/0",
        "2001:db8::1/64",
        "2001:db9::/31",
        "::1/127",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rb_network network = {.addr = {42}, .bits = 77};
        assert_int_equal(rb_network_parse(rows[i], &network), RB_ERR_ARGUMENT);
        assert_int_equal(network.addr[0], 42);
        assert_int_equal(network.bits, 77);
    }
}

static void no_text_at_all_is_no_network(void **state)
{
    struct rb_network network;
    (void)state;
    assert_int_equal(rb_network_parse(NULL, &network), RB_ERR_ARGUMENT);
}

static void every_prefix_length_holds_exactly_its_own(void **state)
{
    struct rb_network network = {.bits = 0};
    (void)state;
    for (unsigned bits = 1; bits <= 128; bits++) {
        union address address = {.v6 = {.sin6_family = AF_INET6}};
        network.bits = (uint8_t)bits;
        assert_true(netguard_is_in_any(&network, 1, &address.any));
        address.v6.sin6_addr.s6_addr[(bits - 1) / 8] ^= (uint8_t)(0x80U >> ((bits - 1) % 8));
        assert_false(netguard_is_in_any(&network, 1, &address.any));
        if (bits < 128) {
            address = (union address){.v6 = {.sin6_family = AF_INET6}};
            address.v6.sin6_addr.s6_addr[bits / 8] ^= (uint8_t)(0x80U >> (bits % 8));
            assert_true(netguard_is_in_any(&network, 1, &address.any));
        }
    }
}

static void networks_hold_what_lies_in_them(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.0/24", "192.0.2.0"));
    assert_true(contains("192.0.2.0/24", "192.0.2.255"));
    assert_false(contains("192.0.2.0/24", "192.0.3.0"));
    assert_false(contains("192.0.2.0/24", "192.0.1.255"));
    assert_true(contains("192.0.2.1", "192.0.2.1"));
    assert_false(contains("192.0.2.1", "192.0.2.2"));
    assert_true(contains("0.0.0.0/0", "203.0.113.9"));
    assert_true(contains("2001:db8::/32", "2001:db8:ffff::"));
    assert_false(contains("2001:db8::/32", "2001:db9::"));
    assert_true(contains("::/0", "2001:db8::1"));
}

static void mapped_ipv4_is_the_same_as_ipv4(void **state)
{
    (void)state;
    assert_true(contains("192.0.2.0/24", "::ffff:192.0.2.7"));
    assert_true(contains("::ffff:192.0.2.0/120", "192.0.2.7"));
    assert_true(contains("::ffff:0:0/96", "192.0.2.7"));
}

static void families_do_not_hold_each_other(void **state)
{
    (void)state;
    assert_false(contains("0.0.0.0/0", "2001:db8::1"));
    assert_false(contains("0.0.0.0/0", "::1"));
    assert_false(contains("::/0", "192.0.2.1"));
    assert_false(contains("::/0", "::ffff:192.0.2.1"));
    assert_false(contains("::/80", "192.0.2.1"));
}

static void impossible_prefix_length_holds_nothing(void **state)
{
    const struct rb_network network = {.bits = 129};
    const union address address = address_of("::");
    (void)state;
    assert_false(netguard_is_in_any(&network, 1, &address.any));
}

static void any_network_of_a_list_will_do(void **state)
{
    const struct rb_network networks[] = {network_of("10.0.0.0/8"), network_of("2001:db8::/32")};
    const union address v4 = address_of("10.1.2.3");
    const union address v6 = address_of("2001:db8::1");
    const union address neither = address_of("11.0.0.0");
    (void)state;
    assert_true(netguard_is_in_any(networks, COUNT(networks), &v4.any));
    assert_true(netguard_is_in_any(networks, COUNT(networks), &v6.any));
    assert_false(netguard_is_in_any(networks, COUNT(networks), &neither.any));
    assert_false(netguard_is_in_any(networks, 1, &v6.any));
    assert_false(netguard_is_in_any(NULL, 0, &v4.any));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_that_no_mail_can_go_to_are_bogus_from_end_to_end),
        cmocka_unit_test(neighbours_of_bogus_networks_are_callable),
        cmocka_unit_test(embedded_ipv4_address_decides),
        cmocka_unit_test(what_is_no_ip_address_is_bogus),
        cmocka_unit_test(allowed_network_is_an_exception_to_everything),
        cmocka_unit_test(allowing_an_ipv4_network_does_not_allow_it_embedded),
        cmocka_unit_test(own_addresses_are_told_from_bogus_ones),
        cmocka_unit_test(own_address_is_found_when_embedded),
        cmocka_unit_test(own_addresses_of_this_machine_leave_out_loopback),
        cmocka_unit_test(own_addresses_of_this_machine_are_all_judged_own),
        cmocka_unit_test(networks_are_read),
        cmocka_unit_test(what_is_no_network_is_refused_and_nothing_is_written),
        cmocka_unit_test(no_text_at_all_is_no_network),
        cmocka_unit_test(every_prefix_length_holds_exactly_its_own),
        cmocka_unit_test(networks_hold_what_lies_in_them),
        cmocka_unit_test(mapped_ipv4_is_the_same_as_ipv4),
        cmocka_unit_test(families_do_not_hold_each_other),
        cmocka_unit_test(impossible_prefix_length_holds_nothing),
        cmocka_unit_test(any_network_of_a_list_will_do),
    };

    return cmocka_run_group_tests_name("netguard", tests, NULL, NULL);
}
