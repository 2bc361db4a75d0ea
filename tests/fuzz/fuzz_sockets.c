/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's answers about sockets: whatever is shown stands in the octets and fits what was
 * asked for, and no more is shown than is wanted. Input: an octet that chooses the question, then a
 * datagram of an answer with the sequence 1 and the port id 2.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>

#include "extension/sockets.h"

const char fuzz_name[] = "sockets";

enum { SPORT = 5000, DPORT = 25, MESSAGE_LEN = 88 /* header and struct inet_diag_msg */ };

struct shown {
    size_t count, most;
    bool any_sport;
};

static bool see(void *arg, const struct sockets_socket *socket)
{
    struct shown *shown = arg;

    HOLDS(shown->count < shown->most);
    HOLDS(shown->any_sport || socket->sport == SPORT);
    return ++shown->count < shown->most;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNSPEC};
    static const struct ip addr6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    const uint8_t chosen = size > 0 ? data[0] : 0;
    const struct sockets_filter filter = {.addr = chosen % 2 == 0 ? ip_from_v4("\xc0\x00\x02\x01")
                                                                  : addr6,
                                          .dport = DPORT,
                                          .sport = SPORT,
                                          .any_sport = chosen % 4 < 2};
    struct shown shown = {.most = 1 + chosen % 16, .any_sport = filter.any_sport};
    const struct sockets_question question = {.filter = &filter,
                                              .family = families[chosen % 3],
                                              .sequence = 1,
                                              .port_id = 2,
                                              .see = see,
                                              .arg = &shown};
    enum sockets_progress progress;

    if (size == 0)
        return 0;
    progress = sockets_read(&question, data + 1, size - 1);
    HOLDS(shown.count <= (size - 1) / MESSAGE_LEN);
    HOLDS((progress == SOCKETS_ENOUGH) == (shown.count == shown.most));
    HOLDS(size > 1 || progress == SOCKETS_BAD);
    return 0;
}
