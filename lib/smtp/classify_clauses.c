/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_clauses: reads the clauses of a reply; see classify_clauses.h. A clause becomes a row of
 * items; nouns that stand together become one (the last is what it is, "sender" and "your" say
 * whose), denials are resolved ("not found": absent), and each predicate is held against its
 * subject. Pure.
 */
#include "config.h"

#include "smtp/classify_clauses.h"

#include "smtp/classify_vocabulary.h"

#include <assert.h>
#include <string.h>

/* --- Items ---------------------------------------------------------------- */

/* Terms, as a set. */
typedef uint64_t terms;

#define T(name) ((terms)1 << TERM_##name)

static_assert(TERM_MAX <= 64, "more terms than a set can have");

#define MAILBOX (T(BOX) | T(PERSON) | T(PEOPLE) | T(ADDRESS))
#define WHOSE (T(SENDER) | T(US) | T(POSTMASTER) | T(CALLBACK) | T(LISTED))
/* Of those, what is said of the sender. */
#define OF_SENDER (T(SENDER) | T(POSTMASTER) | T(CALLBACK))
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
/* What is said against somebody. */
#define ADVERSE                                                                                    \
    (NOT_THERE | DENIAL | T(NOBODY) | T(CLOSED) | T(DEFUNCT) | T(BLOCKED) | T(FULL) |              \
     T(OVER_QUOTA) | T(EXCEEDED) | T(UNAVAILABLE) | T(MOVED) | T(REFUSED) | T(DENIED) | T(LIMIT) | \
     T(TOO_MANY))
/* A clause with one of these says nothing of the mailbox. */
#define VOIDS (WHOSE | FOREIGN | T(YOUR))
/* What a reply may have of which it is said that nothing else is in it. */
#define HARMLESS                                                                                   \
    (MAILBOX | NOT_THERE | SAYS_NOTHING | T(EMAIL) | T(NOBODY) | T(CLOSED) | T(DEFUNCT) |          \
     T(UNAVAILABLE) | T(MOVED) | T(REFUSED) | T(OF) | PREPOSITION | T(BREAK) | T(OR))

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

static bool is(const struct item *item, terms any)
{
    return ((terms)1 << item->term & any) != 0;
}

/* Says nothing by itself, and parts nothing. */
static bool is_void(const struct item *item)
{
    return item->quoted || (!item->strange && is(item, SAYS_NOTHING | T(NONE)));
}

/* The next item behind i that is none of those, nor void; clause->count: there is none. */
static size_t next_item(const struct clause *clause, size_t i, terms skip)
{
    do
        i++;
    while (i < clause->count && (is_void(&clause->item[i]) || is(&clause->item[i], skip)));
    return i;
}

/* --- Nouns ---------------------------------------------------------------- */

/* "your mail address of the user": how many items from i on are one noun; 0: none. */
static size_t noun_len(const struct clause *clause, size_t i)
{
    const struct item *item = clause->item;
    size_t k = i, end = i;

    if (is(&item[k], T(YOUR)))
        k = next_item(clause, k, 0);
    while (k < clause->count && is(&item[k], NOUN)) {
        end = ++k;
        if (k < clause->count && is(&item[k], T(OF)))
            k = next_item(clause, k, T(YOUR));
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

        behind_of = behind_of || is(item, T(OF));
        if (is(item, NOUN | T(YOUR)))
            noun->parts |= (terms)1 << item->term;
        if (is(item, NOUN) && !behind_of)
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
        size_t len = is(&clause->item[i], NOUN | T(YOUR)) ? noun_len(clause, i) : 0;

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
    bool object = i + 1 < clause->count && is(&item[1], NOUN);

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
    if (!is(&clause->item[i], T(AT)))
        return false;
    i = next_item(clause, i, 0);
    return i < clause->count && ((clause->item[i].parts & T(DIRECTORY)) != 0 ||
                                 (no_longer && is(&clause->item[i], T(HOST))));
}

/* "existiert nicht", "n'existe pas": what is denied stands in front. */
static bool deny_before(struct clause *clause, size_t i)
{
    size_t k = i;

    while (k > 0 && is_void(&clause->item[k - 1]))
        k--;
    if (k == 0)
        return false;
    if (clause->item[k - 1].denied)
        clause->item[i].term = TERM_FILLER;
    else if (is(&clause->item[k - 1], T(THERE) | T(AVAILABLE) | T(ACTIVE) | T(ALLOWED)))
        deny(clause, k - 1, &clause->item[i]);
    else
        return false;
    return true;
}

/* "not found", "no such user", "does not exist": what is denied stands behind. */
static bool deny_behind(struct clause *clause, size_t i)
{
    struct item *denial = &clause->item[i];
    bool no_longer = is(denial, T(NO_LONGER)), other = false;

    for (size_t k = i + 1; k < clause->count && k <= i + DENIAL_REACH; k++) {
        struct item *item = &clause->item[k];

        other = other || is(item, PREPOSITION | T(VERB));
        if (denied(item->term, no_longer) != TERM_MAX) {
            if (!item->strange || item->term != TERM_NONE)
                deny(clause, k, denial);
            return true;
        }
        if (is_denied_place(clause, k, no_longer) ||
            (is(item, NOUN) && is(denial, T(NOT)) && !other)) {
            denial->term = is(item, T(PEOPLE)) ? TERM_DENIED : TERM_ABSENT; /* "no recipients" */
            return true;
        }
        if (!is_void(item) && !is(item, DENIAL | PREPOSITION))
            return false;
    }
    return false;
}

static void resolve_denials(struct clause *clause)
{
    for (size_t i = 0; i < clause->count; i++)
        if (is(&clause->item[i], DENIAL) && !deny_behind(clause, i))
            (void)deny_before(clause, i);
}

/* --- What a predicate is said of ------------------------------------------ */

/* What is known while the clauses are read one after the other. */
struct reading {
    const struct words *words;
    int said[CLAUSES_MAX];  /* by the number of the sentence: SAYS_… */
    terms has[CLAUSES_MAX]; /* the same: what its clauses have */
    enum term label;        /* "recipient: …": what the next clause speaks of; TERM_NONE */
    bool label_asked;       /* "<u@d>: …" */
    bool harmless;          /* nothing in it means something else */
};

/* Whether the noun at i stands behind a preposition: a place, a whom or a why. */
static bool is_place(const struct clause *clause, size_t i)
{
    while (i > 0 && (is_void(&clause->item[i - 1]) || is(&clause->item[i - 1], T(THERE))))
        i--;
    return i > 0 && is(&clause->item[i - 1], PREPOSITION);
}

/* A strange word beside a noun may make another thing of it. */
static bool is_compound(const struct clause *clause, size_t i)
{
    const struct item *item = &clause->item[i];

    return (i > 0 && item->joined && item[-1].strange) ||
           (i + 1 < clause->count && item[1].joined && item[1].strange);
}

/* The noun that a predicate at i belongs to: the nearest in front that is no place. clause->count:
 * none. */
static size_t subject_of(const struct clause *clause, size_t i)
{
    for (size_t k = i; k-- > 0;)
        if (is(&clause->item[k], NOUN) && !is_place(clause, k))
            return k;
    return clause->count;
}

/* The noun that a predicate at i stands right in front of. clause->count: none. */
static size_t object_of(const struct clause *clause, size_t i)
{
    size_t k = next_item(clause, i, T(OR) | NOT_THERE | T(CLOSED) | T(THERE));

    return k < clause->count && is(&clause->item[k], NOUN) ? k : clause->count;
}

static bool has_asked(const struct clause *clause)
{
    for (size_t i = 0; i < clause->count; i++)
        if (clause->item[i].asked)
            return true;
    return false;
}

static bool has_ours(const struct clause *clause)
{
    for (size_t i = 0; i < clause->count; i++)
        if (clause->item[i].ours)
            return true;
    return false;
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

    if (is(noun, T(HOST) | T(ROUTE)))
        return SAYS_FOREIGN;
    if (is_compound(clause, k))
        return 0;
    if (is(noun, T(BOX) | T(PERSON)))
        return SAYS_ABSENT;
    return is(noun, T(PEOPLE) | T(ADDRESS) | T(EMAIL)) ? SAYS_GENERIC : 0;
}

/* The same where it stands behind: "unknown user". An "invalid address" may be written wrongly. */
static int absent_object(const struct clause *clause, size_t k, bool invalid)
{
    const struct item *noun = &clause->item[k];

    return is(noun, T(EMAIL)) || (is(noun, T(ADDRESS)) && invalid) ? 0 : absent_subject(clause, k);
}

/* "mail from unknown users": not said of whom it is for. */
static bool is_whence(const struct clause *clause, size_t i)
{
    while (i > 0 &&
           (is_void(&clause->item[i - 1]) || is(&clause->item[i - 1], NOT_THERE | T(THERE))))
        i--;
    return i > 0 && is(&clause->item[i - 1], T(FROM));
}

/* What is said where the label of the clause before is absent: "recipient: unknown". */
static int absent_label(enum term label)
{
    const terms term = (terms)1 << label;

    return (term & (T(BOX) | T(PERSON))) != 0       ? SAYS_ABSENT
           : (term & (T(PEOPLE) | T(ADDRESS))) != 0 ? SAYS_GENERIC
                                                    : 0;
}

static int weigh_absent(const struct reading *reading, const struct clause *clause, size_t i)
{
    size_t object = object_of(clause, i), subject = subject_of(clause, i);

    if (object < clause->count && (is_whence(clause, i) || (clause->has & T(DENIED)) != 0))
        return 0;
    if (object < clause->count)
        return absent_object(clause, object, is(&clause->item[i], T(INVALID)));
    if (subject < clause->count)
        return absent_subject(clause, subject);
    if (reading->label != TERM_NONE)
        return absent_label(reading->label);
    if ((clause->has & T(DIRECTORY)) != 0)
        return SAYS_ABSENT;
    return reading->label_asked || has_asked(clause) ? SAYS_GENERIC : 0;
}

/* "closed to outsiders" is not closed; "closed for inactivity" is. */
static bool is_for_some(const struct clause *clause, size_t i)
{
    size_t next = next_item(clause, i, 0);

    if (next == clause->count || !is(&clause->item[next], T(FOR) | T(FROM)))
        return false;
    next = next_item(clause, next, PREPOSITION);
    return next == clause->count || !is(&clause->item[next], MAILBOX | T(INACTIVITY));
}

/* "locked by another process", "blocked your mail". */
static bool is_by_some(const struct clause *clause, size_t i, bool blocked)
{
    size_t by = next_item(clause, i, 0), who = next_item(clause, by, 0);

    if (who < clause->count && is(&clause->item[by], T(AT)) && clause->item[who].strange)
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

    return is(&clause->item[k], nouns) && !is_compound(clause, k) &&
                   !has_strange_between(clause, k, i)
               ? SAYS_CLOSED
               : 0;
}

static int weigh_closed(const struct reading *reading, const struct clause *clause, size_t i)
{
    bool blocked = is(&clause->item[i], T(BLOCKED)) && (clause->has & T(INACTIVITY)) == 0;
    size_t noun = object_of(clause, i);

    if (is_for_some(clause, i) || is_by_some(clause, i, blocked))
        return 0;
    if (noun == clause->count)
        noun = subject_of(clause, i);
    if (noun < clause->count)
        return closed_noun(clause, noun, i, blocked);
    if (reading->label != TERM_NONE)
        return (MAILBOX & (terms)1 << reading->label) != 0 ? SAYS_CLOSED : 0;
    return blocked ? 0 : SAYS_CLOSED_BARELY;
}

static bool has_part(const struct clause *clause, terms any)
{
    for (size_t i = 0; i < clause->count; i++)
        if ((clause->item[i].parts & any) != 0)
            return true;
    return false;
}

/* Space or a number that is not the mailbox's: "server quota"; "recipient exceeded email quota" is. */
static bool is_foreign_space(const struct clause *clause, size_t i)
{
    const terms of_others = T(MESSAGE) | T(HOST) | T(ROUTE) | T(THING) | T(LIST);
    const struct item *noun = &clause->item[i];
    size_t owner = subject_of(clause, i);
    bool owned = owner < clause->count && is(&clause->item[owner], MAILBOX);

    if (i > 0 && noun->joined && noun[-1].strange)
        return true;
    if ((noun->parts & T(BOX)) != 0)
        return false;
    return (noun->parts & of_others) != 0 || ((noun->parts & T(EMAIL)) != 0 && !owned);
}

/* Whether the noun at i, messages, is in a mailbox: "too many messages in the mailbox". */
static bool is_in_mailbox(const struct clause *clause, size_t i)
{
    size_t at = next_item(clause, i, 0), where = next_item(clause, at, 0);

    return where < clause->count && is(&clause->item[at], T(AT)) &&
           is(&clause->item[where], T(BOX));
}

/* "the mailbox has exceeded the limit". */
static bool is_limit_of_mailbox(const struct clause *clause, size_t i)
{
    size_t owner = subject_of(clause, i);

    return (clause->item[i].parts & T(BOX)) != 0 ||
           (owner < clause->count && is(&clause->item[owner], T(BOX)) &&
            clause->item[i].parts == T(LIMIT));
}

/* "quota exceeded", "not enough space in the mailbox", "too many messages in the mailbox". */
static int weigh_space(const struct clause *clause)
{
    bool exceeded = (clause->has & (T(EXCEEDED) | T(FULL) | T(OVER_QUOTA))) != 0;
    bool mailbox = has_part(clause, T(BOX) | T(PERSON));
    int says = 0;

    for (size_t i = 0; i < clause->count; i++) {
        const struct item *noun = &clause->item[i];

        if (is(noun, SPACE) && is_foreign_space(clause, i))
            return 0;
        if ((is(noun, T(QUOTA)) && exceeded) || (is(noun, T(STORAGE)) && exceeded && mailbox))
            says = SAYS_FULL;
        if (is(noun, T(LIMIT)) && is_limit_of_mailbox(clause, i) && exceeded)
            says = SAYS_FULL;
        if (is(noun, T(TOO_MANY)) && (noun->parts & (T(MESSAGE) | T(EMAIL))) != 0 && mailbox &&
            (subject_of(clause, i) < clause->count || is_in_mailbox(clause, i)))
            says = SAYS_FULL;
    }
    return says;
}

static int weigh_full(const struct reading *reading, const struct clause *clause, size_t i)
{
    size_t noun = subject_of(clause, i);

    if (noun < clause->count)
        return is(&clause->item[noun], MAILBOX) ? SAYS_FULL : 0;
    if (reading->label != TERM_NONE)
        return (MAILBOX & (terms)1 << reading->label) != 0 ? SAYS_FULL : 0;
    return has_asked(clause) || reading->label_asked ? SAYS_FULL : 0;
}

/* RFC 5321's own words for 550: only of a mailbox. */
static int weigh_unavailable(const struct reading *reading, const struct clause *clause, size_t i)
{
    size_t noun = subject_of(clause, i);
    enum term term = noun < clause->count ? clause->item[noun].term : reading->label;

    if (term != TERM_BOX || is_for_some(clause, i))
        return SAYS_OTHER;
    return clause->item[i].denied ? SAYS_NOT_AVAILABLE : SAYS_UNAVAILABLE;
}

static int weigh_moved(const struct clause *clause, size_t i)
{
    size_t noun = subject_of(clause, i);

    return noun < clause->count && is(&clause->item[noun], T(BOX) | T(PERSON)) ? SAYS_GENERIC
                                                                               : SAYS_OTHER;
}

/* "too many unknown users", "too many recipients". */
static int weigh_too_many(const struct clause *clause, size_t i)
{
    size_t noun = object_of(clause, i);
    terms parts = clause->item[i].parts | (noun < clause->count ? clause->item[noun].parts : 0);

    return (parts & MAILBOX) != 0 ? SAYS_TOO_MANY : 0;
}

/* "recipient rejected", "<u@d>: rejected": who is refused, or nobody else. */
static int weigh_refused(const struct reading *reading, const struct clause *clause, size_t i)
{
    size_t noun = subject_of(clause, i);
    enum term term = noun < clause->count ? clause->item[noun].term : reading->label;

    if (term == TERM_NONE)
        return reading->label_asked || has_asked(clause) ? SAYS_REFUSED : SAYS_OTHER;
    return (MAILBOX & (terms)1 << term) != 0 ? SAYS_REFUSED : SAYS_OTHER;
}

static int weigh(const struct reading *reading, const struct clause *clause, size_t i)
{
    switch (clause->item[i].term) {
    case TERM_ABSENT:
    case TERM_INVALID:
        return weigh_absent(reading, clause, i);
    case TERM_NOBODY:
        return SAYS_ABSENT;
    case TERM_CLOSED:
    case TERM_BLOCKED:
        return weigh_closed(reading, clause, i);
    case TERM_DEFUNCT:
        return SAYS_CLOSED;
    case TERM_FULL:
        return weigh_full(reading, clause, i);
    case TERM_OVER_QUOTA:
        return SAYS_FULL;
    case TERM_UNAVAILABLE:
        return weigh_unavailable(reading, clause, i);
    case TERM_MOVED:
        return weigh_moved(clause, i);
    case TERM_REFUSED:
        return weigh_refused(reading, clause, i);
    case TERM_TOO_MANY:
        return weigh_too_many(clause, i);
    default:
        return 0;
    }
}

/* --- Clauses -------------------------------------------------------------- */

enum { ASIDE_MAX = 2 }; /* words in brackets that may be a code of the host */

/* Whether an item is one that a reply with nothing else in it may have. */
static bool is_harmless(const struct clause *clause, size_t i)
{
    const struct item *item = &clause->item[i];

    if (item->strange)
        return clause->aside;
    if (is(item, T(EMAIL)))
        return (clause->has & NOT_THERE) != 0;
    if (is(item, T(HOST) | T(DIRECTORY)))
        return is_place(clause, i);
    return is(item, HARMLESS | T(NONE));
}

/* Of whom a clause speaks that names the sender or us: only where it says something against them. */
static int weigh_whose(const struct reading *reading, const struct clause *clause)
{
    terms label = (terms)1 << reading->label;

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
    size_t noun = subject_of(clause, clause->count);

    if ((clause->has & ADVERSE & ~T(REFUSED)) != 0) {
        reading->label = TERM_NONE;
        reading->label_asked = false;
        return;
    }
    if (has_ours(clause))
        reading->label = TERM_SENDER;
    else if (noun < clause->count && (clause->has & T(REFUSED)) == 0)
        reading->label = clause->item[noun].term;
    if (!has_asked(clause))
        return;
    if (reading->label == TERM_SENDER)
        reading->label = TERM_NONE;
    reading->label_asked = true;
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
        size_t next = next_item(clause, i, 0);

        if (is(&clause->item[i], T(OR)) && next < clause->count &&
            is(&clause->item[next], NOUN & ~(MAILBOX | T(EMAIL))))
            return true;
    }
    return false;
}

/* What the predicates say of the mailbox, if the clause is about one. */
static int weigh_mailbox(struct reading *reading, const struct clause *clause)
{
    const terms counts = T(LIMIT) | T(TOO_MANY); /* of messages: the mailbox is full */
    int says = weigh_space(clause);

    for (size_t i = 0; i < clause->count; i++) {
        says |= weigh(reading, clause, i);
        reading->harmless = reading->harmless && is_harmless(clause, i);
    }
    if ((clause->has & VOIDS & ~counts) != 0 || (WHOSE & (terms)1 << reading->label) != 0)
        return says & SAYS_TOO_MANY;
    return (clause->has & counts) != 0 ? says & (SAYS_FULL | SAYS_TOO_MANY) : says;
}

/* "user … cannot receive", "banned recipient": something against a mailbox, and against it alone. */
static int weigh_recipient(const struct clause *clause)
{
    for (size_t i = 0; i < clause->count && (clause->has & VOIDS) == 0; i++) {
        size_t subject = subject_of(clause, i), object = object_of(clause, i);

        if (is(&clause->item[i], ADVERSE) &&
            ((subject < clause->count && is(&clause->item[subject], MAILBOX)) ||
             (object < clause->count && is(&clause->item[object], MAILBOX))))
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

    clause->has = has_ours(clause) && !has_asked(clause) ? T(SENDER) : 0;
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
    join_nouns(clause);
    resolve_denials(clause);
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
    struct reading reading = {.words = words, .label = TERM_NONE, .harmless = true};
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
