/* SPDX-License-Identifier: BSD-2-Clause */
/* lexical: see the header. */
#include "config.h"

#include "mail/lexical.h"

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A control character that is no white space. */
static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && !is_white(c)) || c == '\x7f';
}

static bool is_atext(char c)
{
    return char_is_letter(c) || char_is_digit(c) || char_is_8bit(c) ||
           char_is_in(c, "!#$%&'*+-/=?^_`{|}~");
}

static bool is_token_char(char c)
{
    return !is_white(c) && !is_control(c) && !char_is_8bit(c) &&
           !char_is_in(c, "()<>@,;:\\\"/[]?=");
}

/* --- White space and comments ---------------------------------------------- */

/* The octets of a comment, or of comments in one another; 0: no end, or too deep. */
static size_t comment_len(struct span text)
{
    unsigned depth = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\\')
            i++;
        else if (text.at[i] == '(' && ++depth > LEXICAL_DEPTH_MAX)
            return 0;
        else if (text.at[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

bool lexical_skip_cfws(struct span *rest)
{
    struct span text = *rest;

    while (text.len > 0 && (is_white(*text.at) || *text.at == '(')) {
        size_t len = *text.at == '(' ? comment_len(text) : 1;

        if (len == 0)
            return false;
        text = span_from(text, len);
    }
    *rest = text;
    return true;
}

/* --- Tokens ------------------------------------------------------------------ */

/* Takes the first `len` octets; those are the word. False: there are none. */
static bool take(struct span *rest, size_t len, struct lexical_word *word)
{
    if (len == 0)
        return false;
    *word = (struct lexical_word){.raw = {rest->at, len}};
    *rest = span_from(*rest, len);
    return true;
}

static size_t run_len(struct span text, bool (*is_of)(char c))
{
    size_t len = 0;

    while (len < text.len && is_of(text.at[len]))
        len++;
    return len;
}

bool lexical_char(struct span *rest, char c)
{
    if (rest->len == 0 || *rest->at != c)
        return false;
    *rest = span_from(*rest, 1);
    return true;
}

bool lexical_atom(struct span *rest, struct lexical_word *word)
{
    return take(rest, run_len(*rest, is_atext), word);
}

bool lexical_dot_atom(struct span *rest, struct lexical_word *word)
{
    size_t len = run_len(*rest, is_atext), more = len;

    while (more > 0 && len < rest->len && rest->at[len] == '.') {
        more = run_len(span_from(*rest, len + 1), is_atext);
        len += more > 0 ? 1 + more : 0;
    }
    return take(rest, len, word);
}

bool lexical_token(struct span *rest, struct lexical_word *word)
{
    return take(rest, run_len(*rest, is_token_char), word);
}

/* From the character that begins it to the first `end` that is no quoted pair's; 0: there is
 * none. */
static size_t enclosed_len(struct span text, char end)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.at[i] == '\\')
            i++;
        else if (text.at[i] == end)
            return i + 1;
    }
    return 0;
}

bool lexical_quoted_string(struct span *rest, struct lexical_word *word)
{
    size_t len = rest->len > 0 && *rest->at == '"' ? enclosed_len(*rest, '"') : 0;

    if (!take(rest, len, word))
        return false;
    *word = (struct lexical_word){.raw = {word->raw.at + 1, len - 2}, .quoted = true};
    return true;
}

bool lexical_word(struct span *rest, struct lexical_word *word)
{
    return lexical_quoted_string(rest, word) || lexical_atom(rest, word);
}

bool lexical_domain_literal(struct span *rest, struct lexical_word *word)
{
    size_t len = rest->len > 0 && *rest->at == '[' ? enclosed_len(*rest, ']') : 0;

    return take(rest, len, word);
}

/* --- What a word says -------------------------------------------------------- */

static struct span skip_line_ends(struct span raw)
{
    while (raw.len > 0 && (*raw.at == '\r' || *raw.at == '\n'))
        raw = span_from(raw, 1);
    return raw;
}

/* Its next character, which *raw goes behind; false: there is no more. */
static bool next_char(const struct lexical_word *word, struct span *raw, char *c)
{
    if (word->quoted)
        *raw = skip_line_ends(*raw);
    if (word->quoted && raw->len > 0 && *raw->at == '\\')
        *raw = skip_line_ends(span_from(*raw, 1));
    if (raw->len == 0)
        return false;
    *c = *raw->at;
    *raw = span_from(*raw, 1);
    return true;
}

bool lexical_text(const struct lexical_word *word, char *text, size_t size)
{
    struct span raw = word->raw;
    size_t len = 0;
    char c = '\0';

    text[0] = '\0';
    while (next_char(word, &raw, &c)) {
        if (c == '\0' || len + 1 >= size) {
            text[0] = '\0';
            return false;
        }
        text[len++] = c;
    }
    text[len] = '\0';
    return true;
}

bool lexical_is(const struct lexical_word *word, const char *text)
{
    struct span raw = word->raw;
    char c = '\0';

    while (next_char(word, &raw, &c))
        if (*text == '\0' || char_lower(c) != char_lower(*text++))
            return false;
    return *text == '\0';
}
