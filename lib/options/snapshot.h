/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setup: the verifier's options, the resolver made from them and this machine's own addresses:
 * replaced together, and kept by whoever still uses the old ones. Part of the verifier; `users` is
 * under the verifier's lock.
 */
#ifndef RB_OPTIONS_SNAPSHOT_H
#define RB_OPTIONS_SNAPSHOT_H

#include "dns/dns.h"
#include "options/options.h"

struct rb_verifier;

struct setup {
    struct options *options;
    struct dns *dns;
    struct rb_network *own; /* this machine's addresses: they may change, so a reload looks again */
    size_t own_count;
    unsigned users;
};

/*
 * Checks and makes one, with one user. cancel_fd as dns_open has it. On failure detail (which may be NULL) says in words what is
 * wrong.
 */
enum rb_error setup_new(const struct rb_options *options, int cancel_fd, struct setup **setup,
                        char *detail, size_t detail_size);

/* Frees one that nobody uses any more. NULL is fine. */
void setup_free(struct setup *setup);

/* The setup of today, and leaving it again. Any thread, without the verifier's lock. */
struct setup *setup_get(struct rb_verifier *verifier);
void setup_put(struct rb_verifier *verifier, struct setup *setup);

#endif
