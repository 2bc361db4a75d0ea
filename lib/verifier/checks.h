/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checks: SPF checks under way, the questions that wait for them, and the look-ups that they wait
 * for. Equal checks are one; so are equal look-ups, whoever needs them: however many clients send
 * for a domain whose name server is silent, one worker waits for it.
 *
 * Thread rule: no locks of its own; every call is made under the owner's lock, but for check_new
 * and check_free. The answers of a check, and what comes of them, are for the one thread that has
 * it: the one that made it, until it waits; then the one that made the look-up it waited for.
 */
#ifndef RB_VERIFIER_CHECKS_H
#define RB_VERIFIER_CHECKS_H

#include "base/hash.h"
#include "sched/sched.h"
#include "spf/memo.h"

#include <stdatomic.h>

struct question;

/* Who sends for whom, with text of its own. */
struct spf_subject {
    struct sockaddr_storage client;
    char helo[RB_DOMAIN_MAX + 1];
    char local[RB_DOMAIN_MAX + 1];
    char domain[RB_DOMAIN_MAX + 1];
    bool guesses;
};

/* One question that waits for a check. */
struct applicant {
    struct spf_subject subject;
    enum rb_gate position;     /* of the gate, when it was asked */
    struct question *question; /* what goes on once the check is done; NULL: nobody waits for it */
    struct applicant *prev, *next;
};

/* One check: of a client and a domain, and perhaps of one HELO name and local part. */
struct check {
    struct spf_subject subject; /* of the first applicant, who may be gone */
    struct spf_answers answers;
    struct spf_vouching vouching;
    struct spf_lookup wanted; /* what it has to wait for */
    int64_t spent_ms;         /* that name servers have taken */
    struct applicant *applicants;
    struct check *next; /* that waits for the same look-up */
    struct spf_key key;
    UT_hash_handle hh;
};

struct lookup; /* opaque */

/* Zeroed: none. */
struct checks {
    struct check *table;
    struct lookup *lookups;
    atomic_uint waiting; /* applicants that have not gone on yet */
};

/* The question of a subject. It points into it. */
struct spf_question spf_subject_question(const struct spf_subject *subject);

/*
 * A HELO name that is too long is cut. False when another text is, or the client is neither AF_INET
 * nor AF_INET6.
 */
bool spf_subject_set(struct spf_subject *subject, const struct spf_question *question);

/* NULL: no memory. It is in no table. */
struct check *check_new(const struct spf_subject *subject, unsigned by);

/* One that is in no table and waits for nothing. Its applicants go with it. NULL is fine. */
void check_free(struct check *check);

/* A check that has the same key; NULL when there is none. */
struct check *checks_find(const struct checks *checks, const struct check *check);

/* Puts a check into the table. RB_ERR_NOMEM: it is not there. */
enum rb_error checks_list(struct checks *checks, struct check *check);

/* Another question waits for a check. It is malloc'ed. */
void checks_add_applicant(struct checks *checks, struct check *check, struct applicant *applicant);

/*
 * Takes an applicant off a check, which need not be in the table; NULL when it has none any more.
 * It counts until it is gone.
 */
struct applicant *check_take_applicant(struct check *check);

/* Takes all applicants off all checks of the table; linked by `next`. */
struct applicant *checks_take_applicants(struct checks *checks);

/* Frees an applicant that was taken, when its question has gone on. Needs no lock. */
void checks_forget(struct checks *checks, struct applicant *applicant);

/*
 * A check of the table waits for the look-up that it wants. *fresh: that is a new one, which the
 * caller is to have made; NULL: it is under way. RB_ERR_NOMEM: it does not wait.
 */
enum rb_error checks_await(struct checks *checks, struct check *check, struct lookup **fresh);

/* What sched knows a look-up by, and the other way round. */
struct sched_lookup *lookup_entry(struct lookup *lookup);
struct lookup *lookup_of_entry(struct sched_lookup *entry);

/* What it asks for. */
const struct spf_lookup *lookup_of(const struct lookup *lookup);

/*
 * A look-up has been made: it is gone, and those that waited for it are the caller's, linked by
 * `next`. They stay in the table, so that equal questions can join them.
 */
struct check *checks_looked_up(struct checks *checks, struct lookup *lookup);

/* A check is done: takes it out of the table. */
void checks_remove(struct checks *checks, struct check *check);

/* Frees what is left. No look-up may be under way. */
void checks_free(struct checks *checks);

#endif
