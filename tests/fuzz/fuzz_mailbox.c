/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address lists of header fields: whatever is taken for the first mailbox is an address that can be
 * asked about, stays the first one whatever empty elements, comments and names of groups stand
 * before it, and gives way to a mailbox before it. Input: the value of a field. RFC 5322 3.4.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "mail/mailbox.h"

const char fuzz_name[] = "mailbox";

enum { BEFORE_MAX = ADDRESS_TEXT_SIZE + 64 };

/* The first mailbox of `before` and the value together, as text; "" for none. */
static void first_of(const char *before, const char *value, size_t size,
                     char text[ADDRESS_TEXT_SIZE])
{
    const size_t len = strlen(before);
    char *both = malloc(len + size + 1);
    struct address address;
    bool found;

    HOLDS(both != NULL);
    memcpy(both, before, len);
    if (size > 0)
        memcpy(both + len, value, size);
    found = mailbox_first(both, len + size, &address);
    HOLDS(address_format(&address, text, ADDRESS_TEXT_SIZE) == RB_OK);
    HOLDS(found == (text[0] != '\0'));
    free(both);
}

static void check_what_stands_before(const char *value, size_t size, const char *text)
{
    static const char *const before[] = {
        " ",    "\r\n\t", "(a \\) (comment))", ",", " , (c) ,", "group:", "\"a@b <c>\":",
        "g:;,", "name,",
    };
    char again[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        first_of(before[i], value, size, again);
        HOLDS(strcmp(again, text) == 0);
    }
}

/*
 * The address that was found, alone and before all else; where its domain has one label, and a
 * comma follows, it may be a piece of a name.
 */
static void check_address(const char *value, size_t size, const char *text)
{
    static const char *const forms[] = {"<%s>,", "Jo @ [work] <@a.example:%s>,", "g:(c)%s;", "%s,"};
    const char *domain = strrchr(text, '@');
    const bool may_be_name = domain == NULL || strpbrk(domain, ".[") == NULL;
    const size_t count = sizeof forms / sizeof forms[0] - (may_be_name ? 1 : 0);
    char before[BEFORE_MAX], again[ADDRESS_TEXT_SIZE];
    struct address address;

    HOLDS(address_parse(text, strlen(text), true, &address) == ADDRESS_OK);
    for (size_t i = 0; i < count; i++) {
        const char *mark = strstr(forms[i], "%s");

        (void)snprintf(before, sizeof before, "%.*s%s%s", (int)(mark - forms[i]), forms[i], text,
                       mark + 2);
        first_of(before, value, size, again);
        HOLDS(strcmp(again, text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *value = (const char *)data;
    char text[ADDRESS_TEXT_SIZE];

    first_of("", value, size, text);
    check_what_stands_before(value, size, text);
    if (text[0] != '\0')
        check_address(value, size, text);
    return 0;
}
