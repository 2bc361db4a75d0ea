/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: see server.h. Connections are accepted here and handed to libmicrohttpd, which reads and
 * writes them; when one must go its socket is shut down, and libmicrohttpd, which sees its end,
 * closes it. Owns: all below, of the thread alone but for `stopping`. No locks.
 */
#include "config.h"

#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/service.h"
#include "http/access.h"
#include "http/answer.h"
#include "http/connections.h"
#include "http/health.h"
#include "http/listener.h"
#include "http/login.h"

enum {
    POOL_SIZE = 32 * 1024, /* of libmicrohttpd, a connection: the header, and that of the answer */
    ACCEPT_PAUSE_MS = 100, /* when there is no descriptor left */
    ACCEPT_BURST = 16,     /* connections accepted before others are looked at again */
    EVENTS_MAX = 4,
    STRANGERS_LOG_MS = 60000, /* a line about clients that are turned away, in so long */
};

static int listener = -1, epoll_fd = -1, wake_fd = -1;
static char *place; /* `http`, as it was at the start */
static struct MHD_Daemon *daemon_of_http;
static pthread_t thread;
static atomic_bool stopping;

static struct connections connections;
static struct login_memory logins;
static bool accepts;         /* the listener is in epoll_fd */
static deadline accept_from; /* not before this */
static deadline log_from;    /* strangers: no line before this */

/* --- Answering ------------------------------------------------------------ */

static const char *const common_headers[][2] = {
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src "
     "'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

static struct connection *of_mhd(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Its place is free at once; libmicrohttpd closes it when it looks next. */
static void drop(struct connection *connection)
{
    const struct linger at_once = {.l_onoff = 1};

    if (connection->state == CONNECTION_ANSWERS) /* what the client does not take is thrown away */
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)shutdown(connection->fd, SHUT_RDWR);
    connections_set_state(&connections, connection, CONNECTION_DROPPED);
}

static enum MHD_Result count_host(void *arg, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    (void)value;
    *(unsigned *)arg += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    return MHD_YES;
}

static struct question read_question(struct MHD_Connection *mhd, const char *method,
                                     const char *version)
{
    const char *len =
        MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct question question = {
        .method = method,
        .version = version,
        .host = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST),
        .authorization =
            MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION),
        .header_size =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size,
        .has_content = (len != NULL && strspn(len, "0") != strlen(len)) ||
                       MHD_lookup_connection_value(mhd, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL};

    (void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, count_host, &question.host_count);
    return question;
}

static struct MHD_Response *make_response(const struct answer *answer)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->len, answer->body, MHD_RESPMEM_MUST_FREE);

    if (response == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof common_headers / sizeof common_headers[0]; i++)
        (void)MHD_add_response_header(response, common_headers[i][0], common_headers[i][1]);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    if (answer->name != NULL)
        (void)MHD_add_response_header(response, answer->name, answer->value);
    if (answer->closes)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

/* Makes room for the answer among those that clients have not taken yet. */
static void drop_heavy(size_t octets)
{
    struct connection *heavy;

    while ((heavy = connections_too_heavy(&connections, octets)) != NULL)
        drop(heavy);
}

static enum MHD_Result queue_answer(struct MHD_Connection *mhd, struct connection *connection,
                                    struct answer *answer)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    answer->closes = answer->closes || ++connection->requests >= CONNECTION_REQUESTS_MAX ||
                     atomic_load(&stopping);
    drop_heavy(answer->len);
    response = make_response(answer);
    if (response == NULL) {
        free(answer->body);
        return MHD_NO;
    }
    connections_set_state(&connections, connection, CONNECTION_ANSWERS);
    connection->octets = answer->len;
    result = MHD_queue_response(mhd, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_question(struct MHD_Connection *mhd, struct connection *connection,
                                       const struct question *question)
{
    struct config *config = service_config();
    struct answer answer;
    bool fine = answer_make(question, connection, config, &logins, &answer);

    config_put(config);
    return fine ? queue_answer(mhd, connection, &answer) : MHD_NO;
}

/*
 * libmicrohttpd calls twice: with the header of a request, when an answer means that nothing more
 * will be read of the connection, and when there is no more content. MHD_NO: it closes the
 * connection.
 */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *content,
                                  /* NOLINTNEXTLINE(readability-non-const-parameter) */
                                  size_t *content_len, void **request)
{
    const struct question question = read_question(mhd, method, version);
    struct connection *connection = of_mhd(mhd);
    const bool is_first = connection->is_header_new;

    (void)arg;
    (void)url;
    (void)content;
    (void)content_len;
    (void)request;
    connection->is_header_new = false;
    if (connection->state == CONNECTION_DROPPED)
        return MHD_NO; /* had come before */
    return is_first && !question.has_content ? MHD_YES
                                             : answer_question(mhd, connection, &question);
}

/* The target as it came: libmicrohttpd takes it apart in place, after this. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct connection *connection = of_mhd(mhd);

    (void)arg;
    connection->is_header_new = true;
    connection->is_request_good = request_read(&connection->request, target);
    return connection;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode how)
{
    struct connection *connection = of_mhd(mhd);

    (void)arg;
    (void)request;
    (void)how;
    if (connection->state == CONNECTION_ANSWERS)
        connections_set_state(&connections, connection, CONNECTION_WAITS);
}

/* --- Connections ---------------------------------------------------------- */

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    const union MHD_ConnectionInfo *info;

    (void)arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = connections_find(&connections, info->connect_fd);
    } else {
        connections_remove(&connections, *context);
    }
}

static void log_stranger(const struct sockaddr *peer)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct ip ip;

    if (deadline_left_ms(clock_system(), log_from) > 0)
        return;
    log_from = deadline_in(clock_system(), STRANGERS_LOG_MS);
    if (ip_from_sockaddr(peer, &ip))
        ip_text(&ip, text);
    log_line(LOG_LEVEL_INFO, "http: %s is not in http_allow: turned away", text);
}

static bool is_allowed(const struct sockaddr *peer)
{
    struct config *config = service_config();
    bool allowed = access_is_allowed(&config->http_allow, peer);

    config_put(config);
    if (!allowed)
        log_stranger(peer);
    return allowed;
}

/*
 * Hands the socket to libmicrohttpd, which closes it from now on, and begins with it now or, from
 * 1.0 on, in its next turn.
 */
static void hand_over(int fd, const struct sockaddr_storage *peer, socklen_t len)
{
    const struct sockaddr *from = (const struct sockaddr *)peer;
    struct connection *connection = connections_add(&connections, fd, from);
    struct sockaddr_storage local;
    socklen_t local_len = sizeof local;

    if (connection == NULL) {
        close(fd);
        return;
    }
    if (getsockname(fd, (struct sockaddr *)&local, &local_len) == 0)
        (void)ip_from_sockaddr((const struct sockaddr *)&local, &connection->local);
    if (MHD_add_connection(daemon_of_http, fd, from, len) != MHD_YES &&
        connections_find(&connections, fd) ==
            connection) /* not begun with, or not told of its end */
        connections_remove(&connections, connection);
}

/* False: there is none, or none can be had now. */
static bool accept_one(void)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    const struct sockaddr *from = (const struct sockaddr *)&peer;
    socklen_t len = sizeof peer;
    int fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *to_go;

    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            accept_from = deadline_in(clock_system(), ACCEPT_PAUSE_MS);
        return false;
    }
    if (peer.ss_family == AF_UNSPEC)
        peer.ss_family = AF_UNIX; /* whose peers have no name */
    if (!is_allowed(from)) {
        close(fd);
        return true;
    }
    if (!connections_has_place(&connections, from, &to_go)) {
        if (to_go == NULL) {
            close(fd);
            return true;
        }
        drop(to_go);
        (void)MHD_run(daemon_of_http); /* closes it */
    }
    hand_over(fd, &peer, len);
    return true;
}

/* Whether one more can have a place, if it has an address of its own. */
static bool may_accept(void)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNIX};
    struct connection *to_go;

    return !atomic_load(&stopping) && deadline_left_ms(clock_system(), accept_from) == 0 &&
           (connections_has_place(&connections, &nobody, &to_go) || to_go != NULL);
}

static void accept_some(void)
{
    for (int i = 0; i < ACCEPT_BURST && may_accept() && accept_one(); i++)
        ;
}

static void drop_overdue(void)
{
    struct connection *overdue;

    while ((overdue = connections_overdue(&connections)) != NULL)
        drop(overdue);
}

/* --- The thread ----------------------------------------------------------- */

static bool watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* While nobody can be accepted the listener is not looked at: it would be ready all the time. */
static void watch_listener(void)
{
    const bool wanted = may_accept();

    if (wanted == accepts)
        return;
    if (wanted)
        accepts = watch(listener);
    else if (epoll_ctl(epoll_fd, EPOLL_CTL_DEL, listener, NULL) == 0)
        accepts = false;
}

static int earlier(int one_ms, int other_ms)
{
    if (one_ms < 0 || other_ms < 0)
        return one_ms < 0 ? other_ms : one_ms;
    return one_ms < other_ms ? one_ms : other_ms;
}

static int wait_ms(void)
{
    MHD_UNSIGNED_LONG_LONG mhd_ms;
    int wait = connections_wait_ms(&connections);

    if (MHD_get_timeout(daemon_of_http, &mhd_ms) == MHD_YES)
        wait = earlier(wait, mhd_ms < ACCEPT_PAUSE_MS ? (int)mhd_ms : ACCEPT_PAUSE_MS);
    if (deadline_left_ms(clock_system(), accept_from) > 0)
        wait = earlier(wait, deadline_left_ms(clock_system(), accept_from));
    return wait;
}

/* Waits for something to happen, and does it. */
static void turn(int most_ms)
{
    struct epoll_event events[EVENTS_MAX];
    bool calls = false;
    eventfd_t woken;
    int count;

    watch_listener();
    count = epoll_wait(epoll_fd, events, EVENTS_MAX, earlier(wait_ms(), most_ms));
    for (int i = 0; i < count; i++) {
        calls = calls || events[i].data.fd == listener;
        if (events[i].data.fd == wake_fd)
            (void)!eventfd_read(wake_fd, &woken);
    }
    (void)MHD_run(daemon_of_http);
    drop_overdue();
    if (calls) {
        accept_some();
        (void)MHD_run(daemon_of_http); /* begins with them */
    }
}

static bool is_answering(void)
{
    for (size_t i = 0; i < connections.count; i++)
        if (connections.items[i]->state == CONNECTION_ANSWERS)
            return true;
    return false;
}

static void *http_thread(void *arg)
{
    deadline until;

    (void)arg;
    (void)pthread_setname_np(pthread_self(), "ringback-http"); /* 15 characters at most */
    while (!atomic_load(&stopping))
        turn(-1);
    until = deadline_in(clock_system(), HTTP_END_MS);
    while (is_answering() && !deadline_is_over(clock_system(), until))
        turn(deadline_left_ms(clock_system(), until));
    return NULL;
}

/* --- Starting and ending -------------------------------------------------- */

static void note_log(void *arg, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* libmicrohttpd's own words: of clients, mostly. */
static void note_log(void *arg, const char *format, va_list args)
{
    char text[300];

    (void)arg;
    if (!log_wants(LOG_LEVEL_DEBUG))
        return;
    (void)vsnprintf(text, sizeof text, format, args);
    log_line(LOG_LEVEL_DEBUG, "http: %s", text);
}

static bool start_mhd(void)
{
    const union MHD_DaemonInfo *info;

    daemon_of_http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
        NULL, MHD_OPTION_EXTERNAL_LOGGER, note_log, NULL, MHD_OPTION_CONNECTION_LIMIT,
        2U * CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_SIZE,
        MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, NULL, MHD_OPTION_END);
    if (daemon_of_http == NULL)
        return false;
    info = MHD_get_daemon_info(daemon_of_http, MHD_DAEMON_INFO_EPOLL_FD);
    return info != NULL && watch(info->epoll_fd);
}

/* The thread takes no signals. */
static bool start_thread(void)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, http_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

static void close_all(void)
{
    if (daemon_of_http != NULL)
        MHD_stop_daemon(daemon_of_http);
    if (listener >= 0)
        listener_close(listener, place);
    if (epoll_fd >= 0)
        close(epoll_fd);
    if (wake_fd >= 0)
        close(wake_fd);
    free(place);
    daemon_of_http = NULL;
    place = NULL;
    listener = epoll_fd = wake_fd = -1;
}

/* The file was read by whoever started us, root perhaps; a reload reads it as the daemon's user. */
static int check_password_file(const struct config *config, char error[HTTP_ERROR_SIZE])
{
    const char *path = config->http_password_file;

    if (path[0] == '\0' || access(path, R_OK) == 0)
        return EX_OK;
    (void)snprintf(error, HTTP_ERROR_SIZE,
                   "%s: http_password_file: the daemon's user may not read %s; \"chgrp %s\" and "
                   "\"chmod 640\" would be right",
                   config->path, path, config->user[0] != '\0' ? config->user : "GROUP");
    return EX_CONFIG;
}

static bool start_all(const struct config *config)
{
    connections = (struct connections){.clock = clock_system()};
    accept_from = log_from = 0;
    accepts = false;
    atomic_store(&stopping, false);
    place = strdup(config->http);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return place != NULL && epoll_fd >= 0 && wake_fd >= 0 && watch(wake_fd) &&
           login_memory_init(&logins, clock_system()) && start_mhd() && start_thread();
}

int http_start(const struct config *config, bool (*mta_is_served)(void),
               char error[HTTP_ERROR_SIZE])
{
    int status;

    if (config->http[0] == '\0')
        return EX_OK;
    status = check_password_file(config, error);
    if (status != EX_OK)
        return status;
    health_init(mta_is_served);
    listener = listener_open(config->http, error);
    if (listener < 0)
        return EX_UNAVAILABLE;
    if (start_all(config))
        return EX_OK;
    (void)snprintf(error, HTTP_ERROR_SIZE, "http: no memory, descriptor or thread can be had");
    close_all();
    return EX_OSERR;
}

void http_stop(void)
{
    if (listener < 0)
        return;
    atomic_store(&stopping, true);
    (void)!eventfd_write(wake_fd, 1);
    pthread_join(thread, NULL);
    close_all();
}
