/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service: what the daemon has one of: the configuration in force, the verifier, and its identity:
 * whether the world sees this host as who it says it is. Reloading replaces the first, tells the
 * second and looks at the third again. Any thread after service_start.
 */
#ifndef RB_MILTER_DAEMON_SERVICE_H
#define RB_MILTER_DAEMON_SERVICE_H

#include <time.h>

#include "config/configuration.h"
#include "session/session.h"

enum { IDENTITY_WARNINGS_MAX = 9, IDENTITY_WARNING_SIZE = 1024 };

/* What is wrong with our identity: sentences of printable ASCII. */
struct identity {
    size_t count;
    char warning[IDENTITY_WARNINGS_MAX][IDENTITY_WARNING_SIZE];
};

/*
 * Opens the verifier. Takes over the caller's reference to config. before_wait is called just
 * before a client is kept waiting, from any thread; NULL: there is nothing to do then. On failure
 * detail says why in words. After fork, as the user the daemon runs as.
 */
enum rb_error service_start(const char *path, struct config *config, void (*before_wait)(void),
                            char *detail, size_t detail_size);

/* The configuration in force; a reference of the caller's. */
struct config *service_config(void);

/* What sessions need. */
const struct session_world *service_world(void);

/* When the daemon started (wall clock), and when it last took a configuration. */
time_t service_started(void);
time_t service_configured(void);

/*
 * What is wrong with our identity, as it was looked at last: at the start and after each reload.
 * False: the first look is not over. Advice only: nothing depends on it.
 */
bool service_identity(struct identity *found);

/* What the verifier lacks now. Name servers that were silent are asked again by whoever looks. */
struct service_troubles {
    bool dns_is_silent, store_is_lost, writes_are_lost;
};

struct service_troubles service_troubles(void);

/* Whether the configuration's file is another by now than the one that was read. */
bool service_config_changed(void);

/*
 * Reads the configuration file again. True: it is in force for new sessions, and said tells what
 * needs a restart, if anything; false: the old one stays, and said tells why. One line. Logs too.
 */
bool service_reload(char *said, size_t size);

/* Whether the last reload was refused. */
bool service_reload_refused(void);

/* Ends all waiting: sessions get the answers that are known, or unknown. */
void service_stop(void);

/* Writes what was learned into the cache and leaves all open: for an end while sessions are. */
void service_flush(void);

/* Closes the verifier and lets the configuration go. */
void service_end(void);

#endif
