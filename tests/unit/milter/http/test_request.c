/* SPDX-License-Identifier: BSD-2-Clause */
/* test_request: targets of requests, and the arguments in them. */
#include "config.h"

#include "http/request.h"

#include "check.h"

static struct http_request request;

static bool reads(const char *target)
{
    return request_read(&request, target);
}

static void a_path_is_decoded(void **state)
{
    (void)state;
    assert_true(reads("/"));
    assert_string_equal(request.path, "/");
    assert_string_equal(request.authority, "");
    assert_true(reads("/%68ealthz%3Fx"));
    assert_string_equal(request.path, "/healthz?x");
    assert_true(reads("/a+b"));
    assert_string_equal(request.path, "/a+b");
}

static void an_argument_is_decoded(void **state)
{
    (void)state;
    assert_true(reads("/why?address=user%2Btag%40d.example&to=a+b&none&empty=&=x&a==b"));
    assert_string_equal(request.path, "/why");
    assert_string_equal(http_argument(&request, "address"), "user+tag@d.example");
    assert_string_equal(http_argument(&request, "to"), "a b");
    assert_string_equal(http_argument(&request, "none"), "");
    assert_string_equal(http_argument(&request, "empty"), "");
    assert_string_equal(http_argument(&request, ""), "x");
    assert_string_equal(http_argument(&request, "a"), "=b");
    assert_null(http_argument(&request, "addres"));
}

static void the_first_of_a_name_counts(void **state)
{
    (void)state;
    assert_true(reads("/?a=1&a=2"));
    assert_string_equal(http_argument(&request, "a"), "1");
}

static void arguments_of_before_are_gone(void **state)
{
    (void)state;
    assert_true(reads("/?a=1"));
    assert_true(reads("/"));
    assert_null(http_argument(&request, "a"));
}

static void a_question_mark_may_be_in_a_query(void **state)
{
    (void)state;
    assert_true(reads("/p?a=b?c=d"));
    assert_string_equal(http_argument(&request, "a"), "b?c=d");
}

static void utf8_is_taken_and_nothing_else(void **state)
{
    static const char *const good[] = {"/?a=%C3%A9",   "/?a=%E2%82%AC", "/?a=%F0%9F%98%80",
                                       "/?a=\xC3\xA9", "/?a=%ED%9F%BF", "/?a=%F4%8F%BF%BF"};
    static const char *const bad[] = {"/?a=%80",
                                      "/?a=%C0%AF",
                                      "/?a=%C3",
                                      "/?a=%E2%82",
                                      "/?a=%E0%80%80",
                                      "/?a=%ED%A0%80",
                                      "/?a=%F0%80%80%80",
                                      "/?a=%F4%90%80%80",
                                      "/?a=%F8%88%80%80%80",
                                      "/?a=%FF",
                                      "/?%FF=a",
                                      "/%FF",
                                      "/?a=%C3&b=%A9",
                                      "/\xFF"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!reads(good[i]))
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (reads(bad[i]))
            fail_msg("%s is taken", bad[i]);
}

static void what_cannot_be_decoded_is_refused(void **state)
{
    static const char *const bad[] = {
        "/%",        "/%4",    "/%zz",    "/%4z",    "/?a=%00",   "/%00",      "/?%00",
        "/?a=%",     "/?a=%2", "/#x",     "/?a#x",   "",          "x",         "*",
        "a/b",       "?a=b",   "http:/x", "http://", "http:///x", "http://?x", "https://localhost/",
        "%2Fhealthz"};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (reads(bad[i]))
            fail_msg("%s is taken", bad[i]);
}

static void the_absolute_form_has_an_authority(void **state)
{
    (void)state;
    assert_true(reads("HTTP://localhost:8895/why?a=b"));
    assert_string_equal(request.authority, "localhost:8895");
    assert_string_equal(request.path, "/why");
    assert_string_equal(http_argument(&request, "a"), "b");
    assert_true(reads("http://h"));
    assert_string_equal(request.authority, "h");
    assert_string_equal(request.path, "/");
    assert_true(reads("http://h?a=b"));
    assert_string_equal(request.path, "/");
    assert_string_equal(http_argument(&request, "a"), "b");
}

static void there_is_a_ceiling_for_arguments(void **state)
{
    char target[100] = "/?";

    (void)state;
    for (int i = 0; i < REQUEST_ARGUMENTS_MAX; i++)
        strcat(target, "a&");
    assert_true(reads(target));
    assert_int_equal(request.argument_count, REQUEST_ARGUMENTS_MAX);
    strcat(target, "a");
    assert_false(reads(target));
}

static void there_is_a_ceiling_for_octets(void **state)
{
    char target[REQUEST_TARGET_MAX + 2];

    (void)state;
    memset(target, '/', sizeof target);
    target[REQUEST_TARGET_MAX] = '\0';
    assert_true(reads(target));
    target[REQUEST_TARGET_MAX] = '/';
    target[REQUEST_TARGET_MAX + 1] = '\0';
    assert_false(reads(target));
    assert_string_equal(request.text, ""); /* by which the server knows why */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_decoded),
        cmocka_unit_test(an_argument_is_decoded),
        cmocka_unit_test(the_first_of_a_name_counts),
        cmocka_unit_test(arguments_of_before_are_gone),
        cmocka_unit_test(a_question_mark_may_be_in_a_query),
        cmocka_unit_test(utf8_is_taken_and_nothing_else),
        cmocka_unit_test(what_cannot_be_decoded_is_refused),
        cmocka_unit_test(the_absolute_form_has_an_authority),
        cmocka_unit_test(there_is_a_ceiling_for_arguments),
        cmocka_unit_test(there_is_a_ceiling_for_octets),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
