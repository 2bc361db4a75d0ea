/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_snapshot: who has a snapshot keeps it, whatever becomes the one of today, and the last who
 * gives it back frees it.
 */
#include "config.h"

#include "options/snapshot.h"

#include <pthread.h>

#include "check.h"

enum { READERS = 4, TAKES = 2000, REPLACEMENTS = 200 };

static struct snapshot *made(const char *helo_name)
{
    static const char *const resolvers[] = {"127.0.0.1:5353"};
    struct rb_options options;
    struct snapshot *snapshot;

    rb_options_init(&options);
    options.helo_name = helo_name;
    options.resolvers = resolvers;
    options.resolver_count = 1;
    assert_int_equal(snapshot_new(&options, -1, &snapshot, NULL, 0), RB_OK);
    return snapshot;
}

static void what_is_wrong_is_told_in_words(void **state)
{
    static const char *const resolvers[] = {"no address"};
    struct rb_options options;
    struct snapshot *snapshot;
    char detail[200];
    (void)state;

    rb_options_init(&options);
    assert_int_equal(snapshot_new(&options, -1, &snapshot, detail, sizeof detail), RB_ERR_ARGUMENT);
    assert_null(snapshot);
    assert_non_null(strstr(detail, "helo_name"));
    options.helo_name = "mail.example.org";
    options.resolvers = resolvers;
    options.resolver_count = 1;
    assert_int_equal(snapshot_new(&options, -1, &snapshot, detail, sizeof detail), RB_ERR_ARGUMENT);
    assert_null(snapshot);
    assert_non_null(strstr(detail, "resolvers"));
    assert_int_equal(snapshot_new(&options, -1, &snapshot, NULL, 0), RB_ERR_ARGUMENT);
    snapshot_put(NULL);
}

static void who_has_one_keeps_it_when_another_is_that_of_today(void **state)
{
    struct snapshots snapshots;
    struct snapshot *old, *fresh;
    (void)state;

    snapshots_init(&snapshots);
    snapshots_replace(&snapshots, made("old.example.org"));
    old = snapshots_get(&snapshots);
    snapshots_replace(&snapshots, made("fresh.example.org"));
    fresh = snapshots_get(&snapshots);
    assert_string_equal(old->options->o.helo_name, "old.example.org");
    assert_string_equal(fresh->options->o.helo_name, "fresh.example.org");
    assert_int_equal(atomic_load(&old->references), 1);
    assert_int_equal(atomic_load(&fresh->references), 2);
    snapshot_put(old); /* and now gone: the leak checker sees to it */
    snapshot_put(fresh);
    snapshots_fini(&snapshots);
}

static void *take_many_times(void *arg)
{
    size_t wrong = 0;

    for (int i = 0; i < TAKES; i++) {
        struct snapshot *mine = snapshots_get(arg);

        wrong += strcmp(mine->options->o.helo_name, "mail.example.org") != 0;
        snapshot_put(mine);
    }
    return wrong == 0 ? NULL : arg;
}

static void it_may_be_replaced_while_others_take_it(void **state)
{
    pthread_t readers[READERS];
    struct snapshots snapshots;
    (void)state;

    snapshots_init(&snapshots);
    snapshots_replace(&snapshots, made("mail.example.org"));
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, take_many_times, &snapshots), 0);
    for (int i = 0; i < REPLACEMENTS; i++)
        snapshots_replace(&snapshots, made("mail.example.org"));
    for (size_t i = 0; i < READERS; i++) {
        void *failed = &snapshots;

        assert_int_equal(pthread_join(readers[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(atomic_load(&snapshots.current->references), 1);
    snapshots_fini(&snapshots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told_in_words),
        cmocka_unit_test(who_has_one_keeps_it_when_another_is_that_of_today),
        cmocka_unit_test(it_may_be_replaced_while_others_take_it),
    };

    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
