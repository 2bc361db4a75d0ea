/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshots: see the header. Each has a place with a flag of its own (busy), which only who set it
 * may clear, so that readers share no lock; each thread begins to look at a place of its own. The
 * flag is also what stops them all: whoever stops sets `stopped` and then looks at each flag, a
 * reader sets his flag and then looks at `stopped`, so one of them sees the other.
 *
 * Lock: the keeper's, under which nothing else is waited for.
 */
#include "config.h"

#include "cache/snapshots.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { CACHE_LINE = 64, NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * 1000 * 1000 };

/* All but busy is for who has set busy. */
struct snapshot {
    _Alignas(CACHE_LINE) atomic_bool busy;
    bool open;    /* else reset, fit for mdb_txn_renew */
    bool used;    /* since snapshots_rest last came by */
    MDB_txn *txn; /* NULL: none yet */
};

struct snapshots {
    struct snapshot places[SNAPSHOTS_MAX];
    MDB_env *env; /* changed while all are stopped; NULL: none */
    bool keep;
    atomic_bool stopped;
    atomic_bool watching; /* the keeper comes by soon; set under lock, cleared by the keeper */
    pthread_t keeper;
    pthread_mutex_t lock; /* covers ending */
    pthread_cond_t wake;  /* watching or ending was set */
    bool ending;
};

static bool claim(struct snapshot *snapshot)
{
    return !atomic_load_explicit(&snapshot->busy, memory_order_relaxed) &&
           !atomic_exchange(&snapshot->busy, true);
}

static void unclaim(struct snapshot *snapshot)
{
    atomic_store_explicit(&snapshot->busy, false, memory_order_release);
}

/* Claimed. */
static void let_go(struct snapshot *snapshot)
{
    if (snapshot->open)
        mdb_txn_reset(snapshot->txn);
    snapshot->open = false;
}

static bool is_of_last_commit(MDB_env *env, MDB_txn *txn)
{
    MDB_envinfo info;
    return mdb_env_info(env, &info) == MDB_SUCCESS && info.me_last_txnid == mdb_txn_id(txn);
}

/* Claimed. */
static int bring_up_to_date(struct snapshots *snapshots, struct snapshot *snapshot)
{
    if (snapshots->env == NULL)
        return ENODEV;
    if (snapshot->open && is_of_last_commit(snapshots->env, snapshot->txn))
        return MDB_SUCCESS;
    let_go(snapshot);
    const int rc = snapshot->txn != NULL
                       ? mdb_txn_renew(snapshot->txn)
                       : mdb_txn_begin(snapshots->env, NULL, MDB_RDONLY, &snapshot->txn);
    snapshot->open = rc == MDB_SUCCESS;
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(snapshot->txn);
        snapshot->txn = NULL;
    }
    return rc;
}

/* Threads keep to places of their own for as long as there are not too many of them. */
static size_t first_place(void)
{
    const uint64_t self = (uint64_t)(uintptr_t)pthread_self();
    return (size_t)((self * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % SNAPSHOTS_MAX;
}

int snapshots_take(struct snapshots *snapshots, struct snapshot **snapshot)
{
    const size_t first = first_place();
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        struct snapshot *place = &snapshots->places[(first + i) % SNAPSHOTS_MAX];
        if (!claim(place))
            continue;
        const int rc =
            atomic_load(&snapshots->stopped) ? EBUSY : bring_up_to_date(snapshots, place);
        if (rc != MDB_SUCCESS)
            unclaim(place);
        *snapshot = place;
        return rc;
    }
    return EBUSY;
}

MDB_txn *snapshot_txn(const struct snapshot *snapshot)
{
    return snapshot->txn;
}

static void wake_keeper(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->lock);
    atomic_store(&snapshots->watching, true);
    pthread_cond_signal(&snapshots->wake);
    pthread_mutex_unlock(&snapshots->lock);
}

void snapshots_give(struct snapshots *snapshots, struct snapshot *snapshot)
{
    if (!snapshots->keep)
        let_go(snapshot);
    snapshot->used = true;
    /*
     * Before the place is free: the keeper, who has cleared `watching` first, then finds it busy.
     */
    if (snapshots->keep && !atomic_load(&snapshots->watching))
        wake_keeper(snapshots);
    unclaim(snapshot);
}

void snapshots_let_go_old(struct snapshots *snapshots)
{
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        struct snapshot *place = &snapshots->places[i];
        if (!claim(place))
            continue;
        if (place->open && !is_of_last_commit(snapshots->env, place->txn))
            let_go(place);
        unclaim(place);
    }
}

bool snapshots_rest(struct snapshots *snapshots)
{
    bool some_open = false;
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        struct snapshot *place = &snapshots->places[i];
        if (!claim(place)) {
            some_open = true;
            continue;
        }
        if (!place->used)
            let_go(place);
        place->used = false;
        some_open = some_open || place->open;
        unclaim(place);
    }
    return some_open;
}

void snapshots_stop(struct snapshots *snapshots)
{
    atomic_store(&snapshots->stopped, true);
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        while (!claim(&snapshots->places[i])) /* ends: a reader holds none for long */
            (void)sched_yield();
        let_go(&snapshots->places[i]);
    }
}

void snapshots_go(struct snapshots *snapshots)
{
    atomic_store(&snapshots->stopped, false);
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        unclaim(&snapshots->places[i]);
}

void snapshots_change(struct snapshots *snapshots, MDB_env *env)
{
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        mdb_txn_abort(snapshots->places[i].txn);
        snapshots->places[i].txn = NULL;
    }
    snapshots->env = env;
}

static struct timespec rest_from_now(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)SNAPSHOTS_REST_MS * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_nsec -= NS_PER_S;
        until.tv_sec++;
    }
    return until;
}

/* Lock held. Sleeps for good while no snapshot is open, and else for a moment. */
static void wait_for_turn(struct snapshots *snapshots)
{
    int rc = 0;
    while (!snapshots->ending && !atomic_load(&snapshots->watching))
        pthread_cond_wait(&snapshots->wake, &snapshots->lock);
    const struct timespec until = rest_from_now();
    while (!snapshots->ending && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&snapshots->wake, &snapshots->lock, &until);
}

static void *keep_watch(void *arg)
{
    struct snapshots *snapshots = arg;
    pthread_mutex_lock(&snapshots->lock);
    for (wait_for_turn(snapshots); !snapshots->ending; wait_for_turn(snapshots)) {
        pthread_mutex_unlock(&snapshots->lock);
        atomic_store(&snapshots->watching, false); /* first: who comes now wakes us again */
        if (snapshots_rest(snapshots))
            atomic_store(&snapshots->watching, true);
        pthread_mutex_lock(&snapshots->lock);
    }
    pthread_mutex_unlock(&snapshots->lock);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_keeper(struct snapshots *snapshots)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&snapshots->keeper, NULL, keep_watch, snapshots);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void init_locks(struct snapshots *snapshots)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&snapshots->lock, NULL);
    pthread_cond_init(&snapshots->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void free_snapshots(struct snapshots *snapshots)
{
    pthread_cond_destroy(&snapshots->wake);
    pthread_mutex_destroy(&snapshots->lock);
    free(snapshots);
}

struct snapshots *snapshots_open(MDB_env *env, bool keep)
{
    struct snapshots *snapshots = aligned_alloc(CACHE_LINE, sizeof *snapshots);
    if (snapshots == NULL)
        return NULL;
    *snapshots = (struct snapshots){.env = env, .keep = keep};
    init_locks(snapshots);
    if (!keep || start_keeper(snapshots) == 0)
        return snapshots;
    free_snapshots(snapshots);
    return NULL;
}

static void end_keeper(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->lock);
    snapshots->ending = true;
    pthread_cond_signal(&snapshots->wake);
    pthread_mutex_unlock(&snapshots->lock);
    pthread_join(snapshots->keeper, NULL);
}

void snapshots_close(struct snapshots *snapshots)
{
    if (snapshots == NULL)
        return;
    if (snapshots->keep)
        end_keeper(snapshots);
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++)
        mdb_txn_abort(snapshots->places[i].txn);
    free_snapshots(snapshots);
}
