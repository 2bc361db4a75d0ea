/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * input: the lines of a list that `ringback verify -` reads, whatever is in them: each in
 * bounded memory, without ever waiting for one, and with a checksum of all that came so far, by
 * which a list is known again. One thread.
 */
#ifndef RB_MILTER_TOOL_INPUT_H
#define RB_MILTER_TOOL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INPUT_LINE_MAX = 1024, /* octets kept of a line; an address has 320 at most */
    INPUT_BLOCK = 16384,   /* octets read at once */
};

/* Where in the list something is. */
struct input_place {
    uint64_t octets; /* from its beginning */
    uint64_t check;  /* FNV-1a, 64 bits, of those */
};

/* The place where every list begins. */
extern const struct input_place input_beginning;

struct input {
    int fd;
    size_t begin, end;        /* of what is in the block and not looked at yet */
    size_t len;               /* of the line */
    struct input_place place; /* behind what was looked at */
    bool given;               /* the caller has had the line: the next one begins */
    char line[INPUT_LINE_MAX];
    char block[INPUT_BLOCK];
};

enum input_state {
    INPUT_LINE,
    INPUT_LATER, /* there is no whole line yet */
    INPUT_END,
    INPUT_ERROR, /* errno says why */
};

/* A line, without blanks around it: in the input, until the next call. */
struct input_line {
    const char *text; /* not terminated; may hold anything, NUL too */
    size_t len;       /* 0: blank */
    struct input_place end;
};

/* Begins with a descriptor, which stays the caller's. */
void input_begin(struct input *input, int fd);

/*
 * The next line: ended by LF, by CR LF, or by the end of the input. What goes beyond INPUT_LINE_MAX
 * octets is counted, not kept. A byte order mark (U+FEFF) before the first line is none of it. Does
 * not wait.
 */
enum input_state input_next(struct input *input, struct input_line *line);

/*
 * Passes over what is before the first line, until so many octets have been seen, and waits for
 * them. INPUT_LINE: done, and input->place has their checksum. INPUT_END: there are fewer.
 * INPUT_LATER: a signal came; call again, or do not.
 */
enum input_state input_skip(struct input *input, uint64_t octets);

#endif
