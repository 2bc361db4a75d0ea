/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_chart: columns are the minutes they say, as high as what was decided then, one kind upon the
 * other; and the same stands in a table.
 */
#include "config.h"

#include "http/chart.h"

#include "check.h"

#include "fake_clock.h"

static struct fake_clock clock_;
static struct chart chart;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
    fake_clock_init(&clock_);
    chart.id = "c";
    chart.title = "A < B";
    return history_start(&clock_.clock) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    history_end();
    return 0;
}

static char *drawn(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    chart_write(out, &chart);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void columns_are_the_minutes_they_say(void **state)
{
    (void)state;
    history_decided(RB_REASON_ACCEPTED);
    fake_clock_advance_s(&clock_, 3 * 60);
    history_decided(RB_REASON_NO_SUCH_USER);
    history_decided(RB_REASON_NO_SUCH_USER);
    chart_fill(&chart, 10, 1);
    assert_int_equal(chart.count, 10);
    assert_int_equal(chart.columns[9].begin_s, (2000000000 + 180) / 60 * 60);
    assert_int_equal(chart.columns[9].decisions[HISTORY_INVALID], 2);
    assert_int_equal(chart.columns[6].decisions[HISTORY_VALID], 1);
    assert_int_equal(chart.columns[6].begin_s, 2000000000 / 60 * 60);
    chart_fill(&chart, 5, 4);
    assert_int_equal(chart.columns[4].decisions[HISTORY_INVALID], 2);
    assert_int_equal(chart.columns[4].decisions[HISTORY_VALID], 1);
    chart_fill(&chart, UINT32_MAX, 1);
    assert_int_equal(chart.count, CHART_COLUMNS_MAX);
}

static void the_scale_is_a_number_that_people_count_by(void **state)
{
    static const struct {
        uint64_t most, scale;
    } table[] = {{0, 1},   {1, 1},    {2, 2},     {7, 8},     {9, 10},     {10, 10},
                 {11, 20}, {99, 100}, {290, 300}, {601, 800}, {801, 1000}, {12345, 20000}};

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        assert_int_equal(chart_scale(table[i].most), table[i].scale);
    for (uint64_t most = UINT64_MAX; most > 0; most /= 3)
        assert_true(chart_scale(most) >= most);
}

static void one_kind_stands_upon_the_other(void **state)
{
    char *text;

    (void)state;
    history_decided(RB_REASON_ACCEPTED);
    history_decided(RB_REASON_NULL_MX);
    chart_fill(&chart, 3, 1);
    text = drawn();
    assert_non_null(strstr(text, "<rect class=\"valid\" x=\"21\" y=\"500.0\" width=\"8\" "
                                 "height=\"500.0\"/><rect class=\"invalid\" x=\"21\" y=\"0.0\" "
                                 "width=\"8\" height=\"500.0\"/>"));
    assert_non_null(strstr(text, "<title>03:33: 1 invalid, 1 valid</title>"));
    assert_non_null(strstr(text, "<th scope=\"row\">03:33</th><td>1</td><td>1</td><td>0</td>"));
    assert_non_null(strstr(text, "A &lt; B"));
    free(text);
}

static void where_nothing_was_decided_nothing_is_drawn(void **state)
{
    char *text;

    (void)state;
    chart_fill(&chart, 60, 1);
    text = drawn();
    assert_null(strstr(text, "<rect"));
    assert_non_null(strstr(text, "<svg"));
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(columns_are_the_minutes_they_say),
        TEST(the_scale_is_a_number_that_people_count_by),
        TEST(one_kind_stands_upon_the_other),
        TEST(where_nothing_was_decided_nothing_is_drawn),
    };

    return cmocka_run_group_tests_name("chart", tests, NULL, NULL);
}
