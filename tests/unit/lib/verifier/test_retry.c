/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_retry: the schedule of retries over a real cache, with a clock that is moved by hand and a
 * world that says what the test wants. Two daemons are two rooms over one cache: LMDB allows a
 * process no second environment of one store. The room's own thread runs all the while, and may do
 * at any moment what a test makes it do by retry_look.
 */
#include "config.h"

#include "verifier/retry.h"

#include "check.h"
#include "base/clock.h"
#include "fake_clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    NOW = 2000000000, /* fake_clock's start */
    MINUTE = 60,
    HOUR = 3600,
    DAY = 86400,
    STEP_S = 60,
    ASKED_MAX = 2000,
    PATIENCE_MS = 120000,
};

/* What a daemon asks, and hears. */
struct daemon {
    struct world *world;
    struct retry *retry;
    struct rb_options options;
    atomic_uint asked;
    atomic_bool refuses; /* it cannot ask now */
    atomic_bool silent;  /* it asks, and nothing comes of it */
};

struct world {
    char folder[64], path[80], store[96];
    struct fake_clock clock;
    struct cache *cache;
    struct daemon one, other;
    _Atomic(enum rb_reason) says;
    pthread_mutex_t lock; /* covers the rest */
    size_t heard;         /* questions, of whomever */
    char keys[ASKED_MAX][40];
    int64_t at_s[ASKED_MAX];
};

/* --- The world --------------------------------------------------------------- */

static int64_t now_s(struct world *w)
{
    return clock_wall_s(&w->clock.clock);
}

/* As jobs does: into the cache, and then to the room. */
static void say(struct daemon *daemon, const char *key, enum rb_reason reason)
{
    struct world *w = daemon->world;
    const struct address_record said = {
        .reason = reason, .stage = RB_STAGE_RCPT, .stamp_s = now_s(w), .ip = "192.0.2.25"};

    assert_int_equal(cache_put_address(w->cache, key, &said), RB_OK);
    retry_note(daemon->retry, key, &said);
}

static bool ask_again(void *arg, const char *key)
{
    struct daemon *daemon = arg;
    struct world *w = daemon->world;

    if (atomic_load(&daemon->refuses))
        return false;
    pthread_mutex_lock(&w->lock);
    assert_true(w->heard < ASKED_MAX);
    (void)snprintf(w->keys[w->heard], sizeof w->keys[0], "%s", key);
    w->at_s[w->heard++] = now_s(w);
    pthread_mutex_unlock(&w->lock);
    if (!atomic_load(&daemon->silent))
        say(daemon, key, atomic_load(&w->says));
    atomic_fetch_add(&daemon->asked, 1);
    return true;
}

static size_t heard(struct world *w)
{
    size_t count;

    pthread_mutex_lock(&w->lock);
    count = w->heard;
    pthread_mutex_unlock(&w->lock);
    return count;
}

/* How often the world was asked about one address. */
static size_t heard_of(struct world *w, const char *key)
{
    size_t count = 0;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->heard; i++)
        count += strcmp(w->keys[i], key) == 0;
    pthread_mutex_unlock(&w->lock);
    return count;
}

static void open_cache(struct world *w)
{
    const struct cache_settings settings = {
        .store = w->store,
        .max_bytes = 64 << 20,
        .lifetimes = w->one.options.lifetimes,
        .clock = &w->clock.clock,
    };

    assert_int_equal(cache_open(&settings, &w->cache, NULL, 0), RB_OK);
}

static void configure(struct daemon *daemon)
{
    assert_int_equal(retry_configure(daemon->retry, &daemon->options), RB_OK);
}

static void start(struct daemon *daemon)
{
    const struct retry_hooks hooks = {.ask_again = ask_again, .arg = daemon};

    assert_int_equal(
        retry_open(daemon->world->cache, &daemon->world->clock.clock, &hooks, &daemon->retry),
        RB_OK);
    configure(daemon);
}

static void end(struct daemon *daemon)
{
    retry_close(daemon->retry);
    daemon->retry = NULL;
}

static void restart(struct world *w)
{
    end(&w->one);
    cache_close(w->cache);
    open_cache(w);
    start(&w->one);
}

static void make_daemon(struct world *w, struct daemon *daemon, const char *name)
{
    daemon->world = w;
    rb_options_init(&daemon->options);
    daemon->options.helo_name = name;
    daemon->options.global_rate = (struct rb_rate){0};
    daemon->options.greylist = (struct rb_greylist){
        .retry = true, .first_s = 6 * MINUTE, .max_s = 6 * HOUR, .give_up_s = DAY};
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    *state = w;
    if (w == NULL)
        return -1;
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/test_retry.XXXXXX");
    if (mkdtemp(w->folder) == NULL)
        return -1;
    (void)snprintf(w->path, sizeof w->path, "%s/cache", w->folder);
    (void)snprintf(w->store, sizeof w->store, "lmdb:%s", w->path);
    fake_clock_init(&w->clock);
    pthread_mutex_init(&w->lock, NULL);
    atomic_init(&w->says, RB_REASON_TEMPFAIL);
    make_daemon(w, &w->one, "one.example.net");
    make_daemon(w, &w->other, "one.example.net");
    return 0;
}

static int set_up_running(void **state)
{
    struct world *w;

    if (set_up(state) != 0)
        return -1;
    w = *state;
    open_cache(w);
    start(&w->one);
    return 0;
}

static void remove_store(struct world *w)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[128];

    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", w->path, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(w->path);
}

static int tear_down(void **state)
{
    struct world *w = *state;

    end(&w->one);
    end(&w->other);
    cache_close(w->cache);
    remove_store(w);
    (void)rmdir(w->folder);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

static void look_at(struct daemon *daemon, int64_t time_s)
{
    fake_clock_advance_s(&daemon->world->clock, time_s - now_s(daemon->world));
    retry_look(daemon->retry);
}

/* 0: not on the schedule that the cache has. */
static struct retry_record stored(struct world *w, const char *key)
{
    struct retry_record record;

    if (cache_get_retry(w->cache, key, &record) != RB_OK)
        return (struct retry_record){0};
    return record;
}

/* Waits for the room's thread, which may be about to do it. */
static void await_asked(struct daemon *daemon, unsigned count)
{
    for (int ms = 0; ms < PATIENCE_MS && atomic_load(&daemon->asked) < count; ms++)
        check_pause();
    assert_int_equal(atomic_load(&daemon->asked), count);
}

/* --- The schedule ------------------------------------------------------------- */

/* A look a minute, and everything that has expired swept away before each. */
static void let_pass(struct world *w, int64_t until_s)
{
    uint64_t removed;

    while (now_s(w) < until_s) {
        fake_clock_advance_s(&w->clock, STEP_S);
        assert_int_equal(cache_purge(w->cache, true, &removed), RB_OK);
        retry_look(w->one.retry);
    }
}

static void deferred_for_ever_is_asked_six_times_in_six_hours_and_given_up_after_a_day(void **state)
{
    static const enum rb_reason reasons[] = {RB_REASON_TEMPFAIL, RB_REASON_GREYLISTED};
    struct world *w = *state;

    for (size_t i = 0; i < COUNT(reasons); i++) {
        const int64_t first_s = now_s(w);
        const size_t before = heard(w);

        atomic_store(&w->says, reasons[i]);
        say(&w->one, "su@example.org", reasons[i]); /* the first time, by a client's question */
        let_pass(w, first_s + 6 * HOUR);
        assert_int_equal(1 + heard(w) - before, 6);
        let_pass(w, first_s + DAY);
        assert_int_equal(1 + heard(w) - before, 9);
        assert_int_equal(retry_count(w->one.retry), 0);
        let_pass(w, first_s + DAY + 12 * HOUR);
        assert_int_equal(1 + heard(w) - before, 9);
        assert_int_equal(stored(w, "su@example.org").first_s, 0);
    }
}

static void a_restart_leaves_the_schedule_whole(void **state)
{
    struct world *w = *state;
    struct retry_record before, after;
    int64_t due_s = NOW;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    for (unsigned tries = 1; tries <= 4; tries++) {
        due_s = stored(w, "su@example.org").due_s;
        look_at(&w->one, due_s);
        await_asked(&w->one, tries);
    }
    before = stored(w, "su@example.org");
    assert_int_equal(before.tries, 4);
    fake_clock_advance_s(&w->clock, HOUR); /* all else has expired */
    restart(w);
    assert_int_equal(retry_count(w->one.retry), 1);
    after = stored(w, "su@example.org");
    assert_int_equal(after.first_s, NOW);
    assert_int_equal(after.tries, 4);
    assert_int_equal(after.due_s, before.due_s);
    look_at(&w->one, before.due_s - 1);
    assert_int_equal(heard(w), 4);
    look_at(&w->one, before.due_s);
    await_asked(&w->one, 5);
    assert_int_equal(stored(w, "su@example.org").tries, 5);
}

/* Child: a daemon that is killed the moment that its schedule is on the disk. */
static void be_killed(struct world *w)
{
    struct cache_stats stats = {0};

    open_cache(w);
    start(&w->one);
    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    while (stats.retries == 0)
        if (cache_get_stats(w->cache, &stats) != RB_OK)
            _exit(1);
    (void)raise(SIGKILL);
}

static void a_kill_leaves_the_schedule_whole(void **state)
{
    struct world *w = *state;
    int status;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_killed(w);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    open_cache(w);
    start(&w->one);
    assert_int_equal(retry_count(w->one.retry), 1);
    look_at(&w->one, NOW + 6 * MINUTE + RETRY_GRACE_S);
    await_asked(&w->one, 1);
}

static void an_answer_ends_it(void **state)
{
    static const enum rb_reason answers[] = {RB_REASON_ACCEPTED, RB_REASON_NO_SUCH_USER,
                                             RB_REASON_UNREACHABLE, RB_REASON_REJECTED};
    struct world *w = *state;

    for (size_t i = 0; i < COUNT(answers); i++) {
        char key[40];

        (void)snprintf(key, sizeof key, "su%zu@example.org", i);
        say(&w->one, key, RB_REASON_TEMPFAIL);
        assert_int_equal(retry_count(w->one.retry), 1);
        atomic_store(&w->says, answers[i]);
        look_at(&w->one, stored(w, key).due_s);
        await_asked(&w->one, (unsigned)i + 1);
        assert_int_equal(retry_count(w->one.retry), 0);
        assert_int_equal(stored(w, key).first_s, 0);
    }
}

static void what_the_cache_knows_by_then_is_not_asked(void **state)
{
    const struct address_record answer = {.reason = RB_REASON_ACCEPTED, .stamp_s = NOW};
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    assert_int_equal(cache_put_address(w->cache, "su@example.org", &answer), RB_OK); /* another's */
    look_at(&w->one, NOW + HOUR);
    assert_int_equal(heard(w), 0);
    assert_int_equal(retry_count(w->one.retry), 0);
    assert_int_equal(stored(w, "su@example.org").first_s, 0);
}

static void a_deferral_of_a_known_address_is_not_asked_again(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_ACCEPTED);
    fake_clock_advance_s(&w->clock, 8 * DAY);
    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    assert_int_equal(retry_count(w->one.retry), 0);
}

static void what_a_client_asked_meanwhile_counts_as_a_try(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    fake_clock_advance_s(&w->clock, 5 * MINUTE);
    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    assert_int_equal(retry_count(w->one.retry), 1);
    assert_int_equal(stored(w, "su@example.org").tries, 1);
    look_at(&w->one, NOW + 6 * MINUTE + RETRY_GRACE_S);
    assert_int_equal(heard(w), 0);
    look_at(&w->one, NOW + 17 * MINUTE + RETRY_GRACE_S);
    await_asked(&w->one, 1);
}

static void
what_fell_due_while_nobody_ran_is_asked_at_the_start_but_not_after_its_time(void **state)
{
    struct world *w = *state;

    say(&w->one, "sold@example.org", RB_REASON_TEMPFAIL);
    fake_clock_advance_s(&w->clock, DAY - HOUR);
    atomic_store(&w->one.silent, true);
    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    end(&w->one);
    cache_close(w->cache);
    fake_clock_advance_s(&w->clock, 2 * HOUR);
    open_cache(w);
    start(&w->one);
    look_at(&w->one, now_s(w));
    await_asked(&w->one, (unsigned)heard(w));
    assert_int_equal(heard_of(w, "su@example.org"), 1);
    assert_int_equal(retry_count(w->one.retry), 1);
    assert_int_equal(stored(w, "sold@example.org").first_s, 0);
}

/* A callout that never ends, or a daemon that dies amid it. */
static void a_try_that_nothing_is_heard_of_is_made_again(void **state)
{
    struct world *w = *state;

    atomic_store(&w->one.silent, true);
    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    look_at(&w->one, NOW + 6 * MINUTE + RETRY_GRACE_S);
    await_asked(&w->one, 1);
    assert_int_equal(retry_count(w->one.retry), 1);
    look_at(&w->one, now_s(w) + RETRY_LEASE_S - 1);
    assert_int_equal(heard(w), 1);
    look_at(&w->one, now_s(w) + 1);
    await_asked(&w->one, 2);
}

/* --- What cannot be asked now -------------------------------------------------- */

static void hold_host(struct world *w, int64_t until_s)
{
    const struct host_record host = {
        .failures = 5, .trips = 1, .held_until_s = until_s, .stamp_s = now_s(w)};

    assert_int_equal(cache_put_host(w->cache, "192.0.2.25", &host), RB_OK);
}

static void a_host_that_is_held_back_is_asked_when_it_is_not_any_more(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    hold_host(w, NOW + 6 * HOUR);
    let_pass(w, NOW + 6 * HOUR - STEP_S);
    assert_int_equal(heard(w), 0);
    assert_int_equal(retry_count(w->one.retry), 1);
    assert_int_equal(stored(w, "su@example.org").due_s, NOW + 6 * HOUR);
    assert_int_equal(stored(w, "su@example.org").tries, 0);
    look_at(&w->one, NOW + 6 * HOUR);
    await_asked(&w->one, 1);
}

static void a_host_held_back_for_too_long_is_not_waited_for(void **state)
{
    struct world *w = *state;

    fake_clock_advance_s(&w->clock, 1);
    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    fake_clock_advance_s(&w->clock, MINUTE);
    hold_host(w, now_s(w) + DAY);
    look_at(&w->one, NOW + HOUR);
    assert_int_equal(heard(w), 0);
    assert_int_equal(retry_count(w->one.retry), 0);
    assert_int_equal(stored(w, "su@example.org").first_s, 0);
}

static void what_cannot_be_asked_is_put_off_and_not_for_ever(void **state)
{
    struct world *w = *state;
    int64_t due_s = NOW + 6 * MINUTE + RETRY_GRACE_S;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    atomic_store(&w->one.refuses, true);
    look_at(&w->one, due_s);
    retry_look(w->one.retry); /* if the thread was at it */
    assert_int_equal(stored(w, "su@example.org").due_s, due_s + RETRY_POSTPONE_S);
    assert_int_equal(stored(w, "su@example.org").tries, 0);
    let_pass(w, NOW + DAY + HOUR);
    assert_int_equal(heard(w), 0);
    assert_int_equal(retry_count(w->one.retry), 0);
}

static void those_of_a_domain_that_are_put_off_come_one_after_the_other(void **state)
{
    struct world *w = *state;
    enum { MANY = 50 };
    bool taken[MANY] = {false};
    char key[40];

    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "su%u@example.org", i);
        say(&w->one, key, RB_REASON_TEMPFAIL);
    }
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "su%u@example.org", i);
        retry_postpone(w->one.retry, key, 0);
        const int64_t later_s = stored(w, key).due_s - NOW - RETRY_POSTPONE_S;
        assert_in_range(later_s, 0, MANY - 1);
        assert_false(taken[later_s]);
        taken[later_s] = true;
    }
    retry_postpone(w->one.retry, "su0@example.org", NOW + HOUR); /* until then, exactly */
    assert_int_equal(stored(w, "su0@example.org").due_s, NOW + HOUR);
    retry_postpone(w->one.retry, "snobody@example.org", 0); /* is not on the schedule */
    assert_int_equal(retry_count(w->one.retry), MANY);
}

static void retries_have_a_tenth_of_the_global_rate_and_no_more(void **state)
{
    struct world *w = *state;
    enum { MANY = 95, RATE = 300 };
    char key[40];

    w->one.options.global_rate = (struct rb_rate){RATE, MINUTE};
    configure(&w->one);
    atomic_store(&w->says, RB_REASON_ACCEPTED);
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "su@d%u.example", i);
        say(&w->one, key, RB_REASON_TEMPFAIL);
    }
    look_at(&w->one, NOW + HOUR);
    await_asked(&w->one, RATE / RETRY_SHARE);
    for (int s = 1; s <= 3 * MINUTE; s++) {
        look_at(&w->one, NOW + HOUR + s);
        assert_in_range(heard(w), RATE / RETRY_SHARE,
                        RATE / RETRY_SHARE + (size_t)s * RATE / RETRY_SHARE / MINUTE);
    }
    assert_int_equal(heard(w), MANY);
    assert_int_equal(retry_count(w->one.retry), 0);
}

static void however_low_the_rate_a_retry_is_made_now_and_then(void **state)
{
    struct world *w = *state;

    w->one.options.global_rate = (struct rb_rate){1, HOUR};
    configure(&w->one);
    atomic_store(&w->says, RB_REASON_ACCEPTED);
    say(&w->one, "su@one.example", RB_REASON_TEMPFAIL);
    say(&w->one, "su@two.example", RB_REASON_TEMPFAIL);
    look_at(&w->one, NOW + HOUR);
    await_asked(&w->one, 1);
    look_at(&w->one, NOW + HOUR + RETRY_SHARE * HOUR - 1);
    assert_int_equal(heard(w), 1);
    look_at(&w->one, NOW + HOUR + RETRY_SHARE * HOUR + 1);
    await_asked(&w->one, 2);
}

/* --- Several daemons ------------------------------------------------------------ */

static void of_two_daemons_of_one_name_one_asks(void **state)
{
    struct world *w = *state;
    enum { MANY = 100 };
    char key[40];

    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "su%u@example.org", i);
        say(&w->one, key, RB_REASON_TEMPFAIL);
    }
    start(&w->other);
    assert_int_equal(retry_count(w->other.retry), MANY);
    fake_clock_advance_s(&w->clock, HOUR);
    retry_look(w->other.retry);
    retry_look(w->one.retry);
    retry_look(w->other.retry);
    assert_int_equal(heard(w), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof key, "su%u@example.org", i);
        assert_int_equal(heard_of(w, key), 1);
        assert_int_equal(stored(w, key).tries, 1);
    }
}

static void a_retry_is_for_the_daemon_that_was_deferred_and_else_for_who_is_left(void **state)
{
    struct world *w = *state;
    const int64_t due_s = NOW + 6 * MINUTE + RETRY_GRACE_S;

    w->other.options.helo_name = "other.example.net";
    start(&w->other);
    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    look_at(&w->other, due_s);
    assert_int_equal(atomic_load(&w->other.asked), 0);
    retry_look(w->one.retry);
    await_asked(&w->one, 1);
    end(&w->one);
    look_at(&w->other, due_s + 12 * MINUTE + RETRY_GRACE_S + RETRY_TAKEOVER_S - 1);
    assert_int_equal(atomic_load(&w->other.asked), 0);
    look_at(&w->other, now_s(w) + 1);
    await_asked(&w->other, 1);
    assert_int_equal(stored(w, "su@example.org").tries, 2);
    start(&w->one); /* it is the other's now */
    look_at(&w->one, stored(w, "su@example.org").due_s);
    assert_int_equal(atomic_load(&w->one.asked), 1);
    retry_look(w->other.retry);
    await_asked(&w->other, 2);
}

static void what_another_daemon_has_ended_is_not_asked_nor_counted(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    start(&w->other);
    say(&w->other, "su@example.org", RB_REASON_UNREACHABLE);
    look_at(&w->one, NOW + RETRY_SCAN_S);
    assert_int_equal(retry_count(w->one.retry), 0);
    look_at(&w->one, NOW + HOUR);
    assert_int_equal(heard(w), 0);
}

static void a_cache_that_is_purged_forgets_the_schedule(void **state)
{
    struct world *w = *state;
    uint64_t removed;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    say(&w->one, "sv@example.org", RB_REASON_TEMPFAIL);
    assert_int_equal(cache_purge(w->cache, false, &removed), RB_OK);
    assert_int_equal(removed, 4);
    look_at(&w->one, NOW + HOUR);
    assert_int_equal(heard(w), 0);
    assert_int_equal(retry_count(w->one.retry), 0);
}

static void a_store_that_is_opened_anew_gets_the_schedule_again(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    cache_flush(w->cache);
    remove_store(w);
    cache_check(w->cache);
    assert_int_equal(stored(w, "su@example.org").first_s, 0);
    look_at(&w->one, NOW + RETRY_SCAN_S);
    assert_int_equal(stored(w, "su@example.org").first_s, NOW);
    assert_int_equal(retry_count(w->one.retry), 1);
    restart(w);
    look_at(&w->one, NOW + 6 * MINUTE + RETRY_GRACE_S);
    await_asked(&w->one, 1);
}

static void what_is_due_just_then_is_asked_a_little_later(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    look_at(&w->one, NOW + 6 * MINUTE); /* the table was read a moment ago */
    remove_store(w);
    cache_check(w->cache);
    look_at(&w->one, NOW + 6 * MINUTE + RETRY_GRACE_S);
    assert_int_equal(heard(w), 0);
    assert_int_equal(retry_count(w->one.retry), 1);
    look_at(&w->one, now_s(w) + RETRY_SCAN_S);
    look_at(&w->one, now_s(w) + RETRY_POSTPONE_S);
    await_asked(&w->one, 1);
}

/* --- On, off, and full ------------------------------------------------------------ */

static void a_reload_ends_the_schedule_and_takes_it_up_again(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    w->one.options.greylist.retry = false;
    configure(&w->one);
    assert_int_equal(retry_count(w->one.retry), 0);
    say(&w->one, "sv@example.org", RB_REASON_TEMPFAIL); /* while it was off */
    assert_int_equal(retry_count(w->one.retry), 0);
    look_at(&w->one, NOW + HOUR);
    assert_int_equal(heard(w), 0);
    w->one.options.greylist.retry = true;
    configure(&w->one);
    configure(&w->one); /* no matter how often */
    assert_int_equal(stored(w, "sv@example.org").first_s, 0);
    await_asked(&w->one, 1); /* by the thread: it is overdue */
    assert_int_equal(heard_of(w, "su@example.org"), 1);
}

static void new_intervals_hold_from_the_next_try_on(void **state)
{
    struct world *w = *state;

    say(&w->one, "su@example.org", RB_REASON_TEMPFAIL);
    w->one.options.greylist.first_s = HOUR;
    configure(&w->one);
    look_at(&w->one, NOW + 6 * MINUTE + RETRY_GRACE_S);
    await_asked(&w->one, 1);
    assert_int_equal(stored(w, "su@example.org").due_s, now_s(w) + 2 * HOUR + RETRY_GRACE_S);
}

static void nobody_fills_the_schedule_alone(void **state)
{
    struct world *w = *state;
    char key[40];

    atomic_store(&w->one.refuses, true);
    for (unsigned i = 0; i < RETRY_MAX; i++) {
        (void)snprintf(key, sizeof key, "su%u@%s", i, i < 10 ? "small.example" : "large.example");
        say(&w->one, key, RB_REASON_TEMPFAIL);
    }
    assert_int_equal(retry_count(w->one.retry), RETRY_MAX);
    say(&w->one, "sone.more@large.example", RB_REASON_TEMPFAIL);
    assert_int_equal(stored(w, "sone.more@large.example").first_s, 0);
    fake_clock_advance_s(&w->clock, 1);
    say(&w->one, "snew@new.example", RB_REASON_TEMPFAIL);
    assert_int_equal(stored(w, "snew@new.example").first_s, NOW + 1);
    say(&w->one, "sone.more@small.example", RB_REASON_TEMPFAIL);
    assert_int_equal(stored(w, "sone.more@small.example").first_s, NOW + 1);
    assert_int_equal(retry_count(w->one.retry), RETRY_MAX);
    say(&w->one, "su20@large.example", RB_REASON_TEMPFAIL); /* what is on it goes on */
    cache_flush(w->cache);
    assert_int_equal(retry_count(w->one.retry), RETRY_MAX);
    restart(w);
    assert_int_equal(retry_count(w->one.retry), RETRY_MAX);
}

static void domains_that_have_one_each_keep_theirs(void **state)
{
    struct world *w = *state;
    char key[40];

    atomic_store(&w->one.refuses, true);
    for (unsigned i = 0; i < RETRY_MAX; i++) {
        (void)snprintf(key, sizeof key, "su@d%u.example", i);
        say(&w->one, key, RB_REASON_TEMPFAIL);
    }
    say(&w->one, "su@new.example", RB_REASON_TEMPFAIL);
    assert_int_equal(stored(w, "su@new.example").first_s, 0);
    say(&w->one, "su@d7.example", RB_REASON_ACCEPTED);
    say(&w->one, "su@new.example", RB_REASON_TEMPFAIL); /* now there is room */
    assert_int_equal(stored(w, "su@new.example").first_s, NOW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_running, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deferred_for_ever_is_asked_six_times_in_six_hours_and_given_up_after_a_day),
        TEST(a_restart_leaves_the_schedule_whole),
        cmocka_unit_test_setup_teardown(a_kill_leaves_the_schedule_whole, set_up, tear_down),
        TEST(an_answer_ends_it),
        TEST(what_the_cache_knows_by_then_is_not_asked),
        TEST(a_deferral_of_a_known_address_is_not_asked_again),
        TEST(what_a_client_asked_meanwhile_counts_as_a_try),
        TEST(what_fell_due_while_nobody_ran_is_asked_at_the_start_but_not_after_its_time),
        TEST(a_try_that_nothing_is_heard_of_is_made_again),
        TEST(a_host_that_is_held_back_is_asked_when_it_is_not_any_more),
        TEST(a_host_held_back_for_too_long_is_not_waited_for),
        TEST(what_cannot_be_asked_is_put_off_and_not_for_ever),
        TEST(those_of_a_domain_that_are_put_off_come_one_after_the_other),
        TEST(retries_have_a_tenth_of_the_global_rate_and_no_more),
        TEST(however_low_the_rate_a_retry_is_made_now_and_then),
        TEST(of_two_daemons_of_one_name_one_asks),
        TEST(a_retry_is_for_the_daemon_that_was_deferred_and_else_for_who_is_left),
        TEST(what_another_daemon_has_ended_is_not_asked_nor_counted),
        TEST(a_cache_that_is_purged_forgets_the_schedule),
        TEST(a_store_that_is_opened_anew_gets_the_schedule_again),
        TEST(what_is_due_just_then_is_asked_a_little_later),
        TEST(a_reload_ends_the_schedule_and_takes_it_up_again),
        TEST(new_intervals_hold_from_the_next_try_on),
        TEST(nobody_fills_the_schedule_alone),
        TEST(domains_that_have_one_each_keep_theirs),
    };

    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
