/* SPDX-License-Identifier: BSD-2-Clause */
/* spf_answers: a list of answers, each in one piece of memory; see spf_answers.h. */
#include "config.h"

#include "spf/answers.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

#include "spf/record.h"

enum {
    V4_OCTETS = 4,
    V6_OCTETS = 16,
    RECORDS_OF_INTEREST = 2,       /* a second SPF record is one too many (RFC 7208 4.5) */
    TEXT_MAX = SPF_RECORD_MAX + 1, /* of one that is longer no more need be known than that it is */
};

struct spf_reply {
    struct spf_reply *next;
    struct spf_lookup to;
    enum dns_outcome outcome;
    bool is_cut;
    unsigned count;
    size_t len;
    uint8_t octets[]; /* len of them: of each record the length, as two octets, and the record */
};

/* What is noted of a record; at is NULL where it is of no interest. */
static struct spf_span note_of(int type, const struct dns_record *record)
{
    struct spf_span text = {record->text, record->text_len};

    switch (type) {
    case ns_t_a:
        return (struct spf_span){(const char *)record->address, V4_OCTETS};
    case ns_t_aaaa:
        return (struct spf_span){(const char *)record->address, V6_OCTETS};
    case ns_t_txt:
        if (!spf_is_record(text))
            return (struct spf_span){.at = NULL};
        if (text.len > TEXT_MAX)
            text.len = TEXT_MAX;
        return text;
    default:
        return text;
    }
}

static unsigned records_max(int type)
{
    if (type == ns_t_txt)
        return RECORDS_OF_INTEREST;
    return type == ns_t_mx || type == ns_t_ptr ? SPF_HOSTS_MAX + 1 : DNS_RECORDS_MAX;
}

/* Writes the records, where reply is not NULL; the octets that it takes. */
static size_t note_records(int type, const struct dns_record_list *list, struct spf_reply *reply)
{
    size_t len = 0;
    unsigned count = 0;

    for (size_t i = 0; i < list->count && count < records_max(type); i++) {
        const struct spf_span note = note_of(type, &list->record[i]);

        if (note.at == NULL)
            continue;
        if (reply != NULL) {
            reply->octets[len] = (uint8_t)(note.len >> 8);
            reply->octets[len + 1] = (uint8_t)note.len;
            memcpy(reply->octets + len + 2, note.at, note.len);
        }
        len += 2 + note.len;
        count++;
    }
    if (reply != NULL)
        reply->count = count;
    return len;
}

bool spf_answers_add(struct spf_answers *answers, const struct spf_lookup *lookup,
                     enum dns_outcome outcome, const struct dns_record_list *list)
{
    const size_t len = note_records(lookup->type, list, NULL);
    struct spf_reply *reply;

    if (answers->count >= SPF_ANSWERS_MAX)
        return false;
    reply = calloc(1, sizeof *reply + len);
    if (reply == NULL)
        return false;
    reply->to = *lookup;
    reply->outcome = outcome;
    reply->is_cut = list->is_cut;
    reply->len = note_records(lookup->type, list, reply);
    reply->next = answers->first;
    answers->first = reply;
    answers->count++;
    return true;
}

void spf_answers_free(struct spf_answers *answers)
{
    while (answers->first != NULL) {
        struct spf_reply *reply = answers->first;

        answers->first = reply->next;
        free(reply);
    }
    answers->count = 0;
}

const struct spf_reply *spf_answers_find(const struct spf_answers *answers, int type,
                                         const char *name)
{
    const struct spf_reply *reply = answers->first;

    while (reply != NULL && (reply->to.type != type || strcmp(reply->to.name, name) != 0))
        reply = reply->next;
    return reply;
}

enum dns_outcome spf_reply_outcome(const struct spf_reply *reply)
{
    return reply->outcome;
}

unsigned spf_reply_count(const struct spf_reply *reply)
{
    return reply->count;
}

bool spf_reply_is_cut(const struct spf_reply *reply)
{
    return reply->is_cut;
}

bool spf_reply_next(const struct spf_reply *reply, size_t *at, struct spf_span *record)
{
    if (*at >= reply->len)
        return false;
    record->len = (size_t)reply->octets[*at] << 8 | reply->octets[*at + 1];
    record->at = (const char *)reply->octets + *at + 2;
    *at += 2 + record->len;
    return true;
}
