/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unit tests of the sizes of public structs: callers that were compiled with an older header, whose
 * structs are smaller, and with a newer one, whose structs are larger. Nobody is called.
 */
#include "config.h"

#include "check.h"
#include "ringback.h"

enum { GUARD = 0xa5, GUARDED = 64 };

static struct rb_verifier *verifier;

static int set_up(void **state)
{
    struct rb_options options;

    (void)state;
    rb_options_init(&options);
    options.helo_name = "probe.example.net";
    return rb_verifier_open(&options, &verifier, NULL, 0) == RB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rb_verifier_close(verifier) == RB_OK ? 0 : -1;
}

/* A struct that says to be of that size, in a block of which each octet is a guard. malloc'ed. */
static void *sized(size_t size, size_t block)
{
    unsigned char *made = malloc(block);

    assert_non_null(made);
    memset(made, GUARD, block);
    memcpy(made, &size, sizeof size);
    return made;
}

/* No octet of the block behind that many was touched, and the struct still says its size. */
static void assert_untouched(const void *made, size_t size, size_t reach, size_t block)
{
    const unsigned char *octets = made;

    assert_memory_equal(made, &size, sizeof size);
    for (size_t i = reach; i < block; i++)
        if (octets[i] != GUARD)
            fail_msg("octet %zu of a struct of %zu was written", i, size);
}

/* One that fills a struct of the caller's. */
typedef void fill_fn(void *given);

static void fill_options(void *given)
{
    size_t size;

    memcpy(&size, given, sizeof size);
    rb_options_init_size(given, size);
}

static void fill_answer(void *given)
{
    const struct rb_question question = {
        .size = sizeof question, .address = "no address", .address_len = strlen("no address")};

    assert_int_equal(rb_verify(verifier, &question, 0, given), RB_OK);
}

static void empty_answer(void *given)
{
    /* What the guards left of a pointer must not be freed. */
    memset((char *)given + sizeof(size_t), 0, sizeof(struct rb_answer) - sizeof(size_t));
    rb_answer_fini(given);
}

static void fill_prospect(void *given)
{
    const struct rb_question question = {
        .size = sizeof question, .address = "no address", .address_len = strlen("no address")};
    struct rb_answer answer = {.size = 0};

    rb_answer_init(&answer);
    assert_int_equal(rb_peek(verifier, &question, 0, given, &answer), RB_OK);
}

static void fill_answer_by_peek(void *given)
{
    const struct rb_question question = {
        .size = sizeof question, .address = "no address", .address_len = strlen("no address")};
    struct rb_prospect prospect;

    rb_prospect_init(&prospect);
    assert_int_equal(rb_peek(verifier, &question, 0, &prospect, given), RB_OK);
}

static void fill_stats(void *given)
{
    rb_verifier_stats(verifier, given);
}

static void fill_durations(void *given)
{
    rb_callout_durations(verifier, given);
}

static void fill_health(void *given)
{
    rb_verifier_health(verifier, given);
}

static void fill_counts(void *given)
{
    assert_int_equal(rb_cache_count(verifier, given), RB_OK);
}

static void fill_domain_facts(void *given)
{
    assert_int_equal(rb_cache_facts(verifier, "example.org", given), RB_OK);
}

static void fill_spf(void *given)
{
    const struct sockaddr client = {.sa_family = AF_UNIX};
    const struct rb_spf_question question = {
        .size = sizeof question, .client = &client, .sender = "u@example.org", .sender_len = 13};

    /* No look-up is made for such a client. */
    assert_int_equal(rb_spf_check(verifier, &question, 0, given), RB_OK);
}

/* A client of which it would take a HELO name to ask. */
static const struct sockaddr nobody = {.sa_family = AF_UNIX};
static const struct rb_client_question nameless = {
    .size = sizeof nameless, .client = &nobody, .targets = {RB_TARGET_HELO}};

static void fill_client_answer(void *given)
{
    struct rb_ticket *ticket;

    assert_int_equal(rb_ask_client(verifier, &nameless, &ticket), RB_OK);
    assert_int_equal(rb_wait_client(ticket, 0, given), RB_OK);
    rb_ticket_free(ticket);
}

static void fill_client_prospect(void *given)
{
    struct rb_client_answer answer;

    rb_client_answer_init(&answer);
    assert_int_equal(rb_peek_client(verifier, &nameless, 0, given, &answer), RB_OK);
}

#define ROW(type, fill)                                                                            \
    {                                                                                              \
        fill, sizeof(struct type)                                                                  \
    }

static const struct {
    fill_fn *fill;
    size_t size; /* in this header */
} table[] = {
    ROW(rb_options, fill_options),
    ROW(rb_answer, fill_answer),
    ROW(rb_prospect, fill_prospect),
    ROW(rb_answer, fill_answer_by_peek),
    ROW(rb_stats, fill_stats),
    ROW(rb_durations, fill_durations),
    ROW(rb_health, fill_health),
    ROW(rb_cache_counts, fill_counts),
    ROW(rb_domain_facts, fill_domain_facts),
    ROW(rb_spf_answer, fill_spf),
    ROW(rb_client_answer, fill_client_answer),
    ROW(rb_client_prospect, fill_client_prospect),
};

static void an_older_callers_struct_is_not_written_behind_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        for (size_t size = sizeof(size_t); size < table[i].size; size++) {
            void *made = sized(size, table[i].size + GUARDED);

            table[i].fill(made);
            assert_untouched(made, size, size, table[i].size + GUARDED);
            free(made);
        }
    }
}

static void of_a_newer_callers_struct_what_is_not_known_is_left_alone(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNT(table); i++) {
        const size_t size = table[i].size + GUARDED, block = size + GUARDED;
        void *made = sized(size, block);

        table[i].fill(made);
        assert_untouched(made, size, table[i].size, block);
        free(made);
    }
}

/* Whoever says no size does not go without. */
static void without_a_size_a_struct_is_of_the_first_release(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        void *made = sized(0, table[i].size + GUARDED);

        if (table[i].fill == fill_options) {
            free(made);
            continue; /* tells its size by an argument */
        }
        table[i].fill(made);
        assert_untouched(made, 0, table[i].size, table[i].size + GUARDED);
        free(made);
    }
}

static void the_fields_that_fit_are_filled(void **state)
{
    struct rb_answer *answer = sized(offsetof(struct rb_answer, rule), sizeof *answer);
    struct rb_options *options = sized(offsetof(struct rb_options, bind), sizeof *options);
    struct rb_stats *stats = sized(offsetof(struct rb_stats, cache_hit), sizeof *stats);

    (void)state;
    fill_answer(answer);
    assert_string_equal(answer->address, "");
    assert_int_equal(answer->verdict, RB_VERDICT_INVALID);
    assert_int_equal(answer->reason, RB_REASON_BAD_ADDRESS);
    fill_options(options);
    assert_int_equal(options->port, 25);
    fill_stats(stats);
    assert_true(stats->questions > 0);
    free(answer);
    free(options);
    free(stats);
}

static void an_answer_is_emptied_as_far_as_it_goes(void **state)
{
    const size_t block = sizeof(struct rb_answer) + GUARDED;
    struct rb_answer *small = sized(offsetof(struct rb_answer, rule), block);
    struct rb_answer *large = sized(block, block);

    (void)state;
    small->verdict = RB_VERDICT_VALID;
    rb_answer_fini(small);
    assert_int_equal(small->verdict, RB_VERDICT_UNKNOWN);
    assert_untouched(small, offsetof(struct rb_answer, rule), offsetof(struct rb_answer, rule),
                     block);
    empty_answer(large);
    assert_untouched(large, block, sizeof(struct rb_answer), block);
    rb_answer_fini(NULL);
    free(small);
    free(large);
}

/* What an older caller's question has no field for is not asked for; its memory holds anything. */
static void an_older_callers_question_is_read_to_its_end(void **state)
{
    struct rb_question *question = sized(offsetof(struct rb_question, client), sizeof *question);
    struct rb_answer answer = {.size = 0};

    (void)state;
    question->address = "user@example.org";
    question->address_len = strlen(question->address);
    rb_answer_init(&answer);
    rb_verifier_stop(verifier); /* nobody is asked any more */
    assert_int_equal(rb_verify(verifier, question, 0, &answer), RB_OK);
    assert_string_equal(answer.address, "user@example.org");
    assert_string_equal(answer.rule, "shutting_down");
    rb_answer_fini(&answer);
    free(question);
}

static void older_options_have_the_defaults_of_what_they_lack(void **state)
{
    struct rb_options *options = sized(offsetof(struct rb_options, max_hosts), sizeof *options);
    struct rb_verifier *opened;

    (void)state;
    rb_options_init_size(options, offsetof(struct rb_options, max_hosts));
    options->helo_name = "probe.example.net";
    assert_int_equal(rb_verifier_open(options, &opened, NULL, 0), RB_OK);
    assert_int_equal(rb_verifier_set_options(opened, options), RB_OK);
    assert_int_equal(rb_verifier_close(opened), RB_OK);
    free(options);
}

static void options_without_room_for_a_size_are_not_written_behind_their_end(void **state)
{
    const size_t block = sizeof(struct rb_options);
    unsigned char *octets = malloc(block);

    (void)state;
    assert_non_null(octets);
    memset(octets, 0xff, block); /* a size of its own, if that were read */
    rb_options_init_size((struct rb_options *)octets, sizeof(size_t) - 1);
    for (size_t i = sizeof(size_t) - 1; i < block; i++)
        assert_int_equal(octets[i], 0xff);
    free(octets);
}

static void newer_options_are_taken_as_far_as_they_are_known(void **state)
{
    const size_t size = sizeof(struct rb_options) + GUARDED;
    struct rb_options *options = sized(size, size);
    struct rb_verifier *opened;

    (void)state;
    rb_options_init_size(options, size);
    assert_int_equal(options->size, size);
    options->helo_name = "probe.example.net";
    assert_int_equal(rb_verifier_open(options, &opened, NULL, 0), RB_OK);
    assert_int_equal(rb_verifier_close(opened), RB_OK);
    free(options);
}

static void a_size_that_is_none_is_refused(void **state)
{
    struct rb_options options;
    struct rb_question question;
    struct rb_answer answer = {.size = 0};
    struct rb_verifier *opened;
    struct rb_ticket *ticket;
    char detail[80];

    (void)state;
    rb_options_init(&options);
    options.helo_name = "probe.example.net";
    options.size = 4;
    assert_int_equal(rb_verifier_open(&options, &opened, detail, sizeof detail), RB_ERR_ARGUMENT);
    assert_string_equal(detail, "size: 4 is not that of rb_options");
    rb_question_init(&question);
    question.address = "no address";
    question.size = 4;
    assert_int_equal(rb_ask(verifier, &question, &ticket), RB_ERR_ARGUMENT);
    question.size = sizeof question;
    rb_answer_init(&answer);
    answer.size = 4;
    assert_int_equal(rb_verify(verifier, &question, 0, &answer), RB_ERR_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_older_callers_struct_is_not_written_behind_its_end),
        TEST(of_a_newer_callers_struct_what_is_not_known_is_left_alone),
        TEST(without_a_size_a_struct_is_of_the_first_release),
        TEST(the_fields_that_fit_are_filled),
        TEST(an_answer_is_emptied_as_far_as_it_goes),
        TEST(an_older_callers_question_is_read_to_its_end),
        TEST(older_options_have_the_defaults_of_what_they_lack),
        TEST(options_without_room_for_a_size_are_not_written_behind_their_end),
        TEST(newer_options_are_taken_as_far_as_they_are_known),
        TEST(a_size_that_is_none_is_refused),
    };

    return cmocka_run_group_tests_name("sizes", tests, NULL, NULL);
}
