/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the filter listens: every kind of place is made ready, put into libmilter's words and found
 * again by who connects to it; what is not ours is left alone, and said.
 */
#include "config.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "mta/listen.h"
#include "base/text.h"
#include "base/socket_path.h"
#include "mta/loop.h"

enum { HANDED = 3, ACCEPT_MS = 10000, NOBODY = 65534 };

static char folder[] = "/tmp/test_listen.XXXXXX";
static char path[64], where[80];
static char error[LISTEN_ERROR_SIZE];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    (void)snprintf(where, sizeof where, "unix:%s", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static int empty_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)rmdir(path);
    return chmod(folder, 0700);
}

/* --- Helpers --- */

static int prepare_as(const char *listen, const char *mode, const char *group,
                      struct listen_place *place)
{
    char at[256], bits[8], name[64], file[] = "rb.conf";
    const struct config config = {
        .path = file, .listen = at, .listen_mode = bits, .listen_group = name};

    assert_true(text_copy(at, sizeof at, listen) && text_copy(bits, sizeof bits, mode) &&
                text_copy(name, sizeof name, group));
    return listen_prepare(&config, place, error);
}

static int prepare(const char *listen, struct listen_place *place)
{
    return prepare_as(listen, "0660", "", place);
}

static void assert_refused(const char *listen, int status, const char *said)
{
    struct listen_place place;

    assert_int_equal(prepare(listen, &place), status);
    if (strstr(error, said) == NULL)
        fail_msg("%s was refused with \"%s\"", listen, error);
}

static int open_unix(int type)
{
    struct sockaddr_un address;
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && socket_path_address(path, &address));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int open_listener(const struct sockaddr *address, socklen_t len)
{
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, address, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* A listener at a port that the system chooses. */
static int open_inet(int family, bool any, unsigned *port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_addr = any ? in6addr_any : in6addr_loopback};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
    const int fd = open_listener(address, len);

    assert_int_equal(getsockname(fd, address, &len), 0);
    *port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
    return fd;
}

static bool has_ipv6(void)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

/* --- The path of a unix socket --- */

static void nothing_there_is_fine(void **state)
{
    (void)state;
    assert_true(socket_path_clear(path));
}

static void a_socket_that_nobody_answers_is_removed(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        close(open_unix(types[i]));
        assert_int_equal(access(path, F_OK), 0);
        assert_true(socket_path_clear(path));
        assert_int_equal(access(path, F_OK), -1);
    }
}

static void a_socket_that_is_answered_is_left(void **state)
{
    const int fd = open_unix(SOCK_STREAM);

    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    assert_false(socket_path_clear(path));
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
}

static void a_socket_whose_backlog_is_full_is_left(void **state)
{
    const int fd = open_unix(SOCK_STREAM);
    struct sockaddr_un address;
    int clients[4];

    (void)state;
    assert_int_equal(listen(fd, 0), 0);
    assert_true(socket_path_address(path, &address));
    for (size_t i = 0; i < COUNT(clients); i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(clients[i] >= 0);
        (void)!connect(clients[i], (const struct sockaddr *)&address, sizeof address);
    }
    assert_false(socket_path_clear(path));
    assert_int_equal(errno, EADDRINUSE);
    for (size_t i = 0; i < COUNT(clients); i++)
        close(clients[i]);
    close(fd);
}

static void a_socket_of_another_type_that_is_held_is_left(void **state)
{
    const int fd = open_unix(SOCK_DGRAM);

    (void)state;
    assert_false(socket_path_clear(path));
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
}

static void what_is_no_socket_is_left(void **state)
{
    struct stat there;
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_false(socket_path_clear(path));
    assert_int_equal(errno, ENOTSOCK);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_size, 1);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(socket_path_clear(path));
    assert_int_equal(errno, ENOTSOCK);
    assert_int_equal(rmdir(path), 0);
}

static void a_link_is_left_wherever_it_leads(void **state)
{
    (void)state;
    assert_int_equal(symlink("nowhere", path), 0);
    assert_false(socket_path_clear(path));
    assert_int_equal(errno, ENOTSOCK);
}

static void a_path_that_no_address_holds_is_refused(void **state)
{
    char name[110] = "/";

    (void)state;
    memset(name + 1, 'x', 107);
    assert_false(socket_path_clear(name));
    assert_int_equal(errno, ENAMETOOLONG);
}

/* --- Places --- */

static void a_unix_socket_has_its_path_mode_and_address(void **state)
{
    struct listen_place place;
    const struct sockaddr_un *address = (const struct sockaddr_un *)&place.address;

    (void)state;
    assert_int_equal(prepare_as(where, "0622", "", &place), EX_OK);
    assert_string_equal(place.conn, where);
    assert_string_equal(place.path, path);
    assert_int_equal(place.mode, 0622);
    assert_false(place.has_group);
    assert_false(place.inherited);
    assert_int_equal(address->sun_family, AF_UNIX);
    assert_string_equal(address->sun_path, path);
}

static void a_stale_unix_socket_makes_room(void **state)
{
    struct listen_place place;

    (void)state;
    close(open_unix(SOCK_STREAM));
    assert_int_equal(prepare(where, &place), EX_OK);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_unix_socket_in_use_or_none_at_all_is_said(void **state)
{
    const int fd = open_unix(SOCK_STREAM);

    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    assert_refused(where, EX_UNAVAILABLE, "another process answers there; nothing was removed");
    close(fd);
    assert_int_equal(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_refused(where, EX_UNAVAILABLE, "what is there is no socket; nothing was removed");
    assert_int_equal(access(path, F_OK), 0);
}

static void a_folder_that_is_missing_or_none_is_said(void **state)
{
    char below[128];

    (void)state;
    (void)snprintf(below, sizeof below, "%s/deeper", where);
    assert_refused(below, EX_UNAVAILABLE, "there is no folder ");
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_refused(below, EX_UNAVAILABLE, " is no folder");
}

/* Root may write anywhere: a child that is nobody looks. */
static void a_folder_that_may_not_be_written_in_is_said(void **state)
{
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(chmod(folder, 0555), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct listen_place place;

        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(100);
        status = prepare(where, &place);
        _exit(strstr(error, "may not write in the folder") != NULL ? status : 101);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_UNAVAILABLE);
}

static void a_path_that_is_too_long_is_said(void **state)
{
    char at[130] = "unix:/";

    (void)state;
    memset(at + 6, 'x', 110);
    assert_refused(at, EX_UNAVAILABLE, "name too long");
}

/* A port below those that the system gives away. */
static void an_address_is_handed_on_in_numbers(void **state)
{
    static const struct {
        const char *listen, *conn;
        int family;
    } cases[] = {
        {"inet:28894@127.0.0.1", "inet:28894@[127.0.0.1]", AF_INET},
        {"inet:28894@localhost", "inet:28894@[127.0.0.1]", AF_INET},
        {"inet:28894", "inet:28894@[0.0.0.0]", AF_INET},
        {"inet6:28894@::1", "inet6:28894@[::1]", AF_INET6},
        {"inet6:28894", "inet6:28894@[::]", AF_INET6},
    };
    const size_t count = has_ipv6() ? COUNT(cases) : 3;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct listen_place place;

        if (prepare(cases[i].listen, &place) != EX_OK)
            fail_msg("%s", error);
        assert_string_equal(place.conn, cases[i].conn);
        assert_int_equal(place.address.ss_family, cases[i].family);
        assert_null(place.path);
        assert_false(place.inherited);
    }
}

static void a_port_that_is_taken_is_said(void **state)
{
    char at[64];
    unsigned port;
    const int fd = open_inet(AF_INET, false, &port);

    (void)state;
    (void)snprintf(at, sizeof at, "inet:%u@127.0.0.1", port);
    assert_refused(at, EX_UNAVAILABLE, "Address already in use");
    (void)snprintf(at, sizeof at, "inet:%u", port);
    assert_refused(at, EX_UNAVAILABLE, "Address already in use");
    close(fd);
}

static void an_address_that_is_not_ours_is_said(void **state)
{
    (void)state;
    assert_refused("inet:28894@192.0.2.1", EX_UNAVAILABLE, "Cannot assign requested address");
}

/* --- The group --- */

static void a_group_that_is_not_there_is_said(void **state)
{
    struct listen_place place;

    (void)state;
    assert_int_equal(prepare_as(where, "0660", "rb-no-such-group", &place), EX_CONFIG);
    assert_non_null(strstr(error, "rb.conf: listen_group: there is no group"));
}

static void a_group_that_the_user_is_not_in_is_said(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct listen_place place;

        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(100);
        status = prepare_as(where, "0660", "root", &place);
        _exit(strstr(error, "is not in the group \"root\"") != NULL ? status : 101);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_CONFIG);
}

static void a_socket_is_given_to_its_group(void **state)
{
    struct listen_place place;
    struct stat there;

    (void)state;
    assert_int_equal(prepare(where, &place), EX_OK);
    place.has_group = true;
    place.group = geteuid() == 0 ? 12 : getegid();
    close(open_unix(SOCK_STREAM));
    assert_int_equal(chmod(path, place.mode), 0);
    assert_int_equal(listen_settle(&place, error), EX_OK);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_gid, place.group);
    assert_int_equal(there.st_uid, geteuid());
    assert_int_equal(there.st_mode & 07777, 0660);
}

static void a_socket_that_cannot_be_given_away_is_removed(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct listen_place place;

        if (chmod(folder, 0777) != 0 ||
            (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) ||
            prepare(where, &place) != EX_OK)
            _exit(100);
        place.has_group = true;
        place.group = 0;
        close(open_unix(SOCK_STREAM));
        status = listen_settle(&place, error);
        _exit(access(path, F_OK) != 0 ? status : 101);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_UNAVAILABLE);
}

static bool accepted_writes_at_once(int listener, const struct listen_place *place)
{
    const int client = socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd, at_once = 0;
    socklen_t len = sizeof at_once;

    assert_true(client >= 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&place->address, place->address_len),
                     0);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, &len), 0);
    close(fd);
    close(client);
    return at_once != 0;
}

static void what_the_listener_accepts_writes_at_once(void **state)
{
    static const int families[] = {AF_INET, AF_INET6};

    (void)state;
    for (size_t i = 0; i < COUNT(families) - (has_ipv6() ? 0 : 1); i++) {
        struct listen_place place = {.address_len = sizeof place.address};
        unsigned port;
        const int other = open_inet(families[i], false, &port);
        const int listener = open_inet(families[i], false, &port);

        assert_int_equal(
            getsockname(listener, (struct sockaddr *)&place.address, &place.address_len), 0);
        assert_false(accepted_writes_at_once(listener, &place));
        assert_int_equal(listen_settle(&place, error), EX_OK);
        assert_true(accepted_writes_at_once(listener, &place));
        close(listener);
        close(other);
    }
}

/* --- What systemd hands over --- */

static int held; /* what the descriptor was before, -1: not open */

static void hand_over(int fd, const char *pid, const char *count)
{
    char own[24];

    (void)snprintf(own, sizeof own, "%ld", (long)getpid());
    held = fcntl(HANDED, F_DUPFD_CLOEXEC, 10);
    if (fd >= 0)
        assert_int_equal(dup2(fd, HANDED), HANDED);
    assert_int_equal(setenv("LISTEN_PID", pid != NULL ? pid : own, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", count, 1), 0);
    assert_int_equal(setenv("LISTEN_FDNAMES", "milter", 1), 0);
    listen_inherit();
}

static void take_back(void)
{
    if (held >= 0) {
        (void)dup2(held, HANDED);
        close(held);
    } else {
        close(HANDED);
    }
    listen_inherit();
}

static void a_socket_of_systemds_is_taken_with_its_address(void **state)
{
    struct listen_place place;
    unsigned port;
    const int fd = open_inet(AF_INET, false, &port);

    (void)state;
    hand_over(fd, NULL, "1");
    assert_int_equal(prepare("systemd", &place), EX_OK);
    assert_string_equal(place.conn, "fd:3");
    assert_true(place.inherited);
    assert_null(place.path);
    assert_int_equal(place.address.ss_family, AF_INET);
    assert_int_equal(ntohs(((struct sockaddr_in *)&place.address)->sin_port), port);
    assert_true((fcntl(HANDED, F_GETFD) & FD_CLOEXEC) != 0);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));
    take_back();
    close(fd);
}

static void no_socket_of_systemds_is_said(void **state)
{
    static const struct {
        const char *pid, *count, *said;
    } cases[] = {
        {NULL, "0", "has handed us no socket"},    {"1", "1", "has handed us no socket"},
        {"", "1", "has handed us no socket"},      {NULL, "one", "has handed us no socket"},
        {NULL, "1x", "has handed us no socket"},   {NULL, "-1", "has handed us no socket"},
        {NULL, "", "has handed us no socket"},     {NULL, "2", "has handed us 2 sockets"},
        {NULL, "99999999999999999999", "sockets"},
    };
    unsigned port;
    const int fd = open_inet(AF_INET, false, &port);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        hand_over(fd, cases[i].pid, cases[i].count);
        assert_refused("systemd", EX_CONFIG, cases[i].said);
        take_back();
    }
    close(fd);
}

static void what_is_handed_over_must_listen(void **state)
{
    const int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int datagrams = open_unix(SOCK_DGRAM);
    const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int all[] = {connected, datagrams, file};

    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        hand_over(all[i], NULL, "1");
        assert_refused("systemd", EX_CONFIG, "is no stream socket that listens");
        take_back();
        close(all[i]);
    }
}

static void a_port_that_systemd_holds_for_us_is_told_from_others(void **state)
{
    char at[64];
    unsigned port;
    const int fd = open_inet(AF_INET, false, &port);

    (void)state;
    (void)snprintf(at, sizeof at, "inet:%u@127.0.0.1", port);
    hand_over(fd, NULL, "1");
    assert_refused(at, EX_UNAVAILABLE, "listen = \"systemd\" would be right");
    take_back();
    close(fd);
}

/* --- Who connects to it: the filter itself --- */

static void assert_wakes(int listener, const struct listen_place *place)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    char octet;
    int fd;

    loop_init(&place->address, place->address_len);
    loop_wake();
    assert_int_equal(poll(&ready, 1, ACCEPT_MS), 1);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(recv(fd, &octet, 1, 0), 0); /* closed at once */
    close(fd);
}

static void assert_inet_wakes(int family, const char *host)
{
    struct listen_place place;
    char at[64];
    unsigned port;
    int fd = open_inet(family, true, &port);
    const int yes = 1;

    close(fd); /* now its port is known to be free */
    (void)snprintf(at, sizeof at, "%s:%u%s", family == AF_INET ? "inet" : "inet6", port, host);
    assert_int_equal(prepare(at, &place), EX_OK);
    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&place.address, place.address_len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_wakes(fd, &place);
    close(fd);
}

static void every_kind_of_inet_socket_is_woken(void **state)
{
    (void)state;
    assert_inet_wakes(AF_INET, "@127.0.0.1");
    assert_inet_wakes(AF_INET, "");
    if (has_ipv6()) {
        assert_inet_wakes(AF_INET6, "@::1");
        assert_inet_wakes(AF_INET6, "");
    }
}

static void a_unix_socket_is_woken(void **state)
{
    struct listen_place place;
    int fd;

    (void)state;
    assert_int_equal(prepare(where, &place), EX_OK);
    fd = open_unix(SOCK_STREAM);
    assert_int_equal(listen(fd, 8), 0);
    assert_wakes(fd, &place);
    close(fd);
}

static void a_socket_of_systemds_is_woken(void **state)
{
    struct listen_place place;
    int fd = open_unix(SOCK_STREAM);
    unsigned port;

    (void)state;
    assert_int_equal(listen(fd, 8), 0);
    hand_over(fd, NULL, "1");
    assert_int_equal(prepare("systemd", &place), EX_OK);
    assert_wakes(fd, &place);
    take_back();
    close(fd);

    fd = open_inet(AF_INET, true, &port);
    hand_over(fd, NULL, "1");
    assert_int_equal(prepare("systemd", &place), EX_OK);
    assert_wakes(fd, &place);
    take_back();
    close(fd);
}

#define IN_FOLDER(test) cmocka_unit_test_teardown(test, empty_folder)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        IN_FOLDER(nothing_there_is_fine),
        IN_FOLDER(a_socket_that_nobody_answers_is_removed),
        IN_FOLDER(a_socket_that_is_answered_is_left),
        IN_FOLDER(a_socket_whose_backlog_is_full_is_left),
        IN_FOLDER(a_socket_of_another_type_that_is_held_is_left),
        IN_FOLDER(what_is_no_socket_is_left),
        IN_FOLDER(a_link_is_left_wherever_it_leads),
        IN_FOLDER(a_path_that_no_address_holds_is_refused),
        IN_FOLDER(a_unix_socket_has_its_path_mode_and_address),
        IN_FOLDER(a_stale_unix_socket_makes_room),
        IN_FOLDER(a_unix_socket_in_use_or_none_at_all_is_said),
        IN_FOLDER(a_folder_that_is_missing_or_none_is_said),
        IN_FOLDER(a_folder_that_may_not_be_written_in_is_said),
        IN_FOLDER(a_path_that_is_too_long_is_said),
        IN_FOLDER(an_address_is_handed_on_in_numbers),
        IN_FOLDER(a_port_that_is_taken_is_said),
        IN_FOLDER(an_address_that_is_not_ours_is_said),
        IN_FOLDER(a_group_that_is_not_there_is_said),
        IN_FOLDER(a_group_that_the_user_is_not_in_is_said),
        IN_FOLDER(a_socket_is_given_to_its_group),
        IN_FOLDER(a_socket_that_cannot_be_given_away_is_removed),
        IN_FOLDER(what_the_listener_accepts_writes_at_once),
        IN_FOLDER(a_socket_of_systemds_is_taken_with_its_address),
        IN_FOLDER(no_socket_of_systemds_is_said),
        IN_FOLDER(what_is_handed_over_must_listen),
        IN_FOLDER(a_port_that_systemd_holds_for_us_is_told_from_others),
        IN_FOLDER(every_kind_of_inet_socket_is_woken),
        IN_FOLDER(a_unix_socket_is_woken),
        IN_FOLDER(a_socket_of_systemds_is_woken),
    };

    return cmocka_run_group_tests_name("listen", tests, make_folder, remove_folder);
}
