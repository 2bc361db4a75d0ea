/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_peers: where our other hosts are, by a name server of the test's, and what comes of what they
 * say: mail hosts of the test's that know the verb, or do not.
 */
#include "config.h"

#include "extension/peers.h"

#include "check.h"

#include <pthread.h>
#include <stdio.h>

#include "session_rig.h"

#define YES "450 4.5.0 AYTTM yes"
#define MAYBE "450 4.5.0 AYTTM maybe"
#define NO "450 4.5.0 AYTTM no"
#define UNKNOWN "450 4.5.0 AYTTM unknown"

static const struct fake_dns_answer one[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer two[] = {{.type = ns_t_a, .data = "192.0.2.3"},
                                             {.type = ns_t_a, .data = "192.0.2.4"}};
static const struct fake_dns_row zone[] = {
    {.name = "one.example", .type = ns_t_a, .answers = one, .count = 1},
    {.name = "two.example", .type = ns_t_a, .answers = two, .count = 2},
};

static int set_up_with(void **state, const char *verb)
{
    const struct fake_host_options host = {.pipelining = true, .verb = verb};
    const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &host, .store = &host};

    peers_forget();
    return session_rig_set_up(state, &world);
}

static int set_up(void **state)
{
    return set_up_with(state, YES);
}

/* So that the configuration that it has is let go. */
static int tear_down(void **state)
{
    peers_forget();
    return session_rig_tear_down(state);
}

/* --- Where they are --------------------------------------------------------- */

static void begin(struct session_rig *f, const char *hosts)
{
    char text[256];

    (void)snprintf(text, sizeof text, "connect_back { answer = yes peers = { %s } }", hosts);
    session_rig_begin(f, text);
}

static bool has(const struct peers *peers, const char *text)
{
    char each[INET6_ADDRSTRLEN];

    for (size_t i = 0; i < peers->count; i++) {
        ip_text(&peers->addresses[i], each);
        if (strcmp(each, text) == 0)
            return true;
    }
    return false;
}

static void peers_are_where_their_names_and_addresses_say(void **state)
{
    struct session_rig *f = *state;
    struct peers peers;

    begin(f, "two.example, nowhere.example, 192.0.2.9, \"2001:db8::9\"");
    peers_find(&f->session, &peers);
    assert_int_equal(peers.count, 4);
    assert_true(has(&peers, "192.0.2.3") && has(&peers, "192.0.2.4"));
    assert_true(has(&peers, "192.0.2.9") && has(&peers, "2001:db8::9"));
}

static void they_are_looked_up_once_for_a_configuration(void **state)
{
    struct session_rig *f = *state;
    struct peers peers;

    begin(f, "two.example");
    for (int i = 0; i < 3; i++) {
        peers_find(&f->session, &peers);
        assert_int_equal(peers.count, 2);
    }
    assert_int_equal(session_rig_calls.waits, 1);
    begin(f, "one.example");
    peers_find(&f->session, &peers);
    assert_int_equal(peers.count, 1);
    assert_int_equal(session_rig_calls.waits, 2);
    begin(f, "");
    peers_find(&f->session, &peers);
    assert_int_equal(peers.count, 0);
    assert_int_equal(session_rig_calls.waits, 2);
}

/* --- What they say ---------------------------------------------------------- */

/* The word for a stranger's question. */
static enum verbs_word ask(struct session_rig *f, uint16_t sport, enum verbs_word own)
{
    struct verbs_ayttm question = {.sport = sport, .dport = 25, .has_addr = true};

    assert_true(ip_from_sockaddr((const struct sockaddr *)&f->session.client, &question.addr));
    return peers_ask(&f->session, &question, own);
}

static void the_most_that_any_peer_knows_is_said(void **state)
{
    static const struct {
        const char *said;
        enum verbs_word own, word;
    } table[] = {
        {YES, VERBS_NO, VERBS_YES},
        {YES, VERBS_UNKNOWN, VERBS_YES},
        {MAYBE, VERBS_NO, VERBS_MAYBE},
        {NO, VERBS_NO, VERBS_NO},
        {NO, VERBS_UNKNOWN, VERBS_UNKNOWN},
        {UNKNOWN, VERBS_NO, VERBS_UNKNOWN},
        {"502 5.5.2 What?", VERBS_NO, VERBS_UNKNOWN},
        {"421 4.3.0 Later", VERBS_NO, VERBS_UNKNOWN},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        struct session_rig *f;

        print_message("# %s\n", table[i].said);
        assert_int_equal(set_up_with(state, table[i].said), 0);
        f = *state;
        begin(f, "127.0.0.1");
        assert_int_equal(ask(f, 54321, table[i].own), table[i].word);
        assert_int_equal(session_rig_calls.waits, 1);
        assert_int_equal(fake_host_connections(f->host), 1);
        assert_int_equal(tear_down(state), 0);
    }
}

static void a_name_is_asked_where_it_is(void **state)
{
    struct session_rig *f = *state;

    begin(f, "one.example");
    assert_int_equal(ask(f, 54321, VERBS_NO), VERBS_YES);
    assert_int_equal(fake_host_connections(f->host), 1);
}

/* It would ask about connections to ourselves. */
static void without_a_port_nobody_is_asked(void **state)
{
    struct session_rig *f = *state;

    begin(f, "127.0.0.1");
    assert_int_equal(ask(f, 0, VERBS_NO), VERBS_UNKNOWN);
    assert_int_equal(fake_host_connections(f->host), 0);
    assert_int_equal(session_rig_calls.waits, 0);
}

static void who_cannot_be_reached_says_nothing(void **state)
{
    struct session_rig *f = *state;

    begin(f, "nowhere.example");
    assert_int_equal(ask(f, 54321, VERBS_NO), VERBS_UNKNOWN);
}

/* --- One question at a time -------------------------------------------------- */

struct asking {
    struct session_rig *f;
    pthread_t thread;
    enum verbs_word word;
};

static void *ask_in_thread(void *arg)
{
    struct asking *asking = arg;

    asking->word = ask(asking->f, 54321, VERBS_NO);
    return NULL;
}

/* Hosts that take each other for peers in a circle: the question comes back while it is asked. */
static void what_the_peers_are_asked_already_they_are_not_asked_again(void **state)
{
    static const struct fake_host_step steps[] = {{FAKE_HOST_SILENT, ""}};
    static const struct fake_host_script script = {steps, COUNT(steps)};
    static const struct fake_host_options silent = {.scripts = &script, .script_count = 1};
    static const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &silent, .store = &silent};
    struct asking asking = {.word = VERBS_NONE};

    assert_int_equal(session_rig_set_up(state, &world), 0);
    asking.f = *state;
    begin(asking.f, "127.0.0.1");
    assert_int_equal(pthread_create(&asking.thread, NULL, ask_in_thread, &asking), 0);
    while (fake_host_connections(asking.f->host) == 0)
        check_pause();
    assert_int_equal(ask(asking.f, 54321, VERBS_NO), VERBS_UNKNOWN);
    assert_int_equal(session_rig_calls.waits, 1);
    assert_int_equal(fake_host_connections(asking.f->host), 1);
    assert_int_equal(pthread_join(asking.thread, NULL), 0);
    assert_int_equal(asking.word, VERBS_UNKNOWN); /* PEERS_MS are over */
    assert_int_equal(tear_down(state), 0);
}

/* Nobody waits for the other, who says nothing for longer than PEERS_MS. */
static void a_yes_is_enough(void **state)
{
    static const struct fake_host_step steps[] = {{FAKE_HOST_SILENT, ""}};
    static const struct fake_host_script script = {steps, COUNT(steps)};
    static const struct fake_host_options silent = {.scripts = &script, .script_count = 1};
    struct session_rig *f = *state;
    struct fake_host_options other_host = silent;
    struct fake_host *host;

    begin(f, "127.0.0.3, one.example");
    other_host.ip = "127.0.0.3";
    other_host.port = fake_host_port(f->host);
    host = fake_host_start(&other_host);
    assert_int_equal(ask(f, 54321, VERBS_NO), VERBS_YES);
    assert_int_equal(fake_host_open(host), fake_host_connections(host)); /* it still waits */
    fake_host_stop(host);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(peers_are_where_their_names_and_addresses_say),
        T(they_are_looked_up_once_for_a_configuration),
        cmocka_unit_test(the_most_that_any_peer_knows_is_said),
        T(a_name_is_asked_where_it_is),
        T(without_a_port_nobody_is_asked),
        T(who_cannot_be_reached_says_nothing),
        cmocka_unit_test(what_the_peers_are_asked_already_they_are_not_asked_again),
        T(a_yes_is_enough),
    };

    return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
