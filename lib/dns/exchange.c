/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_exchange: see the header. res_nsend of libresolv counts time in whole seconds, reads a stream
 * without any limit, may raise SIGPIPE and cannot be cut short: so what goes to and fro is sent and
 * awaited here.
 *
 * A round asks each server once: the next one when the last has failed, or has had DNS_NEXT_SERVER_MS.
 * What was sent stays good to the end: an answer counts whenever it comes.
 */
#include "config.h"

#include "dns/exchange.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    DATAGRAM_ROOM = 4096, /* some send more than we take */
    STRAYS_MAX = 64,      /* datagrams that answer nothing of ours, between two sends */
    ERRORS_MAX = 16,      /* looked at in one go */
    FRAME = 2,            /* the length before a TCP message */
    OPT_SIZE = 11,
    FAMILIES = 2,
};

/* A header (RFC 1035 4.1.1), behind its id. */
enum {
    FLAGS_AT = 2,
    FLAG_QR = 0x80,
    FLAG_TC = 0x02,
    FLAG_RD = 0x01,
    RCODE_AT = 3,
    RCODE_MASK = 0x0f,
    QDCOUNT_AT = 4,
    ARCOUNT_AT = 10,
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

struct party {
    struct dns_asker *asker;
    struct attempt attempts[DNS_RESOLVERS_MAX]; /* by place in the list */
    size_t first;                               /* who is asked first in each round */
    size_t asked;                               /* in this round */
    unsigned round;
    int step_ms, last_ms; /* what a server of this round is waited for alone; what the last is */
    deadline next;        /* when the next is asked */
    bool is_over;
};

struct exchange {
    const struct dns_exchange_settings *settings;
    const struct dns_server_list *list;
    struct party parties[DNS_EXCHANGES_AT_ONCE];
    size_t count;
    int udp[FAMILIES]; /* IPv4, IPv6; -1: not needed so far */
    unsigned strays;
    uint8_t datagram[DATAGRAM_ROOM];
};

/* --- The question ------------------------------------------------------------ */

bool dns_question_make(struct dns_question *question, const char *name, ns_type type)
{
    uint8_t *at = question->octets;
    memset(at, 0, NS_HFIXEDSZ);
    if (getrandom(at, sizeof(uint16_t), 0) != (ssize_t)sizeof(uint16_t))
        return false;
    at[FLAGS_AT] = FLAG_RD;
    ns_put16(1, at + QDCOUNT_AT);
    at += NS_HFIXEDSZ;
    int len = ns_name_compress(name, at, NS_MAXCDNAME, NULL, NULL);
    if (len < 0)
        return false;
    at += len;
    ns_put16(type, at);
    ns_put16(ns_c_in, at + NS_INT16SZ);
    question->len = (size_t)(at + NS_QFIXEDSZ - question->octets);
    return true;
}

/* RFC 6891 6.1.2: the root's name, OPT, the size, and nothing else. */
static size_t add_opt(const struct dns_question *question, uint8_t octets[])
{
    uint8_t *opt = octets + question->len;
    memset(opt, 0, OPT_SIZE);
    ns_put16(ns_t_opt, opt + 1);
    ns_put16(DNS_DATAGRAM_MAX, opt + 1 + NS_INT16SZ);
    ns_put16(1, octets + ARCOUNT_AT);
    return question->len + OPT_SIZE;
}

static bool is_same_name_octet(uint8_t a, uint8_t b)
{
    return a == b || ((a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

static bool is_cut_off(const uint8_t *octets)
{
    return (octets[FLAGS_AT] & FLAG_TC) != 0;
}

static bool is_without_edns(const uint8_t *octets)
{
    const int rcode = octets[RCODE_AT] & RCODE_MASK;
    return rcode == ns_r_formerr || rcode == ns_r_notimpl;
}

/*
 * Whether it answers the question that was asked, whatever it says: the same id, the same question
 * behind the header, in whatever case. Forgers know neither the id nor our port (RFC 5452 9). Who
 * does not understand the question need not repeat it.
 */
static bool is_ours(const struct dns_question *question, const uint8_t *answer, size_t len)
{
    if (len < NS_HFIXEDSZ || memcmp(answer, question->octets, sizeof(uint16_t)) != 0 ||
        (answer[FLAGS_AT] & FLAG_QR) == 0)
        return false;
    if (ns_get16(answer + QDCOUNT_AT) == 0)
        return is_without_edns(answer);
    if (len < question->len)
        return false;
    for (size_t i = NS_HFIXEDSZ; i < question->len; i++)
        if (!is_same_name_octet(answer[i], question->octets[i]))
            return false;
    return true;
}

/* --- Servers ----------------------------------------------------------------- */

static socklen_t sockaddr_length(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static const struct sockaddr *server_address(const struct exchange *x, size_t place)
{
    return (const struct sockaddr *)&x->list->server[place].address;
}

static bool is_same_v4(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    struct sockaddr_in one, other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return one.sin_port == other.sin_port && one.sin_addr.s_addr == other.sin_addr.s_addr;
}

static bool is_same_v6(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    struct sockaddr_in6 one, other;
    memcpy(&one, a, sizeof one);
    memcpy(&other, b, sizeof other);
    return one.sin6_port == other.sin6_port &&
           memcmp(&one.sin6_addr, &other.sin6_addr, sizeof one.sin6_addr) == 0;
}

static bool is_server(const struct exchange *x, size_t place,
                      const struct sockaddr_storage *address)
{
    const struct sockaddr_storage *server = &x->list->server[place].address;
    if (server->ss_family != address->ss_family)
        return false;
    return server->ss_family == AF_INET ? is_same_v4(server, address) : is_same_v6(server, address);
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

static void fail(struct attempt *attempt)
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

/* Those that were asked before the one that has answered, and are silent still. */
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

static void begin(struct exchange *x, struct party *party, size_t first);

/* A server has answered. */
static void read_answer(struct exchange *x, struct party *party, size_t place,
                        const uint8_t *octets, size_t len)
{
    struct dns_asker *asker = party->asker;
    switch (asker->read(&asker->question, octets, len, asker->arg)) {
    case DNS_READING_NOTHING:
        fail(&party->attempts[place]);
        return;
    case DNS_READING_DONE:
        note_answer(x, party, place);
        close_streams(party);
        party->is_over = true;
        return;
    case DNS_READING_ASK:
        note_answer(x, party, place);
        close_streams(party);
        begin(x, party, place);
        return;
    }
}

/* --- Over TCP ---------------------------------------------------------------- */

static void start_stream(const struct exchange *x, struct attempt *attempt, size_t place)
{
    const struct sockaddr_storage *server = &x->list->server[place].address;
    int fd = socket(server->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail(attempt);
        return;
    }
    attempt->stream = (struct stream){.fd = fd};
    attempt->state = ATTEMPT_TCP;
    if (connect(fd, server_address(x, place), sockaddr_length(server)) != 0 && errno != EINPROGRESS)
        fail(attempt);
}

/* Returns how many octets went; -1: the connection is lost. */
static ssize_t moved(ssize_t octets)
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
    ssize_t sent = moved(send(stream->fd, message + stream->sent,
                              FRAME + question->len - stream->sent, MSG_NOSIGNAL));
    if (sent > 0)
        stream->sent += (size_t)sent;
    return sent >= 0;
}

static bool receive_frame(struct stream *stream)
{
    ssize_t got = moved(recv(stream->fd, stream->frame + stream->got, FRAME - stream->got, 0));
    if (got < 0)
        return false;
    stream->got += (size_t)got;
    if (stream->got < FRAME)
        return true;
    stream->octets = malloc(frame_length(stream) + 1);
    return stream->octets != NULL && frame_length(stream) >= NS_HFIXEDSZ;
}

static bool receive_answer(struct stream *stream)
{
    const size_t at = stream->got - FRAME;
    ssize_t got = moved(recv(stream->fd, stream->octets + at, frame_length(stream) - at, 0));
    if (got > 0)
        stream->got += (size_t)got;
    return got >= 0;
}

static void move_stream(struct exchange *x, struct party *party, size_t place)
{
    const struct dns_question *question = &party->asker->question;
    struct attempt *attempt = &party->attempts[place];
    struct stream *stream = &attempt->stream;
    bool lives;
    if (!is_sent(stream, question))
        lives = send_question(stream, question);
    else
        lives = stream->got < FRAME ? receive_frame(stream) : receive_answer(stream);
    if (!lives) {
        fail(attempt);
        return;
    }
    if (stream->octets == NULL || stream->got < FRAME + frame_length(stream))
        return;
    uint8_t *answer = stream->octets;
    const size_t len = frame_length(stream);
    stream->octets = NULL; /* ours now: the stream may end */
    if (is_ours(question, answer, len) && !is_cut_off(answer))
        read_answer(x, party, place, answer, len);
    else
        fail(attempt);
    free(answer);
}

/* --- Over UDP ---------------------------------------------------------------- */

/* One socket asks all servers of a family; what an unconnected one is told by ICMP is asked for. */
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

/* At this server nobody listens. */
static void fail_at(struct exchange *x, const struct sockaddr_storage *server)
{
    for (size_t i = 0; i < x->count; i++)
        for (size_t place = 0; place < x->list->count; place++)
            if (x->parties[i].attempts[place].state == ATTEMPT_UDP && is_server(x, place, server))
                fail(&x->parties[i].attempts[place]);
}

/* What ICMP said of datagrams that were sent: each time with the address that they were sent to. */
static void read_errors(struct exchange *x, int fd)
{
    for (unsigned i = 0; i < ERRORS_MAX; i++) {
        struct sockaddr_storage server = {0};
        struct msghdr message = {.msg_name = &server, .msg_namelen = sizeof server};
        if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0)
            return;
        fail_at(x, &server);
    }
}

/* An error of an earlier datagram stands in the way of the next one, once. */
static bool send_datagram(struct exchange *x, int fd, size_t place, const uint8_t *octets,
                          size_t len)
{
    const socklen_t size = sockaddr_length(&x->list->server[place].address);
    for (unsigned i = 0; i <= ERRORS_MAX; i++) {
        if (sendto(fd, octets, len, MSG_NOSIGNAL, server_address(x, place), size) == (ssize_t)len)
            return true;
        read_errors(x, fd);
    }
    return false;
}

static void ask_udp(struct exchange *x, struct party *party, size_t place)
{
    const struct dns_question *question = &party->asker->question;
    const int family = x->list->server[place].address.ss_family;
    int *fd = &x->udp[family == AF_INET ? 0 : 1];
    struct attempt *attempt = &party->attempts[place];
    uint8_t octets[DNS_QUESTION_MAX + OPT_SIZE];
    size_t len = question->len;
    if (*fd < 0)
        *fd = udp_socket(family);
    memcpy(octets, question->octets, len);
    if (!attempt->without_edns)
        len = add_opt(question, octets);
    x->strays = 0;
    if (*fd >= 0 && send_datagram(x, *fd, place, octets, len))
        attempt->state = ATTEMPT_UDP;
    else
        fail(attempt);
}

/* Whose question it answers, and where it was asked; NULL: nobody's. */
static struct party *whose(struct exchange *x, const struct sockaddr_storage *from, size_t len,
                           size_t *place)
{
    for (size_t i = 0; i < x->count; i++) {
        struct party *party = &x->parties[i];
        for (*place = 0; *place < x->list->count; (*place)++)
            if (party->attempts[*place].state == ATTEMPT_UDP && is_server(x, *place, from) &&
                is_ours(&party->asker->question, x->datagram, len))
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
    struct party *party = whose(x, &from, len, &place);
    if (party == NULL) {
        x->strays++;
        return;
    }
    struct attempt *attempt = &party->attempts[place];
    if (is_without_edns(x->datagram) && !attempt->without_edns) {
        attempt->without_edns = true;
        ask_udp(x, party, place);
    } else if (is_cut_off(x->datagram) || !has_room) {
        start_stream(x, attempt, place);
    } else {
        read_answer(x, party, place, x->datagram, len);
    }
}

/* --- Who is asked when -------------------------------------------------------- */

static int shorter(int a, int b)
{
    return a < b ? a : b;
}

/* A round has its share of the time that is left, and each server of it has one of that. */
static void begin_round(const struct exchange *x, struct party *party)
{
    assert(x->list->count > 0);
    const int left_ms = deadline_left_ms(x->settings->clock, x->settings->until);
    const int share_ms = left_ms / (int)(x->list->rounds - party->round);
    const int timeout_ms = (int)x->list->timeout_ms, others = (int)x->list->count - 1;
    party->step_ms = shorter(shorter(DNS_NEXT_SERVER_MS, timeout_ms), share_ms / (others + 1));
    party->last_ms = shorter(timeout_ms, share_ms - others * party->step_ms);
    party->asked = 0;
    for (size_t i = 0; i < x->list->count; i++)
        if (party->attempts[i].state == ATTEMPT_FAILED)
            party->attempts[i].state = ATTEMPT_NONE;
}

/* What was lost once may have been too new for something on its way. */
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

/* Whether nobody who was asked in this round can answer any more. */
static bool has_failed(const struct exchange *x, const struct party *party)
{
    for (size_t n = 0; n < party->asked; n++)
        if (party->attempts[place_of(x, party, n)].state != ATTEMPT_FAILED)
            return false;
    return true;
}

/* Asks the next server, as often as that fails at once; the party is over where none is left. */
static void go_on(struct exchange *x, struct party *party)
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

static void begin(struct exchange *x, struct party *party, size_t first)
{
    party->first = first;
    party->round = 0;
    begin_round(x, party);
    go_on(x, party);
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

static void fill(const struct exchange *x, struct pollfd polled[POLLED])
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

/* What has come. A stream may have ended, and another begun in its place, since it was polled. */
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

/* When there is something to do although nothing has come. */
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
    fill(x, polled);
    const int ready = poll(polled, POLLED, deadline_left_ms(settings->clock, next));
    if ((ready < 0 && errno != EINTR) || (ready > 0 && polled[CANCEL].revents != 0))
        return false;
    if (ready > 0)
        take_events(x, polled);
    /* What was waited for in full has come, whatever a clock of tests says. */
    deadline now = clock_monotonic_ms(settings->clock);
    if (ready == 0 && now < next)
        now = next;
    if (now >= until)
        return false;
    for (size_t i = 0; i < x->count; i++) {
        struct party *party = &x->parties[i];
        if (!party->is_over && (party->next <= now || has_failed(x, party)))
            go_on(x, party);
    }
    return true;
}

void dns_exchange(const struct dns_exchange_settings *settings, struct dns_asker *const askers[],
                  size_t count)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL || settings->list->count == 0) {
        free(x);
        return;
    }
    x->settings = settings;
    x->list = settings->list;
    x->count = count;
    x->udp[0] = x->udp[1] = -1;
    for (size_t i = 0; i < count; i++)
        x->parties[i].asker = askers[i];
    for (size_t i = 0; i < count; i++)
        begin(x, &x->parties[i], 0);
    while (count_over(x) < count && run_once(x))
        continue;
    for (size_t i = 0; i < count; i++)
        close_streams(&x->parties[i]);
    for (size_t i = 0; i < FAMILIES; i++)
        if (x->udp[i] >= 0)
            close(x->udp[i]);
    free(x);
}
