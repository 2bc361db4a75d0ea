/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses: what is read is written, read again as the same, and is canonical. Input: one octet
 * ("8": octets over 127 are allowed in the local part), then the address. RFC 5321 4.1.2, RFC 6531.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "mail/address.h"
#include "base/text.h"

const char fuzz_name[] = "address";

static bool same(const struct address *a, const struct address *b)
{
    return strcmp(a->local, b->local) == 0 && strcmp(a->domain, b->domain) == 0 &&
           a->is_literal == b->is_literal && a->needs_utf8 == b->needs_utf8;
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

/* Lower case, no empty label, none over 63, no dot at the end; and what it becomes is itself. */
static void check_domain(const char *domain)
{
    char again[RB_DOMAIN_MAX + 1];
    size_t len = strlen(domain);

    HOLDS(len > 0 && len <= RB_DOMAIN_MAX && is_ascii(domain));
    HOLDS(domain[0] != '.' && domain[len - 1] != '.' && strstr(domain, "..") == NULL);
    for (const char *c = domain; *c != '\0'; c++)
        HOLDS(!(*c >= 'A' && *c <= 'Z') && strchr("@<> \"\\", *c) == NULL);
    HOLDS(address_domain(domain, len, again) == ADDRESS_OK && strcmp(again, domain) == 0);
}

static void check_written(const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE], key[RB_ADDRESS_MAX + 1], cut[ADDRESS_TEXT_SIZE] = "x";
    struct address again;
    size_t len;

    HOLDS(address_format(address, text, sizeof text) == RB_OK);
    len = strlen(text);
    HOLDS(text_is_clean(text, len) && len > 0);
    HOLDS(address_parse(text, len, address->needs_utf8, &again) == ADDRESS_OK);
    HOLDS(same(address, &again));
    HOLDS(address_format(address, cut, len) == RB_ERR_TOO_LONG && cut[0] == '\0');

    HOLDS(address_key(address, key, sizeof key) == RB_OK);
    len = strlen(address->local);
    HOLDS(strncmp(key, address->local, len) == 0 && key[len] == '@');
    HOLDS(strcmp(key + len + 1, address->domain) == 0);
    if (len > 0 && address->needs_utf8)
        HOLDS(!is_ascii(address->local));
}

static void check_address(const char *text, size_t len, bool utf8)
{
    static const struct address zero;
    struct address address;
    enum address_fault fault = address_parse(text, len, utf8, &address);

    HOLDS(address_fault_text(fault)[0] != '?');
    if (fault != ADDRESS_OK) {
        HOLDS(memcmp(&address, &zero, sizeof zero) == 0);
        return;
    }
    HOLDS(strlen(address.local) <= ADDRESS_LOCAL_MAX);
    HOLDS(utf8 || !address.needs_utf8);
    HOLDS(text_is_clean(address.local, strlen(address.local)));
    HOLDS(address.is_literal == (address.domain[0] == '['));
    if (!address.is_literal)
        check_domain(address.domain);
    check_written(&address);
}

static char upper(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c;
}

/* A domain, and the same in capitals. */
static void check_folding(const char *text, size_t len)
{
    char domain[RB_DOMAIN_MAX + 1], folded[RB_DOMAIN_MAX + 1], capitals[4 * RB_DOMAIN_MAX];

    if (address_domain(text, len, domain) != ADDRESS_OK) {
        HOLDS(domain[0] == '\0');
        return;
    }
    check_domain(domain);
    HOLDS(len <= sizeof capitals);
    for (size_t i = 0; i < len; i++)
        capitals[i] = upper(text[i]);
    HOLDS(address_domain(capitals, len, folded) == ADDRESS_OK && strcmp(domain, folded) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    const char *at;

    if (size == 0)
        return 0;
    check_address(text, size - 1, data[0] == '8');
    check_folding(text, size - 1);
    at = memchr(text, '@', size - 1);
    if (at != NULL)
        check_folding(at + 1, (size_t)(text + size - 1 - (at + 1)));
    return 0;
}
