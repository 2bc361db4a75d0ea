/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe: what an accepted address is worth: a host that takes a local part that nobody has takes
 * everything (catch-all). One thread, that of the callout.
 */
#ifndef RB_CALLOUT_PROBE_H
#define RB_CALLOUT_PROBE_H

#include "callout/channel.h"

/*
 * The local part that nobody has, for a domain and a period: the same for a month, so that it
 * matures in a greylist as a real one does. `local` gets 17 octets: 16 letters and digits.
 */
void probe_local_part(const uint8_t key[32], const char *domain, int64_t now_s, char local[17]);

/*
 * The host accepted the item: finds out what that is worth where it is not known, by `until`, and
 * answers what another callout parked for it. False: the item is parked itself, for another callout
 * that finds out; it is the owner's again.
 */
bool probe_settles(struct channel *channel, struct callout_item *item,
                   const struct address_record *accepted, deadline until);

/* Answers an accepted item by what is known of the domain; the record's reason may change. */
void probe_answer(const struct attempt *attempt, struct callout_item *item,
                  struct address_record *accepted);

#endif
