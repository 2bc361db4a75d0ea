/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPF checks: whatever records and answers are, a check ends, asks for what can be asked for and
 * for nothing twice, and comes to the same each time. Input, line by line: the domain's record; the
 * local part; the HELO name; then what DNS says to each further look-up: "!" it fails, "?" there is
 * no such name, or records with "|" between them.
 */
#include "config.h"

#include "fuzz.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdbool.h>
#include <string.h>

#include "dns/name.h"
#include "spf/record.h"
#include "spf/vouch.h"

const char fuzz_name[] = "spf";

enum { TEXT_MAX = 300 };

/* What is left of the input. */
struct source {
    const char *at, *end;
};

static struct span take_until(struct source *source, char mark)
{
    const char *stop = source->at < source->end
                           ? memchr(source->at, mark, (size_t)(source->end - source->at))
                           : NULL;
    struct span span = {source->at, (size_t)((stop != NULL ? stop : source->end) - source->at)};

    source->at = stop != NULL ? stop + 1 : source->end;
    return span;
}

/* The next line, cut at TEXT_MAX octets, without zeroes. */
static const char *take_text(struct source *source, char text[TEXT_MAX + 1])
{
    const struct span line = take_until(source, '\n');
    size_t kept = 0;

    for (size_t i = 0; i < line.len && kept < TEXT_MAX; i++)
        if (line.at[i] != '\0')
            text[kept++] = line.at[i];
    text[kept] = '\0';
    return text;
}

/* --- What DNS says ------------------------------------------------------------ */

static char *copy(struct span span)
{
    char *text = malloc(span.len + 1);

    HOLDS(text != NULL);
    memcpy(text, span.at, span.len);
    text[span.len] = '\0';
    return text;
}

/* As dns does: no name that could not be asked for. */
static void add_record(struct dns_record_list *list, int type, struct span span)
{
    struct dns_record record = {.text = NULL};

    if (type == ns_t_a || type == ns_t_aaaa) {
        memcpy(record.ip.octets, span.at, span.len < IP_LEN ? span.len : IP_LEN);
        if (type == ns_t_a)
            record.ip = ip_from_v4(record.ip.octets);
    } else {
        record.text = copy(span);
        record.text_len = span.len;
    }
    if (type != ns_t_txt && record.text != NULL &&
        (!dns_name_can_be_asked(record.text) || strlen(record.text) != record.text_len)) {
        free(record.text);
        return;
    }
    HOLDS(dns_records_add(list, &record));
}

static enum dns_outcome say(struct source *source, int type, struct dns_record_list *list)
{
    const bool is_over = source->at == source->end;
    struct span line = take_until(source, '\n');
    struct source records = {line.at, line.at + line.len};

    *list = (struct dns_record_list){.count = 0};
    if (is_over || (line.len == 1 && line.at[0] == '?'))
        return DNS_NO_DOMAIN;
    if (line.len == 1 && line.at[0] == '!')
        return DNS_FAILURE;
    while (records.at < records.end)
        add_record(list, type, take_until(&records, '|'));
    return DNS_FOUND;
}

/* The domain's record is all of its line. */
static enum dns_outcome say_first(struct source *source, struct dns_record_list *list)
{
    *list = (struct dns_record_list){.count = 0};
    add_record(list, ns_t_txt, take_until(source, '\n'));
    return DNS_FOUND;
}

/* --- The check -------------------------------------------------------------------- */

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static bool is_error(enum spf_outcome outcome)
{
    return outcome == SPF_OUTCOME_TEMPERROR || outcome == SPF_OUTCOME_PERMERROR;
}

static void look_at(const struct spf_result *answer)
{
    HOLDS(answer->outcome >= SPF_OUTCOME_NONE && answer->outcome <= SPF_OUTCOME_PERMERROR);
    HOLDS(is_error(answer->outcome) == (answer->fault != NULL));
    HOLDS(is_printable(answer->domain) && is_printable(answer->term));
    HOLDS(answer->outcome == SPF_OUTCOME_NONE || answer->domain[0] != '\0');
    HOLDS((answer->outcome != SPF_OUTCOME_PASS && answer->outcome != SPF_OUTCOME_FAIL) ||
          answer->term[0] != '\0');
}

/* Guesses are made where SPF says neither yes nor no, and hosts vouch only where it says nothing. */
static void look_at_voucher(const struct spf_vouching *vouching)
{
    const enum spf_outcome outcome = vouching->said.outcome;

    HOLDS((vouching->voucher == RB_VOUCHER_NOBODY) == (vouching->why_nobody != NULL));
    HOLDS((vouching->voucher == RB_VOUCHER_SPF) == (outcome == SPF_OUTCOME_PASS));
    HOLDS(vouching->voucher != RB_VOUCHER_MX || outcome == SPF_OUTCOME_NONE);
    HOLDS(vouching->voucher == RB_VOUCHER_NOBODY ||
          (outcome != SPF_OUTCOME_FAIL && outcome != SPF_OUTCOME_SOFTFAIL));
    HOLDS(is_printable(vouching->host));
}

static void check(const struct spf_question *question, struct source first, struct source more)
{
    struct spf_answers answers = {.first = NULL};
    struct spf_vouching vouching;
    struct spf_result answer, again;
    struct spf_lookup next;
    bool is_first = true;

    while (!spf_vouch(question, &answers, &vouching, &next)) {
        struct dns_record_list list;
        enum dns_outcome outcome =
            is_first ? say_first(&first, &list) : say(&more, next.type, &list);

        HOLDS(spf_answers_find(&answers, next.type, next.name) == NULL);
        HOLDS(dns_name_can_be_asked(next.name));
        HOLDS(spf_answers_add(&answers, &next, outcome, &list));
        dns_records_free(&list);
        is_first = false;
    }
    answer = vouching.said;
    look_at(&answer);
    look_at_voucher(&vouching);
    HOLDS(spf_evaluate(question, &answers, &again, &next));
    HOLDS(answer.outcome == again.outcome && answer.fault == again.fault &&
          strcmp(answer.domain, again.domain) == 0 && strcmp(answer.term, again.term) == 0);
    spf_answers_free(&answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct source whole = {(const char *)data, (const char *)data + size};
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000219)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char local[TEXT_MAX + 1], helo[TEXT_MAX + 1];
    struct spf_question question = {.domain = "d.example", .guesses = true};
    struct source rest = whole;

    (void)inet_pton(AF_INET6, "2001:db8::25", &v6.sin6_addr);
    (void)take_until(&rest, '\n');
    question.local = take_text(&rest, local);
    question.helo = take_text(&rest, helo);
    question.client = (const struct sockaddr *)&v4;
    check(&question, whole, rest);
    question.client = (const struct sockaddr *)&v6;
    check(&question, whole, rest);
    return 0;
}
