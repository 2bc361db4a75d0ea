/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vouch: see vouch.h. A stranger can write such fields too, and as many as he likes.
 *
 * Where a field counts: Postfix and Sendmail show a filter no Received field of their own; and what
 * a filter before ours has inserted at the top (smfi_insheader with index 0 or 1), both show above
 * all that the message brought along. Sendmail shows what it inserted further down at the top as
 * well, Postfix where it stands. So fields count up to the first that no filter writes there; and
 * of one authserv-id the topmost alone: a filter's own stands above a forged one that it left.
 * (OpenDKIM leaves what it cannot read, or what says nothing of DKIM.)
 */
#include "config.h"

#include "session/vouch.h"

#include <string.h>
#include <strings.h>

#include "mail/auth_results.h"
#include "mail/organisation.h"

static const char results_name[] = "Authentication-Results";

/* Whether filters insert fields of that name at the top. */
static bool is_of_filters(const char *name)
{
    return strcasecmp(name, results_name) == 0 || strcasecmp(name, "Received-SPF") == 0 ||
           strcasecmp(name, "DKIM-Filter") == 0 || strncasecmp(name, "X-", 2) == 0;
}

/* The bit of a trusted authserv-id; 0: it is none. */
static unsigned bit_of(const struct config *config, const struct lexical_word *authserv_id)
{
    const struct text_list *ids = &config->trusted_authserv_ids;

    for (size_t i = 0; i < ids->count; i++)
        if (lexical_is(authserv_id, ids->items[i]))
            return 1U << i;
    return 0;
}

static void note_results(struct session *session, const char *value)
{
    struct vouch_results *noted = &session->results;
    struct auth_results field;
    unsigned bit;

    if (!auth_results_authserv_id(span_of(value), &field.authserv_id))
        return;
    bit = bit_of(session->config, &field.authserv_id);
    if (bit == 0 || (noted->ids_seen & bit) != 0)
        return;
    noted->ids_seen |= bit;
    (void)auth_results_read(span_of(value), &field); /* no domains where it cannot be read */
    for (size_t i = 0; i < field.count; i++)
        if (!text_list_add(&noted->domains, field.domains[i]))
            return; /* out of memory: it vouches for fewer */
}

void vouch_see(struct session *session, const char *name, const char *value)
{
    struct vouch_results *noted = &session->results;

    if (noted->is_over || session->config->trusted_authserv_ids.count == 0)
        return;
    noted->is_over = !is_of_filters(name) || ++noted->fields > VOUCH_FIELDS_MAX;
    if (!noted->is_over && strcasecmp(name, results_name) == 0)
        note_results(session, value);
}

bool vouch_is_for(const struct session *session, const char *domain)
{
    const struct text_list *domains = &session->results.domains;

    for (size_t i = 0; i < domains->count; i++)
        if (organisation_is_same(domains->items[i], domain))
            return true;
    return false;
}

bool vouch_is_for_sender(const struct session *session)
{
    const char *at = strrchr(session->sender_key, '@');

    return at != NULL && vouch_is_for(session, at + 1);
}

bool vouch_may_come(const struct session *session)
{
    return session->config->decide_at == DECIDE_EOM &&
           session->config->trusted_authserv_ids.count > 0;
}

void vouch_forget(struct session *session)
{
    text_list_fini(&session->results.domains);
    session->results = (struct vouch_results){0};
}
