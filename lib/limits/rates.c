/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates: token buckets; see rates.h. Knows neither clock nor lock, nor what a key stands for.
 *
 * What a bucket lacks is counted in parts of a token of which a token has period_ms and a
 * millisecond brings `count`: both are whole numbers, so nothing is ever rounded. The ceilings on
 * count and period keep all sums below 2^63.
 */
#include "config.h"

#include "limits/rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/ip.h"
#include "base/text.h"

struct bucket {
    uint64_t missing;    /* parts; 0: full, count * period_ms: empty */
    struct rb_rate rate; /* of the last take, within the ceilings */
    int64_t stamp_ms;    /* when `missing` was true */
    struct bucket *prev, *next;
    UT_hash_handle hh;
    char key[];
};

struct rates {
    struct bucket *table;
    struct bucket *oldest; /* list by last take */
    struct bucket *hand;   /* drop_some_full goes on here; NULL: at the oldest */
    size_t buckets_max;
    int64_t latest_ms; /* the latest now_ms of a take */
};

static struct rb_rate within_ceilings(const struct rb_rate *rate)
{
    struct rb_rate safe = *rate;

    if (safe.count > RATES_COUNT_MAX)
        safe.count = RATES_COUNT_MAX;
    if (safe.period_s > RATES_PERIOD_MAX_S)
        safe.period_s = RATES_PERIOD_MAX_S;
    if (safe.period_s == 0)
        safe.period_s = 1;
    return safe;
}

static uint64_t period_ms(const struct rb_rate *rate)
{
    return (uint64_t)rate->period_s * 1000;
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* By way of the time until it is full: whole milliseconds fit where the product of two bucket
 * sizes would not. */
static uint64_t rescale(uint64_t missing, const struct rb_rate *from, const struct rb_rate *to)
{
    const uint64_t full_in_ms = divide_up(missing, from->count);

    return divide_up(full_in_ms * period_ms(to), period_ms(from)) * to->count;
}

/* What the bucket would lack at now_ms if `rate` were its rate from now on. */
static uint64_t missing_at(const struct bucket *bucket, const struct rb_rate *rate, int64_t now_ms)
{
    const struct rb_rate *had = &bucket->rate;
    uint64_t missing = bucket->missing;

    if (now_ms > bucket->stamp_ms) {
        /* Unsigned, for no clock can make it overflow. */
        const uint64_t elapsed_ms = (uint64_t)now_ms - (uint64_t)bucket->stamp_ms;
        if (elapsed_ms >= divide_up(missing, had->count))
            return 0;
        missing -= elapsed_ms * had->count;
    }
    if (had->count == rate->count && had->period_s == rate->period_s)
        return missing;
    return rescale(missing, had, rate);
}

static bool has_token(uint64_t missing, const struct rb_rate *rate)
{
    return missing <= (rate->count - 1) * period_ms(rate);
}

static int64_t latest(const struct rates *rates, int64_t now_ms)
{
    return now_ms > rates->latest_ms ? now_ms : rates->latest_ms;
}

static struct bucket *find_bucket(const struct rates *rates, const char *key)
{
    struct bucket *bucket;

    HASH_FIND_STR(rates->table, key, bucket);
    return bucket;
}

static void unlink_bucket(struct rates *rates, struct bucket *bucket)
{
    if (rates->hand == bucket)
        rates->hand = bucket->next;
    DL_DELETE(rates->oldest, bucket);
}

static void drop_bucket(struct rates *rates, struct bucket *bucket)
{
    unlink_bucket(rates, bucket);
    HASH_DEL(rates->table, bucket);
    free(bucket);
}

/* Not only at the old end: one slow bucket there would hide all the full ones behind it. */
static void drop_some_full(struct rates *rates, int64_t now_ms)
{
    for (unsigned steps = RATES_SWEEP_STEPS; steps > 0; steps--) {
        struct bucket *bucket = rates->hand != NULL ? rates->hand : rates->oldest;

        if (bucket == NULL)
            return;
        rates->hand = bucket->next;
        if (missing_at(bucket, &bucket->rate, now_ms) == 0)
            drop_bucket(rates, bucket);
    }
}

static struct bucket *add_bucket(struct rates *rates, const char *key, size_t key_len)
{
    struct bucket *bucket = calloc(1, sizeof *bucket + key_len + 1);

    if (bucket == NULL)
        return NULL;
    memcpy(bucket->key, key, key_len + 1);
    HASH_ADD_KEYPTR(hh, rates->table, bucket->key, key_len, bucket);
    if (bucket->hh.tbl == NULL) {
        free(bucket);
        return NULL;
    }
    DL_APPEND(rates->oldest, bucket);
    return bucket;
}

static struct bucket *add_in_bounds(struct rates *rates, const char *key, size_t key_len)
{
    drop_some_full(rates, rates->latest_ms);
    if (HASH_COUNT(rates->table) >= rates->buckets_max)
        drop_bucket(rates, rates->oldest);
    return add_bucket(rates, key, key_len);
}

struct rates *rates_new(size_t buckets_max)
{
    struct rates *rates = buckets_max > 0 ? calloc(1, sizeof *rates) : NULL;

    if (rates == NULL)
        return NULL;
    *rates = (struct rates){.buckets_max = buckets_max, .latest_ms = INT64_MIN};
    return rates;
}

void rates_free(struct rates *rates)
{
    if (rates == NULL)
        return;
    while (rates->oldest != NULL)
        drop_bucket(rates, rates->oldest);
    free(rates);
}

bool rates_allow(const struct rates *rates, const char *key, const struct rb_rate *rate,
                 int64_t now_ms)
{
    const struct rb_rate wanted = within_ceilings(rate);

    if (wanted.count == 0)
        return true;
    if (strnlen(key, RATES_KEY_MAX + 1) > RATES_KEY_MAX)
        return false;
    const struct bucket *bucket = find_bucket(rates, key);
    return bucket == NULL || has_token(missing_at(bucket, &wanted, latest(rates, now_ms)), &wanted);
}

enum rb_error rates_take(struct rates *rates, const char *key, const struct rb_rate *rate,
                         int64_t now_ms)
{
    const struct rb_rate wanted = within_ceilings(rate);
    const size_t key_len = strnlen(key, RATES_KEY_MAX + 1);
    uint64_t missing = 0;

    if (wanted.count == 0)
        return RB_OK;
    if (key_len > RATES_KEY_MAX)
        return RB_ERR_TOO_LONG;
    rates->latest_ms = latest(rates, now_ms);
    struct bucket *bucket = find_bucket(rates, key);
    if (bucket != NULL) {
        missing = missing_at(bucket, &wanted, rates->latest_ms);
        unlink_bucket(rates, bucket);
        DL_APPEND(rates->oldest, bucket);
    } else if ((bucket = add_in_bounds(rates, key, key_len)) == NULL) {
        return RB_ERR_NOMEM;
    }
    bucket->missing = has_token(missing, &wanted) ? missing + period_ms(&wanted) : missing;
    bucket->rate = wanted;
    bucket->stamp_ms = rates->latest_ms;
    return RB_OK;
}

size_t rates_count(const struct rates *rates)
{
    return HASH_COUNT(rates->table);
}

static int64_t wait_for_token_ms(uint64_t missing, const struct rb_rate *rate)
{
    const uint64_t enough = (rate->count - 1) * period_ms(rate);

    return missing > enough ? (int64_t)divide_up(missing - enough, rate->count) : 0;
}

size_t rates_list_limited(const struct rates *rates, int64_t now_ms, struct rates_limited *list,
                          size_t size)
{
    const struct bucket *bucket = rates->oldest != NULL ? rates->oldest->prev : NULL;
    const int64_t at_ms = latest(rates, now_ms);
    size_t count = 0;

    for (size_t steps = 0; bucket != NULL && steps < RATES_LIST_STEPS_MAX; steps++) {
        const int64_t wait_ms =
            wait_for_token_ms(missing_at(bucket, &bucket->rate, at_ms), &bucket->rate);

        if (wait_ms > 0 && count < size) {
            list[count].wait_ms = wait_ms;
            (void)text_copy(list[count].key, sizeof list[count].key, bucket->key);
        }
        count += wait_ms > 0;
        /* utlist: the oldest's prev is the newest. */
        bucket = bucket != rates->oldest ? bucket->prev : NULL;
    }
    return count;
}

void rates_client_key(const struct sockaddr *client, char *key, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    struct ip ip;

    if (size == 0)
        return;
    key[0] = '\0';
    if (!ip_from_sockaddr(client, &ip))
        return;
    const bool is_v4 = ip_is_v4(&ip);
    if (!is_v4)
        memset(ip.octets + 8, 0, 8);
    ip_text(&ip, text);
    const int len = snprintf(key, size, "%s%s", text, is_v4 ? "" : "/64");
    if (len < 0 || (size_t)len >= size)
        key[0] = '\0';
}
