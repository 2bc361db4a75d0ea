/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Host of HTTP requests: only names and addresses of ours are taken for ours, whatever stands
 * around them. Input: the field.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "http/guard.h"

const char fuzz_name[] = "host";

/* Otherwise than the code that is tried: what stands before the port, without a last dot. */
static bool ends_in(const char *host, size_t len, const char *name)
{
    const size_t name_len = strlen(name);

    return len >= name_len && strncasecmp(host + len - name_len, name, name_len) == 0;
}

static bool may_be_ours(const char *host)
{
    size_t len = strcspn(host, ":");

    if (host[0] == '[')
        return strspn(host + 1, "0123456789abcdefABCDEF:.") == strcspn(host + 1, "]") &&
               strchr(host, ']') != NULL;
    if (len > 0 && host[len - 1] == '.')
        len--;
    if ((strncmp(host, "127.", 4) == 0 || strncmp(host, "192.0.2.", 8) == 0) &&
        strspn(host, "0123456789.") == strcspn(host, ":"))
        return true;
    return (len == strlen("mx.our.example") && ends_in(host, len, "mx.our.example")) ||
           (len == strlen("localhost") && ends_in(host, len, "localhost")) ||
           ends_in(host, len, ".localhost");
}

static void check(const char *host)
{
    static const struct network_list none = {.count = 0};
    struct guard_names names = {.hostname = "mx.our.example", .machine = "", .allowed = &none};
    enum guard_verdict by_ip, by_path = guard_judge(host, &names);
    struct sockaddr_storage address;
    struct ip local;

    HOLDS(ip_sockaddr_parse("192.0.2.1", &address));
    HOLDS(ip_from_sockaddr((struct sockaddr *)&address, &local));
    names.local = &local;
    by_ip = guard_judge(host, &names);
    HOLDS(by_path != GUARD_FOREIGN);
    HOLDS((by_path == GUARD_WRONG) == (by_ip == GUARD_WRONG));
    HOLDS(by_ip != GUARD_OURS || may_be_ours(host));
    HOLDS(by_ip == GUARD_WRONG || strpbrk(host, " \t\r\n/@?#\\%,;\"'<>") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *host = malloc(size + 1);

    HOLDS(host != NULL);
    if (size > 0)
        memcpy(host, data, size);
    host[size] = '\0';
    check(host);
    free(host);
    return 0;
}
