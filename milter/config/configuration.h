/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * configuration: what ringback.conf(5) has come to; never changed once it is loaded. Functions are
 * named config_…; the header is not, because config.h is what configure writes. load.c reads the
 * file, print.c writes it.
 *
 * A configuration is shared by counting references: who wants to keep one takes it with config_get
 * and gives it back with config_put. A reload makes a new one beside it.
 */
#ifndef RB_MILTER_CONFIG_CONFIGURATION_H
#define RB_MILTER_CONFIG_CONFIGURATION_H

#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/log.h"
#include "config/passwords.h"
#include "config/policy.h"
#include "config/value.h"
#include "ringback.h"

enum {
    CONFIG_POLICIES_MAX = 1000, /* each is tried for each transaction */
    CONFIG_RELAYS_MAX = 10000,
    CONFIG_WARNINGS_MAX = 100,   /* what comes after is not kept: nobody reads more */
    CONFIG_RESOLVERS_MAX = 3,    /* what libresolv can hold */
    CONFIG_TRUSTED_IDS_MAX = 16, /* filters before ours; one bit of a word is for each */
    CONFIG_HOSTS_MAX = 8,        /* addresses of callout.bind, hosts of a relay */
    CONFIG_PEERS_MAX = 16,       /* hosts that are asked before a client is answered */
    CONFIG_ANSWER_USERS_MAX = 16,
    CONFIG_ALLOWED_MAX = 4096,   /* callout.allowed_networks: what the library takes */
    CONFIG_ENTRIES_MAX = 500000, /* entries of one list, those of its files included */
    CONFIG_ERROR_SIZE = 512,     /* what config_load writes always fits */
};

enum decide_at { DECIDE_RCPT = 0, DECIDE_DATA, DECIDE_EOM };

/* Which host a client claims to be: that of its HELO name, a mail host of its sender's domain, or
 * both, in that order. */
enum connect_back_target { TARGET_HELO = 0, TARGET_MX, TARGET_HELO_MX, TARGET_MX_HELO };

/* Where recipients of a domain are verified. */
struct relay {
    char *domain;        /* canonical; ".example.org": its subdomains alone; "*": all others */
    struct text_list to; /* "host:port", "lmtp:host:port", "unix:/path" */
    char *list;          /* the same, as the library takes it */
    enum action on_unreachable;
    bool check_size; /* it is asked whether it takes a message as large as the client says */
};

/* Directives as in ringback.conf(5). Strings are never NULL. Read only. */
struct config {
    atomic_uint references;
    char *path; /* "" for the defaults alone */

    char *listen, *listen_mode, *listen_group; /* the mode: "0660", octal */
    char *control, *user;
    char *http; /* value_http_address, or value_unix_path of it; "": none */
    struct network_list http_allow;
    char *http_password_file;
    struct password_list http_passwords; /* what was in it, as the file is read for a daemon */
    char *hostname; /* the effective one: "" only where a scope leaves it open */
    char *authserv_id;
    struct text_list trusted_authserv_ids; /* none is authserv_id */
    unsigned syslog_facility;              /* an index of log_facility_names; see config_facility */
    enum log_level log_level;
    bool dry_run;
    struct network_list trusted_networks;
    struct text_list resolvers; /* each with its port */
    unsigned max_wait_ms;
    enum decide_at decide_at;

    struct {
        char *mail_from;          /* as it goes into a command; "": the null sender */
        char *fallback_mail_from; /* likewise; "": none */
        unsigned port;
        struct text_list bind;
        enum rb_ip_version ip_version;
        enum rb_tls tls;
        unsigned connect_timeout_ms, command_timeout_ms, total_timeout_ms, idle_timeout_ms;
        unsigned max_workers, max_held, max_pending;
        bool catch_all_check, data_check, smtputf8;
        unsigned max_hosts;
        struct network_list allowed_networks;
    } callout;

    struct {
        char *store;
        int64_t valid_ttl_s, valid_refresh_s, invalid_ttl_s, invalid_refresh_s;
        int64_t unknown_ttl_s, domain_ttl_s, correspondent_ttl_s;
        uint64_t max_size;
    } cache;

    struct {
        bool retry;
        int64_t first_s, max_s, give_up_s;
    } greylist;

    struct {
        unsigned per_domain_sessions, per_host_sessions;
        struct rb_rate per_domain_rate, per_client_rate, global_rate;
        struct rb_rate per_client_bad_rcpt;
        unsigned breaker_failures;
        int64_t breaker_hold_s;
        unsigned shield_addresses;
        int64_t shield_window_s, shield_hold_s;
    } limits;

    struct {
        enum rb_gate gate;
    } spf;

    struct {
        bool check; /* whether clients are who they claim to be */
        enum connect_back_target target;
        unsigned timeout_ms;
        enum action on_denied, on_maybe, on_unreachable, on_unsupported;
        bool answer; /* others who ask us */
        struct text_list answer_users;
        uid_t answer_uids[CONFIG_ANSWER_USERS_MAX]; /* of those that there are, as the file is read
                                                       for a daemon (CONFIG_WHOLE) */
        size_t answer_uid_count;
        struct text_list peers; /* host names, IP addresses */
        bool complete;
        struct text_list public_address; /* IP addresses */
    } connect_back;

    struct policy *policies; /* in the file's order */
    size_t policy_count;
    struct policy default_policy; /* behind the last; matches all */

    struct relay *relays;
    size_t relay_count;

    struct text_list warnings;
};

/*
 * Reads the file and all list files it names. RB_OK: *config is the caller's (config_put), error is
 * "". Else error holds one printable line "FILE:LINE: what is wrong, what would be right" (without
 * LINE where there is none): RB_ERR_SYSTEM when a file cannot be read (errno says why),
 * RB_ERR_ARGUMENT when something in it is wrong, RB_ERR_NOMEM. May ask the resolver for this
 * machine's name. Any thread; loads wait for each other.
 */
enum rb_error config_load(const char *path, struct config **config, char *error, size_t error_size)
    __attribute__((warn_unused_result));

/*
 * How much of a file is wanted. What is not wanted need not be right, and has its default. Only
 * where verification is meant is the resolver asked for this machine's name.
 */
enum config_scope {
    CONFIG_WHOLE,     /* to run with: the daemon */
    CONFIG_TO_PRINT,  /* all of it; hostname is "" where only the resolver could tell */
    CONFIG_CALLOUTS,  /* what decides how an address is verified: no policies, no relays */
    CONFIG_CACHE,     /* the section `cache` */
    CONFIG_RESOLVERS, /* `resolvers` */
    CONFIG_CONTROL,   /* `control` */
};

/* config_load for a part of the file; path NULL: of an empty one. */
enum rb_error config_load_scope(const char *path, enum config_scope scope, struct config **config,
                                char *error, size_t error_size) __attribute__((warn_unused_result));

/* The names of the statements that a scope keeps, as scan_keep takes them; NULL: all. */
const char *const *config_scope_names(enum config_scope scope);

/* The configuration of an empty file. RB_ERR_NOMEM. */
enum rb_error config_defaults(struct config **config) __attribute__((warn_unused_result));

/* Takes and gives back a reference. config_put(NULL) is fine. Any thread. */
struct config *config_get(struct config *config);
void config_put(struct config *config);

/*
 * The relay for recipients of a domain (canonical): its own, else that of the nearest domain above
 * it (".example.org"), else "*". NULL: none. Valid while the configuration is held. Any thread.
 */
const struct relay *config_relay(const struct config *config, const char *domain);

/*
 * The policy for a transaction: the first in the file's order that matches; "default" stands behind
 * the last and matches all. Never NULL. Valid while the configuration is held. Any thread.
 */
const struct policy *config_policy(const struct config *config,
                                   const struct transaction *transaction);

/* Lines "FILE:LINE: …" about what was accepted but will not do what it says; NULL behind the last.
 */
const char *config_warnings(const struct config *config, size_t index);

/* The name of spf.gate's position. Static. */
const char *config_gate_name(const struct config *config);

/* syslog(3)'s number of the facility. */
int config_facility(const struct config *config);

/*
 * Sets every field of the library's options that the configuration knows; others get
 * rb_options_init's value. Pointers go into the configuration: valid while it is held.
 */
void config_options(const struct config *config, struct rb_options *options);

/*
 * Writes the effective configuration, defaults included, in the file's syntax: reading it again
 * gives the same. Errors are left for ferror(3).
 */
void config_print(const struct config *config, FILE *stream);

/*
 * Looks from *next on (begin with 0, call again) for a directive that differs and takes effect only
 * at a start. True: its name ("callout.max_workers") is in name.
 */
bool config_fixed_difference(const struct config *running, const struct config *loaded,
                             size_t *next, char *name, size_t size);

#endif
