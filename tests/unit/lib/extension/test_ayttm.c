/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ayttm: who is told what, row by row, by a table of sockets that the test writes. */
#include "config.h"

#include "check.h"
#include "extension/ayttm.h"

enum {
    MTA = 101, /* a user that sends mail */
    ROOT = 0,
    WEB = 33, /* one that should not */
    SOCKETS_MAX = 4,
    TIMEOUT_MS = 1234,
};

#define US "192.0.2.1"
#define ASKER "198.51.100.7"
#define OTHER "198.51.100.8" /* another address of the asker's, or of somebody */
#define PEER "192.0.2.2"

enum kind { NO_SOCKET = 0, ESTABLISHED, CLOSING, ORPHAN /* closing, of nobody */, UNSEEN };

/* A socket as the kernel has it. UNSEEN: established, of an owner that it does not show. */
struct row {
    enum kind kind;
    uint16_t sport;
    const char *addr;
    uint16_t dport;
    uid_t uid;
};

static const struct row *table;
static bool table_works;
static unsigned looks;

static struct ip ip(const char *text)
{
    struct sockaddr_storage address;
    struct ip ip;

    assert_true(ip_sockaddr_parse(text, &address));
    assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &ip));
    return ip;
}

static bool find(const struct sockets_filter *filter, int timeout_ms, sockets_see *see, void *arg)
{
    bool more = true;

    assert_int_equal(timeout_ms, TIMEOUT_MS);
    assert_int_not_equal(filter->dport, 0);
    looks++;
    for (size_t i = 0; more && i < SOCKETS_MAX && table[i].kind != NO_SOCKET; i++) {
        const struct row *row = &table[i];
        const struct ip addr = ip(row->addr);
        const struct sockets_socket socket = {
            .sport = row->sport,
            .established = row->kind == ESTABLISHED || row->kind == UNSEEN,
            .owned = row->kind == ESTABLISHED || row->kind == CLOSING,
            .uid = row->kind == UNSEEN ? 65534 : row->uid,
        };

        if (ip_is_same(&addr, &filter->addr) && row->dport == filter->dport &&
            (filter->any_sport || row->sport == filter->sport))
            more = see(arg, &socket);
    }
    return table_works;
}

/* --- One question each ----------------------------------------------------------- */

struct question {
    const char *title;
    const char *asker;
    uint16_t sport, dport;
    const char *addr; /* NULL: not given */
    struct row table[SOCKETS_MAX];
    bool complete;
    enum verbs_word word;
};

static const uid_t users[] = {ROOT, MTA};

static struct verbs_ayttm said(const struct question *question)
{
    struct verbs_ayttm said = {.sport = question->sport, .dport = question->dport};

    said.has_addr = question->addr != NULL;
    if (said.has_addr)
        said.addr = ip(question->addr);
    return said;
}

static struct ayttm_answer answer(const struct ayttm_settings *settings,
                                  const struct question *question)
{
    const struct ip asker = ip(question->asker);
    const struct verbs_ayttm asked = said(question);

    table = question->table;
    table_works = true;
    looks = 0;
    return ayttm_answer(settings, &asker, &asked);
}

static struct ayttm_settings plain(bool complete)
{
    return (struct ayttm_settings){.users = users,
                                   .user_count = COUNT(users),
                                   .complete = complete,
                                   .find = find,
                                   .find_timeout_ms = TIMEOUT_MS};
}

static void assert_answers(const struct question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct ayttm_settings settings = plain(questions[i].complete);
        const struct ayttm_answer answered = answer(&settings, &questions[i]);

        if (answered.word != questions[i].word)
            fail_msg("%s: %s", questions[i].title, verbs_word_name(answered.word));
        assert_false(answered.ask_peers);
    }
}

static void whose_connection_is_there_is_told(void **state)
{
    static const struct question questions[] = {
        {"the very connection",
         ASKER,
         5000,
         25,
         ASKER,
         {{ESTABLISHED, 5000, ASKER, 25, MTA}},
         true,
         VERBS_YES},
        {"of any of the users",
         ASKER,
         5000,
         25,
         ASKER,
         {{ESTABLISHED, 5000, ASKER, 25, ROOT}},
         true,
         VERBS_YES},
        {"address not given",
         ASKER,
         5000,
         25,
         NULL,
         {{ESTABLISHED, 5000, ASKER, 25, MTA}},
         true,
         VERBS_YES},
        {"another port of theirs",
         ASKER,
         5000,
         2525,
         NULL,
         {{ESTABLISHED, 5000, ASKER, 2525, MTA}},
         true,
         VERBS_YES},
        {"IPv6",
         "2001:db8::7",
         5000,
         25,
         "2001:db8::7",
         {{ESTABLISHED, 5000, "2001:db8::7", 25, MTA}},
         true,
         VERBS_YES},
        {"v4-mapped is IPv4",
         "::ffff:" ASKER,
         5000,
         25,
         ASKER,
         {{ESTABLISHED, 5000, ASKER, 25, MTA}},
         true,
         VERBS_YES},
        {"called at one address, asks from another",
         ASKER,
         5000,
         25,
         OTHER,
         {{ESTABLISHED, 5000, OTHER, 25, MTA}},
         true,
         VERBS_YES},
        {"behind others",
         ASKER,
         5000,
         25,
         NULL,
         {{ESTABLISHED, 5001, ASKER, 25, WEB},
          {ORPHAN, 5000, ASKER, 25, 0},
          {ESTABLISHED, 5000, ASKER, 25, WEB},
          {ESTABLISHED, 5000, ASKER, 25, MTA}},
         true,
         VERBS_YES},
        {"none, complete", ASKER, 5000, 25, NULL, {{NO_SOCKET, 0, NULL, 0, 0}}, true, VERBS_NO},
        {"none", ASKER, 5000, 25, NULL, {{NO_SOCKET, 0, NULL, 0, 0}}, false, VERBS_UNKNOWN},
        {"to another port",
         ASKER,
         5000,
         25,
         NULL,
         {{ESTABLISHED, 5000, ASKER, 587, MTA}},
         true,
         VERBS_NO},
        {"to somebody else",
         ASKER,
         5000,
         25,
         NULL,
         {{ESTABLISHED, 5000, OTHER, 25, MTA}},
         true,
         VERBS_NO},
    };

    (void)state;
    assert_answers(questions, COUNT(questions));
}

/* clang-format off */
static void a_connection_that_nat_has_changed_may_be_it(void **state)
{
    static const struct question questions[] = {
        {"from another port", ASKER, 5000, 25, ASKER,
         {{ESTABLISHED, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"address not given", ASKER, 5000, 25, NULL,
         {{ESTABLISHED, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"of a user that sends no mail", ASKER, 5000, 25, NULL,
         {{ESTABLISHED, 6000, ASKER, 25, WEB}}, true, VERBS_NO},
        {"they are behind NAT, and say what they are called there", "9.9.9.9", 5000, 25, "10.0.0.1",
         {{ESTABLISHED, 5000, "9.9.9.9", 25, MTA}}, true, VERBS_YES},
        {"both are", "9.9.9.9", 5000, 25, "10.0.0.1",
         {{ESTABLISHED, 6000, "9.9.9.9", 25, MTA}}, true, VERBS_MAYBE},
        {"both are private: called by what it says", "10.0.0.2", 5000, 25, "10.0.0.1",
         {{ESTABLISHED, 5000, "10.0.0.2", 25, MTA}}, true, VERBS_NO},
    };

    (void)state;
    assert_answers(questions, COUNT(questions));
}

static void where_the_verb_stands_alone_any_connection_may_be_it(void **state)
{
    static const struct question questions[] = {
        {"a connection", ASKER, 0, 0, NULL,
         {{ESTABLISHED, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"one that ends", ASKER, 0, 0, NULL, {{CLOSING, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"one that has ended", ASKER, 0, 0, NULL,
         {{ORPHAN, 6000, ASKER, 25, 0}}, true, VERBS_MAYBE},
        {"of a user that sends no mail", ASKER, 0, 0, NULL,
         {{ESTABLISHED, 6000, ASKER, 25, WEB}}, true, VERBS_NO},
        {"to another port", ASKER, 0, 0, NULL,
         {{ESTABLISHED, 6000, ASKER, 587, MTA}}, true, VERBS_NO},
        {"none", ASKER, 0, 0, NULL, {{NO_SOCKET, 0, NULL, 0, 0}}, true, VERBS_NO},
        {"none, not complete", ASKER, 0, 0, NULL,
         {{NO_SOCKET, 0, NULL, 0, 0}}, false, VERBS_UNKNOWN},
        {"only our port is not known", ASKER, 0, 25, ASKER,
         {{ESTABLISHED, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
    };

    (void)state;
    assert_answers(questions, COUNT(questions));
}

static void what_ends_may_have_been_it(void **state)
{
    static const struct question questions[] = {
        {"closing, its owner still there", ASKER, 5000, 25, NULL,
         {{CLOSING, 5000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"closing, its owner gone", ASKER, 5000, 25, NULL,
         {{ORPHAN, 5000, ASKER, 25, 0}}, true, VERBS_MAYBE},
        {"closing, of a user that sends no mail", ASKER, 5000, 25, NULL,
         {{CLOSING, 5000, ASKER, 25, WEB}}, true, VERBS_NO},
        {"to another address, its owner gone", ASKER, 5000, 25, OTHER,
         {{ORPHAN, 5000, OTHER, 25, 0}}, true, VERBS_MAYBE},
        {"from another port, its owner still there", ASKER, 5000, 25, NULL,
         {{CLOSING, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"from another port, its owner gone", ASKER, 5000, 25, NULL,
         {{ORPHAN, 6000, ASKER, 25, 0}}, true, VERBS_NO},
    };

    (void)state;
    assert_answers(questions, COUNT(questions));
}

static void users_that_send_no_mail_are_found_out(void **state)
{
    static const struct question questions[] = {
        {"his connection", ASKER, 5000, 25, NULL,
         {{ESTABLISHED, 5000, ASKER, 25, WEB}}, true, VERBS_NO},
        {"his connection, not complete", ASKER, 5000, 25, NULL,
         {{ESTABLISHED, 5000, ASKER, 25, WEB}}, false, VERBS_UNKNOWN},
        {"beside one of the MTA's", ASKER, 5000, 25, NULL,
         {{ESTABLISHED, 6000, ASKER, 25, MTA}, {ESTABLISHED, 5000, ASKER, 25, WEB}},
         true, VERBS_NO},
        {"an owner that is not shown may be the MTA", ASKER, 5000, 25, NULL,
         {{UNSEEN, 5000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"behind NAT too", ASKER, 5000, 25, NULL,
         {{UNSEEN, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
    };

    (void)state;
    assert_answers(questions, COUNT(questions));
}

static void of_another_address_only_who_knows_the_port_is_told(void **state)
{
    static const struct question questions[] = {
        {"wrong port", ASKER, 5000, 25, OTHER,
         {{ESTABLISHED, 6000, OTHER, 25, MTA}}, true, VERBS_NO},
        {"wrong port, not complete", ASKER, 5000, 25, OTHER,
         {{ESTABLISHED, 6000, OTHER, 25, MTA}}, false, VERBS_UNKNOWN},
        {"no port", ASKER, 0, 25, OTHER,
         {{ESTABLISHED, 6000, OTHER, 25, MTA}}, true, VERBS_UNKNOWN},
        {"a connection to the asker counts no more then", ASKER, 5000, 25, OTHER,
         {{ESTABLISHED, 5000, ASKER, 25, MTA}}, true, VERBS_NO},
    };

    (void)state;
    assert_answers(questions, COUNT(questions));
    assert_int_equal(looks, 1);
}
/* clang-format on */

static void without_a_port_another_address_is_not_even_looked_for(void **state)
{
    const struct question question = {"", ASKER, 0, 25, OTHER, {{0}}, true, VERBS_UNKNOWN};
    const struct ip peer = ip(PEER);
    struct ayttm_settings settings = plain(true);
    struct ayttm_answer answered;

    (void)state;
    settings.peers = &peer;
    settings.peer_count = 1;
    answered = answer(&settings, &question);
    assert_int_equal(answered.word, VERBS_UNKNOWN);
    assert_false(answered.ask_peers);
    assert_int_equal(looks, 0);
}

static void where_the_kernel_says_nothing_nothing_is_denied(void **state)
{
    static const struct question none = {"", ASKER, 5000, 25, NULL, {{0}}, true, VERBS_UNKNOWN};
    static const struct question some = {
        "", ASKER, 5000, 25, NULL, {{ESTABLISHED, 6000, ASKER, 25, MTA}}, true, VERBS_UNKNOWN};
    static const struct question it = {
        "", ASKER, 5000, 25, NULL, {{ESTABLISHED, 5000, ASKER, 25, MTA}}, true, VERBS_UNKNOWN};
    const struct ayttm_settings settings = plain(true);
    const struct ip asker = ip(ASKER);
    const struct verbs_ayttm asked = said(&none);

    (void)state;
    table_works = false;
    table = none.table;
    assert_int_equal(ayttm_answer(&settings, &asker, &asked).word, VERBS_UNKNOWN);
    table = some.table; /* what it did say is true */
    assert_int_equal(ayttm_answer(&settings, &asker, &asked).word, VERBS_MAYBE);
    table = it.table;
    assert_int_equal(ayttm_answer(&settings, &asker, &asked).word, VERBS_YES);
}

static void without_users_nothing_is_denied(void **state)
{
    static const struct question question = {
        "", ASKER, 5000, 25, NULL, {{ESTABLISHED, 5000, ASKER, 25, MTA}}, true, VERBS_UNKNOWN};
    struct ayttm_settings settings = plain(true);

    (void)state;
    settings.user_count = 0;
    assert_int_equal(answer(&settings, &question).word, VERBS_UNKNOWN);
}

/* --- Peers ------------------------------------------------------------------------ */

static void peers_are_asked_for_what_is_not_here(void **state)
{
    static const struct {
        struct question question;
        bool ask;
        const char *line;
    } cases[] = {
        {{"none", ASKER, 5000, 25, ASKER, {{0}}, true, VERBS_NO}, true, "AYTTM-5000-25-c6336407"},
        {{"not complete", ASKER, 5000, 25, NULL, {{0}}, false, VERBS_UNKNOWN},
         true,
         "AYTTM-5000-25-c6336407"},
        {{"another address", ASKER, 5000, 2525, OTHER, {{0}}, true, VERBS_NO},
         true,
         "AYTTM-5000-2525-c6336408"},
        {{"the verb alone", ASKER, 0, 0, NULL, {{0}}, true, VERBS_NO}, true, "AYTTM-0-25-c6336407"},
        {{"it is ours",
          ASKER,
          5000,
          25,
          NULL,
          {{ESTABLISHED, 5000, ASKER, 25, MTA}},
          true,
          VERBS_YES},
         false,
         NULL},
        {{"it may be",
          ASKER,
          5000,
          25,
          NULL,
          {{ESTABLISHED, 1, ASKER, 25, MTA}},
          true,
          VERBS_MAYBE},
         false,
         NULL},
        {{"a peer asks", PEER, 5000, 25, ASKER, {{0}}, true, VERBS_NO}, false, NULL},
        {{"a peer asks, not complete", PEER, 5000, 25, ASKER, {{0}}, false, VERBS_UNKNOWN},
         false,
         NULL},
    };
    const struct ip peers[] = {ip("192.0.2.3"), ip(PEER)};
    char line[VERBS_AYTTM_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ayttm_settings settings = plain(cases[i].question.complete);
        struct ayttm_answer answered;

        settings.peers = peers;
        settings.peer_count = COUNT(peers);
        answered = answer(&settings, &cases[i].question);
        if (answered.word != cases[i].question.word || answered.ask_peers != cases[i].ask)
            fail_msg("%s", cases[i].question.title);
        if (!cases[i].ask)
            continue;
        (void)verbs_ayttm_write(&answered.to_peers, line);
        assert_string_equal(line, cases[i].line);
    }
}

static void a_peer_is_told_as_the_asker_would_be(void **state)
{
    static const struct question questions[] = {
        {"it", PEER, 5000, 25, ASKER, {{ESTABLISHED, 5000, ASKER, 25, MTA}}, true, VERBS_YES},
        {"NAT", PEER, 5000, 25, ASKER, {{ESTABLISHED, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"no port", PEER, 0, 25, ASKER, {{ESTABLISHED, 6000, ASKER, 25, MTA}}, true, VERBS_MAYBE},
        {"ended", PEER, 5000, 25, ASKER, {{ORPHAN, 5000, ASKER, 25, 0}}, true, VERBS_MAYBE},
        {"none", PEER, 5000, 25, ASKER, {{ESTABLISHED, 5000, OTHER, 25, MTA}}, true, VERBS_NO},
    };
    const struct ip peer = ip(PEER);
    struct ayttm_settings settings = plain(true);

    (void)state;
    settings.peers = &peer;
    settings.peer_count = 1;
    for (size_t i = 0; i < COUNT(questions); i++) {
        const struct ayttm_answer answered = answer(&settings, &questions[i]);

        if (answered.word != questions[i].word || answered.ask_peers)
            fail_msg("%s: %s", questions[i].title, verbs_word_name(answered.word));
    }
}

static void it_takes_all_of_them_to_deny(void **state)
{
    static const struct {
        enum verbs_word own, peers[3], word;
    } cases[] = {
        {VERBS_NO, {VERBS_NO, VERBS_NO, VERBS_NO}, VERBS_NO},
        {VERBS_NO, {VERBS_NO, VERBS_YES, VERBS_MAYBE}, VERBS_YES},
        {VERBS_NO, {VERBS_NO, VERBS_MAYBE, VERBS_NO}, VERBS_MAYBE},
        {VERBS_NO, {VERBS_NO, VERBS_UNKNOWN, VERBS_NO}, VERBS_UNKNOWN},
        {VERBS_NO, {VERBS_NO, VERBS_NO, VERBS_NONE}, VERBS_UNKNOWN},
        {VERBS_NO, {VERBS_NONE, VERBS_NONE, VERBS_YES}, VERBS_YES},
        {VERBS_UNKNOWN, {VERBS_NO, VERBS_NO, VERBS_NO}, VERBS_UNKNOWN},
        {VERBS_UNKNOWN, {VERBS_NO, VERBS_NO, VERBS_YES}, VERBS_YES},
        {VERBS_MAYBE, {VERBS_NO, VERBS_NO, VERBS_NO}, VERBS_MAYBE},
        {VERBS_YES, {VERBS_NO, VERBS_NONE, VERBS_NO}, VERBS_YES},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(ayttm_conclude(cases[i].own, cases[i].peers, 3), cases[i].word);
    assert_int_equal(ayttm_conclude(VERBS_NO, NULL, 0), VERBS_NO);
    assert_int_equal(ayttm_conclude(VERBS_UNKNOWN, NULL, 0), VERBS_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_connection_is_there_is_told),
        cmocka_unit_test(a_connection_that_nat_has_changed_may_be_it),
        cmocka_unit_test(where_the_verb_stands_alone_any_connection_may_be_it),
        cmocka_unit_test(what_ends_may_have_been_it),
        cmocka_unit_test(users_that_send_no_mail_are_found_out),
        cmocka_unit_test(of_another_address_only_who_knows_the_port_is_told),
        cmocka_unit_test(without_a_port_another_address_is_not_even_looked_for),
        cmocka_unit_test(where_the_kernel_says_nothing_nothing_is_denied),
        cmocka_unit_test(without_users_nothing_is_denied),
        cmocka_unit_test(peers_are_asked_for_what_is_not_here),
        cmocka_unit_test(a_peer_is_told_as_the_asker_would_be),
        cmocka_unit_test(it_takes_all_of_them_to_deny),
    };

    return cmocka_run_group_tests_name("ayttm", tests, NULL, NULL);
}
