/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls: one server context, with a key and a self-signed certificate that are made at start and live
 * in memory only. The lab's clients do not check certificates.
 */
#ifndef SMTPD_TLS_H
#define SMTPD_TLS_H

#include <openssl/ssl.h>

/* NULL: OpenSSL could not. */
SSL_CTX *tls_context_new(void);

/* A server's end on fd. max_version is OpenSSL's number; 0: any. NULL: OpenSSL could not. */
SSL *tls_accept_new(SSL_CTX *ctx, int fd, int max_version);

#endif
