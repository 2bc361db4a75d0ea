/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail host that says what it likes, to a dialogue that is asked questions whenever it wants one.
 * Input: one octet of choices, the address asked about up to "|", then what the host says. Where the
 * address begins with "-", what follows that is a verb's line too, and said as every other question. It is
 * heard a line at a time; lines that end in CR LF may come glued to what follows. "!" where a
 * handshake is due makes that fail. RFC 5321, 2920, 3207.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "smtp/dialogue.h"

const char fuzz_name[] = "dialogue";

enum {
    QUESTIONS_MAX = 4,
    ADDRESS_SIZE = 3000, /* more than fits in a command */
    SAID_PER_REPLY = 3,  /* RSET, MAIL, RCPT */
};

/* Of the first octet: "@" is none of them, "A" TLS, "B" DATA … */
enum choices {
    CHOICE_TLS = 1,
    CHOICE_DATA = 2,
    CHOICE_FALLBACK = 4,
    CHOICE_UTF8 = 8,
    CHOICE_SINGLY = 16, /* the host's octets come one at a time */
    CHOICE_GLUED = 32,
    CHOICE_UNSIZED = 64, /* else a message of 4711 octets is to come */
    CHOICE_RESTS = 128,  /* between questions the session is reset */
};

static const char null_sender[] = "";
static const char fallback[] = "postmaster@probe.example.org";

struct talk {
    struct dialogue dialogue;
    struct dialogue_question question;
    const char *verb; /* NULL: none is said */
    char address[ADDRESS_SIZE];
    unsigned choices, asked, said;
    bool asking, reset;
    enum rb_reason settled; /* the verdict of this transaction so far */
};

static bool begins(const char *line, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* A command line without its CR LF: one we know, nothing in it that could end it sooner. */
static void check_command(const struct talk *talk, const char *line, size_t len)
{
    static const char *const verbs[] = {"EHLO ",       "HELO ",     "STARTTLS", "RSET",
                                        "MAIL FROM:<", "RCPT TO:<", "DATA",     "QUIT"};
    bool known = talk->verb != NULL && len == strlen(talk->verb) && begins(line, len, talk->verb);

    HOLDS(!known || len <= DIALOGUE_VERB_MAX);
    HOLDS(memchr(line, '\r', len) == NULL && memchr(line, '\n', len) == NULL);
    HOLDS(memchr(line, '\0', len) == NULL);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        known = known || begins(line, len, verbs[i]);
    HOLDS(known);
    if (talk->verb != NULL) /* which may be any of these */
        return;
    HOLDS(!begins(line, len, "DATA") || talk->question.data);
    HOLDS(!begins(line, len, "STARTTLS") || talk->dialogue.use_tls);
    if (begins(line, len, "RCPT TO:<"))
        HOLDS(len == strlen("RCPT TO:<>") + strlen(talk->address));
}

/* What stands in `out`, and that it is awaited; then it is sent, in two parts. */
static void send_out(struct talk *talk)
{
    struct dialogue *dialogue = &talk->dialogue;
    const char *at = dialogue->out, *end = dialogue->out + dialogue->out_len;
    size_t lines = 0;

    HOLDS(dialogue->out_len <= sizeof dialogue->out);
    for (; at < end; lines++) {
        const char *cr = memchr(at, '\r', (size_t)(end - at));

        HOLDS(cr != NULL && cr + 1 < end && cr[1] == '\n');
        check_command(talk, at, (size_t)(cr - at));
        at = cr + 2;
    }
    HOLDS(lines <= SAID_PER_REPLY && lines <= dialogue->queued);
    talk->said += (unsigned)lines;
    dialogue_sent(dialogue, dialogue->out_len / 2);
    dialogue_sent(dialogue, dialogue->out_len);
    HOLDS(dialogue->out_len == 0);
}

/* An answer once given stands; only what DATA says can come after it. */
static void check_settled(struct talk *talk)
{
    const struct dialogue_answer *answer = &talk->dialogue.answer;

    if (talk->settled != RB_REASON_NONE)
        HOLDS(answer->reason == talk->settled || answer->stage == RB_STAGE_DATA);
    if (rb_reason_verdict(answer->reason) != RB_VERDICT_UNKNOWN)
        talk->settled = answer->reason;
}

static void check_answer(const struct talk *talk)
{
    const struct dialogue_answer *answer = &talk->dialogue.answer;
    enum rb_verdict verdict = rb_reason_verdict(answer->reason);

    HOLDS(memchr(answer->reply, '\0', sizeof answer->reply) != NULL);
    HOLDS(memchr(answer->enhanced, '\0', sizeof answer->enhanced) != NULL);
    for (const char *c = answer->reply; *c != '\0'; c++)
        HOLDS(*c >= ' ' && *c <= '~');
    if (answer->reason == RB_REASON_NONE)
        return;
    HOLDS(rb_reason_name(answer->reason)[0] != '?' && answer->rule != NULL);
    HOLDS(answer->mail_from == NULL || answer->mail_from == null_sender ||
          answer->mail_from == fallback);
    if (verdict == RB_VERDICT_UNKNOWN)
        return;
    HOLDS(talk->asked > 0 && answer->mail_from != NULL);
    if (verdict == RB_VERDICT_INVALID)
        HOLDS(answer->code / 100 == 5 &&
              (answer->stage == RB_STAGE_RCPT || answer->stage == RB_STAGE_DATA));
    if (answer->reason == RB_REASON_ACCEPTED)
        HOLDS(answer->code / 100 == 2 && answer->stage == RB_STAGE_RCPT);
}

/* Something is always awaited, or the session is over, or a question is: it cannot hang. */
static void check_state(struct talk *talk)
{
    const struct dialogue *dialogue = &talk->dialogue;

    HOLDS(dialogue->queued <= DIALOGUE_QUEUE_MAX);
    if (dialogue->need == DIALOGUE_NEED_PEER)
        HOLDS(dialogue->queued > 0 && dialogue_stage(dialogue) != RB_STAGE_NONE);
    else if (dialogue->need == DIALOGUE_OVER && dialogue_can_quit(dialogue))
        HOLDS(dialogue->out_len == 0);
    else
        HOLDS(dialogue->queued == 0 && dialogue->out_len == 0);
    if (talk->asking && dialogue->need != DIALOGUE_NEED_PEER)
        HOLDS(dialogue->answer.reason != RB_REASON_NONE ||
              (dialogue->answer.stage == RB_STAGE_VERB && dialogue->answer.code != 0));
    if (dialogue->need == DIALOGUE_NEED_TLS)
        HOLDS(dialogue->use_tls && !dialogue->tls && talk->asked == 0);
    HOLDS(talk->said <= 3 + SAID_PER_REPLY * dialogue->replies + SAID_PER_REPLY * QUESTIONS_MAX);
    check_answer(talk);
    check_settled(talk);
}

/* False: it is not due. */
static bool reset(struct talk *talk)
{
    if ((talk->choices & CHOICE_RESTS) == 0 || talk->asked == 0 || talk->reset)
        return false;
    talk->reset = true;
    dialogue_reset(&talk->dialogue);
    return true;
}

static void ask(struct talk *talk)
{
    struct dialogue *dialogue = &talk->dialogue;

    talk->reset = false;
    talk->asking = talk->asked++ < QUESTIONS_MAX;
    talk->settled = RB_REASON_NONE;
    if (talk->asking && talk->verb != NULL && talk->asked % 2 == 0)
        dialogue_ask_verb(dialogue, talk->verb);
    else if (talk->asking)
        dialogue_ask(dialogue, &talk->question);
    else
        dialogue_quit(dialogue);
}

/* Does what the dialogue wants until it wants to hear the host, or nothing any more. */
static void serve(struct talk *talk, bool handshake_fails)
{
    struct dialogue *dialogue = &talk->dialogue;

    check_state(talk);
    for (unsigned n = 0; dialogue->need != DIALOGUE_OVER || dialogue_can_quit(dialogue); n++) {
        HOLDS(n <= 2 * QUESTIONS_MAX + 2);
        if (dialogue->need == DIALOGUE_NEED_PEER) {
            send_out(talk);
            return;
        }
        if (dialogue->need == DIALOGUE_NEED_QUESTION) {
            if (!reset(talk))
                ask(talk);
        } else if (dialogue->need == DIALOGUE_OVER) {
            dialogue_quit(dialogue);
        } else if (handshake_fails) {
            dialogue_fail(dialogue, RB_REASON_TLS_REQUIRED, "tls_failed");
        } else {
            dialogue_tls_started(dialogue);
        }
        check_state(talk);
    }
}

/* How many octets the host says at once. */
static size_t portion(const struct talk *talk, const char *octets, size_t len)
{
    const char *end = octets;

    if ((talk->choices & CHOICE_SINGLY) != 0)
        return 1;
    do {
        end = memchr(end, '\n', len - (size_t)(end - octets));
        if (end == NULL)
            return len;
        end++;
    } while ((talk->choices & CHOICE_GLUED) != 0 && end - octets >= 2 && end[-2] == '\r' &&
             end < octets + len);
    return (size_t)(end - octets);
}

/* The session, to its end or the host's: lost then, and what was answered stands. */
static void converse(struct talk *talk, const char *octets, size_t len)
{
    struct dialogue *dialogue = &talk->dialogue;

    while (len > 0 && dialogue->need != DIALOGUE_OVER) {
        size_t said = portion(talk, octets, len);

        dialogue_feed(dialogue, octets, said);
        octets += said;
        len -= said;
        serve(talk, len > 0 && *octets == '!');
    }
    if (dialogue->need != DIALOGUE_OVER) {
        enum rb_reason before = dialogue->answer.reason;

        dialogue_fail(dialogue, RB_REASON_UNREACHABLE, "lost");
        HOLDS((before == RB_REASON_NONE && dialogue->answer.code == 0) ||
              dialogue->answer.reason == before);
        check_state(talk);
    }
    HOLDS(dialogue->need == DIALOGUE_OVER && dialogue->out_len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct talk talk;
    const uint8_t *bar = size > 0 ? memchr(data, '|', size) : NULL;
    size_t len;

    if (bar == NULL || bar == data)
        return 0;
    len = (size_t)(bar - data) - 1;
    if (len >= ADDRESS_SIZE)
        len = ADDRESS_SIZE - 1;
    memset(&talk, 0, sizeof talk);
    memcpy(talk.address, data + 1, len);
    talk.choices = data[0];
    talk.verb = talk.address[0] == '-' ? talk.address + 1 : NULL;
    talk.question = (struct dialogue_question){
        .address = talk.address,
        .mail_from = null_sender,
        .fallback_mail_from = (talk.choices & CHOICE_FALLBACK) != 0 ? fallback : NULL,
        .needs_utf8 = (talk.choices & CHOICE_UTF8) != 0,
        .data = (talk.choices & CHOICE_DATA) != 0,
        .message_size = (talk.choices & CHOICE_UNSIZED) != 0 ? 0 : 4711,
    };
    dialogue_init(&talk.dialogue, "probe.example.org", (talk.choices & CHOICE_TLS) != 0);
    HOLDS(talk.dialogue.out_len == 0);
    serve(&talk, false);
    converse(&talk, (const char *)bar + 1, (size_t)(data + size - (bar + 1)));
    return 0;
}
