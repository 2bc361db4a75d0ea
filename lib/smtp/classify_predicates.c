/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_predicates: each predicate is held against its subject; see classify_predicates.h. */
#include "config.h"

#include "smtp/classify_predicates.h"

#include "smtp/classify_clauses.h"

/* A strange word beside a noun may make another thing of it. */
static bool is_compound(const struct clause *clause, size_t i)
{
    const struct item *item = &clause->item[i];

    return (i > 0 && item->joined && item[-1].strange) ||
           (i + 1 < clause->count && item[1].joined && item[1].strange);
}

/* A strange word between a noun and its predicate. */
static bool has_strange_between(const struct clause *clause, size_t from, size_t to)
{
    for (size_t i = from + 1; i < to; i++)
        if (clause->item[i].strange)
            return true;
    return false;
}

/* What is said where the noun at k is absent: "user unknown". */
static int absent_subject(const struct clause *clause, size_t k)
{
    const struct item *noun = &clause->item[k];

    if (item_is(noun, T(HOST) | T(ROUTE)))
        return SAYS_FOREIGN;
    if (is_compound(clause, k))
        return 0;
    if (item_is(noun, T(BOX) | T(PERSON)))
        return SAYS_ABSENT;
    return item_is(noun, T(PEOPLE) | T(ADDRESS) | T(EMAIL)) ? SAYS_GENERIC : 0;
}

/* The same where it stands behind: "unknown user". An "invalid address" may be written wrongly. */
static int absent_object(const struct clause *clause, size_t k, bool invalid)
{
    const struct item *noun = &clause->item[k];

    return item_is(noun, T(EMAIL)) || (item_is(noun, T(ADDRESS)) && invalid)
               ? 0
               : absent_subject(clause, k);
}

/* "mail from unknown users": not said of whom it is for. */
static bool is_whence(const struct clause *clause, size_t i)
{
    while (i > 0 && (item_is_void(&clause->item[i - 1]) ||
                     item_is(&clause->item[i - 1], NOT_THERE | T(THERE))))
        i--;
    return i > 0 && item_is(&clause->item[i - 1], T(FROM));
}

/* What is said where the label of the clause before is absent: "recipient: unknown". */
static int absent_label(enum term label)
{
    const terms term = (terms)1 << label;

    return (term & (T(BOX) | T(PERSON))) != 0       ? SAYS_ABSENT
           : (term & (T(PEOPLE) | T(ADDRESS))) != 0 ? SAYS_GENERIC
                                                    : 0;
}

static int weigh_absent(const struct clause_label *label, const struct clause *clause, size_t i)
{
    size_t object = grammar_object(clause, i), subject = grammar_subject(clause, i);

    if (object < clause->count && (is_whence(clause, i) || (clause->has & T(DENIED)) != 0))
        return 0;
    if (object < clause->count)
        return absent_object(clause, object, item_is(&clause->item[i], T(INVALID)));
    if (subject < clause->count)
        return absent_subject(clause, subject);
    if (label->term != TERM_NONE)
        return absent_label(label->term);
    if ((clause->has & T(DIRECTORY)) != 0)
        return SAYS_ABSENT;
    return label->asked || grammar_has_asked(clause) ? SAYS_GENERIC : 0;
}

/* "closed to outsiders" is not closed; "closed for inactivity" is. */
static bool is_for_some(const struct clause *clause, size_t i)
{
    size_t next = grammar_next(clause, i, 0);

    if (next == clause->count || !item_is(&clause->item[next], T(FOR) | T(FROM)))
        return false;
    next = grammar_next(clause, next, PREPOSITION);
    return next == clause->count || !item_is(&clause->item[next], MAILBOX | T(INACTIVITY));
}

/* "locked by another process", "blocked your mail". */
static bool is_by_some(const struct clause *clause, size_t i, bool blocked)
{
    size_t by = grammar_next(clause, i, 0), who = grammar_next(clause, by, 0);

    if (who < clause->count && item_is(&clause->item[by], T(AT)) && clause->item[who].strange)
        return true;
    while (blocked && ++i < clause->count)
        if (!clause->item[i].quoted)
            return true;
    return false;
}

/* What is said where the noun at k is closed. "Blocked" is said of mail and hosts, too. */
static int closed_noun(const struct clause *clause, size_t k, size_t i, bool blocked)
{
    const terms nouns = blocked ? T(BOX) | T(PERSON) : MAILBOX;

    return item_is(&clause->item[k], nouns) && !is_compound(clause, k) &&
                   !has_strange_between(clause, k, i)
               ? SAYS_CLOSED
               : 0;
}

static int weigh_closed(const struct clause_label *label, const struct clause *clause, size_t i)
{
    bool blocked = item_is(&clause->item[i], T(BLOCKED)) && (clause->has & T(INACTIVITY)) == 0;
    size_t noun = grammar_object(clause, i);

    if (is_for_some(clause, i) || is_by_some(clause, i, blocked))
        return 0;
    if (noun == clause->count)
        noun = grammar_subject(clause, i);
    if (noun < clause->count)
        return closed_noun(clause, noun, i, blocked);
    if (label->term != TERM_NONE)
        return (MAILBOX & (terms)1 << label->term) != 0 ? SAYS_CLOSED : 0;
    return blocked ? 0 : SAYS_CLOSED_BARELY;
}

static bool has_part(const struct clause *clause, terms any)
{
    for (size_t i = 0; i < clause->count; i++)
        if ((clause->item[i].parts & any) != 0)
            return true;
    return false;
}

/* Space or a number that is not the mailbox's: "server quota"; "recipient exceeded email quota"
 * is. */
static bool is_foreign_space(const struct clause *clause, size_t i)
{
    const terms of_others = T(MESSAGE) | T(HOST) | T(ROUTE) | T(THING) | T(LIST);
    const struct item *noun = &clause->item[i];
    size_t owner = grammar_subject(clause, i);
    bool owned = owner < clause->count && item_is(&clause->item[owner], MAILBOX);

    if (i > 0 && noun->joined && noun[-1].strange)
        return true;
    if ((noun->parts & T(BOX)) != 0)
        return false;
    return (noun->parts & of_others) != 0 || ((noun->parts & T(EMAIL)) != 0 && !owned);
}

/* Whether the noun at i, messages, is in a mailbox: "too many messages in the mailbox". */
static bool is_in_mailbox(const struct clause *clause, size_t i)
{
    size_t at = grammar_next(clause, i, 0), where = grammar_next(clause, at, 0);

    return where < clause->count && item_is(&clause->item[at], T(AT)) &&
           item_is(&clause->item[where], T(BOX));
}

/* "the mailbox has exceeded the limit". */
static bool is_limit_of_mailbox(const struct clause *clause, size_t i)
{
    size_t owner = grammar_subject(clause, i);

    return (clause->item[i].parts & T(BOX)) != 0 ||
           (owner < clause->count && item_is(&clause->item[owner], T(BOX)) &&
            clause->item[i].parts == T(LIMIT));
}

int predicates_weigh_space(const struct clause *clause)
{
    bool exceeded = (clause->has & (T(EXCEEDED) | T(FULL) | T(OVER_QUOTA))) != 0;
    bool mailbox = has_part(clause, T(BOX) | T(PERSON));
    int says = 0;

    for (size_t i = 0; i < clause->count; i++) {
        const struct item *noun = &clause->item[i];

        if (item_is(noun, SPACE) && is_foreign_space(clause, i))
            return 0;
        if ((item_is(noun, T(QUOTA)) && exceeded) ||
            (item_is(noun, T(STORAGE)) && exceeded && mailbox))
            says = SAYS_FULL;
        if (item_is(noun, T(LIMIT)) && is_limit_of_mailbox(clause, i) && exceeded)
            says = SAYS_FULL;
        if (item_is(noun, T(TOO_MANY)) && (noun->parts & (T(MESSAGE) | T(EMAIL))) != 0 && mailbox &&
            (grammar_subject(clause, i) < clause->count || is_in_mailbox(clause, i)))
            says = SAYS_FULL;
    }
    return says;
}

static int weigh_full(const struct clause_label *label, const struct clause *clause, size_t i)
{
    size_t noun = grammar_subject(clause, i);

    if (noun < clause->count)
        return item_is(&clause->item[noun], MAILBOX) ? SAYS_FULL : 0;
    if (label->term != TERM_NONE)
        return (MAILBOX & (terms)1 << label->term) != 0 ? SAYS_FULL : 0;
    return grammar_has_asked(clause) || label->asked ? SAYS_FULL : 0;
}

/* RFC 5321's own words for 550: only of a mailbox. */
static int weigh_unavailable(const struct clause_label *label, const struct clause *clause,
                             size_t i)
{
    size_t noun = grammar_subject(clause, i);
    enum term term = noun < clause->count ? clause->item[noun].term : label->term;

    if (term != TERM_BOX || is_for_some(clause, i))
        return SAYS_OTHER;
    return clause->item[i].denied ? SAYS_NOT_AVAILABLE : SAYS_UNAVAILABLE;
}

static int weigh_moved(const struct clause *clause, size_t i)
{
    size_t noun = grammar_subject(clause, i);

    return noun < clause->count && item_is(&clause->item[noun], T(BOX) | T(PERSON)) ? SAYS_GENERIC
                                                                                    : SAYS_OTHER;
}

/* "too many unknown users", "too many recipients". */
static int weigh_too_many(const struct clause *clause, size_t i)
{
    size_t noun = grammar_object(clause, i);
    terms parts = clause->item[i].parts | (noun < clause->count ? clause->item[noun].parts : 0);

    return (parts & MAILBOX) != 0 ? SAYS_TOO_MANY : 0;
}

/* "recipient rejected", "<u@d>: rejected": who is refused, or nobody else. */
static int weigh_refused(const struct clause_label *label, const struct clause *clause, size_t i)
{
    size_t noun = grammar_subject(clause, i);
    enum term term = noun < clause->count ? clause->item[noun].term : label->term;

    if (term == TERM_NONE)
        return label->asked || grammar_has_asked(clause) ? SAYS_REFUSED : SAYS_OTHER;
    return (MAILBOX & (terms)1 << term) != 0 ? SAYS_REFUSED : SAYS_OTHER;
}

int predicates_weigh(const struct clause_label *label, const struct clause *clause, size_t i)
{
    switch (clause->item[i].term) {
    case TERM_ABSENT:
    case TERM_INVALID:
        return weigh_absent(label, clause, i);
    case TERM_NOBODY:
        return SAYS_ABSENT;
    case TERM_CLOSED:
    case TERM_BLOCKED:
        return weigh_closed(label, clause, i);
    case TERM_DEFUNCT:
        return SAYS_CLOSED;
    case TERM_FULL:
        return weigh_full(label, clause, i);
    case TERM_OVER_QUOTA:
        return SAYS_FULL;
    case TERM_UNAVAILABLE:
        return weigh_unavailable(label, clause, i);
    case TERM_MOVED:
        return weigh_moved(clause, i);
    case TERM_REFUSED:
        return weigh_refused(label, clause, i);
    case TERM_TOO_MANY:
        return weigh_too_many(clause, i);
    default:
        return 0;
    }
}
