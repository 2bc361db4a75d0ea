/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_memory: what is known answers, in its order; what is learned is kept, or is not, and two who
 * learn at one time lose nothing. Over a real cache.
 */
#include "config.h"

#include "verifier/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "fake_clock.h"
#include "verifier_rig.h"

enum { THREADS = 4, FAILURES = 25 };

static const long long HOUR = 3600; /* seconds */

struct fixture {
    char folder[64], path[80], store[96];
    struct fake_clock clock;
    struct options *options;
    struct memory memory;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct rb_options options;

    if (f == NULL)
        return -1;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rb-memory-XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/store", f->folder);
    (void)snprintf(f->store, sizeof f->store, "lmdb:%s", f->path);
    fake_clock_init(&f->clock);
    rb_options_init(&options);
    options.helo_name = "mail.example.org";
    options.store = f->store;
    options.clock = &f->clock.clock;
    options.breaker_failures = 2;
    if (options_copy(&options, &f->options, NULL, 0) != RB_OK)
        return -1;
    *state = f;
    return memory_open(&f->memory, &f->options->o, NULL, 0) == RB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    memory_close(&f->memory);
    options_free(f->options);
    rig_remove_store(f->path);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static void note(struct fixture *f, const char *key, enum rb_reason reason)
{
    const struct address_record record = {
        .reason = reason, .stage = RB_STAGE_RCPT, .stamp_s = clock_wall_s(f->memory.clock)};

    assert_true(memory_note_answer(&f->memory, key, "", &record));
    cache_flush(f->memory.cache);
}

static enum memory_answer find(struct fixture *f, const char *address, enum rb_reason *reason,
                               bool *by_fact)
{
    struct address_record record = {.reason = RB_REASON_NONE};
    char key[CACHE_KEY_MAX + 1];
    enum memory_answer found;

    assert_int_equal(cache_address_key(NULL, address, key), RB_OK);
    found = memory_find(&f->memory, f->options, key, "example.org", NULL, &record, by_fact);
    *reason = found != CACHE_MISS ? record.reason : RB_REASON_NONE;
    return found;
}

static void note_address(struct fixture *f, const char *address, enum rb_reason reason)
{
    char key[CACHE_KEY_MAX + 1];

    assert_int_equal(cache_address_key(NULL, address, key), RB_OK);
    note(f, key, reason);
}

static void an_answer_is_fresh_then_stale_then_gone(void **state)
{
    struct fixture *f = *state;
    enum rb_reason reason;
    bool by_fact;

    assert_int_equal(find(f, "user@example.org", &reason, &by_fact), CACHE_MISS);
    note_address(f, "user@example.org", RB_REASON_ACCEPTED);
    assert_int_equal(find(f, "user@example.org", &reason, &by_fact), CACHE_FRESH);
    assert_int_equal(reason, RB_REASON_ACCEPTED);
    assert_false(by_fact);
    fake_clock_advance_s(&f->clock, f->options->o.lifetimes.valid_refresh_s + 1);
    assert_int_equal(find(f, "user@example.org", &reason, &by_fact), CACHE_STALE);
    fake_clock_advance_s(&f->clock, f->options->o.lifetimes.valid_ttl_s);
    assert_int_equal(find(f, "user@example.org", &reason, &by_fact), CACHE_MISS);
}

static void facts_answer_where_nothing_is_known_of_the_address(void **state)
{
    struct fixture *f = *state;
    const struct domain_record news = {.dead = {FACT_YES, clock_wall_s(f->memory.clock)},
                                       .dead_reason = RB_REASON_NULL_MX};
    struct domain_record facts;
    enum rb_reason reason;
    bool by_fact;

    memory_facts(&f->memory, NULL, "example.org", &facts);
    assert_int_equal(facts.dead.state, FACT_UNKNOWN);
    memory_learned(&f->memory, NULL, "example.org", &news);
    note_address(f, "user@example.org", RB_REASON_ACCEPTED);
    memory_facts(&f->memory, NULL, "example.org", &facts);
    assert_int_equal(facts.dead.state, FACT_YES);
    assert_int_equal(find(f, "other@example.org", &reason, &by_fact), CACHE_FRESH);
    assert_int_equal(reason, RB_REASON_NULL_MX);
    assert_true(by_fact);
    assert_int_equal(find(f, "user@example.org", &reason, &by_fact), CACHE_FRESH);
    assert_int_equal(reason, RB_REASON_ACCEPTED);
    assert_false(by_fact);
}

static void a_correspondent_stands_against_a_refusal(void **state)
{
    struct fixture *f = *state;
    enum rb_reason reason;
    bool by_fact;

    note_address(f, "user@example.org", RB_REASON_NO_SUCH_USER);
    memory_note_correspondent(&f->memory, "user@EXAMPLE.org", strlen("user@EXAMPLE.org"));
    memory_note_correspondent(&f->memory, "no address", strlen("no address"));
    cache_flush(f->memory.cache);
    assert_int_equal(find(f, "user@example.org", &reason, &by_fact), CACHE_FRESH);
    assert_int_equal(reason, RB_REASON_CORRESPONDENT);
}

static void what_is_of_this_moment_is_not_kept(void **state)
{
    static const char own[] = "lmtp.example.org:24";
    struct fixture *f = *state;
    static const struct {
        const char *relay;
        enum rb_reason reason;
        bool kept;
    } rows[] = {
        {"", RB_REASON_BUSY, false},         {"", RB_REASON_UNREACHABLE, true},
        {own, RB_REASON_NO_SUCH_USER, true}, {own, RB_REASON_CATCH_ALL, true},
        {own, RB_REASON_UNREACHABLE, false},
    };
    char key[CACHE_KEY_MAX + 1];

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct address_record said = {.reason = rows[i].reason, .stamp_s = 1};
        const char *relay = rows[i].relay[0] != '\0' ? rows[i].relay : NULL;

        assert_int_equal(cache_address_key(relay, "user@example.org", key), RB_OK);
        assert_int_equal(memory_note_answer(&f->memory, key, rows[i].relay, &said), rows[i].kept);
    }
}

static void what_takes_mail_does_not_answer_for_a_message_of_some_size(void **state)
{
    static const struct {
        enum rb_reason reason;
        bool answers;
    } rows[] = {
        {RB_REASON_ACCEPTED, false},   {RB_REASON_MAILBOX_FULL, false},
        {RB_REASON_CATCH_ALL, false},  {RB_REASON_NO_SUCH_USER, true},
        {RB_REASON_DISABLED, true},    {RB_REASON_NULL_MX, true},
        {RB_REASON_UNREACHABLE, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(memory_answers_size(&(struct address_record){.reason = rows[i].reason}),
                         rows[i].answers);
}

static void a_host_that_fails_is_held_back_and_tried_once(void **state)
{
    static const char ip[] = "192.0.2.1";
    struct fixture *f = *state;
    const struct rb_options *o = &f->options->o;
    int64_t until_s;
    bool on_trial;

    memory_host_called(&f->memory, o, ip, RB_REASON_UNREACHABLE, true, false);
    cache_flush(f->memory.cache);
    assert_int_equal(memory_host_held_until_s(&f->memory, ip, &on_trial), 0);
    assert_false(on_trial);
    memory_host_called(&f->memory, o, ip, RB_REASON_UNREACHABLE, true, false);
    cache_flush(f->memory.cache);
    until_s = memory_host_held_until_s(&f->memory, ip, &on_trial);
    assert_true(until_s > clock_wall_s(f->memory.clock));
    fake_clock_advance_s(&f->clock, until_s - clock_wall_s(f->memory.clock) + 1);
    assert_int_equal(memory_host_held_until_s(&f->memory, ip, &on_trial), 0);
    assert_true(on_trial);
    memory_host_called(&f->memory, o, ip, RB_REASON_ACCEPTED, false, false);
    cache_flush(f->memory.cache);
    (void)memory_host_held_until_s(&f->memory, ip, &on_trial);
    assert_false(on_trial);
}

static void an_answer_says_how_long_it_is_kept(void **state)
{
    struct fixture *f = *state;
    const struct address_record record = {.reason = RB_REASON_ACCEPTED,
                                          .stamp_s = clock_wall_s(f->memory.clock) - HOUR};
    struct rb_answer answer = {.size = 0};

    memory_fill_answer(&f->memory, f->options, "", "user@example.org", &record, &answer);
    assert_int_equal(answer.verdict, RB_VERDICT_VALID);
    assert_int_equal(answer.age_s, HOUR);
    assert_int_equal(answer.expires_s, f->options->o.lifetimes.valid_ttl_s - HOUR);
    memory_fill_answer(&f->memory, f->options, "", "", &record, &answer);
    assert_int_equal(answer.expires_s, -1);
}

static void without_a_store_nothing_is_known_and_nothing_kept(void **state)
{
    struct fixture *f = *state;
    const struct address_record record = {.reason = RB_REASON_ACCEPTED};
    struct memory none = {.clock = f->memory.clock, .records = PTHREAD_MUTEX_INITIALIZER};
    struct domain_record facts;
    struct address_record found;
    bool flag;

    assert_int_equal(
        memory_find(&none, f->options, "user@example.org", "example.org", NULL, &found, &flag),
        CACHE_MISS);
    assert_false(memory_note_answer(&none, "user@example.org", "", &record));
    memory_facts(&none, NULL, "example.org", &facts);
    memory_learned(&none, NULL, "example.org", &facts);
    memory_host_called(&none, &f->options->o, "192.0.2.1", RB_REASON_TIMEOUT, true, false);
    assert_int_equal(memory_host_held_until_s(&none, "192.0.2.1", &flag), 0);
    memory_note_correspondent(&none, "user@example.org", strlen("user@example.org"));
    memory_close(&none);
}

/* --- Side by side ----------------------------------------------------------- */

static void *fail_many_times(void *arg)
{
    struct fixture *f = arg;

    for (int i = 0; i < FAILURES; i++)
        memory_host_called(&f->memory, &f->options->o, "192.0.2.9", RB_REASON_TIMEOUT, true, false);
    return NULL;
}

static void failures_that_are_noted_side_by_side_all_count(void **state)
{
    struct fixture *f = *state;
    struct host_record host;
    pthread_t threads[THREADS];

    f->options->o.breaker_failures = 0; /* they are counted, and hold nobody back */
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fail_many_times, f), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(cache_get_host(f->memory.cache, "192.0.2.9", &host), RB_OK);
    assert_int_equal(host.failures, THREADS * FAILURES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_fresh_then_stale_then_gone),
        TEST(facts_answer_where_nothing_is_known_of_the_address),
        TEST(a_correspondent_stands_against_a_refusal),
        TEST(what_is_of_this_moment_is_not_kept),
        TEST(what_takes_mail_does_not_answer_for_a_message_of_some_size),
        TEST(a_host_that_fails_is_held_back_and_tried_once),
        TEST(an_answer_says_how_long_it_is_kept),
        TEST(without_a_store_nothing_is_known_and_nothing_kept),
        TEST(failures_that_are_noted_side_by_side_all_count),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
