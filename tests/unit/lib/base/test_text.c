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
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
