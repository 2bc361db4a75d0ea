/* SPDX-License-Identifier: BSD-2-Clause */
/* socket_path: see socket_path.h. Never waits: a socket whose owner does not accept now counts as
 * answered. */
#include "config.h"

#include "base/socket_path.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

bool socket_path_address(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    return text_copy(address->sun_path, sizeof address->sun_path, path);
}

/* What came of a connection: 0, or errno. */
static int try_connection(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        error = errno;
    close(fd);
    return error;
}

/* A full backlog (EAGAIN) is an answer, and so is a socket of another type (EPROTOTYPE). */
static int holder(const struct sockaddr_un *address)
{
    const int error = try_connection(address);

    switch (error) {
    case 0:
    case EAGAIN:
    case EPROTOTYPE:
        return EADDRINUSE;
    case ECONNREFUSED:
        return 0;
    default:
        return error;
    }
}

bool socket_path_clear(const char *path)
{
    struct sockaddr_un address;
    struct stat there;
    int error;

    if (!socket_path_address(path, &address)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (lstat(path, &there) != 0)
        return errno == ENOENT;
    error = S_ISSOCK(there.st_mode) ? holder(&address) : ENOTSOCK;
    if (error == ENOENT)
        return true; /* gone meanwhile */
    if (error != 0) {
        errno = error;
        return false;
    }
    return unlink(path) == 0 || errno == ENOENT;
}

socklen_t socket_path_of_process(pid_t process, struct sockaddr_un *address)
{
    int len;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    len = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "ringback-milter/%ld",
                   (long)process);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}
