/* SPDX-License-Identifier: BSD-2-Clause */
/* wake: see wake.h. */
#include "config.h"

#include "wake.h"

#include "text.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_storage own;
static socklen_t own_len;

static bool init_unix(const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&own;

    address->sun_family = AF_UNIX;
    own_len = sizeof *address;
    return text_copy(address->sun_path, sizeof address->sun_path, path);
}

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

/* "8894@127.0.0.1", "8894@[::1]" or "8894". */
static bool init_inet(const char *port_and_host, int family)
{
    const char *at = strchr(port_and_host, '@');
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found;
    const char *any = family == AF_INET6 ? "::" : "0.0.0.0";
    char port[16], host[256];
    size_t len;

    (void)snprintf(port, sizeof port, "%.*s", (int)strcspn(port_and_host, "@"), port_and_host);
    if (!text_copy(host, sizeof host, at != NULL ? at + 1 : any))
        return false;
    len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    memcpy(&own, found->ai_addr, found->ai_addrlen);
    own_len = found->ai_addrlen;
    freeaddrinfo(found);
    any_to_loopback();
    return true;
}

bool wake_init(const char *listen)
{
    static const struct {
        const char *prefix;
        int family;
    } kinds[] = {{"unix:", AF_UNIX}, {"local:", AF_UNIX}, {"inet6:", AF_INET6}, {"inet:", AF_INET}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i].prefix);

        if (strncmp(listen, kinds[i].prefix, len) == 0)
            return kinds[i].family == AF_UNIX ? init_unix(listen + len)
                                              : init_inet(listen + len, kinds[i].family);
    }
    return init_unix(listen);
}

void wake_another_worker(void)
{
    int fd = socket(own.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return; /* no descriptor: the burst is served more slowly, not wrongly */
    (void)!connect(fd, (const struct sockaddr *)&own, own_len);
    close(fd);
}
