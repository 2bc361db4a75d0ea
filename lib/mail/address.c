/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address: see the header. It must not guess what a broken address may mean: MTAs let much pass,
 * and what one of them makes of it another does not.
 *
 *   path       = [ "<" ] [ route ] mailbox [ ">" ]
 *   route      = "@" *( literal / any octet but ":" ) ":"
 *   mailbox    = local "@" ( domain / literal )
 *   local      = word *( "." word )
 *   word       = *( atext / UTF8-non-ascii ) / quoted
 *   quoted     = DQUOTE *( %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii / "\" %d32-126 ) DQUOTE
 *   domain     = label *( "." label ) [ "." ]
 *   literal    = "[" ( IPv4 / "IPv6:" IPv6 ) "]"
 */
#include "config.h"

#include "mail/address.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "base/text.h"
#include "base/utf8.h"

enum {
    LABEL_MAX = 63,                       /* RFC 1035 2.3.4 */
    DOMAIN_INPUT_MAX = 4 * RB_DOMAIN_MAX, /* in UTF-8 it may be longer than in A-labels */
    /* How much of a literal is looked at: the tag and the longest address text. */
    LITERAL_MAX = 5 + INET6_ADDRSTRLEN,
};

/* What is still to be read. */
struct cursor {
    const char *at;
    const char *end;
    enum address_fault odd; /* the first fault that only stands in the way of asking */
};

static size_t octets_left(const struct cursor *in)
{
    return (size_t)(in->end - in->at);
}

static bool is_atext(char c)
{
    return char_is_letter(c) || char_is_digit(c) || char_is_in(c, "!#$%&'*+-/=?^_`{|}~");
}

/* C1 controls in UTF-8: 0xC2 is never a continuation octet, so the pair needs no decoding. */
static bool has_c1_control(const char *text, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        const unsigned char next = (unsigned char)text[i + 1];
        if ((unsigned char)text[i] == 0xC2 && next >= 0x80 && next <= 0x9F)
            return true;
    }
    return false;
}

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (char_is_8bit(text[i]))
            return false;
    }
    return true;
}

/* --- Domain ---------------------------------------------------------------- */

/*
 * Letters, digits, and hyphens between them. The underscore is no part of RFC 5321's grammar, but
 * domains that receive mail have it and MTAs let it pass; whether such a name exists is for DNS to
 * say.
 */
static enum address_fault check_label(const char *label, size_t len)
{
    if (len == 0)
        return ADDRESS_BAD_DOMAIN;
    if (len > LABEL_MAX)
        return ADDRESS_DOMAIN_TOO_LONG;
    if (label[0] == '-' || label[len - 1] == '-')
        return ADDRESS_BAD_DOMAIN;
    for (size_t i = 0; i < len; i++) {
        if (!char_is_letter(label[i]) && !char_is_digit(label[i]) && label[i] != '-' &&
            label[i] != '_')
            return ADDRESS_BAD_DOMAIN;
    }
    return ADDRESS_OK;
}

static enum address_fault check_labels(const char *name)
{
    for (;;) {
        const size_t len = strcspn(name, ".");
        const enum address_fault fault = check_label(name, len);
        if (fault != ADDRESS_OK || name[len] == '\0')
            return fault;
        name += len + 1;
    }
}

/* libidn2's errors become ours here. */
static enum address_fault idn_fault(int error)
{
    switch (error) {
    case IDN2_OK:
        return ADDRESS_OK;
    case IDN2_MALLOC:
        return ADDRESS_NOMEM;
    case IDN2_TOO_BIG_DOMAIN:
    case IDN2_TOO_BIG_LABEL:
        return ADDRESS_DOMAIN_TOO_LONG;
    default:
        return ADDRESS_BAD_IDN;
    }
}

/*
 * U-labels to A-labels, in place. STD3 rules stay off for the underscore's sake; check_labels looks
 * at what comes out, since mapping can yield any ASCII character.
 */
static enum address_fault to_a_labels(char name[DOMAIN_INPUT_MAX + 1])
{
    uint8_t *ascii = NULL;
    enum address_fault fault = idn_fault(
        idn2_lookup_u8((const uint8_t *)name, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT));

    if (fault == ADDRESS_OK && !text_copy(name, DOMAIN_INPUT_MAX + 1, (const char *)ascii))
        fault = ADDRESS_DOMAIN_TOO_LONG;
    idn2_free(ascii);
    return fault;
}

/*
 * A name in ASCII never goes through libidn2: it is in DNS as it stands, "xn--" labels that
 * IDNA2008 would not make (emoji) included, and nobody's mail is to be refused for them.
 */
static enum address_fault to_ascii(const char *text, size_t len, char work[DOMAIN_INPUT_MAX + 1])
{
    if (len == 0)
        return ADDRESS_NO_DOMAIN;
    if (!text_is_clean(text, len) || has_c1_control(text, len))
        return ADDRESS_CONTROL;
    if (!text_copy_part(work, DOMAIN_INPUT_MAX + 1, text, len))
        return ADDRESS_DOMAIN_TOO_LONG;
    if (is_ascii(text, len))
        return ADDRESS_OK;
    return utf8_is_valid(text, len) ? to_a_labels(work) : ADDRESS_BAD_UTF8;
}

enum address_fault address_domain(const char *text, size_t len, char domain[RB_DOMAIN_MAX + 1])
{
    char work[DOMAIN_INPUT_MAX + 1];
    enum address_fault fault = to_ascii(text, len, work);

    domain[0] = '\0';
    if (fault != ADDRESS_OK)
        return fault;
    const size_t out = strlen(work);
    if (out > 0 && work[out - 1] == '.')
        work[out - 1] = '\0';
    if (!text_copy(domain, RB_DOMAIN_MAX + 1, work))
        return ADDRESS_DOMAIN_TOO_LONG;
    text_lower(domain);
    fault = check_labels(domain);
    if (fault != ADDRESS_OK)
        domain[0] = '\0';
    return fault;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", and nothing behind it (RFC 5321 4.1.3). */
static enum address_fault parse_literal(const struct cursor *in, char domain[RB_DOMAIN_MAX + 1])
{
    static const char tag[] = "IPv6:";
    char inner[LITERAL_MAX + 1], ip[INET6_ADDRSTRLEN];
    struct in6_addr octets; /* has room for both families */

    if (octets_left(in) < 2 || in->end[-1] != ']' ||
        !text_copy_part(inner, sizeof inner, in->at + 1, octets_left(in) - 2))
        return ADDRESS_BAD_LITERAL;
    const bool is_v6 = strncasecmp(inner, tag, sizeof tag - 1) == 0;
    const int family = is_v6 ? AF_INET6 : AF_INET;
    if (inet_pton(family, is_v6 ? inner + sizeof tag - 1 : inner, &octets) != 1)
        return ADDRESS_BAD_LITERAL;
    inet_ntop(family, &octets, ip, sizeof ip);
    snprintf(domain, RB_DOMAIN_MAX + 1, "[%s%s]", is_v6 ? tag : "", ip);
    return ADDRESS_OK;
}

static enum address_fault parse_domain(const struct cursor *in, struct address *address)
{
    if (octets_left(in) == 0)
        return ADDRESS_NO_DOMAIN;
    if (memchr(in->at, '<', octets_left(in)) != NULL ||
        memchr(in->at, '>', octets_left(in)) != NULL)
        return ADDRESS_BAD_BRACKET;
    if (memchr(in->at, '@', octets_left(in)) != NULL) /* which "@" is the mailbox's? */
        return ADDRESS_ODD_LOCAL;
    if (*in->at == '[') {
        address->is_literal = true;
        return parse_literal(in, address->domain);
    }
    return address_domain(in->at, octets_left(in), address->domain);
}

/* --- Local part ------------------------------------------------------------ */

/* Appends one character, of so many octets, to the local part. */
static enum address_fault append_to_local(char local[ADDRESS_LOCAL_MAX + 1], const char *s,
                                          size_t octets)
{
    const size_t len = strlen(local);

    if (len + octets > ADDRESS_LOCAL_MAX)
        return ADDRESS_TOO_LONG;
    memcpy(local + len, s, octets);
    local[len + octets] = '\0';
    return ADDRESS_OK;
}

/* Notes a fault and goes on: a worse one behind it may show that it is no mailbox at all. */
static void note_odd(struct cursor *in, enum address_fault fault)
{
    if (in->odd == ADDRESS_OK)
        in->odd = fault;
}

/* Takes one character over 127 from the input into the local part. */
static enum address_fault take_8bit(struct cursor *in, bool utf8, struct address *address)
{
    size_t octets = utf8_length(in->at, octets_left(in));

    if (octets == 0)
        note_odd(in, ADDRESS_BAD_UTF8);
    else if (!utf8)
        note_odd(in, ADDRESS_8BIT);
    octets = octets > 0 ? octets : 1;
    in->at += octets;
    address->needs_utf8 = true;
    return append_to_local(address->local, in->at - octets, octets);
}

/* Takes one ASCII character from outside a quoted string. A dot may stand anywhere. */
static enum address_fault take_atext(struct cursor *in, struct address *address)
{
    if (*in->at == '<' || *in->at == '>')
        note_odd(in, ADDRESS_BAD_BRACKET);
    else if (*in->at != '.' && !is_atext(*in->at))
        note_odd(in, ADDRESS_ODD_LOCAL);
    if (*in->at == '\\' &&
        octets_left(in) > 1) /* the character behind it begins no quoted string and is no "@" */
        in->at++;
    return append_to_local(address->local, in->at++, 1);
}

/* Takes one ASCII character of a quoted string, or a quoted pair. */
static enum address_fault take_quoted(struct cursor *in, struct address *address)
{
    if (*in->at == '\\') {
        in->at++;
        if (octets_left(in) == 0)
            return ADDRESS_BAD_QUOTE;
        if (char_is_8bit(*in->at))
            note_odd(in, ADDRESS_ODD_LOCAL);
    }
    return append_to_local(address->local, in->at++, 1);
}

/* Reads a quoted string with both its quotes. Controls were looked for before. */
static enum address_fault take_quoted_string(struct cursor *in, bool utf8, struct address *address)
{
    in->at++;
    while (octets_left(in) > 0 && *in->at != '"') {
        const enum address_fault fault =
            char_is_8bit(*in->at) ? take_8bit(in, utf8, address) : take_quoted(in, address);
        if (fault != ADDRESS_OK)
            return fault;
    }
    if (octets_left(in) == 0)
        return ADDRESS_BAD_QUOTE;
    in->at++;
    if (octets_left(in) > 0 && *in->at != '@' && *in->at != '.')
        note_odd(in, ADDRESS_ODD_LOCAL);
    return ADDRESS_OK;
}

/* Reads up to the "@", which it leaves. */
static enum address_fault parse_local(struct cursor *in, bool utf8, struct address *address)
{
    const char *const start = in->at;

    while (octets_left(in) > 0 && *in->at != '@') {
        enum address_fault fault;

        if (*in->at == '"') {
            if (in->at > start && in->at[-1] != '.')
                note_odd(in, ADDRESS_ODD_LOCAL);
            fault = take_quoted_string(in, utf8, address);
        } else {
            fault = char_is_8bit(*in->at) ? take_8bit(in, utf8, address) : take_atext(in, address);
        }
        if (fault != ADDRESS_OK)
            return fault;
    }
    return in->at == start ? ADDRESS_EMPTY_LOCAL : ADDRESS_OK;
}

/* --- Path ------------------------------------------------------------------ */

static enum address_fault strip_brackets(struct cursor *in)
{
    if (*in->at != '<')
        return ADDRESS_OK;
    if (octets_left(in) < 2 || in->end[-1] != '>')
        return ADDRESS_BAD_BRACKET;
    in->at++;
    in->end--;
    return ADDRESS_OK;
}

/* MTAs do not mind blanks beside the mailbox; but blanks alone are not the null sender. */
static enum address_fault strip_blanks(struct cursor *in)
{
    if (octets_left(in) == 0)
        return ADDRESS_NULL;
    while (octets_left(in) > 0 && *in->at == ' ')
        in->at++;
    while (octets_left(in) > 0 && in->end[-1] == ' ')
        in->end--;
    return octets_left(in) > 0 ? ADDRESS_OK : ADDRESS_NO_DOMAIN;
}

/* Skips "@a,@b:", which must be accepted and should be ignored (RFC 5321 appendix C). */
static enum address_fault skip_route(struct cursor *in)
{
    bool in_literal = false;

    if (*in->at != '@')
        return ADDRESS_OK;
    for (; octets_left(in) > 0 && (in_literal || *in->at != ':'); in->at++)
        in_literal = *in->at == '[' || (in_literal && *in->at != ']');
    if (octets_left(in) < 2)
        return ADDRESS_EMPTY_LOCAL;
    in->at++;
    return ADDRESS_OK;
}

static enum address_fault parse_mailbox(struct cursor *in, bool utf8, struct address *address)
{
    enum address_fault fault = parse_local(in, utf8, address);

    if (fault != ADDRESS_OK)
        return fault;
    if (octets_left(in) == 0)
        return ADDRESS_NO_DOMAIN;
    in->at++;
    fault = parse_domain(in, address);
    return fault == ADDRESS_OK ? in->odd : fault;
}

static bool fits_a_command(const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    return address_format(address, text, sizeof text) == RB_OK;
}

static enum address_fault parse_path(struct cursor *in, bool utf8, struct address *address)
{
    enum address_fault fault = strip_brackets(in);

    if (fault == ADDRESS_OK)
        fault = strip_blanks(in);
    if (fault == ADDRESS_OK)
        fault = skip_route(in);
    if (fault != ADDRESS_OK)
        return fault;
    const size_t len = octets_left(in);
    fault = parse_mailbox(in, utf8, address);
    if (fault == ADDRESS_OK && !fits_a_command(address))
        return len > RB_ADDRESS_MAX ? ADDRESS_TOO_LONG : ADDRESS_TOO_LONG_TO_ASK;
    return fault;
}

enum address_fault address_parse(const char *text, size_t len, bool utf8, struct address *address)
{
    enum address_fault fault = ADDRESS_NULL;

    memset(address, 0, sizeof(*address));
    if (len == 0)
        return ADDRESS_NULL;
    /* No part of the grammar has room for a control character. */
    if (!text_is_clean(text, len) || has_c1_control(text, len))
        return ADDRESS_CONTROL;
    struct cursor in = {.at = text, .end = text + len};
    fault = parse_path(&in, utf8, address);
    if (fault != ADDRESS_OK)
        memset(address, 0, sizeof(*address));
    return fault;
}

bool address_is_no_mailbox(enum address_fault fault)
{
    switch (fault) {
    case ADDRESS_EMPTY_LOCAL:
    case ADDRESS_NO_DOMAIN:
    case ADDRESS_BAD_QUOTE:
    case ADDRESS_BAD_DOMAIN:
    case ADDRESS_BAD_LITERAL:
    case ADDRESS_TOO_LONG:
    case ADDRESS_DOMAIN_TOO_LONG:
    case ADDRESS_CONTROL:
        return true;
    default:
        return false;
    }
}

/* --- Writing --------------------------------------------------------------- */

const char *address_fault_text(enum address_fault fault)
{
    static const char *const texts[] = {
        [ADDRESS_OK] = "nothing is wrong",
        [ADDRESS_NULL] = "the null sender",
        [ADDRESS_EMPTY_LOCAL] = "there is nothing before the @",
        [ADDRESS_NO_DOMAIN] = "there is no domain",
        [ADDRESS_BAD_QUOTE] = "a quoted string has no end",
        [ADDRESS_BAD_DOMAIN] = "the domain is not a host name",
        [ADDRESS_BAD_LITERAL] = "the literal holds neither IPv4 nor IPv6:",
        [ADDRESS_TOO_LONG] = "it is longer than 254 octets",
        [ADDRESS_DOMAIN_TOO_LONG] = "the domain, or a label of it, is too long",
        [ADDRESS_CONTROL] = "it has a control character",
        [ADDRESS_ODD_LOCAL] = "a character that needs quotes has none",
        [ADDRESS_BAD_BRACKET] = "the brackets do not enclose the address",
        [ADDRESS_BAD_IDN] = "it is not a valid internationalised name",
        [ADDRESS_BAD_UTF8] = "it is not valid UTF-8",
        [ADDRESS_8BIT] = "it is not ASCII and SMTPUTF8 is off",
        [ADDRESS_TOO_LONG_TO_ASK] = "written in full it has over 254 octets",
        [ADDRESS_NOMEM] = "out of memory",
    };

    if ((unsigned)fault >= sizeof(texts) / sizeof(texts[0]))
        return "?";
    return texts[fault];
}

static bool is_dot_string(const char *local)
{
    char before = '.';

    for (; *local != '\0'; before = *local++) {
        if (*local == '.' && before == '.')
            return false;
        if (*local != '.' && !is_atext(*local) && !char_is_8bit(*local))
            return false;
    }
    return before != '.';
}

/* Octets come out doubled at most. */
static void write_quoted(const char *local, char quoted[2 * ADDRESS_LOCAL_MAX + 2 + 1])
{
    *quoted++ = '"';
    for (; *local != '\0'; local++) {
        if (*local == '"' || *local == '\\')
            *quoted++ = '\\';
        *quoted++ = *local;
    }
    *quoted++ = '"';
    *quoted = '\0';
}

enum rb_error address_format(const struct address *address, char *text, size_t size)
{
    char quoted[2 * ADDRESS_LOCAL_MAX + 2 + 1];
    char whole[sizeof(quoted) + 1 + RB_DOMAIN_MAX] = "";

    write_quoted(address->local, quoted);
    if (address->domain[0] != '\0')
        snprintf(whole, sizeof(whole), "%s@%s",
                 is_dot_string(address->local) ? address->local : quoted, address->domain);
    return text_copy(text, size, whole) ? RB_OK : RB_ERR_TOO_LONG;
}

enum rb_error address_key(const struct address *address, char *key, size_t size)
{
    char whole[ADDRESS_LOCAL_MAX + 1 + RB_DOMAIN_MAX + 1] = "";

    if (address->domain[0] != '\0')
        snprintf(whole, sizeof(whole), "%s@%s", address->local, address->domain);
    return text_copy(key, size, whole) ? RB_OK : RB_ERR_TOO_LONG;
}

bool address_from_key(const char *key, struct address *address)
{
    const char *at = strrchr(key, '@');

    *address = (struct address){0};
    if (at == NULL || at[1] == '\0' ||
        !text_copy(address->domain, sizeof(address->domain), at + 1) ||
        !text_copy_part(address->local, sizeof(address->local), key, (size_t)(at - key)))
        return false;
    address->is_literal = address->domain[0] == '[';
    for (const char *c = address->local; *c != '\0'; c++)
        address->needs_utf8 = address->needs_utf8 || char_is_8bit(*c);
    return fits_a_command(address);
}
