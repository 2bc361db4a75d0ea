/* SPDX-License-Identifier: BSD-2-Clause */
/* liveness: what is a standstill, and what is not. A row is a look, a sixth of a minute later. */
#include "config.h"

#include "daemon/liveness.h"

#include "check.h"

enum { STEP_MS = 10000, TOTAL_MS = 120000 };

struct row {
    bool answered;
    uint64_t clients, under_way, done;
    unsigned looks; /* of the same */
    enum liveness_state state;
};

static void look_at(struct liveness *liveness, int64_t *now_ms, const struct row *row)
{
    for (unsigned i = 0; i < row->looks; i++) {
        const struct liveness_sight sight = {
            .now_ms = *now_ms += STEP_MS,
            .answered = row->answered,
            .clients = row->clients,
            .under_way = row->under_way,
            .done = row->done,
            .total_timeout_ms = TOTAL_MS,
        };

        assert_int_equal(liveness_look(liveness, &sight), row->state);
    }
}

static void check_rows(const struct row *rows, size_t count)
{
    struct liveness liveness = {0};
    int64_t now_ms = 5000000;

    for (size_t i = 0; i < count; i++)
        look_at(&liveness, &now_ms, &rows[i]);
}

static void an_idle_daemon_that_answers_lives(void **state)
{
    static const struct row rows[] = {{.answered = true, .looks = 1000}};

    (void)state;
    check_rows(rows, COUNT(rows));
}

static void a_filter_that_lets_nobody_in_is_silent(void **state)
{
    static const struct row rows[] = {
        {.answered = true, .looks = 3},
        {.answered = false, .looks = 5, .state = LIVENESS_FILTER_SILENT},
        {.answered = true, .looks = 1},
        {.answered = false, .looks = 1, .state = LIVENESS_FILTER_SILENT},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

static void new_clients_show_life_where_we_wait_behind_them(void **state)
{
    static const struct row rows[] = {
        {.clients = 1, .looks = 1},
        {.clients = 2, .looks = 1},
        {.clients = 2, .looks = 1, .state = LIVENESS_FILTER_SILENT},
        {.clients = 3, .looks = 1},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

static void callouts_that_a_slow_host_keeps_are_not_stuck(void **state)
{
    static const struct row rows[] = {
        {.answered = true, .done = 7, .under_way = 1, .looks = 12}, /* total_timeout */
        {.answered = true, .done = 8, .under_way = 1, .looks = 12}, /* the next host is */
        {.answered = true, .done = 9, .under_way = 40, .looks = 12},
        {.answered = true, .done = 9, .looks = 1000}, /* nothing to do */
        {.answered = true, .done = 9, .under_way = 1, .looks = 12},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

static void callouts_that_never_get_on_are_stuck(void **state)
{
    static const struct row rows[] = {
        {.answered = true, .done = 7, .under_way = 3, .looks = 1},
        {.answered = true,
         .done = 7,
         .under_way = 4,
         .looks = (TOTAL_MS + LIVENESS_SLACK_MS) / STEP_MS},
        {.answered = true, .done = 7, .under_way = 4, .looks = 9, .state = LIVENESS_CALLOUTS_STUCK},
        {.answered = true, .done = 8, .under_way = 4, .looks = 1},
    };

    (void)state;
    check_rows(rows, COUNT(rows));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_daemon_that_answers_lives),
        cmocka_unit_test(a_filter_that_lets_nobody_in_is_silent),
        cmocka_unit_test(new_clients_show_life_where_we_wait_behind_them),
        cmocka_unit_test(callouts_that_a_slow_host_keeps_are_not_stuck),
        cmocka_unit_test(callouts_that_never_get_on_are_stuck),
    };

    return cmocka_run_group_tests_name("liveness", tests, NULL, NULL);
}
