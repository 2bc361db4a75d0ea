/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * play: see play.h. Nothing is sent here.
 */
#include "config.h"

#include "play.h"

#include <assert.h>
#include <string.h>

#define ENDLESS_CHUNK 8192 /* octets of repeated lines that are made ready at once */

void play_init(struct play *p)
{
    *p = (struct play){.count = 0};
    buf_init(&p->octets, PLAY_OCTETS_MAX);
}

void play_fini(struct play *p)
{
    buf_free(&p->octets);
}

void play_clear(struct play *p)
{
    p->count = 0;
    p->at = 0;
    p->done = 0;
    buf_clear(&p->octets);
}

static struct step *push(struct play *p, enum step_kind kind)
{
    assert(p->count < PLAY_STEPS_MAX);
    struct step *step = &p->steps[p->count++];
    *step = (struct step){.kind = kind};
    return step;
}

void play_step(struct play *p, enum step_kind kind)
{
    (void)push(p, kind);
}

void play_wait(struct play *p, int64_t ms)
{
    if (ms > 0)
        push(p, STEP_WAIT)->ms = ms;
}

/* The octets added since off become a step. */
static void push_octets(struct play *p, enum step_kind kind, size_t off, struct drip drip)
{
    struct step *step = push(p, kind);
    step->off = off;
    step->len = p->octets.len - off;
    step->ms = drip.ms;
    step->piece = drip.piece;
}

void play_send(struct play *p, const void *octets, size_t len, struct drip drip)
{
    size_t off = p->octets.len;
    buf_add(&p->octets, octets, len);
    push_octets(p, STEP_SEND, off, drip);
}

/* The same noise each time (xorshift32), so that what fails can be tried again. */
void play_noise(struct play *p, size_t len, struct drip drip)
{
    size_t off = p->octets.len;
    uint32_t x = 2463534242U;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        buf_add(&p->octets, &(unsigned char){(unsigned char)(x >> 24)}, 1);
    }
    push_octets(p, STEP_SEND, off, drip);
}

static const char *word_for(char letter, const struct play_words *words)
{
    switch (letter) {
    case 'a':
        return words->address;
    case 's':
        return words->sender;
    case 'h':
        return words->host_name;
    case 'i':
        return words->host_ip;
    case 'c':
        return words->client_ip;
    case 'H':
        return words->helo;
    default:
        return NULL;
    }
}

static void expand(struct buf *out, const char *text, size_t len, const struct play_words *words)
{
    for (size_t i = 0; i < len; i++) {
        const char *word = NULL;
        if (text[i] == '%' && i + 1 < len)
            word = text[i + 1] == '%' ? "%" : word_for(text[i + 1], words);
        if (word == NULL) {
            buf_add(out, text + i, 1);
            continue;
        }
        buf_str(out, word);
        i++;
    }
}

static bool has_code(const char *text, size_t len)
{
    return len >= 4 && text[0] >= '2' && text[0] <= '5' && text[1] >= '0' && text[1] <= '9' &&
           text[2] >= '0' && text[2] <= '9' && (text[3] == ' ' || text[3] == '-');
}

/* One line; code is what the line before had, or, where text brings its own, becomes that. */
static void add_line(struct buf *out, char code[4], bool last, const char *text, size_t len,
                     const struct play_words *words)
{
    if (has_code(text, len)) {
        memcpy(code, text, 3);
        text += 4;
        len -= 4;
    }
    buf_add(out, code, 3);
    if (len > 0 || !last)
        buf_str(out, last ? " " : "-");
    expand(out, text, len, words);
    buf_str(out, "\r\n");
}

static void code_digits(unsigned code, char digits[4])
{
    digits[0] = (char)('0' + code / 100 % 10);
    digits[1] = (char)('0' + code / 10 % 10);
    digits[2] = (char)('0' + code % 10);
    digits[3] = '\0';
}

void play_reply(struct play *p, struct play_reply reply, const struct play_words *words,
                struct drip drip)
{
    size_t off = p->octets.len;
    const char *line = reply.text;
    size_t left = reply.len;
    char code[4];
    code_digits(reply.code, code);
    for (bool last = false; !last;) {
        const char *bar = left > 0 ? memchr(line, '|', left) : NULL;
        size_t len = bar != NULL ? (size_t)(bar - line) : left;
        last = bar == NULL;
        add_line(&p->octets, code, last, line, len, words);
        if (!last) {
            line = bar + 1;
            left -= len + 1;
        }
    }
    push_octets(p, STEP_SEND, off, drip);
}

void play_join(struct play *p)
{
    assert(p->count >= 2 && p->steps[p->count - 2].kind == STEP_SEND);
    p->steps[p->count - 2].len += p->steps[p->count - 1].len;
    p->count--;
}

void play_huge(struct play *p, unsigned code, size_t size)
{
    char head[5];
    code_digits(code, head);
    head[3] = ' ';
    play_send(p, head, 4, (struct drip){.ms = 0});
    push(p, STEP_FILL)->len = size > 6 ? size - 6 : 0;
    play_send(p, "\r\n", 2, (struct drip){.ms = 0});
}

void play_endless(struct play *p, struct play_reply reply, const struct play_words *words,
                  struct drip drip)
{
    size_t off = p->octets.len;
    char code[4];
    code_digits(reply.code, code);
    do {
        add_line(&p->octets, code, false, reply.text, reply.len, words);
    } while (drip.ms == 0 && !p->octets.failed && p->octets.len - off < ENDLESS_CHUNK);
    push_octets(p, STEP_ENDLESS, off, drip);
}
