/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPF records: what is made of one is short, plain, and of the simplest form, whatever it was and
 * whoever asks. Input: a record; behind a line feed, if there is one, the local part; behind a
 * second one the HELO name.
 */
#include "config.h"

#include "fuzz.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "spf_record.h"

const char fuzz_name[] = "spf";

enum { TEXT_MAX = 300 };

/* Nothing but what a directive of the simplest form may hold. */
static bool is_plain(const char *text)
{
    return strspn(text, " !\"#$&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`"
                        "abcdefghijklmnopqrstuvwxyz{|}~\\%") == strlen(text) &&
           strstr(text, "%{") == NULL;
}

static void check(const char *record, size_t len, const struct spf_macros *macros)
{
    static struct spf_plain plain, again;

    if (!spf_record_read(record, len, macros, &plain))
        return;
    HOLDS(spf_record_is_one(record, len));
    HOLDS(strlen(plain.text) <= SPF_PLAIN_MAX);
    HOLDS(strncmp(plain.text, "v=spf1", 6) == 0);
    HOLDS(is_plain(plain.text));
    HOLDS(plain.directives <= SPF_TERMS_MAX);
    HOLDS(macros->client_name == NULL || !plain.needs_client_name);
    HOLDS(spf_record_read(record, len, macros, &again) && strcmp(plain.text, again.text) == 0);
}

/* Copies the next line, cut at TEXT_MAX octets; what is left begins behind it. */
static const char *take_line(const char **at, const char *end, char text[TEXT_MAX + 1])
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = (size_t)((stop != NULL ? stop : end) - *at), kept = 0;

    for (size_t i = 0; i < len && kept < TEXT_MAX; i++)
        if ((*at)[i] != '\0')
            text[kept++] = (*at)[i];
    text[kept] = '\0';
    *at = stop != NULL ? stop + 1 : end;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    const char *stop = size > 0 ? memchr(at, '\n', size) : NULL;
    size_t len = stop != NULL ? (size_t)(stop - at) : size;
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000219)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char local[TEXT_MAX + 1], helo[TEXT_MAX + 1];
    struct spf_macros macros = {.sender_domain = "o.example", .domain = "d.example"};

    (void)inet_pton(AF_INET6, "2001:db8::25", &v6.sin6_addr);
    at = stop != NULL ? stop + 1 : end;
    macros.local = take_line(&at, end, local);
    macros.helo = take_line(&at, end, helo);
    for (int round = 0; round < 4; round++) {
        macros.client = round < 2 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
        macros.client_name = round % 2 == 0 ? NULL : "mail.example.net";
        check((const char *)data, len, &macros);
    }
    return 0;
}
