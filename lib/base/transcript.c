/* SPDX-License-Identifier: BSD-2-Clause */
/* transcript: see the header. rb_answer_fini and rb_client_answer_fini stand here: a transcript is
 * all that an answer owns. */
#include "config.h"

#include "base/transcript.h"

#include <stdlib.h>
#include <string.h>

#include "base/sized.h"
#include "base/text.h"

enum {
    LINES_FIRST = 32, /* room made for the first lines; doubled as more come */
    IP_SIZE = 46,     /* INET6_ADDRSTRLEN */
};

struct line {
    int64_t t_ms;
    char dir;
    char *mx; /* one allocation: mx, ip and text behind each other, each with its NUL */
    const char *ip, *text;
};

struct rb_transcript {
    struct line *lines;
    size_t count, room;
};

struct rb_transcript *transcript_new(void)
{
    return calloc(1, sizeof(struct rb_transcript));
}

void transcript_free(struct rb_transcript *transcript)
{
    if (transcript == NULL)
        return;
    for (size_t i = 0; i < transcript->count; i++)
        free(transcript->lines[i].mx);
    free(transcript->lines);
    free(transcript);
}

static bool make_room(struct rb_transcript *transcript)
{
    if (transcript->count < transcript->room)
        return true;
    if (transcript->count >= RB_TRANSCRIPT_LINES_MAX)
        return false;
    size_t room = transcript->room == 0 ? LINES_FIRST : transcript->room * 2;
    if (room > RB_TRANSCRIPT_LINES_MAX)
        room = RB_TRANSCRIPT_LINES_MAX;
    struct line *lines = reallocarray(transcript->lines, room, sizeof *lines);
    if (lines == NULL)
        return false;
    transcript->lines = lines;
    transcript->room = room;
    return true;
}

static size_t printable(char *dst, size_t size, const char *src, size_t len)
{
    if (src == NULL)
        len = 0;
    return text_printable(dst, size, src == NULL ? "" : src, len);
}

static bool line_init(struct line *line, const char *mx, const char *ip, const char *text,
                      size_t len)
{
    char clean_mx[RB_DOMAIN_MAX + 1], clean_ip[IP_SIZE], clean_text[TRANSCRIPT_TEXT_MAX + 1];
    size_t mx_size = 1 + printable(clean_mx, sizeof clean_mx, mx, mx == NULL ? 0 : strlen(mx));
    size_t ip_size = 1 + printable(clean_ip, sizeof clean_ip, ip, ip == NULL ? 0 : strlen(ip));
    size_t text_size = 1 + printable(clean_text, sizeof clean_text, text, len);

    char *copy = malloc(mx_size + ip_size + text_size);
    if (copy == NULL)
        return false;
    memcpy(copy, clean_mx, mx_size);
    memcpy(copy + mx_size, clean_ip, ip_size);
    memcpy(copy + mx_size + ip_size, clean_text, text_size);
    line->mx = copy;
    line->ip = copy + mx_size;
    line->text = copy + mx_size + ip_size;
    return true;
}

void transcript_add(struct rb_transcript *transcript, int64_t t_ms, char dir, const char *mx,
                    const char *ip, const char *text, size_t len)
{
    if (transcript == NULL)
        return;
    if (dir != '<' && dir != '>')
        dir = '-';
    struct line line = {.t_ms = t_ms, .dir = dir};
    if (make_room(transcript) && line_init(&line, mx, ip, text, len))
        transcript->lines[transcript->count++] = line;
}

size_t rb_transcript_count(const struct rb_transcript *transcript)
{
    return transcript == NULL ? 0 : transcript->count;
}

struct rb_transcript_line rb_transcript_get(const struct rb_transcript *transcript, size_t index)
{
    if (index >= rb_transcript_count(transcript))
        return (struct rb_transcript_line){.dir = '-', .mx = "", .ip = "", .text = ""};
    const struct line *line = &transcript->lines[index];
    return (struct rb_transcript_line){
        .t_ms = line->t_ms,
        .dir = line->dir,
        .mx = line->mx,
        .ip = line->ip,
        .text = line->text,
    };
}

void rb_answer_fini(struct rb_answer *answer)
{
    static const struct rb_answer empty = {.size = sizeof empty};

    if (answer == NULL)
        return;
    if (sized_reach(answer, SIZED_ANSWER, sizeof empty) >= SIZED_ANSWER)
        transcript_free(answer->transcript);
    (void)sized_write(answer, SIZED_ANSWER, &empty, sizeof empty);
}

void rb_client_answer_fini(struct rb_client_answer *answer)
{
    static const struct rb_client_answer empty = {.size = sizeof empty};

    if (answer == NULL)
        return;
    if (sized_reach(answer, SIZED_CLIENT_ANSWER, sizeof empty) >= SIZED_CLIENT_ANSWER)
        transcript_free(answer->transcript);
    (void)sized_write(answer, SIZED_CLIENT_ANSWER, &empty, sizeof empty);
}
