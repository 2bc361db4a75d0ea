/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: see server.h.
 */
#include "config.h"

#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define BACKLOG 4096

struct listener {
    struct watch watch;
    struct server *srv;
    struct place *place; /* of srv->scn */
    char key[sizeof((struct place *)0)->key];
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* to be removed; "": none */
    UT_hash_handle hh;
    struct listener *next; /* while a scenario is being loaded */
};

static void free_listener(struct watch *w)
{
    free(w); /* its first member */
}

/* The path goes at once, the rest once the loop has no more use for it. */
static void close_listener(struct server *srv, struct listener *l)
{
    if (l->path[0] != '\0')
        (void)unlink(l->path);
    loop_drop(srv->net.loop, &l->watch);
}

/* Accepts and closes one, or the listening socket would report it for ever. */
static void shed_one(struct server *srv, int listen_fd)
{
    (void)close(srv->spare_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    srv->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_some(struct watch *w, uint32_t events)
{
    struct listener *l = (struct listener *)w;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(w->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            shed_one(l->srv, w->fd);
        if (fd < 0)
            return;
        conn_start(&l->srv->net, fd, &peer, l->srv->scn, l->place);
    }
}

/* What a program that was killed has left there is removed; all users may connect. */
static bool bind_path(struct listener *l, const struct place *place)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&place->sa;
    struct stat found;
    if (lstat(un->sun_path, &found) == 0 && S_ISSOCK(found.st_mode))
        (void)unlink(un->sun_path);
    if (bind(l->watch.fd, (const struct sockaddr *)un, place->sa_len) != 0)
        return false;
    memcpy(l->path, un->sun_path, sizeof l->path);
    return chmod(l->path, 0666) == 0;
}

static bool bind_place(struct listener *l, const struct place *place)
{
    const struct sockaddr *sa = (const struct sockaddr *)&place->sa;
    if (sa->sa_family == AF_UNIX)
        return bind_path(l, place);
    (void)setsockopt(l->watch.fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (sa->sa_family == AF_INET6)
        (void)setsockopt(l->watch.fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    return bind(l->watch.fd, sa, place->sa_len) == 0;
}

static bool open_socket(struct listener *l, const struct place *place)
{
    int fd = socket(place->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    l->watch.fd = fd;
    if (fd < 0)
        return false;
    if (bind_place(l, place) && listen(fd, BACKLOG) == 0 &&
        loop_add(l->srv->net.loop, &l->watch, EPOLLIN))
        return true;
    int saved = errno;
    (void)close(fd);
    if (l->path[0] != '\0')
        (void)unlink(l->path);
    errno = saved;
    return false;
}

static struct listener *new_listener(struct server *srv, struct place *place)
{
    struct listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->watch = (struct watch){.fd = -1, .ready = accept_some, .release = free_listener};
    l->srv = srv;
    l->place = place;
    memcpy(l->key, place->key, sizeof l->key);
    if (open_socket(l, place))
        return l;
    free(l);
    return NULL;
}

static void drop_list(struct server *srv, struct listener *list)
{
    while (list != NULL) {
        struct listener *l = list;
        list = list->next;
        close_listener(srv, l);
    }
}

/* Listens where scn wants it and nobody does yet. NULL with *failed: all of them were closed again.
 */
static struct listener *open_missing(struct server *srv, struct scenario *scn,
                                     const struct place **failed)
{
    struct listener *fresh = NULL;
    *failed = NULL;
    for (struct place *place = scn->places; place != NULL; place = place->hh.next) {
        struct listener *l = NULL;
        HASH_FIND_STR(srv->listeners, place->key, l);
        if (l != NULL || place->conf->refuse)
            continue;
        l = new_listener(srv, place);
        if (l == NULL || counters_host(srv->net.world.counters, place->ip) == NULL) {
            *failed = place;
            if (l != NULL)
                LL_PREPEND(fresh, l);
            drop_list(srv, fresh);
            return NULL;
        }
        LL_PREPEND(fresh, l);
    }
    return fresh;
}

/* From here on nothing can fail: those that stay get their new place, the others close. */
/* NOLINTNEXTLINE(readability-function-size): most of it is within uthash's macro */
static void take_over(struct server *srv, struct scenario *scn, struct listener *fresh)
{
    struct listener *l;
    struct listener *next;
    HASH_ITER(hh, srv->listeners, l, next)
    {
        struct place *place = NULL;
        HASH_FIND_STR(scn->places, l->key, place);
        l->place = place;
        if (place != NULL && !place->conf->refuse)
            continue;
        HASH_DEL(srv->listeners, l);
        close_listener(srv, l);
    }
    while (fresh != NULL) {
        l = fresh;
        LL_DELETE(fresh, l);
        HASH_ADD_STR(srv->listeners, key, l);
        if (l->hh.tbl == NULL) /* no memory: nobody listens there, and the next load tries again */
            close_listener(srv, l);
    }
    scenario_put(srv->scn);
    srv->scn = scn;
}

bool server_load(struct server *srv, char *error, size_t error_size)
{
    struct scenario *scn = scenario_read(srv->path, srv->port, error, error_size);
    if (scn == NULL)
        return false;
    const struct place *failed;
    errno = 0;
    struct listener *fresh = open_missing(srv, scn, &failed);
    if (failed != NULL) {
        (void)snprintf(error, error_size, "cannot listen at %s: %s", failed->key, strerror(errno));
        scenario_put(scn);
        return false;
    }
    take_over(srv, scn, fresh);
    return true;
}

bool server_init(struct server *srv, const char *path, unsigned port, char *error,
                 size_t error_size)
{
    *srv = (struct server){.path = path, .port = port};
    srv->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    srv->net.loop = loop_new();
    srv->net.tls = tls_context_new();
    srv->net.world.counters = counters_new();
    srv->net.world.greylist = greylist_new();
    if (srv->net.loop == NULL || srv->net.tls == NULL || srv->net.world.counters == NULL ||
        srv->net.world.greylist == NULL) {
        (void)snprintf(error, error_size, "cannot start: no memory, descriptors or TLS");
        return false;
    }
    return server_load(srv, error, error_size);
}

void server_fini(struct server *srv)
{
    struct listener *l;
    struct listener *next;
    HASH_ITER(hh, srv->listeners, l, next)
    {
        HASH_DEL(srv->listeners, l);
        close_listener(srv, l);
    }
    conn_end_all(&srv->net);
    loop_free(srv->net.loop);
    scenario_put(srv->scn);
    counters_free(srv->net.world.counters);
    greylist_free(srv->net.world.greylist);
    SSL_CTX_free(srv->net.tls);
    if (srv->spare_fd >= 0)
        (void)close(srv->spare_fd);
}
