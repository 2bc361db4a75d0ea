/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_text: words, phrases, enhanced codes and waits in the text of replies; see
 * classify_text.h. Pure. */
#include "config.h"

#include "smtp/classify_text.h"

#include "smtp/classify.h"
#include "smtp/classify_letters.h"

#include <stdint.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* --- Spans ---------------------------------------------------------------- */

/* A stretch of text, not terminated. */
struct span {
    const char *at;
    size_t len;
};

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static struct span span_from(struct span span, size_t from)
{
    return (struct span){span.at + from, span.len - from};
}

static bool span_has(struct span span, char c)
{
    return memchr(span.at, c, span.len) != NULL;
}

/* Upper and lower case are the same. */
static bool same_letters(const char *one, const char *other, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower(one[i]) != lower(other[i]))
            return false;
    return true;
}

static bool span_begins(struct span span, const char *with)
{
    size_t len = strlen(with);

    return span.len >= len && same_letters(span.at, with, len);
}

static bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && span_begins(span, text);
}

static bool is_of_name(char c)
{
    return is_letter(c) || is_digit(c) || c == '-';
}

/* Whether a name or an address stands in the span, and is not part of a longer one. */
static bool span_quotes(struct span span, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; len > 0 && i + len <= span.len; i++) {
        const char *end = span.at + i + len, *last = span.at + span.len;

        if (!span_begins(span_from(span, i), name))
            continue;
        if (i > 0 && (is_of_name(end[-(ptrdiff_t)len - 1]) || end[-(ptrdiff_t)len - 1] == '.'))
            continue;
        if (end == last || (*end != '.' && !is_of_name(*end)) ||
            (*end == '.' && (end + 1 == last || !is_of_name(end[1]))))
            return true;
    }
    return false;
}

/* Without the punctuation around it. */
static struct span trim(struct span span)
{
    static const char around[] = "<>()[]{}\"'`.,;:!?*=";

    while (span.len > 0 && strchr(around, span.at[0]) != NULL) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && strchr(around, span.at[span.len - 1]) != NULL)
        span.len--;
    return span;
}

/* IPv4 with any punctuation around, or IPv6: hex digits and at least two colons. */
static bool is_ip(struct span span)
{
    unsigned dots = 0, colons = 0, digits = 0;

    for (size_t i = 0; i < span.len; i++) {
        char c = lower(span.at[i]);

        dots += c == '.';
        colons += c == ':';
        digits += is_digit(c);
        if (!is_digit(c) && c != '.' && c != ':' && !(c >= 'a' && c <= 'f') && c != '/')
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
        else if (!(is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_') &&
                 !(is_letter(c) && dot == 0))
            return false;
    }
    if (dot == 0 || span.len - dot - 1 < 2)
        return false;
    for (size_t i = dot + 1; i < span.len; i++)
        if (!is_letter(span.at[i]))
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
            bool label = (i == 0 || !is_letter(span.at[i - 1])) &&
                         (i + len == span.len || !is_letter(span.at[i + len]));

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

/* The next token: up to a blank; what stands in <> with an "@" is one token, blanks or not. */
static struct span next_token(struct span *rest)
{
    struct span token, inside;
    const char *close;

    while (rest->len > 0 && is_blank(rest->at[0]))
        *rest = span_from(*rest, 1);
    token = (struct span){rest->at, 0};
    while (token.len < rest->len && !is_blank(rest->at[token.len])) {
        if (rest->at[token.len] == '<' && token.len > 0)
            break; /* "TO:<u@d>": the address is a token of its own */
        token.len++;
        if (rest->at[token.len - 1] == '>')
            break;
    }
    close = token.len > 0 && token.at[0] == '<' ? memchr(rest->at, '>', rest->len) : NULL;
    if (close != NULL) {
        inside = (struct span){rest->at + 1, (size_t)(close - rest->at) - 1};
        if (span_has(inside, '@') && !span_has(inside, '<'))
            token.len = inside.len + 2;
    }
    *rest = span_from(*rest, token.len);
    return token;
}

/* --- Words ---------------------------------------------------------------- */

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

/* The letter that a word begins with, as a set. */
static uint64_t initial(char c)
{
    return (uint64_t)1 << ((unsigned char)c & 63);
}

static bool is_asked_local(const struct reader *reader, struct span word)
{
    const char *at = strrchr(reader->asked, '@');

    return at != NULL && word.len == (size_t)(at - reader->asked) &&
           same_letters(word.at, reader->asked, word.len);
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
        copy[i] = lower(text.at[i]);
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
        words->initials |= initial(copy[0]);
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
    return is_letter(c) || is_digit(c) || c == LETTER_UNKNOWN;
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
        if (is_digit(span.at[i]))
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
    enum token_kind kind = is_code(trim(token)) ? TOKEN_CODE : TOKEN_WORD;
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
    struct span bare = trim(token);
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
    for (bool first = true; (token = next_token(&rest)).len > 0; first = false)
        add_token(&reader, token, first);
}

/* --- Phrases -------------------------------------------------------------- */

static bool word_is(const char *word, struct span pattern)
{
    bool prefix = pattern.len > 1 && pattern.at[pattern.len - 1] == '*';
    size_t len = pattern.len - prefix;

    return strncmp(word, pattern.at, len) == 0 && (prefix || word[len] == '\0');
}

/* One of the alternatives. */
static bool word_matches(const char *word, struct span pattern)
{
    while (pattern.len > 0) {
        const char *slash = memchr(pattern.at, '/', pattern.len);
        size_t len = slash != NULL ? (size_t)(slash - pattern.at) : pattern.len;

        if (word_is(word, (struct span){pattern.at, len}))
            return true;
        len += slash != NULL;
        pattern.at += len;
        pattern.len -= len;
    }
    return false;
}

static struct span next_pattern(struct span *phrase)
{
    struct span word = {phrase->at, 0};

    while (word.len < phrase->len && phrase->at[word.len] != ' ')
        word.len++;
    phrase->at += word.len;
    phrase->len -= word.len;
    if (phrase->len > 0) {
        phrase->at++;
        phrase->len--;
    }
    return word;
}

/* Whether the phrase stands at word i. Each "~" tries all its lengths: phrases are ours, and short.
 */
static bool phrase_at(const struct words *words, size_t i, struct span phrase)
{
    while (phrase.len > 0) {
        struct span pattern = next_pattern(&phrase);

        if (pattern.len == 1 && pattern.at[0] == '~') {
            for (size_t gap = 0; gap <= PHRASE_GAP_MAX && i + gap <= words->count; gap++)
                if (phrase_at(words, i + gap, phrase))
                    return true;
            return false;
        }
        if (pattern.len == 1 && pattern.at[0] == '^') {
            if (i != 0)
                return false;
        } else if (pattern.len == 1 && pattern.at[0] == '$') {
            if (i != words->count)
                return false;
        } else if (i >= words->count || !word_matches(words->word[i++], pattern)) {
            return false;
        }
    }
    return true;
}

/* Whether there is a word that the phrase could begin with. */
static bool may_begin(const struct words *words, struct span phrase)
{
    for (size_t i = 0; i < phrase.len && phrase.at[i] != ' '; i++)
        if ((i == 0 || phrase.at[i - 1] == '/') && (words->initials & initial(phrase.at[i])) != 0)
            return true;
    return phrase.at[0] == '^' || phrase.at[0] == '~';
}

bool words_have(const struct words *words, const char *phrases)
{
    while (*phrases != '\0') {
        size_t len = strcspn(phrases, "|");
        bool likely = may_begin(words, (struct span){phrases, len});

        for (size_t i = 0; likely && i <= words->count; i++)
            if (phrase_at(words, i, (struct span){phrases, len}))
                return true;
        phrases += len;
        phrases += *phrases == '|';
    }
    return false;
}

/* --- Enhanced codes ------------------------------------------------------- */

/* "5.1.1" at text: its length, 0 when there is none. */
static size_t enhanced_len(const char *text)
{
    size_t len = 0;

    if ((text[0] != '4' && text[0] != '5') || text[1] != '.')
        return 0;
    for (unsigned part = 0; part < 2; part++) {
        size_t digits = 0;

        len++; /* the class, then the subject */
        if (text[len] != '.')
            return 0;
        while (is_digit(text[len + 1 + digits]) && digits < 3)
            digits++;
        if (digits == 0)
            return 0;
        len += digits;
    }
    len++;
    return is_digit(text[len]) || text[len] == '.' ? 0 : len;
}

/* "550 5.1.1" within the text is somebody else's, who is quoted. */
static bool is_behind_code(const char *text, size_t at)
{
    return at >= 4 && is_digit(text[at - 2]) && is_digit(text[at - 3]) && is_digit(text[at - 4]) &&
           (at == 4 || !is_of_name(text[at - 5]));
}

void reply_enhanced(const struct reply *reply, char enhanced[RB_ENHANCED_MAX + 1])
{
    const char *text = reply->text;

    memcpy(enhanced, reply->enhanced, RB_ENHANCED_MAX + 1);
    if (enhanced[0] != '\0')
        return;
    for (size_t i = 1; i < reply->text_len; i++) {
        size_t len = enhanced_len(text + i);

        if (len == 0 || len > RB_ENHANCED_MAX || text[i] - '0' != reply_class(reply) ||
            (strchr("#(", text[i - 1]) == NULL && !is_blank(text[i - 1])) ||
            is_behind_code(text, i))
            continue;
        memcpy(enhanced, text + i, len);
        enhanced[len] = '\0';
        return;
    }
}

/* What may stand in front of a reply within the text. */
static bool introduces(const char *text, size_t at)
{
    while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t'))
        at--;
    return at == 0 || strchr("\n:;(\"'>-", text[at - 1]) != NULL;
}

bool reply_quotes_reply(const struct reply *reply, int *code, char enhanced[RB_ENHANCED_MAX + 1],
                        size_t *at)
{
    const char *text = reply->text;

    for (size_t i = 0; i + 3 < reply->text_len && i < TEXT_OCTETS_MAX; i++) {
        size_t len;

        if ((text[i] != '4' && text[i] != '5') || !is_digit(text[i + 1]) ||
            !is_digit(text[i + 2]) || (text[i + 3] != ' ' && text[i + 3] != '-') ||
            (i > 0 && (is_of_name(text[i - 1]) || text[i - 1] == '.')) || !introduces(text, i))
            continue;
        *code = (text[i] - '0') * 100 + (text[i + 1] - '0') * 10 + (text[i + 2] - '0');
        *at = i + 4 + strspn(text + i + 4, " #\"");
        len = enhanced_len(text + *at);
        if (len > RB_ENHANCED_MAX || text[*at] != text[i])
            len = 0;
        memcpy(enhanced, text + *at, len);
        enhanced[len] = '\0';
        *at += len;
        return true;
    }
    return false;
}

bool enhanced_is(const char *enhanced, const char *list)
{
    const char *tail = enhanced[0] != '\0' ? enhanced + 1 : ""; /* ".1.1" */

    for (;;) {
        size_t len = strcspn(list, "|");
        struct span pattern = {list, len};

        if (len == 0 ? enhanced[0] == '\0'
                     : enhanced[0] != '\0' &&
                           word_is(tail, (struct span){pattern.at + 1, pattern.len - 1}))
            return true;
        if (list[len] == '\0')
            return false;
        list += len + 1;
    }
}

/* --- Waits ---------------------------------------------------------------- */

/* Seconds in a unit's name; 0: not a unit. */
static int unit_s(struct span unit)
{
    static const struct {
        const char *name;
        int seconds;
    } units[] = {
        {"s", 1},       {"sec", 1},      {"secs", 1},   {"second", 1},  {"seconds", 1},
        {"m", 60},      {"min", 60},     {"mins", 60},  {"minute", 60}, {"minutes", 60},
        {"h", 3600},    {"hr", 3600},    {"hrs", 3600}, {"hour", 3600}, {"hours", 3600},
        {"day", 86400}, {"days", 86400},
    };

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (span_is(unit, units[i].name))
            return units[i].seconds;
    return 0;
}

/* Words in front of a length of time that make it a wait. */
static bool leads_to_wait(struct span word)
{
    static const char *const leads[] = {
        "in",    "after",         "for",   "wait",  "another", "least",
        "about", "approximately", "again", "delay", "back",    "next",
    };

    if (span_begins(word, "greylist") || span_begins(word, "graylist"))
        return true;
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (span_is(word, leads[i]))
            return true;
    return false;
}

/* Digits at the beginning; a number too large to be a wait stays at its ceiling. */
static size_t read_number(struct span span, int64_t *number)
{
    size_t len = 0;

    *number = 0;
    for (; len < span.len && is_digit(span.at[len]); len++)
        if (*number < 10000000)
            *number = *number * 10 + (span.at[len] - '0');
    return len;
}

/* "00:29:59". -1: it is not. */
static int64_t read_clock(struct span span)
{
    int64_t total = 0, part;
    unsigned parts = 0;

    while (span.len > 0 && parts < 3) {
        size_t len = read_number(span, &part);

        if (len == 0 || len > 2 || (parts > 0 && part > 59))
            return -1;
        total = total * 60 + part;
        parts++;
        span.at += len;
        span.len -= len;
        if (span.len > 0 && parts < 3 && *span.at != ':')
            return -1;
        if (span.len > 0 && parts < 3) {
            span.at++;
            span.len--;
        }
    }
    return parts == 3 && span.len == 0 ? total : -1;
}

/*
 * One part of a length of time, "4 minutes" or "60s", in front of `rest`, which goes behind it. The
 * number, and its unit in seconds; false: there is none.
 */
static bool read_part(struct span *rest, int64_t *number, int *seconds)
{
    struct span token = trim(next_token(rest)), unit;
    size_t digits = read_number(token, number);

    unit = (struct span){token.at + digits, token.len - digits};
    if (digits > 0 && unit.len == 0)
        unit = trim(next_token(rest));
    *seconds = digits > 0 ? unit_s(unit) : 0;
    return *seconds > 0;
}

/*
 * A length of time at the beginning: "00:29:59", "300 seconds", "4 minutes and 30 seconds". -1:
 * there is none.
 */
static int64_t read_length(struct span rest)
{
    struct span ahead = rest, behind;
    int64_t number, total = read_clock(trim(next_token(&ahead)));
    int seconds, larger = INT32_MAX;

    if (total >= 0)
        return total;
    /* Each unit is smaller than the one before: days, hours, minutes, seconds. */
    for (; read_part(&rest, &number, &seconds) && seconds < larger; larger = seconds) {
        total = (total < 0 ? 0 : total) + number * seconds;
        behind = rest;
        if (span_is(trim(next_token(&behind)), "and"))
            rest = behind;
    }
    return total;
}

int reply_wait_s(const struct reply *reply, int min_s, int max_s)
{
    struct span rest = {reply->text, reply->text_len}, before = {"", 0}, raw;
    int64_t wait_s;

    if (rest.len > TEXT_OCTETS_MAX)
        rest.len = TEXT_OCTETS_MAX;
    while (rest.len > 0) {
        wait_s = read_length(rest);
        raw = next_token(&rest);
        if (raw.len > 0 && wait_s >= 0 && (leads_to_wait(before) || raw.at[0] == '('))
            return (int)(wait_s < min_s ? min_s : wait_s > max_s ? max_s : wait_s);
        before = trim(raw);
    }
    return 0;
}
