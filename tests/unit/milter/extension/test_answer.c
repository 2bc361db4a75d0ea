/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_answer: what an unknown command line is answered, by a table of sockets and by peers that the
 * test stands in for: whether anything is looked at, how often, and what is counted and logged.
 */
#include "config.h"

#include "extension/answer.h"

#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include "base/ip.h"
#include "daemon/metrics.h"
#include "extension/peers.h"
#include "extension/sockets.h"
#include "session_rig.h"

#define ASKER SESSION_RIG_CLIENT
#define ASKED_ABOUT "AYTTM-54321-25"
#define ON "connect_back { answer = yes answer_users = { \"101\" } } "
#define ON_WITH_PEERS                                                                              \
    "connect_back { answer = yes answer_users = { \"101\" } peers = { 192.0.2.2 } } "

/* --- Stand-ins -------------------------------------------------------------- */

static struct {
    uint16_t sport; /* an established connection of user 101's to ASKER:25; 0: none */
    bool works;
    unsigned looks;
} table;

static struct {
    const char *address; /* NULL: there are none */
    enum verbs_word word;
    unsigned asked;
    struct verbs_ayttm question;
} peer;

static struct ip ip_of(const char *text)
{
    struct sockaddr_storage address;
    struct ip ip;

    assert_true(ip_sockaddr_parse(text, &address));
    assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &ip));
    return ip;
}

bool sockets_find(const struct sockets_filter *filter, int timeout_ms, sockets_see *see, void *arg)
{
    const struct sockets_socket socket = {
        .sport = table.sport, .established = true, .owned = true, .uid = 101};
    const struct ip there = ip_of(ASKER);

    table.looks++;
    assert_true(timeout_ms > 0 && timeout_ms <= 1000);
    if (table.sport != 0 && filter->dport == 25 && ip_is_same(&filter->addr, &there) &&
        (filter->any_sport || filter->sport == table.sport))
        (void)see(arg, &socket);
    return table.works;
}

bool sockets_sees_owner(uid_t uid)
{
    (void)uid;
    return true;
}

void peers_find(const struct session *session, struct peers *peers)
{
    (void)session;
    peers->count = peer.address != NULL;
    if (peer.address != NULL)
        peers->addresses[0] = ip_of(peer.address);
}

enum verbs_word peers_ask(const struct session *session, const struct verbs_ayttm *question,
                          enum verbs_word own)
{
    (void)session;
    assert_true(own == VERBS_NO || own == VERBS_UNKNOWN);
    peer.asked++;
    peer.question = *question;
    return peer.word;
}

/* --- Asking ----------------------------------------------------------------- */

static int set_up(void **state)
{
    static const struct fake_host_options nobody = {.pipelining = true};
    static const struct session_rig_world world = {.host = &nobody, .store = &nobody};

    memset(&table, 0, sizeof table);
    memset(&peer, 0, sizeof peer);
    table.works = true;
    answer_forget();
    return session_rig_set_up(state, &world);
}

/* The text of the answer; NULL: the MTA's own. */
static const char *ask_again(struct session_rig *f, bool *answered, const char *line)
{
    static struct smtp_reply reply;

    if (!answer_command(&f->session, answered, line, &reply))
        return NULL;
    assert_string_equal(reply.code, "450");
    assert_string_equal(reply.enhanced, "4.5.0");
    return reply.text;
}

static const char *ask(struct session_rig *f, const char *line)
{
    bool answered = false;

    return ask_again(f, &answered, line);
}

static void is_told(struct session_rig *f, const char *line, const char *text)
{
    const char *told = ask(f, line);

    print_message("# %s\n", line);
    assert_non_null(told);
    assert_string_equal(told, text);
}

/* --- Words ------------------------------------------------------------------ */

static void who_asks_is_told_what_the_sockets_say(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, ON);
    table.sport = 54321;
    is_told(f, "AYTTM-54321-25", "AYTTM yes");
    is_told(f, "AYTTM-54321-25-c0000201", "AYTTM unknown"); /* of 192.0.2.1, it is not */
    is_told(f, "AYTTM-54321-25-c6336407", "AYTTM yes");
    is_told(f, "ayttm 54321 25", "AYTTM yes");
    is_told(f, "AYTTM-54320-25", "AYTTM maybe");
    is_told(f, "AYTTM", "AYTTM maybe");
    is_told(f, "AYTTM-54321-26", "AYTTM unknown");
    table.sport = 0;
    is_told(f, "AYTTM-54321-25", "AYTTM unknown");
    session_rig_begin(f, "connect_back { answer = yes answer_users = { \"101\" } complete = yes }");
    is_told(f, "AYTTM-54321-25", "AYTTM no");
    is_told(f, "AYTTM", "AYTTM no");
    table.works = false;
    is_told(f, "AYTTM-54321-25", "AYTTM unknown");
    session_rig_begin(f, "connect_back { answer = yes answer_users = { } complete = yes }");
    table.works = true;
    is_told(f, "AYTTM-54321-25", "AYTTM unknown");
    session_rig_begin(f, "connect_back { answer = yes answer_users = { \"102\" } complete = yes }");
    table.sport = 54321;
    is_told(f, "AYTTM-54321-25", "AYTTM no"); /* a user who sends no mail */
}

static void a_client_of_ipv6_is_told_too(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin_from(f, session_rig_client("2001:db8::7"), ON);
    is_told(f, "AYTTM-54321-25-20010db8000000000000000000000007", "AYTTM unknown");
    /* v4-mapped, as a listener of both families has it */
    session_rig_begin_from(f, session_rig_client("::ffff:" ASKER), ON);
    table.sport = 54321;
    is_told(f, "AYTTM-54321-25", "AYTTM yes");
}

/* --- Peers ------------------------------------------------------------------ */

static void peers_are_asked_where_this_host_does_not_know(void **state)
{
    struct session_rig *f = *state;

    peer.address = "192.0.2.2";
    peer.word = VERBS_YES;
    session_rig_begin(f, ON_WITH_PEERS);
    is_told(f, ASKED_ABOUT, "AYTTM yes");
    assert_int_equal(peer.asked, 1);
    assert_int_equal(peer.question.sport, 54321);
    assert_int_equal(peer.question.dport, 25);
    assert_true(peer.question.has_addr);
    assert_true(ip_is_same(&peer.question.addr, &(struct ip[]){ip_of(ASKER)}[0]));
    table.sport = 54321;
    is_told(f, ASKED_ABOUT, "AYTTM yes");
    assert_int_equal(peer.asked, 1);
    table.sport = 0;
    peer.word = VERBS_MAYBE;
    is_told(f, ASKED_ABOUT, "AYTTM maybe");
    peer.word = VERBS_NO;
    is_told(f, ASKED_ABOUT, "AYTTM no");
}

/* A stranger who names another's address learns nothing by way of peers but what it knew. */
static void of_other_addresses_peers_tell_strangers_yes_alone(void **state)
{
    struct session_rig *f = *state;

    peer.address = "192.0.2.2";
    session_rig_begin(f, ON_WITH_PEERS);
    peer.word = VERBS_MAYBE;
    is_told(f, "AYTTM-54321-25-cb007109", "AYTTM unknown");
    peer.word = VERBS_YES;
    is_told(f, "AYTTM-54321-25-cb007109", "AYTTM yes");
    assert_int_equal(peer.asked, 2);
}

static void a_peer_s_question_goes_to_no_peer(void **state)
{
    struct session_rig *f = *state;

    peer.address = ASKER;
    session_rig_begin(f, ON_WITH_PEERS);
    is_told(f, "AYTTM-54321-25-cb007109", "AYTTM unknown");
    assert_int_equal(table.looks, 1);
    assert_int_equal(peer.asked, 0);
}

/* --- What is not answered --------------------------------------------------- */

static void other_verbs_are_the_mta_s(void **state)
{
    static const char *const lines[] = {
        "",           "AYTT",
        "AYTTMX",     "XAYTTM-1-25",
        "SOURCE-abc", "HOSTKEY",
        "GET /",      "AYTTM-",
        "AYTTM-1",    "AYTTM-1-2-3-4",
        "AYTTM-a-25", "AYTTM-1-66000",
        "-",          "AYTTM-1-25-c000020",
        "\xff\xfe",
    };
    struct session_rig *f = *state;

    session_rig_begin(f, ON);
    for (size_t i = 0; i < COUNT(lines); i++) {
        print_message("# %s\n", lines[i]);
        assert_null(ask(f, lines[i]));
    }
    assert_int_equal(table.looks, 0);
    assert_int_equal(session_rig_calls.waits, 0);
}

static void it_is_off_unless_it_is_on(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin(f, "");
    assert_null(ask(f, ASKED_ABOUT));
    assert_false(answer_is_for(&f->session));
    assert_int_equal(table.looks, 0);
}

static void one_question_a_connection_is_answered(void **state)
{
    struct session_rig *f = *state;
    bool answered = false;

    session_rig_begin(f, ON);
    assert_null(ask_again(f, &answered, "NOSUCH"));
    assert_non_null(ask_again(f, &answered, ASKED_ABOUT));
    assert_null(ask_again(f, &answered, ASKED_ABOUT));
    assert_int_equal(table.looks, 1);
    answered = false;
    assert_null(ask_again(f, &answered, "AYTTM-nonsense"));
    assert_null(ask_again(f, &answered, ASKED_ABOUT));
    assert_int_equal(table.looks, 1);
}

static void a_client_that_is_not_known_is_not_answered(void **state)
{
    struct session_rig *f = *state;

    session_rig_begin_from(f, NULL, ON);
    assert_null(ask(f, ASKED_ABOUT));
    assert_false(answer_is_for(&f->session));
    session_rig_begin_from(f, session_rig_client("127.0.0.1"), ON);
    assert_false(answer_is_for(&f->session));
    session_rig_begin_from(f, session_rig_client("::1"), ON);
    assert_false(answer_is_for(&f->session));
    session_rig_begin(f, ON);
    assert_true(answer_is_for(&f->session));
}

/* --- Abuse ------------------------------------------------------------------ */

static void a_client_above_its_rate_is_told_unknown_and_nothing_is_looked_at(void **state)
{
    const uint64_t limited = metrics_answers_limited(), unknown = metrics_answers(VERBS_UNKNOWN);
    struct session_rig *f = *state;

    table.sport = 54321;
    session_rig_begin(f, ON "limits { per_client_rate = \"3/d\" }");
    for (unsigned i = 0; i < 3; i++)
        is_told(f, ASKED_ABOUT, "AYTTM yes");
    for (unsigned i = 0; i < 100; i++)
        is_told(f, ASKED_ABOUT, "AYTTM unknown");
    assert_int_equal(table.looks, 3);
    assert_int_equal(session_rig_calls.waits, 3);
    assert_int_equal(metrics_answers_limited() - limited, 100);
    assert_int_equal(metrics_answers(VERBS_UNKNOWN) - unknown, 100);
    session_rig_begin_from(f, session_rig_client("198.51.100.8"),
                           ON "limits { per_client_rate = \"3/d\" }");
    is_told(f, ASKED_ABOUT, "AYTTM unknown"); /* there is no such connection, which was looked at */
    assert_int_equal(table.looks, 4);
    assert_int_equal(metrics_answers_limited() - limited, 100);
}

static void all_clients_together_have_a_rate_that_peers_are_not_in(void **state)
{
    struct session_rig *f = *state;
    char client[32];

    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(client, sizeof client, "203.0.113.%u", i);
        session_rig_begin_from(f, session_rig_client(client),
                               ON "limits { global_rate = \"5/d\" }");
        is_told(f, ASKED_ABOUT, "AYTTM unknown");
    }
    assert_int_equal(table.looks, 5);
    peer.address = ASKER;
    session_rig_begin(f,
                      ON_WITH_PEERS "limits { global_rate = \"5/d\" per_client_rate = \"1/d\" }");
    for (unsigned i = 0; i < 4; i++)
        is_told(f, ASKED_ABOUT, "AYTTM unknown");
    assert_int_equal(table.looks, 9);
}

/* --- The log ---------------------------------------------------------------- */

static char log_text[65536];

/* What is logged while so many clients ask. */
static const char *logged_by(struct session_rig *f, unsigned count, const char *line)
{
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    size_t len;

    assert_true(file != NULL && kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    while (count-- > 0)
        (void)ask(f, line);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    rewind(file);
    len = fread(log_text, 1, sizeof log_text - 1, file);
    log_text[len] = '\0';
    (void)fclose(file);
    return log_text;
}

static unsigned lines_of(const char *text)
{
    unsigned count = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        count++;
    return count;
}

static void an_answer_is_a_line_of_the_log(void **state)
{
    struct session_rig *f = *state;

    table.sport = 54321;
    session_rig_begin(f, ON "limits { per_client_rate = \"2/d\" }");
    assert_non_null(strstr(logged_by(f, 1, ASKED_ABOUT),
                           ": answer=AYTTM client=" ASKER " word=yes sport=54321 dport=25\n"));
    assert_non_null(strstr(logged_by(f, 1, "AYTTM"), " word=maybe sport=0 dport=0\n"));
    assert_non_null(
        strstr(logged_by(f, 1, ASKED_ABOUT), " word=unknown sport=54321 dport=25 rule=rate\n"));
    assert_string_equal(logged_by(f, 1, "NOSUCH"), "");
}

/* However many ask, and however slow the machine is: less than all, ten of them at once. */
static void a_flood_does_not_fill_the_log(void **state)
{
    struct session_rig *f = *state;
    unsigned lines;

    session_rig_begin(f, ON "limits { per_client_rate = \"1/d\" }");
    lines = lines_of(logged_by(f, 500, ASKED_ABOUT));
    assert_true(lines >= 10 && lines < 500);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_asks_is_told_what_the_sockets_say),
        T(a_client_of_ipv6_is_told_too),
        T(peers_are_asked_where_this_host_does_not_know),
        T(of_other_addresses_peers_tell_strangers_yes_alone),
        T(a_peer_s_question_goes_to_no_peer),
        T(other_verbs_are_the_mta_s),
        T(it_is_off_unless_it_is_on),
        T(one_question_a_connection_is_answered),
        T(a_client_that_is_not_known_is_not_answered),
        T(a_client_above_its_rate_is_told_unknown_and_nothing_is_looked_at),
        T(all_clients_together_have_a_rate_that_peers_are_not_in),
        T(an_answer_is_a_line_of_the_log),
        T(a_flood_does_not_fill_the_log),
    };

    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
