/* SPDX-License-Identifier: BSD-2-Clause */
/* record_text: records of the cache in words, a line each. */
#include "config.h"

#include "tool/record_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { SPAN_MAX = 64 };

static void format_age(int64_t stamp_s, int64_t now_s, char text[SPAN_MAX])
{
    text_duration(now_s > stamp_s ? now_s - stamp_s : 0, text, SPAN_MAX);
}

static void print_key(const char *text)
{
    char shown[CACHE_KEY_MAX + 1];

    text_printable(shown, sizeof shown, text, strlen(text));
    (void)fputs(shown, stdout);
}

static void print_relay(const char *relay)
{
    if (relay[0] == '\0')
        return;
    (void)fputs(" at ", stdout);
    print_key(relay);
}

static void print_address(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes,
                          int64_t now_s)
{
    const struct address_record *record = entry->address_record;
    int64_t left_s = 0;
    enum freshness freshness = address_record_freshness(record, lifetimes, now_s, &left_s);
    char old[SPAN_MAX], left[SPAN_MAX] = "";

    format_age(record->stamp_s, now_s, old);
    if (freshness != RECORD_EXPIRED)
        text_duration(left_s, left, sizeof left);
    print_key(entry->address);
    print_relay(entry->relay);
    printf(": %s (%s)", rb_verdict_name(rb_reason_verdict(record->reason)),
           rb_reason_name(record->reason));
    if (record->mx[0] != '\0')
        printf(" %s[%s]", record->mx, record->ip);
    if (record->reply[0] != '\0')
        printf(" said: %s", record->reply);
    printf(", %s old, %s%s\n", old, freshness == RECORD_EXPIRED ? "expired" : "expires in ", left);
}

/* What is not known of a domain is left out. */
static void print_fact(const char *name, const struct fact *fact, const char *why, int64_t now_s)
{
    char old[SPAN_MAX];

    if (fact->state == FACT_UNKNOWN)
        return;
    format_age(fact->stamp_s, now_s, old);
    printf(", %s: %s%s%s%s (%s old)", name, fact->state == FACT_YES ? "yes" : "no",
           why[0] != '\0' ? " (" : "", why, why[0] != '\0' ? ")" : "", old);
}

static void print_domain(const struct cache_entry *entry, int64_t now_s)
{
    const struct domain_record *record = entry->domain_record;
    char domain[RB_DOMAIN_MAX + 1] = "", relay[RELAY_NAME_MAX + 1] = "";

    (void)cache_split_facts_key(entry->key, domain, relay);
    (void)fputs("domain ", stdout);
    print_key(domain);
    print_relay(relay);
    print_fact("catch_all", &record->catch_all, "", now_s);
    print_fact("null_sender_refused", &record->null_sender_refused, "", now_s);
    print_fact("dead", &record->dead,
               record->dead.state == FACT_YES ? rb_reason_name(record->dead_reason) : "", now_s);
    (void)putchar('\n');
}

static void print_host(const struct cache_entry *entry, int64_t now_s)
{
    const struct host_record *record = entry->host_record;
    char span[SPAN_MAX];

    (void)fputs("host ", stdout);
    print_key(entry->key);
    printf(": %u failure%s", record->failures, record->failures == 1 ? "" : "s");
    if (record->failures > 0)
        printf(", the last: %s", rb_reason_name(record->reason));
    if (record->held_until_s > now_s) {
        text_duration(record->held_until_s - now_s, span, sizeof span);
        printf(", held back for %s more", span);
    }
    format_age(record->stamp_s, now_s, span);
    printf(", %s old\n", span);
}

static void print_onetime(const struct cache_entry *entry, int64_t now_s)
{
    const struct onetime_record *record = entry->onetime_record;
    const char *onetime;
    enum onetime_kind kind = cache_split_onetime_key(entry->key, &onetime);
    char shown[CACHE_KEY_MAX + 1] = "", old[SPAN_MAX];

    (void)text_copy(shown, sizeof shown, onetime != NULL ? onetime : "");
    for (char *c = shown; *c != '\0'; c++)
        if (*c == ONETIME_ANYTHING)
            *c = '*';
    printf("one-time %s ", kind != ONETIME_NONE ? json_onetime_names[kind] : "?");
    print_key(shown);
    printf(": %u valid in a row", record->valids);
    if (record->valid_s > 0) {
        format_age(record->valid_s, now_s, old);
        printf(", the last %s ago", old);
    }
    if (record->invalid_s > 0) {
        format_age(record->invalid_s, now_s, old);
        printf(", an invalid one %s ago", old);
    }
    (void)putchar('\n');
}

static void print_retry(const struct cache_entry *entry, int64_t now_s)
{
    const struct retry_record *record = entry->retry_record;
    char span[SPAN_MAX];

    (void)fputs("retry ", stdout);
    print_key(entry->address);
    print_relay(entry->relay);
    format_age(record->first_s, now_s, span);
    printf(": %s since %s", rb_reason_name(record->reason), span);
    printf(", asked again %u time%s, ", record->tries, record->tries == 1 ? "" : "s");
    text_duration(record->due_s > now_s ? record->due_s - now_s : 0, span, sizeof span);
    if (record->due_s > now_s)
        printf("due in %s\n", span);
    else
        puts("due now");
}

static void print_verb(const struct cache_entry *entry, int64_t now_s)
{
    const struct verb_record *record = entry->verb_record;
    const int64_t unreachable_until_s = verb_record_unreachable_until_s(record, now_s);
    char span[SPAN_MAX];

    (void)fputs("verbs ", stdout);
    print_key(entry->key);
    (void)putchar(':');
    for (unsigned i = 0; i < VERB_RECORD_VERBS; i++) {
        const struct verb_fact *fact = &record->verbs[i];
        const int64_t until_s = verb_fact_until_s(fact, now_s);

        if (fact->state == VERB_NOT_KNOWN)
            continue;
        format_age(fact->stamp_s, now_s, span);
        printf(" %s %s (%s old", json_verb_names[i], fact->state == VERB_YES ? "yes" : "no", span);
        if (fact->state == VERB_NO && until_s != 0) {
            text_duration(until_s - now_s, span, sizeof span);
            printf(", not asked for %s more", span);
        }
        (void)putchar(')');
    }
    if (unreachable_until_s != 0) {
        text_duration(unreachable_until_s - now_s, span, sizeof span);
        printf(" cannot be reached, not called for %s more", span);
    }
    (void)putchar('\n');
}

void record_text_print(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes,
                       int64_t now_s)
{
    switch (entry->table) {
    case CACHE_ADDRESS:
        print_address(entry, lifetimes, now_s);
        break;
    case CACHE_DOMAIN:
        print_domain(entry, now_s);
        break;
    case CACHE_ONETIME:
        print_onetime(entry, now_s);
        break;
    case CACHE_RETRY:
        print_retry(entry, now_s);
        break;
    case CACHE_VERB:
        print_verb(entry, now_s);
        break;
    default:
        print_host(entry, now_s);
        break;
    }
}

void record_text_print_count(uint64_t count, const char *what_became_of_them)
{
    printf("%" PRIu64 " record%s %s\n", count, count == 1 ? "" : "s", what_became_of_them);
}
