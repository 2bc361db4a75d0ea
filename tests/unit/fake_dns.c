/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_dns: see the header. One thread polls; `lock` covers the table and the log of questions. */
#include "config.h"

#include "fake_dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum {
    MESSAGE_MAX = 65535,
    LOG_MAX = 512,         /* questions remembered; a test asks far fewer */
    HELD_MAX = 16,         /* connections kept open and silent */
    HELD_ANSWERS_MAX = 64, /* kept back while it is held */
    BIND_TRIES = 50,
    TCP_TIMEOUT_S = 2,
    STRAYS = 5, /* datagrams before the right one */
    DEFAULT_TTL_S = 300,
};

struct asked {
    char name[NS_MAXDNAME];
    ns_type type;
    uint16_t id;
    unsigned port;     /* 0: over TCP */
    unsigned edns_max; /* 0: there is no OPT */
};

/* An answer over UDP, and who gets it. */
struct datagram {
    struct sockaddr_storage to;
    socklen_t to_len;
    uint8_t octets[NS_PACKETSZ];
    size_t len; /* 0: there is none */
};

struct fake_dns {
    int udp, tcp, wake[2];
    int held[HELD_MAX];
    size_t held_count;
    char server[64];
    pthread_t thread;
    pthread_mutex_t lock;
    const struct fake_dns_row *rows; /* lock */
    size_t row_count;                /* lock */
    struct asked log[LOG_MAX];       /* lock */
    size_t log_count;                /* lock */
    bool is_held, is_over;           /* lock */
    uint8_t query[MESSAGE_MAX];      /* the thread's own, as is what follows */
    uint8_t answer[2 + MESSAGE_MAX];
    struct datagram late; /* FAKE_DNS_AFTER_NEXT */
    bool holds;
    struct datagram kept[HELD_ANSWERS_MAX]; /* while it holds */
    size_t kept_count;
};

struct writer {
    uint8_t *at, *end;
};

/* cmocka's own assertions jump, which only the test's thread may do. */
static void must(bool is_true)
{
    if (is_true)
        return;
    fputs("fake_dns: a bad table, or the system refused\n", stderr);
    abort();
}

/*
 * Asked by ThreadSanitizer, where there is one. res_ninit keeps what it read of resolv.conf in a
 * table of glibc's, under a lock of glibc's own that the sanitizer does not see.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:__libc_dynarray_emplace_enlarge\n";
}

/* --- Writing an answer ----------------------------------------------------- */

static void put_octets(struct writer *writer, const void *octets, size_t len)
{
    must((size_t)(writer->end - writer->at) >= len);
    memcpy(writer->at, octets, len);
    writer->at += len;
}

static void put_16(struct writer *writer, unsigned number)
{
    const uint8_t octets[] = {(uint8_t)(number >> 8), (uint8_t)number};
    put_octets(writer, octets, sizeof octets);
}

static void put_name(struct writer *writer, const char *name)
{
    uint8_t wire[NS_MAXCDNAME];
    int len = ns_name_pton(name, wire, sizeof wire) < 0
                  ? -1
                  : ns_name_pack(wire, writer->at, (int)(writer->end - writer->at), NULL, NULL);
    must(len > 0);
    writer->at += len;
}

/* Its strings: up to a line feed, or as many octets as one can hold. */
static void put_text(struct writer *writer, const char *text)
{
    do {
        size_t len = strcspn(text, "\n");
        if (len > UINT8_MAX)
            len = UINT8_MAX;
        const uint8_t length = (uint8_t)len;
        put_octets(writer, &length, 1);
        put_octets(writer, text, len);
        text += len + (text[len] == '\n');
    } while (*text != '\0');
}

static void put_data(struct writer *writer, const struct fake_dns_answer *answer)
{
    uint8_t address[16];
    switch (answer->type) {
    case ns_t_a:
        must(inet_pton(AF_INET, answer->data, address) == 1);
        put_octets(writer, address, 4);
        break;
    case ns_t_aaaa:
        must(inet_pton(AF_INET6, answer->data, address) == 1);
        put_octets(writer, address, 16);
        break;
    case ns_t_mx:
        put_16(writer, answer->preference);
        put_name(writer, answer->data);
        break;
    case ns_t_txt:
        put_text(writer, answer->data);
        break;
    default:
        must(answer->type == ns_t_cname || answer->type == ns_t_ptr);
        put_name(writer, answer->data);
        break;
    }
}

static void put_32(struct writer *writer, unsigned number)
{
    put_16(writer, number >> 16);
    put_16(writer, number & 0xffff);
}

static unsigned ttl_of(const struct fake_dns_row *row)
{
    if (row->flags & FAKE_DNS_TTL_0)
        return 0;
    return row->ttl_s > 0 ? row->ttl_s : DEFAULT_TTL_S;
}

/* RFC 1035 3.3.13: two names and five numbers. */
static void put_soa(struct writer *writer, const struct fake_dns_row *row)
{
    put_name(writer, "example");
    put_16(writer, ns_t_soa);
    put_16(writer, ns_c_in);
    put_32(writer, row->soa_ttl_s);
    uint8_t *length = writer->at;
    put_16(writer, 0);
    put_name(writer, "ns.example");
    put_name(writer, "hostmaster.example");
    for (unsigned i = 1; i <= 4; i++)
        put_32(writer, i);
    put_32(writer, row->soa_minimum_s);
    ns_put16((unsigned)(writer->at - length - 2), length);
}

static void put_record(struct writer *writer, const struct fake_dns_answer *answer,
                       const char *name, const struct fake_dns_row *row)
{
    const unsigned flags = row->flags;
    put_name(writer, answer->owner != NULL ? answer->owner : name);
    put_16(writer, answer->type);
    put_16(writer, ns_c_in);
    put_32(writer, ttl_of(row));
    uint8_t *length = writer->at;
    put_16(writer, 0);
    put_data(writer, answer);
    if (flags & FAKE_DNS_BAD_DATA)
        writer->at--;
    if (flags & FAKE_DNS_LONG_DATA)
        put_octets(writer, "", 1);
    ns_put16((unsigned)(writer->at - length - 2), length);
}

/* RFC 6891 6.1.2, with the upper eight bits of the code that it is to say. */
static void put_opt(struct writer *writer, unsigned upper_rcode)
{
    put_octets(writer, "", 1);
    put_16(writer, ns_t_opt);
    put_16(writer, NS_PACKETSZ);
    put_32(writer, upper_rcode << 24);
    put_16(writer, 0);
}

static size_t build(const struct fake_dns_row *row, const uint8_t *query, const struct asked *asked,
                    bool cut_short, uint8_t *out)
{
    struct writer writer = {.at = out, .end = out + MESSAGE_MAX};
    unsigned id = ns_get16(query);
    size_t count = cut_short ? 0 : row->count;

    put_16(&writer, row->flags & FAKE_DNS_WRONG_ID ? id ^ 1 : id);
    if ((row->flags & FAKE_DNS_NO_EDNS) && asked->edns_max > 0) {
        put_16(&writer, 0x8180U | ns_r_formerr);
        put_octets(&writer, "\0\0\0\0\0\0\0\0", 8);
        return (size_t)(writer.at - out);
    }
    if (row->flags & FAKE_DNS_GARBAGE) {
        put_octets(&writer, "\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff\xc0\xff\xc0\x0c\x07", 15);
        return (size_t)(writer.at - out);
    }
    put_16(&writer, 0x8180U | (cut_short ? 0x0200U : 0) | (unsigned)row->rcode);
    put_16(&writer, 1);
    put_16(&writer, (unsigned)count);
    put_16(&writer, row->soa_ttl_s > 0);
    put_16(&writer, (row->flags & FAKE_DNS_BADVERS) != 0);
    put_name(&writer, row->flags & FAKE_DNS_WRONG_QUESTION ? "other.example" : asked->name);
    put_16(&writer, asked->type);
    put_16(&writer, ns_c_in);
    for (size_t i = 0; i < count; i++)
        put_record(&writer, &row->answers[i], asked->name, row);
    if (row->soa_ttl_s > 0)
        put_soa(&writer, row);
    if (row->flags & FAKE_DNS_BADVERS)
        put_opt(&writer, ns_r_badvers >> 4);
    return (size_t)(writer.at - out) - (row->flags & FAKE_DNS_CUT ? 2 : 0);
}

/* --- Sockets --------------------------------------------------------------- */

static void loopback(int family, unsigned port, struct sockaddr_storage *address, socklen_t *len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v6.sin6_addr = in6addr_loopback;
    *len = family == AF_INET ? sizeof v4 : sizeof v6;
    memcpy(address, family == AF_INET ? (const void *)&v4 : (const void *)&v6, *len);
}

/* A socket bound to the port (0: any); -1 where that cannot be. */
static int bound(int family, int type, unsigned port)
{
    struct sockaddr_storage address;
    socklen_t len;
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    loopback(family, port, &address, &len);
    if (bind(fd, (struct sockaddr *)&address, len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* --- Answering ------------------------------------------------------------- */

static struct fake_dns_row find_row(const struct fake_dns *fake, const struct asked *asked)
{
    struct fake_dns_row found = {.rcode = ns_r_nxdomain};
    for (size_t i = 0; i < fake->row_count; i++) {
        const struct fake_dns_row *row = &fake->rows[i];
        if (strcasecmp(row->name, asked->name) != 0)
            continue;
        if (row->type == ns_t_invalid || row->type == asked->type)
            return *row;
        found.rcode = ns_r_noerror;
    }
    return found;
}

static unsigned port_in(const struct sockaddr_storage *address)
{
    in_port_t port;
    const char *octets = (const char *)address;
    if (address->ss_family == AF_INET)
        memcpy(&port, octets + offsetof(struct sockaddr_in, sin_port), sizeof port);
    else
        memcpy(&port, octets + offsetof(struct sockaddr_in6, sin6_port), sizeof port);
    return ntohs(port);
}

/* Under the lock. */
static bool was_asked(const struct fake_dns *fake, const struct asked *asked)
{
    for (size_t i = 0; i < fake->log_count; i++)
        if (fake->log[i].type == asked->type && strcasecmp(fake->log[i].name, asked->name) == 0)
            return true;
    return false;
}

/* What the question's OPT says; 0: it has none. */
static unsigned read_edns(ns_msg *msg)
{
    ns_rr rr;
    if (ns_msg_count(*msg, ns_s_ar) != 1 || ns_parserr(msg, ns_s_ar, 0, &rr) != 0)
        return 0;
    return ns_rr_type(rr) == ns_t_opt ? ns_rr_class(rr) : 0;
}

/* Over UDP: what is longer than the client takes is cut off. */
static size_t build_to_fit(const struct fake_dns_row *row, const uint8_t *query,
                           const struct asked *asked, uint8_t *out)
{
    const size_t room = asked->edns_max > NS_PACKETSZ ? asked->edns_max : NS_PACKETSZ;
    const bool is_cut = row->flags == FAKE_DNS_TRUNCATE && asked->port != 0;
    size_t len = build(row, query, asked, is_cut, out);
    if (asked->port != 0 && len > room)
        len = build(row, query, asked, true, out);
    return len;
}

/*
 * Reads the question, notes it, and builds the answer behind the two octets for TCP's length.
 * `port` is the client's, 0 over TCP. False: none.
 */
static bool answer(struct fake_dns *fake, size_t query_len, unsigned port, struct fake_dns_row *row,
                   size_t *len)
{
    struct asked asked = {.port = port, .id = (uint16_t)ns_get16(fake->query)};
    ns_msg msg;
    ns_rr question;
    if (ns_initparse(fake->query, (int)query_len, &msg) != 0 || ns_msg_count(msg, ns_s_qd) != 1 ||
        ns_parserr(&msg, ns_s_qd, 0, &question) != 0)
        return false;
    snprintf(asked.name, sizeof asked.name, "%s", ns_rr_name(question));
    asked.type = ns_rr_type(question);
    asked.edns_max = read_edns(&msg);

    pthread_mutex_lock(&fake->lock);
    bool is_first = !was_asked(fake, &asked);
    if (fake->log_count < LOG_MAX)
        fake->log[fake->log_count++] = asked;
    *row = find_row(fake, &asked);
    pthread_mutex_unlock(&fake->lock);
    if ((is_first && (row->flags & FAKE_DNS_FIRST_LOST)) ||
        (asked.edns_max > 0 && (row->flags & FAKE_DNS_EDNS_LOST)))
        return false;
    if (port != 0 && (row->flags & FAKE_DNS_TRUNCATE))
        row->flags = FAKE_DNS_TRUNCATE;

    *len = build_to_fit(row, fake->query, &asked, fake->answer + 2);
    ns_put16((unsigned)*len, fake->answer);
    return (row->flags & FAKE_DNS_DROP) == 0;
}

/* In the place of one that is held already. */
static void hold(const struct fake_dns *fake, struct datagram *held, size_t len,
                 const struct sockaddr_storage *to, socklen_t to_len)
{
    must(len <= sizeof held->octets);
    *held = (struct datagram){.to = *to, .to_len = to_len, .len = len};
    memcpy(held->octets, fake->answer + 2, len);
}

static void send_held(const struct fake_dns *fake, struct datagram *held)
{
    if (held->len > 0)
        (void)sendto(fake->udp, held->octets, held->len, 0, (const struct sockaddr *)&held->to,
                     held->to_len);
    held->len = 0;
}

static void let_go(struct fake_dns *fake)
{
    for (size_t i = 0; i < fake->kept_count; i++)
        send_held(fake, &fake->kept[i]);
    fake->kept_count = 0;
}

static void serve_udp(struct fake_dns *fake)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    struct fake_dns_row row;
    size_t len;
    ssize_t got = recvfrom(fake->udp, fake->query, sizeof fake->query, 0, (struct sockaddr *)&from,
                           &from_len);
    if (got <= 0 || !answer(fake, (size_t)got, port_in(&from), &row, &len))
        return;
    for (unsigned i = row.flags & FAKE_DNS_STRAYS ? STRAYS : 0; i > 0; i--) {
        fake->answer[2] ^= (uint8_t)i; /* the id */
        (void)sendto(fake->udp, fake->answer + 2, len, 0, (struct sockaddr *)&from, from_len);
        fake->answer[2] ^= (uint8_t)i;
    }
    if (row.flags & FAKE_DNS_AFTER_NEXT) {
        hold(fake, &fake->late, len, &from, from_len);
        return;
    }
    if (fake->holds) {
        must(fake->kept_count < HELD_ANSWERS_MAX);
        hold(fake, &fake->kept[fake->kept_count++], len, &from, from_len);
        return;
    }
    int fd = row.flags & FAKE_DNS_STRANGER ? bound(from.ss_family, SOCK_DGRAM, 0) : fake->udp;
    must(fd >= 0);
    for (unsigned i = row.flags & FAKE_DNS_TWICE ? 2 : 1; i > 0; i--)
        (void)sendto(fd, fake->answer + 2, len, 0, (struct sockaddr *)&from, from_len);
    if (fd != fake->udp)
        close(fd);
    send_held(fake, &fake->late);
}

static bool read_all(int fd, uint8_t *octets, size_t len)
{
    return recv(fd, octets, len, MSG_WAITALL) == (ssize_t)len;
}

static void serve_tcp(struct fake_dns *fake)
{
    uint8_t length[2];
    struct fake_dns_row row;
    size_t len;
    const struct timeval timeout = {.tv_sec = TCP_TIMEOUT_S};
    int fd = accept(fake->tcp, NULL, NULL);
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (read_all(fd, length, sizeof length) && read_all(fd, fake->query, ns_get16(length)) &&
        answer(fake, ns_get16(length), 0, &row, &len)) {
        if ((row.flags & FAKE_DNS_TCP_SILENT) && fake->held_count < HELD_MAX) {
            fake->held[fake->held_count++] = fd;
            return;
        }
        if (!(row.flags & FAKE_DNS_TCP_CLOSE))
            (void)send(fd, fake->answer, 2 + len, MSG_NOSIGNAL);
    }
    close(fd);
}

/* Reads why it was woken. False: the end has come. */
static bool heed(struct fake_dns *fake)
{
    char octet;
    must(read(fake->wake[0], &octet, 1) == 1);
    pthread_mutex_lock(&fake->lock);
    fake->holds = fake->is_held;
    bool is_over = fake->is_over;
    pthread_mutex_unlock(&fake->lock);
    if (!fake->holds)
        let_go(fake);
    return !is_over;
}

static void *serve(void *arg)
{
    struct fake_dns *fake = arg;
    struct pollfd polled[] = {{.fd = fake->wake[0], .events = POLLIN},
                              {.fd = fake->udp, .events = POLLIN},
                              {.fd = fake->tcp, .events = POLLIN}};
    for (;;) {
        if (poll(polled, COUNT(polled), -1) < 0)
            continue;
        if (polled[0].revents) {
            if (!heed(fake))
                return NULL;
            continue;
        }
        if (polled[1].revents)
            serve_udp(fake);
        if (polled[2].revents)
            serve_tcp(fake);
    }
}

static void tell(struct fake_dns *fake, bool is_held, bool is_over)
{
    pthread_mutex_lock(&fake->lock);
    fake->is_held = is_held;
    fake->is_over = is_over;
    pthread_mutex_unlock(&fake->lock);
    must(write(fake->wake[1], "", 1) == 1);
}

/* --- Starting and stopping ------------------------------------------------- */

static unsigned port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    must(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    return port_in(&address);
}

/* One port, free for UDP and for TCP. */
static bool bind_both(struct fake_dns *fake, int family)
{
    for (int i = 0; i < BIND_TRIES; i++) {
        fake->udp = bound(family, SOCK_DGRAM, 0);
        if (fake->udp < 0)
            return false;
        fake->tcp = bound(family, SOCK_STREAM, port_of(fake->udp));
        if (fake->tcp >= 0)
            return true;
        close(fake->udp);
    }
    return false;
}

struct fake_dns *fake_dns_start(int family, const struct fake_dns_row *rows, size_t count)
{
    struct fake_dns *fake = calloc(1, sizeof *fake);
    must(fake != NULL);
    fake->rows = rows;
    fake->row_count = count;
    if (!bind_both(fake, family)) {
        free(fake);
        return NULL;
    }
    snprintf(fake->server, sizeof fake->server, family == AF_INET ? "127.0.0.1:%u" : "[::1]:%u",
             port_of(fake->udp));
    must(listen(fake->tcp, HELD_MAX) == 0);
    must(pipe(fake->wake) == 0);
    must(pthread_mutex_init(&fake->lock, NULL) == 0);
    must(pthread_create(&fake->thread, NULL, serve, fake) == 0);
    return fake;
}

void fake_dns_set(struct fake_dns *fake, const struct fake_dns_row *rows, size_t count)
{
    pthread_mutex_lock(&fake->lock);
    fake->rows = rows;
    fake->row_count = count;
    pthread_mutex_unlock(&fake->lock);
}

void fake_dns_hold(struct fake_dns *fake, bool held)
{
    tell(fake, held, false);
}

void fake_dns_stop(struct fake_dns *fake)
{
    if (fake == NULL)
        return;
    tell(fake, false, true);
    must(pthread_join(fake->thread, NULL) == 0);
    for (size_t i = 0; i < fake->held_count; i++)
        close(fake->held[i]);
    close(fake->wake[0]);
    close(fake->wake[1]);
    close(fake->udp);
    close(fake->tcp);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

const char *fake_dns_server(const struct fake_dns *fake)
{
    return fake->server;
}

static unsigned asked_times(struct fake_dns *fake, const char *name, ns_type type, bool tcp)
{
    unsigned times = 0;
    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->log_count; i++) {
        const struct asked *asked = &fake->log[i];
        if ((asked->port == 0) == tcp && (type == ns_t_invalid || asked->type == type) &&
            strcasecmp(asked->name, name) == 0)
            times++;
    }
    pthread_mutex_unlock(&fake->lock);
    return times;
}

unsigned fake_dns_asked_udp(struct fake_dns *fake, const char *name, ns_type type)
{
    return asked_times(fake, name, type, false);
}

unsigned fake_dns_asked_tcp(struct fake_dns *fake, const char *name, ns_type type)
{
    return asked_times(fake, name, type, true);
}

size_t fake_dns_questions(struct fake_dns *fake, struct fake_dns_question *questions, size_t room)
{
    size_t count = 0;
    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->log_count && count < room; i++) {
        const struct asked *asked = &fake->log[i];
        if (asked->port != 0)
            questions[count++] = (struct fake_dns_question){.type = asked->type,
                                                            .id = asked->id,
                                                            .port = asked->port,
                                                            .edns_max = asked->edns_max};
    }
    pthread_mutex_unlock(&fake->lock);
    return count;
}
