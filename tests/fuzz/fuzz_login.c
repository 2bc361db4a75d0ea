/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authorization of HTTP requests: what is taken is the very login that base64 says, without control
 * characters, and nothing is left of what is not. Input: the field; and, made of the input, a pair.
 */
#include "config.h"

#include "fuzz.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "http/login.h"

const char fuzz_name[] = "login";

static bool is_clean(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c < ' ' || *c == 0x7F)
            return false;
    return true;
}

static void check_field(const char *field)
{
    struct login login;

    if (!login_read(field, &login)) {
        for (size_t i = 0; i < sizeof login; i++)
            HOLDS(((const char *)&login)[i] == '\0');
        return;
    }
    HOLDS(strlen(field) > strlen("Basic "));
    HOLDS(memchr(login.user, '\0', sizeof login.user) != NULL);
    HOLDS(memchr(login.password, '\0', sizeof login.password) != NULL);
    HOLDS(strchr(login.user, ':') == NULL);
    HOLDS(is_clean(login.user) && is_clean(login.password));
}

/* A pair as a browser would send it comes back as it was, or not at all. */
static void check_pair(const char *pair, size_t size)
{
    char *field = malloc(sizeof "Basic " + (size + 2) / 3 * 4 + 1);
    struct login login;

    HOLDS(field != NULL);
    memcpy(field, "Basic ", sizeof "Basic ");
    (void)EVP_EncodeBlock((unsigned char *)field + strlen(field), (const unsigned char *)pair,
                          (int)size);
    if (login_read(field, &login)) {
        const size_t user_len = strlen(login.user);

        HOLDS(user_len + 1 + strlen(login.password) == size);
        HOLDS(memcmp(pair, login.user, user_len) == 0 && pair[user_len] == ':');
        HOLDS(memcmp(pair + user_len + 1, login.password, size - user_len - 1) == 0);
    } else {
        const char *colon = memchr(pair, ':', size);

        HOLDS(colon == NULL || !is_clean(pair) || strlen(pair) < size ||
              colon - pair > PASSWORDS_USER_MAX ||
              size - (size_t)(colon - pair) - 1 > LOGIN_PASSWORD_MAX);
    }
    free(field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    HOLDS(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_field(text);
    check_pair(text, size);
    free(text);
    return 0;
}
