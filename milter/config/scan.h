/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan: configuration text before it is parsed: reads a file up to a ceiling, blanks comments, and
 * finds what libconfuse would let pass (an open brace or comment at the end, a string without an
 * end). Also struct fault, in which all readers of the configuration say what is wrong. Knows no
 * directive.
 */
#ifndef RB_MILTER_CONFIG_SCAN_H
#define RB_MILTER_CONFIG_SCAN_H

#include <stddef.h>

#include "ringback.h"

enum {
    SCAN_CONFIG_MAX = 1024 * 1024,    /* octets of a configuration: thousands of policies */
    SCAN_LIST_MAX = 16 * 1024 * 1024, /* octets of a list file: half a million entries */
    SCAN_DEPTH_MAX = 8,               /* braces within braces; a configuration needs three */
};

/* Where the first fault is written: one printable line "FILE:LINE: what is wrong", cut to fit. */
struct fault {
    char *text;
    size_t size; /* at least 1; text is "" as long as nothing is wrong */
    enum rb_error error;
};

/* Writes the fault unless there is one already. line 0: none is named. Returns false, for `return
 * fault_at(…)`. */
bool fault_at(struct fault *fault, enum rb_error error, const char *file, unsigned line,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * Reads a regular file of at most max octets. *text is the caller's (free), ends in a newline (one
 * is added where there is none) and a NUL, and holds no other NUL. RB_ERR_SYSTEM (errno says why)
 * when it cannot be read, RB_ERR_ARGUMENT when it is no text. The fault is written.
 */
enum rb_error scan_file(const char *path, size_t max, char **text, size_t *len, struct fault *fault)
    __attribute__((warn_unused_result));

/*
 * Blanks comments (#, //, and C's) in place, lines keeping their numbers. False, with the fault
 * written: a string, comment or brace without an end, a control character.
 */
bool scan_text(const char *path, char *text, size_t len, struct fault *fault)
    __attribute__((warn_unused_result));

/*
 * Blanks all but some statements in place, lines keeping their numbers, however wrong the rest is:
 * those that begin with one of `names`, in any depth of braces, since one may be missing. A name
 * ends with "=" where it is a directive's, with "{" where it is a section's. `titled` are the words
 * behind which a section's title stands. Both end with NULL. What is kept is
 * not checked.
 */
void scan_keep(char *text, size_t len, const char *const *names, const char *const *titled);

#endif
