/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_classify: real replies of mail hosts (tests/replies.tsv, tests/replies-more.tsv) get the
 * reasons they must get; and what must hold for every reply there could be.
 */
#include "config.h"

#include "classify.h"
#include "classify_text.h"

#include "check.h"

#include <stdio.h>

enum { LINE_SIZE = 8192 };

/* One row of a file of replies. */
struct sample {
    enum rb_stage stage;
    char reply[LINE_SIZE]; /* as it stands in the file, lines joined by '|' */
    enum rb_reason reason;
    int wait_s;
};

/* What was said before each reply of these tests. */
static const struct classify_question asked = {.address = "u@d.example",
                                               .mail_from = "postmaster@our.example",
                                               .helo_name = "mx.our.example",
                                               .source_ip = "192.0.2.1"};

static struct reply parse(const char *text)
{
    struct reply_parser parser;
    char octets[LINE_SIZE];
    size_t len = 0, used;

    for (const char *c = text; *c != '\0' && len + 3 < sizeof octets; c++) {
        if (*c == '|')
            octets[len++] = '\r';
        octets[len++] = *c == '|' ? '\n' : *c;
    }
    octets[len++] = '\r';
    octets[len++] = '\n';
    reply_parser_init(&parser);
    if (reply_feed(&parser, octets, len, &used) != REPLY_DONE)
        fail_msg("not a reply: %s", text);
    return parser.reply;
}

static struct judgement judge(enum rb_stage stage, const char *text)
{
    struct reply reply = parse(text);

    return classify(&asked, stage, &reply);
}

static enum rb_stage stage_named(const char *name)
{
    for (int stage = 1; stage < RB_STAGE_MAX; stage++)
        if (strcmp(rb_stage_name(stage), name) == 0)
            return stage;
    fail_msg("no stage is named \"%s\"", name);
    return RB_STAGE_NONE;
}

static void read_sample(char *line, struct sample *sample)
{
    char *fields[4] = {line};

    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 1; i < COUNT(fields); i++) {
        char *tab = strchr(fields[i - 1], '\t');

        if (tab == NULL)
            fail_msg("fewer than four fields: %s", line);
        *tab = '\0';
        fields[i] = tab + 1;
    }
    sample->stage = stage_named(fields[0]);
    (void)snprintf(sample->reply, sizeof sample->reply, "%s", fields[1]);
    sample->reason = rb_reason_from_name(fields[2]);
    if (sample->reason == RB_REASON_NONE)
        fail_msg("no reason is named \"%s\"", fields[2]);
    sample->wait_s = strcmp(fields[3], "-") == 0 ? 0 : atoi(fields[3]);
}

/* Calls back for each row; returns how many there were. */
static size_t each_sample(const char *name, void (*visit)(const struct sample *sample))
{
    const char *folder = getenv("RB_SRCDIR");
    struct sample *sample = malloc(sizeof *sample);
    char path[4096], line[LINE_SIZE];
    size_t count = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/tests/%s", folder != NULL ? folder : ".", name);
    file = fopen(path, "r");
    if (file == NULL || sample == NULL)
        fail_msg("%s cannot be read", path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#')
            continue;
        read_sample(line, sample);
        visit(sample);
        count++;
    }
    (void)fclose(file);
    free(sample);
    return count;
}

static unsigned wrong;

static void check_sample(const struct sample *sample)
{
    struct judgement judgement = judge(sample->stage, sample->reply);

    if (judgement.reason == sample->reason && judgement.wait_s == sample->wait_s)
        return;
    wrong++;
    print_error("%s %s\n    must be %s %d, is %s %d (rule %s)\n", rb_stage_name(sample->stage),
                sample->reply, rb_reason_name(sample->reason), sample->wait_s,
                rb_reason_name(judgement.reason), judgement.wait_s, judgement.rule);
}

static void the_shared_sample_of_replies_comes_out_right(void **state)
{
    (void)state;
    wrong = 0;
    assert_true(each_sample("replies.tsv", check_sample) >= 80);
    assert_int_equal(wrong, 0);
}

static void more_and_misleading_replies_come_out_right(void **state)
{
    (void)state;
    wrong = 0;
    assert_true(each_sample("replies-more.tsv", check_sample) >= 850);
    assert_int_equal(wrong, 0);
}

/* Every text of the samples, with another code and at every stage. */
static void with_code(const struct sample *sample, char class)
{
    char text[LINE_SIZE];
    bool line_start = true;

    (void)snprintf(text, sizeof text, "%s", sample->reply);
    for (char *c = text; *c != '\0'; c++) {
        if (line_start)
            *c = class;
        line_start = *c == '|';
    }
    for (int stage = RB_STAGE_BANNER; stage < RB_STAGE_MAX; stage++) {
        struct judgement judgement = judge(stage, text);

        if (rb_reason_verdict(judgement.reason) == RB_VERDICT_INVALID) {
            wrong++;
            print_error("%s %s: %s\n", rb_stage_name(stage), text,
                        rb_reason_name(judgement.reason));
        }
    }
}

static void as_4yz(const struct sample *sample)
{
    with_code(sample, '4');
}

static void rcpt_4yz_is_never_invalid(void **state)
{
    (void)state;
    wrong = 0;
    (void)each_sample("replies.tsv", as_4yz);
    (void)each_sample("replies-more.tsv", as_4yz);
    assert_int_equal(wrong, 0);
}

static void as_5yz_before_rcpt(const struct sample *sample)
{
    static const enum rb_stage stages[] = {RB_STAGE_BANNER, RB_STAGE_EHLO, RB_STAGE_STARTTLS,
                                           RB_STAGE_MAIL, RB_STAGE_RSET};

    for (size_t i = 0; i < COUNT(stages); i++)
        if (rb_reason_verdict(judge(stages[i], sample->reply).reason) == RB_VERDICT_INVALID)
            wrong++;
}

static void nothing_said_before_rcpt_is_about_the_mailbox(void **state)
{
    (void)state;
    wrong = 0;
    (void)each_sample("replies.tsv", as_5yz_before_rcpt);
    (void)each_sample("replies-more.tsv", as_5yz_before_rcpt);
    assert_int_equal(wrong, 0);
}

static void every_code_at_every_stage_has_a_reason_and_a_rule(void **state)
{
    (void)state;
    for (int code = 200; code < 600; code++) {
        for (int stage = RB_STAGE_BANNER; stage < RB_STAGE_MAX; stage++) {
            char text[32];
            struct judgement judgement;

            (void)snprintf(text, sizeof text, "%d something", code);
            judgement = judge(stage, text);
            assert_non_null(judgement.rule);
            assert_true(judgement.rule[0] != '\0');
            if (!(stage == RB_STAGE_DATA && code == 354))
                assert_int_not_equal(judgement.reason, RB_REASON_NONE);
        }
    }
}

static void words_that_say_nothing_are_never_no_such_user(void **state)
{
    static const char *const texts[] = {
        "550 no",
        "550 5.0.0 no",
        "550 unknown",
        "550 not found",
        "550 does not exist",
        "550 user",
        "550 mailbox",
        "550 error",
        "550 5.3.0 other",
        "550 5.2.0 other",
        "550 5.4.0 no answer",
        "550 5.4.4 unable to route",
        "550 5.6.0 bad message",
        "554 policy",
        "550 \xff\xfe\xfd",
        "550 5.1.1 denied by policy",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (judge(RB_STAGE_RCPT, texts[i]).reason == RB_REASON_NO_SUCH_USER)
            fail_msg("%s: taken for no_such_user", texts[i]);
}

static void rules_have_names_fit_for_a_log(const struct sample *sample)
{
    const char *rule = judge(sample->stage, sample->reply).rule;

    assert_true(strlen(rule) <= RB_RULE_MAX);
    assert_int_equal(strspn(rule, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(rule));
}

static void every_rule_that_decides_has_a_plain_name(void **state)
{
    (void)state;
    (void)each_sample("replies-more.tsv", rules_have_names_fit_for_a_log);
}

static void a_wait_is_read_where_it_is_one(void **state)
{
    static const struct {
        const char *text;
        int wait_s;
    } cases[] = {
        {"450 in 300 seconds", 300},
        {"450 for 5 minutes", 300},
        {"450 come back in 00:29:59", 1799},
        {"450 retry in 5 min", 300},
        {"450 after 2 hours", 7200},
        {"450 try again in 1 hour.", 3600},
        {"450 wait (300 sec)", 300},
        {"450 wait 60s", 60},
        {"450 in 2 days", 86400},
        {"450 in 0 seconds", 1},
        {"450 in 18446744073709551617 seconds", 86400},
        {"450 at 12:30:00", 0},
        {"450 within 4 hours", 0},
        {"450 id 300", 0},
        {"450 in 300", 0},
        {"450 from 192.0.2.1 seconds", 0},
        {"450 in 99:99:99", 0},
        {"450 in minutes", 0},
        {"450", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply reply = parse(cases[i].text);
        int wait_s = reply_wait_s(&reply, CLASSIFY_WAIT_MIN_S, CLASSIFY_WAIT_MAX_S);

        if (wait_s != cases[i].wait_s)
            fail_msg("%s: %d, not %d", cases[i].text, wait_s, cases[i].wait_s);
    }
}

static void only_a_4yz_asks_for_a_wait(void **state)
{
    (void)state;
    assert_int_equal(judge(RB_STAGE_RCPT, "550 greylisted for 300 seconds").wait_s, 0);
    assert_int_equal(judge(RB_STAGE_RCPT, "250 ok in 300 seconds").wait_s, 0);
}

static void what_a_reply_quotes_is_left_out(void **state)
{
    static const struct {
        const char *text, *phrase;
        bool there;
    } cases[] = {
        {"550 <blocked@d.example> no", "blocked", false},
        {"550 blocked@d.example no", "blocked", false},
        {"550 blocked... no", "blocked", false},
        {"550 no \"blocked\" here", "blocked", false},
        {"550 see https://d.example/blocked no", "blocked", false},
        {"550 blocked.d.example no", "blocked", false},
        {"550 blocked no", "blocked", true},
        {"550 u@d.example:blocked", "blocked", true},
        {"550 at zen.spamhaus.org", "at dnsbl", true},
        {"550 [192.0.2.1] no", "ip no", true},
        {"550 2001:db8::1 no", "ip no", true},
        {"550 user doesn't exist", "doesnt exist", true},
        {"550 TO:<u@d.example> No", "to no", true},
        {"550 <>: no", "<> no", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply reply = parse(cases[i].text);
        struct words words;

        words_read(&words, &reply);
        if (words_have(&words, cases[i].phrase) != cases[i].there)
            fail_msg("%s: \"%s\" must %sbe there", cases[i].text, cases[i].phrase,
                     cases[i].there ? "" : "not ");
    }
}

static void phrases_match_as_they_say(void **state)
{
    static const struct {
        const char *phrase;
        bool there; /* in "the user you asked for was not found here" */
    } cases[] = {
        {"user ~ not found", true},
        {"not found", true},
        {"found not", false},
        {"use*", true},
        {"us", false},
        {"mailbox/user you", true},
        {"mailbox/alias you", false},
        {"^ the user", true},
        {"^ user", false},
        {"found here $", true},
        {"found $", false},
        {"nothing|asked for", true},
        {"the ~ here", false},
        {"user ~ here", true},
        {"you ~ here", true},
    };
    struct reply reply = parse("550 the user you asked for was not found here");
    struct words words;

    (void)state;
    words_read(&words, &reply);
    for (size_t i = 0; i < COUNT(cases); i++)
        if (words_have(&words, cases[i].phrase) != cases[i].there)
            fail_msg("\"%s\" must %smatch", cases[i].phrase, cases[i].there ? "" : "not ");
}

static void an_enhanced_code_in_the_text_counts(void **state)
{
    static const struct {
        const char *text, *enhanced;
    } cases[] = {
        {"550 5.1.1 no", "5.1.1"},
        {"550 no (#5.1.1)", "5.1.1"},
        {"550 no (5.7.1)", "5.7.1"},
        {"550 no (#4.1.1)", ""},
        {"550 no #5.1", ""},
        {"550 no (5.1.1234)", ""},
        {"550 at 192.0.2.1 (5 of 6)", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply reply = parse(cases[i].text);
        char enhanced[RB_ENHANCED_MAX + 1];

        reply_enhanced(&reply, enhanced);
        assert_string_equal(enhanced, cases[i].enhanced);
    }
}

static void a_reply_says_whom_it_speaks_of(void **state)
{
    static const struct {
        enum rb_stage stage;
        const char *text;
        enum classify_subject subject;
    } cases[] = {
        {RB_STAGE_RCPT, "250 ok", CLASSIFY_MAILBOX},
        {RB_STAGE_RCPT, "550 5.1.1 <u@d.example>: user unknown", CLASSIFY_MAILBOX},
        {RB_STAGE_RCPT, "452 4.2.2 mailbox full", CLASSIFY_MAILBOX},
        {RB_STAGE_RCPT, "554 5.7.1 <u@d.example>: Recipient address rejected: Access denied",
         CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "550 Denied by policy", CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "554 5.7.1 <u@d.example>: Relay access denied", CLASSIFY_RECIPIENT},
        {RB_STAGE_MAIL, "550 5.7.1 <>: Sender address rejected", CLASSIFY_SENDER},
        {RB_STAGE_RCPT, "550 5.7.1 Client host rejected: Access denied", CLASSIFY_US},
        {RB_STAGE_RCPT, "554 5.7.1 <mx.our.example>: Helo command rejected: Access denied",
         CLASSIFY_US},
        {RB_STAGE_RCPT, "554 5.7.1 <postmaster@our.example>: Sender address rejected: no",
         CLASSIFY_SENDER},
        {RB_STAGE_BANNER, "554 IP address is block listed", CLASSIFY_US},
        {RB_STAGE_RCPT, "550 5.5.3 Only one recipient per session", CLASSIFY_SESSION},
        {RB_STAGE_RCPT, "550 5.7.1 Too many invalid recipients", CLASSIFY_SESSION},
        {RB_STAGE_RCPT, "421 4.7.0 mx Error: too many errors", CLASSIFY_SESSION},
        {RB_STAGE_MAIL, "450 4.7.1 Error: too much mail from 192.0.2.1", CLASSIFY_PACE},
        {RB_STAGE_RCPT, "450 4.7.1 Error: too many recipients from 192.0.2.1", CLASSIFY_PACE},
        {RB_STAGE_RCPT, "451 Sender rate 12.0 / 1m exceeds limit", CLASSIFY_PACE},
        {RB_STAGE_BANNER, "421 Too many concurrent SMTP connections; try again later",
         CLASSIFY_PACE},
        {RB_STAGE_RCPT, "451 4.3.0 Temporary lookup failure", CLASSIFY_HOST},
        {RB_STAGE_RCPT, "503 5.5.1 need MAIL command", CLASSIFY_HOST},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum classify_subject subject = judge(cases[i].stage, cases[i].text).subject;

        if (subject != cases[i].subject)
            fail_msg("%s: subject %d, not %d", cases[i].text, subject, cases[i].subject);
    }
}

static void long_and_odd_texts_are_read_within_bounds(void **state)
{
    char text[LINE_SIZE];

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 4; i < sizeof text; i += 2)
        text[i] = ' ';
    memcpy(text, "550 ", 4);
    text[1900] = '\0';
    assert_int_equal(judge(RB_STAGE_RCPT, text).reason, RB_REASON_REJECTED);
    memset(text + 4, '<', 1890);
    assert_int_equal(judge(RB_STAGE_RCPT, text).reason, RB_REASON_REJECTED);
    memset(text + 4, '@', 1890);
    assert_int_equal(judge(RB_STAGE_RCPT, text).reason, RB_REASON_REJECTED);
    memset(text + 4, 'x', 1890);
    assert_int_equal(judge(RB_STAGE_RCPT, text).reason, RB_REASON_REJECTED);
}

static void answers_about_the_mailbox_are_told_from_others(void **state)
{
    (void)state;
    assert_true(classify_is_about_mailbox(RB_REASON_ACCEPTED));
    assert_true(classify_is_about_mailbox(RB_REASON_NO_SUCH_USER));
    assert_true(classify_is_about_mailbox(RB_REASON_DISABLED));
    assert_true(classify_is_about_mailbox(RB_REASON_MAILBOX_FULL));
    assert_false(classify_is_about_mailbox(RB_REASON_BLOCKED));
    assert_false(classify_is_about_mailbox(RB_REASON_REJECTED));
    assert_false(classify_is_about_mailbox(RB_REASON_GREYLISTED));
    assert_false(classify_is_about_mailbox(RB_REASON_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shared_sample_of_replies_comes_out_right),
        cmocka_unit_test(more_and_misleading_replies_come_out_right),
        cmocka_unit_test(rcpt_4yz_is_never_invalid),
        cmocka_unit_test(nothing_said_before_rcpt_is_about_the_mailbox),
        cmocka_unit_test(every_code_at_every_stage_has_a_reason_and_a_rule),
        cmocka_unit_test(words_that_say_nothing_are_never_no_such_user),
        cmocka_unit_test(every_rule_that_decides_has_a_plain_name),
        cmocka_unit_test(a_wait_is_read_where_it_is_one),
        cmocka_unit_test(only_a_4yz_asks_for_a_wait),
        cmocka_unit_test(what_a_reply_quotes_is_left_out),
        cmocka_unit_test(phrases_match_as_they_say),
        cmocka_unit_test(an_enhanced_code_in_the_text_counts),
        cmocka_unit_test(a_reply_says_whom_it_speaks_of),
        cmocka_unit_test(long_and_odd_texts_are_read_within_bounds),
        cmocka_unit_test(answers_about_the_mailbox_are_told_from_others),
    };

    return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
