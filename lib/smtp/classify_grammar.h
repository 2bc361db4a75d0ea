/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_grammar: a clause of a reply as a row of items, and what is said of what in it. Nouns
 * that stand together become one (the last is what it is, "sender" and "your" say whose), denials
 * are resolved ("not found": absent). Pure.
 */
#ifndef RB_SMTP_CLASSIFY_GRAMMAR_H
#define RB_SMTP_CLASSIFY_GRAMMAR_H

#include "smtp/classify_vocabulary.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* Terms, as a set. */
typedef uint64_t terms;

#define T(name) ((terms)1 << TERM_##name)

static_assert(TERM_MAX <= 64, "more terms than a set can have");

#define MAILBOX (T(BOX) | T(PERSON) | T(PEOPLE) | T(ADDRESS))
#define WHOSE (T(SENDER) | T(US) | T(POSTMASTER) | T(CALLBACK) | T(LISTED))
#define FOREIGN (T(LIST) | T(POLICY) | T(LIMIT) | T(TOO_MANY))
#define SPACE (T(QUOTA) | T(STORAGE))
#define NOUN                                                                                       \
    (MAILBOX | WHOSE | FOREIGN | SPACE | T(EMAIL) | T(MESSAGE) | T(DIRECTORY) | T(HOST) |          \
     T(ROUTE) | T(THING))
/* What says nothing. */
#define SAYS_NOTHING (T(FILLER) | T(VERB))
/* What begins a place, a whom, a whence or a why. */
#define PREPOSITION (T(AT) | T(FOR) | T(FROM))
#define NOT_THERE (T(ABSENT) | T(INVALID))
#define DENIAL (T(NOT) | T(CANNOT) | T(NO_LONGER))

struct item {
    enum term term;
    terms parts;  /* of a noun: those of all its words */
    bool joined;  /* nothing parts it from the item before */
    bool quoted;  /* an address, a name: no word */
    bool asked;   /* the address asked about */
    bool ours;    /* our sender's */
    bool strange; /* a word that the vocabulary does not know */
    bool denied;  /* "not available", where "unavailable" was not said */
};

struct clause {
    struct item item[TOKENS_MAX];
    size_t count;
    terms has;
    unsigned sentence;
    bool aside; /* a word or two in brackets */
};

static inline bool item_is(const struct item *item, terms any)
{
    return ((terms)1 << item->term & any) != 0;
}

/* Whether it says nothing by itself, and parts nothing. */
static inline bool item_is_void(const struct item *item)
{
    return item->quoted || (!item->strange && item_is(item, SAYS_NOTHING | T(NONE)));
}

/* Joins the nouns of a clause that has been read, and resolves its denials. */
void grammar_resolve(struct clause *clause);

/*
 * The next item behind i that is neither void nor one of `skip`; clause->count: there is none.
 */
size_t grammar_next(const struct clause *clause, size_t i, terms skip);

/* Whether the noun at i stands behind a preposition: a place, a whom or a why. */
bool grammar_is_place(const struct clause *clause, size_t i);

/* The noun that a predicate at i belongs to: the nearest in front that is no place. clause->count:
 * none. */
size_t grammar_subject(const struct clause *clause, size_t i);

/* The noun that a predicate at i stands right in front of. clause->count: none. */
size_t grammar_object(const struct clause *clause, size_t i);

/* Whether the address asked about stands in it, or our sender. */
bool grammar_has_asked(const struct clause *clause);
bool grammar_has_ours(const struct clause *clause);

#endif
