/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_daemon: whether the descriptors that the system allows are enough for what the configuration
 * allows.
 */
#include "config.h"

#include "check.h"
#include "daemon/daemon.h"

#include <sys/resource.h>

static void too_few_descriptors_are_noticed(void **state)
{
    static const struct {
        unsigned long allowed;
        unsigned max_workers, max_held;
        bool enough;
    } rows[] = {
        {1024, 256, 1024, false}, {1791, 256, 1024, false}, {1792, 256, 1024, true},
        {1024, 256, 0, true},     {512, 1, 0, false},       {513, 1, 0, true},
    };
    struct config *config;
    struct rlimit before;

    (void)state;
    assert_int_equal(config_defaults(&config), RB_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct rlimit limit = {.rlim_cur = rows[i].allowed, .rlim_max = before.rlim_max};

        if (rows[i].allowed > before.rlim_max)
            continue; /* such a machine has the other rows */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        config->callout.max_workers = rows[i].max_workers;
        config->callout.max_held = rows[i].max_held;
        assert_int_equal(daemon_scarce_descriptors(config), rows[i].enough ? 0 : rows[i].allowed);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    config_put(config);
}

static void as_many_descriptors_as_may_be_are_taken(void **state)
{
    struct rlimit before, few, after;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    daemon_raise_descriptors();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void a_group_is_found_by_its_name(void **state)
{
    gid_t group = 1;

    (void)state;
    assert_true(daemon_find_group("root", &group));
    assert_int_equal(group, 0);
    assert_false(daemon_find_group("rb-no-such-group", &group));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_few_descriptors_are_noticed),
        cmocka_unit_test(as_many_descriptors_as_may_be_are_taken),
        cmocka_unit_test(a_group_is_found_by_its_name),
    };

    return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
