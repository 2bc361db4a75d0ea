/* SPDX-License-Identifier: BSD-2-Clause */
/* test_value: the words a configuration is written with: what each comes to, and back. */
#include "config.h"

#include "config/value.h"

#include "check.h"

#include <stdio.h>
#include <time.h>

#include "config/table.h"

static void durations_take_every_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0s", 0},
        {"250ms", 250},
        {"10s", 10000},
        {"5m", 300000},
        {"6h", 21600000},
        {"31d", INT64_C(2678400000)},
        {"9999999999d", INT64_C(9999999999) * DAY},
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(value_duration(cases[i].text, &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void malformed_durations_are_refused(void **state)
{
    static const char *const texts[] = {"",    "s",    "10", "-1s", "+1s",  " 1s",  "1 s",
                                        "1s ", "1.5s", "1w", "1S",  "1ms1", "0x1s", "99999999999s"};
    int64_t ms = 42;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_false(value_duration(texts[i], &ms));
    assert_int_equal(ms, 42);
}

static void sizes_are_powers_of_1024(void **state)
{
    static const struct {
        const char *text;
        int64_t octets;
    } cases[] = {
        {"4096", 4096},
        {"64KB", 65536},
        {"500MB", INT64_C(500) << 20},
        {"1GB", INT64_C(1) << 30},
        {"2TB", INT64_C(2) << 40},
    };
    static const char *const bad[] = {"", "GB", "1gb", "1 GB", "1.5GB", "-1GB", "9999999999TB"};
    int64_t octets;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(value_size(cases[i].text, &octets));
        assert_int_equal(octets, cases[i].octets);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(value_size(bad[i], &octets));
}

static void rates_count_per_unit(void **state)
{
    static const struct {
        const char *text;
        struct rb_rate rate;
    } cases[] = {{"1/s", {1, 1}}, {"60/m", {60, 60}}, {"5/h", {5, 3600}}, {"7/d", {7, 86400}}};
    static const char *const bad[] = {"", "60", "60/", "/m", "0/m", "60/w", "60/mm", "60 /m"};
    struct rb_rate rate;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(value_rate(cases[i].text, &rate));
        assert_int_equal(rate.count, cases[i].rate.count);
        assert_int_equal(rate.period_s, cases[i].rate.period_s);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(value_rate(bad[i], &rate));
}

static void formatted_values_read_back_as_the_same(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    char text[32];

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (int i = 0; i < 2000; i++) {
        int64_t ms = (int64_t)random() * (i % 3 == 0 ? 60000 : 1), ms_back;
        int64_t octets = (int64_t)random() << (i % 4 * 3), octets_back;

        value_format_duration(ms, text, sizeof(text));
        assert_true(value_duration(text, &ms_back));
        assert_int_equal(ms, ms_back);
        value_format_size(octets, text, sizeof(text));
        if (value_size(text, &octets_back))
            assert_int_equal(octets, octets_back);
        else
            assert_true(octets > 9999999999); /* more digits than a value may have */
    }
}

static void yes_and_no_have_their_usual_synonyms(void **state)
{
    static const char *const yes[] = {"yes", "YES", "true", "on"};
    static const char *const no[] = {"no", "No", "false", "off"};
    bool value;

    (void)state;
    for (size_t i = 0; i < COUNT(yes); i++)
        assert_true(value_yes_no(yes[i], &value) && value);
    for (size_t i = 0; i < COUNT(no); i++)
        assert_true(value_yes_no(no[i], &value) && !value);
    assert_false(value_yes_no("maybe", &value));
    assert_false(value_yes_no("", &value));
}

/* --- Texts --- */

struct text_case {
    value_check *check;
    const char *text, *kept; /* kept NULL: refused */
};

static void check_texts(const struct text_case *cases, size_t count)
{
    char kept[VALUE_TEXT_MAX + 1];

    for (size_t i = 0; i < count; i++) {
        const char *wrong = cases[i].check(cases[i].text, kept);

        if ((wrong == NULL) != (cases[i].kept != NULL))
            fail_msg("\"%s\": %s", cases[i].text, wrong == NULL ? "was taken" : wrong);
        if (wrong == NULL)
            assert_string_equal(kept, cases[i].kept);
        else
            assert_non_null(strstr(wrong, "would be right"));
    }
}

static void addresses_to_listen_at(void **state)
{
    static const struct text_case cases[] = {
        {value_listen, "inet:8894@127.0.0.1", "inet:8894@127.0.0.1"},
        {value_listen, "inet:8894@mx.example.org", "inet:8894@mx.example.org"},
        {value_listen, "inet:8894", "inet:8894"},
        {value_listen, "inet6:8894@::1", "inet6:8894@::1"},
        {value_listen, "unix:/run/x", "unix:/run/x"},
        {value_listen, "local:/run/x", "local:/run/x"},
        {value_listen, "systemd", "systemd"},
        {value_listen, "systemd:", NULL},
        {value_listen, "fd:3", NULL},
        {value_listen, "unix:/run/x/", NULL},
        {value_listen, "", NULL},
        {value_listen, "8894", NULL},
        {value_listen, "/run/x", NULL},
        {value_listen, "unix:run/x", NULL},
        {value_listen, "unix:/", NULL},
        {value_listen, "inet:0@127.0.0.1", NULL},
        {value_listen, "inet:65536@127.0.0.1", NULL},
        {value_listen, "inet:8894@", NULL},
        {value_listen, "inet:8894@::1", NULL},
        {value_listen, "inet6:8894@127.0.0.1", NULL},
        {value_listen, "inet:smtp@127.0.0.1", NULL},
        {value_control, "/run/x", "/run/x"},
        {value_control, "", ""},
        {value_control, "run/x", NULL},
        {value_http, "", ""},
        {value_http, "127.0.0.1:8895", "127.0.0.1:8895"},
        {value_http, "[::1]:8895", "[::1]:8895"},
        {value_http, "127.0.0.1", NULL},
        {value_http, "[127.0.0.1]:80", NULL},
        {value_http, "::1:8895x", NULL},
        {value_http, "0.0.0.0:80", "0.0.0.0:80"},
        {value_http, "localhost:8895", NULL},
        {value_http, "unix:/run/x", "unix:/run/x"},
        {value_http, "local:/run/x", NULL},
        {value_http, "unix:run/x", NULL},
        {value_http, "unix:/", NULL},
        {value_password_file, "/etc/x", "/etc/x"},
        {value_password_file, "", ""},
        {value_password_file, "x", NULL},
    };

    (void)state;
    check_texts(cases, COUNT(cases));
}

static void a_listening_path_has_an_octet_less_than_others(void **state)
{
    char listen[5 + VALUE_PATH_MAX + 1] = "unix:/", kept[VALUE_TEXT_MAX + 1];

    (void)state;
    memset(listen + 6, 'x', VALUE_PATH_MAX - 1);
    assert_null(value_control(listen + 5, kept));
    assert_non_null(value_listen(listen, kept));
    listen[5 + VALUE_LISTEN_PATH_MAX] = '\0';
    assert_null(value_listen(listen, kept));
    assert_string_equal(kept, listen);
}

static void modes_and_groups_of_the_socket(void **state)
{
    static const struct text_case cases[] = {
        {value_listen_mode, "0660", "0660"},
        {value_listen_mode, "660", "0660"},
        {value_listen_mode, "0777", "0777"},
        {value_listen_mode, "0600", "0600"},
        {value_listen_mode, "", NULL},
        {value_listen_mode, "0", NULL},
        {value_listen_mode, "0460", NULL},
        {value_listen_mode, "0066", NULL},
        {value_listen_mode, "0680", NULL},
        {value_listen_mode, "1660", NULL},
        {value_listen_mode, "00660", NULL},
        {value_listen_mode, "rw-rw----", NULL},
        {value_listen_mode, " 660", NULL},
        {value_group, "", ""},
        {value_group, "postfix", "postfix"},
        {value_group, "smmsp_2.x-y", "smmsp_2.x-y"},
        {value_group, "-x", NULL},
        {value_group, "a b", NULL},
        {value_group, "user:group", NULL},
        {value_group, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };

    (void)state;
    check_texts(cases, COUNT(cases));
}

static void addresses_to_call(void **state)
{
    static const struct text_case cases[] = {
        {value_resolver, "127.0.0.1:5353", "127.0.0.1:5353"},
        {value_resolver, "127.0.0.1", "127.0.0.1:53"},
        {value_resolver, "[::1]:5353", "[::1]:5353"},
        {value_resolver, "::1", "[::1]:53"},
        {value_resolver, "[::1]", "[::1]:53"},
        {value_resolver, "ns.example.org", NULL},
        {value_resolver, "127.0.0.1:", NULL},
        {value_resolver, "127.0.0.1:0", NULL},
        {value_resolver, "[::1", NULL},
        {value_resolver, "", NULL},
        {value_ip, "192.0.2.1", "192.0.2.1"},
        {value_ip, "2001:db8::1", "2001:db8::1"},
        {value_ip, "192.0.2.1/32", NULL},
        {value_ip, "host", NULL},
        {value_relay_host, "mail.example.org", "mail.example.org:25"},
        {value_relay_host, "192.0.2.1:2525", "192.0.2.1:2525"},
        {value_relay_host, "2001:db8::1", "[2001:db8::1]:25"},
        {value_relay_host, "lmtp:store", "lmtp:store"},
        {value_relay_host, "lmtp:[::1]:2003", "lmtp:[::1]:2003"},
        {value_relay_host, "unix:/run/dovecot/lmtp", "unix:/run/dovecot/lmtp"},
        {value_relay_host, "lmtp:store:0", NULL},
        {value_relay_host, "lmtp:a b", NULL},
        {value_relay_host, "unix:relative", NULL},
        {value_relay_host, "mx:", NULL},
        {value_relay_host, "[mail]:25", NULL},
        {value_relay_host, "bad host", NULL},
    };

    (void)state;
    check_texts(cases, COUNT(cases));
}

static void names_and_senders(void **state)
{
    static const struct text_case cases[] = {
        {value_user, "ringback", "ringback"},
        {value_user, "", ""},
        {value_user, "-x", NULL},
        {value_user, "a:b", NULL},
        {value_hostname, "MX.Example.ORG", "mx.example.org"},
        {value_hostname,
         "b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {value_hostname, "[192.0.2.1]", "[192.0.2.1]"},
        {value_hostname, "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
        {value_hostname, "[192.0.2.1", NULL},
        {value_hostname, "two words", NULL},
        {value_authserv_id, "mx.example.org", "mx.example.org"},
        {value_authserv_id, "a b", NULL},
        {value_authserv_id, "a;b", NULL},
        {value_mail_from, "", ""},
        {value_mail_from, "<>", ""},
        {value_mail_from, "<verify@Example.ORG>", "verify@example.org"},
        {value_mail_from, "verify", NULL},
        {value_mail_from, "a@b c", NULL},
        {value_fallback_from, "postmaster@HOSTNAME", "postmaster@HOSTNAME"},
        {value_fallback_from, "p@example.org", "p@example.org"},
        {value_fallback_from, "", ""},
        {value_fallback_from, "@HOSTNAME", NULL},
        {value_fallback_from, "a b@HOSTNAME", NULL},
        {value_store, "lmdb:/var/lib/x", "lmdb:/var/lib/x"},
        {value_store, "", ""},
        {value_store, "lmdb:x", NULL},
        {value_store, "redis://host:6379/0", NULL},
    };

    (void)state;
    check_texts(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_take_every_unit),
        cmocka_unit_test(malformed_durations_are_refused),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(rates_count_per_unit),
        cmocka_unit_test(formatted_values_read_back_as_the_same),
        cmocka_unit_test(yes_and_no_have_their_usual_synonyms),
        cmocka_unit_test(addresses_to_listen_at),
        cmocka_unit_test(a_listening_path_has_an_octet_less_than_others),
        cmocka_unit_test(modes_and_groups_of_the_socket),
        cmocka_unit_test(addresses_to_call),
        cmocka_unit_test(names_and_senders),
    };

    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
