/* SPDX-License-Identifier: BSD-2-Clause */
/* signals: which signals the daemon handles; see signals.h. */
#include "config.h"

#include "base/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static const int ends[] = {SIGHUP, SIGTERM, SIGINT};

static void fill_with_ends(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        sigaddset(set, ends[i]);
}

void signals_block(void)
{
    sigset_t set;

    fill_with_ends(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

bool signals_end_has_come(void)
{
    sigset_t come;

    sigemptyset(&come);
    (void)sigpending(&come);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (sigismember(&come, ends[i]) == 1)
            return true;
    return false;
}

void signals_pass_on(pid_t process)
{
    sigset_t come;

    sigemptyset(&come);
    (void)sigpending(&come);
    if (sigismember(&come, SIGUSR1) == 1)
        (void)kill(process, SIGUSR1);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (sigismember(&come, ends[i]) == 1)
            (void)kill(process, ends[i]);
}

static int await_one(const sigset_t *set)
{
    int number = SIGTERM;

    while (sigwait(set, &number) != 0)
        ;
    return number;
}

void signals_await_reload(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    (void)await_one(&set);
}

int signals_await_end(void)
{
    sigset_t set;

    fill_with_ends(&set);
    return await_one(&set);
}
