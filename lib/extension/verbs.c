/* SPDX-License-Identifier: BSD-2-Clause */
/* verbs: see the header. It must not judge who may ask, nor what the answer is. */
#include "config.h"

#include "extension/verbs.h"

#include <stdio.h>
#include <string.h>

enum {
    PORT_MAX = 65535,
    HEX_PER_OCTET = 2,
    ADDR_V4_DIGITS = HEX_PER_OCTET * IP_V4_LEN,
    ADDR_DIGITS = HEX_PER_OCTET * IP_LEN,
    ENHANCED_NUMBER_MAX = 999, /* RFC 3463 2 */
};

static const char *const verb_names[] = {
    [VERBS_OTHER] = "",
    [VERBS_AYTTM] = "AYTTM",
    [VERBS_SOURCE] = "SOURCE",
    [VERBS_HOSTKEY] = "HOSTKEY",
};
static const char *const word_names[] = {
    [VERBS_NONE] = "", [VERBS_YES] = "yes",         [VERBS_MAYBE] = "maybe",
    [VERBS_NO] = "no", [VERBS_UNKNOWN] = "unknown",
};

enum {
    VERB_COUNT = sizeof verb_names / sizeof verb_names[0],
    WORD_COUNT = sizeof word_names / sizeof word_names[0],
};

const char *verbs_verb_name(enum verbs_verb verb)
{
    return (unsigned)verb < VERB_COUNT ? verb_names[verb] : "";
}

const char *verbs_word_name(enum verbs_word word)
{
    return (unsigned)word < WORD_COUNT ? word_names[word] : "";
}

/* --- Tokens ------------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Of a word; what else there is ends one. */
static bool is_of_word(char c)
{
    return char_is_letter(c) || char_is_digit(c) || char_is_8bit(c) || c == '-';
}

static struct span skip_blanks(struct span rest)
{
    while (rest.len > 0 && is_blank(*rest.at))
        rest = span_from(rest, 1);
    return rest;
}

static struct span cut_line_end(struct span line)
{
    while (line.len > 0 && char_is_in(line.at[line.len - 1], " \t\r\n"))
        line.len--;
    return line;
}

/* Takes the octets up to one that `ends` says yes to, or to the end. */
static struct span take_until(struct span *rest, bool (*ends)(char c))
{
    struct span taken = {rest->at, 0};

    while (taken.len < rest->len && !ends(rest->at[taken.len]))
        taken.len++;
    *rest = span_from(*rest, taken.len);
    return taken;
}

static bool ends_arg(char c)
{
    return c == '-' || is_blank(c);
}

static bool ends_word(char c)
{
    return !is_of_word(c);
}

/* --- Writing a command ------------------------------------------------------- */

static uint16_t port_of(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return ntohs(v4.sin_port);
    }
    memcpy(&v6, address, sizeof v6);
    return ntohs(v6.sin6_port);
}

static bool is_unspecified(const struct ip *ip)
{
    static const struct ip none;
    const struct ip none4 = ip_from_v4(none.octets);

    return ip_is_same(ip, &none) || ip_is_same(ip, &none4);
}

struct verbs_ayttm verbs_ayttm_about(const struct sockaddr *client, const struct sockaddr *reached)
{
    struct verbs_ayttm question = {0};
    struct ip ip;

    if (!ip_from_sockaddr(client, &ip) || !ip_from_sockaddr(reached, &question.addr) ||
        port_of(client) == 0 || port_of(reached) == 0)
        return (struct verbs_ayttm){0};
    question.sport = port_of(client);
    question.dport = port_of(reached);
    question.has_addr = !is_unspecified(&question.addr);
    return question;
}

static size_t write_hex(const uint8_t *octets, size_t len, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        text[HEX_PER_OCTET * i] = digits[octets[i] >> 4];
        text[HEX_PER_OCTET * i + 1] = digits[octets[i] & 0xf];
    }
    text[HEX_PER_OCTET * len] = '\0';
    return HEX_PER_OCTET * len;
}

size_t verbs_ayttm_write(const struct verbs_ayttm *question, char line[VERBS_AYTTM_MAX + 1])
{
    const char *verb = verbs_verb_name(VERBS_AYTTM);
    int len = 0;

    if (question->dport == 0) {
        (void)text_copy(line, VERBS_AYTTM_MAX + 1, verb);
        return strlen(verb);
    }
    len = snprintf(line, VERBS_AYTTM_MAX + 1, "%s-%u-%u%s", verb, question->sport, question->dport,
                   question->has_addr ? "-" : "");
    if (!question->has_addr)
        return (size_t)len;
    if (ip_is_v4(&question->addr))
        return (size_t)len + write_hex(ip_v4(&question->addr), IP_V4_LEN, line + len);
    return (size_t)len + write_hex(question->addr.octets, IP_LEN, line + len);
}

/* --- Reading a command ------------------------------------------------------- */

enum verbs_verb verbs_command_read(struct span line, struct span *args)
{
    struct span rest = skip_blanks(cut_line_end(line));
    struct span name = take_until(&rest, ends_arg);

    *args = rest;
    for (unsigned verb = VERBS_OTHER + 1; verb < VERB_COUNT; verb++)
        if (span_is(name, verb_names[verb]))
            return (enum verbs_verb)verb;
    return VERBS_OTHER;
}

/* An argument with the separator before it; false: there is none. */
static bool take_arg(struct span *rest, struct span *arg)
{
    if (rest->len == 0)
        return false;
    *rest = is_blank(*rest->at) ? skip_blanks(*rest) : span_from(*rest, 1);
    *arg = take_until(rest, ends_arg);
    return true;
}

static bool read_port(struct span arg, uint16_t *port)
{
    unsigned number = 0;

    if (!text_number(arg.at, arg.len, PORT_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

/* 0..15; 16: it is none. */
static unsigned hex_digit(char c)
{
    if (char_is_digit(c))
        return (unsigned)(c - '0');
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

static bool read_hex(struct span arg, uint8_t *octets)
{
    for (size_t i = 0; i < arg.len; i += HEX_PER_OCTET) {
        const unsigned high = hex_digit(arg.at[i]), low = hex_digit(arg.at[i + 1]);

        if (high > 0xf || low > 0xf)
            return false;
        octets[i / HEX_PER_OCTET] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_addr(struct span arg, struct ip *addr)
{
    uint8_t octets[IP_LEN];

    if (arg.len != ADDR_V4_DIGITS && arg.len != ADDR_DIGITS)
        return false;
    if (!read_hex(arg, octets))
        return false;
    if (arg.len == ADDR_V4_DIGITS)
        *addr = ip_from_v4(octets);
    else
        memcpy(addr->octets, octets, sizeof addr->octets);
    return true;
}

bool verbs_ayttm_read(struct span args, struct verbs_ayttm *question)
{
    struct span rest = cut_line_end(args), arg;

    *question = (struct verbs_ayttm){0};
    if (rest.len == 0)
        return true;
    if (!take_arg(&rest, &arg) || !read_port(arg, &question->sport) || !take_arg(&rest, &arg) ||
        !read_port(arg, &question->dport) || question->dport == 0)
        return false;
    question->has_addr = take_arg(&rest, &arg);
    return rest.len == 0 && (!question->has_addr || read_addr(arg, &question->addr));
}

/* --- Replies ------------------------------------------------------------------ */

/* "4.5.0" and the blanks behind it; stays where there is none. */
static struct span skip_enhanced(struct span line)
{
    struct span rest = line;
    unsigned number = 0;

    for (unsigned part = 0; part < 3; part++) {
        size_t len = 0;

        while (len < rest.len && char_is_digit(rest.at[len]))
            len++;
        if (!text_number(rest.at, len, ENHANCED_NUMBER_MAX, &number))
            return line;
        rest = span_from(rest, len);
        if (rest.len == 0 || (part < 2 ? *rest.at != '.' : !is_blank(*rest.at)))
            return line;
        rest = span_from(rest, 1);
    }
    return skip_blanks(rest);
}

/* The word behind a verb: what is no letter, digit or "-" may follow it. */
static enum verbs_word read_word(struct span rest)
{
    struct span word = take_until(&rest, ends_word);

    for (unsigned i = VERBS_NONE + 1; i < WORD_COUNT; i++)
        if (span_is(word, word_names[i]))
            return (enum verbs_word)i;
    return VERBS_NONE;
}

/* Whether a host that knows a verb says that to it. */
static bool is_code_of_answer(int code)
{
    return (code / 100 == 2 || code / 100 == 4) && code != 421;
}

enum verbs_word verbs_reply_word(const char *command, int code, const char *text)
{
    struct span said = span_of(command);
    const struct span verb = take_until(&said, ends_arg);

    while (is_code_of_answer(code) && *text != '\0') {
        struct span rest = skip_enhanced(skip_blanks((struct span){text, strcspn(text, "\n")}));
        struct span name;

        text += strcspn(text, "\n");
        text += *text == '\n';
        name = take_until(&rest, is_blank);
        if (verb.len > 0 && name.len == verb.len && text_same_letters(name.at, verb.at, verb.len))
            return read_word(skip_blanks(rest));
    }
    return VERBS_NONE;
}

void verbs_reply_write(enum verbs_verb verb, enum verbs_word word, char text[VERBS_REPLY_MAX + 1])
{
    (void)snprintf(text, VERBS_REPLY_MAX + 1, "%s %s", verbs_verb_name(verb),
                   verbs_word_name(word));
}
