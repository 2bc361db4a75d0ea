/* SPDX-License-Identifier: BSD-2-Clause */
/* dns_rig: see the header. */
#include "config.h"

#include "dns_rig.h"

#include "check.h"
#include "base/clock.h"
#include "base/ip.h"

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
    struct sockaddr_storage address;
    if (!ip_sockaddr_parse(text, &address))
        fail_msg("%s is no address", text);
    return address;
}
