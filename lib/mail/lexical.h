/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lexical: the tokens that structured header fields are made of (RFC 5322 3.2, with the octets of
 * UTF-8 that RFC 6532 3.2 adds; RFC 2045 5.1). Pure. Any thread. Input is hostile: each function
 * reads an octet once, and none calls itself.
 *
 * Each takes a token from the beginning of *rest and puts *rest behind it. False, and *rest stays:
 * there is none. White space and comments before a token are the caller's to skip. CR and LF count
 * as white space wherever they stand: a field is read as it came, folded or not.
 */
#ifndef RB_MAIL_LEXICAL_H
#define RB_MAIL_LEXICAL_H

#include "base/span.h"

enum { LEXICAL_DEPTH_MAX = 20 /* comments in comments; no honest field has more */ };

/* What may stand bare or in quotes. */
struct lexical_word {
    struct span raw; /* not ours; of what is quoted, what stands between the quotes */
    bool quoted;     /* raw may hold quoted pairs and folded lines */
};

/* CFWS (RFC 5322 3.2.2), which may be empty. False: a comment without an end, or comments nested
 * more than LEXICAL_DEPTH_MAX deep. */
bool lexical_skip_cfws(struct span *rest);

/* This one character. */
bool lexical_char(struct span *rest, char c);

/* Octets of an atom (atext, RFC 5322 3.2.3), at least one. */
bool lexical_atom(struct span *rest, struct lexical_word *word);

/* Atoms with one dot between each two; a dot at their end is not taken. */
bool lexical_dot_atom(struct span *rest, struct lexical_word *word);

/* A token of MIME (RFC 2045 5.1), at least one octet. */
bool lexical_token(struct span *rest, struct lexical_word *word);

/* RFC 5322 3.2.4. False also: it has no end. */
bool lexical_quoted_string(struct span *rest, struct lexical_word *word);

/* An atom or a quoted string: a word of RFC 5322 3.2.5. */
bool lexical_word(struct span *rest, struct lexical_word *word);

/* "[…]" (RFC 5322 3.4.1), brackets and all, as raw. False also: it has no end. */
bool lexical_domain_literal(struct span *rest, struct lexical_word *word);

/* Copies what a word says: without the backslashes of quoted pairs, and without CR and LF, of which
 * a fold has one or both. False, and text is "": it does not fit, or holds a NUL. */
bool lexical_text(const struct lexical_word *word, char *text, size_t size);

/* Whether a word says this; upper and lower case of ASCII letters are the same. */
bool lexical_is(const struct lexical_word *word, const char *text);

#endif
