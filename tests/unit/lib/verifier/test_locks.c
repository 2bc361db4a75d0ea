/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_locks: how often a question takes the locks of the verifier's rooms over its whole life, by
 * whoever asked and by the thread that called for it. pthread_mutex_lock is counted by taking its
 * place.
 */
#include "config.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "check.h"
#include "sched/threads.h"
#include "verifier/verifier.h"
#include "verifier_rig.h"

/*
 * A probe takes that of sched twice: who probes, and that it is over. A worker that slept takes it
 * once more than one that comes for the next question.
 */
enum { PROBE_TAKES = 2, WORKER_TAKES = 1 };

enum room { SNAPSHOTS, MEMORY, LIMITS, INFLIGHT, GATE, SCHED, ROOMS };

static const char *const names[] = {"snapshots", "memory", "limits", "inflight", "gate", "sched"};

static pthread_mutex_t *_Atomic locks[ROOMS];
static atomic_uint takes[ROOMS];
static _Thread_local bool is_looking;     /* what the test looks at counts for nothing */
static _Thread_local unsigned mine;       /* takes of any lock by this thread, */
static _Thread_local unsigned own[ROOMS]; /* and of those */

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*_Atomic real)(pthread_mutex_t *);

    if (atomic_load(&real) == NULL)
        atomic_store(&real, (int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, "pthread_mutex_lock"));
    mine += !is_looking;
    for (size_t i = 0; i < ROOMS && !is_looking; i++)
        if (mutex == atomic_load(&locks[i])) {
            atomic_fetch_add(&takes[i], 1);
            own[i]++;
        }
    return atomic_load(&real)(mutex);
}

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer near[] = {{.type = ns_t_a, .data = "192.0.2.1"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "example.org", .type = ns_t_a, .answers = near, .count = 1},
};

static const struct fake_host_reply users[] = {{"user@example.org", "250 2.1.5 Ok"},
                                               {"other@example.org", "250 2.1.5 Ok"}};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite};

    return rig_set_up(state, &world);
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < ROOMS; i++)
        atomic_store(&locks[i], NULL);
    return rig_tear_down(state);
}

static void open_rig(struct rig *f)
{
    rig_open(f);
    atomic_store(&locks[SNAPSHOTS], &f->verifier->snapshots.lock);
    atomic_store(&locks[MEMORY], &f->verifier->memory.records);
    atomic_store(&locks[LIMITS], &f->verifier->limits.lock);
    atomic_store(&locks[INFLIGHT], &f->verifier->inflight.lock);
    atomic_store(&locks[GATE], &f->verifier->gate.lock);
    atomic_store(&locks[SCHED], &f->verifier->sched->lock);
}

static void begin_counting(void)
{
    for (size_t i = 0; i < ROOMS; i++) {
        atomic_store(&takes[i], 0);
        own[i] = 0;
    }
}

/* The session comes to its end, and what was learned is in the store: no look-up meets a writer. */
static void come_to_rest(struct rig *f)
{
    is_looking = true;
    rig_await_idle(f);
    assert_int_equal(rb_verifier_flush(f->verifier), RB_OK);
    is_looking = false;
}

/* Asks, waits, leaves; and the session comes to its end. */
static void ask(struct rig *f, const char *text, enum rb_reason reason)
{
    begin_counting();
    assert_int_equal(rig_outcome(rig_ask(f, text)), reason);
    come_to_rest(f);
}

static void assert_at_most(enum room room, unsigned count, unsigned most)
{
    print_message("# %s: %u\n", names[room], count);
    if (count > most)
        fail_msg("%s: %u takes, at most %u", names[room], count, most);
}

static void assert_takes(const unsigned most[ROOMS])
{
    for (size_t i = 0; i < ROOMS; i++)
        assert_at_most((enum room)i, atomic_load(&takes[i]), most[i]);
}

/* Of what who asks does alone: threads may still be on their way back from the question before. */
static void assert_own_takes(const unsigned most[ROOMS])
{
    for (size_t i = 0; i < ROOMS; i++)
        assert_at_most((enum room)i, own[i], most[i]);
}

static void a_cached_answer_takes_one_lock_once(void **state)
{
    static const unsigned most[ROOMS] = {[SNAPSHOTS] = 1};
    struct rig *f = *state;

    open_rig(f);
    ask(f, "user@example.org", RB_REASON_ACCEPTED);
    ask(f, "user@example.org", RB_REASON_ACCEPTED);
    assert_own_takes(most);
}

/* Once it is known who vouches: as many takes whether guesses were made for that or not. */
static void a_cached_answer_takes_no_more_where_somebody_must_vouch(void **state)
{
    static const enum rb_gate positions[] = {RB_GATE_FAIL, RB_GATE_SOFTFAIL, RB_GATE_VOUCHED};
    static const unsigned most[ROOMS] = {[SNAPSHOTS] = 1};
    const struct sockaddr_in client = {.sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(0xc0000221)}; /* 192.0.2.33 */
    struct rig *f = *state;
    struct rb_question question = rig_question("user@example.org");
    unsigned counts[COUNT(positions)];

    question.client = (const struct sockaddr *)&client;
    open_rig(f);
    ask(f, "user@example.org", RB_REASON_ACCEPTED);
    for (size_t i = 0; i < COUNT(positions); i++) {
        f->options.spf_gate = positions[i];
        rig_reload(f);
        for (int n = 0; n < 2; n++) { /* what is found out is for the second */
            unsigned before;

            begin_counting();
            before = mine;
            const struct rb_answer answer = rig_answer(rig_put(f, &question));
            counts[i] = mine - before;
            assert_true(answer.cached);
            assert_int_equal(answer.voucher, n == 1 && positions[i] == RB_GATE_VOUCHED
                                                 ? RB_VOUCHER_MX
                                                 : RB_VOUCHER_NOBODY);
            if (n == 1)
                assert_own_takes(most);
            come_to_rest(f);
        }
        assert_int_equal(counts[i], counts[0]);
    }
}

/* The domain's first: whether it accepts everything is asked too, and that told to who waits. */
static void a_question_of_a_new_domain_takes_none_more_than_three_times(void **state)
{
    static const unsigned most[ROOMS] = {[SNAPSHOTS] = 3,
                                         [MEMORY] = 3,
                                         [LIMITS] = 3,
                                         [INFLIGHT] = 3,
                                         [SCHED] = 3 + WORKER_TAKES + PROBE_TAKES};
    struct rig *f = *state;

    open_rig(f);
    ask(f, "user@example.org", RB_REASON_ACCEPTED);
    assert_takes(most);
}

static void nor_does_a_question_of_a_known_domain(void **state)
{
    static const unsigned most[ROOMS] = {
        [SNAPSHOTS] = 2, [MEMORY] = 2, [LIMITS] = 2, [INFLIGHT] = 2, [SCHED] = 3 + WORKER_TAKES};
    struct rig *f = *state;

    open_rig(f);
    ask(f, "user@example.org", RB_REASON_ACCEPTED);
    ask(f, "other@example.org", RB_REASON_ACCEPTED);
    assert_takes(most);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cached_answer_takes_one_lock_once),
        TEST(a_cached_answer_takes_no_more_where_somebody_must_vouch),
        TEST(a_question_of_a_new_domain_takes_none_more_than_three_times),
        TEST(nor_does_a_question_of_a_known_domain),
    };

    return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
