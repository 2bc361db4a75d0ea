/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value: the values a configuration is written with: durations, sizes, rates, addresses to listen
 * at and to call. Text to number and back. Pure; knows no directive and no file.
 */
#ifndef RB_MILTER_CONFIG_VALUE_H
#define RB_MILTER_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ringback.h"

enum {
    VALUE_TEXT_MAX = 1023,       /* octets of any one value */
    VALUE_PATH_MAX = 107,        /* octets of a socket's path: sockaddr_un */
    VALUE_LISTEN_PATH_MAX = 106, /* libmilter keeps an octet more to itself */
};

/* Each returns false when the text is not what it should be; the result is then left alone. */
bool value_yes_no(const char *text, bool *yes);          /* yes no true false on off */
bool value_number(const char *text, int64_t *number);    /* digits alone */
bool value_duration(const char *text, int64_t *ms);      /* "250ms" "10s" "5m" "6h" "31d" */
bool value_size(const char *text, int64_t *octets);      /* "64KB" "500MB" "1GB" "2TB" "4096" */
bool value_rate(const char *text, struct rb_rate *rate); /* "60/m"; also /s /h /d; not 0 */

/* The shortest exact text, which the functions above read again. size 32 always suffices. */
void value_format_duration(int64_t ms, char *text, size_t size);
void value_format_size(int64_t octets, char *text, size_t size);
void value_format_rate(struct rb_rate rate, char *text, size_t size);

/* As `listen`: the socket is the one that systemd has opened. */
#define VALUE_LISTEN_SYSTEMD "systemd"

/* The path in `listen`; NULL: it is no unix socket that we make. Points into it. */
const char *value_unix_path(const char *listen);

/* The address and port in `http`. False: it is a unix socket, or "". */
bool value_http_address(const char *http, struct sockaddr_storage *address);

/*
 * Checks for textual values. Each returns NULL and writes the value as it is to be kept to out (of
 * VALUE_TEXT_MAX + 1 octets), or returns what is wrong and what would be right, as the end of a
 * sentence that begins with the value. Static.
 */
typedef const char *value_check(const char *text, char *out);

value_check value_listen;        /* "inet:8894@127.0.0.1", "inet6:…", "unix:/path", "local:/path",
                                  VALUE_LISTEN_SYSTEMD */
value_check value_listen_mode;   /* three octal digits or four, kept as four: "0660" */
value_check value_group;         /* a name of the group file or "" */
value_check value_control;       /* "/path" or "" */
value_check value_http;          /* "127.0.0.1:8895", "[::1]:8895", "unix:/path" or "" */
value_check value_password_file; /* "/path" or "" */
value_check value_user;          /* a name of the passwd file or "" */
value_check value_hostname;      /* a domain, an address literal or "" */
value_check value_authserv_id;   /* a token (RFC 8601 2.2) or "" */
value_check value_trusted_authserv_id; /* a token */
value_check value_resolver;            /* "127.0.0.1:5353", "[::1]:53", an address alone */
value_check value_ip;                  /* an address alone */
value_check value_mail_from;           /* a mailbox or "" */
value_check value_fallback_from;       /* the same; the domain may be HOSTNAME */
value_check value_store;               /* "lmdb:/path" or "" */
value_check value_relay_host;          /* "host:25", "[::1]:25", a host or address alone */
value_check value_peer;                /* a host name or an address alone */
value_check value_account;             /* a name of the passwd file, or a user's number */

#endif
