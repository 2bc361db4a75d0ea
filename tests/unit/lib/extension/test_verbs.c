/* SPDX-License-Identifier: BSD-2-Clause */
/* test_verbs: what is said, and what is made of lines and replies, good, odd and hostile. */
#include "config.h"

#include "check.h"
#include "dice.h"
#include "extension/verbs.h"

#include <stdio.h>

enum { HUGE_LEN = 1 << 20, RANDOM_ROUNDS = 20000 };

static struct sockaddr_storage address(const char *text, uint16_t port)
{
    struct sockaddr_storage address;

    assert_true(ip_sockaddr_parse(text, &address));
    ip_sockaddr_set_port(&address, port);
    return address;
}

static void assert_same(const struct verbs_ayttm *a, const struct verbs_ayttm *b)
{
    assert_int_equal(a->sport, b->sport);
    assert_int_equal(a->dport, b->dport);
    assert_int_equal(a->has_addr, b->has_addr);
    assert_true(!a->has_addr || ip_is_same(&a->addr, &b->addr));
}

/* --- What is said -------------------------------------------------------------- */

static void a_question_says_what_is_known(void **state)
{
    static const struct {
        const char *client;
        unsigned sport;
        const char *reached;
        unsigned dport;
        const char *line;
    } cases[] = {
        {"192.0.2.1", 54321, "10.9.0.2", 25, "AYTTM-54321-25-0a090002"},
        {"192.0.2.1", 1, "255.255.255.255", 65535, "AYTTM-1-65535-ffffffff"},
        {"2001:db8::1", 65535, "2001:db8::19", 65535,
         "AYTTM-65535-65535-20010db8000000000000000000000019"},
        {"::ffff:192.0.2.1", 54321, "::ffff:10.9.0.2", 25, "AYTTM-54321-25-0a090002"},
        {"192.0.2.1", 54321, "0.0.0.0", 25, "AYTTM-54321-25"},
        {"2001:db8::1", 54321, "::", 25, "AYTTM-54321-25"},
        {"192.0.2.1", 0, "10.9.0.2", 25, "AYTTM"},
        {"192.0.2.1", 54321, "10.9.0.2", 0, "AYTTM"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct sockaddr_storage client = address(cases[i].client, (uint16_t)cases[i].sport);
        const struct sockaddr_storage reached = address(cases[i].reached, (uint16_t)cases[i].dport);
        const struct verbs_ayttm question =
            verbs_ayttm_about((const struct sockaddr *)&client, (const struct sockaddr *)&reached);
        char line[VERBS_AYTTM_MAX + 1];

        assert_int_equal(verbs_ayttm_write(&question, line), strlen(cases[i].line));
        assert_string_equal(line, cases[i].line);
    }
}

static void without_addresses_the_verb_stands_alone(void **state)
{
    const struct sockaddr_storage known = address("192.0.2.1", 25);
    const struct sockaddr local = {.sa_family = AF_UNIX};
    const struct sockaddr *const some[] = {NULL, &local, (const struct sockaddr *)&known};
    char line[VERBS_AYTTM_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(some); i++) {
        for (size_t j = 0; j < COUNT(some); j++) {
            const struct verbs_ayttm question = verbs_ayttm_about(some[i], some[j]);

            if (i == 2 && j == 2)
                continue;
            (void)verbs_ayttm_write(&question, line);
            assert_string_equal(line, "AYTTM");
        }
    }
}

static void what_is_said_can_be_read(void **state)
{
    uint64_t dice = dice_seed();

    (void)state;
    for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
        struct verbs_ayttm question = {.sport = (uint16_t)(dice_throw(&dice) % 65536),
                                       .dport = (uint16_t)(1 + dice_throw(&dice) % 65535),
                                       .has_addr = dice_throw(&dice) % 3 != 0};
        struct verbs_ayttm read;
        char line[VERBS_AYTTM_MAX + 1];
        struct span args;

        for (size_t octet = 0; octet < IP_LEN; octet++)
            question.addr.octets[octet] = (uint8_t)dice_throw(&dice);
        if (dice_throw(&dice) % 2 == 0)
            question.addr = ip_from_v4(question.addr.octets);
        assert_true(verbs_ayttm_write(&question, line) <= VERBS_AYTTM_MAX);
        assert_int_equal(verbs_command_read(span_of(line), &args), VERBS_AYTTM);
        assert_true(verbs_ayttm_read(args, &read));
        assert_same(&question, &read);
    }
}

/* --- What is read --------------------------------------------------------------- */

static void verbs_are_told_apart(void **state)
{
    static const struct {
        const char *line;
        enum verbs_verb verb;
        const char *args;
    } cases[] = {
        {"AYTTM", VERBS_AYTTM, ""},
        {"ayttm", VERBS_AYTTM, ""},
        {"AyTtM-1-2", VERBS_AYTTM, "-1-2"},
        {"AYTTM 1 2", VERBS_AYTTM, " 1 2"},
        {"AYTTM\t1", VERBS_AYTTM, "\t1"},
        {"  AYTTM-1-2 \r\n", VERBS_AYTTM, "-1-2"},
        {"AYTTM \t ", VERBS_AYTTM, ""},
        {"AYTTM-", VERBS_AYTTM, "-"},
        {"SOURCE", VERBS_SOURCE, ""},
        {"source-00abc", VERBS_SOURCE, "-00abc"},
        {"HOSTKEY", VERBS_HOSTKEY, ""},
        {"HostKey x", VERBS_HOSTKEY, " x"},
        {"", VERBS_OTHER, ""},
        {"-", VERBS_OTHER, "-"},
        {" ", VERBS_OTHER, ""},
        {"AYTT", VERBS_OTHER, ""},
        {"AYTTMX", VERBS_OTHER, ""},
        {"AYTTM:1", VERBS_OTHER, ""},
        {"AYTTM.1", VERBS_OTHER, ""},
        {"XAYTTM-1-2", VERBS_OTHER, "-1-2"},
        {"\xc1YTTM", VERBS_OTHER, ""},
        {"GET 00", VERBS_OTHER, " 00"},
        {"SOURCEHOSTKEY", VERBS_OTHER, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span args;

        if (verbs_command_read(span_of(cases[i].line), &args) != cases[i].verb)
            fail_msg("%s", cases[i].line);
        if (!span_is(args, cases[i].args))
            fail_msg("%s: \"%.*s\"", cases[i].line, (int)args.len, args.at);
    }
}

static void a_nul_is_in_no_verb(void **state)
{
    static const char lines[][7] = {"AYTTM\0", "AYT\0TM", "\0AYTTM"};
    struct span args;

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++)
        assert_int_equal(verbs_command_read((struct span){lines[i], 6}, &args), VERBS_OTHER);
}

static void arguments_are_read(void **state)
{
    static const struct {
        const char *args;
        uint16_t sport, dport;
        const char *addr; /* NULL: none */
    } cases[] = {
        {"", 0, 0, NULL},
        {" \r\n", 0, 0, NULL},
        {"-54321-25", 54321, 25, NULL},
        {"-54321-25-0a090002", 54321, 25, "10.9.0.2"},
        {"-54321-25-0A090002", 54321, 25, "10.9.0.2"},
        {" 54321 25 0a090002", 54321, 25, "10.9.0.2"},
        {"  54321\t25  0a090002 \r\n", 54321, 25, "10.9.0.2"},
        {" 54321-25-0a090002", 54321, 25, "10.9.0.2"},
        {"-00001-00025", 1, 25, NULL},
        {"-65535-65535", 65535, 65535, NULL},
        {"-1-25-20010DB8000000000000000000000019", 1, 25, "2001:db8::19"},
        {"-1-25-00000000000000000000ffff0a090002", 1, 25, "10.9.0.2"},
        {"-1-25-00000000", 1, 25, "0.0.0.0"},
        {"-0-25", 0, 25, NULL},
        {"-00000-25-0a090002", 0, 25, "10.9.0.2"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct verbs_ayttm expected = {
            cases[i].sport, cases[i].dport, cases[i].addr != NULL, {{0}}};
        struct verbs_ayttm read;
        struct sockaddr_storage addr;

        if (!verbs_ayttm_read(span_of(cases[i].args), &read))
            fail_msg("%s", cases[i].args);
        if (cases[i].addr != NULL) {
            addr = address(cases[i].addr, 0);
            assert_true(ip_from_sockaddr((const struct sockaddr *)&addr, &expected.addr));
        }
        assert_same(&expected, &read);
    }
}

static void other_arguments_are_refused(void **state)
{
    static const char *const cases[] = {
        "-",
        "--",
        "-1",
        "-1-",
        "-1--25",
        "--1-25",
        "- 1-25",
        "-1-25-",
        "-1-25 -0a090002",
        "-1-0",
        "-0-0",
        "-0-25-",
        "-65536-25",
        "-1-65536",
        "-99999-25",
        "-000001-25",
        "-123456-25",
        "-18446744073709551617-25",
        "-+1-25",
        "-1x-25",
        "-1\n-25",
        "-1-25-0a09000",
        "-1-25-0a0900021",
        "-1-25-0a09000g",
        "-1-25-0x090002",
        "-1-25-10.9.0.2",
        "-1-25-2001:db8::19",
        "-1-25-20010db800000000000000000000001",
        "-1-25-20010db80000000000000000000000190",
        "-1-25-20010db800000000000000000000001\xb9",
        "-1-25-0a090002-",
        "-1-25-0a090002-x",
        "-1-25-0a090002 0a090002",
        "-\xb1-25",
        "\x01",
    };
    struct verbs_ayttm read;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (verbs_ayttm_read(span_of(cases[i]), &read))
            fail_msg("%s", cases[i]);
}

static void lines_of_any_length_are_read_once(void **state)
{
    static const char *const begins[] = {"AYTTM", "AYTTM-1-25-", "AYTTM-", "", "AYTTM-1-25"};
    static const char fills[] = {'-', ' ', '0', 'A', '\0', '\n', '\xff'};
    char *line = test_malloc(HUGE_LEN);

    (void)state;
    for (size_t i = 0; i < COUNT(begins); i++) {
        for (size_t j = 0; j < sizeof fills; j++) {
            const size_t len = strlen(begins[i]);
            struct verbs_ayttm read;
            struct span args;

            memset(line, fills[j], HUGE_LEN);
            memcpy(line, begins[i], len);
            (void)verbs_command_read((struct span){line, HUGE_LEN}, &args);
            /* White space at the end is no part of a line. */
            assert_int_equal(verbs_ayttm_read(args, &read),
                             args.len == 0 || (i == 4 && char_is_in(fills[j], " \n")));
        }
    }
    test_free(line);
}

/* --- Replies --------------------------------------------------------------------- */

static void the_word_behind_the_verb_counts(void **state)
{
    static const struct {
        const char *text;
        enum verbs_word word;
    } cases[] = {
        {"AYTTM yes", VERBS_YES},
        {"AYTTM maybe", VERBS_MAYBE},
        {"AYTTM no", VERBS_NO},
        {"AYTTM unknown", VERBS_UNKNOWN},
        {"ayttm YES", VERBS_YES},
        {"4.5.0 AYTTM yes", VERBS_YES},
        {"4.5.0  AYTTM \t yes", VERBS_YES},
        {"5.500.999 AYTTM no", VERBS_NO},
        {"AYTTM yes we are", VERBS_YES},
        {"AYTTM yes. For help, call 555 0101", VERBS_YES},
        {"AYTTM no; see https://example.org", VERBS_NO},
        {"AYTTM yes\n4.5.0 For help, call 555 0101", VERBS_YES},
        {"4.5.0 Hear\n4.5.0 AYTTM no\nAYTTM yes", VERBS_NO},
        {"AYTTM yes\r", VERBS_YES},
        {" AYTTM yes", VERBS_YES},
        {"", VERBS_NONE},
        {"\n\n", VERBS_NONE},
        {"AYTTM", VERBS_NONE},
        {"AYTTM ", VERBS_NONE},
        {"AYTTM\nyes", VERBS_NONE},
        {"AYTTM\nAYTTM yes", VERBS_NONE},
        {"yes", VERBS_NONE},
        {"AYTTMyes", VERBS_NONE},
        {"AYTTM-yes", VERBS_NONE},
        {"AYTTM: yes", VERBS_NONE},
        {"AYTTM-54321-25 no such command", VERBS_NONE},
        {"AYTTM yesterday", VERBS_NONE},
        {"AYTTM no-one", VERBS_NONE},
        {"AYTTM no\xc3\xb6", VERBS_NONE},
        {"AYTTM y", VERBS_NONE},
        {"AYTTM \"yes\"", VERBS_NONE},
        {"AYTTM - yes", VERBS_NONE},
        {"4.5 AYTTM yes", VERBS_NONE},
        {"4.5.0AYTTM yes", VERBS_NONE},
        {"4.5.0\tAYTTM yes", VERBS_YES},
        {"4.5.1000 AYTTM yes", VERBS_NONE},
        {"4.5.0", VERBS_NONE},
        {"4.5.0 4.5.0 AYTTM yes", VERBS_NONE},
        {"HOSTKEY yes", VERBS_NONE},
        {"5.5.2 Error: command not recognized", VERBS_NONE},
        {"5.5.1 Command unrecognized: \"AYTTM-54321-25\"", VERBS_NONE},
        {"5.3.3 Unrecognized command 'AYTTM no'", VERBS_NONE},
        {"unknown command", VERBS_NONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (verbs_reply_word("AYTTM", 450, cases[i].text) != cases[i].word ||
            verbs_reply_word("AYTTM-54321-25-0a090002", 450, cases[i].text) != cases[i].word ||
            verbs_reply_word("ayttm 54321 25", 450, cases[i].text) != cases[i].word)
            fail_msg("%s", cases[i].text);
    }
}

static void a_reply_is_to_the_verb_that_was_said(void **state)
{
    (void)state;
    assert_int_equal(verbs_reply_word("HOSTKEY", 450, "HOSTKEY unknown"), VERBS_UNKNOWN);
    assert_int_equal(verbs_reply_word("SOURCE-00", 450, "AYTTM yes"), VERBS_NONE);
    assert_int_equal(verbs_reply_word("", 450, " yes"), VERBS_NONE);
    assert_int_equal(verbs_reply_word("", 450, "yes yes"), VERBS_NONE);
}

static void a_code_that_is_no_answer_has_no_word(void **state)
{
    static const struct {
        int code;
        enum verbs_word word;
    } cases[] = {
        {250, VERBS_NO},   {299, VERBS_NO},   {400, VERBS_NO},   {450, VERBS_NO},
        {451, VERBS_NO},   {499, VERBS_NO},   {421, VERBS_NONE}, {500, VERBS_NONE},
        {502, VERBS_NONE}, {550, VERBS_NONE}, {554, VERBS_NONE}, {354, VERBS_NONE},
        {0, VERBS_NONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(verbs_reply_word("AYTTM", cases[i].code, "AYTTM no such command"),
                         cases[i].word);
}

static void an_answer_can_be_read(void **state)
{
    char text[VERBS_REPLY_MAX + 1], line[VERBS_REPLY_MAX + 20];

    (void)state;
    for (enum verbs_verb verb = VERBS_AYTTM; verb <= VERBS_HOSTKEY; verb++) {
        for (enum verbs_word word = VERBS_YES; word <= VERBS_UNKNOWN; word++) {
            verbs_reply_write(verb, word, text);
            assert_int_equal(verbs_reply_word(verbs_verb_name(verb), 450, text), word);
            (void)snprintf(line, sizeof line, "%s %s", VERBS_REPLY_ENHANCED, text);
            assert_int_equal(verbs_reply_word(verbs_verb_name(verb), 450, line), word);
        }
    }
    verbs_reply_write(VERBS_AYTTM, VERBS_YES, text);
    assert_string_equal(text, "AYTTM yes");
    assert_string_equal(VERBS_REPLY_CODE " " VERBS_REPLY_ENHANCED, "450 4.5.0");
}

static void names_are_whole(void **state)
{
    (void)state;
    assert_string_equal(verbs_verb_name(VERBS_OTHER), "");
    assert_string_equal(verbs_verb_name(VERBS_AYTTM), "AYTTM");
    assert_string_equal(verbs_verb_name(VERBS_SOURCE), "SOURCE");
    assert_string_equal(verbs_verb_name(VERBS_HOSTKEY), "HOSTKEY");
    assert_string_equal(verbs_word_name(VERBS_NONE), "");
    assert_string_equal(verbs_word_name(VERBS_MAYBE), "maybe");
    assert_string_equal(verbs_verb_name((enum verbs_verb)99), "");
    assert_string_equal(verbs_word_name((enum verbs_word)99), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_says_what_is_known),
        cmocka_unit_test(without_addresses_the_verb_stands_alone),
        cmocka_unit_test(what_is_said_can_be_read),
        cmocka_unit_test(verbs_are_told_apart),
        cmocka_unit_test(a_nul_is_in_no_verb),
        cmocka_unit_test(arguments_are_read),
        cmocka_unit_test(other_arguments_are_refused),
        cmocka_unit_test(lines_of_any_length_are_read_once),
        cmocka_unit_test(the_word_behind_the_verb_counts),
        cmocka_unit_test(a_reply_is_to_the_verb_that_was_said),
        cmocka_unit_test(a_code_that_is_no_answer_has_no_word),
        cmocka_unit_test(an_answer_can_be_read),
        cmocka_unit_test(names_are_whole),
    };

    return cmocka_run_group_tests_name("verbs", tests, NULL, NULL);
}
