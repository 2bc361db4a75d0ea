/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * servers: the recursive name servers that are asked: those of the configuration, else those of
 * resolv.conf(5), in which order, and how resolv.conf says that they are to be asked. A server that
 * has left questions without an answer, while another one answered, comes last for a while; that
 * none answers at all is told to whoever watches. Knows no question.
 *
 * Any thread may call at any time.
 */
#ifndef RB_DNS_SERVERS_H
#define RB_DNS_SERVERS_H

#include "dns/dns.h"

#include <sys/socket.h>

enum {
    /* A server that was silent comes last for so long; then it is given one question. */
    DNS_SERVERS_LAST_FOR_MS = 60000,
};

struct dns_servers; /* opaque */

struct dns_server {
    struct sockaddr_storage address;
    size_t number; /* what dns_servers calls it */
};

/* For one look-up. */
struct dns_server_list {
    struct dns_server server[DNS_RESOLVERS_MAX]; /* in the order in which they are to be asked */
    size_t count;
    unsigned rounds;     /* how often each is asked (attempts) */
    unsigned timeout_ms; /* for one answer (timeout) */
    bool tcp_only;       /* use-vc */
    bool one_at_a_time;  /* single-request, single-request-reopen */
};

/* As dns_open has it. The clock must outlive them. */
enum rb_error dns_servers_open(const char *const *texts, size_t count, const struct rb_clock *clock,
                               struct dns_servers **servers) __attribute__((warn_unused_result));

/* NULL is fine. */
void dns_servers_close(struct dns_servers *servers);

/* Looks at resolv.conf. False: libresolv has no memory. */
bool dns_servers_list(struct dns_servers *servers, struct dns_server_list *list);

/* What came of asking one: it has answered, or another one has while it was silent. */
void dns_servers_answered(struct dns_servers *servers, size_t number);
void dns_servers_was_silent(struct dns_servers *servers, size_t number);

/*
 * What came of asking all: some message came, whatever it says, or none since began_ms (on the
 * clock's monotonic scale).
 */
void dns_servers_are_heard(struct dns_servers *servers);
void dns_servers_are_silent(struct dns_servers *servers, int64_t began_ms);

/* As dns_look has it. */
void dns_servers_look(const struct dns_servers *servers, struct dns_servers_view *view);

/* As dns_set_watch has it. */
void dns_servers_set_watch(struct dns_servers *servers, const struct dns_watch *watch);

#endif
