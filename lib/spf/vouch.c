/* SPDX-License-Identifier: BSD-2-Clause */
/* vouch: see the header. It must not decide what follows where nobody vouches. */
#include "config.h"

#include "spf/vouch.h"

#include "base/text.h"
#include "mail/organisation.h"

/* Records that nobody has published. */
static const char by_hosts[] = "v=spf1 mx/24//64 a/24//64 ?all";
static const char by_name[] = "v=spf1 ptr ?all";

static void set_voucher(struct spf_vouching *vouching, enum rb_voucher voucher, const char *host)
{
    vouching->voucher = voucher;
    vouching->why_nobody = NULL;
    (void)text_copy(vouching->host, sizeof vouching->host, host);
}

/* The client is, or is next to, one of the domain's hosts. False: *next must be looked up. */
static bool guess_by_hosts(const struct spf_question *question, const struct spf_answers *answers,
                           struct spf_vouching *vouching, struct spf_lookup *next)
{
    struct spf_result guess;

    if (!spf_evaluate_record(question, by_hosts, answers, &guess, next))
        return false;
    if (guess.outcome == SPF_OUTCOME_PASS)
        set_voucher(vouching, RB_VOUCHER_MX, guess.host);
    return true;
}

/*
 * The client's name is in the domain of the domain's organisation. Under a public suffix others
 * have names too: what matched must be the organisation's all the same.
 */
static bool guess_by_name(const struct spf_question *question, const struct spf_answers *answers,
                          struct spf_vouching *vouching, struct spf_lookup *next)
{
    char organisation[RB_DOMAIN_MAX + 1];
    struct spf_question asked = *question;
    struct spf_result guess;

    organisation_of(question->domain, organisation);
    asked.domain = organisation;
    if (!spf_evaluate_record(&asked, by_name, answers, &guess, next))
        return false;
    if (guess.outcome == SPF_OUTCOME_PASS && organisation_is_same(guess.host, organisation))
        set_voucher(vouching, RB_VOUCHER_PTR, guess.host);
    return true;
}

static bool guess(const struct spf_question *question, const struct spf_answers *answers,
                  struct spf_vouching *vouching, struct spf_lookup *next)
{
    if (vouching->said.outcome == SPF_OUTCOME_NONE &&
        !guess_by_hosts(question, answers, vouching, next))
        return false;
    if (vouching->voucher == RB_VOUCHER_NOBODY && !guess_by_name(question, answers, vouching, next))
        return false;
    if (vouching->voucher == RB_VOUCHER_NOBODY && spf_answers_have_failure(answers)) {
        vouching->is_for_now = true;
        vouching->why_nobody = "DNS gives no answer";
    }
    return true;
}

/* Why nobody vouches where SPF does not, and guesses, where they were made, have not either. */
static const char *why_nobody(enum spf_outcome outcome, bool has_guessed)
{
    switch (outcome) {
    case SPF_OUTCOME_FAIL:
        return "by SPF the domain disowns it";
    case SPF_OUTCOME_SOFTFAIL:
        return "by SPF it is probably not the domain's";
    case SPF_OUTCOME_NONE:
        return has_guessed ? "there is no SPF record, it is next to none of the domain's hosts, "
                             "and it has no confirmed name in the domain"
                           : "there is no SPF record";
    case SPF_OUTCOME_NEUTRAL:
        return has_guessed ? "SPF says neither yes nor no, and it has no confirmed name in the "
                             "domain"
                           : "SPF says neither yes nor no";
    default:
        return has_guessed ? "SPF ends in an error, and it has no confirmed name in the domain"
                           : "SPF ends in an error";
    }
}

static bool is_undecided(enum spf_outcome outcome)
{
    return outcome != SPF_OUTCOME_PASS && outcome != SPF_OUTCOME_SOFTFAIL &&
           outcome != SPF_OUTCOME_FAIL;
}

bool spf_vouch(const struct spf_question *question, const struct spf_answers *answers,
               struct spf_vouching *vouching, struct spf_lookup *next)
{
    const struct spf_result *said = &vouching->said;

    *vouching = (struct spf_vouching){.voucher = RB_VOUCHER_NOBODY};
    if (!spf_evaluate(question, answers, &vouching->said, next))
        return false;
    vouching->is_said = true;
    vouching->is_for_now = said->outcome == SPF_OUTCOME_TEMPERROR;
    if (said->outcome == SPF_OUTCOME_PASS)
        set_voucher(vouching, RB_VOUCHER_SPF, said->host);
    else
        vouching->why_nobody = why_nobody(said->outcome, question->guesses);
    return !question->guesses || !is_undecided(said->outcome) ||
           guess(question, answers, vouching, next);
}

void spf_vouch_give_up(struct spf_vouching *vouching, const char *fault)
{
    if (!vouching->is_said) {
        vouching->said.outcome = SPF_OUTCOME_TEMPERROR;
        vouching->said.fault = fault;
    }
    vouching->is_said = vouching->is_for_now = true;
    vouching->voucher = RB_VOUCHER_NOBODY;
    vouching->why_nobody = fault;
}
