/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn: see conn.h. While a play is under way input is still read, up to a buffer's size: that is
 * how an early talker, a client that does not wait for replies and one that has gone are noticed.
 *
 * A client that has gone (end of file or an error) is played to the end without any waiting, so
 * that the commands it left behind, such as a last QUIT, are counted.
 */
#include "config.h"

#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define INPUT_SIZE 4096
#define LINGER_MS 2000  /* how long a client may take to notice that we closed */
#define FILL_BLOCK 4096 /* octets of filling a write */
#define FILL_TURN 16    /* writes of filling before others have their turn */

enum progress {
    PROGRESS_DONE,
    PROGRESS_BLOCKED, /* until the timer, the socket, or the client */
    PROGRESS_OVER     /* the connection is closed */
};

struct conn {
    struct watch watch;
    struct timer timer;
    struct net *net;
    struct session session;
    struct play play;
    SSL *ssl; /* NULL: in clear */
    char input[INPUT_SIZE];
    size_t input_off;
    size_t input_len;
    bool too_long; /* the line at hand is being thrown away */
    bool gone;     /* the client */
    bool want_write;
    bool waiting; /* the step at hand has armed the timer */
    bool lingering;
    bool left; /* it does not count as open any more */
    struct conn *prev;
    struct conn *next;
};

/* --- Octets ------------------------------------------------------------ */

#define IO_GONE 0
#define IO_AGAIN (-1)

static ssize_t tls_result(struct conn *c, int result)
{
    if (result > 0)
        return result;
    int error = SSL_get_error(c->ssl, result);
    if (error == SSL_ERROR_WANT_WRITE)
        c->want_write = true;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? IO_AGAIN : IO_GONE;
}

static ssize_t plain_result(ssize_t result)
{
    if (result > 0)
        return result;
    bool again = result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return again ? IO_AGAIN : IO_GONE;
}

static ssize_t io_read(struct conn *c, char *octets, size_t size)
{
    if (c->ssl == NULL)
        return plain_result(recv(c->watch.fd, octets, size, 0));
    ERR_clear_error();
    return tls_result(c, SSL_read(c->ssl, octets, (int)size));
}

static ssize_t io_write(struct conn *c, const char *octets, size_t len)
{
    if (len == 0)
        return IO_AGAIN;
    ssize_t n;
    if (c->ssl == NULL) {
        n = plain_result(send(c->watch.fd, octets, len, MSG_NOSIGNAL));
    } else {
        ERR_clear_error();
        n = tls_result(c, SSL_write(c->ssl, octets, (int)len));
    }
    if (n == IO_AGAIN)
        c->want_write = true;
    if (n == IO_GONE)
        c->gone = true;
    return n;
}

static void read_input(struct conn *c)
{
    if (c->gone || c->input_len == INPUT_SIZE)
        return;
    if (c->input_off > 0)
        memmove(c->input, c->input + c->input_off, c->input_len);
    c->input_off = 0;
    ssize_t n = io_read(c, c->input + c->input_len, INPUT_SIZE - c->input_len);
    if (n == IO_GONE)
        c->gone = true;
    if (n <= 0)
        return;
    c->input_len += (size_t)n;
    session_early(&c->session);
}

static void drop_input(struct conn *c, size_t len)
{
    c->input_off += len;
    c->input_len -= len;
    if (c->input_len == 0)
        c->input_off = 0;
}

static size_t tls_pending(const struct conn *c)
{
    return c->ssl != NULL ? (size_t)SSL_pending(c->ssl) : 0;
}

/* --- The end ----------------------------------------------------------- */

static void leave(struct conn *c)
{
    if (!c->left)
        counters_leave(c->net->world.counters, c->session.stats);
    c->left = true;
}

static void end(struct conn *c)
{
    leave(c);
    loop_disarm(c->net->loop, &c->timer);
    SSL_free(c->ssl);
    c->ssl = NULL;
    DL_DELETE(c->net->conns, c);
    loop_drop(c->net->loop, &c->watch);
}

static void release(struct watch *w)
{
    struct conn *c = (struct conn *)w;
    play_fini(&c->play);
    session_fini(&c->session);
    free(c);
}

static enum progress end_reset(struct conn *c)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    end(c);
    return PROGRESS_OVER;
}

/*
 * Says that we send no more and waits until the client has noticed: a plain close would turn into a
 * reset while something it sent lies unread, and the reset would overtake our last reply.
 */
static enum progress end_politely(struct conn *c)
{
    if (c->ssl != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    (void)shutdown(c->watch.fd, SHUT_WR);
    if (c->gone || !loop_arm(c->net->loop, &c->timer, LINGER_MS)) {
        end(c);
        return PROGRESS_OVER;
    }
    leave(c);
    c->lingering = true;
    loop_want(c->net->loop, &c->watch, EPOLLIN);
    return PROGRESS_OVER;
}

static void linger_on(struct conn *c)
{
    if (plain_result(recv(c->watch.fd, c->input, INPUT_SIZE, 0)) == IO_GONE)
        end(c);
}

/* --- Steps ------------------------------------------------------------- */

static enum progress wait_for(struct conn *c, int64_t ms)
{
    if (!c->waiting && !c->gone && loop_arm(c->net->loop, &c->timer, ms)) {
        c->waiting = true;
        return PROGRESS_BLOCKED;
    }
    if (c->timer.slot != 0 && !c->gone)
        return PROGRESS_BLOCKED;
    loop_disarm(c->net->loop, &c->timer);
    c->waiting = false;
    return PROGRESS_DONE;
}

static enum progress send_octets(struct conn *c, const struct step *step)
{
    const char *octets = c->play.octets.data + step->off;
    while (c->play.done < step->len) {
        size_t left = step->len - c->play.done;
        size_t piece = step->ms > 0 && step->piece < left ? step->piece : left;
        if (step->ms > 0 && c->play.done > 0 && wait_for(c, step->ms) == PROGRESS_BLOCKED)
            return PROGRESS_BLOCKED;
        ssize_t n = io_write(c, octets + c->play.done, piece);
        if (n == IO_AGAIN)
            return PROGRESS_BLOCKED;
        if (n == IO_GONE)
            return PROGRESS_DONE;
        c->play.done += (size_t)n;
    }
    return PROGRESS_DONE;
}

static enum progress send_filling(struct conn *c, const struct step *step)
{
    char block[FILL_BLOCK];
    memset(block, 'x', sizeof block);
    for (int turn = 0; turn < FILL_TURN && c->play.done < step->len; turn++) {
        size_t left = step->len - c->play.done;
        ssize_t n = io_write(c, block, left < sizeof block ? left : sizeof block);
        if (n == IO_AGAIN)
            return PROGRESS_BLOCKED;
        if (n == IO_GONE)
            return PROGRESS_DONE;
        c->play.done += (size_t)n;
    }
    if (c->play.done == step->len)
        return PROGRESS_DONE;
    c->want_write = true;
    return PROGRESS_BLOCKED;
}

/* A round a call: while the client reads, the socket tells us so, and others have their turn. */
static enum progress send_endless(struct conn *c, const struct step *step)
{
    if (step->ms > 0 && c->waiting && wait_for(c, step->ms) == PROGRESS_BLOCKED)
        return PROGRESS_BLOCKED;
    const char *octets = c->play.octets.data + step->off;
    ssize_t n = io_write(c, octets + c->play.done, step->len - c->play.done);
    if (c->gone) {
        end(c);
        return PROGRESS_OVER;
    }
    c->play.done += n > 0 ? (size_t)n : 0;
    if (c->play.done < step->len || step->ms == 0) {
        c->want_write = true;
        c->play.done %= step->len;
        return PROGRESS_BLOCKED;
    }
    c->play.done = 0;
    return wait_for(c, step->ms);
}

static enum progress await_input(struct conn *c, bool forever)
{
    bool said = c->input_len > 0;
    drop_input(c, c->input_len);
    if (c->gone) {
        end(c);
        return PROGRESS_OVER;
    }
    return said && !forever ? PROGRESS_DONE : PROGRESS_BLOCKED;
}

static enum progress handshake(struct conn *c)
{
    if (c->ssl == NULL) { /* what was sent in clear behind STARTTLS does not count as said in TLS */
        drop_input(c, c->input_len);
        c->ssl = tls_accept_new(c->net->tls, c->watch.fd, c->session.conf->tls_max);
    }
    ssize_t result = IO_GONE;
    if (c->ssl != NULL && !c->gone) {
        ERR_clear_error();
        result = tls_result(c, SSL_do_handshake(c->ssl));
    }
    if (result == IO_AGAIN)
        return PROGRESS_BLOCKED;
    session_tls(&c->session, result > 0);
    return result > 0 ? PROGRESS_DONE : end_politely(c);
}

static enum progress run_step(struct conn *c, const struct step *step)
{
    switch (step->kind) {
    case STEP_WAIT:
        return wait_for(c, step->ms);
    case STEP_HELD:
        return c->session.stats->hold.on && !c->gone ? PROGRESS_BLOCKED : PROGRESS_DONE;
    case STEP_MARK:
        session_reply_begins(&c->session, c->input_len + tls_pending(c));
        return PROGRESS_DONE;
    case STEP_SEND:
        return send_octets(c, step);
    case STEP_FILL:
        return send_filling(c, step);
    case STEP_ENDLESS:
        return send_endless(c, step);
    case STEP_AWAIT_INPUT:
        return await_input(c, false);
    case STEP_SILENT:
        return await_input(c, true);
    case STEP_TLS:
        return handshake(c);
    case STEP_CLOSE:
        return end_politely(c);
    case STEP_RESET:
        return end_reset(c);
    }
    return end_reset(c);
}

static enum progress play_on(struct conn *c)
{
    struct play *play = &c->play;
    if (play->octets.failed)
        return end_reset(c);
    for (; play->at < play->count; play->at++, play->done = 0) {
        enum progress progress = run_step(c, &play->steps[play->at]);
        if (progress != PROGRESS_DONE)
            return progress;
    }
    session_banner_sent(&c->session);
    play_clear(play);
    return PROGRESS_DONE;
}

/* --- Lines ------------------------------------------------------------- */

static bool next_content(struct conn *c)
{
    if (c->input_len == 0)
        return false;
    drop_input(c, session_content(&c->session, &c->play, c->input + c->input_off, c->input_len));
    return true;
}

/* Hands the session its next line or piece of content; false: there is none yet. */
static bool next_input(struct conn *c)
{
    if (c->session.in_content)
        return next_content(c);
    char *line = c->input + c->input_off;
    char *lf = memchr(line, '\n', c->input_len);
    if (lf == NULL) {
        c->too_long = c->too_long || c->input_len > LINE_MAX_OCTETS;
        if (c->too_long)
            drop_input(c, c->input_len);
        return false;
    }
    size_t taken = (size_t)(lf - line) + 1;
    bool with_cr = lf > line && lf[-1] == '\r';
    size_t len = taken - (with_cr ? 2 : 1);
    line[len] = '\0';
    if (c->too_long || len > LINE_MAX_OCTETS)
        session_too_long(&c->session, &c->play);
    else
        session_line(&c->session, &c->play, line, len, !with_cr);
    c->too_long = false;
    drop_input(c, taken);
    return true;
}

static void run(struct conn *c)
{
    enum progress progress;
    c->want_write = false;
    while ((progress = play_on(c)) == PROGRESS_DONE) {
        if (next_input(c))
            continue;
        if (c->gone) {
            end(c);
            return;
        }
        if (tls_pending(c) == 0)
            break;
        read_input(c);
    }
    if (progress == PROGRESS_OVER)
        return;
    uint32_t events = !c->gone && c->input_len < INPUT_SIZE ? EPOLLIN : 0;
    loop_want(c->net->loop, &c->watch, events | (c->want_write ? EPOLLOUT : 0));
}

/* --- Events ------------------------------------------------------------ */

static bool in_handshake(const struct conn *c)
{
    return c->play.at < c->play.count && c->play.steps[c->play.at].kind == STEP_TLS;
}

static void ready(struct watch *w, uint32_t events)
{
    struct conn *c = (struct conn *)w;
    if (c->lingering) {
        linger_on(c);
        return;
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 && c->input_len == INPUT_SIZE)
        c->gone = true;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !in_handshake(c))
        read_input(c);
    run(c);
}

static void timer_fired(struct timer *t)
{
    struct conn *c = (struct conn *)((char *)t - offsetof(struct conn, timer));
    if (c->lingering)
        end(c);
    else
        run(c);
}

static void set_peer(struct session *s, const struct sockaddr_storage *peer)
{
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)peer;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)peer;
    if (peer->ss_family == AF_UNIX) {
        memcpy(s->client_ip, "local", sizeof "local");
        return;
    }
    bool is_v4 = peer->ss_family == AF_INET;
    const void *raw = is_v4 ? (const void *)&in4->sin_addr : &in6->sin6_addr;
    (void)inet_ntop(peer->ss_family, raw, s->client_ip, sizeof s->client_ip);
    s->client_port = ntohs(is_v4 ? in4->sin_port : in6->sin6_port);
}

/*
 * Those whose client has closed, which we have not come to yet, do not count beside a new one: how
 * many are open at once is the clients' doing, and not a matter of how fast we are.
 */
static void leave_the_closed(struct net *net, const struct host_stats *stats)
{
    struct conn *c;
    DL_FOREACH(net->conns, c)
    {
        struct pollfd pfd = {.fd = c->watch.fd, .events = POLLRDHUP};
        if (c->session.stats == stats && !c->left && poll(&pfd, 1, 0) == 1)
            leave(c);
    }
}

void conn_start(struct net *net, int fd, const struct sockaddr_storage *peer, struct scenario *scn,
                struct place *place)
{
    struct host_stats *stats = counters_host(net->world.counters, place->ip);
    struct conn *c = stats != NULL ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    c->net = net;
    c->watch = (struct watch){.fd = fd, .ready = ready, .release = release};
    c->timer.fire = timer_fired;
    play_init(&c->play);
    session_init(&c->session, &net->world, scn, place, stats);
    set_peer(&c->session, peer);
    if (stats->concurrent >= stats->concurrent_max)
        leave_the_closed(net, stats);
    counters_enter(net->world.counters, stats);
    DL_APPEND(net->conns, c);
    if (!loop_add(net->loop, &c->watch, EPOLLIN)) {
        end(c);
        return;
    }
    session_begin(&c->session, &c->play);
    run(c);
}

void conn_release(struct net *net)
{
    struct conn *c;
    struct conn *next;
    DL_FOREACH_SAFE(net->conns, c, next)
    {
        if (!c->lingering && c->play.at < c->play.count &&
            c->play.steps[c->play.at].kind == STEP_HELD)
            run(c);
    }
}

void conn_end_all(struct net *net)
{
    while (net->conns != NULL)
        end(net->conns);
}
