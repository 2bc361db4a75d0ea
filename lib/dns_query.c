/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns_query: see the header. Questions are made and answers read by libresolv; what goes to and fro
 * is sent and awaited here. res_nsend counts time in whole seconds, reads a stream (TCP, for
 * truncated answers) without any limit and may raise SIGPIPE, so a resolver could hold a thread for
 * ever.
 */
#include "config.h"

#include "dns_query.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    CNAME_HOPS_MAX = 8,      /* in one look-up, over all answers; a loop ends here */
    ROUNDS_MAX = 5,          /* attempts with each server, whatever resolv.conf says */
    SLICE_MAX_S = 30,        /* for one attempt, whatever resolv.conf says */
    ANSWER_MAX = 65535,      /* what the length before a TCP message can say */
    QUERY_MAX = NS_PACKETSZ, /* a header and one question need far less */
    NAME_MAX_OCTETS = 253,   /* RFC 1035 2.3.4: 255 on the wire */
    LABEL_MAX_OCTETS = 63,
    FRAME = 2,                /* the length before a TCP message */
    STRAY_DATAGRAMS_MAX = 64, /* that are no answer to our question, for one attempt */
    LOOKUPS_AT_ONCE = 2,
};

/* One look-up under way: a name and a type, asked again where CNAMEs lead on. */
struct lookup {
    const struct dns *dns;
    const struct dns_query *of;
    deadline until;
    char name[RB_DOMAIN_MAX + 1];
    unsigned cname_hops;
    ns_msg msg;       /* what was said: in kept or in room */
    bool is_recalled; /* msg is what was kept about the name */
    uint8_t kept[DNS_ANSWERS_SIZE_MAX];

    bool can_ask;  /* what follows is there */
    uint8_t *room; /* ANSWER_MAX octets */
    struct __res_state state;
    struct sockaddr_storage server[DNS_RESOLVERS_MAX];
    size_t server_count;
    int rounds;                       /* attempts with each server */
    int slice_s;                      /* for one attempt at most */
    bool tcp_only;                    /* resolv.conf says so */
    bool one_at_a_time;               /* as above */
    uint8_t query[FRAME + QUERY_MAX]; /* with room for the frame before it */
    size_t query_len;                 /* without the frame */
    int len;                          /* of the answer in room; -1: there is none */
    bool is_begun;                    /* the first server has been asked over UDP already */
    deadline begun_end;               /* when that would have ended had it been asked this alone */
};

/* --- Names --------------------------------------------------------------- */

static const char host_octets[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* All printable ones but the dot and the backslash, which both mean something in a name as text. */
static const char any_octets[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
                                 " !\"#$%&'()*+,/:;<=>?@[]^`{|}~";

/* Octets of the label that text begins with; 0 when it is none. */
static size_t label_length(const char *text, const char *octets)
{
    size_t len = strspn(text, octets);
    return len <= LABEL_MAX_OCTETS ? len : 0;
}

/*
 * Copies a name in lower case. False for anything that has other octets than these in its labels,
 * an empty or long label, or a dot at the end.
 */
static bool name_of(const char *octets, const char *text, char name[RB_DOMAIN_MAX + 1])
{
    size_t len = strnlen(text, NAME_MAX_OCTETS + 1);
    if (len > NAME_MAX_OCTETS)
        return false;
    for (size_t at = 0; at <= len;) {
        size_t label = label_length(text + at, octets);
        if (label == 0 || (text[at + label] != '.' && text[at + label] != '\0'))
            return false;
        at += label + 1;
    }
    for (size_t i = 0; i <= len; i++) {
        bool is_upper = text[i] >= 'A' && text[i] <= 'Z';
        name[i] = (char)(is_upper ? text[i] + ('a' - 'A') : text[i]);
    }
    return true;
}

bool dns_host_name(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    return name_of(host_octets, text, name);
}

/*
 * What stands at a backslash: "\064" or "\@". Its length; 0 where it is one of those two that mean
 * something in a name as text, or none at all.
 */
static size_t read_escape(const char *text, char *octet)
{
    size_t digits = strspn(text + 1, "0123456789");
    int code = (unsigned char)text[1];
    if (digits >= 3)
        code = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    else if (digits > 0)
        return 0;
    *octet = (char)code;
    if (code == '\0' || code == '.' || code == '\\')
        return 0;
    return digits >= 3 ? 4 : 2;
}

bool dns_any_name(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    char plain[NAME_MAX_OCTETS + 1];
    size_t len = 0;
    while (*text != '\0' && len < sizeof plain - 1) {
        size_t used = 1;
        plain[len] = *text;
        if (*text == '\\')
            used = read_escape(text, &plain[len]);
        if (used == 0)
            return false;
        text += used;
        len++;
    }
    plain[len] = '\0';
    return *text == '\0' && name_of(any_octets, plain, name);
}

bool dns_can_ask(const char *name)
{
    char copy[RB_DOMAIN_MAX + 1];
    return name_of(any_octets, name, copy);
}

/* Whether the record's owner is this name, which is one that name_of wrote. */
static bool is_name(const ns_rr *rr, const char *name)
{
    char owner[RB_DOMAIN_MAX + 1];
    return dns_any_name(ns_rr_name(*rr), owner) && strcmp(owner, name) == 0;
}

static socklen_t sockaddr_length(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* --- libresolv's state ---------------------------------------------------- */

/*
 * Copies the servers that res_ninit found in resolv.conf. glibc has IPv4 ones in nsaddr_list; an
 * entry of family 0 there stands for the IPv6 one in nsaddrs.
 */
static void read_resolv_conf(struct lookup *lookup)
{
    const struct __res_state *state = &lookup->state;
    lookup->server_count = 0;
    for (int i = 0; i < state->nscount && lookup->server_count < DNS_RESOLVERS_MAX; i++) {
        struct sockaddr_storage *server = &lookup->server[lookup->server_count];
        if (state->nsaddr_list[i].sin_family == AF_INET)
            memcpy(server, &state->nsaddr_list[i], sizeof state->nsaddr_list[i]);
        else if (state->_u._ext.nsaddrs[i] != NULL)
            memcpy(server, state->_u._ext.nsaddrs[i], sizeof *state->_u._ext.nsaddrs[i]);
        else
            continue;
        lookup->server_count++;
    }
}

static int within(int number, int low, int high)
{
    if (number < low)
        return low;
    return number > high ? high : number;
}

static void lookup_fini(struct lookup *lookup)
{
    if (lookup->can_ask)
        res_nclose(&lookup->state);
    free(lookup->room);
}

static bool lookup_init(struct lookup *lookup, const struct dns *dns, const struct dns_query *query,
                        deadline until)
{
    *lookup = (struct lookup){
        .dns = dns,
        .of = query,
        .until = until,
        .len = -1,
    };
    return name_of(query->any_name ? any_octets : host_octets, query->name, lookup->name);
}

/* Only where somebody is to be asked: libresolv looks at resolv.conf each time. */
static bool get_ready_to_ask(struct lookup *lookup)
{
    const struct dns *dns = lookup->dns;
    struct __res_state *state = &lookup->state;

    if (lookup->can_ask)
        return true;
    if (lookup->room == NULL)
        lookup->room = malloc(ANSWER_MAX);
    if (lookup->room == NULL || res_ninit(state) != 0)
        return false;
    lookup->can_ask = true;
    lookup->rounds = within(state->retry, 1, ROUNDS_MAX);
    lookup->slice_s = within(state->retrans, 1, SLICE_MAX_S);
    lookup->tcp_only = (state->options & RES_USEVC) != 0;
    lookup->one_at_a_time = (state->options & (RES_SNGLKUP | RES_SNGLKUPREOP)) != 0;
    state->options = (state->options & ~(unsigned long)RES_USEVC) | RES_RECURSE | RES_IGNTC;
    read_resolv_conf(lookup);
    if (dns->server_count > 0) {
        memcpy(lookup->server, dns->server, sizeof lookup->server);
        lookup->server_count = dns->server_count;
    }
    return true;
}

/* --- Waiting --------------------------------------------------------------- */

/* False when the time has passed. */
static bool wait_for(const struct rb_clock *clock, int fd, short events, deadline end)
{
    struct pollfd polled = {.fd = fd, .events = events};
    int left_ms;
    while ((left_ms = deadline_left_ms(clock, end)) > 0) {
        int ready = poll(&polled, 1, left_ms);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
    return false;
}

/* --- Asking over UDP ------------------------------------------------------- */

static bool is_same_name_octet(uint8_t a, uint8_t b)
{
    return a == b || ((a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

/*
 * Whether it answers the question that was asked, whatever it says: the same id, the same question
 * behind the header, in whatever case. Forgers know neither the id nor our port (RFC 5452 9).
 */
static bool is_ours(const struct lookup *lookup, const uint8_t *answer, size_t len)
{
    const uint8_t *query = lookup->query + FRAME;

    if (len < lookup->query_len || memcmp(answer, query, sizeof(uint16_t)) != 0 ||
        !((const HEADER *)(const void *)answer)->qr)
        return false;
    for (size_t i = NS_HFIXEDSZ; i < lookup->query_len; i++)
        if (!is_same_name_octet(answer[i], query[i]))
            return false;
    return true;
}

/* Which of them it answers, NULL: none that is still without an answer. */
static struct lookup *whose(struct lookup *const asked[], size_t count, const uint8_t *answer,
                            size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (asked[i]->len < 0 && is_ours(asked[i], answer, len))
            return asked[i];
    return NULL;
}

/* Each answer ends up in the room of its own look-up. */
static void swap_rooms(struct lookup *a, struct lookup *b)
{
    uint8_t *room = a->room;
    a->room = b->room;
    b->room = room;
}

static void udp_receive(struct lookup *const asked[], size_t count, int fd, deadline end)
{
    size_t missing = count;
    for (unsigned strays = 0; missing > 0 && strays < STRAY_DATAGRAMS_MAX;) {
        struct lookup *next = asked[0]->len < 0 ? asked[0] : asked[count - 1];
        if (!wait_for(next->dns->clock, fd, POLLIN, end))
            return;
        ssize_t got = recv(fd, next->room, ANSWER_MAX, 0);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return; /* nobody listens there */
        struct lookup *owner = got > 0 ? whose(asked, count, next->room, (size_t)got) : NULL;
        if (owner == NULL) {
            strays++;
            continue;
        }
        swap_rooms(next, owner);
        owner->len = (int)got;
        missing--;
    }
}

static bool udp_send(struct lookup *const asked[], size_t count, int fd)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *query = asked[i]->query + FRAME;
        size_t len = asked[i]->query_len;
        if (send(fd, query, len, MSG_NOSIGNAL) != (ssize_t)len)
            return false;
    }
    return true;
}

/*
 * One question, or two over one socket: all are sent before an answer is awaited, until `end` or
 * until each has its own. Never more sockets than one: a callout has one descriptor.
 */
static void ask_udp(struct lookup *const asked[], size_t count,
                    const struct sockaddr_storage *server, deadline end)
{
    for (size_t i = 0; i < count; i++)
        asked[i]->len = -1;
    int fd = socket(server->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)server, sockaddr_length(server)) == 0 &&
        udp_send(asked, count, fd))
        udp_receive(asked, count, fd, end);
    close(fd);
}

/* --- Asking over TCP ------------------------------------------------------- */

static bool tcp_connect(const struct rb_clock *clock, int fd, const struct sockaddr_storage *server,
                        deadline end)
{
    if (connect(fd, (const struct sockaddr *)server, sockaddr_length(server)) == 0)
        return true;
    if (errno != EINPROGRESS || !wait_for(clock, fd, POLLOUT, end))
        return false;
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static bool tcp_send(const struct rb_clock *clock, int fd, const uint8_t *octets, size_t len,
                     deadline end)
{
    while (len > 0) {
        if (!wait_for(clock, fd, POLLOUT, end))
            return false;
        ssize_t sent = send(fd, octets, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (sent > 0) {
            octets += sent;
            len -= (size_t)sent;
        }
    }
    return true;
}

static bool tcp_receive(const struct rb_clock *clock, int fd, uint8_t *octets, size_t len,
                        deadline end)
{
    while (len > 0) {
        if (!wait_for(clock, fd, POLLIN, end))
            return false;
        ssize_t got = recv(fd, octets, len, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (got > 0) {
            octets += got;
            len -= (size_t)got;
        }
    }
    return true;
}

/* Returns the length of the answer, -1 when none came by `end`. */
static int ask_tcp(struct lookup *lookup, const struct sockaddr_storage *server, deadline end)
{
    const struct rb_clock *clock = lookup->dns->clock;
    uint8_t frame[FRAME];
    int len = -1;
    int fd = socket(server->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    ns_put16((u_int)lookup->query_len, lookup->query);
    if (tcp_connect(clock, fd, server, end) &&
        tcp_send(clock, fd, lookup->query, FRAME + lookup->query_len, end) &&
        tcp_receive(clock, fd, frame, sizeof frame, end) &&
        tcp_receive(clock, fd, lookup->room, ns_get16(frame), end))
        len = (int)ns_get16(frame);
    close(fd);
    return len;
}

/* --- Asking ---------------------------------------------------------------- */

static bool is_truncated(const struct lookup *lookup)
{
    return lookup->len >= NS_HFIXEDSZ && ((const HEADER *)(const void *)lookup->room)->tc;
}

/* Parses an answer; true when it is one to our question that says something. */
static bool can_be_read(struct lookup *lookup, const uint8_t *answer, int len)
{
    ns_rr question;
    ns_msg *msg = &lookup->msg;
    if (len < NS_HFIXEDSZ || ns_initparse(answer, len, msg) != 0)
        return false;
    if (ns_msg_getflag(*msg, ns_f_qr) != 1 || ns_msg_getflag(*msg, ns_f_opcode) != ns_o_query ||
        ns_msg_getflag(*msg, ns_f_tc) != 0 || ns_msg_count(*msg, ns_s_qd) != 1 ||
        ns_parserr(msg, ns_s_qd, 0, &question) != 0)
        return false;
    if (ns_rr_type(question) != lookup->of->type || ns_rr_class(question) != ns_c_in ||
        !is_name(&question, lookup->name))
        return false;
    int rcode = ns_msg_getflag(*msg, ns_f_rcode);
    return rcode == ns_r_noerror || rcode == ns_r_nxdomain;
}

static bool is_answer(struct lookup *lookup)
{
    return lookup->len >= NS_HFIXEDSZ &&
           memcmp(lookup->room, lookup->query + FRAME, sizeof(uint16_t)) == 0 &&
           can_be_read(lookup, lookup->room, lookup->len);
}

static int attempts(const struct lookup *lookup)
{
    return lookup->rounds * (int)lookup->server_count;
}

static bool has_time(const struct lookup *lookup)
{
    return deadline_left_ms(lookup->dns->clock, lookup->until) > 0;
}

/* When an attempt that begins now must end: it has its share of the time that is left. */
static deadline attempt_end(const struct lookup *lookup, int attempts_left)
{
    int slice_ms = deadline_left_ms(lookup->dns->clock, lookup->until) / attempts_left;
    slice_ms = within(slice_ms, 1, lookup->slice_s * 1000);
    return deadline_min(lookup->until, deadline_in(lookup->dns->clock, slice_ms));
}

static bool ask_server(struct lookup *lookup, const struct sockaddr_storage *server,
                       int attempts_left)
{
    const deadline end = attempt_end(lookup, attempts_left);
    if (!lookup->tcp_only && !lookup->is_begun)
        ask_udp(&lookup, 1, server, end);
    lookup->is_begun = false;
    if (lookup->tcp_only || is_truncated(lookup))
        lookup->len = ask_tcp(lookup, server, end);
    return is_answer(lookup);
}

static bool make_query(struct lookup *lookup)
{
    uint8_t *query = lookup->query + FRAME;
    int len = res_nmkquery(&lookup->state, ns_o_query, lookup->name, ns_c_in, lookup->of->type,
                           NULL, 0, NULL, query, QUERY_MAX);
    if (len < NS_HFIXEDSZ)
        return false;
    lookup->query_len = (size_t)len;
    /* libresolv takes the id from the time; a forger should have to guess it (RFC 5452 4.2). */
    uint16_t id;
    if (getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id)
        memcpy(query, &id, sizeof id);
    return true;
}

/* Whether the time of the other question ended the attempt that was made with both. */
static bool was_cut_short(const struct lookup *lookup)
{
    return lookup->is_begun && lookup->len < 0 &&
           deadline_left_ms(lookup->dns->clock, lookup->begun_end) > 0;
}

/* Asks until a server gives an answer that can be used. False when none does in time. */
static bool ask(struct lookup *lookup)
{
    if (!lookup->is_begun &&
        (!has_time(lookup) || !get_ready_to_ask(lookup) || !make_query(lookup)))
        return false;
    int attempts_left = attempts(lookup);
    if (attempts_left == 1 && was_cut_short(lookup))
        lookup->is_begun = false;
    for (size_t i = 0; attempts_left > 0; i++, attempts_left--) {
        if (!lookup->is_begun && !has_time(lookup))
            return false;
        if (ask_server(lookup, &lookup->server[i % lookup->server_count], attempts_left))
            return true;
    }
    return false;
}

/* --- Reading answers ------------------------------------------------------- */

bool dns_name_in_data(const ns_msg *msg, const ns_rr *rr, size_t offset, char text[NS_MAXDNAME])
{
    const uint8_t *data = ns_rr_rdata(*rr);
    size_t len = ns_rr_rdlen(*rr);
    if (len <= offset)
        return false;
    int used =
        ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data + offset, text, NS_MAXDNAME);
    return used >= 0 && (size_t)used == len - offset;
}

static bool is_record(const struct lookup *lookup, const ns_rr *rr, ns_type type)
{
    return ns_rr_type(*rr) == type && ns_rr_class(*rr) == ns_c_in && is_name(rr, lookup->name);
}

enum cname { CNAME_NONE, CNAME_FOUND, CNAME_BROKEN };

/* Where the answer has a CNAME for lookup->name, lookup->name becomes its target. */
static enum cname follow_cname(struct lookup *lookup)
{
    for (int i = 0; i < ns_msg_count(lookup->msg, ns_s_an); i++) {
        ns_rr rr;
        char target[NS_MAXDNAME];
        if (ns_parserr(&lookup->msg, ns_s_an, i, &rr) != 0)
            return CNAME_BROKEN;
        if (!is_record(lookup, &rr, ns_t_cname))
            continue;
        if (++lookup->cname_hops > CNAME_HOPS_MAX ||
            !dns_name_in_data(&lookup->msg, &rr, 0, target) ||
            !(lookup->of->any_name ? dns_any_name : dns_host_name)(target, lookup->name))
            return CNAME_BROKEN;
        return CNAME_FOUND;
    }
    return CNAME_NONE;
}

/* Hands over the records of lookup->name. */
static enum dns_outcome take_records(struct lookup *lookup)
{
    enum dns_outcome outcome = DNS_NO_DATA;
    for (int i = 0; i < ns_msg_count(lookup->msg, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&lookup->msg, ns_s_an, i, &rr) != 0)
            return DNS_FAILURE;
        if (!is_record(lookup, &rr, lookup->of->type))
            continue;
        if (!lookup->of->take(&lookup->msg, &rr, lookup->of->arg))
            return DNS_FAILURE;
        outcome = DNS_FOUND;
    }
    return outcome;
}

static enum dns_outcome read_answer(struct lookup *lookup)
{
    /* Of a chain of CNAMEs too, the code is that of the last name (RFC 6604 3). */
    if (ns_msg_getflag(lookup->msg, ns_f_rcode) == ns_r_nxdomain)
        return DNS_NO_DOMAIN;
    enum cname cname;
    do /* ends by CNAME_HOPS_MAX */
        cname = follow_cname(lookup);
    while (cname == CNAME_FOUND);
    return cname == CNAME_BROKEN ? DNS_FAILURE : take_records(lookup);
}

/* --- The look-up ------------------------------------------------------------- */

/* What was said a moment ago. */
static bool recall(struct lookup *lookup)
{
    size_t len = 0;
    if (lookup->of->kept != NULL && (lookup->of->kept_late || has_time(lookup)))
        len = dns_answers_find(lookup->of->kept, lookup->of->type, lookup->name, lookup->kept);
    return len > 0 && can_be_read(lookup, lookup->kept, (int)len);
}

/*
 * True when the first server can be asked over UDP, before its turn. Not where resolv.conf says
 * that something on the way there (old firewalls) loses one of two answers to one port.
 */
static bool can_begin(struct lookup *lookup)
{
    return get_ready_to_ask(lookup) && !lookup->tcp_only && !lookup->one_at_a_time &&
           lookup->server_count > 0 && make_query(lookup);
}

/* The first attempt of those whose answers were not kept; the time of the first of them ends it. */
static void begin(struct lookup lookups[], size_t count)
{
    struct lookup *asked[LOOKUPS_AT_ONCE];
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        struct lookup *lookup = &lookups[i];
        lookup->is_recalled = recall(lookup);
        lookup->is_begun = !lookup->is_recalled && has_time(lookup) && can_begin(lookup);
        if (!lookup->is_begun)
            continue;
        lookup->begun_end = attempt_end(lookup, attempts(lookup));
        asked[ready++] = lookup;
    }
    if (ready > 0)
        ask_udp(asked, ready, &asked[0]->server[0], asked[0]->begun_end);
}

/* An answer about lookup->name: one that was kept, or else one that is given now. */
static bool have_answer(struct lookup *lookup, bool *is_new)
{
    if (!lookup->is_recalled && !lookup->is_begun)
        lookup->is_recalled = recall(lookup);
    *is_new = !lookup->is_recalled;
    lookup->is_recalled = false; /* the next name is another one */
    return !*is_new || ask(lookup);
}

/* What is said about lookup->name, which becomes what its CNAMEs lead to. */
static enum dns_outcome find_out(struct lookup *lookup)
{
    char asked[sizeof lookup->name];
    bool is_new;
    if (!have_answer(lookup, &is_new))
        return DNS_FAILURE;
    memcpy(asked, lookup->name, sizeof asked);
    const enum dns_outcome outcome = read_answer(lookup);
    if (is_new && lookup->of->kept != NULL && outcome != DNS_FAILURE)
        dns_answers_keep(lookup->of->kept, lookup->of->type, asked, &lookup->msg);
    return outcome;
}

static enum dns_outcome follow(struct lookup *lookup)
{
    enum dns_outcome outcome;
    unsigned hops;
    do { /* again where an answer held CNAMEs and nothing else; ends by CNAME_HOPS_MAX */
        hops = lookup->cname_hops;
        outcome = find_out(lookup);
    } while (outcome == DNS_NO_DATA && lookup->cname_hops > hops);
    return outcome;
}

enum dns_outcome dns_query(const struct dns *dns, const struct dns_query *query, deadline until)
{
    struct lookup lookup;
    enum dns_outcome outcome = DNS_FAILURE;
    if (lookup_init(&lookup, dns, query, until))
        outcome = follow(&lookup);
    lookup_fini(&lookup);
    return outcome;
}

void dns_query_both(const struct dns *dns, const struct dns_query query[2], const deadline until[2],
                    enum dns_outcome outcome[2])
{
    struct lookup lookups[LOOKUPS_AT_ONCE];
    bool can_ask = true;
    for (size_t i = 0; i < LOOKUPS_AT_ONCE; i++) {
        outcome[i] = DNS_FAILURE;
        can_ask = lookup_init(&lookups[i], dns, &query[i], until[i]) && can_ask;
    }
    if (can_ask) {
        begin(lookups, LOOKUPS_AT_ONCE);
        for (size_t i = 0; i < LOOKUPS_AT_ONCE; i++)
            outcome[i] = follow(&lookups[i]);
    }
    for (size_t i = 0; i < LOOKUPS_AT_ONCE; i++)
        lookup_fini(&lookups[i]);
}
