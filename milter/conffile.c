/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conffile: see conffile.h. The scanner follows libconfuse's lexer: a word ends at white space,
 * quotes, any of ={}()+,* and "#"; "//" begins a comment only where a word could begin, so that a
 * URL stays whole. libconfuse itself never sees a comment: its own reading of them loses count of
 * lines and refuses them inside lists.
 */
#include "config.h"

#include "conffile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"

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

/* What is wrong with the kind or size of an open file; faults are written. */
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

enum rb_error conffile_read(const char *path, size_t max, char **text, size_t *len,
                            struct fault *fault)
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
    struct fault *fault;
    char *text;
    size_t len, at;
    unsigned line;
    unsigned open_line[CONFFILE_DEPTH_MAX]; /* where each open brace stands */
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
    return fault_at(scan->fault, RB_ERR_ARGUMENT, scan->path, line, "%s", what);
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
    if (scan->depth == CONFFILE_DEPTH_MAX)
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

bool conffile_scan(const char *path, char *text, size_t len, struct fault *fault)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct scan scan = {.path = path, .fault = fault, .text = text, .len = len, .line = 1};

    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0)
        memset(text, ' ', 3);
    while (scan.at < len) {
        if (!scan_one(&scan))
            return false;
    }
    if (scan.depth > 0)
        return complain(&scan, scan.open_line[scan.depth - 1],
                        "the brace opened here is never closed; \"}\" would be right");
    return true;
}
