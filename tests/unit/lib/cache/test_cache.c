/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cache: the cache over a real LMDB environment in a folder of its own: what one process sees,
 * what several do, what is left after a crash, and what happens when the store is full, damaged or
 * may not be touched.
 *
 * Other processes are forked before this one opens the cache, as everybody must who uses it.
 */
#include "config.h"

#include "cache/cache.h"

#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache/sweep.h"
#include "cache/writer.h"
#include "fake_clock.h"
#include "cache/store.h"

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)

enum {
    NOW = 2000000000, /* fake_clock's start */
    SMALL = 1 << 20,
    AMPLE = 1 << 30, /* as by default */
    NOBODY = 65534,
    CRASH_ROUNDS = 20,
    THREADS = 4,
};

static const struct rb_lifetimes LIFETIMES = {
    .valid_ttl_s = 31 * DAY,
    .valid_refresh_s = 7 * DAY,
    .invalid_ttl_s = 3 * DAY,
    .invalid_refresh_s = 3 * HOUR,
    .unknown_ttl_s = 1800,
    .domain_ttl_s = 7 * DAY,
    .correspondent_ttl_s = 90 * DAY,
};

struct fixture {
    char folder[64];
    char store[96]; /* "lmdb:" and folder/cache */
    char path[80];  /* folder/cache */
    struct fake_clock clock;
    struct cache *cache;
    char detail[256];
};

static enum rb_error open_with(struct fixture *f, uint64_t max_bytes, bool read_only)
{
    const struct cache_settings settings = {
        .store = f->store,
        .max_bytes = max_bytes,
        .lifetimes = LIFETIMES,
        .clock = &f->clock.clock,
        .owner_fix = true,
        .read_only = read_only,
    };
    return cache_open(&settings, &f->cache, f->detail, sizeof f->detail);
}

static void open_cache(struct fixture *f, uint64_t max_bytes)
{
    assert_int_equal(open_with(f, max_bytes, false), RB_OK);
    assert_string_equal(f->detail, "");
}

static void close_cache(struct fixture *f)
{
    cache_close(f->cache);
    f->cache = NULL;
}

static void reopen(struct fixture *f)
{
    close_cache(f);
    open_cache(f, AMPLE);
}

static int set_up_closed(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -1;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/test_cache.XXXXXX");
    if (mkdtemp(f->folder) == NULL)
        return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/c", f->folder);
    (void)snprintf(f->store, sizeof f->store, "lmdb:%s", f->path);
    fake_clock_init(&f->clock);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    if (set_up_closed(state) != 0)
        return -1;
    return open_with(*state, AMPLE, false) == RB_OK ? 0 : -1;
}

static void remove_files(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL)
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    (void)rmdir(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cache_close(f->cache);
    remove_files(f->path);
    remove_files(f->folder);
    free(f);
    return 0;
}

/* A file of the cache's. */
static void file_path(const struct fixture *f, const char *name, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/%s", f->path, name);
}

static unsigned count_files(const struct fixture *f, const char *prefix)
{
    unsigned count = 0;
    DIR *folder = opendir(f->path);
    assert_non_null(folder);
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(folder);
    return count;
}

static struct address_record record_of(enum rb_reason reason, int64_t stamp_s)
{
    return (struct address_record){
        .reason = reason,
        .stage = RB_STAGE_RCPT,
        .stamp_s = stamp_s,
        .code = 250,
        .port = 25,
        .mail_from_known = true,
        .enhanced = "2.1.5",
        .reply = "250 2.1.5 Recipient <user@example.org> ok",
        .mx = "mx1.example.org",
        .ip = "192.0.2.25",
        .tls = "TLSv1.3",
        .rule = "rcpt_2yz",
    };
}

static enum rb_error put_reason(struct cache *cache, const char *key, enum rb_reason reason,
                                int64_t stamp_s)
{
    const struct address_record record = record_of(reason, stamp_s);
    return cache_put_address(cache, key, &record);
}

static void number_key(char key[CACHE_KEY_MAX + 1], const char *who, unsigned number)
{
    (void)snprintf(key, CACHE_KEY_MAX + 1, "s%s%u@example.org", who, number * 2654435761U);
}

static bool put_number(struct cache *cache, const char *who, unsigned number)
{
    char key[CACHE_KEY_MAX + 1];
    number_key(key, who, number);
    return put_reason(cache, key, RB_REASON_ACCEPTED, NOW) == RB_OK;
}

static bool has_number(struct cache *cache, const char *who, unsigned number)
{
    char key[CACHE_KEY_MAX + 1];
    struct address_record record;
    number_key(key, who, number);
    return cache_get_address(cache, key, &record) == RB_OK;
}

static enum rb_reason reason_of(struct cache *cache, const char *key)
{
    struct address_record record;
    return cache_get_address(cache, key, &record) == RB_OK ? record.reason : RB_REASON_NONE;
}

static struct cache_stats stats_of(struct cache *cache)
{
    struct cache_stats stats;
    assert_int_equal(cache_get_stats(cache, &stats), RB_OK);
    return stats;
}

/* Octets that the codec has not seen, written past the cache. */
static void write_raw(const struct fixture *f, enum cache_table table, const char *key,
                      const void *value, size_t len)
{
    bool full;
    const struct store_ops *ops;
    struct store *store;
    const struct store_write write = {
        .table = table, .key = {key, strlen(key)}, .value = {value, len}};
    assert_int_equal(cache_lmdb_open(f->path, AMPLE, false, false, &ops, &store, NULL, 0), RB_OK);
    assert_int_equal(ops->write(store, &write, 1, &full), RB_OK);
    ops->close(store);
}

/* ---- one process ---- */

static void put_is_seen_at_once_and_after_commit(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 100; i++) {
        assert_true(put_number(f->cache, "a", i));
        assert_true(has_number(f->cache, "a", i));
    }
    cache_flush(f->cache);
    for (unsigned i = 0; i < 100; i++)
        assert_true(has_number(f->cache, "a", i));
    assert_int_equal(stats_of(f->cache).addresses, 100);
    assert_int_equal(stats_of(f->cache).writes, 100);
}

static void what_was_put_outlives_the_process_uncalled_for(void **state)
{
    struct fixture *f = *state;
    assert_true(put_number(f->cache, "a", 1)); /* no flush */
    reopen(f);
    assert_true(has_number(f->cache, "a", 1));
}

static void what_was_never_put_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct address_record address;
    struct domain_record domain;
    struct host_record host;
    struct retry_record retry;
    assert_int_equal(cache_get_retry(f->cache, "sx@y", &retry), RB_ERR_NOT_FOUND);
    assert_int_equal(cache_get_address(f->cache, "sx@y", &address), RB_ERR_NOT_FOUND);
    assert_int_equal(cache_get_domain(f->cache, "y", &domain), RB_ERR_NOT_FOUND);
    assert_int_equal(cache_get_host(f->cache, "192.0.2.1", &host), RB_ERR_NOT_FOUND);
    cache_flush(f->cache);
}

static void same_key_in_each_table_is_another_record(void **state)
{
    struct fixture *f = *state;
    struct domain_record domain = {.catch_all = {FACT_YES, NOW}};
    struct host_record host = {.failures = 3, .stamp_s = NOW};
    assert_int_equal(cache_put_domain(f->cache, "k", &domain), RB_OK);
    assert_int_equal(cache_put_host(f->cache, "k", &host), RB_OK);
    assert_int_equal(reason_of(f->cache, "k"), RB_REASON_NONE);
    cache_flush(f->cache);
    assert_int_equal(cache_get_domain(f->cache, "k", &domain), RB_OK);
    assert_int_equal(domain.catch_all.state, FACT_YES);
    assert_int_equal(cache_get_host(f->cache, "k", &host), RB_OK);
    assert_int_equal(host.failures, 3);
    assert_int_equal(stats_of(f->cache).addresses, 0);
}

static void keys_that_do_not_fit_are_refused_not_cut(void **state)
{
    struct fixture *f = *state;
    char key[CACHE_KEY_MAX + 1];
    char longest[CACHE_KEY_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[CACHE_KEY_MAX - 1] = '\0';
    assert_int_equal(cache_address_key(NULL, longest, key), RB_OK);
    assert_int_equal(put_reason(f->cache, key, RB_REASON_ACCEPTED, NOW), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(reason_of(f->cache, key), RB_REASON_ACCEPTED);

    longest[CACHE_KEY_MAX - 1] = 'x';
    longest[CACHE_KEY_MAX + 1] = '\0';
    assert_int_equal(cache_address_key(NULL, longest, key), RB_ERR_TOO_LONG);
    assert_string_equal(key, "");
    assert_int_equal(put_reason(f->cache, longest, RB_REASON_ACCEPTED, NOW), RB_ERR_TOO_LONG);
    assert_int_equal(put_reason(f->cache, "", RB_REASON_ACCEPTED, NOW), RB_ERR_ARGUMENT);
    assert_int_equal(cache_address_key(NULL, "", key), RB_ERR_ARGUMENT);
    assert_int_equal(cache_address_key("unix:/a b", "u@d", key), RB_OK);
    assert_null(strstr(key, "a b")); /* a blank would end the relay's name */
}

static void what_is_about_us_is_never_kept(void **state)
{
    struct fixture *f = *state;
    static const enum rb_reason ours[] = {
        RB_REASON_NONE,         RB_REASON_CORRESPONDENT,  RB_REASON_TIMEOUT,
        RB_REASON_LIMITED,      RB_REASON_BUSY,           RB_REASON_SPF_FAIL,
        RB_REASON_SPF_SOFTFAIL, RB_REASON_NOT_VOUCHED,    RB_REASON_TOO_LARGE,
        RB_REASON_EXEMPT,       RB_REASON_INTERNAL_ERROR,
    };
    for (size_t i = 0; i < COUNT(ours); i++)
        assert_int_equal(put_reason(f->cache, "su@d", ours[i], NOW), RB_ERR_ARGUMENT);
    assert_int_equal(reason_of(f->cache, "su@d"), RB_REASON_NONE);
}

/* The rule must hold wherever the two meet: both queued, one committed, both committed. */
static void unknown_never_replaces_live_knowledge(void **state)
{
    struct fixture *f = *state;
    static const enum rb_reason known[] = {RB_REASON_ACCEPTED, RB_REASON_NO_SUCH_USER};
    for (unsigned flushes = 0; flushes < 4; flushes++) {
        for (size_t i = 0; i < COUNT(known); i++) {
            char key[32];
            (void)snprintf(key, sizeof key, "s%u.%zu@d", flushes, i);
            assert_int_equal(put_reason(f->cache, key, known[i], NOW), RB_OK);
            if ((flushes & 1) != 0)
                cache_flush(f->cache);
            assert_int_equal(put_reason(f->cache, key, RB_REASON_TEMPFAIL, NOW + 60), RB_OK);
            assert_int_equal(reason_of(f->cache, key), known[i]);
            if ((flushes & 2) != 0)
                cache_flush(f->cache);
            assert_int_equal(reason_of(f->cache, key), known[i]);
        }
    }
}

static void unknown_replaces_what_has_expired(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_reason(f->cache, "su@d", RB_REASON_NO_SUCH_USER, NOW), RB_OK);
    cache_flush(f->cache);
    fake_clock_advance_s(&f->clock, 3 * DAY);
    assert_int_equal(put_reason(f->cache, "su@d", RB_REASON_TEMPFAIL, NOW + 3 * DAY), RB_OK);
    assert_int_equal(reason_of(f->cache, "su@d"), RB_REASON_TEMPFAIL);
    cache_flush(f->cache);
    assert_int_equal(reason_of(f->cache, "su@d"), RB_REASON_TEMPFAIL);
}

static void new_lifetimes_rule_old_records(void **state)
{
    struct fixture *f = *state;
    struct rb_lifetimes shorter = LIFETIMES;
    shorter.valid_ttl_s = 10;
    assert_int_equal(put_reason(f->cache, "su@d", RB_REASON_ACCEPTED, NOW), RB_OK);
    cache_flush(f->cache);
    fake_clock_advance_s(&f->clock, 60);
    cache_set_lifetimes(f->cache, &shorter);
    assert_int_equal(put_reason(f->cache, "su@d", RB_REASON_TEMPFAIL, NOW + 60), RB_OK);
    assert_int_equal(reason_of(f->cache, "su@d"), RB_REASON_TEMPFAIL);
}

static void stamp_of_a_wrong_clock_does_not_win_for_ever(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_reason(f->cache, "suRB_REASON_NO_SUCH_USERd", RB_REASON_NO_SUCH_USER, NOW),
                     RB_OK);
    cache_flush(f->cache);
    fake_clock_advance_s(&f->clock, -1000); /* it was wrong, and has been set right */
    assert_int_equal(
        put_reason(f->cache, "suRB_REASON_NO_SUCH_USERd", RB_REASON_ACCEPTED, NOW - 900), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(reason_of(f->cache, "suRB_REASON_NO_SUCH_USERd"), RB_REASON_ACCEPTED);
}

static void reading_does_not_lengthen_life(void **state)
{
    struct fixture *f = *state;
    struct address_record record;
    assert_int_equal(put_reason(f->cache, "su@d", RB_REASON_ACCEPTED, NOW), RB_OK);
    cache_flush(f->cache);
    fake_clock_advance_s(&f->clock, 31 * DAY - 1);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(cache_get_address(f->cache, "su@d", &record), RB_OK);
    assert_int_equal(record.stamp_s, NOW);
    fake_clock_advance_s(&f->clock, 1);
    assert_int_equal(cache_get_address(f->cache, "su@d", &record), RB_OK);
    assert_int_equal(address_record_freshness(&record, &LIFETIMES, NOW + 31 * DAY, NULL),
                     RECORD_EXPIRED);
}

static void facts_of_two_callouts_come_together(void **state)
{
    struct fixture *f = *state;
    const struct domain_record one = {.catch_all = {FACT_YES, NOW}};
    const struct domain_record two = {.null_sender_refused = {FACT_NO, NOW}};
    const struct domain_record three = {.dead = {FACT_YES, NOW},
                                        .dead_reason = RB_REASON_UNREACHABLE};
    struct domain_record got;
    assert_int_equal(cache_put_domain(f->cache, "d", &one), RB_OK);
    assert_int_equal(cache_put_domain(f->cache, "d", &two), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(cache_put_domain(f->cache, "d", &three), RB_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(cache_get_domain(f->cache, "d", &got), RB_OK);
        assert_int_equal(got.catch_all.state, FACT_YES);
        assert_int_equal(got.null_sender_refused.state, FACT_NO);
        assert_int_equal(got.dead_reason, RB_REASON_UNREACHABLE);
        cache_flush(f->cache);
    }
}

static void host_record_is_replaced(void **state)
{
    struct fixture *f = *state;
    const struct host_record bad = {.failures = 5, .held_until_s = NOW + 900, .stamp_s = NOW};
    const struct host_record good = {.stamp_s = NOW};
    struct host_record got;
    assert_int_equal(cache_put_host(f->cache, "192.0.2.1", &bad), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(cache_put_host(f->cache, "192.0.2.1", &good), RB_OK);
    assert_int_equal(cache_get_host(f->cache, "192.0.2.1", &got), RB_OK);
    assert_int_equal(got.failures, 0);
    cache_flush(f->cache);
    assert_int_equal(cache_get_host(f->cache, "192.0.2.1", &got), RB_OK);
    assert_int_equal(got.held_until_s, 0);
}

static void last_of_quick_puts_stands(void **state)
{
    struct fixture *f = *state;
    struct host_record host = {.stamp_s = NOW};
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 200; i++) { /* most come while an earlier one is being committed */
            host.failures = round + i;
            assert_int_equal(cache_put_host(f->cache, "192.0.2.1", &host), RB_OK);
        }
        const unsigned last = host.failures;
        cache_flush(f->cache);
        assert_int_equal(cache_get_host(f->cache, "192.0.2.1", &host), RB_OK);
        assert_int_equal(host.failures, last);
    }
}

static void deleted_record_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    for (unsigned flushed = 0; flushed < 2; flushed++) {
        assert_true(put_number(f->cache, "a", 1));
        if (flushed == 1)
            cache_flush(f->cache);
        char key[CACHE_KEY_MAX + 1];
        number_key(key, "a", 1);
        assert_int_equal(cache_delete(f->cache, CACHE_ADDRESS, key), RB_OK);
        assert_false(has_number(f->cache, "a", 1));
        cache_flush(f->cache);
        assert_false(has_number(f->cache, "a", 1));
        assert_int_equal(cache_delete(f->cache, CACHE_ADDRESS, key), RB_ERR_NOT_FOUND);
    }
    reopen(f);
    assert_false(has_number(f->cache, "a", 1));
    assert_int_equal(cache_delete(f->cache, (enum cache_table)7, "x"), RB_ERR_ARGUMENT);
}

static void purge_removes_all_of_all_kinds(void **state)
{
    struct fixture *f = *state;
    uint64_t removed = 0;
    const struct domain_record domain = {.catch_all = {FACT_YES, NOW}};
    const struct host_record host = {.stamp_s = NOW};
    for (unsigned i = 0; i < 50; i++)
        assert_true(put_number(f->cache, "a", i));
    assert_int_equal(cache_put_domain(f->cache, "d", &domain), RB_OK);
    assert_int_equal(cache_put_host(f->cache, "192.0.2.1", &host), RB_OK);
    const struct retry_record retry = {
        .reason = RB_REASON_TEMPFAIL, .first_s = NOW, .due_s = NOW + HOUR};
    assert_int_equal(cache_put_retry(f->cache, "su@d", &retry), RB_OK);
    assert_int_equal(cache_purge(f->cache, true, &removed), RB_OK); /* what is due counts */
    assert_int_equal(removed, 0);
    assert_int_equal(cache_purge(f->cache, false, &removed), RB_OK);
    assert_int_equal(removed, 53);
    assert_false(has_number(f->cache, "a", 1));
    const struct cache_stats stats = stats_of(f->cache);
    assert_int_equal(stats.addresses + stats.domains + stats.hosts + stats.retries, 0);
    reopen(f); /* says that nothing was damaged */
}

static void purge_of_expired_leaves_the_living(void **state)
{
    struct fixture *f = *state;
    uint64_t removed = 0;
    const struct domain_record domain = {.catch_all = {FACT_YES, NOW}};
    for (unsigned i = 0; i < 3000; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "s%u@d", i);
        const enum rb_reason reason = i % 3 == 0 ? RB_REASON_GREYLISTED : RB_REASON_ACCEPTED;
        assert_int_equal(put_reason(f->cache, key, reason, NOW), RB_OK);
    }
    assert_int_equal(cache_put_domain(f->cache, "d", &domain), RB_OK);
    fake_clock_advance_s(&f->clock, 3600);
    assert_int_equal(cache_purge(f->cache, true, &removed), RB_OK);
    assert_int_equal(removed, 1000);
    assert_int_equal(stats_of(f->cache).addresses, 2000);
    assert_int_equal(stats_of(f->cache).domains, 1);
    fake_clock_advance_s(&f->clock, 31 * DAY);
    assert_int_equal(cache_purge(f->cache, true, &removed), RB_OK);
    assert_int_equal(removed, 2001);
    reopen(f);
}

struct seen {
    struct cache *cache;
    unsigned count, until;
    bool in_order, delete_them;
    char last[CACHE_KEY_MAX + 1];
};

static bool see(const struct cache_entry *entry, void *arg)
{
    struct seen *seen = arg;
    seen->count++;
    seen->in_order = seen->in_order && strcmp(seen->last, entry->key) < 0 &&
                     entry->address_record != NULL && entry->domain_record == NULL &&
                     entry->host_record == NULL && entry->relay[0] == '\0';
    (void)snprintf(seen->last, sizeof seen->last, "%s", entry->key);
    if (seen->delete_them && cache_delete(seen->cache, entry->table, entry->key) != RB_OK)
        seen->in_order = false;
    return seen->count != seen->until;
}

static void walk_shows_each_record_once_in_key_order(void **state)
{
    struct fixture *f = *state;
    static const unsigned sizes[] = {0, 1, 63, 64, 65, 128, 1000};
    unsigned put = 0;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (; put < sizes[i]; put++)
            assert_true(put_number(f->cache, "a", put));
        cache_flush(f->cache);
        struct seen seen = {.cache = f->cache, .in_order = true};
        assert_int_equal(cache_walk(f->cache, CACHE_ADDRESS, see, &seen), RB_OK);
        assert_int_equal(seen.count, sizes[i]);
        assert_true(seen.in_order);
    }
}

static void walk_ends_when_told(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 200; i++)
        assert_true(put_number(f->cache, "a", i));
    cache_flush(f->cache);
    struct seen seen = {.cache = f->cache, .in_order = true, .until = 100};
    assert_int_equal(cache_walk(f->cache, CACHE_ADDRESS, see, &seen), RB_OK);
    assert_int_equal(seen.count, 100);
}

static void records_may_be_deleted_while_walking(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 300; i++)
        assert_true(put_number(f->cache, "a", i));
    cache_flush(f->cache);
    struct seen seen = {.cache = f->cache, .in_order = true, .delete_them = true};
    assert_int_equal(cache_walk(f->cache, CACHE_ADDRESS, see, &seen), RB_OK);
    assert_int_equal(seen.count, 300);
    assert_true(seen.in_order);
    assert_int_equal(stats_of(f->cache).addresses, 0);
}

static bool see_relay(const struct cache_entry *entry, void *arg)
{
    char *text = arg;
    const size_t len = strlen(text);
    (void)snprintf(text + len, 200 - len, "[%s|%s]", entry->relay, entry->address);
    return true;
}

static void walk_takes_keys_apart(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *relay, *address;
    } keys[] = {{NULL, "a@d"}, {"r.d:25", "a@d"}, {"r.d", "a b c@d"}, {NULL, "x y@d"}};
    char text[200] = "";
    char key[CACHE_KEY_MAX + 1];
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_int_equal(cache_address_key(keys[i].relay, keys[i].address, key), RB_OK);
        assert_int_equal(put_reason(f->cache, key, RB_REASON_ACCEPTED, NOW), RB_OK);
    }
    cache_flush(f->cache);
    assert_int_equal(cache_walk(f->cache, CACHE_ADDRESS, see_relay, text), RB_OK);
    assert_string_equal(text, "[r.d|a b c@d][r.d:25|a@d][|a@d][|x y@d]");
}

static bool see_other_tables(const struct cache_entry *entry, void *arg)
{
    unsigned *count = arg;
    if (entry->table == CACHE_DOMAIN && entry->domain_record->catch_all.state == FACT_YES)
        *count += 1;
    if (entry->table == CACHE_HOST && entry->host_record->failures == 7)
        *count += 10;
    return true;
}

static void walk_shows_domains_and_hosts(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;
    const struct domain_record domain = {.catch_all = {FACT_YES, NOW}};
    const struct host_record host = {.failures = 7, .stamp_s = NOW};
    assert_int_equal(cache_put_domain(f->cache, "d", &domain), RB_OK);
    assert_int_equal(cache_put_host(f->cache, "192.0.2.1", &host), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(cache_walk(f->cache, CACHE_DOMAIN, see_other_tables, &count), RB_OK);
    assert_int_equal(cache_walk(f->cache, CACHE_HOST, see_other_tables, &count), RB_OK);
    assert_int_equal(count, 11);
    assert_int_equal(cache_walk(f->cache, (enum cache_table)0, see_other_tables, &count),
                     RB_ERR_ARGUMENT);
}

/* ---- walks over one address, domain or host ---- */

static void put_key(struct fixture *f, const char *relay, const char *address)
{
    char key[CACHE_KEY_MAX + 1];
    assert_int_equal(cache_address_key(relay, address, key), RB_OK);
    assert_int_equal(put_reason(f->cache, key, RB_REASON_ACCEPTED, NOW), RB_OK);
}

static void walk_of_an_address_shows_all_its_keys_and_no_others(void **state)
{
    struct fixture *f = *state;
    char text[400] = "", key[CACHE_KEY_MAX + 1], relay[32];
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(relay, sizeof relay, "r%u.d", i);
        put_key(f, relay, "other@d");
    }
    put_key(f, NULL, "a@d");
    put_key(f, NULL, "a@dd");
    put_key(f, "r.d", "a@d");
    put_key(f, "r.d", "aa@d");
    put_key(f, "r.d!", "a@d"); /* between its neighbours' keys */
    put_key(f, "r.d:25", "a@d");
    put_key(f, "r.d:25", "x a@d");
    put_key(f, "mx:", "b@d");
    put_key(f, "r299.d", "a@d");
    assert_int_equal(cache_correspondent_key("a@d", key), RB_OK);
    assert_int_equal(put_reason(f->cache, key, RB_REASON_CORRESPONDENT, NOW), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(cache_walk_address(f->cache, CACHE_ADDRESS, "a@d", see_relay, text), RB_OK);
    assert_string_equal(text, "[|a@d][|a@d][r.d|a@d][r.d!|a@d][r.d:25|a@d][r299.d|a@d]");
    text[0] = '\0';
    assert_int_equal(cache_walk_address(f->cache, CACHE_ADDRESS, "nobody@d", see_relay, text),
                     RB_OK);
    assert_string_equal(text, "");
}

static bool count_three(const struct cache_entry *entry, void *arg)
{
    unsigned *count = arg;
    (void)entry;
    return ++*count < 3;
}

static void walk_of_an_address_ends_when_told(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;
    put_key(f, NULL, "a@d");
    put_key(f, "q.d", "a@d");
    put_key(f, "r.d", "a@d");
    put_key(f, "s.d", "a@d");
    cache_flush(f->cache);
    assert_int_equal(cache_walk_address(f->cache, CACHE_ADDRESS, "a@d", count_three, &count),
                     RB_OK);
    assert_int_equal(count, 3);
}

static bool see_key(const struct cache_entry *entry, void *arg)
{
    char *text = arg;
    const size_t len = strlen(text);
    (void)snprintf(text + len, 200 - len, "[%s]", entry->key);
    return true;
}

static void walk_of_a_domain_or_host_shows_its_relays_too(void **state)
{
    struct fixture *f = *state;
    static const char *const domains[] = {"d", "d.e", "d relay:25", "d a", "c d", "dd"};
    static const char *const hosts[] = {"192.0.2.1", "192.0.2.1#25", "192.0.2.1#2525", "192.0.2.10",
                                        "2001:db8::1"};
    const struct domain_record domain = {.catch_all = {FACT_YES, NOW}};
    const struct host_record host = {.failures = 7, .stamp_s = NOW};
    char text[200] = "";
    for (size_t i = 0; i < COUNT(domains); i++)
        assert_int_equal(cache_put_domain(f->cache, domains[i], &domain), RB_OK);
    for (size_t i = 0; i < COUNT(hosts); i++)
        assert_int_equal(cache_put_host(f->cache, hosts[i], &host), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(cache_walk_domain(f->cache, "d", see_key, text), RB_OK);
    assert_string_equal(text, "[d][d a][d relay:25]");
    text[0] = '\0';
    assert_int_equal(cache_walk_host(f->cache, "192.0.2.1", see_key, text), RB_OK);
    assert_string_equal(text, "[192.0.2.1][192.0.2.1#25][192.0.2.1#2525]");
    text[0] = '\0';
    assert_int_equal(cache_walk_host(f->cache, "192.0.2.1#25", see_key, text), RB_OK);
    assert_string_equal(text, "[192.0.2.1#25]");
}

/* ---- one-time senders and correspondents ---- */

static enum rb_error put_onetime(struct cache *cache, const char *key, unsigned valids,
                                 int64_t valid_s, int64_t invalid_s)
{
    const struct onetime_record record = {
        .valids = valids, .valid_s = valid_s, .invalid_s = invalid_s};
    return cache_put_onetime(cache, key, &record);
}

static void assert_onetime(struct cache *cache, const char *key, unsigned valids, int64_t valid_s,
                           int64_t invalid_s)
{
    struct onetime_record record;
    assert_int_equal(cache_get_onetime(cache, key, &record), RB_OK);
    assert_int_equal(record.valids, valids);
    assert_int_equal(record.valid_s, valid_s);
    assert_int_equal(record.invalid_s, invalid_s);
}

static void onetime_is_seen_at_once_and_after_reopening(void **state)
{
    struct fixture *f = *state;
    struct onetime_record record = {.valids = 7};
    assert_int_equal(cache_get_onetime(f->cache, "vl@d", &record), RB_ERR_NOT_FOUND);
    assert_int_equal(put_onetime(f->cache, "vl@d", 3, NOW, NOW - 10), RB_OK);
    assert_onetime(f->cache, "vl@d", 3, NOW, NOW - 10);
    cache_flush(f->cache);
    assert_onetime(f->cache, "vl@d", 3, NOW, NOW - 10);
    assert_int_equal(stats_of(f->cache).onetimes, 1);
    reopen(f);
    assert_onetime(f->cache, "vl@d", 3, NOW, NOW - 10);
    assert_int_equal(cache_delete(f->cache, CACHE_ONETIME, "vl@d"), RB_OK);
    assert_int_equal(cache_get_onetime(f->cache, "vl@d", &record), RB_ERR_NOT_FOUND);
    assert_int_equal(stats_of(f->cache).onetimes, 0);
}

/* Merged with what waits for the writer, and with what is committed. */
static void onetime_counts_of_two_processes_come_together(void **state)
{
    struct fixture *f = *state;
    for (int committed = 0; committed < 2; committed++) {
        const char *key = committed ? "va@d" : "vb@d";
        assert_int_equal(put_onetime(f->cache, key, 5, NOW - 50, 0), RB_OK);
        if (committed)
            cache_flush(f->cache);
        assert_int_equal(put_onetime(f->cache, key, 3, NOW - 20, 0), RB_OK); /* counts no sum */
        assert_onetime(f->cache, key, 5, NOW - 20, 0);
        assert_int_equal(put_onetime(f->cache, key, 0, 0, NOW - 10), RB_OK); /* refused since */
        assert_onetime(f->cache, key, 0, NOW - 20, NOW - 10);
        assert_int_equal(put_onetime(f->cache, key, 9, NOW, NOW - 30),
                         RB_OK); /* knows nothing of it */
        cache_flush(f->cache);
        assert_onetime(f->cache, key, 0, NOW, NOW - 10);
    }
}

static void onetime_that_cannot_be_is_not_written(void **state)
{
    struct fixture *f = *state;
    assert_int_not_equal(put_onetime(f->cache, "vl@d", ONETIME_VALIDS_MAX + 1, NOW, 0), RB_OK);
    assert_int_not_equal(put_onetime(f->cache, "vl@d", 1, -1, 0), RB_OK);
    assert_int_not_equal(put_onetime(f->cache, "", 1, NOW, 0), RB_OK);
    cache_flush(f->cache);
    assert_int_equal(stats_of(f->cache).onetimes, 0);
}

static bool see_onetime(const struct cache_entry *entry, void *arg)
{
    char *text = arg;
    const size_t len = strlen(text);
    assert_int_equal(entry->table, CACHE_ONETIME);
    assert_null(entry->address_record);
    (void)snprintf(text + len, 200 - len, "[%s|%u]", entry->key, entry->onetime_record->valids);
    return true;
}

static void walk_shows_onetimes(void **state)
{
    struct fixture *f = *state;
    char text[200] = "";
    for (unsigned i = 3; i > 0; i--) {
        char key[32];
        (void)snprintf(key, sizeof key, "vlist%u@d", i);
        assert_int_equal(put_onetime(f->cache, key, i, NOW, 0), RB_OK);
    }
    cache_flush(f->cache);
    close_cache(f);
    write_raw(f, CACHE_ONETIME, "vdamaged@d", "no record", 9);
    open_cache(f, AMPLE);
    assert_int_equal(cache_walk(f->cache, CACHE_ONETIME, see_onetime, text), RB_OK);
    assert_string_equal(text, "[vlist1@d|1][vlist2@d|2][vlist3@d|3]");
    assert_int_equal(stats_of(f->cache).damaged, 1);
}

static void onetime_is_swept_when_it_tells_nothing_any_more(void **state)
{
    static const struct {
        int64_t valid_age_s, invalid_age_s; /* -1: none */
        bool stays;
    } table[] = {
        {8 * DAY - 1, -1, true},       {8 * DAY, -1, false},  /* valid_refresh */
        {-1, 10 * DAY - 1, true},      {-1, 10 * DAY, false}, /* domain_ttl */
        {8 * DAY, 10 * DAY - 1, true}, {8 * DAY - 1, 10 * DAY, true}, {8 * DAY, 10 * DAY, false},
    };
    struct fixture *f = *state;
    struct rb_lifetimes lifetimes = LIFETIMES;
    struct onetime_record record;
    lifetimes.valid_refresh_s = 8 * DAY;
    lifetimes.domain_ttl_s = 10 * DAY;
    cache_set_lifetimes(f->cache, &lifetimes);
    for (size_t i = 0; i < COUNT(table); i++) {
        const int64_t valid_s = table[i].valid_age_s < 0 ? 0 : NOW - table[i].valid_age_s;
        const int64_t invalid_s = table[i].invalid_age_s < 0 ? 0 : NOW - table[i].invalid_age_s;
        char key[32];
        (void)snprintf(key, sizeof key, "vlist%zu@d", i);
        assert_int_equal(put_onetime(f->cache, key, 0, valid_s, invalid_s), RB_OK);
        assert_int_equal(cache_purge(f->cache, true, &(uint64_t){0}), RB_OK);
        assert_int_equal(cache_get_onetime(f->cache, key, &record),
                         table[i].stays ? RB_OK : RB_ERR_NOT_FOUND);
    }
}

static void purge_takes_onetimes_too(void **state)
{
    struct fixture *f = *state;
    uint64_t removed = 0;
    assert_int_equal(put_onetime(f->cache, "vl@d", 3, NOW, 0), RB_OK);
    assert_int_equal(put_onetime(f->cache, "bl@d", 3, NOW, 0), RB_OK);
    assert_int_equal(cache_purge(f->cache, false, &removed), RB_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(stats_of(f->cache).onetimes, 0);
}

static bool see_verb(const struct cache_entry *entry, void *arg)
{
    assert_int_equal(entry->table, CACHE_VERB);
    assert_string_equal(entry->key, "mx.example.org");
    assert_int_equal(entry->verb_record->verbs[0].state, VERB_NO);
    (*(unsigned *)arg)++;
    return true;
}

static void a_hosts_verbs_are_kept_as_others_are(void **state)
{
    const char *key = "mx.example.org";
    struct fixture *f = *state;
    struct verb_record record = {.unreachable_s = 0};
    uint64_t removed = 0;
    unsigned seen = 0;
    assert_int_equal(cache_get_verb(f->cache, key, &record), RB_ERR_NOT_FOUND);
    assert_true(verb_record_note(&record, 1, false, NOW));
    assert_int_equal(cache_put_verb(f->cache, key, &record), RB_OK);
    assert_int_equal(cache_get_verb(f->cache, key, &record), RB_OK);
    close_cache(f);
    write_raw(f, CACHE_VERB, "damaged.example.org", "no record", 9);
    open_cache(f, AMPLE);
    assert_int_equal(stats_of(f->cache).verbs, 2);
    assert_int_equal(cache_walk(f->cache, CACHE_VERB, see_verb, &seen), RB_OK);
    assert_int_equal(seen, 1);
    assert_int_equal(cache_purge(f->cache, true, &removed), RB_OK);
    assert_int_equal(removed, 1); /* what cannot be read */
    record.verbs[0].noes = 0;     /* a no, but not once */
    assert_int_not_equal(cache_put_verb(f->cache, key, &record), RB_OK);
    assert_true(verb_record_note(&record, 2, true, NOW - (int64_t)100 * 86400));
    record.verbs[0] = (struct verb_fact){.state = VERB_NOT_KNOWN};
    assert_int_equal(cache_put_verb(f->cache, key, &record), RB_OK); /* replaces; is over */
    assert_int_equal(cache_purge(f->cache, true, &removed), RB_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(cache_get_verb(f->cache, key, &record), RB_ERR_NOT_FOUND);
}

static void correspondent_is_kept_under_a_key_of_its_own_alone(void **state)
{
    struct fixture *f = *state;
    char key[CACHE_KEY_MAX + 1], relay[CACHE_KEY_MAX + 1], text[200] = "";
    const char *address;
    assert_int_equal(cache_correspondent_key("a b@d", key), RB_OK);
    assert_true(cache_is_correspondent_key(key));
    assert_true(cache_split_address_key(key, relay, &address));
    assert_string_equal(relay, "");
    assert_string_equal(address, "a b@d");
    assert_int_equal(put_reason(f->cache, key, RB_REASON_CORRESPONDENT, NOW), RB_OK);
    assert_int_equal(put_reason(f->cache, "sa b@d", RB_REASON_CORRESPONDENT, NOW), RB_ERR_ARGUMENT);
    assert_int_equal(put_reason(f->cache, "rr.d a@d", RB_REASON_CORRESPONDENT, NOW),
                     RB_ERR_ARGUMENT);
    assert_int_equal(put_reason(f->cache, key, RB_REASON_LIMITED, NOW), RB_ERR_ARGUMENT);
    assert_false(cache_is_correspondent_key("sa b@d"));
    assert_int_equal(cache_correspondent_key("", key), RB_ERR_ARGUMENT);
    reopen(f);
    assert_int_equal(reason_of(f->cache, "ca b@d"), RB_REASON_CORRESPONDENT);
    assert_int_equal(reason_of(f->cache, "sa b@d"), RB_REASON_NONE);
    assert_int_equal(cache_walk(f->cache, CACHE_ADDRESS, see_relay, text), RB_OK);
    assert_string_equal(text, "[|a b@d]");
}

static void correspondent_goes_when_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_reason(f->cache, "cu@d", RB_REASON_CORRESPONDENT, NOW), RB_OK);
    assert_int_equal(put_reason(f->cache, "su@d", RB_REASON_ACCEPTED, NOW), RB_OK);
    fake_clock_advance_s(&f->clock, 90 * DAY - 1);
    assert_int_equal(cache_purge(f->cache, true, &(uint64_t){0}), RB_OK);
    assert_int_equal(reason_of(f->cache, "cu@d"), RB_REASON_CORRESPONDENT);
    assert_int_equal(reason_of(f->cache, "su@d"), RB_REASON_NONE);
    /* written to again: the newer stamp stands */
    assert_int_equal(put_reason(f->cache, "cu@d", RB_REASON_CORRESPONDENT, NOW + 90 * DAY - 1),
                     RB_OK);
    fake_clock_advance_s(&f->clock, 90 * DAY - 1);
    assert_int_equal(cache_purge(f->cache, true, &(uint64_t){0}), RB_OK);
    assert_int_equal(reason_of(f->cache, "cu@d"), RB_REASON_CORRESPONDENT);
    fake_clock_advance_s(&f->clock, 1);
    assert_int_equal(cache_purge(f->cache, true, &(uint64_t){0}), RB_OK);
    assert_int_equal(reason_of(f->cache, "cu@d"), RB_REASON_NONE);
}

static void record_takes_less_than_240_octets(void **state)
{
    struct fixture *f = *state;
    enum { RECORDS = 20000 };
    for (unsigned i = 0; i < RECORDS; i++)
        assert_true(put_number(f->cache, "someone.", i));
    cache_flush(f->cache);
    const struct cache_stats stats = stats_of(f->cache);
    assert_int_equal(stats.addresses, RECORDS);
    print_message("# %llu octets a record\n", (unsigned long long)(stats.bytes / RECORDS));
    assert_in_range(stats.bytes / RECORDS, 1, 239);
}

/* ---- growth ---- */

static void expired_records_are_swept_by_and_by(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 100; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "s%u@d", i);
        assert_int_equal(put_reason(f->cache, key, RB_REASON_BLOCKED, NOW), RB_OK);
    }
    cache_flush(f->cache);
    fake_clock_advance_s(&f->clock, 1800);
    for (unsigned i = 0; i < 2 * WRITER_MAINTAIN_BATCHES; i++) {
        assert_int_equal(put_reason(f->cache, "slive@d", RB_REASON_ACCEPTED, NOW + 1800), RB_OK);
        cache_flush(f->cache);
    }
    assert_int_equal(cache_purge(f->cache, true, &(uint64_t){0}), RB_OK); /* waits for the sweep */
    assert_int_equal(stats_of(f->cache).swept, 100);
    assert_int_equal(stats_of(f->cache).addresses, 1);
}

/* Many commits of nothing new, so that a sweep comes round. */
static void let_sweeps_pass(struct fixture *f)
{
    for (unsigned i = 0; i < 3 * WRITER_MAINTAIN_BATCHES; i++) {
        assert_int_equal(put_reason(f->cache, "slive@d", RB_REASON_ACCEPTED, NOW), RB_OK);
        cache_flush(f->cache);
    }
    assert_int_equal(cache_delete(f->cache, CACHE_ADDRESS, "snone@d"), RB_ERR_NOT_FOUND);
}

/* ---- retries ---- */

enum { ME = 7, OTHER = 8 };

static enum rb_error put_retry(struct cache *cache, const char *key, int64_t due_s)
{
    const struct retry_record record = {.reason = RB_REASON_TEMPFAIL,
                                        .tries = 2,
                                        .first_s = NOW - HOUR,
                                        .due_s = due_s,
                                        .owner = ME,
                                        .host = "192.0.2.25"};
    return cache_put_retry(cache, key, &record);
}

/* 0: there is none. */
static int64_t retry_due_s(struct cache *cache, const char *key)
{
    struct retry_record record;
    return cache_get_retry(cache, key, &record) == RB_OK ? record.due_s : 0;
}

static struct retry_claim claim_of(const char *key, int64_t until_s)
{
    struct retry_claim claim = {.until_s = until_s};
    (void)snprintf(claim.key, sizeof claim.key, "%s", key);
    return claim;
}

static struct retry_claim claim_retry(struct fixture *f, const char *key, uint64_t owner,
                                      int64_t now_s)
{
    struct retry_claim claim = claim_of(key, now_s + HOUR);
    assert_int_equal(cache_claim_retries(f->cache, &claim, 1, owner, now_s), RB_OK);
    return claim;
}

static void retry_is_seen_at_once_and_after_reopening(void **state)
{
    struct fixture *f = *state;
    struct retry_record record;
    assert_int_equal(put_retry(f->cache, "su@d", NOW), RB_OK);
    assert_int_equal(retry_due_s(f->cache, "su@d"), NOW);
    assert_int_equal(put_retry(f->cache, "su@d", NOW - 60), RB_OK); /* the newer replaces */
    assert_int_equal(retry_due_s(f->cache, "su@d"), NOW - 60);
    cache_flush(f->cache);
    assert_int_equal(stats_of(f->cache).retries, 1);
    assert_int_equal(stats_of(f->cache).addresses, 0);
    reopen(f);
    assert_int_equal(cache_get_retry(f->cache, "su@d", &record), RB_OK);
    assert_int_equal(record.reason, RB_REASON_TEMPFAIL);
    assert_int_equal(record.tries, 2);
    assert_int_equal(record.first_s, NOW - HOUR);
    assert_int_equal(record.owner, ME);
    assert_string_equal(record.host, "192.0.2.25");
    assert_int_equal(cache_delete(f->cache, CACHE_RETRY, "su@d"), RB_OK);
    assert_int_equal(retry_due_s(f->cache, "su@d"), 0);
}

static void dropped_retry_is_gone_at_once_and_for_good(void **state)
{
    struct fixture *f = *state;
    for (int committed = 0; committed < 2; committed++) {
        assert_int_equal(put_retry(f->cache, "su@d", NOW), RB_OK);
        if (committed)
            cache_flush(f->cache);
        assert_int_equal(cache_drop_retry(f->cache, "su@d"), RB_OK);
        assert_int_equal(retry_due_s(f->cache, "su@d"), 0);
        cache_flush(f->cache);
        assert_int_equal(retry_due_s(f->cache, "su@d"), 0);
        assert_int_equal(stats_of(f->cache).retries, 0);
    }
    assert_int_equal(cache_drop_retry(f->cache, "su@d"), RB_OK);    /* there is none: no matter */
    assert_int_equal(put_retry(f->cache, "su@d", NOW + 60), RB_OK); /* put again before that */
    assert_int_equal(retry_due_s(f->cache, "su@d"), NOW + 60);
    cache_flush(f->cache);
    assert_int_equal(retry_due_s(f->cache, "su@d"), NOW + 60);
    assert_int_equal(stats_of(f->cache).dropped, 0);
    assert_int_equal(stats_of(f->cache).damaged, 0);
}

static void retry_is_claimed_once_and_by_its_owner_first(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_retry(f->cache, "su@d", NOW), RB_OK);
    cache_flush(f->cache);
    struct retry_claim claim = claim_retry(f, "su@d", ME, NOW - 1);
    assert_true(claim.found);
    assert_false(claim.taken);
    assert_int_equal(claim.record.due_s, NOW);
    assert_false(claim_retry(f, "su@d", OTHER, NOW).taken);
    claim = claim_retry(f, "su@d", ME, NOW);
    assert_true(claim.taken);
    assert_int_equal(claim.record.due_s, NOW + HOUR);
    assert_int_equal(claim.record.tries, 2);
    assert_int_equal(retry_due_s(f->cache, "su@d"), NOW + HOUR);
    assert_false(claim_retry(f, "su@d", ME, NOW).taken); /* of a second daemon of the same name */
    /* its owner never came back */
    claim = claim_retry(f, "su@d", OTHER, NOW + HOUR + RETRY_TAKEOVER_S);
    assert_true(claim.taken);
    assert_int_equal(claim.record.owner, OTHER);
    assert_false(claim_retry(f, "su@d", ME, NOW + 2 * HOUR).taken); /* it is late */
}

static void claim_of_what_is_not_there_or_changes_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct retry_claim claim = claim_retry(f, "sgone@d", ME, NOW);
    assert_false(claim.found);
    assert_false(claim.taken);
    close_cache(f);
    write_raw(f, CACHE_RETRY, "sdamaged@d", "no record", 9);
    open_cache(f, AMPLE);
    claim = claim_retry(f, "sdamaged@d", ME, NOW);
    assert_false(claim.found);
    assert_false(claim.taken);
    assert_int_equal(cache_claim_retries(f->cache, &claim, CACHE_CLAIMS_MAX + 1, ME, NOW),
                     RB_ERR_ARGUMENT);
}

static void claims_are_made_many_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct retry_claim claims[CACHE_CLAIMS_MAX];
    for (unsigned i = 0; i < CACHE_CLAIMS_MAX; i++) {
        number_key(claims[i].key, "r", i);
        claims[i].until_s = NOW + HOUR;
        if (i % 2 == 0)
            assert_int_equal(put_retry(f->cache, claims[i].key, i % 4 == 0 ? NOW : NOW + 1), RB_OK);
    }
    cache_flush(f->cache);
    assert_int_equal(cache_claim_retries(f->cache, claims, CACHE_CLAIMS_MAX, ME, NOW), RB_OK);
    for (unsigned i = 0; i < CACHE_CLAIMS_MAX; i++) {
        assert_int_equal(claims[i].found, i % 2 == 0);
        assert_int_equal(claims[i].taken, i % 4 == 0);
    }
}

static bool see_retry(const struct cache_entry *entry, void *arg)
{
    char *text = arg;
    const size_t len = strlen(text);
    assert_int_equal(entry->table, CACHE_RETRY);
    assert_null(entry->address_record);
    (void)snprintf(text + len, 200 - len, "[%s|%s|%u]", entry->relay, entry->address,
                   entry->retry_record->tries);
    return true;
}

static void walk_shows_retries(void **state)
{
    struct fixture *f = *state;
    char text[200] = "";
    assert_int_equal(put_retry(f->cache, "sv@d", NOW), RB_OK);
    assert_int_equal(put_retry(f->cache, "su@d", NOW), RB_OK);
    assert_int_equal(put_retry(f->cache, "rmx.d:25 u@d", NOW), RB_OK);
    close_cache(f);
    write_raw(f, CACHE_RETRY, "sdamaged@d", "no record", 9);
    open_cache(f, AMPLE);
    assert_int_equal(cache_walk(f->cache, CACHE_RETRY, see_retry, text), RB_OK);
    assert_string_equal(text, "[mx.d:25|u@d|2][|u@d|2][|v@d|2]");
    assert_int_equal(stats_of(f->cache).damaged, 1);
}

/* However long its address record has expired. */
static void retry_is_swept_only_when_nobody_has_asked_for_long(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_reason(f->cache, "su@d", RB_REASON_TEMPFAIL, NOW), RB_OK);
    assert_int_equal(put_retry(f->cache, "su@d", NOW + 6 * HOUR), RB_OK);
    fake_clock_advance_s(&f->clock, 6 * HOUR + SWEEP_RETRY_KEEP_S - 1);
    let_sweeps_pass(f);
    assert_int_equal(reason_of(f->cache, "su@d"), RB_REASON_NONE);
    assert_int_equal(retry_due_s(f->cache, "su@d"), NOW + 6 * HOUR);
    fake_clock_advance_s(&f->clock, 1);
    let_sweeps_pass(f);
    assert_int_equal(retry_due_s(f->cache, "su@d"), 0);
}

static void retry_that_cannot_be_is_not_written(void **state)
{
    struct fixture *f = *state;
    const struct retry_record bad = {.reason = RB_REASON_ACCEPTED, .first_s = NOW, .due_s = NOW};
    assert_int_equal(cache_put_retry(f->cache, "su@d", &bad), RB_ERR_ARGUMENT);
    assert_int_equal(put_retry(f->cache, "", NOW), RB_ERR_ARGUMENT);
    assert_int_equal(cache_drop_retry(f->cache, ""), RB_ERR_ARGUMENT);
    cache_flush(f->cache);
    assert_int_equal(stats_of(f->cache).retries, 0);
}

/* As an earlier version left it: without the table of retries. */
static void make_older_store(const struct fixture *f)
{
    static const char *const tables[] = {"address", "domain", "host", "fold"};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    assert_int_equal(mkdir(f->path, 0750), 0);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
    assert_int_equal(mdb_env_open(env, f->path, MDB_NOTLS, 0660), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    for (size_t i = 0; i < COUNT(tables); i++)
        assert_int_equal(mdb_dbi_open(txn, tables[i], MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void older_store_opens_and_gets_the_table(void **state)
{
    struct fixture *f = *state;
    struct retry_record record;
    char text[200] = "";
    make_older_store(f);
    assert_int_equal(open_with(f, AMPLE, true), RB_OK); /* who only reads does without */
    assert_int_equal(cache_get_retry(f->cache, "su@d", &record), RB_ERR_NOT_FOUND);
    assert_int_equal(cache_walk(f->cache, CACHE_RETRY, see_retry, text), RB_OK);
    assert_string_equal(text, "");
    assert_int_equal(stats_of(f->cache).retries, 0);
    close_cache(f);
    open_cache(f, AMPLE);
    assert_int_equal(put_retry(f->cache, "su@d", NOW), RB_OK);
    close_cache(f);
    assert_int_equal(open_with(f, AMPLE, true), RB_OK);
    assert_int_equal(retry_due_s(f->cache, "su@d"), NOW);
}

static void record_from_the_far_future_is_swept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_reason(f->cache, "sold@d", RB_REASON_ACCEPTED, NOW), RB_OK);
    cache_flush(f->cache);
    fake_clock_advance_s(&f->clock, -2LL * SWEEP_FUTURE_MAX_S);
    assert_int_equal(cache_purge(f->cache, true, &(uint64_t){0}), RB_OK);
    assert_int_equal(reason_of(f->cache, "sold@d"), RB_REASON_NONE);
}

static bool put_big(struct cache *cache, unsigned number, int64_t stamp_s)
{
    char key[CACHE_KEY_MAX + 1];
    struct address_record record = record_of(RB_REASON_ACCEPTED, stamp_s);
    memset(record.reply, 'r', sizeof record.reply - 1);
    number_key(key, "big", number);
    return cache_put_address(cache, key, &record) == RB_OK;
}

static void full_store_lets_the_oldest_go(void **state)
{
    struct fixture *f = *state;
    enum { RECORDS = 5000, KEPT = 150 };
    struct stat file;
    char path[128];
    open_cache(f, SMALL);
    for (unsigned i = 0; i < RECORDS; i++) {
        fake_clock_advance_s(&f->clock, 1);
        assert_true(put_big(f->cache, i, NOW + 1 + i));
    }
    cache_flush(f->cache);
    const struct cache_stats stats = stats_of(f->cache);
    print_message("# %llu records stay, %llu went\n", (unsigned long long)stats.addresses,
                  (unsigned long long)stats.evicted);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.evicted + stats.addresses, RECORDS);
    assert_int_equal(cache_losses(f->cache), stats.evicted);
    for (unsigned i = 0; i < KEPT; i++) {
        assert_true(has_number(f->cache, "big", RECORDS - 1 - i));
        assert_false(has_number(f->cache, "big", i));
    }
    file_path(f, "data.mdb", path, sizeof path);
    assert_int_equal(stat(path, &file), 0);
    assert_in_range(file.st_size, 1, SMALL);
    assert_in_range(stats.bytes, 1, SMALL);
    close_cache(f);
    open_cache(f, SMALL);
    assert_true(has_number(f->cache, "big", RECORDS - 1));
}

static void full_store_of_records_of_one_age_does_not_lose_all(void **state)
{
    struct fixture *f = *state;
    enum { RECORDS = 3000, ENOUGH = 400 };
    uint64_t most = 0;
    open_cache(f, SMALL);
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_true(put_big(f->cache, i, NOW));
        if (i % 20 != 0)
            continue;
        cache_flush(f->cache);
        const uint64_t now = stats_of(f->cache).addresses;
        most = now > most ? now : most;
        assert_true(most < ENOUGH || now >= ENOUGH / 2);
    }
    assert_in_range(most, ENOUGH, RECORDS);
    assert_int_equal(stats_of(f->cache).dropped, 0);
}

static void full_store_lets_expired_ones_go_first(void **state)
{
    struct fixture *f = *state;
    open_cache(f, SMALL);
    for (unsigned i = 0; i < 300; i++)
        assert_true(put_big(f->cache, i, NOW)); /* valid: lives on */
    for (unsigned i = 0; i < 2000; i++) {
        struct address_record record = record_of(RB_REASON_BLOCKED, NOW + i);
        char key[32];
        memset(record.reply, 'r', sizeof record.reply - 1);
        (void)snprintf(key, sizeof key, "s%u@d", i * 7919U);
        assert_int_equal(cache_put_address(f->cache, key, &record), RB_OK);
        if (i % 100 == 99) {
            cache_flush(f->cache);
            fake_clock_advance_s(&f->clock, 1800 + 100);
        }
    }
    cache_flush(f->cache);
    for (unsigned i = 0; i < 300; i++)
        assert_true(has_number(f->cache, "big", i));
    assert_int_equal(stats_of(f->cache).evicted, 0);
    assert_in_range(stats_of(f->cache).swept, 100, 2000);
}

static void full_store_can_be_purged(void **state)
{
    struct fixture *f = *state;
    uint64_t removed = 0;
    open_cache(f, SMALL);
    for (unsigned i = 0; i < 1500; i++)
        assert_true(put_big(f->cache, i, NOW));
    cache_flush(f->cache);
    const uint64_t before = stats_of(f->cache).addresses;
    assert_int_equal(cache_purge(f->cache, false, &removed), RB_OK);
    assert_int_equal(removed, before);
    assert_int_equal(stats_of(f->cache).addresses, 0);
    assert_true(put_big(f->cache, 1, NOW));
    reopen(f);
    assert_true(has_number(f->cache, "big", 1));
}

/* ---- damage, rights ---- */

static void damaged_value_is_a_counted_miss(void **state)
{
    struct fixture *f = *state;
    struct domain_record domain;
    struct host_record host;
    static const char long_value[RECORD_SIZE_MAX + 1];
    write_raw(f, CACHE_ADDRESS, "sa@d", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, "sb@d", long_value, sizeof long_value);
    write_raw(f, CACHE_DOMAIN, "d", "garbage", 7);
    write_raw(f, CACHE_HOST, "192.0.2.1", "garbage", 7);
    open_cache(f, AMPLE);
    assert_int_equal(reason_of(f->cache, "sa@d"), RB_REASON_NONE);
    assert_int_equal(reason_of(f->cache, "sb@d"), RB_REASON_NONE);
    assert_int_equal(cache_get_domain(f->cache, "d", &domain), RB_ERR_NOT_FOUND);
    assert_int_equal(cache_get_host(f->cache, "192.0.2.1", &host), RB_ERR_NOT_FOUND);
    assert_int_equal(stats_of(f->cache).damaged, 4);
}

static void damaged_value_can_be_written_over(void **state)
{
    struct fixture *f = *state;
    write_raw(f, CACHE_ADDRESS, "sa@d", "garbage", 7);
    open_cache(f, AMPLE);
    assert_int_equal(put_reason(f->cache, "sa@d", RB_REASON_ACCEPTED, NOW), RB_OK);
    assert_int_equal(reason_of(f->cache, "sa@d"), RB_REASON_ACCEPTED);
    cache_flush(f->cache);
    assert_int_equal(reason_of(f->cache, "sa@d"), RB_REASON_ACCEPTED);
}

static void damaged_values_and_foreign_keys_are_left_out_of_walks_and_swept(void **state)
{
    struct fixture *f = *state;
    char long_key[512];
    memset(long_key, 's', sizeof long_key);
    long_key[511] = '\0';
    write_raw(f, CACHE_ADDRESS, "sa@d", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, "rno-space", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, "?", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, long_key, "garbage", 7);
    open_cache(f, AMPLE);
    assert_int_equal(put_reason(f->cache, "sgood@d", RB_REASON_ACCEPTED, NOW), RB_OK);
    cache_flush(f->cache);
    struct seen seen = {.cache = f->cache, .in_order = true};
    assert_int_equal(cache_walk(f->cache, CACHE_ADDRESS, see, &seen), RB_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(stats_of(f->cache).damaged, 4);
    uint64_t removed = 0;
    assert_int_equal(cache_purge(f->cache, true, &removed), RB_OK);
    assert_int_equal(removed, 4);
}

static void fill(struct fixture *f, unsigned records)
{
    open_cache(f, AMPLE);
    for (unsigned i = 0; i < records; i++)
        assert_true(put_number(f->cache, "a", i));
    close_cache(f);
}

/* Opens what has been damaged; a new one must have been begun, and the old one kept. */
static void assert_begun_anew(struct fixture *f)
{
    assert_int_equal(open_with(f, AMPLE, false), RB_OK);
    assert_non_null(strstr(f->detail, "damaged"));
    assert_non_null(strstr(f->detail, f->path));
    assert_int_equal(count_files(f, "data.mdb.damaged-"), 1);
    assert_false(has_number(f->cache, "a", 1));
    assert_true(put_number(f->cache, "a", 1));
    reopen(f);
    assert_true(has_number(f->cache, "a", 1));
}

static void overwrite(const struct fixture *f, off_t at, const void *octets, size_t len)
{
    char path[128];
    file_path(f, "data.mdb", path, sizeof path);
    const int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, octets, len, at), len);
    close(fd);
}

static void walk_of_an_address_steps_over_foreign_keys(void **state)
{
    struct fixture *f = *state;
    char long_key[512], text[200] = "";
    memset(long_key, 'r', sizeof long_key);
    long_key[511] = '\0';
    write_raw(f, CACHE_ADDRESS, "rno-space", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, "r", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, "r ", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, "rr.d a@d", "garbage", 7);
    write_raw(f, CACHE_ADDRESS, long_key, "garbage", 7);
    open_cache(f, AMPLE);
    put_key(f, "rz.d", "a@d");
    cache_flush(f->cache);
    assert_int_equal(cache_walk_address(f->cache, CACHE_ADDRESS, "a@d", see_relay, text), RB_OK);
    assert_string_equal(text, "[rz.d|a@d]");
}

static void garbage_for_a_store_is_moved_aside(void **state)
{
    struct fixture *f = *state;
    char garbage[8192];
    fill(f, 10);
    memset(garbage, 'g', sizeof garbage);
    overwrite(f, 0, garbage, sizeof garbage);
    assert_begun_anew(f);
}

static void store_of_another_version_is_moved_aside(void **state)
{
    struct fixture *f = *state;
    static const uint32_t version = 99;
    fill(f, 10);
    overwrite(f, 16 + 4, &version, sizeof version); /* page header, magic, version */
    overwrite(f, 4096 + 16 + 4, &version, sizeof version);
    assert_begun_anew(f);
}

static void store_cut_off_is_moved_aside(void **state)
{
    static const off_t sizes[] = {100, 4096, 8192, 12288, 40960};
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char path[128];
        fill(f, 2000);
        file_path(f, "data.mdb", path, sizeof path);
        assert_int_equal(truncate(path, sizes[i]), 0);
        assert_begun_anew(f);
        close_cache(f);
        remove_files(f->path);
    }
}

static void store_with_zeroed_pages_is_moved_aside(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat file;
    fill(f, 2000);
    file_path(f, "data.mdb", path, sizeof path);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, 8192), 0);
    assert_int_equal(truncate(path, file.st_size), 0);
    assert_begun_anew(f);
}

static void emptied_store_is_simply_begun(void **state)
{
    struct fixture *f = *state;
    char path[128];
    fill(f, 10);
    file_path(f, "data.mdb", path, sizeof path);
    assert_int_equal(truncate(path, 0), 0);
    open_cache(f, AMPLE);
    assert_false(has_number(f->cache, "a", 1));
}

/* One transaction that takes new pages and gives some of them back, so that the last may never be
 * written out. */
static void grow_and_shrink(const struct store_ops *ops, struct store *store, unsigned round)
{
    enum { WRITES = 300, KEYS = 150 };
    static const uint8_t value[RECORD_SIZE_MAX];
    static struct store_write writes[WRITES];
    static char keys[WRITES][32];
    bool full;
    for (unsigned i = 0; i < WRITES; i++) {
        const size_t len = random() % 3 == 0 ? 0 : sizeof value - (size_t)random() % 2 * 1000;
        (void)snprintf(keys[i], sizeof keys[i], "s%u@%u", (unsigned)random() % KEYS, round);
        writes[i] = (struct store_write){
            .table = CACHE_ADDRESS, .key = {keys[i], strlen(keys[i])}, .value = {value, len}};
    }
    assert_int_equal(ops->write(store, writes, WRITES, &full), RB_OK);
}

static void store_that_shrank_while_it_grew_is_not_taken_for_damaged(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->path, 0700), 0);
    srandom(3);
    for (unsigned round = 0; round < 60; round++) {
        const struct store_ops *ops;
        struct store *store;
        assert_int_equal(cache_lmdb_open(f->path, AMPLE, false, false, &ops, &store, f->detail,
                                         sizeof f->detail),
                         RB_OK);
        assert_string_equal(f->detail, "");
        grow_and_shrink(ops, store, round);
        ops->close(store);
    }
}

static void damaged_store_is_not_touched_by_a_reader(void **state)
{
    struct fixture *f = *state;
    char path[128];
    fill(f, 2000);
    file_path(f, "data.mdb", path, sizeof path);
    assert_int_equal(truncate(path, 12288), 0);
    assert_int_equal(open_with(f, AMPLE, true), RB_ERR_STORE);
    assert_non_null(strstr(f->detail, f->path));
    assert_int_equal(count_files(f, "data.mdb.damaged-"), 0);
}

static void store_that_is_a_link_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128], elsewhere[128];
    assert_int_equal(mkdir(f->path, 0700), 0);
    (void)snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", f->folder);
    file_path(f, "lock.mdb", path, sizeof path);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(open_with(f, AMPLE, false), RB_ERR_STORE);
    assert_int_equal(access(elsewhere, F_OK), -1);
}

static void missing_folder_is_made_with_tight_rights(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat found;
    open_cache(f, AMPLE);
    assert_int_equal(stat(f->path, &found), 0);
    assert_int_equal(found.st_mode & 0027, 0);
    file_path(f, "data.mdb", path, sizeof path);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
}

static void folder_below_a_missing_one_is_not_made(void **state)
{
    struct fixture *f = *state;
    (void)snprintf(f->store, sizeof f->store, "lmdb:%s/no/c", f->folder);
    errno = 0;
    assert_int_equal(open_with(f, AMPLE, false), RB_ERR_STORE);
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(f->detail, "/no/c: No such file"));
}

static void file_in_place_of_the_folder_is_reported(void **state)
{
    struct fixture *f = *state;
    const int fd = open(f->path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(open_with(f, AMPLE, false), RB_ERR_STORE);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(unlink(f->path), 0);
}

static void store_names_that_are_none_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"", "lmdb:", "lmdb", "/var/lib/x", "redis://h:6379/0"};
    for (size_t i = 0; i < COUNT(names); i++) {
        (void)snprintf(f->store, sizeof f->store, "%s", names[i]);
        assert_int_equal(open_with(f, AMPLE, false), RB_ERR_ARGUMENT);
        assert_null(f->cache);
        assert_non_null(strstr(f->detail, "not a store"));
    }
    cache_close(NULL);
}

static void reader_without_a_store_is_told_so(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(open_with(f, AMPLE, true), RB_ERR_STORE);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(open_with(f, AMPLE, true), RB_ERR_STORE);
    assert_non_null(strstr(f->detail, "no cache there yet"));
}

static void reader_reads_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t removed;
    char key[CACHE_KEY_MAX + 1];
    fill(f, 10);
    assert_int_equal(open_with(f, AMPLE, true), RB_OK);
    assert_true(has_number(f->cache, "a", 1));
    assert_int_equal(stats_of(f->cache).addresses, 10);
    number_key(key, "a", 1);
    assert_int_equal(put_reason(f->cache, key, RB_REASON_ACCEPTED, NOW), RB_ERR_STORE);
    assert_int_equal(cache_delete(f->cache, CACHE_ADDRESS, key), RB_ERR_STORE);
    assert_int_equal(cache_purge(f->cache, false, &removed), RB_ERR_STORE);
    cache_flush(f->cache);
    assert_true(has_number(f->cache, "a", 1));
}

/* ---- other processes ---- */

static pid_t fork_child(void)
{
    (void)fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    return pid;
}

static void assert_child_succeeds(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A pair of pipes by which parent and child wait for each other; no time passes but what is needed.
 */
struct link {
    int to_child[2], to_parent[2];
};

static void open_link(struct link *link)
{
    assert_int_equal(pipe(link->to_child), 0);
    assert_int_equal(pipe(link->to_parent), 0);
}

static void close_link(const struct link *link)
{
    for (unsigned i = 0; i < 2; i++) {
        close(link->to_child[i]);
        close(link->to_parent[i]);
    }
}

static bool tell(int fd)
{
    return write(fd, "", 1) == 1;
}

static bool hear(int fd)
{
    char octet;
    return read(fd, &octet, 1) == 1;
}

/* ---- never twice in a process ---- */

/* Opens by another path, which must be refused while the fixture's cache is open. */
static enum rb_error open_also(const struct fixture *f, const char *path, bool read_only,
                               struct fixture *other)
{
    *other = (struct fixture){.clock = f->clock};
    assert_in_range(snprintf(other->store, sizeof other->store, "lmdb:%s", path), 6,
                    sizeof other->store - 1);
    return open_with(other, AMPLE, read_only);
}

static void a_store_is_opened_once_in_a_process_by_whatever_path(void **state)
{
    struct fixture *f = *state;
    struct fixture other;
    char link_path[96], dots[96], expected[160];
    (void)snprintf(link_path, sizeof link_path, "%s/link", f->folder);
    (void)snprintf(dots, sizeof dots, "%s/../%s/c", f->folder, strrchr(f->folder, '/') + 1);
    assert_int_equal(symlink("c", link_path), 0);
    const char *const paths[] = {f->path, dots, link_path};
    for (size_t i = 0; i < 2 * COUNT(paths); i++) {
        const char *path = paths[i / 2];
        (void)snprintf(expected, sizeof expected, "%s: is open already in this process", path);
        errno = 0;
        assert_int_equal(open_also(f, path, i % 2 == 1, &other), RB_ERR_STORE);
        assert_int_equal(errno, EBUSY);
        assert_string_equal(other.detail, expected);
        assert_null(other.cache);
    }
    assert_true(put_number(f->cache, "still", 1)); /* it has taken no harm */
    cache_flush(f->cache);
    assert_true(has_number(f->cache, "still", 1));
    for (size_t i = 0; i < COUNT(paths); i++) {
        close_cache(f);
        assert_int_equal(open_also(f, paths[i], false, &other), RB_OK);
        f->cache = other.cache;
    }
    assert_int_equal(unlink(link_path), 0);
}

static void two_stores_are_open_beside_each_other(void **state)
{
    struct fixture *f = *state;
    struct fixture other;
    char path[96];
    (void)snprintf(path, sizeof path, "%s/other", f->folder);
    assert_int_equal(open_also(f, path, false, &other), RB_OK);
    close_cache(&other);
    remove_files(path);
}

/* What cannot be opened is not held on to. */
static void an_open_that_fails_leaves_the_store_free(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->path, 0755), 0);
    assert_int_equal(open_with(f, AMPLE, true), RB_ERR_STORE);
    assert_int_equal(errno, ENOENT);
    open_cache(f, AMPLE);
}

static void a_child_may_open_what_its_parent_has_open(void **state)
{
    struct fixture *f = *state;
    struct fixture own;
    const pid_t pid = fork_child();
    if (pid == 0) { /* read only: a child of many threads may start none under ThreadSanitizer */
        if (open_also(f, f->path, true, &own) != RB_OK)
            _exit(1);
        if (open_also(f, f->path, true, &own) != RB_ERR_STORE)
            _exit(2);
        _exit(0);
    }
    assert_child_succeeds(pid);
}

/* Of many that open it at once, one does. */
struct opener {
    pthread_t thread;
    pthread_barrier_t *start;
    const struct fixture *f;
    struct fixture own;
    enum rb_error error;
};

static void *opener_run(void *arg)
{
    struct opener *opener = arg;
    pthread_barrier_wait(opener->start);
    opener->error = open_also(opener->f, opener->f->path, false, &opener->own);
    return NULL;
}

static void one_of_many_threads_opens_the_store(void **state)
{
    const struct fixture *f = *state;
    static struct opener openers[THREADS];
    pthread_barrier_t start;
    unsigned opened = 0;
    assert_int_equal(mkdir(f->path, 0755), 0);
    assert_int_equal(pthread_barrier_init(&start, NULL, COUNT(openers)), 0);
    for (size_t i = 0; i < COUNT(openers); i++) {
        openers[i] = (struct opener){.start = &start, .f = f};
        assert_int_equal(pthread_create(&openers[i].thread, NULL, opener_run, &openers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(openers); i++) {
        assert_int_equal(pthread_join(openers[i].thread, NULL), 0);
        assert_true(openers[i].error == RB_OK || openers[i].error == RB_ERR_STORE);
        opened += openers[i].error == RB_OK;
    }
    assert_int_equal(opened, 1);
    for (size_t i = 0; i < COUNT(openers); i++)
        cache_close(openers[i].own.cache);
    assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static void no_rights_are_reported_with_path_and_cause(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) {
        print_message("# skipped: needs root\n");
        skip();
    }
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(chmod(f->folder, 0755), 0);
    const pid_t pid = fork_child();
    if (pid == 0) {
        char expected[128];
        (void)snprintf(expected, sizeof expected, "%s: Permission denied", f->path);
        if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
            _exit(1);
        if (open_with(f, AMPLE, false) != RB_ERR_STORE || errno != EACCES)
            _exit(2);
        _exit(strcmp(f->detail, expected) == 0 ? 0 : 3);
    }
    assert_child_succeeds(pid);
}

static void files_made_by_root_are_the_folders_owners(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    if (geteuid() != 0) {
        print_message("# skipped: needs root\n");
        skip();
    }
    assert_int_equal(chown(f->folder, NOBODY, NOBODY), 0);
    open_cache(f, AMPLE); /* makes the folder too */
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        struct stat found;
        file_path(f, names[i], path, sizeof path);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_uid, NOBODY);
        assert_int_equal(found.st_gid, NOBODY);
    }
}

/* Child: writes records under a name of its own, then goes. */
static int write_many(struct fixture *f, const char *who, unsigned records)
{
    if (open_with(f, AMPLE, false) != RB_OK)
        return 1;
    for (unsigned i = 0; i < records; i++) {
        if (!put_number(f->cache, who, i))
            return 2;
        if (i % 50 == 0)
            cache_flush(f->cache);
    }
    cache_close(f->cache);
    return 0;
}

static void processes_share_one_store(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"one", "two", "three"};
    enum { RECORDS = 500 };
    pid_t pids[COUNT(names)];
    for (size_t i = 0; i < COUNT(names); i++) {
        pids[i] = fork_child();
        if (pids[i] == 0)
            _exit(write_many(f, names[i], RECORDS));
    }
    open_cache(f, AMPLE);
    for (unsigned i = 0; i < RECORDS; i++)
        assert_true(put_number(f->cache, "mine", i));
    for (size_t i = 0; i < COUNT(names); i++)
        assert_child_succeeds(pids[i]);
    cache_flush(f->cache);
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_true(has_number(f->cache, "mine", i));
        for (size_t j = 0; j < COUNT(names); j++)
            assert_true(has_number(f->cache, names[j], i));
    }
    assert_int_equal(stats_of(f->cache).dropped, 0);
}

/* Child: claims all it can, as another daemon of the same name. Returns how many. */
static int claim_all(struct fixture *f, unsigned count)
{
    int taken = 0;
    if (open_with(f, AMPLE, false) != RB_OK)
        return 255;
    for (unsigned i = 0; i < count; i++) {
        struct retry_claim claim = {.until_s = NOW + HOUR};
        number_key(claim.key, "r", i);
        if (cache_claim_retries(f->cache, &claim, 1, ME, NOW) != RB_OK || !claim.found)
            return 255;
        taken += claim.taken;
    }
    cache_close(f->cache);
    return taken;
}

static void of_two_daemons_one_gets_each_retry(void **state)
{
    struct fixture *f = *state;
    enum { RETRIES = 100 };
    pid_t pids[2];
    int status, taken = 0;
    open_cache(f, AMPLE);
    for (unsigned i = 0; i < RETRIES; i++) {
        char key[CACHE_KEY_MAX + 1];
        number_key(key, "r", i);
        assert_int_equal(put_retry(f->cache, key, NOW), RB_OK);
    }
    close_cache(f);
    for (size_t i = 0; i < COUNT(pids); i++) {
        pids[i] = fork_child();
        if (pids[i] == 0)
            _exit(claim_all(f, RETRIES));
    }
    for (size_t i = 0; i < COUNT(pids); i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        taken += WEXITSTATUS(status);
    }
    assert_int_equal(taken, RETRIES);
}

/* Child: fills far more than its parent's map holds. */
static int outgrow(struct fixture *f, const struct link *link)
{
    if (!hear(link->to_child[0]) || open_with(f, AMPLE, false) != RB_OK)
        return 1;
    for (unsigned i = 0; i < 8000; i++) {
        if (!put_big(f->cache, i, NOW))
            return 2;
    }
    cache_flush(f->cache);
    if (!tell(link->to_parent[1]) || !hear(link->to_child[0]))
        return 3;
    const bool seen = has_number(f->cache, "parents", 1);
    cache_close(f->cache);
    return seen ? 0 : 4;
}

static void store_grown_by_another_process_is_mapped_anew(void **state)
{
    struct fixture *f = *state;
    struct link link;
    open_link(&link);
    const pid_t pid = fork_child();
    if (pid == 0)
        _exit(outgrow(f, &link));
    open_cache(f, SMALL);
    assert_true(put_number(f->cache, "parents", 0));
    cache_flush(f->cache);
    assert_true(has_number(f->cache, "parents", 0)); /* leaves a read transaction in the pool */
    assert_true(tell(link.to_child[1]));
    assert_true(hear(link.to_parent[0]));
    assert_true(has_number(f->cache, "big", 7999));
    assert_true(put_number(f->cache, "parents", 1));
    cache_flush(f->cache);
    assert_int_equal(stats_of(f->cache).dropped, 0);
    assert_true(tell(link.to_child[1]));
    assert_child_succeeds(pid);
    close_link(&link);
}

static bool stop_in_sweep(enum cache_table table, struct octets key, struct octets value, void *arg)
{
    const struct link *link = arg;
    (void)table;
    (void)key;
    (void)value;
    (void)(tell(link->to_parent[1]) && hear(link->to_child[0]));
    return false;
}

/* Child: sits in a write transaction until told to go on, so that nobody else can commit. */
static int hold_the_store(const struct fixture *f, struct link *link)
{
    uint64_t swept;
    bool wrapped, full;
    const struct store_ops *ops;
    struct store *store;
    const struct store_write write = {.table = CACHE_HOST, .key = {"held", 4}, .value = {"v", 1}};
    if (cache_lmdb_open(f->path, AMPLE, false, false, &ops, &store, NULL, 0) != RB_OK ||
        ops->write(store, &write, 1, &full) != RB_OK ||
        ops->sweep(store, CACHE_HOST, 1, stop_in_sweep, link, &swept, &wrapped) != RB_OK)
        return 1;
    ops->close(store);
    return 0;
}

static void full_queue_drops_and_counts_and_never_waits(void **state)
{
    struct fixture *f = *state;
    enum { TOO_MANY = 10 };
    struct link link;
    open_link(&link);
    fill(f, 1);
    const pid_t pid = fork_child();
    if (pid == 0)
        _exit(hold_the_store(f, &link));
    open_cache(f, AMPLE);
    assert_true(hear(link.to_parent[0]));
    unsigned refused = 0;
    for (unsigned i = 0; i < CACHE_QUEUE_MAX + TOO_MANY; i++)
        refused += !put_number(f->cache, "q", i);
    assert_int_equal(refused, TOO_MANY);
    assert_true(put_number(f->cache, "q", 5)); /* what waits already may be put again */
    assert_true(has_number(f->cache, "q", 7));
    assert_int_equal(stats_of(f->cache).dropped, TOO_MANY);
    assert_true(tell(link.to_child[1]));
    assert_child_succeeds(pid);
    cache_flush(f->cache);
    assert_int_equal(stats_of(f->cache).addresses, CACHE_QUEUE_MAX + 1);
    close_link(&link);
}

/* What waits is merged before it comes to the store; that must not make one denial of two. */
static void denials_that_wait_for_the_writer_are_two(void **state)
{
    struct fixture *f = *state;
    struct address_record record;
    struct link link;
    open_link(&link);
    open_cache(f, AMPLE);
    assert_int_equal(put_reason(f->cache, "suser@d", RB_REASON_ACCEPTED, NOW - 10 * DAY), RB_OK);
    close_cache(f);
    const pid_t pid = fork_child();
    if (pid == 0)
        _exit(hold_the_store(f, &link));
    open_cache(f, AMPLE);
    assert_true(hear(link.to_parent[0]));
    assert_int_equal(put_reason(f->cache, "suser@d", RB_REASON_NO_SUCH_USER, NOW - 3600), RB_OK);
    assert_int_equal(put_reason(f->cache, "suser@d", RB_REASON_NO_SUCH_USER, NOW), RB_OK);
    assert_int_equal(cache_get_address(f->cache, "suser@d", &record), RB_OK);
    assert_int_equal(record.reason, RB_REASON_NO_SUCH_USER);
    assert_true(tell(link.to_child[1]));
    assert_child_succeeds(pid);
    cache_flush(f->cache);
    assert_int_equal(cache_get_address(f->cache, "suser@d", &record), RB_OK);
    assert_int_equal(record.reason, RB_REASON_NO_SUCH_USER);
    close_link(&link);
}

/* Child: as on a disk that is full. */
static int write_without_room(struct fixture *f)
{
    const struct rlimit limit = {.rlim_cur = 64 << 10, .rlim_max = 64 << 10};
    (void)signal(SIGXFSZ, SIG_IGN);
    if (open_with(f, AMPLE, false) != RB_OK || !put_number(f->cache, "early", 1))
        return 1;
    cache_flush(f->cache);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    for (unsigned i = 0; i < 2000; i++) {
        if (!put_big(f->cache, i, NOW))
            return 3;
    }
    cache_flush(f->cache);
    struct cache_stats stats;
    if (cache_get_stats(f->cache, &stats) != RB_OK || stats.dropped == 0)
        return 4;
    if (!has_number(f->cache, "early", 1))
        return 5;
    cache_close(f->cache);
    return 0;
}

static void full_disk_drops_writes_and_keeps_what_is_there(void **state)
{
    struct fixture *f = *state;
    const pid_t pid = fork_child();
    if (pid == 0)
        _exit(write_without_room(f));
    assert_child_succeeds(pid);
    open_cache(f, AMPLE);
    assert_true(has_number(f->cache, "early", 1));
}

/* Child: writes, reads and deletes until it is killed, and says so after every few records. */
static void write_until_killed(struct fixture *f, int out, unsigned round)
{
    char who[16];
    (void)snprintf(who, sizeof who, "r%u.", round);
    if (open_with(f, SMALL, false) != RB_OK || f->detail[0] != '\0')
        _exit(1);
    for (unsigned i = 0;; i++) {
        char key[CACHE_KEY_MAX + 1];
        number_key(key, who, i / 2);
        (void)put_big(f->cache, i, NOW + i);
        (void)put_number(f->cache, who, i);
        (void)has_number(f->cache, who, i / 3);
        if (i % 16 == 0)
            (void)cache_delete(f->cache, CACHE_ADDRESS, key);
        if (i % 8 == 0)
            cache_flush(f->cache);
        if (i % 4 == 0 && !tell(out))
            _exit(2);
    }
}

static bool count_readable(const struct cache_entry *entry, void *arg)
{
    unsigned *count = arg;
    *count += entry->address_record->stamp_s >= NOW;
    return true;
}

static void killed_writer_leaves_a_readable_cache(void **state)
{
    struct fixture *f = *state;
    const unsigned seed = (unsigned)time(NULL);
    print_message("# seed %u\n", seed);
    srandom(seed);
    for (unsigned round = 0; round < CRASH_ROUNDS; round++) {
        int out[2], status;
        assert_int_equal(pipe(out), 0);
        const pid_t pid = fork_child();
        if (pid == 0)
            write_until_killed(f, out[1], round);
        close(out[1]);
        const long steps = 1 + random() % 100;
        for (long i = 0; i < steps; i++)
            assert_true(hear(out[0]));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(out[0]);

        unsigned readable = 0;
        open_cache(f, SMALL); /* and nothing was found damaged */
        assert_int_equal(cache_walk(f->cache, CACHE_ADDRESS, count_readable, &readable), RB_OK);
        assert_int_equal(stats_of(f->cache).damaged, 0);
        assert_int_equal(stats_of(f->cache).addresses, readable);
        assert_true(put_number(f->cache, "after", round));
        close_cache(f);
    }
    open_cache(f, SMALL);
    assert_true(has_number(f->cache, "after", CRASH_ROUNDS - 1));
}

/* ---- threads ---- */

struct crowd {
    struct cache *cache;
    atomic_uint put; /* records below this number have been put and must be found */
    atomic_bool stop;
    atomic_uint gaps, reads;
};

static void *read_all_the_time(void *arg)
{
    struct crowd *crowd = arg;
    unsigned number = 0;
    do {
        const unsigned put = atomic_load(&crowd->put);
        if (put > 0) {
            number = (number + 7) % put;
            if (!has_number(crowd->cache, "t", number))
                atomic_fetch_add(&crowd->gaps, 1);
            if (!has_number(crowd->cache, "t", put - 1)) /* the one most likely to be on its way */
                atomic_fetch_add(&crowd->gaps, 1);
            atomic_fetch_add(&crowd->reads, 2);
        }
    } while (!atomic_load(&crowd->stop));
    return NULL;
}

static void readers_never_see_a_gap_while_writes_commit(void **state)
{
    struct fixture *f = *state;
    enum { RECORDS = 3000 };
    struct crowd crowd = {.cache = f->cache};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &crowd), 0);
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_true(put_number(f->cache, "t", i));
        atomic_store(&crowd.put, i + 1);
        if (i % 3 == 0)
            assert_true(put_number(f->cache, "t", i / 2)); /* again, perhaps while in flight */
        if (i % 100 == 0)
            cache_flush(f->cache);
    }
    cache_flush(f->cache);
    atomic_store(&crowd.stop, true);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.gaps), 0);
    assert_int_equal(stats_of(f->cache).addresses, RECORDS);
}

static void *put_and_delete(void *arg)
{
    struct crowd *crowd = arg;
    char who[16];
    (void)snprintf(who, sizeof who, "d%u.", atomic_fetch_add(&crowd->put, 1));
    for (unsigned i = 0; i < 300; i++) {
        char key[CACHE_KEY_MAX + 1];
        number_key(key, who, i % 10);
        if (put_reason(crowd->cache, key, RB_REASON_ACCEPTED, NOW) != RB_OK ||
            reason_of(crowd->cache, key) != RB_REASON_ACCEPTED)
            atomic_fetch_add(&crowd->gaps, 1);
        if (i % 5 == 0 && (cache_delete(crowd->cache, CACHE_ADDRESS, key) != RB_OK ||
                           reason_of(crowd->cache, key) != RB_REASON_NONE))
            atomic_fetch_add(&crowd->gaps, 1);
    }
    return NULL;
}

static void threads_put_delete_and_see_their_own_doing(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd = {.cache = f->cache};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_delete, &crowd), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&crowd.gaps), 0);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define CLOSED(test) cmocka_unit_test_setup_teardown(test, set_up_closed, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(put_is_seen_at_once_and_after_commit),
        FRESH(what_was_put_outlives_the_process_uncalled_for),
        FRESH(what_was_never_put_is_not_found),
        FRESH(same_key_in_each_table_is_another_record),
        FRESH(keys_that_do_not_fit_are_refused_not_cut),
        FRESH(what_is_about_us_is_never_kept),
        FRESH(unknown_never_replaces_live_knowledge),
        FRESH(unknown_replaces_what_has_expired),
        FRESH(new_lifetimes_rule_old_records),
        FRESH(stamp_of_a_wrong_clock_does_not_win_for_ever),
        FRESH(reading_does_not_lengthen_life),
        FRESH(facts_of_two_callouts_come_together),
        FRESH(host_record_is_replaced),
        FRESH(last_of_quick_puts_stands),
        FRESH(deleted_record_does_not_come_back),
        FRESH(purge_removes_all_of_all_kinds),
        FRESH(purge_of_expired_leaves_the_living),
        FRESH(walk_shows_each_record_once_in_key_order),
        FRESH(walk_ends_when_told),
        FRESH(records_may_be_deleted_while_walking),
        FRESH(walk_takes_keys_apart),
        FRESH(walk_shows_domains_and_hosts),
        FRESH(walk_of_an_address_shows_all_its_keys_and_no_others),
        FRESH(walk_of_an_address_ends_when_told),
        CLOSED(walk_of_an_address_steps_over_foreign_keys),
        FRESH(walk_of_a_domain_or_host_shows_its_relays_too),
        FRESH(onetime_is_seen_at_once_and_after_reopening),
        FRESH(onetime_counts_of_two_processes_come_together),
        FRESH(onetime_that_cannot_be_is_not_written),
        FRESH(walk_shows_onetimes),
        FRESH(onetime_is_swept_when_it_tells_nothing_any_more),
        FRESH(purge_takes_onetimes_too),
        FRESH(a_hosts_verbs_are_kept_as_others_are),
        FRESH(correspondent_is_kept_under_a_key_of_its_own_alone),
        FRESH(correspondent_goes_when_its_time_is_over),
        FRESH(record_takes_less_than_240_octets),
        FRESH(expired_records_are_swept_by_and_by),
        FRESH(retry_is_seen_at_once_and_after_reopening),
        FRESH(dropped_retry_is_gone_at_once_and_for_good),
        FRESH(retry_is_claimed_once_and_by_its_owner_first),
        FRESH(claim_of_what_is_not_there_or_changes_takes_nothing),
        FRESH(claims_are_made_many_at_a_time),
        FRESH(walk_shows_retries),
        FRESH(retry_is_swept_only_when_nobody_has_asked_for_long),
        FRESH(retry_that_cannot_be_is_not_written),
        CLOSED(older_store_opens_and_gets_the_table),
        CLOSED(of_two_daemons_one_gets_each_retry),
        FRESH(record_from_the_far_future_is_swept),
        CLOSED(full_store_lets_the_oldest_go),
        CLOSED(full_store_of_records_of_one_age_does_not_lose_all),
        CLOSED(full_store_lets_expired_ones_go_first),
        CLOSED(full_store_can_be_purged),
        CLOSED(damaged_value_is_a_counted_miss),
        CLOSED(damaged_value_can_be_written_over),
        CLOSED(damaged_values_and_foreign_keys_are_left_out_of_walks_and_swept),
        CLOSED(garbage_for_a_store_is_moved_aside),
        CLOSED(store_of_another_version_is_moved_aside),
        CLOSED(store_cut_off_is_moved_aside),
        CLOSED(store_with_zeroed_pages_is_moved_aside),
        CLOSED(emptied_store_is_simply_begun),
        CLOSED(store_that_shrank_while_it_grew_is_not_taken_for_damaged),
        CLOSED(damaged_store_is_not_touched_by_a_reader),
        CLOSED(store_that_is_a_link_is_refused),
        CLOSED(missing_folder_is_made_with_tight_rights),
        CLOSED(folder_below_a_missing_one_is_not_made),
        CLOSED(file_in_place_of_the_folder_is_reported),
        CLOSED(store_names_that_are_none_are_refused),
        CLOSED(reader_without_a_store_is_told_so),
        CLOSED(reader_reads_and_changes_nothing),
        FRESH(a_store_is_opened_once_in_a_process_by_whatever_path),
        FRESH(two_stores_are_open_beside_each_other),
        CLOSED(an_open_that_fails_leaves_the_store_free),
        FRESH(a_child_may_open_what_its_parent_has_open),
        CLOSED(one_of_many_threads_opens_the_store),
        CLOSED(no_rights_are_reported_with_path_and_cause),
        CLOSED(files_made_by_root_are_the_folders_owners),
        CLOSED(processes_share_one_store),
        CLOSED(store_grown_by_another_process_is_mapped_anew),
        CLOSED(full_queue_drops_and_counts_and_never_waits),
        CLOSED(denials_that_wait_for_the_writer_are_two),
        CLOSED(full_disk_drops_writes_and_keeps_what_is_there),
        CLOSED(killed_writer_leaves_a_readable_cache),
        FRESH(readers_never_see_a_gap_while_writes_commit),
        FRESH(threads_put_delete_and_see_their_own_doing),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
