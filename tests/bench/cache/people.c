/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * people: see the header. Addresses as real senders have them: a name, often with a number, at one
 * of many domains. Must not draw from any state: a number says it all.
 */
#include "config.h"

#include "people.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SYLLABLES = 16, HEX_DIGITS = 5, DOMAIN_NAME_SIZE = 40 };

static const char SYLLABLE[SYLLABLES][4] = {"an", "bel", "cor", "da", "el",  "fi", "gor", "hel",
                                            "in", "jo",  "ka",  "li", "mar", "ne", "os",  "ra"};
static const char TENS[10][2] = {"", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const LAST[] = {"com", "net", "org", "example", "de", "fr", "co.uk", "com"};

uint64_t people_dice(uint64_t number)
{
    uint64_t mixed = number + UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* The number in it keeps domains apart. */
static void domain_name(uint64_t domain, char name[DOMAIN_NAME_SIZE])
{
    const uint64_t dice = people_dice(~domain);
    (void)snprintf(name, DOMAIN_NAME_SIZE, "%s%s%" PRIu64 ".%s", SYLLABLE[dice % SYLLABLES],
                   SYLLABLE[(dice >> 8) % SYLLABLES], domain,
                   LAST[(dice >> 16) % (sizeof LAST / sizeof LAST[0])]);
}

/*
 * Two of a domain may not have the same name: the last character is their place in it, counted from
 * `first`. It stands so far behind that a stranger is looked for in the very pages that hold
 * people.
 */
static void mailbox(uint64_t number, char first, char key[CACHE_KEY_MAX + 1])
{
    char domain[DOMAIN_NAME_SIZE];
    const uint64_t dice = people_dice(number);
    domain_name(number / PEOPLE_PER_DOMAIN, domain);
    (void)snprintf(key, CACHE_KEY_MAX + 1, "s%s%s.%s%s%c@%s", SYLLABLE[dice % SYLLABLES],
                   SYLLABLE[(dice >> 8) % SYLLABLES], SYLLABLE[(dice >> 16) % SYLLABLES],
                   TENS[(dice >> 24) % 10], (char)(first + (char)(number % PEOPLE_PER_DOMAIN)),
                   domain);
}

void people_key(uint64_t number, char key[CACHE_KEY_MAX + 1])
{
    mailbox(number, '0', key);
}

void people_stranger(uint64_t number, char key[CACHE_KEY_MAX + 1])
{
    mailbox(number, 'a', key);
}

/* The codes stand before what is kept beside them; the text has the mailbox's queue number. */
static void write_reply(uint64_t number, struct address_record *record)
{
    const bool valid = record->code == 250;
    const int before =
        snprintf(record->reply, sizeof record->reply, "%d %s ", record->code, record->enhanced);
    (void)snprintf(record->reply + before, PEOPLE_REPLY + 1, "%s (%0*" PRIx64 ") %s",
                   valid ? "Recipient ok" : "User unknown", HEX_DIGITS,
                   people_dice(number) & 0xfffff, "for local delivery.");
}

void people_record(uint64_t number, int64_t stamp_s, struct address_record *record)
{
    char domain[DOMAIN_NAME_SIZE];
    const bool valid = people_dice(number) % 4 != 0;
    const unsigned host = (unsigned)(number / PEOPLE_PER_HOST);
    *record = (struct address_record){
        .reason = valid ? RB_REASON_ACCEPTED : RB_REASON_NO_SUCH_USER,
        .stage = RB_STAGE_RCPT,
        .stamp_s = stamp_s,
        .code = valid ? 250 : 550,
        .port = 25,
        .mail_from_known = true,
        .enhanced = "",
        .tls = "TLSv1.3",
    };
    memcpy(record->enhanced, valid ? "2.1.5" : "5.1.1", sizeof "2.1.5");
    write_reply(number, record);
    domain_name(number / PEOPLE_PER_DOMAIN, domain);
    (void)snprintf(record->mx, sizeof record->mx, "mx%u.%s", host % 3, domain);
    (void)snprintf(record->ip, sizeof record->ip, "%u.%u.%u.%u", 11 + host % 89, host / 89 % 256,
                   host / 22784 % 256, 25U);
}

bool people_domain(uint64_t number, int64_t stamp_s, char key[CACHE_KEY_MAX + 1],
                   struct domain_record *record)
{
    if (number % PEOPLE_PER_DOMAIN != 0)
        return false;
    domain_name(number / PEOPLE_PER_DOMAIN, key);
    *record = (struct domain_record){.catch_all = {FACT_NO, stamp_s},
                                     .null_sender_refused = {FACT_NO, stamp_s}};
    return true;
}

bool people_onetime(uint64_t number, int64_t stamp_s, char key[CACHE_KEY_MAX + 1],
                    struct onetime_record *record)
{
    char domain[DOMAIN_NAME_SIZE];
    if (number % PEOPLE_PER_CLASS != 0)
        return false;
    domain_name(number / PEOPLE_PER_DOMAIN, domain);
    (void)snprintf(key, CACHE_KEY_MAX + 1, "vnews-bounces+*@%s", domain);
    *record = (struct onetime_record){.valids = 7, .valid_s = stamp_s};
    return true;
}

bool people_host(uint64_t number, int64_t stamp_s, char key[CACHE_KEY_MAX + 1],
                 struct host_record *record)
{
    struct address_record address;
    if (number % PEOPLE_PER_HOST != 0)
        return false;
    people_record(number, stamp_s, &address);
    memcpy(key, address.ip, sizeof address.ip);
    *record =
        (struct host_record){.failures = 1, .stamp_s = stamp_s, .reason = RB_REASON_UNREACHABLE};
    return true;
}
