/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot: the verifier's options, the resolver made from them and this machine's own addresses:
 * replaced together, and kept by whoever still uses the old ones. Part of the verifier; `users` is
 * under the verifier's lock.
 */
#ifndef RB_OPTIONS_SNAPSHOT_H
#define RB_OPTIONS_SNAPSHOT_H

#include "dns/dns.h"
#include "options/options.h"

struct rb_verifier;

struct snapshot {
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
enum rb_error snapshot_new(const struct rb_options *options, int cancel_fd,
                           struct snapshot **snapshot, char *detail, size_t detail_size);

/* Frees one that nobody uses any more. NULL is fine. */
void snapshot_free(struct snapshot *snapshot);

/* The snapshot of today, and leaving it again. Any thread, without the verifier's lock. */
struct snapshot *snapshot_get(struct rb_verifier *verifier);
void snapshot_put(struct rb_verifier *verifier, struct snapshot *snapshot);

#endif
