/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: what is told of a transaction is what is done with it, and telling it leaves no trace:
 * nobody is called, nothing is counted, no client is held to what was only thought of.
 */
#include "config.h"

#include "session/explain.h"

#include "check.h"

#include "session/guessers.h"
#include "daemon/metrics.h"
#include "session_rig.h"
#include "base/json.h"

#include <stdio.h>
#include <sys/stat.h>

/* --- The world ------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};
static const struct fake_dns_answer strict[] = {
    {.type = ns_t_txt, .data = "v=spf1 ip4:203.0.113.1 -all"}};

static const struct fake_dns_answer soft[] = {
    {.type = ns_t_txt, .data = "v=spf1 include:strict.example ~all"}};

static const struct fake_dns_row zone[] = {
    {.name = "soft.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "soft.example", .type = ns_t_txt, .answers = soft, .count = 1},
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_mx, .answers = mx, .count = 1},
    {.name = "strict.example", .type = ns_t_txt, .answers = strict, .count = 1},
};

static const struct fake_host_reply senders[] = {{"good@example.org", "250 2.1.5 Ok"}};
static const struct fake_host_reply recipients[] = {{"user@here.example", "250 2.1.5 Ok"}};

static int set_up(void **state)
{
    static const struct fake_host_options polite = {
        .pipelining = true, .replies = senders, .reply_count = COUNT(senders)};
    static const struct fake_host_options store = {
        .pipelining = true, .replies = recipients, .reply_count = COUNT(recipients)};
    static const struct session_rig_world world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &polite, .store = &store};

    guessers_forget();
    return session_rig_set_up(state, &world);
}

#define RELAY "relay \"here.example\" { to = { \"" SESSION_RIG_STORE ":@PORT\" } }\n"

/* --- What leaves no trace -------------------------------------------------- */

/* All that could be counted. */
struct counts {
    uint64_t decisions[RB_REASON_MAX][ACTION_REJECT + 1], skips[EXEMPT_MAX];
    uint64_t guesses[GUESSER_BARRED + 1], vouchers[RB_VOUCHER_MAX], clients[RB_CLIENT_MAX];
    struct histogram_view waits;
    struct rb_stats stats;
    unsigned pauses;
};

static void count(const struct session_rig *f, struct counts *counts)
{
    memset(counts, 0, sizeof *counts);
    for (int reason = 0; reason < RB_REASON_MAX; reason++)
        for (int action = ACTION_ACCEPT; action <= ACTION_REJECT; action++)
            counts->decisions[reason][action] = metrics_decisions(reason, action);
    for (int exemption = 0; exemption < EXEMPT_MAX; exemption++)
        counts->skips[exemption] = metrics_skips(exemption);
    metrics_waits(&counts->waits);
    for (int guesser = GUESSER_NOT; guesser <= GUESSER_BARRED; guesser++)
        counts->guesses[guesser] = metrics_guesses((enum guesser)guesser);
    for (int result = 0; result < RB_CLIENT_MAX; result++)
        counts->clients[result] = metrics_clients((enum rb_client_result)result);
    for (int voucher = 0; voucher < RB_VOUCHER_MAX; voucher++)
        counts->vouchers[voucher] = metrics_vouchers((enum rb_voucher)voucher);
    rb_stats_init(&counts->stats);
    rb_verifier_stats(f->verifier, &counts->stats);
    counts->pauses = session_rig_calls.pauses;
}

/* --- Asking ---------------------------------------------------------------- */

struct asked {
    const char *client, *from, *to;
    bool authenticated;
    const char *answers; /* JSON; NULL: none */
};

static json_int_t size_of_message; /* of what is asked; 0: not known */

static json_t *request_of(const struct asked *transaction)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:I, s:o}", "client", transaction->client, "helo",
                     json_octets("client.example"), "from", json_octets(transaction->from), "to",
                     json_octets(transaction->to), "authenticated", (int)transaction->authenticated,
                     "size", size_of_message, "answers",
                     transaction->answers != NULL ? json_loads(transaction->answers, 0, NULL)
                                                  : json_object());
}

/* Explains, and sees that it leaves no trace; the caller's. */
static json_t *explain(struct session_rig *f, const struct asked *transaction)
{
    unsigned connections = fake_host_connections(f->host) + fake_host_connections(f->store);
    json_t *request = request_of(transaction), *object;
    struct counts before, after;

    session_rig_await_idle(f);
    count(f, &before);
    object = explain_object(f->verifier, f->session.config, request);
    count(f, &after);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(fake_host_connections(f->host) + fake_host_connections(f->store), connections);
    json_decref(request);
    assert_non_null(object);
    return object;
}

static void assert_told(json_t *object, const char *words)
{
    const char *text = json_string_value(json_object_get(object, "text"));

    if (text == NULL || strstr(text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, text != NULL ? text : json_dumps(object, 0));
}

/* The words, each in its place. */
static void assert_all_told(struct session_rig *f, const struct asked *transaction,
                            const char *const *words)
{
    json_t *object = explain(f, transaction);

    for (; *words != NULL; words++)
        assert_told(object, *words);
    assert_null(json_object_get(object, "ask"));
    json_decref(object);
}

#define TOLD(f, transaction, ...)                                                                  \
    assert_all_told((f), (transaction), (const char *const[]){__VA_ARGS__, NULL})

/* What would be asked. */
static void assert_asks(struct session_rig *f, const struct asked *transaction, const char *of,
                        const char *address_asked)
{
    json_t *object = explain(f, transaction), *wanted = json_object_get(object, "ask");

    assert_non_null(wanted);
    assert_string_equal(json_string_value(json_object_get(wanted, "of")), of);
    assert_string_equal(json_string_value(json_object_get(wanted, "address")), address_asked);
    assert_told(object, "verdict     not known: a mail host would be asked now\n");
    json_decref(object);
}

/* Has the sender verified as a message would. */
static void verify(struct session_rig *f, const char *text)
{
    const struct rb_question question = {.address = text, .address_len = strlen(text)};
    struct rb_answer answer = {0};

    assert_int_equal(rb_verify(f->verifier, &question, rb_now_ms(f->verifier) + 60000, &answer),
                     RB_OK);
    rb_answer_fini(&answer);
    session_rig_await_idle(f);
}

#define STRANGER SESSION_RIG_CLIENT

/* --- The tests ------------------------------------------------------------- */

static void what_is_known_is_told_with_the_action_and_the_reply(void **state)
{
    struct session_rig *f = *state;
    const struct asked forged = {STRANGER, "<bad@example.org>", "<user@here.example>", false, NULL};
    const struct asked real = {STRANGER, "<good@example.org> SIZE=1000", "<user@here.example>",
                               false, NULL};

    session_rig_begin(f, "policy \"mine\" { match { sender = { \"example.com\" } } }\n");
    verify(f, "bad@example.org");
    verify(f, "good@example.org");
    TOLD(f, &forged, "client      " STRANGER ", HELO client.example\n",
         "sender      <bad@example.org>\n", "recipient   <user@here.example>\n",
         "exempt      trusted_networks: no\n", "policy      mine: no, sender does not match\n",
         "policy      default: matches, verify = sender\n",
         "verdict     invalid, reason no_such_user\n", "from        the cache, ",
         "action      reject\n",
         "reply       550 5.1.7 <bad@example.org>: sender address rejected");
    TOLD(f, &real, "sender      <good@example.org>\n", "verdict     valid, reason accepted\n",
         "action      accept\n");
}

static void header_fields_that_would_be_verified_are_told(void **state)
{
    struct session_rig *f = *state;
    const struct asked stranger = {STRANGER, "<good@example.org>", "<user@here.example>", false,
                                   NULL};
    const struct asked bounce = {STRANGER, "<>", "<user@here.example>", false, NULL};
    json_t *object;

    session_rig_begin(f, "policy \"p\" { verify_headers = { reply-to, from } }");
    verify(f, "good@example.org");
    TOLD(f, &stranger, "policy      p: matches, verify = sender\n",
         "header      from, reply-to: would be verified at the end of the message; action tag "
         "where invalid\n",
         "action      accept\n");
    object = explain(f, &bounce);
    assert_null(strstr(json_string_value(json_object_get(object, "text")), "header "));
    json_decref(object);
}

static void who_is_exempt_is_told(void **state)
{
    struct session_rig *f = *state;
    const struct asked trusted = {"127.0.0.1", "<a@example.org>", "<b@here.example>", false, NULL};
    const struct asked user = {STRANGER, "<a@example.org>", "<b@here.example>", true, NULL};
    const struct asked bounce = {STRANGER, "<>", "<b@here.example>", false, NULL};

    session_rig_begin(f, "");
    TOLD(f, &trusted, "exempt      trusted_networks: yes\n", "because     exempt: trusted_networks",
         "action      accept\n");
    TOLD(f, &user, "exempt      authenticated: yes\n", "action      accept\n");
    TOLD(f, &bounce, "exempt      null_sender: yes\n", "action      accept\n");
}

static void what_nobody_knows_is_asked_for_and_then_told(void **state)
{
    struct session_rig *f = *state;
    struct asked transaction = {STRANGER, "<bad@example.org>", "<user@here.example>", false, NULL};

    session_rig_begin(f, "dry_run = yes");
    assert_asks(f, &transaction, "sender", "<bad@example.org>");
    transaction.answers = "{\"sender\": {\"verdict\": \"invalid\", \"reason\": \"no_such_user\","
                          " \"mx\": \"mx.example.org\", \"ip\": \"127.0.0.1\", \"port\": 25,"
                          " \"stage\": \"rcpt\", \"code\": 550, \"reply\": \"550 no such user\","
                          " \"elapsed_ms\": 143, \"cached\": false}}";
    TOLD(f, &transaction, "verdict     invalid, reason no_such_user\n",
         "host        mx.example.org[127.0.0.1] port 25\n",
         "it said     550 no such user (at rcpt)\n",
         "from        a callout, 143 ms, made to explain: nothing of it is kept\n",
         "action      accept\n            (dry_run; otherwise reject)\n", "reply       550 5.1.7 ");
}

static void a_later_decision_is_told_as_well(void **state)
{
    static const char *const when[] = {"rcpt", "data", "eom"};
    struct session_rig *f = *state;
    const struct asked forged = {STRANGER, "<bad@example.org>", "<user@here.example>", false, NULL};
    const struct asked unknown = {STRANGER, "<new@example.org>", "<user@here.example>", false,
                                  NULL};
    char text[64];

    for (size_t i = 0; i < COUNT(when); i++) {
        (void)snprintf(text, sizeof text, "decide_at = %s", when[i]);
        session_rig_begin(f, text);
        if (i == 0)
            verify(f, "bad@example.org");
        TOLD(f, &forged, "verdict     invalid, reason no_such_user\n", "action      reject\n");
        assert_asks(f, &unknown, "sender", "<new@example.org>");
    }
}

static void the_recipient_comes_first(void **state)
{
    struct session_rig *f = *state;
    struct asked transaction = {STRANGER, "<bad@example.org>", "<typo@here.example>", false, NULL};

    session_rig_begin(f, RELAY "policy \"p\" { verify = \"both\" }\n");
    assert_asks(f, &transaction, "recipient", "<typo@here.example>");
    transaction.answers = "{\"recipient\": {\"reason\": \"no_such_user\"}}";
    TOLD(f, &transaction, "recipient   verified at " SESSION_RIG_STORE, "action      reject\n",
         "reply       550 5.1.1 <typo@here.example>: ");
    transaction.answers = "{\"recipient\": {\"reason\": \"accepted\"}}";
    assert_asks(f, &transaction, "sender", "<bad@example.org>");
    transaction.answers = "{\"recipient\": {\"reason\": \"accepted\"},"
                          " \"sender\": {\"reason\": \"no_such_user\"}}";
    TOLD(f, &transaction, "verdict     valid, reason accepted\n", "action      accept\n",
         "verdict     invalid, reason no_such_user\n", "reply       550 5.1.7 <bad@example.org>");
}

/* A client is not held to what somebody has only asked about. */
static void the_size_of_the_message_is_told_and_asked_about(void **state)
{
    struct asked transaction = {.client = STRANGER, .from = "<>", .to = "<user@here.example>"};
    struct session_rig *f = *state;
    json_t *object;

    session_rig_begin(f, RELAY "policy \"p\" { verify = \"recipient\" }");
    size_of_message = 4711;
    (void)session_rcpt(&f->session, "<user@here.example>"); /* is known, and does not do */
    object = explain(f, &transaction);
    assert_told(object, "size        4711 octets\n");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "ask"), "size")),
                     4711);
    json_decref(object);
    transaction.answers = "{\"recipient\": {\"reason\": \"mailbox_full\", \"code\": 552}}";
    TOLD(f, &transaction, "verdict     valid, reason mailbox_full\n", "action      reject\n",
         "reply       552 5.2.2 <user@here.example>: recipient address rejected: mailbox full\n");
    size_of_message = 0;
    transaction.answers = NULL;
    TOLD(f, &transaction, "verdict     valid, reason accepted\n");
}

static void nobody_becomes_a_guesser(void **state)
{
    struct session_rig *f = *state;
    const struct asked transaction = {STRANGER, "<>", "<typo@here.example>", false,
                                      "{\"recipient\": {\"reason\": \"no_such_user\"}}"};

    session_rig_begin(f, RELAY "limits { per_client_bad_rcpt = \"2/h\" }\n"
                               "policy \"p\" { verify = \"recipient\" }\n");
    for (unsigned i = 0; i < 10; i++)
        TOLD(f, &transaction, "verdict     invalid, reason no_such_user\n", "action      reject\n");
    assert_int_equal(
        guessers_look(session_rig_client(STRANGER), &f->session.config->limits.per_client_bad_rcpt),
        GUESSER_NOT);
}

static void a_guesser_is_told(void **state)
{
    struct session_rig *f = *state;
    const struct asked transaction = {STRANGER, "<>", "<user@here.example>", false, NULL};

    session_rig_begin(f, RELAY "limits { per_client_bad_rcpt = \"2/h\" }\n"
                               "policy \"p\" { verify = \"recipient\" }\n");
    for (unsigned i = 0; i < 2; i++)
        guessers_note(session_rig_client(STRANGER), &f->session.config->limits.per_client_bad_rcpt);
    TOLD(f, &transaction, "because     rule per_client_bad_rcpt\n",
         "from        nobody: no mail host is called\n", "action      tempfail\n",
         "reply       450 4.7.1 ");
}

static void limits_are_told_and_not_used(void **state)
{
    struct session_rig *f = *state;
    const struct asked fresh = {STRANGER, "<new@example.org>", "<user@here.example>", false, NULL};

    f->options.global_rate = (struct rb_rate){1, 3600};
    session_rig_begin(f, "");
    for (unsigned i = 0; i < 5; i++)
        assert_asks(f, &fresh, "sender", "<new@example.org>");
    verify(f, "good@example.org");
    TOLD(f, &fresh, "verdict     unknown, reason limited\n", "because     rule global_rate\n",
         "from        nobody: no mail host is called\n", "action      accept\n");
}

static void the_shield_is_told(void **state)
{
    struct session_rig *f = *state;
    const struct asked forged = {STRANGER, "<new@example.org>", "<user@here.example>", false, NULL};
    char text[64];

    f->options.shield =
        (struct rb_shield_options){.addresses = 5, .window_s = 3600, .hold_s = 3600};
    session_rig_begin(f, "");
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text, "nobody%u@example.org", i);
        verify(f, text);
    }
    TOLD(f, &forged, "verdict     unknown, reason limited\n", "because     rule shield\n",
         "action      accept\n");
}

static void spf_is_told(void **state)
{
    struct session_rig *f = *state;
    const struct asked forged = {STRANGER, "<a@strict.example>", "<user@here.example>", false,
                                 NULL};
    const struct asked real = {"203.0.113.1", "<a@strict.example>", "<user@here.example>", false,
                               NULL};

    f->options.spf_gate = RB_GATE_FAIL;
    session_rig_begin(f, "");
    TOLD(f, &forged, "verdict     unknown, reason spf_fail\n",
         "from        nobody: no mail host is called\n");
    assert_asks(f, &real, "sender", "<a@strict.example>");
}

/* The verifier's gate stands where the configuration says. */
static void begin_at_gate(struct session_rig *f, const char *config)
{
    session_rig_begin(f, config);
    f->options.spf_gate = f->session.config->spf.gate;
    session_rig_reload(f);
}

/* What SPF says and by which term of whose record, whether that closes the gate, and what would open
 * it. */
static void why_the_gate_is_open_or_closed_is_told(void **state)
{
    static const char named[] = "could name it";
    static const struct {
        const char *config, *client, *from;
        const char *spf, *vouched, *gate, *could;
    } rows[] = {
        {"", STRANGER, "<a@strict.example>",
         "spf         fail: \"-all\" in the record of strict.example\n",
         "vouched     nobody: ", "gate        closed at \"softfail\"\n",
         "            the SPF record of strict.example could name it\n"},
        {"spf { gate = fail }", STRANGER, "<a@soft.example>",
         "spf         softfail: \"~all\" in the record of soft.example\n",
         "vouched     nobody: ", "gate        open at \"fail\"\n", NULL},
        {"", STRANGER, "<a@soft.example>",
         "spf         softfail: \"~all\" in the record of soft.example\n",
         "vouched     nobody: ", "gate        closed at \"softfail\"\n",
         "            a policy with vouched = yes could match it\n"},
        {"", "203.0.113.1", "<a@soft.example>",
         "spf         pass: \"ip4:203.0.113.1\" in the record of strict.example\n", "vouched     ",
         "gate        open at \"softfail\"\n", NULL},
        {"", STRANGER, "<a@example.org>", "spf         none: example.org has no SPF record\n",
         "vouched     nobody: ", "gate        open at \"softfail\"\n", NULL},
        {"spf { gate = vouched }", STRANGER, "<a@mail.example.org>",
         "spf         none: mail.example.org has no SPF record\n",
         "vouched     nobody: ", "gate        closed at \"vouched\"\n",
         "or it could have a name in example.org that leads back to it (dig -x " STRANGER ")\n"},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct asked asked = {rows[i].client, rows[i].from, "<user@here.example>", false,
                                    NULL};
        json_t *object;

        begin_at_gate(f, rows[i].config);
        object = explain(f, &asked);
        assert_told(object, rows[i].spf);
        assert_told(object, rows[i].vouched);
        assert_told(object, rows[i].gate);
        if (rows[i].could != NULL)
            assert_told(object, rows[i].could);
        else
            assert_null(strstr(json_string_value(json_object_get(object, "text")), named));
        json_decref(object);
    }
}

static void where_spf_does_not_count_that_is_told(void **state)
{
    static const struct {
        const char *config, *client, *words;
    } rows[] = {
        {"spf { gate = no }", STRANGER, "vouched     nobody was asked to: spf.gate is \"no\"\n"},
        {"trusted_networks = { }", "127.0.0.1",
         "vouched     nobody was asked to: a client on the loopback passes\n"},
        {"policy \"f\" { vouched = yes }", STRANGER, "vouched     policy: vouched = yes\n"},
    };
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct asked asked = {rows[i].client, "<a@strict.example>", "<user@here.example>",
                                    false, NULL};
        json_t *object;

        begin_at_gate(f, rows[i].config);
        object = explain(f, &asked);
        assert_told(object, rows[i].words);
        assert_null(strstr(json_string_value(json_object_get(object, "text")), "spf     "));
        json_decref(object);
    }
}

static void of_what_is_no_address_spf_is_not_told(void **state)
{
    struct session_rig *f = *state;
    const struct asked asked = {STRANGER, "<nobody>", "<user@here.example>", false, NULL};
    json_t *object;

    session_rig_begin(f, "");
    object = explain(f, &asked);
    assert_told(object, "verdict     invalid, reason bad_address\n");
    assert_null(strstr(json_string_value(json_object_get(object, "text")), "spf     "));
    assert_null(strstr(json_string_value(json_object_get(object, "text")), "gate    "));
    json_decref(object);
}

/* When filters' results count, where they are needed. */
static void results_of_filters_are_spoken_of(void **state)
{
    static const char *const rows[][2] = {
        {"", "DKIM and DMARC results do not count: decide_at is not \"eom\"\n"},
        {"decide_at = eom", "DKIM and DMARC results do not count: trusted_authserv_ids is empty\n"},
        {"decide_at = eom trusted_authserv_ids = { \"mx.example.net\" }",
         "DKIM and DMARC results are seen at the end of a message, and may vouch for it then\n"},
    };
    const struct asked asked = {STRANGER, "<a@soft.example>", "<user@here.example>", false, NULL};
    struct session_rig *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *object;

        begin_at_gate(f, rows[i][0]);
        object = explain(f, &asked);
        assert_told(object, rows[i][1]);
        json_decref(object);
    }
}

/* Finds out that the host that the stranger claims to be is not there. */
static void look_for_claimed_host(struct session_rig *f)
{
    struct rb_client_question question;
    struct rb_client_answer answer;
    struct rb_ticket *ticket;

    rb_client_question_init(&question);
    rb_client_answer_init(&answer);
    question.client = session_rig_client(STRANGER);
    question.helo = "client.example";
    question.sender = "";
    question.targets[0] = RB_TARGET_HELO;
    assert_int_equal(rb_ask_client(f->verifier, &question, &ticket), RB_OK);
    assert_int_equal(rb_wait_client(ticket, rb_now_ms(f->verifier) + 60000, &answer), RB_OK);
    assert_int_equal(answer.result, RB_CLIENT_UNREACHABLE);
    rb_client_answer_fini(&answer);
    rb_ticket_free(ticket);
}

static void whom_the_client_claims_to_be_is_told_and_not_called(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"connect_back { check = yes }",
         "claimed     client.example would be asked \"AYTTM\" at DATA, over a connection to it\n"},
        {"connect_back { check = yes target = \"mx\" }",
         "claimed     example.org would be asked \"AYTTM\" at DATA, over a connection to it\n"},
        {"decide_at = \"eom\" connect_back { check = yes target = \"helo mx\" }",
         "claimed     client.example would be asked \"AYTTM\" at the end of the message, "},
        {"connect_back { check = yes } policy \"p\" { verify = \"none\" }",
         "claimed     nobody is asked about the client: the policy verifies nothing\n"},
    };
    const struct asked known = {STRANGER, "<good@example.org>", "<user@here.example>", false, NULL};
    const struct asked bad = {STRANGER, "<bad@example.org>", "<user@here.example>", false, NULL};
    const struct asked ours = {STRANGER, "<good@example.org>", "<user@here.example>", true, NULL};
    struct session_rig *f = *state;
    json_t *object;

    session_rig_begin(f, rows[0].text);
    verify(f, "good@example.org");
    verify(f, "bad@example.org");
    for (size_t i = 0; i < COUNT(rows); i++) {
        session_rig_begin(f, rows[i].text);
        TOLD(f, &known, rows[i].words);
    }
    session_rig_begin(f, rows[0].text);
    TOLD(f, &bad, "claimed     nobody is asked about the client: the recipient is refused\n");
    TOLD(f, &ours, "claimed     nobody is asked about the client: the client is one of ours\n");
    look_for_claimed_host(f);
    TOLD(f, &known, "claimed     client.example: nobody is called, ",
         ": unreachable; action tag\n");
    session_rig_begin(f, "");
    object = explain(f, &known);
    assert_null(strstr(json_string_value(json_object_get(object, "text")), "claimed"));
    json_decref(object);
}

static void octets_of_any_kind_are_told(void **state)
{
    struct session_rig *f = *state;
    const struct asked odd = {STRANGER, "<\xff\x01\"@example.org>", "no \xc3 address", false, NULL};

    session_rig_begin(f, "");
    TOLD(f, &odd, "sender      <", "recipient   <not an address>\n");
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const requests[] = {
        "[]",
        "{}",
        "{\"client\": \"192.0.2.1\"}",
        "{\"client\": \"192.0.2\", \"helo\": \"\", \"from\": \"\", \"to\": \"\"}",
        "{\"client\": 7, \"helo\": \"\", \"from\": \"\", \"to\": \"\"}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": \"\"}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\\u0100\", \"from\": \"\", \"to\": \"\"}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": \"\", \"to\": \"\","
        " \"size\": -1}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": [], \"to\": \"\"}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": \"\", \"to\": \"\","
        " \"answers\": {\"sender\": 7}}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": \"\", \"to\": \"\","
        " \"answers\": {\"sender\": {}}}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": \"\", \"to\": \"\","
        " \"answers\": {\"recipient\": {\"reason\": \"good\"}}}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": \"\", \"to\": \"\","
        " \"answers\": {\"sender\": {\"reason\": \"accepted\", \"port\": 65536}}}",
        "{\"client\": \"192.0.2.1\", \"helo\": \"\", \"from\": \"\", \"to\": \"\","
        " \"answers\": {\"sender\": {\"reason\": \"accepted\", \"reply\": \"a\\nb\"}}}",
    };
    struct session_rig *f = *state;

    session_rig_begin(f, "");
    for (size_t i = 0; i < COUNT(requests); i++) {
        json_t *request = json_loads(requests[i], 0, NULL);
        json_t *object = explain_object(f->verifier, f->session.config, request);

        assert_non_null(request);
        assert_non_null(object);
        if (!json_is_false(json_object_get(object, "ok")) ||
            !json_is_string(json_object_get(object, "message")))
            fail_msg("taken: %s", requests[i]);
        json_decref(object);
        json_decref(request);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, session_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_known_is_told_with_the_action_and_the_reply),
        TEST(header_fields_that_would_be_verified_are_told),
        TEST(who_is_exempt_is_told),
        TEST(what_nobody_knows_is_asked_for_and_then_told),
        TEST(a_later_decision_is_told_as_well),
        TEST(the_recipient_comes_first),
        TEST(the_size_of_the_message_is_told_and_asked_about),
        TEST(nobody_becomes_a_guesser),
        TEST(a_guesser_is_told),
        TEST(limits_are_told_and_not_used),
        TEST(the_shield_is_told),
        TEST(spf_is_told),
        TEST(why_the_gate_is_open_or_closed_is_told),
        TEST(where_spf_does_not_count_that_is_told),
        TEST(of_what_is_no_address_spf_is_not_told),
        TEST(results_of_filters_are_spoken_of),
        TEST(whom_the_client_claims_to_be_is_told_and_not_called),
        TEST(octets_of_any_kind_are_told),
        TEST(what_is_no_request_is_refused),
    };

    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
