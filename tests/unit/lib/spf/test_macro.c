/* SPDX-License-Identifier: BSD-2-Clause */
/* test_macro: what is a domain-spec of RFC 7208, and what name it stands for. */
#include "config.h"

#include "spf/macro.h"

#include <stdio.h>

#include "check.h"
#include "dns_rig.h"

/* The example of RFC 7208 7.4. */
struct setting {
    struct ip client;
    struct spf_macros macros;
};

static void set(struct setting *setting, const char *client)
{
    const struct sockaddr_storage address = dns_rig_address(client);

    assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &setting->client));
    setting->macros = (struct spf_macros){
        .client = &setting->client,
        .local = "strong-bad",
        .sender_domain = "email.example.com",
        .domain = "email.example.com",
        .helo = "mail.example.net",
        .client_name = "mx.example.org",
    };
}

static const char *expand(const struct setting *setting, const char *spec,
                          char name[RB_DOMAIN_MAX + 1])
{
    return spf_macro_expand(span_of(spec), &setting->macros, name) ? name : NULL;
}

struct example {
    const char *spec, *name; /* NULL: it can be none */
};

static void check_examples(const struct setting *setting, const struct example *examples,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[RB_DOMAIN_MAX + 1];
        const char *is = expand(setting, examples[i].spec, name);
        const char *wanted = examples[i].name;

        if ((is == NULL) != (wanted == NULL) || (is != NULL && strcmp(is, wanted) != 0))
            fail_msg("%s: %s, not %s", examples[i].spec, is != NULL ? is : "no name",
                     wanted != NULL ? wanted : "no name");
    }
}

static void the_examples_of_the_rfc_come_out_as_there(void **state)
{
    static const struct example examples[] = {
        {"%{s}", "strong-bad@email.example.com"},
        {"%{o}", "email.example.com"},
        {"%{d}", "email.example.com"},
        {"%{d4}", "email.example.com"},
        {"%{d3}", "email.example.com"},
        {"%{d2}", "example.com"},
        {"%{d1}", "com"},
        {"%{dr}", "com.example.email"},
        {"%{d2r}", "example.email"},
        {"%{l}", "strong-bad"},
        {"%{l-}", "strong.bad"},
        {"%{lr}", "strong-bad"},
        {"%{lr-}", "bad.strong"},
        {"%{l1r-}", "strong"},
        {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
        {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
        {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
        {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
        {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
    };
    static const struct example v6_examples[] = {
        {"%{ir}.%{v}._spf.%{d2}", "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0."
                                  "2.ip6._spf.example.com"},
    };
    struct setting setting;

    (void)state;
    set(&setting, "192.0.2.3");
    check_examples(&setting, examples, COUNT(examples));
    set(&setting, "2001:db8::cb01");
    check_examples(&setting, v6_examples, COUNT(v6_examples));
}

static void everything_else_is_expanded_too(void **state)
{
    static const struct example examples[] = {
        {"%{h}", "mail.example.net"},
        {"%{H2R}.x", "example.mail.x"},
        {"%{p}", "mx.example.org"},
        {"%{i}.x", "192.0.2.3.x"},
        {"%{d99}", "email.example.com"},
        {"%{d128}", "email.example.com"},
        {"%{l3-}", "strong.bad"},
        {"%{lr+-}.x", "bad.strong.x"},
        {"%{D}.X.Example", "email.example.com.x.example"},
        {"%{S}.x", "strong-bad%40email.example.com.x"},
        {"a%%b%_c%-d.Example.ORG", "a%b c%20d.example.org"},
        {"foo:bar/baz.example.org", "foo:bar/baz.example.org"},
        {"a.example.", "a.example"},
        {"%{d}.", "email.example.com"},
    };
    struct setting setting;

    (void)state;
    set(&setting, "192.0.2.3");
    check_examples(&setting, examples, COUNT(examples));
}

static void what_cannot_be_asked_for_is_no_name(void **state)
{
    static const struct {
        const char *local, *helo, *spec, *name;
    } cases[] = {
        {"", "", "%{l}.x", NULL}, /* an empty label */
        {"..", "", "%{l}.x", NULL},
        {".", "", "%{l}.x", NULL},
        {"a..b", "", "%{l}.x", NULL},
        {"\001", "", "%{l}.x", NULL},
        {"\303\244", "", "%{l}.x", NULL},
        {"a\\b", "", "%{l}.x", NULL},
        {"a\\b", "", "%{L}.x", "a%5cb.x"},
        {"a b\"c", "", "%{l}.x", "a b\"c.x"},
        {"\303\244", "", "%{L}.x", "%c3%a4.x"},
        {"", "", "%{h}", NULL},
        {"", "[192.0.2.10]", "%{h}", "[192.0.2.10]"},
        {"", "JUMPIN' JUPITER", "%{H}.x", "jumpin%27%20jupiter.x"},
        {"", "%%%%%%%%%%%%%%%%%%%%%%", "%{H}.x", NULL}, /* 66 octets */
        {"", "%%%%%%%%%%%%%%%%%%%%%", "%{H}.x",
         "%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25.x"},
        {"", "", "mail.example...com", NULL},
        {"", "", ".com", NULL},
        {"", "", "a123456789012345678901234567890123456789012345678901234567890123.com", NULL},
        {"%{d}", "", "%{l}.x", "%{d}.x"}, /* what a macro stands for is not expanded again */
    };
    struct setting setting;

    (void)state;
    set(&setting, "192.0.2.3");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct example example = {cases[i].spec, cases[i].name};

        setting.macros.local = cases[i].local;
        setting.macros.helo = cases[i].helo;
        check_examples(&setting, &example, 1);
    }
}

static void long_names_lose_labels_on_the_left(void **state)
{
    static const char domain[] =
        "label10.label10.label10.label10.label10.label10.label10.label10.label10.label10."
        "label10.label10.label10.label10.label10.label10.label10.label10.label10.label10."
        "label10.label10.label10.label10.label10.label10.label10.label10.label10.label10.l.example."
        "com";
    char name[RB_DOMAIN_MAX + 1], wanted[400], local[700];
    struct setting setting;

    (void)state;
    set(&setting, "192.0.2.3");
    setting.macros.domain = domain;
    assert_string_equal(expand(&setting, "%{d}", name), domain);
    (void)snprintf(wanted, sizeof wanted, "%s.1234567", domain + strlen("label10."));
    assert_string_equal(expand(&setting, "%{d}.1234567", name), wanted);
    assert_string_equal(expand(&setting, "%{d}.%{d}", name), domain);
    (void)snprintf(wanted, sizeof wanted, "%s.x", domain + strlen("label10."));
    assert_string_equal(expand(&setting, "%{d}.%{d}.x", name), wanted);

    /* A label that has to go need not be one that could be asked for. */
    memset(local, 'a', sizeof local);
    local[200] = '\0';
    setting.macros.local = local;
    assert_string_equal(expand(&setting, "%{l}.%{d}", name), domain);
    /* What has no dot cannot be cut, nor what is longer than anything is. */
    local[200] = 'a';
    local[300] = '\0';
    assert_null(expand(&setting, "%{l}", name));
    local[300] = 'a';
    local[699] = '\0';
    assert_null(expand(&setting, "%{l}.%{d}", name));
}

/* --- The grammar ------------------------------------------------------------- */

static void domain_specs_are_told_from_others(void **state)
{
    static const char *const good[] = {
        "example.org",
        "example.org.",
        "_spf.example.org",
        "%{d}",
        "%{d}.example.org",
        "a.xn--zckzah",
        "a.1a",
        "a.a1",
        "a.1-1",
        "foo%%",
        "foo%_",
        "foo%-",
        "foo.%{l1r.-+,/_=}",
        "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~.example",
        "%{S}.%{L}.%{O}.%{D}.%{I}.%{P}.%{V}.%{H}",
        ".com",
        "a..com",
        "%{d}x.com",
        "%{dR}",
        "%{d01}",
    };
    static const char *const bad[] = {
        "",
        "localhost",
        "museum.",
        ".",
        "..",
        "a.",
        "192.0.2.1",
        "a.123",
        "example.-org",
        "example.org-",
        "a.b_c",
        "a.b:8080",
        "%{d}com",
        "%{d}1.",
        "a:foo}",
        "foo}",
        "a%%_",
        "a.%%-",
        "%",
        "%a",
        "a%",
        "%{",
        "%{}",
        "%{d",
        "%{x}",
        "%{c}",
        "%{r}",
        "%{t}",
        "%{d0}",
        "%{d00}",
        "%{d129}",
        "%{d99999999999999999999}",
        "%{d-r}",
        "%{dx}",
        "%{d r}",
        "%(d)",
        "a b.example",
        "a\tb.example",
        "a.exam\001ple",
        "a.ex\303\244mple",
        "a.example\177",
        "%{d}\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!spf_macro_is_domain_spec(span_of(good[i])))
            fail_msg("%s was not taken", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (spf_macro_is_domain_spec(span_of(bad[i])))
            fail_msg("%s was taken", bad[i]);
    assert_false(spf_macro_is_domain_spec((struct span){"a.exam\0ple", 10}));
    assert_false(spf_macro_is_domain_spec((struct span){"a.example\0", 10}));
}

static void macro_strings_may_hold_the_macros_of_explanations(void **state)
{
    static const char *const good[] = {"", "x", "-", "%{c}%{r}%{t}", "%{C}.%%", "a:b/c=d"};
    static const char *const bad[] = {"%", "%{x}", "a b", "%{c", "%{c0}", "\303\244"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!spf_macro_is_string(span_of(good[i])))
            fail_msg("%s was not taken", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (spf_macro_is_string(span_of(bad[i])))
            fail_msg("%s was taken", bad[i]);
}

static void what_is_looked_at_is_told(void **state)
{
    static const struct {
        const char *spec;
        unsigned uses;
    } cases[] = {
        {"example.org", 0},
        {"%{d}.%{o}.%{i}.%{v}.l.s.h.p", 0},
        {"%{l}", SPF_USES_SENDER},
        {"x.%{S1r-}", SPF_USES_SENDER},
        {"%{h}.x.org", SPF_USES_HELO},
        {"%{P}.x.org", SPF_USES_CLIENT_NAME},
        {"%{l}%{h}%{p}", SPF_USES_SENDER | SPF_USES_HELO | SPF_USES_CLIENT_NAME},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (spf_macro_uses(span_of(cases[i].spec)) != cases[i].uses)
            fail_msg("%s", cases[i].spec);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_examples_of_the_rfc_come_out_as_there),
        TEST(everything_else_is_expanded_too),
        TEST(what_cannot_be_asked_for_is_no_name),
        TEST(long_names_lose_labels_on_the_left),
        TEST(domain_specs_are_told_from_others),
        TEST(macro_strings_may_hold_the_macros_of_explanations),
        TEST(what_is_looked_at_is_told),
    };

    return cmocka_run_group_tests_name("spf_macro", tests, NULL, NULL);
}
