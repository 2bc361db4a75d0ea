/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_stress: many threads that ask, wait, are called and give back at once, while options change
 * and the end comes: each is told once, and never after it has left; no answer is another's; nothing
 * is left under way, and the verifier closes. What happens when is thrown by dice; what is asserted
 * holds whatever they say. Of most use under a sanitizer.
 */
#include "config.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>

#include "check.h"
#include "dice.h"
#include "verifier/verifier.h"
#include "verifier_rig.h"

enum { ROUNDS = 2, ASKERS = 6, ASKS = 40, STOPS_AFTER_MAX = 60 };

/* --- The world --------------------------------------------------------------- */

#define ROW(owner, kind, records)                                                                  \
    {                                                                                              \
        .name = (owner), .type = (kind), .answers = (records), .count = COUNT(records)             \
    }

static const struct fake_dns_answer good_mx[] = {{.type = ns_t_mx, .data = "good.example"}};
static const struct fake_dns_answer open_mx[] = {{.type = ns_t_mx, .data = "open.example"}};
static const struct fake_dns_answer dead_mx[] = {{.type = ns_t_mx, .data = "dead.example"}};
static const struct fake_dns_answer mute_mx[] = {{.type = ns_t_mx, .data = "mute.example"}};
static const struct fake_dns_answer good[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer open_to_all[] = {{.type = ns_t_a, .data = "127.0.0.2"}};
static const struct fake_dns_answer dead[] = {{.type = ns_t_a, .data = "127.0.0.3"}};
static const struct fake_dns_answer mute[] = {{.type = ns_t_a, .data = "127.0.0.4"}};
static const struct fake_dns_answer strict[] = {
    {.type = ns_t_txt, .data = "v=spf1 ip4:198.51.100.1 -all"}};
static const struct fake_dns_answer by_local_part[] = {
    {.type = ns_t_txt, .data = "v=spf1 exists:%{l}.allowed.example -all"}};

static const struct fake_dns_answer friend_name[] = {
    {.type = ns_t_ptr, .data = "friend.a.example"}};
static const struct fake_dns_answer friend[] = {{.type = ns_t_a, .data = "198.51.100.1"}};

static const struct fake_dns_row zone[] = {
    ROW("1.100.51.198.in-addr.arpa", ns_t_ptr, friend_name),
    ROW("friend.a.example", ns_t_a, friend),
    ROW("all.example", ns_t_a, friend),
    ROW("good.example", ns_t_a, good),
    ROW("open.example", ns_t_a, open_to_all),
    ROW("dead.example", ns_t_a, dead),
    ROW("mute.example", ns_t_a, mute),
    ROW("a.example", ns_t_mx, good_mx),
    ROW("b.example", ns_t_mx, good_mx),
    ROW("b.example", ns_t_txt, strict),
    ROW("c.example", ns_t_mx, good_mx),
    ROW("c.example", ns_t_txt, by_local_part),
    ROW("yes.allowed.example", ns_t_a, good),
    ROW("all.example", ns_t_mx, open_mx),
    ROW("gone.example", ns_t_mx, dead_mx),
    ROW("silent.example", ns_t_mx, mute_mx),
};

static const struct fake_host_reply users[] = {
    {"yes@a.example", "250 2.1.5 Ok"},           {"yes@b.example", "250 2.1.5 Ok"},
    {"yes@c.example", "250 2.1.5 Ok"},           {"later@a.example", "451 4.7.1 Greylisted"},
    {"later@b.example", "451 4.7.1 Greylisted"}, {"later@c.example", "421 4.7.0 Busy"},
};

/* What is asked, and what can never be said of it. */
static const struct asked {
    const char *address;
    bool may_be_valid, may_be_invalid;
} asked[] = {
    {"yes@a.example", true, false},       {"no@a.example", false, true},
    {"later@a.example", false, false},    {"yes@b.example", true, false},
    {"no@b.example", false, true},        {"later@b.example", false, false},
    {"yes@c.example", true, false},       {"no@c.example", false, true},
    {"later@c.example", false, false},    {"yes@all.example", true, false},
    {"no@all.example", true, false},      {"yes@gone.example", false, false},
    {"yes@silent.example", false, false}, {"yes@nowhere.example", false, true},
    {"no address", false, true},
};

struct stress {
    struct rig *rig;
    struct fake_host *open, *mute;
    bool stops; /* the end comes in the middle */
    uint64_t seed;
    atomic_bool over; /* nobody asks any more */
    /* What must not be. */
    atomic_uint twice, late, wrong, failed;
};

static struct sockaddr_in clients[2];

/* --- Those who ask ------------------------------------------------------------- */

/* One question of one who asks. */
struct claim {
    struct stress *stress;
    const struct asked *asked;
    struct rb_ticket *ticket; /* to be given back in the end; NULL: it was */
    enum rb_voucher voucher;  /* the asker's word */
    bool has_client;
    bool is_called, frees; /* gives a function to be called; which gives back */
    atomic_uint calls;
    atomic_bool is_left; /* it was given back, from elsewhere */
};

struct asker {
    struct stress *stress;
    uint64_t dice;
    pthread_t thread;
    struct claim claims[ASKS];
};

static bool is_of_gate(enum rb_reason reason)
{
    return reason == RB_REASON_SPF_FAIL || reason == RB_REASON_SPF_SOFTFAIL ||
           reason == RB_REASON_NOT_VOUCHED;
}

/* Nobody is told who vouches for somebody else's client, whatever it joined. */
static bool is_voucher_right(const struct claim *claim, const struct rb_answer *answer)
{
    if (claim->voucher != RB_VOUCHER_NOBODY)
        return answer->voucher == claim->voucher && !is_of_gate(answer->reason);
    if (!claim->has_client || is_of_gate(answer->reason))
        return answer->voucher == RB_VOUCHER_NOBODY &&
               (claim->has_client || !is_of_gate(answer->reason));
    return answer->voucher == RB_VOUCHER_NOBODY || answer->voucher == RB_VOUCHER_SPF ||
           answer->voucher == RB_VOUCHER_MX || answer->voucher == RB_VOUCHER_PTR;
}

/* Whether an answer may be one to what was asked. */
static void judge(struct claim *claim, enum rb_error error, const struct rb_answer *answer)
{
    struct stress *stress = claim->stress;
    const char *text = claim->asked->address;

    if (error != RB_OK && (error != RB_ERR_CLOSING || !stress->stops))
        atomic_fetch_add(&stress->failed, 1);
    if ((answer->verdict == RB_VERDICT_VALID && !claim->asked->may_be_valid) ||
        (answer->verdict == RB_VERDICT_INVALID && !claim->asked->may_be_invalid) ||
        (strchr(text, '@') != NULL && strcmp(answer->address, text) != 0) ||
        !is_voucher_right(claim, answer))
        atomic_fetch_add(&stress->wrong, 1);
}

static void wait_for(struct claim *claim, struct rb_ticket *ticket, int64_t until_ms)
{
    struct rb_answer answer = {0};
    const enum rb_error error = rb_wait(ticket, until_ms, &answer);

    judge(claim, error, &answer);
    rb_answer_fini(&answer);
}

static void called(void *arg, struct rb_ticket *ticket)
{
    struct claim *claim = arg;

    if (atomic_fetch_add(&claim->calls, 1) > 0)
        atomic_fetch_add(&claim->stress->twice, 1);
    if (atomic_load(&claim->is_left))
        atomic_fetch_add(&claim->stress->late, 1);
    wait_for(claim, ticket, 0);
    if (claim->frees)
        rb_ticket_free(ticket);
}

static void give_back(struct claim *claim, struct rb_ticket *ticket)
{
    rb_ticket_free(ticket);
    atomic_store(&claim->is_left, true);
}

enum manner {
    WAITS,
    LEAVES,
    IS_CALLED,
    IS_CALLED_AND_FREES,
    LEAVES_BEFORE,
    ACCEPTED,
    VERIFIES,
    MANNERS
};

static struct rb_question make_question(struct asker *asker, struct claim *claim,
                                        enum manner manner)
{
    struct rb_question question = rig_question(claim->asked->address);
    const uint64_t dice = dice_throw(&asker->dice);

    question.size = sizeof question;
    question.client = (dice & 3) != 0 ? (const struct sockaddr *)&clients[dice >> 2 & 1] : NULL;
    question.helo = "client.example";
    question.no_cache = (dice >> 8 & 7) == 0;
    question.transcript = (dice >> 12 & 15) == 0;
    question.voucher = (dice >> 16 & 3) == 0 ? RB_VOUCHER_DKIM : RB_VOUCHER_NOBODY;
    claim->voucher = question.voucher;
    claim->has_client = question.client != NULL;
    claim->is_called = manner == IS_CALLED || manner == IS_CALLED_AND_FREES ||
                       manner == LEAVES_BEFORE || manner == VERIFIES;
    claim->frees = manner == IS_CALLED_AND_FREES;
    if (claim->is_called) {
        question.done = called;
        question.done_arg = claim;
    }
    return question;
}

static void verify(struct claim *claim, const struct rb_question *question)
{
    struct rb_answer answer = {0};
    const enum rb_error error =
        rb_verify(claim->stress->rig->verifier, question, rig_until(RIG_PATIENCE_MS), &answer);

    judge(claim, error, &answer);
    rb_answer_fini(&answer);
    claim->is_called = false; /* as rb_verify has it */
}

static void ask(struct asker *asker, struct claim *claim)
{
    const enum manner manner = (enum manner)(dice_throw(&asker->dice) % MANNERS);
    const struct rb_question question = make_question(asker, claim, manner);
    struct rb_ticket *ticket;
    bool accepted;

    if (manner == VERIFIES) {
        verify(claim, &question);
        return;
    }
    if (rb_ask(claim->stress->rig->verifier, &question, &ticket) != RB_OK) {
        atomic_fetch_add(&claim->stress->failed, 1);
        return;
    }
    switch (manner) {
    case IS_CALLED:
        claim->ticket = ticket;
        return;
    case IS_CALLED_AND_FREES:
        return;
    case ACCEPTED:
        (void)rb_wait_accepted(ticket, rig_until(RIG_PATIENCE_MS), &accepted);
        wait_for(claim, ticket, rig_until(RIG_PATIENCE_MS));
        break;
    case WAITS:
        wait_for(claim, ticket, rig_until(RIG_PATIENCE_MS));
        break;
    default: /* leaves */
        if ((dice_throw(&asker->dice) & 1) != 0)
            check_pause();
        break;
    }
    give_back(claim, ticket);
}

static void *ask_all(void *arg)
{
    struct asker *asker = arg;

    for (size_t i = 0; i < ASKS; i++) {
        struct claim *claim = &asker->claims[i];

        claim->stress = asker->stress;
        claim->asked = &asked[dice_throw(&asker->dice) % COUNT(asked)];
        ask(asker, claim);
    }
    return NULL;
}

/* Those who are called have been by now, or will be; then they leave. */
static void give_back_all(struct asker *asker)
{
    for (size_t i = 0; i < ASKS; i++) {
        struct claim *claim = &asker->claims[i];
        const bool must_be_called = claim->ticket != NULL || claim->frees;

        for (int n = 0; must_be_called && atomic_load(&claim->calls) == 0; n++) {
            assert_in_range(n, 0, RIG_PATIENCE_MS);
            check_pause();
        }
        if (claim->ticket != NULL)
            give_back(claim, claim->ticket);
        claim->ticket = NULL;
    }
}

/* --- What happens meanwhile ------------------------------------------------------ */

static struct rb_options throw_options(const struct rig *rig, uint64_t *dice)
{
    struct rb_options options = rig->options;

    options.idle_timeout_ms = dice_throw(dice) % 2 != 0 ? 20 : 0;
    options.spf_gate = (enum rb_gate)(dice_throw(dice) % 4);
    options.catch_all_check = dice_throw(dice) % 4 != 0;
    options.greylist.retry = dice_throw(dice) % 2 != 0;
    options.max_held = (unsigned)(dice_throw(dice) % 5);
    options.max_pending = (unsigned)(1 + dice_throw(dice) % 40);
    options.per_domain_sessions = (unsigned)(1 + dice_throw(dice) % 3);
    options.per_host_sessions = (unsigned)(1 + dice_throw(dice) % 4);
    options.per_client_rate = (struct rb_rate){dice_throw(dice) % 2 != 0 ? 20 : 0, 60};
    options.global_rate = (struct rb_rate){dice_throw(dice) % 4 == 0 ? 10 : 0, 60};
    return options;
}

static bool see_all(void *arg, const struct rb_held_back *held)
{
    (void)arg;
    return held->what != NULL;
}

static void look_around(struct stress *stress, uint64_t *dice)
{
    struct rig *rig = stress->rig;
    struct rb_question question = rig_question(asked[dice_throw(dice) % COUNT(asked)].address);
    struct rb_prospect prospect = {.size = sizeof prospect};
    struct rb_answer answer = {.size = sizeof answer};

    question.size = sizeof question;
    if (rb_peek(rig->verifier, &question, rig_until(0), &prospect, &answer) != RB_OK)
        atomic_fetch_add(&stress->failed, 1);
    (void)rb_held_back_walk(rig->verifier, see_all, NULL);
    (void)rig_stats(rig);
    if (dice_throw(dice) % 8 == 0)
        (void)rb_cache_purge(rig->verifier, dice_throw(dice) % 2 != 0, NULL);
    fake_clock_advance_s(&rig->clock, (long long)(dice_throw(dice) % 4));
}

static void *disturb(void *arg)
{
    struct stress *stress = arg;
    uint64_t dice = stress->seed;
    const uint64_t stops_after = dice_throw(&dice) % STOPS_AFTER_MAX;

    for (uint64_t n = 0; !atomic_load(&stress->over); n++) {
        const struct rb_options options = throw_options(stress->rig, &dice);

        if (stress->stops && n == stops_after)
            rb_verifier_stop(stress->rig->verifier);
        if (rb_verifier_set_options(stress->rig->verifier, &options) != RB_OK)
            atomic_fetch_add(&stress->failed, 1);
        look_around(stress, &dice);
        check_pause();
    }
    return NULL;
}

/* --- Rounds ------------------------------------------------------------------------ */

static int set_up(void **state)
{
    static const struct fake_host_step silence[] = {{FAKE_HOST_SILENT, NULL}};
    static const struct fake_host_script silent[] = {{silence, COUNT(silence)}};
    static const struct fake_host_options host = {
        .pipelining = true, .replies = users, .reply_count = COUNT(users)};
    static const struct rig_world world = {.zone = zone, .zone_count = COUNT(zone), .host = &host};
    struct stress *stress = calloc(1, sizeof *stress);
    void *rig = NULL;

    if (stress == NULL || rig_set_up(&rig, &world) != 0)
        return -1;
    *state = stress;
    stress->rig = rig;
    stress->open = fake_host_start(&(struct fake_host_options){.ip = "127.0.0.2",
                                                               .port = stress->rig->options.port,
                                                               .rcpt = "250 2.1.5 Ok",
                                                               .open_max = 1,
                                                               .excess = "421 4.7.0 Too many"});
    stress->mute = fake_host_start(&(struct fake_host_options){.ip = "127.0.0.4",
                                                               .port = stress->rig->options.port,
                                                               .scripts = silent,
                                                               .script_count = 1});
    stress->rig->options.command_timeout_ms = 100;
    stress->rig->options.max_workers = 4;
    stress->rig->options.greylist =
        (struct rb_greylist){.first_s = 1, .max_s = 8, .give_up_s = 600};
    stress->rig->options.lifetimes.unknown_ttl_s = 1;
    for (size_t i = 0; i < COUNT(clients); i++) /* the second is a stranger to all */
        clients[i] = (struct sockaddr_in){
            .sin_family = AF_INET,
            .sin_addr.s_addr = htonl(i == 0 ? 0xc6336401U /* 198.51.100.1 */ : 0xcb007109U)};
    return 0;
}

static int tear_down(void **state)
{
    struct stress *stress = *state;
    void *rig = stress->rig;

    fake_host_stop(stress->open);
    fake_host_stop(stress->mute);
    free(stress);
    return rig_tear_down(&rig);
}

/* Time must go on: who says nothing is waited for by that clock. */
static void await_idle(struct rig *rig)
{
    struct rb_stats stats = rig_stats(rig);

    for (int i = 0; stats.running > 0 || stats.pending > 0; i++) {
        assert_in_range(i, 0, RIG_PATIENCE_MS);
        fake_clock_advance_s(&rig->clock, 1);
        check_pause();
        stats = rig_stats(rig);
    }
}

static void assert_nothing_is_left(struct rig *rig)
{
    struct rb_verifier *verifier = rig->verifier;

    rig->options.greylist.retry = false; /* whose thread has ended then */
    rig_reload(rig);
    await_idle(rig);
    assert_int_equal(rig_stats(rig).held, 0);
    assert_int_equal(rig_stats(rig).resting, 0);
    assert_int_equal(atomic_load(&verifier->tickets_held), 0);
    assert_int_equal(rb_verifier_close(verifier), RB_OK); /* and no question is under way */
    rig->verifier = NULL;
}

static void run_round(struct stress *stress, uint64_t *dice)
{
    struct asker *askers = calloc(ASKERS, sizeof *askers);
    pthread_t disturber;

    assert_non_null(askers);
    stress->seed = dice_throw(dice);
    atomic_store(&stress->over, false);
    rig_open(stress->rig);
    for (size_t i = 0; i < ASKERS; i++) {
        askers[i].stress = stress;
        askers[i].dice = dice_throw(dice);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_all, &askers[i]), 0);
    }
    assert_int_equal(pthread_create(&disturber, NULL, disturb, stress), 0);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
    for (size_t i = 0; i < ASKERS; i++)
        give_back_all(&askers[i]);
    atomic_store(&stress->over, true);
    assert_int_equal(pthread_join(disturber, NULL), 0);
    assert_nothing_is_left(stress->rig);
    free(askers);
    assert_int_equal(atomic_load(&stress->twice), 0);
    assert_int_equal(atomic_load(&stress->late), 0);
    assert_int_equal(atomic_load(&stress->failed), 0);
    assert_int_equal(atomic_load(&stress->wrong), 0);
}

static void everybody_is_told_once_while_options_change(void **state)
{
    struct stress *stress = *state;
    uint64_t dice = dice_seed();

    for (int i = 0; i < ROUNDS; i++)
        run_round(stress, &dice);
}

static void and_when_the_end_comes(void **state)
{
    struct stress *stress = *state;
    uint64_t dice = dice_seed();

    stress->stops = true;
    for (int i = 0; i < ROUNDS; i++)
        run_round(stress, &dice);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everybody_is_told_once_while_options_change),
        TEST(and_when_the_end_comes),
    };

    return cmocka_run_group_tests_name("stress", tests, NULL, NULL);
}
