/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf: see the header. The evaluation (RFC 7208 4.6, 5, 6.1) is libspf2's, and this is the only
 * file that knows it; the questions are asked by dns. It must not decide what a result is good for.
 *
 * libspf2 has had many memory faults, and the distributions' 1.2.10 has some still: integer
 * underflows in CIDR and macro parsing, a list of errors counted in 16 bits, directives dropped in
 * silence once a record's compiled form passes 511 octets. Hence it is given nothing that a
 * stranger wrote: records come from spf_record (no macros, no networks, no modifiers but redirect),
 * names from DNS have been checked by dns. It also counts look-ups for each include anew and void
 * ones not at all, so the limits of RFC 7208 4.6.4 are kept here.
 */
#include "config.h"

#include "spf.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spf2/spf.h>

#include "dns.h"
#include "spf_record.h"

/* libspf2 calls back with no more than its resolver, whose hook this is. */
struct check {
    const struct dns *dns;
    deadline until;
    const struct spf_question *question;
    struct spf_answer *answer;
    struct sockaddr_storage client; /* v4-mapped made v4 */
    SPF_dns_server_t resolver;
    SPF_server_t server;
    SPF_request_t *request;
    bool has_record; /* the domain's own record has been fetched */
    bool is_over;    /* a limit was passed: nothing more is asked, and the result is PERMERROR */
    unsigned terms, voids;
    /*
     * Hosts that an MX or PTR look-up named, in the order in which libspf2 goes on to look up their
     * addresses: those are part of the same term.
     */
    char hosts[SPF_NAMES_MAX][RB_DOMAIN_MAX + 1];
    size_t host_count, host_next;
    ns_type hosts_of;                /* the type of that look-up */
    char receiver[sizeof "unknown"]; /* our name, in texts that nobody sees */
};

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* --- Limits ----------------------------------------------------------------- */

/* False when that is one term too many. */
static bool count_term(struct check *check)
{
    check->host_count = check->host_next = 0;
    if (++check->terms > SPF_LOOKUPS_MAX)
        check->is_over = true;
    return !check->is_over;
}

/* Whether this is the look-up that libspf2 makes next for the last MX or PTR. */
static bool is_next_host(struct check *check, const char *name, ns_type type)
{
    if ((type != ns_t_a && type != ns_t_aaaa) || check->host_next >= check->host_count ||
        strcmp(name, check->hosts[check->host_next]) != 0)
        return false;
    check->host_next++;
    return true;
}

/*
 * RFC 7208 4.6.4. What the client's own PTR records say is no fault of the record's: that does not
 * count.
 */
static void count_void(struct check *check, bool is_host, ns_type type, enum dns_outcome outcome)
{
    if (type == ns_t_ptr || (is_host && check->hosts_of == ns_t_ptr) ||
        (outcome != DNS_NO_DATA && outcome != DNS_NO_DOMAIN))
        return;
    if (++check->voids > SPF_VOID_LOOKUPS_MAX)
        check->is_over = true;
}

/* Of more pointers the first ten are taken, of more mail hosts none (RFC 7208 4.6.4). */
static void keep_hosts(struct check *check, ns_type type, struct dns_record_list *list)
{
    if (type == ns_t_mx && list->count > SPF_NAMES_MAX)
        check->is_over = true;
    if (type != ns_t_mx && type != ns_t_ptr)
        return;
    while (list->count > SPF_NAMES_MAX)
        free(list->record[--list->count].text);
    for (size_t i = 0; i < list->count; i++)
        (void)snprintf(check->hosts[i], sizeof check->hosts[i], "%s", list->record[i].text);
    check->host_count = list->count;
    check->host_next = 0;
    check->hosts_of = type;
}

/* --- Look-ups --------------------------------------------------------------- */

static SPF_dns_stat_t to_herrno(enum dns_outcome outcome)
{
    switch (outcome) {
    case DNS_FOUND:
        return NETDB_SUCCESS;
    case DNS_NO_DOMAIN:
        return HOST_NOT_FOUND;
    case DNS_NO_DATA:
    case DNS_NULL_MX:
        return NO_DATA;
    case DNS_FAILURE:
        break;
    }
    return TRY_AGAIN;
}

static bool fill_record(SPF_dns_rr_t *answer, int index, ns_type type,
                        const struct dns_record *record)
{
    const bool is_name = type == ns_t_mx || type == ns_t_ptr;
    const size_t size = is_name ? record->text_len + 1 : sizeof(SPF_dns_rr_data_t);
    if (SPF_dns_rr_buf_realloc(answer, index, size) != SPF_E_SUCCESS)
        return false;
    if (type == ns_t_a)
        memcpy(&answer->rr[index]->a, record->address, sizeof answer->rr[index]->a);
    else if (type == ns_t_aaaa)
        memcpy(&answer->rr[index]->aaaa, record->address, sizeof answer->rr[index]->aaaa);
    else
        memcpy(answer->rr[index], record->text, size);
    return true;
}

static void fill(SPF_dns_rr_t *answer, ns_type type, const struct dns_record_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!fill_record(answer, (int)i, type, &list->record[i])) {
            answer->herrno = TRY_AGAIN;
            return;
        }
        answer->num_rr = (int)i + 1;
    }
}

static enum dns_outcome ask(struct check *check, const char *name, ns_type type,
                            struct dns_record_list *list)
{
    *list = (struct dns_record_list){.count = 0};
    const bool is_host = is_next_host(check, name, type);
    if (check->is_over || (!is_host && !count_term(check)))
        return DNS_FAILURE;
    enum dns_outcome outcome = dns_records(check->dns, name, type, check->until, list);
    if (outcome == DNS_FOUND && list->is_cut && type != ns_t_ptr && type != ns_t_mx)
        outcome = DNS_FAILURE; /* the client may be among those left out */
    count_void(check, is_host, type, outcome);
    keep_hosts(check, type, list);
    return check->is_over ? DNS_FAILURE : outcome;
}

/* SPF_dns_lookup_t. libspf2 ends the process where this returns NULL. */
static SPF_dns_rr_t *look_up(SPF_dns_server_t *resolver, const char *name, ns_type type,
                             int should_cache)
{
    struct check *check = resolver->hook;
    struct dns_record_list list;
    (void)should_cache;
    enum dns_outcome outcome = ask(check, name, type, &list);
    SPF_dns_rr_t *answer = SPF_dns_rr_new_init(resolver, name, type, 0, to_herrno(outcome));
    if (answer != NULL && outcome == DNS_FOUND)
        fill(answer, type, &list);
    dns_records_free(&list);
    return answer;
}

/* --- Records ---------------------------------------------------------------- */

/* The one SPF record among a domain's TXT records (RFC 7208 4.5). */
static SPF_errcode_t pick_record(const struct dns_record_list *list,
                                 const struct dns_record **picked)
{
    *picked = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct dns_record *record = &list->record[i];
        if (!spf_record_is_one(record->text, record->text_len))
            continue;
        if (*picked != NULL)
            return SPF_E_MULTIPLE_RECORDS;
        *picked = record;
    }
    if (list->is_cut)
        return SPF_E_DNS_ERROR; /* one may be among those left out */
    return *picked != NULL ? SPF_E_SUCCESS : SPF_E_NOT_SPF;
}

/* What is left of the record for this client, in the plain form that libspf2 may see. */
static SPF_errcode_t read_record(struct check *check, const char *domain,
                                 const struct dns_record *record, struct spf_plain *plain)
{
    struct spf_macros macros = {
        .client = (const struct sockaddr *)&check->client,
        .local = text_or_empty(check->question->local),
        .sender_domain = check->question->domain,
        .domain = domain,
        .helo = text_or_empty(check->question->helo),
    };
    if (!spf_record_read(record->text, record->text_len, &macros, plain))
        return SPF_E_SYNTAX;
    if (!plain->needs_client_name)
        return SPF_E_SUCCESS;
    macros.client_name = SPF_request_get_client_dom(check->request);
    if (macros.client_name == NULL)
        return SPF_E_NO_MEMORY;
    if (check->is_over)
        return SPF_E_BIG_DNS;
    return spf_record_read(record->text, record->text_len, &macros, plain) ? SPF_E_SUCCESS
                                                                           : SPF_E_SYNTAX;
}

static SPF_errcode_t compile(struct check *check, const char *domain,
                             const struct dns_record *record, SPF_response_t *response,
                             SPF_record_t **compiled)
{
    struct spf_plain plain;
    SPF_errcode_t error = read_record(check, domain, record, &plain);
    if (error != SPF_E_SUCCESS)
        return error;
    check->answer->by_sender = check->answer->by_sender || plain.by_sender;
    check->answer->by_helo = check->answer->by_helo || plain.by_helo;
    error = SPF_record_compile(&check->server, response, compiled, plain.text);
    /* Directives that do not fit are left out without a word. */
    if (error == SPF_E_SUCCESS && (*compiled)->num_mech != plain.directives)
        return SPF_E_BIG_MECH;
    return error;
}

/* SPF_dns_get_spf_t: the record of the request's current domain. */
static SPF_errcode_t get_record(SPF_server_t *server, SPF_request_t *request,
                                SPF_response_t *response, SPF_record_t **compiled)
{
    struct check *check = server->resolver->hook;
    const struct dns_record *record;
    struct dns_record_list list;
    SPF_errcode_t error;

    *compiled = NULL;
    if (check->has_record && !count_term(check))
        return SPF_E_BIG_DNS;
    check->has_record = true;
    switch (dns_records(check->dns, request->cur_dom, ns_t_txt, check->until, &list)) {
    case DNS_FOUND:
        error = pick_record(&list, &record);
        if (error == SPF_E_SUCCESS)
            error = compile(check, request->cur_dom, record, response, compiled);
        break;
    case DNS_FAILURE:
        error = SPF_E_DNS_ERROR;
        break;
    default:
        error = SPF_E_NOT_SPF;
        break;
    }
    dns_records_free(&list);
    return error;
}

/* --- A check ---------------------------------------------------------------- */

/* Reached only where libspf2 finds its own state impossible; it calls abort() after. */
__attribute__((noreturn)) static void give_up(const char *file, int line, const char *text)
{
    (void)file;
    (void)line;
    (void)text;
    abort();
}

/* As they stand, all four write to stderr or stdout. An application's own ones are left alone. */
static void silence(void)
{
    if (SPF_error_handler == SPF_error_stdio)
        SPF_error_handler = give_up;
    if (SPF_warning_handler == SPF_warning_stdio)
        SPF_warning_handler = NULL;
    if (SPF_info_handler == SPF_info_stdio)
        SPF_info_handler = NULL;
    if (SPF_debug_handler == SPF_debug_stdio)
        SPF_debug_handler = NULL;
}

/* False when it is neither of the two families. */
static bool set_client(struct check *check, const struct sockaddr *client)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6;
    if (client == NULL)
        return false;
    if (client->sa_family == AF_INET) {
        memcpy(&check->client, client, sizeof v4);
        return true;
    }
    if (client->sa_family != AF_INET6)
        return false;
    memcpy(&v6, client, sizeof v6);
    if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        memcpy(&check->client, &v6, sizeof v6);
        return true;
    }
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, sizeof v4.sin_addr);
    memcpy(&check->client, &v4, sizeof v4);
    return true;
}

static bool is_host_name(const char *domain)
{
    static const char octets[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strnlen(domain, RB_DOMAIN_MAX + 1);
    return len > 0 && len <= RB_DOMAIN_MAX && strspn(domain, octets) == len &&
           strchr(domain, '.') != NULL;
}

/*
 * The local part stays out: what it is wanted for has been written into the record. The server is
 * made by hand, since SPF_server_new compiles two records nobody wants and ends the process where
 * the host's name has 64 octets.
 */
static bool prepare(struct check *check)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    check->resolver = (SPF_dns_server_t){
        .lookup = look_up, .get_spf = get_record, .name = "ringback", .hook = check};
    check->server = (SPF_server_t){.resolver = &check->resolver,
                                   .rec_dom = check->receiver,
                                   .max_dns_mech = SPF_LOOKUPS_MAX,
                                   .max_dns_ptr = SPF_NAMES_MAX,
                                   .max_dns_mx = SPF_NAMES_MAX};
    check->request = SPF_request_new(&check->server);
    if (check->request == NULL)
        return false;
    if (check->client.ss_family == AF_INET) {
        memcpy(&v4, &check->client, sizeof v4);
        SPF_request_set_ipv4(check->request, v4.sin_addr);
    } else {
        memcpy(&v6, &check->client, sizeof v6);
        SPF_request_set_ipv6(check->request, v6.sin6_addr);
    }
    return SPF_request_set_env_from(check->request, check->question->domain) == SPF_E_SUCCESS;
}

static enum spf_outcome from_result(SPF_result_t result, SPF_reason_t reason)
{
    switch (result) {
    case SPF_RESULT_PASS:
        return SPF_OUTCOME_PASS;
    case SPF_RESULT_NEUTRAL:
        return SPF_OUTCOME_NEUTRAL;
    case SPF_RESULT_SOFTFAIL:
        return SPF_OUTCOME_SOFTFAIL;
    case SPF_RESULT_FAIL:
        return reason == SPF_REASON_MECH ? SPF_OUTCOME_FAIL : SPF_OUTCOME_TEMPERROR;
    case SPF_RESULT_PERMERROR:
        return SPF_OUTCOME_PERMERROR;
    default:
        return SPF_OUTCOME_TEMPERROR;
    }
}

static enum spf_outcome from_error(SPF_errcode_t error)
{
    switch (error) {
    case SPF_E_NOT_SPF:
        return SPF_OUTCOME_NONE;
    case SPF_E_SUCCESS: /* without a result, that is none */
    case SPF_E_NO_MEMORY:
    case SPF_E_DNS_ERROR:
    case SPF_E_INTERNAL_ERROR:
    case SPF_E_NOT_CONFIG:
    case SPF_E_UNINIT_VAR:
        return SPF_OUTCOME_TEMPERROR;
    default:
        return SPF_OUTCOME_PERMERROR;
    }
}

static enum spf_outcome evaluate(struct check *check)
{
    SPF_response_t *response = NULL;
    SPF_errcode_t error = SPF_request_query_mailfrom(check->request, &response);
    enum spf_outcome outcome = from_error(error);
    /* With a result, the error only says how it came about. */
    if (response != NULL && SPF_response_result(response) != SPF_RESULT_INVALID &&
        error != SPF_E_NO_MEMORY)
        outcome = from_result(SPF_response_result(response), SPF_response_reason(response));
    if (response != NULL)
        SPF_response_free(response);
    return check->is_over ? SPF_OUTCOME_PERMERROR : outcome;
}

void spf_check(const struct dns *dns, deadline until, const struct spf_question *question,
               struct spf_answer *answer)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct check check = {
        .dns = dns, .until = until, .question = question, .answer = answer, .receiver = "unknown"};
    *answer = (struct spf_answer){.outcome = SPF_OUTCOME_NONE};
    (void)pthread_once(&once, silence);
    if (!set_client(&check, question->client) || question->domain == NULL ||
        !is_host_name(question->domain))
        return;
    answer->outcome = prepare(&check) ? evaluate(&check) : SPF_OUTCOME_TEMPERROR;
    if (check.request != NULL)
        SPF_request_free(check.request);
}

const char *spf_outcome_name(enum spf_outcome outcome)
{
    static const char *const names[] = {
        [SPF_OUTCOME_NONE] = "none",           [SPF_OUTCOME_PASS] = "pass",
        [SPF_OUTCOME_NEUTRAL] = "neutral",     [SPF_OUTCOME_SOFTFAIL] = "softfail",
        [SPF_OUTCOME_FAIL] = "fail",           [SPF_OUTCOME_TEMPERROR] = "temperror",
        [SPF_OUTCOME_PERMERROR] = "permerror",
    };
    return (size_t)outcome < sizeof names / sizeof names[0] ? names[outcome] : "?";
}
