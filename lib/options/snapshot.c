/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot: options and resolver as one thing that is replaced as a whole; see snapshot.h. */
#include "config.h"

#include "options/snapshot.h"

#include "mail/netguard.h"

#include <stdio.h>
#include <stdlib.h>

static enum rb_error open_dns(struct snapshot *made, int cancel_fd, char *detail,
                              size_t detail_size)
{
    const struct rb_options *o = &made->options->o;
    enum rb_error error =
        dns_open(o->resolvers, o->resolver_count, o->clock, cancel_fd, &made->dns);

    if (error == RB_ERR_ARGUMENT && detail != NULL)
        (void)snprintf(detail, detail_size,
                       "resolvers: not addresses with a port, such as \"127.0.0.1:5353\"");
    return error;
}

enum rb_error snapshot_new(const struct rb_options *options, int cancel_fd,
                           struct snapshot **snapshot, char *detail, size_t detail_size)
{
    struct snapshot *made = calloc(1, sizeof *made);
    enum rb_error error;

    *snapshot = NULL;
    if (made == NULL)
        return RB_ERR_NOMEM;
    atomic_init(&made->references, 1);
    error = options_copy(options, &made->options, detail, detail_size);
    if (error == RB_OK)
        error = open_dns(made, cancel_fd, detail, detail_size);
    if (error == RB_OK)
        error = netguard_own_addresses(&made->own, &made->own_count);
    if (error == RB_OK)
        *snapshot = made;
    else
        snapshot_put(made);
    return error;
}

void snapshot_put(struct snapshot *snapshot)
{
    /* What others did with it happens before it is freed. */
    if (snapshot == NULL ||
        atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    options_free(snapshot->options);
    dns_close(snapshot->dns);
    free(snapshot->own);
    free(snapshot);
}

void snapshots_init(struct snapshots *snapshots)
{
    pthread_mutex_init(&snapshots->lock, NULL);
    snapshots->current = NULL;
}

void snapshots_fini(struct snapshots *snapshots)
{
    snapshot_put(snapshots->current);
    pthread_mutex_destroy(&snapshots->lock);
}

struct snapshot *snapshots_get(struct snapshots *snapshots)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&snapshots->lock);
    snapshot = snapshots->current;
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&snapshots->lock);
    return snapshot;
}

void snapshots_replace(struct snapshots *snapshots, struct snapshot *fresh)
{
    struct snapshot *old;

    pthread_mutex_lock(&snapshots->lock);
    old = snapshots->current;
    snapshots->current = fresh;
    pthread_mutex_unlock(&snapshots->lock);
    snapshot_put(old);
}
