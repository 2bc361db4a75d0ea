/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * negotiate: see negotiate.h. An event that needs no answer travels with the next one that does,
 * and libmilter handles both in one go: each answer that is spared spares the MTA a wait and us a
 * hand-over between threads, which cost more than all that we do ourselves. CONNECT is answered, so
 * that exempt clients can go at once.
 */
#include "config.h"

#include "mta/negotiate.h"

#include <stdatomic.h>

/* Whether the MTA told the queue id with the last MAIL: Sendmail does, Postfix has none yet. */
static atomic_bool mail_tells_id;

void negotiate_note_mail(bool tells_id)
{
    if (atomic_load_explicit(&mail_tells_id, memory_order_relaxed) != tells_id)
        atomic_store(&mail_tells_id, tells_id);
}

/*
 * By TCP a small packet waits for the acknowledgement of the one before, which our kernel delays by
 * 40 ms in the hope of an answer to send it with. Macros travel in such a packet, before that of
 * their command. Postfix sends both at once; Sendmail does not, so it is not asked a second time
 * for what it has told. (For EOM it looks at the list of EOH.)
 */
static void ask_for_macros(SMFICTX *context, bool asks_about_clients)
{
    static char connection[] = "{client_port} {daemon_addr} {daemon_port} {if_addr}";
    static char mail[] = "i {auth_type} {auth_authen}", id[] = "i", none[] = "";
    char *const later = atomic_load(&mail_tells_id) ? none : id;

    (void)smfi_setsymlist(context, SMFIM_CONNECT, asks_about_clients ? connection : none);
    (void)smfi_setsymlist(context, SMFIM_HELO, none);
    (void)smfi_setsymlist(context, SMFIM_ENVFROM, mail);
    (void)smfi_setsymlist(context, SMFIM_ENVRCPT, later);
    (void)smfi_setsymlist(context, SMFIM_DATA, later);
    (void)smfi_setsymlist(context, SMFIM_EOH, none);
    (void)smfi_setsymlist(context, SMFIM_EOM, later);
}

/*
 * Steps that the MTA is spared. libmilter knows no way from DATA to the end of a message but by a
 * header field or the end of the header, and leaves the end of a message that has neither without
 * an answer: who is told of DATA is told of the end of the header. From an unknown command it knows
 * none but by DATA, of which an MTA that cannot spare us it does not tell (milter_protocol = 3 of
 * Postfix).
 */
static unsigned long spared_steps(const struct negotiate_offer *offer, bool wants_data)
{
    const bool wants_unknown = offer->answers && (offer->steps & SMFIP_NODATA) != 0;
    unsigned long spared = offer->steps & (SMFIP_NOBODY | (wants_unknown ? 0UL : SMFIP_NOUNKNOWN));

    if (!wants_data && (spared & SMFIP_NOUNKNOWN) != 0 && (offer->steps & SMFIP_NODATA) != 0)
        spared |= SMFIP_NODATA | (offer->steps & SMFIP_NOEOH);
    return spared;
}

bool negotiate(SMFICTX *context, const struct negotiate_offer *offer, unsigned long *actions,
               unsigned long *steps)
{
    const unsigned long unanswered = SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH;
    /*
     * Sendmail sends an event that needs no answer in a packet of its own, and waits: see
     * ask_for_macros.
     */
    const bool waits_in_vain = offer->by_tcp && atomic_load(&mail_tells_id);
    const bool quiet = !waits_in_vain && (offer->steps & unanswered) == unanswered;
    /*
     * Postfix sends macros before DATA even where DATA is not asked for, and those of its own
     * choice where none are: with no answer to them, the header fields would wait 40 ms.
     */
    const bool wants_data = offer->by_tcp || offer->needs_data;

    *actions = offer->actions & NEGOTIATE_ACTIONS;
    *steps = spared_steps(offer, wants_data) | (quiet ? unanswered : 0UL);
    if ((offer->actions & SMFIF_SETSYMLIST) != 0)
        ask_for_macros(context, offer->asks_about_clients);
    return quiet;
}
