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
#include "session/claim.h"

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

/*
 * The host that a Callback-Warning is about: what stands before its first ":", as we write it, or
 * what a lenient reader would take for that.
 */
static bool names_host(const char *value, const char *host)
{
    struct span rest = span_of(value);
    struct lexical_word word;
    const size_t len = strlen(host);

    if (len == 0)
        return false;
    if (!lexical_skip_cfws(&rest))
        return true; /* unreadable to us */
    if (rest.len > 0 && *rest.at == '"')
        return !lexical_quoted_string(&rest, &word) || lexical_is(&word, host);
    return rest.len >= len && text_same_letters(rest.at, host, len) &&
           (rest.len == len || char_is_in(rest.at[len], ": \t\r\n;("));
}

static bool make_room(struct header_forged *forged)
{
    size_t room = forged->room == 0 ? 16 : forged->room * 2;
    unsigned *more;

    if (forged->count >= HEADERS_FORGED_MAX)
        return false;
    if (forged->count < forged->room)
        return true;
    more = realloc(forged->which, room * sizeof *more);
    if (more == NULL)
        return false;
    forged->which = more;
    forged->room = room;
    return true;
}

/* One more field of the name. */
static void see_one(struct header_census *census, struct header_forged *forged, bool is_forged)
{
    forged->seen++;
    if (!is_forged)
        return;
    if (make_room(forged))
        forged->which[forged->count++] = forged->seen;
    else
        census->overflow = true;
}

/* A field's name, whatever its case and whatever blanks someone put before the colon. */
static bool is_named(const char *name, const char *wanted)
{
    size_t len = strlen(wanted);

    return strncasecmp(name, wanted, len) == 0 && name[len + strspn(name + len, " \t")] == '\0';
}

void headers_see(struct header_census *census, const char *name, const char *value,
                 const struct header_names *names)
{
    if (is_named(name, HEADER_RINGBACK)) {
        census->ringback++;
    } else if (is_named(name, HEADER_WARNING)) {
        census->warning++;
    } else if (is_named(name, HEADER_RESULTS)) {
        see_one(census, &census->results,
                names->authserv_id[0] != '\0' &&
                    headers_has_authserv_id(value, names->authserv_id));
    } else if (names->hostname != NULL && is_named(name, HEADER_CALLBACK)) {
        see_one(census, &census->callback,
                names_host(value, names->hostname) || names_host(value, names->claimed));
    }
    if (census->ringback > HEADERS_FORGED_MAX || census->warning > HEADERS_FORGED_MAX)
        census->overflow = true;
}

void headers_fini(struct header_census *census)
{
    free(census->results.which);
    free(census->callback.which);
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
    if (fate->of == OF_CLIENT)
        (void)snprintf(whose, sizeof whose, " client=%s;",
                       rb_client_result_name(session->claim->answer.result));
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

    if (fate->of == OF_CLIENT) {
        headers_callback(session, value);
        return;
    }
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

void headers_callback(const struct session *session, char value[HEADER_VALUE_MAX + 1])
{
    char text[CLAIM_WORDS_MAX + 1];

    claim_describe(session, ": ", text);
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

/* What is added to a field that has its authserv-id, and perhaps a result. */
static void add_sender(const struct session *session, const struct decision *decision, char *value)
{
    const size_t len = strlen(value);

    if (decision->exemption != EXEMPT_NOT || session->sender_key[0] == '\0' ||
        !is_plain(session->sender_key))
        return;
    (void)snprintf(value + len, HEADER_VALUE_MAX + 1 - len,
                   "; x-callback=%s reason=\"%s\" smtp.mailfrom=%s",
                   result_of(decision->verdict, decision->reason), rb_reason_name(decision->reason),
                   session->sender_key);
}

/* A value that is no token is quoted (RFC 8601 2.2, RFC 2045 5.1). Its octets are printable. */
static void quote_value(const char *text, char quoted[2 * SESSION_TEXT_MAX + 3])
{
    static const char token[] = "!#$%&'*+-^_`{|}~.";
    size_t len = 0, plain = 0;

    while (char_is_letter(text[plain]) || char_is_digit(text[plain]) ||
           char_is_in(text[plain], token))
        plain++;
    if (plain > 0 && text[plain] == '\0') {
        memcpy(quoted, text, plain + 1);
        return;
    }
    quoted[len++] = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            quoted[len++] = '\\';
        quoted[len++] = *text;
    }
    memcpy(quoted + len, "\"", 2);
}

static void add_client(const struct session *session, char *value)
{
    const enum rb_client_result result = session->claim->answer.result;
    const size_t len = strlen(value);
    char helo[2 * SESSION_TEXT_MAX + 3];
    int more;

    if (result == RB_CLIENT_UNKNOWN) /* nothing was found, so there is no result */
        return;
    quote_value(session->helo, helo);
    more = snprintf(value + len, HEADER_VALUE_MAX + 1 - len, "; x-ayttm=%s smtp.helo=%s",
                    rb_client_result_name(result), helo);
    if (more < 0 || len + (size_t)more > HEADER_VALUE_MAX)
        (void)snprintf(value + len, HEADER_VALUE_MAX + 1 - len, "; x-ayttm=%s",
                       rb_client_result_name(result));
}

/* One field for what one ADMD found of one message: RFC 8601 2.2 has room for any number of results
 * in it, and a field can be believed or removed as a whole only. */
bool headers_results(const struct session *session, const struct decision *decision,
                     char value[HEADER_VALUE_MAX + 1])
{
    const char *authserv_id = session->config->authserv_id;
    size_t len;

    if (authserv_id[0] == '\0' || !text_copy(value, HEADER_VALUE_MAX + 1, authserv_id))
        return false;
    len = strlen(value);
    add_sender(session, decision, value);
    if (session->claim != NULL && session->claim->decided)
        add_client(session, value);
    return value[len] != '\0';
}
