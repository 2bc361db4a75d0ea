/* SPDX-License-Identifier: BSD-2-Clause */
/* headers: what we write on a message, and what others forged; see headers.h. */
#include "config.h"

#include "mta/headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "mail/lexical.h"

/* --- Forgeries ------------------------------------------------------------ */

/*
 * What a field's value begins with, taken for its authserv-id (RFC 8601 2.2) whatever octets it is
 * made of. False: a comment or a quoted string without an end.
 */
static bool read_authserv_id(const char *value, struct lexical_word *id)
{
    struct span rest = span_of(value);

    if (!lexical_skip_cfws(&rest))
        return false;
    if (rest.len > 0 && *rest.at == '"')
        return lexical_quoted_string(&rest, id);
    *id = (struct lexical_word){.raw = {rest.at, strcspn(rest.at, " \t\r\n;(")}};
    return true;
}

bool headers_has_authserv_id(const char *value, const char *authserv_id)
{
    struct lexical_word id;

    if (!read_authserv_id(value, &id))
        return true; /* unreadable to us: a more lenient reader must not believe it */
    return lexical_is(&id, authserv_id);
}

static bool make_room(struct header_census *census)
{
    size_t room = census->forged_room == 0 ? 16 : census->forged_room * 2;
    unsigned *more;

    if (census->forged_count >= HEADERS_FORGED_MAX)
        return false;
    if (census->forged_count < census->forged_room)
        return true;
    more = realloc(census->forged, room * sizeof *more);
    if (more == NULL)
        return false;
    census->forged = more;
    census->forged_room = room;
    return true;
}

/* A field's name, whatever its case and whatever blanks someone put before the colon. */
static bool is_named(const char *name, const char *wanted)
{
    size_t len = strlen(wanted);

    return strncasecmp(name, wanted, len) == 0 && name[len + strspn(name + len, " \t")] == '\0';
}

void headers_see(struct header_census *census, const char *name, const char *value,
                 const char *authserv_id)
{
    if (is_named(name, HEADER_RINGBACK)) {
        census->ringback++;
    } else if (is_named(name, HEADER_WARNING)) {
        census->warning++;
    } else if (is_named(name, HEADER_RESULTS)) {
        census->results++;
        if (authserv_id[0] == '\0' || !headers_has_authserv_id(value, authserv_id))
            return;
        if (make_room(census))
            census->forged[census->forged_count++] = census->results;
        else
            census->overflow = true;
    }
    if (census->ringback > HEADERS_FORGED_MAX || census->warning > HEADERS_FORGED_MAX)
        census->overflow = true;
}

void headers_fini(struct header_census *census)
{
    free(census->forged);
    *census = (struct header_census){0};
}

/* --- Ours ----------------------------------------------------------------- */

/* An address as it may stand between < and >: a quoted local part must not end its field and begin
 * another. */
static void show_address(const char *address, char text[SESSION_TEXT_MAX + 1])
{
    text_printable(text, SESSION_TEXT_MAX + 1, address, strlen(address));
    for (char *c = text; *c != '\0'; c++)
        if (strchr("<>;", *c) != NULL)
            *c = '?';
}

void headers_ringback(const struct session *session, const struct decision *decision,
                      const struct decision *fate, char value[HEADER_VALUE_MAX + 1])
{
    const struct rb_answer *answer = envelope_answer(session, decision);
    bool exempt = decision->exemption != EXEMPT_NOT;
    char text[2 * HEADER_VALUE_MAX], rule[64] = "", would[32] = "", whose[64] = "";
    char sender[SESSION_TEXT_MAX + 1];

    show_address(session->sender_text, sender);
    if (exempt)
        (void)snprintf(rule, sizeof rule, " rule=%s;", exemption_name(decision->exemption));
    else if (decision->reason == RB_REASON_EXEMPT) /* of the verifier's: our own domain, say */
        (void)snprintf(rule, sizeof rule, " rule=%s;", answer->rule);
    if (fate->action != fate->wanted)
        (void)snprintf(would, sizeof would, " would=%s;", action_name(fate->wanted));
    if (fate->of == OF_RECIPIENT)
        (void)snprintf(whose, sizeof whose, " recipient=%s;", rb_reason_name(fate->reason));
    if (fate->of == OF_HEADER)
        (void)snprintf(whose, sizeof whose, " header=%s:%s;", originator_names[fate->field],
                       rb_reason_name(fate->reason));
    (void)snprintf(text, sizeof text,
                   "%s; reason=%s;%s sender=<%s>; mx=%s; cached=%s; action=%s;%s%s id=%s",
                   rb_verdict_name(decision->verdict), rb_reason_name(decision->reason), rule,
                   sender, !exempt && answer->mx[0] != '\0' ? answer->mx : "none",
                   !exempt && answer->cached ? "yes" : "no", action_name(fate->action), would,
                   whose, session->id);
    text_printable(value, HEADER_VALUE_MAX + 1, text, strlen(text));
}

/*
 * Of a recipient only verdict and reason are told: what our own hosts say is no stranger's
 * business.
 */
void headers_warning(const struct session *session, const struct decision *fate,
                     char value[HEADER_VALUE_MAX + 1])
{
    const struct rb_answer *answer = envelope_answer(session, fate);
    char text[2 * HEADER_VALUE_MAX], address[SESSION_TEXT_MAX + 1];

    if (fate->of == OF_RECIPIENT) {
        (void)snprintf(value, HEADER_VALUE_MAX + 1, "a recipient address is %s (%s)",
                       rb_verdict_name(fate->verdict), rb_reason_name(fate->reason));
        return;
    }
    show_address(envelope_address(session, fate), address);
    (void)snprintf(text, sizeof text, "%s address <%s> is %s (%s)%s%s", envelope_role(fate),
                   address, rb_verdict_name(fate->verdict), rb_reason_name(fate->reason),
                   answer->reply[0] != '\0' ? ": " : "", answer->reply);
    text_printable(value, HEADER_VALUE_MAX + 1, text, strlen(text));
}

static const char *result_of(enum rb_verdict verdict, enum rb_reason reason)
{
    if (verdict == RB_VERDICT_VALID)
        return "pass";
    if (verdict == RB_VERDICT_INVALID)
        return "fail";
    switch (reason) {
    case RB_REASON_CATCH_ALL:
    case RB_REASON_BLOCKED:
    case RB_REASON_NULL_SENDER_REFUSED:
    case RB_REASON_REJECTED:
    case RB_REASON_TLS_REQUIRED:
    case RB_REASON_SPF_FAIL:
    case RB_REASON_SPF_SOFTFAIL:
    case RB_REASON_NOT_VOUCHED:
    case RB_REASON_TOO_LARGE:
    case RB_REASON_EXEMPT:
        return "neutral"; /* asking again would give the same */
    default:
        return "temperror";
    }
}

/* Whether an address may stand as a pvalue without quoting (RFC 8601 2.2, RFC 5322 3.2.3 dot-atom).
 */
static bool is_plain(const char *address)
{
    static const char extra[] = "!#$%&'*+-/=?^_`{|}~.@";

    for (; *address != '\0'; address++)
        if (!char_is_letter(*address) && !char_is_digit(*address) && !char_is_in(*address, extra))
            return false;
    return true;
}

bool headers_results(const struct session *session, const struct decision *decision,
                     char value[HEADER_VALUE_MAX + 1])
{
    const char *authserv_id = session->config->authserv_id;
    int len;

    if (authserv_id[0] == '\0' || decision->exemption != EXEMPT_NOT ||
        session->sender_key[0] == '\0' || !is_plain(session->sender_key))
        return false;
    len = snprintf(value, HEADER_VALUE_MAX + 1, "%s; x-callback=%s reason=\"%s\" smtp.mailfrom=%s",
                   authserv_id, result_of(decision->verdict, decision->reason),
                   rb_reason_name(decision->reason), session->sender_key);
    return len > 0 && len <= HEADER_VALUE_MAX;
}
