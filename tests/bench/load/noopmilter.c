/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * noopmilter SOCKET: what libmilter and the MTA cost by themselves. Registers the callbacks that
 * ringback-milter registers and negotiates the same steps, actions and macros; does nothing in
 * them. Must stay in step with milter/filter.c.
 */
#include "config.h"

#include <libmilter/mfapi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { BACKLOG = 1024 };

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *wanted_actions,
                             unsigned long *wanted_steps, unsigned long *w2, unsigned long *w3)
{
    static char mail_macros[] = "i {auth_type} {auth_authen}", id_macro[] = "i", none[] = "";

    (void)f2;
    (void)f3;
    *wanted_actions =
        actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST);
    *wanted_steps = steps & (SMFIP_NOBODY | SMFIP_NOEOH | SMFIP_NOUNKNOWN | SMFIP_NODATA);
    *w2 = *w3 = 0;
    if ((actions & SMFIF_SETSYMLIST) != 0) {
        (void)smfi_setsymlist(context, SMFIM_CONNECT, none);
        (void)smfi_setsymlist(context, SMFIM_HELO, none);
        (void)smfi_setsymlist(context, SMFIM_ENVFROM, mail_macros);
        (void)smfi_setsymlist(context, SMFIM_ENVRCPT, id_macro);
        (void)smfi_setsymlist(context, SMFIM_EOM, id_macro);
    }
    return SMFIS_CONTINUE;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libmilter's type */
static sfsistat on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
    (void)context;
    (void)host;
    (void)address;
    return SMFIS_CONTINUE;
}

static sfsistat on_helo(SMFICTX *context, char *helo)
{
    (void)context;
    (void)helo;
    return SMFIS_CONTINUE;
}

static sfsistat on_address(SMFICTX *context, char **arguments)
{
    (void)context;
    (void)arguments;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
    (void)context;
    (void)name;
    (void)value;
    return SMFIS_CONTINUE;
}

static sfsistat on_step(SMFICTX *context)
{
    (void)context;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    static char name[] = "noop";
    const struct smfiDesc filter = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_address,
        .xxfi_envrcpt = on_address,
        .xxfi_data = on_step,
        .xxfi_header = on_header,
        .xxfi_eom = on_step,
        .xxfi_abort = on_step,
        .xxfi_close = on_step,
        .xxfi_negotiate = on_negotiate,
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: noopmilter SOCKET\n");
        return EX_USAGE;
    }
    (void)smfi_setbacklog(BACKLOG);
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS ||
        smfi_opensocket(false) != MI_SUCCESS) {
        (void)fprintf(stderr, "noopmilter: cannot listen at %s\n", argv[1]);
        return EX_UNAVAILABLE;
    }
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_SOFTWARE;
}
