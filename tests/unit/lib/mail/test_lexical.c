/* SPDX-License-Identifier: BSD-2-Clause */
/* test_lexical: where tokens end, what they say, and that nobody makes their reading expensive. */
#include "config.h"

#include "check.h"
#include "mail/lexical.h"

enum { RANDOM_ROUNDS = 20000 };

typedef bool take_fn(struct span *rest, struct lexical_word *word);

/* What is taken from the beginning of the text, and what is left. */
struct taken {
    const char *text, *word, *rest;
};

static bool is_same(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

static void assert_taken(take_fn *take, const struct taken *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct span rest = span_of(cases[i].text);
        struct lexical_word word;
        char text[100];

        if (!take(&rest, &word) || !lexical_text(&word, text, sizeof text) ||
            strcmp(text, cases[i].word) != 0 || !is_same(rest, cases[i].rest))
            fail_msg("%s", cases[i].text);
        assert_true(lexical_is(&word, cases[i].word));
    }
}

static void assert_not_taken(take_fn *take, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct span rest = span_of(texts[i]);
        struct lexical_word word;

        if (take(&rest, &word) || !is_same(rest, texts[i]))
            fail_msg("%s", texts[i]);
    }
}

static void white_space_and_comments_are_skipped(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"x", "x"},
        {" \t\r\n\tx ", "x "},
        {"(c)x", "x"},
        {"(a (nested) one)(another)\r\n x", "x"},
        {"(with a \\) in it) x", "x"},
        {"(a \\\\)x", "x"},
        {"(\"no quoted string)\"", "\""},
        {"()", ""},
        {") x", ") x"},
        {"(c)) x", ") x"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"(\xc3\xa4) x", "x"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span rest = span_of(cases[i][0]);

        if (!lexical_skip_cfws(&rest) || !is_same(rest, cases[i][1]))
            fail_msg("%s", cases[i][0]);
    }
}

static void a_comment_must_end(void **state)
{
    static const char *const texts[] = {"(", "  (", "(a (b)", "(\\)", "(\\", "(c) (", "((((()"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct span rest = span_of(texts[i]);

        if (lexical_skip_cfws(&rest) || !is_same(rest, texts[i]))
            fail_msg("%s", texts[i]);
    }
}

static void comments_are_read_to_a_depth(void **state)
{
    char text[2 * LEXICAL_DEPTH_MAX + 3];

    (void)state;
    for (size_t depth = LEXICAL_DEPTH_MAX; depth <= LEXICAL_DEPTH_MAX + 1; depth++) {
        struct span rest = {text, 2 * depth};

        memset(text, '(', depth);
        memset(text + depth, ')', depth);
        assert_int_equal(lexical_skip_cfws(&rest), depth <= LEXICAL_DEPTH_MAX);
    }
}

static void atoms_end_where_the_grammar_says(void **state)
{
    static const struct taken cases[] = {
        {"abc", "abc", ""},
        {"a b", "a", " b"},
        {"a.b", "a", ".b"},
        {"a(c)", "a", "(c)"},
        {"a@b", "a", "@b"},
        {"a\"b\"", "a", "\"b\""},
        {"a\x01", "a", "\x01"},
        {"a\x7f", "a", "\x7f"},
        {"!#$%&'*+-/=?^_`{|}~09AZaz;", "!#$%&'*+-/=?^_`{|}~09AZaz", ";"},
        {"J\xc3\xb6rg,", "J\xc3\xb6rg", ","},
    };
    static const char *const none[] = {"", " a", "(c)a", ".a", "\"a\"", "[a]", "<", "\\a", "\n"};

    (void)state;
    assert_taken(lexical_atom, cases, COUNT(cases));
    assert_not_taken(lexical_atom, none, COUNT(none));
}

static void dot_atoms_have_single_dots_between_atoms(void **state)
{
    static const struct taken cases[] = {
        {"a", "a", ""},
        {"mx.example.org;", "mx.example.org", ";"},
        {"a.b.", "a.b", "."},
        {"a..b", "a", "..b"},
        {"a.b@c.d", "a.b", "@c.d"},
        {"a .b", "a", " .b"},
        {"a. b", "a", ". b"},
    };
    static const char *const none[] = {"", ".a", "..", "@", "\"a\".b"};

    (void)state;
    assert_taken(lexical_dot_atom, cases, COUNT(cases));
    assert_not_taken(lexical_dot_atom, none, COUNT(none));
}

static void tokens_are_those_of_mime(void **state)
{
    static const struct taken cases[] = {
        {"mx.example.org;", "mx.example.org", ";"},
        {"dkim=pass", "dkim", "=pass"},
        {"dkim/1", "dkim", "/1"},
        {"a!#$%&'*+-.^_`{|}~b@", "a!#$%&'*+-.^_`{|}~b", "@"},
        {"a\xc3\xa4", "a", "\xc3\xa4"},
        {"a\x01", "a", "\x01"},
    };
    static const char *const none[] = {"", "=", ";", "\"a\"", "@a", "(a)", " a", "\x80"};

    (void)state;
    assert_taken(lexical_token, cases, COUNT(cases));
    assert_not_taken(lexical_token, none, COUNT(none));
}

static void quoted_strings_say_what_is_meant(void **state)
{
    static const struct taken cases[] = {
        {"\"\"x", "", "x"},
        {"\"a b\" c", "a b", " c"},
        {"\"a \\\"b\\\"\"", "a \"b\"", ""},
        {"\"a\\\\\"b\"", "a\\", "b\""},
        {"\"a\r\n b\"", "a b", ""},
        {"\"a\n\tb\"", "a\tb", ""},
        {"\"a\\\r\n b\"", "a b", ""},
        {"\"\\a\\b\"", "ab", ""},
        {"\"(no comment)\";", "(no comment)", ";"},
        {"\"\xc3\xa4\"", "\xc3\xa4", ""},
    };
    static const char *const none[] = {"", "a", "\"", "\"a", "\"a\\\"", "\"\\", " \"a\"", "'a'"};

    (void)state;
    assert_taken(lexical_quoted_string, cases, COUNT(cases));
    assert_not_taken(lexical_quoted_string, none, COUNT(none));
}

static void a_word_is_an_atom_or_a_quoted_string(void **state)
{
    static const struct taken cases[] = {{"a b", "a", " b"}, {"\"a b\".c", "a b", ".c"}};
    static const char *const none[] = {"", "(c)", "\"a", "<a>", "."};

    (void)state;
    assert_taken(lexical_word, cases, COUNT(cases));
    assert_not_taken(lexical_word, none, COUNT(none));
}

static void a_domain_literal_keeps_its_brackets(void **state)
{
    static const struct taken cases[] = {
        {"[192.0.2.1]>", "[192.0.2.1]", ">"},
        {"[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", ""},
        {"[a\\]b]c", "[a\\]b]", "c"},
        {"[]", "[]", ""},
    };
    static const char *const none[] = {"", "[", "[a", "[a\\]", "a]", "]"};

    (void)state;
    assert_taken(lexical_domain_literal, cases, COUNT(cases));
    assert_not_taken(lexical_domain_literal, none, COUNT(none));
}

static void a_single_character_is_taken(void **state)
{
    struct span rest = span_of(";;a");

    (void)state;
    assert_true(lexical_char(&rest, ';'));
    assert_true(lexical_char(&rest, ';'));
    assert_false(lexical_char(&rest, ';'));
    assert_true(lexical_char(&rest, 'a'));
    assert_false(lexical_char(&rest, 'a'));
}

static struct lexical_word quoted(const char *raw)
{
    return (struct lexical_word){.raw = span_of(raw), .quoted = true};
}

static void words_are_compared_whole(void **state)
{
    const struct lexical_word word = quoted("Mx.\\Example\r\n.org");
    const struct lexical_word bare = {.raw = span_of("a\\b")};

    (void)state;
    assert_true(lexical_is(&word, "mX.example.ORG"));
    assert_false(lexical_is(&word, "mx.example.or"));
    assert_false(lexical_is(&word, "mx.example.orgs"));
    assert_false(lexical_is(&word, ""));
    assert_true(lexical_is(&bare, "a\\b")); /* no quoted pair where there are no quotes */
}

static void what_does_not_fit_is_not_cut(void **state)
{
    const struct lexical_word word = quoted("\\abc"), with_nul = {.raw = {"a\0b", 3}};
    char text[4] = "xyz";

    (void)state;
    assert_false(lexical_text(&word, text, 3));
    assert_string_equal(text, "");
    assert_true(lexical_text(&word, text, 4));
    assert_string_equal(text, "abc");
    assert_false(lexical_text(&with_nul, text, sizeof text));
    assert_string_equal(text, "");
}

/* Whatever comes, what is taken is a beginning of what was there. */
static void random_octets_are_read_within_bounds(void **state)
{
    static const char alphabet[] = "()\\\"[]; .\t\r\nab@\xff";
    static take_fn *const all[] = {lexical_atom,          lexical_dot_atom, lexical_token,
                                   lexical_quoted_string, lexical_word,     lexical_domain_literal};
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("# seed %u\n", seed);
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        size_t len = (size_t)rand_r(&seed) % 60;
        char *octets = malloc(len > 0 ? len : 1); /* its end is where the sanitizer looks */
        struct span rest = {octets, len};
        char text[100];

        assert_non_null(octets);
        for (size_t i = 0; i < len; i++)
            octets[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
        (void)lexical_skip_cfws(&rest);
        assert_ptr_equal(rest.at + rest.len, octets + len);
        for (size_t i = 0; i < COUNT(all); i++) {
            struct span behind = rest;
            struct lexical_word word;

            if (!all[i](&behind, &word))
                continue;
            assert_true(behind.len < rest.len && behind.at + behind.len == octets + len);
            assert_true(word.raw.at >= rest.at && word.raw.at + word.raw.len <= behind.at);
            assert_true(lexical_text(&word, text, sizeof text));
            assert_true(lexical_is(&word, text));
            assert_null(word.quoted ? strpbrk(text, "\r\n") : NULL);
        }
        free(octets);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_space_and_comments_are_skipped),
        cmocka_unit_test(a_comment_must_end),
        cmocka_unit_test(comments_are_read_to_a_depth),
        cmocka_unit_test(atoms_end_where_the_grammar_says),
        cmocka_unit_test(dot_atoms_have_single_dots_between_atoms),
        cmocka_unit_test(tokens_are_those_of_mime),
        cmocka_unit_test(quoted_strings_say_what_is_meant),
        cmocka_unit_test(a_word_is_an_atom_or_a_quoted_string),
        cmocka_unit_test(a_domain_literal_keeps_its_brackets),
        cmocka_unit_test(a_single_character_is_taken),
        cmocka_unit_test(words_are_compared_whole),
        cmocka_unit_test(what_does_not_fit_is_not_cut),
        cmocka_unit_test(random_octets_are_read_within_bounds),
    };

    return cmocka_run_group_tests_name("lexical", tests, NULL, NULL);
}
