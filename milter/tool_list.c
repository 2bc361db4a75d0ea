/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool_list: see tool_list.h. The file has one line, "ringback-list 1 OCTETS", and is replaced as a whole. It is written after
 * what is done has been flushed: a list that was killed may have its last second of answers twice, and loses none.
 */
#include "config.h"

#include "tool_list.h"

#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { TELL_MS = 1000 };

static long since_ms(const struct timespec *then)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

/* "ringback-list 1 OCTETS" and nothing else. */
static bool read_line(const char *line, uint64_t *octets)
{
    static const char lead[] = "ringback-list 1 ";
    char *end;

    if (strncmp(line, lead, sizeof lead - 1) != 0 || line[sizeof lead - 1] < '0' ||
        line[sizeof lead - 1] > '9')
        return false;
    errno = 0;
    *octets = strtoull(line + sizeof lead - 1, &end, 10);
    return errno == 0 && strcmp(end, "\n") == 0;
}

/* False, having said what is wrong with the file. Look-ups are under way in other threads: no strerror. */
static bool complain(const struct list *list, int status, int error)
{
    char why[128];

    (void)tool_fail(status, "--resume: %s: %s", list->resume, strerror_r(error, why, sizeof why));
    return false;
}

static bool read_resume(struct list *list)
{
    FILE *file = fopen(list->resume, "r");
    char line[64] = "";
    bool good;

    if (file == NULL && errno == ENOENT)
        return true;
    if (file == NULL)
        return complain(list, EX_NOINPUT, errno);
    good = fgets(line, sizeof line, file) != NULL && read_line(line, &list->octets);
    (void)fclose(file);
    if (!good)
        (void)tool_fail(EX_DATAERR, "--resume: %s: not a file of ours", list->resume);
    return good;
}

bool list_begin(struct list *list, const char *resume)
{
    struct stat status;

    *list = (struct list){.resume = resume};
    list->shown = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        list->size = (uint64_t)status.st_size;
    clock_gettime(CLOCK_MONOTONIC, &list->began);
    list->told = list->began;
    if (resume != NULL && !read_resume(list))
        return false;
    list->begun = list->octets;
    return true;
}

/* "12/s, 1:02:03 left": of this run. */
static void print_pace(const struct list *list, uint64_t total)
{
    double seconds = (double)since_ms(&list->began) / 1000, rate;
    uint64_t left_s;

    if (seconds < 1 || total == 0)
        return;
    rate = (double)total / seconds;
    (void)fprintf(stderr, ", %.0f/s", rate);
    if (list->octets <= list->begun || list->octets >= list->size)
        return;
    left_s = (uint64_t)(seconds * (double)(list->size - list->octets) /
                        (double)(list->octets - list->begun));
    (void)fprintf(stderr, ", %" PRIu64 ":%02u:%02u left", left_s / 3600,
                  (unsigned)(left_s / 60 % 60), (unsigned)(left_s % 60));
}

static void show(const struct list *list, bool last)
{
    const uint64_t *counts = list->counts;
    uint64_t total =
        counts[RB_VERDICT_VALID] + counts[RB_VERDICT_INVALID] + counts[RB_VERDICT_UNKNOWN];

    if (!list->shown)
        return;
    (void)fprintf(stderr, "\r%" PRIu64 " valid, %" PRIu64 " invalid, %" PRIu64 " unknown",
                  counts[RB_VERDICT_VALID], counts[RB_VERDICT_INVALID], counts[RB_VERDICT_UNKNOWN]);
    print_pace(list, total);
    (void)fputs(last ? "\033[K\n" : "\033[K", stderr);
}

/* 0, or the errno of why not. */
static int keep(const struct list *list)
{
    char path[PATH_MAX];
    FILE *file;
    bool good;

    if (list->resume == NULL)
        return 0;
    if (fflush(stdout) != 0)
        return errno;
    if ((size_t)snprintf(path, sizeof path, "%s.new", list->resume) >= sizeof path)
        return ENAMETOOLONG;
    file = fopen(path, "w");
    if (file == NULL)
        return errno;
    good = fprintf(file, "ringback-list 1 %" PRIu64 "\n", list->octets) > 0;
    good = fclose(file) == 0 && good;
    return good && rename(path, list->resume) == 0 ? 0 : errno;
}

void list_done(struct list *list, uint64_t octets)
{
    list->octets += octets;
    if (since_ms(&list->told) < TELL_MS)
        return;
    clock_gettime(CLOCK_MONOTONIC, &list->told);
    show(list, false);
    (void)keep(list); /* the end says when that is not possible */
}

bool list_end(struct list *list)
{
    int error = keep(list);

    show(list, true);
    return error == 0 || complain(list, EX_CANTCREAT, error);
}
