/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_vocabulary: what the words of replies are in a sentence, in the languages that mail
 * hosts speak. The words are in classify_rules.def. Pure; the index is built once, by whichever
 * thread is first.
 */
#ifndef RB_SMTP_CLASSIFY_VOCABULARY_H
#define RB_SMTP_CLASSIFY_VOCABULARY_H

#include "smtp/classify_words.h"

/* What a word, or a fixed phrase of some words, is in a sentence. */
enum term {
    TERM_NONE,   /* the vocabulary does not know it */
    TERM_VERB,   /* says nothing, but has an object: deliver, reach, said */
    TERM_FILLER, /* says nothing: articles, courtesies, commands, products */

    /* Nouns. */
    TERM_BOX,        /* the recipient's mailbox */
    TERM_PERSON,     /* who or what else has it: user, recipient, account, mail address */
    TERM_PEOPLE,     /* more than one: said of ours asked for before, too */
    TERM_ADDRESS,    /* may be an address of any kind */
    TERM_EMAIL,      /* a message, or an address */
    TERM_MESSAGE,    /* a message */
    TERM_SENDER,     /* our sender */
    TERM_US,         /* our host, address, name or session */
    TERM_POSTMASTER, /* ours, unless it is asked about */
    TERM_CALLBACK,   /* a verification of our sender */
    TERM_LIST,       /* a list, a group: its members */
    TERM_POLICY,     /* rules, filters */
    TERM_LISTED,     /* block lists, spam, reputation: said of us wherever it is said */
    TERM_TOO_MANY,   /* too many of what follows */
    TERM_LIMIT,      /* limits, rates, numbers */
    TERM_QUOTA,      /* quota */
    TERM_STORAGE,    /* space: a mailbox's, or the system's */
    TERM_DIRECTORY,  /* where mailboxes are looked up */
    TERM_HOST,       /* a domain, a host, a route to one */
    TERM_ROUTE,      /* what leads to one: DNS, MX */
    TERM_THING,      /* anything else that can be unknown, missing or disabled */

    /* Predicates. */
    TERM_ABSENT,      /* unknown, missing */
    TERM_INVALID,     /* invalid, bad: may be said of how an address is written */
    TERM_NOBODY,      /* a whole sentence that says so: "no one by that name" */
    TERM_THERE,       /* exists, found, known: absent where denied */
    TERM_AVAILABLE,   /* unavailable where denied */
    TERM_ACTIVE,      /* closed where denied */
    TERM_ALLOWED,     /* denied where denied */
    TERM_CLOSED,      /* disabled, suspended */
    TERM_DEFUNCT,     /* a whole sentence that says so: "no recipient activity" */
    TERM_BLOCKED,     /* closed, where it is said of a mailbox and of nobody's mail to it */
    TERM_INACTIVITY,  /* why a mailbox is closed */
    TERM_FULL,        /* full */
    TERM_OVER_QUOTA,  /* a whole sentence that says so */
    TERM_EXCEEDED,    /* said of storage: full */
    TERM_UNAVAILABLE, /* RFC 5321's own word for 550 */
    TERM_MOVED,       /* has moved */
    TERM_REFUSED,     /* rejected: says nothing where a recipient is its subject */
    TERM_DENIED,      /* not allowed, restricted, failed */
    TERM_TEMPORARY,   /* at this time, later */

    /* Between them. */
    TERM_YOUR,      /* whose */
    TERM_NOT,       /* not, no */
    TERM_CANNOT,    /* cannot: denies what is done, not what is there */
    TERM_NO_LONGER, /* no longer */
    TERM_MAYBE,     /* may, might, possibly */
    TERM_OR,        /* or */
    TERM_OF,        /* joins two nouns */
    TERM_FROM,      /* begins a whence */
    TERM_AT,        /* begins a place: in, on, at */
    TERM_FOR,       /* begins a whom or why: to, for, from, by */
    TERM_BREAK,     /* begins another clause: because, and */
    TERM_ADVICE,    /* begins advice, which says nothing: please, see, if */
    TERM_MAX,
};

/*
 * What stands at tokens[0]: the longest word or fixed phrase that fits, of *len tokens (at least
 * 1). TERM_NONE: the vocabulary does not know it. count must be at least 1.
 */
enum term vocabulary_find(const struct token *tokens, size_t count, size_t *len);

/* The same of one word alone. */
enum term vocabulary_word(const char *word);

/*
 * The groups of the vocabulary, one after the other: its term, its language, its words, parted by
 * "|". False: there are no more.
 */
bool vocabulary_group(size_t group, enum term *term, const char **language, const char **words);

#endif
