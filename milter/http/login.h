/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login: HTTP's basic authentication (RFC 7617), by the hashes of http_password_file. A password
 * that was right is known from then on: crypt(3) takes a tenth of a second, and a page asks often.
 * Wrong ones are limited, for each address and in all: whoever guesses keeps the thread neither
 * from those who are known, nor for long from others.
 */
#ifndef RB_MILTER_HTTP_LOGIN_H
#define RB_MILTER_HTTP_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ip.h"
#include "config/passwords.h"

enum {
    LOGIN_PASSWORD_MAX = 255, /* octets; none that is longer is right */
    LOGIN_KNOWN_MAX = 32,     /* passwords that are known; the one not used for longest goes */
    LOGIN_ADDRESSES_MAX = 64, /* addresses whose wrong passwords are counted */
    LOGIN_ADDRESS_BURST = 5,  /* guesses of an address at once, */
    LOGIN_ADDRESS_MS = 5000,  /* and then one in so long */
    LOGIN_ALL_BURST = 20,
    LOGIN_ALL_MS = 500,
    LOGIN_DIGEST_SIZE = 32,
};

/* What a client says it is. */
struct login {
    char user[PASSWORDS_USER_MAX + 1], password[LOGIN_PASSWORD_MAX + 1];
};

/*
 * Reads the value of Authorization: "Basic" and base64 of "USER:PASSWORD". False: it is something
 * else, has octets that are neither UTF-8's nor printable, or is too long; then login is zeroed.
 * Pure. Input is hostile.
 */
bool login_read(const char *authorization, struct login *login) __attribute__((warn_unused_result));

/* So many at once, and then one in so long. */
struct login_bucket {
    int64_t since_ms; /* since then nothing was taken, when it counts as full */
};

/* Of one thread. To be zeroed but for the clock; login_memory_init. */
struct login_memory {
    const struct rb_clock *clock;
    uint8_t key[LOGIN_DIGEST_SIZE]; /* of the digests, by chance */
    struct {
        uint8_t digest[LOGIN_DIGEST_SIZE]; /* of user, password and hash */
        int64_t used_ms;                   /* 0: there is none */
    } known[LOGIN_KNOWN_MAX];
    struct {
        struct ip ip;
        struct login_bucket bucket;
        bool is_used;
    } addresses[LOGIN_ADDRESSES_MAX];
    struct login_bucket all;
};

/* False: no randomness can be had. */
bool login_memory_init(struct login_memory *memory, const struct rb_clock *clock)
    __attribute__((warn_unused_result));

enum login_verdict {
    LOGIN_RIGHT,
    LOGIN_WRONG,
    LOGIN_LIMITED, /* not looked at: too many were wrong lately */
};

/* Takes about a tenth of a second where the login is not known. ip: the client's. */
enum login_verdict login_check(struct login_memory *memory, const struct password_list *passwords,
                               const struct login *login, const struct ip *ip);

#endif
