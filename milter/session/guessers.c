/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guessers: see guessers.h. Owns: two buckets for each client, one with the whole rate and one with
 * half of it. Lock: `lock`.
 */
#include "config.h"

#include "session/guessers.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "limits/rates.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rates *rates; /* lock; NULL: nobody has guessed yet */

struct keys {
    char whole[RATES_CLIENT_KEY_SIZE + 1], half[RATES_CLIENT_KEY_SIZE + 1];
    struct rb_rate half_rate;
};

/* False: the client is not known, or there is no limit. */
static bool make_keys(const struct sockaddr *client, const struct rb_rate *rate, struct keys *keys)
{
    char key[RATES_CLIENT_KEY_SIZE];

    rates_client_key(client, key, sizeof key);
    (void)snprintf(keys->whole, sizeof keys->whole, "w%s", key);
    (void)snprintf(keys->half, sizeof keys->half, "h%s", key);
    keys->half_rate = (struct rb_rate){(rate->count + 1) / 2, rate->period_s};
    return key[0] != '\0' && rate->count > 0;
}

enum guesser guessers_look(const struct sockaddr *client, const struct rb_rate *rate)
{
    int64_t now_ms = clock_monotonic_ms(clock_system());
    enum guesser guesser = GUESSER_NOT;
    struct keys keys = {.whole = ""};

    if (!make_keys(client, rate, &keys))
        return GUESSER_NOT;
    pthread_mutex_lock(&lock);
    if (rates != NULL && !rates_allow(rates, keys.whole, rate, now_ms))
        guesser = GUESSER_BARRED;
    else if (rates != NULL && !rates_allow(rates, keys.half, &keys.half_rate, now_ms))
        guesser = GUESSER_SLOWED;
    pthread_mutex_unlock(&lock);
    return guesser;
}

void guessers_note(const struct sockaddr *client, const struct rb_rate *rate)
{
    int64_t now_ms = clock_monotonic_ms(clock_system());
    struct keys keys = {.whole = ""};

    if (!make_keys(client, rate, &keys))
        return;
    pthread_mutex_lock(&lock);
    if (rates == NULL)
        rates = rates_new((size_t)2 * GUESSERS_MAX);
    if (rates != NULL) {
        (void)rates_take(rates, keys.whole, rate, now_ms);
        (void)rates_take(rates, keys.half, &keys.half_rate, now_ms);
    }
    pthread_mutex_unlock(&lock);
}

void guessers_forget(void)
{
    pthread_mutex_lock(&lock);
    rates_free(rates);
    rates = NULL;
    pthread_mutex_unlock(&lock);
}
