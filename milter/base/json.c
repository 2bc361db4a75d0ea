/* SPDX-License-Identifier: BSD-2-Clause */
/* json: see json.h. */
#include "config.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/address.h"

enum { JSON_TEXT_MAX = 2000 };

/* The latest moment that a record can hold (record.c): some 35,000 years on. */
static const int64_t stamp_max_s = INT64_C(1) << 40;

json_t *json_text(const char *text)
{
    char printable[JSON_TEXT_MAX + 1];
    json_t *string;

    if (text[0] == '\0')
        return json_null();
    string = json_string(text);
    if (string != NULL)
        return string;
    text_printable(printable, sizeof printable, text, strlen(text));
    return json_string(printable);
}

const char *json_member_text(json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static json_t *number_or_null(int64_t number, int64_t nothing)
{
    return number == nothing ? json_null() : json_integer(number);
}

static json_t *mail_from(bool known, const char *text)
{
    return known ? (text[0] == '\0' ? json_string("") : json_text(text)) : json_null();
}

json_t *json_transcript(const struct rb_transcript *transcript)
{
    json_t *array = json_array();
    size_t count = transcript != NULL ? rb_transcript_count(transcript) : 0;

    for (size_t i = 0; i < count; i++) {
        struct rb_transcript_line line = rb_transcript_get(transcript, i);
        char dir[2] = {line.dir, '\0'};

        json_array_append_new(array,
                              json_pack("{s:I, s:o, s:o, s:s, s:s}", "t_ms", (json_int_t)line.t_ms,
                                        "mx", json_text(line.mx), "ip", json_text(line.ip), "dir",
                                        dir, "text", line.text));
    }
    return array;
}

json_t *json_answer(const struct rb_answer *answer, const char *input, bool with_transcript)
{
    const char *address = answer->address[0] != '\0' ? answer->address : input;
    json_t *object = json_object();

    json_object_set_new(object, "address", json_text(address));
    json_object_set_new(object, "verdict", json_string(rb_verdict_name(answer->verdict)));
    json_object_set_new(object, "reason", json_string(rb_reason_name(answer->reason)));
    json_object_set_new(object, "cached", json_boolean(answer->cached));
    json_object_set_new(object, "age_s", number_or_null(answer->age_s, -1));
    json_object_set_new(object, "expires_s", number_or_null(answer->expires_s, -1));
    json_object_set_new(object, "domain", json_text(answer->domain));
    json_object_set_new(object, "mx", json_text(answer->mx));
    json_object_set_new(object, "ip", json_text(answer->ip));
    json_object_set_new(object, "port", number_or_null(answer->port, 0));
    json_object_set_new(object, "tls", json_text(answer->tls));
    json_object_set_new(object, "stage", json_text(rb_stage_name(answer->stage)));
    json_object_set_new(object, "code", number_or_null(answer->code, 0));
    json_object_set_new(object, "enhanced", json_text(answer->enhanced));
    json_object_set_new(object, "reply", json_text(answer->reply));
    json_object_set_new(object, "mail_from", mail_from(answer->mail_from_known, answer->mail_from));
    json_object_set_new(object, "elapsed_ms", json_integer(answer->elapsed_ms));
    json_object_set_new(object, "rule", json_text(answer->rule));
    if (with_transcript)
        json_object_set_new(object, "transcript", json_transcript(answer->transcript));
    return object;
}

/* --- Cache records -------------------------------------------------------- */

static json_t *address_entry(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes,
                             int64_t now_s)
{
    const struct address_record *record = entry->address_record;
    enum freshness freshness;
    int64_t left_s = 0;
    json_t *object = json_object();

    freshness = address_record_freshness(record, lifetimes, now_s, &left_s);
    json_object_set_new(object, "type", json_string("address"));
    json_object_set_new(object, "address", json_text(entry->address));
    json_object_set_new(object, "relay", json_text(entry->relay));
    json_object_set_new(object, "verdict",
                        json_string(rb_verdict_name(rb_reason_verdict(record->reason))));
    json_object_set_new(object, "reason", json_string(rb_reason_name(record->reason)));
    json_object_set_new(object, "freshness",
                        json_string(freshness == RECORD_FRESH   ? "fresh"
                                    : freshness == RECORD_STALE ? "stale"
                                                                : "expired"));
    json_object_set_new(object, "stamp_s", json_integer(record->stamp_s));
    json_object_set_new(object, "age_s",
                        json_integer(now_s > record->stamp_s ? now_s - record->stamp_s : 0));
    json_object_set_new(object, "expires_s",
                        json_integer(freshness == RECORD_EXPIRED ? 0 : left_s));
    json_object_set_new(object, "mx", json_text(record->mx));
    json_object_set_new(object, "ip", json_text(record->ip));
    json_object_set_new(object, "port", number_or_null(record->port, 0));
    json_object_set_new(object, "tls", json_text(record->tls));
    json_object_set_new(object, "stage", json_text(rb_stage_name(record->stage)));
    json_object_set_new(object, "code", number_or_null(record->code, 0));
    json_object_set_new(object, "enhanced", json_text(record->enhanced));
    json_object_set_new(object, "reply", json_text(record->reply));
    json_object_set_new(object, "mail_from", mail_from(record->mail_from_known, record->mail_from));
    json_object_set_new(object, "wait_s", number_or_null(record->wait_s, 0));
    json_object_set_new(object, "tried_s", number_or_null(record->tried_s, 0));
    json_object_set_new(object, "denied_s", number_or_null(record->denied_s, 0));
    json_object_set_new(object, "rule", json_text(record->rule));
    return object;
}

static const char *const fact_names[] = {
    [FACT_UNKNOWN] = "unknown", [FACT_NO] = "no", [FACT_YES] = "yes"};

static json_t *fact_object(const struct fact *fact)
{
    if (fact->state == FACT_UNKNOWN || (unsigned)fact->state > FACT_YES)
        return json_null();
    return json_pack("{s:s, s:I}", "state", fact_names[fact->state], "stamp_s",
                     (json_int_t)fact->stamp_s);
}

static json_t *domain_entry(const struct cache_entry *entry)
{
    const struct domain_record *record = entry->domain_record;
    char domain[RB_DOMAIN_MAX + 1] = "", relay[RELAY_NAME_MAX + 1] = "";

    (void)cache_split_facts_key(entry->key, domain, relay);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "type", "domain", "domain",
                     json_text(domain), "relay", json_text(relay), "catch_all",
                     fact_object(&record->catch_all), "null_sender_refused",
                     fact_object(&record->null_sender_refused), "dead", fact_object(&record->dead),
                     "dead_reason", json_text(rb_reason_name(record->dead_reason)));
}

static json_t *host_entry(const struct cache_entry *entry, int64_t now_s)
{
    const struct host_record *record = entry->host_record;
    int64_t held_s = record->held_until_s > now_s ? record->held_until_s - now_s : 0;

    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "type", "host", "ip",
                     json_text(entry->key), "failures", (json_int_t)record->failures, "trips",
                     (json_int_t)record->trips, "held_until_s", (json_int_t)record->held_until_s,
                     "held_s", (json_int_t)held_s, "stamp_s", (json_int_t)record->stamp_s, "reason",
                     json_text(rb_reason_name(record->reason)));
}

json_t *json_held_host(const struct rb_held_back *held, int64_t now_s)
{
    const struct host_record record = {.failures = held->failures,
                                       .trips = held->trips,
                                       .held_until_s = held->until_s,
                                       .stamp_s = held->failed_s,
                                       .reason = held->reason};
    const struct cache_entry entry = {
        .table = CACHE_HOST, .key = held->what, .host_record = &record};

    return host_entry(&entry, now_s);
}

const char *const json_onetime_names[] = {
    [ONETIME_NONE] = "", [ONETIME_BATV] = "batv", [ONETIME_SRS] = "srs", [ONETIME_VERP] = "verp"};

/* What stands for anything is a control character: in JSON an escape, and read again as such. */
static json_t *onetime_entry(const struct cache_entry *entry)
{
    const struct onetime_record *record = entry->onetime_record;
    const char *onetime;
    enum onetime_kind kind = cache_split_onetime_key(entry->key, &onetime);

    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I}", "type", "fold", "kind",
                     json_onetime_names[kind], "fold", json_text(onetime != NULL ? onetime : ""),
                     "valids", (json_int_t)record->valids, "valid_s", (json_int_t)record->valid_s,
                     "invalid_s", (json_int_t)record->invalid_s);
}

/* The record's owner stays out: on another host, or after a restart, that name may be anybody's. */
static json_t *retry_entry(const struct cache_entry *entry, int64_t now_s)
{
    const struct retry_record *record = entry->retry_record;
    int64_t left_s = record->due_s > now_s ? record->due_s - now_s : 0;

    return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "type", "retry",
                     "address", json_text(entry->address), "relay", json_text(entry->relay),
                     "reason", rb_reason_name(record->reason), "first_s",
                     (json_int_t)record->first_s, "tries", (json_int_t)record->tries, "due_s",
                     (json_int_t)record->due_s, "left_s", (json_int_t)left_s, "wait_s",
                     number_or_null(record->wait_s, 0), "ip", json_text(record->host));
}

const char *const json_verb_names[VERB_RECORD_VERBS] = {"ayttm", "source", "hostkey"};

static json_t *verb_fact_object(const struct verb_fact *fact, int64_t now_s)
{
    const int64_t until_s = verb_fact_until_s(fact, now_s);

    if (fact->state == VERB_NOT_KNOWN)
        return json_null();
    return json_pack("{s:s, s:I, s:I, s:I}", "state", fact->state == VERB_YES ? "yes" : "no",
                     "stamp_s", (json_int_t)fact->stamp_s, "noes", (json_int_t)fact->noes, "left_s",
                     (json_int_t)(until_s > now_s ? until_s - now_s : 0));
}

static json_t *verb_entry(const struct cache_entry *entry, int64_t now_s)
{
    const struct verb_record *record = entry->verb_record;
    json_t *object = json_pack("{s:s, s:o, s:o}", "type", "verb", "host", json_text(entry->key),
                               "unreachable_s", number_or_null(record->unreachable_s, 0));

    for (unsigned i = 0; i < VERB_RECORD_VERBS; i++)
        json_object_set_new(object, json_verb_names[i], verb_fact_object(&record->verbs[i], now_s));
    return object;
}

json_t *json_entry(const struct cache_entry *entry, const struct rb_lifetimes *lifetimes,
                   int64_t now_s)
{
    switch (entry->table) {
    case CACHE_ADDRESS:
        return address_entry(entry, lifetimes, now_s);
    case CACHE_DOMAIN:
        return domain_entry(entry);
    case CACHE_ONETIME:
        return onetime_entry(entry);
    case CACHE_RETRY:
        return retry_entry(entry, now_s);
    case CACHE_VERB:
        return verb_entry(entry, now_s);
    default:
        return host_entry(entry, now_s);
    }
}

/* --- Reading -------------------------------------------------------------- */

/* A string member into a buffer: absent or null is "". False: no string, too long or not printable.
 */
static bool read_text(json_t *object, const char *name, char *text, size_t size)
{
    json_t *member = json_object_get(object, name);

    text[0] = '\0';
    if (member == NULL || json_is_null(member))
        return true;
    return json_is_string(member) &&
           text_is_clean(json_string_value(member), json_string_length(member)) &&
           text_copy(text, size, json_string_value(member));
}

static bool read_number(json_t *object, const char *name, int64_t max, int64_t *number)
{
    json_t *member = json_object_get(object, name);

    *number = 0;
    if (member == NULL || json_is_null(member))
        return true;
    *number = json_integer_value(member);
    return json_is_integer(member) && *number >= 0 && *number <= max;
}

static enum rb_stage stage_from_name(const char *name)
{
    for (int stage = RB_STAGE_NONE; stage < RB_STAGE_MAX; stage++)
        if (strcmp(rb_stage_name(stage), name) == 0)
            return stage;
    return RB_STAGE_NONE;
}

static bool read_address_texts(json_t *object, struct address_record *record)
{
    json_t *from = json_object_get(object, "mail_from");

    record->mail_from_known = json_is_string(from);
    return read_text(object, "mx", record->mx, sizeof record->mx) &&
           read_text(object, "ip", record->ip, sizeof record->ip) &&
           read_text(object, "tls", record->tls, sizeof record->tls) &&
           read_text(object, "enhanced", record->enhanced, sizeof record->enhanced) &&
           read_text(object, "reply", record->reply, sizeof record->reply) &&
           read_text(object, "mail_from", record->mail_from, sizeof record->mail_from) &&
           read_text(object, "rule", record->rule, sizeof record->rule);
}

/* A domain as keys have it, address literals included. */
static bool canonical_domain(const char *text, char domain[RB_DOMAIN_MAX + 1])
{
    char mailbox[2 + RB_DOMAIN_MAX + 1] = "x@";
    struct address address;

    return text_copy(mailbox + 2, sizeof mailbox - 2, text) &&
           address_parse(mailbox, strlen(mailbox), false, &address) == ADDRESS_OK &&
           text_copy(domain, RB_DOMAIN_MAX + 1, address.domain);
}

/*
 * Keys hold the local part unquoted: it is taken as it is, for what looks like a quoted one or a
 * source route there is somebody else's address. The domain is made canonical.
 */
static const char *read_address_key(json_t *object, bool correspondent, char *key)
{
    char text[RB_ADDRESS_MAX + 1], relay[RELAY_NAME_MAX + 1], domain[RB_DOMAIN_MAX + 1];
    char canonical[ADDRESS_LOCAL_MAX + 1 + RB_DOMAIN_MAX + 1];
    enum rb_error error;
    const char *at;

    if (!read_text(object, "address", text, sizeof text) ||
        !read_text(object, "relay", relay, sizeof relay))
        return "address: not an address";
    if (strchr(relay, ' ') != NULL)
        return "relay: not a relay's name";
    at = strrchr(text, '@');
    if (at == NULL || at - text > ADDRESS_LOCAL_MAX || !canonical_domain(at + 1, domain))
        return "address: not an address";
    (void)snprintf(canonical, sizeof canonical, "%.*s@%s", (int)(at - text), text, domain);
    if (strlen(canonical) > RB_ADDRESS_MAX)
        return "address: too long";
    error = correspondent ? cache_correspondent_key(canonical, key)
                          : cache_address_key(relay[0] != '\0' ? relay : NULL, canonical, key);
    if (error != RB_OK)
        return "address: too long";
    return NULL;
}

static const char *read_address(json_t *object, struct json_record *out)
{
    struct address_record *record = &out->address;
    char reason[64], stage[32];
    int64_t code, wait_s, port;

    if (!read_text(object, "reason", reason, sizeof reason) ||
        !read_text(object, "stage", stage, sizeof stage) || !read_address_texts(object, record))
        return "a text is not a string, too long, or not printable";
    record->reason = rb_reason_from_name(reason);
    record->stage = stage_from_name(stage);
    if (record->reason == RB_REASON_NONE)
        return "reason: not one we know";
    if (!read_number(object, "stamp_s", stamp_max_s, &record->stamp_s) ||
        !read_number(object, "code", 599, &code) || !read_number(object, "port", 65535, &port) ||
        !read_number(object, "wait_s", (int64_t)7 * 86400, &wait_s) ||
        !read_number(object, "tried_s", stamp_max_s, &record->tried_s) ||
        !read_number(object, "denied_s", stamp_max_s, &record->denied_s))
        return "a number is out of range";
    record->code = (int)code;
    record->port = (uint16_t)port;
    record->wait_s = (int)wait_s;
    return read_address_key(object, record->reason == RB_REASON_CORRESPONDENT, out->key);
}

static bool read_fact(json_t *object, const char *name, struct fact *fact)
{
    json_t *member = json_object_get(object, name);
    char state[16];

    *fact = (struct fact){0};
    if (member == NULL || json_is_null(member))
        return true;
    if (!json_is_object(member) || !read_text(member, "state", state, sizeof state) ||
        !read_number(member, "stamp_s", stamp_max_s, &fact->stamp_s))
        return false;
    for (int i = FACT_NO; i <= FACT_YES; i++)
        if (strcmp(state, fact_names[i]) == 0)
            fact->state = i;
    return fact->state != FACT_UNKNOWN;
}

/* Why nothing can be delivered to a domain. Any other reason would be an answer about all its
 * addresses. */
static bool read_dead_reason(json_t *object, enum rb_reason *reason)
{
    char name[64];

    if (!read_text(object, "dead_reason", name, sizeof name))
        return false;
    *reason = rb_reason_from_name(name);
    switch (*reason) {
    case RB_REASON_NO_DOMAIN:
    case RB_REASON_NO_MAIL_HOST:
    case RB_REASON_NULL_MX:
    case RB_REASON_BOGUS_MX:
    case RB_REASON_UNREACHABLE:
        return true;
    default:
        return name[0] == '\0';
    }
}

static const char *read_domain(json_t *object, struct json_record *out)
{
    char domain[RB_DOMAIN_MAX + 1], canonical[RB_DOMAIN_MAX + 1], relay[RELAY_NAME_MAX + 1];

    if (!read_text(object, "domain", domain, sizeof domain) || !canonical_domain(domain, canonical))
        return "domain: not a domain";
    if (!read_text(object, "relay", relay, sizeof relay) || strchr(relay, ' ') != NULL)
        return "relay: not a relay's name";
    if (!read_fact(object, "catch_all", &out->domain.catch_all) ||
        !read_fact(object, "null_sender_refused", &out->domain.null_sender_refused) ||
        !read_fact(object, "dead", &out->domain.dead))
        return "a fact is malformed";
    if (!read_dead_reason(object, &out->domain.dead_reason))
        return "dead_reason: not one that a domain can be dead for";
    return cache_facts_key(relay, canonical, out->key) == RB_OK ? NULL : "domain: too long";
}

static const char *read_host(json_t *object, struct json_record *out)
{
    int64_t failures, trips;
    char reason[64], host[CACHE_KEY_MAX + 1];

    if (!read_text(object, "ip", host, sizeof host) || !cache_host_key(host, out->key))
        return "ip: not an address";
    if (!read_number(object, "failures", 1000000, &failures) ||
        !read_number(object, "trips", 1000000, &trips) ||
        !read_number(object, "held_until_s", stamp_max_s, &out->host.held_until_s) ||
        !read_number(object, "stamp_s", stamp_max_s, &out->host.stamp_s) ||
        !read_text(object, "reason", reason, sizeof reason))
        return "a number is out of range";
    out->host.failures = (unsigned)failures;
    out->host.trips = (unsigned)trips;
    out->host.reason = rb_reason_from_name(reason);
    return NULL;
}

/* The text of a one-time sender class: printable but for what stands for anything. */
static bool read_onetime_text(json_t *object, char *text, size_t size)
{
    json_t *member = json_object_get(object, "fold");
    char plain[CACHE_KEY_MAX + 1];

    if (!json_is_string(member) || !text_copy(plain, sizeof plain, json_string_value(member)) ||
        strlen(plain) != json_string_length(member) || !text_copy(text, size, plain))
        return false;
    for (char *c = plain; *c != '\0'; c++)
        if (*c == ONETIME_ANYTHING)
            *c = '*';
    return plain[0] != '\0' && text_is_clean(plain, strlen(plain));
}

static const char *read_onetime(json_t *object, struct json_record *out)
{
    char kind[16], onetime[CACHE_KEY_MAX];
    int64_t valids;
    unsigned i;

    if (!read_text(object, "kind", kind, sizeof kind) ||
        !read_onetime_text(object, onetime, sizeof onetime))
        return "fold: not a text";
    for (i = ONETIME_BATV; i <= ONETIME_VERP && strcmp(kind, json_onetime_names[i]) != 0; i++)
        ;
    if (i > ONETIME_VERP)
        return "kind: not batv, srs or verp";
    if (!read_number(object, "valids", ONETIME_VALIDS_MAX, &valids) ||
        !read_number(object, "valid_s", stamp_max_s, &out->onetime.valid_s) ||
        !read_number(object, "invalid_s", stamp_max_s, &out->onetime.invalid_s))
        return "a number is out of range";
    out->onetime.valids = (unsigned)valids;
    return cache_onetime_key((enum onetime_kind)i, onetime, out->key) == RB_OK ? NULL
                                                                               : "fold: too long";
}

/* NULL where it is one, or absent. */
static const char *read_verb_fact(json_t *object, struct verb_fact *fact)
{
    char state[8];
    int64_t noes;

    if (object == NULL || json_is_null(object))
        return NULL;
    if (!json_is_object(object) || !read_text(object, "state", state, sizeof state) ||
        !read_number(object, "stamp_s", stamp_max_s, &fact->stamp_s) || fact->stamp_s == 0 ||
        !read_number(object, "noes", VERB_RECORD_NOES_MAX, &noes))
        return "a verb has no state or no moment";
    fact->state = strcmp(state, "yes") == 0 ? VERB_YES : VERB_NO;
    fact->noes = (unsigned)noes;
    if ((fact->state == VERB_NO && strcmp(state, "no") != 0) ||
        (fact->state == VERB_NO) != (noes > 0))
        return "a verb is neither yes nor no";
    return NULL;
}

static const char *read_verb(json_t *object, struct json_record *out)
{
    const char *why = NULL;

    if (!read_text(object, "host", out->key, sizeof out->key) || out->key[0] == '\0')
        return "host: not a text";
    if (!read_number(object, "unreachable_s", stamp_max_s, &out->verb.unreachable_s))
        return "a number is out of range";
    for (unsigned i = 0; i < VERB_RECORD_VERBS && why == NULL; i++)
        why = read_verb_fact(json_object_get(object, json_verb_names[i]), &out->verb.verbs[i]);
    return why;
}

static const char *read_retry(json_t *object, struct json_record *out)
{
    struct retry_record *record = &out->retry;
    int64_t tries;
    char reason[64];

    if (!read_text(object, "reason", reason, sizeof reason) ||
        !read_text(object, "ip", record->host, sizeof record->host))
        return "a text is not a string, too long, or not printable";
    record->reason = rb_reason_from_name(reason);
    if (!retry_applies(record->reason))
        return "reason: not greylisted or tempfail";
    if (!read_number(object, "first_s", stamp_max_s, &record->first_s) || record->first_s == 0 ||
        !read_number(object, "due_s", stamp_max_s, &record->due_s) || record->due_s == 0 ||
        !read_number(object, "wait_s", (int64_t)7 * 86400, &record->wait_s) ||
        !read_number(object, "tries", RETRY_TRIES_MAX, &tries))
        return "a number is out of range";
    record->tries = (unsigned)tries;
    return read_address_key(object, false, out->key);
}

/* --- Answers -------------------------------------------------------------- */

static bool read_answer_texts(json_t *object, struct rb_answer *answer)
{
    json_t *from = json_object_get(object, "mail_from");

    answer->mail_from_known = json_is_string(from);
    return read_text(object, "address", answer->address, sizeof answer->address) &&
           read_text(object, "domain", answer->domain, sizeof answer->domain) &&
           read_text(object, "rule", answer->rule, sizeof answer->rule) &&
           read_text(object, "mx", answer->mx, sizeof answer->mx) &&
           read_text(object, "ip", answer->ip, sizeof answer->ip) &&
           read_text(object, "tls", answer->tls, sizeof answer->tls) &&
           read_text(object, "enhanced", answer->enhanced, sizeof answer->enhanced) &&
           read_text(object, "reply", answer->reply, sizeof answer->reply) &&
           read_text(object, "mail_from", answer->mail_from, sizeof answer->mail_from);
}

bool json_read_answer(json_t *object, struct rb_answer *answer)
{
    char reason[64], stage[32];
    int64_t port, code;

    *answer = (struct rb_answer){.expires_s = -1};
    if (!json_is_object(object) || !read_answer_texts(object, answer) ||
        !read_text(object, "reason", reason, sizeof reason) ||
        !read_text(object, "stage", stage, sizeof stage) ||
        !read_number(object, "port", 65535, &port) || !read_number(object, "code", 599, &code) ||
        !read_number(object, "age_s", stamp_max_s, &answer->age_s) ||
        !read_number(object, "elapsed_ms", stamp_max_s, &answer->elapsed_ms))
        return false;
    answer->reason = rb_reason_from_name(reason);
    answer->verdict = rb_reason_verdict(answer->reason);
    answer->stage = stage_from_name(stage);
    answer->port = (uint16_t)port;
    answer->code = (int)code;
    answer->cached = json_is_true(json_object_get(object, "cached"));
    return answer->reason != RB_REASON_NONE;
}

json_t *json_octets(const char *octets)
{
    char *text = malloc(2 * strlen(octets) + 1), *end = text;
    json_t *string = NULL;

    if (text == NULL)
        return NULL;
    for (const unsigned char *c = (const unsigned char *)octets; *c != '\0'; c++) {
        if (*c >= 0x80)
            *end++ = (char)(0xC0 | *c >> 6);
        *end++ = (char)(*c < 0x80 ? *c : 0x80 | (*c & 0x3F));
    }
    *end = '\0';
    string = json_string(text);
    free(text);
    return string;
}

char *json_read_octets(json_t *string)
{
    const unsigned char *c = (const unsigned char *)json_string_value(string);
    char *octets;
    size_t len = 0;

    if (c == NULL || strlen(json_string_value(string)) != json_string_length(string))
        return NULL;
    octets = malloc(json_string_length(string) + 1);
    if (octets == NULL)
        return NULL;
    for (; *c != '\0'; c++) {
        if (*c > 0xC3) { /* a character that is no octet; what json_loads gave is UTF-8 */
            free(octets);
            return NULL;
        }
        if (*c >= 0xC0) {
            octets[len++] = (char)(*c << 6 | (c[1] & 0x3F));
            c++;
        } else {
            octets[len++] = (char)*c;
        }
    }
    octets[len] = '\0';
    return octets;
}

/* --- All of it ------------------------------------------------------------ */

bool json_read_entry(json_t *object, struct json_record *record, const char **why)
{
    static const struct {
        const char *type;
        enum cache_table table;
        const char *(*read)(json_t *object, struct json_record *out);
    } types[] = {
        {"address", CACHE_ADDRESS, read_address}, {"domain", CACHE_DOMAIN, read_domain},
        {"host", CACHE_HOST, read_host},          {"fold", CACHE_ONETIME, read_onetime},
        {"retry", CACHE_RETRY, read_retry},       {"verb", CACHE_VERB, read_verb},
    };
    char type[16];

    *record = (struct json_record){0};
    *why = "type: not address, domain, host, fold, retry or verb";
    if (!json_is_object(object) || !read_text(object, "type", type, sizeof type))
        return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].type) != 0)
            continue;
        record->table = types[i].table;
        *why = types[i].read(object, record);
        return *why == NULL;
    }
    return false;
}
