/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_milter: libmilter as a filter sees it, without an MTA: the test plays the MTA, calls what
 * the filter has registered, and reads what the filter called in turn. Takes no memory. One thread.
 */
#ifndef RB_FAKE_MILTER_H
#define RB_FAKE_MILTER_H

#include <libmilter/mfapi.h>
#include <stddef.h>

enum { FAKE_MILTER_CALLS_SIZE = 65536 };

/* One session; zeroed when it begins. */
struct smfi_str {
    void *kept;     /* smfi_setpriv */
    char *queue_id; /* the macro `i`; NULL: not told */
    char *user;     /* {auth_authen}; NULL: nobody */
    /* Of the connection; ends with one without a name. */
    struct fake_milter_macro {
        const char *name;
        char *value;
    } macros[5];
    const char *fail; /* the call that fails: "quarantine"; NULL: none does */
    /*
     * What was called, in its order, a line each, without "smfi_": "setreply 550 5.1.7 text",
     * "insheader 0 X-Ringback: value", "chgheader 2 X-Ringback" for one that is removed,
     * "quarantine why", "setsymlist 3 macros", "progress".
     */
    char calls[FAKE_MILTER_CALLS_SIZE];
    size_t calls_len;
};

/* What was registered last. */
const struct smfiDesc *fake_milter_filter(void);

/* How many lines of calls begin so. */
unsigned fake_milter_count(const struct smfi_str *context, const char *beginning);

/* Forgets the calls. */
void fake_milter_forget(struct smfi_str *context);

#endif
