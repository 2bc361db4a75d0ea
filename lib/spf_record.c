/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf_record: the grammar of SPF records (RFC 7208 4.5, 4.6.1, 5, 6, 12) and their macros (7). It
 * must not ask DNS, and must let nothing through that the grammar does not have.
 *
 *   record    = "v=spf1" *( 1*SP ( directive / modifier ) ) *SP
 *   directive = [ "+" / "-" / "?" / "~" ] mechanism [ ":" domain-spec or network ] [ cidr ]
 *   modifier  = name "=" macro-string
 */
#include "config.h"

#include "spf_record.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "netguard.h"

enum {
    NAME_MAX_OCTETS = 253, /* of a domain, RFC 7208 7.3 */
    LABEL_MAX_OCTETS = 63,
    EXPANDED_MAX = 2048,    /* of a domain-spec, before it is cut to a domain's length */
    MACRO_VALUE_MAX = 512,  /* of what a macro stands for, before it is taken apart */
    MACRO_DIGITS_MAX = 128, /* of the number of parts to keep */
    CLIENT_TEXT_SIZE = 64,  /* 32 nibbles and the dots between them */
};

/* Stands for what cannot be asked for: dns refuses it. */
static const char no_name[] = "a..a";

static const char domain_letters[] = "slodiphv"; /* of a domain-spec's macros */
static const char all_letters[] = "slodiphvcrt"; /* of any (RFC 7208 7.2) */

/* A part of the record; not terminated. */
struct span {
    const char *at;
    size_t len;
};

/* Text written up to a ceiling; what does not fit sets `full`, and stays out. */
struct writer {
    char *text;
    size_t len, max;
    bool full;
};

struct reader {
    const struct spf_macros *macros;
    struct spf_plain *plain;
    struct writer out;
    unsigned terms, lookups;
    bool is_decided; /* nothing behind this directive counts: "all", or the client's own network */
    bool has_exp, has_redirect;
    struct span redirect;
};

static void put(struct writer *writer, const char *text, size_t len)
{
    if (len > writer->max - writer->len) {
        writer->full = true;
        return;
    }
    memcpy(writer->text + writer->len, text, len);
    writer->len += len;
    writer->text[writer->len] = '\0';
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* Not isalpha() and its kin: those ask the locale. */
static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_word(struct span span, const char *word)
{
    return span.len == strlen(word) && strncasecmp(span.at, word, span.len) == 0;
}

static struct span span_from(struct span span, size_t offset)
{
    return (struct span){span.at + offset, span.len - offset};
}

/* --- Macros ----------------------------------------------------------------- */

struct macro {
    char letter; /* in lower case */
    bool is_escaped, is_reversed;
    size_t keep; /* parts, from the right; 0: all */
    struct span delimiters;
};

/* Reads what is between the braces. False when that is no macro. */
static bool read_macro(struct span span, const char *letters, struct macro *macro)
{
    size_t at = 1;
    if (span.len == 0 || span.at[0] == '\0' || strchr(letters, lower(span.at[0])) == NULL)
        return false;
    *macro = (struct macro){.letter = lower(span.at[0]), .is_escaped = span.at[0] < 'a'};
    bool has_digits = at < span.len && is_digit(span.at[at]);
    for (; at < span.len && is_digit(span.at[at]); at++) {
        macro->keep = macro->keep * 10 + (size_t)(span.at[at] - '0');
        if (macro->keep > MACRO_DIGITS_MAX)
            return false;
    }
    if (has_digits && macro->keep == 0)
        return false;
    if (at < span.len && lower(span.at[at]) == 'r') {
        macro->is_reversed = true;
        at++;
    }
    macro->delimiters = span_from(span, at);
    for (; at < span.len; at++) {
        if (strchr(".-+,/_=", span.at[at]) == NULL || span.at[at] == '\0')
            return false;
    }
    if (macro->delimiters.len == 0)
        macro->delimiters = (struct span){".", 1};
    return true;
}

static bool is_delimiter(const struct macro *macro, char c)
{
    return memchr(macro->delimiters.at, c, macro->delimiters.len) != NULL;
}

/* The part of value with this index, counted from the left; *count: how many there are. */
static struct span part_of(struct span value, const struct macro *macro, size_t index,
                           size_t *count)
{
    struct span part = {value.at, 0};
    size_t start = 0;
    *count = 0;
    for (size_t at = 0; at <= value.len; at++) {
        if (at < value.len && !is_delimiter(macro, value.at[at]))
            continue;
        if (*count == index)
            part = (struct span){value.at + start, at - start};
        (*count)++;
        start = at + 1;
    }
    return part;
}

/* RFC 7208 7.3: all but RFC 3986's unreserved octets. */
static void put_escaped(struct writer *out, struct span span)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < span.len; i++) {
        const char c = span.at[i];
        if (is_alpha(c) || is_digit(c) || (c != '\0' && strchr("-._~", c) != NULL)) {
            put(out, &c, 1);
            continue;
        }
        const char code[] = {'%', hex[(unsigned char)c >> 4], hex[(unsigned char)c & 0xf]};
        put(out, code, sizeof code);
    }
}

static void put_value(struct writer *out, const struct macro *macro, struct span value)
{
    size_t count;
    (void)part_of(value, macro, 0, &count);
    size_t keep = macro->keep > 0 && macro->keep < count ? macro->keep : count;
    for (size_t i = count - keep; i < count; i++) {
        size_t ignored;
        struct span part = part_of(value, macro, macro->is_reversed ? count - 1 - i : i, &ignored);
        if (i > count - keep)
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
        inet_ntop(AF_INET, &v4.sin_addr, text, CLIENT_TEXT_SIZE);
        return;
    }
    memcpy(&v6, client, sizeof v6);
    for (size_t i = 0; i < 16; i++) {
        text[4 * i] = hex[v6.sin6_addr.s6_addr[i] >> 4];
        text[4 * i + 2] = hex[v6.sin6_addr.s6_addr[i] & 0xf];
        text[4 * i + 1] = text[4 * i + 3] = '.';
    }
    text[CLIENT_TEXT_SIZE - 1] = '\0';
}

/* What the letter stands for; "" at least. */
static void put_macro_value(struct reader *reader, char letter, struct writer *value)
{
    const struct spf_macros *macros = reader->macros;
    char client[CLIENT_TEXT_SIZE];
    switch (letter) {
    case 'l':
    case 's':
        reader->plain->by_sender = true;
        put_text(value, macros->local);
        if (letter == 's') {
            put(value, "@", 1);
            put_text(value, macros->sender_domain);
        }
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
        reader->plain->needs_client_name = macros->client_name == NULL;
        put_text(value, macros->client_name != NULL ? macros->client_name : "unknown");
        break;
    case 'v':
        put_text(value, macros->client->sa_family == AF_INET ? "in-addr" : "ip6");
        break;
    default: /* h: read_macro lets no other through */
        reader->plain->by_helo = true;
        put_text(value, macros->helo);
        break;
    }
}

static void put_macro(struct reader *reader, const struct macro *macro, struct writer *out)
{
    char text[MACRO_VALUE_MAX + 1] = "";
    struct writer value = {.text = text, .max = MACRO_VALUE_MAX};
    put_macro_value(reader, macro->letter, &value);
    put_value(out, macro, (struct span){text, value.len});
    out->full = out->full || value.full;
}

/*
 * Reads what is behind a "%" at the span's start; *used: octets of it. Written where out is not
 * NULL.
 */
static bool read_escape(struct reader *reader, struct span span, const char *letters,
                        struct writer *out, size_t *used)
{
    struct macro macro;
    *used = 1;
    if (span.len == 0)
        return false;
    if (span.at[0] == '{') {
        const char *close = memchr(span.at, '}', span.len);
        if (close == NULL)
            return false;
        *used = (size_t)(close - span.at) + 1;
        if (!read_macro((struct span){span.at + 1, *used - 2}, letters, &macro))
            return false;
        if (out != NULL && !out->full)
            put_macro(reader, &macro, out);
        return true;
    }
    if (out != NULL) /* "%_" and "%-" are spaces; neither can stand in a name */
        put_text(out, span.at[0] == '%' ? "%" : " ");
    return strchr("%_-", span.at[0]) != NULL;
}

/*
 * Reads a macro-string, and writes it expanded where out is not NULL. False when it is none by the
 * grammar. letters: the macros that may stand in it.
 */
static bool read_macro_string(struct reader *reader, struct span span, const char *letters,
                              struct writer *out)
{
    for (size_t at = 0, used; at < span.len; at += used) {
        if (span.at[at] == '%') {
            if (!read_escape(reader, span_from(span, at + 1), letters, out, &used))
                return false;
            used++;
            continue;
        }
        if (span.at[at] <= ' ' || span.at[at] > '~')
            return false;
        if (out != NULL)
            put(out, span.at + at, 1);
        used = 1;
    }
    return true;
}

/* --- Domains ---------------------------------------------------------------- */

/* domain-end of RFC 7208 7.1: a macro, or a dot and a top label ("-" or a letter in it). */
static bool has_domain_end(struct span span)
{
    if (span.len > 0 && span.at[span.len - 1] == '}')
        return true;
    if (span.len > 1 && span.at[span.len - 2] == '%' && strchr("%_-", span.at[span.len - 1]))
        return true;
    if (span.len > 0 && span.at[span.len - 1] == '.')
        span.len--;
    size_t start = span.len;
    bool is_number = true;
    for (; start > 0 && span.at[start - 1] != '.'; start--) {
        const char c = span.at[start - 1];
        if (!is_alpha(c) && !is_digit(c) && c != '-')
            return false;
        is_number = is_number && is_digit(c);
    }
    return start > 0 && start < span.len && !is_number && span.at[start] != '-' &&
           span.at[span.len - 1] != '-';
}

/* Whether that is a name for DNS, of octets that the evaluating library takes for nothing else. */
static bool is_plain(struct span name)
{
    size_t label = 0;
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.at[i];
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX_OCTETS || (c == '.' && (i == 0 || name.at[i - 1] == '.')))
            return false;
        if (!is_alpha(c) && !is_digit(c) && (c == '\0' || strchr("-_.+=~*#&^|!", c) == NULL))
            return false;
    }
    return label > 0;
}

/* RFC 7208 7.3: labels are taken off the left until what is left may be a domain. */
static struct span cut_to_domain(struct span name)
{
    while (name.len > NAME_MAX_OCTETS) /* ends: a plain name's labels are shorter than that */
        name =
            span_from(name, (size_t)((const char *)memchr(name.at, '.', name.len) - name.at) + 1);
    return name;
}

/* Whether it is one by the grammar. */
static bool is_domain_spec(struct reader *reader, struct span spec)
{
    return has_domain_end(spec) && read_macro_string(reader, spec, domain_letters, NULL);
}

/* Writes the domain that a domain-spec stands for. */
static void put_domain(struct reader *reader, struct span spec)
{
    char text[EXPANDED_MAX + 1] = "";
    struct writer expanded = {.text = text, .max = EXPANDED_MAX};
    (void)read_macro_string(reader, spec, domain_letters, &expanded);
    struct span name = {text, expanded.len};
    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    if (expanded.full || !is_plain(name)) {
        put_text(&reader->out, no_name);
        return;
    }
    name = cut_to_domain(name);
    for (size_t i = 0; i < name.len; i++)
        text[i] = lower(name.at[i]); /* towards the left or in place */
    put(&reader->out, text, name.len);
}

/* --- Mechanisms ------------------------------------------------------------- */

/* Takes "/24" or "//64" off the end. *bits is -1 where there is none. False: a bad number. */
static bool take_cidr(struct span *span, const char *slashes, int most, int *bits)
{
    size_t at = span->len, mark = strlen(slashes);
    int value = 0;
    *bits = -1;
    while (at > 0 && is_digit(span->at[at - 1]))
        at--;
    size_t digits = span->len - at;
    if (digits == 0 || at < mark || memcmp(span->at + at - mark, slashes, mark) != 0)
        return true;
    if (digits > 3 || (digits > 1 && span->at[at] == '0'))
        return false;
    for (size_t i = at; i < span->len; i++)
        value = value * 10 + (span->at[i] - '0');
    span->len = at - mark;
    *bits = value;
    return value <= most;
}

/* The directive's parts: "-a:example.org/24//64". */
struct directive {
    char qualifier;
    struct span name;
    bool has_value;    /* there is a ":" */
    struct span value; /* what is behind it, or what begins with "/" */
};

static void put_head(struct reader *reader, const struct directive *directive, const char *name)
{
    const char head[] = {' ', directive->qualifier};
    put(&reader->out, head, sizeof head);
    put_text(&reader->out, name);
    reader->plain->directives++;
}

/* Nothing that stands behind the term that breaks the limit can be reached (RFC 7208 4.6.4). */
static bool is_out_of_reach(const struct reader *reader)
{
    return reader->is_decided || reader->lookups > SPF_LOOKUPS_MAX;
}

/* Checks a mechanism that asks DNS, and writes it when it can be reached. */
static bool put_lookup(struct reader *reader, const struct directive *directive, const char *name,
                       bool *is_written)
{
    *is_written = !is_out_of_reach(reader);
    if (directive->has_value && !is_domain_spec(reader, directive->value))
        return false;
    if (!*is_written)
        return true;
    put_head(reader, directive, name);
    if (directive->has_value) {
        put(&reader->out, ":", 1);
        put_domain(reader, directive->value);
    }
    reader->lookups++;
    return true;
}

static void put_cidr(struct reader *reader, int v4, int v6)
{
    char text[16];
    if (v4 >= 0) {
        (void)snprintf(text, sizeof text, "/%d", v4);
        put_text(&reader->out, text);
    }
    if (v6 >= 0) {
        (void)snprintf(text, sizeof text, "//%d", v6);
        put_text(&reader->out, text);
    }
}

/* "a" and "mx": [":" domain-spec] ["/" bits] ["//" bits] */
static bool read_hosts(struct reader *reader, struct directive *directive, const char *name)
{
    int v4, v6;
    if (!take_cidr(&directive->value, "//", 128, &v6) ||
        !take_cidr(&directive->value, "/", 32, &v4) || v4 == 0 || v6 == 0)
        return false;
    if (!directive->has_value && directive->value.len > 0)
        return false;
    bool is_written;
    if (!put_lookup(reader, directive, name, &is_written))
        return false;
    if (is_written)
        put_cidr(reader, v4, v6);
    return true;
}

/* "ip4" and "ip6": the client is in that network, or the directive says nothing. */
static bool read_network(struct reader *reader, struct directive *directive, int family)
{
    char text[INET6_ADDRSTRLEN];
    struct rb_network network = {.addr = {[10] = 0xff, [11] = 0xff}};
    const bool is_v4 = family == AF_INET;
    int bits;
    if (!directive->has_value || !take_cidr(&directive->value, "/", is_v4 ? 32 : 128, &bits) ||
        directive->value.len >= sizeof text)
        return false;
    memcpy(text, directive->value.at, directive->value.len);
    text[directive->value.len] = '\0';
    if (inet_pton(family, text, network.addr + (is_v4 ? 12 : 0)) != 1)
        return false;
    network.bits = (uint8_t)(is_v4 ? 96 + (bits < 0 ? 32 : bits) : (bits < 0 ? 128 : bits));
    if (reader->macros->client->sa_family != family || is_out_of_reach(reader) ||
        !network_contains(&network, reader->macros->client))
        return true;
    put_head(reader, directive, "all");
    reader->is_decided = true;
    return true;
}

static bool read_all(struct reader *reader, const struct directive *directive)
{
    if (directive->has_value || directive->value.len > 0)
        return false;
    if (!is_out_of_reach(reader))
        put_head(reader, directive, "all");
    reader->is_decided = true;
    return true;
}

static bool read_named(struct reader *reader, const struct directive *directive, const char *name,
                       bool needs_value)
{
    if (directive->has_value ? directive->value.len == 0 : needs_value || directive->value.len > 0)
        return false;
    bool is_written;
    return put_lookup(reader, directive, name, &is_written);
}

static bool read_directive(struct reader *reader, struct directive *directive)
{
    const struct span name = directive->name;
    if (is_word(name, "all"))
        return read_all(reader, directive);
    if (is_word(name, "ip4"))
        return read_network(reader, directive, AF_INET);
    if (is_word(name, "ip6"))
        return read_network(reader, directive, AF_INET6);
    if (is_word(name, "a"))
        return read_hosts(reader, directive, "a");
    if (is_word(name, "mx"))
        return read_hosts(reader, directive, "mx");
    if (is_word(name, "include"))
        return read_named(reader, directive, "include", true);
    if (is_word(name, "exists"))
        return read_named(reader, directive, "exists", true);
    return is_word(name, "ptr") && read_named(reader, directive, "ptr", false);
}

/* --- Records ---------------------------------------------------------------- */

static bool read_modifier(struct reader *reader, struct span name, struct span value)
{
    bool *seen = is_word(name, "redirect") ? &reader->has_redirect
                 : is_word(name, "exp")    ? &reader->has_exp
                                           : NULL;
    if (seen == NULL)
        return read_macro_string(reader, value, all_letters, NULL);
    if (*seen || !is_domain_spec(reader, value))
        return false;
    *seen = true;
    if (seen == &reader->has_redirect)
        reader->redirect = value;
    return true;
}

static bool read_term(struct reader *reader, struct span term)
{
    struct directive directive = {.qualifier = '+'};
    const bool has_qualifier = strchr("+-?~", term.at[0]) != NULL;
    if (has_qualifier) {
        directive.qualifier = term.at[0];
        term = span_from(term, 1);
    }
    size_t len = 0;
    while (len < term.len && (is_alpha(term.at[len]) || is_digit(term.at[len]) ||
                              strchr("-_.", term.at[len]) != NULL))
        len++;
    if (len == 0 || !is_alpha(term.at[0]))
        return false;
    directive.name = (struct span){term.at, len};
    struct span rest = span_from(term, len);
    if (rest.len > 0 && rest.at[0] == '=')
        return !has_qualifier && read_modifier(reader, directive.name, span_from(rest, 1));
    directive.has_value = rest.len > 0 && rest.at[0] == ':';
    directive.value = directive.has_value ? span_from(rest, 1) : rest;
    return read_directive(reader, &directive);
}

/* RFC 7208 6.1: behind all mechanisms, wherever it stands; not beside an "all". */
static void put_redirect(struct reader *reader)
{
    if (!reader->has_redirect || is_out_of_reach(reader))
        return;
    put_text(&reader->out, " redirect=");
    reader->plain->directives++;
    put_domain(reader, reader->redirect);
}

static const char version[] = "v=spf1";
enum { VERSION_LEN = sizeof version - 1 };

bool spf_record_is_one(const char *text, size_t len)
{
    return len >= VERSION_LEN && strncasecmp(text, version, VERSION_LEN) == 0 &&
           (len == VERSION_LEN || text[VERSION_LEN] == ' ');
}

bool spf_record_read(const char *text, size_t len, const struct spf_macros *macros,
                     struct spf_plain *plain)
{
    *plain = (struct spf_plain){.directives = 0};
    struct reader reader = {
        .macros = macros, .plain = plain, .out = {.text = plain->text, .max = SPF_PLAIN_MAX}};
    if (len > SPF_RECORD_MAX || !spf_record_is_one(text, len) || memchr(text, '\0', len) != NULL)
        return false;
    put_text(&reader.out, version);
    for (size_t at = VERSION_LEN; at < len;) {
        const char *space = memchr(text + at, ' ', len - at);
        struct span term = {text + at, space != NULL ? (size_t)(space - text) - at : len - at};
        at += term.len + 1;
        if (term.len == 0)
            continue;
        if (++reader.terms > SPF_TERMS_MAX || !read_term(&reader, term))
            return false;
    }
    put_redirect(&reader);
    return !reader.out.full;
}
