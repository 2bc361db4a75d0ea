/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classify_letters: text of any script in the letters that the vocabulary is written in. Pure.
 *
 * Latin letters lose their marks ("é" is "e"), Cyrillic ones are transliterated ("ж" is "zh"),
 * punctuation and blanks of other scripts become those of ASCII. Chinese and Japanese characters
 * stay as they are, three octets each. What is none of these becomes LETTER_UNKNOWN. Octets that
 * are no UTF-8 are read as ISO 8859-1.
 */
#ifndef RB_SMTP_CLASSIFY_LETTERS_H
#define RB_SMTP_CLASSIFY_LETTERS_H

#include <stddef.h>

enum {
    LETTER_UNKNOWN = 0x01,
    LETTERS_EACH_MAX = 4, /* octets that one character becomes, at most: no more than it had, but
                             for ISO 8859-1 */
};

/*
 * Folds len octets into folded, of size octets, NUL-terminated; *read is how many octets of the
 * text came to be in it, whole characters. Returns the length of folded. size must be more than
 * LETTERS_EACH_MAX.
 */
size_t letters_fold(char *folded, size_t size, const char *text, size_t len, size_t *read);

#endif
