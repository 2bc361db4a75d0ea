/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inspect: what a program may want to see of a verifier beside answers: what is held back, what is
 * asked again, whether we are who we say we are, where a host is, who vouches for a client. Owns
 * nothing. No lock held.
 */
#include "config.h"

#include "verifier/verifier.h"

#include "base/sized.h"
#include "base/ip.h"
#include "base/text.h"
#include "dns/addresses.h"
#include "limits/breaker.h"
#include "mail/relay.h"
#include "spf/check.h"
#include "verifier/identity.h"

#include <stdlib.h>
#include <string.h>

/* --- What is held back ---------------------------------------------------- */

struct holding {
    rb_held_back_fn *visit;
    void *arg;
    int64_t now_s;
    bool ended; /* the caller has seen enough */
};

static void show(struct holding *holding, const struct rb_held_back *held)
{
    holding->ended = holding->ended || !holding->visit(holding->arg, held);
}

static bool show_host(const struct cache_entry *entry, void *arg)
{
    const struct host_record *record = entry->host_record;
    struct holding *holding = arg;

    if (breaker_holds_back(record, holding->now_s))
        show(holding, &(struct rb_held_back){
                          .size = sizeof(struct rb_held_back),
                          .by = RB_LIMIT_HOST,
                          .what = entry->key,
                          .left_ms = (record->held_until_s - holding->now_s) * 1000,
                          .until_s = record->held_until_s,
                          .failures = record->failures,
                          .trips = record->trips,
                          .reason = record->reason,
                          .failed_s = record->stamp_s,
                      });
    return !holding->ended;
}

static enum rb_error show_shields(struct rb_verifier *verifier, struct holding *holding)
{
    const size_t size = limits_list_shields(&verifier->limits, holding->now_s, NULL, 0);
    struct shield_up *list = calloc(size + 1, sizeof *list);
    size_t count;

    if (list == NULL)
        return RB_ERR_NOMEM;
    count = limits_list_shields(&verifier->limits, holding->now_s, list, size);
    for (size_t i = 0; i < count && i < size && !holding->ended; i++)
        show(holding, &(struct rb_held_back){
                          .size = sizeof(struct rb_held_back),
                          .by = RB_LIMIT_SHIELD,
                          .what = list[i].domain,
                          .left_ms = (list[i].until_s - holding->now_s) * 1000,
                          .until_s = list[i].until_s,
                      });
    free(list);
    return RB_OK;
}

static enum rb_error show_rates(struct rb_verifier *verifier, struct holding *holding)
{
    const int64_t now_ms = clock_monotonic_ms(verifier->clock);
    const size_t size = limits_list_rates(&verifier->limits, now_ms, NULL, 0);
    struct rates_limited *list = calloc(size + 1, sizeof *list);
    size_t count;

    if (list == NULL)
        return RB_ERR_NOMEM;
    count = limits_list_rates(&verifier->limits, now_ms, list, size);
    for (size_t i = 0; i < count && i < size && !holding->ended; i++)
        show(holding, &(struct rb_held_back){
                          .size = sizeof(struct rb_held_back),
                          .by = list[i].key[0] == 'd'   ? RB_LIMIT_DOMAIN_RATE
                                : list[i].key[0] == 'c' ? RB_LIMIT_CLIENT_RATE
                                                        : RB_LIMIT_GLOBAL_RATE,
                          .what = list[i].key + 1,
                          .left_ms = list[i].wait_ms,
                      });
    free(list);
    return RB_OK;
}

enum rb_error rb_held_back_walk(struct rb_verifier *verifier, rb_held_back_fn *visit, void *arg)
{
    struct holding holding = {
        .visit = visit, .arg = arg, .now_s = clock_wall_s(verifier->clock), .ended = false};
    enum rb_error error = RB_OK;

    if (verifier->memory.cache != NULL)
        error = cache_walk(verifier->memory.cache, CACHE_HOST, show_host, &holding);
    if (error == RB_OK)
        error = show_shields(verifier, &holding);
    return error == RB_OK ? show_rates(verifier, &holding) : error;
}

/* --- What is asked again --------------------------------------------------- */

static int by_due_time(const void *a, const void *b)
{
    const struct retry_entry *one = a, *other = b;

    if (one->record.due_s != other->record.due_s)
        return one->record.due_s < other->record.due_s ? -1 : 1;
    return strcmp(one->key, other->key);
}

enum rb_error rb_retries_walk(struct rb_verifier *verifier, rb_retry_fn *visit, void *arg)
{
    const size_t size = retry_count(verifier->retry);
    struct retry_entry *list = calloc(size + 1, sizeof *list);
    char relay[CACHE_KEY_MAX + 1];
    bool goes_on = true;
    size_t count;
    const char *address;

    if (list == NULL)
        return RB_ERR_NOMEM;
    count = retry_list(verifier->retry, list, size);
    qsort(list, count, sizeof *list, by_due_time);
    for (size_t i = 0; i < count && goes_on; i++)
        if (cache_split_address_key(list[i].key, relay, &address))
            goes_on = visit(arg, &(struct rb_retry){
                                     .size = sizeof(struct rb_retry),
                                     .address = address,
                                     .reason = list[i].record.reason,
                                     .host = list[i].record.host,
                                     .tries = list[i].record.tries,
                                     .first_s = list[i].record.first_s,
                                     .due_s = list[i].record.due_s,
                                     .is_ours = list[i].is_ours,
                                 });
    free(list);
    return RB_OK;
}

/* --- Who we are ----------------------------------------------------------- */

void rb_check_identity(struct rb_verifier *verifier, int64_t until_ms,
                       void (*warn)(void *arg, const char *text), void *arg)
{
    struct snapshot *snapshot = snapshots_get(&verifier->snapshots);
    struct identity found;

    identity_check(snapshot->dns, snapshot->options, snapshot->own, snapshot->own_count, until_ms,
                   &found);
    snapshot_put(snapshot);
    for (size_t i = 0; i < found.count; i++)
        warn(arg, found.warning[i]);
}

/* --- Where a host is ------------------------------------------------------ */

size_t rb_host_addresses(struct rb_verifier *verifier, const char *host, int64_t until_ms,
                         struct sockaddr_storage *addresses, size_t size)
{
    struct dns_address_list found = {.count = 0};
    struct snapshot *snapshot;
    size_t count;

    if (ip_sockaddr_parse(host, &found.address[0])) {
        found.count = 1;
    } else {
        snapshot = snapshots_get(&verifier->snapshots);
        (void)dns_addresses(snapshot->dns, host, RB_IP_ANY, until_ms, &found);
        snapshot_put(snapshot);
    }
    count = found.count < size ? found.count : size;
    memcpy(addresses, found.address, count * sizeof *addresses);
    return count;
}

/* --- SPF ------------------------------------------------------------------ */

/* Whom a client sends for. */
struct sender {
    struct address address;
    char *text; /* of what is no address; malloc'ed */
};

/*
 * What is no address by the grammar is still what a client may have said: the domain is behind the
 * last "@", or all of it (RFC 7208 4.3).
 */
static enum rb_error split(const struct rb_spf_question *question, struct sender *sender,
                           struct spf_question *asked)
{
    char *at;

    sender->text = strndup(question->sender, question->sender_len);
    if (sender->text == NULL)
        return RB_ERR_NOMEM;
    at = strrchr(sender->text, '@');
    asked->domain = at != NULL ? at + 1 : sender->text;
    asked->local = at != NULL ? sender->text : "";
    if (at != NULL)
        *at = '\0';
    return RB_OK;
}

static enum rb_error read_sender(const struct rb_spf_question *question, struct sender *sender,
                                 struct spf_question *asked)
{
    switch (address_parse(question->sender, question->sender_len, true, &sender->address)) {
    case ADDRESS_OK:
        asked->local = sender->address.local;
        asked->domain = sender->address.domain;
        return RB_OK;
    case ADDRESS_NULL: /* RFC 7208 2.4 */
        asked->domain = question->helo;
        return question->helo != NULL ? RB_OK : RB_ERR_ARGUMENT;
    default:
        return split(question, sender, asked);
    }
}

_Static_assert((int)RB_SPF_PERMERROR == (int)SPF_OUTCOME_PERMERROR &&
                   (int)RB_SPF_TERM_MAX == (int)SPF_TERM_TEXT_MAX,
               "the public names are those of spf/check.h");

enum rb_error rb_spf_check(struct rb_verifier *verifier, const struct rb_spf_question *question,
                           int64_t until_ms, struct rb_spf_answer *answer)
{
    struct rb_spf_question full = {.size = sizeof full};
    struct rb_spf_answer made = {.size = sizeof made};
    struct sender sender = {.text = NULL};
    struct spf_question asked = {.local = ""};
    struct snapshot *snapshot;
    struct spf_vouching vouching;
    const struct spf_result *said = &vouching.said;
    enum rb_error error;

    if (!sized_read(&full, sizeof full, question, SIZED_SPF_QUESTION) || full.client == NULL ||
        full.sender == NULL)
        return RB_ERR_ARGUMENT;
    error = read_sender(&full, &sender, &asked);
    if (error != RB_OK)
        return error;
    asked.client = full.client;
    asked.helo = full.helo;
    asked.guesses = true;
    snapshot = snapshots_get(&verifier->snapshots);
    (void)spf_check(snapshot->dns, until_ms, &asked, &vouching);
    made.held_back = gate_rule(snapshot->options->o.spf_gate, &vouching).reason;
    snapshot_put(snapshot);
    made.result = (enum rb_spf_result)said->outcome;
    (void)text_printable(made.sender_domain, sizeof made.sender_domain, asked.domain,
                         strlen(asked.domain));
    memcpy(made.domain, said->domain, sizeof made.domain);
    memcpy(made.term, said->term, sizeof made.term);
    made.fault = said->fault;
    made.voucher = vouching.voucher;
    memcpy(made.voucher_host, vouching.host, sizeof made.voucher_host);
    made.why_nobody = vouching.why_nobody;
    free(sender.text);
    return sized_write(answer, SIZED_SPF_ANSWER, &made, sizeof made) ? RB_OK : RB_ERR_ARGUMENT;
}

const char *rb_spf_name(enum rb_spf_result result)
{
    return spf_outcome_name((enum spf_outcome)result);
}

bool rb_relay_is_good(const char *relay)
{
    return relay_is_good(relay);
}
