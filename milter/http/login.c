/* SPDX-License-Identifier: BSD-2-Clause */
/* login: see login.h. Who the user is, and whether there is one of that name, takes no time that
 * could be measured: a name that is not there is held against somebody else's hash. */
#include "config.h"

#include "http/login.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* --- What a client says --------------------------------------------------- */

enum {
    PAIR_MAX = PASSWORDS_USER_MAX + 1 + LOGIN_PASSWORD_MAX,
    BASE64_MAX = (PAIR_MAX + 2) / 3 * 4,
    ROOM = BASE64_MAX / 4 * 3 + 1, /* EVP_DecodeBlock writes whole triples */
};

/* The octets that base64 of canonical form stands for (RFC 4648 4); 0: it is none, or empty. */
static size_t decode(const char *text, char pair[ROOM])
{
    const size_t len = strlen(text);
    size_t padding = 0;
    int written;

    if (len == 0 || len > BASE64_MAX || len % 4 != 0)
        return 0;
    while (padding < 2 && text[len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < len - padding; i++) /* EVP_DecodeBlock skips white space */
        if (!char_is_letter(text[i]) && !char_is_digit(text[i]) && !char_is_in(text[i], "+/"))
            return 0;
    written = EVP_DecodeBlock((unsigned char *)pair, (const unsigned char *)text, (int)len);
    return written > (int)padding ? (size_t)written - padding : 0;
}

static bool split(const char *pair, size_t len, struct login *login)
{
    const char *colon = memchr(pair, ':', len);

    return colon != NULL && text_is_clean(pair, len) &&
           text_copy_part(login->user, sizeof login->user, pair, (size_t)(colon - pair)) &&
           text_copy_part(login->password, sizeof login->password, colon + 1,
                          len - (size_t)(colon + 1 - pair));
}

bool login_read(const char *authorization, struct login *login)
{
    static const char scheme[] = "basic ";
    const char *text = authorization + sizeof scheme - 1;
    char pair[ROOM] = "";
    size_t len;
    bool fine;

    *login = (struct login){.user = ""};
    if (!text_same_letters(authorization, scheme, sizeof scheme - 1))
        return false;
    len = decode(text + strspn(text, " "), pair);
    fine = split(pair, len, login);
    OPENSSL_cleanse(pair, sizeof pair);
    if (!fine)
        *login = (struct login){.user = ""};
    return fine;
}

/* --- Wrong ones are limited ----------------------------------------------- */

bool login_memory_init(struct login_memory *memory, const struct rb_clock *clock)
{
    *memory = (struct login_memory){.clock = clock};
    return RAND_bytes(memory->key, sizeof memory->key) == 1;
}

static bool has_one(const struct login_bucket *bucket, int64_t now_ms, int64_t each_ms)
{
    return now_ms - bucket->since_ms >= each_ms;
}

static void take_one(struct login_bucket *bucket, int64_t now_ms, int64_t each_ms, int64_t burst)
{
    const int64_t full_ms = now_ms - burst * each_ms;

    if (bucket->since_ms < full_ms)
        bucket->since_ms = full_ms;
    bucket->since_ms += each_ms;
}

/* The bucket of an address: where it has none, that of the one that was heard of least lately. */
static struct login_bucket *bucket_of(struct login_memory *memory, const struct ip *ip,
                                      int64_t now_ms)
{
    size_t oldest = 0;

    for (size_t i = 0; i < LOGIN_ADDRESSES_MAX; i++) {
        if (memory->addresses[i].is_used && ip_is_same(&memory->addresses[i].ip, ip))
            return &memory->addresses[i].bucket;
        if (!memory->addresses[i].is_used ||
            (memory->addresses[oldest].is_used &&
             memory->addresses[i].bucket.since_ms < memory->addresses[oldest].bucket.since_ms))
            oldest = i;
    }
    memory->addresses[oldest].ip = *ip;
    memory->addresses[oldest].is_used = true;
    memory->addresses[oldest].bucket.since_ms =
        now_ms - (int64_t)LOGIN_ADDRESS_BURST * LOGIN_ADDRESS_MS;
    return &memory->addresses[oldest].bucket;
}

/* --- Right ones are known ------------------------------------------------- */

/* False: no memory. */
static bool make_digest(const struct login_memory *memory, const struct login *login,
                        const char *hash, uint8_t digest[LOGIN_DIGEST_SIZE])
{
    char text[PAIR_MAX + 2 + CRYPT_OUTPUT_SIZE];
    unsigned len = LOGIN_DIGEST_SIZE;
    size_t used = 0;
    bool fine;

    /* NUL, which none of them has, is between them. */
    memcpy(text, login->user, strlen(login->user) + 1);
    used = strlen(login->user) + 1;
    memcpy(text + used, login->password, strlen(login->password) + 1);
    used += strlen(login->password) + 1;
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): octets with a length */
    memcpy(text + used, hash, strlen(hash));
    used += strlen(hash);
    fine = HMAC(EVP_sha256(), memory->key, sizeof memory->key, (unsigned char *)text, used, digest,
                &len) != NULL;
    OPENSSL_cleanse(text, sizeof text);
    return fine;
}

static bool is_known(struct login_memory *memory, const uint8_t digest[LOGIN_DIGEST_SIZE])
{
    bool known = false;

    for (size_t i = 0; i < LOGIN_KNOWN_MAX; i++)
        if (memory->known[i].used_ms > 0 &&
            CRYPTO_memcmp(memory->known[i].digest, digest, LOGIN_DIGEST_SIZE) == 0) {
            memory->known[i].used_ms = clock_monotonic_ms(memory->clock) + 1;
            known = true;
        }
    return known;
}

static void keep(struct login_memory *memory, const uint8_t digest[LOGIN_DIGEST_SIZE])
{
    size_t oldest = 0;

    for (size_t i = 1; i < LOGIN_KNOWN_MAX; i++)
        if (memory->known[i].used_ms < memory->known[oldest].used_ms)
            oldest = i;
    memcpy(memory->known[oldest].digest, digest, LOGIN_DIGEST_SIZE);
    memory->known[oldest].used_ms = clock_monotonic_ms(memory->clock) + 1;
}

/* --- Together ------------------------------------------------------------- */

static bool matches(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 kB: more than a stack should bear */
    const char *made = NULL;
    bool same = false;

    if (data == NULL)
        return false;
    made = crypt_r(password, hash, data);
    if (made != NULL && made[0] != '*')
        same = strlen(made) == strlen(hash) && CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return same;
}

/* The user's hash; where there is no such user, another's, and *is_user is false. */
static const char *hash_of(const struct password_list *passwords, const char *user, bool *is_user)
{
    const char *hash = passwords->items[0].hash;

    *is_user = false;
    for (size_t i = 0; i < passwords->count; i++)
        if (strcmp(passwords->items[i].user, user) == 0) {
            hash = passwords->items[i].hash;
            *is_user = true;
        }
    return hash;
}

enum login_verdict login_check(struct login_memory *memory, const struct password_list *passwords,
                               const struct login *login, const struct ip *ip)
{
    const int64_t now_ms = clock_monotonic_ms(memory->clock);
    struct login_bucket *own = bucket_of(memory, ip, now_ms);
    uint8_t digest[LOGIN_DIGEST_SIZE];
    const char *hash;
    bool is_user;

    if (passwords->count == 0)
        return LOGIN_WRONG;
    hash = hash_of(passwords, login->user, &is_user);
    if (!make_digest(memory, login, hash, digest))
        return LOGIN_LIMITED;
    if (is_user && is_known(memory, digest))
        return LOGIN_RIGHT;
    if (!has_one(own, now_ms, LOGIN_ADDRESS_MS) || !has_one(&memory->all, now_ms, LOGIN_ALL_MS))
        return LOGIN_LIMITED;
    if (matches(login->password, hash) && is_user) {
        keep(memory, digest);
        return LOGIN_RIGHT;
    }
    take_one(own, now_ms, LOGIN_ADDRESS_MS, LOGIN_ADDRESS_BURST);
    take_one(&memory->all, now_ms, LOGIN_ALL_MS, LOGIN_ALL_BURST);
    return LOGIN_WRONG;
}
