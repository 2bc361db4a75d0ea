/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: see configuration.h. Goes through what was parsed, table by table, and gives each value its
 * meaning; then what no single value tells: this machine's name, policies out of reach, what is not
 * in this release.
 */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/text.h"
#include "config/assign.h"
#include "config/configuration.h"
#include "config/parse.h"
#include "config/scan.h"
#include "config/table.h"
#include "mail/address.h"
#include "mail/relay.h"

enum { PASSWD_ENTRY_SIZE = 4096 };

struct loader {
    struct config *config;
    const char *path;
    struct fault *fault;
    enum config_scope scope;
};

static bool no_memory(struct loader *loader)
{
    return fault_at(loader->fault, RB_ERR_NOMEM, loader->path, 0, "out of memory");
}

static bool warn(struct loader *loader, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool warn(struct loader *loader, unsigned line, const char *format, ...)
{
    char text[VALUE_TEXT_MAX + 1], full[2 * VALUE_TEXT_MAX];
    struct fault fault = {.text = full, .size = sizeof(full)};
    va_list args;

    if (loader->config->warnings.count >= CONFIG_WARNINGS_MAX)
        return true;
    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    full[0] = '\0';
    fault_at(&fault, RB_OK, loader->path, line, "%s", text);
    return text_list_add(&loader->config->warnings, full) || no_memory(loader);
}

/* --- Sections --- */

/* Sets one directive from its section: what the file says, else the default. */
static bool set_directive(struct loader *loader, const struct directive *directive,
                          const char *label, cfg_t *section, void *base)
{
    cfg_opt_t *option = cfg_getopt(section, directive->name);
    void *field = (char *)base + directive->offset;
    struct where where = {.file = loader->path, .label = label};
    const char *value = directive->standard;

    for (unsigned i = 0; table_is_list(directive) && i < cfg_opt_size(option); i++) {
        value = parse_value(cfg_opt_getnstr(option, i), &where.line);
        if (!assign_add(loader->fault, &where, directive, value, field))
            return false;
    }
    if (table_is_list(directive)) {
        if (directive->kind == KIND_ADDRESS_PATTERNS || directive->kind == KIND_HOST_PATTERNS)
            pattern_list_sort(field);
        return true;
    }
    if (cfg_opt_size(option) > 0)
        value = parse_value(cfg_opt_getnstr(option, 0), &where.line);
    return assign_set(loader->fault, &where, directive, value, field);
}

/* All directives of one section. The label's prefix: "" or "callout." or "policy "x": ". */
static bool set_section(struct loader *loader, const struct table *table, const char *name,
                        const char *prefix, cfg_t *section, void *base)
{
    char label[RB_DOMAIN_MAX + 64]; /* the longest prefix is a relay's */

    for (size_t i = 0; i < table->count; i++) {
        const struct directive *directive = &table->directives[i];

        if (strcmp(directive->section, name) != 0)
            continue;
        snprintf(label, sizeof(label), "%s%s", prefix, directive->name);
        if (!set_directive(loader, directive, label, section, base))
            return false;
    }
    return true;
}

static bool warn_of_refresh(struct loader *loader, cfg_t *cache, const char *verdict, int64_t ttl_s,
                            int64_t refresh_s)
{
    char ttl[32], refresh[32];
    unsigned ttl_line, refresh_line;

    snprintf(ttl, sizeof(ttl), "%s_ttl", verdict);
    snprintf(refresh, sizeof(refresh), "%s_refresh", verdict);
    ttl_line = parse_line(cache, ttl);
    refresh_line = parse_line(cache, refresh);
    if (refresh_s < ttl_s || (ttl_line == 0 && refresh_line == 0))
        return true;
    return warn(loader, refresh_line > 0 ? refresh_line : ttl_line,
                "cache.%s is not shorter than cache.%s: nothing is refreshed before it expires",
                refresh, ttl);
}

/*
 * What Postfix waits for a filter's answer unless told otherwise (milter_command_timeout); Sendmail
 * waits 10 s.
 */
enum { POSTFIX_WAIT_MS = 30000 };

static bool warn_of_max_wait(struct loader *loader, cfg_t *root)
{
    if (loader->config->max_wait_ms < POSTFIX_WAIT_MS)
        return true;
    return warn(loader, parse_line(root, "max_wait"),
                "max_wait: the MTA gives a filter up before that, unless told to wait longer "
                "(Postfix after 30s, Sendmail after 10s)");
}

/* listen_mode and listen_group are for a unix socket that the daemon makes. */
static bool warn_of_listen(struct loader *loader, cfg_t *root)
{
    static const char wrong[] = "%s: has no effect: listen names no unix socket";
    const struct config *config = loader->config;

    if (value_unix_path(config->listen) != NULL)
        return true;
    return (strcmp(config->listen_mode, "0660") == 0 ||
            warn(loader, parse_line(root, "listen_mode"), wrong, "listen_mode")) &&
           (config->listen_group[0] == '\0' ||
            warn(loader, parse_line(root, "listen_group"), wrong, "listen_group"));
}

/* What bears our own authserv-id is removed when it arrives: it cannot be another filter's. */
static bool refuse_own_authserv_id(struct loader *loader, cfg_t *root)
{
    const struct config *config = loader->config;
    struct where where = {.file = loader->path, .label = "trusted_authserv_ids"};

    for (unsigned i = 0; i < config->trusted_authserv_ids.count; i++) {
        const char *id = config->trusted_authserv_ids.items[i];

        if (strcasecmp(id, config->authserv_id) != 0)
            continue;
        (void)parse_value(cfg_getnstr(root, "trusted_authserv_ids", i), &where.line);
        return assign_refuse(loader->fault, &where, id,
                             "is our own authserv_id, which is no other filter's; another "
                             "authserv_id, or another identifier for that filter, would be right");
    }
    return true;
}

static bool warn_of_trusted_authserv_ids(struct loader *loader, cfg_t *root)
{
    if (loader->config->trusted_authserv_ids.count == 0)
        return true;
    if (loader->config->spf.gate == RB_GATE_NO)
        return warn(loader, parse_line(root, "trusted_authserv_ids"),
                    "trusted_authserv_ids: has no effect: spf.gate is \"no\"; \"fail\" would give "
                    "it one");
    if (loader->config->decide_at == DECIDE_EOM)
        return true;
    return warn(loader, parse_line(root, "trusted_authserv_ids"),
                "trusted_authserv_ids: they vouch for no envelope sender: decide_at is not "
                "\"eom\"");
}

/* --- HTTP --- */

/* Whoever is not on this host is named, and has a password. */
static bool refuse_open_http(struct loader *loader, cfg_t *root)
{
    const struct config *config = loader->config;
    struct where where = {.file = loader->path};
    struct sockaddr_storage address;
    struct ip ip;

    if (config->http_allow.text.count > 0 && config->http_password_file[0] == '\0') {
        where.label = "http_allow";
        (void)parse_value(cfg_getnstr(root, "http_allow", 0), &where.line);
        return assign_refuse(loader->fault, &where, config->http_allow.text.items[0],
                             "needs a password; http_password_file = \"/PATH\" beside it, or no "
                             "http_allow, would be right");
    }
    if (!value_http_address(config->http, &address) ||
        !ip_from_sockaddr((const struct sockaddr *)&address, &ip) || ip_is_loopback(&ip) ||
        config->http_allow.text.count > 0)
        return true;
    where.label = "http";
    where.line = parse_line(root, "http");
    return assign_refuse(loader->fault, &where, config->http,
                         "can be reached from other hosts; \"127.0.0.1:8895\", \"unix:/PATH\", or "
                         "http_allow and http_password_file beside it, would be right");
}

/* The file is the daemon's: who only prints the configuration need not have the right to read it. */
static bool set_passwords(struct loader *loader, cfg_t *root)
{
    struct config *config = loader->config;
    char problem[CONFIG_ERROR_SIZE] = "";
    struct fault unread = {.text = problem, .size = sizeof(problem)};

    if (loader->scope != CONFIG_WHOLE || config->http_password_file[0] == '\0' ||
        passwords_read(config->http_password_file, &config->http_passwords, &unread))
        return true;
    return fault_at(loader->fault, unread.error, loader->path,
                    parse_line(root, "http_password_file"), "http_password_file: %s", problem);
}

static bool warn_of_http(struct loader *loader, cfg_t *root)
{
    const struct config *config = loader->config;
    struct sockaddr_storage address;
    struct ip ip;

    if (config->http_allow.text.count > 0 &&
        (!value_http_address(config->http, &address) ||
         (ip_from_sockaddr((const struct sockaddr *)&address, &ip) && ip_is_loopback(&ip))))
        return warn(loader, parse_line(root, "http_allow"),
                    "http_allow: has no effect: http names no address that other hosts can reach");
    return config->http[0] != '\0' || config->http_password_file[0] == '\0' ||
           warn(loader, parse_line(root, "http_password_file"),
                "http_password_file: has no effect: http is \"\"");
}

static bool set_main(struct loader *loader, cfg_t *root)
{
    struct config *config = loader->config;
    cfg_t *cache = cfg_getsec(root, "cache");

    for (size_t i = 0; i < MAIN_SECTIONS; i++) {
        const char *name = main_sections[i];
        cfg_t *section = name[0] == '\0' ? root : cfg_getsec(root, name);
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "%s%s", name, name[0] == '\0' ? "" : ".");
        if (!set_section(loader, &main_table, name, prefix, section, config))
            return false;
    }
    return warn_of_max_wait(loader, root) && warn_of_listen(loader, root) &&
           refuse_open_http(loader, root) && set_passwords(loader, root) &&
           warn_of_http(loader, root) && refuse_own_authserv_id(loader, root) &&
           warn_of_trusted_authserv_ids(loader, root) &&
           warn_of_refresh(loader, cache, "valid", config->cache.valid_ttl_s,
                           config->cache.valid_refresh_s) &&
           warn_of_refresh(loader, cache, "invalid", config->cache.invalid_ttl_s,
                           config->cache.invalid_refresh_s);
}

/* --- Policies and relays --- */

enum { TITLE_MAX = 64 }; /* octets of a policy's name */

static const char default_name[] = "default";

/* Names go into logs and headers as they are. */
static bool is_policy_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] >= 0x7f || strchr("\"\\;=", name[i]) != NULL)
            return false;
    }
    return len >= 1 && len <= TITLE_MAX;
}

/* Sets what the policy's block says. Its name is good. */
static bool set_policy_block(struct loader *loader, cfg_t *section, struct policy *policy)
{
    unsigned line = parse_opening(section);
    char prefix[TITLE_MAX + 32];

    snprintf(prefix, sizeof(prefix), "policy \"%s\": match.", policy->name);
    if (!set_section(loader, &policy_table, "match", prefix, cfg_getsec(section, "match"), policy))
        return false;
    snprintf(prefix, sizeof(prefix), "policy \"%s\": ", policy->name);
    if (!set_section(loader, &policy_table, "policy", prefix, section, policy))
        return false;
    if (strcmp(policy->name, default_name) == 0 && !policy_matches_all(policy))
        return fault_at(
            loader->fault, RB_ERR_ARGUMENT, loader->path, line,
            "policy \"%s\" is the one for whatever no other policy matches; one without "
            "match, or another name, would be right",
            policy->name);
    return true;
}

static bool set_policy(struct loader *loader, cfg_t *section, struct policy *policy,
                       const struct policy *catch_all)
{
    struct where where = {.file = loader->path, .label = "policy"};
    const char *name = cfg_title(section);

    where.line = parse_opening(section);
    if (!is_policy_name(name))
        return assign_refuse(
            loader->fault, &where, name,
            "is no name; up to 64 printable characters without space, quote, backslash, "
            "\";\" or \"=\" would be right");
    *policy = (struct policy){.name = strdup(name)};
    loader->config->policy_count++;
    if (policy->name == NULL)
        return no_memory(loader);
    if (!set_policy_block(loader, section, policy))
        return false;
    return catch_all == NULL || warn(loader, where.line,
                                     "policy \"%s\" is never reached: policy \"%s\" before it "
                                     "matches everything",
                                     name, catch_all->name);
}

static bool too_many(struct loader *loader, cfg_t *section, const char *what, unsigned max)
{
    return fault_at(loader->fault, RB_ERR_ARGUMENT, loader->path, parse_opening(section),
                    "one %s too many; up to %u would be right", what, max);
}

static bool set_policies(struct loader *loader, cfg_t *root)
{
    unsigned count = cfg_size(root, "policy");
    const struct policy *catch_all = NULL;
    struct policy *policies;

    if (count > CONFIG_POLICIES_MAX)
        return too_many(loader, cfg_getnsec(root, "policy", CONFIG_POLICIES_MAX), "policy",
                        CONFIG_POLICIES_MAX);
    policies = calloc(count + 1, sizeof(*policies));
    if (policies == NULL)
        return no_memory(loader);
    loader->config->policies = policies;
    for (unsigned i = 0; i < count; i++) {
        if (!set_policy(loader, cfg_getnsec(root, "policy", i), &policies[i], catch_all))
            return false;
        if (catch_all == NULL && policy_matches_all(&policies[i]))
            catch_all = &policies[i];
    }
    return true;
}

/* The policy behind the last, from the table's defaults. */
static bool set_default_policy(struct loader *loader)
{
    struct policy *policy = &loader->config->default_policy;
    struct where where = {.file = loader->path, .label = default_name};

    policy->name = strdup(default_name);
    if (policy->name == NULL)
        return no_memory(loader);
    for (size_t i = 0; i < policy_table.count; i++) {
        const struct directive *directive = &policy_table.directives[i];

        if (!table_is_list(directive) &&
            !assign_set(loader->fault, &where, directive, directive->standard,
                        (char *)policy + directive->offset))
            return false;
    }
    return true;
}

static bool is_known_relay(const struct config *config, const char *domain)
{
    for (size_t i = 0; i < config->relay_count; i++) {
        if (strcmp(config->relays[i].domain, domain) == 0)
            return true;
    }
    return false;
}

/* The domain of a relay's title in canonical form: "example.org", ".example.org" or "*". */
static bool relay_domain(const char *title, char domain[RB_DOMAIN_MAX + 2])
{
    bool below = title[0] == '.';

    if (strcmp(title, "*") == 0)
        return text_copy(domain, RB_DOMAIN_MAX + 2, title);
    domain[0] = '.';
    return address_domain(title + below, strlen(title + below), domain + below) == ADDRESS_OK;
}

/* The targets as the library takes them. */
static bool join_targets(struct loader *loader, struct relay *relay)
{
    size_t size = 1;

    for (size_t i = 0; i < relay->to.count; i++)
        size += strlen(relay->to.items[i]) + 1;
    relay->list = calloc(1, size);
    if (relay->list == NULL)
        return no_memory(loader);
    for (size_t i = 0, len = 0; i < relay->to.count; i++)
        len += (size_t)snprintf(relay->list + len, size - len, "%s%s", i > 0 ? "," : "",
                                relay->to.items[i]);
    return true;
}

static bool set_relay(struct loader *loader, cfg_t *section)
{
    struct config *config = loader->config;
    struct relay *relay = &config->relays[config->relay_count];
    const char *title = cfg_title(section);
    char domain[RB_DOMAIN_MAX + 2], prefix[RB_DOMAIN_MAX + 32];
    struct where where = {.file = loader->path, .label = "relay"};

    where.line = parse_opening(section);
    if (!relay_domain(title, domain))
        return assign_refuse(loader->fault, &where, title,
                             "is no domain; \"example.org\", \".example.org\" (its subdomains) or "
                             "\"*\" would be right");
    if (is_known_relay(config, domain))
        return assign_refuse(loader->fault, &where, title,
                             "is given twice; one relay for each domain would be right");
    *relay = (struct relay){.domain = strdup(domain)};
    config->relay_count++;
    if (relay->domain == NULL)
        return no_memory(loader);
    snprintf(prefix, sizeof(prefix), "relay \"%s\": ", domain);
    if (!set_section(loader, &relay_table, "relay", prefix, section, relay))
        return false;
    if (relay->to.count == 0)
        return assign_refuse(loader->fault, &where, title,
                             "has no host to ask; to = { \"host:25\" } would be right");
    if (!join_targets(loader, relay))
        return false;
    return relay_is_good(relay->list) ||
           assign_refuse(
               loader->fault, &where, title,
               "has hosts whose names are too long together; shorter ones would be right");
}

static bool set_relays(struct loader *loader, cfg_t *root)
{
    unsigned count = cfg_size(root, "relay");

    if (count > CONFIG_RELAYS_MAX)
        return too_many(loader, cfg_getnsec(root, "relay", CONFIG_RELAYS_MAX), "relay",
                        CONFIG_RELAYS_MAX);
    loader->config->relays = calloc(count + 1, sizeof(struct relay));
    if (loader->config->relays == NULL)
        return no_memory(loader);
    loader->config->relay_count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!set_relay(loader, cfg_getnsec(root, "relay", i)))
            return false;
    }
    return true;
}

/* --- This machine's name --- */

static bool is_qualified(const char *name)
{
    return strchr(name, '.') != NULL || name[0] == '[';
}

/* The canonical form of a name that the system gave, or "" where it is no domain. */
static void clean_name(const char *name, char host[RB_DOMAIN_MAX + 1])
{
    if (address_domain(name, strlen(name), host) != ADDRESS_OK)
        host[0] = '\0';
}

/* Replaces a short host name by the canonical one of the resolver, if that has a dot. */
static void qualify(char host[RB_DOMAIN_MAX + 1])
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char full[RB_DOMAIN_MAX + 1];

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return;
    if (found->ai_canonname != NULL && is_qualified(found->ai_canonname)) {
        clean_name(found->ai_canonname, full);
        if (full[0] != '\0' && strncmp(full, "localhost.", 10) != 0)
            text_copy(host, RB_DOMAIN_MAX + 1, full);
    }
    freeaddrinfo(found);
}

static bool asks_resolver(const struct loader *loader)
{
    return loader->scope == CONFIG_WHOLE || loader->scope == CONFIG_CALLOUTS;
}

static void machine_name(const struct loader *loader, char host[RB_DOMAIN_MAX + 1])
{
    char name[RB_DOMAIN_MAX + 1] = "";

    host[0] = '\0';
    if (gethostname(name, sizeof(name) - 1) == 0)
        clean_name(name, host);
    if (is_qualified(host))
        return;
    if (!asks_resolver(loader))
        host[0] = '\0';
    else if (host[0] == '\0')
        text_copy(host, RB_DOMAIN_MAX + 1, "localhost");
    else
        qualify(host);
}

static bool warn_of_hostname(struct loader *loader, cfg_t *root, bool given)
{
    const char *name = loader->config->hostname;

    if (is_qualified(name) || (!asks_resolver(loader) && loader->scope != CONFIG_TO_PRINT))
        return true;
    if (name[0] == '\0')
        return warn(loader, 0,
                    "hostname: it is not given, and this machine's name has no domain: "
                    "the daemon asks the resolver for it");
    return warn(loader, parse_line(root, "hostname"),
                "hostname: %s \"%s\" is not fully qualified: mail hosts may refuse it; one such as "
                "\"mx.example.org\" would be right",
                given ? "the name" : "this machine's name", name);
}

static bool set_hostname(struct loader *loader, cfg_t *root)
{
    struct config *config = loader->config;
    char host[RB_DOMAIN_MAX + 1];
    bool given = config->hostname[0] != '\0';

    if (!given) {
        machine_name(loader, host);
        free(config->hostname);
        config->hostname = strdup(host);
        if (config->hostname == NULL)
            return no_memory(loader);
    }
    return warn_of_hostname(loader, root, given);
}

/* Puts the effective host name into "postmaster@HOSTNAME". */
static bool set_fallback(struct loader *loader, cfg_t *root)
{
    char **field = &loader->config->callout.fallback_mail_from;
    char *mark = strstr(*field, "@HOSTNAME");
    char mailbox[ADDRESS_TEXT_SIZE + RB_DOMAIN_MAX], kept[VALUE_TEXT_MAX + 1];
    struct where where = {.file = loader->path, .label = "callout.fallback_mail_from"};

    if (mark == NULL || mark[strlen("@HOSTNAME")] != '\0' || loader->config->hostname[0] == '\0')
        return true;
    where.line = parse_line(cfg_getsec(root, "callout"), "fallback_mail_from");
    snprintf(mailbox, sizeof(mailbox), "%.*s@%s", (int)(mark - *field), *field,
             loader->config->hostname);
    if (value_mail_from(mailbox, kept) != NULL)
        return assign_refuse(loader->fault, &where, mailbox,
                             "is no mail address; a shorter one would be right");
    free(*field);
    *field = strdup(kept);
    return *field != NULL || no_memory(loader);
}

/* --- Loading --- */

/* A relay is asked only where a policy has recipients verified. */
static bool warn_of_idle_relays(struct loader *loader, cfg_t *root)
{
    const struct config *config = loader->config;

    for (size_t i = 0; i < config->policy_count; i++)
        if (policy_verifies_recipient(&config->policies[i]))
            return true;
    return config->relay_count == 0 ||
           warn(loader, parse_opening(cfg_getnsec(root, "relay", 0)),
                "relay \"%s\": is never asked: no policy has verify = \"recipient\" or \"both\"",
                config->relays[0].domain);
}

/* What a policy says of the gate, and the position from which on that has an effect. */
static bool warn_of_gate(struct loader *loader, cfg_t *root)
{
    const struct config *config = loader->config;

    for (size_t i = 0; i < config->policy_count; i++) {
        const struct policy *policy = &config->policies[i];
        const struct {
            const char *name;
            bool is_set;
            enum rb_gate from;
        } settings[] = {
            {"on_spf_fail", policy->on_spf_fail != ACTION_ACCEPT, RB_GATE_FAIL},
            {"on_spf_softfail", policy->on_spf_softfail != ACTION_ACCEPT, RB_GATE_SOFTFAIL},
            {"on_not_vouched", policy->on_not_vouched != ACTION_ACCEPT, RB_GATE_VOUCHED},
            {"vouched", policy->vouched, RB_GATE_FAIL},
        };

        for (size_t j = 0; j < sizeof(settings) / sizeof(settings[0]); j++)
            if (settings[j].is_set && config->spf.gate < settings[j].from &&
                !warn(loader,
                      parse_line(cfg_getnsec(root, "policy", (unsigned)i), settings[j].name),
                      "policy \"%s\": %s: has no effect: spf.gate is \"%s\"; \"%s\" would give it "
                      "one",
                      policy->name, settings[j].name, config_gate_name(config),
                      gate_names[settings[j].from]))
                return false;
    }
    return true;
}

/* False: there is no such user. A user who is written as a number needs no name. */
static bool find_user(const char *name, uid_t *uid)
{
    struct passwd entry, *found = NULL;
    char room[PASSWD_ENTRY_SIZE];
    int64_t number;

    if (value_number(name, &number) && number < UINT32_MAX) {
        *uid = (uid_t)number;
        return true;
    }
    if (getpwnam_r(name, &entry, room, sizeof(room), &found) != 0 || found == NULL)
        return false;
    *uid = found->pw_uid;
    return true;
}

/* Those that the default names: of two MTAs, of which there is one. */
static bool is_mta_user(const char *name)
{
    static const char *const names[] = {"postfix", "root", "smmsp"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool set_answer_users(struct loader *loader, cfg_t *root)
{
    const struct text_list *users = &loader->config->connect_back.answer_users;
    uid_t *uids = loader->config->connect_back.answer_uids;
    size_t count = 0;
    cfg_t *section = cfg_getsec(root, "connect_back");

    for (size_t i = 0; i < users->count; i++) {
        if (find_user(users->items[i], &uids[count]))
            count++;
        else if (!is_mta_user(users->items[i]) &&
                 !warn(loader, parse_line(section, "answer_users"),
                       "connect_back.answer_users: there is no user \"%s\"", users->items[i]))
            return false;
    }
    loader->config->connect_back.answer_uid_count = count;
    return count > 0 || !loader->config->connect_back.answer ||
           warn(
               loader, parse_line(section, "answer"),
               "connect_back.answer: there is none of answer_users: \"unknown\" is all that others "
               "are told");
}

/* What would be done about header senders, where there are none. */
static bool warn_of_headers(struct loader *loader, cfg_t *root)
{
    for (size_t i = 0; i < loader->config->policy_count; i++) {
        const struct policy *policy = &loader->config->policies[i];

        if (policy->verify_headers == 0 && policy->on_header_invalid != ACTION_TAG &&
            !warn(loader, parse_line(cfg_getnsec(root, "policy", (unsigned)i), "on_header_invalid"),
                  "policy \"%s\": on_header_invalid: has no effect: verify_headers is empty; "
                  "{ \"from\", \"reply-to\" } would give it one",
                  policy->name))
            return false;
    }
    return true;
}

/* Whoever can be a client of the policy has the gate open for whom he forges. */
static bool warn_of_vouched(struct loader *loader, cfg_t *root)
{
    for (size_t i = 0; i < loader->config->policy_count; i++) {
        const struct policy *policy = &loader->config->policies[i];

        if (policy->vouched && loader->config->spf.gate != RB_GATE_NO &&
            policy->client.count == 0 && policy->authenticated != AUTHENTICATED_YES &&
            !warn(loader, parse_line(cfg_getnsec(root, "policy", (unsigned)i), "vouched"),
                  "policy \"%s\": vouched: opens the gate for strangers: match { client } is "
                  "empty; the addresses of known forwarders would be right",
                  policy->name))
            return false;
    }
    return true;
}

/* The host name comes last: it may wait for the resolver, and faults are told without that. */
static bool set_all(struct loader *loader, cfg_t *root)
{
    return set_main(loader, root) && set_policies(loader, root) && set_relays(loader, root) &&
           warn_of_idle_relays(loader, root) && warn_of_gate(loader, root) &&
           warn_of_headers(loader, root) && warn_of_vouched(loader, root) &&
           set_default_policy(loader) &&
           (loader->scope != CONFIG_WHOLE || set_answer_users(loader, root)) &&
           set_hostname(loader, root) && set_fallback(loader, root);
}

const char *const *config_scope_names(enum config_scope scope)
{
    static const char *const callouts[] = {"hostname=", "resolvers=", "callout{", "cache{",
                                           "greylist{", "limits{",    "spf{",     NULL};
    static const char *const cache[] = {"cache{", NULL};
    static const char *const resolvers[] = {"resolvers=", NULL};
    static const char *const control[] = {"control=", NULL};

    switch (scope) {
    case CONFIG_CALLOUTS:
        return callouts;
    case CONFIG_CACHE:
        return cache;
    case CONFIG_RESOLVERS:
        return resolvers;
    case CONFIG_CONTROL:
        return control;
    default:
        return NULL;
    }
}

static bool set_from_text(struct loader *loader, char *text, size_t len)
{
    static const char *const titled[] = {"policy", "relay", NULL};
    cfg_t *root;
    bool fine;

    if (config_scope_names(loader->scope) != NULL)
        scan_keep(text, len, config_scope_names(loader->scope), titled);
    if (!scan_text(loader->path, text, len, loader->fault))
        return false;
    root = parse_text(loader->path, text, len, loader->fault);
    if (root == NULL)
        return false;
    fine = set_all(loader, root);
    parse_free(root);
    return fine;
}

/* path is for messages; text is changed. */
static enum rb_error load_text(const char *path, enum config_scope scope, char *text, size_t len,
                               struct fault *fault, struct config **config)
{
    struct loader loader = {
        .path = path != NULL ? path : "defaults", .fault = fault, .scope = scope};

    loader.config = calloc(1, sizeof(*loader.config));
    if (loader.config == NULL || (loader.config->path = strdup(path != NULL ? path : "")) == NULL) {
        free(loader.config);
        no_memory(&loader);
        return fault->error;
    }
    atomic_init(&loader.config->references, 1);
    if (!set_from_text(&loader, text, len)) {
        config_put(loader.config);
        return fault->error;
    }
    *config = loader.config;
    return RB_OK;
}

static enum rb_error load_file(const char *path, enum config_scope scope, struct fault *fault,
                               struct config **config)
{
    char *text = NULL, nothing[] = "\n";
    size_t len = 0;
    enum rb_error result;

    if (path == NULL)
        return load_text(path, scope, nothing, 1, fault, config);
    result = scan_file(path, SCAN_CONFIG_MAX, &text, &len, fault);
    if (result == RB_OK)
        result = load_text(path, scope, text, len, fault, config);
    free(text);
    return result;
}

enum rb_error config_load_scope(const char *path, enum config_scope scope, struct config **config,
                                char *error, size_t error_size)
{
    char line[CONFIG_ERROR_SIZE] = "";
    struct fault fault = {.text = line, .size = sizeof(line)};
    enum rb_error result;
    int number;

    errno = 0;
    result = load_file(path, scope, &fault, config);
    number = errno;
    if (error_size > 0)
        snprintf(error, error_size, "%s", line);
    errno = number;
    return result;
}

enum rb_error config_load(const char *path, struct config **config, char *error, size_t error_size)
{
    return config_load_scope(path, CONFIG_WHOLE, config, error, error_size);
}

enum rb_error config_defaults(struct config **config)
{
    char error[CONFIG_ERROR_SIZE];

    return config_load_scope(NULL, CONFIG_WHOLE, config, error, sizeof(error));
}
