/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests of address: the grammar row by row, one key for one mailbox, and hostile input, which
 * is always handed over in a heap block of its exact length so that a sanitizer sees any octet too
 * many.
 */
#include "config.h"

#include "mail/address.h"
#include "check.h"
#include "base/text.h"

#include <stdio.h>
#include <time.h>

#define TEN "aaaaaaaaaa"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define LABEL63 SIXTY "aaa"

/* --- helpers -------------------------------------------------------------------------------------
 */

static enum address_fault parse_octets(const char *text, size_t len, bool utf8,
                                       struct address *address)
{
    char *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, text, len);
    const enum address_fault fault = address_parse(exact, len, utf8, address);
    free(exact);
    return fault;
}

static enum address_fault parse(const char *text, bool utf8, struct address *address)
{
    return parse_octets(text, strlen(text), utf8, address);
}

static bool is_zeroed(const struct address *address)
{
    for (size_t i = 0; i < sizeof(address->local); i++) {
        if (address->local[i] != '\0')
            return false;
    }
    for (size_t i = 0; i < sizeof(address->domain); i++) {
        if (address->domain[i] != '\0')
            return false;
    }
    return !address->is_literal && !address->needs_utf8;
}

static void assert_fault(const char *text, size_t len, bool utf8, enum address_fault want)
{
    struct address address = {.local = "left over", .is_literal = true};
    const enum address_fault fault = parse_octets(text, len, utf8, &address);
    if (fault != want)
        print_error("%.80s: %s, and not: %s\n", text, address_fault_text(fault),
                    address_fault_text(want));
    assert_int_equal(fault, want);
    assert_true(is_zeroed(&address));
}

struct fault_row {
    const char *text;
    enum address_fault fault;
};

static void check_faults(const struct fault_row *rows, size_t count, bool utf8)
{
    for (size_t i = 0; i < count; i++)
        assert_fault(rows[i].text, strlen(rows[i].text), utf8, rows[i].fault);
}

struct key_row {
    const char *text, *key, *formatted; /* formatted NULL: like the key */
};

static void check_keys(const struct key_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct address address;
        char key[RB_ADDRESS_MAX + 1];
        char text[ADDRESS_TEXT_SIZE];
        assert_int_equal(parse(rows[i].text, true, &address), ADDRESS_OK);
        assert_int_equal(address_key(&address, key, sizeof(key)), RB_OK);
        assert_string_equal(key, rows[i].key);
        assert_int_equal(address_format(&address, text, sizeof(text)), RB_OK);
        assert_string_equal(text, rows[i].formatted != NULL ? rows[i].formatted : rows[i].key);
    }
}

#define FAULTS(rows) check_faults(rows, COUNT(rows), false)
#define KEYS(rows) check_keys(rows, COUNT(rows))

/* --- the whole of it -----------------------------------------------------------------------------
 */

static void plain_mailboxes_are_read(void **state)
{
    static const struct key_row rows[] = {
        {"user@example.org", "user@example.org", NULL},
        {"<user@example.org>", "user@example.org", NULL},
        {"first.last@example.org", "first.last@example.org", NULL},
        {"!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org", NULL},
        {"prvs=1234abcd=user@example.org", "prvs=1234abcd=user@example.org", NULL},
        {"SRS0=HHH=TT=orig.example=user@example.org", "SRS0=HHH=TT=orig.example=user@example.org",
         NULL},
        {"user%other.example@example.org", "user%other.example@example.org", NULL},
        {"1@1.example", "1@1.example", NULL},
        {"user@localhost", "user@localhost", NULL},
        {"a@b", "a@b", NULL},
    };
    (void)state;
    KEYS(rows);
}

static void null_sender_is_told_from_a_fault(void **state)
{
    (void)state;
    assert_fault("", 0, false, ADDRESS_NULL);
    assert_fault("<>", 2, false, ADDRESS_NULL);
}

static void null_sender_without_memory_behind_it_is_fine(void **state)
{
    struct address address;
    (void)state;
    assert_int_equal(address_parse(NULL, 0, false, &address), ADDRESS_NULL);
    assert_true(is_zeroed(&address));
}

static void something_missing_is_named(void **state)
{
    static const struct fault_row rows[] = {
        {"@example.org", ADDRESS_EMPTY_LOCAL},
        {"<@example.org>", ADDRESS_EMPTY_LOCAL},
        {"@", ADDRESS_EMPTY_LOCAL},
        {"user", ADDRESS_NO_DOMAIN},
        {"<postmaster>", ADDRESS_NO_DOMAIN},
        {"user@", ADDRESS_NO_DOMAIN},
        {"<user@>", ADDRESS_NO_DOMAIN},
        {"\"user\"", ADDRESS_NO_DOMAIN},
        {"\"user\"@", ADDRESS_NO_DOMAIN},
    };
    (void)state;
    FAULTS(rows);
}

static void brackets_must_enclose_the_whole(void **state)
{
    static const struct fault_row rows[] = {
        {"<", ADDRESS_BAD_BRACKET},
        {">", ADDRESS_NO_DOMAIN},
        {"<user@example.org", ADDRESS_BAD_BRACKET},
        {"user@example.org>", ADDRESS_BAD_BRACKET},
        {"<user@example.org> SIZE=1000", ADDRESS_BAD_BRACKET},
        {"<user@example.org>x>", ADDRESS_BAD_BRACKET},
        {"<<user@example.org>>", ADDRESS_BAD_BRACKET},
        {"us<er@example.org", ADDRESS_BAD_BRACKET},
        {"><@a", ADDRESS_BAD_BRACKET},
        {"User <user@example.org>", ADDRESS_BAD_BRACKET},
    };
    (void)state;
    FAULTS(rows);
}

/* --- local part ----------------------------------------------------------------------------------
 */

/* Japanese mobile providers gave such addresses out; the grammar has them in quotes alone. */
static void odd_dots_are_read_and_written_in_quotes(void **state)
{
    static const struct key_row rows[] = {
        {".user@example.org", ".user@example.org", "\".user\"@example.org"},
        {"user.@example.org", "user.@example.org", "\"user.\"@example.org"},
        {"us..er@example.org", "us..er@example.org", "\"us..er\"@example.org"},
        {"\"us..er\"@example.org", "us..er@example.org", "\"us..er\"@example.org"},
        {"<.us.er.@example.org>", ".us.er.@example.org", "\".us.er.\"@example.org"},
        {".@example.org", ".@example.org", "\".\"@example.org"},
        {"...@example.org", "...@example.org", "\"...\"@example.org"},
    };
    (void)state;
    KEYS(rows);
}

/* RFC 5322 4.4: what the quotes enclose is what counts. */
static void quoted_strings_may_stand_between_dots(void **state)
{
    static const struct key_row rows[] = {
        {"\"a\".b@example.org", "a.b@example.org", NULL},
        {"a.\"b\"@example.org", "a.b@example.org", NULL},
        {"\"a\".\"b c\".d@example.org", "a.b c.d@example.org", "\"a.b c.d\"@example.org"},
        {"\"\".\"\"@example.org", ".@example.org", "\".\"@example.org"},
    };
    (void)state;
    KEYS(rows);
}

/* One MTA takes a(b) for a comment, another does not; a:b may be a route without its "@". */
static void what_mtas_read_each_in_its_own_way_is_odd(void **state)
{
    static const char specials[] = " (),:;[\\]";
    static const struct fault_row rows[] = {
        {"a@b@c.example", ADDRESS_ODD_LOCAL},        {"a\\@b@c.example", ADDRESS_ODD_LOCAL},
        {"a\\\"b@c.example", ADDRESS_ODD_LOCAL},     {"a(b@c)d@e.example", ADDRESS_ODD_LOCAL},
        {"\"a\"b@c.example", ADDRESS_ODD_LOCAL},     {"a\"b\"@c.example", ADDRESS_ODD_LOCAL},
        {"\"a\"\"b\"@c.example", ADDRESS_ODD_LOCAL}, {"\"a\" @c.example", ADDRESS_ODD_LOCAL},
        {"John Doe@c.example", ADDRESS_ODD_LOCAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(specials) - 1; i++) {
        char text[] = "us?er@example.org";
        text[2] = specials[i];
        assert_fault(text, strlen(text), true, ADDRESS_ODD_LOCAL);
    }
    FAULTS(rows);
}

/* Whatever else is odd: without a domain, or with no end to its quotes, it is none. */
static void what_is_no_mailbox_at_all_is_said_before_what_is_odd(void **state)
{
    static const struct fault_row rows[] = {
        {"no address", ADDRESS_NO_DOMAIN},      {"a b@", ADDRESS_NO_DOMAIN},
        {"a\"b@c.example", ADDRESS_BAD_QUOTE},  {"a b\"@c.example", ADDRESS_BAD_QUOTE},
        {"a b@c..example", ADDRESS_BAD_DOMAIN}, {"\xFF@c..example", ADDRESS_BAD_DOMAIN},
        {"a b@[1.2.3]", ADDRESS_BAD_LITERAL},   {"ö@c/d.example", ADDRESS_BAD_DOMAIN},
    };
    (void)state;
    FAULTS(rows);
}

static void blanks_within_the_brackets_are_none_of_it(void **state)
{
    static const struct key_row rows[] = {
        {"< user@example.org>", "user@example.org", NULL},
        {"<user@example.org >", "user@example.org", NULL},
        {"<  \" user \"@example.org  >", " user @example.org", "\" user \"@example.org"},
        {" user@example.org ", "user@example.org", NULL},
        {"< @a.example:user@example.org >", "user@example.org", NULL},
    };
    static const struct fault_row nothing[] = {
        {"< >", ADDRESS_NO_DOMAIN}, {" ", ADDRESS_NO_DOMAIN}, {"<    >", ADDRESS_NO_DOMAIN}};
    (void)state;
    KEYS(rows);
    FAULTS(nothing);
}

static void case_of_the_local_part_is_kept(void **state)
{
    static const struct key_row rows[] = {
        {"User@EXAMPLE.Org", "User@example.org", NULL},
        {"uSER@example.org", "uSER@example.org", NULL},
    };
    (void)state;
    KEYS(rows);
}

/* A local part of so many octets, at example.org, between these. */
static void make_long(char *text, size_t size, const char *before, char c, size_t octets,
                      const char *behind)
{
    const size_t len = (size_t)snprintf(text, size, "%s", before);

    memset(text + len, c, octets);
    (void)snprintf(text + len + octets, size - len - octets, "%s@example.org", behind);
}

enum { AT_EXAMPLE_ORG = 12, LONGEST = RB_ADDRESS_MAX - AT_EXAMPLE_ORG };

/* VERP and SRS put a whole address into the local part: RFC 5321 4.5.3.1 asks for no limits. */
static void local_part_may_be_as_long_as_a_path_has_room_for(void **state)
{
    static const size_t lengths[] = {64, 65, 66, 100, 128, 200, LONGEST - 1, LONGEST};
    char text[600];
    struct address address;
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        make_long(text, sizeof text, "", 'a', lengths[i], "");
        const struct key_row row = {text, text, NULL};
        check_keys(&row, 1);
    }
    make_long(text, sizeof text, "", 'a', LONGEST + 1, "");
    assert_fault(text, strlen(text), false, ADDRESS_TOO_LONG);
    make_long(text, sizeof text, "\"", 'a', LONGEST, "\""); /* without its quotes it fits */
    assert_int_equal(parse(text, false, &address), ADDRESS_OK);
}

/* It is a path; only we cannot write it as one. */
static void what_is_too_long_only_when_written_in_full_cannot_be_asked_about(void **state)
{
    char text[600];
    size_t len = 2;
    (void)state;
    make_long(text, sizeof text, ".", 'a', LONGEST - 1, "");
    assert_fault(text, strlen(text), false, ADDRESS_TOO_LONG_TO_ASK);
    make_long(text, sizeof text, ".", 'a', LONGEST - 2, "");
    assert_fault(text, strlen(text), false, ADDRESS_TOO_LONG_TO_ASK);
    make_long(text, sizeof text, ".", 'a', LONGEST, "");
    assert_fault(text, strlen(text), false, ADDRESS_TOO_LONG);
    make_long(text, sizeof text, "\"", '"' - 1, LONGEST + 1, "\"");
    assert_fault(text, strlen(text), false, ADDRESS_TOO_LONG);
    memset(text, 'a', sizeof text); /* in A-labels it is longer */
    len = 180;
    text[len++] = '@';
    for (int i = 0; i < 9; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "üaaaa.");
    len += (size_t)snprintf(text + len, sizeof text - len, "example");
    assert_true(len <= RB_ADDRESS_MAX);
    assert_fault(text, len, false, ADDRESS_TOO_LONG_TO_ASK);
}

static void quoted_local_parts_are_unquoted_in_the_key(void **state)
{
    static const struct key_row rows[] = {
        {"\"a b\"@example.org", "a b@example.org", "\"a b\"@example.org"},
        {"<\"a b\"@example.org>", "a b@example.org", "\"a b\"@example.org"},
        {"\"<>\"@example.org", "<>@example.org", "\"<>\"@example.org"},
        {"<\"<>\"@example.org>", "<>@example.org", "\"<>\"@example.org"},
        {"\"a@b\"@example.org", "a@b@example.org", "\"a@b\"@example.org"},
        {"\"a..b\"@example.org", "a..b@example.org", "\"a..b\"@example.org"},
        {"\".a\"@example.org", ".a@example.org", "\".a\"@example.org"},
        {"\"a.\"@example.org", "a.@example.org", "\"a.\"@example.org"},
        {"\"a\\\"b\"@example.org", "a\"b@example.org", "\"a\\\"b\"@example.org"},
        {"\"a\\\\b\"@example.org", "a\\b@example.org", "\"a\\\\b\"@example.org"},
        {"\"\\@\\,\\ \"@example.org", "@, @example.org", "\"@, \"@example.org"},
        {"\"@b:c\"@example.org", "@b:c@example.org", "\"@b:c\"@example.org"},
        {"\" \"@example.org", " @example.org", "\" \"@example.org"},
    };
    (void)state;
    KEYS(rows);
}

static void one_mailbox_has_one_key_however_quoted(void **state)
{
    static const struct key_row rows[] = {
        {"abc@example.org", "abc@example.org", NULL},
        {"\"abc\"@example.org", "abc@example.org", NULL},
        {"\"a\\bc\"@example.org", "abc@example.org", NULL},
        {"\"\\a\\b\\c\"@example.org", "abc@example.org", NULL},
        {"<\"a.b\"@Example.Org.>", "a.b@example.org", NULL},
        {"\"a\\.b\"@example.org", "a.b@example.org", NULL},
    };
    (void)state;
    KEYS(rows);
}

static void empty_quoted_string_is_a_mailbox(void **state)
{
    static const struct key_row rows[] = {
        {"\"\"@example.org", "@example.org", "\"\"@example.org"},
    };
    (void)state;
    KEYS(rows);
}

static void broken_quotes_are_refused(void **state)
{
    static const struct fault_row rows[] = {
        {"\"", ADDRESS_BAD_QUOTE},
        {"\"\\", ADDRESS_BAD_QUOTE},
        {"\"abc", ADDRESS_BAD_QUOTE},
        {"\"abc@example.org", ADDRESS_BAD_QUOTE},
        {"\"abc\\\"@example.org", ADDRESS_BAD_QUOTE},
        {"\"abc\\", ADDRESS_BAD_QUOTE},
        {"<\"abc>", ADDRESS_BAD_QUOTE},
        {"\"a\".\"b@example.org", ADDRESS_BAD_QUOTE},
        {"us\"er@example.org", ADDRESS_BAD_QUOTE},
    };
    (void)state;
    FAULTS(rows);
}

/* --- UTF-8 ---------------------------------------------------------------------------------------
 */

static void utf8_local_part_is_read_where_smtputf8_is_on(void **state)
{
    static const struct key_row rows[] = {
        {"jörg@example.org", "jörg@example.org", NULL},
        {"用户@example.org", "用户@example.org", NULL},
        {"\U0001F600@example.org", "\U0001F600@example.org", NULL},
        {"\"jörg\"@example.org", "jörg@example.org", NULL},
        {"\"j ö\"@example.org", "j ö@example.org", "\"j ö\"@example.org"},
        {"\U0010FFFF@example.org", "\U0010FFFF@example.org", NULL},
        {"\uD7FF@example.org", "\uD7FF@example.org", NULL},
    };
    (void)state;
    KEYS(rows);
}

static void needs_utf8_is_about_the_local_part_only(void **state)
{
    struct address address;
    (void)state;
    assert_int_equal(parse("jörg@example.org", true, &address), ADDRESS_OK);
    assert_true(address.needs_utf8);
    assert_int_equal(parse("joerg@bücher.example", true, &address), ADDRESS_OK);
    assert_false(address.needs_utf8);
}

static void eight_bit_local_part_is_refused_where_smtputf8_is_off(void **state)
{
    static const struct fault_row rows[] = {
        {"jörg@example.org", ADDRESS_8BIT},
        {"\"jörg\"@example.org", ADDRESS_8BIT},
        {"j\xF6rg@example.org", ADDRESS_BAD_UTF8},
        {"\xFF@example.org", ADDRESS_BAD_UTF8},
    };
    (void)state;
    FAULTS(rows);
}

static void utf8_character_is_never_cut_at_the_ceiling(void **state)
{
    char text[600];
    (void)state;
    for (size_t over = 1; over < 4; over++) {
        make_long(text, sizeof text, "", 'a', ADDRESS_LOCAL_MAX - 4 + over, "\U0001F600");
        assert_fault(text, strlen(text), true, ADDRESS_TOO_LONG);
    }
}

static const char *const bad_utf8[] = {
    "\x80",                 /* a continuation alone */
    "\xBF",                 /* and the last of them */
    "\xC0\x80",             /* overlong NUL */
    "\xC0\xAF",             /* overlong slash */
    "\xC1\xBF",             /* overlong DEL */
    "\xE0\x80\xAF",         /* overlong slash, three octets */
    "\xE0\x9F\xBF",         /* the last overlong of three */
    "\xF0\x80\x80\xAF",     /* overlong slash, four octets */
    "\xF0\x8F\xBF\xBF",     /* the last overlong of four */
    "\xED\xA0\x80",         /* the first surrogate */
    "\xED\xBF\xBF",         /* the last one */
    "\xF4\x90\x80\x80",     /* U+110000 */
    "\xF5\x80\x80\x80",     /* no such lead */
    "\xF8\x88\x80\x80\x80", /* five octets */
    "\xFE",                 /* never */
    "\xFF",                 /* never */
    "\xC3",                 /* cut */
    "\xE2\x82",             /* cut */
    "\xF0\x9F\x98",         /* cut */
    "\xC3(",                /* lead without continuation */
    "\xE2\x82(",            /* the same, later */
    "\xF0\x9F\x98(",        /* the same, at the end */
};

static void bad_utf8_in_the_local_part_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_utf8); i++) {
        char text[64];
        snprintf(text, sizeof(text), "a%s@example.org", bad_utf8[i]);
        assert_fault(text, strlen(text), true, ADDRESS_BAD_UTF8);
        snprintf(text, sizeof(text), "\"a%s\"@example.org", bad_utf8[i]);
        assert_fault(text, strlen(text), true, ADDRESS_BAD_UTF8);
    }
}

static void bad_utf8_in_the_domain_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_utf8); i++) {
        char text[64];
        snprintf(text, sizeof(text), "a@b%s.example", bad_utf8[i]);
        assert_fault(text, strlen(text), true, ADDRESS_BAD_UTF8);
        snprintf(text, sizeof(text), "a@example.%s", bad_utf8[i]);
        assert_fault(text, strlen(text), false, ADDRESS_BAD_UTF8);
    }
}

static void utf8_cut_by_the_end_of_input_is_not_read_past(void **state)
{
    (void)state;
    assert_fault("\xC3", 1, true, ADDRESS_NO_DOMAIN);
    assert_fault("\xF0\x9F\x98", 3, true, ADDRESS_NO_DOMAIN);
    assert_fault("\"\xE2\x82", 3, true, ADDRESS_BAD_QUOTE);
    assert_fault("\xE2@a", 3, true, ADDRESS_BAD_UTF8);
    assert_fault("a@\xC3", 3, true, ADDRESS_BAD_UTF8);
}

static void quoted_pair_of_an_8bit_octet_is_odd(void **state)
{
    static const struct fault_row rows[] = {{"\"\\ö\"@example.org", ADDRESS_ODD_LOCAL}};
    (void)state;
    check_faults(rows, COUNT(rows), true);
}

/* --- control characters --------------------------------------------------------------------------
 */

static void control_characters_are_refused_wherever_they_stand(void **state)
{
    static const char *const carriers[] = {
        "us?er@example.org", "\"us?er\"@example.org", "\"us\\?er\"@example.org",
        "user@exam?ple.org", "user@[192.0.?2.1]",     "<user@example.org>?",
        "?user@example.org", "user@example.org?",     "@route?.example:user@example.org",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(carriers); i++) {
        for (int c = 0; c < 0x80; c++) {
            char text[64];
            const size_t len = strlen(carriers[i]);
            if (c == ' ')
                c = 0x7F;
            memcpy(text, carriers[i], len);
            *(char *)memchr(text, '?', len) = (char)c;
            assert_fault(text, len, true, ADDRESS_CONTROL);
        }
    }
}

static void c1_controls_in_utf8_are_refused(void **state)
{
    (void)state;
    for (int c = 0x80; c <= 0x9F; c++) {
        char text[] = "us??er@example.org";
        text[2] = (char)0xC2;
        text[3] = (char)c;
        assert_fault(text, strlen(text), true, ADDRESS_CONTROL);
        char in_domain[] = "user@ex??mple.org";
        in_domain[7] = (char)0xC2;
        in_domain[8] = (char)c;
        assert_fault(in_domain, strlen(in_domain), true, ADDRESS_CONTROL);
    }
}

static void injected_command_is_refused(void **state)
{
    static const char smuggled[] = "<user@example.org>\r\nRCPT TO:<other@example.org>";
    (void)state;
    assert_fault(smuggled, sizeof(smuggled) - 1, true, ADDRESS_CONTROL);
}

static void text_behind_a_nul_is_not_ignored(void **state)
{
    static const char text[] = "user@example.org\0.evil.example";
    (void)state;
    assert_fault(text, sizeof(text) - 1, true, ADDRESS_CONTROL);
}

/* --- domain --------------------------------------------------------------------------------------
 */

static void domain_is_folded_and_loses_its_trailing_dot(void **state)
{
    static const struct key_row rows[] = {
        {"u@EXAMPLE.ORG", "u@example.org", NULL},
        {"u@Example.Org.", "u@example.org", NULL},
        {"u@xn--BCHER-KVA.Example", "u@xn--bcher-kva.example", NULL},
        {"u@3com.example", "u@3com.example", NULL},
        {"u@r3---sn.example", "u@r3---sn.example", NULL},
        {"u@a-b--c.example", "u@a-b--c.example", NULL},
        {"u@1.2.3", "u@1.2.3", NULL},
    };
    (void)state;
    KEYS(rows);
}

static void underscore_in_a_domain_is_let_pass(void **state)
{
    static const struct key_row rows[] = {
        {"u@foo_bar.example", "u@foo_bar.example", NULL},
        {"u@_foo.example", "u@_foo.example", NULL},
        {"u@foo_bar.bücher.example", "u@foo_bar.xn--bcher-kva.example", NULL},
    };
    (void)state;
    KEYS(rows);
}

static void what_is_no_host_name_is_refused(void **state)
{
    static const struct fault_row rows[] = {
        {"u@.", ADDRESS_BAD_DOMAIN},
        {"u@..", ADDRESS_BAD_DOMAIN},
        {"u@.example.org", ADDRESS_BAD_DOMAIN},
        {"u@example..org", ADDRESS_BAD_DOMAIN},
        {"u@example.org..", ADDRESS_BAD_DOMAIN},
        {"u@-example.org", ADDRESS_BAD_DOMAIN},
        {"u@example-.org", ADDRESS_BAD_DOMAIN},
        {"u@example.org-", ADDRESS_BAD_DOMAIN},
        {"u@xn--.example", ADDRESS_BAD_DOMAIN},
        {"u@exam ple.org", ADDRESS_BAD_DOMAIN},
        {"u@ example.org", ADDRESS_BAD_DOMAIN},
        {"u@exam/ple.org", ADDRESS_BAD_DOMAIN},
        {"u@example.org:25", ADDRESS_BAD_DOMAIN},
        {"u@example.org,v", ADDRESS_BAD_DOMAIN},
        {"u@*.example.org", ADDRESS_BAD_DOMAIN},
        {"u@exa\"mple.org", ADDRESS_BAD_DOMAIN},
        {"u@(comment)example.org", ADDRESS_BAD_DOMAIN},
        {"u@::1", ADDRESS_BAD_DOMAIN},
    };
    (void)state;
    FAULTS(rows);
}

static void labels_have_63_octets_and_domains_what_a_path_has_room_for(void **state)
{
    static const struct fault_row rows[] = {
        {"u@" LABEL63 "a.example", ADDRESS_DOMAIN_TOO_LONG},
        {"u@" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ".a", ADDRESS_DOMAIN_TOO_LONG},
        {"u@" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ".a.", ADDRESS_DOMAIN_TOO_LONG},
        {"u@" LABEL63 "." LABEL63 "." LABEL63 "." SIXTY "a", ADDRESS_TOO_LONG},
    };
    static const struct key_row fits[] = {
        {"u@" LABEL63 ".example", "u@" LABEL63 ".example", NULL},
        {"u@" LABEL63 "." LABEL63 "." LABEL63 "." SIXTY,
         "u@" LABEL63 "." LABEL63 "." LABEL63 "." SIXTY, NULL},
        {"u@" LABEL63 "." LABEL63 "." LABEL63 "." SIXTY ".",
         "u@" LABEL63 "." LABEL63 "." LABEL63 "." SIXTY, NULL},
    };
    (void)state;
    FAULTS(rows);
    KEYS(fits);
}

static void u_labels_and_a_labels_give_one_key(void **state)
{
    static const struct key_row rows[] = {
        {"u@bücher.example", "u@xn--bcher-kva.example", NULL},
        {"u@BÜCHER.Example", "u@xn--bcher-kva.example", NULL},
        {"u@bu\u0308cher.example.", "u@xn--bcher-kva.example", NULL}, /* not in NFC */
        {"u@xn--bcher-kva.example", "u@xn--bcher-kva.example", NULL},
        {"u@XN--BCHER-KVA.example", "u@xn--bcher-kva.example", NULL},
        {"u@bücher\u3002example", "u@xn--bcher-kva.example", NULL}, /* U+3002 */
        {"u@bücher.example\u3002", "u@xn--bcher-kva.example", NULL},
        {"u@faß.example", "u@xn--fa-hia.example", NULL}, /* non-transitional */
        {"u@ａｂ.example", "u@ab.example", NULL},        /* full width */
    };
    (void)state;
    KEYS(rows);
}

static void domain_in_utf8_is_read_where_smtputf8_is_off(void **state)
{
    struct address address;
    (void)state;
    assert_int_equal(parse("u@bücher.example", false, &address), ADDRESS_OK);
    assert_string_equal(address.domain, "xn--bcher-kva.example");
}

static void a_label_that_idna_would_not_make_is_for_dns_to_judge(void **state)
{
    static const struct key_row rows[] = {
        {"u@xn--i-7iq.example", "u@xn--i-7iq.example", NULL}, /* an emoji: such domains get mail */
        {"u@xn--zzzz.example", "u@xn--zzzz.example", NULL},
    };
    (void)state;
    KEYS(rows);
}

static void invalid_u_labels_are_refused(void **state)
{
    static const struct fault_row rows[] = {
        {"u@\U0001F600.example", ADDRESS_BAD_IDN}, /* emoji */
        {"u@-bü.example", ADDRESS_BAD_IDN},        /* hyphen at the start */
        {"u@bü-.example", ADDRESS_BAD_IDN},        /* and at the end */
        {"u@bü\u200D.example", ADDRESS_BAD_IDN},   /* joiner out of context */
        {"u@b\u202E.example", ADDRESS_BAD_IDN},    /* right-to-left override */
    };
    (void)state;
    FAULTS(rows);
}

static void mapping_cannot_smuggle_ascii_into_a_host_name(void **state)
{
    static const char *const texts[] = {
        "u@b＠c.example",     /* full-width @ */
        "u@b／c.example",     /* full-width / */
        "u@b＞c.example",     /* full-width > */
        "u@b［c.example",     /* full-width [ */
        "u@b\u3000c.example", /* ideographic space */
        "u@b\u00A0c.example", /* no-break space */
        "u@bü%c.example",     /* beside a U-label */
        "u@\u00AD.example",   /* soft hyphen: mapped to nothing */
        "u@\u3002.example",   /* only dots */
        "u@bü..example",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address address;
        const enum address_fault fault = parse(texts[i], true, &address);
        assert_true(fault == ADDRESS_BAD_IDN || fault == ADDRESS_BAD_DOMAIN);
        assert_true(is_zeroed(&address));
    }
}

static void u_label_longer_than_255_octets_may_be_short_enough_in_ascii(void **state)
{
    char text[600] = "u@";
    size_t len = 2;
    struct address address;
    (void)state;
    for (int i = 0; i < 120; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "中%s", i % 40 == 39 ? "." : "");
    len += (size_t)snprintf(text + len, sizeof(text) - len, "example");
    assert_true(len > 2 + RB_DOMAIN_MAX);
    assert_int_equal(parse(text, false, &address), ADDRESS_OK);
    assert_true(strlen(address.domain) <= RB_DOMAIN_MAX);
}

static void too_many_u_labels_are_too_long(void **state)
{
    char text[600] = "u@";
    size_t len = 2;
    (void)state;
    for (int i = 0; i < 90; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "ü.");
    assert_fault(text, len, false, ADDRESS_DOMAIN_TOO_LONG);
}

/* --- literals ------------------------------------------------------------------------------------
 */

static void address_literals_are_normalised(void **state)
{
    static const struct key_row rows[] = {
        {"u@[192.0.2.1]", "u@[192.0.2.1]", NULL},
        {"<u@[192.0.2.1]>", "u@[192.0.2.1]", NULL},
        {"u@[IPv6:2001:db8::1]", "u@[IPv6:2001:db8::1]", NULL},
        {"u@[IPv6:2001:DB8:0:0:0:0:0:1]", "u@[IPv6:2001:db8::1]", NULL},
        {"u@[ipv6:2001:0db8:0000:0000:0000:0000:0000:0001]", "u@[IPv6:2001:db8::1]", NULL},
        {"u@[IPV6:::]", "u@[IPv6:::]", NULL},
        {"u@[IPv6:::ffff:192.0.2.1]", "u@[IPv6:::ffff:192.0.2.1]", NULL},
        {"u@[IPv6:::FFFF:c000:201]", "u@[IPv6:::ffff:192.0.2.1]", NULL},
    };
    (void)state;
    KEYS(rows);
}

static void literal_is_marked_as_one(void **state)
{
    struct address address;
    (void)state;
    assert_int_equal(parse("u@[192.0.2.1]", false, &address), ADDRESS_OK);
    assert_true(address.is_literal);
    assert_int_equal(parse("u@example.org", false, &address), ADDRESS_OK);
    assert_false(address.is_literal);
}

static void bad_literals_are_refused(void **state)
{
    static const struct fault_row rows[] = {
        {"u@[", ADDRESS_BAD_LITERAL},
        {"u@[]", ADDRESS_BAD_LITERAL},
        {"u@[192.0.2.1", ADDRESS_BAD_LITERAL},
        {"u@[192.0.2.1].", ADDRESS_BAD_LITERAL},
        {"u@[192.0.2.1].example", ADDRESS_BAD_LITERAL},
        {"u@[192.0.2]", ADDRESS_BAD_LITERAL},
        {"u@[192.0.2.256]", ADDRESS_BAD_LITERAL},
        {"u@[192.0.2.01]", ADDRESS_BAD_LITERAL},
        {"u@[0x7f.1]", ADDRESS_BAD_LITERAL},
        {"u@[ 192.0.2.1]", ADDRESS_BAD_LITERAL},
        {"u@[::1]", ADDRESS_BAD_LITERAL},
        {"u@[2001:db8::1]", ADDRESS_BAD_LITERAL},
        {"u@[IPv6:]", ADDRESS_BAD_LITERAL},
        {"u@[IPv6:192.0.2.1]", ADDRESS_BAD_LITERAL},
        {"u@[IPv6:2001:db8::1%eth0]", ADDRESS_BAD_LITERAL},
        {"u@[IPv6:2001:db8::1::2]", ADDRESS_BAD_LITERAL},
        {"u@[tag:content]", ADDRESS_BAD_LITERAL},
        {"u@[" SIXTY "]", ADDRESS_BAD_LITERAL},
        {"u@[[192.0.2.1]]", ADDRESS_BAD_LITERAL},
        {"u@[ü]", ADDRESS_BAD_LITERAL},
    };
    (void)state;
    FAULTS(rows);
}

/* --- source routes -------------------------------------------------------------------------------
 */

static void source_route_is_dropped(void **state)
{
    static const struct key_row rows[] = {
        {"@a.example:user@c.example", "user@c.example", NULL},
        {"<@a.example,@b.example:user@c.example>", "user@c.example", NULL},
        {"@A.Example.,@b_c.example:\"a:b\"@c.example", "a:b@c.example", "\"a:b\"@c.example"},
        {"@bücher.example:user@c.example", "user@c.example", NULL},
    };
    (void)state;
    KEYS(rows);
}

/* RFC 5321 appendix C: ignored. Old clients put address literals there. */
static void what_a_source_route_holds_is_not_looked_at(void **state)
{
    static const struct key_row rows[] = {
        {"@:user@c", "user@c", NULL},
        {"@a,b:user@c", "user@c", NULL},
        {"@a,,@b:user@c", "user@c", NULL},
        {"@-a b\":user@c", "user@c", NULL},
        {"@[192.0.2.1]:user@c", "user@c", NULL},
        {"@[IPv6:2001:db8::1],@b:user@c", "user@c", NULL},
    };
    static const struct fault_row faults[] = {
        {"@a:", ADDRESS_EMPTY_LOCAL},        {"@a,@b", ADDRESS_EMPTY_LOCAL},
        {"<@a,@b:>", ADDRESS_EMPTY_LOCAL},   {"@a:@b:user@c", ADDRESS_EMPTY_LOCAL},
        {"@[a:user@c", ADDRESS_EMPTY_LOCAL}, {"@a:user", ADDRESS_NO_DOMAIN},
        {"@a:us er@c", ADDRESS_ODD_LOCAL},
    };
    (void)state;
    KEYS(rows);
    FAULTS(faults);
}

/* --- hostile input -------------------------------------------------------------------------------
 */

static const size_t hostile_lengths[] = {2000, 100000};

/* Without a NUL behind it. */
static void put(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
}

/* len octets of the same character between a head and a tail. */
static void assert_flood(const char *head, char c, const char *tail, enum address_fault want)
{
    for (size_t i = 0; i < COUNT(hostile_lengths); i++) {
        const size_t tail_len = strlen(tail);
        const size_t len = hostile_lengths[i];
        char *text = malloc(len);
        assert_non_null(text);
        memset(text, c, len);
        put(text, head);
        put(text + len - tail_len, tail);
        assert_fault(text, len, true, want);
        free(text);
    }
}

static void floods_of_one_character_are_refused(void **state)
{
    static const struct {
        const char *head, *tail;
        char c;
        enum address_fault fault;
    } rows[] = {
        {"", "@example.org", 'a', ADDRESS_TOO_LONG},
        {"", "", 'a', ADDRESS_TOO_LONG},
        {"<", "@example.org>", 'a', ADDRESS_TOO_LONG},
        {"\"", "\"@example.org", 'a', ADDRESS_TOO_LONG},
        {"\"", "\"@example.org", '\\', ADDRESS_TOO_LONG},
        {"\"", "", ' ', ADDRESS_BAD_QUOTE},
        {"u@", "", 'a', ADDRESS_DOMAIN_TOO_LONG},
        {"u@", "", '.', ADDRESS_DOMAIN_TOO_LONG},
        {"u@", "", '-', ADDRESS_DOMAIN_TOO_LONG},
        {"u@[", "]", '1', ADDRESS_BAD_LITERAL},
        {"u@[IPv6:", "]", ':', ADDRESS_BAD_LITERAL},
        {"u@", "", '[', ADDRESS_BAD_LITERAL},
        {"", "", '@', ADDRESS_EMPTY_LOCAL},
        {"", ">", '<', ADDRESS_TOO_LONG},
        {"", "", '<', ADDRESS_BAD_BRACKET},
        {"", "", '>', ADDRESS_TOO_LONG},
        {"@", "", 'a', ADDRESS_EMPTY_LOCAL},
        {"@", ":u", 'a', ADDRESS_NO_DOMAIN},
        {"@a", ":u", '[', ADDRESS_EMPTY_LOCAL},
        {"", "", '.', ADDRESS_TOO_LONG},
        {"", "", ':', ADDRESS_TOO_LONG},
        {"", "", ' ', ADDRESS_NO_DOMAIN},
        {"<", ">", ' ', ADDRESS_NO_DOMAIN},
        {"", "", '\0', ADDRESS_CONTROL},
        {"u@example.org", "", '\0', ADDRESS_CONTROL},
        {"", "", '\xFF', ADDRESS_TOO_LONG},
        {"u@", "", '\xC3', ADDRESS_DOMAIN_TOO_LONG},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_flood(rows[i].head, rows[i].c, rows[i].tail, rows[i].fault);
}

static void every_prefix_of_an_address_is_read_without_harm(void **state)
{
    static const char *const texts[] = {
        "<@a.example,@b.example:\"a\\\"b ö\"@bücher.example>",
        "jörg.x@[IPv6:2001:db8::1]",
        "<\"\\\\\"@中.example.>",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct address address;
        for (size_t len = 0; len < strlen(texts[i]); len++) {
            const enum address_fault fault = parse_octets(texts[i], len, true, &address);
            assert_true(fault == ADDRESS_OK || is_zeroed(&address));
        }
        assert_int_equal(parse(texts[i], true, &address), ADDRESS_OK);
    }
}

static unsigned next_random(unsigned *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* What is true of everything that was accepted. */
static void assert_sound(const struct address *address)
{
    struct address again;
    char text[ADDRESS_TEXT_SIZE];
    char key[RB_ADDRESS_MAX + 1];
    char key_again[RB_ADDRESS_MAX + 1];
    char domain[RB_DOMAIN_MAX + 1];

    assert_int_equal(address_format(address, text, sizeof(text)), RB_OK);
    assert_int_equal(address_key(address, key, sizeof(key)), RB_OK);
    assert_true(text_is_clean(text, strlen(text)));
    assert_true(text_is_clean(key, strlen(key)));
    assert_int_equal(parse(text, true, &again), ADDRESS_OK);
    assert_int_equal(address_key(&again, key_again, sizeof(key_again)), RB_OK);
    assert_string_equal(key, key_again);
    assert_int_equal(address->needs_utf8, again.needs_utf8);
    assert_int_equal(address->is_literal, again.is_literal);
    if (!address->is_literal) {
        assert_int_equal(address_domain(address->domain, strlen(address->domain), domain),
                         ADDRESS_OK);
        assert_string_equal(domain, address->domain);
    }
}

static void mutated_addresses_survive_a_round_trip_or_are_refused(void **state)
{
    static const char *const seeds[] = {
        "user@example.org",
        "<@a.example,@b.example:\"a\\\"b\"@c.example>",
        "u@[IPv6:2001:db8::1]",
        "jörg@bücher.example",
        "\"a b\"@xn--bcher-kva.example.",
        "<>",
    };
    static const char spice[] = "<>@\"\\.:,[]- _ü\u3002\U0001F600aZ0\0\r\n\x7F";
    const char *wish = getenv("RB_TEST_SEED");
    unsigned seed = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : (unsigned)time(NULL) | 1;
    unsigned accepted = 0;
    (void)state;
    print_message("# RB_TEST_SEED=%u\n", seed);
    for (int round = 0; round < 20000; round++) {
        char text[128];
        struct address address;
        const char *from = seeds[next_random(&seed) % COUNT(seeds)];
        const size_t len = strlen(from);
        put(text, from);
        for (unsigned n = next_random(&seed) % 4; n > 0; n--)
            text[next_random(&seed) % len] = spice[next_random(&seed) % (sizeof(spice) - 1)];
        if (parse_octets(text, len, true, &address) == ADDRESS_OK) {
            assert_sound(&address);
            accepted++;
        } else {
            assert_true(is_zeroed(&address));
        }
    }
    assert_true(accepted > 1000);
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void format_refuses_to_cut(void **state)
{
    struct address address;
    char text[sizeof("\"a b\"@example.org")];
    (void)state;
    assert_int_equal(parse("\"a b\"@example.org", false, &address), ADDRESS_OK);
    assert_int_equal(address_format(&address, text, sizeof(text)), RB_OK);
    assert_int_equal(address_format(&address, text, sizeof(text) - 1), RB_ERR_TOO_LONG);
    assert_string_equal(text, "");
    assert_int_equal(address_format(&address, text, 0), RB_ERR_TOO_LONG);
}

static void key_refuses_to_cut(void **state)
{
    struct address address;
    char key[sizeof("a b@example.org")];
    (void)state;
    assert_int_equal(parse("\"a b\"@example.org", false, &address), ADDRESS_OK);
    assert_int_equal(address_key(&address, key, sizeof(key)), RB_OK);
    assert_int_equal(address_key(&address, key, sizeof(key) - 1), RB_ERR_TOO_LONG);
    assert_string_equal(key, "");
}

static void what_was_not_parsed_is_not_cut_either(void **state)
{
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    char key[RB_ADDRESS_MAX + 1];
    (void)state;
    memset(&address, 0, sizeof(address));
    memset(address.local, '"', ADDRESS_LOCAL_MAX);
    memset(address.domain, 'a', RB_DOMAIN_MAX);
    assert_int_equal(address_format(&address, text, sizeof(text)), RB_ERR_TOO_LONG);
    assert_string_equal(text, "");
    assert_int_equal(address_key(&address, key, sizeof(key)), RB_ERR_TOO_LONG);
    assert_string_equal(key, "");
}

static void a_key_stands_for_one_address_or_none(void **state)
{
    static const char *const keys[] = {"a@b.example",   "a..b@c.example", "@b.example",
                                       "a@b@c.example", "jörg@b.example", "u@[192.0.2.1]"};
    char text[ADDRESS_TEXT_SIZE], again[RB_ADDRESS_MAX + 1], quotes[RB_ADDRESS_MAX + 1];
    struct address address;
    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_true(address_from_key(keys[i], &address));
        assert_sound(&address);
        assert_int_equal(address_key(&address, again, sizeof again), RB_OK);
        assert_string_equal(again, keys[i]);
        assert_int_equal(address_format(&address, text, sizeof text), RB_OK);
    }
    assert_false(address_from_key("a", &address));
    assert_false(address_from_key("a@", &address));
    memset(quotes, '"', sizeof quotes); /* each would be written as two */
    (void)snprintf(quotes + 126, sizeof quotes - 126, "@b.example");
    assert_false(address_from_key(quotes, &address));
}

static void only_what_can_be_nobodys_mailbox_is_none(void **state)
{
    static const enum address_fault none[] = {
        ADDRESS_EMPTY_LOCAL, ADDRESS_NO_DOMAIN, ADDRESS_BAD_QUOTE,       ADDRESS_BAD_DOMAIN,
        ADDRESS_BAD_LITERAL, ADDRESS_TOO_LONG,  ADDRESS_DOMAIN_TOO_LONG, ADDRESS_CONTROL};
    unsigned count = 0;
    (void)state;
    for (int fault = ADDRESS_OK; fault <= ADDRESS_NOMEM; fault++)
        count += address_is_no_mailbox((enum address_fault)fault);
    assert_int_equal(count, COUNT(none));
    for (size_t i = 0; i < COUNT(none); i++)
        assert_true(address_is_no_mailbox(none[i]));
}

static void zeroed_address_is_written_as_nothing(void **state)
{
    struct address address = {.is_literal = false};
    char text[8] = "x";
    (void)state;
    assert_int_equal(address_format(&address, text, sizeof(text)), RB_OK);
    assert_string_equal(text, "");
    text[0] = 'x';
    assert_int_equal(address_key(&address, text, sizeof(text)), RB_OK);
    assert_string_equal(text, "");
}

/* --- the domain alone ----------------------------------------------------------------------------
 */

static void domain_alone_is_made_canonical(void **state)
{
    static const struct {
        const char *text, *domain;
    } rows[] = {
        {"Example.Org.", "example.org"},
        {"bücher.example", "xn--bcher-kva.example"},
        {"mx_1.example", "mx_1.example"},
        {"localhost", "localhost"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char domain[RB_DOMAIN_MAX + 1];
        assert_int_equal(address_domain(rows[i].text, strlen(rows[i].text), domain), ADDRESS_OK);
        assert_string_equal(domain, rows[i].domain);
    }
}

static void domain_alone_is_refused_by_what_is_wrong(void **state)
{
    static const struct fault_row rows[] = {
        {"", ADDRESS_NO_DOMAIN},
        {".", ADDRESS_BAD_DOMAIN},
        {"a b", ADDRESS_BAD_DOMAIN},
        {"[192.0.2.1]", ADDRESS_BAD_DOMAIN},
        {"user@example.org", ADDRESS_BAD_DOMAIN},
        {"a\nb", ADDRESS_CONTROL},
        {"a\302\205b", ADDRESS_CONTROL},
        {"a\xFF", ADDRESS_BAD_UTF8},
        {"\U0001F600.example", ADDRESS_BAD_IDN},
        {LABEL63 "a", ADDRESS_DOMAIN_TOO_LONG},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char domain[RB_DOMAIN_MAX + 1] = "left over";
        assert_int_equal(address_domain(rows[i].text, strlen(rows[i].text), domain), rows[i].fault);
        assert_string_equal(domain, "");
    }
}

static void domain_is_read_to_its_length_and_no_further(void **state)
{
    char domain[RB_DOMAIN_MAX + 1];
    (void)state;
    assert_int_equal(address_domain("example.org/rest", 11, domain), ADDRESS_OK);
    assert_string_equal(domain, "example.org");
}

static void every_fault_has_words_of_its_own(void **state)
{
    (void)state;
    for (int a = ADDRESS_OK; a <= ADDRESS_NOMEM; a++) {
        const char *text = address_fault_text((enum address_fault)a);
        assert_in_range(strlen(text), 2, RB_RULE_MAX);
        for (int b = ADDRESS_OK; b < a; b++)
            assert_string_not_equal(text, address_fault_text((enum address_fault)b));
    }
    assert_string_equal(address_fault_text((enum address_fault)(ADDRESS_NOMEM + 1)), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_mailboxes_are_read),
        cmocka_unit_test(null_sender_is_told_from_a_fault),
        cmocka_unit_test(null_sender_without_memory_behind_it_is_fine),
        cmocka_unit_test(something_missing_is_named),
        cmocka_unit_test(brackets_must_enclose_the_whole),
        cmocka_unit_test(odd_dots_are_read_and_written_in_quotes),
        cmocka_unit_test(quoted_strings_may_stand_between_dots),
        cmocka_unit_test(what_mtas_read_each_in_its_own_way_is_odd),
        cmocka_unit_test(what_is_no_mailbox_at_all_is_said_before_what_is_odd),
        cmocka_unit_test(blanks_within_the_brackets_are_none_of_it),
        cmocka_unit_test(case_of_the_local_part_is_kept),
        cmocka_unit_test(local_part_may_be_as_long_as_a_path_has_room_for),
        cmocka_unit_test(what_is_too_long_only_when_written_in_full_cannot_be_asked_about),
        cmocka_unit_test(quoted_local_parts_are_unquoted_in_the_key),
        cmocka_unit_test(one_mailbox_has_one_key_however_quoted),
        cmocka_unit_test(empty_quoted_string_is_a_mailbox),
        cmocka_unit_test(broken_quotes_are_refused),
        cmocka_unit_test(utf8_local_part_is_read_where_smtputf8_is_on),
        cmocka_unit_test(needs_utf8_is_about_the_local_part_only),
        cmocka_unit_test(eight_bit_local_part_is_refused_where_smtputf8_is_off),
        cmocka_unit_test(utf8_character_is_never_cut_at_the_ceiling),
        cmocka_unit_test(bad_utf8_in_the_local_part_is_refused),
        cmocka_unit_test(bad_utf8_in_the_domain_is_refused),
        cmocka_unit_test(utf8_cut_by_the_end_of_input_is_not_read_past),
        cmocka_unit_test(quoted_pair_of_an_8bit_octet_is_odd),
        cmocka_unit_test(control_characters_are_refused_wherever_they_stand),
        cmocka_unit_test(c1_controls_in_utf8_are_refused),
        cmocka_unit_test(injected_command_is_refused),
        cmocka_unit_test(text_behind_a_nul_is_not_ignored),
        cmocka_unit_test(domain_is_folded_and_loses_its_trailing_dot),
        cmocka_unit_test(underscore_in_a_domain_is_let_pass),
        cmocka_unit_test(what_is_no_host_name_is_refused),
        cmocka_unit_test(labels_have_63_octets_and_domains_what_a_path_has_room_for),
        cmocka_unit_test(u_labels_and_a_labels_give_one_key),
        cmocka_unit_test(domain_in_utf8_is_read_where_smtputf8_is_off),
        cmocka_unit_test(a_label_that_idna_would_not_make_is_for_dns_to_judge),
        cmocka_unit_test(invalid_u_labels_are_refused),
        cmocka_unit_test(mapping_cannot_smuggle_ascii_into_a_host_name),
        cmocka_unit_test(u_label_longer_than_255_octets_may_be_short_enough_in_ascii),
        cmocka_unit_test(too_many_u_labels_are_too_long),
        cmocka_unit_test(address_literals_are_normalised),
        cmocka_unit_test(literal_is_marked_as_one),
        cmocka_unit_test(bad_literals_are_refused),
        cmocka_unit_test(source_route_is_dropped),
        cmocka_unit_test(what_a_source_route_holds_is_not_looked_at),
        cmocka_unit_test(floods_of_one_character_are_refused),
        cmocka_unit_test(every_prefix_of_an_address_is_read_without_harm),
        cmocka_unit_test(mutated_addresses_survive_a_round_trip_or_are_refused),
        cmocka_unit_test(format_refuses_to_cut),
        cmocka_unit_test(key_refuses_to_cut),
        cmocka_unit_test(what_was_not_parsed_is_not_cut_either),
        cmocka_unit_test(a_key_stands_for_one_address_or_none),
        cmocka_unit_test(only_what_can_be_nobodys_mailbox_is_none),
        cmocka_unit_test(zeroed_address_is_written_as_nothing),
        cmocka_unit_test(domain_alone_is_made_canonical),
        cmocka_unit_test(domain_alone_is_refused_by_what_is_wrong),
        cmocka_unit_test(domain_is_read_to_its_length_and_no_further),
        cmocka_unit_test(every_fault_has_words_of_its_own),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
