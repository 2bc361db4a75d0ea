/* SPDX-License-Identifier: BSD-2-Clause */
/* test_record: SPF records by the grammar of RFC 7208, term by term, as hostile as they come. */
#include "config.h"

#include "spf/record.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "check.h"

enum { TEXT_MAX = 20000 };

static bool is_text(struct span span, const char *text)
{
    return span.len == strlen(text) && (span.len == 0 || memcmp(span.at, text, span.len) == 0);
}

static void records_are_told_from_other_texts(void **state)
{
    static const char *const records[] = {"v=spf1", "V=SpF1", "v=spf1 ", "v=spf1 -all",
                                          "v=spf1 nonsense \001"};
    static const char *const others[] = {
        "",           "v=spf",        "v=spf10 -all", "v=spf1-all", " v=spf1",
        "spf2.0/pra", "v=spf1\t-all", "v=spf2 -all",  "v=DMARC1",   "\"v=spf1 -all\""};

    (void)state;
    for (size_t i = 0; i < COUNT(records); i++)
        if (!spf_record_is_one(span_of(records[i])))
            fail_msg("\"%s\" is one", records[i]);
    for (size_t i = 0; i < COUNT(others); i++)
        if (spf_record_is_one(span_of(others[i])))
            fail_msg("\"%s\" is none", others[i]);
}

/* A record with one term, and what is read of it. */
struct reading {
    const char *term;
    enum spf_kind kind;
    char qualifier;
    const char *domain;
    unsigned v4_bits, v6_bits;
};

static void terms_are_read(void **state)
{
    static const struct reading readings[] = {
        {"all", SPF_ALL, '+', "", 32, 128},
        {"-ALL", SPF_ALL, '-', "", 32, 128},
        {"~include:a.example", SPF_INCLUDE, '~', "a.example", 32, 128},
        {"a", SPF_A, '+', "", 32, 128},
        {"?A:X.Example", SPF_A, '?', "X.Example", 32, 128},
        {"+a/24", SPF_A, '+', "", 24, 128},
        {"a//64", SPF_A, '+', "", 32, 64},
        {"a/24//64", SPF_A, '+', "", 24, 64},
        {"a/0", SPF_A, '+', "", 0, 128},
        {"a//0", SPF_A, '+', "", 32, 0},
        {"a/0//0", SPF_A, '+', "", 0, 0},
        {"a/32//128", SPF_A, '+', "", 32, 128},
        {"a:x.example/24//64", SPF_A, '+', "x.example", 24, 64},
        {"a:foo:bar/baz.example.com", SPF_A, '+', "foo:bar/baz.example.com", 32, 128},
        {"a:%{l/}/24", SPF_A, '+', "%{l/}", 24, 128},
        {"mx", SPF_MX, '+', "", 32, 128},
        {"mx/0", SPF_MX, '+', "", 0, 128},
        {"mx:%{d}//64", SPF_MX, '+', "%{d}", 32, 64},
        {"ptr", SPF_PTR, '+', "", 32, 128},
        {"ptr:a.example", SPF_PTR, '+', "a.example", 32, 128},
        {"ip4:192.0.2.1", SPF_IP4, '+', "", 32, 128},
        {"ip4:192.0.2.1/0", SPF_IP4, '+', "", 0, 128},
        {"-ip4:192.0.2.1/24", SPF_IP4, '-', "", 24, 128},
        {"ip6:::1", SPF_IP6, '+', "", 32, 128},
        {"ip6:2001:db8::/32", SPF_IP6, '+', "", 32, 32},
        {"ip6:::ffff:192.0.2.1/0", SPF_IP6, '+', "", 32, 0},
        {"exists:%{ir}.x.example", SPF_EXISTS, '+', "%{ir}.x.example", 32, 128},
        {"redirect=a.example", SPF_REDIRECT, '+', "a.example", 32, 128},
        {"Redirect=%{d}", SPF_REDIRECT, '+', "%{d}", 32, 128},
        {"exp=a.example", SPF_EXP, '+', "a.example", 32, 128},
        {"x=", SPF_OTHER, '+', "", 32, 128},
        {"moo.cow-far_out=man:dog/cat", SPF_OTHER, '+', "", 32, 128},
        {"all=x", SPF_OTHER, '+', "", 32, 128},
        {"ra=x", SPF_OTHER, '+', "", 32, 128},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(readings); i++) {
        const struct reading *wanted = &readings[i];
        struct span rest = span_of(wanted->term);
        struct spf_term term;

        if (!spf_record_next(&rest, &term))
            fail_msg("%s: not read", wanted->term);
        if (term.kind != wanted->kind || term.qualifier != wanted->qualifier ||
            !is_text(term.text, wanted->term) || !is_text(term.domain, wanted->domain) ||
            term.v4_bits != wanted->v4_bits || term.v6_bits != wanted->v6_bits)
            fail_msg("%s: read as something else", wanted->term);
        assert_false(spf_record_next(&rest, &term));
        assert_int_equal(term.text.len, 0);
    }
}

static void networks_are_read_as_octets(void **state)
{
    static const uint8_t v4[] = {192, 0, 2, 99}, v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 0xff};
    struct span rest = span_of("ip4:192.0.2.99/24 ip6:2001:DB8::ff/33");
    struct spf_term term;

    (void)state;
    assert_true(spf_record_next(&rest, &term));
    assert_true(ip_is_v4(&term.network));
    assert_memory_equal(ip_v4(&term.network), v4, sizeof v4);
    assert_true(spf_record_next(&rest, &term));
    assert_memory_equal(term.network.octets, v6, sizeof v6);
}

static void blanks_between_terms_count_for_nothing(void **state)
{
    static const char *const records[] = {"v=spf1 a mx", "v=spf1   a  mx ", "v=spf1 a mx    "};

    (void)state;
    for (size_t i = 0; i < COUNT(records); i++) {
        struct span rest = spf_record_terms(span_of(records[i]));
        struct spf_term term;

        assert_true(spf_record_is_good(span_of(records[i]), &term));
        assert_true(spf_record_next(&rest, &term) && term.kind == SPF_A);
        assert_true(spf_record_next(&rest, &term) && term.kind == SPF_MX);
        assert_false(spf_record_next(&rest, &term));
    }
}

static void tell_fault(const char *before, const char *term, const char *behind)
{
    char text[200];
    struct spf_term bad;

    (void)snprintf(text, sizeof text, "%s%s%s", before, term, behind);
    if (spf_record_is_good(span_of(text), &bad))
        fail_msg("%s was taken", text);
    if (!is_text(bad.text, term))
        fail_msg("%s: the fault is in %.*s", text, (int)bad.text.len, bad.text.at);
}

static void terms_that_are_none_are_told(void **state)
{
    static const char *const terms[] = {
        "foo",
        "foo:bar.example",
        "a:",
        "mx:",
        "a:/24",
        "ptr:",
        "include",
        "include:",
        "exists",
        "exists:",
        "ip4",
        "ip4:",
        "ip6",
        "ip4:1.2.3",
        "ip4:1.2.3.4/33",
        "ip4:1.2.3.4/032",
        "ip4:1.2.3.4/00",
        "ip4:1.2.3.4/",
        "ip4:1.2.3.4//32",
        "ip4:1.2.3.4/99999999999999999999",
        "ip4:1.2.3.4:8080",
        "ip4:01.2.3.4",
        "ip4:1.2.3.4\ninclude:a.example",
        "ip6:1.2.3.4",
        "ip6:::1/129",
        "ip6:::1.1.1.1//33",
        "ip6::CAFE::BABE",
        "all.",
        "all:example.org",
        "all/24",
        "-all=x",
        "--all",
        "-",
        "+",
        "-redirect=example.org",
        "redirect:example.org",
        "redirect",
        "redirect=",
        "redirect=-all",
        "exp=",
        "exp=-all",
        "=x",
        "=all",
        "1up=foo",
        "x=%{z}",
        "x=%{d",
        "x=%",
        "foo=%abc",
        "moo.cow/far_out=man:dog/cat",
        "moo.cow:far_out=man:dog/cat",
        "a:%{c}.example.org",
        "a:localhost",
        "a:192.0.2.10",
        "a:example.com:8080",
        "a/33",
        "a//129",
        "a/24/24",
        "a/24/64",
        "a//64/24",
        "a/x",
        "a/",
        "mx/24//",
        "ptr/24",
        "ptr/0",
        "include:example.org/24",
        "exists:mail.example.com/24",
        "a:exa\\mple.org\t",
        "a:ex\001ample.org",
        "a:ex\303\244mple.org",
        "\377",
        "\x80"
        "a:example.net",
        "\x96"
        "all",
        "%{a}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(terms); i++) {
        tell_fault("v=spf1 ", terms[i], "");
        tell_fault("v=spf1 -all ", terms[i], "");
        tell_fault("v=spf1 ", terms[i], " -all");
    }
}

static void zeroes_end_nothing(void **state)
{
    static const struct span records[] = {
        {"v=spf1 ip4:192.0.2.1\0 -all", 26},
        {"v=spf1 a:a.example\0", 19},
        {"v=spf1 all\0", 11},
        {"v=spf1 \0", 8},
        {"v=spf1 x=\0", 10},
        {"v=spf1 -\0", 9},
    };
    struct spf_term bad;

    (void)state;
    for (size_t i = 0; i < COUNT(records); i++) {
        assert_true(spf_record_is_one(records[i]));
        assert_false(spf_record_is_good(records[i], &bad));
        assert_true(bad.text.len > 0);
    }
}

static void redirect_and_exp_may_stand_once(void **state)
{
    static const struct {
        const char *record, *fault; /* NULL: none */
    } cases[] = {
        {"v=spf1 redirect=a.example exp=b.example", NULL},
        {"v=spf1 x=1 x=2 a a -all -all", NULL},
        {"v=spf1 redirect=a.example redirect=a.example", "redirect=a.example"},
        {"v=spf1 exp=a.example -all EXP=b.example", "EXP=b.example"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_term bad;

        assert_int_equal(spf_record_is_good(span_of(cases[i].record), &bad),
                         cases[i].fault == NULL);
        assert_true(is_text(bad.text, cases[i].fault != NULL ? cases[i].fault : ""));
    }
}

/* "v=spf1", and a term so often. */
static struct span repeated(const char *term, size_t count, char text[TEXT_MAX])
{
    size_t len = (size_t)snprintf(text, TEXT_MAX, "v=spf1");

    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, TEXT_MAX - len, " %s", term);
    return (struct span){text, len};
}

static void records_have_ceilings(void **state)
{
    char text[TEXT_MAX];
    struct spf_term bad;

    (void)state;
    assert_true(spf_record_is_good(repeated("a", SPF_TERMS_MAX, text), &bad));
    assert_false(spf_record_is_good(repeated("a", SPF_TERMS_MAX + 1, text), &bad));
    assert_int_equal(bad.text.len, 0);
    memset(text, ' ', sizeof text);
    memcpy(text, "v=spf1", 6);
    assert_true(spf_record_is_good((struct span){text, SPF_RECORD_MAX}, &bad));
    assert_false(spf_record_is_good((struct span){text, SPF_RECORD_MAX + 1}, &bad));
    assert_int_equal(bad.text.len, 0);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_told_from_other_texts), TEST(terms_are_read),
        TEST(networks_are_read_as_octets),       TEST(blanks_between_terms_count_for_nothing),
        TEST(terms_that_are_none_are_told),      TEST(zeroes_end_nothing),
        TEST(redirect_and_exp_may_stand_once),   TEST(records_have_ceilings),
    };

    return cmocka_run_group_tests_name("spf_record", tests, NULL, NULL);
}
