/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fold: senders that are used once: BATV, SRS and VERP give each message, or each recipient, an
 * address of its own. What such addresses share is their fold: for what was learned about one of
 * them, and is good, holds for the others too. Pure: no cache, no policy.
 *
 * Where in doubt an address does not fold: a missed fold costs a callout, a false one a `valid`
 * that nobody gave.
 */
#ifndef RB_MAIL_ONETIME_H
#define RB_MAIL_ONETIME_H

#include "ringback.h"

#include "mail/address.h"

enum fold_kind {
    FOLD_NONE = 0,
    FOLD_BATV, /* signed by its own domain: the mailbox is the one behind the tag */
    FOLD_SRS,  /* written anew by a forwarder: the mailbox is the one forwarded for */
    FOLD_VERP, /* of bulk mail: names recipient or message; the list is the same */
};

/* Stands in a fold's key for what differs. No local part can hold it: it is a control character. */
#define FOLD_ANYTHING '\x1a'

struct fold {
    enum fold_kind kind;
    /*
     * What all addresses of the fold share, FOLD_ANYTHING for the rest, "@", the canonical domain.
     * Never longer than the address's own key, never equal to an address's key: it is no mailbox
     * and must not be asked about. To be printed only through text_printable.
     */
    char key[RB_ADDRESS_MAX + 1];
    /* BATV: the canonical key of the address without its tag, which is a mailbox. Otherwise "". */
    char base[RB_ADDRESS_MAX + 1];
};

/*
 * Works out the fold of an address that address_parse made. Returns fold->kind; *fold is zeroed
 * where that is FOLD_NONE. Two addresses are of one fold when kind and key are equal. One layer is
 * taken off: base may itself be an address that folds. Letters that mark a BATV or SRS address
 * ("prvs=", "SRS0") are read in either case and written in one; everything else keeps its case.
 * draft-levine-smtp-batv-01, "The Sender Rewriting Scheme" (Wong, 2003); VERP has no standard.
 */
enum fold_kind fold_address(const struct address *address, struct fold *fold);

#endif
