/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lexer: see lexer.h.
 */
#include "config.h"

#include "lexer.h"

#include <string.h>

static bool fail(struct lexer *lx, const char *what)
{
    lx->error = what;
    return false;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* lx->at stands behind the backslash. */
static bool read_escape(struct lexer *lx, char *out)
{
    if (lx->at == lx->end)
        return fail(lx, "a string has no end");
    char c = *lx->at++;
    switch (c) {
    case '"':
    case '\\':
        *out = c;
        return true;
    case 'r':
        *out = '\r';
        return true;
    case 'n':
        *out = '\n';
        return true;
    case 't':
        *out = '\t';
        return true;
    case '0':
        *out = '\0';
        return true;
    case 'x': {
        int high = lx->end - lx->at >= 2 ? hex_value(lx->at[0]) : -1;
        int low = high >= 0 ? hex_value(lx->at[1]) : -1;
        if (low < 0)
            return fail(lx, "\\x wants two hexadecimal digits");
        lx->at += 2;
        *out = (char)(high * 16 + low);
        return true;
    }
    default:
        return fail(lx, "unknown escape; known: \\\" \\\\ \\r \\n \\t \\0 \\xHH");
    }
}

static bool keep(struct lexer *lx, const char *text, size_t len, bool quoted, struct token *token)
{
    char *copy = scenario_alloc(lx->scn, len + 1);
    if (copy == NULL)
        return fail(lx, "out of memory");
    if (len > 0)
        memcpy(copy, text, len);
    *token = (struct token){.text = copy, .len = len, .quoted = quoted};
    return true;
}

static bool read_quoted(struct lexer *lx, struct token *token)
{
    char text[TOKEN_SIZE_MAX];
    size_t len = 0;
    for (lx->at++; lx->at < lx->end && *lx->at != '"';) {
        char c = *lx->at++;
        if (c == '\n')
            return fail(lx, "a string has no end");
        if (c == '\\' && !read_escape(lx, &c))
            return false;
        if (len == sizeof text)
            return fail(lx, "a string is too long");
        text[len++] = c;
    }
    if (lx->at == lx->end)
        return fail(lx, "a string has no end");
    lx->at++;
    return keep(lx, text, len, true, token);
}

static bool read_word(struct lexer *lx, struct token *token)
{
    const char *start = lx->at;
    while (lx->at < lx->end && *lx->at != '\0' && strchr(" \t\r\n\"{};", *lx->at) == NULL)
        lx->at++;
    if (lx->at == start)
        return fail(lx, "a NUL octet");
    if (lx->at - start > TOKEN_SIZE_MAX)
        return fail(lx, "a word is too long");
    return keep(lx, start, (size_t)(lx->at - start), false, token);
}

static void skip_blanks(struct lexer *lx)
{
    while (lx->at < lx->end && strchr(" \t\r", *lx->at) != NULL && *lx->at != '\0')
        lx->at++;
    if (lx->at < lx->end && *lx->at == '#')
        while (lx->at < lx->end && *lx->at != '\n')
            lx->at++;
}

/* Takes the end of a statement, if one stands here. */
static bool take_end(struct lexer *lx, struct statement *st)
{
    if (lx->at == lx->end) {
        st->end = '\0';
        return true;
    }
    char c = *lx->at;
    if (c == '\n' || c == ';')
        st->end = ';';
    else if (c == '{' || c == '}')
        st->end = c;
    else
        return false;
    if (c == '}' && st->count > 0) /* it is a statement of its own */
        st->end = ';';
    else
        lx->at++;
    if (c == '\n')
        lx->line++;
    return true;
}

bool lexer_next(struct lexer *lx, struct statement *st)
{
    do {
        *st = (struct statement){.line = lx->line};
        for (skip_blanks(lx); !take_end(lx, st); skip_blanks(lx)) {
            if (st->count == STATEMENT_TOKENS_MAX)
                return fail(lx, "too many words in a line");
            struct token *token = &st->tokens[st->count];
            if (!(*lx->at == '"' ? read_quoted(lx, token) : read_word(lx, token)))
                return false;
            st->count++;
        }
    } while (st->count == 0 && st->end == ';');
    return true;
}
