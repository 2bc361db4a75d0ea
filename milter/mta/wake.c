/* SPDX-License-Identifier: BSD-2-Clause */
/* wake: see wake.h. */
#include "config.h"

#include "mta/wake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

static struct sockaddr_storage own;
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

void wake_init(const struct sockaddr_storage *address, socklen_t len)
{
    own = *address;
    own_len = len;
    any_to_loopback();
}

void wake_another_worker(void)
{
    int fd = socket(own.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return; /* no descriptor: the burst is served more slowly, not wrongly */
    (void)!connect(fd, (const struct sockaddr *)&own, own_len);
    close(fd);
}
