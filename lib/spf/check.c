/* SPDX-License-Identifier: BSD-2-Clause */
/* spf: look-ups for spf_check; see the header. It must not decide what a result is good for. */
#include "config.h"

#include "spf/check.h"

/* A time that has passed: dns asks nobody then. */
static const deadline nobody_is_asked = -1;

void spf_give_up(struct spf_answer *answer, const char *fault)
{
    answer->outcome = SPF_OUTCOME_TEMPERROR;
    answer->fault = fault;
}

/*
 * SPF_DONE: it has been made, and the answers have what was said. SPF_ASKS: there was no time for
 * it, which is no failure of DNS: where that only does not match (RFC 7208 5.5), it would be FAIL.
 */
static enum spf_step look_up(const struct dns *dns, deadline until, const struct spf_lookup *lookup,
                             struct spf_answers *answers)
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

static enum spf_step go_on(const struct dns *dns, deadline until,
                           const struct spf_question *question, struct spf_answers *answers,
                           struct spf_answer *answer, struct spf_lookup *next)
{
    enum spf_step step = SPF_DONE;

    while (step == SPF_DONE && !spf_evaluate(question, answers, answer, next))
        step = look_up(dns, until, next, answers);
    return step;
}

enum spf_step spf_recall(const struct dns *dns, const struct spf_question *question,
                         struct spf_answers *answers, struct spf_answer *answer,
                         struct spf_lookup *next)
{
    return go_on(dns, nobody_is_asked, question, answers, answer, next);
}

void spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
               struct spf_answer *answer)
{
    struct spf_answers answers = {.first = NULL};
    struct spf_lookup next;

    switch (go_on(dns, until, question, &answers, answer, &next)) {
    case SPF_DONE:
        break;
    case SPF_ASKS:
        spf_give_up(answer, "DNS takes too long");
        break;
    case SPF_NO_MEMORY:
        spf_give_up(answer, "out of memory");
        break;
    }
    spf_answers_free(&answers);
}
