/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_words: reads a reply's text into tokens; see classify_words.h. What is no plain word is
 * found out first, then what parts the tokens.
 */
#include "config.h"

#include "smtp/classify_words.h"

#include "smtp/classify.h"
#include "smtp/classify_letters.h"
#include "smtp/span.h"

#include <string.h>

/* --- What a token is ------------------------------------------------------ */

/* Whether a name or an address stands in the span, and is not part of a longer one. */
static bool span_quotes(struct span span, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; len > 0 && i + len <= span.len; i++) {
        const char *end = span.at + i + len, *last = span.at + span.len;

        if (!span_begins(span_from(span, i), name))
            continue;
        if (i > 0 && (span_is_of_name(end[-(ptrdiff_t)len - 1]) || end[-(ptrdiff_t)len - 1] == '.'))
            continue;
        if (end == last || (*end != '.' && !span_is_of_name(*end)) ||
            (*end == '.' && (end + 1 == last || !span_is_of_name(end[1]))))
            return true;
    }
    return false;
}

/* IPv4 with any punctuation around, or IPv6: hex digits and at least two colons. */
static bool is_ip(struct span span)
{
    unsigned dots = 0, colons = 0, digits = 0;

    for (size_t i = 0; i < span.len; i++) {
        char c = char_lower(span.at[i]);

        dots += c == '.';
        colons += c == ':';
        digits += char_is_digit(c);
        if (!char_is_digit(c) && c != '.' && c != ':' && !(c >= 'a' && c <= 'f') && c != '/')
            return false;
    }
    return digits > 0 && (dots == 3 || colons >= 2) && span.len <= 45 + 4;
}

/* Labels joined by dots, all of one case, with a top level of two letters or more. */
static bool is_host(struct span span)
{
    size_t dot = 0;

    for (size_t i = 0; i < span.len; i++) {
        char c = span.at[i];

        if (c == '.' && i > 0 && i + 1 < span.len)
            dot = i;
        else if (!(char_is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_') &&
                 !(char_is_letter(c) && dot == 0))
            return false;
    }
    if (dot == 0 || span.len - dot - 1 < 2)
        return false;
    for (size_t i = dot + 1; i < span.len; i++)
        if (!char_is_letter(span.at[i]))
            return false;
    return true;
}

/* Names of DNS block lists and of those who keep them, as they stand in replies. */
static bool is_block_list(struct span span)
{
    static const char *const names[] = {
        "spamhaus",    "spamcop",    "sorbs",    "barracudacentral",
        "dnsbl",       "abuseat",    "surbl",    "uribl",
        "mailspike",   "psbl",       "spamrats", "uceprotect",
        "invaluement", "senderbase", "njabl",    "manitu",
        "senderscore", "rbl",        "fabel",    "backscatterer",
        "openspf",
    };

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        size_t len = strlen(names[n]);

        for (size_t i = 0; i + len <= span.len; i++) {
            bool label = (i == 0 || !char_is_letter(span.at[i - 1])) &&
                         (i + len == span.len || !char_is_letter(span.at[i + len]));

            if (label && span_begins(span_from(span, i), names[n]))
                return true;
        }
    }
    return false;
}

static bool is_url(struct span span)
{
    return span_begins(span, "http:") || span_begins(span, "https:") || span_begins(span, "www.");
}

/* --- Tokens --------------------------------------------------------------- */

enum {
    BRACKETS_MAX = 4,   /* within each other; what is deeper belongs to the last */
    ADDRESS_SIZE = 512, /* of an address, folded */
    CJK_OCTETS = 3,     /* of one character: each is a word */
    WORD_SIZE = 128,    /* of a word that is kept whole */
};

/* Where the reading stands. */
struct reader {
    struct words *words;
    const char *helo_name, *source_ip;                   /* "": not looked for */
    char asked[ADDRESS_SIZE], our_address[ADDRESS_SIZE]; /* folded as the text is */
    const char *our_domain;                              /* in our_address; "": not looked for */
    size_t used;                                         /* of words->text */
    uint8_t clause, sentence;
    uint8_t outer[BRACKETS_MAX]; /* the clauses that the open brackets stand in */
    char closing[BRACKETS_MAX];  /* what closes them */
    unsigned depth;
    bool apart; /* something parts the next token from the one before */
};

static void begin_clause(struct reader *reader)
{
    reader->apart = true;
    if (reader->words->clauses < CLAUSES_MAX)
        reader->clause = (uint8_t)reader->words->clauses++;
}

static void end_sentence(struct reader *reader)
{
    begin_clause(reader);
    reader->sentence = reader->clause;
}

static void open_bracket(struct reader *reader, char closing)
{
    if (reader->depth < BRACKETS_MAX) {
        reader->outer[reader->depth] = reader->clause;
        reader->closing[reader->depth++] = closing;
    }
    begin_clause(reader);
}

/* Back to the clause that the bracket interrupted. */
static void close_bracket(struct reader *reader, char closing)
{
    if (reader->depth == 0 || reader->closing[reader->depth - 1] != closing)
        return;
    reader->clause = reader->outer[--reader->depth];
    reader->apart = true;
}

static void quotation_mark(struct reader *reader)
{
    if (reader->depth > 0 && reader->closing[reader->depth - 1] == '"')
        close_bracket(reader, '"');
    else
        open_bracket(reader, '"');
}

/* What a mark between words parts. */
static void punctuate(struct reader *reader, char c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *bracket = strchr(opening, c);

    if (c == '.' || c == '!' || c == '?')
        end_sentence(reader);
    else if (c == ',' || c == ':' || c == ';')
        begin_clause(reader);
    else if (c == '"')
        quotation_mark(reader);
    else if (bracket != NULL)
        open_bracket(reader, closing[bracket - opening]);
    else if (strchr(closing, c) != NULL)
        close_bracket(reader, c);
    else if (c != '-' && c != '_' && c != '\'')
        reader->apart = true;
}

static void punctuate_all(struct reader *reader, const char *at, const char *end)
{
    for (; at < end; at++)
        punctuate(reader, *at);
}

static bool is_asked_local(const struct reader *reader, struct span word)
{
    const char *at = strrchr(reader->asked, '@');

    return at != NULL && word.len == (size_t)(at - reader->asked) &&
           text_same_letters(word.at, reader->asked, word.len);
}

/* Appends a token, which phrases are looked for in where it is `said`, not quoted. */
static void add(struct reader *reader, enum token_kind kind, struct span text, bool said)
{
    struct words *words = reader->words;
    char *copy = words->text + reader->used;

    if (words->tokens == TOKENS_MAX || reader->used + text.len + 1 > sizeof words->text) {
        words->cut = true;
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        copy[i] = char_lower(text.at[i]);
    copy[text.len] = '\0';
    reader->used += text.len + 1;
    words->token[words->tokens++] = (struct token){
        .text = copy,
        .kind = kind,
        .joined = !reader->apart,
        .clause = reader->clause,
        .sentence = reader->sentence,
        .aside = reader->depth > 0,
        .local = is_asked_local(reader, text),
    };
    if (said) {
        words->word[words->count++] = copy;
        words->initials |= words_initial(copy[0]);
    }
    reader->apart = false;
}

static void add_text(struct reader *reader, enum token_kind kind, const char *text)
{
    add(reader, kind, span_of(text), true);
}

/* "l'adresse", "n'existe", "dell'utente": two words. "doesn't", "user's" are one. */
static bool is_elision(struct span before, struct span behind)
{
    static const char *const prefixes[] = {"dell", "all", "nell", "sull", "quell", "qu"};

    if (behind.len < 3)
        return false;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (span_is(before, prefixes[i]))
            return true;
    return before.len == 1;
}

/* Letters, digits and what was folded to an unknown letter; what is over 127 now is CJK. */
static bool is_of_word(char c)
{
    return char_is_letter(c) || char_is_digit(c) || c == LETTER_UNKNOWN;
}

/* A word of letters and digits at the beginning, its apostrophes left out, in `word`. */
static struct span take_word(struct span *rest, char word[WORD_SIZE])
{
    size_t len = 0, i = 0;

    for (; i < rest->len; i++) {
        char c = rest->at[i];

        if (is_of_word(c) && len < WORD_SIZE)
            word[len++] = c;
        else if (c == '\'' || c == '`') {
            if (is_elision((struct span){word, len}, span_from(*rest, i + 1)))
                break;
        } else {
            break;
        }
    }
    *rest = span_from(*rest, i);
    return (struct span){word, len};
}

static bool has_digit(struct span span)
{
    for (size_t i = 0; i < span.len; i++)
        if (char_is_digit(span.at[i]))
            return true;
    return false;
}

/* "OFR204_418", "mta=mx1": the host's own codes. */
static bool is_code(struct span token)
{
    return has_digit(token) || span_has(token, '_') || span_has(token, '=');
}

/* A token that is none of the special ones: its words, and what parts them. */
static void add_plain(struct reader *reader, struct span token)
{
    enum token_kind kind = is_code(span_trim(token)) ? TOKEN_CODE : TOKEN_WORD;
    char word[WORD_SIZE];

    while (token.len > 0) {
        if ((unsigned char)token.at[0] >= 0x80 && token.len >= CJK_OCTETS) {
            add(reader, TOKEN_WORD, (struct span){token.at, CJK_OCTETS}, true);
            token = span_from(token, CJK_OCTETS);
        } else if (is_of_word(token.at[0])) {
            add(reader, kind, take_word(&token, word), true);
        } else {
            bool inside = token.len > 1 && is_of_word(token.at[1]);

            if (inside && (token.at[0] == '.' || token.at[0] == '!' || token.at[0] == '?'))
                reader->apart = true;
            else
                punctuate(reader, token.at[0]);
            token = span_from(token, 1);
        }
    }
}

/* "u... User unknown", as Sendmail says it: what is in front of the dots is quoted. */
static bool is_echo(struct span token)
{
    return token.len > 3 && memcmp(token.at + token.len - 3, "...", 3) == 0;
}

/* One word in double quotes is a name: "blocked"; more words in quotes are somebody's sentence. */
static bool is_name(struct span token, struct span bare)
{
    char first = token.at[0], last = token.at[token.len - 1];

    return token.len > 2 && bare.len > 0 &&
           ((first == '"' && last == '"') || (first == '<' && last == '>'));
}

static enum token_kind kind_of_address(struct reader *reader, struct span address)
{
    const char *at = memchr(address.at, '@', address.len);
    struct span domain = span_from(address, (size_t)(at - address.at) + 1);

    if (span_quotes(address, reader->asked)) {
        reader->words->quotes |= QUOTES_ASKED;
        return TOKEN_ASKED;
    }
    if (span_quotes(address, reader->our_address) ||
        (reader->our_domain[0] != '\0' && span_is(domain, reader->our_domain))) {
        reader->words->quotes |= QUOTES_OURS;
        return TOKEN_OURS;
    }
    return TOKEN_ADDRESS;
}

/* "u@d.example:blocked", "to:u@d.example": the address is quoted, what stands beside it is not. */
static void add_address(struct reader *reader, struct span bare)
{
    const char *at = memchr(bare.at, '@', bare.len), *begin = at;
    const char *colon = memchr(at, ':', (size_t)(bare.at + bare.len - at));
    struct span address;

    while (begin > bare.at && strchr(":<([", begin[-1]) == NULL)
        begin--;
    if (begin > bare.at)
        add_plain(reader, (struct span){bare.at, (size_t)(begin - bare.at)});
    address = span_from(bare, (size_t)(begin - bare.at));
    if (colon != NULL)
        address.len = (size_t)(colon - begin);
    add(reader, kind_of_address(reader, address), address, false);
    if (colon != NULL)
        add_plain(reader, span_from(bare, (size_t)(colon - bare.at)));
}

static void note_names(struct reader *reader, struct span token)
{
    if (span_quotes(token, reader->helo_name))
        reader->words->quotes |= QUOTES_NAME;
    if (span_quotes(token, reader->source_ip))
        reader->words->quotes |= QUOTES_IP;
}

/* What stands between the punctuation before and behind it. */
static void add_core(struct reader *reader, struct span bare)
{
    if (span_has(bare, '@')) {
        add_address(reader, bare);
        return;
    }
    note_names(reader, bare);
    if (reader->our_domain[0] != '\0' && span_is(bare, reader->our_domain))
        reader->words->quotes |= QUOTES_DOMAIN;
    if (is_ip(bare))
        add_text(reader, TOKEN_IP, "ip");
    else if (is_block_list(bare) && (span_has(bare, '.') || span_has(bare, ':') || bare.len <= 16))
        add_text(reader, TOKEN_BLOCK_LIST, "dnsbl");
    else if (is_host(bare))
        add_text(reader, TOKEN_HOST, "host");
    else
        add_plain(reader, bare);
}

/* Of a URL only counts whose it is: a block list's. */
static void add_url(struct reader *reader, struct span url)
{
    const char *slashes = memchr(url.at, '/', url.len);
    struct span host = url;

    if (slashes != NULL && slashes + 2 < url.at + url.len && slashes[1] == '/')
        host = span_from(url, (size_t)(slashes - url.at) + 2);
    for (size_t i = 0; i < host.len; i++)
        if (strchr("/?#:", host.at[i]) != NULL)
            host.len = i;
    if (is_block_list(host))
        add_text(reader, TOKEN_BLOCK_LIST, "dnsbl");
    else
        reader->apart = true;
}

/* A mark that stands alone: " - ", " -> ", " / ". */
static void add_mark(struct reader *reader, struct span token)
{
    if (strchr("-/|>", token.at[0]) != NULL || token.at[token.len - 1] == '>')
        begin_clause(reader);
    punctuate_all(reader, token.at, token.at + token.len);
}

static void add_token(struct reader *reader, struct span token, bool first)
{
    struct span bare = span_trim(token);
    bool address = span_has(bare, '@');

    if (token.len >= 2 && token.at[0] == '<' && token.at[1] == '>') {
        add_text(reader, TOKEN_NULL_SENDER, "<>");
        punctuate_all(reader, token.at + 2, token.at + token.len);
        return;
    }
    if (is_url(bare)) {
        add_url(reader, bare);
        return;
    }
    if (bare.len == 0 || !(is_of_word(bare.at[0]) || bare.at[0] & 0x80 || address)) {
        add_mark(reader, token);
        return;
    }
    if (!address && (is_name(token, bare) || (first && is_echo(token)))) {
        note_names(reader, bare);
        add(reader, first && is_echo(token) ? TOKEN_ASKED : TOKEN_NAME, bare, false);
        punctuate_all(reader, bare.at + bare.len, token.at + token.len);
        return;
    }
    punctuate_all(reader, token.at, bare.at);
    if (token.at[token.len - 1] == '=') /* "from=<u@d>": a name of the host's own */
        add(reader, TOKEN_CODE, bare, false);
    else
        add_core(reader, bare);
    punctuate_all(reader, bare.at + bare.len, token.at + token.len);
}

static void fold_address(char folded[ADDRESS_SIZE], const char *address)
{
    size_t read;

    (void)letters_fold(folded, ADDRESS_SIZE, address, strlen(address), &read);
}

static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');

    return at != NULL ? at + 1 : "";
}

/* What of ours is to be known again. What is the asked one's too tells nothing. */
static void know_ours(struct reader *reader, const struct classify_question *about)
{
    const char *asked_domain;

    fold_address(reader->asked, about->address);
    fold_address(reader->our_address, about->mail_from);
    asked_domain = domain_of(reader->asked);
    reader->our_domain = domain_of(reader->our_address);
    reader->helo_name = about->helo_name;
    reader->source_ip = about->source_ip;
    if (span_is(span_of(reader->our_domain), asked_domain))
        reader->our_domain = "";
    if (span_is(span_of(reader->helo_name), asked_domain))
        reader->helo_name = "";
}

void words_read(struct words *words, const struct classify_question *about, const char *text,
                size_t len)
{
    struct reader reader = {.words = words};
    char folded[TEXT_OCTETS_MAX];
    struct span rest, token;
    size_t read;

    words->tokens = words->count = 0;
    words->initials = 0;
    words->clauses = 1;
    words->quotes = 0;
    know_ours(&reader, about);
    rest = (struct span){folded, letters_fold(folded, sizeof folded, text, len, &read)};
    words->cut = read < len;
    for (bool first = true; (token = span_next_token(&rest)).len > 0; first = false)
        add_token(&reader, token, first);
}
