/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dialogue: the state machine of a callout's SMTP session; see dialogue.h. One function writes
 * commands (say), one chooses what follows a reply (on_reply); each can be held against RFC
 * 5321 4.1 and 4.3.2. Must not know sockets or time.
 */
#include "config.h"

#include "smtp/dialogue.h"

#include "base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void dialogue_init(struct dialogue *dialogue, const char *helo_name, bool use_tls)
{
    *dialogue = (struct dialogue){
        .helo_name = helo_name,
        .use_tls = use_tls,
        .source_ip = "",
        .need = DIALOGUE_NEED_PEER,
        .queue = {RB_STAGE_BANNER},
        .queued = 1,
    };
    reply_parser_init(&dialogue->parser);
    dialogue->parser.teaser = true;
}

enum rb_stage dialogue_stage(const struct dialogue *dialogue)
{
    return dialogue->queued > 0 ? dialogue->queue[0] : RB_STAGE_NONE;
}

/* Nothing more can be said. */
static void over(struct dialogue *dialogue)
{
    dialogue->need = DIALOGUE_OVER;
    dialogue->queued = 0;
    dialogue->out_len = 0;
    dialogue->asking = dialogue->may_quit = false;
}

/*
 * Not before the banner, not behind half a command, and not where what follows is no command: in a
 * handshake, or in a message.
 */
static bool has_room_for_quit(const struct dialogue *dialogue)
{
    enum rb_stage stage = dialogue_stage(dialogue);

    return dialogue->replies > 0 && dialogue->out_len == 0 && stage != RB_STAGE_STARTTLS &&
           dialogue->need != DIALOGUE_NEED_TLS && stage != RB_STAGE_DATA;
}

/* Nothing but QUIT can be said. */
static void leave(struct dialogue *dialogue)
{
    if (!has_room_for_quit(dialogue)) {
        over(dialogue);
        return;
    }
    dialogue->need = DIALOGUE_OVER;
    dialogue->asking = false;
    dialogue->may_quit = true;
}

static bool is_answered(const struct dialogue *dialogue)
{
    const struct dialogue_answer *answer = &dialogue->answer;

    return answer->reason != RB_REASON_NONE || answer->code != 0;
}

/* An answer without a reply: lost connections, local refusals. Never overrules one given before. */
static void answer_without_reply(struct dialogue *dialogue, enum rb_reason reason, const char *rule)
{
    struct dialogue_answer *answer = &dialogue->answer;

    if (is_answered(dialogue) || dialogue->quitting)
        return;
    answer->reason = reason;
    answer->stage = dialogue_stage(dialogue);
    answer->rule = rule;
}

static const char *sender(const struct dialogue *dialogue)
{
    const struct dialogue_question *question = &dialogue->question;

    return dialogue->fallback_used ? question->fallback_mail_from : question->mail_from;
}

/*
 * Whether the message is larger than the host has announced that it takes. The host is not told the
 * size then: that would end the question at MAIL, and whether the mailbox is there is asked all the
 * same.
 */
static bool is_above_limit(const struct dialogue *dialogue)
{
    return dialogue->size_max != 0 && dialogue->question.message_size > dialogue->size_max;
}

static bool tells_size(const struct dialogue *dialogue)
{
    return dialogue->size && dialogue->question.message_size != 0 && !is_above_limit(dialogue);
}

/* What the reply that has come means, to what was said. */
static struct judgement judge(const struct dialogue *dialogue, enum rb_stage stage)
{
    const char *address = dialogue->question.address, *mail_from = sender(dialogue);
    const struct classify_question about = {
        .address = address != NULL ? address : "",
        .mail_from = mail_from != NULL ? mail_from : "",
        .helo_name = dialogue->helo_name,
        .source_ip = dialogue->source_ip,
        .sized = tells_size(dialogue),
    };

    return classify(&about, stage, &dialogue->parser.reply);
}

static void answer_from_reply(struct dialogue *dialogue, enum rb_stage stage,
                              const struct judgement *judgement)
{
    const struct reply *reply = &dialogue->parser.reply;
    struct dialogue_answer *answer = &dialogue->answer;

    answer->reason = judgement->reason;
    answer->stage = stage;
    answer->subject = judgement->subject;
    answer->rule = judgement->rule;
    answer->wait_s = judgement->wait_s;
    answer->code = reply->code;
    if (stage == RB_STAGE_MAIL || stage == RB_STAGE_RCPT || stage == RB_STAGE_DATA)
        answer->mail_from = sender(dialogue);
    memcpy(answer->enhanced, reply->enhanced, sizeof answer->enhanced);
    reply_format(reply, answer->reply, sizeof answer->reply);
}

void dialogue_fail(struct dialogue *dialogue, enum rb_reason reason, const char *rule)
{
    answer_without_reply(dialogue, reason, rule);
    over(dialogue);
}

void dialogue_break_off(struct dialogue *dialogue, enum rb_reason reason, const char *rule)
{
    answer_without_reply(dialogue, reason, rule);
    leave(dialogue);
}

/*
 * The only writer of commands. Refuses CR, LF and NUL in what it was given, so that no address can
 * ever become a command of its own. The reply is awaited at `stage`.
 */
static bool say(struct dialogue *dialogue, enum rb_stage stage, const char *format, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));

static bool say(struct dialogue *dialogue, enum rb_stage stage, const char *format, ...)
{
    char *line = dialogue->out + dialogue->out_len;
    size_t room = sizeof dialogue->out - dialogue->out_len;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, room, format, args);
    va_end(args);
    if (len < 0 || (size_t)len + 2 >= room || strpbrk(line, "\r\n") != NULL ||
        dialogue->queued == DIALOGUE_QUEUE_MAX) {
        dialogue_fail(dialogue, RB_REASON_INTERNAL_ERROR, "command_refused");
        return false;
    }
    /* `out` is octets with a length. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(line + len, "\r\n", 2);
    dialogue->out_len += (size_t)len + 2;
    dialogue->queue[dialogue->queued++] = stage;
    dialogue->need = DIALOGUE_NEED_PEER;
    return true;
}

void dialogue_sent(struct dialogue *dialogue, size_t len)
{
    assert(len <= dialogue->out_len);
    dialogue->out_len -= len;
    memmove(dialogue->out, dialogue->out + len, dialogue->out_len);
}

static void ready(struct dialogue *dialogue)
{
    dialogue->asking = false;
    dialogue->need = DIALOGUE_NEED_QUESTION;
}

static bool say_mail(struct dialogue *dialogue)
{
    char size[sizeof " SIZE=18446744073709551615"] = "";

    if (tells_size(dialogue))
        (void)snprintf(size, sizeof size, " SIZE=%" PRIu64, dialogue->question.message_size);
    /* An answer that stands keeps the sender it was given to. */
    if (dialogue->answer.reason == RB_REASON_NONE)
        dialogue->answer.mail_from = sender(dialogue);
    return say(dialogue, RB_STAGE_MAIL, "MAIL FROM:<%s>%s%s", sender(dialogue), size,
               dialogue->question.needs_utf8 ? " SMTPUTF8" : "");
}

static bool say_rcpt(struct dialogue *dialogue)
{
    return say(dialogue, RB_STAGE_RCPT, "RCPT TO:<%s>", dialogue->question.address);
}

/* MAIL and RCPT, in one flight where the host allows it (RFC 2920 3.1). */
static void begin_transaction(struct dialogue *dialogue)
{
    bool said;

    dialogue->transactions++;
    dialogue->skip_rcpt = false;
    if (dialogue->transaction_open) {
        dialogue->transaction_open = false;
        said = say(dialogue, RB_STAGE_RSET, "RSET");
        if (!said || !dialogue->pipelining)
            return;
    }
    said = say_mail(dialogue);
    if (said && dialogue->pipelining && !dialogue->rcpt_waits)
        (void)!say_rcpt(dialogue);
}

/* Something is asked; verb: NULL, or what. */
static void begin_asking(struct dialogue *dialogue, const char *verb)
{
    assert(dialogue->need == DIALOGUE_NEED_QUESTION);
    dialogue->verb = verb;
    dialogue->answer = (struct dialogue_answer){0};
    dialogue->fallback_used = dialogue->skip_rcpt = false;
    dialogue->asking = true;
}

void dialogue_ask(struct dialogue *dialogue, const struct dialogue_question *question)
{
    begin_asking(dialogue, NULL);
    dialogue->question = *question;
    /* The RCPT behind a MAIL that is refused is an error too, and hosts count errors. */
    dialogue->rcpt_waits = dialogue->mail_refused;
    if (question->needs_utf8 && !dialogue->utf8) {
        answer_without_reply(dialogue, RB_REASON_REJECTED, "no_smtputf8");
        ready(dialogue);
        return;
    }
    begin_transaction(dialogue);
}

void dialogue_reset(struct dialogue *dialogue)
{
    assert(dialogue->need == DIALOGUE_NEED_QUESTION);
    if (!dialogue->transaction_open)
        return;
    dialogue->transaction_open = false;
    (void)!say(dialogue, RB_STAGE_RSET, "RSET");
}

static bool is_sayable(const char *line)
{
    size_t len = 0;

    while (line[len] >= ' ' && line[len] <= '~')
        len++;
    return len > 0 && len <= DIALOGUE_VERB_MAX && line[len] == '\0';
}

static void say_verb(struct dialogue *dialogue)
{
    (void)!say(dialogue, RB_STAGE_VERB, "%s", dialogue->verb);
}

/*
 * Sendmail hands nothing to a milter between RSET and the next MAIL: behind a transaction that was
 * reset another is begun for the verb. Never in one flight with it: no host has promised that of
 * what it does not know (RFC 2920).
 */
void dialogue_ask_verb(struct dialogue *dialogue, const char *line)
{
    begin_asking(dialogue, line);
    dialogue->question = (struct dialogue_question){.mail_from = ""};
    if (!is_sayable(line)) {
        answer_without_reply(dialogue, RB_REASON_INTERNAL_ERROR, "command_refused");
        ready(dialogue);
    } else if (dialogue->was_reset && !dialogue->mail_refused) {
        dialogue->transactions++;
        (void)!say(dialogue, RB_STAGE_MAIL, "MAIL FROM:<>");
    } else {
        say_verb(dialogue);
    }
}

bool dialogue_can_quit(const struct dialogue *dialogue)
{
    return dialogue->need == DIALOGUE_NEED_QUESTION ||
           (dialogue->need == DIALOGUE_OVER && dialogue->may_quit);
}

void dialogue_quit(struct dialogue *dialogue)
{
    assert(dialogue_can_quit(dialogue));
    dialogue->quitting = true;
    dialogue->need = DIALOGUE_NEED_PEER;
    if (dialogue->queued == 0 || dialogue->pipelining)
        (void)!say(dialogue, RB_STAGE_QUIT, "QUIT");
}

static void forget_keywords(struct dialogue *dialogue)
{
    dialogue->starttls = dialogue->pipelining = dialogue->utf8 = dialogue->size = false;
    dialogue->size_max = 0;
}

/* What stands behind SIZE: the limit, or nothing, or 0 where there is none (RFC 1870 2). */
static void read_size(struct dialogue *dialogue, const char *limit)
{
    limit += strspn(limit, " =");
    dialogue->size = true;
    dialogue->size_max = text_message_size(limit, strcspn(limit, " \r\n"));
}

/* Keywords of an EHLO reply (RFC 5321 4.1.1.1): the first line is the greeting. */
static void read_keywords(struct dialogue *dialogue, const char *text)
{
    static const char starttls[] = "STARTTLS", pipelining[] = "PIPELINING", utf8[] = "SMTPUTF8",
                      size[] = "SIZE";
    const char *line = strchr(text, '\n');

    forget_keywords(dialogue);
    for (unsigned n = 0; line != NULL && n < REPLY_LINES_MAX; n++, line = strchr(line, '\n')) {
        size_t len = strcspn(++line, " =\r\n");

        if (len == strlen(starttls) && strncasecmp(line, starttls, len) == 0)
            dialogue->starttls = true;
        else if (len == strlen(pipelining) && strncasecmp(line, pipelining, len) == 0)
            dialogue->pipelining = true;
        else if (len == strlen(utf8) && strncasecmp(line, utf8, len) == 0)
            dialogue->utf8 = true;
        else if (len == strlen(size) && strncasecmp(line, size, len) == 0)
            read_size(dialogue, line + len);
    }
}

/* A reply that ends the session before an answer could be had. One given before stands. */
static void end_with_reply(struct dialogue *dialogue, enum rb_stage stage)
{
    struct judgement judgement = judge(dialogue, stage);

    leave(dialogue);
    if (is_answered(dialogue))
        return;
    /* A success nobody can use (2yz where none fits) is no answer about an address. */
    if (rb_reason_verdict(judgement.reason) != RB_VERDICT_UNKNOWN ||
        judgement.reason == RB_REASON_NONE)
        judgement =
            (struct judgement){.reason = RB_REASON_PROTOCOL_ERROR, .rule = "unexpected_reply"};
    answer_from_reply(dialogue, stage, &judgement);
}

static bool say_hello(struct dialogue *dialogue)
{
    return say(dialogue, RB_STAGE_EHLO, "%s %s", dialogue->lmtp ? "LHLO" : "EHLO",
               dialogue->helo_name);
}

static void on_banner(struct dialogue *dialogue, const struct reply *reply)
{
    dialogue->greeted = reply_class(reply) == 2;
    if (dialogue->greeted)
        (void)!say_hello(dialogue);
    else
        end_with_reply(dialogue, RB_STAGE_BANNER);
}

static void on_ehlo(struct dialogue *dialogue, const struct reply *reply)
{
    int class = reply_class(reply);

    if (class == 2) {
        if (!dialogue->helo_tried) /* HELO offers nothing, whatever its reply looks like */
            read_keywords(dialogue, reply->text);
        if (dialogue->starttls && dialogue->use_tls && !dialogue->tls)
            (void)!say(dialogue, RB_STAGE_STARTTLS, "STARTTLS");
        else
            ready(dialogue);
    } else if (class == 5 && !dialogue->helo_tried && !dialogue->lmtp) {
        dialogue->helo_tried = true;
        (void)!say(dialogue, RB_STAGE_EHLO, "HELO %s", dialogue->helo_name);
    } else {
        end_with_reply(dialogue, RB_STAGE_EHLO);
    }
}

static void on_starttls(struct dialogue *dialogue, const struct reply *reply)
{
    int class = reply_class(reply);

    if (class == 2)
        dialogue->need = DIALOGUE_NEED_TLS;
    else if (class == 3)
        end_with_reply(dialogue, RB_STAGE_STARTTLS);
    else
        ready(dialogue); /* in clear, then: opportunistic */
}

void dialogue_tls_started(struct dialogue *dialogue)
{
    assert(dialogue->need == DIALOGUE_NEED_TLS);
    dialogue->tls = true;
    /* What was learned in clear is forgotten (RFC 3207 4.2). */
    forget_keywords(dialogue);
    dialogue->helo_tried = false;
    (void)!say_hello(dialogue);
}

/* The sender was refused: once more with the fallback, if there is one that was not asked yet. */
static bool ask_with_fallback(struct dialogue *dialogue)
{
    const char *fallback = dialogue->question.fallback_mail_from;

    if (dialogue->fallback_used || fallback == NULL ||
        strcmp(fallback, dialogue->question.mail_from) == 0)
        return false;
    dialogue->fallback_used = true;
    begin_transaction(dialogue);
    return true;
}

static void on_rset(struct dialogue *dialogue, const struct reply *reply)
{
    dialogue->was_reset = true;
    if (reply_class(reply) != 2)
        end_with_reply(dialogue, RB_STAGE_RSET);
    else if (!dialogue->asking)
        ready(dialogue);
    else if (!dialogue->pipelining)
        (void)!say_mail(dialogue);
}

static void on_mail(struct dialogue *dialogue, const struct reply *reply)
{
    struct judgement judgement;

    if (reply_class(reply) == 2) {
        dialogue->transaction_open = true;
        dialogue->was_reset = false;
    }
    if (dialogue->verb != NULL) {
        say_verb(dialogue); /* where MAIL is refused, too: most MTAs hand it on all the same */
        return;
    }
    if (reply_class(reply) == 2) {
        if (dialogue->queued == 0) /* RCPT was not in the flight */
            (void)!say_rcpt(dialogue);
        return;
    }
    judgement = judge(dialogue, RB_STAGE_MAIL);
    /* That one message is too large says nothing of the other questions. */
    dialogue->mail_refused = dialogue->mail_refused || judgement.reason != RB_REASON_TOO_LARGE;
    answer_from_reply(dialogue, RB_STAGE_MAIL, &judgement);
    if (judgement.reason == RB_REASON_NULL_SENDER_REFUSED && !dialogue->fallback_used)
        dialogue->answer.null_sender_refused = true;
    if (dialogue->queued > 0)
        dialogue->skip_rcpt = true; /* goes on when the RCPT of this flight has been answered */
    else if (!dialogue->answer.null_sender_refused || !ask_with_fallback(dialogue))
        ready(dialogue);
}

/* The reply to a RCPT that followed a refused MAIL in the same flight: says nothing. */
static void on_skipped_rcpt(struct dialogue *dialogue, const struct reply *reply)
{
    dialogue->skip_rcpt = false;
    /* A host that took the RCPT all the same has a transaction open. */
    dialogue->transaction_open = reply_class(reply) == 2;
    if (!dialogue->answer.null_sender_refused || !ask_with_fallback(dialogue))
        ready(dialogue);
}

static void on_rcpt(struct dialogue *dialogue, const struct reply *reply)
{
    /* It would be rejected, then (RFC 1870 5), and an MTA does not even try. */
    static const struct judgement above_limit = {
        .reason = RB_REASON_TOO_LARGE, .subject = CLASSIFY_RECIPIENT, .rule = "announced_size"};
    struct judgement judgement;

    if (dialogue->skip_rcpt) {
        on_skipped_rcpt(dialogue, reply);
        return;
    }
    judgement = judge(dialogue, RB_STAGE_RCPT);
    if (judgement.reason == RB_REASON_ACCEPTED && is_above_limit(dialogue))
        judgement = above_limit;
    answer_from_reply(dialogue, RB_STAGE_RCPT, &judgement);
    if (judgement.reason == RB_REASON_NULL_SENDER_REFUSED && !dialogue->fallback_used) {
        dialogue->answer.null_sender_refused = true;
        if (ask_with_fallback(dialogue))
            return;
    }
    if (judgement.reason == RB_REASON_ACCEPTED && dialogue->question.data)
        (void)!say(dialogue, RB_STAGE_DATA, "DATA");
    else
        ready(dialogue);
}

static void on_data(struct dialogue *dialogue, const struct reply *reply)
{
    struct judgement judgement;

    if (reply_class(reply) == 3) {
        over(dialogue); /* 354: the connection is dropped; what RCPT said stands */
        return;
    }
    judgement = judge(dialogue, RB_STAGE_DATA);
    if (reply_class(reply) == 5 && classify_is_about_mailbox(judgement.reason))
        answer_from_reply(dialogue, RB_STAGE_DATA, &judgement);
    ready(dialogue);
}

static void on_verb(struct dialogue *dialogue, const struct reply *reply)
{
    static const struct judgement none = {.reason = RB_REASON_NONE, .rule = ""};

    answer_from_reply(dialogue, RB_STAGE_VERB, &none);
    if (reply->code != 421)
        ready(dialogue);
    else
        over(dialogue);
}

/* 421 at any stage: the host is about to close (RFC 5321 3.8). An answer given before stands. */
static void on_421(struct dialogue *dialogue, enum rb_stage stage)
{
    struct judgement judgement = judge(dialogue, stage);
    bool answered = is_answered(dialogue);
    bool says_nothing = !dialogue->asking || dialogue->skip_rcpt || stage == RB_STAGE_DATA ||
                        stage == RB_STAGE_RSET;

    if (!dialogue->quitting && !(answered && says_nothing))
        answer_from_reply(dialogue, stage, &judgement);
    over(dialogue);
}

/* A reply after QUIT was decided on: whatever it says, it is the host's turn no more. */
static void on_reply_to_quitting(struct dialogue *dialogue, enum rb_stage stage)
{
    if (stage == RB_STAGE_QUIT)
        over(dialogue);
    else if (dialogue->queued == 0)
        (void)!say(dialogue, RB_STAGE_QUIT, "QUIT");
}

static void on_reply(struct dialogue *dialogue, enum rb_stage stage, const struct reply *reply)
{
    /* What follows a reply to what was said at each stage; QUIT is on_reply_to_quitting's. */
    static void (*const next[])(struct dialogue *, const struct reply *) = {
        [RB_STAGE_BANNER] = on_banner, [RB_STAGE_EHLO] = on_ehlo, [RB_STAGE_STARTTLS] = on_starttls,
        [RB_STAGE_RSET] = on_rset,     [RB_STAGE_MAIL] = on_mail, [RB_STAGE_RCPT] = on_rcpt,
        [RB_STAGE_DATA] = on_data,     [RB_STAGE_VERB] = on_verb,
    };

    if (reply->code == 421 && (dialogue->quitting || stage != RB_STAGE_VERB))
        on_421(dialogue, stage);
    else if (dialogue->quitting)
        on_reply_to_quitting(dialogue, stage);
    else
        next[stage](dialogue, reply);
}

static enum rb_stage pop(struct dialogue *dialogue)
{
    enum rb_stage stage = dialogue->queue[0];

    dialogue->queued--;
    memmove(dialogue->queue, dialogue->queue + 1, dialogue->queued * sizeof dialogue->queue[0]);
    return stage;
}

/*
 * Octets nobody asked for. Behind a STARTTLS reply they were slipped in by someone on the way
 * (CVE-2011-0411 and kin); elsewhere the two ends no longer agree on which reply belongs to which
 * command.
 */
static void on_unasked(struct dialogue *dialogue)
{
    bool injected = dialogue->need == DIALOGUE_NEED_TLS;

    dialogue_fail(dialogue, RB_REASON_PROTOCOL_ERROR,
                  injected ? "octets_before_tls" : "unasked_octets");
}

void dialogue_feed(struct dialogue *dialogue, const char *octets, size_t len)
{
    while (len > 0 && dialogue->need != DIALOGUE_OVER) {
        enum reply_status status;
        size_t used = 0;

        /* Only what was sent can be answered: commands still in `out` were not. */
        if (dialogue->queued == 0 || dialogue->out_len > 0) {
            on_unasked(dialogue);
            return;
        }
        if (dialogue->parser.status == REPLY_DONE) /* the reply before this one */
            reply_parser_init(&dialogue->parser);
        status = reply_feed(&dialogue->parser, octets, len, &used);
        octets += used;
        len -= used;
        if (status == REPLY_MALFORMED || status == REPLY_TOO_LONG) {
            dialogue_fail(dialogue, RB_REASON_PROTOCOL_ERROR,
                          status == REPLY_TOO_LONG ? "reply_too_long" : "reply_malformed");
        } else if (status == REPLY_DONE) {
            dialogue->replies++;
            dialogue->refusals += reply_class(&dialogue->parser.reply) >= 4;
            on_reply(dialogue, pop(dialogue), &dialogue->parser.reply);
        }
    }
}
