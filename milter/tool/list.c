/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list: see list.h. The file has one line, of always the same length, which is written
 * over in place:
 *
 *     ringback-list 2 OCTETS CHECK VALID INVALID UNKNOWN SUM
 *
 * how much of standard input is done, the checksum of that much of it, the verdicts so far, and the
 * checksum of the line.
 */
#include "config.h"

#include "tool/list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "tool/say.h"

enum {
    SHOW_MS = 1000,
    LONG_MS = 2000,        /* an answer that takes longer is shown as waited for */
    AWAITED_MAX = 60,      /* octets shown of it */
    RATE_SPAN_MS = 20000,  /* answers of this span count for most of the rate */
    LINE_SIZE = 160,       /* more than a line of the file has */
    LAST_LINE_MAX = 65536, /* octets of an answer's line that was cut */
};

static int64_t now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

/* Look-ups are under way in other threads: no strerror. */
static int complain(const struct list *list, int status, const char *why)
{
    return say_line(status, "--resume: %s: %s", list->resume, why);
}

static int complain_errno(const struct list *list, int status, int error)
{
    char why[128];

    return complain(list, status, strerror_r(error, why, sizeof why));
}

/* --- The file -------------------------------------------------------------- */

/* FNV-1a, 32 bits: a flipped digit, or half a line, has another. */
static uint32_t sum_of(const char *text, size_t len)
{
    uint32_t sum = 0x811c9dc5;

    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (uint8_t)text[i]) * 0x01000193;
    return sum;
}

static const char lead[] = "ringback-list 2 ";

/* The line that says what is done. Returns its length. */
static size_t format_line(const struct list *list, char line[LINE_SIZE])
{
    const uint64_t *counts = list->counts;
    int len =
        snprintf(line, LINE_SIZE,
                 "%s%020" PRIu64 " %016" PRIx64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 " ",
                 lead, list->done.octets, list->done.check, counts[RB_VERDICT_VALID],
                 counts[RB_VERDICT_INVALID], counts[RB_VERDICT_UNKNOWN]);

    len +=
        snprintf(line + len, LINE_SIZE - (size_t)len, "%08" PRIx32 "\n", sum_of(line, (size_t)len));
    return (size_t)len;
}

/* True: the text is a line that format_line writes, to the last octet. */
static bool read_line(struct list *list, const char *whole, size_t len)
{
    const char *text = whole;
    struct {
        uint64_t *value;
        int base;
    } fields[] = {
        {&list->done.octets, 10},
        {&list->done.check, 16},
        {&list->counts[RB_VERDICT_VALID], 10},
        {&list->counts[RB_VERDICT_INVALID], 10},
        {&list->counts[RB_VERDICT_UNKNOWN], 10},
    };
    char again[LINE_SIZE], *end;

    if (strncmp(text, lead, sizeof lead - 1) != 0)
        return false;
    text += sizeof lead - 1;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        *fields[i].value = strtoull(text, &end, fields[i].base);
        text = end;
    }
    /* strtoull takes more than format_line writes: only a line that it would write is good. */
    return format_line(list, again) == len && memcmp(again, whole, len) == 0;
}

static int write_line(const struct list *list)
{
    char line[LINE_SIZE];
    size_t len = format_line(list, line);
    ssize_t written;

    if (list->fd < 0)
        return EX_OK;
    written = pwrite(list->fd, line, len, 0);
    if (written == (ssize_t)len)
        return EX_OK;
    return complain_errno(list, EX_CANTCREAT, written < 0 ? errno : ENOSPC);
}

/* What the file says; an empty one is new. */
static int take_up(struct list *list)
{
    char text[LINE_SIZE + 1];
    ssize_t len = pread(list->fd, text, LINE_SIZE, 0);

    if (len < 0)
        return complain_errno(list, EX_NOINPUT, errno);
    text[len] = '\0';
    if (len == 0 || read_line(list, text, (size_t)len))
        return EX_OK;
    return complain(list, EX_DATAERR, "not a file of ours, or damaged");
}

static int open_file(struct list *list)
{
    struct stat status;

    list->fd = open(list->resume, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (list->fd < 0)
        return complain_errno(list, EX_CANTCREAT, errno);
    if (fstat(list->fd, &status) != 0 || !S_ISREG(status.st_mode))
        return complain(list, EX_DATAERR, "not a regular file");
    if (flock(list->fd, LOCK_EX | LOCK_NB) != 0)
        return complain(list, EX_CANTCREAT, "another one is at work on that list");
    return take_up(list);
}

/* --- The output ------------------------------------------------------------ */

static int write_all(const char *text, size_t len)
{
    char why[128];

    while (len > 0) {
        ssize_t written = write(STDOUT_FILENO, text, len);

        if (written < 0 && errno != EINTR)
            return say_line(EX_IOERR, "standard output: %s", strerror_r(errno, why, sizeof why));
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
    return EX_OK;
}

/* How many octets at the end of the file are no whole line, -1 if that is not known. */
static off_t cut_octets(int fd, off_t size)
{
    static char text[LAST_LINE_MAX];
    off_t from = size > LAST_LINE_MAX ? size - LAST_LINE_MAX : 0;
    ssize_t len = pread(fd, text, (size_t)(size - from), from);
    const char *newline = len > 0 ? memrchr(text, '\n', (size_t)len) : NULL;

    if (len != size - from || (newline == NULL && from > 0))
        return -1;
    return newline != NULL ? text + len - (newline + 1) : len;
}

/*
 * A run that was killed in the middle of a line has left a part of it at the end of standard
 * output; this run writes that line again. Standard output may be open for writing only, so it is
 * read by way of /proc.
 */
static void drop_cut_line(void)
{
    struct stat status;
    off_t cut;
    int fd;

    if (fstat(STDOUT_FILENO, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
        return;
    fd = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    cut = cut_octets(fd, status.st_size);
    (void)close(fd);
    if (cut > 0)
        (void)!ftruncate(STDOUT_FILENO, status.st_size - cut);
}

/* --- Progress -------------------------------------------------------------- */

/* Updates the rates: a sample counts by its share of RATE_SPAN_MS. */
static void sample_rates(struct list *list)
{
    int64_t span_ms = now_ms() - list->sampled_ms;
    double weight, rate, octets_rate;

    if (span_ms < SHOW_MS)
        return;
    weight = list->rate > 0 ? (double)span_ms / (double)(span_ms + RATE_SPAN_MS) : 1;
    rate = (double)(list->answered - list->sample_answered) * 1000 / (double)span_ms;
    octets_rate = (double)(list->done.octets - list->sample.octets) * 1000 / (double)span_ms;
    list->rate += (rate - list->rate) * weight;
    list->octets_rate += (octets_rate - list->octets_rate) * weight;
    list->sample = list->done;
    list->sample_answered = list->answered;
    list->sampled_ms = now_ms();
}

/* "33/s, 42 %, 1:02:03 left", without what is not known. */
static void print_pace(const struct list *list)
{
    uint64_t left_s;

    if (list->rate > 0)
        (void)fprintf(stderr, ", %.*f/s", list->rate < 10 ? 1 : 0, list->rate);
    if (list->size == 0)
        return;
    (void)fprintf(stderr, ", %.0f %%", 100 * (double)list->done.octets / (double)list->size);
    if (list->octets_rate <= 0 || list->done.octets >= list->size)
        return;
    left_s = (uint64_t)((double)(list->size - list->done.octets) / list->octets_rate);
    (void)fprintf(stderr, ", %" PRIu64 ":%02u:%02u left", left_s / 3600,
                  (unsigned)(left_s / 60 % 60), (unsigned)(left_s % 60));
}

static void show_counts(struct list *list, const char *end)
{
    const uint64_t *counts = list->counts;

    (void)fprintf(stderr, "\r%" PRIu64 " valid, %" PRIu64 " invalid, %" PRIu64 " unknown",
                  counts[RB_VERDICT_VALID], counts[RB_VERDICT_INVALID], counts[RB_VERDICT_UNKNOWN]);
    print_pace(list);
    (void)fprintf(stderr, "\033[K%s", end);
    list->told_ms = now_ms();
}

/* "waiting for user@example.org, 12 s" */
static void show_awaited(struct list *list, const char *awaited, size_t len)
{
    char shown[AWAITED_MAX + 1];
    int64_t waited_ms = now_ms() - list->begun_waiting_ms;

    if (awaited == NULL || waited_ms < LONG_MS)
        return;
    text_printable(shown, sizeof shown, awaited, len);
    (void)fprintf(stderr, "\rwaiting for %s, %" PRId64 " s\033[K", shown, waited_ms / 1000);
    list->waiting = true;
    list->told_ms = now_ms();
}

static void hide_awaited(struct list *list)
{
    if (list->waiting)
        (void)fputs("\r\033[K", stderr);
    list->waiting = false;
    list->begun_waiting_ms = now_ms();
}

void list_show(struct list *list, const char *awaited, size_t len)
{
    if (now_ms() - list->told_ms < SHOW_MS)
        return;
    if (list->waits)
        show_awaited(list, awaited, len);
    if (!list->shown)
        return;
    sample_rates(list);
    show_counts(list, "");
}

/* --- The list -------------------------------------------------------------- */

int list_begin(struct list *list, const char *resume)
{
    struct stat status;
    int result = EX_OK;

    *list = (struct list){.resume = resume, .fd = -1, .done = input_beginning};
    list->shown = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    list->waits = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO);
    if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        list->size = (uint64_t)status.st_size;
    if (resume != NULL)
        result = open_file(list);
    if (result != EX_OK)
        list->shown = false; /* what was read of the file may be anything */
    else
        result = write_line(list); /* a file that cannot be written is found now, not hours later */
    if (result == EX_OK && list->done.octets > 0)
        drop_cut_line();
    list->begun = list->sample = list->done;
    list->told_ms = now_ms();
    list->sampled_ms = list->begun_waiting_ms = list->told_ms;
    return result;
}

int list_pass(struct list *list, const struct input_place *place)
{
    if (list->done.octets == place->octets)
        return EX_OK;
    list->done = *place;
    return write_line(list);
}

int list_answer(struct list *list, const char *text, enum rb_verdict verdict,
                const struct input_place *place)
{
    int status;

    hide_awaited(list);
    status = write_all(text, strlen(text));
    if (status != EX_OK)
        return status;
    list->counts[verdict]++;
    list->answered++;
    if (place == NULL)
        return EX_OK;
    list->done = *place;
    return write_line(list);
}

void list_end(struct list *list)
{
    hide_awaited(list);
    if (list->shown)
        show_counts(list, "\n");
    if (list->fd >= 0)
        (void)close(list->fd);
    list->fd = -1;
}
