/* SPDX-License-Identifier: BSD-2-Clause */
/* listener: see listener.h. */
#include "config.h"

#include "http/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/socket_path.h"
#include "config/value.h"

enum {
    BACKLOG = 512, /* a crowd must not fill it between two turns: who then comes waits a second */
    SEND_BUFFER_SIZE = 128 * 1024, /* what the kernel keeps for a client that reads nothing */
};

static int refuse(char error[LISTENER_ERROR_SIZE], const char *http, int number)
{
    char why[128];

    (void)snprintf(error, LISTENER_ERROR_SIZE, "http: cannot listen on %s: %s", http,
                   number == ENOTSOCK ? "what is there is no socket; nothing was removed"
                                      : strerror_r(number, why, sizeof why));
    return -1;
}

/* A socket that listens at the address; -1: errno. */
static int listen_at(const struct sockaddr *address, socklen_t len)
{
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1, size = SEND_BUFFER_SIZE;
    int number;

    if (fd < 0)
        return -1;
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    /* What is accepted inherits it, but for unix sockets: whose default is much the same. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    number = errno;
    close(fd);
    errno = number;
    return -1;
}

static int open_unix(const char *path)
{
    struct sockaddr_un address;
    mode_t mask;
    int fd;

    if (!socket_path_address(path, &address)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (!socket_path_clear(path))
        return -1;
    mask = umask(0117);
    fd = listen_at((const struct sockaddr *)&address, sizeof address);
    (void)umask(mask);
    return fd;
}

int listener_open(const char *http, char error[LISTENER_ERROR_SIZE])
{
    const char *path = value_unix_path(http);
    struct sockaddr_storage address;
    int fd = -1;

    errno = EINVAL;
    if (path != NULL)
        fd = open_unix(path);
    else if (value_http_address(http, &address))
        fd = listen_at((const struct sockaddr *)&address, ip_sockaddr_size(&address));
    return fd >= 0 ? fd : refuse(error, http, errno);
}

void listener_close(int fd, const char *http)
{
    const char *path = value_unix_path(http);

    if (path != NULL)
        (void)unlink(path);
    close(fd);
}
