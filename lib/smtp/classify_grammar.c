/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_grammar: see classify_grammar.h. */
#include "config.h"

#include "smtp/classify_grammar.h"

#include <string.h>

size_t grammar_next(const struct clause *clause, size_t i, terms skip)
{
    do
        i++;
    while (i < clause->count &&
           (item_is_void(&clause->item[i]) || item_is(&clause->item[i], skip)));
    return i;
}

/* --- Nouns ---------------------------------------------------------------- */

/* "your mail address of the user": how many items from i on are one noun; 0: none. */
static size_t noun_len(const struct clause *clause, size_t i)
{
    const struct item *item = clause->item;
    size_t k = i, end = i;

    if (item_is(&item[k], T(YOUR)))
        k = grammar_next(clause, k, 0);
    while (k < clause->count && item_is(&item[k], NOUN)) {
        end = ++k;
        if (k < clause->count && item_is(&item[k], T(OF)))
            k = grammar_next(clause, k, T(YOUR));
        else if (k < clause->count && !item[k].joined)
            break;
    }
    return end - i;
}

/* What a noun of those parts is; `head` is its last word in front of an "of". */
static enum term noun_term(terms parts, enum term head)
{
    static const enum term first[] = {TERM_SENDER, TERM_US,    TERM_POSTMASTER, TERM_CALLBACK,
                                      TERM_LISTED, TERM_LIST,  TERM_POLICY,     TERM_TOO_MANY,
                                      TERM_LIMIT,  TERM_QUOTA, TERM_STORAGE};

    if ((parts & T(YOUR)) != 0 && (parts & MAILBOX) != 0)
        return TERM_SENDER;
    if ((parts & T(YOUR)) != 0)
        return (parts & ~(T(YOUR) | T(EMAIL) | T(MESSAGE))) == 0 ? TERM_MESSAGE : TERM_US;
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        if ((parts & (terms)1 << first[i]) != 0)
            return first[i];
    if (head == TERM_ADDRESS && (parts & (T(PERSON) | T(BOX) | T(EMAIL))) != 0)
        return TERM_PERSON;
    if ((parts & T(THING)) != 0 && ((terms)1 << head & MAILBOX) != 0)
        return TERM_THING; /* "login user" */
    if (head == TERM_ADDRESS && (parts & (T(HOST) | T(ROUTE) | T(MESSAGE))) != 0)
        return TERM_THING;
    return head;
}

/* Makes one item of the noun that begins at i and has len items. */
static void join_noun(struct clause *clause, size_t i, size_t len)
{
    struct item *noun = &clause->item[i];
    enum term head = TERM_NONE;
    bool behind_of = false;

    for (size_t k = i; k < i + len; k++) {
        const struct item *item = &clause->item[k];

        behind_of = behind_of || item_is(item, T(OF));
        if (item_is(item, NOUN | T(YOUR)))
            noun->parts |= (terms)1 << item->term;
        if (item_is(item, NOUN) && !behind_of)
            head = item->term;
        noun->asked = noun->asked || item->asked;
        noun->ours = noun->ours || item->ours;
    }
    noun->term = noun_term(noun->parts, head);
    clause->count -= len - 1;
    memmove(noun + 1, noun + len, (clause->count - i - 1) * sizeof *noun);
}

static void join_nouns(struct clause *clause)
{
    for (size_t i = 0; i < clause->count; i++) {
        size_t len = item_is(&clause->item[i], NOUN | T(YOUR)) ? noun_len(clause, i) : 0;

        if (len > 0)
            join_noun(clause, i, len);
    }
}

/* --- Denials -------------------------------------------------------------- */

enum { DENIAL_REACH = 6 }; /* items between a denial and what it denies */

/* What a word becomes where it is denied; TERM_NONE: something unclear; TERM_MAX: it cannot be. */
static enum term denied(enum term term, bool no_longer)
{
    switch (term) {
    case TERM_THERE:
        return TERM_ABSENT;
    case TERM_AVAILABLE:
        return no_longer ? TERM_ABSENT : TERM_UNAVAILABLE;
    case TERM_ACTIVE:
        return TERM_CLOSED;
    case TERM_ALLOWED:
        return TERM_DENIED;
    case TERM_ABSENT:
    case TERM_INVALID:
    case TERM_CLOSED:
    case TERM_BLOCKED:
    case TERM_FULL:
    case TERM_DENIED:
    case TERM_EXCEEDED:
    case TERM_REFUSED:
    case TERM_UNAVAILABLE:
        return TERM_NONE;
    default:
        return TERM_MAX;
    }
}

static void deny(struct clause *clause, size_t i, struct item *denial)
{
    struct item *item = &clause->item[i];
    bool object = i + 1 < clause->count && item_is(&item[1], NOUN);

    item->term = denied(item->term, denial->term == TERM_NO_LONGER);
    item->denied = true;
    item->strange = item->term == TERM_NONE;
    if (item->term == TERM_CLOSED && object)
        item->term = TERM_ABSENT; /* "not an active mailbox" */
    denial->term = TERM_FILLER;
}

/* "not in my directory", "no longer on this system": is it that, from i on? */
static bool is_denied_place(const struct clause *clause, size_t i, bool no_longer)
{
    if (!item_is(&clause->item[i], T(AT)))
        return false;
    i = grammar_next(clause, i, 0);
    return i < clause->count && ((clause->item[i].parts & T(DIRECTORY)) != 0 ||
                                 (no_longer && item_is(&clause->item[i], T(HOST))));
}

/* "existiert nicht", "n'existe pas": what is denied stands in front. */
static bool deny_before(struct clause *clause, size_t i)
{
    size_t k = i;

    while (k > 0 && item_is_void(&clause->item[k - 1]))
        k--;
    if (k == 0)
        return false;
    if (clause->item[k - 1].denied)
        clause->item[i].term = TERM_FILLER;
    else if (item_is(&clause->item[k - 1], T(THERE) | T(AVAILABLE) | T(ACTIVE) | T(ALLOWED)))
        deny(clause, k - 1, &clause->item[i]);
    else
        return false;
    return true;
}

/* "not found", "no such user", "does not exist": what is denied stands behind. */
static bool deny_behind(struct clause *clause, size_t i)
{
    struct item *denial = &clause->item[i];
    bool no_longer = item_is(denial, T(NO_LONGER)), other = false;

    for (size_t k = i + 1; k < clause->count && k <= i + DENIAL_REACH; k++) {
        struct item *item = &clause->item[k];

        other = other || item_is(item, PREPOSITION | T(VERB));
        if (denied(item->term, no_longer) != TERM_MAX) {
            if (!item->strange || item->term != TERM_NONE)
                deny(clause, k, denial);
            return true;
        }
        if (is_denied_place(clause, k, no_longer) ||
            (item_is(item, NOUN) && item_is(denial, T(NOT)) && !other)) {
            denial->term =
                item_is(item, T(PEOPLE)) ? TERM_DENIED : TERM_ABSENT; /* "no recipients" */
            return true;
        }
        if (!item_is_void(item) && !item_is(item, DENIAL | PREPOSITION))
            return false;
    }
    return false;
}

void grammar_resolve(struct clause *clause)
{
    join_nouns(clause);
    for (size_t i = 0; i < clause->count; i++)
        if (item_is(&clause->item[i], DENIAL) && !deny_behind(clause, i))
            (void)deny_before(clause, i);
}

/* --- What a predicate is said of ------------------------------------------ */

bool grammar_is_place(const struct clause *clause, size_t i)
{
    while (i > 0 && (item_is_void(&clause->item[i - 1]) || item_is(&clause->item[i - 1], T(THERE))))
        i--;
    return i > 0 && item_is(&clause->item[i - 1], PREPOSITION);
}

/* The noun that a predicate at i belongs to: the nearest in front that is no place. clause->count:
 * none. */
size_t grammar_subject(const struct clause *clause, size_t i)
{
    for (size_t k = i; k-- > 0;)
        if (item_is(&clause->item[k], NOUN) && !grammar_is_place(clause, k))
            return k;
    return clause->count;
}

size_t grammar_object(const struct clause *clause, size_t i)
{
    size_t k = grammar_next(clause, i, T(OR) | NOT_THERE | T(CLOSED) | T(THERE));

    return k < clause->count && item_is(&clause->item[k], NOUN) ? k : clause->count;
}

bool grammar_has_asked(const struct clause *clause)
{
    for (size_t i = 0; i < clause->count; i++)
        if (clause->item[i].asked)
            return true;
    return false;
}

bool grammar_has_ours(const struct clause *clause)
{
    for (size_t i = 0; i < clause->count; i++)
        if (clause->item[i].ours)
            return true;
    return false;
}
