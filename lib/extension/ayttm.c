/* SPDX-License-Identifier: BSD-2-Clause */
/* ayttm: see the header. "no" has mail refused: it is said only where nothing else can be. */
#include "config.h"

#include "extension/ayttm.h"

#include "mail/netguard.h"

/* A question as it is looked up. */
struct inquiry {
    const struct ayttm_settings *settings;
    struct sockets_filter filter;

    /* What was seen. */
    bool exact;   /* from the port asked about, and it is ours */
    bool foreign; /* from that port, and it is somebody else's */
    bool similar; /* what may be it: it has ended, or NAT has changed its port */
};

static bool is_user(const struct ayttm_settings *settings, uid_t uid)
{
    for (size_t i = 0; i < settings->user_count; i++)
        if (settings->users[i] == uid)
            return true;
    return false;
}

static bool is_peer(const struct ayttm_settings *settings, const struct ip *asker)
{
    for (size_t i = 0; i < settings->peer_count; i++)
        if (ip_is_same(&settings->peers[i], asker))
            return true;
    return false;
}

/* --- What is asked about ------------------------------------------------------- */

static bool is_public(const struct ip *ip)
{
    const struct sockaddr_storage address = ip_to_sockaddr(ip);

    return netguard_kind((const struct sockaddr *)&address)[0] == '\0';
}

/* The asker's address, or that which it names. One that cannot be its own to others is what it is
 * called behind NAT: nobody has connected to that. */
static struct ip address_of(const struct ip *asker, const struct verbs_ayttm *question)
{
    return !question->has_addr || (is_public(asker) && !is_public(&question->addr))
               ? *asker
               : question->addr;
}

/* --- What is there -------------------------------------------------------------- */

static bool see(void *arg, const struct sockets_socket *socket)
{
    struct inquiry *inquiry = arg;
    const bool ours = socket->owned && is_user(inquiry->settings, socket->uid);
    const uint16_t sport = inquiry->filter.sport;

    if (sport != 0 && socket->sport == sport) {
        inquiry->exact |= ours && socket->established;
        inquiry->foreign |= socket->owned && !ours;
        inquiry->similar |= !socket->owned || ours;
    } else {
        /* What has ended and has no owner any more may have been anybody's. */
        inquiry->similar |= ours || (!socket->owned && (sport == 0 || socket->established));
    }
    return !inquiry->exact;
}

static enum verbs_word look(struct inquiry *inquiry)
{
    const struct ayttm_settings *settings = inquiry->settings;
    const bool known = settings->find(&inquiry->filter, settings->find_timeout_ms, see, inquiry) &&
                       settings->user_count > 0;

    if (inquiry->exact)
        return VERBS_YES;
    /* A user who is none of ours may send beside them, and is found out by his port. */
    if (inquiry->similar && !inquiry->foreign)
        return VERBS_MAYBE;
    return known && settings->complete ? VERBS_NO : VERBS_UNKNOWN;
}

/* --- The answer ----------------------------------------------------------------- */

struct ayttm_answer ayttm_answer(const struct ayttm_settings *settings, const struct ip *asker,
                                 const struct verbs_ayttm *question)
{
    const bool peer = is_peer(settings, asker);
    struct ayttm_answer answer = {.word = VERBS_UNKNOWN};
    struct inquiry inquiry = {
        .settings = settings,
        .filter = {.addr = address_of(asker, question),
                   .dport = question->dport != 0 ? question->dport : AYTTM_DPORT,
                   .sport = question->sport},
    };

    inquiry.filter.any_sport = peer || ip_is_same(&inquiry.filter.addr, asker);
    if (!inquiry.filter.any_sport && question->sport == 0)
        return answer;
    answer.word = look(&inquiry);
    answer.ask_peers = !peer && settings->peer_count > 0 &&
                       (answer.word == VERBS_NO || answer.word == VERBS_UNKNOWN);
    answer.to_peers = (struct verbs_ayttm){.sport = inquiry.filter.sport,
                                           .dport = inquiry.filter.dport,
                                           .has_addr = true,
                                           .addr = inquiry.filter.addr};
    return answer;
}

static bool any_says(const enum verbs_word *words, size_t count, enum verbs_word word)
{
    for (size_t i = 0; i < count; i++)
        if (words[i] == word)
            return true;
    return false;
}

enum verbs_word ayttm_conclude(enum verbs_word own, const enum verbs_word *words, size_t count)
{
    if (own == VERBS_YES || any_says(words, count, VERBS_YES))
        return VERBS_YES;
    if (own == VERBS_MAYBE || any_says(words, count, VERBS_MAYBE))
        return VERBS_MAYBE;
    return any_says(words, count, VERBS_UNKNOWN) || any_says(words, count, VERBS_NONE)
               ? VERBS_UNKNOWN
               : own;
}
