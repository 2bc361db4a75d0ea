/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: see control.h. A client's next command is read when the answer before it has been sent.
 */
#include "config.h"

#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define COMMAND_MAX 256
#define ANSWER_MAX (256U << 20)

struct asker {
    struct watch watch;
    struct control *ctl;
    char input[COMMAND_MAX];
    size_t input_len;
    struct buf answer;
    size_t sent;
    struct asker *prev;
    struct asker *next;
};

struct control {
    struct watch watch;
    struct server *srv;
    struct asker *askers;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

/* --- Commands ---------------------------------------------------------- */

static void say_ok(struct buf *out)
{
    buf_str(out, "{\"ok\": true}");
}

static void say_error(struct buf *out, const char *error)
{
    buf_str(out, "{\"ok\": false, \"error\": ");
    buf_json(out, error);
    buf_str(out, "}");
}

static void run_ping(struct control *ctl, char *argument, struct buf *out)
{
    (void)ctl;
    (void)argument;
    say_ok(out);
}

static void run_stats(struct control *ctl, char *argument, struct buf *out)
{
    counters_stats_json(ctl->srv->net.world.counters, *argument != '\0' ? argument : NULL, out);
}

static void run_log(struct control *ctl, char *argument, struct buf *out)
{
    (void)argument;
    counters_log_json(ctl->srv->net.world.counters, out);
}

static void run_reset(struct control *ctl, char *argument, struct buf *out)
{
    (void)argument;
    counters_reset(ctl->srv->net.world.counters);
    say_ok(out);
}

static void run_forget(struct control *ctl, char *argument, struct buf *out)
{
    (void)argument;
    greylist_forget(ctl->srv->net.world.greylist);
    scenario_forget_uses(ctl->srv->scn);
    say_ok(out);
}

static void run_reload(struct control *ctl, char *argument, struct buf *out)
{
    char error[SCENARIO_ERROR_SIZE];
    (void)argument;
    if (server_load(ctl->srv, error, sizeof error))
        say_ok(out);
    else
        say_error(out, error);
}

/* [IP [STAGE[#N]]] */
static bool parse_hold(char *argument, const char **ip, struct hold *hold)
{
    char *stage = strchr(argument, ' ');
    *hold = (struct hold){.on = true, .stage = STAGE_COUNT};
    if (stage != NULL)
        *stage++ = '\0';
    *ip = *argument != '\0' ? argument : NULL;
    return stage == NULL || stage_parse(stage, &hold->stage, &hold->nth);
}

static void run_hold(struct control *ctl, char *argument, struct buf *out)
{
    const char *ip;
    struct hold hold;
    if (!parse_hold(argument, &ip, &hold)) {
        say_error(out, "no such stage");
        return;
    }
    counters_hold(ctl->srv->net.world.counters, ip, hold);
    say_ok(out);
}

static void run_release(struct control *ctl, char *argument, struct buf *out)
{
    const struct hold none = {.on = false};
    counters_hold(ctl->srv->net.world.counters, *argument != '\0' ? argument : NULL, none);
    conn_release(&ctl->srv->net);
    say_ok(out);
}

static void run_quit(struct control *ctl, char *argument, struct buf *out)
{
    (void)argument;
    loop_stop(ctl->srv->net.loop);
    say_ok(out);
}

static void run_command(struct control *ctl, char *line, struct buf *out)
{
    static const struct {
        const char *name;
        void (*run)(struct control *ctl, char *argument, struct buf *out);
    } commands[] = {
        {"ping", run_ping},   {"stats", run_stats},     {"log", run_log},
        {"reset", run_reset}, {"forget", run_forget},   {"reload", run_reload},
        {"hold", run_hold},   {"release", run_release}, {"quit", run_quit},
    };
    size_t len = strcspn(line, " ");
    char *argument = line[len] != '\0' ? line + len + 1 : line + len;
    line[len] = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(line, commands[i].name) == 0) {
            commands[i].run(ctl, argument, out);
            return;
        }
    }
    say_error(
        out, "unknown command; known: ping, stats [IP], log, reset, forget, reload, hold, release, "
             "quit");
}

/* --- Clients ----------------------------------------------------------- */

static void free_asker(struct watch *w)
{
    struct asker *a = (struct asker *)w;
    buf_free(&a->answer);
    free(a);
}

static void drop_asker(struct asker *a)
{
    DL_DELETE(a->ctl->askers, a);
    loop_drop(a->ctl->srv->net.loop, &a->watch);
}

/* false: the client has gone. */
static bool send_answer(struct asker *a)
{
    while (a->sent < a->answer.len) {
        ssize_t n =
            send(a->watch.fd, a->answer.data + a->sent, a->answer.len - a->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        a->sent += (size_t)n;
    }
    buf_free(&a->answer);
    a->sent = 0;
    return true;
}

/* Runs the next whole line; false: there is none. */
static bool next_command(struct asker *a)
{
    char *lf = memchr(a->input, '\n', a->input_len);
    if (lf == NULL)
        return false;
    size_t taken = (size_t)(lf - a->input) + 1;
    *lf = '\0';
    if (lf > a->input && lf[-1] == '\r')
        lf[-1] = '\0';
    run_command(a->ctl, a->input, &a->answer);
    buf_str(&a->answer, "\n");
    if (a->answer.failed) {
        buf_clear(&a->answer);
        say_error(&a->answer, "the answer is too large");
        buf_str(&a->answer, "\n");
    }
    a->input_len -= taken;
    memmove(a->input, a->input + taken, a->input_len);
    return true;
}

/* false: the client has gone, or its line is too long to be a command. */
static bool read_commands(struct asker *a)
{
    ssize_t n = recv(a->watch.fd, a->input + a->input_len, sizeof a->input - a->input_len, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    a->input_len += (size_t)n;
    return n > 0;
}

static void asker_ready(struct watch *w, uint32_t events)
{
    struct asker *a = (struct asker *)w;
    bool alive = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || read_commands(a);
    do {
        alive = alive && send_answer(a);
    } while (alive && a->answer.len == 0 && next_command(a));
    if (!alive || (a->answer.len == 0 && a->input_len == sizeof a->input))
        drop_asker(a);
    else
        loop_want(a->ctl->srv->net.loop, w, a->answer.len > 0 ? EPOLLOUT : EPOLLIN);
}

static void accept_asker(struct watch *w, uint32_t events)
{
    struct control *ctl = (struct control *)w;
    (void)events;
    int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct asker *a = fd >= 0 ? calloc(1, sizeof *a) : NULL;
    if (a == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    a->watch = (struct watch){.fd = fd, .ready = asker_ready, .release = free_asker};
    a->ctl = ctl;
    buf_init(&a->answer, ANSWER_MAX);
    DL_APPEND(ctl->askers, a);
    if (!loop_add(ctl->srv->net.loop, &a->watch, EPOLLIN))
        drop_asker(a);
}

static void free_control(struct watch *w)
{
    free(w);
}

static bool bind_path(int fd, const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    size_t len = strlen(path);
    if (len >= sizeof sa.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(sa.sun_path, path, len);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
    return bind(fd, (const struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 16) == 0;
}

struct control *control_open(struct server *srv, const char *path)
{
    struct control *ctl = calloc(1, sizeof *ctl);
    if (ctl == NULL)
        return NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ctl->watch = (struct watch){.fd = fd, .ready = accept_asker, .release = free_control};
    ctl->srv = srv;
    if (fd >= 0 && bind_path(fd, path) && loop_add(srv->net.loop, &ctl->watch, EPOLLIN)) {
        memcpy(ctl->path, path, strlen(path) + 1);
        return ctl;
    }
    int saved = errno;
    if (fd >= 0)
        (void)close(fd);
    free(ctl);
    errno = saved;
    return NULL;
}

void control_close(struct control *ctl)
{
    if (ctl == NULL)
        return;
    while (ctl->askers != NULL)
        drop_asker(ctl->askers);
    (void)unlink(ctl->path);
    loop_drop(ctl->srv->net.loop, &ctl->watch);
}
