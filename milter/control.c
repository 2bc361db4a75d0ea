/* SPDX-License-Identifier: BSD-2-Clause */
/* control: see control.h. */
#include "config.h"

#include "control.h"

#include "deadline.h"
#include "log.h"
#include "service.h"
#include "status.h"
#include "unixpath.h"

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

enum { ACCEPT_PAUSE_MS = 100 };

static int listener = -1, stop_fd = -1;
static struct sockaddr_un own;
static pthread_t thread;

/* --- One client ----------------------------------------------------------- */

/* One line, without its end. False: it did not come in time, or is too long. One deadline over all
 * of it: a client that drips must not keep the others, nor the daemon's end, waiting. */
static bool read_line(int fd, char line[CONTROL_LINE_MAX + 1])
{
    const deadline until = deadline_in(clock_system(), CONTROL_CLIENT_MS);
    size_t len = 0;

    while (len < CONTROL_LINE_MAX && deadline_left_ms(clock_system(), until) > 0) {
        ssize_t n = recv(fd, line + len, CONTROL_LINE_MAX - len, 0);
        char *end;

        if (n <= 0)
            return false;
        end = memchr(line + len, '\n', (size_t)n);
        len += (size_t)n;
        if (end != NULL) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

static void send_all(int fd, const char *octets, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, octets, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        octets += n;
        len -= (size_t)n;
    }
}

static json_t *obey(const char *line)
{
    char said[1000];
    bool taken;

    if (strcmp(line, "status") == 0)
        return status_object();
    if (strcmp(line, "reload") != 0)
        return json_pack("{s:b, s:s}", "ok", 0, "message", "not a request: status or reload");
    taken = service_reload(said, sizeof said);
    return json_pack("{s:b, s:s}", "ok", (int)taken, "message", said);
}

static void serve(int fd)
{
    const struct timeval limit = {.tv_sec = CONTROL_CLIENT_MS / 1000};
    char line[CONTROL_LINE_MAX + 1];
    json_t *object;
    char *text;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (!read_line(fd, line))
        return;
    object = obey(line);
    text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text != NULL) {
        send_all(fd, text, strlen(text));
        send_all(fd, "\n", 1);
    }
    free(text);
    json_decref(object);
}

static void *control_thread(void *arg)
{
    struct pollfd fds[] = {{.fd = listener, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

    (void)arg;
    for (;;) {
        int fd;

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents != 0)
            break;
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            /* No descriptor left, most likely: the client waits on, and must not be spun about. */
            (void)poll(&fds[1], 1, ACCEPT_PAUSE_MS);
            continue;
        }
        serve(fd);
        close(fd);
    }
    return NULL;
}

/* --- Opening and closing -------------------------------------------------- */

static bool open_listener(void)
{
    mode_t mask;
    int error;

    if (!unixpath_clear(own.sun_path))
        return false;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        return false;
    mask = umask(0117);
    error = bind(listener, (const struct sockaddr *)&own, sizeof own);
    (void)umask(mask);
    return error == 0 && listen(listener, 16) == 0;
}

static void close_descriptors(void)
{
    int saved = errno;

    if (listener >= 0)
        close(listener);
    if (stop_fd >= 0)
        close(stop_fd);
    listener = stop_fd = -1;
    errno = saved;
}

static bool start_thread(void)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, control_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return error == 0;
}

bool control_start(const char *path)
{
    if (path[0] == '\0')
        return true;
    if (!unixpath_address(path, &own)) {
        errno = ENAMETOOLONG;
        return false;
    }
    stop_fd = eventfd(0, EFD_CLOEXEC);
    if (stop_fd >= 0 && open_listener() && start_thread())
        return true;
    close_descriptors();
    return false;
}

void control_stop(void)
{
    if (listener < 0)
        return;
    (void)!eventfd_write(stop_fd, 1);
    pthread_join(thread, NULL);
    (void)unlink(own.sun_path);
    close_descriptors();
}
