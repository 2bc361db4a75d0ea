/* SPDX-License-Identifier: BSD-2-Clause */
/* whoami: our identity, looked at in the background; see whoami.h. */
#include "config.h"

#include "daemon/whoami.h"

#include "base/log.h"
#include "verifier/verifier.h"

#include <pthread.h>

enum { LOOK_MS = 5000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;
static struct identity found; /* lock */
static bool looked, looking;  /* lock */

static void log_warnings(const struct identity *identity)
{
    for (size_t i = 0; i < identity->count; i++)
        log_line(LOG_LEVEL_WARNING, "%s", identity->warning[i]);
}

static void *look(void *arg)
{
    struct identity identity;

    verifier_identity(arg, LOOK_MS, &identity);
    log_warnings(&identity);
    pthread_mutex_lock(&lock);
    found = identity;
    looked = true;
    looking = false;
    pthread_cond_broadcast(&over);
    pthread_mutex_unlock(&lock);
    return NULL;
}

void whoami_look(struct rb_verifier *verifier)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_mutex_lock(&lock);
    if (!looking && pthread_attr_init(&attributes) == 0) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        looking = pthread_create(&thread, &attributes, look, verifier) == 0;
        pthread_attr_destroy(&attributes);
    }
    pthread_mutex_unlock(&lock);
}

bool whoami_get(struct identity *identity)
{
    bool known;

    pthread_mutex_lock(&lock);
    *identity = found;
    known = looked;
    pthread_mutex_unlock(&lock);
    return known;
}

void whoami_stop(void)
{
    pthread_mutex_lock(&lock);
    while (looking)
        pthread_cond_wait(&over, &lock);
    pthread_mutex_unlock(&lock);
}
