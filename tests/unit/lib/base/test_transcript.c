/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_transcript: what is kept of a dialogue, and in which shape.
 */
#include "config.h"

#include "base/transcript.h"

#include "check.h"

static void add(struct rb_transcript *transcript, const char *text)
{
    transcript_add(transcript, 0, '<', "mx.example", "192.0.2.1", text, strlen(text));
}

static struct rb_transcript *started(void)
{
    struct rb_transcript *transcript = transcript_new();
    assert_non_null(transcript);
    return transcript;
}

static void a_new_transcript_is_empty(void **state)
{
    (void)state;
    struct rb_transcript *transcript = started();
    assert_int_equal(rb_transcript_count(transcript), 0);
    transcript_free(transcript);
}

static void lines_come_back_as_they_were_added(void **state)
{
    (void)state;
    struct rb_transcript *transcript = started();
    transcript_add(transcript, 12, '<', "mx.example", "192.0.2.1", "220 hello", 9);
    transcript_add(transcript, 3456789012, '>', "mx2.example", "2001:db8::1", "QUIT", 4);
    assert_int_equal(rb_transcript_count(transcript), 2);

    struct rb_transcript_line line = rb_transcript_get(transcript, 0);
    assert_int_equal(line.t_ms, 12);
    assert_int_equal(line.dir, '<');
    assert_string_equal(line.mx, "mx.example");
    assert_string_equal(line.ip, "192.0.2.1");
    assert_string_equal(line.text, "220 hello");
    line = rb_transcript_get(transcript, 1);
    assert_int_equal(line.t_ms, 3456789012);
    assert_int_equal(line.dir, '>');
    assert_string_equal(line.mx, "mx2.example");
    assert_string_equal(line.ip, "2001:db8::1");
    assert_string_equal(line.text, "QUIT");
    transcript_free(transcript);
}

static void what_is_added_is_copied(void **state)
{
    (void)state;
    char mx[] = "mx.example", ip[] = "192.0.2.1", text[] = "250 ok";
    struct rb_transcript *transcript = started();
    transcript_add(transcript, 0, '<', mx, ip, text, strlen(text));
    memset(mx, 'x', sizeof mx - 1);
    memset(ip, 'x', sizeof ip - 1);
    memset(text, 'x', sizeof text - 1);
    struct rb_transcript_line line = rb_transcript_get(transcript, 0);
    assert_string_equal(line.mx, "mx.example");
    assert_string_equal(line.ip, "192.0.2.1");
    assert_string_equal(line.text, "250 ok");
    transcript_free(transcript);
}

static void only_len_octets_are_taken(void **state)
{
    (void)state;
    struct rb_transcript *transcript = started();
    transcript_add(transcript, 0, '>', "mx", "ip", "QUITmore", 4);
    transcript_add(transcript, 0, '>', "mx", "ip", "", 0);
    assert_string_equal(rb_transcript_get(transcript, 0).text, "QUIT");
    assert_string_equal(rb_transcript_get(transcript, 1).text, "");
    transcript_free(transcript);
}

static void missing_hosts_and_text_are_empty(void **state)
{
    (void)state;
    struct rb_transcript *transcript = started();
    transcript_add(transcript, 0, '-', NULL, NULL, NULL, 0);
    struct rb_transcript_line line = rb_transcript_get(transcript, 0);
    assert_string_equal(line.mx, "");
    assert_string_equal(line.ip, "");
    assert_string_equal(line.text, "");
    transcript_free(transcript);
}

static void an_unknown_direction_is_a_remark(void **state)
{
    (void)state;
    static const struct {
        char given, kept;
    } cases[] = {{'<', '<'}, {'>', '>'}, {'-', '-'}, {'\0', '-'}, {'\n', '-'}, {'x', '-'}};
    struct rb_transcript *transcript = started();
    for (size_t i = 0; i < COUNT(cases); i++) {
        transcript_add(transcript, 0, cases[i].given, "mx", "ip", "text", 4);
        assert_int_equal(rb_transcript_get(transcript, i).dir, cases[i].kept);
    }
    transcript_free(transcript);
}

static void every_octet_is_made_printable(void **state)
{
    (void)state;
    struct rb_transcript *transcript = started();
    for (int octet = 0; octet < 256; octet++) {
        const char text[] = {'a', (char)octet, 'b'};
        const char name[] = {'a', (char)octet, '\0'};
        transcript_add(transcript, 0, '<', name, name, text, sizeof text);
        struct rb_transcript_line line = rb_transcript_get(transcript, (size_t)octet);
        const char *const kept[] = {line.mx, line.ip, line.text};
        for (size_t i = 0; i < COUNT(kept); i++) {
            for (const char *c = kept[i]; *c != '\0'; c++)
                assert_true(*c >= ' ' && *c <= '~');
        }
        assert_int_equal(line.text[0], 'a');
        assert_int_equal(line.text[strlen(line.text) - 1], 'b');
    }
    transcript_free(transcript);
}

static void long_lines_are_cut_and_say_so(void **state)
{
    (void)state;
    enum { MORE = 5000 };
    static const struct {
        size_t len, kept;
        bool is_cut;
    } cases[] = {{TRANSCRIPT_TEXT_MAX - 1, TRANSCRIPT_TEXT_MAX - 1, false},
                 {TRANSCRIPT_TEXT_MAX, TRANSCRIPT_TEXT_MAX, false},
                 {TRANSCRIPT_TEXT_MAX + 1, TRANSCRIPT_TEXT_MAX, true},
                 {MORE, TRANSCRIPT_TEXT_MAX, true}};
    static char text[MORE];
    memset(text, 'x', sizeof text);
    struct rb_transcript *transcript = started();
    for (size_t i = 0; i < COUNT(cases); i++) {
        transcript_add(transcript, 0, '<', "mx", "ip", text, cases[i].len);
        const char *kept = rb_transcript_get(transcript, i).text;
        assert_int_equal(strlen(kept), cases[i].kept);
        assert_int_equal(strcmp(kept + strlen(kept) - 3, "...") == 0, cases[i].is_cut);
    }
    transcript_free(transcript);
}

static void long_host_names_are_cut(void **state)
{
    (void)state;
    char name[2 * RB_DOMAIN_MAX + 1];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct rb_transcript *transcript = started();
    transcript_add(transcript, 0, '<', name, name, "text", 4);
    assert_int_equal(strlen(rb_transcript_get(transcript, 0).mx), RB_DOMAIN_MAX);
    assert_in_range(strlen(rb_transcript_get(transcript, 0).ip), 1, 45);
    transcript_free(transcript);
}

static void lines_over_the_ceiling_are_dropped(void **state)
{
    (void)state;
    enum { OVER = 17 };
    struct rb_transcript *transcript = started();
    for (int i = 0; i < RB_TRANSCRIPT_LINES_MAX; i++)
        add(transcript, "kept");
    for (int i = 0; i < OVER; i++)
        add(transcript, "dropped");
    assert_int_equal(rb_transcript_count(transcript), RB_TRANSCRIPT_LINES_MAX);
    assert_string_equal(rb_transcript_get(transcript, RB_TRANSCRIPT_LINES_MAX - 1).text, "kept");
    transcript_free(transcript);
}

static void a_line_that_is_not_there_is_empty(void **state)
{
    (void)state;
    struct rb_transcript *transcript = started();
    add(transcript, "one");
    static const size_t indices[] = {1, 2, SIZE_MAX};
    for (size_t i = 0; i < COUNT(indices); i++) {
        struct rb_transcript_line line = rb_transcript_get(transcript, indices[i]);
        assert_int_equal(line.dir, '-');
        assert_string_equal(line.mx, "");
        assert_string_equal(line.ip, "");
        assert_string_equal(line.text, "");
    }
    transcript_free(transcript);
}

static void no_transcript_keeps_nothing(void **state)
{
    (void)state;
    add(NULL, "text");
    assert_int_equal(rb_transcript_count(NULL), 0);
    assert_string_equal(rb_transcript_get(NULL, 0).text, "");
    transcript_free(NULL);
}

static void an_answer_frees_its_transcript_and_is_emptied(void **state)
{
    (void)state;
    static const struct rb_answer empty;
    struct rb_answer answer = {.verdict = RB_VERDICT_VALID, .code = 250, .transcript = started()};
    add(answer.transcript, "one");
    rb_answer_fini(&answer);
    assert_null(answer.transcript);
    assert_int_equal(answer.verdict, empty.verdict);
    assert_int_equal(answer.code, 0);
    rb_answer_fini(&answer);
    assert_null(answer.transcript);
    rb_answer_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_transcript_is_empty),
        cmocka_unit_test(lines_come_back_as_they_were_added),
        cmocka_unit_test(what_is_added_is_copied),
        cmocka_unit_test(only_len_octets_are_taken),
        cmocka_unit_test(missing_hosts_and_text_are_empty),
        cmocka_unit_test(an_unknown_direction_is_a_remark),
        cmocka_unit_test(every_octet_is_made_printable),
        cmocka_unit_test(long_lines_are_cut_and_say_so),
        cmocka_unit_test(long_host_names_are_cut),
        cmocka_unit_test(lines_over_the_ceiling_are_dropped),
        cmocka_unit_test(a_line_that_is_not_there_is_empty),
        cmocka_unit_test(no_transcript_keeps_nothing),
        cmocka_unit_test(an_answer_frees_its_transcript_and_is_emptied),
    };
    return cmocka_run_group_tests_name("transcript", tests, NULL, NULL);
}
