/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exchange: see the header. Not by libresolv's res_nsend, which counts time in whole seconds,
 * reads a stream without any limit, may raise SIGPIPE and cannot be cut short.
 *
 * A round asks each server once: the next one when the last has failed, or has had
 * DNS_NEXT_SERVER_MS. What was sent stays good to the end: an answer counts whenever it comes.
 */
#include "config.h"

#include "dns/exchange.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ip.h"

enum {
    DATAGRAM_ROOM = 4096, /* some send more than we take */
    STRAYS_MAX = 64,      /* datagrams read that answer nothing of ours, until we send again */
    ERRORS_MAX = 16,      /* ICMP errors read at a time */
    FRAME = 2,            /* the length before a TCP message */
    FAMILIES = 2,
};

/* An answer over TCP, on its way. */
struct stream {
    int fd;
    uint8_t frame[FRAME];
    size_t sent, got; /* frames included */
    uint8_t *octets;  /* malloc'ed when the frame is there */
};

enum attempt_state { ATTEMPT_NONE, ATTEMPT_UDP, ATTEMPT_TCP, ATTEMPT_FAILED };

/* One question at one server. */
struct attempt {
    enum attempt_state state;
    bool without_edns; /* the server, or something on the way there, does not know it */
    struct stream stream;
};

/* One asker, and what it has put to the servers. */
struct party {
    struct dns_asker *asker;
    struct attempt attempts[DNS_RESOLVERS_MAX]; /* by place in the list */
    size_t first;                               /* who is asked first in each round */
    size_t asked;                               /* in this round */
    unsigned round;
    int step_ms;   /* for how long each server of this round is waited for alone... */
    int last_ms;   /* ...and for how long the last one is */
    deadline next; /* when the next server is asked */
    bool is_over;
};

struct exchange {
    const struct dns_exchange_settings *settings;
    const struct dns_server_list *list;
    struct party parties[DNS_EXCHANGES_AT_ONCE];
    size_t count;
    int udp[FAMILIES]; /* IPv4, IPv6; -1: not needed so far */
    unsigned strays;
    bool is_heard;     /* some server has answered, whatever it said */
    bool says_nothing; /* of the servers: it was cancelled, or there was no descriptor to be had */
    uint8_t datagram[DATAGRAM_ROOM];
};

/* --- Servers ----------------------------------------------------------------- */

static const struct sockaddr_storage *server_at(const struct exchange *x, size_t place)
{
    return &x->list->server[place].address;
}

/* The place of the server that is asked as the n-th of a round. */
static size_t place_of(const struct exchange *x, const struct party *party, size_t n)
{
    return (party->first + n) % x->list->count;
}

/* --- Ending ------------------------------------------------------------------ */

static void close_stream(struct attempt *attempt)
{
    if (attempt->state != ATTEMPT_TCP)
        return;
    close(attempt->stream.fd);
    free(attempt->stream.octets);
    attempt->stream = (struct stream){.fd = -1};
}

static void fail_attempt(struct attempt *attempt)
{
    close_stream(attempt);
    attempt->state = ATTEMPT_FAILED;
}

static void close_streams(struct party *party)
{
    for (size_t i = 0; i < DNS_RESOLVERS_MAX; i++)
        close_stream(&party->attempts[i]);
    memset(party->attempts, 0, sizeof party->attempts);
}

/* The server at `place` has answered; those asked before it that have not come last for a while. */
static void note_answer(const struct exchange *x, const struct party *party, size_t place)
{
    dns_servers_answered(x->settings->servers, x->list->server[place].number);
    for (size_t n = 0; place_of(x, party, n) != place; n++) {
        const size_t before = place_of(x, party, n);
        const enum attempt_state state = party->attempts[before].state;
        if (state == ATTEMPT_UDP || state == ATTEMPT_TCP)
            dns_servers_was_silent(x->settings->servers, x->list->server[before].number);
    }
}

static void begin_party(struct exchange *x, struct party *party, size_t first);

/* Hands an answer to the asker, who says how to go on. */
static void hand_over(struct exchange *x, struct party *party, size_t place, const uint8_t *octets,
                      size_t len)
{
    struct dns_asker *asker = party->asker;
    switch (asker->read(&asker->question, octets, len, asker->arg)) {
    case DNS_READING_NOTHING:
        fail_attempt(&party->attempts[place]);
        return;
    case DNS_READING_DONE:
        note_answer(x, party, place);
        close_streams(party);
        party->is_over = true;
        return;
    case DNS_READING_ASK:
        note_answer(x, party, place);
        close_streams(party);
        begin_party(x, party, place);
        return;
    }
}

/* --- Over TCP ---------------------------------------------------------------- */

static void start_stream(struct exchange *x, struct attempt *attempt, size_t place)
{
    const struct sockaddr_storage *server = server_at(x, place);
    int fd = socket(server->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        x->says_nothing = true;
        fail_attempt(attempt);
        return;
    }
    attempt->stream = (struct stream){.fd = fd};
    attempt->state = ATTEMPT_TCP;
    if (connect(fd, (const struct sockaddr *)server, ip_sockaddr_size(server)) != 0 &&
        errno != EINPROGRESS)
        fail_attempt(attempt);
}

/* Returns how many octets went; -1: the connection is lost. */
static ssize_t octets_moved(ssize_t octets)
{
    if (octets > 0)
        return octets;
    return octets < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static size_t frame_length(const struct stream *stream)
{
    return ns_get16(stream->frame);
}

static bool is_sent(const struct stream *stream, const struct dns_question *question)
{
    return stream->sent == FRAME + question->len;
}

/* False: the connection is lost. */
static bool send_question(struct stream *stream, const struct dns_question *question)
{
    uint8_t message[FRAME + DNS_QUESTION_MAX];
    ns_put16((unsigned)question->len, message);
    memcpy(message + FRAME, question->octets, question->len);
    ssize_t sent = octets_moved(send(stream->fd, message + stream->sent,
                                     FRAME + question->len - stream->sent, MSG_NOSIGNAL));
    if (sent > 0)
        stream->sent += (size_t)sent;
    return sent >= 0;
}

/* The frame first, then as many octets as it says. False: the connection is lost. */
static bool receive_answer(struct stream *stream)
{
    const bool has_frame = stream->got >= FRAME;
    const size_t at = has_frame ? stream->got - FRAME : stream->got;
    uint8_t *to = has_frame ? stream->octets : stream->frame;
    const size_t size = has_frame ? frame_length(stream) : FRAME;
    ssize_t got = octets_moved(recv(stream->fd, to + at, size - at, 0));
    if (got > 0)
        stream->got += (size_t)got;
    if (got < 0 || has_frame || stream->got < FRAME)
        return got >= 0;
    stream->octets = malloc(frame_length(stream) + 1);
    return stream->octets != NULL && frame_length(stream) >= NS_HFIXEDSZ;
}

static void move_stream(struct exchange *x, struct party *party, size_t place)
{
    const struct dns_question *question = &party->asker->question;
    struct attempt *attempt = &party->attempts[place];
    struct stream *stream = &attempt->stream;
    if (!(is_sent(stream, question) ? receive_answer(stream) : send_question(stream, question))) {
        fail_attempt(attempt);
        return;
    }
    if (stream->octets == NULL || stream->got < FRAME + frame_length(stream))
        return;
    uint8_t *answer = stream->octets;
    const size_t len = frame_length(stream);
    stream->octets = NULL; /* ours now: the stream may end */
    x->is_heard = true;
    if (dns_question_is_answered(question, answer, len) && !dns_question_is_cut_off(answer))
        hand_over(x, party, place, answer, len);
    else
        fail_attempt(attempt);
    free(answer);
}

/* --- Over UDP ---------------------------------------------------------------- */

/*
 * One socket asks all servers of a family, so it is not connected: what ICMP says of what it has
 * sent it is told by its error queue alone (ip(7), IP_RECVERR).
 */
static int udp_socket(int family)
{
    int one = 1;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (family == AF_INET)
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one);
    else
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof one);
    return fd;
}

/* Nobody listens at this server: the attempts at it have failed. */
static void fail_all_at(struct exchange *x, const struct sockaddr_storage *server)
{
    for (size_t i = 0; i < x->count; i++)
        for (size_t place = 0; place < x->list->count; place++)
            if (x->parties[i].attempts[place].state == ATTEMPT_UDP &&
                ip_sockaddr_is_same(server_at(x, place), server))
                fail_attempt(&x->parties[i].attempts[place]);
}

/* What ICMP said of datagrams that were sent: each time with the address that they were sent to. */
static void read_errors(struct exchange *x, int fd)
{
    for (unsigned i = 0; i < ERRORS_MAX; i++) {
        struct sockaddr_storage server = {0};
        struct msghdr message = {.msg_name = &server, .msg_namelen = sizeof server};
        if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0)
            return;
        fail_all_at(x, &server);
    }
}

/* sendto(2) fails once for each error of an earlier datagram, which is read then. */
static bool send_datagram(struct exchange *x, int fd, size_t place, const uint8_t *octets,
                          size_t len)
{
    const struct sockaddr_storage *server = server_at(x, place);
    for (unsigned i = 0; i <= ERRORS_MAX; i++) {
        if (sendto(fd, octets, len, MSG_NOSIGNAL, (const struct sockaddr *)server,
                   ip_sockaddr_size(server)) == (ssize_t)len)
            return true;
        read_errors(x, fd);
    }
    return false;
}

static void ask_udp(struct exchange *x, struct party *party, size_t place)
{
    const struct dns_question *question = &party->asker->question;
    const int family = server_at(x, place)->ss_family;
    int *fd = &x->udp[family == AF_INET ? 0 : 1];
    struct attempt *attempt = &party->attempts[place];
    uint8_t with_edns[DNS_QUESTION_EDNS_MAX];
    const uint8_t *octets = question->octets;
    size_t len = question->len;
    if (*fd < 0)
        *fd = udp_socket(family);
    x->says_nothing |= *fd < 0;
    if (!attempt->without_edns) {
        len = dns_question_with_edns(question, with_edns);
        octets = with_edns;
    }
    x->strays = 0;
    if (*fd >= 0 && send_datagram(x, *fd, place, octets, len))
        attempt->state = ATTEMPT_UDP;
    else
        fail_attempt(attempt);
}

/* Whose question the datagram answers, and at which place that was asked; NULL: nobody's. */
static struct party *find_party(struct exchange *x, const struct sockaddr_storage *from, size_t len,
                                size_t *place)
{
    for (size_t i = 0; i < x->count; i++) {
        struct party *party = &x->parties[i];
        for (*place = 0; *place < x->list->count; (*place)++)
            if (party->attempts[*place].state == ATTEMPT_UDP &&
                ip_sockaddr_is_same(server_at(x, *place), from) &&
                dns_question_is_answered(&party->asker->question, x->datagram, len))
                return party;
    }
    return NULL;
}

static void receive_datagram(struct exchange *x, int fd)
{
    struct sockaddr_storage from = {0};
    socklen_t from_len = sizeof from;
    size_t place;
    ssize_t got = recvfrom(fd, x->datagram, sizeof x->datagram, MSG_TRUNC, (struct sockaddr *)&from,
                           &from_len);
    if (got < 0)
        return;
    const bool has_room = (size_t)got <= sizeof x->datagram;
    const size_t len = has_room ? (size_t)got : sizeof x->datagram;
    struct party *party = find_party(x, &from, len, &place);
    if (party == NULL) {
        x->strays++;
        return;
    }
    struct attempt *attempt = &party->attempts[place];
    x->is_heard = true;
    if (dns_question_is_not_understood(x->datagram) && !attempt->without_edns) {
        attempt->without_edns = true;
        ask_udp(x, party, place);
    } else if (dns_question_is_cut_off(x->datagram) || !has_room) {
        start_stream(x, attempt, place);
    } else {
        hand_over(x, party, place, x->datagram, len);
    }
}

/* --- Who is asked when -------------------------------------------------------- */

static int int_min(int a, int b)
{
    return a < b ? a : b;
}

/*
 * Shares out the time that is left: an equal part for each round, and of that an equal part for
 * each server, but never more than resolv.conf's timeout, nor, but for the last one,
 * DNS_NEXT_SERVER_MS.
 */
static void begin_round(const struct exchange *x, struct party *party)
{
    assert(x->list->count > 0);
    const int left_ms = deadline_left_ms(x->settings->clock, x->settings->until);
    const int share_ms = left_ms / (int)(x->list->rounds - party->round);
    const int timeout_ms = (int)x->list->timeout_ms, others = (int)x->list->count - 1;
    party->step_ms = int_min(int_min(DNS_NEXT_SERVER_MS, timeout_ms), share_ms / (others + 1));
    party->last_ms = int_min(timeout_ms, share_ms - others * party->step_ms);
    party->asked = 0;
    for (size_t i = 0; i < x->list->count; i++)
        if (party->attempts[i].state == ATTEMPT_FAILED)
            party->attempts[i].state = ATTEMPT_NONE;
}

/* Asks without EDNS from the second round on: something on the way may drop what it does not
 * know. */
static void ask_server(struct exchange *x, struct party *party)
{
    const size_t place = place_of(x, party, party->asked++);
    struct attempt *attempt = &party->attempts[place];
    const bool is_last = party->asked == x->list->count;
    party->next = deadline_in(x->settings->clock, is_last ? party->last_ms : party->step_ms);
    if (attempt->state == ATTEMPT_TCP)
        return;
    attempt->without_edns = attempt->without_edns || party->round > 0;
    if (x->list->tcp_only)
        start_stream(x, attempt, place);
    else
        ask_udp(x, party, place);
}

/* Whether the attempts of this round have all failed. */
static bool has_failed(const struct exchange *x, const struct party *party)
{
    for (size_t n = 0; n < party->asked; n++)
        if (party->attempts[place_of(x, party, n)].state != ATTEMPT_FAILED)
            return false;
    return true;
}

/* Asks the next server, and the one after it where that fails at once; past the last round it is
 * over. */
static void ask_next_server(struct exchange *x, struct party *party)
{
    do {
        if (party->asked == x->list->count) {
            party->is_over = ++party->round == x->list->rounds;
            if (party->is_over)
                return;
            begin_round(x, party);
        }
        ask_server(x, party);
    } while (has_failed(x, party));
}

static void begin_party(struct exchange *x, struct party *party, size_t first)
{
    party->first = first;
    party->round = 0;
    begin_round(x, party);
    ask_next_server(x, party);
}

/* --- The loop ----------------------------------------------------------------- */

enum { CANCEL, UDP, TCP = UDP + FAMILIES };
enum { POLLED = TCP + DNS_EXCHANGES_AT_ONCE * DNS_RESOLVERS_MAX };

static struct pollfd poll_stream(const struct party *party, size_t place)
{
    const struct attempt *attempt = &party->attempts[place];
    const struct stream *stream = &attempt->stream;
    if (party->is_over || attempt->state != ATTEMPT_TCP)
        return (struct pollfd){.fd = -1};
    return (struct pollfd){.fd = stream->fd,
                           .events = is_sent(stream, &party->asker->question) ? POLLIN : POLLOUT};
}

static void fill_polled(const struct exchange *x, struct pollfd polled[POLLED])
{
    polled[CANCEL] = (struct pollfd){.fd = x->settings->cancel_fd, .events = POLLIN};
    for (size_t i = 0; i < FAMILIES; i++)
        polled[UDP + i] =
            (struct pollfd){.fd = x->strays < STRAYS_MAX ? x->udp[i] : -1, .events = POLLIN};
    for (size_t i = TCP; i < POLLED; i++)
        polled[i] = (struct pollfd){.fd = -1};
    for (size_t i = 0; i < x->count; i++)
        for (size_t place = 0; place < x->list->count; place++)
            polled[TCP + i * DNS_RESOLVERS_MAX + place] = poll_stream(&x->parties[i], place);
}

/* Takes what has come. A stream may have ended since it was polled, and another begun in its
 * place. */
static void take_events(struct exchange *x, const struct pollfd polled[POLLED])
{
    for (size_t i = 0; i < FAMILIES; i++) {
        if ((polled[UDP + i].revents & POLLERR) != 0)
            read_errors(x, x->udp[i]);
        if (polled[UDP + i].revents != 0)
            receive_datagram(x, x->udp[i]);
    }
    for (size_t i = TCP; i < POLLED; i++) {
        struct party *party = &x->parties[(i - TCP) / DNS_RESOLVERS_MAX];
        const size_t place = (i - TCP) % DNS_RESOLVERS_MAX;
        if (polled[i].revents != 0 && !party->is_over &&
            party->attempts[place].state == ATTEMPT_TCP)
            move_stream(x, party, place);
    }
}

static size_t count_over(const struct exchange *x)
{
    size_t over = 0;
    for (size_t i = 0; i < x->count; i++)
        over += x->parties[i].is_over;
    return over;
}

/* When there is something to do even if nothing comes until then. */
static deadline next_event(const struct exchange *x, deadline until)
{
    deadline next = until;
    for (size_t i = 0; i < x->count; i++)
        if (!x->parties[i].is_over)
            next = deadline_min(next, x->parties[i].next);
    return next;
}

/* Waits for what comes next, and does what it asks for. False: time is up, or it was cancelled. */
static bool run_once(struct exchange *x)
{
    const struct dns_exchange_settings *settings = x->settings;
    const deadline until = count_over(x) > 0 ? settings->until_alone : settings->until;
    const deadline next = next_event(x, until);
    struct pollfd polled[POLLED];
    fill_polled(x, polled);
    const int ready = poll(polled, POLLED, deadline_left_ms(settings->clock, next));
    x->says_nothing |= ready > 0 && polled[CANCEL].revents != 0;
    if ((ready < 0 && errno != EINTR) || (ready > 0 && polled[CANCEL].revents != 0))
        return false;
    if (ready > 0)
        take_events(x, polled);
    /* Where poll has waited in full `next` has come, though the clock of a test may stand still. */
    deadline now = clock_monotonic_ms(settings->clock);
    if (ready == 0 && now < next)
        now = next;
    if (now >= until)
        return false;
    for (size_t i = 0; i < x->count; i++) {
        struct party *party = &x->parties[i];
        if (!party->is_over && (party->next <= now || has_failed(x, party)))
            ask_next_server(x, party);
    }
    return true;
}

/* What the exchange says of all servers. Less than a second is too little to be silent in. */
static void note_silence(const struct exchange *x, int64_t began_ms)
{
    const int64_t now_ms = clock_monotonic_ms(x->settings->clock);
    const bool had_time = now_ms - began_ms >= DNS_NEXT_SERVER_MS || now_ms < x->settings->until;
    if (x->is_heard)
        dns_servers_are_heard(x->settings->servers);
    else if (had_time && !x->says_nothing)
        dns_servers_are_silent(x->settings->servers, began_ms);
}

void dns_exchange(const struct dns_exchange_settings *settings, struct dns_asker *const askers[],
                  size_t count)
{
    const int64_t began_ms = clock_monotonic_ms(settings->clock);
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL || settings->list.count == 0) {
        free(x);
        return;
    }
    x->settings = settings;
    x->list = &settings->list;
    x->count = count;
    x->udp[0] = x->udp[1] = -1;
    for (size_t i = 0; i < count; i++)
        x->parties[i].asker = askers[i];
    for (size_t i = 0; i < count; i++)
        begin_party(x, &x->parties[i], 0);
    while (count_over(x) < count && run_once(x))
        continue;
    for (size_t i = 0; i < count; i++)
        close_streams(&x->parties[i]);
    for (size_t i = 0; i < FAMILIES; i++)
        if (x->udp[i] >= 0)
            close(x->udp[i]);
    note_silence(x, began_ms);
    free(x);
}
