/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_dialogue: the state machine of a session against every class of reply at every state, then
 * its rules one by one. The tests are the transport: they take what is to be sent and feed replies.
 */
#include "config.h"

#include "smtp/dialogue.h"

#include <stdio.h>

#include "check.h"

#define OK "250 2.0.0 Ok\r\n"
#define BANNER "220 mx.example ESMTP\r\n"
#define EHLO_PLAIN "250-mx.example\r\n250 HELP\r\n"
#define EHLO_PIPELINING "250-mx.example\r\n250-SIZE 1000\r\n250 PIPELINING\r\n"
#define EHLO_STARTTLS "250-mx.example\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n"
#define UNKNOWN_USER "550 5.1.1 User unknown\r\n"
#define NULL_REFUSED "550 5.7.1 <>: Sender address rejected: null sender is not allowed\r\n"
#define BATV_REFUSED "550 5.7.1 recipient not accepted. (BATV: no tag)\r\n"
#define LISTED "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org\r\n"

#define MAIL_NULL "MAIL FROM:<>\r\n"
#define MAIL_FALLBACK "MAIL FROM:<postmaster@we.example>\r\n"
#define VERB "AYTTM-54321-25-0a090002"
#define RCPT_USER "RCPT TO:<user@d.example>\r\n"

enum { STEPS_MAX = 20 }; /* from any cell of the matrix to the end of the session */

static const struct dialogue_question plain = {.address = "user@d.example", .mail_from = ""};
static const struct dialogue_question with_fallback = {
    .address = "user@d.example", .mail_from = "", .fallback_mail_from = "postmaster@we.example"};
static const struct dialogue_question with_data = {
    .address = "user@d.example", .mail_from = "", .data = true};

/* --- Talking ----------------------------------------------------------------- */

static void feed(struct dialogue *dialogue, const char *octets)
{
    dialogue_feed(dialogue, octets, strlen(octets));
}

/* What the sessions of a test speak. */
static bool lmtp;

static void init(struct dialogue *dialogue, bool use_tls)
{
    dialogue_init(dialogue, "we.example", use_tls);
    dialogue->lmtp = lmtp;
}

static const char *hello(void)
{
    return lmtp ? "LHLO we.example\r\n" : "EHLO we.example\r\n";
}

/* All that waits to be sent is this; it is sent now. */
static void sends(struct dialogue *dialogue, const char *expected)
{
    char out[DIALOGUE_OUT_MAX + 1];

    memcpy(out, dialogue->out, dialogue->out_len);
    out[dialogue->out_len] = '\0';
    assert_string_equal(out, expected);
    dialogue_sent(dialogue, dialogue->out_len);
}

static void answered(const struct dialogue *dialogue, enum rb_reason reason, enum rb_stage stage)
{
    assert_string_equal(rb_reason_name(dialogue->answer.reason), rb_reason_name(reason));
    assert_string_equal(rb_stage_name(dialogue->answer.stage), rb_stage_name(stage));
}

static void is_over(const struct dialogue *dialogue, enum rb_reason reason, const char *rule)
{
    assert_int_equal(dialogue->need, DIALOGUE_OVER);
    assert_string_equal(rb_reason_name(dialogue->answer.reason), rb_reason_name(reason));
    if (rule != NULL)
        assert_string_equal(dialogue->answer.rule, rule);
}

/* A session up to its first question. */
static void open_with(struct dialogue *dialogue, const char *ehlo_reply)
{
    init(dialogue, false);
    feed(dialogue, BANNER);
    sends(dialogue, hello());
    feed(dialogue, ehlo_reply);
    assert_int_equal(dialogue->need, DIALOGUE_NEED_QUESTION);
}

static void open_plain(struct dialogue *dialogue)
{
    open_with(dialogue, EHLO_PLAIN);
}

static void open_pipelining(struct dialogue *dialogue)
{
    open_with(dialogue, EHLO_PIPELINING);
}

static void open_tls(struct dialogue *dialogue)
{
    init(dialogue, true);
    feed(dialogue, BANNER);
    sends(dialogue, hello());
    feed(dialogue, EHLO_STARTTLS);
    sends(dialogue, "STARTTLS\r\n");
}

/* One question through to its RCPT's reply. */
static void ask_and_hear(struct dialogue *dialogue, const struct dialogue_question *question,
                         const char *rcpt_reply)
{
    dialogue_ask(dialogue, question);
    if (dialogue->pipelining) {
        sends(dialogue, MAIL_NULL RCPT_USER);
        feed(dialogue, OK);
    } else {
        sends(dialogue, MAIL_NULL);
        feed(dialogue, OK);
        sends(dialogue, RCPT_USER);
    }
    feed(dialogue, rcpt_reply);
}

/* --- The matrix -------------------------------------------------------------- */

enum state {
    BANNER_,
    EHLO_,
    HELO_,
    STARTTLS_,
    EHLO_TLS,
    RSET_,
    MAIL_,
    RCPT_,
    DATA_,
    QUIT_,
    VERB_,
    STATES
};
enum class { R2, R3, R4, R421, R5, R5US, BAD, LONG, EMPTY, CLOSED, SILENT, CLASSES };

static const char *const state_names[] = {"banner",         "ehlo", "helo", "starttls",
                                          "ehlo after tls", "rset", "mail", "rcpt",
                                          "data",           "quit", "verb"};
static const char *const class_names[] = {"2yz",        "3yz",    "4yz",       "421",
                                          "5yz",        "5yz us", "malformed", "too long",
                                          "empty line", "closed", "silent"};
static const char *const class_octets[] = {
    [R2] = OK,
    [R3] = "354 go ahead\r\n",
    [R4] = "451 4.3.0 Temporary lookup failure\r\n",
    [R421] = "421 4.3.2 closing\r\n",
    [R5] = UNKNOWN_USER,
    [R5US] = LISTED,
    [BAD] = "hello there\r\n",
    [EMPTY] = "\r\n",
};

/* What follows a cell: what is sent ("" nothing yet), or an end. */
#define ASKS "(question)" /* ready for the next question */
#define TLS "(tls)"
#define LEFT "(left)" /* over, and QUIT may be said */
#define OVER "(over)"
#define EHLO "EHLO we.example\r\n"
#define HELO "HELO we.example\r\n"

static const char *const follows[STATES][CLASSES] = {
    [BANNER_] = {EHLO, LEFT, LEFT, OVER, LEFT, LEFT, OVER, OVER, OVER, OVER, OVER},
    [EHLO_] = {ASKS, LEFT, LEFT, OVER, HELO, HELO, OVER, OVER, OVER, OVER, OVER},
    [HELO_] = {ASKS, LEFT, LEFT, OVER, LEFT, LEFT, OVER, OVER, OVER, OVER, OVER},
    [STARTTLS_] = {TLS, LEFT, ASKS, OVER, ASKS, ASKS, OVER, OVER, OVER, OVER, OVER},
    [EHLO_TLS] = {ASKS, LEFT, LEFT, OVER, HELO, HELO, OVER, OVER, OVER, OVER, OVER},
    [RSET_] = {MAIL_NULL, LEFT, LEFT, OVER, LEFT, LEFT, OVER, OVER, OVER, OVER, OVER},
    [MAIL_] = {RCPT_USER, ASKS, ASKS, OVER, ASKS, ASKS, OVER, OVER, OVER, OVER, OVER},
    [RCPT_] = {"DATA\r\n", ASKS, ASKS, OVER, ASKS, ASKS, OVER, OVER, OVER, OVER, OVER},
    [DATA_] = {ASKS, OVER, ASKS, OVER, ASKS, ASKS, OVER, OVER, OVER, OVER, OVER},
    [QUIT_] = {OVER, OVER, OVER, OVER, OVER, OVER, OVER, OVER, OVER, OVER, OVER},
    [VERB_] = {ASKS, ASKS, ASKS, OVER, ASKS, ASKS, OVER, OVER, OVER, OVER, OVER},
};

/* In one flight: the reply to RCPT is still to come, whatever MAIL and RSET were answered, unless
 * the session ends. */
static const char *const follows_in_flight[2][CLASSES] = {
    {"", LEFT, LEFT, OVER, LEFT, LEFT, OVER, OVER, OVER, OVER, OVER},
    {"", "", "", OVER, "", "", OVER, OVER, OVER, OVER, OVER},
};

/* Brings a session to where it awaits the reply of a state. */
static void reach(struct dialogue *dialogue, enum state state, bool pipelining)
{
    init(dialogue, true);
    if (state == BANNER_)
        return;
    if (state == EHLO_ || state == HELO_) {
        feed(dialogue, BANNER);
        sends(dialogue, hello());
        if (state == EHLO_)
            return;
        feed(dialogue, "500 what?\r\n");
        sends(dialogue, HELO);
        return;
    }
    if (state == STARTTLS_ || state == EHLO_TLS) {
        open_tls(dialogue);
        if (state == STARTTLS_)
            return;
        feed(dialogue, "220 go\r\n");
        dialogue_tls_started(dialogue);
        sends(dialogue, hello());
        return;
    }
    open_with(dialogue, pipelining ? EHLO_PIPELINING : EHLO_PLAIN);
    if (state == QUIT_) {
        dialogue_quit(dialogue);
        sends(dialogue, "QUIT\r\n");
        return;
    }
    if (state == VERB_) {
        dialogue_ask_verb(dialogue, VERB);
        sends(dialogue, VERB "\r\n");
        return;
    }
    if (state == RSET_)
        ask_and_hear(dialogue, &plain, UNKNOWN_USER);
    if (state == DATA_) {
        ask_and_hear(dialogue, &with_data, OK);
        sends(dialogue, "DATA\r\n");
        return;
    }
    dialogue_ask(dialogue, &with_data);
    dialogue_sent(dialogue, dialogue->out_len);
    if (state == RCPT_) {
        feed(dialogue, OK);
        dialogue_sent(dialogue, dialogue->out_len);
    }
}

static void play(struct dialogue *dialogue, enum class class)
{
    char line[REPLY_LINE_MAX + 16];

    switch (class) {
    case LONG:
        memset(line, '2', sizeof line);
        line[3] = ' ';
        dialogue_feed(dialogue, line, sizeof line);
        break;
    case CLOSED:
        dialogue_fail(dialogue, RB_REASON_UNREACHABLE, "connection_lost");
        break;
    case SILENT:
        dialogue_fail(dialogue, RB_REASON_UNREACHABLE, "host_silent");
        break;
    default:
        feed(dialogue, class_octets[class]);
        break;
    }
}

/* Something is to be sent or awaited, or it is somebody else's turn: never a machine that waits for
 * nothing. */
static void is_sane(const struct dialogue *dialogue)
{
    switch (dialogue->need) {
    case DIALOGUE_NEED_PEER:
        assert_true(dialogue->queued > 0);
        assert_int_not_equal(dialogue_stage(dialogue), RB_STAGE_NONE);
        break;
    case DIALOGUE_NEED_QUESTION:
    case DIALOGUE_NEED_TLS:
        assert_int_equal(dialogue->queued, 0);
        assert_int_equal(dialogue->out_len, 0);
        assert_false(dialogue->asking);
        break;
    default:
        assert_int_equal(dialogue->need, DIALOGUE_OVER);
        assert_int_equal(dialogue->out_len, 0);
        assert_true(dialogue->quitting || dialogue->answer.reason != RB_REASON_NONE ||
                    dialogue->answer.code != 0);
        break;
    }
}

static void is_left(const struct dialogue *dialogue, bool with_quit)
{
    assert_int_equal(dialogue->need, DIALOGUE_OVER);
    assert_int_equal(dialogue_can_quit(dialogue), with_quit);
}

static void has_followed(struct dialogue *dialogue, const char *expected)
{
    is_sane(dialogue);
    if (strcmp(expected, ASKS) == 0)
        assert_int_equal(dialogue->need, DIALOGUE_NEED_QUESTION);
    else if (strcmp(expected, TLS) == 0)
        assert_int_equal(dialogue->need, DIALOGUE_NEED_TLS);
    else if (strcmp(expected, OVER) == 0 || strcmp(expected, LEFT) == 0)
        is_left(dialogue, strcmp(expected, LEFT) == 0);
    else
        sends(dialogue, expected);
}

/* A host that goes along with everything brings the session to its end in a few steps. */
static void ends_with_a_willing_host(struct dialogue *dialogue)
{
    unsigned steps;

    for (steps = 0; steps < STEPS_MAX; steps++) {
        dialogue_sent(dialogue, dialogue->out_len);
        if (dialogue_can_quit(dialogue))
            dialogue_quit(dialogue);
        else if (dialogue->need == DIALOGUE_OVER)
            break;
        else if (dialogue->need == DIALOGUE_NEED_TLS)
            dialogue_tls_started(dialogue);
        else
            feed(dialogue, OK);
        is_sane(dialogue);
    }
    assert_int_equal(dialogue->need, DIALOGUE_OVER);
}

/* What a cell may have made of the address. Only RCPT and DATA can say anything of a mailbox. */
static void has_judged(const struct dialogue *dialogue, enum state state, enum class class)
{
    enum rb_verdict verdict = rb_reason_verdict(dialogue->answer.reason);

    if (state == QUIT_ || (state == VERB_ && class <= R5US)) {
        assert_int_equal(dialogue->answer.reason, RB_REASON_NONE);
        assert_int_equal(dialogue->answer.code != 0, state == VERB_);
        return;
    }
    if ((state == RCPT_ || state == DATA_) && class == R5)
        answered(dialogue, RB_REASON_NO_SUCH_USER, state == RCPT_ ? RB_STAGE_RCPT : RB_STAGE_DATA);
    else if (state == DATA_ || (state == RCPT_ && class == R2))
        answered(dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
    else
        assert_int_equal(verdict, RB_VERDICT_UNKNOWN);
    if (state != DATA_ && (class == BAD || class == LONG || class == EMPTY))
        is_over(dialogue, RB_REASON_PROTOCOL_ERROR,
                class == LONG ? "reply_too_long" : "reply_malformed");
    if (state != DATA_ && (class == CLOSED || class == SILENT))
        is_over(dialogue, RB_REASON_UNREACHABLE,
                class == CLOSED ? "connection_lost" : "host_silent");
}

/* LMTP has another greeting, and nothing to fall back on (RFC 2033 4.1). */
static const char *in_lmtp(const char *expected)
{
    if (strcmp(expected, EHLO) == 0)
        return hello();
    return strcmp(expected, HELO) == 0 ? LEFT : expected;
}

static const char *what_follows(enum state state, enum class class, bool pipelining)
{
    bool in_flight = pipelining && (state == RSET_ || state == MAIL_);
    const char *expected =
        in_flight ? follows_in_flight[state - RSET_][class] : follows[state][class];

    return lmtp ? in_lmtp(expected) : expected;
}

static void one_cell(enum state state, enum class class, bool pipelining)
{
    struct dialogue dialogue;

    reach(&dialogue, state, pipelining);
    is_sane(&dialogue);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_PEER);
    assert_int_equal(dialogue.out_len, 0);
    play(&dialogue, class);
    has_followed(&dialogue, what_follows(state, class, pipelining));
    has_judged(&dialogue, state, class);
    ends_with_a_willing_host(&dialogue);
}

static void every_state_and_reply_class(bool pipelining)
{
    for (enum state state = 0; state < STATES; state++) {
        if (lmtp && state == HELO_)
            continue;
        for (enum class class = 0; class < CLASSES; class ++) {
            print_message("# %s: %s\n", state_names[state], class_names[class]);
            one_cell(state, class, pipelining);
        }
    }
}

static void every_state_has_a_way_out_on_every_reply_class(void **state)
{
    (void)state;
    every_state_and_reply_class(false);
}

static void every_state_has_a_way_out_on_every_reply_class_with_pipelining(void **state)
{
    (void)state;
    every_state_and_reply_class(true);
}

/* --- Verbs --------------------------------------------------------------------- */

/* A verb is said, and its reply heard. */
static void say_and_hear(struct dialogue *dialogue, const char *reply)
{
    dialogue_ask_verb(dialogue, VERB);
    sends(dialogue, VERB "\r\n");
    feed(dialogue, reply);
}

static void a_verb_before_mail_leaves_the_session_as_it_was(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    say_and_hear(&dialogue, "502 5.5.2 Error: command not recognized\r\n");
    answered(&dialogue, RB_REASON_NONE, RB_STAGE_VERB);
    assert_int_equal(dialogue.answer.code, 502);
    assert_string_equal(dialogue.answer.reply, "502 5.5.2 Error: command not recognized");
    assert_null(dialogue.answer.mail_from);
    assert_int_equal(dialogue.refusals, 1);
    assert_int_equal(dialogue.transactions, 0);
    ask_and_hear(&dialogue, &plain, UNKNOWN_USER); /* without RSET, and in one flight */
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
}

static void a_verb_behind_a_transaction_is_said_before_rset(void **state)
{
    (void)state;
    static const char *const ehlo[] = {EHLO_PLAIN, EHLO_PIPELINING};

    for (size_t i = 0; i < COUNT(ehlo); i++) {
        struct dialogue dialogue;

        open_with(&dialogue, ehlo[i]);
        ask_and_hear(&dialogue, &plain, OK);
        say_and_hear(&dialogue, "450 4.5.0 AYTTM yes\r\n");
        answered(&dialogue, RB_REASON_NONE, RB_STAGE_VERB);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        assert_true(dialogue.transaction_open);
    }
}

/* Behind RSET some MTAs hand nothing to a milter. */
static void a_verb_behind_rset_is_said_behind_mail(void **state)
{
    (void)state;
    static const char *const replies[] = {OK, "451 4.3.0 not now\r\n", "550 5.7.1 no\r\n"};

    for (size_t i = 0; i < COUNT(replies); i++) {
        struct dialogue dialogue;

        open_pipelining(&dialogue);
        ask_and_hear(&dialogue, &plain, OK);
        dialogue_reset(&dialogue);
        sends(&dialogue, "RSET\r\n");
        feed(&dialogue, OK);
        dialogue_ask_verb(&dialogue, VERB);
        sends(&dialogue, MAIL_NULL);
        feed(&dialogue, replies[i]);
        sends(&dialogue, VERB "\r\n");
        feed(&dialogue, "450 4.5.0 AYTTM yes\r\n");
        answered(&dialogue, RB_REASON_NONE, RB_STAGE_VERB);
        assert_null(dialogue.answer.mail_from);
        assert_int_equal(dialogue.transaction_open, i == 0);
        assert_int_equal(dialogue.transactions, 2);
    }
}

static void a_421_to_the_mail_before_a_verb_is_the_end(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, OK);
    dialogue_reset(&dialogue);
    sends(&dialogue, "RSET\r\n");
    feed(&dialogue, OK);
    dialogue_ask_verb(&dialogue, VERB);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, "421 4.7.0 enough\r\n");
    is_left(&dialogue, false);
    assert_int_equal(dialogue.answer.stage, RB_STAGE_MAIL);
}

static void the_reply_to_a_verb_stands_whole(void **state)
{
    (void)state;
    static const char reply[] = "450-4.5.0 AYTTM yes\r\n450-4.5.0 by the grace\r\n450 of S\r\n";

    for (size_t split = 0; split <= sizeof reply - 1; split++) {
        struct dialogue dialogue;

        open_plain(&dialogue);
        dialogue_ask_verb(&dialogue, VERB);
        sends(&dialogue, VERB "\r\n");
        dialogue_feed(&dialogue, reply, split);
        dialogue_feed(&dialogue, reply + split, sizeof reply - 1 - split);
        assert_string_equal(dialogue.parser.reply.text, "AYTTM yes\nby the grace\nof S");
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        ask_and_hear(&dialogue, &plain, OK);
        answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
    }
}

static void a_421_to_a_verb_is_its_reply_and_the_end(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    say_and_hear(&dialogue, "421 4.7.0 AYTTM no, and good bye\r\n");
    is_left(&dialogue, false);
    answered(&dialogue, RB_REASON_NONE, RB_STAGE_VERB);
    assert_int_equal(dialogue.answer.code, 421);
    assert_string_equal(dialogue.parser.reply.text, "AYTTM no, and good bye");
}

static void what_follows_the_reply_to_a_verb_unasked_changes_nothing_but_the_end(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    say_and_hear(&dialogue, "450 4.5.0 AYTTM yes\r\n450 4.5.0 AYTTM no\r\n");
    is_left(&dialogue, false);
    answered(&dialogue, RB_REASON_NONE, RB_STAGE_VERB);
    assert_string_equal(dialogue.parser.reply.text, "AYTTM yes");
    dialogue_fail(&dialogue, RB_REASON_UNREACHABLE, "connection_lost");
    answered(&dialogue, RB_REASON_NONE, RB_STAGE_VERB);
}

static void a_verb_never_becomes_two_commands(void **state)
{
    (void)state;
    char longest[DIALOGUE_VERB_MAX + 2], line[DIALOGUE_VERB_MAX + 4];
    const char *const texts[] = {"",        "AYTTM\r\nDATA", "AYTTM\n",
                                 "AYTTM\r", "A\tB",          "AYTTM \xc3\xa4",
                                 "\x01",    "A\x7f",         longest};
    struct dialogue dialogue;

    memset(longest, 'A', sizeof longest);
    longest[DIALOGUE_VERB_MAX + 1] = '\0';
    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, OK); /* a transaction is open, and stays so */
    for (size_t i = 0; i < COUNT(texts); i++) {
        dialogue_ask_verb(&dialogue, texts[i]);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        assert_int_equal(dialogue.out_len, 0);
        assert_string_equal(dialogue.answer.rule, "command_refused");
        answered(&dialogue, RB_REASON_INTERNAL_ERROR, RB_STAGE_NONE);
    }
    longest[DIALOGUE_VERB_MAX] = '\0';
    dialogue_ask_verb(&dialogue, longest);
    (void)snprintf(line, sizeof line, "%s\r\n", longest);
    sends(&dialogue, line);
    feed(&dialogue, "500 5.5.2 Line too long\r\n");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
}

/* In whatever state the session before it was left. */
static void a_verb_is_said_behind_a_flight_that_was_refused(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL RCPT_USER);
    feed(&dialogue, LISTED "503 5.5.1 MAIL first\r\n");
    answered(&dialogue, RB_REASON_BLOCKED, RB_STAGE_MAIL);
    say_and_hear(&dialogue, "250 2.0.0 why not\r\n");
    answered(&dialogue, RB_REASON_NONE, RB_STAGE_VERB);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    assert_int_equal(dialogue.refusals, 2);
}

static void a_host_has_greeted_once_it_said_220(void **state)
{
    (void)state;
    static const struct {
        const char *banner;
        bool greets;
    } rows[] = {
        {BANNER, true},  {"220-wait\r\n220 now\r\n", true}, {"220-wait\r\n521 5.7.1 no\r\n", false},
        {LISTED, false}, {"421 4.3.2 busy\r\n", false},     {"354 what\r\n", false}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dialogue dialogue;

        init(&dialogue, false);
        assert_false(dialogue.greeted);
        feed(&dialogue, rows[i].banner);
        assert_int_equal(dialogue.greeted, rows[i].greets);
    }
}

/* --- LMTP ---------------------------------------------------------------------- */

static int speak_lmtp(void **state)
{
    (void)state;
    lmtp = true;
    return 0;
}

static int speak_smtp(void **state)
{
    (void)state;
    lmtp = false;
    return 0;
}

static void lmtp_begins_with_lhlo(void **state)
{
    (void)state;
    struct dialogue dialogue;

    init(&dialogue, false);
    feed(&dialogue, BANNER);
    sends(&dialogue, "LHLO we.example\r\n");
    feed(&dialogue, EHLO_PIPELINING);
    ask_and_hear(&dialogue, &plain, OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
}

static void a_refused_lhlo_is_no_answer_about_anybody(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum rb_reason reason;
    } table[] = {
        {"500 5.5.1 what?\r\n", RB_REASON_PROTOCOL_ERROR},
        {"502 5.5.2 Error: command not recognized\r\n", RB_REASON_PROTOCOL_ERROR},
        {UNKNOWN_USER, RB_REASON_BLOCKED},
        {"354 go on\r\n", RB_REASON_PROTOCOL_ERROR},
        {LISTED, RB_REASON_BLOCKED},
        {"451 4.3.0 later\r\n", RB_REASON_TEMPFAIL},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        struct dialogue dialogue;

        init(&dialogue, false);
        feed(&dialogue, BANNER);
        sends(&dialogue, "LHLO we.example\r\n");
        feed(&dialogue, table[i].reply);
        sends(&dialogue, ""); /* least of all HELO */
        assert_int_equal(dialogue.need, DIALOGUE_OVER);
        assert_int_equal(rb_reason_verdict(dialogue.answer.reason), RB_VERDICT_UNKNOWN);
        answered(&dialogue, table[i].reason, RB_STAGE_EHLO);
    }
}

static void after_tls_lhlo_is_said_again(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_tls(&dialogue);
    feed(&dialogue, "220 go\r\n");
    dialogue_tls_started(&dialogue);
    sends(&dialogue, "LHLO we.example\r\n");
    feed(&dialogue, EHLO_PLAIN);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
}

/* Where LMTP differs is behind DATA (RFC 2033 4.2), which is never gone through. */
static void a_callout_by_lmtp_sends_no_message_either(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &with_data, OK);
    sends(&dialogue, "DATA\r\n");
    feed(&dialogue, "354 go on\r\n");
    is_over(&dialogue, RB_REASON_ACCEPTED, NULL);
    sends(&dialogue, "");
}

/* --- At every state, whatever it is called ------------------------------------- */

/* What a host says in place of its reply, at every state; the matrix knows plain words only. */
static void says_at_every_state(const char *octets, const char *rule)
{
    for (int pipelining = 0; pipelining < 2; pipelining++) {
        for (int state = BANNER_; state < STATES; state++) {
            struct dialogue dialogue;

            reach(&dialogue, state, pipelining != 0);
            feed(&dialogue, octets);
            assert_int_equal(dialogue.need, DIALOGUE_OVER);
            if (state == QUIT_ || (state == VERB_ && rule == NULL))
                assert_int_equal(dialogue.answer.reason, RB_REASON_NONE);
            else if (state == DATA_)
                answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
            else
                is_over(&dialogue, rule != NULL ? RB_REASON_PROTOCOL_ERROR : RB_REASON_TEMPFAIL,
                        rule);
        }
    }
}

static void a_421_in_the_words_for_a_mailbox_is_the_end_and_no_more(void **state)
{
    (void)state;
    says_at_every_state("421 5.1.1 User unknown\r\n", NULL);
    says_at_every_state("421-5.1.1 No such user\r\n421 5.1.1 User unknown\r\n", NULL);
}

static void a_code_that_changes_inside_a_reply_is_a_protocol_error_everywhere(void **state)
{
    (void)state;
    says_at_every_state("250-2.1.5 Ok\r\n550 5.1.1 User unknown\r\n", "reply_malformed");
    says_at_every_state("550-5.1.1 User unknown\r\n250 2.1.5 Ok\r\n", "reply_malformed");
    says_at_every_state("221-ready\r\n421 4.3.2 closing\r\n", "reply_malformed");
}

/* --- Before a question ------------------------------------------------------- */

static void nothing_is_said_before_the_banner(void **state)
{
    (void)state;
    struct dialogue dialogue;

    dialogue_init(&dialogue, "we.example", true);
    sends(&dialogue, "");
    assert_int_equal(dialogue_stage(&dialogue), RB_STAGE_BANNER);
    feed(&dialogue, "220-mx.example wait\r\n");
    sends(&dialogue, "");
    feed(&dialogue, "220-for it\r\n220 ");
    sends(&dialogue, "");
    feed(&dialogue, "now\r\n");
    sends(&dialogue, EHLO);
    assert_int_equal(dialogue_stage(&dialogue), RB_STAGE_EHLO);
}

static void a_banner_of_4yz_or_5yz_is_the_answer(void **state)
{
    (void)state;
    struct dialogue dialogue;

    dialogue_init(&dialogue, "we.example", true);
    feed(&dialogue, "554 no SMTP service here for listed hosts\r\n");
    is_over(&dialogue, RB_REASON_BLOCKED, NULL);
    assert_int_equal(dialogue.answer.stage, RB_STAGE_BANNER);
    assert_int_equal(dialogue.answer.code, 554);
    assert_string_equal(dialogue.answer.reply, "554 no SMTP service here for listed hosts");
    assert_null(dialogue.answer.mail_from);
}

/* RFC 5321 3.1: a host that refuses us waits for QUIT. Only 421 closes by itself. */
static void a_refused_greeting_is_answered_with_quit(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        bool quit;
    } table[] = {
        {"554 5.7.1 no service for you\r\n", true},
        {"451 4.3.0 not now\r\n", true},
        {"421 4.3.2 too many connections\r\n", false},
        {"hello\r\n", false},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        struct dialogue dialogue;

        dialogue_init(&dialogue, "we.example", true);
        feed(&dialogue, table[i].reply);
        is_left(&dialogue, table[i].quit);
        if (!table[i].quit)
            continue;
        dialogue_quit(&dialogue);
        sends(&dialogue, "QUIT\r\n");
        feed(&dialogue, "221 bye\r\n");
        is_left(&dialogue, false);
        answered(&dialogue, dialogue.answer.reason, RB_STAGE_BANNER);
    }
}

static void a_refused_ehlo_is_answered_with_quit(void **state)
{
    (void)state;
    struct dialogue dialogue;

    dialogue_init(&dialogue, "we.example", true);
    feed(&dialogue, BANNER);
    sends(&dialogue, EHLO);
    feed(&dialogue, "451 4.3.0 not now\r\n");
    is_left(&dialogue, true);
    dialogue_quit(&dialogue);
    sends(&dialogue, "QUIT\r\n");
    feed(&dialogue, "451 4.3.0 not now\r\n"); /* whatever it says */
    is_left(&dialogue, false);
    answered(&dialogue, RB_REASON_TEMPFAIL, RB_STAGE_EHLO);
}

/* postscreen says its first line while it still makes up its mind. */
static void a_teaser_before_the_banner_is_no_banner(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        enum rb_reason reason;
        const char *reply;
    } table[] = {
        {"521 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.example\r\n",
         RB_REASON_BLOCKED,
         "521 5.7.1 Service unavailable; client [192.0.2.1] blocked using bl.example"},
        {"521 5.5.1 Protocol error\r\n", RB_REASON_BLOCKED, "521 5.5.1 Protocol error"},
        {"554 no\r\n", RB_REASON_PROTOCOL_ERROR, ""},
        {"421 4.3.2 All server ports are busy\r\n", RB_REASON_TEMPFAIL,
         "421 4.3.2 All server ports are busy"},
        {"521-5.7.1 one\r\n220 two\r\n", RB_REASON_PROTOCOL_ERROR, ""},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        struct dialogue dialogue;

        dialogue_init(&dialogue, "we.example", true);
        feed(&dialogue, "220-mx.example ESMTP\r\n");
        sends(&dialogue, "");
        feed(&dialogue, table[i].rest);
        is_over(&dialogue, table[i].reason, NULL);
        assert_string_equal(dialogue.answer.reply, table[i].reply);
        answered(&dialogue, table[i].reason, RB_STAGE_BANNER);
    }
}

static void helo_follows_a_refused_ehlo_once_only(void **state)
{
    (void)state;
    struct dialogue dialogue;

    dialogue_init(&dialogue, "we.example", true);
    feed(&dialogue, BANNER);
    sends(&dialogue, EHLO);
    feed(&dialogue, "502 unknown command\r\n");
    sends(&dialogue, HELO);
    feed(&dialogue, "502 unknown command\r\n");
    sends(&dialogue, "");
    assert_int_equal(dialogue.need, DIALOGUE_OVER);
    assert_int_equal(rb_reason_verdict(dialogue.answer.reason), RB_VERDICT_UNKNOWN);
    assert_int_equal(dialogue.answer.stage, RB_STAGE_EHLO);
}

static void the_reply_to_helo_offers_nothing(void **state)
{
    (void)state;
    struct dialogue dialogue;

    dialogue_init(&dialogue, "we.example", true);
    feed(&dialogue, BANNER);
    sends(&dialogue, EHLO);
    feed(&dialogue, "502 unknown command\r\n");
    sends(&dialogue, HELO);
    feed(&dialogue, EHLO_STARTTLS);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
}

static void keywords_are_read_in_any_case_and_with_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        bool pipelining, starttls, utf8;
    } rows[] = {
        {"250 PIPELINING\r\n", false, false, false}, /* the first line is the greeting */
        {"250-PIPELINING\r\n250 SIZE\r\n", false, false, false},
        {"250-mx\r\n250 pipelining\r\n", true, false, false},
        {"250-mx\r\n250-StartTLS\r\n250 SMTPUTF8\r\n", false, true, true},
        {"250-mx\n250-STARTTLS\n250 PIPELINING\n", true, true, false},
        {"250-mx\r\n250-PIPELINING yes\r\n250 SMTPUTF8=1\r\n", true, false, true},
        {"250-mx\r\n250-XPIPELINING\r\n250-PIPELININGS\r\n250 NO STARTTLS\r\n", false, false,
         false},
        {"250-mx\r\n250-\r\n250 \r\n", false, false, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dialogue dialogue;

        dialogue_init(&dialogue, "we.example", false);
        feed(&dialogue, BANNER);
        sends(&dialogue, EHLO);
        feed(&dialogue, rows[i].reply);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        assert_int_equal(dialogue.pipelining, rows[i].pipelining);
        assert_int_equal(dialogue.starttls, rows[i].starttls);
        assert_int_equal(dialogue.utf8, rows[i].utf8);
    }
}

/* --- STARTTLS ---------------------------------------------------------------- */

static void starttls_is_used_where_offered(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_tls(&dialogue);
    feed(&dialogue, "220 go\r\n");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_TLS);
    sends(&dialogue, "");
    dialogue_tls_started(&dialogue);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_PEER);
    sends(&dialogue, EHLO);
}

static void starttls_is_not_used_where_not_offered(void **state)
{
    (void)state;
    struct dialogue dialogue;

    dialogue_init(&dialogue, "we.example", true);
    feed(&dialogue, BANNER);
    sends(&dialogue, EHLO);
    feed(&dialogue, EHLO_PIPELINING);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    sends(&dialogue, "");
}

static void starttls_is_not_used_when_tls_is_off(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_with(&dialogue, EHLO_STARTTLS);
    sends(&dialogue, "");
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL RCPT_USER);
}

static void a_refused_starttls_goes_on_in_clear(void **state)
{
    (void)state;
    static const char *const refusals[] = {"454 4.7.0 TLS not available\r\n", "502 no\r\n"};

    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct dialogue dialogue;

        open_tls(&dialogue);
        feed(&dialogue, refusals[i]);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        assert_int_equal(dialogue.answer.reason, RB_REASON_NONE);
        assert_false(dialogue.tls);
        dialogue_ask(&dialogue, &plain);
        sends(&dialogue, MAIL_NULL RCPT_USER);
    }
}

static void octets_behind_the_starttls_reply_end_the_session(void **state)
{
    (void)state;
    static const char *const injected[] = {"220 go\r\n250 injected\r\n", "220 go\r\n2",
                                           "220 go\r\n\x16\x03\x03", "220 go\r\n\r\n"};

    for (size_t i = 0; i < COUNT(injected); i++) {
        struct dialogue dialogue;

        open_tls(&dialogue);
        feed(&dialogue, injected[i]);
        is_over(&dialogue, RB_REASON_PROTOCOL_ERROR, "octets_before_tls");
    }
}

static void after_tls_ehlo_is_said_again_and_old_keywords_are_forgotten(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_tls(&dialogue);
    assert_true(dialogue.pipelining && dialogue.utf8);
    feed(&dialogue, "220 go\r\n");
    dialogue_tls_started(&dialogue);
    sends(&dialogue, EHLO);
    feed(&dialogue, "250 mx.example\r\n");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    assert_false(dialogue.pipelining || dialogue.utf8 || dialogue.starttls);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
}

static void starttls_is_not_said_twice(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_tls(&dialogue);
    feed(&dialogue, "220 go\r\n");
    dialogue_tls_started(&dialogue);
    sends(&dialogue, EHLO);
    feed(&dialogue, EHLO_STARTTLS);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    sends(&dialogue, "");
}

/* --- One transaction --------------------------------------------------------- */

static void pipelining_puts_mail_and_rcpt_in_one_flight(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL RCPT_USER);
    feed(&dialogue, OK);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_PEER);
    assert_int_equal(dialogue_stage(&dialogue), RB_STAGE_RCPT);
    feed(&dialogue, OK);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
    assert_string_equal(dialogue.answer.mail_from, "");
}

static void pipelining_puts_rset_mail_and_rcpt_in_one_flight(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, "RSET\r\n" MAIL_NULL RCPT_USER);
    feed(&dialogue, OK OK OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
}

/* Before a session is left alone for a while, so that no transaction stays open. */
static void a_reset_ends_the_transaction_and_the_next_needs_none(void **state)
{
    (void)state;
    for (int pipelining = 0; pipelining < 2; pipelining++) {
        struct dialogue dialogue;

        if (pipelining)
            open_pipelining(&dialogue);
        else
            open_plain(&dialogue);
        ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
        dialogue_reset(&dialogue);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_PEER);
        sends(&dialogue, "RSET\r\n");
        feed(&dialogue, OK);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
        dialogue_reset(&dialogue); /* nothing is open any more */
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        sends(&dialogue, "");
        dialogue_ask(&dialogue, &plain);
        sends(&dialogue, pipelining ? MAIL_NULL RCPT_USER : MAIL_NULL);
    }
}

static void a_reset_that_fails_ends_the_session_and_the_answer_stands(void **state)
{
    (void)state;
    static const char *const replies[] = {"500 5.5.1 what?\r\n", "421 4.4.2 too long\r\n",
                                          "354 go on\r\n"};

    for (size_t i = 0; i < COUNT(replies); i++) {
        struct dialogue dialogue;

        open_pipelining(&dialogue);
        ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
        dialogue_reset(&dialogue);
        sends(&dialogue, "RSET\r\n");
        feed(&dialogue, replies[i]);
        assert_int_equal(dialogue.need, DIALOGUE_OVER);
        answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
    }
}

static void without_pipelining_commands_go_one_by_one(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
    dialogue_ask(&dialogue, &plain);
    assert_int_equal(dialogue.answer.reason, RB_REASON_NONE);
    sends(&dialogue, "RSET\r\n");
    feed(&dialogue, OK);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
}

static void rset_is_left_out_where_no_transaction_was_opened(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, LISTED);
    answered(&dialogue, RB_REASON_BLOCKED, RB_STAGE_MAIL);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
}

static void the_answer_says_whom_the_reply_speaks_of(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum classify_subject subject;
    } table[] = {
        {UNKNOWN_USER, CLASSIFY_MAILBOX},
        {LISTED, CLASSIFY_US},
        {"550 5.5.3 Only one recipient per session\r\n", CLASSIFY_SESSION},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        struct dialogue dialogue;

        open_plain(&dialogue);
        ask_and_hear(&dialogue, &plain, table[i].reply);
        assert_int_equal(dialogue.answer.subject, table[i].subject);
    }
}

static void the_answer_carries_the_reply(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    ask_and_hear(&dialogue, &plain,
                 "550-5.1.1 The email account that you tried to reach does\r\n"
                 "550 5.1.1 not exist. User unknown\r\n");
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
    assert_int_equal(dialogue.answer.code, 550);
    assert_string_equal(dialogue.answer.enhanced, "5.1.1");
    assert_string_equal(
        dialogue.answer.reply,
        "550 5.1.1 The email account that you tried to reach does not exist. User unknown");
}

static void a_mail_refused_in_a_flight_waits_for_the_reply_to_rcpt(void **state)
{
    (void)state;
    static const struct {
        const char *rcpt_reply, *next;
    } rows[] = {
        {"503 5.5.1 need MAIL\r\n", MAIL_NULL},
        {UNKNOWN_USER, MAIL_NULL},
        {OK, "RSET\r\n" MAIL_NULL}, /* it took the RCPT all the same */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dialogue dialogue;

        open_pipelining(&dialogue);
        dialogue_ask(&dialogue, &plain);
        sends(&dialogue, MAIL_NULL RCPT_USER);
        feed(&dialogue, "451 4.3.0 Temporary lookup failure\r\n");
        assert_int_equal(dialogue.need, DIALOGUE_NEED_PEER);
        feed(&dialogue, rows[i].rcpt_reply);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        answered(&dialogue, RB_REASON_TEMPFAIL, RB_STAGE_MAIL);
        dialogue_ask(&dialogue, &plain);
        sends(&dialogue, rows[i].next);
    }
}

/* The RCPT behind it is a second error, and hosts count errors. */
static void after_a_refused_mail_rcpt_waits_for_the_reply_to_mail(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL RCPT_USER);
    feed(&dialogue, "450 4.7.1 too much mail\r\n503 5.5.1 need MAIL\r\n");
    assert_int_equal(dialogue.refusals, 2);
    for (unsigned i = 0; i < 3; i++) {
        dialogue_ask(&dialogue, &plain);
        sends(&dialogue, MAIL_NULL);
        feed(&dialogue, "450 4.7.1 too much mail\r\n");
        answered(&dialogue, RB_REASON_TEMPFAIL, RB_STAGE_MAIL);
        assert_int_equal(dialogue.refusals, 3 + i);
    }
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, UNKNOWN_USER);
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
}

/* What a host counts: every transaction, with its RSET, and every refusal. */
static void transactions_and_refusals_are_counted(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, OK);
    assert_int_equal(dialogue.transactions, 1);
    assert_int_equal(dialogue.refusals, 0);
    dialogue_reset(&dialogue);
    sends(&dialogue, "RSET\r\n");
    feed(&dialogue, OK);
    ask_and_hear(&dialogue, &with_fallback, BATV_REFUSED);
    sends(&dialogue, "RSET\r\n");
    feed(&dialogue, OK);
    sends(&dialogue, MAIL_FALLBACK);
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, "451 4.3.0 not now\r\n");
    assert_int_equal(dialogue.transactions, 3); /* with the fallback sender again */
    assert_int_equal(dialogue.refusals, 2);
}

/* --- Senders ----------------------------------------------------------------- */

static void a_refused_null_sender_is_followed_by_the_fallback_once(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &with_fallback);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, NULL_REFUSED);
    sends(&dialogue, MAIL_FALLBACK);
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, UNKNOWN_USER);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
    assert_true(dialogue.answer.null_sender_refused);
    assert_string_equal(dialogue.answer.mail_from, "postmaster@we.example");
}

static void a_null_sender_refused_in_a_flight_is_followed_by_the_fallback_once(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &with_fallback);
    sends(&dialogue, MAIL_NULL RCPT_USER);
    feed(&dialogue, NULL_REFUSED);
    sends(&dialogue, "");
    feed(&dialogue, "503 5.5.1 need MAIL\r\n");
    sends(&dialogue, MAIL_FALLBACK RCPT_USER);
    feed(&dialogue, OK UNKNOWN_USER);
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
    assert_true(dialogue.answer.null_sender_refused);
    assert_string_equal(dialogue.answer.mail_from, "postmaster@we.example");
}

static void a_batv_refusal_at_rcpt_is_followed_by_rset_and_the_fallback(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &with_fallback);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, BATV_REFUSED);
    sends(&dialogue, "RSET\r\n");
    feed(&dialogue, OK);
    sends(&dialogue, MAIL_FALLBACK);
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
    assert_true(dialogue.answer.null_sender_refused);
}

static void a_batv_refusal_in_a_flight_is_followed_by_rset_and_the_fallback(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &with_fallback);
    sends(&dialogue, MAIL_NULL RCPT_USER);
    feed(&dialogue, OK BATV_REFUSED);
    sends(&dialogue, "RSET\r\n" MAIL_FALLBACK RCPT_USER);
    feed(&dialogue, OK OK OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
    assert_string_equal(dialogue.answer.mail_from, "postmaster@we.example");
}

static void both_senders_refused_is_null_sender_refused(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &with_fallback);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, NULL_REFUSED);
    sends(&dialogue, MAIL_FALLBACK);
    feed(&dialogue, NULL_REFUSED);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    sends(&dialogue, "");
    answered(&dialogue, RB_REASON_NULL_SENDER_REFUSED, RB_STAGE_MAIL);

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &with_fallback);
    sends(&dialogue, MAIL_NULL RCPT_USER);
    feed(&dialogue, NULL_REFUSED "503 no\r\n");
    sends(&dialogue, MAIL_FALLBACK RCPT_USER);
    feed(&dialogue, NULL_REFUSED "503 no\r\n");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    sends(&dialogue, "");
    answered(&dialogue, RB_REASON_NULL_SENDER_REFUSED, RB_STAGE_MAIL);
    assert_true(dialogue.answer.null_sender_refused);
}

static void without_a_fallback_a_refused_null_sender_is_the_answer(void **state)
{
    (void)state;
    struct dialogue_question same = with_fallback;
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, NULL_REFUSED);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    answered(&dialogue, RB_REASON_NULL_SENDER_REFUSED, RB_STAGE_MAIL);
    assert_true(dialogue.answer.null_sender_refused);
    /* A fallback that is the sender itself is none. */
    same.fallback_mail_from = same.mail_from;
    dialogue_ask(&dialogue, &same);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, NULL_REFUSED);
    sends(&dialogue, "");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
}

static void the_fallback_is_not_asked_for_other_refusals(void **state)
{
    (void)state;
    static const char *const replies[] = {LISTED, "451 4.3.0 Temporary lookup failure\r\n"};

    for (size_t i = 0; i < COUNT(replies); i++) {
        struct dialogue dialogue;

        open_plain(&dialogue);
        dialogue_ask(&dialogue, &with_fallback);
        sends(&dialogue, MAIL_NULL);
        feed(&dialogue, replies[i]);
        sends(&dialogue, "");
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        assert_false(dialogue.answer.null_sender_refused);
    }
}

static void an_accepted_null_sender_is_not_marked_as_refused(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &with_fallback, UNKNOWN_USER);
    assert_false(dialogue.answer.null_sender_refused);
    assert_string_equal(dialogue.answer.mail_from, "");
}

/* The fallback was sent, but never heard: the answer is still that to the null sender. */
static void a_session_lost_over_the_null_sender_keeps_that_sender_in_its_answer(void **state)
{
    (void)state;
    static const char *const endings[] = {NULL, "421 closing\r\n"};
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &with_fallback);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, NULL_REFUSED);
    sends(&dialogue, MAIL_FALLBACK);
    dialogue_fail(&dialogue, RB_REASON_UNREACHABLE, "connection_lost");
    is_over(&dialogue, RB_REASON_NULL_SENDER_REFUSED, NULL);
    assert_string_equal(dialogue.answer.mail_from, "");

    for (size_t i = 0; i < COUNT(endings); i++) {
        open_pipelining(&dialogue);
        dialogue_ask(&dialogue, &with_fallback);
        sends(&dialogue, MAIL_NULL RCPT_USER);
        feed(&dialogue, NULL_REFUSED);
        if (endings[i] != NULL)
            feed(&dialogue, endings[i]);
        else
            dialogue_fail(&dialogue, RB_REASON_UNREACHABLE, "connection_lost");
        is_over(&dialogue, RB_REASON_NULL_SENDER_REFUSED, NULL);
        assert_string_equal(dialogue.answer.mail_from, "");
    }
}

static void a_refused_rset_before_the_fallback_leaves_the_refusal_as_the_answer(void **state)
{
    (void)state;
    static const char *const replies[] = {"502 what?\r\n", "421 closing\r\n"};

    for (size_t i = 0; i < COUNT(replies); i++) {
        struct dialogue dialogue;

        open_plain(&dialogue);
        ask_and_hear(&dialogue, &with_fallback, BATV_REFUSED);
        sends(&dialogue, "RSET\r\n");
        feed(&dialogue, replies[i]);
        is_over(&dialogue, RB_REASON_NULL_SENDER_REFUSED, NULL);
        assert_string_equal(dialogue.answer.mail_from, "");
    }
}

/* --- Leaving ------------------------------------------------------------------- */

/* What is still owed is waited for, unless the host takes commands in one flight. */
static void quit_is_said_in_the_middle_of_something_too(void **state)
{
    (void)state;

    for (int pipelining = 0; pipelining < 2; pipelining++) {
        struct dialogue dialogue;

        open_with(&dialogue, pipelining ? EHLO_PIPELINING : EHLO_PLAIN);
        dialogue_ask(&dialogue, &plain);
        dialogue_sent(&dialogue, dialogue.out_len);
        dialogue_break_off(&dialogue, RB_REASON_TIMEOUT, "cut_short");
        is_left(&dialogue, true);
        dialogue_quit(&dialogue);
        sends(&dialogue, pipelining ? "QUIT\r\n" : "");
        feed(&dialogue, OK);
        if (pipelining)
            feed(&dialogue, UNKNOWN_USER);
        else
            sends(&dialogue, "QUIT\r\n"); /* and no RCPT */
        assert_int_equal(dialogue.need, DIALOGUE_NEED_PEER);
        feed(&dialogue, "221 bye\r\n");
        is_left(&dialogue, false);
        is_over(&dialogue, RB_REASON_TIMEOUT, "cut_short");
    }
}

static void breaks_off_without_quit(struct dialogue *dialogue)
{
    dialogue_break_off(dialogue, RB_REASON_TIMEOUT, "cut_short");
    is_left(dialogue, false);
}

static void quit_is_not_said_where_it_is_no_command(void **state)
{
    (void)state;
    static const enum state states[] = {BANNER_, STARTTLS_, DATA_};
    struct dialogue dialogue;

    for (size_t i = 0; i < COUNT(states); i++) {
        reach(&dialogue, states[i], true);
        breaks_off_without_quit(&dialogue);
    }
    reach(&dialogue, STARTTLS_, true);
    feed(&dialogue, "220 go\r\n");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_TLS);
    breaks_off_without_quit(&dialogue);
    open_plain(&dialogue);
    dialogue_ask(&dialogue, &plain);
    dialogue_sent(&dialogue, 3); /* half of MAIL */
    breaks_off_without_quit(&dialogue);
}

static void a_host_that_has_gone_hears_no_quit(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
    dialogue_fail(&dialogue, RB_REASON_UNREACHABLE, "connection_lost");
    is_left(&dialogue, false);
}

/* --- An answer once given ---------------------------------------------------- */

static void an_answer_once_given_stands(void **state)
{
    (void)state;
    static const char *const later[] = {"421 closing\r\n", "250 more\r\n", "garbage\r\n", NULL};

    for (size_t i = 0; i < COUNT(later); i++) {
        struct dialogue dialogue;

        open_plain(&dialogue);
        ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
        if (later[i] != NULL)
            feed(&dialogue, later[i]);
        else
            dialogue_fail(&dialogue, RB_REASON_UNREACHABLE, "connection_lost");
        is_over(&dialogue, RB_REASON_NO_SUCH_USER, NULL);
        assert_int_equal(dialogue.answer.code, 550);
        assert_int_equal(dialogue.answer.stage, RB_STAGE_RCPT);
    }
}

static void unasked_octets_in_the_segment_of_the_answer_change_nothing_but_the_end(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, OK "421 closing\r\n");
    is_over(&dialogue, RB_REASON_ACCEPTED, NULL);
}

static void a_421_to_rcpt_is_the_answer_and_the_end(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, "421 4.3.2 closing\r\n");
    assert_int_equal(dialogue.need, DIALOGUE_OVER);
    assert_int_equal(dialogue.answer.code, 421);
    assert_int_equal(rb_reason_verdict(dialogue.answer.reason), RB_VERDICT_UNKNOWN);
}

static void a_421_to_a_rcpt_that_says_nothing_leaves_the_answer_of_mail(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL RCPT_USER);
    feed(&dialogue, LISTED "421 closing\r\n");
    is_over(&dialogue, RB_REASON_BLOCKED, NULL);
    assert_int_equal(dialogue.answer.stage, RB_STAGE_MAIL);
}

static void a_421_to_quit_is_no_answer(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
    dialogue_quit(&dialogue);
    sends(&dialogue, "QUIT\r\n");
    feed(&dialogue, "421 too late\r\n");
    is_over(&dialogue, RB_REASON_NO_SUCH_USER, NULL);
}

static void a_new_question_begins_without_the_old_answer(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, "RSET\r\n");
    dialogue_fail(&dialogue, RB_REASON_UNREACHABLE, "connection_lost");
    is_over(&dialogue, RB_REASON_UNREACHABLE, "connection_lost");
    assert_int_equal(dialogue.answer.code, 0);
    assert_int_equal(dialogue.answer.stage, RB_STAGE_RSET);
    assert_string_equal(dialogue.answer.reply, "");
}

/* --- DATA -------------------------------------------------------------------- */

static void a_3yz_to_data_ends_the_session_with_the_answer_of_rcpt(void **state)
{
    (void)state;
    static const char *const replies[] = {"354 go ahead\r\n", "350 go ahead\r\n"};

    for (size_t i = 0; i < COUNT(replies); i++) {
        struct dialogue dialogue;

        open_plain(&dialogue);
        ask_and_hear(&dialogue, &with_data, OK);
        sends(&dialogue, "DATA\r\n");
        feed(&dialogue, replies[i]);
        sends(&dialogue, "");
        is_over(&dialogue, RB_REASON_ACCEPTED, NULL);
        assert_int_equal(dialogue.answer.stage, RB_STAGE_RCPT);
    }
}

static void a_5yz_about_the_mailbox_at_data_overrides(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    ask_and_hear(&dialogue, &with_data, OK);
    sends(&dialogue, "DATA\r\n");
    feed(&dialogue, UNKNOWN_USER);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_DATA);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, "RSET\r\n" MAIL_NULL RCPT_USER);
}

static void other_replies_to_data_do_not_override(void **state)
{
    (void)state;
    static const char *const replies[] = {OK, "451 4.3.0 Temporary lookup failure\r\n", LISTED,
                                          "503 5.5.1 no\r\n"};

    for (size_t i = 0; i < COUNT(replies); i++) {
        struct dialogue dialogue;

        open_plain(&dialogue);
        ask_and_hear(&dialogue, &with_data, OK);
        sends(&dialogue, "DATA\r\n");
        feed(&dialogue, replies[i]);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
    }
}

static void data_is_not_said_after_a_refused_rcpt(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &with_data, UNKNOWN_USER);
    sends(&dialogue, "");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
}

/* --- What is asked ----------------------------------------------------------- */

static void a_utf8_address_is_asked_only_where_offered(void **state)
{
    (void)state;
    static const struct dialogue_question question = {
        .address = "j\xc3\xb6rg@d.example", .mail_from = "", .needs_utf8 = true};
    struct dialogue dialogue;

    open_plain(&dialogue);
    dialogue_ask(&dialogue, &question);
    sends(&dialogue, "");
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    assert_int_equal(dialogue.answer.reason, RB_REASON_REJECTED);
    assert_string_equal(dialogue.answer.rule, "no_smtputf8");
    /* The session is of use for others. */
    ask_and_hear(&dialogue, &plain, OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);

    open_with(&dialogue, "250-mx.example\r\n250 SMTPUTF8\r\n");
    dialogue_ask(&dialogue, &question);
    sends(&dialogue, "MAIL FROM:<> SMTPUTF8\r\n");
    feed(&dialogue, OK);
    sends(&dialogue, "RCPT TO:<j\xc3\xb6rg@d.example>\r\n");
}

static void an_address_never_becomes_a_command(void **state)
{
    (void)state;
    static const struct dialogue_question questions[] = {
        {.address = "a\r\nDATA@d.example", .mail_from = ""},
        {.address = "a\nb@d.example", .mail_from = ""},
        {.address = "a\rb@d.example", .mail_from = ""},
        {.address = "user@d.example", .mail_from = "x\r\nRCPT TO:<y@d.example"},
    };

    for (size_t i = 0; i < COUNT(questions); i++) {
        for (int pipelining = 0; pipelining < 2; pipelining++) {
            struct dialogue dialogue;

            open_with(&dialogue, pipelining ? EHLO_PIPELINING : EHLO_PLAIN);
            dialogue_ask(&dialogue, &questions[i]);
            if (dialogue.need == DIALOGUE_NEED_PEER) {
                sends(&dialogue, MAIL_NULL);
                feed(&dialogue, OK);
            }
            sends(&dialogue, "");
            is_over(&dialogue, RB_REASON_INTERNAL_ERROR, "command_refused");
        }
    }
}

static void an_address_that_does_not_fit_is_not_sent_cut(void **state)
{
    (void)state;
    char address[DIALOGUE_OUT_MAX + 1];
    struct dialogue_question question = {.address = address, .mail_from = ""};
    struct dialogue dialogue;

    memset(address, 'a', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &question);
    sends(&dialogue, "");
    is_over(&dialogue, RB_REASON_INTERNAL_ERROR, "command_refused");
}

static void a_flight_of_the_longest_addresses_fits(void **state)
{
    (void)state;
    char address[ADDRESS_TEXT_SIZE], sender[ADDRESS_TEXT_SIZE];
    struct dialogue_question question = {
        .address = address, .mail_from = sender, .needs_utf8 = true, .message_size = UINT64_MAX};
    struct dialogue dialogue;

    memset(address, 'a', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    memcpy(sender, address, sizeof sender);
    open_with(&dialogue, "250-mx.example\r\n250-SIZE\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n");
    ask_and_hear(&dialogue, &plain, OK);
    dialogue_ask(&dialogue, &question);
    assert_int_equal(dialogue.need, DIALOGUE_NEED_PEER);
    assert_int_equal(dialogue.queued, 3);
}

/* --- The message's size -------------------------------------------------------- */

#define EHLO_SIZE "250-mx.example\r\n250 SIZE\r\n"
#define TOO_LARGE "552 5.3.4 Message size exceeds fixed limit\r\n"

static struct dialogue_question of_size(uint64_t octets)
{
    struct dialogue_question question = with_fallback;

    question.message_size = octets;
    return question;
}

static void the_size_is_told_where_the_host_knows_it(void **state)
{
    static const struct {
        const char *ehlo;
        uint64_t octets;
        const char *mail;
    } rows[] = {
        {EHLO_SIZE, 4711, "MAIL FROM:<> SIZE=4711\r\n"},
        {EHLO_SIZE, UINT64_MAX, "MAIL FROM:<> SIZE=18446744073709551615\r\n"},
        {EHLO_SIZE, 0, MAIL_NULL},
        {EHLO_PLAIN, 4711, MAIL_NULL},
        {"250-mx.example\r\n250 size 4711\r\n", 4711, "MAIL FROM:<> SIZE=4711\r\n"},
        {"250-mx.example\r\n250 SIZE=4711\r\n", 4711, "MAIL FROM:<> SIZE=4711\r\n"},
        {"250-mx.example\r\n250 SIZE 0\r\n", 4711, "MAIL FROM:<> SIZE=4711\r\n"},
        {"250-mx.example\r\n250 SIZE much\r\n", 4711, "MAIL FROM:<> SIZE=4711\r\n"},
        {"250-mx.example\r\n250 SIZE 99999999999999999999\r\n", 4711, "MAIL FROM:<> SIZE=4711\r\n"},
        {"250-mx.example\r\n250 SIZES\r\n", 4711, MAIL_NULL},
    };

    (void)state;
    for (unsigned by_lmtp = 0; by_lmtp < 2; by_lmtp++) {
        lmtp = by_lmtp != 0;
        for (size_t i = 0; i < COUNT(rows); i++) {
            const struct dialogue_question question = of_size(rows[i].octets);
            struct dialogue dialogue;

            open_with(&dialogue, rows[i].ehlo);
            dialogue_ask(&dialogue, &question);
            sends(&dialogue, rows[i].mail);
        }
    }
    lmtp = false;
}

static void the_size_stands_before_smtputf8(void **state)
{
    struct dialogue_question question = of_size(9);
    struct dialogue dialogue;

    (void)state;
    question.needs_utf8 = true;
    open_with(&dialogue, "250-mx.example\r\n250-SMTPUTF8\r\n250 SIZE 10\r\n");
    dialogue_ask(&dialogue, &question);
    sends(&dialogue, "MAIL FROM:<> SIZE=9 SMTPUTF8\r\n");
}

static void what_was_said_of_sizes_in_clear_is_forgotten(void **state)
{
    const struct dialogue_question question = of_size(100);
    struct dialogue dialogue;

    (void)state;
    init(&dialogue, true);
    feed(&dialogue, BANNER);
    sends(&dialogue, EHLO);
    feed(&dialogue, "250-mx.example\r\n250-SIZE 10\r\n250 STARTTLS\r\n");
    sends(&dialogue, "STARTTLS\r\n");
    feed(&dialogue, OK);
    dialogue_tls_started(&dialogue);
    sends(&dialogue, EHLO);
    feed(&dialogue, EHLO_PLAIN);
    dialogue_ask(&dialogue, &question);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
}

/* The next message is of another size, or of none; it has a MAIL of its own. */
static void each_question_tells_its_own_size(void **state)
{
    const struct dialogue_question first = of_size(1), second = of_size(22);
    struct dialogue dialogue;

    (void)state;
    open_with(&dialogue, EHLO_SIZE);
    dialogue_ask(&dialogue, &first);
    sends(&dialogue, "MAIL FROM:<> SIZE=1\r\n");
    feed(&dialogue, OK);
    sends(&dialogue, RCPT_USER);
    feed(&dialogue, OK);
    dialogue_ask(&dialogue, &second);
    sends(&dialogue, "RSET\r\n");
    feed(&dialogue, OK);
    sends(&dialogue, "MAIL FROM:<> SIZE=22\r\n");
    feed(&dialogue, TOO_LARGE);
    answered(&dialogue, RB_REASON_TOO_LARGE, RB_STAGE_MAIL);
    ask_and_hear(&dialogue, &plain, OK);
    answered(&dialogue, RB_REASON_ACCEPTED, RB_STAGE_RCPT);
}

/* The fallback sender is not asked for it, and RCPT goes with MAIL as before. */
static void a_message_too_large_says_nothing_of_other_questions(void **state)
{
    const struct dialogue_question question = of_size(22);
    struct dialogue dialogue;

    (void)state;
    open_with(&dialogue, "250-mx.example\r\n250-SIZE\r\n250 PIPELINING\r\n");
    for (unsigned i = 0; i < 2; i++) {
        dialogue_ask(&dialogue, &question);
        sends(&dialogue, "MAIL FROM:<> SIZE=22\r\n" RCPT_USER);
        feed(&dialogue, TOO_LARGE "503 5.5.1 need MAIL\r\n");
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        answered(&dialogue, RB_REASON_TOO_LARGE, RB_STAGE_MAIL);
        assert_false(dialogue.answer.null_sender_refused);
        assert_int_equal(dialogue.answer.subject, CLASSIFY_RECIPIENT);
    }
    ask_and_hear(&dialogue, &plain, UNKNOWN_USER);
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
}

/* Above the limit that the host has announced the message would be rejected; whether the mailbox is
 * there is asked without its size. */
static void above_the_announced_limit_only_the_mailbox_is_asked_about(void **state)
{
    static const struct {
        const char *reply;
        enum rb_reason reason;
    } rows[] = {
        {OK, RB_REASON_TOO_LARGE},
        {UNKNOWN_USER, RB_REASON_NO_SUCH_USER},
        {"552 5.2.2 mailbox full\r\n", RB_REASON_MAILBOX_FULL},
        {"451 4.3.0 Temporary lookup failure\r\n", RB_REASON_TEMPFAIL},
    };
    struct dialogue_question question = of_size(1001);

    (void)state;
    question.data = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dialogue dialogue;

        open_with(&dialogue, "250-mx.example\r\n250 SIZE 1000\r\n");
        ask_and_hear(&dialogue, &question, rows[i].reply);
        assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
        answered(&dialogue, rows[i].reason, RB_STAGE_RCPT);
        if (rows[i].reason == RB_REASON_TOO_LARGE)
            assert_string_equal(dialogue.answer.rule, "announced_size");
    }
}

/* --- Octets ------------------------------------------------------------------ */

static void octets_before_we_asked_are_a_protocol_error(void **state)
{
    (void)state;
    struct dialogue dialogue;

    /* The reply to EHLO comes with the banner. */
    dialogue_init(&dialogue, "we.example", true);
    feed(&dialogue, BANNER EHLO_PLAIN);
    is_over(&dialogue, RB_REASON_PROTOCOL_ERROR, "unasked_octets");
    /* Behind the reply to EHLO. */
    dialogue_init(&dialogue, "we.example", true);
    feed(&dialogue, BANNER);
    sends(&dialogue, EHLO);
    feed(&dialogue, EHLO_PLAIN "250 more\r\n");
    is_over(&dialogue, RB_REASON_PROTOCOL_ERROR, "unasked_octets");
    /* The reply to RCPT comes with that to MAIL, which was sent alone. */
    open_plain(&dialogue);
    dialogue_ask(&dialogue, &plain);
    sends(&dialogue, MAIL_NULL);
    feed(&dialogue, OK OK);
    is_over(&dialogue, RB_REASON_PROTOCOL_ERROR, "unasked_octets");
}

/* A whole session: what the host says, in the order of the flights that were sent. */
struct turn {
    const char *sent, *replies;
};

static const struct turn long_session[] = {
    {"", "220-mx.example\r\n220-be patient\r\n220 ESMTP\r\n"},
    {EHLO, "250-mx.example\r\n250-SIZE 10240000\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n"},
    {MAIL_NULL RCPT_USER, NULL_REFUSED "503-5.5.1 Error:\r\n503 5.5.1 need MAIL command\r\n"},
    {MAIL_FALLBACK RCPT_USER, OK "250-2.1.5 fine\n250 2.1.5 Ok\n"},
    {"DATA\r\n", "550-5.1.1 User\r\n550 5.1.1 unknown here\r\n"},
};

/* Plays it, each flight's replies cut before octet `split` (0: an octet at a time). */
static void play_long_session(size_t split)
{
    struct dialogue_question question = with_fallback;
    struct dialogue dialogue;

    question.data = true;
    dialogue_init(&dialogue, "we.example", false);
    for (size_t i = 0; i < COUNT(long_session); i++) {
        const char *replies = long_session[i].replies;
        size_t len = strlen(replies), first = split < len ? split : len;

        if (dialogue.need == DIALOGUE_NEED_QUESTION)
            dialogue_ask(&dialogue, &question);
        sends(&dialogue, long_session[i].sent);
        for (size_t j = 0; split == 0 && j < len; j++)
            dialogue_feed(&dialogue, replies + j, 1);
        if (split > 0) {
            dialogue_feed(&dialogue, replies, first);
            dialogue_feed(&dialogue, replies + first, len - first);
        }
    }
    assert_int_equal(dialogue.need, DIALOGUE_NEED_QUESTION);
    answered(&dialogue, RB_REASON_NO_SUCH_USER, RB_STAGE_DATA);
    assert_string_equal(dialogue.answer.reply, "550 5.1.1 User unknown here");
    assert_string_equal(dialogue.answer.mail_from, "postmaster@we.example");
    assert_true(dialogue.answer.null_sender_refused);
    assert_int_equal(dialogue.replies, 7);
}

static void replies_split_at_every_octet_give_the_same_answer(void **state)
{
    (void)state;
    size_t longest = 0;

    for (size_t i = 0; i < COUNT(long_session); i++)
        if (strlen(long_session[i].replies) > longest)
            longest = strlen(long_session[i].replies);
    for (size_t split = 0; split <= longest; split++)
        play_long_session(split);
}

static void commands_sent_in_pieces_are_whole_in_the_end(void **state)
{
    (void)state;
    struct dialogue dialogue;
    char sent[64] = "";
    size_t len = 0;

    open_pipelining(&dialogue);
    dialogue_ask(&dialogue, &plain);
    while (dialogue.out_len > 0 && len < sizeof sent - 1) {
        sent[len++] = dialogue.out[0];
        dialogue_sent(&dialogue, 1);
    }
    sent[len] = '\0';
    assert_string_equal(sent, MAIL_NULL RCPT_USER);
}

static void a_session_over_hears_nothing(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_plain(&dialogue);
    ask_and_hear(&dialogue, &plain, "421 closing\r\n");
    feed(&dialogue, UNKNOWN_USER);
    assert_int_equal(dialogue.need, DIALOGUE_OVER);
    assert_int_equal(dialogue.answer.code, 421);
}

static void one_session_asks_for_many(void **state)
{
    (void)state;
    struct dialogue dialogue;

    open_pipelining(&dialogue);
    ask_and_hear(&dialogue, &plain, OK);
    for (int i = 0; i < 100; i++) {
        bool known = i % 3 == 0;

        dialogue_ask(&dialogue, &plain);
        sends(&dialogue, "RSET\r\n" MAIL_NULL RCPT_USER);
        feed(&dialogue, known ? OK OK OK : OK OK UNKNOWN_USER);
        answered(&dialogue, known ? RB_REASON_ACCEPTED : RB_REASON_NO_SUCH_USER, RB_STAGE_RCPT);
    }
    dialogue_quit(&dialogue);
    sends(&dialogue, "QUIT\r\n");
    feed(&dialogue, "221 bye\r\n");
    assert_int_equal(dialogue.need, DIALOGUE_OVER);
}

/* In LMTP. */
#define LMTP(test)                                                                                 \
    {                                                                                              \
        "lmtp: " #test, test, speak_lmtp, speak_smtp, NULL                                         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_a_way_out_on_every_reply_class),
        cmocka_unit_test(every_state_has_a_way_out_on_every_reply_class_with_pipelining),
        LMTP(every_state_has_a_way_out_on_every_reply_class),
        LMTP(every_state_has_a_way_out_on_every_reply_class_with_pipelining),
        LMTP(lmtp_begins_with_lhlo),
        LMTP(a_refused_lhlo_is_no_answer_about_anybody),
        LMTP(after_tls_lhlo_is_said_again),
        LMTP(a_callout_by_lmtp_sends_no_message_either),
        cmocka_unit_test(a_421_in_the_words_for_a_mailbox_is_the_end_and_no_more),
        cmocka_unit_test(a_code_that_changes_inside_a_reply_is_a_protocol_error_everywhere),
        cmocka_unit_test(nothing_is_said_before_the_banner),
        cmocka_unit_test(a_banner_of_4yz_or_5yz_is_the_answer),
        cmocka_unit_test(a_refused_greeting_is_answered_with_quit),
        cmocka_unit_test(a_refused_ehlo_is_answered_with_quit),
        cmocka_unit_test(a_teaser_before_the_banner_is_no_banner),
        cmocka_unit_test(helo_follows_a_refused_ehlo_once_only),
        cmocka_unit_test(the_reply_to_helo_offers_nothing),
        cmocka_unit_test(keywords_are_read_in_any_case_and_with_parameters),
        cmocka_unit_test(starttls_is_used_where_offered),
        cmocka_unit_test(starttls_is_not_used_where_not_offered),
        cmocka_unit_test(starttls_is_not_used_when_tls_is_off),
        cmocka_unit_test(a_refused_starttls_goes_on_in_clear),
        cmocka_unit_test(octets_behind_the_starttls_reply_end_the_session),
        cmocka_unit_test(after_tls_ehlo_is_said_again_and_old_keywords_are_forgotten),
        cmocka_unit_test(starttls_is_not_said_twice),
        cmocka_unit_test(pipelining_puts_mail_and_rcpt_in_one_flight),
        cmocka_unit_test(pipelining_puts_rset_mail_and_rcpt_in_one_flight),
        cmocka_unit_test(a_reset_ends_the_transaction_and_the_next_needs_none),
        cmocka_unit_test(a_reset_that_fails_ends_the_session_and_the_answer_stands),
        cmocka_unit_test(without_pipelining_commands_go_one_by_one),
        cmocka_unit_test(rset_is_left_out_where_no_transaction_was_opened),
        cmocka_unit_test(the_answer_says_whom_the_reply_speaks_of),
        cmocka_unit_test(the_answer_carries_the_reply),
        cmocka_unit_test(a_mail_refused_in_a_flight_waits_for_the_reply_to_rcpt),
        cmocka_unit_test(after_a_refused_mail_rcpt_waits_for_the_reply_to_mail),
        cmocka_unit_test(transactions_and_refusals_are_counted),
        cmocka_unit_test(a_refused_null_sender_is_followed_by_the_fallback_once),
        cmocka_unit_test(a_null_sender_refused_in_a_flight_is_followed_by_the_fallback_once),
        cmocka_unit_test(a_batv_refusal_at_rcpt_is_followed_by_rset_and_the_fallback),
        cmocka_unit_test(a_batv_refusal_in_a_flight_is_followed_by_rset_and_the_fallback),
        cmocka_unit_test(both_senders_refused_is_null_sender_refused),
        cmocka_unit_test(without_a_fallback_a_refused_null_sender_is_the_answer),
        cmocka_unit_test(the_fallback_is_not_asked_for_other_refusals),
        cmocka_unit_test(an_accepted_null_sender_is_not_marked_as_refused),
        cmocka_unit_test(a_session_lost_over_the_null_sender_keeps_that_sender_in_its_answer),
        cmocka_unit_test(a_refused_rset_before_the_fallback_leaves_the_refusal_as_the_answer),
        cmocka_unit_test(quit_is_said_in_the_middle_of_something_too),
        cmocka_unit_test(quit_is_not_said_where_it_is_no_command),
        cmocka_unit_test(a_host_that_has_gone_hears_no_quit),
        cmocka_unit_test(an_answer_once_given_stands),
        cmocka_unit_test(unasked_octets_in_the_segment_of_the_answer_change_nothing_but_the_end),
        cmocka_unit_test(a_421_to_rcpt_is_the_answer_and_the_end),
        cmocka_unit_test(a_421_to_a_rcpt_that_says_nothing_leaves_the_answer_of_mail),
        cmocka_unit_test(a_421_to_quit_is_no_answer),
        cmocka_unit_test(a_new_question_begins_without_the_old_answer),
        cmocka_unit_test(a_3yz_to_data_ends_the_session_with_the_answer_of_rcpt),
        cmocka_unit_test(a_5yz_about_the_mailbox_at_data_overrides),
        cmocka_unit_test(other_replies_to_data_do_not_override),
        cmocka_unit_test(data_is_not_said_after_a_refused_rcpt),
        cmocka_unit_test(a_utf8_address_is_asked_only_where_offered),
        cmocka_unit_test(an_address_never_becomes_a_command),
        cmocka_unit_test(an_address_that_does_not_fit_is_not_sent_cut),
        cmocka_unit_test(a_flight_of_the_longest_addresses_fits),
        cmocka_unit_test(the_size_is_told_where_the_host_knows_it),
        cmocka_unit_test(the_size_stands_before_smtputf8),
        cmocka_unit_test(what_was_said_of_sizes_in_clear_is_forgotten),
        cmocka_unit_test(each_question_tells_its_own_size),
        cmocka_unit_test(a_message_too_large_says_nothing_of_other_questions),
        cmocka_unit_test(above_the_announced_limit_only_the_mailbox_is_asked_about),
        cmocka_unit_test(octets_before_we_asked_are_a_protocol_error),
        cmocka_unit_test(replies_split_at_every_octet_give_the_same_answer),
        cmocka_unit_test(commands_sent_in_pieces_are_whole_in_the_end),
        cmocka_unit_test(a_session_over_hears_nothing),
        cmocka_unit_test(a_verb_before_mail_leaves_the_session_as_it_was),
        cmocka_unit_test(a_verb_behind_a_transaction_is_said_before_rset),
        cmocka_unit_test(a_verb_behind_rset_is_said_behind_mail),
        cmocka_unit_test(a_421_to_the_mail_before_a_verb_is_the_end),
        cmocka_unit_test(the_reply_to_a_verb_stands_whole),
        cmocka_unit_test(a_421_to_a_verb_is_its_reply_and_the_end),
        cmocka_unit_test(what_follows_the_reply_to_a_verb_unasked_changes_nothing_but_the_end),
        cmocka_unit_test(a_verb_never_becomes_two_commands),
        cmocka_unit_test(a_verb_is_said_behind_a_flight_that_was_refused),
        cmocka_unit_test(a_host_has_greeted_once_it_said_220),
        cmocka_unit_test(one_session_asks_for_many),
    };

    return cmocka_run_group_tests_name("dialogue", tests, NULL, NULL);
}
