/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list: how far `ringback verify` has come with a list: shown on a terminal, with rate and time
 * left, or with whom it waits for, and kept in a file, so that a list that was broken off can be
 * taken up again. Writes the answers, too: each is written before it counts as done, so that none
 * is lost when the tool is killed, and at most the last one comes twice. One thread.
 */
#ifndef RB_MILTER_TOOL_LIST_H
#define RB_MILTER_TOOL_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "ringback.h"
#include "tool/input.h"

struct list {
    const char *resume;             /* the file's name; NULL: none */
    int fd;                         /* of that file; -1: none */
    struct input_place begun, done; /* of standard input: where this run began, what is done */
    uint64_t size;                  /* of standard input; 0: not known */
    uint64_t counts[RB_VERDICT_INVALID + 1]; /* of all runs */
    uint64_t answered;                       /* by this one */
    bool shown;   /* progress goes to a terminal, the answers elsewhere */
    bool waits;   /* both go to a terminal: between answers it shows what is waited for */
    bool waiting; /* such a line stands there */
    int64_t begun_waiting_ms, told_ms, sampled_ms; /* monotonic */
    struct input_place sample;                     /* done then, */
    uint64_t sample_answered;                      /* and answered */
    double rate, octets_rate;                      /* a second, of late */
};

/*
 * Begins, where a name is given from what the file says; a file that is not there is made, and
 * locked as long as the list lasts. EX_OK, or an exit status, having said on standard error what is
 * wrong: it cannot be read or written, is in use, or is none of ours. list_end is due in any case.
 */
int list_begin(struct list *list, const char *resume);

/*
 * Writes an answer, whole lines of it, and notes that standard input is done up to `place`; NULL:
 * the address was of the command line. EX_OK, or an exit status, having said what is wrong.
 */
int list_answer(struct list *list, const char *text, enum rb_verdict verdict,
                const struct input_place *place);

/*
 * Standard input is done up to there, with nothing to be answered. EX_OK or, having said so, an
 * exit status.
 */
int list_pass(struct list *list, const struct input_place *place);

/*
 * Shows how far it is, and what is waited for (len octets; NULL: nothing), if that was long ago and
 * anybody sees it.
 */
void list_show(struct list *list, const char *awaited, size_t len);

/* Ends: shows for the last time how far it has come. */
void list_end(struct list *list);

#endif
