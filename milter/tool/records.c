/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records: `ringback cache get`, `list` and `delete`: which records are meant. All that
 * answers for an address is meant by it: what the world says, what each relay says, that a user of
 * ours writes to it, what was learned of other one-time addresses of its kind; and that it is to be
 * asked about again.
 */
#include "config.h"

#include "tool/records.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/onetime.h"
#include "tool/record_text.h"
#include "tool/say.h"

typedef bool visit_fn(const struct cache_entry *entry, void *arg);

int records_failed(enum rb_error error)
{
    return say_line(EX_IOERR, "%s", rb_error_text(error));
}

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
static int check_relay(struct selection *selection)
{
    const char *relay = selection->request->relay;

    if (relay == NULL)
        return -1;
    if (!relay_is_good(relay) && !relay_is_name(relay))
        return syntax_fail(selection->syntax, "--relay: \"%s\" is not HOST or HOST:PORT", relay);
    relay_name(relay, selection->relay);
    return -1;
}

static int check_domain(struct selection *selection)
{
    const char *domain = selection->request->domain;

    if (domain == NULL || address_domain(domain, strlen(domain), selection->domain) == ADDRESS_OK)
        return -1;
    return syntax_fail(selection->syntax, "--domain: \"%s\" is not a domain", domain);
}

static int check_verdict(struct selection *selection)
{
    const char *verdict = selection->request->verdict;

    if (verdict == NULL || rb_verdict_from_name(verdict, &selection->verdict) == RB_OK)
        return -1;
    return syntax_fail(selection->syntax, "--verdict: \"%s\" is not valid, invalid or unknown",
                       verdict);
}

static int check_host(struct selection *selection)
{
    const char *host = selection->request->host;

    if (host == NULL || cache_host_key(host, selection->host))
        return -1;
    return syntax_fail(selection->syntax, "--host: \"%s\" is not an IP address", host);
}

int records_check_get(struct selection *selection)
{
    struct subject subject;

    for (char **argument = selection->request->arguments; *argument != NULL; argument++)
        if (!read_subject(*argument, &subject))
            return syntax_fail(selection->syntax, "\"%s\" is neither an address nor a domain",
                               *argument);
    return check_relay(selection);
}

int records_check_delete(struct selection *selection)
{
    const struct cache_request *request = selection->request;
    bool of_all = request->domain != NULL || request->host != NULL;
    struct subject subject;
    int status;

    if (of_all == (request->arguments[0] != NULL))
        return syntax_fail(selection->syntax, "one of ADDRESS..., --domain and --host is wanted");
    if (of_all && request->relay != NULL)
        return syntax_fail(selection->syntax, "--relay goes with ADDRESS...");
    for (char **argument = request->arguments; *argument != NULL; argument++)
        if (!read_subject(*argument, &subject) || subject.key[0] == '\0')
            return syntax_fail(selection->syntax, "\"%s\" is not an address", *argument);
    status = check_relay(selection);
    if (status < 0)
        status = check_domain(selection);
    return status < 0 ? check_host(selection) : status;
}

static const struct {
    const char *name;
    enum cache_table table; /* 0: all of them */
} kinds[] = {
    {"address", CACHE_ADDRESS},
    {"domain", CACHE_DOMAIN},
    {"host", CACHE_HOST},
    {"fold", CACHE_ONETIME},
    {"retry", CACHE_RETRY},
    {"verb", CACHE_VERB},
    {"all", 0},
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
static int check_kind(struct selection *selection)
{
    const struct cache_request *request = selection->request;

    selection->kind = request->domain != NULL && request->verdict == NULL ? 0 : CACHE_ADDRESS;
    if (request->kind == NULL)
        return -1;
    if (!kind_from_name(request->kind, &selection->kind))
        return syntax_fail(selection->syntax,
                           "--kind: \"%s\" is not address, domain, host, fold, retry, verb or all",
                           request->kind);
    if (selection->kind != CACHE_ADDRESS && request->verdict != NULL)
        return syntax_fail(selection->syntax, "--verdict: only addresses have one");
    if (selection->kind == CACHE_HOST && request->domain != NULL)
        return syntax_fail(selection->syntax, "--domain: a host has none");
    return -1;
}

int records_check_list(struct selection *selection)
{
    int status = check_domain(selection);

    if (status < 0)
        status = check_verdict(selection);
    return status < 0 ? check_kind(selection) : status;
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
    case CACHE_VERB:
        return cache_verb_key_is_of(entry->key, wanted);
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
static enum rb_error visit_onetime(struct selection *selection, const struct address *address,
                                   visit_fn *visit)
{
    char key[CACHE_KEY_MAX + 1];
    struct onetime_record record;
    struct onetime_class onetime;
    enum rb_error error;

    if (onetime_classify(address, &onetime) == ONETIME_NONE ||
        cache_onetime_key(onetime.kind, onetime.key, key) != RB_OK)
        return RB_OK;
    error = cache_get_onetime(selection->cache, key, &record);
    if (error == RB_OK)
        (void)visit(
            &(struct cache_entry){.table = CACHE_ONETIME, .key = key, .onetime_record = &record},
            selection);
    return error == RB_ERR_NOT_FOUND ? RB_OK : error;
}

/* What the host of that name knows beyond SMTP, or the domain's mail hosts. */
static enum rb_error visit_verbs(struct selection *selection, const char *domain, visit_fn *visit)
{
    char keys[2][CACHE_KEY_MAX + 1];
    enum rb_error error = RB_OK;

    (void)snprintf(keys[0], sizeof keys[0], "%s", domain);
    (void)snprintf(keys[1], sizeof keys[1], "mx:%s", domain);
    for (size_t i = 0; i < 2 && (error == RB_OK || error == RB_ERR_NOT_FOUND); i++) {
        struct verb_record record;

        error = cache_get_verb(selection->cache, keys[i], &record);
        if (error == RB_OK)
            (void)visit(
                &(struct cache_entry){.table = CACHE_VERB, .key = keys[i], .verb_record = &record},
                selection);
    }
    return error == RB_ERR_NOT_FOUND ? RB_OK : error;
}

static enum rb_error visit_subject(struct selection *selection, const struct subject *subject,
                                   visit_fn *visit)
{
    enum rb_error error;

    if (subject->key[0] == '\0') {
        error = cache_walk_domain(selection->cache, subject->domain, visit, selection);
        return error == RB_OK && selection->relay[0] == '\0'
                   ? visit_verbs(selection, subject->domain, visit)
                   : error;
    }
    error = cache_walk_address(selection->cache, CACHE_ADDRESS, subject->key, visit, selection);
    if (error == RB_OK)
        error = cache_walk_address(selection->cache, CACHE_RETRY, subject->key, visit, selection);
    return error == RB_OK && selection->relay[0] == '\0'
               ? visit_onetime(selection, &subject->address, visit)
               : error;
}

/* Each argument; one of which nothing is known is named. */
static int visit_arguments(struct selection *selection, visit_fn *visit)
{
    int status = EX_OK;

    for (char **argument = selection->request->arguments; *argument != NULL; argument++) {
        uint64_t before = selection->count;
        enum rb_error error = RB_ERR_ARGUMENT;
        struct subject subject;

        if (read_subject(*argument, &subject))
            error = visit_subject(selection, &subject, visit);
        if (error != RB_OK)
            return records_failed(error);
        if (selection->count == before)
            status = say_line(EX_NOUSER, "%s is not in the cache",
                              subject.key[0] != '\0' ? subject.key : subject.domain);
    }
    return status;
}

/* --- Showing -------------------------------------------------------------- */

static void show_entry(struct selection *selection, const struct cache_entry *entry)
{
    selection->count++;
    if (selection->request->json)
        say_json(json_entry(entry, &selection->lifetimes, selection->now_s));
    else
        record_text_print(entry, &selection->lifetimes, selection->now_s);
}

static bool show_if_of_relay(const struct cache_entry *entry, void *arg)
{
    struct selection *selection = arg;

    if (selection->relay[0] == '\0' || is_of_relay(entry, selection->relay))
        show_entry(selection, entry);
    return true;
}

int records_get(struct selection *selection)
{
    return visit_arguments(selection, show_if_of_relay);
}

static bool is_listed(const struct selection *selection, const struct cache_entry *entry)
{
    if (selection->domain[0] != '\0' && !is_of_domain(entry, selection->domain))
        return false;
    return selection->request->verdict == NULL ||
           rb_reason_verdict(entry->address_record->reason) == selection->verdict;
}

static bool is_full(const struct selection *selection)
{
    return selection->request->limit > 0 && selection->count >= selection->request->limit;
}

static bool show_if_listed(const struct cache_entry *entry, void *arg)
{
    struct selection *selection = arg;

    if (is_listed(selection, entry))
        show_entry(selection, entry);
    return !is_full(selection);
}

int records_list(struct selection *selection)
{
    for (size_t i = 0; i < cache_table_count && !is_full(selection); i++) {
        enum rb_error error = RB_OK;

        if (selection->kind == 0 || selection->kind == cache_tables[i])
            error = cache_walk(selection->cache, cache_tables[i], show_if_listed, selection);
        if (error != RB_OK)
            return records_failed(error);
    }
    return EX_OK;
}

/* --- Forgetting ----------------------------------------------------------- */

static bool forget_entry(const struct cache_entry *entry, void *arg)
{
    struct selection *selection = arg;

    selection->count += cache_delete(selection->cache, entry->table, entry->key) == RB_OK;
    return true;
}

static bool is_yes(const struct selection *selection, const struct fact *fact)
{
    return fact->state == FACT_YES &&
           fact_is_live(fact, selection->lifetimes.domain_ttl_s, selection->now_s);
}

/* What is known of a whole domain goes on answering for its addresses. */
static bool note_facts(const struct cache_entry *entry, void *arg)
{
    const struct selection *selection = arg;
    const struct domain_record *facts = entry->domain_record;
    char domain[RB_DOMAIN_MAX + 1] = "", relay[RELAY_NAME_MAX + 1] = "";

    (void)cache_split_facts_key(entry->key, domain, relay);
    if ((selection->relay[0] == '\0' || strcmp(relay, selection->relay) == 0) &&
        (is_yes(selection, &facts->catch_all) || is_yes(selection, &facts->dead)))
        (void)say_line(EX_OK,
                       "note: that %s%s%s %s is still known, and answers for all its addresses: "
                       "see --domain",
                       domain, relay[0] != '\0' ? " at " : "", relay,
                       is_yes(selection, &facts->dead) ? "is dead" : "takes every address");
    return true;
}

/* So does a correspondent for the one-time addresses that are signed for it. */
static void note_correspondent(struct selection *selection, const struct address *address)
{
    char key[CACHE_KEY_MAX + 1];
    struct address_record record;
    struct onetime_class onetime;

    if (onetime_classify(address, &onetime) != ONETIME_NONE && onetime.base[0] != '\0' &&
        cache_correspondent_key(onetime.base, key) == RB_OK &&
        cache_get_address(selection->cache, key, &record) == RB_OK)
        (void)say_line(EX_OK, "note: that %s is a correspondent is still known, and answers for it",
                       onetime.base);
}

static void note_what_still_answers(struct selection *selection)
{
    struct subject subject;

    for (char **argument = selection->request->arguments; *argument != NULL; argument++) {
        if (!read_subject(*argument, &subject))
            continue;
        (void)cache_walk_domain(selection->cache, subject.address.domain, note_facts, selection);
        if (selection->relay[0] == '\0')
            note_correspondent(selection, &subject.address);
    }
}

static bool forget_if_of_relay(const struct cache_entry *entry, void *arg)
{
    const struct selection *selection = arg;

    return (selection->relay[0] != '\0' && !is_of_relay(entry, selection->relay)) ||
           forget_entry(entry, arg);
}

static bool forget_if_of_domain(const struct cache_entry *entry, void *arg)
{
    const struct selection *selection = arg;

    return !is_of_domain(entry, selection->domain) || forget_entry(entry, arg);
}

static enum rb_error forget_domain(struct selection *selection)
{
    enum rb_error error =
        cache_walk_domain(selection->cache, selection->domain, forget_entry, selection);

    for (size_t i = 0; i < cache_table_count && error == RB_OK; i++)
        if (cache_tables[i] != CACHE_DOMAIN && cache_tables[i] != CACHE_HOST)
            error = cache_walk(selection->cache, cache_tables[i], forget_if_of_domain, selection);
    return error;
}

/* Its failures, and what it knows beyond SMTP where it is called by its address. */
static enum rb_error forget_host(struct selection *selection)
{
    const bool is_ipv6 = strchr(selection->host, ':') != NULL;
    char key[CACHE_KEY_MAX + 3];

    (void)snprintf(key, sizeof key, is_ipv6 ? "[%s]" : "%s", selection->host);
    selection->count += cache_delete(selection->cache, CACHE_VERB, key) == RB_OK;
    return cache_walk_host(selection->cache, selection->host, forget_entry, selection);
}

/* A domain or a host. */
static int forget_all_of(struct selection *selection)
{
    enum rb_error error =
        selection->host[0] != '\0' ? forget_host(selection) : forget_domain(selection);

    if (error != RB_OK)
        return records_failed(error);
    return selection->count > 0
               ? EX_OK
               : say_line(EX_NOUSER, "%s is not in the cache",
                          selection->host[0] != '\0' ? selection->host : selection->domain);
}

int records_delete(struct selection *selection)
{
    int status = selection->request->arguments[0] != NULL
                     ? visit_arguments(selection, forget_if_of_relay)
                     : forget_all_of(selection);

    if (selection->count > 0)
        record_text_print_count(selection->count, "removed");
    note_what_still_answers(selection);
    return status;
}
