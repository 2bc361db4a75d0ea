/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_inflight: questions under way: who joins one, who is told what and when, and when question
 * and waiter are gone.
 */
#include "config.h"

#include "verifier/inflight.h"

#include <pthread.h>

#include "base/transcript.h"
#include "check.h"
#include "base/clock.h"

enum { WAITERS = 5, THREADS = 4, ROUNDS = 500 };

static const struct address_record refused = {.reason = RB_REASON_NO_SUCH_USER, .code = 550};
static const struct address_record welcome = {.reason = RB_REASON_ACCEPTED, .code = 250};

/* One who waits, and what it was told. */
struct listener {
    struct waiter waiter; /* first */
    struct inflight *inflight;
    unsigned accepted, answered, stopped, called, released;
    int code;
    bool from_cache, takes_transcript;
    struct rb_transcript *transcript;
    struct waiter *leaves; /* who leaves when this one is called */
};

static void tell(struct waiter *waiter, const struct inflight_news *news)
{
    struct listener *self = (struct listener *)waiter;

    self->accepted += news->event == INFLIGHT_ACCEPTED;
    self->answered += news->event == INFLIGHT_ANSWERED;
    self->stopped += news->event == INFLIGHT_STOPPED;
    if (news->record != NULL)
        self->code = news->record->code;
    self->from_cache = news->from_cache;
    if (news->event == INFLIGHT_ANSWERED && self->takes_transcript) {
        self->transcript = *news->transcript;
        *news->transcript = NULL;
    }
}

static void call(struct waiter *waiter)
{
    struct listener *self = (struct listener *)waiter;

    self->called++;
    if (self->leaves != NULL)
        inflight_leave(self->inflight, self->leaves);
}

static void release(struct waiter *waiter)
{
    ((struct listener *)waiter)->released++;
}

static struct listener listening(struct inflight *inflight)
{
    return (struct listener){
        .waiter = {.tell = tell, .call = call, .release = release, .references = 1},
        .inflight = inflight};
}

static struct question *asked(const char *key, int64_t asked_ms)
{
    struct question *question = question_new(key, "d.example", NULL);

    assert_non_null(question);
    question->asked_ms = asked_ms;
    return question;
}

static int set_up(void **state)
{
    struct inflight *inflight = malloc(sizeof *inflight);

    if (inflight == NULL)
        return -1;
    inflight_init(inflight, clock_system());
    *state = inflight;
    return 0;
}

static int tear_down(void **state)
{
    inflight_fini(*state); /* asserts that nothing is under way */
    free(*state);
    return 0;
}

/* --- Questions -------------------------------------------------------------- */

static void names_that_are_too_long_make_no_question(void **state)
{
    char key[CACHE_KEY_MAX + 2], domain[RB_DOMAIN_MAX + 2], relay[RELAY_MAX + 2];
    struct question *question;
    (void)state;

    memset(key, 'k', sizeof key);
    memset(domain, 'd', sizeof domain);
    memset(relay, 'r', sizeof relay);
    key[sizeof key - 1] = domain[sizeof domain - 1] = relay[sizeof relay - 1] = '\0';
    assert_null(question_new(key, "d.example", NULL));
    assert_null(question_new("u@d.example", domain, NULL));
    assert_null(question_new("u@d.example", "d.example", relay));
    key[CACHE_KEY_MAX] = domain[RB_DOMAIN_MAX] = relay[RELAY_MAX] = '\0';
    question = question_new(key, domain, relay);
    assert_non_null(question);
    assert_string_equal(question->relay, relay);
    assert_ptr_equal(question_of(&question->item), question);
    question_free(question);
}

static void a_question_is_found_by_its_key_until_it_is_finished(void **state)
{
    struct inflight *inflight = *state;
    struct question *a = asked("a@d.example", 1), *b = asked("b@d.example", 1);

    assert_false(inflight_has(inflight, "a@d.example", 0));
    assert_false(inflight_join(inflight, a));
    assert_false(inflight_join(inflight, b));
    assert_true(inflight_has(inflight, "a@d.example", 0));
    assert_false(inflight_has(inflight, "A@d.example", 0));
    inflight_finish(inflight, a, &refused, NULL);
    assert_false(inflight_has(inflight, "a@d.example", 0));
    assert_true(inflight_has(inflight, "b@d.example", 0));
    inflight_finish(inflight, b, &refused, NULL);
}

static void questions_of_other_sizes_are_not_equal(void **state)
{
    static const uint64_t sizes[] = {0, 1, UINT64_MAX};
    struct inflight *inflight = *state;
    struct question *questions[COUNT(sizes)], *again;

    for (size_t i = 0; i < COUNT(sizes); i++) {
        questions[i] = asked("u@d.example", 1);
        question_set_size(questions[i], sizes[i]);
        assert_true(questions[i]->item.message_size == sizes[i]);
        assert_false(inflight_has(inflight, "u@d.example", sizes[i]));
        assert_false(inflight_join(inflight, questions[i]));
    }
    for (size_t i = 0; i < COUNT(sizes); i++) {
        again = asked("u@d.example", 2);
        question_set_size(again, sizes[i]);
        assert_true(inflight_join(inflight, again));
        inflight_finish(inflight, questions[i], &welcome, NULL);
        assert_false(inflight_has(inflight, "u@d.example", sizes[i]));
    }
}

static void a_private_question_is_neither_joined_nor_joins(void **state)
{
    struct inflight *inflight = *state;
    struct question *open = asked("u@d.example", 1), *private = asked("u@d.example", 1);
    struct listener listener = listening(inflight);

    private->is_private = true;
    inflight_wait_for(private, &listener.waiter);
    assert_false(inflight_join(inflight, private));
    assert_false(inflight_has(inflight, "u@d.example", 0));
    assert_false(inflight_join(inflight, open));
    inflight_finish(inflight, open, &welcome, NULL);
    assert_int_equal(listener.answered, 0);
    inflight_finish(inflight, private, &refused, NULL);
    assert_int_equal(listener.answered, 1);
    assert_int_equal(listener.code, 550);
}

static void one_that_never_was_under_way_is_finished_too(void **state)
{
    struct inflight *inflight = *state;
    struct question *question = asked("u@d.example", 1);
    struct listener listener = listening(inflight);
    atomic_ullong count = 0;

    inflight_wait_for(question, &listener.waiter);
    inflight_finish(inflight, question, &refused, &count);
    assert_int_equal(listener.answered, 1);
    assert_int_equal(atomic_load(&count), 1);
}

/* --- Waiters ---------------------------------------------------------------- */

static void all_who_joined_are_told_once(void **state)
{
    struct inflight *inflight = *state;
    struct listener listeners[WAITERS];
    struct question *first = NULL;

    for (size_t i = 0; i < WAITERS; i++) {
        struct question *question = asked("u@d.example", 10 + (int64_t)i);

        listeners[i] = listening(inflight);
        inflight_wait_for(question, &listeners[i].waiter);
        assert_int_equal(inflight_join(inflight, question), i > 0);
        if (i == 0)
            first = question;
    }
    first->from_cache = true;
    inflight_finish(inflight, first, &refused, NULL);
    for (size_t i = 0; i < WAITERS; i++) {
        assert_int_equal(listeners[i].answered, 1);
        assert_int_equal(listeners[i].called, 1);
        assert_int_equal(listeners[i].code, 550);
        assert_true(listeners[i].from_cache);
        /* by whoever asked first */
        assert_int_equal(atomic_load(&listeners[i].waiter.asked_ms), 10);
        assert_int_equal(listeners[i].released, 0);
        waiter_put(&listeners[i].waiter);
        assert_int_equal(listeners[i].released, 1);
    }
}

/* One at the gate may have been asked before the one that it joins when it is let in. */
static void who_asked_first_keeps_his_time(void **state)
{
    struct inflight *inflight = *state;
    struct question *early = asked("u@d.example", 3), *late = asked("u@d.example", 5);
    struct listener listener = listening(inflight);

    assert_false(inflight_join(inflight, late));
    inflight_wait_for(early, &listener.waiter);
    assert_true(inflight_join(inflight, early));
    assert_int_equal(atomic_load(&listener.waiter.asked_ms), 3);
    inflight_finish(inflight, late, &refused, NULL);
    assert_int_equal(listener.answered, 1);
}

static void acceptance_is_told_to_those_who_wait_and_those_who_join(void **state)
{
    struct inflight *inflight = *state;
    struct question *question = asked("u@d.example", 1), *equal = asked("u@d.example", 2);
    struct listener early = listening(inflight), late = listening(inflight);

    inflight_wait_for(question, &early.waiter);
    inflight_wait_for(equal, &late.waiter);
    assert_false(inflight_join(inflight, question));
    inflight_accepted(inflight, question, &welcome);
    assert_int_equal(early.accepted, 1);
    assert_int_equal(early.called, 0);
    assert_int_equal(early.code, 250);
    assert_true(inflight_join(inflight, equal));
    assert_int_equal(late.accepted, 1);
    assert_int_equal(late.code, 250);
    inflight_finish(inflight, question, &refused, NULL);
    assert_int_equal(early.accepted + late.accepted, 2);
    assert_int_equal(early.answered + late.answered, 2);
}

static void who_has_left_is_told_nothing(void **state)
{
    struct inflight *inflight = *state;
    struct question *question = asked("u@d.example", 1);
    struct listener stays = listening(inflight), leaves = listening(inflight);

    inflight_wait_for(question, &stays.waiter);
    inflight_wait_for(question, &leaves.waiter);
    assert_false(inflight_join(inflight, question));
    inflight_leave(inflight, &leaves.waiter);
    inflight_leave(inflight, &leaves.waiter); /* is fine */
    waiter_put(&leaves.waiter);
    assert_int_equal(leaves.released, 1);
    inflight_finish(inflight, question, &refused, NULL);
    assert_int_equal(stays.answered, 1);
    assert_int_equal(leaves.answered, 0);
    inflight_leave(inflight, &stays.waiter); /* too late, and fine */
    assert_int_equal(atomic_load(&stays.waiter.references), 1);
}

/* By then all have been told, whoever is called first. */
static void a_waiter_that_is_called_may_leave(void **state)
{
    struct inflight *inflight = *state;
    struct question *question = asked("u@d.example", 1);
    struct listener first = listening(inflight), second = listening(inflight);

    first.leaves = &second.waiter;
    second.leaves = &second.waiter;
    inflight_wait_for(question, &first.waiter);
    inflight_wait_for(question, &second.waiter);
    assert_false(inflight_join(inflight, question));
    inflight_finish(inflight, question, &refused, NULL);
    assert_int_equal(first.answered + second.answered, 2);
    assert_int_equal(first.called + second.called, 2);
    assert_int_equal(atomic_load(&first.waiter.references), 1);
    assert_int_equal(atomic_load(&second.waiter.references), 1);
}

static void a_transcript_goes_to_who_takes_it(void **state)
{
    struct inflight *inflight = *state;
    struct listener listener = listening(inflight);

    for (int taken = 0; taken < 2; taken++) { /* else it goes with the question: the leak checker */
        struct question *question = asked("u@d.example", 1);

        question->is_private = true;
        question->item.transcript = transcript_new();
        assert_non_null(question->item.transcript);
        listener.takes_transcript = taken == 1;
        inflight_wait_for(question, &listener.waiter);
        assert_false(inflight_join(inflight, question));
        inflight_finish(inflight, question, &refused, NULL);
        assert_int_equal(listener.transcript != NULL, taken);
    }
    transcript_free(listener.transcript);
}

/* --- The end ---------------------------------------------------------------- */

static void stopping_tells_all_and_ends_no_question(void **state)
{
    struct inflight *inflight = *state;
    struct listener listeners[3];
    struct question *questions[3];

    for (size_t i = 0; i < COUNT(questions); i++) {
        questions[i] = asked(i == 0 ? "a@d.example" : "b@d.example", 1);
        questions[i]->is_private = i == 2;
        listeners[i] = listening(inflight);
        inflight_wait_for(questions[i], &listeners[i].waiter);
        assert_false(inflight_join(inflight, questions[i]));
    }
    inflight_stop(inflight);
    inflight_stop(inflight);
    assert_false(inflight_has(inflight, "a@d.example", 0));
    for (size_t i = 0; i < COUNT(questions); i++)
        inflight_finish(inflight, questions[i], &refused, NULL);
    for (size_t i = 0; i < COUNT(questions); i++) {
        assert_int_equal(listeners[i].stopped, 1);
        assert_int_equal(listeners[i].called, 1);
        assert_int_equal(listeners[i].answered, 0);
        assert_int_equal(atomic_load(&listeners[i].waiter.references), 1);
    }
}

/* --- Side by side ----------------------------------------------------------- */

struct crowd {
    struct inflight inflight;
    atomic_uint told, gone;
};

struct member {
    struct waiter waiter; /* first */
    struct crowd *crowd;
};

static void tell_member(struct waiter *waiter, const struct inflight_news *news)
{
    struct member *member = (struct member *)waiter;

    if (news->event != INFLIGHT_ACCEPTED)
        atomic_fetch_add(&member->crowd->told, 1);
}

static void call_member(struct waiter *waiter)
{
    (void)waiter;
}

static void free_member(struct waiter *waiter)
{
    struct member *member = (struct member *)waiter;

    atomic_fetch_add(&member->crowd->gone, 1);
    free(member);
}

/* Asks the same as all others do, finishes what it was first with, and sometimes leaves. */
static void *ask_and_finish(void *arg)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct question *question = question_new("u@d.example", "d.example", NULL);
        struct member *member = malloc(sizeof *member);

        if (question == NULL || member == NULL)
            abort();
        *member = (struct member){.waiter = {.tell = tell_member,
                                             .call = call_member,
                                             .release = free_member,
                                             .references = 1},
                                  .crowd = crowd};
        inflight_wait_for(question, &member->waiter);
        if (!inflight_join(&crowd->inflight, question)) {
            inflight_accepted(&crowd->inflight, question, &welcome);
            inflight_finish(&crowd->inflight, question, &refused, NULL);
        }
        if (i % 3 == 0)
            inflight_leave(&crowd->inflight, &member->waiter);
        waiter_put(&member->waiter);
    }
    return NULL;
}

static void many_threads_ask_finish_and_leave(void **state)
{
    struct crowd crowd = {.told = 0, .gone = 0};
    pthread_t threads[THREADS];
    (void)state;

    inflight_init(&crowd.inflight, clock_system());
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_and_finish, &crowd), 0);
    for (int i = 0; i < ROUNDS; i++)
        inflight_stop(&crowd.inflight);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.gone), THREADS * ROUNDS);
    assert_true(atomic_load(&crowd.told) <= THREADS * ROUNDS);
    inflight_fini(&crowd.inflight);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_that_are_too_long_make_no_question),
        TEST(a_question_is_found_by_its_key_until_it_is_finished),
        TEST(questions_of_other_sizes_are_not_equal),
        TEST(a_private_question_is_neither_joined_nor_joins),
        TEST(one_that_never_was_under_way_is_finished_too),
        TEST(all_who_joined_are_told_once),
        TEST(who_asked_first_keeps_his_time),
        TEST(acceptance_is_told_to_those_who_wait_and_those_who_join),
        TEST(who_has_left_is_told_nothing),
        TEST(a_waiter_that_is_called_may_leave),
        TEST(a_transcript_goes_to_who_takes_it),
        TEST(stopping_tells_all_and_ends_no_question),
        TEST(many_threads_ask_finish_and_leave),
    };

    return cmocka_run_group_tests_name("inflight", tests, NULL, NULL);
}
