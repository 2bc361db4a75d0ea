/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_classify: real replies of mail hosts (tests/replies*.tsv) get the reasons they must get; and
 * what must hold for every reply there could be.
 */
#include "config.h"

#include "smtp/classify.h"
#include "smtp/classify_letters.h"
#include "smtp/classify_codes.h"
#include "smtp/classify_phrases.h"
#include "smtp/classify_wait.h"
#include "smtp/classify_vocabulary.h"

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

/* The same, where MAIL told the size of a message. */
static struct judgement judge_sized(enum rb_stage stage, const char *text)
{
    struct classify_question about = asked;
    struct reply reply = parse(text);

    about.sized = true;
    return classify(&about, stage, &reply);
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

static void public_replies_come_out_right(void **state)
{
    (void)state;
    wrong = 0;
    assert_true(each_sample("replies-field.tsv", check_sample) >= 700);
    assert_int_equal(wrong, 0);
}

/* All rows of all files. */
static void each_of_all(void (*visit)(const struct sample *sample))
{
    (void)each_sample("replies.tsv", visit);
    (void)each_sample("replies-more.tsv", visit);
    (void)each_sample("replies-field.tsv", visit);
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
    each_of_all(as_4yz);
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
    each_of_all(as_5yz_before_rcpt);
    assert_int_equal(wrong, 0);
}

/* --- What must hold for every reply about a mailbox ------------------------- */

static bool is_invalid(const char *reply)
{
    return rb_reason_verdict(judge(RB_STAGE_RCPT, reply).reason) == RB_VERDICT_INVALID;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

/* The term of a word of a reply, in whatever letters it is. */
static enum term term_of_word(const char *word, size_t len)
{
    char folded[256];
    size_t read;

    (void)letters_fold(folded, sizeof folded, word, len, &read);
    for (char *c = folded; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c |= 0x20;
    return vocabulary_word(folded);
}

static bool names_a_mailbox(enum term term)
{
    return term == TERM_BOX || term == TERM_PERSON || term == TERM_PEOPLE || term == TERM_ADDRESS ||
           term == TERM_EMAIL || term == TERM_NOBODY;
}

/* Text in which no quotation begins: only words are changed, not addresses and codes. */
static size_t token_len(const char *at)
{
    return strcspn(at, " |");
}

static bool is_plain(const char *at, size_t len)
{
    return memchr(at, '@', len) == NULL && memchr(at, '/', len) == NULL &&
           strcspn(at, "0123456789") >= len;
}

/* The length of a line's code and enhanced code. */
static size_t codes_len(const char *line)
{
    size_t len = strspn(line, "0123456789"), enhanced;

    len += line[len] == '-' || line[len] == ' ';
    enhanced = strspn(line + len, "0123456789.");
    if (enhanced >= strlen("5.1.1") && line[len + 1] == '.' && line[len + enhanced] == ' ')
        len += enhanced;
    return len;
}

/* The reply with `subject` for each word for the mailbox. False: it has none. */
static bool with_subject(char text[LINE_SIZE], const char *reply, const char *subject)
{
    size_t len = 0;
    bool changed = false;

    for (const char *at = reply; *at != '\0';) {
        size_t codes = at == reply || at[-1] == '|' ? codes_len(at) : 0, token;
        bool plain;

        len += (size_t)snprintf(text + len, LINE_SIZE - len, "%.*s", (int)codes, at);
        at += codes;
        token = token_len(at);
        plain = is_plain(at, token);
        for (const char *end = at + token; at < end;) {
            size_t word = 0;

            while (at + word < end && is_letter(at[word]))
                word++;
            if (plain && word > 0 && names_a_mailbox(term_of_word(at, word))) {
                len += (size_t)snprintf(text + len, LINE_SIZE - len, "%s", subject);
                changed = true;
            } else if (word > 0) {
                len += (size_t)snprintf(text + len, LINE_SIZE - len, "%.*s", (int)word, at);
            } else {
                text[len++] = *at;
            }
            at += word > 0 ? word : 1;
        }
        if (*at != '\0')
            text[len++] = *at++;
    }
    text[len] = '\0';
    return changed;
}

static const enum term foreign_subjects[] = {TERM_SENDER, TERM_US,       TERM_LIST,  TERM_POLICY,
                                             TERM_LIMIT,  TERM_CALLBACK, TERM_MAYBE, TERM_LISTED};

static void check_subject(const struct sample *sample, const char *subject)
{
    char text[LINE_SIZE];

    if (with_subject(text, sample->reply, subject) && is_invalid(text)) {
        wrong++;
        print_error("%s: invalid\n", text);
    }
}

/* The words of one group of the vocabulary, two of each: "first|second|…". */
static void check_subjects(const struct sample *sample, const char *words)
{
    for (int n = 0; n < 2 && *words != '\0'; n++) {
        char word[128];
        size_t len = strcspn(words, "|");

        (void)snprintf(word, sizeof word, "%.*s", (int)len, words);
        check_subject(sample, word);
        words += len;
        words += *words == '|';
    }
}

static void with_foreign_subjects(const struct sample *sample)
{
    const char *language, *words;
    enum term term;

    if (rb_reason_verdict(sample->reason) != RB_VERDICT_INVALID)
        return;
    for (size_t group = 0; vocabulary_group(group, &term, &language, &words); group++)
        for (size_t i = 0; i < COUNT(foreign_subjects); i++)
            if (term == foreign_subjects[i])
                check_subjects(sample, words);
}

static void what_is_said_of_another_subject_is_never_invalid(void **state)
{
    (void)state;
    wrong = 0;
    each_of_all(with_foreign_subjects);
    assert_int_equal(wrong, 0);
}

/* Each "u@d.example" becomes `instead`; where there is none, it goes to the end. */
static void quote(char text[LINE_SIZE], const char *reply, const char *instead)
{
    static const char address[] = "u@d.example";
    size_t len = 0;
    bool quoted = false;

    while (*reply != '\0') {
        if (strncmp(reply, address, strlen(address)) == 0) {
            len += (size_t)snprintf(text + len, LINE_SIZE - len, "%s", instead);
            reply += strlen(address);
            quoted = true;
        } else {
            text[len++] = *reply++;
        }
    }
    text[len] = '\0';
    if (!quoted)
        (void)snprintf(text + len, LINE_SIZE - len, " <%s>", instead);
}

static void quoting_ours(const struct sample *sample)
{
    static const char *const ours[] = {"postmaster@our.example", "POSTMASTER@Our.Example",
                                       "mx.our.example", "192.0.2.1"};
    char text[LINE_SIZE];

    for (size_t i = 0; i < COUNT(ours); i++) {
        quote(text, sample->reply, ours[i]);
        if (is_invalid(text)) {
            wrong++;
            print_error("%s: invalid\n", text);
        }
    }
}

static void what_quotes_ours_and_not_the_asked_is_never_invalid(void **state)
{
    (void)state;
    wrong = 0;
    each_of_all(quoting_ours);
    assert_int_equal(wrong, 0);
}

/* The sender that is asked with is known in each transaction, not once for all. */
static void the_asked_may_be_at_our_own_domain(void **state)
{
    static const struct classify_question own = {.address = "u@our.example",
                                                 .mail_from = "postmaster@our.example",
                                                 .helo_name = "our.example",
                                                 .source_ip = ""};
    struct reply reply = parse("550 5.1.1 <u@our.example>: User unknown");

    (void)state;
    assert_int_equal(classify(&own, RB_STAGE_RCPT, &reply).reason, RB_REASON_NO_SUCH_USER);
    reply = parse("550 5.1.1 <postmaster@our.example>: User unknown");
    assert_int_equal(classify(&own, RB_STAGE_RCPT, &reply).reason, RB_REASON_BLOCKED);
    reply = parse("550 5.1.1 User unknown at our.example");
    assert_int_equal(classify(&own, RB_STAGE_RCPT, &reply).reason, RB_REASON_NO_SUCH_USER);
}

static void a_policy_code_takes_more_than_a_generic_text(void **state)
{
    static const char *const texts[] = {
        "Address unknown",
        "Address invalid",
        "Mailbox unavailable",
        "Mailbox not available",
        "Unrouteable address",
        "Recipient rejected",
        "Address rejected",
        "The user has moved",
        "undeliverable address",
        "Inactive",
        "unknown",
        "Recipient address rejected",
        "mailbox access refused",
        "not found",
        "This address is not valid",
        "No valid recipients",
        "destination unreachable",
        "recipients are unknown",
    };
    static const char *const codes[] = {"5.7.0", "5.7.1", "5.7.9", "5.7.133", "5.7.606"};
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t k = 0; k < COUNT(codes); k++) {
            (void)snprintf(text, sizeof text, "550 %s %s", codes[k], texts[i]);
            if (is_invalid(text))
                fail_msg("%s: invalid", text);
            (void)snprintf(text, sizeof text, "550 %s (#%s)", texts[i], codes[k]);
            if (is_invalid(text))
                fail_msg("%s: invalid", text);
        }
    }
}

static void what_only_sounds_like_a_mailbox_is_never_invalid(void **state)
{
    static const char *const texts[] = {
        "550 5.1.1 User unknown: sender policy",
        "550 sender's user unknown",
        "550 user of the sender unknown",
        "550 unknown user (sender)",
        "550 5.1.1 unknown user in MAIL FROM",
        "550 5.1.1 MAIL FROM user unknown",
        "550 unknown user name in from address",
        "550 The user that sent this mail is unknown",
        "550 mail from unknown user",
        "550 mails from unknown users are rejected",
        "550 we reject mail from unknown recipients",
        "550 Unknown recipients are counted: limit reached",
        "550 5.1.1 limit of unknown recipients reached",
        "550 5.1.1 maximum number of invalid recipients reached",
        "550 5.1.1 you asked for an unknown user before",
        "550 5.1.1 previous recipient unknown, closing",
        "550 user quota exceeded for sender",
        "550 5.2.2 sender over quota",
        "550 list unknown",
        "550 5.1.1 unknown list",
        "550 5.1.1 no such list",
        "550 5.1.1 not a member",
        "550 5.1.1 user is not a member of this list",
        "550 5.1.1 user not subscribed",
        "550 user not found in list of subscribers",
        "550 user not found in access list",
        "550 5.7.1 user not found in whitelist",
        "550 account of sender suspended",
        "550 your account is suspended",
        "550 5.2.1 your mailbox is disabled",
        "550 sending account inactive",
        "550 5.2.1 account suspended for sending spam",
        "550 5.2.1 Account suspended because of outgoing spam",
        "550 client account disabled",
        "550 reseller account suspended",
        "550 relay user unknown",
        "550 auth user unknown",
        "550 login user unknown",
        "550 5.1.1 SASL user not found",
        "550 unknown user or password",
        "550 invalid user name or password",
        "550 invalid account or password",
        "550 user invalid: authentication",
        "550 invalid user credentials",
        "550 Unknown user type",
        "550 invalid mailbox format",
        "550 mailbox syntax invalid",
        "550 recipient syntax error",
        "550 invalid recipient syntax",
        "550 Recipient invalid syntax",
        "550 invalid recipient name",
        "550 unknown recipient class",
        "550 unknown recipient policy",
        "550 recipient policy not found",
        "550 5.1.1 mailbox policy does not exist",
        "550 mailbox limit unknown",
        "550 mailbox database not found",
        "550 mailbox server unknown",
        "550 user database not found",
        "550 user directory not found",
        "550 user lookup not found",
        "550 address book not found",
        "550 address list not found",
        "550 address range unknown",
        "550 address record not found",
        "550 address not resolvable",
        "550 address not found in DNS",
        "550 A record for address not found",
        "550 host address unknown",
        "550 network address unknown",
        "550 peer address unknown",
        "550 remote address unknown",
        "550 MAC address unknown",
        "550 address of your server unknown",
        "550 no PTR for address",
        "550 reverse address not found",
        "550 return address unknown",
        "550 reply address invalid",
        "550 source address unknown",
        "550 your address unknown",
        "550 contact address unknown",
        "550 postmaster address unknown",
        "550 postmaster account does not exist",
        "550 5.1.1 postmaster mailbox of your domain does not exist",
        "550 5.1.1 your domain has no postmaster account",
        "550 5.1.1 no postmaster mailbox at our.example",
        "550 abuse mailbox not found for your domain",
        "550 5.1.1 account verification failed",
        "550 5.1.1 mailbox verification failed",
        "550 callback: no such user",
        "550 call-back says user unknown",
        "550 callout to postmaster failed: user unknown",
        "550 Callout verification of sender failed: user unknown",
        "550 sender callout: 550 user unknown",
        "550 verify sender: 550 5.1.1 user unknown",
        "550 We tried to verify your sender address: user unknown",
        "550 could not deliver a bounce to you: user unknown",
        "550 bounce address: user unknown",
        "550 reverse-path: mailbox does not exist",
        "550 Spam account",
        "550 Spamtrap mailbox",
        "550 blocked user",
        "550 user blocked for sending",
        "550 the user has blocked you",
        "550 recipient has blocked your address",
        "550 recipient disabled mail from you",
        "550 recipient mailbox disabled for external mail",
        "550 mailbox disabled for non-members",
        "550 mailbox inactive for your domain",
        "550 mailbox closed for the night",
        "550 mailbox closed today",
        "550 mailbox locked by another session",
        "550 mailbox is locked by another process",
        "550 user locked, try later",
        "550 account temporarily locked",
        "550 message expired",
        "550 session expired",
        "550 certificate expired",
        "550 domain expired",
        "550 domain of user expired",
        "550 user's domain is suspended",
        "550 domain suspended",
        "550 service for this user suspended",
        "550 mail service for this account disabled",
        "550 mail to this user is disabled",
        "550 delivery to user disabled",
        "550 delivery to mailbox suspended",
        "550 forwarding for this user is disabled",
        "550 SMTP disabled for user",
        "550 POP account disabled",
        "550 user not available",
        "550 user unavailable",
        "550 recipient not available",
        "550 5.1.1 user unavailable",
        "550 5.1.1 mailbox unavailable for policy reasons",
        "550 5.1.1 mailbox unavailable: rate limit",
        "550 5.1.1 mailbox unavailable: spam",
        "550 mailbox unavailable: your IP is listed",
        "550 mailbox unavailable for you",
        "550 5.5.0 mailbox unavailable - sender rejected",
        "550 5.1.1 greylisted user unknown to us",
        "550 5.1.1 denied",
        "550 5.1.1 blocked",
        "550 5.1.1 rate limited",
        "550 5.1.1 too fast",
        "550 5.1.1 spam",
        "550 5.1.1 virus found",
        "550 5.1.1 content rejected",
        "550 5.1.1 rejected by rule",
        "550 5.1.1 relay denied",
        "550 5.1.1 no relay",
        "550 5.1.1 not local",
        "550 5.1.1 no access",
        "550 5.1.1 access denied",
        "550 5.1.1 go away",
        "550 5.1.1 no",
        "550 5.1.1 try elsewhere",
        "550 5.1.1 not here",
        "550 5.1.1 bad sender",
        "550 5.1.1 bad HELO",
        "550 5.1.1 bad host",
        "550 5.1.1 error in sender",
        "550 5.1.1 lookup error",
        "550 5.1.1 internal error",
        "550 5.1.1 local error",
        "550 5.1.1 system error",
        "550 5.1.1 timeout",
        "550 5.1.1 temporary error",
        "550 5.1.1 delayed",
        "550 5.1.1 deferred",
        "550 5.2.1 rejected",
        "550 5.2.1 refused",
        "550 5.2.1 quota",
        "550 5.2.1 mail refused",
        "550 5.2.1 not accepted",
        "550 5.2.1 message rejected",
        "550 5.2.1 user is away",
        "550 5.2.1 on vacation",
        "550 5.2.1 held",
        "550 5.2.1 moderated",
        "550 5.2.1 members only",
        "550 5.2.1 spam",
        "550 5.1.6 moved",
        "550 5.1.6 server has moved",
        "550 5.1.6 list has moved",
        "550 5.1.10 null MX",
        "550 5.1.10 domain has null MX",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Greylisted",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Policy",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Rate limit",
        "550 5.1.1 <u@d.example>: Recipient address rejected: SPF",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Sender unknown",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Domain not found",
        "550 5.1.1 <u@d.example>: Recipient address rejected: need fully-qualified address",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Mail appeared to be SPAM",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Members only",
        "550 5.1.1 <u@d.example>: Recipient address rejected: try later",
        "550 5.1.1 <u@d.example>: Recipient address rejected: Access denied",
        "550 5.1.1 <u@d.example>: Recipient address rejected: You are not welcome",
        "550 5.1.1 <u@d.example>: Sender address rejected: User unknown",
        "550 5.1.1 <mx.our.example>: Helo command rejected: user unknown",
        "550 5.1.1 <unknown[192.0.2.1]>: Client host rejected: unknown user"};

    (void)state;
    wrong = 0;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (is_invalid(texts[i])) {
            wrong++;
            print_error("%s: invalid\n", texts[i]);
        }
    }
    assert_int_equal(wrong, 0);
}

/* --- What makes no difference ------------------------------------------------ */

static void same_as(const struct sample *sample, const char *text)
{
    enum rb_reason reason = judge(sample->stage, text).reason;

    if (reason == sample->reason)
        return;
    wrong++;
    print_error("%s: %s, not %s\n", text, rb_reason_name(reason), rb_reason_name(sample->reason));
}

static void in_one_line(const struct sample *sample)
{
    char text[LINE_SIZE];
    size_t len = 0;

    if (strchr(sample->reply, '|') == NULL)
        return;
    for (const char *c = sample->reply; *c != '\0'; c++) {
        if (*c == '|') {
            text[len++] = ' ';
            c += codes_len(c + 1);
            continue;
        }
        text[len++] = *c;
    }
    text[len] = '\0';
    text[3] = ' ';
    same_as(sample, text);
}

/* Broken at its n-th blank. */
static void broken_at(const struct sample *sample, unsigned n)
{
    const char *blank = sample->reply + codes_len(sample->reply);
    char text[LINE_SIZE];

    if (*blank == '\0')
        return;
    for (blank = strchr(blank + 1, ' '); blank != NULL && n > 0; n--)
        blank = strchr(blank + 1, ' ');
    if (blank == NULL || strchr(sample->reply, '|') != NULL || blank[1] == '\0' ||
        blank[1] == '-' || (blank[1] >= '0' && blank[1] <= '9'))
        return;
    (void)snprintf(text, sizeof text, "%.*s|%.3s %s", (int)(blank - sample->reply), sample->reply,
                   sample->reply, blank + 1);
    text[3] = '-';
    same_as(sample, text);
}

static void in_more_lines(const struct sample *sample)
{
    for (unsigned n = 0; n < 6; n++)
        broken_at(sample, n);
}

static void how_a_reply_is_broken_into_lines_makes_no_difference(void **state)
{
    (void)state;
    wrong = 0;
    each_of_all(in_one_line);
    each_of_all(in_more_lines);
    assert_int_equal(wrong, 0);
}

/* Words only: names, addresses and what stands in capitals between dots are known by their case. */
static void in_capitals(const struct sample *sample)
{
    char text[LINE_SIZE];
    size_t len = 0;

    for (const char *at = sample->reply; *at != '\0';) {
        size_t token = token_len(at);
        bool plain = is_plain(at, token);

        for (size_t i = 0; i + 2 < token; i++)
            plain = plain && at[i + 1] != '.';
        for (size_t i = 0; i < token; i++, at++)
            text[len++] = (char)(plain && *at >= 'a' && *at <= 'z' ? *at & ~0x20 : *at);
        if (*at != '\0')
            text[len++] = *at++;
    }
    text[len] = '\0';
    same_as(sample, text);
}

static void upper_and_lower_case_make_no_difference(void **state)
{
    (void)state;
    wrong = 0;
    each_of_all(in_capitals);
    assert_int_equal(wrong, 0);
}

/* Without <> around the address, with a full stop at the end. */
static void punctuated_otherwise(const struct sample *sample)
{
    static const char *const ends[] = {".", "!", " ."};
    char text[LINE_SIZE];
    size_t len = 0;

    if (rb_reason_verdict(sample->reason) != RB_VERDICT_INVALID)
        return;
    for (size_t i = 0; i < COUNT(ends); i++) {
        (void)snprintf(text, sizeof text, "%s%s", sample->reply, ends[i]);
        same_as(sample, text);
    }
    for (const char *c = sample->reply; *c != '\0'; c++) {
        if (strncmp(c, "<u@d.example>", strlen("<u@d.example>")) == 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, "u@d.example");
            c += strlen("<u@d.example>");
        }
        text[len++] = *c;
        if (*c == '\0')
            break;
    }
    text[len] = '\0';
    same_as(sample, text);
}

static void brackets_and_full_stops_make_no_difference(void **state)
{
    (void)state;
    wrong = 0;
    each_of_all(punctuated_otherwise);
    assert_int_equal(wrong, 0);
}

/* --- The vocabulary ---------------------------------------------------------- */

static bool has_group(const char *of_language, enum term of_term)
{
    const char *language, *words;
    enum term term;

    for (size_t group = 0; vocabulary_group(group, &term, &language, &words); group++)
        if (term == of_term && strcmp(language, of_language) == 0)
            return true;
    return false;
}

static void every_language_that_knows_mailboxes_knows_what_is_none(void **state)
{
    static const enum term needed[] = {TERM_SENDER, TERM_US,       TERM_CALLBACK, TERM_YOUR,
                                       TERM_LIST,   TERM_POLICY,   TERM_LIMIT,    TERM_LISTED,
                                       TERM_MAYBE,  TERM_TEMPORARY};
    const char *language, *words;
    enum term term;

    (void)state;
    for (size_t group = 0; vocabulary_group(group, &term, &language, &words); group++)
        for (size_t i = 0; term == TERM_PERSON && i < COUNT(needed); i++)
            if (!has_group(language, needed[i]))
                fail_msg("\"%s\" has no words for term %d", language, needed[i]);
}

/* How often a whole word or phrase stands in the vocabulary. */
static unsigned times_in_vocabulary(const char *word, size_t len)
{
    const char *language, *words;
    enum term term;
    unsigned times = 0;

    for (size_t group = 0; vocabulary_group(group, &term, &language, &words); group++)
        for (const char *at = words; *at != '\0'; at += at[strcspn(at, "|")] == '|') {
            size_t other = strcspn(at, "|");

            times += other == len && memcmp(at, word, len) == 0;
            at += other;
            if (*at == '\0')
                break;
        }
    return times;
}

static bool is_folded(const char *word, size_t len)
{
    char folded[256];
    size_t read;

    if (letters_fold(folded, sizeof folded, word, len, &read) != len ||
        memcmp(folded, word, len) != 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (word[i] != ' ' && !is_letter(word[i]))
            return false;
    return len > 0;
}

/* A single word of letters is found again, and is what it was entered for. */
static void check_found(const char *word, size_t len, enum term term)
{
    char text[128];

    (void)snprintf(text, sizeof text, "%.*s", (int)len, word);
    if (strchr(text, ' ') == NULL && (text[0] & 0x80) == 0)
        assert_int_equal(vocabulary_word(text), term);
}

static void every_word_is_in_the_vocabulary_once_and_as_texts_are_read(void **state)
{
    const char *language, *words;
    enum term term;

    (void)state;
    for (size_t group = 0; vocabulary_group(group, &term, &language, &words); group++) {
        for (;;) {
            size_t len = strcspn(words, "|");

            if (!is_folded(words, len))
                fail_msg("\"%.*s\" (%s) can never be found", (int)len, words, language);
            if (times_in_vocabulary(words, len) != 1)
                fail_msg("\"%.*s\" (%s) is there twice", (int)len, words, language);
            check_found(words, len, term);
            if (words[len] == '\0')
                break;
            words += len + 1;
        }
    }
}

static void letters_of_other_scripts_are_read(void **state)
{
    static const struct {
        const char *text, *folded;
    } cases[] = {
        {"Empfänger", "Empfanger"},
        {"Empf\xe4nger", "Empfanger"},
        {"Użytkownik Łódź", "Uzytkownik Lodz"},
        {"Straße Œuvre", "Strasse OEuvre"},
        {"Почтовый ящик", "pochtovyy yaschik"},
        {"Ґ є Ё", "g e e"},
        {"用户 ユーザー", "用户 ユーザー"},
        {"l’adresse «x»\xc2\xa0…", "l'adresse \"x\" ..."},
        {"不明。", "不明. "},
        {"\xff\xfe", "\xff"},
        {"\xd8\xa7", "\x01"},
        {"\xe2\x82", "a\x01"},
    };
    char folded[64];
    size_t read;

    (void)state;
    for (size_t i = 0; i + 3 < COUNT(cases); i++) {
        (void)letters_fold(folded, sizeof folded, cases[i].text, strlen(cases[i].text), &read);
        assert_string_equal(folded, cases[i].folded);
        assert_int_equal(read, strlen(cases[i].text));
    }
    for (size_t size = LETTERS_EACH_MAX + 1; size < sizeof folded; size++) {
        size_t len = letters_fold(folded, size, "щщщщщщщщщщ", 20, &read);

        assert_true(len < size && strlen(folded) == len);
        assert_int_equal(len, read / 2 * 3);
    }
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
    each_of_all(rules_have_names_fit_for_a_log);
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
        int wait_s = wait_asked_s(&reply, CLASSIFY_WAIT_MIN_S, CLASSIFY_WAIT_MAX_S);

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

        words_read(&words, &asked, reply.text, reply.text_len);
        if (phrases_are_in(&words, cases[i].phrase) != cases[i].there)
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
    words_read(&words, &asked, reply.text, reply.text_len);
    for (size_t i = 0; i < COUNT(cases); i++)
        if (phrases_are_in(&words, cases[i].phrase) != cases[i].there)
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

        codes_enhanced(&reply, enhanced);
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
        {RB_STAGE_RCPT,
         "450 4.2.1 The user you are trying to contact is receiving mail too quickly",
         CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "451 4.5.1 The recipient <u@d.example> has exceeded their rate limit",
         CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "550 5.2.1 The user you are trying to contact is receiving mail at a rate",
         CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "550 5.7.1 Too many unknown users", CLASSIFY_SESSION},
        {RB_STAGE_RCPT, "450 4.7.1 <u@d.example>: Recipient address rejected: no",
         CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "450 4.7.1 <mx.our.example>: Helo command rejected: Host not found",
         CLASSIFY_US},
        {RB_STAGE_RCPT, "450 4.1.8 <p@our.example>: Sender address rejected: Domain not found",
         CLASSIFY_SENDER},
        {RB_STAGE_RCPT, "550 5.7.1 <u@d.example>... Access denied", CLASSIFY_US},
        {RB_STAGE_RCPT, "554 5.7.1 User u@d.example cannot receive email", CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "550 5.7.505 Access denied, banned recipient", CLASSIFY_RECIPIENT},
        {RB_STAGE_RCPT, "550 Access denied for 192.0.2.1", CLASSIFY_US},
        {RB_STAGE_RCPT, "550 our.example: no such domain", CLASSIFY_US},
        {RB_STAGE_RCPT,
         "550 5.1.1 <u@d.example>: Recipient address rejected: undeliverable address: "
         "host mx[192.0.2.9] said: 554 5.7.1 Client host rejected",
         CLASSIFY_RECIPIENT},
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

/* --- Sizes --------------------------------------------------------------------- */

static void a_message_too_large_is_told_from_a_full_mailbox(void **state)
{
    static const struct {
        enum rb_stage stage;
        const char *text;
        enum rb_reason reason;
    } cases[] = {
        /* Postfix, Sendmail, Exim, qmail, Courier, Exchange, Cyrus: when they hear of the size */
        {RB_STAGE_MAIL, "552 5.3.4 Message size exceeds fixed limit", RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "552 5.2.3 Message size exceeds fixed maximum message size (10240)",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "552 5.3.4 <>... Message is too large; 10240 bytes max",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "552 Message size exceeds maximum permitted", RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "552 sorry, that message size exceeds my databytes limit (#5.3.4)",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "523 Message length exceeds administrative limit.", RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "552 5.3.4 Message size exceeds fixed maximum message size",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "552 5.2.3 Message size (9000000) exceeds fixed maximum message size (1)",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_MAIL, "552 Requested mail action aborted: exceeded storage allocation",
         RB_REASON_TOO_LARGE},
        /* Dovecot's quota service, Exchange, Gmail, and rules for one recipient */
        {RB_STAGE_RCPT, "552 5.2.3 <u@d.example>: Recipient address rejected: Message is too large",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT,
         "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT, "552 5.3.4 Your message exceeded Google's message size limits.",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT, "554 #5.2.3 Msg too large", RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT, "552 5.3.4 message too large for mailbox", RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT, "552 message size exceeds maximum mailbox size", RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT, "552 Error: message too large", RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT, "554 The message exceeds Facebook's maximum allowed size.",
         RB_REASON_TOO_LARGE},
        {RB_STAGE_RCPT, "552 Requested mail action aborted: exceeded mailsize limit",
         RB_REASON_TOO_LARGE},
        /* Dovecot, Cyrus, Exchange, Exim, Postfix before them: for good, and for now */
        {RB_STAGE_RCPT, "552 5.2.2 <u@d.example> Quota exceeded (mailbox for user is full)",
         RB_REASON_MAILBOX_FULL},
        {RB_STAGE_RCPT, "452 4.2.2 <u@d.example> Quota exceeded (mailbox for user is full)",
         RB_REASON_MAILBOX_FULL},
        {RB_STAGE_RCPT, "552 5.2.2 <u@d.example>: Recipient address rejected: Mailbox is full",
         RB_REASON_MAILBOX_FULL},
        {RB_STAGE_RCPT, "552 5.2.2 Over quota", RB_REASON_MAILBOX_FULL},
        {RB_STAGE_RCPT, "452 4.2.2 Over quota", RB_REASON_MAILBOX_FULL},
        {RB_STAGE_RCPT, "552 5.2.2 mailbox full", RB_REASON_MAILBOX_FULL},
        {RB_STAGE_RCPT, "452 4.2.2 Mailbox full", RB_REASON_MAILBOX_FULL},
        {RB_STAGE_RCPT, "552 Message will exceed maximum mailbox size. Mail rejected",
         RB_REASON_MAILBOX_FULL},
        /* what is of this moment, or of something else */
        {RB_STAGE_MAIL, "452 4.3.1 Insufficient system storage", RB_REASON_TEMPFAIL},
        {RB_STAGE_MAIL, "452 4.3.4 Message too large for now", RB_REASON_TEMPFAIL},
        {RB_STAGE_MAIL, "550 5.7.1 <>: Sender address rejected", RB_REASON_NULL_SENDER_REFUSED},
        {RB_STAGE_MAIL, "552 5.7.0 Client host [192.0.2.1] blocked", RB_REASON_BLOCKED},
        {RB_STAGE_MAIL, "550 Message exceeds rate limit", RB_REASON_BLOCKED},
        {RB_STAGE_MAIL, "550 5.7.1 Mail exceeds the hourly limit for your host", RB_REASON_BLOCKED},
        {RB_STAGE_MAIL, "554 5.7.1 email exceeds limit of 100 per hour", RB_REASON_BLOCKED},
        {RB_STAGE_MAIL, "550 5.7.1 Oversized HELO", RB_REASON_BLOCKED},
        {RB_STAGE_RCPT, "554 5.7.1 email exceeds limit of 100 per hour", RB_REASON_BLOCKED},
        {RB_STAGE_RCPT, "550 mail exceeds daily sending limit", RB_REASON_REJECTED},
        {RB_STAGE_RCPT, "550 Message exceeds hop limit", RB_REASON_REJECTED},
        {RB_STAGE_MAIL, "555 5.5.4 Unsupported option: SIZE=1", RB_REASON_NULL_SENDER_REFUSED},
        {RB_STAGE_RCPT, "550 5.1.1 <u@d.example>: user unknown", RB_REASON_NO_SUCH_USER},
        {RB_STAGE_RCPT, "550 5.3.4 <u@d.example>: user unknown", RB_REASON_NO_SUCH_USER},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct judgement judgement = judge_sized(cases[i].stage, cases[i].text);

        if (judgement.reason != cases[i].reason)
            fail_msg("%s: %s by %s, not %s", cases[i].text, rb_reason_name(judgement.reason),
                     judgement.rule, rb_reason_name(cases[i].reason));
        assert_true(judgement.reason != RB_REASON_TOO_LARGE ||
                    judgement.subject == CLASSIFY_RECIPIENT);
    }
}

/* Where no size was told, no reply is about one; where one was, it makes no other answer of any. */
static void compare_with_sized(const struct sample *sample)
{
    const enum rb_reason plain = judge(sample->stage, sample->reply).reason;
    const enum rb_reason sized = judge_sized(sample->stage, sample->reply).reason;

    assert_int_not_equal(plain, RB_REASON_TOO_LARGE);
    if (sized == plain)
        return;
    assert_int_equal(sized, RB_REASON_TOO_LARGE);
    assert_true(plain == RB_REASON_REJECTED || plain == RB_REASON_NULL_SENDER_REFUSED);
}

static void a_size_that_was_told_changes_no_other_answer(void **state)
{
    (void)state;
    each_of_all(compare_with_sized);
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
        cmocka_unit_test(public_replies_come_out_right),
        cmocka_unit_test(rcpt_4yz_is_never_invalid),
        cmocka_unit_test(nothing_said_before_rcpt_is_about_the_mailbox),
        cmocka_unit_test(what_is_said_of_another_subject_is_never_invalid),
        cmocka_unit_test(what_quotes_ours_and_not_the_asked_is_never_invalid),
        cmocka_unit_test(the_asked_may_be_at_our_own_domain),
        cmocka_unit_test(a_policy_code_takes_more_than_a_generic_text),
        cmocka_unit_test(what_only_sounds_like_a_mailbox_is_never_invalid),
        cmocka_unit_test(how_a_reply_is_broken_into_lines_makes_no_difference),
        cmocka_unit_test(upper_and_lower_case_make_no_difference),
        cmocka_unit_test(brackets_and_full_stops_make_no_difference),
        cmocka_unit_test(every_language_that_knows_mailboxes_knows_what_is_none),
        cmocka_unit_test(every_word_is_in_the_vocabulary_once_and_as_texts_are_read),
        cmocka_unit_test(letters_of_other_scripts_are_read),
        cmocka_unit_test(every_code_at_every_stage_has_a_reason_and_a_rule),
        cmocka_unit_test(words_that_say_nothing_are_never_no_such_user),
        cmocka_unit_test(every_rule_that_decides_has_a_plain_name),
        cmocka_unit_test(a_wait_is_read_where_it_is_one),
        cmocka_unit_test(only_a_4yz_asks_for_a_wait),
        cmocka_unit_test(what_a_reply_quotes_is_left_out),
        cmocka_unit_test(phrases_match_as_they_say),
        cmocka_unit_test(an_enhanced_code_in_the_text_counts),
        cmocka_unit_test(a_reply_says_whom_it_speaks_of),
        cmocka_unit_test(a_message_too_large_is_told_from_a_full_mailbox),
        cmocka_unit_test(a_size_that_was_told_changes_no_other_answer),
        cmocka_unit_test(long_and_odd_texts_are_read_within_bounds),
        cmocka_unit_test(answers_about_the_mailbox_are_told_from_others),
    };

    return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
