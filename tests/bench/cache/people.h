/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * people: the records that the cache bench keeps, made from their numbers alone, so that every
 * process and every contender has the same ones without keeping a list of them. Pure.
 */
#ifndef RB_BENCH_PEOPLE_H
#define RB_BENCH_PEOPLE_H

#include "cache/cache.h"

#include <stdint.h>

enum {
    PEOPLE_PER_DOMAIN = 10, /* addresses for each domain's facts */
    PEOPLE_PER_CLASS = 50,  /* addresses for each list's record */
    PEOPLE_PER_HOST = 100,  /* addresses for each mail host's record */
    PEOPLE_REPLY = 40,      /* octets of a reply that are kept beside its codes */
};

/*
 * A key of the cache's address table, about 29 octets. Neighbouring numbers are far apart in key
 * order.
 */
void people_key(uint64_t number, char key[CACHE_KEY_MAX + 1]);

/* The same for one who is in no cache: as long, and of the same spread. */
void people_stranger(uint64_t number, char key[CACHE_KEY_MAX + 1]);

/* What a mail host said of that address, at stamp_s. */
void people_record(uint64_t number, int64_t stamp_s, struct address_record *record);

/* What comes with some of the addresses. False: nothing comes with this one. */
bool people_domain(uint64_t number, int64_t stamp_s, char key[CACHE_KEY_MAX + 1],
                   struct domain_record *record);
bool people_onetime(uint64_t number, int64_t stamp_s, char key[CACHE_KEY_MAX + 1],
                    struct onetime_record *record);
bool people_host(uint64_t number, int64_t stamp_s, char key[CACHE_KEY_MAX + 1],
                 struct host_record *record);

/* A number's own throw of the dice: the same each time, without any pattern (splitmix64). */
uint64_t people_dice(uint64_t number);

#endif
