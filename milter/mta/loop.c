/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop: see loop.h. libmilter runs in a thread of its own, so that the main thread can wait for
 * the signals that end the process: the system hands a signal to the main thread first. The main
 * thread sends them to the process again, for libmilter's own signal thread, once the sessions are
 * over; a second signal, which comes before that, goes to libmilter's thread at once. Callbacks
 * that are still at work then are main's business.
 */
#include "config.h"

#include "mta/loop.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/signals.h"
#include "base/sleep.h"

enum {
    FINISH_STEP_MS = 10,
    WAKE_STEP_MS = 5,
    WAKE_MAX_MS = 10000, /* libmilter ends within half of this when nobody wakes it */
};

/* --- Waking -------------------------------------------------------------- */

static struct sockaddr_storage own; /* written by loop_init alone */
static socklen_t own_len;

/* A socket that listens on all addresses is reached by the loopback one. */
static void any_to_loopback(void)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&own;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&own;

    if (own.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (own.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
}

void loop_init(const struct sockaddr_storage *address, socklen_t len)
{
    own = *address;
    own_len = len;
    any_to_loopback();
}

int loop_connect(void)
{
    const int fd = socket(own.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        (void)!connect(fd, (const struct sockaddr *)&own, own_len);
    return fd;
}

void loop_wake(void)
{
    const int fd = loop_connect();

    if (fd >= 0) /* no descriptor: the burst is served more slowly, not wrongly */
        close(fd);
}

/* --- Running and ending --------------------------------------------------- */

static atomic_bool running, ended;
static int result = MI_FAILURE; /* written before ended, read after */

static void *run_libmilter(void *main_thread)
{
    atomic_store(&running, true);
    result = smfi_main();
    atomic_store(&ended, true);
    (void)pthread_kill(*(pthread_t *)main_thread, SIGHUP); /* loop_run may wait for a signal */
    return NULL;
}

static void finish_sessions(const struct loop_end *end)
{
    end->announce();
    for (int waited = 0; !atomic_load(&ended) && !end->may_come(waited) && waited < LOOP_FINISH_MS;
         waited += FINISH_STEP_MS)
        sleep_ms(FINISH_STEP_MS);
}

/* The listener holds a lock while it waits: nothing short of a connection gets it to look. */
static void end_libmilter(int number)
{
    (void)kill(getpid(), number);
    for (int waited = 0; !atomic_load(&ended) && waited < WAKE_MAX_MS; waited += WAKE_STEP_MS) {
        loop_wake();
        sleep_ms(WAKE_STEP_MS);
    }
}

bool loop_is_running(void)
{
    return atomic_load(&running) && !atomic_load(&ended);
}

bool loop_run(const struct loop_end *end)
{
    static pthread_t self;
    pthread_t thread;
    int number;
    bool told;

    /* A signal that is pending when smfi_main starts would make libmilter report a failure. */
    if (signals_end_has_come()) {
        (void)smfi_stop(); /* removes the socket */
        return true;
    }
    self = pthread_self();
    if (pthread_create(&thread, NULL, run_libmilter, &self) != 0)
        return false;
    number = signals_await_end();
    told = !atomic_load(&ended);
    if (told)
        finish_sessions(end);
    if (!atomic_load(&ended))
        end_libmilter(number);
    if (!atomic_load(&ended)) {
        (void)pthread_detach(thread);
        return true;
    }
    (void)pthread_join(thread, NULL);
    return told || result == MI_SUCCESS;
}
