/* SPDX-License-Identifier: BSD-2-Clause */
/* spf_rig: see the header. */
#include "config.h"

#include "spf_rig.h"

#include <strings.h>

#include "check.h"
#include "dns/name.h"
#include "dns_rig.h"

static char *copy_text(const char *text, bool is_name)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    for (size_t i = 0; is_name && copy[i] != '\0'; i++)
        copy[i] = (char)(copy[i] >= 'A' && copy[i] <= 'Z' ? copy[i] + ('a' - 'A') : copy[i]);
    return copy;
}

static struct ip ip_of(const char *text)
{
    const struct sockaddr_storage address = dns_rig_address(text);
    struct ip ip;

    assert_true(ip_from_sockaddr((const struct sockaddr *)&address, &ip));
    return ip;
}

enum dns_outcome spf_rig_say(const struct fake_dns_row *rows, size_t count,
                             const struct spf_lookup *lookup, struct dns_record_list *list)
{
    enum dns_outcome outcome = DNS_NO_DOMAIN;

    *list = (struct dns_record_list){.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(rows[i].name, lookup->name) != 0)
            continue;
        outcome = DNS_NO_DATA;
        if (rows[i].type != ns_t_invalid && (int)rows[i].type != lookup->type)
            continue;
        if (rows[i].rcode == ns_r_servfail)
            return DNS_FAILURE;
        if (rows[i].rcode == ns_r_nxdomain)
            return DNS_NO_DOMAIN;
        for (size_t j = 0; j < rows[i].count; j++) {
            const struct fake_dns_answer *answer = &rows[i].answers[j];
            struct dns_record record = {.preference = answer->preference};

            assert_int_equal(answer->type, lookup->type);
            if (lookup->type == ns_t_a || lookup->type == ns_t_aaaa)
                record.ip = ip_of(answer->data);
            else
                record.text = copy_text(answer->data, lookup->type != ns_t_txt);
            record.text_len = record.text != NULL ? strlen(record.text) : 0;
            assert_true(dns_records_add(list, &record));
        }
        return DNS_FOUND;
    }
    return outcome;
}

unsigned spf_rig_looked_up(const struct spf_rig_log *log, const char *name, int type)
{
    unsigned times = 0;

    for (size_t i = 0; i < log->count; i++)
        times += (type == ns_t_invalid || log->lookup[i].type == type) &&
                 strcasecmp(log->lookup[i].name, name) == 0;
    return times;
}

void spf_rig_note(struct spf_rig_log *log, const struct spf_lookup *lookup)
{
    assert_true(log->count < COUNT(log->lookup));
    assert_int_equal(spf_rig_looked_up(log, lookup->name, lookup->type), 0);
    assert_true(dns_name_can_be_asked(lookup->name));
    log->lookup[log->count++] = *lookup;
}
