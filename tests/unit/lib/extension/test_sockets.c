/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sockets: connections over loopback are found in the kernel's table, with their owners; and
 * what else may stand in an answer of the kernel's ends in "not known", in time.
 */
#include "config.h"

#include "check.h"
#include "dice.h"
#include "extension/sockets.h"

#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

enum {
    LOOK_MS = 20000,   /* generous: nothing here waits for it but what must */
    SOME_USER = 54321, /* nobody's */
    ENDING_TRIES = 20000,
    RANDOM_ROUNDS = 20000,
    PORT_ID = 4711,
};

/* --- What was seen ---------------------------------------------------------------- */

struct seen {
    unsigned most; /* that are wanted; 0: all */
    unsigned count, established, owned;
    struct sockets_socket last;
};

static bool see(void *arg, const struct sockets_socket *socket)
{
    struct seen *seen = arg;

    seen->count++;
    seen->established += socket->established;
    seen->owned += socket->owned;
    seen->last = *socket;
    return seen->count != seen->most;
}

static struct seen find(const struct sockets_filter *filter)
{
    struct seen seen = {0};

    assert_true(sockets_find(filter, LOOK_MS, see, &seen));
    return seen;
}

/* --- Connections ------------------------------------------------------------------- */

struct connection {
    int listener, client, server;
    struct sockets_filter filter;
};

static uint16_t own_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    return ip_sockaddr_port(&address);
}

static int listen_at(const char *text)
{
    struct sockaddr_storage address;
    int listener;

    assert_true(ip_sockaddr_parse(text, &address));
    listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 ||
        bind(listener, (const struct sockaddr *)&address, ip_sockaddr_size(&address)) != 0 ||
        listen(listener, 8) != 0)
        return -1;
    return listener;
}

/* To `called`, which the listener has as `text`, from `from` where that is not NULL. False: this
 * machine does not have the family. */
static bool connection_open(struct connection *connection, const char *text, const char *called,
                            const char *from)
{
    struct sockaddr_storage address, own;

    connection->listener = listen_at(text);
    if (connection->listener < 0)
        return false;
    assert_true(ip_sockaddr_parse(called, &address));
    ip_sockaddr_set_port(&address, own_port(connection->listener));
    connection->client = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(connection->client >= 0);
    if (from != NULL) {
        assert_true(ip_sockaddr_parse(from, &own));
        assert_int_equal(
            bind(connection->client, (const struct sockaddr *)&own, ip_sockaddr_size(&own)), 0);
    }
    assert_int_equal(
        connect(connection->client, (const struct sockaddr *)&address, ip_sockaddr_size(&address)),
        0);
    connection->server = accept(connection->listener, NULL, NULL);
    assert_true(connection->server >= 0);
    assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &connection->filter.addr));
    connection->filter.dport = own_port(connection->listener);
    connection->filter.sport = own_port(connection->client);
    connection->filter.any_sport = false;
    return true;
}

static void connection_close(struct connection *connection)
{
    (void)close(connection->client);
    (void)close(connection->server);
    (void)close(connection->listener);
}

static void assert_is_found(const char *listens, const char *called, const char *from)
{
    struct connection connection;
    struct seen seen;

    if (!connection_open(&connection, listens, called, from))
        skip(); /* no IPv6 here */
    seen = find(&connection.filter);
    assert_true(seen.count > 0 && seen.established == seen.count && seen.owned == seen.count);
    assert_int_equal(seen.last.sport, connection.filter.sport);
    assert_int_equal(seen.last.uid, getuid());

    connection.filter.any_sport = true;
    seen = find(&connection.filter);
    assert_true(seen.count > 0 && seen.established == seen.count);
    connection.filter.sport = 0;
    assert_int_equal(find(&connection.filter).count, 1);
    connection.filter.any_sport = false;
    assert_int_equal(find(&connection.filter).count, 0);

    connection.filter.sport = own_port(connection.listener); /* it is nobody's client */
    assert_int_equal(find(&connection.filter).count, 0);
    connection_close(&connection);
}

static void a_connection_is_found(void **state)
{
    (void)state;
    assert_is_found("127.0.0.1", "127.0.0.1", NULL);
}

static void a_connection_of_ipv6_is_found(void **state)
{
    (void)state;
    assert_is_found("::1", "::1", NULL);
}

static void an_ipv6_socket_may_speak_ipv4(void **state)
{
    (void)state;
    assert_is_found("127.0.0.1", "::ffff:127.0.0.1", NULL);
}

/* Then it stands elsewhere in the table than the kernel's choice of an address leads to. */
static void a_connection_from_any_address_of_ours_is_found(void **state)
{
    (void)state;
    assert_is_found("127.0.0.1", "127.0.0.1", "127.0.0.9");
    assert_is_found("127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.9");
}

/* The kernel gives it to none of our ends, and no other program of the host has a connection there. */
enum { NOBODYS_PORT = 1 };

static void nothing_else_is_found(void **state)
{
    struct connection connection;
    struct sockets_filter filter;
    const struct ip other = ip_from_v4(&(const uint8_t[]){127, 0, 0, 2});

    (void)state;
    assert_true(connection_open(&connection, "127.0.0.1", "127.0.0.1", NULL));
    filter = connection.filter;
    filter.any_sport = true;
    filter.addr = other;
    assert_int_equal(find(&filter).count, 0);
    filter = connection.filter;
    filter.any_sport = true;
    filter.dport = NOBODYS_PORT;
    assert_int_equal(find(&filter).count, 0);
    filter = connection.filter;
    filter.sport = NOBODYS_PORT;
    assert_int_equal(find(&filter).count, 0);
    connection_close(&connection);
}

static void no_more_are_shown_than_are_wanted(void **state)
{
    struct connection connections[3];
    struct sockets_filter filter;
    struct sockaddr_storage address;

    (void)state;
    assert_true(connection_open(&connections[0], "127.0.0.1", "127.0.0.1", NULL));
    filter = connections[0].filter;
    filter.sport = 0;
    filter.any_sport = true;
    address = ip_to_sockaddr(&filter.addr);
    ip_sockaddr_set_port(&address, filter.dport);
    for (size_t i = 1; i < COUNT(connections); i++) {
        connections[i].client = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(connections[i].client, (const struct sockaddr *)&address,
                                 ip_sockaddr_size(&address)),
                         0);
    }
    for (unsigned most = 1; most <= 2; most++) {
        struct seen seen = {.most = most};

        assert_true(sockets_find(&filter, LOOK_MS, see, &seen));
        assert_int_equal(seen.count, most);
    }
    assert_int_equal(find(&filter).count, 3);
    for (size_t i = 1; i < COUNT(connections); i++)
        (void)close(connections[i].client);
    connection_close(&connections[0]);
}

/* Waits until the connection is seen as one that ends. */
static struct seen find_ending(const struct sockets_filter *filter)
{
    struct seen seen = find(filter);

    for (unsigned i = 0; i < ENDING_TRIES && (seen.count == 0 || seen.established > 0); i++) {
        check_pause();
        seen = find(filter);
    }
    return seen;
}

static void a_connection_that_ends_is_seen_to(void **state)
{
    struct connection connection;
    struct seen seen;

    (void)state;
    assert_true(connection_open(&connection, "127.0.0.1", "127.0.0.1", NULL));
    assert_int_equal(shutdown(connection.client, SHUT_WR), 0);
    seen = find_ending(&connection.filter); /* FIN_WAIT2 */
    assert_true(seen.count > 0 && seen.established == 0 && seen.owned == seen.count);
    assert_int_equal(seen.last.uid, getuid());
    (void)close(connection.server);
    (void)close(connection.client);
    seen = find_ending(&connection.filter); /* TIME_WAIT */
    assert_true(seen.count > 0 && seen.established == 0);
    while (seen.owned > 0) {
        check_pause();
        seen = find(&connection.filter);
    }
    assert_true(seen.count > 0);
    (void)close(connection.listener);
}

static void a_connection_that_the_other_side_ends_is_seen_to(void **state)
{
    struct connection connection;
    struct seen seen;

    (void)state;
    assert_true(connection_open(&connection, "127.0.0.1", "127.0.0.1", NULL));
    assert_int_equal(shutdown(connection.server, SHUT_WR), 0);
    seen = find_ending(&connection.filter); /* CLOSE_WAIT */
    assert_true(seen.count > 0 && seen.established == 0 && seen.owned == seen.count);
    connection_close(&connection);
}

/* --- Owners --------------------------------------------------------------------------- */

/* What a child finds out, by its exit status: 0 yes, 1 no, 77 it cannot be tried here (in a chroot there are no user
 * namespaces). */
static int status_of(pid_t child)
{
    int status = 0;

    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("# SKIP a child that cannot try it here\n");
        return 0;
    }
    return WEXITSTATUS(status);
}

static void another_user_is_told_apart(void **state)
{
    struct connection connection;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        skip();
    child = fork();
    if (child == 0) {
        struct seen seen = {0};

        if (!connection_open(&connection, "127.0.0.1", "127.0.0.1", NULL) ||
            fchown(connection.client, SOME_USER, SOME_USER) != 0)
            _exit(77);
        if (!sockets_find(&connection.filter, LOOK_MS, see, &seen))
            _exit(1);
        _exit(seen.count > 0 && seen.owned == seen.count && seen.last.uid == SOME_USER ? 0 : 1);
    }
    assert_int_equal(status_of(child), 0);
}

static void a_user_finds_what_is_anothers(void **state)
{
    struct connection connection;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(connection_open(&connection, "127.0.0.1", "127.0.0.1", NULL));
    child = fork();
    if (child == 0) {
        struct seen seen = {0};
        struct connection own;

        if (setgid(SOME_USER) != 0 || setuid(SOME_USER) != 0)
            _exit(77);
        if (!sockets_find(&connection.filter, LOOK_MS, see, &seen) || seen.count == 0 ||
            !seen.last.owned || seen.last.uid != 0)
            _exit(1);
        if (!connection_open(&own, "127.0.0.1", "127.0.0.1", NULL) ||
            !sockets_find(&own.filter, LOOK_MS, see, &seen) || seen.last.uid != SOME_USER)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(status_of(child), 0);
    connection_close(&connection);
}

/* As with PrivateUsers= of systemd: the kernel shows nobody's number then. */
static void an_owner_without_a_number_here_is_not_known(void **state)
{
    struct connection connection;
    pid_t child;

    (void)state;
    assert_true(connection_open(&connection, "127.0.0.1", "127.0.0.1", NULL));
    assert_true(sockets_sees_owner(getuid()));
    child = fork();
    if (child == 0) {
        struct seen seen = {0};

        if (unshare(CLONE_NEWUSER) != 0)
            _exit(77);
        if (!sockets_find(&connection.filter, LOOK_MS, see, &seen))
            _exit(1);
        _exit(seen.count > 0 && seen.established == seen.count && seen.owned == 0 &&
                      !sockets_sees_owner(0) && !sockets_sees_owner(65534)
                  ? 0
                  : 1);
    }
    assert_int_equal(status_of(child), 0);
    connection_close(&connection);
}

/* --- What an answer may hold -------------------------------------------------------------- */

/* One message of the kernel's, well made. */
struct answer {
    struct nlmsghdr header;
    struct inet_diag_msg found;
};

static struct sockets_filter wanted(void)
{
    return (struct sockets_filter){
        .addr = ip_from_v4(&(const uint8_t[]){192, 0, 2, 1}), .dport = 25, .sport = 5000};
}

static struct answer good(uint32_t sequence)
{
    struct answer answer = {
        .header = {.nlmsg_len = sizeof answer,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_MULTI,
                   .nlmsg_seq = sequence,
                   .nlmsg_pid = PORT_ID},
        .found = {.idiag_family = AF_INET,
                  .idiag_state = TCP_ESTABLISHED,
                  .id = {.idiag_sport = htons(5000), .idiag_dport = htons(25)},
                  .idiag_uid = 7,
                  .idiag_inode = 1},
    };
    const struct sockets_filter filter = wanted();

    memcpy(answer.found.id.idiag_dst, ip_v4(&filter.addr), IP_V4_LEN);
    return answer;
}

static enum sockets_progress read_octets(int family, const void *octets, size_t len,
                                         struct seen *seen)
{
    const struct sockets_filter filter = wanted();
    const struct sockets_question question = {.filter = &filter,
                                              .family = family,
                                              .sequence = 1,
                                              .port_id = PORT_ID,
                                              .see = see,
                                              .arg = seen};
    void *exact = test_malloc(len); /* so that a step beyond its end is seen */
    enum sockets_progress progress;

    memcpy(exact, octets, len);
    *seen = (struct seen){.most = seen->most};
    progress = sockets_read(&question, exact, len);
    test_free(exact);
    return progress;
}

static void assert_reads(struct answer answer, enum sockets_progress progress, unsigned count)
{
    struct seen seen = {0};

    assert_int_equal(read_octets(AF_INET, &answer, sizeof answer, &seen), progress);
    assert_int_equal(seen.count, count);
}

#define WITH(change, progress, count)                                                              \
    do {                                                                                           \
        struct answer answer = good(1);                                                            \
        answer.change;                                                                             \
        assert_reads(answer, progress, count);                                                     \
    } while (0)

static void only_what_was_asked_for_is_taken(void **state)
{
    (void)state;
    assert_reads(good(1), SOCKETS_MORE, 1);
    assert_reads(good(2), SOCKETS_BAD, 0);
    WITH(header.nlmsg_pid = PORT_ID + 1, SOCKETS_BAD, 0);
    WITH(header.nlmsg_type = SOCK_DESTROY, SOCKETS_BAD, 0);
    WITH(header.nlmsg_type = NLMSG_OVERRUN, SOCKETS_BAD, 0);
    WITH(header.nlmsg_type = NLMSG_ERROR, SOCKETS_BAD, 0);
    WITH(header.nlmsg_flags |= NLM_F_DUMP_INTR, SOCKETS_BAD, 0);
    WITH(header.nlmsg_type = NLMSG_NOOP, SOCKETS_MORE, 0);
    WITH(found.idiag_family = AF_INET6, SOCKETS_BAD, 0);
    WITH(found.idiag_family = AF_UNSPEC, SOCKETS_BAD, 0);
    WITH(found.id.idiag_dport = htons(26), SOCKETS_MORE, 0);
    WITH(found.id.idiag_sport = htons(5001), SOCKETS_MORE, 0);
    WITH(found.id.idiag_dst[0] ^= 1, SOCKETS_MORE, 0);
    WITH(found.idiag_state = TCP_LISTEN, SOCKETS_MORE, 0);
    WITH(found.idiag_state = TCP_SYN_SENT, SOCKETS_MORE, 0);
    WITH(found.idiag_state = 0, SOCKETS_MORE, 0);
    WITH(found.idiag_state = 33, SOCKETS_MORE, 0);
    WITH(found.idiag_state = 255, SOCKETS_MORE, 0);
    WITH(found.idiag_state = TCP_TIME_WAIT, SOCKETS_MORE, 1);
}

static void lengths_are_not_believed(void **state)
{
    static const uint32_t lens[] = {0,
                                    1,
                                    NLMSG_HDRLEN - 1,
                                    NLMSG_HDRLEN,
                                    sizeof(struct answer) - 1,
                                    sizeof(struct answer) + 1,
                                    INT32_MAX,
                                    UINT32_MAX - 3,
                                    UINT32_MAX};
    struct answer answer = good(1);
    struct seen seen = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        answer.header.nlmsg_len = lens[i];
        assert_reads(answer, SOCKETS_BAD, 0);
    }
    answer = good(1);
    for (size_t len = 0; len < sizeof answer; len++)
        assert_int_equal(read_octets(AF_INET, &answer, len, &seen), SOCKETS_BAD);
}

static void the_end_may_tell_of_an_error(void **state)
{
    struct answer answer = good(1);
    int32_t error = -12;
    struct seen seen = {0};

    (void)state;
    answer.header.nlmsg_type = NLMSG_DONE;
    answer.header.nlmsg_len = NLMSG_HDRLEN;
    assert_int_equal(read_octets(AF_INET, &answer, NLMSG_HDRLEN, &seen), SOCKETS_END);
    answer.header.nlmsg_len = NLMSG_HDRLEN + sizeof error;
    memcpy(&answer.found, &error, sizeof error);
    assert_int_equal(read_octets(AF_INET, &answer, answer.header.nlmsg_len, &seen), SOCKETS_BAD);
    error = 0;
    memcpy(&answer.found, &error, sizeof error);
    assert_int_equal(read_octets(AF_INET, &answer, answer.header.nlmsg_len, &seen), SOCKETS_END);
}

static void many_come_in_one_datagram(void **state)
{
    struct answer answers[4] = {good(1), good(1), good(1), good(1)};
    struct seen all = {0}, two = {.most = 2};

    (void)state;
    assert_int_equal(read_octets(AF_INET, answers, sizeof answers, &all), SOCKETS_MORE);
    assert_int_equal(all.count, 4);
    assert_int_equal(read_octets(AF_INET, answers, sizeof answers, &two), SOCKETS_ENOUGH);
    assert_int_equal(two.count, 2);
    answers[2].header.nlmsg_seq++;
    assert_int_equal(read_octets(AF_INET, answers, sizeof answers, &all), SOCKETS_BAD);
    answers[1].header.nlmsg_type = NLMSG_DONE;
    memset(&answers[1].found, 0, sizeof answers[1].found);
    assert_int_equal(read_octets(AF_INET, answers, sizeof answers, &all), SOCKETS_END);
    assert_int_equal(all.count, 1);
}

static void a_v4_mapped_address_is_the_same(void **state)
{
    const struct sockets_filter filter = wanted();
    struct answer answer = good(1);
    struct seen seen = {0};

    (void)state;
    answer.found.idiag_family = AF_INET6;
    memcpy(answer.found.id.idiag_dst, filter.addr.octets, IP_LEN);
    assert_int_equal(read_octets(AF_INET6, &answer, sizeof answer, &seen), SOCKETS_MORE);
    assert_int_equal(seen.count, 1);
    assert_int_equal(read_octets(AF_UNSPEC, &answer, sizeof answer, &seen), SOCKETS_MORE);
    assert_int_equal(seen.count, 1);
}

static void noise_is_survived(void **state)
{
    uint64_t dice = dice_seed();
    uint8_t octets[300];
    struct seen seen = {0};

    (void)state;
    for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
        const struct answer answer = good(1);
        const size_t len = 1 + dice_throw(&dice) % (sizeof octets - 1);

        for (size_t at = 0; at < sizeof octets; at++)
            octets[at] = (uint8_t)dice_throw(&dice);
        if (i % 2 == 0)
            memcpy(octets, &answer, sizeof answer);
        octets[dice_throw(&dice) % sizeof answer] = (uint8_t)dice_throw(&dice);
        (void)read_octets(AF_INET, octets, len, &seen);
        assert_true(seen.count <= len / sizeof answer);
    }
}

/* --- The conversation, with us as the kernel ---------------------------------------------- */

static void send_octets(int kernel, const void *octets, size_t len)
{
    assert_int_equal(send(kernel, octets, len, 0), len);
}

static void send_end(int kernel, uint32_t sequence)
{
    struct nlmsghdr end = {.nlmsg_len = sizeof end,
                           .nlmsg_type = NLMSG_DONE,
                           .nlmsg_seq = sequence,
                           .nlmsg_pid = PORT_ID};

    send_octets(kernel, &end, sizeof end);
}

static bool find_over(const int pair[2], int timeout_ms, struct seen *seen)
{
    struct sockets_filter filter = wanted();
    bool found;

    filter.sport = 0; /* no look for that one first */
    filter.any_sport = true;
    found = sockets_find_over(pair[0], PORT_ID, &filter, timeout_ms, see, seen);
    (void)close(pair[0]);
    (void)close(pair[1]);
    return found;
}

static void open_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

/* Of IPv4 the sockets of both families are asked for; a look for one socket would be the first. */
static void both_families_are_asked_for(void **state)
{
    const struct answer answer = good(2);
    struct seen seen = {0};
    int pair[2];

    (void)state;
    open_pair(pair);
    send_octets(pair[1], &answer, sizeof answer);
    send_end(pair[1], 2);
    send_end(pair[1], 3);
    assert_true(find_over(pair, LOOK_MS, &seen));
    assert_int_equal(seen.count, 1);
}

static void a_kernel_that_is_silent_is_not_waited_for(void **state)
{
    const struct answer answer = good(2);
    struct seen seen = {0};
    int pair[2];

    (void)state;
    open_pair(pair);
    assert_false(find_over(pair, 1, &seen));
    open_pair(pair); /* in the middle of it */
    send_octets(pair[1], &answer, sizeof answer);
    assert_false(find_over(pair, 1, &seen));
    open_pair(pair);
    send_end(pair[1], 2);
    assert_false(find_over(pair, 0, &seen));
}

/* Until nobody reads any more. */
static void send_for_ever(int kernel)
{
    const struct answer answer = good(2);

    while (send(kernel, &answer, sizeof answer, MSG_NOSIGNAL) > 0)
        ;
    _exit(0);
}

static void a_table_without_end_is_left(void **state)
{
    struct seen seen = {0};
    pid_t child;
    int pair[2];

    (void)state;
    open_pair(pair);
    child = fork();
    if (child == 0) {
        (void)close(pair[0]);
        send_for_ever(pair[1]);
    }
    assert_false(find_over(pair, 50, &seen));
    assert_int_equal(status_of(child), 0);
}

static void a_kernel_that_talks_nonsense_is_not_believed(void **state)
{
    struct answer answer = good(2);
    uint8_t large[32 * 1024] = {0};
    struct seen seen = {0};
    int pair[2];

    (void)state;
    open_pair(pair); /* an answer to something else */
    send_end(pair[1], 3);
    assert_false(find_over(pair, LOOK_MS, &seen));
    open_pair(pair); /* no message at all */
    send_octets(pair[1], "x", 1);
    assert_false(find_over(pair, LOOK_MS, &seen));
    open_pair(pair); /* more than there is room for */
    memcpy(large, &answer, sizeof answer);
    send_octets(pair[1], large, sizeof large);
    assert_false(find_over(pair, LOOK_MS, &seen));
    assert_int_equal(seen.count, 0);
    open_pair(pair); /* nobody there */
    assert_int_equal(shutdown(pair[1], SHUT_RDWR), 0);
    assert_false(find_over(pair, LOOK_MS, &seen));
    assert_false(
        sockets_find_over(-1, PORT_ID, &(struct sockets_filter){.dport = 25}, LOOK_MS, see, &seen));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_found),
        cmocka_unit_test(a_connection_of_ipv6_is_found),
        cmocka_unit_test(an_ipv6_socket_may_speak_ipv4),
        cmocka_unit_test(a_connection_from_any_address_of_ours_is_found),
        cmocka_unit_test(nothing_else_is_found),
        cmocka_unit_test(no_more_are_shown_than_are_wanted),
        cmocka_unit_test(a_connection_that_ends_is_seen_to),
        cmocka_unit_test(a_connection_that_the_other_side_ends_is_seen_to),
        cmocka_unit_test(another_user_is_told_apart),
        cmocka_unit_test(a_user_finds_what_is_anothers),
        cmocka_unit_test(an_owner_without_a_number_here_is_not_known),
        cmocka_unit_test(only_what_was_asked_for_is_taken),
        cmocka_unit_test(lengths_are_not_believed),
        cmocka_unit_test(the_end_may_tell_of_an_error),
        cmocka_unit_test(many_come_in_one_datagram),
        cmocka_unit_test(a_v4_mapped_address_is_the_same),
        cmocka_unit_test(noise_is_survived),
        cmocka_unit_test(both_families_are_asked_for),
        cmocka_unit_test(a_kernel_that_is_silent_is_not_waited_for),
        cmocka_unit_test(a_table_without_end_is_left),
        cmocka_unit_test(a_kernel_that_talks_nonsense_is_not_believed),
    };

    return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}
