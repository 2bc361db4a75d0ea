/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heartbeat: what the service manager hears of a daemon that lives, and that it hears nothing of
 * one that does not. The daemon is a stand-in, and the test is the service manager.
 */
#include "config.h"

#include "daemon/heartbeat.h"

#include "check.h"

#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SILENT_LOOKS = 10 };

static char folder[64], path[96];
static int manager = -1;

/* --- The daemon ----------------------------------------------------------- */

static struct config *config;
static struct session_world world;
static atomic_bool refused, is_dumb;
static atomic_uint looks;

struct config *service_config(void)
{
    return config_get(config);
}

const struct session_world *service_world(void)
{
    return &world;
}

bool service_reload_refused(void)
{
    return refused;
}

void rb_verifier_stats(struct rb_verifier *verifier, struct rb_stats *stats)
{
    (void)verifier;
    (void)stats;
}

static bool filter_answered(void)
{
    atomic_fetch_add(&looks, 1);
    return !is_dumb;
}

/* --- The service manager -------------------------------------------------- */

static void hear(char *said, size_t size)
{
    const ssize_t n = recv(manager, said, size - 1, 0);

    assert_true(n > 0);
    said[n] = '\0';
}

static void await(const char *wanted)
{
    char said[1000];

    do
        hear(said, sizeof said);
    while (strstr(said, wanted) == NULL); /* ends: by the time-out of all tests */
}

static unsigned count_waiting(const char *wanted)
{
    char said[1000];
    unsigned count = 0;
    ssize_t n;

    while ((n = recv(manager, said, sizeof said - 1, MSG_DONTWAIT)) > 0) {
        said[n] = '\0';
        count += strstr(said, wanted) != NULL;
    }
    return count;
}

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test_heartbeat.XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/notify", folder);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(config_defaults(&config), RB_OK);
    config->dry_run = true;
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "20000", 1); /* four looks in that */
    refused = is_dumb = false;
    looks = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    config_put(config);
    close(manager);
    unlink(path);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    return rmdir(folder);
}

/* --- What is heard -------------------------------------------------------- */

static void it_says_how_it_does(void **state)
{
    (void)state;
    assert_true(heartbeat_start(filter_answered));
    await("STATUS=Dry run: nothing is refused; sessions open: 0; decisions: 0, refused: 0");
    metrics_session_began();
    metrics_decided(RB_REASON_NO_SUCH_USER, ACTION_REJECT);
    metrics_decided(RB_REASON_ACCEPTED, ACTION_ACCEPT);
    await("sessions open: 1; decisions: 2, refused: 1");
    refused = true;
    await("; the last reload was refused");
    heartbeat_stop();
}

static void who_lives_says_so_each_time(void **state)
{
    (void)state;
    assert_true(heartbeat_start(filter_answered));
    for (int i = 0; i < 5; i++)
        await("WATCHDOG=1");
    heartbeat_stop();
    assert_true(looks >= 5);
}

/* All that was said before the looks at which it was dumb is taken away. */
static void await_silence(void)
{
    const unsigned since = looks;

    while (looks < since + 2)
        check_pause();
    (void)count_waiting("");
    while (looks < since + SILENT_LOOKS)
        check_pause();
    assert_int_equal(count_waiting("WATCHDOG=1"), 0);
}

static void a_filter_that_does_not_answer_is_not_said_to_live(void **state)
{
    (void)state;
    assert_true(heartbeat_start(filter_answered));
    await("WATCHDOG=1");
    is_dumb = true;
    await_silence();
    is_dumb = false;
    await("WATCHDOG=1");
    heartbeat_stop();
}

static void where_nobody_listens_nothing_is_looked_at(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_true(heartbeat_start(filter_answered));
    heartbeat_stop();
    assert_int_equal(looks, 0);
    assert_int_equal(notify_watchdog_ms(), 0);
}

static void without_a_watchdog_the_filter_is_left_alone(void **state)
{
    (void)state;
    unsetenv("WATCHDOG_USEC");
    config->dry_run = false; /* what was told before is not told again */
    assert_true(heartbeat_start(filter_answered));
    await("STATUS=In force");
    heartbeat_stop();
    assert_int_equal(looks, 0);
}

/* --- What is told besides ------------------------------------------------- */

static void a_reload_is_told_while_the_daemon_serves(void **state)
{
    (void)state;
    notify_reloading();
    notify_reloaded();
    assert_int_equal(count_waiting(""), 0);
    notify_ready();
    await("READY=1");
    notify_reloading();
    await("RELOADING=1\nMONOTONIC_USEC=");
    notify_reloaded();
    await("READY=1");
    notify_ending();
    await("STOPPING=1");
    notify_reloading();
    notify_reloaded();
    assert_int_equal(count_waiting(""), 0);
}

static void a_status_is_one_line_and_told_once(void **state)
{
    (void)state;
    notify_status("x\nREADY=1\xff");
    notify_status("x\nREADY=1\xff");
    await("STATUS=x READY=1?");
    assert_int_equal(count_waiting(""), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(it_says_how_it_does),
        TEST(who_lives_says_so_each_time),
        TEST(a_filter_that_does_not_answer_is_not_said_to_live),
        TEST(where_nobody_listens_nothing_is_looked_at),
        TEST(without_a_watchdog_the_filter_is_left_alone),
        TEST(a_reload_is_told_while_the_daemon_serves),
        TEST(a_status_is_one_line_and_told_once),
    };

    return cmocka_run_group_tests_name("heartbeat", tests, NULL, NULL);
}
