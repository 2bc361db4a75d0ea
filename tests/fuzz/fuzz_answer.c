/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The milter's answer to a command that the MTA does not know: only AYTTM has one, one in a
 * connection, which is a whole reply of ours; for nothing else is a socket looked at or a peer
 * asked. Input: an octet that says who asks and what there is, and the command line.
 */
#include "config.h"

#include "fuzz.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "extension/answer.h"
#include "extension/peers.h"
#include "extension/sockets.h"
#include "extension/verbs.h"

const char fuzz_name[] = "answer";

enum {
    HAS_SOCKET = 1,
    IS_OURS = 2,
    ENDED = 4,
    HAS_PEER = 8,
    IS_PEER = 16,
    BY_V6 = 32,
    COMPLETE = 64
};

enum { OUR_UID = 101 };

static uint8_t world;
static unsigned looks, peers_asked;
static struct ip asker;

/* --- Stand-ins ---------------------------------------------------------------- */

bool sockets_find(const struct sockets_filter *filter, int timeout_ms, sockets_see *see, void *arg)
{
    const struct sockets_socket socket = {
        .sport = filter->sport != 0 ? filter->sport : 1,
        .established = (world & ENDED) == 0,
        .owned = (world & ENDED) == 0,
        .uid = (world & IS_OURS) != 0 ? OUR_UID : OUR_UID + 1,
    };

    HOLDS(timeout_ms > 0 && filter->dport != 0);
    HOLDS(filter->any_sport || filter->sport != 0);
    looks++;
    if ((world & HAS_SOCKET) != 0)
        (void)see(arg, &socket);
    return true;
}

bool sockets_sees_owner(uid_t uid)
{
    return uid == OUR_UID;
}

void peers_find(const struct session *session, struct peers *peers)
{
    static const uint8_t other[IP_V4_LEN] = {192, 0, 2, 2};

    (void)session;
    peers->count = (world & HAS_PEER) != 0;
    peers->addresses[0] = (world & IS_PEER) != 0 ? asker : ip_from_v4(other);
}

enum verbs_word peers_ask(const struct session *session, const struct verbs_ayttm *question,
                          enum verbs_word own)
{
    (void)session;
    HOLDS(question->has_addr && question->dport != 0);
    HOLDS(own == VERBS_NO || own == VERBS_UNKNOWN);
    HOLDS((world & IS_PEER) == 0); /* peers ask nobody */
    peers_asked++;
    return own;
}

/* --- The session --------------------------------------------------------------- */

static void set_client(struct session *session)
{
    struct sockaddr_storage *client = &session->client;

    HOLDS(ip_sockaddr_parse((world & BY_V6) != 0 ? "2001:db8::1" : "192.0.2.1", client));
    HOLDS(ip_from_sockaddr((const struct sockaddr *)client, &asker));
    session->client_known = true;
}

static void check_reply(const struct smtp_reply *reply, bool is_complete)
{
    const enum verbs_word word = verbs_reply_word("AYTTM", 450, reply->text);

    HOLDS(strcmp(reply->code, VERBS_REPLY_CODE) == 0);
    HOLDS(strcmp(reply->enhanced, VERBS_REPLY_ENHANCED) == 0);
    HOLDS(word != VERBS_NONE && (word != VERBS_NO || is_complete));
}

static void ask(const char *line)
{
    static const struct session_world nobody;
    static struct config config;
    static struct session session;
    struct smtp_reply reply;
    struct span args;
    bool answered = false, told;

    config.connect_back.answer = true;
    config.connect_back.complete = (world & COMPLETE) != 0;
    config.connect_back.answer_uids[0] = OUR_UID;
    config.connect_back.answer_uid_count = 1;
    session.config = &config;
    session.world = &nobody;
    set_client(&session);
    told = answer_command(&session, &answered, line, &reply);
    HOLDS(answered == (verbs_command_read(span_of(line), &args) == VERBS_AYTTM));
    HOLDS(answered || !told);
    HOLDS(told || looks + peers_asked == 0);
    HOLDS(looks <= 1 && peers_asked <= 1);
    if (told)
        check_reply(&reply, config.connect_back.complete);
    answered = true;
    looks = 0;
    HOLDS(!answer_command(&session, &answered, line, &reply) && looks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line;

    if (size == 0)
        return 0;
    world = data[0];
    looks = peers_asked = 0;
    line = malloc(size);
    HOLDS(line != NULL);
    memcpy(line, data + 1, size - 1);
    line[size - 1] = '\0';
    log_set_level(LOG_LEVEL_ERROR);
    ask(line);
    free(line);
    return 0;
}
