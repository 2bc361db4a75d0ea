/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record: the grammar of SPF records. It must not ask DNS, and must let nothing through that
 * the grammar does not have.
 *
 *   record    = "v=spf1" *( 1*SP ( directive / modifier ) ) *SP
 *   directive = [ "+" / "-" / "?" / "~" ] mechanism [ ":" domain-spec or network ] [ cidr ]
 *   modifier  = name "=" macro-string
 */
#include "config.h"

#include "spf/record.h"

#include <arpa/inet.h>

#include "base/text.h"
#include "spf/macro.h"

enum { V4_BITS = 32, V6_BITS = 128 };

static const char version[] = "v=spf1";
enum { VERSION_LEN = sizeof version - 1 };

/* --- Mechanisms --------------------------------------------------------------- */

/* Takes "/24" or "//64" off the end. *bits stays where there is none. False: a bad number. */
static bool take_bits(struct span *span, const char *slashes, unsigned most, unsigned *bits)
{
    const size_t mark = strlen(slashes);
    struct span digits;
    size_t at = span->len;

    while (at > 0 && char_is_digit(span->at[at - 1]))
        at--;
    digits = span_from(*span, at);
    if (digits.len == 0 || at < mark || memcmp(span->at + at - mark, slashes, mark) != 0)
        return true;
    span->len = at - mark;
    return (digits.len == 1 || digits.at[0] != '0') &&
           text_number(digits.at, digits.len, most, bits);
}

/* What stands behind a mechanism's name: with a ":" before it, or not. */
struct argument {
    bool has_colon;
    struct span text;
};

/* include, exists, ptr: [ ":" domain-spec ] */
static bool read_domain(struct argument argument, bool is_needed, struct spf_term *term)
{
    term->domain = argument.text;
    return argument.has_colon ? spf_macro_is_domain_spec(argument.text)
                              : !is_needed && argument.text.len == 0;
}

/* a, mx: [ ":" domain-spec ] [ "/" bits ] [ "//" bits ] */
static bool read_hosts(struct argument argument, struct spf_term *term)
{
    return take_bits(&argument.text, "//", V6_BITS, &term->v6_bits) &&
           take_bits(&argument.text, "/", V4_BITS, &term->v4_bits) &&
           read_domain(argument, false, term);
}

/* ip4, ip6: ":" network [ "/" bits ] */
static bool read_network(struct argument argument, int family, unsigned *bits,
                         struct spf_term *term)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t octets[IP_LEN];

    if (!argument.has_colon || !take_bits(&argument.text, "/", *bits, bits) ||
        !text_copy_part(text, sizeof text, argument.text.at, argument.text.len) ||
        strlen(text) != argument.text.len || inet_pton(family, text, octets) != 1)
        return false;
    if (family == AF_INET)
        term->network = ip_from_v4(octets);
    else
        memcpy(term->network.octets, octets, sizeof octets);
    return true;
}

static bool read_mechanism(struct span name, struct argument argument, struct spf_term *term)
{
    static const char *const names[] = {
        [SPF_ALL] = "all", [SPF_INCLUDE] = "include", [SPF_A] = "a",     [SPF_MX] = "mx",
        [SPF_PTR] = "ptr", [SPF_IP4] = "ip4",         [SPF_IP6] = "ip6", [SPF_EXISTS] = "exists",
    };
    size_t kind = 0;

    while (kind < sizeof names / sizeof names[0] && !span_is(name, names[kind]))
        kind++;
    term->kind = (enum spf_kind)kind;
    switch (term->kind) {
    case SPF_ALL:
        return !argument.has_colon && argument.text.len == 0;
    case SPF_INCLUDE:
    case SPF_EXISTS:
        return read_domain(argument, true, term);
    case SPF_PTR:
        return read_domain(argument, false, term);
    case SPF_A:
    case SPF_MX:
        return read_hosts(argument, term);
    case SPF_IP4:
        return read_network(argument, AF_INET, &term->v4_bits, term);
    case SPF_IP6:
        return read_network(argument, AF_INET6, &term->v6_bits, term);
    default:
        return false; /* no mechanism that there is */
    }
}

/* --- Terms --------------------------------------------------------------------- */

static bool read_modifier(struct span name, struct span value, struct spf_term *term)
{
    term->kind = span_is(name, "redirect") ? SPF_REDIRECT
                 : span_is(name, "exp")    ? SPF_EXP
                                           : SPF_OTHER;
    if (term->kind == SPF_OTHER)
        return spf_macro_is_string(value);
    term->domain = value;
    return spf_macro_is_domain_spec(value);
}

/* Octets of the name that a text begins with: ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static size_t name_length(struct span text)
{
    size_t len = 0;

    if (text.len == 0 || !char_is_letter(text.at[0]))
        return 0;
    while (len < text.len && (char_is_letter(text.at[len]) || char_is_digit(text.at[len]) ||
                              char_is_in(text.at[len], "-_.")))
        len++;
    return len;
}

static bool read_term(struct span text, struct spf_term *term)
{
    const bool has_qualifier = char_is_in(text.at[0], "+-?~");
    struct argument argument;
    struct span name;

    *term =
        (struct spf_term){.text = text, .qualifier = '+', .v4_bits = V4_BITS, .v6_bits = V6_BITS};
    if (has_qualifier) {
        term->qualifier = text.at[0];
        text = span_from(text, 1);
    }
    name = (struct span){text.at, name_length(text)};
    if (name.len == 0)
        return false;
    text = span_from(text, name.len);
    if (text.len > 0 && text.at[0] == '=')
        return !has_qualifier && read_modifier(name, span_from(text, 1), term);
    argument.has_colon = text.len > 0 && text.at[0] == ':';
    argument.text = argument.has_colon ? span_from(text, 1) : text;
    return read_mechanism(name, argument, term);
}

bool spf_record_next(struct span *rest, struct spf_term *term)
{
    struct span text;
    const char *space;

    while (rest->len > 0 && rest->at[0] == ' ')
        *rest = span_from(*rest, 1);
    term->text = *rest;
    if (rest->len == 0)
        return false;
    space = memchr(rest->at, ' ', rest->len);
    text = (struct span){rest->at, space != NULL ? (size_t)(space - rest->at) : rest->len};
    *rest = span_from(*rest, text.len);
    return read_term(text, term);
}

/* --- Records ------------------------------------------------------------------- */

bool spf_record_is_one(struct span text)
{
    return span_begins(text, version) && (text.len == VERSION_LEN || text.at[VERSION_LEN] == ' ');
}

struct span spf_record_terms(struct span record)
{
    return span_from(record, VERSION_LEN);
}

bool spf_record_is_good(struct span record, struct spf_term *term)
{
    struct span rest;
    unsigned count = 0, redirects = 0, explanations = 0;

    term->text = (struct span){record.at, 0};
    if (record.len > SPF_RECORD_MAX || !spf_record_is_one(record))
        return false;
    rest = spf_record_terms(record);
    while (spf_record_next(&rest, term)) {
        redirects += term->kind == SPF_REDIRECT;
        explanations += term->kind == SPF_EXP;
        if (redirects > 1 || explanations > 1)
            return false;
        if (++count > SPF_TERMS_MAX) {
            term->text.len = 0;
            return false;
        }
    }
    return term->text.len == 0;
}
