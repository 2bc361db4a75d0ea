/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * macro: the grammar (RFC 7208 7.1) and its expansion (7.2, 7.3). It must not ask DNS.
 *
 *   domain-spec  = macro-string ( "." toplabel [ "." ] / macro-expand )
 *   macro-string = *( macro-expand / %x21-24 / %x26-7E )
 *   macro-expand = "%{" letter [ 1*DIGIT ] [ "r" ] *delimiter "}" / "%%" / "%_" / "%-"
 */
#include "config.h"

#include "spf/macro.h"

#include <arpa/inet.h>

#include "base/text.h"
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

static void drop_octets(struct span *span, size_t count)
{
    *span = span_from(*span, count);
}

/* --- The grammar ------------------------------------------------------------ */

/* What is between "%{" and "}". */
struct macro {
    char letter; /* in lower case */
    bool is_escaped, is_reversed;
    size_t keep; /* parts, from the right; 0: all */
    struct span delimiters;
};

/* What a macro-string is made of. */
struct piece {
    bool is_expand;    /* begins with "%" */
    const char *plain; /* what it stands for, if it is none of "%{...}"; else NULL */
    size_t plain_len;
    struct macro macro; /* else this */
};

/* False: a number that is none. */
static bool take_keep(struct span *span, size_t *keep)
{
    bool has_digits = span->len > 0 && char_is_digit(span->at[0]);

    for (*keep = 0; span->len > 0 && char_is_digit(span->at[0]); drop_octets(span, 1)) {
        *keep = *keep * 10 + (size_t)(span->at[0] - '0');
        if (*keep > KEEP_MAX)
            return false;
    }
    return !has_digits || *keep > 0;
}

/* Reads what is between the braces. */
static bool read_macro(struct span span, const char *letters, struct macro *macro)
{
    if (span.len == 0 || !char_is_in(char_lower(span.at[0]), letters))
        return false;
    *macro = (struct macro){.letter = char_lower(span.at[0]), .is_escaped = span.at[0] < 'a'};
    drop_octets(&span, 1);
    if (!take_keep(&span, &macro->keep))
        return false;
    macro->is_reversed = span.len > 0 && char_lower(span.at[0]) == 'r';
    if (macro->is_reversed)
        drop_octets(&span, 1);
    for (size_t i = 0; i < span.len; i++)
        if (!char_is_in(span.at[i], delimiters))
            return false;
    macro->delimiters = span.len > 0 ? span : (struct span){".", 1};
    return true;
}

/* "%%", "%_" or "%-". */
static bool take_escape(struct span *rest, struct piece *piece)
{
    if (rest->len < 2 || !char_is_in(rest->at[1], "%_-"))
        return false;
    piece->plain = rest->at[1] == '%' ? "%" : rest->at[1] == '_' ? " " : "%20";
    piece->plain_len = strlen(piece->plain);
    drop_octets(rest, 2);
    return true;
}

static bool take_macro(struct span *rest, const char *letters, struct piece *piece)
{
    const char *close = memchr(rest->at, '}', rest->len);
    size_t len;

    if (close == NULL)
        return false;
    len = (size_t)(close - rest->at) + 1;
    if (!read_macro((struct span){rest->at + 2, len - 3}, letters, &piece->macro))
        return false;
    drop_octets(rest, len);
    return true;
}

/* Takes the first piece off a macro-string that is not empty. False: it is none. */
static bool take_piece(struct span *rest, const char *letters, struct piece *piece)
{
    *piece = (struct piece){.is_expand = rest->at[0] == '%'};
    if (piece->is_expand)
        return rest->len > 1 && rest->at[1] == '{' ? take_macro(rest, letters, piece)
                                                   : take_escape(rest, piece);
    if (rest->at[0] <= ' ' || rest->at[0] > '~')
        return false;
    piece->plain = rest->at;
    piece->plain_len = 1;
    drop_octets(rest, 1);
    return true;
}

/* *tail: what stands behind the last macro-expand. */
static bool read_macro_string(struct span text, const char *letters, struct span *tail)
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

bool spf_macro_is_string(struct span text)
{
    struct span tail;

    return read_macro_string(text, all_letters, &tail);
}

/* Letters, digits and hyphens, with a hyphen neither first nor last, and not digits alone. */
static bool is_top_label(struct span label)
{
    bool is_number = true;

    for (size_t i = 0; i < label.len; i++) {
        if (!char_is_letter(label.at[i]) && !char_is_digit(label.at[i]) && label.at[i] != '-')
            return false;
        is_number = is_number && char_is_digit(label.at[i]);
    }
    return !is_number && label.at[0] != '-' && label.at[label.len - 1] != '-';
}

/* Whether a text ends in a dot and a top label, and perhaps another dot. */
static bool has_top_label(struct span text)
{
    size_t start;

    if (text.len > 0 && text.at[text.len - 1] == '.')
        text.len--;
    for (start = text.len; start > 0 && text.at[start - 1] != '.'; start--) {
    }
    return start > 0 && is_top_label((struct span){text.at + start, text.len - start});
}

bool spf_macro_is_domain_spec(struct span spec)
{
    struct span tail;

    return spec.len > 0 && read_macro_string(spec, domain_letters, &tail) &&
           (tail.len == 0 || has_top_label(tail));
}

unsigned spf_macro_uses(struct span spec)
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

static void put_octets(struct writer *writer, const char *text, size_t len)
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
    put_octets(writer, text, strlen(text));
}

/* RFC 7208 7.3: all but RFC 3986's unreserved octets. */
static void put_escaped(struct writer *out, struct span span)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < span.len; i++) {
        const char c = span.at[i];
        const char code[] = {'%', hex[(unsigned char)c >> 4], hex[(unsigned char)c & 0xf]};

        if (char_is_letter(c) || char_is_digit(c) || char_is_in(c, "-._~"))
            put_octets(out, &c, 1);
        else
            put_octets(out, code, sizeof code);
    }
}

/* The part of a value with this index, counted from the left; *count: how many there are. */
static struct span part_of(struct span value, struct span marks, size_t index, size_t *count)
{
    struct span part = {value.at, 0};
    size_t start = 0;

    *count = 0;
    for (size_t at = 0; at <= value.len; at++) {
        if (at < value.len && memchr(marks.at, value.at[at], marks.len) == NULL)
            continue;
        if (*count == index)
            part = (struct span){value.at + start, at - start};
        (*count)++;
        start = at + 1;
    }
    return part;
}

/* The parts that are to be kept, with dots between them. */
static void put_parts(struct writer *out, const struct macro *macro, struct span value)
{
    size_t count, first, ignored;

    (void)part_of(value, macro->delimiters, 0, &count);
    first = macro->keep > 0 && macro->keep < count ? count - macro->keep : 0;
    for (size_t i = first; i < count; i++) {
        const size_t index = macro->is_reversed ? count - 1 - i : i;
        const struct span part = part_of(value, macro->delimiters, index, &ignored);

        if (i > first)
            put_octets(out, ".", 1);
        if (macro->is_escaped)
            put_escaped(out, part);
        else
            put_octets(out, part.at, part.len);
    }
}

/* "192.0.2.1", or the nibbles of an IPv6 address with dots between them (RFC 7208 7.3). */
static void write_client(const struct ip *client, char text[CLIENT_TEXT_SIZE])
{
    static const char hex[] = "0123456789abcdef";

    if (ip_is_v4(client)) {
        (void)inet_ntop(AF_INET, ip_v4(client), text, CLIENT_TEXT_SIZE);
        return;
    }
    for (size_t i = 0; i < sizeof client->octets; i++) {
        text[4 * i] = hex[client->octets[i] >> 4];
        text[4 * i + 2] = hex[client->octets[i] & 0xf];
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
        put_octets(value, "@", 1);
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
        write_client(macros->client, client);
        put_text(value, client);
        break;
    case 'p':
        put_text(value, macros->client_name);
        break;
    case 'v':
        put_text(value, ip_is_v4(macros->client) ? "in-addr" : "ip6");
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
    put_parts(out, macro, (struct span){text, value.len});
    out->full = out->full || value.full;
}

/* RFC 7208 7.3: labels are taken off the left until what is left may be a name. */
static struct span cut_to_name(struct span name)
{
    while (name.len > NAME_MAX_OCTETS) {
        const char *dot = memchr(name.at, '.', name.len);

        if (dot == NULL)
            break;
        drop_octets(&name, (size_t)(dot - name.at) + 1);
    }
    return name;
}

bool spf_macro_expand(struct span spec, const struct spf_macros *macros,
                      char name[RB_DOMAIN_MAX + 1])
{
    char text[EXPANDED_MAX];
    struct writer out = {.text = text, .max = sizeof text};
    struct span expanded;
    struct piece piece;

    while (spec.len > 0 && take_piece(&spec, domain_letters, &piece)) {
        if (piece.plain != NULL)
            put_octets(&out, piece.plain, piece.plain_len);
        else
            put_macro(&out, &piece.macro, macros);
    }
    if (out.len > 0 && text[out.len - 1] == '.')
        out.len--;
    expanded = cut_to_name((struct span){text, out.len});
    if (out.full || expanded.len > NAME_MAX_OCTETS)
        return false;
    (void)text_copy_part(name, RB_DOMAIN_MAX + 1, expanded.at, expanded.len);
    text_lower(name);
    return dns_name_can_be_asked(name);
}
