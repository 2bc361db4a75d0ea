/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon: becoming one: folders, user, background, descriptors. Each function says on failure what
 * is wrong in one line and gives the exit status (sysexits.h).
 */
#ifndef RB_MILTER_DAEMON_DAEMON_H
#define RB_MILTER_DAEMON_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/configuration.h"

enum { DAEMON_ERROR_SIZE = 512 };

/*
 * As root: makes the folders of the cache, the control socket and a unix listening socket where
 * they are missing, owned by the configured user, then becomes that user, who is in the group
 * `listen_group` too. As anybody else: nothing to do. 0, or an exit status with error set.
 */
int daemon_become_user(const struct config *config, char error[DAEMON_ERROR_SIZE]);

/* Whether daemon_become_user would find its user. True where it does not look for one. */
bool daemon_has_user(const struct config *config);

/* The group of that name. False: there is none. Any thread. */
bool daemon_find_group(const char *name, gid_t *group) __attribute__((warn_unused_result));

/* As many descriptors as the system allows: libmilter spins when accept() finds none left. */
void daemon_raise_descriptors(void);

/*
 * How many descriptors there may be, where that is too few for all callouts and a few hundred
 * clients; 0: enough.
 */
unsigned long daemon_scarce_descriptors(const struct config *config);

/*
 * Limits glibc to few heaps (arenas). It would make eight for each processor, and memory that was
 * freed in one is not used by threads of another: the process grows until each has seen the worst.
 * Our threads are many and hardly ever allocate at the same time. Before any thread is started.
 */
void daemon_few_arenas(void);

/*
 * Gives threads that are started from now on, without a size of their own, small stacks.
 * libmilter's pool starts and ends one for almost every client that waits: stacks of the usual 8 MB
 * do not fit into what glibc keeps for the next thread, and each unmapping stops all processors.
 */
void daemon_small_stacks(void);

/*
 * Goes into the background. In the child returns 0. The parent waits for daemon_ready or the
 * child's end, and exits with the child's status: whoever started the daemon learns whether it
 * runs. Nonzero: could not fork.
 */
int daemon_background(char error[DAEMON_ERROR_SIZE]);

/*
 * The child is up: tells the parent, and closes stdin, stdout and stderr. In the foreground: does
 * nothing.
 */
void daemon_ready(void);

/* Writes the process id; removed by daemon_remove_pid_file. Before daemon_become_user. */
int daemon_open_pid_file(const char *path, char error[DAEMON_ERROR_SIZE]);
void daemon_write_pid_file(void);
void daemon_remove_pid_file(void);

#endif
