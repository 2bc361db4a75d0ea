/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailbox: see the header. It must not guess: of two addresses in one element, or of one that is
 * broken, nobody knows which one a reader of the message would write to.
 *
 *   list    = *( element / "," / ";" )
 *   element = [ phrase ] "<" [ route ":" ] addr-spec ">" / addr-spec / phrase ":"
 *   route   = "@" *( token / "," )
 *
 * The phrase of a display name or of a group may be of any tokens: what people write there
 * unquoted ("[List] Jo @ Work") hides the mailbox behind it from nobody.
 */
#include "config.h"

#include "mail/mailbox.h"

#include "mail/lexical.h"

/* Octets of an addr-spec as it came, a local part with each octet quoted and a domain in UTF-8
 * included; what is longer is longer than an address may be. */
enum { SPEC_MAX = 2048 };

/* What was read last of an addr-spec. */
enum token { TOKEN_NONE = 0, TOKEN_WORD, TOKEN_DOT, TOKEN_AT };

struct reader {
    struct span rest;
    bool is_doubtful; /* a list, a group, a route or an odd character: others may read no mailbox */
    bool bracketed, closed; /* within brackets; behind those of this element */
    /* what may be an addr-spec: the tokens since the element, or its brackets, began */
    char spec[SPEC_MAX];
    size_t len;
    enum token last;
    bool has_at, odd; /* odd: it is no addr-spec */
};

static void begin_spec(struct reader *in, bool bracketed)
{
    in->bracketed = bracketed;
    in->closed = in->has_at = in->odd = false;
    in->len = 0;
    in->last = TOKEN_NONE;
}

static void append(struct reader *in, char c)
{
    if (in->len == SPEC_MAX)
        in->odd = true;
    else
        in->spec[in->len++] = c;
}

/* --- Tokens ------------------------------------------------------------------ */

/* A word or a domain literal; a quoted string with its quotes, but unfolded. */
static void add_word(struct reader *in, const struct lexical_word *word)
{
    if (in->last == TOKEN_WORD)
        in->odd = true;
    in->last = TOKEN_WORD;
    if (word->quoted)
        append(in, '"');
    for (size_t i = 0; i < word->raw.len; i++)
        if (word->raw.at[i] != '\r' && word->raw.at[i] != '\n')
            append(in, word->raw.at[i]);
    if (word->quoted)
        append(in, '"');
}

static void add_char(struct reader *in, enum token token)
{
    if (token == TOKEN_AT && in->has_at)
        in->odd = true;
    if (token == TOKEN_AT)
        in->has_at = true;
    in->last = token;
    append(in, *in->rest.at);
    in->rest = span_from(in->rest, 1);
}

static void skip_odd(struct reader *in)
{
    in->odd = in->is_doubtful = true;
    in->rest = span_from(in->rest, 1);
}

/* One token that is no delimiter. False: it has no end. */
static bool read_token(struct reader *in)
{
    const char c = *in->rest.at;
    const bool literal = c == '[' && in->last == TOKEN_AT && !in->odd;
    struct lexical_word word;

    if (in->closed)
        in->odd = true;
    if (literal ? lexical_domain_literal(&in->rest, &word) : lexical_word(&in->rest, &word))
        add_word(in, &word);
    else if (literal || c == '"')
        return false;
    else if (c == '.')
        add_char(in, TOKEN_DOT);
    else if (c == '@')
        add_char(in, TOKEN_AT);
    else
        skip_odd(in);
    return true;
}

/* --- Delimiters -------------------------------------------------------------- */

enum step { STEP_ON = 0, STEP_FOUND, STEP_LOST };

/* "Sales @ Acme", of which nobody knows that it is no name: "Sales @ Acme, Inc. <...>". */
static bool has_one_label(const struct reader *in)
{
    size_t at = in->len;

    while (at > 0 && in->spec[at - 1] != '@' && !char_is_in(in->spec[at - 1], ".["))
        at--;
    return at > 0 && in->spec[at - 1] == '@';
}

static enum step end_element(struct reader *in, char c)
{
    if (c == ',' && !in->closed && has_one_label(in))
        return STEP_LOST;
    if (in->has_at || in->bracketed)
        return in->odd || in->bracketed ? STEP_LOST : STEP_FOUND;
    begin_spec(in, false);
    return STEP_ON;
}

static bool is_route(const struct reader *in)
{
    return in->bracketed && in->len > 0 && in->spec[0] == '@';
}

/* Behind a route, or the name of a group, something else begins. */
static enum step colon(struct reader *in)
{
    if (in->bracketed ? !is_route(in) : in->has_at)
        return STEP_LOST;
    begin_spec(in, in->bracketed);
    return STEP_ON;
}

static enum step open_bracket(struct reader *in)
{
    if (in->bracketed || in->closed)
        return STEP_LOST;
    begin_spec(in, true);
    return STEP_ON;
}

static enum step close_bracket(struct reader *in)
{
    if (!in->bracketed || !in->has_at)
        return STEP_LOST;
    in->bracketed = false;
    in->closed = true;
    return STEP_ON;
}

static enum step delimiter(struct reader *in, char c)
{
    in->rest = span_from(in->rest, 1);
    in->is_doubtful = in->is_doubtful || (c != '<' && c != '>');
    switch (c) {
    case '<':
        return open_bracket(in);
    case '>':
        return close_bracket(in);
    case ':':
        return colon(in);
    default:
        return is_route(in) ? STEP_ON : end_element(in, c);
    }
}

/* False: there is none. */
static bool find_spec(struct reader *in)
{
    enum step step = STEP_ON;

    while (step == STEP_ON && lexical_skip_cfws(&in->rest)) {
        if (in->rest.len == 0)
            return end_element(in, '\0') == STEP_FOUND;
        if (char_is_in(*in->rest.at, "<>,:;"))
            step = delimiter(in, *in->rest.at);
        else if (!read_token(in))
            step = STEP_LOST;
    }
    return step == STEP_FOUND;
}

static bool take_first(struct reader *in, struct address *address)
{
    *address = (struct address){0};
    return find_spec(in) && address_parse(in->spec, in->len, true, address) == ADDRESS_OK;
}

bool mailbox_first(const char *value, size_t len, struct address *address)
{
    struct reader in = {.rest = {value, len}};

    return take_first(&in, address);
}

bool mailbox_only(const char *value, size_t len, struct address *address)
{
    struct reader in = {.rest = {value, len}};

    return take_first(&in, address) && !in.is_doubtful;
}
