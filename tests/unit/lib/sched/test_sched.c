/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sched: many threads push, the threads of sched run: each item is run, or handed back by
 * sched_stop, once; and the limits hold. What the hooks do is each test's own.
 */
#include "config.h"

#include "sched/sched.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

#define HOST "192.0.2.25"
#define MX "mx.example"

enum {
    PUSHERS = 4,
    ITEMS = 2000, /* of each pusher */
    DOMAINS = 20,
    ROUNDS = 20,
    IDLE_MS = 120000, /* longer than any test */
    WAIT_S = 120,     /* for what must come: far longer than it takes */
};

struct world;

struct entry {
    struct callout_item item;
    atomic_uint run, handed_back;
    bool refused;
};

struct look_up {
    struct sched_lookup entry;
    atomic_uint made;
};

struct world {
    struct sched *sched;
    struct sched_limits limits;
    void (*run)(struct world *world, struct sched_callout *callout, struct callout_item *item);
    struct entry *entries; /* PUSHERS * ITEMS */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned runs, looked_up, now, most; /* [lock] calls of the hooks: so far, now, at most */
    unsigned idle_got, idle_ended;       /* [lock] */
    bool is_gate_open;                   /* [lock] what `hold` waits for */
};

static struct entry *entry_of(struct callout_item *item)
{
    return (struct entry *)item; /* its first member */
}

/* --- Hooks --------------------------------------------------------------------- */

static void count(struct world *world, unsigned *counter)
{
    pthread_mutex_lock(&world->lock);
    ++*counter;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

static void count_run(struct world *world, struct callout_item *item)
{
    atomic_fetch_add(&entry_of(item)->run, 1);
    count(world, &world->runs);
}

static void enter(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    if (++world->now > world->most)
        world->most = world->now;
    pthread_mutex_unlock(&world->lock);
}

static void leave(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    world->now--;
    pthread_mutex_unlock(&world->lock);
}

static void hold(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    while (!world->is_gate_open)
        pthread_cond_wait(&world->changed, &world->lock);
    pthread_mutex_unlock(&world->lock);
}

static void open_gate(struct world *world)
{
    pthread_mutex_lock(&world->lock);
    world->is_gate_open = true;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

static void run(void *arg, struct sched_callout *callout, struct callout_item *item)
{
    struct world *world = arg;

    world->run(world, callout, item);
}

static void look_up(void *arg, struct sched_lookup *lookup, struct stall_call *call)
{
    struct world *world = arg;

    (void)call;
    atomic_fetch_add(&((struct look_up *)lookup)->made, 1);
    hold(world);
    count(world, &world->looked_up);
}

/* --- What the callouts do -------------------------------------------------------- */

static void take_all(struct world *world, struct sched_callout *callout, struct callout_item *item)
{
    enter(world);
    for (; item != NULL; item = sched_take(world->sched, callout))
        count_run(world, item);
    leave(world);
}

static void wait_and_take_all(struct world *world, struct sched_callout *callout,
                              struct callout_item *item)
{
    hold(world);
    take_all(world, callout, item);
}

/* All live on one host, left at once or as the callout ends; who finds no slot puts its item back. */
static void call_host(struct world *world, struct sched_callout *callout, struct callout_item *item)
{
    static _Thread_local bool at_once;
    const struct sched_contact contact = {.let_in = true};

    if (sched_host_enter(world->sched, callout, MX, HOST, false) != CALLOUT_CALL) {
        if (!sched_put_back(world->sched, callout, item))
            count_run(world, item);
        return;
    }
    enter(world);
    count_run(world, item);
    leave(world);
    at_once = !at_once;
    if (at_once)
        sched_host_leave(world->sched, callout, HOST, &contact);
    else
        callout->leave = (struct sched_leave){.is_due = true, .host = HOST, .contact = contact};
}

static void keep_open(struct world *world, struct sched_callout *callout, struct callout_item *item)
{
    count_run(world, item);
    while ((item = sched_keep_alive(world->sched, callout, HOST, IDLE_MS)) != NULL) {
        count(world, &world->idle_got);
        count_run(world, item);
    }
    count(world, &world->idle_ended);
}

/* --- The world ------------------------------------------------------------------- */

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    if (world == NULL)
        return -1;
    world->entries = calloc(PUSHERS * ITEMS, sizeof *world->entries);
    world->limits = (struct sched_limits){.workers_max = 8,
                                          .max_held = 8,
                                          .max_pending = PUSHERS * ITEMS,
                                          .per_domain_sessions = 2,
                                          .per_host_sessions = 3};
    world->run = take_all;
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    *state = world;
    return world->entries != NULL ? 0 : -1;
}

static void open_sched(struct world *world)
{
    const struct sched_hooks hooks = {.run = run, .look_up = look_up, .arg = world};

    assert_int_equal(sched_open(&world->limits, &hooks, clock_system(), &world->sched), RB_OK);
}

/* Stops; what is handed back is counted. The threads need not have ended. */
static unsigned stop(struct world *world)
{
    struct callout_item *item = sched_stop(world->sched), *next;
    unsigned handed_back = 0;

    for (; item != NULL; item = next) {
        next = item->next;
        atomic_fetch_add(&entry_of(item)->handed_back, 1);
        handed_back++;
    }
    assert_null(sched_stop(world->sched)); /* once is all */
    return handed_back;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    open_gate(world);
    if (world->sched != NULL) {
        (void)stop(world);
        sched_join(world->sched);
        sched_close(world->sched);
    }
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->lock);
    free(world->entries);
    free(world);
    return 0;
}

/* Waits until a counter is that high. */
static void await(struct world *world, const unsigned *counter, unsigned wanted)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&world->lock);
    while (*counter < wanted && error == 0)
        error = pthread_cond_timedwait(&world->changed, &world->lock, &until);
    assert_true(*counter >= wanted);
    pthread_mutex_unlock(&world->lock);
}

/* Waits until so many items wait: the rest has been taken. */
static void await_pending(struct world *world, unsigned wanted)
{
    for (int i = 0; i < WAIT_S * 1000 && sched_pending(world->sched) != wanted; i++)
        check_pause();
    assert_int_equal(sched_pending(world->sched), wanted);
}

static enum sched_push push(struct world *world, unsigned index, unsigned domain)
{
    char text[32];

    (void)snprintf(text, sizeof text, "d%u.example", domain);
    world->entries[index].item.asked_ms = clock_monotonic_ms(clock_system());
    return sched_push(world->sched, "", text, &world->entries[index].item);
}

struct pusher {
    struct world *world;
    unsigned first;
    pthread_t thread;
};

static void *push_all(void *arg)
{
    const struct pusher *pusher = arg;

    for (unsigned i = pusher->first; i < pusher->first + ITEMS; i++) {
        pusher->world->entries[i].refused = push(pusher->world, i, i % DOMAINS) == SCHED_STOPPED;
    }
    return NULL;
}

static void start_pushers(struct world *world, struct pusher pushers[PUSHERS])
{
    for (unsigned i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){.world = world, .first = i * ITEMS};
        assert_int_equal(pthread_create(&pushers[i].thread, NULL, push_all, &pushers[i]), 0);
    }
}

static void join_pushers(struct pusher pushers[PUSHERS])
{
    for (unsigned i = 0; i < PUSHERS; i++)
        assert_int_equal(pthread_join(pushers[i].thread, NULL), 0);
}

/* Each item was run, handed back or refused: one of them, and once. */
static void is_each_told_once(const struct world *world)
{
    for (unsigned i = 0; i < PUSHERS * ITEMS; i++) {
        const struct entry *entry = &world->entries[i];

        assert_int_equal(
            atomic_load(&entry->run) + atomic_load(&entry->handed_back) + entry->refused, 1);
    }
}

/* --- Questions ------------------------------------------------------------------- */

static void each_item_is_run_once(void **state)
{
    struct world *world = *state;
    struct pusher pushers[PUSHERS];
    struct sched_gauges gauges;

    open_sched(world);
    start_pushers(world, pushers);
    join_pushers(pushers);
    await(world, &world->runs, PUSHERS * ITEMS);
    assert_int_equal(stop(world), 0);
    sched_join(world->sched);
    is_each_told_once(world);
    assert_true(world->most <= world->limits.workers_max);
    sched_get_gauges(world->sched, &gauges);
    assert_int_equal(gauges.pending + gauges.running + gauges.stalled + gauges.idle, 0);
}

static void stopped_in_the_middle_each_item_is_told_once(void **state)
{
    struct world *world = *state;
    struct pusher pushers[PUSHERS];
    unsigned handed_back = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        memset(world->entries, 0, PUSHERS * ITEMS * sizeof *world->entries);
        world->runs = 0;
        world->run = round % 2 == 0 ? take_all : call_host;
        open_sched(world);
        start_pushers(world, pushers);
        await(world, &world->runs, round * PUSHERS * ITEMS / ROUNDS);
        handed_back += stop(world);
        join_pushers(pushers);
        sched_join(world->sched);
        is_each_told_once(world);
        assert_int_equal(push(world, 0, 0), SCHED_STOPPED);
        assert_int_equal(sched_pending(world->sched), 0);
        sched_close(world->sched);
        world->sched = NULL;
    }
    print_message("# %u handed back\n", handed_back);
}

static void what_runs_while_it_stops_gets_nothing_more(void **state)
{
    struct world *world = *state;

    world->limits.workers_max = 1;
    world->limits.max_held = 0;
    world->run = wait_and_take_all;
    open_sched(world);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(push(world, i, 0), SCHED_PUSHED);
    await_pending(world, 2);
    assert_int_equal(stop(world), 2);
    open_gate(world);
    sched_join(world->sched);
    assert_int_equal(world->runs, 1);
}

static void only_so_many_items_wait(void **state)
{
    struct world *world = *state;

    world->limits.workers_max = 1;
    world->limits.max_held = 0;
    world->limits.max_pending = 3;
    world->run = wait_and_take_all;
    open_sched(world);
    assert_int_equal(push(world, 0, 0), SCHED_PUSHED);
    await_pending(world, 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(push(world, i, i), SCHED_PUSHED);
    assert_int_equal(push(world, 4, 4), SCHED_FULL);
    world->limits.max_pending = 4;
    sched_set_limits(world->sched, &world->limits);
    assert_int_equal(push(world, 4, 4), SCHED_PUSHED);
    assert_int_equal(push(world, 5, 5), SCHED_FULL);
    open_gate(world);
    await(world, &world->runs, 5);
}

static void a_destination_has_no_more_sessions_than_it_may(void **state)
{
    struct world *world = *state;

    world->run = call_host;
    world->limits.per_host_sessions = 100;
    open_sched(world);
    for (unsigned i = 0; i < ITEMS; i++)
        assert_int_equal(push(world, i, 0), SCHED_PUSHED);
    await(world, &world->runs, ITEMS);
    assert_true(world->most <= world->limits.per_domain_sessions);
}

static void a_host_has_no_more_sessions_than_it_may_and_nobody_is_forgotten(void **state)
{
    struct world *world = *state;
    struct pusher pushers[PUSHERS];

    world->run = call_host;
    open_sched(world);
    start_pushers(world, pushers);
    join_pushers(pushers);
    await(world, &world->runs, PUSHERS * ITEMS);
    assert_true(world->most <= world->limits.per_host_sessions);
    is_each_told_once(world);
}

/* --- Idle sessions ----------------------------------------------------------------- */

static void an_idle_session_gets_the_next_item(void **state)
{
    struct world *world = *state;

    world->run = keep_open;
    open_sched(world);
    assert_int_equal(push(world, 0, 0), SCHED_PUSHED);
    await(world, &world->idle_ended, 1); /* asked about for the first time: it does not pay */
    for (unsigned i = 1; i < 100; i++) {
        struct sched_gauges gauges = {.idle = 0};

        assert_int_equal(push(world, i, 0), SCHED_PUSHED);
        await(world, &world->runs, i + 1);
        for (int ms = 0; ms < WAIT_S * 1000 && gauges.idle == 0; ms++) {
            sched_get_gauges(world->sched, &gauges);
            sched_yield();
        }
        assert_int_equal(gauges.idle, 1);
        assert_int_equal(gauges.running, 1);
    }
    assert_int_equal(world->idle_got, 98);
    assert_int_equal(stop(world), 0);
    sched_join(world->sched);
    assert_int_equal(world->idle_ended, 2);
}

static void an_idle_session_whose_worker_is_wanted_ends(void **state)
{
    struct world *world = *state;

    world->run = keep_open;
    world->limits.workers_max = 1;
    world->limits.max_held = 0;
    open_sched(world);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(push(world, i, i % 2), SCHED_PUSHED);
        await(world, &world->runs, i + 1);
    }
    assert_int_equal(stop(world), 0);
    sched_join(world->sched);
    assert_int_equal(world->idle_ended + world->idle_got, 50);
}

/* Enters the host, asks, keeps the session open for as long as that pays, and leaves. */
static void talk(struct world *world, struct sched_callout *callout, struct callout_item *item)
{
    const struct sched_contact contact = {.let_in = true};

    assert_int_equal(sched_host_enter(world->sched, callout, MX, HOST, false), CALLOUT_CALL);
    keep_open(world, callout, item);
    sched_host_leave(world->sched, callout, HOST, &contact);
}

static bool has_session(struct world *world, unsigned domain)
{
    char text[32];

    (void)snprintf(text, sizeof text, "d%u.example", domain);
    return sched_has_session_with(world->sched, "", text, "MX.example");
}

static void a_session_is_kept_open_for_the_verb_that_was_announced(void **state)
{
    struct world *world = *state;
    struct callout_item *verb = &world->entries[2].item;

    world->run = talk;
    open_sched(world);
    assert_false(has_session(world, 0));
    assert_int_equal(push(world, 1, 1), SCHED_PUSHED); /* of which nothing was announced */
    await(world, &world->idle_ended, 1);
    world->entries[0].item.then_client = true;
    assert_int_equal(push(world, 0, 0), SCHED_PUSHED); /* the first about its domain */
    await(world, &world->runs, 2);
    assert_true(has_session(world, 0));
    assert_false(has_session(world, 1));
    verb->verb = "AYTTM";
    verb->only_mx = MX;
    assert_int_equal(push(world, 2, 0), SCHED_PUSHED);
    await(world, &world->runs, 3);
    assert_int_equal(world->idle_got, 1);
    await(world, &world->idle_ended, 2); /* nothing more is awaited */
    for (int ms = 0; ms < WAIT_S * 1000 && has_session(world, 0); ms++)
        check_pause();
    assert_false(has_session(world, 0));
}

static void a_second_verb_has_a_session_of_its_own(void **state)
{
    struct world *world = *state;

    world->run = wait_and_take_all;
    open_sched(world);
    assert_int_equal(push(world, 0, 0), SCHED_PUSHED);
    await_pending(world, 0);
    for (unsigned i = 1; i <= 3; i++) {
        world->entries[i].item.verb = "AYTTM";
        assert_int_equal(push(world, i, 0), SCHED_PUSHED);
    }
    assert_int_equal(sched_pending(world->sched), 3); /* kept for the one that runs */
    open_gate(world);
    await(world, &world->runs, 4);
}

/* --- Look-ups ------------------------------------------------------------------------ */

static void look_ups_leave_workers_to_callouts(void **state)
{
    struct world *world = *state;
    struct look_up lookups[10] = {0};

    world->limits.workers_max = 3;
    world->limits.max_held = 0;
    open_sched(world);
    for (size_t i = 0; i < COUNT(lookups); i++)
        assert_int_equal(sched_push_lookup(world->sched, &lookups[i].entry), RB_OK);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(push(world, i, i), SCHED_PUSHED);
    await(world, &world->runs, 20); /* though no look-up ends */
    open_gate(world);
    await(world, &world->looked_up, COUNT(lookups));
    for (size_t i = 0; i < COUNT(lookups); i++)
        assert_int_equal(atomic_load(&lookups[i].made), 1);
}

static void look_ups_that_nobody_made_are_left_to_their_owner(void **state)
{
    struct world *world = *state;
    struct look_up lookups[3] = {0};

    world->limits.workers_max = 1;
    world->limits.max_held = 0;
    open_sched(world);
    for (size_t i = 0; i < COUNT(lookups); i++)
        assert_int_equal(sched_push_lookup(world->sched, &lookups[i].entry), RB_OK);
    for (int ms = 0; ms < WAIT_S * 1000 && atomic_load(&lookups[0].made) == 0; ms++)
        check_pause();
    assert_int_equal(stop(world), 0);
    open_gate(world);
    sched_join(world->sched);
    assert_int_equal(world->looked_up, 1);
    assert_int_equal(atomic_load(&lookups[0].made), 1);
    assert_int_equal(atomic_load(&lookups[1].made) + atomic_load(&lookups[2].made), 0);
    assert_int_equal(sched_push_lookup(world->sched, &lookups[1].entry), RB_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_item_is_run_once),
        TEST(stopped_in_the_middle_each_item_is_told_once),
        TEST(what_runs_while_it_stops_gets_nothing_more),
        TEST(only_so_many_items_wait),
        TEST(a_destination_has_no_more_sessions_than_it_may),
        TEST(a_host_has_no_more_sessions_than_it_may_and_nobody_is_forgotten),
        TEST(an_idle_session_gets_the_next_item),
        TEST(an_idle_session_whose_worker_is_wanted_ends),
        TEST(a_session_is_kept_open_for_the_verb_that_was_announced),
        TEST(a_second_verb_has_a_session_of_its_own),
        TEST(look_ups_leave_workers_to_callouts),
        TEST(look_ups_that_nobody_made_are_left_to_their_owner),
    };

    return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
