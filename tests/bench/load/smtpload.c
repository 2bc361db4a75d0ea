/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtpload: many SMTP clients in one thread, for the benchmarks. Counts replies to RCPT and takes
 * times.
 *
 * It has to cost little beside what it measures: one epoll descriptor, edge-triggered, never
 * changed after a connection's start; no allocation for a session. It waits for every reply (RFC
 * 5321, no PIPELINING), as the clients do whose waiting is measured. It judges nothing.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_A_TURN 256
#define REPLY_SIZE 4096 /* of one reply's lines that have come and were not used yet */
#define COMMAND_SIZE 1100
#define MAX_CODE 600
#define SESSIONS_MAX 10000000UL
#define AT_ONCE_MAX 60000UL
#define PER_SESSION_MAX 1000UL
#define BODY_MAX 100000000UL
#define LIMIT_MAX_S 3600UL
#define SENDERS_MAX_OCTETS (256L * 1024 * 1024)
#define BODY_LINE 78
#define EX_USAGE 64

enum step { AT_BANNER, AT_EHLO, AT_MAIL, AT_RCPT, AT_DATA, AT_BODY, AT_RSET, AT_QUIT };

struct client {
    int fd; /* -1: no session */
    enum step step;
    unsigned transactions; /* begun in this session */
    uint64_t started_us;
    uint64_t asked_us; /* RCPT was sent */
    const char *out;
    size_t out_left;
    size_t have;
    char in[REPLY_SIZE];
    char command[COMMAND_SIZE];
};

struct spread {
    uint32_t *us;
    size_t count;
    size_t room;
};

struct load {
    struct sockaddr_storage to, source;
    socklen_t to_len, source_len; /* source_len 0: the system chooses */
    unsigned long sessions, at_once, per_session, limit_s, data;
    bool hurry;
    const char *rcpt;
    char *text;     /* the file of senders; ends of line are NULs */
    char **senders; /* into text */
    size_t sender_count, next_sender;
    char *body;
    size_t body_len;
    int epoll_fd;
    unsigned long begun, done, failed;
    unsigned long open; /* clients with a session */
    unsigned long replies[MAX_CODE];
    struct spread rcpts, whole;
};

static uint64_t now_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "smtpload: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void *room_for(size_t count, size_t size)
{
    void *room = calloc(count, size);
    if (room == NULL)
        die("memory");
    return room;
}

static void note(struct spread *s, uint64_t us)
{
    if (s->count < s->room)
        s->us[s->count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_size(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* The smallest that `percent` of them do not exceed. `s` is sorted. */
static double quantile_ms(const struct spread *s, size_t percent)
{
    if (s->count == 0)
        return 0;
    size_t rank = (s->count * percent + 99) / 100;
    return s->us[rank > 0 ? rank - 1 : 0] / 1000.0;
}

static void print_spread(const char *name, struct spread *s)
{
    qsort(s->us, s->count, sizeof *s->us, by_size);
    printf("\"%s\": {\"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f, \"max\": %.3f}", name,
           quantile_ms(s, 50), quantile_ms(s, 95), quantile_ms(s, 99), quantile_ms(s, 100));
}

static void print_result(struct load *l, uint64_t took_us)
{
    double seconds = (double)took_us / 1e6;
    printf("{\"sessions\": %lu, \"seconds\": %.3f, \"rate\": %.1f, \"replies\": {", l->done,
           seconds, seconds > 0 ? (double)l->done / seconds : 0);
    const char *comma = "";
    for (int code = 0; code < MAX_CODE; code++) {
        if (l->replies[code] > 0) {
            printf("%s\"%d\": %lu", comma, code, l->replies[code]);
            comma = ", ";
        }
    }
    printf("}, \"failed\": %lu, ", l->failed);
    print_spread("rcpt_ms", &l->rcpts);
    printf(", ");
    print_spread("session_ms", &l->whole);
    printf("}\n");
}

static void end_session(struct load *l, struct client *c, bool well)
{
    if (well) {
        l->done++;
        note(&l->whole, now_us() - c->started_us);
    } else {
        l->failed++;
    }
    (void)close(c->fd);
    c->fd = -1;
    l->open--;
}

/* False: the connection is broken. What the socket does not take now goes when it is writable. */
static bool flush(struct client *c)
{
    while (c->out_left > 0) {
        ssize_t n = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        c->out += n;
        c->out_left -= (size_t)n;
    }
    return true;
}

static bool send_text(struct client *c, const char *text, size_t len, enum step next)
{
    c->out = text;
    c->out_left = len;
    c->step = next;
    return flush(c);
}

/* The file's lines and the arguments are checked to fit at the start. */
static bool say(struct client *c, enum step next, const char *verb, const char *what,
                const char *end)
{
    int len = snprintf(c->command, sizeof c->command, "%s%s%s\r\n", verb, what, end);
    return len > 0 && (size_t)len < sizeof c->command &&
           send_text(c, c->command, (size_t)len, next);
}

static bool say_mail(struct load *l, struct client *c)
{
    const char *sender = l->senders[l->next_sender];
    l->next_sender = (l->next_sender + 1) % l->sender_count;
    c->transactions++;
    return say(c, AT_MAIL, "MAIL FROM:<", sender, ">");
}

static bool say_rcpt(const struct load *l, struct client *c)
{
    c->asked_us = now_us();
    return say(c, AT_RCPT, "RCPT TO:<", l->rcpt, ">");
}

/* After a transaction: another one, or the end. */
static bool go_on(struct load *l, struct client *c, bool open)
{
    if (c->transactions >= l->per_session)
        return say(c, AT_QUIT, "QUIT", "", "");
    return open ? say(c, AT_RSET, "RSET", "", "") : say_mail(l, c);
}

static bool rcpt_answered(struct load *l, struct client *c, int code)
{
    l->replies[code]++;
    note(&l->rcpts, now_us() - c->asked_us);
    if (l->data > 0 && code / 100 == 2)
        return say(c, AT_DATA, "DATA", "", "");
    return go_on(l, c, true);
}

/* What is said after a reply. False: this session has failed. */
static bool answered(struct load *l, struct client *c, int code)
{
    static const int wanted[] = {
        [AT_BANNER] = 2, [AT_EHLO] = 2, [AT_MAIL] = 2, [AT_DATA] = 3, [AT_BODY] = 2, [AT_RSET] = 2,
    };
    if (c->step == AT_RCPT)
        return rcpt_answered(l, c, code);
    if (c->step < AT_QUIT && code / 100 != wanted[c->step])
        return false;
    switch (c->step) {
    case AT_BANNER:
        return say(c, AT_EHLO, "EHLO ", "client.lab.example", "");
    case AT_EHLO:
    case AT_RSET:
        return say_mail(l, c);
    case AT_MAIL:
        return say_rcpt(l, c);
    case AT_DATA:
        return send_text(c, l->body, l->body_len, AT_BODY);
    case AT_BODY:
        return go_on(l, c, false);
    default:
        return true;
    }
}

/* The code of the reply that stands whole in the buffer; 0: not yet, -1: not a reply. */
static int take_reply(struct client *c)
{
    size_t line = 0;
    for (size_t at = 0; at < c->have; at++) {
        if (c->in[at] != '\n')
            continue;
        if (at - line < 4)
            return -1;
        if (c->in[line + 3] == '-') {
            line = at + 1;
            continue;
        }
        long code = strtol(c->in + line, NULL, 10);
        c->have -= at + 1;
        memmove(c->in, c->in + at + 1, c->have);
        return code >= 200 && code < MAX_CODE ? (int)code : -1;
    }
    return c->have < sizeof c->in ? 0 : -1;
}

static bool is_over(const struct load *l, const struct client *c)
{
    return c->step == AT_QUIT && l->hurry && c->out_left == 0;
}

/* All replies that have come. The session may end here. */
static void use_replies(struct load *l, struct client *c)
{
    int code;
    while ((code = take_reply(c)) != 0) {
        enum step at = c->step;
        if (code < 0 || !answered(l, c, code)) {
            end_session(l, c, false);
            return;
        }
        if (at == AT_QUIT || is_over(l, c)) {
            end_session(l, c, true);
            return;
        }
    }
}

/*
 * Edge-triggered: read until there is no more. Where the end has come with the data, no other edge
 * does.
 */
static void serve(struct load *l, struct client *c, uint32_t events)
{
    if (!flush(c)) {
        end_session(l, c, false);
        return;
    }
    while (c->fd >= 0) {
        size_t room = sizeof c->in - c->have;
        ssize_t n = recv(c->fd, c->in + c->have, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
            return;
        if (n <= 0) {
            end_session(l, c, c->step == AT_QUIT);
            return;
        }
        c->have += (size_t)n;
        use_replies(l, c);
        if ((size_t)n < room && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0)
            return;
    }
}

/* False: no more descriptors or ports; it counts as failed. */
static bool dial(const struct load *l, struct client *c)
{
    int on = 1;
    c->fd = socket(l->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (l->source_len > 0 && bind(c->fd, (const struct sockaddr *)&l->source, l->source_len) != 0)
        return false;
    if (connect(c->fd, (const struct sockaddr *)&l->to, l->to_len) != 0 && errno != EINPROGRESS)
        return false;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

static void begin_session(struct load *l, struct client *c)
{
    l->begun++;
    c->step = AT_BANNER;
    c->transactions = 0;
    c->out_left = 0;
    c->have = 0;
    c->started_us = now_us();
    if (dial(l, c)) {
        l->open++;
        return;
    }
    l->failed++;
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
}

/* A failed start is not repeated at once: the slot is used again at the next turn. */
static void fill(struct load *l, struct client *clients)
{
    if (l->open == l->at_once)
        return;
    for (unsigned long i = 0; i < l->at_once && l->begun < l->sessions; i++) {
        if (clients[i].fd < 0)
            begin_session(l, &clients[i]);
    }
}

static void turn(struct load *l, uint64_t left_us)
{
    struct epoll_event events[EVENTS_A_TURN];
    int wait_ms = left_us < 100000 ? (int)(left_us / 1000) + 1 : 100;
    int n = epoll_wait(l->epoll_fd, events, EVENTS_A_TURN, wait_ms);
    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;
        if (c->fd < 0)
            continue;
        serve(l, c, events[i].events);
        if (c->fd < 0 && l->begun < l->sessions)
            begin_session(l, c);
    }
}

static void run(struct load *l)
{
    struct client *clients = room_for(l->at_once, sizeof *clients);
    for (unsigned long i = 0; i < l->at_once; i++)
        clients[i].fd = -1;
    uint64_t began = now_us();
    uint64_t end = began + (uint64_t)l->limit_s * 1000000;
    uint64_t now = began;
    while (l->done + l->failed < l->sessions && now < end) {
        fill(l, clients);
        turn(l, end - now);
        now = now_us();
    }
    l->failed += l->begun - l->done - l->failed; /* the limit has cut these off */
    print_result(l, now - began);
    free(clients);
}

static bool parse_number(const char *text, unsigned long min, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out >= min &&
           *out <= max;
}

/* `port` NULL: any. */
static bool parse_address(const char *host, const char *port, struct sockaddr_storage *sa,
                          socklen_t *len)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    };
    struct addrinfo *found;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    memcpy(sa, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* HOST:PORT, or [HOST]:PORT. */
static bool parse_to(const char *text, struct load *l)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    return parse_address(host, colon + 1, &l->to, &l->to_len);
}

static void read_text(const char *path, struct load *l)
{
    FILE *file = fopen(path, "r");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die(path);
    long size = ftell(file);
    if (size < 0 || size > SENDERS_MAX_OCTETS) {
        errno = EFBIG;
        die(path);
    }
    rewind(file);
    l->text = room_for((size_t)size + 1, 1);
    size_t got = fread(l->text, 1, (size_t)size, file);
    l->text[got] = '\0';
    (void)fclose(file);
}

/* One a line; empty lines are none. */
static bool split_senders(struct load *l)
{
    size_t lines = 1;
    for (const char *at = l->text; *at != '\0'; at++)
        lines += *at == '\n';
    l->senders = room_for(lines, sizeof *l->senders);
    char *line = l->text;
    while (*line != '\0') {
        size_t len = strcspn(line, "\r\n");
        char *next = line + len + (line[len] != '\0');
        line[len] = '\0';
        if (len > COMMAND_SIZE - 100)
            return false;
        if (len > 0)
            l->senders[l->sender_count++] = line;
        line = next;
    }
    return l->sender_count > 0;
}

/* Header, lines of letters, the final dot: at least `data` octets before the dot. */
static void make_body(struct load *l)
{
    static const char header[] = "Subject: load\r\n\r\n";
    static const char end[] = ".\r\n";
    size_t lines = l->data / BODY_LINE + 1;
    l->body = room_for(sizeof header + sizeof end + lines * BODY_LINE, 1);
    memcpy(l->body, header, sizeof header - 1);
    l->body_len = sizeof header - 1;
    for (size_t i = 0; i < lines; i++) {
        memset(l->body + l->body_len, 'x', BODY_LINE - 2);
        memcpy(l->body + l->body_len + BODY_LINE - 2, "\r\n", 2);
        l->body_len += BODY_LINE;
    }
    memcpy(l->body + l->body_len, end, sizeof end - 1);
    l->body_len += sizeof end - 1;
}

static const struct option OPTIONS[] = {
    {"to", required_argument, NULL, 't'},
    {"sessions", required_argument, NULL, 'n'},
    {"at-once", required_argument, NULL, 'c'},
    {"senders", required_argument, NULL, 'f'},
    {"rcpt", required_argument, NULL, 'r'},
    {"source", required_argument, NULL, 's'},
    {"hurry", no_argument, NULL, 'q'},
    {"data", required_argument, NULL, 'd'},
    {"per-session", required_argument, NULL, 'k'},
    {"limit", required_argument, NULL, 'l'},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct load *l, int option, char *value)
{
    switch (option) {
    case 't':
        return parse_to(value, l);
    case 'n':
        return parse_number(value, 1, SESSIONS_MAX, &l->sessions);
    case 'c':
        return parse_number(value, 1, AT_ONCE_MAX, &l->at_once);
    case 'f':
        read_text(value, l);
        return split_senders(l);
    case 'r':
        l->rcpt = value;
        return strlen(value) < COMMAND_SIZE - 100;
    case 's':
        return parse_address(value, NULL, &l->source, &l->source_len);
    case 'q':
        l->hurry = true;
        return true;
    case 'd':
        return parse_number(value, 1, BODY_MAX, &l->data);
    case 'k':
        return parse_number(value, 1, PER_SESSION_MAX, &l->per_session);
    case 'l':
        return parse_number(value, 1, LIMIT_MAX_S, &l->limit_s);
    default:
        return false;
    }
}

static bool take_options(struct load *l, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (!take_option(l, option, optarg))
            return false;
    }
    return optind == argc && l->to_len > 0 && l->rcpt != NULL && l->sender_count > 0;
}

/* As many descriptors as we may have: each session takes one. */
static void raise_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    static struct load l = {.sessions = 1, .at_once = 1, .per_session = 1, .limit_s = 60};
    if (!take_options(&l, argc, argv)) {
        (void)fprintf(stderr, "usage: smtpload --to HOST:PORT --senders FILE --rcpt ADDRESS "
                              "[--sessions N] [--at-once N] [--per-session N]\n"
                              "       [--data OCTETS] [--source IP] [--hurry] [--limit SECONDS]\n");
        return EX_USAGE;
    }
    make_body(&l);
    raise_descriptors();
    l.rcpts.room = l.sessions * l.per_session;
    l.rcpts.us = room_for(l.rcpts.room, sizeof *l.rcpts.us);
    l.whole.room = l.sessions;
    l.whole.us = room_for(l.whole.room, sizeof *l.whole.us);
    l.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l.epoll_fd < 0)
        die("epoll");
    run(&l);
    (void)close(l.epoll_fd);
    free(l.rcpts.us);
    free(l.whole.us);
    free(l.senders);
    free(l.text);
    free(l.body);
    return EXIT_SUCCESS;
}
