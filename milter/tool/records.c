/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records: `ringback cache get`, `list` and `delete`: which records are meant. All that
 * answers for an address is meant by it: what the world says, what each relay says, that a user of
 * ours writes to it, what was learned of other one-time addresses of its kind; and that it is to be
 * asked about again.
 */
#include "config.h"

#include "tool/cache.h"

#include "tool/tool.h"

#include "mail/address.h"
#include "mail/onetime.h"
#include "base/text.h"
#include "base/json.h"

#include <string.h>
#include <sysexits.h>

typedef bool visit_fn(const struct cache_entry *entry, void *arg);

/* --- What is asked for ---------------------------------------------------- */

/* An argument of get and delete. */
struct subject {
    struct address address;
    char key[RB_ADDRESS_MAX + 1]; /* the address, canonical; "": it is a domain: */
    char domain[RB_DOMAIN_MAX + 1];
};

static bool read_subject(const char *text, struct subject *subject)
{
    size_t len = strlen(text);

    *subject = (struct subject){.key = ""};
    if (strchr(text, '@') == NULL)
        return address_domain(text, len, subject->domain) == ADDRESS_OK;
    return address_parse(text, len, true, &subject->address) == ADDRESS_OK &&
           address_key(&subject->address, subject->key, sizeof subject->key) == RB_OK;
}

/* -1: go on. */
static int check_relay(struct job *job)
{
    const char *relay = job->request->relay;

    if (relay == NULL)
        return -1;
    if (!relay_is_good(relay) && !relay_is_name(relay))
        return syntax_fail(job->syntax, "--relay: \"%s\" is not HOST or HOST:PORT", relay);
    relay_name(relay, job->relay);
    return -1;
}

static int check_domain(struct job *job)
{
    const char *domain = job->request->domain;

    if (domain == NULL || address_domain(domain, strlen(domain), job->domain) == ADDRESS_OK)
        return -1;
    return syntax_fail(job->syntax, "--domain: \"%s\" is not a domain", domain);
}

static int check_verdict(struct job *job)
{
    const char *verdict = job->request->verdict;

    if (verdict == NULL || rb_verdict_from_name(verdict, &job->verdict) == RB_OK)
        return -1;
    return syntax_fail(job->syntax, "--verdict: \"%s\" is not valid, invalid or unknown", verdict);
}

static int check_host(struct job *job)
{
    const char *host = job->request->host;

    if (host == NULL || cache_host_key(host, job->host))
        return -1;
    return syntax_fail(job->syntax, "--host: \"%s\" is not an IP address", host);
}

int records_check_get(struct job *job)
{
    struct subject subject;

    for (char **argument = job->request->arguments; *argument != NULL; argument++)
        if (!read_subject(*argument, &subject))
            return syntax_fail(job->syntax, "\"%s\" is neither an address nor a domain", *argument);
    return check_relay(job);
}

int records_check_delete(struct job *job)
{
    const struct request *request = job->request;
    bool of_all = request->domain != NULL || request->host != NULL;
    struct subject subject;
    int status;

    if (of_all == (request->arguments[0] != NULL))
        return syntax_fail(job->syntax, "one of ADDRESS..., --domain and --host is wanted");
    if (of_all && request->relay != NULL)
        return syntax_fail(job->syntax, "--relay goes with ADDRESS...");
    for (char **argument = request->arguments; *argument != NULL; argument++)
        if (!read_subject(*argument, &subject) || subject.key[0] == '\0')
            return syntax_fail(job->syntax, "\"%s\" is not an address", *argument);
    status = check_relay(job);
    if (status < 0)
        status = check_domain(job);
    return status < 0 ? check_host(job) : status;
}

static const struct {
    const char *name;
    enum cache_table table; /* 0: all of them */
} kinds[] = {
    {"address", CACHE_ADDRESS}, {"domain", CACHE_DOMAIN}, {"host", CACHE_HOST},
    {"fold", CACHE_ONETIME},    {"retry", CACHE_RETRY},   {"all", 0},
};

static bool kind_from_name(const char *name, enum cache_table *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = kinds[i].table;
            return true;
        }
    return false;
}

/* Addresses, unless something else is asked for. */
static int check_kind(struct job *job)
{
    const struct request *request = job->request;

    job->kind = request->domain != NULL && request->verdict == NULL ? 0 : CACHE_ADDRESS;
    if (request->kind == NULL)
        return -1;
    if (!kind_from_name(request->kind, &job->kind))
        return syntax_fail(job->syntax,
                           "--kind: \"%s\" is not address, domain, host, fold, retry or all",
                           request->kind);
    if (job->kind != CACHE_ADDRESS && request->verdict != NULL)
        return syntax_fail(job->syntax, "--verdict: only addresses have one");
    if (job->kind == CACHE_HOST && request->domain != NULL)
        return syntax_fail(job->syntax, "--domain: a host has none");
    return -1;
}

int records_check_list(struct job *job)
{
    int status = check_domain(job);

    if (status < 0)
        status = check_verdict(job);
    return status < 0 ? check_kind(job) : status;
}

/* --- Which records that is ------------------------------------------------ */

static bool ends_in_domain(const char *address, const char *domain)
{
    const char *at = strrchr(address, '@');

    return at != NULL && strcmp(at + 1, domain) == 0;
}

/* Hosts serve many domains, and are of none. */
static bool is_of_domain(const struct cache_entry *entry, const char *wanted)
{
    char domain[RB_DOMAIN_MAX + 1], relay[RELAY_NAME_MAX + 1];

    switch (entry->table) {
    case CACHE_HOST:
        return false;
    case CACHE_DOMAIN:
        return cache_split_facts_key(entry->key, domain, relay) && strcmp(domain, wanted) == 0;
    case CACHE_ONETIME:
        return ends_in_domain(entry->key, wanted);
    default:
        return ends_in_domain(entry->address, wanted);
    }
}

static bool is_of_relay(const struct cache_entry *entry, const char *wanted)
{
    char domain[RB_DOMAIN_MAX + 1], relay[RELAY_NAME_MAX + 1];

    if (entry->table == CACHE_DOMAIN)
        return cache_split_facts_key(entry->key, domain, relay) && strcmp(relay, wanted) == 0;
    return entry->relay != NULL && strcmp(entry->relay, wanted) == 0;
}

/* What was learned of the address's kind, where it is a one-time one. */
static enum rb_error visit_onetime(struct job *job, const struct address *address, visit_fn *visit)
{
    char key[CACHE_KEY_MAX + 1];
    struct onetime_record record;
    struct onetime_class onetime;
    enum rb_error error;

    if (onetime_classify(address, &onetime) == ONETIME_NONE ||
        cache_onetime_key(onetime.kind, onetime.key, key) != RB_OK)
        return RB_OK;
    error = cache_get_onetime(job->cache, key, &record);
    if (error == RB_OK)
        (void)visit(
            &(struct cache_entry){.table = CACHE_ONETIME, .key = key, .onetime_record = &record},
            job);
    return error == RB_ERR_NOT_FOUND ? RB_OK : error;
}

static enum rb_error visit_subject(struct job *job, const struct subject *subject, visit_fn *visit)
{
    enum rb_error error;

    if (subject->key[0] == '\0')
        return cache_walk_domain(job->cache, subject->domain, visit, job);
    error = cache_walk_address(job->cache, CACHE_ADDRESS, subject->key, visit, job);
    if (error == RB_OK)
        error = cache_walk_address(job->cache, CACHE_RETRY, subject->key, visit, job);
    return error == RB_OK && job->relay[0] == '\0' ? visit_onetime(job, &subject->address, visit)
                                                   : error;
}

/* Each argument; one of which nothing is known is named. */
static int visit_arguments(struct job *job, visit_fn *visit)
{
    int status = EX_OK;

    for (char **argument = job->request->arguments; *argument != NULL; argument++) {
        uint64_t before = job->count;
        enum rb_error error = RB_ERR_ARGUMENT;
        struct subject subject;

        if (read_subject(*argument, &subject))
            error = visit_subject(job, &subject, visit);
        if (error != RB_OK)
            return tool_cache_failed(error);
        if (job->count == before)
            status = tool_fail(EX_NOUSER, "%s is not in the cache",
                               subject.key[0] != '\0' ? subject.key : subject.domain);
    }
    return status;
}

/* --- Showing -------------------------------------------------------------- */

static void show(struct job *job, const struct cache_entry *entry)
{
    job->count++;
    if (job->request->json)
        tool_print_json(json_entry(entry, &job->lifetimes, job->now_s));
    else
        record_text_print(entry, &job->lifetimes, job->now_s);
}

static bool show_if_of_relay(const struct cache_entry *entry, void *arg)
{
    struct job *job = arg;

    if (job->relay[0] == '\0' || is_of_relay(entry, job->relay))
        show(job, entry);
    return true;
}

int records_get(struct job *job)
{
    return visit_arguments(job, show_if_of_relay);
}

static bool is_listed(const struct job *job, const struct cache_entry *entry)
{
    if (job->domain[0] != '\0' && !is_of_domain(entry, job->domain))
        return false;
    return job->request->verdict == NULL ||
           rb_reason_verdict(entry->address_record->reason) == job->verdict;
}

static bool is_full(const struct job *job)
{
    return job->request->limit > 0 && job->count >= job->request->limit;
}

static bool show_if_listed(const struct cache_entry *entry, void *arg)
{
    struct job *job = arg;

    if (is_listed(job, entry))
        show(job, entry);
    return !is_full(job);
}

int records_list(struct job *job)
{
    for (size_t i = 0; i < cache_table_count && !is_full(job); i++) {
        enum rb_error error = RB_OK;

        if (job->kind == 0 || job->kind == cache_tables[i])
            error = cache_walk(job->cache, cache_tables[i], show_if_listed, job);
        if (error != RB_OK)
            return tool_cache_failed(error);
    }
    return EX_OK;
}

/* --- Forgetting ----------------------------------------------------------- */

static bool forget(const struct cache_entry *entry, void *arg)
{
    struct job *job = arg;

    job->count += cache_delete(job->cache, entry->table, entry->key) == RB_OK;
    return true;
}

static bool is_yes(const struct job *job, const struct fact *fact)
{
    return fact->state == FACT_YES && fact_is_live(fact, job->lifetimes.domain_ttl_s, job->now_s);
}

/* What is known of a whole domain goes on answering for its addresses. */
static bool note_facts(const struct cache_entry *entry, void *arg)
{
    const struct job *job = arg;
    const struct domain_record *facts = entry->domain_record;
    char domain[RB_DOMAIN_MAX + 1] = "", relay[RELAY_NAME_MAX + 1] = "";

    (void)cache_split_facts_key(entry->key, domain, relay);
    if ((job->relay[0] == '\0' || strcmp(relay, job->relay) == 0) &&
        (is_yes(job, &facts->catch_all) || is_yes(job, &facts->dead)))
        (void)tool_fail(EX_OK,
                        "note: that %s%s%s %s is still known, and answers for all its addresses: "
                        "see --domain",
                        domain, relay[0] != '\0' ? " at " : "", relay,
                        is_yes(job, &facts->dead) ? "is dead" : "takes every address");
    return true;
}

/* So does a correspondent for the one-time addresses that are signed for it. */
static void note_correspondent(struct job *job, const struct address *address)
{
    char key[CACHE_KEY_MAX + 1];
    struct address_record record;
    struct onetime_class onetime;

    if (onetime_classify(address, &onetime) != ONETIME_NONE && onetime.base[0] != '\0' &&
        cache_correspondent_key(onetime.base, key) == RB_OK &&
        cache_get_address(job->cache, key, &record) == RB_OK)
        (void)tool_fail(EX_OK,
                        "note: that %s is a correspondent is still known, and answers for it",
                        onetime.base);
}

static void note_what_still_answers(struct job *job)
{
    struct subject subject;

    for (char **argument = job->request->arguments; *argument != NULL; argument++) {
        if (!read_subject(*argument, &subject))
            continue;
        (void)cache_walk_domain(job->cache, subject.address.domain, note_facts, job);
        if (job->relay[0] == '\0')
            note_correspondent(job, &subject.address);
    }
}

static bool forget_if_of_relay(const struct cache_entry *entry, void *arg)
{
    const struct job *job = arg;

    return (job->relay[0] != '\0' && !is_of_relay(entry, job->relay)) || forget(entry, arg);
}

static bool forget_if_of_domain(const struct cache_entry *entry, void *arg)
{
    const struct job *job = arg;

    return !is_of_domain(entry, job->domain) || forget(entry, arg);
}

static enum rb_error forget_domain(struct job *job)
{
    enum rb_error error = cache_walk_domain(job->cache, job->domain, forget, job);

    for (size_t i = 0; i < cache_table_count && error == RB_OK; i++)
        if (cache_tables[i] != CACHE_DOMAIN && cache_tables[i] != CACHE_HOST)
            error = cache_walk(job->cache, cache_tables[i], forget_if_of_domain, job);
    return error;
}

/* A domain or a host. */
static int forget_all_of(struct job *job)
{
    enum rb_error error = job->host[0] != '\0' ? cache_walk_host(job->cache, job->host, forget, job)
                                               : forget_domain(job);

    if (error != RB_OK)
        return tool_cache_failed(error);
    return job->count > 0 ? EX_OK
                          : tool_fail(EX_NOUSER, "%s is not in the cache",
                                      job->host[0] != '\0' ? job->host : job->domain);
}

int records_delete(struct job *job)
{
    int status = job->request->arguments[0] != NULL ? visit_arguments(job, forget_if_of_relay)
                                                    : forget_all_of(job);

    if (job->count > 0)
        record_text_print_count(job->count, "removed");
    note_what_still_answers(job);
    return status;
}
