/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_html: whatever a text holds, it is text in the page: no tag, no attribute, no entity, no
 * character that turns or hides what stands beside it. Numbers and times read as people write them.
 */
#include "config.h"

#include "http/html.h"

#include "check.h"

/* What a writer wrote; until the next call. */
static char *written;

static FILE *begin(void)
{
    static size_t size;
    FILE *out;

    free(written);
    written = NULL;
    out = open_memstream(&written, &size);
    assert_non_null(out);
    return out;
}

static const char *end(FILE *out)
{
    assert_int_equal(fclose(out), 0);
    return written;
}

static const char *text(const char *given)
{
    FILE *out = begin();

    html_text(out, given);
    return end(out);
}

static const char *attribute(const char *given)
{
    FILE *out = begin();

    html_attribute(out, "value", given);
    return end(out);
}

#define BAD "\xEF\xBF\xBD"
#define MARK(name) "<span class=\"mark\">U+" name "</span>"

static void text_is_nothing_but_text(void **state)
{
    static const struct {
        const char *given, *wanted;
    } table[] = {
        {"", ""},
        {"user@example.org", "user@example.org"},
        {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"\"' onload='x\" &lt;", "&quot;&#39; onload=&#39;x&quot; &amp;lt;"},
        {"gr\xC3\xBC\xC3\x9F\x65@b\xC3\xBC\x63her.example",
         "gr\xC3\xBC\xC3\x9F\x65@b\xC3\xBC\x63her.example"},
        {"\xF0\x9F\x93\xAC", "\xF0\x9F\x93\xAC"},
        {"a\001b", "a" MARK("0001") "b"},
        {"a\tb\r\n", "a" MARK("0009") "b" MARK("000D") MARK("000A")},
        {"\x7F", MARK("007F")},
        {"\xC2\x85", MARK("0085")},
        {"\xE2\x80\xAEmoc", MARK("202E") "moc"},
        {"\xE2\x81\xA6x\xE2\x81\xA9", MARK("2066") "x" MARK("2069")},
        {"\xD8\x9C", MARK("061C")},
        {"a\xE2\x80\x8B\x62", "a" MARK("200B") "b"},
        {"\xEF\xBB\xBF", MARK("FEFF")},
        {"\xE2\x80\xA8", MARK("2028")},
        {"\xF3\xA0\x81\x81", MARK("E0041")},
        {"\xEF\xBF\xBF", MARK("FFFF")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        assert_string_equal(text(table[i].given), table[i].wanted);
}

static void octets_that_are_no_utf8_are_shown_as_such(void **state)
{
    static const struct {
        const char *given, *wanted;
    } table[] = {
        {"a\xFF\x62", "a" BAD "b"},
        {"\x80", BAD},
        {"\xC3", BAD},         /* its end is missing */
        {"\xC3<", BAD "&lt;"}, /* and does not take what follows with it */
        {"\xE2\x82<b>", BAD BAD "&lt;b&gt;"},
        {"\xC0\xBC", BAD BAD},         /* '<', in too many octets */
        {"\xE0\x80\xBC", BAD BAD BAD}, /* the same */
        {"\xED\xA0\x80", BAD BAD BAD}, /* a surrogate */
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD},
        {"\xF8\x88\x80\x80\x80", BAD BAD BAD BAD BAD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        assert_string_equal(text(table[i].given), table[i].wanted);
}

static void an_attribute_ends_where_we_end_it(void **state)
{
    static const struct {
        const char *given, *wanted;
    } table[] = {
        {"", " value=\"\""},
        {"a\" onfocus=\"b", " value=\"a&quot; onfocus=&quot;b\""},
        {"<>&'", " value=\"&lt;&gt;&amp;&#39;\""},
        {"\n", " value=\"" BAD "\""},
        {"\xE2\x80\xAE", " value=\"&#x202E;\""}, /* what a form sends back is what came */
        {"\xC2\x85", " value=\"" BAD "\""},
        {"\xEF\xBF\xBE", " value=\"" BAD "\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        assert_string_equal(attribute(table[i].given), table[i].wanted);
}

static void a_query_has_no_end_of_its_own(void **state)
{
    FILE *out = begin();

    (void)state;
    html_query(out, "address", "a&b=c\"<#%+ \xC3\xBC@example.org");
    assert_string_equal(end(out), "address=a%26b%3Dc%22%3C%23%25%2B%20%C3%BC@example.org");
}

static void a_stranger_has_a_direction_of_its_own(void **state)
{
    FILE *out = begin();

    (void)state;
    html_stranger(out, "<x>");
    assert_string_equal(end(out), "<bdi dir=\"ltr\">&lt;x&gt;</bdi>");
    out = begin();
    html_element(out, "span", "role", "a & b");
    assert_string_equal(end(out), "<span class=\"role\">a &amp; b</span>");
}

static void numbers_read_as_people_write_them(void **state)
{
    static const struct {
        uint64_t given;
        const char *wanted;
    } table[] = {{0, "0 octets"},
                 {1, "1 octet"},
                 {999, "999 octets"},
                 {1000, "1,000 octets"},
                 {123456, "123,456 octets"},
                 {UINT64_MAX, "18,446,744,073,709,551,615 octets"}};

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        FILE *out = begin();

        html_count(out, table[i].given, "octet", "octets");
        assert_string_equal(end(out), table[i].wanted);
    }
}

static void waits_and_spans_have_their_unit(void **state)
{
    static const struct {
        int64_t wait_ms;
        const char *wait;
        int64_t span_s;
        const char *span;
    } table[] = {
        {-1, "–", -5, "0&nbsp;s"},
        {0, "0", 59, "59&nbsp;s"},
        {999, "999&nbsp;ms", 60, "1&nbsp;min"},
        {1430, "1.43&nbsp;s", 7200, "2&nbsp;h"},
        {9999, "9.99&nbsp;s", 3599, "1&nbsp;h"},
        {10000, "10&nbsp;s", 259190, "3&nbsp;days"},
        {12345, "12&nbsp;s", 172800, "2&nbsp;days"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        FILE *out = begin();

        html_wait(out, table[i].wait_ms);
        assert_string_equal(end(out), table[i].wait);
        out = begin();
        html_span(out, table[i].span_s);
        assert_string_equal(end(out), table[i].span);
    }
}

static void a_moment_has_its_day_where_that_is_not_today(void **state)
{
    FILE *out = begin();

    (void)state;
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
    html_time(out, 2000000000, 2000000060);
    assert_string_equal(end(out), "<time datetime=\"2033-05-18T03:33:20Z\">03:33:20</time>");
    out = begin();
    html_time(out, 2000000000, 2000086400);
    assert_string_equal(end(out),
                        "<time datetime=\"2033-05-18T03:33:20Z\">2033-05-18 03:33:20</time>");
}

static int forget(void **state)
{
    (void)state;
    free(written);
    written = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_nothing_but_text),
        cmocka_unit_test(octets_that_are_no_utf8_are_shown_as_such),
        cmocka_unit_test(an_attribute_ends_where_we_end_it),
        cmocka_unit_test(a_query_has_no_end_of_its_own),
        cmocka_unit_test(a_stranger_has_a_direction_of_its_own),
        cmocka_unit_test(numbers_read_as_people_write_them),
        cmocka_unit_test(waits_and_spans_have_their_unit),
        cmocka_unit_test(a_moment_has_its_day_where_that_is_not_today),
    };

    return cmocka_run_group_tests_name("html", tests, NULL, forget);
}
