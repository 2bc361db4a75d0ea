/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls: our end of TLS on a connected, non-blocking socket (RFC 3207, RFC 8446). Never waits and
 * never looks at a clock: each call says what to wait for. Knows no SMTP and no transcript.
 *
 * Thread rule: a struct tls belongs to one thread; several may share the context. The calling
 * thread must block SIGPIPE (OpenSSL writes with write(2)).
 */
#ifndef RB_SMTP_TLS_H
#define RB_SMTP_TLS_H

#include <stdbool.h>
#include <stddef.h>

enum tls_status {
    TLS_DONE,
    TLS_WANTS_READ,  /* to be called again when the socket is readable */
    TLS_WANTS_WRITE, /* to be called again when it is writable */
    TLS_CLOSED,      /* the host closed or reset the connection */
    TLS_FAILED,      /* the handshake failed, or what it came to was of no use */
};

/* Zeroed: in clear. It must not move once it is started: OpenSSL keeps its address. */
struct tls {
    void *ssl;      /* NULL: not started */
    int reads_left; /* of the socket, in the call of OpenSSL that is under way */
    bool is_proven; /* a reply came through it: a failure from now on is a lost connection */
};

/*
 * A context for opportunistic TLS (RFC 7435): no certificate is checked, for we verify an address,
 * not a host. The caller's, to be freed with tls_context_free. NULL: out of memory.
 */
void *tls_context_new(void);

/* NULL is fine. */
void tls_context_free(void *context);

/*
 * Begins a session on fd, which stays the caller's. `host` is told to the server (SNI, RFC 6066 3)
 * where it is a name. False: out of memory. To be freed with tls_free in any case.
 */
bool tls_start(struct tls *tls, void *context, int fd, const char *host);

/* Goes on with the handshake: TLS_DONE, a wish, or TLS_FAILED. */
enum tls_status tls_handshake(struct tls *tls);

/* The version in use, "TLSv1.3". Static. */
const char *tls_version(const struct tls *tls);

/* One read or write of up to `size` or `len` octets; *done is how many, 0 unless TLS_DONE. */
enum tls_status tls_read(struct tls *tls, char *buffer, size_t size, size_t *done);
enum tls_status tls_write(struct tls *tls, const char *octets, size_t len, size_t *done);

/* Whether octets of a record that was read are left over: no poll(2) would see them. */
bool tls_has_pending(const struct tls *tls);

/* Says close_notify, as far as the socket takes it at once. */
void tls_shutdown(struct tls *tls);

/* Frees the session; the socket stays open. One that was not started is fine. */
void tls_free(struct tls *tls);

#endif
