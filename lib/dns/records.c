/* SPDX-License-Identifier: BSD-2-Clause */
/* records: see the header. It must not know what the records are for. */
#include "config.h"

#include "dns/records.h"

#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "dns/query.h"

/* Copies the name of a mail host or pointer in lower case; false for one that is to be left out. */
typedef bool name_fn(const char *text, char name[RB_DOMAIN_MAX + 1]);

struct taker {
    struct dns_record_list *list;
    name_fn *name;
};

/* A copy with a NUL behind it. */
static bool set_text(struct dns_record *record, const void *octets, size_t len)
{
    record->text = malloc(len + 1);
    if (record->text == NULL)
        return false;
    memcpy(record->text, octets, len);
    record->text[len] = '\0';
    record->text_len = len;
    return true;
}

static bool read_ip(const ns_rr *rr, struct dns_record *record)
{
    const bool is_v4 = ns_rr_type(*rr) == ns_t_a;
    if (ns_rr_rdlen(*rr) != (is_v4 ? IP_V4_LEN : IP_LEN))
        return false;
    if (is_v4)
        record->ip = ip_from_v4(ns_rr_rdata(*rr));
    else
        memcpy(record->ip.octets, ns_rr_rdata(*rr), IP_LEN);
    return true;
}

/*
 * RFC 1035 3.3.14: one or more strings, each with its length before it. None at all is the same as
 * an empty one (RFC 7208 3.3 has no use for either).
 */
static bool read_strings(const ns_rr *rr, struct dns_record *record)
{
    const uint8_t *data = ns_rr_rdata(*rr);
    size_t len = ns_rr_rdlen(*rr), joined = 0;
    if (!set_text(record, data, len))
        return false;
    for (size_t at = 0; at < len; at += data[at] + 1U) {
        if (data[at] >= len - at)
            return false;
        memcpy(record->text + joined, data + at + 1, data[at]);
        joined += data[at];
    }
    record->text[joined] = '\0';
    record->text_len = joined;
    return true;
}

/* The name that the data hold from `offset` on. */
static bool read_target(const ns_msg *msg, const ns_rr *rr, size_t offset, name_fn *name_of,
                        struct dns_record *record, bool *is_usable)
{
    char target[NS_MAXDNAME], name[RB_DOMAIN_MAX + 1];
    if (!dns_name_in_data(msg, rr, offset, target))
        return false;
    *is_usable = name_of(target, name);
    return !*is_usable || set_text(record, name, strlen(name));
}

/* False: the data are broken, or memory ran out. */
static bool read_record(const ns_msg *msg, const ns_rr *rr, name_fn *name_of,
                        struct dns_record *record, bool *is_usable)
{
    *is_usable = true;
    switch (ns_rr_type(*rr)) {
    case ns_t_a:
    case ns_t_aaaa:
        return read_ip(rr, record);
    case ns_t_mx:
        if (!read_target(msg, rr, sizeof record->preference, name_of, record, is_usable))
            return false;
        record->preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
        return true;
    case ns_t_ptr:
        return read_target(msg, rr, 0, name_of, record, is_usable);
    default:
        return read_strings(rr, record);
    }
}

bool dns_records_add(struct dns_record_list *list, const struct dns_record *record)
{
    const bool has_room = list->count < DNS_RECORDS_MAX;
    struct dns_record *grown = NULL;
    if (has_room)
        grown = realloc(list->record, (list->count + 1) * sizeof *grown);
    if (grown == NULL) {
        free(record->text);
        list->is_cut |= !has_room;
        return !has_room;
    }
    list->record = grown;
    list->record[list->count++] = *record;
    return true;
}

static bool take_record(const ns_msg *msg, const ns_rr *rr, void *arg)
{
    const struct taker *taker = arg;
    struct dns_record record = {.text = NULL};
    bool is_usable;
    if (!read_record(msg, rr, taker->name, &record, &is_usable)) {
        free(record.text);
        return false;
    }
    if (!is_usable)
        return true;
    return dns_records_add(taker->list, &record);
}

static bool is_known_type(int type)
{
    return type == ns_t_a || type == ns_t_aaaa || type == ns_t_mx || type == ns_t_ptr ||
           type == ns_t_txt;
}

/* Where an answer is of use to who calls a domain's mail hosts. */
static struct dns_answers *kept_also(const struct dns *dns, int type)
{
    return type == ns_t_mx || type == ns_t_a || type == ns_t_aaaa ? dns->hosts : NULL;
}

static enum dns_outcome look_up_records(const struct dns *dns, const char *name, int type,
                                        deadline until, struct dns_answers *kept, name_fn *name_of,
                                        struct dns_record_list *list)
{
    *list = (struct dns_record_list){.count = 0};
    if (!is_known_type(type))
        return DNS_FAILURE;
    struct taker taker = {.list = list, .name = name_of};
    const struct dns_query query = {
        .name = name,
        .type = (ns_type)type,
        .any_name = true,
        .kept = kept,
        .also = kept != NULL ? kept_also(dns, type) : NULL,
        .kept_late = true,
        .take = take_record,
        .arg = &taker,
    };
    enum dns_outcome outcome;
    dns_query(dns, &query, 1, until, &outcome);
    if (outcome != DNS_FOUND)
        dns_records_free(list);
    return outcome;
}

enum dns_outcome dns_records(const struct dns *dns, const char *name, int type, deadline until,
                             struct dns_record_list *list)
{
    enum dns_outcome outcome =
        look_up_records(dns, name, type, until, NULL, dns_name_of_host, list);
    return outcome == DNS_FOUND && list->count == 0 ? DNS_NO_DATA : outcome;
}

enum dns_outcome dns_records_recent(const struct dns *dns, const char *name, int type,
                                    deadline until, struct dns_record_list *list)
{
    return look_up_records(dns, name, type, until, dns->records, dns_name_of_any, list);
}

bool dns_records_are_late(const struct dns *dns, deadline until)
{
    return deadline_is_over(dns->clock, until);
}

void dns_records_free(struct dns_record_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->record[i].text);
    free(list->record);
    *list = (struct dns_record_list){.count = 0};
}
