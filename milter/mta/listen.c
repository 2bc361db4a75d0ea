/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen: see listen.h. When libmilter cannot open its socket it says why in syslog alone: so
 * everything that can fail is tried before, and said to whoever starts the daemon. Nothing is done
 * as root by way of a path that another user could have put there: a group is given as the daemon's
 * user.
 */
#include "config.h"

#include "mta/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/socket_path.h"
#include "base/text.h"
#include "daemon/daemon.h"

enum {
    GROUPS_MAX = 65536, /* NGROUPS_MAX of Linux */
    HANDED_FIRST = 3,   /* SD_LISTEN_FDS_START: systemd's interface, not ours to choose */
    HANDED_MAX = 1000,
    SEARCH_MAX = 1024, /* descriptors looked at for libmilter's: it was opened among the first */
};

static int handed_count;

static int refuse(char error[LISTEN_ERROR_SIZE], int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(char error[LISTEN_ERROR_SIZE], int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, LISTEN_ERROR_SIZE, format, args);
    va_end(args);
    return status;
}

static int refuse_errno(char error[LISTEN_ERROR_SIZE], const char *listen, int number)
{
    char why[128];

    return refuse(error, EX_UNAVAILABLE, "listen: cannot listen on %s: %s", listen,
                  strerror_r(number, why, sizeof why));
}

/* --- The group ------------------------------------------------------------ */

static bool is_member(gid_t group)
{
    const int count = getgroups(0, NULL);
    gid_t *groups = calloc(GROUPS_MAX, sizeof *groups);
    bool member = geteuid() == 0 || getegid() == group;

    if (groups != NULL && count > 0 && getgroups(GROUPS_MAX, groups) == count)
        for (int i = 0; i < count && !member; i++)
            member = groups[i] == group;
    free(groups);
    return member;
}

static int prepare_group(const struct config *config, struct listen_place *place,
                         char error[LISTEN_ERROR_SIZE])
{
    const char *name = config->listen_group;

    if (name[0] == '\0')
        return EX_OK;
    if (!daemon_find_group(name, &place->group))
        return refuse(error, EX_CONFIG,
                      "%s: listen_group: there is no group \"%s\"; one that is there, or \"\" for "
                      "the user's own, would be right",
                      config->path, name);
    if (!is_member(place->group))
        return refuse(error, EX_CONFIG,
                      "%s: listen_group: the daemon's user is not in the group \"%s\"; add it "
                      "(adduser USER %s), or let root start the daemon",
                      config->path, name, name);
    place->has_group = true;
    return EX_OK;
}

/* --- A unix socket -------------------------------------------------------- */

static int check_folder(const char *listen, const char *path, char error[LISTEN_ERROR_SIZE])
{
    const size_t len = (size_t)(strrchr(path, '/') - path);
    char folder[LISTEN_CONN_SIZE];
    struct stat there;

    (void)snprintf(folder, sizeof folder, "%.*s", len == 0 ? 1 : (int)len, path);
    if (stat(folder, &there) != 0)
        return refuse(error, EX_UNAVAILABLE,
                      errno == ENOENT
                          ? "listen: cannot listen on %s: there is no folder %s"
                          : "listen: cannot listen on %s: the folder %s cannot be looked into",
                      listen, folder);
    if (!S_ISDIR(there.st_mode))
        return refuse(error, EX_UNAVAILABLE, "listen: cannot listen on %s: %s is no folder", listen,
                      folder);
    if (access(folder, W_OK) != 0 && errno == EROFS)
        return refuse(error, EX_UNAVAILABLE,
                      "listen: cannot listen on %s: the folder %s is read-only here; under systemd "
                      "ReadWritePaths=%s in a drop-in (systemctl edit ringback-milter)",
                      listen, folder, folder);
    if (access(folder, W_OK | X_OK) != 0)
        return refuse(
            error, EX_UNAVAILABLE,
            "listen: cannot listen on %s: the daemon's user may not write in the folder %s", listen,
            folder);
    return EX_OK;
}

static int clear_path(const char *listen, const char *path, char error[LISTEN_ERROR_SIZE])
{
    if (socket_path_clear(path))
        return EX_OK;
    if (errno == EADDRINUSE)
        return refuse(
            error, EX_UNAVAILABLE,
            "listen: cannot listen on %s: another process answers there; nothing was removed",
            listen);
    if (errno == ENOTSOCK)
        return refuse(
            error, EX_UNAVAILABLE,
            "listen: cannot listen on %s: what is there is no socket; nothing was removed", listen);
    return refuse_errno(error, listen, errno);
}

static int prepare_unix(const struct config *config, struct listen_place *place,
                        char error[LISTEN_ERROR_SIZE])
{
    const char *listen = config->listen;
    int status;

    if (!text_copy(place->conn, sizeof place->conn, listen) ||
        !socket_path_address(value_unix_path(listen), (struct sockaddr_un *)&place->address))
        return refuse_errno(error, listen, ENAMETOOLONG);
    place->path = value_unix_path(place->conn);
    place->address_len = sizeof(struct sockaddr_un);
    place->mode = (mode_t)strtoul(config->listen_mode, NULL, 8);
    status = prepare_group(config, place, error);
    if (status == EX_OK)
        status = check_folder(listen, place->path, error);
    return status == EX_OK ? clear_path(listen, place->path, error) : status;
}

/* --- An address ----------------------------------------------------------- */

/*
 * The errno of bind(2): EADDRINUSE where a socket listens there, 0 where one has just been closed.
 */
static int try_to_bind(const struct listen_place *place)
{
    const int fd = socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    int error = 0;

    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)&place->address, place->address_len) != 0)
        error = errno;
    close(fd);
    return error;
}

/*
 * With the address, not the name: libmilter might take another of the name's addresses than we did.
 */
static void write_conn(struct listen_place *place)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&place->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&place->address;
    char host[INET6_ADDRSTRLEN] = "";

    if (place->address.ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(place->conn, sizeof place->conn, "inet:%u@[%s]", ntohs(v4->sin_port), host);
    } else {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(place->conn, sizeof place->conn, "inet6:%u@[%s]", ntohs(v6->sin6_port),
                       host);
    }
}

/* "8894@127.0.0.1", "8894@mx.example.org" or "8894", as the configuration has checked it. */
static int find_address(const char *port_and_host, int family, struct listen_place *place)
{
    const struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *at = strchr(port_and_host, '@');
    struct addrinfo *found;
    char port[16];
    int error;

    (void)snprintf(port, sizeof port, "%.*s", (int)strcspn(port_and_host, "@"), port_and_host);
    error = getaddrinfo(at != NULL ? at + 1 : NULL, port, &hints, &found);
    if (error != 0)
        return error;
    memcpy(&place->address, found->ai_addr, found->ai_addrlen);
    place->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int prepare_inet(const struct config *config, struct listen_place *place,
                        char error[LISTEN_ERROR_SIZE])
{
    const char *listen = config->listen;
    const int family = strncmp(listen, "inet6:", 6) == 0 ? AF_INET6 : AF_INET;
    const int unknown = find_address(strchr(listen, ':') + 1, family, place);
    int taken;

    if (unknown != 0)
        return refuse(error, EX_UNAVAILABLE, "listen: cannot listen on %s: %s", listen,
                      gai_strerror(unknown));
    write_conn(place);
    taken = try_to_bind(place);
    if (taken == EADDRINUSE && handed_count > 0)
        return refuse(
            error, EX_UNAVAILABLE,
            "listen: cannot listen on %s: systemd has opened a socket for us there, perhaps; "
            "then listen = \"systemd\" would be right",
            listen);
    return taken == 0 ? EX_OK : refuse_errno(error, listen, taken);
}

/* --- What systemd has opened ---------------------------------------------- */

/* The number in a variable of the environment; 0: none, or no number. */
static long number_in(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long number;

    if (text == NULL || text[0] == '\0')
        return 0;
    number = strtol(text, &end, 10);
    return *end == '\0' ? number : 0;
}

void listen_inherit(void)
{
    const long count = number_in("LISTEN_FDS");

    handed_count = 0;
    if (number_in("LISTEN_PID") == (long)getpid() && count > 0)
        handed_count = count < HANDED_MAX ? (int)count : HANDED_MAX;
    for (int i = 0; i < handed_count; i++)
        (void)fcntl(HANDED_FIRST + i, F_SETFD, FD_CLOEXEC);
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
}

static bool is_listening(int fd)
{
    int listens = 0, type = 0;
    socklen_t len = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || listens == 0)
        return false;
    len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static bool find_own_address(int fd, struct listen_place *place)
{
    place->address_len = sizeof place->address;
    if (getsockname(fd, (struct sockaddr *)&place->address, &place->address_len) != 0)
        return false;
    return place->address.ss_family == AF_INET || place->address.ss_family == AF_INET6 ||
           place->address.ss_family == AF_UNIX;
}

static int prepare_handed(const struct config *config, struct listen_place *place,
                          char error[LISTEN_ERROR_SIZE])
{
    if (handed_count == 0)
        return refuse(error, EX_CONFIG,
                      "%s: listen: \"systemd\" has handed us no socket; start "
                      "ringback-milter.socket first, or an address would be right",
                      config->path);
    if (handed_count > 1)
        return refuse(error, EX_CONFIG,
                      "%s: listen: systemd has handed us %d sockets; one ListenStream would be "
                      "right",
                      config->path, handed_count);
    if (!is_listening(HANDED_FIRST) || !find_own_address(HANDED_FIRST, place))
        return refuse(error, EX_CONFIG,
                      "%s: listen: what systemd has handed us is no stream socket that listens; "
                      "ListenStream, with Accept=no, would be right",
                      config->path);
    place->inherited = true;
    (void)snprintf(place->conn, sizeof place->conn, "fd:%d", HANDED_FIRST);
    return EX_OK;
}

/* --- Small writes --------------------------------------------------------- */

static in_port_t port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ((const struct sockaddr_in *)address)->sin_port;
    return ((const struct sockaddr_in6 *)address)->sin6_port;
}

/* libmilter keeps the number of its listening socket to itself. -1: not found. */
static int find_listener(const struct listen_place *place)
{
    struct listen_place found;

    for (int fd = 0; fd < SEARCH_MAX; fd++)
        if (is_listening(fd) && find_own_address(fd, &found) &&
            found.address.ss_family == place->address.ss_family &&
            port_of(&found.address) == port_of(&place->address))
            return fd;
    return -1;
}

/*
 * libmilter writes header fields and the answer one by one, and reads no further until the MTA has
 * taken them: Nagle's algorithm would keep all but the first back until the MTA's kernel, which
 * waits for more, acknowledges it 40 ms later. What is accepted inherits this from what listens.
 */
static void write_at_once(const struct listen_place *place)
{
    const int yes = 1;
    int fd;

    if (place->address.ss_family == AF_UNIX)
        return;
    fd = find_listener(place);
    if (fd >= 0) /* not found: answers are slower, nothing else */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

/* --- All of them ---------------------------------------------------------- */

int listen_prepare(const struct config *config, struct listen_place *place,
                   char error[LISTEN_ERROR_SIZE])
{
    *place = (struct listen_place){.path = NULL};
    error[0] = '\0';
    if (strcmp(config->listen, VALUE_LISTEN_SYSTEMD) == 0)
        return prepare_handed(config, place, error);
    return value_unix_path(config->listen) != NULL ? prepare_unix(config, place, error)
                                                   : prepare_inet(config, place, error);
}

int listen_settle(const struct listen_place *place, char error[LISTEN_ERROR_SIZE])
{
    int status;

    write_at_once(place);
    if (place->path == NULL || !place->has_group ||
        lchown(place->path, (uid_t)-1, place->group) == 0)
        return EX_OK;
    status = refuse_errno(error, place->conn, errno);
    (void)unlink(place->path);
    return status;
}
