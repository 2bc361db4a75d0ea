/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket_path: the place of a unix socket, made ready for bind(2). A socket that a daemon which
 * died has left is removed; one that somebody answers, or a file that is no socket, never is.
 */
#ifndef RB_MILTER_BASE_SOCKET_PATH_H
#define RB_MILTER_BASE_SOCKET_PATH_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* False: the path is too long for an address. */
bool socket_path_address(const char *path, struct sockaddr_un *address)
    __attribute__((warn_unused_result));

/*
 * Removes a socket that nobody answers. True: nothing is there now. False, and nothing was removed:
 * errno is EADDRINUSE when it is answered, ENOTSOCK when it is something else than a socket (a link
 * is), ENAMETOOLONG, or what the system said: with EACCES it cannot be told whether it is answered.
 */
bool socket_path_clear(const char *path) __attribute__((warn_unused_result));

/*
 * Where the daemon with this process id can be asked, whatever its configuration says: an address
 * without a file (Linux: "abstract"), of its network namespace. Anybody may have taken it: look at
 * SO_PEERCRED. Returns its length.
 */
socklen_t socket_path_of_process(pid_t process, struct sockaddr_un *address);

#endif
