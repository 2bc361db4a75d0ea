/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * originators: see originators.h. A field that cannot be read, or names nobody, is nothing against
 * a message, and neither is an address that could not be verified: only invalid ones count.
 */
#include "config.h"

#include "session/originators.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/mailbox.h"
#include "session/decide.h"
#include "session/inquiry.h"
#include "session/vouch.h"

/*
 * Exempt are those who are not verified in the envelope either: our own users, and the bounce,
 * whose author nobody answers. But for a policy that has no envelope senders verified: what it says
 * of header fields it says by itself.
 */
unsigned originators_wanted(const struct policy *policy, enum exemption exemption)
{
    return exemption == EXEMPT_NOT || exemption == EXEMPT_POLICY ? policy->verify_headers : 0;
}

static unsigned wanted_by(const struct decision *decision)
{
    return decide_refuses(decision) /* those recipients are not part of the message */
               ? 0
               : originators_wanted(decision->policy, decision->exemption);
}

static void note_failure(const struct session *session, const char *why)
{
    if (session->world->observer != NULL)
        session->world->observer->failed(session, OF_HEADER, why);
}

/* --- Noting ------------------------------------------------------------------ */

static unsigned wanted_by_any(const struct session *session)
{
    unsigned wanted = 0;

    for (const struct decision *each = session->decisions; each != NULL; each = each->next)
        wanted |= wanted_by(each);
    return wanted;
}

/* The field of that name, blanks before its colon minded (RFC 5322 4.5). ORIGINATORS: none. */
static unsigned field_of(const char *name)
{
    size_t len = strcspn(name, " \t");
    unsigned field = 0;

    if (name[len + strspn(name + len, " \t")] != '\0')
        return ORIGINATORS;
    while (field < ORIGINATORS && (strlen(originator_names[field]) != len ||
                                   strncasecmp(originator_names[field], name, len) != 0))
        field++;
    return field;
}

static bool has_room(struct session *session)
{
    if (session->originators == NULL)
        session->originators = calloc(ORIGINATORS, sizeof *session->originators);
    if (session->originators == NULL)
        note_failure(session, rb_error_text(RB_ERR_NOMEM));
    return session->originators != NULL;
}

static void read_mailbox(struct originator *originator, const char *value)
{
    struct address address;

    if (mailbox_first(value, strlen(value), &address) &&
        (address_key(&address, originator->key, sizeof originator->key) != RB_OK ||
         address_format(&address, originator->text, sizeof originator->text) != RB_OK))
        originator->key[0] = originator->text[0] = '\0';
}

void originators_see(struct session *session, const char *name, const char *value)
{
    const unsigned field = field_of(name);

    if (field == ORIGINATORS ||
        (session->originators != NULL && session->originators[field].seen) ||
        (wanted_by_any(session) & 1U << field) == 0 || !has_room(session))
        return;
    session->originators[field].seen = true;
    read_mailbox(&session->originators[field], value);
}

/* --- Whom to ask about --------------------------------------------------------- */

static bool is_same(const struct originator *one, const struct originator *other)
{
    return one->key[0] != '\0' && strcmp(one->key, other->key) == 0;
}

/* The fields that name this address. */
static unsigned fields_with(const struct session *session, const struct originator *originator)
{
    unsigned fields = 0;

    for (unsigned i = 0; i < ORIGINATORS; i++)
        if (is_same(originator, &session->originators[i]))
            fields |= 1U << i;
    return fields;
}

/* Of the policies that have this address verified, the one that does most where it is invalid.
 * NULL: there is none. */
static const struct policy *policy_for(const struct session *session,
                                       const struct originator *originator)
{
    const unsigned fields = fields_with(session, originator);
    const struct policy *most = NULL;

    for (const struct decision *each = session->decisions; each != NULL; each = each->next)
        if ((wanted_by(each) & fields) != 0 &&
            (most == NULL || each->policy->on_header_invalid > most->on_header_invalid))
            most = each->policy;
    return most;
}

/* Whether it is the first field that names its address. */
static bool is_first(const struct session *session, unsigned field)
{
    const unsigned fields = fields_with(session, &session->originators[field]);

    return (fields & 1U << field) != 0 && (fields & ((1U << field) - 1)) == 0;
}

/* --- Asking ------------------------------------------------------------------ */

static enum rb_voucher voucher_for(const struct session *session,
                                   const struct originator *originator, const struct policy *policy)
{
    if (policy->vouched)
        return RB_VOUCHER_POLICY;
    return vouch_is_for(session, strrchr(originator->key, '@') + 1) ? RB_VOUCHER_DKIM
                                                                    : RB_VOUCHER_NOBODY;
}

/* Whether its answer serves all who ask about the address; that it did not come in time does not. */
static bool is_answer(const struct inquiry *inquiry, enum rb_voucher voucher)
{
    const enum rb_reason reason = inquiry->answer.reason;

    return inquiry->asked && !inquiry_is_open(inquiry) && reason != RB_REASON_TIMEOUT &&
           (voucher == RB_VOUCHER_NOBODY || !decide_is_held_back(reason));
}

/* What was asked about the envelope's sender, where that is the same address and its answer is
 * there. NULL: the address must be asked about. */
static struct inquiry *known_inquiry(struct session *session, const struct originator *originator,
                                     enum rb_voucher voucher)
{
    if (strcmp(session->sender_key, originator->key) != 0)
        return NULL;
    if (is_answer(&session->vouched, voucher))
        return &session->vouched;
    return is_answer(&session->plain, voucher) ? &session->plain : NULL;
}

static void ask_about(struct session *session, unsigned field)
{
    struct originator *originator = &session->originators[field];
    struct decision *decision = &originator->decision;
    const struct policy *policy = policy_for(session, originator);
    enum rb_voucher voucher;

    originator->decided = policy != NULL && is_first(session, field);
    if (!originator->decided)
        return;
    voucher = voucher_for(session, originator, policy);
    *decision =
        (struct decision){.of = OF_HEADER, .field = (enum originator_field)field, .policy = policy};
    decision->inquiry = known_inquiry(session, originator, voucher);
    if (decision->inquiry != NULL)
        return;
    decision->inquiry = &originator->inquiry;
    originator->inquiry.of = OF_HEADER;
    inquiry_begin(session, &originator->inquiry, originator->text, voucher);
}

/* --- Deciding ---------------------------------------------------------------- */

static void settle(const struct session *session, struct originator *originator)
{
    struct decision *decision = &originator->decision;
    const struct rb_answer *answer = &decision->inquiry->answer;

    decision->verdict = answer->verdict;
    decision->reason = answer->reason;
    if (session->world->observer != NULL && originator->inquiry.asked) /* else it is counted */
        session->world->observer->vouched(answer->voucher);
    decide_settle(session, decision,
                  answer->verdict == RB_VERDICT_INVALID ? decision->policy->on_header_invalid
                                                        : ACTION_ACCEPT);
}

const struct decision *originators_verify(struct session *session, unsigned max_wait_ms,
                                          void (*tick)(void *arg), void *arg)
{
    const struct decision *refusal = NULL;

    if (session->originators == NULL)
        return NULL;
    for (unsigned i = 0; i < ORIGINATORS; i++)
        ask_about(session, i);
    for (unsigned i = 0; i < ORIGINATORS; i++) {
        struct originator *each = &session->originators[i];

        if (!each->decided)
            continue;
        inquiry_await(session, &each->inquiry, max_wait_ms, tick, arg);
        settle(session, each);
        if (decide_refuses(&each->decision) &&
            (refusal == NULL || decide_is_harsher(&each->decision, refusal)))
            refusal = &each->decision;
    }
    return refusal;
}

bool originators_are_other_fate(const struct session *session, const struct policy *policy,
                                enum exemption exemption)
{
    const unsigned fields = originators_wanted(policy, exemption);

    for (const struct decision *each = session->decisions; each != NULL; each = each->next)
        if (!decide_refuses(each) &&
            !policy_headers_act_alike(each->policy, wanted_by(each), policy, fields))
            return true;
    return false;
}

void originators_forget(struct session *session)
{
    for (unsigned i = 0; session->originators != NULL && i < ORIGINATORS; i++)
        inquiry_fini(&session->originators[i].inquiry);
    free(session->originators);
    session->originators = NULL;
}
