/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * onetime: senders that are used once: BATV, SRS and VERP give each message, or each recipient, an
 * address of its own. Those that differ in nothing else are of one class: what is learned about one
 * of them, and is good, holds for the others too. Pure: no cache, no policy.
 *
 * Where in doubt an address is of no class: a class missed costs a callout, a false one a `valid`
 * that nobody gave.
 */
#ifndef RB_MAIL_ONETIME_H
#define RB_MAIL_ONETIME_H

#include "ringback.h"

#include "mail/address.h"

enum onetime_kind {
    ONETIME_NONE = 0,
    ONETIME_BATV, /* signed by its own domain: the mailbox is the one behind the tag */
    ONETIME_SRS,  /* written anew by a forwarder: the mailbox is the one forwarded for */
    ONETIME_VERP, /* of bulk mail: names recipient or message; the list is the same */
};

/* Stands in a class's key for what differs. No local part holds it: it is a control character. */
#define ONETIME_ANYTHING '\x1a'

struct onetime_class {
    enum onetime_kind kind;
    /*
     * What all addresses of the class share, ONETIME_ANYTHING for the rest, "@", the canonical
     * domain. Never longer than the address's own key, never equal to an address's key: it is no
     * mailbox and must not be asked about. To be printed only through text_printable.
     */
    char key[RB_ADDRESS_MAX + 1];
    /* BATV: the canonical key of the address without its tag, which is a mailbox. Otherwise "". */
    char base[RB_ADDRESS_MAX + 1];
};

/*
 * Works out the class of an address that address_parse made. Returns class->kind; *class is zeroed
 * where that is ONETIME_NONE. Two addresses are of one class when kind and key are equal. One layer
 * is taken off: base may itself be a one-time sender. Letters that mark a BATV or SRS address
 * ("prvs=", "SRS0") are read in either case and written in one; everything else keeps its case.
 * draft-levine-smtp-batv-01, "The Sender Rewriting Scheme" (Wong, 2003); VERP has no standard.
 */
enum onetime_kind onetime_classify(const struct address *address, struct onetime_class *class);

#endif
