/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_macro: the grammar (RFC 7208 7.1) and its expansion (7.2, 7.3). It must not ask DNS.
 *
 *   domain-spec  = macro-string ( "." toplabel [ "." ] / macro-expand )
 *   macro-string = *( macro-expand / %x21-24 / %x26-7E )
 *   macro-expand = "%{" letter [ 1*DIGIT ] [ "r" ] *delimiter "}" / "%%" / "%_" / "%-"
 */
#include "config.h"

#include "spf/macro.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "dns/name.h"

enum {
    NAME_MAX_OCTETS = 253, /* RFC 7208 7.3 */
    EXPANDED_MAX = 4096,   /* of a domain-spec, before it is cut to a name's length */
    VALUE_MAX = 600,       /* of what a macro stands for: two names, or a mailbox */
    KEEP_MAX = 128,        /* parts to keep; no value of a macro has more (7.3) */
    CLIENT_TEXT_SIZE = 64, /* 32 nibbles and the dots between them */
};

static const char domain_letters[] = "slodiphv"; /* of a domain-spec's macros */
static const char all_letters[] = "slodiphvcrt"; /* of an explanation's too */
static const char delimiters[] = ".-+,/_=";

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static void drop(struct spf_span *span, size_t count)
{
    span->at += count;
    span->len -= count;
}

/* --- The grammar ------------------------------------------------------------ */

/* What is between "%{" and "}". */
struct macro {
    char letter; /* in lower case */
    bool is_escaped, is_reversed;
    size_t keep; /* parts, from the right; 0: all */
    struct spf_span delimiters;
};

/* What a macro-string is made of. */
struct piece {
    bool is_expand;    /* begins with "%" */
    const char *plain; /* what it stands for, if it is none of "%{...}"; else NULL */
    size_t plain_len;
    struct macro macro; /* else this */
};

/* False: a number that is none. */
static bool take_keep(struct spf_span *span, size_t *keep)
{
    bool has_digits = span->len > 0 && spf_is_digit(span->at[0]);

    for (*keep = 0; span->len > 0 && spf_is_digit(span->at[0]); drop(span, 1)) {
        *keep = *keep * 10 + (size_t)(span->at[0] - '0');
        if (*keep > KEEP_MAX)
            return false;
    }
    return !has_digits || *keep > 0;
}

/* Reads what is between the braces. */
static bool read_macro(struct spf_span span, const char *letters, struct macro *macro)
{
    if (span.len == 0 || !spf_is_one_of(lower(span.at[0]), letters))
        return false;
    *macro = (struct macro){.letter = lower(span.at[0]), .is_escaped = span.at[0] < 'a'};
    drop(&span, 1);
    if (!take_keep(&span, &macro->keep))
        return false;
    macro->is_reversed = span.len > 0 && lower(span.at[0]) == 'r';
    if (macro->is_reversed)
        drop(&span, 1);
    for (size_t i = 0; i < span.len; i++)
        if (!spf_is_one_of(span.at[i], delimiters))
            return false;
    macro->delimiters = span.len > 0 ? span : (struct spf_span){".", 1};
    return true;
}

/* "%%", "%_" or "%-". */
static bool take_escape(struct spf_span *rest, struct piece *piece)
{
    if (rest->len < 2 || !spf_is_one_of(rest->at[1], "%_-"))
        return false;
    piece->plain = rest->at[1] == '%' ? "%" : rest->at[1] == '_' ? " " : "%20";
    piece->plain_len = strlen(piece->plain);
    drop(rest, 2);
    return true;
}

static bool take_macro(struct spf_span *rest, const char *letters, struct piece *piece)
{
    const char *close = memchr(rest->at, '}', rest->len);
    size_t len;

    if (close == NULL)
        return false;
    len = (size_t)(close - rest->at) + 1;
    if (!read_macro((struct spf_span){rest->at + 2, len - 3}, letters, &piece->macro))
        return false;
    drop(rest, len);
    return true;
}

/* Takes the first piece off a macro-string that is not empty. False: it is none. */
static bool take_piece(struct spf_span *rest, const char *letters, struct piece *piece)
{
    *piece = (struct piece){.is_expand = rest->at[0] == '%'};
    if (piece->is_expand)
        return rest->len > 1 && rest->at[1] == '{' ? take_macro(rest, letters, piece)
                                                   : take_escape(rest, piece);
    if (rest->at[0] <= ' ' || rest->at[0] > '~')
        return false;
    piece->plain = rest->at;
    piece->plain_len = 1;
    drop(rest, 1);
    return true;
}

/* *tail: what stands behind the last macro-expand. */
static bool read_macro_string(struct spf_span text, const char *letters, struct spf_span *tail)
{
    struct piece piece;

    *tail = text;
    while (text.len > 0) {
        if (!take_piece(&text, letters, &piece))
            return false;
        if (piece.is_expand)
            *tail = text;
    }
    return true;
}

bool spf_is_macro_string(struct spf_span text)
{
    struct spf_span tail;

    return read_macro_string(text, all_letters, &tail);
}

/* Letters, digits and hyphens, with a hyphen neither first nor last, and not digits alone. */
static bool is_top_label(struct spf_span label)
{
    bool is_number = true;

    for (size_t i = 0; i < label.len; i++) {
        if (!spf_is_alpha(label.at[i]) && !spf_is_digit(label.at[i]) && label.at[i] != '-')
            return false;
        is_number = is_number && spf_is_digit(label.at[i]);
    }
    return !is_number && label.at[0] != '-' && label.at[label.len - 1] != '-';
}

/* Whether a text ends in a dot and a top label, and perhaps another dot. */
static bool has_top_label(struct spf_span text)
{
    size_t start;

    if (text.len > 0 && text.at[text.len - 1] == '.')
        text.len--;
    for (start = text.len; start > 0 && text.at[start - 1] != '.'; start--) {
    }
    return start > 0 && is_top_label((struct spf_span){text.at + start, text.len - start});
}

bool spf_is_domain_spec(struct spf_span spec)
{
    struct spf_span tail;

    return spec.len > 0 && read_macro_string(spec, domain_letters, &tail) &&
           (tail.len == 0 || has_top_label(tail));
}

unsigned spf_domain_uses(struct spf_span spec)
{
    struct piece piece;
    unsigned uses = 0;

    while (spec.len > 0 && take_piece(&spec, domain_letters, &piece)) {
        if (piece.macro.letter == 'l' || piece.macro.letter == 's')
            uses |= SPF_USES_SENDER;
        else if (piece.macro.letter == 'h')
            uses |= SPF_USES_HELO;
        else if (piece.macro.letter == 'p')
            uses |= SPF_USES_CLIENT_NAME;
    }
    return uses;
}

/* --- Expansion --------------------------------------------------------------- */

/* Text written up to a ceiling; what does not fit sets `full`, and stays out. */
struct writer {
    char *text;
    size_t len, max;
    bool full;
};

static void put(struct writer *writer, const char *text, size_t len)
{
    if (len > writer->max - writer->len) {
        writer->full = true;
        return;
    }
    memcpy(writer->text + writer->len, text, len);
    writer->len += len;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* RFC 7208 7.3: all but RFC 3986's unreserved octets. */
static void put_escaped(struct writer *out, struct spf_span span)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < span.len; i++) {
        const char c = span.at[i];
        const char code[] = {'%', hex[(unsigned char)c >> 4], hex[(unsigned char)c & 0xf]};

        if (spf_is_alpha(c) || spf_is_digit(c) || spf_is_one_of(c, "-._~"))
            put(out, &c, 1);
        else
            put(out, code, sizeof code);
    }
}

/* The part of a value with this index, counted from the left; *count: how many there are. */
static struct spf_span part_of(struct spf_span value, struct spf_span marks, size_t index,
                               size_t *count)
{
    struct spf_span part = {value.at, 0};
    size_t start = 0;

    *count = 0;
    for (size_t at = 0; at <= value.len; at++) {
        if (at < value.len && memchr(marks.at, value.at[at], marks.len) == NULL)
            continue;
        if (*count == index)
            part = (struct spf_span){value.at + start, at - start};
        (*count)++;
        start = at + 1;
    }
    return part;
}

/* The parts that are to be kept, with dots between them. */
static void put_parts(struct writer *out, const struct macro *macro, struct spf_span value)
{
    size_t count, first, ignored;

    (void)part_of(value, macro->delimiters, 0, &count);
    first = macro->keep > 0 && macro->keep < count ? count - macro->keep : 0;
    for (size_t i = first; i < count; i++) {
        const size_t index = macro->is_reversed ? count - 1 - i : i;
        const struct spf_span part = part_of(value, macro->delimiters, index, &ignored);

        if (i > first)
            put(out, ".", 1);
        if (macro->is_escaped)
            put_escaped(out, part);
        else
            put(out, part.at, part.len);
    }
}

/* "192.0.2.1", or the nibbles of an IPv6 address with dots between them (RFC 7208 7.3). */
static void client_text(const struct sockaddr *client, char text[CLIENT_TEXT_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (client->sa_family == AF_INET) {
        memcpy(&v4, client, sizeof v4);
        (void)inet_ntop(AF_INET, &v4.sin_addr, text, CLIENT_TEXT_SIZE);
        return;
    }
    memcpy(&v6, client, sizeof v6);
    for (size_t i = 0; i < sizeof v6.sin6_addr; i++) {
        text[4 * i] = hex[v6.sin6_addr.s6_addr[i] >> 4];
        text[4 * i + 2] = hex[v6.sin6_addr.s6_addr[i] & 0xf];
        text[4 * i + 1] = text[4 * i + 3] = '.';
    }
    text[CLIENT_TEXT_SIZE - 1] = '\0';
}

static void put_value(struct writer *value, const struct spf_macros *macros, char letter)
{
    char client[CLIENT_TEXT_SIZE];

    switch (letter) {
    case 's':
        put_text(value, macros->local);
        put(value, "@", 1);
        put_text(value, macros->sender_domain);
        break;
    case 'l':
        put_text(value, macros->local);
        break;
    case 'o':
        put_text(value, macros->sender_domain);
        break;
    case 'd':
        put_text(value, macros->domain);
        break;
    case 'i':
        client_text(macros->client, client);
        put_text(value, client);
        break;
    case 'p':
        put_text(value, macros->client_name);
        break;
    case 'v':
        put_text(value, macros->client->sa_family == AF_INET ? "in-addr" : "ip6");
        break;
    default: /* h: take_piece lets no other through */
        put_text(value, macros->helo);
        break;
    }
}

static void put_macro(struct writer *out, const struct macro *macro,
                      const struct spf_macros *macros)
{
    char text[VALUE_MAX];
    struct writer value = {.text = text, .max = sizeof text};

    put_value(&value, macros, macro->letter);
    put_parts(out, macro, (struct spf_span){text, value.len});
    out->full = out->full || value.full;
}

/* RFC 7208 7.3: labels are taken off the left until what is left may be a name. */
static struct spf_span cut_to_name(struct spf_span name)
{
    while (name.len > NAME_MAX_OCTETS) {
        const char *dot = memchr(name.at, '.', name.len);

        if (dot == NULL)
            break;
        drop(&name, (size_t)(dot - name.at) + 1);
    }
    return name;
}

bool spf_domain_expand(struct spf_span spec, const struct spf_macros *macros,
                       char name[RB_DOMAIN_MAX + 1])
{
    char text[EXPANDED_MAX];
    struct writer out = {.text = text, .max = sizeof text};
    struct spf_span expanded;
    struct piece piece;

    while (spec.len > 0 && take_piece(&spec, domain_letters, &piece)) {
        if (piece.plain != NULL)
            put(&out, piece.plain, piece.plain_len);
        else
            put_macro(&out, &piece.macro, macros);
    }
    if (out.len > 0 && text[out.len - 1] == '.')
        out.len--;
    expanded = cut_to_name((struct spf_span){text, out.len});
    if (out.full || expanded.len > NAME_MAX_OCTETS)
        return false;
    for (size_t i = 0; i < expanded.len; i++)
        name[i] = lower(expanded.at[i]);
    name[expanded.len] = '\0';
    return dns_name_can_be_asked(name);
}
