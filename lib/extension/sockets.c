/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockets: see the header. Linux: sock_diag(7), netlink(7). The kernel looks through its table with
 * our filter in hand; whatever it answers is held against the filter again.
 */
#include "config.h"

#include "extension/sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "base/clock.h"

enum {
    REQUEST_MAX = 256,        /* octets; it has 124 at most */
    DATAGRAM_MAX = 16 * 1024, /* the kernel makes them no larger than the room there is */
    JUMP_REJECT = 4,          /* a jump so far beyond the end of a filter says no */
    ANY_PORT = -1,            /* in a condition of a filter */
    OVERFLOW_UID = 65534,     /* of owners that have no number in our user namespace */
    LINE_SIZE = 64,           /* of a map of users: three numbers */
    STATES = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_TIME_WAIT |
             1 << TCP_CLOSE_WAIT | 1 << TCP_LAST_ACK | 1 << TCP_CLOSING,
};

/* How many users there are, where all of them have a number. */
static const unsigned long uid_count = UINT32_MAX;

/* --- Owners ------------------------------------------------------------------ */

/* Whether a line of a map has a user: first here, first outside, how many (user_namespaces(7)). */
static bool line_has(const char *line, uid_t uid)
{
    char *at = NULL;
    const unsigned long first = strtoul(line, &at, 10);
    unsigned long count;

    (void)strtoul(at, &at, 10);
    count = strtoul(at, &at, 10);
    /* Where not all users have a number, those that have none look like this one. */
    return uid >= first && uid - first < count && (uid != OVERFLOW_UID || count >= uid_count);
}

bool sockets_sees_owner(uid_t uid)
{
    FILE *map = fopen("/proc/self/uid_map", "re");
    char line[LINE_SIZE];
    bool seen = false;

    while (map != NULL && !seen && fgets(line, sizeof line, map) != NULL)
        seen = line_has(line, uid);
    if (map != NULL)
        (void)fclose(map);
    return seen;
}

static bool is_owned(const struct inet_diag_msg *found)
{
    return found->idiag_inode != 0 &&
           (found->idiag_uid != OVERFLOW_UID || sockets_sees_owner(OVERFLOW_UID));
}

/* --- The question ------------------------------------------------------------ */

struct request {
    uint8_t octets[REQUEST_MAX];
    size_t len;
};

static void append(struct request *request, const void *octets, size_t len)
{
    memcpy(request->octets + request->len, octets, len);
    request->len += len;
}

static void request_begin(struct request *request, const struct sockets_question *question,
                          uint16_t flags)
{
    const struct nlmsghdr header = {.nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                    .nlmsg_flags = NLM_F_REQUEST | flags,
                                    .nlmsg_seq = question->sequence,
                                    .nlmsg_pid = question->port_id};

    request->len = 0;
    append(request, &header, sizeof header);
}

static bool request_send(struct request *request, int netlink)
{
    const uint32_t len = (uint32_t)request->len;

    memcpy(request->octets + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof len);
    return send(netlink, request->octets, request->len, MSG_NOSIGNAL) == (ssize_t)request->len;
}

/* A program of one instruction: is the other host's address this one? Of IPv4, the kernel takes
 * v4-mapped addresses of IPv6 sockets for the same. */
static void append_program(struct request *request, const struct ip *addr)
{
    const bool v4 = ip_is_v4(addr);
    const uint8_t addr_len = v4 ? IP_V4_LEN : IP_LEN;
    const struct inet_diag_hostcond host = {
        .family = v4 ? AF_INET : AF_INET6, .prefix_len = (uint8_t)(8 * addr_len), .port = ANY_PORT};
    const uint8_t len = (uint8_t)(sizeof(struct inet_diag_bc_op) + sizeof host + addr_len);
    const struct inet_diag_bc_op op = {
        .code = INET_DIAG_BC_D_COND, .yes = len, .no = len + JUMP_REJECT};
    const struct nlattr attribute = {.nla_len = (uint16_t)(sizeof attribute + len),
                                     .nla_type = INET_DIAG_REQ_BYTECODE};

    append(request, &attribute, sizeof attribute);
    append(request, &op, sizeof op);
    append(request, &host, sizeof host);
    append(request, v4 ? ip_v4(addr) : addr->octets, addr_len);
}

static struct inet_diag_sockid sockid_of(const struct sockets_filter *filter)
{
    return (struct inet_diag_sockid){
        .idiag_sport = htons(filter->any_sport ? 0 : filter->sport),
        .idiag_dport = htons(filter->dport),
        .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE},
    };
}

/* Asks for all sockets of a family that fit. */
static bool ask_all(int netlink, const struct sockets_question *question)
{
    const struct inet_diag_req_v2 body = {.sdiag_family = (uint8_t)question->family,
                                          .sdiag_protocol = IPPROTO_TCP,
                                          .idiag_states = STATES,
                                          .id = sockid_of(question->filter)};
    struct request request;

    request_begin(&request, question, NLM_F_DUMP);
    append(&request, &body, sizeof body);
    append_program(&request, &question->filter->addr);
    return request_send(&request, netlink);
}

/* Asks for the one socket between these addresses and ports, of whatever family it is. */
static bool ask_one(int netlink, const struct sockets_question *question, const struct ip *own)
{
    const struct sockets_filter *filter = question->filter;
    const bool v4 = ip_is_v4(&filter->addr);
    const size_t addr_len = v4 ? IP_V4_LEN : IP_LEN;
    struct inet_diag_req_v2 body = {.sdiag_family = v4 ? AF_INET : AF_INET6,
                                    .sdiag_protocol = IPPROTO_TCP,
                                    .idiag_states = STATES,
                                    .id = sockid_of(filter)};
    struct request request;

    body.id.idiag_sport = htons(filter->sport);
    memcpy(body.id.idiag_src, v4 ? ip_v4(own) : own->octets, addr_len);
    memcpy(body.id.idiag_dst, v4 ? ip_v4(&filter->addr) : filter->addr.octets, addr_len);
    request_begin(&request, question, 0);
    append(&request, &body, sizeof body);
    return request_send(&request, netlink);
}

/* --- The answer --------------------------------------------------------------- */

static struct ip other_host(const struct inet_diag_msg *found)
{
    struct ip ip;

    if (found->idiag_family == AF_INET)
        return ip_from_v4(found->id.idiag_dst);
    memcpy(ip.octets, found->id.idiag_dst, sizeof ip.octets);
    return ip;
}

static bool fits(const struct sockets_filter *filter, const struct inet_diag_msg *found)
{
    const struct ip addr = other_host(found);

    return found->idiag_state < 32 && (STATES & 1U << found->idiag_state) != 0 &&
           ntohs(found->id.idiag_dport) == filter->dport &&
           (filter->any_sport || ntohs(found->id.idiag_sport) == filter->sport) &&
           ip_is_same(&addr, &filter->addr);
}

static bool is_of_family(const struct inet_diag_msg *found, int family)
{
    return found->idiag_family == family ||
           (family == AF_UNSPEC &&
            (found->idiag_family == AF_INET || found->idiag_family == AF_INET6));
}

static enum sockets_progress show(const struct sockets_question *question, const void *octets,
                                  size_t len)
{
    struct inet_diag_msg found;

    if (len < sizeof found)
        return SOCKETS_BAD;
    memcpy(&found, octets, sizeof found);
    if (!is_of_family(&found, question->family))
        return SOCKETS_BAD;
    if (!fits(question->filter, &found))
        return SOCKETS_MORE;
    const struct sockets_socket socket = {
        .sport = ntohs(found.id.idiag_sport),
        .established = found.idiag_state == TCP_ESTABLISHED,
        .owned = is_owned(&found),
        .uid = found.idiag_uid,
    };
    return question->see(question->arg, &socket) ? SOCKETS_MORE : SOCKETS_ENOUGH;
}

/* The end of an answer; behind its header it may say that something failed. */
static enum sockets_progress end(const uint8_t *octets, size_t len)
{
    int32_t error = 0;

    if (len >= sizeof error)
        memcpy(&error, octets, sizeof error);
    return error == 0 ? SOCKETS_END : SOCKETS_BAD;
}

static enum sockets_progress read_message(const struct sockets_question *question,
                                          const struct nlmsghdr *header, const uint8_t *octets)
{
    const size_t len = header->nlmsg_len - NLMSG_HDRLEN;

    if (header->nlmsg_seq != question->sequence || header->nlmsg_pid != question->port_id ||
        (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        return SOCKETS_BAD;
    switch (header->nlmsg_type) {
    case NLMSG_NOOP:
        return SOCKETS_MORE;
    case NLMSG_DONE:
        return end(octets, len);
    case SOCK_DIAG_BY_FAMILY:
        return show(question, octets, len);
    default:
        return SOCKETS_BAD;
    }
}

enum sockets_progress sockets_read(const struct sockets_question *question, const void *octets,
                                   size_t len)
{
    enum sockets_progress progress = len > 0 ? SOCKETS_MORE : SOCKETS_BAD;
    const uint8_t *at = octets;
    struct nlmsghdr header;

    while (len > 0 && progress == SOCKETS_MORE) {
        if (len < sizeof header)
            return SOCKETS_BAD;
        memcpy(&header, at, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > len)
            return SOCKETS_BAD;
        progress = read_message(question, &header, at + NLMSG_HDRLEN);
        size_t used = NLMSG_ALIGN((size_t)header.nlmsg_len);
        used = used < len ? used : len;
        at += used;
        len -= used;
    }
    return progress;
}

/* --- The conversation ---------------------------------------------------------- */

/* Others with the privilege can write to a netlink socket. What stands in for one has no names. */
static bool is_from_kernel(const struct msghdr *message, const struct sockaddr_nl *from)
{
    return message->msg_namelen == 0 || (message->msg_namelen == sizeof *from &&
                                         from->nl_family == AF_NETLINK && from->nl_pid == 0);
}

/* False: the time is over. */
static bool wait_readable(int netlink, deadline until)
{
    const int left_ms = deadline_left_ms(clock_system(), until);
    struct pollfd ready = {.fd = netlink, .events = POLLIN};

    return left_ms > 0 && (poll(&ready, 1, left_ms) >= 0 || errno == EINTR);
}

/* Reads the next datagram; SOCKETS_MORE also where there is none yet. */
static enum sockets_progress receive(int netlink, const struct sockets_question *question)
{
    uint8_t octets[DATAGRAM_MAX];
    struct sockaddr_nl from = {0};
    struct iovec room = {octets, sizeof octets};
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &room, .msg_iovlen = 1};
    const ssize_t len = recvmsg(netlink, &message, MSG_DONTWAIT);

    if (len < 0)
        return errno == EAGAIN || errno == EINTR ? SOCKETS_MORE : SOCKETS_BAD;
    if ((message.msg_flags & MSG_TRUNC) != 0 || !is_from_kernel(&message, &from))
        return SOCKETS_BAD;
    return sockets_read(question, octets, (size_t)len);
}

static enum sockets_progress find_all(int netlink, struct sockets_question *question, int family,
                                      deadline until)
{
    enum sockets_progress progress;

    question->family = family;
    question->sequence++;
    progress = ask_all(netlink, question) ? SOCKETS_MORE : SOCKETS_BAD;
    while (progress == SOCKETS_MORE)
        progress = wait_readable(netlink, until) ? receive(netlink, question) : SOCKETS_BAD;
    return progress;
}

/* The address that a connection to that host would go out from. */
static bool own_address(const struct sockets_filter *filter, struct ip *own)
{
    struct sockaddr_storage address = ip_to_sockaddr(&filter->addr);
    socklen_t len = ip_sockaddr_size(&address);
    const int datagrams = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool known;

    if (datagrams < 0)
        return false;
    ip_sockaddr_set_port(&address, filter->dport);
    known = connect(datagrams, (const struct sockaddr *)&address, len) == 0 &&
            getsockname(datagrams, (struct sockaddr *)&address, &len) == 0 &&
            ip_from_sockaddr((const struct sockaddr *)&address, own);
    (void)close(datagrams);
    return known;
}

/* Looks for the connection from the filter's port where it most likely is. SOCKETS_MORE: it is not
 * there, or not known to be. */
static enum sockets_progress find_one(int netlink, struct sockets_question *question)
{
    enum sockets_progress progress;
    struct ip own;

    question->family = AF_UNSPEC;
    question->sequence++;
    if (question->filter->sport == 0 || !own_address(question->filter, &own) ||
        !ask_one(netlink, question, &own))
        return SOCKETS_MORE;
    /* The kernel has answered when it has taken the question. */
    progress = receive(netlink, question);
    return progress == SOCKETS_ENOUGH ? SOCKETS_ENOUGH : SOCKETS_MORE;
}

bool sockets_find_over(int netlink, uint32_t port_id, const struct sockets_filter *filter,
                       int timeout_ms, sockets_see *see, void *arg)
{
    const deadline until = deadline_in(clock_system(), timeout_ms);
    struct sockets_question question = {
        .filter = filter, .port_id = port_id, .see = see, .arg = arg};
    enum sockets_progress progress = find_one(netlink, &question);

    if (progress == SOCKETS_MORE && ip_is_v4(&filter->addr))
        progress = find_all(netlink, &question, AF_INET, until);
    if (progress == SOCKETS_MORE || progress == SOCKETS_END)
        progress = find_all(netlink, &question, AF_INET6, until);
    return progress != SOCKETS_BAD;
}

/* Our number among the netlink sockets, which the kernel chooses. */
static bool bind_port_id(int netlink, uint32_t *port_id)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    socklen_t len = sizeof own;

    if (bind(netlink, (const struct sockaddr *)&own, sizeof own) != 0 ||
        getsockname(netlink, (struct sockaddr *)&own, &len) != 0 || len != sizeof own)
        return false;
    *port_id = own.nl_pid;
    return true;
}

bool sockets_find(const struct sockets_filter *filter, int timeout_ms, sockets_see *see, void *arg)
{
    const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    uint32_t port_id = 0;
    bool found;

    if (netlink < 0)
        return false;
    found = bind_port_id(netlink, &port_id) &&
            sockets_find_over(netlink, port_id, filter, timeout_ms, see, arg);
    (void)close(netlink);
    return found;
}
