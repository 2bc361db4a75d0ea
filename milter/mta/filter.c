/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter: from libmilter to session and back; see filter.h. Callbacks of one session come one at a
 * time, but on different threads: nothing may be kept in thread-local storage. They wait only in
 * session_rcpt, decide_collect, originators_verify and connect_back_check, for max_wait at most in
 * one callback, and in answer_command. Owns: counts of callbacks and transactions, as atomics.
 * Lock: none.
 */
#include "config.h"

#include "mta/filter.h"

#include <libmilter/mfapi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/metrics.h"
#include "daemon/observer.h"
#include "daemon/service.h"
#include "extension/answer.h"
#include "extension/connect_back.h"
#include "mta/headers.h"
#include "mta/negotiate.h"
#include "session/claim.h"
#include "session/decide.h"
#include "session/originators.h"
#include "session/reply.h"
#include "session/session.h"
#include "session/vouch.h"

/* What was agreed on with the MTA for a connection. */
struct terms {
    bool has_client; /* these terms are the first member of a struct connection */
    bool quiet;      /* the MTA waits for no answer to HELO, MAIL, header fields and their end */
    bool tags, quarantines; /* the MTA adds header fields, holds messages */
};

/* One client on a connection of the MTA's. */
struct connection {
    struct terms terms;
    bool exempt;         /* it is there to ask us alone: its messages are not looked at */
    bool answered;       /* it has asked whether we talk to it */
    bool in_transaction; /* counted in `transactions` */
    struct session session;
    struct header_census census;
    struct connect_back *connect_back; /* NULL: nobody is asked about the client */
};

static atomic_uint running;

unsigned filter_callbacks_running(void)
{
    return atomic_load(&running);
}

static sfsistat leave(sfsistat status)
{
    atomic_fetch_sub(&running, 1);
    return status;
}

static void enter(void)
{
    atomic_fetch_add(&running, 1);
}

/* --- Transactions, and the end -------------------------------------------- */

static atomic_uint transactions; /* begun before the end was announced, and not over */
static atomic_bool ending;

void filter_announce_end(void)
{
    atomic_store(&ending, true);
}

unsigned filter_transactions_open(void)
{
    return atomic_load(&transactions);
}

static void transaction_begin(struct connection *connection)
{
    if (atomic_load(&ending))
        return;
    connection->in_transaction = true;
    atomic_fetch_add(&transactions, 1);
}

static void transaction_end(struct connection *connection)
{
    if (connection->in_transaction)
        atomic_fetch_sub(&transactions, 1);
    connection->in_transaction = false;
}

/* --- Negotiation ---------------------------------------------------------- */

/* What libmilter's private pointer points to while there is no client: one for each combination. */
static struct terms without_client[] = {
    {.quiet = false, .tags = false, .quarantines = false},
    {.quiet = true, .tags = false, .quarantines = false},
    {.quiet = false, .tags = true, .quarantines = false},
    {.quiet = true, .tags = true, .quarantines = false},
    {.quiet = false, .tags = false, .quarantines = true},
    {.quiet = true, .tags = false, .quarantines = true},
    {.quiet = false, .tags = true, .quarantines = true},
    {.quiet = true, .tags = true, .quarantines = true},
};
enum { QUIET = 1, TAGS = 2, QUARANTINES = 4 /* sum up to an index */ };

static struct terms *place_of(const struct terms *terms)
{
    return &without_client[(terms->quiet ? QUIET : 0) | (terms->tags ? TAGS : 0) |
                           (terms->quarantines ? QUARANTINES : 0)];
}

static bool by_tcp;

/* What the configuration wants to be told. */
static void add_wishes(struct negotiate_offer *offer)
{
    struct config *config = service_config();

    offer->asks_about_clients = config->connect_back.check;
    offer->answers = config->connect_back.answer;
    offer->needs_data = config->decide_at == DECIDE_DATA ||
                        (config->connect_back.check && config->decide_at != DECIDE_EOM);
    config_put(config);
}

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *wanted_actions,
                             unsigned long *wanted_steps, unsigned long *w2, unsigned long *w3)
{
    struct negotiate_offer offer = {.actions = actions, .steps = steps, .by_tcp = by_tcp};
    struct terms terms = {.has_client = false};

    add_wishes(&offer);
    terms.quiet = negotiate(context, &offer, wanted_actions, wanted_steps);
    (void)f2;
    (void)f3;
    *w2 = *w3 = 0;
    terms.tags = (*wanted_actions & SMFIF_ADDHDRS) != 0;
    terms.quarantines = (*wanted_actions & SMFIF_QUARANTINE) != 0;
    (void)smfi_setpriv(context, place_of(&terms));
    return SMFIS_CONTINUE;
}

/* An MTA that did not negotiate waits for every answer, and does all that there is. */
static const struct terms *terms_of(SMFICTX *context)
{
    const struct terms *kept = smfi_getpriv(context);

    return kept != NULL ? kept : &without_client[TAGS | QUARANTINES];
}

/* The client that is there; NULL: none. */
static struct connection *connection_of(SMFICTX *context)
{
    struct terms *kept = smfi_getpriv(context);

    return kept != NULL && kept->has_client ? (struct connection *)kept : NULL;
}

/* The client that is there, if its messages are looked at. */
static struct connection *verified_of(SMFICTX *context)
{
    struct connection *connection = connection_of(context);

    return connection != NULL && !connection->exempt ? connection : NULL;
}

/* Goes on, without an answer where the MTA was told that there is none. */
static sfsistat leave_quietly(SMFICTX *context)
{
    return leave(terms_of(context)->quiet ? SMFIS_NOREPLY : SMFIS_CONTINUE);
}

/* --- The connection ------------------------------------------------------- */

static struct connection *connection_new(const struct sockaddr *address, const struct terms *terms)
{
    struct connection *connection = malloc(sizeof *connection);
    struct config *config;

    if (connection == NULL)
        return NULL;
    connection->terms = *terms;
    connection->terms.has_client = true;
    connection->exempt = connection->answered = false;
    connection->in_transaction = false;
    connection->census = (struct header_census){0};
    connection->connect_back = NULL;
    config = service_config();
    session_init(&connection->session, service_world(), config, address);
    connection->session.mta_tags = terms->tags;
    connection->session.mta_quarantines = terms->quarantines;
    config_put(config);
    metrics_session_began();
    return connection;
}

/*
 * Writes the lines of decisions that were not written yet: they waited for the queue id. Those that
 * are still to be made, of a message that is refused for another reason, come when it is forgotten.
 */
static void log_decisions(struct connection *connection, const char *id)
{
    struct session *session = &connection->session;

    for (struct decision *each = session->decisions; each != NULL; each = each->next)
        if (!each->pending)
            observer_log(session, each, id);
    for (unsigned i = 0; session->originators != NULL && i < ORIGINATORS; i++)
        if (session->originators[i].decided)
            observer_log(session, &session->originators[i].decision, id);
    if (session->claim != NULL && session->claim->decided)
        observer_log(session, &session->claim->decision, id);
}

static void forget_message(struct connection *connection, const char *id)
{
    /* Nobody waits any more: what is known by now goes into the log. */
    (void)decide_collect(&connection->session, 0, NULL, NULL);
    log_decisions(connection, id);
    headers_fini(&connection->census);
    session_reset(&connection->session);
    if (connection->connect_back != NULL)
        connect_back_begin(connection->connect_back, &connection->session);
    transaction_end(connection);
}

static void connection_free(struct connection *connection)
{
    forget_message(connection, NULL);
    connect_back_free(connection->connect_back);
    session_fini(&connection->session);
    metrics_session_ended();
    free(connection);
}

static const char *macro(SMFICTX *context, char *name)
{
    return smfi_getsymval(context, name);
}

/* Where its clients are asked about, makes a connection ready for that. */
static void prepare_to_connect_back(SMFICTX *context, struct connection *connection)
{
    static char client_port[] = "{client_port}", daemon_addr[] = "{daemon_addr}",
                daemon_port[] = "{daemon_port}", if_addr[] = "{if_addr}";
    const struct connect_back_macros macros = {
        .client_port = macro(context, client_port),
        .daemon_addr = macro(context, daemon_addr),
        .daemon_port = macro(context, daemon_port),
        .if_addr = macro(context, if_addr),
    };

    connection->connect_back = connect_back_new(&connection->session, &macros);
    if (connection->connect_back == NULL)
        log_line(LOG_LEVEL_ERROR, "out of memory: nobody is asked about a client");
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libmilter's type */
static sfsistat on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
    struct connection *connection = connection_of(context);
    struct terms terms = *terms_of(context);
    enum exemption exemption;

    (void)host;
    enter();
    terms.has_client = false;
    if (connection != NULL) /* a new client on the MTA's old connection */
        connection_free(connection);
    connection = connection_new((const struct sockaddr *)address, &terms);
    (void)smfi_setpriv(context, connection != NULL ? (void *)connection : place_of(&terms));
    if (connection == NULL) {
        log_line(LOG_LEVEL_ERROR, "out of memory: a session is let through unverified");
        return leave(SMFIS_ACCEPT);
    }
    exemption = session_connection_exempt(&connection->session);
    if (exemption == EXEMPT_NOT) {
        if (connection->session.config->connect_back.check)
            prepare_to_connect_back(context, connection);
        return leave(SMFIS_CONTINUE);
    }
    observer_connection_exempt(&connection->session, exemption);
    connection->exempt = true;
    return leave(answer_is_for(&connection->session) ? SMFIS_CONTINUE : SMFIS_ACCEPT);
}

static sfsistat on_helo(SMFICTX *context, char *helo)
{
    struct connection *connection = connection_of(context);

    enter();
    if (connection != NULL && helo != NULL)
        session_helo(&connection->session, helo);
    return leave_quietly(context);
}

static sfsistat on_close(SMFICTX *context)
{
    struct connection *connection = connection_of(context);

    enter();
    (void)smfi_setpriv(context, NULL); /* libmilter complains of anything else */
    if (connection != NULL)
        connection_free(connection);
    return leave(SMFIS_CONTINUE);
}

/* --- The message ---------------------------------------------------------- */

static const char *queue_id(SMFICTX *context)
{
    static char name[] = "i";

    return smfi_getsymval(context, name);
}

static bool has_macro(SMFICTX *context, char *name)
{
    const char *value = smfi_getsymval(context, name);

    return value != NULL && value[0] != '\0';
}

static bool is_authenticated(SMFICTX *context)
{
    static char type[] = "{auth_type}", user[] = "{auth_authen}";

    return has_macro(context, type) || has_macro(context, user);
}

static sfsistat on_mail(SMFICTX *context, char **arguments)
{
    struct connection *connection = verified_of(context);

    enter();
    if (connection == NULL)
        return leave_quietly(context);
    negotiate_note_mail(queue_id(context) != NULL);
    forget_message(connection, NULL);
    transaction_begin(connection);
    if (session_mail(&connection->session, arguments[0] != NULL ? arguments[0] : "",
                     is_authenticated(context)) != RB_OK)
        log_line(LOG_LEVEL_ERROR, "out of memory: a message is let through unverified");
    for (char **next = arguments; next[0] != NULL && next[1] != NULL; next++)
        session_mail_parameters(&connection->session, next[1]);
    if (connection->connect_back != NULL)
        connect_back_begin(connection->connect_back, &connection->session);
    return leave_quietly(context);
}

/*
 * Sets the reply just before it is returned: one that is not used is kept by libmilter and fires
 * later. '%' is doubled, for libmilter formats the text.
 */
static bool set_reply(SMFICTX *context, const struct smtp_reply *reply)
{
    char text[2 * REPLY_TEXT_MAX + 1], code[sizeof reply->code];
    char enhanced[sizeof reply->enhanced];
    size_t len = 0;

    for (const char *c = reply->text; *c != '\0'; c++) {
        if (*c == '%')
            text[len++] = '%';
        text[len++] = *c;
    }
    text[len] = '\0';
    memcpy(code, reply->code, sizeof code);
    memcpy(enhanced, reply->enhanced, sizeof enhanced);
    return smfi_setreply(context, code, enhanced, text) == MI_SUCCESS;
}

static sfsistat refuse(SMFICTX *context, const struct session *session,
                       const struct decision *decision)
{
    struct smtp_reply reply;

    reply_write(session, decision, decision->action, &reply);
    if (!set_reply(context, &reply))
        log_line(LOG_LEVEL_ERROR, "libmilter refused the reply: %s", reply.text);
    return decision->action == ACTION_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static sfsistat on_rcpt(SMFICTX *context, char **arguments)
{
    struct connection *connection = verified_of(context);
    struct decision *decision;

    enter();
    if (connection == NULL || connection->session.sender == NULL)
        return leave(SMFIS_CONTINUE);
    decision = session_rcpt(&connection->session, arguments[0] != NULL ? arguments[0] : "");
    if (connection->session.rcpt.decided)
        observer_log(&connection->session, &connection->session.rcpt.decision, queue_id(context));
    if (decision->action != ACTION_REJECT && decision->action != ACTION_TEMPFAIL)
        return leave(SMFIS_CONTINUE);
    observer_log(&connection->session, decision, queue_id(context));
    return leave(refuse(context, &connection->session, decision));
}

/* --- Deciding later ------------------------------------------------------- */

static void still_at_it(void *context)
{
    (void)smfi_progress(context);
}

static sfsistat refuse_message(SMFICTX *context, struct connection *connection,
                               const struct decision *refusal)
{
    log_decisions(connection, queue_id(context));
    transaction_end(connection); /* after a refusal libmilter does not call xxfi_abort */
    return refuse(context, &connection->session, refusal);
}

/* Settles what was left open at RCPT. Not NULL: that refuses the message. */
static const struct decision *settle_sender(SMFICTX *context, struct session *session,
                                            void (*tick)(void *arg))
{
    return decide_is_pending(session)
               ? decide_collect(session, session->config->max_wait_ms, tick, context)
               : NULL;
}

/* The message is let in so far: whether its client is who it claims to be. */
static const struct decision *check_client(SMFICTX *context, struct connection *connection,
                                           void (*tick)(void *arg))
{
    return connection->connect_back != NULL
               ? connect_back_check(connection->connect_back, &connection->session, tick, context)
               : NULL;
}

static const struct decision *decide_at_data(SMFICTX *context, struct connection *connection)
{
    const enum decide_at decide_at = connection->session.config->decide_at;
    const struct decision *refusal = NULL;

    if (decide_at == DECIDE_EOM)
        return NULL;
    session_begin_event(&connection->session);
    if (decide_at == DECIDE_DATA)
        refusal = settle_sender(context, &connection->session, NULL);
    return refusal != NULL ? refusal : check_client(context, connection, NULL);
}

static sfsistat on_data(SMFICTX *context)
{
    struct connection *connection = verified_of(context);
    const struct decision *refusal = NULL;

    enter();
    if (connection != NULL)
        refusal = decide_at_data(context, connection);
    return leave(refusal != NULL ? refuse_message(context, connection, refusal) : SMFIS_CONTINUE);
}

static void see_field(struct connection *connection, const char *name, const char *value)
{
    const struct session *session = &connection->session;
    struct header_names names = {.authserv_id = session->config->authserv_id};

    if (session->claim != NULL) {
        names.hostname = session->config->hostname;
        names.claimed = claim_host(session, &session->claim->answer);
    }
    headers_see(&connection->census, name, value, &names);
    vouch_see(&connection->session, name, value);
    originators_see(&connection->session, name, value);
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
    struct connection *connection = verified_of(context);

    enter();
    if (connection != NULL)
        see_field(connection, name, value);
    return leave_quietly(context);
}

/* Nothing to do: see negotiate why it is asked for. */
static sfsistat on_end_of_header(SMFICTX *context)
{
    enter();
    return leave_quietly(context);
}

/* From the last to the first: removing one changes the numbers of those behind it. */
static bool remove_all(SMFICTX *context, const char *name, unsigned count)
{
    char field[64];

    (void)text_copy(field, sizeof field, name);
    for (; count > 0; count--)
        if (smfi_chgheader(context, field, (int)count, NULL) != MI_SUCCESS)
            return false;
    return true;
}

static bool remove_those(SMFICTX *context, char *name, const struct header_forged *forged)
{
    for (size_t i = forged->count; i > 0; i--)
        if (smfi_chgheader(context, name, (int)forged->which[i - 1], NULL) != MI_SUCCESS)
            return false;
    return true;
}

static bool remove_forged(SMFICTX *context, const struct header_census *census)
{
    static char results[] = HEADER_RESULTS, callback[] = HEADER_CALLBACK;

    return remove_those(context, results, &census->results) &&
           remove_those(context, callback, &census->callback) &&
           remove_all(context, HEADER_RINGBACK, census->ringback) &&
           remove_all(context, HEADER_WARNING, census->warning);
}

static bool insert_field(SMFICTX *context, const char *name, char *value)
{
    char field[64];

    (void)text_copy(field, sizeof field, name);
    return smfi_insheader(context, 0, field, value) == MI_SUCCESS;
}

static bool insert_warning(SMFICTX *context, const struct session *session,
                           const struct decision *decision)
{
    char value[HEADER_VALUE_MAX + 1];

    headers_warning(session, decision, value);
    return insert_field(context, HEADER_WARNING, value);
}

/* Of each header sender for whose sake the message is tagged, but for the one that its fate is due
 * to. */
static bool warn_of_originators(SMFICTX *context, const struct session *session,
                                const struct decision *fate)
{
    bool done = true;

    for (unsigned i = ORIGINATORS; session->originators != NULL && i-- > 0;) {
        const struct originator *originator = &session->originators[i];

        if (originator->decided && originator->decision.action == ACTION_TAG &&
            &originator->decision != fate)
            done = insert_warning(context, session, &originator->decision) && done;
    }
    return done;
}

static bool warn_of_client(SMFICTX *context, const struct session *session)
{
    char value[HEADER_VALUE_MAX + 1];

    if (session->claim == NULL || !session->claim->decided ||
        session->claim->decision.action != ACTION_TAG)
        return true;
    headers_callback(session, value);
    return insert_field(context, HEADER_CALLBACK, value);
}

/* Inserts our fields at the top, X-Ringback topmost. fate: what is done with the message. */
static bool add_headers(SMFICTX *context, const struct session *session,
                        const struct decision *decision, const struct decision *fate)
{
    char value[HEADER_VALUE_MAX + 1];
    bool done = true;

    if (headers_results(session, decision, value))
        done = insert_field(context, HEADER_RESULTS, value);
    done = warn_of_client(context, session) && done;
    if (fate->action == ACTION_TAG && fate->of != OF_CLIENT) {
        done = warn_of_originators(context, session, fate) && done;
        done = insert_warning(context, session, fate) && done;
    }
    headers_ringback(session, decision, fate, value);
    return insert_field(context, HEADER_RINGBACK, value) && done;
}

static void quarantine(SMFICTX *context, const struct session *session, const struct decision *fate)
{
    char why[HEADER_VALUE_MAX + 1];

    headers_warning(session, fate, why);
    if (smfi_quarantine(context, why) != MI_SUCCESS)
        log_line(LOG_LEVEL_ERROR, "the MTA did not quarantine the message from <%s>",
                 session->sender_text);
}

/* Some forged fields cannot be removed: whoever reads the message would believe them. */
static bool must_refuse_overflow(const struct connection *connection)
{
    return connection->census.overflow && !connection->session.config->dry_run &&
           !connection->session.local_submission;
}

/* The line of the message's decision says that it was let in: by the id the two belong together. */
static void warn_of_overflow(const struct session *session, const char *what_is_done)
{
    log_line(LOG_LEVEL_WARNING, "too many forged header fields: %s client=%s id=%s", what_is_done,
             session->client_text[0] != '\0' ? session->client_text : "local", session->id);
}

static sfsistat refuse_overflow(SMFICTX *context, const struct session *session)
{
    struct smtp_reply reply = {"550", "5.6.0", "too many forged header fields"};

    warn_of_overflow(session, "the message is refused");
    (void)set_reply(context, &reply);
    return SMFIS_REJECT;
}

static sfsistat on_eom(SMFICTX *context)
{
    struct connection *connection = verified_of(context);
    struct session *session;
    const struct decision *decision, *fate, *refusal;

    enter();
    if (connection == NULL)
        return leave(SMFIS_CONTINUE);
    session = &connection->session;
    session_begin_event(session);
    decide_at_end(session);
    refusal = settle_sender(context, session, still_at_it);
    if (refusal == NULL && !must_refuse_overflow(connection))
        refusal = originators_verify(session, session->config->max_wait_ms, still_at_it, context);
    if (refusal == NULL && !must_refuse_overflow(connection))
        refusal = check_client(context, connection, still_at_it);
    if (refusal != NULL)
        return leave(refuse_message(context, connection, refusal));
    decision = decide_message(session);
    fate = decide_fate(session);
    log_decisions(connection, queue_id(context));
    if (must_refuse_overflow(connection)) {
        transaction_end(connection);
        return leave(refuse_overflow(context, session));
    }
    if (connection->census.overflow)
        warn_of_overflow(session, "they stay in the message");
    else if (!remove_forged(context, &connection->census))
        log_line(LOG_LEVEL_ERROR, "the MTA did not remove forged header fields");
    if (decision != NULL && !add_headers(context, session, decision, fate))
        log_line(LOG_LEVEL_ERROR, "the MTA did not add header fields");
    if (fate != NULL && fate->action == ACTION_QUARANTINE)
        quarantine(context, session, fate);
    session_let_in(session);
    forget_message(connection, NULL);
    return leave(SMFIS_CONTINUE);
}

static sfsistat on_abort(SMFICTX *context)
{
    struct connection *connection = verified_of(context);

    enter();
    if (connection != NULL)
        forget_message(connection, queue_id(context));
    return leave(SMFIS_CONTINUE);
}

/* --- What the MTA does not know --------------------------------------------- */

/* ACCEPT would have the MTA leave us out from then on, and DISCARD drop the message. */
static sfsistat on_unknown(SMFICTX *context, const char *command)
{
    struct connection *connection = connection_of(context);
    struct smtp_reply reply;

    enter();
    if (connection == NULL || command == NULL ||
        !answer_command(&connection->session, &connection->answered, command, &reply) ||
        !set_reply(context, &reply))
        return leave(SMFIS_CONTINUE);
    return leave(SMFIS_TEMPFAIL);
}

bool filter_register(const char *listen, bool listens_by_tcp)
{
    static char name[] = "ringback";
    static char socket[1024]; /* libmilter keeps the pointer */
    struct smfiDesc filter = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = NEGOTIATE_ACTIONS,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_data = on_data,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_of_header,
        .xxfi_eom = on_eom,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_unknown = on_unknown,
        .xxfi_negotiate = on_negotiate,
    };

    by_tcp = listens_by_tcp;
    return text_copy(socket, sizeof socket, listen) && smfi_setconn(socket) == MI_SUCCESS &&
           smfi_register(filter) == MI_SUCCESS;
}
