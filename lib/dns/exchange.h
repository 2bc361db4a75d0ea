/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exchange: one question to the name servers, or two at once, in one poll(2) loop: over UDP
 * (RFC 1035 4.2.1) with EDNS (RFC 6891), over TCP where an answer is cut off (RFC 7766). A server
 * that does not answer soon is not given up: the next is asked beside it, and whoever answers first
 * has answered. For dns_query alone; it must not know what an answer means.
 */
#ifndef RB_DNS_EXCHANGE_H
#define RB_DNS_EXCHANGE_H

#include "dns/question.h"
#include "dns/servers.h"

enum {
    DNS_NEXT_SERVER_MS = 1000, /* how long a server is waited for alone */
    DNS_EXCHANGES_AT_ONCE = 2,
};

/* What a message that answers the question says. */
enum dns_reading {
    DNS_READING_NOTHING, /* nothing of use: ask another server */
    DNS_READING_DONE,
    DNS_READING_ASK, /* there is another question in its place: ask that */
};

/* The octets are the exchange's. The id and the question in them are right. */
typedef enum dns_reading dns_read_fn(struct dns_question *question, const uint8_t *octets,
                                     size_t len, void *arg);

/* One that wants to know something. */
struct dns_asker {
    struct dns_question question;
    dns_read_fn *read;
    void *arg;
};

struct dns_exchange_settings {
    const struct rb_clock *clock;
    int cancel_fd; /* readable: give up at once; -1: none */
    struct dns_servers *servers;
    struct dns_server_list list; /* of them, for this exchange */
    deadline until;
    deadline until_alone; /* of two: when one has its answer, the other has until then */
};

/*
 * Asks for one or two, until each has read all it wants to or no server is left to be asked. Of the
 * descriptors that it uses one is for UDP (two where servers of both families are asked), and one
 * for each answer that is being had over TCP. Tells settings->servers what came of it. Any thread;
 * the askers are its own meanwhile.
 */
void dns_exchange(const struct dns_exchange_settings *settings, struct dns_asker *const askers[],
                  size_t count);

#endif
