/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mailbox: From and Reply-To as people, lists and forgers write them. */
#include "config.h"

#include "check.h"
#include "dice.h"
#include "mail/mailbox.h"

enum { RANDOM_ROUNDS = 20000, LARGE = 100 * 1024 };

static void read_as_text(const char *value, size_t len, char text[ADDRESS_TEXT_SIZE])
{
    struct address address;

    if (mailbox_first(value, len, &address) !=
        (address_format(&address, text, ADDRESS_TEXT_SIZE) == RB_OK && text[0] != '\0'))
        fail_msg("%s: what is returned and what is found differ", value);
}

static void assert_first(const char *const (*cases)[2], size_t count)
{
    char text[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < count; i++) {
        read_as_text(cases[i][0], strlen(cases[i][0]), text);
        if (strcmp(text, cases[i][1]) != 0)
            fail_msg("%s: <%s>, not <%s>", cases[i][0], text, cases[i][1]);
    }
}

static void assert_none(const char *const *values, size_t count)
{
    char text[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < count; i++) {
        read_as_text(values[i], strlen(values[i]), text);
        if (text[0] != '\0')
            fail_msg("%s: <%s>", values[i], text);
    }
}

/* --- What there is ----------------------------------------------------------- */

/* RFC 5322, appendix A. */
static void the_examples_of_the_standard_are_read(void **state)
{
    static const char *const cases[][2] = {
        {"John Doe <jdoe@machine.example>", "jdoe@machine.example"},
        {"\"Joe Q. Public\" <john.q.public@example.com>", "john.q.public@example.com"},
        {"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>", "mary@x.test"},
        {"<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>", "boss@nil.test"},
        {"\"Giant; \\\"Big\\\" Box\" <sysservices@example.net>", "sysservices@example.net"},
        {"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;", "c@a.test"},
        {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "pete@silly.test"},
        {"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
         "         joe@example.org,\r\n"
         "  John <jdoe@one.test> (my dear friend); (the end of the group)",
         "c@public.example"},
        {"Joe Q. Public <john.q.public@example.com>", "john.q.public@example.com"},
        {"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example", "mary@example.net"},
        {"jdoe@test  . example", "jdoe@test.example"},
        {"John Doe <jdoe@machine(comment).  example>", "jdoe@machine.example"},
    };

    (void)state;
    assert_first(cases, COUNT(cases));
}

static void fields_of_real_mail_are_read(void **state)
{
    static const char *const cases[][2] = {
        {"user@example.org", "user@example.org"},
        {" user@example.org", "user@example.org"},
        {"<user@example.org>", "user@example.org"},
        {"user@example.org (Jo Doe)", "user@example.org"},
        {"=?UTF-8?Q?J=C3=B6rg_M=C3=BCller?= <jm@example.org>", "jm@example.org"},
        {"=?utf-8?B?Sm8gRG9l?=\r\n =?utf-8?B?IGFnYWlu?= <jo@example.org>", "jo@example.org"},
        {"=?utf-8?q?Doe,_Jo?= <jo@example.org>", "jo@example.org"},
        {"=?utf-8?q?jo@home?= <jo@example.org>", "jo@example.org"},
        {"\"Doe, Jo\" <jo@example.org>", "jo@example.org"},
        {"Doe, Jo <jo@example.org>", "jo@example.org"},
        {"Dr. J. Doe <jo@example.org>", "jo@example.org"},
        {"\"'jo@example.org' via List\" <list@lists.example.org>", "list@lists.example.org"},
        {"jo@example.org via List <list@lists.example.org>", "list@lists.example.org"},
        {"jo@example.org <jo@example.org>", "jo@example.org"},
        {"'jo@example.org' <jo@example.org>", "jo@example.org"},
        {"[Tracker] Jo Doe <notify@example.org>", "notify@example.org"},
        {"Jo [Work <jo@example.org>", "jo@example.org"},
        {"Jo \\ Doe <jo@example.org>", "jo@example.org"},
        {"Shop & Co | News <news@shop.example>", "news@shop.example"},
        {"Alarm 12:30 <alarm@example.org>", "alarm@example.org"},
        {"Jo :-) <jo@example.org>", "jo@example.org"},
        {"J\xC3\xB6rg <jm@example.org>", "jm@example.org"},
        {"J\xF6rg <jm@example.org>", "jm@example.org"},
        {"\"\" <jo@example.org>", "jo@example.org"},
        {"Jo<jo@example.org>", "jo@example.org"},
        {"Jo <\r\n\tjo@example.org>", "jo@example.org"},
        {"Jo <jo@example.org>\r\n", "jo@example.org"},
        {"Jo < jo@example.org >", "jo@example.org"},
        {"Jo <jo@example.org>,", "jo@example.org"},
        {", ,jo@example.org", "jo@example.org"},
        {"jo.@mobile.example", "\"jo.\"@mobile.example"},
        {"jo..doe@mobile.example", "\"jo..doe\"@mobile.example"},
        {"prvs=0123456789=jo@example.org", "prvs=0123456789=jo@example.org"},
        {"jo@EXAMPLE.org.", "jo@example.org"},
        {"root@localhost", "root@localhost"},
        {"<root@localhost>, jo@example.org", "root@localhost"},
        {"Sales @ Acme <sales@acme.example>", "sales@acme.example"},
        {"jo@example.org, Jim <jim@example.org>", "jo@example.org"},
        {"jo@[192.0.2.1], jim@example.org", "jo@[192.0.2.1]"},
    };

    (void)state;
    assert_first(cases, COUNT(cases));
}

static void local_parts_and_domains_of_every_form_are_read(void **state)
{
    static const char *const cases[][2] = {
        {"\"jo doe\"@example.org", "\"jo doe\"@example.org"},
        {"\"jo\\\"@\\\\\"@example.org", "\"jo\\\"@\\\\\"@example.org"},
        {"\"jo\\ doe\"@example.org", "\"jo doe\"@example.org"},
        {"\"jo\"@example.org", "jo@example.org"},
        {"\"jo\r\n doe\"@example.org", "\"jo doe\"@example.org"},
        {"jo.\"a b\".doe@example.org", "\"jo.a b.doe\"@example.org"},
        {"jo (1) . (2) doe (3) @ (4) example (5) . (6) org", "jo.doe@example.org"},
        {"Jo <\"<a>,b:c;\"@example.org>", "\"<a>,b:c;\"@example.org"},
        {"jo@[192.0.2.1]", "jo@[192.0.2.1]"},
        {"Jo <jo@[IPv6:2001:DB8::1]>, other@example.org", "jo@[IPv6:2001:db8::1]"},
        {"jo@ (at) [192.0.2.1] (an address)", "jo@[192.0.2.1]"},
        {"j\xC3\xB6@example.org", "j\xC3\xB6@example.org"},
        {"jo@b\xC3\xBC"
         "cher.example",
         "jo@xn--bcher-kva.example"},
        {"\xE4\xBA\xBA <\xE4\xBA\xBA@example.org>", "\xE4\xBA\xBA@example.org"},
    };

    (void)state;
    assert_first(cases, COUNT(cases));
}

static void routes_and_groups_lead_to_the_mailbox(void **state)
{
    static const char *const cases[][2] = {
        {"<@a.example:jo@example.org>", "jo@example.org"},
        {"Jo <@a.example,@b.example:jo@example.org>", "jo@example.org"},
        {"Jo <@a.example, (c) ,, @[192.0.2.1] : jo@example.org>", "jo@example.org"},
        {"Team:;, jo@example.org", "jo@example.org"},
        {"Team: , ; Others: jo@example.org;", "jo@example.org"},
        {"\"The, Team\": jo@example.org, other@example.org;", "jo@example.org"},
        {"The [Team]: jo@example.org", "jo@example.org"},
        {"Team: Jo <jo@example.org>;", "jo@example.org"},
        {"mailto:jo@example.org", "jo@example.org"},
    };

    (void)state;
    assert_first(cases, COUNT(cases));
}

/* --- What there is not ------------------------------------------------------- */

static void no_address_is_no_mailbox(void **state)
{
    static const char *const values[] = {
        "",
        " ",
        "\r\n ",
        ",",
        ";",
        ":",
        ",,;,",
        "(jo@example.org)",
        "\"jo@example.org\"",
        "undisclosed-recipients:;",
        "Undisclosed recipients: ;",
        "Undisclosed recipients:",
        "jo",
        "Jo Doe",
        "Jo, Jim and Jane",
        "MAILER-DAEMON (Mail Delivery System)",
        "=?utf-8?q?jo=40example.org?=",
        "example.org",
        "[192.0.2.1]",
    };

    (void)state;
    assert_none(values, COUNT(values));
}

/* Nor is one of those behind it taken instead. */
static void what_cannot_be_read_without_guessing_is_no_mailbox(void **state)
{
    static const char *const values[] = {
        "<>",
        "Jo <>",
        "<> jo@example.org",
        "<jo>",
        "Jo <jo>, jim@example.org",
        "Jo <jo@example.org",
        "Jo <jo@example.org, jim@example.org",
        "Jo <jo@example.org>> ",
        "Jo <<jo@example.org>>",
        "<jo@example.org> <jim@example.org>",
        "<jo@example.org> jim@example.org",
        "<jo@example.org> Jo",
        "jo@example.org jim@example.org",
        "Jo Doe jo@example.org",
        "Jo Doe jo@example.org, jim@example.org",
        "jo@example.org Jo",
        "jo@@example.org",
        "jo@example.org@example.net",
        "jo doe@example.org",
        "Jo <jo doe@example.org>",
        "Jo <mailto:jo@example.org>",
        "Jo <jo@example.org;>",
        "jo\\@doe@example.org",
        "jo@example.org:25",
        "<@a.example jo@example.org>",
        "<@a.example,@b.example>",
        "@example.org",
        "jo@",
        "jo@,jim@example.org",
        "Sales @ Acme, Inc. <sales@acme.example>",
        "Sales@Acme, Inc. <sales@acme.example>",
        "jo@home (work), <jo@example.org>",
        "jo@.",
        "jo@-example.org",
        "jo@example..org",
        "jo@\"example.org\"",
        "jo@[example.org]",
        "jo@[192.0.2.1",
        "jo@[192.0.2.1]x",
        "jo[192.0.2.1]@example.org",
        "\"jo@example.org",
        "\"jo\"doe@example.org",
        "jo@example.org (",
        "jo@example.org (a (b)",
        "(((((((((((((((((((((too deep))))))))))))))))))))) jo@example.org",
        "jo\x01@example.org",
        "\"jo\x01\"@example.org",
        "j\xF6@example.org",
        ("jo@b\xFC"
         "cher.example"),
    };

    (void)state;
    assert_none(values, COUNT(values));
}

static void nul_is_an_octet_like_others(void **state)
{
    static const char in_name[] = "Jo\0Doe <jo@example.org>";
    static const char in_local[] = "jo\0doe@example.org";
    static const char in_quotes[] = "\"jo\0doe\"@example.org";
    static const char in_domain[] = "jo@example\0.org";
    static const char in_comment[] = "(\0) jo@example.org";
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    read_as_text(in_name, sizeof in_name - 1, text);
    assert_string_equal(text, "jo@example.org");
    read_as_text(in_comment, sizeof in_comment - 1, text);
    assert_string_equal(text, "jo@example.org");
    read_as_text(in_local, sizeof in_local - 1, text);
    assert_string_equal(text, "");
    read_as_text(in_quotes, sizeof in_quotes - 1, text);
    assert_string_equal(text, "");
    read_as_text(in_domain, sizeof in_domain - 1, text);
    assert_string_equal(text, "");
}

/* --- Size -------------------------------------------------------------------- */

static void the_longest_address_is_read_and_a_longer_one_is_not(void **state)
{
    static const char domain[] = "@example.org>";
    char value[RB_ADDRESS_MAX + 32] = "Jo <", text[ADDRESS_TEXT_SIZE];
    size_t local = RB_ADDRESS_MAX - (strlen(domain) - 1);

    (void)state;
    memset(value + 4, 'a', local);
    memcpy(value + 4 + local, domain, sizeof domain);
    read_as_text(value, strlen(value), text);
    assert_int_equal(strlen(text), RB_ADDRESS_MAX);
    memset(value + 4, 'a', local + 1);
    memcpy(value + 5 + local, domain, sizeof domain);
    read_as_text(value, strlen(value), text);
    assert_string_equal(text, "");
}

/* So much of one thing, and a mailbox behind it, or not. */
static void much_of_anything_is_read_to_its_end(void **state)
{
    static const struct {
        const char *much, *behind, *found;
    } table[] = {
        {",", "jo@example.org", "jo@example.org"},
        {" ", "jo@example.org", "jo@example.org"},
        {"\r\n\t", "jo@example.org", "jo@example.org"},
        {"(c)", "jo@example.org", "jo@example.org"},
        {"a", " <jo@example.org>", "jo@example.org"},
        {"a ", " <jo@example.org>", "jo@example.org"},
        {"a@b ", " <jo@example.org>", "jo@example.org"},
        {"[", " <jo@example.org>", "jo@example.org"},
        {"\\", " <jo@example.org>", "jo@example.org"},
        {"\"a\"", " <jo@example.org>", "jo@example.org"},
        {"a,", "jo@example.org", "jo@example.org"},
        {"a:", "jo@example.org", "jo@example.org"},
        {"a:;", "jo@example.org", "jo@example.org"},
        {".", "@example.org", ""},
        {"a@[", "jo@example.org", ""},
        {"@[", " <jo@example.org>", ""},
        {"\"\"", " <jo@example.org>", "jo@example.org"},
        {"\"\"\"", " <jo@example.org>", ""},
        {"(", ") jo@example.org", ""},
        {"<", "jo@example.org>", ""},
        {"@a,", "jo@example.org", ""},
        {"\xC3", "@example.org", ""},
    };
    char *value = malloc(LARGE + 64), text[ADDRESS_TEXT_SIZE];

    (void)state;
    assert_non_null(value);
    for (size_t i = 0; i < COUNT(table); i++) {
        size_t len = 0, each = strlen(table[i].much);

        for (; len + each <= LARGE; len += each)
            memcpy(value + len, table[i].much, each);
        memcpy(value + len, table[i].behind, strlen(table[i].behind));
        read_as_text(value, len + strlen(table[i].behind), text);
        if (strcmp(text, table[i].found) != 0)
            fail_msg("much of \"%s\": <%s>", table[i].much, text);
    }
    free(value);
}

static void a_long_route_leads_to_the_mailbox(void **state)
{
    static const char hop[] = "@relay.example,", end[] = ":jo@example.org>";
    char *value = malloc(LARGE + 64), text[ADDRESS_TEXT_SIZE];
    size_t len = 1;

    (void)state;
    assert_non_null(value);
    value[0] = '<';
    for (; len + strlen(hop) < LARGE; len += strlen(hop))
        memcpy(value + len, hop, strlen(hop));
    memcpy(value + len, end, strlen(end));
    read_as_text(value, len + strlen(end), text);
    assert_string_equal(text, "jo@example.org");
    free(value);
}

static void any_tokens_in_any_order_are_read_or_not(void **state)
{
    static const char *const tokens[] = {
        "jo",  "@",     "example.org", ".",           ",",
        ";",   ":",     "<",           ">",           "\"",
        "(",   ")",     "\\",          "[",           "]",
        " ",   "\r\n ", "\"a b\"",     "\0",          "(",
        "(c)", "\xC3",  "\xC3\xB6",    "[192.0.2.1]", "=?utf-8?q?a?="};
    uint64_t dice = dice_seed();
    char value[512], text[ADDRESS_TEXT_SIZE];

    (void)state;
    for (unsigned round = 0; round < RANDOM_ROUNDS; round++) {
        size_t len = 0;

        for (uint64_t count = dice_throw(&dice) % 24; count > 0; count--) {
            const char *token = tokens[dice_throw(&dice) % COUNT(tokens)];
            size_t each = token[0] == '\0' ? 1 : strlen(token);

            memcpy(value + len, token, each);
            len += each;
        }
        value[len] = '\0';
        read_as_text(value, len, text);
    }
}

static void the_only_mailbox_is_told_from_a_first_one(void **state)
{
    static const char *const only[] = {
        "a@example.org",
        "\r\n Jo (b, c@d; e:) <a@example.org> (f)\r\n",
        "\"Doe, Jo: x;\" <a@example.org>",
        "\"b,c\"@example.org",
        "b@c <a@example.org>",
    };
    static const char *const more[] = {
        "a@example.org,",        ",a@example.org",      "a@example.org, b@example.org",
        "Doe, Jo <a@b.example>", "jo: a@example.org;",  "<@x:a@example.org>",
        "<@x,@y:a@example.org>", "Re: x <a@b.example>", "a@example.org; b@example.org",
        "a[b <a@example.org>",   "[x] <a@example.org>", "a\\b <a@example.org>",
        "a\x01 <a@example.org>", "a) <a@example.org>",
    };
    struct address address;

    (void)state;
    for (size_t i = 0; i < COUNT(only); i++)
        if (!mailbox_only(only[i], strlen(only[i]), &address))
            fail_msg("%s", only[i]);
    for (size_t i = 0; i < COUNT(more); i++) {
        assert_true(mailbox_first(more[i], strlen(more[i]), &address));
        if (mailbox_only(more[i], strlen(more[i]), &address))
            fail_msg("%s", more[i]);
    }
    assert_false(mailbox_only("", 0, &address));
    assert_false(mailbox_only("a@example.org x", 15, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard_are_read),
        cmocka_unit_test(fields_of_real_mail_are_read),
        cmocka_unit_test(local_parts_and_domains_of_every_form_are_read),
        cmocka_unit_test(routes_and_groups_lead_to_the_mailbox),
        cmocka_unit_test(no_address_is_no_mailbox),
        cmocka_unit_test(what_cannot_be_read_without_guessing_is_no_mailbox),
        cmocka_unit_test(the_only_mailbox_is_told_from_a_first_one),
        cmocka_unit_test(nul_is_an_octet_like_others),
        cmocka_unit_test(the_longest_address_is_read_and_a_longer_one_is_not),
        cmocka_unit_test(much_of_anything_is_read_to_its_end),
        cmocka_unit_test(a_long_route_leads_to_the_mailbox),
        cmocka_unit_test(any_tokens_in_any_order_are_read_or_not),
    };

    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
