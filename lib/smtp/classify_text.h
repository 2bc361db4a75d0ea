/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_text: a reply's text made fit for comparing, and the small pattern language of
 * classify's table. Pure.
 *
 * Words are lower case, in the letters of classify_letters; apostrophes are gone, all other
 * punctuation parts words. What a reply quotes is no part of what it says: addresses, names and URLs
 * are left out, an IP address becomes "ip", a host name "host", the name of a known DNS block list
 * "dnsbl", the null sender "<>".
 */
#ifndef RB_SMTP_CLASSIFY_TEXT_H
#define RB_SMTP_CLASSIFY_TEXT_H

#include "smtp/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_OCTETS_MAX = 2048, /* of a reply that are looked at: no mailbox's refusal is longer */
    TOKENS_MAX = 256,
    CLAUSES_MAX = 64,
    PHRASE_GAP_MAX = 6, /* words that "~" may stand for */
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

/*
 * True when one of the phrases ("user/mailbox unknown|unknown ~ recipient") stands in the words.
 * "a/b" is a or b, for one word; a word that ends in "*" matches what begins so; "~" stands for up
 * to PHRASE_GAP_MAX words; "^" for the beginning, "$" for the end.
 */
bool words_have(const struct words *words, const char *phrases);

/*
 * A reply within the text: "host mx said: 550 5.1.1 unknown", "550-Response: 550 no". True: *code,
 * enhanced ("" where it has none), and *at, where its text begins.
 */
bool reply_quotes_reply(const struct reply *reply, int *code, char enhanced[RB_ENHANCED_MAX + 1],
                        size_t *at);

/*
 * The enhanced code of a reply: its own, or one that stands in the text, as qmail writes it,
 * "(#5.1.1)", or Barracuda, "cuda_nsu 5.1.1". "" where there is none.
 */
void reply_enhanced(const struct reply *reply, char enhanced[RB_ENHANCED_MAX + 1]);

/* True when an enhanced code is one of "x.1.1|x.7.*"; x is any class. "" in the list stands for no
 * code. */
bool enhanced_is(const char *enhanced, const char *list);

/*
 * How long a reply asks us to wait: "in 300 seconds", "for 5 minutes", "back in 00:29:59", "(300
 * sec)". 0 where it does not say; a time of day, "within 4 hours" or a number alone is no wait.
 * Clamped to min_s..max_s.
 */
int reply_wait_s(const struct reply *reply, int min_s, int max_s);

#endif
