/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify: what a mail host's reply means; see classify.h. One table, read from the top: the first
 * row that fits decides; its rows and the vocabulary are in classify_rules.def. RFC 5321 4.2
 * (codes), RFC 3463 (enhanced codes), and what mail hosts really say, which is neither.
 *
 * Order matters, and is this: what is no answer at all; what is said about encryption; about our
 * sender; about us; then about the mailbox; what is said vaguely comes last, and what no row knows
 * is `rejected` or `tempfail`. A row about the mailbox must never take a reply about us, for that
 * makes innocent senders bounce; the other error costs only an unknown. So these rows go by what
 * the clauses of the reply say (classify_clauses), and of whom; only the others go by phrases
 * alone.
 */
#include "config.h"

#include "smtp/classify.h"

#include "smtp/classify_clauses.h"
#include "smtp/classify_codes.h"
#include "smtp/classify_phrases.h"
#include "smtp/classify_wait.h"

enum {
    AT_BANNER = 1 << RB_STAGE_BANNER,
    AT_EHLO = 1 << RB_STAGE_EHLO,
    AT_STARTTLS = 1 << RB_STAGE_STARTTLS,
    AT_MAIL = 1 << RB_STAGE_MAIL,
    AT_RCPT = 1 << RB_STAGE_RCPT,
    AT_DATA = 1 << RB_STAGE_DATA,
    AT_ADDRESS = AT_RCPT | AT_DATA, /* where the recipient is judged */
    AT_GREETING = AT_BANNER | AT_EHLO,
    AT_ANY = ~0,
};

/* What a reply quotes, and what we said, beside SAYS_…. */
enum {
    QUOTED_RECIPIENT = SAYS_MAX << 0,   /* the address asked about, or another that is not ours */
    QUOTED_OUR_ADDRESS = SAYS_MAX << 1, /* our sender, and not the address asked about */
    QUOTED_OUR_NAME = SAYS_MAX << 2,    /* our name, domain or IP address, and not that */
    QUOTED_US = SAYS_MAX << 3,          /* any of ours, and not that */
    WE_GAVE_SIZE = SAYS_MAX << 4,       /* a message's, with MAIL */
};

/* One row. What is NULL or 0 fits everything. */
struct rule {
    const char *name; /* appears in logs: never rename */
    int stages;       /* AT_… */
    int low, high;    /* reply codes, inclusive */
    enum rb_reason reason;
    enum classify_subject subject;
    const char *enhanced; /* "x.1.1|x.1.10"; "" within the list: none was given */
    int says;             /* SAYS_…: one of these must be said, or one of the phrases be there */
    const char *phrases;  /* see phrases_are_in */
    int with;             /* all of these must be said or quoted too */
    int unless_says;      /* none of these */
    const char *unless;   /* none of these phrases */
};

static const struct rule rules[] = {
#define RULE(name_, stages_, low_, high_, reason_, subject_, ...)                                  \
    {.name = (name_),                                                                              \
     .stages = (stages_),                                                                          \
     .low = (low_),                                                                                \
     .high = (high_),                                                                              \
     .reason = RB_REASON_##reason_,                                                                \
     .subject = CLASSIFY_##subject_,                                                               \
     __VA_ARGS__},
#include "smtp/classify_rules.def"
#undef RULE
};

/* A reply as the rows look at it. */
struct look {
    enum rb_stage stage;
    int code;
    char enhanced[RB_ENHANCED_MAX + 1];
    struct words words;
    int says;
};

static bool has_what_it_says(const struct rule *rule, const struct look *look)
{
    if (rule->says == 0 && rule->phrases == NULL)
        return true;
    return (rule->says & look->says) != 0 ||
           (rule->phrases != NULL && phrases_are_in(&look->words, rule->phrases));
}

static bool fits(const struct rule *rule, const struct look *look)
{
    return (rule->stages & 1 << look->stage) != 0 && look->code >= rule->low &&
           look->code <= rule->high && (look->says & rule->with) == rule->with &&
           (look->says & rule->unless_says) == 0 &&
           (rule->enhanced == NULL || codes_fit(look->enhanced, rule->enhanced)) &&
           has_what_it_says(rule, look) &&
           (rule->unless == NULL || !phrases_are_in(&look->words, rule->unless));
}

static int quoted(const struct words *words)
{
    int quoted = 0;

    for (size_t i = 0; i < words->tokens; i++)
        if (words->token[i].kind == TOKEN_ASKED || words->token[i].kind == TOKEN_ADDRESS)
            quoted |= QUOTED_RECIPIENT;
    if ((words->quotes & QUOTES_ASKED) != 0)
        return quoted;
    if ((words->quotes & QUOTES_OURS) != 0)
        quoted |= QUOTED_OUR_ADDRESS;
    if ((words->quotes & (QUOTES_NAME | QUOTES_DOMAIN | QUOTES_IP)) != 0)
        quoted |= QUOTED_OUR_NAME;
    if ((words->quotes & (QUOTES_OURS | QUOTES_NAME | QUOTES_DOMAIN | QUOTES_IP)) != 0)
        quoted |= QUOTED_US;
    return quoted;
}

/* What was said and quoted. A text that was not read to its end is not about a mailbox. */
static int read_text(struct look *look, const struct classify_question *about, const char *text,
                     size_t len)
{
    const int ours = about->sized ? WE_GAVE_SIZE : 0;

    words_read(&look->words, about, text, len);
    return ours | (look->words.cut ? 0 : clauses_read(&look->words) | quoted(&look->words));
}

static struct judgement first_that_fits(const struct look *look)
{
    struct judgement judgement = {.reason = RB_REASON_PROTOCOL_ERROR, .rule = "unexpected_code"};

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (fits(&rules[i], look))
            return (struct judgement){
                .reason = rules[i].reason, .subject = rules[i].subject, .rule = rules[i].name};
    return judgement;
}

static bool is_about_us(enum classify_subject subject)
{
    return subject != CLASSIFY_HOST && subject != CLASSIFY_MAILBOX && subject != CLASSIFY_RECIPIENT;
}

/* Whether what stands in front of a quotation is about us or our sender. */
static bool introduces_us(const struct classify_question *about, const struct reply *reply,
                          struct look *look, size_t quotation)
{
    look->code = reply->code;
    codes_enhanced(reply, look->enhanced);
    look->says = read_text(look, about, reply->text, quotation);
    return is_about_us(first_that_fits(look).subject);
}

/*
 * What a host says that another one said to it is what that one said: a refusal of the mailbox
 * where that was one, none where it was not, and nothing against us.
 */
static struct judgement judge_quotation(const struct classify_question *about,
                                        const struct reply *reply, struct look *look,
                                        struct judgement judgement)
{
    static const char not_at_rcpt[] = "in reply to mail/ehlo/helo/end/data";
    bool refused = !phrases_are_in(&look->words, not_at_rcpt);
    struct judgement inner;
    size_t at;

    if (!codes_of_quotation(reply, &look->code, look->enhanced, &at))
        return judgement;
    look->says = read_text(look, about, reply->text + at, reply->text_len - at);
    refused = refused && look->code >= 500;
    inner = first_that_fits(look);
    if ((is_about_us(judgement.subject) && !is_about_us(inner.subject)) ||
        introduces_us(about, reply, look, at))
        return judgement;
    if (refused && classify_is_about_mailbox(inner.reason))
        return inner;
    if (judgement.reason == RB_REASON_REJECTED)
        return judgement;
    return (struct judgement){
        .reason = inner.reason == RB_REASON_BLOCKED ? RB_REASON_BLOCKED : RB_REASON_REJECTED,
        .subject = CLASSIFY_RECIPIENT,
        .rule = "quotation",
    };
}

struct judgement classify(const struct classify_question *about, enum rb_stage stage,
                          const struct reply *reply)
{
    struct look look = {.stage = stage, .code = reply->code};
    struct judgement judgement;

    codes_enhanced(reply, look.enhanced);
    look.says = read_text(&look, about, reply->text, reply->text_len);
    judgement = first_that_fits(&look);
    if (reply_class(reply) == 5 && (AT_ADDRESS & 1 << stage) != 0)
        judgement = judge_quotation(about, reply, &look, judgement);
    if (judgement.reason == RB_REASON_GREYLISTED || judgement.reason == RB_REASON_TEMPFAIL)
        judgement.wait_s = wait_asked_s(reply, CLASSIFY_WAIT_MIN_S, CLASSIFY_WAIT_MAX_S);
    return judgement;
}

bool classify_is_about_mailbox(enum rb_reason reason)
{
    switch (reason) {
    case RB_REASON_ACCEPTED:
    case RB_REASON_MAILBOX_FULL:
    case RB_REASON_NO_SUCH_USER:
    case RB_REASON_DISABLED:
    case RB_REASON_CATCH_ALL:
        return true;
    default:
        return false;
    }
}
