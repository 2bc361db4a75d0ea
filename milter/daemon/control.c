/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: see control.h. Owns: the listening sockets, the clients that wait for their turn (its
 * thread's alone), the count of requests under way. Lock: `lock`, for the last; never held while
 * anything is done.
 */
#include "config.h"

#include "daemon/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/control_protocol.h"
#include "base/json.h"
#include "base/log.h"
#include "base/socket_path.h"
#include "daemon/service.h"
#include "daemon/status.h"

enum {
    ACCEPT_PAUSE_MS = 100,
    BACKLOG = 64,
    NOBODY = 65534, /* whom the kernel names for users that it does not know here */
};

/* The descriptors that poll(2) looks at: our own, then a client's each. */
enum { WAKE, BY_PATH, BY_PROCESS, CLIENTS };

/* A client whose request nobody obeys yet. */
struct client {
    int fd;
    deadline until; /* by when the whole request must have come */
    bool complete;  /* it has: it is in line */
    size_t len;
    char line[CONTROL_LINE_MAX + 1];
};

static int listeners[CLIENTS] = {-1, -1, -1}; /* BY_PATH, BY_PROCESS; -1: none */
static int wake_fd = -1; /* wakes the thread: it is to stop, or a request is done */
static struct sockaddr_un own;
static pthread_t thread;

/* Of control_thread alone. */
static struct client *clients[CONTROL_CLIENTS_MAX]; /* as they came */
static size_t client_count;
static deadline accept_from; /* after accept(2) found no descriptor left: not before this */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_obeyed = PTHREAD_COND_INITIALIZER;
static unsigned obeyed; /* lock; requests under way */
static bool reloading;  /* lock; one of them is a reload: another one waits */
static bool stopping;   /* lock */

/* --- One request ---------------------------------------------------------- */

/*
 * Whether the client is gone. One that has only shut its sending side down still waits for its
 * answer.
 */
static bool has_hung_up(int fd)
{
    struct pollfd at = {.fd = fd};

    return poll(&at, 1, 0) > 0 && (at.revents & (POLLHUP | POLLERR)) != 0;
}

static void send_all(int fd, const char *octets, size_t len, deadline until)
{
    struct pollfd at = {.fd = fd, .events = POLLOUT};

    while (len > 0) { /* ends: by the deadline at the latest */
        ssize_t n = send(fd, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            octets += n;
            len -= (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
                   poll(&at, 1, deadline_left_ms(clock_system(), until)) == 0) {
            return;
        }
    }
}

static void send_object(int fd, json_t *object)
{
    const deadline until = deadline_in(clock_system(), CONTROL_ANSWER_MS);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text != NULL) {
        send_all(fd, text, strlen(text), until);
        send_all(fd, "\n", 1, until);
    }
    free(text);
}

static json_t *result_object(bool good, const char *message)
{
    return json_pack("{s:b, s:o}", "ok", (int)good, "message", json_text(message));
}

static json_t *obey_reload(void)
{
    char said[1000];
    bool taken = service_reload(said, sizeof said);

    return result_object(taken, said);
}

static bool is_reload(const struct client *client)
{
    return strcmp(client->line, CONTROL_RELOAD) == 0;
}

static json_t *obey_request(const struct client *client)
{
    if (strcmp(client->line, CONTROL_STATUS) == 0)
        return status_object();
    if (strncmp(client->line, CONTROL_EXPLAIN, strlen(CONTROL_EXPLAIN)) == 0)
        return status_explain(client->line + strlen(CONTROL_EXPLAIN));
    return is_reload(client) ? obey_reload()
                             : result_object(false, "not a request: status, reload or explain");
}

static void free_client(struct client *client)
{
    close(client->fd);
    free(client);
}

/* The request is answered, or could not be obeyed. */
static void end_turn(bool of_reload)
{
    pthread_mutex_lock(&lock);
    reloading = reloading && !of_reload;
    if (--obeyed == 0)
        pthread_cond_signal(&all_obeyed);
    (void)!eventfd_write(wake_fd, 1); /* not closed yet: control_stop waits for obeyed to be 0 */
    pthread_mutex_unlock(&lock);
}

static void *obey_thread(void *arg)
{
    struct client *client = arg;
    json_t *object = has_hung_up(client->fd) ? NULL : obey_request(client);
    bool of_reload = is_reload(client);

    send_object(client->fd, object);
    json_decref(object);
    free_client(client);
    end_turn(of_reload);
    return NULL;
}

/* The thread takes no signals. joins NULL: it is detached, and `obeyed` counts it. */
static bool start_thread(void *(*run)(void *), void *arg, pthread_t *joins)
{
    sigset_t all, before;
    pthread_t made;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(joins != NULL ? joins : &made, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0 && joins == NULL)
        pthread_detach(made);
    errno = error;
    return error == 0;
}

/* --- Clients that have not been obeyed ------------------------------------ */

static struct client *take_client(size_t at)
{
    struct client *client = clients[at];

    client_count--;
    for (; at < client_count; at++)
        clients[at] = clients[at + 1];
    return client;
}

static void drop_client(size_t at)
{
    free_client(take_client(at));
}

/*
 * The client that came first of those whose request is not complete; client_count: there is none.
 */
static size_t first_silent(void)
{
    size_t at = 0;

    while (at < client_count && clients[at]->complete)
        at++;
    return at;
}

static void add_client(int fd)
{
    struct client *client = malloc(sizeof *client);

    if (client_count == CONTROL_CLIENTS_MAX)
        drop_client(first_silent());
    if (client == NULL) {
        close(fd);
        return;
    }
    client->fd = fd;
    client->until = deadline_in(clock_system(), CONTROL_READ_MS);
    client->complete = false;
    client->len = 0;
    clients[client_count++] = client;
}

static bool may_accept(void)
{
    return (client_count < CONTROL_CLIENTS_MAX || first_silent() < client_count) &&
           deadline_left_ms(clock_system(), accept_from) == 0;
}

/* Who comes by our process id needs no right to a file: so it is looked at who it is. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    return peer.uid == 0 || (peer.uid == geteuid() && peer.uid != NOBODY);
}

static void accept_one(int from)
{
    int fd = accept4(listeners[from], NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && from == BY_PROCESS && !is_trusted(fd))
        close(fd);
    else if (fd >= 0)
        add_client(fd);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        /* No descriptor is left, most likely: poll(2) would report the client again at once. */
        accept_from = deadline_in(clock_system(), ACCEPT_PAUSE_MS);
}

/* Reads what there is. False: the client is to be left. */
static bool read_some(struct client *client)
{
    ssize_t n =
        recv(client->fd, client->line + client->len, CONTROL_LINE_MAX - client->len, MSG_DONTWAIT);
    char *end;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    end = memchr(client->line + client->len, '\n', (size_t)n);
    client->len += (size_t)n;
    if (end != NULL)
        *end = '\0';
    client->complete = end != NULL;
    return n > 0 && (client->complete || client->len < CONTROL_LINE_MAX);
}

/* False: the client is to be left. */
static bool attend_client(struct client *client, short events)
{
    if (client->complete)
        return (events & (POLLHUP | POLLERR)) == 0;
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_some(client))
        return false;
    return client->complete || deadline_left_ms(clock_system(), client->until) > 0;
}

/* Takes a turn for the client. False: too many requests are under way, or another reload is. */
static bool begin_turn(const struct client *client)
{
    bool begins;

    pthread_mutex_lock(&lock);
    begins = obeyed < CONTROL_OBEYED_MAX && !(reloading && is_reload(client));
    obeyed += begins;
    reloading = reloading || (begins && is_reload(client));
    pthread_mutex_unlock(&lock);
    return begins;
}

/* Starts a thread for each complete request that can have its turn. */
static void obey_clients(void)
{
    size_t at = 0;

    while (at < client_count) {
        struct client *client = clients[at];

        if (!client->complete || !begin_turn(client)) {
            at++;
            continue;
        }
        (void)take_client(at);
        if (!start_thread(obey_thread, client, NULL)) {
            end_turn(is_reload(client));
            free_client(client);
        }
    }
}

/* --- The thread ----------------------------------------------------------- */

static bool is_stopping(void)
{
    bool is;

    pthread_mutex_lock(&lock);
    is = stopping;
    pthread_mutex_unlock(&lock);
    return is;
}

/*
 * How long poll(2) may wait: until the next client's time is up, or accept(2) may be tried again.
 * -1: for ever.
 */
static int wait_ms_for(bool accepts)
{
    int wait_ms = -1;

    if (!accepts && client_count < CONTROL_CLIENTS_MAX)
        wait_ms = deadline_left_ms(clock_system(), accept_from);
    for (size_t i = 0; i < client_count; i++) {
        int left_ms = deadline_left_ms(clock_system(), clients[i]->until);

        if (!clients[i]->complete && (wait_ms < 0 || left_ms < wait_ms))
            wait_ms = left_ms;
    }
    return wait_ms;
}

/* Waits until there is something to do. */
static bool wait_for_news(struct pollfd fds[CONTROL_CLIENTS_MAX + CLIENTS])
{
    bool accepts = may_accept();

    fds[WAKE] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    for (int i = BY_PATH; i <= BY_PROCESS; i++)
        fds[i] = (struct pollfd){.fd = accepts ? listeners[i] : -1, .events = POLLIN};
    for (size_t i = 0; i < client_count; i++)
        fds[i + CLIENTS] =
            (struct pollfd){.fd = clients[i]->fd, .events = clients[i]->complete ? 0 : POLLIN};
    return poll(fds, (nfds_t)client_count + CLIENTS, wait_ms_for(accepts)) >= 0 || errno == EINTR;
}

static void *control_thread(void *arg)
{
    struct pollfd fds[CONTROL_CLIENTS_MAX + CLIENTS];
    eventfd_t woken;

    (void)arg;
    while (!is_stopping() && wait_for_news(fds)) {
        if (fds[WAKE].revents != 0)
            (void)!eventfd_read(wake_fd, &woken);
        for (size_t i = client_count; i-- > 0;) /* backwards: dropping one moves those behind it */
            if (!attend_client(clients[i], fds[i + CLIENTS].revents))
                drop_client(i);
        obey_clients();
        for (int i = BY_PATH; i <= BY_PROCESS; i++)
            if (fds[i].revents != 0)
                accept_one(i);
    }
    while (client_count > 0)
        drop_client(0);
    return NULL;
}

/* --- Opening and closing -------------------------------------------------- */

static bool listen_at(int from, const struct sockaddr_un *address, socklen_t len)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const mode_t mask = umask(0117);
    bool listens = fd >= 0 && bind(fd, (const struct sockaddr *)address, len) == 0;

    (void)umask(mask);
    listens = listens && listen(fd, BACKLOG) == 0;
    listeners[from] = fd;
    return listens;
}

static bool open_path(const char *path)
{
    own.sun_path[0] = '\0';
    if (path[0] == '\0')
        return true;
    if (!socket_path_address(path, &own)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return socket_path_clear(path) && listen_at(BY_PATH, &own, sizeof own);
}

static void close_listener(int from)
{
    if (listeners[from] >= 0)
        close(listeners[from]);
    listeners[from] = -1;
}

/* Anybody may have taken the name: that is no reason not to start. */
static void open_of_process(void)
{
    struct sockaddr_un address;
    const socklen_t len = socket_path_of_process(getpid(), &address);
    char why[128];

    if (listen_at(BY_PROCESS, &address, len))
        return;
    log_line(LOG_LEVEL_WARNING, "the socket of our process id cannot be used by reload --pid: %s",
             strerror_r(errno, why, sizeof why));
    close_listener(BY_PROCESS);
}

static void close_descriptors(void)
{
    const int saved = errno;

    close_listener(BY_PATH);
    close_listener(BY_PROCESS);
    if (wake_fd >= 0)
        close(wake_fd);
    wake_fd = -1;
    errno = saved;
}

bool control_start(const char *path)
{
    stopping = false;
    accept_from = 0;
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd >= 0 && open_path(path)) {
        open_of_process();
        if (start_thread(control_thread, NULL, &thread))
            return true;
    }
    close_descriptors();
    return false;
}

void control_stop(void)
{
    if (wake_fd < 0)
        return;
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_mutex_unlock(&lock);
    (void)!eventfd_write(wake_fd, 1);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&lock);
    while (obeyed > 0)
        pthread_cond_wait(&all_obeyed, &lock);
    pthread_mutex_unlock(&lock);
    if (own.sun_path[0] != '\0')
        (void)unlink(own.sun_path);
    close_descriptors();
}
