/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_results: see the header. The grammar of RFC 8601 2.2, CFWS being allowed between any two:
 *
 *   value      = authserv-id [ version ] ( ";" "none" / 1*( ";" resinfo ) )
 *   resinfo    = method [ "/" version ] "=" result [ reason ] *property
 *   reason     = "reason" "=" ( token / quoted-string )
 *   property   = ptype "." name "=" pvalue
 *
 * Read beyond it, since filters write so: a ";" at the end, a reason behind properties, and in a
 * pvalue whatever is no white space, comment, quote or ";". What else is odd is not read: a filter
 * that cannot read it either leaves it in the message, though it bears that filter's name.
 */
#include "config.h"

#include "mail/auth_results.h"

#include "mail/address.h"

enum { PVALUE_TEXT_SIZE = 4 * RB_ADDRESS_MAX /* of a longer one no domain is known */ };

/* What one resinfo says. */
struct resinfo {
    bool is_dkim, is_dmarc; /* and has passed */
    bool is_odd;            /* names two domains for one property, or what is no domain */
    char d[RB_DOMAIN_MAX + 1], i[RB_DOMAIN_MAX + 1], from[RB_DOMAIN_MAX + 1]; /* header.…; "": not
                                                                                 named */
};

/* --- Tokens ---------------------------------------------------------------- */

static bool is_keyword_char(char c)
{
    return char_is_letter(c) || char_is_digit(c) || c == '-' || c == '_';
}

static bool is_pvalue_char(char c)
{
    return c != '\0' && !char_is_in(c, " \t\r\n;(\"");
}

static bool take_run(struct span *rest, bool (*is_of)(char c), struct span *run)
{
    *run = (struct span){.at = rest->at};
    while (run->len < rest->len && is_of(rest->at[run->len]))
        run->len++;
    *rest = span_from(*rest, run->len);
    return run->len > 0;
}

/* The character with CFWS around it. */
static bool take_sign(struct span *rest, char sign)
{
    return lexical_skip_cfws(rest) && lexical_char(rest, sign) && lexical_skip_cfws(rest);
}

/* A token or quoted string: "value" of RFC 2045 5.1. */
static bool take_value(struct span *rest, struct lexical_word *word)
{
    return lexical_quoted_string(rest, word) || lexical_token(rest, word);
}

/* The only version that there is, where one is told; false: another. */
static bool take_version(struct span *rest)
{
    struct span version;

    return !take_run(rest, char_is_digit, &version) || span_is(version, "1");
}

/* Behind a value: white space, a comment, the next result or the end. */
static bool is_at_end(struct span rest)
{
    return rest.len == 0 || char_is_in(*rest.at, " \t\r\n;(");
}

/* A pvalue; of one with a quoted local part "@" and what is behind it. */
static bool take_pvalue(struct span *rest, struct lexical_word *word)
{
    bool quoted = lexical_quoted_string(rest, word);
    struct span run;

    if ((!quoted || (rest->len > 0 && *rest->at == '@')) && take_run(rest, is_pvalue_char, &run))
        *word = (struct lexical_word){.raw = run};
    else if (!quoted)
        return false;
    return is_at_end(*rest);
}

/* --- One result -------------------------------------------------------------- */

/* The place of what a property says, where it names a domain. */
static char *place_of(struct resinfo *info, struct span ptype, struct span name)
{
    if (!span_is(ptype, "header"))
        return NULL;
    if (span_is(name, "d"))
        return info->d;
    if (span_is(name, "i"))
        return info->i;
    return span_is(name, "from") ? info->from : NULL;
}

static void note_domain(struct resinfo *info, char *place, const struct lexical_word *pvalue)
{
    char text[PVALUE_TEXT_SIZE], domain[RB_DOMAIN_MAX + 1];
    const char *at, *name = text;

    if (!lexical_text(pvalue, text, sizeof text)) {
        info->is_odd = true;
        return;
    }
    at = place != info->d ? strrchr(text, '@') : NULL;
    if (at != NULL)
        name = at + 1;
    if (address_domain(name, strlen(name), domain) != ADDRESS_OK ||
        (place[0] != '\0' && strcmp(place, domain) != 0))
        info->is_odd = true;
    else
        (void)text_copy(place, RB_DOMAIN_MAX + 1, domain);
}

/* A reason, or a property, whose first word has been taken. */
static bool take_property(struct span *rest, struct span ptype, struct resinfo *info)
{
    struct lexical_word value;
    struct span name;
    char *place;

    if (span_is(ptype, "reason") && take_sign(rest, '='))
        return take_value(rest, &value) && is_at_end(*rest);
    if (!take_sign(rest, '.') || !take_run(rest, is_keyword_char, &name) || !take_sign(rest, '=') ||
        !take_pvalue(rest, &value))
        return false;
    place = place_of(info, ptype, name);
    if (place != NULL)
        note_domain(info, place, &value);
    return true;
}

/* "=" and the result, behind a method; then what goes with it, up to the next ";". */
static bool take_result(struct span *rest, struct span method, struct resinfo *info)
{
    struct span result, ptype;
    bool is_ours = !take_sign(rest, '/') || take_version(rest); /* a version that is known */

    if (!take_sign(rest, '=') || !take_run(rest, is_keyword_char, &result) || !is_at_end(*rest))
        return false;
    info->is_dkim = is_ours && span_is(method, "dkim") && span_is(result, "pass");
    info->is_dmarc = is_ours && span_is(method, "dmarc") && span_is(result, "pass");
    while (lexical_skip_cfws(rest) && take_run(rest, is_keyword_char, &ptype))
        if (!take_property(rest, ptype, info))
            return false;
    return true;
}

/* --- What it comes to -------------------------------------------------------- */

static bool is_within(const char *domain, const char *above)
{
    size_t len = strlen(domain), above_len = strlen(above);

    return len >= above_len && strcmp(domain + len - above_len, above) == 0 &&
           (len == above_len || domain[len - above_len - 1] == '.');
}

/* The domain that a result vouches for; "": none. A DMARC result's is that of the author. */
static const char *vouched(const struct resinfo *info)
{
    if (info->is_odd)
        return "";
    if (info->is_dmarc)
        return info->from;
    if (!info->is_dkim ||
        (info->d[0] != '\0' && info->i[0] != '\0' && !is_within(info->i, info->d)))
        return "";
    return info->d[0] != '\0' ? info->d : info->i;
}

static void keep(struct auth_results *results, const char *domain, bool is_author)
{
    if (domain[0] == '\0' || results->count == AUTH_RESULTS_DOMAINS_MAX)
        return;
    for (size_t i = 0; i < results->count; i++)
        if (strcmp(results->domains[i], domain) == 0) {
            results->is_author[i] = results->is_author[i] && is_author;
            return;
        }
    results->is_author[results->count] = is_author;
    (void)text_copy(results->domains[results->count++], RB_DOMAIN_MAX + 1, domain);
}

/* One result, or nothing; *rest goes to the ";" behind it, or to the end. */
static bool take_resinfo(struct span *rest, struct auth_results *results)
{
    struct resinfo info = {0};
    struct span method;

    if (!lexical_skip_cfws(rest))
        return false;
    if (rest->len == 0)
        return true;
    if (!take_run(rest, is_keyword_char, &method) || !take_result(rest, method, &info))
        return false;
    keep(results, vouched(&info), info.is_dmarc);
    return true;
}

static bool take_authserv_id(struct span *rest, struct lexical_word *authserv_id)
{
    return lexical_skip_cfws(rest) && take_value(rest, authserv_id) && is_at_end(*rest) &&
           lexical_skip_cfws(rest);
}

bool auth_results_authserv_id(struct span value, struct lexical_word *authserv_id)
{
    return take_authserv_id(&value, authserv_id);
}

/* "no-result". */
static bool says_none(struct span rest)
{
    struct span word;

    return lexical_char(&rest, ';') && lexical_skip_cfws(&rest) &&
           take_run(&rest, is_keyword_char, &word) && span_is(word, "none") &&
           lexical_skip_cfws(&rest) && rest.len == 0;
}

bool auth_results_read(struct span value, struct auth_results *results)
{
    unsigned count = 0;
    bool fine;

    *results = (struct auth_results){0};
    fine = value.len <= AUTH_RESULTS_LEN_MAX && take_authserv_id(&value, &results->authserv_id) &&
           take_version(&value) && lexical_skip_cfws(&value);
    if (fine && says_none(value))
        return true;
    while (fine && value.len > 0)
        fine = lexical_char(&value, ';') && take_resinfo(&value, results) &&
               ++count <= AUTH_RESULTS_MAX;
    if (!fine)
        results->count = 0;
    return fine;
}
