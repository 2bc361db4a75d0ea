/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_vocabulary: see classify_vocabulary.h. */
#include "config.h"

#include "smtp/classify_vocabulary.h"

#include <pthread.h>
#include <string.h>

struct group {
    enum term term;
    const char *language, *words;
};

static const struct group groups[] = {
#define TERMS(term, language, words) {term, language, words},
#include "smtp/classify_rules.def"
#undef TERMS
};

enum {
    GROUPS = sizeof groups / sizeof groups[0],
    ENTRIES_MAX = 8192,
    HEADS = 4096,
    STEM_MIN = 5,
    STEM_SIZE = 32, /* of a word that is looked for without its "s" */
    KEY_OCTETS = 3, /* of a term's beginning: one character of Chinese */
};

/* A word or fixed phrase; chained by its first octets. */
struct entry {
    const char *text;
    uint16_t len, next; /* next: 0 is none, and no entry */
    uint8_t term;
};

static struct entry entries[ENTRIES_MAX];
static uint16_t heads[HEADS];
static pthread_once_t indexed = PTHREAD_ONCE_INIT;

/* The first octets of the first word, of up to len octets. */
static unsigned key_of(const char *text, size_t len)
{
    unsigned key = 5381;

    for (size_t i = 0; i < KEY_OCTETS && i < len && text[i] != ' '; i++)
        key = key * 33 + (unsigned char)text[i];
    return key % HEADS;
}

static void index_group(const struct group *group, uint16_t *count)
{
    for (const char *at = group->words; *at != '\0' && *count < ENTRIES_MAX - 1;) {
        size_t len = strcspn(at, "|");
        unsigned key = key_of(at, len);
        uint16_t number = ++*count;

        entries[number] = (struct entry){at, (uint16_t)len, heads[key], (uint8_t)group->term};
        heads[key] = number;
        at += len;
        at += *at == '|';
    }
}

static void index_vocabulary(void)
{
    uint16_t count = 0;

    for (size_t i = 0; i < GROUPS; i++)
        index_group(&groups[i], &count);
}

/* Whether a term stands at tokens[0]: how many tokens it has; 0: it does not. */
static size_t term_len(const struct entry *entry, const struct token *tokens, size_t count)
{
    const char *at = entry->text, *end = at + entry->len;
    size_t used = 0;

    while (at < end) {
        const struct token *token = &tokens[used];
        size_t len;

        if (used == count || token->kind > TOKEN_CODE || (used > 0 && !token->joined))
            return 0;
        len = strlen(token->text);
        if ((size_t)(end - at) < len || memcmp(at, token->text, len) != 0)
            return 0;
        at += len;
        if (at < end && *at == ' ')
            at++;
        else if (at < end && !((unsigned char)*at & 0x80))
            return 0;
        used++;
    }
    return used;
}

/* The longest term at tokens[0]; *len is how many tokens it has, at least 1. */
static enum term longest_term(const struct token *tokens, size_t count, size_t *len)
{
    enum term term = TERM_NONE;

    *len = 1;
    for (uint16_t i = heads[key_of(tokens->text, strlen(tokens->text))]; i != 0;
         i = entries[i].next) {
        size_t found = term_len(&entries[i], tokens, count);

        if (found > *len || (found == *len && term == TERM_NONE)) {
            *len = found;
            term = entries[i].term;
        }
    }
    return term;
}

/* The term of a word, or that of it without the "s" of a genitive or plural. */
static enum term term_of(const struct token *tokens, size_t count, size_t *len)
{
    enum term term = longest_term(tokens, count, len);
    size_t letters = strlen(tokens->text);
    char stem[STEM_SIZE];
    struct token singular = *tokens;

    if (term != TERM_NONE || letters < STEM_MIN || letters >= sizeof stem ||
        tokens->text[letters - 1] != 's')
        return term;
    memcpy(stem, tokens->text, letters - 1);
    stem[letters - 1] = '\0';
    singular.text = stem;
    return longest_term(&singular, 1, len);
}

enum term vocabulary_find(const struct token *tokens, size_t count, size_t *len)
{
    (void)pthread_once(&indexed, index_vocabulary);
    return term_of(tokens, count, len);
}

enum term vocabulary_word(const char *word)
{
    const struct token token = {.text = word, .kind = TOKEN_WORD, .joined = true};
    size_t len;

    return vocabulary_find(&token, 1, &len);
}

bool vocabulary_group(size_t group, enum term *term, const char **language, const char **words)
{
    if (group >= GROUPS)
        return false;
    *term = groups[group].term;
    *language = groups[group].language;
    *words = groups[group].words;
    return true;
}
