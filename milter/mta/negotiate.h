/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * negotiate: which events, macros and answers are asked of the MTA, and which it is spared. Apart
 * from the filter, so that a filter that does nothing can ask for the same.
 */
#ifndef RB_MILTER_MTA_NEGOTIATE_H
#define RB_MILTER_MTA_NEGOTIATE_H

#include <libmilter/mfapi.h>
#include <stdbool.h>

/* The actions of a filter: what smfiDesc.xxfi_flags is. */
enum {
    NEGOTIATE_ACTIONS = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
};

struct negotiate_offer {
    unsigned long actions, steps; /* what the MTA offers, as xxfi_negotiate has it */
    bool by_tcp;                  /* the MTA has come by TCP */
    bool needs_data;              /* xxfi_data has something to do */
    bool asks_about_clients;      /* where a client comes from, and has come to, must be known */
    bool answers;                 /* xxfi_unknown has something to do */
};

/*
 * Fills in xxfi_negotiate's answer. True: HELO, MAIL, header fields and the end of the header are
 * told without waiting for an answer; their callbacks must then return SMFIS_NOREPLY, always. Any
 * thread.
 */
bool negotiate(SMFICTX *context, const struct negotiate_offer *offer, unsigned long *actions,
               unsigned long *steps);

/*
 * At each MAIL: whether the queue id came with it. The next negotiation asks for macros
 * accordingly.
 */
void negotiate_note_mail(bool tells_id);

#endif
