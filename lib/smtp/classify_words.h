/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_words: a reply's text made fit for comparing. Pure.
 *
 * Words are lower case, in the letters of classify_letters; apostrophes are gone, all other
 * punctuation parts words. What a reply quotes is no part of what it says: addresses, names and
 * URLs are left out, an IP address becomes "ip", a host name "host", the name of a known DNS block
 * list "dnsbl", the null sender "<>".
 */
#ifndef RB_SMTP_CLASSIFY_WORDS_H
#define RB_SMTP_CLASSIFY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_OCTETS_MAX = 2048, /* of a reply that are looked at: no mailbox's refusal is longer */
    TOKENS_MAX = 256,
    CLAUSES_MAX = 64,
};

enum token_kind {
    TOKEN_WORD,
    TOKEN_CODE,       /* a word that is somebody's code: it has digits, or is all capitals joined */
    TOKEN_IP,         /* somebody's IP address; the word "ip" is a word */
    TOKEN_HOST,       /* somebody's name; the word "host" is a word */
    TOKEN_BLOCK_LIST, /* the name of a known one */
    TOKEN_NULL_SENDER,
    TOKEN_ASKED,   /* the address asked about, or what stands in its place */
    TOKEN_OURS,    /* our sender, or another address of its domain */
    TOKEN_ADDRESS, /* another address */
    TOKEN_NAME,    /* a quoted name */
};

/* One word or quotation. */
struct token {
    const char *text;
    enum token_kind kind;
    bool joined;      /* nothing but a blank or a hyphen between it and the token before */
    uint8_t clause;   /* which one it stands in: what is in brackets or quotes is one of its own */
    uint8_t sentence; /* which one */
    bool aside;       /* it stands in brackets or quotes */
    bool local;       /* a word that is the local part asked about */
};

/* What of ours, and of the question's, a reply quotes. */
enum {
    QUOTES_ASKED = 1 << 0,
    QUOTES_OURS = 1 << 1,   /* our sender's address */
    QUOTES_NAME = 1 << 2,   /* our EHLO name */
    QUOTES_DOMAIN = 1 << 3, /* our sender's domain */
    QUOTES_IP = 1 << 4,     /* our address */
};

struct classify_question;

struct words {
    char text[TEXT_OCTETS_MAX + TOKENS_MAX]; /* of the tokens, each terminated */
    struct token token[TOKENS_MAX];
    const char *word[TOKENS_MAX]; /* those of them that phrases are looked for in */
    uint64_t
        initials; /* the first letters of `word`, as a set: most phrases need not be looked for */
    size_t tokens, count;
    unsigned clauses;
    int quotes;
    bool cut; /* there was more text than is looked at */
};

/* Reads text; `about` says what of ours it may quote. */
void words_read(struct words *words, const struct classify_question *about, const char *text,
                size_t len);

/* The letter that a word begins with, as a set. */
static inline uint64_t words_initial(char c)
{
    return (uint64_t)1 << ((unsigned char)c & 63);
}

#endif
