/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot: options and resolver as one thing that is replaced as a whole; see snapshot.h. */
#include "config.h"

#include "options/snapshot.h"

#include "mail/netguard.h"
#include "verifier/verifier.h"

#include <stdio.h>
#include <stdlib.h>

struct snapshot *snapshot_get(struct rb_verifier *verifier)
{
    struct snapshot *snapshot;

    pthread_mutex_lock(&verifier->lock);
    snapshot = verifier->snapshot;
    snapshot->users++;
    pthread_mutex_unlock(&verifier->lock);
    return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    options_put(snapshot->options);
    dns_close(snapshot->dns);
    free(snapshot->own);
    free(snapshot);
}

void snapshot_put(struct rb_verifier *verifier, struct snapshot *snapshot)
{
    bool last;

    pthread_mutex_lock(&verifier->lock);
    last = --snapshot->users == 0;
    pthread_mutex_unlock(&verifier->lock);
    if (last)
        snapshot_free(snapshot);
}

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
    made->users = 1;
    error = options_copy(options, &made->options, detail, detail_size);
    if (error == RB_OK)
        error = open_dns(made, cancel_fd, detail, detail_size);
    if (error == RB_OK)
        error = netguard_own_addresses(&made->own, &made->own_count);
    if (error == RB_OK)
        *snapshot = made;
    else
        snapshot_free(made);
    return error;
}
