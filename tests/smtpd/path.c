/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path: see path.h. What is allowed inside a mailbox is not judged, but for its frame: brackets,
 * quotes, one @ with something on both sides, no controls.
 */
#include "config.h"

#include "path.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define PATH_OCTETS_MAX 254 /* RFC 5321 section 4.5.3.1.3: 256 with the brackets */

/* Where the closing bracket stands; a quoted string may hold one that does not count. */
static const char *find_close(const char *p)
{
    bool quoted = false;
    for (; *p != '\0'; p++) {
        if (quoted && *p == '\\' && p[1] != '\0')
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == '>' && !quoted)
            return p;
    }
    return NULL;
}

static bool is_plausible(const char *address)
{
    if (address[0] == '\0' || strcasecmp(address, "postmaster") == 0)
        return true;
    const char *at = strrchr(address, '@');
    if (at == NULL || at == address || at[1] == '\0')
        return false;
    for (const char *p = address; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return false;
        if (*p == ' ' && address[0] != '"')
            return false;
    }
    return true;
}

enum path_result path_parse(const char *args, const char *keyword, char *address, size_t size,
                            const char **params)
{
    enum path_result result = PATH_OK;
    size_t len = strlen(keyword);
    if (strncasecmp(args, keyword, len) != 0)
        return PATH_BAD;
    args += len;
    for (; *args == ' '; args++)
        result = PATH_SLOPPY;
    const char *end = *args == '<' ? find_close(args + 1) : NULL;
    if (end == NULL || (end[1] != '\0' && end[1] != ' '))
        return PATH_BAD;
    len = (size_t)(end - args) - 1;
    if (len > PATH_OCTETS_MAX || len >= size)
        return PATH_BAD;
    memcpy(address, args + 1, len);
    address[len] = '\0';
    *params = end + 1 + strspn(end + 1, " ");
    return is_plausible(address) ? result : PATH_BAD;
}
