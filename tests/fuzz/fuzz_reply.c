/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reply parser and everything that reads what comes out of it. Input: one octet that chooses
 * where the stream is split, and what we said; then the stream. RFC 5321 4.2, RFC 3463.
 */
#include "config.h"

#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "smtp/classify.h"
#include "smtp/classify_wait.h"
#include "smtp/reply.h"

const char fuzz_name[] = "reply";

enum { FORMAT_SIZE_MIN = 4 };

static void check_format(const struct reply *reply, size_t size)
{
    char text[RB_REPLY_MAX + 1];
    size_t len = reply_format(reply, text, size);

    HOLDS(len < size && text[len] == '\0');
    for (size_t i = 0; i < len; i++)
        HOLDS(text[i] >= ' ' && text[i] <= '~');
    if (size >= sizeof "550...") /* the code is not cut */
        HOLDS(strtol(text, NULL, 10) == reply->code);
}

/* Only a 5yz to RCPT or DATA is an answer about the mailbox that says no; no 4yz ever is. */
static void check_judgement(const struct classify_question *about, const struct reply *reply,
                            enum rb_stage stage)
{
    struct judgement judgement = classify(about, stage, reply);
    enum rb_verdict verdict = rb_reason_verdict(judgement.reason);

    HOLDS(rb_reason_name(judgement.reason)[0] != '?' && judgement.rule != NULL);
    HOLDS(judgement.wait_s == 0 ||
          (judgement.wait_s >= CLASSIFY_WAIT_MIN_S && judgement.wait_s <= CLASSIFY_WAIT_MAX_S));
    HOLDS(judgement.subject < CLASSIFY_SUBJECT_MAX);
    if (verdict == RB_VERDICT_INVALID)
        HOLDS(judgement.subject == CLASSIFY_MAILBOX);
    if (verdict == RB_VERDICT_INVALID)
        HOLDS(reply_class(reply) == 5 && (stage == RB_STAGE_RCPT || stage == RB_STAGE_DATA));
    if (judgement.reason == RB_REASON_ACCEPTED)
        HOLDS(reply_class(reply) == 2);
}

/* What was said: nothing, what replies of the corpus quote, or what the reply itself begins
 * with. */
static struct classify_question question(const struct reply *reply, uint8_t chosen, char own[16])
{
    static const struct classify_question questions[] = {
        {"", "", "", "", false},
        {"u@d.example", "postmaster@our.example", "mx.our.example", "192.0.2.1", false},
        {"\"a b\"@d.example", "@", "[192.0.2.1]", "2001:db8::1", true},
    };

    if (chosen % 4 < 3)
        return questions[chosen % 4];
    (void)snprintf(own, 16, "%.15s", reply->text);
    return (struct classify_question){own, own, own, own, false};
}

static void check_reply(const struct reply *reply, uint8_t chosen)
{
    char own[16];
    struct classify_question about = question(reply, chosen, own);
    int wait_s = wait_asked_s(reply, CLASSIFY_WAIT_MIN_S, CLASSIFY_WAIT_MAX_S);

    HOLDS(reply->code >= 200 && reply->code <= 599);
    HOLDS(reply->lines >= 1 && reply->lines <= REPLY_LINES_MAX);
    HOLDS(reply->text_len <= REPLY_TEXT_MAX && strlen(reply->text) == reply->text_len);
    HOLDS(reply->enhanced[0] == '\0' || reply->enhanced[0] - '0' == reply_class(reply));
    HOLDS(wait_s == 0 || (wait_s >= CLASSIFY_WAIT_MIN_S && wait_s <= CLASSIFY_WAIT_MAX_S));
    check_format(reply, RB_REPLY_MAX + 1);
    check_format(reply, (size_t)FORMAT_SIZE_MIN + chosen);
    for (int stage = RB_STAGE_BANNER; stage <= RB_STAGE_QUIT; stage++)
        check_judgement(&about, reply, (enum rb_stage)stage);
}

/* One reply, octets given in two parts. Returns how many were taken. */
static size_t feed_split(struct reply_parser *parser, const char *octets, size_t len, size_t split)
{
    size_t used, more = 0;

    if (split > len)
        split = len;
    (void)reply_feed(parser, octets, split, &used);
    HOLDS(used <= split && (used == split || parser->status != REPLY_MORE));
    if (used == split)
        (void)reply_feed(parser, octets + used, len - used, &more);
    return used + more;
}

static size_t feed_singly(struct reply_parser *parser, const char *octets, size_t len)
{
    size_t total = 0, used = 1;

    while (total < len && used > 0 && parser->status == REPLY_MORE) {
        (void)reply_feed(parser, octets + total, 1, &used);
        total += used;
    }
    return total;
}

static void check_same(const struct reply_parser *one, const struct reply_parser *other)
{
    const struct reply *a = &one->reply, *b = &other->reply;

    HOLDS(one->status == other->status);
    HOLDS(a->code == b->code && a->lines == b->lines && a->cut == b->cut);
    HOLDS(strcmp(a->enhanced, b->enhanced) == 0);
    HOLDS(a->text_len == b->text_len && memcmp(a->text, b->text, a->text_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply_parser whole, split, single;
    const char *octets = (const char *)data + 1;
    enum reply_status status = REPLY_DONE;

    for (size_t left = size > 0 ? size - 1 : 0; left > 0 && status == REPLY_DONE;) {
        size_t used = 0;

        reply_parser_init(&whole);
        reply_parser_init(&split);
        reply_parser_init(&single);
        whole.teaser = split.teaser = single.teaser = data[0] % 3 == 0;
        status = reply_feed(&whole, octets, left, &used);
        HOLDS(used > 0 && used <= left && (used == left || status != REPLY_MORE));
        HOLDS(feed_split(&split, octets, left, data[0]) == used);
        HOLDS(feed_singly(&single, octets, left) == used);
        check_same(&whole, &split);
        check_same(&whole, &single);
        if (status == REPLY_DONE)
            check_reply(&whole.reply, data[0]);
        octets += used;
        left -= used;
    }
    if (status == REPLY_MALFORMED || status == REPLY_TOO_LONG) {
        size_t used = 1;

        HOLDS(reply_feed(&whole, "250 ok\n", 7, &used) == status && used == 0);
    }
    return 0;
}
