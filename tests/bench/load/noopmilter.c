/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * noopmilter SOCKET: what libmilter and the MTA cost by themselves. Registers the callbacks that
 * ringback-milter registers and negotiates the same steps, actions and macros; does nothing in
 * them. SOCKET is unix:PATH, inet:PORT@HOST or inet6:PORT@HOST; a unix socket is for who owns it
 * and for its group, as ringback-milter's is.
 */
#include "config.h"

#include "mta/negotiate.h"

#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { BACKLOG = 1024, FIRST_DESCRIPTORS = 16 };

/* What libmilter keeps for us: whether HELO, MAIL and the header get no answer. */
static bool quiet = true;

/* Set before libmilter's threads start, and then only read. */
static bool by_tcp;

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *wanted_actions,
                             unsigned long *wanted_steps, unsigned long *w2, unsigned long *w3)
{
    const struct negotiate_offer offer = {.actions = actions, .steps = steps, .by_tcp = by_tcp};

    (void)f2;
    (void)f3;
    *w2 = *w3 = 0;
    (void)smfi_setpriv(context,
                       negotiate(context, &offer, wanted_actions, wanted_steps) ? &quiet : NULL);
    return SMFIS_CONTINUE;
}

static sfsistat go_on(SMFICTX *context)
{
    return smfi_getpriv(context) != NULL ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libmilter's type */
static sfsistat on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
    (void)context;
    (void)host;
    (void)address;
    return SMFIS_CONTINUE;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libmilter's type */
static sfsistat on_helo(SMFICTX *context, char *helo)
{
    (void)helo;
    return go_on(context);
}

static sfsistat on_mail(SMFICTX *context, char **arguments)
{
    (void)arguments;
    return go_on(context);
}

static sfsistat on_rcpt(SMFICTX *context, char **arguments)
{
    (void)context;
    (void)arguments;
    return SMFIS_CONTINUE;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libmilter's type */
static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
    (void)name;
    (void)value;
    return go_on(context);
}

static sfsistat on_end_of_header(SMFICTX *context)
{
    return go_on(context);
}

static sfsistat on_step(SMFICTX *context)
{
    (void)context;
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *context)
{
    (void)smfi_setpriv(context, NULL);
    return SMFIS_CONTINUE;
}

/* As ringback-milter's: what is accepted inherits it. There is no other socket among these. */
static void write_at_once(void)
{
    const int yes = 1;

    for (int fd = STDERR_FILENO + 1; fd < FIRST_DESCRIPTORS; fd++)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static bool start_listening(char *conn)
{
    by_tcp = strncmp(conn, "inet", strlen("inet")) == 0;
    (void)umask(S_IXUSR | S_IXGRP | S_IRWXO);
    if (smfi_setconn(conn) != MI_SUCCESS || smfi_opensocket(true) != MI_SUCCESS)
        return false;
    if (by_tcp)
        write_at_once();
    return true;
}

int main(int argc, char **argv)
{
    static char name[] = "noop";
    const struct smfiDesc filter = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = NEGOTIATE_ACTIONS,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_data = on_step,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_of_header,
        .xxfi_eom = on_step,
        .xxfi_abort = on_step,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };

    if (argc != 2) {
        (void)fprintf(stderr, "usage: noopmilter SOCKET\n");
        return EX_USAGE;
    }
    (void)smfi_setbacklog(BACKLOG);
    if (smfi_register(filter) != MI_SUCCESS || !start_listening(argv[1])) {
        (void)fprintf(stderr, "noopmilter: cannot listen at %s\n", argv[1]);
        return EX_UNAVAILABLE;
    }
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_SOFTWARE;
}
