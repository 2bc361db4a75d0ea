/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_milter: libmilter as a filter sees it, without an MTA: the test plays the MTA and calls what
 * the filter has registered. Takes no memory. One thread.
 */
#ifndef RB_FAKE_MILTER_H
#define RB_FAKE_MILTER_H

#include <libmilter/mfapi.h>

/* One session; zeroed when it begins. */
struct smfi_str {
    void *kept;           /* smfi_setpriv */
    char *queue_id;       /* the macro `i`; NULL: not told */
    unsigned inserted;    /* header fields */
    unsigned changed;     /* header fields */
    unsigned quarantined; /* times */
    char code[4];         /* of the last reply set; "": none */
};

/* What was registered last. */
const struct smfiDesc *fake_milter_filter(void);

#endif
