/* SPDX-License-Identifier: BSD-2-Clause */
/* hash: see the header. SipHash with one round for each eight octets and three at the end. */
#include "config.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static pthread_once_t keyed = PTHREAD_ONCE_INIT;
static uint64_t secret[2];

static void make_key(void)
{
    struct timespec now;

    if (random_octets(secret, sizeof secret))
        return;
    /* The time and our addresses are worse than random octets, but better than a known key. */
    (void)clock_gettime(CLOCK_REALTIME, &now);
    secret[0] = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid();
    secret[1] = (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&now;
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void round_once(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void mix_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    s->v0 ^= word;
}

unsigned hash_octets(const void *octets, size_t len)
{
    const uint8_t *at = octets;
    uint64_t word, last = (uint64_t)len << 56, result;
    struct sip s;

    (void)pthread_once(&keyed, make_key);
    s = (struct sip){
        .v0 = secret[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = secret[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = secret[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = secret[1] ^ UINT64_C(0x7465646279746573),
    };
    for (; len >= sizeof word; len -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        mix_word(&s, word);
    }
    for (size_t i = 0; i < len; i++)
        last |= (uint64_t)at[i] << (8 * i);
    mix_word(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        round_once(&s);
    result = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return (unsigned)(result ^ result >> 32);
}
