/* SPDX-License-Identifier: BSD-2-Clause */
/* answers: see the header. A list of answers, each in one piece of memory. */
#include "config.h"

#include "spf/answers.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

#include "spf/record.h"

enum {
    RECORDS_OF_INTEREST = 2,       /* a second SPF record is one too many (RFC 7208 4.5) */
    TEXT_MAX = SPF_RECORD_MAX + 1, /* octets noted of a text: enough to see that it is too long */
};

struct spf_answer {
    struct spf_answer *next;
    struct spf_lookup to;
    enum dns_outcome outcome;
    bool is_cut;
    unsigned count;
    size_t len;
    uint8_t octets[]; /* len of them: of each record the length, as two octets, and the record */
};

/* What is noted of a record; at is NULL where it is of no interest. */
static struct span note_of(int type, const struct dns_record *record)
{
    struct span text = {record->text, record->text_len};

    switch (type) {
    case ns_t_a:
    case ns_t_aaaa:
        return (struct span){(const char *)record->ip.octets, IP_LEN};
    case ns_t_txt:
        if (!spf_record_is_one(text))
            return (struct span){.at = NULL};
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

/* Counts the octets that the records take, and writes them where answer is not NULL. */
static size_t note_records(int type, const struct dns_record_list *list, struct spf_answer *answer)
{
    size_t len = 0;
    unsigned count = 0;

    for (size_t i = 0; i < list->count && count < records_max(type); i++) {
        const struct span note = note_of(type, &list->record[i]);

        if (note.at == NULL)
            continue;
        if (answer != NULL) {
            answer->octets[len] = (uint8_t)(note.len >> 8);
            answer->octets[len + 1] = (uint8_t)note.len;
            memcpy(answer->octets + len + 2, note.at, note.len);
        }
        len += 2 + note.len;
        count++;
    }
    if (answer != NULL)
        answer->count = count;
    return len;
}

bool spf_answers_add(struct spf_answers *answers, const struct spf_lookup *lookup,
                     enum dns_outcome outcome, const struct dns_record_list *list)
{
    const size_t len = note_records(lookup->type, list, NULL);
    struct spf_answer *answer;

    if (answers->count >= SPF_ANSWERS_MAX)
        return false;
    answer = calloc(1, sizeof *answer + len);
    if (answer == NULL)
        return false;
    answer->to = *lookup;
    answer->outcome = outcome;
    answer->is_cut = list->is_cut;
    answer->len = note_records(lookup->type, list, answer);
    answer->next = answers->first;
    answers->first = answer;
    answers->count++;
    return true;
}

void spf_answers_free(struct spf_answers *answers)
{
    while (answers->first != NULL) {
        struct spf_answer *answer = answers->first;

        answers->first = answer->next;
        free(answer);
    }
    answers->count = 0;
}

const struct spf_answer *spf_answers_find(const struct spf_answers *answers, int type,
                                          const char *name)
{
    const struct spf_answer *answer = answers->first;

    while (answer != NULL && (answer->to.type != type || strcmp(answer->to.name, name) != 0))
        answer = answer->next;
    return answer;
}

bool spf_answers_have_failure(const struct spf_answers *answers)
{
    const struct spf_answer *answer = answers->first;

    while (answer != NULL && answer->outcome != DNS_FAILURE)
        answer = answer->next;
    return answer != NULL;
}

enum dns_outcome spf_answer_outcome(const struct spf_answer *answer)
{
    return answer->outcome;
}

unsigned spf_answer_count(const struct spf_answer *answer)
{
    return answer->count;
}

bool spf_answer_is_cut(const struct spf_answer *answer)
{
    return answer->is_cut;
}

bool spf_answer_next(const struct spf_answer *answer, size_t *at, struct span *record)
{
    if (*at >= answer->len)
        return false;
    record->len = (size_t)answer->octets[*at] << 8 | answer->octets[*at + 1];
    record->at = (const char *)answer->octets + *at + 2;
    *at += 2 + record->len;
    return true;
}
