/* SPDX-License-Identifier: BSD-2-Clause */
/* tls: OpenSSL behind a handful of calls; see tls.h. Nobody else in the library includes
 * openssl/ssl.h. */
#include "config.h"

#include "smtp/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

enum { READS_MAX = 64 }; /* of the socket, in one call of OpenSSL: then the clock is looked at */

void *tls_context_new(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL)
        return NULL;
    /* Old hosts are still asked: bad encryption is no worse than none, which is the alternative. */
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* Each record that carries no octets of SMTP (a ticket, a new key) ends the call that read
     * it. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Many mail hosts close without close_notify; that is an end like any other. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    return context;
}

void tls_context_free(void *context)
{
    SSL_CTX_free(context);
}

/*
 * OpenSSL reads on for as long as it meets records that are of no use to it: one call would last as
 * long as the host likes. So it is told after READS_MAX reads that there is nothing to read.
 */
static long limit_reads(BIO *bio, int operation, const char *octets, size_t len, int number,
                        /* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
                        long other, int result, size_t *done)
{
    struct tls *tls = (struct tls *)(void *)BIO_get_callback_arg(bio);

    (void)octets;
    (void)len;
    (void)number;
    (void)other;
    (void)done;
    if (operation != BIO_CB_READ || tls->reads_left-- > 0)
        return result;
    BIO_clear_retry_flags(bio);
    BIO_set_retry_read(bio);
    return -1;
}

/* Before every call of OpenSSL that may read or write. */
static void prepare(struct tls *tls)
{
    ERR_clear_error();
    tls->reads_left = READS_MAX;
}

/* What OpenSSL wants next, or how it failed. */
static enum tls_status status_of(const struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    case SSL_ERROR_SSL:
        /* A TLS 1.3 host tells after its handshake what it does not like about ours. */
        return tls->is_proven ? TLS_CLOSED : TLS_FAILED;
    default:
        return TLS_CLOSED;
    }
}

/* A host's name and nothing else (RFC 6066 3): its last label is none of an IPv4 address. */
static bool is_host_name(const char *text)
{
    static const char digits[] = "0123456789";
    static const char octets[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const char *dot = strrchr(text, '.');
    const char *last = dot != NULL ? dot + 1 : text;

    return text[strspn(text, octets)] == '\0' && last[strspn(last, digits)] != '\0';
}

bool tls_start(struct tls *tls, void *context, int fd, const char *host)
{
    *tls = (struct tls){.ssl = SSL_new(context)};
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1)
        return false;
    BIO_set_callback_ex(SSL_get_rbio(tls->ssl), limit_reads);
    BIO_set_callback_arg(SSL_get_rbio(tls->ssl), (char *)tls);
    if (is_host_name(host))
        (void)SSL_set_tlsext_host_name(tls->ssl, host);
    return true;
}

enum tls_status tls_handshake(struct tls *tls)
{
    enum tls_status status;

    prepare(tls);
    status = status_of(tls, SSL_connect(tls->ssl));
    return status == TLS_CLOSED ? TLS_FAILED : status;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}

enum tls_status tls_read(struct tls *tls, char *buffer, size_t size, size_t *done)
{
    *done = 0;
    prepare(tls);
    return status_of(tls, SSL_read_ex(tls->ssl, buffer, size, done));
}

enum tls_status tls_write(struct tls *tls, const char *octets, size_t len, size_t *done)
{
    *done = 0;
    prepare(tls);
    return status_of(tls, SSL_write_ex(tls->ssl, octets, len, done));
}

bool tls_has_pending(const struct tls *tls)
{
    return SSL_has_pending(tls->ssl) != 0;
}

void tls_shutdown(struct tls *tls)
{
    prepare(tls);
    (void)SSL_shutdown(tls->ssl);
}

void tls_free(struct tls *tls)
{
    SSL_free(tls->ssl);
    tls->ssl = NULL;
}
