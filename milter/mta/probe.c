/* SPDX-License-Identifier: BSD-2-Clause */
/* probe: see probe.h. The milter protocol: Sendmail's libmilter/mfdef.h, version 6. */
#include "config.h"

#include "mta/probe.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "mta/loop.h"

/* SMFIC_OPTNEG with all that an MTA of today offers, and SMFIC_QUIT; each with its length before. */
static const char offer[] = "\0\0\0\015O\0\0\0\006\0\0\001\377\0\037\377\377";
static const char quit[] = "\0\0\0\001Q";

static bool send_packet(int fd, const char *packet, size_t len)
{
    return send(fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void ask(struct probe *probe)
{
    const int fd = loop_connect();
    struct pollfd at = {.fd = fd, .events = POLLOUT};

    if (fd < 0)
        return;
    (void)poll(&at, 1, PROBE_CONNECT_MS);
    if (!send_packet(fd, offer, sizeof offer - 1)) {
        close(fd);
        return;
    }
    probe->asked = fd;
    probe->asked_ms = clock_monotonic_ms(clock_system());
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

/* Whether the answer is there; then, and where there will be none, nobody waits any more. */
static bool take_answer(struct probe *probe)
{
    const bool answered = probe->asked >= 0 && read_answer(probe->asked);

    if (answered || (probe->asked >= 0 && has_closed(probe->asked)))
        probe_end(probe);
    return answered;
}

bool probe_answered(struct probe *probe)
{
    const bool answered = take_answer(probe);

    if (probe->asked < 0)
        ask(probe);
    return answered;
}

bool probe_serves(struct probe *probe)
{
    struct pollfd at = {.events = POLLIN};

    if (take_answer(probe))
        return true;
    if (probe->asked < 0)
        ask(probe);
    at.fd = probe->asked;
    if (probe->asked < 0)
        return false;
    (void)poll(&at, 1, PROBE_CONNECT_MS);
    if (take_answer(probe))
        return true;
    return probe->asked >= 0 &&
           clock_monotonic_ms(clock_system()) - probe->asked_ms < PROBE_PATIENCE_MS;
}

void probe_end(struct probe *probe)
{
    if (probe->asked < 0)
        return;
    (void)send_packet(probe->asked, quit, sizeof quit - 1);
    close(probe->asked);
    probe->asked = -1;
}
