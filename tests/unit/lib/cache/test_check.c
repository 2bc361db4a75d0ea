/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache_check: what becomes of an open cache when its files go away under it, when LMDB gives
 * it up, and when the disk is full; and what the administrator hears of it. Over a real LMDB
 * environment in a folder of its own, whose writes can be made to fail.
 */
#include "config.h"

#include "cache/cache.h"

#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/writer.h"
#include "fake_clock.h"

enum {
    NOW = 2000000000, /* fake_clock's start */
    MINUTE = 60,
    HOUR = 3600,
    THREADS = 4,
    RENEWALS = 50,
    EVENTS_MAX = 8,
};

/* --- A disk that fails ------------------------------------------------------ */

/* 0: it does not. meta_only: what is shorter than a page, which is LMDB's root. */
static atomic_int disk_error;
static atomic_bool meta_only;

static bool is_to_fail(size_t len)
{
    const int error = atomic_load(&disk_error);
    if (error == 0 || (atomic_load(&meta_only) && len >= 4096))
        return false;
    errno = error;
    return true;
}

/* In the stead of the system's, for LMDB too. */
ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    return is_to_fail(len) ? -1 : syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    return is_to_fail(len) ? -1 : syscall(SYS_writev, fd, parts, count);
}

static void let_disk_fail(int error, bool only_meta)
{
    atomic_store(&meta_only, only_meta);
    atomic_store(&disk_error, error);
}

/* --- The cache, and who hears of it ------------------------------------------ */

struct fixture {
    char folder[64], path[80], other[80], store[96];
    struct fake_clock clock;
    struct cache *cache;
    pthread_mutex_t lock; /* covers the rest */
    size_t heard;
    enum rb_event events[EVENTS_MAX];
    char text[512]; /* of the last */
};

static void hear(void *arg, enum rb_event event, const char *text)
{
    struct fixture *f = arg;
    pthread_mutex_lock(&f->lock);
    assert_true(f->heard < EVENTS_MAX);
    f->events[f->heard++] = event;
    (void)snprintf(f->text, sizeof f->text, "%s", text);
    pthread_mutex_unlock(&f->lock);
}

/* What was heard since the last time; 0: nothing. No more than one thing. */
static enum rb_event news(struct fixture *f)
{
    enum rb_event event = 0;
    pthread_mutex_lock(&f->lock);
    assert_in_range(f->heard, 0, 1);
    if (f->heard > 0)
        event = f->events[0];
    f->heard = 0;
    pthread_mutex_unlock(&f->lock);
    return event;
}

static enum rb_event check(struct fixture *f)
{
    cache_check(f->cache);
    return news(f);
}

static struct cache *open_at(struct fixture *f, const char *path, bool read_only)
{
    char store[96];
    struct cache *cache = NULL;
    struct rb_options o;
    rb_options_init(&o);
    (void)snprintf(store, sizeof store, "lmdb:%s", path);
    const struct cache_settings settings = {
        .store = store,
        .max_bytes = 1 << 30, /* as by default */
        .lifetimes = o.lifetimes,
        .clock = &f->clock.clock,
        .read_only = read_only,
        .observer = {.event = hear, .arg = f},
    };
    return cache_open(&settings, &cache, NULL, 0) == RB_OK ? cache : NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    if (f == NULL)
        return -1;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/test_cache_check.XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/c", f->folder);
    (void)snprintf(f->other, sizeof f->other, "%s/other", f->folder);
    fake_clock_init(&f->clock);
    pthread_mutex_init(&f->lock, NULL);
    f->cache = open_at(f, f->path, false);
    return f->cache != NULL ? 0 : -1;
}

static void remove_file(const char *folder, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path);
}

static void remove_store(const char *path)
{
    remove_file(path, "data.mdb");
    remove_file(path, "lock.mdb");
    (void)rmdir(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    let_disk_fail(0, false);
    cache_close(f->cache);
    remove_store(f->path);
    remove_store(f->other);
    (void)unlink(f->path);
    (void)rmdir(f->folder);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static bool put(struct cache *cache, const char *key)
{
    const struct address_record record = {.reason = RB_REASON_ACCEPTED, .stamp_s = NOW};
    return cache_put_address(cache, key, &record) == RB_OK;
}

static bool has(struct cache *cache, const char *key)
{
    struct address_record record;
    return cache_get_address(cache, key, &record) == RB_OK;
}

static void put_and_commit(struct fixture *f, const char *key)
{
    assert_true(put(f->cache, key));
    cache_flush(f->cache);
}

static uint64_t addresses(struct fixture *f)
{
    struct cache_stats stats;
    assert_int_equal(cache_get_stats(f->cache, &stats), RB_OK);
    return stats.addresses;
}

static uint64_t dropped(struct fixture *f)
{
    struct cache_stats stats = {0};
    (void)cache_get_stats(f->cache, &stats);
    return stats.dropped;
}

/* What another process, `ringback cache` say, finds at the path. */
static bool others_see(struct fixture *f, const char *key)
{
    int status;
    (void)fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct cache *cache = open_at(f, f->path, true);
        _exit(cache != NULL && has(cache, key) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- Files that go away ------------------------------------------------------- */

static void what_is_in_its_place_is_left_alone(void **state)
{
    struct fixture *f = *state;
    put_and_commit(f, "su@d");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(check(f), 0);
    assert_int_equal(cache_losses(f->cache), 0);
    assert_true(has(f->cache, "su@d"));
}

static void folder_that_is_removed_is_made_anew(void **state)
{
    struct fixture *f = *state;
    put_and_commit(f, "sold@d");
    remove_store(f->path);
    assert_true(has(f->cache, "sold@d")); /* nobody has noticed yet */
    assert_int_equal(check(f), RB_EVENT_STORE_RENEWED);
    assert_non_null(strstr(f->text, f->path));
    assert_non_null(strstr(f->text, "removed or replaced"));
    assert_false(has(f->cache, "sold@d"));
    assert_int_equal(addresses(f), 0);
    assert_int_equal(cache_losses(f->cache), 1);
    put_and_commit(f, "snew@d");
    assert_true(has(f->cache, "snew@d"));
    assert_true(others_see(f, "snew@d"));
    assert_int_equal(check(f), 0);
    assert_int_equal(dropped(f), 0);
}

static void what_waits_for_the_writer_goes_into_the_new_one(void **state)
{
    struct fixture *f = *state;
    cache_flush(f->cache);
    remove_store(f->path);
    assert_true(put(f->cache, "sold@d")); /* committed to the old one, or not yet */
    assert_int_equal(check(f), RB_EVENT_STORE_RENEWED);
    assert_true(put(f->cache, "snew@d"));
    cache_flush(f->cache);
    assert_true(others_see(f, "snew@d"));
}

static void folder_that_is_replaced_is_used(void **state)
{
    struct fixture *f = *state;
    char away[96];
    put_and_commit(f, "sold@d");
    struct cache *other = open_at(f, f->other, false);
    assert_non_null(other);
    assert_true(put(other, "sother@d"));
    cache_close(other);
    (void)snprintf(away, sizeof away, "%s/away", f->folder);
    assert_int_equal(rename(f->path, away), 0);
    assert_int_equal(rename(f->other, f->path), 0);
    assert_int_equal(check(f), RB_EVENT_STORE_RENEWED);
    assert_true(has(f->cache, "sother@d"));
    assert_false(has(f->cache, "sold@d"));
    put_and_commit(f, "snew@d");
    assert_true(others_see(f, "snew@d"));
    assert_true(others_see(f, "sother@d"));
    remove_store(away);
}

static void single_files_that_go_away_are_noticed_too(void **state)
{
    static const struct {
        const char *name;
        bool keeps; /* what was known */
    } table[] = {{"data.mdb", false}, {"lock.mdb", true}};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(table); i++) {
        put_and_commit(f, "sold@d");
        remove_file(f->path, table[i].name);
        assert_int_equal(check(f), RB_EVENT_STORE_RENEWED);
        assert_int_equal(has(f->cache, "sold@d"), table[i].keeps);
        put_and_commit(f, "snew@d");
        assert_true(others_see(f, "snew@d"));
        assert_int_equal(check(f), 0);
    }
}

/* Within its own process, by whatever other name. */
static void the_new_one_is_as_well_guarded_against_a_second_opening(void **state)
{
    struct fixture *f = *state;
    assert_null(open_at(f, f->path, false));
    remove_store(f->path);
    assert_int_equal(check(f), RB_EVENT_STORE_RENEWED);
    assert_null(open_at(f, f->path, false));
    cache_close(f->cache);
    f->cache = open_at(f, f->path, false);
    assert_non_null(f->cache);
}

static void make_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static struct cache_state state_of(struct fixture *f)
{
    struct cache_state state;
    cache_get_state(f->cache, &state);
    return state;
}

static void one_that_cannot_be_opened_is_told_and_the_old_one_used_meanwhile(void **state)
{
    struct fixture *f = *state;
    put_and_commit(f, "sold@d");
    remove_store(f->path);
    make_file(f->path);
    assert_false(state_of(f).is_lost);
    assert_int_equal(check(f), RB_EVENT_STORE_LOST);
    assert_true(state_of(f).is_lost);
    assert_non_null(strstr(f->text, "cannot be opened anew: Not a directory"));
    assert_true(has(f->cache, "sold@d"));
    put_and_commit(f, "snew@d");
    assert_true(has(f->cache, "snew@d"));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(check(f), 0); /* once is enough, */
    fake_clock_advance_s(&f->clock, HOUR);
    assert_int_equal(check(f), RB_EVENT_STORE_LOST); /* for an hour */
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(check(f), RB_EVENT_STORE_RENEWED);
    assert_false(state_of(f).is_lost);
    put_and_commit(f, "sthen@d");
    assert_true(others_see(f, "sthen@d"));
    assert_int_equal(dropped(f), 0);
}

/* The lock file is still ours, so there cannot be two at a time. */
static void without_any_at_all_everything_is_a_miss_until_there_is_one(void **state)
{
    struct fixture *f = *state;
    char path[128];
    put_and_commit(f, "sold@d");
    remove_file(f->path, "data.mdb");
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->path);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(check(f), RB_EVENT_STORE_LOST);
    assert_non_null(strstr(f->text, "link"));
    assert_false(has(f->cache, "sold@d"));
    put_and_commit(f, "slost@d");
    assert_false(has(f->cache, "slost@d"));
    assert_int_equal(dropped(f), 1);
    assert_int_equal(unlink(path), 0);
    cache_check(f->cache);
    assert_int_equal(f->events[0], RB_EVENT_STORE_RENEWED);
    put_and_commit(f, "snew@d");
    assert_true(others_see(f, "snew@d"));
}

/* However often it was looked for in vain. AddressSanitizer sees what is left. */
static void one_that_is_closed_while_there_is_none_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    char path[128];
    remove_file(f->path, "data.mdb");
    (void)snprintf(path, sizeof path, "%s/data.mdb", f->path);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(check(f), RB_EVENT_STORE_LOST);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(check(f), 0);
    cache_close(f->cache);
    f->cache = open_at(f, f->other, false);
    assert_non_null(f->cache);
    assert_int_equal(unlink(path), 0);
}

static void housekeeping_looks_by_itself(void **state)
{
    struct fixture *f = *state;
    remove_store(f->path);
    for (unsigned i = 0; i < 2 * WRITER_MAINTAIN_BATCHES; i++)
        put_and_commit(f, "su@d");
    cache_flush(f->cache); /* the writer is past its housekeeping */
    assert_int_equal(news(f), RB_EVENT_STORE_RENEWED);
    assert_true(others_see(f, "su@d"));
}

struct crowd {
    struct cache *cache;
    atomic_bool stop;
    atomic_uint looked;
};

static void *read_and_write(void *arg)
{
    struct crowd *crowd = arg;
    struct cache_stats stats;
    while (!atomic_load(&crowd->stop)) {
        (void)has(crowd->cache, "su@d");
        (void)put(crowd->cache, "sv@d");
        if (atomic_fetch_add(&crowd->looked, 1) % 16 == 0)
            (void)cache_get_stats(crowd->cache, &stats);
    }
    return NULL;
}

static void readers_and_writers_go_on_under_it(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd = {.cache = f->cache};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_write, &crowd), 0);
    for (unsigned i = 0; i < RENEWALS; i++) {
        const unsigned before = atomic_load(&crowd.looked);
        while (atomic_load(&crowd.looked) < before + THREADS)
            (void)sched_yield();
        if (i % 2 == 0)
            remove_store(f->path);
        else
            remove_file(f->path, "lock.mdb");
        cache_check(f->cache);
        pthread_mutex_lock(&f->lock);
        f->heard = 0;
        pthread_mutex_unlock(&f->lock);
    }
    atomic_store(&crowd.stop, true);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    put_and_commit(f, "snew@d");
    assert_true(others_see(f, "snew@d"));
}

/* --- LMDB gives up -------------------------------------------------------------- */

static void a_fatal_error_is_told_once_and_the_store_opened_anew(void **state)
{
    struct fixture *f = *state;
    put_and_commit(f, "sold@d");
    let_disk_fail(EIO, true); /* the root of the tree is not written: MDB_PANIC from then on */
    put_and_commit(f, "slost@d");
    let_disk_fail(0, false);
    put_and_commit(f, "slost.too@d");
    assert_int_equal(dropped(f), 2);
    cache_check(f->cache);
    assert_int_equal(f->heard, 2);
    assert_int_equal(f->events[0], RB_EVENT_STORE_RENEWED);
    assert_int_equal(f->events[1], RB_EVENT_WRITES_LOST);
    f->heard = 0;
    assert_true(has(f->cache, "sold@d"));
    put_and_commit(f, "snew@d");
    assert_true(others_see(f, "snew@d"));
    assert_true(others_see(f, "sold@d"));
    assert_int_equal(dropped(f), 2);
    assert_int_equal(check(f), 0);
}

/* --- Writes that are lost --------------------------------------------------------- */

static void a_full_disk_is_told_now_and_then_and_so_is_its_end(void **state)
{
    struct fixture *f = *state;
    put_and_commit(f, "sold@d");
    let_disk_fail(ENOSPC, false);
    put_and_commit(f, "sa@d");
    put_and_commit(f, "sb@d");
    assert_int_equal(check(f), RB_EVENT_WRITES_LOST);
    assert_non_null(strstr(f->text, f->path));
    assert_non_null(strstr(f->text, "2 writes so far: No space left on device"));
    for (unsigned i = 0; i < 5; i++) {
        put_and_commit(f, "sc@d");
        fake_clock_advance_s(&f->clock, 10 * MINUTE);
        assert_int_equal(check(f), 0);
    }
    put_and_commit(f, "sd@d");
    fake_clock_advance_s(&f->clock, 10 * MINUTE);
    assert_int_equal(check(f), RB_EVENT_WRITES_LOST);
    assert_non_null(strstr(f->text, "8 writes so far"));
    assert_true(state_of(f).loses_writes);
    assert_true(has(f->cache, "sold@d"));

    let_disk_fail(0, false);
    fake_clock_advance_s(&f->clock, HOUR);
    assert_int_equal(check(f), 0); /* nothing was written since: it may still be full */
    assert_false(state_of(f).loses_writes);
    put_and_commit(f, "snew@d");
    assert_int_equal(check(f), RB_EVENT_WRITES_TAKEN);
    assert_non_null(strstr(f->text, "8 writes were lost"));
    put_and_commit(f, "snewer@d");
    assert_int_equal(check(f), 0);
    assert_true(others_see(f, "snewer@d"));
}

static void a_disk_that_is_full_now_and_then_is_not_told_each_time(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 10; i++) {
        let_disk_fail(ENOSPC, false);
        put_and_commit(f, "slost@d");
        assert_int_equal(check(f), i == 0 ? RB_EVENT_WRITES_LOST : 0);
        let_disk_fail(0, false);
        put_and_commit(f, "staken@d");
        fake_clock_advance_s(&f->clock, MINUTE - 1);
        assert_int_equal(check(f), 0);
    }
    put_and_commit(f, "snew@d");
    fake_clock_advance_s(&f->clock, 1);
    assert_int_equal(check(f), RB_EVENT_WRITES_TAKEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_in_its_place_is_left_alone),
        TEST(folder_that_is_removed_is_made_anew),
        TEST(what_waits_for_the_writer_goes_into_the_new_one),
        TEST(folder_that_is_replaced_is_used),
        TEST(single_files_that_go_away_are_noticed_too),
        TEST(the_new_one_is_as_well_guarded_against_a_second_opening),
        TEST(one_that_cannot_be_opened_is_told_and_the_old_one_used_meanwhile),
        TEST(without_any_at_all_everything_is_a_miss_until_there_is_one),
        TEST(one_that_is_closed_while_there_is_none_leaves_nothing_behind),
        TEST(housekeeping_looks_by_itself),
        TEST(readers_and_writers_go_on_under_it),
        TEST(a_fatal_error_is_told_once_and_the_store_opened_anew),
        TEST(a_full_disk_is_told_now_and_then_and_so_is_its_end),
        TEST(a_disk_that_is_full_now_and_then_is_not_told_each_time),
    };
    return cmocka_run_group_tests_name("cache_check", tests, NULL, NULL);
}
