/* SPDX-License-Identifier: BSD-2-Clause */
/* test_window: a list is in no hurry: what a limit forbids is asked again when it does not. */
#include "config.h"

#include "check.h"
#include "sched/hostslots.h"
#include "tool/window.h"
#include "verifier_rig.h"

#include <stdio.h>
#include <stdlib.h>

static const struct fake_dns_answer mx[] = {{.type = ns_t_mx,
                                             .preference = 10,
                                             .data = "mx.example"}},
                                    address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_row zone[] = {
    {.name = "mx.example", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "one.example", .type = ns_t_mx, .answers = mx, .count = 1},
};
static const struct fake_host_options too_much = {
    .mail = "450 4.7.1 Error: too much mail from 127.0.0.1",
    .null_sender = "450 4.7.1 Error: too much mail from 127.0.0.1",
};
static const struct fake_host_options knows_nobody = {.pipelining = true};

enum { LINES = 20, PAUSE_MS = 3600000 }; /* it ends when a test says so */

static int set_up(void **state)
{
    static const struct rig_world world = {zone, COUNT(zone), &too_much};

    return rig_set_up(state, &world);
}

static char *format(const struct rb_answer *answer, const char *input, size_t len, const void *arg)
{
    (void)input;
    (void)len;
    (void)arg;
    return strdup(rb_reason_name(answer->reason));
}

/* All of a list. */
static struct window *begin(const struct rig *rig, int64_t pause_ms)
{
    struct window *window = calloc(1, sizeof *window);

    assert_non_null(window);
    window->verifier = rig->verifier;
    window->format = format;
    window->pause_ms = pause_ms; /* the verifier's own pause is by the fake clock */
    for (int i = 0; i < LINES; i++) {
        char line[32];
        int len = snprintf(line, sizeof line, "user%d@one.example", i);

        assert_int_equal(window_add(window, line, (size_t)len, NULL), RB_OK);
    }
    return window;
}

static void look(struct window *window)
{
    assert_int_equal(window_look(window), RB_OK);
    check_pause();
}

static void end_pauses(struct window *window)
{
    for (size_t i = 0; i < WINDOW_DOMAINS; i++)
        window->pauses[i].until_ms = 0;
}

static void what_was_too_much_for_a_host_is_asked_again_later(void **state)
{
    struct rig *rig = *state;
    struct window *window;

    rig->options.per_domain_rate.count = 0;
    rig->options.shield.addresses = 0;
    rig_open(rig);
    window = begin(rig, PAUSE_MS);
    while (rig_stats(rig).callouts[RB_REASON_LIMITED] == 0 || window->under_way > 0)
        look(window);
    /* One session, or as many as had begun by then; no line of the list has an answer. */
    assert_true(fake_host_heard(rig->host, "MAIL") <= rig->options.per_domain_sessions);
    assert_true(rig_connections(rig) <= rig->options.per_domain_sessions);
    assert_null(window_oldest(window));
    rig_start_host(rig, &knows_nobody);
    fake_clock_advance_s(&rig->clock, HOSTSLOTS_PAUSE_MS / 1000);
    end_pauses(window);
    for (int i = 0; i < LINES; i++) {
        while (window_oldest(window) == NULL)
            look(window);
        assert_string_equal(window_oldest(window)->text, "no_such_user");
        window_drop(window);
    }
    window_fini(window);
    free(window);
}

/* It may not be a matter of time. */
static void a_host_for_which_we_are_always_too_much_is_not_waited_for_without_end(void **state)
{
    struct rig *rig = *state;
    struct window *window;

    rig->options.per_domain_rate.count = 0;
    rig_open(rig);
    window = begin(rig, 1);
    for (int i = 0; i < LINES; i++) {
        while (window_oldest(window) == NULL)
            look(window);
        assert_string_equal(window_oldest(window)->text, "limited");
        window_drop(window);
    }
    assert_true(rig_connections(rig) <= rig->options.per_domain_sessions);
    window_fini(window);
    free(window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_too_much_for_a_host_is_asked_again_later, set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(
            a_host_for_which_we_are_always_too_much_is_not_waited_for_without_end, set_up,
            rig_tear_down),
    };

    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
