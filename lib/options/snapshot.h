/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot: the options, the resolver made from them and this machine's own addresses: replaced
 * together, and kept by whoever still uses the old ones.
 *
 * Owns: the snapshot of today. Lock: one, over which it is; the count of references is atomic.
 * Thread rule: every function may be called from any thread, but init and fini.
 */
#ifndef RB_OPTIONS_SNAPSHOT_H
#define RB_OPTIONS_SNAPSHOT_H

#include "dns/dns.h"
#include "options/options.h"

#include <pthread.h>
#include <stdatomic.h>

/* Never changes once it was made. */
struct snapshot {
    struct options *options;
    struct dns *dns;
    struct rb_network *own; /* this machine's addresses: they may change, so a reload looks again */
    size_t own_count;
    atomic_size_t references;
};

struct snapshots {
    pthread_mutex_t lock;
    struct snapshot *current; /* lock; holds a reference */
};

/*
 * Checks the options and makes a snapshot; the one reference is the caller's. cancel_fd as dns_open
 * has it. On failure *snapshot is NULL and detail (which may be NULL) says in words what is wrong.
 */
enum rb_error snapshot_new(const struct rb_options *options, int cancel_fd,
                           struct snapshot **snapshot, char *detail, size_t detail_size)
    __attribute__((warn_unused_result));

/* Gives a reference back; the last one frees. Takes no lock. NULL is fine. */
void snapshot_put(struct snapshot *snapshot);

/* None is current yet. */
void snapshots_init(struct snapshots *snapshots);
void snapshots_fini(struct snapshots *snapshots);

/* A reference to the one of today: the caller's, for snapshot_put. */
struct snapshot *snapshots_get(struct snapshots *snapshots);

/* Makes another one that of today; takes the caller's reference. */
void snapshots_replace(struct snapshots *snapshots, struct snapshot *fresh);

#endif
