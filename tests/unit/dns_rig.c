/* SPDX-License-Identifier: BSD-2-Clause */
/* dns_rig: see the header. */
#include "config.h"

#include "dns_rig.h"

#include <arpa/inet.h>
#include <string.h>

#include "check.h"
#include "base/clock.h"

struct dns_rig dns_rig_start(const struct fake_dns_row *rows, size_t count)
{
    struct dns_rig rig = {.fake = fake_dns_start(AF_INET, rows, count)};
    assert_non_null(rig.fake);
    const char *server = fake_dns_server(rig.fake);
    assert_int_equal(dns_open(&server, 1, clock_system(), -1, &rig.dns), RB_OK);
    return rig;
}

void dns_rig_stop(struct dns_rig *rig)
{
    dns_close(rig->dns);
    fake_dns_stop(rig->fake);
}

struct sockaddr_storage dns_rig_address(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(&address, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(&address, &v6, sizeof v6);
    else
        fail_msg("%s is no address", text);
    return address;
}
