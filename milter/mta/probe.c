/* SPDX-License-Identifier: BSD-2-Clause */
/* probe: see probe.h. The milter protocol: Sendmail's libmilter/mfdef.h, version 6. */
#include "config.h"

#include "mta/probe.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mta/loop.h"

/* SMFIC_OPTNEG with all that an MTA of today offers, and SMFIC_QUIT; each with its length before. */
static const char offer[] = "\0\0\0\015O\0\0\0\006\0\0\001\377\0\037\377\377";
static const char quit[] = "\0\0\0\001Q";

static int asked = -1; /* who waits for an answer; -1: nobody */

static bool send_packet(int fd, const char *packet, size_t len)
{
    return send(fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void ask(void)
{
    const int fd = loop_connect();
    struct pollfd at = {.fd = fd, .events = POLLOUT};

    if (fd < 0)
        return;
    (void)poll(&at, 1, PROBE_CONNECT_MS);
    if (send_packet(fd, offer, sizeof offer - 1))
        asked = fd;
    else
        close(fd);
}

/* Whether anything has come; all of it is read: what is left unread is a reset for the other. */
static bool read_answer(int fd)
{
    char octets[512];
    bool any = false;

    while (recv(fd, octets, sizeof octets, MSG_DONTWAIT) > 0)
        any = true;
    return any;
}

static bool has_closed(int fd)
{
    struct pollfd at = {.fd = fd};

    return poll(&at, 1, 0) > 0 && (at.revents & (POLLHUP | POLLERR)) != 0;
}

bool probe_answered(void)
{
    const bool answered = asked >= 0 && read_answer(asked);

    if (answered || (asked >= 0 && has_closed(asked)))
        probe_end();
    if (asked < 0)
        ask();
    return answered;
}

void probe_end(void)
{
    if (asked < 0)
        return;
    (void)send_packet(asked, quit, sizeof quit - 1);
    close(asked);
    asked = -1;
}
