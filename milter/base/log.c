/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log: see log.h. Owns: where lines go and from which level, as atomics. Lock: none; each line is
 * built on its caller's stack, and syslog(3) and write(2) keep lines that come together apart.
 */
#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/text.h"

#define PROGRAM "ringback-milter"

static atomic_bool use_stderr = true, stderr_is_journal = false;
static atomic_int wanted_level = LOG_LEVEL_INFO;

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
static const char *const prefixes[] = {"error: ", "warning: ", "", ""};

const char *const log_facility_names[] = {
    "mail",   "daemon", "user",   "auth",   "authpriv", "news",   "local0", "local1",
    "local2", "local3", "local4", "local5", "local6",   "local7", NULL,
};

static const int facilities[] = {
    LOG_MAIL,   LOG_DAEMON, LOG_USER,   LOG_AUTH,   LOG_AUTHPRIV, LOG_NEWS,   LOG_LOCAL0,
    LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5,   LOG_LOCAL6, LOG_LOCAL7,
};

_Static_assert(sizeof(facilities) / sizeof(facilities[0]) + 1 ==
                   sizeof(log_facility_names) / sizeof(log_facility_names[0]),
               "a number for each facility");

static int index_of(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level <= LOG_LEVEL_DEBUG ? log_level_names[level] : "?";
}

bool log_level_from_name(const char *name, enum log_level *level)
{
    int found = index_of(log_level_names, name);

    if (found < 0)
        return false;
    *level = (enum log_level)found;
    return true;
}

bool log_facility_from_name(const char *name, int *facility)
{
    int found = index_of(log_facility_names, name);

    if (found < 0)
        return false;
    *facility = facilities[found];
    return true;
}

/* systemd names the journal's stream by "DEVICE:INODE" (systemd.exec(5), JOURNAL_STREAM). */
static bool is_journal(int fd)
{
    const char *named = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;

    if (named == NULL || fstat(fd, &status) != 0)
        return false;
    (void)snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(named, own) == 0;
}

void log_open(bool to_stderr, int facility, enum log_level level)
{
    closelog();
    /* Also where our lines go to stderr: libmilter's own go to syslog in any case. */
    openlog(PROGRAM, LOG_PID | (to_stderr ? 0 : LOG_NDELAY), facility);
    atomic_store(&stderr_is_journal, to_stderr && is_journal(STDERR_FILENO));
    atomic_store(&use_stderr, to_stderr);
    atomic_store(&wanted_level, (int)level);
}

void log_set_level(enum log_level level)
{
    atomic_store(&wanted_level, (int)level);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load(&wanted_level);
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text >= 0x7f)
            *text = '?';
    }
}

/* Ends a text that was cut to size - 1 octets in "...". */
static void mark_cut(char *text, size_t size)
{
    memcpy(text + size - 4, "...", 4);
}

/*
 * One write(2), so that lines of several processes do not run into each other; what it leaves
 * unwritten is lost. The journal puts name and process id before each line itself, and wants its
 * priority.
 */
static void write_stderr(enum log_level level, const char *line)
{
    char full[LOG_LINE_MAX + 64];
    int len;
    ssize_t written;

    if (atomic_load(&stderr_is_journal))
        len = snprintf(full, sizeof(full), "<%d>%s\n", priorities[level], line);
    else
        len = snprintf(full, sizeof(full), "%s[%ld]: %s\n", PROGRAM, (long)getpid(), line);
    do
        written = write(STDERR_FILENO, full, (size_t)len);
    while (written < 0 && errno == EINTR);
}

static void write_line(enum log_level level, const char *line)
{
    if (atomic_load(&use_stderr))
        write_stderr(level, line);
    else
        syslog(priorities[level], "%s", line);
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX + 1];
    int number = errno;
    size_t lead;
    int len;
    va_list args;

    if (!log_wants(level))
        return;
    lead = (size_t)snprintf(line, sizeof(line), "%s", prefixes[level]);
    va_start(args, format);
    len = vsnprintf(line + lead, sizeof(line) - lead, format, args);
    va_end(args);
    if (len < 0)
        snprintf(line + lead, sizeof(line) - lead, "a line that cannot be formatted: %s", format);
    else if ((size_t)len >= sizeof(line) - lead)
        mark_cut(line, sizeof(line));
    make_printable(line);
    write_line(level, line);
    errno = number;
}

/* --- key=value --- */

static const char cut_mark[] = " ...";

void log_fields_init(struct log_fields *fields, const char *lead)
{
    *fields = (struct log_fields){.len = 0};
    if (lead[0] != '\0')
        fields->len = text_printable(fields->text, sizeof(fields->text) / 2, lead, strlen(lead));
}

static bool needs_quotes(const char *value)
{
    return value[0] == '\0' || strpbrk(value, " \"\\") != NULL;
}

/* Quotes a printable value. quoted has room for every octet escaped, two quotes and a NUL. */
static size_t quote_value(char *quoted, const char *value)
{
    size_t len = 0;
    bool quotes = needs_quotes(value);

    if (quotes)
        quoted[len++] = '"';
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            quoted[len++] = '\\';
        quoted[len++] = *value;
    }
    if (quotes)
        quoted[len++] = '"';
    quoted[len] = '\0';
    return len;
}

void log_field(struct log_fields *fields, const char *key, const char *value)
{
    char plain[LOG_VALUE_MAX + 1], quoted[2 * LOG_VALUE_MAX + 3];
    size_t room = sizeof(fields->text) - sizeof(cut_mark) - fields->len;
    const char *gap = fields->len > 0 ? " " : "";
    size_t need;

    if (fields->cut)
        return;
    if (value == NULL)
        value = "";
    text_printable(plain, sizeof(plain), value, strlen(value));
    need = strlen(gap) + strlen(key) + 1 + quote_value(quoted, plain);
    if (need > room) {
        memcpy(fields->text + fields->len, cut_mark, sizeof(cut_mark));
        fields->len += sizeof(cut_mark) - 1;
        fields->cut = true;
        return;
    }
    snprintf(fields->text + fields->len, room + 1, "%s%s=%s", gap, key, quoted);
    fields->len += need;
}

void log_fieldf(struct log_fields *fields, const char *key, const char *format, ...)
{
    char value[LOG_VALUE_MAX +
               2]; /* one more than is kept, so that log_field sees what is too long */
    va_list args;

    va_start(args, format);
    if (vsnprintf(value, sizeof(value), format, args) < 0)
        value[0] = '\0';
    va_end(args);
    log_field(fields, key, value);
}

void log_fields_write(enum log_level level, const struct log_fields *fields)
{
    log_line(level, "%s", fields->text);
}
