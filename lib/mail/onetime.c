/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * onetime: recognises senders that are used once; see onetime.h. One table of forms
 * (onetime_forms.def), read from the top: the first that fits the whole local part decides. It must
 * not know what is in the cache, nor what follows from a class. draft-levine-smtp-batv-01; SRS as
 * libsrs2, PostSRSd and Exchange Online write it; VERP as list managers and bulk senders write it.
 *
 * A form is a row of steps: text that must be there, and patterns whose text either stays in the
 * key or varies and is left out. Kept names take as much as they can: of two ways to read an
 * address, the one that leaves out less is the safer.
 */
#include "config.h"

#include "mail/onetime.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum {
    STEPS_MAX = 14,  /* of a form; also how deep matching can nest */
    LOCAL_MAX = 128, /* octets: work grows with their cube; those known are shorter */
    WORD_BITS = 64,
    ALL = LOCAL_MAX,
    WORD_MAX = 16, /* longer than any word in bulk_words */
    IDS_MIN = 7,   /* octets of numbers and codes: a house number is no message's name */
    HEX_CHANGES = 2,
    CODE_CHANGES = 3, /* from letter to digit or back: "smith1985" has one */
    CODE_MIN = 8,
    LONG_HEX_DIGITS = 4, /* words of a to f have none */
    TLD_MIN = 2,
    CASE_BIT = 0x20,
};

#define DIGITS "0123456789"
#define HEX DIGITS "abcdefABCDEF"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM DIGITS LETTERS

/* --- What a piece of text looks like -------------------------------------- */

static bool is_in(char c, const char *octets)
{
    return c != '\0' && strchr(octets, c) != NULL;
}

static size_t count_in(const char *text, size_t len, const char *octets)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += is_in(text[i], octets);
    return count;
}

static bool all_in(const char *text, size_t len, const char *octets)
{
    return count_in(text, len, octets) == len;
}

/* How often digits and letters take turns: what people choose has few turns, codes have many. */
static size_t changes_in(const char *text, size_t len)
{
    size_t changes = 0;
    for (size_t i = 1; i < len; i++)
        changes += is_in(text[i], DIGITS) != is_in(text[i - 1], DIGITS);
    return changes;
}

/* The length of the piece that text begins with, up to one of the separators. */
static size_t piece_len(const char *text, size_t len, const char *separators)
{
    size_t i = 0;
    while (i < len && !is_in(text[i], separators))
        i++;
    return i;
}

static bool is_tld(const char *label, size_t len)
{
    return len >= TLD_MIN &&
           (all_in(label, len, LETTERS) || (len > 4 && strncasecmp(label, "xn--", 4) == 0));
}

/* A name of two labels or more, the last of which could be a top-level domain. */
static bool is_domain(const char *text, size_t len)
{
    size_t at = 0;
    for (;;) {
        const char *label = text + at;
        const size_t n = piece_len(label, len - at, ".");
        if (n == 0 || label[0] == '-' || label[n - 1] == '-')
            return false;
        if (at + n == len)
            return at > 0 && is_tld(label, n);
        at += n + 1;
    }
}

/* Key number, day, then six hexadecimal digits of a hash. */
static bool is_batv_tag(const char *text, size_t len)
{
    return len == 10 && all_in(text, 4, DIGITS);
}

static bool begins_with_digit(const char *text, size_t len)
{
    return len > 0 && is_in(text[0], DIGITS);
}

static bool begins_with_alnum(const char *text, size_t len)
{
    return len > 0 && is_in(text[0], ALNUM);
}

static bool has_digit(const char *text, size_t len)
{
    return count_in(text, len, DIGITS) > 0;
}

static bool is_long_hex(const char *text, size_t len)
{
    return count_in(text, len, DIGITS) >= LONG_HEX_DIGITS;
}

static bool is_base64(const char *text, size_t len)
{
    return count_in(text, len, DIGITS) > 0 &&
           count_in(text, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") > 0 &&
           count_in(text, len, "abcdefghijklmnopqrstuvwxyz") > 0;
}

static bool is_uuid(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen != (text[i] == '-'))
            return false;
    }
    return true;
}

/* Marketo's name for a customer: "402-FTO-562". */
static bool is_munchkin(const char *text, size_t len)
{
    return len == 11 && all_in(text, 3, DIGITS) && text[3] == '-' && all_in(text + 4, 3, LETTERS) &&
           text[7] == '-' && all_in(text + 8, 3, DIGITS);
}

static bool is_dotted(const char *text, size_t len)
{
    size_t dots = 0;
    for (size_t at = 0;; dots++) {
        const size_t n = piece_len(text + at, len - at, ".");
        if (n == 0)
            return false;
        at += n + 1;
        if (at > len)
            return dots >= 2;
    }
}

/* A number, or a code that nobody would choose as a name. */
static bool is_machine_made(const char *piece, size_t len)
{
    if (all_in(piece, len, DIGITS))
        return true;
    if (len < CODE_MIN)
        return false;
    return changes_in(piece, len) >= (all_in(piece, len, HEX) ? HEX_CHANGES : CODE_CHANGES);
}

/* "news-2024-12-31", "tax-return-2019-2020": what people name by the year is no message. */
static bool is_year(const char *piece, size_t len)
{
    return len == 4 && (memcmp(piece, "19", 2) == 0 || memcmp(piece, "20", 2) == 0);
}

/* Numbers and codes, short ones too where there are long ones. */
static bool is_ids(const char *text, size_t len)
{
    size_t ids = 0;
    for (size_t at = 0; at <= len;) {
        const size_t n = piece_len(text + at, len - at, "._-+");
        if (n == 0)
            return false;
        if (is_machine_made(text + at, n))
            ids += is_year(text + at, n) ? 0 : n;
        else if (n > 4 || !all_in(text + at, n, HEX))
            return false;
        at += n + 1;
    }
    return ids >= IDS_MIN;
}

/* clang-format off */

/* The words of bulk mail; those of returned mail are marked. */
static const struct bulk_word {
    char word[WORD_MAX];
    bool returns;
} bulk_words[] = {
    {"bounce", true}, {"bounces", true}, {"bounced", true}, {"bouncer", true},
    {"bnc", true}, {"return", true}, {"returns", true}, {"verp", true},
    {"rp", true}, {"mailing", false}, {"mailings", false}, {"mailer", false},
    {"news", false}, {"newsletter", false}, {"newsletters", false}, {"notification", false},
    {"notifications", false}, {"notify", false}, {"alert", false}, {"alerts", false},
    {"campaign", false}, {"promo", false}, {"digest", false}, {"noreply", false},
    {"donotreply", false}, {"reply", false}, {"errors", false}, {"msg", false},
    {"announce", false}, {"delivery", false},
};

/* clang-format on */

/* The last word of a name such as "list-bounces"; NULL where it is none of bulk_words. */
static const struct bulk_word *last_word(const char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && !is_in(text[start - 1], "._-"))
        start--;
    for (size_t i = 0; i < sizeof bulk_words / sizeof bulk_words[0]; i++) {
        const char *word = bulk_words[i].word;
        if (strlen(word) == len - start && strncasecmp(text + start, word, len - start) == 0)
            return &bulk_words[i];
    }
    return NULL;
}

static bool is_bulk(const char *text, size_t len)
{
    return begins_with_alnum(text, len) && last_word(text, len) != NULL;
}

static bool is_bounce(const char *text, size_t len)
{
    return is_bulk(text, len) && last_word(text, len)->returns;
}

/* --- Patterns ------------------------------------------------------------- */

struct pattern {
    const char *octets; /* NULL: all that the local part of a one-time sender may have */
    size_t min, max;
    bool (*accepts)(const char *text, size_t len); /* NULL: all of that */
};

/* clang-format off */

static const struct pattern user     = {NULL,           1, ALL, NULL};
static const struct pattern rcpt     = {NULL,           1, ALL, NULL};
static const struct pattern domain   = {ALNUM "-.",     4, ALL, is_domain};
static const struct pattern list     = {ALNUM "._-",    1, ALL, begins_with_alnum};
static const struct pattern bulk     = {ALNUM "._-",    1, ALL, is_bulk};   /* "news", "a-list" */
static const struct pattern bounce   = {ALNUM "._-",    1, ALL, is_bounce}; /* "list-bounces" */
static const struct pattern sep      = {"+-_.",         1, 1,   NULL};

static const struct pattern batv_tag = {HEX,           10, 10,  is_batv_tag};
static const struct pattern btv_tag  = {HEX,            8, 20,  has_digit};
static const struct pattern ms_tag   = {ALNUM "_-",    10, 24,  begins_with_digit};

static const struct pattern srs_sep  = {"=+-",          1, 1,   NULL};
static const struct pattern hash     = {ALNUM "/+_-",   2, 32,  NULL};
static const struct pattern stamp    = {ALNUM,          2, 2,   NULL};

static const struct pattern number   = {DIGITS,         1, ALL, NULL};
static const struct pattern hex      = {HEX,            2, ALL, NULL};
static const struct pattern hex16    = {HEX,           16, 16,  NULL};
static const struct pattern long_hex = {HEX,           24, ALL, is_long_hex};
static const struct pattern all_hex  = {HEX,           32, ALL, is_long_hex}; /* alone */
static const struct pattern uuid     = {HEX "-",       36, 36,  is_uuid};
static const struct pattern ids      = {ALNUM "._-+",   IDS_MIN, ALL, is_ids};
static const struct pattern word     = {ALNUM,          4, ALL, NULL};
static const struct pattern token    = {ALNUM,          6, ALL, has_digit};
static const struct pattern token_   = {ALNUM "-_",     6, ALL, has_digit};
static const struct pattern base64   = {ALNUM "-_=+/", 20, ALL, is_base64};
static const struct pattern opaque   = {ALNUM "-_=+/.", 16, ALL, has_digit};
static const struct pattern dotted   = {DIGITS ".",     5, ALL, is_dotted};
static const struct pattern munchkin = {ALNUM "-",     11, 11,  is_munchkin};
static const struct pattern starred  = {ALNUM "-.*",    2, ALL, NULL};

/* clang-format on */

/* --- The forms ------------------------------------------------------------ */

/* Neither text nor pattern: the form's end. */
struct step {
    const char *text; /* read in either case; not empty */
    size_t text_len;
    const struct pattern *pattern;
    bool varies;
};

struct form {
    enum onetime_kind kind;
    const char *domain; /* the address's, or one above it; NULL: any */
    struct step steps[STEPS_MAX];
};

/* clang-format off */

#define IS(t) {.text = (t), .text_len = sizeof(t) - 1}
#define STAYS(c) {.pattern = &(c)}
#define VARIES(c) {.pattern = &(c), .varies = true}

#define RECIPIENT VARIES(rcpt), IS("="), VARIES(domain)

static const struct form forms[] = {
#include "mail/onetime_forms.def"
};

/* clang-format on */

/* --- Matching ------------------------------------------------------------- */

struct match {
    const struct step *steps;
    const char *local;
    size_t len;
    size_t ends[STEPS_MAX]; /* where each step's text ends, once all fit */
    /* A bit for each place where the step was tried in vain. */
    uint64_t hopeless[STEPS_MAX][LOCAL_MAX / WORD_BITS];
};

static bool match_from(struct match *match, size_t step, size_t at);

static bool is_last(const struct match *match, size_t step)
{
    return step == STEPS_MAX ||
           (match->steps[step].text == NULL && match->steps[step].pattern == NULL);
}

static bool text_fits(const struct match *match, size_t step, size_t at)
{
    const struct step *wanted = &match->steps[step];
    const char *text = match->local + at;

    /*
     * Most texts fit nowhere: the first octet, with the bit of its case set, is enough to see that.
     */
    return (*text | CASE_BIT) == (*wanted->text | CASE_BIT) &&
           strncasecmp(text, wanted->text, wanted->text_len) == 0;
}

/* A cheap look ahead, before the text of a pattern is judged. No pattern fits "". */
static bool can_follow(const struct match *match, size_t step, size_t at)
{
    const struct step *next = &match->steps[step];

    if (is_last(match, step))
        return at == match->len;
    if (next->text != NULL)
        return text_fits(match, step, at);
    return next->pattern->octets == NULL ? at < match->len
                                         : is_in(match->local[at], next->pattern->octets);
}

/* The longest text first. */
static bool match_pattern(struct match *match, size_t step, size_t at)
{
    const struct pattern *pattern = match->steps[step].pattern;
    const char *text = match->local + at;
    size_t len = pattern->octets != NULL ? strspn(text, pattern->octets) : match->len - at;

    if (len > pattern->max)
        len = pattern->max;
    for (; len >= pattern->min; len--) {
        if (!can_follow(match, step + 1, at + len) ||
            (pattern->accepts != NULL && !pattern->accepts(text, len)))
            continue;
        match->ends[step] = at + len;
        if (match_from(match, step + 1, at + len))
            return true;
    }
    return false;
}

static bool match_text(struct match *match, size_t step, size_t at)
{
    if (!text_fits(match, step, at))
        return false;
    match->ends[step] = at + match->steps[step].text_len;
    return match_from(match, step + 1, match->ends[step]);
}

/*
 * Each step is tried once at each place: however many ways there are to cut up what a stranger
 * wrote, the work is bounded by steps times octets squared.
 */
static bool match_from(struct match *match, size_t step, size_t at)
{
    const uint64_t bit = UINT64_C(1) << at % WORD_BITS;

    if (is_last(match, step))
        return at == match->len;
    if (at >= LOCAL_MAX) /* the end of the longest local part: nothing is left for a step */
        return false;
    if ((match->hopeless[step][at / WORD_BITS] & bit) != 0)
        return false;

    const bool fits = match->steps[step].text != NULL ? match_text(match, step, at)
                                                      : match_pattern(match, step, at);
    if (!fits)
        match->hopeless[step][at / WORD_BITS] |= bit;
    return fits;
}

/* --- The class ------------------------------------------------------------ */

/* Only what stands in a local part without quotes: no machine writes a sender that needs them. */
static bool is_plain(const char *local)
{
    for (; *local != '\0'; local++) {
        const bool is_8bit = ((unsigned char)*local & 0x80) != 0;
        if (!is_8bit && !is_in(*local, ALNUM "!#$%&'*+-/=?^_`{|}~."))
            return false;
    }
    return true;
}

/* Every form has one of these octets; most people's addresses have none. */
static bool may_be_onetime(const char *local)
{
    return strpbrk(local, DIGITS "=*_") != NULL && is_plain(local);
}

static bool is_below(const char *domain_of_address, const char *wanted)
{
    const size_t len = strlen(domain_of_address), wanted_len = strlen(wanted);
    if (len < wanted_len || strcmp(domain_of_address + len - wanted_len, wanted) != 0)
        return false;
    return len == wanted_len || domain_of_address[len - wanted_len - 1] == '.';
}

static void write_base(const struct address *address, size_t at, size_t len,
                       struct onetime_class *class)
{
    char base[LOCAL_MAX + 1 + RB_DOMAIN_MAX + 1];

    (void)snprintf(base, sizeof base, "%.*s@%s", (int)len, address->local + at, address->domain);
    (void)text_copy(class->base, sizeof class->base, base);
}

/* Nothing is written that is longer than what it stands for, so that key has room for it. */
static void write_class(const struct address *address, const struct form *form,
                        const struct match *match, struct onetime_class *class)
{
    char *out = class->key;
    size_t at = 0;

    class->kind = form->kind;
    for (size_t i = 0; !is_last(match, i); i++) {
        const struct step *step = &form->steps[i];
        const size_t len = match->ends[i] - at;
        if (step->varies)
            *out++ = ONETIME_ANYTHING;
        else if (step->text != NULL && form->kind != ONETIME_VERP)
            out = (char *)memcpy(out, step->text, len) + len;
        else
            out = (char *)memcpy(out, address->local + at, len) + len;
        if (form->kind == ONETIME_BATV && step->pattern == &user)
            write_base(address, at, len, class);
        at = match->ends[i];
    }
    *out++ = '@';
    (void)text_copy(out, sizeof class->key - (size_t)(out - class->key), address->domain);
}

enum onetime_kind onetime_classify(const struct address *address, struct onetime_class *class)
{
    const size_t len = strlen(address->local);

    *class = (struct onetime_class){.kind = ONETIME_NONE};
    if (len > LOCAL_MAX || !may_be_onetime(address->local))
        return ONETIME_NONE;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *form = &forms[i];
        struct match match = {
            .steps = form->steps,
            .local = address->local,
            .len = len,
        };
        if ((form->domain == NULL || is_below(address->domain, form->domain)) &&
            match_from(&match, 0, 0)) {
            write_class(address, form, &match, class);
            break;
        }
    }
    return class->kind;
}
