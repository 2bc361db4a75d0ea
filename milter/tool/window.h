/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window: the questions of a list that are asked, or wait to be, between the line that was
 * read last and the answer that was given last. Answers come out in the order of the questions.
 * Bounded: so many lines, so many of them under way. A list is in no hurry: what a rate forbids now
 * is asked again when the rate allows it, what was too much for its mail host when that has been
 * left alone for a while, and the others are not kept from going on. One thread.
 */
#ifndef RB_MILTER_TOOL_WINDOW_H
#define RB_MILTER_TOOL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringback.h"
#include "tool/input.h"

enum {
    /*
     * As many as the default rate over all lets through in the time that one callout may take:
     * 2000/m, 120 s.
     */
    WINDOW_MAX = 4096,
    WINDOW_UNDER_WAY_MAX = 512,  /* asked, and not answered yet, */
    WINDOW_OF_DOMAIN_MAX = 32,   /* and of one domain: many lists are sorted by domain */
    WINDOW_PAUSE_MS = 60 * 1000, /* so long a domain waits whose mail host we were too much for, */
    WINDOW_PAUSES_MAX = 3,       /* and so often on end: it may not be a matter of time */
    WINDOW_DOMAINS = 1024,       /* places where domains are counted, by hash, */
    WINDOW_STEPS = 8,            /* and how far from its own place one is looked for */
};

/* One question. */
struct window_slot {
    char *input; /* NULL: the slot is empty */
    size_t len;
    uint32_t domain;          /* its hash */
    bool is_listed;           /* of standard input: */
    struct input_place place; /* where it ended */
    struct rb_ticket *ticket; /* while under way */
    char *text;               /* the answer, once there: whole lines */
    enum rb_verdict verdict;  /* and its verdict */
};

/*
 * How an answer looks: text that the window frees, NULL when memory ran out. The input is printable
 * in parts only.
 */
typedef char *window_format(const struct rb_answer *answer, const char *input, size_t len,
                            const void *arg);

/* Of domains with a hash: their mail host, for which we were too much. */
struct window_pause {
    unsigned times;   /* on end */
    int64_t until_ms; /* nothing is asked of it before */
};

struct window {
    struct rb_verifier *verifier;
    struct rb_question question; /* but for the address */
    window_format *format;
    const void *format_arg;
    int64_t pause_ms;                     /* WINDOW_PAUSE_MS, but in tests */
    struct window_slot slots[WINDOW_MAX]; /* a ring */
    size_t first, used, under_way;
    unsigned of_domain[WINDOW_DOMAINS]; /* those under way, by domain */
    bool any_put_off;                   /* some are not asked yet; */
    int64_t again_ms;                   /* then it is tried again what a rate forbade, */
    bool all_refused;                   /* until then nothing is asked, */
    uint32_t refused[WINDOW_DOMAINS];   /* or of these domains; 0: none */
    struct window_pause pauses[WINDOW_DOMAINS];
};

/*
 * Adds a question, and asks it if that is possible now. Not for a full window. RB_ERR_ARGUMENT: the
 * relay is none.
 */
enum rb_error window_add(struct window *window, const char *input, size_t len,
                         const struct input_place *place);

/* Looks who has an answer by now, and asks those who could not be asked before. */
enum rb_error window_look(struct window *window);

/* The oldest question, where its answer is there; NULL otherwise. */
const struct window_slot *window_oldest(const struct window *window);

/* The oldest question, where its answer is waited for; NULL otherwise. */
const struct window_slot *window_awaited(const struct window *window);

/* Drops the oldest question. */
void window_drop(struct window *window);

/* Leaves all that is under way. */
void window_fini(struct window *window);

#endif
