/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_clauses: reads a reply clause by clause, and puts together what they say; see
 * classify_clauses.h. */
#include "config.h"

#include "smtp/classify_clauses.h"

#include "smtp/classify_predicates.h"

#include <string.h>

/* Of WHOSE, what speaks of our sender. */
#define OF_SENDER (T(SENDER) | T(POSTMASTER) | T(CALLBACK))
/* What is said against somebody. */
#define ADVERSE                                                                                    \
    (NOT_THERE | DENIAL | T(NOBODY) | T(CLOSED) | T(DEFUNCT) | T(BLOCKED) | T(FULL) |              \
     T(OVER_QUOTA) | T(EXCEEDED) | T(UNAVAILABLE) | T(MOVED) | T(REFUSED) | T(DENIED) | T(LIMIT) | \
     T(TOO_MANY))
/* A clause with one of these says nothing of the mailbox. */
#define VOIDS (WHOSE | FOREIGN | T(YOUR))
/* What may stand in a reply of which SAYS_NO_MORE is said. */
#define HARMLESS                                                                                   \
    (MAILBOX | NOT_THERE | SAYS_NOTHING | T(EMAIL) | T(NOBODY) | T(CLOSED) | T(DEFUNCT) |          \
     T(UNAVAILABLE) | T(MOVED) | T(REFUSED) | T(OF) | PREPOSITION | T(BREAK) | T(OR))

/* What is known while the clauses are read one after the other. */
struct reading {
    const struct words *words;
    int said[CLAUSES_MAX];  /* by each sentence, SAYS_…; its number is that of its first clause */
    terms has[CLAUSES_MAX]; /* by each sentence: the terms of its clauses */
    struct clause_label label;
    bool harmless; /* no item so far that could mean something else (is_harmless) */
};

enum { ASIDE_MAX = 2 }; /* words in brackets that may be a code of the host */

/* Whether an item is one that a reply with nothing else in it may have. */
static bool is_harmless(const struct clause *clause, size_t i)
{
    const struct item *item = &clause->item[i];

    if (item->strange)
        return clause->aside;
    if (item_is(item, T(EMAIL)))
        return (clause->has & NOT_THERE) != 0;
    if (item_is(item, T(HOST) | T(DIRECTORY)))
        return grammar_is_place(clause, i);
    return item_is(item, HARMLESS | T(NONE));
}

/* Of whom a clause speaks that names the sender or us: only where it says something against
 * them. */
static int weigh_whose(const struct reading *reading, const struct clause *clause)
{
    terms label = (terms)1 << reading->label.term;

    if ((clause->has & ADVERSE) == 0)
        return 0;
    if (((clause->has | label) & OF_SENDER) != 0)
        return SAYS_SENDER;
    if (((clause->has | label) & (T(US) | T(LISTED))) != 0)
        return SAYS_US;
    return (clause->has & T(YOUR)) != 0 && (clause->has & T(MESSAGE)) == 0 ? SAYS_US : 0;
}

/* "recipient:", "<u@d>:", "the sender -": what the next clause speaks of. */
static void note_label(struct reading *reading, const struct clause *clause)
{
    size_t noun = grammar_subject(clause, clause->count);

    if ((clause->has & ADVERSE & ~T(REFUSED)) != 0) {
        reading->label.term = TERM_NONE;
        reading->label.asked = false;
        return;
    }
    if (grammar_has_ours(clause))
        reading->label.term = TERM_SENDER;
    else if (noun < clause->count && (clause->has & T(REFUSED)) == 0)
        reading->label.term = clause->item[noun].term;
    if (!grammar_has_asked(clause))
        return;
    if (reading->label.term == TERM_SENDER)
        reading->label.term = TERM_NONE;
    reading->label.asked = true;
}

/* "(sender)", "policy -": what is only mentioned is what the rest is about. */
static int weigh_mention(const struct clause *clause)
{
    const terms mention = NOUN | PREPOSITION | T(OF) | T(YOUR) | SAYS_NOTHING | T(NONE);

    if ((clause->has & ~mention) != 0)
        return 0;
    return ((clause->has & OF_SENDER) != 0 ? SAYS_SENDER : 0) |
           ((clause->has & (T(LIMIT) | T(POLICY))) != 0 ? SAYS_FOREIGN : 0);
}

/* "user or domain unknown", "unknown user or password": one of them, and not known which. */
static bool leaves_a_choice(const struct clause *clause)
{
    for (size_t i = 0; i < clause->count; i++) {
        size_t next = grammar_next(clause, i, 0);

        if (item_is(&clause->item[i], T(OR)) && next < clause->count &&
            item_is(&clause->item[next], NOUN & ~(MAILBOX | T(EMAIL))))
            return true;
    }
    return false;
}

/* What the predicates say of the mailbox, if the clause is about one. */
static int weigh_mailbox(struct reading *reading, const struct clause *clause)
{
    const terms counts = T(LIMIT) | T(TOO_MANY); /* of messages: the mailbox is full */
    int says = predicates_weigh_space(clause);

    for (size_t i = 0; i < clause->count; i++) {
        says |= predicates_weigh(&reading->label, clause, i);
        reading->harmless = reading->harmless && is_harmless(clause, i);
    }
    if ((clause->has & VOIDS & ~counts) != 0 || (WHOSE & (terms)1 << reading->label.term) != 0)
        return says & SAYS_TOO_MANY;
    return (clause->has & counts) != 0 ? says & (SAYS_FULL | SAYS_TOO_MANY) : says;
}

/* "user … cannot receive", "banned recipient": something against a mailbox, and against it
 * alone. */
static int weigh_recipient(const struct clause *clause)
{
    for (size_t i = 0; i < clause->count && (clause->has & VOIDS) == 0; i++) {
        size_t subject = grammar_subject(clause, i), object = grammar_object(clause, i);

        if (item_is(&clause->item[i], ADVERSE) &&
            ((subject < clause->count && item_is(&clause->item[subject], MAILBOX)) ||
             (object < clause->count && item_is(&clause->item[object], MAILBOX))))
            return SAYS_RECIPIENT;
    }
    return 0;
}

/* What it says of anything else. */
static int weigh_others(const struct reading *reading, const struct clause *clause)
{
    int says = weigh_whose(reading, clause) | weigh_mention(clause) | weigh_recipient(clause);

    if ((clause->has & (T(LIMIT) | T(POLICY))) != 0 && (clause->has & ADVERSE) != 0)
        says |= SAYS_FOREIGN;
    if ((clause->has & T(LISTED)) != 0)
        says |= SAYS_US;
    return says;
}

static void note_clause(struct reading *reading, struct clause *clause)
{
    int says;

    clause->has = grammar_has_ours(clause) && !grammar_has_asked(clause) ? T(SENDER) : 0;
    for (size_t i = 0; i < clause->count; i++)
        clause->has |= (terms)1 << clause->item[i].term | (clause->item[i].parts & T(LISTED));
    says = weigh_mailbox(reading, clause);
    if ((clause->has & T(TEMPORARY)) != 0)
        says = SAYS_TEMPORARY | (says & (SAYS_FULL | SAYS_TOO_MANY));
    reading->said[clause->sentence] |= says | weigh_others(reading, clause);
    reading->has[clause->sentence] |= clause->has | (leaves_a_choice(clause) ? T(DENIED) : 0);
    note_label(reading, clause);
}

static void end_clause(struct reading *reading, struct clause *clause)
{
    if (clause->count == 0)
        return;
    grammar_resolve(clause);
    note_clause(reading, clause);
    clause->count = 0;
}

/* Advice says nothing but that it is worth trying later. */
static void note_advice(struct reading *reading, enum term term, unsigned sentence)
{
    if (term == TERM_TEMPORARY)
        reading->said[sentence] |= SAYS_TEMPORARY;
}

static struct item item_of(const struct token *token, enum term term)
{
    return (struct item){
        .term = term,
        .joined = token->joined,
        .quoted = token->kind >= TOKEN_IP,
        .asked = token->kind == TOKEN_ASKED,
        .ours = token->kind == TOKEN_OURS,
        .strange = term == TERM_NONE && token->kind == TOKEN_WORD && !token->local &&
                   strlen(token->text) > 2,
    };
}

/* The items of one clause, and of those within it that a "because" begins. */
static void read_clause(struct reading *reading, struct clause *clause, unsigned number)
{
    const struct words *words = reading->words;
    bool advice = false;
    size_t len, tokens = 0;

    clause->count = 0;
    for (size_t i = 0; i < words->tokens; i++)
        tokens += words->token[i].clause == number;
    for (size_t i = 0; i < words->tokens; i += len) {
        const struct token *token = &words->token[i];
        enum term term = TERM_NONE;

        len = 1;
        if (token->clause != number)
            continue;
        if (token->kind <= TOKEN_CODE)
            term = vocabulary_find(token, words->tokens - i, &len);
        clause->sentence = token->sentence;
        clause->aside = token->aside && tokens <= ASIDE_MAX;
        if (term == TERM_BREAK || term == TERM_ADVICE)
            end_clause(reading, clause);
        if (term == TERM_BREAK)
            advice = false;
        if (term == TERM_ADVICE)
            advice = true;
        if (advice)
            note_advice(reading, term, token->sentence);
        else if (term != TERM_BREAK)
            clause->item[clause->count++] =
                item_of(token, term == TERM_POSTMASTER && token->local ? TERM_NONE : term);
    }
    end_clause(reading, clause);
}

/* What a sentence says that hedges, or leaves a choice. */
static int weigh_sentence(int said, terms has)
{
    const int mailbox_says = SAYS_ABSENT | SAYS_CLOSED | SAYS_FULL | SAYS_GENERIC |
                             SAYS_UNAVAILABLE | SAYS_NOT_AVAILABLE | SAYS_CLOSED_BARELY;

    if ((has & T(MAYBE)) != 0)
        return said & ~mailbox_says;
    if ((has & T(OR)) == 0)
        return said;
    if ((said & (SAYS_ABSENT | SAYS_GENERIC)) != 0)
        said &= ~(SAYS_CLOSED | SAYS_CLOSED_BARELY);
    if ((has & (T(DENIED) | T(TEMPORARY) | T(ALLOWED))) != 0 ||
        ((said & SAYS_FULL) != 0 && (said & (SAYS_ABSENT | SAYS_CLOSED)) != 0))
        said &= ~mailbox_says;
    return said;
}

int clauses_read(const struct words *words)
{
    struct reading reading = {.words = words, .label = {.term = TERM_NONE}, .harmless = true};
    struct clause clause;
    int says = 0;

    for (unsigned number = 0; number < words->clauses; number++)
        read_clause(&reading, &clause, number);
    for (size_t i = 0; i < CLAUSES_MAX; i++) {
        says |= weigh_sentence(reading.said[i], reading.has[i]);
        if ((reading.has[i] & T(MAYBE)) != 0)
            reading.harmless = false;
    }
    if (reading.harmless && (says & (SAYS_TEMPORARY | SAYS_OTHER)) == 0)
        says |= SAYS_NO_MORE;
    return says;
}
