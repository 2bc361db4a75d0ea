/* SPDX-License-Identifier: BSD-2-Clause */
/* checks: who waits for what; see checks.h. It must neither ask DNS nor judge. */
#include "config.h"

#include "verifier/checks.h"

#include "base/text.h"

#include <assert.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
    struct sched_lookup entry;
    struct spf_lookup of;       /* the key: zeroed behind the name */
    struct check *first, **end; /* those that wait for it */
    UT_hash_handle hh;
};

/* --- Subjects ---------------------------------------------------------------- */

struct spf_question spf_subject_question(const struct spf_subject *subject)
{
    return (struct spf_question){
        .client = (const struct sockaddr *)&subject->client,
        .helo = subject->helo,
        .local = subject->local,
        .domain = subject->domain,
        .guesses = subject->guesses,
    };
}

static bool copy_or_empty(char *to, size_t size, const char *text)
{
    return text_copy(to, size, text != NULL ? text : "");
}

/* What is too long for a name is none: what is left of it is another that does not exist. */
static void cut_to_fit(char *to, size_t size, const char *text)
{
    const size_t len = text != NULL ? strnlen(text, size - 1) : 0;

    memcpy(to, len > 0 ? text : "", len);
    to[len] = '\0';
}

bool spf_subject_set(struct spf_subject *subject, const struct spf_question *question)
{
    const struct sockaddr *client = question->client;

    *subject = (struct spf_subject){.client.ss_family = AF_UNSPEC, .guesses = question->guesses};
    if (client->sa_family != AF_INET && client->sa_family != AF_INET6)
        return false;
    memcpy(&subject->client, client,
           client->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    cut_to_fit(subject->helo, sizeof subject->helo, question->helo);
    return copy_or_empty(subject->local, sizeof subject->local, question->local) &&
           copy_or_empty(subject->domain, sizeof subject->domain, question->domain);
}

/* --- Checks ------------------------------------------------------------------- */

struct check *check_new(const struct spf_subject *subject, unsigned by)
{
    struct check *check = calloc(1, sizeof *check);
    struct spf_question question;

    if (check == NULL)
        return NULL;
    check->subject = *subject;
    question = spf_subject_question(&check->subject);
    if (!spf_key_make(&question, by, &check->key)) {
        free(check);
        return NULL;
    }
    return check;
}

void check_free(struct check *check)
{
    struct applicant *applicant, *next;

    if (check == NULL)
        return;
    DL_FOREACH_SAFE(check->applicants, applicant, next)
    {
        DL_DELETE(check->applicants, applicant);
        free(applicant);
    }
    spf_answers_free(&check->answers);
    free(check);
}

struct check *checks_find(const struct checks *checks, const struct check *check)
{
    struct check *found;

    HASH_FIND(hh, checks->table, check->key.octets, check->key.len, found);
    return found;
}

enum rb_error checks_list(struct checks *checks, struct check *check)
{
    HASH_ADD_KEYPTR(hh, checks->table, check->key.octets, check->key.len, check);
    return check->hh.tbl != NULL ? RB_OK : RB_ERR_NOMEM;
}

void checks_remove(struct checks *checks, struct check *check)
{
    if (check->hh.tbl == NULL)
        return;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what has a table is in it */
    HASH_DEL(checks->table, check);
    check->hh.tbl = NULL;
}

void checks_add_applicant(struct checks *checks, struct check *check, struct applicant *applicant)
{
    DL_APPEND(check->applicants, applicant);
    atomic_fetch_add(&checks->waiting, 1);
}

struct applicant *check_take_applicant(struct check *check)
{
    struct applicant *applicant = check->applicants;

    if (applicant != NULL)
        DL_DELETE(check->applicants, applicant);
    return applicant;
}

struct applicant *checks_take_applicants(struct checks *checks)
{
    struct applicant *all = NULL;
    struct check *check, *next;

    HASH_ITER(hh, checks->table, check, next)
    {
        DL_CONCAT(all, check->applicants);
        check->applicants = NULL;
    }
    return all;
}

void checks_forget(struct checks *checks, struct applicant *applicant)
{
    assert(atomic_load(&checks->waiting) > 0);
    atomic_fetch_sub(&checks->waiting, 1);
    free(applicant);
}

/* --- Look-ups ------------------------------------------------------------------ */

static struct lookup *find_or_add(struct checks *checks, const struct spf_lookup *of,
                                  struct lookup **fresh)
{
    struct spf_lookup key;
    struct lookup *lookup;

    memset(&key, 0, sizeof key);
    key.type = of->type;
    (void)text_copy(key.name, sizeof key.name, of->name);
    HASH_FIND(hh, checks->lookups, &key, sizeof key, lookup);
    if (lookup != NULL)
        return lookup;
    lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    lookup->of = key;
    lookup->end = &lookup->first;
    HASH_ADD(hh, checks->lookups, of, sizeof lookup->of, lookup);
    if (lookup->hh.tbl == NULL) {
        free(lookup);
        return NULL;
    }
    *fresh = lookup;
    return lookup;
}

enum rb_error checks_await(struct checks *checks, struct check *check, struct lookup **fresh)
{
    struct lookup *lookup;

    *fresh = NULL;
    lookup = find_or_add(checks, &check->wanted, fresh);
    if (lookup == NULL)
        return RB_ERR_NOMEM;
    check->next = NULL;
    *lookup->end = check;
    lookup->end = &check->next;
    return RB_OK;
}

struct sched_lookup *lookup_entry(struct lookup *lookup)
{
    return &lookup->entry;
}

struct lookup *lookup_of_entry(struct sched_lookup *entry)
{
    return (struct lookup *)((char *)entry - offsetof(struct lookup, entry));
}

const struct spf_lookup *lookup_of(const struct lookup *lookup)
{
    return &lookup->of;
}

struct check *checks_looked_up(struct checks *checks, struct lookup *lookup)
{
    struct check *first = lookup->first;

    HASH_DEL(checks->lookups, lookup);
    free(lookup);
    return first;
}

static void free_waiting(struct checks *checks, struct lookup *lookup)
{
    struct check *check = lookup->first;

    while (check != NULL) {
        struct check *next = check->next;

        checks_remove(checks, check);
        check_free(check);
        check = next;
    }
}

void checks_free(struct checks *checks)
{
    struct lookup *lookup, *next;

    HASH_ITER(hh, checks->lookups, lookup, next)
    {
        free_waiting(checks, lookup);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL unlinked the one that was freed */
        HASH_DEL(checks->lookups, lookup);
        free(lookup);
    }
    assert(checks->table == NULL);
    *checks = (struct checks){.table = NULL};
}
