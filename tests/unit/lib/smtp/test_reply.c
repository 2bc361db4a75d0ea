/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reply parser: every reply is fed whole, split at every octet, and an octet at a time; the
 * outcome must be the same.
 */
#include "config.h"

#include "smtp/reply.h"

#include <stdio.h>
#include <time.h>

#include "check.h"

enum { WAYS_MAX = 4096, LONG_MAX_OCTETS = (REPLY_LINE_MAX + 8) * (REPLY_LINES_MAX + 2) };

struct sample {
    const char *octets;
    enum reply_status status;
    int code;
    const char *enhanced;
    const char *text;
    unsigned lines;
};

static enum reply_status feed(struct reply_parser *parser, const char *octets, size_t len,
                              size_t *used)
{
    size_t some;
    enum reply_status status = reply_feed(parser, octets, len, &some);

    assert_true(some <= len);
    *used += some;
    return status;
}

/* Feeds octets with a cut at `split`; 0: one octet at a time; len: whole. Returns what was used. */
static size_t feed_split(struct reply_parser *parser, const char *octets, size_t len, size_t split)
{
    size_t used = 0;

    reply_parser_init(parser);
    if (split > 0) {
        if (feed(parser, octets, split, &used) == REPLY_MORE && split < len)
            feed(parser, octets + split, len - split, &used);
        return used;
    }
    for (size_t i = 0; i < len && parser->status == REPLY_MORE; i++)
        feed(parser, octets + i, 1, &used);
    return used;
}

static void check_reply(const struct reply_parser *parser, const struct sample *sample)
{
    const struct reply *reply = &parser->reply;

    assert_int_equal(parser->status, sample->status);
    if (sample->status != REPLY_DONE)
        return;
    assert_int_equal(reply->code, sample->code);
    assert_string_equal(reply->enhanced, sample->enhanced);
    assert_string_equal(reply->text, sample->text);
    assert_int_equal(reply->text_len, strlen(sample->text));
    assert_int_equal(reply->lines, sample->lines);
    assert_false(reply->cut);
}

static void check_sample(const struct sample *sample)
{
    static struct reply_parser parser;
    const size_t len = strlen(sample->octets);

    for (size_t split = 0; split <= len; split++) {
        const size_t used = feed_split(&parser, sample->octets, len, split);
        if (sample->status == REPLY_DONE || sample->status == REPLY_MORE)
            assert_int_equal(used, len);
        check_reply(&parser, sample);
    }
}

static void check_samples(const struct sample *samples, size_t count)
{
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        check_sample(&samples[i]);
}

static void reads_single_line(void **state)
{
    static const struct sample samples[] = {
        {"250 2.1.5 Ok\r\n", REPLY_DONE, 250, "2.1.5", "Ok", 1},
        {"220 mx.d.example ESMTP\r\n", REPLY_DONE, 220, "", "mx.d.example ESMTP", 1},
        {"550 <u@d.example>: User unknown\r\n", REPLY_DONE, 550, "", "<u@d.example>: User unknown",
         1},
        {"571 blocked\r\n", REPLY_DONE, 571, "", "blocked", 1},
        {"354 go on\r\n", REPLY_DONE, 354, "", "go on", 1},
        {"552 1 Requested mail action aborted\r\n", REPLY_DONE, 552, "",
         "1 Requested mail action aborted", 1},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

static void reads_several_lines(void **state)
{
    static const struct sample samples[] = {
        {"250-mx.d.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n", REPLY_DONE, 250, "",
         "mx.d.example\nSIZE 1000\nSTARTTLS", 3},
        {"550-5.1.1 The account\r\n550-5.1.1 does not\r\n550 5.1.1 exist\r\n", REPLY_DONE, 550,
         "5.1.1", "The account\ndoes not\nexist", 3},
        {"250-\r\n250-\r\n250 \r\n", REPLY_DONE, 250, "", "\n\n", 3},
        {"250-a\r\n250\r\n", REPLY_DONE, 250, "", "a\n", 2},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

static void takes_what_hosts_do_beyond_the_grammar(void **state)
{
    static const struct sample samples[] = {
        {"250 ok\n", REPLY_DONE, 250, "", "ok", 1},
        {"250-a\n250 b\r\n", REPLY_DONE, 250, "", "a\nb", 2},
        {"250\r\n", REPLY_DONE, 250, "", "", 1},
        {"250\n", REPLY_DONE, 250, "", "", 1},
        {"550 Empf\xc3\xa4nger unbekannt\r\n", REPLY_DONE, 550, "", "Empf\xc3\xa4nger unbekannt",
         1},
        {"550 a\rb\tc\x01\r\n", REPLY_DONE, 550, "", "a\rb\tc\x01", 1},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

static void finds_enhanced_code(void **state)
{
    static const struct sample samples[] = {
        {"550 5.7.606 Access denied\r\n", REPLY_DONE, 550, "5.7.606", "Access denied", 1},
        {"550 5.123.123 x\r\n", REPLY_DONE, 550, "5.123.123", "x", 1},
        {"550 #5.1.0 Address rejected.\r\n", REPLY_DONE, 550, "5.1.0", "Address rejected.", 1},
        {"550 5.1.1\r\n", REPLY_DONE, 550, "5.1.1", "", 1},
        {"550   5.1.1   spaced\r\n", REPLY_DONE, 550, "5.1.1", "spaced", 1},
        {"550 5.1.1: unknown\r\n", REPLY_DONE, 550, "5.1.1", "unknown", 1},
        {"550 5.1.1. unknown\r\n", REPLY_DONE, 550, "5.1.1", ". unknown", 1},
        {"550 5.1.1 5.1.1 twice\r\n", REPLY_DONE, 550, "5.1.1", "5.1.1 twice", 1},
        {"550-plain\r\n550 5.1.1 then\r\n", REPLY_DONE, 550, "5.1.1", "plain\nthen", 2},
        {"550-5.1.1 one\r\n550 5.7.1 two\r\n", REPLY_DONE, 550, "5.1.1", "one\n5.7.1 two", 2},
        {"550-5.1.1 one\r\n550 5.1.10 two\r\n", REPLY_DONE, 550, "5.1.1", "one\n5.1.10 two", 2},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

static void what_only_looks_like_an_enhanced_code_stays_text(void **state)
{
    static const struct sample samples[] = {
        {"550 4.1.1 wrong class\r\n", REPLY_DONE, 550, "", "4.1.1 wrong class", 1},
        {"450 5.1.1 wrong class\r\n", REPLY_DONE, 450, "", "5.1.1 wrong class", 1},
        {"550 5.1.1.9 is listed\r\n", REPLY_DONE, 550, "", "5.1.1.9 is listed", 1},
        {"550 5.1.1234 x\r\n", REPLY_DONE, 550, "", "5.1.1234 x", 1},
        {"550 5.1234.1 x\r\n", REPLY_DONE, 550, "", "5.1234.1 x", 1},
        {"550 5..1 x\r\n", REPLY_DONE, 550, "", "5..1 x", 1},
        {"550 5.1. x\r\n", REPLY_DONE, 550, "", "5.1. x", 1},
        {"550 5.1 x\r\n", REPLY_DONE, 550, "", "5.1 x", 1},
        {"550 5\r\n", REPLY_DONE, 550, "", "5", 1},
        {"550 5.1.1rc2 x\r\n", REPLY_DONE, 550, "", "5.1.1rc2 x", 1},
        {"550 # x\r\n", REPLY_DONE, 550, "", "# x", 1},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

static void incomplete_reply_wants_more(void **state)
{
    static const struct sample samples[] = {
        {"2", REPLY_MORE, 0, "", "", 0},
        {"250", REPLY_MORE, 0, "", "", 0},
        {"250 ok", REPLY_MORE, 0, "", "", 0},
        {"250 ok\r", REPLY_MORE, 0, "", "", 0},
        {"250-ok\r\n", REPLY_MORE, 0, "", "", 0},
        {"250-ok\r\n250-more\r\n25", REPLY_MORE, 0, "", "", 0},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

static void refuses_what_is_not_smtp(void **state)
{
    static const struct sample samples[] = {
        {"HTTP/1.1 400 Bad Request\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"SSH-2.0-OpenSSH_9.2\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"\n", REPLY_MALFORMED, 0, "", "", 0},
        {"25\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"2\n", REPLY_MALFORMED, 0, "", "", 0},
        {"199 x\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"600 x\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"2500 x\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"250+ x\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"250x\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {" 250 x\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"250\rx\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"250-ok\r\ncontinued\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"\xb2\x35\x30 x\r\n", REPLY_MALFORMED, 0, "", "", 0},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

static void refuses_code_that_changes(void **state)
{
    static const struct sample samples[] = {
        {"250-ok\r\n550 no\r\n", REPLY_MALFORMED, 0, "", "", 0},
        {"550-no\r\n550-no\r\n551 no\r\n", REPLY_MALFORMED, 0, "", "", 0},
    };

    (void)state;
    check_samples(samples, COUNT(samples));
}

/* postscreen's, which still makes up its mind. Other replies have none. */
static void what_follows_a_teaser_takes_its_place(void **state)
{
    static const struct {
        const char *octets;
        enum reply_status status;
        int code;
        const char *enhanced, *text;
    } table[] = {
        {"220-hello\r\n220 mx\r\n", REPLY_DONE, 220, "", "hello\nmx"},
        {"220-hello\r\n220-wait\r\n521 5.7.1 no\r\n", REPLY_DONE, 521, "5.7.1", "no"},
        {"220-hello\r\n421-4.3.2 no\r\n421 and no\r\n", REPLY_DONE, 421, "4.3.2", "no\nand no"},
        {"220-hello\r\n554 no\r\n", REPLY_MALFORMED, 0, "", ""},
        {"220-hello\r\n521-no\r\n220 yes\r\n", REPLY_MALFORMED, 0, "", ""},
        {"250-hello\r\n521 no\r\n", REPLY_MALFORMED, 0, "", ""},
    };
    static struct reply_parser parser;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        size_t used;

        reply_parser_init(&parser);
        parser.teaser = true;
        assert_int_equal(reply_feed(&parser, table[i].octets, strlen(table[i].octets), &used),
                         table[i].status);
        if (table[i].status != REPLY_DONE)
            continue;
        assert_int_equal(parser.reply.code, table[i].code);
        assert_string_equal(parser.reply.enhanced, table[i].enhanced);
        assert_string_equal(parser.reply.text, table[i].text);
    }
    reply_parser_init(&parser);
    assert_false(parser.teaser);
}

static void refuses_nul(void **state)
{
    static const char octets[] = "550 a\0b\r\n";
    static struct reply_parser parser;

    (void)state;
    for (size_t split = 0; split < sizeof octets; split++) {
        feed_split(&parser, octets, sizeof octets - 1, split);
        assert_int_equal(parser.status, REPLY_MALFORMED);
    }
}

static void garbage_is_known_without_its_line_end(void **state)
{
    static struct reply_parser parser;

    (void)state;
    feed_split(&parser, "\x16\x03\x01", 3, 0);
    assert_int_equal(parser.status, REPLY_MALFORMED);
}

static void what_follows_belongs_to_the_next_reply(void **state)
{
    static const char octets[] = "250-a\r\n250 b\r\n550 no\r\n";
    static struct reply_parser parser;
    const size_t first = strlen("250-a\r\n250 b\r\n");
    size_t used;

    (void)state;
    reply_parser_init(&parser);
    assert_int_equal(reply_feed(&parser, octets, strlen(octets), &used), REPLY_DONE);
    assert_int_equal(used, first);
    assert_int_equal(parser.reply.code, 250);
    reply_parser_init(&parser);
    assert_int_equal(reply_feed(&parser, octets + first, strlen(octets) - first, &used),
                     REPLY_DONE);
    assert_int_equal(parser.reply.code, 550);
    assert_string_equal(parser.reply.text, "no");
    assert_string_equal(parser.reply.enhanced, "");
    assert_int_equal(parser.reply.lines, 1);
}

static void complete_reply_takes_no_more(void **state)
{
    static struct reply_parser parser;
    size_t used;

    (void)state;
    reply_parser_init(&parser);
    assert_int_equal(reply_feed(&parser, "250 a\r\n", 7, &used), REPLY_DONE);
    assert_int_equal(reply_feed(&parser, "550 b\r\n", 7, &used), REPLY_DONE);
    assert_int_equal(used, 0);
    assert_int_equal(parser.reply.code, 250);
}

static void failed_parser_stays_failed(void **state)
{
    static struct reply_parser parser;
    size_t used;

    (void)state;
    reply_parser_init(&parser);
    assert_int_equal(reply_feed(&parser, "what?\r\n", 7, &used), REPLY_MALFORMED);
    assert_int_equal(reply_feed(&parser, "250 ok\r\n", 8, &used), REPLY_MALFORMED);
    assert_int_equal(used, 0);
}

static void feeding_nothing_changes_nothing(void **state)
{
    static struct reply_parser parser;
    size_t used = 99;

    (void)state;
    reply_parser_init(&parser);
    assert_int_equal(reply_feed(&parser, NULL, 0, &used), REPLY_MORE);
    assert_int_equal(used, 0);
}

/* "250 xxx…" of `len` octets before its line end; returns the whole length. */
static size_t long_line(char *octets, size_t len, const char *eol)
{
    memcpy(octets, "250 ", 4);
    memset(octets + 4, 'x', len - 4);
    memcpy(octets + len, eol, strlen(eol));
    return len + strlen(eol);
}

static void line_of_the_ceiling_is_taken(void **state)
{
    static const char *const eols[] = {"\r\n", "\n"};
    static struct reply_parser parser;
    static char octets[REPLY_LINE_MAX + 8];

    (void)state;
    for (size_t i = 0; i < COUNT(eols); i++) {
        const size_t len = long_line(octets, REPLY_LINE_MAX, eols[i]);
        for (size_t split = 0; split <= len; split++) {
            feed_split(&parser, octets, len, split);
            assert_int_equal(parser.status, REPLY_DONE);
            assert_int_equal(parser.reply.text_len, REPLY_LINE_MAX - 4);
            assert_false(parser.reply.cut);
        }
    }
}

static void line_over_the_ceiling_ends_it(void **state)
{
    static const char *const eols[] = {"\r\n", "\n", "\r\r\n", ""};
    static struct reply_parser parser;
    static char octets[REPLY_LINE_MAX + 8];

    (void)state;
    for (size_t i = 0; i < COUNT(eols); i++) {
        const size_t len = long_line(octets, REPLY_LINE_MAX + 1, eols[i]);
        for (size_t split = 0; split <= len; split++) {
            feed_split(&parser, octets, len, split);
            assert_int_equal(parser.status, REPLY_TOO_LONG);
        }
    }
}

static size_t many_lines(char *octets, unsigned lines, size_t line_len)
{
    size_t len = 0;

    for (unsigned i = 0; i < lines; i++) {
        const size_t start = len;
        len += long_line(octets + len, line_len, "\r\n");
        if (i + 1 < lines)
            octets[start + 3] = '-';
    }
    return len;
}

static void lines_of_the_ceiling_are_taken(void **state)
{
    static struct reply_parser parser;
    static char octets[LONG_MAX_OCTETS];
    const size_t len = many_lines(octets, REPLY_LINES_MAX, 5);

    (void)state;
    for (size_t split = 0; split <= len; split++) {
        assert_int_equal(feed_split(&parser, octets, len, split), len);
        assert_int_equal(parser.status, REPLY_DONE);
        assert_int_equal(parser.reply.lines, REPLY_LINES_MAX);
    }
}

static void lines_over_the_ceiling_end_it(void **state)
{
    static struct reply_parser parser;
    static char octets[LONG_MAX_OCTETS];
    const size_t len = many_lines(octets, REPLY_LINES_MAX + 1, 5);

    (void)state;
    for (size_t split = 0; split <= len; split++) {
        feed_split(&parser, octets, len, split);
        assert_int_equal(parser.status, REPLY_TOO_LONG);
    }
}

static void text_over_the_ceiling_is_cut_and_says_so(void **state)
{
    static struct reply_parser parser;
    static char octets[LONG_MAX_OCTETS];
    const size_t len = many_lines(octets, REPLY_LINES_MAX, REPLY_LINE_MAX);

    (void)state;
    assert_int_equal(feed_split(&parser, octets, len, len), len);
    assert_int_equal(parser.status, REPLY_DONE);
    assert_true(parser.reply.cut);
    assert_int_equal(parser.reply.text_len, REPLY_TEXT_MAX);
    assert_int_equal(strlen(parser.reply.text), REPLY_TEXT_MAX);
    feed_split(&parser, octets, len, 0);
    assert_int_equal(parser.reply.text_len, REPLY_TEXT_MAX);
}

static void text_cut_once_gets_nothing_more(void **state)
{
    static struct reply_parser parser;
    static char octets[LONG_MAX_OCTETS];
    size_t len = many_lines(octets, 4, REPLY_LINE_MAX);

    (void)state;
    octets[len - REPLY_LINE_MAX - 2 + 3] = '-';
    memcpy(octets + len, "250 short\r\n", strlen("250 short\r\n"));
    len += strlen("250 short\r\n");
    assert_int_equal(feed_split(&parser, octets, len, len), len);
    assert_int_equal(parser.status, REPLY_DONE);
    assert_null(strstr(parser.reply.text, "short"));
}

/* Random octets over an alphabet that often makes replies: the way of feeding changes nothing. */
static void any_octets_give_the_same_however_fed(void **state)
{
    static const char alphabet[] = "2250055-- .15#a\r\n\n\xe4";
    static struct reply_parser whole, split, single;
    const unsigned seed = (unsigned)time(NULL);
    unsigned random = seed;

    (void)state;
    printf("# seed %u\n", seed);
    for (unsigned round = 0; round < WAYS_MAX; round++) {
        char octets[24];
        size_t used;
        for (size_t i = 0; i < sizeof octets; i++) {
            random = random * 1103515245U + 12345U;
            octets[i] = alphabet[(random >> 16) % sizeof alphabet];
        }
        if (round % 2 == 0)
            memcpy(octets, "250-5.1.", 4);
        used = feed_split(&whole, octets, sizeof octets, sizeof octets);
        assert_int_equal(feed_split(&split, octets, sizeof octets, 1 + round % sizeof octets),
                         used);
        assert_int_equal(feed_split(&single, octets, sizeof octets, 0), used);
        assert_int_equal(split.status, whole.status);
        assert_int_equal(single.status, whole.status);
        assert_int_equal(single.reply.code, whole.reply.code);
        assert_string_equal(split.reply.text, whole.reply.text);
        assert_string_equal(single.reply.text, whole.reply.text);
        assert_string_equal(single.reply.enhanced, whole.reply.enhanced);
    }
}

static void check_format(const char *octets, size_t size, const char *expected)
{
    static struct reply_parser parser;
    char text[RB_REPLY_MAX + 1];

    assert_true(size <= sizeof text);
    feed_split(&parser, octets, strlen(octets), strlen(octets));
    assert_int_equal(parser.status, REPLY_DONE);
    assert_int_equal(reply_format(&parser.reply, text, size), strlen(expected));
    assert_string_equal(text, expected);
}

static void format_is_one_printable_line(void **state)
{
    (void)state;
    check_format("250 2.1.5 Ok\r\n", 100, "250 2.1.5 Ok");
    check_format("550-5.1.1 first line\r\n550 5.1.1 second line\r\n", 100,
                 "550 5.1.1 first line second line");
    check_format("550 #5.1.0 Address rejected.\r\n", 100, "550 5.1.0 Address rejected.");
    check_format("550 a\x01\x7f\xc3\xa4z\r\n", 100, "550 a????z");
    check_format("550 a\rb\t\tc\r\n", 100, "550 a b c");
}

static void format_of_a_bare_code_has_no_trailing_space(void **state)
{
    (void)state;
    check_format("250\r\n", 100, "250");
    check_format("250 \r\n", 100, "250");
    check_format("550 5.1.1\r\n", 100, "550 5.1.1");
    check_format("250-\r\n250-\r\n250 \r\n", 100, "250");
}

static void format_cuts_to_size(void **state)
{
    (void)state;
    check_format("550 5.1.1 User unknown\r\n", 16, "550 5.1.1 Us...");
    check_format("550 5.1.1 User unknown\r\n", 23, "550 5.1.1 User unknown");
    check_format("550 5.1.1 User unknown\r\n", 22, "550 5.1.1 User unk...");
    check_format("550 5.1.1 User unknown\r\n", 4, "...");
    check_format("550 5.1.1 User unknown\r\n", 3, "");
    check_format("550 5.1.1 User unknown\r\n", 1, "");
}

static void format_of_the_longest_reply_fits(void **state)
{
    static struct reply_parser parser;
    static char octets[LONG_MAX_OCTETS];
    const size_t len = many_lines(octets, REPLY_LINES_MAX, REPLY_LINE_MAX);
    char text[RB_REPLY_MAX + 1];

    (void)state;
    feed_split(&parser, octets, len, len);
    assert_int_equal(reply_format(&parser.reply, text, sizeof text), RB_REPLY_MAX);
    assert_string_equal(text + RB_REPLY_MAX - 4, "x...");
}

static void class_is_the_first_digit(void **state)
{
    struct reply reply = {.code = 250};

    (void)state;
    assert_int_equal(reply_class(&reply), 2);
    reply.code = 354;
    assert_int_equal(reply_class(&reply), 3);
    reply.code = 421;
    assert_int_equal(reply_class(&reply), 4);
    reply.code = 599;
    assert_int_equal(reply_class(&reply), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_single_line),
        cmocka_unit_test(reads_several_lines),
        cmocka_unit_test(takes_what_hosts_do_beyond_the_grammar),
        cmocka_unit_test(finds_enhanced_code),
        cmocka_unit_test(what_only_looks_like_an_enhanced_code_stays_text),
        cmocka_unit_test(incomplete_reply_wants_more),
        cmocka_unit_test(refuses_what_is_not_smtp),
        cmocka_unit_test(refuses_code_that_changes),
        cmocka_unit_test(what_follows_a_teaser_takes_its_place),
        cmocka_unit_test(refuses_nul),
        cmocka_unit_test(garbage_is_known_without_its_line_end),
        cmocka_unit_test(what_follows_belongs_to_the_next_reply),
        cmocka_unit_test(complete_reply_takes_no_more),
        cmocka_unit_test(failed_parser_stays_failed),
        cmocka_unit_test(feeding_nothing_changes_nothing),
        cmocka_unit_test(line_of_the_ceiling_is_taken),
        cmocka_unit_test(line_over_the_ceiling_ends_it),
        cmocka_unit_test(lines_of_the_ceiling_are_taken),
        cmocka_unit_test(lines_over_the_ceiling_end_it),
        cmocka_unit_test(text_over_the_ceiling_is_cut_and_says_so),
        cmocka_unit_test(text_cut_once_gets_nothing_more),
        cmocka_unit_test(any_octets_give_the_same_however_fed),
        cmocka_unit_test(format_is_one_printable_line),
        cmocka_unit_test(format_of_a_bare_code_has_no_trailing_space),
        cmocka_unit_test(format_cuts_to_size),
        cmocka_unit_test(format_of_the_longest_reply_fits),
        cmocka_unit_test(class_is_the_first_digit),
    };

    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
