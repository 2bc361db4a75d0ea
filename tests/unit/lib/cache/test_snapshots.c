/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_snapshots: snapshots show what was last committed, are the same for the next reader as long
 * as nothing was, and hold no page for long. Over a real LMDB environment in a folder of its own.
 */
#include "config.h"

#include "cache/snapshots.h"

#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { MAP_SIZE = 4 << 20, THREADS = 4, ROUNDS = 300, STOPS = 50, TRIES = 1000 };

static const char DATA_NAME[] = "data.mdb";
static const char LOCK_NAME[] = "lock.mdb";

static char the_key[] = "k"; /* LMDB takes no const */

struct fixture {
    char folder[64];
    MDB_env *env;
    MDB_dbi dbi;
    struct snapshots *snapshots;
};

static int open_with(void **state, bool keep)
{
    static struct fixture f;
    MDB_txn *txn;
    f = (struct fixture){.folder = "/tmp/test_snapshots.XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    assert_int_equal(mdb_env_create(&f.env), MDB_SUCCESS);
    assert_int_equal(mdb_env_set_mapsize(f.env, MAP_SIZE), MDB_SUCCESS);
    assert_int_equal(mdb_env_open(f.env, f.folder, MDB_NOTLS | MDB_NOSYNC, 0600), MDB_SUCCESS);
    assert_int_equal(mdb_txn_begin(f.env, NULL, 0, &txn), MDB_SUCCESS);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &f.dbi), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    f.snapshots = snapshots_open(f.env, keep);
    assert_non_null(f.snapshots);
    *state = &f;
    return 0;
}

static int open_keeping(void **state)
{
    return open_with(state, true);
}

static int open_not_keeping(void **state)
{
    return open_with(state, false);
}

static int close_all(void **state)
{
    struct fixture *f = *state;
    char path[96];
    snapshots_close(f->snapshots);
    mdb_env_close(f->env);
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, DATA_NAME);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, LOCK_NAME);
    (void)unlink(path);
    return rmdir(f->folder);
}

static void commit(struct fixture *f, unsigned number)
{
    MDB_txn *txn;
    MDB_val key = {.mv_size = 1, .mv_data = the_key};
    MDB_val value = {.mv_size = sizeof number, .mv_data = &number};
    assert_int_equal(mdb_txn_begin(f->env, NULL, 0, &txn), MDB_SUCCESS);
    assert_int_equal(mdb_put(txn, f->dbi, &key, &value, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

/* 0: nothing was committed yet. */
static unsigned number_in(const struct fixture *f, const struct snapshot *snapshot)
{
    unsigned number = 0;
    MDB_val key = {.mv_size = 1, .mv_data = the_key};
    MDB_val value;
    if (mdb_get(snapshot_txn(snapshot), f->dbi, &key, &value) == MDB_SUCCESS)
        memcpy(&number, value.mv_data, sizeof number);
    return number;
}

static unsigned read_number(struct fixture *f)
{
    struct snapshot *snapshot;
    assert_int_equal(snapshots_take(f->snapshots, &snapshot), MDB_SUCCESS);
    const unsigned number = number_in(f, snapshot);
    snapshots_give(f->snapshots, snapshot);
    return number;
}

/* A line for each reader's place: process, thread, and the transaction or "-". */
static int count_open(const char *line, void *arg)
{
    unsigned *open = arg;
    const size_t len = strlen(line);
    *open += strstr(line, "pid") == NULL && strstr(line, "no active") == NULL &&
             (len < 2 || line[len - 2] != '-');
    return 0;
}

static unsigned open_snapshots(const struct fixture *f)
{
    unsigned open = 0;
    assert_true(mdb_reader_list(f->env, count_open, &open) >= 0);
    return open;
}

static void every_commit_is_seen_by_the_next_reader(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 20; i++) {
        commit(f, i);
        assert_int_equal(read_number(f), i);
        assert_int_equal(read_number(f), i);
    }
}

static void snapshot_in_hand_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snapshot;
    commit(f, 1);
    assert_int_equal(snapshots_take(f->snapshots, &snapshot), MDB_SUCCESS);
    commit(f, 2);
    snapshots_let_go_old(f->snapshots);
    assert_int_equal(number_in(f, snapshot), 1);
    assert_int_equal(read_number(f), 2);
    snapshots_give(f->snapshots, snapshot);
    assert_int_equal(read_number(f), 2);
}

static void kept_snapshot_is_let_go_when_nobody_uses_it(void **state)
{
    struct fixture *f = *state;
    (void)read_number(f);
    /* once to see it unused, once to let it go; the keeper may have it in hand just then */
    for (unsigned i = 0; i < TRIES && snapshots_rest(f->snapshots); i++)
        continue;
    assert_int_equal(open_snapshots(f), 0);
}

static void old_snapshot_is_let_go_before_writing(void **state)
{
    struct fixture *f = *state;
    (void)read_number(f);
    commit(f, 1);
    for (unsigned i = 0; i < TRIES && open_snapshots(f) > 0; i++) /* or the keeper has it in hand */
        snapshots_let_go_old(f->snapshots);
    assert_int_equal(open_snapshots(f), 0);
}

static void snapshot_that_is_not_kept_ends_at_once(void **state)
{
    struct fixture *f = *state;
    (void)read_number(f);
    assert_int_equal(open_snapshots(f), 0);
}

static void one_reader_too_many_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct snapshot *taken[SNAPSHOTS_MAX];
    struct snapshot *more;
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        assert_int_equal(snapshots_take(f->snapshots, &taken[i]), MDB_SUCCESS);
    assert_int_equal(open_snapshots(f), SNAPSHOTS_MAX);
    assert_int_equal(snapshots_take(f->snapshots, &more), EBUSY);
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        snapshots_give(f->snapshots, taken[i]);
    assert_int_equal(snapshots_take(f->snapshots, &more), MDB_SUCCESS);
    snapshots_give(f->snapshots, more);
}

static void nobody_has_one_while_they_are_stopped(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snapshot;
    (void)read_number(f);
    snapshots_stop(f->snapshots);
    assert_int_equal(open_snapshots(f), 0);
    assert_int_equal(snapshots_take(f->snapshots, &snapshot), EBUSY);
    snapshots_go(f->snapshots);
    assert_int_equal(snapshots_take(f->snapshots, &snapshot), MDB_SUCCESS);
    snapshots_give(f->snapshots, snapshot);
}

/* What the reading threads share. */
struct race {
    struct fixture *f;
    atomic_uint committed;
    atomic_bool over;
    atomic_uint backwards, failed, looks;
};

/* A number may be newer than the one known before, never older. */
static void *read_on(void *arg)
{
    struct race *race = arg;
    struct snapshot *snapshot;
    while (!atomic_load(&race->over)) {
        const unsigned before = atomic_load(&race->committed);
        const int rc = snapshots_take(race->f->snapshots, &snapshot);
        if (rc == EBUSY)
            continue;
        if (rc != MDB_SUCCESS) {
            atomic_fetch_add(&race->failed, 1);
            break;
        }
        if (number_in(race->f, snapshot) < before)
            atomic_fetch_add(&race->backwards, 1);
        snapshots_give(race->f->snapshots, snapshot);
        atomic_fetch_add(&race->looks, 1);
    }
    return NULL;
}

static void readers_writers_and_stops_do_not_meet(void **state)
{
    struct race race = {.f = *state};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &race), 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        snapshots_let_go_old(race.f->snapshots);
        commit(race.f, i);
        atomic_store(&race.committed, i);
        if (i % (ROUNDS / STOPS) != 0)
            continue;
        snapshots_stop(race.f->snapshots);
        assert_int_equal(open_snapshots(race.f), 0);
        snapshots_go(race.f->snapshots);
    }
    while (atomic_load(&race.looks) == 0 && atomic_load(&race.failed) == 0)
        (void)snapshots_rest(race.f->snapshots);
    atomic_store(&race.over, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&race.failed), 0);
    assert_int_equal(atomic_load(&race.backwards), 0);
}

#define KEEPING(test) cmocka_unit_test_setup_teardown(test, open_keeping, close_all)
#define NOT_KEEPING(test) cmocka_unit_test_setup_teardown(test, open_not_keeping, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEEPING(every_commit_is_seen_by_the_next_reader),
        NOT_KEEPING(every_commit_is_seen_by_the_next_reader),
        KEEPING(snapshot_in_hand_stays_as_it_is),
        KEEPING(kept_snapshot_is_let_go_when_nobody_uses_it),
        KEEPING(old_snapshot_is_let_go_before_writing),
        NOT_KEEPING(snapshot_that_is_not_kept_ends_at_once),
        KEEPING(one_reader_too_many_is_told_so),
        KEEPING(nobody_has_one_while_they_are_stopped),
        KEEPING(readers_writers_and_stops_do_not_meet),
        NOT_KEEPING(readers_writers_and_stops_do_not_meet),
    };
    return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
