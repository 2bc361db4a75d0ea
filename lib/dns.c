/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns: see the header. A stub resolver's client: it asks one recursive server after the other,
 * within one deadline, and reads the answers (RFC 1035 4, RFC 2181 5, RFC 5321 5.1, RFC 7505).
 * Decides nothing about the addresses it finds.
 *
 * Questions are made and answers read by libresolv; what goes to and fro is sent and awaited here.
 * res_nsend counts time in whole seconds, reads a stream (TCP, for truncated answers) without any
 * limit and may raise SIGPIPE, so a resolver could hold a thread for ever.
 */
#include "config.h"

#include "dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
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
};

struct dns {
    const struct rb_clock *clock;
    struct sockaddr_storage server[DNS_RESOLVERS_MAX];
    size_t server_count; /* 0: those of resolv.conf, as it is when a question is asked */
};

/* One look-up under way: a name and a type, asked again where CNAMEs lead on. */
struct lookup {
    const struct rb_clock *clock;
    deadline until;
    struct __res_state state;
    struct sockaddr_storage server[DNS_RESOLVERS_MAX];
    size_t server_count;
    int rounds;    /* attempts with each server */
    int slice_s;   /* for one attempt at most */
    bool tcp_only; /* resolv.conf says so */
    char name[RB_DOMAIN_MAX + 1];
    ns_type type;
    unsigned cname_hops;
    uint8_t query[FRAME + QUERY_MAX]; /* with room for the frame before it */
    size_t query_len;                 /* without the frame */
    uint8_t *answer;                  /* ANSWER_MAX octets */
    ns_msg msg;                       /* parsed from answer */
    const char *octets;               /* what labels of the name may hold */
};

/* Takes one record of the type asked for. False: its data are broken. */
typedef bool record_fn(const ns_msg *msg, const ns_rr *rr, void *arg);

/* --- Names --------------------------------------------------------------- */

static const char host_octets[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* All printable ones but the dot and those that ns_name_uncompress writes with a backslash. */
static const char any_octets[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#%&'*+,/:<=>?[]^`{|}~";

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

static bool host_name(const char *text, char name[RB_DOMAIN_MAX + 1])
{
    return name_of(host_octets, text, name);
}

/* Whether the record's owner is this name, which is one that name_of wrote. */
static bool is_name(const ns_rr *rr, const char *name)
{
    char owner[RB_DOMAIN_MAX + 1];
    return name_of(any_octets, ns_rr_name(*rr), owner) && strcmp(owner, name) == 0;
}

/* --- Servers ------------------------------------------------------------- */

static bool parse_port(const char *text, in_port_t *port)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 5 || text[len] != '\0')
        return false;
    unsigned long number = strtoul(text, NULL, 10);
    if (number == 0 || number > UINT16_MAX)
        return false;
    *port = htons((uint16_t)number);
    return true;
}

static bool parse_ipv4(const char *text, in_port_t port, struct sockaddr_storage *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        return false;
    memcpy(server, &address, sizeof address);
    return true;
}

/* By getaddrinfo, which also knows scopes ("fe80::1%eth0"). */
static bool parse_ipv6(const char *text, in_port_t port, struct sockaddr_storage *server)
{
    const struct addrinfo hints = {
        .ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    struct sockaddr_in6 address;
    memcpy(&address, found->ai_addr, sizeof address);
    freeaddrinfo(found);
    address.sin6_port = port;
    memcpy(server, &address, sizeof address);
    return true;
}

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53" */
static bool parse_server(const char *text, struct sockaddr_storage *server)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    in_port_t port = htons(NS_DEFAULTPORT);
    bool has_bracket = text[0] == '[';
    const char *first_colon = strchr(text, ':');
    bool is_ipv6 = has_bracket || (first_colon != NULL && strchr(first_colon + 1, ':') != NULL);

    const char *start = has_bracket ? text + 1 : text;
    size_t len = strlen(start);
    if (has_bracket)
        len = strcspn(start, "]");
    else if (!is_ipv6)
        len = strcspn(start, ":");
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, start, len);
    host[len] = '\0';

    const char *rest = start + len;
    if (has_bracket && *rest++ != ']')
        return false;
    if (*rest != '\0' && (*rest != ':' || !parse_port(rest + 1, &port)))
        return false;
    return is_ipv6 ? parse_ipv6(host, port, server) : parse_ipv4(host, port, server);
}

enum rb_error dns_open(const char *const *servers, size_t count, const struct rb_clock *clock,
                       struct dns **dns)
{
    *dns = NULL;
    if (count > DNS_RESOLVERS_MAX)
        return RB_ERR_ARGUMENT;
    struct dns *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return RB_ERR_NOMEM;
    opened->clock = clock;
    for (size_t i = 0; i < count; i++) {
        if (!parse_server(servers[i], &opened->server[i])) {
            free(opened);
            return RB_ERR_ARGUMENT;
        }
    }
    opened->server_count = count;
    *dns = opened;
    return RB_OK;
}

void dns_close(struct dns *dns)
{
    free(dns);
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
    res_nclose(&lookup->state);
    free(lookup->answer);
}

static bool lookup_init(struct lookup *lookup, const struct dns *dns, const char *octets,
                        const char *name, ns_type type, deadline until)
{
    *lookup = (struct lookup){.clock = dns->clock, .until = until, .type = type, .octets = octets};
    if (!name_of(octets, name, lookup->name) || res_ninit(&lookup->state) != 0)
        return false;

    struct __res_state *state = &lookup->state;
    lookup->rounds = within(state->retry, 1, ROUNDS_MAX);
    lookup->slice_s = within(state->retrans, 1, SLICE_MAX_S);
    lookup->tcp_only = (state->options & RES_USEVC) != 0;
    state->options = (state->options & ~(unsigned long)RES_USEVC) | RES_RECURSE | RES_IGNTC;
    read_resolv_conf(lookup);
    if (dns->server_count > 0) {
        memcpy(lookup->server, dns->server, sizeof lookup->server);
        lookup->server_count = dns->server_count;
    }
    lookup->answer = malloc(ANSWER_MAX);
    if (lookup->answer == NULL) {
        lookup_fini(lookup);
        return false;
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
static bool is_ours(const struct lookup *lookup, size_t len)
{
    const uint8_t *query = lookup->query + FRAME, *answer = lookup->answer;

    if (len < lookup->query_len || memcmp(answer, query, sizeof(uint16_t)) != 0 ||
        !((const HEADER *)(const void *)answer)->qr)
        return false;
    for (size_t i = NS_HFIXEDSZ; i < lookup->query_len; i++)
        if (!is_same_name_octet(answer[i], query[i]))
            return false;
    return true;
}

static int udp_receive(const struct lookup *lookup, int fd, deadline end)
{
    for (unsigned strays = 0; strays < STRAY_DATAGRAMS_MAX; strays++) {
        if (!wait_for(lookup->clock, fd, POLLIN, end))
            return -1;
        ssize_t got = recv(fd, lookup->answer, ANSWER_MAX, 0);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -1; /* nobody listens there */
        if (got > 0 && is_ours(lookup, (size_t)got))
            return (int)got;
    }
    return -1;
}

/* Returns the length of the answer, -1 when none came by `end`. */
static int ask_udp(const struct lookup *lookup, const struct sockaddr_storage *server, deadline end)
{
    int len = -1;
    int fd = socket(server->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)server, sockaddr_length(server)) == 0 &&
        send(fd, lookup->query + FRAME, lookup->query_len, MSG_NOSIGNAL) ==
            (ssize_t)lookup->query_len)
        len = udp_receive(lookup, fd, end);
    close(fd);
    return len;
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
    const struct rb_clock *clock = lookup->clock;
    uint8_t frame[FRAME];
    int len = -1;
    int fd = socket(server->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    ns_put16((u_int)lookup->query_len, lookup->query);
    if (tcp_connect(clock, fd, server, end) &&
        tcp_send(clock, fd, lookup->query, FRAME + lookup->query_len, end) &&
        tcp_receive(clock, fd, frame, sizeof frame, end) &&
        tcp_receive(clock, fd, lookup->answer, ns_get16(frame), end))
        len = (int)ns_get16(frame);
    close(fd);
    return len;
}

/* --- Asking ---------------------------------------------------------------- */

static bool is_truncated(const struct lookup *lookup, int len)
{
    return len >= NS_HFIXEDSZ && ((const HEADER *)(const void *)lookup->answer)->tc;
}

/* Parses the answer; true when it is one to our question that says something. */
static bool is_answer(struct lookup *lookup, int len)
{
    ns_rr question;
    if (len < NS_HFIXEDSZ || memcmp(lookup->answer, lookup->query + FRAME, sizeof(uint16_t)) != 0 ||
        ns_initparse(lookup->answer, len, &lookup->msg) != 0)
        return false;
    ns_msg *msg = &lookup->msg;
    if (ns_msg_getflag(*msg, ns_f_qr) != 1 || ns_msg_getflag(*msg, ns_f_opcode) != ns_o_query ||
        ns_msg_getflag(*msg, ns_f_tc) != 0 || ns_msg_count(*msg, ns_s_qd) != 1 ||
        ns_parserr(msg, ns_s_qd, 0, &question) != 0)
        return false;
    if (ns_rr_type(question) != lookup->type || ns_rr_class(question) != ns_c_in ||
        !is_name(&question, lookup->name))
        return false;
    int rcode = ns_msg_getflag(*msg, ns_f_rcode);
    return rcode == ns_r_noerror || rcode == ns_r_nxdomain;
}

/* One attempt with one server, within its share of the time that is left. */
static bool ask_server(struct lookup *lookup, const struct sockaddr_storage *server,
                       int attempts_left)
{
    int slice_ms = deadline_left_ms(lookup->clock, lookup->until) / attempts_left;
    slice_ms = within(slice_ms, 1, lookup->slice_s * 1000);
    const deadline end = deadline_min(lookup->until, deadline_in(lookup->clock, slice_ms));
    int len = lookup->tcp_only ? -1 : ask_udp(lookup, server, end);
    if (lookup->tcp_only || is_truncated(lookup, len))
        len = ask_tcp(lookup, server, end);
    return is_answer(lookup, len);
}

static bool make_query(struct lookup *lookup)
{
    uint8_t *query = lookup->query + FRAME;
    int len = res_nmkquery(&lookup->state, ns_o_query, lookup->name, ns_c_in, lookup->type, NULL, 0,
                           NULL, query, QUERY_MAX);
    if (len < NS_HFIXEDSZ)
        return false;
    lookup->query_len = (size_t)len;
    /* libresolv takes the id from the time; a forger should have to guess it (RFC 5452 4.2). */
    uint16_t id;
    if (getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id)
        memcpy(query, &id, sizeof id);
    return true;
}

/* Asks until a server gives an answer that can be used. False when none does in time. */
static bool ask(struct lookup *lookup)
{
    if (!make_query(lookup))
        return false;
    int attempts_left = lookup->rounds * (int)lookup->server_count;
    for (size_t i = 0; attempts_left > 0; i++, attempts_left--) {
        if (deadline_left_ms(lookup->clock, lookup->until) == 0)
            return false;
        if (ask_server(lookup, &lookup->server[i % lookup->server_count], attempts_left))
            return true;
    }
    return false;
}

/* --- Reading answers ------------------------------------------------------- */

/* Reads the name that fills the rest of rr's data from `offset` on; presentation form, odd octets
 * escaped. */
static bool name_in_data(const ns_msg *msg, const ns_rr *rr, size_t offset, char text[NS_MAXDNAME])
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
        if (++lookup->cname_hops > CNAME_HOPS_MAX || !name_in_data(&lookup->msg, &rr, 0, target) ||
            !name_of(lookup->octets, target, lookup->name))
            return CNAME_BROKEN;
        return CNAME_FOUND;
    }
    return CNAME_NONE;
}

/* Hands over the records of lookup->name. */
static enum dns_outcome take_records(struct lookup *lookup, record_fn *take, void *arg)
{
    enum dns_outcome outcome = DNS_NO_DATA;
    for (int i = 0; i < ns_msg_count(lookup->msg, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&lookup->msg, ns_s_an, i, &rr) != 0)
            return DNS_FAILURE;
        if (!is_record(lookup, &rr, lookup->type))
            continue;
        if (!take(&lookup->msg, &rr, arg))
            return DNS_FAILURE;
        outcome = DNS_FOUND;
    }
    return outcome;
}

static enum dns_outcome read_answer(struct lookup *lookup, record_fn *take, void *arg)
{
    /* Of a chain of CNAMEs too, the code is that of the last name (RFC 6604 3). */
    if (ns_msg_getflag(lookup->msg, ns_f_rcode) == ns_r_nxdomain)
        return DNS_NO_DOMAIN;
    enum cname cname;
    do /* ends by CNAME_HOPS_MAX */
        cname = follow_cname(lookup);
    while (cname == CNAME_FOUND);
    return cname == CNAME_BROKEN ? DNS_FAILURE : take_records(lookup, take, arg);
}

/* DNS_FOUND when at least one record was handed over and none was broken. */
static enum dns_outcome look_up(const struct dns *dns, const char *octets, const char *name,
                                ns_type type, deadline until, record_fn *take, void *arg)
{
    struct lookup lookup;
    enum dns_outcome outcome = DNS_FAILURE;
    unsigned hops;
    if (!lookup_init(&lookup, dns, octets, name, type, until))
        return DNS_FAILURE;
    do { /* again where an answer held CNAMEs and nothing else; ends by CNAME_HOPS_MAX */
        hops = lookup.cname_hops;
        outcome = ask(&lookup) ? read_answer(&lookup, take, arg) : DNS_FAILURE;
    } while (outcome == DNS_NO_DATA && lookup.cname_hops > hops);
    lookup_fini(&lookup);
    return outcome;
}

/* A random number below `ceiling`; 0 where the system has no randomness to give. */
static size_t random_below(size_t ceiling)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return 0;
    return number % ceiling;
}

/* --- Mail exchangers ------------------------------------------------------- */

struct mx_answer {
    struct dns_mx_list *list;
    size_t records, roots; /* all, and those whose target is "." */
};

/* Keeps the better preference of one name, and the best preferences of all. */
static void keep_mx(struct dns_mx_list *list, const struct dns_mx *mx)
{
    struct dns_mx *worst = &list->mx[0];
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->mx[i].name, mx->name) == 0) {
            if (mx->preference < list->mx[i].preference)
                list->mx[i].preference = mx->preference;
            return;
        }
        if (list->mx[i].preference > worst->preference)
            worst = &list->mx[i];
    }
    if (list->count < DNS_MX_MAX)
        list->mx[list->count++] = *mx;
    else if (mx->preference < worst->preference)
        *worst = *mx;
}

static bool take_mx(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    struct mx_answer *answer = arg;
    struct dns_mx mx;
    char target[NS_MAXDNAME];
    if (!name_in_data(msg, rr, sizeof mx.preference, target))
        return false;
    mx.preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
    answer->records++;
    if (strcmp(target, ".") == 0)
        answer->roots++;
    else if (host_name(target, mx.name))
        keep_mx(answer->list, &mx);
    return true;
}

static void swap_mx(struct dns_mx *a, struct dns_mx *b)
{
    struct dns_mx kept = *a;
    *a = *b;
    *b = kept;
}

/* By preference, in random order within one: shuffled, then sorted by insertion, which leaves
 * equals as they are. */
static void order_mx(struct dns_mx_list *list)
{
    for (size_t i = list->count; i > 1; i--)
        swap_mx(&list->mx[i - 1], &list->mx[random_below(i)]);
    for (size_t i = 1; i < list->count; i++) {
        for (size_t j = i; j > 0 && list->mx[j - 1].preference > list->mx[j].preference; j--)
            swap_mx(&list->mx[j - 1], &list->mx[j]);
    }
}

enum dns_outcome dns_mail_exchangers(const struct dns *dns, const char *domain, deadline until,
                                     struct dns_mx_list *list)
{
    struct mx_answer answer = {.list = list};
    list->count = 0;
    enum dns_outcome outcome = look_up(dns, host_octets, domain, ns_t_mx, until, take_mx, &answer);
    if (outcome == DNS_FOUND && answer.records == 1 && answer.roots == 1)
        return DNS_NULL_MX;
    /* MX records, but none that can be used: not the same as none (RFC 5321 5.1). */
    if (outcome == DNS_FOUND && list->count == 0)
        return DNS_FAILURE;
    if (outcome != DNS_FOUND) {
        list->count = 0;
        return outcome;
    }
    order_mx(list);
    return DNS_FOUND;
}

/* --- Addresses ------------------------------------------------------------- */

static void keep_address(struct dns_address_list *list, const void *address, size_t size)
{
    struct sockaddr_storage kept = {0};
    memcpy(&kept, address, size);
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(&list->address[i], &kept, sizeof kept) == 0)
            return;
    }
    if (list->count < DNS_ADDRESSES_MAX)
        list->address[list->count++] = kept;
}

static bool take_a(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    (void)msg;
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (ns_rr_rdlen(*rr) != sizeof address.sin_addr)
        return false;
    memcpy(&address.sin_addr, ns_rr_rdata(*rr), sizeof address.sin_addr);
    keep_address(arg, &address, sizeof address);
    return true;
}

static bool take_aaaa(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    (void)msg;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    if (ns_rr_rdlen(*rr) != sizeof address.sin6_addr)
        return false;
    memcpy(&address.sin6_addr, ns_rr_rdata(*rr), sizeof address.sin6_addr);
    keep_address(arg, &address, sizeof address);
    return true;
}

/* Looks up one family; the list is empty or in random order after. */
static enum dns_outcome look_up_family(const struct dns *dns, const char *name, ns_type type,
                                       deadline until, struct dns_address_list *list)
{
    list->count = 0;
    enum dns_outcome outcome =
        look_up(dns, host_octets, name, type, until, type == ns_t_a ? take_a : take_aaaa, list);
    if (outcome != DNS_FOUND)
        list->count = 0;
    for (size_t i = list->count; i > 1; i--) {
        size_t other = random_below(i);
        struct sockaddr_storage kept = list->address[i - 1];
        list->address[i - 1] = list->address[other];
        list->address[other] = kept;
    }
    return outcome;
}

static void append(struct dns_address_list *list, const struct dns_address_list *from, size_t index)
{
    if (index < from->count && list->count < DNS_ADDRESSES_MAX)
        list->address[list->count++] = from->address[index];
}

/* What two look-ups of one name come to, when neither found anything. */
static enum dns_outcome nothing_found(enum dns_outcome a, enum dns_outcome b)
{
    if (a == DNS_FAILURE || b == DNS_FAILURE)
        return DNS_FAILURE;
    return a == b ? a : DNS_NO_DATA;
}

static enum dns_outcome look_up_both(const struct dns *dns, const char *name, deadline until,
                                     struct dns_address_list *list)
{
    struct dns_address_list v4, v6;
    /* The first may take half of the time: a server that is deaf to one type shall not hide the
     * other. */
    deadline half = deadline_in(dns->clock, deadline_left_ms(dns->clock, until) / 2);
    enum dns_outcome found_v6 = look_up_family(dns, name, ns_t_aaaa, half, &v6);
    enum dns_outcome found_v4 = look_up_family(dns, name, ns_t_a, until, &v4);
    for (size_t i = 0; i < DNS_ADDRESSES_MAX; i++) {
        append(list, &v6, i);
        append(list, &v4, i);
    }
    return list->count > 0 ? DNS_FOUND : nothing_found(found_v4, found_v6);
}

enum dns_outcome dns_addresses(const struct dns *dns, const char *name, enum rb_ip_version version,
                               deadline until, struct dns_address_list *list)
{
    list->count = 0;
    switch (version) {
    case RB_IP_V4:
        return look_up_family(dns, name, ns_t_a, until, list);
    case RB_IP_V6:
        return look_up_family(dns, name, ns_t_aaaa, until, list);
    case RB_IP_ANY:
        break;
    }
    return look_up_both(dns, name, until, list);
}

/* --- Records of any type ---------------------------------------------------- */

/* A copy with a NUL behind it. */
static bool set_text(struct dns_record *record, const void *octets, size_t len)
{
    record->text = malloc(len + 1);
    if (record->text == NULL)
        return false;
    memcpy(record->text, octets, len);
    record->text[len] = '\0';
    record->text_len = len;
    return true;
}

static bool read_address(const ns_rr *rr, size_t size, struct dns_record *record)
{
    if (ns_rr_rdlen(*rr) != size)
        return false;
    memcpy(record->address, ns_rr_rdata(*rr), size);
    return true;
}

/* RFC 1035 3.3.14: one or more strings, each with its length before it. */
static bool read_strings(const ns_rr *rr, struct dns_record *record)
{
    const uint8_t *data = ns_rr_rdata(*rr);
    size_t len = ns_rr_rdlen(*rr), joined = 0;
    if (len == 0 || !set_text(record, data, len))
        return false;
    for (size_t at = 0; at < len; at += data[at] + 1U) {
        if (data[at] >= len - at)
            return false;
        memcpy(record->text + joined, data + at + 1, data[at]);
        joined += data[at];
    }
    record->text[joined] = '\0';
    record->text_len = joined;
    return true;
}

/* The name that the data hold from `offset` on. *is_host: it can be one of a host. */
static bool read_name(const ns_msg *msg, const ns_rr *rr, size_t offset, struct dns_record *record,
                      bool *is_host)
{
    char target[NS_MAXDNAME], name[RB_DOMAIN_MAX + 1];
    if (!name_in_data(msg, rr, offset, target))
        return false;
    *is_host = host_name(target, name);
    return !*is_host || set_text(record, name, strlen(name));
}

/* False when the data are broken (or memory ran out). */
static bool read_record(const ns_msg *msg, const ns_rr *rr, struct dns_record *record,
                        bool *is_usable)
{
    *is_usable = true;
    switch (ns_rr_type(*rr)) {
    case ns_t_a:
        return read_address(rr, sizeof(struct in_addr), record);
    case ns_t_aaaa:
        return read_address(rr, sizeof(struct in6_addr), record);
    case ns_t_mx:
        if (!read_name(msg, rr, sizeof record->preference, record, is_usable))
            return false;
        record->preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
        return true;
    case ns_t_ptr:
        return read_name(msg, rr, 0, record, is_usable);
    default:
        return read_strings(rr, record);
    }
}

static bool take_record(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    struct dns_record_list *list = arg;
    struct dns_record record = {.text = NULL};
    bool is_usable;
    if (!read_record(msg, rr, &record, &is_usable)) {
        free(record.text);
        return false;
    }
    if (!is_usable)
        return true;
    if (list->count == DNS_RECORDS_MAX) {
        free(record.text);
        list->is_cut = true;
        return true;
    }
    list->record[list->count++] = record;
    return true;
}

static bool is_known_type(int type)
{
    return type == ns_t_a || type == ns_t_aaaa || type == ns_t_mx || type == ns_t_ptr ||
           type == ns_t_txt;
}

enum dns_outcome dns_records(const struct dns *dns, const char *name, int type, deadline until,
                             struct dns_record_list *list)
{
    *list = (struct dns_record_list){.count = 0};
    if (!is_known_type(type))
        return DNS_FAILURE;
    enum dns_outcome outcome =
        look_up(dns, any_octets, name, (ns_type)type, until, take_record, list);
    if (outcome != DNS_FOUND)
        dns_records_free(list);
    return outcome == DNS_FOUND && list->count == 0 ? DNS_NO_DATA : outcome;
}

void dns_records_free(struct dns_record_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->record[i].text);
    *list = (struct dns_record_list){.count = 0};
}

static void reverse_v4(const uint8_t octets[4], char name[RB_DOMAIN_MAX + 1])
{
    (void)snprintf(name, RB_DOMAIN_MAX + 1, "%u.%u.%u.%u.in-addr.arpa", octets[3], octets[2],
                   octets[1], octets[0]);
}

static void reverse_v6(const uint8_t octets[16], char name[RB_DOMAIN_MAX + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *at = name;
    for (size_t i = 16; i-- > 0;) {
        *at++ = digits[octets[i] & 0xf];
        *at++ = '.';
        *at++ = digits[octets[i] >> 4];
        *at++ = '.';
    }
    memcpy(at, "ip6.arpa", sizeof "ip6.arpa");
}

bool dns_reverse_name(const struct sockaddr *address, char name[RB_DOMAIN_MAX + 1])
{
    name[0] = '\0';
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        reverse_v4((const uint8_t *)&v4.sin_addr, name);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
            reverse_v4(v6.sin6_addr.s6_addr + 12, name);
        else
            reverse_v6(v6.sin6_addr.s6_addr, name);
    }
    return name[0] != '\0';
}
