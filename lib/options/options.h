/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options: rb_options checked and copied deeply. Once made, a set of options never changes,
 * so that any number of threads may read one while the verifier has already gone on to the next.
 */
#ifndef RB_OPTIONS_OPTIONS_H
#define RB_OPTIONS_OPTIONS_H

#include "dns/dns.h"
#include "ringback.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
    OPTIONS_BIND_MAX = 8,           /* source addresses */
    OPTIONS_RESOLVER_TEXT_MAX = 63, /* octets of "[2001:db8::1]:53" */
    OPTIONS_ALLOWED_MAX = 4096,     /* networks */
    OPTIONS_STORE_TEXT_MAX = 4607,  /* octets of "lmdb:/path" */
    OPTIONS_STORE_MIN = 65536,      /* octets of a store that can hold anything at all */
};

struct options {
    /*
     * Every pointer within points to memory of this struct, but for o.clock, which is never NULL.
     * No string is NULL: store is "" for none. helo_name and the two senders are in canonical form.
     */
    struct rb_options o;
    struct sockaddr_storage bind[OPTIONS_BIND_MAX]; /* o.bind, parsed; port 0 */
    size_t bind_count;

    /* what o points to; read it there */
    char helo_name[RB_DOMAIN_MAX + 1];
    char mail_from[RB_ADDRESS_MAX + 1];
    char fallback_mail_from[RB_ADDRESS_MAX + 1];
    char store[OPTIONS_STORE_TEXT_MAX + 1];
    char bind_text[OPTIONS_BIND_MAX][INET6_ADDRSTRLEN];
    const char *bind_list[OPTIONS_BIND_MAX];
    char resolver_text[DNS_RESOLVERS_MAX][OPTIONS_RESOLVER_TEXT_MAX + 1];
    const char *resolver_list[DNS_RESOLVERS_MAX];
    struct rb_network *allowed; /* malloc'ed */
};

/*
 * Checks and copies. On RB_OK *to is the caller's, to be freed with options_free. On
 * RB_ERR_ARGUMENT (and RB_ERR_NOMEM) *to is NULL and detail says in words which option is wrong and
 * what would be right: "port: 0 is not in 1..65535"; on RB_OK it is "". detail may be NULL. What a
 * resolver's text means is dns_open's to check. Any thread.
 */
enum rb_error options_copy(const struct rb_options *from, struct options **to, char *detail,
                           size_t detail_size) __attribute__((warn_unused_result));

/* NULL is fine. */
void options_free(struct options *options);

#endif
