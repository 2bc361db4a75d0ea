/* SPDX-License-Identifier: BSD-2-Clause */
/* test_memo: what is remembered of SPF, for whom, and for how long. */
#include "config.h"

#include "spf/memo.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>

#include "check.h"
#include "fake_clock.h"

enum { THREADS = 4, ROUNDS = 2000 };

struct asked {
    const char *client, *domain, *local, *helo;
};

static const struct asked usual = {"192.0.2.1", "example.org", "user", "mail.example.org"};

struct world {
    struct fake_clock clock;
    struct memo *memo;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL)
        return -1;
    fake_clock_init(&world->clock);
    world->memo = spf_memo_new(&world->clock.clock);
    *state = world;
    return world->memo != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    memo_free(world->memo);
    free(world);
    return 0;
}

static struct spf_question question_of(const struct asked *asked, struct sockaddr_storage *client)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(25)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    *client = (struct sockaddr_storage){.ss_family = AF_UNIX};
    if (inet_pton(AF_INET, asked->client, &v4.sin_addr) == 1)
        memcpy(client, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, asked->client, &v6.sin6_addr) == 1)
        memcpy(client, &v6, sizeof v6);
    return (struct spf_question){.client = (struct sockaddr *)client,
                                 .domain = asked->domain,
                                 .local = asked->local,
                                 .helo = asked->helo};
}

static void note(struct memo *memo, const struct asked *asked, struct spf_result answer)
{
    struct sockaddr_storage client;
    const struct spf_question question = question_of(asked, &client);
    const struct spf_vouching vouching = {.said = answer,
                                          .is_for_now = answer.outcome == SPF_OUTCOME_TEMPERROR};

    spf_memo_note(memo, &question, &vouching);
}

/* The outcome that is remembered; -1 for none. */
static int found(struct memo *memo, const struct asked *asked)
{
    struct sockaddr_storage client;
    const struct spf_question question = question_of(asked, &client);
    struct spf_vouching vouching;

    return spf_memo_find(memo, &question, &vouching) ? (int)vouching.said.outcome : -1;
}

static void nothing_is_known_at_first(void **state)
{
    const struct world *world = *state;
    assert_int_equal(found(world->memo, &usual), -1);
}

static void an_answer_holds_for_all_of_the_domain(void **state)
{
    const struct world *world = *state;
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_FAIL});
    struct asked other = usual;
    other.local = "somebody";
    other.helo = "elsewhere.example";
    assert_int_equal(found(world->memo, &other), SPF_OUTCOME_FAIL);
    other.local = NULL;
    other.helo = NULL;
    assert_int_equal(found(world->memo, &other), SPF_OUTCOME_FAIL);
}

static void another_client_or_domain_is_another_question(void **state)
{
    const struct world *world = *state;
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_FAIL});
    struct asked other = usual;
    other.client = "192.0.2.2";
    assert_int_equal(found(world->memo, &other), -1);
    other.client = "2001:db8::1";
    assert_int_equal(found(world->memo, &other), -1);
    other = usual;
    other.domain = "example.com";
    assert_int_equal(found(world->memo, &other), -1);
    other.domain = "";
    assert_int_equal(found(world->memo, &other), -1);
}

static void an_answer_by_the_sender_holds_for_that_sender_alone(void **state)
{
    const struct world *world = *state;
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_FAIL, .by_sender = true});
    struct asked other = usual;
    other.helo = "elsewhere.example";
    assert_int_equal(found(world->memo, &other), SPF_OUTCOME_FAIL);
    other.local = "User";
    assert_int_equal(found(world->memo, &other), -1);
    other.local = NULL;
    assert_int_equal(found(world->memo, &other), -1);
}

static void an_answer_by_helo_holds_for_that_name_alone(void **state)
{
    const struct world *world = *state;
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_PASS, .by_helo = true});
    struct asked other = usual;
    other.local = "somebody";
    assert_int_equal(found(world->memo, &other), SPF_OUTCOME_PASS);
    other.helo = "elsewhere.example";
    assert_int_equal(found(world->memo, &other), -1);
}

static void an_answer_by_both_holds_for_both_alone(void **state)
{
    const struct world *world = *state;
    note(world->memo, &usual,
         (struct spf_result){.outcome = SPF_OUTCOME_PASS, .by_helo = true, .by_sender = true});
    assert_int_equal(found(world->memo, &usual), SPF_OUTCOME_PASS);
    struct asked other = usual;
    other.local = "somebody";
    assert_int_equal(found(world->memo, &other), -1);
    other = usual;
    other.helo = "elsewhere.example";
    assert_int_equal(found(world->memo, &other), -1);
}

/* A local part must not pass for a HELO name, nor a part of one text for the end of another. */
static void keys_do_not_run_into_each_other(void **state)
{
    const struct world *world = *state;
    const struct asked sender = {"192.0.2.1", "example.org", "x", ""};
    const struct asked helo = {"192.0.2.1", "example.org", "", "x"};
    const struct asked run_on = {"192.0.2.1", "example.orgx", "", ""};
    note(world->memo, &sender, (struct spf_result){.outcome = SPF_OUTCOME_FAIL, .by_sender = true});
    assert_int_equal(found(world->memo, &helo), -1);
    assert_int_equal(found(world->memo, &run_on), -1);
}

/* Who vouches or disowns, and by which term, goes with it. */
static void all_of_an_answer_is_remembered(void **state)
{
    const struct world *world = *state;
    const struct spf_vouching noted = {.said.outcome = SPF_OUTCOME_PERMERROR,
                                       .said.by_helo = true,
                                       .said.domain = "_spf.example.org",
                                       .said.term = "exists:%{h}.x",
                                       .said.fault = "it is wrong",
                                       .is_said = true,
                                       .voucher = RB_VOUCHER_PTR,
                                       .host = "mail.example.org",
                                       .why_nobody = "there is somebody",
                                       .is_for_now = true};
    struct spf_vouching found = {.said.by_sender = true};
    struct sockaddr_storage client;
    const struct spf_question question = question_of(&usual, &client);
    spf_memo_note(world->memo, &question, &noted);
    assert_true(spf_memo_find(world->memo, &question, &found));
    assert_int_equal(found.said.outcome, noted.said.outcome);
    assert_true(found.said.by_helo && !found.said.by_sender);
    assert_string_equal(found.said.domain, noted.said.domain);
    assert_string_equal(found.said.term, noted.said.term);
    assert_string_equal(found.said.fault, noted.said.fault);
    assert_true(found.is_said && found.is_for_now);
    assert_int_equal(found.voucher, noted.voucher);
    assert_string_equal(found.host, noted.host);
    assert_string_equal(found.why_nobody, noted.why_nobody);
}

/* What no guesses were made for says nothing to those who make them, nor the other way round. */
static void with_guesses_it_is_another_question(void **state)
{
    const struct world *world = *state;
    struct sockaddr_storage client;
    struct spf_question question = question_of(&usual, &client);
    struct spf_vouching found;
    for (int guesses = 0; guesses < 2; guesses++) {
        question.guesses = guesses;
        assert_false(spf_memo_find(world->memo, &question, &found));
        spf_memo_note(world->memo, &question,
                      &(struct spf_vouching){.voucher = guesses ? RB_VOUCHER_MX : RB_VOUCHER_SPF});
    }
    for (int guesses = 0; guesses < 2; guesses++) {
        question.guesses = guesses;
        assert_true(spf_memo_find(world->memo, &question, &found));
        assert_int_equal(found.voucher, guesses ? RB_VOUCHER_MX : RB_VOUCHER_SPF);
    }
}

/* However long its texts are. */
static void the_longest_texts_are_remembered(void **state)
{
    const struct world *world = *state;
    struct sockaddr_storage client;
    const struct spf_question question = question_of(&usual, &client);
    struct spf_vouching noted = {.voucher = RB_VOUCHER_SPF}, found;
    memset(noted.said.domain, 'd', sizeof noted.said.domain - 1);
    memset(noted.said.term, 't', sizeof noted.said.term - 1);
    memset(noted.host, 'h', sizeof noted.host - 1);
    spf_memo_note(world->memo, &question, &noted);
    assert_true(spf_memo_find(world->memo, &question, &found));
    assert_string_equal(found.said.domain, noted.said.domain);
    assert_string_equal(found.said.term, noted.said.term);
    assert_string_equal(found.host, noted.host);
}

static void v4_mapped_clients_are_the_same_as_ipv4(void **state)
{
    const struct world *world = *state;
    struct asked mapped = usual;
    mapped.client = "::ffff:192.0.2.1";
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_FAIL});
    assert_int_equal(found(world->memo, &mapped), SPF_OUTCOME_FAIL);
}

static void answers_are_forgotten_after_their_time(void **state)
{
    static const struct {
        enum spf_outcome outcome;
        int life_s;
    } cases[] = {
        {SPF_OUTCOME_NONE, SPF_MEMO_LIFE_S},
        {SPF_OUTCOME_PASS, SPF_MEMO_LIFE_S},
        {SPF_OUTCOME_FAIL, SPF_MEMO_LIFE_S},
        {SPF_OUTCOME_PERMERROR, SPF_MEMO_LIFE_S},
        {SPF_OUTCOME_TEMPERROR, SPF_MEMO_FOR_NOW_LIFE_S},
    };
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        note(world->memo, &usual, (struct spf_result){.outcome = cases[i].outcome});
        fake_clock_advance_s(&world->clock, cases[i].life_s - 1);
        assert_int_equal(found(world->memo, &usual), cases[i].outcome);
        fake_clock_advance_s(&world->clock, 1);
        assert_int_equal(found(world->memo, &usual), -1);
    }
}

static void looking_does_not_lengthen_a_life(void **state)
{
    struct world *world = *state;
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_FAIL});
    for (int i = 0; i < SPF_MEMO_LIFE_S - 1; i++) {
        fake_clock_advance_s(&world->clock, 1);
        assert_int_equal(found(world->memo, &usual), SPF_OUTCOME_FAIL);
    }
    fake_clock_advance_s(&world->clock, 1);
    assert_int_equal(found(world->memo, &usual), -1);
}

static void a_new_answer_takes_the_place_of_the_old(void **state)
{
    struct world *world = *state;
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_TEMPERROR});
    note(world->memo, &usual, (struct spf_result){.outcome = SPF_OUTCOME_PASS});
    fake_clock_advance_s(&world->clock, SPF_MEMO_FOR_NOW_LIFE_S + 1);
    assert_int_equal(found(world->memo, &usual), SPF_OUTCOME_PASS);
}

static void note_number(struct memo *memo, unsigned number)
{
    char domain[32];
    (void)snprintf(domain, sizeof domain, "d%u.example", number);
    const struct asked asked = {"192.0.2.1", domain, NULL, NULL};
    note(memo, &asked, (struct spf_result){.outcome = SPF_OUTCOME_FAIL});
}

static int found_number(struct memo *memo, unsigned number)
{
    char domain[32];
    (void)snprintf(domain, sizeof domain, "d%u.example", number);
    const struct asked asked = {"192.0.2.1", domain, NULL, NULL};
    return found(memo, &asked);
}

static void the_oldest_go_where_there_are_too_many(void **state)
{
    const struct world *world = *state;
    for (unsigned i = 0; i < SPF_MEMO_ENTRIES_MAX; i++)
        note_number(world->memo, i);
    note_number(world->memo, 0); /* anew: it is not the oldest any more */
    assert_int_equal(found_number(world->memo, 1), SPF_OUTCOME_FAIL);
    note_number(world->memo, SPF_MEMO_ENTRIES_MAX);
    assert_int_equal(found_number(world->memo, 1), -1);
    assert_int_equal(found_number(world->memo, 0), SPF_OUTCOME_FAIL);
    assert_int_equal(found_number(world->memo, 2), SPF_OUTCOME_FAIL);
    assert_int_equal(found_number(world->memo, SPF_MEMO_ENTRIES_MAX), SPF_OUTCOME_FAIL);
}

static void what_has_no_key_is_not_kept(void **state)
{
    const struct world *world = *state;
    char text[SPF_MEMO_TEXT_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct asked asked = usual;
    asked.client = "no address";
    note(world->memo, &asked, (struct spf_result){.outcome = SPF_OUTCOME_FAIL});
    assert_int_equal(found(world->memo, &asked), -1);
    asked = usual;
    asked.helo = text;
    note(world->memo, &asked, (struct spf_result){.outcome = SPF_OUTCOME_FAIL, .by_helo = true});
    assert_int_equal(found(world->memo, &asked), -1);
    text[SPF_MEMO_TEXT_MAX] = '\0';
    note(world->memo, &asked, (struct spf_result){.outcome = SPF_OUTCOME_FAIL, .by_helo = true});
    assert_int_equal(found(world->memo, &asked), SPF_OUTCOME_FAIL);
    struct spf_question nobody = {.domain = "example.org"};
    struct spf_vouching found;
    spf_memo_note(world->memo, &nobody, &(struct spf_vouching){.voucher = RB_VOUCHER_NOBODY});
    assert_false(spf_memo_find(world->memo, &nobody, &found));
}

/* A long HELO name is no hindrance where the answer was not by it. */
static void a_long_name_that_does_not_matter_is_left_aside(void **state)
{
    const struct world *world = *state;
    char text[SPF_MEMO_TEXT_MAX + 100];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct asked asked = usual;
    asked.helo = asked.local = text;
    note(world->memo, &asked, (struct spf_result){.outcome = SPF_OUTCOME_FAIL});
    assert_int_equal(found(world->memo, &asked), SPF_OUTCOME_FAIL);
}

static void *use_often(void *arg)
{
    const struct world *world = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        note_number(world->memo, i % 100);
        int outcome = found_number(world->memo, (i * 7) % 100);
        if (outcome != -1 && outcome != SPF_OUTCOME_FAIL)
            return arg;
    }
    return NULL;
}

static void many_threads_use_it_at_once(void **state)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_often, *state), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

#define MEMO_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMO_TEST(nothing_is_known_at_first),
        MEMO_TEST(an_answer_holds_for_all_of_the_domain),
        MEMO_TEST(another_client_or_domain_is_another_question),
        MEMO_TEST(an_answer_by_the_sender_holds_for_that_sender_alone),
        MEMO_TEST(an_answer_by_helo_holds_for_that_name_alone),
        MEMO_TEST(an_answer_by_both_holds_for_both_alone),
        MEMO_TEST(keys_do_not_run_into_each_other),
        MEMO_TEST(all_of_an_answer_is_remembered),
        MEMO_TEST(with_guesses_it_is_another_question),
        MEMO_TEST(the_longest_texts_are_remembered),
        MEMO_TEST(v4_mapped_clients_are_the_same_as_ipv4),
        MEMO_TEST(answers_are_forgotten_after_their_time),
        MEMO_TEST(looking_does_not_lengthen_a_life),
        MEMO_TEST(a_new_answer_takes_the_place_of_the_old),
        MEMO_TEST(the_oldest_go_where_there_are_too_many),
        MEMO_TEST(what_has_no_key_is_not_kept),
        MEMO_TEST(a_long_name_that_does_not_matter_is_left_aside),
        MEMO_TEST(many_threads_use_it_at_once),
    };
    return cmocka_run_group_tests_name("spf_memo", tests, NULL, NULL);
}
