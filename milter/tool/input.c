/* SPDX-License-Identifier: BSD-2-Clause */
/* input: see input.h. Must not know what a line means. */
#include "config.h"

#include "tool/input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static const uint64_t fnv_prime = 0x100000001b3;
static const char byte_order_mark[] = "\xef\xbb\xbf";

const struct input_place input_beginning = {.octets = 0, .check = 0xcbf29ce484222325};

void input_begin(struct input *input, int fd)
{
    input->fd = fd;
    input->begin = input->end = 0;
    input->len = 0;
    input->place = input_beginning;
    input->given = false;
}

/* Moves on by so many octets of the block, which count for place and checksum. */
static void pass_octets(struct input *input, size_t count)
{
    uint64_t check = input->place.check;

    for (size_t i = 0; i < count; i++)
        check = (check ^ (uint8_t)input->block[input->begin + i]) * fnv_prime;
    input->begin += count;
    input->place.octets += count;
    input->place.check = check;
}

/* One read. INPUT_LINE: there is something in the block. */
static enum input_state read_block(struct input *input)
{
    ssize_t count = read(input->fd, input->block, sizeof input->block);

    if (count < 0)
        return errno == EINTR || errno == EAGAIN ? INPUT_LATER : INPUT_ERROR;
    input->begin = 0;
    input->end = (size_t)count;
    return count == 0 ? INPUT_END : INPUT_LINE;
}

static bool has_something(const struct input *input)
{
    struct pollfd at = {.fd = input->fd, .events = POLLIN};

    return poll(&at, 1, 0) > 0;
}

/* Keeps what fits of the block up to the line's end. True: that is there. */
static bool gather_line(struct input *input)
{
    const char *from = input->block + input->begin;
    size_t there = input->end - input->begin;
    const char *newline = memchr(from, '\n', there);
    size_t count = newline != NULL ? (size_t)(newline - from) : there;
    size_t room = sizeof input->line - input->len;
    size_t kept = count < room ? count : room;

    memcpy(input->line + input->len, from, kept);
    input->len += kept;
    pass_octets(input, newline != NULL ? count + 1 : count);
    return newline != NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum input_state give_line(struct input *input, bool is_first, struct input_line *line)
{
    const size_t mark = sizeof byte_order_mark - 1;

    *line = (struct input_line){.text = input->line, .len = input->len, .end = input->place};
    if (is_first && line->len >= mark && memcmp(line->text, byte_order_mark, mark) == 0) {
        line->text += mark;
        line->len -= mark;
    }
    while (line->len > 0 && is_blank(line->text[line->len - 1]))
        line->len--;
    for (; line->len > 0 && is_blank(line->text[0]); line->len--)
        line->text++;
    input->given = true;
    return INPUT_LINE;
}

enum input_state input_next(struct input *input, struct input_line *line)
{
    bool is_first = input->len == input->place.octets && !input->given;

    if (input->given)
        input->len = 0;
    input->given = false;
    for (;;) {
        enum input_state state;

        if (input->begin < input->end && gather_line(input))
            return give_line(input, is_first, line);
        if (!has_something(input))
            return INPUT_LATER;
        state = read_block(input);
        if (state == INPUT_END && input->len > 0)
            return give_line(input, is_first, line);
        if (state != INPUT_LINE)
            return state;
    }
}

enum input_state input_skip(struct input *input, uint64_t octets)
{
    while (input->place.octets < octets) {
        uint64_t left = octets - input->place.octets;
        size_t there = input->end - input->begin;

        if (there == 0) {
            enum input_state state = read_block(input);

            if (state != INPUT_LINE)
                return state;
            continue;
        }
        pass_octets(input, there < left ? there : (size_t)left);
    }
    return INPUT_LINE;
}
