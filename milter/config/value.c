/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value: see value.h. Nothing here cuts a value: what does not fit is refused.
 */
#include "config.h"

#include "config/value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/ip.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/relay.h"

enum { DIGITS_MAX = 10 }; /* such a number times the largest unit fits into 63 bits */

/* Reads 1 to DIGITS_MAX digits and moves on behind them. */
static bool read_digits(const char **text, int64_t *number)
{
    const char *start = *text;

    *number = 0;
    while (char_is_digit(**text)) {
        if (*text - start == DIGITS_MAX)
            return false;
        *number = *number * 10 + (**text - '0');
        (*text)++;
    }
    return *text > start;
}

/* --- Numbers --- */

bool value_yes_no(const char *text, bool *yes)
{
    static const char *const names[] = {"no", "yes", "false", "true", "off", "on"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *yes = i % 2 == 1;
            return true;
        }
    }
    return false;
}

bool value_number(const char *text, int64_t *number)
{
    int64_t read;

    if (!read_digits(&text, &read) || *text != '\0')
        return false;
    *number = read;
    return true;
}

/* Units from the smallest up. */
struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

static const struct unit size_units[] = {
    {"", 1},
    {"KB", INT64_C(1) << 10},
    {"MB", INT64_C(1) << 20},
    {"GB", INT64_C(1) << 30},
    {"TB", INT64_C(1) << 40},
};

static const struct unit rate_units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

#define UNITS(array) array, sizeof(array) / sizeof((array)[0])

static const struct unit *unit_named(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    }
    return NULL;
}

/* The number times the unit behind it. */
static bool read_quantity(const char *text, const struct unit *units, size_t count, int64_t *value)
{
    const struct unit *unit;
    int64_t number;

    if (!read_digits(&text, &number))
        return false;
    unit = unit_named(units, count, text);
    if (unit == NULL || number > INT64_MAX / unit->factor)
        return false;
    *value = number * unit->factor;
    return true;
}

static void format_quantity(int64_t value, const struct unit *units, size_t count, char *text,
                            size_t size)
{
    const struct unit *unit = &units[0];

    for (size_t i = 1; i < count && value != 0; i++) {
        if (value % units[i].factor == 0)
            unit = &units[i];
    }
    snprintf(text, size, "%" PRId64 "%s", value / unit->factor, unit->name);
}

bool value_duration(const char *text, int64_t *ms)
{
    return read_quantity(text, UNITS(time_units), ms);
}

bool value_size(const char *text, int64_t *octets)
{
    return read_quantity(text, UNITS(size_units), octets);
}

bool value_rate(const char *text, struct rb_rate *rate)
{
    const struct unit *unit;
    int64_t count;

    if (!read_digits(&text, &count) || *text != '/' || count == 0 || count > UINT32_MAX)
        return false;
    unit = unit_named(UNITS(rate_units), text + 1);
    if (unit == NULL)
        return false;
    *rate = (struct rb_rate){.count = (unsigned)count, .period_s = (unsigned)unit->factor};
    return true;
}

void value_format_duration(int64_t ms, char *text, size_t size)
{
    if (ms == 0)
        snprintf(text, size, "0s");
    else
        format_quantity(ms, UNITS(time_units), text, size);
}

void value_format_size(int64_t octets, char *text, size_t size)
{
    format_quantity(octets, UNITS(size_units), text, size);
}

void value_format_rate(struct rb_rate rate, char *text, size_t size)
{
    for (size_t i = 0; i < sizeof(rate_units) / sizeof(rate_units[0]); i++) {
        if (rate_units[i].factor == rate.period_s)
            snprintf(text, size, "%u/%s", rate.count, rate_units[i].name);
    }
}

/* --- Hosts and ports --- */

struct endpoint {
    char host[RB_DOMAIN_MAX + 1]; /* without brackets */
    unsigned port;                /* 0: none was given */
    bool bracketed;
};

static bool port_number(const char *text, unsigned *port)
{
    int64_t number;

    if (!value_number(text, &number) || number < 1 || number > UINT16_MAX)
        return false;
    *port = (unsigned)number;
    return true;
}

static bool copy_part(char *out, size_t size, const char *text, size_t len)
{
    if (len == 0 || len >= size)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* "host", "host:port", "[v6]", "[v6]:port", "v6". */
static bool split_endpoint(const char *text, struct endpoint *endpoint)
{
    const char *colon = strchr(text, ':');
    const char *end;

    *endpoint = (struct endpoint){.port = 0};
    if (text[0] == '[') {
        end = strchr(text, ']');
        endpoint->bracketed = true;
        if (end == NULL ||
            !copy_part(endpoint->host, sizeof(endpoint->host), text + 1, (size_t)(end - text - 1)))
            return false;
        return end[1] == '\0' || (end[1] == ':' && port_number(end + 2, &endpoint->port));
    }
    if (colon == NULL || strchr(colon + 1, ':') != NULL)
        return copy_part(endpoint->host, sizeof(endpoint->host), text, strlen(text));
    return copy_part(endpoint->host, sizeof(endpoint->host), text, (size_t)(colon - text)) &&
           port_number(colon + 1, &endpoint->port);
}

/* AF_INET, AF_INET6, or 0 when the host is neither. */
static int ip_family(const char *host)
{
    unsigned char octets[16];

    if (inet_pton(AF_INET, host, octets) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, host, octets) == 1 ? AF_INET6 : 0;
}

/* Reads an endpoint at an IP address; brackets are for IPv6 and nothing else. */
static bool ip_endpoint(const char *text, struct endpoint *endpoint, int *family)
{
    if (!split_endpoint(text, endpoint))
        return false;
    *family = ip_family(endpoint->host);
    return *family != 0 && (!endpoint->bracketed || *family == AF_INET6);
}

static const char *keep_text(char *out, const char *text)
{
    return text_copy(out, VALUE_TEXT_MAX + 1, text) ? NULL : "is too long";
}

static void write_endpoint(char *out, const struct endpoint *endpoint, bool brackets)
{
    snprintf(out, VALUE_TEXT_MAX + 1, brackets ? "[%s]:%u" : "%s:%u", endpoint->host,
             endpoint->port);
}

static bool is_host_name(const char *text)
{
    char domain[RB_DOMAIN_MAX + 1];

    return address_domain(text, strlen(text), domain) == ADDRESS_OK;
}

static bool is_socket_path(const char *path, size_t max)
{
    return path[0] == '/' && path[1] != '\0' && path[strlen(path) - 1] != '/' &&
           strlen(path) <= max && text_is_clean(path, strlen(path));
}

/* What follows "inet:" or "inet6:": "8894@127.0.0.1" or "8894". */
static bool is_inet_socket(const char *text, int family)
{
    char number[8];
    unsigned port;
    const char *at = strchr(text, '@');
    size_t len = at == NULL ? strlen(text) : (size_t)(at - text);
    int found;

    if (!copy_part(number, sizeof(number), text, len) || !port_number(number, &port))
        return false;
    if (at == NULL)
        return true;
    found = ip_family(at + 1);
    return found == family || (found == 0 && is_host_name(at + 1));
}

const char *value_unix_path(const char *listen)
{
    if (strncmp(listen, "unix:", 5) == 0)
        return listen + 5;
    return strncmp(listen, "local:", 6) == 0 ? listen + 6 : NULL;
}

const char *value_listen(const char *text, char *out)
{
    const char *path = value_unix_path(text);
    bool fine = false;

    if (path != NULL)
        fine = is_socket_path(path, VALUE_LISTEN_PATH_MAX);
    else if (strncmp(text, "inet:", 5) == 0)
        fine = is_inet_socket(text + 5, AF_INET);
    else if (strncmp(text, "inet6:", 6) == 0)
        fine = is_inet_socket(text + 6, AF_INET6);
    else
        fine = strcmp(text, VALUE_LISTEN_SYSTEMD) == 0;
    if (!fine)
        return "is no address to listen at; \"inet:PORT@HOST\", \"inet6:PORT@HOST\", "
               "\"unix:/PATH\" (of at most 106 octets) or \"systemd\" would be right";
    return keep_text(out, text);
}

/* The daemon connects to its own socket (loop_wake): its user must have the right to. */
const char *value_listen_mode(const char *text, char *out)
{
    const size_t len = strlen(text);

    if ((len != 3 && (len != 4 || text[0] != '0')) || strspn(text, "01234567") != len ||
        (text[len - 3] & 6) != 6)
        return "is no mode of a socket; three octal digits whose first is 6 or 7, such as "
               "\"0660\", would be right";
    (void)snprintf(out, VALUE_TEXT_MAX + 1, "0%s", text + len - 3);
    return NULL;
}

const char *value_control(const char *text, char *out)
{
    if (text[0] != '\0' && !is_socket_path(text, VALUE_PATH_MAX))
        return "is no path of a socket; a path from / of at most 107 octets, or \"\" for none, "
               "would be right";
    return keep_text(out, text);
}

bool value_http_address(const char *http, struct sockaddr_storage *address)
{
    struct endpoint endpoint;
    int family;

    if (!ip_endpoint(http, &endpoint, &family) || endpoint.port == 0 ||
        !ip_sockaddr_parse(endpoint.host, address))
        return false;
    ip_sockaddr_set_port(address, (uint16_t)endpoint.port);
    return true;
}

const char *value_http(const char *text, char *out)
{
    struct sockaddr_storage address;
    bool fine = text[0] == '\0' || value_http_address(text, &address);

    if (strncmp(text, "unix:", 5) == 0)
        fine = is_socket_path(text + 5, VALUE_PATH_MAX);
    if (!fine)
        return "is no address with a port; \"127.0.0.1:8895\", \"[::1]:8895\", \"unix:/PATH\" (of "
               "at most 107 octets), or \"\" for none, would be right";
    return keep_text(out, text);
}

const char *value_password_file(const char *text, char *out)
{
    if (text[0] != '\0' && (text[0] != '/' || !text_is_clean(text, strlen(text))))
        return "is no path from /; \"/etc/ringback/http.passwords\", or \"\" for none, would be "
               "right";
    return keep_text(out, text);
}

const char *value_resolver(const char *text, char *out)
{
    struct endpoint endpoint;
    int family;

    if (!ip_endpoint(text, &endpoint, &family))
        return "is no resolver; \"127.0.0.1:5353\", \"[::1]:53\" or an address alone would be "
               "right";
    if (endpoint.port == 0)
        endpoint.port = 53;
    write_endpoint(out, &endpoint, family == AF_INET6);
    return NULL;
}

const char *value_ip(const char *text, char *out)
{
    if (ip_family(text) == 0)
        return "is no IP address; one such as \"192.0.2.1\" or \"2001:db8::1\" would be right";
    return keep_text(out, text);
}

const char *value_peer(const char *text, char *out)
{
    if (ip_family(text) == 0 && !is_host_name(text))
        return "is no host; a name such as \"out2.example.org\" or an address would be right";
    return keep_text(out, text);
}

const char *value_relay_host(const char *text, char *out)
{
    struct relay_target target;
    struct endpoint endpoint;
    int family = 0;

    if (strncmp(text, "smtp:", 5) == 0)
        text += 5;
    if (strncmp(text, "lmtp:", 5) == 0 || strncmp(text, "unix:", 5) == 0) {
        if (!relay_target_read(text, strlen(text), &target))
            goto wrong;
        return keep_text(out, text);
    }
    if (!split_endpoint(text, &endpoint))
        goto wrong;
    family = ip_family(endpoint.host);
    if (endpoint.bracketed ? family != AF_INET6 : family == 0 && !is_host_name(endpoint.host))
        goto wrong;
    if (endpoint.port == 0)
        endpoint.port = 25;
    write_endpoint(out, &endpoint, family == AF_INET6);
    return NULL;
wrong:
    return "is no host to ask; \"mail.example.org:25\", \"[2001:db8::1]:25\", \"lmtp:store:24\" or "
           "\"unix:/run/dovecot/lmtp\" would be right";
}

/* --- Names --- */

/* Every character of text in the set of letters, digits and `more`. */
static bool is_made_of(const char *text, const char *more)
{
    for (; *text != '\0'; text++)
        if (!char_is_letter(*text) && !char_is_digit(*text) && !char_is_in(*text, more))
            return false;
    return true;
}

static bool is_account(const char *text)
{
    return strlen(text) <= 32 && text[0] != '-' && is_made_of(text, "_.-");
}

const char *value_user(const char *text, char *out)
{
    if (!is_account(text))
        return "is no name of a user; one such as \"ringback\", or \"\" to stay who started the "
               "daemon, would be right";
    return keep_text(out, text);
}

const char *value_account(const char *text, char *out)
{
    if (text[0] == '\0' || !is_account(text))
        return "is no user; a name such as \"postfix\", or a number, would be right";
    return keep_text(out, text);
}

const char *value_group(const char *text, char *out)
{
    if (!is_account(text))
        return "is no name of a group; one such as \"postfix\", or \"\" for the user's own, would "
               "be right";
    return keep_text(out, text);
}

const char *value_authserv_id(const char *text, char *out)
{
    if (strlen(text) > RB_DOMAIN_MAX || !is_made_of(text, "!#$%&'*+-.^_`{|}~"))
        return "is no identifier; a host name such as \"mx.example.org\", or \"\" for none, would "
               "be "
               "right";
    return keep_text(out, text);
}

const char *value_trusted_authserv_id(const char *text, char *out)
{
    if (text[0] == '\0' || value_authserv_id(text, out) != NULL)
        return "is no identifier; a host name such as \"mx.example.org\" would be right";
    return NULL;
}

const char *value_hostname(const char *text, char *out)
{
    static const char wrong[] = "is no host name; a fully qualified one such as "
                                "\"mx.example.org\", an address literal such as "
                                "\"[192.0.2.1]\", or \"\" for this machine's, would be right";
    char domain[RB_DOMAIN_MAX + 1], mailbox[RB_DOMAIN_MAX + 3];
    struct address address;

    if (text[0] == '\0')
        return keep_text(out, text);
    if (text[0] != '[') {
        if (address_domain(text, strlen(text), domain) != ADDRESS_OK)
            return wrong;
        return keep_text(out, domain);
    }
    if (snprintf(mailbox, sizeof(mailbox), "x@%s", text) >= (int)sizeof(mailbox) ||
        address_parse(mailbox, strlen(mailbox), false, &address) != ADDRESS_OK)
        return wrong;
    return keep_text(out, address.domain);
}

static const char mail_from_wrong[] = "is no mail address; one such as \"verify@example.org\", or "
                                      "\"\" for the null sender, would be right";

const char *value_mail_from(const char *text, char *out)
{
    struct address address;
    enum address_fault fault = address_parse(text, strlen(text), false, &address);

    if (fault == ADDRESS_NULL)
        return keep_text(out, "");
    if (fault != ADDRESS_OK || address_format(&address, out, VALUE_TEXT_MAX + 1) != RB_OK)
        return mail_from_wrong;
    return NULL;
}

const char *value_fallback_from(const char *text, char *out)
{
    static const char mark[] = "@HOSTNAME", stand_in[] = "@host.example";
    size_t len = strlen(text), mark_len = sizeof(mark) - 1;
    char trial[RB_ADDRESS_MAX + 1], ignored[VALUE_TEXT_MAX + 1];

    if (len < mark_len || strcmp(text + len - mark_len, mark) != 0)
        return value_mail_from(text, out) == NULL
                   ? NULL
                   : "is no mail address; one such as \"postmaster@HOSTNAME\", or \"\" for none, "
                     "would "
                     "be right";
    if (len - mark_len + sizeof(stand_in) > sizeof(trial))
        return "is too long";
    memcpy(trial, text, len - mark_len);
    memcpy(trial + len - mark_len, stand_in, sizeof(stand_in));
    if (value_mail_from(trial, ignored) != NULL)
        return mail_from_wrong;
    return keep_text(out, text);
}

const char *value_store(const char *text, char *out)
{
    if (strncmp(text, "redis://", 8) == 0)
        return "names a store that is not built in; \"lmdb:/PATH\" would be right";
    if (text[0] == '\0')
        return keep_text(out, text);
    if (strncmp(text, "lmdb:/", 6) != 0 || text[6] == '\0' || !text_is_clean(text, strlen(text)))
        return "is no store; \"lmdb:/PATH\", or \"\" to keep nothing, would be right";
    return keep_text(out, text);
}
