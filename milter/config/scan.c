/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan: see scan.h. Follows libconfuse's lexer: a word ends at white space, quotes, any of ={}()+,*
 * and "#"; "//" begins a comment only where a word could begin, so that a URL stays whole.
 * libconfuse never sees a comment: it would lose count of lines, and refuse comments inside lists.
 */
#include "config.h"

#include "config/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { FAULT_RAW_MAX = 2048 };

bool fault_at(struct fault *fault, enum rb_error error, const char *file, unsigned line,
              const char *format, ...)
{
    char raw[FAULT_RAW_MAX], what[FAULT_RAW_MAX], full[FAULT_RAW_MAX];
    va_list args;

    if (fault->text[0] != '\0')
        return false;
    fault->error = error;
    va_start(args, format);
    if (vsnprintf(raw, sizeof(raw), format, args) < 0)
        raw[0] = '\0';
    va_end(args);
    text_printable(what, sizeof(what), raw, strlen(raw));
    if (line > 0)
        snprintf(full, sizeof(full), "%.1000s:%u: %.1000s", file, line, what);
    else
        snprintf(full, sizeof(full), "%.1000s: %.1000s", file, what);
    if (fault->size >= 4)
        text_printable(fault->text, fault->size, full, strlen(full));
    return false;
}

/* --- Reading --- */

static bool cannot_read(struct fault *fault, const char *path, int number)
{
    char reason[128];

    return fault_at(fault, RB_ERR_SYSTEM, path, 0, "cannot be read: %s",
                    strerror_r(number, reason, sizeof(reason)));
}

/* Reads until the end or until size octets are there. -1: errno. */
static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, buffer + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* Whether it is a regular file of at most max octets. False: the fault is written. */
static bool is_readable(int fd, const char *path, size_t max, size_t *size, struct fault *fault)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return cannot_read(fault, path, errno);
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return cannot_read(fault, path, EISDIR);
    }
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return fault_at(fault, RB_ERR_SYSTEM, path, 0, "is not a regular file");
    }
    if (status.st_size > (off_t)max)
        return fault_at(fault, RB_ERR_ARGUMENT, path, 0,
                        "is too large: %lld octets, at most %zu would be right",
                        (long long)status.st_size, max);
    *size = (size_t)status.st_size;
    return true;
}

static bool read_text(int fd, const char *path, size_t max, char **text, size_t *len,
                      struct fault *fault)
{
    size_t size = 0;
    ssize_t got;
    char *buffer;
    const char *nul;

    if (!is_readable(fd, path, max, &size, fault))
        return false;
    buffer = calloc(1, size + 2);
    if (buffer == NULL)
        return fault_at(fault, RB_ERR_NOMEM, path, 0, "out of memory");
    got = read_all(fd, buffer, size);
    if (got < 0) {
        cannot_read(fault, path, errno);
        free(buffer);
        return false;
    }
    nul = memchr(buffer, '\0', (size_t)got);
    if (nul != NULL) {
        fault_at(fault, RB_ERR_ARGUMENT, path, line_of(buffer, nul),
                 "a NUL octet; text would be right");
        free(buffer);
        return false;
    }
    if (got == 0 || buffer[got - 1] != '\n')
        buffer[got++] = '\n';
    buffer[got] = '\0';
    *text = buffer;
    *len = (size_t)got;
    return true;
}

enum rb_error scan_file(const char *path, size_t max, char **text, size_t *len, struct fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool fine;
    int number;

    if (fd < 0) {
        number = errno;
        cannot_read(fault, path, number);
        errno = number;
        return RB_ERR_SYSTEM;
    }
    fine = read_text(fd, path, max, text, len, fault);
    number = errno;
    close(fd);
    errno = number;
    return fine ? RB_OK : fault->error;
}

/* --- Scanning --- */

struct scan {
    const char *path;
    struct fault *fault; /* NULL: what is wrong is passed over */
    char *text;
    size_t len, at;
    unsigned line;
    unsigned open_line[SCAN_DEPTH_MAX]; /* where each open brace stands */
    size_t depth;
    bool in_word;
};

static char peek(const struct scan *scan, size_t ahead)
{
    if (scan->at + ahead >= scan->len)
        return '\0';
    return scan->text[scan->at + ahead];
}

static bool complain(const struct scan *scan, unsigned line, const char *what)
{
    return scan->fault == NULL ||
           fault_at(scan->fault, RB_ERR_ARGUMENT, scan->path, line, "%s", what);
}

static void blank_line(struct scan *scan)
{
    while (scan->at < scan->len && scan->text[scan->at] != '\n')
        scan->text[scan->at++] = ' ';
}

static bool blank_comment(struct scan *scan)
{
    unsigned line = scan->line;

    while (!(peek(scan, 0) == '*' && peek(scan, 1) == '/')) {
        if (scan->at >= scan->len)
            return complain(scan, line, "this comment has no end; \"*/\" would be right");
        if (scan->text[scan->at] == '\n')
            scan->line++;
        else
            scan->text[scan->at] = ' ';
        scan->at++;
    }
    scan->text[scan->at] = scan->text[scan->at + 1] = ' ';
    scan->at += 2;
    return true;
}

/* From the opening quote to behind the closing one. "${…}" in double quotes may hold anything. */
static bool skip_string(struct scan *scan)
{
    char quote = scan->text[scan->at++];

    for (;;) {
        char c = peek(scan, 0);

        if (c == '\n' || c == '\0')
            return complain(scan, scan->line, "this string has no closing quote on its line");
        if (c == quote)
            break;
        if (quote == '"' && c == '$' && peek(scan, 1) == '{') {
            scan->at += strcspn(scan->text + scan->at, "}\n");
            continue;
        }
        scan->at += c == '\\' && peek(scan, 1) != '\n' ? 2 : 1;
    }
    scan->at++;
    return true;
}

static bool open_brace(struct scan *scan)
{
    if (scan->depth == SCAN_DEPTH_MAX)
        return complain(scan, scan->line, "too many braces within braces");
    scan->open_line[scan->depth++] = scan->line;
    return true;
}

/* One character outside strings and comments. */
static bool scan_plain(struct scan *scan, char c)
{
    bool fine = true;

    if (c == '\n')
        scan->line++;
    else if (c == '{')
        fine = open_brace(scan);
    else if (c == '}' && scan->depth == 0)
        fine = complain(scan, scan->line, "a closing brace that nothing opened");
    else if (c == '}')
        scan->depth--;
    else if (c == '|')
        fine = complain(scan, scan->line, "\"|\" may stand only within quotes");
    else if (((unsigned char)c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
        fine = complain(scan, scan->line, "a control character; text would be right");
    scan->in_word = strchr(" \t\r\n={}()+,*", c) == NULL;
    scan->at++;
    return fine;
}

static bool scan_one(struct scan *scan)
{
    char c = peek(scan, 0);

    if (c == '#' || (c == '/' && peek(scan, 1) == '/' && !scan->in_word)) {
        blank_line(scan);
        scan->in_word = false;
        return true;
    }
    if (c == '/' && peek(scan, 1) == '*' && !scan->in_word)
        return blank_comment(scan);
    if (c == '"' || c == '\'') {
        scan->in_word = false;
        return skip_string(scan);
    }
    return scan_plain(scan, c);
}

static bool scan_all(struct scan *scan)
{
    while (scan->at < scan->len) {
        if (!scan_one(scan))
            return false;
    }
    return true;
}

bool scan_text(const char *path, char *text, size_t len, struct fault *fault)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct scan scan = {.path = path, .fault = fault, .text = text, .len = len, .line = 1};

    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0)
        memset(text, ' ', 3);
    if (!scan_all(&scan))
        return false;
    if (scan.depth > 0)
        return complain(&scan, scan.open_line[scan.depth - 1],
                        "the brace opened here is never closed; \"}\" would be right");
    return true;
}

/* --- Keeping a part ------------------------------------------------------- */

enum { UNCLOSED_MAX = 100 }; /* lists without an end: each is looked for to the end of the text */

enum expected { EXPECT_NAME, EXPECT_TITLE, EXPECT_VALUE };

/* A way through text without comments. */
struct keep {
    struct scan scan;
    const char *const *names, *const *titled;
    size_t kept; /* up to here text was kept or blanked */
    enum expected expected;
    unsigned unclosed;
};

/* What libconfuse passes over between words. A "+" before "=" changes nothing here. */
static size_t blanks_len(const char *text)
{
    return strspn(text, " \t\r\n*+");
}

static void skip_blanks(struct scan *scan)
{
    scan->at += blanks_len(scan->text + scan->at);
}

static size_t word_len(const char *text)
{
    return strcspn(text, " \t\r\n={}()+,*\"'");
}

/* From the opening brace to behind the closing one. False: to the end, there is none. */
static bool skip_block(struct scan *scan)
{
    unsigned depth = 0;

    do {
        char c = peek(scan, 0);

        if (c == '"' || c == '\'') {
            (void)skip_string(scan);
            continue;
        }
        depth += c == '{';
        depth -= c == '}';
        scan->at++;
    } while (depth > 0 && scan->at < scan->len);
    return depth == 0;
}

static void skip_value(struct scan *scan)
{
    char c = peek(scan, 0);

    if (c == '{')
        (void)skip_block(scan);
    else if (c == '"' || c == '\'')
        (void)skip_string(scan);
    else
        scan->at += word_len(scan->text + scan->at);
}

/* Whether a statement to be kept begins here: its name, and what must stand behind it. */
static bool begins_kept(const struct keep *keep, size_t len)
{
    const char *word = keep->scan.text + keep->scan.at;
    const char *behind = word + len + blanks_len(word + len);

    for (const char *const *name = keep->names; *name != NULL; name++)
        if (strncmp(word, *name, len) == 0 && (*name)[len] == *behind && (*name)[len + 1] == '\0')
            return true;
    return false;
}

static void blank_up_to(struct keep *keep, size_t end)
{
    for (char *c = keep->scan.text + keep->kept; c < keep->scan.text + end; c++)
        if (*c != '\n')
            *c = ' ';
}

static void keep_statement(struct keep *keep, size_t len)
{
    struct scan *scan = &keep->scan;

    blank_up_to(keep, scan->at);
    scan->at += len;
    skip_blanks(scan);
    if (peek(scan, 0) == '=') {
        scan->at++;
        skip_blanks(scan);
    }
    skip_value(scan);
    keep->kept = scan->at;
}

static bool is_titled(const struct keep *keep, size_t len)
{
    const char *word = keep->scan.text + keep->scan.at;

    for (const char *const *name = keep->titled; *name != NULL; name++)
        if (strncmp(word, *name, len) == 0 && (*name)[len] == '\0')
            return true;
    return false;
}

/* Passes a word, or an octet that is part of none. */
static void pass_word(struct keep *keep)
{
    size_t len = word_len(keep->scan.text + keep->scan.at);
    enum expected expected = keep->expected;

    keep->expected = EXPECT_NAME;
    /* A statement that is wanted begins even where a value is expected: that value is missing. */
    if (expected != EXPECT_TITLE && len > 0 && begins_kept(keep, len)) {
        keep_statement(keep, len);
        return;
    }
    if (expected == EXPECT_NAME && len > 0 && is_titled(keep, len))
        keep->expected = EXPECT_TITLE;
    keep->scan.at += len > 0 ? len : 1;
}

/* A list that is never closed ends in its line: what follows must not be taken for a part of it. */
static void pass_list(struct keep *keep)
{
    struct scan *scan = &keep->scan;
    size_t begin = scan->at;

    if (skip_block(scan) || keep->unclosed == UNCLOSED_MAX)
        return;
    keep->unclosed++;
    scan->at = begin + strcspn(scan->text + begin, "\n");
}

static void pass_one(struct keep *keep)
{
    struct scan *scan = &keep->scan;
    char c = peek(scan, 0);

    if (c == '"' || c == '\'') {
        (void)skip_string(scan);
        keep->expected = EXPECT_NAME;
    } else if (c == '{' && keep->expected == EXPECT_VALUE) {
        pass_list(keep);
        keep->expected = EXPECT_NAME;
    } else if (c == '{' || c == '}') {
        scan->at++;
        keep->expected = EXPECT_NAME;
    } else if (c == '=') {
        scan->at++;
        keep->expected = EXPECT_VALUE;
    } else {
        pass_word(keep);
    }
}

void scan_keep(char *text, size_t len, const char *const *names, const char *const *titled)
{
    struct keep keep = {.scan = {.text = text, .len = len}, .names = names, .titled = titled};

    (void)!scan_text("", text, len, NULL);
    for (skip_blanks(&keep.scan); keep.scan.at < len; skip_blanks(&keep.scan))
        pass_one(&keep);
    blank_up_to(&keep, len);
}
