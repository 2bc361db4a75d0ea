/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reply: reads SMTP replies octet by octet (RFC 5321 4.2, 4.2.1, 4.5.3.1.5; RFC 2034 4). It must
 * not know what a reply means, and keeps nothing between replies.
 *
 *   reply    = *( code "-" [ text ] eol ) code [ SP [ text ] ] eol
 *   code     = %x32-35 2DIGIT              ; the same on every line, but behind a teaser
 *   eol      = [ CR ] LF
 *   text     = [ enhanced ] *( %x01-09 / %x0B-FF )
 *   enhanced = [ "#" ] class "." 1*3DIGIT "." 1*3DIGIT   ; class as in code, no word octet behind
 * it
 */
#include "config.h"

#include "smtp/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
    CODE_LEN = 3,
    ENHANCED_DIGITS_MAX = 3, /* of subject and detail: RFC 3463 2 */
    CODES_TEXT_MAX = 32,     /* any int, the enhanced code and two spaces */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Only what counts: the buffers are long and a session reads many replies. */
static void forget(struct reply *reply)
{
    reply->code = 0;
    reply->enhanced[0] = '\0';
    reply->text[0] = '\0';
    reply->text_len = 0;
    reply->lines = 0;
    reply->cut = false;
}

void reply_parser_init(struct reply_parser *parser)
{
    forget(&parser->reply);
    parser->line[0] = '\0';
    parser->line_len = 0;
    parser->status = REPLY_MORE;
    parser->teaser = false;
}

/* True when octet can stand at that place of a line. Garbage is known at once, without its LF. */
static bool may_stand(size_t place, char octet)
{
    if (octet == '\0')
        return false;
    if (place == 0)
        return octet >= '2' && octet <= '5';
    if (place < CODE_LEN)
        return char_is_digit(octet);
    if (place == CODE_LEN)
        return octet == ' ' || octet == '-' || octet == '\r';
    return true;
}

/* The octets of one to three digits at the start of text; 0 when there are none or too many. */
static size_t digits_len(const char *text)
{
    size_t len = 0;

    while (len <= ENHANCED_DIGITS_MAX && char_is_digit(text[len]))
        len++;
    return len <= ENHANCED_DIGITS_MAX ? len : 0;
}

/* The octets of "5.1.1" at the start of text; 0 when there is no enhanced code of that class. */
static size_t enhanced_len(const char *text, char class)
{
    size_t len = 2;
    size_t digits;

    if (text[0] != class || text[1] != '.')
        return 0;
    digits = digits_len(text + len);
    if (digits == 0 || text[len + digits] != '.')
        return 0;
    len += digits + 1;
    digits = digits_len(text + len);
    if (digits == 0)
        return 0;
    len += digits;
    /* "5.1.1.9" is an address, "5.1.1a" a version. */
    if ((text[len] == '.' && char_is_digit(text[len + 1])) || char_is_8bit(text[len]) ||
        text[len] == '_' || char_is_letter(text[len]))
        return 0;
    return len;
}

/* Takes the enhanced code off the start of a line; returns what is left of the line. */
static const char *take_enhanced(struct reply *reply, const char *line, char class)
{
    const char *text = line;
    size_t len;

    while (is_blank(*text))
        text++;
    if (*text == '#')
        text++;
    len = enhanced_len(text, class);
    if (len == 0)
        return line;
    if (reply->enhanced[0] == '\0') {
        memcpy(reply->enhanced, text, len);
        reply->enhanced[len] = '\0';
    } else if (strlen(reply->enhanced) != len || memcmp(reply->enhanced, text, len) != 0) {
        return line; /* a second opinion stays in the text */
    }
    text += len;
    while (is_blank(*text) || *text == ':')
        text++;
    return text;
}

static void append_text(struct reply *reply, const char *text, size_t len)
{
    const size_t room = REPLY_TEXT_MAX - reply->text_len;

    if (reply->cut)
        return;
    if (len > room) {
        len = room;
        reply->cut = true;
    }
    memcpy(reply->text + reply->text_len, text, len);
    reply->text_len += len;
    reply->text[reply->text_len] = '\0';
}

/* A line is complete and stands in parser->line without its end. */
static enum reply_status take_line(struct reply_parser *parser)
{
    struct reply *reply = &parser->reply;
    const char *line = parser->line;
    const char *text;
    bool last;
    int code;

    if (parser->line_len < CODE_LEN)
        return REPLY_MALFORMED;
    code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (reply->lines > 0 && code != reply->code) {
        if (!parser->teaser || reply->code != 220 || (code != 521 && code != 421))
            return REPLY_MALFORMED;
        parser->teaser = false;
        forget(reply);
    }
    if (reply->lines == REPLY_LINES_MAX)
        return REPLY_TOO_LONG;
    reply->code = code;

    last = line[CODE_LEN] != '-';
    text = parser->line_len > CODE_LEN ? line + CODE_LEN + 1 : line + CODE_LEN;
    text = take_enhanced(reply, text, line[0]);
    if (reply->lines > 0)
        append_text(reply, "\n", 1);
    append_text(reply, text, strlen(text));
    reply->lines++;
    parser->line_len = 0;
    return last ? REPLY_DONE : REPLY_MORE;
}

static enum reply_status take_octet(struct reply_parser *parser, char octet)
{
    const size_t len = parser->line_len;

    if (octet == '\n') {
        if (len > 0 && parser->line[len - 1] == '\r')
            parser->line_len--;
        parser->line[parser->line_len] = '\0';
        return take_line(parser);
    }
    if (!may_stand(len, octet))
        return REPLY_MALFORMED;
    /* A CR that follows the code must be the line's end. */
    if (len == CODE_LEN + 1 && parser->line[CODE_LEN] == '\r')
        return REPLY_MALFORMED;
    /* The last place of the buffer is for the CR of the line's end alone. */
    if (len > REPLY_LINE_MAX - 1 && (len > REPLY_LINE_MAX || octet != '\r'))
        return REPLY_TOO_LONG;
    parser->line[parser->line_len++] = octet;
    return REPLY_MORE;
}

enum reply_status reply_feed(struct reply_parser *parser, const char *octets, size_t len,
                             size_t *used)
{
    size_t i = 0;

    while (i < len && parser->status == REPLY_MORE)
        parser->status = take_octet(parser, octets[i++]);
    *used = i;
    return parser->status;
}

size_t reply_format(const struct reply *reply, char *text, size_t size)
{
    static const size_t dots_len = 3;
    char whole[CODES_TEXT_MAX + REPLY_TEXT_MAX + 1];
    size_t len;

    if (size <= dots_len) {
        if (size > 0)
            text[0] = '\0';
        return 0;
    }
    len = (size_t)snprintf(whole, sizeof whole, "%03d%s%s", reply->code,
                           reply->enhanced[0] != '\0' ? " " : "", reply->enhanced);
    if (reply->text_len > 0) {
        whole[len++] = ' ';
        memcpy(whole + len, reply->text, reply->text_len);
        len += reply->text_len;
    }
    while (len > 0 && (is_blank(whole[len - 1]) || whole[len - 1] == '\n'))
        len--;
    return text_printable(text, size, whole, len);
}

int reply_class(const struct reply *reply)
{
    return reply->code / 100;
}
