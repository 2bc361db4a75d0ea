/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lexer: cuts a scenario file into statements of words and quoted strings. It knows no directive.
 *
 *   statement = *token end         end = newline / ";" / "{" / "}" (which is left for the next)
 *   token     = word / DQUOTE *(octet / escape) DQUOTE
 *   escape    = "\" ( DQUOTE / "\" / "r" / "n" / "t" / "0" / "x" 2HEXDIG )
 *   "#" where a token may begin starts a comment that ends with its line
 */
#ifndef SMTPD_LEXER_H
#define SMTPD_LEXER_H

#include "scenario.h"

#define STATEMENT_TOKENS_MAX 64
#define TOKEN_SIZE_MAX 8192

struct token {
    const char *text; /* also NUL-terminated */
    size_t len;
    bool quoted;
};

struct statement {
    struct token tokens[STATEMENT_TOKENS_MAX];
    size_t count;
    size_t at; /* the next that is not looked at yet */
    unsigned line;
    char end; /* ';', '{', '}', or 0: end of file */
};

struct lexer {
    struct scenario *scn; /* owns the tokens */
    const char *at;
    const char *end;
    unsigned line;
    const char *error; /* what is wrong at line; NULL: nothing */
};

/* The next statement that is not empty, or one that only has an end; false: see error. */
bool lexer_next(struct lexer *lx, struct statement *st);

#endif
