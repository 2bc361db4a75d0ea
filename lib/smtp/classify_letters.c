/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_letters: see classify_letters.h. RFC 3629 (UTF-8). Pure. */
#include "config.h"

#include "smtp/classify_letters.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* U+00C0 to U+017F, two octets each; "  " where a character is no letter. */
static const char latin[] = "A A A A A A AEC E E E E I I I I D N O O O O O   O U U U U Y THss"
                            "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thy "
                            "A a A a A a C c C c C c C c D d D d E e E e E e E e E e G g G g "
                            "G g G g H h H h I i I i I i I i I i IJijJ j K k k L l L l L l L "
                            "l L l N n N n N n n N n O o O o O o OEoeR r R r R r S s S s S s "
                            "S s T t T t T t U u U u U u U u U u U u W w Y y Y Z z Z z Z z s ";

/* U+0430 to U+045F, lower case: the capitals stand 32 (80 from the second row on) in front. */
static const char *const cyrillic[] = {
    "a", "b", "v",  "g", "d", "e", "zh", "z",  "i",  "y",   "k",  "l", "m", "n", "o",  "p",
    "r", "s", "t",  "u", "f", "h", "ts", "ch", "sh", "sch", "",   "y", "",  "e", "yu", "ya",
    "e", "e", "dj", "g", "e", "z", "i",  "i",  "j",  "lj",  "nj", "c", "k", "i", "u",  "dz",
};

/* Punctuation of other scripts, in that of ASCII. */
static const struct {
    uint32_t from, to;
    const char *ascii;
} punctuation[] = {
    {0x00A0, 0x00A0, " "},  {0x00AB, 0x00AB, "\""},  {0x00B4, 0x00B4, "'"},
    {0x00BB, 0x00BB, "\""}, {0x2000, 0x200A, " "},   {0x200B, 0x200D, ""},
    {0x2010, 0x2011, "-"},  {0x2012, 0x2015, " - "}, {0x2018, 0x201B, "'"},
    {0x201C, 0x201F, "\""}, {0x2026, 0x2026, "..."}, {0x2190, 0x21FF, " - "},
    {0x3000, 0x3000, " "},  {0x3001, 0x3001, ", "},  {0x3002, 0x3002, ". "},
    {0x3008, 0x3011, "\""}, {0xFEFF, 0xFEFF, ""},    {0xFF01, 0xFF01, "! "},
    {0xFF08, 0xFF08, " ("}, {0xFF09, 0xFF09, ") "},  {0xFF0C, 0xFF0C, ", "},
    {0xFF1A, 0xFF1A, ": "}, {0xFF1B, 0xFF1B, "; "},  {0xFF1F, 0xFF1F, "? "},
};

/* One character: its code point, and in *used its octets. */
static uint32_t decode(const unsigned char *at, size_t len, size_t *used)
{
    size_t more = at[0] >= 0xF0 ? 3 : at[0] >= 0xE0 ? 2 : 1;
    uint32_t point = at[0] & (0x3FU >> more);

    *used = 1;
    if (at[0] < 0xC2 || at[0] > 0xF4 || more >= len)
        return at[0];
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return at[0];
        point = point << 6 | (at[i] & 0x3F);
    }
    *used = more + 1;
    return point;
}

static void put(char letters[LETTERS_EACH_MAX + 1], const char *text, size_t len)
{
    memcpy(letters, text, len);
    letters[len] = '\0';
}

static void put_latin(char letters[LETTERS_EACH_MAX + 1], uint32_t point)
{
    const char *pair = latin + (size_t)(point - 0xC0) * 2;

    put(letters, pair, pair[1] != ' ' ? 2 : 1);
}

static void put_cyrillic(char letters[LETTERS_EACH_MAX + 1], uint32_t point)
{
    uint32_t small = point < 0x410 ? point + 80 : point < 0x430 ? point + 32 : point;
    const char *text = cyrillic[small - 0x430];

    put(letters, text, strlen(text));
}

static void put_other(char letters[LETTERS_EACH_MAX + 1], uint32_t point)
{
    static const char unknown[] = {LETTER_UNKNOWN, '\0'};

    put(letters, unknown, 1);
    for (size_t i = 0; i < sizeof punctuation / sizeof punctuation[0]; i++)
        if (point >= punctuation[i].from && point <= punctuation[i].to)
            put(letters, punctuation[i].ascii, strlen(punctuation[i].ascii));
}

/* Hiragana, Katakana and the unified ideographs. */
static bool is_cjk(uint32_t point)
{
    return (point >= 0x3040 && point <= 0x30FF) || (point >= 0x3400 && point <= 0x9FFF);
}

static void fold_one(char letters[LETTERS_EACH_MAX + 1], const char *at, uint32_t point,
                     size_t used)
{
    if (point < 0x80 || is_cjk(point))
        put(letters, at, used);
    else if (point >= 0xC0 && point <= 0x17F)
        put_latin(letters, point);
    else if (point >= 0x400 && point <= 0x45F)
        put_cyrillic(letters, point);
    else if (point == 0x490 || point == 0x491)
        put(letters, "g", 1);
    else
        put_other(letters, point);
}

size_t letters_fold(char *folded, size_t size, const char *text, size_t len, size_t *read)
{
    size_t out = 0;

    for (*read = 0; *read < len;) {
        char letters[LETTERS_EACH_MAX + 1];
        size_t used, count;
        uint32_t point = decode((const unsigned char *)text + *read, len - *read, &used);

        fold_one(letters, text + *read, point, used);
        count = strlen(letters);
        if (out + count >= size)
            break;
        memcpy(folded + out, letters, count);
        out += count;
        *read += used;
    }
    folded[out] = '\0';
    return out;
}
