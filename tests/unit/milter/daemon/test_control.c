/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: the daemon's socket, with a daemon that does as it is told: a reload, or a status, lasts
 * until it is let go.
 */
#include "config.h"

#include "daemon/control.h"

#include "check.h"

#include "base/control_protocol.h"
#include "daemon/service.h"
#include "daemon/status.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { GENEROUS_MS = 60000, IDLERS = 3 * CONTROL_CLIENTS_MAX, BIG = 8 * 1024 * 1024 };

static char folder[64], path[96];

/* --- The daemon ----------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned begun, done; /* [lock] reloads */
static bool held;            /* [lock] they last */
static unsigned statuses;    /* [lock] begun */
static bool statuses_held;   /* [lock] */
static size_t status_size;   /* [lock] octets of one */

bool service_reload(char *said, size_t size)
{
    pthread_mutex_lock(&lock);
    begun++;
    pthread_cond_broadcast(&changed);
    while (held)
        pthread_cond_wait(&changed, &lock);
    done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    (void)snprintf(said, size, "/etc/r\xff.conf: configuration taken");
    return true;
}

json_t *status_object(void)
{
    json_t *object = json_object();
    char *text;

    pthread_mutex_lock(&lock);
    statuses++;
    pthread_cond_broadcast(&changed);
    while (statuses_held)
        pthread_cond_wait(&changed, &lock);
    text = calloc(1, status_size + 1);
    assert_non_null(text);
    memset(text, 'x', status_size);
    pthread_mutex_unlock(&lock);
    json_object_set_new(object, "status", json_string(text));
    free(text);
    return object;
}

json_t *status_explain(const char *request)
{
    return json_pack("{s:s}", "explained", request);
}

static void set(bool *flag, bool value)
{
    pthread_mutex_lock(&lock);
    *flag = value;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits until the counter says so. */
static void wait_for(const unsigned *counter, unsigned value)
{
    pthread_mutex_lock(&lock);
    while (*counter < value)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test_control.XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/control.sock", folder);
    begun = done = statuses = 0;
    held = statuses_held = false;
    status_size = 3;
    return control_start(path) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    control_stop();
    return rmdir(folder);
}

/* --- Clients -------------------------------------------------------------- */

static int connect_to_it(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int ask(const char *request)
{
    int fd = connect_to_it();

    say(fd, request);
    return fd;
}

/* All that comes until the end; the caller's. Closes fd. *whole: it came, and not a reset. */
static char *read_all(int fd, size_t *len)
{
    char *text = malloc(2 * BIG);
    struct pollfd at = {.fd = fd, .events = POLLIN};
    ssize_t n;

    assert_non_null(text);
    *len = 0;
    do {
        assert_true(poll(&at, 1, GENEROUS_MS) > 0);
        n = recv(fd, text + *len, 2 * BIG - *len, 0);
        *len += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    close(fd);
    return text;
}

/* The answer, which is one object in one line; the caller's. NULL: there was none. */
static json_t *answer(int fd)
{
    size_t len;
    char *text = read_all(fd, &len);
    json_t *object = NULL;

    if (len > 0) {
        assert_int_equal(text[len - 1], '\n');
        object = json_loadb(text, len, 0, NULL);
        assert_non_null(object);
    }
    free(text);
    return object;
}

static void assert_answered(int fd, const char *key)
{
    json_t *object = answer(fd);

    assert_non_null(object);
    assert_non_null(json_object_get(object, key));
    json_decref(object);
}

static void assert_left(int fd)
{
    size_t len;

    free(read_all(fd, &len));
    assert_int_equal(len, 0);
}

/* --- The tests ------------------------------------------------------------ */

static void each_request_has_one_answer(void **state)
{
    json_t *object;

    (void)state;
    assert_answered(ask("status\n"), "status");
    object = answer(ask("reload\n"));
    assert_true(json_is_true(json_object_get(object, "ok")));
    json_decref(object);
    assert_answered(ask("explain {}\n"), "explained");
    object = answer(ask("explain\n"));
    assert_true(json_is_false(json_object_get(object, "ok")));
    json_decref(object);
    object = answer(ask("stutus\n"));
    assert_true(json_is_false(json_object_get(object, "ok")));
    json_decref(object);
    assert_int_equal(done, 1);
}

static void a_request_may_come_in_pieces(void **state)
{
    int fd = connect_to_it();

    (void)state;
    for (const char *c = "status\n"; *c != '\0'; c++)
        say(fd, (char[]){*c, '\0'});
    assert_answered(fd, "status");
}

/* netcat does so behind its input. */
static void who_only_says_no_more_is_answered(void **state)
{
    int fd = ask("reload\n");

    (void)state;
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_answered(fd, "ok");
}

static void what_is_no_utf8_is_answered_all_the_same(void **state)
{
    json_t *object = answer(ask("reload\n"));

    (void)state;
    assert_non_null(object);
    assert_true(json_is_true(json_object_get(object, "ok")));
    assert_non_null(strstr(json_string_value(json_object_get(object, "message")), "taken"));
    json_decref(object);
}

static void silent_clients_keep_nobody_waiting(void **state)
{
    int idle[IDLERS];

    (void)state;
    for (size_t i = 0; i < COUNT(idle); i++) {
        idle[i] = connect_to_it();
        if (i == 7 || i == CONTROL_CLIENTS_MAX || i == IDLERS - 1) {
            assert_answered(ask("status\n"), "status");
            assert_answered(ask("reload\n"), "ok");
        }
    }
    for (size_t i = 0; i < COUNT(idle); i++)
        assert_left(idle[i]); /* in the end: each has its time */
}

static void a_request_without_an_end_is_left(void **state)
{
    char much[CONTROL_LINE_MAX + 1];
    int fd = connect_to_it();

    (void)state;
    memset(much, 'x', sizeof much);
    (void)send(fd, much, sizeof much, MSG_NOSIGNAL);
    assert_left(fd);
}

static void a_slow_reload_keeps_no_status_waiting(void **state)
{
    int fd;

    (void)state;
    set(&held, true);
    fd = ask("reload\n");
    wait_for(&begun, 1);
    for (unsigned i = 0; i < 2 * CONTROL_OBEYED_MAX; i++)
        assert_answered(ask("status\n"), "status");
    set(&held, false);
    assert_answered(fd, "ok");
}

static void a_reload_that_nobody_waits_for_is_not_done(void **state)
{
    int fd, gone[2 * CONTROL_OBEYED_MAX], last;

    (void)state;
    set(&held, true);
    fd = ask("reload\n");
    wait_for(&begun, 1);
    for (size_t i = 0; i < COUNT(gone); i++)
        gone[i] = ask("reload\n");
    last = ask("reload\n");
    assert_answered(ask("status\n"), "status"); /* by now all have been read */
    for (size_t i = 0; i < COUNT(gone); i++)
        close(gone[i]);
    set(&held, false);
    assert_answered(fd, "ok");
    assert_answered(last, "ok");
    assert_int_equal(begun, 2);
}

static void only_so_many_are_obeyed_at_once(void **state)
{
    int fds[CONTROL_OBEYED_MAX + 4];
    unsigned at_once;

    (void)state;
    set(&statuses_held, true);
    for (size_t i = 0; i < COUNT(fds); i++)
        fds[i] = ask("status\n");
    wait_for(&statuses, CONTROL_OBEYED_MAX);
    assert_left(ask("")); /* a round of the thread: its time is over */
    pthread_mutex_lock(&lock);
    at_once = statuses;
    pthread_mutex_unlock(&lock);
    assert_int_equal(at_once, CONTROL_OBEYED_MAX);
    set(&statuses_held, false);
    for (size_t i = 0; i < COUNT(fds); i++)
        assert_answered(fds[i], "status");
}

static void an_answer_that_nobody_reads_is_given_up(void **state)
{
    int fd;
    size_t len;
    char *text;

    (void)state;
    status_size = BIG;
    fd = ask("status\n");
    wait_for(&statuses, 1);
    control_stop(); /* waits for that answer's end */
    text = read_all(fd, &len);
    free(text);
    assert_true(len < BIG);
    assert_true(control_start(path));
    status_size = 3;
}

static void a_big_answer_comes_whole(void **state)
{
    json_t *object;

    (void)state;
    status_size = BIG;
    object = answer(ask("status\n"));
    assert_int_equal(json_string_length(json_object_get(object, "status")), BIG);
    json_decref(object);
}

static void stopping_waits_for_what_is_being_done(void **state)
{
    int fd, silent = connect_to_it();

    (void)state;
    fd = ask("reload\n");
    wait_for(&begun, 1);
    control_stop();
    assert_int_equal(done, 1);
    assert_answered(fd, "ok");
    assert_left(silent);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(control_start(path));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_request_has_one_answer),
        TEST(a_request_may_come_in_pieces),
        TEST(who_only_says_no_more_is_answered),
        TEST(what_is_no_utf8_is_answered_all_the_same),
        TEST(silent_clients_keep_nobody_waiting),
        TEST(a_request_without_an_end_is_left),
        TEST(a_slow_reload_keeps_no_status_waiting),
        TEST(a_reload_that_nobody_waits_for_is_not_done),
        TEST(only_so_many_are_obeyed_at_once),
        TEST(an_answer_that_nobody_reads_is_given_up),
        TEST(a_big_answer_comes_whole),
        TEST(stopping_waits_for_what_is_being_done),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
