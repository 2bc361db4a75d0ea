/* SPDX-License-Identifier: BSD-2-Clause */
/* setup: options and resolver as one thing that is replaced as a whole; see setup.h. */
#include "config.h"

#include "options/snapshot.h"

#include "mail/netguard.h"
#include "verifier/verifier.h"

#include <stdio.h>
#include <stdlib.h>

struct setup *setup_get(struct rb_verifier *verifier)
{
    struct setup *setup;

    pthread_mutex_lock(&verifier->lock);
    setup = verifier->setup;
    setup->users++;
    pthread_mutex_unlock(&verifier->lock);
    return setup;
}

void setup_free(struct setup *setup)
{
    if (setup == NULL)
        return;
    options_put(setup->options);
    dns_close(setup->dns);
    free(setup->own);
    free(setup);
}

void setup_put(struct rb_verifier *verifier, struct setup *setup)
{
    bool last;

    pthread_mutex_lock(&verifier->lock);
    last = --setup->users == 0;
    pthread_mutex_unlock(&verifier->lock);
    if (last)
        setup_free(setup);
}

static enum rb_error open_dns(struct setup *made, int cancel_fd, char *detail, size_t detail_size)
{
    const struct rb_options *o = &made->options->o;
    enum rb_error error =
        dns_open(o->resolvers, o->resolver_count, o->clock, cancel_fd, &made->dns);

    if (error == RB_ERR_ARGUMENT && detail != NULL)
        (void)snprintf(detail, detail_size,
                       "resolvers: not addresses with a port, such as \"127.0.0.1:5353\"");
    return error;
}

enum rb_error setup_new(const struct rb_options *options, int cancel_fd, struct setup **setup,
                        char *detail, size_t detail_size)
{
    struct setup *made = calloc(1, sizeof *made);
    enum rb_error error;

    *setup = NULL;
    if (made == NULL)
        return RB_ERR_NOMEM;
    made->users = 1;
    error = options_copy(options, &made->options, detail, detail_size);
    if (error == RB_OK)
        error = open_dns(made, cancel_fd, detail, detail_size);
    if (error == RB_OK)
        error = netguard_own_addresses(&made->own, &made->own_count);
    if (error == RB_OK)
        *setup = made;
    else
        setup_free(made);
    return error;
}
