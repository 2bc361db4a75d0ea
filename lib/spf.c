/* SPDX-License-Identifier: BSD-2-Clause */
/* spf: look-ups for spf_check; see the header. It must not decide what a result is good for. */
#include "config.h"

#include "spf.h"

/* A time that has passed: dns asks nobody then. */
static const deadline nobody_is_asked = -1;

void spf_give_up(struct spf_answer *answer)
{
    answer->outcome = SPF_OUTCOME_TEMPERROR;
    answer->fault = "out of memory";
}

/* False: nobody was asked who would have had to be. */
static bool look_up(const struct dns *dns, deadline until, const struct spf_lookup *lookup,
                    struct spf_answers *answers, bool *is_added)
{
    struct dns_record_list list;
    const enum dns_outcome outcome =
        dns_recent_records(dns, lookup->name, lookup->type, until, &list);
    const bool is_known = outcome != DNS_FAILURE || until != nobody_is_asked;

    *is_added = is_known && spf_answers_add(answers, lookup, outcome, &list);
    dns_records_free(&list);
    return is_known;
}

/* False: *next must be asked for, and was not. */
static bool go_on(const struct dns *dns, deadline until, const struct spf_question *question,
                  struct spf_answers *answers, struct spf_answer *answer, struct spf_lookup *next)
{
    bool is_added = true;

    while (is_added && !spf_evaluate(question, answers, answer, next))
        if (!look_up(dns, until, next, answers, &is_added))
            return false;
    if (!is_added)
        spf_give_up(answer);
    return true;
}

bool spf_recall(const struct dns *dns, const struct spf_question *question,
                struct spf_answers *answers, struct spf_answer *answer, struct spf_lookup *next)
{
    return go_on(dns, nobody_is_asked, question, answers, answer, next);
}

void spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
               struct spf_answer *answer)
{
    struct spf_answers answers = {.first = NULL};
    struct spf_lookup next;

    (void)go_on(dns, until, question, &answers, answer, &next);
    spf_answers_free(&answers);
}
