/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_protocol: what is said at the daemon's control socket. A client sends one line, gets one
 * JSON object and the connection is closed.
 */
#ifndef RB_MILTER_BASE_CONTROL_PROTOCOL_H
#define RB_MILTER_BASE_CONTROL_PROTOCOL_H

enum { CONTROL_LINE_MAX = 16384 }; /* octets of a request: two addresses, and answers about them */

/* Requests, without the newline that ends them. */
#define CONTROL_STATUS "status"
#define CONTROL_RELOAD "reload"
#define CONTROL_EXPLAIN "explain " /* then the request of explain_object, as JSON */

#endif
