/* SPDX-License-Identifier: BSD-2-Clause */
/* check: see the header. It must not decide what a result is good for. */
#include "config.h"

#include "spf/check.h"

/* A time that has passed: dns_records_recent asks nobody then. */
static const deadline nobody_is_asked = -1;

/*
 * SPF_DONE: the look-up has been made, and the answers have what was said. SPF_ASKS: there was no
 * time for it. That is not added as a failure of DNS: to ptr a failure is no match (RFC 7208 5.5),
 * and "-all" behind it would make FAIL of our haste.
 */
static enum spf_step make_lookup(const struct dns *dns, deadline until,
                                 const struct spf_lookup *lookup, struct spf_answers *answers)
{
    struct dns_record_list list;
    const enum dns_outcome outcome =
        dns_records_recent(dns, lookup->name, lookup->type, until, &list);
    enum spf_step step = SPF_ASKS;

    if (outcome != DNS_FAILURE || !dns_records_are_late(dns, until))
        step = spf_answers_add(answers, lookup, outcome, &list) ? SPF_DONE : SPF_NO_MEMORY;
    dns_records_free(&list);
    return step;
}

static enum spf_step vouch_by(const struct dns *dns, deadline until,
                              const struct spf_question *question, struct spf_answers *answers,
                              struct spf_vouching *vouching, struct spf_lookup *next)
{
    enum spf_step step = SPF_DONE;

    while (step == SPF_DONE && !spf_vouch(question, answers, vouching, next))
        step = make_lookup(dns, until, next, answers);
    return step;
}

enum spf_step spf_check_recall(const struct dns *dns, const struct spf_question *question,
                               struct spf_answers *answers, struct spf_vouching *vouching,
                               struct spf_lookup *next)
{
    return vouch_by(dns, nobody_is_asked, question, answers, vouching, next);
}

enum spf_step spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
                        struct spf_vouching *vouching)
{
    struct spf_answers answers = {.first = NULL};
    struct spf_lookup next;
    const enum spf_step step = vouch_by(dns, until, question, &answers, vouching, &next);

    if (step != SPF_DONE)
        spf_vouch_give_up(vouching, step == SPF_ASKS ? "DNS takes too long" : "out of memory");
    spf_answers_free(&answers);
    return step;
}
