/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_text: words, phrases, enhanced codes and waits in the text of replies; see
 * classify_text.h. Pure. */
#include "config.h"

#include "classify_text.h"

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

/* --- Words ---------------------------------------------------------------- */

/* A stretch of text, not terminated. */
struct span {
    const char *at;
    size_t len;
};

static bool span_has(struct span span, char c)
{
    return memchr(span.at, c, span.len) != NULL;
}

static bool span_begins(struct span span, const char *with)
{
    size_t len = strlen(with);

    if (span.len < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (lower(span.at[i]) != with[i])
            return false;
    return true;
}

static bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && span_begins(span, text);
}

/* Without the punctuation around it. */
static struct span trim(struct span span)
{
    static const char around[] = "<>()[]{}\"'`.,;:!?*";

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
    };

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        size_t len = strlen(names[n]);

        for (size_t i = 0; i + len <= span.len; i++) {
            struct span rest = {span.at + i, span.len - i};
            bool label = (i == 0 || !is_letter(span.at[i - 1])) &&
                         (i + len == span.len || !is_letter(span.at[i + len]));

            if (label && span_begins(rest, names[n]))
                return true;
        }
    }
    return false;
}

/* Appends one word. */
static void add_word(struct words *words, size_t *used, struct span span)
{
    if (words->count == PHRASE_WORDS_MAX || *used + span.len + 1 > sizeof words->text)
        return;
    words->word[words->count++] = words->text + *used;
    for (size_t i = 0; i < span.len; i++)
        words->text[(*used)++] = lower(span.at[i]);
    words->text[(*used)++] = '\0';
}

static void add_text(struct words *words, size_t *used, const char *text)
{
    add_word(words, used, (struct span){text, strlen(text)});
}

/* A token that is none of the special ones: letters and digits make words, apostrophes vanish, the
 * rest parts. */
static void add_plain(struct words *words, size_t *used, struct span span)
{
    char word[128];
    size_t len = 0;

    for (size_t i = 0; i <= span.len; i++) {
        char c = (char)(i < span.len ? span.at[i] : ' ');

        if (c == '\'' || c == '`' || (unsigned char)c >= 0x80)
            continue;
        if ((is_letter(c) || is_digit(c)) && len < sizeof word) {
            word[len++] = c;
        } else if (len > 0) {
            add_word(words, used, (struct span){word, len});
            len = 0;
        }
    }
}

/* "Sendmail says <u@d>... User unknown", or only "u... User unknown": what is in front of the dots
 * is quoted. */
static bool is_echo(struct span token)
{
    return token.len > 3 && memcmp(token.at + token.len - 3, "...", 3) == 0 &&
           !is_blank(token.at[0]);
}

/* A word in double quotes is a name: "blocked". More words in quotes are somebody's sentence. */
static bool is_quoted_name(struct span token)
{
    return token.len > 2 && token.at[0] == '"' && token.at[token.len - 1] == '"';
}

/* "u@d.example:blocked": the address is left out, what is said of it is not. */
static void add_behind_address(struct words *words, size_t *used, struct span token)
{
    const char *at = memchr(token.at, '@', token.len);
    size_t behind = token.len - (size_t)(at - token.at);
    const char *colon = memchr(at, ':', behind);

    if (colon != NULL)
        add_plain(words, used, (struct span){colon, behind - (size_t)(colon - at)});
}

static void add_token(struct words *words, size_t *used, struct span token, bool first)
{
    struct span bare = trim(token);

    if (token.len >= 2 && token.at[0] == '<' && token.at[1] == '>')
        add_text(words, used, "<>");
    else if (span_has(bare, '@'))
        add_behind_address(words, used, bare);
    else if (span_begins(bare, "http:") || span_begins(bare, "https:") ||
             span_begins(bare, "www.") || is_quoted_name(token) || (first && is_echo(token)))
        return;
    else if (is_ip(bare))
        add_text(words, used, "ip");
    else if (is_block_list(bare) && (span_has(bare, '.') || span_has(bare, ':') || bare.len <= 16))
        add_text(words, used, "dnsbl");
    else if (is_host(bare))
        add_text(words, used, "host");
    else
        add_plain(words, used, token);
}

/* The next token: up to a blank; what stands in <> with an "@" is one token, blanks or not. */
static struct span next_token(struct span *rest)
{
    struct span token;
    const char *close;

    while (rest->len > 0 && is_blank(rest->at[0])) {
        rest->at++;
        rest->len--;
    }
    token = (struct span){rest->at, 0};
    while (token.len < rest->len && !is_blank(rest->at[token.len])) {
        if (rest->at[token.len] == '<' && token.len > 0)
            break; /* "TO:<u@d>": the address is a token of its own */
        token.len++;
        if (rest->at[token.len - 1] == '>')
            break;
    }
    close = token.len > 0 && token.at[0] == '<' ? memchr(rest->at, '>', rest->len) : NULL;
    if (close != NULL && span_has((struct span){rest->at, (size_t)(close - rest->at)}, '@'))
        token.len = (size_t)(close - rest->at) + 1;
    rest->at += token.len;
    rest->len -= token.len;
    return token;
}

void words_read(struct words *words, const struct reply *reply)
{
    struct span rest = {reply->text, reply->text_len}, token;
    size_t used = 0;

    words->count = 0;
    if (rest.len > PHRASE_OCTETS_MAX)
        rest.len = PHRASE_OCTETS_MAX;
    for (bool first = true; (token = next_token(&rest)).len > 0; first = false)
        add_token(words, &used, token, first);
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

bool words_have(const struct words *words, const char *phrases)
{
    while (*phrases != '\0') {
        size_t len = strcspn(phrases, "|");

        for (size_t i = 0; i <= words->count; i++)
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

void reply_enhanced(const struct reply *reply, char enhanced[RB_ENHANCED_MAX + 1])
{
    memcpy(enhanced, reply->enhanced, RB_ENHANCED_MAX + 1);
    if (enhanced[0] != '\0')
        return;
    for (const char *mark = strpbrk(reply->text, "#("); mark != NULL;
         mark = strpbrk(mark + 1, "#(")) {
        size_t len = enhanced_len(mark + 1);

        if (len > 0 && len <= RB_ENHANCED_MAX && mark[1] - '0' == reply_class(reply)) {
            memcpy(enhanced, mark + 1, len);
            enhanced[len] = '\0';
            return;
        }
    }
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

    if (rest.len > PHRASE_OCTETS_MAX)
        rest.len = PHRASE_OCTETS_MAX;
    while (rest.len > 0) {
        wait_s = read_length(rest);
        raw = next_token(&rest);
        if (raw.len > 0 && wait_s >= 0 && (leads_to_wait(before) || raw.at[0] == '('))
            return (int)(wait_s < min_s ? min_s : wait_s > max_s ? max_s : wait_s);
        before = trim(raw);
    }
    return 0;
}
