/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests of text: nothing is cut in silence, and nothing but printable ASCII comes out.
 */
#include "config.h"

#include "check.h"
#include "base/text.h"

#include <time.h>

enum { ROOM = 64 };

/* text_printable from an exact heap block into one of exactly size octets. */
static size_t printable(char result[ROOM], size_t size, const char *src, size_t len)
{
    char *from = malloc(len > 0 ? len : 1);
    char *to = malloc(size);

    assert_non_null(from);
    assert_non_null(to);
    memcpy(from, src, len);
    const size_t n = text_printable(to, size, from, len);
    assert_true(n < size);
    assert_int_equal(strlen(to), n);
    memcpy(result, to, n + 1);
    free(from);
    free(to);
    return n;
}

static void copy_takes_what_fits(void **state)
{
    char dst[4] = "???";
    (void)state;
    assert_true(text_copy(dst, sizeof(dst), "abc"));
    assert_string_equal(dst, "abc");
    assert_true(text_copy(dst, sizeof(dst), ""));
    assert_string_equal(dst, "");
}

static void copy_refuses_what_does_not_fit_and_leaves_nothing(void **state)
{
    char dst[4] = "???";
    (void)state;
    assert_false(text_copy(dst, sizeof(dst), "abcd"));
    assert_string_equal(dst, "");
    char one[1] = "";
    assert_false(text_copy(one, sizeof(one), "a"));
    assert_true(text_copy(one, sizeof(one), ""));
}

static void copy_into_no_room_writes_nothing(void **state)
{
    char dst[2] = "?";
    (void)state;
    assert_false(text_copy(dst, 0, "a"));
    assert_false(text_copy(dst, 0, ""));
    assert_string_equal(dst, "?");
}

static void printable_replaces_what_could_do_harm(void **state)
{
    static const struct {
        const char *src, *dst;
    } rows[] = {
        {"", ""},
        {"550 5.1.1 User unknown", "550 5.1.1 User unknown"},
        {"a\r\nb", "a b"},
        {"a\nb\nc", "a b c"},
        {"a \t\v\f\r\n b", "a b"},
        {"a  b", "a b"},
        {" a ", " a "},
        {"\r\n", " "},
        {"\033[31mred", "?[31mred"},
        {"a\001\002b", "a??b"},
        {"a\177b", "a?b"},
        {"j\303\266rg", "j??rg"},
        {"\200\377", "??"},
        {"%s%n\"<>~", "%s%n\"<>~"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char result[ROOM];
        const size_t n = printable(result, ROOM, rows[i].src, strlen(rows[i].src));
        assert_string_equal(result, rows[i].dst);
        assert_int_equal(n, strlen(rows[i].dst));
    }
}

static void printable_reads_past_a_nul(void **state)
{
    char result[ROOM];
    (void)state;
    assert_int_equal(printable(result, ROOM, "a\0b", 3), 3);
    assert_string_equal(result, "a?b");
}

static void printable_reads_no_further_than_told(void **state)
{
    char result[ROOM];
    (void)state;
    assert_int_equal(printable(result, ROOM, "abcdef", 3), 3);
    assert_string_equal(result, "abc");
}

static void printable_cuts_with_dots_only_when_it_must(void **state)
{
    static const struct {
        size_t size;
        const char *src, *dst;
    } rows[] = {
        {4, "abc", "abc"},
        {4, "abcd", "..."},
        {7, "abcdef", "abcdef"},
        {7, "abcdefg", "abc..."},
        {7, "abcdefghijkl", "abc..."},
        {7, "abcde  \r\n", "abcde "},  /* one space, which fits */
        {7, "abcdef  \r\n", "abc..."}, /* the space does not */
        {7, "ab \r\n cdefgh", "ab ..."},
        {4, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char result[ROOM];
        printable(result, rows[i].size, rows[i].src, strlen(rows[i].src));
        assert_string_equal(result, rows[i].dst);
    }
}

static void printable_survives_a_flood(void **state)
{
    static const char *const results[] = {"????...", "aaaa...", " "};
    static const char floods[] = {'\0', 'a', '\n'};
    const size_t len = 100000;
    char *flood = malloc(len);
    (void)state;
    assert_non_null(flood);
    for (size_t i = 0; i < COUNT(results); i++) {
        char result[ROOM];
        memset(flood, floods[i], len);
        printable(result, 8, flood, len);
        assert_string_equal(result, results[i]);
    }
    free(flood);
}

static void only_printable_ascii_comes_out_of_random_octets(void **state)
{
    const char *wish = getenv("RB_TEST_SEED");
    unsigned seed = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : (unsigned)time(NULL) | 1;
    (void)state;
    print_message("# RB_TEST_SEED=%u\n", seed);
    for (int round = 0; round < 5000; round++) {
        char src[100];
        char result[ROOM];
        char again[ROOM];
        for (size_t i = 0; i < sizeof(src); i++) {
            seed = seed * 1664525U + 1013904223U;
            src[i] = (char)(seed >> 24);
        }
        const size_t size = 4 + (seed >> 16) % (ROOM - 4);
        const size_t n = printable(result, size, src, (seed >> 8) % sizeof(src));
        for (size_t i = 0; i < n; i++)
            assert_in_range(result[i], ' ', '~');
        assert_int_equal(printable(again, size, result, n), n); /* nothing is left to change */
        assert_string_equal(again, result);
    }
}

static void every_control_character_is_unclean_and_nothing_else(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[] = "ab?cd";
        text[2] = (char)c;
        assert_int_equal(text_is_clean(text, 5), c >= ' ' && c != 0x7F);
    }
}

static void cleanness_is_judged_within_len_only(void **state)
{
    (void)state;
    assert_true(text_is_clean("ab\r\n", 2));
    assert_false(text_is_clean("ab\r\n", 3));
    assert_true(text_is_clean("", 0));
    assert_true(text_is_clean(NULL, 0));
    assert_false(text_is_clean("a\0", 2));
}

static void part_of_a_text_is_copied_whole_or_not_at_all(void **state)
{
    char dst[4] = "???";
    (void)state;
    assert_true(text_copy_part(dst, sizeof dst, "abcdef", 3));
    assert_string_equal(dst, "abc");
    assert_false(text_copy_part(dst, sizeof dst, "abcdef", 4));
    assert_string_equal(dst, "");
    assert_true(text_copy_part(dst, sizeof dst, "abcdef", 0));
    assert_string_equal(dst, "");
    assert_false(text_copy_part(dst, 0, "abcdef", 0));
}

static void numbers_have_digits_alone_and_a_ceiling(void **state)
{
    static const char *const bad[] = {"",  "-1", "+1",     " 1",    "1 ",         "0x1",
                                      "a", "1a", "000001", "65536", "4294967297", "99999999999"};
    unsigned number = 7;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_number(bad[i], strlen(bad[i]), 65535, &number));
    assert_int_equal(number, 7);
    assert_true(text_number("65535", 5, 65535, &number));
    assert_int_equal(number, 65535);
    assert_true(text_number("00025", 5, 65535, &number));
    assert_int_equal(number, 25);
    assert_true(text_number("4294967295", 10, UINT32_MAX, &number));
    assert_int_equal(number, UINT32_MAX);
    assert_false(text_number("4294967296", 10, UINT32_MAX, &number));
    assert_true(text_number("123", 2, 65535, &number)); /* no further than it was told */
    assert_int_equal(number, 12);
}

static void the_size_of_a_message_is_of_one_to_twenty_digits(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } rows[] = {
        {"0", 0},
        {"1", 1},
        {"00000000000000000042", 42},
        {"18446744073709551615", UINT64_MAX},
        {"18446744073709551616", 0},
        {"99999999999999999999", 0},
        {"000000000000000000042", 0}, /* twenty-one */
        {"", 0},
        {" 1", 0},
        {"1 ", 0},
        {"+1", 0},
        {"-1", 0},
        {"1k", 0},
        {"0x10", 0},
        {"1.5", 0},
        {"\xd9\xa1", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_true(text_message_size(rows[i].text, strlen(rows[i].text)) == rows[i].size);
    assert_true(text_message_size("123", 2) == 12); /* no further than it was told */
    assert_true(text_message_size("1\0002", 3) == 0);
}

static void ascii_letters_alone_become_small(void **state)
{
    char text[] = "@AZ[`az{ \xc3\x84 9";
    (void)state;
    text_lower(text);
    assert_string_equal(text, "@az[`az{ \xc3\x84 9");
}

static void characters_are_told_apart_by_ascii(void **state)
{
    (void)state;
    for (int c = -128; c < 128; c++) {
        const bool is_small = c >= 'a' && c <= 'z', is_large = c >= 'A' && c <= 'Z';
        assert_int_equal(char_is_letter((char)c), is_small || is_large);
        assert_int_equal(char_is_digit((char)c), c >= '0' && c <= '9');
        assert_int_equal(char_is_8bit((char)c), c < 0);
        assert_int_equal(char_lower((char)c), is_large ? c + 32 : c);
        assert_int_equal(char_is_in((char)c, "az"), c == 'a' || c == 'z');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_takes_what_fits),
        cmocka_unit_test(copy_refuses_what_does_not_fit_and_leaves_nothing),
        cmocka_unit_test(copy_into_no_room_writes_nothing),
        cmocka_unit_test(printable_replaces_what_could_do_harm),
        cmocka_unit_test(printable_reads_past_a_nul),
        cmocka_unit_test(printable_reads_no_further_than_told),
        cmocka_unit_test(printable_cuts_with_dots_only_when_it_must),
        cmocka_unit_test(printable_survives_a_flood),
        cmocka_unit_test(only_printable_ascii_comes_out_of_random_octets),
        cmocka_unit_test(every_control_character_is_unclean_and_nothing_else),
        cmocka_unit_test(cleanness_is_judged_within_len_only),
        cmocka_unit_test(part_of_a_text_is_copied_whole_or_not_at_all),
        cmocka_unit_test(numbers_have_digits_alone_and_a_ceiling),
        cmocka_unit_test(the_size_of_a_message_is_of_one_to_twenty_digits),
        cmocka_unit_test(ascii_letters_alone_become_small),
        cmocka_unit_test(characters_are_told_apart_by_ascii),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
