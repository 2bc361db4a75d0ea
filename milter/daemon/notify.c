/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify: see notify.h. Lock: `lock`, for what was told; never held while anything is sent, for a
 * service manager that hangs lets us wait.
 */
#include "config.h"

#include "daemon/notify.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/text.h"

enum { STATUS_MAX = 500 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool serving;                /* lock; between notify_ready and notify_ending */
static char status[STATUS_MAX + 1]; /* lock; as it was told last */

bool notify_is_heard(void)
{
    const char *socket = getenv("NOTIFY_SOCKET");

    return socket != NULL && socket[0] != '\0';
}

int64_t notify_watchdog_ms(void)
{
    uint64_t usec = 0;

    return notify_is_heard() && sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 1000) : 0;
}

static void set_serving(bool value)
{
    pthread_mutex_lock(&lock);
    serving = value;
    pthread_mutex_unlock(&lock);
}

static bool is_serving(void)
{
    bool is;

    pthread_mutex_lock(&lock);
    is = serving;
    pthread_mutex_unlock(&lock);
    return is;
}

void notify_ready(void)
{
    set_serving(true);
    (void)sd_notify(0, "READY=1");
}

void notify_status(const char *line)
{
    char fresh[STATUS_MAX + 1];
    bool differs;

    (void)text_printable(fresh, sizeof fresh, line, strlen(line)); /* an LF would end it */
    pthread_mutex_lock(&lock);
    differs = strcmp(fresh, status) != 0;
    memcpy(status, fresh, sizeof status);
    pthread_mutex_unlock(&lock);
    if (differs)
        (void)sd_notifyf(0, "STATUS=%s", fresh);
}

static int64_t monotonic_usec(void)
{
    struct timespec now = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The moment, too, by which it tells this reload from the last: systemd 253 asks for it. */
void notify_reloading(void)
{
    if (is_serving())
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, monotonic_usec());
}

void notify_reloaded(void)
{
    if (is_serving())
        (void)sd_notify(0, "READY=1");
}

void notify_ending(void)
{
    set_serving(false);
    (void)sd_notify(0, "STOPPING=1");
}

void notify_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}
