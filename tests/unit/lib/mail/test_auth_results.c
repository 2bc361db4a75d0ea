/* SPDX-License-Identifier: BSD-2-Clause */
/* test_auth_results: whom a field vouches for; that one which cannot be read vouches for nobody. */
#include "config.h"

#include "check.h"
#include "mail/auth_results.h"

#include <stdio.h>

enum { RANDOM_ROUNDS = 20000 };

/* The domains of a field, with a blank between; "-": it cannot be read. */
static const char *vouched(const char *value, char text[1000])
{
    struct auth_results results;

    if (!auth_results_read(span_of(value), &results)) {
        assert_int_equal(results.count, 0);
        return "-";
    }
    text[0] = '\0';
    for (size_t i = 0; i < results.count; i++) {
        strncat(text, i > 0 ? " " : "", 2);
        strncat(text, results.domains[i], 256);
    }
    return text;
}

static void assert_vouched(const char *const (*cases)[2], size_t count)
{
    char text[1000];

    for (size_t i = 0; i < count; i++)
        if (strcmp(vouched(cases[i][0], text), cases[i][1]) != 0)
            fail_msg("%s: %s", cases[i][0], vouched(cases[i][0], text));
}

static void a_pass_vouches_for_its_domain(void **state)
{
    static const char *const cases[][2] = {
        {"h; dkim=pass header.d=a.example", "a.example"},
        {"h; dkim=pass header.i=@a.example", "a.example"},
        {"h; dkim=pass header.i=user@news.a.example", "news.a.example"},
        {"h; dkim=pass header.i=\"@a.example\"", "a.example"},
        {"h; dkim=pass header.i=\"a user\"@a.example", "a.example"},
        {"h; dkim=pass header.d=a.example header.i=@a.example", "a.example"},
        {"h; dkim=pass header.i=@news.a.example header.d=a.example", "a.example"},
        {"h; dkim=pass header.d=\"a.example\"", "a.example"},
        {"h; dkim=pass header.d=A.Example.", "a.example"},
        {"h; dkim=pass header.d=b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"h; dmarc=pass header.from=a.example", "a.example"},
        {"h; dmarc=pass header.from=user@a.example", "a.example"},
        {"h; dkim/1=pass header.d=a.example", "a.example"},
        {"h; DKIM=PASS HEADER.D=a.example", "a.example"},
        {"h 1; dkim=pass header.d=a.example", "a.example"},
    };

    (void)state;
    assert_vouched(cases, COUNT(cases));
}

static void anything_else_vouches_for_nobody(void **state)
{
    static const char *const cases[][2] = {
        {"h; none", ""},
        {"h (c) 1 ; (c) NONE (c)", ""},
        {"h; dkim=none", ""},
        {"h; dkim=pass", ""},
        {"h; dkim=fail header.d=a.example", ""},
        {"h; dkim=neutral header.d=a.example", ""},
        {"h; dkim=policy header.d=a.example", ""},
        {"h; dkim=temperror header.d=a.example", ""},
        {"h; dkim=permerror header.d=a.example", ""},
        {"h; dkim=passed header.d=a.example", ""},
        {"h; dkim=pas header.d=a.example", ""},
        {"h; dkim=fail (pass) header.d=a.example", ""},
        {"h; dkim=fail reason=pass header.d=a.example", ""},
        {"h; dkim=fail reason=\"dkim=pass\" header.d=a.example", ""},
        {"h; dkim-atps=pass header.d=a.example", ""},
        {"h; x-dkim=pass header.d=a.example", ""},
        {"h; dkim/2=pass header.d=a.example", ""},
        {"h; arc=pass header.d=a.example", ""},
        {"h; spf=pass smtp.mailfrom=a.example header.d=a.example", ""},
        {"h; dmarc=bestguesspass header.from=a.example", ""},
        {"h; dmarc=pass header.d=a.example", ""},
        {"h; dkim=pass header.from=a.example", ""},
        {"h; dkim=pass smtp.d=a.example", ""},
        {"h; dkim=pass header.dd=a.example", ""},
        {"h; dkim=pass (header.d=a.example)", ""},
        {"h; dkim=pass header.b=\"header.d=a.example\"", ""},
        {"h; dkim=pass header.d=\"a.example b\"", ""},
        {"h; dkim=pass header.d=user@a.example", ""},
        {"h; dkim=pass header.d=", "-"},
        {"h; dkim=pass header.d=a.example, dkim=fail", "-"},
        {"h; dkim=pass header.d=\"\"", ""},
    };

    (void)state;
    assert_vouched(cases, COUNT(cases));
}

static void a_result_that_contradicts_itself_vouches_for_nobody(void **state)
{
    static const char *const cases[][2] = {
        {"h; dkim=pass header.d=a.example header.d=b.example", ""},
        {"h; dkim=pass header.d=a.example header.d=a.example", "a.example"},
        {"h; dkim=pass header.d=a.example header.i=@b.example", ""},
        {"h; dkim=pass header.d=news.a.example header.i=@a.example", ""},
        {"h; dkim=pass header.d=a.example header.i=@evila.example", ""},
        {"h; dkim=pass header.d=a.example header.i=\"no domain\"", ""},
        {"h; dmarc=pass header.from=a.example header.from=b.example", ""},
        {"h; dkim=pass header.d=a.example header.d=b.example; dkim=pass header.d=c.example",
         "c.example"},
    };

    (void)state;
    assert_vouched(cases, COUNT(cases));
}

static void each_result_speaks_for_itself(void **state)
{
    static const char *const cases[][2] = {
        {"h; dkim=fail header.d=a.example; dkim=pass header.d=b.example", "b.example"},
        {"h; dkim=pass header.d=a.example; dkim=fail header.d=b.example", "a.example"},
        {"h; dkim=pass; dkim=fail header.d=a.example", ""},
        {"h; dkim=pass header.d=a.example; spf=fail; dmarc=pass header.from=b.example",
         "a.example b.example"},
        {"h; dkim=pass header.d=a.example; dkim=pass header.d=A.example", "a.example"},
        {"h; dkim=pass header.d=a.example;", "a.example"},
    };

    (void)state;
    assert_vouched(cases, COUNT(cases));
}

/* As OpenDKIM, OpenDMARC, Rspamd, amavis and Authentication Milter write them. */
static void what_filters_write_is_read(void **state)
{
    static const char *const cases[][2] = {
        {"mx.example.org;\n\tdkim=pass (2048-bit key; unprotected) header.d=a.example "
         "header.i=@a.example header.a=rsa-sha256 header.s=sel header.b=\"AbC/+1==\";\n\t"
         "dkim-atps=neutral",
         "a.example"},
        {"mx.example.org;\r\n\tdkim=fail reason=\"signature verification failed\" (1024-bit key) "
         "header.d=a.example header.i=@a.example header.b=x1",
         ""},
        {"mx.example.org; dmarc=pass (p=none dis=none) header.from=a.example", "a.example"},
        {"mx.example.org;\n\tdkim=pass header.d=a.example header.s=sel header.b=AbC/+1==;\n\t"
         "dmarc=pass (policy=reject) header.from=b.example;\n\tspf=pass (mx.example.org: domain of "
         "\"user@a.example\" designates 192.0.2.1 as permitted sender) "
         "smtp.mailfrom=user@a.example;\n\tarc=none",
         "a.example b.example"},
        {"mx.example.org (amavisd-new); dkim=pass (2048-bit key) reason=\"pass (just generated, "
         "assumed good)\" header.d=a.example",
         "a.example"},
        {"mx.example.org; dkim=pass (2048-bit rsa key sha256) header.d=a.example "
         "header.i=@a.example header.b=x header.a=rsa-sha256 header.s=s; "
         "iprev=pass smtp.remote-ip=2001:db8::1 (host.example)",
         "a.example"},
    };

    (void)state;
    assert_vouched(cases, COUNT(cases));
}

static void comments_and_folds_may_stand_anywhere(void **state)
{
    static const char *const cases[][2] = {
        {"(a) h (b) 1 (c) ; (d) dkim (e) / (f) 1 (g) = (h) pass (i) reason (j) = (k) \"l\" (m) "
         "header (n) . (o) d (p) = (q) a.example (r)",
         "a.example"},
        {"\r\n h\r\n ;\r\n dkim\r\n =\r\n pass\r\n header\r\n .\r\n d\r\n =\r\n a.example\r\n ",
         "a.example"},
        {"\"h\"(;)1(;);dkim=pass(a \\) (b))header.d=a.example(;dkim=fail)", "a.example"},
    };

    (void)state;
    assert_vouched(cases, COUNT(cases));
}

static void what_cannot_be_read_vouches_for_nobody(void **state)
{
    static const char good[] = "dkim=pass header.d=a.example";
    static const char *const broken[] = {
        "%s",
        "; %s",
        "h %s",
        "h 2; %s",
        "h 11; %s",
        "h x; %s",
        "h g; %s",
        "h@x; %s",
        "h=x; %s",
        "\"h; %s",
        "\"h\"x; %s",
        "(h; %s",
        "h (; %s",
        "h; %s (",
        "h; %s \"",
        "h; %s x",
        "h; %s =x",
        "h; %s x=",
        "h; %s header=.d",
        "h; %s x-bits=2048",
        "h; %s header.b",
        "h; %s header.b=",
        "h; %s header.b=\"x",
        "h; %s header.b=\"x\"y",
        "h; %s header.b=x\"y\"",
        "h; %s .d=b.example",
        "h;; %s",
        "h; %s;;",
        "h; none; %s",
        "h; %s; none",
        "h; %s; dkim",
        "h; %s; dkim=",
        "h; %s; =pass",
        "h; %s; dkim/x=pass",
        "h; %s; dkim=pass/",
    };
    char value[200], text[1000];

    (void)state;
    for (size_t i = 0; i < COUNT(broken); i++) {
        const char *at = strstr(broken[i], "%s");

        memcpy(value, broken[i], (size_t)(at - broken[i]));
        value[at - broken[i]] = '\0';
        strncat(value, good, 100);
        strncat(value, at + 2, 100);
        if (strcmp(vouched(value, text), "-") != 0)
            fail_msg("%s", value);
    }
}

static void a_field_that_ends_early_never_vouches_for_more(void **state)
{
    static const char value[] = "h; dkim=pass (c) header.d=a.example header.i=@x.a.example;"
                                " dmarc=pass header.from=\"b.example\"";
    struct auth_results results;

    (void)state;
    for (size_t len = 0; len < sizeof value; len++) {
        if (!auth_results_read((struct span){value, len}, &results))
            continue;
        for (size_t i = 0; i < results.count; i++)
            assert_true(strncmp(results.domains[i], "a.example", strlen(results.domains[i])) == 0 ||
                        strcmp(results.domains[i], "b.example") == 0);
    }
}

static void the_authserv_id_is_what_it_says(void **state)
{
    static const struct {
        const char *value, *id;
    } cases[] = {
        {"Mx.Example.org; none", "mx.example.ORG"},
        {"\"mx.example.org\"", "mx.example.org"},
        {"(c)\r\n \"mx.\\example.org\" 1", "mx.example.org"},
    };
    static const char *const none[] = {"", " ", ";", "(mx", "\"mx", "@mx", "mx/x; none", "mx=x"};
    struct lexical_word id;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(auth_results_authserv_id(span_of(cases[i].value), &id));
        assert_true(lexical_is(&id, cases[i].id));
    }
    for (size_t i = 0; i < COUNT(none); i++)
        if (auth_results_authserv_id(span_of(none[i]), &id))
            fail_msg("%s", none[i]);
}

static void only_so_many_results_are_read_and_domains_kept(void **state)
{
    char value[2000] = "h";
    struct auth_results results;

    (void)state;
    for (unsigned i = 1; i <= AUTH_RESULTS_MAX + 1; i++) {
        (void)snprintf(value + strlen(value), 100, "; dkim=pass header.d=a%u.example", i);
        assert_int_equal(auth_results_read(span_of(value), &results), i <= AUTH_RESULTS_MAX);
        if (i == AUTH_RESULTS_MAX) {
            assert_int_equal(results.count, AUTH_RESULTS_DOMAINS_MAX);
            assert_string_equal(results.domains[AUTH_RESULTS_DOMAINS_MAX - 1], "a8.example");
        }
    }
    assert_int_equal(results.count, 0);
}

static void a_long_field_is_not_read(void **state)
{
    static const char head[] = "h; dkim=pass header.d=a.example header.b=";
    char value[AUTH_RESULTS_LEN_MAX + 1];
    struct auth_results results;

    (void)state;
    memset(value, 'b', sizeof value);
    memcpy(value, head, strlen(head));
    assert_true(auth_results_read((struct span){value, AUTH_RESULTS_LEN_MAX}, &results));
    assert_int_equal(results.count, 1);
    assert_false(auth_results_read((struct span){value, AUTH_RESULTS_LEN_MAX + 1}, &results));
    assert_int_equal(results.count, 0);
}

static void a_long_name_is_no_domain(void **state)
{
    char value[AUTH_RESULTS_LEN_MAX] = "h; dkim=pass header.d=";
    struct auth_results results;

    (void)state;
    for (size_t len = 100; len < AUTH_RESULTS_LEN_MAX - 100; len *= 2) {
        memset(value + 22, 'a', len);
        value[22 + len] = '\0';
        assert_true(auth_results_read(span_of(value), &results));
        assert_int_equal(results.count, 0);
    }
}

static void random_values_are_read_within_bounds(void **state)
{
    static const char *const parts[] = {
        "h", ";",  "dkim", "=",     "pass", " ",  "header", ".", "d", "i",         "(",
        ")", "\"", "\\",   "\r\n ", "@",    "\1", "none",   "1", "/", "a.example", "\xff"};
    unsigned seed = (unsigned)time(NULL), read = 0;

    (void)state;
    print_message("# seed %u\n", seed);
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        struct auth_results results;
        char text[1000] = "h;";
        char *octets;

        for (unsigned i = (unsigned)rand_r(&seed) % 40; i > 0; i--)
            strncat(text, parts[(size_t)rand_r(&seed) % COUNT(parts)], 10);
        octets = malloc(strlen(text)); /* its end is where the sanitizer looks */
        assert_non_null(octets);
        memcpy(octets, text, strlen(text));
        read += auth_results_read((struct span){octets, strlen(text)}, &results);
        assert_true(results.count <= AUTH_RESULTS_DOMAINS_MAX);
        free(octets);
    }
    assert_in_range(read, 1, RANDOM_ROUNDS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_vouches_for_its_domain),
        cmocka_unit_test(anything_else_vouches_for_nobody),
        cmocka_unit_test(a_result_that_contradicts_itself_vouches_for_nobody),
        cmocka_unit_test(each_result_speaks_for_itself),
        cmocka_unit_test(what_filters_write_is_read),
        cmocka_unit_test(comments_and_folds_may_stand_anywhere),
        cmocka_unit_test(what_cannot_be_read_vouches_for_nobody),
        cmocka_unit_test(a_field_that_ends_early_never_vouches_for_more),
        cmocka_unit_test(the_authserv_id_is_what_it_says),
        cmocka_unit_test(only_so_many_results_are_read_and_domains_kept),
        cmocka_unit_test(a_long_field_is_not_read),
        cmocka_unit_test(a_long_name_is_no_domain),
        cmocka_unit_test(random_values_are_read_within_bounds),
    };

    return cmocka_run_group_tests_name("auth_results", tests, NULL, NULL);
}
