/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_host: see the header. One thread takes connections, each connection has one of its own with
 * blocking reads; fake_host_stop shuts the sockets down, and that ends them all. `lock` covers what
 * the fields say.
 */
#include "config.h"

#include "fake_host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum {
    CONNECTIONS_MAX = 256, /* in the life of one host; a test makes far fewer */
    LOG_MAX = 4096,        /* commands remembered */
    LINE_SIZE = 1024,
    WAIT_S = 120,     /* what fake_host_wait will wait */
    DRIP_PACE_MS = 5, /* between the pieces of a drip */
};

struct connection {
    struct fake_host *host;
    unsigned number;
    int fd; /* lock; -1: closed. Only the connection's thread changes it */
    SSL *ssl;
    bool in_tls;    /* the handshake went well */
    bool is_excess; /* one too many */
    pthread_t thread;
    char in[LINE_SIZE];
    size_t in_at, in_len;
};

struct fake_host {
    struct fake_host_options options; /* lock: replies and reply_count; else const */
    int fd;
    uint16_t port;
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;                          /* lock: log, held, let, stopping */
    bool held, stopping;                             /* lock */
    unsigned let;                                    /* lock: RCPTs that pass while held */
    char *log[LOG_MAX];                              /* lock */
    size_t log_count;                                /* lock */
    unsigned surprises, cut_off, excess;             /* lock */
    unsigned floods;                                 /* lock */
    char server_name[LINE_SIZE];                     /* lock */
    struct connection *connections[CONNECTIONS_MAX]; /* lock */
    unsigned connection_count;                       /* lock */
};

/* cmocka's own assertions jump, which only the test's thread may do. */
static void must(bool is_true)
{
    if (is_true)
        return;
    fputs("fake_host: the system refused, or a ceiling was reached\n", stderr);
    abort();
}

/* --- Octets ---------------------------------------------------------------- */

static bool send_octets(struct connection *connection, const char *octets, size_t len)
{
    if (len == 0)
        return true;
    if (connection->ssl != NULL)
        return SSL_write(connection->ssl, octets, (int)len) == (int)len;
    return send(connection->fd, octets, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* In one piece: what follows a reply in the same segment is then the script's doing. */
static bool say(struct connection *connection, const char *text)
{
    char line[2 * LINE_SIZE];
    int len = snprintf(line, sizeof line, "%s\r\n", text);

    must(len > 0 && (size_t)len < sizeof line);
    return send_octets(connection, line, (size_t)len);
}

/* False: the peer has gone. */
static bool receive(struct connection *connection)
{
    ssize_t got = connection->ssl != NULL
                      ? SSL_read(connection->ssl, connection->in, sizeof connection->in)
                      : recv(connection->fd, connection->in, sizeof connection->in, 0);

    connection->in_at = 0;
    connection->in_len = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Reads until the peer has gone, so that closing is not a reset. */
static void drain(struct connection *connection)
{
    while (receive(connection))
        continue;
}

static void note(struct fake_host *host, const char *line)
{
    pthread_mutex_lock(&host->lock);
    must(host->log_count < LOG_MAX);
    host->log[host->log_count] = strdup(line);
    must(host->log[host->log_count++] != NULL);
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* The next command, without CR LF. False: the peer has gone. */
static bool hear(struct connection *connection, char line[LINE_SIZE])
{
    size_t len = 0;

    for (;;) {
        char c;

        if (connection->in_at == connection->in_len && !receive(connection))
            return false;
        c = connection->in[connection->in_at++];
        if (c == '\n')
            break;
        must(len < LINE_SIZE - 1);
        line[len++] = c;
    }
    line[len > 0 && line[len - 1] == '\r' ? len - 1 : len] = '\0';
    note(connection->host, line);
    return true;
}

static bool begins(const char *line, const char *prefix)
{
    return strncasecmp(line, prefix, strlen(prefix)) == 0;
}

/* --- TLS ------------------------------------------------------------------- */

static int note_server_name(SSL *ssl, int *alert, void *arg)
{
    struct fake_host *host = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    pthread_mutex_lock(&host->lock);
    (void)snprintf(host->server_name, sizeof host->server_name, "%s", name != NULL ? name : "");
    pthread_mutex_unlock(&host->lock);
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *tls_context(struct fake_host *host)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    must(context != NULL && key != NULL && certificate != NULL);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    must(X509_sign(certificate, key, EVP_sha256()) > 0);
    must(SSL_CTX_use_certificate(context, certificate) == 1);
    must(SSL_CTX_use_PrivateKey(context, key) == 1);
    SSL_CTX_set_tlsext_servername_callback(context, note_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, host);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static bool start_tls(struct connection *connection, int version_max)
{
    connection->ssl = SSL_new(connection->host->tls);
    must(connection->ssl != NULL && SSL_set_fd(connection->ssl, connection->fd) == 1);
    must(SSL_set_max_proto_version(connection->ssl, version_max) == 1);
    if (connection->host->options.wants_certificate)
        SSL_set_verify(connection->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    connection->in_at = connection->in_len = 0;
    connection->in_tls = SSL_accept(connection->ssl) == 1;
    return connection->in_tls;
}

/* --- The polite host ------------------------------------------------------- */

/* Says a reply. False: the session is over. */
static bool reply(struct connection *connection, const char *text)
{
    return text[0] != '\0' && say(connection, text) && !begins(text, "421");
}

static bool on_ehlo(struct connection *connection)
{
    const struct fake_host_options *options = &connection->host->options;
    char text[LINE_SIZE];

    if (options->ehlo != NULL)
        return reply(connection, options->ehlo);
    (void)snprintf(text, sizeof text, "250-fake.example\r\n%s%s%s%s250 HELP",
                   options->pipelining ? "250-PIPELINING\r\n" : "",
                   options->smtputf8 ? "250-SMTPUTF8\r\n" : "", options->size ? "250-SIZE\r\n" : "",
                   options->starttls && connection->ssl == NULL ? "250-STARTTLS\r\n" : "");
    return reply(connection, text);
}

static bool on_starttls(struct connection *connection)
{
    const struct fake_host_options *options = &connection->host->options;

    if (!options->starttls || connection->ssl != NULL)
        return reply(connection, "502 5.5.1 not offered");
    if (!reply(connection, "220 2.0.0 go ahead"))
        return false;
    if (!options->broken_tls)
        return start_tls(connection, 0);
    (void)(receive(connection) && say(connection, "this is no server hello"));
    return false;
}

static bool on_mail(struct connection *connection, const char *line)
{
    const struct fake_host_options *options = &connection->host->options;
    const char *text = begins(line, "MAIL FROM:<>") ? options->null_sender : options->mail;
    const char *size = strstr(line, " SIZE=");

    if (size != NULL && options->room > 0 &&
        strtoull(size + strlen(" SIZE="), NULL, 10) > options->room)
        return reply(connection, "552 5.3.4 Message size exceeds fixed limit");
    return reply(connection, text != NULL ? text : "250 2.1.0 Ok");
}

/* The reply from the table. It is the caller's of fake_host_start. */
static const char *find_reply(const struct fake_host *host, const char *line)
{
    const struct fake_host_options *options = &host->options;
    const char *from = line + strlen("RCPT TO:<");
    size_t len = strcspn(from, ">");

    for (size_t i = 0; i < options->reply_count; i++) {
        const struct fake_host_reply *row = &options->replies[i];

        if (strlen(row->address) == len && strncasecmp(row->address, from, len) == 0)
            return row->reply;
    }
    return options->rcpt != NULL ? options->rcpt : "550 5.1.1 User unknown";
}

static bool on_rcpt(struct connection *connection, const char *line)
{
    struct fake_host *host = connection->host;
    const char *text;

    pthread_mutex_lock(&host->lock);
    while (host->held && host->let == 0 && !host->stopping)
        pthread_cond_wait(&host->changed, &host->lock);
    if (host->held && host->let > 0)
        host->let--;
    text = find_reply(host, line);
    pthread_mutex_unlock(&host->lock);
    return reply(connection, text);
}

static bool on_command(struct connection *connection, const char *line)
{
    const struct fake_host_options *options = &connection->host->options;

    if (begins(line, "EHLO ") || begins(line, "LHLO "))
        return on_ehlo(connection);
    if (begins(line, "HELO "))
        return reply(connection, "250 fake.example");
    if (begins(line, "STARTTLS"))
        return on_starttls(connection);
    if (begins(line, "MAIL FROM:<"))
        return on_mail(connection, line);
    if (begins(line, "RCPT TO:<"))
        return on_rcpt(connection, line);
    if (begins(line, "DATA"))
        return reply(connection, options->data != NULL ? options->data : "354 go on");
    if (begins(line, "RSET"))
        return reply(connection, "250 2.0.0 Ok");
    if (begins(line, "QUIT")) {
        (void)reply(connection, "221 2.0.0 Bye");
        return false;
    }
    return reply(connection, options->verb != NULL ? options->verb : "502 5.5.1 what?");
}

static void be_polite(struct connection *connection)
{
    char line[LINE_SIZE];

    while (hear(connection, line) && on_command(connection, line))
        continue;
}

/* --- Scripts --------------------------------------------------------------- */

static bool expect(struct connection *connection, const char *prefix)
{
    struct fake_host *host = connection->host;
    char line[LINE_SIZE];
    bool heard = hear(connection, line) && begins(line, prefix);

    pthread_mutex_lock(&host->lock);
    host->surprises += heard ? 0 : 1;
    pthread_mutex_unlock(&host->lock);
    return heard;
}

static bool drip(struct connection *connection, const char *text)
{
    while (send_octets(connection, text, strlen(text))) {
        struct pollfd peer = {.fd = connection->fd, .events = POLLRDHUP};

        if (poll(&peer, 1, DRIP_PACE_MS) != 0)
            break;
    }
    return false;
}

/* Sends a batch and notes that. False: the peer has gone. */
static bool send_batch(struct connection *connection, const char *octets, size_t len)
{
    struct fake_host *host = connection->host;
    int some = FAKE_HOST_FLOOD_OCTETS / 8;

    must(setsockopt(connection->fd, SOL_SOCKET, SO_SNDBUF, &some, sizeof some) == 0);
    note(host, "FLOOD");
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(connection->fd, octets + sent, len - sent, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    pthread_mutex_lock(&host->lock);
    host->floods++;
    pthread_mutex_unlock(&host->lock);
    return true;
}

/* Messages of TLS that ask for nothing, one a record. */
static void write_message(SSL *ssl, enum fake_host_act act)
{
    if (act == FAKE_HOST_TICKETS)
        must(SSL_new_session_ticket(ssl) == 1);
    else if (act == FAKE_HOST_RENEGOTIATIONS)
        must(SSL_renegotiate(ssl) == 1);
    else
        must(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
    must(SSL_do_handshake(ssl) == 1);
}

/* A batch is there as a whole before it is sent: so the peer never reads faster than it comes. */
static bool flood(struct connection *connection, enum fake_host_act act)
{
    SSL *ssl = connection->ssl;
    BIO *batch = BIO_new(BIO_s_mem()), *socket = SSL_get_wbio(ssl);
    bool goes_on = true;
    char *octets;
    long len;

    must(batch != NULL && BIO_up_ref(batch) == 1 && BIO_up_ref(socket) == 1);
    SSL_set0_wbio(ssl, batch);
    while (goes_on) {
        while (BIO_ctrl_pending(batch) < FAKE_HOST_FLOOD_OCTETS)
            write_message(ssl, act);
        len = BIO_get_mem_data(batch, &octets);
        goes_on = send_batch(connection, octets, (size_t)len);
        (void)BIO_reset(batch);
    }
    SSL_set0_wbio(ssl, socket);
    BIO_free(batch);
    return false;
}

/* RFC 5246 7.4.1.1: to be ignored while a handshake is under way, however many come. */
static bool flood_with_hello_requests(struct connection *connection)
{
    static const char request[] = {22, 3, 3, 0, 4, 0, 0, 0, 0};
    size_t count = FAKE_HOST_FLOOD_OCTETS / sizeof request + 1;
    char *batch = malloc(count * sizeof request);
    bool goes_on = receive(connection); /* the client hello */

    must(batch != NULL);
    for (size_t i = 0; i < count; i++)
        memcpy(batch + i * sizeof request, request, sizeof request);
    while (goes_on)
        goes_on = send_batch(connection, batch, count * sizeof request);
    free(batch);
    return false;
}

static bool reset(const struct connection *connection)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    return setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0;
}

/* False: the script ends here. */
static bool play_step(struct connection *connection, const struct fake_host_step *step)
{
    switch (step->act) {
    case FAKE_HOST_SAY:
        return say(connection, step->text);
    case FAKE_HOST_RAW:
        return send_octets(connection, step->text, strlen(step->text));
    case FAKE_HOST_DRIP:
        return drip(connection, step->text);
    case FAKE_HOST_EXPECT:
        return expect(connection, step->text);
    case FAKE_HOST_TLS:
        return start_tls(connection, 0);
    case FAKE_HOST_TLS_1_2:
        return start_tls(connection, TLS1_2_VERSION);
    case FAKE_HOST_TICKETS:
    case FAKE_HOST_KEY_UPDATES:
    case FAKE_HOST_RENEGOTIATIONS:
        return flood(connection, step->act);
    case FAKE_HOST_HELLO_REQUESTS:
        return flood_with_hello_requests(connection);
    case FAKE_HOST_SILENT:
        drain(connection);
        return false;
    case FAKE_HOST_POLITE:
        be_polite(connection);
        return false;
    default: /* CLOSE; RESET is its connection's (serve) */
        return false;
    }
}

/* True: to be closed with a reset. */
static bool play(struct connection *connection, const struct fake_host_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        if (script->steps[i].act == FAKE_HOST_RESET)
            return true;
        if (!play_step(connection, &script->steps[i]))
            break;
    }
    return false;
}

/* --- Connections ----------------------------------------------------------- */

static void end_in_order(struct connection *connection)
{
    if (connection->in_tls)
        (void)SSL_shutdown(connection->ssl);
    (void)shutdown(connection->fd, SHUT_WR);
    if (connection->in_tls)
        drain(connection);
    pthread_mutex_lock(&connection->host->lock);
    if (connection->in_tls && (SSL_get_shutdown(connection->ssl) & SSL_RECEIVED_SHUTDOWN) == 0)
        connection->host->cut_off++;
    pthread_mutex_unlock(&connection->host->lock);
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    drain(connection);
}

static void finish(struct connection *connection, bool with_reset)
{
    if (with_reset)
        must(reset(connection));
    else
        end_in_order(connection);
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    pthread_mutex_lock(&connection->host->lock);
    close(connection->fd);
    connection->fd = -1;
    pthread_cond_broadcast(&connection->host->changed);
    pthread_mutex_unlock(&connection->host->lock);
}

/* OpenSSL writes with write(2). */
static void block_sigpipe(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    const struct fake_host_options *options = &connection->host->options;
    size_t last = options->script_count - 1;
    bool with_reset = false;

    block_sigpipe();
    if (connection->is_excess)
        (void)reply(connection, options->excess);
    else if (options->script_count > 0)
        with_reset = play(connection,
                          &options->scripts[connection->number < last ? connection->number : last]);
    else if (reply(connection, options->banner != NULL ? options->banner : "220 fake.example"))
        be_polite(connection);
    finish(connection, with_reset);
    ERR_clear_error();
    return NULL;
}

/* Those that are being sent away do not count. Under the lock. */
static unsigned open_now(const struct fake_host *host)
{
    unsigned count = 0;

    for (unsigned i = 0; i < host->connection_count; i++)
        count += host->connections[i]->fd >= 0 && !host->connections[i]->is_excess;
    return count;
}

static void *listener(void *arg)
{
    struct fake_host *host = arg;
    int fd;

    while ((fd = accept4(host->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);

        must(connection != NULL);
        connection->host = host;
        connection->fd = fd;
        pthread_mutex_lock(&host->lock);
        must(host->connection_count < CONNECTIONS_MAX);
        connection->number = host->connection_count;
        host->connections[host->connection_count++] = connection;
        connection->is_excess =
            host->options.open_max > 0 && open_now(host) > host->options.open_max;
        host->excess += connection->is_excess;
        if (host->stopping)
            (void)shutdown(fd, SHUT_RDWR);
        must(pthread_create(&connection->thread, NULL, serve, connection) == 0);
        pthread_mutex_unlock(&host->lock);
    }
    return NULL;
}

/* --- Starting and stopping ------------------------------------------------- */

static void bind_to_path(const struct fake_host *host)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = sizeof address.sun_path;

    must((size_t)snprintf(address.sun_path, size, "%s", host->options.path) < size);
    must(bind(host->fd, (const struct sockaddr *)&address, sizeof address) == 0);
}

static void bind_to_port(struct fake_host *host)
{
    const char *ip = host->options.ip != NULL ? host->options.ip : "127.0.0.1";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(host->options.port)};
    socklen_t len = sizeof address;
    int one = 1;

    must(inet_pton(AF_INET, ip, &address.sin_addr) == 1);
    must(setsockopt(host->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    must(bind(host->fd, (const struct sockaddr *)&address, len) == 0);
    must(getsockname(host->fd, (struct sockaddr *)&address, &len) == 0);
    host->port = ntohs(address.sin_port);
}

static void listen_on(struct fake_host *host)
{
    bool at_path = host->options.path != NULL;

    host->fd = socket(at_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(host->fd >= 0);
    if (at_path)
        bind_to_path(host);
    else
        bind_to_port(host);
    must(listen(host->fd, 64) == 0);
}

struct fake_host *fake_host_start(const struct fake_host_options *options)
{
    struct fake_host *host = calloc(1, sizeof *host);

    must(host != NULL);
    host->options = *options;
    host->tls = tls_context(host);
    listen_on(host);
    must(pthread_mutex_init(&host->lock, NULL) == 0);
    must(pthread_cond_init(&host->changed, NULL) == 0);
    must(pthread_create(&host->thread, NULL, listener, host) == 0);
    return host;
}

static void end_threads(struct fake_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->stopping = true;
    pthread_cond_broadcast(&host->changed);
    for (unsigned i = 0; i < host->connection_count; i++)
        if (host->connections[i]->fd >= 0)
            (void)shutdown(host->connections[i]->fd, SHUT_RDWR);
    pthread_mutex_unlock(&host->lock);
    (void)shutdown(host->fd, SHUT_RDWR);
    must(pthread_join(host->thread, NULL) == 0);
    for (unsigned i = 0; i < host->connection_count; i++) {
        must(pthread_join(host->connections[i]->thread, NULL) == 0);
        free(host->connections[i]);
    }
}

void fake_host_stop(struct fake_host *host)
{
    if (host == NULL)
        return;
    end_threads(host);
    close(host->fd);
    if (host->options.path != NULL)
        (void)unlink(host->options.path);
    for (size_t i = 0; i < host->log_count; i++)
        free(host->log[i]);
    SSL_CTX_free(host->tls);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

void fake_host_set(struct fake_host *host, const struct fake_host_reply *replies, size_t count)
{
    pthread_mutex_lock(&host->lock);
    host->options.replies = replies;
    host->options.reply_count = count;
    pthread_mutex_unlock(&host->lock);
}

void fake_host_hold(struct fake_host *host, bool held)
{
    pthread_mutex_lock(&host->lock);
    host->held = held;
    host->let = 0;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

void fake_host_let(struct fake_host *host, unsigned count)
{
    pthread_mutex_lock(&host->lock);
    host->let += count;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* --- What was heard -------------------------------------------------------- */

uint16_t fake_host_port(const struct fake_host *host)
{
    return host->port;
}

unsigned fake_host_connections(struct fake_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->connection_count;
    pthread_mutex_unlock(&host->lock);
    return count;
}

unsigned fake_host_excess(struct fake_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->excess;
    pthread_mutex_unlock(&host->lock);
    return count;
}

unsigned fake_host_open(struct fake_host *host)
{
    unsigned count = 0;

    pthread_mutex_lock(&host->lock);
    for (unsigned i = 0; i < host->connection_count; i++)
        count += host->connections[i]->fd >= 0;
    pthread_mutex_unlock(&host->lock);
    return count;
}

static unsigned heard(const struct fake_host *host, const char *prefix)
{
    unsigned count = 0;

    for (size_t i = 0; i < host->log_count; i++)
        count += begins(host->log[i], prefix);
    return count;
}

unsigned fake_host_heard(struct fake_host *host, const char *prefix)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = heard(host, prefix);
    pthread_mutex_unlock(&host->lock);
    return count;
}

bool fake_host_wait(struct fake_host *host, const char *prefix, unsigned count)
{
    struct timespec until;
    bool came;

    must(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&host->lock);
    while (heard(host, prefix) < count)
        if (pthread_cond_timedwait(&host->changed, &host->lock, &until) != 0)
            break;
    came = heard(host, prefix) >= count;
    pthread_mutex_unlock(&host->lock);
    return came;
}

void fake_host_command(struct fake_host *host, const char *prefix, unsigned n, char *text,
                       size_t size)
{
    unsigned count = 0;

    text[0] = '\0';
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->log_count; i++)
        if (begins(host->log[i], prefix) && count++ == n)
            must((size_t)snprintf(text, size, "%s", host->log[i]) < size);
    pthread_mutex_unlock(&host->lock);
}

unsigned fake_host_cut_off(struct fake_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->cut_off;
    pthread_mutex_unlock(&host->lock);
    return count;
}

unsigned fake_host_surprises(struct fake_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->surprises;
    pthread_mutex_unlock(&host->lock);
    return count;
}

unsigned fake_host_floods(struct fake_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->floods;
    pthread_mutex_unlock(&host->lock);
    return count;
}

void fake_host_server_name(struct fake_host *host, char *text, size_t size)
{
    pthread_mutex_lock(&host->lock);
    must((size_t)snprintf(text, size, "%s", host->server_name) < size);
    pthread_mutex_unlock(&host->lock);
}
