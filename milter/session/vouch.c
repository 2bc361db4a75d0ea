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
 *
 * What counts, a filter has written, but not all words of it are its own: it names the signers by
 * what their signatures say, and the sender and the client's HELO name by what the client said.
 */
#include "config.h"

#include "session/vouch.h"

#include <string.h>
#include <strings.h>

#include "mail/auth_results.h"
#include "mail/dkim_signature.h"
#include "mail/mailbox.h"
#include "mail/organisation.h"

static const char results_name[] = "Authentication-Results";
static const char signature_name[] = "DKIM-Signature"; /* there may be blanks behind it */

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
        if (!text_list_add(field.is_author[i] ? &noted->authors : &noted->signers,
                           field.domains[i]))
            return; /* out of memory: it vouches for fewer */
}

/* Whether the field could make a filter write what nobody has found out, wherever it stands. */
static bool is_injection(const char *name, const char *value)
{
    return strncasecmp(name, signature_name, sizeof signature_name - 1) == 0 &&
           !dkim_signature_is_plain(span_of(value));
}

/*
 * Of a message with another From than one plain mailbox OpenDMARC says nothing, and leaves what
 * bears its name.
 */
static void note_author(struct vouch_results *noted, const char *value)
{
    const size_t len = strlen(value);
    struct address address;

    if (!noted->has_author && len <= VOUCH_FROM_MAX && mailbox_only(value, len, &address))
        (void)text_copy(noted->author, sizeof noted->author, address.domain);
    else
        noted->author[0] = '\0';
    noted->has_author = true;
}

void vouch_see(struct session *session, const char *name, const char *value)
{
    struct vouch_results *noted = &session->results;

    if (session->config->trusted_authserv_ids.count == 0)
        return;
    noted->is_injected = noted->is_injected || is_injection(name, value);
    if (strcasecmp(name, "From") == 0)
        note_author(noted, value);
    if (noted->is_over)
        return;
    noted->is_over = !is_of_filters(name) || ++noted->fields > VOUCH_FIELDS_MAX;
    if (!noted->is_over && strcasecmp(name, results_name) == 0)
        note_results(session, value);
}

/* A ";" begins another result. */
static bool is_plain(const char *said)
{
    return said == NULL || strchr(said, ';') == NULL;
}

/* OpenDMARC writes what is behind the domain of From into its field, too: that is no domain here. */
static bool is_author_vouched_for(const struct vouch_results *results)
{
    for (size_t i = 0; i < results->authors.count; i++)
        if (strcmp(results->authors.items[i], results->author) == 0)
            return true;
    return false;
}

bool vouch_is_for(const struct session *session, const char *domain)
{
    const struct vouch_results *results = &session->results;

    if (results->author[0] == '\0' || results->is_injected || !is_plain(session->sender) ||
        !is_plain(session->helo))
        return false;
    for (size_t i = 0; i < results->signers.count; i++)
        if (organisation_is_same(results->signers.items[i], domain))
            return true;
    return is_author_vouched_for(results) && organisation_is_same(results->author, domain);
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
    text_list_fini(&session->results.signers);
    text_list_fini(&session->results.authors);
    session->results = (struct vouch_results){0};
}
