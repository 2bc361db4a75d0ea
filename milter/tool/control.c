/* SPDX-License-Identifier: BSD-2-Clause */
/* control: see control.h. */
#include "config.h"

#include "tool/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/socket_path.h"
#include "tool/load.h"
#include "tool/say.h"

static int connect_at(const struct sockaddr_un *address, socklen_t len)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0 || connect(fd, (const struct sockaddr *)address, len) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address;

    if (socket_path_address(path, &address))
        return connect_at(&address, sizeof address);
    errno = ENAMETOOLONG;
    return -1;
}

/* Anybody may have taken the address: who listens there must be the process itself. */
static int connect_to_process(pid_t process)
{
    struct sockaddr_un address;
    const int fd = connect_at(&address, socket_path_of_process(process, &address));
    struct ucred peer = {.pid = -1};
    socklen_t len = sizeof peer;

    if (fd < 0 ||
        (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == process))
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

struct answer {
    char *text; /* terminated */
    size_t len, room;
};

static bool make_room(struct answer *answer)
{
    size_t room = answer->room > 0 ? 2 * answer->room : 65536;
    char *text;

    if (answer->len < answer->room)
        return true;
    text = room <= CONTROL_ANSWER_MAX ? realloc(answer->text, room + 1) : NULL;
    if (text == NULL)
        return false;
    answer->text = text;
    answer->room = room;
    return true;
}

/* Reads until the daemon closes. False: nothing came, too much came, or not in time. */
static bool read_all(int fd, struct answer *answer)
{
    const deadline until = deadline_in(clock_system(), CONTROL_WAIT_S * INT64_C(1000));
    struct pollfd at = {.fd = fd, .events = POLLIN};
    ssize_t n = 1;

    while (n > 0) { /* ends: by the deadline at the latest */
        if (!make_room(answer) || poll(&at, 1, deadline_left_ms(clock_system(), until)) <= 0)
            return false;
        n = recv(fd, answer->text + answer->len, answer->room - answer->len, 0);
        answer->len += n > 0 ? (size_t)n : 0;
    }
    answer->text[answer->len] = '\0';
    return n == 0 && answer->len > 0;
}

/* Closes fd; -1 is fine: errno says why. */
static json_t *ask_at(int fd, const char *request)
{
    struct answer answer = {.text = NULL};
    json_t *object = NULL;

    if (fd < 0)
        return NULL;
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    if (read_all(fd, &answer))
        object = json_loads(answer.text, 0, NULL);
    free(answer.text);
    close(fd);
    errno = 0;
    return object;
}

json_t *control_ask(const char *path, const char *request)
{
    return ask_at(connect_to(path), request);
}

json_t *control_ask_process(pid_t process, const char *request)
{
    return ask_at(connect_to_process(process), request);
}

void control_say_why(const char *path, int error)
{
    switch (error) {
    case 0:
        (void)say_line(EX_UNAVAILABLE, "the daemon at %s gave no answer", path);
        break;
    case ENOENT:
    case ECONNREFUSED:
        (void)say_line(EX_UNAVAILABLE,
                       "the daemon cannot be reached at %s: %s: is ringback-milter running, and is "
                       "that its control socket?",
                       path, strerrordesc_np(error));
        break;
    default:
        (void)say_line(EX_UNAVAILABLE, "the daemon cannot be reached at %s: %s%s", path,
                       strerrordesc_np(error), say_hint(error));
        break;
    }
}

int control_check(const struct syntax *syntax, const char *config_path, const char *control)
{
    if (control != NULL && config_path != NULL)
        return syntax_fail(syntax, "-c and --control do not go together");
    if (control != NULL && control[0] == '\0')
        return syntax_fail(syntax, "--control: a path is wanted");
    return -1;
}

/* named_by: the file, or the option, that says where. */
static json_t *request_at(const char *control, const char *named_by, const char *line, int *status)
{
    json_t *object;

    *status = EX_UNAVAILABLE;
    if (control[0] == '\0') {
        (void)say_line(*status, "%s: control is \"\": the daemon listens nowhere for questions",
                       named_by);
        return NULL;
    }
    object = control_ask(control, line);
    if (object == NULL)
        control_say_why(control, errno);
    return object;
}

json_t *control_request(const char *control, const char *config_path, const char *line, int *status)
{
    struct config *config;
    json_t *object;

    if (control != NULL)
        return request_at(control, "--control", line, status);
    *status = load_config(config_path, CONFIG_CONTROL, &config);
    if (*status != EX_OK)
        return NULL;
    object = request_at(config->control, config->path, line, status);
    config_put(config);
    return object;
}
